"""Orders of operands: values are stored in the order in which they are read.

Contractions compute their result in the order in which it is read; constants of a loop are transposed once, before it.
"""

from __future__ import annotations

from graphc.graph.builder import Builder, Value, build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.types import Node, Ref
from graphc.passes.rewrite import rewrite, rewrite_many
from graphc.primitives.control import signature_of

Order = tuple[int, ...]


def order_products(graph: Graph) -> Graph:
    """Exchanges the operands of contractions that are read only with the rows and columns of their result exchanged."""
    users: dict[int, list[Node]] = {node.id: [] for node in graph.of_op("contract")}
    for node in graph.table.values():
        for id in {ref.node for ref in node.inputs} & users.keys():
            users[id].append(node)
    stored = {ref.node for ref in graph.roots}
    swapped = {id for id, readers in users.items() if readers and id not in stored and _all_swap(graph, id, readers)}

    def exchanged(builder: Builder, node: Node, operands: list[Value]) -> Value | None:
        id = node.inputs[0].node
        if id not in swapped:
            return None
        product = builder.node(operands[0].ref)
        names = ("lhs_batch", "lhs_contract", "rhs_batch", "rhs_contract")
        a, b, c, d = (product.attrs[name] for name in names)
        left, right = (builder.value(ref) for ref in product.inputs)
        return builder.apply("contract", right, left, **dict(zip(names, (c, d, a, b), strict=True)))

    return rewrite(graph, {"transpose": exchanged}) if swapped else graph


def _all_swap(graph: Graph, id: int, readers: list[Node]) -> bool:
    product = graph.node(id)
    attrs, left = product.attrs, graph.type(product.inputs[0]).rank
    batch = len(attrs["lhs_batch"])
    rows = batch + left - batch - len(attrs["lhs_contract"])
    order = (*range(batch), *range(rows, product.outs[0].rank), *range(batch, rows))
    return all(reader.op == "transpose" and reader.attrs["order"] == order for reader in readers)


def order_operands(graph: Graph) -> Graph:
    """Transposes the constants of loops that contractions read across their rows: the summed axes come first."""
    return rewrite_many(graph, {"scan": _ordered})


def _ordered(builder: Builder, node: Node, operands: list[Value]) -> list[Value] | None:
    body: Graph = node.attrs["body"]
    signature = signature_of(node.attrs)
    transposed = _read_across(body)
    if not transposed:
        return None
    inner = build_like(body)
    mapping: dict[Ref, Ref] = {}
    names = dict(zip(signature.names, operands, strict=True))
    extra: list[Value] = []
    places: dict[tuple[int, Order], Ref] = {}
    for id, order in dict.fromkeys(transposed.values()):
        outside = builder.apply("transpose", names[body.node(id).attrs["name"]], order=order)
        places[id, order] = inner.input(f"c{signature.constants + len(extra)}", outside.type).ref
        extra.append(outside)
    for inside in body.table.values():
        copied = copy_node(inner, inside, mapping)
        mapping |= {Ref(inside.id, out): Ref(copied.id, out) for out in range(len(inside.outs))}
        sides = [(side, transposed[inside.id, side]) for side in (0, 1) if (inside.id, side) in transposed]
        if sides:
            mapping[Ref(inside.id)] = _product(inner, inside, mapping, dict(sides), places).ref
    constants, carries, xs = signature.parts(operands)
    attrs = {**node.attrs, "constants": signature.constants + len(extra)}
    attrs["body"] = inner.finish(mapping[ref] for ref in body.outputs)
    return list(builder.apply_many("scan", *constants, *extra, *carries, *xs, **attrs))


def _read_across(body: Graph) -> dict[tuple[int, int], tuple[int, Order]]:
    """By contraction and side, operands that are constants read across their rows: the constant, and the best order."""
    operands: dict[tuple[int, int], tuple[int, Order]] = {}
    for node in body.of_op("contract"):
        for side, (batch, summed) in enumerate((("lhs_batch", "lhs_contract"), ("rhs_batch", "rhs_contract"))):
            source = body.node(node.inputs[side].node)
            is_constant = source.op == "input" and source.attrs["name"].startswith("c")
            if not is_constant or node.attrs[batch]:
                continue
            first: Order = node.attrs[summed]
            order = (*first, *(axis for axis in range(source.outs[0].rank) if axis not in first))
            if order != tuple(range(len(order))):
                operands[node.id, side] = (source.id, order)
    return operands


def _product(
    builder: Builder,
    node: Node,
    mapping: dict[Ref, Ref],
    transposed: dict[int, tuple[int, Order]],
    places: dict[tuple[int, Order], Ref],
) -> Value:
    """The contraction with some operands in another order."""
    attrs = dict(node.attrs)
    refs = [mapping[ref] for ref in node.inputs]
    for side, key in transposed.items():
        refs[side] = places[key]
        summed = "lhs_contract" if side == 0 else "rhs_contract"
        attrs[summed] = tuple(range(len(attrs[summed])))
    with builder.located(node.loc):
        return builder.apply(node.op, *(builder.value(ref) for ref in refs), **attrs)
