"""Strings as inputs of models: layers within map them to numbers on the host, before the compiled step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import DTypeError, GraphcError, StateError

TEXTS = np.array(["the cat sat on the mat", "a dog barks", "the dog sat", "cats and dogs"] * 4)
LABELS = np.array([0, 1, 1, 0] * 4)
COLUMNS = {
    "age": np.linspace(20, 60, 16, dtype="float32"),
    "job": np.array(["a", "b", "c", "a"] * 4),
    "zip": np.array([1, 2, 3, 4] * 4),
}


@pytest.fixture(params=["cpu", "numpy"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with graphc.backend(request.param):
        yield request.param


def vectorizer(**options: Any) -> Any:
    layer = layers.TextVectorization(max_tokens=20, **options)
    layer.adapt(TEXTS)
    return layer


def classifier(first: Any) -> Any:
    return [first, layers.Embedding(20, 4), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")]


def functional() -> Any:
    inputs = graphc.Input((1,), dtype="string")
    outputs = inputs
    for layer in classifier(vectorizer(output_sequence_length=6)):
        outputs = layer(outputs)
    return graphc.Model(inputs, outputs)


class Subclassed(graphc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.parts = classifier(vectorizer(output_sequence_length=6))

    def call(self, inputs: Any) -> Any:
        for part in self.parts:
            inputs = part(inputs)
        return inputs


MODELS = {
    "functional": functional,
    "sequential": lambda: graphc.Sequential(classifier(vectorizer(output_sequence_length=6))),
    "input": lambda: graphc.Sequential(
        [graphc.Input((1,), dtype="string"), *classifier(vectorizer(output_sequence_length=5))]
    ),
    "nested": lambda: graphc.Sequential([functional(), layers.Dense(1)]),
    "subclassed": Subclassed,
}


@pytest.mark.parametrize("kind", MODELS)
def test_models_of_strings_are_models_of_what_their_first_layer_returns(kind: str, backend: str) -> None:
    graphc.utils.set_random_seed(1)
    model = MODELS[kind]()
    model.compile("adam", "binary_crossentropy")
    before = model.predict(TEXTS, verbose=0)
    assert before == pytest.approx(np.asarray(model(TEXTS[:, None])), abs=1e-6)
    assert model.predict_on_batch(TEXTS[:3]) == pytest.approx(before[:3], abs=1e-6)
    assert model.predict(TEXTS[:, None], batch_size=3, verbose=0) == pytest.approx(before, abs=1e-6)
    loss = model.fit(TEXTS, LABELS, batch_size=8, epochs=3, verbose=0, validation_split=0.25).history["loss"]
    assert loss[-1] < loss[0]
    batches = ((TEXTS[i : i + 5], LABELS[i : i + 5]) for i in range(0, 16, 5))
    once = model.evaluate(TEXTS, LABELS, verbose=0)
    assert model.evaluate(batches, verbose=0) == pytest.approx(once, rel=1e-5)


def test_fit_is_that_on_the_indices(backend: str) -> None:
    layer = vectorizer(output_sequence_length=6)
    losses = []
    for data, first in ((TEXTS, layer), (np.asarray(layer(TEXTS)), layers.Identity())):
        graphc.utils.set_random_seed(2)
        model = graphc.Sequential(classifier(first))
        model.compile("sgd", "binary_crossentropy")
        losses.append(model.fit(data, LABELS, batch_size=4, epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def columns_model() -> Any:
    inputs = {
        "age": graphc.Input((1,)),
        "job": graphc.Input((1,), dtype="string"),
        "zip": graphc.Input((1,), dtype="int64"),
    }
    jobs, zips = layers.StringLookup(output_mode="one_hot"), layers.IntegerLookup(output_mode="multi_hot")
    jobs.adapt(COLUMNS["job"])
    zips.adapt(COLUMNS["zip"])
    hashed = layers.Hashing(5, output_mode="one_hot")(inputs["job"])
    parts = [layers.Rescaling(1 / 60)(inputs["age"]), jobs(inputs["job"]), zips(inputs["zip"] + 0), hashed]
    return graphc.Model(inputs, layers.concatenate(parts))


def test_columns_of_strings_integers_and_numbers(backend: str) -> None:
    model = columns_model()
    found = model.predict(COLUMNS, verbose=0)
    assert found.shape == (16, 1 + 4 + 5 + 5)
    assert found == pytest.approx(np.asarray(model({name: x[:, None] for name, x in COLUMNS.items()})))
    assert found[:, 1:].sum(axis=1) == pytest.approx(3)
    bytes_of = {**COLUMNS, "job": COLUMNS["job"].astype("S")}
    assert model.predict(bytes_of, verbose=0) == pytest.approx(found)
    objects = {**COLUMNS, "job": COLUMNS["job"].astype(object)}
    assert model.predict(objects, verbose=0) == pytest.approx(found)


def test_a_new_vocabulary_is_used_at_once() -> None:
    lookup = layers.StringLookup(vocabulary=["a"], output_mode="one_hot")
    inputs = graphc.Input((1,), dtype="string")
    model = graphc.Model(inputs, lookup(inputs) + 0.0)
    assert model.predict(np.array(["a", "b"]), verbose=0).tolist() == [[0, 1], [1, 0]]
    lookup.set_vocabulary(["b"])
    assert model.predict(np.array(["a", "b"]), verbose=0).tolist() == [[1, 0], [0, 1]]
    lookup.set_vocabulary(["b", "a"])
    assert model.predict(np.array(["a", "b"]), verbose=0).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_models_of_strings_are_saved(tmp_path: Any) -> None:
    model = functional()
    model.save(tmp_path / "model.keras")
    again = graphc.models.load_model(tmp_path / "model.keras")
    assert again.input.dtype == "string"
    assert again.predict(TEXTS, verbose=0) == pytest.approx(model.predict(TEXTS, verbose=0))


def test_texts_of_any_length_are_padded_to_the_longest() -> None:
    inputs = graphc.Input((), dtype="string")
    indices = vectorizer()(inputs)
    assert indices.shape == (None, None)
    model = graphc.Model(inputs, ops.sum(indices, axis=1))
    assert model.predict(TEXTS, verbose=0).tolist() == np.asarray(model(TEXTS)).tolist()
    assert model.predict(TEXTS[1:2], verbose=0).shape == (1,)


def test_eager_steps_and_tapes() -> None:
    model = functional()
    model.compile("sgd", "binary_crossentropy", run_eagerly=True)
    eager = model.evaluate(TEXTS, LABELS, verbose=0)
    model.compile("sgd", "binary_crossentropy")
    assert model.evaluate(TEXTS, LABELS, verbose=0) == pytest.approx(eager, rel=1e-5)
    with graphc.GradientTape() as tape:
        loss = ops.mean(model(TEXTS))
    assert all(gradient is not None for gradient in tape.gradient(loss, model.trainable_variables))


def strings_to(layer: Any) -> Any:
    return lambda: layer(graphc.Input((1,), dtype="string"))


def numbers_for_strings() -> None:
    functional().predict(np.zeros((3, 1)))


def strings_for_numbers() -> None:
    columns_model().predict({**COLUMNS, "age": COLUMNS["job"]})


def strings_as_labels() -> None:
    model = functional()
    model.compile("sgd", "mse")
    model.evaluate(TEXTS, TEXTS)


def lookup_of_computed() -> None:
    inputs = graphc.Input((1,))
    model = graphc.Model(inputs, layers.IntegerLookup(vocabulary=[1])(layers.Dense(1)(inputs)))
    model.predict(np.ones((3, 1)))


def strings_as_output() -> None:
    layers.StringLookup(vocabulary=["a"], invert=True)(graphc.Input((1,), dtype="int64"))


BAD = {
    "dense": (DTypeError, strings_to(layers.Dense(2)), "StringLookup"),
    "embedding": (DTypeError, strings_to(layers.Embedding(2, 2)), "StringLookup"),
    "operation": (DTypeError, lambda: ops.exp(graphc.Input((1,), dtype="string")), "StringLookup"),
    "eager": (DTypeError, lambda: layers.Dense(1)(TEXTS), "StringLookup"),
    "numbers": (DTypeError, numbers_for_strings, "dtype string"),
    "strings": (DTypeError, strings_for_numbers, "dtype float32"),
    "labels": (DTypeError, strings_as_labels, "no numbers"),
    "computed": (StateError, lookup_of_computed, "depend on the data alone"),
    "output": (StateError, strings_as_output, "returns strings"),
    "function": (
        StateError,
        lambda: graphc.function(layers.IntegerLookup(vocabulary=[1]))(np.array([1])),
        "compiled function",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_say_what_to_do(case: str) -> None:
    error, action, text = BAD[case]
    with pytest.raises(error, match=text) as caught:
        action()
    assert isinstance(caught.value, GraphcError)


@pytest.mark.parametrize("mode", ["int", "one_hot"])
def test_crossings(mode: str, backend: str) -> None:
    inputs = {"job": graphc.Input((1,), dtype="string"), "zip": graphc.Input((1,), dtype="int64")}
    crossing = layers.HashedCrossing(7, output_mode=mode)
    crossed = crossing([inputs["job"], inputs["zip"]])
    assert crossed.shape == ((None, 1) if mode == "int" else (None, 7))
    model = graphc.Model(inputs, [crossed, layers.Dense(2)(ops.cast(crossed, "float32"))])
    data = {name: COLUMNS[name][:, None] for name in inputs}
    found = model.predict(data, verbose=0)[0]
    np.testing.assert_array_equal(found, crossing([data["job"], data["zip"]]).numpy())
