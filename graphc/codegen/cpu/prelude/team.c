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

void graphc_run(char *const *buffers, const long *sizes, long repeat,
                gc_meeting *meeting, long thread, long threads, long grain, long kept);

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
  int processor; /* on which its thread was when it came */
  char end[108];
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

/* Where compilers have just kept all processors busy, systems may wake a thread on the one that its leader is on, and
   move it in some milliseconds only; the two would wait for each other that long. So a thread that comes goes to a
   processor that none of those before it is on, if it may; it is free to be moved afterwards. */
#if defined(__linux__)
int sched_getcpu(void);
int sched_getaffinity(int, unsigned long, void *);
int sched_setaffinity(int, unsigned long, const void *);
enum { GC_WORD = 8 * sizeof(unsigned long), GC_MOST_PROCESSORS = 1024 };
typedef struct {
  unsigned long words[GC_MOST_PROCESSORS / GC_WORD];
} gc_processors;

GC_FN void gc_arrive(gc_room *room) { __atomic_store_n(&room->processor, sched_getcpu(), __ATOMIC_RELAXED); }
GC_APART void gc_go_apart(gc_room *rooms, long thread) {
  gc_processors allowed, free;
  if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) return;
  free = allowed;
  const int here = sched_getcpu();
  int is_taken = 0, is_any = 0;
  for (long i = 0; i < thread; ++i) {
    const int there = __atomic_load_n(&rooms[i].processor, __ATOMIC_RELAXED);
    if (there < 0 || there >= GC_MOST_PROCESSORS || (i > 0 && gc_state(&rooms[i]) == GC_AWAY)) continue;
    is_taken |= there == here;
    free.words[there / GC_WORD] &= ~(1UL << there % GC_WORD);
  }
  for (unsigned long i = 0; i < GC_MOST_PROCESSORS / GC_WORD; ++i) is_any |= free.words[i] != 0;
  if (!is_taken || !is_any || sched_setaffinity(0, sizeof free, &free) < 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
GC_FN void gc_arrive(gc_room *room) { (void)room; }
GC_FN void gc_go_apart(gc_room *rooms, long thread) { (void)rooms, (void)thread; }
#endif

/* Does what is posted in the room of a thread, until for some time nothing is. */
void graphc_serve(gc_room *rooms, long thread) {
  gc_room *const own = &rooms[thread];
  gc_go_apart(rooms, thread);
  gc_arrive(own);
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
  gc_arrive(&rooms[0]); /* those who are called look where it is, also between two attempts */
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
