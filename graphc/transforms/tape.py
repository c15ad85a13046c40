"""`GradientTape`: records operations, and differentiates them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc import autodiff, tree
from graphc.errors import ArgumentError, ShapeError, StateError
from graphc.graph.builder import Value
from graphc.graph.types import Ref, TensorType
from graphc.tracing import Tensor, Variable, as_tensor, broadcast_to, current_origin, describe, user_line
from graphc.tracing.recording import Recording, Tape, current_recording
from graphc.tracing.trace import current_trace


class GradientTape:
    """Records operations, and differentiates what they computed.

    Trainable variables are watched on their own, tensors by `watch`. The gradient by a variable is that by the values
    that were read from it while the tape recorded; none flows through an assignment. Tapes may be nested, for
    gradients of gradients, and work eagerly and in compiled functions.

    Args:
        persistent: Whether `gradient` and `jacobian` can be called more than once.
        watch_accessed_variables: Whether trainable variables are watched when they are read.

    Example:

    >>> from graphc import ops
    >>> x = ops.convert_to_tensor(3.0)
    >>> with GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = bool(persistent)
        self._watches_variables = bool(watch_accessed_variables)
        self._tape: Tape | None = None
        self._used = False

    # ---- recording

    def __enter__(self) -> GradientTape:
        if self._tape is not None and self._tape.is_recording:
            raise _located(StateError("this tape records already", hint="make another tape to nest it"))
        recording = current_recording()
        if self._tape is None or self._tape.recording is not recording:
            self._tape = Tape(recording, self._watches_variables)
        self._used = False
        self._tape.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._tape is not None and self._tape.is_recording:
            self._tape.stop()

    def watch(self, tensor: Any) -> None:
        """Watches a tensor or variable, or a structure of them: what is computed from it from now on has gradients.

        Args:
            tensor: Floating-point tensors or variables. Others have no gradients; a warning says so.

        Raises:
            StateError: if the tape does not record.
        """
        tape = self._recording_tape("watch")
        for leaf in tree.flatten(tensor):
            if not isinstance(leaf, Tensor | Variable):
                raise _located(
                    ArgumentError(
                        "a tape watches tensors and variables",
                        got=repr(leaf)[:80],
                        hint="make a tensor first, with ops.convert_to_tensor, and compute with it",
                    )
                )
            if not leaf.type.dtype.is_inexact:
                warnings.warn(f"there are no gradients by {leaf.type.dtype.name}: it is not watched", stacklevel=2)
            elif isinstance(leaf, Variable):
                tape.watch_variable(leaf)
            else:
                tape.watched.add(tape.recording.watch(leaf).ref)

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """A context whose operations are not recorded.

        Raises:
            StateError: if the tape does not record.
        """
        tape = self._recording_tape("stop_recording")
        tape.stop()
        try:
            yield
        finally:
            tape.start()

    def reset(self) -> None:
        """Discards all that was recorded and watched, and goes on recording.

        Raises:
            StateError: if the tape does not record.
        """
        tape = self._recording_tape("reset")
        tape.stop()
        self._tape = Tape(tape.recording, self._watches_variables)
        self._tape.start()

    def watched_variables(self) -> tuple[Any, ...]:
        """The variables that were watched, in the order in which they were read."""
        return () if self._tape is None else tuple(variable for variable, _ in self._tape.reads.values())

    def _recording_tape(self, method: str) -> Tape:
        if self._tape is None or not self._tape.is_recording:
            raise _located(StateError(f"`{method}` of a tape that does not record", hint="call it in the `with` block"))
        return self._tape

    # ---- gradients

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: Any = "none"
    ) -> Any:
        """The gradient of targets by sources: `sum_i c_i^T d target_i / d source`.

        Args:
            target: Floating-point tensor, or a structure of them; of several elements, the sum is differentiated.
            sources: Watched tensors and variables, or values that were computed from them; or a structure of these.
            output_gradients: The factors `c`, one for each target. None: ones.
            unconnected_gradients: `"none"` or `"zero"`: what the gradient is by sources that the target does not
                depend on.

        Returns:
            Tensors of the shapes of the sources, nested like these; None where the target does not depend on a source.

        Raises:
            StateError: if a tape that is not persistent is used twice.
            ArgumentError: if an operation on the way has no gradient.
        """
        zero = _gives_zeros(unconnected_gradients)
        leaves, spec = _sources(sources)
        tape = self._finished_tape()
        with _adding_to(tape.recording):
            known = (tape.recording.find(x) for x in tree.flatten(target) if isinstance(x, Tensor))
            tape.recording.note_gradient([value for value in known if value is not None])
            cotangents = self._cotangents(tape, target, output_gradients)
            wanted = [_values_of(tape, source) for source in leaves]
            found = iter(
                autodiff.vjp(tape.recording.builder, cotangents, [v for part in wanted for v in part], tape.has)
            )
            sums = [_sum([next(found) for _ in part]) for part in wanted]
        results = _tensors(tape.recording, sums)
        return tree.unflatten(spec, [_connected(x, source, zero) for x, source in zip(results, leaves, strict=True)])

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivative of each element of a target by each element of sources.

        Args:
            target: Floating-point tensor of known shape.
            sources: As for `gradient`.
            unconnected_gradients: As for `gradient`.
            parallel_iterations: Accepted as in TensorFlow; all elements are computed at once.
            experimental_use_pfor: Likewise.

        Returns:
            Tensors of shape `(*target.shape, *source.shape)`, nested like the sources.

        Raises:
            ShapeError: if the target's shape is not known.
        """
        zero = _gives_zeros(unconnected_gradients)
        leaves, spec = _sources(sources)
        output = as_tensor(target)
        if not all(isinstance(size, int) for size in output.shape):
            raise _located(ShapeError("the target of a Jacobian has an unknown size", got=str(output.type)))
        tape = self._finished_tape()
        value = tape.recording.find(output)
        parts: list[Value | None] = [None] * len(leaves)
        if value is not None and output.type.dtype.is_inexact:
            with _adding_to(tape.recording):
                wanted = [_values_of(tape, source) for source in leaves]
                flat = [v for part in wanted for v in part]
                found = iter(autodiff.jacobian(tape.recording.builder, value, flat, tape.has))
                parts = [_sum([next(found) for _ in part]) for part in wanted]
        results = _tensors(tape.recording, parts)
        return tree.unflatten(
            spec,
            [_connected(x, source, zero, output.shape) for x, source in zip(results, leaves, strict=True)],
        )

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Any = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The Jacobian of each row of a target by the same row of a source, where rows do not depend on other rows.

        Args:
            target: Floating-point tensor of shape `(batch, ...)`.
            source: Watched tensor of shape `(batch, ...)`.
            unconnected_gradients: As for `gradient`.
            parallel_iterations: Accepted as in TensorFlow; all rows are computed at once.
            experimental_use_pfor: Likewise.

        Returns:
            A tensor of shape `(batch, *target.shape[1:], *source.shape[1:])`.

        Raises:
            ShapeError: if the numbers of rows differ.
        """
        output, given = as_tensor(target), as_tensor(source)
        if not output.ndim or not given.ndim or output.shape[0] != given.shape[0]:
            raise _located(
                ShapeError("target and source of `batch_jacobian` have other rows", got=f"{output.type}, {given.type}")
            )
        tape = self._finished_tape(keep=True)
        with _adding_to(tape.recording):
            value = tape.recording.find(output)
            summed = None if value is None else tape.recording.builder.apply("sum", value, axes=(0,))
            found = None
            if summed is not None:
                wanted, last, through = _values_of(tape, source), summed.ref.node, tape.has
                if wanted:
                    (found,) = autodiff.jacobian(
                        tape.recording.builder, summed, wanted, lambda id: id == last or through(id)
                    )
                if found is not None:
                    rank = output.ndim - 1
                    order = (rank, *range(rank), *range(rank + 1, found.rank))
                    found = found.builder.apply("transpose", found, order=order)
        self._finished_tape()
        (result,) = _tensors(tape.recording, [found])
        shape = (*output.shape, *given.shape[1:])
        return _zeros(shape, given) if result is None and _gives_zeros(unconnected_gradients) else result

    def forward(self, targets: Sequence[Tensor], sources: Sequence[Tensor], tangents: Sequence[Any]) -> list[Tensor]:
        """The change of targets when sources change: forward mode, `sum_j dy_i/dx_j t_j`; zeros where unconnected.

        Args:
            targets: Tensors.
            sources: Watched tensors.
            tangents: A change of each source: of its shape, or a scalar.

        Raises:
            ArgumentError: if an operation on the way has no gradient.
        """
        tape = self._finished_tape()
        recording = tape.recording
        with _adding_to(recording):
            known = [(i, value) for i, x in enumerate(targets) if (value := recording.find(x)) is not None]
            known = [(i, value) for i, value in known if value.dtype.is_inexact]
            wanted = [recording.value(source) for source in sources]
            changes = [
                recording.value(_factor(change, x.type, "a tangent"))
                for change, x in zip(tangents, sources, strict=True)
            ]
            found = autodiff.jvp(recording.builder, [value for _, value in known], wanted, changes, tape.has)
        parts = dict(zip((i for i, _ in known), _tensors(recording, found), strict=True))
        changed = [parts.get(i) for i in range(len(targets))]
        return [_zeros(x.shape, x) if change is None else change for change, x in zip(changed, targets, strict=True)]

    def _finished_tape(self, keep: bool = False) -> Tape:
        """The tape for its evaluation, after which one that is not persistent is used up, unless it is kept."""
        if self._tape is None or self._used:
            raise _located(
                StateError(
                    "a tape that is not persistent gives gradients once"
                    if self._used
                    else "this tape recorded nothing",
                    hint="make it with GradientTape(persistent=True)" if self._used else "compute in its `with` block",
                )
            )
        if not self._tape.recording.is_current:
            raise _located(
                StateError(
                    "this tape recorded another graph than the one that is traced now",
                    hint="call `gradient` where the tape recorded: in the same function, or eagerly",
                )
            )
        if not self._persistent:
            if self._tape.is_recording:
                self._tape.stop()
            self._used = not keep
        return self._tape

    def _cotangents(self, tape: Tape, target: Any, factors: Any) -> dict[Ref, Value]:
        targets = tree.flatten(target)
        given = [None] * len(targets) if factors is None else tree.flatten(factors)
        if len(given) != len(targets):
            raise _located(
                ArgumentError(
                    "there is not one of `output_gradients` for each target", got=len(given), expected=len(targets)
                )
            )
        builder, sums = tape.recording.builder, dict[Ref, Value]()
        for x, factor in zip(targets, given, strict=True):
            if not isinstance(x, Tensor):
                raise _located(
                    ArgumentError(
                        "the target of a gradient is a tensor that the tape recorded",
                        got=repr(x)[:80],
                        hint="compute it in the `with` block, with graphc.ops instead of NumPy and Python's numbers",
                    )
                )
            value = tape.recording.find(x)
            if not x.type.dtype.is_inexact:
                warnings.warn(f"a target of dtype {x.dtype} has no gradient", stacklevel=3)
                continue
            if value is None:
                continue
            if factor is None:
                part = builder.full(1, value.shape, value.dtype)
            else:
                part = tape.recording.value(_factor(factor, value.type, "one of `output_gradients`"))
            sums[value.ref] = builder.apply("add", sums[value.ref], part) if value.ref in sums else part
        return sums


