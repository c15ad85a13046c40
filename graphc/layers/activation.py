"""Activation functions with arguments, as layers."""

from __future__ import annotations

from typing import Any

from graphc import activations, constraints, initializers, ops, regularizers
from graphc.errors import ArgumentError
from graphc.frames import warn
from graphc.layers.core import optional_config
from graphc.layers.layer import Layer
from graphc.registration import exported

_MODULE = "keras.layers"


@exported(_MODULE)
class ReLU(Layer):
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

    _passes_masks = True

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        given = {"max_value": max_value or 0.0, "negative_slope": negative_slope, "threshold": threshold}
        for name, value in given.items():
            if value is None or value < 0:
                raise ArgumentError(f"{name} of ReLU is 0 or more", layer=self.name, got=repr(value))
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        rest = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **rest}


@exported(_MODULE)
class LeakyReLU(Layer):
    """`x` where it is positive, else `negative_slope * x`.

    Args:
        negative_slope: The slope of the negative part.

    Example:

    >>> LeakyReLU(0.5)([[-1.0, 1.0]]).numpy()
    array([[-0.5,  1. ]], dtype=float32)
    """

    _passes_masks = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warn("alpha of LeakyReLU is now negative_slope")
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ArgumentError("negative_slope is 0 or more", layer=self.name, got=repr(negative_slope))
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


@exported(_MODULE)
class ELU(Layer):
    """`x` where it is positive, else `alpha * (exp(x) - 1)`.

    Args:
        alpha: The negative limit.

    Example:

    >>> ELU()([[0.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    _passes_masks = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "alpha": self.alpha}


@exported(_MODULE)
class PReLU(Layer):
    """`x` where it is positive, else `alpha * x` with a weight `alpha` (He et al., 2015).

    Args:
        alpha_initializer: Initializer of `alpha`.
        alpha_regularizer: Regularizer of `alpha`.
        alpha_constraint: Constraint on `alpha`.
        shared_axes: Axes along which `alpha` is the same.

    Example:

    >>> PReLU()([[-1.0, 1.0]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    _passes_masks = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if axes is None else list(axes)

    def build(self, input_shape: Any = None) -> None:
        """Creates `alpha`."""
        shape = [1 if axis in (self.shared_axes or ()) else size for axis, size in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, inputs: Any) -> Any:
        """The function of the inputs."""
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": optional_config(self, "alpha_regularizer"),
            "alpha_constraint": optional_config(self, "alpha_constraint"),
            "shared_axes": self.shared_axes,
        }


@exported(_MODULE)
class Softmax(Layer):
    """`exp(x) / sum(exp(x))` along an axis.

    Args:
        axis: Axis or axes.

    Example:

    >>> Softmax()([[0.0, 0.0]]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    _passes_masks = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """The function of the inputs; where a mask is False, the result is 0."""
        if mask is not None:
            inputs = ops.where(mask, inputs, -1e9)
        return ops.softmax(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {**super().get_config(), "axis": self.axis}
