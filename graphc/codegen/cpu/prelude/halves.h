/* Halves as bits, converted by operations that all vector units have. Results are those of the processor's conversions. */

typedef unsigned short bfloat16;
GC_FN float gc_from_bfloat16(bfloat16 bits) {
  union { unsigned u; float f; } x = {(unsigned)bits << 16};
  return x.f;
}
GC_FN bfloat16 gc_to_bfloat16(float value) {
  union { float f; unsigned u; } x = {value};
  if (value != value) return (bfloat16)((x.u >> 16) | 0x40);
  return (bfloat16)((x.u + 0x7FFF + ((x.u >> 16) & 1)) >> 16);
}

typedef unsigned short float16;

/* The bits of a size below 2^31 in float16. */
GC_INLINE int gc_bits_float16(int size) {
  union { int i; float f; } x = {size}, small;
  small.f = x.f + 0.5f; /* below 2^-14 halves are multiples of 2^-24, and so are float32 between 1/2 and 1 */
  const int normal = (size - (112 << 23) + 0xFFF + ((size >> 13) & 1)) >> 13;
  const int finite = size < 0x38800000 ? small.i - 0x3F000000 : normal;
  const int known = size >= 0x477FF000 ? 0x7C00 : finite; /* from 65520 on they are infinite */
  return size > 0x7F800000 ? 0x7E00 : known;
}
GC_INLINE float16 gc_to_float16(float value) {
  union { float f; int i; } x = {value};
  return (float16)(gc_bits_float16(x.i & 0x7FFFFFFF) | ((x.i >> 16) & 0x8000));
}
GC_INLINE float gc_from_float16(float16 bits) {
  union { int i; float f; } x, small;
  const int size = (bits & 0x7FFF) << 13;
  small.i = size + (113 << 23);
  small.f -= 6.103515625e-5f; /* 2^-14 */
  const int large = size + ((size >= 0x7C00 << 13 ? 224 : 112) << 23);
  x.i = (size < 1 << 23 ? small.i : large) | (int)((unsigned)(bits & 0x8000) << 16);
  return x.f;
}
/* In one step: a float32 between would be rounded to another half where it lies in the middle of two. */
GC_FN float16 gc_to_float16_float64(double value) {
  union { float f; int i; } x = {(float)value};
  const double miss = value - (double)x.f;
  if (((miss > 0) | (miss < 0)) && (x.i & 0xFFF) == 0) x.i += (miss > 0) == (value > 0) ? 1 : -1;
  return gc_to_float16(x.f);
}

/* float32 rounded to what a half can hold, as a conversion there and back does. */
GC_INLINE float gc_round_bfloat16(float value) {
  union { float f; unsigned u; } x = {value};
  const unsigned rounded = (x.u + 0x7FFF + ((x.u >> 16) & 1)) & 0xFFFF0000u;
  x.u = value != value ? x.u | 0x400000 : rounded;
  return x.f;
}
GC_INLINE float gc_round_float16(float value) {
  union { float f; int i; } x = {value}, small, result;
  const int sign = x.i & (-0x7FFFFFFF - 1), size = x.i & 0x7FFFFFFF;
  x.i = size;
  small.f = (x.f + 0.5f) - 0.5f; /* below 2^-14 halves are multiples of 2^-24, and so are float32 between 1/2 and 1 */
  result.i = size < 0x38800000 ? small.i : (int)(((unsigned)size + 0xFFF + ((size >> 13) & 1)) & ~0x1FFFu);
  result.i = result.i > 0x477FE000 ? 0x7F800000 : result.i; /* beyond 65504 they are infinite */
  result.i = (size > 0x7F800000 ? size | 0x400000 : result.i) | sign;
  return result.f;
}
