"""Encodings of labels, and cross-entropies of labels and predictions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc import config, dtypes
from graphc.dtypes import DType
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.activations import log_softmax
from graphc.ops.elementwise import in_float, in_wide, minus_abs, where
from graphc.ops.reductions import broadcast_reduced, default_float
from graphc.ops.reductions import max as _max
from graphc.ops.shaping import squeeze
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.indexing import as_indices
from graphc.tracing.shapes import axis_of, unify_sizes

__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "multi_hot",
    "one_hot",
    "sparse_categorical_crossentropy",
]


def _is_class(labels: Tensor, num_classes: int, axis: int) -> Tensor:
    """Whether each class, along a new axis, is that of the label."""
    rank = labels.ndim + 1
    axis = axis_of(axis, rank, "one_hot")
    shape = (*labels.shape[:axis], num_classes, *labels.shape[axis:])
    classes = bind("iota", shape=shape, axis=axis, dtype=labels.type.dtype)
    others = tuple(a for a in range(rank) if a != axis)
    return bind("eq", bind("broadcast", labels, shape=shape, axes=others), classes)


@operation
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Tensor:
    """One-hot encoding of labels; the code of a label out of range is all zeros.

    Args:
        x: Tensor of integers.
        num_classes: The number of classes.
        axis: The position of the new axis.
        dtype: The dtype of the result. None: the default float dtype.
        sparse: Not supported yet.

    Raises:
        ArgumentError: if a sparse result is requested.

    Example:

    >>> one_hot([1, 0], 3).numpy().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if sparse:
        raise ArgumentError("sparse tensors are not supported yet")
    labels = as_indices(x)
    return _cast(_is_class(labels, num_classes, axis), default_float() if dtype is None else dtypes.as_dtype(dtype))


@operation
def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any
) -> Tensor:
    """Multi-hot encoding of sets of labels.

    Args:
        inputs: Tensor of integers; the labels of a set are along its second axis (its only one, for one set).
        num_classes: The number of classes.
        axis: The position of the new axis.
        dtype: The dtype of the result. None: the default float dtype.
        sparse: Not supported yet.
    """
    if sparse or kwargs or num_classes is None:
        raise ArgumentError("`multi_hot` needs num_classes, and cannot be sparse yet", got=", ".join(kwargs) or sparse)
    labels = as_tensor(inputs)
    codes = one_hot(labels, num_classes, axis, dtype)
    return _max(codes, axis=1 if labels.ndim > 1 else 0)


def _log_limits(dtype: DType) -> tuple[float, float]:
    """The logarithms of the bounds to which losses clip probabilities."""
    epsilon = np.asarray(config.epsilon(), dtype.accumulator.numpy)
    return float(np.log(epsilon)), float(np.log(1 - epsilon))


def _log_probabilities(output: Tensor, from_logits: bool, axis: int) -> Tensor:
    """Log-probabilities; probabilities are first clipped to `[epsilon, 1 - epsilon]`, unless they are logits."""
    if from_logits:
        return log_softmax(output, axis)
    known = output.logits
    if known is not None and known[0] == "softmax" and known[2] == axis:
        # log(clip(softmax(x))) without computing the softmax: the same number with one division and one log less.
        low, high = _log_limits(output.type.dtype)
        return bind("clip", log_softmax(known[1], axis), low=low, high=high)
    total = broadcast_reduced(bind("sum", output, axes=(axis,)), output, (axis,))
    return bind("log", _clipped(bind("div", output, total)))


def _clipped(probabilities: Tensor) -> Tensor:
    epsilon = config.epsilon()
    return bind("clip", probabilities, low=epsilon, high=1 - epsilon)


def _of_one_shape(target: Tensor, output: Tensor) -> list[Tensor]:
    """Targets and outputs, whose shapes are equal; sizes that are not known are taken to be."""
    if target.ndim == output.ndim:
        target, output = unify_sizes((target, output), [[*range(output.ndim)]] * 2)
    if target.shape != output.shape:
        raise ShapeError("targets and outputs differ in shape", got=f"{target.type} and {output.type}")
    return [target, output]


@operation
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """`-sum(target * log(output))` along the axis of classes.

    Args:
        target: Tensor of the shape of `output`: the target probabilities.
        output: Tensor of probabilities, which are scaled to sum to one, or of logits.
        from_logits: Whether `output` is logits.
        axis: The axis of the classes.

    Returns:
        A tensor without that axis.

    Raises:
        ShapeError: if the shapes differ.

    Example:

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    given = in_float(output)
    predicted = in_wide(given)
    wanted, predicted = _of_one_shape(as_tensor(target, predicted.type.dtype), predicted)
    axis = axis_of(axis, predicted.ndim, "categorical_crossentropy")
    log = _log_probabilities(predicted, from_logits, axis)
    return _cast(bind("neg", bind("sum", bind("mul", wanted, log), axes=(axis,))), given.type.dtype)


@operation
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """`-log(output[target])` along the axis of classes.

    Args:
        target: Tensor of integers: the labels.
        output: Tensor of probabilities, which are scaled to sum to one, or of logits, with an axis more.
        from_logits: Whether `output` is logits.
        axis: The axis of the classes.

    Returns:
        A tensor of the shape of the labels; float32 for halves, as in Keras.

    Raises:
        ShapeError: if the shapes do not fit.

    Example:

    >>> sparse_categorical_crossentropy([1], [[0.75, 0.25]]).numpy()
    array([1.3862944], dtype=float32)
    """
    predicted, labels = in_wide(output), as_tensor(target)
    if labels.ndim == predicted.ndim and labels.ndim and labels.shape[-1] == 1:
        labels = squeeze(labels, -1)
    axis = axis_of(axis, predicted.ndim, "sparse_categorical_crossentropy")
    if labels.ndim == predicted.ndim - 1:
        others = [a for a in range(predicted.ndim) if a != axis]
        labels, predicted = unify_sizes((labels, predicted), (others, [*range(predicted.ndim)]))
    if labels.shape != tuple(dim for a, dim in enumerate(predicted.shape) if a != axis):
        raise ShapeError(
            "the labels do not fit the outputs",
            got=f"labels {labels.type}, outputs {predicted.type}",
            expected=f"the outputs' shape without axis {axis}",
        )
    log = _log_probabilities(predicted, from_logits, axis)
    hit = _is_class(_cast(labels, dtypes.int32), predicted.shape[axis], axis)
    return bind("neg", bind("sum", where(hit, log, 0), axes=(axis,)))


@operation
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """`-target * log(output) - (1 - target) * log(1 - output)`, elementwise.

    Args:
        target: Tensor of the shape of `output`.
        output: Tensor of probabilities, or of logits.
        from_logits: Whether `output` is logits.

    Example:

    >>> binary_crossentropy([1.0], [0.5]).numpy()
    array([0.6931472], dtype=float32)
    """
    given = in_float(output)
    predicted = in_wide(given)
    wanted, predicted = _of_one_shape(as_tensor(target, predicted.type.dtype), predicted)
    if from_logits:
        # -target * log(sigmoid(x)) - (1 - target) * log(sigmoid(-x)), written so that at most one term can be infinite,
        # and that all have the derivatives from below at 0.
        tail = bind("log1p", bind("exp", minus_abs(predicted)))
        above, below = bind("relu", predicted), where(elementwise("gt", predicted, 0), 0, predicted)
        return _cast((1 - wanted) * above - wanted * below + tail, given.type.dtype)
    clipped = _clipped(predicted)
    return _cast(-(wanted * bind("log", clipped) + (1 - wanted) * bind("log", 1 - clipped)), given.type.dtype)
