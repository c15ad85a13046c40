"""The loop IR run with NumPy, all points of a kernel at once: what schedules and renderers are compared with.

What the IR lets a renderer assume is checked on the way, and breaking it fails the test:

- every access lies inside its buffer, in each axis;
- an element is read only once something has written it;
- points run in any order: no two write one element, none reads what another writes, none reads what it has replaced.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any
from unittest.mock import patch

import numpy as np
from ml_dtypes import finfo

from graphc import dims
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu import sample_loops
from graphc.codegen.cpu.sample_loops import fuse_loops
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, For, Kernel, Let, Reduce, Stmt, Store
from graphc.codegen.ir.walk import groups, statements
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.pipeline import SCHEDULE
from graphc.codegen.target import Target
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var
from graphc.graph.core import Graph
from graphc.graph.registry import primitive
from graphc.graph.types import resolve
from graphc.intrinsics import intrinsic
from graphc.passes.fusion.fuse import fuse
from graphc.plan import Branch, Copy, Launch, LibraryCall, Loop, Plan, Step, While
from tests.support.rules import merged

Array = np.ndarray[Any, Any]


class IllegalKernel(AssertionError):
    """A kernel does what the loop IR does not allow."""


@dataclass
class Cells:
    """A buffer: its elements, and which of them have been written."""

    array: Array
    defined: Array

    @classmethod
    def holding(cls, array: Array) -> Cells:
        """A buffer whose elements are all there."""
        flat = np.ascontiguousarray(array).reshape(-1)
        return cls(flat, np.ones(flat.shape, np.bool_))

    @classmethod
    def empty(cls, elements: int, dtype: DType) -> Cells:
        """A buffer that nothing has been written to."""
        return cls(np.full(elements, poison(dtype), dtype.numpy), np.zeros(elements, np.bool_))

    def part(self, elements: int) -> Cells:
        """The first elements of the buffer: the same memory."""
        return Cells(self.array[:elements], self.defined[:elements])

    def copy(self) -> Cells:
        """Another buffer with the same contents."""
        return Cells(self.array.copy(), self.defined.copy())


def poison(dtype: DType) -> Any:
    """What a value is where nobody may look at it."""
    return math.nan if dtype.is_inexact else True if dtype.is_bool else 113


def run_kernel(kernel: Kernel, buffers: Mapping[str, Cells], sizes: Mapping[str, int]) -> None:
    """Runs a kernel, scheduled or not.

    Args:
        kernel: What to run.
        buffers: What each parameter stands for.
        sizes: A value for each symbolic size and each counter of the loops around.

    Raises:
        IllegalKernel: if the kernel does what it may not.
    """
    _Run(kernel, buffers, sizes).run()


@dataclass
class _Traffic:
    """Who wrote each element of a buffer, and who read which elements, within one kernel."""

    writer: Array  # the point of the kernel's axes; -1 for nobody
    inner: Array  # the point of the loop inside that point
    loop: Array  # which loop that is
    reads: list[tuple[Array, Array, Array, int]] = field(default_factory=list)


class _Run:
    def __init__(self, kernel: Kernel, buffers: Mapping[str, Cells], sizes: Mapping[str, int]) -> None:
        self.kernel = kernel
        self.buffers = buffers
        self.sizes = sizes
        self.env: dict[str, Any] = {}
        self.mask: Any = np.True_
        self.inner: tuple[Axis, ...] = ()  # axes of the loop inside a point, all their points at once
        self.loop = 0
        self.loops = count(1)
        depth = max((len(getattr(s, "axes", ())) for s in statements(kernel.body)), default=0)
        self.rank = len(kernel.axes) + depth
        written = [param.name for param in kernel.params if param.written]
        self.traffic = {name: self._untouched(buffers[name].array.size) for name in written}

    def _untouched(self, size: int) -> _Traffic:
        return _Traffic(np.full(size, -1), np.zeros(size, np.int64), np.zeros(size, np.int64))

    def fail(self, problem: str) -> None:
        raise IllegalKernel(f"{self.kernel.name} ({self.kernel.comment}) {problem}")

    def run(self) -> None:
        for param in self.kernel.params:
            elements = dims.evaluate(dims.product(param.shape), self.sizes)
            if self.buffers[param.name].array.size != elements:
                self.fail(f"gets a buffer of the wrong size for {param}")
            if self.buffers[param.name].array.dtype != param.dtype.numpy:
                self.fail(f"gets a buffer of the wrong dtype for {param}")
        for position, axis in enumerate(self.kernel.axes):
            self._bind(axis, position)
        self._block(self.kernel.body)
        for name, traffic in self.traffic.items():
            self._check_races(name, traffic)

    def _check_races(self, buffer: str, traffic: _Traffic) -> None:
        for elements, points, inner, loop in traffic.reads:
            writer = traffic.writer[elements]
            if np.any((writer >= 0) & (writer != points)):
                self.fail(f"reads an element of {buffer} at one point and replaces it at another")
            same_loop = (writer >= 0) & (traffic.loop[elements] == loop)
            if np.any(same_loop & (traffic.inner[elements] != inner)):
                self.fail(f"reads an element of {buffer} in one pass of a loop and replaces it in another")

    # ---- statements

    def _bind(self, axis: Axis, position: int) -> None:
        along = [1] * self.rank
        along[position] = self._extent(axis)
        self.env[axis.name] = np.arange(along[position]).reshape(along)

    def _extent(self, axis: Axis) -> int:
        return dims.evaluate(axis.extent, self.sizes)

    @contextmanager
    def _inside(self, axes: tuple[Axis, ...]) -> Iterator[None]:
        """All points of a loop at once."""
        for i, axis in enumerate(axes):
            self._bind(axis, len(self.kernel.axes) + i)
        self.inner, self.loop = axes, next(self.loops)
        yield
        self.inner, self.loop = (), 0

    def _one_by_one(self, axes: tuple[Axis, ...]) -> Iterator[None]:
        """The points of a loop, in order."""
        for point in product(*(range(self._extent(axis)) for axis in axes)):
            self.env |= {axis.name: np.int64(place) for axis, place in zip(axes, point, strict=True)}
            yield

    def _block(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            match stmt:
                case Let(name, value):
                    self.env[name] = self.scalar(value)
                case Store():
                    self._store(stmt)
                case For(axes, inner):
                    self._for(axes, inner)
                case Reduce() if stmt.after:
                    self._running(stmt)
                case Reduce():
                    self._reduce(stmt)
                case Contract():
                    self._contract(stmt)

    def _for(self, axes: tuple[Axis, ...], body: tuple[Stmt, ...]) -> None:
        if any(isinstance(stmt, Store) and stmt.accumulate for stmt in body):
            for _ in self._one_by_one(axes):
                self._block(body)
            return
        with self._inside(axes):
            self._block(body)

    def _shape(self) -> tuple[int, ...]:
        """The shape of a value that differs at every point there is at present."""
        extents = [self._extent(axis) for axis in (*self.kernel.axes, *self.inner)]
        return tuple(extents + [1] * (self.rank - len(extents)))

    def _rows(self, value: Any) -> Array:
        """A value with the points of the inner loop as its last axis."""
        shape = self._shape()
        outer = shape[: len(self.kernel.axes)]
        return np.broadcast_to(value, shape).reshape((*outer, math.prod(shape[len(outer) :])))

    def _kept(self, value: Array) -> Array:
        """A value for each point, laid out as all values are."""
        return value.reshape(value.shape + (1,) * (self.rank - value.ndim))

    def _reduce(self, stmt: Reduce) -> None:
        with self._inside(stmt.axes):
            self._block(stmt.body)
            results = [result for group in groups(stmt.accumulators) for result in self._combined(group)]
        self.env |= {a.name: result for a, result in zip(stmt.accumulators, results, strict=True)}

    def _combined(self, group: tuple[Accumulator, ...]) -> list[Array]:
        a = group[0]
        rows = [self._rows(self.scalar(each.value)) for each in group]
        if a.position is not None:
            found = combiner(a.combine).reduce(rows[0], axis=-1)
            places = np.take_along_axis(self._rows(self.scalar(a.position)), found[..., None], -1)[..., 0]
            return [self._kept(places.astype(a.dtype.numpy))]
        for each in group:
            if each.value.dtype is not each.dtype:
                self.fail(f"combines {each.value.dtype} in {each.dtype}")
        if combiner(a.combine).reduce is None:
            return [self._kept(total) for total in merged(combiner(a.combine), rows, [each.dtype for each in group])]
        return [self._kept(self._total(a, rows[0]))]

    def _total(self, a: Accumulator, rows: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(combiner(a.combine).reduce.reduce(rows, axis=-1, dtype=a.dtype.numpy))

    def _running(self, stmt: Reduce) -> None:
        totals: dict[str, Any] = {}
        for _ in self._one_by_one(stmt.axes):
            self._block(stmt.body)
            for a in stmt.accumulators:
                value = self.scalar(a.value)
                with np.errstate(all="ignore"):
                    known = a.name in totals
                    totals[a.name] = combiner(a.combine).reduce(totals[a.name], value) if known else value
            self.env |= totals
            self._block(stmt.after)

    def _contract(self, stmt: Contract) -> None:
        with self._inside(stmt.axes), np.errstate(all="ignore"):
            self._block(stmt.body)
            if stmt.lhs.dtype is not stmt.dtype or stmt.rhs.dtype is not stmt.dtype:
                self.fail(f"multiplies {stmt.lhs.dtype} by {stmt.rhs.dtype} in {stmt.dtype}")
            rows = self._rows(self.scalar(stmt.lhs) * self.scalar(stmt.rhs))
            total = self._kept(rows.sum(-1, dtype=stmt.dtype.numpy))
        self.env[stmt.name] = total

    # ---- memory

    def _points(self) -> tuple[Array, Array]:
        """Of every point there is at present: its number among the kernel's points, and among the inner loop's."""
        shape = self._shape()
        outer = math.prod(shape[: len(self.kernel.axes)])
        numbers = np.arange(math.prod(shape)).reshape(shape)
        inner = numbers.size // max(outer, 1)
        return numbers // max(inner, 1), numbers % max(inner, 1)

    def _place(self, buffer: str, index: tuple[Dim, ...], mask: Any) -> Array:
        """The offset of an element; where the mask holds it is in bounds."""
        shape = [dims.evaluate(dim, self.sizes) for dim in self.kernel.param(buffer).shape]
        offset: Any = np.int64(0)
        for dim, extent in zip(index, shape, strict=True):
            place = np.asarray(self.number(dim))
            if np.any(((place < 0) | (place >= extent)) & mask):
                self.fail(f"accesses {buffer}[{', '.join(map(str, index))}] of shape {shape} out of bounds")
            offset = offset * extent + place
        return np.asarray(offset)

    def _load(self, load: Load) -> Array:
        mask = self.mask if load.guard is None else self.mask & self.scalar(load.guard)
        cells = self.buffers[load.buffer]
        mask = np.broadcast_to(mask, self._shape())
        place = np.broadcast_to(self._place(load.buffer, load.index, mask), self._shape())
        if not np.all(cells.defined[place[mask]]):
            self.fail(f"reads {load.buffer}[{', '.join(map(str, load.index))}] before anything wrote it")
        traffic = self.traffic.get(load.buffer)
        if traffic is not None:
            if np.any(traffic.writer[place[mask]] >= 0):
                self.fail(f"reads an element of {load.buffer} that it has replaced")
            points, inner = self._points()
            traffic.reads.append((place[mask], points[mask], inner[mask], self.loop))
        result = np.zeros(self._shape(), load.dtype.numpy)  # what a guard or a selection leaves out is 0
        result[mask] = cells.array[place[mask]]
        return result

    def _store(self, stmt: Store) -> None:
        cells, traffic = self.buffers[stmt.buffer], self.traffic[stmt.buffer]
        place = np.broadcast_to(self._place(stmt.buffer, stmt.index, np.True_), self._shape()).reshape(-1)
        value = np.broadcast_to(self.scalar(stmt.value), self._shape()).reshape(-1)
        points, inner = (numbers.reshape(-1) for numbers in self._points())
        before = traffic.writer[place]
        if len(np.unique(place)) != len(place) or np.any((before >= 0) & (before != points)):
            self.fail(f"writes an element of {stmt.buffer} at two points")
        traffic.writer[place], traffic.inner[place], traffic.loop[place] = points, inner, self.loop
        if stmt.combine:
            with np.errstate(all="ignore"):
                value = combiner(stmt.combine).reduce(cells.array[place], value).astype(cells.array.dtype)
        cells.array[place] = value
        cells.defined[place] = True

    # ---- numbers

    def number(self, dim: Dim) -> Any:
        """An integer expression."""
        if isinstance(dim, int):
            return np.int64(dim)
        return sum((self._term(*term) for term in dim.terms), np.int64(0))

    def _term(self, monomial: dims.Monomial, coefficient: int) -> Any:
        total: Any = np.int64(coefficient)
        for atom in monomial:
            if atom.kind == "size":
                total = total * self.sizes[atom.name]
            elif atom.kind in ("axis", "value"):
                total = total * np.asarray(self.env[atom.name]).astype(np.int64)
            else:
                over, under = (self.number(part) for part in atom.args)
                total = total * (over // under if atom.kind == "div" else over % under)
        return total

    def scalar(self, expr: Expr) -> Any:
        """A scalar at all points."""
        match expr:
            case Const(value, dtype):
                return dtype.numpy.type(value)
            case Var(name, _):
                return self.env[name]
            case Index(dim, dtype):
                return np.asarray(self.number(dim)).astype(dtype.numpy)
            case Load():
                return self._load(expr)
            case Cast(arg, dtype):
                with np.errstate(all="ignore"):
                    return np.asarray(self.scalar(arg)).astype(dtype.numpy)
            case Call("select", (condition, then, otherwise), _):
                return self._select(self.scalar(condition), then, otherwise)
            case Call(name, args, _):
                return intrinsic(name)(*(self.scalar(arg) for arg in args))

    def _select(self, condition: Any, then: Expr, otherwise: Expr) -> Any:
        """Only the operand that is chosen is evaluated: what the other would read need not be there."""
        before = self.mask
        self.mask = before & condition
        chosen = self.scalar(then)
        self.mask = before & ~condition
        other = self.scalar(otherwise)
        self.mask = before
        return np.where(condition, chosen, other)


# ---- whole programs


@dataclass(frozen=True)
class LoopProgram:
    """A graph as a plan of kernels.

    Args:
        graph: The graph after the passes.
        plan: What runs.
        lowered: The kernels as they were lowered.
        scheduled: The kernels as renderers get them.
    """

    graph: Graph
    plan: Plan
    lowered: Mapping[str, Kernel]
    scheduled: Mapping[str, Kernel]

    def run(
        self, inputs: Mapping[str, Array], sizes: Mapping[str, int], states: Mapping[str, Array] | None = None
    ) -> list[Array]:
        """The outputs; states are updated in place. Kernels run as lowered and as scheduled, and must agree.

        Raises:
            AssertionError: if they do not, or if a kernel is illegal.
        """
        memory: list[Cells] = []
        for buffer in self.plan.buffers:
            given = {"input": inputs, "state": states or {}}.get(buffer.role)
            if buffer.value is not None:
                memory.append(Cells.holding(buffer.value.numpy()))
            elif given is not None:
                memory.append(Cells.holding(given[buffer.name]).copy())
            else:
                memory.append(Cells.empty(dims.evaluate(buffer.elements, sizes), buffer.dtype))
        self._run(self.plan.steps, memory, sizes)
        for buffer in self.plan.buffers:
            if buffer.role == "state":
                assert states is not None
                states[buffer.name][...] = memory[buffer.id].array.reshape(states[buffer.name].shape)
        shapes = [resolve(self.graph.type(ref).shape, sizes) for ref in self.graph.outputs]
        for id in self.plan.outputs:
            assert np.all(memory[id].defined), f"output b{id} is not written everywhere"
        return [memory[id].array.reshape(shape) for id, shape in zip(self.plan.outputs, shapes, strict=True)]

    def _run(self, steps: tuple[Step, ...], memory: list[Cells], sizes: Mapping[str, int]) -> None:
        for step in steps:
            match step:
                case Launch():
                    self._launch(step, memory, sizes)
                case Copy():
                    _copy(step, memory, sizes)
                case Loop(symbol, extent, inner, slots):
                    turns = range(1, dims.evaluate(extent, sizes) + 1)
                    # Passes that do not need each other may come in any order, and find nothing where each has its own.
                    for turn in reversed(turns) if slots else turns:
                        for id in step.private:
                            memory[id].defined[:] = False
                        self._run(inner, memory, {**sizes, symbol: turn})
                case While(holds, test, inner):
                    self._run(test, memory, sizes)
                    while _scalar(memory[holds]):
                        self._run(inner, memory, sizes)
                        self._run(test, memory, sizes)
                case Branch(index, branches, offset):
                    chosen = int(_scalar(memory[index], dims.evaluate(offset, sizes)))
                    self._run(branches[min(max(chosen, 0), len(branches) - 1)], memory, sizes)
                case LibraryCall():
                    _call(step, memory, sizes)

    def _launch(self, step: Launch, memory: list[Cells], sizes: Mapping[str, int]) -> None:
        known = {name: sizes[name] for name in step.symbols}
        memory = self._as_seen_by(step, memory, known)
        before = {id: memory[id].copy() for id in step.buffers}
        for id in step.buffers:
            assert id in (*step.reads, *step.writes), f"{step} hides what it does with b{id}"
        _launch(self.lowered[step.kernel], step, before, known)
        _launch(self.scheduled[step.kernel], step, dict(enumerate(memory)), known)
        for id in step.buffers:
            _assert_same(before[id], memory[id], f"scheduling {step.kernel} changes b{id}")

    def _as_seen_by(self, step: Launch, memory: list[Cells], sizes: Mapping[str, int]) -> list[Cells]:
        """The buffers, of those of which each lane has its own part that of one lane."""
        private = {id for loop in self.plan.steps if isinstance(loop, Loop) for id in loop.private}
        seen = memory.copy()
        for param, id in zip(self.lowered[step.kernel].params, step.buffers, strict=True):
            if id in private:
                seen[id] = memory[id].part(dims.evaluate(dims.product(param.shape), sizes))
        return seen


def _launch(kernel: Kernel, step: Launch, memory: Mapping[int, Cells], sizes: Mapping[str, int]) -> None:
    buffers = {param.name: memory[id] for param, id in zip(kernel.params, step.buffers, strict=True)}
    run_kernel(kernel, buffers, sizes)
    for param, id in zip(kernel.params, step.buffers, strict=True):
        assert (id in step.writes) == param.written, f"{step} says otherwise of b{id} than {param}"


def _copy(step: Copy, memory: list[Cells], sizes: Mapping[str, int]) -> None:
    source, target = memory[step.source], memory[step.target]
    dims_of_copy = (step.elements, step.source_offset, step.target_offset)
    amount, first, to = (dims.evaluate(dim, sizes) for dim in dims_of_copy)
    assert 0 <= first <= source.array.size - amount, f"{step} reads out of bounds"
    assert 0 <= to <= target.array.size - amount, f"{step} writes out of bounds"
    assert np.all(source.defined[first : first + amount]), f"{step} copies what nothing wrote"
    target.array[to : to + amount] = source.array[first : first + amount]
    target.defined[to : to + amount] = True


def _call(step: LibraryCall, memory: list[Cells], sizes: Mapping[str, int]) -> None:
    """A library's function, by its reference."""
    touched, parts = (*step.operands, *step.results), []
    for id, shape, offset in zip(touched, step.shapes, step.offsets, strict=True):
        extents, start = resolve(shape, sizes), dims.evaluate(offset, sizes)
        parts.append((memory[id], slice(start, start + math.prod(extents)), extents))
        assert 0 <= start <= memory[id].array.size - math.prod(extents), f"{step} is out of bounds"
    operands = []
    for cells, part, extents in parts[: len(step.operands)]:
        assert np.all(cells.defined[part]), f"{step} reads what nothing wrote"
        operands.append(cells.array[part].reshape(extents))
    made = primitive(step.operation).eval(*operands, **{name: resolve(a, sizes) for name, a in step.attrs.items()})
    results = made if isinstance(made, tuple) else (made,)
    for (cells, part, extents), result in zip(parts[len(step.operands) :], results, strict=True):
        assert result.shape == extents, f"{step} makes something of another shape"
        cells.array[part], cells.defined[part] = result.reshape(-1), True


