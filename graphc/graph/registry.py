"""Primitives: one record holds everything about an operation.

A primitive's file makes the record and registers it; no other file depends on the operation. The kinds
differ in the result of `lower`:

- POINTWISE: a scalar expression of the operands' elements at the same index.
- VIEW, RANDOM: the element at an index, read from the operands at indices of the rule's choice.
- REDUCE: a `ReduceRule`: the reduced axes, and the element combined at each point.
- CONTRACT: a `ContractRule`: the summed axes, and the two factors at each point.
- SCAN: a `ScanRule`: all partial results of a reduction along one axis.
- SCATTER: a `ScatterRule`: terms, and the index at which each is combined.
- REGION: a `RegionRule`: closed graphs, and the control flow that runs them.
- LIBRARY: a `LibraryRule`: the library function for the CPU, and the cost.
- SOURCE: nothing; inputs, states and constants.

Regions and calls of libraries read all of their operands and may have several results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Expr
from graphc.graph.types import Attrs, TensorType

if TYPE_CHECKING:
    from graphc.graph.builder import Builder, Value
    from graphc.graph.core import Graph


class Kind(Enum):
    """How an operation reads its operands, which decides how it fuses and schedules."""

    POINTWISE = "pointwise"
    VIEW = "view"
    REDUCE = "reduce"
    CONTRACT = "contract"
    SCAN = "scan"
    SCATTER = "scatter"
    RANDOM = "random"
    REGION = "region"
    LIBRARY = "library"
    SOURCE = "source"

    @property
    def has_kernel(self) -> bool:
        """Whether operations of the kind are computed by kernels of the loop IR, and not by other steps of a plan."""
        return self not in (Kind.REGION, Kind.LIBRARY)


class Reader(Protocol):
    """Reads elements of operands in a lowering rule."""

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
        """Reads in the block happen only where the condition holds."""


@dataclass(frozen=True, slots=True)
class ReduceRule:
    """`out[index] = combine over r of element(reader, index, r)`, with `r` running over `extents`.

    `combine` names a `graphc.combiners.Combiner`. A positional one yields the position of the first extremum in the
    row-major order of `r`.
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
    """For every point of extents, in order: `out[target(reader, point)]` is combined with `element(reader, point)`.

    The result starts as the identity of the combiner, a plain one. The points' axes from `parallel` on are axes of the
    result: points that differ in them change different elements.
    """

    combine: str
    extents: Shape
    parallel: int
    target: Callable[[Reader, tuple[Dim, ...]], tuple[Dim, ...]]
    element: Callable[[Reader, tuple[Dim, ...]], Expr]


@dataclass(frozen=True, slots=True)
class RegionRule:
    """Closed graphs that an operation runs. Their inputs are `c0, ..`, `s0, ..` and `x0, ..`.

    Args:
        control: `count`: the one graph runs `count` times, and returns the new carries, then a row of each stacked
            result. `while`: of two graphs, the first returns one bool; while it is true, the second runs, which
            returns the new carries. `branch`: of several graphs one runs, chosen by the first operand, a scalar of
            int32; its results are the operation's.
        graphs: The graphs.
        constants: The number of operands that are the same in every iteration, `c0, ..`; they come first, but for the
            operand that chooses a branch.
        carries: The number of operands and results that an iteration takes from the one before, `s0, ..`.
        sequences: The number of operands of which each iteration takes a row, `x0, ..`.
        count: The number of iterations.
        reverse: Whether the first iteration takes the last row.
    """

    control: Literal["count", "while", "branch"]
    graphs: tuple[Graph, ...]
    constants: int
    carries: int = 0
    sequences: int = 0
    count: Dim = 1
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class NativeFunction:
    """A function of a library, with the C function that calls it.

    Args:
        symbol: Its name in LAPACK.
        name: The C function below: `void name(void *const *places, const long *extents, const gc_worker *self)`. It
            gets the addresses of operands and results, and the extents of all of them one after the other. All threads
            call it; each does its share.
        definition: Source text of that function, which calls `graphc_<symbol>`, a pointer.
    """

    symbol: str
    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class PortableFunction:
    """A function in C99 that needs no library and no memory of its own.

    Args:
        name: The function below: `void name(void *const *places, const long *extents)`. It gets what the function of a
            library gets.
        definition: Its source text.
    """

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class LibraryRule:
    """The implementation of an operation by a library. Without one, `cpu` runs the reference, and `cuda` raises.

    Args:
        work: The estimated number of scalar operations.
        native: The function that computes it on `cpu`, where the library is installed.
        portable: The function that computes it in exported C, which has no libraries.
    """

    work: Dim
    native: NativeFunction | None = None
    portable: PortableFunction | None = None


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


@dataclass(frozen=True, slots=True)
class Batched:
    """A value of all elements of a batch: with an axis in front, or without it where it is the same for all of them.

    Args:
        value: The value.
        varies: Whether it has the axis.
    """

    value: Value
    varies: bool

    def spread(self, length: Dim) -> Value:
        """The value with the axis, which has `length` elements."""
        if self.varies:
            return self.value
        axes = tuple(range(1, self.value.rank + 1))
        return self.value.builder.broadcast(self.value, (length, *self.value.shape), axes)


