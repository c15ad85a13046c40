GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 32, tile_rows = 8 };
  const long rows = size0, columns = 128;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long team = gc_team(self, size0 * 200704);
  (void)tall, (void)across, (void)groups, (void)team;
  const long blocks = 784;
  float *const panels = scratch;
  float *const sums = (float *)scratch + 50176;
  {
    const long from = 0, to = blocks;
    const _Bool gathers = groups * tile_rows >= 64 && blocks * 1 > 512;
    for (long c0 = 0; c0 < columns; c0 += 128) {
      const long c1 = GC_MIN(c0 + 128, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const long step = gathers ? 392 : to;
      for (long turn = from; turn < to; turn += step) {
        const long end = GC_MIN(turn + step, to);
        const long outer = 1, inner = end - turn, depth = outer * inner;
        (void)depth;
        gc_sync(self);
        if (gathers || (c1 == columns && columns % width)) {
          const long panel_start = gc_first((gathers ? beside : 0), 1, self, team), panel_end = gc_end((gathers ? beside : 0), 1, self, team);
          {
            for (long k0 = turn; k0 < end; ++k0) {
              for (long panel = panel_start; panel < panel_end; ++panel)
              #pragma omp simd
              for (long lane = 0; lane < GC_MIN(width, columns - (gathers ? c0 + panel * width : columns / width * width)); ++lane) {
                const long p1 = (gathers ? c0 + panel * width : columns / width * width) + lane;
                const float v2 = b1[k0 * 128 + p1];
                const long deep = k0 - turn * 1;
                panels[(panel * depth + deep) * width + lane] = v2;
              }
            }
          }
        }
        gc_sync(self);
        const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
        const _Bool by_columns = team > 1 && size0 * 784 <= 100352;
        const _Bool is_row = rows == 1 && !gathers;
        float row_sums[128] __attribute__((aligned(64)));
        if (is_row && first_unit < units) {
          const long line0 = 0, n0 = c0 + first_unit * width, count = GC_MIN(c1, c0 + units * width) - n0;
          gc_row_float(outer, inner, b0 + turn + line0 * 784, 1, 0, b1 + turn * 128 + n0, 128, 0, row_sums, count);
        }
        for (long unit = first_unit; unit < units; ++unit) {
          const long group = by_columns ? unit % groups : unit / beside;
          const long n0 = c0 + (by_columns ? unit / groups : unit % beside) * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          enum { wide = width };
          float own[tile_rows * width] __attribute__((aligned(64)));
          float *const tile = is_row ? row_sums + (unit - first_unit) * width : gathers ? sums + (group * across + n0 / width) * tile_rows * width : own;
          if (size0 * 512 > 524288 && end == to)
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            long row_rest = row;
            const long p0 = row_rest;
            const long p1 = n0;
            __builtin_prefetch(b3 + p0 * 128 + p1 + 0, 1);
            __builtin_prefetch(b3 + p0 * 128 + p1 + 16, 1);
          }
          const float *panel = b1 + turn * 128 + n0;
          long panel_inner = 128, panel_outer = 0;
          if (gathers) panel = panels + (n0 - c0) * depth, panel_inner = width, panel_outer = inner * width;
          if (!is_row) {
            if (high == tile_rows) gc_tile_float_8x2_m1(outer, inner, b0 + turn + line0 * 784, 784, 1, 0, panel, panel_inner, panel_outer, tile, turn > from);
            else for (long i = 0; i < high; ++i) gc_tile_float_1x2_m1(outer, inner, b0 + turn + line0 * 784 + i * 784, 784, 1, 0, panel, panel_inner, panel_outer, tile + i * width, turn > from);
          }
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
