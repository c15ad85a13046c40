/* Work sharing: the shares of threads, work stealing, and the iterations of loops. */

long gc_bound(long total, long grain, long thread, long threads) {
  const long grains = (total + grain - 1) / grain;
  return GC_MIN(total, grains * GC_MIN(thread, threads) / threads * grain);
}

#define GC_CHUNKS_OF_SHARE 8
GC_FN void gc_set_share(gc_chunks *chunks) {
  chunks->start = gc_bound(chunks->total, chunks->grain, chunks->thread, chunks->threads);
  chunks->stop = gc_bound(chunks->total, chunks->grain, chunks->thread + 1, chunks->threads);
  chunks->size = chunks->stop - chunks->start;
  if (chunks->steals) chunks->size = GC_MAX(1, chunks->size / chunks->grain / GC_CHUNKS_OF_SHARE) * chunks->grain;
}
gc_chunks gc_begin_chunks(long total, long grain, const gc_worker *self, long threads, int steals) {
  gc_chunks chunks = {.self = self, .total = total, .grain = grain, .threads = threads,
                      .steals = steals && threads > 1};
  chunks.thread = self->thread, chunks.shares = self->thread < threads ? chunks.steals ? threads : 1 : 0;
  if (chunks.shares > 0) gc_set_share(&chunks);
  return chunks;
}
int gc_next_chunk(gc_chunks *chunks) {
  gc_barrier *const barrier = chunks->self->barrier;
  while (chunks->shares > 0) {
    if (!chunks->steals) {
      chunks->shares = 0, chunks->first = chunks->start, chunks->end = chunks->stop;
      return chunks->start < chunks->stop;
    }
    const unsigned long long generation = (unsigned)__atomic_load_n(&barrier->generation, __ATOMIC_RELAXED);
    unsigned long long *const place = &barrier->shares[chunks->thread].taken;
    unsigned long long seen = __atomic_load_n(place, __ATOMIC_RELAXED);
    for (;;) {
      const unsigned long long taken = seen >> 32 == generation ? (unsigned)seen : 0;
      chunks->first = chunks->start + (long)taken * chunks->size;
      chunks->end = GC_MIN(chunks->stop, chunks->first + chunks->size);
      if (chunks->first >= chunks->stop) break;
      const unsigned long long next = generation << 32 | (taken + 1);
      if (__atomic_compare_exchange_n(place, &seen, next, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return 1;
    }
    chunks->thread = (chunks->thread + 1) % chunks->threads;
    if (--chunks->shares > 0) gc_set_share(chunks);
  }
  return 0;
}

/* With so many iterations for each thread it does not matter that some threads run one more than others. */
#define GC_MANY_ITERATIONS 4
gc_iterations gc_begin_iterations(long count, long slots, long work, const gc_worker *self) {
  const long threads = GC_MIN(gc_threads_for(self, work), slots);
  gc_iterations iterations = {.worker = *self, .together = count % threads && count < GC_MANY_ITERATIONS * threads};
  if (iterations.together) {
    iterations.end = count;
  } else {
    iterations.worker.thread = 0, iterations.worker.threads = 1, iterations.worker.slot = self->thread;
    iterations.chunks = gc_begin_chunks(count, 1, self, threads, 1);
  }
  return iterations;
}
int gc_next_iteration(gc_iterations *iterations) {
  if (iterations->current == iterations->end) {
    if (iterations->together || !gc_next_chunk(&iterations->chunks)) return 0;
    iterations->current = iterations->chunks.first, iterations->end = iterations->chunks.end;
  }
  ++iterations->current;
  return 1;
}

void gc_copy(char *to, const char *from, long size, const gc_worker *self) {
  const long threads = gc_threads_for(self, size);
  const long first = gc_first(size, 64, self, threads), end = gc_end(size, 64, self, threads);
  if (first < end) __builtin_memcpy(to + first, from + first, end - first);
}
