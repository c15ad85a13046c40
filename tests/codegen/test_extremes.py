"""Axes of size 0 and 1, attributes at their extremes, and very many operands: compiled code against the interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, dims, dtypes, layers, ops
from graphc.compiler import compile
from graphc.errors import BackendError, GraphcError, ShapeError
from graphc.graph.builder import Builder, inline
from graphc.graph.registry import Case, Kind, Primitive
from graphc.graph.types import TensorType
from tests.support import cases
from tests.support.backends import COMPILED, Run, run_cuda, run_interpreter, run_portable

Array = np.ndarray[Any, Any]
KINDS = {
    "elements": (Kind.POINTWISE,),
    "views": (Kind.VIEW, Kind.RANDOM),
    "reductions": (Kind.REDUCE,),
    "others": (Kind.CONTRACT, Kind.SCATTER, Kind.SCAN, Kind.REGION),
    "libraries": (Kind.LIBRARY,),
}
# What says of each axis of an operand, or of the result, how long it is.
LENGTHS = ("shape", "sizes", "stop")
# Calls at the edge of what operations take, beside those that the registry's have with other sizes.
EXTREMES: tuple[tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]], ...] = (
    *((op, ((3, 4),), {"axes": ()}) for op in ("sum", "prod", "max", "min", "argmax", "argmin")),
    *((op, ((1, 1, 1),), {"axes": (0, 2)}) for op in ("sum", "prod", "max", "min", "argmax", "argmin")),
    *((op, ((),), {"axes": ()}) for op in ("sum", "prod", "max", "min", "argmax", "argmin")),
    ("transpose", ((),), {"order": ()}),
    ("reshape", ((1, 1, 1),), {"shape": ()}),
    ("reshape", ((),), {"shape": (1, 1)}),
    ("broadcast", ((1, 0),), {"shape": (2, 1, 0), "axes": (1, 2)}),
    ("slice", ((5,),), {"start": (4,), "stop": (5,), "step": (9,)}),
    ("pad", ((1,),), {"low": (0,), "high": (0,), "interior": (7,), "value": 1}),
    ("pad", ((0, 3),), {"low": (2, 0), "high": (1, 0), "interior": (0, 0), "value": 4}),
    ("reverse", ((1, 0),), {"axes": (0, 1)}),
    ("concatenate", ((2, 3),), {"axis": 0}),
    ("concatenate", ((0, 3), (2, 3), (0, 3)), {"axis": 0}),
    ("concatenate", ((0, 3), (0, 3)), {"axis": 0}),
    *(
        ("window_reduce", ((1, 3, 4, 2),), {"combine": combine, **window})
        for combine in ("sum", "max", "min")
        for window in (
            {"window": (1, 1, 1, 1), "strides": (1, 1, 1, 1), "padding": ((0, 0),) * 4, "dilation": (1, 1, 1, 1)},
            {"window": (1, 1, 1, 1), "strides": (1, 2, 3, 1), "padding": ((0, 0),) * 4, "dilation": (1, 5, 5, 1)},
            {"window": (1, 3, 4, 1), "strides": (1, 9, 9, 1), "padding": ((0, 0),) * 4, "dilation": (1, 1, 1, 1)},
        )
    ),
    *(
        (
            "window_reduce",
            ((0, 2),),
            {
                "combine": combine,
                "window": (2, 1),
                "strides": (1, 1),
                "padding": ((2, 1), (0, 0)),
                "dilation": (1, 1),
            },
        )
        for combine in ("sum", "max", "min")
    ),
    (
        "window_position",
        ((1, 3, 4, 2),),
        {
            "combine": "argmax",
            "window": (1, 1, 1, 1),
            "strides": (1, 2, 1, 1),
            "padding": ((0, 0),) * 4,
            "dilation": (1, 1, 1, 1),
        },
    ),
)


def dtype_of(primitive: Primitive) -> dtypes.DType:
    found = cases.dtypes_of(primitive)
    return dtypes.float32 if dtypes.float32 in found else found[0]


def resized(case: Case, dtype: dtypes.DType, size: int) -> Iterator[tuple[list[tuple[int, ...]], dict[str, Any]]]:
    """Shapes and attributes of calls in which an axis of one operand, or of all that are as long, is resized."""
    attrs = cases.attrs_of(case, dtype)
    for old in sorted({length for shape in case.shapes for length in shape}):
        for position, shape in enumerate(case.shapes):
            for axis in (axis for axis, length in enumerate(shape) if length == old):
                one = [(*s[:axis], size, *s[axis + 1 :]) if i == position else s for i, s in enumerate(case.shapes)]
                same = [
                    (*s[:axis], size, *s[axis + 1 :]) if len(s) > axis and s[axis] == old else s for s in case.shapes
                ]
                every = [tuple(size if length == old else length for length in s) for s in case.shapes]
                for shapes in (one, same, every):
                    yield shapes, attrs
                    for name in LENGTHS:
                        lengths = attrs.get(name, ())
                        for place in (i for i, length in enumerate(lengths) if length == old):
                            yield shapes, attrs | {name: (*lengths[:place], size, *lengths[place + 1 :])}
                    for name in ("size", "length"):
                        if attrs.get(name) == old:
                            yield shapes, attrs | {name: size}


class Calls:
    """Calls of primitives in one graph."""

    def __init__(self) -> None:
        self.builder = Builder({})
        self.inputs: dict[str, Array] = {}
        self.results: list[Any] = []
        self.labels: list[str] = []
        self._seen: set[str] = set()

    def try_call(self, primitive: Primitive, case: Case, shapes: list[tuple[int, ...]], attrs: dict[str, Any]) -> bool:
        """Adds a call, if it is new and legal."""
        dtype, label = dtype_of(primitive), f"{primitive.name} of {shapes}, {attrs}"
        operands = [cases.operand_dtype(case, i, dtype) for i in range(len(shapes))]
        types = [TensorType(shape, operand) for shape, operand in zip(shapes, operands, strict=True)]
        try:
            cases.build_call(primitive, types, attrs)
        except GraphcError:
            return False
        if label in self._seen:
            return False
        self._seen.add(label)
        rng, values = np.random.default_rng(len(self.labels)), []
        for position, type in enumerate(types):
            name = f"x{len(self.inputs)}"
            self.inputs[name] = cases.sample_operand(case, position, type.shape, dtype, rng)
            values.append(self.builder.input(name, type))
        outputs = self.builder.apply_many(primitive.name, *values, **attrs)
        self.results += outputs
        self.labels += [label] * len(outputs)
        return True

    def check(self, run: Run) -> None:
        """Fails where a backend's results are not the interpreter's."""
        graph = self.builder.finish(self.results)
        expected = run_interpreter(graph, self.inputs, {})
        for got, wanted, label in zip(run(graph, self.inputs, {}), expected, self.labels, strict=True):
            cases.assert_close(np.asarray(got), wanted, label)


def refusal(run: Run, kinds: str) -> AbstractContextManager[object]:
    """CUDA has no libraries, and portable C not for all of them, and they say so."""
    refused = run in (run_cuda, run_portable) and kinds == "libraries"
    return pytest.raises(BackendError, match="has no implementation") if refused else nullcontext()


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("kinds", KINDS)
def test_axes_of_size_none_and_one(run: Run, kinds: str) -> None:
    calls = Calls()
    without: set[str] = set()
    for primitive in cases.all_primitives():
        if primitive.kind not in KINDS[kinds]:
            continue
        added = 0
        for case in list(primitive.cases())[:3]:
            for size in (0, 1):
                for shapes, attrs in resized(case, dtype_of(primitive), size):
                    added += calls.try_call(primitive, case, shapes, attrs)
        if not added:
            without.add(primitive.name)
    assert without <= {"iota", "random_bits", "size", "scan", "switch", "while", "custom_gradient"}
    with refusal(run, kinds):
        calls.check(run)


@pytest.mark.parametrize("run", COMPILED)
@pytest.mark.parametrize("kinds", KINDS)
def test_symbolic_axes_of_all_sizes(run: Run, kinds: str) -> None:
    """Each call with a first axis whose size is known when it runs only, all in one graph."""
    sizes = (1, 2, 9)
    builder = Builder({cases.SIZE: (1, 64)})
    results: list[Any] = []
    inputs: list[tuple[str, Any, Case, int, dtypes.DType]] = []
    labels: list[str] = []
    for primitive in cases.all_primitives():
        dtype = dtype_of(primitive)
        for case in primitive.cases() if primitive.kind in KINDS[kinds] else ():
            found = cases.build_symbolic(primitive, case, dtype)
            if found is None:
                continue
            shapes = [found[0].type(ref).shape for ref in found[0].outputs]
            if any(dims.evaluate(dim, {cases.SIZE: size}) < 1 for shape in shapes for dim in shape for size in sizes):
                continue  # a window over a symbolic axis needs its least size
            given = {}
            for position, (name, node) in enumerate(found[0].inputs.items()):
                inputs.append((f"x{len(inputs)}", node.outs[0].shape, case, position, dtype))
                given[name] = builder.input(inputs[-1][0], node.outs[0])
            outputs = inline(builder, found[0], given)
            results += outputs
            labels += [f"{primitive.name}: {case}"] * len(outputs)
    graph = builder.finish(results)
    for size in sizes:
        rng, values = np.random.default_rng(size), {}
        for name, shape, case, position, dtype in inputs:
            resolved = tuple(dims.evaluate(dim, {cases.SIZE: size}) for dim in shape)
            values[name] = cases.sample_operand(case, position, resolved, dtype, rng)
        expected = run_interpreter(graph, values, {cases.SIZE: size})
        with refusal(run, kinds):
            for got, wanted, label in zip(run(graph, values, {cases.SIZE: size}), expected, labels, strict=True):
                cases.assert_close(np.asarray(got), wanted, f"{size} of {label}")


@pytest.mark.parametrize("run", COMPILED)
def test_attributes_at_their_extremes(run: Run) -> None:
    calls = Calls()
    known = {primitive.name: primitive for primitive in cases.all_primitives()}
    for op, shapes, attrs in EXTREMES:
        assert calls.try_call(known[op], Case(shapes, attrs), list(shapes), attrs), (op, shapes, attrs)
    calls.check(run)


@pytest.mark.parametrize("run", COMPILED)
def test_windows_of_one_element_beside_other_operations(run: Run) -> None:
    """Such a reduction runs over nothing, so that it may join a product, and comes before or behind it."""
    builder = Builder({})
    x, w = (builder.input(name, TensorType((4, 4), dtypes.float32)) for name in "xw")
    window = {"window": (1, 1), "strides": (1, 1), "padding": ((0, 0),) * 2, "dilation": (1, 1)}
    lhs = builder.apply("window_reduce", x, combine="max", **window)
    axes = {"lhs_batch": (), "lhs_contract": (1,), "rhs_batch": (), "rhs_contract": (0,)}
    product = builder.apply("contract", x, w, **axes)
    outputs = [
        builder.apply("add", lhs, product),
        builder.apply("window_reduce", product, combine="sum", **window),
        builder.apply("window_position", product, combine="argmax", **window),
        builder.apply("sum", builder.apply("window_reduce", x, combine="min", **window), axes=(0,)),
    ]
    graph = builder.finish(outputs)
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(4, 4)).astype(np.float32) for name in "xw"}
    for got, wanted in zip(run(graph, inputs, {}), run_interpreter(graph, inputs, {}), strict=True):
        cases.assert_close(np.asarray(got), wanted)


@pytest.mark.parametrize("op", ("max", "min", "argmax", "argmin"))
def test_nothing_has_no_extremum(op: str) -> None:
    builder = Builder({})
    x = builder.input("x", TensorType((0, 3), dtypes.float32))
    with pytest.raises(ShapeError, match="no elements") as caught:
        builder.apply(op, x, axes=(0,))
    assert "[0, 3]" in str(caught.value)
    assert builder.apply(op, x, axes=(1,)).shape == (0,)


def test_nothing_is_taken_from_nothing() -> None:
    builder = Builder({})
    x = builder.input("x", TensorType((0, 3), dtypes.float32))
    indices = [builder.input(f"i{count}", TensorType((count,), dtypes.int32)) for count in (0, 2)]
    assert builder.apply("gather", x, indices[0], axis=0).shape == (0, 3)
    with pytest.raises(ShapeError, match="empty"):
        builder.apply("gather", x, indices[1], axis=0)


@pytest.mark.parametrize("backend", ("cpu", pytest.param("cuda", marks=pytest.mark.cuda)))
@pytest.mark.parametrize("count", (33, 300))
def test_very_many_parts(backend: str, count: int) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(2, i % 3 + 1)).astype(np.float32) for i in range(count)]
    rows = [part[:, :1] for part in parts]

    def form(parts: list[Any], rows: list[Any]) -> list[Any]:
        joined = ops.concatenate(parts, axis=1)
        again = rows[0]
        for row in rows[1:200]:
            again = ops.concatenate([again, row], axis=1)
        return [joined, ops.exp(joined), ops.stack(rows, axis=0), ops.sum(ops.stack(rows, axis=1), axis=1), again]

    with config.override(backend=backend):
        got = [np.asarray(result) for result in graphc.function(form)(parts, rows)]
    whole = np.concatenate(parts, 1)
    expected = [whole, np.exp(whole), np.stack(rows), np.stack(rows, 1).sum(1), np.concatenate(rows[:200], 1)]
    for result, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


def test_a_long_chain_of_views_is_cut() -> None:
    builder = Builder({})
    x = value = builder.input("x", TensorType((3, 4), dtypes.float32))
    for turn in range(1500):
        value = builder.apply("reverse" if turn % 2 else "pad", value, **_VIEWS[turn % 2])
        value = builder.apply("slice", value, start=(0, 0), stop=(3, 4), step=(1, 1))
    graph = builder.finish([value, builder.apply("exp", value), builder.apply("neg", x)])
    inputs = {"x": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)}
    for got, wanted in zip(compile(graph, "cpu").run(inputs, {}, {}), run_interpreter(graph, inputs, {}), strict=True):
        cases.assert_close(np.asarray(got), wanted)


_VIEWS: tuple[dict[str, Any], ...] = (
    {"low": (1, 0), "high": (0, 1), "interior": (0, 0), "value": 1},
    {"axes": (0, 1)},
)


@pytest.mark.parametrize("backend", ("cpu", "numpy"))
@pytest.mark.parametrize("pool", (layers.MaxPooling2D, layers.AveragePooling2D))
def test_pooling_by_one_trains_as_no_pooling_does(backend: str, pool: Any) -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)
    weights = []
    with config.override(backend=backend):
        for between in ([pool(1)], []):
            graphc.utils.set_random_seed(1)
            stack = [layers.Conv2D(3, 3), *between, layers.Flatten(), layers.Dense(2)]
            model = graphc.Sequential([graphc.Input((6, 6, 2)), *stack])
            model.compile("sgd", "mse")
            model.fit(x, np.ones((4, 2), np.float32), batch_size=4, epochs=2, verbose=0)
            weights.append(model.get_weights())
    for ours, wanted in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-6)
