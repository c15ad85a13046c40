"""Every public layer, tried in every way: see `each_layer.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphc
from graphc import layers
from tests.layers.each_layer import Given, Tried, try_compiled, try_layer


def of(*shape: int) -> Given:
    return Given((shape,))


VECTOR, SEQUENCE, IMAGE, VOLUME = of(5), of(6, 4), of(6, 8, 3), of(4, 4, 3, 2)
INDICES, NUMBERS, WORDS = Given(((4,),), "int32"), Given(((4,),), "int64"), Given(((4,),), "string")
TEXT = Given(((1,),), "string")
PICTURE = Given(((6, 8, 3),), "image")
VECTORS, PAIR, TWO = Given(([(5,), (5,)],)), Given(([(6, 4), (6, 4)],)), Given(((6, 4), (6, 4)))
HIDDEN, GATED = Given(((5,), [(3,)])), Given(((5,), [(3,), (3,)]))
CROSSED = Given(([(1,), (1,)],), "int64")
FILM, FILMS, CLIPS = of(3, 5, 2), of(3, 5, 6, 2), of(2, 4, 3, 4, 1)


def doubled(x: Any) -> Any:
    return x * 2


LAYERS: dict[str, Given] = {
    # core
    "Dense(3, activation='relu')": SEQUENCE,
    "Dense(3, use_bias=False, kernel_regularizer='l2', bias_constraint='non_neg')": VECTOR,
    "EinsumDense('abc,cd->abd', output_shape=(None, 3), bias_axes='d')": SEQUENCE,
    "Embedding(5, 3)": INDICES,
    "Embedding(4, 2, mask_zero=True)": INDICES,
    "ReversibleEmbedding(5, 3)": INDICES,
    "Activation('tanh')": SEQUENCE,
    "Identity()": SEQUENCE,
    "Lambda(doubled)": SEQUENCE,
    "Masking()": SEQUENCE,
    # activations
    "ReLU(max_value=1.0, negative_slope=0.1)": SEQUENCE,
    "LeakyReLU()": SEQUENCE,
    "ELU(alpha=0.5)": SEQUENCE,
    "PReLU(alpha_initializer='ones', shared_axes=[1])": SEQUENCE,
    "Softmax()": SEQUENCE,
    "ThresholdedReLU(0.5)": SEQUENCE,
    # convolutions
    "Conv1D(3, 2, padding='causal', dilation_rate=2)": SEQUENCE,
    "Conv1D(4, 2, groups=2, strides=2, padding='same')": SEQUENCE,
    "Conv2D(3, 3, strides=2, padding='same', activation='relu')": IMAGE,
    "Conv2D(3, (2, 3), data_format='channels_first')": IMAGE,
    "Conv3D(2, 2)": VOLUME,
    "DepthwiseConv1D(2, depth_multiplier=2)": SEQUENCE,
    "DepthwiseConv2D(3, padding='same')": IMAGE,
    "SeparableConv1D(3, 2)": SEQUENCE,
    "SeparableConv2D(3, 3, depth_multiplier=2)": IMAGE,
    "Conv1DTranspose(3, 2, strides=2)": SEQUENCE,
    "Conv2DTranspose(2, 3, strides=2, padding='same')": IMAGE,
    "Conv3DTranspose(2, 2)": VOLUME,
    # pooling
    "MaxPooling1D(2)": SEQUENCE,
    "MaxPooling2D(3, 2, padding='same')": IMAGE,
    "MaxPooling3D(2)": VOLUME,
    "AveragePooling1D(2)": SEQUENCE,
    "AveragePooling2D(3, 2, padding='same')": IMAGE,
    "AveragePooling3D(2)": VOLUME,
    "AdaptiveAveragePooling1D(4)": SEQUENCE,
    "AdaptiveAveragePooling2D((3, 2))": IMAGE,
    "AdaptiveAveragePooling3D(2)": VOLUME,
    "AdaptiveMaxPooling1D(4)": SEQUENCE,
    "AdaptiveMaxPooling2D(3)": IMAGE,
    "AdaptiveMaxPooling3D((1, 2, 3))": VOLUME,
    "GlobalMaxPooling1D()": SEQUENCE,
    "GlobalMaxPooling2D(keepdims=True)": IMAGE,
    "GlobalMaxPooling3D()": VOLUME,
    "GlobalAveragePooling1D()": SEQUENCE,
    "GlobalAveragePooling2D()": IMAGE,
    "GlobalAveragePooling3D(data_format='channels_first')": VOLUME,
    # normalization
    "BatchNormalization()": SEQUENCE,
    "BatchNormalization(axis=1, scale=False)": IMAGE,
    "LayerNormalization()": SEQUENCE,
    "LayerNormalization(axis=[1, 2], center=False)": SEQUENCE,
    "GroupNormalization(2)": SEQUENCE,
    "RMSNormalization()": SEQUENCE,
    "UnitNormalization()": SEQUENCE,
    "SpectralNormalization(Dense(3))": VECTOR,
    "Normalization(mean=0.5, variance=2.0)": SEQUENCE,
    # regularization
    "Dropout(0.5, seed=1)": SEQUENCE,
    "AlphaDropout(0.5, seed=1)": SEQUENCE,
    "SpatialDropout1D(0.5, seed=1)": SEQUENCE,
    "SpatialDropout2D(0.5, seed=1)": IMAGE,
    "SpatialDropout3D(0.5, seed=1)": VOLUME,
    "GaussianNoise(0.5, seed=1)": SEQUENCE,
    "GaussianDropout(0.5, seed=1)": SEQUENCE,
    "ActivityRegularization(l1=0.1, l2=0.2)": SEQUENCE,
    # reshaping
    "Flatten()": IMAGE,
    "Reshape((-1, 3))": SEQUENCE,
    "Permute((2, 1))": SEQUENCE,
    "RepeatVector(3)": VECTOR,
    "Cropping1D(1)": SEQUENCE,
    "Cropping2D(((1, 0), (2, 1)))": IMAGE,
    "Cropping3D(1)": VOLUME,
    "ZeroPadding1D(1)": SEQUENCE,
    "ZeroPadding2D((1, 2))": IMAGE,
    "ZeroPadding3D(1)": VOLUME,
    "UpSampling1D(2)": SEQUENCE,
    "UpSampling2D(2, interpolation='bilinear')": IMAGE,
    "UpSampling3D((1, 2, 3))": VOLUME,
    # merging
    "Add()": PAIR,
    "Average()": PAIR,
    "Concatenate(axis=1)": PAIR,
    "Dot(2, normalize=True)": PAIR,
    "Dot(1)": VECTORS,
    "Maximum()": PAIR,
    "Minimum()": PAIR,
    "Multiply()": PAIR,
    "Subtract()": VECTORS,
    # attention
    "Attention(use_scale=True)": PAIR,
    "AdditiveAttention()": PAIR,
    "MultiHeadAttention(2, 3)": TWO,
    "GroupQueryAttention(3, 2, 1)": TWO,
    # recurrent
    "LSTM(3, return_sequences=True)": SEQUENCE,
    "LSTM(3, return_state=True)": SEQUENCE,
    "GRU(3)": SEQUENCE,
    "GRU(3, reset_after=False, go_backwards=True)": SEQUENCE,
    "SimpleRNN(3)": SEQUENCE,
    "RNN(LSTMCell(3))": SEQUENCE,
    "RNN(StackedRNNCells([GRUCell(2), SimpleRNNCell(3)]))": SEQUENCE,
    "Bidirectional(LSTM(3, return_sequences=True))": SEQUENCE,
    "TimeDistributed(Dense(3))": SEQUENCE,
    "ConvLSTM1D(2, 2, return_sequences=True)": FILM,
    "ConvLSTM2D(2, 2, padding='same')": FILMS,
    "LSTMCell(3)": GATED,
    "GRUCell(3)": HIDDEN,
    "SimpleRNNCell(3)": HIDDEN,
    "StackedRNNCells([SimpleRNNCell(3)])": HIDDEN,
    "ConvLSTM3D(1, 2)": CLIPS,
    # other arguments and sizes
    "AdaptiveAveragePooling1D(output_size=3)": of(7, 3),
    "AdaptiveAveragePooling2D(output_size=(3, 2), **FIRST)": of(3, 7, 5),
    "AveragePooling2D(pool_size=2)": of(7, 8, 3),
    "BatchNormalization(momentum=0.9, epsilon=0.0001)": of(5, 3),
    "BatchNormalization(renorm=True, renorm_clipping={'rmin': 0.5, 'rmax': 2.0, 'dmax': 0.5})": of(5, 3),
    "CenterCrop(height=12, width=5)": of(9, 7, 3),
    "CenterCrop(height=3, width=3, **FIRST)": of(3, 9, 7),
    "Conv1D(filters=4, kernel_size=2, padding='causal', **FIRST)": of(3, 9),
    "Conv1D(filters=4, kernel_size=3, padding='causal', strides=2)": of(9, 3),
    "Conv1D(filters=4, kernel_size=3, padding='same')": of(9, 3),
    "Conv1DTranspose(filters=4, kernel_size=2, strides=3, padding='same')": of(5, 3),
    "Conv1DTranspose(filters=4, kernel_size=3)": of(5, 3),
    "Conv1DTranspose(filters=4, kernel_size=3, strides=3, output_padding=1, **FIRST)": of(3, 5),
    "Conv2D(filters=4, kernel_size=(2, 3), strides=2, padding='same')": of(7, 8, 3),
    "Conv2D(filters=4, kernel_size=3, dilation_rate=2, groups=2)": of(7, 8, 4),
    "Conv2DTranspose(filters=2, kernel_size=3, dilation_rate=2, use_bias=False)": of(4, 5, 3),
    "Conv2DTranspose(filters=2, kernel_size=3, strides=2, output_padding=(0, 1), padding='same', **FIRST)": of(3, 4, 5),
    "Conv2DTranspose(filters=4, kernel_size=(1, 4), strides=(3, 2), activation='relu')": of(4, 5, 3),
    "Conv2DTranspose(filters=4, kernel_size=3, strides=2, padding='same')": of(4, 5, 3),
    "Conv3DTranspose(filters=2, kernel_size=2, strides=2)": of(2, 3, 2, 3),
    "Cropping1D(cropping=2)": of(5, 4),
    "Cropping2D(cropping=((1, 0), (2, 1)), **FIRST)": of(2, 5, 4),
    "Cropping2D(cropping=(1, 0))": of(5, 4, 2),
    "Cropping2D(cropping=1)": of(5, 4, 2),
    "Cropping3D(cropping=((1, 2), (0, 0), (0, 1)), **FIRST)": of(2, 4, 5, 3),
    "DepthwiseConv1D(kernel_size=2, dilation_rate=2, use_bias=False, **FIRST)": of(3, 9),
    "DepthwiseConv1D(kernel_size=3, depth_multiplier=2, strides=2, padding='same')": of(9, 3),
    "DepthwiseConv2D(kernel_size=(2, 3), padding='same', activation='relu', **FIRST)": of(3, 5, 6),
    "Discretization(bin_boundaries=[0.25, 0.5, 0.75], output_mode='count')": of(5),
    "Flatten(**FIRST)": of(3, 4, 5),
    "GlobalAveragePooling2D(keepdims=True)": of(4, 5, 3),
    "GlobalAveragePooling3D()": of(2, 4, 3, 3),
    "GlobalMaxPooling1D(keepdims=True)": of(4, 3),
    "GlobalMaxPooling2D()": of(4, 5, 3),
    "GlobalMaxPooling3D(**FIRST)": of(3, 2, 4, 3),
    "GroupNormalization(groups=-1, scale=False, beta_regularizer='l2')": of(5, 4),
    "GroupNormalization(groups=2, axis=1, center=False)": of(4, 5),
    "GroupNormalization(groups=3)": of(4, 5, 6),
    "MaxPooling2D()": of(7, 8, 3),
    "PReLU(alpha_initializer='ones')": of(5),
    "RMSNormalization(epsilon=0.001)": of(3, 5),
    "Rescaling(scale=[0.5, 2.0], offset=[1.0, 0.0])": of(2),
    "Reshape(target_shape=(2, -1))": of(8),
    "Resizing(height=11, width=5, antialias=True, interpolation='bicubic')": of(9, 7, 3),
    "Resizing(height=4, width=8, crop_to_aspect_ratio=True)": of(9, 7, 3),
    "Resizing(height=4, width=8, pad_to_aspect_ratio=True, fill_value=0.5)": of(9, 7, 3),
    "SeparableConv1D(filters=4, kernel_size=3, depth_multiplier=2, padding='same')": of(9, 3),
    "SeparableConv1D(filters=4, kernel_size=3, dilation_rate=2)": of(9, 3),
    "SeparableConv2D(filters=2, kernel_size=(3, 2), depthwise_regularizer='l2', **FIRST)": of(3, 6, 5),
    "SeparableConv2D(filters=4, kernel_size=3, strides=2, padding='same')": of(7, 8, 3),
    "SpatialDropout3D(rate=0.1, **FIRST)": of(3, 3, 2, 2),
    "UnitNormalization(axis=[1, 2])": of(3, 4),
    "UpSampling1D(size=3)": of(3, 4),
    "UpSampling2D(size=(2, 1), interpolation='bilinear', **FIRST)": of(2, 1, 3),
    "UpSampling2D(size=(2, 3))": of(3, 4, 2),
    "UpSampling2D(size=(2, 3), interpolation='bicubic')": of(4, 3, 2),
    "UpSampling2D(size=2, interpolation='lanczos3', **FIRST)": of(2, 4, 3),
    "UpSampling2D(size=3, interpolation='bilinear')": of(4, 3, 2),
    "UpSampling3D()": of(2, 3, 2, 2),
    "UpSampling3D(size=(1, 2, 3), **FIRST)": of(2, 2, 3, 2),
    "ZeroPadding1D(padding=(2, 1))": of(3, 4),
    "ZeroPadding1D(padding=2, **FIRST)": of(3, 4),
    "ZeroPadding2D(padding=((1, 0), (2, 3)))": of(3, 4, 2),
    "ZeroPadding2D(padding=((1, 0), (2, 3)), **FIRST)": of(2, 3, 4),
    "ZeroPadding3D(padding=(1, 0, 2), **FIRST)": of(2, 2, 3, 2),
    # preparation of data
    "Rescaling(0.5, offset=1.0)": SEQUENCE,
    "Resizing(4, 5)": PICTURE,
    "Resizing(4, 8, crop_to_aspect_ratio=True, interpolation='nearest')": PICTURE,
    "CenterCrop(4, 5)": PICTURE,
    "CategoryEncoding(4, output_mode='count')": INDICES,
    "Discretization([-0.5, 0.5], output_mode='one_hot')": VECTOR,
    "Hashing(5)": WORDS,
    "HashedCrossing(5)": CROSSED,
    "StringLookup(vocabulary=['a', 'b'])": WORDS,
    "IntegerLookup(vocabulary=[1, 2], output_mode='multi_hot')": NUMBERS,
    "TextVectorization(vocabulary=['a', 'b', 'c'], output_sequence_length=4)": TEXT,
    "STFTSpectrogram(frame_length=4, mode='psd')": of(9, 1),
    "MelSpectrogram(fft_length=8, sequence_stride=4, num_mel_bins=3)": of(14),
    "MaxNumBoundingBoxes(3)": PICTURE,
    "Pipeline([Rescaling(2.0), Resizing(3, 4)])": PICTURE,
    # augmentation
    "AugMix(num_chains=2, value_range=(0, 1), seed=1)": PICTURE,
    "AutoContrast(value_range=(0, 1))": PICTURE,
    "ContrastLimitedAdaptiveHistogramEqualization(value_range=(0, 1), tile_grid_size=(2, 3))": PICTURE,
    "CutMix(seed=1)": PICTURE,
    "Equalization(value_range=(0, 1), bins=4)": PICTURE,
    "MixUp(seed=1)": PICTURE,
    "RandAugment(num_ops=1, value_range=(0, 1), seed=1)": PICTURE,
    "RandomBrightness(0.4, value_range=(0, 1), seed=1)": PICTURE,
    "RandomColorDegeneration((0.1, 0.8), value_range=(0, 1), seed=1)": PICTURE,
    "RandomColorJitter((0, 1), brightness_factor=0.3, seed=1)": PICTURE,
    "RandomContrast(0.3, value_range=(0, 1), seed=1)": PICTURE,
    "RandomCrop(4, 5, seed=1)": PICTURE,
    "RandomElasticTransform(0.5, 0.5, value_range=(0, 1), seed=1)": PICTURE,
    "RandomErasing(0.8, value_range=(0, 1), seed=1)": PICTURE,
    "RandomFlip(seed=1)": PICTURE,
    "RandomGaussianBlur(0.8, 3, 1.0, value_range=(0, 1), seed=1)": PICTURE,
    "RandomGrayscale(0.5, seed=1)": PICTURE,
    "RandomHue(0.7, value_range=(0, 1), seed=1)": PICTURE,
    "RandomInvert(0.6, value_range=(0, 1), seed=1)": PICTURE,
    "RandomPerspective(0.7, seed=1)": PICTURE,
    "RandomPosterization(4, value_range=(0, 1), seed=1)": PICTURE,
    "RandomRotation(0.3, seed=1)": PICTURE,
    "RandomSaturation(0.5, value_range=(0, 1), seed=1)": PICTURE,
    "RandomSharpness(0.5, value_range=(0, 1), seed=1)": PICTURE,
    "RandomShear(0.5, 0.2, seed=1)": PICTURE,
    "RandomTranslation(0.3, 0.2, seed=1)": PICTURE,
    "RandomZoom(0.3, seed=1)": PICTURE,
    "Solarization(0.3, threshold_factor=0.4, value_range=(0, 1), seed=1)": PICTURE,
}
# Keras computes these only with TensorFlow.
ALONE = ("Hashing", "HashedCrossing", "StringLookup", "IntegerLookup", "TextVectorization", "ThresholdedReLU")
# Checks in which ours differs from Keras's on purpose.
DIFFERS: dict[str, tuple[str, ...]] = {
    # Keras's result has not the dtype that its symbolic result has, and its summary fails.
    "CategoryEncoding": ("halves", "summary"),
    "ConvLSTM1D": ("masks",),  # Keras broadcasts the mask of a step along an axis of the image
    "ConvLSTM2D": ("masks",),
    "ConvLSTM3D": ("masks",),
    "MaxNumBoundingBoxes": ("configuration",),  # Keras forgets an argument
    # Keras returns images as they are in inference, and its summary fails.
    "RandomCrop": ("beside_keras", "halves", "summary"),
    "RandomFlip": ("summary",),
    "RandomGrayscale": ("configuration",),  # Keras forgets the seed
    "STFTSpectrogram": ("halves",),  # Keras refuses bfloat16
}
# Eagerly it draws only what the layers need that it drew.
LEFT_OUT = {"AugMix": ("randomness",)}
# Classes that are not called.
ABSTRACT = ("InputLayer", "Layer", "Wrapper")
# One program each.
GROUP = 30


def kind_of(text: str) -> str:
    return text.partition("(")[0]


def row_of(text: str, alone: bool = False) -> Tried:
    return Tried(
        text,
        LAYERS[text],
        {"doubled": doubled, "FIRST": {"data_format": "channels_first"}},
        alone or kind_of(text) in ALONE,
    )


def test_no_layer_is_missing() -> None:
    classes = {
        value
        for name in layers.__all__
        if name not in ABSTRACT and isinstance(value := getattr(layers, name), type) and issubclass(value, layers.Layer)
    }
    used = {getattr(layers, kind_of(text)) for text in LAYERS}
    assert not sorted(x.__name__ for x in classes - used)


@pytest.mark.parametrize("text", LAYERS)
def test_layer(text: str, tmp_path: Path) -> None:
    differs, left_out = (frozenset(table.get(kind_of(text), ())) for table in (DIFFERS, LEFT_OUT))
    failed = try_layer(row_of(text), tmp_path, differs, left_out)
    assert not failed, "\n".join(f"{name}: {error}" for name, error in failed.items())


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(LAYERS), GROUP))
def test_compiled(start: int) -> None:
    rows = [row_of(text, alone=True) for text in list(LAYERS)[start : start + GROUP]]
    with graphc.backend("numpy"):
        for row in rows:
            row.build()
    try_compiled([row for row in rows if not row.ours._runs_on_host], "cpu")
