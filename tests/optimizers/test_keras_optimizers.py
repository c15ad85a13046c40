"""Optimizers against Keras 3 on JAX: same weights and gradients, same weights after some steps; same configuration."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pytest

from graphc import optimizers
from graphc.tracing import Variable

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.01, "clipnorm": 0.5}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "use_ema": True, "ema_overwrite_frequency": 2}),
    ("Adam", {"amsgrad": True, "clipvalue": 0.1}),
    ("Adam", {"use_ema": True}),
    ("AdamW", {"global_clipnorm": 0.3}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True}),
    ("Adagrad", {}),
    ("Adamax", {}),
    ("Lion", {}),
    ("Adadelta", {"rho": 0.9}),
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 0.5, "clip_threshold": 0.5}),
    ("Ftrl", {"learning_rate": 0.1, "beta": 0.2, "l2_regularization_strength": 0.1}),
    ("Ftrl", {"l1_regularization_strength": 0.3, "l2_shrinkage_regularization_strength": 0.1, "learning_rate": 0.5}),
    ("Lamb", {"weight_decay": 0.01}),
    ("Nadam", {"learning_rate": 0.1}),
    ("Muon", {"learning_rate": 0.1}),
    ("Muon", {"nesterov": False, "rms_rate": None, "ns_steps": 2, "adam_lr_ratio": 0.5, "exclude_layers": ["none"]}),
    ("Muon", {"exclude_layers": ["w"], "adam_weight_decay": 0.1, "weight_decay": None, "clipnorm": 1.0}),
    ("Muon", {"muon_a": 3.0, "muon_b": -3.2, "muon_c": 1.2, "adam_weight_decay": None, "adam_beta_1": 0.5}),
    ("ScheduleFreeAdamW", {}),
    (
        "ScheduleFreeAdamW",
        {"learning_rate": 0.1, "warmup_steps": 3, "beta_1": 0.8, "weight_decay": 0.1, "use_ema": True},
    ),
    *(
        (n, {"weight_decay": 0.05, "gradient_accumulation_steps": 2})
        for n in ("SGD", "Adam", "Muon", "ScheduleFreeAdamW")
    ),
]
SCHEDULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ExponentialDecay", (0.1, 10, 0.9), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 10, 0.9), {}),
    ("PiecewiseConstantDecay", ([5, 10], [0.1, 0.05, 0.01]), {}),
    ("PolynomialDecay", (0.1, 10), {"power": 2.0, "cycle": True}),
    ("CosineDecay", (0.1, 10), {"warmup_target": 0.2, "warmup_steps": 4}),
    ("CosineDecayRestarts", (0.1, 7), {"m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 5), {"t_mul": 1.0}),
]


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "options"), CASES, ids=name_of)
def test_steps(name: str, options: dict[str, Any]) -> None:
    ours, theirs = getattr(optimizers, name)(**options), getattr(keras.optimizers, name)(**options)
    rng = np.random.default_rng(0)
    first = [rng.normal(size=shape).astype("float32") for shape in ((3, 2), (4,))]
    mine, other = [Variable(w, name="w") for w in first], [keras.Variable(w, name="w") for w in first]
    for _ in range(4):
        grads = [rng.normal(size=w.shape).astype("float32") for w in first]
        ours.apply_gradients(zip(grads, mine, strict=True))
        theirs.apply_gradients(list(zip(map(keras.ops.convert_to_tensor, grads), other, strict=True)))
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b.value), rtol=1e-5, atol=1e-6)
    # Automatic names are numbered.
    names = [[re.sub(r"^variable_\d+$", "variable", v.name) for v in each.variables] for each in (ours, theirs)]
    assert names[0] == names[1]
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b.value), rtol=1e-5, atol=1e-6, err_msg=a.path)
    assert {**ours.get_config(), "name": ""} == {**theirs.get_config(), "name": ""}


@pytest.mark.parametrize(("name", "args", "options"), SCHEDULES, ids=name_of)
def test_schedules(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    ours = getattr(optimizers.schedules, name)(*args, **options)
    theirs = getattr(keras.optimizers.schedules, name)(*args, **options)
    for step in (0, 3, 5, 6, 10, 17):
        np.testing.assert_allclose(float(ours(step)), float(theirs(step)), rtol=1e-5, err_msg=str(step))
    assert ours.get_config() == theirs.get_config()


def test_names_of_optimizers_in_any_case() -> None:
    for name in ("adafactor", "SGD", "AdamW", "rmsprop"):
        made = optimizers.deserialize({"class_name": name, "config": {"learning_rate": 0.5}})
        assert type(made).__name__.lower() == name.lower() and float(made.learning_rate) == 0.5
