"""From Python functions to compiled graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from graphc import compiler, tree
from graphc.compiler import Executable
from graphc.graph.builder import Value
from graphc.graph.core import Graph
from graphc.graph.types import Ref
from graphc.tracing.conversion import as_tensor
from graphc.tracing.recording import eager_recording
from graphc.tracing.state import current_state
from graphc.tracing.tensor import Tensor, bind_many, lift
from graphc.tracing.trace import Stateful, Trace
from graphc.tracing.variable import Variable


@dataclass(frozen=True)
class Traced:
    """A graph that was traced from a Python function.

    Args:
        graph: The graph. Its inputs are `x0`, `x1`, ... in the order of the arguments' leaves.
        variables: The variable of each state of the graph, by name.
        structure: The tree spec of the function's results.
    """

    graph: Graph
    variables: Mapping[str, Variable]
    structure: Any

    def replay(self, inputs: Sequence[Tensor]) -> Any:
        """Applies the graph's operations to tensors, one after the other, as if the function's own code ran.

        Args:
            inputs: A tensor for each input, in order; their sizes are numbers.
        """
        state, values = current_state(), dict[Ref, Tensor]()
        for node in self.graph.table.values():
            if node.op == "input":
                results: tuple[Tensor, ...] = (inputs[int(node.attrs["name"][1:])],)
            elif node.op == "state":
                results = (state.read(self.variables[node.attrs["name"]]),)
            else:
                results = bind_many(node.op, *(values[ref] for ref in node.inputs), **node.attrs)
            values.update({Ref(node.id, out): result for out, result in enumerate(results)})
        for id, ref in self.graph.updates.items():
            state.write(self.variables[self.graph.node(id).attrs["name"]], values[ref])
        return tree.unflatten(self.structure, [values[ref] for ref in self.graph.outputs])


def trace(function: Callable[..., Any], specs: Sequence[Any], symbols: Any = None) -> Traced:
    """Traces a function: runs it on values of a graph, to which it adds its operations.

    Args:
        function: A function of tensors.
        specs: For each argument a `TensorType`, or a nested structure of them.
        symbols: The minimum and maximum of each symbolic size in `specs`.

    Returns:
        The graph, its variables and the tree spec of its results.

    Example:

    >>> from graphc.dtypes import float32
    >>> from graphc.graph.types import TensorType
    >>> traced = trace(lambda x: x * 2.0, [TensorType((3,), float32)])
    >>> [node.op for node in traced.graph.table.values()]
    ['input', 'constant', 'broadcast', 'mul']
    """
    return _traced(Trace(symbols), function, specs)


def run_traced(function: Callable[..., Any], inputs: Sequence[Tensor]) -> Any:
    """Traces a function of eager tensors, and applies the operations of its graph to them, where tapes record them.

    Other tensors that tapes watch, and that the function reads, are inputs of the graph, too.

    Args:
        function: A function of tensors.
        inputs: The tensors.
    """
    session = _EagerTrace()
    traced = _traced(session, function, [x.type for x in inputs])
    return traced.replay([*inputs, *session.read_tensors])


class _EagerTrace(Trace):
    """A trace whose graph is applied to eager tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.read_tensors: list[Tensor] = []
        self._inputs: dict[int, Value] = {}
        self._around = current_state()
        self.recorded = eager_recording() is not None

    def read(self, variable: Stateful) -> Value:
        """The value of a variable: where eager tapes record, an input that they see read, until it is assigned."""
        value = self.current(variable)
        if not self.recorded or value.ref != self.state(variable).ref:
            return value
        return self._input(self._around.read(cast(Variable, variable)))

    def _input(self, tensor: Tensor) -> Value:
        given = sum(node.op == "input" for node in self.builder.nodes)
        self.read_tensors.append(tensor)
        return self.builder.input(f"x{given}", tensor.type)

    def watched(self, tensor: Any) -> Value | None:
        """The value of a tensor that a tape watches: an input for one that an eager tape watches."""
        own = super().watched(tensor)
        recording = eager_recording()
        if own is not None or recording is None or recording.linked(tensor) is None:
            return own
        if id(tensor) not in self._inputs:
            self._inputs[id(tensor)] = self._input(tensor)
        return self._inputs[id(tensor)]


def _traced(session: Trace, function: Callable[..., Any], specs: Sequence[Any]) -> Traced:
    leaves, structure = tree.flatten_with_spec(tuple(specs))
    stand_ins = [Tensor(session.builder.input(f"x{i}", spec)) for i, spec in enumerate(leaves)]
    with session.active():
        results, out = tree.flatten_with_spec(function(*tree.unflatten(structure, stand_ins)))
        values = [lift(as_tensor(result), session) for result in results]
    return Traced(session.finish(values), variables_of(session), out)


def variables_of(session: Trace) -> dict[str, Variable]:
    """The variables that a trace read or assigned, by name of state."""
    return {name: cast(Variable, variable) for name, variable in session.variables.items()}


def build(
    graph: Graph, earlier: Mapping[str, Graph] | None = None, sizes: Mapping[str, int] | None = None
) -> Executable:
    """Compiles a graph for the configured backend.

    Args:
        graph: The graph.
        earlier: Earlier stages of the graph, by name, for inspection.
        sizes: Values of the symbolic sizes in the first run, if known.
    """
    return compiler.compile(graph, earlier=earlier, sizes=sizes)
