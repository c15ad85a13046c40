"""The GPU: compiles CUDA source to a cubin, loads it with PyCUDA, and runs plans as CUDA graphs.

PyCUDA and NVIDIA's packages are imported on first use. The device's primary context is used, so that other libraries of
the process share it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np

from graphc import dims
from graphc.dims import Dim
from graphc.errors import BackendError, CompileError
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Step
from graphc.runtime.cache import Cache, key
from graphc.runtime.cudagraph import CudaGraph
from graphc.runtime.memory import Layout, extended
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer, aligned_empty

Array = np.ndarray[Any, Any]

# Recordings kept for each program: one for each combination of buffers and sizes seen lately.
GRAPHS_KEPT = 8
HOW_TO_GET_IT = "install a CUDA driver and `pip install 'graphc[cuda]'`, or choose the backend cpu or numpy"


class Geometry(Protocol):
    """How a kernel is launched."""

    @property
    def blocks(self) -> Dim:
        """Blocks in the grid."""

    @property
    def threads(self) -> int:
        """Threads in a block."""


class Device:
    """The first GPU, its primary context, and a stream of ours.

    It is one thread's at a time, from entering to leaving it: what others launched on the stream meanwhile would become
    part of a recording, and the memory of a program is for one run.
    """

    def __init__(self) -> None:
        self._turn = RLock()
        try:
            self.driver = import_module("pycuda.driver")
            self.driver.init()
            self._device = self.driver.Device(0)
        except Exception as error:  # PyCUDA raises its own errors, and ImportError where it or the driver is missing
            raise BackendError("there is no usable GPU", got=repr(error), hint=HOW_TO_GET_IT) from None
        self.context = self._device.retain_primary_context()
        major, minor = self._device.compute_capability()
        self.arch = f"sm_{major}{minor}"
        self.name = self._device.name()
        with self:
            self.stream = self.driver.Stream()

    def __enter__(self) -> Device:
        self._turn.acquire()
        try:
            self.context.push()
        except BaseException:
            self._turn.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.context.pop()
        finally:
            self._turn.release()


@lru_cache(maxsize=1)
def device() -> Device:
    """The GPU; found once a process.

    Raises:
        BackendError: if there is none, or PyCUDA is missing.
    """
    return Device()


def available() -> str | None:
    """Why the backend cannot be used; None where it can."""
    try:
        device()
    except BackendError as error:
        return str(error.got)
    return None


# ---- compiling


def build_cubin(source: str, arch: str, cache: Cache) -> bytes:
    """Compiles CUDA source to machine code for one architecture, or finds it in the cache.

    The compiler is the nvcc that GRAPHC_NVCC names, else NVRTC, else the nvcc on the path.

    Raises:
        CompileError: if the source is refused.
        BackendError: if there is no compiler.
    """
    compiler = os.environ.get("GRAPHC_NVCC")
    nvrtc = None if compiler else _nvrtc()
    if compiler is None and nvrtc is None:
        compiler = shutil.which("nvcc")
    if compiler is None and nvrtc is None:
        raise BackendError("there is no CUDA compiler", hint="pip install nvidia-cuda-nvrtc, or put nvcc on the path")
    identity = _version(compiler) if compiler else "nvrtc " + str(nvrtc.nvrtcVersion()[1:])  # type: ignore[union-attr]
    name = key("cubin", source, arch, identity)
    found = cache.get(name, ".cubin")
    if found is not None:
        return found
    cubin = _with_nvcc(compiler, source, arch) if compiler else _with_nvrtc(nvrtc, source, arch)
    cache.put(name, cubin, ".cubin")
    return cubin


def _nvrtc() -> Any | None:
    try:
        nvrtc = import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):  # RuntimeError: the bindings are there, the library is not
        return None
    return nvrtc


@lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout


def _with_nvcc(compiler: str, source: str, arch: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        text, cubin = Path(folder, "kernels.cu"), Path(folder, "kernels.cubin")
        text.write_text(source, encoding="utf-8")
        command = [compiler, "-cubin", f"-arch={arch}", "-std=c++17", "-o", str(cubin), str(text)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode or not cubin.exists():
            raise CompileError("the CUDA compiler did not build generated source", got=done.stderr[-4000:])
        return cubin.read_bytes()


def _with_nvrtc(nvrtc: Any, source: str, arch: str) -> bytes:
    _, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], [])
    options = [f"--gpu-architecture={arch}".encode(), b"-std=c++17", *_include_options()]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if int(status) != 0:
        log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
        nvrtc.nvrtcGetProgramLog(program, log)
        raise CompileError("NVRTC did not build generated source", got=log.decode(errors="replace")[-4000:])
    cubin = b" " * nvrtc.nvrtcGetCUBINSize(program)[1]
    nvrtc.nvrtcGetCUBIN(program, cubin)
    nvrtc.nvrtcDestroyProgram(program)
    return bytes(cubin)


def _include_options() -> list[bytes]:
    """Where CUDA's headers are, which half precision needs: NVIDIA's wheels, or a toolkit."""
    folders = [Path(p, "cu13", "include") for p in getattr(import_module("nvidia"), "__path__", [])]
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    return [f"-I{folder}".encode() for folder in (*folders, Path(home, "include")) if Path(folder).is_dir()]


# ---- memory


class _DeviceBuffer:
    """Bytes on the device."""

    def __init__(self, nbytes: int) -> None:
        with device() as gpu:
            self._memory = gpu.driver.mem_alloc(max(1, nbytes))
        self.pointer = int(self._memory)

    def read(self, host: Array) -> None:
        """Copies the device's value to the host."""
        if host.nbytes:
            with device() as gpu:
                gpu.driver.memcpy_dtoh(host, self.pointer)

    def write(self, host: Array) -> None:
        """Copies the host's value to the device."""
        if host.nbytes:
            with device() as gpu:
                gpu.driver.memcpy_htod(self.pointer, host)


