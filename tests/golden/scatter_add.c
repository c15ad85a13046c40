GC_KERNEL void k0(float *restrict b0, const int *restrict b1, const float *restrict b2, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 512 + 64000, threads = gc_threads_for(self, work);
  const long share_start = gc_first(64, 64, self, threads), share_end = gc_end(64, 64, self, threads);
  {
    for (long p1_start = share_start, end = share_end; p1_start < end; p1_start += 64) {
      const long lanes = GC_MIN(64, end - p1_start);
      {
        for (long z0 = 0; z0 < 1000; ++z0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p1 = p1_start + lane;
            (void)p1;
            b0[p1 + z0 * 64] = 0.0f;
          }
        }
      }
      {
        for (long s0 = 0; s0 < size0; ++s0) {
          const int v1 = b1[s0];
          const long long v2 = gc_max_int64(gc_min_int64((long long)(v1), (long long)999), (long long)0);
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p1 = p1_start + lane;
            (void)p1;
            const float v3 = b2[p1 + s0 * 64];
            b0[p1 + v2 * 64] += v3;
          }
        }
      }
    }
  }
}
