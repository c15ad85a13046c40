/* Classifies the pictures of images.bin, and tells how many it gets right, and how long one takes. */
#include <stdio.h>
#include <time.h>

#include "clothes.h"

static clothes_arena arena;
static unsigned char records[CLOTHES_MAX_BATCH][1 + CLOTHES_X_SIZE]; /* a label, then its picture */
static float images[CLOTHES_MAX_BATCH * CLOTHES_X_SIZE], classes[CLOTHES_MAX_BATCH * CLOTHES_Y_SIZE];

int main(void) {
  FILE *file = fopen("images.bin", "rb");
  size_t batch, total = 0, right = 0;
  clock_t spent = 0;
  if (file == NULL) return 1;
  while ((batch = fread(records, sizeof records[0], CLOTHES_MAX_BATCH, file)) > 0) {
    for (size_t i = 0; i < batch; ++i)
      for (size_t j = 0; j < CLOTHES_X_SIZE; ++j) images[i * CLOTHES_X_SIZE + j] = (float)records[i][1 + j];
    const clock_t start = clock();
    if (clothes_predict(images, batch, classes, &arena) != 0) return 1;
    spent += clock() - start;
    for (size_t i = 0; i < batch; ++i) {
      const float *const scores = classes + i * CLOTHES_Y_SIZE;
      int best = 0;
      for (int j = 1; j < CLOTHES_Y_SIZE; ++j) best = scores[j] > scores[best] ? j : best;
      right += best == records[i][0];
    }
    total += batch;
  }
  fclose(file);
  printf("test accuracy of C: %.4f\n", (double)right / (double)total);
  printf("one image: %.4f ms, %d bytes of memory\n", 1e3 * (double)spent / CLOCKS_PER_SEC / (double)total,
         CLOTHES_ARENA_BYTES);
  return 0;
}
