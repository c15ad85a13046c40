"""Constraints: projections that are applied to weights after every update."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphc import config as settings
from graphc import ops
from graphc.ops.elementwise import in_float, in_wide
from graphc.parameters import Kind, configured
from graphc.registration import Configurable, deserialize_keras_object, exported, resolve, serialize_keras_object

_MODULE = "keras.constraints"


class Constraint(Configurable):
    """Projects a weight onto its constraint. Subclasses define `__call__`."""

    _kinds = MappingProxyType({"axis": Kind("Axis or axes of a vector.")})

    def __call__(self, w: Any) -> Any:
        """The projected weight: here the weight itself."""
        return w


def _length(w: Any, axis: Any) -> Any:
    return ops.cast(ops.sqrt(ops.sum(ops.square(in_wide(w)), axis=axis, keepdims=True)), in_float(w).dtype)


@exported(_MODULE, "max_norm")
@configured
class MaxNorm(Constraint):
    """Scales vectors whose norm exceeds a maximum down to it.

    Args:
        max_value: The limit.

    Example:

    >>> MaxNorm(1.0)([[3.0], [4.0]]).numpy().round(4).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    max_value: float = 2
    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        """The projected weight."""
        length = _length(w, self.axis)
        return ops.multiply(w, ops.clip(length, 0, self.max_value) / (settings.epsilon() + length))


@exported(_MODULE, "non_neg")
class NonNeg(Constraint):
    """Sets negative numbers to 0.

    Example:

    >>> NonNeg()([-1.0, 2.0]).numpy()
    array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        """The projected weight."""
        return ops.maximum(w, 0.0)


@exported(_MODULE, "unit_norm")
@configured
class UnitNorm(Constraint):
    """Normalizes vectors to norm one.

    Example:

    >>> UnitNorm()([[3.0], [4.0]]).numpy().round(4).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        """The projected weight."""
        return ops.divide(w, settings.epsilon() + _length(w, self.axis))


@exported(_MODULE, "min_max_norm")
@configured
class MinMaxNorm(Constraint):
    """Scales vectors, fully or in part, to a norm between two bounds.

    Args:
        min_value: The minimum norm.
        max_value: The maximum norm.
        rate: The fraction of the correction that is applied, from 0 to 1.

    Example:

    >>> MinMaxNorm(0.0, 1.0)([[3.0], [4.0]]).numpy().round(4).tolist()
    [[0.6000000238418579], [0.800000011920929]]
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        """The projected weight."""
        length = _length(w, self.axis)
        wanted = self.rate * ops.clip(length, self.min_value, self.max_value) + (1 - self.rate) * length
        return ops.multiply(w, wanted / (settings.epsilon() + length))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_NAMES: Mapping[str, Any] = MappingProxyType(
    {
        **{"max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm},
        **{"MaxNorm": MaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm, "MinMaxNorm": MinMaxNorm},
    }
)


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration, a class or a function to a constraint.

    Raises:
        ArgumentError: if it cannot be resolved.
    """
    return resolve("constraint", identifier, _NAMES)


def serialize(constraint: Any) -> Any:
    """A constraint as a configuration."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The constraint that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
