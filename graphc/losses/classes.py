"""Losses as classes: each declares the arguments of its function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphc.errors import ArgumentError, CallError
from graphc.losses import functions
from graphc.losses.loss import LossFunctionWrapper
from graphc.parameters import configured, declared_of
from graphc.registration import exported

_MODULE = "keras.losses"


class FunctionLoss(LossFunctionWrapper):
    """The base class of losses whose function is known; the arguments that they declare are its options."""

    _function: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        reduction: Any = "sum_over_batch_size",
        name: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise CallError(f"{type(self).__name__} takes no such argument", got=", ".join(kwargs))
        super().__init__(type(self)._function, reduction, name, dtype)

    def _prepare(self) -> None:
        options = [name for name in declared_of(type(self)) if name not in ("reduction", "name", "dtype")]
        self._fn_kwargs = {name: getattr(self, name) for name in options}


@exported(_MODULE)
@configured(name="mean_squared_error")
class MeanSquaredError(FunctionLoss):
    """`mean(square(y_true - y_pred))`.

    Example:

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]).numpy().item()
    2.5
    """

    _function = staticmethod(functions.mean_squared_error)


@exported(_MODULE)
@configured(name="mean_absolute_error")
class MeanAbsoluteError(FunctionLoss):
    """`mean(abs(y_true - y_pred))`."""

    _function = staticmethod(functions.mean_absolute_error)


@exported(_MODULE)
@configured(name="mean_absolute_percentage_error")
class MeanAbsolutePercentageError(FunctionLoss):
    """`100 * mean(abs((y_true - y_pred) / y_true))`."""

    _function = staticmethod(functions.mean_absolute_percentage_error)


@exported(_MODULE)
@configured(name="mean_squared_logarithmic_error")
class MeanSquaredLogarithmicError(FunctionLoss):
    """`mean(square(log(y_true + 1) - log(y_pred + 1)))`."""

    _function = staticmethod(functions.mean_squared_logarithmic_error)


@exported(_MODULE)
@configured(name="cosine_similarity")
class CosineSimilarity(FunctionLoss):
    """The negative cosine of the angle between vectors.

    Args:
        axis: The axis of the vectors.
    """

    axis: int = -1

    _function = staticmethod(functions.negative_cosine_similarity)


@exported(_MODULE)
@configured(name="huber_loss")
class Huber(FunctionLoss):
    """`0.5 * d * d` for distances `d` up to `delta`, and `delta * (d - 0.5 * delta)` beyond.

    Args:
        delta: The distance at which the loss changes from quadratic to linear.

    Example:

    >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]]).numpy().item()
    1.5
    """

    delta: float = 1.0

    _function = staticmethod(functions.huber)


@exported(_MODULE)
@configured(name="log_cosh")
class LogCosh(FunctionLoss):
    """`mean(log(cosh(y_pred - y_true)))`."""

    _function = staticmethod(functions.log_cosh)


@exported(_MODULE)
@configured(name="hinge")
class Hinge(FunctionLoss):
    """`mean(max(1 - y_true * y_pred, 0))`."""

    _function = staticmethod(functions.hinge)


@exported(_MODULE)
@configured(name="squared_hinge")
class SquaredHinge(FunctionLoss):
    """`mean(square(max(1 - y_true * y_pred, 0)))`."""

    _function = staticmethod(functions.squared_hinge)


@exported(_MODULE)
@configured(name="categorical_hinge")
class CategoricalHinge(FunctionLoss):
    """`max(neg - pos + 1, 0)`, `pos = sum(y_true * y_pred)`, `neg = max((1 - y_true) * y_pred)`."""

    _function = staticmethod(functions.categorical_hinge)


@exported(_MODULE)
@configured(name="kl_divergence")
class KLDivergence(FunctionLoss):
    """`sum(y_true * log(y_true / y_pred))`."""

    _function = staticmethod(functions.kl_divergence)


@exported(_MODULE)
@configured(name="poisson")
class Poisson(FunctionLoss):
    """`mean(y_pred - y_true * log(y_pred))`."""

    _function = staticmethod(functions.poisson)


@exported(_MODULE)
@configured(name="binary_crossentropy")
class BinaryCrossentropy(FunctionLoss):
    """`mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred))`.

    Args:
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis that the mean is over.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    _function = staticmethod(functions.binary_crossentropy)


