static void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0) {
  (void)size0;
  {
    for (long p0 = 0; p0 < size0; ++p0) {
      #pragma omp simd
      for (long p1 = 0; p1 < 100; ++p1) {
        const float v1 = b0[p0 * 100 + p1];
        const float v2 = b1[p1];
        const float v3 = (v1 * v2);
        const float v4 = b2[p1];
        const float v5 = (v3 + v4);
        const float v6 = tanhf(v5);
        b3[p0 * 100 + p1] = v6;
      }
    }
  }
}
