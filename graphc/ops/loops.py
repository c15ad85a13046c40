"""Loops: over the steps of a sequence, a counted number of times, or while a condition holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import dtypes, tree
from graphc.dims import IntExpr
from graphc.errors import ArgumentError, DTypeError, ShapeError, StateError
from graphc.graph.builder import Value, inline
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.ops.branches import condition
from graphc.ops.shaping import concatenate, flip, reshape, stack
from graphc.primitives.batching import vectorized_graph
from graphc.tracing import (
    Tensor,
    as_tensor,
    bind_many,
    current_origin,
    current_trace,
    describe,
    elementwise,
    infers,
    keras_shape,
    lift,
    operation,
    user_line,
)
from graphc.tracing.regions import Closure, Region, check_types, trace_region
from graphc.tracing.shapes import axis_of
from graphc.tracing.trace import required_trace
from graphc.tracing.traced import run_traced

__all__ = ["associative_scan", "fori_loop", "map", "scan", "vectorized_map", "while_loop"]


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
    of the loop; variables that it assigns are carried from step to step.

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
    xs = _one_sequence(xs)
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


def _one_sequence(xs: Any) -> Any:
    """Sequences; a list of numbers, however nested, is one sequence and no structure of scalars."""
    numbers = isinstance(xs, list | tuple) and xs and all(isinstance(leaf, int | float) for leaf in tree.flatten(xs))
    return as_tensor(xs) if numbers else xs


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
    rows = [TensorType(x.shape[1:], x.type.dtype) for x in sequences]
    specs: list[Any] = []

    def body(*tensors: Tensor) -> list[Tensor]:
        new, ys, spec = step(list(tensors[: len(carry)]), list(tensors[len(carry) :]))
        specs.append(spec)
        return new + ys

    region = trace_region(body, [*(x.type for x in carry), *rows])
    new, ys = region.results[: len(carry)], region.results[len(carry) :]
    names = [f"carry {i}" for i in range(len(carry))]
    check_types("a step of `scan`", names, [x.type for x in new], [x.type for x in carry])
    closure = Closure([region])
    constants, carried = closure.operands()
    states, elements = region.arguments[: len(carry)], region.arguments[len(carry) :]
    inputs: dict[str, Sequence[Any]] = {
        "c": closure.constants_of(region),
        "s": [*states, *closure.carried_of(region)],
        "x": elements,
    }
    found = bind_many(
        "scan",
        *constants,
        *carry,
        *carried,
        *sequences,
        body=closure.graph(region, inputs, [*new, *closure.last(region), *ys]),
        constants=len(constants),
        carries=len(carry) + len(carried),
        xs=len(sequences),
        length=steps,
        reverse=reverse,
    )
    count = len(carry) + len(carried)
    closure.assign(found[len(carry) : count])
    return list(found[: len(carry)]), list(found[count:]), specs[0]


@operation
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """A loop that runs while a condition holds: `while cond(*loop_vars): loop_vars = body(*loop_vars)`.

    Inside a trace, the loop is one node of the graph, and `cond` and `body` are called once. It has gradients only if
    `maximum_iterations` is given: the carries of that many iterations are then kept.

    Args:
        cond: A function of the loop's variables that returns a scalar Boolean.
        body: A function of them that returns their next values, of equal shapes and dtypes.
        loop_vars: A tuple or list of tensors or structures of them; or one tensor.
        maximum_iterations: Integer: the loop ends after so many iterations. None: no limit.

    Returns:
        The last values.

    Raises:
        ArgumentError: if the condition is no scalar, or the body returns another structure.
        ShapeError: if an iteration changes a shape or dtype.

    Example:

    >>> count, total = while_loop(lambda i, t: i < 4, lambda i, t: (i + 1, t + i), (0, 10))
    >>> count.numpy().item(), total.numpy().item()
    (4, 16)
    """
    for function in (cond, body):
        if not callable(function):
            raise ArgumentError("`while_loop` takes functions", got=repr(function)[:80])
    limit = maximum_iterations
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 0):
        raise ArgumentError("maximum_iterations is an integer, 0 or more, or None", got=repr(limit)[:80])
    several = isinstance(loop_vars, tuple | list)
    first, spec = tree.flatten_with_spec(tuple(loop_vars) if several else (loop_vars,))
    carry = [as_tensor(leaf) for leaf in first]

    def test(*tensors: Tensor) -> Tensor:
        return condition(cond(*tree.unflatten(spec, list(tensors))), "`cond` of `while_loop`")

    def step(*tensors: Tensor) -> list[Tensor]:
        found = body(*tree.unflatten(spec, list(tensors)))
        given = tuple(found) if isinstance(found, tuple | list) and several else (found,)
        leaves, other = tree.flatten_with_spec(given)
        if other != spec:
            raise ArgumentError(
                "the body of `while_loop` returns another structure than its variables have",
                where=describe(user_line()),
                got=str(other),
                expected=str(spec),
            )
        new = [as_tensor(leaf) for leaf in leaves]
        names = [f"variable {i}" for i in range(len(new))]
        check_types("an iteration of `while_loop`", names, [x.type for x in new], [x.type for x in tensors])
        return new

    run = _while_eager if current_trace() is None else _while_traced
    last = tree.unflatten(spec, run(test, step, carry, None if limit is None else int(limit)))
    return (type(loop_vars)(last) if type(loop_vars) in (tuple, list) else last) if several else last[0]


_Test = Callable[..., Tensor]
_Iteration = Callable[..., list[Tensor]]


def _while_eager(test: _Test, step: _Iteration, carry: list[Tensor], limit: int | None) -> list[Tensor]:
    count = 0
    while (limit is None or count < limit) and bool(test(*carry)):
        carry = step(*carry)
        count += 1
    return carry


def _while_traced(test: _Test, step: _Iteration, carry: list[Tensor], limit: int | None) -> list[Tensor]:
    if not carry:
        raise ArgumentError("`while_loop` needs variables", got="none", hint="pass what the body changes")
    if limit is None:
        return _while(test, step, carry, None)
    counted = _while(
        lambda i, *x: elementwise("logical_and", elementwise("lt", i, limit), test(*x)),
        lambda i, *x: [elementwise("add", i, 1), *step(*x)],
        [as_tensor(0), *carry],
        limit,
    )
    return counted[1:]


def _while(test: _Test, step: _Iteration, carry: list[Tensor], limit: int | None) -> list[Tensor]:
    types = [x.type for x in carry]
    tested, body = trace_region(test, types), trace_region(step, types)
    if tested.trace.assigned():
        raise StateError("`cond` of `while_loop` assigns to a variable", hint="assign to it in the body")
    closure = Closure([tested, body])
    constants, carried = closure.operands()

    def graph(region: Region, results: list[Value]) -> Graph:
        states = [*region.arguments, *closure.carried_of(region)]
        return closure.graph(region, {"c": closure.constants_of(region), "s": states}, results)

    found = bind_many(
        "while",
        *constants,
        *carry,
        *carried,
        test=graph(tested, tested.results),
        body=graph(body, [*body.results, *closure.last(body)]),
        constants=len(constants),
        limit=limit,
    )
    closure.assign(found[len(carry) :])
    return list(found[: len(carry)])


@operation
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """A counted loop: `for i in range(lower, upper): init_val = body_fun(i, init_val)`.

    With bounds that are Python integers it has gradients; bounds that a graph computes make it a `while_loop`.

    Args:
        lower: Integer or scalar tensor.
        upper: Integer or scalar tensor.
        body_fun: A function of the index and the value that returns the next value.
        init_val: A tensor or a structure of them.

    Returns:
        The last value.

    Example:

    >>> fori_loop(1, 4, lambda i, total: total + i, 0).numpy().item()
    6
    """
    for bound in (lower, upper):
        if not as_tensor(bound).type.dtype.is_integer:
            raise DTypeError(
                "the bounds of `fori_loop` are integers", where=describe(user_line()), got=repr(bound)[:80]
            )
    if current_trace() is None or (isinstance(lower, int) and isinstance(upper, int)):
        first, count = int(lower), int(upper) - int(lower)
        if count < 1:
            return tree.map_structure(as_tensor, init_val, none_is_leaf=False)
        indices = as_tensor(np.arange(first, first + count, dtype=np.int32))
        return scan(lambda value, i: (body_fun(i, value), ()), init_val, indices)[0]
    last = while_loop(
        lambda i, value: elementwise("lt", i, as_tensor(upper, i.type.dtype)),
        lambda i, value: (elementwise("add", i, 1), body_fun(i, value)),
        (as_tensor(lower, dtypes.int32), init_val),
    )
    return last[1]


@operation
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Applies a function to each row of tensors, one after the other, and stacks the results.

    Args:
        f: A function of one row of each tensor.
        xs: A tensor, or a structure of them, with the rows along the first axis.

    Returns:
        The stacked results.

    Example:

    >>> map(lambda x: x * x, [1, 2, 3]).numpy().tolist()
    [1, 4, 9]
    """
    return scan(lambda _, x: ((), f(x)), (), xs)[1]


