"""The programs of a model: one graph each for a step of training, of evaluation and of prediction.

A program for training or evaluation takes the whole data set and the order in which the samples are visited. It keeps
a cursor into the order as a state, gathers the rows of its batch and advances the cursor: so many steps are one call,
and a smaller last batch needs no other program. A program for prediction visits the samples in storage order, and reads
each batch in place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from graphc import config as settings
from graphc import dims, dtypes, ops, tree
from graphc.compiler import Executable, preparing
from graphc.dims import Shape
from graphc.errors import ArgumentError, GraphcError, ShapeError
from graphc.graph.core import Graph
from graphc.graph.own import are_current, own_rules
from graphc.graph.types import Origin, TensorType, resolve
from graphc.layers.layer import training_mode
from graphc.models.data import ArraySpec, Batch, Classes, DataSpec
from graphc.models.objectives import noted_labels
from graphc.models.steps_per_execution import StepsPerExecution
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
    describe,
    lift,
    scope,
    variables_of,
)
from graphc.tracing.host import HostCall, HostCalls, HostTensor
from graphc.tracing.lookups import DATA, checked_lookups
from graphc.transforms.autograph import for_trace
from graphc.transforms.programs import SYMBOL_RANGE

SAMPLES, VISITS = "N", "M"


class Trainable(Protocol):
    """The interface of a model that its programs use."""

    compile_origin: Origin

    def train_step(self, data: Any) -> Any:
        """A step of training on a batch; returns logs."""

    def test_step(self, data: Any) -> Any:
        """A step of evaluation on a batch; returns logs."""

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch."""

    def checked_layers(self, data_spec: DataSpec) -> frozenset[int]:
        """The layers, by identity, all of whose lookups in data of a spec are checked before a step."""

    @property
    def stateful_batch_size(self) -> int | None:
        """The batch size of stateful layers; None if there are none."""


class Program(ABC):
    """A step of a model for data of a spec.

    Attributes:
        mode: `"train"`, `"test"` or `"predict"`.
    """

    mode: str

    @abstractmethod
    def run_once(self, batch: Batch) -> list[Array]:
        """Runs one step on all samples of a batch."""

    @property
    @abstractmethod
    def is_current(self) -> bool:
        """Whether it does what the model's step does now."""

    @abstractmethod
    def prepare(self, batch: Batch) -> None:
        """Checks labels before a step, and adds to the arrays what the host computes from them.

        Raises:
            DataError: if one is out of range.
        """


class StepProgram(Program):
    """A step of training or evaluation.

    Attributes:
        logs: The names of the outputs.
    """

    logs: tuple[str, ...]


class RowsProgram(StepProgram):
    """A step of training or evaluation on some of the rows of arrays."""

    @abstractmethod
    def run(
        self,
        data: Mapping[str, Array | StateBuffer],
        order: Array | StateBuffer,
        samples: int,
        batch: int,
        repeat: int = 1,
        start: int = 0,
    ) -> list[Array]:
        """Runs steps on consecutive batches of the order of visits.

        Args:
            data: The arrays, by name.
            order: The indices of the samples to visit: int32.
            samples: The number of samples in the arrays.
            batch: The number of samples in a step.
            repeat: The number of steps.
            start: The position in the order at which they begin. The caller passes it each time, since all programs of
                a mode share the cursor, and a callback may run another program between two steps.

        Returns:
            The outputs of the last step.
        """


class Prediction(Program):
    """A prediction for a batch."""

    @abstractmethod
    def unflatten(self, outputs: list[Array]) -> Any:
        """Outputs, nested as the model nests them."""

    @abstractmethod
    def empty_outputs(self) -> list[Array]:
        """The outputs for zero samples."""


