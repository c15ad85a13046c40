typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  const float *restrict b2;
  float *restrict b3;
  long size0;
} k0_args;
static void k0_prefetch(const void *args, const gc_part *part) {
  const k0_args *const given = args;
  float *restrict b3 = given->b3;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    const long p1 = n0;
    __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
  }
}
static void k0_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 32 };
  const k0_args *const given = args;
  const float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  const float *const tile = sums;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    #pragma omp simd
    for (long j = 0; j < width; ++j) {
      const long column = n0 + j;
      const long p1 = column;
      const float v3 = tile[i * width + j];
      const float v4 = b2[p1];
      const float v5 = (v3 + v4);
      const float v6 = gc_max_float32(v5, 0.0f);
      b3[p0 * 128 + p1] = v6;
    }
  }
}
static const gc_tiling k0_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 8,
  .width = 32,
  .band = 1,
  .is_flat = 1,
  .along = 1,
  .may_be_row = 1,
  .may_steal = 1,
  .may_share_columns = 1,
  .microkernel = gc_microkernel_float_8x2_m1,
  .line_microkernel = gc_microkernel_float_1x2_m1,
  .row = gc_row_float,
  .prefetch = k0_prefetch,
  .epilogue = k0_epilogue,
};
GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0, const gc_worker *self) {
  (void)size0;
  const k0_args args = {b0, b1, b2, b3, size0};
  float row_sums[128] __attribute__((aligned(64)));
  const gc_gemm gemm = {
    .tiling = &k0_tiling,
    .args = &args,
    .work = size0 * 200704,
    .items = 1,
    .outside = 1,
    .rows = size0,
    .columns = 128,
    .depth = 784,
    .column_block = 128,
    .blocks = 1,
    .outer = 1,
    .inner = 784,
    .most_depth = 784,
    .prefers_columns = size0 * 784 <= 100352,
    .prefetches = size0 * 512 > 524288,
    .left = (const char *)b0,
    .left_inner = 1,
    .left_line = 784,
    .right = (const char *)b1,
    .right_inner = 128,
    .row_sums = (char *)row_sums,
  };
  gc_run_gemm(&gemm, self);
}
