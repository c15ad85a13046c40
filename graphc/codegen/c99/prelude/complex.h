/* Complex numbers are C's own, so that operators and comparisons are. Their product is not: with C's rules for
   infinities it is a call. */
typedef float _Complex complex64;
typedef double _Complex complex128;
/* The parts of a number lie one behind the other (C99, 6.2.5). */
#if defined(__GNUC__)
#define GC_RE(z) (__extension__ __real__(z))
#define GC_IM(z) (__extension__ __imag__(z))
#else
#define GC_RE(z) creal(z)
#define GC_IM(z) cimag(z)
#endif
GC_FN complex64 gc_complex_float32(float re, float im) {
  union { float parts[2]; complex64 whole; } z;
  z.parts[0] = re;
  z.parts[1] = im;
  return z.whole;
}
GC_FN complex128 gc_complex_float64(double re, double im) {
  union { double parts[2]; complex128 whole; } z;
  z.parts[0] = re;
  z.parts[1] = im;
  return z.whole;
}
GC_FN double gc_hypot(double a, double b) { return hypot(a, b); }
GC_FN float gc_hypotf(float a, float b) { return hypotf(a, b); }
