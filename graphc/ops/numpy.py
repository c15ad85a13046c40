"""NumPy's functions, under Keras's names: the functions of `graphc.ops`."""

from typing import TYPE_CHECKING

from graphc.ops.namespaces import members

if TYPE_CHECKING:
    from graphc.ops import *
else:
    __all__, __getattr__, __dir__ = members(__name__)
