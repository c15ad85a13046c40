GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, float *restrict b2, long size1, long size0, const gc_worker *self) {
  (void)size1;
  (void)size0;
  const long work = size0 * 184, threads = gc_threads_for(self, work);
  const long share_start = gc_first(size0 * 8, 64, self, threads), share_end = gc_end(size0 * 8, 64, self, threads);
  {
    #pragma omp simd
    for (long p0 = share_start; p0 < share_end; ++p0) {
      const float v1 = b0[p0];
      const float v2 = b1[size1 * size0 * 8 - size0 * 8 + p0];
      const float v3 = (v1 + v2);
      const float v4 = gc_tanh_float32(v3);
      b2[size1 * size0 * 8 - size0 * 8 + p0] = v4;
    }
  }
}
