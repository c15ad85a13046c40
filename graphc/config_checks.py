"""Checks of the values of settings."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from types import MappingProxyType

from graphc.dtypes import FLOATS

BACKENDS = ("numpy", "cpu", "cuda")
DATA_FORMATS = ("channels_last", "channels_first")
PRODUCTS = ("generated", "library", "measured")
FLOATX = tuple(t.name for t in FLOATS)
POLICIES = (*FLOATX, "mixed_float16", "mixed_bfloat16")


# Checks of the fields' values. Each returns the value in its final type or raises a ValueError with the expected value;
# the caller adds the file, variable or argument.


def _one_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise ValueError("one of " + ", ".join(names))

    return check


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("a whole number, 1 or more")


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("1 or 0 in a variable, true or false in a file")


def _small(value: object) -> float:
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value) and float(value) > 0:
        return float(value)
    raise ValueError("a number above 0")


def _folder(value: object) -> Path:
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str) and text:
        try:
            return Path(text).expanduser()
        except RuntimeError:  # `~nobody`: no such user
            pass
    raise ValueError("the path of a folder")


def _command(value: object) -> str:
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str) and text.strip():
        return text
    raise ValueError("the name or path of a C compiler")


CHECKS: Mapping[str, Callable[[object], object]] = MappingProxyType(
    {
        "backend": _one_of(BACKENDS),
        "threads": _count,
        "floatx": _one_of(FLOATX),
        "epsilon": _small,
        "image_data_format": _one_of(DATA_FORMATS),
        "cache_dir": _folder,
        "dump": _folder,
        "compiler": _command,
        "products": _one_of(PRODUCTS),
        "interactive_logging": _switch,
        "max_epochs": _count,
        "max_steps_per_epoch": _count,
        "traceback_filtering": _switch,
        "flash_attention": _switch,
        "dtype_policy": _one_of(POLICIES),
        "verify": _switch,
    }
)
OPTIONAL = frozenset(
    {"backend", "threads", "cache_dir", "dump", "compiler", "max_epochs", "max_steps_per_epoch", "dtype_policy"}
)
