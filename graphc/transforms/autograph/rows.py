"""What `for` runs over: `range`, `enumerate` and `zip` of traced values, and the rows of tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graphc import ops
from graphc.dims import IntExpr
from graphc.errors import ArgumentError
from graphc.tracing import Tensor, as_tensor, current_origin, describe
from graphc.transforms.autograph.values import error, is_traced, show


@dataclass(frozen=True)
class Rows:
    """What a loop over traced values runs over.

    Args:
        sequences: Tensors whose rows are taken along the first axis.
        length: The number of iterations: an integer, a size, or a traced integer.
        item: From the number of the iteration and its rows: the value of the loop's variable.
    """

    sequences: tuple[Tensor, ...]
    length: Any
    item: Callable[[Tensor, Sequence[Tensor]], Any]

    def __iter__(self) -> Iterator[Any]:
        """What Python iterates over, in comprehensions: the rows, if their number is known."""
        if isinstance(self.length, int):
            return (self.item(as_tensor(i), [x[i] for x in self.sequences]) for i in range(self.length))
        raise error(
            "Python iterates over a range whose length is known only when the graph runs",
            got=f"length {show(self.length)}",
            hint="use a `for` statement in a function whose source can be read, `ops.fori_loop`, or `ops.arange`",
        )

    @property
    def runs(self) -> bool:
        """Whether there is certainly one iteration at least."""
        return isinstance(self.length, IntExpr) or (isinstance(self.length, int) and self.length > 0)


def rows_of(iterable: Any) -> Rows | None:
    """The rows of what a `for` statement runs over; None if Python iterates over it.

    Raises:
        ControlFlowError: if it is a scalar.
    """
    if isinstance(iterable, Rows):
        return iterable
    if not is_traced(iterable):
        return None
    tensor = as_tensor(iterable)
    if not tensor.ndim:
        raise error(
            "`for` runs over the rows of a tensor, and this one has no axes",
            got=str(tensor.type),
            expected="rank 1 or more",
            hint="for a number of iterations, use `range(n)`",
        )
    return Rows((tensor,), tensor.shape[0], lambda _, rows: rows[0])


def _is_known_later(value: Any) -> bool:
    return is_traced(value) or isinstance(value, IntExpr)


def range_(*args: Any) -> Any:
    """`range`, whose bounds may be traced.

    Raises:
        ControlFlowError: if a bound is no integer scalar.
        ArgumentError: if the step is 0.
    """
    if not any(map(_is_known_later, args)):
        return range(*args)
    start, stop, step = (0, *args, 1) if len(args) == 1 else (*args, 1) if len(args) == 2 else args
    for bound in (start, stop, step):
        if is_traced(bound) and (as_tensor(bound).ndim or not as_tensor(bound).type.dtype.is_integer):
            raise error(
                "`range` takes integers",
                got=str(as_tensor(bound).type),
                expected="an integer scalar",
                hint="convert it with `ops.cast(n, 'int32')`; for the rows of a tensor, loop over the tensor",
            )
    if isinstance(step, int) and step == 0:
        origin = current_origin()
        raise ArgumentError("the step of `range` is 0", where=describe(origin), got="0", hint="pass another step")
    return Rows((), _count(start, stop, step), lambda number, _: _at(number, start, step))


def _at(number: Tensor, start: Any, step: Any) -> Tensor:
    scaled = number if isinstance(step, int) and step == 1 else number * step
    return scaled if isinstance(start, int) and start == 0 else scaled + start


def _count(start: Any, stop: Any, step: Any) -> Any:
    """The number of elements of a range: a size if it is known to be positive, otherwise a traced integer."""
    from_zero = isinstance(start, int) and start == 0 and isinstance(step, int) and step == 1
    if from_zero and not is_traced(stop):
        return stop
    distance = as_tensor(stop) - start
    if isinstance(step, int) and step == 1:
        return ops.maximum(distance, 0)
    up = (distance + (step - 1)) // step
    if isinstance(step, int) and step > 0:
        return ops.maximum(up, 0)
    down = (distance + (as_tensor(step) + 1)) // step
    return ops.maximum(ops.where(as_tensor(step) > 0, up, down), 0)


def enumerate_(iterable: Any, start: Any = 0) -> Any:
    """`enumerate`, also of the rows of a traced tensor."""
    rows = rows_of(iterable)
    if rows is None:
        return enumerate(iterable, start)
    return Rows(rows.sequences, rows.length, lambda number, found: (_at(number, start, 1), rows.item(number, found)))


def zip_(*iterables: Any, strict: bool = False) -> Any:
    """`zip`, also of the rows of traced tensors if all are; tensors of known length are zipped with lists in Python.

    Raises:
        ControlFlowError: if they have different lengths.
    """
    found = [rows_of(iterable) for iterable in iterables]
    rows = [part for part in found if part is not None]
    if not rows or len(rows) < len(found):
        return zip(*iterables, strict=strict)
    if any(
        part.length is not rows[0].length and part.length != rows[0].length
        for part in rows
        if not is_traced(part.length)
    ):
        raise error(
            "`zip` of traced tensors takes equal lengths",
            got=", ".join(show(part.length) for part in rows),
            hint="slice the longer ones",
        )

    def item(number: Tensor, elements: Sequence[Tensor]) -> tuple[Any, ...]:
        parts, position = [], 0
        for part in rows:
            parts.append(part.item(number, elements[position : position + len(part.sequences)]))
            position += len(part.sequences)
        return tuple(parts)

    return Rows(tuple(sequence for part in rows for sequence in part.sequences), rows[0].length, item)


def len_(value: Any) -> Any:
    """`len`, also of a traced tensor whose first size is symbolic: that size."""
    if isinstance(value, Rows):
        return value.length
    if is_traced(value) and as_tensor(value).ndim:
        return as_tensor(value).shape[0]
    return len(value)
