// modules.cpp -- modules, functions, launches.
//
// A module's image is a header and a shared object (see host_compiler.py), which the loader opens from a file.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "driver.h"
#include "engine.h"

struct Module;

struct Function {
    const EmuKernel *kernel;
    const Module *module;
    std::string name;
    unsigned max_dynamic_shared = 48 * 1024;   // more must be asked for by cuFuncSetAttribute

    unsigned static_shared() const { return kernel->shared_end - kernel->shared; }
};

struct Module {
    void *library = nullptr;
    const EmuModule *table = nullptr;
    std::map<std::string, Function *> functions;   // owned by the table of handles
    std::vector<uintptr_t> variables;              // that were asked for
};

namespace {

constexpr char MAGIC[8] = {'E', 'M', 'U', 'C', 'U', 'B', 'I', 'N'};
constexpr unsigned MAX_ARGUMENT_BYTES = 32764;
constexpr unsigned MAX_SHARED = 227 * 1024;   // static and dynamic together, on an H100

auto &modules = *new Handles<Module, CUmodule>;
auto &functions = *new Handles<Function, CUfunction>;

// --- loading

// The loader knows a library by its path and inode, so that each module needs a file of its own for as long as it takes
// to open it. Beside the driver's own library it may be executed (/tmp is sometimes mounted so that it may not).
std::string write_library(const char *bytes, size_t count) {
    Dl_info driver;
    dladdr(reinterpret_cast<void *>(&write_library), &driver);
    std::string path = driver.dli_fname;
    path = path.substr(0, path.rfind('/') + 1) + "module-XXXXXX";
    int file = mkstemp(&path[0]);
    if (file < 0) {
        path = "/tmp/cuda-emulator-module-XXXXXX";
        file = mkstemp(&path[0]);
    }
    const bool written = file >= 0 && write(file, bytes, count) == ssize_t(count);
    if (file >= 0)
        close(file);
    return written ? path : "";
}

void *open_library(const char *image) {
    uint64_t bytes;
    memcpy(&bytes, image + sizeof MAGIC, sizeof bytes);
    const std::string path = write_library(image + sizeof MAGIC + sizeof bytes, bytes);
    if (path.empty())
        return nullptr;
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        explain(CUDA_ERROR_INVALID_IMAGE, std::string("cannot load a module: ") + dlerror());
    unlink(path.c_str());
    return library;
}

// As on a GPU, a kernel is found by its symbol: without extern "C" that is the mangled name.
std::string symbol_name(const EmuKernel &kernel) {
    Dl_info info;
    if (dladdr(kernel.function, &info) && info.dli_sname && info.dli_saddr == kernel.function)
        return info.dli_sname;
    return kernel.source_name;
}

CUresult load(CUmodule *handle, const void *image) {
    if (memcmp(image, MAGIC, sizeof MAGIC) != 0)
        return explain(CUDA_ERROR_NO_BINARY_FOR_GPU,
                       "this is no cubin of the emulator's compiler (is GRAPHC_NVCC set to the stand-in nvcc?)");
    auto module = std::make_unique<Module>();
    module->library = open_library(static_cast<const char *>(image));
    if (!module->library)
        return CUDA_ERROR_INVALID_IMAGE;
    module->table = static_cast<const EmuModule *>(dlsym(module->library, "emu_module"));
    for (unsigned i = 0; i < module->table->kernel_count; ++i) {
        const EmuKernel &kernel = module->table->kernels[i];
        auto function = std::make_unique<Function>();
        function->kernel = &kernel;
        function->module = module.get();
        function->name = symbol_name(kernel);
        const std::string name = function->name;
        module->functions[name] = functions.find(functions.add(std::move(function)));
    }
    *handle = modules.add(std::move(module));
    return CUDA_SUCCESS;
}

// The size that the library's symbol table gives for a name. (dladdr1 goes by address, where the linker's own symbols
// may lie too.) The table's length is in the hash table, which host_compiler.py asks the linker to make.
size_t symbol_bytes(void *library, const char *name) {
    struct link_map *map = nullptr;
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    const ElfW(Sym) *symbols = nullptr;
    const char *names = nullptr;
    const ElfW(Word) *hash = nullptr;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = reinterpret_cast<const ElfW(Sym) *>(entry->d_un.d_ptr);
        else if (entry->d_tag == DT_STRTAB)
            names = reinterpret_cast<const char *>(entry->d_un.d_ptr);
        else if (entry->d_tag == DT_HASH)
            hash = reinterpret_cast<const ElfW(Word) *>(entry->d_un.d_ptr);
    }
    const ElfW(Word) symbol_count = hash ? hash[1] : 0;
    for (ElfW(Word) i = 0; i < symbol_count; ++i)
        if (strcmp(names + symbols[i].st_name, name) == 0)
            return symbols[i].st_size;
    return 0;
}

