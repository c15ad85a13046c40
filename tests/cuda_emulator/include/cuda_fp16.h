// cuda_fp16.h -- __half and __half2 in place of NVIDIA's header: stored as 16 bits, computed in float.
//
// Sums, products, quotients and square roots of halves computed in float and rounded once more are correctly rounded
// (24 bits are more than twice 11 plus 2), hence equal to a GPU's.
#pragma once
#include "emu_float16.h"

// To float: exact.
static inline float emu_half_to_float(unsigned short bits) {
    const unsigned sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FFu;
    if (exponent == 31)
        return __uint_as_float(sign | 0x7F800000u | fraction << 13);
    if (exponent == 0)   // zero or subnormal: a multiple of 2^-24
        return __uint_as_float(sign | __float_as_uint(float(fraction) * 0x1p-24f));
    return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
}

// From float: round to nearest, ties to even.
static inline unsigned short emu_half_from_float(float value) {
    const unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u)
        return 0x7FFF;   // CUDA's NaN
    if (magnitude >= 0x477FF000u)   // 65520 and more: infinity
        return sign | 0x7C00;
    if (magnitude < 0x38800000u)   // below 2^-14 the spacing is 2^-24: adding 1/2 shifts the value there, and rounds
        return sign | (__float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3F000000u);
    const unsigned rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1);
    return sign | ((rounded >> 13) - (112u << 10));
}

EMU_FLOAT16_TYPE(__half, __half2, emu_half_to_float, emu_half_from_float)
EMU_FLOAT16_FUNCTIONS(__half, __half2, half)

using half = __half;
using half2 = __half2;
using __half_raw = __half;
static inline float2 __half22float2(__half2 v) { return {float(v.x), float(v.y)}; }
static inline __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
