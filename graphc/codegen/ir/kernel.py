"""The loop IR: what one kernel computes, before any target is chosen.

    Kernel(name, params, axes, body, origins)     the body runs for every point of the axes, in any order
    Let(name, value)                              binds a scalar
    Reduce(axes, body, accumulators, after)       loops, combines, binds the results; what follows is the epilogue
    Contract(name, axes, lhs, rhs, dtype)         a sum of products; what follows is the epilogue
    For(axes, body)                               loops in any order
    Store(buffer, index, value, accumulate)       writes an element, or adds to it

Scalars are `graphc.exprs`. Loops and vector lanes are a schedule's choice (`Axis.bind`); barriers, shared memory and
vector types belong to the renderers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphc import dims
from graphc.combiners import combiner
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.exprs import Expr
from graphc.graph.types import Loc, Ref

Bind = Literal["serial", "parallel", "vector", "block", "thread"]


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop over `0 <= name < extent`, and how it is run."""

    name: str
    extent: Dim
    bind: Bind = "serial"

    @property
    def index(self) -> Dim:
        """The axis as part of an index."""
        return dims.axis(self.name, self.extent)


@dataclass(frozen=True, slots=True)
class Param:
    """A buffer that a kernel reads, writes or updates: its name in the kernel, and the value it holds."""

    name: str
    value: Ref
    dtype: DType
    shape: Shape
    written: bool = False
    read: bool = True


@dataclass(frozen=True, slots=True)
class Let:
    """Binds a scalar."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Accumulator:
    """What a reduction forms: `name = combine over all points of value`.

    A positional combiner binds `name` to the position, given as `position`, of the first extremum of `value`. One that
    has several accumulators is as many of these, one behind the other, each with what a point's element is lifted to.

    Args:
        name: What it is called.
        combine: The name of its `graphc.combiners.Combiner`.
        value: What each point adds.
        dtype: In which dtype it is held.
        position: What a point's position is.
        part: Which of the combiner's accumulators it is.
    """

    name: str
    combine: str
    value: Expr
    dtype: DType
    position: Expr | None = None
    part: int = 0

    @property
    def operator(self) -> str:
        """What targets call the combiner where they have one of the dtype: of complex numbers they have none."""
        return "" if self.dtype.is_complex else combiner(self.combine).operator


@dataclass(frozen=True, slots=True)
class Reduce:
    """Runs `body` for every point of `axes`, combining; `after` runs at each point with the results so far.

    With anything in `after`, the points are visited in order.
    """

    axes: tuple[Axis, ...]
    body: tuple[Let | Store, ...]
    accumulators: tuple[Accumulator, ...]
    after: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """Binds `name = sum over axes of lhs * rhs`; `body` holds what the factors need bound.

    Terms outside of any condition of `within` are zero, and may be left out.
    """

    name: str
    axes: tuple[Axis, ...]
    body: tuple[Let, ...]
    lhs: Expr
    rhs: Expr
    dtype: DType
    within: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    """Runs `body` for every point of `axes`."""

    axes: tuple[Axis, ...]
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """Writes an element, or adds to it."""

    buffer: str
    index: tuple[Dim, ...]
    value: Expr
    accumulate: bool = False


Stmt: TypeAlias = Let | Reduce | Contract | For | Store


@dataclass(frozen=True, slots=True)
class Kernel:
    """One loop nest.

    Args:
        name: What it is called.
        params: Its buffers.
        axes: The body runs for each of their points.
        body: What runs.
        origins: For which layers and lines it runs.
        comment: For people.
        by_library: Whether a library computes its contraction, block by block; a part of the schedule.
    """

    name: str
    params: tuple[Param, ...]
    axes: tuple[Axis, ...]
    body: tuple[Stmt, ...]
    origins: Loc = ()
    comment: str = ""
    by_library: bool = False

    def param(self, name: str) -> Param:
        """The buffer of a name."""
        return next(param for param in self.params if param.name == name)

    @property
    def contraction(self) -> Contract | None:
        """The kernel's contraction, if it has one."""
        return next((stmt for stmt in self.body if isinstance(stmt, Contract)), None)
