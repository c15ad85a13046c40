"""Sums of deviations from a mean, which are zero; the gradient of a variance contains such sums."""

from __future__ import annotations

from graphc import dims
from graphc.graph.builder import Value
from graphc.primitives.rewrites import literal, producer


def sum_of_deviations(x: Value, axes: tuple[int, ...]) -> Value | None:
    """`sum(c * (y - mean(y)))`, where `c` is the same along the axes; None where the sum has another form.

    It becomes `0 * sum(y)`, which is NaN where the mean is. `x` may also be a sum, a difference or the negative of such
    terms.

    Args:
        x: The summed value.
        axes: The axes of the sum.
    """
    total = _total(x, axes)
    if total is None:
        return None
    return x.builder.apply("mul", total, x.builder.full(0.0, total.shape, total.dtype))


def _total(x: Value, axes: tuple[int, ...]) -> Value | None:
    """The sum of the values `y` whose deviations are the terms of `x`; None where `x` has other terms."""
    node = producer(x)
    operands = [x.builder.value(ref) for ref in node.inputs]
    match node.op:
        case "neg":
            return _total(operands[0], axes)
        case "add":
            first = _total(operands[0], axes)
            return first if first is not None and _total(operands[1], axes) is not None else None
        case "sub":
            first = _of_difference(operands[0], operands[1], axes)
            if first is not None or _total(operands[0], axes) is None:
                return first
            return _total(operands[1], axes)
        case "mul":
            for one, other in (operands, operands[::-1]):
                if _is_constant_along(one, axes):
                    return _total(other, axes)
    return None


def _is_constant_along(value: Value, axes: tuple[int, ...]) -> bool:
    """Whether a value is the same along some axes."""
    node = producer(value)
    return node.op == "broadcast" and not set(node.attrs["axes"]) & set(axes)


def _of_difference(y: Value, mean: Value, axes: tuple[int, ...]) -> Value | None:
    """The sum of `y` over the axes, if `mean` is its mean over them; else None."""
    builder, node = y.builder, producer(mean)
    if node.op != "broadcast" or node.attrs["axes"] != tuple(a for a in range(y.rank) if a not in axes):
        return None
    quotient = builder.node(node.inputs[0])
    if quotient.op != "div":
        return None
    total, count = (builder.value(ref) for ref in quotient.inputs)
    summed = producer(total)
    same = summed.op == "sum" and summed.inputs[0] == y.ref and sorted(summed.attrs["axes"]) == sorted(axes)
    return total if same and _is_number(count, dims.product(y.shape[axis] for axis in axes)) else None


def _is_number(value: Value, number: dims.Dim) -> bool:
    """Whether all elements of a value are the given size."""
    if isinstance(number, int):
        return literal(value) == number
    node = producer(value)
    while node.op == "broadcast":
        node = value.builder.node(node.inputs[0])
    return node.op == "size" and node.attrs["dim"] == number
