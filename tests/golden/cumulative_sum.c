static void k0(const float *restrict b0, float *restrict b1, long size0) {
  (void)size0;
  {
    for (long p0 = 0; p0 < size0; ++p0) {
      float total = 0.0f;
      {
        for (long r0 = 0; r0 < 50; ++r0) {
          const float v1 = b0[p0 * 50 + r0];
          total = total + v1;
          b1[p0 * 50 + r0] = total;
        }
      }
    }
  }
}
