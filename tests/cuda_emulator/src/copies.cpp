// copies.cpp -- copies and fills: of a range, and of boxes of rows (2D, 3D) in linear memory.
#include <cstring>

#include "driver.h"

namespace {

// A box of rows: `bytes` wide, `rows` high, `layers` deep.
struct Side {
    char *start;
    size_t pitch, layer;   // from row to row, from layer to layer
    bool on_device;
};

struct Box {
    Side to, from;
    size_t bytes, rows, layers;
};

CUresult check_side(const Side &side, const Box &box, const char *what) {
    if (!side.on_device || !box.bytes || !box.rows || !box.layers)
        return CUDA_SUCCESS;
    const size_t extent = (box.layers - 1) * side.layer + (box.rows - 1) * side.pitch + box.bytes;
    if (is_known_memory(uintptr_t(side.start), extent))
        return CUDA_SUCCESS;
    return explain(CUDA_ERROR_INVALID_VALUE, std::string(what) + " of " + std::to_string(extent) +
                                                 " bytes does not lie in one allocation: starts at " +
                                                 describe_address(uintptr_t(side.start)));
}

CUresult check(const Box &box) {
    if (CUresult error = check_side(box.to, box, "the destination of a copy"))
        return error;
    return check_side(box.from, box, "the source of a copy");
}

void copy_box(const Box &box) {
    for (size_t layer = 0; layer < box.layers; ++layer)
        for (size_t row = 0; row < box.rows; ++row)
            memmove(box.to.start + layer * box.to.layer + row * box.to.pitch,
                    box.from.start + layer * box.from.layer + row * box.from.pitch, box.bytes);
}

CUresult copy_now(const Box &box) {
    if (CUresult error = check(box))
        return error;
    if (CUresult error = synchronize_legacy())
        return error;
    copy_box(box);
    return CUDA_SUCCESS;
}

// As CUDA does with host memory that is not pinned: the source is read before the call returns, the destination is
// written before it returns. Pinned memory is read or written when the stream gets there.
CUresult copy_in_stream(const Box &box, CUstream stream) {
    if (CUresult error = check(box))
        return error;
    Operation copy = [box] {
        copy_box(box);
        return CUDA_SUCCESS;
    };
    CUstreamCaptureStatus capture = CU_STREAM_CAPTURE_STATUS_NONE;
    cuStreamIsCapturing(stream, &capture);
    const bool to_pageable = !box.to.on_device && !is_host_allocation(box.to.start);
    const bool from_pageable = !box.from.on_device && !is_host_allocation(box.from.start);
    if (capture == CU_STREAM_CAPTURE_STATUS_NONE && from_pageable && box.rows == 1 && box.layers == 1) {
        const auto staged = std::make_shared<std::string>(box.from.start, box.bytes);
        copy = [box, staged] {
            memcpy(box.to.start, staged->data(), box.bytes);
            return CUDA_SUCCESS;
        };
    }
    if (CUresult error = submit(stream, {CU_GRAPH_NODE_TYPE_MEMCPY, copy, {}}))
        return error;
    if (capture == CU_STREAM_CAPTURE_STATUS_NONE && to_pageable)
        return cuStreamSynchronize(stream);
    return CUDA_SUCCESS;
}

Box range(void *to, bool to_device, const void *from, bool from_device, size_t bytes) {
    return {{static_cast<char *>(to), 0, 0, to_device},
            {static_cast<char *>(const_cast<void *>(from)), 0, 0, from_device},
            bytes,
            1,
            1};
}

void *address(CUdeviceptr pointer) {
    return reinterpret_cast<void *>(pointer);
}

Side side_of(CUmemorytype type, const void *host, CUdeviceptr device, size_t pitch, size_t layer, size_t offset) {
    const bool on_device = type != CU_MEMORYTYPE_HOST;
    char *start = on_device ? reinterpret_cast<char *>(device) : static_cast<char *>(const_cast<void *>(host));
    return {start + offset, pitch, layer, on_device};
}

// CUDA arrays (textures) are the one kind of memory that is not linear, and not supported.
bool is_linear(CUmemorytype type) {
    return type == CU_MEMORYTYPE_HOST || type == CU_MEMORYTYPE_DEVICE;
}

bool to_box(const CUDA_MEMCPY2D &copy, Box &box) {
    const size_t to_offset = copy.dstY * copy.dstPitch + copy.dstXInBytes;
    const size_t from_offset = copy.srcY * copy.srcPitch + copy.srcXInBytes;
    box = {side_of(copy.dstMemoryType, copy.dstHost, copy.dstDevice, copy.dstPitch, 0, to_offset),
           side_of(copy.srcMemoryType, copy.srcHost, copy.srcDevice, copy.srcPitch, 0, from_offset),
           copy.WidthInBytes,
           copy.Height,
           1};
    return is_linear(copy.dstMemoryType) && is_linear(copy.srcMemoryType);
}

bool to_box(const CUDA_MEMCPY3D &copy, Box &box) {
    const size_t to_layer = copy.dstPitch * copy.dstHeight, from_layer = copy.srcPitch * copy.srcHeight;
    const size_t to_offset = copy.dstZ * to_layer + copy.dstY * copy.dstPitch + copy.dstXInBytes;
    const size_t from_offset = copy.srcZ * from_layer + copy.srcY * copy.srcPitch + copy.srcXInBytes;
    box = {side_of(copy.dstMemoryType, copy.dstHost, copy.dstDevice, copy.dstPitch, to_layer, to_offset),
           side_of(copy.srcMemoryType, copy.srcHost, copy.srcDevice, copy.srcPitch, from_layer, from_offset),
           copy.WidthInBytes,
           copy.Height,
           copy.Depth};
    return is_linear(copy.dstMemoryType) && is_linear(copy.srcMemoryType);
}

template <class Descriptor> CUresult copy_descriptor(const char *name, const Descriptor *descriptor) {
    Call call(name);
    Box box;
    if (call.error)
        return call.error;
    return to_box(*descriptor, box) ? copy_now(box) : CUDA_ERROR_NOT_SUPPORTED;
}

template <class Descriptor>
CUresult copy_descriptor_in_stream(const char *name, const Descriptor *descriptor, CUstream stream) {
    Call call(name);
    Box box;
    if (call.error)
        return call.error;
    return to_box(*descriptor, box) ? copy_in_stream(box, stream) : CUDA_ERROR_NOT_SUPPORTED;
}

// Fill rows of `width` elements; a plain fill has one row.
template <class Element>
CUresult fill(const char *name, CUdeviceptr start, size_t pitch, Element value, size_t width, size_t height,
              CUstream stream) {
    Call call(name);
    if (call.error)
        return call.error;
    const Box box = {{static_cast<char *>(address(start)), pitch, 0, true}, {}, width * sizeof(Element), height, 1};
    if (CUresult error = check_side(box.to, box, "the target of a memset"))
        return error;
    Operation operation = [=] {
        for (size_t row = 0; row < height; ++row)
            for (size_t i = 0; i < width; ++i)
                reinterpret_cast<Element *>(start + row * pitch)[i] = value;
        return CUDA_SUCCESS;
    };
    return submit(stream, {CU_GRAPH_NODE_TYPE_MEMSET, operation, {}});
}

}   // namespace

