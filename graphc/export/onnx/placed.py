"""Where the elements of a value lie in a tensor of ONNX.

A tensor need not have the axes of the value that it holds. Transposing a value, repeating it along new axes, and adding
or dropping axes of size one only change which axis of the tensor is which axis of the value; so a convolution of ONNX,
whose channels come first, takes and gives values whose channels come last, and broadcasting is ONNX's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Array = np.ndarray[Any, Any]
Axes: TypeAlias = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Placed:
    """A value in a tensor.

    Args:
        name: The name of the tensor; a name to begin with for a constant, which is no initializer until it is used.
        axes: For each axis of the tensor the axis of the value that it is; None for one of size one that is none. An
            axis of the value that is missing has the same elements at all its indices.
        array: The elements of a constant, in the dtype of the value; None where they are computed.
    """

    name: str
    axes: Axes
    array: Array | None = None

    def moved(self, places: Mapping[int, int | None]) -> Placed:
        """The value whose axis `places[a]` is this one's axis `a`; None for an axis that is dropped."""
        axes = tuple(None if axis is None else places[axis] for axis in self.axes)
        return Placed(self.name, axes, self.array)

    @property
    def present(self) -> tuple[int, ...]:
        """The axes of the value that the tensor has, in its order."""
        return tuple(axis for axis in self.axes if axis is not None)


@dataclass(frozen=True, eq=False)
class Parts:
    """Complex numbers, which no implementation of ONNX computes with: the values of their parts."""

    real: Placed
    imag: Placed


Stored: TypeAlias = Placed | Parts


def each_part(function: Callable[[Sequence[Placed]], Placed], operands: Sequence[Stored]) -> Stored:
    """Applies what moves elements: to the values, or to both parts of complex ones."""
    if not any(isinstance(operand, Parts) for operand in operands):
        return function([operand for operand in operands if isinstance(operand, Placed)])

    def parts(name: str) -> list[Placed]:
        return [getattr(operand, name) if isinstance(operand, Parts) else operand for operand in operands]

    return Parts(function(parts("real")), function(parts("imag")))


def is_aligned(axes: Axes, order: Sequence[int | None]) -> bool:
    """Whether a tensor with these axes broadcasts along one whose axes are `order`, or as many of the last of them."""
    if len(axes) > len(order):
        return False
    return all(axis in (None, wanted) for axis, wanted in zip(reversed(axes), reversed(order), strict=False))


def aligned_axes(present: Sequence[int], order: Sequence[int | None]) -> Axes:
    """The axes of the least tensor that has the given ones and broadcasts along `order`."""
    first = next((i for i, axis in enumerate(order) if axis in present), len(order))
    return tuple(axis if axis in present else None for axis in order[first:])


def common_order(operands: Sequence[Placed], rank: int) -> tuple[int, ...]:
    """An order of the axes in which the largest of some tensors lies already."""
    largest = max(operands, key=lambda x: (x.array is None, len(x.present)))
    return completed(largest.present, rank)


def completed(present: Sequence[int], rank: int) -> tuple[int, ...]:
    """An order of all axes in which some come in theirs."""
    missing = [axis for axis in range(rank) if axis not in present]
    if list(present) == sorted(present):
        return tuple(range(rank))
    return (*missing, *present)


def rearranged(array: Array, axes: Axes, wanted: Axes) -> Array:
    """A constant with its axes in another order; both have the same axes but for those of size one."""
    kept = [i for i, axis in enumerate(axes) if axis is not None]
    places = {axes[i]: place for place, i in enumerate(kept)}
    squeezed = array.reshape([array.shape[i] for i in kept])
    order = [places[axis] for axis in wanted if axis is not None]
    turned = squeezed.transpose(order)
    sizes = iter(turned.shape)
    return np.asarray(turned.reshape([1 if axis is None else next(sizes) for axis in wanted]), order="C")
