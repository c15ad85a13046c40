"""Random tensors: pure functions of a seed, a step and a position.

The bits are those of Philox 4x32-10 (Salmon et al., 2011), the same on every backend. A seed is a pair of words: the
user's seed, and the number of uses of the generator, which is the state of a variable: it counts on in compiled
functions and loops. Random tensors need not be stored for the backward pass, which computes them again.
"""

from __future__ import annotations

import math
import random as _python_random
from typing import Any

import numpy as np

from graphc import config, dims, dtypes, ops
from graphc.dims import Shape
from graphc.dtypes import DType
from graphc.errors import ArgumentError
from graphc.tracing import Array, Tensor, Variable, as_tensor, bind, cast, current_trace, elementwise, scope
from graphc.tracing import auto_name as _auto_name
from graphc.tracing.arithmetic import operate
from graphc.tracing.large import Elements, has_compiler, run_compiled
from graphc.tracing.shapes import axis_of, dims_of

_HIGHEST_SEED = 10**9


def make_default_seed() -> int:
    """A seed for users who gave none; reproducible with `utils.set_random_seed`."""
    return _python_random.randint(1, _HIGHEST_SEED)


class SeedGenerator:
    """A generator of seeds: each use returns another one.

    Args:
        seed: Integer, 0 or more. None: a random one, reproducible with `utils.set_random_seed`.
        name: Its name.

    Raises:
        ArgumentError: if the seed is not such an integer.

    Example:

    >>> generator = SeedGenerator(seed=7)
    >>> a, b = uniform((2,), seed=generator), uniform((2,), seed=generator)
    >>> bool(ops.all(a == b))
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        if kwargs:
            raise ArgumentError("a SeedGenerator takes no such arguments", got=", ".join(kwargs))
        if seed is None:
            seed = make_default_seed()
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ArgumentError("a seed is an integer, 0 or more", got=repr(seed))
        self.name = name or _auto_name("seed_generator")
        self.seed = seed
        with scope(self.name):
            self.state = Variable(_words(seed), name="seed_generator_state", trainable=False)

    def next(self) -> Tensor:
        """The seed of the next use: two words."""
        seed = as_tensor(self.state.value)
        self.state.assign(operate("add", seed, as_tensor(np.array([0, 1], np.uint32))))
        return seed

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal generator."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Creates a generator from a configuration that `get_config` returned."""
        return cls(**config)


class _Default:
    """Holds the default generator, of random operations without a seed.

    Keras's `set_random_seed` is process-wide by contract, which needs one mutable cell. It is this one. The generator
    remains the same object, since compiled programs refer to its state.
    """

    __slots__ = ("_generator",)

    def __init__(self) -> None:
        self._generator: SeedGenerator | None = None

    def generator(self, seed: int | None = None) -> SeedGenerator:
        if self._generator is None:
            with scope("", absolute=True):
                self._generator = SeedGenerator(seed, name="default_seed_generator")
        return self._generator

    def reset(self, seed: int) -> None:
        # Created with the seed: drawing a random one would advance Python's `random`.
        self.generator(seed).state.buffer.assign(_words(seed))


_default = _Default()


def reset_default_generator(seed: int) -> None:
    """Resets the default generator to a seed; `utils.set_random_seed` calls it."""
    _default.reset(seed)


def default_state() -> Array | None:
    """The state of the default generator, for checkpoints; None before its first use."""
    return None if _default._generator is None else _default._generator.state.numpy()


def set_default_state(state: Array | None) -> None:
    """Sets the default generator to a state that `default_state` returned.

    Raises:
        ValueError: if it is none.
    """
    if state is None:
        return
    if state.dtype != np.uint32 or state.shape != (2,):
        raise ValueError(f"no state of a generator: {state.dtype}{state.shape}")
    _default.generator(0).state.buffer.assign(state)


def _words(seed: int) -> Any:
    return np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], np.uint32)


def _key(seed: Any) -> Tensor:
    """The two words of a seed; a generator counts on."""
    generator = _default.generator() if seed is None else seed
    if isinstance(generator, SeedGenerator):
        return generator.next()
    return as_tensor(_words(seed) if isinstance(seed, int) else seed, dtypes.uint32)


def _bits(shape: Shape, seed: Any) -> Tensor:
    """Random 32-bit words: equal for equal integer seeds, different at each use of a generator."""
    return bind("random_bits", _key(seed), shape=shape)


