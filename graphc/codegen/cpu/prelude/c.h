/* Declarations that all generated C starts with. It includes no headers, which take compilers longer than kernels do. */

#define GC_FN static inline __attribute__((unused))
/* Functions that are called in vectorised loops: a loop with a call that is not inlined is not vectorised. */
#define GC_INLINE static inline __attribute__((always_inline, unused))
/* Kernels are called from another unit of the same library. A kernel that is called once is still a function of its
   own: one large function takes compilers much longer. */
#define GC_KERNEL __attribute__((visibility("hidden"), noinline))
#define GC_NOINLINE static __attribute__((noinline, unused))
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

/* Threads. All run the same program, each on its share of every kernel, with a barrier between steps. */
typedef struct {
  int arrived;
  char padding[124]; /* waiting threads read the next line, which arriving ones do not write */
  int generation, sleepers; /* how many times all threads have passed the barrier, and how many sleep at it */
  char end_padding[120];
  struct {
    unsigned long long taken; /* the generation, and how many chunks of the thread's share have been taken since */
    char padding[120];
  } shares[];
} gc_barrier;
typedef struct {
  long thread, threads, grain;
  gc_barrier *barrier;
  long persistent_valid; /* whether persistent buffers hold what an earlier run has computed */
  long slot; /* of the threads that run iterations of a loop alone, each in memory of its own: which one this is */
} gc_worker;

/* Waits until all threads have arrived; what each has written is then seen by all. */
GC_KERNEL void gc_barrier_wait(const gc_worker *self);
GC_FN void gc_sync(const gc_worker *self) {
  if (self->threads > 1) gc_barrier_wait(self);
}

/* How many threads share work of so many scalar operations: one for each grain of it. */
GC_FN long gc_threads_for(const gc_worker *self, long work) {
  return GC_MAX(1, GC_MIN(self->threads, work / self->grain));
}
/* Where the share of a thread begins: neighbouring grains of 0 .. total; threads beyond `threads` have none. */
GC_KERNEL long gc_bound(long total, long grain, long thread, long threads);
GC_FN long gc_first(long total, long grain, const gc_worker *self, long threads) {
  return gc_bound(total, grain, self->thread, threads);
}
GC_FN long gc_end(long total, long grain, const gc_worker *self, long threads) {
  return gc_bound(total, grain, self->thread + 1, threads);
}

/* Work stealing: a thread takes the chunks of its own share of 0 .. total, one after the other, and then those that are
   left of the others' shares. So no thread waits long for one that has a slower processor, or none at the moment; and as
   long as all are equally fast each finds in its cache what it has written there. Between two barriers there is one such
   loop at most. */
/* Stealing pays from so many grains of work on: in smaller kernels caches matter more than which thread ends last. */
#define GC_MANY_GRAINS 2048
GC_FN int gc_steals(const gc_worker *self, long work) { return work >= GC_MANY_GRAINS * self->grain; }
typedef struct {
  const gc_worker *self;
  long total, grain, threads, steals;
  long thread, shares, start, stop, size; /* of the share that chunks are taken from; how many shares are left */
  long first, end;                        /* the chunk that was taken */
} gc_chunks;
GC_KERNEL gc_chunks gc_begin_chunks(long total, long grain, const gc_worker *self, long threads, int steals);
/* Takes the next chunk, if there is one. The generation of the barrier tells counts of this loop from older ones. */
GC_KERNEL int gc_next_chunk(gc_chunks *chunks);
GC_KERNEL void gc_copy(char *to, const char *from, long size, const gc_worker *self);

/* The iterations of a loop that do not depend on each other: each thread takes whole ones and runs them alone, in memory
   of its own. Where that would leave threads idle, all run every iteration together. */
typedef struct {
  gc_worker worker; /* that runs the steps of an iteration */
  gc_chunks chunks;
  long current, end; /* iterations count from 1 */
  int together;
} gc_iterations;
GC_KERNEL gc_iterations gc_begin_iterations(long count, long slots, long work, const gc_worker *self);
GC_KERNEL int gc_next_iteration(gc_iterations *iterations);

/* A launch, as data: a kernel; a function for all kernels with as many parameters, which takes the arguments from where
   `args` says; which of the buffers that the kernel writes are persistent; and where the seconds that it takes are added
   up, if the program is profiled. The function takes all buffers as bytes. */
typedef void gc_function(void);
#define GC_CALL \
  gc_function *kernel, char *const *buffers, const long *sizes, const int *args, const gc_worker *self
typedef struct {
  void (*call)(GC_CALL);
  gc_function *kernel;
  const int *args;
  double *seconds;
  enum { GC_PERSISTENT_NONE, GC_PERSISTENT_SOME, GC_PERSISTENT_ALL } persistent;
} gc_step;
GC_KERNEL void gc_launch(const gc_step *step, const gc_step *end, char *const *buffers, const long *sizes,
                         const gc_worker *self);
