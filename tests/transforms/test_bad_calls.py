"""Wrong arguments of tapes, functions, loops and optimizers: each error is ours and names the line of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import metrics, ops, optimizers
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError

VEC = ops.convert_to_tensor([1.0, 2.0, 3.0])


def _pulled(factor: Any) -> Any:
    v = graphc.Variable([1.0, 2.0])
    with graphc.GradientTape() as tape:
        y = v * v
    return tape.gradient(y, v, output_gradients=factor)


def _stepped(*pairs: Any) -> None:
    optimizers.SGD(1.0).apply_gradients(pairs)


def _traced(function: Callable[..., Any], *args: Any) -> Any:
    return graphc.function(function)(*args)


CASES: dict[str, tuple[Callable[[], Any], type[GraphcError], str]] = {
    "output_gradients": (lambda: _pulled(VEC), ShapeError, "output_gradients"),
    "output_gradients that broadcast": (lambda: _pulled(np.ones((2, 1))), ShapeError, "output_gradients"),
    "a tangent": (lambda: graphc.jvp(lambda x: x * 2.0, (VEC,), (VEC[:1],)), ShapeError, "a tangent"),
    "a cotangent": (lambda: graphc.vjp(lambda x: x * 2.0, VEC)[1](VEC[:2]), ShapeError, "another shape"),
    "a gradient's shape": (lambda: _stepped((VEC[:2], graphc.Variable(VEC))), ShapeError, "than the weight"),
    "a gradient that broadcasts": (lambda: _stepped((VEC[0], graphc.Variable(VEC))), ShapeError, "than the weight"),
    "swapped pairs": (lambda: _stepped((graphc.Variable(VEC), VEC)), ArgumentError, "updates variables"),
    "no pairs": (lambda: _stepped(VEC), ArgumentError, "takes pairs"),
    "counts": (lambda: optimizers.SGD().apply([VEC, VEC], [graphc.Variable(VEC)]), ArgumentError, "not one gradient"),
    "bounds": (lambda: ops.fori_loop(0.5, 3, lambda i, a: a, VEC), DTypeError, "fori_loop"),
    "bounds in a trace": (
        lambda: _traced(lambda x: ops.fori_loop(0, x, lambda i, a: a, x), VEC[0]),
        DTypeError,
        "fori_loop",
    ),
    "a combination": (
        lambda: ops.associative_scan(lambda a, b: ops.sum(a + b), VEC),
        ShapeError,
        "something else than it takes",
    ),
    "an assignment": (lambda: graphc.Variable([1.0, 2.0]).assign(VEC), ShapeError, "cannot take this value"),
    "an assignment in a trace": (
        lambda: _traced(graphc.Variable([1.0, 2.0]).assign, VEC),
        ShapeError,
        "cannot take this value",
    ),
    "no numbers": (lambda: _traced(lambda x: x, np.array(["a"])), DTypeError, "cannot be a tensor"),
    "a result": (lambda: _traced(lambda x: object(), VEC), DTypeError, "cannot be a tensor"),
    "a metric": (lambda: metrics.MeanSquaredError().update_state(VEC, VEC[:2]), ShapeError, "differ in shape"),
    "remat": (lambda: graphc.remat(3), ArgumentError, "takes a function"),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_are_ours_and_name_the_line(case: str) -> None:
    call, error, says = CASES[case]
    with pytest.raises(GraphcError) as caught:
        call()
    assert isinstance(caught.value, error) and says in str(caught.value)
    assert f"{__file__}:" in str(caught.value)
