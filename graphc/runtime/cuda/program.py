"""Programs of the GPU: a plan whose kernels are launched, recorded as a CUDA graph, and replayed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol

import numpy as np

from graphc import dims
from graphc.dims import Dim
from graphc.errors import LoadError, OutOfMemoryError, VerificationError
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Step
from graphc.runtime.cuda.device import Device, DriverError, device
from graphc.runtime.cuda.memory import DeviceBuffer, Space
from graphc.runtime.cuda.recording import Recording, record
from graphc.runtime.memory import by_role
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer, aligned_empty

Array = np.ndarray[Any, Any]

# The number of recordings of a program: one for each recent combination of buffers and sizes.
MOST_GRAPHS = 8


class Geometry(Protocol):
    """The launch geometry of a kernel."""

    @property
    def blocks(self) -> Dim:
        """Blocks in the grid."""

    @property
    def threads(self) -> int:
        """Threads in a block."""


class Kernels:
    """The loaded kernels of a plan.

    Args:
        gpu: The device, which the caller has entered.
        cubin: Their machine code.
        plan: The plan, which has their parameters.

    Raises:
        LoadError: if the driver refuses the machine code.
    """

    def __init__(self, gpu: Device, cubin: bytes, plan: Plan) -> None:
        self._device = gpu
        self._loaded: list[Any] = []
        self._functions: dict[str, Any] = {}
        try:
            self._loaded.append(gpu.driver.module_from_buffer(cubin))
            self._functions |= {name: self._loaded[0].get_function(name) for name in plan.all_launches()}
        except gpu.driver.MemoryError:
            raise
        except gpu.driver.Error as error:
            raise LoadError("the GPU's driver does not load generated kernels", got=str(error)) from error
        for kernel, launch in plan.all_launches().items():
            self._functions[kernel].prepare("P" * len(launch.buffers) + "q" * len(launch.symbols))

    def launch(self, kernel: str, blocks: int, threads: int, arguments: Sequence[int]) -> None:
        """Launches a kernel on the device's stream."""
        self._functions[kernel].prepared_async_call((blocks, 1), (threads, 1, 1), self._device.stream, *arguments)

    def __del__(self) -> None:
        # The functions hold their module, unless garbage collection has freed it: they are released first.
        for held in (self.__dict__.get("_functions"), self.__dict__.get("_loaded")):
            if held:
                self._device.discard(held.clear)


@contextmanager
def _explained(gpu: Device, needs: Callable[[], Mapping[str, int]]) -> Iterator[None]:
    """Adds the program's needs, by role, to out-of-memory errors in the block.

    Args:
        gpu: The device, which the caller has entered.
        needs: The bytes that a program needs, by role.
    """
    try:
        yield
    except (OutOfMemoryError, DriverError, gpu.driver.Error) as error:
        ours = error if isinstance(error, OutOfMemoryError) else gpu.translated(error)
        if isinstance(ours, OutOfMemoryError):
            parts = ", ".join(f"{role} {nbytes}" for role, nbytes in needs().items())
            ours.expected = f"room for all that the program needs (bytes: {parts})"
        raise ours from (error.__cause__ if ours is error else error)


