"""Images at other coordinates: mapped, and transformed by matrices and points."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from graphc import dtypes, random
from graphc.dims import Dim
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import where
from graphc.ops.filters import curve_of_width, smoothed
from graphc.ops.functions import floor
from graphc.ops.image_parts import batched, one_of, unbatched
from graphc.ops.shaping import broadcast_to, ravel, stack
from graphc.tracing import Tensor, as_tensor, bind, elementwise, operation
from graphc.tracing import cast as _cast
from graphc.tracing.shapes import reshape as _reshape
from graphc.tracing.shapes import unify_sizes

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform"]

_ORDERS = {"nearest": 0, "bilinear": 1}
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


# ---- indices outside of an image


def _mirrored(index: Tensor, size: Any) -> Tensor:
    """Reflected at the centers of the outermost elements."""
    last = size - 1
    period = 2 * last if not isinstance(size, int) else max(2 * last, 1)
    return as_tensor(abs((index + last) % period - last))


def _reflected(index: Tensor, size: Any) -> Tensor:
    """Reflected at the edges of the outermost elements."""
    return as_tensor((_mirrored(2 * index + 1, 2 * size + 1) - 1) // 2)


_INSIDE: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "constant": lambda index, size: index,
    "nearest": lambda index, size: index,  # which `gather` clamps
    "wrap": lambda index, size: as_tensor(index % size),
    "mirror": _mirrored,
    "reflect": _reflected,
}


def _rounded(x: Tensor) -> Tensor:
    """The nearest integers; halves away from 0."""
    size = floor(abs(x))
    size = size + _cast(elementwise("ge", abs(x) - size, 0.5), x.type.dtype)
    return where(elementwise("lt", x, 0), -size, size)


def _nodes(coordinate: Tensor, order: int) -> list[tuple[Tensor, Any]]:
    """The indices around a coordinate, and their weights."""
    if order == 0:
        return [(_cast(_rounded(coordinate), dtypes.int32), None)]
    low = floor(coordinate)
    above = coordinate - low
    index = _cast(low, dtypes.int32)
    return [(index, 1 - above), (index + 1, above)]


def _interpolated(
    rows: Tensor, start: Any, sizes: list[Dim], coordinates: list[Tensor], order: int, mode: str, value: Any
) -> Tensor:
    """The elements at coordinates, each a row.

    Args:
        rows: All elements, `[count, ...]`.
        start: The index of the row at coordinates of 0: a number or a tensor.
        sizes: The sizes of the axes that coordinates count along.
        coordinates: One tensor for each of them, of one shape.
        order: 0: the nearest; 1: between the neighbours.
        mode: What is outside.
        value: Where that is a constant.
    """
    dtype = rows.type.dtype
    total: Any = None
    for corner in itertools.product(*(_nodes(coordinate, order) for coordinate in coordinates)):
        flat, weight, valid = start, None, None
        for axis, ((index, share), size) in enumerate(zip(corner, sizes, strict=True)):
            stride: Any = 1
            for later in sizes[axis + 1 :]:
                stride = stride * later
            inside = _INSIDE[mode](index, size)
            if mode in ("constant", "nearest"):
                fits = elementwise("ge", index, 0) & elementwise("lt", index, size)
                valid = fits if valid is None else valid & fits
                inside = _clamped(index, size)
            flat = flat + inside * stride
            if share is not None:
                weight = share if weight is None else weight * share
        found = bind("gather", rows, as_tensor(flat), axis=0)
        extra = (1,) * (found.ndim - coordinates[0].ndim)
        if mode == "constant":
            found = where(_reshape(as_tensor(valid), (*coordinates[0].shape, *extra)), found, as_tensor(value, dtype))
        if weight is not None:
            found = found * _reshape(as_tensor(weight), (*coordinates[0].shape, *extra))
        total = found if total is None else total + found
    result = as_tensor(total)
    if dtype.is_integer and result.type.dtype.is_float:
        result = _rounded(result)
    return _cast(result, dtype)


def _clamped(index: Tensor, size: Any) -> Tensor:
    low = where(elementwise("lt", index, 0), 0, index)
    return where(elementwise("ge", low, size), size - 1, low)


@operation
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: Any = 0
) -> Tensor:
    """The elements of a tensor at coordinates, which may lie between its elements.

    Args:
        inputs: Tensor of rank N.
        coordinates: Tensor `[N, ...]`, or a list of N: the coordinates along each axis.
        order: 0: the nearest element; 1: linearly between the neighbours.
        fill_mode: What is outside: `"constant"`, the `fill_value`; `"nearest"`, the outermost elements; `"wrap"`, the
            tensor again; `"mirror"` and `"reflect"`, the tensor reflected at the centers or at the edges of its
            outermost elements.
        fill_value: A number.

    Returns:
        A tensor of the shape of each coordinate, and of the dtype of `inputs`.

    Raises:
        ArgumentError: if `order` or `fill_mode` is unknown.
        ShapeError: if the number of coordinates is not the rank.

    Example:

    >>> map_coordinates([0.0, 10.0, 20.0], [[0.5, 2.0, 3.0]], 1).numpy().tolist()
    [5.0, 20.0, 0.0]
    """
    x = as_tensor(inputs)
    places = stack(list(coordinates), 0) if isinstance(coordinates, list | tuple) else as_tensor(coordinates)
    if places.ndim < 2 or places.shape[0] != x.ndim:
        raise ShapeError(
            "`map_coordinates` takes a coordinate for each axis",
            got=f"inputs {x.type}, coordinates {places.type}",
            expected=f"coordinates [{x.ndim}, ...]",
        )
    one_of("fill_mode", fill_mode, _FILL_MODES)
    if order not in (0, 1):
        raise ArgumentError("unknown `order`", got=repr(order), expected="0 or 1")
    floats = places if places.type.dtype.is_float else _cast(places, dtypes.float32)
    parts = [floats[i] for i in range(x.ndim)]
    return _interpolated(ravel(x), 0, list(x.shape), parts, order, fill_mode, fill_value)


# ---- transforms of images


def _grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each pixel, `[1, height, width]`."""
    shape = (1, *x.shape[1:3])
    rows, columns = (_cast(bind("iota", shape=shape, dtype=dtypes.int32, axis=axis), dtypes.float32) for axis in (1, 2))
    return rows, columns