// --- copies that are done when the call returns

DRIVER_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
    Call call("cuMemcpyHtoD");
    return call.error ? call.error : copy_now(range(address(to), true, from, false, bytes));
}

DRIVER_API CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
    Call call("cuMemcpyDtoH");
    return call.error ? call.error : copy_now(range(to, false, address(from), true, bytes));
}

DRIVER_API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    Call call("cuMemcpyDtoD");
    return call.error ? call.error : copy_now(range(address(to), true, address(from), true, bytes));
}

// cuMemcpy tells host from device memory by the address.
DRIVER_API CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    Call call("cuMemcpy");
    return call.error ? call.error : copy_now(range(address(to), is_known_memory(to, 0), address(from),
                                                    is_known_memory(from, 0), bytes));
}

DRIVER_API CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy) {
    return copy_descriptor("cuMemcpy2D", copy);
}

DRIVER_API CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy) {
    return copy_descriptor("cuMemcpy2DUnaligned", copy);
}

DRIVER_API CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D *copy) {
    return copy_descriptor("cuMemcpy3D", copy);
}

// --- copies in a stream

DRIVER_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    Call call("cuMemcpyHtoDAsync");
    return call.error ? call.error : copy_in_stream(range(address(to), true, from, false, bytes), stream);
}

DRIVER_API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Call call("cuMemcpyDtoHAsync");
    return call.error ? call.error : copy_in_stream(range(to, false, address(from), true, bytes), stream);
}

