/* Launches, one after the other, with a barrier behind each. */

/* Seconds, for programs that are profiled. */
typedef struct {
  long seconds, nanoseconds;
} gc_time;
int clock_gettime(int, gc_time *);
GC_NOINLINE double gc_now(void) {
  gc_time now;
  clock_gettime(1, &now);
  return now.seconds + 1e-9 * now.nanoseconds;
}

void gc_launch(const gc_step *step, const gc_step *end, char *const *buffers, const long *sizes,
               const gc_worker *self) {
  gc_worker worker = *self;
  /* A kernel's time begins when the one before ends: other threads begin while the first waits for its processor. */
  double since = step < end && step->seconds ? gc_now() : 0;
  for (; step < end; ++step) {
    if (self->persistent_valid && step->persistent == GC_PERSISTENT_ALL) continue;
    worker.persistent_valid = self->persistent_valid && step->persistent == GC_PERSISTENT_SOME;
    step->call(step->kernel, buffers, sizes, step->args, &worker);
    gc_sync(self);
    if (step->seconds && self->thread == 0 && self->slot == 0) {
      const double now = gc_now();
      *step->seconds += now - since, since = now;
    }
  }
}
