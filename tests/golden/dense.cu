extern "C" __global__ void __launch_bounds__(256)
k0(const float *__restrict__ b0, const float *__restrict__ b1, const float *__restrict__ b2, float *__restrict__ b3, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = size0, columns = 128, depth = 784;
  const long across = 2, down = ((size0 + 63) / 64);
  const long n0 = blockIdx.x % across * 64, m0 = blockIdx.x / across % down * 64;
  const long batch = blockIdx.x / across / down;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sum[4][4] = {};
  for (long k0 = 0; k0 < depth; k0 += 16) {
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int k = e % 16, i = e / 16;
      const long row = m0 + i, deep = k0 + k;
      float value = 0;
      if (row < rows && deep < depth) {
        const long p0 = row;
        const long k0 = deep;
        const float v1 = b0[k0 + p0 * 784];
        value = v1;
      }
      left[k][i] = value;
    }
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int i = e % 64, k = e / 64;
      const long column = n0 + i, deep = k0 + k;
      float value = 0;
      if (column < columns && deep < depth) {
        const long p1 = column;
        const long k0 = deep;
        const float v2 = b1[k0 * 128 + p1];
        value = v2;
      }
      right[k][i] = value;
    }
    __syncthreads();
    for (int k = 0; k < 16; ++k)
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
          sum[i][j] += left[k][ty + 16 * i] * right[k][tx + 16 * j];
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i)
  for (int j = 0; j < 4; ++j) {
    const long row = m0 + ty + 16 * i, column = n0 + tx + 16 * j;
    if (row < rows && column < columns) {
      const long p0 = row;
      const long p1 = column;
      const float v3 = sum[i][j];
      const float v4 = b2[p1];
      const float v5 = (v3 + v4);
      const float v6 = gc_max_float32(v5, 0.0f);
      b3[p0 * 128 + p1] = v6;
    }
  }
}
