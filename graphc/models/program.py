"""The programs of a model: one graph each for a step of training, of evaluation and of prediction.

A program gets the data set whole, and the order in which to visit the samples. It keeps its place in a state, takes the
rows of its batch itself, and moves on: so that many steps are one call, and a smaller last batch is the same program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from graphc import config as settings
from graphc import dims, dtypes, ops, tree
from graphc.collection import paused
from graphc.compiler import Executable
from graphc.errors import ShapeError
from graphc.graph.core import Graph
from graphc.graph.types import Origin, TensorType
from graphc.layers.layer import training_mode
from graphc.models.data import Batch, Signature
from graphc.models.objectives import flat_outputs
from graphc.runtime.state import StateBuffer
from graphc.tracing import (
    ANY_SIZE,
    BATCH,
    Array,
    Tensor,
    Trace,
    Variable,
    as_tensor,
    bind,
    build,
    cast,
    gradients,
    lift,
    scope,
    variables_of,
)

SAMPLES, VISITS = "N", "M"


class Trainable(Protocol):
    """What a program needs of a model."""

    optimizer: Any
    random_step: Variable
    compile_origin: Origin

    def __call__(self, x: Any) -> Any:
        """The outputs."""

    @property
    def batch_of_states(self) -> int | None:
        """The size of a batch for which layers keep states; None where none do."""

    @property
    def trainable_variables(self) -> list[Variable]:
        """The weights to change."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch."""

    def track(self, loss: Tensor, size: Any, y: Any, y_pred: Any, sample_weight: Any, x: Any) -> None:
        """Takes the loss and the metrics of a batch in."""


@dataclass
class Program:
    """A compiled step.

    Args:
        mode: `"train"`, `"test"` or `"predict"`.
        graph: What is computed.
        executable: How.
        variables: What stands behind each state of the graph, by name.
        structure: How the outputs nest, of a prediction.
        cursor: The place in the order of visits.
        batch: The only size that a batch may have, where layers keep a state for each sample. None: any.
    """

    mode: str
    graph: Graph
    executable: Executable
    variables: Mapping[str, Variable]
    structure: Any
    cursor: Variable
    batch: int | None = None

    def __post_init__(self) -> None:
        self._states = {name: self.variables[name].buffer for name in self.graph.states}
        self._used = set(self.graph.inputs)
        self._everything = np.arange(0, dtype=np.int32)

    def start(self) -> None:
        """Goes back to the first sample of the order."""
        self.cursor.buffer.assign(np.zeros((), np.int32))

    def run(
        self,
        data: Mapping[str, Array | StateBuffer],
        order: Array | StateBuffer,
        samples: int,
        batch: int,
        repeat: int = 1,
    ) -> list[Array]:
        """Does steps on the next samples of the order.

        Args:
            data: The arrays, by name.
            order: The positions of the samples to visit: int32.
            samples: How many samples the arrays hold.
            batch: How many samples a step takes.
            repeat: How many steps to do.

        Returns:
            The outputs of the last step.
        """
        if self.batch is not None and batch != self.batch:
            raise ShapeError(
                "a batch does not fit the states that layers keep between batches",
                got=f"{batch} samples",
                expected=f"{self.batch}",
                hint="give a batch_size that divides the number of samples, and that Input was given",
            )
        inputs = {name: array for name, array in {**data, "order": order}.items() if name in self._used}
        sizes = {BATCH: batch, SAMPLES: samples, VISITS: order.shape[0]}
        return self.executable.run(inputs, self._states, sizes, repeat)

    def run_once(self, batch: Batch) -> list[Array]:
        """Does one step on all samples of a batch."""
        if len(self._everything) != batch.size:
            self._everything = np.arange(batch.size, dtype=np.int32)
        self.start()
        return self.run(batch.arrays, self._everything, batch.size, batch.size)


