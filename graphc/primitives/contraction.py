"""General contraction of two tensors: any batch, free and contracted axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import DTypeError, ShapeError
from graphc.exprs import Expr
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, ContractRule, Kind, Primitive, Reader, register
from graphc.graph.types import Attrs, TensorType
from graphc.numpy_blas import matmul
from graphc.primitives.base import NUMBERS, Array, check_axes, check_dtype, separately, zeros_of_empty
from graphc.primitives.batching import move_axis, shifted
from graphc.quiet import quietly

Grads = Sequence[Value | None]
Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """The roles of one operand's axes: `batch` and `contract` pair with the other operand's, the rest are free."""

    rank: int
    batch: Axes
    contract: Axes

    @property
    def free(self) -> Axes:
        return tuple(axis for axis in range(self.rank) if axis not in self.batch + self.contract)

    def place(self, batch: Sequence[Dim], free: Sequence[Dim], k: Sequence[Dim]) -> tuple[Dim, ...]:
        """The index into the operand from the indices of its batch, free and contracted axes."""
        along = dict(zip(self.batch + self.free + self.contract, (*batch, *free, *k), strict=True))
        return tuple(along[axis] for axis in range(self.rank))


def _operands(
    lhs_rank: int, rhs_rank: int, lhs_batch: Axes, rhs_batch: Axes, lhs_contract: Axes, rhs_contract: Axes
) -> tuple[Operand, Operand]:
    return Operand(lhs_rank, lhs_batch, lhs_contract), Operand(rhs_rank, rhs_batch, rhs_contract)


def _infer(lhs: TensorType, rhs: TensorType, **axes: Axes) -> TensorType:
    check_dtype("contract", lhs, NUMBERS)
    a, b = _operands(lhs.rank, rhs.rank, **axes)
    check_axes("contract", a.batch + a.contract, lhs.rank)
    check_axes("contract", b.batch + b.contract, rhs.rank)
    if lhs.dtype is not rhs.dtype:
        raise DTypeError("the operands of `contract` have different dtypes", got=f"{lhs} and {rhs}")
    left = [lhs.shape[axis] for axis in a.batch + a.contract]
    right = [rhs.shape[axis] for axis in b.batch + b.contract]
    if left != right:
        raise ShapeError(
            "the axes of a matrix product do not fit",
            got=f"{lhs} and {rhs}",
            expected=f"axes {a.batch + a.contract} and {b.batch + b.contract} of equal sizes",
        )
    free = [lhs.shape[axis] for axis in a.free] + [rhs.shape[axis] for axis in b.free]
    return TensorType((*left[: len(a.batch)], *free), lhs.dtype)


@dataclass(frozen=True, slots=True)
class _Matrices:
    """How operands become stacks of matrices: the order of their axes, the shapes of the stacks and of the result."""

    left: Axes
    right: Axes
    left_shape: Axes
    right_shape: Axes
    result: Axes


@lru_cache(maxsize=1024)
def _matrices(left: Axes, right: Axes, **axes: Axes) -> _Matrices:
    """The stacks for operands of two shapes."""
    a, b = _operands(len(left), len(right), **axes)
    batch, rows, columns = (
        tuple(shape[axis] for axis in part) for shape, part in ((left, a.batch), (left, a.free), (right, b.free))
    )
    count, depth = math.prod(batch), math.prod(left[axis] for axis in a.contract)
    return _Matrices(
        a.batch + a.free + a.contract,
        b.batch + b.contract + b.free,
        (count, math.prod(rows), depth),
        (count, depth, math.prod(columns)),
        batch + rows + columns,
    )


def _eval(lhs: Array, rhs: Array, **axes: Axes) -> Array:
    dtype = lhs.dtype
    if dtype.itemsize == 2:
        wide = dtypes.as_dtype(dtype).accumulator.numpy
        lhs, rhs = lhs.astype(wide, copy=False), rhs.astype(wide, copy=False)
    plain = not axes["lhs_batch"] and axes["lhs_contract"] == (lhs.ndim - 1,) and axes["rhs_contract"] == (0,)
    if plain and lhs.ndim == rhs.ndim == 2:
        product = matmul(lhs, rhs)
    else:
        stacks = _matrices(lhs.shape, rhs.shape, **axes)
        left, right = lhs.transpose(stacks.left), rhs.transpose(stacks.right)
        product = matmul(left.reshape(stacks.left_shape), right.reshape(stacks.right_shape)).reshape(stacks.result)
    return np.asarray(quietly(product.astype, dtype, copy=False))


def _lower(types: Sequence[TensorType], **axes: Axes) -> ContractRule:
    a, b = _operands(types[0].rank, types[1].rank, **axes)
    nb, na = len(a.batch), len(a.free)

    def lhs(reader: Reader, index: tuple[Dim, ...], k: tuple[Dim, ...]) -> Expr:
        return reader.read(0, a.place(index[:nb], index[nb : nb + na], k))

    def rhs(reader: Reader, index: tuple[Dim, ...], k: tuple[Dim, ...]) -> Expr:
        return reader.read(1, b.place(index[:nb], index[nb + na :], k))

    return ContractRule(tuple(types[0].shape[axis] for axis in a.contract), lhs, rhs)


def _vjp(g: Value, n: Applied) -> Grads:
    lhs, rhs = n.operands
    a, b = _operands(lhs.rank, rhs.rank, **n.attrs)
    nb, na, nf = len(a.batch), len(a.free), len(b.free)
    batch = tuple(range(nb))
    left, right = tuple(range(nb, nb + na)), tuple(range(nb + na, nb + na + nf))
    build = g.builder
    # With this order of operands each gradient has its operand's layout, but for the order of contracted axes.
    d_lhs = build.apply("contract", g, rhs, lhs_batch=batch, rhs_batch=b.batch, lhs_contract=right, rhs_contract=b.free)
    d_rhs = build.apply("contract", lhs, g, lhs_batch=a.batch, rhs_batch=batch, lhs_contract=a.free, rhs_contract=left)
    to_lhs = {axis: a.contract[i] for i, axis in enumerate(b.contract)}
    to_rhs = {axis: b.contract[i] for i, axis in enumerate(a.contract)}
    return (
        _arranged(d_lhs, (*a.batch, *a.free, *(to_lhs[axis] for axis in sorted(b.contract)))),
        _arranged(d_rhs, (*b.batch, *(to_rhs[axis] for axis in sorted(a.contract)), *b.free)),
    )


def _arranged(product: Value, axes: Axes) -> Value:
    """The product with its axes, which are axes `axes` of an operand, in the operand's order."""
    order = tuple(axes.index(axis) for axis in range(len(axes)))
    return product if order == tuple(range(len(axes))) else product.builder.apply("transpose", product, order=order)


