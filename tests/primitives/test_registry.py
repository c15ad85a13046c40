"""Every primitive in every dtype: types against results, lowering against NumPy, gradients against differences."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from graphc import dims, dtypes
from graphc.autodiff import vjp
from graphc.dtypes import DType
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY, Case, Primitive
from tests.support import cases
from tests.support.backends import BACKENDS, run_interpreter

Array = np.ndarray[Any, Any]

ALL = [(p.name, dtype) for p in cases.all_primitives() for dtype in cases.dtypes_of(p)]
SMOOTH = [
    (p.name, dtype)
    for p in cases.all_primitives()
    for dtype in (dtypes.float64, dtypes.complex128)
    if p.vjp and dtype.name in p.dtypes and any(c.differentiable for c in p.cases())
]
BATCH_SIZES = (1, 5)
STEP = 1e-6


def generator(*parts: object) -> np.random.Generator:
    """Random numbers that depend on the test only."""
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def show(case: Case) -> str:
    """A case in messages."""
    return f"shapes {case.shapes}, attributes {case.attrs}"


@pytest.mark.parametrize(("name", "dtype"), ALL, ids=lambda part: str(part))
def test_infer_says_what_eval_returns(name: str, dtype: DType) -> None:
    for case in REGISTRY[name].cases():
        graph = cases.build(REGISTRY[name], case, dtype)
        inputs = cases.named(cases.sample(case, dtype, generator(name, dtype)))
        for ref, result in zip(graph.outputs, run_interpreter(graph, inputs, {"B": 3}), strict=True):
            assert result.shape == graph.type(ref).shape, show(case)
            assert dtypes.as_dtype(result.dtype) is graph.type(ref).dtype, show(case)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "dtype"), ALL, ids=lambda part: str(part))
def test_backend_agrees_with_the_interpreter(backend: str, name: str, dtype: DType) -> None:
    for case in REGISTRY[name].cases():
        graph = cases.build(REGISTRY[name], case, dtype)
        inputs = cases.named(cases.sample(case, dtype, generator(name, dtype)))
        check_backend(backend, graph, inputs, {"B": 3}, show(case))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [p.name for p in cases.all_primitives()])
def test_backend_agrees_for_every_batch_size(backend: str, name: str) -> None:
    dtype = dtypes.float32 if "float32" in REGISTRY[name].dtypes else cases.dtypes_of(REGISTRY[name])[0]
    for case in REGISTRY[name].cases():
        found = cases.build_symbolic(REGISTRY[name], case, dtype)
        if found is None:
            continue
        graph, count = found
        shapes = [graph.type(ref).shape for ref in graph.outputs]
        for size in (count, *BATCH_SIZES):
            if any(dims.evaluate(dim, {"B": size}) < 1 for shape in shapes for dim in shape):
                continue  # A window over a symbolic axis needs its least size.
            rng, inputs = generator(name, size), {}
            for i, node in enumerate(graph.inputs.values()):
                shape = tuple(dims.evaluate(dim, {"B": size}) for dim in node.outs[0].shape)
                inputs[f"x{i}"] = cases.sample_operand(case, i, shape, dtype, rng)
            results = run_interpreter(graph, inputs, {"B": size})
            for ref, result in zip(graph.outputs, results, strict=True):
                assert result.shape == tuple(dims.evaluate(d, {"B": size}) for d in graph.type(ref).shape), show(case)
            check_backend(backend, graph, inputs, {"B": size}, f"batch {size}: {show(case)}")


def check_backend(backend: str, graph: Graph, inputs: dict[str, Array], sizes: dict[str, int], message: str) -> None:
    """Fails where a backend's results are not the interpreter's."""
    expected = run_interpreter(graph, inputs, sizes)
    for got, wanted in zip(BACKENDS[backend](graph, inputs, sizes), expected, strict=True):
        cases.assert_close(got, wanted, message)


def test_most_primitives_take_a_symbolic_batch() -> None:
    """The search for symbolic variants finds them: all primitives with operands but those listed."""
    without = set()
    for primitive in cases.all_primitives():
        dtype = cases.dtypes_of(primitive)[0]
        found = [cases.build_symbolic(primitive, case, dtype) for case in primitive.cases() if case.shapes]
        if found and not any(found):
            without.add(primitive.name)
    # Closed graphs hold the types; random bits have operands of fixed shape.
    assert without <= {"scan", "switch", "while", "custom_gradient", "random_bits"}


# ---- gradients


def differentiable(name: str) -> list[Case]:
    """The cases at which a primitive has gradients."""
    return [case for case in REGISTRY[name].cases() if case.differentiable]


def normal(rng: np.random.Generator, shape: Any, dtype: DType) -> Array:
    """Normally distributed numbers, real or complex."""
    parts = rng.normal(size=(2, *shape))
    return np.asarray(parts[0] + 1j * parts[1] if dtype.is_complex else parts[0])


class Derivative:
    """The function `Re(sum_i g_i * f_i(x))` of a sample call, and its gradient by the float operands, as graphs."""

    def __init__(self, primitive: Primitive, case: Case, dtype: DType) -> None:
        self.builder = Builder()
        types = cases.operand_types(primitive, case, dtype)
        attrs = cases.attrs_of(case, dtype)
        self.operands = [self.builder.input(f"x{i}", type) for i, type in enumerate(types)]
        results = self.builder.apply_many(primitive.name, *self.operands, **attrs)
        self.wrt = [x for x in self.operands if x.dtype.is_inexact]
        self.cotangents: dict[str, Value] = {}
        self.value, self.gradients = self.differentiate([y for y in results if y.dtype.is_inexact], "g")

    def differentiate(self, results: list[Value], letter: str) -> tuple[Value, list[Value]]:
        """The inner product of results with new inputs, and its gradient."""
        builder = self.builder
        total, given = builder.constant(0, dtypes.float64), {}
        for i, result in enumerate(results):
            g = self.cotangents[f"{letter}{i}"] = builder.input(f"{letter}{i}", result.type)
            part = builder.apply("sum", builder.apply("mul", result, g), axes=tuple(range(result.rank)))
            part = builder.apply("real", part) if part.dtype.is_complex else part
            total = builder.apply("add", total, part)
            given[result.ref] = builder.apply("add", given[result.ref], g) if result.ref in given else g
        found = vjp(builder, given, self.wrt)
        zeros = [builder.full(0, x.shape, x.dtype) for x in self.wrt]
        return total, [part if part is not None else zero for part, zero in zip(found, zeros, strict=True)]

    def check(self, inputs: dict[str, Array], rng: np.random.Generator, tolerance: float, message: str) -> None:
        """Fails where the gradient along random directions is not the difference quotient."""
        graph = self.builder.finish([self.value, *self.gradients])
        inputs = inputs | {name: normal(rng, g.shape, g.dtype) for name, g in self.cotangents.items()}
        names = [graph.node(x.ref.node).attrs["name"] for x in self.wrt]
        gradients = run_interpreter(graph, inputs, {})[1:]
        # Of the value alone, since the gradients cost most.
        value = self.builder.finish([self.value])
        pruned = Graph([n for n in value.table.values() if n.id in value.ancestors(value.outputs)], value.outputs)
        for name, gradient in zip(names, gradients, strict=True):
            for _ in range(2):
                direction = normal(rng, gradient.shape, dtypes.as_dtype(gradient.dtype))
                above, below = (
                    run_interpreter(pruned, inputs | {name: inputs[name] + sign * STEP * direction}, {})[0]
                    for sign in (1, -1)
                )
                quotient, exact = (above - below) / (2 * STEP), np.sum(gradient * direction).real
                scale = 1 + np.abs(gradient).max(initial=0) * np.sqrt(gradient.size)
                assert abs(quotient - exact) <= tolerance * scale, f"{message}: {quotient} and {exact} by {name}"


@pytest.mark.parametrize(("name", "dtype"), SMOOTH, ids=lambda part: str(part))
def test_gradient_is_the_difference_quotient(name: str, dtype: DType) -> None:
    for case in differentiable(name):
        rng = generator(name)
        inputs = cases.named(cases.sample(case, dtype, rng))
        Derivative(REGISTRY[name], case, dtype).check(inputs, rng, 1e-6, show(case))


@pytest.mark.parametrize(("name", "dtype"), SMOOTH, ids=lambda part: str(part))
def test_second_derivative_is_the_difference_quotient(name: str, dtype: DType) -> None:
    for case in differentiable(name):
        rng = generator(name, 2)
        inputs = cases.named(cases.sample(case, dtype, rng))
        derivative = Derivative(REGISTRY[name], case, dtype)
        derivative.value, derivative.gradients = derivative.differentiate(derivative.gradients, "h")
        derivative.check(inputs, rng, 1e-5, show(case))


def test_an_operation_without_a_gradient_by_floats_has_no_float_results() -> None:
    """What has float operands and float results has a gradient, be it zero."""
    lacking = []
    for primitive in REGISTRY.values():
        for case in primitive.cases():
            graph = cases.build(primitive, case, cases.dtypes_of(primitive)[-1])
            floats = any(node.outs[0].dtype.is_inexact for node in graph.inputs.values())
            if primitive.vjp is None and floats and any(graph.type(ref).dtype.is_inexact for ref in graph.outputs):
                lacking.append(primitive.name)
    assert not lacking
