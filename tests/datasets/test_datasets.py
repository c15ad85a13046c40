"""The data sets themselves: Keras's form, the place they came from, and what happens without any of them."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from dataset_helpers import Server, dump_idx
from numpy.typing import NDArray

from graphc import datasets
from graphc.datasets import common, digits, fashion_mnist, mnist
from graphc.datasets.fetch import Resource
from graphc.errors import DataError, FileError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def small(seed: int, count: int) -> common.Part:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 28, 28), np.uint8), random.integers(0, 10, count, np.uint8)


def served(server: Server, name: str, data: bytes, packed: bool) -> Resource:
    server.files[name] = gzip.compress(data) if packed else data
    return Resource(name, server.url + name, hashlib.sha256(data).hexdigest(), len(data), packed)


def fashion(server: Server, arrays: list[NDArray[np.uint8]]) -> tuple[Resource, ...]:
    """Small files in the place of the real ones."""
    names = [file.name for file in fashion_mnist.FILES]
    return tuple(served(server, name, dump_idx(array), True) for name, array in zip(names, arrays, strict=True))


def test_fashion_mnist_from_a_download_then_from_the_cache(server: Server, tmp_path: Path, cache_folder: Path) -> None:
    (x, y), (u, v) = small(1, 6), small(2, 4)
    files = fashion(server, [x, y, u, v])
    first = fashion_mnist.load(files, installed=tmp_path / "absent")
    assert "download from" in first.source
    again = fashion_mnist.load(files, installed=tmp_path / "absent")
    assert again.source == f"local cache {cache_folder / 'fashion-mnist'}"
    for images in (first, again):
        (a, b), (c, d) = images.split
        for got, expected in ((a, x), (b, y), (c, u), (d, v)):
            np.testing.assert_array_equal(got, expected, strict=True)
            assert got.flags.writeable
    assert len(server.asked) == 4


def test_fashion_mnist_from_debians_package(server: Server, tmp_path: Path) -> None:
    files = fashion(server, [*small(1, 6), *small(2, 4)])
    for name, data in server.files.items():
        (tmp_path / name).write_bytes(data)
    assert fashion_mnist.load(files, installed=tmp_path).source == f"installed in {tmp_path}"
    assert server.asked == []


def test_fashion_mnist_that_does_not_fit_is_refused(server: Server, tmp_path: Path) -> None:
    x, y = small(1, 6)
    for arrays in ([x, y[:5], x, y], [x, y, x, y + 10], [x, y, y, y], [x[:0], y[:0], x, y]):
        with pytest.raises(DataError, match="not what it should be"):
            fashion_mnist.load(fashion(server, arrays), installed=tmp_path / "absent")
        server.files.clear()


def test_without_network_the_error_says_what_to_do(server: Server, tmp_path: Path) -> None:
    files = fashion(server, [*small(1, 6), *small(2, 4)])
    server.files.clear()
    with pytest.raises(FileError, match="apt install dataset-fashion-mnist"):
        fashion_mnist.load(files, installed=tmp_path)
    assert len(server.asked) == 1  # the first failure is enough


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist() -> None:
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert np.bincount(y_test).tolist() == [1000] * 10
    assert y_train[:8].tolist() == [9, 0, 0, 3, 0, 2, 7, 2]
    assert round(float(x_train.mean()), 2) == 72.94  # 0.2860 of 255, as its users know
    data = datasets.load_demo_data(download=False)
    assert (data.name, data.source, data.peak) == ("Fashion-MNIST", f"installed in {DEBIAN}", 255)
    assert data.classes[9] == "Ankle boot"


def test_mnist(server: Server, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), (u, v) = small(1, 6), small(2, 4)
    buffer = io.BytesIO()
    np.savez(buffer, x_train=x, y_train=y, x_test=u, y_test=v)
    file = served(server, "mnist.npz", buffer.getvalue(), False)
    images = mnist.load(file)
    np.testing.assert_array_equal(images.split[0][0], x, strict=True)
    np.testing.assert_array_equal(images.split[1][1], v, strict=True)
    assert (cache_folder / "mnist.npz").exists()
    monkeypatch.setattr(mnist, "FILE", file)
    np.testing.assert_array_equal(mnist.load_data("another.npz")[0][1], y, strict=True)
    assert (cache_folder / "another.npz").exists()


def test_mnist_that_holds_something_else(server: Server) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, x_train=np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    for number, data in enumerate((b"no archive", b"", plain.getvalue(), buffer.getvalue())):
        with pytest.raises(DataError, match="not the archive"):
            mnist.load(served(server, f"{number}.npz", data, False))


def test_digits_are_what_they_were() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert (x_train.shape, y_train.shape) == ((1437, 8, 8), (1437,))
    assert (x_test.shape, y_test.shape) == ((360, 8, 8), (360,))
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert (int(x_train.min()), int(x_train.max()), digits.PEAK) == (0, 16, 16)
    assert np.bincount(y_test).min() > 30
    content = b"".join(a.tobytes() for a in (x_train, x_test, y_train, y_test))
    assert hashlib.sha256(content).hexdigest() == "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def test_a_damaged_installation_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = digits._FILE.read_bytes()
    halves = [sound[:length] for length in (1, 4, 30, 100, 20_000, len(sound) - 1)]
    flipped = sound[:20_000] + bytes([sound[20_000] ^ 1]) + sound[20_001:]
    for content in (None, b"", flipped, b"\x93NUMPY" + sound, *halves):
        monkeypatch.setattr(digits, "_FILE", tmp_path / "digits.npz")
        if content is not None:
            (tmp_path / "digits.npz").write_bytes(content)
        with pytest.raises(FileError, match="install graphc again"):
            digits.load_data()
        monkeypatch.undo()


def test_the_demo_falls_back_to_the_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (FileError("no network", got="timed out"), DataError("not the file")):

        def fail(download: bool, error: Exception = error) -> common.Images:
            raise error

        monkeypatch.setattr(fashion_mnist, "load", fail)
        data = datasets.load_demo_data()
        assert data.name == "handwritten digits 8x8"
        assert data.source.startswith("embedded in graphc, since Fashion-MNIST is not to be had: ")
        assert str(error).splitlines()[0] in data.source
        assert data.train[0].shape[1:] == (8, 8)
        assert data.peak == data.train[0].max() == 16
        assert len(data.classes) == 10
