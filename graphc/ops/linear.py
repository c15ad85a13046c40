"""Products of tensors: all are one contraction, after reshaping."""

from __future__ import annotations

from typing import Any

from graphc import dtypes
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.reductions import sum
from graphc.ops.shaping import axis_of, ravel, transpose
from graphc.tracing import Tensor, as_tensor, bind, operation, result_dtype
from graphc.tracing.tensor import operate
from graphc.tracing.tensor import reshape as _reshape


def _pair(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    dtype = result_dtype(x1, x2)
    dtype = dtypes.int32 if dtype.is_bool else dtype
    return as_tensor(x1, dtype), as_tensor(x2, dtype)


@operation
def dot(x1: Any, x2: Any) -> Tensor:
    """The last axis of `x1` summed against the second last of `x2` (its only one where it is a vector).

    Example:

    >>> dot([1, 2], [3, 4]).numpy().item()
    11
    """
    a, b = _pair(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return operate("mul", a, b)
    axes = {"lhs_contract": (a.ndim - 1,), "rhs_contract": (max(0, b.ndim - 2),)}
    return bind("contract", a, b, lhs_batch=(), rhs_batch=(), **axes)


@operation
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """Sums of products over pairs of axes.

    Args:
        x1: Tensor.
        x2: Tensor.
        axes: How many of the last axes of `x1` pair with the first of `x2`, or two lists of axes.

    Example:

    >>> tensordot([[1, 2], [3, 4]], [[1, 0], [0, 1]], 2).numpy().item()
    5
    """
    a, b = _pair(x1, x2)
    if isinstance(axes, int):
        left, right = tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    else:
        sides = [side if isinstance(side, list | tuple) else (side,) for side in axes]
        left = tuple(axis_of(axis, a.ndim, "tensordot") for axis in sides[0])
        right = tuple(axis_of(axis, b.ndim, "tensordot") for axis in sides[1])
    return bind("contract", a, b, lhs_batch=(), rhs_batch=(), lhs_contract=left, rhs_contract=right)


@operation
def outer(x1: Any, x2: Any) -> Tensor:
    """The product of each element of `x1` with each of `x2`, both flattened."""
    a, b = _pair(x1, x2)
    return operate("mul", _reshape(ravel(a), (*ravel(a).shape, 1)), ravel(b))


@operation
def inner(x1: Any, x2: Any) -> Tensor:
    """The last axes of both summed against each other."""
    a, b = _pair(x1, x2)
    return operate("mul", a, b) if a.ndim == 0 or b.ndim == 0 else tensordot(a, b, [[-1], [-1]])


@operation
def vdot(x1: Any, x2: Any) -> Tensor:
    """The sum of the products of the elements, both flattened."""
    return dot(ravel(x1), ravel(x2))


@operation
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Tensor:
    """Sums of products in Einstein's notation: indices that the result lacks are summed over.

    Args:
        subscripts: The indices of each operand, and after `->` those of the result, such as `"ij,jk->ik"`.
        *operands: Tensors.

    Raises:
        ArgumentError: if the notation is not understood: `...` and an index twice in one operand are not supported yet.

    Example:

    >>> einsum("ij,jk->ki", [[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    """
    if kwargs:
        raise ArgumentError("`einsum` takes no such arguments", got=", ".join(kwargs))
    terms, result = _parse(subscripts, len(operands))
    dtype = result_dtype(*operands)
    tensors = [as_tensor(x, dtype) for x in operands]
    for term, tensor in zip(terms, tensors, strict=True):
        if len(term) != tensor.ndim:
            raise ShapeError("the subscripts do not fit the operand", got=f"{term!r} for {tensor.type}")
    current, held = terms[0], tensors[0]
    for i, (term, tensor) in enumerate(zip(terms[1:], tensors[1:], strict=True), 2):
        needed = set(result).union(*terms[i:])
        current, held = _join(current, held, term, tensor, needed)
    drop = tuple(axis for axis, index in enumerate(current) if index not in result)
    if drop:
        held = sum(held, drop)
        current = "".join(index for index in current if index in result)
    return transpose(held, tuple(current.index(index) for index in result))


def _parse(subscripts: str, count: int) -> tuple[list[str], str]:
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not arrow:
        result = "".join(sorted(index for index in set(letters) if letters.count(index) == 1))
    bad = "." in letters or any(len(set(term)) != len(term) for term in (*terms, result))
    if bad or len(terms) != count or not set(result) <= set(letters):
        raise ArgumentError(
            "these subscripts of `einsum` are not supported", got=f"{subscripts!r} for {count} operands"
        )
    return terms, result


def _join(left: str, a: Tensor, right: str, b: Tensor, needed: set[str]) -> tuple[str, Tensor]:
    """Two operands as one; indices that nothing else needs are summed over."""
    both = [index for index in left if index in right]
    batch = [index for index in both if index in needed]
    summed = [index for index in both if index not in needed]
    axes = {
        "lhs_batch": tuple(left.index(index) for index in batch),
        "rhs_batch": tuple(right.index(index) for index in batch),
        "lhs_contract": tuple(left.index(index) for index in summed),
        "rhs_contract": tuple(right.index(index) for index in summed),
    }
    free = [index for index in left if index not in both] + [index for index in right if index not in both]
    return "".join(batch + free), bind("contract", a, b, **axes)
