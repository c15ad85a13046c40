"""Loops and branches as nodes of ONNX: `scan` is Scan, `while` is Loop, `switch` is If.

The graphs that they run read values of the graph around them where these are: constants of a loop are no operands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from graphc import dtypes
from graphc.dims import Dim
from graphc.export.onnx.emitter import Emitter, physical
from graphc.export.onnx.placed import Parts, Placed, Stored
from graphc.export.onnx.pointwise import real
from graphc.export.onnx.protobuf import Subgraph, Typed
from graphc.export.onnx.scope import Scope
from graphc.export.onnx.views import clamped
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref, TensorType
from graphc.primitives.control import signature_of


class _Region:
    """A graph that a node runs, while it is emitted."""

    def __init__(self, e: Emitter, graph: Graph, given: Mapping[str, Stored]) -> None:
        self.graph, self.scope = graph, Scope(e.scope.shared, e.scope)
        values = {Ref(node.id): given[name] for name, node in graph.inputs.items()}
        self.emitter = Emitter(graph, self.scope, e.rules, e.patterns, values)
        self.label = e.scope.shared.label

    def results(self, refs: Sequence[Ref] | None = None) -> list[str]:
        """The names of results: each a tensor of its own, which the graph itself computes."""
        refs = self.graph.outputs if refs is None else refs
        names = [
            self.emitter.whole(x, self.graph.type(ref)) for x, ref in zip(self.emitter.run(refs), refs, strict=True)
        ]
        self.scope.shared.label = self.label
        return [self.own(name) for name in names]

    def own(self, name: str) -> str:
        """A copy of a tensor, which the graph computes."""
        return self.scope.ops("Identity", 1, name)[0]

    def subgraph(self, name: str, inputs: Sequence[Typed], outputs: Sequence[Typed]) -> Subgraph:
        """The graph."""
        return Subgraph(self.scope.shared.unique(name), tuple(self.scope.nodes), tuple(inputs), tuple(outputs))


def _typed(name: str, type: TensorType) -> Typed:
    return Typed(name, physical(type.dtype), None)


def _ordinary(type: TensorType, name: str) -> Placed:
    return Placed(name, tuple(range(type.rank)))


def _refuse_complex(e: Emitter, operands: Sequence[Stored]) -> None:
    if any(isinstance(x, Parts) for x in operands):
        raise e.no_complex()


def _scan(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[Stored, ...]:
    signature, body, s = signature_of(node.attrs), node.attrs["body"], e.scope
    types = [e.type(ref) for ref in node.inputs]
    constants, carries, _ = signature.parts(operands)
    _refuse_complex(e, operands[signature.constants :])
    names = signature.names
    states = [s.shared.unique(f"{s.shared.label}/state") for _ in carries]
    given: dict[str, Stored] = dict(zip(names, constants, strict=False))
    carried = types[signature.constants : signature.first_x]
    for name, state, type in zip(names[signature.constants :], states, carried, strict=False):
        given[name] = _ordinary(type, state)
    sequences, axes = _sequences(e, node, operands[signature.first_x :], types[signature.first_x :])
    rows = [s.shared.unique(f"{s.shared.label}/step") for _ in sequences]
    for name, x, row in zip(names[signature.first_x :], sequences, rows, strict=False):
        left = tuple(axis for place, axis in enumerate(x.axes) if place != axes[sequences.index(x)])
        given[name] = Placed(row, tuple(None if axis is None else axis - 1 for axis in left))
    region = _Region(e, body, given)
    results = region.results()
    inputs = [_typed(name, type) for name, type in zip(states, carried, strict=True)]
    inputs += [_typed(row, type) for row, type in zip(rows, _row_types(types[signature.first_x :]), strict=True)]
    outputs = [_typed(name, body.type(ref)) for name, ref in zip(results, body.outputs, strict=True)]
    initial = [e.whole(x, type) for x, type in zip(carries, carried, strict=True)]
    way, stacked = int(node.attrs["reverse"]), len(results) - len(states)
    found = s.ops(
        "Scan",
        len(results),
        *initial,
        *(e.named(x) for x in sequences),
        body=region.subgraph(f"{s.shared.label}/body", inputs, outputs),
        num_scan_inputs=len(rows),
        scan_input_axes=axes,
        scan_input_directions=[way] * len(rows),
        scan_output_directions=[way] * stacked if stacked else None,
    )
    return tuple(_ordinary(type, name) for type, name in zip(node.outs, found, strict=True))


def _sequences(
    e: Emitter, node: Node, operands: Sequence[Stored], types: Sequence[TensorType]
) -> tuple[list[Placed], list[int]]:
    """What the steps read rows of, with the axis of each tensor that counts steps; something, if they read nothing."""
    placed = [e.spread(x, type, [0]) for x, type in zip(real(e, operands), types, strict=True)]
    if not placed:
        s = e.scope
        length: Dim = node.attrs["length"]
        dummy = s.op("ConstantOfShape", s.size(length), value=np.zeros(1, np.float32))
        return [Placed(dummy, (0,))], [0]
    return placed, [x.axes.index(0) for x in placed]


def _row_types(types: Sequence[TensorType]) -> list[TensorType]:
    return [TensorType(type.shape[1:], type.dtype) for type in types] or [TensorType((), dtypes.float32)]


def _while(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[Stored, ...]:
    test, body, constants, s = node.attrs["test"], node.attrs["body"], node.attrs["constants"], e.scope
    types = [e.type(ref) for ref in node.inputs]
    _refuse_complex(e, operands[constants:])
    fixed = {f"c{i}": x for i, x in enumerate(operands[:constants])}
    initial = [e.whole(x, type) for x, type in zip(operands[constants:], types[constants:], strict=True)]

    def carried(names: Sequence[str]) -> dict[str, Stored]:
        pairs = enumerate(zip(types[constants:], names, strict=True))
        return {f"s{i}": _ordinary(type, name) for i, (type, name) in pairs}

    def holds(scope: Emitter, names: Sequence[str]) -> str:
        inner = Emitter(test, scope.scope, e.rules, e.patterns, {})
        inner.values.update({Ref(n.id): {**fixed, **carried(names)}[name] for name, n in test.inputs.items()})
        return inner.whole(inner.run(test.outputs)[0], test.type(test.outputs[0]))

    first = holds(e, initial)
    count, before = s.shared.unique(f"{s.shared.label}/count"), s.shared.unique(f"{s.shared.label}/holds")
    states = [s.shared.unique(f"{s.shared.label}/state") for _ in initial]
    region = _Region(e, body, {**fixed, **carried(states)})
    results = region.results()
    goes_on = region.own(holds(region.emitter, results))
    inputs = [Typed(count, dtypes.int64, ()), Typed(before, dtypes.bool_, ())]
    inputs += [_typed(name, type) for name, type in zip(states, types[constants:], strict=True)]
    outputs = [Typed(goes_on, dtypes.bool_, ())]
    outputs += [_typed(name, type) for name, type in zip(results, types[constants:], strict=True)]
    graph = region.subgraph(f"{s.shared.label}/body", inputs, outputs)
    found = s.ops("Loop", len(initial), "", first, *initial, body=graph)
    return tuple(_ordinary(type, name) for type, name in zip(node.outs, found, strict=True))


def _switch(e: Emitter, node: Node, operands: Sequence[Stored]) -> tuple[Stored, ...]:
    branches: tuple[Graph, ...] = node.attrs["branches"]
    _refuse_complex(e, operands)
    index = real(e, operands[:1])[0]
    at = clamped(e, index, e.type(node.inputs[0]), len(branches))
    wide = dtypes.int64 if index.array is not None else dtypes.int32
    given = {f"c{i}": x for i, x in enumerate(operands[1:])}
    names = _chosen(e, node, branches, at, wide, given)
    return tuple(_ordinary(type, name) for type, name in zip(node.outs, names, strict=True))


def _chosen(
    e: Emitter,
    node: Node,
    branches: Sequence[Graph],
    at: str,
    wide: dtypes.DType,
    given: Mapping[str, Stored],
) -> list[str]:
    """The results of the branch of an index: those of the first if it is below 1, else of one of the others."""
    s = e.scope
    if len(branches) == 1:
        inner = Emitter(branches[0], s, e.rules, e.patterns, {})
        inner.values.update({Ref(n.id): given[name] for name, n in branches[0].inputs.items()})
        found = inner.run(branches[0].outputs)
        return [inner.whole(x, branches[0].type(ref)) for x, ref in zip(found, branches[0].outputs, strict=True)]
    first = s.op("Less", at, s.number(1, wide))
    then = _Region(e, branches[0], given)
    outputs = [_typed(name, type) for name, type in zip(then.results(), node.outs, strict=True)]
    then_branch = then.subgraph(f"{s.shared.label}/then", [], outputs)
    rest = _Region(e, branches[1], given)
    lower = rest.scope.op("Sub", at, rest.scope.number(1, wide))
    names = [rest.own(name) for name in _chosen(rest.emitter, node, branches[1:], lower, wide, given)]
    others = [_typed(name, type) for name, type in zip(names, node.outs, strict=True)]
    else_branch = rest.subgraph(f"{s.shared.label}/else", [], others)
    return s.ops("If", len(node.outs), first, then_branch=then_branch, else_branch=else_branch)


LOOPS = MappingProxyType({"scan": _scan, "while": _while, "switch": _switch})

__all__ = ["LOOPS"]
