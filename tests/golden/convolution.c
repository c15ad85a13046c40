GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, float *restrict b2, void *restrict scratch, long size0, const gc_worker *self) {
  (void)size0;
  enum { width = 16, tile_rows = 8 };
  const long rows = size0 * 49, columns = 16;
  const long tall = (rows + tile_rows - 1) / tile_rows, across = (columns + width - 1) / width;
  const long groups = 1 * tall;
  const long work = size0 * 112896, team = gc_team(self, work);
  (void)tall, (void)across, (void)groups, (void)team;
  const long blocks = 3;
  float packed[192] __attribute__((aligned(64)));
  float *const sums = (float *)scratch + 0;
  {
    const long from = 0, to = blocks;
    for (long c0 = 0; c0 < columns; c0 += 16) {
      const long c1 = GC_MIN(c0 + 16, columns);
      const long beside = (c1 - c0 + width - 1) / width;
      const long band = 1;
      for (long turn = from, end; turn < to; turn = end) {
        end = turn + 1;
        long turn_rest = turn;
        const long k0 = turn_rest;
        const long outer = 3, inner = 8, depth = outer * inner;
        (void)depth;
        long gathered = -1;
        const long first_unit = gc_first(groups * beside, 1, self, team), units = gc_end(groups * beside, 1, self, team);
        gc_place at = gc_place_of(first_unit, groups, beside, band);
        for (long unit = first_unit; unit < units; ++unit, gc_next_place(&at)) {
          const long group = at.group, n0 = c0 + at.column * width;
          const long m0 = group % tall * tile_rows;
          const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
          const long high = GC_MIN(tile_rows, rows);
          enum { wide = width };
          float *const tile = sums + (group * across + n0 / width) * tile_rows * width;
          if (at.start != gathered) {
            gathered = at.start;
            for (long group = at.start; group < at.end; ++group) {
              const long m0 = group % tall * tile_rows;
              const long line0 = GC_MIN(m0, GC_MAX(rows - tile_rows, 0)), skip = m0 - line0;
              const long high = GC_MIN(tile_rows, rows);
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
                      packed[(group - at.start) * 192 + i * 24 + deep] = ((((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0)) ? v2 : 0.0f);
                    }
                  }
                }
              }
            }
          }
          if (size0 * 3136 > 524288 && end == to)
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
          {
            if (high == tile_rows) gc_tile_float_8x1_m1(outer, inner, packed + (group - at.start) * 192, 24, 1, inner, b1 + k0 * 384 + n0, 16, 128, tile, turn > from);
            else for (long i = 0; i < high; ++i) gc_tile_float_1x1_m1(outer, inner, packed + (group - at.start) * 192 + i * 24, 24, 1, inner, b1 + k0 * 384 + n0, 16, 128, tile + i * width, turn > from);
          }
          if (end < to) continue;
          for (long i = skip; i < high; ++i) {
            const long row = line0 + i;
            (void)row;
            long row_rest = row;
            const long p2 = row_rest % 7;
            row_rest /= 7;
            const long p1 = row_rest % 7;
            row_rest /= 7;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p3 = column_rest;
              const float v4 = tile[i * width + j];
              b2[p0 * 784 + p1 * 112 + p2 * 16 + p3] = v4;
            }
          }
        }
      }
    }
  }
}
