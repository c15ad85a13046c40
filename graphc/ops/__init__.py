"""The functional API, with Keras 3's names: compositions of primitives, on tensors and on symbolic tensors.

The functions that a module of this package lists in its `__all__` are public here.
"""

from typing import TYPE_CHECKING

from graphc import lazy
from graphc.ops.activations import *
from graphc.ops.alignment import *
from graphc.ops.attention import *
from graphc.ops.blocks import *
from graphc.ops.branches import *
from graphc.ops.creation import *
from graphc.ops.crossentropies import *
from graphc.ops.cumulative import *
from graphc.ops.decompositions import *
from graphc.ops.diagonals import *
from graphc.ops.einstein import *
from graphc.ops.elementwise import *
from graphc.ops.fourier import *
from graphc.ops.functions import *
from graphc.ops.gradients import *
from graphc.ops.linear import *
from graphc.ops.loops import *
from graphc.ops.matrices import *
from graphc.ops.nan_reductions import *
from graphc.ops.normalizations import *
from graphc.ops.numbers import *
from graphc.ops.ordering import *
from graphc.ops.parts import *
from graphc.ops.placing import *
from graphc.ops.quantiles import *
from graphc.ops.rearrangement import *
from graphc.ops.reductions import *
from graphc.ops.segments import *
from graphc.ops.shaping import *
from graphc.ops.signal_windows import *
from graphc.ops.stacking import *
from graphc.ops.statistics import *
from graphc.ops.vectorizing import *
from graphc.ops.windows import *

if TYPE_CHECKING:
    from graphc.ops import image, linalg, nn, numpy
else:
    # What is defined in modules of a higher rank.
    _ABOVE = {"jvp": "graphc.transforms.gradients"}
    __all__ = sorted([*_ABOVE, *(name for name, value in globals().items() if callable(value))])
    __getattr__, __dir__ = lazy.attributes(__name__, ("image", "linalg", "nn", "numpy"), _ABOVE)
