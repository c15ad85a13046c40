"""What an operation is: one record that says everything about it.

A primitive's file makes the record and registers it; nothing else about the operation is written anywhere. The kinds
differ in what `lower` returns:

- POINTWISE: a scalar expression of the operands' elements at the same index.
- VIEW, RANDOM: the element at an index, pulled from the operands at indices of the rule's choice.
- REDUCE: a `ReduceRule`: the axes run over, and what is combined at each point.
- CONTRACT: a `ContractRule`: the axes summed over, and the two factors at each point.
- SCAN: a `ScanRule`, a reduction along one axis that keeps every partial result; or, for `scan` itself, nothing: its
  body is compiled as a loop.
- SCATTER: a `ScatterRule`: contributions, and the place each is added to.
- SOURCE: nothing; inputs, states and constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Expr
from graphc.graph.types import TensorType


class Kind(Enum):
    """How an operation reads its operands, which decides how it fuses and schedules."""

    POINTWISE = "pointwise"
    VIEW = "view"
    REDUCE = "reduce"
    CONTRACT = "contract"
    SCAN = "scan"
    SCATTER = "scatter"
    RANDOM = "random"
    SOURCE = "source"


class Reader(Protocol):
    """What a lowering rule gets to read operands with."""

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The types of the operands."""

    @property
    def out(self) -> TensorType:
        """The type of the result."""

    def read(self, operand: int, index: tuple[Dim, ...]) -> Expr:
        """The element of an operand at an index."""

    def as_index(self, expr: Expr) -> Dim:
        """An integer scalar as part of an index; it must lie in the range that it indexes."""

    def guarded(self, condition: Expr) -> AbstractContextManager[None]:
        """Reads within happen only where the condition holds."""


@dataclass(frozen=True, slots=True)
class ReduceRule:
    """`out[index] = combine over r of element(reader, index, r)`, with `r` running over `extents`.

    `combine` is one of sum, prod, max, min, any, all, argmax, argmin. The last two yield the position of the first
    extremum in the row-major order of `r`.
    """

    extents: Shape
    combine: str
    element: Callable[[Reader, tuple[Dim, ...], tuple[Dim, ...]], Expr]


@dataclass(frozen=True, slots=True)
class ContractRule:
    """`out[index] = sum over k of lhs(reader, index, k) * rhs(reader, index, k)`, with `k` running over `extents`."""

    extents: Shape
    lhs: Callable[[Reader, tuple[Dim, ...], tuple[Dim, ...]], Expr]
    rhs: Callable[[Reader, tuple[Dim, ...], tuple[Dim, ...]], Expr]


@dataclass(frozen=True, slots=True)
class ScanRule:
    """Partial results along an axis: `out[.., i, ..] = combine of element(.., j, ..) for j <= i` (`>=` in reverse)."""

    axis: int
    combine: str
    reverse: bool
    element: Callable[[Reader, tuple[Dim, ...]], Expr]


@dataclass(frozen=True, slots=True)
class ScatterRule:
    """`out = 0; for every point of extents: out[target(reader, point)] += element(reader, point)`, in order.

    The points' axes from `parallel` on never meet: they are axes of the result, passed through.
    """

    extents: Shape
    parallel: int
    target: Callable[[Reader, tuple[Dim, ...]], tuple[Dim, ...]]
    element: Callable[[Reader, tuple[Dim, ...]], Expr]


@dataclass(frozen=True)
class Case:
    """A sample call of a primitive, from which tests draw.

    Args:
        shapes: The shapes of the operands; a shape may be any that `infer` accepts.
        attrs: The attributes.
        low: Smallest value of sampled operands, for each or for all.
        high: Largest value, likewise.
        differentiable: Whether gradients exist near all sampled points.
        integer_operands: Positions of operands that are indices or counts, sampled as int32.
        boolean_operands: Positions of operands that are conditions, sampled as bool.
        distinct: Whether sampled elements must differ from each other and from integers, since a gradient jumps there.
        typed: Attributes that depend on the dtype of the operands, such as a graph's.
    """

    shapes: tuple[tuple[int, ...], ...]
    attrs: dict[str, Any]
    low: float = -2.0
    high: float = 2.0
    differentiable: bool = True
    integer_operands: tuple[int, ...] = ()
    boolean_operands: tuple[int, ...] = ()
    distinct: bool = False
    typed: Callable[[DType], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Primitive:
    """Everything about an operation.

    Args:
        name: Its name in graphs.
        kind: How it reads its operands.
        infer: The type rule: operand types and attributes to result type (or a tuple of them). Raises `ShapeError` or
            `DTypeError` on operands that do not fit.
        eval: The reference: NumPy arrays and attributes (sizes as numbers, graphs as functions from a mapping of names
            to arrays to a list of arrays) to a NumPy array (or a tuple of them).
        lower: The lowering, by kind (see the module).
        vjp: The gradient: `vjp(cotangents, node)` to a cotangent (or None) for each operand, built from primitives on
            the operands and results that the `Applied` node offers. None where the operation has no gradient.
        cases: Sample calls.
        dtypes: Names of the dtypes that operands may have.
    """

    name: str
    kind: Kind
    infer: Callable[..., Any]
    eval: Callable[..., Any]
    lower: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    cases: Callable[[], Iterable[Case]]
    dtypes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Primitive({self.name})"


REGISTRY: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    """Makes a primitive known under its name.

    Raises:
        VerificationError: if the name is taken.
    """
    if primitive.name in REGISTRY:
        raise VerificationError("there is a primitive of this name already", got=primitive.name)
    REGISTRY[primitive.name] = primitive
    return primitive


def primitive(name: str) -> Primitive:
    """The primitive with a name.

    Raises:
        VerificationError: if there is none.
    """
    found = REGISTRY.get(name)
    if found is None:
        raise VerificationError("there is no such primitive", got=name)
    return found
