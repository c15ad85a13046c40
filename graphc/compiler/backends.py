"""The choice of the backend: the requested one, else the best one present."""

from __future__ import annotations

import warnings
from functools import lru_cache

from graphc import config, runtime
from graphc.errors import ArgumentError, BackendError, BackendWarning
from graphc.runtime.cpu import toolchain

BACKENDS = ("cuda", "cpu", "numpy")


def best_backend() -> tuple[str, str]:
    """The default backend, and the reason: the first that is present of cuda, cpu, numpy.

    Raises:
        BackendError: if it would be `cpu`, and the C compiler that the user names is missing.
    """
    reasons: list[str] = []
    for name in BACKENDS:
        missing = absent(name)
        if missing is None:
            return name, "; ".join([*reasons, f"{name} is the best present"])
        if name == "cpu" and toolchain.is_named():
            toolchain.find()  # raises if the user named a compiler that is not usable: no other replaces it
        reasons.append(f"no {name}: {missing}")
    raise BackendError("there is no backend")  # numpy is always present


def absent(backend: str) -> str | None:
    """The reason why a backend cannot be used; None where it can."""
    if backend == "cuda":
        return runtime.cuda.available()
    if backend == "cpu":
        try:
            toolchain.find()
        except BackendError as error:
            return f"{error.problem}; {error.hint}"
    return None


def chosen_backend(asked: str | None = None) -> tuple[str, str]:
    """The backend to use, and the reason: the argument, else the configured one, else the best present.

    Raises:
        BackendError: if the requested one is absent; no other replaces it.
        ArgumentError: if there is no such backend.
    """
    name = asked or config.current().backend
    if name is None:
        return best_backend()
    if name not in BACKENDS:
        raise ArgumentError("there is no such backend", got=repr(name), expected=", ".join(BACKENDS))
    why = "argument" if asked else config.where("backend")
    missing = absent(name)
    if missing is not None:
        hint = runtime.cuda.HOW_TO_GET_IT if name == "cuda" else toolchain.HOW_TO_GET_ONE
        raise BackendError(f"the backend {name} is absent", got=missing, expected=f"{name} ({why})", hint=hint)
    return name, why


@lru_cache(maxsize=1)
def tell_of_interpreter(why: str) -> None:
    """Warns, once a process, that models run on the interpreter though the user has chosen no backend."""
    text = BackendError(
        "models run on the interpreter, which is 35 to 70 times slower than compiled code",
        got=why,
        hint='install what is missing, or say that it is meant: graphc.config.set_backend("numpy")',
    )
    warnings.warn(str(text), BackendWarning, stacklevel=4)
