"""AutoGraph: Python's control flow over traced tensors becomes regions of the graph.

`convert` rewrites the syntax tree of a function: blocks become functions, which the runtime calls. The runtime looks at
the value that is tested. For a Python value it runs Python; for a traced tensor it traces the blocks as regions.
"""

from graphc.errors import ControlFlowError
from graphc.transforms.autograph.convert import convert, converted, do_not_convert

__all__ = ["ControlFlowError", "convert", "converted", "do_not_convert"]