def _fractions(shape: Shape, seed: Any, dtype: DType) -> Tensor:
    """Numbers from 0 to below 1: the upper 24 bits times 2 ** -24."""
    upper = elementwise("shift_right", _bits(shape, seed), 8)
    # float32 holds 24 bits exactly; a half would round some up to 1.
    numbers = operate("mul", cast(upper, dtypes.float32), 2.0**-24)
    return cast(numbers, dtype)


# From so many random words on, compiled code takes less time than NumPy, even where the program is loaded first.
_MANY_WORDS = 1_000_000


def _drawn(draw: Elements, shape: Shape, dtype: DType, seed: Any, *numbers: Any, words: int = 1) -> Tensor:
    """Random numbers of a shape: large ones that are computed eagerly by a compiled program.

    The bits depend on the number of elements, and not on the shape.

    Args:
        draw: A function `(shape, dtype, seed, *numbers)`.
        shape: The shape.
        dtype: The dtype.
        seed: Integer, `SeedGenerator`, or None.
        numbers: What the distribution depends on.
        words: How many random words an element takes.
    """
    plain = all(isinstance(number, int | float) for number in numbers)
    count = dims.product(shape) if plain and current_trace() is None else 0
    if isinstance(count, int) and words * count >= _MANY_WORDS and has_compiler():
        operands = [_key(seed).numpy(), *(as_tensor(number, dtype).numpy() for number in numbers)]
        return Tensor(run_compiled(draw, count, dtype, operands).reshape(shape))
    return draw(shape, dtype, seed, *numbers)


def _float(dtype: Any) -> DType:
    resolved = dtypes.as_dtype(dtype or config.floatx())
    if not resolved.is_float:
        raise ArgumentError("random numbers of this kind are floats", got=resolved.name)
    return resolved


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Uniformly distributed numbers in `[minval, maxval)`.

    Args:
        shape: Tuple of sizes.
        minval: The lower end.
        maxval: The upper end.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.

    Raises:
        ArgumentError: if the dtype is none of floats.

    Example:

    >>> uniform((2, 3), seed=1).shape
    (2, 3)
    """
    dtype = _float(dtype)
    plain = isinstance(minval, int | float) and isinstance(maxval, int | float)
    width = float(maxval - minval) if plain else operate("sub", maxval, minval)
    return _drawn(_uniform, dims_of(shape), dtype, seed, minval, width)


def _uniform(shape: Shape, dtype: DType, seed: Any, low: Any, width: Any) -> Tensor:
    return _moved(_fractions(shape, seed, dtype), width, low)


def _moved(numbers: Tensor, scale: Any, start: Any) -> Tensor:
    """`numbers * scale + start`; operations that change nothing are left out."""
    scaled = numbers if isinstance(scale, int | float) and scale == 1 else operate("mul", numbers, scale)
    return scaled if isinstance(start, int | float) and start == 0 else operate("add", scaled, start)


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers, by the method of Box and Muller (1958).

    Args:
        shape: Tuple of sizes.
        mean: The mean.
        stddev: The standard deviation.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    return _drawn(_normal, dims_of(shape), _float(dtype), seed, mean, stddev, words=2)


def _normal(shape: Shape, dtype: DType, seed: Any, mean: Any, stddev: Any) -> Tensor:
    both = _fractions((2, *shape), seed, dtypes.float32)
    first, angle = both[0], operate("mul", both[1], 2.0)
    # 1 - u is never 0.
    radius = bind("sqrt", operate("mul", bind("log", operate("sub", 1.0, first)), -2.0))
    return _moved(cast(operate("mul", radius, bind("cospi", angle)), dtype), stddev, mean)


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Numbers of a normal distribution that is truncated at two standard deviations from the mean.

    The cumulative distribution function is inverted: `sqrt(2) * erfinv(u)`, with `u` uniform between the values of
    `erf` at the two bounds.

    Args:
        shape: Tuple of sizes.
        mean: The mean before truncation.
        stddev: The standard deviation before truncation.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.
    """
    return _drawn(_truncated_normal, dims_of(shape), _float(dtype), seed, mean, stddev)


