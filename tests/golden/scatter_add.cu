extern "C" __global__ void __launch_bounds__(256)
k0(float *__restrict__ b0, const int *__restrict__ b1, const float *__restrict__ b2, const long size0) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= 64) return;
  const long p1 = point;
  {
    for (long z0 = 0; z0 < 1000; ++z0) {
      b0[p1 + z0 * 64] = 0.0f;
    }
  }
  {
    for (long s0 = 0; s0 < size0; ++s0) {
      const int v1 = b1[s0];
      const long long v2 = gc_max_int64(gc_min_int64((long long)(v1), (long long)999), (long long)0);
      const float v3 = b2[p1 + s0 * 64];
      b0[p1 + v2 * 64] += v3;
    }
  }
}
