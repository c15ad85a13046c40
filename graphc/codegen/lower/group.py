"""Lowering: a group of graph operations becomes one kernel of the loop IR.

Lowering is demand-driven: to store an element, its operation's rule reads the operands' elements, which are loaded from
memory, or computed likewise where they belong to the group or are views. Reductions come in phases, each one loop: all
reductions of a phase depend only on results of earlier phases.

Half precision: every value of the graph is rounded to its dtype, whether it then lies in memory or in a register, so
that results do not depend on fusion. Within one operation (its lowering's steps, its sums) scalars are float32. Scalars
between operations are therefore float32 that a half can hold: cast to the half and back, unless `_Lowering._is_exact`
finds that this would change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Accumulator, Axis, Contract, For, Kernel, Let, Param, Reduce, Stmt, Store
from graphc.codegen.ir.walk import expressions, names_in
from graphc.combiners import SUM, combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import TRUE, Call, Cast, Const, Expr, Index, Load, Var, both, call, cast, const
from graphc.graph.registry import ContractRule, Kind, ReduceRule, ScanRule, ScatterRule, primitive
from graphc.graph.types import Node, Ref, TensorType, union
from graphc.intrinsics import intrinsic
from graphc.passes.analysis.access import Domain, Point, kind_of
from graphc.passes.fusion.fuse import ANCHORS, Group, Partition
from graphc.primitives.views import ravel


def lower(partition: Partition, position: int, name: str) -> Kernel:
    """The kernel of a group.

    Args:
        partition: The partition with the group.
        position: The position of the group in it.
        name: The kernel's name.

    Returns:
        A checked kernel; its parameters name the values they hold.
    """
    group = partition.groups[position]
    lowering = _Lowering(partition, group)
    axes, body = lowering.run(list(partition.stored.get(position, ())))
    kernel = Kernel(
        name,
        tuple(lowering.params.values()),
        axes,
        tuple(body),
        union(*(node.loc for node in group.nodes)),
        " ".join(node.op for node in group.nodes),
    )
    check(kernel)
    return kernel


def wide(dtype: DType) -> DType:
    """The dtype in which elements are computed."""
    return dtype.accumulator


def is_half(dtype: DType) -> bool:
    """Whether elements are computed in a wider dtype than they have."""
    return wide(dtype) is not dtype


def _held(value: float, dtype: DType) -> float:
    """A number rounded to a float dtype."""
    with np.errstate(all="ignore"):
        return float(dtype.numpy.type(value))


# The most names that are followed to find whether a value is exact: as many as one operation's lowering binds.
MOST_STEPS = 4


@dataclass(slots=True)
class _NodeReader:
    """Reads the operands of one operation in its lowering rule."""

    lowering: _Lowering
    node: Node
    places: dict[int, Point] = field(default_factory=dict)  # the index at which each operand was read last

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(self.lowering.graph.type(ref) for ref in self.node.inputs)

    @property
    def out(self) -> TensorType:
        return self.node.outs[0]

    def read(self, operand: int, index: Point) -> Expr:
        self.places[operand] = index
        return self.lowering.element(self.node.inputs[operand], index)

    def as_index(self, expr: Expr) -> Dim:
        return self.lowering.as_index(expr)

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        before = self.lowering.guard
        self.lowering.guard = self.lowering.bind(both(before, self.lowering.bind(condition)))
        yield
        self.lowering.guard = before


class _Block:
    """Statements under construction, and the scalars that they bind.

    A closed block holds all scalars that are bound in it, also those that do not depend on its axes.
    """

    def __init__(self, axes: tuple[Axis, ...], closed: bool = False) -> None:
        self.axes = axes
        self.closed = closed
        self.stmts: list[Stmt] = []
        self.names = {axis.name for axis in axes}
        self.memo: dict[tuple[Ref, Point, Expr], Expr] = {}


class _Lowering:
    def __init__(self, partition: Partition, group: Group) -> None:
        self.graph, self.inlined, self.triangles = partition.graph, partition.inlined, partition.triangles
        self.group = group
        self.members = {node.id for node in group.nodes}
        self.domain: Domain = group.domain
        self.params: dict[Ref, Param] = {}
        self.results: dict[Ref, Expr] = {}
        self.halves: set[tuple[str, DType]] = set()  # wide scalars whose value a half dtype can hold
        self.bound: dict[str, Expr] = {}  # the value of each scalar
        self.unrounded: dict[str, Expr] = {}  # the values of some of them before rounding
        self.guard: Expr = TRUE
        self.count = 0
        self.outer = _Block(self._axes("p", self.domain.points))
        self.block = self.outer

    def run(self, stored: list[Ref]) -> tuple[tuple[Axis, ...], list[Stmt]]:
        """The axes and the body of the kernel that stores some values of the group."""
        anchors = [node for node in self.group.nodes if self._is_anchor(node)]
        kind = self.group.kind
        if kind is Kind.SCAN:
            self._scan(self.group.nodes[0])
        elif kind is Kind.SCATTER:
            self._scatter(self.group.nodes[0])
        elif kind is Kind.CONTRACT:
            self._contract(anchors[0])
            self._store(stored)
        else:
            left = stored
            for phase in self._phases(anchors):
                left = self._reduce(phase, left)
            self._store(left)
        # Values that are only stored are rounded by the store.
        return self.outer.axes, without_unread(self.outer.stmts) if self.unrounded else self.outer.stmts

    def _is_anchor(self, node: Node) -> bool:
        """Whether a node has axes of its own."""
        return kind_of(self.graph, node) in ANCHORS

    # ---- elements

    def element(self, ref: Ref, index: Point) -> Expr:
        """The element of a value at an index, in the dtype in which it is computed."""
        if ref in self.results:
            if index != self.domain.point:
                raise VerificationError("a reduction is read at other points than it is formed for", got=str(index))
            return self.results[ref]
        key = (ref, index, self.guard)
        for block in (self.block, self.outer):
            if key in block.memo:
                return block.memo[key]
        node = self.graph.node(ref.node)
        if node.id in self.members or node.id in self.inlined:
            expr = self._computed(node, index)
        else:
            expr = self._loaded(ref, index)
        bound = self._rounded(self.bind(expr), self.graph.type(ref).dtype)
        self._home(bound).memo[key] = bound
        return bound

    def _rounded(self, expr: Expr, dtype: DType) -> Expr:
        """A value of the graph, in the wide dtype of computations, rounded to its dtype in the graph.

        Args:
            expr: The computed value: a name, or an expression that needs none.
            dtype: The dtype in the graph.
        """
        if not is_half(dtype):
            return expr
        if isinstance(expr, Const):
            return const(_held(expr.number, dtype), wide(dtype))
        if self._is_exact(expr, dtype):
            rounded = expr
        else:
            rounded = self._named(Cast(Cast(expr, dtype), wide(dtype)))
            self.unrounded[rounded.name] = expr
        if isinstance(rounded, Var):
            self.halves.add((rounded.name, dtype))
        return rounded

    def _is_exact(self, expr: Expr, dtype: DType, depth: int = MOST_STEPS) -> bool:
        """Whether rounding a wide scalar to a half is known, from a few of its steps, to change nothing."""
        match expr:
            case Const():
                return expr.dtype is wide(dtype) and _held(expr.number, dtype) == expr.number
            case Var(name) if (name, dtype) in self.halves:
                return True
            case Var(name) if name in self.bound and depth > 0:
                return self._is_exact(self.bound[name], dtype, depth - 1)
            case Cast(arg):
                return arg.dtype is dtype and expr.dtype is wide(dtype)
            case Call(name, args) if intrinsic(name).exact:
                return all(self._is_exact(arg, dtype, depth) for arg in args[name == "select" :])
        return False

    def _narrowed(self, expr: Expr, dtype: DType) -> Expr:
        """An element in the dtype of memory: rounded once."""
        if isinstance(expr, Var) and (expr.name, dtype) in self.halves:
            expr = self.unrounded.get(expr.name, expr)
        return cast(expr, dtype)

    def _computed(self, node: Node, index: Point) -> Expr:
        rule = primitive(node.op)
        assert rule.lower is not None
        out = wide(node.outs[0].dtype)
        if rule.kind is Kind.POINTWISE:
            args = [self.element(ref, index) for ref in node.inputs]
            if node.op == "cast" and is_half(node.outs[0].dtype):
                # It is rounded once, whatever its dtype; of complex numbers the real part.
                return call("real", args[0]) if args[0].dtype.is_complex else args[0]
            result: Expr = rule.lower(*args, out=out, **node.attrs)
            return result
        if rule.kind is Kind.REDUCE:
            alone: ReduceRule = self._rule(node)
            combined = combiner(alone.combine)
            if combined.positional:
                return const(0, out)
            element = alone.element(_NodeReader(self, node), index, ())
            return cast(combined.finish(combined.lift(element)), out)
        result = rule.lower(_NodeReader(self, node), index, **node.attrs)
        return cast(result, out) if not isinstance(result, Const) else const(result.value, out)

    def _loaded(self, ref: Ref, index: Point) -> Expr:
        type = self.graph.type(ref)
        param = self._param(ref)
        guard = None if self.guard == TRUE else self.guard
        return cast(self.bind(Load(param.name, index, type.dtype, guard)), wide(type.dtype))

    def _param(self, ref: Ref, written: bool = False) -> Param:
        known = self.params.get(ref)
        if known is None:
            type = self.graph.type(ref)
            known = Param(f"b{len(self.params)}", ref, type.dtype, type.shape, written, not written)
            self.params[ref] = known
        return known

    def as_index(self, expr: Expr) -> Dim:
        """A scalar as part of an index."""
        if isinstance(expr, Index):
            return expr.dim
        if isinstance(expr, Const):
            return int(expr.number)
        bound = self._named(expr)
        return dims.value(bound.name)

    def bind(self, expr: Expr) -> Expr:
        """A name for an expression, where it needs one."""
        if isinstance(expr, (Const, Var)) or (isinstance(expr, Index) and expr.dtype is not dtypes.float32):
            return expr
        return self._named(expr)

    def _named(self, expr: Expr) -> Var:
        if isinstance(expr, Var):
            return expr
        home = self._home(expr)
        self.count += 1
        name = f"v{self.count}"
        home.stmts.append(Let(name, expr))
        home.names.add(name)
        self.bound[name] = expr
        return Var(name, expr.dtype)

    def _home(self, expr: Expr) -> _Block:
        """The outermost block in which all names of an expression are bound."""
        if self.block is self.outer or self.block.closed or names_in(expr) & self.block.names:
            return self.block
        return self.outer

    # ---- statements

    def _axes(self, prefix: str, extents: dims.Shape) -> tuple[Axis, ...]:
        return tuple(Axis(f"{prefix}{i}", extent) for i, extent in enumerate(extents))

    @contextmanager
    def _inside(self, axes: tuple[Axis, ...], closed: bool = False) -> Iterator[_Block]:
        """Adds statements in the block to a loop over axes."""
        self.block = _Block(axes, closed)
        yield self.block
        self.block = self.outer

    def _phases(self, anchors: list[Node]) -> list[list[Node]]:
        """Reductions by the depth of their dependences on other reductions."""
        depth: dict[int, int] = {}
        for node in self.group.nodes:
            before = [depth.get(id, 0) for id in self._members_behind(node)]
            depth[node.id] = max(before, default=0) + self._is_anchor(node)
        levels = sorted({depth[node.id] for node in anchors})
        return [[node for node in anchors if depth[node.id] == level] for level in levels]

    def _members_behind(self, node: Node) -> set[int]:
        """The group's nodes that a node reads, views between them skipped."""
        behind: set[int] = set()
        stack = [ref.node for ref in node.inputs]
        seen: set[int] = set()
        while stack:
            id = stack.pop()
            if id in seen:
                continue
            seen.add(id)
            if id in self.members:
                behind.add(id)
            elif id in self.inlined:
                stack.extend(ref.node for ref in self.graph.node(id).inputs)
        return behind

    def _prepare(self, wanted: list[Node]) -> None:
        """Computes the group's elements that some nodes need, in graph order, so that recursion stays shallow."""
        needed: set[int] = set()
        stack = [node.id for node in wanted if Ref(node.id) not in self.results]
        while stack:
            for id in self._members_behind(self.graph.node(stack.pop())):
                if id not in needed and Ref(id) not in self.results:
                    needed.add(id)
                    stack.append(id)
        for id in sorted(needed):
            node = self.graph.node(id)
            index = self.domain.index_of(node.outs[0].shape)
            assert index is not None
            self.element(Ref(id), index)

    def _reduce(self, phase: list[Node], stored: list[Ref]) -> list[Ref]:
        """Reduces, and stores values that its loop computes anyway; returns the values that are still to be stored."""
        axes = self._axes("r", self.domain.reduced)
        inner = tuple(axis.index for axis in axes)
        accumulators = []
        with self._inside(axes) as block:
            self._prepare(phase)
            for node in phase:
                rule: ReduceRule = self._rule(node)
                value = rule.element(_NodeReader(self, node), self.domain.point, inner)
                positional = combiner(rule.combine).positional
                position = Index(ravel(inner, rule.extents), dtypes.int32) if positional else None
                dtype = wide(node.outs[0].dtype)
                self.count += 1
                accumulators.append(Accumulator(f"v{self.count}", rule.combine, value, dtype, position))
            ready = [ref for ref in stored if self._is_ready(ref, block)]
            writes = self._stores(ready)
            body: tuple[Let | Store, ...] = (*_lets(block), *writes)
        parts = [_parts(a) for a in accumulators]
        self.outer.stmts.append(Reduce(axes, body, tuple(part for each in parts for part in each)))
        self.outer.stmts.extend(_finished(a, each) for a, each in zip(accumulators, parts, strict=True) if each != (a,))
        for node, accumulator in zip(phase, accumulators, strict=True):
            self._result(node, accumulator.name, bool(combiner(accumulator.combine).order))
        return [ref for ref in stored if ref not in ready]

    def _is_ready(self, ref: Ref, block: _Block) -> bool:
        """Whether a block has computed a value at its points. Updates, which may be in place, are stored later."""
        index = self.domain.index_of(self.graph.type(ref).shape)
        computed = index is not None and (ref, index, self.guard) in block.memo
        return computed and ref not in self.graph.updates.values()

    def _contract(self, node: Node) -> None:
        rule: ContractRule = self._rule(node)
        axes = self._axes("k", rule.extents)
        inner = tuple(axis.index for axis in axes)
        dtype = wide(node.outs[0].dtype)
        # Each factor is computed by itself when its tile is packed: scalars that it needs must be bound inside.
        with self._inside(axes, closed=True) as block:
            reader = _NodeReader(self, node)
            lhs = rule.lhs(reader, self.domain.point, inner)
            rhs = rule.rhs(reader, self.domain.point, inner)
        within = tuple(
            call("ge", Index(place[known.row] + known.offset), Index(place[known.column]))
            for operand, place in reader.places.items()
            if (known := self.triangles.get(node.inputs[operand])) is not None and known.rest == 0
        )
        self.count += 1
        name = f"v{self.count}"
        self.outer.stmts.append(Contract(name, axes, _lets(block), lhs, rhs, dtype, within))
        self._result(node, name)

    def _result(self, node: Node, name: str, exact: bool = False) -> None:
        """Records the result of a reduction or a product, for its readers.

        Args:
            node: The operation.
            name: The name of its accumulator.
            exact: Whether the result is one of the elements.
        """
        dtype = node.outs[0].dtype
        self.outer.names.add(name)
        if exact:
            self.halves.add((name, dtype))
        self.results[Ref(node.id)] = self._rounded(Var(name, wide(dtype)), dtype)

    def _scan(self, node: Node) -> None:
        rule: ScanRule = self._rule(node)
        shape = node.outs[0].shape
        extent = shape[rule.axis]
        points = tuple(Axis(f"p{i}", e) for i, e in enumerate(shape) if i != rule.axis)
        self.outer = self.block = _Block(points)
        axis = Axis("r0", extent)
        place = extent - 1 - axis.index if rule.reverse else axis.index
        index = tuple(place if i == rule.axis else dims.axis(f"p{i}", e) for i, e in enumerate(shape))
        with self._inside((axis,)) as block:
            value = rule.element(_NodeReader(self, node), index)
        dtype = wide(node.outs[0].dtype)
        param = self._param(Ref(node.id), written=True)
        store = Store(param.name, index, cast(Var("total", dtype), param.dtype))
        accumulator = Accumulator("total", rule.combine, value, dtype)
        self.outer.stmts.append(Reduce((axis,), _lets(block), (accumulator,), (store,)))

    def _scatter(self, node: Node) -> None:
        rule: ScatterRule = self._rule(node)
        out = node.outs[0]
        serial = tuple(Axis(f"s{i}", e) for i, e in enumerate(rule.extents[: rule.parallel]))
        points = tuple(Axis(f"p{i}", e) for i, e in enumerate(rule.extents) if i >= rule.parallel)
        self.outer = self.block = _Block(points)
        rows = tuple(Axis(f"z{i}", e) for i, e in enumerate(out.shape[: out.rank - len(points)]))
        param = self._param(Ref(node.id), written=True)
        place = tuple(axis.index for axis in (*rows, *points))
        (start,) = combiner(rule.combine).identity(param.dtype)
        self.outer.stmts.append(For(rows, (Store(param.name, place, const(start, param.dtype)),)))
        point = tuple(axis.index for axis in (*serial, *points))
        with self._inside(serial) as block:
            reader = _NodeReader(self, node)
            target = rule.target(reader, point)
            value = self._narrowed(rule.element(reader, point), param.dtype)
            # Combiners other than the sum read the value several times.
            value = value if rule.combine == SUM.name else self.bind(value)
            block.stmts.append(Store(param.name, target, value, rule.combine))
        self.outer.stmts.append(For(serial, tuple(block.stmts)))

    def _rule(self, node: Node) -> Any:
        rule = primitive(node.op)
        assert rule.lower is not None
        return rule.lower(tuple(self.graph.type(ref) for ref in node.inputs), **node.attrs)

    def _store(self, stored: list[Ref]) -> None:
        """Computes all stored values before it stores any, since stores may replace values that they depend on."""
        outer = [ref for ref in stored if not self.domain.is_inner(self.graph.type(ref).shape)]
        inner = [ref for ref in stored if ref not in outer]
        stores = self._stores(outer)
        if inner:
            axes = self._axes("r", self.domain.reduced)
            with self._inside(axes) as block:
                inner_stores = self._stores(inner)
                self.outer.stmts.append(For(axes, (*block.stmts, *inner_stores)))
        self.outer.stmts.extend(stores)

    def _stores(self, refs: list[Ref]) -> list[Store]:
        """Computes values in the current block; returns their stores."""
        self._prepare([self.graph.node(ref.node) for ref in refs])
        stores = []
        for ref in refs:
            type = self.graph.type(ref)
            index = self.domain.index_of(type.shape)
            if index is None:
                stores += self._part_stores(ref)
                continue
            value = self._narrowed(self.element(ref, index), type.dtype)
            stores.append(Store(self._param(ref, written=True).name, index, value))
        return stores

    def _part_stores(self, ref: Ref) -> list[Store]:
        """The stores of a concatenation of values computed here: one for each part."""
        node, param = self.graph.node(ref.node), self._param(ref, written=True)
        axis, start, stores = node.attrs["axis"], 0, []
        for part in node.inputs:
            shape = self.graph.type(part).shape
            index = self.domain.index_of(shape)
            assert index is not None
            place = tuple(dim + start if i == axis else dim for i, dim in enumerate(index))
            stores.append(Store(param.name, place, self._narrowed(self.element(part, index), param.dtype)))
            start = start + shape[axis]
        return stores