# (builder, attributes, operands, length) to the result with the batch's axis in front; for several results, to a tuple
# that tells for each whether it has that axis.
Batch = Callable[["Builder", Attrs, Sequence[Batched], Dim], "Value | tuple[Batched, ...]"]
# (builder, attributes, operands) to an equal, simpler value, or a tuple of them; None where there is none.
Simplify = Callable[["Builder", Attrs, "tuple[Value, ...]"], "Value | tuple[Value, ...] | None"]
# (builder, attributes, operands, type of the result) to the result where operands have no elements.
OfEmpty = Callable[["Builder", Attrs, "Sequence[Value]", TensorType], "Value | None"]
# (number of operands, attributes) to groups of operands.
Linear = Callable[[int, Attrs], Sequence[Sequence[int]]]
# (type of the operand, attributes) to the result's axis for each axis of the operand; None where there is none.
AxesOf = Callable[[TensorType, Attrs], Sequence["int | None"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTraits:
    """How a view places elements. All fields but `joined` are for views of one operand.

    Args:
        affine: Each element is one of the operand's, at a place that is an affine function of its index. Readers
            can read the operand in its place.
        ordered: Elements that follow each other in the operand follow each other in the view: it is read at full speed.
        once: Each element of the operand is read once at most.
        whole: Each element of the operand is read once at least.
        joined: The operands lie side by side, and each of their elements is read once: operations that compute the
            operands can store them in their places.
        axes: Which axis of the result each axis of the operand is: the indices along both are the same.
    """

    affine: bool = False
    ordered: bool = False
    once: bool = False
    whole: bool = False
    joined: bool = False
    axes: AxesOf | None = None


_NO_TRAITS = ViewTraits()


@dataclass(frozen=True)
class Primitive:
    """Everything about an operation.

    The first eight fields define it. The others, all keyword-only, are traits that rewrites and schedules use; they are
    optional.

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
        cheap: Whether computing it twice costs less than storing it.
        literal: Whether it is the constant in its attribute `value`.
        view: How it places elements, if it is a view.
        keeps_zero: The operands whose zero makes the result zero, at the same index. Infinities and NaN times zero
            count as zero here.
        linear: Groups of operands: in each it is linear, all operands of the group taken together and the others held.
        splits: Of a reduction over `axes`: whether to reduce over some of them first and over the others then gives the
            same.
        any_order: Of a contraction: whether it reads operands in place however their axes are ordered.
        batch: Vectorization over an axis (vmap): the operation on all elements of a batch, which lie along a new first
            axis of the operands that vary, as nodes that give the results with that axis in front. It is called only
            where some operand varies.
        batch_sum: The sum of the result of `batch` over that axis, where it can be computed without the terms.
        simplify: An equal, cheaper value, from operands that are simplified already; None where there is none.
            Values stay the same, NaN and infinities included; sums may be formed in another order.
        of_empty: The result where some operands have no elements and the result has.
        regions: The names of attributes that are closed graphs which it runs, or tuples of them.
        code: For a user's primitive: a function that returns the current digest of its rules, or None where there is
            none. Compiled graphs with the primitive are valid as long as the digest stays the same.
    """

    name: str
    kind: Kind
    infer: Callable[..., Any]
    eval: Callable[..., Any]
    lower: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    cases: Callable[[], Iterable[Case]]
    dtypes: tuple[str, ...]
    _: KW_ONLY
    cheap: bool = False
    literal: bool = False
    view: ViewTraits = _NO_TRAITS
    keeps_zero: tuple[int, ...] = ()
    linear: Linear | None = None
    splits: bool = False
    any_order: bool = False
    batch: Batch | None = None
    batch_sum: Batch | None = None
    simplify: Simplify | None = None
    of_empty: OfEmpty | None = None
    regions: tuple[str, ...] = ()
    code: Callable[[], str | None] | None = None

    def graphs(self, attrs: Mapping[str, Any]) -> tuple[Graph, ...]:
        """The closed graphs among some attributes."""
        regions = (attrs[name] for name in self.regions)
        return tuple(graph for attr in regions for graph in (attr if isinstance(attr, tuple) else (attr,)))

    def __repr__(self) -> str:
        return f"Primitive({self.name})"


REGISTRY: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    """Registers a primitive under its name. A user's primitive replaces an earlier one of the user's.

    Raises:
        VerificationError: if the name is taken.
    """
    known = REGISTRY.get(primitive.name)
    if known is not None and (known.code is None or primitive.code is None):
        raise VerificationError("there is a primitive of this name already", got=primitive.name)
    REGISTRY[primitive.name] = primitive
    return primitive


def primitive(name: str) -> Primitive:
    """The primitive with a name.

    Raises:
        VerificationError: if there is none.
    """
    record = REGISTRY.get(name)
    if record is None:
        hint = "one of your own is defined with `graphc.primitive`, in each process that uses it"
        raise VerificationError("there is no such primitive", got=name, hint=hint)
    return record