class CudaProgram(Program):
    """A plan that runs as one CUDA graph a step.

    Args:
        plan: The plan.
        cubin: The machine code of its kernels.
        geometry: The launch geometry of each kernel.

    Raises:
        LoadError: if the driver refuses the machine code.
        OutOfMemoryError: if the constants do not fit into memory.
    """

    def __init__(self, plan: Plan, cubin: bytes, geometry: Mapping[str, Geometry]) -> None:
        super().__init__(plan)
        self.geometry = geometry
        self._space = Space(plan)
        self._graphs: OrderedDict[tuple[int, ...], Recording] = OrderedDict()
        self._recorded_in = self._space.version
        self._constants: dict[int, DeviceBuffer] = {}
        values = {buffer.id: buffer.value for buffer in plan.buffers if buffer.value is not None}
        with device() as gpu, _explained(gpu, lambda: {"constant": sum(len(value.data) for value in values.values())}):
            self._kernels = Kernels(gpu, cubin, plan)
            for id, value in values.items():
                self._constants[id] = DeviceBuffer(len(value.data))
                self._constants[id].write(value.numpy())

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int,
    ) -> list[Array]:
        """Runs the plan `repeat` times; returns the outputs of the last run.

        All memory is allocated before the first launch: a run that does not fit changes nothing.

        Raises:
            OutOfMemoryError: if the device has too little memory.
            BackendError: if the device fails; states are then those after the last completed launch.
        """
        with device() as gpu:
            with _explained(gpu, partial(by_role, self.plan, sizes)):
                pointers = self._pointers(inputs, states, sizes)
                graph = self._recorded(gpu, pointers, [sizes[name] for name in self.plan.symbols])
            outputs = [self._host(id, sizes) for id in self.plan.outputs]
            with self._changing(gpu, states):
                for _ in range(repeat):
                    graph.launch()
            for id, host in zip(self.plan.outputs, outputs, strict=True):
                self._space.upload(id, host.nbytes).read(host)
            return outputs

    def time_steps(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        rounds: int,
    ) -> list[tuple[Step, float]]:
        """The seconds of each step alone, by the device's clock: the mean of several runs.

        States are left with meaningless values.
        """
        times: list[tuple[Step, float]] = []
        with device() as gpu:
            with _explained(gpu, partial(by_role, self.plan, sizes)):
                pointers = self._pointers(inputs, states, sizes)
            with self._changing(gpu, states):
                for step in self.plan.steps:
                    many = (step,) * rounds
                    # Recorded, since launching one by one takes longer than most kernels run.
                    graph = record(gpu, partial(self._launch_all, gpu, pointers), many, pointers, sizes)
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
    def _changing(self, gpu: Device, states: Mapping[str, StateBuffer]) -> Iterator[None]:
        """Marks the device's values of updated states as current before the launches in the block, even if interrupted.

        All launches are completed when the block is left.
        """
        updated = [states[name] for name in self.updated]
        for buffer in updated:
            buffer.device_changed()
        try:
            yield
            gpu.stream.synchronize()
        except BaseException:
            with suppress(gpu.driver.Error):
                gpu.stream.synchronize()
            raise
        finally:
            for buffer in updated:
                buffer.device_changed()

    def _pointers(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
    ) -> list[int]:
        """The addresses of all buffers on the device, after copying the values of inputs and states there."""
        temporaries = self._space.places(sizes)
        return [
            temporaries[buffer.id] if buffer.in_arena else self._place(buffer, inputs, states, sizes)
            for buffer in self.plan.buffers
        ]

    def _place(
        self,
        buffer: Buffer,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
    ) -> int:
        """The address of a buffer on the device, after copying its value there."""
        given = inputs.get(buffer.name) if buffer.role == "input" else states.get(buffer.name)
        if buffer.role == "constant":
            return self._constants[buffer.id].pointer
        if buffer.role == "output":
            return self._space.upload(buffer.id, dims.evaluate(buffer.nbytes, sizes)).pointer
        if isinstance(given, StateBuffer):
            return int(given.on_device(DeviceBuffer).pointer)
        array = np.ascontiguousarray(given, buffer.dtype.numpy)
        place = self._space.upload(buffer.id, array.nbytes)
        place.write(array)
        return place.pointer

    def _host(self, id: int, sizes: Mapping[str, int]) -> Array:
        """Memory of the host for an output."""
        buffer = self.plan.buffers[id]
        return aligned_empty((dims.evaluate(buffer.elements, sizes),), buffer.dtype.numpy)

    def _recorded(self, gpu: Device, pointers: list[int], values: list[int]) -> Recording:
        """The recording of a step on these buffers and sizes."""
        if self._recorded_in is not self._space.version:
            while self._graphs:  # some may use memory that was freed
                self._graphs.popitem()[1].close()
            self._recorded_in = self._space.version
        name = (*pointers, *values)
        sizes = dict(zip(self.plan.symbols, values, strict=True))
        if name in self._graphs:
            self._graphs.move_to_end(name)
            return self._graphs[name]
        launch_all = partial(self._launch_all, gpu, pointers)
        graph = self._graphs[name] = record(gpu, launch_all, self.plan.steps, pointers, sizes)
        if len(self._graphs) > MOST_GRAPHS:
            self._graphs.popitem(last=False)[1].close()
        return graph

    def _launch_all(self, gpu: Device, pointers: list[int], steps: Sequence[Step], sizes: Mapping[str, int]) -> None:
        for step in steps:
            match step:
                case Launch(kernel, buffers):
                    shape = self.geometry[kernel]
                    arguments = [*(pointers[id] for id in buffers), *(sizes[name] for name in step.symbols)]
                    self._kernels.launch(kernel, dims.evaluate(shape.blocks, sizes), shape.threads, arguments)
                case Copy(source, target, elements):
                    width = self.plan.buffers[source].dtype.itemsize
                    amount, start, end = (
                        dims.evaluate(dim, sizes) * width for dim in (elements, step.source_offset, step.target_offset)
                    )
                    gpu.driver.memcpy_dtod_async(pointers[target] + end, pointers[source] + start, amount, gpu.stream)
                case Loop(symbol, count, inner):
                    for iteration in range(1, dims.evaluate(count, sizes) + 1):
                        self._launch_all(gpu, pointers, inner, {**sizes, symbol: iteration})
                case _:
                    raise VerificationError("the device has no launch for a step", got=str(step))
