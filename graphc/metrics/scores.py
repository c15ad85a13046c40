"""F scores, the coefficient of determination, and correlations."""

from __future__ import annotations

from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.frames import warn
from graphc.losses.functions import same_rank
from graphc.metrics.metric import NamedMetric
from graphc.metrics.reductions import FunctionMetric
from graphc.ops.elementwise import in_float
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Tensor, Variable, as_tensor
from graphc.tracing.state import is_eager

_MODULE = "keras.metrics"


class _ByColumn(NamedMetric):
    """The base class of metrics of matrices, which have variables once the number of columns is known."""

    _direction = "up"
    _names: tuple[str, ...]
    _built = False

    def _matrices(self, y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
        wanted, predicted = same_rank(as_tensor(y_true, self._wide), as_tensor(y_pred, self._wide))
        if wanted.ndim != 2 or predicted.ndim != 2 or not isinstance(predicted.shape[-1], int):
            raise ShapeError(
                f"{type(self).__name__} takes matrices [samples, columns], with a known number of columns",
                got=f"targets {wanted.type}, predictions {predicted.type}",
            )
        if not self._built:
            self._sums: dict[str, Variable] = {
                name: self.add_variable(self._shape(predicted.shape[-1]), "zeros", name=name) for name in self._names
            }
            self._built = True
        return wanted, predicted

    def _shape(self, columns: int) -> tuple[int, ...]:
        return (columns,)


@exported(_MODULE)
@configured(name="fbeta_score")
class FBetaScore(_ByColumn):
    """`(1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall)` of each class.

    Args:
        average: What becomes of the scores of the classes: None (a vector of them), `"macro"` (their mean),
            `"weighted"` (their mean, weighted by how often a class occurs), or `"micro"` (the score of all classes'
            counts together).
        beta: A number above 0: how much more recall counts than precision.
        threshold: A number above 0, and 1 at most: predictions above it are 1. None: the largest of a sample is.

    Raises:
        ArgumentError: if an argument is unknown or out of range.
        ShapeError: if targets and predictions are no matrices.

    Example:

    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().numpy().round(4)
    array([0.3846, 0.9091, 0.8333], dtype=float32)
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None

    _names = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def _prepare(self) -> None:
        if self.average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(
                "unknown average", got=repr(self.average), expected="None, 'micro', 'macro' or 'weighted'"
            )
        if not isinstance(self.beta, float) or self.beta <= 0:
            raise ArgumentError("beta is a float above 0", got=repr(self.beta))
        limit = self.threshold
        if limit is not None and (not isinstance(limit, float) or not 0 < limit <= 1):
            raise ArgumentError("the threshold is a float above 0, and 1 at most", got=repr(limit))

    def _shape(self, columns: int) -> tuple[int, ...]:
        return () if self.average == "micro" else (columns,)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the counts with a batch.

        Args:
            y_true: Matrix of 0 and 1, `[samples, classes]`.
            y_pred: Matrix of probabilities, likewise.
            sample_weight: Vector with a weight for each sample. None: equal weights.
        """
        wanted, predicted = self._matrices(y_true, y_pred)
        if self.threshold is None:
            largest = ops.greater_equal(predicted, ops.max(predicted, axis=-1, keepdims=True))
            chosen = ops.logical_and(largest, ops.abs(predicted) > 1e-9)
        else:
            chosen = ops.greater(predicted, self.threshold)
        hits = ops.cast(chosen, self._wide.name)
        weight = None
        if sample_weight is not None:
            weight = as_tensor(sample_weight, self._wide)
            weight = ops.expand_dims(weight, 1) if weight.ndim == 1 else weight
        axis = None if self.average == "micro" else 0
        parts = (hits * wanted, hits * (1 - wanted), (1 - hits) * wanted, wanted)
        for name, part in zip(self._names, parts, strict=True):
            self._sums[name].assign_add(ops.sum(part if weight is None else part * weight, axis=axis))

    def result(self) -> Any:
        """The scores, or their average; 0 without batches."""
        if not self._built:
            return as_tensor(0.0, self._wide)
        found, wrong, missed, weights = (self._sums[name].value for name in self._names)
        small, square = settings.epsilon(), self.beta**2
        precision, recall = found / (found + wrong + small), found / (found + missed + small)
        scores = precision * recall / (square * precision + recall + small) * (1 + square)
        if self.average == "weighted":
            return ops.sum(scores * weights / (ops.sum(weights) + small))
        return scores if self.average is None else ops.mean(scores)


@exported(_MODULE)
@configured(without=("beta",), name="f1_score")
class F1Score(FBetaScore):
    """`2 * precision * recall / (precision + recall)` of each class: `FBetaScore` with a beta of 1.

    Args:
        average: As of `FBetaScore`.
        threshold: As of `FBetaScore`.

    Example:

    >>> metric = F1Score(threshold=0.5, average="micro")
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    beta = 1.0


@exported(_MODULE)
@configured(name="r2_score")
class R2Score(_ByColumn):
    """The coefficient of determination `1 - sum(square(y_true - y_pred)) / sum(square(y_true - mean(y_true)))`.

    Args:
        class_aggregation: What becomes of the scores of the columns: None (a vector of them), `"uniform_average"`
            (their mean) or `"variance_weighted_average"` (their mean, weighted by the variances of the targets).
        num_regressors: The number of independent variables, for the adjusted score. 0: the score itself.

    Raises:
        ArgumentError: if an argument is unknown or out of range.
        ShapeError: if targets and predictions are no matrices.

    Example:

    >>> metric = R2Score()
    >>> metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    >>> round(float(metric.result()), 4)
    0.5714
    """

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0

    _names = ("squared_sum", "sum", "residual", "count")

    def _prepare(self) -> None:
        known = (None, "uniform_average", "variance_weighted_average")
        if self.class_aggregation not in known:
            raise ArgumentError(
                "unknown class_aggregation", got=repr(self.class_aggregation), expected=", ".join(map(repr, known))
            )
        if self.num_regressors < 0:
            raise ArgumentError("num_regressors is 0 or more", got=repr(self.num_regressors))
        self.num_samples = self.add_variable((), "zeros", name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the sums with a batch.

        Args:
            y_true: Matrix of targets, `[samples, columns]`.
            y_pred: Matrix of predictions, likewise.
            sample_weight: Tensor with a weight for each sample, or each element. None: equal weights.
        """
        wanted, predicted = self._matrices(y_true, y_pred)
        weight = as_tensor(1 if sample_weight is None else sample_weight, self._wide)
        weight = ops.expand_dims(weight, 1) if weight.ndim == 1 else weight
        weight = ops.broadcast_to(weight, wanted.shape)
        parts = (wanted * wanted * weight, wanted * weight, ops.square(wanted - predicted) * weight, weight)
        for name, part in zip(self._names, parts, strict=True):
            self._sums[name].assign_add(ops.sum(part, axis=0))
        self.num_samples.assign_add(ops.sum(ops.ones_like(wanted)))

    def result(self) -> Any:
        """The scores, or their average; 0 without batches."""
        if not self._built:
            return as_tensor(0.0, self._wide)
        squares, total, residual, count = (self._sums[name].value for name in self._names)
        variance = squares - total * (total / count)
        scores = 1 - residual / variance
        scores = ops.where(ops.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.sum(variance * scores) / ops.sum(variance)
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, scores: Tensor) -> Tensor:
        """The scores less what further independent variables add by chance, if there are samples enough."""
        samples = self.num_samples.value
        left = samples - self.num_regressors - 1
        if is_eager() and float(left) <= 0:
            warn("there are too few samples for the adjusted R2Score: this is the score itself")
        return ops.where(left > 0, 1 - (1 - scores) * (samples - 1) / left, scores)


def _pair(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    predicted = in_float(y_pred)
    return same_rank(as_tensor(y_true, predicted.type.dtype), predicted)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """`mean((y_true - mean(y_true)) * (y_pred - mean(y_pred))) / (std(y_true) * std(y_pred))`.

    Args:
        y_true: Tensor of targets.
        y_pred: Tensor of predictions.
        axis: The axis of the means.

    Example:

    >>> pearson_correlation([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]]).numpy().round(4)
    array([1.], dtype=float32)
    """
    pair = [x - ops.mean(x, axis=axis, keepdims=True) for x in _pair(y_true, y_pred)]
    wanted, predicted = (x / ops.std(x, axis=axis, keepdims=True) for x in pair)
    return ops.mean(wanted * predicted, axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """`2 * cov(y_true, y_pred) / (var(y_true) + var(y_pred) + square(mean(y_true) - mean(y_pred)))` (Lin, 1989).

    Args:
        y_true: Tensor of targets.
        y_pred: Tensor of predictions.
        axis: The axis of the means.

    Example:

    >>> concordance_correlation([[0.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]]).numpy().round(4)
    array([0.5714], dtype=float32)
    """
    wanted, predicted = _pair(y_true, y_pred)
    mean, other = (ops.mean(x, axis=axis, keepdims=True) for x in (wanted, predicted))
    spread = sum(ops.var(x, axis=axis, keepdims=True) for x in (wanted - mean, predicted - other))
    shared = (wanted - mean) * (predicted - other)
    return ops.mean(2 * shared / (spread + ops.square(mean - other) + settings.epsilon()), axis=axis)


@exported(_MODULE)
@configured
class PearsonCorrelation(FunctionMetric):
    """The mean of Pearson's correlation of targets and predictions: see `pearson_correlation`.

    Args:
        axis: The axis of the samples' numbers.

    Example:

    >>> metric = PearsonCorrelation()
    >>> metric.update_state([[0.0, 1.0, 2.0]], [[1.0, 3.0, 5.0]])
    >>> round(float(metric.result()), 4)
    1.0
    """

    name: Any = "pearson_correlation"
    dtype: Any = None
    axis: int = -1

    _direction = "up"
    _function = staticmethod(pearson_correlation)


@exported(_MODULE)
@configured
class ConcordanceCorrelation(FunctionMetric):
    """The mean of the concordance correlation of targets and predictions: see `concordance_correlation`.

    Args:
        axis: The axis of the samples' numbers.

    Example:

    >>> metric = ConcordanceCorrelation()
    >>> metric.update_state([[0.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]])
    >>> round(float(metric.result()), 4)
    0.5714
    """

    name: Any = "concordance_correlation"
    dtype: Any = None
    axis: int = -1

    _direction = "up"
    _function = staticmethod(concordance_correlation)
