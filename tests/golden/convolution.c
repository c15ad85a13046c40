typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  float *restrict b2;
  long size0;
} k0_args;
static long k0_right_at(const void *args, const gc_block *block) {
  const long begin = block->begin;
  const long k0 = begin;
  return k0 * 384;
}
static void k0_pack_left(const void *args, const gc_block *block, const gc_part *part, void *to) {
  const k0_args *const given = args;
  const float *restrict b0 = given->b0;
  const long begin = block->begin;
  const long line0 = part->line0;
  const long high = part->high;
  float *const packed = to;
  const long k0 = begin;
  for (long i = 0; i < high; ++i) {
    const long row = line0 + i;
    long row_rest = row;
    const long p2 = row_rest % 7;
    row_rest /= 7;
    const long p1 = row_rest % 7;
    row_rest /= 7;
    const long p0 = row_rest;
    {
      for (long k1 = 0; k1 < 3; ++k1) {
        const _Bool v1 = (((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0));
        #pragma omp simd
        for (long k2 = 0; k2 < 8; ++k2) {
          const float v2 = (v1 ? b0[k0 * 112 + k1 * 8 + k2 + p0 * 1568 + p1 * 224 + p2 * 16 - 120] : (float)0);
          const long deep = k1 * 8 + k2;
          packed[i * 24 + deep] = ((((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0)) ? v2 : 0.0f);
        }
      }
    }
  }
}
static void k0_prefetch(const void *args, const gc_part *part) {
  const k0_args *const given = args;
  float *restrict b2 = given->b2;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    long row_rest = row;
    const long p2 = row_rest % 7;
    row_rest /= 7;
    const long p1 = row_rest % 7;
    row_rest /= 7;
    const long p0 = row_rest;
    const long p3 = n0;
    __builtin_prefetch(b2 + p0 * 784 + p1 * 112 + p2 * 16 + p3 + 0, 1);
  }
}
static void k0_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 16 };
  const k0_args *const given = args;
  float *restrict b2 = given->b2;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  const float *const tile = sums;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    long row_rest = row;
    const long p2 = row_rest % 7;
    row_rest /= 7;
    const long p1 = row_rest % 7;
    row_rest /= 7;
    const long p0 = row_rest;
    #pragma omp simd
    for (long j = 0; j < width; ++j) {
      const long column = n0 + j;
      const long p3 = column;
      const float v4 = tile[i * width + j];
      b2[p0 * 784 + p1 * 112 + p2 * 16 + p3] = v4;
    }
  }
}
static const gc_tiling k0_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 8,
  .width = 16,
  .band = 1,
  .always_packs_left = 1,
  .along = 1,
  .microkernel = gc_microkernel_float_8x1_m1,
  .line_microkernel = gc_microkernel_float_1x1_m1,
  .right_at = k0_right_at,
  .pack_left = k0_pack_left,
  .prefetch = k0_prefetch,
  .epilogue = k0_epilogue,
};
GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, float *restrict b2, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  const k0_args args = {b0, b1, b2, size0};
  float packed[192] __attribute__((aligned(64)));
  const gc_gemm gemm = {
    .tiling = &k0_tiling,
    .args = &args,
    .work = size0 * 112896,
    .items = 1,
    .outside = 1,
    .rows = size0 * 49,
    .columns = 16,
    .depth = 72,
    .column_block = 16,
    .blocks = 3,
    .outer = 3,
    .inner = 8,
    .most_depth = 24,
    .prefetches = size0 * 3136 > 524288,
    .right = (const char *)b1,
    .right_inner = 16,
    .right_outer = 128,
    .packed = (char *)packed,
    .sums = (char *)scratch,
  };
  gc_run_gemm(&gemm, self);
}
