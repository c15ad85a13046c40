"""Spectrograms beside Keras's on JAX."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, DTypeError
from tests.layers.keras_comparison import compare, configured
from tests.support.sessions import fresh_names

SIGNALS = np.random.default_rng(0).normal(size=(2, 60, 3)).astype("float32")
SHORT: list[dict[str, Any]] = [
    {"mode": mode, "frame_length": 16} for mode in ("log", "magnitude", "psd", "real", "imag", "stft")
]
STFT: list[dict[str, Any]] = [
    *SHORT,
    {"mode": "magnitude", "frame_length": 10, "frame_step": 4, "fft_length": 32, "padding": "same", "scaling": None},
    {"mode": "stft", "frame_length": 12, "expand_dims": True, "window": None},
    {"mode": "psd", "frame_length": 16, "periodic": True, "scaling": "spectrum", "window": "blackman"},
]


@pytest.mark.parametrize("options", STFT, ids=lambda o: "-".join(map(str, o.values())))
def test_stft_beside_keras(options: dict[str, Any]) -> None:
    fresh_names()
    ours, theirs = layers.STFTSpectrogram(**options), keras.layers.STFTSpectrogram(**options)
    ours.build(SIGNALS.shape)
    theirs.build(SIGNALS.shape)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    compare(ours, theirs, SIGNALS, {})
    assert tuple(ours.compute_output_shape((None, 60, 3))) == tuple(theirs.compute_output_shape((None, 60, 3)))
    first = layers.STFTSpectrogram(**options, data_format="channels_first")
    first(np.swapaxes(SIGNALS, 1, 2))
    first.set_weights(ours.get_weights())
    found, expected = first(np.swapaxes(SIGNALS, 1, 2)).numpy(), ours(SIGNALS).numpy()
    moved = np.transpose(expected, (0, 3, 1, 2)) if options.get("expand_dims") else np.swapaxes(expected, 1, 2)
    np.testing.assert_allclose(found, moved, rtol=1e-5, atol=1e-5)


def test_angles() -> None:
    ours, theirs = (api.STFTSpectrogram("angle", 16) for api in (layers, keras.layers))
    # At a real frequency the angle is 0 or a half turn, and of which sign the last bit decides.
    found, expected = ours(SIGNALS).numpy(), np.asarray(theirs(SIGNALS))
    np.testing.assert_allclose(np.cos(found), np.cos(expected), atol=1e-3)


MEL: list[dict[str, Any]] = [
    {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 5},
    {"fft_length": 32, "sequence_length": 20, "sequence_stride": 7, "mag_exp": 1.0, "power_to_db": False},
    {"fft_length": 16, "sequence_stride": 4, "num_mel_bins": 4, "window": "hamming", "ref_power": 2.0, "top_db": 20.0}
    | {"sampling_rate": 8000, "min_freq": 100.0, "max_freq": 3000.0},
]


@pytest.mark.parametrize("options", MEL, ids=lambda o: "-".join(map(str, o.values())))
def test_mel_beside_keras(options: dict[str, Any]) -> None:
    ours, theirs = layers.MelSpectrogram(**options), keras.layers.MelSpectrogram(**options)
    for x in (SIGNALS[..., 0], SIGNALS[0, :, 0]):
        found, expected = ours(x), np.asarray(theirs(x))
        assert found.dtype == expected.dtype.name
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=2e-3)
    assert configured(ours) == configured(theirs)
    np.testing.assert_allclose(
        ours.linear_to_mel_weight_matrix(6, 33).numpy(), theirs.linear_to_mel_weight_matrix(6, 33), atol=1e-4
    )


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_in_models(backend: str) -> None:
    model = graphc.Sequential([layers.Input((60, 1)), layers.STFTSpectrogram(frame_length=16), layers.Flatten()])
    model.add(layers.Dense(1))
    mel = graphc.Sequential([layers.Input((60,)), layers.MelSpectrogram(16, 8, num_mel_bins=4), layers.Flatten()])
    with graphc.backend(backend):
        model.compile("adam", "mse")
        before = model.layers[0].get_weights()[0]
        model.fit(SIGNALS[..., :1], np.ones((2, 1)), verbose=0)
        found = mel.predict(SIGNALS[..., 0], verbose=0)
    assert not np.array_equal(before, model.layers[0].get_weights()[0])
    np.testing.assert_allclose(found, mel(SIGNALS[..., 0]).numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [{"mode": "power"}, {"frame_step": 300}, {"fft_length": 128}, {"scaling": "x"}, {"padding": "causal"}]
    + [{"window": "no such window"}, {"frame_length": 0}],
)
def test_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        layers.STFTSpectrogram(**options)


def test_refused_inputs() -> None:
    with pytest.raises(ArgumentError, match="fft_length"):
        layers.MelSpectrogram(fft_length=4, sequence_length=8)
    with pytest.raises(DTypeError, match="floats"):
        layers.STFTSpectrogram(frame_length=8)(np.ones((2, 60, 1), "int32"))
