"""Calls without NumPy's warnings of overflow, division by zero and results that are no numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# The state behind `np.errstate`, which takes three times as long to set it: longer than NumPy adds small arrays.
_UMATH: Any = getattr(getattr(np, "_core", None), "umath", None)
_STATE: Any = getattr(_UMATH, "_extobj_contextvar", None)
_IGNORED: Any = None if _STATE is None else _UMATH._make_extobj(all="ignore")


def _quietly(function: Callable[..., Any], *operands: Any, **attrs: Any) -> Any:
    """Calls a function of arrays; floating-point errors in it are not warned of."""
    token = _STATE.set(_IGNORED)
    try:
        return function(*operands, **attrs)
    finally:
        _STATE.reset(token)


def _slowly(function: Callable[..., Any], *operands: Any, **attrs: Any) -> Any:
    """The same by NumPy's public functions, for versions in which the state is elsewhere."""
    with np.errstate(all="ignore"):
        return function(*operands, **attrs)


quietly = _slowly if _STATE is None else _quietly
