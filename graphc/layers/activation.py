"""Activation functions with arguments, as layers."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from graphc import activations, ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import keras_shape

_MODULE = "keras.layers"


class _Function(Layer):
    """The base class of functions of elements."""

    _passes_masks = True
    _builds_when_called = False

    def _check_not_negative(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if value is None or value < 0:
                raise ArgumentError(f"{name} is 0 or more", layer=self.name, got=repr(value))


@exported(_MODULE)
@configured
class ReLU(_Function):
    """`max(x, 0)`, with options.

    Args:
        max_value: The largest result. None: no limit.
        negative_slope: The slope below the threshold.
        threshold: The input above which the function is the identity.

    Raises:
        ArgumentError: if an argument is negative.

    Example:

    >>> ReLU()([[-1.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def _prepare(self) -> None:
        self._check_not_negative(*(() if self.max_value is None else ("max_value",)), "negative_slope", "threshold")

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@exported(_MODULE)
@configured
class LeakyReLU(_Function):
    """`x` where it is positive, else `negative_slope * x`.

    Args:
        negative_slope: The slope of the negative part; earlier versions called it `alpha`.

    Example:

    >>> LeakyReLU(0.5)([[-1.0, 1.0]]).numpy()
    array([[-0.5,  1. ]], dtype=float32)
    """

    negative_slope: float = 0.3

    _former = MappingProxyType({"alpha": "negative_slope"})

    def _prepare(self) -> None:
        self._check_not_negative("negative_slope")

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.leaky_relu(inputs, self.negative_slope)


@exported(_MODULE)
@configured
class ThresholdedReLU(_Function):
    """`x` where it is greater than `theta`, else 0: of Keras 2, and of `tf.keras`.

    Args:
        theta: The threshold.

    Example:

    >>> ThresholdedReLU()([[-1.0, 1.0, 2.0]]).numpy()
    array([[0., 0., 2.]], dtype=float32)
    """

    theta: float = 1.0

    def _prepare(self) -> None:
        self._check_not_negative("theta")

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.where(ops.greater(inputs, self.theta), inputs, ops.zeros_like(inputs))


@exported(_MODULE)
@configured
class ELU(_Function):
    """`x` where it is positive, else `alpha * (exp(x) - 1)`.

    Args:
        alpha: The negative limit.

    Example:

    >>> ELU()([[0.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    alpha: float = 1.0

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.elu(inputs, self.alpha)


@exported(_MODULE)
@configured
class PReLU(_Function):
    """`x` where it is positive, else `alpha * x` with a weight `alpha` (He et al., 2015).

    Args:
        shared_axes: Axes along which `alpha` is the same.

    Example:

    >>> PReLU()([[-1.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    alpha_initializer: Any = "Zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None
    shared_axes: Any = None

    def _prepare(self) -> None:
        axes = [self.shared_axes] if isinstance(self.shared_axes, int) else self.shared_axes
        self.shared_axes = None if axes is None else list(axes)

    def build(self, input_shape: Any = None) -> None:
        """Creates `alpha`."""
        shape = [1 if axis in (self.shared_axes or ()) else size for axis, size in enumerate(input_shape)][1:]
        self.alpha = self._new_weight("alpha", shape)

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


@exported(_MODULE)
@configured
class Softmax(_Function):
    """`exp(x) / sum(exp(x))` along an axis.

    Args:
        axis: Axis or axes.

    Example:

    >>> Softmax()([[0.0, 0.0]]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    axis: Any = -1

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The function of the inputs; where a mask is False, the result is 0."""
        if mask is not None:
            known = ops.convert_to_tensor(mask)
            pairs = zip(known.shape[::-1], inputs.shape[::-1], strict=False)
            if known.ndim > inputs.ndim or any(m not in (1, n) for m, n in pairs):
                raise ShapeError(
                    "the mask cannot be broadcast to the inputs",
                    layer=self.name,
                    got=f"shape {keras_shape(known.shape)}",
                    expected=f"{keras_shape(inputs.shape)}, or sizes of 1",
                )
            inputs = ops.where(known, inputs, -1e9)
        return ops.softmax(inputs, self.axis)
