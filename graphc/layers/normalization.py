"""Normalization layers."""

from __future__ import annotations

from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.errors import ArgumentError, CallError, ShapeError
from graphc.layers.input_spec import InputSpec
from graphc.layers.kinds import refuse_unsupported
from graphc.layers.layer import Layer
from graphc.ops.elementwise import in_wide
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import describe
from graphc.tracing.shapes import axes_of

_MODULE = "keras.layers"


class _Normalization(Layer):
    """The base class of layers with a scale `gamma` and an offset `beta`.

    Inputs are not cast to the compute dtype: they are normalized in float32, and only the results are halves.
    """

    center: bool
    scale: bool

    def _prepare(self) -> None:
        self.autocast = False

    def _add_scale_and_offset(self, shape: tuple[Any, ...]) -> None:
        self.gamma = self._new_weight("gamma", shape, autocast=False) if self.scale else None
        self.beta = self._new_weight("beta", shape, autocast=False) if self.center else None


@exported(_MODULE)
@configured
class BatchNormalization(_Normalization):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy, 2015).

    In training, mean and variance are those of the batch, and their moving averages are updated:
    `moving = moving * momentum + of_batch * (1 - momentum)`. Otherwise, and while the layer is frozen, the moving
    averages are used.

    Args:
        axis: The axis of the channels, each of which has its own statistics.
        momentum: The momentum of the moving averages.
        renorm: Not supported yet.
        renorm_clipping: Not supported yet.
        renorm_momentum: Not used yet.
        synchronized: Not supported yet.

    Raises:
        ArgumentError: if an option is not supported.

    Example:

    >>> x = ops.convert_to_tensor([[1.0], [3.0]])
    >>> BatchNormalization(epsilon=0.0)(x, training=True).numpy().tolist()
    [[-1.0], [1.0]]
    """

    _passes_masks = True

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    moving_mean_initializer: Any = "zeros"
    moving_variance_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None
    renorm: bool = False
    renorm_clipping: Any = None
    renorm_momentum: float = 0.99
    synchronized: bool = False

    def _prepare(self) -> None:
        super()._prepare()
        refuse_unsupported(self, "synchronized")
        self.axis, self.momentum = int(self.axis), float(self.momentum)
        if self.renorm:
            self.renorm_clipping = self._checked_clipping()

    def _checked_clipping(self) -> dict[str, Any]:
        """The limits of the corrections of batch renormalization."""
        given = dict(self.renorm_clipping or {})
        least, most, shift = (given.get(name) for name in ("rmin", "rmax", "dmax"))
        crossed = least is not None and most is not None and least > most
        if set(given) - {"rmin", "rmax", "dmax"} or crossed or (shift is not None and shift < 0):
            raise ArgumentError(
                "renorm_clipping has the limits rmin and rmax of the factor, and dmax of the shift, which is positive",
                where=describe(self._origin),
                got=repr(self.renorm_clipping),
            )
        return given

    def build(self, input_shape: Any = None) -> None:
        """Creates scale, offset and moving averages."""
        size = input_shape[self.axis]
        self._add_scale_and_offset((size,))
        averages = [
            self._new_weight(name, (size,), trainable=False, autocast=False)
            for name in ("moving_mean", "moving_variance")
        ]
        self.moving_mean, self.moving_variance = averages
        if self.renorm:
            self._add_renorm_averages((size,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalized inputs."""
        x, beta, gamma = in_wide(inputs), self.beta, self.gamma
        if mask is not None and mask.ndim != x.ndim - 1:
            raise ShapeError(
                "the mask has one axis less than the inputs",
                layer=self.name,
                got=f"a mask of {mask.type} for {x.type}",
                hint="leave out its last axis",
            )
        if training and self.trainable:
            axis = self.axis % x.ndim
            mean, variance = self._moments(x, tuple(a for a in range(x.ndim) if a != axis), mask)
            if self.renorm:
                beta, gamma = self._renormalized(mean, variance)
            else:
                _average(self.moving_mean, mean, self.momentum)
                _average(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        result = ops.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)
        return ops.cast(result, self.compute_dtype)

    def _add_renorm_averages(self, shape: tuple[int, ...]) -> None:
        """Creates the averages that corrections of batch renormalization are relative to."""

        def copied(name: str) -> Any:
            initializer = getattr(self, f"moving_{name}_initializer")
            return type(initializer).from_config(initializer.get_config())

        def deviation(shape: Any, dtype: Any = None) -> Any:
            return ops.sqrt(copied("variance")(shape, dtype=dtype))

        fixed: dict[str, Any] = {"trainable": False, "autocast": False}
        self.moving_stddev = self.add_weight(shape, deviation, name="moving_stddev", **fixed)
        self.renorm_mean = self.add_weight(shape, copied("mean"), name="renorm_mean", **fixed)
        self.renorm_stddev = self.add_weight(shape, deviation, name="renorm_stddev", **fixed)

    def _renormalized(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """Offset and scale with the corrections of batch renormalization (Ioffe, 2017); updates the averages.

        `r = s / s_moving` and `d = (mean - mean_moving) / s_moving`, for which gradients are not computed:
        `(x * r + d) * gamma + beta`, where `x` is what the statistics of the batch normalize, and `s` their deviation.
        """
        deviation = ops.sqrt(variance + self.epsilon)
        known = ops.maximum(self.renorm_stddev.value, self.epsilon**0.5)
        factor, shift = deviation / known, (mean - self.renorm_mean.value) / known
        least, most, far = (self.renorm_clipping.get(name) for name in ("rmin", "rmax", "dmax"))
        factor = factor if least is None else ops.maximum(factor, least)
        factor = ops.stop_gradient(factor if most is None else ops.minimum(factor, most))
        shift = ops.stop_gradient(shift if far is None else ops.clip(shift, -far, far))
        _average(self.renorm_mean, mean, self.renorm_momentum)
        _average(self.renorm_stddev, deviation, self.renorm_momentum)
        _average(self.moving_mean, mean, self.momentum)
        moving = _average(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(ops.relu(moving * moving - self.epsilon))
        if self.gamma is not None:
            factor, shift = factor * self.gamma.value, shift * self.gamma.value
        return shift if self.beta is None else shift + self.beta.value, factor

    def _moments(self, x: Any, axes: tuple[int, ...], mask: Any) -> tuple[Any, Any]:
        """Mean and variance of the elements that are not masked."""
        if mask is None:
            mean, variance = ops.moments(x, axes)
            return mean, variance
        counts = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), x.shape)
        number = ops.sum(ops.cast(counts, x.dtype), axes, keepdims=True) + settings.epsilon()
        mean = ops.sum(ops.where(counts, x, 0), axes, keepdims=True) / number
        distance = ops.where(counts, x - mean, 0)
        variance = ops.sum(distance * distance, axes, keepdims=True) / number
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


