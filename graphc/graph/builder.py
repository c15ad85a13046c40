"""Building graphs: nodes are typed as they are added, and equal pure nodes are one node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import GraphcError, VerificationError
from graphc.graph.core import Graph
from graphc.graph.registry import Primitive, primitive
from graphc.graph.types import Array, Attrs, Loc, Node, Ref, TensorType, at_origin, union


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a graph under construction."""

    builder: Builder
    ref: Ref

    @property
    def type(self) -> TensorType:
        return self.builder.type(self.ref)

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def rank(self) -> int:
        return len(self.type.shape)


class Builder:
    """Collects nodes, and makes a graph of them.

    Args:
        symbols: The range of each symbolic size that types may mention.

    Attributes:
        merging: Whether a node that is added may be an equal one that is there. While a tape records, each node stays
            one of its own, so that equal values can be told apart; passes merge them later.
    """

    def __init__(self, symbols: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.symbols = dict(symbols or {})
        self.nodes: list[Node] = []
        self.updates: dict[int, Ref] = {}
        self.loc: Loc = ()
        self.merging = True
        self._known: dict[tuple[str, Attrs, tuple[Ref, ...]], int] = {}

    def type(self, ref: Ref) -> TensorType:
        """The type of a value."""
        return self.nodes[ref.node].outs[ref.out]

    def node(self, ref: Ref) -> Node:
        """The node that a value comes from."""
        return self.nodes[ref.node]

    @contextmanager
    def located(self, loc: Loc) -> Iterator[None]:
        """Gives nodes added in the block the origins `loc`."""
        before, self.loc = self.loc, loc
        try:
            yield
        finally:
            self.loc = before

    def add(
        self,
        op: str,
        inputs: tuple[Ref, ...],
        attrs: Mapping[str, Any],
        outs: tuple[TensorType, ...] | None = None,
    ) -> Node:
        """Adds a node, or returns an equal node of the graph, which then has the origins of both.

        Args:
            op: The operation.
            inputs: Its operands.
            attrs: Its attributes.
            outs: The types of its results. None: they are inferred.

        Raises:
            GraphcError: if the operands do not fit the operation, with layer and line of the node's origin.
        """
        frozen = attrs if isinstance(attrs, Attrs) else Attrs(attrs)
        key = (op, frozen, inputs)
        known = self._known.get(key) if self.merging else None
        if known is not None:
            return self._merge_origin(known)
        node = Node(len(self.nodes), op, frozen, inputs, outs or self._inferred(op, inputs, frozen), self.loc)
        self.nodes.append(node)
        if self.merging:
            self._known[key] = node.id
        return node

    def _inferred(self, op: str, inputs: tuple[Ref, ...], attrs: Attrs) -> tuple[TensorType, ...]:
        try:
            types = primitive(op).infer(*(self.type(ref) for ref in inputs), **attrs)
        except GraphcError as error:
            raise at_origin(error, self.loc) from error.__cause__
        return types if isinstance(types, tuple) else (types,)

    def _merge_origin(self, id: int) -> Node:
        node = self.nodes[id]
        if self.loc and node.loc != self.loc:
            node = replace(node, loc=union(node.loc, self.loc))
            self.nodes[id] = node
        return node

    def value(self, ref: Ref) -> Value:
        """A handle of a value."""
        return Value(self, ref)

    def apply(self, op: str, *operands: Value, **attrs: Any) -> Value:
        """Adds an operation with one result.

        Raises:
            VerificationError: if an operand belongs to another graph.
        """
        return self.apply_many(op, *operands, **attrs)[0]

    def apply_many(self, op: str, *operands: Value, **attrs: Any) -> tuple[Value, ...]:
        """Adds an operation with any number of results."""
        if any(operand.builder is not self for operand in operands):
            raise VerificationError("an operand belongs to another graph", got=op)
        node = self.add(op, tuple(operand.ref for operand in operands), attrs)
        return tuple(Value(self, Ref(node.id, out)) for out in range(len(node.outs)))

    def input(self, name: str, type: TensorType) -> Value:
        """Adds an input under a name."""
        return self.apply("input", name=name, shape=type.shape, dtype=type.dtype)

    def state(self, name: str, type: TensorType) -> Value:
        """Adds a state under a name."""
        return self.apply("state", name=name, shape=type.shape, dtype=type.dtype)

    def constant(self, value: Any, dtype: DType) -> Value:
        """Adds a constant: a number or an array."""
        return self.apply("constant", value=Array.of(np.asarray(value, dtype=dtype.numpy)))

    def full(self, value: bool | int | float | complex, shape: Shape, dtype: DType) -> Value:
        """Adds a tensor whose elements are all one number."""
        return self.broadcast(self.constant(value, dtype), shape, ())

    def broadcast(self, operand: Value, shape: Shape, axes: tuple[int, ...]) -> Value:
        """Adds `operand` repeated to `shape`; its axis `i` becomes axis `axes[i]`."""
        if operand.shape == shape and axes == tuple(range(len(shape))):
            return operand
        return self.apply("broadcast", operand, shape=shape, axes=axes)

    def size(self, dim: Dim, dtype: DType) -> Value:
        """Adds a size as a scalar."""
        return self.apply("size", dim=dim, dtype=dtype)

    def update(self, state: Value, value: Value) -> None:
        """Adds an update: the value of a state after a run.

        Raises:
            VerificationError: if the types differ, or `state` is not a state.
        """
        if self.node(state.ref).op != "state" or state.type != value.type:
            raise VerificationError("a state cannot take this value", got=str(value.type), expected=str(state.type))
        self.updates[state.ref.node] = value.ref

    def finish(self, outputs: Iterable[Value | Ref]) -> Graph:
        """The graph of all nodes that were added."""
        refs = [output.ref if isinstance(output, Value) else output for output in outputs]
        return Graph(self.nodes, refs, self.updates, self.symbols)


# Reverse mode: adds the cotangents of some values, given those of others (see `graphc.autodiff.vjp`).
Differentiate = Callable[[Builder, Mapping[Ref, Value], Sequence[Value]], list[Value | None]]


@dataclass(frozen=True, slots=True)
class Applied:
    """A node of a graph under construction, as an argument of gradient rules.

    `differentiate` applies reverse mode to regions, the graphs that operations run.
    """

    builder: Builder
    node: Node
    differentiate: Differentiate

    @property
    def operands(self) -> tuple[Value, ...]:
        return tuple(Value(self.builder, ref) for ref in self.node.inputs)

    @property
    def results(self) -> tuple[Value, ...]:
        return tuple(Value(self.builder, Ref(self.node.id, out)) for out in range(len(self.node.outs)))

    @property
    def result(self) -> Value:
        return self.results[0]

    @property
    def attrs(self) -> Attrs:
        return self.node.attrs


def build_like(graph: Graph) -> Builder:
    """An empty builder with a graph's symbols."""
    return Builder(graph.symbols)


def copy_node(builder: Builder, node: Node, mapping: Mapping[Ref, Ref]) -> Node:
    """Adds a node of another graph, its inputs taken from `mapping`."""
    before, builder.loc = builder.loc, node.loc  # as `located` does, but faster: passes spend most of their time here
    copied = builder.add(node.op, tuple([mapping[ref] for ref in node.inputs]), node.attrs)
    builder.loc = before
    return copied


def keep_node(builder: Builder, node: Node, mapping: Mapping[Ref, Ref]) -> Node:
    """Adds a node of another graph whose inputs have the same types as there, so that types are not inferred."""
    before, builder.loc = builder.loc, node.loc
    copied = builder.add(node.op, tuple([mapping[ref] for ref in node.inputs]), node.attrs, node.outs)
    builder.loc = before
    return copied


def inline(builder: Builder, graph: Graph, arguments: Mapping[str, Value]) -> list[Value]:
    """Adds a graph's nodes with values in place of its inputs; returns its outputs.

    Raises:
        VerificationError: if an input has no argument.
    """
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        if node.op == "input":
            if node.attrs["name"] not in arguments:
                raise VerificationError("an input has no argument", got=node.attrs["name"])
            mapping[Ref(node.id)] = arguments[node.attrs["name"]].ref
            continue
        copied = copy_node(builder, node, mapping)
        for out in range(len(node.outs)):
            mapping[Ref(node.id, out)] = Ref(copied.id, out)
    return [Value(builder, mapping[ref]) for ref in graph.outputs]


__all__ = [
    "Applied",
    "Builder",
    "Differentiate",
    "Primitive",
    "Value",
    "build_like",
    "copy_node",
    "inline",
    "keep_node",
]
