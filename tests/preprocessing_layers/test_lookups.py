"""Lookups, hashes and texts beside Keras: `tests/golden/lookups.json` holds what Keras 3.15 computes on TensorFlow.

Keras has these layers on TensorFlow alone, which the tests do not need.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, DataError, DTypeError, GraphcError, ShapeError, StateError

CASES = json.loads((Path(__file__).parent.parent / "golden" / "lookups.json").read_text("utf-8"))


def _name(case: dict[str, Any]) -> str:
    return f"{case['layer']}-{','.join(f'{k}={v}' for k, v in case['arguments'].items())}"[:60]


@pytest.mark.parametrize("case", CASES, ids=map(_name, CASES))
def test_beside_keras(case: dict[str, Any]) -> None:
    layer = getattr(layers, case["layer"])(**case["arguments"])
    if case["adapt"] is not None:
        layer.adapt(case["adapt"])
    if case["vocabulary"] is not None:
        assert layer.get_vocabulary() == case["vocabulary"]
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    for each in (layer, again):
        found = each(case["inputs"])
        assert np.shape(found) == np.shape(case["outputs"])
        if np.asarray(found).dtype.kind == "U":
            assert np.asarray(found).tolist() == case["outputs"]
        else:
            np.testing.assert_allclose(np.asarray(found), case["outputs"], rtol=1e-6)


def test_inputs_of_all_kinds() -> None:
    layer = layers.StringLookup(vocabulary=["a", "bé"])
    for given in (["a", "bé"], np.array(["a", "bé"]), np.array([b"a", "bé".encode()]), np.array(["a", "bé"], object)):
        assert layer(given).numpy().tolist() == [1, 2]
    assert int(layer("bé")) == 2
    text = layers.TextVectorization(vocabulary=["one", "two"])
    assert text("two one").numpy().tolist() == [3, 2]
    assert text(np.array([[b"two"], [b"one two"]], object)).numpy().tolist() == [[3, 0], [2, 3]]


def test_batches_and_steps() -> None:
    def batches() -> Any:
        yield ["a b", "c"]
        yield ["a"]
        while True:
            yield ["never"]

    layer = layers.TextVectorization()
    layer.adapt(batches(), steps=2)
    assert layer.get_vocabulary() == ["", "[UNK]", "a", "c", "b"]
    data = graphc.data.Dataset.from_tensor_slices(["x y", "x z"]).batch(1)
    layer.adapt(data)
    assert layer.get_vocabulary()[2] == "x"
    assert next(iter(data.map(layer))).numpy().tolist() == layer(["x y"]).numpy().tolist()


def test_functions_of_the_user() -> None:
    layer = layers.TextVectorization(
        standardize=lambda texts: np.char.replace(np.char.lower(texts), "<br>", " "),
        split=lambda texts: [text.split("-") for text in texts],
    )
    layer.adapt(["A-b<br>", "a"])
    assert layer.get_vocabulary() == ["", "[UNK]", "a", "b "]


def test_a_file_of_a_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("[UNK]\nx\ny\n", "utf-8")
    assert layers.StringLookup(vocabulary=str(path))(["y", "q"]).numpy().tolist() == [2, 0]
    with pytest.raises(ArgumentError, match="cannot be read"):
        layers.StringLookup(vocabulary=str(tmp_path / "none.txt"))


def test_training_on_texts() -> None:
    texts = ["good fine", "bad", "fine good good", "bad awful"] * 8
    labels = np.array([1.0, 0.0, 1.0, 0.0] * 8, "float32")
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(texts)
    model = graphc.Sequential([graphc.Input((vectorize.vocabulary_size(),)), layers.Dense(1, "sigmoid")])
    model.compile(graphc.optimizers.Adam(0.1), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(vectorize(texts), labels, epochs=20, verbose=0).history
    assert history["accuracy"][-1] == 1.0


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), ArgumentError, "token twice"),
        (lambda: layers.StringLookup(vocabulary=[]), ArgumentError, "empty"),
        (lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""), ArgumentError, "special tokens"),
        (lambda: layers.StringLookup(max_tokens=2, vocabulary=["a", "b"]), ArgumentError, "larger than max_tokens"),
        (lambda: layers.StringLookup(max_tokens=1), ArgumentError, "max_tokens is above 1"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), ArgumentError, "output_mode='int'"),
        (lambda: layers.StringLookup(output_mode="words"), ArgumentError, "no such output_mode"),
        (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]), DataError, "not in the vocabulary"),
        (lambda: layers.StringLookup(vocabulary=["a"]).adapt(["b"]), StateError, "is given"),
        (lambda: layers.StringLookup(output_mode="tf_idf", vocabulary=["a"]), ArgumentError, "idf_weights"),
        (lambda: layers.IntegerLookup(salt=3), ArgumentError, "farmhash"),
        (lambda: layers.TextVectorization(split="words"), ArgumentError, "unknown split"),
        (lambda: layers.TextVectorization()([["a", "b"]]), ShapeError, "one each"),
        (lambda: layers.TextVectorization(ragged=True), ArgumentError, "ragged"),
        (lambda: layers.Hashing(0), ArgumentError, "num_bins"),
        (lambda: layers.Hashing(3, salt=[1]), ArgumentError, "salt"),
    ],
)
def test_errors(call: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_crossings() -> None:
    layer = layers.HashedCrossing(1000)
    words = ["a", "b"]
    expected = layer((words, [1, 2])).numpy().tolist()
    for given in (np.array(words, object), np.array([b"a", b"b"]), np.array(words)):
        assert layer([given, np.array([1, 2], "int8")]).numpy().tolist() == expected
    assert layer.get_config() == {"num_bins": 1000, "output_mode": "int", "sparse": False, "name": layer.name} | {
        "dtype": "int64"
    }
    data = graphc.data.Dataset.from_tensor_slices((words, [1, 2])).batch(2).map(lambda x, y: layer((x, y)))
    assert next(iter(data)).numpy().tolist() == expected


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        (["a", "b"][:1], ArgumentError),
        ((["a"], [1, 2]), ShapeError),
        ((np.ones((2, 2), int), np.ones((2, 2), int)), ShapeError),
        ((["a"], [1.5]), DTypeError),
    ],
)
def test_refused_crossings(inputs: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="HashedCrossing"):
        layers.HashedCrossing(3)(inputs)
