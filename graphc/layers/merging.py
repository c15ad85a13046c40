"""Layers that merge several tensors into one."""

from __future__ import annotations

from functools import reduce
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.layers.layer import Layer
from graphc.layers.masks import mask_list, merge_masks
from graphc.parameters import configured
from graphc.registration import exported
from graphc.tracing import Tensor, get_mask

_MODULE = "keras.layers"


def _listed(layer: Layer, inputs: Any, least: int = 1) -> list[Any]:
    tensors = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not isinstance(inputs, list | tuple) or len(tensors) < least:
        raise ArgumentError(
            f"{type(layer).__name__} takes a list of tensors", got=f"{len(tensors)}", expected=f"{least} or more"
        )
    return tensors


class Merge(Layer):
    """The base class of layers that combine broadcastable tensors elementwise."""

    _passes_masks = True

    def combine(self, tensors: list[Tensor]) -> Any:
        """Combines tensors of one rank."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """The combined inputs; axes of size 1 are inserted after the batch in tensors of lower rank."""
        tensors = [ops.convert_to_tensor(x) for x in _listed(self, inputs)]
        rank = max(tensor.ndim for tensor in tensors)
        aligned = [
            tensor
            if tensor.ndim == rank
            else ops.reshape(tensor, (*tensor.shape[:1], *(1,) * (rank - tensor.ndim), *tensor.shape[1:]))
            for tensor in tensors
        ]
        return self.combine(aligned)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The `or` of the masks of the inputs; None if one of them has no mask."""
        return merge_masks(inputs, mask)


@exported(_MODULE)
class Add(Merge):
    """The sum of tensors.

    Example:

    >>> Add()([ops.ones((1, 2)), ops.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The sum."""
        return reduce(ops.add, tensors)


@exported(_MODULE)
class Subtract(Merge):
    """The first of two tensors minus the second.

    Example:

    >>> Subtract()([ops.ones((1, 2)), ops.ones((1, 2))]).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The difference."""
        if len(tensors) != 2:
            raise ArgumentError("Subtract takes two tensors", got=len(tensors))
        return ops.subtract(*tensors)


