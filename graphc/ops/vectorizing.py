"""Functions of single elements, or of parts of given shapes, applied to whole tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from graphc import dims, tree
from graphc.dims import Shape
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.loops import vectorized_map
from graphc.tracing import Tensor, as_tensor, broadcast_shapes, broadcast_to
from graphc.tracing.shapes import reshape

__all__ = ["vectorize"]


def _core_axes(signature: str) -> tuple[list[list[str]], list[list[str]]]:
    """The names of the axes of each operand and of each result: `(m,n),(n)->(m)`."""
    sides = signature.replace(" ", "").split("->")
    if len(sides) != 2 or not all(re.fullmatch(r"\([\w,]*\)(,\([\w,]*\))*", side) for side in sides):
        raise ArgumentError("this is no signature of `vectorize`", got=repr(signature), expected="'(m,n),(n)->(m)'")
    operands, results = ([part.split(",") if part else [] for part in re.findall(r"\(([^)]*)\)", s)] for s in sides)
    return operands, results


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[Any] | None = None, signature: str | None = None
) -> Callable[..., Any]:
    """Makes a function of single elements one of tensors, whose operands broadcast.

    Args:
        pyfunc: A function of scalars, or of tensors of the shapes that `signature` tells.
        excluded: The positions and names of arguments that are passed on as they are.
        signature: The last axes of each operand and result that belong to one call, such as `"(n),(n)->()"`. None:
            there are none.

    Returns:
        A function of tensors. All calls are traced as one, by `vectorized_map`.

    Raises:
        ArgumentError: if the signature is invalid.

    Example:

    >>> vectorize(lambda x, y: x * y + 1)([1, 2], [[3], [4]]).numpy().tolist()
    [[4, 7], [5, 9]]
    """
    left_out = set(excluded or ())
    core = None if signature is None else _core_axes(signature)[0]

    @wraps(pyfunc)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        given: dict[int | str, Tensor] = {i: as_tensor(x) for i, x in enumerate(args) if i not in left_out}
        given |= {name: as_tensor(arg) for name, arg in kwargs.items() if name not in left_out}
        axes = [[]] * len(given) if core is None else core
        if len(axes) != len(given):
            raise ArgumentError("the signature has another number of operands", got=f"{len(given)} for {signature!r}")

        def call(rows: list[Tensor]) -> Any:
            filled = dict(zip(given, rows, strict=True))
            positional = [filled.get(i, arg) for i, arg in enumerate(args)]
            return pyfunc(*positional, **{name: filled.get(name, arg) for name, arg in kwargs.items()})

        return _applied(call, list(given.values()), [len(names) for names in axes])

    return vectorized


def _applied(call: Callable[[list[Tensor]], Any], operands: list[Tensor], ranks: list[int]) -> Any:
    """Calls a function on all parts of tensors at once: `ranks` tells how many of the last axes are of one part."""
    if any(x.ndim < rank for x, rank in zip(operands, ranks, strict=True)):
        got = " and ".join(str(x.type) for x in operands)
        raise ShapeError("an operand has fewer axes than the signature", got=got)
    loops = [x.shape[: x.ndim - rank] for x, rank in zip(operands, ranks, strict=True)]
    shape = broadcast_shapes(*loops) if loops else ()
    if shape == ():
        return call(operands)
    count = dims.product(shape)
    rows = []
    for x, loop in zip(operands, loops, strict=True):
        part: Shape = x.shape[len(loop) :]
        rows.append(reshape(broadcast_to(x, (*shape, *part)), (count, *part)))
    found = vectorized_map(call, rows)
    return tree.map_structure(lambda result: reshape(result, (*shape, *result.shape[1:])), found)
