"""A thread that fetches ahead: elements are made while others are used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any
from weakref import finalize

# How many elements wait at most: one that is being used leaves time to make another, two even out different times.
DEFAULT_AHEAD = 2
_POLL_SECONDS = 0.1


class _End:
    """The last thing in the queue: an error, or the end of the elements."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Prefetched(Iterator[Any]):
    """Iterates over what another iterator gives, which a thread asks for some elements ahead.

    An error of the iterator is raised, with its own traceback, where its element would have come. The thread ends with
    the elements, when `close` is called, or when this object is no longer used.

    Args:
        source: The iterator; only the thread uses it from now on.
        ahead: How many elements may wait.

    Example:

    >>> list(Prefetched(iter(range(3))))
    [0, 1, 2]
    """

    def __init__(self, source: Iterator[Any], ahead: int = DEFAULT_AHEAD) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(max(1, ahead))
        stop = threading.Event()
        # The thread knows the queue, but not this object: when nobody else does, either, the thread ends. It runs in a
        # copy of this context: settings that hold here hold there.
        arguments = (copy_context().run, _fill, source, self._queue, stop)
        self._thread = threading.Thread(target=arguments[0], args=arguments[1:], name="graphc-prefetch", daemon=True)
        self._stop = finalize(self, stop.set)
        self._ended = False
        self._thread.start()

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        item = self._queue.get()
        if not isinstance(item, _End):
            return item
        self.close()
        if item.error is not None:
            raise item.error
        raise StopIteration

    def close(self) -> None:
        """Ends the thread, after the element that it is making."""
        self._ended = True
        self._stop()
        # What the thread waits for is room in the queue.
        while self._thread.is_alive() and self._thread is not threading.current_thread():
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(_POLL_SECONDS)


def _fill(source: Iterator[Any], waiting: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        for item in source:
            if not _put(item, waiting, stop):
                break
        else:
            _put(_End(), waiting, stop)
    except BaseException as error:
        _put(_End(error), waiting, stop)
    finally:
        close = getattr(source, "close", None)
        if close is not None and stop.is_set():
            close()


def _put(item: Any, waiting: queue.Queue[Any], stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_POLL_SECONDS)
            return True
        except queue.Full:
            continue
    return False
