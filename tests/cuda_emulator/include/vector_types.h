// vector_types.h -- CUDA's short vectors: float4, int2, ... with CUDA's alignments, and make_float4 and its kin.
#pragma once
#include "abi.h"   // uint3

#define EMU_VECTOR_TYPES(type, name, align2, align4)                                                                   \
    struct name##1 { type x; };                                                                                        \
    struct alignas(align2) name##2 { type x, y; };                                                                     \
    EMU_VECTOR3(type, name)                                                                                            \
    struct alignas(align4) name##4 { type x, y, z, w; };                                                               \
    static inline name##1 make_##name##1(type x) { return {x}; }                                                       \
    static inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                            \
    static inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                                 \
    static inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }

#define EMU_VECTOR3(type, name) struct name##3 { type x, y, z; };
EMU_VECTOR_TYPES(signed char, char, 2, 4)
EMU_VECTOR_TYPES(unsigned char, uchar, 2, 4)
EMU_VECTOR_TYPES(short, short, 4, 8)
EMU_VECTOR_TYPES(unsigned short, ushort, 4, 8)
EMU_VECTOR_TYPES(int, int, 8, 16)
EMU_VECTOR_TYPES(long, long, 16, 16)
EMU_VECTOR_TYPES(unsigned long, ulong, 16, 16)
EMU_VECTOR_TYPES(long long, longlong, 16, 16)
EMU_VECTOR_TYPES(unsigned long long, ulonglong, 16, 16)
EMU_VECTOR_TYPES(float, float, 8, 16)
EMU_VECTOR_TYPES(double, double, 16, 16)
#undef EMU_VECTOR3
#define EMU_VECTOR3(type, name)   // uint3 is the type of threadIdx, known already
EMU_VECTOR_TYPES(unsigned, uint, 8, 16)
#undef EMU_VECTOR3
#undef EMU_VECTOR_TYPES

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return {x, y, z}; }
};
