"""The names of `keras.preprocessing`, most of which are in `graphc.utils`; `text`, and generators, as in `tf.keras`."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.data.images import image_dataset_from_directory
    from graphc.data.texts import text_dataset_from_directory
    from graphc.data.timeseries import timeseries_dataset_from_array
    from graphc.preprocessing import image, sequence, text

_MEMBERS = {
    "image_dataset_from_directory": "graphc.data.images",
    "text_dataset_from_directory": "graphc.data.texts",
    "timeseries_dataset_from_array": "graphc.data.timeseries",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("image", "sequence", "text"), _MEMBERS)

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
