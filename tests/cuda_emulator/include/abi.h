// abi.h -- what a compiled module and the engine know of each other.
//
// A "cubin" of this emulator is a shared object made from CUDA source by g++ with shim.h in front. It is linked against
// our libcuda.so.1, so that the names declared here resolve to the engine whichever way the driver was loaded.
#pragma once
#include <cstdint>

#define EMU_EXPORT __attribute__((visibility("default")))

// CUDA's built-in index type. The driver's own cuda.h does not declare it, so both sides can use this one.
struct uint3 {
    unsigned x, y, z;
};

extern "C" {

// --- variables that the engine sets before it enters a thread; CUDA source reads them under these very names
EMU_EXPORT extern uint3 threadIdx, blockIdx, blockDim, gridDim;
EMU_EXPORT extern unsigned emu_lane;          // index of the thread in its warp
EMU_EXPORT extern char *emu_dynamic_shared;   // the block's dynamic shared memory

// --- what a thread can ask of the engine; `line` is the line of the CUDA source, for messages

// __syncthreads, and the three forms of it that also reduce a predicate.
enum EmuReduction { EMU_COUNT = 0, EMU_AND = 1, EMU_OR = 2 };
EMU_EXPORT void emu_block_barrier(int line);
EMU_EXPORT int emu_block_barrier_reduce(int predicate, EmuReduction reduction, int line);

// Publish a value, wait for the other lanes of the mask, see all values. Lanes that did not take part hold all ones.
struct EmuExchange {
    uint64_t value[32];
    unsigned participants;
};
EMU_EXPORT const EmuExchange *emu_warp_exchange(unsigned mask, uint64_t value, int line);

EMU_EXPORT unsigned emu_active_mask();
[[noreturn]] EMU_EXPORT void emu_trap(const char *reason);

// --- what a module tells the driver about itself; the compiler driver appends these tables to the source

struct EmuParameter {
    unsigned offset, size;   // in the argument buffer
    int is_pointer;          // then its value is checked against the allocations
};

struct EmuKernel {
    const char *source_name;
    const void *function;                        // its symbol's name is what cuModuleGetFunction looks for
    void (*call)(const char *argument_buffer);   // run one thread
    const EmuParameter *parameters;
    unsigned parameter_count, argument_bytes;
    int max_threads;             // from __launch_bounds__, else 1024
    char *shared, *shared_end;   // static shared memory of this kernel
};

struct EmuModule {
    const EmuKernel *kernels;
    unsigned kernel_count;
    char *common_shared, *common_shared_end;   // static shared memory declared in device functions
};

// The one name that the driver looks up in a module.
EMU_EXPORT extern const EmuModule emu_module;

}   // extern "C"
