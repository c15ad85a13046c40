"""Training that was killed and resumed is bit for bit what it would have been."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import callbacks, checkpoint, config, layers
from graphc.errors import ArgumentError, DataError, DataWarning, FileError, StateError

RNG = np.random.default_rng(0)
X = RNG.random((44, 8, 8, 2), "float32")
Y = RNG.integers(0, 3, 44).astype("int32")
BATCH, EPOCHS = 8, 4
STEPS = 6  # in an epoch; the last batch has 4 samples


def convnet() -> Any:
    model = graphc.Sequential(
        [
            graphc.Input((8, 8, 2)),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(3, "softmax"),
        ]
    )
    rate = graphc.optimizers.schedules.CosineDecay(0.01, 40)
    model.compile(graphc.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mlp() -> Any:
    model = graphc.Sequential([graphc.Input((8, 8, 2)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(3)])
    model.compile("adam", graphc.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


class Killed(BaseException):
    pass


class Kill(callbacks.Callback):
    """Ends training after a number of batches."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


class Batches(graphc.utils.PyDataset):  # type: ignore[misc]
    """Batches with noise, in an order of its own: what `on_epoch_end` shuffles, by one generator or the other."""

    def __init__(self, own_generator: bool) -> None:
        super().__init__()
        self.rows, self.generator = np.arange(len(X)), np.random.default_rng(1) if own_generator else np.random

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        rows = self.rows[index * BATCH : (index + 1) * BATCH]
        return X[rows] + np.random.normal(0, 0.01, X[rows].shape).astype("float32"), Y[rows]

    def on_epoch_end(self) -> None:
        self.generator.shuffle(self.rows)


class Iterable:
    """Batches that are iterated in each epoch."""

    def __iter__(self) -> Iterator[Any]:
        order = np.random.permutation(len(X))
        for start in range(0, len(X), BATCH):
            rows = order[start : start + BATCH]
            yield X[rows], Y[rows]


class InOrder:
    def __iter__(self) -> Iterator[Any]:
        return ((X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, len(X), BATCH))


def endless() -> Iterator[Any]:
    rng = np.random.default_rng(5)
    while True:
        rows = rng.integers(0, len(X), BATCH)
        yield X[rows], Y[rows]


