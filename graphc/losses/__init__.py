"""Losses: by name, as functions and as classes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphc.losses.classes import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from graphc.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    ctc,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)
from graphc.losses.functions import negative_cosine_similarity as cosine_similarity
from graphc.losses.loss import Loss, LossFunctionWrapper
from graphc.losses.short_names import (
    KLD,
    MAE,
    MAPE,
    MSE,
    MSLE,
    Reduction,
    kld,
    kullback_leibler_divergence,
    logcosh,
    mae,
    mape,
    mse,
    msle,
)
from graphc.registration import deserialize_keras_object, exported_functions, resolve, serialize_keras_object

_CLASSES = (
    *(BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy),
    *(CategoricalHinge, CosineSimilarity, Dice, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError),
    *(MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson),
    *(SparseCategoricalCrossentropy, SquaredHinge, Tversky, Circle, CategoricalGeneralizedCrossEntropy, CTC),
)
_FUNCTIONS = (
    *(binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy),
    *(categorical_hinge, dice, hinge, huber, kl_divergence, log_cosh, mean_absolute_error),
    *(mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error, poisson),
    *(sparse_categorical_crossentropy, squared_hinge, tversky, circle, categorical_generalized_cross_entropy, ctc),
)
_SHORT = {
    "mse": mean_squared_error,
    "MSE": mean_squared_error,
    "mae": mean_absolute_error,
    "MAE": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "MAPE": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
    "MSLE": mean_squared_logarithmic_error,
    "kld": kl_divergence,
    "KLD": kl_divergence,
    "bce": binary_crossentropy,
    "BCE": binary_crossentropy,
    "logcosh": log_cosh,
    "cosine_similarity": cosine_similarity,
    "cosine_distance": cosine_similarity,
}
exported_functions(_FUNCTIONS)
_NAMES: Mapping[str, Any] = MappingProxyType(
    {
        **{function.__name__: function for function in _FUNCTIONS},
        **{cls.__name__: cls for cls in _CLASSES},
        **_SHORT,
    }
)


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration, a class or a function to a loss; a name resolves to the function.

    Raises:
        ArgumentError: if it cannot be resolved; the message has the nearest names.

    Example:

    >>> get("mse").__name__
    'mean_squared_error'
    """
    return resolve("loss", identifier, _NAMES)


def serialize(loss: Any) -> Any:
    """A loss as a configuration."""
    name = getattr(loss, "__name__", None)
    return name if name is not None and _NAMES.get(name) is loss else serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """The loss that a configuration describes."""
    return get(name) if isinstance(name, str) else deserialize_keras_object(name, custom_objects)


__all__ = [
    "CTC",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "Reduction",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
