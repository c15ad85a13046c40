"""Data sets of folders: files, labels and splits as in Keras, pixels as Keras resizes them, and what is refused."""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, utils
from graphc.errors import ArgumentError, DataError, FileError, MissingPackageError
from graphc.utils import audio_dataset_from_directory, image_dataset_from_directory, text_dataset_from_directory

os.environ["KERAS_BACKEND"] = "jax"
import keras
from keras.src.utils import dataset_utils, image_dataset_utils

NAMES = ("b/2.txt", "a/1.txt", "a/10.TXT", "a/2.txt", "b/deep/1.txt", "b/1.md", "c/1.txt", ".hidden/1.txt", "top.txt")
IMAGES = (("a/0.png", (9, 12, 3)), ("a/1.png", (12, 9, 3)), ("b/0.png", (8, 8, 4)), ("b/1.jpg", (7, 20, 3)))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(f"text of {name}")
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name, shape in IMAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        utils.save_img(tmp_path / name, generator.integers(0, 256, shape), scale=False)
    (tmp_path / "a/notes.txt").write_text("no image")
    return tmp_path


def all_of(ds: Any) -> Any:
    """The batches of a data set together."""
    batches = list(ds)
    if isinstance(batches[0], tuple):
        return tuple(np.concatenate([np.asarray(part) for part in parts]) for parts in zip(*batches, strict=True))
    return np.concatenate(list(map(np.asarray, batches)))


