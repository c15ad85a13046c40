"""Losses, metrics and optimizers in files of both libraries; weights in several files, and models in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, FileError
from tests.saving.model_table import DATA, TARGET, mlp
from tests.saving.test_own_files import X as INPUTS
from tests.saving.test_own_files import made

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras")
BOTH = pytest.mark.parametrize(("writer", "reader"), [(graphc, keras), (keras, graphc)], ids=["to Keras", "from Keras"])


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def classes_of(module: str, base: str) -> list[str]:
    """The names of the classes of a module that both libraries have."""
    ours, theirs = getattr(graphc, module), getattr(keras, module)
    found = [
        n for n in dir(theirs) if isinstance(getattr(theirs, n), type) and isinstance(getattr(ours, n, None), type)
    ]
    kinds = [n for n in found if issubclass(getattr(theirs, n), getattr(theirs, base)) and n != base]
    return sorted({getattr(theirs, n): n for n in kinds}.values())


LOSSES = {
    "BinaryFocalCrossentropy": {"alpha": 0.3, "gamma": 1.5, "apply_class_balancing": True},
    "CategoricalCrossentropy": {"label_smoothing": 0.1},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.3},
    "Huber": {"delta": 0.3},
    "Tversky": {"alpha": 0.2, "beta": 0.7},
}


@pytest.mark.parametrize("name", classes_of("losses", "Loss"))
@BOTH
def test_losses(name: str, writer: Any, reader: Any) -> None:
    rng = np.random.default_rng(0)
    guess = rng.dirichlet(np.ones(4), 6).astype("float32")
    target = rng.integers(0, 4, 6).astype("int32")
    if name == "CTC":
        guess, target = rng.normal(size=(2, 5, 4)).astype("float32"), np.array([[1, 2], [3, 0]], "int32")
    elif "Sparse" not in name and "Generalized" not in name and name != "Circle":
        target = np.eye(4, dtype="float32")[target]
    arguments = {} if writer is keras and name in ("Huber",) else LOSSES.get(name, {})  # Keras forgets some
    if name == "CategoricalGeneralizedCrossEntropy" and reader is keras:
        return  # Keras takes its own configuration of it for a name
    loss = getattr(writer.losses, name)(**arguments, name="own", reduction="sum")
    again = reader.losses.deserialize(writer.losses.serialize(loss))
    assert type(again).__name__ == type(loss).__name__ and again.name == "own"
    np.testing.assert_allclose(np.asarray(again(target, guess)), np.asarray(loss(target, guess)), rtol=1e-5)


METRICS: dict[str, dict[str, Any]] = {
    "AUC": {"num_thresholds": 7, "curve": "PR"},
    "BinaryIoU": {"target_class_ids": [0]},
    "FBetaScore": {"beta": 2.0, "threshold": 0.4},
    "F1Score": {"average": "macro"},
    "IoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "MeanIoU": {"num_classes": 3},
    "MeanMetricWrapper": {},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [1]},
    "OneHotMeanIoU": {"num_classes": 3},
    "Precision": {"thresholds": [0.3, 0.6], "class_id": 1},
    "PrecisionAtRecall": {"recall": 0.4},
    "Recall": {"top_k": 2},
    "RecallAtPrecision": {"precision": 0.4},
    "SensitivityAtSpecificity": {"specificity": 0.4},
    "SpecificityAtSensitivity": {"sensitivity": 0.4},
    "TopKCategoricalAccuracy": {"k": 2},
}


@pytest.mark.parametrize("name", [n for n in classes_of("metrics", "Metric") if n != "MeanMetricWrapper"])
@BOTH
def test_metrics(name: str, writer: Any, reader: Any) -> None:
    metric = getattr(writer.metrics, name)(**METRICS.get(name, {}), name="own")
    again = reader.metrics.deserialize(writer.metrics.serialize(metric))
    expected, found = metric.get_config(), again.get_config()
    assert type(again).__name__ == type(metric).__name__
    for key in {*expected} & {*found} - {"dtype"}:
        assert found[key] == expected[key] or np.allclose(found[key], expected[key]), key


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "SGD": {"momentum": 0.9, "nesterov": True, "use_ema": True, "clipnorm": 1.0},
    "Adafactor": {"gradient_accumulation_steps": 2},
}


@pytest.mark.parametrize("name", [n for n in classes_of("optimizers", "Optimizer") if n != "MultiOptimizer"])
@BOTH
def test_states_of_optimizers(name: str, writer: Any, reader: Any, tmp_path: Path) -> None:
    """All variables come back, and the configuration."""
    inner = [writer.optimizers.SGD(0.1, momentum=0.5)] if name == "LossScaleOptimizer" else []
    optimizer = getattr(writer.optimizers, name)(*inner, **OPTIMIZERS.get(name, {}))
    model = writer.Sequential([writer.Input((4,)), writer.layers.Dense(3), writer.layers.Dense(2)])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    for variable in optimizer.variables:
        dtype = str(variable.dtype)
        # Keras's places of states that Adafactor does not need are integers.
        is_plain = "float" not in dtype or variable.shape == ()
        value = np.full(variable.shape, 2) if is_plain else rng.uniform(1, 2, variable.shape)
        variable.assign(value.astype(dtype))
    model.save(tmp_path / "m.keras")
    again = reader.models.load_model(tmp_path / "m.keras")
    assert len(again.optimizer.variables) == len(optimizer.variables)
    for a, b in zip(again.optimizer.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=b.path)
    again.save(tmp_path / "again.keras")
    back = writer.models.load_model(tmp_path / "again.keras")
    for a, b in zip(back.optimizer.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=b.path)
    if name != "LossScaleOptimizer":
        found, expected = (x.optimizer.get_config() for x in (again, model))
        known = ({*found} & {*expected}) - {"name"}
        assert {key: found[key] for key in known} == {key: expected[key] for key in known}


# ---- weights in several files


@BOTH
def test_weights_in_several_files(writer: Any, reader: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    model, _ = mlp(writer)
    model.save_weights(path, max_shard_size=1.2e-7)  # 128 bytes
    names = sorted(os.listdir(tmp_path))
    assert names == ["m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5"] or len(names) > 3
    other, _ = mlp(reader)
    other.load_weights(path)
    for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_several_files_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    model, _ = mlp(graphc)
    model.save_weights(path, max_shard_size=1e-7)
    many = len(os.listdir(tmp_path))
    other, _ = mlp(graphc)
    other.save_weights(path, max_shard_size=1.0)
    assert sorted(os.listdir(tmp_path)) == ["m.weights.json", "m_00000.weights.h5"] and many > 2
    model.load_weights(path)
    theirs, _ = mlp(keras)
    theirs.load_weights(path)
    for a, b, c in zip(other.get_weights(), model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    with pytest.warns(UserWarning, match=r"m2\.weights\.json"):
        model.save_weights(tmp_path / "m2.weights.h5", max_shard_size=1)
    with pytest.raises(ArgumentError, match="larger than max_shard_size"):
        model.save_weights(path, max_shard_size=1e-9)
    for wrong in (0, -1, "1GB", True, float("nan")):
        with pytest.raises(ArgumentError, match="number of GB"):
            model.save_weights(path, max_shard_size=wrong)
    with pytest.raises(FileError, match="ending"):
        model.save_weights(tmp_path / "m.txt", max_shard_size=1)
    with pytest.raises(FileError, match="there already"):
        model.save_weights(path, max_shard_size=1, overwrite=False)
    (tmp_path / "m_00000.weights.h5").unlink()
    with pytest.raises(FileError, match="no such file"):
        model.load_weights(path)


# ---- models in folders


@BOTH
def test_models_in_folders(writer: Any, reader: Any, tmp_path: Path) -> None:
    model, _ = mlp(writer)
    model.train_on_batch(DATA["flat"], TARGET)
    for _ in range(2 if writer is graphc else 1):  # a folder is replaced; Keras cannot
        writer.saving.save_model(model, tmp_path / "m", zipped=False)
    assert {*os.listdir(tmp_path / "m")} >= {"config.json", "metadata.json", "model.weights.h5"}
    assert os.listdir(tmp_path) == ["m"]
    again = reader.saving.load_model(tmp_path / "m")
    found, expected = (np.asarray(m.predict(DATA["flat"], verbose=0)) for m in (again, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for a, b in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_files_of_layers_in_folders(tmp_path: Path) -> None:
    model, classes = made("worded", graphc)
    model.save(tmp_path / "m", zipped=False)
    again = graphc.models.load_model(tmp_path / "m", custom_objects=classes)
    assert again.layers[0].words == model.layers[0].words
    np.testing.assert_array_equal(again(INPUTS), model(INPUTS))
    _, classes = made("worded", keras)
    read = keras.models.load_model(tmp_path / "m", custom_objects=classes)
    assert read.layers[0].words == model.layers[0].words


def test_folders_that_are_refused(tmp_path: Path) -> None:
    model, _ = mlp(graphc)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    for name in ("photos", "file"):
        with pytest.raises(FileError, match="something else"):
            model.save(tmp_path / name, zipped=False)
    with pytest.raises(ArgumentError, match="another ending"):
        model.save(tmp_path / "a.keras", zipped=False)
    assert (tmp_path / "photos/a.jpg").exists()
    with pytest.raises(FileError):
        graphc.models.load_model(tmp_path / "photos")
