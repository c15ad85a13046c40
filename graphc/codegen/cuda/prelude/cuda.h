/* What generated CUDA needs before anything else. */

#define GC_FN static __device__ __forceinline__
#define GC_INLINE GC_FN
#define GC_BOOL bool
#define GC_INFINITY ((double)__int_as_float(0x7f800000))
#define GC_NAN ((double)__int_as_float(0x7fc00000))

typedef unsigned short bfloat16;
GC_FN float gc_from_bfloat16(bfloat16 bits) { return __int_as_float((int)((unsigned)bits << 16)); }
GC_FN bfloat16 gc_to_bfloat16(float value) {
  const unsigned bits = (unsigned)__float_as_int(value);
  if (value != value) return (bfloat16)((bits >> 16) | 0x40);
  return (bfloat16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

/* Combiners of reductions. An extremum is NaN where any element is. */
struct gc_sum { template <class T> __device__ T operator()(T a, T b) const { return a + b; } };
struct gc_prod { template <class T> __device__ T operator()(T a, T b) const { return a * b; } };
struct gc_any { template <class T> __device__ T operator()(T a, T b) const { return a | b; } };
struct gc_all { template <class T> __device__ T operator()(T a, T b) const { return a & b; } };
struct gc_max { template <class T> __device__ T operator()(T a, T b) const { return (b > a) | (b != b) ? b : a; } };
struct gc_min { template <class T> __device__ T operator()(T a, T b) const { return (b < a) | (b != b) ? b : a; } };

/* The threads of a block combine their values; all get the result. The tree is fixed: the same bits every time. */
template <int THREADS, class T, class Combine>
__device__ T gc_block(T value, Combine combine, T *slots) {
  slots[threadIdx.x] = value;
  __syncthreads();
  for (int half = THREADS / 2; half; half /= 2) {
    if (threadIdx.x < half) slots[threadIdx.x] = combine(slots[threadIdx.x], slots[threadIdx.x + half]);
    __syncthreads();
  }
  const T result = slots[0];
  __syncthreads();
  return result;
}

/* An extremum and where it is. A thread that saw no element has place -1. NaN beats all; of equals the first wins. */
struct gc_argmax { template <class T> __device__ bool operator()(T a, T b) const { return a > b; } };
struct gc_argmin { template <class T> __device__ bool operator()(T a, T b) const { return a < b; } };
template <class T, class Beats>
__device__ bool gc_better(T a, int place_a, T b, int place_b, Beats beats) {
  if (place_a < 0 || place_b < 0) return place_a >= 0;
  const bool nan_a = a != a, nan_b = b != b;
  if (nan_a != nan_b) return nan_a;
  if (nan_a || a == b) return place_a < place_b;
  return beats(a, b);
}
template <int THREADS, class T, class Beats>
__device__ int gc_block_arg(T value, int place, Beats beats, T *slots, int *places) {
  slots[threadIdx.x] = value;
  places[threadIdx.x] = place;
  __syncthreads();
  for (int half = THREADS / 2; half; half /= 2) {
    const int other = threadIdx.x + half;
    if (threadIdx.x < half && gc_better(slots[other], places[other], slots[threadIdx.x], places[threadIdx.x], beats)) {
      slots[threadIdx.x] = slots[other];
      places[threadIdx.x] = places[other];
    }
    __syncthreads();
  }
  const int result = places[0];
  __syncthreads();
  return result;
}
