// memory.cpp -- device and pinned memory: host memory that ends where an inaccessible page begins.
//
//     | guard | slack | the allocation | tail | guard |
//
// The allocation is moved up against the rear guard as far as its alignment lets it: the first element past its end is
// an illegal address, or lies in the tail (fewer bytes than the alignment). Slack and tail are checked after each
// kernel that was given the allocation. Everything starts as 0xFF, a NaN in every floating point type.
#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "driver.h"

namespace {

constexpr size_t FRONT_GUARD = 1 << 20, REAR_GUARD = 16 << 20;
constexpr size_t QUARANTINE = 256;   // freed allocations whose addresses are kept inaccessible
constexpr unsigned char POISON = 0xFF;

struct Allocation {
    size_t bytes;
    MemoryKind kind;
    char *mapping;         // null for a module's variable, which the loader placed
    size_t mapping_bytes;
    unsigned flags;        // as given to cuMemHostAlloc
};

using AllocationMap = std::map<uintptr_t, Allocation>;
auto &allocations = *new AllocationMap;
auto &quarantine = *new std::deque<std::pair<uintptr_t, Allocation>>;
auto &registered_host = *new std::map<uintptr_t, size_t>;   // by cuMemHostRegister
size_t device_bytes = 0, most_device_bytes = 0;

size_t from_environment(const char *variable, size_t fallback) {
    const char *value = getenv(variable);
    return value && *value ? strtoull(value, nullptr, 0) : fallback;
}

// CUDA aligns to 256 bytes. We align to 16, all that a vector load needs, so that an end is seldom hidden in the tail.
size_t alignment() {
    static const size_t bytes = from_environment("CUDA_EMULATOR_ALIGNMENT", 16);
    return bytes;
}

size_t page_bytes() {
    static const size_t bytes = sysconf(_SC_PAGESIZE);
    return bytes;
}

size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

char *data_pages(const Allocation &allocation) {
    return allocation.mapping + FRONT_GUARD;
}

size_t data_page_bytes(const Allocation &allocation) {
    return allocation.mapping_bytes - FRONT_GUARD - REAR_GUARD;
}

// Null when the host has no room.
void *allocate(size_t bytes, MemoryKind kind, unsigned flags = 0) {
    const size_t rounded = round_up(bytes, alignment()), pages = round_up(rounded, page_bytes());
    Allocation allocation = {bytes, kind, nullptr, FRONT_GUARD + pages + REAR_GUARD, flags};
    const int flags_of_map = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *mapping = mmap(nullptr, allocation.mapping_bytes, PROT_NONE, flags_of_map, -1, 0);
    if (mapping == MAP_FAILED)
        return nullptr;
    allocation.mapping = static_cast<char *>(mapping);
    mprotect(data_pages(allocation), pages, PROT_READ | PROT_WRITE);
    memset(data_pages(allocation), POISON, pages);
    char *start = data_pages(allocation) + pages - rounded;
    allocations.emplace(uintptr_t(start), allocation);
    if (kind == MemoryKind::device)
        most_device_bytes = std::max(most_device_bytes, device_bytes += bytes);
    return start;
}

const AllocationMap::value_type *find(uintptr_t address) {
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin())
        return nullptr;
    --next;
    return address <= next->first + next->second.bytes ? &*next : nullptr;   // the end counts: it may be passed around
}

void unmap_oldest() {
    const Allocation &oldest = quarantine.front().second;
    munmap(oldest.mapping, oldest.mapping_bytes);
    quarantine.pop_front();
}

// Give the pages back but keep the addresses for a while: a use after the free is then an illegal address.
CUresult release(uintptr_t address, MemoryKind kind) {
    auto found = allocations.find(address);
    if (found == allocations.end() || found->second.kind != kind)
        return explain(CUDA_ERROR_INVALID_VALUE, "freeing what is not the start of an allocation of that kind: " +
                                                     describe_address(address));
    const std::string damage = find_overrun(address);
    const Allocation allocation = found->second;
    allocations.erase(found);
    if (kind == MemoryKind::device)
        device_bytes -= allocation.bytes;
    madvise(data_pages(allocation), data_page_bytes(allocation), MADV_DONTNEED);
    mprotect(data_pages(allocation), data_page_bytes(allocation), PROT_NONE);
    quarantine.emplace_back(address, allocation);
    if (quarantine.size() > QUARANTINE)
        unmap_oldest();
    return damage.empty() ? CUDA_SUCCESS : destroy_context(CUDA_ERROR_ILLEGAL_ADDRESS, damage);
}

