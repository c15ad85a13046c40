// device.cpp -- the one device: an H100 as its driver describes it.
#include <cstdio>
#include <cstring>

#include "driver.h"
#include "memory.h"

namespace {

struct AttributeValue {
    CUdevice_attribute attribute;
    int value;
};

// As an H100 SXM5 answers. What is not listed is 0, which for a feature means absent: left out is what the emulator
// lacks (cooperative launch, clusters, memory pools, textures).
constexpr AttributeValue ATTRIBUTES[] = {
    {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
    {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 233472},
    {CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK, 1024},
    {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
    {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 52428800},
    {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 1980000},
    {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 2619000},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 5120},
    {CU_DEVICE_ATTRIBUTE_MAX_PITCH, 2147483647},
    {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 3},
    {CU_DEVICE_ATTRIBUTE_GPU_OVERLAP, 1},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
    {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
    {CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 1},
};

}   // namespace

DRIVER_API CUresult cuDeviceGetCount(int *count) {
    *count = 1;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    *device = 0;
    return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_API CUresult cuDeviceGetName(char *name, int length, CUdevice) {
    snprintf(name, length, "NVIDIA H100 (emulated on the CPU)");
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice) {
    snprintf(text, length, "0000:00:00.0");
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice) {
    memset(uuid, 0, sizeof *uuid);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice) {
    *major = 9;
    *minor = 0;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
    *bytes = device_memory_capacity();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
    *value = 0;
    for (const AttributeValue &known : ATTRIBUTES)
        if (known.attribute == attribute)
            *value = known.value;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuDeviceCanAccessPeer(int *possible, CUdevice, CUdevice) {
    *possible = 0;
    return CUDA_SUCCESS;
}
