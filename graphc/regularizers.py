"""Regularizers: penalties on weights that are added to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphc import ops
from graphc.errors import ArgumentError, ShapeError
from graphc.ops.elementwise import in_float, in_wide
from graphc.parameters import configured
from graphc.registration import Configurable, deserialize_keras_object, exported, resolve, serialize_keras_object

_MODULE = "keras.regularizers"


class Regularizer(Configurable):
    """Computes the penalty of a weight, a scalar. Subclasses define `__call__`."""

    def __call__(self, x: Any) -> Any:
        """The penalty: here none."""
        return 0.0


def _factor(value: Any, name: str, default: float = 0.0) -> float:
    number = default if value is None else value
    if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number < math.inf:
        raise ArgumentError(f"{name} is a number, 0 or more", got=repr(value))
    return float(number)


def _like(x: Any, penalty: Any) -> Any:
    """A penalty, which was computed in float32 for halves, in the dtype of the weight."""
    return ops.cast(penalty, in_float(x).dtype)


@exported(_MODULE, "l1_l2")
@configured
class L1L2(Regularizer):
    """`l1 * sum(abs(x)) + l2 * sum(x * x)`.

    Args:
        l1: A number, 0 or more.
        l2: A number, 0 or more.

    Example:

    >>> L1L2(l1=1.0, l2=2.0)([1.0, -2.0]).numpy().item()
    13.0
    """

    l1: Any = 0.0
    l2: Any = 0.0

    def _prepare(self) -> None:
        self.l1, self.l2 = _factor(self.l1, "l1"), _factor(self.l2, "l2")

    def __call__(self, x: Any) -> Any:
        """The penalty."""
        wide = in_wide(x)
        parts = [self.l1 * ops.sum(ops.abs(wide))] if self.l1 else []
        parts += [self.l2 * ops.sum(ops.square(wide))] if self.l2 else []
        return _like(x, sum(parts[1:], parts[0])) if parts else ops.convert_to_tensor(0.0)


@exported(_MODULE, "l1")
@configured
class L1(Regularizer):
    """`l1 * sum(abs(x))`.

    Args:
        l1: A number, 0 or more.

    Example:

    >>> L1(0.5)([1.0, -2.0]).numpy().item()
    1.5
    """

    l1: Any = 0.01

    def _prepare(self) -> None:
        self.l1 = _factor(self.l1, "l1", 0.01)

    def __call__(self, x: Any) -> Any:
        """The penalty."""
        return _like(x, self.l1 * ops.sum(ops.abs(in_wide(x))))


@exported(_MODULE, "l2")
@configured
class L2(Regularizer):
    """`l2 * sum(x * x)`.

    Args:
        l2: A number, 0 or more.

    Example:

    >>> L2(0.5)([1.0, -2.0]).numpy().item()
    2.5
    """

    l2: Any = 0.01

    def _prepare(self) -> None:
        self.l2 = _factor(self.l2, "l2", 0.01)

    def __call__(self, x: Any) -> Any:
        """The penalty."""
        return _like(x, self.l2 * ops.sum(ops.square(in_wide(x))))


@exported(_MODULE, "orthogonal_regularizer")
@configured
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean of the absolute cosines between the rows (or columns) of a matrix.

    Args:
        factor: A number, 0 or more.
        mode: `"rows"` or `"columns"`.

    Raises:
        ArgumentError: if the mode is unknown.

    Example:

    >>> OrthogonalRegularizer(1.0)([[1.0, 0.0], [0.0, 1.0]]).numpy().item()
    0.0
    """

    factor: Any = 0.01
    mode: str = "rows"

    def _prepare(self) -> None:
        if self.mode not in ("rows", "columns"):
            raise ArgumentError(
                "unknown mode of OrthogonalRegularizer", got=repr(self.mode), expected="rows or columns"
            )
        self.factor = _factor(self.factor, "factor")

    def __call__(self, x: Any) -> Any:
        """The penalty."""
        matrix = in_wide(x)
        if matrix.ndim != 2:
            raise ShapeError("OrthogonalRegularizer takes a matrix", got=str(matrix.type))
        rows = matrix if self.mode == "rows" else ops.transpose(matrix)
        rows = ops.normalize(rows, axis=1)
        size = int(rows.shape[0])
        cosines = ops.abs(ops.matmul(rows, ops.transpose(rows)) * (1.0 - ops.eye(size)))
        return _like(x, self.factor * 0.5 * ops.sum(cosines) / max(1.0, size * (size - 1) / 2))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_NAMES: Mapping[str, Any] = MappingProxyType(
    {
        **{"l1": L1, "l2": L2, "l1_l2": L1L2, "l1l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer},
        **{"L1": L1, "L2": L2, "L1L2": L1L2, "OrthogonalRegularizer": OrthogonalRegularizer},
    }
)


def get(identifier: Any) -> Any:
    """Resolves a name, a configuration, a class or a function to a regularizer.

    Raises:
        ArgumentError: if it cannot be resolved.
    """
    return resolve("regularizer", identifier, _NAMES)


def serialize(regularizer: Any) -> Any:
    """A regularizer as a configuration."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The regularizer that a configuration describes."""
    return deserialize_keras_object(config, custom_objects)