def _truncated_normal(shape: Shape, dtype: DType, seed: Any, mean: Any, stddev: Any) -> Tensor:
    end = math.erf(math.sqrt(2))
    numbers = operate("add", operate("mul", _fractions(shape, seed, dtypes.float32), 2 * end), -end)
    numbers = operate("mul", bind("erfinv", numbers), math.sqrt(2))
    return _moved(cast(bind("clip", numbers, low=-2.0, high=2.0), dtype), stddev, mean)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Uniformly distributed integers in `[minval, maxval)`.

    Args:
        shape: Tuple of sizes.
        minval: The minimum.
        maxval: One more than the maximum.
        dtype: A dtype of integers.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> sorted(set(randint((100,), 1, 4, seed=1).numpy().tolist()))
    [1, 2, 3]
    """
    dtype = dtypes.as_dtype(dtype)
    width = cast(as_tensor(operate("sub", maxval, minval)), dtypes.uint32)
    numbers = elementwise("mod", _bits(dims_of(shape), seed), width)
    return operate("add", cast(numbers, dtype), cast(as_tensor(minval), dtype))


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Labels sampled with the probabilities `softmax(logits)`: the argmax of logits plus Gumbel noise.

    Args:
        logits: Tensor of shape `(batch, classes)`.
        num_samples: The number of labels for each row.
        dtype: A dtype of integers.
        seed: Integer, `SeedGenerator`, or None.

    Returns:
        A tensor of shape `(batch, num_samples)`.
    """
    rows = ops.convert_to_tensor(logits)
    shape = (rows.shape[0], num_samples, rows.shape[1])
    numbers = _positive(_fractions(shape, seed, dtypes.float32))
    noise = bind("neg", bind("log", bind("neg", bind("log", numbers))))
    return ops.cast(ops.argmax(operate("add", ops.expand_dims(rows, 1), noise), axis=-1), dtype)


# How often a candidate of a gamma distribution is drawn anew: at least 95 of 100 are accepted, the last one always.
_CANDIDATES = 8


def _log_gamma(shape: Shape, alpha: Any, seed: Any) -> Tensor:
    """Logarithms of gamma-distributed numbers, by the method of Marsaglia and Tsang (2000).

    There is no loop: of a few candidates, the first that is accepted is taken.
    """
    key = _key(seed)
    wanted = ops.broadcast_to(cast(as_tensor(alpha), dtypes.float32), shape)
    # Below 1, a number of alpha + 1 is multiplied by `u ** (1 / alpha)`.
    small = elementwise("lt", wanted, 1)
    least = operate("sub", operate("add", wanted, cast(small, dtypes.float32)), 1 / 3)
    slope = operate("div", 1.0, bind("sqrt", operate("mul", least, 9.0)))
    normals = _normal((_CANDIDATES, *shape), dtypes.float32, _derived(key, 1), 0.0, 1.0)
    fractions = _positive(_fractions((_CANDIDATES + 1, *shape), _derived(key, 2), dtypes.float32))
    found: Any = None
    for i in reversed(range(_CANDIDATES)):
        root = operate("add", operate("mul", normals[i], slope), 1.0)
        fits = elementwise("gt", root, 0)
        log_cube = operate("mul", bind("log", ops.where(fits, root, 1.0)), 3.0)
        square = operate("mul", operate("mul", normals[i], normals[i]), 0.5)
        room = operate("add", operate("sub", 1.0, bind("exp", log_cube)), log_cube)
        bound = operate("add", square, operate("mul", least, room))
        fits = ops.logical_and(fits, elementwise("lt", bind("log", fractions[i]), bound))
        found = log_cube if found is None else ops.where(fits, log_cube, found)
    numbers = operate("add", bind("log", least), found)
    lower = operate("div", bind("log", fractions[_CANDIDATES]), ops.where(small, wanted, 1.0))
    return as_tensor(operate("add", numbers, ops.where(small, lower, 0.0)))


def _positive(fractions: Tensor) -> Tensor:
    """Fractions shifted away from 0, where the logarithm is infinite."""
    return as_tensor(operate("add", operate("mul", fractions, 1 - 2.0**-24), 2.0**-25))


def _derived(key: Tensor, number: Any) -> Tensor:
    """A seed for one of several parts of a use of the generator; numbers are added up where parts have parts."""
    step = as_tensor(np.array([0x9E3779B9, 0], np.uint32))
    return as_tensor(operate("add", key, operate("mul", step, cast(as_tensor(number), dtypes.uint32))))


