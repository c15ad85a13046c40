"""The measured models in JAX: parameters, what else changes, and a function of them.

A model's function takes `(parameters, statistics, x, key)` and returns logits and the new statistics. Without a key it
predicts: nothing is dropped, and the statistics of batch normalization are used and not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.workloads import BLOCKS, CLASSES, CONTEXT, HEADS, TOKENS, WIDTH, WORDS

Tree = Any
MOMENTUM = 0.99


@dataclass(frozen=True)
class Model:
    """Parameters, statistics of batch normalization, and the function of both."""

    parameters: Tree
    apply: Callable[[Tree, Tree, Any, Any], tuple[Any, Tree]]
    statistics: Tree = ()


class _Weights:
    """Makes first values."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def normal(self, *shape: int) -> Any:
        scale = float(np.prod(shape[:-1])) ** -0.5
        return jnp.asarray(self.rng.standard_normal(shape) * scale, jnp.float32)

    def dense(self, inputs: int, outputs: int) -> Tree:
        return {"w": self.normal(inputs, outputs), "b": jnp.zeros(outputs)}

    def conv(self, size: int, inputs: int, outputs: int) -> Tree:
        return {"w": self.normal(size, size, inputs, outputs), "b": jnp.zeros(outputs)}

    def norm(self, size: int) -> Tree:
        return {"scale": jnp.ones(size), "offset": jnp.zeros(size)}


def _dense(p: Tree, x: Any) -> Any:
    return x @ p["w"] + p["b"]


def _conv(kernel: Any, x: Any, stride: int = 1, padding: str = "SAME") -> Any:
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _layer_norm(p: Tree, x: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p["scale"] + p["offset"]


# ---- perceptrons


def _perceptron(*sizes: int) -> Model:
    weights = _Weights()

    def apply(parameters: Tree, statistics: Tree, x: Any, key: Any) -> tuple[Any, Tree]:
        for p in parameters[:-1]:
            x = jax.nn.relu(_dense(p, x))
        return _dense(parameters[-1], x), statistics

    return Model([weights.dense(*pair) for pair in pairwise(sizes)], apply)


# ---- convolutional networks


def _convnet() -> Model:
    weights = _Weights()
    parameters = [weights.conv(3, 1, 32), weights.conv(3, 32, 64), weights.dense(1600, CLASSES)]

    def apply(parameters: Tree, statistics: Tree, x: Any, key: Any) -> tuple[Any, Tree]:
        *convolutions, out = parameters
        for p in convolutions:
            x = jax.nn.relu(_conv(p["w"], x, padding="VALID") + p["b"])
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x.reshape(x.shape[0], -1)
        if key is not None:
            x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x * 2, 0)
        return _dense(out, x), statistics

    return Model(parameters, apply)


class _BatchNorms:
    """Applies one normalization after the other, and gathers their statistics in that order."""

    def __init__(self, statistics: Tree, training: bool) -> None:
        self.before, self.training = iter(statistics), training
        self.after: list[Tree] = []

    def __call__(self, p: Tree, x: Any) -> Any:
        mean, variance = moving = next(self.before)
        if self.training:
            mean, variance = now = x.mean((0, 1, 2)), x.var((0, 1, 2))
            moving = tuple(a * MOMENTUM + b * (1 - MOMENTUM) for a, b in zip(moving, now, strict=True))
        self.after.append(moving)
        return (x - mean) * (lax.rsqrt(variance + 1e-3) * p["scale"]) + p["offset"]


