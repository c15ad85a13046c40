"""The invariants of graphs, checked from the graph alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from graphc import dims
from graphc.dims import IntExpr
from graphc.dtypes import DType
from graphc.errors import GraphcError, VerificationError
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY
from graphc.graph.types import Array, Attrs, Node, Ref, TensorType


def verify(graph: Graph) -> None:
    """Checks the invariants of a graph.

    Ids ascend along edges; types are those that `infer` of the operation returns; attributes are hashable, of the kinds
    that the text and JSON forms have; sizes mention declared symbols only; results exist; updates give states values of
    their types; names of inputs and of states are unique; nodes and edges in networkx are those of the graph.

    Args:
        graph: The graph.

    Raises:
        VerificationError: if an invariant is violated; it names the node.
    """
    _check_symbols(graph)
    before = -1
    for id, node in graph.table.items():
        if node.id != id or id <= before:
            _fail(node, "the ids of nodes do not ascend", f"{node.id} after {before}")
        before = id
        _check_inputs(graph, node)
        for name, attr in node.attrs.items():
            _check_attr(graph, node, name, attr)
        _check_types(graph, node)
    for position, ref in enumerate(graph.outputs):
        if not _exists(graph, ref):
            raise VerificationError("a result of the graph does not exist", got=f"output {position}: {ref}")
    _check_updates(graph)
    _check_names(graph)
    _check_networkx(graph)


def _fail(node: Node, problem: str, got: object, expected: object = None) -> NoReturn:
    origin = node.loc[-1] if node.loc else None
    raise VerificationError(
        f"{problem} (node %{node.id}, `{node.op}`)",
        layer=origin.layer or None if origin else None,
        where=f"{origin.file}:{origin.line}" if origin and origin.file else None,
        got=got,
        expected=expected,
    )


def _check_symbols(graph: Graph) -> None:
    for name, bounds in graph.symbols.items():
        low, high = bounds
        if not name.isidentifier() or not 1 <= low <= high:
            raise VerificationError("a symbolic size has no sensible range", got=f"{name}: {low} to {high}")


def _exists(graph: Graph, ref: Ref) -> bool:
    return ref.node in graph.table and 0 <= ref.out < len(graph.table[ref.node].outs)


def _check_inputs(graph: Graph, node: Node) -> None:
    for ref in node.inputs:
        if not _exists(graph, ref):
            _fail(node, "an operand does not exist", str(ref))
        if ref.node >= node.id:
            _fail(node, "an operand comes later than its reader", str(ref))


def _check_types(graph: Graph, node: Node) -> None:
    rule = REGISTRY.get(node.op)
    if rule is None:
        _fail(node, "there is no such operation", node.op)
    try:
        types: Any = rule.infer(*(graph.type(ref) for ref in node.inputs), **node.attrs)
    except GraphcError as error:
        _fail(node, "the operands of a node do not fit it", error.problem + (f": {error.got}" if error.got else ""))
    except (TypeError, ValueError) as error:
        _fail(node, "the attributes of a node do not fit it", str(error))
    derived: tuple[TensorType, ...] = types if isinstance(types, tuple) else (types,)
    if derived != node.outs:
        shown = [", ".join(map(str, outs)) for outs in (node.outs, derived)]
        _fail(node, "a node has another type than its operation gives", shown[0], shown[1])
    for type in node.outs:
        for dim in type.shape:
            _check_size(graph, node, dim)
            if isinstance(dim, int) and dim < 0:
                _fail(node, "a size is negative", str(type))


def _check_attr(graph: Graph, node: Node, name: str, attr: Any) -> None:
    if not name.isidentifier():
        _fail(node, "an attribute has a name that is no identifier", repr(name))
    for part in _leaves(attr):
        if isinstance(part, IntExpr):
            _check_size(graph, node, part)
        elif isinstance(part, Graph):
            if any(graph.symbols.get(symbol) != bounds for symbol, bounds in part.symbols.items()):
                _fail(node, f"attribute `{name}` has symbols of other ranges", part.symbols, graph.symbols)
            verify(part)
        elif not (part is None or isinstance(part, (bool, int, float, complex, str, DType, Array))):
            _fail(node, f"attribute `{name}` is of a kind that cannot be written down", f"{part!r} ({type(part)})")
    try:
        hash(node.attrs)
    except TypeError:
        _fail(node, f"attribute `{name}` cannot be hashed", repr(attr))
    if not isinstance(node.attrs, Attrs):
        _fail(node, "attributes are not `Attrs`", type(node.attrs))


def _leaves(attr: Any) -> Iterator[Any]:
    if isinstance(attr, tuple):
        for part in attr:
            yield from _leaves(part)
    else:
        yield attr


def _check_size(graph: Graph, node: Node, dim: dims.Dim) -> None:
    if dims.loop_names(dim):
        _fail(node, "a size depends on an index", str(dim))
    undeclared = dims.size_names(dim) - graph.symbols.keys()
    if undeclared:
        _fail(node, "a size mentions a symbol that is not declared", f"{dim}", f"symbols {sorted(graph.symbols)}")


def _check_updates(graph: Graph) -> None:
    for id, ref in graph.updates.items():
        if id not in graph.table or graph.node(id).op != "state":
            raise VerificationError("an update points to what is no state", got=f"%{id}")
        state = graph.node(id)
        if not _exists(graph, ref):
            _fail(state, "the value that a state takes does not exist", str(ref))
        if graph.type(ref) != state.outs[0]:
            _fail(state, "a state takes a value of another type", str(graph.type(ref)), str(state.outs[0]))


def _check_names(graph: Graph) -> None:
    for op in ("input", "state"):
        names: set[str] = set()
        for node in graph.of_op(op):
            if node.attrs["name"] in names:
                _fail(node, f"two nodes are the same {op}", repr(node.attrs["name"]))
            names.add(node.attrs["name"])


def _check_networkx(graph: Graph) -> None:
    """Raises unless the nodes and edges in networkx are those of the table."""
    edges = {(u, v, position): data.get("out") for u, v, position, data in graph.edges(keys=True, data=True)}
    expected = {
        (ref.node, node.id, position): ref.out
        for node in graph.table.values()
        for position, ref in enumerate(node.inputs)
    }
    if edges != expected or set(graph.nodes) != set(graph.table):
        raise VerificationError("the edges of a graph are not its nodes' operands", got=f"{len(edges)} edges")
