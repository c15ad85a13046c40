"""Models of images that are known by name, with weights trained on ImageNet or without."""

from typing import TYPE_CHECKING

from graphc import lazy

if TYPE_CHECKING:
    from graphc.applications import (
        convnext,
        densenet,
        efficientnet,
        efficientnet_v2,
        imagenet_utils,
        inception_resnet_v2,
        inception_v3,
        mobilenet,
        mobilenet_v2,
        mobilenet_v3,
        nasnet,
        resnet,
        resnet50,
        resnet_v2,
        vgg16,
        vgg19,
        xception,
    )
    from graphc.applications.convnext import ConvNeXtBase, ConvNeXtLarge, ConvNeXtSmall, ConvNeXtTiny, ConvNeXtXLarge
    from graphc.applications.densenet import DenseNet121, DenseNet169, DenseNet201
    from graphc.applications.efficientnet import (
        EfficientNetB0,
        EfficientNetB1,
        EfficientNetB2,
        EfficientNetB3,
        EfficientNetB4,
        EfficientNetB5,
        EfficientNetB6,
        EfficientNetB7,
    )
    from graphc.applications.efficientnet_v2 import (
        EfficientNetV2B0,
        EfficientNetV2B1,
        EfficientNetV2B2,
        EfficientNetV2B3,
        EfficientNetV2L,
        EfficientNetV2M,
        EfficientNetV2S,
    )
    from graphc.applications.inception_resnet_v2 import InceptionResNetV2
    from graphc.applications.inception_v3 import InceptionV3
    from graphc.applications.mobilenet import MobileNet
    from graphc.applications.mobilenet_v2 import MobileNetV2
    from graphc.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
    from graphc.applications.nasnet import NASNetLarge, NASNetMobile
    from graphc.applications.resnet import ResNet50, ResNet101, ResNet152
    from graphc.applications.resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2
    from graphc.applications.vgg16 import VGG16
    from graphc.applications.vgg19 import VGG19
    from graphc.applications.xception import Xception

_SUBMODULES = (
    "convnext",
    "densenet",
    "efficientnet",
    "efficientnet_v2",
    "imagenet_utils",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "resnet",
    "resnet50",
    "resnet_v2",
    "vgg16",
    "vgg19",
    "xception",
)
# The module of each model.
_MEMBERS = {
    **dict.fromkeys(
        ("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
        "graphc.applications.convnext",
    ),
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), "graphc.applications.densenet"),
    **dict.fromkeys(
        (
            "EfficientNetB0",
            "EfficientNetB1",
            "EfficientNetB2",
            "EfficientNetB3",
            "EfficientNetB4",
            "EfficientNetB5",
            "EfficientNetB6",
            "EfficientNetB7",
        ),
        "graphc.applications.efficientnet",
    ),
    **dict.fromkeys(
        (
            "EfficientNetV2B0",
            "EfficientNetV2B1",
            "EfficientNetV2B2",
            "EfficientNetV2B3",
            "EfficientNetV2L",
            "EfficientNetV2M",
            "EfficientNetV2S",
        ),
        "graphc.applications.efficientnet_v2",
    ),
    "InceptionResNetV2": "graphc.applications.inception_resnet_v2",
    "InceptionV3": "graphc.applications.inception_v3",
    "MobileNet": "graphc.applications.mobilenet",
    "MobileNetV2": "graphc.applications.mobilenet_v2",
    **dict.fromkeys(("MobileNetV3Large", "MobileNetV3Small"), "graphc.applications.mobilenet_v3"),
    **dict.fromkeys(("NASNetLarge", "NASNetMobile"), "graphc.applications.nasnet"),
    **dict.fromkeys(("ResNet101", "ResNet152", "ResNet50"), "graphc.applications.resnet"),
    **dict.fromkeys(("ResNet101V2", "ResNet152V2", "ResNet50V2"), "graphc.applications.resnet_v2"),
    "VGG16": "graphc.applications.vgg16",
    "VGG19": "graphc.applications.vgg19",
    "Xception": "graphc.applications.xception",
}
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy.attributes(__name__, _SUBMODULES, _MEMBERS)

__all__ = [
    "VGG16",
    "VGG19",
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "Xception",
    "convnext",
    "densenet",
    "efficientnet",
    "efficientnet_v2",
    "imagenet_utils",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "resnet",
    "resnet50",
    "resnet_v2",
    "vgg16",
    "vgg19",
    "xception",
]
