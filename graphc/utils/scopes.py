"""Contexts of a program: names of variables, and where programs run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from graphc import config
from graphc.compiler import chosen_backend
from graphc.errors import ArgumentError
from graphc.tracing import describe, scope, user_line


class name_scope:
    """A context in which the paths of variables begin with a name.

    Args:
        name: The name, without slashes; scopes in scopes are joined by slashes.
        caller: With `deduplicate`, the object to which the scope belongs: entered again within itself, it adds nothing.
        deduplicate: Whether `caller` matters.
        override_parent: The path in the place of that of the scopes around. None: theirs.

    Raises:
        ArgumentError: if the name is no text, or contains a slash.

    Example:

    >>> import graphc
    >>> with graphc.name_scope("encoder"):
    ...     v = graphc.Variable([1.0], name="gain")
    >>> v.path
    'encoder/gain'
    """

    def __init__(
        self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
    ) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ArgumentError(
                "this cannot be the name of a scope",
                where=describe(user_line()),
                got=repr(name)[:80],
                expected="text without slashes",
            )
        self.name, self.caller, self.deduplicate, self.override_parent = name, caller, deduplicate, override_parent
        self._entered: list[AbstractContextManager[Any]] = []

    def __enter__(self) -> name_scope:
        parent = self.override_parent
        path = self.name if parent is None else "/".join(part for part in (*parent.split("/"), self.name) if part)
        again = self.deduplicate and self.caller is not None and self._entered
        context: AbstractContextManager[Any] = nullcontext() if again else scope(path, absolute=parent is not None)
        context.__enter__()
        self._entered.append(context)
        return self

    def __exit__(self, *error: Any) -> None:
        self._entered.pop().__exit__(*error)


@contextmanager
def device(device_name: str) -> Iterator[None]:
    """A context in which programs run on a processor or on a GPU.

    Args:
        device_name: `"cpu"`, `"gpu"` or `"cuda"`, and a number after a colon, which is 0.

    Raises:
        ArgumentError: if there is no such device.
        BackendError: if the device is absent, when a program runs.

    Example:

    >>> with device("cpu:0"):
    ...     pass
    """
    kind, _, number = device_name.partition(":") if isinstance(device_name, str) else ("", "", "")
    if kind.lower() not in ("cpu", "gpu", "cuda") or number not in ("", "0"):
        raise ArgumentError(
            "there is no such device", where=describe(user_line()), got=repr(device_name), expected='"cpu:0" or "gpu:0"'
        )
    if kind.lower() != "cpu":
        wanted: str | None = "cuda"
    else:  # what is already on the processor, such as the backend numpy, stays as it is
        wanted = "cpu" if chosen_backend()[0] == "cuda" else None
    with config.override(backend=wanted) if wanted else nullcontext():
        yield