// --- launching

CUresult refuse_launch(const KernelLaunch &launch, CUresult error, const std::string &reason) {
    return explain(error, "kernel " + launch.function->name + " cannot be launched: " + reason);
}

CUresult check_sizes(const KernelLaunch &launch) {
    const uint3 &grid = launch.grid, &block = launch.block;
    const Function &function = *launch.function;
    const size_t threads = size_t(block.x) * block.y * block.z;
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535)
        return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE, "the grid is empty or too large");
    if (!threads || block.x > 1024 || block.y > 1024 || block.z > 64 || threads > 1024)
        return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE,
                             "a block of " + std::to_string(threads) + " threads is empty or too large");
    if (threads > unsigned(function.kernel->max_threads))
        return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE,
                             "a block of " + std::to_string(threads) + " threads, __launch_bounds__ allow " +
                                 std::to_string(function.kernel->max_threads));
    const size_t all_shared = size_t(launch.shared_bytes) + function.static_shared();
    if (launch.shared_bytes > function.max_dynamic_shared || all_shared > MAX_SHARED)
        return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE,
                             std::to_string(launch.shared_bytes) + " bytes of dynamic shared memory, allowed are " +
                                 std::to_string(function.max_dynamic_shared));
    return CUDA_SUCCESS;
}

// A pointer that is passed as an argument itself (not within a struct) must lead to memory that we know.
uintptr_t pointer_argument(const KernelLaunch &launch, const EmuParameter &parameter) {
    uintptr_t value;
    memcpy(&value, launch.arguments.data() + parameter.offset, sizeof value);
    return value;
}

template <class Action> void for_each_pointer(const KernelLaunch &launch, Action action) {
    const EmuKernel &kernel = *launch.function->kernel;
    for (unsigned i = 0; i < kernel.parameter_count; ++i)
        if (kernel.parameters[i].is_pointer)
            action(i, pointer_argument(launch, kernel.parameters[i]));
}

std::string find_bad_pointer(const KernelLaunch &launch) {
    std::string message;
    for_each_pointer(launch, [&](unsigned position, uintptr_t value) {
        if (value && message.empty() && !is_known_memory(value, 0))
            message = "argument " + std::to_string(position) + " is no device pointer: " + describe_address(value);
    });
    return message;
}

// A kernel that wrote a little outside an allocation, where no guard page caught it.
std::string find_damage(const KernelLaunch &launch) {
    std::string message;
    for_each_pointer(launch, [&](unsigned, uintptr_t value) {
        if (message.empty())
            message = find_overrun(value);
    });
    return message;
}

CUresult error_of(Outcome outcome) {
    switch (outcome) {
    case Outcome::success:
        return CUDA_SUCCESS;
    case Outcome::illegal_address:
        return CUDA_ERROR_ILLEGAL_ADDRESS;
    case Outcome::deadlock:
        return CUDA_ERROR_LAUNCH_TIMEOUT;   // what a display driver answers when it has waited long enough
    default:
        return CUDA_ERROR_LAUNCH_FAILED;
    }
}

struct LaunchBuffer {
    const char *bytes = nullptr;
    size_t count = 0;
};

