"""A trace: the graph that Python code builds while it runs, and the variables that it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from graphc.errors import StateError
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.tracing.origins import current_origin, describe

if TYPE_CHECKING:
    from graphc.tracing.host import HostCalls
    from graphc.tracing.recording import Recording

# The bounds of sizes that the caller chooses: devices use 32-bit indices.
ANY_SIZE = (1, 2**31 - 1)


class Stateful(Protocol):
    """The interface of a variable that a trace uses."""

    @property
    def path(self) -> str:
        """Its name, with the scopes in which it was created."""

    @property
    def type(self) -> TensorType:
        """Its shape and dtype."""

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it."""


class Trace:
    """A trace: the graph that one run of Python code builds.

    Args:
        symbols: The ranges of the symbolic sizes.

    Attributes:
        infers: Whether it only infers the shapes of a call's results (see `InferenceTrace`).
        recorded: Whether tapes around it record what it computes: each `read` gives an input of its own, through which
            their gradients flow.
        forward: The graph of what was differentiated first; None before the first gradient.
        recording: What tapes record of it (see `graphc.tracing.recording`); None before the first tape.
        host_calls: What the host computes for it (see `graphc.tracing.host`); None where it computes nothing.
    """

    infers = False
    recorded: bool = False

    def __init__(self, symbols: Mapping[str, tuple[int, int]] | None = None) -> None:
        self.builder = Builder(symbols)
        self.variables: dict[str, Stateful] = {}
        self.forward: Graph | None = None
        self.recording: Recording | None = None
        self.host_calls: HostCalls | None = None
        self._states: dict[int, Value] = {}
        self._current: dict[int, Value] = {}

    @property
    def outermost(self) -> Trace:
        """The trace that encloses it: itself, if it is not the body of a region."""
        return self

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """A context in which operations are added to this trace."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def state(self, variable: Stateful) -> Value:
        """The value of a variable at the start of the graph."""
        known = self._states.get(id(variable))
        if known is not None:
            return known
        name, count = variable.path, 1
        while name in self.variables:
            count += 1
            name = f"{variable.path}:{count}"
        self.builder.loc = (current_origin(),)
        value = self.builder.state(name, variable.type)
        self.variables[name] = variable
        self._states[id(variable)] = self._current[id(variable)] = value
        return value

    def current(self, variable: Stateful) -> Value:
        """The value that a variable has so far."""
        self.state(variable)
        return self._current[id(variable)]

    def read(self, variable: Stateful) -> Value:
        """The value of a variable for code that reads it now."""
        return self.current(variable)

    def write(self, variable: Stateful, value: Value) -> None:
        """Assigns a value to a variable."""
        self.state(variable)
        self._current[id(variable)] = value

    def watched(self, tensor: Any) -> Value | None:
        """The value in this graph of a tensor that a tape watches under another value than its own."""
        recording = self.recording
        return recording.linked(tensor) if recording is not None and recording.tapes else None

    def watches(self, variable: Stateful) -> bool:
        """Whether a tape of an enclosing trace watches what is read from a variable."""
        return False

    def perturbation(self, variable: Stateful) -> Value | None:
        """The zeros by which tapes of enclosing traces take the gradient by a variable; None if none watches it."""
        return None

    def capture(self, value: Value) -> Value:
        """The value in this graph for a value of another graph.

        Raises:
            StateError: always, except in a region, which may read the enclosing graph.
        """
        origin = current_origin()
        raise StateError(
            "a tensor of another graph is used here",
            layer=origin.layer or None,
            where=describe(origin),
            got=str(value.type),
            hint="do not keep tensors between calls: keep them in a Variable",
        )

    def stand_in(self, type: TensorType) -> Value:
        """A value of a type, to stand in for one that is not computed: only where the trace `infers`."""
        raise NotImplementedError(f"{self!r} does not infer")

    def note_gradient(self, targets: Iterable[Value]) -> None:
        """Keeps the graph as it is before the first gradient is added, for inspection."""
        if self.forward is None:
            self.forward = self.builder.finish(targets)

    def finish(self, outputs: Iterable[Value]) -> Graph:
        """The traced graph, which returns `outputs` and updates the variables that were assigned."""
        for key, state in self._states.items():
            if self._current[key].ref != state.ref:
                self.builder.update(state, self._current[key])
        return self.builder.finish(outputs)


class InferenceTrace(Trace):
    """A trace that infers the shapes of a call's results; its graph is discarded.

    Unknown sizes that must be equal are assumed to be equal; this is checked when the call is traced again with known
    sizes.
    """

    infers = True

    def __init__(self, symbols: Mapping[str, tuple[int, int]] | None = None) -> None:
        super().__init__(symbols)
        self._count = 0

    def stand_in(self, type: TensorType) -> Value:
        """A value of a type, to stand in for one that is not computed."""
        self._count += 1
        return self.builder.input(f"x{self._count}", type)


_current: ContextVar[Trace | None] = ContextVar("graphc_trace", default=None)


def current_trace() -> Trace | None:
    """The trace to which operations are added; None if they are computed eagerly."""
    return _current.get()


def infers() -> bool:
    """Whether only shapes are inferred now (see `InferenceTrace`)."""
    trace = _current.get()
    return trace is not None and trace.infers


def outermost_trace() -> Trace | None:
    """The trace that encloses all regions that are being traced; None if operations are computed eagerly."""
    trace = _current.get()
    return None if trace is None else trace.outermost


def required_trace(what: str) -> Trace:
    """The current trace.

    Raises:
        StateError: if there is none.
    """
    trace = _current.get()
    if trace is None:
        raise StateError(f"{what} works only while a graph is traced", hint="call it inside `graphc.function`")
    return trace


# What to do instead of a use of a tensor's values while a graph is traced.
_INSTEAD = MappingProxyType(
    {
        "values": "use graphc.ops instead of NumPy on tensors",
        "truth": "use `ops.cond`, `ops.while_loop` or `ops.where` instead of Python's `if`, `while`, `and`, `or`, `max`"
        " and `min`; code in a function whose source can be read is converted to them",
        "number": "use `ops.cast(x, dtype)` instead of Python's `float`, `int` and `complex`, and return the tensor",
        "index": "index a tensor with it instead of a list (`ops.stack` makes one, `ops.take` reads it), and use"
        " `ops.fori_loop` or `ops.switch` where Python needs an integer",
        "length": "use `ops.scan` or `ops.map` on its rows, and `ops.shape(x)[0]` for their number",
    }
)


def no_value(what: object, use: str = "values") -> StateError:
    """The error for reading the values of a traced tensor.

    Args:
        what: A description of the tensor.
        use: What they are read for: a key of `_INSTEAD`.
    """
    origin = current_origin()
    finished = current_trace() is None
    return StateError(
        "this tensor was kept from a graph that is finished: it has no values"
        if finished
        else "this tensor has no values yet: it is part of a graph that is being traced",
        layer=origin.layer or None,
        where=describe(origin),
        got=str(what),
        hint="return it from the function or layer that computed it, or assign it to a Variable there"
        if finished
        else _INSTEAD[use],
    )


def keras_shape(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """A shape in Keras's form: None for an unknown size."""
    return tuple(dim if isinstance(dim, int) else None for dim in shape)


@contextmanager
def untraced() -> Iterator[None]:
    """A context in which operations are computed eagerly, also inside a trace."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
