"""Inputs, outputs, targets, losses, metrics and weights in every structure, against Keras 3 on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, DataError, GraphcError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")
TZ, TY, TW = (RNG.normal(size=(12, 2)).astype("float32") + 3 * i for i in range(3))
WZ, WY = RNG.uniform(0.5, 2, (2, 12)).astype("float32")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def functional(api: Any, kind: str) -> Any:
    """A model whose outputs are named in another order than that of the alphabet, and alike in shape."""
    x = api.Input((3,), name="i")
    z, y, w = (api.layers.Dense(2, name=name)(x) for name in "zyw")
    outputs = {
        "list": [z, y],
        "tuple": (z, y),
        "dict": {"z": z, "y": y},
        "other": {"b": z, "a": y},
        "nested": {"p": [z, y], "b": w},
        "lists": [[z, y], w],
        "single": z,
        "one": [z],
        "onedict": {"z": z},
    }
    return filled(api.Model(x, outputs[kind]))


def subclassed(api: Any, kind: str) -> Any:
    class Several(api.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.z, self.y = api.layers.Dense(2, name="z"), api.layers.Dense(2, name="y")

        def call(self, x: Any) -> Any:
            z, y = self.z(x), self.y(x)
            return {"list": [z, y], "dict": {"z": z, "y": y}, "one": [z], "nested": {"p": [z, y], "b": z}}[kind]

    model = Several()
    model(X)
    return filled(model)


def filled(model: Any) -> Any:
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def compiled(model: Any, *args: Any, **options: Any) -> Any:
    # Keras runs such small models faster without compiling.
    model.compile("sgd", *args, **options, **({} if isinstance(model, graphc.Model) else {"run_eagerly": True}))
    return model


def assert_same(ours: Any, theirs: Any, what: str = "") -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), what
        ours, theirs = list(ours.values()), list(theirs.values())
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6, err_msg=what)


def judged(model: Any, y: Any) -> tuple[Any, Any]:
    """The results by name, and in the order in which `evaluate` gives them."""
    return model.evaluate(X, y, verbose=0, return_dict=True), model.evaluate(X, y, verbose=0)


TARGETS = {
    "list": {"given": [TZ, TY], "named": {"z": TZ, "y": TY}, "reversed": {"y": TY, "z": TZ}},
    "dict": {"given": {"z": TZ, "y": TY}, "named": {"y": TY, "z": TZ}, "reversed": [TY, TZ]},
    "other": {"given": {"b": TZ, "a": TY}, "named": {"a": TY, "b": TZ}, "reversed": [TY, TZ]},
    "nested": {
        "given": {"p": [TZ, TY], "b": TW},
        "named": {"b": TW, "p": [TZ, TY]},
        "reversed": {"p": (TZ, TY), "b": TW},
    },
}
LOSSES = {
    "list": {"one": "mse", "each": ["mse", "mae"], "named": {"y": "mae", "z": "mse"}},
    "dict": {"one": "mse", "each": ["mse", "mae"], "named": {"z": "mse", "y": "mae"}},
    "other": {"one": "mse", "each": ["mse", "mae"], "named": {"b": "mse", "a": "mae"}},
    "nested": {
        "one": "mse",
        "each": {"p": ["mse", "mae"], "b": "mse"},
        "named": {"b": "mse", "p": ["mae", "mse"]},
    },
}
METRICS = {
    "list": {"none": None, "each": [["mae", "mse"], ["mse"]], "named": {"y": "mse", "z": ["mae"]}},
    "dict": {"none": None, "each": [["mae"], ["mse", "mae"]], "named": {"z": ["mae"], "y": ["mse"]}},
    "other": {"none": None, "each": ["mae", "mse"], "named": {"b": ["mae"]}},
    "nested": {
        "none": None,
        "each": {"p": [["mae"], ["mse"]], "b": ["mae"]},
        "named": {"b": ["mae", "mse"], "p": [["mae"], ["mae"]]},
    },
}
COMBINATIONS = [
    (outputs, *rest) for outputs in TARGETS for rest in product(TARGETS[outputs], LOSSES[outputs], METRICS[outputs])
]


@pytest.mark.parametrize("outputs", TARGETS)
def test_every_combination(outputs: str) -> None:
    cases = [case for case in COMBINATIONS if case[0] == outputs]
    assert len(COMBINATIONS) == 108 and len(cases) == 27
    for case in cases:
        _, y, loss, metrics = case
        given = LOSSES[outputs][loss], None, METRICS[outputs][metrics]
        ours, theirs = (
            judged(compiled(functional(api, outputs), *given), TARGETS[outputs][y]) for api in (graphc, keras)
        )
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other, " ".join(case))


# Of each: the model, its outputs, targets, loss, metrics, further options of compile.
FURTHER: list[tuple[Callable[[Any, str], Any], str, Any, Any, Any, dict[str, Any]]] = [
    (functional, "tuple", (TZ, TY), ["mse", None], [["mae"], ["mse"]], {}),
    (functional, "list", [TZ], ["mse", None], [["mae"], None], {}),
    (functional, "dict", {"z": TZ, "y": TY}, {"y": "mae"}, {"z": ["mae"]}, {}),
    (functional, "list", [TZ, TY], {"z": "mse", "y": None}, {"z": ["mae"]}, {}),
    (functional, "lists", [[TZ, TY], TW], [["mse", "mae"], "mse"], [[["mae"], ["mse"]], ["mae"]], {}),
    (functional, "lists", [[TZ, TY], TW], "mse", None, {}),
    (functional, "single", [TZ], ["mse"], ["mae"], {}),
    (functional, "single", TZ, {"z": "mse"}, {"z": ["mae"]}, {}),
    (functional, "one", TZ, "mse", ["mae"], {}),
    (functional, "one", [TZ], ["mse"], [["mae"]], {}),
    (functional, "onedict", {"z": TZ}, {"z": "mse"}, {"z": ["mae"]}, {}),
    (functional, "onedict", TZ, "mse", ["mae"], {}),
    (functional, "single", TZ, "mse", ["mae", "mae"], {"weighted_metrics": ["mae", "mse", "mse"]}),
    (functional, "list", [TZ, TY], "mse", [["mae", "mae"], ["mse"]], {"weighted_metrics": [["mae"], ["mse", "mse"]]}),
    (functional, "list", [TZ, TY], ["mse", "mae"], None, {"loss_weights": [0.5, 2.0]}),
    (functional, "list", [TZ, TY], {"z": "mse", "y": "mae"}, None, {"loss_weights": {"y": 2.0, "z": 0.5}}),
    (functional, "dict", {"z": TZ, "y": TY}, {"z": "mse", "y": "mae"}, None, {"loss_weights": {"y": 2.0, "z": 0.5}}),
    (functional, "single", TZ, "mse", None, {"loss_weights": 0.5}),
    (
        functional,
        "nested",
        {"p": [TZ, TY], "b": TW},
        "mse",
        None,
        {"weighted_metrics": {"p": [["mae", "mae"], "mse"], "b": "mae"}},
    ),
    (subclassed, "list", [TZ, TY], "mse", [["mae"], ["mae"]], {}),
    (subclassed, "list", [TZ, TY], ["mse", "mae"], None, {}),
    (subclassed, "dict", {"y": TY, "z": TZ}, {"z": "mse", "y": "mae"}, {"z": ["mae"], "y": ["mse"]}, {}),
    (subclassed, "one", [TZ], "mse", ["mae"], {}),
    (subclassed, "one", TZ, "mse", ["mae"], {}),
    (subclassed, "nested", {"p": [TZ, TY], "b": TW}, {"p": ["mse", "mae"], "b": "mse"}, None, {}),
]


@pytest.mark.parametrize("case", FURTHER, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def test_further_structures(case: Any) -> None:
    make, outputs, y, loss, metrics, options = case
    results = []
    for api in (graphc, keras):
        model = compiled(make(api, outputs), loss, metrics=metrics, **options)
        try:
            results.append(judged(model, y))
        except (ValueError, TypeError, KeyError) as error:
            results.append(error)
    assert isinstance(results[0], Exception) == isinstance(results[1], Exception), results
    if not isinstance(results[1], Exception):
        for mine, other in zip(*results, strict=True):
            assert_same(mine, other)


def batches(y: Any) -> Iterator[Any]:
    for start in range(0, 12, 4):
        part = slice(start, start + 4)
        yield graphc.tree.map_structure(lambda array, part=part: array[part], (X, y))


@pytest.mark.parametrize("outputs", TARGETS)
def test_every_way_to_train(outputs: str) -> None:
    """`fit`, a generator and `train_on_batch` get the same targets to the same outputs."""
    ways = ("fit", "generator", "train_on_batch", "fit")
    for y, way in ((y, ways[i + shift]) for i, y in enumerate(TARGETS[outputs].values()) for shift in (0, 1)):
        results = []
        for api in (graphc, keras):
            model = compiled(functional(api, outputs), LOSSES[outputs]["named"], metrics=METRICS[outputs]["named"])
            if way == "fit":
                logs = model.fit(X, y, batch_size=4, epochs=2, shuffle=False, verbose=0, validation_data=(X, y)).history
            elif way == "generator":
                logs = model.fit(batches(y), steps_per_epoch=3, verbose=0).history
            else:
                logs = model.train_on_batch(X, y, return_dict=True)
            results.append((logs, model.get_weights()))
        (ours, mine), (theirs, other) = results
        assert_same(ours, theirs, way)
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=way)


@pytest.mark.parametrize(
    ("outputs", "y", "ours", "theirs"),
    [
        ("list", [TZ, TY], [WZ, WY], [WZ, WY]),
        ("list", [TZ, TY], {"y": WY, "z": WZ}, [WZ, WY]),
        ("list", {"y": TY, "z": TZ}, {"y": WY, "z": WZ}, None),
        ("list", [TZ, TY], WZ, WZ),
        ("dict", {"z": TZ, "y": TY}, {"y": WY, "z": WZ}, {"y": WY, "z": WZ}),
        ("dict", {"z": TZ, "y": TY}, WZ, WZ),
        ("nested", {"p": [TZ, TY], "b": TW}, {"b": WY, "p": [WZ, WY]}, {"b": WY, "p": [WZ, WY]}),
        ("single", TZ, WZ, WZ),
        ("one", [TZ], [WZ], [WZ]),
    ],
)
def test_sample_weights_by_output(outputs: str, y: Any, ours: Any, theirs: Any) -> None:
    """Of Keras what it takes; its lists stand for dictionaries that it does not take."""
    results = []
    for api, weights in ((graphc, ours), (keras, theirs)):
        if weights is None:
            y, weights = [TZ, TY], [WZ, WY]
        metrics = {"nested": None, "single": ["mae"], "one": ["mae"]}.get(outputs, {"z": ["mae"], "y": ["mse"]})
        model = compiled(functional(api, outputs), "mse", weighted_metrics=metrics, metrics=metrics)
        logs = model.fit(X, y, batch_size=4, shuffle=False, verbose=0, sample_weight=weights).history
        results.append((logs, model.evaluate(X, y, sample_weight=weights, verbose=0)))
    for mine, other in zip(*results, strict=True):
        assert_same(mine, other)


def test_class_weights_by_output() -> None:
    labels = {"z": np.arange(12) % 2, "y": np.arange(12) // 6}
    loss = graphc.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = {"z": np.where(labels["z"] == 1, 3, 1), "y": np.where(labels["y"] == 0, 0.5, 1)}
    for y in (labels, [labels["z"], labels["y"]]):
        told, counted = (compiled(functional(graphc, "list"), loss) for _ in range(2))
        told.fit(X, y, class_weight={"z": {1: 3}, "y": {0: 0.5}}, shuffle=False, verbose=0)
        counted.fit(X, labels, sample_weight=weights, shuffle=False, verbose=0)
        for a, b in zip(told.get_weights(), counted.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ArgumentError, match="several outputs"):
        told.fit(X, labels, class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ArgumentError, match="several outputs"):
        told.fit(X, labels, class_weight={"q": {0: 1.0}}, verbose=0)


def together(api: Any) -> Callable[[Any, Any], Any]:
    """A loss of a structure of outputs: their distances to their targets, and that of their sums."""

    def loss(y_true: Any, y_pred: Any) -> Any:
        pairs = list(zip(api.tree.flatten(y_true), api.tree.flatten(y_pred), strict=True))
        apart = sum(p for _, p in pairs) - sum(t for t, _ in pairs)
        return sum(api.ops.mean(api.ops.abs(t - p), axis=-1) for t, p in pairs) + api.ops.mean(apart * apart, axis=-1)

    return loss


STRUCTURES: list[tuple[str, Any, Callable[[Any], Any], Any]] = [
    ("list", [TZ, TY], lambda loss: (loss, ["mse", "mae"]), (0.5, [2.0, 3.0])),
    ("tuple", (TZ, TY), lambda loss: [loss, ("mse", "mae")], None),
    ("dict", {"z": TZ, "y": TY}, lambda loss: [loss, {"y": "mse", "z": "mae"}], [0.5, {"y": 2.0, "z": 3.0}]),
    ("nested", {"p": [TZ, TY], "b": TW}, lambda loss: {"p": (loss, [None, "mse"]), "b": "mae"}, None),
    ("lists", [[TZ, TY], TW], lambda loss: [(loss, ["mse", "mae"]), "mse"], None),
    ("list", [TZ, TY], lambda _: ["mse", ["mse", "mae"]], None),
]


@pytest.mark.parametrize(("outputs", "y", "losses", "weights"), STRUCTURES)
def test_losses_of_several_outputs_together(outputs: str, y: Any, losses: Any, weights: Any) -> None:
    results = []
    for api in (graphc, keras):
        model = compiled(functional(api, outputs), losses(together(api)), loss_weights=weights)
        results.append(model.fit(X, y, batch_size=4, shuffle=False, verbose=0).history)
    assert_same(*results)


def test_several_losses_of_one_output_add_up() -> None:
    several, first, second = (compiled(functional(graphc, "single"), loss) for loss in (["mse", "mae"], "mse", "mae"))
    totals = [model.evaluate(X, TZ, verbose=0) for model in (several, first, second)]
    np.testing.assert_allclose(totals[0][0], totals[1] + totals[2], rtol=1e-6)


def test_weights_of_losses_of_several_outputs_are_nested_as_they_are() -> None:
    model = compiled(functional(graphc, "list"), (together(graphc), ["mse", "mae"]), loss_weights=[1.0, 2.0])
    with pytest.raises(ArgumentError, match="nested as the losses are"):
        model.fit(X, [TZ, TY], verbose=0)


UNKNOWN: list[tuple[str, Any, dict[str, Any]]] = [
    ("list", {"z": TZ, "q": TY}, {}),
    ("dict", {"z": TZ, "y": TY, "q": TY}, {}),
    ("single", {"q": TZ}, {}),
    ("list", [TZ, TY], {"loss": {"z": "mse", "q": "mse"}}),
    ("list", [TZ, TY], {"loss": {"z": "mse"}}),
    ("single", TZ, {"loss": {"q": "mse"}}),
    ("dict", {"z": TZ, "y": TY}, {"loss": {"q": "mse"}}),
    ("list", [TZ, TY], {"metrics": {"q": ["mae"]}}),
    ("single", TZ, {"metrics": {"q": ["mae"]}}),
    ("list", [TZ, TY], {"metrics": ["mae"]}),
    ("list", [TZ, TY], {"weighted_metrics": {"q": ["mae"]}}),
    ("list", [TZ, TY], {"loss_weights": {"q": 1.0}}),
    ("list", [TZ, TY], {"loss": ["mse", "mse"], "loss_weights": {"z": 1.0}}),
    ("list", [TZ, TY], {"loss_weights": [1.0, 1.0, 1.0]}),
    ("list", [TZ, TY], {"loss": ["mse", "mse", "mse"]}),
    ("list", [TZ, TY, TW], {}),
    ("list", [TZ], {}),
    ("list", TZ, {}),
    ("dict", {"z": TZ}, {}),
    ("list", {"z": TZ}, {"loss": ["mse", None], "metrics": {"y": ["mae"]}}),
]


@pytest.mark.parametrize(("outputs", "y", "options"), UNKNOWN)
def test_what_fits_no_output_is_refused(outputs: str, y: Any, options: dict[str, Any]) -> None:
    model = functional(graphc, outputs)
    before = model.get_weights()
    with pytest.raises(GraphcError) as caught:
        compiled(model, **{"loss": "mse", **options}).fit(X, y, verbose=0)
    assert isinstance(caught.value, ArgumentError | DataError)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_loss_weights_may_change_between_steps() -> None:
    factor = graphc.Variable(np.float32(1.0), trainable=False)
    model = compiled(functional(graphc, "list"), "mse", loss_weights=[factor, 0.0])
    first = model.evaluate(X, [TZ, TY], verbose=0, return_dict=True)
    factor.assign(3.0)
    second = model.evaluate(X, [TZ, TY], verbose=0, return_dict=True)
    np.testing.assert_allclose([first["loss"], second["loss"]], np.array([1.0, 3.0]) * first["z_loss"], rtol=1e-6)
    for bad in ("a", ["a", 1.0], {"z": None, "y": 1.0}, [1.0, np.nan]):
        with pytest.raises(ArgumentError, match="loss_weights"):
            compiled(functional(graphc, "list"), "mse", loss_weights=bad).evaluate(X, [TZ, TY], verbose=0)


def test_unknown_names_of_weights_are_refused() -> None:
    model = compiled(functional(graphc, "list"), "mse")
    with pytest.raises(ArgumentError, match="names an output"):
        model.fit(X, [TZ, TY], sample_weight={"q": WZ}, verbose=0)


def with_inputs(api: Any, kind: str) -> Any:
    """A model of inputs of different shapes, named in another order than that of the alphabet."""
    b, a, c = (api.Input((size,), name=name) for name, size in (("b", 3), ("a", 2), ("c", 4)))
    inputs = {
        "list": [b, a, c],
        "dict": {"b": b, "a": a, "c": c},
        "sorted": {"a": a, "b": b, "c": c},
        "nested": {"q": [b, a], "c": c},
        "lists": [[b, a], c],
    }
    return filled(api.Model(inputs[kind], api.layers.Dense(2)(api.layers.Concatenate()([b, a, c]))))


B, A, C = (RNG.normal(size=(12, size)).astype("float32") for size in (3, 2, 4))
GIVEN: dict[str, list[Any]] = {
    "list": [[B, A, C], (B, A, C), {"b": B, "a": A, "c": C}, {"c": C, "a": A, "b": B}],
    "dict": [{"b": B, "a": A, "c": C}, {"a": A, "b": B, "c": C}],
    "sorted": [{"b": B, "a": A, "c": C}, [A, B, C]],
    "nested": [{"q": [B, A], "c": C}, {"c": C, "q": (B, A)}],
    "lists": [[[B, A], C], [B, A, C]],
}


@pytest.mark.parametrize("kind", GIVEN)
def test_inputs_in_every_structure(kind: str) -> None:
    wanted = with_inputs(keras, kind).predict(GIVEN[kind][0], verbose=0)
    for x in GIVEN[kind]:
        model = compiled(with_inputs(graphc, kind), "mse")
        for result in (model.predict(x, verbose=0), model.predict_on_batch(x), model(x)):
            np.testing.assert_allclose(np.asarray(result), wanted, rtol=1e-5, atol=1e-6)
        expected = np.square(wanted - TZ).mean()
        np.testing.assert_allclose(model.evaluate(x, TZ, verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(model.evaluate(iter([(x, TZ)]), verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(model.train_on_batch(x, TZ), expected, rtol=1e-5)


def test_inputs_that_cannot_be_told_apart_are_refused() -> None:
    model = with_inputs(graphc, "dict")
    for x in ([B, A, C], {"b": B, "a": A, "d": C}, {"b": B, "a": A}):
        with pytest.raises(ArgumentError, match="input"):
            model.predict(x, verbose=0)


@pytest.mark.parametrize("kind", ["list", "tuple", "dict", "other", "nested", "lists", "single", "one", "onedict"])
def test_predictions_nest_as_those_of_keras(kind: str) -> None:
    ours, theirs = functional(graphc, kind), functional(keras, kind)
    for predict in (
        lambda model: model.predict(X, verbose=0),
        lambda model: model.predict_on_batch(X),
        lambda model: model(X),
        lambda model: model.predict((part for part in [(X[:6],), (X[6:],)]), verbose=0),
    ):
        mine, other = (keras.tree.map_structure(np.asarray, predict(model)) for model in (ours, theirs))
        keras.tree.assert_same_structure(mine, other)
        for a, b in zip(keras.tree.flatten(mine), keras.tree.flatten(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_shapes_and_symbolic_outputs_of_models_of_one() -> None:
    told = []
    for api in (graphc, keras):
        x = api.Input((3,), name="x")
        y = api.layers.Dense(2, name="y")(x)
        found: list[Any] = []
        for inputs, outputs in ((x, y), ([x], [y]), ((x,), (y,)), ({"x": x}, {"o": y}), (x, [y, y]), (x, {"a": [y]})):
            model = api.Model(inputs, outputs)
            called = model(api.Input((3,), name="again"))
            nested = keras.tree.map_structure(lambda leaf: tuple(leaf.shape), called)
            found.append((model.input_shape, model.output_shape, type(model.output).__name__, nested))
        told.append(found)
    assert str(told[0]).replace("KerasTensor", "") == str(told[1]).replace("KerasTensor", "")


def test_a_layer_that_makes_two_outputs() -> None:
    def act(api: Any, loss: Any) -> Any:
        a, b, dense = api.Input((3,)), api.Input((3,)), api.layers.Dense(2, name="z")
        model = filled(api.Model([a, b], [dense(a), dense(b)]))
        compiled(model, loss, metrics=[["mae"], ["mae"]])
        return model.fit([X, X + 1], [TZ, TY], shuffle=False, verbose=0).history

    for loss in ("mse", ["mse", "mae"]):
        assert_same(act(graphc, loss), act(keras, loss))


@pytest.mark.parametrize("structure", ["list", "dict"])
def test_one_target_for_one_output_with_a_loss(structure: str) -> None:
    x = graphc.Input((3,))
    a, b = graphc.layers.Dense(2, name="a")(x), graphc.layers.Dense(4, name="b")(x)
    outputs: Any = [a, b] if structure == "list" else {"first": a, "second": b}
    loss: Any = [None, "mse"] if structure == "list" else {"first": None, "second": "mse"}
    model = graphc.Model(x, outputs)
    assert model.output_names == ["a", "b"]
    data, y = np.ones((6, 3), "float32"), np.zeros((6, 4), "float32")
    with graphc.backend("numpy"), pytest.warns(UserWarning, match="no gradients"):
        model.compile("sgd", loss)
        whole = model.evaluate(data, [None, y] if structure == "list" else {"first": None, "second": y}, verbose=0)
        assert model.evaluate(data, y, verbose=0) == pytest.approx(whole)
        model.fit(data, y, verbose=0)


def test_names_of_outputs_are_those_of_symbolic_models() -> None:
    class Own(graphc.Model):
        def call(self, x: Any) -> Any:
            return x

    assert not hasattr(Own(), "output_names")


def test_optional_inputs_in_batches_of_a_generator() -> None:
    class Either(graphc.layers.Layer):
        def call(self, x: Any, other: Any = None) -> Any:
            return x if other is None else x + other

    x, other = graphc.Input((3,), name="x"), graphc.Input((3,), name="o", optional=True)
    model = compiled(graphc.Model({"x": x, "o": other}, graphc.layers.Dense(2)(Either()(x, other))), "mse")
    kernel, bias = model.get_weights()
    for given in (None, X):
        expected = (X if given is None else 2 * X) @ kernel + bias
        np.testing.assert_allclose(model({"x": X, "o": given}), expected, rtol=1e-5)
        predicted = model.predict(({"x": X, "o": given},) for _ in range(2))
        np.testing.assert_allclose(predicted, np.concatenate([expected] * 2), rtol=1e-5)
        model.fit((({"x": X, "o": given}, TZ) for _ in range(2)), verbose=0)
        kernel, bias = model.get_weights()
