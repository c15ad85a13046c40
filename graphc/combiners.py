"""Combiners of reductions: one record for each, used by C, CUDA and the interpreters.

A combiner has one or several accumulators. Each element is lifted to a set of accumulators (`lift`), two sets are
merged into one (`combine`), in any grouping, and the result is computed from the last set (`finish`):

    mean and variance (Welford; Chan, Golub and LeVeque): count, mean, sum of squared deviations
    logarithm of a sum of exponentials: the largest so far, and the sum of exponentials relative to it

So each takes one pass over its elements, which the lanes of a vector or the threads of a block can share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Expr, call, select

Number: TypeAlias = bool | int | float
Parts: TypeAlias = tuple[Expr, ...]


def _itself(element: Expr) -> Parts:
    return (element,)


def _first(parts: Parts) -> Expr:
    return parts[0]


@dataclass(frozen=True)
class Combiner:
    """A combiner of elements.

    Args:
        name: Its name.
        identity: The elements' dtype to the initial values of the accumulators: merging these changes nothing.
        combine: Two sets of accumulators to one, as scalars, the later elements second. Not for positional ones.
        wide: For each accumulator, whether it is float64 where elements are floats and there are many.
        operator: Its OpenMP reduction identifier, for loops that compilers vectorize; CUDA's prelude has it as
            `gc_NAME`. Combiners without one are merged by `combine`.
        order: For an extremum: the comparison with the one so far that makes an element replace it.
        positional: Whether the result is not the extremum but its position, that of the first.
        of_nothing: Whether there is a result without elements.
        reduce: NumPy's function, if there is one: a ufunc, or for a positional one a function of an array and an
            axis.
        lift: An element to the accumulators of that element alone.
        finish: The accumulators to the result.
    """

    name: str
    identity: Callable[[DType], tuple[Number, ...]]
    combine: Callable[[Parts, Parts], Parts]
    wide: tuple[bool, ...] = (False,)
    operator: str = ""
    order: Literal["", "<", ">"] = ""
    positional: bool = False
    of_nothing: bool = True
    reduce: Any = None
    lift: Callable[[Expr], Parts] = _itself
    finish: Callable[[Parts], Expr] = _first

    @property
    def is_plain(self) -> bool:
        """Whether elements are not lifted, and the accumulator is the result."""
        return self.lift is _itself and self.finish is _first


COMBINERS: dict[str, Combiner] = {}


def register(combiner: Combiner) -> Combiner:
    """Registers a combiner under its name.

    Raises:
        VerificationError: if the name is taken.
    """
    if combiner.name in COMBINERS:
        raise VerificationError("there is a combiner of this name already", got=combiner.name)
    COMBINERS[combiner.name] = combiner
    return combiner


def combiner(name: str) -> Combiner:
    """The combiner with a name.

    Raises:
        VerificationError: if there is none.

    Example:

    >>> from graphc import dtypes
    >>> combiner("max").identity(dtypes.float32)
    (-inf,)
    """
    record = COMBINERS.get(name)
    if record is None:
        raise VerificationError("there is no such combiner", got=name)
    return record


def _constant(number: int) -> Callable[[DType], tuple[Number, ...]]:
    return lambda dtype: (number,)


def _lowest(dtype: DType) -> tuple[Number, ...]:
    """The lowest number of the dtype."""
    if dtype.is_float:
        return (float("-inf"),)
    if dtype.is_bool:
        return (False,)
    return (-(1 << dtype.bits - 1) if dtype.kind == "int" else 0,)


def _highest(dtype: DType) -> tuple[Number, ...]:
    if dtype.is_float:
        return (float("inf"),)
    if dtype.is_bool:
        return (True,)
    return ((1 << dtype.bits - (dtype.kind == "int")) - 1,)


def _by(intrinsic: str) -> Callable[[Parts, Parts], Parts]:
    return lambda a, b: (call(intrinsic, a[0], b[0]),)


def _extremum(better: str) -> Callable[[Parts, Parts], Parts]:
    """The merge of an extremum, which is NaN if any element is."""

    def combine(a: Parts, b: Parts) -> Parts:
        wins = call(better, b[0], a[0])
        if a[0].dtype.is_float:
            wins = call("or", wins, call("isnan", b[0]))
        return (select(wins, b[0], a[0]),)

    return combine


SUM = register(Combiner("sum", _constant(0), _by("add"), (True,), "+", reduce=np.add))
register(Combiner("prod", _constant(1), _by("mul"), operator="*", reduce=np.multiply))
register(Combiner("any", _constant(0), _by("or"), operator="|", reduce=np.logical_or))
register(Combiner("all", _constant(1), _by("and"), operator="&", reduce=np.logical_and))
for _name, _identity, _combine, _order, _function in (
    ("max", _lowest, _extremum("gt"), ">", np.maximum),
    ("min", _highest, _extremum("lt"), "<", np.minimum),
):
    _of_some: dict[str, Any] = {"order": _order, "of_nothing": False}
    register(Combiner(_name, _identity, _combine, operator=_name, reduce=_function, **_of_some))
    _position: Any = {"max": np.argmax, "min": np.argmin}[_name]
    register(Combiner(f"arg{_name}", _identity, _combine, positional=True, reduce=_position, **_of_some))
