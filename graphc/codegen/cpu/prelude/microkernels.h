/* Micro-kernels, packing and sums of slices, each made for a shape and called by address: see `gemm.h`. Factors and
   results are of type T.

   One tile of a matrix product: c[ROWS][VECTORS * lanes] = (add ? c : 0) + sum of a * b over a depth of two levels,
   a[i * am + k * ak + o * ao] * b[k * bk + o * bo + j]. The sums stay in registers: the loops over rows and vectors
   have constant bounds. Sums that are stored already are added last, so that rounding errors grow with the depth of a
   block and with the number of blocks, not with the whole depth. One of AM and AK is 1 and known as such. */

#define GC_TILE_MICROKERNEL(NAME, T, ROWS, VECTORS, AM, AK)                                                           \
  static __attribute__((noinline)) void NAME(const gc_steps *steps, const void *left, const void *right, void *to) {  \
    typedef T V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(T)), may_alias));                         \
    enum { LANES = GC_VECTOR_BYTES / sizeof(T) };                                                                     \
    const long outer = steps->outer, inner = steps->inner, am = steps->m, ak = steps->k, ao = steps->o;               \
    const long bk = steps->along, bo = steps->down, add = steps->add;                                                 \
    const T *a = left, *b = right;                                                                                    \
    T *c = to;                                                                                                        \
    V sum[ROWS][VECTORS];                                                                                             \
    (void)am, (void)ak;                                                                                               \
    GC_UNROLL for (int i = 0; i < ROWS; ++i) GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] = (V){0};          \
    for (long o = 0; o < outer; ++o, a += ao, b += bo) {                                                              \
      const T *p = a, *q = b;                                                                                         \
      for (long k = 0; k < inner; ++k, p += AK, q += bk) {                                                            \
        if ((AK) != 1) __builtin_prefetch(p + 16 * (AK));                                                             \
        V row[VECTORS];                                                                                               \
        GC_UNROLL for (int j = 0; j < VECTORS; ++j) row[j] = ((const V *)q)[j];                                       \
        GC_UNROLL for (int i = 0; i < ROWS; ++i) {                                                                    \
          const T x = p[i * AM];                                                                                      \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += x * row[j];                                        \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
    if (add)                                                                                                          \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += *(V *)(c + (i * VECTORS + j) * LANES);             \
    GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                          \
        GC_UNROLL for (int j = 0; j < VECTORS; ++j) *(V *)(c + (i * VECTORS + j) * LANES) = sum[i][j];                \
  }

/* The same for rows with addresses of their own, a[i][at + k * AK + o * ao]. */
#define GC_ROWS_MICROKERNEL(NAME, T, ROWS, VECTORS, AK)                                                               \
  static __attribute__((noinline)) void NAME(const gc_steps *steps, const void *left, const void *right, void *to) {  \
    typedef T V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(T)), may_alias));                         \
    enum { LANES = GC_VECTOR_BYTES / sizeof(T) };                                                                     \
    const long outer = steps->outer, inner = steps->inner, ak = steps->k, ao = steps->o;                              \
    const long bk = steps->along, bo = steps->down, add = steps->add;                                                 \
    long at = steps->m;                                                                                               \
    const T *const *a = left;                                                                                         \
    const T *b = right;                                                                                               \
    T *c = to;                                                                                                        \
    V sum[ROWS][VECTORS];                                                                                             \
    const T *line[ROWS];                                                                                              \
    (void)ak;                                                                                                         \
    GC_UNROLL for (int i = 0; i < ROWS; ++i) line[i] = a[i];                                                          \
    GC_UNROLL for (int i = 0; i < ROWS; ++i) GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] = (V){0};          \
    for (long o = 0; o < outer; ++o, at += ao, b += bo) {                                                             \
      const T *q = b;                                                                                                 \
      long p = at;                                                                                                    \
      for (long k = 0; k < inner; ++k, p += AK, q += bk) {                                                            \
        V row[VECTORS];                                                                                               \
        GC_UNROLL for (int j = 0; j < VECTORS; ++j) row[j] = ((const V *)q)[j];                                       \
        GC_UNROLL for (int i = 0; i < ROWS; ++i) {                                                                    \
          const T x = line[i][p];                                                                                     \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += x * row[j];                                        \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
    if (add)                                                                                                          \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += *(V *)(c + (i * VECTORS + j) * LANES);             \
    GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                          \
        GC_UNROLL for (int j = 0; j < VECTORS; ++j) *(V *)(c + (i * VECTORS + j) * LANES) = sum[i][j];                \
  }

/* The same for a single row, where additions to one sum would wait for each other: four sums for each vector. */
#define GC_LINE_MICROKERNEL(NAME, T, VECTORS, AK)                                                                     \
  static __attribute__((noinline)) void NAME(const gc_steps *steps, const void *left, const void *right, void *to) {  \
    typedef T V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(T)), may_alias));                         \
    enum { LANES = GC_VECTOR_BYTES / sizeof(T) };                                                                     \
    const long outer = steps->outer, inner = steps->inner, am = steps->m, ak = steps->k, ao = steps->o;               \
    const long bk = steps->along, bo = steps->down, add = steps->add;                                                 \
    const T *a = left, *b = right;                                                                                    \
    T *c = to;                                                                                                        \
    V sum[4][VECTORS];                                                                                                \
    (void)am, (void)ak;                                                                                               \
    GC_UNROLL for (int i = 0; i < 4; ++i) GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] = (V){0};             \
    for (long o = 0; o < outer; ++o, a += ao, b += bo) {                                                              \
      const T *p = a, *q = b;                                                                                         \
      long k = 0;                                                                                                     \
      for (; k + 4 <= inner; k += 4, p += 4 * AK, q += 4 * bk)                                                        \
        GC_UNROLL for (int i = 0; i < 4; ++i)                                                                         \
            GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += p[i * AK] * ((const V *)(q + i * bk))[j];        \
      for (; k < inner; ++k, p += AK, q += bk)                                                                        \
        GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[0][j] += *p * ((const V *)q)[j];                              \
    }                                                                                                                 \
    GC_UNROLL for (int j = 0; j < VECTORS; ++j) {                                                                     \
      V total = (sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j]);                                                    \
      if (add) total += *(V *)(c + j * LANES);                                                                        \
      *(V *)(c + j * LANES) = total;                                                                                  \
    }                                                                                                                 \
  }

