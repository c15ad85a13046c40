"""Metrics of segmentations: the intersection of true and predicted regions over their union."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError
from graphc.frames import warn
from graphc.metrics.metric import Metric
from graphc.parameters import Kind, configured
from graphc.registration import exported
from graphc.tracing import as_tensor

_MODULE = "keras.metrics"


class _Overlap(Metric):
    """The base class of metrics from a confusion matrix of classes."""

    _kinds = MappingProxyType(
        {
            **Metric._kinds,
            "num_classes": Kind("The number of classes."),
            "target_class_ids": Kind("The classes whose mean is the result.", decode=list),
            "ignore_class": Kind("A label whose elements are left out. None: all count."),
            "sparse_y_true": Kind("Whether labels are integers, not probabilities."),
            "sparse_y_pred": Kind("Whether predictions are integers, not probabilities."),
            "axis": Kind("The axis of the classes, where there are probabilities."),
        }
    )
    _direction = "up"
    num_classes: int
    target_class_ids: Sequence[int]
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__("int32" if dtype is None else dtype, name)

    def _prepare(self) -> None:
        classes = self.num_classes
        if max(self.target_class_ids, default=0) >= classes:
            raise ArgumentError(
                f"a class of {type(self).__name__} is out of range",
                got=repr(max(self.target_class_ids)),
                expected=f"less than {classes}",
            )
        self.total_cm = self.add_variable((classes, classes), "zeros", name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the confusion matrix with a batch; elements that are no class are left out.

        Args:
            y_true: Tensor of labels, or of probabilities.
            y_pred: Tensor of predictions, likewise.
            sample_weight: Tensor with a weight for each label. None: equal weights.
        """
        wanted = y_true if self.sparse_y_true else ops.argmax(y_true, axis=self.axis)
        predicted = y_pred if self.sparse_y_pred else ops.argmax(y_pred, axis=self.axis)
        wanted, predicted = (ops.reshape(ops.cast(x, "int32"), (-1,)) for x in (wanted, predicted))
        weights = ops.reshape(self._weights(sample_weight), (-1,))
        weights = ops.broadcast_to(weights, wanted.shape)
        valid = ops.logical_and(self._is_class(wanted), self._is_class(predicted))
        if self.ignore_class is not None:
            valid = ops.logical_and(valid, ops.not_equal(wanted, self.ignore_class))
        # Places below 0 are left out.
        places = ops.where(valid, wanted * self.num_classes + predicted, -1)
        found = ops.segment_sum(weights, places, self.num_classes**2)
        self.total_cm.assign_add(ops.reshape(found, self.total_cm.shape))

    def _weights(self, sample_weight: Any) -> Any:
        given = as_tensor(1 if sample_weight is None else sample_weight)
        if given.type.dtype.is_float and not self._wide.is_float:
            warn(
                f"weights of {type(self).__name__} are made integers: create it with dtype='float32' to keep fractions"
            )
        return ops.cast(given, self._wide.name)

    def _is_class(self, labels: Any) -> Any:
        return ops.logical_and(labels >= 0, labels < self.num_classes)

    def result(self) -> Any:
        """The mean, over classes that occur, of the intersection over the union."""
        counts = ops.cast(self.total_cm.value, "float32")
        both = ops.diagonal(counts)
        either = ops.sum(counts, axis=0) + ops.sum(counts, axis=1) - both
        wanted = ops.convert_to_tensor(list(self.target_class_ids), "int32")
        both, either = ops.take(both, wanted, axis=0), ops.take(either, wanted, axis=0)
        occurs = either > 1e-9
        shares = ops.where(occurs, both / (either + settings.epsilon()), 0.0)
        return ops.sum(shares) / (ops.sum(ops.cast(occurs, "float32")) + settings.epsilon())


@exported(_MODULE)
@configured
class IoU(_Overlap):
    """The intersection over the union `tp / (tp + fp + fn)` of classes, and the mean of those that are asked for.

    Raises:
        ArgumentError: if a class is out of range.

    Example:

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    num_classes: int
    target_class_ids: Sequence[int]
    name: Any = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


@exported(_MODULE)
@configured
class BinaryIoU(_Overlap):
    """`IoU` of two classes, where predictions are probabilities of class 1.

    Args:
        threshold: From which probability on class 1 is predicted.

    Raises:
        ArgumentError: if a class is out of range.

    Example:

    >>> metric = BinaryIoU(threshold=0.3)
    >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    target_class_ids: Sequence[int] = (0, 1)
    threshold: float = 0.5
    name: Any = None
    dtype: Any = None

    num_classes = 2

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the confusion matrix with a batch.

        Args:
            y_true: Tensor of 0 and 1.
            y_pred: Tensor of probabilities.
            sample_weight: Tensor with a weight for each label. None: equal weights.
        """
        super().update_state(
            y_true, ops.greater_equal(ops.convert_to_tensor(y_pred, "float32"), self.threshold), sample_weight
        )


@exported(_MODULE)
@configured
class MeanIoU(_Overlap):
    """The mean of the intersection over the union `tp / (tp + fp + fn)` over all classes.

    Example:

    >>> metric = MeanIoU(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 4)
    0.3333
    """

    num_classes: int
    name: Any = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def _prepare(self) -> None:
        self.target_class_ids = list(range(self.num_classes))
        super()._prepare()


@exported(_MODULE)
@configured
class OneHotIoU(_Overlap):
    """`IoU`, where labels are one-hot.

    Raises:
        ArgumentError: if a class is out of range.

    Example:

    >>> metric = OneHotIoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    num_classes: int
    target_class_ids: Sequence[int]
    name: Any = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1

    sparse_y_true = False


@exported(_MODULE)
@configured(without=("sparse_y_true",))
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU`, where labels are one-hot.

    Example:

    >>> metric = OneHotMeanIoU(num_classes=2)
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> float(metric.result())
    0.5
    """

    sparse_y_pred: bool = False

    sparse_y_true = False
