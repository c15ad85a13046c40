/* Complex numbers: their parts one behind the other, with C's operators. No constructors, so that they can lie in
   shared memory. */
template <class T>
struct gc_complex { T re, im; };
#define GC_COMPLEX_OPERATOR template <class T> GC_FN
GC_COMPLEX_OPERATOR gc_complex<T> operator-(gc_complex<T> a) { return {-a.re, -a.im}; }
GC_COMPLEX_OPERATOR gc_complex<T> operator+(gc_complex<T> a, gc_complex<T> b) { return {a.re + b.re, a.im + b.im}; }
GC_COMPLEX_OPERATOR gc_complex<T> operator-(gc_complex<T> a, gc_complex<T> b) { return {a.re - b.re, a.im - b.im}; }
GC_COMPLEX_OPERATOR gc_complex<T> operator*(gc_complex<T> a, gc_complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
GC_COMPLEX_OPERATOR gc_complex<T> &operator+=(gc_complex<T> &a, gc_complex<T> b) { return a = a + b; }
GC_COMPLEX_OPERATOR bool operator==(gc_complex<T> a, gc_complex<T> b) { return (a.re == b.re) & (a.im == b.im); }
GC_COMPLEX_OPERATOR bool operator!=(gc_complex<T> a, gc_complex<T> b) { return (a.re != b.re) | (a.im != b.im); }

typedef gc_complex<float> complex64;
typedef gc_complex<double> complex128;
#define GC_RE(z) ((z).re)
#define GC_IM(z) ((z).im)
GC_FN double gc_hypot(double a, double b) { return hypot(a, b); }
GC_FN float gc_hypotf(float a, float b) { return hypotf(a, b); }
GC_FN complex64 gc_complex_float32(float re, float im) { return {re, im}; }
GC_FN complex128 gc_complex_float64(double re, double im) { return {re, im}; }
