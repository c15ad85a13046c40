"""Normalizations in training, and initializers, beside Keras 3 on JAX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from graphc import initializers, layers

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RENORM = {"renorm": True, "renorm_clipping": {"rmin": 0.9, "rmax": 1.4, "dmax": 0.5}, "renorm_momentum": 0.8}


@pytest.mark.parametrize(
    ("name", "options"), [("BatchNormalization", {}), ("BatchNormalization", RENORM), ("LayerNormalization", {})]
)
def test_training_of_normalizations(name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    x = np.random.default_rng(0).normal(3, 2, (6, 4)).astype("float32")
    call = {"training": True} if name == "BatchNormalization" else {}
    for step in range(3 if options else 0):
        np.testing.assert_allclose(ours(x * step, **call), np.asarray(theirs(x * step, **call)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours(x, **call).numpy(), np.asarray(theirs(x, **call)), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_initializers_have_the_spread_of_keras_s() -> None:
    shape = (64, 96)
    for name in ("glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"):
        ours = initializers.get(name)(shape).numpy()
        theirs = np.asarray(keras.initializers.get(name)(shape))
        assert abs(ours.mean()) < 0.01
        np.testing.assert_allclose(ours.std(), theirs.std(), rtol=0.05, err_msg=name)
        assert abs(ours).max() <= abs(theirs).max() * 1.05
        assert initializers.get(name).get_config() == keras.initializers.get(name).get_config()
