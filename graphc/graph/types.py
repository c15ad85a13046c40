"""The parts of graphs: types, references, origins, attributes, nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from graphc import dims
from graphc.dims import Dim, IntExpr, Shape
from graphc.dtypes import DType, as_dtype
from graphc.errors import GraphcError


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a value: a size in each axis, and an element type."""

    shape: Shape
    dtype: DType

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> Dim:
        """The number of elements of the tensor."""
        return dims.product(self.shape)

    @property
    def nbytes(self) -> Dim:
        """The number of bytes of the tensor, stored densely."""
        return self.elements * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name}[{', '.join(map(str, self.shape))}]"


@lru_cache(maxsize=4096)
def type_of_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> TensorType:
    """The type of an array with this shape and dtype: the same object for the same of both."""
    return TensorType(shape, as_dtype(dtype))


class Ref(NamedTuple):
    """A reference to one output of a node; the inputs of nodes are such references."""

    node: int
    out: int = 0

    def __str__(self) -> str:
        return f"%{self.node}" if self.out == 0 else f"%{self.node}.{self.out}"


class Origin(NamedTuple):
    """The origin of a node: the path of a layer, and a line of the user's code. Unknown parts are empty."""

    layer: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file else ""
        return " ".join(part for part in (self.layer, place) if part) or "?"


Loc = tuple[Origin, ...]


def union(*locs: Loc) -> Loc:
    """The union of origins, each once, in a fixed order."""
    first = locs[0]
    if all(loc == first for loc in locs):
        return first
    return tuple(sorted({origin for loc in locs for origin in loc}))


def at_origin(error: GraphcError, loc: Loc) -> GraphcError:
    """The error with the layer and the line of the user's code, unless it names them already."""
    origin = loc[-1] if loc else Origin()
    return error.locate(layer=origin.layer or None, where=f"{origin.file}:{origin.line}" if origin.file else None)


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A constant tensor as an attribute: immutable, and equal to another by its contents."""

    dtype: DType
    shape: tuple[int, ...]
    data: bytes
    hashed: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hashed", hash((self.dtype.name, self.shape, self.data)))

    @classmethod
    def of(cls, values: np.ndarray[Any, Any]) -> Array:
        """The constant that holds these values."""
        return cls(as_dtype(values.dtype), values.shape, np.ascontiguousarray(values).tobytes())

    def numpy(self) -> np.ndarray[Any, Any]:
        """The values; not writable."""
        return np.frombuffer(self.data, dtype=self.dtype.numpy).reshape(self.shape)

    def __hash__(self) -> int:
        return self.hashed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Array):
            return NotImplemented
        return (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)

    def __repr__(self) -> str:
        return f"Array({self.dtype.name}{list(self.shape)})"


class Attrs(Mapping[str, Any]):
    """The attributes of a node: an immutable mapping of names to hashable values.

    Values are None, booleans, numbers, strings, sizes, dtypes, `Array`s, `Graph`s, and tuples of these.
    """

    __slots__ = ("_hash", "_items", "_key")

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(sorted(items.items()))
        # 1, 1.0 and True are equal in Python, but not to a compiler: the hash and equality include types.
        self._key = tuple((name, _typed(value)) for name, value in self._items.items())
        self._hash = hash(self._key)

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attrs):
            return NotImplemented
        return self._hash == other._hash and self._key == other._key

    def __repr__(self) -> str:
        return repr(self._items)


def _typed(value: Any) -> Any:
    """A key that also distinguishes values that are equal in Python."""
    if isinstance(value, tuple):
        return tuple(_typed(part) for part in value)
    # repr distinguishes 0.0 from -0.0, and is the same for all NaNs.
    return type(value), repr(value) if isinstance(value, float | complex) else value


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph: its name, operands, attributes, types of results, and origins."""

    id: int
    op: str
    attrs: Attrs
    inputs: tuple[Ref, ...]
    outs: tuple[TensorType, ...]
    loc: Loc = ()


def resolve(attr: Any, sizes: Mapping[str, int]) -> Any:
    """An attribute with the symbolic sizes in it replaced by numbers."""
    if isinstance(attr, IntExpr):
        return dims.evaluate(attr, sizes)
    if isinstance(attr, tuple):
        return tuple(resolve(part, sizes) for part in attr)
    return attr


def substitute_sizes(attr: Any, sizes: Mapping[str, Dim]) -> Any:
    """An attribute with some symbolic sizes in it replaced by others."""
    if isinstance(attr, IntExpr):
        return dims.substitute(attr, sizes)
    if isinstance(attr, tuple):
        return tuple(substitute_sizes(part, sizes) for part in attr)
    return attr
