// driver.h -- what the files of the emulated driver share.
#pragma once
#include <cuda.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "abi.h"

#define DRIVER_API extern "C" EMU_EXPORT

// --- driver.cpp: every call, errors, counters

// Every driver function begins with a Call: it takes the one lock, counts the call, and refuses it when no context is
// current or an earlier fault has destroyed the context (`error` is then the answer).
enum class Needs { context, nothing };

class Call {
public:
    explicit Call(const char *name, Needs needs = Needs::context);
    CUresult error = CUDA_SUCCESS;

private:
    std::lock_guard<std::recursive_mutex> lock_;
};

// Print and remember a message that explains an error, and return the error.
CUresult explain(CUresult error, const std::string &message);

// A fault on the device: as on a GPU, no call succeeds from here on. (Tests use emulator_reset.)
CUresult destroy_context(CUresult error, const std::string &message);
CUresult context_error();

// Add to one of the counters that tests read.
void count(const std::string &what);

// Settings: an environment variable, which a test can also change while it runs.
bool lazy_streams();

// --- memory.cpp

enum class MemoryKind { device, host, module };   // module: a __device__ or __constant__ variable

// Does all of [address, address + bytes) lie in one allocation of any kind?
bool is_known_memory(uintptr_t address, size_t bytes);
bool is_host_allocation(const void *address);
void register_module_variable(uintptr_t address, size_t bytes);
void forget_module_variable(uintptr_t address);

// Text about an address: which allocation it is in, or how far from which one.
std::string describe_address(uintptr_t address);

// Check what lies between the allocation that holds the address and its guard pages. Text about damage, else empty.
std::string find_overrun(uintptr_t address);

// --- streams.cpp and graphs.cpp

using Operation = std::function<CUresult()>;

struct Function;   // of modules.cpp

struct KernelLaunch {
    const Function *function = nullptr;
    uint3 grid = {1, 1, 1}, block = {1, 1, 1};
    unsigned shared_bytes = 0;
    std::string arguments;   // the bytes, copied when the launch is asked for
};

// What is put into a stream, or becomes the node of a graph.
struct Work {
    CUgraphNodeType type;
    Operation run;         // of everything but kernels
    KernelLaunch launch;   // of kernels

    CUresult execute() const;
};

struct GraphNode {
    Work work;
    std::vector<const GraphNode *> dependencies;
    std::vector<void *> argument_pointers;   // what cuGraphKernelNodeGetParams hands out
};

struct Graph {
    std::vector<std::unique_ptr<GraphNode>> nodes;

    GraphNode *add(Work work, std::vector<const GraphNode *> dependencies);
};

// Do the work, put it off (lazy streams), or record it (a stream that is being captured).
CUresult submit(CUstream stream, Work work);

// For calls that return when the work is done: everything that comes before it in CUDA's order is run first.
CUresult synchronize_legacy();
CUresult synchronize_all();

// Not allowed while a stream is captured in a mode other than relaxed (allocation, for one).
CUresult refuse_during_capture();
void reset_streams();

// --- copies.cpp: nodes of a graph that is built by hand

CUresult make_copy(const CUDA_MEMCPY3D &descriptor, Work &work);
CUresult make_fill(const CUDA_MEMSET_NODE_PARAMS &fill, Work &work);

// --- modules.cpp

// Look at the arguments of a launch and copy them: from `extra` (a packed buffer) or `params` (a pointer each).
CUresult make_launch(KernelLaunch &launch, void **params, void **extra);
CUresult execute_launch(const KernelLaunch &launch);
Function *function_of(CUfunction handle);   // null for a handle that is none
std::vector<void *> argument_pointers(const KernelLaunch &launch);

// --- a table of live handles, so that a stale or wrong handle is an error and not a crash

template <class Object, class Handle> class Handles {
public:
    Handle add(std::unique_ptr<Object> object) {
        Object *raw = object.release();
        live_.insert(raw);
        return reinterpret_cast<Handle>(raw);
    }
    Object *find(Handle handle) const {
        Object *object = reinterpret_cast<Object *>(handle);
        return live_.count(object) ? object : nullptr;
    }
    bool remove(Handle handle) {
        Object *object = reinterpret_cast<Object *>(handle);
        if (!live_.erase(object))
            return false;
        delete object;
        return true;
    }
    const std::set<Object *> &all() const { return live_; }

private:
    std::set<Object *> live_;
};
