"""Arrays of other libraries in the GPU's memory, through `__cuda_array_interface__`."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from graphc.runtime.cuda.device import device

Array = np.ndarray[Any, Any]


def copied_to_host(interface: Mapping[str, Any]) -> Array:
    """A copy of an array in the GPU's memory.

    Args:
        interface: What `__cuda_array_interface__` returned.

    Raises:
        BackendError: if there is no usable GPU, or the copy fails.
    """
    dtype, shape = np.dtype(interface["typestr"]), tuple(interface["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype)
    strides = interface.get("strides") or _contiguous(shape, dtype.itemsize)
    # The elements lie between the lowest and the highest address; axes may run backwards.
    reach = [(count - 1) * stride for count, stride in zip(shape, strides, strict=True)]
    low = sum(min(0, part) for part in reach)
    span = sum(max(0, part) for part in reach) - low + dtype.itemsize
    memory = np.empty(span, np.uint8)
    with device() as gpu:
        gpu.driver.Context.synchronize()  # whoever writes the array may do so on a stream of its own
        gpu.driver.memcpy_dtoh(memory, interface["data"][0] + low)
    return np.ndarray(shape, dtype, memory, -low, strides).copy()


def _contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple(itemsize * prod(shape[axis + 1 :]) for axis in range(len(shape)))
