"""One training step of a two-layer perceptron as a graph: what the GPU check times and the tests look at.

The data set stays where the program runs: a step gathers its batch by `order`, a permutation, from where `cursor`
stands, and moves the cursor on. Loss and accuracy add up in states, so that a step returns nothing but its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import autodiff, dims, dtypes
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import Origin, TensorType

Array = np.ndarray[Any, Any]

FLOAT, INT = dtypes.float32, dtypes.int32
BATCH, SAMPLES = dims.size("B"), dims.size("N")
LIMIT = 1 << 31
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7
# States that a step updates, beside the parameters and their moments.
COUNTERS = {"cursor": INT, "steps": FLOAT, "loss_sum": FLOAT, "accuracy_sum": FLOAT}


@dataclass(frozen=True)
class Mlp:
    """The sizes of the model: square images, one hidden layer."""

    side: int = 28
    hidden: int = 128
    classes: int = 10

    @property
    def parameters(self) -> dict[str, tuple[int, ...]]:
        """The shape of each weight."""
        pixels = self.side * self.side
        first = {"hidden/kernel": (pixels, self.hidden), "hidden/bias": (self.hidden,)}
        return first | {"logits/kernel": (self.hidden, self.classes), "logits/bias": (self.classes,)}

    def data(self, samples: int) -> dict[str, Array]:
        """Inputs of a graph: random images whose classes can be learnt, and an order to visit them in."""
        rng = np.random.default_rng(0)
        labels = rng.integers(0, self.classes, samples)
        typical = rng.integers(0, 256, (self.classes, self.side, self.side))
        noise = rng.integers(0, 256, (samples, self.side, self.side))
        images = ((typical[labels] + noise) // 2).astype(np.uint8)
        return {"images": images, "labels": labels.astype(np.int32), "order": rng.permutation(samples).astype(np.int32)}

    def states(self) -> dict[str, Array]:
        """First values of all states: Glorot's uniform weights, zeros."""
        rng = np.random.default_rng(1)
        found: dict[str, Array] = {name: np.zeros((), dtype.numpy) for name, dtype in COUNTERS.items()}
        for name, shape in self.parameters.items():
            limit = np.sqrt(6 / sum(shape)) if len(shape) == 2 else 0
            found[name] = rng.uniform(-limit, limit, shape).astype(np.float32)
            found[f"adam/{name}/mean"] = np.zeros(shape, np.float32)
            found[f"adam/{name}/variance"] = np.zeros(shape, np.float32)
        return found

    def step(self) -> Graph:
        """The graph of a training step: forward, loss, accuracy, backward, Adam."""
        return _Step(self).build()


