"""The typed tensor graph: types, nodes, builder, verifier, and its text, JSON and picture forms."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.graph import dot, jsonform, svg, text

# The modules that write graphs, imported on first use.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("dot", "jsonform", "svg", "text"))

__all__ = ["dot", "jsonform", "svg", "text"]
