"""Larger functions of `keras.backend` from before Keras 3; the numbers are those of Keras on TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import backend as K
from graphc import layers, ops
from graphc.errors import ShapeError

RNG = np.random.default_rng(0)
CHANCES = RNG.random((2, 6, 4)).astype("float32")
CHANCES /= CHANCES.sum(-1, keepdims=True)
X, W, U = (RNG.random(shape).astype("float32") for shape in ((2, 3, 4), (4, 5), (5, 5)))
LABELS = np.array([[0, 1, 2], [2, 2, 0]])


def test_losses_of_sequences() -> None:
    loss = K.ctc_batch_cost(LABELS, CHANCES, np.array([[6], [5]]), np.array([[3], [2]]))
    np.testing.assert_allclose(loss, [[3.3601646], [4.096202]], rtol=1e-5)
    (path,), scores = K.ctc_decode(CHANCES, np.array([6, 5]))
    assert path.numpy().tolist() == [[0, 1, 0, 2, -1, -1], [2, 1, 2, -1, -1, -1]]
    np.testing.assert_allclose(scores, [[4.950439], [5.3720765]], rtol=1e-5)
    paths, scores = K.ctc_decode(CHANCES, np.array([6, 5]), greedy=False, beam_width=20, top_paths=2)
    assert paths[1].numpy().tolist() == [[0, 2, 0, 2, -1, -1], [2, 1, 0, -1, -1, -1]]
    np.testing.assert_allclose(scores, [[-2.8036115, -2.8126943], [-2.6659851, -3.0267594]], rtol=1e-5)


def test_an_endpoint_layer_trains_by_the_loss_of_sequences() -> None:
    labels, times = graphc.Input((3,), dtype="int32"), graphc.Input((1,), dtype="int32")
    counts, x = graphc.Input((1,), dtype="int32"), graphc.Input((6, 4))
    chances = layers.Dense(4, activation="softmax")(x)
    loss = layers.Lambda(lambda args: K.ctc_batch_cost(*args), output_shape=(1,))([labels, chances, times, counts])
    model = graphc.Model([x, labels, times, counts], loss)
    with graphc.backend("numpy"):
        model.compile("sgd", lambda y_true, y_pred: y_pred)
        data = [CHANCES, LABELS, np.full((2, 1), 6), np.full((2, 1), 3)]
        first = model.evaluate(data, np.zeros(2), verbose=0)
        model.fit(data, np.zeros(2), epochs=3, verbose=0)
        assert model.evaluate(data, np.zeros(2), verbose=0) < first


@pytest.mark.parametrize(
    ("options", "last", "sums", "state"),
    [
        ({}, 16.165033, [11.006716, 15.237511, 16.165033], 9.584667),
        ({"mask": True}, 15.10321, [6.67202, 13.721662, 15.10321], 9.471096),
        (
            {"mask": True, "zero_output_for_mask": True, "go_backwards": True},
            *(8.213371, [6.861141, 13.734575, 8.213371], 9.649447),
        ),
    ],
)
@pytest.mark.parametrize("time_major", [False, True])
def test_loops_of_times(
    options: dict[str, Any], last: float, sums: list[float], state: float, time_major: bool
) -> None:
    def step(x: Any, states: Any) -> Any:
        hidden = K.dot(x, W) + K.dot(states[0], U * np.float32(0.3))
        return K.dot(x, W) + K.dot(states[0], U * np.float32(0.3)) * states[1], [K.tanh(hidden)]

    mask = np.array([[True, True, False], [False, True, True]])
    given = {**options, "mask": mask.T if time_major else mask} if "mask" in options else options
    inputs = X.swapaxes(0, 1) if time_major else X
    final, outputs, states = K.rnn(
        step, inputs, [K.zeros((2, 5))], constants=[K.constant(0.5)], time_major=time_major, **given
    )
    np.testing.assert_allclose(np.sum(final), last, rtol=1e-5)
    np.testing.assert_allclose(np.sum(outputs, (1, 2) if time_major else (0, 2)), sums, rtol=1e-5)
    np.testing.assert_allclose(np.sum(states[0]), state, rtol=1e-5)
    short = K.rnn(step, inputs, [K.zeros((2, 5))], constants=[0.5], time_major=time_major, return_all_outputs=False)
    assert short[1].shape[0 if time_major else 1] == 1


def test_losses_of_elements() -> None:
    target, output = np.array([[1, 0, 1], [0, 1, 0]], "float32"), np.array([[0.9, 0.2, 0.4]] * 2, "float32")
    mine = K.binary_focal_crossentropy(target, output, True)
    wanted = graphc.losses.BinaryFocalCrossentropy(True, reduction="none")(target, output)
    np.testing.assert_allclose(np.mean(mine, -1), wanted, rtol=1e-5)
    logits = K.binary_focal_crossentropy(target, np.log(output / (1 - output)), True, from_logits=True)
    np.testing.assert_allclose(logits, mine, rtol=1e-4)
    for from_logits in (False, True):
        found = K.categorical_focal_crossentropy(target, output, from_logits=from_logits)
        loss = graphc.losses.CategoricalFocalCrossentropy(from_logits=from_logits, reduction="none")
        np.testing.assert_allclose(found, loss(target, output), rtol=1e-5)


def test_windows_and_sizes() -> None:
    images = np.arange(24, dtype="float32").reshape(2, 3, 4, 1)
    kernel = np.ones((3, 3, 2, 1), "float32")
    assert np.sum(K.conv2d_transpose(images, kernel, (2, 6, 8, 2), (2, 2), "same")) == 3824.0
    with pytest.raises(ShapeError, match="another shape"):
        K.conv2d_transpose(images, kernel, (2, 7, 8, 2), (2, 2), "same")
    assert np.sum(K.pool3d(images[:, None], (1, 2, 2))) == 168.0
    assert K.resize_images(images, 2, 3, "channels_last").shape == (2, 6, 12, 1)
    assert float(K.resize_images(images, 2, 3, "channels_last", "bilinear")[0, 1, 2, 0]) == pytest.approx(4 / 3)
    assert K.resize_images(images.transpose(0, 3, 1, 2), 2, 3, "channels_first").shape == (2, 1, 6, 12)
    assert K.resize_volumes(images[..., None], 1, 2, 3, "channels_last").shape == (2, 3, 8, 3, 1)
    np.testing.assert_allclose(
        K.batch_normalization(X, [0.1] * 4, [2.0] * 4, [1.0] * 4, [3.0] * 4),
        ops.batch_normalization(X, [0.1] * 4, [2.0] * 4, -1, [1.0] * 4, [3.0] * 4),
        rtol=1e-6,
    )
