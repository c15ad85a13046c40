"""The elements that operations read: index maps, used by fusion and lowering.

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
    """The iteration domain of a group: the axes `points` outside, `reduced` inside, and their order in a full tensor.

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
        """The index, in a tensor of this shape, of the element of the current point; None if there is none."""
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
    """A reader that records the values and indices that are read, following views.

    Args:
        graph: The graph.
        inlined: The nodes that are inlined into their readers.
    """

    def __init__(self, graph: Graph, inlined: frozenset[int] | set[int]) -> None:
        self.graph = graph
        self.inlined = inlined
        self.reads: list[tuple[Ref, Point]] = []
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
        """Records a read of an operand."""
        assert self._node is not None
        ref = self._node.inputs[operand]
        self.follow(ref, index)
        return Var("?", self.graph.type(ref).dtype)

    def as_index(self, expr: Expr) -> Dim:
        """An index that is known at run time only."""
        return dims.value("?")

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        """Records that a read is conditional."""
        self.is_guarded = True
        yield

    def follow(self, ref: Ref, index: Point) -> None:
        """Records a read of a value, or, where it is inlined, the reads of its operands."""
        if (ref, index) in self._seen:
            return
        self._seen.add((ref, index))
        node = self.graph.node(ref.node)
        if node.id in self.inlined:
            self.reads_of(node, index)
        else:
            self.reads.append((ref, index))

    def reads_of(self, node: Node, index: Point, inner: Point = ()) -> None:
        """Records the reads of a node that computes its element at an index."""
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
        if not rule.kind.has_kernel:  # it reads all elements of all operands
            self.reads.extend((ref, ()) for ref in node.inputs)
            return
        assert rule.lower is not None
        lowered = rule.lower(self.types, **node.attrs)
        reader: Reader = self
        match rule.kind:
            case Kind.REDUCE:
                lowered.element(reader, index, inner)
            case Kind.CONTRACT:
                lowered.lhs(reader, index, inner)
                lowered.rhs(reader, index, inner)
            case Kind.SCAN:
                lowered.element(reader, index)
            case _:
                lowered.target(reader, index)
                lowered.element(reader, index)


def extents_of(graph: Graph, node: Node) -> Shape:
    """The extents of the axes over which a reduction or contraction runs."""
    rule = primitive(node.op)
    assert rule.lower is not None
    extents: Shape = rule.lower(tuple(graph.type(ref) for ref in node.inputs), **node.attrs).extents
    return extents


def kind_of(graph: Graph, node: Node) -> Kind:
    """The kind of a node in fusion: a reduction over no axes, such as windows of one element, counts as pointwise."""
    kind = primitive(node.op).kind
    return Kind.POINTWISE if kind is Kind.REDUCE and extents_of(graph, node) == () else kind


@lru_cache(maxsize=4096)
def domain(points: Shape, reduced: Shape = (), order: tuple[int, ...] | None = None) -> Domain:
    """A domain; the object is cached, since many operations have equal domains."""
    return Domain(points, reduced, order)


def domain_of(graph: Graph, node: Node) -> Domain:
    """The domain of a node in a kernel of its own."""
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
    points = [axis for axis in range(rank) if axis not in axes]
    order = tuple(len(points) + axes.index(a) if a in axes else points.index(a) for a in range(rank))
    return domain(shape, extents_of(graph, node), order)