@paused()
def make(model: Trainable, signature: Signature, mode: str, cursor: Variable) -> Program:
    """Traces a step of a model and compiles it.

    Args:
        model: The model.
        signature: What the data look like.
        mode: `"train"`, `"test"` or `"predict"`.
        cursor: The place in the order of visits.

    Raises:
        GraphcError: if the data do not fit the model, with the layer and the user's line.
    """
    step = trace_step(model, signature, mode, cursor)
    executable = build(step.graph, {"traced": step.forward} if step.forward is not None else {})
    return Program(mode, step.graph, executable, step.variables, step.structure, cursor, model.batch_of_states)


@dataclass(frozen=True)
class Step:
    """A traced step.

    Args:
        graph: All of it.
        variables: What stands behind each state, by name.
        structure: How the outputs nest, of a prediction.
        forward: The graph when it ended at the loss; None of a prediction.
    """

    graph: Graph
    variables: dict[str, Variable]
    structure: Any = None
    forward: Graph | None = None


def trace_step(model: Trainable, signature: Signature, mode: str, cursor: Variable) -> Step:
    """Traces a step of a model."""
    symbols = dict.fromkeys((BATCH, SAMPLES, VISITS), ANY_SIZE)
    session = Trace(symbols, model.random_step if mode == "train" else None)
    training = mode == "train"
    with session.active(), scope("", model.compile_origin, absolute=True), training_mode(training):
        with scope("data"):
            batch = _next_batch(session, signature, cursor)
        x, y, weight = (signature.nested(role, batch) for role in "xyw")
        y_pred = model(x)
        if mode == "predict":
            leaves, structure = tree.split(y_pred)
            graph = session.finish([lift(as_tensor(leaf), session) for leaf in leaves])
            return Step(graph, variables_of(session), structure)
        with scope("loss"):
            loss = as_tensor(model.compute_loss(x, y, y_pred, weight, training))
        forward = session.builder.finish([lift(loss, session)])
        size = flat_outputs(x)[0].shape[0]
        grads = _gradients(model, loss) if training else None
        model.track(loss, size, y, y_pred, weight, x)
        if grads is not None:
            # The gradients are those at the values that the weights started with, so that is what they change: what a
            # layer assigned to its own weights on the way, as spectral normalization does, was for this step alone.
            for weight in model.trainable_variables:
                session.rewind(weight)
            with scope("optimizer"):
                model.optimizer.apply(grads, model.trainable_variables)
        if training and session.streams:
            with scope("random"):
                model.random_step.assign(model.random_step.value + 1)
    return Step(session.finish([]), variables_of(session), forward=forward)


def _gradients(model: Trainable, loss: Tensor) -> list[Tensor]:
    weights = model.trainable_variables
    with scope("loss"):
        scaled = model.optimizer.scale_loss(loss)
    return gradients(scaled, weights) if weights else []


def _next_batch(session: Trace, signature: Signature, cursor: Variable) -> dict[str, Tensor]:
    """The rows of the next batch of each array; moves the cursor on."""
    batch, samples = dims.size(BATCH), dims.size(SAMPLES)
    visits = TensorType((dims.size(VISITS),), dtypes.int32)
    order = Tensor(session.builder.input("order", visits))
    counting = bind("iota", shape=(batch,), axis=0, dtype=dtypes.int32)
    rows = bind("gather", order, ops.add(counting, cursor.value), axis=0)
    result = {}
    for leaf in signature.leaves:
        whole = Tensor(session.builder.input(leaf.name, TensorType((samples, *leaf.shape), leaf.dtype)))
        part = bind("gather", whole, rows, axis=0)
        result[leaf.name] = cast(part, dtypes.as_dtype(settings.floatx())) if leaf.dtype.is_float else part
    cursor.assign(cursor.value + as_tensor(batch, dtypes.int32))
    return result


def pieces(outputs: list[Array]) -> list[Array]:
    """Outputs that the next call does not overwrite."""
    return [np.array(output) for output in outputs]
