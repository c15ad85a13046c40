"""What tapes record: the operations that run while they are active, as nodes of a graph.

In a trace these are the nodes of its own graph. Eager operations are added to a graph that is kept beside their values.
Both are differentiated by the same `graphc.autodiff`; the values of eager gradients are computed when they are asked
for. While a tape records, equal nodes are not merged, so that each value has a gradient of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.graph.builder import Builder, Value
from graphc.graph.evaluation import evaluate
from graphc.graph.types import Ref
from graphc.tracing.arrays import Array
from graphc.tracing.origins import current_origin
from graphc.tracing.trace import Stateful, Trace, current_trace

if TYPE_CHECKING:
    from graphc.tracing.tensor import Tensor


class Tape:
    """The part of a recording that one tape has seen.

    Args:
        recording: The recording.
        watches_variables: Whether every trainable variable that is read is watched.

    Attributes:
        watched: The values to differentiate by.
        reads: By identity of a variable: the variable, and the values that were read from it.
    """

    def __init__(self, recording: Recording, watches_variables: bool) -> None:
        self.recording = recording
        self.watches_variables = watches_variables
        self.watched: set[Ref] = set()
        self.reads: dict[int, tuple[Stateful, list[Ref]]] = {}
        self._watched_variables: set[int] = set()
        self._intervals: list[tuple[int, int | None]] = []

    @property
    def is_recording(self) -> bool:
        """Whether operations are recorded now."""
        return bool(self._intervals) and self._intervals[-1][1] is None

    def start(self) -> None:
        """Starts to record, or goes on."""
        self._intervals.append((len(self.recording.builder.nodes), None))
        self.recording.tapes.append(self)
        self.recording.changed()

    def stop(self) -> None:
        """Stops recording."""
        start, _ = self._intervals[-1]
        self._intervals[-1] = start, len(self.recording.builder.nodes)
        self.recording.tapes.remove(self)
        self.recording.changed()

    def has(self, id: int) -> bool:
        """Whether it recorded a node."""
        return any(start <= id and (stop is None or id < stop) for start, stop in self._intervals)

    def watch_variable(self, variable: Stateful) -> None:
        """Watches a variable: each value that is read from it from now on."""
        self._watched_variables.add(id(variable))
        self.reads.setdefault(id(variable), (variable, []))

    def watches(self, variable: Stateful) -> bool:
        """Whether values that are read from a variable are watched."""
        return id(variable) in self._watched_variables or (self.watches_variables and variable.trainable)

    def note_read(self, variable: Stateful, value: Value) -> None:
        """Records that a value was read from a variable."""
        if self.watches(variable):
            self.watched.add(value.ref)
            self.reads.setdefault(id(variable), (variable, []))[1].append(value.ref)

    def depending(self) -> set[int]:
        """The nodes that it recorded and that depend on what it watches, and the watched ones."""
        found = {ref.node for ref in self.watched}
        for node in self.recording.builder.nodes:
            if self.has(node.id) and any(ref.node in found for ref in node.inputs):
                found.add(node.id)
        return found


class Recording:
    """The graph to which operations are added while tapes record, and the tensors that are values of it.

    Args:
        builder: The graph.

    Attributes:
        tapes: The tapes that record now.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.tapes: list[Tape] = []
        # Tensors whose value in the graph is not their own: by identity, with the tensor, which must stay alive.
        self._values: dict[int, tuple[Tensor, Value]] = {}

    def changed(self) -> None:
        """Is called when a tape starts or stops."""
        self.builder.merging = not self.tapes

    def find(self, tensor: Tensor) -> Value | None:
        """The value of a tensor in the graph; None if it is not in it."""
        known = self.linked(tensor)
        if known is not None:
            return known
        value = tensor.traced
        return value if value is not None and value.builder is self.builder else None

    def linked(self, tensor: Tensor) -> Value | None:
        """The value of a tensor in the graph, if it is not the tensor's own."""
        known = self._values.get(id(tensor))
        return None if known is None else known[1]

    def link(self, tensor: Tensor, value: Value) -> None:
        """Says that a tensor is a value of the graph."""
        self._values[id(tensor)] = tensor, value

    def fresh(self, tensor: Tensor) -> Value:
        """A new value of the graph that equals a tensor; no gradient flows from it to where it came from."""
        raise NotImplementedError

    def watch(self, tensor: Tensor) -> Value:
        """The value of a tensor in the graph, which equals no other tensor's."""
        value = self.find(tensor)
        return value if value is not None and self.stands_for_itself(tensor, value) else self.fresh(tensor)

    def stands_for_itself(self, tensor: Tensor, value: Value) -> bool:
        """Whether the value of a tensor is one that tapes tell from others."""
        node = self.builder.node(value.ref)
        linked = self.linked(tensor) is not None
        return node.op == "input" or linked or any(tape.has(node.id) for tape in self.tapes)

    def note_read(self, variable: Stateful, tensor: Tensor, *, is_new: bool = False) -> None:
        """Records that a tensor was read from a variable.

        Args:
            variable: The variable.
            tensor: The tensor.
            is_new: Whether it is a value of the graph that no other read gave. A fresh one in its place would hide from
                tapes around a region what a tape in the region has seen.
        """
        value = tensor.traced if is_new else self.fresh(tensor)
        assert value is not None
        for tape in self.tapes:
            tape.note_read(variable, value)

    def source(self, value: Value) -> Array | Value:
        """What a tensor of a value is made of."""
        raise NotImplementedError

    def note_gradient(self, targets: Iterable[Value]) -> None:
        """Is called before values are differentiated."""

    def value(self, tensor: Tensor) -> Value:
        """The value of a tensor in the graph, to which it is added if need be."""
        return self.find(tensor) or self.fresh(tensor)

    @property
    def is_current(self) -> bool:
        """Whether operations can be added to it now."""
        raise NotImplementedError