def two_seeds(seed: Any) -> tuple[Tensor, Tensor]:
    """Two seeds of one, for random numbers that do not depend on each other."""
    key = _key(seed)
    return _derived(key, 5), _derived(key, 6)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Gamma-distributed numbers: of the density `x ** (alpha - 1) * exp(-x) / gamma(alpha)`.

    Args:
        shape: Tuple of sizes.
        alpha: The parameter, a positive number or a tensor that broadcasts to the shape.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> gamma((2, 3), 0.5, seed=1).shape
    (2, 3)
    """
    return cast(bind("exp", _log_gamma(dims_of(shape), alpha, seed)), _float(dtype))


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Beta-distributed numbers: of a density in proportion to `x ** (alpha - 1) * (1 - x) ** (beta - 1)`.

    Args:
        shape: Tuple of sizes.
        alpha: The first parameter, a positive number or a tensor that broadcasts to the shape.
        beta: The second.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> beta((2, 3), 2.0, 3.0, seed=1).shape
    (2, 3)
    """
    return cast(_beta(dims_of(shape), alpha, beta, _key(seed)), _float(dtype))


def _beta(shape: Shape, alpha: Any, beta: Any, key: Tensor) -> Tensor:
    """`x / (x + y)` of two gamma-distributed numbers, which may both be too small for a float."""
    first, second = (_log_gamma(shape, part, _derived(key, 16 << i)) for i, part in enumerate((alpha, beta)))
    return bind("sigmoid", as_tensor(operate("sub", first, second)))


# Up to so many trials are counted one by one.
_TRIALS = 16
# How often more trials are halved where their number is not known: enough for 2 ** 24 of them.
_HALVINGS = 20


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Numbers of successes in independent trials.

    Many trials are halved by the median of their order statistics, which is beta-distributed (Devroye, 1986), until a
    few are left.

    Args:
        shape: Tuple of sizes.
        counts: The number of trials, or a tensor of them that broadcasts to the shape.
        probabilities: The probability of a success, likewise.
        dtype: A dtype of floats. None: the default one.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> binomial((3,), 10, 1.0, seed=1).numpy()
    array([10., 10., 10.], dtype=float32)
    """
    sizes, key = dims_of(shape), _key(seed)
    given = as_tensor(counts)
    most = int(np.max(given.array, initial=0)) if given._has_values else None
    left = ops.broadcast_to(cast(given, dtypes.float32), sizes)
    chance = ops.broadcast_to(cast(as_tensor(probabilities), dtypes.float32), sizes)
    total = ops.zeros(sizes, "float32")
    halvings = _HALVINGS if most is None else math.ceil(math.log2(most / _TRIALS)) + 1 if most > _TRIALS else 0
    if halvings:

        def halve(i: Any, parts: tuple[Tensor, Tensor, Tensor]) -> Any:
            number = operate("mul", operate("add", as_tensor(i), 1), 64)
            return _halved(*parts, _derived(key, number))

        total, left, chance = ops.fori_loop(0, halvings, halve, (total, left, chance))
    numbers = _fractions((_TRIALS, *sizes), _derived(key, 7), dtypes.float32)
    places = bind("iota", shape=(_TRIALS, *sizes), dtype=dtypes.int32, axis=0)
    counted = ops.logical_and(elementwise("lt", numbers, chance), elementwise("lt", cast(places, dtypes.float32), left))
    return cast(as_tensor(operate("add", total, ops.sum(cast(counted, dtypes.float32), axis=0))), _float(dtype))


def _halved(total: Tensor, left: Tensor, chance: Tensor, key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Trials of which half are decided by the number in their middle, where there are many."""
    many = elementwise("gt", left, _TRIALS)
    below = operate("add", bind("floor", as_tensor(operate("mul", left, 0.5))), 1.0)
    above = operate("add", operate("sub", left, below), 1.0)
    middle = bind("clip", _beta(tuple(left.shape), below, ops.maximum(above, 1.0), key), low=1e-7, high=1 - 1e-7)
    success = elementwise("le", middle, chance)
    beyond = operate("div", operate("sub", chance, middle), operate("sub", 1.0, middle))
    within = bind("clip", as_tensor(operate("div", chance, middle)), low=0.0, high=1.0)
    rest = ops.where(success, operate("sub", above, 1.0), operate("sub", below, 1.0))
    found = ops.where(ops.logical_and(many, success), operate("add", total, below), total)
    return found, ops.where(many, rest, left), ops.where(many, ops.where(success, beyond, within), chance)


