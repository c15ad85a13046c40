"""Emits the nodes of ONNX for a graph: walks over what its results need, and calls the rule of each operation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc import dtypes
from graphc.dims import Dim, IntExpr
from graphc.dtypes import DType, as_dtype
from graphc.errors import GraphcError, UnsupportedError
from graphc.export.onnx.placed import (
    Axes,
    Parts,
    Placed,
    Stored,
    aligned_axes,
    common_order,
    completed,
    is_aligned,
    rearranged,
)
from graphc.export.onnx.protobuf import CODES, Array
from graphc.export.onnx.scope import Scope, Shared
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Origin, Ref, TensorType, at_origin

# Constants of up to so many elements are repeated when the file is written, larger ones when it runs.
_REPEATED = 4096
# Results of constants are computed when the file is written if they are not larger than this, or than the constants.
_FOLDED = 4096

Rule: TypeAlias = Callable[["Emitter", Node, Sequence[Stored]], "Stored | tuple[Stored, ...]"]


def physical(dtype: DType) -> DType:
    """The dtype of the tensors that hold values of a dtype: float32 for halves, which are rounded by each operation."""
    return dtypes.float32 if dtype.is_float and dtype.bits < 32 else dtype


class Pattern:
    """Several operations that one operator of ONNX computes.

    Args:
        inputs: The values that it reads.
        rule: Emits it, for these values.
    """

    def __init__(self, inputs: Sequence[Ref], rule: Rule) -> None:
        self.inputs, self.rule = tuple(inputs), rule


class Emitter:
    """Emits a graph.

    Args:
        graph: The graph.
        scope: Where its nodes go.
        rules: The rule of each operation.
        patterns: Finds patterns in a graph, by the id of the node that computes the result.
        given: The values of inputs and states, by reference.
    """

    def __init__(
        self,
        graph: Graph,
        scope: Scope,
        rules: Mapping[str, Rule],
        patterns: Callable[[Graph, int], Mapping[int, Pattern]],
        given: Mapping[Ref, Stored],
    ) -> None:
        self.graph, self.scope, self.rules, self.patterns = graph, scope, rules, patterns
        self.values: dict[Ref, Stored] = dict(given)
        self._arranged: dict[tuple[str, Axes, Axes, str], tuple[str, Array | None]] = {}

    # ---- walking

    def run(self, refs: Sequence[Ref]) -> list[Stored]:
        """Emits what some values need; returns the values."""
        found = self.patterns(self.graph, self.scope.opset)
        for id in sorted(self._needed(refs, found)):
            node = self.graph.node(id)
            origin = node.loc[-1] if node.loc else Origin()
            self.scope.shared.label = origin.layer or node.op
            try:
                self._emit(node, found.get(id))
            except GraphcError as error:
                raise at_origin(error, node.loc) from error.__cause__
        return [self.values[ref] for ref in refs]

    def _needed(self, refs: Sequence[Ref], patterns: Mapping[int, Pattern]) -> set[int]:
        needed: set[int] = set()
        stack = [ref for ref in refs if ref not in self.values]
        while stack:
            id = stack.pop().node
            if id not in needed:
                needed.add(id)
                inputs = patterns[id].inputs if id in patterns else self.graph.node(id).inputs
                stack += [ref for ref in inputs if ref not in self.values]
        return needed

    def _emit(self, node: Node, pattern: Pattern | None) -> None:
        operands = [self.values[ref] for ref in (pattern.inputs if pattern else node.inputs)]
        folded = self._folded(node, operands) if pattern is None else None
        if folded is not None:
            self.values[Ref(node.id)] = folded
            return
        rule = self.rules.get(node.op) if pattern is None else pattern.rule
        if rule is None:
            raise UnsupportedError(
                f"ONNX has no operators for `{node.op}`",
                got=" and ".join(str(self.graph.type(ref)) for ref in node.inputs) or None,
                hint="leave the layer out of the exported model, and compute it before or after",
            )
        results = rule(self, node, operands)
        for out, value in enumerate(results if isinstance(results, tuple) else (results,)):
            self.values[Ref(node.id, out)] = value

    def type(self, ref: Ref) -> TensorType:
        """The type of a value."""
        return self.graph.type(ref)

    # ---- constants

    def _folded(self, node: Node, operands: Sequence[Stored]) -> Placed | None:
        """The value of an operation of constants; None where it is computed when the model runs."""
        record = primitive(node.op)
        if not operands or len(node.outs) != 1 or record.kind in (Kind.REGION, Kind.SOURCE, Kind.RANDOM):
            return None
        constants = [x for x in operands if isinstance(x, Placed) and x.array is not None]
        if len(constants) != len(operands) or node.op in ("broadcast", "transpose") or node.outs[0].dtype.is_complex:
            return None
        if any(_is_symbolic(attr) for attr in node.attrs.values()):
            return None
        label = (
            constants[0].name
            if node.op in ("cast", "gather", "reshape", "reverse", "slice")
            else self.scope.shared.label
        )
        if record.kind is Kind.POINTWISE:
            order, axes = self.together(constants, node.outs[0].rank)
            arrays = [rearranged(_of(x), x.axes, self._physical_axes(x, order)) for x in constants]
            return Placed(label, axes, np.asarray(record.eval(*arrays, **node.attrs)))
        return self._folded_whole(node, constants, label)

    def _folded_whole(self, node: Node, constants: Sequence[Placed], label: str) -> Placed | None:
        sizes = [node.outs[0].elements, *(self.type(ref).elements for ref in node.inputs)]
        held = sum(_of(x).size for x in constants)
        if any(isinstance(size, IntExpr) or size > max(held, _FOLDED) for size in sizes):
            return None
        arrays = [self.all_elements(x, self.type(ref)) for x, ref in zip(constants, node.inputs, strict=True)]
        result = np.asarray(primitive(node.op).eval(*arrays, **node.attrs))
        return Placed(label, tuple(range(result.ndim)), result)

    def all_elements(self, x: Placed, type: TensorType) -> Array:
        """All elements of a constant."""
        array = rearranged(_of(x), x.axes, aligned_axes(x.present, range(type.rank)))
        return np.broadcast_to(array, [known(size) for size in type.shape])

    # ---- arranging

    def aligned(
        self, x: Placed, order: Sequence[int | None], dtype: DType | None = None, own: DType | None = None
    ) -> str:
        """The name of a tensor with the elements of a value that broadcasts along axes `order` of the value.

        Args:
            x: The value.
            order: The axes of the value, in the order in which a tensor has them.
            dtype: The dtype that the tensor has. None: that of the value.
            own: The dtype of the tensor as it is; needed with `dtype`.
        """
        wanted = x.axes if is_aligned(x.axes, order) else aligned_axes(x.present, order)
        key = (x.name if x.array is None else f"{x.name} {id(x.array)}", x.axes, wanted, str(dtype))
        if key in self._arranged:
            return self._arranged[key][0]
        if x.array is not None:
            array = rearranged(x.array, x.axes, wanted)
            name = self.scope.constant(array.astype((dtype or physical(as_dtype(array.dtype))).numpy), x.name)
        else:
            name = self._turned(x, wanted)
            name = self.scope.cast(name, dtype) if dtype is not None and dtype is not own else name
        # The array is kept, so that no other one is at its address.
        self._arranged[key] = name, x.array
        return name

    def elements(self, x: Placed, order: Sequence[int]) -> Array | None:
        """The elements of a constant, with all its axes in an order; None if its tensor does not have all of them."""
        if x.array is None or set(x.present) != set(order):
            return None
        return rearranged(x.array, x.axes, tuple(order))

    def named(self, x: Placed) -> str:
        """The name of the tensor of a value, as it lies there."""
        return self.aligned(x, x.axes)

    def _turned(self, x: Placed, wanted: Axes) -> str:
        """A tensor with its axes in another order, and others of size one."""
        if x.axes == wanted:
            return x.name
        name, present = x.name, x.present
        target = tuple(axis for axis in wanted if axis is not None)
        empty = [place for place, axis in enumerate(x.axes) if axis is None]
        if empty:
            name = self.scope.op("Squeeze", name, self.scope.ints(*empty))
        if target != present:
            name = self.scope.op("Transpose", name, perm=[present.index(axis) for axis in target])
        added = [place for place, axis in enumerate(wanted) if axis is None]
        return self.scope.op("Unsqueeze", name, self.scope.ints(*added)) if added else name

    def whole(self, x: Stored, type: TensorType, order: Sequence[int] | None = None) -> str:
        """The name of a tensor with all elements of a value, and its axes in an order. None: in theirs."""
        if isinstance(x, Parts):
            raise self.no_complex()
        order = tuple(range(type.rank)) if order is None else tuple(order)
        axes = self._physical_axes(x, order)
        sizes = [type.shape[axis] for axis in order]
        missing = [axis for axis in order if axis not in axes and type.shape[axis] != 1]
        if x.array is not None and _fits(sizes if missing else []):
            array = rearranged(x.array, x.axes, axes)
            array = array.reshape((*(1 for _ in range(len(order) - array.ndim)), *array.shape))
            array = np.broadcast_to(array, [known(size) for size in sizes]) if missing else array
            return self.aligned(Placed(x.name, order, np.asarray(array, order="C")), order)
        name = self.aligned(x, order)
        if missing:
            return self.scope.op("Expand", name, self.scope.shape(sizes))
        return self.scope.reshape(name, [1 if axis is None else type.shape[axis] for axis in axes], sizes)

    def _physical_axes(self, x: Placed, order: Sequence[int]) -> Axes:
        return x.axes if is_aligned(x.axes, order) else aligned_axes(x.present, order)

    def spread(self, x: Placed, type: TensorType, axes: Sequence[int]) -> Placed:
        """The value in a tensor that has some axes, whichever order it has."""
        if all(axis in x.present for axis in axes):
            return x
        order = completed(x.present, type.rank)
        return Placed(self.whole(x, type, order), order)

    def together(self, operands: Sequence[Placed], rank: int) -> tuple[tuple[int, ...], Axes]:
        """An order of the axes that operands have, along which they broadcast, and the axes of the result."""
        held = {axis for x in operands for axis in x.present}
        order = tuple(axis for axis in common_order(operands, rank) if axis in held)
        physical = [self._physical_axes(x, order) for x in operands]
        count = max(map(len, physical))
        there = {axis for axes in physical for axis in axes if axis is not None}
        return order, tuple(axis if axis in there else None for axis in order[len(order) - count :])

    # ---- dtypes

    def rounded(self, name: str, dtype: DType) -> str:
        """A tensor of float32 with its elements rounded to a half, which the value has."""
        return name if physical(dtype) is dtype else self.scope.cast(self.scope.cast(name, dtype), physical(dtype))

    def no_complex(self) -> UnsupportedError:
        """The error for complex numbers where only their parts can be used."""
        return UnsupportedError("ONNX has no operators for this operation on complex numbers", hint="use their parts")

    def needs_opset(self, what: str, opset: int) -> None:
        """Raises where the version of the operators is too old for something."""
        if self.scope.opset < opset:
            raise UnsupportedError(
                f"{what} needs newer operators of ONNX", got=f"opset {self.scope.opset}", hint=f"opset_version={opset}"
            )


def _of(x: Placed) -> Array:
    assert x.array is not None
    return x.array


def _fits(sizes: Sequence[Dim]) -> bool:
    """Whether so many elements are repeated when the file is written."""
    return all(isinstance(size, int) for size in sizes) and math.prod(map(known, sizes)) <= _REPEATED


def _is_symbolic(attr: Any) -> bool:
    if isinstance(attr, tuple):
        return any(map(_is_symbolic, attr))
    return isinstance(attr, IntExpr)


def known(size: Dim) -> int:
    """A size that is a number."""
    assert isinstance(size, int)
    return size


__all__ = ["CODES", "Emitter", "Pattern", "Rule", "Shared", "known", "physical"]