@dataclass
class Compiled:
    """A compiled step.

    Args:
        mode: `"train"`, `"test"` or `"predict"`.
        graph: The graph.
        executable: The compiled graph.
        variables: The variable of each state of the graph, by name.
        batch: The required batch size, if layers are stateful. None: any.
        classes: The valid labels of the arrays that are integer labels, by name.
        host_calls: What the host computes from the data for each step.
    """

    mode: str
    graph: Graph
    executable: Executable
    variables: Mapping[str, Variable]
    batch: int | None
    classes: Mapping[str, Classes]
    host_calls: tuple[HostCall, ...]

    def __post_init__(self) -> None:
        self._rules = own_rules(self.graph)
        self._states = {name: self.variables[name].buffer for name in self.graph.states}
        self._used = set(self.graph.inputs)
        # The symbolic sizes of samples: each with an input and the axis that has it.
        self._lengths = {
            str(dim): (name, axis)
            for name, node in self.graph.inputs.items()
            for axis, dim in enumerate(node.outs[0].shape)
            if not isinstance(dim, int) and str(dim) not in (BATCH, SAMPLES, VISITS)
        }

    def _sizes_of(self, arrays: Mapping[str, Array | StateBuffer]) -> dict[str, int]:
        """The symbolic sizes of the samples in arrays."""
        return {symbol: arrays[name].shape[axis] for symbol, (name, axis) in self._lengths.items()}

    @property
    def is_current(self) -> bool:
        """Whether users' primitives and vocabularies of layers are still those with which it was compiled."""
        return are_current(self._rules) and all(call.is_current for call in self.host_calls)

    def prepare(self, batch: Batch) -> None:
        """Prepares a batch for a step: checks labels, and adds what the host computes.

        On a device an invalid label would silently select a wrong element.

        Raises:
            DataError: if one is out of range.
        """
        for name, classes in self.classes.items():
            classes.check(batch.arrays[name], batch.spec.display_name(name))
        for call in self.host_calls:
            batch.add(call.name, call.compute(batch.arrays, {BATCH: batch.size}))

    def _check_size(self, batch: int) -> None:
        if self.batch is not None and batch != self.batch:
            raise ShapeError(
                "a batch does not fit the states that layers keep between batches",
                got=f"{batch} samples",
                expected=f"{self.batch}",
                hint="give a batch_size that divides the number of samples, and that Input was given",
            )


def step_sizes(batch: int, samples: int, visits: int) -> dict[str, int]:
    """The symbolic sizes in a step of training or evaluation: of the batch, the data and the order of visits."""
    return {BATCH: batch, SAMPLES: samples, VISITS: visits}


@dataclass
class CompiledStep(Compiled, RowsProgram):
    """A compiled step of training or evaluation.

    Args:
        cursor: The position in the order of visits.
        logs: The names of the outputs: logs that are not results of the model's metrics.
    """

    cursor: Variable
    logs: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._everything = np.arange(0, dtype=np.int32)

    def start(self, position: int = 0) -> None:
        """Sets the cursor to a position in the order of visits."""
        self.cursor.buffer.assign(np.asarray(position, np.int32))

    def run(
        self,
        data: Mapping[str, Array | StateBuffer],
        order: Array | StateBuffer,
        samples: int,
        batch: int,
        repeat: int = 1,
        start: int = 0,
    ) -> list[Array]:
        """Runs steps on consecutive batches of the order of visits (see `RowsProgram`)."""
        self._check_size(batch)
        self.start(start)
        inputs = {name: array for name, array in {**data, "order": order}.items() if name in self._used}
        sizes = step_sizes(batch, samples, order.shape[0]) | self._sizes_of(inputs)
        return self.executable.run(inputs, self._states, sizes, repeat)

    def run_once(self, batch: Batch) -> list[Array]:
        """Runs one step on all samples of a batch."""
        if len(self._everything) != batch.size:
            self._everything = np.arange(batch.size, dtype=np.int32)
        return self.run(batch.arrays, self._everything, batch.size, batch.size)


@dataclass
class CompiledBatchStep(Compiled, StepProgram):
    """A compiled step of the user's own on a batch whose arrays have no rows in common.

    Args:
        logs: The names of the outputs.
    """

    logs: tuple[str, ...]

    def run_once(self, batch: Batch) -> list[Array]:
        """Runs a step on a batch."""
        inputs = {name: array for name, array in batch.arrays.items() if name in self._used}
        return self.executable.run(inputs, self._states, self._sizes_of(inputs))


