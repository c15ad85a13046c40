"""All sample calls of a primitive as one graph: operands as its cases say, and what results may be off by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dtypes, interpret, primitives
from graphc.dtypes import DType
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import REGISTRY, Case, Primitive
from graphc.graph.types import TensorType

Array = np.ndarray[Any, Any]

# Relative and absolute tolerance by dtype; integers and booleans are exact.
TOLERANCES = {"float64": (1e-12, 1e-13), "float32": (2e-5, 2e-6), "float16": (4e-3, 2e-3), "bfloat16": (2e-2, 2e-2)}
SIZES = {"B": 3}
REGISTERED = primitives.__all__


@dataclass(frozen=True)
class Calls:
    """A graph of many calls: its inputs, and which call each output is of."""

    graph: Graph
    inputs: dict[str, Array]
    labels: list[str]

    def expected(self) -> list[Array]:
        """What the interpreter makes of it."""
        return interpret.run(self.graph, self.inputs, sizes=SIZES)[0]

    def differences(self, got: list[Array]) -> list[str]:
        """The calls whose results are not the interpreter's, each with by how much at most."""
        found = []
        for label, a, b in zip(self.labels, got, self.expected(), strict=True):
            relative, absolute = TOLERANCES.get(dtypes.as_dtype(b.dtype).name, (0.0, 0.0))
            x, y = a.astype(np.float64), b.astype(np.float64)
            if a.shape != b.shape or not np.allclose(x, y, relative, absolute, equal_nan=True):
                found.append(f"{label}: off by {np.nanmax(np.abs(x - y)) if a.shape == b.shape else 'its shape'}")
        return found


def all_primitives() -> list[Primitive]:
    """Every primitive that has sample calls, by name."""
    return sorted((p for p in REGISTRY.values() if any(True for _ in p.cases())), key=lambda p: p.name)


def all_calls(primitive: Primitive) -> Calls:
    """Every sample call of a primitive in every dtype that it takes."""
    rng = np.random.default_rng(0)
    builder = Builder({"B": (1, 64)})
    inputs: dict[str, Array] = {}
    results: list[Value] = []
    labels: list[str] = []
    for dtype in (dtypes.as_dtype(name) for name in primitive.dtypes or ("float32",)):
        for number, case in enumerate(primitive.cases()):
            operands = []
            for position, shape in enumerate(case.shapes):
                array = _operand(case, position, shape, dtype, rng)
                name = f"x{len(inputs)}"
                inputs[name] = array
                operands.append(builder.input(name, TensorType(shape, dtypes.as_dtype(array.dtype))))
            attrs = case.attrs | (case.typed(dtype) if case.typed else {})
            outputs = builder.apply_many(primitive.name, *operands, **attrs)
            results += outputs
            labels += [f"{primitive.name} of {dtype}, call {number}"] * len(outputs)
    return Calls(builder.finish(results), inputs, labels)


def _operand(case: Case, position: int, shape: tuple[int, ...], dtype: DType, rng: np.random.Generator) -> Array:
    if position in case.boolean_operands or (position not in case.integer_operands and dtype.is_bool):
        return rng.integers(0, 2, shape).astype(np.bool_)
    element = dtypes.int32 if position in case.integer_operands else dtype
    if element.is_integer:
        low = max(case.low, 0) if element.kind == "uint" else case.low
        return rng.integers(int(np.ceil(low)), int(np.floor(case.high)) + 1, shape).astype(element.numpy)
    if case.distinct:
        # One in each equal part of the range, none of them an integer, and others for each operand.
        count = int(np.prod(shape))
        part = (rng.permutation(count) + (0.4142 + 0.2718 * position) % 1) / max(count, 1)
        return (case.low + (case.high - case.low) * part).reshape(shape).astype(element.numpy)
    return rng.uniform(case.low, case.high, shape).astype(element.numpy)
