"""Estimators with ready-made models: linear, deep, both together, convolutional, and a baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc import layers, optimizers
from graphc.errors import ArgumentError, DataError
from graphc.estimators.base import Estimator, optimizer_of
from graphc.estimators.networks import Builder, Reading, statistics
from graphc.estimators.targets import Classifier, Regressor
from graphc.tracing import Array, describe, user_line


@dataclass(kw_only=True, eq=False, repr=False)
class _Linear(Estimator):
    """A linear model.

    Args:
        feature_columns: The names or positions of the columns that are used. None: all.
        l2: The factor of the sum of the squares of the weights in the loss.
    """

    optimizer: Any = "ftrl"
    feature_columns: Any = None
    l2: float = 0.0

    _rate = 0.5

    def _outputs(self, build: Builder, reading: Reading, features: dict[str, Any], outputs: int) -> Any:
        return build.linear(reading, features, outputs)


@dataclass(kw_only=True, eq=False, repr=False)
class _DNN(Estimator):
    """A multilayer perceptron.

    Args:
        hidden_units: The number of units of each hidden layer.
        activation: The activation of hidden layers.
        dropout: The share of hidden units that a training step leaves out.
        batch_norm: Whether hidden layers are batch normalized.
        feature_columns: The names or positions of the columns that are used. None: all.
        l2: The factor of the sum of the squares of the weights in the loss.
    """

    hidden_units: Sequence[int] = field(default=(64, 32), kw_only=False)
    activation: Any = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    feature_columns: Any = None
    l2: float = 0.0

    def _outputs(self, build: Builder, reading: Reading, features: dict[str, Any], outputs: int) -> Any:
        return build.deep(reading, features, outputs, self.hidden_units, self.activation, self.dropout, self.batch_norm)


@dataclass(kw_only=True, eq=False, repr=False)
class _Combined(_DNN):
    """The sum of a linear model and a multilayer perceptron (Cheng et al., "Wide & Deep Learning", 2016).

    Args:
        linear_optimizer: The optimizer of the linear model, by name or an optimizer. None: `optimizer`.
    """

    linear_optimizer: Any = None

    def _outputs(self, build: Builder, reading: Reading, features: dict[str, Any], outputs: int) -> Any:
        wide = build.linear(reading, features, outputs)
        return layers.Add(name="wide_and_deep")([wide, super()._outputs(build, reading, features, outputs)])

    def _optimizer(self) -> Any:
        deep = super()._optimizer()
        if self.linear_optimizer is None:
            return deep
        linear = optimizer_of(self.linear_optimizer, self.learning_rate, _Linear._rate)
        return optimizers.MultiOptimizer(optimizers.OptimizerMap(deep, {"linear.*": linear}))


@dataclass(kw_only=True, eq=False, repr=False)
class _CNN(Estimator):
    """A convolutional network for images: convolutions with pooling, then hidden layers.

    Args:
        image_shape: The shape of an image, `(height, width)` or `(height, width, channels)`, if rows are flat. None: it
            is that of the data; flat rows of a square number of columns are square images, others are one pixel high.
        filters: The number of filters of each convolution.
        kernel_size: The size of their kernels.
        hidden_units: The number of units of each hidden layer.
        activation: The activation of convolutions and hidden layers.
        dropout: The share of hidden units that a training step leaves out.
        batch_norm: Whether convolutions and hidden layers are batch normalized.
        l2: The factor of the sum of the squares of the weights in the loss.
    """

    image_shape: Any = None
    filters: Sequence[int] = (32, 64)
    kernel_size: int = 3
    hidden_units: Sequence[int] = (128,)
    activation: Any = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    l2: float = 0.0

    def _array_options(self) -> dict[str, Any]:
        return {"dtype": "numeric", "ensure_all_finite": True}

    def _checked(self, X: Any, y: Any, reset: bool, with_targets: bool = True) -> tuple[Any, Any]:
        """As of other estimators, for flat images; their shape is kept."""
        shape = tuple(getattr(X, "shape", ()))
        if reset:
            self._given_shape = shape[1:] if len(shape) > 2 else None
        return super()._checked(np.reshape(X, (shape[0], -1)) if len(shape) > 2 else X, y, reset, with_targets)

    def _learn_inputs(self, X: Any, weight: Array | None) -> tuple[Any, dict[str, Array]]:
        self._shape = self._shape_of(np.asarray(X))
        inputs = self._read(X)
        rows = inputs["images"].reshape(len(X), -1)
        # All pixels of all images have one mean and one deviation.
        mean, _ = statistics(rows.mean(1, keepdims=True), weight)
        square, _ = statistics(((rows - mean) ** 2).mean(1, keepdims=True), weight)
        return (float(mean[0]), math.sqrt(square[0]) or 1.0), inputs

    def _shape_of(self, X: Array) -> tuple[int, int, int]:
        shape = tuple(self.image_shape or self._given_shape or X.shape[1:])
        if len(shape) == 1:
            side = math.isqrt(shape[0])
            shape = (side, side) if side * side == shape[0] else (1, shape[0])
        shape = (*shape, 1) if len(shape) == 2 else shape
        if len(shape) != 3 or math.prod(shape) != math.prod(X.shape[1:]):
            raise ArgumentError(
                "the data are no images of this shape",
                where=describe(user_line()),
                got=f"rows of shape {X.shape[1:]}",
                expected=f"images of shape {shape}",
            )
        return shape

    def _read(self, X: Any) -> dict[str, Array]:
        images = np.asarray(X)
        if images.dtype.kind not in "biuf":
            raise DataError("images are numbers", where=describe(user_line()), got=f"dtype {images.dtype}")
        return {"images": images.reshape(len(images), *self._shape).astype(self._dtype)}

    def _inputs(self, build: Builder, reading: Any) -> dict[str, Any]:
        return {"images": layers.Input(self._shape, name="images")}

    def _features(self, build: Builder, reading: tuple[float, float], inputs: dict[str, Any]) -> dict[str, Any]:
        mean, deviation = reading
        return {"images": layers.Rescaling(1 / deviation, -mean / deviation, name="standardize")(inputs["images"])}

    def _outputs(self, build: Builder, reading: Any, features: dict[str, Any], outputs: int) -> Any:
        x = features["images"]
        for number, size in enumerate(self.filters):
            layer = build.convolution(size, self.kernel_size, f"convolution_{number}")
            x = build.hidden(x, layer, self.activation, 0.0, self.batch_norm)
            pool = tuple(min(2, side) for side in x.shape[1:3])
            x = layers.MaxPooling2D(pool, name=f"pooling_{number}")(x)
        x = layers.Flatten(name="flatten")(x)
        for number, size in enumerate(self.hidden_units):
            layer = build.dense(size, name=f"hidden_{number}")
            x = build.hidden(x, layer, self.activation, self.dropout, self.batch_norm)
        return build.dense(outputs, name="logits")(x)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = False
        tags.input_tags.three_d_array = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class _Baseline(Estimator):
    """A model that looks at no column: what others are compared with."""

    def _outputs(self, build: Builder, reading: Reading, features: dict[str, Any], outputs: int) -> Any:
        self._layer = build.dense(outputs, name="baseline", zeros=True)
        return self._layer(next(iter(features.values())))

    def _train(self, inputs: dict[str, Array], y: Array, weight: Array | None, epochs: int, steps: int | None) -> None:
        kernel, _ = self._layer.get_weights()
        self._layer.set_weights([kernel, self._constant(self._encoded(y), weight)])
        self.global_step_ += 1

    def _constant(self, targets: Array, weight: Array | None) -> Array:
        """The outputs of the network, whatever the data."""
        raise NotImplementedError


@dataclass(kw_only=True, eq=False, repr=False)
class LinearClassifier(Classifier, _Linear):
    """Logistic regression of standardized numbers and of categories: `softmax(x W + b)`.

    Args:
        feature_columns: The names or positions of the columns that are used. None: all.
        l2: The factor of the sum of the squares of the weights in the loss.
        optimizer: Name of an optimizer, or an optimizer.
        learning_rate: The learning rate of an optimizer that is given by name. None: 0.5.
        epochs: The number of passes over the data in `fit`.
        batch_size: The number of rows in a step. `"auto"`: 200, or all if there are fewer.
        random_state: Seed of the order of rows; a generator of NumPy, or None.
        verbose: As of the `fit` of models.

    Example:

    >>> import numpy as np
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> LinearClassifier(random_state=0).fit(x, ["low", "low", "high", "high"]).predict([[0.2], [2.9]]).tolist()
    ['low', 'high']
    """


@dataclass(kw_only=True, eq=False, repr=False)
class LinearRegressor(Regressor, _Linear):
    """Linear regression of standardized numbers and of categories: `x W + b`, by the mean of squared errors.

    Args: as of `LinearClassifier`.

    Example:

    >>> import numpy as np
    >>> x = np.arange(8.0)[:, None]
    >>> LinearRegressor(epochs=300).fit(x, 2 * x[:, 0] + 1).predict([[10.0]]).round(1).tolist()
    [21.0]
    """


@dataclass(kw_only=True, eq=False, repr=False)
class DNNClassifier(Classifier, _DNN):
    """A multilayer perceptron that gives the probabilities of classes.

    Args:
        hidden_units: The number of units of each hidden layer.
        activation: The activation of hidden layers.
        dropout: The share of hidden units that a training step leaves out.
        batch_norm: Whether hidden layers are batch normalized.
        feature_columns: The names or positions of the columns that are used. None: all.
        l2: The factor of the sum of the squares of the weights in the loss.
        optimizer: Name of an optimizer, or an optimizer.
        learning_rate: The learning rate of an optimizer that is given by name. None: 0.001.
        epochs: The number of passes over the data in `fit`.
        batch_size: The number of rows in a step. `"auto"`: 200, or all if there are fewer.
        random_state: Seed of initial weights, order of rows and dropout; a generator of NumPy, or None.
        verbose: As of the `fit` of models.

    Example:

    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> DNNClassifier(hidden_units=(32,), epochs=500, random_state=0).fit(x, [0, 1, 1, 0]).predict(x).tolist()
    [0, 1, 1, 0]
    """


@dataclass(kw_only=True, eq=False, repr=False)
class DNNRegressor(Regressor, _DNN):
    """A multilayer perceptron that predicts numbers. Args: as of `DNNClassifier`."""


@dataclass(kw_only=True, eq=False, repr=False)
class DNNLinearCombinedClassifier(Classifier, _Combined):
    """The sum of a linear model and a multilayer perceptron that gives the probabilities of classes.

    Args: as of `DNNClassifier`, and `linear_optimizer`, the optimizer of the linear model.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class DNNLinearCombinedRegressor(Regressor, _Combined):
    """The sum of a linear model and a multilayer perceptron that predicts numbers. Args: as of the classifier."""


