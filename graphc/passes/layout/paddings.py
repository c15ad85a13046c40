"""Values that a contraction reads padded are stored padded only: other readers read a slice."""

from __future__ import annotations

from graphc import dims
from graphc.graph.builder import build_like, keep_node
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref


def share_paddings(graph: Graph) -> Graph:
    """Replaces a value that a contraction reads padded by the padded value, for all readers.

    The value is then computed by the padding's kernel, and is not in memory twice. Results of contractions and inputs
    are stored unpadded, and stay so.
    """
    chosen: dict[Ref, Node] = {}
    for node in graph.of_op("pad"):
        source = node.inputs[0]
        if _is_only_around(node) and _is_shared(graph, node) and source not in graph.roots:
            known = chosen.get(source)
            if primitive(graph.node(source.node).op).cheap and (known is None or _is_larger(node, known)):
                chosen[source] = node
    if not chosen:
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        if node.op == "pad" and chosen.get(node.inputs[0]) == node:
            continue  # it was added right after its operand
        copied = keep_node(builder, node, mapping)
        mapping |= {Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))}
        pad = chosen.get(Ref(node.id))
        if pad is not None:
            with builder.located(pad.loc):
                wide = builder.apply("pad", builder.value(Ref(copied.id)), **pad.attrs)
                low, shape = pad.attrs["low"], node.outs[0].shape
                stop = tuple(before + size for before, size in zip(low, shape, strict=True))
                middle = builder.apply("slice", wide, start=low, stop=stop, step=(1,) * len(shape))
            mapping |= {Ref(node.id): middle.ref, Ref(pad.id): wide.ref}
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


def _is_only_around(pad: Node) -> bool:
    return not any(pad.attrs["interior"])


def _is_shared(graph: Graph, pad: Node) -> bool:
    """Whether a contraction reads the padded value, and other nodes read the value without padding."""
    users = graph.users.get(Ref(pad.id), [])
    convolved = any(primitive(graph.node(user).op).kind is Kind.CONTRACT for user in users)
    return convolved and len(set(graph.users[pad.inputs[0]])) > 1


def _is_larger(a: Node, b: Node) -> bool:
    more = a.outs[0].elements - b.outs[0].elements
    return more != 0 and dims.nonnegative(more)
