"""The table that `summary` prints, as Keras prints it. Rich, which lays it out, is imported when one is printed."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from graphc import tree
from graphc.errors import ArgumentError, GraphcError
from graphc.layers.layer import Layer

if TYPE_CHECKING:
    from rich.table import Table


def count(weights: list[Any]) -> int:
    """The number of parameters in weights."""
    return sum(math.prod(v.shape) for v in weights)


def size(weights: list[Any]) -> str:
    """The memory that weights take, as text."""
    amount = float(sum(math.prod(v.shape) * v.type.dtype.bits for v in weights)) / 8
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}"
        amount /= 1024
    return f"{amount:.2f} PB"


def _number(x: object) -> str:
    return f"[color(45)]{x}[/]" if x is None else f"[color(34)]{x}[/]"


def _tells_shapes(cls: type) -> bool:
    """Whether a layer's class, or one of ours that it is derived from, says what shapes the outputs have.

    For others Keras does not compute shapes by tracing.
    """
    return any(
        "compute_output_shape" in vars(base) or "_keras_module" in vars(base)
        for base in takewhile(lambda base: base is not Layer, cls.__mro__)
        if base.__name__ != "Model"
    )


def shape_of(layer: Any) -> str:
    """The shape of a layer's outputs; a question mark where it is not known."""
    if layer._inbound_nodes:
        shapes = [x.shape for x in layer._inbound_nodes[-1].outputs]
    elif getattr(layer, "_build_args", None) and _tells_shapes(type(layer)):
        try:
            shape = layer.compute_output_shape(*(given for given in layer._build_args.values() if given is not None))
        except (GraphcError, NotImplementedError, TypeError):
            return "?"
        shapes = [shape] if isinstance(shape, tuple) else tree.flatten(shape)
    else:
        return "?"
    texts = [f"({', '.join(_number(dim) for dim in shape)})" for shape in shapes]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _parameters(layer: Any) -> str:
    if not hasattr(layer, "built"):
        return _number(0)
    return _number(f"{layer.count_params():,}") if layer.built else f"{_number(0)} (unbuilt)"


def _connections(layer: Any, model: Any) -> str:
    from rich.markup import escape  # noqa: PLC0415

    parts = []
    for node in layer._inbound_nodes:
        if not any(node is own for own in model._graph.nodes):
            continue
        for x in node.inputs:
            index = next((i for i, other in enumerate(x.node.operation._inbound_nodes) if other is x.node), 0)
            parts.append(f"{escape(x.node.operation.name)}[{_number(index)}][{_number(x.tensor_index)}]")
    return ", ".join(parts) or "-"


def _is_stack(model: Any) -> bool:
    """Whether a model is a plain stack: each layer has the output of the previous one as its only input."""
    if model._graph is None or type(model).__name__ == "Sequential":
        return True
    nodes = model._graph.nodes
    chain = all(len(node.inputs) <= 1 for node in nodes) and len({id(node.operation) for node in nodes}) == len(nodes)
    consumed = [id(x) for node in nodes for x in node.inputs]
    return chain and len(set(consumed)) == len(consumed) and sum(not node.inputs for node in nodes) == 1


def _rows(model: Any, layer: Any, stack: bool, nested: bool, trainable: bool, level: int) -> list[list[str]]:
    from rich.markup import escape  # noqa: PLC0415

    name = "   " * level + "└ " + layer.name if level else layer.name
    kind = getattr(layer, "shown_class", type(layer).__name__)
    row = [f"{escape(name)} ([color(33)]{escape(kind)}[/])", shape_of(layer), _parameters(layer)]
    if not stack:
        row.append(_connections(layer, model))
    if trainable:
        weights = getattr(layer, "weights", [])
        flag = "[bold][color(34)]Y[/][/]" if weights and layer.trainable else "[bold][color(9)]N[/][/]"
        row.append(flag if weights else "[bold]-[/]")
    rows = [row]
    if nested and getattr(layer, "layers", None):
        for inner in layer.layers:
            rows += _rows(model, inner, stack, nested, trainable, level + 1)
    return rows


def _table(model: Any, line_length: int | None, positions: Any, nested: bool, trainable: bool, layers: Any) -> Table:
    from rich.table import Column, Table  # noqa: PLC0415

    stack = _is_stack(model)
    header = ["Layer (type)", "Output Shape", "Param #"] + ([] if stack else ["Connected to"])
    sides = ["left", "left", "right"] + ([] if stack else ["left"])
    fractions = list(positions or ([0.45, 0.80, 1.0] if stack else [0.3, 0.56, 0.74, 1.0]))
    length = 88 if stack else 108
    if trainable:
        header, sides = [*header, "Trainable"], [*sides, "center"]
        fractions, length = [*(end * 0.9 for end in fractions), 1.0], length + 12
    width = line_length or min(length, shutil.get_terminal_size().columns - 4)
    ends = [int(end * width) for end in fractions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ArgumentError("the line is too short for the summary", got=width)
    columns = [Column(t, justify=s, width=w) for t, s, w in zip(header, sides, widths, strict=True)]  # type: ignore[arg-type]
    table = Table(*columns, width=width, show_lines=True)
    for layer in layers:
        for row in _rows(model, layer, stack, nested, trainable, 0):
            table.add_row(*row)
    return table


def _chosen(layers: list[Any], layer_range: Any) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ArgumentError("layer_range is two names", got=repr(layer_range))
    first, last = ([i for i, x in enumerate(layers) if re.match(name, x.name)] for name in layer_range)
    if not first or not last:
        raise ArgumentError("layer_range names no layer", got=repr(layer_range))
    low, high = sorted((first[0], last[-1]))
    return layers[low : high + 1]


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Prints a table of a model's layers; see `Model.summary`."""
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    functional = model._graph is not None and type(model).__name__ != "Sequential"
    layers = _chosen(model.operations if functional else model.layers, layer_range)
    table = _table(model, line_length, positions, expand_nested, show_trainable, layers)
    trainable, fixed = model.trainable_weights, model.non_trainable_weights
    moments = model.optimizer.variables if model.optimizer is not None and model.optimizer.built else []
    lines = [("Total", [*trainable, *fixed, *moments]), ("Trainable", trainable), ("Non-trainable", fixed)]
    lines += [("Optimizer", moments)] if moments else []
    console = (
        Console(highlight=False)
        if print_fn is None
        else Console(highlight=False, force_terminal=False, color_system=None)
    )
    if print_fn is not None:
        console.begin_capture()
    console.print(f'[bold]Model: "{escape(model.name)}"[/]')
    console.print(table)
    for name, weights in lines:
        console.print(f"[bold] {name} params: [/]{_number(f'{count(weights):,}')} ({size(weights)})")
    if print_fn is not None:
        print_fn(console.end_capture())
