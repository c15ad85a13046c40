"""Callbacks for TensorBoard, moving averages, servers and backups."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

import graphc
from graphc import callbacks, layers, optimizers
from graphc.callbacks import event_files
from graphc.errors import ArgumentError, DataWarning, FileError, StateError
from tests.support.events import fields, scalars, values

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def numpy() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def model(optimizer: Any = "adam") -> graphc.Model:
    graphc.utils.set_random_seed(0)
    made = graphc.Sequential([graphc.Input((3,)), layers.Dense(2, name="d"), layers.Dense(1)], name="m")
    made.compile(optimizer, "mse", metrics=["mae"])
    return made


# ---- TensorBoard


def test_metrics_of_epochs(tmp_path: Path) -> None:
    made = model()
    history = made.fit(
        X, Y, 4, 3, validation_data=(X, Y), verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)]
    ).history
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert {tag for tag, _ in train} == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}
    for epoch in range(3):
        assert train["epoch_loss", epoch] == pytest.approx(history["loss"][epoch])
        assert validation["epoch_mae", epoch] == pytest.approx(history["val_mae"][epoch])
        assert validation["evaluation_loss_vs_iterations", 3 * epoch + 3] == pytest.approx(history["val_loss"][epoch])
        assert train["epoch_learning_rate", epoch] == pytest.approx(0.001)
    assert not [value for value in values(tmp_path / "train") if value[0].startswith("batch_")]


@pytest.mark.parametrize(("frequency", "steps"), [("batch", range(1, 7)), (1, range(1, 7)), (2, (2, 4, 6))])
def test_metrics_of_batches(tmp_path: Path, frequency: Any, steps: Any) -> None:
    board = callbacks.TensorBoard(tmp_path, update_freq=frequency, write_steps_per_second=True)
    model().fit(X, Y, 4, 2, verbose=0, callbacks=[board])
    found = scalars(tmp_path / "train")
    assert [step for tag, step in found if tag == "batch_loss"] == list(steps)
    assert all(found["batch_steps_per_second", step] > 0 for step in steps)
    assert found["epoch_steps_per_second", 1] > 0


def test_batches_are_not_reported_where_nothing_is_written() -> None:
    from graphc.callbacks.callback import overrides_batch_hooks  # noqa: PLC0415

    assert not overrides_batch_hooks(callbacks.TensorBoard(), "train")
    assert overrides_batch_hooks(callbacks.TensorBoard(update_freq=5), "train")


def test_weights_and_layers(tmp_path: Path) -> None:
    made = model()
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True)
    made.fit(X, Y, epochs=3, verbose=0, callbacks=[board])
    found = values(tmp_path / "train")
    histograms = {(tag, step): dict(fields(parts[5])) for tag, step, parts in found if 5 in parts}
    assert {step for _, step in histograms} == {0, 2}
    last = histograms["m/d/kernel/histogram", 2]
    kernel = made.layers[0].kernel.numpy()
    counts = struct.unpack(f"<{len(last[7]) // 8}d", last[7])
    assert (last[1], last[2], last[3], sum(counts)) == (kernel.min(), kernel.max(), 6, 6) and len(counts) == 30
    assert last[4] == pytest.approx(kernel.sum(), abs=1e-6)
    image = next(dict(fields(parts[4])) for tag, _, parts in found if tag == "m/d/kernel/image/0")
    assert (image[1], image[2], image[3], image[4][:4]) == (2, 3, 1, b"\x89PNG")
    graph = next(parts for tag, _, parts in found if tag == "keras")
    assert json.loads(dict(fields(graph[8]))[8])["class_name"] == "Sequential"
    assert b"graph_keras_model" in graph[9]


@pytest.mark.parametrize("shape", [(5,), (4, 6), (3, 3, 2), (3, 3, 4, 5), (2, 5, 5, 3), (0, 2)])
def test_weights_as_images(shape: Any) -> None:
    from graphc.callbacks.tensorboard import _images  # noqa: PLC0415

    for image in _images(np.arange(np.prod(shape), dtype="float32").reshape(shape)):
        assert image.dtype == "uint8" and image.ndim == 3 and image.shape[2] in (1, 3)


def test_checksums_and_histograms_of_what_is_not_finite() -> None:
    assert event_files.checksum(b"123456789") == (((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF)
    assert event_files.histogram("a", np.array([np.nan, np.inf])) == b""
    assert b"a" in event_files.histogram("a", np.array([np.nan, 1.0]))


def test_a_model_that_has_no_configuration_is_trained_all_the_same(tmp_path: Path) -> None:
    class Own(graphc.Model):
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.dense, self.function = layers.Dense(1), function

        def call(self, x: Any) -> Any:
            return self.function(self.dense(x))

    own = Own(lambda x: x)
    own.compile("sgd", "mse")
    own.fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, write_graph=False)])
    assert scalars(tmp_path / "train")


# ---- averages


class Watch(callbacks.Callback):
    """Notes the first weight at some points."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, list[float]] = {}

    def note(self, name: str) -> None:
        self.seen.setdefault(name, []).append(float(self.model.get_weights()[0][0, 0]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.note("begin")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.note("end")

    def on_test_begin(self, logs: Any = None) -> None:
        self.note("test")


@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_averages_are_in_the_model_for_evaluation(on_epoch: bool, scaled: bool) -> None:
    def optimizer() -> Any:
        made = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
        return optimizers.LossScaleOptimizer(made) if scaled else made

    plain, swapped = Watch(), Watch()
    one, other = model(optimizer()), model(optimizer())
    arguments = {"batch_size": 4, "epochs": 3, "verbose": 0, "shuffle": False}
    first = one.fit(X, Y, **arguments, validation_data=(X, Y), callbacks=[plain])
    second = other.fit(
        X, Y, **arguments, validation_data=(X, Y), callbacks=[callbacks.SwapEMAWeights(on_epoch), swapped]
    )
    assert plain.seen["begin"] == swapped.seen["begin"]  # training is the same
    assert (plain.seen["end"] == swapped.seen["end"]) is not on_epoch
    assert plain.seen["test"] != swapped.seen["test"]
    assert first.history["loss"] == second.history["loss"] and first.history["val_loss"] != second.history["val_loss"]
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # in the end both have the averages
    if on_epoch:
        assert swapped.seen["end"] == swapped.seen["test"]


def test_averages_that_are_not_kept_are_missed() -> None:
    with pytest.raises(ArgumentError, match="use_ema=True"):
        model().fit(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])


def test_weights_come_back_after_an_error() -> None:
    made = model(optimizers.SGD(0.1, use_ema=True))
    swap = callbacks.SwapEMAWeights()
    made.fit(X, Y, verbose=0, callbacks=[swap])
    made.train_on_batch(X, Y)
    before = made.get_weights()[0]
    with pytest.raises(ZeroDivisionError):
        made.evaluate(
            X, Y, verbose=0, callbacks=[swap, callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: 1 / 0)]
        )
    assert not np.array_equal(made.get_weights()[0], before)
    seen = Watch()
    made.fit(X, Y, verbose=0, callbacks=[swap, seen])
    assert seen.seen["begin"] == [before[0, 0]]


