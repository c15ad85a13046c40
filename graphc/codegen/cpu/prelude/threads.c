/* What all programs have in common, compiled once: how threads meet and share work, and how launches run. */

#if defined(__x86_64__) || defined(__i386__)
#define GC_PAUSE() __builtin_ia32_pause()
#else
#define GC_PAUSE() __asm__ volatile("" ::: "memory")
#endif
/* A thread that waits for long sleeps: where threads share processors, what it waits for needs the processor. */
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#if defined(__x86_64__)
#define GC_FUTEX 202
#else
#define GC_FUTEX 98
#endif
long syscall(long, ...);
#define GC_SLEEP(place, value) syscall(GC_FUTEX, place, 128, value, (void *)0)
#define GC_WAKE(place) syscall(GC_FUTEX, place, 129, 1 << 30)
#else
int sched_yield(void);
#define GC_SLEEP(place, value) sched_yield()
#define GC_WAKE(place) ((void)0)
#endif
#define GC_SPINS 2000

void gc_wait(const gc_worker *self) {
  gc_meeting *const m = self->meeting;
  const int turn = __atomic_load_n(&m->turn, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&m->arrived, 1, __ATOMIC_ACQ_REL) == self->threads) {
    __atomic_store_n(&m->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&m->turn, turn + 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&m->sleepers, __ATOMIC_SEQ_CST)) GC_WAKE(&m->turn);
    return;
  }
  for (long spins = 0; spins < GC_SPINS; ++spins) {
    if (__atomic_load_n(&m->turn, __ATOMIC_ACQUIRE) != turn) return;
    GC_PAUSE();
  }
  __atomic_add_fetch(&m->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&m->turn, __ATOMIC_SEQ_CST) == turn) GC_SLEEP(&m->turn, turn);
  __atomic_sub_fetch(&m->sleepers, 1, __ATOMIC_SEQ_CST);
}

long gc_bound(long total, long grain, long thread, long team) {
  const long grains = (total + grain - 1) / grain;
  return GC_MIN(total, grains * GC_MIN(thread, team) / team * grain);
}

#define GC_PIECES 8
GC_FN void gc_look(gc_way *way) {
  way->start = gc_bound(way->total, way->grain, way->thread, way->team);
  way->stop = gc_bound(way->total, way->grain, way->thread + 1, way->team);
  way->piece = way->stop - way->start;
  if (way->helps) way->piece = GC_MAX(1, way->piece / way->grain / GC_PIECES) * way->grain;
}
gc_way gc_begin(long total, long grain, const gc_worker *self, long team, int helps) {
  gc_way way = {.self = self, .total = total, .grain = grain, .team = team, .helps = helps && team > 1};
  way.thread = self->thread, way.shares = self->thread < team ? way.helps ? team : 1 : 0;
  if (way.shares > 0) gc_look(&way);
  return way;
}
int gc_take(gc_way *way) {
  gc_meeting *const m = way->self->meeting;
  while (way->shares > 0) {
    if (!way->helps) {
      way->shares = 0, way->first = way->start, way->end = way->stop;
      return way->start < way->stop;
    }
    const unsigned long long turn = (unsigned)__atomic_load_n(&m->turn, __ATOMIC_RELAXED);
    unsigned long long *const place = &m->shares[way->thread].taken, seen = __atomic_load_n(place, __ATOMIC_RELAXED);
    for (;;) {
      const unsigned long long taken = seen >> 32 == turn ? (unsigned)seen : 0;
      way->first = way->start + (long)taken * way->piece, way->end = GC_MIN(way->stop, way->first + way->piece);
      if (way->first >= way->stop) break;
      const unsigned long long next = turn << 32 | (taken + 1);
      if (__atomic_compare_exchange_n(place, &seen, next, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return 1;
    }
    way->thread = (way->thread + 1) % way->team;
    if (--way->shares > 0) gc_look(way);
  }
  return 0;
}

/* From how many passes for each thread on it is no matter if some thread takes one more. */
#define GC_MANY_PASSES 4
gc_passes gc_begin_passes(long count, long lanes, long work, const gc_worker *self) {
  const long team = GC_MIN(gc_team(self, work), lanes);
  gc_passes passes = {.worker = *self, .together = count % team && count < GC_MANY_PASSES * team};
  if (passes.together) {
    passes.end = count;
  } else {
    passes.worker.thread = 0, passes.worker.threads = 1, passes.worker.lane = self->thread;
    passes.way = gc_begin(count, 1, self, team, 1);
  }
  return passes;
}
int gc_next_pass(gc_passes *passes) {
  if (passes->pass == passes->end) {
    if (passes->together || !gc_take(&passes->way)) return 0;
    passes->pass = passes->way.first, passes->end = passes->way.end;
  }
  ++passes->pass;
  return 1;
}

void gc_copy(char *to, const char *from, long size, const gc_worker *self) {
  const long team = gc_team(self, size), first = gc_first(size, 64, self, team), end = gc_end(size, 64, self, team);
  if (first < end) __builtin_memcpy(to + first, from + first, end - first);
}

/* Seconds that each kernel took, for those who profile. */
typedef struct {
  long seconds, nanoseconds;
} gc_time;
int clock_gettime(int, gc_time *);
GC_APART double gc_now(void) {
  gc_time now;
  clock_gettime(1, &now);
  return now.seconds + 1e-9 * now.nanoseconds;
}

void gc_launch(const gc_step *step, const gc_step *end, char *const *buffers, const long *sizes,
                        const gc_worker *self) {
  gc_worker own = *self;
  /* A kernel's time is from the end of the one before: others begin while the first thread waits for its processor. */
  double since = step < end && step->seconds ? gc_now() : 0;
  for (; step < end; ++step) {
    if (self->kept && step->keeps == GC_KEEPS_ALL) continue;
    own.kept = self->kept && step->keeps == GC_KEEPS_SOME;
    step->call(step->kernel, buffers, sizes, step->args, &own);
    gc_sync(self);
    if (step->seconds && self->thread == 0 && self->lane == 0) {
      const double now = gc_now();
      *step->seconds += now - since, since = now;
    }
  }
}