LaunchBuffer find_buffer(void **extra) {
    LaunchBuffer buffer;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (extra[0] == CU_LAUNCH_PARAM_BUFFER_POINTER)
            buffer.bytes = static_cast<const char *>(extra[1]);
        else if (extra[0] == CU_LAUNCH_PARAM_BUFFER_SIZE)
            buffer.count = *static_cast<size_t *>(extra[1]);
    }
    return buffer;
}

}   // namespace

Function *function_of(CUfunction handle) {
    return functions.find(handle);
}

CUresult make_launch(KernelLaunch &launch, void **params, void **extra) {
    if (!launch.function)
        return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult error = check_sizes(launch))
        return error;
    const EmuKernel &kernel = *launch.function->kernel;
    if (extra) {
        const LaunchBuffer buffer = find_buffer(extra);
        if (buffer.count != kernel.argument_bytes)
            return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE,
                                 "its arguments take " + std::to_string(kernel.argument_bytes) + " bytes, given are " +
                                     std::to_string(buffer.count));
        launch.arguments.assign(buffer.bytes, buffer.count);
        return CUDA_SUCCESS;
    }
    launch.arguments.assign(kernel.argument_bytes, '\0');
    if (kernel.parameter_count && !params)
        return refuse_launch(launch, CUDA_ERROR_INVALID_VALUE, "no arguments are given");
    for (unsigned i = 0; i < kernel.parameter_count; ++i)
        memcpy(&launch.arguments[kernel.parameters[i].offset], params[i], kernel.parameters[i].size);
    return CUDA_SUCCESS;
}

std::vector<void *> argument_pointers(const KernelLaunch &launch) {
    std::vector<void *> pointers;
    const EmuKernel &kernel = *launch.function->kernel;
    for (unsigned i = 0; i < kernel.parameter_count; ++i)
        pointers.push_back(const_cast<char *>(launch.arguments.data()) + kernel.parameters[i].offset);
    return pointers;
}

CUresult execute_launch(const KernelLaunch &launch) {
    const Function &function = *launch.function;
    const std::string prefix = "kernel " + function.name + ": ";
    count("kernel:" + function.name);
    const std::string bad_pointer = find_bad_pointer(launch);
    if (!bad_pointer.empty())
        return destroy_context(CUDA_ERROR_ILLEGAL_ADDRESS, prefix + bad_pointer);
    // A string's bytes may lie anywhere; arguments need the alignment of the largest type.
    alignas(16) char arguments[MAX_ARGUMENT_BYTES];
    memcpy(arguments, launch.arguments.data(), launch.arguments.size());
    const Grid grid = {function.module->table, function.kernel,     launch.grid,
                       launch.block,           launch.shared_bytes, arguments};
    const GridResult result = run_grid(grid);
    if (result.outcome == Outcome::illegal_address)
        return destroy_context(CUDA_ERROR_ILLEGAL_ADDRESS,
                               prefix + result.message + ": " + describe_address(uintptr_t(result.address)));
    if (result.outcome != Outcome::success)
        return destroy_context(error_of(result.outcome), prefix + result.message);
    const std::string damage = find_damage(launch);
    return damage.empty() ? CUDA_SUCCESS : destroy_context(CUDA_ERROR_ILLEGAL_ADDRESS, prefix + damage);
}

// --- modules

DRIVER_API CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, CUjit_option *, void **) {
    Call call("cuModuleLoad");
    return call.error ? call.error : load(module, image);
}

DRIVER_API CUresult cuModuleLoadData(CUmodule *module, const void *image) {
    return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

DRIVER_API CUresult cuModuleLoad(CUmodule *module, const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return CUDA_ERROR_FILE_NOT_FOUND;
    std::stringstream content;
    content << file.rdbuf() << std::string(sizeof MAGIC + sizeof(uint64_t), '\0');
    return cuModuleLoadData(module, content.str().data());
}

DRIVER_API CUresult cuModuleUnload(CUmodule handle) {
    Call call("cuModuleUnload", Needs::nothing);
    Module *module = modules.find(handle);
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult refused = refuse_during_capture())
        return refused;
    const CUresult error = synchronize_all();
    for (const auto &entry : module->functions)
        functions.remove(reinterpret_cast<CUfunction>(entry.second));
    for (uintptr_t variable : module->variables)
        forget_module_variable(variable);
    dlclose(module->library);
    modules.remove(handle);
    return error;
}

