"""The loop IR: what one kernel computes, before any target is chosen.

    Kernel(name, params, axes, body, origins)     the body runs for every point of the axes, in any order
    Let(name, value)                              binds a scalar
    Reduce(axes, body, accumulators, after)       loops, combines, binds the results; what follows is the epilogue
    Contract(name, axes, lhs, rhs, dtype)         a sum of products; what follows is the epilogue
    For(axes, body)                               loops in any order
    Store(buffer, index, value, accumulate)       writes an element, or adds to it

Scalars are `graphc.exprs`. Loops, tiles and lanes are a schedule's choice (`Axis.bind`); barriers, shared memory and
vector types belong to the renderers.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Call, Cast, Expr, Index, Load, Var
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

    `argmax` and `argmin` bind `name` to the position, given as `position`, of the first extremum of `value`.
    """

    name: str
    combine: str
    value: Expr
    dtype: DType
    position: Expr | None = None


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


# ---- walking


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside another."""
    if isinstance(expr, Call):
        return expr.args
    if isinstance(expr, Cast):
        return (expr.arg,)
    if isinstance(expr, Load) and expr.guard is not None:
        return (expr.guard,)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """An expression and all inside it, each before what is inside it."""
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        yield part
        if isinstance(part, Call):  # mostly; and most others hold nothing
            waiting += part.args[::-1]
        elif isinstance(part, (Cast, Load)):
            waiting += operands(part)


def indices(expr: Expr) -> Iterator[Dim]:
    """All integer expressions inside an expression."""
    for part in walk(expr):
        if isinstance(part, Index):
            yield part.dim
        elif isinstance(part, Load):
            yield from part.index


def names_in(expr: Expr) -> set[str]:
    """The names of all variables and axes that an expression mentions."""
    names: set[str] = set()
    for part in walk(expr):
        if isinstance(part, Var):
            names.add(part.name)
        elif isinstance(part, Load):
            for dim in part.index:
                names |= dims.loop_names(dim)
        elif isinstance(part, Index):
            names |= dims.loop_names(part.dim)
    return names


def needed(lets: tuple[Let, ...], value: Expr) -> list[Let]:
    """The scalars, of those bound, that an expression is computed from."""
    wanted = names_in(value)
    kept: list[Let] = []
    for let in reversed(lets):
        if let.name in wanted:
            wanted |= names_in(let.value)
            kept.append(let)
    return kept[::-1]


def expressions(stmt: Stmt) -> Iterator[Expr]:
    """All expressions of a statement, those of the statements inside it included."""
    match stmt:
        case Let(_, value) | Store(_, _, value):
            yield value
            if isinstance(stmt, Store):
                yield from (Index(dim) for dim in stmt.index)
        case Reduce(_, body, accumulators, after):
            for inner in (*body, *after):
                yield from expressions(inner)
            for accumulator in accumulators:
                yield accumulator.value
                if accumulator.position is not None:
                    yield accumulator.position
        case Contract(_, _, lets, lhs, rhs, _, within):
            for let in lets:
                yield let.value
            yield from (lhs, rhs, *within)
        case For(_, body):
            for inner in body:
                yield from expressions(inner)


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """All statements, those inside others included."""
    for stmt in body:
        yield stmt
        if isinstance(stmt, (Reduce, For)):
            yield from statements(stmt.body)
        if isinstance(stmt, Reduce):
            yield from statements(stmt.after)


def loads(body: tuple[Stmt, ...]) -> Iterator[Load]:
    """All reads of memory."""
    for stmt in body:
        for expr in expressions(stmt):
            for part in walk(expr):
                if isinstance(part, Load):
                    yield part


def stores(body: tuple[Stmt, ...]) -> Iterator[Store]:
    """All writes to memory."""
    return (stmt for stmt in statements(body) if isinstance(stmt, Store))


# ---- checking


def check(kernel: Kernel) -> None:
    """Verifies that a kernel is well formed: names are bound once and before use, buffers and ranks exist and fit.

    Raises:
        VerificationError: if not.
    """
    names = [param.name for param in kernel.params]
    if len(set(names)) != len(names):
        raise VerificationError("a kernel binds a buffer twice", got=kernel.name)
    known = {axis.name for axis in kernel.axes}
    _check_block(kernel, kernel.body, known)
    written = {store.buffer for store in stores(kernel.body)}
    for param in kernel.params:
        if param.written != (param.name in written):
            raise VerificationError("a kernel's parameter has the wrong role", got=f"{kernel.name}: {param}")


def _check_block(kernel: Kernel, body: tuple[Stmt, ...], known: set[str]) -> None:
    for stmt in body:
        match stmt:
            case Let(name, value):
                _check_expr(kernel, value, known)
                _bind(kernel, name, known)
            case Store(buffer, index, value):
                _check_access(kernel, buffer, index, known)
                _check_expr(kernel, value, known)
                if kernel.param(buffer).dtype is not value.dtype:
                    raise VerificationError("a store changes the dtype", got=f"{kernel.name}: {stmt}")
            case For(axes, inner):
                _check_block(kernel, inner, known | {axis.name for axis in axes})
            case Reduce(axes, lets, accumulators, after):
                inside = known | {axis.name for axis in axes}
                _check_block(kernel, lets, inside)
                inside |= {let.name for let in lets if isinstance(let, Let)}
                for accumulator in accumulators:
                    _check_expr(kernel, accumulator.value, inside)
                    _bind(kernel, accumulator.name, known)
                _check_block(kernel, after, inside | known)
            case Contract(name, axes, lets, lhs, rhs, _, within):
                inside = known | {axis.name for axis in axes}
                _check_block(kernel, lets, inside)
                inside |= {let.name for let in lets}
                for expr in (lhs, rhs, *within):
                    _check_expr(kernel, expr, inside)
                _bind(kernel, name, known)


def _bind(kernel: Kernel, name: str, known: set[str]) -> None:
    if name in known:
        raise VerificationError("a kernel binds a name twice", got=f"{kernel.name}: {name}")
    known.add(name)


def _check_expr(kernel: Kernel, expr: Expr, known: set[str]) -> None:
    for part in walk(expr):
        if isinstance(part, Load):
            _check_access(kernel, part.buffer, part.index, known)
            if kernel.param(part.buffer).dtype is not part.dtype:
                raise VerificationError("a load changes the dtype", got=f"{kernel.name}: {part}")
        elif isinstance(part, (Var, Index)):
            names = {part.name} if isinstance(part, Var) else dims.loop_names(part.dim)
            _check_known(kernel, names, known)


def _check_access(kernel: Kernel, buffer: str, index: tuple[Dim, ...], known: set[str]) -> None:
    param = next((param for param in kernel.params if param.name == buffer), None)
    if param is None:
        raise VerificationError("a kernel uses a buffer it has not", got=f"{kernel.name}: {buffer}")
    if len(index) != len(param.shape):
        raise VerificationError("an index has the wrong rank", got=f"{kernel.name}: {buffer}{list(index)}")
    for dim in index:
        _check_known(kernel, dims.loop_names(dim), known)


def _check_known(kernel: Kernel, names: Set[str], known: set[str]) -> None:
    if not names <= known:
        unknown = sorted(names - known)
        raise VerificationError("a kernel uses names that are not bound", got=f"{kernel.name}: {unknown}")
