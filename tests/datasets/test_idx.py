"""The IDX parser: whatever is not exactly such a file is refused."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from dataset_helpers import dump_idx
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from graphc.datasets.idx import parse
from graphc.errors import DataError

ANY = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))


@given(ANY)
def test_round_trip(array: NDArray[np.uint8]) -> None:
    parsed = parse(dump_idx(array), "x")
    np.testing.assert_array_equal(parsed, array, strict=True)
    parsed[...] = 1  # its own memory, unlike what frombuffer gives


@given(ANY, st.data())
def test_every_other_length_is_refused(array: NDArray[np.uint8], data: st.DataObject) -> None:
    whole = dump_idx(array)
    with pytest.raises(DataError):
        parse(whole[: data.draw(st.integers(0, len(whole) - 1))], "x")
    with pytest.raises(DataError):
        parse(whole + b"\0", "x")


@given(st.binary(max_size=40))
def test_noise_is_parsed_or_refused(noise: bytes) -> None:
    with suppress(DataError):
        assert dump_idx(parse(noise, "x")) == noise


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not an IDX file"),
        (b"\x1f\x8b\x08\x00", "not an IDX file"),
        (bytes([0, 0, 0x0D, 1, 0, 0, 0, 0]), "unsigned bytes"),
        (bytes([0, 0, 8, 0]), "unsigned bytes"),
        (bytes([0, 0, 8, 255]), "unsigned bytes"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 1]), "within its header"),
        (bytes([0, 0, 8, 1, 255, 255, 255, 255]), "another length"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        parse(data, "labels.gz")
    assert "labels.gz" in str(caught.value)
