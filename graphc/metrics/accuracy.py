"""Accuracies: the frequency of correct predictions."""

from __future__ import annotations

from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.losses.functions import same_rank
from graphc.metrics.reductions import FunctionMetric
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Tensor, as_tensor

_MODULE = "keras.metrics"


def _hits(same: Tensor) -> Tensor:
    return ops.cast(same, settings.floatx())


def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Whether predictions equal targets; the mean over the last axis.

    Example:

    >>> accuracy([[1.0, 2.0]], [[1.0, 3.0]]).numpy()
    array([0.5], dtype=float32)
    """
    wanted, predicted = same_rank(as_tensor(y_true), as_tensor(y_pred))
    return ops.mean(_hits(ops.equal(wanted, predicted)), axis=-1)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """Whether predictions lie on the right side of a threshold; the mean over the last axis.

    Example:

    >>> binary_accuracy([[1.0, 0.0]], [[0.7, 0.6]]).numpy()
    array([0.5], dtype=float32)
    """
    wanted, predicted = same_rank(as_tensor(y_true), as_tensor(y_pred))
    above = ops.cast(ops.greater(predicted, threshold), predicted.dtype)
    return ops.mean(_hits(ops.equal(ops.cast(wanted, predicted.dtype), above)), axis=-1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Whether the most probable class is that of a one-hot label.

    Example:

    >>> categorical_accuracy([[0.0, 1.0]], [[0.2, 0.8]]).numpy()
    array([1.], dtype=float32)
    """
    return _hits(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Whether the most probable class is the integer label.

    Example:

    >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.1, 0.9]]).numpy()
    array([1., 0.], dtype=float32)
    """
    labels, predicted = as_tensor(y_true), as_tensor(y_pred)
    if labels.ndim == predicted.ndim and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    return _hits(ops.equal(ops.cast(labels, "int32"), ops.argmax(predicted, axis=-1)))


def _in_top_k(labels: Tensor, predicted: Tensor, k: int) -> Tensor:
    """Whether fewer than k classes are more probable than that of the label."""
    own = ops.take_along_axis(predicted, ops.expand_dims(labels, -1), axis=-1)
    better = ops.sum(ops.cast(ops.greater(predicted, own), "int32"), axis=-1)
    return _hits(ops.less(better, k))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """Whether the class of a one-hot label is among the k most probable."""
    return _in_top_k(ops.argmax(y_true, axis=-1), as_tensor(y_pred), k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """Whether the integer label is among the k most probable classes.

    Args:
        y_true: Tensor of integers.
        y_pred: Tensor of probabilities with an axis more; or of labels, best first, where `from_sorted_ids`.
        k: The number of most probable classes.
        from_sorted_ids: Whether `y_pred` is labels.
    """
    labels, predicted = ops.cast(y_true, "int32"), as_tensor(y_pred)
    if labels.ndim == predicted.ndim and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    if from_sorted_ids:
        best = ops.cast(predicted[..., :k], "int32")
        return _hits(ops.any(ops.equal(best, ops.expand_dims(labels, -1)), axis=-1))
    return _in_top_k(labels, predicted, k)


@exported(_MODULE)
@configured(name="accuracy")
class Accuracy(FunctionMetric):
    """How often predictions equal targets.

    Example:

    >>> metric = Accuracy()
    >>> metric.update_state([[1.0], [2.0]], [[1.0], [3.0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"
    _function = staticmethod(accuracy)


@exported(_MODULE)
@configured
class BinaryAccuracy(FunctionMetric):
    """How often predictions lie on the right side of a threshold.

    Args:
        threshold: What separates 0 from 1.

    Example:

    >>> metric = BinaryAccuracy()
    >>> metric.update_state([[1.0], [0.0]], [[0.7], [0.6]])
    >>> float(metric.result())
    0.5
    """

    name: Any = "binary_accuracy"
    dtype: Any = None
    threshold: float = 0.5

    _direction = "up"
    _function = staticmethod(binary_accuracy)


@exported(_MODULE)
@configured(name="categorical_accuracy")
class CategoricalAccuracy(FunctionMetric):
    """How often the most probable class is that of a one-hot label.

    Example:

    >>> metric = CategoricalAccuracy()
    >>> metric.update_state([[0.0, 1.0]], [[0.2, 0.8]])
    >>> float(metric.result())
    1.0
    """

    _direction = "up"
    _function = staticmethod(categorical_accuracy)


@exported(_MODULE)
@configured(name="sparse_categorical_accuracy")
class SparseCategoricalAccuracy(FunctionMetric):
    """How often the most probable class is the integer label.

    Example:

    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update_state([1, 0], [[0.2, 0.8], [0.1, 0.9]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"
    _function = staticmethod(sparse_categorical_accuracy)


@exported(_MODULE)
@configured(name="top_k_categorical_accuracy")
class TopKCategoricalAccuracy(FunctionMetric):
    """How often the class of a one-hot label is among the k most probable.

    Args:
        k: The number of most probable classes.
    """

    k: int = 5

    _direction = "up"
    _function = staticmethod(top_k_categorical_accuracy)


@exported(_MODULE)
@configured
class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the integer label is among the k most probable classes.

    Args:
        k: The number of most probable classes.
        from_sorted_ids: Whether predictions are labels, best first.
    """

    k: int = 5
    name: Any = "sparse_top_k_categorical_accuracy"
    dtype: Any = None
    from_sorted_ids: bool = False

    _direction = "up"
    _function = staticmethod(sparse_top_k_categorical_accuracy)
