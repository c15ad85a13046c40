"""Scalar expressions."""

from __future__ import annotations

import pytest

from graphc import dims, dtypes
from graphc.errors import VerificationError
from graphc.exprs import TRUE, Call, Cast, Const, Index, Var, both, call, cast, compare, const, select
from graphc.intrinsics import INTRINSICS

X = Var("x", dtypes.float32)
FLAG = Var("c", dtypes.bool_)


@pytest.mark.parametrize("name", sorted(INTRINSICS))
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.complex128], ids=str)
def test_intrinsics_know_their_operands_and_result(name: str, dtype: dtypes.DType) -> None:
    record, x = INTRINSICS[name], Var("x", dtype)
    operands = (FLAG, x, x) if name == "select" else (x,) * record.arity
    wanted = {"same": dtype, "bool": dtypes.bool_, "real": dtype.real, "complex": dtype.complex}
    assert call(name, *operands).dtype is wanted[record.result]
    with pytest.raises(VerificationError):
        call(name, *operands, x)


def test_operands_of_different_dtypes_are_refused() -> None:
    with pytest.raises(VerificationError):
        call("add", X, Var("y", dtypes.float64))
    with pytest.raises(VerificationError):
        select(FLAG, X, Var("y", dtypes.int32))
    with pytest.raises(VerificationError):
        call("no_such", X)


def test_casts_to_the_same_dtype_vanish() -> None:
    assert cast(X, dtypes.float32) is X
    assert cast(X, dtypes.int8) == Cast(X, dtypes.int8)


def test_indices_are_integers_of_any_width() -> None:
    index = Index(dims.axis("i", 7))
    assert cast(index, dtypes.int32) == Index(index.dim, dtypes.int32)
    assert cast(index, dtypes.float32) == Cast(index, dtypes.float32)


def test_literals_take_the_dtype_s_kind() -> None:
    assert const(1, dtypes.float32) == Const(1.0, dtypes.float32)
    assert isinstance(const(True, dtypes.int32).value, int)
    assert const(2, dtypes.bool_).value is True


def test_conditions_that_are_known_vanish() -> None:
    batch = dims.size("B")
    condition = compare("lt", dims.axis("i", batch), 3)
    assert isinstance(condition, Call)
    assert compare("lt", 2, 3) == TRUE
    assert compare("ge", 2, 3) == Const(False, dtypes.bool_)
    assert both(TRUE, condition) is condition
    assert both(condition, TRUE) is condition
    assert both(condition, condition) is condition
    assert both(condition, FLAG) == Call("and", (condition, FLAG), dtypes.bool_)
