/* How the threads of a team come to run a program. Each has a room; the leader's, the first, says whether there is one.
   The others wait in theirs a while for the next job before they go back to sleep: jobs often follow one another, and
   to wake a thread takes long. Whatever the callers are interrupted at, nobody waits for a thread that does not come. */

typedef struct {
  char *const *addresses;
  const long *sizes, *strides; /* what a step moves each address on by */
  long count, steps, repeat, threads, grain;
  long kept; /* whether what earlier runs have left still holds */
  gc_meeting *meeting;
} gc_job;

/* Runs the program on one piece of the inputs after the other. Each thread moves its own copy of the table: the others
   may be in the step before or after. */
void graphc_sweep(const gc_job *job, long thread) {
  char *own[job->count + 1];
  for (long i = 0; i < job->count; ++i) own[i] = job->addresses[i];
  for (long step = 0; step < job->steps; ++step) {
    graphc_run(own, job->sizes, job->repeat, job->meeting, thread, job->threads, job->grain,
               job->kept || step > 0);
    for (long i = 0; i < job->count; ++i) own[i] += job->strides[i];
  }
}

enum { GC_AWAY, GC_WAITING, GC_TAKEN, GC_POSTED };
typedef struct {
  int state;
  char apart[124];
  void (*run)(const gc_job *, long);
  const gc_job *job;
  char end[112];
} gc_room;
/* How often a thread looks for a job before it sleeps; after GC_SPINS others may run. */
#define GC_LINGER (GC_SPINS + 400)
int sched_yield(void);

GC_FN int gc_move(gc_room *room, int from, int to) {
  return __atomic_compare_exchange_n(&room->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
GC_FN int gc_state(gc_room *room) { return __atomic_load_n(&room->state, __ATOMIC_ACQUIRE); }
GC_FN void gc_set(gc_room *room, int state) { __atomic_store_n(&room->state, state, __ATOMIC_RELEASE); }
GC_FN void gc_pause(long spins) {
  if (spins < GC_SPINS) GC_PAUSE();
  else sched_yield();
}

/* Does what is posted in the room of a thread, until for some time nothing is. */
void graphc_serve(gc_room *rooms, long thread) {
  gc_room *const own = &rooms[thread];
  if (!gc_move(own, GC_AWAY, GC_WAITING)) return;
  for (;;) {
    for (long spins = 0; spins < GC_LINGER && gc_state(own) != GC_POSTED; ++spins) gc_pause(spins);
    if (gc_move(own, GC_WAITING, GC_AWAY)) return;
    if (gc_state(own) != GC_POSTED) continue;
    own->run(own->job, thread);
    gc_set(own, GC_WAITING);
  }
}

/* Runs a job on the calling thread and on those in the next rooms, and returns 1 when all are done. Nothing happens if
   they have another leader, and the result is -1, or if one is not there in time, and the result is 0. */
int graphc_lead(gc_room *rooms, const gc_job *job, long patience) {
  if (!gc_move(&rooms[0], GC_AWAY, GC_TAKEN)) return -1;
  long taken = 1;
  for (long spins = 0; taken < job->threads && spins <= patience;)
    if (gc_move(&rooms[taken], GC_WAITING, GC_TAKEN)) ++taken;
    else gc_pause(spins++);
  const int all = taken == job->threads;
  for (long i = 1; i < taken; ++i) {
    rooms[i].run = graphc_sweep, rooms[i].job = job;
    gc_set(&rooms[i], all ? GC_POSTED : GC_WAITING);
  }
  if (all) {
    graphc_sweep(job, 0);
    for (long i = 1; i < taken; ++i)
      for (long spins = 0; gc_state(&rooms[i]) == GC_POSTED; ++spins) gc_pause(spins);
  }
  gc_set(&rooms[0], GC_AWAY);
  return all;
}