def bernoulli(shape: Shape, probability: float, seed: Any) -> Tensor:
    """Booleans that are True with a probability, by comparison of 32 random bits.

    Args:
        shape: Tuple of sizes.
        probability: From 0 to 1.
        seed: Integer, `SeedGenerator`, or None.
    """
    if probability >= 1:
        return ops.full(shape, True, "bool")
    limit = as_tensor(np.uint32(min(round(probability * 2**32), 2**32 - 1)))
    return elementwise("lt", _bits(shape, seed), limit)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """Sets a random fraction `rate` of the elements to 0, and divides the others by `1 - rate`.

    Args:
        inputs: Tensor.
        rate: The fraction that is set to 0, from 0 to 1.
        noise_shape: The shape of the mask, with 1 or None as for broadcasting. None: that of the inputs.
        seed: Integer, `SeedGenerator`, or None.

    Example:

    >>> dropout([1.0, 1.0], 0.0, seed=1).numpy()
    array([1., 1.], dtype=float32)
    """
    tensor = as_tensor(inputs)
    if rate >= 1:
        return ops.zeros_like(tensor)
    sizes = (
        tensor.shape
        if noise_shape is None
        else dims_of([dim if size is None else size for dim, size in zip(tensor.shape, noise_shape, strict=True)])
    )
    stays = bernoulli(sizes, 1 - rate, seed)
    return ops.where(stays, operate("mul", tensor, 1 / (1 - rate)), 0)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Tensor:
    """Shuffles the elements along an axis.

    Args:
        x: Tensor.
        axis: The axis.
        seed: Integer, `SeedGenerator`, or None.

    Raises:
        ShapeError: if there is no such axis.

    Example:

    >>> sorted(shuffle([1, 2, 3], seed=1).numpy().tolist())
    [1, 2, 3]
    """
    tensor = as_tensor(x)
    axis = axis_of(axis, tensor.ndim, "shuffle")
    extent = tensor.shape[axis]
    if isinstance(extent, int) and extent < 2:
        return tensor
    if not isinstance(extent, int):
        order = ops.argsort(_bits((extent,), seed))
    elif current_trace() is None:
        # The ranks of random keys; equal keys are ranked in order.
        order = Tensor(np.argsort(np.argsort(_bits((extent,), seed).array, kind="stable")).astype(np.int32))
    else:
        order = _ranks(extent, seed) if extent <= _MAX_PAIRWISE else _swap_or_not(extent, seed)
    return bind("gather", tensor, order, axis=axis)


# Up to so many elements, ranks are computed by comparing all pairs.
_MAX_PAIRWISE = 512
_ROUNDS = 128


def _swap_or_not(extent: int, seed: Any) -> Tensor:
    """A random permutation by the swap-or-not shuffle (Hoang, Morris and Rogaway, 2012), in linear memory and time.

    In each round a random key pairs all positions, and for each pair a random bit decides whether the two are swapped.
    """
    bits = _bits((_ROUNDS + _ROUNDS // 32 * extent,), seed)
    keys = cast(elementwise("mod", bits[:_ROUNDS], extent), dtypes.int32)
    table = bits[_ROUNDS:]

    def swap(position: Tensor, given: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        key, round_ = given
        partner = operate("sub", key, position)
        partner = ops.where(elementwise("lt", partner, 0), operate("add", partner, extent), partner)
        word = operate("add", operate("mul", operate("floordiv", round_, 32), extent), ops.maximum(position, partner))
        shift = cast(operate("mod", round_, 32), dtypes.uint32)
        drawn = elementwise("bit_and", elementwise("shift_right", bind("gather", table, word, axis=0), shift), 1)
        return ops.where(elementwise("eq", drawn, 1), partner, position), None

    return as_tensor(ops.scan(swap, ops.arange(extent), (keys, ops.arange(_ROUNDS)))[0])


def _ranks(extent: int, seed: Any) -> Tensor:
    """A random permutation: the ranks of random keys, by comparison of all pairs."""
    keys = _bits((extent,), seed)
    # The rank of a key: the number of keys that are smaller, or equal and earlier.
    row = bind("broadcast", keys, shape=(extent, extent), axes=(0,))
    column = bind("broadcast", keys, shape=(extent, extent), axes=(1,))
    before = ops.logical_and(elementwise("eq", row, column), ops.tri(extent, k=-1, dtype="bool"))
    ranks = ops.sum(ops.cast(ops.logical_or(elementwise("lt", column, row), before), "int32"), axis=1)
    return as_tensor(ranks)
