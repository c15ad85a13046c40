"""What the tests of applications compare: the parts of a model, and its outputs with weights that are set.

`python -m tests.applications.applications` records them of Keras's models, which take minutes to make.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RECORD = Path(__file__).with_name("keras_applications.json")
# One of each family, and the size of its images in the fast tests.
SIZES = {
    "VGG16": 32,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "EfficientNetV2S": 64,
    "InceptionV3": 80,
    "InceptionResNetV2": 80,
    "Xception": 80,
    "DenseNet121": 64,
    "NASNetMobile": 64,
    "ConvNeXtTiny": 64,
}


def parts(model: Any) -> dict[str, Any]:
    """The number of layers and weights, and a digest of their names, shapes and order."""
    names = [layer.name for layer in model.layers]
    weights = [[w.name, list(w.shape), bool(w.trainable)] for w in model.weights]
    digest = hashlib.sha256(json.dumps([names, weights]).encode()).hexdigest()
    return {"name": model.name, "layers": len(names), "weights": len(weights), "digest": digest}


def set_weights(model: Any) -> None:
    """Sets random weights that keep numbers in range."""
    rng = np.random.default_rng(0)

    def drawn(name: str, shape: tuple[int, ...]) -> Any:
        if name in ("mean", "variance", "count"):  # the statistics of images stay as they are
            return np.full(shape, name == "variance", "int32" if name == "count" else "float32")
        if name in ("gamma", "moving_variance"):
            return rng.uniform(0.5, 1.5, shape).astype("float32")
        spread = 0.1 if len(shape) < 2 else np.prod(shape[:-1]) ** -0.5
        return (spread * rng.standard_normal(shape)).astype("float32")

    model.set_weights([drawn(w.name, tuple(w.shape)) for w in model.weights])


def without_values(make: Callable[[], Any]) -> Any:
    """A model of Keras whose weights have no values: initializers, compiled for each shape, would take minutes."""
    import keras  # noqa: PLC0415

    keras.utils.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        return make()


def with_zeros(make: Callable[[], Any]) -> Any:
    """Likewise; its weights are zeros."""
    import keras  # noqa: PLC0415

    model = without_values(make)
    for variable in model.variables:
        variable._initialize(keras.ops.convert_to_tensor(np.zeros(variable.shape, variable.dtype)))
    return model


def small(applications: Any, name: str) -> Any:
    """A model of 7 classes for small images."""
    return getattr(applications, name)(weights=None, input_shape=(SIZES[name],) * 2 + (3,), classes=7)


def images(name: str) -> Any:
    """Two random images."""
    return np.random.default_rng(1).uniform(0, 255, (2, SIZES[name], SIZES[name], 3)).astype("float32")


def record() -> None:
    """Records Keras's models that are not recorded yet."""
    import keras  # noqa: PLC0415

    found = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for name in SIZES:
        if name in found:
            continue
        model = with_zeros(lambda name=name: small(keras.applications, name))
        found[name] = parts(model)
        set_weights(model)
        found[name]["outputs"] = [[round(float(x), 7) for x in row] for row in model.predict(images(name), verbose=0)]
        RECORD.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    record()
