"""Whole models in files: written here and read by Keras, and the other way round; damaged files."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, FileError, GraphcError

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

RNG = np.random.default_rng(0)
X = {"flat": RNG.random((24, 4), "float32"), "steps": RNG.random((24, 6, 3), "float32")}
Y = RNG.random((24, 1), "float32")


def dense(k: Any) -> Any:
    model = k.Sequential([k.Input((4,)), k.layers.Dense(3, "relu"), k.layers.Dropout(0.0), k.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def recurrent(k: Any) -> Any:
    layers = k.layers
    model = k.Sequential(
        [
            k.Input((6, 3)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GRU(2),
            layers.Dense(1, kernel_regularizer="l2", kernel_constraint="max_norm"),
        ]
    )
    model.compile(k.optimizers.SGD(0.1, momentum=0.9, nesterov=True), k.losses.LogCosh())
    return model


def graph(k: Any) -> Any:
    """Layers that are shared, operations, a model within the model that is called twice."""
    layers, ops = k.layers, k.ops
    x = k.Input((4,), name="a")
    y = layers.Dense(3, name="first")(x)
    z = ops.reshape(y[:, :2] * 2.0 + y[:, 1:], (-1, 2, 1))
    inside = k.Input((3,), name="inside")
    inner = k.Model(inside, layers.BatchNormalization()(layers.Dense(2, name="k")(inside) + 1.0), name="inner")
    shared = layers.Dense(3, activation="relu", name="shared")
    both = layers.Concatenate(name="both")([inner(shared(y)), inner(shared(shared(y))), layers.Flatten()(z)])
    model = k.Model(x, ops.mean(ops.where(both > 0, both, 0.1 * both), axis=-1, keepdims=True), name="whole")
    schedule = k.optimizers.schedules.CosineDecay(0.002, 100)
    model.compile(k.optimizers.Adam(schedule), "mae", metrics=[k.metrics.RootMeanSquaredError()])
    return model


MODELS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "dense": (dense, "flat"),
    "recurrent": (recurrent, "steps"),
    "graph": (graph, "flat"),
}


WAYS = [
    (name, writer, reader, ending)
    for name, (writer, reader), ending in product(
        MODELS, ((graphc, graphc), (graphc, keras), (keras, graphc)), (".keras", ".h5")
    )
    if reader is writer or (name, ending) != ("graph", ".h5")  # Keras's old form has no operations
]


@pytest.mark.parametrize(("name", "writer", "reader", "ending"), WAYS)
def test_a_model_is_what_it_was(name: str, writer: Any, reader: Any, ending: str, tmp_path: Path) -> None:
    make, data = MODELS[name]
    model = make(writer)
    model.fit(X[data], Y, epochs=1, verbose=0)
    path = tmp_path / f"model{ending}"
    model.save(path)
    # Keras does not find the losses that its own old files name.
    compiles = ending == ".keras" or reader is graphc
    read = reader.models.load_model(path, compile=compiles)
    outputs = [m.predict(X[data], verbose=0) for m in (read, model)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)
    if not compiles:
        return
    for mine, theirs in zip(model.optimizer.variables, read.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-6)
    found, expected = (m.fit(X[data], Y, epochs=3, shuffle=False, verbose=0).history for m in (read, model))
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=2e-4)


@graphc.saving.register_keras_serializable("tests")
class Scaled(graphc.layers.Layer):
    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape: Any = None) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs: Any) -> Any:
        return inputs * self.kernel * self.factor


@graphc.saving.register_keras_serializable("tests")
class Subclassed(graphc.Model):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.scale, self.dense = Scaled(2.0), graphc.layers.Dense(units)

    def call(self, inputs: Any) -> Any:
        return self.dense(self.scale(inputs))


def test_objects_of_the_user(tmp_path: Path) -> None:
    def swish_twice(x: Any) -> Any:
        return graphc.ops.silu(graphc.ops.silu(x))

    x = graphc.Input((4,))
    model = graphc.Model(x, graphc.layers.Dense(2, activation=swish_twice)(Scaled(3.0)(x)))
    model.save(tmp_path / "a.keras")
    with pytest.raises(GraphcError, match="needs a function, whose code"):
        graphc.models.load_model(tmp_path / "a.keras")
    read = graphc.models.load_model(tmp_path / "a.keras", custom_objects={"swish_twice": swish_twice})
    np.testing.assert_allclose(read.predict(X["flat"], verbose=0), model.predict(X["flat"], verbose=0), rtol=1e-6)

    own = Subclassed(3)
    own.compile("adam", "mse")
    own.fit(X["flat"], Y, verbose=0)
    own.save(tmp_path / "b.keras")
    read = graphc.saving.load_model(tmp_path / "b.keras")
    assert isinstance(read, Subclassed) and read.units == 3
    np.testing.assert_allclose(read.predict(X["flat"], verbose=0), own.predict(X["flat"], verbose=0), rtol=1e-6)


def test_a_file_stays_if_the_model_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    dense(graphc).save(path)
    before = path.read_bytes()
    x = graphc.Input((4,))
    with pytest.raises(GraphcError):
        graphc.Model(x, graphc.layers.Lambda(lambda y, z: y, arguments={"z": object()})(x)).save(path)
    with pytest.raises(FileError, match="there already"):
        dense(graphc).save(path, overwrite=False)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.keras"]


def _changed(path: Path, **members: bytes) -> Path:
    """A copy of a model file with other members."""
    other = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.replace(".", "_"), old.read(name)))
    return other


def _config(path: Path, change: Callable[[dict[str, Any]], None]) -> bytes:
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    change(config)
    return json.dumps(config).encode()


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    graph(graphc).save(path)
    whole = path.read_bytes()
    bad = tmp_path / "bad.keras"
    for content in (b"", b"PK", whole[:100], whole[: len(whole) // 2], whole[:-10], b"x" * 1000):
        bad.write_bytes(content)
        with pytest.raises(FileError):
            graphc.models.load_model(bad)
    deep = b"[" * 100_000 + b"]" * 100_000
    nested = b'{"class_name": "Sequential", "module": "keras", "config": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}"
    for text in (b"", b"[]", b"{", b"{}", deep, nested, b" " * 10_000_000 + b"{}"):
        with pytest.raises(GraphcError):
            graphc.models.load_model(_changed(path, config_json=text))

    def missing_layer(config: dict[str, Any]) -> None:
        del config["config"]["layers"][1]

    def other_shape(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"]["units"] = 7

    def stranger(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["class_name"] = "system"
        config["config"]["layers"][1]["module"] = "os"

    for change in (missing_layer, other_shape, stranger):
        with pytest.raises(GraphcError):
            graphc.models.load_model(_changed(path, config_json=_config(path, change)))


def test_names_of_files(tmp_path: Path) -> None:
    model = dense(graphc)
    for name in ("model", "model.txt", "model.weights.h5"):
        with pytest.raises(ArgumentError, match=r"ends with \.keras"):
            model.save(tmp_path / name)
    with pytest.raises(FileError, match="no such file"):
        graphc.models.load_model(tmp_path / "none.keras")


def test_weights_of_a_model_file(tmp_path: Path) -> None:
    model, other = graph(graphc), graph(graphc)
    model.save(tmp_path / "m.keras")
    other.load_weights(tmp_path / "m.keras")
    np.testing.assert_allclose(other(X["flat"]), model(X["flat"]), rtol=1e-6)


def test_json() -> None:
    model = graph(graphc)
    again = graphc.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(X["flat"]), model(X["flat"]), rtol=1e-6)
    theirs = keras.models.model_from_json(model.to_json())
    theirs.set_weights(model.get_weights())
    np.testing.assert_allclose(np.asarray(theirs(X["flat"])), model(X["flat"]), rtol=1e-5, atol=1e-6)


def test_clones() -> None:
    for make, data in MODELS.values():
        model = make(graphc)
        for recursive in (False, True):
            clone = graphc.models.clone_model(model, recursive=recursive)
            assert not {id(layer) for layer in model.layers} & {id(layer) for layer in clone.layers}
            assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
            clone.set_weights(model.get_weights())
            np.testing.assert_allclose(clone(X[data]), model(X[data]), rtol=1e-6)


def test_clones_with_functions() -> None:
    model = dense(graphc)

    def wider(layer: Any) -> Any:
        config = layer.get_config()
        return type(layer).from_config(config | ({"units": 5} if config.get("units") == 3 else {}))

    clone = graphc.models.clone_model(model, clone_function=wider)
    assert [weight.shape for weight in clone.weights] == [(4, 5), (5,), (5, 1), (1,)]
    x = graphc.Input((4,), name="other")
    whole = graphc.models.clone_model(graph(graphc), input_tensors=x)
    assert whole.input is x


@pytest.mark.parametrize("saves", ["models", "weights", "batches"])
def test_checkpoints(saves: str, tmp_path: Path) -> None:
    model = dense(graphc)
    ending = ".weights.h5" if saves == "weights" else ".keras"
    place = "{epoch}-{batch}" if saves == "batches" else "{epoch}"
    callback = graphc.callbacks.ModelCheckpoint(
        tmp_path / (place + ending),
        save_weights_only=saves == "weights",
        save_freq=2 if saves == "batches" else "epoch",
    )
    model.fit(X["flat"], Y, epochs=2, batch_size=8, verbose=0, callbacks=[callback])
    names = ["1-2", "2-1", "2-3"] if saves == "batches" else ["1", "2"]
    assert sorted(os.listdir(tmp_path)) == [name + ending for name in names]
    last = tmp_path / (names[-1] + ending)
    if saves == "weights":
        read = dense(graphc)
        read.load_weights(last)
    else:
        read = graphc.models.load_model(last)
    np.testing.assert_allclose(read.predict(X["flat"], verbose=0), model.predict(X["flat"], verbose=0), rtol=1e-6)


def test_endings_of_checkpoints() -> None:
    for path, weights in (("a.weights.h5", False), ("a.keras", True), ("a", False), ("a.h5", True)):
        with pytest.raises(ArgumentError, match="another ending"):
            graphc.callbacks.ModelCheckpoint(path, save_weights_only=weights)


def test_custom_objects_are_known_where_a_model_is_compiled(tmp_path: Path) -> None:
    def gap(y: Any, z: Any) -> Any:
        return graphc.ops.abs(y - z)

    class Twice(graphc.losses.Loss):  # type: ignore[misc]
        def call(self, y: Any, z: Any) -> Any:
            return 2 * (y - z) ** 2

    for loss in (gap, Twice()):
        model = graphc.Sequential([graphc.Input((4,)), graphc.layers.Dense(1)])
        model.compile("sgd", loss, metrics=[gap])
        model.fit(X["flat"], Y, verbose=0)
        model.save(tmp_path / "m.keras")
        again = graphc.models.load_model(tmp_path / "m.keras", custom_objects={"gap": gap, "Twice": Twice})
        wanted = model.evaluate(X["flat"], Y, verbose=0)
        assert again.evaluate(X["flat"], Y, verbose=0) == pytest.approx(wanted)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("writer", [graphc, keras])
def test_built_in_functions_are_named(writer: Any, ending: str, tmp_path: Path) -> None:
    """Losses, metrics and activations that are given as functions of the library, not by name."""
    inputs = writer.Input((3,))
    model = writer.Model(inputs, writer.layers.Dense(2, activation=writer.activations.softmax)(inputs))
    model.compile("sgd", writer.losses.categorical_crossentropy, metrics=[writer.metrics.categorical_accuracy])
    x, y = np.ones((4, 3)), np.eye(4, 2)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / f"model{ending}")
    again = graphc.models.load_model(tmp_path / f"model{ending}")
    assert graphc.losses.get(again.loss) is graphc.losses.categorical_crossentropy
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-5)
