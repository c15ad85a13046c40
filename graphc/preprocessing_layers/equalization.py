"""Images whose values are spread over their range, by what values there are."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtypes import int32
from graphc.errors import ArgumentError
from graphc.layers.kinds import positive
from graphc.ops.image_parts import batched, known, unbatched
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import ColorLayer
from graphc.registration import exported
from graphc.tracing import as_tensor, bind

_MODULE = "keras.layers"


@exported(_MODULE)
@configured
class AutoContrast(ColorLayer):
    """Scales each channel of each image so that its values fill the range, in training and in inference.

    Example:

    >>> AutoContrast(value_range=(0, 1))([[[[0.25], [0.5]]]]).numpy().ravel().tolist()
    [0.0, 1.0]
    """

    _USE_BASE_FACTOR = False
    value_range: Any = (0, 255)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The scaled images."""
        given = ops.cast(images, self.compute_dtype)
        x = self._to_range(given, self.value_range, (0, 255), self.compute_dtype)
        axes = (-2, -1) if self._first else (-3, -2)
        low, high = (extreme(x, axis=axes, keepdims=True) for extreme in (ops.min, ops.max))
        flat = ops.equal(low, high)
        scale = 255.0 / ops.where(flat, 1.0, high - low)
        scaled = self._to_range(ops.clip(x * scale - low * scale, 0.0, 255.0), (0, 255), self.value_range)
        return ops.cast(ops.where(flat, given, scaled), self.compute_dtype)