class Positioned:
    """An iterator that can go to a position."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        rows = self.rng.integers(0, len(X), BATCH)
        return X[rows], Y[rows]

    def state_dict(self) -> Any:
        return {"state": {"number": str(self.rng.bit_generator.state["state"]["state"])}, "raw": b"\x00\xff"}

    def load_state_dict(self, state: Any) -> None:
        assert state["raw"] == b"\x00\xff"
        inner = self.rng.bit_generator.state
        inner["state"]["state"] = int(state["state"]["number"])
        self.rng.bit_generator.state = inner


def dataset() -> Any:
    made = graphc.data.Dataset.from_tensor_slices((X, Y))
    return made.shuffle(20, seed=3).batch(BATCH).prefetch(2)


def whole_dataset() -> Any:
    return graphc.data.Dataset.from_tensor_slices((X, Y)).shuffle(100, seed=3).batch(BATCH)


SOURCES: dict[str, Callable[[], dict[str, Any]]] = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": BATCH},
    "whole batches": lambda: {"x": X, "y": Y, "batch_size": BATCH, "shuffle": "batch"},
    "in order": lambda: {"x": X, "y": Y, "batch_size": BATCH, "shuffle": False},
    "weighted": lambda: {"x": X, "y": Y, "batch_size": BATCH, "class_weight": {0: 2.0}, "validation_split": 0.1},
    "part of a pass": lambda: {"x": X, "y": Y, "batch_size": BATCH, "steps_per_epoch": 4},
    "PyDataset": lambda: {"x": Batches(False)},
    "PyDataset with a generator": lambda: {"x": Batches(True), "shuffle": False},
    "PyDataset in parts": lambda: {"x": Batches(True), "steps_per_epoch": 4},
    "iterable": lambda: {"x": Iterable()},
    "iterable in parts": lambda: {"x": Iterable(), "steps_per_epoch": 4},
    "data set": lambda: {"x": dataset()},
    "shuffled table": lambda: {"x": whole_dataset()},
    "in order again and again": lambda: {"x": InOrder()},
    "positioned": lambda: {"x": Positioned(), "steps_per_epoch": STEPS},
}


def fit(make: Callable[[], Any], source: Callable[[], dict[str, Any]], *used: Any, seed: int = 1) -> Any:
    graphc.utils.set_random_seed(seed)
    model = make()
    arguments = source()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        model.fit(**arguments, epochs=EPOCHS, verbose=0, callbacks=list(used))
    return model


def same(a: Any, b: Any) -> None:
    """All that a model and its optimizer have learned, and the states of random generators."""
    pairs = [(a.variables, b.variables), (a.optimizer.variables, b.optimizer.variables)]
    for mine, theirs in pairs:
        for x, y in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(x.numpy(), y.numpy(), err_msg=x.path)


def check_resuming(make: Callable[[], Any], source: Callable[[], dict[str, Any]], moments: Any, folder: Path) -> None:
    """Trains without interruption, and interrupted after each number of batches, by new objects each time."""
    whole = fit(make, source)
    for moment in moments:
        backup = folder / str(moment)
        with pytest.raises(Killed):
            fit(make, source, callbacks.BackupAndRestore(backup, save_freq=1), Kill(moment))
        assert (backup / "last").exists()
        again = fit(make, source, callbacks.BackupAndRestore(backup, save_freq=1), seed=99)
        same(whole, again)


# Those that the fast tests try.
QUICK = ("part of a pass", "PyDataset with a generator", "iterable in parts", "shuffled table", "positioned")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in SOURCES])
def test_data_of_every_kind(name: str, tmp_path: Path) -> None:
    with graphc.backend("numpy"):
        check_resuming(mlp, SOURCES[name], (1, 10), tmp_path)


MOMENTS = sorted(random.Random(0).sample(range(1, EPOCHS * STEPS), 20))


@pytest.mark.parametrize(
    ("backend", "threads", "moments"),
    [
        pytest.param("numpy", 1, MOMENTS[::9], id="numpy"),
        pytest.param("cpu", 1, MOMENTS[7::9], id="one thread"),
        pytest.param("cpu", 2, MOMENTS, id="two threads", marks=pytest.mark.slow),
        pytest.param("cpu", 1, MOMENTS, id="one thread, all moments", marks=pytest.mark.slow),
        pytest.param("numpy", 1, MOMENTS, id="numpy, all moments", marks=pytest.mark.slow),
    ],
)
def test_a_convnet_with_dropout_and_shuffling(backend: str, threads: int, moments: Any, tmp_path: Path) -> None:
    with config.override(backend=backend, threads=threads):
        check_resuming(convnet, SOURCES["arrays"], moments, tmp_path)


def test_logs_of_an_epoch_that_was_interrupted(tmp_path: Path) -> None:
    """Metrics go on, too: the epoch's results are those of all its batches."""
    with graphc.backend("numpy"):
        whole = fit(mlp, SOURCES["arrays"]).history.history
        with pytest.raises(Killed):
            fit(mlp, SOURCES["arrays"], callbacks.BackupAndRestore(tmp_path, save_freq=1), Kill(8))
        again = fit(mlp, SOURCES["arrays"], callbacks.BackupAndRestore(tmp_path, save_freq=1)).history
    assert again.epoch == [1, 2, 3]
    for name, values in again.history.items():
        assert values == whole[name][1:]


def test_model_files_are_checkpoints(tmp_path: Path) -> None:
    """What `ModelCheckpoint` writes; Keras reads it, too."""
    with graphc.backend("numpy"):
        whole = fit(convnet, SOURCES["arrays"])
        kept = callbacks.ModelCheckpoint(tmp_path / "m.keras", save_freq=1)
        with pytest.raises(Killed):
            fit(convnet, SOURCES["arrays"], kept, Kill(9))
        graphc.utils.set_random_seed(7)
        model = graphc.models.load_model(tmp_path / "m.keras")
        assert checkpoint.restore(tmp_path / "m.keras", model) == (1, 4)
        np.random.random()  # what happens in between does not matter
        model.fit(**SOURCES["arrays"](), epochs=EPOCHS, verbose=0)
        same(whole, model)
        plain = graphc.models.load_model(tmp_path / "m.keras")
        history = plain.fit(**SOURCES["arrays"](), epochs=1, verbose=0)  # without `restore` it is a model as any other
        assert history.epoch == [0]


