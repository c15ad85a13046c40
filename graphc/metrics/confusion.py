"""Counts of true and false positives and negatives at thresholds; precision and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.losses.functions import same_rank
from graphc.metrics.metric import Metric, NamedMetric
from graphc.parameters import Kind, configured
from graphc.registration import exported
from graphc.tracing import Tensor, Variable, as_tensor

_MODULE = "keras.metrics"
# Below any prediction that is among the k best, above those that are not.
_BELOW_ALL = -1e10
_KINDS = MappingProxyType(
    {
        **Metric._kinds,
        "thresholds": Kind(
            "A number from 0 to 1, or a list of them: a prediction above it is positive. None: 0.5.",
            attribute="init_thresholds",
        ),
        "num_thresholds": Kind("The number of thresholds, which are spread evenly from 0 to 1."),
        "class_id": Kind("The class that is counted, as an index of the last axis. None: all."),
        "top_k": Kind("The number of best predictions, along the last axis, that are positive. None: by thresholds."),
    }
)


class CountingMetric(NamedMetric):
    """The base class of metrics from counts at thresholds.

    Subclasses name the counts in `_names`, from among `true_positives`, `false_positives`, `true_negatives` and
    `false_negatives`, and have a list `thresholds`.
    """

    _kinds = _KINDS
    _names: ClassVar[tuple[str, ...]] = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    class_id: Any = None
    top_k: Any = None
    thresholds: Any
    init_thresholds: Any

    def _add_counts(self, *labels: int) -> None:
        """Creates the counts: one for each threshold, or for each threshold and label."""
        self._counts: dict[str, Variable] = {}
        for name in self._names:
            variable = self.add_variable((len(self.thresholds), *labels), "zeros", name=self._name_of_variable(name))
            self._counts[name] = variable
            setattr(self, self._name_of_variable(name), variable)

    def _name_of_variable(self, count: str) -> str:
        return count

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the counts with a batch.

        Args:
            y_true: Tensor of 0 and 1.
            y_pred: Tensor of probabilities, of the same shape.
            sample_weight: Tensor with a weight for each sample, or each element. None: equal weights.
        """
        update_counts(
            self._counts, y_true, y_pred, self.thresholds, sample_weight, top_k=self.top_k, class_id=self.class_id
        )

    def _share(self, part: str, *whole: str) -> Tensor:
        """One count as a fraction of a sum of counts; 0 where that is 0."""
        total = sum((self._counts[name].value for name in whole[1:]), self._counts[whole[0]].value)
        return ops.divide_no_nan(self._counts[part].value, total)

    def _shaped(self, result: Any) -> Any:
        """The result, a scalar if there is a single threshold."""
        return result[0] if len(self.thresholds) == 1 else result


def update_counts(
    counts: Mapping[str, Variable],
    y_true: Any,
    y_pred: Any,
    thresholds: Sequence[float],
    sample_weight: Any = None,
    *,
    top_k: int | None = None,
    class_id: int | None = None,
    by_label: bool = False,
    label_weights: Any = None,
) -> None:
    """Adds a batch to counts of true and false positives and negatives.

    Args:
        counts: Variables by the names of the counts, of shape `[thresholds]`, or `[thresholds, labels]`.
        y_true: Tensor of 0 and 1.
        y_pred: Tensor of predictions.
        thresholds: What predictions have to be above.
        sample_weight: Tensor with a weight for each sample, or each element; or None.
        top_k: The number of best predictions that count; others are negative. None: all.
        class_id: The one class that is counted. None: all.
        by_label: Whether the last of two axes, of labels, is kept.
        label_weights: Vector with a weight for each label; or None.

    Raises:
        ShapeError: if there is no axis of classes, or weights do not fit.
    """
    dtype = next(iter(counts.values())).type.dtype
    wanted, predicted = same_rank(as_tensor(y_true), as_tensor(y_pred, dtype))
    if class_id is not None and predicted.ndim < 2:
        raise ShapeError("predictions have no axis of classes", got=str(predicted.type), expected="rank 2 or more")
    if top_k is not None:
        predicted = _best(predicted, top_k)
    if class_id is not None:
        wanted, predicted = (x[..., class_id : class_id + 1] for x in (wanted, predicted))
    positive = ops.cast(ops.cast(wanted, "bool"), dtype.name)
    weight = _weights(sample_weight, label_weights, predicted)
    right, wrong = positive, 1 - positive
    if weight is not None:
        right, wrong = right * weight, wrong * weight
    columns = (-1, predicted.shape[-1]) if by_label else (-1, 1)
    predicted, right, wrong = (ops.reshape(x, columns) for x in (predicted, right, wrong))
    above = _above_even if _even(thresholds) else _above
    for labels, positives, negatives in (
        (right, "true_positives", "false_negatives"),
        (wrong, "false_positives", "true_negatives"),
    ):
        if positives in counts or negatives in counts:
            found = above(labels, predicted, thresholds)
            _add(counts.get(positives), found)
            _add(counts.get(negatives), ops.sum(labels, axis=0) - found)


def _add(count: Variable | None, found: Tensor) -> None:
    if count is not None:
        count.assign_add(ops.reshape(found, count.shape))


def _best(predicted: Tensor, k: int) -> Tensor:
    """Predictions, in which those that are not among the k best of the last axis are below any threshold."""
    best = ops.sum(ops.one_hot(ops.top_k(predicted, k)[1], predicted.shape[-1], dtype=predicted.dtype), axis=-2)
    return ops.where(best > 0, predicted, _BELOW_ALL)


