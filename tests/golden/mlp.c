GC_KERNEL void k0(const int *restrict b0, const int *restrict b1, const unsigned char *restrict b2, float *restrict b3, long size0, long size1, const gc_worker *self) {
  (void)size0;
  (void)size1;
  const long work = size0 * 14112, threads = gc_threads_for(self, work);
  {
    const int v1 = b0[0];
    for (gc_chunks chunks = gc_begin_chunks(size0, 1, self, threads, gc_steals(self, work)); gc_next_chunk(&chunks);)
    for (long p0 = chunks.first; p0 < chunks.end; ++p0) {
      const int v2 = ((int)p0 + v1);
      const long long v3 = gc_max_int64(gc_min_int64((long long)(v2), (long long)(size1 - 1)), (long long)0);
      const int v4 = b1[v3];
      const long long v5 = gc_max_int64(gc_min_int64((long long)(v4), (long long)(size1 - 1)), (long long)0);
      #pragma omp simd
      for (long p1 = 0; p1 < 784; ++p1) {
        const unsigned char v6 = b2[p1 + v5 * 784];
        const float v7 = (float)(v6);
        const float v8 = (v7 * 0.003921568859368563f);
        b3[p0 * 784 + p1] = v8;
      }
    }
  }
}

typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  const float *restrict b2;
  float *restrict b3;
  long size0;
} k1_args;
static void k1_prefetch(const void *args, const gc_part *part) {
  const k1_args *const given = args;
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
static void k1_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 32 };
  const k1_args *const given = args;
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
static const gc_tiling k1_tiling = {
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
  .prefetch = k1_prefetch,
  .epilogue = k1_epilogue,
};
GC_KERNEL void k1(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0, const gc_worker *self) {
  (void)size0;
  const k1_args args = {b0, b1, b2, b3, size0};
  float row_sums[128] __attribute__((aligned(64)));
  const gc_gemm gemm = {
    .tiling = &k1_tiling,
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

typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  const float *restrict b2;
  float *restrict b3;
  long size0;
} k2_args;
static void k2_pack_right(const void *args, const gc_block *block, long from, long first, long stop, void *to) {
  enum { width = 16 };
  const k2_args *const given = args;
  const float *restrict b1 = given->b1;
  float *const panels = to;
  {
    for (long k0 = 0; k0 < 128; ++k0) {
      for (long panel = first; panel < stop; ++panel) {
        const long n0 = from + panel * width;
        #pragma omp simd
        for (long lane = 0; lane < 10; ++lane) {
          const long p1 = n0 + lane;
          const float v2 = b1[k0 * 10 + p1];
          const long deep = k0;
          panels[(panel * 128 + deep) * width + lane] = v2;
        }
      }
    }
  }
}
static void k2_prefetch(const void *args, const gc_part *part) {
  const k2_args *const given = args;
  float *restrict b3 = given->b3;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    const long p1 = n0;
    __builtin_prefetch(b3 + p0 * 10 + p1 + 0, 1);
  }
}
static void k2_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 16 };
  const k2_args *const given = args;
  const float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  const long wide = part->wide;
  const float *const tile = sums;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    #pragma omp simd
    for (long j = 0; j < wide; ++j) {
      const long column = n0 + j;
      const long p1 = column;
      const float v3 = tile[i * width + j];
      const float v4 = b2[p1];
      const float v5 = (v3 + v4);
      b3[p0 * 10 + p1] = v5;
    }
  }
}
static const gc_tiling k2_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 8,
  .width = 16,
  .band = 1,
  .is_flat = 1,
  .along = 1,
  .may_be_row = 1,
  .may_steal = 1,
  .may_share_columns = 1,
  .prefetches_rows = 1,
  .microkernel = gc_microkernel_float_8x1_m1,
  .line_microkernel = gc_microkernel_float_1x1_m1,
  .row = gc_row_float,
  .pack_right = k2_pack_right,
  .prefetch = k2_prefetch,
  .epilogue = k2_epilogue,
};
GC_KERNEL void k2(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  const k2_args args = {b0, b1, b2, b3, size0};
  float row_sums[16] __attribute__((aligned(64)));
  const gc_gemm gemm = {
    .tiling = &k2_tiling,
    .args = &args,
    .work = size0 * 2560,
    .items = 1,
    .outside = 1,
    .rows = size0,
    .columns = 10,
    .depth = 128,
    .column_block = 10,
    .blocks = 1,
    .outer = 1,
    .inner = 128,
    .most_depth = 128,
    .prefers_columns = size0 * 128 <= 1280,
    .prefetches = size0 * 40 > 524288,
    .left = (const char *)b0,
    .left_inner = 1,
    .left_line = 128,
    .right = (const char *)b1,
    .right_inner = 10,
    .row_sums = (char *)row_sums,
    .panels = scratch,
  };
  gc_run_gemm(&gemm, self);
}

