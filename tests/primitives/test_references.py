"""References that take short cuts compute what their plain forms do."""

from __future__ import annotations

from itertools import product
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from graphc.graph.registry import primitive
from graphc.primitives import convolution
from graphc.special_functions import philox

CONVOLUTIONS = {
    "one channel": ((5, 9, 8, 1), (3, 3, 1, 4), 1),
    "channels": ((5, 9, 8, 6), (3, 2, 6, 4), 1),
    "a point": ((5, 9, 8, 6), (1, 1, 6, 4), 1),
    "groups": ((5, 9, 8, 6), (3, 3, 2, 9), 3),
    "a group each": ((5, 9, 8, 6), (3, 3, 1, 6), 6),
    "two filters each": ((5, 9, 8, 6), (3, 3, 1, 12), 6),
    "one axis": ((4, 20, 3), (5, 3, 2), 1),
    "three axes": ((2, 5, 6, 7, 2), (2, 3, 2, 2, 3), 1),
    "no samples": ((0, 9, 8, 6), (3, 3, 6, 4), 1),
    "no channels": ((5, 9, 8, 0), (3, 3, 0, 4), 1),
}


def _by_sums(x: np.ndarray, w: np.ndarray, strides: tuple[int, ...], dilation: tuple[int, ...], groups: int):
    """Each result as the sum of products under its window."""
    each, filters = w.shape[-2], w.shape[-1] // groups
    sizes = [
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(x.shape[1:], w.shape, strides, dilation, strict=False)
    ]
    out = np.zeros((x.shape[0], *sizes, w.shape[-1]))
    for point in product(*map(range, sizes)):
        for k in product(*map(range, w.shape[:-2])):
            place = tuple(p * s + i * d for p, s, i, d in zip(point, strides, k, dilation, strict=True))
            for g in range(groups):
                channels = x[(slice(None), *place, slice(g * each, (g + 1) * each))]
                columns = slice(g * filters, (g + 1) * filters)
                out[(slice(None), *point, columns)] += channels @ w[k][:, columns]
    return out


@pytest.mark.parametrize("columns", [1, 1 << 18])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case: str, columns: int) -> None:
    x_shape, w_shape, groups = CONVOLUTIONS[case]
    rng, rank = np.random.default_rng(0), len(x_shape) - 2
    x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
    for steps in ({}, {"strides": 2}, {"rhs_dilation": 2}, {"padding": 1}, {"reversed": True}):
        strides, dilation = ((steps.get(name, 1),) * rank for name in ("strides", "rhs_dilation"))
        if any((k - 1) * d >= size for size, k, d in zip(x_shape[1:-1], w_shape, dilation, strict=False)):
            continue
        pad = steps.get("padding", 0)
        given = x[..., ::-1] if "reversed" in steps else x
        wide = np.pad(given, [(0, 0), *[(pad, pad)] * rank, (0, 0)])
        attrs = {"strides": strides, "padding": ((pad, pad),) * rank, "rhs_dilation": dilation, "groups": groups}
        with patch.object(convolution, "_COLUMNS", columns):
            got = primitive("conv").eval(given, w, lhs_dilation=(1,) * rank, **attrs)
        np.testing.assert_allclose(got, _by_sums(wide, w, strides, dilation, groups), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(3, 2), (63, 200), (64, 128), (64, 100), (70, 300), (300, 70), (4, 20, 90)])
def test_orthogonal_matrices_are_those_of_householders_method(shape: tuple[int, ...]) -> None:
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    noise = graphc.random.normal((max(rows, columns), min(rows, columns)), seed=4).numpy().astype(np.float64)
    q, r = np.linalg.qr(noise)
    expected = q * np.sign(np.diag(r))
    got = graphc.initializers.Orthogonal(seed=4)(shape).numpy().reshape(rows, columns)
    got = got.T if rows < columns else got
    np.testing.assert_allclose(got, expected, atol=2e-6)
    np.testing.assert_allclose(got.T @ got, np.eye(got.shape[1]), atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8", "bool", "complex64"])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (0, 2), (2, 1)])
@pytest.mark.parametrize("form", ["whole", "strided", "empty"])
def test_broadcasts(dtype: str, axes: tuple[int, int], form: str) -> None:
    x = np.arange(12).reshape(4, 3).astype(graphc.dtypes.as_dtype(dtype).numpy)
    x = {"whole": x, "strided": x[::2], "empty": x[:, :0]}[form]
    shape = [2, 2, 2]
    for axis, size in zip(axes, x.shape, strict=True):
        shape[axis] = size
    got = primitive("broadcast").eval(x, shape=tuple(shape), axes=axes)
    assert got.shape == tuple(shape) and got.dtype == x.dtype and not got.flags.writeable
    for point in product(*map(range, shape)):
        assert got[point] == x[point[axes[0]], point[axes[1]]]


@pytest.mark.parametrize("many", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("shape", [(), (1,), (4, 5), (0, 3), (200, 200)])
def test_random_words_of_all_shapes(many: tuple[int, ...], shape: tuple[int, ...]) -> None:
    seeds = np.arange(2 * int(np.prod(many))).reshape((*many, 2)).astype(np.uint32)
    got = primitive("random_bits").eval(seeds, shape=shape)
    assert got.shape == (*many, *shape) and got.dtype == np.uint32
    position = np.arange(int(np.prod(shape)), dtype=np.uint32)
    for draw in np.ndindex(many):
        expected = philox((position, 0, 0, 0), (seeds[draw][0], seeds[draw][1]))
        np.testing.assert_array_equal(got[draw], expected.reshape(shape))
