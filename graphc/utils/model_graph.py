"""The graph of a model's layers as boxes and arrows, which `plot_model` and `model_to_dot` draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from graphc import tree
from graphc.errors import ArgumentError, GraphcError, StateError
from graphc.models import Functional, Sequential
from graphc.tracing import describe, user_line

BLACK, WHITE, GREEN, RED = "#000000", "#ffffff", "#228b22", "#b22222"


@dataclass(frozen=True)
class Cell:
    """A part of a box.

    Args:
        plain: A text.
        bold: A text behind it, in bold letters.
        fill: The colour of the ground.
        ink: The colour of the letters.
        large: Whether the letters are large.
    """

    plain: str
    bold: str = ""
    fill: str = WHITE
    ink: str = BLACK
    large: bool = False


@dataclass(frozen=True)
class Box:
    """A layer: rows of cells."""

    id: int
    rows: tuple[tuple[Cell, ...], ...]


@dataclass
class Cluster:
    """The layers of a model, in the order of the computation, and models within it, each with its name."""

    name: str
    boxes: list[Box] = field(default_factory=list)
    inner: list[Cluster] = field(default_factory=list)

    def all_boxes(self) -> Iterator[Box]:
        """The boxes here and in inner clusters."""
        yield from self.boxes
        for cluster in self.inner:
            yield from cluster.all_boxes()


@dataclass(frozen=True)
class Shown:
    """What boxes show besides the class of a layer: see `model_to_dot`."""

    shapes: bool
    dtype: bool
    names: bool
    activations: bool
    trainable: bool
    nested: bool


class ModelGraph:
    """The layers of a model as boxes, and what flows between them as arrows.

    Args:
        model: The model. One without a graph is a single box.
        shown: What boxes show.

    Raises:
        StateError: if the model is not built.
    """

    def __init__(self, model: Any, shown: Shown) -> None:
        if not getattr(model, "built", False):
            raise StateError(
                "the model is not built, and has no shapes yet",
                layer=getattr(model, "name", None),
                where=describe(user_line()),
                hint="call it on a batch, or build it, before it is drawn",
            )
        self._shown = shown
        self._ids: dict[int, int] = {}
        self.arrows: list[tuple[int, int]] = []
        self.root = self._cluster(model)

    def _cluster(self, model: Any) -> Cluster:
        cluster = Cluster(model.name)
        layers = _layers(model)
        for layer in layers:
            if self._shown.nested and _has_graph(layer):
                cluster.inner.append(self._cluster(layer))
            else:
                self._ids[id(layer)] = len(self._ids)
                cluster.boxes.append(Box(self._ids[id(layer)], _rows(layer, self._shown)))
        for source, target in _connections(model, layers):
            start, end = self._ids.get(id(self._inner(*source, False))), self._ids.get(id(self._inner(*target, True)))
            if start is not None and end is not None and (start, end) not in self.arrows:
                self.arrows.append((start, end))
        return cluster

    def _inner(self, layer: Any, index: int, begins: bool) -> Any:
        """The layer in a nested model that takes its input of this index, or makes its output, if it is expanded."""
        while self._shown.nested and _has_graph(layer):
            if begins and isinstance(layer, Sequential):
                layer = layer.layers[0]
                continue
            graph = layer._graph
            node = (graph.flat_inputs if begins else graph.flat_outputs)[index].node
            layer, index = node.operation, (graph.flat_inputs if begins else graph.flat_outputs)[index].tensor_index
        return layer


def _has_graph(layer: Any) -> bool:
    return isinstance(layer, Functional | Sequential) and layer._graph is not None


def _layers(model: Any) -> list[Any]:
    """The layers that are drawn: operations, too, in a functional model; a subclassed model itself."""
    if isinstance(model, Sequential):
        return list(model.layers)
    return list(model._graph.operations) if _has_graph(model) else [model]


def _connections(model: Any, layers: list[Any]) -> Iterator[tuple[tuple[Any, int], tuple[Any, int]]]:
    """Pairs of layers, each with the number of the output or input."""
    if isinstance(model, Sequential):
        yield from (((a, 0), (b, 0)) for a, b in pairwise(layers))
    elif _has_graph(model):
        for node in model._graph.nodes:
            for index, x in enumerate(node.inputs):
                if x.node is not None:
                    yield (x.node.operation, x.tensor_index), (node.operation, index)


def _rows(layer: Any, shown: Shown) -> tuple[tuple[Cell, ...], ...]:
    name = getattr(layer, "shown_class", type(layer).__name__)
    title = Cell(f" ({name})", layer.name, BLACK, WHITE, True) if shown.names else Cell("", name, BLACK, WHITE, True)
    rows = [(title,)]
    activation = getattr(layer, "activation", None)
    if shown.activations and activation is not None:
        rows.append((Cell("Activation: ", getattr(activation, "__name__", None) or str(activation)),))
    cells = []
    if shown.shapes:
        if name != "InputLayer":
            cells.append(Cell("Input shape: ", _of(layer, "input", "shape")))
        cells.append(Cell("Output shape: ", _of(layer, "output", "shape")))
    if shown.dtype:
        cells.append(Cell("Output dtype: ", _of(layer, "output", "dtype")))
    if shown.trainable and getattr(layer, "weights", None):
        fill, text = (GREEN, "Trainable") if layer.trainable else (RED, "Non-trainable")
        cells.append(Cell("", text, fill, WHITE))
    return (*rows, *([tuple(cells)] if cells else []))


def _of(layer: Any, side: str, what: str) -> str:
    """Shapes or dtypes of a layer's inputs or outputs as text; a question mark where they are not known."""
    try:
        found = tree.map_structure(lambda x: getattr(x, what), getattr(layer, side))
    except (GraphcError, AttributeError):
        return "?"
    if isinstance(found, dict):
        return ", ".join(f"{key}: {value}" for key, value in found.items())
    return str(found)


def checked_direction(rankdir: str) -> str:
    """`rankdir`, if it is one that Graphviz knows.

    Raises:
        ArgumentError: if not.
    """
    if rankdir not in ("TB", "LR", "BT", "RL"):
        raise ArgumentError("rankdir is TB, LR, BT or RL", where=describe(user_line()), got=repr(rankdir))
    return rankdir
