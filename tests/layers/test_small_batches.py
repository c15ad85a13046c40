"""Layers on batches of no samples and of one: the shapes of larger ones, and finite numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers

SEQUENCE, IMAGE, VOLUME, VECTOR = (6, 4), (8, 8, 3), (4, 4, 4, 2), (5,)
INDICES, PAIR = (4,), (6, 4)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Dense(3)": (lambda: layers.Dense(3), VECTOR),
    "Dense(4)": (lambda: layers.Dense(4), SEQUENCE),
    "EinsumDense('abc,cd->abd',output_shape=(None,3))": (
        lambda: layers.EinsumDense("abc,cd->abd", output_shape=(None, 3)),
        SEQUENCE,
    ),
    "Embedding(5,3)": (lambda: layers.Embedding(5, 3), INDICES),
    "Activation('relu')": (lambda: layers.Activation("relu"), SEQUENCE),
    "Softmax()": (lambda: layers.Softmax(), SEQUENCE),
    "ReLU()": (lambda: layers.ReLU(), SEQUENCE),
    "PReLU()": (lambda: layers.PReLU(), SEQUENCE),
    "LeakyReLU()": (lambda: layers.LeakyReLU(), SEQUENCE),
    "ELU()": (lambda: layers.ELU(), SEQUENCE),
    "Conv1D(3,2)": (lambda: layers.Conv1D(3, 2), SEQUENCE),
    "Conv1D(3,2,padding='same',strides=2)": (lambda: layers.Conv1D(3, 2, padding="same", strides=2), SEQUENCE),
    "Conv1D(3,2,padding='causal')": (lambda: layers.Conv1D(3, 2, padding="causal"), SEQUENCE),
    "Conv2D(3,3)": (lambda: layers.Conv2D(3, 3), IMAGE),
    "Conv2D(3,3,strides=2,padding='same')": (lambda: layers.Conv2D(3, 3, strides=2, padding="same"), IMAGE),
    "Conv3D(3,2)": (lambda: layers.Conv3D(3, 2), VOLUME),
    "DepthwiseConv1D(2)": (lambda: layers.DepthwiseConv1D(2), SEQUENCE),
    "DepthwiseConv2D(3)": (lambda: layers.DepthwiseConv2D(3), IMAGE),
    "SeparableConv1D(3,2)": (lambda: layers.SeparableConv1D(3, 2), SEQUENCE),
    "SeparableConv2D(3,3)": (lambda: layers.SeparableConv2D(3, 3), IMAGE),
    "Conv1DTranspose(3,2)": (lambda: layers.Conv1DTranspose(3, 2), SEQUENCE),
    "Conv2DTranspose(3,3,strides=2)": (lambda: layers.Conv2DTranspose(3, 3, strides=2), IMAGE),
    "Conv3DTranspose(3,2)": (lambda: layers.Conv3DTranspose(3, 2), VOLUME),
    "MaxPooling1D(2)": (lambda: layers.MaxPooling1D(2), SEQUENCE),
    "MaxPooling2D(2)": (lambda: layers.MaxPooling2D(2), IMAGE),
    "MaxPooling2D(3,2,padding='same')": (lambda: layers.MaxPooling2D(3, 2, padding="same"), IMAGE),
    "MaxPooling3D(2)": (lambda: layers.MaxPooling3D(2), VOLUME),
    "AveragePooling1D(2)": (lambda: layers.AveragePooling1D(2), SEQUENCE),
    "AveragePooling2D(3,2,padding='same')": (lambda: layers.AveragePooling2D(3, 2, padding="same"), IMAGE),
    "AveragePooling3D(2)": (lambda: layers.AveragePooling3D(2), VOLUME),
    "GlobalMaxPooling1D()": (lambda: layers.GlobalMaxPooling1D(), SEQUENCE),
    "GlobalMaxPooling2D()": (lambda: layers.GlobalMaxPooling2D(), IMAGE),
    "GlobalMaxPooling3D()": (lambda: layers.GlobalMaxPooling3D(), VOLUME),
    "GlobalAveragePooling1D()": (lambda: layers.GlobalAveragePooling1D(), SEQUENCE),
    "GlobalAveragePooling2D()": (lambda: layers.GlobalAveragePooling2D(), IMAGE),
    "GlobalAveragePooling3D()": (lambda: layers.GlobalAveragePooling3D(), VOLUME),
    "BatchNormalization()": (lambda: layers.BatchNormalization(), SEQUENCE),
    "LayerNormalization()": (lambda: layers.LayerNormalization(), SEQUENCE),
    "GroupNormalization(2)": (lambda: layers.GroupNormalization(2), SEQUENCE),
    "RMSNormalization()": (lambda: layers.RMSNormalization(), SEQUENCE),
    "UnitNormalization()": (lambda: layers.UnitNormalization(), SEQUENCE),
    "SpectralNormalization(Dense(3))": (lambda: layers.SpectralNormalization(layers.Dense(3)), VECTOR),
    "LSTM(3)": (lambda: layers.LSTM(3), SEQUENCE),
    "LSTM(3,return_sequences=True)": (lambda: layers.LSTM(3, return_sequences=True), SEQUENCE),
    "GRU(3)": (lambda: layers.GRU(3), SEQUENCE),
    "SimpleRNN(3)": (lambda: layers.SimpleRNN(3), SEQUENCE),
    "Bidirectional(LSTM(3))": (lambda: layers.Bidirectional(layers.LSTM(3)), SEQUENCE),
    "TimeDistributed(Dense(3))": (lambda: layers.TimeDistributed(layers.Dense(3)), SEQUENCE),
    "RNN(LSTMCell(3))": (lambda: layers.RNN(layers.LSTMCell(3)), SEQUENCE),
    "Dropout(.5)": (lambda: layers.Dropout(0.5), SEQUENCE),
    "SpatialDropout1D(.5)": (lambda: layers.SpatialDropout1D(0.5), SEQUENCE),
    "GaussianNoise(.5)": (lambda: layers.GaussianNoise(0.5), SEQUENCE),
    "GaussianDropout(.5)": (lambda: layers.GaussianDropout(0.5), SEQUENCE),
    "ActivityRegularization(.5)": (lambda: layers.ActivityRegularization(0.5), SEQUENCE),
    "Flatten()": (lambda: layers.Flatten(), IMAGE),
    "Reshape((4,6))": (lambda: layers.Reshape((4, 6)), SEQUENCE),
    "Reshape((-1,3))": (lambda: layers.Reshape((-1, 3)), SEQUENCE),
    "Permute((2,1))": (lambda: layers.Permute((2, 1)), SEQUENCE),
    "RepeatVector(3)": (lambda: layers.RepeatVector(3), VECTOR),
    "Cropping1D(1)": (lambda: layers.Cropping1D(1), SEQUENCE),
    "Cropping2D(1)": (lambda: layers.Cropping2D(1), IMAGE),
    "Cropping3D(1)": (lambda: layers.Cropping3D(1), VOLUME),
    "ZeroPadding1D(1)": (lambda: layers.ZeroPadding1D(1), SEQUENCE),
    "ZeroPadding2D(1)": (lambda: layers.ZeroPadding2D(1), IMAGE),
    "ZeroPadding3D(1)": (lambda: layers.ZeroPadding3D(1), VOLUME),
    "UpSampling1D(2)": (lambda: layers.UpSampling1D(2), SEQUENCE),
    "UpSampling2D(2)": (lambda: layers.UpSampling2D(2), IMAGE),
    "UpSampling2D(2,interpolation='bilinear')": (lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "UpSampling3D(2)": (lambda: layers.UpSampling3D(2), VOLUME),
    "Masking()": (lambda: layers.Masking(), SEQUENCE),
    "Lambda(lambda x:x*2)": (lambda: layers.Lambda(lambda x: x * 2), SEQUENCE),
    "Identity()": (lambda: layers.Identity(), SEQUENCE),
    "Rescaling(2.)": (lambda: layers.Rescaling(2.0), SEQUENCE),
    "MultiHeadAttention(2,3)": (lambda: layers.MultiHeadAttention(2, 3), PAIR),
    "GroupQueryAttention(3,2,1)": (lambda: layers.GroupQueryAttention(3, 2, 1), PAIR),
    "Attention()": (lambda: layers.Attention(), PAIR),
    "AdditiveAttention()": (lambda: layers.AdditiveAttention(), PAIR),
    "Add()": (lambda: layers.Add(), PAIR),
    "Concatenate()": (lambda: layers.Concatenate(), PAIR),
    "Dot(2)": (lambda: layers.Dot(2), PAIR),
    "Maximum()": (lambda: layers.Maximum(), PAIR),
    "Average()": (lambda: layers.Average(), PAIR),
    "Multiply()": (lambda: layers.Multiply(), PAIR),
    "Subtract()": (lambda: layers.Subtract(), PAIR),
    "Minimum()": (lambda: layers.Minimum(), PAIR),
}
TWO = ("MultiHeadAttention", "GroupQueryAttention")
LISTS = ("Attention", "AdditiveAttention", "Add", "Concatenate", "Dot", "Maximum", "Average", "Multiply", "Subtract")
LISTS += ("Minimum",)


def called(layer: Any, name: str, shape: tuple[int, ...], rows: int) -> Any:
    x = np.ones((rows, *shape), "int32" if shape is INDICES else "float32")
    kind = name.partition("(")[0]
    return layer(x, x) if kind in TWO else layer([x, x]) if kind in LISTS else layer(x)


@pytest.mark.parametrize("name", LAYERS)
def test_no_samples_and_one(name: str) -> None:
    make, shape = LAYERS[name]
    ours = make()
    expected = called(ours, name, shape, 2).shape[1:]
    for rows in (0, 1):
        found = called(ours, name, shape, rows).numpy()
        assert found.shape == (rows, *expected)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("name", LAYERS)
def test_no_samples_first(name: str) -> None:
    """A layer may be built by a batch without samples."""
    make, shape = LAYERS[name]
    layer = make()
    with graphc.backend("numpy"):
        empty = called(layer, name, shape, 0)
        assert called(layer, name, shape, 3).shape[1:] == empty.shape[1:]
