"""Legality of kernels under the semantics of the loop IR, before and after scheduling.

Points of a kernel's axes run in any order, at the same time, and so do those of loops without accumulation. Hence:

- every element that is read or written lies in its buffer, wherever the guards and selections around it allow it;
- no two points store to one element, but for sums, whose points one thread visits in order;
- no point reads what another point stores.

Conditions that polynomials prove are not evaluated; all others are, with NumPy, at sizes that the caller samples. An
index computed at run time (`dims.value`) takes all values that its expression allows. Tests call this after each pass
over kernels; users' compilations do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from math import inf, prod
from typing import Any, NoReturn

import numpy as np

from graphc import dims
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Axis, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import operands
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var
from graphc.intrinsics import INTRINSICS

Array = np.ndarray[Any, Any]
Bounds = tuple[float, float]

# The most points that are evaluated at a time; of larger loops a sample, with the first and the last of each.
MOST_POINTS = 1 << 22
# The order in which a schedule may bind axes: points of the first run in parallel, those of the last in vector lanes.
_OUTERMOST = {"block": 0, "thread": 0, "parallel": 0, "serial": 1, "vector": 2}


def check_lowered(kernel: Kernel, sizes: Mapping[str, int]) -> None:
    """Verifies a kernel before it is scheduled.

    Args:
        kernel: The kernel.
        sizes: A value for each symbolic size and each counter of enclosing loops.

    Raises:
        VerificationError: if it is not well formed, its dtypes do not fit, or its points may not run in any order.
    """
    _checked(kernel, sizes)


def _checked(kernel: Kernel, sizes: Mapping[str, int]) -> _Points:
    check(kernel)
    _check_dtypes(kernel)
    points = _Points(kernel, sizes)
    points.check()
    return points


def check_scheduled(kernel: Kernel, before: Kernel, sizes: Mapping[str, int]) -> None:
    """Verifies a kernel after it is scheduled, and that its points store to the elements that they stored to before.

    Args:
        kernel: The kernel: each buffer is one axis.
        before: The kernel before scheduling.
        sizes: A value for each symbolic size and each counter of enclosing loops.

    Raises:
        VerificationError: if the kernel is not legal, or its points store to other elements.
    """
    now, then = _checked(kernel, sizes), _Points(before, sizes)
    if any(len(param.shape) != 1 for param in kernel.params):
        _refuse(kernel, "has an index that is no offset", [param for param in kernel.params if len(param.shape) != 1])
    _check_binds(kernel)
    for name, stored in then.owners.items():
        if name in now.partial | then.partial:
            continue  # only a sample of its points was evaluated
        if name not in now.owners or not _alike(now.owners[name], stored):
            _refuse(kernel, f"stores to other elements of {name} than before, or at other points", before.axes)


def owners(kernel: Kernel, sizes: Mapping[str, int]) -> dict[str, Array]:
    """For each buffer that a kernel writes, the number of the point that stores to each element; -1 where none does.

    Args:
        kernel: The kernel.
        sizes: A value for each symbolic size and each counter of enclosing loops.

    Raises:
        VerificationError: if two points store to one element.
    """
    return _Points(kernel, sizes).owners


def _refuse(kernel: Kernel, problem: str, what: object) -> NoReturn:
    raise VerificationError(f"the kernel {kernel.name} {problem}", got=str(what))


# ---- checks without sizes


def _check_binds(kernel: Kernel) -> None:
    """Checks binds: vector axes are innermost, parallel ones outermost; loops inside belong to one thread."""
    order = [_OUTERMOST[axis.bind] for axis in kernel.axes]
    if order != sorted(order) or order.count(_OUTERMOST["vector"]) > 1:
        _refuse(kernel, "binds its axes in an order that cannot be run", kernel.axes)
    if sum(isinstance(stmt, Contract) for stmt in kernel.body) > 1:
        _refuse(kernel, "has two contractions", kernel.body)
    for stmt in _inner(kernel.body):
        if isinstance(stmt, Contract) and stmt not in kernel.body:
            _refuse(kernel, "has a contraction inside a loop", stmt)
        if any(axis.bind != "serial" for axis in getattr(stmt, "axes", ())):
            _refuse(kernel, "shares a loop inside a point", stmt)


def _inner(body: Sequence[Stmt]) -> Iterator[Stmt]:
    for stmt in body:
        yield stmt
        if isinstance(stmt, (Reduce, For)):
            yield from _inner(stmt.body)
        if isinstance(stmt, Reduce):
            yield from _inner(stmt.after)


def _check_dtypes(kernel: Kernel) -> None:
    """Checks dtypes: of the operands of intrinsics and statements, and of names and their values."""
    known: dict[str, DType] = {}

    def value(expr: Expr) -> DType:
        for part in operands(expr):
            value(part)
        fits = True
        match expr:
            case Var(name, dtype):
                fits = known.get(name, dtype) is dtype
            case Load(guard=guard) if guard is not None:
                fits = guard.dtype.is_bool
            case Index(_, dtype):
                fits = not dtype.is_bool
            case Call(name, args, dtype) if name in INTRINSICS:
                rule = INTRINSICS[name]
                condition, rest = (args[:1], args[1:]) if name == "select" else ((), args)
                result = rule.result_dtype(rest[0].dtype)
                fits = all(c.dtype.is_bool for c in condition) and {a.dtype for a in rest} == {rest[0].dtype}
                fits = fits and dtype is result and len(args) == rule.arity
        if not fits:
            _refuse(kernel, "has operands of dtypes that do not fit", expr)
        return expr.dtype

    for stmt in _inner(kernel.body):
        match stmt:
            case Let(name, expr):
                known[name] = value(expr)
            case Store():
                value(stmt.value)
            case Contract(name, _, lets, lhs, rhs, dtype, within):
                known |= {let.name: value(let.value) for let in lets}
                if not value(lhs) is value(rhs) is dtype or any(not value(c).is_bool for c in within):
                    _refuse(kernel, "multiplies factors of other dtypes", stmt)
                known[name] = dtype
            case Reduce(_, lets_, accumulators):
                known |= {let.name: value(let.value) for let in lets_ if isinstance(let, Let)}
                for a in accumulators:
                    place = None if a.position is None else value(a.position)
                    if (place or value(a.value)) is not a.dtype:
                        _refuse(kernel, "combines values of another dtype", a)
                    value(a.value)
                    known[a.name] = a.dtype


# ---- accesses to memory


@dataclass(frozen=True)
class _Access:
    """A read or a write: its index, its conditions, and the loops around it inside the kernel's points."""

    buffer: str
    index: tuple[Dim, ...]
    conditions: tuple[tuple[Expr, bool], ...]
    inner: tuple[Axis, ...]
    loop: int = 0  # the loop inside the point whose iterations run in any order; 0 for none
    is_store: bool = False
    accumulate: bool = False


