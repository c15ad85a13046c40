"""Origins of operations: the path of the layer that runs, and the line of the user's code.

Layers enter a `Scope`. If code of the user runs inside it (the `call` of a custom layer, a custom loss function), the
origin of an operation is the line of that code that runs; else it is the line of the scope, where the user created the
layer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType

from graphc.frames import user_frame
from graphc.graph.types import Origin


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of a program that has a name.

    Args:
        path: The names of the scopes around it and its own, joined by slashes.
        origin: The origin of operations while no code of the user runs inside.
        frame: The stack frame that entered the scope; only frames inside it are searched for the user's code.
    """

    path: str
    origin: Origin
    frame: FrameType | None


_OUTSIDE = Scope("", Origin(), None)
_scope: ContextVar[Scope] = ContextVar("graphc_scope", default=_OUTSIDE)


def user_line(stop: FrameType | None = None) -> Origin:
    """The line of the innermost frame outside graphc, not searching beyond the frame `stop`.

    Returns:
        An origin without a layer; an empty one if there is no such frame.
    """
    frame = user_frame(stop)
    return Origin() if frame is None else Origin("", frame.f_code.co_filename, frame.f_lineno)


@contextmanager
def scope(name: str, origin: Origin | None = None, absolute: bool = False) -> Iterator[Scope]:
    """A context in which operations and variables belong to the scope `name`.

    Args:
        name: The scope's own name; empty for that of the enclosing scope.
        origin: The user's line of the scope. None: that of the enclosing scope.
        absolute: Whether `name` is the whole path.
    """
    around = _scope.get()
    path = name if absolute else "/".join(part for part in (around.path, name) if part)
    # Two frames up: past this generator and the `with` machinery of contextlib.
    inner = Scope(path, around.origin if origin is None else origin, sys._getframe(2))
    token = _scope.set(inner)
    try:
        yield inner
    finally:
        _scope.reset(token)


def current_path() -> str:
    """The path of the innermost scope."""
    return _scope.get().path


def current_origin() -> Origin:
    """The origin of operations that are added now."""
    around = _scope.get()
    line = user_line(around.frame)
    file, number = (line.file, line.line) if line.file else (around.origin.file, around.origin.line)
    return Origin(around.path, file, number)


def describe(origin: Origin) -> str | None:
    """The user's line as errors print it."""
    return f"{origin.file}:{origin.line}" if origin.file else None
