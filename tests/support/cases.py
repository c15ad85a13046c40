"""Graphs and inputs from the sample calls that every primitive brings along."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np

from graphc import dims, dtypes, primitives
from graphc.dtypes import DType
from graphc.errors import GraphcError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY, Case, Primitive
from graphc.graph.types import TensorType

Array = np.ndarray[Any, Any]

# Relative and absolute tolerance of a result, by its dtype; integers and booleans are exact.
TOLERANCES = {
    "float64": {"rtol": 1e-12, "atol": 1e-13},
    "float32": {"rtol": 2e-5, "atol": 2e-6},
    # One step: what is rounded differs in the last digits of float32.
    "float16": {"rtol": 2.0**-10, "atol": 2e-6},
    "bfloat16": {"rtol": 2.0**-7, "atol": 2e-6},
    # Of the distance of two complex numbers, relative to their size.
    "complex128": {"rtol": 1e-12, "atol": 1e-13},
    "complex64": {"rtol": 2e-5, "atol": 2e-6},
}
SIZE = "B"
REGISTERED = primitives.__all__


def tolerance(dtype: DType) -> dict[str, float]:
    """How far a result of a dtype may be off."""
    return TOLERANCES.get(dtype.name, {"rtol": 0, "atol": 0})


def assert_close(got: Array, expected: Array, message: str = "") -> None:
    """Fails where shape, dtype or values differ; halves are compared in float64."""
    assert got.shape == expected.shape, f"{message}: shape {got.shape}, expected {expected.shape}"
    assert got.dtype == expected.dtype, f"{message}: dtype {got.dtype}, expected {expected.dtype}"
    dtype = dtypes.as_dtype(expected.dtype)
    if dtype.is_float:
        got, expected = got.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_allclose(got, expected, **tolerance(dtype), err_msg=message)


def all_primitives() -> list[Primitive]:
    """Every primitive that has sample calls, by name."""
    return sorted((p for p in REGISTRY.values() if any(True for _ in p.cases())), key=lambda p: p.name)


def dtypes_of(primitive: Primitive) -> tuple[DType, ...]:
    """The dtypes that a primitive is tested in; float32 stands for those that take no operands."""
    return tuple(dtypes.as_dtype(name) for name in primitive.dtypes or ("float32",))


def attrs_of(case: Case, dtype: DType) -> dict[str, Any]:
    """The attributes of a sample call."""
    return case.attrs | (case.typed(dtype) if case.typed else {})


def operand_dtype(case: Case, position: int, dtype: DType) -> DType:
    """The dtype of an operand of a sample call."""
    if position in case.boolean_operands:
        return dtypes.bool_
    return dtypes.int32 if position in case.integer_operands else dtype


def operand_types(primitive: Primitive, case: Case, dtype: DType) -> list[TensorType]:
    """The types of the operands of a sample call."""
    return [TensorType(shape, operand_dtype(case, i, dtype)) for i, shape in enumerate(case.shapes)]


def sample(case: Case, dtype: DType, rng: np.random.Generator) -> list[Array]:
    """Operands for a sample call."""
    return [sample_operand(case, i, shape, dtype, rng) for i, shape in enumerate(case.shapes)]


def sample_operand(case: Case, position: int, shape: tuple[int, ...], dtype: DType, rng: np.random.Generator) -> Array:
    """One operand of a sample call, of any shape."""
    element = operand_dtype(case, position, dtype)
    if element.is_bool:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if element.is_integer:
        low = max(case.low, 0) if element.kind == "uint" else case.low
        return rng.integers(int(np.ceil(low)), int(np.floor(case.high)) + 1, shape).astype(element.numpy)
    if element.is_complex:
        parts = [sample_operand(case, position, shape, element.real, rng) for _ in range(2)]
        return (parts[0] + 1j * parts[1]).astype(element.numpy)
    if case.distinct:
        # One in each equal part of the range, none of them an integer, well apart, and others for each operand.
        count = int(np.prod(shape))
        values = case.low + (case.high - case.low) * (rng.permutation(count) + (0.4142 + 0.2718 * position) % 1) / max(
            count, 1
        )
        return values.reshape(shape).astype(element.numpy)
    return rng.uniform(case.low, case.high, shape).astype(element.numpy)


def build(primitive: Primitive, case: Case, dtype: DType) -> Graph:
    """The graph of a sample call, with inputs `x0`, `x1`, .. and all results as outputs."""
    return build_call(primitive, operand_types(primitive, case, dtype), attrs_of(case, dtype))


def build_call(primitive: Primitive, types: list[TensorType], attrs: dict[str, Any]) -> Graph:
    """The graph of a call."""
    builder = Builder({SIZE: (1, 64)})
    operands = [builder.input(f"x{i}", type) for i, type in enumerate(types)]
    return builder.finish(builder.apply_many(primitive.name, *operands, **attrs))


def named(arrays: list[Array]) -> dict[str, Array]:
    """Operands under the names that `build` gives the inputs."""
    return {f"x{i}": array for i, array in enumerate(arrays)}


def build_symbolic(primitive: Primitive, case: Case, dtype: DType) -> tuple[Graph, int] | None:
    """The graph of a sample call with a symbolic first axis, and the size that it stands for; None where none fits."""
    types, attrs = operand_types(primitive, case, dtype), attrs_of(case, dtype)
    count = next((type.shape[0] for type in types if type.shape), None)
    if not isinstance(count, int):
        return None
    concrete = build_call(primitive, types, attrs)
    wanted = [concrete.type(ref).shape for ref in concrete.outputs]
    batch = dims.size(SIZE)
    able = [i for i, type in enumerate(types) if type.shape and type.shape[0] == count]
    for chosen in chain([tuple(able)], combinations(able, 1)):
        symbolic = [TensorType((batch, *t.shape[1:]), t.dtype) if i in chosen else t for i, t in enumerate(types)]
        for variant in _symbolic_attrs(attrs, count):
            try:
                graph = build_call(primitive, symbolic, variant)
            except GraphcError:
                continue
            shapes = [tuple(dims.substitute(d, {SIZE: count}) for d in graph.type(ref).shape) for ref in graph.outputs]
            if shapes == wanted:
                return graph, count
    return None


def _symbolic_attrs(attrs: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    yield attrs
    batch = dims.size(SIZE)
    for name in ("shape", "sizes", "stop"):
        value = attrs.get(name, ())
        for place in (i for i, size in enumerate(value) if size == count):
            yield attrs | {name: (*value[:place], batch, *value[place + 1 :])}
    for name in ("size", "length"):
        if attrs.get(name) == count:
            yield attrs | {name: batch}
