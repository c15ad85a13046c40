"""Images in other sizes: resized, and cropped at their center."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ShapeError
from graphc.layers.kinds import positive
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.registration import exported

_MODULE = "keras.layers"


class _SizedImages(Layer):
    """The base class of layers whose results are images of one size."""

    height: int
    width: int
    data_format: Any

    def _prepare(self) -> None:
        positive("height")(self.height)
        positive("width")(self.width)

    def _axes(self, shape: Any) -> tuple[int, int]:
        """The axes of the height and of the width."""
        if len(shape) not in (3, 4):
            raise ShapeError(
                f"{type(self).__name__} takes an image or a batch of them",
                layer=self.name,
                got=f"shape {tuple(shape)}",
                expected="rank 3 or 4",
            )
        first = len(shape) - (3 if self.data_format == "channels_last" else 2)
        return first, first + 1

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of the inputs, with the height and width of the layer."""
        rows, columns = self._axes(input_shape)
        sizes = {rows: self.height, columns: self.width}
        return tuple(sizes.get(axis, size) for axis, size in enumerate(input_shape))


@exported(_MODULE)
@configured
class Resizing(_SizedImages):
    """Images in another size: `ops.image.resize`.

    Args:
        height: The height of the results.
        width: Their width.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: Whether images are first cropped to the ratio of the new height and width.
        pad_to_aspect_ratio: Whether images are first padded to that ratio.
        fill_mode: `"constant"`.
        fill_value: The pixels that are added.
        antialias: Whether each pixel of a smaller image is a mean over all that it covers.

    Example:

    >>> Resizing(2, 3)(ops.ones((4, 8, 8, 1))).shape
    (4, 2, 3, 1)
    """

    height: int
    width: int
    interpolation: str = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: str = "constant"
    fill_value: float = 0.0
    antialias: bool = False
    data_format: Any = None

    def call(self, inputs: Any) -> Any:
        """The images in the other size."""
        self._axes(inputs.shape)
        return ops.image.resize(
            inputs,
            (self.height, self.width),
            self.interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            self.data_format,
        )


@exported(_MODULE)
@configured
class CenterCrop(_SizedImages):
    """The center of images. Those that are smaller are resized so that they cover it, and cropped then.

    Args:
        height: The height of the results.
        width: Their width.

    Example:

    >>> CenterCrop(2, 2)(ops.reshape(ops.arange(16.0), (1, 4, 4, 1))).numpy().ravel().tolist()
    [5.0, 6.0, 9.0, 10.0]
    """

    height: int
    width: int
    data_format: Any = None

    def call(self, inputs: Any) -> Any:
        """The centers of the images."""
        x = ops.cast(inputs, self.compute_dtype)
        rows, columns = self._axes(x.shape)
        sizes = {rows: self.height, columns: self.width}
        if all(not isinstance(x.shape[axis], int) or x.shape[axis] >= size for axis, size in sizes.items()):
            key: list[Any] = [slice(None)] * x.ndim
            for axis, size in sizes.items():
                start = (x.shape[axis] - size) // 2
                key[axis] = slice(start, start + size)
            return x[tuple(key)]
        return ops.image.resize(x, (self.height, self.width), crop_to_aspect_ratio=True, data_format=self.data_format)
