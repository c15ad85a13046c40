"""Layers that work on strings and Python's integers: they compute in Python, on the host, before a model runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.errors import StateError
from graphc.layers.layer import Layer
from graphc.tracing import Array, Tensor, has_symbolic


class HostLayer(Layer):
    """The base class of these layers. `call` gets arrays, or what the caller gave."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs.

        Raises:
            StateError: if it is called on symbolic tensors, or in a compiled function.
        """
        traced = any(isinstance(arg, Tensor) and arg.traced is not None for arg in (*args, *kwargs.values()))
        if has_symbolic(args, kwargs) or traced:
            raise self._located(
                StateError(
                    f"{type(self).__name__} computes on the host, and cannot be part of a model or function",
                    hint="apply it to the data before: in `map` of a data set, or on arrays",
                )
            )
        self.built = True
        return self.call(*args, **kwargs)


def is_batch(data: Any) -> bool:
    """Whether data are one array, and not an iterable of batches."""
    return isinstance(data, list | tuple | np.ndarray | Tensor) or hasattr(data, "__array__")


def batches_of(data: Any, steps: int | None) -> Iterator[Any]:
    """The first batches of an iterable."""
    for step, batch in enumerate(data):
        if steps is not None and step >= steps:
            return
        yield batch


def text_array(values: Any, encoding: str = "utf-8") -> Array:
    """Strings, bytes, or arrays, lists and columns of them, as an array of strings."""
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, encoding)
    if array.dtype.kind == "O":
        plain = [x.decode(encoding) if isinstance(x, bytes) else str(x) for x in array.ravel()]
        return np.array(plain, dtype=str).reshape(array.shape)
    return array.astype(str)
