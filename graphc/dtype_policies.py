"""Dtype policies: the compute dtype of a layer and the dtype of its weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from graphc import config as settings
from graphc import dtypes, ops
from graphc.errors import ArgumentError, DTypeError
from graphc.registration import Configurable, deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import KerasTensor, Tensor


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
        try:
            self.compute_dtype = dtypes.as_dtype(mixed).name
        except DTypeError:
            self.compute_dtype = ""
        if not self.compute_dtype or (mixed != self.name and self.compute_dtype not in ("float16", "bfloat16")):
            known = "a dtype, mixed_float16 or mixed_bfloat16"
            raise ArgumentError("there is no such dtype policy", got=repr(name)[:80], expected=known)
        self.variable_dtype = "float32" if mixed != self.name else self.compute_dtype

    @property
    def quantization_mode(self) -> None:
        """None: nothing is quantized."""
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """An input of a layer in its compute dtype, if it is one of floats; arrays become tensors.

        Args:
            x: Tensor, array or number; anything else stays as it is.
            autocast: Whether tensors of floats are cast.
            dtype: The dtype.
        """
        if isinstance(x, Tensor | KerasTensor) or hasattr(x, "__tensor__"):
            floats = dtypes.as_dtype(x.dtype).is_float
            return ops.cast(x, dtype) if autocast and floats and x.dtype != dtype else x
        if not hasattr(x, "__array__"):
            return x
        tensor = ops.convert_to_tensor(x)
        return ops.cast(tensor, dtype) if autocast and tensor.type.dtype.is_float else tensor

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


@exported("keras.dtype_policies")
class DTypePolicyMap(DTypePolicy, MutableMapping[str, DTypePolicy]):
    """Policies by the paths of layers, which may be regular expressions; a default one for other paths.

    Args:
        default_policy: A policy or its name. None: that of `config.dtype_policy()`.
        policy_map: Dictionary of path to policy.

    Raises:
        ArgumentError: if the default is a map, or a path matches several.
        DTypeError: if `policy_map` is no dictionary.

    Example:

    >>> policies = DTypePolicyMap()
    >>> policies["decoder/.*"] = "bfloat16"
    >>> policies["decoder/dense"].name, policies["encoder/dense"].name
    ('bfloat16', 'float32')
    """

    def __init__(self, default_policy: Any = None, policy_map: Any = None) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ArgumentError("the default policy of a map is no map", got=repr(default_policy)[:80])
        if policy_map is not None and not isinstance(policy_map, dict):
            raise DTypeError("policy_map is a dictionary of path to policy", got=repr(policy_map)[:80])
        self._default = default_policy
        self._policies = {path: get(policy) for path, policy in (policy_map or {}).items()}
        super().__init__(self.default_policy.name)
        self.name = f"map_{self.default_policy.name}"

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths that match none."""
        return get(self._default)

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policies:
            return self._policies[key]
        found = [path for path in self._policies if re.fullmatch(path, key)]
        if len(found) > 1:
            raise ArgumentError(f"the path {key!r} matches several policies", got=", ".join(found))
        return self._policies[found[0]] if found else self.default_policy

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self._policies:
            raise ArgumentError(f"there is a policy for {key!r} already", got=repr(self._policies[key]))
        self._policies[key] = get(value)

    def __delitem__(self, key: str) -> None:
        del self._policies[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policies

    def __len__(self) -> int:
        return len(self._policies)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, DTypePolicyMap) and other.default_policy == self.default_policy
        return same and isinstance(other, DTypePolicyMap) and other._policies == self._policies

    def __hash__(self) -> int:
        return id(self)  # it can be changed

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal object."""
        policies = {path: serialize_keras_object(policy) for path, policy in self._policies.items()}
        default = self._default.name if isinstance(self._default, DTypePolicy) else self._default
        return {"default_policy": default, "policy_map": policies}

    def __repr__(self) -> str:
        return f"<DTypePolicyMap default={self.default_policy.name}, {len(self)} paths>"


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
    name = get(policy).name if policy is not None else None
    if name is None:
        raise ArgumentError("a dtype policy has a name", got=repr(policy), expected="such as 'float32'")
    settings.set_default_policy(name)


def get(identifier: Any) -> DTypePolicy:
    """Resolves a name, a dtype, a configuration or a policy to a policy; None resolves to the default.

    Raises:
        ArgumentError: if it is none of these, or a map of policies, of which the one of a path is to be taken.
    """
    if isinstance(identifier, DTypePolicyMap):
        raise ArgumentError("a layer has one policy, and no map of them", hint="pass `policies[path]`")
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return get(deserialize_keras_object(identifier))
    if identifier is None or isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.as_dtype(identifier).name)


def serialize(dtype_policy: DTypePolicy) -> Any:
    """A policy as a configuration."""
    return serialize_keras_object(dtype_policy)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The policy that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
