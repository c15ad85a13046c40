GC_KERNEL void k0(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0, const gc_worker *self) {
  (void)size0;
  const long work = size0 * 2700, threads = gc_threads_for(self, work);
  {
    for (gc_chunks chunks = gc_begin_chunks(size0, 1, self, threads, gc_steals(self, work)); gc_next_chunk(&chunks);)
    for (long p0 = chunks.first; p0 < chunks.end; ++p0) {
      #pragma omp simd
      for (long p1 = 0; p1 < 100; ++p1) {
        const float v1 = b0[p0 * 100 + p1];
        const float v2 = b1[p1];
        const float v3 = (v1 * v2);
        const float v4 = b2[p1];
        const float v5 = (v3 + v4);
        const float v6 = gc_tanh_float32(v5);
        b3[p0 * 100 + p1] = v6;
      }
    }
  }
}
