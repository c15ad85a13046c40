extern "C" __global__ void __launch_bounds__(256)
k0(const int *__restrict__ b0, const int *__restrict__ b1, const unsigned char *__restrict__ b2, float *__restrict__ b3, const long size0, const long size1) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= size0 * 784) return;
  long point_rest = point;
  const long p1 = point_rest % 784;
  point_rest /= 784;
  const long p0 = point_rest;
  const int v1 = b0[0];
  const int v2 = ((int)p0 + v1);
  const long long v3 = gc_max_int64(gc_min_int64((long long)(v2), (long long)(size1 - 1)), (long long)0);
  const int v4 = b1[v3];
  const long long v5 = gc_max_int64(gc_min_int64((long long)(v4), (long long)(size1 - 1)), (long long)0);
  const unsigned char v6 = b2[p1 + v5 * 784];
  const float v7 = (float)(v6);
  const float v8 = (v7 * 0.003921568859368563f);
  b3[p0 * 784 + p1] = v8;
}

extern "C" __global__ void __launch_bounds__(256)
k1(const float *__restrict__ b0, const float *__restrict__ b1, const float *__restrict__ b2, float *__restrict__ b3, const long size0) {
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

extern "C" __global__ void __launch_bounds__(256)
k2(const float *__restrict__ b0, const float *__restrict__ b1, const float *__restrict__ b2, float *__restrict__ b3, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = size0, columns = 10, depth = 128;
  const long across = 1, down = ((size0 + 63) / 64);
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
        const float v1 = b0[k0 + p0 * 128];
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
        const float v2 = b1[k0 * 10 + p1];
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
      b3[p0 * 10 + p1] = v5;
    }
  }
}

extern "C" __global__ void __launch_bounds__(256)
k3(const float *__restrict__ b0, const int *__restrict__ b1, const int *__restrict__ b2, const int *__restrict__ b3, float *__restrict__ b4, float *__restrict__ b5, float *__restrict__ b6, const long size0, const long size1) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= size0) return;
  const long p0 = point;
  float v2 = (-(float)GC_INFINITY);
  int v3 = 0;
  float v3_best = (-(float)GC_INFINITY);
  bool v3_any = 0;
  {
    for (long r0 = 0; r0 < 10; ++r0) {
      const float v1 = b0[p0 * 10 + r0];
      v2 = ((v1 > v2) | (v1 != v1)) ? v1 : v2;
      if ((v1 > v3_best) | ((v1 != v1) & (v3_best == v3_best)) | !v3_any) {
        v3_best = v1;
        v3 = (int)r0;
        v3_any = 1;
      }
    }
  }
  const int v6 = b1[0];
  const int v7 = ((int)p0 + v6);
  const long long v8 = gc_max_int64(gc_min_int64((long long)(v7), (long long)(size1 - 1)), (long long)0);
  const int v9 = b2[v8];
  const long long v10 = gc_max_int64(gc_min_int64((long long)(v9), (long long)(size1 - 1)), (long long)0);
  const int v11 = b3[v10];
  float v15 = 0.0f;
  float v16 = 0.0f;
  {
    for (long r0 = 0; r0 < 10; ++r0) {
      const float v4 = b0[p0 * 10 + r0];
      const float v5 = (v4 - v2);
      const bool v12 = ((int)r0 == v11);
      const float v13 = (v12 ? v5 : 0.0f);
      const float v14 = expf(v5);
      v15 = v15 + v13;
      v16 = v16 + v14;
    }
  }
  const float v17 = logf(v16);
  const bool v18 = (v3 == v11);
  const float v19 = (v17 - v15);
  const float v20 = (float)(v18);
  const float v24 = (1.0f / v16);
  const float v25 = (float)((long long)size0);
  const float v26 = (1.0f / v25);
  const float v27 = (v26 * v24);
  const float v30 = (-v26);
  {
    for (long r0 = 0; r0 < 10; ++r0) {
      const float v21 = b0[p0 * 10 + r0];
      const float v22 = (v21 - v2);
      const float v23 = expf(v22);
      const float v28 = (v27 * v23);
      const bool v29 = ((int)r0 == v11);
      const float v31 = (v29 ? v30 : 0.0f);
      const float v32 = (v28 + v31);
      b6[p0 * 10 + r0] = v32;
    }
  }
  b4[p0] = v19;
  b5[p0] = v20;
}