# ---- servers


@pytest.mark.parametrize("as_json", [False, True])
def test_metrics_are_sent(as_json: bool) -> None:
    received: list[tuple[str, Any, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, content, self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        monitor = callbacks.RemoteMonitor(
            f"http://127.0.0.1:{server.server_port}", "/p/", headers={"X-Key": "1"}, send_as_json=as_json
        )
        monitor.on_epoch_end(2, {"loss": np.float32(0.5), "counts": np.array([1, 2])})
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    path, content, headers = received[0]
    sent = json.loads(content if as_json else parse_qs(content)["data"][0])
    assert (path, sent, headers["X-Key"]) == ("/p/", {"epoch": 2, "loss": 0.5, "counts": [1, 2]}, "1")
    with pytest.warns(DataWarning, match="does not take the metrics"):
        monitor.on_epoch_end(3, {})


# ---- backups


class Interrupted(Exception):
    pass


def interrupting(epoch: int, batch: int) -> callbacks.Callback:
    class Interrupt(callbacks.Callback):
        def on_epoch_begin(self, number: int, logs: Any = None) -> None:
            self.epoch = number

        def on_train_batch_end(self, number: int, logs: Any = None) -> None:
            if (self.epoch, number) == (epoch, batch):
                raise Interrupted

    return Interrupt()


@pytest.mark.parametrize("double", [False, True])
def test_training_goes_on_where_it_was_interrupted(tmp_path: Path, double: bool) -> None:
    arguments = {"batch_size": 4, "epochs": 4, "verbose": 0, "shuffle": False}
    whole = model()
    whole.fit(X, Y, **arguments)
    backup = tmp_path / "deep" / "backup"
    first = model()
    with pytest.raises(Interrupted):
        first.fit(
            X,
            Y,
            **arguments,
            callbacks=[callbacks.BackupAndRestore(backup, double_checkpoint=double), interrupting(2, 1)],
        )
    assert sorted(path.name for path in backup.iterdir()) == (["before", "last"] if double else ["last"])
    graphc.utils.set_random_seed(9)
    second = model()
    history = second.fit(X, Y, **arguments, callbacks=[callbacks.BackupAndRestore(backup)])
    assert history.epoch == [2, 3] and not backup.exists()
    for a, b in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(second.optimizer.iterations) == 12


def test_backups_after_batches(tmp_path: Path) -> None:
    made = model()
    with pytest.raises(Interrupted):
        made.fit(X, Y, 4, 3, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path, 2), interrupting(1, 1)])
    again = model()
    keep = callbacks.BackupAndRestore(tmp_path, 2, delete_checkpoint=False)
    assert again.fit(X, Y, 4, 3, verbose=0, callbacks=[keep]).epoch == [1, 2]
    assert (tmp_path / "last").exists()


