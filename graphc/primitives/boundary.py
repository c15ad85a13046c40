"""Gradients that users define: an operation that returns its first operands, and has the gradient of a given graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ShapeError, VerificationError
from graphc.graph.builder import Applied, Builder, Value, inline
from graphc.graph.core import Graph
from graphc.graph.registry import Batched, Case, Kind, Primitive, RegionRule, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import INEXACT, Array
from graphc.primitives.batching import vectorized_graph
from graphc.primitives.control import check_region

# Its operands are the results, the arguments by which they are differentiated, and what else the gradient reads. The
# graph of the gradient has an input for each operand but the results, then one for each result's cotangent; it returns
# a cotangent for each argument.


def _infer(*operands: TensorType, backward: Graph, results: int, arguments: int) -> tuple[TensorType, ...]:
    given = [*operands[results:], *operands[:results]]
    check_region("the gradient", backward, {f"c{i}": type for i, type in enumerate(given)})
    wanted = operands[results : results + arguments]
    returned = [backward.type(ref) for ref in backward.outputs]
    if returned != list(wanted):
        raise ShapeError(
            "a custom gradient has other types than the arguments",
            got=", ".join(map(str, returned)),
            expected=", ".join(map(str, wanted)),
        )
    return operands[:results]


def _eval(
    *operands: Array, backward: Callable[[Mapping[str, Array]], list[Array]], results: int, arguments: int
) -> tuple[Array, ...]:
    return operands[:results]


def _lower(types: Sequence[TensorType], backward: Graph, results: int, arguments: int) -> RegionRule:
    raise VerificationError("a custom gradient is left in a graph that is compiled", hint="do not skip `simplify`")


def _vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Sequence[Value | None]:
    cotangents = given if isinstance(given, tuple) else (given,)
    results, arguments = n.attrs["results"], n.attrs["arguments"]
    arrived = [g or n.builder.full(0, y.shape, y.dtype) for g, y in zip(cotangents, n.operands, strict=False)]
    values = [*n.operands[results:], *arrived]
    grads = inline(n.builder, n.attrs["backward"], {f"c{i}": value for i, value in enumerate(values)})
    read = len(n.operands) - results - arguments
    return [*(None for _ in range(results)), *grads, *(None for _ in range(read))]


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    results, arguments = attrs["results"], attrs["arguments"]
    wide = [Batched(x.spread(length), True) for x in operands[: results + arguments]] + [
        *operands[results + arguments :]
    ]
    order = [*wide[results:], *wide[:results]]
    varies = {f"c{i}": x.varies for i, x in enumerate(order)}
    backward, _ = vectorized_graph(attrs["backward"], varies, length, [True] * arguments)
    found = builder.apply_many("custom_gradient", *(x.value for x in wide), **{**attrs, "backward": backward})
    return tuple(Batched(value, True) for value in found)


def _forwarded(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> tuple[Value, ...]:
    """The results themselves: gradients are computed before graphs are simplified."""
    return operands[: attrs["results"]]


def _doubled(dtype: DType) -> dict[str, Graph]:
    """The gradient of `y = c0` by `c0`: the cotangent `c1`."""
    builder, row = Builder(), TensorType((3,), dtype)
    builder.input("c0", row)
    return {"backward": builder.finish([builder.input("c1", row)])}


def _cases() -> Iterable[Case]:
    yield Case(((3,), (3,)), {"results": 1, "arguments": 1}, differentiable=False, typed=_doubled)


custom_gradient = register(
    Primitive(
        "custom_gradient",
        Kind.REGION,
        _infer,
        _eval,
        _lower,
        _vjp,
        _cases,
        INEXACT,
        batch=_batch,
        simplify=_forwarded,
        regions=("backward",),
    )
)
