"""Control flow that depends on values: `while` loops, and `switch`, which runs one of several branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from graphc import dtypes
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.graph.builder import Applied, Builder, Value, build_like, inline
from graphc.graph.core import Graph
from graphc.graph.registry import Batched, Case, Kind, Primitive, RegionRule, primitive, register
from graphc.graph.types import Attrs, Ref, TensorType
from graphc.primitives.base import FLOATS, INEXACT, Array
from graphc.primitives.batching import vectorized_graph
from graphc.primitives.control import check_carries, check_region

Grads = Sequence[Value | None]
Block = Callable[[Mapping[str, Array]], list[Array]]


def _letters(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for i in range(count))


def _names(letter: str, values: Sequence[object]) -> tuple[str, ...]:
    return _letters(letter, len(values))


def _outputs(graph: Graph) -> list[TensorType]:
    return [graph.type(ref) for ref in graph.outputs]


# ---- while: its operands are constants, which both graphs read, and carries


def _while_infer(
    *operands: TensorType, test: Graph, body: Graph, constants: int, limit: int | None
) -> tuple[TensorType, ...]:
    given, carries = operands[:constants], operands[constants:]
    if not carries:
        raise ShapeError("`while` needs something that its passes change", got="no carries")
    expected = dict(zip((*_names("c", given), *_names("s", carries)), operands, strict=True))
    check_region("the test of `while`", test, expected)
    check_region("the body of `while`", body, expected)
    if _outputs(test) != [TensorType((), dtypes.bool_)]:
        actual = ", ".join(map(str, _outputs(test)))
        raise DTypeError("the test of `while` returns something else than one bool", got=actual, expected="bool[]")
    results = _outputs(body)
    if len(results) != len(carries):
        raise ShapeError(
            "the body of `while` returns another number of values", got=len(results), expected=len(carries)
        )
    check_carries("`while`", carries, results)
    return carries


def _while_eval(*operands: Array, test: Block, body: Block, constants: int, limit: int | None) -> tuple[Array, ...]:
    given, state = operands[:constants], list(operands[constants:])
    names = (*_names("c", given), *_names("s", state))
    while test(dict(zip(names, (*given, *state), strict=True)))[0]:
        state = body(dict(zip(names, (*given, *state), strict=True)))
    return tuple(np.asarray(value) for value in state)


def _while_lower(
    types: Sequence[TensorType], test: Graph, body: Graph, constants: int, limit: int | None
) -> RegionRule:
    return RegionRule("while", (test, body), constants, len(types) - constants)


def _while_vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Grads:
    """The gradient of a counted loop with as many iterations as there can be, which do nothing once the test fails."""
    limit, constants = n.attrs["limit"], n.attrs["constants"]
    if limit is None:
        raise ArgumentError(
            "a `while` loop has a gradient only if the number of its iterations is bounded",
            hint="pass `maximum_iterations=`, count with `ops.scan` or `ops.fori_loop`, or write"
            " `for i in range(n)` with `break` instead of `while`",
        )
    cotangents = given if isinstance(given, tuple) else (given,)
    if not limit:
        return [*(None for _ in range(constants)), *cotangents]
    carries = len(n.operands) - constants
    attrs = {"constants": constants, "carries": carries, "xs": 0, "length": limit, "reverse": False}
    counted = n.builder.add("scan", n.node.inputs, {**attrs, "body": _guarded(n.attrs, constants, carries)})
    rule = primitive("scan").vjp
    assert rule is not None
    grads: Grads = rule(tuple(cotangents), Applied(n.builder, counted, n.differentiate))
    return grads


def _guarded(attrs: Attrs, constants: int, carries: int) -> Graph:
    """An iteration that keeps the carries where the test fails."""
    builder = build_like(attrs["body"])
    types = {name: node.outs[0] for name, node in attrs["body"].inputs.items()}
    inputs = {name: builder.input(name, types[name]) for name in (*_letters("c", constants), *_letters("s", carries))}
    (holds,) = inline(builder, attrs["test"], inputs)
    index = builder.apply("cast", holds, dtype=dtypes.int32)
    keep, run = (build_like(attrs["body"]) for _ in range(2))
    operands = list(inputs.values())
    given = [keep.input(f"c{i}", value.type) for i, value in enumerate(operands)]
    kept = keep.finish(given[constants:])
    given = [run.input(f"c{i}", value.type) for i, value in enumerate(operands)]
    iterated = run.finish(inline(run, attrs["body"], dict(zip(inputs, given, strict=True))))
    return builder.finish(builder.apply_many("switch", index, *operands, branches=(kept, iterated)))


def _growing(dtype: DType) -> dict[str, Graph]:
    """`while sum(s0) < 20: s0, s1 = s0 + |c0| + 1, s1 + 1`."""

    def inputs() -> tuple[Builder, list[Value]]:
        builder, row = Builder(), TensorType((3,), dtype)
        types = {"c0": row, "s0": row, "s1": TensorType((), dtypes.int32)}
        return builder, [builder.input(name, type) for name, type in types.items()]

    b, (_, total, _) = inputs()
    test = b.finish([b.apply("lt", b.apply("sum", total, axes=(0,)), b.constant(20, dtype))])
    b, (step, total, count) = inputs()
    more = b.apply("add", b.apply("abs", step), b.full(1, (3,), dtype))
    body = b.finish([b.apply("add", total, more), b.apply("add", count, b.constant(1, dtypes.int32))])
    return {"test": test, "body": body}


def _while_cases() -> Iterable[Case]:
    for low in (-1, 30):  # with the second there is no iteration
        shapes = ((3,), (3,), ())
        yield Case(shapes, {"constants": 1, "limit": 20}, low, 40, integer_operands=(2,), typed=_growing)


def _while_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    """A loop that runs while any element's test holds; an iteration changes only elements whose own test holds."""
    constants = attrs["constants"]
    given, carries = operands[:constants], operands[constants:]
    varies = {f"c{i}": operand.varies for i, operand in enumerate(given)} | {f"s{i}": True for i in range(len(carries))}
    test, _ = vectorized_graph(attrs["test"], varies, length, [True])
    body, _ = vectorized_graph(attrs["body"], varies, length, [True] * len(carries))
    types = {name: node.outs[0] for name, node in body.inputs.items()}

    b = build_like(test)
    (holds,) = inline(b, test, {name: b.input(name, type) for name, type in types.items()})
    some = b.finish([b.apply("any", holds, axes=(0,))])
    b = build_like(body)
    inputs = {name: b.input(name, type) for name, type in types.items()}
    (holds,), after = inline(b, test, inputs), inline(b, body, inputs)
    before = [inputs[f"s{i}"] for i in range(len(carries))]
    chosen = [
        b.apply("select", b.broadcast(holds, new.shape, (0,)), new, old) for new, old in zip(after, before, strict=True)
    ]
    values = [*(operand.value for operand in given), *(carry.spread(length) for carry in carries)]
    results = builder.apply_many(
        "while", *values, test=some, body=b.finish(chosen), constants=constants, limit=attrs["limit"]
    )
    return tuple(Batched(value, True) for value in results)


