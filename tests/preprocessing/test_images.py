"""Generators of changed images of `tf.keras.preprocessing`, beside those of Keras."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, DataError
from graphc.preprocessing import image

os.environ.setdefault("KERAS_BACKEND", "jax")
from keras.src.legacy.preprocessing import image as theirs
from scipy import ndimage

RNG = np.random.default_rng(0)
X = (RNG.random((10, 9, 9, 3)) * 255).astype("float32")
Y = np.arange(10) % 3
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "rescaled": {"rescale": 1 / 255, "horizontal_flip": True, "vertical_flip": True},
    "featurewise": {"featurewise_center": True, "featurewise_std_normalization": True},
    "samplewise": {"samplewise_std_normalization": True},
    "whitened": {"zca_whitening": True, "zca_epsilon": 0.1},
    "function": {"preprocessing_function": lambda x: x + 1, "channel_shift_range": 20.0, "dtype": "float64"},
    "bright": {"brightness_range": (0.3, 1.4)},
    "turned": {"rotation_range": 40, "zoom_range": 0.3, "shear_range": 20.0},
    "constant": {"rotation_range": 90, "fill_mode": "constant", "cval": 7.0, "data_format": "channels_last"},
    "reflected": {"zoom_range": (1.5, 2.5), "shear_range": 30.0, "fill_mode": "reflect", "interpolation_order": 0},
}


@pytest.fixture(autouse=True)
def _scipy_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras names a module of SciPy that newer versions lack."""
    monkeypatch.setattr(ndimage, "interpolation", ndimage, raising=False)


@pytest.mark.parametrize("kind", OPTIONS)
def test_generators(kind: str) -> None:
    batches = []
    for module in (image, theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            generator = module.ImageDataGenerator(**OPTIONS[kind])
        generator.fit(X, seed=1)
        flow = generator.flow(X, Y, batch_size=4, seed=3, sample_weight=Y / 3)
        batches.append([next(flow) for _ in range(4)] + [flow[i] for i in range(len(flow))])
    assert len(batches[0]) == len(batches[1]) == 7
    for mine, other in zip(*batches, strict=True):
        for one, two in zip(mine, other, strict=True):
            assert one.dtype == two.dtype
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1])
def test_affine_changes(mode: str, order: int) -> None:
    """Of images with the channels first or last, also with axes in another order."""
    for axes in ((0, 1, 2), (1, 2, 0), (1, 0, 2)):
        options: dict[str, Any] = dict(zip(("row_axis", "col_axis", "channel_axis"), axes, strict=True))
        options |= {"fill_mode": mode, "cval": 3.0, "order": order, "zx": 1.7, "zy": 0.6, "theta": 33, "shear": 11}
        pixels = np.moveaxis(X[0].astype("float64"), -1, axes[2])
        options |= {"tx": 2.3, "ty": -4.1}
        mine, other = image.apply_affine_transform(pixels, **options), theirs.apply_affine_transform(pixels, **options)
        np.testing.assert_allclose(mine, other, rtol=1e-5)


def test_shifts_go_along_their_axes_and_zooms_keep_the_centre() -> None:
    """Of images that are no squares, for which Keras takes one side for the other."""
    pixels = np.arange(4 * 8, dtype="float64").reshape(4, 8, 1)
    wide = image.ImageDataGenerator(width_shift_range=[2], fill_mode="constant", cval=-1.0).random_transform(pixels)
    high = image.ImageDataGenerator(height_shift_range=[2], fill_mode="constant", cval=-1.0).random_transform(pixels)
    assert np.sum(wide[0] == -1) == 2 and np.sum(high[:, 0] == -1) == 2
    zoomed = image.apply_affine_transform(pixels, zx=0.5, zy=0.5, row_axis=0, col_axis=1, channel_axis=2)
    np.testing.assert_allclose(zoomed, zoomed[::-1, ::-1] * -1 + 31)
    for x, y in ((1, 0), (0, 1)):
        moved = image.apply_affine_transform(pixels, tx=x, ty=y, row_axis=0, col_axis=1, channel_axis=2)
        assert moved[0, 0, 0] == pixels[y, x, 0]


def test_random_functions_are_those_of_the_generator() -> None:
    places = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("random_rotation", (30,), places),
        ("random_shear", (20,), places),
        ("random_zoom", ((0.5, 1.5),), places),
        ("random_channel_shift", (30.0, 2), {}),
        ("random_brightness", ((0.5, 1.5),), {}),
    ]
    for name, args, options in calls:
        found = []
        for module in (image, theirs):
            np.random.seed(0)
            found.append(getattr(module, name)(X[0], *args, **options))
        np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-2, err_msg=name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/deep/1.png", "c/2.png", "c/3.PNG", "c/note.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no image")
        else:
            image.save_img(path, X[hash(name) % 10], file_format="png")
    return tmp_path


