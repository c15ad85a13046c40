"""Layers: the building blocks of models."""

from typing import TYPE_CHECKING

from graphc import lazy
from graphc.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from graphc.layers.attention import AdditiveAttention, Attention
from graphc.layers.attention_heads import MultiHeadAttention
from graphc.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from graphc.layers.convolutional import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from graphc.layers.core import (
    Activation,
    Dense,
    Embedding,
    Identity,
    Input,
    InputLayer,
    Lambda,
    Masking,
    ReversibleEmbedding,
)
from graphc.layers.depthwise import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from graphc.layers.einsum_dense import EinsumDense
from graphc.layers.grouped_query_attention import GroupedQueryAttention, GroupQueryAttention
from graphc.layers.input_spec import InputSpec
from graphc.layers.layer import Layer
from graphc.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from graphc.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from graphc.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from graphc.layers.recurrent import RNN
from graphc.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from graphc.layers.recurrent_layers import GRU, LSTM, SimpleRNN
from graphc.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from graphc.layers.reshaping import Flatten, Permute, RepeatVector, Rescaling, Reshape
from graphc.layers.resizing import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from graphc.layers.serialization import deserialize, serialize
from graphc.layers.spectral_normalization import SpectralNormalization
from graphc.layers.stacked_cells import StackedRNNCells
from graphc.layers.transposed import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Convolution1DTranspose,
    Convolution2DTranspose,
    Convolution3DTranspose,
)
from graphc.layers.wrappers import Bidirectional, TimeDistributed, Wrapper
from graphc.registration import exported_later

if TYPE_CHECKING:
    from graphc.preprocessing_layers.categories import CategoryEncoding, Discretization
    from graphc.preprocessing_layers.color import (
        RandomBrightness,
        RandomColorDegeneration,
        RandomContrast,
        RandomGrayscale,
        RandomHue,
        RandomInvert,
        RandomPosterization,
        RandomSaturation,
        RandomSharpness,
        Solarization,
    )
    from graphc.preprocessing_layers.distortion import RandomElasticTransform, RandomPerspective
    from graphc.preprocessing_layers.equalization import (
        AutoContrast,
        ContrastLimitedAdaptiveHistogramEqualization,
        Equalization,
    )
    from graphc.preprocessing_layers.geometry import (
        RandomCrop,
        RandomFlip,
        RandomRotation,
        RandomShear,
        RandomTranslation,
        RandomZoom,
    )
    from graphc.preprocessing_layers.hashing import HashedCrossing, Hashing
    from graphc.preprocessing_layers.images import CenterCrop, Resizing
    from graphc.preprocessing_layers.mixing import CutMix, MaxNumBoundingBoxes, MixUp, RandomErasing, RandomGaussianBlur
    from graphc.preprocessing_layers.normalization import Normalization
    from graphc.preprocessing_layers.policies import AugMix, Pipeline, RandAugment, RandomColorJitter
    from graphc.preprocessing_layers.spectrograms import MelSpectrogram, STFTSpectrogram
    from graphc.preprocessing_layers.text import TextVectorization
    from graphc.preprocessing_layers.vocabulary import IntegerLookup, StringLookup

# What prepares data is imported when it is first used; the block above tells the same to type checkers.
_PREPROCESSING = (
    *("AugMix", "AutoContrast", "CategoryEncoding", "CenterCrop"),
    *("ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "Discretization", "Equalization"),
    *("HashedCrossing", "Hashing", "IntegerLookup", "MaxNumBoundingBoxes", "MelSpectrogram", "MixUp"),
    *("Normalization", "Pipeline", "RandAugment", "RandomBrightness", "RandomColorDegeneration"),
    *("RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing"),
    *("RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear"),
    *("RandomTranslation", "RandomZoom", "Resizing", "STFTSpectrogram", "Solarization", "StringLookup"),
    "TextVectorization",
)
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, (), dict.fromkeys(_PREPROCESSING, "graphc.preprocessing_layers"))
exported_later("keras.layers", _PREPROCESSING, "graphc.preprocessing_layers")

__all__ = ["ELU", "GRU", "LSTM", "RNN", "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D"]
__all__ += ["AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D"]
__all__ += ["AdaptiveMaxPooling3D", "Add", "AdditiveAttention", "AlphaDropout", "Attention", "AugMix", "AutoContrast"]
__all__ += ["Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D"]
__all__ += ["AvgPool3D", "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop", "Concatenate"]
__all__ += ["ContrastLimitedAdaptiveHistogramEqualization", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose"]
__all__ += ["Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Convolution1D"]
__all__ += ["Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose", "Convolution3D"]
__all__ += ["Convolution3DTranspose", "Cropping1D", "Cropping2D", "Cropping3D", "CutMix", "Dense", "DepthwiseConv1D"]
__all__ += ["DepthwiseConv2D", "Discretization", "Dot", "Dropout", "EinsumDense", "Embedding", "Equalization"]
__all__ += ["Flatten", "GRUCell", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D"]
__all__ += ["GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D"]
__all__ += ["GlobalAvgPool3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalMaxPooling1D"]
__all__ += ["GlobalMaxPooling2D", "GlobalMaxPooling3D", "GroupNormalization", "GroupQueryAttention"]
__all__ += ["GroupedQueryAttention", "HashedCrossing", "Hashing", "Identity", "Input", "InputLayer", "InputSpec"]
__all__ += ["IntegerLookup", "LSTMCell", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking"]
__all__ += ["MaxNumBoundingBoxes", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D"]
__all__ += ["MaxPooling3D", "Maximum", "MelSpectrogram", "Minimum", "MixUp", "MultiHeadAttention", "Multiply"]
__all__ += ["Normalization", "PReLU", "Permute", "Pipeline", "RMSNormalization", "RandAugment", "RandomBrightness"]
__all__ += ["RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform"]
__all__ += ["RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert"]
__all__ += ["RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"]
__all__ += ["RandomShear", "RandomTranslation", "RandomZoom", "ReLU", "RepeatVector", "Rescaling", "Reshape"]
__all__ += ["Resizing", "ReversibleEmbedding", "STFTSpectrogram", "SeparableConv1D", "SeparableConv2D"]
__all__ += ["SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN", "SimpleRNNCell", "Softmax"]
__all__ += ["Solarization", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization"]
__all__ += ["StackedRNNCells", "StringLookup", "Subtract", "TextVectorization", "ThresholdedReLU", "TimeDistributed"]
__all__ += ["UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D", "Wrapper", "ZeroPadding1D"]
__all__ += ["ZeroPadding2D", "ZeroPadding3D", "add", "average", "concatenate", "deserialize", "dot", "maximum"]
__all__ += ["minimum", "multiply", "serialize", "subtract"]
