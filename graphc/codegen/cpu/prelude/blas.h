/* Blocks of products that a BLAS library computes. The program is given the address of its function: sums go to `c`, row
   by row, for matrices that lie by rows (101) as they are (111) or transposed (112). */
typedef void gc_sgemm(int order, int transpose_left, int transpose_right, int m, int n, int k, float alpha,
                      const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
__attribute__((weak)) void *graphc_sgemm; /* one for all units of a program */

#define GC_BLAS_BLOCK(NAME, WIDTH, TRANSPOSED)                                                                        \
  static __attribute__((noinline)) void NAME(const gc_steps *steps, const void *left, const void *right, void *to) {  \
    const int lda = (TRANSPOSED) ? steps->k : steps->m, high = steps->high, deep = GC_MAX(steps->inner, 0);           \
    ((gc_sgemm *)graphc_sgemm)(101, (TRANSPOSED) ? 112 : 111, 111, high, WIDTH, deep, 1, left, lda, right,              \
                               steps->along, steps->add, to, WIDTH);                                                                \
  }
