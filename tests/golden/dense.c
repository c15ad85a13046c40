GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0, const gc_worker *self) {
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
