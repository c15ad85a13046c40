/* Complex numbers are C's own, so that operators and comparisons are. Their product is not: with C's rules for
   infinities it is a call. */
typedef float _Complex complex64;
typedef double _Complex complex128;
#define GC_RE(z) (__real__(z))
#define GC_IM(z) (__imag__(z))
GC_FN complex64 gc_complex_float32(float re, float im) { return __builtin_complex(re, im); }
GC_FN complex128 gc_complex_float64(double re, double im) { return __builtin_complex(re, im); }
double hypot(double, double);
double copysign(double, double); float copysignf(float, float);
GC_FN double gc_hypot(double a, double b) { return hypot(a, b); }
/* In double precision squares of floats are exact and do not overflow, and loops become vector code. */
GC_FN float gc_hypotf(float a, float b) {
  const float size = (float)sqrt((double)a * a + (double)b * b);
  return (fabsf(a) == (float)GC_INFINITY) | (fabsf(b) == (float)GC_INFINITY) ? (float)GC_INFINITY : size;
}
