GC_KERNEL void k0(const float *restrict b0, float *restrict b1, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 900 + 300, team = gc_team(self, work);
  const long share_start = gc_first(300, 64, self, team), share_end = gc_end(300, 64, self, team);
  {
    for (long p0_start = share_start, end = share_end; p0_start < end; p0_start += 64) {
      const long lanes = GC_MIN(64, end - p0_start);
      float v2[64];
      for (long lane = 0; lane < lanes; ++lane) {
        v2[lane] = 0.0f;
      }
      {
        for (long r0 = 0; r0 < size0; ++r0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            const float v1 = b0[p0 + r0 * 300];
            v2[lane] = v2[lane] + v1;
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        b1[p0] = v2[lane];
      }
    }
  }
}
