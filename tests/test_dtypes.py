"""Element types and their promotion."""

from __future__ import annotations

import itertools
import pickle

import ml_dtypes
import numpy as np
import pytest

from graphc import dtypes
from graphc.errors import DTypeError


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
def test_every_dtype_is_found_again(dtype: dtypes.DType) -> None:
    assert dtypes.as_dtype(dtype.name) is dtype
    assert dtypes.as_dtype(dtype.numpy) is dtype
    assert dtypes.as_dtype(dtype.numpy.type) is dtype
    assert dtypes.as_dtype(dtype) is dtype
    assert dtype.numpy.itemsize == dtype.itemsize
    assert pickle.loads(pickle.dumps(dtype)) is dtype


def test_python_types_and_byte_orders() -> None:
    assert dtypes.as_dtype(bool) is dtypes.bool_
    assert dtypes.as_dtype(int) is dtypes.int32
    assert dtypes.as_dtype(float) is dtypes.float32
    assert dtypes.as_dtype(complex) is dtypes.complex64
    assert dtypes.as_dtype(np.dtype(">f4")) is dtypes.float32
    assert dtypes.as_dtype(ml_dtypes.bfloat16) is dtypes.bfloat16


@pytest.mark.parametrize("spec", ["float", "complex256", "f33", object, None, 3, "datetime64[s]"])
def test_what_is_no_dtype_is_refused(spec: object) -> None:
    if spec in ("float", None):
        # NumPy takes these for float64; so does graphc where it takes them at all.
        assert dtypes.as_dtype(spec) is dtypes.float64
        return
    with pytest.raises(DTypeError, match="no such dtype"):
        dtypes.as_dtype(spec)


def test_promotion_is_commutative_and_idempotent() -> None:
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        assert dtypes.promote(a, b) is dtypes.promote(b, a)
        assert dtypes.promote(a, a) is a


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ("bool", "int8", "int8"),
        ("int8", "uint8", "int16"),
        ("int32", "uint32", "int64"),
        ("int64", "uint64", "float32"),
        ("int64", "float16", "float16"),
        ("float16", "bfloat16", "float32"),
        ("bfloat16", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("bool", "float16", "float16"),
        ("float32", "complex64", "complex64"),
        ("bfloat16", "complex64", "complex64"),
        ("int64", "complex64", "complex64"),
        ("bool", "complex128", "complex128"),
        ("float64", "complex64", "complex128"),
        ("complex64", "complex128", "complex128"),
    ],
)
def test_promotion(a: str, b: str, result: str) -> None:
    assert dtypes.promote(dtypes.as_dtype(a), dtypes.as_dtype(b)).name == result


def test_complex_dtypes_and_their_parts() -> None:
    for dtype in dtypes.ALL:
        assert dtype.real.complex is dtype if dtype.is_complex else dtype.real is dtype
        assert dtype.is_inexact == (dtype.is_float or dtype.is_complex)
        assert np.zeros(1, dtype.numpy).real.dtype == dtype.real.numpy
        assert dtype.complex.is_complex
    assert dtypes.complex64.accumulator is dtypes.complex64


def test_sums_of_halves_are_formed_in_float32() -> None:
    assert dtypes.float16.accumulator is dtypes.float32
    assert dtypes.bfloat16.accumulator is dtypes.float32
    assert dtypes.float64.accumulator is dtypes.float64
    assert dtypes.int8.accumulator is dtypes.int8