def _average(moving: Any, now: Any, momentum: float) -> Any:
    """Updates a moving average with what it is of now; returns its new value."""
    value = moving.value * momentum + now * (1.0 - momentum)
    moving.assign(value)
    return value


@exported(_MODULE)
@configured
class LayerNormalization(_Normalization):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, separately for each sample (Ba et al., 2016).

    Args:
        axis: Axis or axes over which the statistics are computed.
        rms_scaling: Not supported: see `RMSNormalization`.

    Example:

    >>> LayerNormalization(epsilon=0.0)([[1.0, 3.0]]).numpy().tolist()
    [[-1.0, 1.0]]
    """

    _passes_masks = True

    axis: Any = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None
    rms_scaling: bool = False

    def _prepare(self) -> None:
        super()._prepare()
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        if not isinstance(axes, list | tuple) or not all(isinstance(axis, int) for axis in axes):
            raise CallError("axis is an integer, or several", where=describe(self._origin), got=repr(self.axis))
        if self.rms_scaling:
            raise ArgumentError("rms_scaling is not supported", layer=self.name, hint="use RMSNormalization")

    def build(self, input_shape: Any = None) -> None:
        """Creates scale and offset."""
        self.axis = [self.axis] if isinstance(self.axis, int) else self.axis
        self._add_scale_and_offset(
            tuple(input_shape[axis] for axis in axes_of(self.axis, len(input_shape), "LayerNormalization"))
        )

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        result = ops.layer_normalization(inputs, self.gamma, self.beta, self.axis, self.epsilon)
        return ops.cast(result, self.compute_dtype)


@exported(_MODULE)
@configured
class GroupNormalization(_Normalization):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, by groups of channels (Wu and He, 2018).

    The channels are split into groups of consecutive channels. Mean and variance are computed for each sample and
    group, over the channels of the group and all other axes.

    Args:
        groups: The number of groups; -1: each channel is a group.
        axis: The axis of the channels.

    Raises:
        ArgumentError: if the number of groups does not divide the channels.

    Example:

    >>> GroupNormalization(2, epsilon=0.0)([[1.0, 3.0, 10.0, 30.0]]).numpy().round(4).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    _passes_masks = True

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Any = "zeros"
    gamma_initializer: Any = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        if not isinstance(self.groups, int) or (self.groups < 1 and self.groups != -1):
            raise ArgumentError("groups is a positive integer, or -1", layer=self.name, got=repr(self.groups))

    def build(self, input_shape: Any = None) -> None:
        """Creates scale and offset."""
        channels = input_shape[self.axis]
        if self.groups == -1:
            self.groups = channels
        if channels is None or channels % self.groups:
            raise ArgumentError(
                "the channels are no multiple of groups",
                layer=self.name,
                got=f"{channels} channels, {self.groups} groups",
                hint="choose a number of groups that divides the channels",
            )
        self._add_scale_and_offset((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        x = in_wide(inputs)
        (axis,) = axes_of(self.axis, x.ndim, "GroupNormalization")
        per_group = x.shape[axis] // self.groups
        grouped = ops.reshape(x, (*x.shape[:axis], self.groups, per_group, *x.shape[axis + 1 :]))
        mean, variance = ops.moments(grouped, [a for a in range(1, x.ndim + 1) if a != axis], keepdims=True)
        around = [1] * axis + [self.groups, per_group] + [1] * (x.ndim - axis - 1)
        factor = ops.rsqrt(variance + self.epsilon)
        result = (grouped - mean) * (factor if self.gamma is None else factor * ops.reshape(self.gamma, around))
        if self.beta is not None:
            result = result + ops.reshape(self.beta, around)
        return ops.cast(ops.reshape(result, x.shape), self.compute_dtype)


@exported(_MODULE)
@configured
class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x * x) + epsilon)` (Zhang and Sennrich, 2019).

    Args:
        axis: Axis over which the mean is computed.

    Example:

    >>> RMSNormalization(epsilon=0.0)([[3.0, 3.0]]).numpy().tolist()
    [[1.0, 1.0]]
    """

    axis: Any = -1
    epsilon: float = 1e-6

    def _prepare(self) -> None:
        self.autocast = False

    def build(self, input_shape: Any = None) -> None:
        """Creates the scale."""
        self.axis = [self.axis] if isinstance(self.axis, int) else self.axis
        sizes = tuple(input_shape[axis] for axis in axes_of(self.axis, len(input_shape), "RMSNormalization"))
        self.scale = self.add_weight(name="scale", shape=sizes, initializer="ones", autocast=False)

    def call(self, inputs: Any) -> Any:
        """The normalized inputs."""
        return ops.cast(ops.rms_normalization(inputs, self.scale, self.axis, self.epsilon), self.compute_dtype)


@exported(_MODULE)
@configured
class UnitNormalization(Layer):
    """Normalizes vectors to norm one.

    Args:
        axis: Axis or axes of a vector.

    Example:

    >>> UnitNormalization()([[3.0, 4.0]]).numpy().round(4).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """

    _passes_masks = True
    _builds_when_called = False

    axis: Any = -1

    def _prepare(self) -> None:
        self.autocast = False

    def call(self, inputs: Any) -> Any:
        """The scaled inputs."""
        return ops.cast(ops.normalize(inputs, self.axis, 2, 1e-12), self.compute_dtype)
