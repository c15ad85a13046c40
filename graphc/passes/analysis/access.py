"""Which elements an operation reads: the index maps that fusion and lowering share.

Views cost nothing: they are inlined into their readers. A read is followed through them to a value that is computed
or stored, giving that value and the index at which it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from graphc import dims
from graphc.dims import Dim, Shape
from graphc.exprs import Expr, Var
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, Reader, primitive
from graphc.graph.types import Node, Ref, TensorType
from graphc.primitives.views import ravel, unravel

Point = tuple[Dim, ...]


@dataclass(frozen=True)
class Domain:
    """The points that a group runs over: `points` outside, `reduced` inside, and how a full tensor lies over both.

    Axis `a` of a full tensor is point axis `order[a]`, or reduced axis `order[a] - len(points)`.
    """

    points: Shape
    reduced: Shape = ()
    order: tuple[int, ...] | None = None
    point: Point = field(init=False, compare=False)
    inner: Point = field(init=False, compare=False)
    hashed: int = field(init=False, compare=False, repr=False)
    _places: dict[Shape, Point | None] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", tuple(dims.axis(f"p{i}", e) for i, e in enumerate(self.points)))
        object.__setattr__(self, "inner", tuple(dims.axis(f"r{i}", e) for i, e in enumerate(self.reduced)))
        object.__setattr__(self, "hashed", hash((self.points, self.reduced, self.order)))
        object.__setattr__(self, "_places", {})

    def __hash__(self) -> int:
        return self.hashed

    @property
    def full_order(self) -> tuple[int, ...]:
        return self.order if self.order is not None else tuple(range(len(self.points) + len(self.reduced)))

    @property
    def full_shape(self) -> Shape:
        extents = self.points + self.reduced
        return tuple(extents[axis] for axis in self.full_order)

    @property
    def full(self) -> Point:
        index = self.point + self.inner
        return tuple(index[axis] for axis in self.full_order)

    def index_of(self, shape: Shape) -> Point | None:
        """Where the element of a tensor of this shape lies that belongs to the current point; None if none does."""
        if shape == self.points:
            return self.point
        if shape not in self._places:
            self._places[shape] = self._index_of(shape)
        return self._places[shape]

    def _index_of(self, shape: Shape) -> Point | None:
        if self.reduced and shape == self.full_shape:
            return self.full
        count = dims.product(shape)
        if count == dims.product(self.points):
            return unravel(ravel(self.point, self.points), shape)
        if self.reduced and count == dims.product(self.full_shape):
            return unravel(ravel(self.full, self.full_shape), shape)
        return None

    def is_inner(self, shape: Shape) -> bool:
        """Whether a tensor of this shape has an element for every reduced point, not only for every point."""
        if shape == self.points or not self.reduced:
            return False
        return shape == self.full_shape or dims.product(shape) != dims.product(self.points)


class ReadRecorder:
    """A reader that notes which values are read where, following views.

    Args:
        graph: The graph.
        inlined: The nodes that are inlined into their readers.
    """

    def __init__(self, graph: Graph, inlined: frozenset[int] | set[int]) -> None:
        self.graph = graph
        self.inlined = inlined
        self.found: list[tuple[Ref, Point]] = []
        self.is_guarded = False
        self._node: Node | None = None
        self._seen: set[tuple[Ref, Point]] = set()

    @property
    def types(self) -> tuple[TensorType, ...]:
        assert self._node is not None
        return tuple(self.graph.type(ref) for ref in self._node.inputs)

    @property
    def out(self) -> TensorType:
        assert self._node is not None
        return self._node.outs[0]

    def read(self, operand: int, index: Point) -> Expr:
        """Notes the read, or follows it."""
        assert self._node is not None
        ref = self._node.inputs[operand]
        self.follow(ref, index)
        return Var("?", self.graph.type(ref).dtype)

    def as_index(self, expr: Expr) -> Dim:
        """A place that only the running program knows."""
        return dims.value("?")

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        """Notes that something is read under a condition."""
        self.is_guarded = True
        yield

    def follow(self, ref: Ref, index: Point) -> None:
        """Notes a read of a value, or the reads behind it where it is a view."""
        if (ref, index) in self._seen:
            return
        self._seen.add((ref, index))
        node = self.graph.node(ref.node)
        if node.id in self.inlined:
            self.reads_of(node, index)
        else:
            self.found.append((ref, index))

    def reads_of(self, node: Node, index: Point, inner: Point = ()) -> None:
        """Notes what a node reads to compute its element at an index."""
        rule = primitive(node.op)
        before, self._node = self._node, node
        if rule.kind is Kind.POINTWISE:
            for ref in node.inputs:
                self.follow(ref, index)
        elif rule.kind in (Kind.VIEW, Kind.RANDOM, Kind.SOURCE):
            if rule.lower is not None and node.inputs:
                rule.lower(self, index, **node.attrs)
        else:
            self._reads_of_anchor(node, index, inner)
        self._node = before

    def _reads_of_anchor(self, node: Node, index: Point, inner: Point) -> None:
        rule = primitive(node.op)
        if not rule.kind.has_kernel:  # it reads all of everything
            self.found.extend((ref, ()) for ref in node.inputs)
            return
        assert rule.lower is not None
        made = rule.lower(self.types, **node.attrs)
        reader: Reader = self
        match rule.kind:
            case Kind.REDUCE:
                made.element(reader, index, inner)
            case Kind.CONTRACT:
                made.lhs(reader, index, inner)
                made.rhs(reader, index, inner)
            case Kind.SCAN:
                made.element(reader, index)
            case _:
                made.target(reader, index)
                made.element(reader, index)


def extents_of(graph: Graph, node: Node) -> Shape:
    """The axes that a reduction or contraction runs over."""
    rule = primitive(node.op)
    assert rule.lower is not None
    extents: Shape = rule.lower(tuple(graph.type(ref) for ref in node.inputs), **node.attrs).extents
    return extents


def kind_of(graph: Graph, node: Node) -> Kind:
    """How a node runs: a reduction over no axes, such as over windows of one element, like what computes elements."""
    kind = primitive(node.op).kind
    return Kind.POINTWISE if kind is Kind.REDUCE and extents_of(graph, node) == () else kind


@lru_cache(maxsize=4096)
def domain(points: Shape, reduced: Shape = (), order: tuple[int, ...] | None = None) -> Domain:
    """The domain, which many operations share."""
    return Domain(points, reduced, order)


def domain_of(graph: Graph, node: Node) -> Domain:
    """The points that a node by itself runs over."""
    kind = kind_of(graph, node)
    shape = node.outs[0].shape
    if kind is Kind.CONTRACT:
        return domain(shape, ())
    if kind is not Kind.REDUCE:
        return domain(shape)
    axes = node.attrs.get("axes")
    if axes is None:
        return domain(shape, extents_of(graph, node))
    rank = graph.type(node.inputs[0]).rank
    kept = [axis for axis in range(rank) if axis not in axes]
    order = tuple(len(kept) + axes.index(a) if a in axes else kept.index(a) for a in range(rank))
    return domain(shape, extents_of(graph, node), order)
