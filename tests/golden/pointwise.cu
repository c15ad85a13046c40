extern "C" __global__ void __launch_bounds__(256)
k0(const float *__restrict__ b0, const float *__restrict__ b1, const float *__restrict__ b2, float *__restrict__ b3, const long size0) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= size0 * 100) return;
  long point_rest = point;
  const long p1 = point_rest % 100;
  point_rest /= 100;
  const long p0 = point_rest;
  const float v1 = b0[p0 * 100 + p1];
  const float v2 = b1[p1];
  const float v3 = (v1 * v2);
  const float v4 = b2[p1];
  const float v5 = (v3 + v4);
  const float v6 = tanhf(v5);
  b3[p0 * 100 + p1] = v6;
}