# ---- running


class CudaProgram(Program):
    """A plan that runs as one CUDA graph a step.

    Args:
        plan: What runs.
        cubin: The machine code of its kernels.
        geometry: How each kernel is launched.
    """

    def __init__(self, plan: Plan, cubin: bytes, geometry: Mapping[str, Geometry]) -> None:
        super().__init__(plan)
        self.geometry = geometry
        with device() as gpu:
            self._module = gpu.driver.module_from_buffer(cubin)
            self._functions = {}
            for kernel, launch in plan.all_launches().items():
                self._functions[kernel] = self._module.get_function(kernel)
                self._functions[kernel].prepare("P" * len(launch.buffers) + "q" * len(launch.symbols))
        self._constants = {b.id: _DeviceBuffer(len(b.value.data)) for b in plan.buffers if b.value is not None}
        for buffer in plan.buffers:
            if buffer.value is not None:
                self._constants[buffer.id].write(buffer.value.numpy())
        self._layout: Layout | None = None
        self._arena: _DeviceBuffer | None = None
        self._uploads: dict[tuple[int, int], _DeviceBuffer] = {}  # (buffer, bytes) -> where inputs and outputs lie
        self._graphs: OrderedDict[tuple[int, ...], CudaGraph] = OrderedDict()

    def _reserve(self, sizes: Mapping[str, int]) -> Layout:
        """Makes the arena large enough for given sizes; what it held is lost, and recordings that speak of it."""
        layout = extended(self.plan, self._layout, sizes)
        if layout is not self._layout:
            self._layout, self._arena = layout, _DeviceBuffer(layout.nbytes)
            for graph in self._graphs.values():
                graph.close()
            self._graphs.clear()
        return layout

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; returns the outputs of the last run."""
        with device() as gpu:
            pointers = self._pointers(inputs, states, sizes)
            graph = self._recorded(pointers, [sizes[name] for name in self.plan.symbols])
            with self._changing(states):
                for _ in range(repeat):
                    graph.launch()
                gpu.stream.synchronize()
            return [self._read(self.plan.buffers[id], sizes) for id in self.plan.outputs]

    def time_steps(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        rounds: int,
    ) -> list[tuple[Step, float]]:
        """The seconds that each step takes by itself, by the device's clock: the mean of several in a row.

        States are left with values that mean nothing.
        """
        times: list[tuple[Step, float]] = []
        with device() as gpu:
            pointers = self._pointers(inputs, states, sizes)
            with self._changing(states):
                for step in self.plan.steps:
                    many = (step,) * rounds
                    # Recorded, since launching one by one takes longer than most kernels run.
                    graph = CudaGraph(gpu.stream.handle, partial(self._launch_all, many, pointers, sizes))
                    graph.launch()
                    start, end = gpu.driver.Event(), gpu.driver.Event()
                    start.record(gpu.stream)
                    graph.launch()
                    end.record(gpu.stream)
                    end.synchronize()
                    times.append((step, start.time_till(end) / 1000 / rounds))
                    graph.close()
        return times

    @contextmanager
    def _changing(self, states: Mapping[str, StateBuffer]) -> Iterator[None]:
        """Around launches: the device's values are right from before the first of them, whatever interrupts them."""
        updated = [states[name] for name in self.updated]
        for buffer in updated:
            buffer.device_changed()
        try:
            yield
        finally:
            for buffer in updated:
                buffer.device_changed()

    def _pointers(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
    ) -> list[int]:
        """Where each buffer lies on the device, the values of inputs and states brought there."""
        layout = self._reserve(sizes)
        assert self._arena is not None
        return [
            self._arena.pointer + layout.offsets.get(buffer.id, 0)
            if buffer.in_arena
            else self._place(buffer, inputs, states, sizes)
            for buffer in self.plan.buffers
        ]

    def _place(
        self,
        buffer: Buffer,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
    ) -> int:
        """Where a buffer lies on the device, its value brought there."""
        given = inputs.get(buffer.name) if buffer.role == "input" else states.get(buffer.name)
        if buffer.role == "constant":
            return self._constants[buffer.id].pointer
        if buffer.role == "output":
            return self._upload(buffer.id, dims.evaluate(buffer.nbytes, sizes)).pointer
        if isinstance(given, StateBuffer):
            return int(given.on_device(_DeviceBuffer).pointer)
        array = np.ascontiguousarray(given, buffer.dtype.numpy)
        place = self._upload(buffer.id, array.nbytes)
        place.write(array)
        return place.pointer

    def _upload(self, id: int, nbytes: int) -> _DeviceBuffer:
        if (id, nbytes) not in self._uploads:
            self._uploads[id, nbytes] = _DeviceBuffer(nbytes)
        return self._uploads[id, nbytes]

    def _read(self, buffer: Buffer, sizes: Mapping[str, int]) -> Array:
        array = aligned_empty((dims.evaluate(buffer.elements, sizes),), buffer.dtype.numpy)
        self._upload(buffer.id, array.nbytes).read(array)
        return array

    def _recorded(self, pointers: list[int], values: list[int]) -> CudaGraph:
        """The recording of a step on these buffers and sizes."""
        name = (*pointers, *values)
        sizes = dict(zip(self.plan.symbols, values, strict=True))
        if name in self._graphs:
            self._graphs.move_to_end(name)
            return self._graphs[name]
        with device() as gpu:
            graph = CudaGraph(gpu.stream.handle, lambda: self._launch_all(self.plan.steps, pointers, sizes))
        self._graphs[name] = graph
        if len(self._graphs) > GRAPHS_KEPT:
            self._graphs.popitem(last=False)[1].close()
        return graph

    def _launch_all(self, steps: tuple[Step, ...], pointers: list[int], sizes: Mapping[str, int]) -> None:
        gpu = device()
        for step in steps:
            match step:
                case Launch(kernel, buffers):
                    shape = self.geometry[kernel]
                    grid, block = (dims.evaluate(shape.blocks, sizes), 1), (shape.threads, 1, 1)
                    args = [*(pointers[id] for id in buffers), *(sizes[name] for name in step.symbols)]
                    self._functions[kernel].prepared_async_call(grid, block, gpu.stream, *args)
                case Copy(source, target, elements):
                    width = self.plan.buffers[source].dtype.itemsize
                    amount, start, end = (
                        dims.evaluate(dim, sizes) * width for dim in (elements, step.source_offset, step.target_offset)
                    )
                    gpu.driver.memcpy_dtod_async(pointers[target] + end, pointers[source] + start, amount, gpu.stream)
                case Loop(symbol, count, inner):
                    for turn in range(1, dims.evaluate(count, sizes) + 1):
                        self._launch_all(inner, pointers, {**sizes, symbol: turn})
