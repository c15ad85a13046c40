"""Models of every kind: written here and read by Keras on JAX and the other way round, then trained on by both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import graphc
from tests.saving.model_table import DATA, MODELS, custom

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras")
# They trained some steps when they are written; and from then on.
BEFORE, AFTER = 3, 10
# Those that the fast tests train on, too: each is two programs of JAX.
QUICK = ("many", "subclassed", "scaled_loss", "accumulated", "frozen")
# bfloat16 in two libraries; Lamb divides by norms.
TOLERANCE = {"half": 2e-2, "attention": 1e-3}


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def flat(structure: Any) -> list[Any]:
    return [np.asarray(x, "float32") for x in jax.tree_util.tree_leaves(structure)]


def predicted(model: Any, data: Any) -> list[Any]:
    return flat(model.predict(data, batch_size=16, verbose=0))


def trained(model: Any, data: Any, target: Any, steps: int) -> list[Any]:
    return [model.train_on_batch(data, target, return_dict=True)["loss"] for _ in range(steps)]


def compare(found: list[Any], expected: list[Any], rtol: float, atol: float) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol, atol)


def state_of(model: Any) -> list[Any]:
    return [np.asarray(v) for v in model.optimizer.variables]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("writer", "reader"), [(graphc, keras), (keras, graphc)], ids=["to Keras", "from Keras"])
def test_predictions(name: str, writer: Any, reader: Any, tmp_path: Path) -> None:
    """The loaded model predicts the same, and is written once more without a difference."""
    make, data = MODELS[name]
    model, _ = make(writer)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(np.asarray(variable) + rng.uniform(0.1, 0.3, variable.shape).astype("float32"))
    model.save(tmp_path / "a.keras")
    read = reader.models.load_model(tmp_path / "a.keras", custom_objects=custom(reader))
    tolerance = TOLERANCE.get(name, 1e-5)
    expected = predicted(model, DATA[data])
    compare(predicted(read, DATA[data]), expected, tolerance, tolerance / 10)
    read.save(tmp_path / "b.keras")
    again = writer.models.load_model(tmp_path / "b.keras", custom_objects=custom(writer))
    compare(predicted(again, DATA[data]), expected, 0 if writer is graphc else 1e-6, 1e-7)


def check_training(name: str, writer: Any, reader: Any, path: Path) -> None:
    make, data = MODELS[name]
    model, target = make(writer)
    trained(model, DATA[data], target, BEFORE)
    model.save(path)
    read = reader.models.load_model(path, custom_objects=custom(reader))
    compare(state_of(read), state_of(model), 0, 0)
    tolerance = TOLERANCE.get(name, 2e-4)
    expected = trained(model, DATA[data], target, AFTER)
    compare(trained(read, DATA[data], target, AFTER), expected, tolerance, tolerance / 10)
    compare(flat(read.get_weights()), flat(model.get_weights()), 10 * tolerance, tolerance)


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in MODELS])
@pytest.mark.parametrize(("writer", "reader"), [(graphc, keras), (keras, graphc)], ids=["to Keras", "from Keras"])
def test_training_goes_on(name: str, writer: Any, reader: Any, tmp_path: Path) -> None:
    check_training(name, writer, reader, tmp_path / "m.keras")
