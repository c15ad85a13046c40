// driver.cpp -- initialization, the device, contexts, errors; and the controls that tests use.
#include "driver.h"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "engine.h"

namespace {

struct Context {
    bool primary = false;
};

// Never destroyed: Python may call the driver while the process exits.
auto &driver_lock = *new std::recursive_mutex;
auto &counters = *new std::map<std::string, long>;
auto &last_message = *new std::string;
auto &contexts = *new Handles<Context, CUcontext>;
CUresult sticky_error = CUDA_SUCCESS;
CUresult explained_error = CUDA_SUCCESS;   // by last_message, until the next call

// A call that is to fail: tests ask for it.
struct Failure {
    std::string name;
    long calls_before = 0;   // how many more succeed
    CUresult error = CUDA_SUCCESS;
};
auto &failure = *new Failure;
CUcontext primary_context = nullptr;
int primary_references = 0;

// Each OS thread has its own stack of current contexts.
thread_local std::vector<CUcontext> context_stack;

bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

bool lazy = is_set("CUDA_EMULATOR_LAZY");

CUcontext current_context() {
    return context_stack.empty() ? nullptr : context_stack.back();
}

CUcontext get_primary_context() {
    if (!primary_context) {
        primary_context = contexts.add(std::make_unique<Context>());
        contexts.find(primary_context)->primary = true;
    }
    return primary_context;
}

}   // namespace

Call::Call(const char *name, Needs needs) : lock_(driver_lock) {
    counters[name]++;
    explained_error = sticky_error;
    if (failure.error && failure.name == name && failure.calls_before-- == 0) {
        error = failure.error;
        return;
    }
    if (needs == Needs::nothing)
        return;
    if (sticky_error)
        error = sticky_error;
    else if (!current_context())
        error = CUDA_ERROR_INVALID_CONTEXT;
}

CUresult explain(CUresult error, const std::string &message) {
    last_message = message;
    explained_error = error;
    fprintf(stderr, "cuda-emulator: %s\n", message.c_str());
    return error;
}

CUresult destroy_context(CUresult error, const std::string &message) {
    sticky_error = error;
    return explain(error, message);
}

CUresult context_error() {
    return sticky_error;
}

void count(const std::string &what) {
    counters[what]++;
}

bool lazy_streams() {
    return lazy;
}

// --- controls for tests, found by ctypes

DRIVER_API long emulator_counter(const char *name) {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    auto found = counters.find(name);
    return found == counters.end() ? 0 : found->second;
}

DRIVER_API void emulator_clear_counters() {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    counters.clear();
}

DRIVER_API const char *emulator_last_message() {
    return last_message.c_str();
}

// Both return the setting before.
DRIVER_API int emulator_set_lazy(int on) {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    synchronize_all();
    return std::exchange(lazy, on != 0);
}

DRIVER_API int emulator_set_reverse(int on) {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    return set_reverse_order(on != 0);
}

// Let a call fail once, after some that succeed; success as the error takes it back.
DRIVER_API void emulator_fail(const char *name, long calls_before, int error) {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    failure = {name, calls_before, CUresult(error)};
}

// How many contexts are current in this thread, one above the other.
DRIVER_API long emulator_context_depth() {
    return long(context_stack.size());
}

// Make the context usable again after a fault: what the end of the process does on a GPU.
DRIVER_API void emulator_reset() {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    reset_streams();
    sticky_error = explained_error = CUDA_SUCCESS;
    last_message.clear();
}

// --- initialization and versions

DRIVER_API CUresult cuInit(unsigned) {
    Call call("cuInit", Needs::nothing);
    static std::once_flag once;   // a test may have changed the setting since
    std::call_once(once, [] { set_reverse_order(is_set("CUDA_EMULATOR_REVERSE")); });
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDriverGetVersion(int *version) {
    *version = CUDA_VERSION;
    return CUDA_SUCCESS;
}

// The functions that are not written here: build.py generates one for each name in cuda.h, in a section of its own.
extern "C" __attribute__((visibility("hidden"))) char __start_emu_stubs[], __stop_emu_stubs[];

extern "C" __attribute__((visibility("hidden"))) CUresult emu_unsupported(const char *name) {
    return explain(CUDA_ERROR_NOT_SUPPORTED, std::string(name) + " is not part of the emulator");
}

// Names are asked for without their version (cuMemAlloc for cuMemAlloc_v2): the newest that is written here is it.
DRIVER_API CUresult cuGetProcAddress_v2(const char *name, void **function, int, cuuint64_t,
                                        CUdriverProcAddressQueryResult *status) {
    static void *const self = [] {
        Dl_info info;
        dladdr(reinterpret_cast<void *>(&cuInit), &info);
        return dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    }();
    *function = nullptr;
    for (const char *version : {"_v4", "_v3", "_v2", ""}) {
        void *candidate = dlsym(self, (std::string(name) + version).c_str());
        const bool stub = candidate >= __start_emu_stubs && candidate < __stop_emu_stubs;
        const bool supported = candidate && !stub;
        if (supported || (candidate && !*function))
            *function = candidate;
        if (supported)
            break;
    }
    if (status)
        *status = *function ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

// --- profiling

DRIVER_API CUresult cuProfilerStart() {
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuProfilerStop() {
    return CUDA_SUCCESS;
}

// --- errors

DRIVER_API CUresult cuGetErrorName(CUresult error, const char **name) {
    switch (error) {
#define EMU_ERROR(code)                                                                                                \
    case code:                                                                                                         \
        *name = #code;                                                                                                 \
        return CUDA_SUCCESS;
        EMU_ERROR(CUDA_SUCCESS)
        EMU_ERROR(CUDA_ERROR_INVALID_VALUE)
        EMU_ERROR(CUDA_ERROR_OUT_OF_MEMORY)
        EMU_ERROR(CUDA_ERROR_INVALID_DEVICE)
        EMU_ERROR(CUDA_ERROR_INVALID_IMAGE)
        EMU_ERROR(CUDA_ERROR_INVALID_CONTEXT)
        EMU_ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU)
        EMU_ERROR(CUDA_ERROR_FILE_NOT_FOUND)
        EMU_ERROR(CUDA_ERROR_INVALID_HANDLE)
        EMU_ERROR(CUDA_ERROR_ILLEGAL_STATE)
        EMU_ERROR(CUDA_ERROR_NOT_FOUND)
        EMU_ERROR(CUDA_ERROR_NOT_READY)
        EMU_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS)
        EMU_ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)
        EMU_ERROR(CUDA_ERROR_LAUNCH_TIMEOUT)
        EMU_ERROR(CUDA_ERROR_LAUNCH_FAILED)
        EMU_ERROR(CUDA_ERROR_NOT_SUPPORTED)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION)
        EMU_ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT)
        EMU_ERROR(CUDA_ERROR_CAPTURED_EVENT)
