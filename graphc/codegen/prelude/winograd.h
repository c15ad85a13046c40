/* Winograd's F(2x2, 3x3): see `codegen/winograd.py` for the matrices. Of 4 by 4 values the lines, and what is in each
   of them, come in the order 1, 2, 0, 3: the outputs are sums of the first two, differences of them, and the rest. */

/* Some channels of a filter w[3][3][channels][columns], given by its steps, as G w G^T in
   u[panel][4 lines][2 pairs][channels][2][width]: in the order in which they are read. */
GC_APART void gc_winograd_filter(const float *w, long down, long right, long step, long columns, long width, long first,
                                 long end, long channels, float *u) {
  const long pair = channels * 2 * width;
  for (long n0 = 0; n0 < columns; n0 += width, u += 8 * pair)
    for (long c = first; c < end; ++c) {
      const float *const g = w + c * step + n0;
      float *const to = u + c * 2 * width;
      const long wide = GC_MIN(width, columns - n0);
      _Pragma("omp simd") for (long j = 0; j < wide; ++j) {
        float t[4][3];
        GC_UNROLL for (int x = 0; x < 3; ++x) {
          const float g0 = g[x * right + j], g1 = g[down + x * right + j], g2 = g[2 * down + x * right + j];
          t[0][x] = 0.5f * (g0 + g2 + g1), t[1][x] = 0.5f * (g0 + g2 - g1), t[2][x] = g0, t[3][x] = g2;
        }
        GC_UNROLL for (int i = 0; i < 4; ++i) {
          float *const line = to + i * 2 * pair + j;
          line[0] = 0.5f * (t[i][0] + t[i][2] + t[i][1]), line[width] = 0.5f * (t[i][0] + t[i][2] - t[i][1]);
          line[pair] = t[i][0], line[pair + width] = t[i][2];
        }
      }
      if (wide < width)
        for (int i = 0; i < 8; ++i)
          for (long j = wide; j < width; ++j) to[i * pair + j] = to[i * pair + width + j] = 0;
    }
}

/* The 4 by 4 pixels of a tile, B^T d B: v[16 * step], each of as many channels, at least a vector. */
GC_APART void gc_winograd_image(const float *d, long down, long channels, float *v, long step) {
  typedef float V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(float)), may_alias));
  enum { LANES = GC_VECTOR_BYTES / sizeof(float) };
  for (long next = 0; next < channels; next += LANES) {
    const long c = GC_MIN(next, channels - LANES); /* the last vector may repeat some channels */
    const float *p = d + c;
    float *q = v + c;
    V t[4][4];
    GC_UNROLL for (int x = 0; x < 4; ++x, p += channels) {
      const V d0 = *(const V *)p, d1 = *(const V *)(p + down), d2 = *(const V *)(p + 2 * down);
      const V d3 = *(const V *)(p + 3 * down);
      if (x >= 2) __builtin_prefetch(p + 2 * down + 2 * step), __builtin_prefetch(p + 3 * down + 2 * step);
      t[0][x] = d1 + d2, t[1][x] = d2 - d1, t[2][x] = d0 - d2, t[3][x] = d3 - d1;
    }
    GC_UNROLL for (int i = 0; i < 4; ++i, q += 4 * step) {
      *(V *)q = t[i][1] + t[i][2], *(V *)(q + step) = t[i][2] - t[i][1];
      *(V *)(q + 2 * step) = t[i][0] - t[i][2], *(V *)(q + 3 * step) = t[i][3] - t[i][1];
    }
  }
}

/* Sums over the channels for ROWS tiles and a panel of columns. Of each line the two pixels of the output are formed in
   registers, so that there are 8 sums for each tile and column: m[4 lines][2 pixels][ROWS][VECTORS * lanes]. */
#define GC_WINOGRAD_SUMS(V, ROWS, VECTORS)                                                                            \
  for (long k = 0; k < channels; ++k, ++v, u += 2 * VECTORS * LANES) {                                                \
    V one[VECTORS], two[VECTORS];                                                                                     \
    GC_UNROLL for (int j = 0; j < VECTORS; ++j) one[j] = ((const V *)u)[j], two[j] = ((const V *)u)[VECTORS + j];     \
    GC_UNROLL for (int i = 0; i < ROWS; ++i) {                                                                        \
      const float x = v[i * channels], y = v[i * channels + step];                                                    \
      GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += x * one[j], other[i][j] += y * two[j];                 \
    }                                                                                                                 \
  }                                                                                                                   \
  v += 2 * step - channels;

#define GC_WINOGRAD_TILE(NAME, ROWS, VECTORS)                                                                         \
  static __attribute__((noinline)) void NAME(const float *v, long channels, const float *u, float *m) {               \
    typedef float V __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(float)), may_alias));                 \
    enum { LANES = GC_VECTOR_BYTES / sizeof(float) };                                                                 \
    const long step = ROWS * channels;                                                                                \
    for (int line = 0; line < 4; ++line) {                                                                            \
      V sum[ROWS][VECTORS], other[ROWS][VECTORS];                                                                     \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] = other[i][j] = (V){0};                               \
      GC_WINOGRAD_SUMS(V, ROWS, VECTORS)                                                                              \
      GC_UNROLL for (int i = 0; i < ROWS; ++i) GC_UNROLL for (int j = 0; j < VECTORS; ++j) {                          \
        const V difference = sum[i][j] - other[i][j];                                                                 \
        sum[i][j] += other[i][j], other[i][j] = difference;                                                           \
      }                                                                                                               \
      GC_WINOGRAD_SUMS(V, ROWS, VECTORS)                                                                              \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j, m += LANES)                                                     \
              *(V *)m = sum[i][j], *(V *)(m + ROWS * VECTORS * LANES) = other[i][j];                                  \
      m += ROWS * VECTORS * LANES;                                                                                    \
    }                                                                                                                 \
  }
