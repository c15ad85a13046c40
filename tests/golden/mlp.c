GC_KERNEL void k0(const int *restrict b0, const int *restrict b1, const unsigned char *restrict b2, float *restrict b3, long size0, long size1, const gc_worker *self) {
  (void)size0;
  (void)size1;
  const long work = size0 * 14112, team = gc_team(self, work);
  {
    const int v1 = b0[0];
    for (gc_way way = gc_begin(size0, 1, self, team, gc_helps(self, work)); gc_take(&way);)
    for (long p0 = way.first; p0 < way.end; ++p0) {
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

GC_KERNEL void k1(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 32, tile_rows = 8 };
  const long rows = size0, columns = 128;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 200704, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  {
    for (long c0 = 0; c0 < columns; c0 += 128) {
      const long c1 = GC_MIN(c0 + 128, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const _Bool by_columns = team > 1 && size0 * 784 <= 100352;
      const _Bool alone = 0;
      (void)alone;
      const long band = by_columns ? groups : 1;
      const long outer = 1, inner = 784, depth = outer * inner;
      (void)depth;
      const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
      const _Bool is_row = rows == 1;
      float row_sums[128] __attribute__((aligned(64)));
      if (is_row) {
        const long line0 = 0, n0 = c0 + first_unit * width, count = GC_MIN(c1, c0 + units * width) - n0;
        if (count > 0)
        gc_row_float(outer, inner, b0 + 0 + line0 * 784 + 0 * 1, 1, 0, b1 + 0 + 0 * 128 + n0, 128, 0, row_sums, count);
      }
      const _Bool helps = gc_helps(self, work) && !alone && !is_row;
      for (gc_way way = gc_begin(groups * beside, 1, self, team, helps); gc_take(&way);) {
        gc_place at = gc_place_of(way.first, groups, beside, band);
        for (long unit = way.first; unit < way.end; ++unit, gc_next_place(&at)) {
          const long group = at.group, n0 = c0 + at.column * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          enum { wide = width };
          float own[tile_rows * width] __attribute__((aligned(64)));
          float *const tile = is_row ? row_sums + (unit - first_unit) * width : own;
          if (size0 * 512 > 524288)
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            long row_rest = row;
            const long p0 = row_rest;
            const long p1 = n0;
            __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
            __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
          }
          if (!is_row) {
            if (high == tile_rows) gc_tile_float_8x2_m1(outer, inner, b0 + 0 + line0 * 784, 784, 1, 0, b1 + 0 + n0, 128, 0, tile, 0);
            else for (long i = 0; i < high; ++i) gc_tile_float_1x2_m1(outer, inner, b0 + 0 + line0 * 784 + i * 784, 784, 1, 0, b1 + 0 + n0, 128, 0, tile + i * width, 0);
          }
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
              const float v3 = tile[i * width + j];
              const float v4 = b2[p1];
              const float v5 = (v3 + v4);
              const float v6 = gc_max_float32(v5, 0.0f);
              b3[p0 * 128 + p1] = v6;
            }
          }
        }
      }
    }
  }
}

