"""The GPU: its context, our stream, mutual exclusion of threads, deferred release of resources, and errors."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from threading import RLock
from types import TracebackType
from typing import Any

from graphc.errors import BackendError, OutOfMemoryError

HOW_TO_GET_IT = "install a CUDA driver and `pip install 'graphc[cuda]'`, or choose the backend cpu or numpy"
# The stream is not ordered with the default stream, which other libraries of the process may use.
_NON_BLOCKING = 1
_OUT_OF_MEMORY = 2
_FINDING = RLock()


class DriverError(Exception):
    """A call of cuda-bindings failed; leaving the device translates it to one of our errors, as PyCUDA's errors.

    Args:
        error: The `CUresult`.
    """

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.out_of_memory = int(error) == _OUT_OF_MEMORY


def bindings() -> Any:
    """The driver API of cuda-bindings, for CUDA graphs, which PyCUDA lacks.

    Raises:
        BackendError: if the package is missing.
    """
    try:
        return import_module("cuda.bindings.driver")
    except ImportError as error:
        raise BackendError(
            "the cuda backend needs cuda-bindings", got=str(error), hint="pip install 'graphc[cuda]'"
        ) from None


def checked(result: tuple[Any, ...]) -> Any:
    """The result of a call of cuda-bindings.

    Raises:
        DriverError: if it failed.
    """
    error, *values = result
    if int(error) != 0:
        raise DriverError(error)
    return values[0] if values else None


class Device:
    """The first GPU, its primary context, and a stream of ours.

    One thread at a time uses it, from entering to leaving: launches of other threads on the stream would become part of
    a recording, and the memory of a program is for one run. Errors of the driver in between are translated to our
    errors when the device is left.

    Unused memory, modules and recordings are released when no thread uses the device. An object may be deleted by any
    thread, at any time, by garbage collection too: on a thread without a context, where nothing can be freed, or within
    a recording, which a call that frees memory would break.
    """

    def __init__(self) -> None:
        self._turn = RLock()
        self._depth = 0
        self._discarded: deque[Callable[[], object]] = deque()
        self._getpid, self._process = os.getpid, os.getpid()
        self.is_ending = sys.is_finalizing
        try:
            self.driver = import_module("pycuda.driver")
            self.driver.init()
            self._device = self.driver.Device(0)
            # Stored here, since modules are cleared when the process ends, before the last objects are deleted.
            self._errors = (DriverError, self.driver.Error)
            self.context = self._device.retain_primary_context()
            major, minor = self._device.compute_capability()
            self.arch = f"sm_{major}{minor}"
            self.name = self._device.name()
        except Exception as error:  # PyCUDA raises its own errors, and ImportError where it or the driver is missing
            raise BackendError("there is no usable GPU", got=repr(error), hint=HOW_TO_GET_IT) from None
        with self:
            self.stream = self.driver.Stream(_NON_BLOCKING)

    def __enter__(self) -> Device:
        self._turn.acquire()
        try:
            self.context.push()
            self._depth += 1
        except BaseException as error:
            self._turn.release()
            if isinstance(error, self.driver.Error):
                raise BackendError("the GPU cannot be used", got=str(error)) from error
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            ours = self.translated(error) if isinstance(error, self._errors) else None
        finally:
            try:
                self._depth -= 1
                self.context.pop()
            finally:
                self._turn.release()
        self._release_discarded()
        if ours is not None:
            raise ours from error

    def __del__(self) -> None:
        """When the process ends, on any thread: PyCUDA destroys a stream only where its context is current."""
        if hasattr(self, "stream"):
            with self:
                del self.stream

    # ---- errors

    def translated(self, error: BaseException) -> BackendError:
        """Translates an error of the driver to one of ours; the caller has entered the device.

        Args:
            error: A `DriverError`, or an error of PyCUDA.
        """
        if isinstance(error, self.driver.MemoryError) or getattr(error, "out_of_memory", False):
            return self.out_of_memory(str(error))
        try:
            self.driver.Context.synchronize()
        except self.driver.Error:
            hint = "start the process anew: what was on the GPU is lost, and no call works any more"
            return BackendError("the GPU stopped: a kernel or the device failed", got=str(error), hint=hint)
        return BackendError("the CUDA driver refused a call", got=str(error))

    def out_of_memory(self, asked: str) -> OutOfMemoryError:
        """The error for an allocation that did not fit into the GPU's memory.

        Args:
            asked: A description of the allocation.
        """
        room = ""
        with suppress(self.driver.Error):
            free, total = self.driver.mem_get_info()
            room = f"; {free} of {total} bytes are free"
        hint = "use smaller batches, give large data in parts (a generator), or delete what else is on the GPU"
        return OutOfMemoryError("the memory of the GPU does not suffice", got=asked + room, hint=hint)

    # ---- deferred release

    def discard(self, release: Callable[[], object]) -> None:
        """Releases a resource as soon as no thread uses the device; any thread may call this at any time.

        Args:
            release: Releases the resource; the context is current then.
        """
        self._discarded.append(release)
        self._release_discarded()

    def free_discarded(self) -> None:
        """Releases discarded resources; only inside the device, and not during a recording."""
        while self._discarded:
            self._discarded.popleft()()

    def _release_discarded(self) -> None:
        """Releases discarded resources, unless a thread is inside the device: it will when it leaves."""
        # Repeated after a release, since another thread may have failed to enter right before it. A forked process
        # must not use the parent's context.
        while self._discarded and self._getpid() == self._process:
            free = False
            try:
                free = self._turn.acquire(blocking=False)
                if not free or self._depth:
                    return
                with self:
                    self.free_discarded()
            except BackendError:  # the context is lost, and with it all its resources
                return
            finally:
                if free:
                    self._turn.release()


def device() -> Device:
    """The GPU; initialized once a process.

    Raises:
        BackendError: if there is none, or PyCUDA is missing.
    """
    with _FINDING:  # two threads would else create two devices, each with its own lock
        return _found()


@lru_cache(maxsize=1)
def _found() -> Device:
    return Device()


def available() -> str | None:
    """The reason why the backend cannot be used; None where it can."""
    try:
        device()
    except BackendError as error:
        return str(error.got)
    return None