def test_a_half_written_backup_is_passed_over(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        backups = [callbacks.BackupAndRestore(tmp_path, double_checkpoint=True), interrupting(2, 0)]
        model().fit(X, Y, 4, 3, verbose=0, callbacks=backups)
    (tmp_path / "last").write_bytes((tmp_path / "last").read_bytes()[:-100])
    with pytest.warns(UserWarning, match="damaged"):
        assert model().fit(X, Y, 4, 3, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)]).epoch == [1, 2]


def test_backups_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        model().fit(X, Y, 4, 3, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path), interrupting(1, 0)])
    other = model("sgd")
    other.set_weights([x + 1 for x in other.get_weights()])
    before = other.get_weights()
    with pytest.raises(FileError, match="optimizer"):
        other.fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))
    with pytest.raises(StateError, match="weights"):
        unbuilt = graphc.Sequential([layers.Dense(1)])
        unbuilt.compile("sgd", "mse")
        callbacks.BackupAndRestore(tmp_path).set_model(unbuilt)
        backup = callbacks.BackupAndRestore(tmp_path)
        backup.set_model(unbuilt)
        backup.on_train_begin()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        model().fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "file" / "in")])


@pytest.mark.parametrize(
    "make",
    [
        lambda: callbacks.BackupAndRestore(""),
        lambda: callbacks.BackupAndRestore("a", "batch"),
        lambda: callbacks.TensorBoard(histogram_freq=-1),
        lambda: callbacks.TensorBoard(update_freq="step"),
        lambda: callbacks.TensorBoard(embeddings_freq=1),
    ],
)
def test_arguments_that_are_refused(make: Any) -> None:
    with pytest.raises(ArgumentError):
        make()


def test_profiles_are_not_written() -> None:
    with pytest.warns(DataWarning, match="profile_batch"):
        callbacks.TensorBoard(profile_batch=2)
