"""Loops of JAX with optax, one jitted `value_and_grad` a batch: `python -m benchmarks.peers.loops_jax SECONDS ROW`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.loops_rows import CODE, DAMPING, FEATURES, HIDDEN, MLP, NOISE, PARAMETERS, RATE, UNITS, Step, main

_rng = np.random.default_rng(1)
_EPSILON, _MOMENTUM = 1e-3, 0.99  # of Keras's batch normalization


def _glorot(*shape: int) -> Any:
    fields = int(np.prod(shape[:-2]))
    limit = np.sqrt(6 / (fields * (shape[-2] + shape[-1])))
    return jnp.asarray(_rng.uniform(-limit, limit, shape), jnp.float32)


def _dense(inputs: int, outputs: int) -> Any:
    return _glorot(inputs, outputs), jnp.zeros(outputs)


def _trained(loss_of: Callable[..., Any], parameters: Any) -> Step:
    """A step that keeps its state."""
    optimizer = optax.adam(RATE)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, moments: Any, *batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, *batch)
        updates, moments = optimizer.update(gradients, moments)
        return optax.apply_updates(parameters, updates), moments, loss

    state = [parameters, optimizer.init(parameters)]

    def step(*batch: Any) -> Any:
        *state[:], loss = update(*state, *batch)
        return loss

    return step


def _mlp() -> Step:
    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for kernel, bias in parameters[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        kernel, bias = parameters[-1]
        return optax.softmax_cross_entropy_with_integer_labels(x @ kernel + bias, y).mean()

    return _trained(loss_of, [_dense(a, b) for a, b in pairwise(MLP)])


def _convolved(x: Any, kernel: Any) -> Any:
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _widened(x: Any, kernel: Any) -> Any:
    return jax.lax.conv_transpose(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _normalized(x: Any, scale: Any, offset: Any, running: Any) -> Any:
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    running = jax.tree.map(lambda old, new: _MOMENTUM * old + (1 - _MOMENTUM) * new, running, (mean, variance))
    return (x - mean) * jax.lax.rsqrt(variance + _EPSILON) * scale + offset, running


def _generated(parameters: Any, running: Any, noise: Any) -> Any:
    dense, first, widen, second, last = parameters
    x, before = _normalized(noise @ dense, *first, running[0])
    x = _widened(jax.nn.relu(x).reshape(-1, 7, 7, 64), widen)
    x, after = _normalized(x, *second, running[1])
    return jax.nn.sigmoid(_widened(jax.nn.relu(x), last)), (before, after)


def _criticized(parameters: Any, x: Any) -> Any:
    (first, bias), (second, other), (kernel, offset) = parameters
    x = jax.nn.leaky_relu(_convolved(x, first) + bias, 0.2)
    x = jax.nn.leaky_relu(_convolved(x, second) + other, 0.2)
    return x.reshape(len(x), -1) @ kernel + offset


def _dcgan() -> Step:
    units = 7 * 7 * 64
    generator = [
        _glorot(NOISE, units),
        (jnp.ones(units), jnp.zeros(units)),
        _glorot(4, 4, 64, 32),
        (jnp.ones(32), jnp.zeros(32)),
        _glorot(4, 4, 32, 1),
    ]
    critic = [(_glorot(4, 4, 1, 32), jnp.zeros(32)), (_glorot(4, 4, 32, 64), jnp.zeros(64)), _dense(units, 1)]
    running = ((jnp.zeros(units), jnp.ones(units)), (jnp.zeros(32), jnp.ones(32)))
    optimizer = optax.adam(RATE)

    @partial(jax.jit, donate_argnums=range(5))
    def update(generator: Any, critic: Any, moments: Any, others: Any, running: Any, images: Any, noise: Any) -> Any:
        def of_generator(parameters: Any) -> Any:
            fakes, now = _generated(parameters, running, noise)
            return jax.nn.softplus(-_criticized(critic, fakes)).mean(), (fakes, now)

        def of_critic(parameters: Any) -> Any:
            on_fakes, on_images = _criticized(parameters, fakes), _criticized(parameters, images)
            return jax.nn.softplus(on_fakes).mean() + jax.nn.softplus(-on_images).mean()

        (loss, (fakes, now)), gradients = jax.value_and_grad(of_generator, has_aux=True)(generator)
        other, slopes = jax.value_and_grad(of_critic)(critic)
        updates, moments = optimizer.update(gradients, moments)
        changes, others = optimizer.update(slopes, others)
        generator, critic = optax.apply_updates(generator, updates), optax.apply_updates(critic, changes)
        return generator, critic, moments, others, now, loss + other

    state = [generator, critic, optimizer.init(generator), optimizer.init(critic), running]

    def step(*batch: Any) -> Any:
        *state[:], loss = update(*state, *batch)
        return loss

    return step


def _vae() -> Step:
    def loss_of(parameters: Any, x: Any, noise: Any) -> Any:
        (a, b), (c, d), (e, f), (g, h) = parameters
        mean, log_variance = jnp.split(jax.nn.relu(x @ a + b) @ c + d, 2, axis=-1)
        code = mean + jnp.exp(0.5 * log_variance) * noise
        logits = jax.nn.relu(code @ e + f) @ g + h
        error = (jax.nn.softplus(logits) - x * logits).sum(-1)
        divergence = -0.5 * (1 + log_variance - mean**2 - jnp.exp(log_variance)).sum(-1)
        return (error + divergence).mean()

    sizes = ((784, HIDDEN), (HIDDEN, 2 * CODE), (CODE, HIDDEN), (HIDDEN, 784))
    return _trained(loss_of, [_dense(*size) for size in sizes])


def _lstm() -> Step:
    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        kernel, recurrent, bias, head = parameters

        def cell(state: Any, x: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((len(x), UNITS))
        (h, _), _ = jax.lax.scan(cell, (zeros, zeros), x.transpose(1, 0, 2))
        return (((h @ head)[:, 0] - y) ** 2).mean()

    parameters = [_glorot(FEATURES, 4 * UNITS), _glorot(UNITS, 4 * UNITS), jnp.zeros(4 * UNITS), _glorot(UNITS, 1)]
    return _trained(loss_of, parameters)


def _newton() -> Step:
    def loss_of(w: Any, x: Any, y: Any) -> Any:
        logits = x @ w
        return (jax.nn.softplus(logits) - y * logits).mean() + 0.5 * DAMPING * (w**2).sum()

    @jax.jit
    def update(w: Any, x: Any, y: Any) -> Any:
        loss, gradient = jax.value_and_grad(loss_of)(w, x, y)
        factor = jax.scipy.linalg.cho_factor(jax.hessian(loss_of)(w, x, y))
        return w - jax.scipy.linalg.cho_solve(factor, gradient), loss

    state = [jnp.zeros(PARAMETERS)]

    def step(*batch: Any) -> Any:
        state[0], loss = update(state[0], *batch)
        return loss

    return step


def _call() -> Step:
    weight = jnp.ones(4)
    product = jax.jit(lambda weight, x: (x * weight)[0])
    return lambda x: product(weight, x)


if __name__ == "__main__":
    MAKERS = {"mlp": _mlp, "dcgan": _dcgan, "vae": _vae, "lstm": _lstm, "newton": _newton, "call": _call}
    main(MAKERS, *sys.argv[1:])
