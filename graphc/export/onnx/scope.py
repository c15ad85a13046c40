"""The nodes of one ONNX graph while it is made, and what all graphs of a model share: names and initializers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import dims
from graphc.dims import Dim, IntExpr
from graphc.dtypes import DType
from graphc.export.onnx.protobuf import CODES, Array, OnnxNode


class Shared:
    """What the graphs of a model share.

    Args:
        opset: The version of the operators.
        sizes: For each symbolic size the input that has it, the axis, and by how much that axis is a multiple of it.

    Attributes:
        weights: The names of the variables, each of which is an initializer of its own.
        initializers: The values of weights and constants, by name.
        label: The name of the layer whose operations are emitted.
    """

    def __init__(self, opset: int, sizes: dict[str, tuple[str, int, int]]) -> None:
        self.opset, self.sizes = opset, sizes
        self.initializers: dict[str, Array] = {}
        self.weights: frozenset[str] = frozenset()
        self.label = ""
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def unique(self, name: str) -> str:
        """A name that nothing has yet: the given one, or that with a number."""
        name = name or "value"
        found = name
        while found in self._taken:
            self._counts[name] = self._counts.get(name, 0) + 1
            found = f"{name}_{self._counts[name]}"
        self._taken.add(found)
        return found

    def initializer(self, array: Array, name: str) -> str:
        """The name of an initializer with these values; equal small ones are one."""
        is_weight = name in self.weights
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= 64 and not is_weight else None
        if key is not None and key in self._constants:
            return self._constants[key]
        found = self.unique(name)
        self.initializers[found] = array
        if key is not None:
            self._constants[key] = found
        return found


class Scope:
    """The nodes of one graph.

    Args:
        shared: What all graphs share.
        outer: The scope that this one is within: its values can be used here.
    """

    def __init__(self, shared: Shared, outer: Scope | None = None) -> None:
        self.shared, self.outer = shared, outer
        self.nodes: list[OnnxNode] = []
        self._sizes: dict[Dim, str] = {}
        self._known: dict[Any, str] = {}

    @property
    def opset(self) -> int:
        """The version of the operators."""
        return self.shared.opset

    # ---- nodes

    def op(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Adds a node with one result, or returns the result of an equal one; returns the name of the result."""
        key = (op, inputs, tuple(sorted((name, repr(value)) for name, value in attrs.items())))
        known = self._found(key)
        if known is None:
            known = self._known[key] = self.ops(op, 1, *inputs, **attrs)[0]
        return known

    def ops(self, op: str, count: int, *inputs: str, domain: str = "", **attrs: Any) -> list[str]:
        """Adds a node; returns the names of its results."""
        label = self.shared.label
        name = self.shared.unique(f"{label}/{op}" if label else op)
        outputs = [name] if count == 1 else [self.shared.unique(f"{name}:{i}") for i in range(count)]
        kept = {key: value for key, value in attrs.items() if value is not None}
        self.nodes.append(OnnxNode(op, name, inputs, tuple(outputs), kept, domain))
        return outputs

    def result(self, name: str, wanted: str) -> str:
        """A copy of a tensor as a result of the graph, under a name of its own."""
        found = self.shared.unique(wanted)
        self.nodes.append(OnnxNode("Identity", found, (name,), (found,)))
        return found

    def _found(self, key: Any) -> str | None:
        scope: Scope | None = self
        while scope is not None:
            if key in scope._known:
                return scope._known[key]
            scope = scope.outer
        return None

    # ---- constants

    def constant(self, array: Any, name: str = "") -> str:
        """The name of a constant."""
        label = self.shared.label
        return self.shared.initializer(np.asarray(array), name or (f"{label}/constant" if label else "constant"))

    def number(self, value: Any, dtype: DType) -> str:
        """The name of a constant number."""
        return self.constant(np.asarray(value, dtype.numpy))

    def ints(self, *values: int) -> str:
        """The name of a list of integers."""
        return self.constant(np.asarray(values, np.int64))

    def cast(self, name: str, dtype: DType) -> str:
        """A tensor in another dtype."""
        return self.op("Cast", name, to=CODES[dtype.name])

    def in_order(self, name: str, dtype: DType, wide: DType) -> str:
        """A tensor in a wider dtype, in which its elements have the same order."""
        found = name if wide is dtype else self.cast(name, wide)
        # The upper half of 64 bits would become negative numbers.
        return self.op("Add", found, self.number(-(2**63), wide)) if dtype.name == "uint64" else found

    def from_order(self, name: str, dtype: DType, wide: DType) -> str:
        """The inverse of `in_order`."""
        name = self.op("Add", name, self.number(-(2**63), wide)) if dtype.name == "uint64" else name
        return name if wide is dtype else self.cast(name, dtype)

    # ---- sizes

    def shape(self, sizes: Sequence[Dim]) -> str:
        """Sizes as a list of integers."""
        if all(isinstance(size, int) for size in sizes):
            return self.ints(*[int(str(size)) for size in sizes])
        parts: list[str] = []
        known: list[int] = []
        for size in sizes:
            if isinstance(size, int):
                known.append(size)
                continue
            if known:
                parts.append(self.ints(*known))
            known = []
            parts.append(self.size(size))
        parts += [self.ints(*known)] if known else []
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def size(self, size: Dim) -> str:
        """A size as a list of one integer."""
        if isinstance(size, int):
            return self.ints(size)
        scope: Scope | None = self
        while scope is not None:
            if size in scope._sizes:
                return scope._sizes[size]
            scope = scope.outer
        label, self.shared.label = self.shared.label, "sizes"
        try:
            found = self._sizes[size] = self._computed_size(size)
        finally:
            self.shared.label = label
        return found

    def _computed_size(self, size: IntExpr) -> str:
        total: str | None = None
        for monomial, coefficient in size.terms:
            factors = [self._atom(atom) for atom in monomial]
            if not factors or abs(coefficient) != 1:
                factors.append(self.ints(abs(coefficient)))
            term = factors[0]
            for factor in factors[1:]:
                term = self.op("Mul", term, factor)
            if total is None:
                total = self.op("Neg", term) if coefficient < 0 else term
            else:
                total = self.op("Sub" if coefficient < 0 else "Add", total, term)
        assert total is not None
        return total

    def _atom(self, atom: dims.Atom) -> str:
        if atom.kind == "size":
            name, axis, factor = self.shared.sizes[atom.name]
            extent = self.op("Shape", name, start=axis, end=axis + 1)
            return extent if factor == 1 else self.op("Div", extent, self.ints(factor))
        over, by = (self.size(argument) for argument in atom.args)
        rest = self.op("Mod", over, by)
        if atom.kind == "mod":
            return rest
        # `Div` rounds towards zero.
        over = over if dims.nonnegative(atom.args[0]) else self.op("Sub", over, rest)
        return self.op("Div", over, by)

    def reshape(self, name: str, before: Sequence[Dim], after: Sequence[Dim]) -> str:
        """A tensor with other axes; sizes that are not known are taken from it where that is possible."""
        if tuple(before) == tuple(after):
            return name
        told: list[int] = []
        for place, size in enumerate(after):
            if isinstance(size, int):
                told.append(size)
            elif place < len(before) and before[place] == size:
                told.append(0)
            elif -1 not in told:
                told.append(-1)
            else:
                return self.op("Reshape", name, self.shape(after))
        if any(size == 0 for size in after):
            return self.op("Reshape", name, self.shape(after), allowzero=1)
        return self.op("Reshape", name, self.ints(*told))
