"""Converted functions on traced tensors compute what Python computes on numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.transforms.autograph import convert
from tests.transforms.programs import Program, define


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else np.asarray(value).tolist()


@pytest.mark.parametrize("first", range(0, 60, 6))
def test_random_programs(first: int) -> None:
    for seed in range(first, first + 6):
        text = Program(seed, traced=True).text()
        function = define(text)
        compiled = graphc.function(convert(function))
        for args in ((0, 0, 0), (1, 2, 3), (-4, 7, 2), (5, -1, 9), (2, 2, 2), (8, 3, -6)):
            found = compiled(*(np.int32(x) for x in args))
            assert plain(found) == plain(function(*args)), f"{args} of\n{text}"
