/* What generated C needs before anything else: no headers, so that compiling takes no time. */

#define GC_FN static inline __attribute__((unused))
#define GC_BOOL _Bool
#define GC_INFINITY __builtin_inf()
#define GC_NAN __builtin_nan("")
#define GC_MIN(a, b) ((a) < (b) ? (a) : (b))

#define GC_DECLARE(NAME) double NAME(double); float NAME##f(float);
GC_DECLARE(exp) GC_DECLARE(exp2) GC_DECLARE(expm1) GC_DECLARE(log) GC_DECLARE(log2) GC_DECLARE(log10) GC_DECLARE(log1p)
GC_DECLARE(sqrt) GC_DECLARE(cbrt) GC_DECLARE(sin) GC_DECLARE(cos) GC_DECLARE(tan) GC_DECLARE(asin) GC_DECLARE(acos)
GC_DECLARE(atan) GC_DECLARE(sinh) GC_DECLARE(cosh) GC_DECLARE(tanh) GC_DECLARE(asinh) GC_DECLARE(acosh) GC_DECLARE(atanh)
GC_DECLARE(erf) GC_DECLARE(erfc) GC_DECLARE(floor) GC_DECLARE(ceil) GC_DECLARE(rint) GC_DECLARE(trunc) GC_DECLARE(fabs)
double pow(double, double); float powf(float, float);
double fmod(double, double); float fmodf(float, float);
double atan2(double, double); float atan2f(float, float);

typedef unsigned short bfloat16;
GC_FN float gc_from_bfloat16(bfloat16 bits) {
  union { unsigned u; float f; } x = {(unsigned)bits << 16};
  return x.f;
}
GC_FN bfloat16 gc_to_bfloat16(float value) {
  union { float f; unsigned u; } x = {value};
  if (value != value) return (bfloat16)((x.u >> 16) | 0x40);
  return (bfloat16)((x.u + 0x7FFF + ((x.u >> 16) & 1)) >> 16);
}
