"""Each class that is made of arguments, with an unusual value of each: the configuration is Keras's, and comes back."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest

import graphc

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

MODULES = ("losses", "metrics", "optimizers", "optimizers.schedules", "initializers", "regularizers", "constraints")
# Base classes, those that are made of others, which other tests try, and those of Keras 2.
LEFT_OUT = {
    *("Loss", "Metric", "Optimizer", "LearningRateSchedule", "Initializer", "Regularizer", "Constraint"),
    *("MeanMetricWrapper", "LossFunctionWrapper", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"),
}
# Values of arguments by their names, where their defaults tell too little.
VALUES: dict[str, Any] = {
    "axis": 0,
    "average": "macro",
    "boundaries": [10, 20],
    "class_aggregation": None,
    "class_id": 1,
    "clipnorm": 0.5,
    "clipvalue": None,
    "curve": "PR",
    "decay_rate": 0.5,
    "decay_steps": 20,
    "distribution": "uniform",
    "dtype": "float16",
    "ema_overwrite_frequency": 3,
    "exclude_layers": ["head"],
    "first_decay_steps": 30,
    "global_clipnorm": None,
    "gradient_accumulation_steps": 4,
    "ignore_class": 1,
    "initial_learning_rate": 0.25,
    "input_axes": [0],
    "label_weights": None,
    "learning_rate_power": -0.25,
    "loss_scale_factor": 8.0,
    "mode": "fan_out",
    "name": "known",
    "num_classes": 4,
    "num_labels": None,
    "output_axes": [1],
    "precision": 0.5,
    "q": 0.25,
    "recall": 0.5,
    "reduction": "sum",
    "scaling": "spectrum",
    "seed": 7,
    "sensitivity": 0.5,
    "side": "imag",
    "specificity": 0.5,
    "summation_method": "majoring",
    "target_class_ids": [1],
    "threshold": 0.25,
    "thresholds": [0.25, 0.75],
    "top_k": 2,
    "value": 3.0,
    "values": [0.5, 0.25, 0.125],
    "warmup_target": 0.5,
    "weight_decay": 0.125,
    "window": "hamming",
}
SPECIAL: dict[tuple[str, str], Any] = {
    ("AUC", "num_thresholds"): 4,  # those that are given, and both ends
    ("BinaryIoU", "dtype"): "float32",
    ("OrthogonalRegularizer", "mode"): "columns",
    ("Precision", "thresholds"): 0.25,
    ("R2Score", "num_regressors"): 2,
}
# What Keras's configurations lack.
LOST = {
    ("losses", "CosineSimilarity", "axis"),
    ("losses", "Huber", "delta"),
    ("losses", "SparseCategoricalCrossentropy", "axis"),
    ("metrics", "CosineSimilarity", "axis"),
    ("metrics", "SparseTopKCategoricalAccuracy", "from_sorted_ids"),
    ("initializers", "Identity", "gain"),
}


def _classes() -> list[Any]:
    found = []
    for module in MODULES:
        package = keras
        for part in module.split("."):
            package = getattr(package, part)
        for name in dir(package):
            cls = getattr(package, name)
            if inspect.isclass(cls) and cls.__name__ == name and name not in LEFT_OUT:
                found.append(pytest.param(module, name, id=f"{module}.{name}"))
    return found


def _of(library: Any, module: str, name: str) -> Any:
    for part in (*module.split("."), name):
        library = getattr(library, part)
    return library


def _unusual(name: str, parameter: inspect.Parameter) -> Any:
    if (name, parameter.name) in SPECIAL:
        return SPECIAL[name, parameter.name]
    if parameter.name in VALUES:
        return VALUES[parameter.name]
    default = parameter.default
    assert isinstance(default, bool | int | float), f"{name} has an argument that is not known here: {parameter.name}"
    return (
        not default if isinstance(default, bool) else default + 1 if isinstance(default, int) else default * 0.5 + 0.25
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-6)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("module", "name"), _classes())
def test_configuration(module: str, name: str) -> None:
    mine, theirs = _of(graphc, module, name), _of(keras, module, name)
    parameters = [p for p in list(inspect.signature(theirs.__init__).parameters.values())[1:] if p.kind not in (2, 4)]
    arguments = {p.name: _unusual(name, p) for p in parameters}
    wanted, made = theirs(**arguments).get_config(), mine(**arguments)
    config = made.get_config()
    assert {key: config.get(key, "missing") for key in wanted} == _plain(wanted)
    assert {(module, name, key) for key in config.keys() - wanted.keys()} <= LOST
    # Each argument is in the configuration, or is what others are made of.
    for key, value in arguments.items():
        if key in config:
            assert np.all(config[key] == _plain(value)), key
    again = type(made).from_config(config)
    assert again.get_config() == config
    # By position, in Keras's order.
    assert mine(*arguments.values()).get_config() == config
    # The defaults.
    required = {p.name: arguments[p.name] for p in parameters if p.default is p.empty}
    bare, bare_theirs = mine(**required).get_config(), theirs(**required).get_config()
    for both in (bare, bare_theirs):
        both["name"] = None if both.get("name") is None else both["name"].rstrip("_0123456789")
    assert {key: bare[key] for key in bare_theirs} == _plain(bare_theirs)
