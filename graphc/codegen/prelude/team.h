/* How the threads of a team come to run a program. Each thread but the leader has a room, where it waits a while for
   the next job before it goes back to sleep: jobs often follow one another, and to wake a thread takes long. */

typedef struct {
  char *const *addresses;
  const long *sizes, *strides; /* what a step moves each address on by */
  long count, steps, repeat, threads, grain;
  gc_meeting *meeting;
} gc_job;

/* Runs the program on one piece of the inputs after the other. Each thread moves its own copy of the table: the others
   may be in the step before or after. */
void graphc_sweep(const gc_job *job, long thread) {
  char *own[job->count + 1];
  for (long i = 0; i < job->count; ++i) own[i] = job->addresses[i];
  for (long step = 0; step < job->steps; ++step) {
    graphc_run(own, job->sizes, job->repeat, job->meeting, thread, job->threads, job->grain);
    for (long i = 0; i < job->count; ++i) own[i] += job->strides[i];
  }
}

enum { GC_AWAY, GC_COMING, GC_WAITING, GC_TAKEN, GC_POSTED };
typedef struct {
  int state;
  char apart[124];
  void (*run)(const gc_job *, long);
  const gc_job *job;
  long thread;
  char end[104];
} gc_room;
#define GC_LINGER 6000
int sched_yield(void);

GC_FN int gc_move(gc_room *room, int from, int to) {
  return __atomic_compare_exchange_n(&room->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Does what is posted in a room, until for some time nothing is. */
void graphc_serve(gc_room *room) {
  gc_move(room, GC_COMING, GC_WAITING);
  for (;;) {
    for (long spins = 0; spins < GC_LINGER; ++spins) {
      if (__atomic_load_n(&room->state, __ATOMIC_ACQUIRE) == GC_POSTED) break;
      GC_PAUSE();
    }
    if (gc_move(room, GC_WAITING, GC_AWAY)) return;
    if (__atomic_load_n(&room->state, __ATOMIC_ACQUIRE) != GC_POSTED) continue;
    room->run(room->job, room->thread);
    __atomic_store_n(&room->state, GC_WAITING, __ATOMIC_RELEASE);
  }
}

/* Runs a job on the calling thread and on those in the first rooms, and returns when all are done; if one of them is
   away, nothing happens, and the result is 0. */
int graphc_lead(gc_room *rooms, const gc_job *job) {
  const long others = job->threads - 1;
  for (long i = 0; i < others; ++i) {
    if (gc_move(&rooms[i], GC_WAITING, GC_TAKEN) || gc_move(&rooms[i], GC_COMING, GC_TAKEN)) continue;
    while (i-- > 0) __atomic_store_n(&rooms[i].state, GC_WAITING, __ATOMIC_RELEASE);
    return 0;
  }
  for (long i = 0; i < others; ++i) {
    rooms[i].run = graphc_sweep, rooms[i].job = job, rooms[i].thread = i + 1;
    __atomic_store_n(&rooms[i].state, GC_POSTED, __ATOMIC_RELEASE);
  }
  graphc_sweep(job, 0);
  for (long i = 0; i < others; ++i)
    for (long spins = 0; __atomic_load_n(&rooms[i].state, __ATOMIC_ACQUIRE) == GC_POSTED; ++spins)
      if (spins < GC_SPINS) GC_PAUSE();
      else sched_yield();
  return 1;
}