def _located(error: Any) -> Any:
    return error.locate(where=describe(user_line()))


@contextmanager
def _adding_to(recording: Recording) -> Iterator[None]:
    """A context in which nodes of gradients are added to a recording's graph."""
    with recording.builder.located((current_origin(),)):
        yield


def _gives_zeros(unconnected: Any) -> bool:
    name = str(getattr(unconnected, "value", unconnected)).lower()
    if name not in ("none", "zero"):
        raise _located(
            ArgumentError("unknown unconnected_gradients", got=repr(unconnected), expected='"none" or "zero"')
        )
    return name == "zero"


def _sources(sources: Any) -> tuple[list[Any], Any]:
    leaves, spec = tree.flatten_with_spec(sources)
    for leaf in leaves:
        if not isinstance(leaf, Tensor | Variable):
            raise _located(
                ArgumentError(
                    "the sources of a gradient are tensors and variables",
                    got=repr(leaf)[:80],
                    hint="make a tensor with ops.convert_to_tensor, watch it, and compute with that tensor",
                )
            )
    return leaves, spec


def _values_of(tape: Tape, source: Any) -> list[Value]:
    """The values of a source: those read from a variable, or that of a tensor that the tape knows.

    A tensor that is not watched, and depends on nothing that is, has none.
    """
    recording = tape.recording
    if isinstance(source, Variable):
        return [recording.builder.value(ref) for ref in tape.reads.get(id(source), (source, ()))[1]]
    value = recording.find(source)
    if value is None or not (value.ref in tape.watched or value.ref.node in tape.depending()):
        return []
    return [value]