def warped(x: Tensor, rows: Tensor, columns: Tensor, order: int, mode: str, value: Any) -> Tensor:
    """A batch of images with the channels last, at coordinates `[batch, height, width]`."""
    batch, height, width, channels = x.shape
    pixels = _reshape(x, (batch * height * width, channels))
    numbers = bind("iota", shape=(batch, 1, 1), dtype=dtypes.int32, axis=0)
    start = numbers * (height * width)
    return _interpolated(pixels, start, [height, width], [rows, columns], order, mode, value)


def _projected(x: Tensor, numbers: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The coordinates of each pixel after a projection by 8 numbers, each `[batch, 1, 1]`: rows and columns."""
    y, x_ = _grid(x)
    a0, a1, a2, b0, b1, b2, c0, c1 = numbers
    depth = c0 * x_ + c1 * y + 1.0
    return as_tensor((b0 * x_ + b1 * y + b2) / depth), as_tensor((a0 * x_ + a1 * y + a2) / depth)


def _moved(x: Tensor, transforms: Tensor, order: int, mode: str, value: Any) -> Tensor:
    """A batch of images projected by 8 numbers each, or all by the same: `[batch or 1, 8]`."""
    if transforms.shape[0] != 1:
        x, transforms = unify_sizes((x, transforms), [["image", 1, 2, 3], ["image", "number"]])
    batch = x.shape[0]
    if transforms.shape[0] not in (1, batch):
        raise ShapeError("there is a transform for each image, or one", got=f"{transforms.shape[0]} for {batch} images")
    rows, columns = _projected(x, [_reshape(transforms[:, i], (transforms.shape[0], 1, 1)) for i in range(8)])
    shape = tuple(x.shape[:3])
    return warped(x, broadcast_to(rows, shape), broadcast_to(columns, shape), order, mode, value)


@operation
def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images in which the pixel `(x, y)` is that at `(a0 x + a1 y + a2, b0 x + b1 y + b2) / (c0 x + c1 y + 1)` before.

    Args:
        images: An image or a batch of them.
        transform: `[8]` or `[batch, 8]`: `a0, a1, a2, b0, b1, b2, c0, c1`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: What is outside: see `map_coordinates`.
        fill_value: Where that is a constant.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        ArgumentError: if `interpolation` or `fill_mode` is unknown.
        ShapeError: if the shapes do not fit.

    Example:

    >>> affine_transform([[[1.0], [2.0], [3.0]]], [1.0, 0, 1, 0, 1, 0, 0, 0]).numpy().ravel().tolist()
    [2.0, 3.0, 0.0]
    """
    one_of("interpolation", interpolation, _ORDERS)
    one_of("fill_mode", fill_mode, _FILL_MODES)
    x, first = batched("affine_transform", images, data_format)
    matrix = _cast(as_tensor(transform), dtypes.float32)
    if matrix.ndim not in (1, 2) or matrix.shape[-1] != 8:
        raise ShapeError("a transform is 8 numbers, or 8 for each image", got=str(matrix.type))
    matrix = matrix if matrix.ndim == 2 else _reshape(matrix, (1, 8))
    moved = _moved(x, matrix, _ORDERS[interpolation], fill_mode, fill_value)
    return unbatched(moved, first, as_tensor(images).ndim)


def homography(before: Tensor, after: Tensor) -> Tensor:
    """The 8 numbers `[batch, 8]` of the projection that maps four points to the four in the place of which they come.

    It leads back from the points to the corners of a square, and from there to the others: no equations are solved.
    """
    (a, b, c), (d, e, f), (g, h, i) = _square_to(after)
    back = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    columns = tuple(zip(*back, strict=True))
    rows = [[x * u + y * v + z * w for u, v, w in columns] for x, y, z in _square_to(before)]
    numbers = [entry / rows[2][2] for row in rows for entry in row]
    return stack(numbers[:8], -1)


def _square_to(points: Tensor) -> tuple[tuple[Any, Any, Any], ...]:
    """The matrix, up to a factor, of the projection that maps (0, 0), (1, 0), (0, 1) and (1, 1) to `[batch, 4, 2]`."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = ((points[:, i, 0], points[:, i, 1]) for i in range(4))
    right, low, rest = (x1 - x3, y1 - y3), (x2 - x3, y2 - y3), (x0 - x1 - x2 + x3, y0 - y1 - y2 + y3)
    factor = right[0] * low[1] - low[0] * right[1]
    g = rest[0] * low[1] - low[0] * rest[1]
    h = right[0] * rest[1] - rest[0] * right[1]
    return (
        ((x1 - x0) * factor + x1 * g, (x2 - x0) * factor + x2 * h, x0 * factor),
        ((y1 - y0) * factor + y1 * g, (y2 - y0) * factor + y2 * h, y0 * factor),
        (g, h, factor),
    )


@operation
def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images seen from elsewhere: what was at four points is at four others.

    Args:
        images: An image or a batch of them.
        start_points: `[4, 2]` or `[batch, 4, 2]`: the `(x, y)` of four points.
        end_points: Likewise, where they are in the result.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: What is outside.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        ArgumentError: if `interpolation` is unknown.
        ShapeError: if the shapes do not fit.

    Example:

    >>> corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    >>> perspective_transform([[[1.0], [2.0]], [[3.0], [4.0]]], corners, corners).numpy().round(4).ravel().tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    one_of("interpolation", interpolation, _ORDERS)
    x, first = batched("perspective_transform", images, data_format)
    points = [_cast(as_tensor(part), dtypes.float32) for part in (start_points, end_points)]
    if points[0].shape != points[1].shape or points[0].ndim not in (2, 3) or points[0].shape[-2:] != (4, 2):
        raise ShapeError(
            "Invalid start_points shape: expected (4, 2) or (batch, 4, 2), as that of end_points",
            got=f"{points[0].type} and {points[1].type}",
            expected="four points and where they go",
        )
    before, after = (part if part.ndim == 3 else _reshape(part, (1, 4, 2)) for part in points)
    moved = _moved(x, homography(before, after), _ORDERS[interpolation], "constant", fill_value)
    return unbatched(moved, first, as_tensor(images).ndim)


@operation
def elastic_transform(
    images: Any,
    alpha: Any = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: Any = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Tensor:
    """Images whose pixels are moved at random, neighbours alike (Simard et al., 2003).

    Args:
        images: An image or a batch of them.
        alpha: By what displacements are multiplied.
        sigma: The standard deviation of the normal curve that smooths them, and of the numbers that are smoothed.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: What is outside: see `map_coordinates`.
        fill_value: Where that is a constant.
        seed: Integer, `SeedGenerator`, or None.
        data_format: `"channels_last"` or `"channels_first"`. None: as configured.

    Returns:
        A tensor of the same shape and dtype.

    Raises:
        ArgumentError: if `interpolation` or `fill_mode` is unknown.
        ShapeError: if the rank is neither 3 nor 4.

    Example:

    >>> elastic_transform([[[1.0]] * 8] * 8, seed=1).numpy().mean().round(4).item()
    1.0
    """
    one_of("interpolation", interpolation, _ORDERS)
    one_of("fill_mode", fill_mode, _FILL_MODES)
    x, first = batched("elastic_transform", images, data_format)
    widest = int(6 * float(sigma)) | 1
    moved = displaced(x, alpha, sigma, widest, seed, _ORDERS[interpolation], fill_mode, fill_value)
    return unbatched(moved, first, as_tensor(images).ndim)


def displaced(x: Tensor, alpha: Any, sigma: Any, widest: int, seed: Any, order: int, mode: str, value: Any) -> Tensor:
    """A batch of images with the channels last, whose pixels are moved at random.

    Args:
        x: The images.
        alpha: By what displacements are multiplied: a number or a scalar.
        sigma: The standard deviation of the curve and of the noise, likewise.
        widest: The largest width that the curve, of `6 * sigma` pixels, can have.
        seed: Integer, `SeedGenerator`, or None.
        order: 0: the nearest; 1: between the neighbours.
        mode: What is outside.
        value: Where that is a constant.
    """
    spread, strength = as_tensor(sigma, dtypes.float32), as_tensor(alpha, dtypes.float32)
    curve = curve_of_width(widest, spread)
    places = []
    for key, grid in zip(random.two_seeds(seed), _grid(x), strict=True):
        noise = random.normal((*x.shape[:3], 1), dtype="float32", seed=key) * spread
        places.append(as_tensor(grid + strength * smoothed(as_tensor(noise), curve)[..., 0]))
    return warped(x, places[0], places[1], order, mode, value)
