"""Reverse-mode differentiation, graph to graph.

Gradients are nodes like any others, so that they can be differentiated again, and are simplified, fused and planned
together with the forward pass.

Of complex numbers the convention is JAX's: the cotangent `c` of `y` stands for the change `Re(c * dy)` of the loss, so
that rules of holomorphic functions are those of real ones, without conjugates. The gradient of a real loss by
`z = x + iy` is `dL/dx - i dL/dy`: what descends goes along its conjugate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ArgumentError, GraphcError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, primitive
from graphc.graph.types import Ref, at_origin
from graphc.primitives.batching import vectorized

# Whether a node, by its number, is one through which cotangents flow.
Through = Callable[[int], bool]


def vjp(
    builder: Builder, cotangents: Mapping[Ref, Value], wrt: Sequence[Value], through: Through | None = None
) -> list[Value | None]:
    """Adds the product of cotangents with the Jacobian to a graph under construction.

    For values `y_i` with cotangents `c_i` and for `x_j` in `wrt`, the result is `sum_i c_i^T dy_i/dx_j`.

    Args:
        builder: The graph that holds all the values.
        cotangents: The cotangent of each value that is differentiated.
        wrt: The values to differentiate by.
        through: The nodes through which cotangents flow. None: all.

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
        if id not in active or id not in needed or not node.inputs or (through is not None and not through(id)):
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
    try:
        parts = rule(given, applied)
    except GraphcError as error:
        raise at_origin(error, node.loc) from error.__cause__
    for ref, part in zip(node.inputs, parts, strict=True):
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


def jvp(
    builder: Builder,
    outputs: Sequence[Value],
    wrt: Sequence[Value],
    tangents: Sequence[Value],
    through: Through | None = None,
) -> list[Value | None]:
    """Adds the product of the Jacobian with tangents: `sum_j dy_i/dx_j t_j` for each output `y_i`.

    A product of cotangents with the Jacobian is linear in them; its own gradient by the cotangents is the Jacobian's
    product with what it is multiplied with. (Townsend, "A new trick for calculating Jacobian vector products", 2017.)

    Args:
        builder: The graph that holds all the values.
        outputs: The values to differentiate.
        wrt: The values to differentiate by.
        tangents: A change of each value in `wrt`.
        through: The nodes through which changes flow. None: all.

    Returns:
        The change of each output; None where it depends on none of `wrt`.

    Raises:
        ArgumentError: if an operation on the way has no gradient, with its layer and the user's line.
    """
    merging, builder.merging = builder.merging, False
    # The values of these do not matter, since nothing that is returned depends on them; each must be a node of its own.
    cotangents = [builder.apply("stop_gradient", builder.full(0, y.shape, y.dtype)) for y in outputs]
    builder.merging = merging
    sums: dict[Ref, Value] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        known = sums.get(output.ref)
        sums[output.ref] = cotangent if known is None else builder.apply("add", known, cotangent)
    products = vjp(builder, sums, wrt, through)
    pairs = [(p, t) for p, t in zip(products, tangents, strict=True) if p is not None]
    changes: dict[Ref, Value] = {}
    for product, tangent in pairs:
        known = changes.get(product.ref)
        changes[product.ref] = tangent if known is None else builder.apply("add", known, tangent)
    return vjp(builder, changes, cotangents)


def jacobian(
    builder: Builder, output: Value, wrt: Sequence[Value], through: Through | None = None
) -> list[Value | None]:
    """Adds the derivative of each element of a value by each element of others: reverse mode, vectorized over them.

    Args:
        builder: The graph that holds all the values.
        output: The value to differentiate: of known shape.
        wrt: The values to differentiate by.
        through: The nodes through which cotangents flow. None: all.

    Returns:
        For each value in `wrt` a value of the output's shape followed by its own; None where the output does not
        depend on it.

    Raises:
        ArgumentError: if an operation on the way has no gradient, with its layer and the user's line.
    """
    merging, builder.merging = builder.merging, False
    start = len(builder.nodes)
    seed = builder.apply("stop_gradient", builder.full(0, output.shape, output.dtype))
    found = vjp(builder, {output.ref: seed}, wrt, through)
    end = len(builder.nodes)
    builder.merging = merging
    count = dims.product(output.shape)
    rows = builder.apply("reshape", _identity(builder, count, output.dtype), shape=(count, *output.shape))
    known = {seed.ref: Batched(rows, True)}
    for node in builder.nodes[start:end]:
        if not any(ref in known for ref in node.inputs):
            continue
        operands = [known.get(ref) or Batched(builder.value(ref), False) for ref in node.inputs]
        with builder.located(node.loc):
            results = vectorized(builder, node.op, node.attrs, operands, count)
        known.update({Ref(node.id, out): result for out, result in enumerate(results)})
    parts = (None if part is None else known.get(part.ref) or Batched(part, False) for part in found)
    return [
        None if part is None else builder.apply("reshape", part.spread(count), shape=(*output.shape, *value.shape))
        for part, value in zip(parts, wrt, strict=True)
    ]


def _identity(builder: Builder, count: Dim, dtype: DType) -> Value:
    """The identity matrix."""
    row, column = (builder.apply("iota", shape=(count, count), axis=axis, dtype=dtypes.int32) for axis in (0, 1))
    return builder.apply("cast", builder.apply("eq", row, column), dtype=dtype)
