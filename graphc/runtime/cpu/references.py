"""Operations without native code: generated C calls their references, which NumPy computes."""

from __future__ import annotations

import ctypes
from functools import partial
from math import prod
from typing import Any

import numpy as np

from graphc.dims import IntExpr
from graphc.graph.registry import primitive
from graphc.plan import LibraryCall, Plan

Array = np.ndarray[Any, Any]

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_long))


class References:
    """The references that a plan calls.

    Args:
        plan: The plan.

    Attributes:
        addresses: The address of each plan's call, in the order of `Plan.calls`; 0 where native code computes it.
        buffer: The buffer of the plan that takes these; None where it calls no reference.
    """

    def __init__(self, plan: Plan) -> None:
        self.buffer = next((buffer.id for buffer in plan.buffers if buffer.role == "functions"), None)
        calls = plan.calls() if self.buffer is not None else []
        self._functions = [_FUNCTION(partial(self._run, call, _dtypes(call, plan))) for call in calls]
        addresses = [ctypes.cast(function, ctypes.c_void_p).value for function in self._functions]
        self.addresses = (ctypes.c_void_p * max(1, len(calls)))(*addresses)
        self._error: BaseException | None = None

    @property
    def places(self) -> dict[int, int]:
        """The address of the buffer that takes the addresses."""
        return {} if self.buffer is None else {self.buffer: ctypes.addressof(self.addresses)}

    def raise_error(self) -> None:
        """Raises the first error or interruption of a call since the last time."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, call: LibraryCall, dtypes: list[np.dtype[Any]], places: Any, extents: Any) -> None:
        """Computes a call; native code cannot be left in the middle, so errors wait."""
        for _ in range(2):  # what was interrupted is done anew
            try:
                _compute(call, dtypes, places, extents)
                return
            except BaseException as error:
                self._error = self._error or error


def _dtypes(call: LibraryCall, plan: Plan) -> list[np.dtype[Any]]:
    return [plan.buffers[id].dtype.numpy for id in (*call.operands, *call.results)]


def _compute(call: LibraryCall, dtypes: list[np.dtype[Any]], places: Any, extents: Any) -> None:
    arrays: list[Array] = []
    place = 0
    for number, (shape, dtype) in enumerate(zip(call.shapes, dtypes, strict=True)):
        arrays.append(_view(places[number], [extents[place + axis] for axis in range(len(shape))], dtype))
        place += len(shape)
    attrs: dict[str, Any] = {}
    for name, value in call.attrs.items():
        attrs[name] = extents[place] if isinstance(value, IntExpr) else value
        place += isinstance(value, IntExpr)
    operands, results = arrays[: len(call.operands)], arrays[len(call.operands) :]
    made = primitive(call.operation).eval(*operands, **attrs)
    for result, value in zip(results, made if isinstance(made, tuple) else (made,), strict=True):
        result[...] = value


def _view(address: int | None, shape: list[int], dtype: np.dtype[Any]) -> Array:
    count = prod(shape)
    if not address or count == 0:
        return np.zeros(shape, dtype)
    memory: Array = np.ctypeslib.as_array((ctypes.c_uint8 * (count * dtype.itemsize)).from_address(address))
    return memory.view(dtype).reshape(shape)
