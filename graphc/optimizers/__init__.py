"""Optimizers: by name and as classes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphc.errors import ArgumentError
from graphc.optimizers import legacy, schedules
from graphc.optimizers.adadelta import Adadelta
from graphc.optimizers.adafactor import Adafactor
from graphc.optimizers.adagrad import Adagrad
from graphc.optimizers.adam import Adam
from graphc.optimizers.adamax import Adamax
from graphc.optimizers.adamw import AdamW
from graphc.optimizers.ftrl import Ftrl
from graphc.optimizers.lamb import Lamb
from graphc.optimizers.lion import Lion
from graphc.optimizers.loss_scale_optimizer import LossScaleOptimizer
from graphc.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from graphc.optimizers.muon import Muon
from graphc.optimizers.nadam import Nadam
from graphc.optimizers.optimizer import Optimizer
from graphc.optimizers.rmsprop import RMSprop
from graphc.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from graphc.optimizers.sgd import SGD
from graphc.registration import deserialize_keras_object, resolve, serialize_keras_object

_CLASSES: tuple[Any, ...] = (
    *(Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer, MultiOptimizer, Muon),
    *(Nadam, RMSprop, SGD, ScheduleFreeAdamW),
)
_NAMES: Mapping[str, Any] = MappingProxyType(
    {cls.__name__: cls for cls in _CLASSES} | {cls.__name__.lower(): cls for cls in _CLASSES}
)


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration or a class to an optimizer.

    Raises:
        ArgumentError: if it cannot be resolved; the message has the nearest names.

    Example:

    >>> get("adam").name.startswith("adam")
    True
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str) and identifier.lower() in _NAMES:  # in any case, as in Keras
        identifier = identifier.lower()
    found = deserialize(identifier) if isinstance(identifier, dict) else resolve("optimizer", identifier, _NAMES)
    if found is not None and not isinstance(found, Optimizer):
        raise ArgumentError("this is no optimizer", got=repr(identifier)[:80])
    return found


def serialize(optimizer: Any) -> Any:
    """An optimizer as a configuration."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The optimizer that a configuration describes."""
    name = config.get("class_name") if isinstance(config, dict) else None
    if isinstance(name, str) and name.lower() in _NAMES:  # in any case, as in Keras
        config = {**config, "class_name": _NAMES[name.lower()].__name__}
    return deserialize_keras_object(config, custom_objects)


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