@pytest.mark.parametrize("seed", [1, 7])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("subset", [None, "training", "validation"])
def test_the_same_files_are_in_the_same_subsets_as_in_keras(
    texts: Path, seed: int, shuffle: bool, subset: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    split = 0.4 if subset else None
    paths, labels, classes = dataset_utils.index_directory(
        str(texts), "inferred", (".txt",), shuffle=shuffle, seed=seed
    )
    paths, labels = dataset_utils.get_training_or_validation_split(paths, labels, split, subset)
    said = capsys.readouterr().out
    ds = text_dataset_from_directory(texts, shuffle=shuffle, seed=seed, validation_split=split, subset=subset)
    assert ds.file_paths == [os.path.join(texts, path) for path in paths]
    assert ds.class_names == classes == ["a", "b", "c"]
    assert capsys.readouterr().out == said
    found = dict(zip(*all_of(ds), strict=True))
    assert found == {Path(path).read_text(): label for path, label in zip(paths, labels, strict=True)}
    assert len(ds) == 1 and len(ds.unbatch().class_names) == 3


def test_both_subsets_are_disjoint_and_complete(texts: Path) -> None:
    train, val = text_dataset_from_directory(
        texts, seed=3, validation_split=0.5, subset="both", batch_size=2, verbose=False
    )
    assert len(train.file_paths) == len(val.file_paths) == 3
    assert not set(train.file_paths) & set(val.file_paths)
    first, second = list(all_of(train)[0]), list(all_of(train)[0])
    orders = [list(all_of(train)[0]) for _ in range(10)]
    assert sorted(first) == sorted(second) and any(order != first for order in orders)  # shuffled anew
    assert [list(all_of(val)[0]) for _ in range(3)] == [[Path(path).read_text() for path in val.file_paths]] * 3


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 0, 0, 1, 1, 2]),
        ({"label_mode": "categorical", "class_names": ["b", "a"]}, [[1, 0]] * 2 + [[0, 1]] * 3),
        ({"label_mode": "binary", "class_names": ["b", "a"]}, [[0]] * 2 + [[1]] * 3),
        ({"labels": [5, 3, 3, 5, 5, 3, 3, 3]}, [5, 3, 3, 5, 5, 3, 3, 3]),
    ],
)
def test_labels(texts: Path, options: dict[str, Any], expected: Any) -> None:
    ds = text_dataset_from_directory(texts, shuffle=False, verbose=False, **options)
    found, labels = all_of(ds)
    assert labels.tolist() == expected and len(found) == len(expected)
    assert labels.dtype == ("int32" if np.ndim(expected) == 1 else "float32")
    if "labels" in options:
        assert ds.class_names == ["3", "5"]
    shuffled = text_dataset_from_directory(texts, seed=2, verbose=False, **options)
    assert {t: np.asarray(n).tolist() for t, n in zip(*all_of(shuffled), strict=True)} == dict(
        zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("options", [{"labels": None}, {"label_mode": None}, {"labels": None, "label_mode": None}])
def test_without_labels(texts: Path, options: dict[str, Any]) -> None:
    ds = text_dataset_from_directory(texts, batch_size=None, verbose=False, shuffle=False, max_length=7, **options)
    found = list(ds)
    assert len(ds) == len(found) == 8 and ds.class_names is None
    assert {text.numpy() for text in found} == {b"text of"}


def test_links_are_followed_where_it_is_asked_for(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "9.txt").write_text("linked")
    (texts / "a" / "link").symlink_to(other)
    counts = [
        len(text_dataset_from_directory(texts, follow_links=follow, verbose=False).file_paths)
        for follow in (False, True)
    ]
    assert counts == [6, 7]


def test_messages_go_where_logging_is_set_to(texts: Path, capsys: pytest.CaptureFixture[str], caplog: Any) -> None:
    text_dataset_from_directory(texts)
    assert capsys.readouterr().out == "Found 6 files belonging to 3 classes.\n"
    with graphc.config.override(interactive_logging=False), caplog.at_level("INFO", "graphc"):
        text_dataset_from_directory(texts, labels=None)
    assert not capsys.readouterr().out and caplog.messages == ["Found 8 files."]


# ---- images


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize(
    ("ratio", "size"),
    [(None, (20, 5)), ("crop_to_aspect_ratio", (9, 31)), ("pad_to_aspect_ratio", (8, 8))],
)
def test_images_are_resized_as_in_keras(images: Path, interpolation: str, ratio: str | None, size: Any) -> None:
    options = {} if ratio is None else {ratio: True}
    every = (("rgb", 3), ("grayscale", 1), ("rgba", 4))
    for color, channels in every if interpolation == "bilinear" else every[:1]:
        ds = image_dataset_from_directory(
            images, None, None, None, color, 3, size, False, interpolation=interpolation, verbose=False, **options
        )
        expected = [
            image_dataset_utils._load_image_grain(path, size, channels, interpolation, "channels_last", **options)
            for path in ds.file_paths
        ]
        found = all_of(ds)
        assert found.dtype == "float32" and found.shape == (4, *size, channels)
        np.testing.assert_allclose(found, np.stack(expected), atol=2e-3)


def test_layout_of_images_and_what_a_program_does_with_them(images: Path) -> None:
    first = image_dataset_from_directory(images, data_format="channels_first", image_size=6, verbose=False)
    assert next(iter(first))[0].shape == (4, 3, 6, 6)
    train, val = image_dataset_from_directory(
        images, image_size=(8, 8), validation_split=0.25, subset="both", seed=1, batch_size=2, verbose=False
    )
    for batch, labels in train.take(1):
        assert batch.shape == (2, 8, 8, 3) and labels.numpy().shape == (2,)
        assert batch[0].numpy().astype("uint8").dtype == "uint8" and train.class_names[labels[0]] in "ab"
    rescale = layers.Rescaling(1 / 255)
    augmented = train.map(lambda x, y: (rescale(x), y), num_parallel_calls=graphc.data.AUTOTUNE).cache().prefetch(2)
    with graphc.backend("numpy"):
        model = graphc.Sequential([graphc.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(augmented, validation_data=val.map(lambda x, y: (rescale(x), y)), epochs=2, verbose=0)
        assert len(history.history["val_accuracy"]) == 2
        assert model.predict(val, verbose=0).shape == (1, 2)


# ---- sounds


def sound(path: Path, values: Any, width: int = 2, rate: int = 8000, channels: int = 1) -> None:
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(values, {1: "u1", 2: "<i2", 4: "<i4"}[width]).tobytes())


def test_sounds(tmp_path: Path) -> None:
    sound(tmp_path / "a/0.wav", [0, 16384, -32768])
    sound(tmp_path / "b/0.wav", [32767])
    batch, labels = next(iter(audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False)))
    assert batch.shape == (2, 3, 1) and batch.dtype == "float32" and labels.tolist() == [0, 1]
    assert batch.numpy()[..., 0].tolist() == [[0, 0.5, -1], [np.float32(32767 / 32768), 0, 0]]
    cut = audio_dataset_from_directory(tmp_path, None, output_sequence_length=2, shuffle=False, verbose=False)
    assert next(iter(cut)).numpy()[..., 0].tolist() == [[0, 0.5], [np.float32(32767 / 32768), 0]]
    with pytest.raises(ArgumentError, match="8000 Hz"):
        list(audio_dataset_from_directory(tmp_path, sampling_rate=16000, verbose=False))
    for width, values, expected in ((1, [0, 128], [-1, 0]), (4, [2**30, 0, -(2**31), 0], [0.5, 0, -1, 0])):
        sound(tmp_path / "a/0.wav", values, width, channels=2)
        found = next(iter(audio_dataset_from_directory(tmp_path, None, shuffle=False, batch_size=None, verbose=False)))
        assert found.numpy().ravel().tolist() == expected and found.shape[1] == 2
    (tmp_path / "b/0.wav").write_bytes(b"RIFFxxxx")
    with pytest.raises(DataError, match=r"b/0\.wav"):
        list(audio_dataset_from_directory(tmp_path, verbose=False))


# ---- what is refused


@pytest.mark.parametrize(
    ("error", "text", "options"),
    [
        (ArgumentError, "labels", {"labels": "guess"}),
        (ArgumentError, "labels", {"labels": 3}),
        (ArgumentError, "label_mode", {"label_mode": "one_hot"}),
        (ArgumentError, "not 2", {"label_mode": "binary"}),
        (ArgumentError, "class_names", {"class_names": ["a", "d"]}),
        (ArgumentError, "class_names", {"class_names": ["a"], "labels": None}),
        (ArgumentError, "class_names", {"class_names": ["a"], "labels": [0] * 8}),
        (DataError, "7 labels, 8 files", {"labels": [0] * 7}),
        (ArgumentError, "validation_split", {"validation_split": 2, "subset": "training"}),
        (ArgumentError, "subset", {"validation_split": 0.2}),
        (ArgumentError, "subset", {"subset": "training"}),
        (ArgumentError, "subset", {"subset": "test", "validation_split": 0.2}),
        (ArgumentError, "needs a seed", {"subset": "both", "validation_split": 0.2}),
        (DataError, "for validation", {"subset": "both", "validation_split": 0.01, "seed": 1}),
        (ArgumentError, "batch_size", {"batch_size": 0}),
        (ArgumentError, "format", {"format": "torch"}),
        (ArgumentError, "max_length", {"max_length": -1}),
        (FileError, "no such folder", {"directory": "absent"}),
    ],
)
def test_arguments_that_are_refused(texts: Path, error: type[Exception], text: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=text) as info:
        text_dataset_from_directory(**{"directory": texts, "verbose": False} | options)
    assert "test_directories.py" in str(info.value)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("color_mode", {"color_mode": "cmyk"}),
        ("image_size", {"image_size": (3,)}),
        ("image_size", {"image_size": (3, 0)}),
        ("interpolation", {"interpolation": "area"}),
        ("pad_to_aspect_ratio", {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}),
        ("data_format", {"data_format": "last"}),
    ],
)
def test_arguments_for_images_that_are_refused(images: Path, text: str, options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=text):
        image_dataset_from_directory(images, verbose=False, **options)


def test_files_that_are_no_images_are_named(images: Path) -> None:
    (images / "a/0.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"0\.png"):
        list(image_dataset_from_directory(images, verbose=False))
    (images / "a/0.png").unlink()
    made = image_dataset_from_directory(images, shuffle=False, verbose=False, batch_size=1)
    (images / "b/1.jpg").unlink()
    iterator = iter(made)
    next(iterator)
    with pytest.raises(FileError, match=r"1\.jpg"):
        list(iterator)


def test_without_pillow_the_error_says_what_to_install(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    uses: list[Callable[[], Any]] = [
        lambda: image_dataset_from_directory(images, verbose=False),
        lambda: utils.load_img(images / "a/0.png"),
        lambda: utils.array_to_img(np.zeros((2, 2, 3))),
        lambda: utils.save_img(images / "c.jpg", np.zeros((2, 2, 3))),
    ]
    for use in uses:
        with pytest.raises(MissingPackageError, match=r"graphc\[images\]"):
            use()
    utils.save_img(images / "c.png", np.zeros((2, 2, 3)))  # needs none


def test_keras_is_the_oracle() -> None:
    assert keras.backend.backend() == "jax"