def _sum(parts: Sequence[Value | None]) -> Value | None:
    total: Value | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else total.builder.apply("add", total, part)
    return total


def _tensors(recording: Recording, values: Iterable[Value | None]) -> list[Tensor | None]:
    """Values of a recording as tensors, which other tapes know."""
    results: list[Tensor | None] = []
    for value in values:
        tensor = None if value is None else Tensor(recording.source(value))
        if tensor is not None and value is not None and current_trace() is None and recording.tapes:
            recording.link(tensor, value)
        results.append(tensor)
    return results


def _connected(found: Tensor | None, source: Any, zero: bool, before: tuple[Any, ...] = ()) -> Tensor | None:
    if found is not None or not zero:
        return found
    return _zeros((*before, *source.shape), source)


def _factor(given: Any, type: TensorType, what: str) -> Tensor:
    """A factor of the shape and dtype of what it multiplies; one number stands for all elements."""
    factor = as_tensor(given, type.dtype)
    if factor.ndim and factor.shape != type.shape:
        raise _located(
            ShapeError(f"{what} has another shape than what it belongs to", got=str(factor.type), expected=str(type))
        )
    return broadcast_to(factor, type.shape)


def _zeros(shape: tuple[Any, ...], like: Any) -> Tensor:
    return broadcast_to(as_tensor(0, like.type.dtype), shape)
