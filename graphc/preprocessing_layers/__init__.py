"""Layers that prepare data: images, categories, texts. They are names of `graphc.layers`, too."""

from graphc.preprocessing_layers.categories import (
    CategoryEncoding,
    Discretization,
)
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
from graphc.preprocessing_layers.distortion import (
    RandomElasticTransform,
    RandomPerspective,
)
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
from graphc.preprocessing_layers.hashing import (
    HashedCrossing,
    Hashing,
)
from graphc.preprocessing_layers.images import (
    CenterCrop,
    Resizing,
)
from graphc.preprocessing_layers.mixing import (
    CutMix,
    MaxNumBoundingBoxes,
    MixUp,
    RandomErasing,
    RandomGaussianBlur,
)
from graphc.preprocessing_layers.normalization import (
    Normalization,
)
from graphc.preprocessing_layers.policies import (
    AugMix,
    Pipeline,
    RandAugment,
    RandomColorJitter,
)
from graphc.preprocessing_layers.text import (
    TextVectorization,
)
from graphc.preprocessing_layers.vocabulary import (
    IntegerLookup,
    StringLookup,
)

__all__ = [
    "AugMix",
    "AutoContrast",
    "CategoryEncoding",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Discretization",
    "Equalization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MaxNumBoundingBoxes",
    "MixUp",
    "Normalization",
    "Pipeline",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "Solarization",
    "StringLookup",
    "TextVectorization",
]
