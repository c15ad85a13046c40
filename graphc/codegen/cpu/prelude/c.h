/* What generated C needs before anything else: no headers, so that compiling takes no time. */

#define GC_FN static inline __attribute__((unused))
/* What loops of vector code call: where it is not inlined, they are none. */
#define GC_INLINE static inline __attribute__((always_inline, unused))
/* Kernels are called from another unit of the same library. A kernel that is called once is still a function of its
   own: one large function takes compilers much longer. */
#define GC_KERNEL __attribute__((visibility("hidden"), noinline))
#define GC_APART static __attribute__((noinline, unused))
#define GC_UNROLL _Pragma("GCC unroll 16")
/* Where sums take nearly all registers gcc spills less when it goes by regions. For all functions that takes too long. */
#if defined(__GNUC__) && !defined(__clang__)
#define GC_BY_REGIONS __attribute__((optimize("-fira-region=mixed")))
#else
#define GC_BY_REGIONS
#endif
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
  long lane; /* which of those threads it is that go through passes of a loop alone, at the same time */
} gc_worker;

/* Waits until all threads are here; what they wrote is then seen by all. */
GC_KERNEL void gc_wait(const gc_worker *self);
GC_FN void gc_sync(const gc_worker *self) {
  if (self->threads > 1) gc_wait(self);
}

/* How many threads share work of so many scalar operations: one for each grain of it. */
GC_FN long gc_team(const gc_worker *self, long work) {
  return GC_MAX(1, GC_MIN(self->threads, work / self->grain));
}
/* The share of a thread: neighbouring grains of 0 .. total, and none for threads outside the team. */
GC_KERNEL long gc_bound(long total, long grain, long thread, long team);
GC_FN long gc_first(long total, long grain, const gc_worker *self, long team) {
  return gc_bound(total, grain, self->thread, team);
}
GC_FN long gc_end(long total, long grain, const gc_worker *self, long team) {
  return gc_bound(total, grain, self->thread + 1, team);
}

/* A thread's way through 0 .. total: its own share, a piece after the other, and then what is left of the others'. So
   nobody waits long for a thread that has a slower processor, or none at the moment; and as long as all are equally fast
   each finds in its cache what it has written there. There is one such way at most between two meetings. */
/* Whether that pays, by a kernel's operations: in smaller ones caches matter more than who comes last. */
#define GC_MANY_GRAINS 2048
GC_FN int gc_helps(const gc_worker *self, long work) { return work >= GC_MANY_GRAINS * self->grain; }
typedef struct {
  const gc_worker *self;
  long total, grain, team, helps;
  long thread, shares, start, stop, piece; /* whose share it is at, and at how many it will be */
  long first, end;                         /* the piece that was taken */
} gc_way;
GC_KERNEL gc_way gc_begin(long total, long grain, const gc_worker *self, long team, int helps);
/* Takes the next piece, if there is one. The turn of the meeting tells counts of this way from older ones. */
GC_KERNEL int gc_take(gc_way *way);
GC_KERNEL void gc_copy(char *to, const char *from, long size, const gc_worker *self);

/* The passes of a loop that do not need each other: each thread of a team takes whole ones, and goes through them alone,
   in memory of its own; where that would leave threads without one, all go through every pass together. */
typedef struct {
  gc_worker worker; /* who runs the steps of a pass */
  gc_way way;
  long pass, end; /* passes count from 1 */
  int together;
} gc_passes;
GC_KERNEL gc_passes gc_begin_passes(long count, long lanes, long work, const gc_worker *self);
GC_KERNEL int gc_next_pass(gc_passes *passes);

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
GC_KERNEL void gc_launch(const gc_step *step, const gc_step *end, char *const *buffers, const long *sizes,
                         const gc_worker *self);
