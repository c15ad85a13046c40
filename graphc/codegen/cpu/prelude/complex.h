/* Complex numbers are C's own, so that operators and comparisons are. Their product is not: with C's rules for
   infinities it is a call. */
typedef float _Complex complex64;
typedef double _Complex complex128;
#define GC_RE(z) (__real__(z))
#define GC_IM(z) (__imag__(z))
GC_FN complex64 gc_complex_float32(float re, float im) { return __builtin_complex(re, im); }
GC_FN complex128 gc_complex_float64(double re, double im) { return __builtin_complex(re, im); }
double hypot(double, double); float hypotf(float, float);
double copysign(double, double); float copysignf(float, float);