while_ = register(
    Primitive(
        "while",
        Kind.REGION,
        _while_infer,
        _while_eval,
        _while_lower,
        _while_vjp,
        _while_cases,
        FLOATS,
        batch=_while_batch,
        regions=("test", "body"),
    )
)

# ---- switch: the first operand chooses the branch, the others are the operands of all branches


def _switch_infer(index: TensorType, *operands: TensorType, branches: tuple[Graph, ...]) -> tuple[TensorType, ...]:
    if index != TensorType((), dtypes.int32):
        raise DTypeError("what chooses a branch of `switch` is no scalar of int32", got=str(index))
    if not branches:
        raise ShapeError("`switch` needs branches", got="none")
    expected = dict(zip(_names("c", operands), operands, strict=True))
    for number, branch in enumerate(branches):
        check_region(f"branch {number} of `switch`", branch, expected)
        if _outputs(branch) != _outputs(branches[0]):
            actual, first = (", ".join(map(str, _outputs(graph))) for graph in (branch, branches[0]))
            raise ShapeError(
                f"branch {number} of `switch` returns other types than the first", got=actual, expected=first
            )
    return tuple(_outputs(branches[0]))


def _switch_eval(index: Array, *operands: Array, branches: tuple[Block, ...]) -> tuple[Array, ...]:
    chosen = branches[min(max(int(index), 0), len(branches) - 1)]
    return tuple(np.asarray(value) for value in chosen(dict(zip(_names("c", operands), operands, strict=True))))


