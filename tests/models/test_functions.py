"""Graphs of operations as functions, configurations of operations, and the state of models as a tree."""

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import ArgumentError, UnsupportedError


def test_a_function_is_the_operations_between_tensors() -> None:
    a, b = graphc.Input((3,), name="a"), graphc.Input((3,), name="b")
    function = graphc.Function({"a": a, "b": b}, [ops.exp(a) - b, ops.sum(a, axis=1)], name="both")
    x, y = np.ones((2, 3), "float32"), np.full((2, 3), 2.0, "float32")
    difference, total = function({"a": x, "b": y})
    assert np.asarray(difference) == pytest.approx(np.exp(x) - y)
    assert np.asarray(total).tolist() == [3.0, 3.0]
    assert function.compute_output_shape([(None, 3), (None, 3)]) == [(None, 3), (None,)]
    kinds = sorted(type(operation).__name__ for operation in function.operations)
    assert kinds == ["FunctionOperation"] * 3 + ["InputLayer"] * 2
    outer = graphc.Function(a, function({"a": a, "b": a})[1])
    assert np.asarray(outer(x)).tolist() == [3.0, 3.0]
    assert len(function.inputs) == len(function.outputs) == 2
    with pytest.raises(ArgumentError, match="does not come from"):
        graphc.Function(a, ops.exp(b))


class Scaled(graphc.Operation):
    def __init__(self, alpha: Any, *, beta: float = 1.0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.alpha, self.beta = alpha, beta

    def call(self, x: Any) -> Any:
        return x * self.alpha + self.beta


class Nameless(graphc.Operation):
    def __init__(self, alpha: float) -> None:
        super().__init__()


class Listing(graphc.Operation):
    def __init__(self, *parts: float, name: str | None = None) -> None:
        super().__init__(name)


def test_operations_are_configured_by_their_arguments() -> None:
    assert Scaled(0.5, name="half").get_config() == {"alpha": 0.5, "beta": 1.0, "name": "half"}
    assert Nameless(2.0).get_config() == {"alpha": 2.0}
    again = Scaled.from_config(Scaled(0.5, beta=2.0).get_config())
    assert (again.alpha, again.beta) == (0.5, 2.0)
    for operation in (Scaled(object()), Listing(1.0, 2.0)):
        with pytest.raises(NotImplementedError, match="get_config"):
            operation.get_config()


def test_the_state_of_a_model_is_a_tree() -> None:
    model = graphc.Sequential([graphc.Input((2,)), layers.Dense(1, name="out")], name="net")
    model.compile("adam", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    tree = model.get_state_tree(value_format="numpy_array")
    assert set(tree) == {"trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables"}
    assert (tree["trainable_variables"]["net"]["out"]["kernel"] == model.layers[0].kernel.numpy()).all()
    assert tree["optimizer_variables"][model.optimizer.name]["iteration"] == 1
    assert tree["metrics_variables"]["loss"]["count"] == 4
    model.set_state_tree({"trainable_variables": {"net": {"out": {"bias": [3.0]}}}})
    assert model.layers[0].bias.numpy().tolist() == [3.0]
    for bad in ({"weights": {}}, {"trainable_variables": {"net": {"out": {"bias": [5.0], "other": 1.0}}}}):
        with pytest.raises(ArgumentError, match="no such"):
            model.set_state_tree(bad)
    assert model.layers[0].bias.numpy().tolist() == [3.0]


def test_what_layers_refuse_is_named() -> None:
    model = graphc.Sequential([graphc.Input((2,)), layers.Dense(1)])
    for refused in (
        lambda: model.quantize("int8"),
        lambda: model.layers[0].enable_lora(2),
        lambda: model.add_metric(1),
    ):
        with pytest.raises(UnsupportedError):
            refused()
    assert model.layers[0].quantization_mode is None
    assert model.layers[0].path == model.layers[0].kernel.path.rpartition("/")[0]


def test_a_model_may_begin_at_a_layer() -> None:
    inputs = graphc.Input((8,))
    first = layers.Dense(4, name="first")(inputs)
    second = layers.Dense(3, name="second")(first)
    outputs = layers.Dense(2, name="third")(second)
    whole, head, tail = graphc.Model(inputs, outputs), graphc.Model(inputs, first), graphc.Model([first], [outputs])
    assert [layer.name for layer in tail.layers[1:]] == ["second", "third"]
    assert isinstance(tail.layers[0], layers.InputLayer)
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    assert (tail.predict(head.predict(x, verbose=0), verbose=0) == whole.predict(x, verbose=0)).all()
    # The layers are those of the whole model, whose outputs are those of their first calls.
    assert tail.weights[0] is whole.get_layer("second").kernel
    assert whole.get_layer("third").output is outputs
    assert graphc.Model(whole.input, whole.get_layer("second").output).output_shape == (None, 3)