class _Step:
    def __init__(self, sizes: Mlp) -> None:
        self.sizes = sizes
        self.builder = Builder({"B": (1, LIMIT), "N": (1, LIMIT)})
        self.counters: dict[str, Value] = {}
        self.weights: dict[str, Value] = {}

    def op(self, name: str, *operands: Value, **attrs: Any) -> Value:
        return self.builder.apply(name, *operands, **attrs)

    def full(self, number: float, like: Value) -> Value:
        return self.builder.full(number, like.shape, like.dtype)

    def add_to(self, counter: str, amount: Value) -> None:
        state = self.counters[counter]
        self.builder.update(state, self.op("add", state, amount))

    def build(self) -> Graph:
        for name, dtype in COUNTERS.items():
            self.counters[name] = self.builder.state(name, TensorType((), dtype))
        for name, shape in self.sizes.parameters.items():
            self.weights[name] = self.builder.state(name, TensorType(shape, FLOAT))
        images, labels = self._batch()
        with self._of("hidden"):
            hidden = self.op("relu", self._dense(images, "hidden"))
        with self._of("logits"):
            logits = self._dense(hidden, "logits")
        with self._of("loss"):
            loss = self._loss(logits, labels)
            self.add_to("loss_sum", loss)
        with self._of("accuracy"):
            hits = self.op("cast", self.op("eq", self.op("argmax", logits, axes=(1,)), labels), dtype=FLOAT)
            self.add_to("accuracy_sum", self.op("sum", hits, axes=(0,)))
        gradients = autodiff.grad(loss, list(self.weights.values()))
        with self._of("adam"):
            self._adam(gradients)
        return self.builder.finish([loss])

    def _of(self, layer: str) -> Any:
        return self.builder.located((Origin(layer),))

    def _batch(self) -> tuple[Value, Value]:
        b, side = self.builder, self.sizes.side
        images = b.input("images", TensorType((SAMPLES, side, side), dtypes.uint8))
        labels = b.input("labels", TensorType((SAMPLES,), INT))
        order = b.input("order", TensorType((SAMPLES,), INT))
        with self._of("batch"):
            cursor = b.broadcast(self.counters["cursor"], (BATCH,), ())
            places = self.op("add", b.apply("iota", shape=(BATCH,), axis=0, dtype=INT), cursor)
            rows = self.op("gather", order, places, axis=0)
            self.add_to("cursor", b.size(BATCH, INT))
            x = self.op("cast", self.op("gather", images, rows, axis=0), dtype=FLOAT)
            x = self.op("mul", x, self.full(1 / 255, x))
            return self.op("reshape", x, shape=(BATCH, side * side)), self.op("gather", labels, rows, axis=0)

    def _dense(self, x: Value, name: str) -> Value:
        axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
        y = self.op("contract", x, self.weights[f"{name}/kernel"], **axes)
        return self.op("add", y, self.builder.broadcast(self.weights[f"{name}/bias"], y.shape, (1,)))

    def _loss(self, logits: Value, labels: Value) -> Value:
        """The mean of `log(sum(exp(z))) - z[label]`, with the largest `z` taken off first."""
        b = self.builder
        largest = self.op("stop_gradient", self.op("max", logits, axes=(1,)))
        z = self.op("sub", logits, b.broadcast(largest, logits.shape, (0,)))
        classes = b.apply("iota", shape=z.shape, axis=1, dtype=INT)
        chosen = self.op("eq", classes, b.broadcast(labels, z.shape, (0,)))
        right = self.op("sum", self.op("select", chosen, z, self.full(0, z)), axes=(1,))
        total = self.op("sum", self.op("exp", z), axes=(1,))
        each = self.op("sub", self.op("log", total), right)
        return self.op("div", self.op("sum", each, axes=(0,)), b.size(BATCH, FLOAT))

    def _adam(self, gradients: list[Value]) -> None:
        """Kingma and Ba, "Adam: a method for stochastic optimization" (2015), with the corrections in the step size."""
        one = self.builder.constant(1, FLOAT)
        self.add_to("steps", one)
        steps = self.op("add", self.counters["steps"], one)

        def correction(beta: float) -> Value:
            return self.op("sub", one, self.op("pow", self.builder.constant(beta, FLOAT), steps))

        rate = self.op("div", self.op("sqrt", correction(BETA_2)), correction(BETA_1))
        rate = self.op("mul", rate, self.builder.constant(LEARNING_RATE, FLOAT))
        for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            mean = self._moment(f"adam/{name}/mean", gradient, 1 - BETA_1)
            variance = self._moment(f"adam/{name}/variance", self.op("mul", gradient, gradient), 1 - BETA_2)
            root = self.op("add", self.op("sqrt", variance), self.full(EPSILON, variance))
            change = self.op("div", self.op("mul", self.builder.broadcast(rate, mean.shape, ()), mean), root)
            self.builder.update(weight, self.op("sub", weight, change))

    def _moment(self, name: str, sample: Value, share: float) -> Value:
        """A running mean, moved towards a sample."""
        state = self.builder.state(name, sample.type)
        moved = self.op("add", state, self.op("mul", self.op("sub", sample, state), self.full(share, state)))
        self.builder.update(state, moved)
        return moved