class TraceRecording(Recording):
    """A recording of a trace: the nodes of its own graph."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.builder)
        self.trace = trace

    def watch(self, tensor: Tensor) -> Value:
        """The value of a tensor; in a region, one through which the gradients of tapes around it flow."""
        value = self.find(tensor)
        if value is None:
            known = self.trace.watched(tensor)
            if known is None and tensor.traced is not None:
                known = self.trace.capture(tensor.traced)
        elif self.trace.recorded and not self.stands_for_itself(tensor, value):
            known = self.builder.apply("identity", value)
        else:
            known = None
        if known is None:
            return super().watch(tensor)
        self.link(tensor, known)
        return known

    def fresh(self, tensor: Tensor) -> Value:
        """A new node that equals a tensor."""
        value = tensor.traced
        if value is None:
            value = self.builder.constant(tensor.array, tensor.type.dtype)
        elif value.builder is not self.builder:
            value = self.trace.capture(value)
        self.builder.loc = (current_origin(),)
        copied = self.builder.apply("read", value)
        self.link(tensor, copied)
        return copied

    def source(self, value: Value) -> Value:
        """The value itself."""
        return value

    def note_gradient(self, targets: Iterable[Value]) -> None:
        """Keeps the graph before the first gradient."""
        self.trace.note_gradient(targets)

    @property
    def is_current(self) -> bool:
        """Whether its trace is the current one."""
        return current_trace() is self.trace


class EagerRecording(Recording):
    """A recording of eager operations: only those that depend on a watched value are added to its graph."""

    def __init__(self) -> None:
        super().__init__(Builder())
        self._arrays: dict[Ref, Array] = {}

    def changed(self) -> None:
        """Makes it the recording of eager operations while a tape records."""
        super().changed()
        _eager.set(self if self.tapes else None)

    def fresh(self, tensor: Tensor) -> Value:
        """A new input of the graph, whose value is that of a tensor."""
        value = self._leaf(tensor)
        self.link(tensor, value)
        return value

    def _leaf(self, tensor: Tensor) -> Value:
        value = self.builder.input(f"x{len(self.builder.nodes)}", tensor.type)
        self._arrays[value.ref] = tensor.array
        return value

    @property
    def is_current(self) -> bool:
        """Whether operations are eager."""
        return current_trace() is None

    def record(self, op: str, operands: Sequence[Tensor], attrs: Mapping[str, Any], results: Iterable[Tensor]) -> None:
        """Records an operation that was computed, if it depends on a value of the graph."""
        known = [self.find(operand) for operand in operands]
        if all(value is None for value in known):
            return
        values = [value or self._leaf(operand) for value, operand in zip(known, operands, strict=True)]
        self.builder.loc = (current_origin(),)
        for value, result in zip(self.builder.apply_many(op, *values, **attrs), results, strict=True):
            self._arrays[value.ref] = result.array
            self.link(result, value)

    def source(self, value: Value) -> Array:
        """The array of a value, which is computed if it was not yet."""
        nodes, pending = self.builder.nodes, [value.ref]
        missing: set[int] = set()
        while pending:
            ref = pending.pop()
            if ref not in self._arrays and ref.node not in missing:
                missing.add(ref.node)
                pending.extend(nodes[ref.node].inputs)
        for id in sorted(missing):
            results = evaluate(nodes[id], [self._arrays[ref] for ref in nodes[id].inputs], {})
            self._arrays.update({Ref(id, out): np.asarray(result) for out, result in enumerate(results)})
        return self._arrays[value.ref]


_eager: ContextVar[EagerRecording | None] = ContextVar("graphc_recording", default=None)


def eager_recording() -> EagerRecording | None:
    """The recording of eager operations; None if no tape records them now."""
    return _eager.get()


def active_recording(trace: Trace | None) -> Recording | None:
    """The recording of a trace (None: of eager operations), if a tape records now."""
    recording = _eager.get() if trace is None else trace.recording
    return recording if recording is not None and recording.tapes else None


def current_recording() -> Recording:
    """The recording that a tape which starts now belongs to: that of the current trace, or of eager operations."""
    trace = current_trace()
    if trace is None:
        recording = _eager.get()
        return recording if recording is not None else EagerRecording()
    if trace.recording is None:
        trace.recording = TraceRecording(trace)
    return trace.recording
