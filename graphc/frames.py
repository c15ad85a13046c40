"""The user's code on the stack: the innermost frame that is neither graphc's nor of what calls on its behalf."""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from functools import lru_cache
from importlib.util import find_spec
from types import FrameType

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep


def _folder(package: str) -> str:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, package
    return os.path.dirname(os.path.abspath(spec.origin)) + os.sep


# They call functions on the leaves of structures, and on elements of arrays.
_CALLERS = (_folder("optree"), _folder("numpy"))


@lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether a file is neither of graphc nor of the standard library."""
    if file.startswith((_OURS, *_CALLERS, "<frozen")):
        return False
    return not file.startswith(_STDLIB) or "site-packages" in file


def user_frame(stop: FrameType | None = None) -> FrameType | None:
    """The innermost frame of the user's code, not searching beyond the frame `stop`; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return frame
        if frame is stop:
            break
        frame = frame.f_back
    return None


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the user's line."""
    frame = user_frame()
    if frame is None:
        warnings.warn(message, category, stacklevel=2)
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__", "__main__")
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module, registry)
