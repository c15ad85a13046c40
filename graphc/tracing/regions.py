"""Regions: from Python functions to closed graphs, which operations of the enclosing graph run.

The body of a loop, or a branch, is traced into a graph of its own. What it reads of the enclosing graph becomes inputs
of it; so do the variables that it reads. Those that it assigns become carries: they enter with their value before the
operation, and leave with that after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from graphc import tree
from graphc.errors import ShapeError
from graphc.graph.builder import Builder, Value, copy_node
from graphc.graph.core import Graph
from graphc.graph.types import Ref, TensorType
from graphc.tracing.conversion import as_tensor
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.recording import active_recording
from graphc.tracing.state import GraphState, StatelessScope, StateScope, current_state
from graphc.tracing.tensor import Tensor, lift
from graphc.tracing.trace import Stateful, Trace, required_trace

if TYPE_CHECKING:
    from graphc.tracing.variable import Variable


class RegionTrace(Trace):
    """The trace of a region.

    Args:
        enclosing: The trace of the enclosing graph.
        state: Where the enclosing code reads and assigns variables.

    Attributes:
        captured: By value of the enclosing graph: the input of the region for it.
        initial: By identity of a variable: the variable, and the input of the region with its first value.
        reads: By name of an input that stands for a value that was read: the variable, and the value. Whether the
            region assigns the variable, so that no gradient flows from one to the other, is known at the end.
        recorded: Whether a tape of an enclosing trace records it.
    """

    def __init__(self, enclosing: Trace, state: StateScope) -> None:
        super().__init__(enclosing.builder.symbols)
        self.enclosing = enclosing
        self.around = state
        self.infers = enclosing.infers
        self.captured: dict[Ref, Value] = {}
        self.initial: dict[int, tuple[Variable, Value]] = {}
        self.reads: dict[str, tuple[Variable, Value]] = {}
        # In a `StatelessScope` variables are values, through which gradients flow.
        self.recorded = not isinstance(state, StatelessScope) and (
            active_recording(enclosing) is not None or enclosing.recorded
        )
        self._perturbations: dict[int, Value] = {}

    @property
    def outermost(self) -> Trace:
        """The outermost enclosing trace."""
        return self.enclosing.outermost

    def input(self, type: TensorType) -> Value:
        """Adds an input."""
        return self.builder.input(f"i{len(self.builder.nodes)}", type)

    def stand_in(self, type: TensorType) -> Value:
        """A value of a type, to stand in for one that is not computed."""
        return self.capture(self.enclosing.stand_in(type))

    def watched(self, tensor: Any) -> Value | None:
        """The value of a tensor that a tape of this trace, or of an enclosing one, watches."""
        own = super().watched(tensor)
        if own is not None:
            return own
        outer = self.enclosing.watched(tensor)
        return None if outer is None else self.capture(outer)

    def capture(self, value: Value) -> Value:
        """The input of the region for a value of an enclosing graph."""
        outer = value if value.builder is self.enclosing.builder else self.enclosing.capture(value)
        if outer.ref not in self.captured:
            self.captured[outer.ref] = self.input(outer.type)
        return self.captured[outer.ref]

    def state(self, variable: Stateful) -> Value:
        """The input of the region for the value of a variable before it."""
        known = self.initial.get(id(variable))
        if known is not None:
            return known[1]
        value = self._current[id(variable)] = self.input(variable.type)
        self.initial[id(variable)] = cast("Variable", variable), value
        return value

    def read(self, variable: Stateful) -> Value:
        """The value of a variable; an input that stands for it, where a tape must not see through an assignment."""
        value = self.current(variable)
        if not self.recorded:
            return value
        found = self.input(variable.type)
        self.reads[self.builder.node(found.ref).attrs["name"]] = cast("Variable", variable), value
        return found

    def watches(self, variable: Stateful) -> bool:
        """Whether a tape of an enclosing trace watches what is read from a variable."""
        recording = active_recording(self.enclosing)
        own = recording is not None and any(tape.watches(variable) for tape in recording.tapes)
        return variable.type.dtype.is_inexact and (own or self.enclosing.watches(variable))

    def perturbation(self, variable: Stateful) -> Value | None:
        """An input of zeros, if a tape of an enclosing trace watches the variable."""
        if not self.recorded or not self.watches(variable):
            return None
        if id(variable) not in self._perturbations:
            self._perturbations[id(variable)] = self.input(variable.type)
        return self._perturbations[id(variable)]

    def assigned(self) -> list[int]:
        """The identities of the variables that it assigns."""
        return [key for key, (_, first) in self.initial.items() if self._current[key].ref != first.ref]

    def last(self, key: int) -> Value:
        """The value of a variable, by its identity, at the end."""
        return self._current[key]


@dataclass
class Region:
    """A traced region.

    Args:
        trace: Its trace.
        arguments: The inputs for the arguments of the function.
        results: The leaves of what the function returned.
        structure: The tree spec of the results.
    """

    trace: RegionTrace
    arguments: list[Value]
    results: list[Value]
    structure: Any


def trace_region(function: Callable[..., Any], types: Sequence[TensorType], spec: Any = None) -> Region:
    """Traces a function into a region of the current trace.

    Args:
        function: A function of tensors.
        types: The types of its arguments, or of their leaves.
        spec: The tree spec of the tuple of arguments. None: each type is an argument.
    """
    trace = RegionTrace(required_trace("a region"), current_state())
    arguments = [trace.input(type) for type in types]
    tensors = [Tensor(value) for value in arguments]
    with trace.active():
        found = function(*(tensors if spec is None else tree.unflatten(spec, tensors)))
        leaves, structure = tree.flatten_with_spec(found)
        results = [lift(as_tensor(leaf), trace) for leaf in leaves]
    return Region(trace, arguments, results, structure)


@dataclass
class Closure:
    """What several regions of one operation read of the enclosing graph, and which variables they assign.

    Args:
        regions: The regions.

    Attributes:
        captured: The values of the enclosing graph that they read.
        constants: The variables that they read, and that none assigns.
        carried: The variables that they assign.
        perturbed: Those of them that a tape watches.
    """

    regions: Sequence[Region]
    captured: list[Ref] = field(init=False)
    constants: list[Variable] = field(init=False)
    carried: list[Variable] = field(init=False)
    perturbed: list[Variable] = field(init=False)

    def __post_init__(self) -> None:
        traces = [region.trace for region in self.regions]
        variables = {key: variable for trace in traces for key, (variable, _) in trace.initial.items()}
        assigned = dict.fromkeys(key for trace in traces for key in trace.assigned())
        self.captured = list(dict.fromkeys(ref for trace in traces for ref in trace.captured))
        self.constants = [variable for key, variable in variables.items() if key not in assigned]
        self.carried = [variables[key] for key in assigned]
        for trace in traces:
            for variable in self.carried:
                trace.state(variable)  # a region that does not assign it returns it as it came
        first = traces[0]
        self.perturbed = [variable for variable in self.carried if first.perturbation(variable) is not None]

    def operands(self) -> tuple[list[Tensor], list[Tensor]]:
        """The operands for what the regions read, and those for the variables that they assign, as tensors."""
        first = self.regions[0].trace
        captured = [Tensor(first.enclosing.builder.value(ref)) for ref in self.captured]
        state = first.around
        constants = [state.read(variable) for variable in self.constants]
        if not isinstance(state, GraphState):
            return captured + constants, [state.read(variable) for variable in self.carried]
        constants += [state.perturbation(variable) for variable in self.perturbed]
        return captured + constants, [state.carry(variable) for variable in self.carried]

    def assign(self, values: Iterable[Tensor]) -> None:
        """Assigns the values with which the carried variables leave the operation."""
        state = self.regions[0].trace.around
        for variable, value in zip(self.carried, values, strict=True):
            state.write(variable, value)

    def last(self, region: Region) -> list[Value]:
        """The values of the carried variables at the end of a region."""
        return [region.trace.last(id(variable)) for variable in self.carried]

    def graph(self, region: Region, inputs: Mapping[str, Sequence[Any]], results: Sequence[Value]) -> Graph:
        """The closed graph of a region.

        Args:
            region: The region.
            inputs: By the letter of its name: the values of the region's trace that its inputs replace, in order; a
                type where it has no such value.
            results: The values of the region's trace that it returns.
        """
        trace, builder = region.trace, Builder(region.trace.builder.symbols)
        mapping: dict[Ref, Ref] = {}
        for letter, values in inputs.items():
            for number, value in enumerate(values):
                type = value if isinstance(value, TensorType) else value.type
                added = builder.input(f"{letter}{number}", type)
                if isinstance(value, Value):
                    mapping[value.ref] = added.ref
        for node in trace.builder.nodes:
            if node.op == "input":
                if Ref(node.id) not in mapping:
                    mapping[Ref(node.id)] = self._read(builder, mapping, trace, *trace.reads[node.attrs["name"]])
                continue
            copied = copy_node(builder, node, mapping)
            mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
        return builder.finish(mapping[result.ref] for result in results)

    def _read(
        self, builder: Builder, mapping: Mapping[Ref, Ref], trace: RegionTrace, variable: Variable, value: Value
    ) -> Ref:
        """What is read of a variable: of one that the regions assign, a value from which no gradient flows back."""
        current = builder.value(mapping[value.ref])
        if not any(variable is other for other in self.carried):
            return current.ref
        stopped = builder.apply("read", current)
        zeros = trace.perturbation(variable)
        return stopped.ref if zeros is None else builder.apply("add", stopped, builder.value(mapping[zeros.ref])).ref

    def constants_of(self, region: Region) -> list[Value | TensorType]:
        """The inputs of a region for what all regions read; a type where this one does not read it."""
        trace = region.trace
        captured = [trace.captured.get(ref) or trace.enclosing.builder.type(ref) for ref in self.captured]
        constants = [_input_of(trace, variable) for variable in self.constants]
        return captured + constants + [trace.perturbation(variable) or variable.type for variable in self.perturbed]

    def carried_of(self, region: Region) -> list[Value]:
        """The inputs of a region for the variables that are assigned."""
        return [region.trace.state(variable) for variable in self.carried]


def _input_of(trace: RegionTrace, variable: Variable) -> Value | TensorType:
    known = trace.initial.get(id(variable))
    return variable.type if known is None else known[1]


def check_types(what: str, names: Sequence[str], got: Sequence[TensorType], wanted: Sequence[TensorType]) -> None:
    """Raises where a region returns values of other types than expected.

    Args:
        what: What returns them.
        names: What each value is called.
        got: The types of the values.
        wanted: The expected types.

    Raises:
        ShapeError: with the user's line.
    """
    for name, actual, expected in zip(names, got, wanted, strict=True):
        if actual != expected:
            origin = current_origin()
            raise ShapeError(
                f"{what} changes the type of {name}",
                layer=origin.layer or None,
                where=describe(origin),
                got=str(actual),
                expected=str(expected),
                hint="cast or reshape it, so that it stays the same",
            )
