"""Systems of equations, determinants and factorizations by libraries; matrices are the last two axes.

References are NumPy's. Where a matrix has no solution results are NaN, as in graphs nothing can be raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import ArgumentError, ShapeError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.registry import Batched, Case, Kind, LibraryRule, NativeFunction, Primitive, register
from graphc.graph.types import Attrs, TensorType
from graphc.primitives.base import COMPLEX, Array, check_dtype, linear_in
from graphc.primitives.linalg import LAPACK_DTYPES, LETTERS, compared, matrices_of, product, triangle, turned

Grads = Sequence[Value | None]
Given = Value | tuple[Value | None, ...]
_INEXACT = (*LAPACK_DTYPES, *COMPLEX)


# ---- what the rules have in common


def _square(op: str, x: TensorType, allowed: Sequence[str] = LAPACK_DTYPES) -> None:
    _matrix(op, x, allowed)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"`{op}` takes square matrices", got=str(x), expected="equal last two axes")


def _matrix(op: str, x: TensorType, allowed: Sequence[str] = LAPACK_DTYPES) -> None:
    check_dtype(op, x, allowed)
    if x.rank < 2:
        raise ShapeError(f"`{op}` takes matrices", got=str(x), expected="rank 2 or more")


def _shorter(x: TensorType) -> Dim:
    """The shorter side of matrices."""
    rows, columns = x.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        return min(rows, columns)
    for short, long in ((rows, columns), (columns, rows)):
        if dims.nonnegative(long - short):
            return short
    raise ShapeError("which side of the matrices is shorter must be known", got=str(x))


def _work(types: Sequence[TensorType], **attrs: Any) -> LibraryRule:
    """About as many operations as an elimination takes."""
    x = types[0]
    return LibraryRule(dims.product(x.shape) * x.shape[-1] * 4)


def _all(given: Given, n: Applied) -> list[Value | None]:
    """The cotangent of each result."""
    return list(given) if isinstance(given, tuple) else [given]


def _or_zeros(g: Value | None, like: Value) -> Value:
    return like.builder.full(0, like.shape, like.dtype) if g is None else g


def _op(name: str, *operands: Value) -> Value:
    return operands[0].builder.apply(name, *operands)


def _sum(first: Value, *others: Value) -> Value:
    for other in others:
        first = _op("add", first, other)
    return first


def _columns(x: Value, vector: Value) -> Value:
    """Matrices whose columns are multiplied by the elements of vectors."""
    axes = (*range(x.rank - 2), x.rank - 1)
    return _op("mul", x, x.builder.broadcast(vector, x.shape, axes))


def _rows(x: Value, vector: Value) -> Value:
    """Matrices whose rows are multiplied by the elements of vectors."""
    return _op("mul", x, x.builder.broadcast(vector, x.shape, tuple(range(x.rank - 1))))


def _identity(x: Value) -> Value:
    b = x.builder
    return b.apply("select", compared("eq", x), b.full(1, x.shape, x.dtype), b.full(0, x.shape, x.dtype))


def _no_gradient(what: str) -> ArgumentError:
    return ArgumentError(f"there is no gradient of {what}", hint="stop the gradient there")


def _batch(op: str) -> Callable[[Builder, Attrs, Sequence[Batched], Dim], Any]:
    """The batching rule: one more axis that numbers matrices."""

    def rule(builder: Builder, attrs: Attrs, operands: Sequence[Batched], length: Dim) -> Any:
        found = builder.apply_many(op, *(operand.spread(length) for operand in operands), **attrs)
        return found[0] if len(found) == 1 else tuple(Batched(value, True) for value in found)

    return rule


def _each(function: Callable[[Array], Any], x: Array) -> list[Any]:
    """A function of each matrix, and None where it has no result."""
    found = []
    for matrix in matrices_of(x):
        try:
            found.append(function(matrix))
        except np.linalg.LinAlgError:
            found.append(None)
    return found


def _library(name: str, infer: Any, reference: Any, vjp: Any, cases: Any, dtypes_: Any, **traits: Any) -> Primitive:
    parts = (Kind.LIBRARY, infer, reference, traits.pop("lower", _work), vjp, cases, dtypes_)
    return register(Primitive(name, *parts, batch=_batch(name), **traits))


# ---- systems of equations


def _solve_infer(a: TensorType, b: TensorType) -> TensorType:
    _square("solve", a, _INEXACT)
    if b.dtype is not a.dtype or b.rank != a.rank or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(
            "the right side of `solve` does not fit", got=f"{a} and {b}", expected="[.., n, n], [.., n, k]"
        )
    return b


def _solve_eval(a: Array, b: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(a, b), b.dtype)
    except np.linalg.LinAlgError:
        rights = iter(matrices_of(b))
        found = _each(lambda matrix: np.linalg.solve(matrix, next(rights)), a)
        none = np.full(b.shape[-2:], np.nan, b.dtype)
        return np.stack([none if x is None else x for x in found]).reshape(b.shape).astype(b.dtype)


def _solve_lower(types: Sequence[TensorType]) -> LibraryRule:
    a, b = types
    size, columns, count = a.shape[-1], b.shape[-1], dims.product(a.shape[:-2])
    work = count * size * size * (size + columns)
    if a.dtype.is_complex:
        return LibraryRule(work)
    letter, c_type = LETTERS[a.dtype.name]
    name = f"gc_solve_{a.dtype.name}_{a.rank}"
    matrices = " * ".join(f"extents[{axis}]" for axis in range(a.rank - 2)) or "1"
    pointers = f"const int *, const int *, {c_type} *, const int *, int *, {c_type} *, const int *, int *"
    # LAPACK's matrices are column-major, and it overwrites both.
    definition = f"""#include <stdlib.h>
