"""The emulator itself: unmodified PyCUDA and cuda-bindings run on it, and it catches what it says it catches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from . import control, nvrtc
from .activation import activate
from .build import CannotBuild
from .compiler import CompileError, compile_cubin, nvcc_path

pytest.importorskip("pycuda", reason="PyCUDA is not installed: .ci/cuda/install.sh installs it without a GPU")

SOURCE = r"""
#include <cuda_fp16.h>
#include <cuda_bf16.h>

__constant__ float bias[4];

__device__ float block_total(float value) {   // shared memory of a device function
    __shared__ float partial[32];
    for (int k = 16; k > 0; k >>= 1) value += __shfl_down_sync(0xffffffffu, value, k);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    float total = 0.0f;
    for (int k = 0; k < blockDim.x / 32; ++k) total += partial[k];
    return total;
}

extern "C" {
__global__ void add(const float *a, const float *b, float *c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i] + bias[0];
}

__global__ void __launch_bounds__(128) sum_static(const float *x, float *out) {
    __shared__ float s[128];
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 128 + t];
    __syncthreads();
    for (int k = 64; k > 0; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = s[0];
}

__global__ void sum_dynamic(const float *x, float *out) {
    extern __shared__ __align__(16) unsigned char raw[];
    float *s = (float *)raw;
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * blockDim.x + t];
    __syncthreads();
    for (int k = blockDim.x / 2; k > 0; k >>= 1) {
        if (t < k) s[t] += s[t + k];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = s[0];
}

__global__ void sum_shuffle(const float *x, float *out) {
    float total = block_total(x[blockIdx.x * blockDim.x + threadIdx.x]);
    if (threadIdx.x == 0) out[blockIdx.x] = total;
}

__global__ void transpose(const float *x, float *y, int w, int h) {
    __shared__ float tile[16][17];
    int i = blockIdx.x * 16 + threadIdx.x, j = blockIdx.y * 16 + threadIdx.y;
    if (i < w && j < h) tile[threadIdx.y][threadIdx.x] = x[j * w + i];
    __syncthreads();
    i = blockIdx.y * 16 + threadIdx.x, j = blockIdx.x * 16 + threadIdx.y;
    if (i < h && j < w) y[j * h + i] = tile[threadIdx.x][threadIdx.y];
}

__global__ void votes(unsigned *out) {
    int lane = threadIdx.x % 32;
    out[threadIdx.x * 4] = __ballot_sync(0xffffffffu, lane & 1);
    out[threadIdx.x * 4 + 1] = __syncthreads_count(threadIdx.x < 10);
    out[threadIdx.x * 4 + 2] = __shfl_xor_sync(0xffffffffu, threadIdx.x, 1);
    out[threadIdx.x * 4 + 3] = __reduce_add_sync(0xffffffffu, 1u) + 100 * __all_sync(0xffffffffu, lane < 32);
}

__global__ void histogram(const int *x, int *bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&bins[x[i]], 1);
}

__global__ void halves(const __half *x, const float4 *v, __half *y, __nv_bfloat16 *z) {
    int i = threadIdx.x;
    y[i] = __hadd(x[i], __float2half(v[i].x));
    z[i] = __float2bfloat16(v[i].y) * __float2bfloat16(v[i].z);
}

__global__ void early_return(float *out) {   // a barrier counts only those who are still there
    if (threadIdx.x >= 40) return;
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    atomicAdd(&count, 1);
    __syncthreads();
    out[threadIdx.x] = count;
}

__global__ void scale(float *x, float factor, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= factor;
}

// --- kernels with a mistake

__global__ void write_past_end(float *x, int n) { x[n] = 1.0f; }

__global__ void no_barrier(const float *x, float *y) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = s[63 - threadIdx.x];
}

__global__ void deadlock(float *x) {
    if (threadIdx.x < 7) __syncwarp();
    else __syncthreads();
    x[0] = 1.0f;
}

__global__ void two_barriers(float *x) {
    if (threadIdx.x < 32) __syncthreads();
    else
        __syncthreads();
    x[0] = 1.0f;
}

__global__ void past_dynamic_shared(float *x) {
    extern __shared__ float s[];
    x[0] = s[blockDim.x];
}