def _switch_lower(types: Sequence[TensorType], branches: tuple[Graph, ...]) -> RegionRule:
    return RegionRule("branch", branches, len(types) - 1)


def _switch_vjp(given: Value | tuple[Value | None, ...], n: Applied) -> Grads:
    """The gradient of the branch that ran, which it runs again."""
    cotangents = given if isinstance(given, tuple) else (given,)
    arrived = {place: g for place, g in enumerate(cotangents) if g is not None}
    index, *operands = n.operands
    wanted = [place for place, value in enumerate(operands) if value.dtype.is_inexact]
    backward = tuple(_backward(branch, n, list(arrived), wanted) for branch in n.attrs["branches"])
    gradients = n.builder.apply_many("switch", index, *operands, *arrived.values(), branches=backward)
    grads: list[Value | None] = [None] * len(n.operands)
    for place, value in zip(wanted, gradients, strict=True):
        grads[place + 1] = value
    return grads


def _backward(branch: Graph, n: Applied, arrived: Sequence[int], wanted: Sequence[int]) -> Graph:
    """The gradient of one branch: of its operands, and then of the cotangents of its results."""
    builder, count = build_like(branch), len(n.operands) - 1
    operands = [builder.input(f"c{i}", value.type) for i, value in enumerate(n.operands[1:])]
    results = inline(builder, branch, {f"c{i}": value for i, value in enumerate(operands)})
    sums: dict[Ref, Value] = {}
    for number, place in enumerate(arrived):
        cotangent, ref = builder.input(f"c{count + number}", results[place].type), results[place].ref
        sums[ref] = builder.apply("add", sums[ref], cotangent) if ref in sums else cotangent
    gradients = n.differentiate(builder, sums, [operands[place] for place in wanted])
    zeros = (builder.full(0, operands[place].shape, operands[place].dtype) for place in wanted)
    return builder.finish([part or zero for part, zero in zip(gradients, zeros, strict=True)])


def _switch_batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> tuple[Batched, ...]:
    """One branch for all elements; where the index varies, all branches run, and results are selected."""
    index, *rest = operands
    varying = {f"c{i}": operand.varies for i, operand in enumerate(rest)}
    every = [True] * len(attrs["branches"][0].outputs)
    branches = tuple(vectorized_graph(branch, varying, length, every)[0] for branch in attrs["branches"])
    values = [operand.value for operand in rest]
    if not index.varies:
        results = builder.apply_many("switch", index.value, *values, branches=branches)
        return tuple(Batched(value, True) for value in results)
    given = {f"c{i}": value for i, value in enumerate(values)}
    chosen = inline(builder, branches[-1], given)
    for number in range(len(branches) - 2, -1, -1):
        here = builder.apply("le", index.value, builder.full(number, index.value.shape, dtypes.int32))
        chosen = [
            builder.apply("select", builder.broadcast(here, result.shape, (0,)), result, other)
            for result, other in zip(inline(builder, branches[number], given), chosen, strict=True)
        ]
    return tuple(Batched(value, True) for value in chosen)


def _branches(dtype: DType) -> dict[str, tuple[Graph, ...]]:
    """`(c0 * c1, c0)`, `(sin(c0), c1)` and `(c1, c1)`."""
    branches = []
    for number in range(3):
        b, row = Builder(), TensorType((4,), dtype)
        x, y = b.input("c0", row), b.input("c1", row)
        branches.append(b.finish([(b.apply("mul", x, y), x), (b.apply("sin", x), y), (y, y)][number]))
    return {"branches": tuple(branches)}


def _switch_cases() -> Iterable[Case]:
    for low, high in ((-3, 0), (1, 2), (2, 6)):
        yield Case(((), (4,), (4,)), {}, low, high, integer_operands=(0,), typed=_branches)


switch = register(
    Primitive(
        "switch",
        Kind.REGION,
        _switch_infer,
        _switch_eval,
        _switch_lower,
        _switch_vjp,
        _switch_cases,
        INEXACT,
        batch=_switch_batch,
        regions=("branches",),
    )
)
