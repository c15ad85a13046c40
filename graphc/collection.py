"""Garbage collection, which waits while programs are made.

What a compiler makes stays alive until it is done: collections on the way find nothing, and walk through all of it
again and again, which makes compiling take more than linear time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Lets no collection start inside a `with` block, or a function that this decorates; after it all is as before.

    Example:

    >>> before = gc.isenabled()
    >>> with paused():
    ...     gc.isenabled()
    False
    >>> gc.isenabled() == before
    True
    """
    if not gc.isenabled():  # already paused, or the user's choice
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