__global__ void order_dependent(float *x) { x[0] = threadIdx.x; }
__global__ void divide(int *x) { x[0] = 7 / x[1]; }
}
__global__ void mangled(float *x) { x[0] = 1.0f; }
"""


@pytest.fixture(scope="module")
def cuda() -> Iterator[ModuleType]:
    """PyCUDA's driver module on the emulated driver, with the primary context current."""
    try:
        activate()
    except CannotBuild as reason:
        pytest.skip(str(reason))
    driver = pytest.importorskip("pycuda.driver", reason="PyCUDA cannot be loaded on the emulated driver")
    driver.init()
    context = driver.Device(0).retain_primary_context()
    context.push()
    yield driver
    driver.Context.pop()


@pytest.fixture(scope="module")
def module(cuda: ModuleType) -> Any:
    """The kernels of SOURCE."""
    return cuda.module_from_buffer(compile_cubin(SOURCE))


@pytest.fixture(autouse=True)
def clean(cuda: ModuleType) -> Iterator[None]:
    """Leave no destroyed context behind, and start with the usual settings whatever the environment says."""
    with control.settings(lazy=False, reverse=False):
        yield
        control.reset()


def random(*shape: int) -> np.ndarray:
    """Float32 values, the same each time."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


# --- what works


def test_device_looks_like_an_h100(cuda: ModuleType) -> None:
    device = cuda.Device(0)
    assert device.compute_capability() == (9, 0)
    assert "H100" in device.name()
    assert device.get_attribute(cuda.device_attribute.MULTIPROCESSOR_COUNT) == 132
    assert device.get_attribute(cuda.device_attribute.MAX_SHARED_MEMORY_PER_BLOCK) == 48 * 1024


def test_vector_add_with_constant_memory(cuda: ModuleType, module: Any) -> None:
    pointer, size = module.get_global("bias")
    assert size == 16
    cuda.memcpy_htod(pointer, np.array([0.5, 0, 0, 0], np.float32))
    a, b, c = random(1000), random(1000)[::-1].copy(), np.empty(1000, np.float32)
    add = module.get_function("add")
    add(cuda.In(a), cuda.In(b), cuda.Out(c), np.int32(1000), block=(256, 1, 1), grid=(4, 1))
    np.testing.assert_array_equal(c, a + b + np.float32(0.5))


@pytest.mark.parametrize(("name", "shared"), [("sum_static", 0), ("sum_dynamic", 512), ("sum_shuffle", 0)])
def test_block_reductions(cuda: ModuleType, module: Any, name: str, shared: int) -> None:
    x, out = random(5, 128), np.empty(5, np.float32)
    module.get_function(name)(cuda.In(x), cuda.Out(out), block=(128, 1, 1), grid=(5, 1), shared=shared)
    np.testing.assert_allclose(out, x.sum(1), rtol=1e-5, atol=1e-5)


def test_static_shared_memory_is_known_by_kernel(module: Any) -> None:
    assert module.get_function("sum_static").shared_size_bytes == 512
    assert module.get_function("add").shared_size_bytes == 0


def test_two_dimensional_blocks(cuda: ModuleType, module: Any) -> None:
    x, y = random(40, 23), np.empty((23, 40), np.float32)
    transpose = module.get_function("transpose")
    transpose(cuda.In(x), cuda.Out(y), np.int32(23), np.int32(40), block=(16, 16, 1), grid=(2, 3))
    np.testing.assert_array_equal(y, x.T)


def test_warp_votes(cuda: ModuleType, module: Any) -> None:
    out = np.empty((64, 4), np.uint32)
    module.get_function("votes")(cuda.Out(out), block=(64, 1, 1))
    assert (out[:, 0] == 0xAAAAAAAA).all()
    assert (out[:, 1] == 10).all()
    assert (out[:, 2] == np.arange(64) ^ 1).all()
    assert (out[:, 3] == 132).all()


def test_atomics(cuda: ModuleType, module: Any) -> None:
    x, bins = np.random.default_rng(0).integers(0, 8, 1000, np.int32), np.zeros(8, np.int32)
    histogram = module.get_function("histogram")
    histogram(cuda.In(x), cuda.InOut(bins), np.int32(1000), block=(128, 1, 1), grid=(8, 1))
    np.testing.assert_array_equal(bins, np.bincount(x, minlength=8))


def test_half_and_bfloat16_round_as_numpy_does(cuda: ModuleType, module: Any) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x, v = random(512).astype(np.float16), random(512, 4) * np.float32(300)
    v[0, 0], v[1, 0], v[2, 0] = 1e9, 2e-7, np.nan
    y, z = np.empty(512, np.float16), np.empty(512, ml_dtypes.bfloat16)
    module.get_function("halves")(cuda.In(x), cuda.In(v), cuda.Out(y), cuda.Out(z), block=(512, 1, 1))
    with np.errstate(over="ignore"):
        expected = x + v[:, 0].astype(np.float16)
    np.testing.assert_array_equal(y, expected)
    low, high = v[:, 1].astype(ml_dtypes.bfloat16), v[:, 2].astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(z, low * high)


def test_every_half_converts_exactly(cuda: ModuleType) -> None:
    source = """#include <cuda_fp16.h>
    extern "C" __global__ void widen(const __half *x, float *y) {
        int i = blockIdx.x * blockDim.x + threadIdx.x; y[i] = __half2float(x[i]); }
    extern "C" __global__ void narrow(const float *x, __half *y) {
        int i = blockIdx.x * blockDim.x + threadIdx.x; y[i] = __float2half(x[i]); }"""
    kernels = cuda.module_from_buffer(compile_cubin(source))
    x, wide = np.arange(65536, dtype=np.uint16).view(np.float16), np.empty(65536, np.float32)
    launch = {"block": (256, 1, 1), "grid": (256, 1)}
    kernels.get_function("widen")(cuda.In(x), cuda.Out(wide), **launch)
    np.testing.assert_array_equal(wide, x.astype(np.float32))
    finite = np.nan_to_num(wide, nan=0.0, posinf=0.0, neginf=0.0)
    between = finite * (1 + np.float32(2**-11) * random(65536)) + np.float32(2**-25) * random(65536)
    back = np.empty(65536, np.float16)
    kernels.get_function("narrow")(cuda.In(between), cuda.Out(back), **launch)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(back, between.astype(np.float16))


def test_threads_that_returned_are_not_waited_for(cuda: ModuleType, module: Any) -> None:
    out = np.zeros(64, np.float32)
    module.get_function("early_return")(cuda.InOut(out), block=(64, 1, 1))
    assert (out[:40] == 40).all()


def test_streams_events_and_pinned_memory(cuda: ModuleType, module: Any) -> None:
    stream, start, end = cuda.Stream(), cuda.Event(), cuda.Event()
    pinned = cuda.pagelocked_empty(100, np.float32)
    pinned[:] = 3
    x = cuda.mem_alloc(pinned.nbytes)
    start.record(stream)
    cuda.memcpy_htod_async(x, pinned, stream)
    scale = module.get_function("scale")
    scale(x, np.float32(2), np.int32(100), block=(128, 1, 1), stream=stream)
    cuda.memcpy_dtoh_async(pinned, x, stream)
    end.record(stream)
    stream.synchronize()
    assert (pinned == 6).all()
    assert end.time_since(start) >= 0


def test_fresh_memory_is_poisoned(cuda: ModuleType) -> None:
    x = np.zeros(10, np.float32)
    cuda.memcpy_dtoh(x, cuda.mem_alloc(40))
    assert np.isnan(x).all()


def test_freed_memory_and_counters(cuda: ModuleType) -> None:
    control.clear_counters()
    live = control.live_allocations()
    x = cuda.mem_alloc(400)
    assert control.live_allocations() == live + 1
    x.free()
    assert control.live_allocations() == live
    assert control.counter("cuMemAlloc") == control.counter("cuMemFree") == 1


def test_source_module_through_the_stand_in_nvcc(cuda: ModuleType, tmp_path: Path) -> None:
    compiler = pytest.importorskip("pycuda.compiler", reason="pytools is not installed")
    source = "__global__ void three(float *x) { x[threadIdx.x] = 3.0f; }"
    three = compiler.SourceModule(source, nvcc=str(nvcc_path()), cache_dir=str(tmp_path)).get_function("three")
    x = np.zeros(4, np.float32)
    three(cuda.Out(x), block=(4, 1, 1))
    assert (x == 3).all()


def test_nvcc_command_line(tmp_path: Path) -> None:
    (tmp_path / "in.cu").write_text('extern "C" __global__ void k(float *x) { x[0] = VALUE; }')
    command = [str(nvcc_path()), "-cubin", "-arch=sm_90", "-std=c++17", "-DVALUE=1", "-o", "out.cubin", "in.cu"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "out.cubin").read_bytes().startswith(b"EMUCUBIN")
    (tmp_path / "in.cu").write_text("nonsense")
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "in.cu:1" in failed.stderr


def test_library_path_works_in_a_fresh_process(cuda: ModuleType) -> None:
    code = "import pycuda.autoprimaryctx, pycuda.driver as d; print(d.Device(0).name())"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert "H100" in done.stdout, done.stderr  # activate() has set LD_LIBRARY_PATH for child processes


# --- graphs


def checked(result: tuple[Any, ...]) -> Any:
    """The value of a cuda-bindings call, whose first item is the error."""
    error, *values = result
    assert int(error) == 0, error
    return values[0] if len(values) == 1 else values


@pytest.fixture
def bindings(cuda: ModuleType) -> ModuleType:
    """The driver module of cuda-bindings."""
    module: ModuleType = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings is not installed")
    return module


@pytest.fixture
def captured(cuda: ModuleType, module: Any, bindings: ModuleType) -> Any:
    """A stream, device memory of 8 zeros, and a graph that sets all to 2 and triples the first 7."""
    stream, x = cuda.Stream(), cuda.mem_alloc(32)
    cuda.memset_d32(x, 0, 8)
    mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    checked(bindings.cuStreamBeginCapture(stream.handle, mode))
    cuda.memset_d32_async(x, 0x40000000, 8, stream)
    scale = module.get_function("scale")
    scale.prepare("Pfi")
    scale.prepared_async_call((1, 1), (32, 1, 1), stream, x, 3.0, 7)
    return stream, x, checked(bindings.cuStreamEndCapture(stream.handle))


def read(cuda: ModuleType, x: Any) -> np.ndarray:
    """Copy 8 floats from the device."""
    values = np.empty(8, np.float32)
    cuda.memcpy_dtoh(values, x)
    return values


def test_graph_capture_and_replay(cuda: ModuleType, bindings: ModuleType, captured: Any) -> None:
    stream, x, graph = captured
    assert (read(cuda, x) == 0).all()  # recorded, not run
    executable = checked(bindings.cuGraphInstantiate(graph, 0))
    control.clear_counters()
    for _ in range(2):
        checked(bindings.cuGraphLaunch(executable, stream.handle))
    stream.synchronize()
    assert read(cuda, x).tolist() == [6] * 7 + [2]
    assert control.counter("cuGraphLaunch") == control.counter("kernel:scale") == 2
    assert control.counter("cuLaunchKernel") == 0
    checked(bindings.cuGraphExecDestroy(executable))
    checked(bindings.cuGraphDestroy(graph))


def test_kernel_node_of_an_executable_graph_can_be_changed(
    cuda: ModuleType, bindings: ModuleType, captured: Any
) -> None:
    stream, x, graph = captured
    executable = checked(bindings.cuGraphInstantiate(graph, 0))
    nodes, count = checked(bindings.cuGraphGetNodes(graph, 2))
    kernel = bindings.CUgraphNodeType.CU_GRAPH_NODE_TYPE_KERNEL
    [node] = [node for node in nodes[:count] if checked(bindings.cuGraphNodeGetType(node)) == kernel]
    params = checked(bindings.cuGraphKernelNodeGetParams(node))
    factor, number = np.array([5], np.float32), np.array([8], np.int32)
    pointer = np.array([int(x)], np.uint64)
    arguments = np.array([each.ctypes.data for each in (pointer, factor, number)], np.uint64)
    params.kernelParams = arguments.ctypes.data
    checked(bindings.cuGraphExecKernelNodeSetParams(executable, node, params))
    checked(bindings.cuGraphLaunch(executable, stream.handle))
    stream.synchronize()
    assert read(cuda, x).tolist() == [10] * 8


def test_capture_with_a_second_stream(cuda: ModuleType, module: Any, bindings: ModuleType) -> None:
    first, second, fork, join = cuda.Stream(), cuda.Stream(), cuda.Event(), cuda.Event()
    x = cuda.mem_alloc(32)
    mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    checked(bindings.cuStreamBeginCapture(first.handle, mode))
    cuda.memset_d32_async(x, 0x3F800000, 8, first)
    fork.record(first)
    second.wait_for_event(fork)
    module.get_function("scale")(x, np.float32(4), np.int32(8), block=(32, 1, 1), stream=second)
    join.record(second)
    first.wait_for_event(join)
    graph = checked(bindings.cuStreamEndCapture(first.handle))
    with control.lazy_streams():  # the order comes from the dependencies only
        executable = checked(bindings.cuGraphInstantiate(graph, 0))
        checked(bindings.cuGraphLaunch(executable, first.handle))
        first.synchronize()
    assert read(cuda, x).tolist() == [4] * 8


def test_unjoined_capture_is_an_error(cuda: ModuleType, bindings: ModuleType) -> None:
    first, second, fork, x = cuda.Stream(), cuda.Stream(), cuda.Event(), cuda.mem_alloc(32)
    mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
    checked(bindings.cuStreamBeginCapture(first.handle, mode))
    fork.record(first)
    second.wait_for_event(fork)
    cuda.memset_d32_async(x, 0, 8, second)
    error, _ = bindings.cuStreamEndCapture(first.handle)
    assert error == bindings.CUresult.CUDA_ERROR_STREAM_CAPTURE_UNJOINED


def test_allocation_breaks_a_capture(cuda: ModuleType, bindings: ModuleType) -> None:
    stream = cuda.Stream()
    mode = bindings.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    checked(bindings.cuStreamBeginCapture(stream.handle, mode))
    with pytest.raises(cuda.Error, match="while a stream is captured"):
        cuda.mem_alloc(32)
    error, _ = bindings.cuStreamEndCapture(stream.handle)
    assert error == bindings.CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED


# --- what is caught


def test_write_past_the_end(cuda: ModuleType, module: Any) -> None:
    write = module.get_function("write_past_end")
    for count in (1000, 1001):  # against the guard page; in the few bytes before it
        x = cuda.mem_alloc(4 * count)
        with pytest.raises(cuda.Error, match=f"0 bytes past the end of a device allocation of {4 * count} bytes"):
            write(x, np.int32(count), block=(1, 1, 1))
        control.reset()


def test_write_before_the_start(cuda: ModuleType, module: Any) -> None:
    x = cuda.mem_alloc(4096)
    with pytest.raises(cuda.Error, match="4 bytes before a device allocation"):
        module.get_function("write_past_end")(x, np.int32(-1), block=(1, 1, 1))


def test_context_is_dead_after_a_fault(cuda: ModuleType, module: Any) -> None:
    x = cuda.mem_alloc(64)
    with pytest.raises(cuda.Error, match=r"block \(1,0,0\) thread \(0,0,0\)"):
        module.get_function("add")(x, x, x, np.int32(1000), block=(16, 1, 1), grid=(2, 1))
    with pytest.raises(cuda.Error, match="illegal address"):
        cuda.Context.synchronize()
    control.reset()
    cuda.Context.synchronize()


def test_use_after_free(cuda: ModuleType, module: Any) -> None:
    x = cuda.mem_alloc(400)
    address = int(x)
    x.free()
    with pytest.raises(cuda.Error, match="that was freed"):
        module.get_function("scale")(np.uint64(address), np.float32(1), np.int32(100), block=(128, 1, 1))


def test_host_pointer_as_argument(cuda: ModuleType, module: Any) -> None:
    x = np.zeros(4, np.float32)
    with pytest.raises(cuda.Error, match="argument 0 is no device pointer"):
        module.get_function("scale")(np.uint64(x.ctypes.data), np.float32(1), np.int32(4), block=(4, 1, 1))


def test_missing_barrier_reads_poison(cuda: ModuleType, module: Any) -> None:
    x, y = random(64), np.zeros(64, np.float32)
    module.get_function("no_barrier")(cuda.In(x), cuda.Out(y), block=(64, 1, 1))
    assert np.isnan(y).any()


@pytest.mark.parametrize(("name", "message"), [("deadlock", "deadlock"), ("two_barriers", "different barriers")])
def test_barriers_that_never_meet(cuda: ModuleType, module: Any, name: str, message: str) -> None:
    with pytest.raises(cuda.Error, match=message):
        module.get_function(name)(cuda.mem_alloc(4), block=(64, 1, 1))


def test_past_dynamic_shared_memory(cuda: ModuleType, module: Any) -> None:
    with pytest.raises(cuda.Error, match="illegal address"):
        module.get_function("past_dynamic_shared")(cuda.mem_alloc(4), block=(64, 1, 1), shared=256)


def test_division_by_zero(cuda: ModuleType, module: Any) -> None:
    with pytest.raises(cuda.Error, match="division by zero"):
        module.get_function("divide")(cuda.In(np.zeros(2, np.int32)), block=(1, 1, 1))


def test_oversized_launches(cuda: ModuleType, module: Any) -> None:
    x = cuda.mem_alloc(8192)
    with pytest.raises(cuda.Error, match="2048 threads"):
        module.get_function("scale")(x, np.float32(1), np.int32(1), block=(2048, 1, 1))
    with pytest.raises(cuda.Error, match="__launch_bounds__ allow 128"):
        module.get_function("sum_static")(x, x, block=(256, 1, 1))
    with pytest.raises(cuda.Error, match="65536 bytes of dynamic shared memory"):
        module.get_function("sum_dynamic")(x, x, block=(32, 1, 1), shared=64 * 1024)


def test_wrong_argument_size(cuda: ModuleType, module: Any) -> None:
    with pytest.raises(cuda.Error, match="arguments take 16 bytes, given are 12"):
        module.get_function("scale")(cuda.mem_alloc(4), np.float32(1), block=(1, 1, 1))


def test_copy_that_leaves_an_allocation(cuda: ModuleType) -> None:
    with pytest.raises(cuda.Error, match="does not lie in one allocation"):
        cuda.memcpy_htod(cuda.mem_alloc(12), np.zeros(4, np.float32))


def test_order_dependence_shows_in_reverse(cuda: ModuleType, module: Any) -> None:
    x = np.zeros(1, np.float32)
    launch = module.get_function("order_dependent")
    launch(cuda.Out(x), block=(32, 1, 1))
    assert x[0] == 31
    with control.reverse_order():
        launch(cuda.Out(x), block=(32, 1, 1))
    assert x[0] == 0


def test_missing_synchronization_shows_with_lazy_streams(cuda: ModuleType) -> None:
    stream, x = cuda.Stream(), cuda.mem_alloc(32)
    pinned = cuda.pagelocked_zeros(8, np.float32)
    with control.lazy_streams():
        cuda.memset_d32_async(x, 0x3F800000, 8, stream)
        cuda.memcpy_dtoh_async(pinned, x, stream)
        assert (pinned == 0).all()  # not waited for
        stream.synchronize()
        assert (pinned == 1).all()


def test_streams_are_ordered_by_events_only_with_lazy_streams(cuda: ModuleType) -> None:
    first, second, event, x = cuda.Stream(), cuda.Stream(), cuda.Event(), cuda.mem_alloc(32)
    pinned = cuda.pagelocked_zeros(8, np.float32)
    with control.lazy_streams():
        cuda.memset_d32_async(x, 0x3F800000, 8, first)
        event.record(first)
        cuda.memset_d32_async(x, 0x40000000, 8, first)
        second.wait_for_event(event)
        cuda.memcpy_dtoh_async(pinned, x, second)
        second.synchronize()
        assert (pinned == 1).all()  # the second fill comes after the event, and has not been waited for


def test_a_kernel_needs_extern_c(cuda: ModuleType, module: Any) -> None:
    with pytest.raises(cuda.Error):
        module.get_function("mangled")
    module.get_function("_Z7mangledPf")


def test_compile_error_names_the_line() -> None:
    with pytest.raises(CompileError, match=r"kernel\.cu:3"):
        compile_cubin('extern "C" __global__ void k(float *x) {\n    /* a comment\n */ x[0] = y;\n}')


# --- NVIDIA's compiler


def test_nvrtc_compiles_the_same_source() -> None:
    if reason := nvrtc.missing():
        pytest.skip(reason)
    compiled = nvrtc.compile_for(SOURCE)
    assert compiled.cubin.startswith(b"\x7fELF")
    assert compiled.usage["sum_static"].shared == 512
    assert 0 < compiled.usage["add"].registers < 64
    assert compiled.usage["add"].spills == 0


def test_nvrtc_reports_errors() -> None:
    if reason := nvrtc.missing():
        pytest.skip(reason)
    with pytest.raises(nvrtc.NvrtcError, match="undefined"):
        nvrtc.compile_for('extern "C" __global__ void k(float *x) { x[0] = y; }')
