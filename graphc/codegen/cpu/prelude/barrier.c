/* The barrier between steps. It belongs to what all programs share, and is compiled once. */

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

void gc_barrier_wait(const gc_worker *self) {
  gc_barrier *const barrier = self->barrier;
  const int generation = __atomic_load_n(&barrier->generation, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == self->threads) {
    __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&barrier->generation, generation + 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&barrier->sleepers, __ATOMIC_SEQ_CST)) GC_WAKE(&barrier->generation);
    return;
  }
  for (long spins = 0; spins < GC_SPINS; ++spins) {
    if (__atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE) != generation) return;
    GC_PAUSE();
  }
  __atomic_add_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&barrier->generation, __ATOMIC_SEQ_CST) == generation)
    GC_SLEEP(&barrier->generation, generation);
  __atomic_sub_fetch(&barrier->sleepers, 1, __ATOMIC_SEQ_CST);
}