def without_unread(body: list[Stmt]) -> list[Stmt]:
    """The statements of a kernel without scalars that are not read."""
    read = {name for stmt in body for expr in expressions(stmt) for name in names_in(expr)}

    def is_read(stmt: Stmt) -> bool:
        return not isinstance(stmt, Let) or stmt.name in read

    used: list[Stmt] = []
    for stmt in filter(is_read, body):
        match stmt:
            case Contract():
                stmt = replace(stmt, body=tuple(let for let in stmt.body if is_read(let)))
            case Reduce():
                stmt = replace(stmt, body=tuple(inner for inner in stmt.body if is_read(inner)))
            case For():
                stmt = replace(stmt, body=tuple(filter(is_read, stmt.body)))
        used.append(stmt)
    return used if used == body else without_unread(used)


def _parts(a: Accumulator) -> tuple[Accumulator, ...]:
    """The accumulators of a reduction, where its combiner has others than the result."""
    combined = combiner(a.combine)
    if combined.is_plain:
        return (a,)
    lifted = enumerate(combined.lift(a.value))
    return tuple(Accumulator(f"{a.name}_{i}", a.combine, value, value.dtype, part=i) for i, value in lifted)


def _finished(a: Accumulator, parts: tuple[Accumulator, ...]) -> Let:
    """Binds the result of a combiner, computed from its accumulators."""
    return Let(a.name, combiner(a.combine).finish(tuple(Var(part.name, part.dtype) for part in parts)))


def _lets(block: _Block) -> tuple[Let, ...]:
    return tuple(stmt for stmt in block.stmts if isinstance(stmt, Let))
