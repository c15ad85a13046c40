"""Depthwise convolutions, and separable ones, in which a pointwise convolution follows."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc import constraints, initializers, ops, regularizers
from graphc.layers.convolutional import BaseConv
from graphc.layers.core import optional_config
from graphc.registration import exported

_MODULE = "keras.layers"


class _DepthwiseConv(BaseConv):
    """The base class of depthwise convolutions; see `DepthwiseConv2D` for the arguments."""

    axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: Any = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            self.axes,
            None,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            1,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = self._positive(depth_multiplier, "depth_multiplier")

    def _kernel_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.depth_multiplier)

    def _add_bias(self, size: int) -> None:
        super()._add_bias(self.kernel.shape[-2] * size)

    def _convolved(self, inputs: Any) -> Any:
        options = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return ops.depthwise_conv(inputs, self.kernel, *options)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = super().get_config()
        base = {key: config[key] for key in ("name", "trainable", "dtype")}
        renamed = {key.replace("kernel_", "depthwise_") if key != "kernel_size" else key: config[key] for key in config}
        rest = {key: renamed[key] for key in renamed if key not in (*base, "filters", "groups")}
        return {**base, "depth_multiplier": self.depth_multiplier, **rest}


@exported(_MODULE)
class DepthwiseConv1D(_DepthwiseConv):
    """Depthwise convolution of sequences `[batch, steps, channels]`: each channel is convolved separately.

    Args:
        kernel_size: The size of the kernel.
        strides: Stride of the kernel.
        padding: `"valid"` or `"same"`.
        depth_multiplier: The number of outputs of each channel.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        depthwise_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> DepthwiseConv1D(3, depth_multiplier=2)(ops.ones((1, 5, 3))).shape
    (1, 3, 6)
    """

    axes = 1


@exported(_MODULE)
class DepthwiseConv2D(_DepthwiseConv):
    """Depthwise convolution of images `[batch, rows, columns, channels]`: each channel is convolved separately.

    Args:
        kernel_size: The size of the kernel: a number, or one for each spatial axis.
        strides: Stride of the kernel.
        padding: `"valid"` or `"same"`.
        depth_multiplier: The number of outputs of each channel.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the kernel's elements; 1: they are adjacent.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        depthwise_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> DepthwiseConv2D(3)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    axes = 2


class _SeparableConv(BaseConv):
    """The base class of separable convolutions; see `SeparableConv2D` for the arguments."""

    axes: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            self.axes,
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = self._positive(depth_multiplier, "depth_multiplier")
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def _add_kernels(self, channels: int) -> None:
        assert self.filters is not None
        middle = channels * self.depth_multiplier
        shapes = {
            "depthwise": (*self.kernel_size, channels, self.depth_multiplier),
            "pointwise": (*(1,) * self.rank, middle, self.filters),
        }
        self.depthwise_kernel, self.pointwise_kernel = (
            self.add_weight(
                name=f"{part}_kernel",
                shape=shape,
                initializer=getattr(self, f"{part}_initializer"),
                regularizer=getattr(self, f"{part}_regularizer"),
                constraint=getattr(self, f"{part}_constraint"),
            )
            for part, shape in shapes.items()
        )
        self._add_bias(shapes["pointwise"][-1])

    def _convolved(self, inputs: Any) -> Any:
        options = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, *options)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        config = {
            key: value
            for key, value in super().get_config().items()
            if key == "kernel_size" or not key.startswith(("kernel_", "groups"))
        }
        for part in ("depthwise", "pointwise"):
            config[f"{part}_initializer"] = initializers.serialize(getattr(self, f"{part}_initializer"))
            for kind in ("regularizer", "constraint"):
                config[f"{part}_{kind}"] = optional_config(self, f"{part}_{kind}")
        return {**config, "depth_multiplier": self.depth_multiplier}


@exported(_MODULE, "SeparableConvolution1D")
class SeparableConv1D(_SeparableConv):
    """Separable convolution of sequences: a depthwise and then a pointwise convolution (Chollet, 2017).

    `activation(conv(depthwise_conv(inputs, depthwise_kernel), pointwise_kernel) + bias)`.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the depthwise kernel.
        strides: Its stride.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the depthwise kernel's elements; 1: they are adjacent.
        depth_multiplier: The number of outputs of each channel between the two.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the depthwise kernel.
        pointwise_initializer: Initializer of the pointwise kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the depthwise kernel.
        pointwise_regularizer: Regularizer of the pointwise kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        depthwise_constraint: Constraint on the depthwise kernel.
        pointwise_constraint: Constraint on the pointwise kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> SeparableConv1D(4, 3)(ops.ones((1, 5, 2))).shape
    (1, 3, 4)
    """

    axes = 1


@exported(_MODULE, "SeparableConvolution2D")
class SeparableConv2D(_SeparableConv):
    """Separable convolution of images: a depthwise and then a pointwise convolution (Chollet, 2017).

    `activation(conv(depthwise_conv(inputs, depthwise_kernel), pointwise_kernel) + bias)`.

    Args:
        filters: The number of output channels.
        kernel_size: The size of the depthwise kernel: a number, or one for each spatial axis.
        strides: Its stride.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.
        dilation_rate: The spacing of the depthwise kernel's elements; 1: they are adjacent.
        depth_multiplier: The number of outputs of each channel between the two.
        activation: Name or function. None: none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initializer of the depthwise kernel.
        pointwise_initializer: Initializer of the pointwise kernel.
        bias_initializer: Initializer of the bias.
        depthwise_regularizer: Regularizer of the depthwise kernel.
        pointwise_regularizer: Regularizer of the pointwise kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the outputs.
        depthwise_constraint: Constraint on the depthwise kernel.
        pointwise_constraint: Constraint on the pointwise kernel.
        bias_constraint: Constraint on the bias.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> SeparableConv2D(4, 3)(ops.ones((1, 5, 5, 2))).shape
    (1, 3, 3, 4)
    """

    axes = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
