"""Attributes at their extremes, and axes without elements, against Keras on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import ArgumentError, GraphcError, ShapeError
from graphc.tracing import Tensor

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

X = np.arange(12, dtype="float32").reshape(3, 4)
IMAGE = np.arange(32, dtype="float32").reshape(1, 4, 4, 2)
INF = float("inf")
Case = Callable[[Any, Any], Any]
CASES: dict[str, Case] = {
    "repeat0": lambda o, x: o.repeat(x, 0, 1),
    "repeat list": lambda o, x: o.repeat(x, np.array([0, 2, 1]), 0),
    "repeat arr1": lambda o, x: o.repeat(x, np.array([2]), 0),
    "repeat none": lambda o, x: o.repeat(x, 3),
    "tile0": lambda o, x: o.tile(x, 0),
    "tile1": lambda o, x: o.tile(x, (1, 1)),
    "tile3": lambda o, x: o.tile(x, (2, 1, 2)),
    "split[]": lambda o, x: o.split(x, [], 0),
    "split0": lambda o, x: o.split(x, [0, 3], 0),
    "split dup": lambda o, x: o.split(x, [1, 1], 0),
    "split4": lambda o, x: o.split(x, 4, 1),
    "split arr": lambda o, x: o.split(x, np.array([1, 2]), 1),
    "roll big": lambda o, x: o.roll(x, 10**6, 1),
    "roll neg": lambda o, x: o.roll(x, -13, 0),
    "roll tuple": lambda o, x: o.roll(x, (1, 2), (0, 1)),
    "roll 2axes": lambda o, x: o.roll(x, 1, (0, 1)),
    "triu100": lambda o, x: o.triu(x, 100),
    "tril-100": lambda o, x: o.tril(x, -100),
    "pad0": lambda o, x: o.pad(x, 0),
    "pad asym": lambda o, x: o.pad(x, ((0, 3), (2, 0))),
    "pad const": lambda o, x: o.pad(x, 1, constant_values=-5.0),
    "pad reflect": lambda o, x: o.pad(x, ((2, 2), (3, 3)), mode="reflect"),
    "pad symm": lambda o, x: o.pad(x, ((3, 3), (4, 4)), mode="symmetric"),
    "pad edge": lambda o, x: o.pad(x, ((5, 0), (0, 5)), mode="edge"),
    "moveaxis[]": lambda o, x: o.moveaxis(x, [], []),
    "stack1": lambda o, x: o.stack([x]),
    "concat1": lambda o, x: o.concatenate([x], -1),
    "sum()": lambda o, x: o.sum(x, axis=()),
    "mean()": lambda o, x: o.mean(x, axis=()),
    "max()": lambda o, x: o.max(x, axis=()),
    "var()": lambda o, x: o.var(x, axis=()),
    "any()": lambda o, x: o.any(x, axis=()),
    "sum k": lambda o, x: o.sum(x, axis=(0, 1), keepdims=True),
    "argmax k": lambda o, x: o.argmax(x, keepdims=True),
    "argmin k": lambda o, x: o.argmin(x, axis=0, keepdims=True),
    "take0d": lambda o, x: o.take(x, 1, axis=0),
    "take none": lambda o, x: o.take(x, [[1, 2]]),
    "take neg": lambda o, x: o.take(x, -1, axis=1),
    "arange neg": lambda o, x: o.arange(5, 0, -2),
    "arange empty": lambda o, x: o.arange(5, 0),
    "arange f": lambda o, x: o.arange(0.0, 1.0, 0.25),
    "arange -": lambda o, x: o.arange(-3),
    "linspace1": lambda o, x: o.linspace(3, 4, 1),
    "linspace noend": lambda o, x: o.linspace(0, 1, 4, endpoint=False),
    "linspace neg": lambda o, x: o.linspace(5, -5, 3),
    "linspace ax": lambda o, x: o.linspace(x, x + 1, 3, axis=-1),
    "eye k": lambda o, x: o.eye(3, 5, -2),
    "eye k10": lambda o, x: o.eye(3, k=10),
    "tri": lambda o, x: o.tri(3, 4, -5),
    "clip inverted": lambda o, x: o.clip(x, 5, 1),
    "clip arr": lambda o, x: o.clip(x, x - 1, x - 2),
    "clip inf": lambda o, x: o.clip(x, -INF, INF),
    "power int neg": lambda o, x: o.power(o.cast(x + 1, "int32"), 2),
    "fd0": lambda o, x: o.floor_divide(x, 0.0),
    "mod0": lambda o, x: o.mod(x, 0.0),
    "mod neg": lambda o, x: o.mod(x - 6, -4.0),
    "fd neg": lambda o, x: o.floor_divide(x - 6, -4.0),
    "int mod0": lambda o, x: o.mod(o.cast(x, "int32"), 0),
    "int mod neg": lambda o, x: o.mod(o.cast(x, "int32") - 6, -4),
    "cast nan": lambda o, x: o.cast(x * np.nan, "bool"),
    "cast neg uint": lambda o, x: o.cast(x - 6, "int8"),
    "cast .9": lambda o, x: o.cast(x / 3 - 2, "int32"),
    "cast bool": lambda o, x: o.cast(x > 3, "float32"),
    "round half": lambda o, x: o.round(x / 2),
    "round neg": lambda o, x: o.round(x * 37, -1),
    "round int": lambda o, x: o.round(o.cast(x, "int32"), -1),
    "sign0": lambda o, x: o.sign(x - 6),
    "softmax ax": lambda o, x: o.softmax(x, axis=(0, 1)),
    "log_softmax0": lambda o, x: o.log_softmax(x, axis=0),
    "onehot -1": lambda o, x: o.one_hot(o.cast(x, "int32"), 12, axis=0),
    "onehot 0": lambda o, x: o.one_hot(o.cast(x, "int32"), 0),
    "squeeze": lambda o, x: o.squeeze(o.reshape(x, (1, 12, 1))),
    "squeeze ax": lambda o, x: o.squeeze(o.reshape(x, (1, 12, 1)), axis=(0, 2)),
    "expand many": lambda o, x: o.expand_dims(x, (0, -1, 2)),
    "bc": lambda o, x: o.broadcast_to(o.reshape(x, (3, 1, 4)), (2, 3, 5, 4)),
    "norm0": lambda o, x: o.norm(x, axis=0),
    "norm p.5": lambda o, x: o.norm(x, 0.5, axis=0),
    "norm -inf": lambda o, x: o.norm(x, -INF, axis=1),
    "norm 0": lambda o, x: o.norm(x, 0, axis=1),
    "norm -1": lambda o, x: o.norm(x + 1, -1, axis=1),
    "norm fro": lambda o, x: o.norm(x, "fro", axis=(0, 1)),
    "norm 1 mat": lambda o, x: o.norm(x, 1, axis=(0, 1)),
    "norm inf mat": lambda o, x: o.norm(x, INF, axis=(0, 1)),
    "norm 1 none": lambda o, x: o.norm(x, 1),
    "norm keep": lambda o, x: o.norm(x, keepdims=True),
    "norm 1 vec": lambda o, x: o.norm(o.ravel(x), 1),
    "norm0 vec": lambda o, x: o.norm(o.ravel(x), 0),
    "pool1": lambda o, x: o.max_pool(IMAGE, 1, 1),
    "pool1s3": lambda o, x: o.average_pool(IMAGE, 1, 3),
    "pool4": lambda o, x: o.max_pool(IMAGE, 4, 4),
    "pool5same": lambda o, x: o.average_pool(IMAGE, 5, 1, "same"),
    "pool str big": lambda o, x: o.max_pool(IMAGE, 2, 9),
    "conv big stride": lambda o, x: o.conv(IMAGE, np.ones((2, 2, 2, 1), "float32"), 9, "same"),
    "conv1": lambda o, x: o.conv(IMAGE, np.ones((1, 1, 2, 1), "float32")),
    "conv dil": lambda o, x: o.conv(IMAGE, np.ones((2, 2, 2, 1), "float32"), 1, "same", dilation_rate=3),
    "convT": lambda o, x: o.conv_transpose(IMAGE, np.ones((1, 1, 3, 2), "float32"), 3),
    "convT same": lambda o, x: o.conv_transpose(IMAGE, np.ones((3, 3, 3, 2), "float32"), 2, "same"),
    "unstack": lambda o, x: o.unstack(x, axis=-1),
    "tensordot0": lambda o, x: o.tensordot(x, x, 0),
    "tensordot neg": lambda o, x: o.tensordot(x, x, [[-1], [-1]]),
    "einsum diag": lambda o, x: o.einsum("ii->i", x[:, :3]),
    "einsum none": lambda o, x: o.einsum("ij->", x),
    "einsum outer": lambda o, x: o.einsum("i,j", x[0], x[1]),
    "max init": lambda o, x: o.max(x, axis=1, initial=5.0),
    "prod int": lambda o, x: o.prod(o.cast(x + 1, "int8"), axis=1),
    "average": lambda o, x: o.average(x, 0, [1.0, 2.0, 3.0]),
    "count": lambda o, x: o.count_nonzero(x, axis=(0, 1)),
    "flip()": lambda o, x: o.flip(x, axis=()),
    "swap": lambda o, x: o.swapaxes(x, -1, -2),
    "transpose": lambda o, x: o.transpose(x, (-1, 0)),
    "slice full": lambda o, x: o.slice(x, (1, 1), (0, 2)),
    "logical": lambda o, x: o.logical_and(x, x - 1),
    "where nan": lambda o, x: o.where(x > 3, np.nan, x),
    "where int": lambda o, x: o.where(x > 3, 1, 0),
    "where mixed": lambda o, x: o.where(x > 3, 1, 0.5),
    "nan_to_num": lambda o, x: o.nan_to_num(x / 0.0, nan=1, posinf=2, neginf=3),
    "logsumexp k": lambda o, x: o.logsumexp(x, axis=(0, 1), keepdims=True),
    "normalize": lambda o, x: o.normalize(x, axis=0, order=1),
    "dot0": lambda o, x: o.dot(x, 2.0),
    "vdot": lambda o, x: o.vdot(x, x),
    "outer": lambda o, x: o.outer(x[0], 2.0),
    "full arr": lambda o, x: o.full((2, 4), x[0]),
    "full_like": lambda o, x: o.full_like(x, INF),
    "ptp": lambda o, x: o.ptp(x, axis=(0, 1)),
    "std k": lambda o, x: o.std(x, axis=(0, 1), keepdims=True),
    "identity": lambda o, x: o.identity(0),
    "diag-ish": lambda o, x: o.eye(2, dtype="int8"),
    "reshape -1": lambda o, x: o.reshape(x, -1),
    "reshape ()": lambda o, x: o.reshape(x[:1, :1], ()),
    "glu0": lambda o, x: o.glu(x, axis=1),
    "threshold": lambda o, x: o.threshold(x, 5, 0),
    "celu big": lambda o, x: o.celu(x - 6, 1e-3),
    "elu0": lambda o, x: o.elu(x - 6, 0.0),
    "leaky1": lambda o, x: o.leaky_relu(x - 6, 1.0),
    "leaky0": lambda o, x: o.leaky_relu(x - 6, 0.0),
    "shrink0": lambda o, x: o.soft_shrink(x - 6, 0.0),
    "hshrink0": lambda o, x: o.hard_shrink(x - 6, 0.0),
    "sqplus0": lambda o, x: o.squareplus(x - 6, 0),
}


def values(result: Any) -> list[Any]:
    return [np.asarray(part) for part in (result if isinstance(result, list | tuple) else [result])]


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_attributes_at_their_extremes(traced: bool) -> None:
    results = {}
    if traced:

        def run(x: Tensor) -> list[Any]:
            return [case(ops, x) for case in CASES.values()]

        with graphc.backend("numpy"):
            results = dict(zip(CASES, graphc.function(run)(X), strict=True))
    else:
        results = {name: case(ops, ops.convert_to_tensor(X)) for name, case in CASES.items()}
    for name, result in results.items():
        expected = values(CASES[name](keras.ops, keras.ops.convert_to_tensor(X)))
        found = values(result)
        assert len(found) == len(expected), name
        for a, b in zip(found, expected, strict=True):
            assert (a.shape, str(a.dtype)) == (b.shape, str(b.dtype)), name
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("padding", ["SAME", "Same", "VALID"])
def test_paddings_in_any_case(padding: str) -> None:
    kernel = np.ones((2, 2, 2, 3), "float32")
    for case in (
        lambda name: ops.max_pool(IMAGE, 3, 2, name),
        lambda name: ops.average_pool(IMAGE, 3, 2, name),
        lambda name: ops.conv(IMAGE, kernel, 2, name),
        lambda name: ops.depthwise_conv(IMAGE, kernel, 2, name),
        lambda name: ops.conv_transpose(IMAGE, kernel.swapaxes(2, 3), 2, name),
        lambda name: graphc.layers.Conv2D(2, 3, padding=name, kernel_initializer="ones")(IMAGE),
        lambda name: graphc.layers.MaxPooling2D(3, 2, padding=name)(IMAGE),
        lambda name: graphc.layers.Conv2DTranspose(2, 3, padding=name, kernel_initializer="ones")(IMAGE),
    ):
        np.testing.assert_array_equal(case(padding).numpy(), case(padding.lower()).numpy())
    with pytest.raises(ArgumentError, match="padding"):
        ops.conv(IMAGE, kernel, 1, "full")


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_roll_along_a_batch(backend: str) -> None:
    given = graphc.Input((3,))
    model = graphc.Model(given, [ops.roll(given, 1, axis=0), ops.roll(given, (-5, 2), axis=(0, 1))])
    with graphc.backend(backend):
        for rows in (1, 4, 7):
            x = np.arange(3 * rows, dtype="float32").reshape(rows, 3)
            for found, expected in zip(
                model.predict(x, verbose=0), (np.roll(x, 1, 0), np.roll(x, (-5, 2), (0, 1))), strict=True
            ):
                np.testing.assert_array_equal(found, expected)


EMPTY: dict[str, Case] = {
    "reshape": lambda o, x: o.reshape(x, (-1, 0)),
    "reshape2": lambda o, x: o.reshape(x, (0, 7)),
    "reshape3": lambda o, x: o.reshape(x, (x.shape[0], -1)),
    "concat": lambda o, x: o.concatenate([x, x]),
    "concat1": lambda o, x: o.concatenate([x, x], -1),
    "stack": lambda o, x: o.stack([x, x]),
    "take": lambda o, x: o.take(x, np.zeros((0,), "int32"), axis=0),
    "take1": lambda o, x: o.take(x, np.zeros((2,), "int32"), axis=0),
    "takel": lambda o, x: o.take(x, np.zeros((2,), "int32"), axis=-1),
    "matmul": lambda o, x: o.matmul(x, o.transpose(x)) if x.ndim == 2 else o.sum(x),
    "matmul2": lambda o, x: o.matmul(o.transpose(x), x) if x.ndim == 2 else o.sum(x),
    "einsum": lambda o, x: o.einsum("...i->...", x),
    "pad": lambda o, x: o.pad(x, 1),
    "tile": lambda o, x: o.tile(x, 2),
    "repeat": lambda o, x: o.repeat(x, 2, 0),
    "roll": lambda o, x: o.roll(x, 1, 0),
    "rollN": lambda o, x: o.roll(x, 1),
    "split": lambda o, x: o.split(x, 1),
    "squeeze": lambda o, x: o.squeeze(x),
    "expand": lambda o, x: o.expand_dims(x, 0),
    "bc": lambda o, x: o.broadcast_to(x, (2, *x.shape)),
    "where": lambda o, x: o.where(x > 0, x, 0),
    "clip": lambda o, x: o.clip(x, 0, 1),
    "slice": lambda o, x: o.slice(x, (0,) * x.ndim, x.shape),
    "get": lambda o, x: x[:0],
    "get2": lambda o, x: x[..., :2],
    "onehot": lambda o, x: o.one_hot(o.cast(x, "int32"), 3),
    "unstack": lambda o, x: o.stack(o.unstack(o.expand_dims(x, 0), axis=0)),
    "bce": lambda o, x: o.binary_crossentropy(x, x),
    "max_init": lambda o, x: o.max(x, initial=1.0),
    "min_init": lambda o, x: o.min(x, axis=0, initial=1.0),
    "swap": lambda o, x: o.swapaxes(x, 0, -1),
    "outer": lambda o, x: o.outer(x, x),
    "dot": lambda o, x: o.dot(x, o.transpose(x)),
    "inner": lambda o, x: o.inner(x, x),
    "arange0": lambda o, x: o.arange(0),
    "lin0": lambda o, x: o.linspace(0, 1, 0),
    "lin1": lambda o, x: o.linspace(0, 1, 1),
    "eye0": lambda o, x: o.eye(0),
    "ones0": lambda o, x: o.ones((0, 3)),
    "tri0": lambda o, x: o.tri(0),
    "taa": lambda o, x: o.take_along_axis(x, np.zeros(x.shape, "int32"), axis=0),
    "oh0": lambda o, x: o.one_hot(np.array([1]), 0),
}
UNARY = [
    "argmax",
    "average",
    "exp",
    "log_softmax",
    "logsumexp",
    "softmax",
    "max",
    "norm",
    "normalize",
    "prod",
    "var",
    "glu",
]
ALONG = ["all", "any", "argmax", "logsumexp", "max", "mean", "prod", "std", "sum"]
for _name in UNARY:
    EMPTY[_name] = lambda o, x, name=_name: getattr(o, name)(x)  # type: ignore[misc]
for _name in ALONG:
    EMPTY[f"{_name} along 0"] = lambda o, x, name=_name: getattr(o, name)(x, axis=0)  # type: ignore[misc]
    EMPTY[f"{_name} along -1"] = lambda o, x, name=_name: getattr(o, name)(x, axis=-1)  # type: ignore[misc]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)], ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_axes_without_elements(shape: tuple[int, ...]) -> None:
    """The same shapes and values as Keras; where it refuses, an error of ours."""
    array = np.zeros(shape, "float32")
    for name, case in EMPTY.items():
        try:
            expected = values(case(keras.ops, keras.ops.convert_to_tensor(array)))
        except Exception:
            with pytest.raises(GraphcError):
                case(ops, ops.convert_to_tensor(array))
            continue
        for a, b in zip(values(case(ops, ops.convert_to_tensor(array))), expected, strict=True):
            assert a.shape == b.shape, name
            np.testing.assert_array_equal(a, b, err_msg=name)


def test_the_largest_of_nothing() -> None:
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(ShapeError, match="of no elements has no value"):
            graphc.function(lambda x, name=name: getattr(ops, name)(x[:, :0], axis=1))(X)
