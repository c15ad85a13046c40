"""All sample calls of a primitive as one graph: operands as its cases say, and what results may be off by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dtypes, interpret
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.registry import Primitive
from tests.support.cases import SIZE, all_primitives, attrs_of, dtypes_of, operand_types, sample, tolerance

Array = np.ndarray[Any, Any]

SIZES = {SIZE: 3}


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
            wide = np.complex128 if b.dtype.kind == "c" else np.float64
            x, y = a.astype(wide), b.astype(wide)
            allowed = tolerance(dtypes.as_dtype(b.dtype))
            if a.shape != b.shape or not np.allclose(x, y, **allowed, equal_nan=True):
                found.append(f"{label}: off by {np.nanmax(np.abs(x - y)) if a.shape == b.shape else 'its shape'}")
        return found


def all_calls(primitive: Primitive) -> Calls:
    """Every sample call of a primitive in every dtype that it takes."""
    rng = np.random.default_rng(0)
    builder = Builder({SIZE: (1, 64)})
    inputs: dict[str, Array] = {}
    results: list[Value] = []
    labels: list[str] = []
    for dtype in dtypes_of(primitive):
        for number, case in enumerate(primitive.cases()):
            operands = []
            for type, array in zip(operand_types(primitive, case, dtype), sample(case, dtype, rng), strict=True):
                name = f"x{len(inputs)}"
                inputs[name] = array
                operands.append(builder.input(name, type))
            outputs = builder.apply_many(primitive.name, *operands, **attrs_of(case, dtype))
            results += outputs
            labels += [f"{primitive.name} of {dtype}, call {number}"] * len(outputs)
    return Calls(builder.finish(results), inputs, labels)


__all__ = ["SIZES", "Calls", "all_calls", "all_primitives"]
