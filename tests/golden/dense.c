static void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0) {
  (void)size0;
  {
    enum { width = 2 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = size0, columns = 128;
    float *const panels = 0;
    float *const packed = panels + 0;
    (void)packed;
    const long depth = 784;
    for (long m0 = 0; m0 < rows; m0 += 8) {
      const long high = GC_MIN(8, rows - m0);
      for (long n0 = 0; n0 < columns; n0 += width) {
        const long wide = GC_MIN(width, columns - n0);
        float tile[8 * width];
        const float *panel = b1 + 0 + n0;
        long across = 128;
        if (wide < width) panel = panels, across = width;
        const float *first = b0 + 0 + m0 * 784;
        if (high == 8)
          gc_tile_float_8x2(depth, first, 784, 1, panel, across, tile);
        else for (long i = 0; i < high; ++i)
          gc_tile_float_1x2(depth, first + i * 784, 784, 1, panel, across, tile + i * width);
        for (long i = 0; i < high; ++i) {
          const long row = m0 + i;
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
