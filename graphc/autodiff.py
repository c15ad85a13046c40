"""Reverse-mode differentiation, graph to graph.

Gradients are nodes like any others, so that they can be differentiated again, and are simplified, fused and planned
together with the forward pass.

Of complex numbers the convention is JAX's: the cotangent `c` of `y` stands for the change `Re(c * dy)` of the loss, so
that rules of holomorphic functions are those of real ones, without conjugates. The gradient of a real loss by
`z = x + iy` is `dL/dx - i dL/dy`: what descends goes along its conjugate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.errors import ArgumentError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import primitive
from graphc.graph.types import Ref, at_origin


def vjp(builder: Builder, cotangents: Mapping[Ref, Value], wrt: Sequence[Value]) -> list[Value | None]:
    """Adds the product of cotangents with the Jacobian to a graph under construction.

    For values `y_i` with cotangents `c_i` and for `x_j` in `wrt`, the result is `sum_i c_i^T dy_i/dx_j`.

    Args:
        builder: The graph that holds all the values.
        cotangents: The cotangent of each value that is differentiated.
        wrt: The values to differentiate by.

    Returns:
        The cotangent of each value in `wrt`; None where nothing that was differentiated depends on it.

    Raises:
        ArgumentError: if an operation on the way has no gradient, with its layer and the user's line.
    """
    targets = {value.ref for value in wrt}
    last = max((ref.node for ref in cotangents), default=-1)
    active = _depending(builder, targets, last)
    needed = _ancestors(builder, cotangents)
    sums: dict[Ref, Value] = dict(cotangents)
    for id in range(last, -1, -1):
        node = builder.nodes[id]
        refs = [Ref(id, out) for out in range(len(node.outs))]
        if id not in active or id not in needed or not node.inputs:
            continue
        arrived = [sums.pop(ref, None) if ref not in targets else sums.get(ref) for ref in refs]
        if all(cotangent is None for cotangent in arrived):
            continue
        with builder.located(node.loc):
            _propagate(Applied(builder, node, vjp), arrived, active, sums)
    return [sums.get(value.ref) for value in wrt]


def _depending(builder: Builder, targets: set[Ref], last: int) -> set[int]:
    """The nodes, up to `last`, that compute with a target or are one."""
    active = {ref.node for ref in targets}
    for node in builder.nodes[: last + 1]:
        if any(ref.node in active for ref in node.inputs):
            active.add(node.id)
    return active


def _ancestors(builder: Builder, roots: Mapping[Ref, Value]) -> set[int]:
    seen: set[int] = set()
    stack = [ref.node for ref in roots]
    while stack:
        id = stack.pop()
        if id not in seen:
            seen.add(id)
            stack.extend(ref.node for ref in builder.nodes[id].inputs)
    return seen


def _propagate(applied: Applied, cotangents: list[Value | None], active: set[int], sums: dict[Ref, Value]) -> None:
    node, builder = applied.node, applied.builder
    operands = [ref for ref in node.inputs if ref.node in active and builder.type(ref).dtype.is_inexact]
    if not operands:
        return
    known = primitive(node.op)
    rule = known.vjp
    if rule is None:
        # An operation with integer or boolean results has derivative zero; one on floats has none that we know.
        if not any(out.dtype.is_inexact for out in node.outs):
            return
        own = ", or give `vjp` to `graphc.primitive`" if known.code is not None else ""
        hint = f"stop the gradient before it (`ops.stop_gradient`){own}"
        raise at_origin(ArgumentError(f"`{node.op}` has no gradient", hint=hint), node.loc)
    given = cotangents[0] if len(node.outs) == 1 else tuple(cotangents)
    for ref, part in zip(node.inputs, rule(given, applied), strict=True):
        if part is None or ref.node not in active:
            continue
        sums[ref] = builder.apply("add", sums[ref], part) if ref in sums else part


def grad(output: Value, wrt: Sequence[Value]) -> list[Value]:
    """The gradient of a scalar by each value in `wrt`; zeros where it does not depend on one.

    Raises:
        ArgumentError: if `output` is not a floating-point scalar.
    """
    if output.shape != () or not output.dtype.is_float:
        raise ArgumentError("only a floating-point scalar can be differentiated", got=str(output.type))
    builder = output.builder
    found = vjp(builder, {output.ref: builder.constant(1, output.dtype)}, wrt)
    return [part or builder.full(0, value.shape, value.dtype) for part, value in zip(found, wrt, strict=True)]