class _Points:
    """A kernel's accesses at given sizes."""

    def __init__(self, kernel: Kernel, sizes: Mapping[str, int]) -> None:
        self.kernel, self.sizes = kernel, sizes
        self.lets: dict[str, Expr] = {}
        self.partial: set[str] = set()  # buffers with stores of which only a sample is evaluated
        self.accesses: list[_Access] = []
        self.between: dict[str, Bounds] = {}  # bounds of integer scalars
        self.loop = 0  # the loop of the current statement
        self.loops = count(1)
        self.passes: dict[str, tuple[Array, Array]] = {}  # the loop and the iteration that store each element
        self.shapes = {p.name: tuple(dims.evaluate(d, sizes) for d in p.shape) for p in kernel.params}
        self._block(kernel.body, ())

    # Collecting accesses.

    def _enter(self, axes: tuple[Axis, ...], inner: tuple[Axis, ...]) -> tuple[Axis, ...]:
        names = [axis.name for axis in (*self.kernel.axes, *inner, *axes)]
        if len(set(names)) < len(names):
            _refuse(self.kernel, "binds an axis twice", names)
        return (*inner, *axes)

    def _block(self, body: Sequence[Stmt], inner: tuple[Axis, ...]) -> None:
        for stmt in body:
            match stmt:
                case Let(name, value):
                    self._reads(value, (), inner)
                    self.lets[name] = value
                case Store(buffer, index, value, combine):
                    self._reads(value, (), inner)
                    self.accesses.append(_Access(buffer, index, (), inner, self.loop, True, bool(combine)))
                case For(axes, stmts):
                    ordered = any(isinstance(s, Store) and s.accumulate for s in stmts)
                    with self._inside(ordered):
                        self._block(stmts, self._enter(axes, inner))
                case Reduce(axes, stmts_, accumulators, after):
                    within = self._enter(axes, inner)
                    with self._inside(bool(after)):
                        self._block(stmts_, within)
                        for a in accumulators:
                            self._reads(a.value, (), within)
                        self._block(after, within)
                case Contract(_, axes, lets, lhs, rhs, _, _):
                    within = self._enter(axes, inner)
                    self._block(lets, within)
                    for factor in (lhs, rhs):
                        self._reads(factor, (), within)

    @contextmanager
    def _inside(self, ordered: bool) -> Iterator[None]:
        before, self.loop = self.loop, 0 if ordered else next(self.loops)
        yield
        self.loop = before

    def _reads(self, expr: Expr, conditions: tuple[tuple[Expr, bool], ...], inner: tuple[Axis, ...]) -> None:
        match expr:
            case Call("select", (condition, then, otherwise)):
                self._reads(condition, conditions, inner)
                self._reads(then, (*conditions, (condition, True)), inner)
                self._reads(otherwise, (*conditions, (condition, False)), inner)
            case Load(buffer, index, _, guard):
                if guard is not None:
                    self._reads(guard, conditions, inner)
                    conditions = (*conditions, (guard, True))
                self.accesses.append(_Access(buffer, index, conditions, inner, self.loop))
            case _:
                for part in operands(expr):
                    self._reads(part, conditions, inner)

    # Checking accesses.

    def check(self) -> None:
        """Raises for an access outside of a buffer, and for points that conflict."""
        for access in self.accesses:
            self._check_bounds(access)
        stored = self.owners
        for access in self.accesses:
            if not access.is_store and access.buffer in stored:
                points, elements, passes = self._elements(access)
                writers, (loops, writing) = stored[access.buffer][elements], self.passes[access.buffer]
                if np.any((writers >= 0) & (writers != points)):
                    _refuse(self.kernel, "reads at one point what another stores", access)
                if access.loop and np.any((loops[elements] == access.loop) & (writing[elements] != passes)):
                    _refuse(self.kernel, "reads in one pass of a loop what another stores", access)

    @cached_property
    def owners(self) -> dict[str, Array]:
        """See the function `owners`."""
        owners: dict[str, Array] = {}
        for access in self.accesses:
            if not access.is_store:
                continue
            points, elements, passes = self._elements(access)
            known = owners.setdefault(access.buffer, np.full(prod(self.shapes[access.buffer]), -1))
            if np.any((known[elements] >= 0) & (known[elements] != points)):
                _refuse(self.kernel, "stores to an element at two points", access)
            known[elements] = points
            times = np.bincount(elements, minlength=1)
            if np.any(known[elements] != points) or (times.max() > 1 and not access.accumulate):
                _refuse(self.kernel, "stores to an element at two points", access)
            loops, writing = self.passes.setdefault(access.buffer, (np.zeros_like(known), np.zeros_like(known)))
            loops[elements], writing[elements] = access.loop, passes
        return owners

    def _check_bounds(self, access: _Access) -> None:
        shape = self.shapes[access.buffer]
        if all(map(dims.known_in_range, access.index, self.kernel.param(access.buffer).shape)):
            return
        grid = _Grid(self, access, ())
        allowed = grid.allowed()
        for dim, extent in zip(access.index, shape, strict=True):
            place = grid.number(dim)
            if np.any(((place < 0) | (place >= extent)) & allowed):
                _refuse(self.kernel, f"accesses {access.buffer} of shape {shape} out of bounds", access)

    def _elements(self, access: _Access) -> tuple[Array, Array, Array]:
        """The point, the element and the iteration of inner loops of each instance of an access."""
        within = (*self.kernel.axes, *access.inner)
        grid = _Grid(self, access, within if not access.accumulate else self.kernel.axes)
        offset: Any = np.int64(0)
        for dim, extent in zip(access.index, self.shapes[access.buffer], strict=True):
            offset = offset * extent + grid.number(dim)
        point, passed = grid.counted(self.kernel.axes), grid.counted(access.inner)
        if access.is_store and grid.is_thinned:
            self.partial.add(access.buffer)
        every = (np.broadcast_to(a, grid.shape) for a in (point, offset, passed, grid.allowed()))
        point, offset, passed, allowed = every
        return point[allowed], offset[allowed], passed[allowed]

    # Bounds of integer scalars.

    def bounds(self, expr: Expr) -> Bounds:
        """The bounds of an integer scalar over all points."""
        match expr:
            case Const():
                return expr.number, expr.number
            case Index(dim):
                return self._dim_bounds(dim)
            case Var(name) if name in self.lets:
                if name not in self.between:
                    self.between[name] = self.bounds(self.lets[name])
                return self.between[name]
            case Cast(arg, dtype) if arg.dtype.is_integer or arg.dtype.is_bool:
                low, high = self.bounds(arg) if arg.dtype.is_integer else (0, 1)
                least, most = _range(dtype)
                return (low, high) if least <= low and high <= most else (least, most)
            case Call("min" | "max" as name, (a, b)):
                (low, high), (other_low, other_high) = self.bounds(a), self.bounds(b)
                pick = min if name == "min" else max
                return pick(low, other_low), pick(high, other_high)
            case Call("select", (_, a, b)):
                (low, high), (other_low, other_high) = self.bounds(a), self.bounds(b)
                return min(low, other_low), max(high, other_high)
            case Call("add", (a, b)):
                (low, high), (other_low, other_high) = self.bounds(a), self.bounds(b)
                least, most = _range(expr.dtype)
                fits = least <= low + other_low and high + other_high <= most
                return (low + other_low, high + other_high) if fits else (least, most)
        return _range(expr.dtype)

    def _dim_bounds(self, dim: Dim) -> Bounds:
        low, high = dims.lower_bound(dim), dims.upper_bound(dim)
        if low is None or high is None or dims.loop_names(low) or dims.loop_names(high):
            return -inf, inf
        return dims.evaluate(low, self.sizes), dims.evaluate(high, self.sizes)

    def expanded(self, expr: Expr) -> Expr:
        """A condition or integer scalar with the values of its names; other scalars stay names."""
        match expr:
            case Var(name, dtype) if name in self.lets and not dtype.is_float:
                return self.expanded(self.lets[name])
            case Cast(arg, dtype):
                return Cast(self.expanded(arg), dtype)
            case Call(name, args, dtype):
                return Call(name, tuple(map(self.expanded, args)), dtype)
        return expr


