"""Functional, sequential and subclassed models: structure, names, configurations, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import FileError

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


class Branches(graphc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Dense(5, activation="relu")
        self.rest: list[Any] = []
        for _ in range(2):
            self.rest.append(layers.Dense(3))
        self.noise = layers.Dropout(0.5)

    def call(self, x: Any, training: bool | None = None) -> Any:
        h = self.noise(self.first(x), training=training)
        return {"sum": self.rest[0](h) + self.rest[1](h), "first": h}


def stack() -> Any:
    return graphc.Sequential([graphc.Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3)])


def test_subclassed_models() -> None:
    model = Branches()
    assert not model.built and model.weights == []
    out = model.predict(X, verbose=0)
    assert {key: value.shape for key, value in out.items()} == {"sum": (6, 3), "first": (6, 5)}
    assert [layer.name.partition("_")[0] for layer in model.layers] == ["dense", "dense", "dense", "dropout"]
    assert len(model.weights) == 6 and all(w.path.startswith(model.name) for w in model.weights)
    eager = model(X)
    np.testing.assert_allclose(eager["sum"].numpy(), out["sum"], rtol=1e-5)


def test_deferred_sequential() -> None:
    model = graphc.Sequential([layers.Dense(5), layers.Dense(3)])
    assert not model.built and model.weights == []
    model.build((None, 4))
    assert [w.shape for w in model.weights] == [(4, 5), (5,), (5, 3), (3,)]
    assert [w.path.split("/")[0] for w in model.weights] == [model.name] * 4
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    model.pop()
    assert model.output_shape == (None, 3)
    other = graphc.Sequential([layers.Dense(5), layers.Dense(3)])
    other(X)
    assert other.built and other.count_params() == model.count_params()


def test_functional_models_with_functions_and_shared_layers() -> None:
    a, b = graphc.Input((4,), name="a"), graphc.Input((4,), name="b")
    shared = layers.Dense(3)
    x = ops.concatenate([shared(a) * 2.0, -shared(b)], axis=-1)
    model = graphc.Model([a, b], [ops.relu(x), x[:, :2]])
    assert len(model.weights) == 2
    first, second = model.predict([X, X + 1], verbose=0)
    kernel, bias = model.get_weights()
    whole = np.concatenate([(X @ kernel + bias) * 2, -((X + 1) @ kernel + bias)], axis=-1)
    np.testing.assert_allclose(first, np.maximum(whole, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, whole[:, :2], rtol=1e-5, atol=1e-6)
    named = model.predict({"b": X + 1, "a": X}, verbose=0)
    np.testing.assert_array_equal(named[0], first)
    nested = graphc.Model(a, model([a, ops.exp(a)])[0])
    np.testing.assert_allclose(nested.predict(X, verbose=0), model.predict([X, np.exp(X)], verbose=0)[0], rtol=1e-5)


def test_sequential_configurations() -> None:
    model = stack()
    again = graphc.Sequential.from_config(model.get_config())
    assert again.get_config() == {**model.get_config(), "name": again.name}
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_own_layers_have_configurations() -> None:
    class Own(layers.Layer):
        def __init__(self, units: int, scale: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units, self.scale = units, scale

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")

        def call(self, x: Any) -> Any:
            return ops.matmul(x, self.w) * self.scale

    layer = Own(3, name="mine")
    config = layer.get_config()
    assert (config["units"], config["scale"], config["name"]) == (3, 2.0, "mine")
    assert Own.from_config(config).units == 3
    assert layer(X).shape == (6, 3) and layer.w.path == "mine/w"
    assert layer.compute_output_shape((None, 4)) == (None, 3)


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    model = stack()
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert f'Model: "{model.name}"' in text
    assert "(None, 5)" in text and "Total params: 43 (172.00 B)" in text and "Trainable params: 43" in text
    model.summary()
    assert "Layer (type)" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["safetensors", "h5"])
def test_weights_in_files(tmp_path: Path, ending: str) -> None:
    for make in (stack, Branches):
        model, other = make(), make()
        for each in (model, other):
            each(X)
        path = tmp_path / f"model.weights.{ending}"
        model.save_weights(path)
        other.load_weights(path)
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()


def test_keras_layout(tmp_path: Path) -> None:
    model = stack()
    model.save_weights(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert file["layers/dense_1/vars/0"].shape == (5, 3)


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    model, path = stack(), tmp_path / "a.weights.safetensors"
    model.save_weights(path)
    other = graphc.Sequential([graphc.Input((4,)), layers.Dense(5), layers.Dense(7)])
    before = other.get_weights()
    with pytest.raises(FileError, match=r"layers/dense_1/vars/0"):
        other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))
    other.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    shorter = graphc.Sequential([graphc.Input((4,)), layers.Dense(5)])
    with pytest.raises(FileError, match="has not"):
        shorter.load_weights(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(FileError, match="cannot be read"):
        model.load_weights(path)
    with pytest.raises(FileError, match="no such file"):
        model.load_weights(tmp_path / "b.weights.h5")
    with pytest.raises(FileError, match="ending"):
        model.save_weights(tmp_path / "b.bin")
    with pytest.raises(FileError, match="there already"):
        model.save_weights(path, overwrite=False)


def test_mixed_precision() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(5, dtype="mixed_bfloat16"), layers.Dense(3)])
    model.compile("sgd", "mse")
    assert {w.dtype for w in model.weights} == {"float32"}
    assert model.layers[0](X).dtype == "bfloat16"
    history = model.fit(X, X[:, :3], epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
