"""While shapes are inferred a layer is called as it will be: with masks, `training`, keywords and None."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops

IDS = np.array([[1, 2, 0], [3, 0, 0]])


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


class Required(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any, mask: Any) -> Any:
        assert mask is not None
        return x * ops.cast(mask, x.dtype)[..., None]


class Optional(Required):
    def call(self, x: Any, mask: Any = None) -> Any:
        return x * ops.cast(mask, x.dtype)[..., None]


class Built(Required):
    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        assert mask.shape == inputs.shape[:2]
        return inputs * self.scale * ops.cast(mask, inputs.dtype)[..., None]


class Remade(layers.Layer):
    """Makes a mask of its own, for more steps than it got."""

    def call(self, x: Any) -> Any:
        return ops.concatenate([x, x], axis=1)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return ops.concatenate([mask, ops.logical_not(mask)], axis=1)


SOURCES = {
    "embedding": lambda x: layers.Embedding(5, 2, mask_zero=True)(x),
    "masking": lambda x: layers.Masking(0.0)(ops.cast(ops.expand_dims(x, -1), "float32")),
    "passed on": lambda x: layers.Dropout(0.1)(layers.Embedding(5, 2, mask_zero=True)(x)),
    "recurrent": lambda x: layers.GRU(2, return_sequences=True)(layers.Embedding(5, 2, mask_zero=True)(x)),
    "merged": lambda x: layers.Add()([layers.Embedding(5, 2, mask_zero=True)(x) for _ in range(2)]),
    "its own": lambda x: Remade()(layers.Embedding(5, 2, mask_zero=True)(x)),
    "nested": lambda x: graphc.Sequential([layers.Embedding(5, 2, mask_zero=True), layers.Dense(2)])(x),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("layer", [Required, Optional, Built])
def test_masks_are_there_from_the_first_call_on(layer: Any, source: str) -> None:
    x = inputs = graphc.Input((3,), dtype="int32")
    model = graphc.Model(inputs, layers.GlobalAveragePooling1D()(layer()(SOURCES[source](x))))
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(IDS, np.zeros((2, model.output_shape[-1])), verbose=0).history["loss"]).all()
    np.testing.assert_allclose(model.predict(IDS, verbose=0), model(IDS).numpy(), rtol=1e-5, atol=1e-6)
    repeated = layer()(SOURCES[source](inputs))
    assert len(repeated.shape) == 3


def test_masks_in_stacks_that_learn_their_shapes_from_data() -> None:
    model = graphc.Sequential([layers.Embedding(5, 2, mask_zero=True), Required(), layers.LSTM(2)])
    assert model.predict(IDS, verbose=0).shape == (2, 2)


def test_no_mask_is_none() -> None:
    class Own(layers.Layer):
        def call(self, x: Any, mask: Any = None) -> Any:
            assert mask is None
            return x

    inputs = graphc.Input((3, 2))
    assert graphc.Model(inputs, Own()(inputs)).predict(np.zeros((1, 3, 2)), verbose=0).shape == (1, 3, 2)


class Many(layers.Layer):
    """Takes all that `call` can be given."""

    def build(self, a_shape: Any, b_shape: Any = None) -> None:
        self.seen = a_shape, b_shape

    def call(self, a: Any, b: Any = None, *, scale: float = 1.0, training: Any = None, flag: Any = None) -> Any:
        out = a * scale if b is None else a * scale + b
        return out + 1.0 if training else out


@pytest.mark.parametrize("training", [None, True, False])
@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("second", [False, True])
def test_arguments(second: bool, scale: float, training: Any) -> None:
    a, b = graphc.Input((2,)), graphc.Input((2,))
    layer = Many()
    out = layer(a, b if second else None, scale=scale, training=training, flag=None)
    assert layer.seen == ((None, 2), (None, 2) if second else None)
    model = graphc.Model([a, b] if second else a, out)
    x, y = np.ones((4, 2), "float32"), np.full((4, 2), 5.0, "float32")
    want = x * scale + (y if second else 0) + (1.0 if training else 0.0)
    given = [x, y] if second else x
    np.testing.assert_array_equal(model.predict(given, verbose=0), want)
    # Whoever says it at the call of the layer decides; who calls the model decides otherwise.
    called = want if training is not None else want + 1
    np.testing.assert_array_equal(model(given, training=True).numpy(), called)
    np.testing.assert_array_equal(model(given, True).numpy(), called)


def test_training_without_a_default() -> None:
    class Own(layers.Layer):
        def call(self, x: Any, training: Any) -> Any:
            return x * 2 if training else x

    inputs = graphc.Input((2,))
    model = graphc.Model(inputs, Own()(inputs))
    assert float(model(np.ones((1, 2)), training=True)[0, 0]) == 2
    assert float(model(np.ones((1, 2)))[0, 0]) == 1
