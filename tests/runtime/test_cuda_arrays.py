"""Arrays of other libraries in the GPU's memory become tensors: copied to the host, whatever their strides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import config, ops
from graphc.errors import BackendError
from graphc.runtime.cuda.memory import DeviceBuffer

pytestmark = pytest.mark.cuda


class Foreign:
    """An array in the GPU's memory, laid out as a NumPy array in its own."""

    def __init__(self, memory: np.ndarray[Any, Any], view: np.ndarray[Any, Any]) -> None:
        self.buffer = DeviceBuffer(memory.nbytes)
        self.buffer.write(memory)
        first = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
        self.__cuda_array_interface__ = {
            "shape": view.shape,
            "typestr": view.dtype.str,
            "data": (self.buffer.pointer + first, False),
            "strides": None if view.flags.c_contiguous else view.strides,
            "version": 3,
        }


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8", "float16"])
def test_arrays_of_the_gpu_are_copied(dtype: str) -> None:
    memory = np.arange(60).astype(dtype).reshape(3, 4, 5)
    views = [
        memory,
        memory[1],
        memory.T,
        memory[::-1, 1:, ::2],
        memory[:, ::-2],
        memory[2, 3, 4:].reshape(()),
        memory[:0],
    ]
    with config.override(backend="cuda"):
        for view in views:
            tensor = ops.convert_to_tensor(Foreign(memory, view))
            assert tensor.dtype == dtype
            np.testing.assert_array_equal(tensor.numpy(), view)


def test_another_backend_says_what_to_do() -> None:
    memory = np.arange(3, dtype="float32")
    with config.override(backend="cpu"), pytest.raises(BackendError, match=r'set_backend\("cuda"\)'):
        ops.convert_to_tensor(Foreign(memory, memory))
