"""From Python functions to compiled graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from graphc import compiler, config, tree
from graphc.compiler import Executable
from graphc.graph.core import Graph
from graphc.graph.own import OwnRules, are_current, own_rules
from graphc.tracing.conversion import as_tensor
from graphc.tracing.tensor import Tensor, lift
from graphc.tracing.trace import Trace, current_trace, required_trace
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


class Function(Generic[P, R]):
    """A Python function that is traced and compiled on its first call with arguments of new shapes.

    Args:
        function: A function of tensors; it may read and assign variables.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self.function = function
        self._compiled: dict[Any, tuple[Executable, Traced, OwnRules]] = {}
        update_wrapper(self, function)

    def __reduce__(self) -> str:
        """Pickles the function by its name, like any Python function; copies are the same object."""
        return self.function.__qualname__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the compiled function; inside another trace, adds its operations to that graph."""
        if current_trace() is not None:
            return cast(R, tree.map_structure(as_tensor, self.function(*args, **kwargs)))
        leaves, structure = tree.flatten_with_spec((args, kwargs))
        arrays = [as_tensor(leaf).array for leaf in leaves]
        types = [Tensor(array).type for array in arrays]
        key = (structure, tuple(types), config.current())
        found = self._compiled.get(key)
        if found is None or not are_current(found[2]):
            specs = tree.unflatten(structure, types)
            traced = trace(lambda pair: self.function(*pair[0], **pair[1]), [specs])
            rules = own_rules(traced.graph)
            found = self._compiled[key] = build(traced.graph), traced, rules
        executable, traced, _ = found
        states = {name: traced.variables[name].buffer for name in traced.graph.states}
        outputs = executable.run({f"x{i}": array for i, array in enumerate(arrays)}, states, {})
        return cast(R, tree.unflatten(traced.structure, [Tensor(np.asarray(output)) for output in outputs]))


def function(function: Callable[P, R]) -> Function[P, R]:
    """Compiles a function of tensors: on its first call with arguments of new shapes it is traced into a graph.

    Example:

    >>> @function
    ... def double(x):
    ...     return x + x
    >>> double(np.array([1.0, 2.0], "float32")).numpy()
    array([2., 4.], dtype=float32)
    """
    return Function(function)


def gradients(loss: Tensor, variables: Iterable[Variable]) -> list[Tensor]:
    """The gradient of a scalar by each variable, while a graph is traced.

    Args:
        loss: A floating-point scalar of the graph.
        variables: The variables to differentiate by: their values at the start of the graph.

    Raises:
        StateError: if no graph is being traced.
        ArgumentError: if `loss` is not a scalar, or depends on a variable through an operation without a gradient.
    """
    session = required_trace("`gradients`")
    return [Tensor(value) for value in session.gradients(lift(loss, session), list(variables))]
