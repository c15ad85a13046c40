"""Shapes, and structures of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.tracing import KerasTensor, Tensor, Variable, keras_shape
from graphc.tracing.host import HostTensor


def as_tuples(shape: Any) -> Any:
    """Shapes as tuples: JSON stores them as lists."""
    if is_shape(shape):
        return tuple(shape)
    if isinstance(shape, list | tuple):
        return [as_tuples(part) for part in shape]
    return {key: as_tuples(part) for key, part in shape.items()} if isinstance(shape, Mapping) else shape


def is_shape(value: Any) -> bool:
    """Whether a value is a shape, and not a structure of shapes."""
    return isinstance(value, list | tuple) and all(size is None or isinstance(size, int) for size in value)


def map_shapes(function: Callable[[Any], Any], shapes: Any) -> Any:
    """Applies a function to each shape in a structure."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, Mapping):
        return {key: map_shapes(function, part) for key, part in shapes.items()}
    found = [map_shapes(function, part) for part in shapes]
    return tuple(found) if isinstance(shapes, tuple) else found


def shapes_of(value: Any) -> Any:
    """The shapes of the tensors in a structure; None if there are no tensors."""
    if isinstance(value, Tensor | KerasTensor | Variable | HostTensor | np.ndarray):
        return keras_shape(value.shape)
    if isinstance(value, Mapping):
        found = {key: shapes_of(part) for key, part in value.items()}
        return found if any(part is not None for part in found.values()) else None
    if isinstance(value, list | tuple):
        shapes = [shapes_of(part) for part in value]
        return shapes if shapes and all(part is not None for part in shapes) else None
    return None
