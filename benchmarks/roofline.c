// What the machine can do: copies, fused multiply-adds, and another library's matrix products, timed by wall clock.
#include <omp.h>
#include <stdint.h>
#include <time.h>

#if defined(__AVX512F__)
enum { WIDTH = 64, CHAINS = 16 };
#elif defined(__AVX__)
enum { WIDTH = 32, CHAINS = 12 };
#else
enum { WIDTH = 16, CHAINS = 12 };
#endif
typedef float vec __attribute__((vector_size(WIDTH)));

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Seconds for copying `count` floats `repeat` times; each thread has its own part.
double copy_seconds(float *restrict to, const float *restrict from, long count, long repeat, int threads) {
    double start = 0;
#pragma omp parallel num_threads(threads)
    {
        const long share = count / threads, first = share * omp_get_thread_num();
        for (long i = first; i < first + share; ++i) to[i] = 0; // so that its pages are there, and near
#pragma omp barrier
#pragma omp master
        start = now();
        for (long k = 0; k < repeat; ++k) {
#pragma omp simd
            for (long i = first; i < first + share; ++i) to[i] = from[i];
            __asm__ volatile("" : : "r"(to) : "memory"); // each pass is one that somebody may see
        }
    }
    return now() - start;
}

// Seconds for `count` rounds of one fused multiply-add in each of independent chains, in each thread.
double fma_seconds(long count, int threads, double *operations) {
    *operations = 2.0 * count * CHAINS * (WIDTH / 4) * threads;
    const double start = now();
    float sums[64 * 16];
#pragma omp parallel num_threads(threads)
    {
        vec chain[CHAINS], factor = (vec){} + 0.999f, term = (vec){} + 1e-9f;
        for (int i = 0; i < CHAINS; ++i) chain[i] = (vec){} + (float)i;
        for (long k = 0; k < count; ++k) {
#pragma GCC unroll 16
            for (int i = 0; i < CHAINS; ++i) chain[i] = chain[i] * factor + term;
        }
        vec total = chain[0];
        for (int i = 1; i < CHAINS; ++i) total += chain[i];
        sums[16 * (omp_get_thread_num() % 64)] = total[0];
    }
    __asm__ volatile("" : : "r"(sums) : "memory");
    return now() - start;
}

typedef int (*sgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                     float, float *, int64_t);

// Seconds for `repeat` products [m, k] x [k, n] by oneDNN's plain sgemm, of rows as they lie in C.
double sgemm_seconds(sgemm run, int left, int right, long m, long n, long k, const float *a, const float *b, float *c,
                     long repeat, int threads) {
    omp_set_num_threads(threads);
    const double start = now();
    for (long i = 0; i < repeat; ++i)
        run(left ? 'T' : 'N', right ? 'T' : 'N', m, n, k, 1, a, left ? m : k, b, right ? k : n, 0, c, n);
    return now() - start;
}
