"""Tensors that code kept from a graph that is finished: an error that says so, whatever is done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import GraphcError, StateError


def kept() -> Any:
    tensors: list[Any] = []

    class Keeping(layers.Layer):
        def call(self, x: Any) -> Any:
            tensors.append(x)
            return x * 2

    with graphc.backend("numpy"):
        graphc.Sequential([graphc.Input((3,)), Keeping()]).predict(np.ones((2, 3)), verbose=0)
    return tensors[-1]


USES: dict[str, Callable[[Any], Any]] = {
    "operator": lambda x: x + 1,
    "reversed operator": lambda x: 1 - x,
    "with another": lambda x: x * x,
    "numpy": lambda x: x.numpy(),
    "an array": np.asarray,
    "a NumPy function": lambda x: np.exp(x),
    "an operation": ops.exp,
    "a reduction": ops.sum,
    "a product": lambda x: x @ np.ones((3, 2), "float32"),
    "a layer": lambda x: layers.Dense(2)(x),
    "a number": float,
    "a condition": bool,
    "indexing": lambda x: x[0],
    "a length": len,
    "a loop": list,
    "text": lambda x: f"{x:.2f}",
    "a variable": graphc.Variable,
    "a function": lambda x: graphc.function(lambda: x + 1)(),
    "an argument": lambda x: graphc.function(lambda y: y + 1)(x),
    "an assignment": lambda x: graphc.Variable(np.ones((2, 3))).assign(x),
    "joining": lambda x: ops.concatenate([x, x]),
    "a stack": lambda x: ops.stack([x, np.ones((2, 3))]),
    "a reshape": lambda x: ops.reshape(x, (-1,)),
}


@pytest.mark.parametrize("use", USES)
def test_no_values(use: str) -> None:
    tensor = kept()
    assert "shape=(B, 3)" in repr(tensor)
    with pytest.raises(GraphcError) as caught:
        USES[use](tensor)
    assert isinstance(caught.value, StateError) or use == "an assignment"
    assert "test_kept_tensors.py" in str(caught.value) or use == "an assignment"
