"""What the models that are trained on ImageNet share: preparing images, names of classes, shapes of inputs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from graphc import activations, config, ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.reshaping import data_format_of
from graphc.tracing import Array, describe, user_line
from graphc.tracing.arrays import array_of
from graphc.utils.files import get_file

CLASSES = 1000
_CLASS_INDEX = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASS_INDEX_SUM = "c2c37ea517e94d9795004a39431a14cb"
# For each mode: what images are divided by, then the means and the deviations of their channels.
_MODES: dict[str, tuple[float, Any, Any]] = {
    "caffe": (1.0, (103.939, 116.779, 123.68), None),
    "tf": (127.5, (1.0, 1.0, 1.0), None),
    "torch": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Scales and centers images as the authors of a model did.

    Args:
        x: Images with 3 channels from 0 to 255: an array, or a tensor; one image, or a batch of them.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        mode: `"caffe"`: channels in reverse order (BGR) less their means in ImageNet; `"tf"`: from -1 to 1;
            `"torch"`: from 0 to 1, less means, divided by deviations.

    Returns:
        A new array of floats, or a tensor. (Keras writes into arrays of floats.)

    Raises:
        ArgumentError: if `mode` or `data_format` is unknown.

    Example:

    >>> preprocess_input(np.array([[[0, 0, 255]]]), mode="tf").tolist()
    [[[-1.0, -1.0, 1.0]]]
    """
    if mode not in _MODES:
        raise ArgumentError("this mode is unknown", where=describe(user_line()), got=repr(mode), expected=list(_MODES))
    first = data_format_of(data_format) == "channels_first"
    over, mean, deviation = _MODES[mode]
    if isinstance(x, np.ndarray):
        images: Any = x if issubclass(x.dtype.type, np.floating) else x.astype(config.floatx())
    else:
        images = x if "float" in str(x.dtype) else ops.cast(x, config.floatx())
    rank = len(images.shape)
    axis = rank - 3 if first else rank - 1
    if mode == "caffe":
        images = images[tuple(slice(None, None, -1) if a == axis else slice(None) for a in range(rank))]
    else:
        images = images / over
    images = images - _along(axis, images, mean)
    return images if deviation is None else images / _along(axis, images, deviation)


def _along(axis: int, images: Any, numbers: tuple[float, ...]) -> Any:
    """Numbers for the positions along an axis of images, in their dtype."""
    shape = [-1 if a == axis else 1 for a in range(len(images.shape))]
    if isinstance(images, np.ndarray):
        return np.asarray(numbers, images.dtype).reshape(shape)
    return ops.reshape(ops.convert_to_tensor(numbers, images.dtype), shape)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """The most probable classes of ImageNet, with their names.

    Args:
        preds: `[samples, 1000]`, the probabilities of the classes.
        top: How many classes of each sample.

    Returns:
        For each sample a list of `(number in WordNet, name, probability)`, the most probable first.

    Raises:
        ArgumentError: if the shape is another.
        FileError: if the names of the classes are neither in the cache nor can be downloaded.
    """
    shape = tuple(getattr(preds, "shape", ()))
    if len(shape) != 2 or shape[1] != CLASSES:
        raise ArgumentError(
            "`decode_predictions` takes the predictions of a classifier of ImageNet",
            where=describe(user_line()),
            got=f"shape {shape}",
            expected=f"(samples, {CLASSES})",
        )
    path = get_file("imagenet_class_index.json", _CLASS_INDEX, file_hash=_CLASS_INDEX_SUM, cache_subdir="models")
    names = json.loads(Path(path).read_bytes())
    return [[(*names[str(i)], row[i]) for i in _best(row, top)] for row in array_of(preds)]


def _best(row: Array, top: int) -> list[int]:
    best: list[int] = np.argsort(row)[-top:][::-1].tolist() if top > 0 else []
    return sorted(best, key=lambda i: row[i], reverse=True)


def obtain_input_shape(
    input_shape: Any, default_size: int, min_size: int, data_format: str, require_flatten: bool, weights: Any = None
) -> tuple[Any, ...]:
    """The shape of a model's images, without the batch.

    Args:
        input_shape: The shape that the user gave. None: the default.
        default_size: The height and width of the images on which the model was trained.
        min_size: The least height and width.
        data_format: `"channels_last"` or `"channels_first"`.
        require_flatten: Whether sizes must be known, since there is a classifier.
        weights: `"imagenet"`: there are 3 channels, and with a classifier the size is the default.

    Raises:
        ShapeError: if the shape does not fit.
    """
    first = data_format == "channels_first"
    trained = weights == "imagenet"
    channels = 3
    if input_shape and len(input_shape) == 3 and not trained:
        channels = input_shape[0 if first else -1]
        if channels not in (1, 3):
            text = f"images with {channels} channels: this model usually has 1 or 3 (input_shape={tuple(input_shape)})"
            warnings.warn(text, stacklevel=5)
    default = (channels, default_size, default_size) if first else (default_size, default_size, channels)
    if trained and require_flatten:
        if input_shape is not None and tuple(input_shape) != default:
            raise _unfit(input_shape, f"{default}, the size of the trained classifier", "pass include_top=False")
        return default
    if not input_shape:
        if require_flatten:
            return default
        return (3, None, None) if first else (None, None, 3)
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise _unfit(shape, "three sizes: height, width and channels", None)
    if trained and channels != shape[0 if first else -1]:
        raise _unfit(shape, "3 channels, as the trained weights have", None)
    sizes = shape[1:] if first else shape[:2]
    if any(size is not None and size < min_size for size in sizes):
        raise _unfit(shape, f"images of at least {min_size}x{min_size}", None)
    if require_flatten and None in shape:
        raise _unfit(shape, "known sizes, since the model has a classifier", "pass include_top=False")
    return shape


def _unfit(shape: Any, expected: str, hint: str | None) -> ShapeError:
    return ShapeError(
        "input_shape does not fit the model",
        where=describe(user_line()),
        got=tuple(shape),
        expected=expected,
        hint=hint,
    )


def validate_activation(classifier_activation: Any, weights: Any) -> None:
    """Checks that a classifier with trained weights has the activation with which it was trained, or none.

    Raises:
        ArgumentError: if it has another.
    """
    if weights is None:
        return
    if activations.get(classifier_activation) not in (activations.get("softmax"), activations.get(None)):
        raise ArgumentError(
            "a classifier with trained weights has this activation",
            where=describe(user_line()),
            got=f"classifier_activation={classifier_activation!r}",
            expected="'softmax' or None",
        )
