/* Scalar functions that C and CUDA lack or define otherwise, with NumPy's results. GC_FN marks a function. */

/* Minimum and maximum as functions: nested conditional expressions of them are miscompiled by some versions of gcc. */
#define GC_ORDER(T, NAME)                                                                                             \
  GC_FN T gc_min_##NAME(T a, T b) { return a < b ? a : b; }                                                           \
  GC_FN T gc_max_##NAME(T a, T b) { return a > b ? a : b; }
/* An extremum with NaN is NaN. */
#define GC_ORDER_FLOAT(T, NAME)                                                                                       \
  GC_FN T gc_min_##NAME(T a, T b) { return ((a < b) | (a != a)) ? a : b; }                                            \
  GC_FN T gc_max_##NAME(T a, T b) { return ((a > b) | (a != a)) ? a : b; }

/* Integers. Products and shifted bits are those of `unsigned` at least: C would compute narrow ones as `int`, where they may
   be too large. */
#define GC_SIGNED_FUNCTIONS(T, NAME, BITS, UNSIGNED)                                                                  \
  GC_ORDER(T, NAME)                                                                                                   \
  GC_FN T gc_floordiv_##NAME(T a, T b) {                                                                              \
    T q;                                                                                                              \
    if (b == 0) return 0;                                                                                             \
    if (b == -1) return (T)(0u - (UNSIGNED)a);                                                                        \
    q = (T)(a / b);                                                                                                   \
    return (T)(q - ((a % b != 0) & ((a < 0) != (b < 0))));                                                            \
  }                                                                                                                   \
  GC_FN T gc_mod_##NAME(T a, T b) {                                                                                   \
    T r;                                                                                                              \
    if (b == 0 || b == -1) return 0;                                                                                  \
    r = (T)(a % b);                                                                                                   \
    return (T)(r + (((r != 0) & ((r < 0) != (b < 0))) ? b : 0));                                                      \
  }                                                                                                                   \
  GC_FN T gc_pow_##NAME(T a, T b) {                                                                                   \
    UNSIGNED result = 1, base = (UNSIGNED)a;                                                                          \
    if (b < 0) return (T)(a == 1 ? 1 : a == -1 ? (b % 2 ? a : 1) : 0);                                                \
    for (; b > 0; b = (T)(b >> 1), base = (UNSIGNED)(1u * base * base))                                               \
      if (b & 1) result = (UNSIGNED)(1u * result * base);                                                             \
    return (T)result;                                                                                                 \
  }                                                                                                                   \
  GC_FN T gc_shift_left_##NAME(T a, T b) {                                                                            \
    return (T)(1u * (UNSIGNED)a << (b < 0 ? 0 : b > BITS - 1 ? BITS - 1 : b));                                        \
  }                                                                                                                   \
  GC_FN T gc_shift_right_##NAME(T a, T b) { return (T)(a >> (b < 0 ? 0 : b > BITS - 1 ? BITS - 1 : b)); }             \
  GC_FN T gc_abs_##NAME(T a) { return a < 0 ? (T)(0u - (UNSIGNED)a) : a; }                                            \
  GC_FN T gc_sign_##NAME(T a) { return (T)((a > 0) - (a < 0)); }
#define GC_UNSIGNED_FUNCTIONS(UNSIGNED, NAME, BITS)                                                                   \
  GC_ORDER(UNSIGNED, NAME)                                                                                            \
  GC_FN UNSIGNED gc_floordiv_##NAME(UNSIGNED a, UNSIGNED b) { return (UNSIGNED)(b == 0 ? 0 : a / b); }                \
  GC_FN UNSIGNED gc_mod_##NAME(UNSIGNED a, UNSIGNED b) { return (UNSIGNED)(b == 0 ? 0 : a % b); }                     \
  GC_FN UNSIGNED gc_pow_##NAME(UNSIGNED a, UNSIGNED b) {                                                              \
    UNSIGNED result = 1, base = a;                                                                                    \
    for (; b > 0; b = (UNSIGNED)(b >> 1), base = (UNSIGNED)(1u * base * base))                                        \
      if (b & 1) result = (UNSIGNED)(1u * result * base);                                                             \
    return result;                                                                                                    \
  }                                                                                                                   \
  GC_FN UNSIGNED gc_shift_left_##NAME(UNSIGNED a, UNSIGNED b) {                                                       \
    return (UNSIGNED)(1u * a << (b > BITS - 1 ? BITS - 1 : b));                                                       \
  }                                                                                                                   \
  GC_FN UNSIGNED gc_shift_right_##NAME(UNSIGNED a, UNSIGNED b) {                                                      \
    return (UNSIGNED)(a >> (b > BITS - 1 ? BITS - 1 : b));                                                            \
  }                                                                                                                   \
  GC_FN UNSIGNED gc_abs_##NAME(UNSIGNED a) { return a; }                                                              \
  GC_FN UNSIGNED gc_sign_##NAME(UNSIGNED a) { return a > 0; }

