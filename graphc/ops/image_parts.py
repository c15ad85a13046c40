"""What operations on images share: their axes, and checks of their arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.shaping import transpose
from graphc.ops.windows import channels_first
from graphc.tracing import Tensor, as_tensor


def image_axes(op: str, x: Tensor, data_format: str | None) -> tuple[int, int, int]:
    """The axes of the height, the width and the channels of an image or a batch of images.

    Raises:
        ShapeError: if the rank is neither 3 nor 4.
    """
    if x.ndim not in (3, 4):
        problem = f"Invalid images rank: expected rank 3 or rank 4 by `{op}`"
        raise ShapeError(problem, got=str(x.type), expected="an image or a batch of images")
    if channels_first(data_format):
        return x.ndim - 2, x.ndim - 1, x.ndim - 3
    return x.ndim - 3, x.ndim - 2, x.ndim - 1


def batched(op: str, images: Any, data_format: str | None) -> tuple[Tensor, bool]:
    """A batch of images with the channels last, and whether they were first (`unbatched` restores both)."""
    x = as_tensor(images)
    image_axes(op, x, data_format)
    first = channels_first(data_format)
    x = x if x.ndim == 4 else x.reshape((1, *x.shape))
    return (transpose(x, (0, 2, 3, 1)) if first else x), first


def unbatched(x: Tensor, first: bool, rank: int) -> Tensor:
    """Images in the format and rank that they had."""
    x = transpose(x, (0, 3, 1, 2)) if first else x
    return x if rank == 4 else x.reshape(x.shape[1:])


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Checks the name of a method.

    Raises:
        ArgumentError: if it is unknown.
    """
    if value not in tuple(allowed):
        raise ArgumentError(f"unknown `{name}`", got=repr(value), expected=", ".join(allowed))


def known(op: str, sizes: Iterable[Dim]) -> list[int]:
    """Sizes that must be known.

    Raises:
        ShapeError: if one is not.
    """
    found = list(sizes)
    if not all(isinstance(size, int) for size in found):
        raise ShapeError(f"`{op}` needs images of a known size here", got=f"sizes {tuple(map(str, found))}")
    return [int(size) for size in found]  # type: ignore[arg-type]