CUresult allocate_device(CUdeviceptr *pointer, size_t bytes) {
    if (bytes == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (CUresult refused = refuse_during_capture())
        return refused;
    if (device_bytes + bytes > device_memory_capacity())
        return CUDA_ERROR_OUT_OF_MEMORY;
    void *start = allocate(bytes, MemoryKind::device);
    *pointer = CUdeviceptr(start);
    return start ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

const char *kind_name(MemoryKind kind) {
    switch (kind) {
    case MemoryKind::device:
        return "device allocation";
    case MemoryKind::host:
        return "pinned host allocation";
    default:
        return "module variable";
    }
}

std::string hexadecimal(uintptr_t value) {
    char text[32];
    snprintf(text, sizeof text, "%#zx", size_t(value));
    return text;
}

std::string relation(uintptr_t address, uintptr_t start, const Allocation &allocation, const char *suffix) {
    const uintptr_t end = start + allocation.bytes;
    const std::string of = std::string(" a ") + kind_name(allocation.kind) + " of " +
                           std::to_string(allocation.bytes) + " bytes" + suffix;
    if (address < start)
        return std::to_string(start - address) + " bytes before" + of;
    if (address < end)
        return std::to_string(address - start) + " bytes into" + of;
    return std::to_string(address - end) + " bytes past the end of" + of;
}

// The first byte of [start, end) that is no longer poison, or null.
const char *first_overwritten(const char *start, const char *end) {
    const size_t bytes = end - start;
    if (bytes == 0 || (static_cast<unsigned char>(*start) == POISON && memcmp(start, start + 1, bytes - 1) == 0))
        return nullptr;   // all are equal to the first: the usual case, at memcmp's speed
    while (static_cast<unsigned char>(*start) == POISON)
        ++start;
    return start;
}

bool in_mapping(uintptr_t address, const Allocation &allocation) {
    return address - uintptr_t(allocation.mapping) < allocation.mapping_bytes;
}

size_t &capacity() {
    static size_t bytes = from_environment("CUDA_EMULATOR_MEMORY", size_t(4) << 30);
    return bytes;
}

}   // namespace

size_t device_memory_capacity() {
    return capacity();
}

bool is_known_memory(uintptr_t address, size_t bytes) {
    if (const auto *entry = find(address))
        return address + bytes <= entry->first + entry->second.bytes;
    auto next = registered_host.upper_bound(address);
    if (next == registered_host.begin())
        return false;
    --next;
    return address + bytes <= next->first + next->second;
}

bool is_host_allocation(const void *address) {
    const uintptr_t number = uintptr_t(address);
    if (const auto *entry = find(number))
        return entry->second.kind == MemoryKind::host;
    return is_known_memory(number, 0);
}

void register_module_variable(uintptr_t address, size_t bytes) {
    allocations[address] = {bytes, MemoryKind::module, nullptr, 0, 0};
}

void forget_module_variable(uintptr_t address) {
    allocations.erase(address);
}

std::string describe_address(uintptr_t address) {
    for (const auto &entry : allocations)
        if (entry.second.mapping ? in_mapping(address, entry.second) : address - entry.first < entry.second.bytes)
            return hexadecimal(address) + ", " + relation(address, entry.first, entry.second, "");
    for (auto entry = quarantine.rbegin(); entry != quarantine.rend(); ++entry)
        if (in_mapping(address, entry->second))
            return hexadecimal(address) + ", " + relation(address, entry->first, entry->second, " that was freed");
    return hexadecimal(address) + ", near no device memory";
}

std::string find_overrun(uintptr_t address) {
    const auto *entry = find(address);
    if (!entry || !entry->second.mapping)
        return "";
    const Allocation &allocation = entry->second;
    char *pages = data_pages(allocation), *start = reinterpret_cast<char *>(entry->first);
    char *end = start + allocation.bytes, *pages_end = pages + data_page_bytes(allocation);
    const char *damaged = first_overwritten(pages, start);
    if (!damaged)
        damaged = first_overwritten(end, pages_end);
    if (!damaged)
        return "";
    memset(pages, POISON, start - pages);   // so that it is reported once
    memset(end, POISON, pages_end - end);
    return "a write to " + describe_address(uintptr_t(damaged));
}

// --- device memory

DRIVER_API CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
    Call call("cuMemAlloc");
    return call.error ? call.error : allocate_device(pointer, bytes);
}

DRIVER_API CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t bytes, unsigned) {
    Call call("cuMemAllocManaged");
    return call.error ? call.error : allocate_device(pointer, bytes);
}

DRIVER_API CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream) {
    Call call("cuMemAllocAsync");
    return call.error ? call.error : allocate_device(pointer, bytes);
}

