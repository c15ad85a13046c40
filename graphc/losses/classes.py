"""Losses as classes."""

from __future__ import annotations

from typing import Any

from graphc.losses import functions
from graphc.losses.loss import LossFunctionWrapper
from graphc.registration import exported

_MODULE = "keras.losses"


@exported(_MODULE)
class MeanSquaredError(LossFunctionWrapper):
    """`mean(square(y_true - y_pred))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.

    Example:

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]).numpy().item()
    2.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_squared_error, reduction, name, dtype)


@exported(_MODULE)
class MeanAbsoluteError(LossFunctionWrapper):
    """`mean(abs(y_true - y_pred))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_absolute_error, reduction, name, dtype)


@exported(_MODULE)
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`100 * mean(abs((y_true - y_pred) / y_true))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_absolute_percentage_error, reduction, name, dtype)


@exported(_MODULE)
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean(square(log(y_true + 1) - log(y_pred + 1)))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_squared_logarithmic_error, reduction, name, dtype)


@exported(_MODULE)
class CosineSimilarity(LossFunctionWrapper):
    """The negative cosine of the angle between vectors.

    Args:
        axis: The axis of the vectors.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.negative_cosine_similarity, reduction, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal loss, as in Keras without the axis."""
        return {key: value for key, value in super().get_config().items() if key != "axis"}


@exported(_MODULE)
class Huber(LossFunctionWrapper):
    """`0.5 * d * d` for distances `d` up to `delta`, and `delta * (d - 0.5 * delta)` beyond.

    Args:
        delta: The distance at which the loss changes from quadratic to linear.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.

    Example:

    >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]]).numpy().item()
    1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.huber, reduction, name, dtype, delta=delta)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal loss."""
        return {key: value for key, value in super().get_config().items() if key not in ("delta",)}


@exported(_MODULE)
class LogCosh(LossFunctionWrapper):
    """`mean(log(cosh(y_pred - y_true)))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.log_cosh, reduction, name, dtype)


@exported(_MODULE)
class Hinge(LossFunctionWrapper):
    """`mean(max(1 - y_true * y_pred, 0))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.hinge, reduction, name, dtype)


@exported(_MODULE)
class SquaredHinge(LossFunctionWrapper):
    """`mean(square(max(1 - y_true * y_pred, 0)))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.squared_hinge, reduction, name, dtype)


@exported(_MODULE)
class CategoricalHinge(LossFunctionWrapper):
    """`max(neg - pos + 1, 0)`, `pos = sum(y_true * y_pred)`, `neg = max((1 - y_true) * y_pred)`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.categorical_hinge, reduction, name, dtype)


@exported(_MODULE)
class KLDivergence(LossFunctionWrapper):
    """`sum(y_true * log(y_true / y_pred))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.kl_divergence, reduction, name, dtype)


@exported(_MODULE)
class Poisson(LossFunctionWrapper):
    """`mean(y_pred - y_true * log(y_pred))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.poisson, reduction, name, dtype)


@exported(_MODULE)
class BinaryCrossentropy(LossFunctionWrapper):
    """`mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred))`.

    Args:
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis that the mean is over.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@exported(_MODULE)
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy in which correctly classified samples count less.

    Args:
        apply_class_balancing: Whether classes are weighted.
        alpha: The weight of class 1.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis that the mean is over.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@exported(_MODULE)
class CategoricalCrossentropy(LossFunctionWrapper):
    """`-sum(y_true * log(y_pred))` over the axis of classes.

    Args:
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@exported(_MODULE)
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy in which correctly classified samples count less.

    Args:
        alpha: A factor.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@exported(_MODULE)
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """`-log(y_pred[y_true])` along the axis of classes, for integer labels.

    Args:
        from_logits: Whether `y_pred` is logits.
        ignore_class: A label whose samples have a loss of 0.
        reduction: The reduction of the samples' losses, as of `Loss`.
        axis: The axis of the classes.
        name: Its name.
        dtype: As of `Loss`.

    Example:

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]])), 4)
    1.3863
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal loss."""
        return {key: value for key, value in super().get_config().items() if key not in ("axis",)}


@exported(_MODULE)
class Dice(LossFunctionWrapper):
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        axis: Axes of the sums.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.dice, reduction, name, dtype, axis=axis)


@exported(_MODULE)
class Tversky(LossFunctionWrapper):
    """One minus the Tversky index.

    Args:
        alpha: The weight of false positives.
        beta: The weight of false negatives.
        reduction: The reduction of the samples' losses, as of `Loss`.
        name: Its name.
        axis: Axes of the sums.
        dtype: As of `Loss`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