def _scalar(cells: Cells, offset: int = 0) -> Any:
    assert cells.defined[offset], "a decision is made on what nothing wrote"
    return cells.array[offset]


def _assert_same(got: Cells, expected: Cells, message: str) -> None:
    """Schedules may form sums in another order, nothing else."""
    np.testing.assert_array_equal(got.defined, expected.defined, err_msg=message)
    a, b = got.array[got.defined], expected.array[expected.defined]
    if not np.issubdtype(a.dtype, np.integer) and a.dtype != np.bool_:
        precise = a.dtype in (np.float64, np.complex128)
        bound = max(1e-12 if precise else 1e-5, float(finfo(a.dtype).eps) if a.dtype.itemsize == 2 else 0)
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        np.testing.assert_allclose(a.astype(wide), b.astype(wide), bound, bound, err_msg=message)
    else:
        np.testing.assert_array_equal(a, b, err_msg=message)


def always_fused_loops() -> AbstractContextManager[Any]:
    """Within, loops are fused and values rematerialized however little that saves, and loops nested where possible."""
    return patch.multiple(sample_loops, LEAST_BYTES=1, LEAST_WORK=0, CACHE_BYTES=0, LARGE_BYTES=1)


def schedule(kernel: Kernel) -> Kernel:
    """A kernel as renderers get it, checked."""
    assembly, target = Assembly(Plan((), (), (), {}), {kernel.name: kernel}), Target("cuda")
    for step in SCHEDULE:
        assembly = step.run(assembly, target, fuse)
    check(assembly.kernels[kernel.name])
    return assembly.kernels[kernel.name]


def build_loops(
    graph: Graph, skip: Set[str] = frozenset(), fused: bool = True, loops: bool = False, slots: int = 2
) -> LoopProgram:
    """Lowers a graph as the compiler does.

    Args:
        graph: What to lower.
        skip: Passes that are left out.
        fused: Whether operations share kernels.
        loops: Whether kernels share loops.
        slots: How many threads may take passes of such loops.
    """
    compilation = Compilation(graph, Target("cuda", fused), skip=skip, verified=True)
    assembly = compilation.stage("lower")
    if loops:
        assembly = fuse_loops(assembly, slots)
    scheduled = {name: schedule(kernel) for name, kernel in assembly.kernels.items()}
    return LoopProgram(compilation.graph, assembly.plan, assembly.kernels, scheduled)


def run_loops(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> list[Array]:
    """The outputs of a graph without states from its kernels, interpreted."""
    return build_loops(graph).run(inputs, sizes)
