GC_KERNEL void k0(const float *restrict b0, float *restrict b1, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 900 + 600, threads = gc_threads_for(self, work);
  const long share_start = gc_first(300, 64, self, threads), share_end = gc_end(300, 64, self, threads);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      double v2_wide[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2_wide[lane] = 0.0;
      }
      {
        for (long r0_first = 0; r0_first < size0 / 4 * 4; r0_first += 4) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            float v2_wide_0, v2_wide_1, v2_wide_2, v2_wide_3;
            {
              const long r0 = r0_first + 0;
              const float v1 = b0[p0 + r0 * 300];
              v2_wide_0 = v1;
            }
            {
              const long r0 = r0_first + 1;
              const float v1 = b0[p0 + r0 * 300];
              v2_wide_1 = v1;
            }
            {
              const long r0 = r0_first + 2;
              const float v1 = b0[p0 + r0 * 300];
              v2_wide_2 = v1;
            }
            {
              const long r0 = r0_first + 3;
              const float v1 = b0[p0 + r0 * 300];
              v2_wide_3 = v1;
            }
            v2_wide[lane] = v2_wide[lane] + (double)((v2_wide_0 + v2_wide_1) + (v2_wide_2 + v2_wide_3));
          }
        }
        {
          for (long r0 = size0 / 4 * 4; r0 < size0; ++r0) {
            #pragma omp simd
            for (long lane = 0; lane < lanes; ++lane) {
              const long p0 = p0_start + lane;
              (void)p0;
              const float v1 = b0[p0 + r0 * 300];
              v2_wide[lane] = v2_wide[lane] + (double)(v1);
            }
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v2 = (float)(v2_wide[lane]);
        b1[p0] = v2;
      }
    }
  }
}
