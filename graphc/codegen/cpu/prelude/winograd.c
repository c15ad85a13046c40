/* The loops of all convolutions with transformed filters: see `winograd.h`. */

void gc_prefetch(const void *from, long size) {
  for (long at = 0; at < size; at += 64) __builtin_prefetch((const char *)from + at, 1);
}

/* Some channels of a filter w[3][3][channels][columns], given by its steps, as G w G^T in
   u[panel][4 lines][2 pairs][channels][2][width]: in the order in which they are read. */
static void gc_winograd_filter(const float *w, long down, long right, long step, long columns, long width,
                        long first, long end, long channels, float *u) {
  const gc_floats half = (gc_floats){0} + 0.5f;
  const long pair = channels * 2 * width;
  for (long n = 0; n < (columns + width - 1) / width * width; n += GC_FLOATS)
    for (long c = first; c < end; ++c) {
      const float *g = w + c * step + n;
      float *to = u + n / width * 8 * pair + c * 2 * width + n % width;
      float narrow[9 * GC_FLOATS];
      long g_down = down, g_right = right;
      if (n + GC_FLOATS > columns) { /* columns beyond the last are zero */
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

/* Transforms the filter, all threads together, unless the transformed one persists from an earlier run; then the threads
   share groups of tiles, or the columns of all tiles: of a filter that is larger than the image each thread reads its
   own columns alone, from its own cache. In a group with fewer tiles the last is repeated, and its results not used. */
void gc_convolve(const gc_convolution *p, const gc_worker *self) {
  const long columns = p->columns, width = p->width, across = (columns + width - 1) / width;
  const long groups = (p->tiles + p->tile_rows - 1) / p->tile_rows, threads = gc_threads_for(self, p->work);
  if (!self->persistent_valid) {
    const long first = gc_first(p->channels, 1, self, threads), end = gc_end(p->channels, 1, self, threads);
    gc_winograd_filter(p->filter, p->filter_down, p->filter_right, p->filter_step, columns, width, first, end,
                       p->channels, p->transformed);
    gc_sync(self);
  }
  const _Bool by_columns = p->tiles <= columns && across >= threads;
  for (gc_chunks chunks = gc_begin_chunks(by_columns ? across : groups, 1, self, threads, gc_steals(self, p->work));
       gc_next_chunk(&chunks);) {
    const long start = by_columns ? chunks.first * width : 0;
    const long end = by_columns ? GC_MIN(chunks.end * width, columns) : columns;
    for (long group = by_columns ? 0 : chunks.first; group < (by_columns ? groups : chunks.end); ++group) {
      const long first = group * p->tile_rows, high = GC_MIN(p->tile_rows, p->tiles - first);
      for (long i = 0; i < p->tile_rows; ++i)
        p->pixels(p->args, GC_MIN(first + i, p->tiles - 1), p->image + i * p->channels);
      for (long n0 = start; n0 < end; n0 += width) {
        p->multiply(p->args, p->image, p->transformed + n0 * 16 * p->channels, p->sums);
        p->outputs(p->args, first, high, n0, p->sums);
      }
    }
  }
}