GC_KERNEL void k3(const float *restrict b0, const int *restrict b1, const int *restrict b2, const int *restrict b3, float *restrict b4, float *restrict b5, float *restrict b6, long size0, long size1, const gc_worker *self) {
  (void)size0;
  (void)size1;
  const long work = size0 * 644, threads = gc_threads_for(self, work);
  const long share_start = gc_first(size0, 64, self, threads), share_end = gc_end(size0, 64, self, threads);
  {
    const int v6 = b1[0];
    const float v25 = (float)((long long)size0);
    const float v26 = (1.0f / v25);
    const float v30 = (-v26);
    for (long p0 = share_start; p0 < share_end; ++p0) {
      float v2 = (-(float)GC_INFINITY);
      int v3 = 0;
      float v3_best = (-(float)GC_INFINITY);
      _Bool v3_any = 0;
      float v3_values[10];
      int v2_nan = 0;
      {
        #pragma omp simd reduction(max:v2) reduction(|:v2_nan)
        for (long r0 = 0; r0 < 10; ++r0) {
          const float v1 = b0[p0 * 10 + r0];
          v2 = v1 > v2 ? v1 : v2;
          v2_nan |= v1 != v1;
          v3_values[r0] = v1;
        }
      }
      if (v2_nan) v2 = (float)GC_NAN;
      for (long r0 = 0; r0 < 10; ++r0) {
        if ((v3_values[r0] > v3_best) | ((v3_values[r0] != v3_values[r0]) & (v3_best == v3_best)) | !v3_any) {
          v3_best = v3_values[r0];
          v3 = (int)r0;
          v3_any = 1;
        }
      }
      const int v7 = ((int)p0 + v6);
      const long long v8 = gc_max_int64(gc_min_int64((long long)(v7), (long long)(size1 - 1)), (long long)0);
      const int v9 = b2[v8];
      const long long v10 = gc_max_int64(gc_min_int64((long long)(v9), (long long)(size1 - 1)), (long long)0);
      const int v11 = b3[v10];
      float v15 = 0.0f;
      float v16 = 0.0f;
      {
        #pragma omp simd reduction(+:v15) reduction(+:v16)
        for (long r0 = 0; r0 < 10; ++r0) {
          const float v4 = b0[p0 * 10 + r0];
          const float v5 = (v4 - v2);
          const _Bool v12 = ((int)r0 == v11);
          const float v13 = (v12 ? v5 : 0.0f);
          const float v14 = gc_exp_float32(v5);
          v15 = v15 + v13;
          v16 = v16 + v14;
        }
      }
      const float v17 = gc_log_float32(v16);
      const _Bool v18 = (v3 == v11);
      const float v19 = (v17 - v15);
      const float v20 = (float)(v18);
      const float v24 = (1.0f / v16);
      const float v27 = (v26 * v24);
      {
        #pragma omp simd
        for (long r0 = 0; r0 < 10; ++r0) {
          const float v21 = b0[p0 * 10 + r0];
          const float v22 = (v21 - v2);
          const float v23 = gc_exp_float32(v22);
          const float v28 = (v27 * v23);
          const _Bool v29 = ((int)r0 == v11);
          const float v31 = (v29 ? v30 : 0.0f);
          const float v32 = (v28 + v31);
          b6[p0 * 10 + r0] = v32;
        }
      }
      b4[p0] = v19;
      b5[p0] = v20;
    }
  }
}

typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  const float *restrict b2;
  float *restrict b3;
  long size0;
} k4_args;
static void k4_pack_right(const void *args, const gc_block *block, long from, long first, long stop, void *to) {
  enum { width = 32 };
  const k4_args *const given = args;
  const float *restrict b1 = given->b1;
  float *const panels = to;
  for (long panel = first; panel < stop; ++panel) {
    const long n0 = from + panel * width;
    for (long chunk = 0; chunk < 10; chunk += 16) {
      const long chunk_end = GC_MIN(chunk + 16, 10);
      for (long column = n0; column < GC_MIN(n0 + width, 128); ++column) {
        const long p1 = column;
        {
          for (long k0 = chunk; k0 < chunk_end; ++k0) {
            const float v2 = b1[k0 + p1 * 10];
            const long deep = k0;
            panels[(panel * 10 + deep) * width + column - n0] = v2;
          }
        }
      }
    }
  }
}
static void k4_prefetch(const void *args, const gc_part *part) {
  const k4_args *const given = args;
  const float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    const long p1 = n0;
    __builtin_prefetch(b2 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b2 + p0 * 128 + p1 + 16, 1);
    __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
  }
}
static void k4_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 32 };
  const k4_args *const given = args;
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
      const float v4 = b2[p0 * 128 + p1];
      const _Bool v5 = (v4 > 0.0f);
      const float v6 = (v5 ? v3 : 0.0f);
      b3[p0 * 128 + p1] = v6;
    }
  }
}
static const gc_tiling k4_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 8,
  .width = 32,
  .band = 1,
  .is_flat = 1,
  .always_packs_right = 1,
  .along = 1,
  .may_steal = 1,
  .may_share_columns = 1,
  .prefetches_rows = 1,
  .microkernel = gc_microkernel_float_8x2_m1,
  .line_microkernel = gc_microkernel_float_1x2_m1,
  .pack_right = k4_pack_right,
  .prefetch = k4_prefetch,
  .epilogue = k4_epilogue,
};
GC_KERNEL void k4(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  const k4_args args = {b0, b1, b2, b3, size0};
  const gc_gemm gemm = {
    .tiling = &k4_tiling,
    .args = &args,
    .work = size0 * 2560,
    .items = 1,
    .outside = 1,
    .rows = size0,
    .columns = 128,
    .depth = 10,
    .column_block = 128,
    .blocks = 1,
    .outer = 1,
    .inner = 10,
    .most_depth = 10,
    .prefers_columns = size0 * 10 <= 1280,
    .prefetches = size0 * 1024 > 524288,
    .left = (const char *)b0,
    .left_inner = 1,
    .left_line = 10,
    .panels = scratch,
  };
  gc_run_gemm(&gemm, self);
}

GC_KERNEL void k5(const float *restrict b0, const float *restrict b1, float *restrict b2, int *restrict b3, float *restrict b5, float *restrict b6, float *restrict b8, float *restrict b11, long size0, const gc_worker *self) {
  (void)size0;
  if (self->thread != 0) return;
  {
    double v2_wide = 0.0;
    double v4_wide = 0.0;
    {
      #pragma omp simd reduction(+:v2_wide) reduction(+:v4_wide)
      for (long r0 = 0; r0 < size0; ++r0) {
        const float v1 = b0[r0];
        const float v3 = b1[r0];
        v2_wide = v2_wide + (double)(v1);
        v4_wide = v4_wide + (double)(v3);
      }
    }
    const float v2 = (float)(v2_wide);
    const float v4 = (float)(v4_wide);
    const float v5 = (float)((long long)size0);
    const float v6 = (v2 / v5);
    const float v7 = b2[0];
    const float v8 = (v7 + 1.0f);
    const float v9 = powf(0.9990000128746033f, v8);
    const float v10 = (1.0f - v9);
    const float v11 = sqrtf(v10);
    const float v12 = powf(0.8999999761581421f, v8);
    const float v13 = (1.0f - v12);
    const float v14 = (v11 / v13);
    const int v15 = b3[0];
    const int v16 = (v15 + (int)size0);
    const float v17 = b6[0];
    const float v18 = (v17 + v6);
    const float v19 = b8[0];
    const float v20 = (v19 + v4);
    const float v21 = (v14 * 0.0010000000474974513f);
    b3[0] = v16;
    b5[0] = v6;
    b6[0] = v18;
    b8[0] = v20;
    b2[0] = v8;
    b11[0] = v21;
  }
}

typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  float *restrict b2;
  float *restrict b3;
  const float *restrict b4;
  float *restrict b7;
  long size0;
} k6_args;
static void k6_pack_right(const void *args, const gc_block *block, long from, long first, long stop, void *to) {
  enum { width = 32 };
  const k6_args *const given = args;
  const float *restrict b1 = given->b1;
  const long begin = block->begin;
  const long end = block->end;
  float *const panels = to;
  {
    for (long k0 = begin; k0 < end; ++k0) {
      for (long panel = first; panel < stop; ++panel) {
        const long n0 = from + panel * width;
        #pragma omp simd
        for (long lane = 0; lane < width; ++lane) {
          const long p1 = n0 + lane;
          const float v2 = b1[k0 * 128 + p1];
          const long deep = k0 - begin * 1;
          panels[(panel * 352 + deep) * width + lane] = v2;
        }
      }
    }
  }
}
static void k6_prefetch(const void *args, const gc_part *part) {
  const k6_args *const given = args;
  float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  float *restrict b7 = given->b7;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    const long p1 = n0;
    __builtin_prefetch(b2 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b2 + p0 * 128 + p1 + 16, 1);
    __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
    __builtin_prefetch(b7 + p0 * 128 + p1 + 0, 1);
    __builtin_prefetch(b7 + p0 * 128 + p1 + 16, 1);
  }
}
static void k6_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 32 };
  const k6_args *const given = args;
  float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  const float *restrict b4 = given->b4;
  float *restrict b7 = given->b7;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  const float *const tile = sums;
  const float v15 = b4[0];
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    #pragma omp simd
    for (long j = 0; j < width; ++j) {
      const long column = n0 + j;
      const long p1 = column;
      const float v3 = tile[i * width + j];
      const float v4 = b2[p0 * 128 + p1];
      const float v5 = (v3 - v4);
      const float v6 = (v5 * 0.10000000149011612f);
      const float v7 = (v4 + v6);
      const float v8 = (v3 * v3);
      const float v9 = b3[p0 * 128 + p1];
      const float v10 = (v8 - v9);
      const float v11 = (v10 * 0.0010000000474974513f);
      const float v12 = (v9 + v11);
      const float v13 = sqrtf(v12);
      const float v14 = (v13 + 1.0000000116860974e-07f);
      const float v16 = (v15 * v7);
      const float v17 = (v16 / v14);
      const float v18 = b7[p0 * 128 + p1];
      const float v19 = (v18 - v17);
      b2[p0 * 128 + p1] = v7;
      b3[p0 * 128 + p1] = v12;
      b7[p0 * 128 + p1] = v19;
    }
  }
}
static const gc_tiling k6_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 14,
  .width = 32,
  .band = 1,
  .step = 352,
  .many_rows = 64,
  .most_unpacked = 512,
  .is_flat = 1,
  .may_pack = 1,
  .may_be_whole = 1,
  .may_steal = 1,
  .may_share_columns = 1,
  .microkernel = gc_microkernel_float_14x2_1k,
  .pack_right = k6_pack_right,
  .prefetch = k6_prefetch,
  .epilogue = k6_epilogue,
};
GC_KERNEL void k6(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  const k6_args args = {b0, b1, b2, b3, b4, b7, size0};
  const gc_gemm gemm = {
    .tiling = &k6_tiling,
    .args = &args,
    .work = size0 * 200704,
    .items = 1,
    .outside = 1,
    .rows = 784,
    .columns = 128,
    .depth = size0,
    .column_block = 128,
    .blocks = size0,
    .outer = 1,
    .inner = 352,
    .most_depth = 352,
    .prefers_columns = size0 * 784 <= size0 * 128 + 100352,
    .prefetches = 1204224 > 524288,
    .left = (const char *)b0,
    .left_inner = 784,
    .left_block = 784,
    .left_line = 1,
    .right = (const char *)b1,
    .right_inner = 128,
    .right_block = 128,
    .panels = scratch,
    .sums = (char *)scratch + 180224,
  };
  gc_run_gemm(&gemm, self);
}

