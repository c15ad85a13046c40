// cuda_bf16.h -- __nv_bfloat16 and __nv_bfloat162 in place of NVIDIA's header: the upper half of a float.
#pragma once
#include "emu_float16.h"

static inline float emu_bfloat16_to_float(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }

// Round to nearest, ties to even.
static inline unsigned short emu_bfloat16_from_float(float value) {
    const unsigned bits = __float_as_uint(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return 0x7FFF;   // CUDA's NaN
    return (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
}

EMU_FLOAT16_TYPE(__nv_bfloat16, __nv_bfloat162, emu_bfloat16_to_float, emu_bfloat16_from_float)
EMU_FLOAT16_FUNCTIONS(__nv_bfloat16, __nv_bfloat162, bfloat16)

using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;
static inline float2 __bfloat1622float2(__nv_bfloat162 v) { return {float(v.x), float(v.y)}; }
static inline __nv_bfloat162 __float22bfloat162_rn(float2 v) { return {__nv_bfloat16(v.x), __nv_bfloat16(v.y)}; }
