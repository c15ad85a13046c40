"""Names, and arguments of constructors that no layer can have: errors that tell the line, before anything is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, metrics, ops, optimizers
from graphc.errors import ArgumentError, GraphcError

os.environ.setdefault("KERAS_BACKEND", "jax")

NAMED: dict[str, Callable[[Any], Any]] = {
    "layer": lambda name: layers.Dense(2, name=name),
    "model": lambda name: graphc.Sequential([layers.Dense(2)], name=name),
    "functional": lambda name: graphc.Model(x := graphc.Input((2,)), layers.Dense(2)(x), name=name),
    "input": lambda name: graphc.Input((2,), name=name),
    "variable": lambda name: graphc.Variable(1.0, name=name),
    "optimizer": lambda name: optimizers.Adam(name=name),
    "wrapper": lambda name: layers.Bidirectional(layers.LSTM(2), name=name),
}
UNPARTED = {"metric": lambda name: metrics.Mean(name=name), "loss": lambda name: graphc.losses.Huber(name=name)}


@pytest.mark.parametrize("name", ["a/b", "/", 1, 1.5, ["a"], b"a", ("a",), {"a"}, True])
@pytest.mark.parametrize("kind", NAMED)
def test_no_names(kind: str, name: Any) -> None:
    with pytest.raises(ArgumentError, match=r"cannot be a name(.|\n)*test_names.py"):
        NAMED[kind](name)


@pytest.mark.parametrize("name", ["a", "a b", "a.b", "ä", "a\nb", "a\\b", "..", "a" * 300, "", None, "%s", "{x}"])
@pytest.mark.parametrize("kind", [*NAMED, *UNPARTED])
def test_names(kind: str, name: Any) -> None:
    made = (NAMED | UNPARTED)[kind](name)
    assert made.name == name or not name


def test_metrics_may_have_slashes() -> None:
    assert metrics.Mean(name="a/b").name == "a/b"
    with pytest.raises(ArgumentError, match="cannot be a name"):
        metrics.Mean(name=3)


def test_two_layers_of_one_name() -> None:
    x = graphc.Input((3,), name="x")
    with pytest.raises(ArgumentError, match=r"same name(.|\n)*'d'"):
        graphc.Model(x, layers.Dense(2, name="d")(layers.Dense(2, name="d")(x)))
    with pytest.raises(ArgumentError, match=r"same name(.|\n)*'x'"):
        graphc.Model(x, layers.Dense(2, name="x")(x))
    with pytest.raises(ArgumentError, match="name already"):
        graphc.Sequential([layers.Dense(2, name="d"), layers.Dense(2, name="d")])
    shared = layers.Dense(3, name="d")
    assert len(graphc.Model(x, ops.exp(ops.exp(shared(shared(x))))).weights) == 2
    inner = graphc.Sequential([layers.Dense(2, name="d")], name="inner")
    assert graphc.Model(x, inner(shared(x))).output_shape == (None, 2)  # names are told apart by models


WRONG: dict[str, Callable[[], Any]] = {
    "a shape that is text": lambda: graphc.Input("ab"),
    "a shape of text": lambda: graphc.Input(("a",)),
    "a shape that is a number": lambda: graphc.Input(3),
    "a negative shape": lambda: graphc.Input((-3,)),
    "a shape of fractions": lambda: graphc.Input((2.5,)),
    "no shape": lambda: graphc.Input(),
    "trainable": lambda: layers.Dense(2, trainable="yes"),
    "units": lambda: layers.Dense("a"),
    "dtype": lambda: layers.Dense(2, dtype=3),
    "an initializer": lambda: graphc.Variable("zeroes", shape=(2,)),
    "an initializer without a shape": lambda: graphc.Variable("zeros"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_arguments(kind: str) -> None:
    with pytest.raises(GraphcError):
        WRONG[kind]()


def test_variables_by_the_name_of_an_initializer() -> None:
    np.testing.assert_array_equal(graphc.Variable("zeros", shape=(2,)).numpy(), [0, 0])
    assert graphc.Variable("ones", shape=(2,), dtype="int32").dtype == "int32"
    assert graphc.Variable(initializer="glorot_uniform", shape=(2, 3)).shape == (2, 3)
    assert graphc.Variable("HeNormal", shape=(2, 3)).dtype == "float32"


class Wrapping(layers.Layer):
    def __init__(self, inner: Any, *others: Any, sizes: Any = (1, 2), activation: Any = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.inner, self.others, self.sizes, self.activation = inner, others, sizes, activation

    def call(self, x: Any) -> Any:
        return self.inner(x)


def test_configurations_of_layers_that_take_layers() -> None:
    made = Wrapping(layers.Dense(3, name="in"), sizes=(3, None), activation=layers.ReLU(max_value=2.0), name="out")
    again = Wrapping.from_config(made.get_config())
    assert (again.name, again.inner.name, again.inner.units) == ("out", "in", 3)
    assert again.sizes == (3, None) and again.activation.max_value == 2.0
    listed = Wrapping([layers.Dense(3), layers.Dense(4)])
    assert [layer.units for layer in Wrapping.from_config(listed.get_config()).inner] == [3, 4]
    with pytest.raises(GraphcError, match=r"cannot be written(.|\n)*get_config"):
        Wrapping(object()).get_config()


WHOLE = ("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32")
TYPES = [*WHOLE, "float16", "bfloat16", "float32", int, float, None]


@pytest.mark.parametrize("a", TYPES)
def test_types_of_results(a: Any) -> None:
    keras = pytest.importorskip("keras")
    for b in TYPES:
        assert graphc.backend.result_type(a, b) == keras.backend.result_type(a, b), (a, b)
    assert graphc.backend.result_type(a) == keras.backend.result_type(a)


def test_the_module_of_settings() -> None:
    from graphc import backend as K  # noqa: PLC0415  (as Keras's users write it)

    assert K is graphc.backend and K.epsilon() == 1e-7 and K.floatx() == "float32"
    assert K.image_data_format() == "channels_last" and K.is_float_dtype("bfloat16") and K.is_int_dtype("uint8")
    assert K.standardize_dtype(np.dtype("float64")) == "float64"
    with K("numpy"):
        assert graphc.config.current().backend == "numpy" == K.backend()
    with graphc.config.override(floatx="float16"):
        assert K.standardize_dtype(None) == "float16"
    assert K.is_keras_tensor(graphc.Input((2,))) and not K.is_keras_tensor(np.ones(2))
    K.clear_session()
    assert K.get_uid("part") == 1 and K.get_uid("part") == 2 and layers.Dense(2).name == "dense"
