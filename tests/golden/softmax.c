GC_KERNEL void k0(const float *restrict b0, float *restrict b1, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 5100, threads = gc_threads_for(self, work);
  const long share_start = gc_first(size0, 64, self, threads), share_end = gc_end(size0, 64, self, threads);
  {
    for (long p0 = share_start; p0 < share_end; ++p0) {
      float v2 = (-(float)GC_INFINITY);
      int v2_nan = 0;
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
          const float v5 = gc_exp_float32(v4);
          v6 = v6 + v5;
        }
      }
      {
        #pragma omp simd
        for (long r0 = 0; r0 < 100; ++r0) {
          const float v7 = b0[p0 * 100 + r0];
          const float v8 = (v7 - v2);
          const float v9 = gc_exp_float32(v8);
          const float v10 = (v9 / v6);
          b1[p0 * 100 + r0] = v10;
        }
      }
    }
  }
}
