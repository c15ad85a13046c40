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
class Constant(Initializer):
    """A constant: a number, or a given array.

    Args:
        value: The number or array.

    Example:

    >>> Constant(2.0)((2,)).numpy()
    array([2., 2.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """The constant, broadcast to a shape."""
        return ops.broadcast_to(ops.convert_to_tensor(self.value, _dtype(dtype)), shape)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {"value": serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        """Creates an object from a configuration that `get_config` returned."""
        return cls(deserialize_keras_object(config["value"]))


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

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The matrix."""
        if len(shape) != 2:
            raise ShapeError("the identity is a matrix", got=tuple(shape), expected="two sizes")
        return self.gain * ops.eye(shape[0], shape[1], dtype=_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """The base class of random initializers, with a seed. An object always draws the same numbers.

    Args:
        seed: Integer, `random.SeedGenerator`, or None: a random seed, reproducible with `utils.set_random_seed`.
    """

    def __init__(self, seed: Any = None) -> None:
        self._given = seed
        self.seed = random.make_default_seed() if seed is None else seed
        if not isinstance(self.seed, int | random.SeedGenerator):
            raise ArgumentError("a seed is an integer or a SeedGenerator", got=repr(seed))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {"seed": serialize_keras_object(self._given)}


@exported(_MODULE, "normal")
class RandomNormal(RandomInitializer):
    """Normally distributed numbers.

    Args:
        mean: The mean.
        stddev: The standard deviation.
        seed: Integer, `random.SeedGenerator`, or None.

    Example:

    >>> RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.normal(shape, self.mean, self.stddev, _dtype(dtype), self.seed)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@exported(_MODULE)
class TruncatedNormal(RandomNormal):
    """Numbers of a normal distribution that is truncated at two standard deviations from the mean.

    Args:
        mean: The mean before truncation.
        stddev: The standard deviation before truncation.
        seed: Integer, `random.SeedGenerator`, or None.

    Example:

    >>> TruncatedNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.truncated_normal(shape, self.mean, self.stddev, _dtype(dtype), self.seed)


@exported(_MODULE, "uniform")
class RandomUniform(RandomInitializer):
    """Uniformly distributed numbers.

    Args:
        minval: The lower end.
        maxval: The upper end.
        seed: Integer, `random.SeedGenerator`, or None.

    Example:

    >>> RandomUniform(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Numbers of a shape."""
        return random.uniform(shape, self.minval, self.maxval, _dtype(dtype), self.seed)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


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
class VarianceScaling(RandomInitializer):
    """Random numbers with a variance of `scale / n`, where `n` depends on the shape.

    Args:
        scale: A positive number.
        mode: The choice of `n`: `"fan_in"` (inputs), `"fan_out"` (outputs) or `"fan_avg"` (their mean).
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
        seed: Integer, `random.SeedGenerator`, or None.
        input_axes: The axes of the kernel that are inputs, as a list. None: as `compute_fans` takes them.
        output_axes: Those that are outputs, likewise.

    Raises:
        ArgumentError: if an argument is invalid.

    Example:

    >>> VarianceScaling(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        super().__init__(seed)
        modes = ("fan_in", "fan_out", "fan_avg")
        kinds = ("truncated_normal", "untruncated_normal", "uniform")
        if scale <= 0:
            raise ArgumentError("the scale of VarianceScaling is positive", got=scale)
        if mode not in modes:
            raise ArgumentError("unknown mode of VarianceScaling", got=repr(mode), expected=" or ".join(modes))
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in kinds:
            raise ArgumentError("unknown distribution", got=repr(distribution), expected=" or ".join(kinds))
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        rest = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**super().get_config(), **rest, "input_axes": self.input_axes, "output_axes": self.output_axes}


def _scaled(name: str, scale: float, mode: str, distribution: str, doc: str) -> type[VarianceScaling]:
    def init(self: Any, seed: Any = None, input_axes: Any = None, output_axes: Any = None) -> None:
        VarianceScaling.__init__(self, scale, mode, distribution, seed, input_axes, output_axes)

    def get_config(self: Any) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        config = RandomInitializer.get_config(self)
        return {**config, "input_axes": self.input_axes, "output_axes": self.output_axes}

    body = {"__init__": init, "get_config": get_config, "__doc__": doc, "__module__": __name__}
    return exported(_MODULE)(type(name, (VarianceScaling,), body))


_ARGS = """

    Args:
        seed: Integer, `random.SeedGenerator`, or None.
        input_axes: The axes of the kernel that are inputs, as a list. None: as `compute_fans` takes them.
        output_axes: Those that are outputs, likewise.
"""
GlorotUniform = _scaled(
    "GlorotUniform",
    1.0,
    "fan_avg",
    "uniform",
    "Uniform numbers up to `sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010)." + _ARGS,
)
GlorotNormal = _scaled(
    "GlorotNormal",
    1.0,
    "fan_avg",
    "truncated_normal",
    "Normal numbers of variance `2 / (inputs + outputs)` (Glorot and Bengio, 2010)." + _ARGS,
)
HeUniform = _scaled(
    "HeUniform",
    2.0,
    "fan_in",
    "uniform",
    "Uniform numbers up to `sqrt(6 / inputs)` (He et al., 2015)." + _ARGS,
)
HeNormal = _scaled(
    "HeNormal",
    2.0,
    "fan_in",
    "truncated_normal",
    "Normal numbers of variance `2 / inputs` (He et al., 2015)." + _ARGS,
)
LecunUniform = _scaled(
    "LecunUniform",
    1.0,
    "fan_in",
    "uniform",
    "Uniform numbers up to `sqrt(3 / inputs)` (LeCun et al., 1998)." + _ARGS,
)
LecunNormal = _scaled(
    "LecunNormal",
    1.0,
    "fan_in",
    "truncated_normal",
    "Normal numbers of variance `1 / inputs` (LeCun et al., 1998)." + _ARGS,
)


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
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2013).

    Args:
        gain: A factor.
        seed: Integer, `random.SeedGenerator`, or None.

    Raises:
        ShapeError: when called with fewer than two sizes.

    Example:

    >>> q = Orthogonal(seed=1)((3, 3)).numpy()
    >>> bool(np.allclose(q @ q.T, np.eye(3), atol=1e-5))
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

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

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {**super().get_config(), "gain": self.gain}


def _table() -> dict[str, Any]:
    classes = (Constant, Zeros, Ones, Identity, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling)
    scaled = (GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal)
    table: dict[str, Any] = {}
    for cls in (*classes, *scaled):
        table[cls.__name__] = table[snake_case(cls.__name__)] = cls
    short = {"normal": RandomNormal, "uniform": RandomUniform, "zero": Zeros, "one": Ones}
    return {**table, **short, "IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal}


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
        return Constant(identifier)
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