def _weights(sample_weight: Any, label_weights: Any, predicted: Tensor) -> Tensor | None:
    """The weight of each prediction."""
    weight = None
    if sample_weight is not None:
        weight = as_tensor(sample_weight, predicted.type.dtype)
        if weight.ndim == predicted.ndim + 1 and weight.shape[-1] == 1:
            weight = ops.squeeze(weight, -1)
        if weight.ndim > predicted.ndim:
            raise ShapeError("the sample weights do not fit", got=str(weight.type), expected=f"as {predicted.type}")
        weight = ops.reshape(weight, (*weight.shape, *(1,) * (predicted.ndim - weight.ndim)))
        weight = ops.broadcast_to(weight, predicted.shape)
    if label_weights is not None:
        labels = ops.broadcast_to(as_tensor(label_weights, predicted.type.dtype), predicted.shape)
        weight = labels if weight is None else weight * labels
    return weight


def _even(thresholds: Sequence[float]) -> bool:
    """Whether three thresholds or more are spread evenly from 0 to 1, but for rounding."""
    count = len(thresholds)
    return count > 2 and np.allclose(thresholds, np.arange(count) / (count - 1), atol=settings.epsilon())


def _above(labels: Tensor, predicted: Tensor, thresholds: Sequence[float]) -> Tensor:
    """The sum of the labels whose predictions are above each threshold, `[thresholds, columns]`."""
    limits = as_tensor(np.asarray(thresholds)[:, None, None], predicted.type.dtype)
    return ops.sum(ops.where(predicted > limits, labels, 0), axis=1)


def _above_even(labels: Tensor, predicted: Tensor, thresholds: Sequence[float]) -> Tensor:
    """`_above` of thresholds that are spread evenly from 0 to 1: a prediction is added in one place, and not in all.

    The sum over thresholds from the last one down then counts it at each that it is above.
    """
    count, columns = len(thresholds), int(labels.shape[1])
    place = ops.ceil(ops.clip(predicted, 0.0, 1.0) * (count - 1)) - 1
    if thresholds[0] < 0 or thresholds[-1] > 1:
        place = ops.maximum(place, 0.0)
    place = ops.cast(place, "int32") * columns + np.arange(columns, dtype="int32")
    sums = ops.segment_sum(ops.reshape(labels, (-1,)), ops.reshape(place, (-1,)), count * columns)
    return ops.flip(ops.cumsum(ops.flip(ops.reshape(sums, (count, columns)), axis=0), axis=0), axis=0)


def fraction(value: Any, name: str) -> float:
    """A number from 0 to 1.

    Raises:
        ArgumentError: if it is something else.
    """
    if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= value <= 1:
        raise ArgumentError(f"{name} is from 0 to 1", got=repr(value))
    return float(value)


class _AtGivenThresholds(CountingMetric):
    """The base class of metrics with thresholds as arguments."""

    def _prepare(self) -> None:
        given = self.init_thresholds
        default = 0.5 if self.top_k is None else _BELOW_ALL
        listed = list(given) if isinstance(given, list | tuple | np.ndarray) else [given]
        self.thresholds = [default] if given is None else [fraction(t, "thresholds") for t in listed]
        self._add_counts()


class _OneCount(_AtGivenThresholds):
    """The base class of counts."""

    def _name_of_variable(self, count: str) -> str:
        return "accumulator"

    def result(self) -> Any:
        """The count; a vector if there are several thresholds."""
        return self._shaped(self._counts[self._names[0]].value)


@exported(_MODULE)
@configured
class TruePositives(_OneCount):
    """The number of true positives."""

    thresholds: Any = None

    _names = ("true_positives",)


@exported(_MODULE)
@configured
class FalsePositives(_OneCount):
    """The number of false positives."""

    thresholds: Any = None

    _names = ("false_positives",)


@exported(_MODULE)
@configured
class TrueNegatives(_OneCount):
    """The number of true negatives."""

    thresholds: Any = None

    _names = ("true_negatives",)


@exported(_MODULE)
@configured
class FalseNegatives(_OneCount):
    """The number of false negatives."""

    thresholds: Any = None

    _names = ("false_negatives",)


@exported(_MODULE)
@configured
class Precision(_AtGivenThresholds):
    """The fraction of true positives among the predicted positives: `tp / (tp + fp)`.

    Raises:
        ArgumentError: if a threshold is not from 0 to 1.

    Example:

    >>> metric = Precision()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None

    _direction = "up"
    _names = ("true_positives", "false_positives")

    def result(self) -> Any:
        """The fraction, 0 without predicted positives; a vector if there are several thresholds."""
        return self._shaped(self._share("true_positives", "true_positives", "false_positives"))


@exported(_MODULE)
@configured
class Recall(_AtGivenThresholds):
    """The fraction of the positives that were predicted as such: `tp / (tp + fn)`.

    Raises:
        ArgumentError: if a threshold is not from 0 to 1.

    Example:

    >>> metric = Recall()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None

    _direction = "up"
    _names = ("true_positives", "false_negatives")

    def result(self) -> Any:
        """The fraction, 0 without positives; a vector if there are several thresholds."""
        return self._shaped(self._share("true_positives", "true_positives", "false_negatives"))
