"""Lowering rules evaluated with NumPy, all points at once: shows that a rule says the same as the primitive's `eval`.

A read outside an operand fails, unless a guard says that it does not happen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.combiners import Combiner, combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var, cast
from graphc.graph.core import Graph
from graphc.graph.evaluation import evaluate
from graphc.graph.registry import REGISTRY, Kind
from graphc.graph.types import Node, Ref, TensorType
from graphc.intrinsics import intrinsic
from graphc.primitives.base import accumulator

Array = np.ndarray[Any, Any]


def merged(combined: Combiner, rows: Sequence[Array], dtypes: Sequence[DType]) -> list[Array]:
    """Accumulators merged along the last axis, the first half with the second until one set is left.

    Args:
        combined: How.
        rows: What each accumulator is, of each element.
        dtypes: Their dtypes.
    """
    names = [(f"a{i}", f"b{i}") for i in range(len(rows))]
    mine, theirs = (tuple(Var(name[i], dtype) for name, dtype in zip(names, dtypes, strict=True)) for i in (0, 1))
    merging = combined.combine(mine, theirs)
    start = [dtype.numpy.type(value) for value, dtype in zip(combined.identity(dtypes[0]), dtypes, strict=True)]
    parts = [np.asarray(part) for part in rows]
    while (length := parts[0].shape[-1]) > 1:
        half = -(-length // 2)
        env = {}
        for part, first, (a, b) in zip(parts, start, names, strict=True):
            env[a], env[b] = part[..., :half], np.full_like(part[..., :half], first)
            env[b][..., : length - half] = part[..., half:]
        parts = [np.broadcast_to(evaluated(each, env), env["a0"].shape) for each in merging]
    none = [np.broadcast_to(first, (*parts[0].shape[:-1], 1)) for first in start]
    return [part[..., 0] for part in (parts if parts[0].shape[-1] else none)]


def evaluated(expr: Expr, env: Mapping[str, Array]) -> Any:
    """A scalar expression of named arrays."""
    match expr:
        case Const(value, dtype):
            return dtype.numpy.type(value)
        case Var(name, _):
            return env[name]
        case Cast(arg, dtype):
            return np.asarray(evaluated(arg, env)).astype(dtype.numpy)
        case Call(name, args, _):
            return intrinsic(name)(*(evaluated(arg, env) for arg in args))
    raise AssertionError(f"a combiner reads {expr}")


def run_rules(graph: Graph, inputs: Mapping[str, Array], sizes: Mapping[str, int] | None = None) -> list[Array]:
    """The outputs of a graph, every operation evaluated by its lowering rule (by `eval` where it has none)."""
    values: dict[Ref, Array] = {}
    for node in graph.table.values():
        operands = [values[ref] for ref in node.inputs]
        if node.op == "input":
            results: tuple[Array, ...] = (inputs[node.attrs["name"]],)
        elif REGISTRY[node.op].lower is None or not REGISTRY[node.op].kind.has_kernel or node.op == "constant":
            results = evaluate(node, operands, sizes or {})
        else:
            types = tuple(graph.type(ref) for ref in node.inputs)
            results = (_Points(node, types, operands, sizes or {}).run(),)
        values.update({Ref(node.id, out): result for out, result in enumerate(results)})
    return [values[ref] for ref in graph.outputs]


class _Points:
    """All points of one operation."""

    def __init__(
        self, node: Node, types: tuple[TensorType, ...], operands: Sequence[Array], sizes: Mapping[str, int]
    ) -> None:
        self.node = node
        self.types = types
        self.operands = operands
        self.sizes = sizes
        self.env: dict[str, Any] = dict(sizes)
        self.mask: Any = True

    @property
    def out(self) -> TensorType:
        return self.node.outs[0]

    # ---- the reader that rules see

    def read(self, operand: int, index: tuple[Dim, ...]) -> Expr:
        array = self.operands[operand]
        assert len(index) == array.ndim
        places = [np.asarray(self.number(i)) for i in index]
        for place, extent in zip(places, array.shape, strict=True):
            outside = ((place < 0) | (place >= extent)) & self.mask
            assert not np.any(outside), f"{self.node.op} reads outside its operand"
        clipped = tuple(np.clip(place, 0, extent - 1) for place, extent in zip(places, array.shape, strict=True))
        element = array[clipped] if places else array
        wide = dtypes.as_dtype(array.dtype).accumulator
        return self.bound(np.asarray(element).astype(wide.numpy), wide)

    def as_index(self, expr: Expr) -> Dim:
        name = f"v{len(self.env)}"
        self.env[name] = self.scalar(expr)
        return dims.value(name)

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        before = self.mask
        self.mask = before & self.scalar(condition)
        yield
        self.mask = before

    def bound(self, array: Any, dtype: DType) -> Var:
        name = f"v{len(self.env)}"
        self.env[name] = array
        return Var(name, dtype)

    # ---- numbers

    def number(self, dim: Dim) -> Any:
        if isinstance(dim, int):
            return dim
        total: Any = 0
        for monomial, coefficient in dim.terms:
            term: Any = coefficient
            for atom in monomial:
                if atom.kind == "div":
                    term = term * (self.number(atom.args[0]) // self.number(atom.args[1]))
                elif atom.kind == "mod":
                    term = term * (self.number(atom.args[0]) % self.number(atom.args[1]))
                else:
                    term = term * self.env[atom.name]
            total = total + term
        return total

    def scalar(self, expr: Expr) -> Any:
        match expr:
            case Const(value, dtype):
                return dtype.numpy.type(value)
            case Var(name, _):
                return self.env[name]
            case Index(dim, dtype):
                return np.asarray(self.number(dim)).astype(dtype.numpy)
            case Cast(arg, dtype):
                with np.errstate(all="ignore"):
                    return np.asarray(self.scalar(arg)).astype(dtype.numpy)
            case Call("select", args, _):
                condition, then, otherwise = (self.scalar(arg) for arg in args)
                return np.where(condition, then, otherwise)
            case Call(name, args, _):
                return intrinsic(name)(*(self.scalar(arg) for arg in args))
            case Load():
                raise AssertionError("a rule makes no loads")

    def axes(self, prefix: str, extents: Sequence[Dim], first: int, total: int) -> tuple[Dim, ...]:
        """Axes as indices, each bound to its numbers, laid along an axis of the arrays."""
        index = []
        for i, extent in enumerate(extents):
            count = dims.evaluate(extent, self.sizes)
            along = [1] * total
            along[first + i] = count
            self.env[f"{prefix}{i}"] = np.arange(count).reshape(along)
            index.append(dims.axis(f"{prefix}{i}", extent))
        return tuple(index)

    # ---- the kinds

    def run(self) -> Array:
        rule = REGISTRY[self.node.op]
        shape = tuple(dims.evaluate(dim, self.sizes) for dim in self.out.shape)
        assert rule.lower is not None
        match rule.kind:
            case Kind.POINTWISE:
                result = self._pointwise(rule.lower)
            case Kind.VIEW | Kind.RANDOM:
                index = self.axes("p", self.out.shape, 0, len(shape))
                result = self.scalar(rule.lower(self, index, **self.node.attrs))
            case Kind.SCATTER:
                result = self._scatter(rule.lower(self.types, **self.node.attrs), shape)
            case _:
                result = self._anchor(rule.kind, rule.lower(self.types, **self.node.attrs), shape)
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(result).astype(self.out.dtype.numpy), shape)

    def _pointwise(self, lower: Any) -> Any:
        args = []
        for array in self.operands:
            wide = dtypes.as_dtype(array.dtype).accumulator
            args.append(self.bound(array.astype(wide.numpy), wide))
        return self.scalar(lower(*args, out=self.out.dtype.accumulator, **self.node.attrs))

    def _anchor(self, kind: Kind, rule: Any, shape: tuple[int, ...]) -> Any:
        if kind is Kind.SCAN:
            index = self.axes("p", self.out.shape, 0, len(shape))
            elements = np.broadcast_to(self.scalar(rule.element(self, index)), shape)
            ordered = np.flip(elements, rule.axis) if rule.reverse else elements
            total = combiner(rule.combine).reduce.accumulate(ordered, rule.axis, dtype=elements.dtype)
            return np.flip(total, rule.axis) if rule.reverse else total
        inner = tuple(dims.evaluate(extent, self.sizes) for extent in rule.extents)
        rank = len(shape) + len(inner)
        index = self.axes("p", self.out.shape, 0, rank)
        along = self.axes("r", rule.extents, len(shape), rank)
        with np.errstate(all="ignore"):
            if kind is Kind.CONTRACT:
                element = self.scalar(rule.lhs(self, index, along)) * self.scalar(rule.rhs(self, index, along))
            else:
                element = self.scalar(rule.element(self, index, along))
            rows = np.broadcast_to(element, shape + inner).reshape((*shape, math.prod(inner)))
            combined = combiner("sum" if kind is Kind.CONTRACT else rule.combine)
            if combined.is_plain:
                return combined.reduce(rows, axis=-1) if combined.positional else combined.reduce.reduce(rows, axis=-1)
            parts = combined.lift(self.bound(rows, dtypes.as_dtype(rows.dtype)))
            wide = [accumulator(rule.combine, part.dtype, None, i) for i, part in enumerate(parts)]
            each = [(np.asarray(self.scalar(part)), dtype.numpy) for part, dtype in zip(parts, wide, strict=True)]
            lifted = [np.broadcast_to(array.astype(dtype), rows.shape) for array, dtype in each]
            totals = map(self.bound, merged(combined, lifted, wide), wide)
            narrow = (cast(total, part.dtype) for total, part in zip(totals, parts, strict=True))
            return self.scalar(combined.finish(tuple(narrow)))

    def _scatter(self, rule: Any, shape: tuple[int, ...]) -> Any:
        extents = tuple(dims.evaluate(extent, self.sizes) for extent in rule.extents)
        point = self.axes("s", rule.extents, 0, len(extents))
        target = tuple(np.broadcast_to(self.number(i), extents) for i in rule.target(self, point))
        element = np.broadcast_to(self.scalar(rule.element(self, point)), extents)
        combined, dtype = combiner(rule.combine), self.out.dtype.accumulator
        out = np.full(shape, combined.identity(dtype)[0], dtype.numpy)
        combined.reduce.at(out, target, element)
        return out
