// shim_math.h -- CUDA's mathematical functions that the C++ library lacks, and its integer and conversion intrinsics.
//
// <math.h> of libstdc++ already overloads exp, sqrt, ... on float in the global namespace, as CUDA does. Results are
// those of the host's library: within an ulp or two of a GPU's, not the same bits.
#pragma once

#ifndef M_SQRT1_2
#define M_SQRT1_2 0.70710678118654752440
#endif

// glibc declares functions of these names for its own use, so ours are macros.
#define __expf(x) expf(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __tanhf(x) tanhf(x)
#define __powf(x, y) powf(x, y)
#define __sincosf(x, sine, cosine) sincosf(x, sine, cosine)

// --- functions of one argument: name(double), namef(float) and name(float)

#define EMU_MATH1(name, expression)                                                                                    \
    static inline double name(double x) { return expression; }                                                         \
    static inline float name##f(float x) { return float(name(double(x))); }                                            \
    static inline float name(float x) { return name##f(x); }

// Newton's method on erf, from a start with three digits (S. Winitzki, "A handy approximation for the error function").
static inline double emu_erfinv(double x) {
    if (!(fabs(x) < 1.0))
        return fabs(x) == 1.0 ? copysign(HUGE_VAL, x) : NAN;
    const double a = 0.147, logarithm = log1p(-x * x), c = 2 / (M_PI * a) + logarithm / 2;
    double y = sqrt(sqrt(c * c - logarithm / a) - c);   // of |x|
    for (int step = 0; step < 4; ++step) {
        // erfc keeps the digits that erf loses near one
        const double excess = y < 0.5 ? erf(y) - fabs(x) : (1 - fabs(x)) - erfc(y);
        y -= excess * exp(y * y) / M_2_SQRTPI;
    }
    return copysign(y, x);
}

EMU_MATH1(rsqrt, 1 / sqrt(x))
EMU_MATH1(rcbrt, 1 / cbrt(x))
EMU_MATH1(erfinv, emu_erfinv(x))
EMU_MATH1(erfcinv, emu_erfinv(1 - x))
EMU_MATH1(erfcx, exp(x * x) * erfc(x))
EMU_MATH1(normcdf, erfc(-x * M_SQRT1_2) / 2)
EMU_MATH1(normcdfinv, -M_SQRT2 * emu_erfinv(1 - 2 * x))
EMU_MATH1(sinpi, sin(M_PI * remainder(x, 2)))
EMU_MATH1(cospi, cos(M_PI * remainder(x, 2)))
#undef EMU_MATH1
static inline float exp10(float x) { return exp10f(x); }
static inline void sincos(float x, float *sine, float *cosine) { sincosf(x, sine, cosine); }
static inline void sincospi(double x, double *sine, double *cosine) { *sine = sinpi(x), *cosine = cospi(x); }
static inline void sincospif(float x, float *sine, float *cosine) { *sine = sinpif(x), *cosine = cospif(x); }

// --- min and max: of mixed types too, and like fmin and fmax they prefer a number to a NaN

template <class A, class B> using emu_arithmetic =
    typename std::enable_if<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value,
                            typename std::common_type<A, B>::type>::type;
template <class A, class B> static inline emu_arithmetic<A, B> max(A a, B b) {
    using Common = typename std::common_type<A, B>::type;
    if constexpr (std::is_floating_point<Common>::value)
        return std::fmax(Common(a), Common(b));
    else
        return Common(a) > Common(b) ? Common(a) : Common(b);
}
template <class A, class B> static inline emu_arithmetic<A, B> min(A a, B b) {
    using Common = typename std::common_type<A, B>::type;
    if constexpr (std::is_floating_point<Common>::value)
        return std::fmin(Common(a), Common(b));
    else
        return Common(a) < Common(b) ? Common(a) : Common(b);
}
static inline float fdividef(float x, float y) { return x / y; }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }   // a NaN becomes 0

// --- operations with a stated rounding, to nearest

#define EMU_ROUNDED(prefix, type)                                                                                      \
    static inline type __##prefix##add_rn(type a, type b) { return a + b; }                                            \
    static inline type __##prefix##sub_rn(type a, type b) { return a - b; }                                            \
    static inline type __##prefix##mul_rn(type a, type b) { return a * b; }                                            \
    static inline type __##prefix##div_rn(type a, type b) { return a / b; }                                            \
    static inline type __##prefix##rcp_rn(type a) { return 1 / a; }                                                    \
    static inline type __##prefix##sqrt_rn(type a) { return std::sqrt(a); }
EMU_ROUNDED(f, float)
EMU_ROUNDED(d, double)
#undef EMU_ROUNDED
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline float __frsqrt_rn(float a) { return rsqrtf(a); }

// --- conversions: out of range they saturate and a NaN becomes 0, where a C++ cast is undefined

template <class To, class From> static inline To emu_saturate(From value) {
    if (value != value)
        return 0;
    if (value <= From(std::numeric_limits<To>::min()))
        return std::numeric_limits<To>::min();
    // the largest integer may round up to a value that is out of range itself, hence >=
    if (value >= From(std::numeric_limits<To>::max()))
        return std::numeric_limits<To>::max();
    return To(value);
}
#define EMU_TO_INTEGER(from, from_name, to, to_name)                                                                   \
    static inline to __##from_name##2##to_name##_rn(from x) { return emu_saturate<to>(std::nearbyint(x)); }            \
    static inline to __##from_name##2##to_name##_rz(from x) { return emu_saturate<to>(std::trunc(x)); }                \
    static inline to __##from_name##2##to_name##_rd(from x) { return emu_saturate<to>(std::floor(x)); }                \
    static inline to __##from_name##2##to_name##_ru(from x) { return emu_saturate<to>(std::ceil(x)); }
EMU_TO_INTEGER(float, float, int, int)
EMU_TO_INTEGER(float, float, unsigned, uint)
EMU_TO_INTEGER(float, float, long long, ll)
EMU_TO_INTEGER(float, float, unsigned long long, ull)
EMU_TO_INTEGER(double, double, int, int)
EMU_TO_INTEGER(double, double, unsigned, uint)
EMU_TO_INTEGER(double, double, long long, ll)
EMU_TO_INTEGER(double, double, unsigned long long, ull)
#undef EMU_TO_INTEGER
static inline float __double2float_rn(double x) { return float(x); }
static inline float __int2float_rn(int x) { return float(x); }
static inline float __uint2float_rn(unsigned x) { return float(x); }
static inline float __ll2float_rn(long long x) { return float(x); }
static inline float __ull2float_rn(unsigned long long x) { return float(x); }
static inline double __int2double_rn(int x) { return double(x); }
static inline double __uint2double_rn(unsigned x) { return double(x); }
static inline double __ll2double_rn(long long x) { return double(x); }
static inline double __ull2double_rn(unsigned long long x) { return double(x); }

// --- integers

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline int __mulhi(int a, int b) { return int((long long)a * b >> 32); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)a * b >> 32); }
static inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline unsigned __brev(unsigned x) {
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; ++bit)
        reversed |= (x >> bit & 1) << (31 - bit);
    return reversed;
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return unsigned((((unsigned long long)high << 32 | low) << (shift & 31)) >> 32);
}
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)high << 32 | low) >> (shift & 31));
}
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector) {
    const unsigned long long bytes = (unsigned long long)high << 32 | low;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i)
        result |= unsigned(bytes >> 8 * (selector >> 4 * i & 7) & 0xFF) << 8 * i;
    return result;
}