GC_KERNEL void k2(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 16, tile_rows = 8 };
  const long rows = size0, columns = 10;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 2560, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  float *const panels = scratch;
  {
    for (long c0 = 0; c0 < columns; c0 += 10) {
      const long c1 = GC_MIN(c0 + 10, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const _Bool by_columns = team > 1 && size0 * 128 <= 1280;
      const _Bool alone = 0;
      (void)alone;
      const long band = by_columns ? groups : 1;
      const long outer = 1, inner = 128, depth = outer * inner;
      (void)depth;
      gc_sync(self);
      const long panel_start = gc_first(1, 1, self, team), panel_end = gc_end(1, 1, self, team);
      {
        for (long k0 = 0; k0 < 128; ++k0) {
          for (long panel = panel_start; panel < panel_end; ++panel)
          #pragma omp simd
          for (long lane = 0; lane < columns; ++lane) {
            const long p1 = (0) + lane;
            const float v2 = b1[k0 * 10 + p1];
            const long deep = k0;
            panels[(panel * 128 + deep) * width + lane] = v2;
          }
        }
      }
      gc_sync(self);
      const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
      const _Bool is_row = rows == 1;
      float row_sums[16] __attribute__((aligned(64)));
      if (is_row) {
        const long line0 = 0, n0 = c0 + first_unit * width, count = GC_MIN(c1, c0 + units * width) - n0;
        if (count > 0)
        gc_row_float(outer, inner, b0 + 0 + line0 * 128 + 0 * 1, 1, 0, b1 + 0 + 0 * 10 + n0, 10, 0, row_sums, count);
      }
      const _Bool helps = gc_helps(self, work) && !alone && !is_row;
      for (gc_way way = gc_begin(groups * beside, 1, self, team, helps); gc_take(&way);) {
        gc_place at = gc_place_of(way.first, groups, beside, band);
        for (long unit = way.first; unit < way.end; ++unit, gc_next_place(&at)) {
          const long group = at.group, n0 = c0 + at.column * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          const long wide = GC_MIN(width, columns - n0);
          float own[tile_rows * width] __attribute__((aligned(64)));
          float *const tile = is_row ? row_sums + (unit - first_unit) * width : own;
          if (size0 * 40 > 524288)
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            long row_rest = row;
            const long p0 = row_rest;
            const long p1 = n0;
            __builtin_prefetch(b3 + p0 * 10 + p1 + 0, 1);
          }
          if (at.column == 0)
          for (long i = line0 + tile_rows; i < GC_MIN(line0 + 2 * tile_rows, rows); ++i)
          for (long j = 0; j < inner; j += 16)
          __builtin_prefetch(b0 + 0 + i * 128 + j);
          const float *panel = b1 + 0 + n0;
          long panel_inner = 10, panel_outer = 0;
          if (wide < width) panel = panels, panel_inner = width, panel_outer = inner * width;
          if (!is_row) {
            if (high == tile_rows) gc_tile_float_8x1_m1(outer, inner, b0 + 0 + line0 * 128, 128, 1, 0, panel, panel_inner, panel_outer, tile, 0);
            else for (long i = 0; i < high; ++i) gc_tile_float_1x1_m1(outer, inner, b0 + 0 + line0 * 128 + i * 128, 128, 1, 0, panel, panel_inner, panel_outer, tile + i * width, 0);
          }
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
              const float v3 = tile[i * width + j];
              const float v4 = b2[p1];
              const float v5 = (v3 + v4);
              b3[p0 * 10 + p1] = v5;
            }
          }
        }
      }
    }
  }
}

GC_KERNEL void k3(const float *restrict b0, const int *restrict b1, const int *restrict b2, const int *restrict b3, float *restrict b4, float *restrict b5, float *restrict b6, long size0, long size1, const gc_worker *self) {
  (void)size0;
  (void)size1;
  const long work = size0 * 644, team = gc_team(self, work);
  const long share_start = gc_first(size0, 64, self, team), share_end = gc_end(size0, 64, self, team);
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

GC_KERNEL void k4(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 32, tile_rows = 8 };
  const long rows = size0, columns = 128;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 2560, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  float *const panels = scratch;
  {
    for (long c0 = 0; c0 < columns; c0 += 128) {
      const long c1 = GC_MIN(c0 + 128, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const _Bool by_columns = team > 1 && size0 * 10 <= 1280;
      const _Bool alone = by_columns && beside == across && across % team == 0;
      (void)alone;
      const long band = by_columns ? groups : 1;
      const long outer = 1, inner = 10, depth = outer * inner;
      (void)depth;
      if (!alone) gc_sync(self);
      for (long panel = gc_first(beside, 1, self, team), panel_end = gc_end(beside, 1, self, team); panel < panel_end; ++panel) {
        const long n0 = c0 + panel * width;
        for (long run = 0; run < 10; run += 16) {
          const long run_end = GC_MIN(run + 16, 10);
          for (long column = n0; column < GC_MIN(n0 + width, columns); ++column) {
            long column_rest = column;
            const long p1 = column_rest;
            {
              for (long k0 = run; k0 < run_end; ++k0) {
                const float v2 = b1[k0 + p1 * 10];
                const long deep = k0;
                panels[(panel * 10 + deep) * width + column - n0] = v2;
              }
            }
          }
        }
      }
      if (!alone) gc_sync(self);
      const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
      const _Bool helps = gc_helps(self, work) && !alone;
      for (gc_way way = gc_begin(groups * beside, 1, self, team, helps); gc_take(&way);) {
        gc_place at = gc_place_of(way.first, groups, beside, band);
        for (long unit = way.first; unit < way.end; ++unit, gc_next_place(&at)) {
          const long group = at.group, n0 = c0 + at.column * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          enum { wide = width };
          float tile[tile_rows * width] __attribute__((aligned(64)));
          if (size0 * 1024 > 524288)
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            long row_rest = row;
            const long p0 = row_rest;
            const long p1 = n0;
            __builtin_prefetch(b2 + p0 * 128 + p1 + 0, 1);
            __builtin_prefetch(b2 + p0 * 128 + p1 + 16, 1);
            __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
            __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
          }
          if (at.column == 0)
          for (long i = line0 + tile_rows; i < GC_MIN(line0 + 2 * tile_rows, rows); ++i)
          for (long j = 0; j < inner; j += 16)
          __builtin_prefetch(b0 + 0 + i * 10 + j);
          {
            if (high == tile_rows) gc_tile_float_8x2_m1(outer, inner, b0 + 0 + line0 * 10, 10, 1, 0, panels + (n0 - c0) * 10, width, inner * width, tile, 0);
            else for (long i = 0; i < high; ++i) gc_tile_float_1x2_m1(outer, inner, b0 + 0 + line0 * 10 + i * 10, 10, 1, 0, panels + (n0 - c0) * 10, width, inner * width, tile + i * width, 0);
          }
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
              const float v3 = tile[i * width + j];
              const float v4 = b2[p0 * 128 + p1];
              const _Bool v5 = (v4 > 0.0f);
              const float v6 = (v5 ? v3 : 0.0f);
              b3[p0 * 128 + p1] = v6;
            }
          }
        }
      }
    }
  }
}

