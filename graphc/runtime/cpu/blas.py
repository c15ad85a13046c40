"""OpenBLAS, which has matrix products and LAPACK, where its wheel is installed (`pip install 'graphc[cpu]'`)."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from graphc import config
from graphc.errors import BackendError

PACKAGE, WHEEL = "scipy_openblas32", "scipy-openblas32"
HOW_TO_GET_IT = "pip install 'graphc[cpu]'"


@lru_cache(maxsize=1)
def is_installed() -> bool:
    """Whether the library is there."""
    return importlib.util.find_spec(PACKAGE) is not None


@lru_cache(maxsize=1)
def version() -> str | None:
    """Which library there is; None where there is none.

    Example:

    >>> version() is None or version().startswith("OpenBLAS")
    True
    """
    if not is_installed():
        return None
    from importlib.metadata import version as version_of  # noqa: PLC0415

    return f"OpenBLAS {version_of(WHEEL)}"


def chosen() -> str | None:
    """The library that may compute products by now's settings; None where all are generated.

    Raises:
        BackendError: if products are to be the library's, and it is not there.
    """
    mode = config.current().products
    if mode == "library" and version() is None:
        asked = f"{WHEEL} ({config.where('products')})"
        raise BackendError("the library of matrix products is absent", expected=asked, hint=HOW_TO_GET_IT)
    return None if mode == "generated" else version()


def lend(program: ctypes.CDLL, symbols: Iterable[str] = ()) -> None:
    """Tells a program where the library's functions are that it calls.

    Args:
        program: What was built. For `sgemm`, if it has blocks of products computed, and for each symbol it has a
            variable `graphc_<symbol>` that holds the address.
        symbols: Functions of LAPACK that it calls.

    Raises:
        BackendError: if the program needs the library, and it is not there.
    """
    for symbol in symbols:
        ctypes.c_void_p.in_dll(program, f"graphc_{symbol}").value = address_of(f"scipy_{symbol}_")
    try:
        place = ctypes.c_void_p.in_dll(program, "graphc_sgemm")
    except ValueError:  # it computes all products by itself
        return
    place.value = address_of("scipy_cblas_sgemm")


def address_of(name: str) -> int | None:
    """The address of a function of the library, which is loaded.

    Raises:
        BackendError: if it is not there.
    """
    if not is_installed():
        raise BackendError("the library of matrix products is absent", got=f"no {WHEEL}", hint=HOW_TO_GET_IT)
    return ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    import scipy_openblas32  # type: ignore[import-untyped]  # noqa: PLC0415

    path = Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)
    library = ctypes.CDLL(str(path))
    # Each thread of a program computes blocks of its own. NumPy's copy of the library is another one.
    library.scipy_openblas_set_num_threads(1)
    return library