GC_SIGNED_FUNCTIONS(signed char, int8, 8, unsigned char)
GC_SIGNED_FUNCTIONS(short, int16, 16, unsigned short)
GC_SIGNED_FUNCTIONS(int, int32, 32, unsigned)
GC_SIGNED_FUNCTIONS(long long, int64, 64, unsigned long long)
GC_UNSIGNED_FUNCTIONS(unsigned char, uint8, 8)
GC_UNSIGNED_FUNCTIONS(unsigned short, uint16, 16)
GC_UNSIGNED_FUNCTIONS(unsigned, uint32, 32)
GC_UNSIGNED_FUNCTIONS(unsigned long long, uint64, 64)

/* erfinv: Winitzki's approximation (2008), then Newton steps in double; the tail uses erfc to keep its digits. */
GC_FN double gc_erfinv_float64(double y) {
  double size = fabs(y), log_part, half, x, miss;
  int step;
  if (!(size < 1)) return size == 1 ? y * GC_INFINITY : GC_NAN;
  log_part = log1p(-y * y);
  half = 2 / (3.14159265358979323846 * 0.147) + log_part / 2;
  x = sqrt(sqrt(half * half - log_part / 0.147) - half);
  for (step = 0; step < 4; ++step) {
    miss = size > 0.5 ? (1 - size) - erfc(x) : erf(x) - size;
    x -= miss / (1.12837916709551257390 * exp(-x * x));
  }
  return y < 0 ? -x : x;
}
/* Giles, "Approximating the erfinv function" (2011): in the middle and in the tails. */
GC_FN float gc_erfinv_float32(float x) {
  float w = -logf((1 - x) * (1 + x)), p;
  if (fabsf(x) == 1) return x * (float)GC_INFINITY;
  if (w < 5) {
    w = w - 2.5f;
    p = 2.81022636e-08f * w + 3.43273939e-07f;
    p = p * w + -3.5233877e-06f;
    p = p * w + -4.39150654e-06f;
    p = p * w + 0.00021858087f;
    p = p * w + -0.00125372503f;
    p = p * w + -0.00417768164f;
    p = p * w + 0.246640727f;
    p = p * w + 1.50140941f;
  } else {
    w = sqrtf(w) - 3;
    p = -0.000200214257f * w + 0.000100950558f;
    p = p * w + 0.00134934322f;
    p = p * w + -0.00367342844f;
    p = p * w + 0.00573950773f;
    p = p * w + -0.0076224613f;
    p = p * w + 0.00943887047f;
    p = p * w + 1.00167406f;
    p = p * w + 2.83297682f;
  }
  return p * x;
}

GC_ORDER(GC_BOOL, bool)

#define GC_FLOAT_FUNCTIONS(T, NAME, S)                                                                                \
  GC_ORDER_FLOAT(T, NAME)                                                                                             \
  GC_FN T gc_mod_##NAME(T a, T b) {                                                                                   \
    T r = fmod##S(a, b);                                                                                              \
    if (r == 0) return b < 0 ? -(T)0 : (T)0;                                                                          \
    return (r < 0) != (b < 0) ? r + b : r;                                                                            \
  }                                                                                                                   \
  GC_FN T gc_floordiv_##NAME(T a, T b) {                                                                              \
    T r, q, whole;                                                                                                    \
    if (b == 0) return a / b;                                                                                         \
    r = fmod##S(a, b);                                                                                                \
    q = (a - r) / b;                                                                                                  \
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;                                                                         \
    if (q == 0) return a / b < 0 ? -(T)0 : (T)0;                                                                      \
    whole = floor##S(q);                                                                                              \
    return q - whole > (T)0.5 ? whole + 1 : whole;                                                                    \
  }                                                                                                                   \
  GC_FN T gc_sign_##NAME(T a) { return a != a ? a : (T)((a > 0) - (a < 0)); }

GC_FLOAT_FUNCTIONS(float, float32, f)
GC_FLOAT_FUNCTIONS(double, float64, )

/* Philox 4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): the first word. */
#define GC_HIGH(x, m) (unsigned)((unsigned long long)(x) * (m) >> 32)
#define GC_PHILOX_ROUND                                                                                               \
  a = GC_HIGH(c0, 0xD2511F53u), b = GC_HIGH(c2, 0xCD9E8D57u), d = c0 * 0xD2511F53u, e = c2 * 0xCD9E8D57u;             \
  c0 = b ^ c1 ^ k0, c1 = e, c2 = a ^ c3 ^ k1, c3 = d;                                                                 \
  k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
/* Without a loop, so that loops around it vectorise. */
GC_INLINE unsigned gc_philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, unsigned k0, unsigned k1) {
  unsigned a, b, d, e;
  GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND
  GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND GC_PHILOX_ROUND
  return c0;
}
