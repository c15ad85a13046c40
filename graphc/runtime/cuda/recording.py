"""Recordings of plans: CUDA graphs, and control flow that depends on values on the device.

Consecutive steps are one CUDA graph. The host reads the result of a test or the index of a branch from the device, then
launches the graphs of an iteration or of a branch: each decision waits for the device once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeAlias

import numpy as np

from graphc import dims
from graphc.dtypes import bool_, int32
from graphc.plan import Branch, Loop, Step, While, all_steps
from graphc.runtime.cuda.device import Device
from graphc.runtime.cuda.graph import CudaGraph

# Launches steps, with values of sizes and of counters.
LaunchAll: TypeAlias = Callable[[Sequence[Step], Mapping[str, int]], None]


class Launchable(Protocol):
    """A part of a recording, which can be launched any number of times, until it is closed."""

    def launch(self) -> None:
        """Launches it on the device's stream."""

    def close(self) -> None:
        """Frees it."""


class Recording:
    """Parts that are launched one after the other.

    Args:
        parts: The parts.
    """

    def __init__(self, parts: Sequence[Launchable]) -> None:
        self._parts = parts

    def launch(self) -> None:
        """Launches all parts; returns when all are launched, after waiting for the values that decide about some."""
        for part in self._parts:
            part.launch()

    def close(self) -> None:
        """Frees all parts."""
        for part in self._parts:
            part.close()


class _While:
    """A loop that runs while the test's result is true.

    Args:
        holds: Reads the result of the test.
        test: The test.
        body: An iteration.
    """

    def __init__(self, holds: Callable[[], int], test: Recording, body: Recording) -> None:
        self._holds, self._test, self._body = holds, test, body

    def launch(self) -> None:
        self._test.launch()
        while self._holds():
            self._body.launch()
            self._test.launch()

    def close(self) -> None:
        self._test.close()
        self._body.close()


class _Branch:
    """One of several recordings.

    Args:
        index: Reads the number of the one to launch.
        branches: The recordings.
    """

    def __init__(self, index: Callable[[], int], branches: Sequence[Recording]) -> None:
        self._index, self._branches = index, branches

    def launch(self) -> None:
        self._branches[min(max(self._index(), 0), len(self._branches) - 1)].launch()

    def close(self) -> None:
        for branch in self._branches:
            branch.close()


def record(
    gpu: Device, launch_all: LaunchAll, steps: Sequence[Step], pointers: Sequence[int], sizes: Mapping[str, int]
) -> Recording:
    """Records steps; recordings are created and used inside the device.

    Args:
        gpu: The device.
        launch_all: Launches steps that do not depend on control flow by values on the device.
        steps: The steps.
        pointers: The address of each buffer.
        sizes: The values of symbolic sizes, and of the counters of enclosing loops.
    """
    record_steps = partial(record, gpu, launch_all)
    parts: list[Launchable] = []
    for decides, group in groupby(steps, _decides):
        some = tuple(group)
        if not decides:
            parts.append(CudaGraph(gpu, partial(launch_all, some, sizes)))
            continue
        for step in some:
            match step:
                case While(holds, test, body):
                    read = partial(_read, gpu, pointers[holds], bool_.numpy)
                    parts.append(_While(read, record_steps(test, pointers, sizes), record_steps(body, pointers, sizes)))
                case Branch(index, branches, offset):
                    place = pointers[index] + dims.evaluate(offset, sizes) * int32.itemsize
                    recorded = [record_steps(block, pointers, sizes) for block in branches]
                    parts.append(_Branch(partial(_read, gpu, place, int32.numpy), recorded))
                case Loop(symbol, count, inner):
                    iterations = range(1, dims.evaluate(count, sizes) + 1)
                    parts += [record_steps(inner, pointers, {**sizes, symbol: iteration}) for iteration in iterations]
    return Recording(parts)


def _decides(step: Step) -> bool:
    """Whether launches of a step depend on a value on the device."""
    return any(isinstance(inner, While | Branch) for inner in all_steps((step,)))


def _read(gpu: Device, pointer: int, dtype: np.dtype[Any]) -> int:
    """Reads a number from the device, after all launches before are completed."""
    host = np.empty((), dtype)
    gpu.driver.memcpy_dtoh_async(host, pointer, gpu.stream)
    gpu.stream.synchronize()
    return int(host)
