"""The loop IR: the computation of one kernel, independent of the target.

    Kernel(name, params, axes, body, origins)     the body runs for every point of the axes, in any order
    Let(name, value)                              binds a scalar
    Reduce(axes, body, accumulators, after)       loops, combines, binds the results; an epilogue follows
    Contract(name, axes, lhs, rhs, dtype)         a sum of products; an epilogue follows
    For(axes, body)                               loops in any order
    Store(buffer, index, value, combine)          writes an element, or combines it with the value

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
    """A loop over `0 <= name < extent`, and how it is bound."""

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
    """The result of a reduction: `name = combine over all points of value`.

    A positional combiner binds `name` to the position, given as `position`, of the first extremum of `value`. For a
    combiner with several accumulators there are as many of these, in order; `value` is then the lifted element.

    Args:
        name: Its name.
        combine: The name of its `graphc.combiners.Combiner`.
        value: The value of each point.
        dtype: The dtype of the accumulator.
        position: The position of a point, for positional combiners.
        part: Its index among the combiner's accumulators.
    """

    name: str
    combine: str
    value: Expr
    dtype: DType
    position: Expr | None = None
    part: int = 0

    @property
    def operator(self) -> str:
        """The target's operator of the combiner; empty where it has none of the dtype, as of complex numbers."""
        return "" if self.dtype.is_complex else combiner(self.combine).operator


@dataclass(frozen=True, slots=True)
class Reduce:
    """Runs `body` for every point of `axes`, combining; `after` runs at each point with the results so far.

    If `after` is not empty, the points are visited in order.
    """

    axes: tuple[Axis, ...]
    body: tuple[Let | Store, ...]
    accumulators: tuple[Accumulator, ...]
    after: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """Binds `name = sum over axes of lhs * rhs`; `body` binds the scalars that the factors need.

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
    """Writes an element; with the name of a plain combiner, combines the element in memory with the value."""

    buffer: str
    index: tuple[Dim, ...]
    value: Expr
    combine: str = ""

    @property
    def accumulate(self) -> bool:
        """Whether the element in memory is combined with the value."""
        return bool(self.combine)


Stmt: TypeAlias = Let | Reduce | Contract | For | Store


@dataclass(frozen=True, slots=True)
class Kernel:
    """One loop nest.

    Args:
        name: Its name.
        params: Its buffers.
        axes: The axes of its points, for each of which the body runs.
        body: Its statements.
        origins: The layers and lines whose operations it computes.
        comment: A comment for people.
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
        """The buffer with a name."""
        return next(param for param in self.params if param.name == name)

    @property
    def contraction(self) -> Contract | None:
        """The kernel's contraction, if it has one."""
        return next((stmt for stmt in self.body if isinstance(stmt, Contract)), None)
