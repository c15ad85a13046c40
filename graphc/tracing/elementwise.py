"""Pointwise primitives on operands of different shapes and dtypes, which are broadcast and promoted first."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.dtypes import DType
from graphc.tracing.conversion import as_tensor, float_dtype, result_dtype
from graphc.tracing.eager import ANY, INEXACT, NUMBERS
from graphc.tracing.shapes import broadcast_shapes, broadcast_to
from graphc.tracing.tensor import Tensor, bind, bind_elements
from graphc.tracing.trace import current_trace, no_value


def broadcast_operands(*operands: Any, dtype: DType | None = None) -> list[Tensor]:
    """Operands as tensors, promoted to one dtype and broadcast to one shape."""
    first = operands[0]
    if (
        dtype is None
        and isinstance(first, Tensor)
        and all(isinstance(x, Tensor) and x.type == first.type for x in operands[1:])
    ):
        return list(operands)
    wanted = dtype or result_dtype(*operands)
    tensors = [as_tensor(x, wanted) for x in operands]
    shape = broadcast_shapes(*(tensor.shape for tensor in tensors))
    if current_trace() is None and not all(isinstance(dim, int) for dim in shape):
        raise no_value(shape)
    return [broadcast_to(tensor, shape) for tensor in tensors]


def elementwise(op: str, *operands: Any) -> Tensor:
    """Applies a pointwise primitive to operands, which are promoted and broadcast."""
    found = bind_elements(op, operands, ANY)
    return bind(op, *broadcast_operands(*operands)) if found is None else found


def in_floats(op: str, *operands: Any) -> Tensor:
    """Applies a pointwise primitive to operands, which are promoted to floats and broadcast."""
    found = bind_elements(op, operands, INEXACT)
    return bind(op, *broadcast_operands(*operands, dtype=float_dtype(*operands))) if found is None else found


def on_numbers(op: str, *operands: Any) -> Tensor:
    """Applies a pointwise primitive to operands, which are promoted and broadcast; booleans become int32."""
    found = bind_elements(op, operands, NUMBERS)
    if found is not None:
        return found
    dtype = result_dtype(*operands)
    return bind(op, *broadcast_operands(*operands, dtype=dtypes.int32 if dtype.is_bool else dtype))
