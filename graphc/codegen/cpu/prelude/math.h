/* Elementary functions of float without branches or tables, so that loops around them become vector code.

   Each reduces its argument to a small interval, where a polynomial of least largest relative error (fitted by
   iteratively reweighted least squares at Chebyshev nodes) stands for the function. Largest errors, in units in the
   last place, over samples of the whole range: exp 1.1, expm1 2, log 1, log1p 2.5, tanh 3, erf 3. Bits are added and
   shifted as unsigned numbers, of which C says what is beyond the largest. */

GC_INLINE float gc_float_of(int bits) {
  union { int i; float f; } x = {bits};
  return x.f;
}
GC_INLINE int gc_bits_of(float value) {
  union { float f; int i; } x = {value};
  return x.i;
}
/* x between a negative and a positive limit, by the order of bits; NaN stays. To compilers minima of whole numbers are no
   branches, on whose other side they could compute something in advance, so that a loop would not become vector code. */
GC_INLINE float gc_between(float x, float low, float high) {
  const unsigned bits = (unsigned)gc_bits_of(x), least = (unsigned)gc_bits_of(low);
  const int above = (int)(bits < least ? bits : least), most = gc_bits_of(high);
  return gc_float_of((above < most ? above : most) | -(x != x));
}
/* 2 to a whole power from -126 to 127. */
GC_INLINE float gc_power_of_2(int n) { return gc_float_of((int)(((unsigned)n + 127) << 23)); }
/* The nearest whole number: adding 1.5 * 2^23 leaves no bits for a fraction. */
GC_INLINE float gc_nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

/* exp(x) = 2^n * exp(r), with n the nearest to x / ln 2, which is subtracted in two parts (Cody and Waite, 1980).
   Gives exp(r) - 1. */
GC_INLINE float gc_exp_reduced(float x, int *n) {
  const float whole = gc_nearest(x * 1.44269504f);
  const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float q = 0.00019915681f;
  q = q * r + 0.0013946189f;
  q = q * r + 0.0083332695f;
  q = q * r + 0.04166627f;
  q = q * r + 0.16666667f;
  q = q * r + 0.5f;
  *n = (int)whole;
  return r + r * r * q;
}
GC_INLINE float gc_exp_float32(float x) {
  int n;
  const float p = gc_exp_reduced(gc_between(x, -104.0f, 89.0f), &n) + 1;
  const int half = n >> 1; /* in two steps: the result may be subnormal, or too large */
  return p * gc_power_of_2(half) * gc_power_of_2(n - half);
}
GC_INLINE float gc_expm1_float32(float x) {
  int n;
  const float p = gc_exp_reduced(gc_between(x, -30.0f, 89.0f), &n), half = gc_power_of_2((int)((unsigned)n - 1));
  const float y = (p * half + (half - 0.5f)) * 2;
  return x == 0 ? x : y;
}
/* log(x) = e ln 2 + log(1 + f), with 1 + f between sqrt(1/2) and sqrt(2). */
GC_INLINE float gc_log_float32(float x) {
  const int tiny = x < 1.17549435e-38f;
  const int bits = gc_bits_of(tiny ? x * 8388608.0f : x);
  const int shift = (int)((unsigned)bits - 0x3F3504F3) >> 23;
  const float f = gc_float_of((int)((unsigned)bits - ((unsigned)shift << 23))) - 1, e = (float)(shift - (tiny ? 23 : 0));
  float q = -0.07634231f;
  q = q * f + 0.12761469f;
  q = q * f + -0.13160233f;
  q = q * f + 0.14201775f;
  q = q * f + -0.16623354f;
  q = q * f + 0.20001227f;
  q = q * f + -0.25000823f;
  q = q * f + 0.3333333f;
  const float square = f * f;
  float y = f + (square * f * q + (e * -2.12194440e-4f - 0.5f * square)) + e * 0.693359375f;
  y = x == 0 ? -(float)GC_INFINITY : y;
  y = x < 0 ? (float)GC_NAN : y;
  return ((x == (float)GC_INFINITY) | (x != x)) ? x : y;
}
/* log(u) corrected for what rounding took from u = 1 + x (Goldberg, 1991, theorem 4). */
GC_INLINE float gc_log1p_float32(float x) {
  const float u = 1 + x, y = gc_log_float32(u) * (x / (u - 1));
  const float z = u == 1 ? x : y;
  return u == (float)GC_INFINITY ? u : x == -1 ? -(float)GC_INFINITY : z;
}
/* tanh(x) = t / (t + 2) with t = exp(2 |x|) - 1. */
GC_INLINE float gc_tanh_float32(float x) {
  const float size = fabsf(x), in = gc_between(size, -1.0f, 10.0f);
  int n;
  const float p = gc_exp_reduced(2 * in, &n), scale = gc_power_of_2(n), t = p * scale + (scale - 1);
  const float y = t / (t + 2);
  return x < 0 ? -y : x == 0 ? x : y;
}
/* erf(x) = x p(x^2) below 1, and 1 - exp(-x^2) q(|x|) above. The same exponential is in its derivative: where both are
   computed, compilers compute it once. */
GC_INLINE float gc_erf_float32(float x) {
  const float size = fabsf(x), z = x * x, in = gc_between(size, -1.0f, 4.0f);
  float p = 7.853848e-05f;
  p = p * z + -0.00080101896f;
  p = p * z + 0.0051883273f;
  p = p * z + -0.026853811f;
  p = p * z + 0.112835854f;
  p = p * z + -0.37612626f;
  p = p * z + 1.1283791f;
  float q = 0.0013594894f;
  q = q * in + -0.017741246f;
  q = q * in + 0.10085289f;
  q = q * in + -0.3305441f;
  q = q * in + 0.6975848f;
  q = q * in + -0.9995919f;
  q = q * in + 0.97566348f;
  const float tail = 1 - gc_exp_float32(-z) * q;
  return size < 1 ? x * p : x < 0 ? -tail : tail;
}
