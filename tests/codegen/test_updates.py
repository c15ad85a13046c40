"""States and their updates: written in place where that is safe; over several runs what the interpreter gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc import dtypes, interpret
from graphc.compiler import compile
from graphc.dtypes import DType
from graphc.graph.builder import Builder, Value, build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.types import Ref, TensorType
from graphc.plan import Copy
from graphc.runtime.state import StateBuffer
from tests.cuda_emulator import control
from tests.support.loop_interpreter import build_loops
from tests.support.random_graphs import Sample, graphs

Array = np.ndarray[Any, Any]
Make = Callable[[Builder], list[Value]]

FLOAT = dtypes.float32
BACKENDS = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
RUNS = 3
REAL_GPU = Path("/dev/nvidiactl").exists() and not os.environ.get("GRAPHC_EMULATE")


# ---- the cases: each makes states, updates them, and returns the outputs


def _state(b: Builder, name: str, *shape: int, dtype: DType = FLOAT) -> Value:
    return b.state(name, TensorType(shape, dtype))


def _input(b: Builder, name: str, *shape: int, dtype: DType = FLOAT) -> Value:
    return b.input(name, TensorType(shape, dtype))


def _plus(value: Value, number: float) -> Value:
    b = value.builder
    return b.apply("add", value, b.full(number, value.shape, value.dtype))


def _product(x: Value, y: Value) -> Value:
    axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
    return x.builder.apply("contract", x, y, **axes)


def _halved(value: Value) -> Value:
    b = value.builder
    return b.apply("mul", value, b.full(0.5, value.shape, value.dtype))


def counter(b: Builder) -> list[Value]:
    s = _state(b, "s")
    b.update(s, _plus(s, 1))
    return []


def read_by_another_kernel_before(b: Builder) -> list[Value]:
    s, w = _state(b, "s", 4, 6), _input(b, "w", 6, 3)
    b.update(s, _plus(s, 1))
    return [_product(s, w)]


def read_by_another_kernel_after(b: Builder) -> list[Value]:
    """What is to replace the state is formed first: its readers come later in the graph."""
    s = _state(b, "s", 4, 6)
    new = _plus(s, 1)
    b.update(s, new)
    return [b.apply("sum", s, axes=(0,)), b.apply("max", b.apply("tanh", s), axes=(1,)), b.apply("exp", _halved(new))]


def read_through_the_new_value(b: Builder) -> list[Value]:
    """A reader of the old value needs the new one, too: it cannot come before the one that forms it."""
    s = _state(b, "s", 4, 6)
    total = b.apply("sum", s, axes=(0, 1))
    new = b.apply("sub", s, b.broadcast(_halved(total), s.shape, ()))
    b.update(s, new)
    most = b.apply("max", new, axes=(0, 1))
    return [b.apply("sum", b.apply("mul", s, b.broadcast(most, s.shape, ())), axes=(1,))]


def swap(b: Builder) -> list[Value]:
    x, y = _state(b, "x", 5), _state(b, "y", 5)
    b.update(x, y)
    b.update(y, x)
    return []


def swap_with_arithmetic(b: Builder) -> list[Value]:
    x, y = _state(b, "x", 5), _state(b, "y", 5)
    b.update(x, _plus(y, 1))
    b.update(y, _halved(x))
    return [b.apply("add", x, y)]


def rotation(b: Builder) -> list[Value]:
    states = [_state(b, name, 4, 3) for name in "xyz"]
    for i, state in enumerate(states):
        b.update(state, _halved(states[(i + 1) % 3]))
    return []


def swap_through_products(b: Builder) -> list[Value]:
    """Each of two contractions reads what the other replaces."""
    x, y, w = _state(b, "x", 4, 4), _state(b, "y", 4, 4), _input(b, "w", 4, 4)
    b.update(x, _halved(_product(y, w)))
    b.update(y, _halved(_product(x, w)))
    return []


def replaced_by_its_own_product(b: Builder) -> list[Value]:
    s, w = _state(b, "s", 4, 4), _input(b, "w", 4, 4)
    b.update(s, _halved(_product(s, w)))
    return []


def replaced_by_a_product_of_one_column(b: Builder) -> list[Value]:
    s, w = _state(b, "s", 4, 1), _input(b, "w", 1, 1)
    b.update(s, _halved(_product(s, w)))
    return []


def added_to_a_product(b: Builder) -> list[Value]:
    """As weights are: read by one contraction, and by the epilogue of another that replaces them."""
    w, x = _state(b, "w", 6, 3), _input(b, "x", 4, 6)
    y = _product(x, w)
    gradient = _product(b.apply("transpose", x, order=(1, 0)), y)
    b.update(w, b.apply("sub", w, b.apply("mul", gradient, b.full(0.01, w.shape, FLOAT))))
    return [y]


def output_is_the_update(b: Builder) -> list[Value]:
    s = _state(b, "s", 5)
    new = _plus(s, 1)
    b.update(s, new)
    return [new, new]


def output_is_the_old_value(b: Builder) -> list[Value]:
    s = _state(b, "s", 5)
    b.update(s, _plus(s, 1))
    return [s, s]


def one_value_for_two_states(b: Builder) -> list[Value]:
    x, y = _state(b, "x", 5), _state(b, "y", 5)
    new = b.apply("add", x, _halved(y))
    b.update(x, new)
    b.update(y, new)
    return []


def updates_that_are_sources(b: Builder) -> list[Value]:
    x, y, z, unchanged = (_state(b, name, 5) for name in "xyzu")
    b.update(x, _input(b, "i", 5))
    b.update(y, b.constant(np.arange(5), FLOAT))
    b.update(z, b.full(7, (5,), FLOAT))
    b.update(unchanged, unchanged)
    return [b.apply("add", b.apply("add", x, y), b.apply("add", z, unchanged))]


def rows_replaced_by_their_sums(b: Builder) -> list[Value]:
    """The old value of a row is read at every column of it, after the new one is known."""
    s, x = _state(b, "s", 8), _input(b, "x", 8, 40)
    b.update(s, b.apply("sum", x, axes=(1,)))
    return [b.apply("add", x, b.broadcast(s, x.shape, (0,)))]


def columns_replaced_by_their_sums(b: Builder) -> list[Value]:
    s, x = _state(b, "s", 40), _input(b, "x", 8, 40)
    b.update(s, b.apply("sum", x, axes=(0,)))
    return [b.apply("add", x, b.broadcast(s, x.shape, (1,)))]


def softmax_in_place(b: Builder) -> list[Value]:
    s = _state(b, "s", 3, 40)
    e = b.apply("exp", s)
    b.update(s, b.apply("div", e, b.broadcast(b.apply("sum", e, axes=(1,)), s.shape, (0,))))
    return []


def columns_centred_in_place(b: Builder) -> list[Value]:
    s = _state(b, "s", 40, 5)
    mean = _halved(b.apply("sum", s, axes=(0,)))
    b.update(s, b.apply("sub", s, b.broadcast(mean, s.shape, (1,))))
    return []


def moved_elements(b: Builder) -> list[Value]:
    """Views of the state itself: every element is read at another place than it is written to."""
    r, t, q, g = _state(b, "r", 6), _state(b, "t", 4, 4), _state(b, "q", 6), _state(b, "g", 6)
    b.update(r, b.apply("reverse", r, axes=(0,)))
    b.update(t, b.apply("transpose", t, order=(1, 0)))
    rest = b.apply("slice", q, start=(1,), stop=(6,), step=(1,))
    b.update(q, b.apply("concatenate", rest, _input(b, "x", 1), axis=0))
    b.update(g, b.apply("gather", g, _input(b, "i", 6, dtype=dtypes.int32), axis=0))
    return []


def running_sums_in_place(b: Builder) -> list[Value]:
    for number, (axis, reverse) in enumerate(((0, False), (1, False), (1, True))):
        s = _state(b, f"s{number}", 4, 5)
        b.update(s, _halved(b.apply("cumsum", s, axis=axis, reverse=reverse)))
    bare = _state(b, "bare", 5)
    b.update(bare, b.apply("cummax", bare, axis=0, reverse=True))
    return []


def scattered(b: Builder) -> list[Value]:
    s, t, i = _state(b, "s", 4, 3), _state(b, "t", 4, 3), _input(b, "i", 4, dtype=dtypes.int32)
    b.update(s, b.apply("scatter_add", i, s, size=4))
    b.update(t, b.apply("add", t, b.apply("scatter_add", i, _halved(t), size=4)))
    return []


def carried_by_a_loop(b: Builder) -> list[Value]:
    element = TensorType((3,), FLOAT)
    body = Builder()
    state, part = body.input("s0", element), body.input("x0", element)
    new = body.apply("tanh", body.apply("add", state, part))
    s, xs = _state(b, "s", 3), _state(b, "xs", 4, 3)
    counts = {"constants": 0, "carries": 1, "xs": 1, "length": 4, "reverse": False}
    last, rows = b.apply_many("scan", s, xs, body=body.finish([new, new]), **counts)
    b.update(s, last)
    b.update(xs, rows)
    return [last]


def old_and_new_of_each_other(b: Builder) -> list[Value]:
    x, y = _state(b, "x", 5), _state(b, "y", 5)
    new = b.apply("add", _halved(x), y)
    b.update(x, new)
    b.update(y, b.apply("mul", _halved(new), y))
    return [b.apply("sub", new, x)]


def halves(b: Builder) -> list[Value]:
    for dtype in (dtypes.float16, dtypes.bfloat16):
        s = _state(b, dtype.name, 5, dtype=dtype)
        b.update(s, _plus(_halved(s), 1))
    return []


CASES: list[Make] = [
    counter,
    read_by_another_kernel_before,
    read_by_another_kernel_after,
    read_through_the_new_value,
    swap,
    swap_with_arithmetic,
    rotation,
    swap_through_products,
    replaced_by_its_own_product,
    replaced_by_a_product_of_one_column,
    added_to_a_product,
    output_is_the_update,
    output_is_the_old_value,
    one_value_for_two_states,
    updates_that_are_sources,
    rows_replaced_by_their_sums,
    columns_replaced_by_their_sums,
    softmax_in_place,
    columns_centred_in_place,
    moved_elements,
    running_sums_in_place,
    scattered,
    carried_by_a_loop,
    old_and_new_of_each_other,
    halves,
]


def _graph(make: Make) -> Graph:
    builder = Builder()
    return builder.finish(make(builder))


def _values(graph: Graph, op: str) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    found = {}
    for node in graph.of_op(op):
        type = node.outs[0]
        numbers = rng.integers(0, 4, type.shape) if type.dtype.is_integer else rng.uniform(-1, 1, type.shape)
        found[node.attrs["name"]] = np.asarray(numbers).astype(type.dtype.numpy)
    return found


def _assert_close(got: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    assert got.keys() == expected.keys()
    for name, wanted in expected.items():
        bound = 0 if wanted.dtype.itemsize == 2 else 1e-5
        np.testing.assert_allclose(got[name].astype(float), wanted.astype(float), bound, bound, err_msg=name)


def _numbered(outputs: list[Array]) -> dict[str, Array]:
    return {str(i): output for i, output in enumerate(outputs)}


# ---- cases, run


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_kernels_that_update_states_are_legal(make: Make, fused: bool) -> None:
    """The interpreter of the loop IR finds kernels that read what they have replaced."""
    graph = _graph(make)
    inputs, states, program = _values(graph, "input"), _values(graph, "state"), build_loops(graph, fused=fused)
    expected = {name: value.copy() for name, value in states.items()}
    for _ in range(RUNS):
        outputs, updates = interpret.run(graph, inputs, expected)
        expected |= updates
        _assert_close(_numbered(program.run(inputs, {}, states)), _numbered(outputs))
        _assert_close(states, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_states_are_what_the_interpreter_makes_of_them(make: Make, backend: str) -> None:
    _check_backend(make, backend)


@pytest.mark.cuda
@pytest.mark.skipif(REAL_GPU, reason="a GPU has an order of its own")
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_states_do_not_depend_on_the_order_of_threads(make: Make) -> None:
    with control.settings(reverse=True, lazy=True):
        _check_backend(make, "cuda")


def _check_backend(make: Make, backend: str) -> None:
    graph = _graph(make)
    inputs, expected = _values(graph, "input"), _values(graph, "state")
    states = {name: StateBuffer(value) for name, value in expected.items()}
    executable = compile(graph, backend)
    for _ in range(RUNS):
        outputs, updates = interpret.run(graph, inputs, expected)
        expected |= updates
        _assert_close(_numbered(executable.run(inputs, states, {})), _numbered(outputs))
        _assert_close({name: state.host() for name, state in states.items()}, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_repeated_runs_in_one_call_are_the_runs_one_by_one(backend: str) -> None:
    graph = _graph(old_and_new_of_each_other)
    one, many = ({name: StateBuffer(v) for name, v in _values(graph, "state").items()} for _ in range(2))
    executable = compile(graph, backend)
    for _ in range(4):
        last = executable.run({}, one, {})
    np.testing.assert_array_equal(executable.run({}, many, {}, repeat=4)[0], last[0])
    for name, state in one.items():
        np.testing.assert_array_equal(many[name].host(), state.host())


@pytest.mark.parametrize(
    "make", [counter, softmax_in_place, columns_centred_in_place, added_to_a_product, read_by_another_kernel_before]
)
def test_what_is_safe_in_place_is_not_copied(make: Make) -> None:
    assert not any(isinstance(step, Copy) for step in build_loops(_graph(make)).plan.steps)


# ---- random updates


@st.composite
def updating(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Sample:
    """A random graph some of whose inputs are states, each updated with any value of its type."""
    sample: Sample = draw(graphs(most=15))
    builder, mapping = build_like(sample.graph), {}
    states = draw(st.sets(st.sampled_from(sorted(sample.graph.inputs))))
    for node in sample.graph.table.values():
        is_state = node.op == "input" and node.attrs["name"] in states
        copied = builder.add("state", (), node.attrs) if is_state else copy_node(builder, node, mapping)
        mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
    refs = [Ref(node.id, out) for node in builder.nodes for out in range(len(node.outs))]
    for node in [node for node in builder.nodes if node.op == "state"]:
        fitting = [ref for ref in refs if builder.type(ref) == node.outs[0]]
        builder.updates[node.id] = draw(st.sampled_from(fitting[::-1]))
    return Sample(builder.finish(mapping[ref] for ref in sample.graph.outputs), sample.inputs, sample.sizes)


def _check_random(sample: Sample, fused: bool) -> None:
    graph, arrays = sample.graph, sample.inputs
    inputs = {name: array for name, array in arrays.items() if name in graph.inputs}
    states = {name: np.array(array) for name, array in arrays.items() if name in graph.states}
    outputs, updates = interpret.run(graph, inputs, arrays, sample.sizes)
    got = build_loops(graph, fused=fused).run(inputs, sample.sizes, states)
    bound = sample.tolerance
    for a, b in [*zip(got, outputs, strict=True), *((states[name], value) for name, value in updates.items())]:
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), bound, bound)


@settings(derandomize=True, database=None, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(updating(), st.booleans())
def test_random_updates_are_what_the_interpreter_makes_of_them(sample: Sample, fused: bool) -> None:
    _check_random(sample, fused)


@pytest.mark.slow
@settings(derandomize=True, database=None, deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck))
@given(updating(), st.booleans())
def test_many_random_updates_are_what_the_interpreter_makes_of_them(sample: Sample, fused: bool) -> None:
    _check_random(sample, fused)
