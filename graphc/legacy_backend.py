"""Functions of `keras.backend` from before Keras 3 that differ from those of `ops` in parameters or defaults.

Those that are functions of `ops` under their name, or another one, are in the table of `graphc.backend`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import config, layers, ops, random
from graphc.dtypes import as_dtype
from graphc.errors import ArgumentError, ShapeError
from graphc.tracing import Array, Tensor, Variable, describe, user_line

# ---- values


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor of values, in the default float dtype, filled up to a shape."""
    tensor = ops.convert_to_tensor(value, dtype or config.floatx())
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A variable with an initial value, in the default float dtype."""
    made = Variable(ops.convert_to_numpy(value), dtype=dtype or config.floatx(), name=name)
    made.constraint = constraint
    return made


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A matrix with ones in its diagonal, of a number of rows and as many columns, or of a shape."""
    rows, columns = size if isinstance(size, list | tuple) else (size, size)
    return ops.eye(rows, columns, dtype=dtype or config.floatx())


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A tensor of zeros, in the default float dtype."""
    return ops.zeros(shape, dtype or config.floatx())


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """A tensor of ones, in the default float dtype."""
    return ops.ones(shape, dtype or config.floatx())


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Zeros in the shape of a tensor."""
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Ones in the shape of a tensor."""
    return ops.ones_like(x, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Tensor:
    """Integers from `start` to before `stop`; from 0 to before `start` if there is no `stop`."""
    return ops.arange(start, stop, step, dtype=dtype)


def cast_to_floatx(x: Any) -> Any:
    """A tensor, or else an array, in the default float dtype."""
    if isinstance(x, Tensor) or hasattr(x, "__tensor__"):
        return ops.cast(x, config.floatx())
    return np.asarray(x, as_dtype(config.floatx()).numpy)


def get_value(x: Any) -> Any:
    """The values of a tensor or variable as an array; what is an array already stays as it is."""
    return x if isinstance(x, np.ndarray | np.generic | int | float) else ops.convert_to_numpy(x)


def batch_get_value(tensors: Sequence[Any]) -> list[Array]:
    """The values of several tensors or variables."""
    return [get_value(x) for x in tensors]


def set_value(x: Variable, value: Any) -> None:
    """Assigns a value to a variable."""
    x.assign(np.asarray(value, as_dtype(x.dtype).numpy))


def batch_set_value(tuples: Sequence[tuple[Variable, Any]]) -> None:
    """Assigns values to several variables: pairs of a variable and its value."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: Any) -> Any:
    """Assigns a value to a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> Any:
    """Adds to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> Any:
    """Subtracts from a variable."""
    return x.assign_sub(decrement)


def moving_average_update(x: Variable, value: Any, momentum: Any) -> Any:
    """Moves a variable towards a value: `x * momentum + value * (1 - momentum)`."""
    return x.assign_sub((x - ops.cast(value, x.dtype)) * (1 - momentum))


def dtype(x: Any) -> str:
    """The name of a tensor's dtype."""
    return str(x.dtype)


def int_shape(x: Any) -> tuple[Any, ...]:
    """The shape of a tensor."""
    return tuple(x.shape)


def ndim(x: Any) -> int:
    """The number of a tensor's axes."""
    return len(x.shape)


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(tuple(x.shape)))


def is_sparse(tensor: Any) -> bool:
    """False: there are no sparse tensors."""
    return False


def to_dense(tensor: Any) -> Any:
    """The tensor itself, since none is sparse."""
    return tensor


def gradients(loss: Any, variables: Any) -> Any:
    """Refused: gradients are those of functions, or of tapes.

    Raises:
        ArgumentError: always.
    """
    hint = "use graphc.GradientTape, or graphc.grad of a function"
    raise ArgumentError("there are no gradients of tensors alone", where=describe(user_line()), hint=hint)


# ---- reductions


