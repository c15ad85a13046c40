"""Several layers that change images, one after another or drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphc import ops, random
from graphc.layers.arguments import signature_of
from graphc.layers.layer import Layer
from graphc.parameters import configured
from graphc.preprocessing_layers.augmentation import ColorLayer, GeometricLayer
from graphc.preprocessing_layers.color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomHue,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from graphc.preprocessing_layers.equalization import AutoContrast, Equalization
from graphc.preprocessing_layers.geometry import RandomRotation, RandomShear, RandomTranslation
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import as_tensor, current_trace, get_mask

_MODULE = "keras.layers"


@exported(_MODULE)
class Pipeline(Layer):
    """Layers that are applied one after another: to data, or in a model.

    Args:
        layers: A list of layers.
        name: Its name.

    Example:

    >>> from graphc import layers
    >>> Pipeline([layers.Rescaling(0.5), layers.RandomFlip(seed=1)])(ops.ones((2, 4, 4, 3))).shape
    (2, 4, 4, 3)
    """

    _builds_when_called = False

    def __init__(self, layers: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._pipeline_layers = list(layers)

    @property
    def layers(self) -> list[Any]:
        """The layers."""
        return self._pipeline_layers

    def call(self, inputs: Any, training: bool = True, mask: Any = None) -> Any:
        """The outputs of the last layer."""
        for layer in self._pipeline_layers:
            known = {"training": training, "mask": mask}
            takes = signature_of(type(layer).call).parameters
            inputs = layer(inputs, **{name: value for name, value in known.items() if name in takes})
            mask = None if isinstance(inputs, dict | list | tuple) else get_mask(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal layer."""
        return {"layers": [serialize_keras_object(layer) for layer in self._pipeline_layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a layer from a configuration that `get_config` returned."""
        return cls(**{**config, "layers": [deserialize_keras_object(layer) for layer in config["layers"]]})


@exported(_MODULE)
@configured
class RandomColorJitter(ColorLayer):
    """In training, changes brightness, contrast, saturation and hue at random, one after another.

    Args:
        brightness_factor: As of `RandomBrightness`. None: it stays.
        contrast_factor: As of `RandomContrast`. None: it stays.
        saturation_factor: As of `RandomSaturation`. None: it stays.
        hue_factor: As of `RandomHue`. None: it stays.

    Example:

    >>> RandomColorJitter(brightness_factor=0.2, seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    value_range: Any = (0, 255)
    brightness_factor: Any = None
    contrast_factor: Any = None
    saturation_factor: Any = None
    hue_factor: Any = None
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        options = {"value_range": self.value_range, "seed": self.seed, "data_format": self.data_format}
        kinds: tuple[tuple[str, type[Any]], ...] = (
            ("brightness", RandomBrightness),
            ("contrast", RandomContrast),
            ("saturation", RandomSaturation),
            ("hue", RandomHue),
        )
        self._changes: list[Any] = []
        for name, kind in kinds:
            factor = getattr(self, f"{name}_factor")
            layer = None if factor is None else kind(factor=factor, **options)
            setattr(self, f"random_{name}", layer)
            self._changes += [] if layer is None else [layer]

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The changed images."""
        if not training:
            return as_tensor(images)
        images = ops.cast(images, self.compute_dtype)
        for layer in self._changes:
            images = layer.transform_images(images, layer.get_random_transformation(images, seed=self.generator))
        return ops.cast(images, self.compute_dtype)


class _Drawn(GeometricLayer):
    """The base class of layers that apply some of many layers, which are drawn at random."""

    _FACTOR_BOUNDS = (0, 1)
    _names: ClassVar[tuple[str, ...]]
    value_range: Any
    interpolation: Any

    def _make_parts(self, names: tuple[str, ...]) -> None:
        """Creates the layers that may be drawn, as attributes."""
        data_format, seed, span = self.data_format, self.seed, self.factor
        common: dict[str, Any] = {
            "data_format": data_format,
            "bounding_box_format": self.bounding_box_format,
            "dtype": self.dtype_policy,
        }
        moving = {**common, "interpolation": self.interpolation, "seed": seed}
        colors = {**common, "value_range": self.value_range, "seed": seed}
        both = {"x_factor": span, "y_factor": span}, {"height_factor": span, "width_factor": span}
        bits = max(1, int(8 * span[1]))
        made: dict[str, tuple[type[Any], dict[str, Any]]] = {
            "random_shear": (RandomShear, {**both[0], **moving}),
            "random_translation": (RandomTranslation, {**both[1], **moving}),
            "random_rotation": (RandomRotation, {"factor": span, **moving}),
            "random_brightness": (RandomBrightness, {"factor": span, **colors}),
            "random_color_degeneration": (RandomColorDegeneration, {"factor": span, **colors}),
            "random_contrast": (RandomContrast, {"factor": span, **colors}),
            "random_sharpness": (RandomSharpness, {"factor": span, **colors}),
            "random_posterization": (RandomPosterization, {"factor": bits, **colors}),
            "solarization": (Solarization, {"addition_factor": span, "threshold_factor": span, **colors}),
            "auto_contrast": (AutoContrast, {"value_range": self.value_range, **common}),
            "equalization": (Equalization, {"value_range": self.value_range, **common}),
        }
        for name in names:
            kind, options = made[name]
            setattr(self, name, kind(**options))

    def _apply(self, index: Any, method: str, value: Any, transforms: dict[str, Any]) -> Any:
        """What the layer of an index, which is drawn, makes of images, masks or boxes; of others, themselves."""

        def branch(name: str) -> Callable[[Any], Any]:
            return lambda x: _alike(getattr(getattr(self, name), method)(x, transforms[name]), x)

        chosen = [*map(branch, transforms), lambda x: x]
        return ops.switch(index, chosen, value)


def _alike(found: Any, before: Any) -> Any:
    """What a layer returned, in the dtypes that it got."""
    if isinstance(before, dict):
        return {key: _alike(found[key], value) for key, value in before.items()}
    return ops.cast(found, before.dtype)


@exported(_MODULE)
@configured
class RandAugment(_Drawn):
    """In training, applies a few changes, which are drawn from eleven kinds (Cubuk et al., 2020).

    Args:
        num_ops: How many are applied, one after another.
        factor: How strong they are: a number from 0 to 1, the largest, or two.

    Example:

    >>> RandAugment(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _AUGMENT_LAYERS = (
        *("random_shear", "random_translation", "random_rotation", "random_brightness", "random_color_degeneration"),
        *("random_contrast", "random_sharpness", "random_posterization", "solarization", "auto_contrast"),
        "equalization",
    )
    value_range: Any = (0, 255)
    num_ops: int = 2
    factor: Any = 0.5
    interpolation: str = "bilinear"
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self._make_parts(self._AUGMENT_LAYERS)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The numbers of the layers, and a transformation for each of them."""
        if not training:
            return None
        generator = self._generator(seed)
        drawn = random.randint((self.num_ops,), 0, len(self._AUGMENT_LAYERS), seed=generator)
        transforms = {
            name: getattr(self, name).get_random_transformation(data, training=training, seed=generator)
            for name in self._AUGMENT_LAYERS
        }
        return {"transforms": transforms, "layer_idxes": drawn}

    def _transformed(self, method: str, value: Any, transformation: Any) -> Any:
        indices = as_tensor(transformation["layer_idxes"])
        for i in range(self.num_ops):
            value = self._apply(indices[i], method, value, transformation["transforms"])
        return value

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The changed images."""
        images = ops.cast(images, self.compute_dtype)
        return self._transformed("transform_images", images, transformation) if training else images

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The boxes in the changed images."""
        if not training:
            return bounding_boxes
        return self._transformed("transform_bounding_boxes", bounding_boxes, transformation)

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The masks of the changed images."""
        if not training:
            return segmentation_masks
        masks = as_tensor(segmentation_masks)
        return self._transformed("transform_segmentation_masks", masks, transformation)


@exported(_MODULE)
@configured
class AugMix(_Drawn):
    """In training, a mean of images that were changed in several ways (Hendrycks et al., 2020).

    Args:
        num_chains: The number of ways.
        chain_depth: How many changes, which are drawn at random, each way has.
        factor: How strong they are: a number from 0 to 1, the largest, or two.
        alpha: The parameter of the distributions from which the weights are drawn.
        all_ops: Whether brightness, saturation, contrast and sharpness may be changed, too.

    Example:

    >>> AugMix(seed=1)(ops.ones((2, 4, 4, 3)), training=True).shape
    (2, 4, 4, 3)
    """

    _AUGMENT_LAYERS = (
        *("random_shear", "random_translation", "random_rotation", "random_posterization", "solarization"),
        *("auto_contrast", "equalization"),
    )
    _MORE_LAYERS = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")
    value_range: Any = (0, 255)
    num_chains: int = 3
    chain_depth: int = 3
    factor: Any = 0.3
    alpha: float = 1.0
    all_ops: bool = True
    interpolation: str = "bilinear"
    seed: Any = None
    data_format: Any = None

    def _prepare(self) -> None:
        super()._prepare()
        self._augment_layers = self._AUGMENT_LAYERS + (self._MORE_LAYERS if self.all_ops else ())
        self._make_parts(self._augment_layers)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The weights, and the changes of each way."""
        if not training:
            return None
        generator = self._generator(seed)
        parts = random.gamma((self.num_chains,), self.alpha, seed=generator)
        weight = random.beta((), self.alpha, self.alpha, seed=generator)
        chains = [[self._change(data, generator) for _ in range(self.chain_depth)] for _ in range(self.num_chains)]
        return {
            "chain_mixing_weights": parts / ops.sum(parts, axis=-1, keepdims=True),
            "weight_sample": weight,
            "chain_transforms": [[change for change in chain if change is not None] for chain in chains],
        }

    def _change(self, data: Any, generator: Any) -> Any:
        """One change of a way, or None. In a program the number of its layer is drawn at each step."""
        names = self._augment_layers
        index = random.randint((), 0, len(names) + 1, seed=generator)
        if current_trace() is not None:
            transforms = {name: getattr(self, name).get_random_transformation(data, seed=generator) for name in names}
            return {"layer_idx": index, "transforms": transforms}
        if int(index) == len(names):
            return None
        name = names[int(index)]
        transformation = getattr(self, name).get_random_transformation(data, seed=generator)
        return {"layer_name": name, "transformation": transformation}

    def _mixture(self, method: str, value: Any, transformation: Any) -> Any:
        weights, share = (
            as_tensor(ops.cast(transformation[name], self.compute_dtype))
            for name in ("chain_mixing_weights", "weight_sample")
        )
        total: Any = 0.0
        for i, chain in enumerate(transformation["chain_transforms"]):
            changed = value
            for change in chain:
                if "layer_name" in change:
                    layer = getattr(self, change["layer_name"])
                    changed = getattr(layer, method)(changed, change["transformation"])
                else:
                    changed = self._apply(change["layer_idx"], method, changed, change["transforms"])
            total = total + changed * weights[i]
        return share * value + (1 - share) * total

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The mixed images."""
        images = ops.cast(images, self.compute_dtype)
        if training:
            images = self._clipped(self._mixture("transform_images", images, transformation), self.value_range)
        return ops.cast(images, self.compute_dtype)

    def transform_bounding_boxes(self, bounding_boxes: Any, transformation: Any, training: bool = True) -> Any:
        """The bounding boxes, unchanged."""
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The mixed masks."""
        if not training:
            return segmentation_masks
        masks = ops.cast(segmentation_masks, self.compute_dtype)
        return self._mixture("transform_segmentation_masks", masks, transformation)
