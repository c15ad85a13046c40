"""How an application is made: images, features, a classifier or pooling, a model, weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graphc import config, layers, tree
from graphc.applications.imagenet_utils import CLASSES, obtain_input_shape, validate_activation
from graphc.applications.pretrained import load, weights_of
from graphc.errors import ArgumentError
from graphc.layers import InputLayer
from graphc.models import Functional
from graphc.tracing import KerasTensor, describe, user_line

Step = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments that all applications have: see `DOCUMENTATION`."""

    include_top: bool
    weights: Any
    input_tensor: Any
    input_shape: Any
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str | None

    def check(self) -> None:
        """Checks weights, classes and pooling.

        Raises:
            ArgumentError: if they do not fit each other.
        """
        trained = self.weights == "imagenet"
        if self.weights is not None and not trained and not _exists(self.weights):
            raise _unusable("weights", self.weights, "None, 'imagenet', or the path of a file of weights")
        if trained and self.include_top and self.classes != CLASSES:
            hint = f"{CLASSES}, as the trained classifier has; pass include_top=False for a classifier of your own"
            raise _unusable("classes", self.classes, hint)
        if self.pooling not in (None, "avg", "max"):
            raise _unusable("pooling", self.pooling, "None, 'avg' or 'max'")
        if self.input_tensor is not None and not isinstance(self.input_tensor, KerasTensor):
            raise _unusable("input_tensor", self.input_tensor, "a symbolic tensor, as graphc.Input returns")

    def named(self, default: str) -> Request:
        """These arguments, with a name if they have none."""
        return self if self.name is not None else replace(self, name=default)


def _exists(path: Any) -> bool:
    try:
        return Path(path).exists()
    except (TypeError, ValueError, OSError):
        return False


def _unusable(name: str, value: Any, expected: str) -> ArgumentError:
    return ArgumentError(
        f"{name} cannot be used", where=describe(user_line()), got=f"{name}={value!r}"[:120], expected=expected
    )


def only_channels_last(family: str) -> None:
    """Raises an error if the configured data format is the other."""
    if config.image_data_format() == "channels_first":
        raise ArgumentError(
            f"{family} has images with the channels last only",
            got="channels_first",
            hint='call graphc.config.set_image_data_format("channels_last") first',
        )


def pooled(x: Any, pooling: str | None, named: bool = True) -> Any:
    """The features pooled over each image: their mean, their maximum, or as they are."""
    kinds = {"avg": (layers.GlobalAveragePooling2D, "avg_pool"), "max": (layers.GlobalMaxPooling2D, "max_pool")}
    if pooling is None:
        return x
    layer, name = kinds[pooling]
    return layer(name=name if named else None)(x)


def classified(x: Any, request: Request, **options: Any) -> Any:
    """The classes of pooled features."""
    return layers.Dense(request.classes, activation=request.classifier_activation, name="predictions", **options)(x)


def pool_and_classify(x: Any, request: Request) -> Any:
    """The classifier of most applications: one dense layer on the mean of the features."""
    return classified(pooled(x, "avg"), request)


def assembled(
    request: Request,
    features: Step,
    *,
    size: int = 224,
    smallest: int = 32,
    shape: Any = None,
    top: Callable[[Any, Request], Any] = pool_and_classify,
    without_top: Callable[[Any, Request], Any] = lambda x, request: pooled(x, request.pooling),
    weights: str | None = None,
) -> Any:
    """Makes an application.

    Args:
        request: The user's arguments.
        features: Computes the last features from images.
        size: The default height and width of images.
        smallest: The least.
        shape: The shape of images, where the family has rules of its own.
        top: Computes the classes from the features.
        without_top: What else is computed of them.
        weights: The key of the trained weights in `pretrained.FILES`.

    Returns:
        A functional model.
    """
    request.check()
    if request.include_top:
        validate_activation(request.classifier_activation, request.weights)
    if shape is None:
        data_format = config.image_data_format()
        shape = obtain_input_shape(
            request.input_shape, size, smallest, data_format, request.include_top, request.weights
        )
    image = layers.Input(shape=shape) if request.input_tensor is None else request.input_tensor
    x = features(image)
    outputs = (top if request.include_top else without_top)(x, request)
    inputs = image if request.input_tensor is None else source_inputs(image)
    model = Functional(inputs, outputs, name=request.name)
    if request.weights == "imagenet" and weights is not None:
        load(model, weights_of(weights, request.include_top))
    elif request.weights is not None:
        load(model, Path(request.weights))
    return model


def source_inputs(x: KerasTensor) -> list[KerasTensor]:
    """The inputs of which a symbolic tensor is computed."""
    found: dict[int, KerasTensor] = {}
    seen: set[int] = set()
    stack = [x]
    while stack:
        node = (tensor := stack.pop()).node
        if node is None or isinstance(node.operation, InputLayer):
            found.setdefault(id(tensor), tensor)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.extend(reversed(tree.flatten(node.inputs)))
    return list(found.values())


DOCUMENTATION = """

    Args:
        include_top: Whether the model ends with a classifier.
        weights: None: random ones; `"imagenet"`: those trained on ImageNet, downloaded once; or the path of a file.
        input_tensor: A symbolic tensor to use as images. None: a new input.
        input_shape: The shape of images, without the batch. None: as in training; without a classifier, any.
        pooling: Without a classifier, how features are pooled over each image: None, `"avg"` or `"max"`.
        classes: The number of classes.
        classifier_activation: The activation of the classifier. None: its logits.
        name: The name of the model.{more}

    Returns:
        A functional model.

    Raises:
        ArgumentError: if arguments do not fit each other.
        ShapeError: if images of this shape are too small, or do not fit trained weights.
        FileError: if the weights are neither in the cache nor can be downloaded, or are of another model.
"""


def documented(function: Callable[..., Any], name: str, text: str, more: str = "") -> Callable[..., Any]:
    """Names and documents a function that makes an application.

    Args:
        function: The function.
        name: Its name.
        text: One line that says what it makes.
        more: The documentation of arguments that other applications do not have.
    """
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text + DOCUMENTATION.format(more=more)
    return function


def application(class_name: str, text: str, default_name: str, build: Callable[[Request], Any]) -> Callable[..., Any]:
    """A function with the arguments of most applications.

    Args:
        class_name: Its name.
        text: One line that says what it makes.
        default_name: The default name of the model.
        build: Makes the model.
    """

    def create(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = CLASSES,
        classifier_activation: Any = "softmax",
        name: str | None = default_name,
    ) -> Any:
        return build(
            Request(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)
        )

    return documented(create, class_name, text)