def _of_booleans(x: Any) -> Any:
    tensor = ops.convert_to_tensor(x)
    return ops.cast(tensor, config.floatx()) if tensor.type.dtype.is_bool else tensor


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true."""
    return ops.all(ops.cast(x, "bool"), axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether an element is true."""
    return ops.any(ops.cast(x, "bool"), axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over axes; booleans count as 0 and 1."""
    return ops.mean(_of_booleans(x), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation over axes."""
    return ops.std(_of_booleans(x), axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance over axes."""
    return ops.var(_of_booleans(x), axis, keepdims)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """The index of the largest element along an axis."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """The index of the smallest element along an axis."""
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Tensor:
    """Sums of the elements up to each along an axis."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Tensor:
    """Products of the elements up to each along an axis."""
    return ops.cumprod(x, axis)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether each target is among the `k` largest predictions."""
    return ops.in_top_k(targets, predictions, k)


# ---- elements


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """Elements bounded from below and above; None: not bounded."""
    low, high = -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value
    if isinstance(low, int | float) and isinstance(high, int | float):
        high = builtins.max(low, high)
    return ops.clip(x, low, high)


def sqrt(x: Any) -> Tensor:
    """Square roots; of negative elements 0."""
    return ops.sqrt(ops.maximum(x, 0.0))


def pow(x: Any, a: Any) -> Tensor:
    """Powers of elements."""
    return ops.power(x, a)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """`x` where it is positive, else `alpha * (exp(x) - 1)`."""
    return ops.elu(x, alpha)


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """`x` from a threshold on, `alpha * (x - threshold)` below it, and at most `max_value`."""
    tensor = ops.convert_to_tensor(x)
    above = ops.relu(tensor) if threshold == 0 else tensor * ops.cast(tensor > threshold, tensor.dtype)
    above = above if max_value is None else ops.clip(above, 0, max_value)
    return ops.subtract(above, ops.multiply(ops.relu(ops.subtract(threshold, tensor)), alpha)) if alpha else above


def hard_sigmoid(x: Any) -> Tensor:
    """`clip(0.2 * x + 0.5, 0, 1)`: steeper than `ops.hard_sigmoid`."""
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0, 1)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """Elements set to zero with the probability `level`, others divided by `1 - level`."""
    return random.dropout(x, level, noise_shape, seed)


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    """Vectors along an axis, or all elements, divided by the root of the sum of their squares."""
    tensor = ops.convert_to_tensor(x)
    return ops.divide(tensor, ops.sqrt(ops.maximum(ops.sum(ops.square(tensor), axis, keepdims=True), 1e-12)))


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Tensor:
    """A bias for each channel, or for each position and channel, added.

    Raises:
        ShapeError: if the bias has neither one axis, nor one less than `x`.
    """
    tensor, added = ops.convert_to_tensor(x), ops.convert_to_tensor(bias)
    if added.ndim not in (1, tensor.ndim - 1):
        raise ShapeError("a bias has one axis, or one less than x", got=f"{added.shape}, x of {tensor.shape}")
    first = (data_format or config.image_data_format()) == "channels_first"
    if first and added.ndim == 1:
        return ops.add(tensor, ops.reshape(added, (1, -1, *[1] * (tensor.ndim - 2))))
    if first:
        added = ops.moveaxis(added, -1, 0)
    return ops.add(tensor, added)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """`then_expression` where a condition holds, else `else_expression`; either may be a function without arguments."""
    test = ops.cast(condition, "bool")
    if not test.ndim:
        branches = [part if callable(part) else lambda part=part: part for part in (then_expression, else_expression)]
        return ops.cond(test, *branches)
    first, second = (part() if callable(part) else part for part in (then_expression, else_expression))
    first = ops.convert_to_tensor(first)
    if test.ndim > first.ndim:
        raise ShapeError("a condition has at most as many axes as what it chooses", got=f"{test.shape}, {first.shape}")
    return ops.where(ops.reshape(test, (*test.shape, *[1] * (first.ndim - test.ndim))), first, second)


# ---- shapes


def concatenate(tensors: Any, axis: int = -1) -> Tensor:
    """Tensors joined along an axis: the last one."""
    return ops.concatenate(tensors, axis)


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """A further axis of size 1: at the end."""
    return ops.expand_dims(x, axis)


def flatten(x: Any) -> Tensor:
    """All elements in one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Tensor:
    """All elements of a sample in one axis."""
    tensor = ops.convert_to_tensor(x)
    return ops.reshape(tensor, (tensor.shape[0], count_params(tensor[0])))


def permute_dimensions(x: Any, pattern: Any) -> Tensor:
    """Axes in another order."""
    return ops.transpose(x, pattern)


def repeat(x: Any, n: int) -> Tensor:
    """Each row of a matrix `n` times: (rows, n, columns)."""
    tensor = ops.convert_to_tensor(x)
    if tensor.ndim != 2:
        raise ShapeError("x is a matrix", got=str(tensor.shape))
    return ops.tile(ops.expand_dims(tensor, 1), (1, n, 1))


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Each slice along an axis `rep` times."""
    return ops.repeat(x, rep, axis)


def reverse(x: Any, axes: Any) -> Tensor:
    """Elements in reverse order along axes."""
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> Tensor:
    """The slices along the first axis with some indices."""
    return ops.take(reference, indices, 0)


def tile(x: Any, n: Any) -> Tensor:
    """A tensor repeated along each axis."""
    return ops.tile(x, n)


def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Tensor:
    """Zeros before and after the steps of sequences."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def _padded(x: Any, padding: Any, data_format: str | None) -> Tensor:
    first = (data_format or config.image_data_format()) == "channels_first"
    spatial = tuple(map(tuple, padding))
    return ops.pad(x, ((0, 0), (0, 0), *spatial) if first else ((0, 0), *spatial, (0, 0)))


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Tensor:
    """Zeros around images."""
    return _padded(x, padding, data_format)


def spatial_3d_padding(x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None) -> Tensor:
    """Zeros around volumes."""
    return _padded(x, padding, data_format)


# ---- products


def batch_dot(x: Any, y: Any, axes: Any = None) -> Tensor:
    """Products of the samples of two batches, summed over one axis of each.

    Args:
        x: Tensor of two or more axes, of which the first is the batch.
        y: Likewise.
        axes: An axis for both, or one for each. None: the last of `x`, and the last but one of `y`.
    """
    first, second = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    if axes is None:
        axes = (first.ndim - 1, second.ndim - (1 if second.ndim == 2 else 2))
    result: Tensor = layers.dot([first, second], axes)
    return result


def conv1d(
    x: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:
    """Convolution of sequences."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Tensor:
    """The largest element (`"max"`) or the mean (`"avg"`) of each window."""
    pool: Callable[..., Tensor] = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format)


# ---- random numbers and functions of elements


def _seed(seed: Any) -> Any:
    return int(np.random.randint(10**7)) if seed is None else seed


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers."""
    return random.normal(shape, mean, stddev, dtype, _seed(seed))


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Uniformly distributed numbers."""
    return random.uniform(shape, minval, maxval, dtype, _seed(seed))


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Normally distributed numbers, within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, _seed(seed))


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> Tensor:
    """Ones with the probability `p`, else zeros."""
    return ops.cast(random.uniform(shape, seed=_seed(seed)) < p, dtype or config.floatx())


def random_normal_variable(
    shape: Any, mean: float, scale: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable of normally distributed numbers."""
    return variable(random_normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(
    shape: Any, low: float, high: float, dtype: Any = None, name: str | None = None, seed: Any = None
) -> Variable:
    """A variable of uniformly distributed numbers."""
    return variable(random_uniform(shape, low, high, dtype, seed), dtype, name)


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """A function of each slice along the first axis."""
    return ops.map(fn, elems)


def foldl(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """One value from all slices, from the first to the last: `fn(value, slice)`."""
    rest = ops.convert_to_tensor(elems)
    start = ops.convert_to_tensor(rest[0] if initializer is None else initializer)
    return ops.scan(lambda value, x: (fn(value, x), None), start, rest[1:] if initializer is None else rest)[0]


def foldr(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """One value from all slices, from the last to the first: `fn(value, slice)`."""
    return foldl(fn, ops.flip(elems, 0), initializer)
