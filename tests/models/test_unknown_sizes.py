"""Sizes that are known only when data come: what may turn out to be equal is accepted, and checked then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops
from graphc.errors import ShapeError

MERGING: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda a, b: layers.Add()([a, b]),
    "Multiply": lambda a, b: layers.Multiply()([a, b]),
    "Maximum": lambda a, b: layers.Maximum()([a, b]),
    "Average": lambda a, b: layers.Average()([a, b]),
    "Concatenate": lambda a, b: layers.Concatenate()([a, b]),
    "operator": lambda a, b: a + b * 2,
    "concatenate": lambda a, b: ops.concatenate([a, b, a], -1),
    "stack": lambda a, b: ops.max(ops.stack([a, b], axis=1), axis=1),
    "where": lambda a, b: ops.where(a > b, a, b),
    "logaddexp": ops.logaddexp,
}


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def unet(merge: Callable[[Any, Any], Any], strided: bool, shape: tuple[Any, ...]) -> Any:
    """Halves its sides twice, doubles them twice, and joins what is as large again."""
    skips, x = [], graphc.Input(shape)
    inputs = x
    for _ in range(2):
        x = layers.Conv2D(3, 3, padding="same")(x)
        skips.append(x)
        x = layers.Conv2D(3, 3, strides=2, padding="same")(x) if strided else layers.MaxPooling2D()(x)
    for skip in reversed(skips):
        up = layers.Conv2DTranspose(3, 3, strides=2, padding="same") if strided else layers.UpSampling2D()
        x = merge(skip, up(x))
    return graphc.Model(inputs, layers.Conv2D(1, 1)(x))


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("merge", MERGING)
def test_what_is_halved_and_doubled(merge: str, strided: bool) -> None:
    model = unet(MERGING[merge], strided, (None, None, 3))
    assert model.output_shape == (None, None, None, 1)
    model.compile("sgd", "mse")
    for height, width in ((8, 12), (4, 4)):
        x = np.ones((2, height, width, 3), "float32")
        assert model.predict(x, verbose=0).shape == (2, height, width, 1)
        assert np.isfinite(model.evaluate(x, x[..., :1], verbose=0))
    with pytest.raises(ShapeError, match=r"layer:(.|\n)*test_unknown_sizes.py"):
        model.predict(np.ones((1, 7, 8, 3), "float32"), verbose=0)


def test_a_size_that_is_known_tells_the_other() -> None:
    a, b = graphc.Input((None, 4)), graphc.Input((6, 4))
    assert layers.Add()([a, b]).shape == (None, 6, 4)
    assert unet(MERGING["Add"], False, (None, 12, 3)).output_shape == (None, None, 12, 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda a, b: ops.matmul(ops.transpose(a, (0, 2, 1)), b),
        lambda a, b: layers.Dot(axes=1)([a, b]),
        lambda a, b: ops.einsum("btd,bte->bde", a, b),
        lambda a, b: ops.einsum("btd,btd->bd", a, b),
    ],
)
def test_products(use: Callable[[Any, Any], Any]) -> None:
    inputs = graphc.Input((None, 4))
    model = graphc.Model(inputs, use(inputs, layers.UpSampling1D()(layers.MaxPooling1D()(inputs))))
    assert model.output_shape[1] == 4
    assert model.predict(np.ones((2, 6, 4)), verbose=0).shape[:2] == (2, 4)
    with pytest.raises(ShapeError):
        model.predict(np.ones((2, 7, 4)), verbose=0)


@pytest.mark.parametrize(
    "merge", [lambda a, b: a + b, lambda a, b: ops.concatenate([a, b], -1), lambda a, b: layers.Multiply()([a, b])]
)
def test_what_is_never_equal_is_refused_at_once(merge: Callable[[Any, Any], Any]) -> None:
    inputs = graphc.Input((None, 3))
    with pytest.raises(ShapeError, match=r"test_unknown_sizes.py"):
        merge(inputs, layers.ZeroPadding1D((1, 0))(inputs))
    with pytest.raises(ShapeError):
        merge(graphc.Input((None, 3)), graphc.Input((None, 4, 2)))


def test_a_function_that_is_compiled_takes_no_sizes_for_granted() -> None:
    add = graphc.function(lambda a, b: a + b)
    with pytest.raises(ShapeError):
        add(np.ones(3), np.ones(4))


@pytest.mark.parametrize(
    ("reshaped", "shape"),
    [
        (lambda: layers.Reshape((3, 5))(graphc.Input(batch_shape=(2, None))), (2, 3, 5)),
        (lambda: layers.Reshape((-1, 8))(graphc.Input((None, 2))), (None, None, 8)),
        (lambda: layers.Reshape((-1, 3))(graphc.Input((4, None))), (None, None, 3)),
        (lambda: ops.reshape(graphc.Input((None,)), (-1, 3, 5)), (None, 3, 5)),
        (lambda: ops.broadcast_to(graphc.Input((None,)), (2, 3, 4)), (2, 3, 4)),
    ],
)
def test_reshapes(reshaped: Callable[[], Any], shape: tuple[Any, ...]) -> None:
    assert reshaped().shape == shape


def test_reshapes_are_checked_when_data_come() -> None:
    inputs = graphc.Input((None,))
    model = graphc.Model(inputs, layers.Reshape((3, 5))(inputs))
    assert model.predict(np.ones((2, 15)), verbose=0).shape == (2, 3, 5)
    with pytest.raises(ShapeError):
        model.predict(np.ones((2, 16)), verbose=0)
    with pytest.raises(ShapeError):
        layers.Reshape((3, 5))(graphc.Input((16,)))


def test_layers_that_say_their_shapes_need_not_be_traced() -> None:
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            if not isinstance(x.shape[1], int):
                raise RuntimeError("a length is needed")
            return [x * x.shape[1], x[:, 0]]

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape, (input_shape[0], input_shape[2])

    inputs = graphc.Input((None, 2))
    first, second = Own()(inputs)
    assert (first.shape, second.shape) == ((None, None, 2), (None, 2))
    a, b = graphc.Model(inputs, [first, second]).predict(np.ones((3, 4, 2)), verbose=0)
    assert a.shape == (3, 4, 2) and b.shape == (3, 2) and a[0, 0, 0] == 4

    class Silent(Own):
        compute_output_shape = layers.Layer.compute_output_shape

    with pytest.raises(RuntimeError, match="a length"):
        Silent()(inputs)


def test_three_lengths_are_two_programs() -> None:
    x = {n: np.random.default_rng(n).normal(size=(16, n, 3)).astype("float32") for n in (4, 7, 5, 9)}
    y = np.ones((16, 2), "float32")

    def trained(one_model: bool) -> list[Any]:
        graphc.utils.set_random_seed(1)
        model = graphc.Sequential([graphc.Input((None, 3)), layers.GRU(4, return_sequences=True)])
        model.add(layers.GlobalAveragePooling1D())
        model.add(layers.Dense(2))
        model.compile("sgd", "mse")
        for data in x.values():
            if not one_model:
                model.clear_programs()
            model.fit(data, y, verbose=0)
            model.predict(data, verbose=0)
        assert not one_model or [len(family.programs) for family in model._programs.values()] == [2, 2]
        return [*model.get_weights(), *(model.predict(data, verbose=0) for data in x.values())]

    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("pool", "strides"), [(2, 1), (3, 1), (3, 2), (2, None)])
def test_averages_of_windows_leave_the_padding_out(rank: int, pool: int, strides: int | None) -> None:
    layer = getattr(layers, f"AveragePooling{rank}D")(pool, strides=strides, padding="same")
    unknown = graphc.Input((*([None] * rank), 2))
    with graphc.backend("numpy"):
        model = graphc.Model(unknown, layer(unknown))
        assert model.output_shape == (None,) * (rank + 1) + (2,)
        for size in (4, 5):
            x = np.random.default_rng(size).random((2, *range(size, size + rank), 2), "float32")
            np.testing.assert_allclose(model.predict(x, verbose=0), layer(x), rtol=1e-6)
