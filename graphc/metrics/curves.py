"""Metrics of curves: areas below them, and the best of one quantity while another is large enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.metrics.confusion import CountingMetric, fraction, update_counts
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Tensor, as_tensor

_MODULE = "keras.metrics"
_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "majoring", "minoring")
# What counts a fraction is of: the count, and those whose sum it is divided by.
_RECALL = ("true_positives", "true_positives", "false_negatives")
_PRECISION = ("true_positives", "true_positives", "false_positives")
_SPECIFICITY = ("true_negatives", "true_negatives", "false_positives")
_FALSE_POSITIVE_RATE = ("false_positives", "false_positives", "true_negatives")


class _BestWhere(CountingMetric):
    """The base class of the largest fraction at those thresholds where another one has a least value."""

    _direction = "up"
    _best: ClassVar[tuple[str, ...]]
    _limited: ClassVar[tuple[str, ...]]
    _limit: ClassVar[str]
    num_thresholds: int

    def _prepare(self) -> None:
        self.value = fraction(getattr(self, self._limit), self._limit)
        count = self.num_thresholds
        if count <= 0:
            raise ArgumentError("num_thresholds is an integer above 0", got=repr(count))
        self.thresholds = [0.5] if count == 1 else [i / (count - 1) for i in range(count)]
        self._add_counts()

    def result(self) -> Any:
        """The largest fraction; 0 if the other one never is large enough."""
        large = ops.greater_equal(self._share(*self._limited), self.value)
        return ops.max(ops.where(large, self._share(*self._best), 0.0))


@exported(_MODULE)
@configured
class SensitivityAtSpecificity(_BestWhere):
    """The best sensitivity `tp / (tp + fn)` at thresholds with a specificity `tn / (tn + fp)` of at least some value.

    Args:
        specificity: The value, from 0 to 1.

    Raises:
        ArgumentError: if an argument is out of range.

    Example:

    >>> metric = SensitivityAtSpecificity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    specificity: float
    num_thresholds: int = 200
    class_id: int | None = None

    _best, _limited, _limit = _RECALL, _SPECIFICITY, "specificity"