def _range(dtype: DType) -> Bounds:
    if not dtype.is_integer:
        return -inf, inf
    limits = np.iinfo(dtype.numpy)
    return int(limits.min), int(limits.max)


def _alike(some: Array, others: Array) -> bool:
    """Whether two assignments of owners to elements are equal up to the numbering of points."""
    if some.shape != others.shape:
        return False
    for a, b in ((some, others), (others, some)):
        partners = np.full(a.max(initial=-1) + 2, -1)
        partners[a] = b  # the last entry is that of elements without an owner
        if np.any(partners[a] != b):
            return False
    return True


class _Grid:
    """The points at which one access may happen, as an array for each name that it depends on.

    Args:
        points: The kernel.
        access: The access.
        axes: Axes that are enumerated whether or not the access depends on them.
    """

    def __init__(self, points: _Points, access: _Access, axes: Sequence[Axis]) -> None:
        self.points, self.access = points, access
        self.axes = {axis.name: axis for axis in (*points.kernel.axes, *access.inner)}
        names = dict.fromkeys(axis.name for axis in axes if axis.extent != 1)
        for dim in access.index:
            names |= dict.fromkeys(sorted(dims.loop_names(dim)))
        for condition, _ in access.conditions:
            names |= dict.fromkeys(sorted(self._axes_behind(condition)))
        self.ranges = {name: self._range(name) for name in names}
        # The expressions of indices computed at run time, which conditions may bound.
        self.computed = {points.expanded(points.lets[name]): name for name in names if name in points.lets}
        taken = self._thinned()
        self.is_thinned = any(taken[name].size <= high - low for name, (low, high) in self.ranges.items())
        self.shape = tuple(values.size for values in taken.values())
        self.values: dict[str, Array] = {}
        for position, (name, values) in enumerate(taken.items()):
            self.values[name] = values.reshape([-1 if i == position else 1 for i in range(len(taken))])

    def _axes_behind(self, expr: Expr) -> set[str]:
        names: set[str] = set()
        waiting = [self.points.expanded(expr)]
        while waiting:
            part = waiting.pop()
            waiting += operands(part)
            if isinstance(part, Index):
                names |= {name for name in dims.loop_names(part.dim) if name in self.axes}
        return names

    def _range(self, name: str) -> tuple[int, int]:
        axis = self.axes.get(name)
        if axis is not None:
            return 0, dims.evaluate(axis.extent, self.points.sizes) - 1
        if name not in self.points.lets:
            _refuse(self.points.kernel, f"has a place that comes from {name}, which is not known", self.access)
        low, high = self.points.bounds(self.points.lets[name])
        value = self.points.expanded(self.points.lets[name])
        for condition, holds in self.access.conditions if max(-low, high) > MOST_POINTS else ():
            low, high = self._narrowed(self.points.expanded(condition), value, low, high) if holds else (low, high)
        if max(-low, high) > 2**62:
            _refuse(self.points.kernel, f"has a place that comes from {name}, which may be any number", self.access)
        return int(low), int(high)

    def _narrowed(self, condition: Expr, value: Expr, low: float, high: float) -> Bounds:
        """The bounds of a value where a condition holds."""
        match condition:
            case Call("and", (a, b)):
                return self._narrowed(b, value, *self._narrowed(a, value, low, high))
            case Call("ge" | "gt" as name, (a, b)) if a == value:
                return max(low, self.points.bounds(b)[0] + (name == "gt")), high
            case Call("le" | "lt" as name, (a, b)) if a == value:
                return low, min(high, self.points.bounds(b)[1] - (name == "lt"))
        return low, high

    def _thinned(self) -> dict[str, Array]:
        """Values of each name: all, or a sample of the longest where there are too many points."""
        counts = {name: high - low + 1 for name, (low, high) in self.ranges.items()}
        while prod(counts.values()) > MOST_POINTS:
            longest = max(counts, key=lambda name: counts[name])
            counts[longest] = max(2, min(counts[longest] // 2, MOST_POINTS))
        return {
            name: np.unique(np.linspace(low, high, counts[name]).round().astype(np.int64))
            if counts[name] <= high - low
            else np.arange(low, high + 1)
            for name, (low, high) in self.ranges.items()
        }

    # ---- numbers

    def number(self, dim: Dim) -> Any:
        """An integer expression at all points."""
        if isinstance(dim, int):
            return np.int64(dim)
        total: Any = np.int64(0)
        for monomial, coefficient in dim.terms:
            term: Any = np.int64(coefficient)
            for atom in monomial:
                term = term * self._atom(atom)
            total = total + term
        return total

    def counted(self, axes: Sequence[Axis]) -> Any:
        """The row-major number of the point of some axes, at all points."""
        total: Any = np.int64(0)
        for axis in axes:
            total = total * dims.evaluate(axis.extent, self.points.sizes) + self.number(axis.index)
        return total

    def _atom(self, atom: dims.Atom) -> Any:
        if atom.kind == "size":
            return self.points.sizes[atom.name]
        if atom.kind in ("axis", "value"):
            return self.values.get(atom.name, np.int64(0))
        over, under = (self.number(part) for part in atom.args)
        return over // under if atom.kind == "div" else over % under

    def allowed(self) -> Any:
        """A mask of the points at which no condition is known to be false."""
        allowed: Any = np.True_
        for condition, holds in self.access.conditions:
            allowed = allowed & self._may(self.points.expanded(condition), holds)
        return allowed

    def _may(self, condition: Expr, holds: bool) -> Any:
        match condition:
            case Const(value):
                return np.bool_(value == holds)
            case Call("and" | "or" as name, (a, b)):
                one, other = self._may(a, holds), self._may(b, holds)
                return one & other if (name == "and") == holds else one | other
            case Call("not", (a,)):
                return self._may(a, not holds)
            case Call("lt" | "le" | "gt" | "ge" | "eq" | "ne" as name, (a, b)):
                left, right = self._integer(a), self._integer(b)
                if left is not None and right is not None:
                    compare = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal}
                    return (compare | {"eq": np.equal, "ne": np.not_equal})[name](left, right) == holds
        return np.True_

    def _integer(self, expr: Expr) -> Any:
        """An integer scalar at all points; None where it is not known."""
        if expr in self.computed:
            return self.values[self.computed[expr]]
        match expr:
            case Const(_, dtype) if dtype.is_integer:
                return np.int64(expr.number)
            case Index(dim) if dims.loop_names(dim) <= {*self.values, *self._single()}:
                return self.number(dim)
            case Cast(arg, dtype) if dtype.is_integer and arg.dtype.is_integer:
                return self._integer(arg)
        return None

    def _single(self) -> set[str]:
        return {name for name, axis in self.axes.items() if axis.extent == 1}
