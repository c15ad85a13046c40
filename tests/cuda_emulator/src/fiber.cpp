// fiber.cpp -- the context switch: a few instructions on x86-64, ucontext elsewhere.
#include "fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

namespace {

constexpr size_t PAGE_BYTES = 64 * 1024;   // no smaller than any machine's page
constexpr size_t STACK_BYTES = 256 * 1024;

}   // namespace

Fiber *new_fiber() {
    // Pages are only taken when touched: 1024 stacks cost what their threads use.
    void *stack = mmap(nullptr, PAGE_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) {
        perror("cuda-emulator: cannot allocate a thread's stack");
        abort();
    }
    mprotect(stack, PAGE_BYTES, PROT_NONE);
    Fiber *fiber = new Fiber;
    fiber->stack = static_cast<char *>(stack) + PAGE_BYTES;
    return fiber;
}

#ifdef EMU_USE_UCONTEXT

void prepare_fiber(Fiber &fiber, void (*entry)()) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK_BYTES;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
}

void switch_fiber(Fiber &from, Fiber &to) {
    swapcontext(&from.context, &to.context);
}

#else

// emu_switch_stack(void **saved_pointer, void *next_pointer): push the registers that a callee must keep, exchange the
// stacks, pop the other side's. The return address that `ret` takes is the one on the new stack.
asm(R"(
    .text
    .globl emu_switch_stack
    .hidden emu_switch_stack
    .type emu_switch_stack, @function
emu_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emu_switch_stack, . - emu_switch_stack
)");
extern "C" __attribute__((visibility("hidden"))) void emu_switch_stack(void **saved_pointer, void *next_pointer);

void prepare_fiber(Fiber &fiber, void (*entry)()) {
    constexpr int SAVED_REGISTERS = 6;
    void **top = reinterpret_cast<void **>(fiber.stack + STACK_BYTES);
    *--top = nullptr;   // keeps the stack aligned as after a call, and ends a debugger's backtrace
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < SAVED_REGISTERS; ++i)
        *--top = nullptr;
    fiber.stack_pointer = top;
}

void switch_fiber(Fiber &from, Fiber &to) {
    emu_switch_stack(&from.stack_pointer, to.stack_pointer);
}

#endif
