/* The thread pool. Each thread has a slot, to which jobs are posted; the first slot belongs to the calling thread, and
   is taken while a job runs. Threads of the pool poll their slots for some time before they sleep: jobs often follow one
   another, and waking a thread takes long. Wherever a caller is interrupted, no thread waits for another in vain. */

typedef struct {
  char *const *addresses;
  const long *sizes, *strides; /* what a step moves each address on by */
  long count, steps, repeat, threads, grain;
  long persistent_valid; /* whether persistent buffers hold what an earlier run has computed */
  gc_barrier *barrier;
} gc_job;

void graphc_run(char *const *buffers, const long *sizes, long repeat,
                gc_barrier *barrier, long thread, long threads, long grain, long persistent_valid);

/* Runs the program on consecutive batches of the inputs. Each thread advances its own copy of the addresses: the others
   may be in the step before or after. */
void graphc_sweep(const gc_job *job, long thread) {
  char *addresses[job->count + 1];
  for (long i = 0; i < job->count; ++i) addresses[i] = job->addresses[i];
  for (long step = 0; step < job->steps; ++step) {
    graphc_run(addresses, job->sizes, job->repeat, job->barrier, thread, job->threads, job->grain,
               job->persistent_valid || step > 0);
    for (long i = 0; i < job->count; ++i) addresses[i] += job->strides[i];
  }
}

enum { GC_AWAY, GC_WAITING, GC_TAKEN, GC_POSTED };
typedef struct {
  int state;
  char padding[124];
  void (*run)(const gc_job *, long);
  const gc_job *job;
  int processor; /* on which its thread was when it woke up */
  char end_padding[108];
} gc_slot;
/* How often a thread polls its slot before it sleeps; from GC_SPINS on it yields its processor in between. */
#define GC_JOB_SPINS (GC_SPINS + 400)
int sched_yield(void);

GC_FN int gc_exchange_state(gc_slot *slot, int from, int to) {
  return __atomic_compare_exchange_n(&slot->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
GC_FN int gc_state(gc_slot *slot) { return __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE); }
GC_FN void gc_set_state(gc_slot *slot, int state) { __atomic_store_n(&slot->state, state, __ATOMIC_RELEASE); }
GC_FN void gc_pause(long spins) {
  if (spins < GC_SPINS) GC_PAUSE();
  else sched_yield();
}

/* When compilers have just kept all processors busy, systems may wake a thread on the processor of the calling thread,
   and move it after some milliseconds only; the two would wait for each other that long. So a thread that wakes up moves
   to a processor that no thread of an earlier slot is on, if there is one; the system may move it afterwards. */
#if defined(__linux__)
int sched_getcpu(void);
int sched_getaffinity(int, unsigned long, void *);
int sched_setaffinity(int, unsigned long, const void *);
enum { GC_WORD = 8 * sizeof(unsigned long), GC_MOST_PROCESSORS = 1024 };
typedef struct {
  unsigned long words[GC_MOST_PROCESSORS / GC_WORD];
} gc_processors;

GC_FN void gc_note_processor(gc_slot *slot) { __atomic_store_n(&slot->processor, sched_getcpu(), __ATOMIC_RELAXED); }
GC_NOINLINE void gc_move_to_free_processor(gc_slot *slots, long thread) {
  gc_processors allowed, free;
  if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) return;
  free = allowed;
  const int here = sched_getcpu();
  int is_taken = 0, is_any = 0;
  for (long i = 0; i < thread; ++i) {
    const int there = __atomic_load_n(&slots[i].processor, __ATOMIC_RELAXED);
    if (there < 0 || there >= GC_MOST_PROCESSORS || (i > 0 && gc_state(&slots[i]) == GC_AWAY)) continue;
    is_taken |= there == here;
    free.words[there / GC_WORD] &= ~(1UL << there % GC_WORD);
  }
  for (unsigned long i = 0; i < GC_MOST_PROCESSORS / GC_WORD; ++i) is_any |= free.words[i] != 0;
  if (!is_taken || !is_any || sched_setaffinity(0, sizeof free, &free) < 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
GC_FN void gc_note_processor(gc_slot *slot) { (void)slot; }
GC_FN void gc_move_to_free_processor(gc_slot *slots, long thread) { (void)slots, (void)thread; }
#endif

/* Runs the jobs that are posted to the slot of a thread, until none has been for some time. */
void graphc_run_posted(gc_slot *slots, long thread) {
  gc_slot *const own = &slots[thread];
  gc_move_to_free_processor(slots, thread);
  gc_note_processor(own);
  if (!gc_exchange_state(own, GC_AWAY, GC_WAITING)) return;
  for (;;) {
    for (long spins = 0; spins < GC_JOB_SPINS && gc_state(own) != GC_POSTED; ++spins) gc_pause(spins);
    if (gc_exchange_state(own, GC_WAITING, GC_AWAY)) return;
    if (gc_state(own) != GC_POSTED) continue;
    own->run(own->job, thread);
    gc_set_state(own, GC_WAITING);
  }
}

/* Runs a job on the calling thread and on those of the next slots, and returns 1 when all are done. Nothing runs if
   another call uses the pool, and the result is -1, or if a thread is not awake after so many polls, and it is 0. */
int graphc_run_job(gc_slot *slots, const gc_job *job, long most_spins) {
  if (!gc_exchange_state(&slots[0], GC_AWAY, GC_TAKEN)) return -1;
  gc_note_processor(&slots[0]); /* threads that wake up read it, also between two attempts */
  long taken = 1;
  for (long spins = 0; taken < job->threads && spins <= most_spins;)
    if (gc_exchange_state(&slots[taken], GC_WAITING, GC_TAKEN)) ++taken;
    else gc_pause(spins++);
  const int all = taken == job->threads;
  for (long i = 1; i < taken; ++i) {
    slots[i].run = graphc_sweep, slots[i].job = job;
    gc_set_state(&slots[i], all ? GC_POSTED : GC_WAITING);
  }
  if (all) {
    graphc_sweep(job, 0);
    for (long i = 1; i < taken; ++i)
      for (long spins = 0; gc_state(&slots[i]) == GC_POSTED; ++spins) gc_pause(spins);
  }
  gc_set_state(&slots[0], GC_AWAY);
  return all;
}