@dataclass
class CompiledPrediction(Compiled, Prediction):
    """A compiled prediction for a batch.

    Args:
        structure: The tree spec of the outputs.
    """

    structure: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        types = [self.graph.type(ref) for ref in self.graph.outputs]
        batch = dims.size(BATCH)
        # Whether every output has one row per sample, and no other size that depends on the number of samples.
        self.per_sample = all(t.shape[:1] == (batch,) and all(isinstance(d, int) for d in t.shape[1:]) for t in types)
        self._rows = [(t.shape[1:], t.dtype.numpy) for t in types]
        self._single = len(types) == 1 and tree.unflatten(self.structure, [self]) is self

    def unflatten(self, outputs: list[Array]) -> Any:
        """Outputs, nested as the model nests them."""
        return outputs[0] if self._single else tree.unflatten(self.structure, outputs)

    def run_once(self, batch: Batch) -> list[Array]:
        """The outputs for all samples of a batch."""
        if batch.spec.rows:
            self._check_size(batch.size)
        inputs = {name: array for name, array in batch.arrays.items() if name in self._used}
        rows = {BATCH: batch.size} if batch.spec.rows else {}
        outputs = self.executable.run(inputs, self._states, rows | self._sizes_of(inputs))
        return [np.array(output) for output in outputs]  # an output may share memory with inputs or weights

    def empty_outputs(self) -> list[Array]:
        """The outputs for zero samples."""
        sizes = {BATCH: 0} | dict.fromkeys(self._lengths, 0)
        return [np.empty((0, *resolve(row, sizes)), dtype) for row, dtype in self._rows]

    def allocate(self, samples: int) -> list[Array]:
        """Allocates arrays for the outputs of some samples, if outputs are `per_sample`."""
        return [np.empty((samples, *row), dtype) for row, dtype in self._rows]

    def run(self, arrays: Mapping[str, Array], results: list[Array], samples: int, batch: int) -> None:
        """Predicts batch by batch, if outputs are `per_sample`.

        Args:
            arrays: The data, by name.
            results: The arrays that receive the outputs.
            samples: The number of samples in the arrays.
            batch: The number of samples in a batch; the last batch may be smaller.

        Raises:
            ShapeError: if stateful layers require another batch size; nothing is then predicted.
        """
        self._check_size(min(batch, samples))
        self._check_size(samples % batch or min(batch, samples))
        if samples <= batch and not self.host_calls:
            self.executable.sweep(arrays, self._states, {BATCH: samples} | self._sizes_of(arrays), 1, results)
            return
        inputs = {name: array for name, array in arrays.items() if name in self._used}
        done, whole, per_execution = 0, samples - samples % batch, StepsPerExecution(None)
        while done < whole:
            steps = min(per_execution.count, (whole - done) // batch)
            with per_execution.measured(steps):
                self._sweep(inputs, results, done, steps, batch)
            done += steps * batch
        if done < samples:
            self._sweep(inputs, results, done, 1, samples - done)

    def _sweep(self, inputs: Mapping[str, Array], results: list[Array], start: int, steps: int, batch: int) -> None:
        part = slice(start, start + steps * batch)
        taken = {name: array[part] for name, array in inputs.items()}
        sizes = {BATCH: batch} | self._sizes_of(taken)
        self.executable.sweep(taken, self._states, sizes, steps, [result[part] for result in results])


@preparing()
def make(
    model: Trainable,
    data_spec: DataSpec,
    mode: str,
    cursors: Mapping[str, Variable],
    sizes: Mapping[str, int] | None = None,
) -> Program:
    """Traces a step of a model and compiles it.

    Args:
        model: The model.
        data_spec: The shapes and dtypes of the data, and how they nest.
        mode: `"train"`, `"test"` or `"predict"`.
        cursors: The cursors into the order of visits, by mode; a prediction has none.
        sizes: The symbolic sizes in the first step, if known.

    Raises:
        GraphcError: if the data do not fit the model, with the layer and the user's line.
    """
    cursor = cursors.get(mode) if data_spec.rows else None
    step = trace_step(model, data_spec, mode, cursor, model.checked_layers(data_spec))
    executable = build(step.graph, {"traced": step.forward} if step.forward is not None else {}, sizes)
    stateful = model.stateful_batch_size
    common = (mode, step.graph, executable, step.variables, stateful, step.classes, step.host_calls)
    if mode == "predict":
        return CompiledPrediction(*common, step.structure)
    return CompiledBatchStep(*common, step.logs) if cursor is None else CompiledStep(*common, cursor, step.logs)


@dataclass(frozen=True)
class Step:
    """A traced step.

    Args:
        graph: The complete graph.
        variables: The variable of each state, by name.
        structure: The tree spec of the outputs.
        forward: The graph of what was differentiated first; None if nothing was.
        classes: The valid labels of the arrays that are integer labels, by name.
        logs: The names of the outputs of a step of training or evaluation.
        host_calls: What the host computes from the data for each step.
    """

    graph: Graph
    variables: dict[str, Variable]
    structure: Any = None
    forward: Graph | None = None
    classes: Mapping[str, Classes] = field(default_factory=dict)
    logs: tuple[str, ...] = ()
    host_calls: tuple[HostCall, ...] = ()


def trace_step(
    model: Trainable,
    data_spec: DataSpec,
    mode: str,
    cursor: Variable | None,
    checked: frozenset[int] = frozenset(),
) -> Step:
    """Traces a step of a model; a step with a cursor gathers its batch from the whole data.

    Args:
        model: The model.
        data_spec: The shapes and dtypes of the data, and how they nest.
        mode: `"train"`, `"test"` or `"predict"`.
        cursor: The cursor into the order of visits; None for a prediction, and for batches that have no rows.
        checked: The layers whose lookups are checked before the step runs, by identity.
    """
    counts = (BATCH, SAMPLES, VISITS) if cursor is not None else (BATCH,) if data_spec.rows else ()
    symbols = dict.fromkeys(counts, ANY_SIZE)
    lengths = {str(dim) for shape in data_spec.shapes for dim in shape if not isinstance(dim, int)}
    session = Trace(symbols | dict.fromkeys(sorted(lengths), SYMBOL_RANGE))
    where = scope("", model.compile_origin, absolute=True)
    with session.active(), where, training_mode(mode == "train"), checked_lookups(checked), noted_labels() as labels:
        with scope(DATA):
            read = _whole(session, data_spec) if cursor is None else _next_rows(session, cursor)
            session.host_calls = host = HostCalls(lambda name, row: read(ArraySpec(name, row.shape, row.dtype)))
            batch = {leaf.name: _leaf(leaf, data_spec, read) for leaf in data_spec.leaves}
            if cursor is not None:
                cursor.assign(cursor.value + as_tensor(dims.size(BATCH), dtypes.int32))
        found = run_step(model, mode, data_spec.data(batch), for_trace(getattr(model, f"{mode}_step")))
        leaves, structure = tree.flatten_with_spec(found)
        graph = session.finish([lift(as_tensor(leaf), session) for leaf in leaves])
    classes = {name: among for name, array in batch.items() for target, among in labels if target is array}
    logs = () if mode == "predict" else tuple(found)
    return Step(graph, variables_of(session), structure, session.forward, classes, logs, tuple(host.calls))


def run_step(model: Trainable, mode: str, data: Any, step: Callable[[Any], Any]) -> Any:
    """Runs a model's step on a batch.

    Returns:
        The outputs of a prediction, else the logs by name: tensors, without nesting, in the order of their names.

    Raises:
        ArgumentError: if a step of training or evaluation does not return a dictionary of what can be tensors.
    """
    found = step(data)
    if mode == "predict":
        return found
    if not isinstance(found, Mapping):
        raise ArgumentError(
            f"`{mode}_step` returns a dictionary of logs",
            where=describe(model.compile_origin),
            got=repr(found)[:80],
            hint='return {"loss": loss}, or {m.name: m.result() for m in self.metrics}',
        )
    return {name: _log(model, mode, name, value) for name, value in flattened_logs(found)}


def _log(model: Trainable, mode: str, name: str, value: Any) -> Tensor:
    try:
        return as_tensor(value)
    except GraphcError as error:
        raise ArgumentError(
            f"the log {name!r} of `{mode}_step` is no tensor",
            where=describe(model.compile_origin),
            got=repr(value)[:80],
            expected="a number, an array or a tensor",
            hint="leave it out of what the step returns",
        ) from error


def flattened_logs(results: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Logs sorted by name; a metric's dictionary contributes its entries."""
    for name, value in sorted(results.items(), key=lambda item: item[0]):
        if isinstance(value, Mapping):
            yield from flattened_logs(value)
        else:
            yield str(name), value


Reader = Callable[[ArraySpec], Tensor]


def _whole(session: Trace, data_spec: DataSpec) -> Reader:
    """What reads the arrays of a batch, which are inputs of the graph."""
    rows = (dims.size(BATCH),) if data_spec.rows else ()
    return lambda leaf: _array(session, leaf, rows)


def _next_rows(session: Trace, cursor: Variable) -> Reader:
    """What reads the rows of the next batch of arrays."""
    batch = dims.size(BATCH)
    visits = TensorType((dims.size(VISITS),), dtypes.int32)
    order = Tensor(session.builder.input("order", visits))
    counting = bind("iota", shape=(batch,), axis=0, dtype=dtypes.int32)
    rows = bind("gather", order, ops.add(counting, cursor.value), axis=0)
    samples = (dims.size(SAMPLES),)
    return lambda leaf: bind("gather", _array(session, leaf, samples), rows, axis=0)


def _leaf(leaf: ArraySpec, data_spec: DataSpec, read: Reader) -> Any:
    """An array of a batch as a step gets it."""
    if leaf.dtype is dtypes.string:
        return HostTensor((*((dims.size(BATCH),) if data_spec.rows else ()), *leaf.shape), leaf.name)
    return _converted(read(leaf))


def _array(session: Trace, leaf: ArraySpec, rows: Shape) -> Tensor:
    return Tensor(session.builder.input(leaf.name, TensorType((*rows, *leaf.shape), leaf.dtype)))


def _converted(array: Tensor) -> Tensor:
    """Data in the dtype in which models compute."""
    return cast(array, dtypes.as_dtype(settings.floatx())) if array.type.dtype.is_float else array
