"""The perceptron's training step on a GPU in other systems: the same data set on the device, the same batches, Adam.

Each peer is a function that prepares the step and returns one that trains a number of steps to their end and gives the
mean loss. It imports its system itself, so that an absent one is found out when its turn comes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.mlp_step import LEARNING_RATE, Mlp

Array = np.ndarray[Any, Any]
Train = Callable[[int], float]


class Absent(Exception):
    """A system is not installed, or sees no GPU."""


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Absent(f"not installed ({error})") from None


def _torch() -> Any:
    torch = _imported("torch")
    if not torch.cuda.is_available():
        raise Absent("installed, but sees no GPU")
    return torch


def _torch_step(torch: Any, mlp: Mlp, samples: int, batch: int, compiled: bool) -> tuple[Callable[[Any], None], Any]:
    """A step on the rows that it is given, and where the loss adds up. Forward and backward are as usual."""
    data = {name: torch.from_numpy(array).cuda() for name, array in mlp.data(samples).items()}
    labels = data["labels"].long()
    weights = {
        n: torch.tensor(v, device="cuda", requires_grad=True) for n, v in mlp.states().items() if n in mlp.parameters
    }
    optimizer = torch.optim.Adam(list(weights.values()), LEARNING_RATE, eps=1e-7, fused=True, capturable=True)
    total, hits = torch.zeros((), device="cuda"), torch.zeros((), device="cuda", dtype=torch.int64)
    functional = torch.nn.functional

    def forward(rows: Any) -> tuple[Any, Any]:
        x = data["images"][rows].reshape(rows.shape[0], -1).float() * (1 / 255)
        hidden = functional.relu(x @ weights["hidden/kernel"] + weights["hidden/bias"])
        logits = hidden @ weights["logits/kernel"] + weights["logits/bias"]
        target = labels[rows]
        return functional.cross_entropy(logits, target), (logits.argmax(1) == target).sum()

    # "reduce-overhead" is PyTorch's name for CUDA graphs.
    run = torch.compile(forward, mode="reduce-overhead") if compiled else forward

    def step(rows: Any) -> None:
        loss, right = run(rows)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total.add_(loss.detach())
        hits.add_(right)

    return step, (total, data["order"].long())


def _torch_loop(torch: Any, step: Callable[[Any], None], total: Any, order: Any, batch: int) -> Train:
    rows = [part for part in order.split(batch) if part.shape[0] == batch]

    def train(steps: int) -> float:
        before = total.item()
        for i in range(steps):
            step(rows[i % len(rows)])
        torch.cuda.synchronize()
        return float(total.item() - before) / steps

    return train


def torch_eager(mlp: Mlp, samples: int, batch: int) -> Train:
    """PyTorch as most use it."""
    torch = _torch()
    step, (total, order) = _torch_step(torch, mlp, samples, batch, compiled=False)
    return _torch_loop(torch, step, total, order, batch)


def torch_compiled(mlp: Mlp, samples: int, batch: int) -> Train:
    """`torch.compile` with CUDA graphs, and the fused optimizer."""
    torch = _torch()
    step, (total, order) = _torch_step(torch, mlp, samples, batch, compiled=True)
    return _torch_loop(torch, step, total, order, batch)


def torch_captured(mlp: Mlp, samples: int, batch: int) -> Train:
    """The whole eager step, optimizer included, captured by hand as one CUDA graph."""
    torch = _torch()
    step, (total, order) = _torch_step(torch, mlp, samples, batch, compiled=False)
    rows = order[:batch].clone()
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step(rows)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(rows)

    def replay(chosen: Any) -> None:
        rows.copy_(chosen)
        graph.replay()

    return _torch_loop(torch, replay, total, order, batch)


def jax_jitted(mlp: Mlp, samples: int, batch: int) -> Train:
    """JAX: the step jitted, its state donated, the batch gathered inside."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax, jnp, optax = (_imported(name) for name in ("jax", "jax.numpy", "optax"))
    if jax.default_backend() != "gpu":
        raise Absent("installed, but sees no GPU")
    data = {name: jnp.asarray(array) for name, array in mlp.data(samples).items()}
    weights = {name: jnp.asarray(value) for name, value in mlp.states().items() if name in mlp.parameters}
    optimizer = optax.adam(LEARNING_RATE, eps=1e-7)
    zero = jnp.zeros((), jnp.int32)

    def step(state: Any, data: Any) -> Any:
        weights, moments, total, hits, cursor = state
        rows = jax.lax.dynamic_slice(data["order"], (cursor,), (batch,))
        x, y = data["images"][rows].reshape(batch, -1).astype(jnp.float32) / 255, data["labels"][rows]

        def loss(w: Any) -> Any:
            hidden = jax.nn.relu(x @ w["hidden/kernel"] + w["hidden/bias"])
            logits = hidden @ w["logits/kernel"] + w["logits/bias"]
            return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), logits

        (value, logits), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
        updates, moments = optimizer.update(gradient, moments, weights)
        cursor = jnp.where(cursor + 2 * batch > samples, 0, cursor + batch)
        hits = hits + (logits.argmax(-1) == y).sum().astype(jnp.int32)
        return optax.apply_updates(weights, updates), moments, total + value, hits, cursor

    jitted = jax.jit(step, donate_argnums=0)
    held = [(weights, optimizer.init(weights), jnp.zeros(()), zero, zero + 0)]

    def train(steps: int) -> float:
        before = float(held[0][2])
        for _ in range(steps):
            held[0] = jitted(held[0], data)
        jax.block_until_ready(held[0])
        return (float(held[0][2]) - before) / steps

    return train


PEERS: dict[str, Callable[[Mlp, int, int], Train]] = {
    "PyTorch, eager": torch_eager,
    "PyTorch, torch.compile with CUDA graphs": torch_compiled,
    "PyTorch, the whole step captured": torch_captured,
    "JAX, jitted step": jax_jitted,
}
