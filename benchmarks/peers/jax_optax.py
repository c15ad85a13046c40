"""JAX with optax, one jitted step a batch: `python -m benchmarks.peers.jax_optax WORKLOAD REPEATS`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.measure import report
from benchmarks.workloads import WORKLOADS


def _dense(rng: np.random.Generator, inputs: int, outputs: int) -> dict[str, Any]:
    limit = (6 / (inputs + outputs)) ** 0.5
    return {"w": jnp.asarray(rng.uniform(-limit, limit, (inputs, outputs)), jnp.float32), "b": jnp.zeros(outputs)}


def _kernel(rng: np.random.Generator, inputs: int, outputs: int) -> dict[str, Any]:
    limit = (6 / (9 * (inputs + outputs))) ** 0.5
    return {"w": jnp.asarray(rng.uniform(-limit, limit, (3, 3, inputs, outputs)), jnp.float32), "b": jnp.zeros(outputs)}


def _parameters(name: str) -> Any:
    rng = np.random.default_rng(1)
    if name == "mlp":
        return [_dense(rng, 784, 128), _dense(rng, 128, 10)]
    return [_kernel(rng, 1, 32), _kernel(rng, 32, 64), _dense(rng, 1600, 10)]


def _conv(x: Any, p: Any) -> Any:
    y = lax.conv_general_dilated(x, p["w"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu(y + p["b"])


def _pool(x: Any) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _logits(name: str, parameters: Any, x: Any, key: Any) -> Any:
    if name == "mlp":
        hidden, out = parameters
        return jax.nn.relu(x @ hidden["w"] + hidden["b"]) @ out["w"] + out["b"]
    first, second, out = parameters
    x = _pool(_conv(_pool(_conv(x, first)), second))
    x = x.reshape(x.shape[0], -1)
    x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x * 2, 0)
    return x @ out["w"] + out["b"]


def main(name: str, repeats: int) -> None:
    workload = WORKLOADS[name]
    x, y = workload.data()
    optimizer = optax.adam(1e-3)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        parameters, moments, total, hits, key = state
        key, own = jax.random.split(key)

        def loss(p: Any) -> Any:
            logits = _logits(name, p, x, own)
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits

        (value, logits), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
        updates, moments = optimizer.update(gradient, moments, parameters)
        hits = hits + (logits.argmax(-1) == y).sum()
        return optax.apply_updates(parameters, updates), moments, total + value, hits, key

    parameters = _parameters(name)
    state = [(parameters, optimizer.init(parameters), jnp.zeros(()), jnp.zeros((), jnp.int32), jax.random.key(0))]
    shuffle = np.random.default_rng(2)

    def epoch(samples: int) -> float:
        order = shuffle.permutation(samples)
        before = float(state[0][2])
        for first in range(0, samples, workload.batch):
            rows = order[first : first + workload.batch]
            state[0] = step(state[0], x[rows], y[rows])
        jax.block_until_ready(state[0])
        return (float(state[0][2]) - before) / (samples // workload.batch)

    report(workload.samples, lambda: epoch(workload.batch), lambda: epoch(workload.samples), repeats)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
