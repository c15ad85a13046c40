"""What Python's operators compute on tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from graphc.dims import IntExpr
from graphc.dtypes import as_dtype
from graphc.errors import ShapeError
from graphc.tracing.conversion import as_tensor, dtype_of, product_dtypes, result_dtype, weak_kind
from graphc.tracing.eager import NUMBERS
from graphc.tracing.elementwise import broadcast_operands, elementwise, in_floats, on_numbers
from graphc.tracing.indexing import getitem
from graphc.tracing.shapes import broadcast_shapes, broadcast_to, reshaped, squeezed, transposed, unify_sizes
from graphc.tracing.tensor import Tensor, bind, bind_elements, cast
from graphc.tracing.updates import UPDATES, update


def _boolean_or(logical: str, bits: str) -> Callable[..., Tensor]:
    """An operator that is logical for booleans, and bitwise otherwise."""

    def apply(*operands: Any) -> Tensor:
        dtype = result_dtype(*operands)
        return bind(logical if dtype.is_bool else bits, *broadcast_operands(*operands, dtype=dtype))

    return apply


def _add(x: Any, y: Any) -> Tensor:
    found = bind_elements("add", (x, y), NUMBERS)
    return elementwise("logical_or" if result_dtype(x, y).is_bool else "add", x, y) if found is None else found


def _multiply(x: Any, y: Any) -> Tensor:
    found = bind_elements("mul", (x, y), NUMBERS)
    return elementwise("logical_and" if result_dtype(x, y).is_bool else "mul", x, y) if found is None else found


def power(x: Any, y: Any) -> Tensor:
    """`x ** y`; the exponents 1, 2 and 3 become products, which are cheaper and have exact gradients."""
    number = weak_kind(y) not in (None, "complex") and not isinstance(y, IntExpr)
    if number and y in (1, 2, 3) and dtype_of(x).is_inexact:
        base = as_tensor(x)
        return base if y == 1 else base * base if y == 2 else base * base * base
    if number and y == 0.5 and dtype_of(x).is_float:
        base = as_tensor(x)
        # sqrt(-inf) is NaN, but (-inf) ** 0.5 is infinity.
        endless = elementwise("eq", base, -math.inf)
        inside = bind("sqrt", bind("select", endless, *broadcast_operands(1, base)))
        return bind("select", endless, *broadcast_operands(math.inf, inside))
    return on_numbers("pow", x, y)


def matmul(x: Any, y: Any) -> Tensor:
    """The matrix product by NumPy's rules; the axes before the last two broadcast."""
    formed, result = product_dtypes(x, y)
    return cast(_matmul(as_tensor(x, formed), as_tensor(y, formed)), result)


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("`matmul` takes tensors of rank 1 or more", got=f"{a.type} and {b.type}")
    summed = max(0, b.ndim - 2)
    a, b = unify_sizes(
        (a, b),
        [
            [("left", axis) for axis in range(a.ndim - 1)] + ["summed"],
            [("right", axis) if axis != summed else "summed" for axis in range(b.ndim)],
        ],
    )
    contract = {"lhs_contract": (a.ndim - 1,), "rhs_contract": (summed,)}
    if b.ndim <= 2 or a.ndim == 1:
        product = bind("contract", a, b, lhs_batch=(), rhs_batch=(), **contract)
        return product
    shape = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast_to(a, (*shape, *a.shape[-2:])), broadcast_to(b, (*shape, *b.shape[-2:]))
    batch = tuple(range(len(shape)))
    contract = {"lhs_contract": (a.ndim - 1,), "rhs_contract": (b.ndim - 2,)}
    return bind("contract", a, b, lhs_batch=batch, rhs_batch=batch, **contract)


def _absolute(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.kind in ("bool", "uint") else bind("abs", tensor)


def _negative(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return elementwise("sub", 0, tensor) if tensor.type.dtype.kind == "uint" else bind("neg", tensor)


def _invert(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return bind("logical_not" if tensor.type.dtype.is_bool else "bit_not", tensor)


def rounded(x: Any, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals; halves go to the even one. Integers stay as they are."""
    tensor = as_tensor(x)
    if decimals == 0:
        return bind("round", tensor) if tensor.type.dtype.is_inexact else tensor
    scale = 10.0**decimals
    result = in_floats("div", bind("round", on_numbers("mul", tensor, scale)), scale)
    return result if tensor.type.dtype.is_float else cast(result, tensor.type.dtype)


OPERATORS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "add": _add,
        "sub": partial(on_numbers, "sub"),
        "mul": _multiply,
        "div": partial(in_floats, "div"),
        "floordiv": partial(on_numbers, "floordiv"),
        "mod": partial(on_numbers, "mod"),
        "pow": power,
        "matmul": matmul,
        "neg": _negative,
        "abs": _absolute,
        "invert": _invert,
        "and": _boolean_or("logical_and", "bit_and"),
        "or": _boolean_or("logical_or", "bit_or"),
        "xor": _boolean_or("logical_xor", "bit_xor"),
        **{name: partial(elementwise, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
        "shl": partial(on_numbers, "shift_left"),
        "shr": partial(on_numbers, "shift_right"),
        "getitem": getitem,
        "round": rounded,
        "transpose": lambda x: transposed(as_tensor(x)),
        "reshape": lambda x, shape: reshaped(as_tensor(x), shape),
        "squeeze": lambda x, axis=None: squeezed(as_tensor(x), axis),
        "cast": lambda x, dtype: cast(as_tensor(x), as_dtype(dtype)),
        **{f"at_{how}": partial(update, how) for how in UPDATES},
    }
)


Tensor._operators = OPERATORS


def operate(name: str, *operands: Any) -> Tensor:
    """Applies one of Python's operators."""
    return OPERATORS[name](*operands)
