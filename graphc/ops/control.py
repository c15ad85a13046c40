"""Loops over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import tree
from graphc.dims import IntExpr
from graphc.errors import ArgumentError, ShapeError
from graphc.graph.types import TensorType
from graphc.ops.shaping import stack
from graphc.tracing import BodyTrace, Tensor, as_tensor, bind_many, current_trace, keras_shape, lift, operation


@operation
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: Any = None,
    reverse: bool = False,
    unroll: Any = 1,
) -> tuple[Any, Any]:
    """A loop that passes a carry on from step to step: `carry, ys[i] = f(carry, xs[i])`.

    While a graph is traced, the loop is one operation of it, and `f` is called once; what `f` reads beside its
    arguments is the same in every step, and it must not assign to variables.

    Args:
        f: A function of the carry and of one row of each sequence; it returns the next carry, of equal shapes and
            dtypes, and what is stacked.
        init: The first carry: a tensor or a structure of them.
        xs: Sequences, whose steps are along the first axis: a tensor, a structure of them, or None.
        length: How many steps. None: as many as `xs` has.
        reverse: Whether the last row comes first; results are stacked at the places of their rows.
        unroll: Accepted as in Keras; the compiler decides.

    Returns:
        The last carry, and the stacked results.

    Raises:
        ArgumentError: if neither `xs` nor `length` is given.
        ShapeError: if sequences differ in length, or a step changes the shape or dtype of the carry.

    Example:

    >>> total, sums = scan(lambda carry, x: (carry + x, carry + x), 0, [1, 2, 3])
    >>> total.numpy().item(), sums.numpy().tolist()
    (6, [1, 3, 6])
    """
    if not callable(f):
        raise ArgumentError("`scan` takes a function", got=repr(f))
    # A list of numbers is one sequence, no structure of them.
    if isinstance(xs, list | tuple) and xs and all(isinstance(leaf, int | float) for leaf in tree.flatten(xs)):
        xs = as_tensor(xs)
    first, carry_form = tree.flatten_with_spec(init)
    rows, xs_form = tree.flatten_with_spec(xs)
    carries, sequences = [as_tensor(leaf) for leaf in first], [as_tensor(leaf) for leaf in rows]
    steps = _length(sequences, length)

    def step(carry: list[Tensor], row: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Any]:
        found = f(tree.unflatten(carry_form, carry), tree.unflatten(xs_form, row))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise ArgumentError("the function of `scan` returns a pair", got=repr(found)[:80])
        new, form = tree.flatten_with_spec(found[0])
        if form != carry_form:
            raise ArgumentError(
                "a step of `scan` changes the carry's structure", got=str(form), expected=f"{carry_form}"
            )
        ys, ys_form = tree.flatten_with_spec(found[1])
        return [as_tensor(leaf) for leaf in new], [as_tensor(leaf) for leaf in ys], ys_form

    if current_trace() is None:
        last, stacked, ys_form = _at_once(step, carries, sequences, steps, reverse)
    else:
        last, stacked, ys_form = _traced(step, carries, sequences, steps, reverse)
    return tree.unflatten(carry_form, last), tree.unflatten(ys_form, stacked)


_Step = Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], list[Tensor], Any]]


def _length(sequences: list[Tensor], length: Any) -> Any:
    lengths = [sequence.shape[0] for sequence in sequences if sequence.ndim]
    if len(lengths) < len(sequences):
        raise ShapeError("a sequence of `scan` has no axis of steps", got="a scalar", expected="rank 1 or more")
    steps = lengths[0] if length is None and lengths else length
    if steps is None:
        raise ArgumentError("`scan` needs a length", hint="pass sequences or length=")
    steps = steps if isinstance(steps, IntExpr) else int(steps)
    if any(other != steps for other in lengths):
        raise ShapeError("the sequences of `scan` differ in length", got=str(keras_shape(lengths)), expected=str(steps))
    if isinstance(steps, int) and steps < 1:
        raise ArgumentError("`scan` takes one step or more", got=steps)
    return steps


def _at_once(
    step: _Step, carry: list[Tensor], sequences: list[Tensor], steps: int, reverse: bool
) -> tuple[list[Tensor], list[Tensor], Any]:
    """The loop in Python, on values."""
    results: list[list[Tensor]] = []
    form: Any = None
    for i in reversed(range(steps)) if reverse else range(steps):
        before = carry
        carry, ys, form = step(carry, [sequence[i] for sequence in sequences])
        for position, (old, new) in enumerate(zip(before, carry, strict=True)):
            if old.type != new.type:
                raise ShapeError(
                    f"carry {position} of `scan` changes its type", got=str(new.type), expected=str(old.type)
                )
        results.append(ys)
    if reverse:
        results.reverse()
    return carry, [stack(column) for column in zip(*results, strict=True)], form


def _traced(
    step: _Step, carry: list[Tensor], sequences: list[Tensor], steps: Any, reverse: bool
) -> tuple[list[Tensor], list[Tensor], Any]:
    """The loop as one operation, whose body is a graph of its own."""
    around = current_trace()
    assert around is not None
    body = BodyTrace(around)
    states = [Tensor(body.builder.input(f"s{i}", x.type)) for i, x in enumerate(carry)]
    rows = [Tensor(body.builder.input(f"x{i}", TensorType(x.shape[1:], x.type.dtype))) for i, x in enumerate(sequences)]
    with body.active():
        new, ys, form = step(states, rows)
        results = [lift(x, body) for x in (*new, *ys)]
    constants = [Tensor(around.builder.value(ref)) for ref in body.constants]
    found = bind_many(
        "scan",
        *constants,
        *carry,
        *sequences,
        body=body.builder.finish(results),
        constants=len(constants),
        carries=len(carry),
        xs=len(sequences),
        length=steps,
        reverse=reverse,
    )
    return list(found[: len(carry)]), list(found[len(carry) :]), form