@operation
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results of an associative function: `[e0, f(e0, e1), f(f(e0, e1), e2), ...]`, in logarithmic depth.

    Blelloch, "Prefix sums and their applications" (1990): neighbours are combined, the scan of the half as many
    results gives the odd partial results, and one more combination the even ones.

    Args:
        f: An associative function of two tensors, or two structures of them, of any length along the axis.
        elems: A tensor, or a structure of them.
        reverse: Whether partial results are formed from the end.
        axis: The axis.

    Returns:
        A structure like `elems`.

    Raises:
        ArgumentError: if `f` is no function.
        ShapeError: if the lengths along the axis differ or are unknown.

    Example:

    >>> associative_scan(lambda a, b: a + b, [1, 2, 3, 4]).numpy().tolist()
    [1, 3, 6, 10]
    """
    if not callable(f):
        raise ArgumentError("`associative_scan` takes a function", got=repr(f)[:80])
    leaves, spec = tree.flatten_with_spec(_one_sequence(elems))
    tensors = [as_tensor(leaf) for leaf in leaves]
    axes = [axis_of(axis, x.ndim, "associative_scan") for x in tensors]
    lengths = {x.shape[place] for x, place in zip(tensors, axes, strict=True)}
    if infers() and not all(isinstance(length, int) for length in lengths):
        # A function of neighbours, which keeps shapes, tells what there is to be known.
        pair = tree.unflatten(spec, tensors)
        return tree.map_structure(as_tensor, f(pair, pair))
    if len(lengths) != 1 or not all(isinstance(length, int) for length in lengths):
        raise ShapeError("`associative_scan` takes tensors of one known length", got=str(keras_shape(tuple(lengths))))

    def every(xs: list[Tensor], start: int, stop: int | None = None, step: int = 1) -> list[Tensor]:
        return [x[(slice(None),) * place + (slice(start, stop, step),)] for x, place in zip(xs, axes, strict=True)]

    def combined(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        leaves, structure = tree.flatten_with_spec(f(tree.unflatten(spec, a), tree.unflatten(spec, b)))
        found = [as_tensor(leaf) for leaf in leaves]
        if structure != spec or [x.shape for x in found] != [x.shape for x in a]:
            raise ShapeError(
                "the function of `associative_scan` returns something else than it takes",
                where=describe(user_line()),
                got=", ".join(str(x.type) for x in found) or "nothing",
                expected=", ".join(str(x.type) for x in a),
                hint="combine elementwise: it gets several steps at once",
            )
        return found

    def joined(*parts: list[Tensor]) -> list[Tensor]:
        return [concatenate(list(xs), axis=place) for *xs, place in zip(*parts, axes, strict=True)]

    def partial(xs: list[Tensor]) -> list[Tensor]:
        count = int(xs[0].shape[axes[0]])
        if count < 2:
            return xs
        odd = partial(combined(every(xs, 0, count - 1, 2), every(xs, 1, None, 2)))
        left = odd if count % 2 else every(odd, 0, int(odd[0].shape[axes[0]]) - 1)
        first = every(xs, 0, 1)
        even = joined(first, combined(left, every(xs, 2, None, 2))) if count > 2 else first
        return [_interleaved(a, b, place) for a, b, place in zip(even, odd, axes, strict=True)]

    if reverse:
        tensors = [flip(x, place) for x, place in zip(tensors, axes, strict=True)]
    found = partial(tensors)
    if reverse:
        found = [flip(x, place) for x, place in zip(found, axes, strict=True)]
    return tree.unflatten(spec, found)


def _interleaved(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """The elements of two tensors in turns along an axis; the first may have one more."""
    count = int(odd.shape[axis])
    before, after = even.shape[:axis], even.shape[axis + 1 :]
    paired = stack([even[(slice(None),) * axis + (slice(0, count),)], odd], axis=axis + 1)
    pairs = reshape(paired, (*before, 2 * count, *after))
    if even.shape[axis] == count:
        return pairs
    return concatenate([pairs, even[(slice(None),) * axis + (slice(count, None),)]], axis=axis)


@operation
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Applies a function to each row of tensors, all rows at once, and stacks the results.

    Each operation of the function becomes one on all rows, by its batching rule; a function is traced once.

    Args:
        function: A function of one row of each tensor.
        elements: A tensor, or a structure of them, with the rows along the first axis.

    Returns:
        The stacked results.

    Raises:
        ShapeError: if the numbers of rows differ.
        StateError: if the function assigns to a variable a value that differs from row to row.

    Example:

    >>> vectorized_map(lambda x: x * x, [1, 2, 3]).numpy().tolist()
    [1, 4, 9]
    """
    leaves, spec = tree.flatten_with_spec((_one_sequence(elements),))
    rows = [as_tensor(leaf) for leaf in leaves]
    length = _length(rows, None)
    if current_trace() is None:
        return _vectorized_eagerly(function, rows, spec)
    region = trace_region(function, [TensorType(x.shape[1:], x.type.dtype) for x in rows], spec)
    closure = Closure([region])
    constants, carried = closure.operands()
    inputs: dict[str, Sequence[Any]] = {
        "c": closure.constants_of(region),
        "s": closure.carried_of(region),
        "x": region.arguments,
    }
    graph = closure.graph(region, inputs, [*closure.last(region), *region.results])
    varies = {name: name.startswith("x") for name in graph.inputs}
    wide, varying = vectorized_graph(graph, varies, length, [False] * len(carried) + [True] * len(region.results))
    if any(varying[: len(carried)]):
        name = closure.carried[varying.index(True)].path
        raise StateError(
            "a function of `vectorized_map` assigns to a variable a value that differs from row to row",
            where=describe(user_line()),
            got=name,
            hint="use `ops.scan` or `ops.map`, which run one row after the other",
        )
    trace = required_trace("`vectorized_map`")
    values = [lift(x, trace) for x in (*constants, *carried, *rows)]
    with trace.builder.located((current_origin(),)):
        found = inline(trace.builder, wide, dict(zip(wide.inputs, values, strict=True)))
    closure.assign(Tensor(value) for value in found[: len(carried)])
    return tree.unflatten(region.structure, [Tensor(value) for value in found[len(carried) :]])


def _vectorized_eagerly(function: Callable[[Any], Any], rows: list[Tensor], spec: Any) -> Any:
    """Traces the vectorized function, and runs the operations of its graph eagerly, where tapes can record them."""
    return run_traced(lambda *xs: vectorized_map(function, tree.unflatten(spec, list(xs))[0]), rows)
