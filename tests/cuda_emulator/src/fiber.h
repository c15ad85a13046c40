// fiber.h -- stacks that the engine can leave and come back to.
#pragma once
#include "abi.h"

#if !defined(__x86_64__)
#define EMU_USE_UCONTEXT 1   // portable, but two system calls a switch
#endif
#ifdef EMU_USE_UCONTEXT
#include <ucontext.h>
#endif

// A flow of control: either the driver's own stack (stack == nullptr) or one made by new_fiber.
struct Fiber {
    char *stack = nullptr;
    unsigned thread = 0;   // the CUDA thread that it runs at present
    uint3 index = {0, 0, 0};
    int waits_at = 0;      // the source line of the barrier or warp operation that it is parked at
#ifdef EMU_USE_UCONTEXT
    ucontext_t context;
#else
    void *stack_pointer = nullptr;
#endif
};

// Allocate a fiber; its stack ends in a guard page, so that too deep a recursion is an illegal address.
Fiber *new_fiber();

// Make the next switch to the fiber start `entry` on an empty stack. `entry` must not return.
void prepare_fiber(Fiber &fiber, void (*entry)());

// Leave `from`, continue `to`. Returns when someone switches back to `from`.
void switch_fiber(Fiber &from, Fiber &to);
