/* Complex numbers. Before this, each target defines complex64 and complex128, the parts GC_RE and GC_IM of a number,
   and gc_complex_float32 and gc_complex_float64, which make one of its parts; gc_hypot and gc_hypotf are C's `hypot`.

   Products and quotients are those of NumPy (Smith, 1962), without C's rules for infinities. Roots and what is made of
   them follow Kahan, "Branch cuts for complex elementary functions" (1987): right on both sides of each cut. */

#define GC_COMPLEX_FUNCTIONS(C, NAME, T, OF, S)                                                                       \
  GC_FN T gc_real_##NAME(C z) { return GC_RE(z); }                                                                    \
  GC_FN T gc_imag_##NAME(C z) { return GC_IM(z); }                                                                    \
  GC_FN C gc_conj_##NAME(C z) { return OF(GC_RE(z), -GC_IM(z)); }                                                     \
  GC_FN T gc_abs_##NAME(C z) { return gc_hypot##S(GC_RE(z), GC_IM(z)); }                                              \
  GC_FN GC_BOOL gc_isinf_##NAME(C z) {                                                                                \
    return (fabs##S(GC_RE(z)) == (T)GC_INFINITY) | (fabs##S(GC_IM(z)) == (T)GC_INFINITY);                             \
  }                                                                                                                   \
  GC_FN GC_BOOL gc_isfinite_##NAME(C z) {                                                                             \
    return (fabs##S(GC_RE(z)) < (T)GC_INFINITY) & (fabs##S(GC_IM(z)) < (T)GC_INFINITY);                               \
  }                                                                                                                   \
  GC_FN C gc_mul_##NAME(C a, C b) {                                                                                   \
    return OF(GC_RE(a) * GC_RE(b) - GC_IM(a) * GC_IM(b), GC_RE(a) * GC_IM(b) + GC_IM(a) * GC_RE(b));                  \
  }                                                                                                                   \
  GC_FN C gc_div_##NAME(C a, C b) {                                                                                   \
    const T re = GC_RE(b), im = GC_IM(b);                                                                             \
    const GC_BOOL tall = fabs##S(re) < fabs##S(im);                                                                   \
    const T large = tall ? im : re, small = tall ? re : im, ratio = large == 0 ? large : small / large;               \
    const T whole = large == 0 ? fabs##S(re) : large + small * ratio, p = tall ? ratio : 1, q = tall ? 1 : ratio;     \
    return OF((GC_RE(a) * p + GC_IM(a) * q) / whole, (GC_IM(a) * p - GC_RE(a) * q) / whole);                          \
  }                                                                                                                   \
  GC_FN C gc_sign_##NAME(C z) {                                                                                       \
    const T size = gc_abs_##NAME(z);                                                                                  \
    return size == 0 ? OF(0, 0) : OF(GC_RE(z) / size, GC_IM(z) / size);                                               \
  }                                                                                                                   \
  GC_FN C gc_turned_##NAME(T size, T angle) {                                                                         \
    return angle == 0 ? OF(size, angle) : OF(size * cos##S(angle), size * sin##S(angle));                             \
  }                                                                                                                   \
  GC_FN C gc_exp_##NAME(C z) { return gc_turned_##NAME(exp##S(GC_RE(z)), GC_IM(z)); }                                 \
  GC_FN C gc_exp2_##NAME(C z) {                                                                                       \
    return gc_turned_##NAME(exp2##S(GC_RE(z)), GC_IM(z) * (T)0.693147180559945309417);                                \
  }                                                                                                                   \
  GC_FN C gc_expm1_##NAME(C z) {                                                                                      \
    const T x = GC_RE(z), y = GC_IM(z), half = sin##S(y / 2);                                                         \
    return OF(expm1##S(x) * cos##S(y) - 2 * half * half, exp##S(x) * sin##S(y));                                      \
  }                                                                                                                   \
  /* Near the unit circle the square of the size loses no digits. */                                                  \
  GC_FN C gc_log_##NAME(C z) {                                                                                        \
    const T x = fabs##S(GC_RE(z)), y = fabs##S(GC_IM(z)), a = x < y ? y : x, b = x < y ? x : y;                       \
    const T size = a > (T)0.5 && a < 2 ? log1p##S((a - 1) * (a + 1) + b * b) / 2 : log##S(gc_hypot##S(x, y));         \
    return OF(size, atan2##S(GC_IM(z), GC_RE(z)));                                                                    \
  }                                                                                                                   \
  GC_FN C gc_scaled_##NAME(C z, T factor) { return OF(GC_RE(z) * factor, GC_IM(z) * factor); }                        \
  GC_FN C gc_log2_##NAME(C z) { return gc_scaled_##NAME(gc_log_##NAME(z), (T)1.44269504088896340736); }               \
  GC_FN C gc_log10_##NAME(C z) { return gc_scaled_##NAME(gc_log_##NAME(z), (T)0.434294481903251827651); }             \
  GC_FN C gc_log1p_##NAME(C z) {                                                                                      \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    if (fabs##S(x) > (T)0.5 || fabs##S(y) > (T)0.5) return gc_log_##NAME(OF(1 + x, y));                               \
    return OF(log1p##S(x * (2 + x) + y * y) / 2, atan2##S(y, 1 + x));                                                 \
  }                                                                                                                   \
  GC_FN C gc_sqrt_##NAME(C z) {                                                                                       \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    if (x == 0 && y == 0) return OF(0, y);                                                                            \
    if (fabs##S(y) == (T)GC_INFINITY) return OF((T)GC_INFINITY, y);                                                   \
    const T root = sqrt##S(fabs##S(x) / 2 + gc_hypot##S(x, y) / 2);                                                   \
    return x >= 0 ? OF(root, y / root / 2) : OF(fabs##S(y) / root / 2, copysign##S(root, y));                         \
  }                                                                                                                   \
  GC_FN C gc_rsqrt_##NAME(C z) { return gc_div_##NAME(OF(1, 0), gc_sqrt_##NAME(z)); }                                 \
  GC_FN C gc_sinh_##NAME(C z) {                                                                                       \
    return OF(sinh##S(GC_RE(z)) * cos##S(GC_IM(z)), cosh##S(GC_RE(z)) * sin##S(GC_IM(z)));                            \
  }                                                                                                                   \
  GC_FN C gc_cosh_##NAME(C z) {                                                                                       \
    return OF(cosh##S(GC_RE(z)) * cos##S(GC_IM(z)), sinh##S(GC_RE(z)) * sin##S(GC_IM(z)));                            \
  }                                                                                                                   \
  GC_FN C gc_tanh_##NAME(C z) {                                                                                       \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    if (fabs##S(x) > 22) {                                                                                            \
      const T small = exp##S(-fabs##S(x));                                                                            \
      return OF(copysign##S((T)1, x), 4 * sin##S(y) * cos##S(y) * small * small);                                     \
    }                                                                                                                 \
    const T t = tan##S(y), s = sinh##S(x), beta = 1 + t * t, below = 1 + beta * s * s;                                \
    return OF(beta * sqrt##S(1 + s * s) * s / below, t / below);                                                      \
  }                                                                                                                   \
  GC_FN C gc_asin_##NAME(C z) {                                                                                       \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    const C a = gc_sqrt_##NAME(OF(1 - x, -y)), b = gc_sqrt_##NAME(OF(1 + x, y));                                      \
    return OF(atan2##S(x, GC_RE(a) * GC_RE(b) - GC_IM(a) * GC_IM(b)),                                                 \
              asinh##S(GC_RE(a) * GC_IM(b) - GC_IM(a) * GC_RE(b)));                                                   \
  }                                                                                                                   \
  GC_FN C gc_acos_##NAME(C z) {                                                                                       \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    const C a = gc_sqrt_##NAME(OF(1 - x, -y)), b = gc_sqrt_##NAME(OF(1 + x, y));                                      \
    return OF(2 * atan2##S(GC_RE(a), GC_RE(b)), asinh##S(GC_RE(b) * GC_IM(a) - GC_IM(b) * GC_RE(a)));                 \
  }                                                                                                                   \
  GC_FN C gc_acosh_##NAME(C z) {                                                                                      \
    const T x = GC_RE(z), y = GC_IM(z);                                                                               \
    const C a = gc_sqrt_##NAME(OF(x - 1, y)), b = gc_sqrt_##NAME(OF(x + 1, y));                                       \
    return OF(asinh##S(GC_RE(a) * GC_RE(b) + GC_IM(a) * GC_IM(b)), 2 * atan2##S(GC_IM(a), GC_RE(b)));                 \
  }                                                                                                                   \
  GC_FN C gc_atanh_##NAME(C z) {                                                                                      \
    const T x = fabs##S(GC_RE(z)), y = GC_IM(z), away = (1 - x) * (1 - x) + y * y;                                    \
    return OF(copysign##S(log1p##S(4 * x / away) / 4, GC_RE(z)), atan2##S(2 * y, (1 - x) * (1 + x) - y * y) / 2);     \
  }                                                                                                                   \
  /* sin(z) = -i sinh(iz), and so on. */                                                                              \
  GC_FN C gc_times_i_##NAME(C z) { return OF(-GC_IM(z), GC_RE(z)); }                                                  \
  GC_FN C gc_over_i_##NAME(C z) { return OF(GC_IM(z), -GC_RE(z)); }                                                   \
  GC_FN C gc_sin_##NAME(C z) { return gc_over_i_##NAME(gc_sinh_##NAME(gc_times_i_##NAME(z))); }                       \
  GC_FN C gc_cos_##NAME(C z) { return gc_cosh_##NAME(gc_times_i_##NAME(z)); }                                         \
  GC_FN C gc_tan_##NAME(C z) { return gc_over_i_##NAME(gc_tanh_##NAME(gc_times_i_##NAME(z))); }                       \
  GC_FN C gc_asinh_##NAME(C z) { return gc_over_i_##NAME(gc_asin_##NAME(gc_times_i_##NAME(z))); }                     \
  GC_FN C gc_atan_##NAME(C z) { return gc_over_i_##NAME(gc_atanh_##NAME(gc_times_i_##NAME(z))); }                     \
  GC_FN C gc_pow_##NAME(C a, C b) {                                                                                   \
    if (GC_RE(b) == 0 && GC_IM(b) == 0) return OF(1, 0);                                                              \
    if (GC_RE(a) == 0 && GC_IM(a) == 0)                                                                               \
      return GC_RE(b) > 0 && GC_IM(b) == 0 ? OF(0, 0) : OF((T)GC_NAN, (T)GC_NAN);                                     \
    return gc_exp_##NAME(gc_mul_##NAME(b, gc_log_##NAME(a)));                                                         \
  }

GC_COMPLEX_FUNCTIONS(complex64, complex64, float, gc_complex_float32, f)
GC_COMPLEX_FUNCTIONS(complex128, complex128, double, gc_complex_float64, )
GC_FN complex64 gc_to_complex64(complex128 z) { return gc_complex_float32((float)GC_RE(z), (float)GC_IM(z)); }
GC_FN complex128 gc_to_complex128(complex64 z) { return gc_complex_float64(GC_RE(z), GC_IM(z)); }