def _cases() -> Iterable[Case]:
    for left, right, axes in (
        ((3, 4), (4, 5), ((), (), (1,), (0,))),
        ((4, 3), (5, 4), ((), (), (0,), (1,))),
        ((2, 3, 4), (2, 4, 5), ((0,), (0,), (2,), (1,))),
        ((3, 2, 4), (4, 2, 5, 3), ((1,), (1,), (2, 0), (0, 3))),
        ((4,), (4,), ((), (), (0,), (0,))),
        ((3,), (2,), ((), (), (), ())),
        ((37, 70), (70, 45), ((), (), (1,), (0,))),
    ):
        names = ("lhs_batch", "rhs_batch", "lhs_contract", "rhs_contract")
        yield Case((left, right), dict(zip(names, axes, strict=True)), -1, 1, differentiable=left != (37, 70))


def _shifted_axes(attrs: Attrs, operands: Sequence[Batched]) -> dict[str, Axes]:
    """The attributes for operands that have the batch's axis in front."""
    varies = {"lhs": operands[0].varies, "rhs": operands[1].varies}
    return {name: shifted(axes) if varies[name[:3]] else axes for name, axes in attrs.items()}


def _batch(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    lhs, rhs = operands
    batch = len(attrs["lhs_batch"])
    axes = _shifted_axes(attrs, operands)
    if lhs.varies and rhs.varies:
        axes = {**axes, "lhs_batch": (0, *axes["lhs_batch"]), "rhs_batch": (0, *axes["rhs_batch"])}
        return builder.apply("contract", lhs.value, rhs.value, **axes)
    # The batch is the first free axis of the one operand that varies.
    product = builder.apply("contract", lhs.value, rhs.value, **axes)
    place = batch if lhs.varies else batch + lhs.value.rank - batch - len(axes["lhs_contract"])
    return move_axis(product, place, 0)


def _batch_sum(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
    """Contracts the batch's axis, too; an operand that is the same for all elements is a common factor."""
    lhs, rhs = operands
    if lhs.varies and rhs.varies:
        axes = _shifted_axes(attrs, operands)
        axes = {**axes, "lhs_contract": (0, *axes["lhs_contract"]), "rhs_contract": (0, *axes["rhs_contract"])}
        return builder.apply("contract", lhs.value, rhs.value, **axes)
    parts = [builder.apply("sum", x.value, axes=(0,)) if x.varies else x.value for x in (lhs, rhs)]
    return builder.apply("contract", *parts, **attrs)


# Complex matrices with fewer rows or columns are not split into parts: products with vectors read them once.
_FEWEST_LINES = 8


def _by_parts(builder: Builder, attrs: Attrs, operands: tuple[Value, ...]) -> Value | None:
    """Products of complex matrices as products of their parts, for which targets have tiled kernels."""
    if not operands[0].dtype.is_complex:
        return None
    used = _operands(operands[0].rank, operands[1].rank, **attrs)
    for value, operand in zip(operands, used, strict=True):
        lines = dims.product(value.shape[axis] for axis in operand.free)
        if isinstance(lines, int) and lines < _FEWEST_LINES:
            return None
    a, b, c, d = (builder.apply(part, value) for value in operands for part in ("real", "imag"))

    def product(x: Value, y: Value) -> Value:
        return builder.apply("contract", x, y, **attrs)

    real = builder.apply("sub", product(a, c), product(b, d))
    return builder.apply("complex", real, builder.apply("add", product(a, d), product(b, c)))


contract = register(
    Primitive(
        "contract",
        Kind.CONTRACT,
        _infer,
        _eval,
        _lower,
        _vjp,
        _cases,
        NUMBERS,
        linear=separately,
        any_order=True,
        simplify=_by_parts,
        batch=_batch,
        batch_sum=_batch_sum,
        of_empty=zeros_of_empty,
    )
)
