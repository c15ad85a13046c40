"""Signatures of calls: which arguments are tensors, and which are Python values that choose what is traced.

Tensors, arrays and what NumPy can read are inputs of the compiled program, known by dtype and shape. Everything else is
part of the key: Booleans, numbers, text and None by value, variables, layers and other objects by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import dtypes, tree
from graphc.tracing import Array, Tensor, Variable, as_tensor

# Values that are compared by their value and type.
_STATIC = frozenset((bool, int, float, complex, str, bytes, type(None)))
_DTYPES = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.bits < 64 or (dtype.is_complex and dtype.bits == 64))


@dataclass(frozen=True, slots=True)
class Identity:
    """An object that is compared by identity; it is kept alive, so that no other object gets its identity."""

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value


@dataclass(slots=True)
class Call:
    """The arguments of a call, taken apart.

    Args:
        structure: The tree spec of `(args, kwargs)`.
        parts: For each leaf the dtype and the number of axes of a tensor, or the value of another argument.
        arrays: The tensors' arrays.
        leaves: The leaves.
    """

    structure: Any
    parts: tuple[Any, ...]
    arrays: list[Array]
    leaves: list[Any]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the tensors."""
        return tuple([array.shape for array in self.arrays])

    @property
    def kind(self) -> tuple[Any, ...]:
        """What calls have in common that differ in the tensors' values alone."""
        return self.structure, self.parts, self.shapes

    def filled(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and keyword arguments, with tensors in the places of the arrays."""
        given = iter(tensors)
        leaves = [
            next(given) if type(part) is TensorPart else leaf
            for part, leaf in zip(self.parts, self.leaves, strict=True)
        ]
        args, kwargs = tree.unflatten(self.structure, leaves)
        return args, kwargs


@dataclass(frozen=True, slots=True)
class TensorPart:
    """A tensor among the arguments.

    Args:
        dtype: Its dtype.
        rank: The number of its axes.
    """

    dtype: np.dtype[Any]
    rank: int

    def __str__(self) -> str:
        return f"a tensor {self.dtype.name} of rank {self.rank}"


def call_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Takes the arguments of a call apart."""
    leaves, structure = tree.flatten_with_spec((args, kwargs))
    parts: list[Any] = []
    arrays: list[Array] = []
    for leaf in leaves:
        kind = type(leaf)
        if kind is np.ndarray and leaf.dtype in _DTYPES:
            array = leaf
        elif kind is Tensor:
            array = leaf.array
        elif kind in _STATIC:
            parts.append((kind, repr(leaf) if kind is float or kind is complex else leaf))
            continue
        elif isinstance(leaf, Variable) or not hasattr(leaf, "__array__"):
            parts.append(Identity(leaf))
            continue
        else:
            array = as_tensor(leaf).array
        arrays.append(array)
        parts.append(TensorPart(array.dtype, array.ndim))
    return Call(structure, tuple(parts), arrays, leaves)


def difference(function: Callable[..., Any], old: tuple[Any, ...], new: tuple[Any, ...]) -> str:
    """What differs between two keys: each a tree spec, parts, shapes and further settings.

    Args:
        function: The function that was called.
        old: The key of an earlier call.
        new: The key of this call.
    """
    if old[0] != new[0]:
        return f"the nesting of the arguments: {new[0]} after {old[0]}"
    names = tree.paths(tree.unflatten(new[0], list(range(len(new[1])))))
    shapes = iter(zip(old[2], new[2], strict=False))
    for path, before, after in zip(names, old[1], new[1], strict=False):
        where = f"argument {_argument(function, path)}"
        if type(before) is TensorPart and type(after) is TensorPart:
            pair = next(shapes, ((), ()))
            if before == after and pair[0] != pair[1]:
                return f"the shape of {where}: {pair[1]} after {pair[0]}"
        if before != after:
            return f"{where}: {_shown(after)} after {_shown(before)}"
    return "the configuration, or rules of your own primitives"


def _argument(function: Callable[..., Any], path: tuple[Any, ...]) -> str:
    """The name of the argument in which a leaf of `(args, kwargs)` lies."""
    side, key, *rest = path
    code = getattr(function, "__code__", None)
    name = repr(key)
    if side == 0 and code is not None and key < code.co_argcount:
        name = repr(code.co_varnames[key])
    return name + "".join(f"[{part!r}]" for part in rest)


def _shown(part: Any) -> str:
    if isinstance(part, TensorPart):
        return str(part)
    value = part.value if isinstance(part, Identity) else part[1]
    return repr(value)[:40]
