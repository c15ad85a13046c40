/* One tile of a matrix product: c[ROWS][VECTORS * lanes] = sum over k of a[i * am + k * ak] * b[k * bk + j].
   The accumulators stay in registers: the loops over rows and vectors have constant bounds. */

#if defined(__AVX512F__)
#define GC_VECTOR_BYTES 64
#elif defined(__AVX__)
#define GC_VECTOR_BYTES 32
#else
#define GC_VECTOR_BYTES 16
#endif

#define GC_TILE(NAME, T, ROWS, VECTORS)                                                                               \
  static inline __attribute__((always_inline)) void NAME(                                                             \
      long depth, const T *a, long am, long ak, const T *b, long bk, T *c) {                                          \
    typedef T V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(T)), may_alias));                         \
    enum { LANES = GC_VECTOR_BYTES / sizeof(T) };                                                                     \
    V sum[ROWS][VECTORS];                                                                                             \
    _Pragma("GCC unroll 16") for (int i = 0; i < ROWS; ++i)                                                           \
        _Pragma("GCC unroll 16") for (int j = 0; j < VECTORS; ++j) sum[i][j] = (V){0};                                \
    for (long k = 0; k < depth; ++k) {                                                                                \
      const V *row = (const V *)(b + k * bk);                                                                         \
      _Pragma("GCC unroll 16") for (int i = 0; i < ROWS; ++i) {                                                       \
        const T x = a[i * am + k * ak];                                                                               \
        _Pragma("GCC unroll 16") for (int j = 0; j < VECTORS; ++j) sum[i][j] += x * row[j];                           \
      }                                                                                                               \
    }                                                                                                                 \
    _Pragma("GCC unroll 16") for (int i = 0; i < ROWS; ++i)                                                           \
        _Pragma("GCC unroll 16") for (int j = 0; j < VECTORS; ++j) *(V *)(c + (i * VECTORS + j) * LANES) = sum[i][j]; \
  }