@pytest.mark.parametrize("mode", ["categorical", "sparse", "input", None])
@pytest.mark.parametrize("subset", ["training", "validation", None])
def test_files_in_folders(mode: str | None, subset: str | None, folder: Path) -> None:
    batches = []
    for module in (image, theirs):
        generator = module.ImageDataGenerator(rescale=0.5, horizontal_flip=True, validation_split=0.5)
        options = {"target_size": (6, 5), "batch_size": 2, "class_mode": mode, "seed": 0, "subset": subset}
        flow = generator.flow_from_directory(str(folder), **options)
        batches.append((flow.class_indices, flow.filenames, flow.classes.tolist(), flow.samples, len(flow)))
        batches.append([next(flow) for _ in range(2)])
    assert batches[0] == batches[2]
    for mine, other in zip(batches[1], batches[3], strict=True):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-5)


class Table(dict[str, Any]):
    """As much of a table of pandas as is read here."""

    def __getitem__(self, name: str) -> Any:
        class Column(list[Any]):
            tolist = list.copy

            def to_numpy(self) -> Any:
                return np.array(self)

        return Column(super().__getitem__(name))


@pytest.mark.parametrize("mode", ["categorical", "sparse", "raw", "multi_output", None])
def test_files_in_tables(mode: str | None, folder: Path) -> None:
    names = ["c/2.png", "a/0.png", "none.png", "b/0.png"]
    table = Table(filename=names, **{"class": ["x", "y", "x", "y"]}, weight=[1.0, 2.0, 3.0, 4.0], u=[1, 2, 3, 4])
    columns: Any = ["u", "weight"] if mode == "multi_output" else "u" if mode == "raw" else "class"
    with pytest.warns(UserWarning, match="1 names"):
        flow = image.ImageDataGenerator().flow_from_dataframe(
            table, folder, y_col=columns, weight_col="weight", class_mode=mode, target_size=(4, 4), shuffle=False
        )
    batch = next(flow)
    wanted: Any = {"categorical": [[1, 0], [0, 1], [0, 1]], "sparse": [0, 1, 1], "raw": [1, 2, 4]}
    assert flow.samples == 3 and flow.filenames == [names[i] for i in (0, 1, 3)]
    if mode is None:
        assert batch.shape == (3, 4, 4, 3)
        return
    x, y, weight = batch
    assert x.shape == (3, 4, 4, 3) and weight.tolist() == [1.0, 2.0, 4.0]
    if mode == "multi_output":
        assert [part.tolist() for part in y] == [[1, 2, 4], [1.0, 2.0, 4.0]]
    else:
        assert y.tolist() == wanted[mode]


def test_models_are_trained_on_generators(folder: Path) -> None:
    generator = image.ImageDataGenerator(rescale=1 / 255, rotation_range=10)
    flow = generator.flow_from_directory(folder, target_size=(8, 8), batch_size=2)
    with graphc.backend("numpy"):
        model = graphc.Sequential([graphc.layers.Flatten(), graphc.layers.Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy", metrics=["acc"])
        history = model.fit(flow, steps_per_epoch=3, epochs=2, validation_data=flow, verbose=0).history
        assert sorted(history) == ["acc", "loss", "val_acc", "val_loss"]
        assert model.predict(flow, verbose=0).shape == (6, 3)


def test_errors_of_generators(tmp_path: Path) -> None:
    generator = image.ImageDataGenerator(validation_split=0.5)
    with pytest.raises(ArgumentError, match="zoom_range"):
        image.ImageDataGenerator(zoom_range=(1, 2, 3))
    with pytest.raises(ArgumentError, match="subset"):
        generator.flow(X, subset="test")
    with pytest.raises(DataError, match="one row"):
        generator.flow(X, Y[1:])
    with pytest.raises(DataError, match="no images"):
        generator.flow(X[0])
    with pytest.raises(DataError, match="same classes"):
        generator.flow(X, np.sort(Y), subset="training")
    with pytest.raises(ArgumentError, match="class_mode"):
        generator.flow_from_directory(tmp_path, class_mode="other")
    with pytest.warns(UserWarning, match="before `fit`"):
        image.ImageDataGenerator(featurewise_center=True).standardize(X[0])
