"""Values that branches and iterations pass on: which are traced, and how two of them become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import ops, tree
from graphc.dims import IntExpr
from graphc.errors import ControlFlowError
from graphc.graph.types import TensorType
from graphc.ops.branches import as_condition
from graphc.tracing import Tensor, Variable, as_tensor, current_origin, current_trace, describe, result_dtype
from graphc.tracing.conversion import weak_kind
from graphc.transforms.autograph.state import UNDEFINED


class Carried(Tensor):
    """A carry of a loop that is a Python number before the loop, and so may get another dtype.

    Args:
        source: The value.
        loop: The loop: its `widen` is called with the leaf and what it is to be combined with.
        leaf: Which of its carries this is.
    """

    __slots__ = ("leaf", "loop")

    def __init__(self, source: Any, loop: Any, leaf: Any) -> None:
        super().__init__(source)
        self.loop = loop
        self.leaf = leaf


def widen(value: Any, other: Any) -> None:
    """Has the loop traced once more for which a value is a number, if it can become a tensor like another value."""
    if isinstance(value, Carried):
        value.loop.widen(value.leaf, other)


def is_traced(value: Any) -> bool:
    """Whether a value is known only when the graph runs."""
    if isinstance(value, Tensor):
        return value.traced is not None and current_trace() is not None
    return isinstance(value, Variable) and current_trace() is not None


def error(problem: str, **rows: Any) -> ControlFlowError:
    """An error with the layer and the user's line."""
    origin = current_origin()
    return ControlFlowError(problem, layer=origin.layer or None, where=describe(origin), **rows)


def truth(value: Any, construct: str) -> Tensor:
    """The truth of a traced value as a scalar boolean.

    Raises:
        ControlFlowError: if it has more than one element.
    """
    found = as_condition(value)
    if found is None:
        raise error(
            f"{construct} needs one truth value, not one for each element",
            got=str(as_tensor(value).type),
            expected="a scalar",
            hint="reduce it with `ops.any` or `ops.all`, or choose element by element with `ops.where`",
        )
    return found


def is_number(value: Any) -> bool:
    """Whether a value is a Python number or a size, which takes the dtype of what it is combined with."""
    return weak_kind(value) is not None


def is_numeric(value: Any) -> bool:
    """Whether a value can be a tensor of the graph."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufcV"
    return isinstance(value, Tensor | Variable) or is_number(value)


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same object, or equal Python values that cannot change."""
    if a is b:
        return True
    if isinstance(a, np.ndarray | Tensor | Variable) or type(a) is not type(b):
        return False
    return isinstance(a, bool | int | float | complex | str | bytes | np.generic | IntExpr) and bool(a == b)


def type_of(value: Any) -> TensorType:
    """The type of a number, an array, a tensor or a variable."""
    return as_tensor(value).type


def fits(value: Any, type: TensorType) -> bool:
    """Whether a numeric value can be a tensor of a type: it has it, or is a Python number that the dtype can hold."""
    kind = weak_kind(value)
    if kind is None:
        return type_of(value) == type
    dtype = type.dtype
    rank = 0 if dtype.is_bool else 1 if dtype.is_integer else 2 if dtype.is_float else 3
    return not type.shape and ("bool", "int", "float", "complex").index(kind) <= rank


def common_type(a: Any, b: Any) -> TensorType | None:
    """The type in which two numeric values are one; None if there is none. Python numbers take the other's dtype."""
    if is_number(a) and is_number(b):
        return TensorType((), result_dtype(a, b))
    type = type_of(b if is_number(a) else a)
    return type if fits(a, type) and fits(b, type) else None


def adapt(value: Any, type: TensorType) -> Tensor:
    """A numeric value as a tensor of a type that `common_type` found."""
    if not is_number(value):
        return as_tensor(value)
    return as_tensor(int(value) if isinstance(value, bool) and not type.dtype.is_bool else value, type.dtype)


def zeros(type: TensorType) -> Tensor:
    """Zeros of a type, for a value that is never read."""
    return ops.zeros(type.shape, type.dtype.name)


def show(value: Any) -> str:
    """A value as errors print it: the type of a tensor, otherwise the value itself."""
    if value is UNDEFINED:
        return "undefined"
    if is_number(value) or value is None or isinstance(value, str):
        return repr(value)
    if is_numeric(value):
        return str(type_of(value))
    if tree.is_nested(value):
        shown = tree.map_structure(lambda leaf: _Shown(show(leaf)), value)
        return repr(shown)[:200]
    return repr(value)[:80]


class _Shown:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text
