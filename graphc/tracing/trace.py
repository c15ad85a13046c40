"""A trace: the graph that Python code builds while it runs, and the variables that it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from graphc import autodiff
from graphc.dtypes import DType
from graphc.errors import StateError
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.tracing.origins import current_origin

# A size is whatever the caller passes; what bounds it is the device's 32-bit indices.
ANY_SIZE = (1, 2**31 - 1)


class Stateful(Protocol):
    """What a trace must know of a variable."""

    @property
    def path(self) -> str:
        """Its name, with the scopes it was made in."""

    @property
    def static_shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def element(self) -> DType:
        """Its dtype."""


class Trace:
    """The state of one run of Python code that builds a graph.

    Args:
        symbols: The ranges of the symbolic sizes.
        random_step: The variable that counts steps for random operations; None where nothing counts.
    """

    def __init__(
        self, symbols: Mapping[str, tuple[int, int]] | None = None, random_step: Stateful | None = None
    ) -> None:
        self.builder = Builder(symbols)
        self.variables: dict[str, Stateful] = {}
        self.random_step = random_step
        self.streams = 0
        self._states: dict[int, Value] = {}
        self._current: dict[int, Value] = {}

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """Operations within are added to this trace."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def state(self, variable: Stateful) -> Value:
        """The value that a variable has when the graph starts."""
        known = self._states.get(id(variable))
        if known is not None:
            return known
        name, count = variable.path, 1
        while name in self.variables:
            count += 1
            name = f"{variable.path}:{count}"
        self.builder.loc = (current_origin(),)
        value = self.builder.state(name, TensorType(variable.static_shape, variable.element))
        self.variables[name] = variable
        self._states[id(variable)] = self._current[id(variable)] = value
        return value

    def read(self, variable: Stateful) -> Value:
        """The value of a variable at this point of the program."""
        self.state(variable)
        return self._current[id(variable)]

    def write(self, variable: Stateful, value: Value) -> None:
        """What a variable becomes at this point of the program."""
        self.state(variable)
        self._current[id(variable)] = value

    def next_stream(self) -> int:
        """A number that no other random operation of this trace has."""
        self.streams += 1
        return self.streams

    def gradients(self, loss: Value, variables: Sequence[Stateful]) -> list[Value]:
        """The gradient of a scalar by the values that variables have when the graph starts.

        Raises:
            ArgumentError: if an operation on the way has no gradient.
        """
        return autodiff.grad(loss, [self.state(variable) for variable in variables])

    def finish(self, outputs: Iterable[Value]) -> Graph:
        """The graph of what was traced: it returns `outputs` and updates the variables that were written."""
        for key, state in self._states.items():
            if self._current[key].ref != state.ref:
                self.builder.update(state, self._current[key])
        return self.builder.finish(outputs)


_current: ContextVar[Trace | None] = ContextVar("graphc_trace", default=None)


def current_trace() -> Trace | None:
    """The trace that operations are added to; None where they are computed at once."""
    return _current.get()


def required_trace(what: str) -> Trace:
    """The current trace.

    Raises:
        StateError: if there is none.
    """
    trace = _current.get()
    if trace is None:
        raise StateError(f"{what} works only while a graph is traced", hint="call it inside `graphc.function`")
    return trace


def keras_shape(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """A shape as Keras writes it: None for a size that is not known yet."""
    return tuple(dim if isinstance(dim, int) else None for dim in shape)


@contextmanager
def untraced() -> Iterator[None]:
    """Operations within are computed at once, also while a graph is traced."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