@exported(_MODULE)
@configured
class Equalization(ColorLayer):
    """In training, maps the values of each channel so that all are about equally frequent in the batch.

    Args:
        bins: The number of different values that are told apart.

    Example:

    >>> Equalization()([[[[1.0], [2.0], [4.0]]]], training=True).numpy().ravel().tolist()
    [0.0, 128.0, 255.0]
    """

    value_range: Any = (0, 255)
    bins: int = 256
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        positive("bins")(self.bins)

    def _equalized(self, channel: Any) -> Any:
        """One channel of all images, of values from 0 to 255."""
        last = self.bins - 1
        place = ops.clip(ops.cast(channel * last / 255.0, "int32"), 0, last)
        counts = ops.segment_sum(ops.ones_like(ops.ravel(place)), ops.ravel(place), self.bins)
        total = ops.cumsum(counts)
        least = ops.take(total, ops.argmax(total > 0))
        others = total[-1] - least
        table = ops.cast(total - least, "float32") * 255 / ops.maximum(ops.cast(others, "float32"), 1.0)
        table = ops.clip(ops.round(table), 0, 255)
        index = ops.cast(ops.clip(channel / 255.0 * last, 0, last), "int32")
        return ops.where(ops.count_nonzero(counts) <= 1, channel, ops.cast(ops.take(table, index), channel.dtype))

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The equalized images."""
        if not training:
            return as_tensor(images)
        x = self._to_range(ops.cast(images, self.compute_dtype), self.value_range, (0, 255), self.compute_dtype)
        axis = -3 if self._first else -1
        channels = [ops.squeeze(part, axis) for part in ops.split(x, x.shape[axis], axis=axis)]
        found = ops.stack([self._equalized(channel) for channel in channels], axis)
        return ops.cast(self._to_range(found, (0, 255), self.value_range), self.compute_dtype)


@exported(_MODULE)
@configured
class ContrastLimitedAdaptiveHistogramEqualization(ColorLayer):
    """Equalizes images by tiles, between which it interpolates, with a limit to how much contrasts are raised.

    It does so in training and in inference (Zuiderveld, 1994).

    Args:
        clip_limit: How much more frequent than the mean a value may be; what is above counts for all values alike. 0:
            there is no limit.
        tile_grid_size: The numbers of tiles along the height and the width.

    Raises:
        ArgumentError: if the numbers of tiles are no two positive integers.
        ShapeError: if the size of the images is not known.

    Example:

    >>> ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(2, 2))(ops.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 3)
    """

    value_range: Any = (0, 255)
    clip_limit: float = 4.0
    tile_grid_size: Any = (8, 8)
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        grid = self.tile_grid_size
        if not isinstance(grid, list | tuple) or len(grid) != 2:
            raise ArgumentError("tile_grid_size is two numbers", layer=self.name, got=repr(grid))
        self.tile_grid_size = tuple(positive("tile_grid_size")(number) for number in grid)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The equalized images, in their dtype."""
        given = as_tensor(images)
        x = ops.cast(self._to_range(given, self.value_range, (0, 255)), "float32")
        x, first = batched("ContrastLimitedAdaptiveHistogramEqualization", x, self.data_format)
        found = self._to_range(self._by_tiles(x), (0, 255), self.value_range)
        return ops.cast(unbatched(as_tensor(found), first, given.ndim), given.dtype)

    def _by_tiles(self, x: Any) -> Any:
        batch, height, width, channels = x.shape
        height, width, channels = known("ContrastLimitedAdaptiveHistogramEqualization", (height, width, channels))
        rows, columns = self.tile_grid_size
        tall, wide = -(-height // rows), -(-width // columns)
        below, right = tall * rows - height, wide * columns - width
        if below or right:
            x = ops.pad(x, [[0, 0], [0, below], [0, right], [0, 0]], mode="symmetric")
        pixels = ops.cast(ops.clip(x, 0, 255), "int32")
        # Where in the table the values of each image, tile and channel begin.
        image = bind("iota", shape=(batch, 1, 1, 1), dtype=int32, axis=0) * (rows * columns * channels * 256)
        channel = ops.reshape(ops.arange(channels) * 256, (1, 1, 1, channels))
        start = image + channel + pixels
        down, across = columns * channels * 256, channels * 256
        own = start + self._tiles(rows, tall, down, 1) + self._tiles(columns, wide, across, 2)
        counts = ops.segment_sum(
            ops.ones_like(ops.ravel(own), dtype="float32"), ops.ravel(own), batch * (rows * columns * channels * 256)
        )
        table = ops.ravel(self._mapped(ops.reshape(counts, (-1, 256)), tall * wide))
        found: Any = 0.0
        for place, share in self._around(rows, tall, down, 1):
            for other, part in self._around(columns, wide, across, 2):
                found = found + ops.take(table, start + place + other) * (share * part)
        return found[:, :height, :width, :]

    def _mapped(self, counts: Any, pixels: int) -> Any:
        """What values are mapped to, for each row of counts."""
        if self.clip_limit > 0:
            kept = ops.clip(counts, 0, self.clip_limit * pixels / 256.0)
            counts = kept + ops.sum(counts - kept, axis=-1, keepdims=True) / 256.0
        total = ops.cumsum(counts, axis=-1)
        least = ops.min(total, axis=-1, keepdims=True)
        others = pixels - least
        return ops.clip((total - least) * 255.0 / ops.where(ops.equal(others, 0), 1.0, others), 0, 255)

    def _tiles(self, count: int, size: int, stride: int, axis: int) -> Any:
        """Where the tile of each row, or column, begins in the table."""
        index = ops.arange(count * size) // size * stride
        return ops.reshape(index, [-1 if i == axis else 1 for i in range(4)])

    def _around(self, count: int, size: int, stride: int, axis: int) -> list[tuple[Any, Any]]:
        """Likewise for the two tiles around each row, or column, and their shares."""
        place = (ops.arange(count * size, dtype="float32") - size / 2) / size
        low = ops.floor(place)
        shape = [-1 if i == axis else 1 for i in range(4)]
        above = ops.reshape(place - low, shape)
        lower, upper = (
            ops.reshape(ops.cast(ops.clip(tile, 0, count - 1), "int32") * stride, shape) for tile in (low, low + 1)
        )
        return [(lower, 1 - above), (upper, above)]
