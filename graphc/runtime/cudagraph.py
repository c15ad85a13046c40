"""CUDA graphs: a step's launches recorded once and replayed with one call. PyCUDA has none; cuda-bindings has."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from graphc.errors import BackendError


def _driver() -> Any:
    try:
        return import_module("cuda.bindings.driver")
    except ImportError as error:
        raise BackendError(
            "the cuda backend needs cuda-bindings", got=str(error), hint="pip install 'graphc[cuda]'"
        ) from None


def _checked(result: tuple[Any, ...]) -> Any:
    error, *values = result
    if int(error) != 0:
        raise BackendError("a CUDA driver call failed", got=str(error))
    return values[0] if values else None


class CudaGraph:
    """Launches recorded from a stream.

    Args:
        stream: The handle of the stream that `record` launches on.
        record: Makes the launches; it must not wait for the device.
    """

    def __init__(self, stream: int, record: Callable[[], None]) -> None:
        driver = _driver()
        self._stream = driver.CUstream(stream)
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        _checked(driver.cuStreamBeginCapture(self._stream, mode))
        try:
            record()
        finally:
            graph = _checked(driver.cuStreamEndCapture(self._stream))
        self._executable = _checked(driver.cuGraphInstantiate(graph, 0))
        _checked(driver.cuGraphDestroy(graph))

    def launch(self) -> None:
        """Replays the launches."""
        _checked(_driver().cuGraphLaunch(self._executable, self._stream))

    def close(self) -> None:
        """Frees the recording."""
        _checked(_driver().cuGraphExecDestroy(self._executable))
