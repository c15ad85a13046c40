GC_KERNEL void k0(const float *restrict b0, float *restrict b1, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 200, threads = gc_threads_for(self, work);
  const long share_start = gc_first(size0, 64, self, threads), share_end = gc_end(size0, 64, self, threads);
  {
    for (long p0 = share_start; p0 < share_end; ++p0) {
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
