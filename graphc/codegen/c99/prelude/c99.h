/* Conditions are computed without branches, by the operators of bits, so that loops become vector code. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wbitwise-instead-of-logical"
#endif
#if defined(__GNUC__)
#define GC_UNUSED __attribute__((unused))
#define GC_KERNEL static __attribute__((noinline))
#else
#define GC_UNUSED
#define GC_KERNEL static
#endif
#define GC_FN static inline GC_UNUSED
#define GC_INLINE GC_FN
#define GC_BOOL _Bool
#define GC_INFINITY ((double)INFINITY)
#define GC_NAN ((double)NAN)
#define GC_MIN(a, b) ((a) < (b) ? (a) : (b))
#define GC_MAX(a, b) ((a) > (b) ? (a) : (b))