extern "C" __global__ void __launch_bounds__(256)
k4(const float *__restrict__ b0, const float *__restrict__ b1, const float *__restrict__ b2, float *__restrict__ b3, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = size0, columns = 128, depth = 10;
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
        const float v1 = b0[k0 + p0 * 10];
        value = v1;
      }
      left[k][i] = value;
    }
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int k = e % 16, i = e / 16;
      const long column = n0 + i, deep = k0 + k;
      float value = 0;
      if (column < columns && deep < depth) {
        const long p1 = column;
        const long k0 = deep;
        const float v2 = b1[k0 + p1 * 10];
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
      const float v4 = b2[p0 * 128 + p1];
      const bool v5 = (v4 > 0.0f);
      const float v6 = (v5 ? v3 : 0.0f);
      b3[p0 * 128 + p1] = v6;
    }
  }
}

extern "C" __global__ void __launch_bounds__(256)
k5(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, int *__restrict__ b3, float *__restrict__ b5, float *__restrict__ b6, float *__restrict__ b8, float *__restrict__ b11, const long size0) {
  __shared__ double slots_float64[256];
  const long point = blockIdx.x;
  double v2_wide = 0.0;
  double v4_wide = 0.0;
  {
    for (long r0 = threadIdx.x; r0 < size0; r0 += 256) {
      const float v1 = b0[r0];
      const float v3 = b1[r0];
      v2_wide = v2_wide + (double)(v1);
      v4_wide = v4_wide + (double)(v3);
    }
  }
  v2_wide = gc_block<256>(v2_wide, gc_sum(), slots_float64);
  v4_wide = gc_block<256>(v4_wide, gc_sum(), slots_float64);
  const float v2 = (float)(v2_wide);
  const float v4 = (float)(v4_wide);
  const float v5 = (float)((long long)size0);
  const float v6 = (v2 / v5);
  const float v7 = b2[0];
  const float v8 = (v7 + 1.0f);
  const float v9 = powf(0.9990000128746033f, v8);
  const float v10 = (1.0f - v9);
  const float v11 = sqrtf(v10);
  const float v12 = powf(0.8999999761581421f, v8);
  const float v13 = (1.0f - v12);
  const float v14 = (v11 / v13);
  const int v15 = b3[0];
  const int v16 = (v15 + (int)size0);
  const float v17 = b6[0];
  const float v18 = (v17 + v6);
  const float v19 = b8[0];
  const float v20 = (v19 + v4);
  const float v21 = (v14 * 0.0010000000474974513f);
  __syncthreads();
  if (threadIdx.x == 0) {
    b3[0] = v16;
  }
  if (threadIdx.x == 0) {
    b5[0] = v6;
  }
  if (threadIdx.x == 0) {
    b6[0] = v18;
  }
  if (threadIdx.x == 0) {
    b8[0] = v20;
  }
  if (threadIdx.x == 0) {
    b2[0] = v8;
  }
  if (threadIdx.x == 0) {
    b11[0] = v21;
  }
}

extern "C" __global__ void __launch_bounds__(256)
k6(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, const float *__restrict__ b4, float *__restrict__ b7, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = 784, columns = 128, depth = size0;
  const long across = 2, down = 13;
  const long n0 = blockIdx.x % across * 64, m0 = blockIdx.x / across % down * 64;
  const long batch = blockIdx.x / across / down;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sum[4][4] = {};
  for (long k0 = 0; k0 < depth; k0 += 16) {
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int i = e % 64, k = e / 64;
      const long row = m0 + i, deep = k0 + k;
      float value = 0;
      if (row < rows && deep < depth) {
        const long p0 = row;
        const long k0 = deep;
        const float v1 = b0[k0 * 784 + p0];
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
      const float v4 = b2[p0 * 128 + p1];
      const float v5 = (v3 - v4);
      const float v6 = (v5 * 0.10000000149011612f);
      const float v7 = (v4 + v6);
      const float v8 = (v3 * v3);
      const float v9 = b3[p0 * 128 + p1];
      const float v10 = (v8 - v9);
      const float v11 = (v10 * 0.0010000000474974513f);
      const float v12 = (v9 + v11);
      const float v13 = sqrtf(v12);
      const float v14 = (v13 + 1.0000000116860974e-07f);
      const float v15 = b4[0];
      const float v16 = (v15 * v7);
      const float v17 = (v16 / v14);
      const float v18 = b7[p0 * 128 + p1];
      const float v19 = (v18 - v17);
      b2[p0 * 128 + p1] = v7;
      b3[p0 * 128 + p1] = v12;
      b7[p0 * 128 + p1] = v19;
    }
  }
}