@exported(_MODULE)
@configured(name="binary_focal_crossentropy")
class BinaryFocalCrossentropy(FunctionLoss):
    """Binary cross-entropy in which correctly classified samples count less.

    Args:
        apply_class_balancing: Whether classes are weighted.
        alpha: The weight of class 1.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis that the mean is over.
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    _function = staticmethod(functions.binary_focal_crossentropy)


@exported(_MODULE)
@configured(name="categorical_crossentropy")
class CategoricalCrossentropy(FunctionLoss):
    """`-sum(y_true * log(y_pred))` over the axis of classes.

    Args:
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    _function = staticmethod(functions.categorical_crossentropy)


@exported(_MODULE)
@configured(name="categorical_focal_crossentropy")
class CategoricalFocalCrossentropy(FunctionLoss):
    """Categorical cross-entropy in which correctly classified samples count less.

    Args:
        alpha: A factor.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved towards equal probabilities.
        axis: The axis of the classes.
    """

    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    _function = staticmethod(functions.categorical_focal_crossentropy)


@exported(_MODULE)
@configured
class SparseCategoricalCrossentropy(FunctionLoss):
    """`-log(y_pred[y_true])` along the axis of classes, for integer labels.

    Args:
        from_logits: Whether `y_pred` is logits.
        ignore_class: A label whose samples have a loss of 0.
        axis: The axis of the classes.

    Example:

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]])), 4)
    1.3863
    """

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: str | None = "sum_over_batch_size"
    axis: int = -1
    name: Any = "sparse_categorical_crossentropy"
    dtype: Any = None

    _function = staticmethod(functions.sparse_categorical_crossentropy)


@exported(_MODULE)
@configured
class Dice(FunctionLoss):
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        axis: Axes of the sums.
    """

    reduction: str | None = "sum_over_batch_size"
    name: Any = "dice"
    axis: Any = None
    dtype: Any = None

    _function = staticmethod(functions.dice)


@exported(_MODULE)
@configured
class Tversky(FunctionLoss):
    """One minus the Tversky index: see `tversky`.

    Args:
        alpha: The weight of what predictions miss.
        beta: The weight of what they wrongly have.
        axis: Axes of the sums.
    """

    alpha: float = 0.5
    beta: float = 0.5
    reduction: str | None = "sum_over_batch_size"
    name: Any = "tversky"
    axis: Any = None
    dtype: Any = None

    _function = staticmethod(functions.tversky)


@exported(_MODULE)
@configured(name="circle")
class Circle(FunctionLoss):
    """The circle loss of embeddings, which pulls those of one label together and pushes others apart.

    `log(1 + sum(exp(gamma * n * (1 - margin - d_n))) * sum(exp(-gamma * p * (margin - d_p))))` for each embedding, with
    its distances `d_p` from those of the same label and `d_n` from others, `p = margin + d_p` and
    `n = max(1 + margin - d_n, 0)` (Sun et al., 2020).

    Args:
        gamma: The factor of the distances.
        margin: How far embeddings of one label may be apart.
        remove_diagonal: Whether the distance of an embedding from itself is left out.

    Example:

    >>> round(float(Circle(gamma=1.0)([0, 0], [[1.0, 0.0], [1.0, 0.0]])), 4)
    0.0
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True

    _function = staticmethod(functions.circle)


@exported(_MODULE)
@configured(name="categorical_generalized_cross_entropy")
class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """`(1 - p ** q) / q` with the probability `p` of the true class (Zhang and Sabuncu, 2018): for wrong labels.

    Args:
        q: From the cross-entropy (near 0) to the absolute error (near 1).

    Raises:
        ArgumentError: if `q` is not between 0 and 1.

    Example:

    >>> float(CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]]))
    1.0
    """

    q: float = 0.5

    _function = staticmethod(functions.categorical_generalized_cross_entropy)

    def _prepare(self) -> None:
        if not 0 < self.q < 1:
            raise ArgumentError("q is a number between 0 and 1", got=repr(self.q))
        super()._prepare()


@exported(_MODULE)
@configured(name="ctc")
class CTC(FunctionLoss):
    """The loss of connectionist temporal classification: `-log P(y_true)` of sequences (Graves et al., 2006).

    Labels are from 1 on; 0 is padding, and the blank in `y_pred`, which are logits.

    Example:

    >>> from graphc import ops
    >>> round(float(CTC()([[1, 2]], ops.zeros((1, 3, 3)))), 4)
    1.6864
    """

    _function = staticmethod(functions.ctc)