def _resnet20() -> Model:
    weights, inputs = _Weights(), 16
    blocks, sizes = [], [16]
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            p = {"first": weights.normal(3, 3, inputs, filters), "second": weights.normal(3, 3, filters, filters)}
            p |= {"norms": [weights.norm(filters), weights.norm(filters)]}
            if stage > 0 and block == 0:
                p["shortcut"] = weights.normal(1, 1, inputs, filters)
            blocks.append(p)
            sizes += [filters, filters]
            inputs = filters
    parameters = {"stem": weights.normal(3, 3, 3, 16), "norm": weights.norm(16), "blocks": blocks}
    parameters["out"] = weights.dense(64, CLASSES)

    def apply(parameters: Tree, statistics: Tree, x: Any, key: Any) -> tuple[Any, Tree]:
        norm = _BatchNorms(statistics, key is not None)
        x = jax.nn.relu(norm(parameters["norm"], _conv(parameters["stem"], x)))
        for p in parameters["blocks"]:
            stride = 2 if "shortcut" in p else 1
            y = jax.nn.relu(norm(p["norms"][0], _conv(p["first"], x, stride)))
            y = norm(p["norms"][1], _conv(p["second"], y))
            x = jax.nn.relu(y + (_conv(p["shortcut"], x, stride) if stride == 2 else x))
        return _dense(parameters["out"], x.mean((1, 2))), norm.after

    return Model(parameters, apply, [(jnp.zeros(size), jnp.ones(size)) for size in sizes])


# ---- sequences


def _lstm() -> Model:
    weights = _Weights()
    parameters = {"words": weights.normal(WORDS, 64), "inward": weights.dense(64, 512)}
    parameters |= {"again": weights.normal(128, 512), "out": weights.dense(128, 1)}

    def apply(parameters: Tree, statistics: Tree, x: Any, key: Any) -> tuple[Any, Tree]:
        inward = _dense(parameters["inward"], parameters["words"][x]).transpose(1, 0, 2)
        start = jnp.zeros((x.shape[0], 128))

        def cell(carry: Any, part: Any) -> Any:
            hidden, memory = carry
            take, forget, new, give = jnp.split(part + hidden @ parameters["again"], 4, -1)
            memory = jax.nn.sigmoid(forget) * memory + jax.nn.sigmoid(take) * jnp.tanh(new)
            return (jax.nn.sigmoid(give) * jnp.tanh(memory), memory), None

        (hidden, _), _ = lax.scan(cell, (start, start), inward)
        return _dense(parameters["out"], hidden)[:, 0], statistics

    return Model(parameters, apply)


def _gpt() -> Model:
    weights = _Weights()

    def block() -> Tree:
        parts: Tree = {"norms": [weights.norm(WIDTH), weights.norm(WIDTH)]}
        parts |= {"qkv": weights.dense(WIDTH, 3 * WIDTH), "outward": weights.dense(WIDTH, WIDTH)}
        return parts | {"up": weights.dense(WIDTH, 4 * WIDTH), "down": weights.dense(4 * WIDTH, WIDTH)}

    parameters = {"tokens": weights.normal(TOKENS, WIDTH), "places": weights.normal(CONTEXT, WIDTH)}
    parameters |= {"blocks": [block() for _ in range(BLOCKS)], "norm": weights.norm(WIDTH)}
    parameters["out"] = weights.dense(WIDTH, TOKENS)

    def apply(parameters: Tree, statistics: Tree, x: Any, key: Any) -> tuple[Any, Tree]:
        x = parameters["tokens"][x] + parameters["places"]
        batch, length, _ = x.shape
        for p in parameters["blocks"]:
            parts = jnp.split(_dense(p["qkv"], _layer_norm(p["norms"][0], x)), 3, -1)
            q, k, v = (part.reshape(batch, length, HEADS, WIDTH // HEADS) for part in parts)
            y = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(batch, length, WIDTH)
            x = x + _dense(p["outward"], y)
            y = jax.nn.gelu(_dense(p["up"], _layer_norm(p["norms"][1], x)), approximate=False)
            x = x + _dense(p["down"], y)
        return _dense(parameters["out"], _layer_norm(parameters["norm"], x)), statistics

    return Model(parameters, apply)


_MODELS = {
    "mlp": lambda: _perceptron(784, 128, CLASSES),
    "wide_mlp": lambda: _perceptron(784, 1024, 1024, CLASSES),
    "convnet": _convnet,
    "resnet20": _resnet20,
    "lstm": _lstm,
    "gpt": _gpt,
}


def model(name: str) -> Model:
    """A workload's model."""
    return _MODELS[name]()
