"""Data sets of texts, houses and photos: small files of the same form, read as Keras reads them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from dataset_helpers import Server

from graphc import config
from graphc.datasets import boston_housing, california_housing, cifar10, cifar100, imdb, reuters
from graphc.errors import ArgumentError, DataError, FileError

os.environ["KERAS_BACKEND"] = "jax"
import keras.src.datasets as keras_datasets

RANDOM = np.random.default_rng(0)


def texts(count: int) -> Any:
    array = np.empty(count, object)
    array[:] = [RANDOM.integers(1, 60, RANDOM.integers(1, 30)).tolist() for _ in range(count)]
    return array


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def packed(files: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else pickle.dumps(content, 2)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def batch(count: int, *labels: str) -> dict[bytes, Any]:
    images = RANDOM.integers(0, 256, (count, 3072), np.uint8)
    return {b"data": images} | {name.encode(): RANDOM.integers(0, 9, count).tolist() for name in labels}


IMDB = npz(x_train=texts(30), y_train=np.arange(30) % 2, x_test=texts(20), y_test=np.arange(20) % 2)
REUTERS = npz(x=texts(40), y=np.arange(40) % 5)
HOUSES = npz(x=RANDOM.normal(size=(700, 8)), y=RANDOM.normal(size=700))
CIFAR100 = packed({f"cifar-100-python/{n}": batch(6, "fine_labels", "coarse_labels") for n in ("train", "test")})


def serve(
    server: Server, monkeypatch: pytest.MonkeyPatch, module: ModuleType, content: bytes, name: str = "FILE"
) -> None:
    """Has a data set of another content, at an address on this machine, with its sum and its size."""
    file = getattr(module, name)
    server.files[file.name] = content
    served = replace(file, url=server.url + file.name, digest=hashlib.sha256(content).hexdigest(), limit=len(content))
    monkeypatch.setattr(module, name, served)


def of_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes) -> Any:
    """Keras's module of a data set, which finds the same content."""
    module = getattr(keras_datasets, name)
    (tmp_path / "file").write_bytes(content)
    monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(tmp_path / "file"))
    return module


def same(found: Any, expected: Any) -> None:
    for (x, y), (u, v) in zip(found, expected, strict=True):
        for a, b in ((x, u), (y, v)):
            assert a.dtype == b.dtype and a.shape == b.shape
            assert a.tolist() == b.tolist()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_words": 40},
        {"skip_top": 10, "num_words": 50},
        {"maxlen": 15},
        {"start_char": None},
        {"start_char": None, "index_from": 0},
        {"oov_char": None, "num_words": 20, "skip_top": 5},
        {"seed": 3},
        {"test_split": 0.5},
    ],
)
@pytest.mark.parametrize(("module", "content"), [(imdb, IMDB), (reuters, REUTERS)])
def test_texts(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: Any, content: bytes, options: Any
) -> None:
    if module is imdb and "test_split" in options:
        options = {"nb_words": 30}
    serve(server, monkeypatch, module, content)
    expected = of_keras(monkeypatch, tmp_path, module.__name__.split(".")[-1], content)
    same(module.load_data(**options), expected.load_data(**{k.replace("nb_", "num_"): v for k, v in options.items()}))


