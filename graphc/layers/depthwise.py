"""Depthwise convolutions, and separable ones, in which a pointwise convolution follows."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.layers.convolutional import BaseConv
from graphc.parameters import configured
from graphc.registration import exported

_MODULE = "keras.layers"


@configured
class _DepthwiseConv(BaseConv):
    """The base class of depthwise convolutions."""

    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    data_format: Any = None
    dilation_rate: Any = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None

    def _add_kernels(self, channels: int) -> int:
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self._new_weight("kernel", shape, arguments="depthwise")
        return channels * self.depth_multiplier

    def _convolved(self, inputs: Any) -> Any:
        options = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return ops.depthwise_conv(inputs, self.kernel, *options)


@exported(_MODULE)
@configured
class DepthwiseConv1D(_DepthwiseConv):
    """Depthwise convolution of sequences `[batch, steps, channels]`: each channel is convolved separately.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> DepthwiseConv1D(3, depth_multiplier=2)(ops.ones((1, 5, 3))).shape
    (1, 3, 6)
    """

    rank = 1


@exported(_MODULE)
@configured
class DepthwiseConv2D(_DepthwiseConv):
    """Depthwise convolution of images `[batch, rows, columns, channels]`: each channel is convolved separately.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> DepthwiseConv2D(3)(ops.ones((1, 4, 4, 3))).shape
    (1, 2, 2, 3)
    """

    rank = 2
    strides: Any = (1, 1)
    dilation_rate: Any = (1, 1)


@configured
class _SeparableConv(BaseConv):
    """The base class of separable convolutions."""

    filters: int
    kernel_size: Any
    strides: Any = 1
    padding: str = "valid"
    data_format: Any = None
    dilation_rate: Any = 1
    depth_multiplier: int = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None
    activity_regularizer: Any = None
    depthwise_constraint: Any = None
    pointwise_constraint: Any = None
    bias_constraint: Any = None

    def _add_kernels(self, channels: int) -> int:
        between = channels * self.depth_multiplier
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, between, self.filters)
        self.depthwise_kernel = self._new_weight("depthwise_kernel", depthwise, arguments="depthwise")
        self.pointwise_kernel = self._new_weight("pointwise_kernel", pointwise, arguments="pointwise")
        return self.filters

    def _convolved(self, inputs: Any) -> Any:
        options = (self.strides, self.padding, self.data_format, self.dilation_rate)
        return ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, *options)


@exported(_MODULE, "SeparableConvolution1D")
@configured
class SeparableConv1D(_SeparableConv):
    """Separable convolution of sequences: a depthwise and then a pointwise convolution (Chollet, 2017).

    `activation(conv(depthwise_conv(inputs, depthwise_kernel), pointwise_kernel) + bias)`.

    Args:
        kernel_size: The size of the depthwise kernel.
        depth_multiplier: The number of outputs of each channel between the two.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> SeparableConv1D(4, 3)(ops.ones((1, 5, 2))).shape
    (1, 3, 4)
    """

    rank = 1


@exported(_MODULE, "SeparableConvolution2D")
@configured
class SeparableConv2D(_SeparableConv):
    """Separable convolution of images: a depthwise and then a pointwise convolution (Chollet, 2017).

    `activation(conv(depthwise_conv(inputs, depthwise_kernel), pointwise_kernel) + bias)`.

    Args:
        kernel_size: The size of the depthwise kernel: a number, or one for each spatial axis.
        depth_multiplier: The number of outputs of each channel between the two.

    Raises:
        ArgumentError: if an argument has an invalid value.

    Example:

    >>> SeparableConv2D(4, 3)(ops.ones((1, 5, 5, 2))).shape
    (1, 3, 3, 4)
    """

    rank = 2
    strides: Any = (1, 1)
    dilation_rate: Any = (1, 1)


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
