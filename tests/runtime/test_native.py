"""Libraries that cannot be loaded, that nobody needs any more, and systems without new threads."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from graphc import config, layers
from graphc.errors import CacheWarning, LoadError
from graphc.runtime import cache
from graphc.runtime.cpu import thread_pool

X = np.random.default_rng(0).random((64, 8), dtype=np.float32)
Y = X[:, :3].copy()
CDLL = ctypes.CDLL


def trained(width: int = 16) -> tuple[Any, Any]:
    """A model after a step, and what it predicts."""
    graphc.utils.set_random_seed(5)
    model = graphc.Sequential([graphc.Input((8,)), layers.Dense(width, "relu"), layers.Dense(3)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=32, epochs=1, verbose=0)
    return model, model.predict(X, verbose=0)


@pytest.fixture
def folder(tmp_path: Path, expected: Any) -> Iterator[Path]:
    """An empty cache for the backend `cpu`; what is expected was built in another one."""
    with config.override(backend="cpu", cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache" / "artefacts"
    cache._at.cache_clear()


@pytest.fixture
def expected() -> Any:
    with config.override(backend="cpu"):
        return trained()[1]


@contextmanager
def nothing_loads_from(*folders: Path) -> Iterator[None]:
    """As a system does for folders that are mounted noexec."""

    def load(path: str, *args: Any) -> ctypes.CDLL:
        if any(Path(path).is_relative_to(folder) for folder in folders):
            raise OSError(f"{path}: failed to map segment from shared object: Operation not permitted")
        return CDLL(path, *args)

    with patch.object(ctypes, "CDLL", load):
        yield


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def mapped(folder: Path) -> int:
    """How many libraries of a folder are in this process."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return len({line.split()[-1] for line in lines if line.endswith(".so") and str(folder) in line})


@pytest.mark.parametrize("known", (False, True))
def test_a_folder_that_nothing_loads_from(folder: Path, expected: Any, known: bool) -> None:
    if known:  # the cache was filled before somebody mounted it so
        trained()
        gc.collect()
        assert libraries(folder)
    with nothing_loads_from(folder), pytest.warns(CacheWarning, match="noexec") as caught:
        model, got = trained()
        np.testing.assert_array_equal(got, expected)
        del model
    assert len([w for w in caught if w.category is CacheWarning]) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts as Linux does")
def test_a_folder_that_is_mounted_noexec(tmp_path: Path, expected: Any) -> None:
    place = tmp_path / "mounted"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", place], capture_output=True).returncode != 0:
        pytest.skip("this process may not mount")
    try:
        with config.override(backend="cpu", cache_dir=place), pytest.warns(CacheWarning, match="noexec"):
            model, got = trained()
            np.testing.assert_array_equal(got, expected)
            del model
    finally:
        gc.collect()
        subprocess.run(["umount", "--lazy", place], check=True)


def test_what_loads_nowhere_is_an_error_and_is_not_stored(folder: Path, expected: Any) -> None:
    with nothing_loads_from(Path("/")), pytest.raises(LoadError, match="does not load") as caught:
        trained()
    assert "Operation not permitted" in str(caught.value) and "TMPDIR" in str(caught.value)
    assert not libraries(folder)
    np.testing.assert_array_equal(trained()[1], expected)


@pytest.mark.parametrize("with_plan", (False, True))
def test_an_entry_that_cannot_be_loaded_is_a_miss(folder: Path, expected: Any, with_plan: bool) -> None:
    trained()
    gc.collect()
    stored = libraries(folder)
    assert stored
    for path in stored:  # sound, but for another system
        path.unlink()
        cache.default().put(path.stem, b"no library", ".so")
    if not with_plan:
        for path in folder.glob("*.json"):
            path.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(trained()[1], expected)
    assert all(path.stat().st_size > 4096 for path in stored)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not tell what is mapped")
def test_libraries_of_models_that_are_gone_are_unloaded(folder: Path) -> None:
    with patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0), config.override(threads=3):
        kept, before = trained()
        gc.collect()
        count = mapped(folder)
        assert count > 0
        for width in range(20, 26):
            model, _ = trained(width)
        assert mapped(folder) > count
        del model
        gc.collect()
        assert mapped(folder) <= count + 2  # each of the two other threads may linger in the last one that it ran
        np.testing.assert_array_equal(kept.predict(X, verbose=0), before)


def test_without_new_threads_all_runs_on_one(folder: Path, expected: Any) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = thread_pool._ThreadPool()
    with (
        patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0, _pool=lambda: pool),
        config.override(threads=3),
        patch.object(threading.Thread, "start", start),
    ):
        np.testing.assert_array_equal(trained()[1], expected)
        assert any(name.endswith(".so") for name in os.listdir(folder))