#undef EMU_ERROR
    default:
        *name = "CUDA_ERROR_UNKNOWN";
        return CUDA_ERROR_INVALID_VALUE;
    }
}

// Where we know what happened the text says it: it becomes part of PyCUDA's exception.
DRIVER_API CUresult cuGetErrorString(CUresult error, const char **text) {
    if (error && error == explained_error) {
        *text = last_message.c_str();
        return CUDA_SUCCESS;
    }
    return cuGetErrorName(error, text);
}

// --- contexts

DRIVER_API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    Call call("cuDevicePrimaryCtxRetain", Needs::nothing);
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    primary_references++;
    *context = get_primary_context();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    Call call("cuDevicePrimaryCtxRelease", Needs::nothing);
    if (device != 0 || primary_references == 0)
        return device != 0 ? CUDA_ERROR_INVALID_DEVICE : CUDA_ERROR_INVALID_CONTEXT;
    primary_references--;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDevicePrimaryCtxGetState(CUdevice, unsigned *flags, int *active) {
    Call call("cuDevicePrimaryCtxGetState", Needs::nothing);
    *flags = 0;
    *active = primary_references > 0;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *, unsigned, CUdevice device) {
    Call call("cuCtxCreate", Needs::nothing);
    if (device != 0)
        return CUDA_ERROR_INVALID_DEVICE;
    *context = contexts.add(std::make_unique<Context>());
    context_stack.push_back(*context);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxDestroy_v2(CUcontext context) {
    Call call("cuCtxDestroy", Needs::nothing);
    Context *object = contexts.find(context);
    if (!object || object->primary)
        return CUDA_ERROR_INVALID_CONTEXT;
    synchronize_all();
    context_stack.erase(std::remove(context_stack.begin(), context_stack.end(), context), context_stack.end());
    contexts.remove(context);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxAttach(CUcontext *context, unsigned) {
    Call call("cuCtxAttach");
    *context = current_context();
    return call.error;
}

// PyCUDA lets go of the primary context with this call too (from a destructor, where its own override is gone).
DRIVER_API CUresult cuCtxDetach(CUcontext context) {
    Call call("cuCtxDetach", Needs::nothing);
    if (context && context == primary_context) {
        if (current_context() == context)
            context_stack.pop_back();
        return CUDA_SUCCESS;
    }
    return cuCtxDestroy_v2(context);
}

DRIVER_API CUresult cuCtxPushCurrent_v2(CUcontext context) {
    Call call("cuCtxPushCurrent", Needs::nothing);
    if (call.error)
        return call.error;
    if (!contexts.find(context))
        return CUDA_ERROR_INVALID_CONTEXT;
    context_stack.push_back(context);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxPopCurrent_v2(CUcontext *context) {
    Call call("cuCtxPopCurrent", Needs::nothing);
    if (context_stack.empty())
        return CUDA_ERROR_INVALID_CONTEXT;
    if (context)
        *context = context_stack.back();
    context_stack.pop_back();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxGetCurrent(CUcontext *context) {
    Call call("cuCtxGetCurrent", Needs::nothing);
    *context = current_context();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxSetCurrent(CUcontext context) {
    Call call("cuCtxSetCurrent", Needs::nothing);
    if (context && !contexts.find(context))
        return CUDA_ERROR_INVALID_CONTEXT;
    if (!context_stack.empty())
        context_stack.pop_back();
    if (context)
        context_stack.push_back(context);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxGetDevice(CUdevice *device) {
    Call call("cuCtxGetDevice", Needs::nothing);
    *device = 0;
    return current_context() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

DRIVER_API CUresult cuCtxGetApiVersion(CUcontext, unsigned *version) {
    *version = CUDA_VERSION;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxSynchronize() {
    Call call("cuCtxSynchronize");
    if (call.error)
        return call.error;
    if (CUresult refused = refuse_during_capture())
        return refused;
    return synchronize_all();
}

// Preferences that change no result.
DRIVER_API CUresult cuCtxSetCacheConfig(CUfunc_cache) {
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    *least = 0;
    *greatest = -5;
    return CUDA_SUCCESS;
}
