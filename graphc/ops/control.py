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
    """A loop that carries values from step to step: `carry, ys[i] = f(carry, xs[i])`.

    Inside a trace, the loop is one node of the graph, and `f` is called once. Other values that `f` reads are constants
    of the loop, and `f` must not assign to variables.

    Args:
        f: A function of the carry and of one row of each sequence; it returns the next carry, of equal shapes and
            dtypes, and a structure of values to stack.
        init: The initial carry: a tensor or a structure of them.
        xs: Sequences, with the steps along the first axis: a tensor, a structure of them, or None.
        length: The number of steps. None: that of `xs`.
        reverse: Whether the steps run from the last row to the first; results are stacked in the order of the rows.
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
    # A list of numbers is one sequence, not a structure of scalars.
    if isinstance(xs, list | tuple) and xs and all(isinstance(leaf, int | float) for leaf in tree.flatten(xs)):
        xs = as_tensor(xs)
    first, carry_spec = tree.flatten_with_spec(init)
    rows, xs_spec = tree.flatten_with_spec(xs)
    carries, sequences = [as_tensor(leaf) for leaf in first], [as_tensor(leaf) for leaf in rows]
    steps = _length(sequences, length)

    def step(carry: list[Tensor], row: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Any]:
        found = f(tree.unflatten(carry_spec, carry), tree.unflatten(xs_spec, row))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise ArgumentError("the function of `scan` returns a pair", got=repr(found)[:80])
        new, spec = tree.flatten_with_spec(found[0])
        if spec != carry_spec:
            raise ArgumentError(
                "a step of `scan` changes the carry's structure", got=str(spec), expected=f"{carry_spec}"
            )
        ys, ys_spec = tree.flatten_with_spec(found[1])
        return [as_tensor(leaf) for leaf in new], [as_tensor(leaf) for leaf in ys], ys_spec

    if current_trace() is None:
        last, stacked, ys_spec = _eager(step, carries, sequences, steps, reverse)
    else:
        last, stacked, ys_spec = _traced(step, carries, sequences, steps, reverse)
    return tree.unflatten(carry_spec, last), tree.unflatten(ys_spec, stacked)


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


def _eager(
    step: _Step, carry: list[Tensor], sequences: list[Tensor], steps: int, reverse: bool
) -> tuple[list[Tensor], list[Tensor], Any]:
    """Runs the loop in Python, eagerly."""
    results: list[list[Tensor]] = []
    spec: Any = None
    for i in reversed(range(steps)) if reverse else range(steps):
        before = carry
        carry, ys, spec = step(carry, [sequence[i] for sequence in sequences])
        for position, (old, new) in enumerate(zip(before, carry, strict=True)):
            if old.type != new.type:
                raise ShapeError(
                    f"carry {position} of `scan` changes its type", got=str(new.type), expected=str(old.type)
                )
        results.append(ys)
    if reverse:
        results.reverse()
    return carry, [stack(column) for column in zip(*results, strict=True)], spec


def _traced(
    step: _Step, carry: list[Tensor], sequences: list[Tensor], steps: Any, reverse: bool
) -> tuple[list[Tensor], list[Tensor], Any]:
    """Adds the loop to the trace as one node, whose body is a graph of its own."""
    enclosing = current_trace()
    assert enclosing is not None
    body = BodyTrace(enclosing)
    states = [Tensor(body.builder.input(f"s{i}", x.type)) for i, x in enumerate(carry)]
    rows = [Tensor(body.builder.input(f"x{i}", TensorType(x.shape[1:], x.type.dtype))) for i, x in enumerate(sequences)]
    with body.active():
        new, ys, spec = step(states, rows)
        results = [lift(x, body) for x in (*new, *ys)]
    constants = [Tensor(enclosing.builder.value(ref)) for ref in body.constants]
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
    return list(found[: len(carry)]), list(found[len(carry) :]), spec
