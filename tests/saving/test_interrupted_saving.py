"""A process that is killed while it saves, or that has no room, leaves the file of before or the new one."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import FileError

# Saves one of two models after the other, in a child of a process that has all modules, and kills it at some moment.
PROGRAM = """
import os, random, signal, sys, time
import numpy as np
from tests.saving.test_interrupted_saving import FORMS, model_of, save
form, path, moments = sys.argv[1], sys.argv[2], int(sys.argv[3])
models = [model_of(1.0), model_of(2.0)]
for model in models:
    save(form, model, path)  # everything that is imported on first use
rng = random.Random(int(sys.argv[4]))
for moment in range(moments):
    child = os.fork()
    if not child:
        while True:
            for model in models:
                save(form, model, path)
    time.sleep(rng.uniform(0.001, 0.08))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    from tests.saving.test_interrupted_saving import value_of
    assert value_of(form, path) in (1.0, 2.0), f"moment {moment}"
save(form, models[0], path)
assert value_of(form, path) == 1.0
"""
FORMS = {
    "model": "m.keras",
    "old model": "m.h5",
    "folder": "m",
    "weights": "m.weights.h5",
    "safetensors": "m.weights.safetensors",
    "several files": "m.weights.json",
    "checkpoint": "m.ckpt",
}


def model_of(value: float) -> Any:
    """A model whose weights all have a value."""
    model = graphc.Sequential([graphc.Input((64,)), layers.Dense(64), layers.Dense(64), layers.Dense(64)])
    model.compile("sgd", "mse")
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])
    return model


def save(form: str, model: Any, path: Any) -> None:
    if form == "checkpoint":
        graphc.checkpoint.save(path, model)
    elif form in ("model", "old model", "folder"):
        model.save(path, zipped=form != "folder")
    else:
        model.save_weights(path, max_shard_size=2e-5 if form == "several files" else None)


def value_of(form: str, path: Any) -> float | None:
    """The value of all weights in a file; None if they have several."""
    if form in ("model", "old model", "folder"):
        model = graphc.models.load_model(path)
    else:
        model = model_of(0.0)
        if form == "checkpoint":
            graphc.checkpoint.restore(path, model)
        else:
            model.load_weights(path)
    values = {float(x) for w in model.get_weights() for x in np.unique(w)}
    return values.pop() if len(values) == 1 else None


def check_killed(form: str, folder: Path, moments: int) -> None:
    folder = folder / "in"
    folder.mkdir()
    root = Path(graphc.__file__).parents[1]
    arguments = [sys.executable, "-c", PROGRAM, form, str(folder / FORMS[form]), str(moments), "3"]
    environment = {**os.environ, "PYTHONPATH": str(root), "GRAPHC_BACKEND": "numpy"}
    done = subprocess.run(arguments, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    names = sorted(os.listdir(folder))
    assert not [name for name in names if name.startswith(".") or ".new." in name], names


@pytest.mark.parametrize("form", ["model", "several files", "folder"])
def test_killed_at_some_moments(form: str, tmp_path: Path) -> None:
    check_killed(form, tmp_path, 10)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_killed_at_two_hundred_moments(form: str, tmp_path: Path) -> None:
    check_killed(form, tmp_path, 200)


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may be larger than some kilobytes, as on a disk that is full."""
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk(form: str, tmp_path: Path) -> None:
    path = tmp_path / "in" / FORMS[form]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    save(form, model_of(1.0), path)
    before = sorted(os.listdir(path.parent))
    for room in (0, 3_000, 12_000):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
            with pytest.raises(FileError, match="cannot be written"):
                save(form, model_of(2.0), path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert value_of(form, path) == 1.0
    save(form, model_of(2.0), path)
    assert value_of(form, path) == 2.0 and sorted(os.listdir(path.parent)) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_modes_and_links(form: str, mask: int, tmp_path: Path) -> None:
    """New files have the mode that the user's mask leaves; a link stays one, and what it refers to is replaced."""
    path = tmp_path / FORMS[form]
    before = os.umask(mask)
    try:
        save(form, model_of(1.0), path)
        for file in (path, *path.parent.rglob("*")):
            assert file.stat().st_mode & 0o777 == (0o777 if file.is_dir() else 0o666) & ~mask, file
    finally:
        os.umask(before)
    (tmp_path / "far").mkdir()
    far = tmp_path / "far" / path.name
    for file in list(tmp_path.iterdir()):
        if file.name != "far":
            shutil.move(file, tmp_path / "far")
    path.symlink_to(far)
    save(form, model_of(2.0), path)
    assert path.is_symlink() and value_of(form, far) == 2.0
    assert [file.name for file in tmp_path.iterdir() if not file.is_symlink()] == ["far"]
