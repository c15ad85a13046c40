"""Conversion to tensors, and the dtypes in which operands are combined."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import config, dtypes, tree
from graphc.dims import IntExpr
from graphc.dtypes import DType
from graphc.graph.registry import primitive
from graphc.tracing.arrays import array_of, canonical_dtype, check_kind, check_range, is_array_like, own
from graphc.tracing.shapes import reshape
from graphc.tracing.tensor import Tensor, bind, cast


def as_tensor(x: Any, dtype: DType | None = None) -> Tensor:
    """Converts a tensor, a variable, an array, a size, a number or a nested list of numbers to a tensor.

    Args:
        x: The value. Python floats become the default float dtype, Python integers int32, Python complex numbers the
            complex dtype of the default float dtype. Arrays of 64 bits become 32 bits, and complex128 becomes
            complex64, as in Keras on JAX; float64 and complex128 stay if float64 is the default float dtype.
        dtype: The dtype of the result. None: as above.

    Raises:
        DTypeError: if it cannot be a tensor, or the dtype cannot hold an integer or a complex number.
    """
    if hasattr(x, "__tensor__"):
        tensor: Tensor = x.__tensor__()
        if dtype is None:
            return tensor
        check_kind(tensor.type.dtype, dtype)
        return cast(tensor, dtype)
    if isinstance(x, IntExpr):
        return bind("size", dim=x, dtype=dtype or dtypes.int32)
    if isinstance(x, list | tuple) and any(hasattr(part, "__tensor__") or isinstance(part, IntExpr) for part in x):
        return _stacked([as_tensor(part) for part in x], dtype)
    array = found = array_of(x)
    python = not isinstance(x, np.generic) and not is_array_like(x)
    # Python numbers are weakly typed: they get the dtype of the other operands, if it can hold them.
    if array.dtype.kind in "iu" and (python or dtype is None or dtype.is_integer):
        wanted = dtype or (dtypes.int32 if python else canonical_dtype(dtypes.as_dtype(array.dtype)))
        check_range(array, wanted)
        return Tensor(own(array.astype(wanted.numpy, copy=False), found, x))
    if dtype is None and array.dtype.kind in "fc":
        floats = dtypes.as_dtype(config.floatx())
        weak = floats.complex if array.dtype.kind == "c" else floats
        dtype = weak if python else canonical_dtype(dtypes.as_dtype(array.dtype))
    if dtype is not None and array.dtype != dtype.numpy:
        check_kind(dtypes.as_dtype(array.dtype), dtype)
        return Tensor(primitive("cast").eval(array, dtype=dtype))
    return Tensor(own(array, found, x))


def tensor_of_list(value: Any) -> Any:
    """Converts a nested list of numbers to a tensor; returns other values unchanged."""
    if isinstance(value, list) and value and all(isinstance(leaf, int | float) for leaf in tree.flatten(value)):
        return as_tensor(value)
    return value


def _stacked(parts: list[Tensor], dtype: DType | None) -> Tensor:
    wanted = dtype or result_dtype(*parts)
    rows = [reshape(as_tensor(part, wanted), (1, *part.shape)) for part in parts]
    return bind("concatenate", *rows, axis=0) if len(rows) > 1 else rows[0]


def weak_kind(x: Any) -> str | None:
    """The kind of a Python number, which is weakly typed; None for a value with a dtype of its own."""
    if isinstance(x, np.generic):
        return None
    if isinstance(x, bool):
        return "bool"
    if isinstance(x, int | IntExpr):
        return "int"
    if isinstance(x, complex):
        return "complex"
    return "float" if isinstance(x, float) else None


def result_dtype(*operands: Any) -> DType:
    """The dtype to which tensors, arrays and Python numbers are promoted; Python numbers are weakly typed.

    Example:

    >>> result_dtype(np.zeros(2, "float16"), 1.5), result_dtype(np.zeros(2, "int8"), 1.5)
    (float16, float32)
    """
    weak = {weak_kind(x) for x in operands}
    strong = [dtype_of(x) for x in operands if weak_kind(x) is None]
    floats = dtypes.as_dtype(config.floatx())
    if not strong:
        if "complex" in weak:
            return floats.complex
        return floats if "float" in weak else dtypes.int32 if "int" in weak else dtypes.bool_
    result = dtypes.promote(*strong)
    if result is dtypes.int64 and all(dtype.bits < 64 for dtype in strong):
        # int32 and uint32 would promote to int64; 64 bits are used only if an operand has them.
        result = dtypes.int32
    if weak & {"float", "complex"} and not result.is_inexact:
        result = floats
    if "complex" in weak:
        return result.complex
    return dtypes.int32 if "int" in weak and result.is_bool else result


def float_dtype(*operands: Any) -> DType:
    """The real or complex floating-point dtype to which operands are promoted: the default, if none is a float."""
    dtype = result_dtype(*operands)
    return dtype if dtype.is_inexact else dtypes.as_dtype(config.floatx())


def product_dtypes(*operands: Any) -> tuple[DType, DType]:
    """The dtype in which sums of products are accumulated, and the dtype of the result.

    Products of int8 are accumulated in int32, as in Keras. Booleans combine by `and` and `or`: a result is True if the
    count of true products is not zero.
    """
    result = result_dtype(*operands)
    narrow = all(dtype_of(x) is dtypes.int8 for x in operands)
    formed = dtypes.int32 if result.is_bool or narrow else result
    return formed, dtypes.bool_ if result.is_bool else formed


def dtype_of(x: Any) -> DType:
    """The dtype of a value after conversion to a tensor."""
    if isinstance(x, Tensor):
        return x.type.dtype
    if hasattr(x, "__tensor__") and hasattr(x, "dtype"):
        return dtypes.as_dtype(x.dtype)  # a variable, which is not read for it
    if isinstance(x, np.ndarray | np.generic):
        return canonical_dtype(dtypes.as_dtype(x.dtype))
    return as_tensor(x).type.dtype
