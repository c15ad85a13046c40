"""`FeatureSpace`: what it makes of tables, before models, in them, and after it was saved."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, DataError, DTypeError, StateError
from graphc.utils import FeatureSpace

ROWS = 40
_random = np.random.default_rng(3)
TABLE = {
    "age": _random.integers(20, 60, ROWS).astype("float32"),
    "pressure": _random.normal(120, 20, ROWS).astype("float32"),
    "thal": _random.choice(["normal", "fixed", "reversible"], ROWS),
    "vessels": _random.integers(0, 4, ROWS),
    "city": _random.choice(["Rome", "Oslo", "Bern"], ROWS),
}
KINDS = {
    "age": "float_discretized",
    "pressure": "float_normalized",
    "thal": "string_categorical",
    "vessels": "integer_categorical",
    "city": "string_hashed",
}


def adapted(**options: Any) -> FeatureSpace:
    given = {"features": KINDS, "num_discretization_bins": 4, "hashing_dim": 8, "crosses": [("thal", "vessels")]}
    space = FeatureSpace(**(given | {"crossing_dim": 6} | options))
    space.adapt(TABLE)
    return space


def test_each_feature_is_encoded_as_its_kind_says() -> None:
    parts = {name: np.asarray(part) for name, part in adapted(output_mode="dict")(TABLE).items()}
    assert list(parts) == ["age", "city", "pressure", "thal", "vessels", "thal_X_vessels"]
    assert {name: part.shape[1] for name, part in parts.items()} == {
        **{"age": 4, "city": 8, "pressure": 1, "thal": 4, "vessels": 5},
        "thal_X_vessels": 6,
    }
    for name, part in parts.items():
        if name != "pressure":
            assert (part.sum(axis=1) == 1).all()
    assert abs(parts["pressure"].mean()) < 1e-5
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(TABLE["thal"])
    assert (parts["thal"] == np.asarray(lookup(TABLE["thal"]))).all()
    whole = np.asarray(adapted()(TABLE))
    assert (whole == np.concatenate(list(parts.values()), axis=1)).all()


def rows() -> list[dict[str, Any]]:
    return [{name: column[i] for name, column in TABLE.items()} for i in range(ROWS)]


def batches() -> list[dict[str, Any]]:
    return [{name: column[i : i + 32] for name, column in TABLE.items()} for i in range(0, ROWS, 32)]


@pytest.mark.parametrize("data", [rows, batches])
def test_data_sets_adapt_it_as_tables_do(data: Any) -> None:
    space = FeatureSpace(KINDS, num_discretization_bins=4, hashing_dim=8, crosses=[("thal", "vessels")], crossing_dim=6)
    space.adapt(data())
    expected = np.asarray(adapted()(TABLE))
    assert np.asarray(space(TABLE)) == pytest.approx(expected, abs=1e-6)
    one = np.asarray(space(rows()[0]))
    assert one.shape == expected.shape[1:]
    assert one == pytest.approx(expected[0], abs=1e-6)
    columns = {name: column[:, None] for name, column in TABLE.items()}
    assert np.asarray(space(columns)) == pytest.approx(expected, abs=1e-6)


def test_models_of_encodings_and_of_tables() -> None:
    space = adapted(crosses=[("age", "vessels"), FeatureSpace.cross(("thal", "city"), crossing_dim=5)])
    inputs, encoded = space.get_inputs(), space.get_encoded_features()
    outputs = layers.Dense(1, activation="sigmoid")(encoded)
    training, inference = graphc.Model(encoded, outputs), graphc.Model(inputs, outputs)
    training.compile("adam", "binary_crossentropy")
    target = (TABLE["age"] > 40).astype("float32")
    training.fit(np.asarray(space(TABLE)), target, epochs=2, verbose=0)
    assert inference.predict(TABLE, verbose=0) == pytest.approx(training.predict(np.asarray(space(TABLE)), verbose=0))
    inference.compile("adam", "binary_crossentropy")
    loss = inference.fit(TABLE, target, epochs=3, verbose=0).history["loss"]
    assert loss[-1] < loss[0]


def test_own_layers_and_options() -> None:
    texts = {"text": np.array(["first text", "second text", "third"])}
    vectorizer = layers.TextVectorization(output_mode="tf_idf")
    space = FeatureSpace({"text": FeatureSpace.feature("string", vectorizer, "float")})
    space.adapt(texts)
    assert np.asarray(space(texts)).shape == (3, vectorizer.vocabulary_size())
    numbers = FeatureSpace({"a": FeatureSpace.float_rescaled(scale=0.5, offset=1.0), "b": "float"})
    assert np.asarray(numbers({"a": [2.0, 4.0], "b": [1.0, 0.0]})).tolist() == [[2.0, 1.0], [3.0, 0.0]]
    bins = FeatureSpace({"a": FeatureSpace.float_discretized(None, bin_boundaries=[0.0, 1.0])})
    assert np.asarray(bins({"a": [-1.0, 5.0]})).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_it_is_saved(tmp_path: Path) -> None:
    space = adapted()
    space.save(tmp_path / "space.keras")
    again = graphc.models.load_model(tmp_path / "space.keras")
    assert (np.asarray(again(TABLE)) == np.asarray(space(TABLE))).all()
    assert again.get_encoded_features().shape == space.get_encoded_features().shape
    json.dumps(space.get_config())


def test_bad_input() -> None:
    with pytest.raises(ArgumentError, match="kind of feature"):
        FeatureSpace({"a": "floaty"})
    with pytest.raises(ArgumentError, match="names no feature"):
        FeatureSpace({"a": "float"}, crosses=[("a", "b")])
    with pytest.raises(ArgumentError, match="output_mode"):
        FeatureSpace({"a": "float"}, output_mode="list")
    with pytest.raises(StateError, match="before `adapt`"):
        FeatureSpace(KINDS)(TABLE)
    with pytest.raises(DataError, match="no such column"):
        FeatureSpace(KINDS).adapt({"age": [1.0]})
    with pytest.raises(ArgumentError, match="all of its features"):
        adapted()({"age": [1.0]})
    whole = FeatureSpace({"a": FeatureSpace.string_categorical(output_mode="int")})
    whole.adapt({"a": ["x", "y"]})
    with pytest.raises(DTypeError, match="not encoded"):
        whole({"a": ["x"]})