@dataclass(kw_only=True, eq=False, repr=False)
class CNNClassifier(Classifier, _CNN):
    """A convolutional network that gives the probabilities of classes for images.

    Args:
        image_shape: The shape of an image, `(height, width)` or `(height, width, channels)`, if rows are flat. None: it
            is that of the data; flat rows of a square number of columns are square images, others are one pixel high.
        filters: The number of filters of each convolution, after which sizes are halved.
        kernel_size: The size of their kernels.
        hidden_units: The number of units of each hidden layer.
        **kwargs: As of `DNNClassifier`.
    """


@dataclass(kw_only=True, eq=False, repr=False)
class BaselineClassifier(Classifier, _Baseline):
    """The shares of the classes in the training data, whatever the columns say."""

    def _constant(self, targets: Array, weight: Array | None) -> Array:
        shares = np.bincount(targets, weights=weight, minlength=len(self.classes_)) / len(targets)
        return np.log(np.maximum(shares, np.finfo(self._dtype).tiny))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


@dataclass(kw_only=True, eq=False, repr=False)
class BaselineRegressor(Regressor, _Baseline):
    """The mean of the targets in the training data, whatever the columns say."""

    def _constant(self, targets: Array, weight: Array | None) -> Array:
        return np.average(targets, axis=0, weights=weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags
