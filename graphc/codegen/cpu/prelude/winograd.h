/* Winograd's F(2x2, 3x3): see `codegen/cpu/winograd/tiling.py` for the matrices. Of 4 by 4 values the lines, and what is in each
   of them, come in the order 1, 2, 0, 3: the outputs are sums of the first two, differences of them, and the rest. */

typedef float gc_floats __attribute__((vector_size(GC_VECTOR_BYTES), aligned(sizeof(float)), may_alias));
enum { GC_FLOATS = GC_VECTOR_BYTES / sizeof(float) };

/* Prefetches memory that is read or written soon. */
GC_KERNEL void gc_prefetch(const void *from, long size);

/* A convolution of some sizes: its filter with the steps down, to the right, and from channel to channel; its memory;
   and the functions of its kernel for a tile of pixels, for a panel of columns, and for the outputs of some tiles. */
typedef struct {
  const void *args;
  long work, tiles, tile_rows, width, channels, columns;
  const float *filter;
  long filter_down, filter_right, filter_step;
  float *transformed, *image, *sums;
  void (*pixels)(const void *args, long tile, float *image);
  void (*multiply)(const void *args, const float *image, const float *filter, float *sums);
  void (*outputs)(const void *args, long first, long high, long n0, const float *sums);
} gc_convolution;
GC_KERNEL void gc_convolve(const gc_convolution *p, const gc_worker *self);

/* The 4 by 4 pixels of a tile, B^T d B: v[16 * step], each of as many channels, at least a vector. */
GC_NOINLINE void gc_winograd_image(const float *d, long down, long channels, float *v, long step) {
  for (long next = 0; next < channels; next += GC_FLOATS) {
    const long c = GC_MIN(next, channels - GC_FLOATS); /* the last vector may repeat some channels */
    const float *p = d + c;
    float *q = v + c;
    gc_floats t[4][4];
    GC_UNROLL for (int x = 0; x < 4; ++x, p += channels) {
      const gc_floats d0 = *(const gc_floats *)p, d1 = *(const gc_floats *)(p + down);
      const gc_floats d2 = *(const gc_floats *)(p + 2 * down), d3 = *(const gc_floats *)(p + 3 * down);
      if (x >= 2) __builtin_prefetch(p + 2 * down + 2 * step), __builtin_prefetch(p + 3 * down + 2 * step);
      t[0][x] = d1 + d2, t[1][x] = d2 - d1, t[2][x] = d0 - d2, t[3][x] = d3 - d1;
    }
    GC_UNROLL for (int i = 0; i < 4; ++i, q += 4 * step) {
      *(gc_floats *)q = t[i][1] + t[i][2], *(gc_floats *)(q + step) = t[i][2] - t[i][1];
      *(gc_floats *)(q + 2 * step) = t[i][0] - t[i][2], *(gc_floats *)(q + 3 * step) = t[i][3] - t[i][1];
    }
  }
}

/* Sums over the channels for ROWS tiles and a panel of columns. Of each line the two pixels of the output are formed in
   registers, so that there are 8 sums for each tile and column: m[4 lines][2 pixels][ROWS][VECTORS * lanes]. */
#define GC_WINOGRAD_SUMS(ROWS, VECTORS)                                                                               \
  for (long k = 0; k < channels; ++k, ++v, u += 2 * VECTORS * GC_FLOATS) {                                            \
    gc_floats one[VECTORS], two[VECTORS];                                                                             \
    GC_UNROLL for (int j = 0; j < VECTORS; ++j)                                                                       \
        one[j] = ((const gc_floats *)u)[j], two[j] = ((const gc_floats *)u)[VECTORS + j];                             \
    GC_UNROLL for (int i = 0; i < ROWS; ++i) {                                                                        \
      const float x = v[i * channels], y = v[i * channels + step];                                                    \
      GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] += x * one[j], other[i][j] += y * two[j];                 \
    }                                                                                                                 \
  }                                                                                                                   \
  v += 2 * step - channels;

#define GC_WINOGRAD_MICROKERNEL(NAME, ROWS, VECTORS)                                                                  \
  GC_BY_REGIONS static __attribute__((noinline))                                                                      \
  void NAME(const float *v, long channels, const float *u, float *m) {                                                \
    const long step = ROWS * channels;                                                                                \
    for (int line = 0; line < 4; ++line) {                                                                            \
      gc_floats sum[ROWS][VECTORS], other[ROWS][VECTORS];                                                             \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j) sum[i][j] = other[i][j] = (gc_floats){0};                       \
      GC_WINOGRAD_SUMS(ROWS, VECTORS)                                                                                 \
      GC_UNROLL for (int i = 0; i < ROWS; ++i) GC_UNROLL for (int j = 0; j < VECTORS; ++j) {                          \
        const gc_floats difference = sum[i][j] - other[i][j];                                                         \
        sum[i][j] += other[i][j], other[i][j] = difference;                                                           \
      }                                                                                                               \
      GC_WINOGRAD_SUMS(ROWS, VECTORS)                                                                                 \
      GC_UNROLL for (int i = 0; i < ROWS; ++i)                                                                        \
          GC_UNROLL for (int j = 0; j < VECTORS; ++j, m += GC_FLOATS)                                                 \
              *(gc_floats *)m = sum[i][j], *(gc_floats *)(m + ROWS * VECTORS * GC_FLOATS) = other[i][j];              \
      m += ROWS * VECTORS * GC_FLOATS;                                                                                \
    }                                                                                                                 \
  }
