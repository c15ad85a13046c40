"""Images that are written: the bytes as PNG defines them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graphc import config
from graphc.errors import ArgumentError, DataError, FileError
from graphc.utils import save_img
from tests.support.png import read_png


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_are_written_as_they_are(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype("uint8")
    save_img(tmp_path / "a.png", pixels, scale=False)
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), pixels)


def test_values_are_scaled_as_in_keras(tmp_path: Path) -> None:
    save_img(str(tmp_path / "a.PNG"), np.array([[[-1.0], [0.0]], [[1.0], [3.0]]], "float32"))
    assert read_png(tmp_path / "a.PNG").ravel().tolist() == [0, 63, 127, 255]
    for seed in range(50):
        save_img(tmp_path / "a.png", np.random.default_rng(seed).normal(size=(2, 2, 1)))
        assert (read_png(tmp_path / "a.png").min(), read_png(tmp_path / "a.png").max()) == (0, 255)
    save_img(tmp_path / "b", np.full((2, 2, 1), 7.0), file_format="png")
    assert not read_png(tmp_path / "b").any()


def test_channels_first(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype="uint8").reshape(3, 2, 4)
    save_img(tmp_path / "a.png", pixels, "channels_first", scale=False)
    with config.override(image_data_format="channels_first"):
        save_img(tmp_path / "b.png", pixels, scale=False)
    for name in ("a.png", "b.png"):
        np.testing.assert_array_equal(read_png(tmp_path / name), pixels.transpose(1, 2, 0))


GREY = np.zeros((4, 4, 1))


@pytest.mark.parametrize(
    ("error", "text", "name", "image", "options"),
    [
        (ArgumentError, "in this format", "a.xyz", GREY, {}),
        (ArgumentError, "in this format", "a", GREY, {}),
        (ArgumentError, "in this format", "a.png", GREY, {"file_format": "film"}),
        (ArgumentError, "data_format", "a.png", GREY, {"data_format": "last"}),
        (DataError, r"shape \(4, 4\)", "a.png", GREY[..., 0], {}),
        (DataError, r"\(4, 4, 2\)", "a.png", np.zeros((4, 4, 2)), {}),
        (DataError, r"\(0, 4, 1\)", "a.png", GREY[:0], {}),
        (DataError, "complex", "a.png", GREY.astype("complex64"), {}),
        (DataError, "-1.0 to -1.0", "a.png", GREY - 1, {"scale": False}),
        (DataError, "finite", "a.png", GREY + np.nan, {}),
        (FileError, "cannot be written", "absent/a.png", GREY, {}),
    ],
)
def test_what_is_no_image_is_refused(
    tmp_path: Path, error: type[Exception], text: str, name: str, image: NDArray[np.float64], options: dict[str, str]
) -> None:
    with pytest.raises(error, match=text) as info:
        save_img(tmp_path / name, image, **options)
    assert "test_images.py" in str(info.value)
    assert not list(tmp_path.iterdir())
