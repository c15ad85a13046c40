"""Layers in the functions of a TensorFlow data set: a call is one node of its graph, which calls the layer on arrays.

TensorFlow is not there where the tests run: a module with what is used of it stands in.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.utils import FeatureSpace


class _Shape:
    def __init__(self, sizes: Any) -> None:
        self.sizes = sizes

    def as_list(self) -> list[Any]:
        return list(self.sizes)


class SymbolicTensor:
    """A tensor of a graph: a function that computes its value, as in TensorFlow without a value of its own."""

    __module__ = "tensorflow.python.framework.ops"

    def __init__(self, shape: Any, dtype: Any, compute: Callable[[], Any]) -> None:
        self.shape, self.dtype, self.compute = _Shape(shape), dtype, compute

    def set_shape(self, shape: Any) -> None:
        self.shape = _Shape(shape)


class _DType:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("tensorflow")
    for name in ("float32", "int32", "string", "uint8"):
        setattr(module, name, _DType(name))

    def numpy_function(function: Any, inputs: list[Any], types: list[Any]) -> list[Any]:
        def part(i: int) -> Callable[[], Any]:
            return lambda: function(*(x.compute() for x in inputs))[i]

        return [SymbolicTensor((), dtype, part(i)) for i, dtype in enumerate(types)]

    module.numpy_function = numpy_function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    return module


def element(module: ModuleType, value: Any, shape: Any, dtype: str) -> SymbolicTensor:
    return SymbolicTensor(shape, getattr(module, dtype), lambda: value)


TEXTS = np.array([b"the cat", b"a dog barks", b"the dog"], object)
IMAGES = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3)).astype("uint8")


def test_texts_are_vectorized(tensorflow: ModuleType) -> None:
    layer = layers.TextVectorization(output_sequence_length=4)
    layer.adapt(TEXTS)
    result = layer(element(tensorflow, TEXTS, (None,), "string"))
    assert (result.shape.as_list(), result.dtype.name) == ([None, 4], "int32")
    assert (result.compute() == np.asarray(layer(TEXTS))).all()
    alone = layer(element(tensorflow, TEXTS[0], (), "string"))
    assert alone.shape.as_list() == [4]
    assert (alone.compute() == np.asarray(layer(TEXTS))[0]).all()


def test_images_are_changed(tensorflow: ModuleType) -> None:
    model = graphc.Sequential([layers.Rescaling(1 / 255), layers.Resizing(4, 4), layers.RandomFlip("horizontal")])
    result = model(element(tensorflow, IMAGES, (None, 8, 8, 3), "uint8"), training=False)
    assert (result.shape.as_list(), result.dtype.name) == ([None, 4, 4, 3], "float32")
    np.testing.assert_allclose(result.compute(), model(IMAGES, training=False).numpy(), rtol=1e-6)


def test_tables_are_encoded(tensorflow: ModuleType) -> None:
    table = {"a": np.array([1.0, 2.0, 3.0], "float32"), "b": np.array([b"x", b"y", b"x"], object)}
    space = FeatureSpace({"a": "float_normalized", "b": "string_categorical"})
    space.adapt(table)
    kinds = {"a": "float32", "b": "string"}
    rows = space({name: element(tensorflow, column, (None,), kinds[name]) for name, column in table.items()})
    assert rows.shape.as_list() == [None, 4]
    np.testing.assert_allclose(rows.compute(), space(table).numpy())
    one = space({name: element(tensorflow, column[0], (), kinds[name]) for name, column in table.items()})
    assert one.shape.as_list() == [4]
    np.testing.assert_allclose(one.compute(), space(table).numpy()[0])
