"""Losses as metrics: their mean over all samples."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.losses import functions
from graphc.metrics.reductions import FunctionMetric, Mean
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import as_tensor

_MODULE = "keras.metrics"


@exported(_MODULE)
@configured(name="mean_squared_error")
class MeanSquaredError(FunctionMetric):
    """The mean of squared errors."""

    _function = staticmethod(functions.mean_squared_error)


@exported(_MODULE)
@configured(name="mean_absolute_error")
class MeanAbsoluteError(FunctionMetric):
    """The mean of absolute errors."""

    _function = staticmethod(functions.mean_absolute_error)


@exported(_MODULE)
@configured(name="mean_absolute_percentage_error")
class MeanAbsolutePercentageError(FunctionMetric):
    """The mean of absolute errors in percent of the targets."""

    _function = staticmethod(functions.mean_absolute_percentage_error)


@exported(_MODULE)
@configured(name="mean_squared_logarithmic_error")
class MeanSquaredLogarithmicError(FunctionMetric):
    """The mean of squared errors of the logarithms."""

    _function = staticmethod(functions.mean_squared_logarithmic_error)


@exported(_MODULE)
@configured(name="logcosh")
class LogCoshError(FunctionMetric):
    """The mean of `log(cosh(error))`."""

    _function = staticmethod(functions.log_cosh)


@exported(_MODULE)
@configured(name="hinge")
class Hinge(FunctionMetric):
    """The mean of the hinge loss."""

    _function = staticmethod(functions.hinge)


@exported(_MODULE)
@configured(name="squared_hinge")
class SquaredHinge(FunctionMetric):
    """The mean of the squared hinge loss."""

    _function = staticmethod(functions.squared_hinge)


@exported(_MODULE)
@configured(name="categorical_hinge")
class CategoricalHinge(FunctionMetric):
    """The mean of the categorical hinge loss."""

    _function = staticmethod(functions.categorical_hinge)


@exported(_MODULE)
@configured(name="kl_divergence")
class KLDivergence(FunctionMetric):
    """The mean of the Kullback-Leibler divergence."""

    _function = staticmethod(functions.kl_divergence)


@exported(_MODULE)
@configured(name="poisson")
class Poisson(FunctionMetric):
    """The mean of the Poisson loss."""

    _function = staticmethod(functions.poisson)


@exported(_MODULE)
@configured
class CosineSimilarity(FunctionMetric):
    """The mean of the cosine of the angle between targets and predictions.

    Args:
        axis: The axis that vectors lie along.
    """

    name: Any = "cosine_similarity"
    dtype: Any = None
    axis: int = -1

    _direction = "up"
    _function = staticmethod(functions.cosine_similarity)


@exported(_MODULE)
@configured(name="root_mean_squared_error")
class RootMeanSquaredError(Mean):
    """The root of the mean of squared errors.

    Example:

    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([[0.0], [0.0]], [[3.0], [3.0]])
    >>> float(metric.result())
    3.0
    """

    _direction = "down"

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Updates the mean with a batch; see `MeanMetricWrapper`."""
        wanted, predicted = functions.same_rank(as_tensor(y_true, self._wide), as_tensor(y_pred, self._wide))
        super().update_state(ops.square(ops.subtract(wanted, predicted)), sample_weight)

    def result(self) -> Any:
        """The root of the mean."""
        return ops.sqrt(super().result())


@exported(_MODULE)
@configured
class BinaryCrossentropy(FunctionMetric):
    """The mean of the binary cross-entropy.

    Args:
        from_logits: Whether predictions are logits.
        label_smoothing: The fraction by which labels are moved towards a half.
    """

    name: Any = "binary_crossentropy"
    dtype: Any = None
    from_logits: bool = False
    label_smoothing: float = 0

    _function = staticmethod(functions.binary_crossentropy)


@exported(_MODULE)
@configured
class CategoricalCrossentropy(FunctionMetric):
    """The mean of the cross-entropy with one-hot labels.

    Args:
        from_logits: Whether predictions are logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
    """

    name: Any = "categorical_crossentropy"
    dtype: Any = None
    from_logits: bool = False
    label_smoothing: float = 0
    axis: int = -1

    _function = staticmethod(functions.categorical_crossentropy)


@exported(_MODULE)
@configured
class SparseCategoricalCrossentropy(FunctionMetric):
    """The mean of the cross-entropy with integer labels.

    Args:
        from_logits: Whether predictions are logits.
        ignore_class: A label whose samples have a cross-entropy of 0.
        axis: The axis of the classes.
    """

    name: Any = "sparse_categorical_crossentropy"
    dtype: Any = None
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1

    _function = staticmethod(functions.sparse_categorical_crossentropy)
