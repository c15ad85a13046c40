"""Arguments of callbacks, and files that they cannot write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import callbacks, layers, utils
from graphc.errors import ArgumentError, DataError, FileError, GraphcError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


WRONG: list[Callable[[], Any]] = [
    *(lambda value=value: callbacks.EarlyStopping(patience=value) for value in ("a", -1, np.nan, None, True)),
    *(lambda value=value: callbacks.EarlyStopping(min_delta=value) for value in ("a", None, np.nan)),
    *(lambda value=value: callbacks.EarlyStopping(mode=value) for value in ("least", None)),
    lambda: callbacks.EarlyStopping(monitor=5),  # type: ignore[arg-type]
    lambda: callbacks.EarlyStopping(baseline="a"),  # type: ignore[arg-type]
    *(lambda value=value: callbacks.ReduceLROnPlateau(factor=value) for value in ("a", 1.0, 2, None)),
    lambda: callbacks.ReduceLROnPlateau(patience=[1]),  # type: ignore[arg-type]
    lambda: callbacks.ReduceLROnPlateau(cooldown=-1),
    lambda: callbacks.ReduceLROnPlateau(min_lr="a"),  # type: ignore[arg-type]
    lambda: callbacks.LearningRateScheduler(5),  # type: ignore[arg-type]
    lambda: callbacks.CSVLogger(5),
    lambda: callbacks.LambdaCallback(on_epoch_end=5),  # type: ignore[arg-type]
    lambda: callbacks.LambdaCallback(on_nothing=print),
    lambda: callbacks.ModelCheckpoint(5, save_weights_only=True),
]


@pytest.mark.parametrize("make", WRONG)
def test_wrong_arguments(make: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError):
        make()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    named = callbacks.ModelCheckpoint(tmp_path / "{val_loss}.weights.h5", save_weights_only=True)
    cases: list[tuple[Any, type[GraphcError], str]] = [
        (callbacks.CSVLogger(tmp_path / "none" / "log.csv"), FileError, "cannot be written"),
        (callbacks.CSVLogger(tmp_path), FileError, "cannot be written"),
        (named, ArgumentError, "'val_loss'"),
        (callbacks.LearningRateScheduler(lambda epoch, rate: "a"), ArgumentError, "returns a float"),  # type: ignore
    ]
    for callback, kind, said in cases:
        with pytest.raises(kind) as caught:
            model.fit(X, X[:, :1], verbose=0, callbacks=[callback])
        assert said in str(caught.value)


@pytest.mark.parametrize("labels", [[0, 5], [-1, 2], [0, -4]])
def test_labels_that_are_no_classes(labels: Any) -> None:
    with pytest.raises(DataError, match="out of range"):
        utils.to_categorical(labels, 3)


def test_labels_that_are_no_integers() -> None:
    for labels in (["a"], [np.nan, 1.0], [1j], None):
        with pytest.raises(ArgumentError, match="integers"):
            utils.to_categorical(labels, 3)
    assert utils.to_categorical([]).shape == (0, 0) and utils.to_categorical([], 3).shape == (0, 3)


def test_a_list_of_callbacks_of_the_users_own() -> None:
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    heard: list[int] = []
    own = callbacks.CallbackList([[callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(epoch))], []])
    history = model.fit(X, X[:, :1], epochs=2, verbose=0, callbacks=own)
    assert history.epoch == heard == [0, 1] and model.history is history
    own.on_epoch_end(epoch=5, logs={"loss": 1.0})
    assert heard[-1] == 5


@pytest.mark.parametrize(("mode", "monitor"), [("auto", "val_loss"), ("auto", "loss"), ("min", "x"), ("max", "x")])
@pytest.mark.parametrize("kind", ["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"])
def test_how_values_are_compared(kind: str, mode: str, monitor: str) -> None:
    found = []
    for library in (graphc, keras):
        path = ("a.keras",) if kind == "ModelCheckpoint" else ()
        watch = getattr(library.callbacks, kind)(*path, monitor=monitor, mode=mode)
        assert watch.monitor_op is None
        watch.set_model(library.Sequential())
        watch.on_train_begin()
        if library is keras:  # at the end of the first epoch
            watch._set_monitor_op()
        assert watch.monitor_op in (library.ops.less, library.ops.greater)
        found.append((watch.monitor_op is library.ops.less, watch.min_delta))
    assert found[0] == found[1]


def test_a_metric_that_is_an_array_is_watched_if_it_has_one_value() -> None:
    watch = graphc.callbacks.EarlyStopping(monitor="f1", mode="max", patience=0)
    watch.set_model(graphc.Sequential())
    watch.on_train_begin()
    watch.on_epoch_end(0, {"f1": np.ones(1, "float32")})
    assert watch.best == 1.0
    with pytest.raises(ArgumentError, match="several values"):
        watch.on_epoch_end(1, {"f1": np.ones(2, "float32")})


def test_a_comparison_of_the_user_is_kept() -> None:
    watch = graphc.callbacks.EarlyStopping(monitor="loss")
    watch.monitor_op = np.greater
    watch.set_model(graphc.Sequential())
    watch.on_train_begin()
    assert watch.is_better(2.0, than=1.0)
    assert not watch.is_better(1.0, than=2.0)
