// emu_float16.h -- what the two 16-bit floating point types have in common, as macros: CUDA gives each its own names.
#pragma once
#include "shim.h"

// The scalar type and its pair. Every operation is done in float and rounded once.
#define EMU_FLOAT16_TYPE(Type, Pair, to_float, from_float)                                                             \
    struct Type {                                                                                                      \
        unsigned short bits;                                                                                           \
        Type() = default;                                                                                              \
        template <class T, class = typename std::enable_if<std::is_arithmetic<T>::value>::type>                        \
        Type(T value) : bits(from_float(float(value))) {}                                                              \
        operator float() const { return to_float(bits); }                                                              \
        static Type from_bits(unsigned short bits) {                                                                   \
            Type value;                                                                                                \
            value.bits = bits;                                                                                         \
            return value;                                                                                              \
        }                                                                                                              \
        Type &operator+=(Type other) { return *this = Type(float(*this) + float(other)); }                             \
        Type &operator-=(Type other) { return *this = Type(float(*this) - float(other)); }                             \
        Type &operator*=(Type other) { return *this = Type(float(*this) * float(other)); }                             \
        Type &operator/=(Type other) { return *this = Type(float(*this) / float(other)); }                             \
    };                                                                                                                 \
    struct alignas(4) Pair {                                                                                           \
        Type x, y;                                                                                                     \
    };                                                                                                                 \
    static inline Type operator+(Type a, Type b) { return a += b; }                                                    \
    static inline Type operator-(Type a, Type b) { return a -= b; }                                                    \
    static inline Type operator*(Type a, Type b) { return a *= b; }                                                    \
    static inline Type operator/(Type a, Type b) { return a /= b; }                                                    \
    static inline Type operator-(Type a) { return Type::from_bits(a.bits ^ 0x8000); }                                  \
    static inline bool operator==(Type a, Type b) { return float(a) == float(b); }                                     \
    static inline bool operator!=(Type a, Type b) { return float(a) != float(b); }                                     \
    static inline bool operator<(Type a, Type b) { return float(a) < float(b); }                                       \
    static inline bool operator<=(Type a, Type b) { return float(a) <= float(b); }                                     \
    static inline bool operator>(Type a, Type b) { return float(a) > float(b); }                                       \
    static inline bool operator>=(Type a, Type b) { return float(a) >= float(b); }

// A function of one argument, on the scalar and, elementwise, on the pair.
#define EMU_FLOAT16_UNARY(Type, Pair, name, expression)                                                                \
    static inline Type name(Type value) {                                                                              \
        [[maybe_unused]] const float a = value;                                                                        \
        return expression;                                                                                             \
    }

#define EMU_FLOAT16_BINARY(Type, Pair, name, expression)                                                               \
    static inline Type name(Type first, Type second) {                                                                 \
        const float a = first, b = second;                                                                             \
        return Type(expression);                                                                                       \
    }                                                                                                                  \
    static inline Pair name##2(Pair first, Pair second) {                                                              \
        return {name(first.x, second.x), name(first.y, second.y)};                                                     \
    }

#define EMU_FLOAT16_COMPARE(Type, name, expression)                                                                    \
    static inline bool name(Type first, Type second) {                                                                 \
        const float a = first, b = second;                                                                             \
        return expression;                                                                                             \
    }

