"""What the families of MobileNet share: shapes of images, and the sizes for which there are trained weights."""

from __future__ import annotations

import warnings
from typing import Any

from graphc import config
from graphc.applications.building import Request
from graphc.applications.imagenet_utils import obtain_input_shape
from graphc.errors import ArgumentError, ShapeError
from graphc.tracing import describe, user_line


def image_shape(request: Request, sizes: tuple[int, ...]) -> tuple[tuple[Any, ...], Any]:
    """The shape of images, and their number of rows.

    Args:
        request: The user's arguments.
        sizes: The heights and widths for which there are trained weights.
    """
    data_format = config.image_data_format()
    first = 1 if data_format == "channels_first" else 0
    given = request.input_shape
    known = given
    if given is None and request.input_tensor is not None:
        known = tuple(request.input_tensor.shape)[1:]
    size = next((size for size in sizes if known is not None and tuple(known[first : first + 2]) == (size, size)), 224)
    shape = obtain_input_shape(given, size, 32, data_format, request.include_top, request.weights)
    return shape, shape[first]


def trained_size(
    request: Request,
    family: str,
    shape: tuple[Any, ...],
    rows: Any,
    sizes: tuple[int, ...],
    alpha: float,
    alphas: tuple[float, ...],
    fits: bool = True,
) -> tuple[str | None, Any]:
    """The key of the trained weights, where they are wanted, and the size of the images on which they were trained.

    Raises:
        ArgumentError: if there are none for this width.
    """
    if request.weights != "imagenet":
        return None, rows
    check_width(alpha, alphas, fits)
    first = 1 if config.image_data_format() == "channels_first" else 0
    if rows not in sizes or shape[first + 1] != rows:
        rows = 224
        warn_of_size(sizes)
    return f"{family}_{float(alpha)}_{rows}", rows


def check_width(alpha: float, alphas: tuple[float, ...], fits: bool = True) -> None:
    """Raises an error if there are no trained weights for a width."""
    if alpha not in alphas or not fits:
        raise ArgumentError(
            "there are no trained weights for a network of this width",
            where=describe(user_line()),
            got=f"alpha={alpha}" + ("" if fits else ", with another depth_multiplier than 1"),
            expected=f"alpha of {', '.join(map(str, alphas))}",
            hint="pass weights=None",
        )


def warn_of_size(sizes: tuple[int, ...]) -> None:
    """Warns that weights were trained on images of another size."""
    text = f"the weights were trained on images of 224x224: there are only some for squares of {sizes}"
    warnings.warn(text, stacklevel=4)


def check_same_size(request: Request) -> None:
    """Raises an error if the user gave both an input and a shape, and they differ."""
    given, tensor = request.input_shape, request.input_tensor
    if given is None or tensor is None:
        return
    first = config.image_data_format() == "channels_first"
    size = tuple(tensor.shape)[1 if first else 2]
    if len(given) == 3 and size != given[1]:
        raise ShapeError(
            "input_shape and the shape of input_tensor differ",
            where=describe(user_line()),
            got=f"{tuple(given)} and {tuple(tensor.shape)}",
        )