DRIVER_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Call call("cuMemcpyDtoDAsync");
    return call.error ? call.error : copy_in_stream(range(address(to), true, address(from), true, bytes), stream);
}

DRIVER_API CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    Call call("cuMemcpyAsync");
    return call.error ? call.error : copy_in_stream(range(address(to), is_known_memory(to, 0), address(from),
                                                          is_known_memory(from, 0), bytes), stream);
}

DRIVER_API CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
    return copy_descriptor_in_stream("cuMemcpy2DAsync", copy, stream);
}

DRIVER_API CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *copy, CUstream stream) {
    return copy_descriptor_in_stream("cuMemcpy3DAsync", copy, stream);
}

// --- fills

DRIVER_API CUresult cuMemsetD8_v2(CUdeviceptr start, unsigned char value, size_t count) {
    return fill("cuMemsetD8", start, 0, value, count, 1, nullptr);
}

DRIVER_API CUresult cuMemsetD16_v2(CUdeviceptr start, unsigned short value, size_t count) {
    return fill("cuMemsetD16", start, 0, value, count, 1, nullptr);
}

DRIVER_API CUresult cuMemsetD32_v2(CUdeviceptr start, unsigned value, size_t count) {
    return fill("cuMemsetD32", start, 0, value, count, 1, nullptr);
}

DRIVER_API CUresult cuMemsetD8Async(CUdeviceptr start, unsigned char value, size_t count, CUstream stream) {
    return fill("cuMemsetD8Async", start, 0, value, count, 1, stream);
}

DRIVER_API CUresult cuMemsetD16Async(CUdeviceptr start, unsigned short value, size_t count, CUstream stream) {
    return fill("cuMemsetD16Async", start, 0, value, count, 1, stream);
}

DRIVER_API CUresult cuMemsetD32Async(CUdeviceptr start, unsigned value, size_t count, CUstream stream) {
    return fill("cuMemsetD32Async", start, 0, value, count, 1, stream);
}

DRIVER_API CUresult cuMemsetD2D8_v2(CUdeviceptr start, size_t pitch, unsigned char value, size_t width, size_t height) {
    return fill("cuMemsetD2D8", start, pitch, value, width, height, nullptr);
}

DRIVER_API CUresult cuMemsetD2D16_v2(CUdeviceptr start, size_t pitch, unsigned short value, size_t width,
                                     size_t height) {
    return fill("cuMemsetD2D16", start, pitch, value, width, height, nullptr);
}

DRIVER_API CUresult cuMemsetD2D32_v2(CUdeviceptr start, size_t pitch, unsigned value, size_t width, size_t height) {
    return fill("cuMemsetD2D32", start, pitch, value, width, height, nullptr);
}

// --- nodes of a graph that is built by hand

CUresult make_copy(const CUDA_MEMCPY3D &descriptor, Work &work) {
    Box box;
    if (!to_box(descriptor, box))
        return CUDA_ERROR_NOT_SUPPORTED;
    if (CUresult error = check(box))
        return error;
    work = {CU_GRAPH_NODE_TYPE_MEMCPY,
            [box] {
                copy_box(box);
                return CUDA_SUCCESS;
            },
            {}};
    return CUDA_SUCCESS;
}

CUresult make_fill(const CUDA_MEMSET_NODE_PARAMS &fill, Work &work) {
    const Box box = {{static_cast<char *>(address(fill.dst)), fill.pitch, 0, true}, {}, fill.width * fill.elementSize,
                     fill.height, 1};
    if (CUresult error = check_side(box.to, box, "the target of a memset"))
        return error;
    work = {CU_GRAPH_NODE_TYPE_MEMSET,
            [fill] {
                const char *value = reinterpret_cast<const char *>(&fill.value);   // little endian: the low bytes
                for (size_t row = 0; row < fill.height; ++row)
                    for (size_t i = 0; i < fill.width; ++i)
                        memcpy(static_cast<char *>(address(fill.dst)) + row * fill.pitch + i * fill.elementSize, value,
                               fill.elementSize);
                return CUDA_SUCCESS;
            },
            {}};
    return CUDA_SUCCESS;
}
