"""JAX with optax, one jitted step a batch: `python -m benchmarks.peers.jax_optax train|predict WORKLOAD REPEATS`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.measure import report_prediction, report_training
from benchmarks.peers import jax_models
from benchmarks.workloads import LEARNING_RATE, WEIGHT_DECAY, WORKLOADS, Array, Samples, Workload

BATCH = 256


def train(name: str, workload: Workload, repeats: int) -> None:
    data = Samples(workload)
    model = jax_models.model(name)
    optimizer = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY) if workload.decays else optax.adam(LEARNING_RATE)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        parameters, moments, statistics, total, hits, key = state
        key, own = jax.random.split(key)

        def loss(p: Any) -> Any:
            outputs, now = model.apply(p, statistics, x, own)
            if workload.loss == "yes or no":
                return optax.sigmoid_binary_cross_entropy(outputs, y).mean(), (now, ((outputs > 0) == y).sum())
            losses = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
            return losses.mean(), (now, (outputs.argmax(-1) == y).sum())

        (value, (statistics, right)), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
        updates, moments = optimizer.update(gradient, moments, parameters)
        parameters = optax.apply_updates(parameters, updates)
        return parameters, moments, statistics, total + value, hits + right, key

    parameters = model.parameters
    state = (parameters, optimizer.init(parameters), model.statistics, jnp.zeros(()), jnp.zeros((), jnp.int32))
    shuffle, holder = np.random.default_rng(2), [(*state, jax.random.key(0))]

    def fit(samples: int) -> float:
        x, y = data.at_least(samples)
        order, state = shuffle.permutation(samples), holder[0]
        before = float(state[3])
        for first in range(0, samples, workload.batch):
            rows = order[first : first + workload.batch]
            state = step(state, x[rows], y[rows])
        holder[0] = jax.block_until_ready(state)
        return (float(state[3]) - before) / (samples // workload.batch)

    report_training(workload.batch, workload.samples, fit, repeats)


def predict(name: str, workload: Workload, repeats: int) -> None:
    x, _ = workload.data(workload.predicted)
    model = jax_models.model(name)

    @jax.jit
    def run(parameters: Any, statistics: Any, x: Any) -> Any:
        return jax.nn.softmax(model.apply(parameters, statistics, x, None)[0])

    def predicted(x: Array) -> Array:
        return np.asarray(run(model.parameters, model.statistics, x))

    one, batches = x[:1], np.split(x, len(x) // BATCH)
    report_prediction(
        len(x), lambda: predicted(one), lambda: np.concatenate([predicted(batch) for batch in batches]), repeats
    )


def main(task: str, name: str, repeats: int) -> None:
    {"train": train, "predict": predict}[task](name, WORKLOADS[name], repeats)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
