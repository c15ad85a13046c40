// shim.h -- put in front of CUDA source (g++ -include, precompiled) so that g++ understands it.
//
// NVIDIA's own headers are not used: they take three times as long to compile as a kernel, and clash with the host's.
// What is missing here is a compile error in the test, never a silently different meaning.
#pragma once
#include <cassert>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <math.h>
#include <type_traits>
#include <utility>

#include "abi.h"
#include "vector_types.h"

// --- keywords

#define __global__ __attribute__((noinline))
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __noinline__ __attribute__((noinline))
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)   // the compiler driver has read it
#define __maxnreg__(count)
#define __builtin_assume(condition) ((condition) ? (void)0 : __builtin_unreachable())

// A kernel's static shared memory: there is one block at a time, so a static variable has the right lifetime. It is put
// into a section of its kernel, which the engine finds by name, measures, and poisons before each block. The compiler
// driver replaces __shared__ inside a kernel by EMU_SHARED("emu_shared_<kernel>"); this is for device functions.
#define EMU_SHARED(section_name) static __attribute__((section(section_name)))
#define __shared__ EMU_SHARED("emu_shared_common")

static constexpr int warpSize = 32;

#include "shim_threads.h"
#include "shim_math.h"
#include "shim_entry.h"

// Last, because the host's headers look at these too.
#define __CUDACC__ 1
#define __CUDA_ARCH__ 900
#define __CUDA_EMULATOR__ 1