DRIVER_API CUresult cuModuleGetFunction(CUfunction *function, CUmodule handle, const char *name) {
    Call call("cuModuleGetFunction");
    if (call.error)
        return call.error;
    const Module *module = modules.find(handle);
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    auto found = module->functions.find(name);
    if (found == module->functions.end())
        return explain(CUDA_ERROR_NOT_FOUND, std::string("the module has no kernel of the name ") + name);
    *function = reinterpret_cast<CUfunction>(found->second);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuModuleGetGlobal_v2(CUdeviceptr *pointer, size_t *bytes, CUmodule handle, const char *name) {
    Call call("cuModuleGetGlobal");
    Module *module = modules.find(handle);
    if (!module)
        return CUDA_ERROR_INVALID_HANDLE;
    void *address = dlsym(module->library, name);
    if (!address)
        return CUDA_ERROR_NOT_FOUND;
    const size_t size = symbol_bytes(module->library, name);
    register_module_variable(uintptr_t(address), size);
    module->variables.push_back(uintptr_t(address));
    if (pointer)
        *pointer = CUdeviceptr(address);
    if (bytes)
        *bytes = size;
    return CUDA_SUCCESS;
}

// --- functions

DRIVER_API CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle) {
    Call call("cuFuncGetAttribute");
    const Function *function = functions.find(handle);
    if (!function)
        return CUDA_ERROR_INVALID_HANDLE;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = function->kernel->max_threads;
        break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
        *value = function->static_shared();
        break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *value = function->max_dynamic_shared;
        break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION:
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
        *value = 90;
        break;
    default:
        *value = 0;   // registers, local memory: only the real compiler knows
    }
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
    Call call("cuFuncSetAttribute");
    Function *function = functions.find(handle);
    if (!function)
        return CUDA_ERROR_INVALID_HANDLE;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
        return CUDA_SUCCESS;   // preferences
    if (value < 0 || unsigned(value) + function->static_shared() > MAX_SHARED)
        return CUDA_ERROR_INVALID_VALUE;
    function->max_dynamic_shared = value;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuFuncSetCacheConfig(CUfunction, CUfunc_cache) {
    return CUDA_SUCCESS;
}

// From before cuLaunchKernel, which says the same again. PyCUDA still calls them.
DRIVER_API CUresult cuFuncSetBlockShape(CUfunction, int, int, int) {
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuFuncSetSharedSize(CUfunction, unsigned) {
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction handle, int threads,
                                                                size_t dynamic_shared) {
    Call call("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    const Function *function = functions.find(handle);
    if (!function || threads <= 0 || threads > 1024)
        return CUDA_ERROR_INVALID_VALUE;
    const int by_threads = 2048 / ((threads + 31) / 32 * 32);
    const int by_shared = int(233472 / (dynamic_shared + function->static_shared() + 1024));
    *blocks = std::min({by_threads, by_shared, 32});   // registers are not known
    return CUDA_SUCCESS;
}

// --- launch

DRIVER_API CUresult cuLaunchKernel(CUfunction handle, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                   CUstream stream, void **params, void **extra) {
    Call call("cuLaunchKernel");
    if (call.error)
        return call.error;
    Work work;
    work.type = CU_GRAPH_NODE_TYPE_KERNEL;
    work.launch.function = functions.find(handle);
    work.launch.grid = {grid_x, grid_y, grid_z};
    work.launch.block = {block_x, block_y, block_z};
    work.launch.shared_bytes = shared_bytes;
    if (CUresult error = make_launch(work.launch, params, extra))
        return error;
    return submit(stream, std::move(work));
}
