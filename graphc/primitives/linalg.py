"""Linear algebra by library calls: the last two axes are those of matrices, all axes before them number matrices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import MappingProxyType

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.errors import ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batch, Batched, Case, Kind, LibraryRule, NativeFunction, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import Array, check_dtype, linear_in
from graphc.primitives.portable import cholesky_factor, triangular_solution

Grads = Sequence[Value | None]
# The dtypes of LAPACK.
LAPACK_DTYPES = ("float32", "float64")
# By dtype: the first letter of the names of LAPACK's functions, and the type in C.
LETTERS = MappingProxyType({"float32": ("s", "float"), "float64": ("d", "double")})


def _check_square(name: str, x: TensorType) -> None:
    check_dtype(name, x, LAPACK_DTYPES)
    if x.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"`{name}` takes square matrices", got=str(x), expected="equal last two axes")


def matrices_of(x: Array) -> Array:
    """The matrices along the last two axes, one after the other; also those without elements."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def turned(x: Value) -> Value:
    """Transposed matrices."""
    order = (*range(x.rank - 2), x.rank - 1, x.rank - 2)
    return x.builder.apply("transpose", x, order=order)


def product(x: Value, y: Value) -> Value:
    """Products of matrices."""
    batch = tuple(range(x.rank - 2))
    axes = {"lhs_batch": batch, "rhs_batch": batch, "lhs_contract": (x.rank - 1,), "rhs_contract": (y.rank - 2,)}
    return x.builder.apply("contract", x, y, **axes)


def compared(op: str, x: Value) -> Value:
    """For each element of the matrices, the comparison of its row index with its column index."""
    sides = [x.builder.apply("iota", shape=x.shape, dtype=dtypes.int32, axis=axis) for axis in (x.rank - 2, x.rank - 1)]
    return x.builder.apply(op, *sides)


def triangle(x: Value, lower: bool = True) -> Value:
    """The lower or upper triangle of each matrix, zeros elsewhere."""
    inside = compared("ge" if lower else "le", x)
    return x.builder.apply("select", inside, x, x.builder.full(0, x.shape, x.dtype))


def _half_triangle(x: Value) -> Value:
    """The lower triangle with half the diagonal, zeros elsewhere."""
    halved = x.builder.apply("mul", x, x.builder.full(0.5, x.shape, x.dtype))
    return x.builder.apply("select", compared("eq", x), halved, triangle(x))


def _solved(factor: Value, x: Value, transposed: bool) -> Value:
    return x.builder.apply("triangular_solve", factor, x, lower=True, transposed=transposed)


