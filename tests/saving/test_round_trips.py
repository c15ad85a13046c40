"""Every layer, loss, metric and optimizer in model files: written here and read by Keras on JAX, and back.

Many are in one model, since each model is a program of JAX. Random layers and those that JAX cannot compute are left
out where both libraries are compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import tree
from tests.layers.each_layer import _Names
from tests.layers.test_each_layer import ALONE, LAYERS, doubled, kind_of

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras")
jax: Any = pytest.importorskip("jax")

OTHERS = {"doubled": doubled, "FIRST": {"data_format": "channels_first"}}
GROUP = 30
# Keras does not read what it writes itself: a cycle of layers, factors below 0.
LEFT_OUT = ("Equalization", "RandomShear")
# Keras returns images as they are in inference.
DIFFERS = ("RandomCrop",)
TEXTS = [text for text in LAYERS if kind_of(text) not in (*ALONE, *LEFT_OUT)]
GROUPS = [TEXTS[i : i + GROUP] for i in range(0, len(TEXTS), GROUP)]


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def model_of(texts: list[str], api: Any) -> tuple[Any, list[str]]:
    """A model with all of these layers side by side, and for each output the layer that it comes from."""
    inputs: list[Any] = []
    outputs: list[Any] = []
    owners: list[str] = []
    for text in texts:
        given = LAYERS[text]
        own = given.like(lambda shape, given=given: api.Input(shape, dtype=given.dtype))
        results = tree.flatten(eval(text, {}, _Names(api, OTHERS))(*own))
        inputs += tree.flatten(own)
        outputs += results
        owners += [text] * len(results)
    return api.Model(inputs, outputs), owners


@cache
def data_of(texts: tuple[str, ...]) -> list[Any]:
    return [x for text in texts for x in tree.flatten(LAYERS[text].arrays())]


def outputs_of(model: Any, data: list[Any]) -> list[Any]:
    """The outputs in inference; Keras's as one program."""
    if isinstance(model, graphc.Model):
        return [np.asarray(x) for x in tree.flatten(model(data, training=False))]
    variables = ([v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables))
    program = jax.jit(lambda *state: model.stateless_call(*state, data, training=False)[0])
    return [np.asarray(x) for x in jax.tree_util.tree_leaves(program(*variables))]


