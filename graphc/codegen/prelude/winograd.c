/* What convolutions with transformed filters have in common: see `winograd.h`. */

void gc_ask(const void *from, long size) {
  for (long at = 0; at < size; at += 64) __builtin_prefetch((const char *)from + at, 1);
}

void gc_winograd_filter(const float *w, long down, long right, long step, long columns, long width,
                        long first, long end, long channels, float *u) {
  const gc_floats half = (gc_floats){0} + 0.5f;
  const long pair = channels * 2 * width;
  for (long n = 0; n < (columns + width - 1) / width * width; n += GC_FLOATS)
    for (long c = first; c < end; ++c) {
      const float *g = w + c * step + n;
      float *to = u + n / width * 8 * pair + c * 2 * width + n % width;
      float narrow[9 * GC_FLOATS];
      long g_down = down, g_right = right;
      if (n + GC_FLOATS > columns) { /* what is not there is zero */
        for (long i = 0; i < 9; ++i)
          for (long j = 0; j < GC_FLOATS; ++j)
            narrow[i * GC_FLOATS + j] = n + j < columns ? g[i / 3 * down + i % 3 * right + j] : 0;
        g = narrow, g_down = 3 * GC_FLOATS, g_right = GC_FLOATS;
      }
      gc_floats t[4][3];
      GC_UNROLL for (int x = 0; x < 3; ++x, g += g_right) {
        const gc_floats g0 = *(const gc_floats *)g, g1 = *(const gc_floats *)(g + g_down);
        const gc_floats g2 = *(const gc_floats *)(g + 2 * g_down);
        t[0][x] = half * (g0 + g2 + g1), t[1][x] = half * (g0 + g2 - g1), t[2][x] = g0, t[3][x] = g2;
      }
      GC_UNROLL for (int i = 0; i < 4; ++i, to += 2 * pair) {
        *(gc_floats *)to = half * (t[i][0] + t[i][2] + t[i][1]);
        *(gc_floats *)(to + width) = half * (t[i][0] + t[i][2] - t[i][1]);
        *(gc_floats *)(to + pair) = t[i][0], *(gc_floats *)(to + pair + width) = t[i][2];
      }
    }
}