GC_KERNEL void k7(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 384 + 5632, threads = gc_threads_for(self, work);
  const long share_start = gc_first(128, 64, self, threads), share_end = gc_end(128, 64, self, threads);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      double v2_wide[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2_wide[lane] = 0.0;
      }
      {
        for (long r0_first = 0; r0_first < size0 / 4 * 4; r0_first += 4) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            float v2_wide_0, v2_wide_1, v2_wide_2, v2_wide_3;
            {
              const long r0 = r0_first + 0;
              const float v1 = b0[p0 + r0 * 128];
              v2_wide_0 = v1;
            }
            {
              const long r0 = r0_first + 1;
              const float v1 = b0[p0 + r0 * 128];
              v2_wide_1 = v1;
            }
            {
              const long r0 = r0_first + 2;
              const float v1 = b0[p0 + r0 * 128];
              v2_wide_2 = v1;
            }
            {
              const long r0 = r0_first + 3;
              const float v1 = b0[p0 + r0 * 128];
              v2_wide_3 = v1;
            }
            v2_wide[lane] = v2_wide[lane] + (double)((v2_wide_0 + v2_wide_1) + (v2_wide_2 + v2_wide_3));
          }
        }
        {
          for (long r0 = size0 / 4 * 4; r0 < size0; ++r0) {
            #pragma omp simd
            for (long lane = 0; lane < lanes; ++lane) {
              const long p0 = p0_start + lane;
              (void)p0;
              const float v1 = b0[p0 + r0 * 128];
              v2_wide[lane] = v2_wide[lane] + (double)(v1);
            }
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v2 = (float)(v2_wide[lane]);
        const float v3 = b1[p0];
        const float v4 = (v2 - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2 * v2);
        const float v8 = b2[p0];
        const float v9 = (v7 - v8);
        const float v10 = (v9 * 0.0010000000474974513f);
        const float v11 = (v8 + v10);
        const float v12 = sqrtf(v11);
        const float v13 = (v12 + 1.0000000116860974e-07f);
        const float v14 = b3[0];
        const float v15 = (v14 * v6);
        const float v16 = (v15 / v13);
        const float v17 = b6[p0];
        const float v18 = (v17 - v16);
        b1[p0] = v6;
        b2[p0] = v11;
        b6[p0] = v18;
      }
    }
  }
}

typedef struct {
  const float *restrict b0;
  const float *restrict b1;
  float *restrict b2;
  float *restrict b3;
  const float *restrict b4;
  float *restrict b7;
  long size0;
} k8_args;
static void k8_pack_right(const void *args, const gc_block *block, long from, long first, long stop, void *to) {
  enum { width = 16 };
  const k8_args *const given = args;
  const float *restrict b1 = given->b1;
  const long begin = block->begin;
  const long end = block->end;
  float *const panels = to;
  {
    for (long k0 = begin; k0 < end; ++k0) {
      for (long panel = first; panel < stop; ++panel) {
        const long n0 = from + panel * width;
        #pragma omp simd
        for (long lane = 0; lane < 10; ++lane) {
          const long p1 = n0 + lane;
          const float v2 = b1[k0 * 10 + p1];
          const long deep = k0 - begin * 1;
          panels[(panel * 256 + deep) * width + lane] = v2;
        }
      }
    }
  }
}
static void k8_prefetch(const void *args, const gc_part *part) {
  const k8_args *const given = args;
  float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  float *restrict b7 = given->b7;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    const long p1 = n0;
    __builtin_prefetch(b2 + p0 * 10 + p1 + 0, 1);
    __builtin_prefetch(b3 + p0 * 10 + p1 + 0, 1);
    __builtin_prefetch(b7 + p0 * 10 + p1 + 0, 1);
  }
}
static void k8_epilogue(const void *args, const gc_part *part, const void *sums) {
  enum { width = 16 };
  const k8_args *const given = args;
  float *restrict b2 = given->b2;
  float *restrict b3 = given->b3;
  const float *restrict b4 = given->b4;
  float *restrict b7 = given->b7;
  const long line0 = part->line0;
  const long skip = part->skip;
  const long high = part->high;
  const long n0 = part->n0;
  const long wide = part->wide;
  const float *const tile = sums;
  const float v15 = b4[0];
  for (long i = skip; i < high; ++i) {
    const long row = line0 + i;
    const long p0 = row;
    #pragma omp simd
    for (long j = 0; j < wide; ++j) {
      const long column = n0 + j;
      const long p1 = column;
      const float v3 = tile[i * width + j];
      const float v4 = b2[p0 * 10 + p1];
      const float v5 = (v3 - v4);
      const float v6 = (v5 * 0.10000000149011612f);
      const float v7 = (v4 + v6);
      const float v8 = (v3 * v3);
      const float v9 = b3[p0 * 10 + p1];
      const float v10 = (v8 - v9);
      const float v11 = (v10 * 0.0010000000474974513f);
      const float v12 = (v9 + v11);
      const float v13 = sqrtf(v12);
      const float v14 = (v13 + 1.0000000116860974e-07f);
      const float v16 = (v15 * v7);
      const float v17 = (v16 / v14);
      const float v18 = b7[p0 * 10 + p1];
      const float v19 = (v18 - v17);
      b2[p0 * 10 + p1] = v7;
      b3[p0 * 10 + p1] = v12;
      b7[p0 * 10 + p1] = v19;
    }
  }
}
static const gc_tiling k8_tiling = {
  .sharing = GC_TILES,
  .size = 4,
  .tile_rows = 13,
  .width = 16,
  .band = 1,
  .step = 256,
  .many_rows = 64,
  .most_unpacked = 384,
  .is_flat = 1,
  .may_pack = 1,
  .may_share_columns = 1,
  .microkernel = gc_microkernel_float_13x1_1k,
  .pack_right = k8_pack_right,
  .prefetch = k8_prefetch,
  .epilogue = k8_epilogue,
};
GC_KERNEL void k8(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  const k8_args args = {b0, b1, b2, b3, b4, b7, size0};
  const gc_gemm gemm = {
    .tiling = &k8_tiling,
    .args = &args,
    .work = size0 * 2560,
    .items = 1,
    .outside = 1,
    .rows = 128,
    .columns = 10,
    .depth = size0,
    .column_block = 10,
    .blocks = size0,
    .outer = 1,
    .inner = 256,
    .most_depth = 256,
    .prefers_columns = size0 * 128 <= size0 * 10 + 1280,
    .prefetches = 15360 > 524288,
    .left = (const char *)b0,
    .left_inner = 128,
    .left_block = 128,
    .left_line = 1,
    .right = (const char *)b1,
    .right_inner = 10,
    .right_block = 10,
    .panels = scratch,
    .sums = (char *)scratch + 16384,
  };
  gc_run_gemm(&gemm, self);
}

