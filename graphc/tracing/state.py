"""Where variables are read and assigned: in their own memory, in the graph that is traced, or in a `StatelessScope`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Protocol

from graphc.errors import ArgumentError, ShapeError
from graphc.tracing.conversion import as_tensor
from graphc.tracing.origins import describe, user_line
from graphc.tracing.recording import active_recording, eager_recording
from graphc.tracing.tensor import Tensor, bind, lift
from graphc.tracing.trace import Trace, current_trace

if TYPE_CHECKING:
    from graphc.tracing.variable import Variable


class StateScope(Protocol):
    """A place where variables have values."""

    def read(self, variable: Variable) -> Tensor:
        """The current value of a variable, in its own dtype."""

    def write(self, variable: Variable, value: Tensor) -> None:
        """Assigns a value of the variable's shape and dtype."""


class EagerState:
    """The memory of the variables themselves."""

    __slots__ = ()

    def read(self, variable: Variable) -> Tensor:
        """The variable's value, which later assignments leave as it is."""
        tensor = Tensor(variable.buffer.lend())
        recording = eager_recording()
        if recording is not None:
            recording.note_read(variable, tensor)
        return tensor

    def write(self, variable: Variable, value: Tensor) -> None:
        """Changes the variable's memory."""
        variable.buffer.assign(value.array)


class GraphState:
    """The values that variables have so far in a graph that is traced.

    Args:
        trace: The trace.
    """

    __slots__ = ("_trace",)

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def read(self, variable: Variable) -> Tensor:
        """The value that was assigned last, or the state of the graph."""
        tensor = Tensor(self._trace.read(variable))
        recording = active_recording(self._trace)
        if recording is not None:
            recording.note_read(variable, tensor, is_new=self._trace.recorded)
        return tensor

    def carry(self, variable: Variable) -> Tensor:
        """The value with which a variable enters a loop or branch that assigns it; no tape counts it as read."""
        return Tensor(self._trace.current(variable))

    def perturbation(self, variable: Variable) -> Tensor:
        """Zeros that a region adds to what it reads of a variable that it assigns: tapes take the gradient by them."""
        zeros = Tensor(self._trace.builder.full(0, variable.shape, variable.type.dtype))
        recording = active_recording(self._trace)
        if recording is not None:
            recording.note_read(variable, zeros)
        outer = self._trace.perturbation(variable)
        return zeros if outer is None else bind("add", zeros, Tensor(outer))

    def write(self, variable: Variable, value: Tensor) -> None:
        """The value that is read from now on, and that the graph returns for the variable."""
        self._trace.write(variable, lift(value, self._trace))


_EAGER = EagerState()
_stateless: ContextVar[StatelessScope | None] = ContextVar("graphc_stateless_scope", default=None)


def current_state() -> StateScope:
    """Where variables are read and assigned now."""
    trace, scope = current_trace(), _stateless.get()
    if scope is not None and scope.trace is trace:
        return scope
    return _EAGER if trace is None else GraphState(trace)


def is_eager() -> bool:
    """Whether variables are read and assigned in their own memory."""
    return current_state() is _EAGER


def in_stateless_scope() -> bool:
    """Whether a `StatelessScope` is active."""
    return _stateless.get() is not None


class SymbolicScope:
    """A context in which code knows that it works on symbolic tensors: `in_symbolic_scope`.

    Example:

    >>> with SymbolicScope():
    ...     in_symbolic_scope()
    True
    """

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> SymbolicScope:
        self._tokens.append(_symbolic.set(True))
        return self

    def __exit__(self, *args: object) -> None:
        _symbolic.reset(self._tokens.pop())


_symbolic: ContextVar[bool] = ContextVar("graphc_symbolic_scope", default=False)


def in_symbolic_scope() -> bool:
    """Whether a `SymbolicScope` is entered."""
    return _symbolic.get()


class StatelessScope:
    """A context in which variables have values of its own: code that reads and assigns them becomes a pure function.

    Args:
        state_mapping: Pairs of a variable and its value in the scope. Other variables have the value outside of it.
        collect_losses: Whether losses that layers add are collected in `losses`.
        initialize_variables: Accepted as in Keras; variables are initialized when they are created.

    Raises:
        ArgumentError: if the mapping is not made of variables and values.
        ShapeError: if a value has another shape than its variable.

    Example:

    >>> from graphc import Variable
    >>> v = Variable(1.0)
    >>> with StatelessScope([(v, 5.0)]) as scope:
    ...     result = v.assign(v + 1.0)
    >>> float(scope.get_current_value(v)), float(v)
    (6.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[Any] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self.trace: Trace | None = None
        self._values: dict[int, tuple[Variable, Tensor]] = {}
        for pair in state_mapping or ():
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not hasattr(pair[0], "buffer"):
                raise ArgumentError("a state mapping is a list of pairs: a variable and its value", got=repr(pair)[:80])
            self.add_update((pair[0], pair[1]))

    def __enter__(self) -> StatelessScope:
        self._around, self.trace = current_state(), current_trace()
        self._token = _stateless.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _stateless.reset(self._token)

    def add_loss(self, loss: Any) -> None:
        """Adds a loss to `losses`."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Sets the value of a variable: a pair of both.

        Raises:
            ShapeError: if the shape is another than the variable's.
        """
        variable, value = update
        tensor = as_tensor(value, variable.type.dtype)
        if tensor.shape != variable.shape:
            raise ShapeError(
                f"the variable {variable.path!r} cannot take this value in a stateless scope",
                got=str(tensor.shape),
                expected=str(variable.shape),
            )
        self._values[id(variable)] = variable, tensor

    def get_current_value(self, variable: Variable) -> Tensor | None:
        """The value that a variable has in the scope; None if it is that outside of the scope."""
        known = self._values.get(id(variable))
        return None if known is None else known[1]

    def read(self, variable: Variable) -> Tensor:
        """The value of a variable: that in the scope, else that around it."""
        known = self._values.get(id(variable))
        return self._around.read(variable) if known is None else known[1]

    def write(self, variable: Variable, value: Tensor) -> None:
        """Assigns a value in the scope."""
        self._values[id(variable)] = variable, value


def zip_values(variables: Sequence[Variable], values: Sequence[Any]) -> list[tuple[Variable, Any]]:
    """Pairs of variables and values.

    Raises:
        ArgumentError: if their numbers differ.
    """
    if len(variables) != len(values):
        raise ArgumentError(
            "there is not one value for each variable",
            where=describe(user_line()),
            got=len(values),
            expected=f"{len(variables)}: {', '.join(v.path for v in variables[:5])}",
        )
    return list(zip(variables, values, strict=True))
