"""CUDA graphs: a step's launches recorded once and replayed with one call. PyCUDA has none; cuda-bindings has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from graphc.collection import paused
from graphc.runtime.cuda.device import Device, bindings, checked


class CudaGraph:
    """Launches recorded from the device's stream; created and used inside the device.

    Args:
        gpu: The device.
        record: Makes the launches; it must neither wait for the device nor allocate or free memory.
    """

    _release: Callable[[], object] | None = None

    def __init__(self, gpu: Device, record: Callable[[], None]) -> None:
        self._device, self._driver = gpu, bindings()
        self._stream = self._driver.CUstream(gpu.stream.handle)
        with paused():  # garbage collection could free memory of the device, which would break the recording
            graph = self._recorded(record)
        try:
            self._executable = checked(self._driver.cuGraphInstantiate(graph, 0))
            self._release = partial(self._driver.cuGraphExecDestroy, self._executable)
            # Allocates the memory of launches now, so that a run without enough memory fails before it begins.
            checked(self._driver.cuGraphUpload(self._executable, self._stream))
        finally:
            self._driver.cuGraphDestroy(graph)

    def _recorded(self, record: Callable[[], None]) -> Any:
        driver = self._driver
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        try:
            checked(driver.cuStreamBeginCapture(self._stream, mode))
            record()
            return checked(driver.cuStreamEndCapture(self._stream))
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        """Ends the recording, if there is one, and discards it."""
        error, *graph = self._driver.cuStreamEndCapture(self._stream)
        if int(error) == 0:
            self._driver.cuGraphDestroy(*graph)

    def launch(self) -> None:
        """Replays the launches."""
        checked(self._driver.cuGraphLaunch(self._executable, self._stream))

    def close(self) -> None:
        """Frees the recording."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __del__(self) -> None:
        # When the process ends, cuda-bindings may be unloaded already; the driver then frees the rest.
        if self._release is not None and not self._device.is_ending():
            self._device.discard(self._release)
