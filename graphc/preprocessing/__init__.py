"""The names of `keras.preprocessing`; what they are is in `graphc.utils`."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.data.images import image_dataset_from_directory
    from graphc.data.texts import text_dataset_from_directory
    from graphc.data.timeseries import timeseries_dataset_from_array
    from graphc.preprocessing import image, sequence

_MEMBERS = {
    "image_dataset_from_directory": "graphc.data.images",
    "text_dataset_from_directory": "graphc.data.texts",
    "timeseries_dataset_from_array": "graphc.data.timeseries",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("image", "sequence"), _MEMBERS)

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