def _batch(op: str) -> Batch:
    """The batching rule: the batch's axis is one more axis that numbers matrices."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Value:
        return builder.apply(op, *(operand.spread(length) for operand in operands), **attrs)

    return rule


# ---- the Cholesky factor


def _cholesky_infer(x: TensorType) -> TensorType:
    _check_square("cholesky", x)
    return x


def _cholesky_eval(x: Array) -> Array:
    """The factor of each matrix; NaN for those that are not positive definite."""
    try:
        return np.asarray(np.linalg.cholesky(x))
    except np.linalg.LinAlgError:
        return np.stack([_factor(matrix) for matrix in matrices_of(x)]).reshape(x.shape)


def _factor(matrix: Array) -> Array:
    try:
        return np.asarray(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)


def _cholesky_lower(types: Sequence[TensorType]) -> LibraryRule:
    (x,) = types
    size, count = x.shape[-1], dims.product(x.shape[:-2])
    letter, c_type = LETTERS[x.dtype.name]
    name = f"gc_cholesky_{x.dtype.name}_{x.rank}"
    matrices = " * ".join(f"extents[{axis}]" for axis in range(x.rank - 2)) or "1"
    # LAPACK's matrices are column-major: its upper triangle is the lower one of a row-major matrix.
    definition = f"""static void {name}(void *const *places, const long *extents, const gc_worker *self) {{
const long n = extents[{x.rank - 1}], count = {matrices};
for (long i = self->thread; i < count; i += self->threads) {{
const {c_type} *const from = ({c_type} *)places[0] + i * n * n;
{c_type} *const to = ({c_type} *)places[1] + i * n * n;
for (long row = 0; row < n; ++row)
for (long column = 0; column < n; ++column) to[row * n + column] = column <= row ? from[row * n + column] : 0;
const int size = (int)n;
int failed = 0;
((void (*)(const char *, const int *, {c_type} *, const int *, int *))graphc_{letter}potrf)
("U", &size, to, &size, &failed);
if (failed) for (long e = 0; e < n * n; ++e) to[e] = ({c_type})GC_NAN;
}}
}}"""
    work = count * size * size * size
    return LibraryRule(work, NativeFunction(f"{letter}potrf", name, definition), cholesky_factor(x))


def _cholesky_vjp(g: Value, n: Applied) -> Grads:
    """`P(S + S^T)`, where `S = L^-T P(L^T g) L^-1` and `P` is the lower triangle with half of the diagonal.

    Murray, "Differentiation of the Cholesky decomposition" (2016). The lower triangle of the matrix alone is read.
    """
    factor = n.result
    inner = _half_triangle(product(turned(factor), triangle(g)))
    left = _solved(factor, inner, transposed=True)
    both = turned(_solved(factor, turned(left), transposed=True))
    return (_half_triangle(g.builder.apply("add", both, turned(both))),)


def _cholesky_cases() -> Iterable[Case]:
    # Of matrices that are not positive definite the factor is NaN, on all backends.
    yield Case(((3, 3),), {}, -1, 1, differentiable=False)
    yield Case(((1, 1),), {}, 0.5, 2)
    yield Case(((4, 1, 1),), {}, 0.5, 2)
    yield Case(((2, 0, 3, 3),), {}, -1, 1, differentiable=False)


cholesky = register(
    Primitive(
        "cholesky",
        Kind.LIBRARY,
        _cholesky_infer,
        _cholesky_eval,
        _cholesky_lower,
        _cholesky_vjp,
        _cholesky_cases,
        LAPACK_DTYPES,
        batch=_batch("cholesky"),
    )
)


# ---- triangular systems


def _solve_infer(a: TensorType, b: TensorType, lower: bool, transposed: bool) -> TensorType:
    _check_square("triangular_solve", a)
    if b.dtype is not a.dtype or b.rank != a.rank or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(
            "the right side of `triangular_solve` does not fit",
            got=f"{a} and {b}",
            expected="[.., n, n] and [.., n, k]",
        )
    return b


def _solve_eval(a: Array, b: Array, lower: bool, transposed: bool) -> Array:
    """Substitution, row by row; by a zero on the diagonal it divides, too."""
    matrix = np.swapaxes(a, -1, -2) if transposed else a
    size, x = a.shape[-1], np.array(b)
    forward = lower is not transposed
    with np.errstate(all="ignore"):
        for row in range(size) if forward else range(size - 1, -1, -1):
            done = slice(0, row) if forward else slice(row + 1, size)
            known = np.einsum("...j,...jk->...k", matrix[..., row, done], x[..., done, :])
            x[..., row, :] = (x[..., row, :] - known) / matrix[..., row, row, None]
    return x


def _solve_lower(types: Sequence[TensorType], lower: bool, transposed: bool) -> LibraryRule:
    a, b = types
    size, columns, count = a.shape[-1], b.shape[-1], dims.product(a.shape[:-2])
    letter, c_type = LETTERS[a.dtype.name]
    name = f"gc_triangular_solve_{a.dtype.name}_{a.rank}_{'lower' if lower else 'upper'}{'_transposed' * transposed}"
    matrices = " * ".join(f"extents[{axis}]" for axis in range(a.rank - 2)) or "1"
    # To BLAS, whose matrices are column-major, this is `x' op(a') = b'` of the transposed matrices.
    part, operation = "U" if lower else "L", "T" if transposed else "N"
    pointers = f"const int *, const int *, const {c_type} *, const {c_type} *, const int *, {c_type} *, const int *"
    definition = f"""static void {name}(void *const *places, const long *extents, const gc_worker *self) {{
const long n = extents[{a.rank - 1}], k = extents[{2 * a.rank - 1}], count = {matrices};
for (long i = self->thread; i < count; i += self->threads) {{
const {c_type} *const a = ({c_type} *)places[0] + i * n * n, *const b = ({c_type} *)places[1] + i * n * k, one = 1;
{c_type} *const x = ({c_type} *)places[2] + i * n * k;
for (long e = 0; e < n * k; ++e) x[e] = b[e];
const int rows = (int)n, columns = (int)k;
((void (*)(const char *, const char *, const char *, const char *, {pointers}))graphc_{letter}trsm)
("R", "{part}", "{operation}", "N", &columns, &rows, &one, a, &rows, x, &columns);
}}
}}"""
    native = NativeFunction(f"{letter}trsm", name, definition)
    return LibraryRule(count * size * size * columns, native, triangular_solution(a, lower, transposed))


def _solve_vjp(g: Value, n: Applied) -> Grads:
    a, x = n.operands[0], n.result
    lower, transposed = n.attrs["lower"], n.attrs["transposed"]
    b_grad = g.builder.apply("triangular_solve", a, g, lower=lower, transposed=not transposed)
    outer = product(x, turned(b_grad)) if transposed else product(b_grad, turned(x))
    return triangle(g.builder.apply("neg", outer), lower), b_grad


def _solve_cases() -> Iterable[Case]:
    for lower in (True, False):
        for transposed in (True, False):
            yield Case(((3, 3), (3, 2)), {"lower": lower, "transposed": transposed}, 0.5, 1.5)
    yield Case(((2, 4, 4), (2, 4, 1)), {"lower": True, "transposed": False}, 0.5, 1.5)


triangular_solve = register(
    Primitive(
        "triangular_solve",
        Kind.LIBRARY,
        _solve_infer,
        _solve_eval,
        _solve_lower,
        _solve_vjp,
        _solve_cases,
        LAPACK_DTYPES,
        linear=linear_in(1),
        batch=_batch("triangular_solve"),
    )
)