static void {name}(void *const *places, const long *extents, const gc_worker *self) {{
const long n = extents[{a.rank - 1}], k = extents[{2 * a.rank - 1}], count = {matrices};
{c_type} *const copy = ({c_type} *)malloc((size_t)(n * n + n * k + 1) * sizeof({c_type}));
int *const rows = (int *)malloc((size_t)(n + 1) * sizeof(int));
for (long i = self->thread; i < count; i += self->threads) {{
const {c_type} *const a = ({c_type} *)places[0] + i * n * n, *const b = ({c_type} *)places[1] + i * n * k;
{c_type} *const x = ({c_type} *)places[2] + i * n * k, *const right = copy + n * n;
int failed = !copy || !rows;
if (!failed) {{
for (long r = 0; r < n; ++r) for (long c = 0; c < n; ++c) copy[c * n + r] = a[r * n + c];
for (long r = 0; r < n; ++r) for (long c = 0; c < k; ++c) right[c * n + r] = b[r * k + c];
const int size = (int)n, columns = (int)k;
((void (*)({pointers}))graphc_{letter}gesv)
(&size, &columns, copy, &size, rows, right, &size, &failed);
}}
for (long r = 0; r < n; ++r)
for (long c = 0; c < k; ++c) x[r * k + c] = failed ? ({c_type})GC_NAN : right[c * n + r];
}}
free(copy);
free(rows);
}}"""
    return LibraryRule(work, NativeFunction(f"{letter}gesv", name, definition))


def _solve_vjp(g: Value, n: Applied) -> Grads:
    right = _op("solve", turned(n.operands[0]), g)
    return _op("neg", product(right, turned(n.result))), right


def _solve_cases() -> Iterable[Case]:
    yield Case(((2, 2), (2, 3)), {})
    yield Case(((2, 2, 2), (2, 2, 1)), {})
    yield Case(((0, 2, 2), (0, 2, 1)), {}, differentiable=False)


solve = _library(
    "solve", _solve_infer, _solve_eval, _solve_vjp, _solve_cases, _INEXACT, lower=_solve_lower, linear=linear_in(1)
)


# ---- determinants


def _det_infer(x: TensorType) -> TensorType:
    _square("det", x)
    return TensorType(x.shape[:-2], x.dtype)


def _scaled(g: Value, x: Value) -> Value:
    return _op("mul", x, x.builder.broadcast(g, x.shape, tuple(range(x.rank - 2))))


def _det_vjp(g: Value, n: Applied) -> Grads:
    return (_scaled(g, _op("cofactors", n.operands[0])),)


def _squares() -> Iterable[Case]:
    yield Case(((3, 3),), {}, 0.5, 2)
    yield Case(((2, 2, 2),), {}, 0.5, 2)
    yield Case(((1, 1),), {}, 0.5, 2)
    yield Case(((0, 2, 2),), {}, differentiable=False)


det = _library("det", _det_infer, lambda x: np.asarray(np.linalg.det(x), x.dtype), _det_vjp, _squares, LAPACK_DTYPES)


def _cofactors_infer(x: TensorType) -> TensorType:
    _square("cofactors", x)
    return x


def _cofactors_eval(x: Array) -> Array:
    """The gradient of the determinant, of singular matrices, too: by singular values, each left out of a product."""
    u, s, vt = np.linalg.svd(x.astype(np.float64))
    before = np.cumprod(np.concatenate([np.ones_like(s[..., :1]), s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([np.ones_like(s[..., :1]), s[..., :0:-1]], -1), -1)[..., ::-1]
    signs = np.linalg.det(u) * np.linalg.det(vt)
    return np.asarray(signs[..., None, None] * ((u * (before * after)[..., None, :]) @ vt), x.dtype)


def _cofactors_vjp(g: Value, n: Applied) -> Grads:
    """`(C sum(C * g) - C g^T C) / det` of the cofactors `C`: of matrices that are not singular."""
    c, axes = n.result, (n.result.rank - 2, n.result.rank - 1)
    inner = c.builder.apply("sum", _op("mul", c, g), axes=axes)
    outer = product(product(c, turned(g)), c)
    over = c.builder.broadcast(_op("det", n.operands[0]), c.shape, tuple(range(c.rank - 2)))
    return (_op("div", _op("sub", _scaled(inner, c), outer), over),)


cofactors = _library("cofactors", _cofactors_infer, _cofactors_eval, _cofactors_vjp, _squares, LAPACK_DTYPES)


def _slogdet_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    _square("slogdet", x)
    return TensorType(x.shape[:-2], x.dtype), TensorType(x.shape[:-2], x.dtype)


def _slogdet_eval(x: Array) -> tuple[Array, Array]:
    sign, size = np.linalg.slogdet(x)
    return np.asarray(sign, x.dtype), np.asarray(size, x.dtype)


def _slogdet_vjp(given: Given, n: Applied) -> Grads:
    g = _all(given, n)[1]
    if g is None:
        return (None,)
    x = n.operands[0]
    return (_scaled(g, _op("solve", turned(x), _identity(x))),)


slogdet = _library("slogdet", _slogdet_infer, _slogdet_eval, _slogdet_vjp, _squares, LAPACK_DTYPES)


# ---- eigenvalues


def _eigh_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    _square("eigh", x)
    return TensorType(x.shape[:-1], x.dtype), x


def _eigh_eval(x: Array) -> tuple[Array, Array]:
    try:
        values, vectors = np.linalg.eigh(x)
    except np.linalg.LinAlgError:
        found = _each(np.linalg.eigh, x)
        values = np.stack([np.full(x.shape[-1], np.nan) if one is None else one[0] for one in found])
        vectors = np.stack([np.full(x.shape[-2:], np.nan) if one is None else one[1] for one in found])
        values, vectors = values.reshape(x.shape[:-1]), vectors.reshape(x.shape)
    return np.asarray(values, x.dtype), np.asarray(vectors, x.dtype)


def _apart(values: Value, x: Value) -> Value:
    """`1 / (values[j] - values[i])` for each pair, 0 on the diagonal; `x` has the shape of the result."""
    b, batch = x.builder, tuple(range(x.rank - 2))
    column = b.broadcast(values, x.shape, (*batch, x.rank - 1))
    row = b.broadcast(values, x.shape, (*batch, x.rank - 2))
    same, one = compared("eq", x), b.full(1, x.shape, x.dtype)
    over = _op("div", one, b.apply("select", same, one, _op("sub", column, row)))
    return b.apply("select", same, b.full(0, x.shape, x.dtype), over)


def _diagonal(vector: Value, x: Value) -> Value:
    return _columns(_identity(x), vector)


def _eigh_vjp(given: Given, n: Applied) -> Grads:
    """`V (diag(gw) + F * (V^T gV)) V^T`, where `F` is 1 by the differences of the eigenvalues."""
    gw, gv = _all(given, n)
    w, v = n.results
    if gw is None and gv is None:
        return (None,)
    inner = _diagonal(_or_zeros(gw, w), v)
    if gv is not None:
        inner = _op("add", inner, _op("mul", _apart(w, v), product(turned(v), gv)))
    return (product(product(v, inner), turned(v)),)


def _eigh_cases() -> Iterable[Case]:
    # One triangle is read alone; `ops.eigh` reads both, so that finite differences fit there.
    yield Case(((3, 3),), {}, differentiable=False)
    yield Case(((2, 2, 2),), {}, differentiable=False)
    yield Case(((1, 1),), {}, 0.5, 2, differentiable=False)


eigh = _library("eigh", _eigh_infer, _eigh_eval, _eigh_vjp, _eigh_cases, LAPACK_DTYPES)


def _complex(dtype: DType) -> DType:
    return dtypes.complex128 if dtype is dtypes.float64 else dtypes.complex64


def _eig_infer(x: TensorType) -> tuple[TensorType, TensorType]:
    _square("eig", x)
    return TensorType(x.shape[:-1], _complex(x.dtype)), TensorType(x.shape, _complex(x.dtype))


def _eig_eval(x: Array) -> tuple[Array, Array]:
    dtype = _complex(dtypes.as_dtype(x.dtype)).numpy
    if not np.isfinite(x).all():
        return np.full(x.shape[:-1], np.nan, dtype), np.full(x.shape, np.nan, dtype)
    values, vectors = np.linalg.eig(x)
    return np.asarray(values, dtype), np.asarray(vectors, dtype)


def _eig_vjp(given: Given, n: Applied) -> Grads:
    """`V^-T diag(gw) V^T`, of the eigenvalues alone."""
    gw, gv = _all(given, n)
    if gv is not None:
        raise _no_gradient("eigenvectors of matrices that are not symmetric")
    if gw is None:
        return (None,)
    v = n.results[1]
    over = _op("solve", turned(v), _rows(turned(v), gw))
    return (_op("real", over),)


def _eig_cases() -> Iterable[Case]:
    yield Case(((3, 3),), {}, differentiable=False)
    yield Case(((2, 2, 2),), {}, 0.5, 2, differentiable=False)


eig = _library("eig", _eig_infer, _eig_eval, _eig_vjp, _eig_cases, LAPACK_DTYPES)


# ---- singular values


def _svd_infer(x: TensorType, full: bool) -> tuple[TensorType, TensorType, TensorType]:
    _matrix("svd", x)
    *lead, rows, columns = x.shape
    k = _shorter(x)
    u = TensorType((*lead, rows, rows if full else k), x.dtype)
    return u, TensorType((*lead, k), x.dtype), TensorType((*lead, columns if full else k, columns), x.dtype)


def _svd_eval(x: Array, full: bool) -> tuple[Array, Array, Array]:
    if not np.isfinite(x).all():
        empty = np.linalg.svd(np.zeros_like(x), full_matrices=full)
        return tuple(np.full_like(part, np.nan) for part in empty)
    u, s, vt = np.linalg.svd(x, full_matrices=full)
    return np.asarray(u, x.dtype), np.asarray(s, x.dtype), np.asarray(vt, x.dtype)


def _svd_vjp(given: Given, n: Applied) -> Grads:
    """Townsend, "Differentiating the singular value decomposition" (2016)."""
    gu, gs, gvt = _all(given, n)
    x = n.operands[0]
    if n.attrs["full"] and x.shape[-1] != x.shape[-2]:
        if gu is not None or gvt is not None:
            raise _no_gradient("the full factors of a singular value decomposition")
        return (None,) if gs is None else (_svd_part(gs, *x.builder.apply_many("svd", x, full=False)),)
    u, s, vt = n.results
    total = None if gs is None else _svd_part(gs, u, s, vt)
    parts = [] if total is None else [total]
    if gu is not None:
        parts.append(_left(x, u, s, vt, gu))
    if gvt is not None:
        # The transposed matrix has the factors in the other order.
        parts.append(turned(_left(turned(x), turned(vt), s, turned(u), turned(gvt))))
    return (_sum(*parts) if parts else None,)


def _svd_part(gs: Value, u: Value, s: Value, vt: Value) -> Value:
    return product(_columns(u, gs), vt)


def _left(x: Value, u: Value, s: Value, vt: Value, gu: Value) -> Value:
    """The part of the gradient that comes by the left factor."""
    b = x.builder
    square = product(turned(u), gu)
    apart = _apart(_op("mul", s, s), square)
    inner = _op("mul", apart, _op("sub", square, turned(square)))
    grad = product(_columns(product(u, inner), s), vt)
    if x.shape[-2] == u.shape[-1]:
        return grad
    outside = _op("sub", gu, product(u, square))
    one = b.full(1, s.shape, s.dtype)
    return _op("add", grad, product(_columns(outside, _op("div", one, s)), vt))


def _svd_cases() -> Iterable[Case]:
    for shape in ((3, 2), (2, 3), (2, 3, 3)):
        for full in (False, True):
            yield Case((shape,), {"full": full}, differentiable=False)


svd = _library("svd", _svd_infer, _svd_eval, _svd_vjp, _svd_cases, LAPACK_DTYPES)


def _values_infer(x: TensorType) -> TensorType:
    _matrix("singular_values", x)
    return TensorType((*x.shape[:-2], _shorter(x)), x.dtype)


def _values_eval(x: Array) -> Array:
    if not np.isfinite(x).all():
        return np.full((*x.shape[:-2], min(x.shape[-2:])), np.nan, x.dtype)
    return np.asarray(np.linalg.svd(x, compute_uv=False), x.dtype)


def _values_vjp(g: Value, n: Applied) -> Grads:
    return (_svd_part(g, *n.operands[0].builder.apply_many("svd", n.operands[0], full=False)),)


def _matrices() -> Iterable[Case]:
    for shape in ((3, 2), (2, 3), (2, 2, 2)):
        yield Case((shape,), {}, 0.5, 2)


singular_values = _library("singular_values", _values_infer, _values_eval, _values_vjp, _matrices, LAPACK_DTYPES)


def _pinv_infer(x: TensorType, rcond: float) -> TensorType:
    _matrix("pinv", x)
    return TensorType((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


def _pinv_eval(x: Array, rcond: float) -> Array:
    if not np.isfinite(x).all():
        return np.full((*x.shape[:-2], x.shape[-1], x.shape[-2]), np.nan, x.dtype)
    return np.asarray(np.linalg.pinv(x, rcond), x.dtype)


def _pinv_vjp(g: Value, n: Applied) -> Grads:
    """Golub and Pereyra, "The differentiation of pseudo-inverses" (1973)."""
    a, p = n.operands[0], n.result
    back, pt = turned(g), turned(p)
    first = _op("neg", product(product(pt, g), pt))
    rest = product(product(back, p), pt)
    second = _op("sub", rest, product(a, product(p, rest)))
    left = product(product(pt, p), back)
    third = _op("sub", left, product(product(left, p), a))
    return (_sum(first, second, third),)


def _pinv_cases() -> Iterable[Case]:
    for shape in ((3, 2), (2, 3), (2, 2, 2)):
        yield Case((shape,), {"rcond": 1e-5}, 0.5, 2)


pinv = _library("pinv", _pinv_infer, _pinv_eval, _pinv_vjp, _pinv_cases, LAPACK_DTYPES)


# ---- triangular factors


def _qr_infer(x: TensorType, full: bool) -> tuple[TensorType, TensorType]:
    _matrix("qr", x)
    *lead, rows, columns = x.shape
    k = rows if full else _shorter(x)
    return TensorType((*lead, rows, k), x.dtype), TensorType((*lead, k, columns), x.dtype)


def _qr_eval(x: Array, full: bool) -> tuple[Array, Array]:
    q, r = np.linalg.qr(x, mode="complete" if full else "reduced")
    return np.asarray(q, x.dtype), np.asarray(r, x.dtype)


def _qr_vjp(given: Given, n: Applied) -> Grads:
    """`(gQ + Q S(R gR^T - gQ^T Q)) R^-T`, where `S` mirrors the lower triangle; of matrices that are not wide."""
    gq, gr = _all(given, n)
    q, r = n.results
    if gq is None and gr is None:
        return (None,)
    if r.shape[-1] != r.shape[-2]:
        raise _no_gradient("the QR factors of a wide matrix, or of all columns of Q")
    gq = _or_zeros(gq, q)
    m = product(r, turned(triangle(_or_zeros(gr, r), lower=False)))
    m = triangle(_op("sub", m, product(turned(gq), q)))
    strict = m.builder.apply("select", compared("gt", m), m, m.builder.full(0, m.shape, m.dtype))
    both = _op("add", gq, product(q, _op("add", m, turned(strict))))
    solved = q.builder.apply("triangular_solve", r, turned(both), lower=False, transposed=False)
    return (turned(solved),)


def _qr_cases() -> Iterable[Case]:
    for shape, full in (((3, 2), False), ((2, 2, 2), False), ((3, 2), True), ((2, 3), False)):
        yield Case((shape,), {"full": full}, 0.5, 2, differentiable=shape[-1] <= shape[-2] and not full)


qr = _library("qr", _qr_infer, _qr_eval, _qr_vjp, _qr_cases, LAPACK_DTYPES)


def _lu_infer(x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
    _matrix("lu", x)
    *lead, rows, _ = x.shape
    return x, TensorType((*lead, _shorter(x)), dtypes.int32), TensorType((*lead, rows), dtypes.int32)


def _lu_eval(x: Array) -> tuple[Array, Array, Array]:
    """Both factors in one matrix, the row with which each was exchanged, and the order of the rows in the end."""
    *lead, rows, columns = x.shape
    lu = matrices_of(np.array(x))
    order = np.tile(np.arange(rows, dtype=np.int32), (len(lu), 1))
    pivots = np.zeros((len(lu), min(rows, columns)), np.int32)
    each = np.arange(len(lu))
    with np.errstate(all="ignore"):
        for k in range(min(rows, columns)):
            best = k + np.argmax(np.abs(lu[:, k:, k]), axis=1) if len(lu) else np.zeros(0, np.int64)
            pivots[:, k] = best
            for part in (lu, order):
                part[each, k], part[each, best] = part[each, best], part[each, k].copy()
            pivot = lu[:, k, k][:, None]
            lu[:, k + 1 :, k] = np.where(pivot == 0, lu[:, k + 1 :, k], lu[:, k + 1 :, k] / pivot)
            lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, None, k, k + 1 :]
    return lu.reshape(x.shape), pivots.reshape(*lead, min(rows, columns)), order.reshape(*lead, rows)


def _lu_vjp(given: Given, n: Applied) -> Grads:
    """`P L^-T (tril(L^T gL, -1) + triu(gU U^T)) U^-T`."""
    g = _all(given, n)[0]
    if g is None:
        return (None,)
    lu, _, order = n.results
    if lu.shape[-1] != lu.shape[-2]:
        raise _no_gradient("the LU factors of a matrix that is not square")
    b = lu.builder
    zero = b.full(0, lu.shape, lu.dtype)

    def below(x: Value) -> Value:
        return b.apply("select", compared("gt", x), x, zero)

    lower = b.apply("select", compared("eq", lu), b.full(1, lu.shape, lu.dtype), below(lu))
    upper = triangle(lu, lower=False)
    inner = below(product(turned(lower), below(g)))
    inner = _op("add", inner, triangle(product(triangle(g, lower=False), turned(upper)), lower=False))
    left = b.apply("triangular_solve", lower, inner, lower=True, transposed=True)
    both = turned(b.apply("triangular_solve", upper, turned(left), lower=False, transposed=False))
    return (_rows_at(both, order),)


def _rows_at(x: Value, order: Value) -> Value:
    """Matrices whose rows are moved to the positions of an order."""
    b, (*lead, rows, columns) = x.builder, x.shape
    _, places = b.apply_many("sort", order)
    count = dims.product(tuple(lead))
    flat = b.apply("reshape", places, shape=(count, rows))
    start = b.apply("iota", shape=(count, rows), axis=0, dtype=dtypes.int32)
    start = _op("mul", start, b.broadcast(b.size(rows, dtypes.int32), start.shape, ()))
    index = b.apply("reshape", _op("add", flat, start), shape=(count * rows,))
    moved = b.apply("gather", b.apply("reshape", x, shape=(count * rows, columns)), index, axis=0)
    return b.apply("reshape", moved, shape=x.shape)


def _lu_cases() -> Iterable[Case]:
    yield Case(((3, 3),), {}, 0.5, 2)
    yield Case(((2, 2, 2),), {}, 0.5, 2)
    yield Case(((2, 3),), {}, 0.5, 2, differentiable=False)
    yield Case(((3, 2),), {}, 0.5, 2, differentiable=False)


lu = _library("lu", _lu_infer, _lu_eval, _lu_vjp, _lu_cases, LAPACK_DTYPES)