/* All columns of a single row, when the right factor is read once and memory is the limit: c[j] = sum of a * b[j], four
   rows of the right factor at a time, each from its start to its end. */
#define GC_ROW(NAME, T)                                                                                               \
  static __attribute__((noinline)) void NAME(                                                                         \
      long outer, long inner, const void *left, long ak, long ao, const void *right, long bk, long bo, void *to,      \
      long n) {                                                                                                       \
    const T *a = left, *b = right;                                                                                    \
    T *restrict c = to;                                                                                               \
    for (long j = 0; j < n; ++j) c[j] = 0;                                                                            \
    for (long o = 0; o < outer; ++o, a += ao, b += bo) {                                                              \
      const T *p = a, *q = b;                                                                                         \
      long k = 0;                                                                                                     \
      for (; k + 4 <= inner; k += 4, p += 4 * ak, q += 4 * bk) {                                                      \
        const T p0 = p[0], p1 = p[ak], p2 = p[2 * ak], p3 = p[3 * ak];                                                \
        const T *restrict q1 = q + bk, *restrict q2 = q1 + bk, *restrict q3 = q2 + bk;                                \
        _Pragma("omp simd") for (long j = 0; j < n; ++j)                                                              \
            c[j] += (p0 * q[j] + p1 * q1[j]) + (p2 * q2[j] + p3 * q3[j]);                                             \
      }                                                                                                               \
      for (; k < inner; ++k, p += ak, q += bk)                                                                        \
        _Pragma("omp simd") for (long j = 0; j < n; ++j) c[j] += *p * q[j];                                           \
    }                                                                                                                 \
  }

/* Packs tiles of the left factor whose rows lie side by side, to[tile][o][k][ROWS], from tile `first` on; the last one
   is moved back, so that it has all its rows. What is read next is prefetched: steps are too long for the processor. */
#define GC_PACK(NAME, T, ROWS)                                                                                        \
  static __attribute__((noinline)) void NAME(                                                                         \
      long outer, long inner, const void *left, long ak, long ao, void *packed, long apart, long first, long tiles,   \
      long rows) {                                                                                                    \
    const T *a = left;                                                                                                \
    T *to = packed;                                                                                                   \
    const long start = first * ROWS, whole = GC_MIN(tiles, rows / ROWS - first);                                      \
    const long span = GC_MIN(tiles * ROWS, rows - start);                                                             \
    for (long o = 0; o < outer; ++o, a += ao) {                                                                       \
      const T *p = a;                                                                                                 \
      for (long k = 0; k < inner; ++k, p += ak, to += ROWS) {                                                         \
        const T *q = p + start;                                                                                       \
        T *t = to;                                                                                                    \
        for (long j = 0; j < span; j += 64 / sizeof(T)) __builtin_prefetch(q + 8 * ak + j);                           \
        for (long i = 0; i < whole; ++i, q += ROWS, t += apart) __builtin_memcpy(t, q, ROWS * sizeof(T));             \
        if (whole < tiles) __builtin_memcpy(t, p + rows - ROWS, ROWS * sizeof(T));                                    \
      }                                                                                                               \
    }                                                                                                                 \
  }

/* The sums of slices that lie `apart`, added up in order. */
#define GC_ADD(NAME, T)                                                                                               \
  static __attribute__((noinline)) void NAME(void *to, const void *from, long apart, long slices, long count) {       \
    T *restrict c = to;                                                                                               \
    const T *a = from;                                                                                                \
    _Pragma("omp simd") for (long j = 0; j < count; ++j) c[j] = a[j];                                                 \
    for (long slice = 1; slice < slices; ++slice) {                                                                   \
      a += apart;                                                                                                     \
      _Pragma("omp simd") for (long j = 0; j < count; ++j) c[j] += a[j];                                              \
    }                                                                                                                 \
  }
