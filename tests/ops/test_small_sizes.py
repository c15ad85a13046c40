"""Operations of one tensor, of no elements, of one, and of scalars: what Keras on JAX returns, graphc returns, too."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops, tree

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
jax = pytest.importorskip("jax")

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPES = [(0,), (1,), (2, 0), (0, 3), (1, 1), (1, 3), (), (2, 1, 0)]
# Not of tensors, or not of values that are the same in both.
OTHERS = {
    "convert_to_numpy",
    "is_tensor",
    "dtype",
    "shape",
    "ndim",
    "empty",
    "empty_like",
    "vectorize",
    "custom_gradient",
}
# They take numbers, sizes or sequences of tensors.
OTHERS |= {"arange", "eye", "identity", "tri", "bartlett", "blackman", "hamming", "hanning", "concatenate", "stack"}
OTHERS |= {"hstack", "vstack", "dstack", "meshgrid", "unstack", "fft", "fft2", "ifft2", "rfft", "irfft", "istft"}
DIFFERENT = {
    "inv": "the inverse of a singular matrix is NaN, where JAX divides by 0",
    "cholesky": "a matrix that is not positive definite is an error",
    "sparsemax": "Keras's is right only where one element is not 0",
    "layer_normalization": "Keras rounds the result to the integers of the operand",
    "rms_normalization": "Keras rounds the result to the integers of the operand",
    "normalize": "Keras gives a scalar an axis",
    "histogram": "Keras on JAX takes scalars, and rounds edges",
}


def functions() -> list[str]:
    """The operations that take one operand."""
    found = []
    for name in set(ops.__all__) - OTHERS:
        if hasattr(keras.ops, name):
            parameters = inspect.signature(getattr(keras.ops, name)).parameters.values()
            needed = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
            if len(needed) == 1:
                found.append(name)
    return sorted(found)


def cases(name: str, dtype: str) -> list[tuple[Any, dict[str, Any]]]:
    rng = np.random.default_rng(0)
    has_axis = "axis" in inspect.signature(getattr(keras.ops, name)).parameters
    found: list[tuple[Any, dict[str, Any]]] = []
    for shape in SHAPES:
        x = rng.uniform(0.5, 2, shape)
        array = np.asarray(x > 1 if dtype == "bool" else x.astype(dtype))
        found.append((array, {}))
        if has_axis:
            found += [(array, {"axis": axis}) for axis in {0, len(shape) - 1} if 0 <= axis < len(shape)]
    return found


def types(result: Any) -> list[Any]:
    leaves = jax.tree_util.tree_leaves(result, is_leaf=lambda x: hasattr(x, "shape"))
    return [(tuple(x.shape), str(keras.backend.standardize_dtype(x.dtype))) for x in leaves if hasattr(x, "shape")]


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_types(dtype: str) -> None:
    wrong = []
    for name in functions():
        for x, kwargs in cases(name, dtype) if name not in DIFFERENT else ():
            try:
                wanted = types(jax.eval_shape(lambda x, n=name, k=kwargs: getattr(keras.ops, n)(x, **k), x))
            except Exception:  # what Keras refuses, or does not trace
                continue
            try:
                found = types(tree.flatten(getattr(ops, name)(x, **kwargs)))
            except graphc.errors.GraphcError as error:
                wrong.append(f"{name} of {x.shape} {kwargs}: {type(error).__name__}, expected {wanted}")
                continue
            if found != wanted:
                wrong.append(f"{name} of {x.shape} {kwargs}: {found}, expected {wanted}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bool"])
def test_values(dtype: str) -> None:
    wrong = []
    for name in functions():
        for x, kwargs in cases(name, dtype) if name not in DIFFERENT else ():
            try:
                wanted = jax.tree_util.tree_leaves(getattr(keras.ops, name)(x, **kwargs))
            except Exception:  # what Keras refuses
                continue
            found = tree.flatten(getattr(ops, name)(x, **kwargs))
            for a, b in zip(found, wanted, strict=True):
                if hasattr(a, "numpy") and not np.allclose(a.numpy(), b, rtol=1e-4, atol=1e-5, equal_nan=True):
                    wrong.append(f"{name} of {x.shape} {kwargs}: {a.numpy().tolist()}, expected {b}")
    assert not wrong, "\n".join(wrong)
