"""Data sets with the methods of `tf.data`, without TensorFlow."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.data.dataset import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
    from graphc.data.elements import ElementSpec, Strings, Text

# What is imported when it is first used: models need the prefetching thread alone.
_MEMBERS = {
    **dict.fromkeys(("AUTOTUNE", "Dataset", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY"), "graphc.data.dataset"),
    **dict.fromkeys(("ElementSpec", "Strings", "Text"), "graphc.data.elements"),
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, (), _MEMBERS)

__all__ = [
    "AUTOTUNE",
    "INFINITE_CARDINALITY",
    "UNKNOWN_CARDINALITY",
    "Dataset",
    "ElementSpec",
    "Strings",
    "Text",
]
