static void k0(const float *restrict b0, float *restrict b1, long size0) {
  (void)size0;
  {
    for (long p0 = 0; p0 < size0; ++p0) {
      float v2 = (-(float)GC_INFINITY);
      _Bool v2_nan = 0;
      {
        #pragma omp simd reduction(max:v2) reduction(|:v2_nan)
        for (long r0 = 0; r0 < 100; ++r0) {
          const float v1 = b0[p0 * 100 + r0];
          v2 = v1 > v2 ? v1 : v2;
          v2_nan |= v1 != v1;
        }
      }
      if (v2_nan) v2 = (float)GC_NAN;
      float v6 = 0.0f;
      {
        #pragma omp simd reduction(+:v6)
        for (long r0 = 0; r0 < 100; ++r0) {
          const float v3 = b0[p0 * 100 + r0];
          const float v4 = (v3 - v2);
          const float v5 = expf(v4);
          v6 = v6 + v5;
        }
      }
      {
        #pragma omp simd
        for (long r0 = 0; r0 < 100; ++r0) {
          const float v7 = b0[p0 * 100 + r0];
          const float v8 = (v7 - v2);
          const float v9 = expf(v8);
          const float v10 = (v9 / v6);
          b1[p0 * 100 + r0] = v10;
        }
      }
    }
  }
}
