/* Measures an exported model: the median time of a call with one sample and with a batch, in ms, and the memory in KB. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model.h"

#define BATCH 32
#define MOST 1000

static model_arena arena;
static INPUT x[BATCH * MODEL_X_SIZE];
static float y[BATCH * MODEL_Y_SIZE];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  const double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static double median(size_t batch, double seconds) {
  static double times[MOST];
  const double begin = now();
  size_t count = 0;
  for (int i = 0; i < 3; ++i) model_predict(x, batch, y, &arena);
  while (count < MOST && (count < 5 || now() - begin < 1e3 * seconds)) {
    const double start = now();
    if (model_predict(x, batch, y, &arena) != 0) exit(1);
    times[count++] = now() - start;
  }
  qsort(times, count, sizeof times[0], ascending);
  return times[count / 2];
}

/* The most memory that the process has had. */
static long peak(void) {
  char line[256];
  long found = 0;
  FILE *const file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "VmHWM: %ld", &found) == 1) break;
  return found;
}

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 1;
  if (fread(x, sizeof x[0], BATCH * MODEL_X_SIZE, stdin) != BATCH * MODEL_X_SIZE) return 1;
  const double one = median(1, seconds), batch = median(BATCH, seconds);
  printf("%.9g %.9g %ld\n", one, batch, peak());
  return 0;
}
