static void k0(const int *restrict b0, const int *restrict b1, const unsigned char *restrict b2, float *restrict b3, long size0, long size1) {
  (void)size0;
  (void)size1;
  {
    const int v1 = b0[0];
    for (long p0 = 0; p0 < size0; ++p0) {
      const int v2 = ((int)p0 + v1);
      const long long v3 = gc_max_int64(gc_min_int64((long long)(v2), (long long)(size1 - 1)), (long long)0);
      const int v4 = b1[v3];
      const long long v5 = gc_max_int64(gc_min_int64((long long)(v4), (long long)(size1 - 1)), (long long)0);
      #pragma omp simd
      for (long p1 = 0; p1 < 784; ++p1) {
        const unsigned char v6 = b2[p1 + v5 * 784];
        const float v7 = (float)(v6);
        const float v8 = (v7 * 0.003921568859368563f);
        b3[p0 * 784 + p1] = v8;
      }
    }
  }
}

static void k1(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, long size0) {
  (void)size0;
  {
    enum { width = 2 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = size0, columns = 128;
    float *const panels = 0;
    float *const packed = panels + 0;
    (void)packed;
    const long depth = 784;
    for (long m0 = 0; m0 < rows; m0 += 8) {
      const long high = GC_MIN(8, rows - m0);
      for (long n0 = 0; n0 < columns; n0 += width) {
        const long wide = GC_MIN(width, columns - n0);
        float tile[8 * width];
        const float *panel = b1 + 0 + n0;
        long across = 128;
        if (wide < width) panel = panels, across = width;
        const float *first = b0 + 0 + m0 * 784;
        if (high == 8)
          gc_tile_float_8x2(depth, first, 784, 1, panel, across, tile);
        else for (long i = 0; i < high; ++i)
          gc_tile_float_1x2(depth, first + i * 784, 784, 1, panel, across, tile + i * width);
        for (long i = 0; i < high; ++i) {
          const long row = m0 + i;
          (void)row;
          long row_rest = row;
          const long p0 = row_rest;
          #pragma omp simd
          for (long j = 0; j < wide; ++j) {
            const long column = n0 + j;
            (void)column;
            long column_rest = column;
            const long p1 = column_rest;
            const float v3 = tile[i * width + j];
            const float v4 = b2[p1];
            const float v5 = (v3 + v4);
            const float v6 = gc_max_float32(v5, 0.0f);
            b3[p0 * 128 + p1] = v6;
          }
        }
      }
    }
  }
}

static void k2(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0) {
  (void)size0;
  {
    enum { width = 1 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = size0, columns = 10;
    float *const panels = scratch;
    float *const packed = panels + 4096;
    (void)packed;
    const long depth = 128;
    for (long n0 = columns / width * width; n0 < columns; n0 += width) {
      for (long j = 0; j < width; ++j) {
        const long column = n0 + j;
        if (column >= columns) {
          for (long deep = 0; deep < depth; ++deep) panels[0 + deep * width + j] = 0;
          continue;
        }
        long column_rest = column;
        const long p1 = column_rest;
        {
          for (long k0 = 0; k0 < 128; ++k0) {
            const float v2 = b1[k0 * 10 + p1];
            const long deep = k0;
            panels[0 + deep * width + j] = v2;
          }
        }
      }
    }
    for (long m0 = 0; m0 < rows; m0 += 8) {
      const long high = GC_MIN(8, rows - m0);
      for (long n0 = 0; n0 < columns; n0 += width) {
        const long wide = GC_MIN(width, columns - n0);
        float tile[8 * width];
        const float *panel = b1 + 0 + n0;
        long across = 10;
        if (wide < width) panel = panels, across = width;
        const float *first = b0 + 0 + m0 * 128;
        if (high == 8)
          gc_tile_float_8x1(depth, first, 128, 1, panel, across, tile);
        else for (long i = 0; i < high; ++i)
          gc_tile_float_1x1(depth, first + i * 128, 128, 1, panel, across, tile + i * width);
        for (long i = 0; i < high; ++i) {
          const long row = m0 + i;
          (void)row;
          long row_rest = row;
          const long p0 = row_rest;
          #pragma omp simd
          for (long j = 0; j < wide; ++j) {
            const long column = n0 + j;
            (void)column;
            long column_rest = column;
            const long p1 = column_rest;
            const float v3 = tile[i * width + j];
            const float v4 = b2[p1];
            const float v5 = (v3 + v4);
            b3[p0 * 10 + p1] = v5;
          }
        }
      }
    }
  }
}

static void k3(const float *restrict b0, const int *restrict b1, const int *restrict b2, const int *restrict b3, float *restrict b4, float *restrict b5, float *restrict b6, long size0, long size1) {
  (void)size0;
  (void)size1;
  {
    const int v6 = b1[0];
    const float v25 = (float)((long long)size0);
    const float v26 = (1.0f / v25);
    const float v30 = (-v26);
    for (long p0 = 0; p0 < size0; ++p0) {
      float v2 = (-(float)GC_INFINITY);
      int v3 = 0;
      float v3_best = (-(float)GC_INFINITY);
      _Bool v3_any = 0;
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
      const int v7 = ((int)p0 + v6);
      const long long v8 = gc_max_int64(gc_min_int64((long long)(v7), (long long)(size1 - 1)), (long long)0);
      const int v9 = b2[v8];
      const long long v10 = gc_max_int64(gc_min_int64((long long)(v9), (long long)(size1 - 1)), (long long)0);
      const int v11 = b3[v10];
      float v15 = 0.0f;
      float v16 = 0.0f;
      {
        #pragma omp simd reduction(+:v15) reduction(+:v16)
        for (long r0 = 0; r0 < 10; ++r0) {
          const float v4 = b0[p0 * 10 + r0];
          const float v5 = (v4 - v2);
          const _Bool v12 = ((int)r0 == v11);
          const float v13 = (v12 ? v5 : 0.0f);
          const float v14 = expf(v5);
          v15 = v15 + v13;
          v16 = v16 + v14;
        }
      }
      const float v17 = logf(v16);
      const _Bool v18 = (v3 == v11);
      const float v19 = (v17 - v15);
      const float v20 = (float)(v18);
      const float v24 = (1.0f / v16);
      const float v27 = (v26 * v24);
      {
        #pragma omp simd
        for (long r0 = 0; r0 < 10; ++r0) {
          const float v21 = b0[p0 * 10 + r0];
          const float v22 = (v21 - v2);
          const float v23 = expf(v22);
          const float v28 = (v27 * v23);
          const _Bool v29 = ((int)r0 == v11);
          const float v31 = (v29 ? v30 : 0.0f);
          const float v32 = (v28 + v31);
          b6[p0 * 10 + r0] = v32;
        }
      }
      b4[p0] = v19;
      b5[p0] = v20;
    }
  }
}

static void k4(const float *restrict b0, const float *restrict b1, const float *restrict b2, float *restrict b3, void *restrict scratch, long size0) {
  (void)size0;
  {
    enum { width = 2 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = size0, columns = 128;
    float *const panels = scratch;
    float *const packed = panels + 1600;
    (void)packed;
    const long depth = 10;
    for (long n0 = 0; n0 < columns; n0 += width) {
      for (long j = 0; j < width; ++j) {
        const long column = n0 + j;
        if (column >= columns) {
          for (long deep = 0; deep < depth; ++deep) panels[n0 * depth + deep * width + j] = 0;
          continue;
        }
        long column_rest = column;
        const long p1 = column_rest;
        {
          for (long k0 = 0; k0 < 10; ++k0) {
            const float v2 = b1[k0 + p1 * 10];
            const long deep = k0;
            panels[n0 * depth + deep * width + j] = v2;
          }
        }
      }
    }
    for (long m0 = 0; m0 < rows; m0 += 8) {
      const long high = GC_MIN(8, rows - m0);
      for (long n0 = 0; n0 < columns; n0 += width) {
        const long wide = GC_MIN(width, columns - n0);
        float tile[8 * width];
        const float *first = b0 + 0 + m0 * 10;
        if (high == 8)
          gc_tile_float_8x2(depth, first, 10, 1, panels + n0 * depth, width, tile);
        else for (long i = 0; i < high; ++i)
          gc_tile_float_1x2(depth, first + i * 10, 10, 1, panels + n0 * depth, width, tile + i * width);
        for (long i = 0; i < high; ++i) {
          const long row = m0 + i;
          (void)row;
          long row_rest = row;
          const long p0 = row_rest;
          #pragma omp simd
          for (long j = 0; j < wide; ++j) {
            const long column = n0 + j;
            (void)column;
            long column_rest = column;
            const long p1 = column_rest;
            const float v3 = tile[i * width + j];
            const float v4 = b2[p0 * 128 + p1];
            const _Bool v5 = (v4 > 0.0f);
            const float v6 = (v5 ? v3 : 0.0f);
            b3[p0 * 128 + p1] = v6;
          }
        }
      }
    }
  }
}

static void k5(const float *restrict b0, const float *restrict b1, float *restrict b2, int *restrict b3, float *restrict b5, float *restrict b6, float *restrict b8, float *restrict b11, long size0) {
  (void)size0;
  {
    float v2 = 0.0f;
    float v4 = 0.0f;
    {
      #pragma omp simd reduction(+:v2) reduction(+:v4)
      for (long r0 = 0; r0 < size0; ++r0) {
        const float v1 = b0[r0];
        const float v3 = b1[r0];
        v2 = v2 + v1;
        v4 = v4 + v3;
      }
    }
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
    b3[0] = v16;
    b5[0] = v6;
    b6[0] = v18;
    b8[0] = v20;
    b2[0] = v8;
    b11[0] = v21;
  }
}

static void k6(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0) {
  (void)size0;
  {
    enum { width = 2 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = 784, columns = 128;
    float *const panels = scratch;
    float *const packed = panels + 0;
    (void)packed;
    float *const sums = packed + 0;
    const long turns = size0;
    for (long turn = 0; turn < turns; turn += 256) {
      const long end = GC_MIN(turn + 256, turns), depth = (end - turn) * 1;
      for (long m0 = 0; m0 < rows; m0 += 8) {
        const long high = GC_MIN(8, rows - m0);
        for (long n0 = 0; n0 < columns; n0 += width) {
          const long wide = GC_MIN(width, columns - n0);
          float tile[8 * width];
          const float *panel = b1 + turn * 128 + n0;
          long across = 128;
          if (wide < width) panel = panels, across = width;
          const float *first = b0 + turn * 784 + m0 * 1;
          if (high == 8)
            gc_tile_float_8x2(depth, first, 1, 784, panel, across, tile);
          else for (long i = 0; i < high; ++i)
            gc_tile_float_1x2(depth, first + i * 1, 1, 784, panel, across, tile + i * width);
          for (long i = 0; i < high; ++i)
          for (long j = 0; j < wide; ++j) {
            if (turn > 0) tile[i * width + j] += sums[(m0 + i) * columns + n0 + j];
            if (end < turns) sums[(m0 + i) * columns + n0 + j] = tile[i * width + j];
          }
          if (end < turns) continue;
          for (long i = 0; i < high; ++i) {
            const long row = m0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
              const float v3 = tile[i * width + j];
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
      }
    }
  }
}

static void k7(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0) {
  (void)size0;
  {
    for (long p0_start = 0; p0_start < 128; p0_start += 128) {
      enum { lanes = 128 };
      float v2[128];
      for (long lane = 0; lane < lanes; ++lane) {
        v2[lane] = 0.0f;
      }
      {
        for (long r0 = 0; r0 < size0; ++r0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            const float v1 = b0[p0 + r0 * 128];
            v2[lane] = v2[lane] + v1;
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v3 = b1[p0];
        const float v4 = (v2[lane] - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2[lane] * v2[lane]);
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
    }
  }
}

static void k8(const float *restrict b0, const float *restrict b1, float *restrict b2, float *restrict b3, const float *restrict b4, float *restrict b7, void *restrict scratch, long size0) {
  (void)size0;
  {
    enum { width = 1 * GC_VECTOR_BYTES / sizeof(float) };
    const long rows = 128, columns = 10;
    float *const panels = scratch;
    float *const packed = panels + 8192;
    (void)packed;
    float *const sums = packed + 0;
    const long turns = size0;
    for (long turn = 0; turn < turns; turn += 256) {
      const long end = GC_MIN(turn + 256, turns), depth = (end - turn) * 1;
      for (long n0 = columns / width * width; n0 < columns; n0 += width) {
        for (long j = 0; j < width; ++j) {
          const long column = n0 + j;
          if (column >= columns) {
            for (long deep = 0; deep < depth; ++deep) panels[0 + deep * width + j] = 0;
            continue;
          }
          long column_rest = column;
          const long p1 = column_rest;
          {
            for (long k0 = turn; k0 < end; ++k0) {
              const float v2 = b1[k0 * 10 + p1];
              const long deep = k0 - turn * 1;
              panels[0 + deep * width + j] = v2;
            }
          }
        }
      }
      for (long m0 = 0; m0 < rows; m0 += 8) {
        const long high = GC_MIN(8, rows - m0);
        for (long n0 = 0; n0 < columns; n0 += width) {
          const long wide = GC_MIN(width, columns - n0);
          float tile[8 * width];
          const float *panel = b1 + turn * 10 + n0;
          long across = 10;
          if (wide < width) panel = panels, across = width;
          const float *first = b0 + turn * 128 + m0 * 1;
          if (high == 8)
            gc_tile_float_8x1(depth, first, 1, 128, panel, across, tile);
          else for (long i = 0; i < high; ++i)
            gc_tile_float_1x1(depth, first + i * 1, 1, 128, panel, across, tile + i * width);
          for (long i = 0; i < high; ++i)
          for (long j = 0; j < wide; ++j) {
            if (turn > 0) tile[i * width + j] += sums[(m0 + i) * columns + n0 + j];
            if (end < turns) sums[(m0 + i) * columns + n0 + j] = tile[i * width + j];
          }
          if (end < turns) continue;
          for (long i = 0; i < high; ++i) {
            const long row = m0 + i;
            (void)row;
            long row_rest = row;
            const long p0 = row_rest;
            #pragma omp simd
            for (long j = 0; j < wide; ++j) {
              const long column = n0 + j;
              (void)column;
              long column_rest = column;
              const long p1 = column_rest;
              const float v3 = tile[i * width + j];
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
      }
    }
  }
}

static void k9(const float *restrict b0, float *restrict b1, float *restrict b2, const float *restrict b3, float *restrict b6, long size0) {
  (void)size0;
  {
    for (long p0_start = 0; p0_start < 10; p0_start += 10) {
      enum { lanes = 10 };
      float v2[10];
      for (long lane = 0; lane < lanes; ++lane) {
        v2[lane] = 0.0f;
      }
      {
        for (long r0 = 0; r0 < size0; ++r0) {
          #pragma omp simd
          for (long lane = 0; lane < lanes; ++lane) {
            const long p0 = p0_start + lane;
            (void)p0;
            const float v1 = b0[p0 + r0 * 10];
            v2[lane] = v2[lane] + v1;
          }
        }
      }
      #pragma omp simd
      for (long lane = 0; lane < lanes; ++lane) {
        const long p0 = p0_start + lane;
        (void)p0;
        const float v3 = b1[p0];
        const float v4 = (v2[lane] - v3);
        const float v5 = (v4 * 0.10000000149011612f);
        const float v6 = (v3 + v5);
        const float v7 = (v2[lane] * v2[lane]);
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
    }
  }
}
