static void k0(const float *restrict b0, const float *restrict b1, float *restrict b2, void *restrict scratch, long size0) {
  (void)size0;
  {
    enum { width = 1 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = size0 * 49, columns = 16;
    float *const panels = scratch;
    float *const packed = panels + 3456;
    (void)packed;
    const long depth = 72;
    for (long n0 = 0; n0 < columns; n0 += width) {
      for (long j = 0; j < width; ++j) {
        const long column = n0 + j;
        if (column >= columns) {
          for (long deep = 0; deep < depth; ++deep) panels[n0 * depth + deep * width + j] = 0;
          continue;
        }
        long column_rest = column;
        const long p3 = column_rest;
        {
          for (long k0 = 0; k0 < 3; ++k0) {
            for (long k1 = 0; k1 < 3; ++k1) {
              for (long k2 = 0; k2 < 8; ++k2) {
                const float v3 = b1[k0 * 384 + k1 * 128 + k2 * 16 + p3];
                const long deep = k0 * 24 + k1 * 8 + k2;
                panels[n0 * depth + deep * width + j] = v3;
              }
            }
          }
        }
      }
    }
    for (long m0 = 0; m0 < rows; m0 += 8) {
      const long high = GC_MIN(8, rows - m0);
      for (long i = 0; i < 8; ++i) {
        const long row = m0 + i;
        if (i >= high) {
          for (long deep = 0; deep < depth; ++deep) packed[deep * 8 + i] = 0;
          continue;
        }
        long row_rest = row;
        const long p2 = row_rest % 7;
        row_rest /= 7;
        const long p1 = row_rest % 7;
        row_rest /= 7;
        const long p0 = row_rest;
        {
          for (long k0 = 0; k0 < 3; ++k0) {
            for (long k1 = 0; k1 < 3; ++k1) {
              const _Bool v1 = (((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0));
              for (long k2 = 0; k2 < 8; ++k2) {
                const float v2 = (v1 ? b0[k0 * 112 + k1 * 8 + k2 + p0 * 1568 + p1 * 224 + p2 * 16 - 120] : (float)0);
                const long deep = k0 * 24 + k1 * 8 + k2;
                packed[deep * 8 + i] = ((((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0)) ? v2 : 0.0f);
              }
            }
          }
        }
      }
      for (long n0 = 0; n0 < columns; n0 += width) {
        const long wide = GC_MIN(width, columns - n0);
        float tile[8 * width];
        gc_tile_float_8x1(depth, packed, 1, 8, panels + n0 * depth, width, tile);
        for (long i = 0; i < high; ++i) {
          const long row = m0 + i;
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
