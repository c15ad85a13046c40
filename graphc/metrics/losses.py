"""Losses as metrics: their mean over all samples."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.losses import functions
from graphc.metrics.reductions import Mean, MeanMetricWrapper
from graphc.registration import exported
from graphc.tracing import as_tensor

_MODULE = "keras.metrics"


@exported(_MODULE)
class MeanSquaredError(MeanMetricWrapper):
    """The mean of squared errors.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_error, name, dtype)


@exported(_MODULE)
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of absolute errors.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_error, name, dtype)


@exported(_MODULE)
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of absolute errors in percent of the targets.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_percentage_error, name, dtype)


@exported(_MODULE)
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of squared errors of the logarithms.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_logarithmic_error, name, dtype)


@exported(_MODULE)
class LogCoshError(MeanMetricWrapper):
    """The mean of `log(cosh(error))`.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(functions.log_cosh, name, dtype)


@exported(_MODULE)
class Hinge(MeanMetricWrapper):
    """The mean of the hinge loss.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(functions.hinge, name, dtype)


@exported(_MODULE)
class SquaredHinge(MeanMetricWrapper):
    """The mean of the squared hinge loss.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(functions.squared_hinge, name, dtype)


@exported(_MODULE)
class CategoricalHinge(MeanMetricWrapper):
    """The mean of the categorical hinge loss.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(functions.categorical_hinge, name, dtype)


@exported(_MODULE)
class KLDivergence(MeanMetricWrapper):
    """The mean of the Kullback-Leibler divergence.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(functions.kl_divergence, name, dtype)


@exported(_MODULE)
class Poisson(MeanMetricWrapper):
    """The mean of the Poisson loss.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
    """

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(functions.poisson, name, dtype)


@exported(_MODULE)
class CosineSimilarity(MeanMetricWrapper):
    """The mean of the cosine of the angle between targets and predictions.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
        axis: The axis that vectors lie along.
    """

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(functions.cosine_similarity, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric, as in Keras without the axis."""
        return {key: value for key, value in super().get_config().items() if key != "axis"}


@exported(_MODULE)
class RootMeanSquaredError(Mean):
    """The root of the mean of squared errors.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.

    Example:

    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([[0.0], [0.0]], [[3.0], [3.0]])
    >>> float(metric.result())
    3.0
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

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
class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of the binary cross-entropy.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
        from_logits: Whether predictions are logits.
        label_smoothing: The fraction by which labels are moved towards a half.
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(functions.binary_crossentropy, name, dtype, **options)


@exported(_MODULE)
class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of the cross-entropy with one-hot labels.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
        from_logits: Whether predictions are logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(functions.categorical_crossentropy, name, dtype, **options)


@exported(_MODULE)
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of the cross-entropy with integer labels.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.
        from_logits: Whether predictions are logits.
        ignore_class: Not supported yet.
        axis: The axis of the classes.

    Raises:
        ArgumentError: if a class is to be ignored.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        if ignore_class is not None:
            raise ArgumentError("ignore_class is not supported yet in metrics", got=ignore_class)
        super().__init__(functions.sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, axis=axis)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return {**super().get_config(), "ignore_class": None}
