"""Einstein summation: sums of products of tensors, as a sequence of pairwise contractions."""

from __future__ import annotations

import string
from typing import Any

from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.creation import arange
from graphc.ops.reductions import sum
from graphc.ops.shaping import moveaxis, reshape, squeeze, transpose
from graphc.tracing import Tensor, as_tensor, bind, operation
from graphc.tracing import cast as _cast
from graphc.tracing.conversion import product_dtypes
from graphc.tracing.shapes import unify_sizes

__all__ = ["einsum"]


@operation
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Tensor:
    """Einstein summation: indices that the result lacks are summed over.

    Operands are contracted pairwise from left to right.

    Args:
        subscripts: The indices of each operand, and after `->` those of the result, such as `"ij,jk->ik"`. `...` stands
            for any number of axes, which broadcast. An index that an operand has twice selects its diagonal. Without
            `->` the result has, in alphabetical order, the indices that occur once.
        *operands: Tensors.

    Returns:
        A tensor of the dtype that the operands promote to; int32 for int8.

    Raises:
        ArgumentError: if the subscripts are invalid.
        ShapeError: if an operand does not fit its indices.

    Example:

    >>> einsum("ij,jk->ki", [[1, 2]], [[3], [4]]).numpy().tolist()
    [[11]]
    >>> einsum("...ii->...", [[[1, 2], [3, 4]]]).numpy().tolist()
    [5]
    """
    if kwargs:
        raise ArgumentError("`einsum` takes no such arguments", got=", ".join(kwargs))
    if not isinstance(subscripts, str) or not operands:
        raise ArgumentError("`einsum` takes subscripts and operands", got=repr(subscripts)[:80], expected="'ij,jk->ik'")
    formed, dtype = product_dtypes(*operands)
    tensors = [as_tensor(x, formed) for x in operands]
    terms, result = _parse(subscripts, [tensor.ndim for tensor in tensors])
    pairs = [_diagonal(term, tensor) for term, tensor in zip(terms, tensors, strict=True)]
    terms = [term for term, _ in pairs]
    pairs = list(zip(terms, unify_sizes([tensor for _, tensor in pairs], terms), strict=True))
    _check_sizes(subscripts, pairs)
    pairs = [_without_ones(term, tensor, pairs) for term, tensor in pairs]
    current, accumulated = pairs[0]
    for i, (term, tensor) in enumerate(pairs[1:], 2):
        needed = set(result).union(*(other for other, _ in pairs[i:]))
        current, accumulated = _join(current, accumulated, term, tensor, needed)
    drop = tuple(axis for axis, index in enumerate(current) if index not in result)
    if drop:
        accumulated = sum(accumulated, drop)
        current = "".join(index for index in current if index in result)
    return _cast(transpose(accumulated, tuple(current.index(index) for index in result)), dtype)


def _parse(subscripts: str, ranks: list[int]) -> tuple[list[str], str]:
    """Parses subscripts into the indices of each operand and of the result; an ellipsis is replaced by letters."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ArgumentError("the subscripts do not fit the operands", got=subscripts, expected=f"{len(ranks)} terms")
    named = [term.replace("...", "") for term in terms]
    letters = "".join(named)
    if not arrow:
        result = "".join(sorted(index for index in set(letters) if letters.count(index) == 1))
        result = f"...{result}" if "..." in left else result
    free = [letter for letter in string.ascii_letters if letter not in letters]
    hidden = [rank - len(term) for term, rank in zip(named, ranks, strict=True)]
    widest = max((count for count, term in zip(hidden, terms, strict=True) if "..." in term), default=0)
    dots = free[: max(widest, 0)]
    for term, rank, count in zip(terms, ranks, hidden, strict=True):
        if count < 0 or (count > 0 and "..." not in term):
            raise ShapeError("the subscripts do not fit an operand", got=f"{term!r} for rank {rank}")
    spelled = [t.replace("...", "".join(dots[widest - n :])) for t, n in zip(terms, hidden, strict=True)]
    result = result.replace("...", "".join(dots))
    known = "".join(spelled)
    if not all(index.isalpha() and index in known for index in result) or (known and not known.isalpha()):
        raise ArgumentError("these subscripts of `einsum` are not understood", got=repr(subscripts))
    if len(set(result)) != len(result):
        raise ArgumentError("the result of `einsum` has an index twice", got=repr(subscripts))
    return spelled, result


def _diagonal(term: str, x: Tensor) -> tuple[str, Tensor]:
    """An operand without repeated indices: the axes of equal indices are replaced by their diagonal."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            first = term.index(index)
            second = term.index(index, first + 1)
            size = x.shape[first]
            if x.shape[second] != size:
                raise ShapeError("a diagonal has two sizes", got=str(x.type), expected=f"equal sizes for {index!r}")
            x = moveaxis(x, (first, second), (-2, -1))
            rest = "".join(other for axis, other in enumerate(term) if axis not in (first, second))
            flat = reshape(x, (*x.shape[:-2], size * size))
            x = bind("gather", flat, arange(size) * (size + 1), axis=flat.ndim - 1)
            term = rest + index
    return term, x


def _check_sizes(subscripts: str, pairs: list[tuple[str, Tensor]]) -> None:
    sizes: dict[str, Dim] = {}
    for term, x in pairs:
        for index, size in zip(term, x.shape, strict=True):
            known = sizes.setdefault(index, size)
            if known == 1:
                sizes[index] = size
            elif size not in (1, known):
                raise ShapeError(
                    f"an index of einsum({subscripts!r}) has two sizes",
                    got=f"{known} and {size}",
                    expected="equal ones",
                )


def _without_ones(term: str, x: Tensor, pairs: list[tuple[str, Tensor]]) -> tuple[str, Tensor]:
    """An operand without the axes of size 1 that are broadcast to another's size."""
    wide = {index for other, y in pairs for index, size in zip(other, y.shape, strict=True) if size != 1}
    ones = tuple(axis for axis, index in enumerate(term) if x.shape[axis] == 1 and index in wide)
    if not ones:
        return term, x
    return "".join(index for axis, index in enumerate(term) if axis not in ones), squeeze(x, ones)


def _join(left: str, a: Tensor, right: str, b: Tensor, needed: set[str]) -> tuple[str, Tensor]:
    """Contracts two operands over the shared indices that are not needed later."""
    a, left = _summed(a, left, needed | set(right))
    b, right = _summed(b, right, needed | set(left))
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
    joined = "".join(batch + free)
    return joined, bind("contract", a, b, **axes) if summed else _multiplied(joined, left, a, right, b)


def _multiplied(joined: str, left: str, a: Tensor, right: str, b: Tensor) -> Tensor:
    """The elementwise product of two operands, each broadcast along the indices that it lacks."""
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    shape = tuple(sizes[index] for index in joined)
    sides = ((left, a), (right, b))
    return bind("mul", *(bind("broadcast", x, shape=shape, axes=tuple(map(joined.index, term))) for term, x in sides))


def _summed(x: Tensor, term: str, needed: set[str]) -> tuple[Tensor, str]:
    """An operand summed over the indices that are not needed."""
    drop = tuple(axis for axis, index in enumerate(term) if index not in needed)
    return (sum(x, drop), "".join(index for index in term if index in needed)) if drop else (x, term)
