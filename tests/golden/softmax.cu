extern "C" __global__ void __launch_bounds__(256)
k0(const float *__restrict__ b0, float *__restrict__ b1, const long size0) {
  __shared__ float slots_float32[256];
  const long point = blockIdx.x;
  const long p0 = point;
  float v2 = (-(float)GC_INFINITY);
  {
    for (long r0 = threadIdx.x; r0 < 100; r0 += 256) {
      const float v1 = b0[p0 * 100 + r0];
      v2 = ((v1 > v2) | (v1 != v1)) ? v1 : v2;
    }
  }
  v2 = gc_block<256>(v2, gc_max(), slots_float32);
  float v6 = 0.0f;
  {
    for (long r0 = threadIdx.x; r0 < 100; r0 += 256) {
      const float v3 = b0[p0 * 100 + r0];
      const float v4 = (v3 - v2);
      const float v5 = expf(v4);
      v6 = v6 + v5;
    }
  }
  v6 = gc_block<256>(v6, gc_sum(), slots_float32);
  {
    for (long r0 = threadIdx.x; r0 < 100; r0 += 256) {
      const float v7 = b0[p0 * 100 + r0];
      const float v8 = (v7 - v2);
      const float v9 = expf(v8);
      const float v10 = (v9 / v6);
      b1[p0 * 100 + r0] = v10;
    }
  }
}
