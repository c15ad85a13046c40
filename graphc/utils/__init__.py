"""Helpers: seeds, labels, progress, data, images, files."""

from typing import TYPE_CHECKING

from graphc import lazy
from graphc.registration import exported_later

if TYPE_CHECKING:
    from graphc.config import (
        disable_interactive_logging,
        enable_interactive_logging,
        is_interactive_logging_enabled,
    )
    from graphc.data.audio import audio_dataset_from_directory
    from graphc.data.images import image_dataset_from_directory
    from graphc.data.splitting import split_dataset
    from graphc.data.texts import text_dataset_from_directory
    from graphc.data.timeseries import timeseries_dataset_from_array
    from graphc.registration import (
        custom_object_scope,
        deserialize_keras_object,
        get_custom_objects,
        get_registered_name,
        get_registered_object,
        register_keras_serializable,
        serialize_keras_object,
    )
    from graphc.utils import bounding_boxes, legacy
    from graphc.utils.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from graphc.utils.config_container import Config
    from graphc.utils.feature_space import FeatureSpace
    from graphc.utils.files import get_file
    from graphc.utils.images import array_to_img, img_to_array, load_img, save_img
    from graphc.utils.model_pictures import model_to_dot, plot_model
    from graphc.utils.numerical import normalize, to_categorical
    from graphc.utils.progbar import Progbar
    from graphc.utils.py_dataset import PyDataset
    from graphc.utils.py_dataset import PyDataset as Sequence
    from graphc.utils.sequences import pad_sequences
    from graphc.utils.session import (
        CustomObjectScope,
        clear_session,
        is_keras_tensor,
        set_random_seed,
        standardize_dtype,
    )
    from graphc.utils.symbolic import get_source_inputs

# Where each name is: imported when it is first used, since few programs use more than a few of them.
_MEMBERS = {
    name: module
    for module, names in (
        (
            "graphc.config",
            ("disable_interactive_logging", "enable_interactive_logging", "is_interactive_logging_enabled"),
        ),
        ("graphc.data.audio", ("audio_dataset_from_directory",)),
        ("graphc.data.images", ("image_dataset_from_directory",)),
        ("graphc.data.splitting", ("split_dataset",)),
        ("graphc.data.texts", ("text_dataset_from_directory",)),
        ("graphc.data.timeseries", ("timeseries_dataset_from_array",)),
        (
            "graphc.registration",
            (
                *("custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name"),
                *("get_registered_object", "register_keras_serializable", "serialize_keras_object"),
            ),
        ),
        ("graphc.utils.batches", ("pack_x_y_sample_weight", "unpack_x_y_sample_weight")),
        ("graphc.utils.config_container", ("Config",)),
        ("graphc.utils.feature_space", ("FeatureSpace",)),
        ("graphc.utils.files", ("get_file",)),
        ("graphc.utils.images", ("array_to_img", "img_to_array", "load_img", "save_img")),
        ("graphc.utils.model_pictures", ("model_to_dot", "plot_model")),
        ("graphc.utils.numerical", ("normalize", "to_categorical")),
        ("graphc.utils.progbar", ("Progbar",)),
        ("graphc.utils.py_dataset", ("PyDataset", "Sequence")),
        ("graphc.utils.sequences", ("pad_sequences",)),
        ("graphc.utils.symbolic", ("get_source_inputs",)),
        (
            "graphc.utils.session",
            (
                *("CustomObjectScope", "clear_session", "is_keras_tensor", "set_random_seed"),
                "standardize_dtype",
            ),
        ),
    )
    for name in names
}
# What configurations name is known before it is imported.
exported_later("keras.utils", ("FeatureSpace",), "graphc.utils.feature_space")
exported_later("keras.src.layers.preprocessing.feature_space", ("Cross", "Feature"), "graphc.utils.feature_space")
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, ("bounding_boxes", "legacy"), _MEMBERS)

__all__ = [
    "Config",
    "CustomObjectScope",
    "FeatureSpace",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "audio_dataset_from_directory",
    "bounding_boxes",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "image_dataset_from_directory",
    "img_to_array",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "legacy",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