def test_checkpoints_between_two_calls_of_fit(tmp_path: Path) -> None:
    class EachEpoch(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            checkpoint.save(tmp_path / f"{epoch}.ckpt", self.model)

    with graphc.backend("numpy"):
        whole = fit(convnet, SOURCES["arrays"], EachEpoch())
        for epoch in range(EPOCHS):
            graphc.utils.set_random_seed(8)
            model = convnet()
            assert checkpoint.restore(tmp_path / f"{epoch}.ckpt", model) == (epoch + 1, 0)
            model.fit(**SOURCES["arrays"](), epochs=EPOCHS, verbose=0)
            same(whole, model)
        checkpoint.save(tmp_path / "after.keras", whole)
        assert checkpoint.restore(tmp_path / "after.keras", whole) == (EPOCHS, 0)
        assert whole.fit(**SOURCES["arrays"](), epochs=EPOCHS + 1, verbose=0).epoch == [EPOCHS]


def two_optimizers() -> Any:
    class Pair(graphc.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layers.Dense(3), layers.Dense(3)
            self.flat, self.drop = layers.Flatten(), layers.Dropout(0.4)
            self.second = graphc.optimizers.Adam(0.01)
            self.__hidden__ = graphc.Variable(np.zeros(2, "float32"), name="hidden")

        def call(self, x: Any, training: bool | None = None) -> Any:
            return self.b(self.drop(self.a(self.flat(x)), training=training))

        def train_step(self, data: Any) -> Any:
            x, y = data
            with graphc.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            slopes = tape.gradient(loss, [*self.a.trainable_weights, *self.b.trainable_weights])
            self.optimizer.apply_gradients(zip(slopes[:2], self.a.trainable_weights, strict=True))
            self.second.apply_gradients(zip(slopes[2:], self.b.trainable_weights, strict=True))
            noise = graphc.random.normal((2,))  # by the generator of all that have none
            self.__hidden__.assign(self.__hidden__ + noise)
            return {"loss": loss}

    model = Pair()
    model.build((None, 8, 8, 2))
    model.compile("sgd", graphc.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.filterwarnings("ignore:.*two underscores")
def test_own_steps_with_optimizers_and_variables_of_their_own(tmp_path: Path) -> None:
    with graphc.backend("numpy"):
        whole = fit(two_optimizers, SOURCES["arrays"])
        with pytest.raises(Killed):
            fit(two_optimizers, SOURCES["arrays"], callbacks.BackupAndRestore(tmp_path, save_freq=1), Kill(9))
        again = fit(two_optimizers, SOURCES["arrays"], callbacks.BackupAndRestore(tmp_path, save_freq=1), seed=3)
        same(whole, again)
        for a, b in zip(whole.second.variables, again.second.variables, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_array_equal(whole.__hidden__.numpy(), again.__hidden__.numpy())


def test_what_a_generator_cannot_resume_is_said(tmp_path: Path) -> None:
    def source() -> dict[str, Any]:
        return {"x": endless(), "steps_per_epoch": STEPS}

    with graphc.backend("numpy"):
        with pytest.raises(Killed):
            fit(mlp, source, callbacks.BackupAndRestore(tmp_path, save_freq=1), Kill(8))
        model = mlp()
        with pytest.warns(DataWarning, match=r"next batch that the generator gives.* 9 batches"):
            keep = callbacks.BackupAndRestore(tmp_path, save_freq=1)
            assert model.fit(**source(), epochs=EPOCHS, verbose=0, callbacks=[keep]).epoch == [1, 2, 3]


@pytest.mark.parametrize("change", ["fewer", "other batches", "other values", "other batches of an iterable"])
def test_other_data_are_refused(change: str, tmp_path: Path) -> None:
    with graphc.backend("numpy"):
        source = SOURCES["in order again and again" if "iterable" in change else "in order"]
        with pytest.raises(Killed):
            fit(mlp, source, callbacks.BackupAndRestore(tmp_path, save_freq=1), Kill(8))
        arguments = source()
        if change == "fewer":
            arguments["x"], arguments["y"] = X[:-1], Y[:-1]
        elif change == "other batches":
            arguments["batch_size"] = 11
        elif change == "other values":
            arguments["x"] = X + 1
        else:
            arguments["x"] = Iterable()
        with pytest.raises(DataError, match="cannot go on with these data"):
            mlp().fit(**arguments, epochs=EPOCHS, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_files_that_are_no_checkpoints_change_nothing(tmp_path: Path) -> None:
    model, path = mlp(), tmp_path / "a.ckpt"
    with graphc.backend("numpy"):
        fit(mlp, SOURCES["arrays"], callbacks.ModelCheckpoint(tmp_path / "m.keras"))
        before = model.get_weights()
        model.optimizer.build(model.trainable_variables)
        checkpoint.save(path, model)
        with pytest.raises(FileError, match="there already"):
            checkpoint.save(path, model, overwrite=False)
        other = convnet()
        with pytest.raises(FileError):
            checkpoint.restore(path, other)
        model.save(tmp_path / "plain.keras")
        with pytest.raises(FileError, match="no checkpoint"):
            checkpoint.restore(tmp_path / "plain.keras", model)
        content = path.read_bytes()
        for cut in range(0, len(content), len(content) // 50):
            (tmp_path / "cut.ckpt").write_bytes(content[:cut])
            with pytest.raises(FileError):
                checkpoint.restore(tmp_path / "cut.ckpt", model)
        with pytest.raises(FileError, match="no such file"):
            checkpoint.restore(tmp_path / "none.ckpt", model)
        sgd = mlp()
        sgd.compile("sgd", "mse")
        with pytest.raises(FileError, match="optimizer"):
            checkpoint.restore(path, sgd)
        with pytest.raises(ArgumentError, match="no path"):
            checkpoint.restore(3, model)
        with pytest.raises(StateError, match="weights"):
            checkpoint.save(path, graphc.Sequential([layers.Dense(2)]))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
