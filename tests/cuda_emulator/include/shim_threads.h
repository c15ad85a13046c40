// shim_threads.h -- barriers, warp operations, atomics.
//
// `line` is the line of the caller: a default argument is evaluated there.
#pragma once

// --- barriers and fences. A fence has nothing to do: one OS thread runs the grid, in program order.

static inline void __syncthreads(int line = __builtin_LINE()) { emu_block_barrier(line); }
static inline int __syncthreads_count(int predicate, int line = __builtin_LINE()) {
    return emu_block_barrier_reduce(predicate, EMU_COUNT, line);
}
static inline int __syncthreads_and(int predicate, int line = __builtin_LINE()) {
    return emu_block_barrier_reduce(predicate, EMU_AND, line);
}
static inline int __syncthreads_or(int predicate, int line = __builtin_LINE()) {
    return emu_block_barrier_reduce(predicate, EMU_OR, line);
}
static inline void __syncwarp(unsigned mask = ~0u, int line = __builtin_LINE()) { emu_warp_exchange(mask, 0, line); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}
static inline void __nanosleep(unsigned) {}
[[noreturn]] static inline void __trap() { emu_trap("__trap"); }

#undef assert
#define assert(condition) ((condition) ? (void)0 : emu_trap("assertion failed: " #condition))

// --- bits of a value

template <class To, class From> static inline To emu_bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "sizes differ");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float v) { return emu_bit_cast<int>(v); }
static inline unsigned __float_as_uint(float v) { return emu_bit_cast<unsigned>(v); }
static inline float __int_as_float(int v) { return emu_bit_cast<float>(v); }
static inline float __uint_as_float(unsigned v) { return emu_bit_cast<float>(v); }
static inline long long __double_as_longlong(double v) { return emu_bit_cast<long long>(v); }
static inline double __longlong_as_double(long long v) { return emu_bit_cast<double>(v); }

// --- warp shuffles: any type of up to 8 bytes

template <class T> static inline uint64_t emu_to_bits(T value) {
    static_assert(sizeof(T) <= 8, "shuffles move at most 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T> static inline T emu_shuffle(unsigned mask, T value, int source, bool in_range, int line) {
    const unsigned lane = emu_lane;   // before the exchange: others run meanwhile
    const EmuExchange *all = emu_warp_exchange(mask, emu_to_bits(value), line);
    const uint64_t bits = all->value[in_range ? source : int(lane)];
    T result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

// `width` splits the warp into segments that do not see each other.
template <class T>
static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, int line = __builtin_LINE()) {
    const int segment = emu_lane & ~(width - 1);
    return emu_shuffle(mask, value, segment + (source & (width - 1)), true, line);
}
template <class T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
    const bool in_range = int(emu_lane & (width - 1)) >= int(delta);
    return emu_shuffle(mask, value, int(emu_lane) - int(delta), in_range, line);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, int line = __builtin_LINE()) {
    const bool in_range = int(emu_lane & (width - 1)) + int(delta) < width;
    return emu_shuffle(mask, value, int(emu_lane) + int(delta), in_range, line);
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, int line = __builtin_LINE()) {
    const int source = int(emu_lane) ^ lanes;
    // A lane may read from its own segment and earlier ones.
    const bool in_range = source < int(emu_lane & ~(width - 1)) + width;
    return emu_shuffle(mask, value, source, in_range, line);
}

// --- votes, matches, reductions over a warp