extern "C" __global__ void __launch_bounds__(256)
k7(const float *__restrict__ b0, float *__restrict__ b1, float *__restrict__ b2, const float *__restrict__ b3, float *__restrict__ b6, const long size0) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= 128) return;
  const long p0 = point;
  double v2_wide = 0.0;
  {
    for (long r0 = 0; r0 < size0; ++r0) {
      const float v1 = b0[p0 + r0 * 128];
      v2_wide = v2_wide + (double)(v1);
    }
  }
  const float v2 = (float)(v2_wide);
  const float v3 = b1[p0];
  const float v4 = (v2 - v3);
  const float v5 = (v4 * 0.10000000149011612f);
  const float v6 = (v3 + v5);
  const float v7 = (v2 * v2);
  const float v8 = b2[p0];
  const float v9 = (v7 - v8);
  const float v10 = (v9 * 0.0010000000474974513f);
  const float v11 = (v8 + v10);
  const float v12 = sqrtf(v11);
  const float v13 = (v12 + 1.0000000116860974e-07f);
  const float v14 = b3[0];
  const float v15 = (v14 * v6);
  const float v16 = (v15 / v13);
  const float v17 = b6[p0];
  const float v18 = (v17 - v16);
  b1[p0] = v6;
  b2[p0] = v11;
  b6[p0] = v18;
}

extern "C" __global__ void __launch_bounds__(256)
k8(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, const float *__restrict__ b4, float *__restrict__ b7, const long size0) {
  __shared__ float left[16][64];
  __shared__ float right[16][64];
  const long rows = 128, columns = 10, depth = size0;
  const long across = 1, down = 2;
  const long n0 = blockIdx.x % across * 64, m0 = blockIdx.x / across % down * 64;
  const long batch = blockIdx.x / across / down;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  float sum[4][4] = {};
  for (long k0 = 0; k0 < depth; k0 += 16) {
    for (int e = threadIdx.x; e < 1024; e += 256) {
      const int i = e % 64, k = e / 64;
      const long row = m0 + i, deep = k0 + k;
      float value = 0;
      if (row < rows && deep < depth) {
        const long p0 = row;
        const long k0 = deep;
        const float v1 = b0[k0 * 128 + p0];
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
        const float v2 = b1[k0 * 10 + p1];
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
      const float v4 = b2[p0 * 10 + p1];
      const float v5 = (v3 - v4);
      const float v6 = (v5 * 0.10000000149011612f);
      const float v7 = (v4 + v6);
      const float v8 = (v3 * v3);
      const float v9 = b3[p0 * 10 + p1];
      const float v10 = (v8 - v9);
      const float v11 = (v10 * 0.0010000000474974513f);
      const float v12 = (v9 + v11);
      const float v13 = sqrtf(v12);
      const float v14 = (v13 + 1.0000000116860974e-07f);
      const float v15 = b4[0];
      const float v16 = (v15 * v7);
      const float v17 = (v16 / v14);
      const float v18 = b7[p0 * 10 + p1];
      const float v19 = (v18 - v17);
      b2[p0 * 10 + p1] = v7;
      b3[p0 * 10 + p1] = v12;
      b7[p0 * 10 + p1] = v19;
    }
  }
}

extern "C" __global__ void __launch_bounds__(256)
k9(const float *__restrict__ b0, float *__restrict__ b1, float *__restrict__ b2, const float *__restrict__ b3, float *__restrict__ b6, const long size0) {
  const long point = blockIdx.x * 256L + threadIdx.x;
  if (point >= 10) return;
  const long p0 = point;
  double v2_wide = 0.0;
  {
    for (long r0 = 0; r0 < size0; ++r0) {
      const float v1 = b0[p0 + r0 * 10];
      v2_wide = v2_wide + (double)(v1);
    }
  }
  const float v2 = (float)(v2_wide);
  const float v3 = b1[p0];
  const float v4 = (v2 - v3);
  const float v5 = (v4 * 0.10000000149011612f);
  const float v6 = (v3 + v5);
  const float v7 = (v2 * v2);
  const float v8 = b2[p0];
  const float v9 = (v7 - v8);
  const float v10 = (v9 * 0.0010000000474974513f);
  const float v11 = (v8 + v10);
  const float v12 = sqrtf(v11);
  const float v13 = (v12 + 1.0000000116860974e-07f);
  const float v14 = b3[0];
  const float v15 = (v14 * v6);
  const float v16 = (v15 / v13);
  const float v17 = b6[p0];
  const float v18 = (v17 - v16);
  b1[p0] = v6;
  b2[p0] = v11;
  b6[p0] = v18;
}