GC_KERNEL void k5(const float *restrict b0, const float *restrict b1, float *restrict b2, int *restrict b3, float *restrict b5, float *restrict b6, float *restrict b8, float *restrict b11, long size0, const gc_worker *self) {
  (void)size0;
  if (self->thread != 0) return;
  {
    float v2 = 0.0f;
    float v4 = 0.0f;
    {
      #pragma omp simd reduction(+:v2) reduction(+:v4)
      for (long r0 = 0; r0 < size0; ++r0) {
        const float v1 = b0[r0];
        const float v3 = b1[r0];
        v2 = v2 + v1;
        v4 = v4 + v3;
      }
    }
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

GC_KERNEL void k6(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 32, tile_rows = 14 };
  const long rows = 784, columns = 128;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 200704, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  const long blocks = size0;
  float *const panels = scratch;
  float *const sums = (float *)scratch + 45056;
  {
    const long from = 0, to = blocks;
    const _Bool gathers = groups * tile_rows >= 64 && size0 > 512;
    for (long c0 = 0; c0 < columns; c0 += 128) {
      const long c1 = GC_MIN(c0 + 128, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const _Bool by_columns = team > 1 && size0 * 784 <= size0 * 128 + 100352;
      const _Bool alone = gathers && by_columns && beside == across && across % team == 0;
      (void)alone;
      const long band = by_columns ? groups : 1;
      const long step = gathers ? 352 : to;
      for (long turn = from; turn < to; turn += step) {
        const long end = GC_MIN(turn + step, to);
        const long outer = 1, inner = end - turn, depth = outer * inner;
        (void)depth;
        if (gathers && !alone) gc_sync(self);
        if (gathers || (c1 == columns && columns % width)) {
          const long panel_start = gc_first((gathers ? beside : 0), 1, self, team), panel_end = gc_end((gathers ? beside : 0), 1, self, team);
          {
            for (long k0 = turn; k0 < end; ++k0) {
              for (long panel = panel_start; panel < panel_end; ++panel)
              #pragma omp simd
              for (long lane = 0; lane < width; ++lane) {
                const long p1 = (gathers ? c0 + panel * width : columns / width * width) + lane;
                const float v2 = b1[k0 * 128 + p1];
                const long deep = k0 - turn * 1;
                panels[(panel * 352 + deep) * width + lane] = v2;
              }
            }
          }
        }
        if (gathers && !alone) gc_sync(self);
        const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
        const _Bool helps = gc_helps(self, work) && !alone;
        for (gc_way way = gc_begin(groups * beside, 1, self, team, helps); gc_take(&way);) {
          gc_place at = gc_place_of(way.first, groups, beside, band);
          for (long unit = way.first; unit < way.end; ++unit, gc_next_place(&at)) {
            const long group = at.group, n0 = c0 + at.column * width;
            const long m0 = group % tall * tile_rows;
            enum { skip = 0, high = tile_rows };
            const long line0 = m0;
            enum { wide = width };
            float own[tile_rows * width] __attribute__((aligned(64)));
            float *const tile = gathers ? sums + (group * across + n0 / width) * tile_rows * width : own;
            if (1204224 > 524288 && end == to)
            for (long i = skip; i < high; ++i) {
              const long row = line0 + i;
              long row_rest = row;
              const long p0 = row_rest;
              const long p1 = n0;
              __builtin_prefetch(b2 + p0 * 128 + p1 + 0, 1);
              __builtin_prefetch(b2 + p0 * 128 + p1 + 16, 1);
              __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
              __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
              __builtin_prefetch(b7 + p0 * 128 + p1 + 0, 1);
              __builtin_prefetch(b7 + p0 * 128 + p1 + 16, 1);
            }
            const float *panel = b1 + turn * 128 + n0;
            long panel_inner = 128, panel_outer = 0;
            if (gathers) panel = panels + (n0 - c0) * 352, panel_inner = width, panel_outer = inner * width;
            gc_tile_float_14x2_1k(outer, inner, b0 + turn * 784 + line0 * 1, 1, 784, 0, panel, panel_inner, panel_outer, tile, turn > from);
            if (end < to) continue;
            for (long i = skip; i < high; ++i) {
              const long row = line0 + i;
              (void)row;
              long row_rest = row;
              const long p0 = row_rest;
              #pragma omp simd
              for (long j = 0; j < wide; ++j) {
                const long column = n0 + j;
                (void)column;
                long column_rest = column;
                const long p1 = column_rest;
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
                const float v15 = b4[0];
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
        }
      }
    }
  }
}

GC_KERNEL void k7(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 384 + 5504, team = gc_team(self, work);
  const long share_start = gc_first(128, 64, self, team), share_end = gc_end(128, 64, self, team);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      float v2[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2[lane] = 0.0f;
      }
      {
        for (long r0 = 0; r0 < size0; ++r0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            const float v1 = b0[p0 + r0 * 128];
            v2[lane] = v2[lane] + v1;
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v3 = b1[p0];
        const float v4 = (v2[lane] - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2[lane] * v2[lane]);
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

GC_KERNEL void k8(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 16, tile_rows = 13 };
  const long rows = 128, columns = 10;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 2560, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  const long blocks = size0;
  float *const panels = scratch;
  float *const sums = (float *)scratch + 4096;
  {
    const long from = 0, to = blocks;
    const _Bool gathers = groups * tile_rows >= 64 && size0 > 384;
    for (long c0 = 0; c0 < columns; c0 += 10) {
      const long c1 = GC_MIN(c0 + 10, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const _Bool by_columns = team > 1 && size0 * 128 <= size0 * 10 + 1280;
      const _Bool alone = gathers && by_columns && beside == across && across % team == 0;
      (void)alone;
      const long band = by_columns ? groups : 1;
      const long step = 256;
      for (long turn = from; turn < to; turn += step) {
        const long end = GC_MIN(turn + step, to);
        const long outer = 1, inner = end - turn, depth = outer * inner;
        (void)depth;
        if (!alone) gc_sync(self);
        const long panel_start = gc_first(1, 1, self, team), panel_end = gc_end(1, 1, self, team);
        {
          for (long k0 = turn; k0 < end; ++k0) {
            for (long panel = panel_start; panel < panel_end; ++panel)
            #pragma omp simd
            for (long lane = 0; lane < columns; ++lane) {
              const long p1 = (0) + lane;
              const float v2 = b1[k0 * 10 + p1];
              const long deep = k0 - turn * 1;
              panels[(panel * 256 + deep) * width + lane] = v2;
            }
          }
        }
        if (!alone) gc_sync(self);
        const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
        gc_place at = gc_place_of(first_unit, groups, beside, band);
        for (long unit = first_unit; unit < units; ++unit, gc_next_place(&at)) {
          const long group = at.group, n0 = c0 + at.column * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          const long wide = GC_MIN(width, columns - n0);
          float *const tile = sums + (group * across + n0 / width) * tile_rows * width;
          if (15360 > 524288 && end == to)
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            long row_rest = row;
            const long p0 = row_rest;
            const long p1 = n0;
            __builtin_prefetch(b2 + p0 * 10 + p1 + 0, 1);
            __builtin_prefetch(b3 + p0 * 10 + p1 + 0, 1);
            __builtin_prefetch(b7 + p0 * 10 + p1 + 0, 1);
          }
          const float *panel = b1 + turn * 10 + n0;
          long panel_inner = 10, panel_outer = 0;
          if (gathers) panel = panels + (n0 - c0) * 256, panel_inner = width, panel_outer = inner * width;
          if (!gathers && wide < width) panel = panels, panel_inner = width, panel_outer = inner * width;
          gc_tile_float_13x1_1k(outer, inner, b0 + turn * 128 + line0 * 1, 1, 128, 0, panel, panel_inner, panel_outer, tile, turn > from);
          if (end < to) continue;
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
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
              const float v15 = b4[0];
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
      }
    }
  }
}

GC_KERNEL void k9(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 30 + 430, team = gc_team(self, work);
  const long share_start = gc_first(10, 64, self, team), share_end = gc_end(10, 64, self, team);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      float v2[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2[lane] = 0.0f;
      }
      {
        for (long r0 = 0; r0 < size0; ++r0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            const float v1 = b0[p0 + r0 * 10];
            v2[lane] = v2[lane] + v1;
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v3 = b1[p0];
        const float v4 = (v2[lane] - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2[lane] * v2[lane]);
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
