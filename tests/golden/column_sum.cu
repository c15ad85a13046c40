extern "C" __global__ void __launch_bounds__(256)
k0(const float *__restrict__ b0, float *__restrict__ b1, const long size0) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= 300) return;
  const long p0 = point;
  double v2_wide = 0.0;
  {
    for (long r0 = 0; r0 < size0; ++r0) {
      const float v1 = b0[p0 + r0 * 300];
      v2_wide = v2_wide + (double)(v1);
    }
  }
  const float v2 = (float)(v2_wide);
  b1[p0] = v2;
}
