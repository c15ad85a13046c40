"""Functions of `keras.backend` from before Keras 3: beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import backend as K
from graphc import ops
from graphc.errors import ArgumentError, ShapeError

X = np.array([[-2.0, 0.5, 3.0], [4.0, -1.0, 8.0]], "float32")
Y = np.arange(24, dtype="float32").reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: K.abs(X), np.abs(X)),
        (lambda: K.square(X), X**2),
        (lambda: K.sqrt(X), np.sqrt(np.maximum(X, 0))),
        (lambda: K.pow(X, 2), X**2),
        (lambda: K.sum(X, axis=1), X.sum(1)),
        (lambda: K.mean(X > 0), np.float32(4 / 6)),
        (lambda: K.std(X, axis=0, keepdims=True), X.std(0, keepdims=True)),
        (lambda: K.var(X), X.var()),
        (lambda: K.max(X, axis=-1), X.max(-1)),
        (lambda: K.prod(X), X.prod()),
        (lambda: K.all(X), True),
        (lambda: K.any(X - X), False),
        (lambda: K.argmax(X), X.argmax(-1)),
        (lambda: K.argmin(X), X.argmin(-1)),
        (lambda: K.clip(X, -1, 2), np.clip(X, -1, 2)),
        (lambda: K.clip(X, 2, -1), np.full_like(X, 2)),
        (lambda: K.clip(X, None, 2), np.minimum(X, 2)),
        (lambda: K.relu(X), np.maximum(X, 0)),
        (lambda: K.relu(X, alpha=0.1, max_value=3.0), np.where(X > 0, np.minimum(X, 3), 0.1 * X)),
        (lambda: K.relu(X, 0.1, None, 1.0), np.where(X > 1, X, 0.1 * (X - 1))),
        (lambda: K.hard_sigmoid(X), np.clip(0.2 * X + 0.5, 0, 1)),
        (lambda: K.elu(X), np.where(X > 0, X, np.expm1(X))),
        (lambda: K.l2_normalize(X, axis=1), X / np.linalg.norm(X, axis=1, keepdims=True)),
        (lambda: K.l2_normalize(X), X / np.linalg.norm(X)),
        (lambda: K.concatenate([X, X]), np.concatenate([X, X], -1)),
        (lambda: K.expand_dims(X), X[..., None]),
        (lambda: K.flatten(Y), Y.ravel()),
        (lambda: K.batch_flatten(Y), Y.reshape(2, 12)),
        (lambda: K.permute_dimensions(Y, (2, 0, 1)), Y.transpose(2, 0, 1)),
        (lambda: K.repeat(X, 3), np.repeat(X[:, None], 3, 1)),
        (lambda: K.repeat_elements(Y, 2, 1), np.repeat(Y, 2, 1)),
        (lambda: K.reverse(Y, [0, 2]), Y[::-1, :, ::-1]),
        (lambda: K.reverse(X, 1), X[:, ::-1]),
        (lambda: K.gather(X, [1, 1]), X[[1, 1]]),
        (lambda: K.tile(X, [2, 1]), np.tile(X, (2, 1))),
        (lambda: K.stack([X, X]), np.stack([X, X])),
        (lambda: K.squeeze(X[None], 0), X),
        (lambda: K.temporal_padding(Y, (1, 2)), np.pad(Y, ((0, 0), (1, 2), (0, 0)))),
        (lambda: K.spatial_2d_padding(Y[None], ((1, 0), (0, 2))), np.pad(Y[None], ((0, 0), (1, 0), (0, 2), (0, 0)))),
        (
            lambda: K.spatial_2d_padding(Y[None], data_format="channels_first"),
            np.pad(Y[None], ((0, 0), (0, 0), (1, 1), (1, 1))),
        ),
        (lambda: K.bias_add(Y, np.arange(4.0)), Y + np.arange(4)),
        (lambda: K.bias_add(Y, np.arange(3.0), "channels_first"), Y + np.arange(3)[:, None]),
        (lambda: K.cumsum(X), np.cumsum(X, 0)),
        (lambda: K.cumprod(X, 1), np.cumprod(X, 1)),
        (lambda: K.in_top_k(X, [2, 1], 2), np.array([True, False])),
        (lambda: K.dot(X, Y[0]), X @ Y[0]),
        (lambda: K.batch_dot(Y, Y, axes=2), np.einsum("bij,bkj->bik", Y, Y)),
        (lambda: K.batch_dot(Y, Y.transpose(0, 2, 1)), np.einsum("bij,bjk->bik", Y, Y.transpose(0, 2, 1))),
        (lambda: K.batch_dot(X, X), (X * X).sum(1, keepdims=True)),
        (lambda: K.switch(X > 0, X, -X), np.abs(X)),
        (lambda: K.switch(np.array([True, False]), X, -X), np.array([[1], [-1]]) * X),
        (lambda: K.switch(ops.array(True), lambda: ops.array(X), lambda: ops.array(-X)), X),
        (lambda: K.foldl(lambda a, x: a - x, X), X[0] - X[1]),
        (lambda: K.foldr(lambda a, x: a - x, X), X[1] - X[0]),
        (lambda: K.map_fn(lambda x: x * 2, X), X * 2),
        (lambda: K.constant([1, 2], shape=(2, 2)), np.array([[1, 2], [1, 2]], "float32")),
        (lambda: K.eye(2), np.eye(2)),
        (lambda: K.zeros((2, 3)) + K.ones_like(X), np.ones_like(X)),
        (lambda: K.arange(3), np.arange(3)),
        (lambda: K.one_hot([0, 2], 3), np.eye(3)[[0, 2]]),
        (lambda: K.cast(X, "int32"), X.astype("int32")),
        (lambda: K.cast_to_floatx([1, 2]), np.array([1.0, 2.0])),
        (lambda: K.pool2d(Y[..., None], (3, 2), (3, 2)), Y.reshape(2, 1, 3, 2, 2).max((2, 4))[..., None]),
        (lambda: K.dropout(X, 0.0), X),
        (lambda: K.binary_crossentropy(X > 0, X * 0 + 0.5), np.full_like(X, np.log(2))),
    ],
)
def test_functions(found: Any, expected: Any) -> None:
    with graphc.backend("numpy"):
        result = found()
    np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-5, atol=1e-6)
    assert np.asarray(result).shape == np.shape(expected)


def test_every_name_is_there() -> None:
    for name in (*K._OPS, *K._LEGACY, *K._RENAMED, "name_scope"):
        assert callable(getattr(K, name)) and name in {*dir(K), *K._RENAMED}
    with pytest.raises(AttributeError, match="no attribute 'placeholder'"):
        K.placeholder  # noqa: B018


def test_variables_and_values() -> None:
    v = K.variable([1, 2], name="v")
    assert v.dtype == "float32" and K.get_value(v).tolist() == [1.0, 2.0] == K.eval(v).tolist()
    K.set_value(v, [3, 4])
    K.update_add(v, 1.0)
    K.update_sub(v, 2.0)
    K.moving_average_update(v, ops.zeros(2), 0.5)
    assert K.batch_get_value([v])[0].tolist() == [1.0, 1.5]
    K.batch_set_value([(v, [0, 0])])
    K.update(v, [5.0, 6.0])
    assert v.numpy().tolist() == [5.0, 6.0]
    assert (K.ndim(Y), K.int_shape(Y), K.count_params(Y), K.dtype(Y)) == (3, (2, 3, 4), 24, "float32")
    assert not K.is_sparse(v) and K.to_dense(v) is v and K.get_value(3) == 3


def test_random_numbers() -> None:
    with graphc.backend("numpy"):
        normal = np.asarray(K.random_normal((2000,), 1.0, 2.0, seed=1))
        assert abs(normal.mean() - 1) < 0.2 and abs(normal.std() - 2) < 0.2
        uniform = K.random_uniform_variable((2000,), 2.0, 3.0, seed=1).numpy()
        assert 2 <= uniform.min() < 2.1 and 2.9 < uniform.max() <= 3
        assert abs(np.asarray(K.random_bernoulli((2000,), 0.3, seed=1)).mean() - 0.3) < 0.05
        assert np.abs(np.asarray(K.truncated_normal((2000,)))).max() <= 2
        assert K.random_normal_variable((3,), 0.0, 1.0).shape == (3,)


def test_what_is_refused() -> None:
    for error, use in (
        (ArgumentError, lambda: K.gradients(X, X)),
        (ShapeError, lambda: K.repeat(Y, 2)),
        (ShapeError, lambda: K.bias_add(Y, X[None, None])),
        (ShapeError, lambda: K.switch(Y > 0, X[0], X[0])),
    ):
        with pytest.raises(error):
            use()