// Bits of the lanes that took part and whose value satisfies the test.
template <class Test> static inline unsigned emu_select_lanes(const EmuExchange *all, Test test) {
    unsigned lanes = 0;
    for (int lane = 0; lane < 32; ++lane)
        if ((all->participants >> lane & 1) && test(all->value[lane]))
            lanes |= 1u << lane;
    return lanes;
}
static inline unsigned __activemask() { return emu_active_mask(); }
static inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    const EmuExchange *all = emu_warp_exchange(mask, predicate != 0, line);
    return emu_select_lanes(all, [](uint64_t value) { return value != 0; });
}
static inline int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return __ballot_sync(mask, predicate, line) != 0;
}
static inline int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    const EmuExchange *all = emu_warp_exchange(mask, predicate != 0, line);
    return emu_select_lanes(all, [](uint64_t value) { return value == 0; }) == 0;
}
template <class T> static inline unsigned __match_any_sync(unsigned mask, T value, int line = __builtin_LINE()) {
    const uint64_t bits = emu_to_bits(value);
    const EmuExchange *all = emu_warp_exchange(mask, bits, line);
    return emu_select_lanes(all, [bits](uint64_t other) { return other == bits; });
}

template <class T, class Combine>
static inline T emu_warp_reduce(unsigned mask, T value, Combine combine, int line) {
    const unsigned own_lane = emu_lane;
    const EmuExchange *all = emu_warp_exchange(mask, emu_to_bits(value), line);
    T total = value;
    for (unsigned lane = 0; lane < 32; ++lane)
        if (lane != own_lane && (all->participants >> lane & 1))
            total = combine(total, T(all->value[lane]));
    return total;
}
#define EMU_WARP_REDUCE(name, type, expression)                                                                        \
    static inline type __reduce_##name##_sync(unsigned mask, type value, int line = __builtin_LINE()) {                \
        return emu_warp_reduce(mask, value, [](type a, type b) -> type { return expression; }, line);                  \
    }
EMU_WARP_REDUCE(add, unsigned, a + b)
EMU_WARP_REDUCE(add, int, int(unsigned(a) + unsigned(b)))
EMU_WARP_REDUCE(min, unsigned, a < b ? a : b)
EMU_WARP_REDUCE(min, int, a < b ? a : b)
EMU_WARP_REDUCE(max, unsigned, a > b ? a : b)
EMU_WARP_REDUCE(max, int, a > b ? a : b)
EMU_WARP_REDUCE(and, unsigned, a & b)
EMU_WARP_REDUCE(or, unsigned, a | b)
EMU_WARP_REDUCE(xor, unsigned, a ^ b)
#undef EMU_WARP_REDUCE

// --- atomics: fibers change only at barriers, so that plain code is atomic

template <class T> struct emu_same {   // keeps a parameter out of template deduction: atomicAdd(float *, 1) is fine
    using type = T;
};
#define EMU_ATOMIC(name, expression)                                                                                   \
    template <class T> static inline T name(T *address, typename emu_same<T>::type value) {                            \
        const T old = *address;                                                                                        \
        *address = expression;                                                                                         \
        return old;                                                                                                    \
    }
EMU_ATOMIC(atomicAdd, old + value)
EMU_ATOMIC(atomicSub, old - value)
EMU_ATOMIC(atomicExch, value)
EMU_ATOMIC(atomicMin, value < old ? value : old)
EMU_ATOMIC(atomicMax, old < value ? value : old)
EMU_ATOMIC(atomicAnd, old & value)
EMU_ATOMIC(atomicOr, old | value)
EMU_ATOMIC(atomicXor, old ^ value)
EMU_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
EMU_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)
#undef EMU_ATOMIC
template <class T>
static inline T atomicCAS(T *address, typename emu_same<T>::type expected, typename emu_same<T>::type value) {
    const T old = *address;
    if (old == expected)
        *address = value;
    return old;
}

// --- loads and stores with a cache hint

template <class T> static inline T __ldg(const T *address) { return *address; }
template <class T> static inline T __ldca(const T *address) { return *address; }
template <class T> static inline T __ldcg(const T *address) { return *address; }
template <class T> static inline T __ldcs(const T *address) { return *address; }
template <class T> static inline void __stcg(T *address, typename emu_same<T>::type value) { *address = value; }
template <class T> static inline void __stcs(T *address, typename emu_same<T>::type value) { *address = value; }
template <class T> static inline void __stwt(T *address, typename emu_same<T>::type value) { *address = value; }
