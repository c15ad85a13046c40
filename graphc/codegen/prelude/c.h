/* What generated C needs before anything else: no headers, so that compiling takes no time. */

#define GC_FN static inline __attribute__((unused))
/* What loops of vector code call: where it is not inlined, they are none. */
#define GC_INLINE static inline __attribute__((always_inline, unused))
/* Kernels are called from another unit of the same library. A kernel that is called once is still a function of its
   own: one large function takes compilers much longer. */
#define GC_KERNEL __attribute__((visibility("hidden"), noinline))
#define GC_APART static __attribute__((noinline, unused))
#define GC_UNROLL _Pragma("GCC unroll 16")
#define GC_BOOL _Bool
#define GC_INFINITY __builtin_inf()
#define GC_NAN __builtin_nan("")
#define GC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define GC_MAX(a, b) ((a) > (b) ? (a) : (b))

#define GC_DECLARE(NAME) double NAME(double); float NAME##f(float);
GC_DECLARE(exp) GC_DECLARE(exp2) GC_DECLARE(expm1) GC_DECLARE(log) GC_DECLARE(log2) GC_DECLARE(log10) GC_DECLARE(log1p)
GC_DECLARE(sqrt) GC_DECLARE(cbrt) GC_DECLARE(sin) GC_DECLARE(cos) GC_DECLARE(tan) GC_DECLARE(asin) GC_DECLARE(acos)
GC_DECLARE(atan) GC_DECLARE(sinh) GC_DECLARE(cosh) GC_DECLARE(tanh) GC_DECLARE(asinh) GC_DECLARE(acosh) GC_DECLARE(atanh)
GC_DECLARE(erf) GC_DECLARE(erfc) GC_DECLARE(floor) GC_DECLARE(ceil) GC_DECLARE(rint) GC_DECLARE(trunc) GC_DECLARE(fabs)
double pow(double, double); float powf(float, float);
double fmod(double, double); float fmodf(float, float);
double atan2(double, double); float atan2f(float, float);

typedef unsigned short bfloat16;
GC_FN float gc_from_bfloat16(bfloat16 bits) {
  union { unsigned u; float f; } x = {(unsigned)bits << 16};
  return x.f;
}
GC_FN bfloat16 gc_to_bfloat16(float value) {
  union { float f; unsigned u; } x = {value};
  if (value != value) return (bfloat16)((x.u >> 16) | 0x40);
  return (bfloat16)((x.u + 0x7FFF + ((x.u >> 16) & 1)) >> 16);
}

/* Threads. All run the same program, each on its share of every kernel, and meet between steps. */
typedef struct {
  int arrived;
  char apart[124]; /* what waiting threads read lies on a cache line of its own */
  int turn, sleepers;
  char end[120];
  struct {
    unsigned long long taken; /* since which turn, and how many pieces of the thread's share */
    char apart[120];
  } shares[];
} gc_meeting;
typedef struct {
  long thread, threads, grain;
  gc_meeting *meeting;
  long kept; /* whether an earlier run has left what it could prepare for this one */
} gc_worker;

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

/* Waits until all threads are here; what they wrote is then seen by all. */
GC_APART void gc_wait(const gc_worker *self) {
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
GC_FN void gc_sync(const gc_worker *self) {
  if (self->threads > 1) gc_wait(self);
}

/* How many threads share work of so many scalar operations: one for each grain of it. */
GC_FN long gc_team(const gc_worker *self, long work) {
  return GC_MAX(1, GC_MIN(self->threads, work / self->grain));
}
/* The share of a thread: neighbouring grains of 0 .. total, and none for threads outside the team. */
GC_APART long gc_bound(long total, long grain, long thread, long team) {
  const long grains = (total + grain - 1) / grain;
  return GC_MIN(total, grains * GC_MIN(thread, team) / team * grain);
}
GC_FN long gc_first(long total, long grain, const gc_worker *self, long team) {
  return gc_bound(total, grain, self->thread, team);
}
GC_FN long gc_end(long total, long grain, const gc_worker *self, long team) {
  return gc_bound(total, grain, self->thread + 1, team);
}

/* A thread's way through 0 .. total: its own share, a piece after the other, and then what is left of the others'. So
   nobody waits long for a thread that has a slower processor, or none at the moment; and as long as all are equally fast
   each finds in its cache what it has written there. There is one such way at most between two meetings. */
#define GC_PIECES 8
/* Whether that pays, by a kernel's operations: in smaller ones caches matter more than who comes last. */
#define GC_MANY_GRAINS 2048
GC_FN int gc_helps(const gc_worker *self, long work) { return work >= GC_MANY_GRAINS * self->grain; }
typedef struct {
  const gc_worker *self;
  long total, grain, team, helps;
  long thread, shares, start, stop, piece; /* whose share it is at, and at how many it will be */
  long first, end;                         /* the piece that was taken */
} gc_way;
GC_FN void gc_look(gc_way *way) {
  way->start = gc_bound(way->total, way->grain, way->thread, way->team);
  way->stop = gc_bound(way->total, way->grain, way->thread + 1, way->team);
  way->piece = way->stop - way->start;
  if (way->helps) way->piece = GC_MAX(1, way->piece / way->grain / GC_PIECES) * way->grain;
}
GC_APART gc_way gc_begin(long total, long grain, const gc_worker *self, long team, int helps) {
  gc_way way = {.self = self, .total = total, .grain = grain, .team = team, .helps = helps && team > 1};
  way.thread = self->thread, way.shares = self->thread < team ? way.helps ? team : 1 : 0;
  if (way.shares > 0) gc_look(&way);
  return way;
}
/* Takes the next piece, if there is one. The turn of the meeting tells counts of this way from older ones. */
GC_APART int gc_take(gc_way *way) {
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

GC_APART void gc_copy(char *to, const char *from, long size, const gc_worker *self) {
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

/* Launches as data: a kernel, a function for all kernels with as many parameters, which takes them from where `args`
   says, how much of what it writes holds for later runs, and where to add up the seconds that it takes, for those who
   profile. To a caller all buffers are alike. */
typedef void gc_function(void);
#define GC_CALL \
  gc_function *kernel, char *const *buffers, const long *sizes, const int *args, const gc_worker *self
typedef struct {
  void (*call)(GC_CALL);
  gc_function *kernel;
  const int *args;
  double *seconds;
  enum { GC_KEEPS_NOTHING, GC_KEEPS_SOME, GC_KEEPS_ALL } keeps;
} gc_step;
GC_APART void gc_launch(const gc_step *step, const gc_step *end, char *const *buffers, const long *sizes,
                        const gc_worker *self) {
  gc_worker own = *self;
  for (; step < end; ++step) {
    if (self->kept && step->keeps == GC_KEEPS_ALL) continue;
    own.kept = self->kept && step->keeps == GC_KEEPS_SOME;
    const double start = step->seconds ? gc_now() : 0;
    step->call(step->kernel, buffers, sizes, step->args, &own);
    gc_sync(self);
    if (step->seconds && self->thread == 0) *step->seconds += gc_now() - start;
  }
}
