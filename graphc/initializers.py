"""Initializers of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import dtypes, ops, random
from graphc.errors import ArgumentError, ShapeError
from graphc.numpy_blas import one_thread
from graphc.ops.signal_windows import named_window
from graphc.parameters import Kind, configured
from graphc.registration import Configurable, deserialize_keras_object, exported, resolve, serialize_keras_object
from graphc.tracing import Tensor, snake_case

_MODULE = "keras.initializers"


def _dtype(dtype: Any) -> str:
    return settings.floatx() if dtype is None else dtypes.as_dtype(dtype).name


class Initializer(Configurable):
    """Computes the initial value of a weight from its shape and dtype. Subclasses define `__call__`."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The initial value.

        Args:
            shape: Tuple of integers.
            dtype: Name of a dtype. None: the default float dtype.
        """
        raise NotImplementedError("an initializer defines `__call__`")

    def clone(self) -> Any:
        """An equal initializer."""
        return type(self).from_config(self.get_config())


@exported(_MODULE)
@configured
class Constant(Initializer):
    """A constant: a number, or a given array.

    Args:
        value: The number or array.

    Example:

    >>> Constant(2.0)((2,)).numpy()
    array([2., 2.], dtype=float32)
    """

    value: Any = 0.0

    _kinds = MappingProxyType({"value": Kind("", decode=deserialize_keras_object, encode=serialize_keras_object)})

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """The constant, broadcast to a shape."""
        return ops.broadcast_to(ops.convert_to_tensor(self.value, _dtype(dtype)), shape)


@exported(_MODULE, "zero")
class Zeros(Initializer):
    """Zeros.

    Example:

    >>> Zeros()((2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Zeros of a shape."""
        return ops.zeros(shape, _dtype(dtype))


@exported(_MODULE, "one")
class Ones(Initializer):
    """Ones.

    Example:

    >>> Ones()((2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Ones of a shape."""
        return ops.ones(shape, _dtype(dtype))


@exported(_MODULE, "IdentityInitializer")
@configured
class Identity(Initializer):
    """The identity matrix, multiplied by a number.

    Args:
        gain: The number on the diagonal.

    Raises:
        ShapeError: when called with a shape that is not a matrix.

    Example:

    >>> Identity()((2, 2)).numpy().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    gain: float = 1.0

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The matrix."""
        if len(shape) != 2:
            raise ShapeError("the identity is a matrix", got=tuple(shape), expected="two sizes")
        return self.gain * ops.eye(shape[0], shape[1], dtype=_dtype(dtype))


@configured
class RandomInitializer(Initializer):
    """The base class of random initializers, with a seed. An object always draws the same numbers.

    Args:
        seed: Integer, `random.SeedGenerator`, or None: a random seed, reproducible with `utils.set_random_seed`.
    """

    seed: Any = None

    _kinds = MappingProxyType(
        {
            "seed": Kind(
                "Integer, `random.SeedGenerator`, or None.",
                decode=deserialize_keras_object,
                encode=serialize_keras_object,
                attribute="_given",
            ),
            "input_axes": Kind(
                "The axes of the kernel that are inputs, as a list. None: as `compute_fans` takes them."
            ),
            "output_axes": Kind("Those that are outputs, likewise."),
        }
    )
    _given: Any

    def _prepare(self) -> None:
        self.seed = random.make_default_seed() if self._given is None else self._given
        if not isinstance(self.seed, int | random.SeedGenerator):
            raise ArgumentError("a seed is an integer or a SeedGenerator", got=repr(self.seed))


@exported(_MODULE, "normal")
@configured
class RandomNormal(RandomInitializer):
    """Normally distributed numbers.

    Args:
        mean: The mean.
        stddev: The standard deviation.

    Example:

    >>> RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    mean: float = 0.0
    stddev: float = 0.05

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.normal(shape, self.mean, self.stddev, _dtype(dtype), self.seed)


@exported(_MODULE)
@configured
class TruncatedNormal(RandomNormal):
    """Numbers of a normal distribution that is truncated at two standard deviations from the mean.

    Args:
        mean: The mean before truncation.
        stddev: The standard deviation before truncation.

    Example:

    >>> TruncatedNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.truncated_normal(shape, self.mean, self.stddev, _dtype(dtype), self.seed)


@exported(_MODULE, "uniform")
@configured
class RandomUniform(RandomInitializer):
    """Uniformly distributed numbers.

    Args:
        minval: The lower end.
        maxval: The upper end.

    Example:

    >>> RandomUniform(seed=1)((2, 3)).shape
    (2, 3)
    """

    minval: float = -0.05
    maxval: float = 0.05

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.uniform(shape, self.minval, self.maxval, _dtype(dtype), self.seed)


def compute_fans(shape: Any, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """The fans of a kernel: the number of inputs of each output, and of outputs of each input.

    The last two axes of a kernel are inputs and outputs; the axes before are a window, whose size multiplies both. If
    the axes of inputs and outputs are given, the fans are the products of their sizes.

    Example:

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


@exported(_MODULE)
@configured(without=("seed",))
class VarianceScaling(RandomInitializer):
    """Random numbers with a variance of `scale / n`, where `n` depends on the shape.

    Args:
        scale: A positive number.
        mode: The choice of `n`: `"fan_in"` (inputs), `"fan_out"` (outputs) or `"fan_avg"` (their mean).
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.

    Raises:
        ArgumentError: if an argument is invalid.

    Example:

    >>> VarianceScaling(seed=1)((2, 3)).shape
    (2, 3)
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: Any = None
    input_axes: Any = None
    output_axes: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        modes = ("fan_in", "fan_out", "fan_avg")
        kinds = ("truncated_normal", "untruncated_normal", "uniform")
        if self.scale <= 0:
            raise ArgumentError("the scale of VarianceScaling is positive", got=self.scale)
        if self.mode not in modes:
            raise ArgumentError("unknown mode of VarianceScaling", got=repr(self.mode), expected=" or ".join(modes))
        if self.distribution == "normal":
            self.distribution = "truncated_normal"
        if self.distribution not in kinds:
            raise ArgumentError("unknown distribution", got=repr(self.distribution), expected=" or ".join(kinds))

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, _dtype(dtype), self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), _dtype(dtype), self.seed)
        # The standard deviation of a normal distribution that is truncated at two standard deviations.
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / 0.87962566103423978, _dtype(dtype), self.seed)


_FIXED = ("scale", "mode", "distribution")


@exported(_MODULE)
@configured(without=_FIXED)
class GlorotUniform(VarianceScaling):
    """Uniform numbers up to `sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010)."""

    scale, mode, distribution = 1.0, "fan_avg", "uniform"


@exported(_MODULE)
@configured(without=_FIXED)
class GlorotNormal(VarianceScaling):
    """Normal numbers of variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010)."""

    scale, mode, distribution = 1.0, "fan_avg", "truncated_normal"


@exported(_MODULE)
@configured(without=_FIXED)
class HeUniform(VarianceScaling):
    """Uniform numbers up to `sqrt(6 / inputs)` (He et al., 2015)."""

    scale, mode, distribution = 2.0, "fan_in", "uniform"


@exported(_MODULE)
@configured(without=_FIXED)
class HeNormal(VarianceScaling):
    """Normal numbers of variance `2 / inputs` (He et al., 2015)."""

    scale, mode, distribution = 2.0, "fan_in", "truncated_normal"


@exported(_MODULE)
@configured(without=_FIXED)
class LecunUniform(VarianceScaling):
    """Uniform numbers up to `sqrt(3 / inputs)` (LeCun et al., 1998)."""

    scale, mode, distribution = 1.0, "fan_in", "uniform"


@exported(_MODULE)
@configured(without=_FIXED)
class LecunNormal(VarianceScaling):
    """Normal numbers of variance `1 / inputs` (LeCun et al., 1998)."""

    scale, mode, distribution = 1.0, "fan_in", "truncated_normal"


# From so many columns on, columns of random numbers that are half as many as the rows are far from dependent.
_MANY_COLUMNS = 64


def _orthonormal(noise: Any) -> Any:
    """The factor Q of `noise = Q R`, where the diagonal of R is positive."""
    rows, columns = noise.shape
    if columns < _MANY_COLUMNS or rows < 2 * columns:
        q, r = np.linalg.qr(noise)
        return q * np.sign(np.diag(r))
    # R is the Cholesky factor of noise' noise, with half the operations of Householder's method, all in products of
    # matrices. The condition of tall random matrices is below 10: of the 16 digits of float64, 14 are right.
    wide = noise.astype(np.float64)
    factor = np.linalg.cholesky(wide.T @ wide)
    return wide @ np.linalg.inv(factor).T


@exported(_MODULE, "OrthogonalInitializer")
@configured
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2013).

    Args:
        gain: A factor.

    Raises:
        ShapeError: when called with fewer than two sizes.

    Example:

    >>> q = Orthogonal(seed=1)((3, 3)).numpy()
    >>> bool(np.allclose(q @ q.T, np.eye(3), atol=1e-5))
    True
    """

    gain: float = 1.0

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The matrix, reshaped; its columns are the last axis."""
        if len(shape) < 2:
            raise ShapeError("an orthogonal matrix has two sizes or more", got=tuple(shape))
        rows, columns = math.prod(shape[:-1]), shape[-1]
        noise = random.normal((max(rows, columns), min(rows, columns)), seed=self.seed).array
        # NumPy's factorizations: an initial value is computed once, on the host.
        with one_thread():
            q = _orthonormal(noise)
        return ops.convert_to_tensor(self.gain * (q.T if rows < columns else q).reshape(shape), _dtype(dtype))


@exported(_MODULE, "STFTInitializer")
@configured
class STFT(Initializer):
    """The kernel of a convolution that is a short-time Fourier transform: `w[n] * cos(2 pi n k / length)`, or `-sin`.

    Args:
        side: `"real"` (cosines) or `"imag"` (sines).
        window: The name of a window, such as `"hann"`, a tensor of its weights, or None.
        scaling: By what the kernel is divided: `"density"` (the root of the sum of the window's squares), `"spectrum"`
            (its sum), or None.
        periodic: Whether the window is periodic and not symmetric.

    Raises:
        ArgumentError: if an argument is unknown.
        ShapeError: when called with a shape that has not three sizes, or that the window does not fit.

    Example:

    >>> STFT("real", None)((2, 1, 2)).numpy().round(4).reshape(2, 2).tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    """

    side: str = "real"
    window: Any = "hann"
    scaling: str | None = "density"
    periodic: bool = False

    _kinds = MappingProxyType({"window": Kind("", decode=deserialize_keras_object, encode=serialize_keras_object)})

    def _prepare(self) -> None:
        if self.side not in ("real", "imag"):
            raise ArgumentError("unknown side of STFT", got=repr(self.side), expected="real or imag")
        if self.scaling not in (None, "density", "spectrum"):
            raise ArgumentError(
                "unknown scaling of STFT", got=repr(self.scaling), expected="None, 'density' or 'spectrum'"
            )
        if isinstance(self.window, str):
            named_window(self.window, 1)

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """The kernel, of shape `(samples, channels, frequencies)`."""
        if len(shape) != 3:
            raise ShapeError("the kernel of STFT has three sizes", got=tuple(shape))
        samples, channels, frequencies = shape
        wave = 2 * np.pi * np.outer(np.arange(samples), np.arange(frequencies)) / max(1, 2 * (frequencies - 1))
        kernel = np.cos(wave) if self.side == "real" else -np.sin(wave)
        kernel = np.repeat(kernel[:, None, :], channels, axis=1)
        weights = self._weights(samples)
        if weights is not None:
            scales = {"density": np.sqrt(np.sum(weights**2)), "spectrum": np.sum(np.abs(weights)), None: 1.0}
            kernel = kernel * weights[:, None, None] / scales[self.scaling]
        return ops.convert_to_tensor(kernel, _dtype(dtype))

    def _weights(self, samples: int) -> Any:
        if self.window is None:
            return None
        if isinstance(self.window, str):
            return named_window(self.window, samples, self.periodic)
        weights = np.asarray(self.window, "float64")
        if weights.shape != (samples,):
            raise ShapeError("the window of STFT has another length", got=weights.shape, expected=(samples,))
        return weights


def _table() -> dict[str, Any]:
    classes = (Constant, Zeros, Ones, Identity, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling)
    scaled = (GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal, STFT)
    table: dict[str, Any] = {}
    for cls in (*classes, *scaled):
        table[cls.__name__] = table[snake_case(cls.__name__)] = cls
    short = {"normal": RandomNormal, "uniform": RandomUniform, "zero": Zeros, "one": Ones}
    long = {f"{cls.__name__}Initializer": cls for cls in (Identity, Orthogonal, STFT)}
    return {**table, **short, **long}


_NAMES: Mapping[str, Any] = MappingProxyType(_table())


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration, a class, an array or an object to an initializer.

    Raises:
        ArgumentError: if it cannot be resolved.

    Example:

    >>> type(get("glorot_uniform")).__name__
    'GlorotUniform'
    """
    if isinstance(identifier, np.ndarray | Tensor | int | float) and not isinstance(identifier, bool):
        return _NAMES["constant"](identifier)
    return resolve("initializer", identifier, _NAMES)


def serialize(initializer: Any) -> Any:
    """An initializer as a configuration."""
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The initializer that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)


constant, zeros, ones, identity = Constant, Zeros, Ones, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal, variance_scaling, orthogonal = LecunUniform, LecunNormal, VarianceScaling, Orthogonal
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
STFTInitializer = stft = STFT
