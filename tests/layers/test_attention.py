"""Attention layers and what they are made of, against Keras 3 on JAX."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import ArgumentError, ShapeError
from tests.layers.keras_comparison import compare, results_of_ours, results_of_theirs, share_weights
from tests.support.sessions import fresh_names

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


MULTI: list[tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]] = [
    ({"num_heads": 2, "key_dim": 3}, (2, 5, 4), {"use_causal_mask": True}),
    (
        {"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_bias": False, "output_shape": 7},
        (2, 5, 4),
        {"return_attention_scores": True},
    ),
    ({"num_heads": 2, "key_dim": 2, "use_gate": True, "sliding_window": 2}, (2, 5, 4), {"use_causal_mask": True}),
    ({"num_heads": 2, "key_dim": 2, "dropout": 0.3}, (2, 5, 4), {"return_attention_scores": True}),
    ({"num_heads": 2, "key_dim": 2, "attention_axes": (2, 3)}, (2, 3, 4, 2, 5), {}),
    ({"num_heads": 2, "key_dim": 2, "output_shape": (2, 3)}, (2, 3, 4, 5), {"return_attention_scores": True}),
    ({"num_heads": 1, "key_dim": 2}, (2, 4, 3), {"attention_mask": np.tri(4, k=1)[None].astype(bool)}),
]


def self_attention(api: Any, layer: Any, options: dict[str, Any]) -> Any:
    class Itself(api.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = layer

        def call(self, x: Any) -> Any:
            return self.inner(x, x, **options)

    return Itself()


@pytest.fixture(autouse=True)
def names_from_the_start() -> None:
    """Paths of weights hold numbers that count layers: both count from here, whatever was made before."""
    fresh_names()


def both(name: str, made: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(layers, name)(**made), getattr(keras.layers, name)(**made)


def check(ours: Any, theirs: Any, x: Any, options: dict[str, Any], backend: str = "numpy") -> None:
    a, b = self_attention(graphc, ours, options), self_attention(keras, theirs, options)
    a(x), jax.eval_shape(lambda: b(x))
    share_weights(a, b)
    for found, expected in zip(results_of_ours(a, x, {}, backend), results_of_theirs(b, x, {}), strict=True):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
    assert ours.get_config() | {"name": ""} == theirs.get_config() | {"name": ""}
    again = type(ours).from_config(ours.get_config())
    assert again.get_config() == ours.get_config()


@pytest.mark.parametrize(("made", "shape", "options"), MULTI, ids=lambda p: "-".join(p) if isinstance(p, dict) else "")
def test_multi_head(made: dict[str, Any], shape: tuple[int, ...], options: dict[str, Any]) -> None:
    ours, theirs = both("MultiHeadAttention", made)
    check(ours, theirs, normal(*shape), options)
    whole = (None, *shape[1:])
    assert ours.compute_output_shape(whole, whole) == theirs.compute_output_shape(whole, whole)


GROUPED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"use_causal_mask": True}),
    ({"use_gate": True, "use_bias": False, "sliding_window": 2}, {}),
    ({"dropout": 0.2}, {"return_attention_scores": True, "use_causal_mask": True}),
]


@pytest.mark.parametrize(("made", "options"), GROUPED, ids=lambda p: "-".join(p))
def test_grouped(made: dict[str, Any], options: dict[str, Any]) -> None:
    ours, theirs = both("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, **made})
    check(ours, theirs, normal(2, 5, 6), options)


def test_on_the_compiled_backend() -> None:
    ours, theirs = both("MultiHeadAttention", {"num_heads": 2, "key_dim": 3})
    check(ours, theirs, normal(2, 5, 4), {"use_causal_mask": True}, "cpu")


def test_different_keys_and_values() -> None:
    ours, theirs = both("MultiHeadAttention", {"num_heads": 2, "key_dim": 3})
    query, value, key = normal(2, 3, 4), normal(2, 5, 6, seed=1), normal(2, 5, 2, seed=2)
    jax.eval_shape(lambda: theirs(query, value, key)), ours(query, value, key)
    share_weights(ours, theirs)
    masks = {"value_mask": np.array([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]], bool)}
    found, expected = (layer(query, value, key, **masks) for layer in (ours, theirs))
    np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-5, atol=1e-5)


def test_a_row_without_keys_gives_no_nan() -> None:
    layer = layers.MultiHeadAttention(1, 2)
    x = normal(1, 3, 4)
    assert np.isfinite(layer(x, x, attention_mask=np.zeros((1, 3, 3), bool)).numpy()).all()


PLAIN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Attention", {"use_scale": True}, {"return_attention_scores": True}),
    ("Attention", {"score_mode": "concat", "use_scale": True}, {"use_causal_mask": True}),
    ("Attention", {}, {"mask": [np.array([[1, 0, 1]] * 2, bool), np.array([[1, 1, 0, 1]] * 2, bool)]}),
    ("AdditiveAttention", {}, {}),
    ("AdditiveAttention", {"use_scale": False}, {"use_causal_mask": True}),
]


@pytest.mark.parametrize(("name", "made", "options"), PLAIN, ids=lambda p: p if isinstance(p, str) else "-".join(p))
def test_without_heads(name: str, made: dict[str, Any], options: dict[str, Any]) -> None:
    ours, theirs = both(name, made)
    inputs = [normal(2, 3, 5), normal(2, 4, 5, seed=1), normal(2, 4, 5, seed=2)]
    compare(ours, theirs, inputs, options)
    shapes = [(None, 3, 5), (None, 4, 7)]
    assert ours.compute_output_shape(shapes) == theirs.compute_output_shape(shapes)


EINSUM: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d", "activation": "relu"}, (2, 3, 4)),
    ({"equation": "...x,xy->...y", "output_shape": 3, "bias_axes": "y"}, (2, 3, 4)),
    ({"equation": "ab...,bc->ac...", "output_shape": 3, "bias_axes": "c"}, (2, 3, 4)),
    ({"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"}, (2, 3, 4)),
    ({"equation": "abcd,cde->abe", "output_shape": (None, 3), "kernel_regularizer": "l2"}, (2, 3, 4, 2)),
]


@pytest.mark.parametrize(("made", "shape"), EINSUM, ids=lambda p: p["equation"] if isinstance(p, dict) else "")
def test_einsum_dense(made: dict[str, Any], shape: tuple[int, ...]) -> None:
    ours, theirs = both("EinsumDense", made)
    compare(ours, theirs, normal(*shape), {})
    whole = (None, *shape[1:])
    assert tuple(ours.compute_output_shape(whole)) == tuple(theirs.compute_output_shape(whole))


def test_first_kernels_spread_as_keras_s_do() -> None:
    ours, theirs = both("MultiHeadAttention", {"num_heads": 8, "key_dim": 16})
    ours.build((None, 4, 64), (None, 4, 64))
    theirs.build((None, 4, 64), (None, 4, 64))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a.std(), b.std(), rtol=0.05, atol=1e-8)


NOTATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("bij,bkj", (2, 3, 4), (2, 5, 4)),
    ("ii->i", (4, 4)),
    ("...ii", (2, 3, 3)),
    ("i,j,k->kji", (2,), (3,), (4,)),
    ("abc->", (2, 3, 4)),
    ("ab,ab,b->a", (2, 3), (2, 3), (3,)),
    ("ab,cd->ac", (2, 3), (4, 5)),
    ("a...b,b...->a...", (2, 3, 4), (4, 1)),
]


@pytest.mark.parametrize("case", NOTATIONS, ids=lambda c: c[0])
def test_einsum(case: Any) -> None:
    arrays = [normal(*shape, seed=i) for i, shape in enumerate(case[1:])]
    np.testing.assert_allclose(ops.einsum(case[0], *arrays).numpy(), np.einsum(case[0], *arrays), rtol=1e-5, atol=1e-5)


def test_dot_product_attention() -> None:
    q, k, v = normal(2, 3, 4, 5), normal(2, 6, 2, 5, seed=1), normal(2, 6, 2, 5, seed=2)
    bias, mask = normal(1, 4, 3, 6, seed=3), normal(2, 1, 3, 6, seed=4) > -0.5
    for options in ({}, {"bias": bias}, {"mask": mask, "scale": 0.3}, {"is_causal": True}):
        found = ops.dot_product_attention(q, k, v, **options)
        expected = keras.ops.dot_product_attention(q, k, v, **options)
        np.testing.assert_allclose(found.numpy(), np.asarray(expected), rtol=1e-5, atol=1e-5)


def test_scan() -> None:
    xs = normal(4, 3)

    def step(api: Any) -> Any:
        return lambda carry, x: ((carry[0] + x, carry[1] * 0.5), api.ops.tanh(carry[0] * x))

    first = (np.zeros(3, "float32"), np.ones(3, "float32"))
    for reverse in (False, True):
        found = ops.scan(step(graphc), first, xs, reverse=reverse)
        expected = keras.ops.scan(step(keras), first, xs, reverse=reverse)
        traced = graphc.function(lambda x, r=reverse: ops.scan(step(graphc), first, x, reverse=r))(xs)
        for result in (found, traced):
            np.testing.assert_allclose(result[1].numpy(), np.asarray(expected[1]), rtol=1e-6)
            np.testing.assert_allclose(result[0][0].numpy(), np.asarray(expected[0][0]), rtol=1e-6)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="num_heads"):
        layers.MultiHeadAttention(0, 2)
    with pytest.raises(ArgumentError, match="divides"):
        layers.GroupQueryAttention(2, 3, 2)
    with pytest.raises(ShapeError, match="values and keys"):
        layers.MultiHeadAttention(1, 2)(normal(1, 2, 3), normal(1, 2, 3), normal(1, 4, 3))
    with pytest.raises(ArgumentError, match="list"):
        layers.Attention()(normal(1, 2, 3))
    with pytest.raises(ArgumentError, match="equation"):
        layers.EinsumDense("ab->b", 3)(normal(2, 3))
    with pytest.raises(ShapeError, match="two sizes"):
        ops.einsum("ij,jk->ik", normal(2, 3), normal(4, 5))
    with pytest.raises(ArgumentError, match="length"):
        ops.scan(lambda c, x: (c, x), 0.0)