GC_KERNEL void k9(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 30 + 440, threads = gc_threads_for(self, work);
  const long share_start = gc_first(10, 64, self, threads), share_end = gc_end(10, 64, self, threads);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      double v2_wide[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2_wide[lane] = 0.0;
      }
      {
        for (long r0_first = 0; r0_first < size0 / 4 * 4; r0_first += 4) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            float v2_wide_0, v2_wide_1, v2_wide_2, v2_wide_3;
            {
              const long r0 = r0_first + 0;
              const float v1 = b0[p0 + r0 * 10];
              v2_wide_0 = v1;
            }
            {
              const long r0 = r0_first + 1;
              const float v1 = b0[p0 + r0 * 10];
              v2_wide_1 = v1;
            }
            {
              const long r0 = r0_first + 2;
              const float v1 = b0[p0 + r0 * 10];
              v2_wide_2 = v1;
            }
            {
              const long r0 = r0_first + 3;
              const float v1 = b0[p0 + r0 * 10];
              v2_wide_3 = v1;
            }
            v2_wide[lane] = v2_wide[lane] + (double)((v2_wide_0 + v2_wide_1) + (v2_wide_2 + v2_wide_3));
          }
        }
        {
          for (long r0 = size0 / 4 * 4; r0 < size0; ++r0) {
            #pragma omp simd
            for (long lane = 0; lane < lanes; ++lane) {
              const long p0 = p0_start + lane;
              (void)p0;
              const float v1 = b0[p0 + r0 * 10];
              v2_wide[lane] = v2_wide[lane] + (double)(v1);
            }
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v2 = (float)(v2_wide[lane]);
        const float v3 = b1[p0];
        const float v4 = (v2 - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2 * v2);
        const float v8 = b2[p0];
        const float v9 = (v7 - v8);
        const float v10 = (v9 * 0.0010000000474974513f);
        const float v11 = (v8 + v10);
        const float v12 = sqrtf(v11);
        const float v13 = (v12 + 1.0000000116860974e-07f);
        const float v14 = b3[0];
        const float v15 = (v14 * v6);
        const float v16 = (v15 / v13);
        const float v17 = b6[p0];
        const float v18 = (v17 - v16);
        b1[p0] = v6;
        b2[p0] = v11;
        b6[p0] = v18;
      }
    }
  }
}
