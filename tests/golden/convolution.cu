extern "C" __global__ void __launch_bounds__(256)
k0(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = size0 * 49, columns = 16, depth = 72;
  const long across = 1, down = ((size0 * 49 + 63) / 64);
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
        long row_rest = row;
        const long p2 = row_rest % 7;
        row_rest /= 7;
        const long p1 = row_rest % 7;
        row_rest /= 7;
        const long p0 = row_rest;
        long deep_rest = deep;
        const long k2 = deep_rest % 8;
        deep_rest /= 8;
        const long k1 = deep_rest % 3;
        deep_rest /= 3;
        const long k0 = deep_rest;
        const bool v1 = (((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0));
        const float v2 = (v1 ? b0[k0 * 112 + k1 * 8 + k2 + p0 * 1568 + p1 * 224 + p2 * 16 - 120] : (float)0);
        value = ((((long long)(k0 + p1 * 2 - 1) >= (long long)0) & ((long long)(k1 + p2 * 2 - 1) >= (long long)0)) ? v2 : 0.0f);
      }
      left[k][i] = value;
    }
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int i = e % 64, k = e / 64;
      const long column = n0 + i, deep = k0 + k;
      float value = 0;
      if (column < columns && deep < depth) {
        const long p3 = column;
        long deep_rest = deep;
        const long k2 = deep_rest % 8;
        deep_rest /= 8;
        const long k1 = deep_rest % 3;
        deep_rest /= 3;
        const long k0 = deep_rest;
        const float v3 = b1[k0 * 384 + k1 * 128 + k2 * 16 + p3];
        value = v3;
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
      long row_rest = row;
      const long p2 = row_rest % 7;
      row_rest /= 7;
      const long p1 = row_rest % 7;
      row_rest /= 7;
      const long p0 = row_rest;
      const long p3 = column;
      const float v4 = sum[i][j];
      b2[p0 * 784 + p1 * 112 + p2 * 16 + p3] = v4;
    }
  }
}