DRIVER_API CUresult cuMemAllocPitch_v2(CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned) {
    Call call("cuMemAllocPitch");
    *pitch = round_up(width, 512);
    return call.error ? call.error : allocate_device(pointer, *pitch * height);
}

DRIVER_API CUresult cuMemFree_v2(CUdeviceptr pointer) {
    Call call("cuMemFree");
    if (call.error)
        return call.error;
    if (CUresult refused = refuse_during_capture())
        return refused;
    if (CUresult error = synchronize_all())   // the kernels that still use it come first
        return error;
    return release(pointer, MemoryKind::device);
}

DRIVER_API CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
    Call call("cuMemFreeAsync");
    if (call.error)
        return call.error;
    return submit(stream, {CU_GRAPH_NODE_TYPE_MEM_FREE, [=] { return release(pointer, MemoryKind::device); }, {}});
}

DRIVER_API CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
    Call call("cuMemGetInfo");
    *total = device_memory_capacity();
    *free = *total - std::min(*total, device_bytes);
    return call.error;
}

DRIVER_API CUresult cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr pointer) {
    Call call("cuMemGetAddressRange");
    const auto *entry = find(pointer);
    if (!entry)
        return CUDA_ERROR_NOT_FOUND;
    if (base)
        *base = entry->first;
    if (bytes)
        *bytes = entry->second.bytes;
    return CUDA_SUCCESS;
}

// --- pinned host memory

DRIVER_API CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    Call call("cuMemHostAlloc");
    if (call.error)
        return call.error;
    if (CUresult refused = refuse_during_capture())
        return refused;
    *pointer = allocate(bytes ? bytes : 1, MemoryKind::host, flags);
    return *pointer ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

DRIVER_API CUresult cuMemAllocHost_v2(void **pointer, size_t bytes) {
    return cuMemHostAlloc(pointer, bytes, 0);
}

DRIVER_API CUresult cuMemFreeHost(void *pointer) {
    Call call("cuMemFreeHost", Needs::nothing);
    if (CUresult error = synchronize_all())
        return error;
    return release(uintptr_t(pointer), MemoryKind::host);
}

DRIVER_API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *host, unsigned) {
    Call call("cuMemHostGetDevicePointer");
    if (!is_host_allocation(host))
        return CUDA_ERROR_INVALID_VALUE;
    *device = CUdeviceptr(host);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuMemHostGetFlags(unsigned *flags, void *host) {
    Call call("cuMemHostGetFlags");
    const auto *entry = find(uintptr_t(host));
    if (!entry || entry->second.kind != MemoryKind::host)
        return CUDA_ERROR_INVALID_VALUE;
    *flags = entry->second.flags;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuMemHostRegister_v2(void *host, size_t bytes, unsigned) {
    Call call("cuMemHostRegister");
    registered_host[uintptr_t(host)] = bytes;
    return call.error;
}

DRIVER_API CUresult cuMemHostUnregister(void *host) {
    Call call("cuMemHostUnregister", Needs::nothing);
    return registered_host.erase(uintptr_t(host)) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// --- questions about a pointer

DRIVER_API CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr pointer) {
    Call call("cuPointerGetAttribute");
    const auto *entry = find(pointer);
    if (!entry)
        return CUDA_ERROR_INVALID_VALUE;
    const bool on_host = entry->second.kind == MemoryKind::host;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *static_cast<unsigned *>(value) = on_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
        *static_cast<CUdeviceptr *>(value) = pointer;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
        *static_cast<int *>(value) = 0;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *static_cast<CUdeviceptr *>(value) = entry->first;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
        *static_cast<size_t *>(value) = entry->second.bytes;
        return CUDA_SUCCESS;
    default:
        return CUDA_ERROR_NOT_SUPPORTED;
    }
}

// For tests: set how much memory the device has; returns how much it had.
DRIVER_API size_t emulator_set_memory(size_t bytes) {
    Call call("emulator_set_memory", Needs::nothing);
    return std::exchange(capacity(), bytes);
}

// For tests: bytes of device memory that are alive, and the most that were since the last question.
DRIVER_API size_t emulator_live_bytes() {
    Call call("emulator_live_bytes", Needs::nothing);
    return device_bytes;
}

DRIVER_API size_t emulator_most_bytes() {
    Call call("emulator_most_bytes", Needs::nothing);
    return std::exchange(most_device_bytes, device_bytes);
}

// For tests: how many allocations of device and pinned memory are alive.
DRIVER_API long emulator_live_allocations() {
    Call call("emulator_live_allocations", Needs::nothing);
    long live = 0;
    for (const auto &entry : allocations)
        live += entry.second.mapping != nullptr;
    return live;
}