def test_word_indices_and_topics(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (imdb, reuters):
        serve(server, monkeypatch, module, json.dumps({"the": 1, "ä": 2}).encode(), "WORDS")
        assert module.get_word_index() == {"the": 1, "ä": 2}
    assert reuters.get_label_names() == keras_datasets.reuters.get_label_names()
    assert [len(m.WORDS.digest) for m in (imdb, reuters)] == [64, 64]
    monkeypatch.undo()
    assert [m.WORDS.algorithm for m in (imdb, reuters)] == ["md5", "md5"]


@pytest.mark.parametrize("options", [{}, {"test_split": 0.5, "seed": 4}, {"test_split": 0}])
def test_houses(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: Any) -> None:
    for module in (boston_housing, california_housing):
        serve(server, monkeypatch, module, HOUSES)
        expected = of_keras(monkeypatch, tmp_path, module.__name__.split(".")[-1], HOUSES)
        same(module.load_data(**options), expected.load_data(**options))
    same(california_housing.load_data("small", **options), expected.load_data("small", **options))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_photos(server: Server, monkeypatch: pytest.MonkeyPatch, data_format: str) -> None:
    batches = {
        f"cifar-10-batches-py/{n}": batch(4, "labels")
        for n in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
    }
    serve(server, monkeypatch, cifar10, packed(batches))
    serve(server, monkeypatch, cifar100, CIFAR100)
    with config.override(image_data_format=data_format):
        (x, y), (u, v) = cifar10.load_data()
        fine, coarse = cifar100.load_data(), cifar100.load_data("coarse")
    x = x.transpose(0, 3, 1, 2) if data_format == "channels_last" else x
    expected = [batches[f"cifar-10-batches-py/data_batch_{i}"] for i in range(1, 6)]
    np.testing.assert_array_equal(x.reshape(20, 3072), np.concatenate([part[b"data"] for part in expected]))
    assert y.ravel().tolist() == [label for part in expected for label in part[b"labels"]]
    assert (y.shape, v.shape, y.dtype, x.dtype) == ((20, 1), (4, 1), "uint8", "uint8")
    assert u.shape[1:] == ((32, 32, 3) if data_format == "channels_last" else (3, 32, 32))
    np.testing.assert_array_equal(fine[0][0], coarse[0][0])
    assert fine[0][1].shape == (6, 1) and fine[0][1].dtype == "int64"
    assert fine[0][1].tolist() != coarse[0][1].tolist()


def test_the_cache_of_keras_is_used(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path) -> None:
    serve(server, monkeypatch, imdb, IMDB)
    (tmp_path / "keras/datasets").mkdir(parents=True)
    (tmp_path / "keras/datasets/imdb.npz").write_bytes(IMDB)
    imdb.load_data()
    assert not server.asked


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch evil",)


def evil() -> Any:
    array = np.empty(2, object)
    array[:] = [_Evil(), [1]]
    return array


@pytest.mark.parametrize(
    ("module", "content", "text"),
    [
        (imdb, npz(x_train=evil(), y_train=np.ones(2), x_test=texts(2), y_test=np.ones(2)), "posix.system"),
        (imdb, npz(x_train=texts(2)), "y_train"),
        (imdb, b"no archive", "not the archive"),
        (reuters, npz(x=evil(), y=np.ones(2)), "posix.system"),
        (boston_housing, npz(x=np.ones((3, 2)), y=np.ones(2)), "features"),
        (cifar100, packed({"cifar-100-python/train": _Evil(), "cifar-100-python/test": b""}), "posix.system"),
        (cifar100, packed({"cifar-100-python/train": {b"data": 1}, "cifar-100-python/test": b""}), "fine_labels"),
        (cifar100, packed({"cifar-100-python/train": 3, "cifar-100-python/test": b""}), "not what it should be"),
        (cifar100, packed({"other": b""}), "not the archive"),
        (cifar100, b"no archive", "not the archive"),
    ],
)
def test_files_that_hold_something_else(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: Any, content: bytes, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    serve(server, monkeypatch, module, content)
    with pytest.raises(DataError, match=text):
        module.load_data()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ArgumentError, lambda: boston_housing.load_data(test_split=1)),
        (ArgumentError, lambda: california_housing.load_data("medium")),
        (ArgumentError, lambda: cifar100.load_data("medium")),
        (ArgumentError, lambda: imdb.load_data(words=3)),
    ],
)
def test_arguments_that_are_refused(error: type[Exception], use: Callable[[], Any]) -> None:
    with pytest.raises(error):
        use()


def test_all_texts_too_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(server, monkeypatch, reuters, REUTERS)
    with pytest.raises(DataError, match="increase maxlen"):
        reuters.load_data(maxlen=1)


@pytest.mark.parametrize("module", [boston_housing, california_housing, cifar10, cifar100, imdb, reuters])
def test_without_a_network_the_error_says_where_to_put_the_file(
    module: Any, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    monkeypatch.setattr(module, "FILE", replace(module.FILE, url="http://127.0.0.1:9/x"))
    with pytest.raises(FileError, match="could not be downloaded") as info:
        module.load_data()
    assert str(cache_folder / module.FILE.name) in str(info.value)
