// shim_entry.h -- how the driver calls a kernel: from a buffer of arguments, laid out as a struct would be.
#pragma once

template <class... Arguments> struct EmuSignature {
    static constexpr unsigned COUNT = sizeof...(Arguments);

    struct Layout {
        EmuParameter parameters[COUNT + 1];   // one more, because an array cannot be empty
        unsigned bytes;
    };

    static constexpr Layout make_layout() {
        const unsigned sizes[] = {unsigned(sizeof(Arguments))..., 0};
        const unsigned aligns[] = {unsigned(alignof(Arguments))..., 1};
        const int pointers[] = {int(std::is_pointer<Arguments>::value)..., 0};
        Layout layout = {};
        unsigned end = 0;
        for (unsigned i = 0; i < COUNT; ++i) {
            const unsigned offset = (end + aligns[i] - 1) / aligns[i] * aligns[i];
            layout.parameters[i].offset = offset;
            layout.parameters[i].size = sizes[i];
            layout.parameters[i].is_pointer = pointers[i];
            end = offset + sizes[i];
        }
        layout.bytes = end;
        return layout;
    }
    static constexpr Layout layout = make_layout();

    template <size_t... Index>
    static inline void call(void (*kernel)(Arguments...), const char *buffer, std::index_sequence<Index...>) {
        kernel(*(const std::remove_cv_t<Arguments> *)(buffer + layout.parameters[Index].offset)...);
    }
};

template <class... Arguments> EmuSignature<Arguments...> emu_signature_of(void (*)(Arguments...));

// The compiler driver appends one of these a kernel, and the table that lists them.
#define EMU_ENTRY(kernel, number)                                                                                      \
    using emu_signature_##number = decltype(emu_signature_of(&kernel));                                                \
    static void emu_call_##number(const char *buffer) {                                                                \
        emu_signature_##number::call(&kernel, buffer, std::make_index_sequence<emu_signature_##number::COUNT>());      \
    }                                                                                                                  \
    extern "C" __attribute__((weak, visibility("hidden"))) char __start_emu_shared_##number[];                         \
    extern "C" __attribute__((weak, visibility("hidden"))) char __stop_emu_shared_##number[];

#define EMU_KERNEL(kernel, number, max_threads)                                                                        \
    {#kernel,                                                                                                          \
     (const void *)&kernel,                                                                                            \
     emu_call_##number,                                                                                                \
     emu_signature_##number::layout.parameters,                                                                        \
     emu_signature_##number::COUNT,                                                                                    \
     emu_signature_##number::layout.bytes,                                                                             \
     max_threads,                                                                                                      \
     __start_emu_shared_##number,                                                                                      \
     __stop_emu_shared_##number},