@exported(_MODULE)
@configured
class SpecificityAtSensitivity(_BestWhere):
    """The best specificity `tn / (tn + fp)` at thresholds with a sensitivity `tp / (tp + fn)` of at least some value.

    Args:
        sensitivity: The value, from 0 to 1.

    Raises:
        ArgumentError: if an argument is out of range.

    Example:

    >>> metric = SpecificityAtSensitivity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    sensitivity: float
    num_thresholds: int = 200
    class_id: int | None = None

    _best, _limited, _limit = _SPECIFICITY, _RECALL, "sensitivity"


@exported(_MODULE)
@configured
class PrecisionAtRecall(_BestWhere):
    """The best precision `tp / (tp + fp)` at thresholds with a recall `tp / (tp + fn)` of at least some value.

    Args:
        recall: The value, from 0 to 1.

    Raises:
        ArgumentError: if an argument is out of range.

    Example:

    >>> metric = PrecisionAtRecall(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    recall: float
    num_thresholds: int = 200
    class_id: int | None = None

    _best, _limited, _limit = _PRECISION, _RECALL, "recall"


@exported(_MODULE)
@configured
class RecallAtPrecision(_BestWhere):
    """The best recall `tp / (tp + fn)` at thresholds with a precision `tp / (tp + fp)` of at least some value.

    Args:
        precision: The value, from 0 to 1.

    Raises:
        ArgumentError: if an argument is out of range.

    Example:

    >>> metric = RecallAtPrecision(0.8)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.5
    """

    precision: float
    num_thresholds: int = 200
    class_id: int | None = None

    _best, _limited, _limit = _RECALL, _PRECISION, "precision"


def _choice(value: Any, known: Sequence[str], name: str) -> str:
    """A name from a list; a member of an enumeration of them is one, too."""
    text = getattr(value, "value", value)
    for choice in known:
        if text in (choice, choice.lower(), choice.capitalize()):
            return choice
    raise ArgumentError(f"unknown {name} of AUC", got=repr(value), expected=", ".join(known))


@exported(_MODULE)
@configured
class AUC(CountingMetric):
    """The area under a curve, approximated by a sum over thresholds.

    The curve is `"ROC"` (sensitivity over the rate of false positives), `"PR"` (precision over recall) or `"PRGAIN"`
    (their gains over always predicting 1: Flach and Kull, 2015).

    Args:
        curve: The curve.
        summation_method: `"interpolation"` (trapezoids; for `"PR"` with interpolated true positives: Davis and
            Goadrich, 2006), `"minoring"` (the lower of two heights) or `"majoring"` (the larger).
        thresholds: Thresholds from 0 to 1 in place of `num_thresholds`; 0 and 1 are added.
        multi_label: Whether `y_pred` is `[samples, labels]`, and the result the mean of the labels' areas.
        num_labels: The number of labels, if `multi_label`. None: as in the first batch.
        label_weights: A weight for each label: of its area if `multi_label`, else of its predictions.
        from_logits: Whether `y_pred` is logits.

    Raises:
        ArgumentError: if an argument is unknown or out of range.
        ShapeError: if `multi_label` and the predictions are no matrix.

    Example:

    >>> metric = AUC(num_thresholds=3)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.75
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: Any = None
    dtype: Any = None
    thresholds: Any = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Any = None
    from_logits: bool = False

    _direction = "up"
    _unwritten = ("thresholds",)

    def _prepare(self) -> None:
        self.curve = _choice(self.curve, _CURVES, "curve")
        self.summation_method = _choice(self.summation_method, _METHODS, "summation_method")
        if self.init_thresholds is None:
            if self.num_thresholds <= 1:
                raise ArgumentError("num_thresholds is an integer above 1", got=repr(self.num_thresholds))
            inner = [i / (self.num_thresholds - 1) for i in range(1, self.num_thresholds - 1)]
        else:
            inner = sorted(fraction(t, "thresholds") for t in self.init_thresholds)
            self.init_thresholds = inner
            self.num_thresholds = len(inner) + 2
        # A prediction of 0 is above the first, one of 1 is not above the last.
        self.thresholds = [-settings.epsilon(), *inner, 1 + settings.epsilon()]
        if self.num_labels and not self.multi_label:
            raise ArgumentError("num_labels of AUC is for multi_label=True", got=repr(self.num_labels))
        self._built = not self.multi_label or bool(self.num_labels)
        if self._built:
            self._add_counts(*([self.num_labels] if self.num_labels else []))

    def _build(self, predicted: Tensor) -> None:
        if predicted.ndim != 2 or not isinstance(predicted.shape[-1], int):
            raise ShapeError(
                "predictions are a matrix where multi_label is True",
                got=str(predicted.type),
                expected="[samples, labels]",
            )
        self._add_counts(predicted.shape[-1])
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the counts with a batch.

        Args:
            y_true: Tensor of 0 and 1.
            y_pred: Tensor of probabilities, or of logits, of the same shape.
            sample_weight: Tensor with a weight for each sample, or each element. None: equal weights.
        """
        predicted = as_tensor(y_pred, self._wide)
        if not self._built:
            self._build(predicted)
        if self.from_logits:
            predicted = ops.sigmoid(predicted)
        update_counts(
            self._counts,
            y_true,
            predicted,
            self.thresholds,
            sample_weight,
            by_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )

    def result(self) -> Any:
        """The area; 0 without batches."""
        if not self._built:
            return as_tensor(0.0, self._wide)
        interpolated = self.summation_method == "interpolation"
        if self.curve == "PR" and interpolated:
            return self.interpolate_pr_auc()
        x, y = self._points()
        combine = {"minoring": ops.minimum, "majoring": ops.maximum}.get(self.summation_method, _middle)
        return self._of_labels((x[:-1] - x[1:]) * combine(y[:-1], y[1:]))

    def interpolate_pr_auc(self) -> Tensor:
        """The area under the curve of precision and recall, with interpolated true positives."""
        return self._of_labels(self._pr_increments())

    def _of_labels(self, parts: Tensor) -> Tensor:
        """The area, or the mean of the labels' areas, of the parts between thresholds."""
        areas = ops.sum(parts, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = as_tensor(self.label_weights, areas.type.dtype)
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))

    def _points(self) -> tuple[Tensor, Tensor]:
        """The points of the curve."""
        if self.curve == "ROC":
            return self._share(*_FALSE_POSITIVE_RATE), self._share(*_RECALL)
        if self.curve == "PR":
            return self._share(*_RECALL), self._share(*_PRECISION)
        tp, fp, tn, fn = (self._counts[name].value for name in self._names)
        odds = ops.divide_no_nan(tp + fn, tn + fp)
        recall_gain = 1 - odds * ops.divide_no_nan(fn, tp)
        precision_gain = 1 - odds * ops.divide_no_nan(fp, tp)
        none = ops.equal(tp, 0.0)
        return ops.maximum(ops.where(none, 0.0, recall_gain), 0.0), ops.where(none, 1.0, precision_gain)

    def _pr_increments(self) -> Tensor:
        """The areas under the curve of precision and recall, where true positives are linear between thresholds."""
        tp, fp, _, fn = (self._counts[name].value for name in self._names)
        positives = tp + fp
        gained = tp[:-1] - tp[1:]
        slope = ops.divide_no_nan(gained, ops.maximum(positives[:-1] - positives[1:], 0.0))
        start = tp[1:] - slope * positives[1:]
        some = ops.logical_and(positives[:-1] > 0, positives[1:] > 0)
        ratio = ops.where(some, ops.divide_no_nan(positives[:-1], positives[1:]), 1.0)
        return ops.divide_no_nan(slope * (gained + start * ops.log(ratio)), ops.maximum(tp[1:] + fn[1:], 0.0))


def _middle(a: Tensor, b: Tensor) -> Tensor:
    return ops.divide(a + b, 2)