// CUDA's named functions: __float2half, __hadd, hexp, ... `word` is "half" or "bfloat16".
#define EMU_FLOAT16_FUNCTIONS(Type, Pair, word)                                                                        \
    static inline Type __float2##word(float value) { return Type(value); }                                             \
    static inline Type __float2##word##_rn(float value) { return Type(value); }                                        \
    static inline Type __double2##word(double value) { return Type(value); }                                           \
    static inline Type __int2##word##_rn(int value) { return Type(value); }                                            \
    static inline Type __uint2##word##_rn(unsigned value) { return Type(value); }                                      \
    static inline Type __ushort_as_##word(unsigned short bits) { return Type::from_bits(bits); }                       \
    static inline float __##word##2float(Type value) { return value; }                                                 \
    static inline int __##word##2int_rn(Type value) { return __float2int_rn(value); }                                  \
    static inline int __##word##2int_rz(Type value) { return __float2int_rz(value); }                                  \
    static inline unsigned short __##word##_as_ushort(Type value) { return value.bits; }                               \
    static inline Pair __##word##2##word##2(Type value) { return {value, value}; }                                     \
    static inline Pair __halves2##word##2(Type low, Type high) { return {low, high}; }                                 \
    static inline Pair __floats2##word##2_rn(float low, float high) { return {Type(low), Type(high)}; }                \
    static inline Pair __float2##word##2_rn(float value) { return {Type(value), Type(value)}; }                        \
    static inline Pair make_##word##2(Type low, Type high) { return {low, high}; }                                     \
    static inline Type __low2##word(Pair pair) { return pair.x; }                                                      \
    static inline Type __high2##word(Pair pair) { return pair.y; }                                                     \
    static inline float __low2float(Pair pair) { return pair.x; }                                                      \
    static inline float __high2float(Pair pair) { return pair.y; }                                                     \
    EMU_FLOAT16_BINARY(Type, Pair, __hadd, a + b)                                                                      \
    EMU_FLOAT16_BINARY(Type, Pair, __hsub, a - b)                                                                      \
    EMU_FLOAT16_BINARY(Type, Pair, __hmul, a * b)                                                                      \
    EMU_FLOAT16_BINARY(Type, Pair, __hdiv, a / b)                                                                      \
    EMU_FLOAT16_BINARY(Type, Pair, __hmax, fmaxf(a, b))                                                                \
    EMU_FLOAT16_BINARY(Type, Pair, __hmin, fminf(a, b))                                                                \
    EMU_FLOAT16_BINARY(Type, Pair, __hmax_nan, a != a || b != b ? NAN : fmaxf(a, b))                                   \
    EMU_FLOAT16_BINARY(Type, Pair, __hmin_nan, a != a || b != b ? NAN : fminf(a, b))                                   \
    EMU_FLOAT16_COMPARE(Type, __heq, a == b)                                                                           \
    EMU_FLOAT16_COMPARE(Type, __hne, a < b || a > b)                                                                   \
    EMU_FLOAT16_COMPARE(Type, __hlt, a < b)                                                                            \
    EMU_FLOAT16_COMPARE(Type, __hle, a <= b)                                                                           \
    EMU_FLOAT16_COMPARE(Type, __hgt, a > b)                                                                            \
    EMU_FLOAT16_COMPARE(Type, __hge, a >= b)                                                                           \
    EMU_FLOAT16_UNARY(Type, Pair, __hneg, Type::from_bits(value.bits ^ 0x8000))                                        \
    EMU_FLOAT16_UNARY(Type, Pair, __habs, Type::from_bits(value.bits & 0x7FFF))                                        \
    EMU_FLOAT16_UNARY(Type, Pair, hexp, Type(expf(a)))                                                                 \
    EMU_FLOAT16_UNARY(Type, Pair, hexp2, Type(exp2f(a)))                                                               \
    EMU_FLOAT16_UNARY(Type, Pair, hlog, Type(logf(a)))                                                                 \
    EMU_FLOAT16_UNARY(Type, Pair, hlog2, Type(log2f(a)))                                                               \
    EMU_FLOAT16_UNARY(Type, Pair, hsin, Type(sinf(a)))                                                                 \
    EMU_FLOAT16_UNARY(Type, Pair, hcos, Type(cosf(a)))                                                                 \
    EMU_FLOAT16_UNARY(Type, Pair, htanh, Type(tanhf(a)))                                                               \
    EMU_FLOAT16_UNARY(Type, Pair, hsqrt, Type(sqrtf(a)))                                                               \
    EMU_FLOAT16_UNARY(Type, Pair, hrsqrt, Type(rsqrtf(a)))                                                             \
    EMU_FLOAT16_UNARY(Type, Pair, hrcp, Type(1 / a))                                                                   \
    EMU_FLOAT16_UNARY(Type, Pair, hfloor, Type(floorf(a)))                                                             \
    EMU_FLOAT16_UNARY(Type, Pair, hceil, Type(ceilf(a)))                                                               \
    EMU_FLOAT16_UNARY(Type, Pair, htrunc, Type(truncf(a)))                                                             \
    EMU_FLOAT16_UNARY(Type, Pair, hrint, Type(rintf(a)))                                                               \
    static inline bool __hisnan(Type value) { return float(value) != float(value); }                                   \
    static inline int __hisinf(Type value) { return std::isinf(float(value)) ? (float(value) > 0 ? 1 : -1) : 0; }      \
    static inline Type __hfma(Type a, Type b, Type c) { return Type(float(double(float(a)) * float(b) + float(c))); }  \
    static inline Pair __hfma2(Pair a, Pair b, Pair c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
