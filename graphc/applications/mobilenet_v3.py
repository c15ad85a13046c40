"""MobileNet, third version: blocks found by search, with squeeze and excitation (Howard et al., 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import config, layers
from graphc.applications.blocks import channels, conv, divisible, norm, padded_for_stride
from graphc.applications.building import Request, assembled, documented
from graphc.applications.imagenet_utils import CLASSES, obtain_input_shape
from graphc.applications.mobile import check_same_size, check_width, warn_of_size
from graphc.applications.preparing import decode_predictions, unchanged

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

_NORM = {"epsilon": 1e-3, "momentum": 0.999}
# Of each block: the expansion, the filters, the kernel, the strides, whether there is squeeze and excitation, and
# whether the activation is hard swish and not relu.
Row = tuple[float, int, int, int, bool, bool]
_SMALL: tuple[Row, ...] = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
)
_LARGE: tuple[Row, ...] = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
)
_MORE = """
        alpha: By what the number of filters is multiplied.
        minimalistic: Whether to leave out squeeze and excitation, hard swish, and kernels of 5x5.
        dropout_rate: The rate of dropout before the classifier.
        include_preprocessing: Whether the model scales images itself, from 0 to 255."""


def _active(x: Any, swish: bool) -> Any:
    return (layers.Activation("hard_swish") if swish else layers.ReLU())(x)


def _excited(inputs: Any, filters: int, prefix: str) -> Any:
    prefix = f"{prefix}squeeze_excite_"
    x = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}avg_pool")(inputs)
    x = conv(x, divisible(filters * 0.25), 1, f"{prefix}conv", padding="same")
    x = conv(layers.ReLU(name=f"{prefix}relu")(x), filters, 1, f"{prefix}conv_1", padding="same")
    x = layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{prefix}mul")([inputs, x])


def _block(inputs: Any, row: Row, number: int) -> Any:
    expansion, filters, kernel, strides, excites, swish = row
    x, prefix = inputs, f"expanded_conv_{number}_" if number else "expanded_conv_"
    expanded = divisible(channels(x) * expansion)
    if number:
        x = conv(x, expanded, 1, f"{prefix}expand", padding="same", use_bias=False)
        x = _active(norm(x, f"{prefix}expand_bn", **_NORM), swish)
    if strides == 2:
        x = padded_for_stride(x, kernel, f"{prefix}depthwise_pad")
    padding = "same" if strides == 1 else "valid"
    options: dict[str, Any] = {"strides": strides, "padding": padding, "use_bias": False, "name": f"{prefix}depthwise"}
    x = layers.DepthwiseConv2D(kernel, **options)(x)
    x = _active(norm(x, f"{prefix}depthwise_bn", **_NORM), swish)
    if excites:
        x = _excited(x, expanded, prefix)
    x = norm(conv(x, filters, 1, f"{prefix}project", padding="same", use_bias=False), f"{prefix}project_bn", **_NORM)
    return layers.Add(name=f"{prefix}add")([inputs, x]) if strides == 1 and channels(inputs) == filters else x


def _simple(row: Row) -> Row:
    """A block of a minimalistic network."""
    expansion, filters, _, strides, _, _ = row
    return expansion, filters, 3, strides, False, False


def _shape(request: Request) -> tuple[Any, ...]:
    """The shape of images: any size, with a classifier, too, since that is made of convolutions."""
    check_same_size(request)
    given = request.input_shape
    if given is None and request.input_tensor is not None:
        given = tuple(request.input_tensor.shape)[1:]
    return obtain_input_shape(given, 224, 32, config.image_data_format(), False, request.weights)


def _trained(shape: tuple[Any, ...], kind: str, minimalistic: bool, alpha: float) -> str:
    """The key of the trained weights."""
    check_width(alpha, (1.0,) if minimalistic else (0.75, 1.0))
    if tuple(size for size in shape if size != 3) != (224, 224):
        warn_of_size((224,))
    return f"mobilenet_v3_{kind}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}"


def _mobilenet(kind: str, rows: tuple[Row, ...], last: int) -> Callable[..., Any]:
    class_name = f"MobileNetV3{kind}"

    def create(
        input_shape: Any = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        classes: int = CLASSES,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str | None = class_name,
    ) -> Any:
        request = Request(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        shape = _shape(request)
        swish = not minimalistic

        def features(x: Any) -> Any:
            x = layers.Rescaling(1 / 127.5, offset=-1.0)(x) if include_preprocessing else x
            x = norm(conv(x, 16, 3, "conv", strides=2, padding="same", use_bias=False), "conv_bn", **_NORM)
            x = _active(x, swish)
            for number, row in enumerate(map(_simple, rows) if minimalistic else rows):
                x = _block(x, (row[0], divisible(row[1] * alpha), *row[2:]), number)
            x = conv(x, divisible(channels(x) * 6), 1, "conv_1", padding="same", use_bias=False)
            return _active(norm(x, "conv_1_bn", **_NORM), swish)

        def top(x: Any, request: Request) -> Any:
            x = layers.GlobalAveragePooling2D(keepdims=True)(x)
            x = conv(x, divisible(last * alpha) if alpha > 1 else last, 1, "conv_2", padding="same")
            x = _active(x, swish)
            if dropout_rate > 0:
                x = layers.Dropout(dropout_rate)(x)
            x = layers.Flatten()(conv(x, classes, 1, "logits", padding="same"))
            return layers.Activation(classifier_activation, name="predictions")(x)

        key = _trained(shape, kind.lower(), minimalistic, alpha) if weights == "imagenet" else None
        return assembled(request, features, shape=shape, top=top, weights=key)

    return documented(create, class_name, f"{class_name}: {len(rows)} blocks found by search.", _MORE)


MobileNetV3Small = _mobilenet("Small", _SMALL, 1024)
MobileNetV3Large = _mobilenet("Large", _LARGE, 1280)
preprocess_input = unchanged
