"""Memory of the device: buffers, and the memory of a program besides its states."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from graphc.plan import Plan
from graphc.runtime.counters import counters
from graphc.runtime.cuda.device import Device, device
from graphc.runtime.memory import Layout, extended

Array = np.ndarray[Any, Any]


class DeviceBuffer:
    """Bytes on the device.

    Args:
        nbytes: Their number.

    Raises:
        OutOfMemoryError: if they do not fit into memory, even after collecting garbage.
    """

    _memory: Any = None

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._device = device()
        with self._device as gpu:
            self._memory = _allocated(gpu, max(1, nbytes))
            self.pointer = int(self._memory)

    def read(self, host: Array) -> None:
        """Copies the first bytes of the device's value to the host."""
        if host.nbytes:
            with self._device as gpu:
                gpu.driver.memcpy_dtoh_async(host, self.pointer, gpu.stream)
                gpu.stream.synchronize()

    def write(self, host: Array) -> None:
        """Copies the host's value to the device."""
        if host.nbytes:
            with self._device as gpu:
                gpu.driver.memcpy_htod_async(self.pointer, host, gpu.stream)
                gpu.stream.synchronize()  # the host's array may be changed from here on

    def free(self) -> None:
        """Frees the memory: now, if no other thread uses the device."""
        memory, self._memory = self._memory, None
        if memory is not None:
            with self._device:
                memory.free()

    def __del__(self) -> None:
        if self._memory is not None:
            self._device.discard(self._memory.free)


def _allocated(gpu: Device, nbytes: int) -> Any:
    with suppress(gpu.driver.MemoryError):
        return gpu.driver.mem_alloc(nbytes)
    gpu.free_discarded()  # PyCUDA has collected garbage: models are cycles, and hold most of the memory
    try:
        return gpu.driver.mem_alloc(nbytes)
    except gpu.driver.MemoryError as error:
        raise gpu.out_of_memory(f"{nbytes} bytes are asked for at once") from error


class Space:
    """The memory of a program's runs, besides its states: the arena, and a buffer for each input and output.

    A buffer that is too small is freed before a larger one is allocated, so that there are never two; if that fails,
    there is none. A buffer is as large as the largest value that it held.

    Args:
        plan: The plan.

    Attributes:
        version: An object that is replaced whenever memory that recordings may use was freed.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._layout: Layout | None = None
        self._arena: DeviceBuffer | None = None
        self._uploads: dict[int, DeviceBuffer] = {}
        self.version = object()

    def places(self, sizes: Mapping[str, int]) -> dict[int, int]:
        """The addresses of temporaries at given sizes; contents of the arena may be lost."""
        layout = extended(self._plan, self._layout, sizes)
        if layout is not self._layout:
            try:
                self._renew(layout)
            except BaseException:
                counters().arena_bytes -= layout.nbytes
                raise
        assert self._arena is not None
        start = self._arena.pointer
        return {b.id: start + layout.offsets.get(b.id, 0) for b in self._plan.buffers if b.in_arena}

    def _renew(self, layout: Layout) -> None:
        self.version = object()
        arena, self._arena, self._layout = self._arena, None, None
        if arena is not None:
            arena.free()
        self._arena = DeviceBuffer(layout.nbytes)
        self._layout = layout

    def upload(self, id: int, nbytes: int) -> DeviceBuffer:
        """The buffer of an input or output, with at least the given number of bytes.

        Args:
            id: The plan's buffer.
            nbytes: The bytes of its value in this run.
        """
        buffer = self._uploads.get(id)
        if buffer is None or buffer.nbytes < nbytes:
            if buffer is not None:
                self.version = object()
                self._uploads.pop(id).free()
            buffer = self._uploads[id] = DeviceBuffer(nbytes)
        return buffer