@exported(_MODULE)
class Multiply(Merge):
    """The product of tensors, elementwise.

    Example:

    >>> Multiply()([ops.ones((1, 2)), 3 * ops.ones((1, 2))]).numpy()
    array([[3., 3.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The product."""
        masks = [get_mask(tensor) for tensor in tensors]
        # A masked step of one tensor counts as a factor of 1.
        factors = [
            x if m is None else ops.where(ops.expand_dims(m, -1), x, 1) for x, m in zip(tensors, masks, strict=True)
        ]
        product = reduce(ops.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        return ops.where(ops.expand_dims(reduce(ops.logical_or, masks), -1), product, 0)


@exported(_MODULE)
class Average(Merge):
    """The mean of tensors, elementwise.

    Example:

    >>> Average()([ops.ones((1, 2)), 3 * ops.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The mean."""
        return ops.divide(reduce(ops.add, tensors), len(tensors))


def _extremum(combine: Any, tensors: list[Tensor]) -> Any:
    """The elementwise extremum of tensors, without the masked steps of each."""
    result, known = tensors[0], _wide_mask(tensors[0])
    for x in tensors[1:]:
        mask = _wide_mask(x)
        other = x if mask is None else ops.where(mask, x, result)
        result = result if known is None else ops.where(known, result, other)
        known = ops.logical_or(known, mask) if known is not None and mask is not None else None
        result = combine(result, other)
    return result


def _wide_mask(x: Tensor) -> Any:
    mask = get_mask(x)
    return None if mask is None else ops.expand_dims(mask, -1)


@exported(_MODULE)
class Maximum(Merge):
    """The largest of tensors, elementwise.

    Example:

    >>> Maximum()([ops.ones((1, 2)), 3 * ops.ones((1, 2))]).numpy()
    array([[3., 3.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The largest."""
        return _extremum(ops.maximum, tensors)


@exported(_MODULE)
class Minimum(Merge):
    """The smallest of tensors, elementwise.

    Example:

    >>> Minimum()([ops.ones((1, 2)), 3 * ops.ones((1, 2))]).numpy()
    array([[1., 1.]], dtype=float32)
    """

    def combine(self, tensors: list[Tensor]) -> Any:
        """The smallest."""
        return _extremum(ops.minimum, tensors)


@exported(_MODULE)
@configured
class Concatenate(Layer):
    """Concatenates tensors along an axis.

    Args:
        axis: The axis.

    Example:

    >>> Concatenate()([ops.ones((1, 2)), ops.zeros((1, 1))]).numpy()
    array([[1., 1., 0.]], dtype=float32)
    """

    _passes_masks = True

    axis: int = -1

    def call(self, inputs: Any) -> Any:
        """The concatenated inputs."""
        return ops.concatenate(_listed(self, inputs), self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks concatenated like the inputs; True for an input without a mask."""
        given = mask_list(inputs, mask)
        if given is None or all(part is None for part in given):
            return None
        whole = [
            ops.ones_like(x, "bool")
            if part is None
            else part
            if part.ndim == x.ndim
            else ops.logical_or(ops.expand_dims(part, -1), ops.zeros_like(x, "bool"))
            for x, part in zip(inputs, given, strict=True)
        ]
        return ops.any(ops.concatenate(whole, self.axis), axis=-1)


@exported(_MODULE)
@configured
class Dot(Layer):
    """Sums of products of two tensors, sample by sample.

    Args:
        axes: The axis to sum over, or one for each tensor; not the batch.
        normalize: Whether to normalize vectors first, which results in cosines.

    Example:

    >>> Dot(axes=1)([ops.ones((2, 3)), ops.ones((2, 3))]).numpy().tolist()
    [[3.0], [3.0]]
    """

    _passes_masks = True

    axes: Any
    normalize: bool = False

    def call(self, inputs: Any) -> Any:
        """The sums."""
        first, second = (ops.convert_to_tensor(x) for x in _listed(self, inputs, 2))
        given = self.axes if isinstance(self.axes, list | tuple) else (self.axes, self.axes)
        left, right = given[0] % first.ndim, given[1] % second.ndim
        if left == 0 or right == 0:
            raise ShapeError("Dot cannot sum over the batch", got=f"axes {given}")
        if self.normalize:
            first, second = ops.normalize(first, left), ops.normalize(second, right)
        letters = "abcdefghijklmnopqrstuvwxyz"
        one = letters[: first.ndim]
        two = "a" + letters[first.ndim : first.ndim + second.ndim - 1]
        two = two[:right] + one[left] + two[right + 1 :]
        result = "".join(index for index in one if index != one[left])
        result += "".join(index for index in two[1:] if index != one[left])
        product = ops.einsum(f"{one},{two}->{result}", first, second)
        return ops.expand_dims(product, 1) if product.ndim == 1 else product

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: the result has no axis of steps."""
        return None


def _functional(cls: type[Layer], doc: str) -> Any:
    def function(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    function.__name__, function.__doc__ = cls.__name__.lower(), doc
    return function


add = _functional(Add, "The sum of tensors: `Add(**kwargs)(inputs)`.")
subtract = _functional(Subtract, "The difference of two tensors: `Subtract(**kwargs)(inputs)`.")
multiply = _functional(Multiply, "The product of tensors: `Multiply(**kwargs)(inputs)`.")
average = _functional(Average, "The mean of tensors: `Average(**kwargs)(inputs)`.")
maximum = _functional(Maximum, "The largest of tensors: `Maximum(**kwargs)(inputs)`.")
minimum = _functional(Minimum, "The smallest of tensors: `Minimum(**kwargs)(inputs)`.")


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Concatenates tensors along an axis: `Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Sums of products of two tensors: `Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)