def randomized(model: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    trained = {w.path for w in model.trainable_weights}
    weights = [rng.normal(0, 0.4, w.shape).astype(str(w.dtype)) for w in model.weights]
    pairs = zip(model.weights, weights, strict=True)
    model.set_weights([x if w.path in trained else np.abs(x) + np.ones_like(x) for w, x in pairs])


def compare(found: list[Any], expected: list[Any], owners: list[str], rtol: float, atol: float) -> None:
    assert len(found) == len(expected) == len(owners)
    wrong = []
    for a, b, text in zip(found, expected, owners, strict=True):
        try:
            assert a.dtype == b.dtype, f"{a.dtype} instead of {b.dtype}"
            np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol, atol)
        except AssertionError as error:
            wrong.append(f"{text}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("texts", GROUPS, ids=[kind_of(g[0]) for g in GROUPS])
def test_layers_in_files(texts: list[str], tmp_path: Path) -> None:
    data = data_of(tuple(texts))
    ours, owners = model_of(texts, graphc)
    randomized(ours, 0)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras", custom_objects=OTHERS)
    expected = outputs_of(ours, data)
    found = outputs_of(theirs, data)
    same = [i for i, text in enumerate(owners) if kind_of(text) not in DIFFERS]
    compare(*([x[i] for i in same] for x in (found, expected, owners)), 1e-5, 2e-6)
    again = graphc.models.load_model(tmp_path / "ours.keras", custom_objects=OTHERS)
    compare(outputs_of(again, data), expected, owners, 0, 0)
    theirs.save(tmp_path / "theirs.keras")
    back = graphc.models.load_model(tmp_path / "theirs.keras", custom_objects=OTHERS)
    compare(outputs_of(back, data), expected, owners, 0, 0)
    pairs = zip(back.weights, ours.weights, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


# Every configuration that Keras writes for a call holds the default of `training`.


@pytest.mark.parametrize(
    "text", ["Dropout(0.5)", "GaussianNoise(1.0)", "LSTM(3, dropout=0.5)", "SpatialDropout1D(0.5)"]
)
def test_layers_of_keras_train_when_the_model_trains(text: str, tmp_path: Path) -> None:
    x = keras.Input((6, 4))
    keras.Model(x, eval(text, {}, _Names(keras, {}))(x)).save(tmp_path / "theirs.keras")
    model = graphc.models.load_model(tmp_path / "theirs.keras")
    data = np.ones((3, 6, 4), "float32")
    rest, training = (np.asarray(model(data, training=training)) for training in (False, True))
    assert not np.allclose(rest, training)
    np.testing.assert_array_equal(rest, model(data))


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("text", ["Dropout(0.5)", "RandomFlip()", "BatchNormalization()"])
def test_what_training_was_given_stays(text: str, given: bool, tmp_path: Path) -> None:
    x = graphc.Input((6, 4, 2))
    model = graphc.Model(x, eval(text, {}, _Names(graphc, {}))(x, training=given))
    model.save(tmp_path / "ours.keras")
    again = graphc.models.load_model(tmp_path / "ours.keras")
    data = np.random.default_rng(0).random((8, 6, 4, 2), "float32")
    for training in (True, False):
        same = np.allclose(again(data, training=training), model(data, training=False) if not given else data)
        assert same == (not given)


@pytest.mark.parametrize("form", ["keras", "json", "folder"])
def test_a_layer_in_two_places_is_one_layer(form: str, tmp_path: Path) -> None:
    """One that is called by the model and by a model within it; Keras does not read its own file of such a model."""
    inside = graphc.Input((4,))
    inner = graphc.Model(inside, graphc.layers.Dense(4)(inside), name="inner")
    stack = graphc.Sequential([graphc.Input((4,)), inner, graphc.layers.Dense(4)], name="stack")
    x = graphc.Input((4,))
    model = graphc.Model(x, stack(inner(stack(x))))
    if form == "json":
        again = graphc.models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
    else:
        model.save(tmp_path / "m.keras" if form == "keras" else tmp_path / "m", zipped=form == "keras")
        again = graphc.models.load_model(tmp_path / "m.keras" if form == "keras" else tmp_path / "m")
    assert len(again.weights) == len(model.weights) == 4
    assert again.get_layer("stack").layers[0] is again.get_layer("inner")
    data = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again(data), model(data))


def lambdas() -> Any:
    x = graphc.Input((4,))
    y = graphc.layers.Lambda(lambda x: x * 2, name="double")(x)
    y = graphc.layers.Dense(3, activation=lambda x: x + 1, name="dense")(y)
    return graphc.Model(x, graphc.layers.Lambda(lambda x, by: x**by, arguments={"by": 2}, name="square")(y))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_lambdas_come_from_the_caller(ending: str, tmp_path: Path) -> None:
    model, path = lambdas(), tmp_path / f"m.{ending}"
    model.save(path)
    assert b"code" not in path.read_bytes()
    with pytest.raises(graphc.errors.ArgumentError, match=r"custom_objects=\{'double': function\}"):
        graphc.models.load_model(path)
    passed = {"double": lambda x: x * 2, "dense": lambda x: x + 1, "square": lambda x, by: x**by}
    again = graphc.models.load_model(path, custom_objects=passed)
    data = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(again(data), model(data))
    with graphc.saving.custom_object_scope({"<lambda>": lambda x, by=0: x}):
        graphc.models.load_model(path)
    np.testing.assert_array_equal(np.shape(graphc.models.clone_model(model)(data)), (2, 3))
    config = model.get_layer("double").get_config()
    for safe_mode in (None, True, False):
        with pytest.raises(graphc.errors.ArgumentError, match="whose code is not read"):
            graphc.layers.Lambda.from_config(config, safe_mode=safe_mode)
        for name in ("double", "<lambda>"):
            layer = graphc.layers.Lambda.from_config(config, {name: lambda x: x + 3}, safe_mode)
            np.testing.assert_array_equal(layer(data), data + 3)


def test_lambdas_of_keras_are_not_run(tmp_path: Path) -> None:
    x = keras.Input((4,))
    layer = keras.layers.Lambda(lambda x: x * 3, name="triple")
    keras.Model(x, layer(x)).save(tmp_path / "theirs.keras")
    with pytest.raises(graphc.errors.ArgumentError, match="whose code is not read"):
        graphc.models.load_model(tmp_path / "theirs.keras")
    model = graphc.models.load_model(tmp_path / "theirs.keras", custom_objects={"triple": lambda x: x * 3})
    np.testing.assert_array_equal(model(np.ones((1, 4), "float32")), 3 * np.ones((1, 4)))


def test_a_registered_function_of_a_lambda_layer(tmp_path: Path) -> None:
    results = []
    for api in (graphc, keras):

        @api.saving.register_keras_serializable("tests", "thrice")
        def thrice(x: Any) -> Any:
            return x * 3

        x = api.Input((4,))
        model = api.Model(x, api.layers.Lambda(thrice, name="t")(x))
        config = model.get_layer("t").get_config()
        results.append({name: value for name, value in config.items() if name != "dtype"})
        model.save(tmp_path / f"{api.__name__}.keras")
    assert results[0] == results[1]
    for api in (graphc, keras):
        for other in (graphc, keras):
            model = api.models.load_model(tmp_path / f"{other.__name__}.keras")
            np.testing.assert_array_equal(np.asarray(model(np.ones((1, 4), "float32"))), 3 * np.ones((1, 4)))
