"""Layers that save and load themselves: their arrays, files besides these, and what they were built with."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, FileError

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

X = np.random.default_rng(0).random((4, 3), "float32")


def scaled(k: Any) -> type:
    """A layer that stores its weights under other names, and a number besides them."""

    class Scaled(k.layers.Dense):  # type: ignore[misc]
        factor = 1.0

        def save_own_variables(self, store: Any) -> None:
            super().save_own_variables(store)
            store["factor"] = np.float32(self.factor)

        def load_own_variables(self, store: Any) -> None:
            self.factor = float(np.asarray(store["factor"]))
            for i, variable in enumerate([self.kernel, self.bias]):
                variable.assign(store[str(i)])

        def call(self, inputs: Any) -> Any:
            return super().call(inputs) * self.factor

    return Scaled


def worded(k: Any) -> type:
    """A layer with a text, which it keeps in a file."""

    class Worded(k.layers.Dense):  # type: ignore[misc]
        def __init__(self, words: str | None = None, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.words = words

        def save_assets(self, path: str) -> None:
            os.makedirs(os.path.join(path, "deep"))
            with open(os.path.join(path, "deep", "words.txt"), "w") as file:
                file.write(self.words or "")

        def load_assets(self, path: str) -> None:
            with open(os.path.join(path, "deep", "words.txt")) as file:
                self.words = file.read()

    return Worded


def built(k: Any) -> type:
    """A layer whose `build` takes more than shapes."""

    class Built(k.layers.Layer):  # type: ignore[misc]
        def build(self, input_shape: Any, start: Any = None) -> None:
            self.start = start
            self.w = self.add_weight(shape=(input_shape[-1], 2), initializer=start, name="w")

        def call(self, inputs: Any) -> Any:
            return k.ops.matmul(inputs, self.w)

        def get_build_config(self) -> dict[str, Any]:
            return {"input_shape": (None, 3), "start": self.start}

        def build_from_config(self, config: Any) -> None:
            self.build(config["input_shape"], config["start"])

    return Built


def made(kind: str, k: Any) -> tuple[Any, dict[str, Any]]:
    """A model with such a layer, and the classes that it needs."""
    cls = {"scaled": scaled, "worded": worded, "built": built}[kind](k)
    layer = cls() if kind == "built" else cls(units=2)
    if kind == "built":
        layer.build((None, 3), "ones")
    model = k.Sequential([layer, k.layers.Dense(1)])
    model(X)
    if kind == "scaled":
        layer.factor = 2.5
    elif kind == "worded":
        layer.words = "ä b"
    return model, {cls.__name__: cls}


KINDS = pytest.mark.parametrize("kind", ["scaled", "worded", "built"])
TO_AND_FROM = [(graphc, graphc), (graphc, keras), (keras, graphc)]


@KINDS
@pytest.mark.parametrize(("writes", "reads"), TO_AND_FROM, ids=["own", "to Keras", "from Keras"])
def test_layers_save_and_load_themselves(kind: str, writes: Any, reads: Any, tmp_path: Path) -> None:
    model, _ = made(kind, writes)
    _, classes = made(kind, reads)
    model.save(tmp_path / "m.keras")
    again = reads.models.load_model(tmp_path / "m.keras", custom_objects=classes)
    np.testing.assert_allclose(np.asarray(again(X)), np.asarray(model(X)), rtol=1e-5)
    for name in ("factor", "words", "start"):
        assert getattr(again.layers[0], name, None) == getattr(model.layers[0], name, None)


def test_files_of_weights_hold_what_layers_store(tmp_path: Path) -> None:
    model, other = made("scaled", graphc)[0], made("scaled", graphc)[0]
    other.layers[0].factor = 1.0
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(other(X), model(X), rtol=1e-6)


def test_a_layer_that_refuses_what_it_stored_leaves_all_as_it_was(tmp_path: Path) -> None:
    model, other = made("scaled", graphc)[0], made("scaled", graphc)[0]
    model.save_weights(tmp_path / "m.weights.h5")

    def refuse(store: Any) -> None:
        other.layers[0].kernel.assign(store["0"])
        raise KeyError("none")

    before = other.get_weights()
    type(other.layers[0]).load_own_variables = lambda self, store: refuse(store)
    with pytest.raises(KeyError, match="none"):
        other.load_weights(tmp_path / "m.weights.h5")
    for mine, theirs in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_stores_hold_arrays_of_numbers(tmp_path: Path) -> None:
    model, _ = made("scaled", graphc)
    type(model.layers[0]).save_own_variables = lambda self, store: store.update(a="text")
    with pytest.raises(ArgumentError, match="arrays of numbers"):
        model.save_weights(tmp_path / "m.weights.h5")


@pytest.mark.parametrize("name", ["../out", "/out", "deep/../../out", "a\\b", "c:out"])
def test_files_stay_in_their_folder(name: str, tmp_path: Path) -> None:
    model, classes = made("worded", graphc)
    path = tmp_path / "m.keras"
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = next(n for n in archive.namelist() if n.startswith("assets/")).removesuffix("deep/words.txt")
        archive.writestr(folder + name, "x")
    with pytest.raises(FileError, match="leads elsewhere"):
        graphc.models.load_model(path, custom_objects=classes)
    assert not (tmp_path / "out").exists()


def test_default_stores() -> None:
    layer, other = graphc.layers.Dense(2), graphc.layers.Dense(2)
    layer.build((None, 3))
    other.build((None, 3))
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    other.load_own_variables(store)
    assert sorted(store) == ["0", "1"]
    np.testing.assert_array_equal(layer.kernel, other.kernel)
    with pytest.raises(ArgumentError, match="number of weights"):
        other.load_own_variables({"0": store["0"]})


def test_vocabularies_beside_the_configuration(tmp_path: Path) -> None:
    """Keras keeps a vocabulary that was adapted in a file of the layer."""
    lookup = graphc.layers.StringLookup()
    numbers = graphc.layers.IntegerLookup()
    (tmp_path / "vocabulary.txt").write_text("[UNK]\nb\na\n")
    lookup.load_assets(tmp_path)
    assert lookup.get_vocabulary() == ["[UNK]", "b", "a"]
    (tmp_path / "vocabulary.txt").write_text("-1\n7\n5\n")
    numbers.load_assets(tmp_path)
    assert numbers.get_vocabulary() == [-1, 7, 5]
    texts = graphc.layers.TextVectorization()
    (tmp_path / "vocabulary.txt").write_text("\n[UNK]\nb\n")
    texts.load_assets(tmp_path)
    assert texts.get_vocabulary() == ["", "[UNK]", "b"] and texts(["b"]).numpy().tolist() == [[2]]
