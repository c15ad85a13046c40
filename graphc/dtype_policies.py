"""Dtype policies: the compute dtype of a layer and the dtype of its weights."""

from __future__ import annotations

from typing import Any

from graphc import config as settings
from graphc import dtypes
from graphc.errors import ArgumentError
from graphc.registration import Configurable, deserialize_keras_object, exported, serialize_keras_object


@exported("keras", "FloatDTypePolicy")
class DTypePolicy(Configurable):
    """A dtype for computation and one for weights.

    Args:
        name: A dtype, for both; or `"mixed_float16"` or `"mixed_bfloat16"`: compute in the half type, keep weights in
            float32. None: the default float dtype.

    Raises:
        ArgumentError: if it is neither.

    Example:

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = (settings.current().dtype_policy or settings.floatx()) if name is None else name
        if not isinstance(self.name, str):
            raise ArgumentError("a dtype policy has a name", got=repr(name), expected="such as 'float32'")
        mixed = self.name.removeprefix("mixed_")
        self.compute_dtype = dtypes.as_dtype(mixed).name
        self.variable_dtype = "float32" if mixed != self.name else self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        return {"name": self.name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


FloatDTypePolicy = DTypePolicy


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one."""
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Sets the policy of layers that are made without one.

    Args:
        policy: A `DTypePolicy`, or its name, such as `"mixed_float16"`.

    Raises:
        ArgumentError: if it is neither.

    Example:

    >>> from graphc import config
    >>> config.set_dtype_policy("mixed_bfloat16")
    >>> config.dtype_policy().compute_dtype
    'bfloat16'
    >>> config.set_default_policy(None)
    """
    name = policy.name if isinstance(policy, DTypePolicy) else policy
    settings.set_default_policy(name)


def get(identifier: Any) -> DTypePolicy:
    """Resolves a name, a dtype, a configuration or a policy to a policy; None resolves to the default."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        policy: DTypePolicy = deserialize_keras_object(identifier)
        return policy
    if identifier is None or (isinstance(identifier, str) and identifier.startswith("mixed_")):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.as_dtype(identifier).name)


def serialize(dtype_policy: DTypePolicy) -> Any:
    """A policy as a configuration."""
    return serialize_keras_object(dtype_policy)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The policy that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
