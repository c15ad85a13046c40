"""Losses of samples, as functions of targets and predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from graphc import config as settings
from graphc import dtypes, ops
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide
from graphc.tracing import Tensor, as_tensor, cast, get_mask, set_mask


def same_rank(x: Tensor, y: Tensor, expand_vectors: bool = True) -> tuple[Tensor, Tensor]:
    """Two tensors of the same rank: a last axis of size 1 is dropped, or added to a vector."""
    if x.ndim == y.ndim + 1 and x.shape[-1] == 1:
        return (x, ops.expand_dims(y, -1)) if y.ndim == 1 and expand_vectors else (ops.squeeze(x, -1), y)
    if y.ndim == x.ndim + 1 and y.shape[-1] == 1:
        return (ops.expand_dims(x, -1), y) if x.ndim == 1 and expand_vectors else (x, ops.squeeze(y, -1))
    return x, y


def _in_wide(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorates a loss: it is computed in float32 if predictions are halves, and returned in their dtype."""

    @wraps(loss)
    def wrapped(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Tensor:
        predicted = in_float(y_pred)
        values = loss(y_true, in_wide(predicted), *args, **kwargs)
        narrow = cast(values, predicted.type.dtype)
        if narrow is not values:
            set_mask(narrow, get_mask(values))
        return narrow

    return wrapped


def _pair(y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Targets and predictions as floats of one rank; a number is the target of all predictions."""
    predicted = in_float(y_pred)
    wanted, predicted = same_rank(as_tensor(y_true, predicted.type.dtype), predicted)
    if wanted.ndim == 0:
        wanted = ops.reshape(wanted, (1,) * predicted.ndim)
    if wanted.ndim != predicted.ndim or any(
        isinstance(a, int) and isinstance(b, int) and a != b and 1 not in (a, b)
        for a, b in zip(wanted.shape, predicted.shape, strict=True)
    ):
        raise ShapeError(
            "targets and predictions differ in shape",
            got=f"targets {wanted.type}, predictions {predicted.type}",
            hint="give the model's last layer as many units as a target has numbers",
        )
    return wanted, predicted


@_in_wide
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(square(y_true - y_pred))` over the last axis.

    Args:
        y_true: Tensor of targets.
        y_pred: Tensor of predictions, of the same shape.

    Returns:
        A tensor without the last axis.

    Example:

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).numpy()
    array([2.5], dtype=float32)
    """
    wanted, predicted = _pair(y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(wanted, predicted)), axis=-1)


@_in_wide
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(abs(y_true - y_pred))` over the last axis; see `mean_squared_error` for arguments.

    Example:

    >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    wanted, predicted = _pair(y_true, y_pred)
    return ops.mean(ops.abs(ops.subtract(wanted, predicted)), axis=-1)


@_in_wide
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """`100 * mean(abs(y_true - y_pred) / max(abs(y_true), epsilon))` over the last axis."""
    wanted, predicted = _pair(y_true, y_pred)
    size = ops.maximum(ops.abs(wanted), settings.epsilon())
    return ops.multiply(100.0, ops.mean(ops.abs((wanted - predicted) / size), axis=-1))


@_in_wide
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(square(log(y_true + 1) - log(y_pred + 1)))` over the last axis."""
    wanted, predicted = (ops.log(ops.maximum(y, settings.epsilon()) + 1.0) for y in _pair(y_true, y_pred))
    return ops.mean(ops.square(wanted - predicted), axis=-1)


@_in_wide
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """`0.5 * d * d` where `d = abs(y_true - y_pred)` is at most `delta`, else `delta * (d - 0.5 * delta)`; the mean.

    (Huber, 1964)

    Example:

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    wanted, predicted = _pair(y_true, y_pred)
    distance = ops.abs(ops.subtract(predicted, wanted))
    far = delta * distance - 0.5 * delta * delta
    return ops.mean(ops.where(distance <= delta, 0.5 * ops.square(distance), far), axis=-1)


@_in_wide
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis, without overflow."""
    wanted, predicted = _pair(y_true, y_pred)
    distance = ops.subtract(predicted, wanted)
    return ops.mean(distance + ops.softplus(-2.0 * distance) - math.log(2.0), axis=-1)


@_in_wide
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The cosine of the angle between vectors along an axis: `sum(normalize(y_true) * normalize(y_pred))`."""
    wanted, predicted = _pair(y_true, y_pred)
    return ops.sum(ops.normalize(wanted, axis) * ops.normalize(predicted, axis), axis=axis)


@_in_wide
def negative_cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The negative cosine of the angle between vectors, to be minimized."""
    return ops.negative(cosine_similarity(y_true, y_pred, axis))


@_in_wide
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """`sum(y_true * log(y_true / y_pred))` over the last axis, with both clipped to `[epsilon, 1]`."""
    wanted, predicted = (ops.clip(y, settings.epsilon(), 1.0) for y in _pair(y_true, y_pred))
    return ops.sum(wanted * ops.log(wanted / predicted), axis=-1)


@_in_wide
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(y_pred - y_true * log(y_pred))` over the last axis."""
    wanted, predicted = _pair(y_true, y_pred)
    return ops.mean(predicted - wanted * ops.log(predicted + settings.epsilon()), axis=-1)


def _signed(labels: Tensor) -> Tensor:
    """Labels 0 and 1 converted to -1 and 1; other labels unchanged."""
    binary = ops.all(ops.logical_or(ops.equal(labels, 0), ops.equal(labels, 1)))
    return ops.where(binary, 2.0 * labels - 1.0, labels)


@_in_wide
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(max(1 - y_true * y_pred, 0))` over the last axis, for labels -1 and 1, or 0 and 1."""
    wanted, predicted = _pair(y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - _signed(wanted) * predicted, 0.0), axis=-1)


@_in_wide
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """`mean(square(max(1 - y_true * y_pred, 0)))` over the last axis, for labels -1 and 1, or 0 and 1."""
    wanted, predicted = _pair(y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - _signed(wanted) * predicted, 0.0)), axis=-1)


@_in_wide
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """`max(neg - pos + 1, 0)`, `pos = sum(y_true * y_pred)` and `neg = max((1 - y_true) * y_pred)`."""
    wanted, predicted = _pair(y_true, y_pred)
    positive = ops.sum(wanted * predicted, axis=-1)
    negative = ops.max((1.0 - wanted) * predicted, axis=-1)
    return ops.maximum(negative - positive + 1.0, 0.0)


@_in_wide
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """`-sum(y_true * log(y_pred))` over the axis of classes.

    Args:
        y_true: Tensor of the shape of `y_pred`: the target probabilities, such as one-hot labels.
        y_pred: Tensor of probabilities, or of logits.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction of each label's probability that is distributed over all classes, from 0 to 1.
        axis: The axis of the classes.

    Raises:
        ShapeError: if labels are integers, for which there is `sparse_categorical_crossentropy`.

    Example:

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    predicted = in_float(y_pred)
    wanted = as_tensor(y_true, predicted.type.dtype)
    if wanted.ndim != predicted.ndim or wanted.shape[-1] != predicted.shape[-1]:
        raise ShapeError(
            "categorical_crossentropy takes a probability for each class",
            got=f"targets {wanted.type}, predictions {predicted.type}",
            hint="use sparse_categorical_crossentropy for integer labels",
        )
    if label_smoothing:
        wanted = wanted * (1.0 - label_smoothing) + label_smoothing / int(predicted.shape[axis])
    return ops.categorical_crossentropy(wanted, predicted, from_logits, axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """`-log(y_pred[y_true])` along the axis of classes.

    Args:
        y_true: Tensor of integer labels.
        y_pred: Tensor of probabilities, or of logits, with one axis more.
        from_logits: Whether `y_pred` is logits.
        ignore_class: A label whose samples have a loss of 0, and are excluded from means. None: none.
        axis: The axis of the classes.

    Example:

    >>> sparse_categorical_crossentropy([1], [[0.75, 0.25]]).numpy()
    array([1.3862944], dtype=float32)
    """
    labels = as_tensor(y_true)
    if labels.type.dtype.is_float:
        labels = cast(labels, dtypes.int32)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(labels, y_pred, from_logits, axis)
    counted = ops.not_equal(labels, ignore_class)
    loss = ops.sparse_categorical_crossentropy(ops.where(counted, labels, 0), y_pred, from_logits, axis)
    counted = ops.reshape(counted, loss.shape)
    result = ops.where(counted, loss, 0.0)
    # Means then exclude the ignored samples.
    set_mask(result, counted)
    return result


@_in_wide
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """`mean(-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred))` over an axis.

    Args:
        y_true: Tensor of the shape of `y_pred`, of numbers from 0 to 1.
        y_pred: Tensor of probabilities, or of logits.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved from 0 and 1 towards a half, from 0 to 1.
        axis: The axis that the mean is over.

    Example:

    >>> binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([0.6931472], dtype=float32)
    """
    wanted, predicted = _pair(y_true, y_pred)
    if label_smoothing:
        wanted = wanted * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return ops.mean(ops.binary_crossentropy(wanted, predicted, from_logits), axis=axis)


@_in_wide
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross-entropy times `(1 - p) ** gamma`, `p` the probability of the true class (Lin et al., 2017).

    Args:
        y_true: Tensor of the shape of `y_pred`, of numbers from 0 to 1.
        y_pred: Tensor of probabilities, or of logits.
        apply_class_balancing: Whether class 1 has the weight `alpha` and class 0 `1 - alpha`.
        alpha: The weight of class 1.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction by which labels are moved from 0 and 1 towards a half.
        axis: The axis that the mean is over.
    """
    wanted, predicted = _pair(y_true, y_pred)
    if label_smoothing:
        wanted = wanted * (1.0 - label_smoothing) + 0.5 * label_smoothing
    probability = ops.sigmoid(predicted) if from_logits else predicted
    loss = ops.binary_crossentropy(wanted, probability)
    right = wanted * probability + (1.0 - wanted) * (1.0 - probability)
    loss = ops.power(1.0 - right, gamma) * loss
    if apply_class_balancing:
        loss = (wanted * alpha + (1.0 - wanted) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis=axis)


@_in_wide
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """`sum(-alpha * (1 - y_pred) ** gamma * y_true * log(y_pred))` over the axis of classes (Lin et al., 2017).

    Args:
        y_true: Tensor of the shape of `y_pred`, such as one-hot labels.
        y_pred: Tensor of probabilities, or of logits.
        alpha: A factor.
        gamma: The focusing parameter: the larger, the less correctly classified samples count.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: The fraction of each label's probability that is distributed over all classes.
        axis: The axis of the classes.
    """
    wanted, predicted = _pair(y_true, y_pred)
    if label_smoothing:
        wanted = wanted * (1.0 - label_smoothing) + label_smoothing / int(predicted.shape[axis])
    if from_logits:
        predicted = ops.softmax(predicted, axis)
    scaled = ops.divide(predicted, ops.sum(predicted, axis=axis, keepdims=True))
    held = ops.clip(scaled, settings.epsilon(), 1.0 - settings.epsilon())
    loss = alpha * ops.power(1.0 - held, gamma) * (-wanted * ops.log(held))
    return ops.sum(loss, axis=axis)


def _overlap(y_true: Any, y_pred: Any, axis: Any) -> tuple[Tensor, Tensor, Any]:
    wanted, predicted = _pair(y_true, y_pred)
    return wanted, predicted, axis


@_in_wide
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`, over axes or all elements."""
    wanted, predicted, axes = _overlap(y_true, y_pred, axis)
    both = ops.sum(wanted * predicted, axis=axes)
    total = ops.sum(wanted, axis=axes) + ops.sum(predicted, axis=axes)
    return ops.subtract(1.0, ops.divide(2.0 * both, total + settings.epsilon()))


@_in_wide
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """One minus the Tversky index `b / (b + alpha * missed + beta * wrong)` (Salehi et al., 2017).

    Here `b = sum(y_true * y_pred)`, `missed = sum(y_true * (1 - y_pred))` and `wrong = sum((1 - y_true) * y_pred)`.
    """
    wanted, predicted, axes = _overlap(y_true, y_pred, axis)
    both = ops.sum(wanted * predicted, axis=axes)
    wrong = ops.sum((1.0 - wanted) * predicted, axis=axes)
    missed = ops.sum(wanted * (1.0 - predicted), axis=axes)
    # As Keras computes it; what it documents is the other way round.
    total = both + missed * alpha + wrong * beta
    return ops.subtract(1.0, ops.divide(both, total + settings.epsilon()))


@_in_wide
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Tensor:
    """`(1 - p ** q) / q` with the probability `p` of the true class.

    Args:
        y_true: Integers, `[batch]`.
        y_pred: Probabilities, `[batch, classes]`.
        q: Between 0 and 1.
    """
    labels, probabilities = as_tensor(y_true), as_tensor(y_pred)
    if labels.ndim > 1 and labels.ndim == probabilities.ndim and labels.shape[-1] == 1:
        labels = ops.squeeze(labels, -1)
    true = ops.one_hot(ops.cast(labels, "int32"), probabilities.shape[-1], dtype=probabilities.dtype)
    return ops.divide(1 - ops.power(ops.sum(probabilities * true, axis=-1), q), q)


@_in_wide
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """The circle loss of embeddings: see the class `Circle`.

    Args:
        y_true: Integer labels, `[batch]`.
        y_pred: Embeddings of norm one, `[batch, size]`.
        ref_labels: The labels of the embeddings to compare with. None: `y_true`.
        ref_embeddings: These. None: `y_pred`.
        remove_diagonal: Whether the distance of an embedding from itself is left out.
        gamma: The factor of the distances.
        margin: How far embeddings of one label may be apart.
    """
    embeddings, labels = as_tensor(y_pred), ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    others = embeddings if ref_embeddings is None else as_tensor(ref_embeddings, embeddings.type.dtype)
    of_others = labels if ref_labels is None else ops.reshape(ops.cast(ref_labels, "int32"), (-1, 1))
    distances = ops.maximum(1 - ops.matmul(embeddings, ops.transpose(others)), 0.0)
    same = ops.equal(labels, ops.transpose(of_others))
    different = ops.logical_not(same)
    if remove_diagonal:
        rows, columns = (ops.reshape(ops.arange(x.shape[0]), (-1, 1)) for x in (labels, of_others))
        same = ops.logical_and(same, ops.not_equal(rows, ops.transpose(columns)))
    near = -gamma * (margin + distances) * (margin - distances)
    far = gamma * ops.maximum(1 + margin - distances, 0.0) * (1 - margin - distances)
    nothing = float("-inf")
    near, far = (ops.logsumexp(ops.where(w, x, nothing), axis=1) for w, x in ((same, near), (different, far)))
    loss = ops.softplus(near + far)
    set_mask(loss, ops.greater(loss, 0))
    return loss


@_in_wide
def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """The loss of connectionist temporal classification: see the class `CTC`.

    Args:
        y_true: Integer labels, `[batch, labels]`, padded with 0.
        y_pred: Logits, `[batch, times, classes]`; class 0 is the blank.

    Raises:
        ShapeError: if the ranks are others.
    """
    labels, logits = as_tensor(y_true), as_tensor(y_pred)
    if labels.ndim != 2 or logits.ndim != 3:
        raise ShapeError("ctc takes labels of rank 2 and logits of rank 3", got=f"{labels.type} and {logits.type}")
    lengths = ops.cast(ops.sum(ops.cast(ops.not_equal(labels, 0), "int32"), axis=-1), "int32")
    times = ops.broadcast_to(ops.cast(logits.shape[1], "int32"), lengths.shape)
    return ops.ctc_loss(labels, logits, lengths, times, mask_index=0)


def check_probability(name: str, value: float) -> float:
    """A number from 0 to 1.

    Raises:
        ArgumentError: if it is none.
    """
    if not 0 <= value <= 1:
        raise ArgumentError(f"{name} is a number from 0 to 1", got=repr(value))
    return value
