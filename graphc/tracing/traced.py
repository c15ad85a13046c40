"""From Python functions to compiled graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from graphc import compiler, tree
from graphc.compiler import Executable
from graphc.graph.core import Graph
from graphc.graph.types import Ref
from graphc.tracing.conversion import as_tensor
from graphc.tracing.state import current_state
from graphc.tracing.tensor import Tensor, bind_many, lift
from graphc.tracing.trace import Trace
from graphc.tracing.variable import Variable

P = ParamSpec("P")
R = TypeVar("R")


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
    session = Trace(symbols)
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
