"""Elements of data sets: structures of tensors and text, how they are stacked to batches and taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import config, dtypes, tree
from graphc.errors import DataError
from graphc.tracing import Array, Tensor

# How text that is no UTF-8 is kept, so that `.numpy()` gives the bytes of the file again.
_ERRORS = "surrogateescape"


class Text(str):
    """A text in a data set: a `str` that can be asked for its `numpy()`, like a tensor.

    Example:

    >>> Text("a b").split(), Text("a").numpy()
    (['a', 'b'], b'a')
    """

    __slots__ = ()
    shape = ()
    dtype = "string"

    def numpy(self) -> bytes:
        """The text in UTF-8, as a string tensor of TensorFlow gives it."""
        return self.encode("utf-8", _ERRORS)

    def __getnewargs__(self) -> tuple[str]:
        return (str(self),)


class Strings(np.ndarray):
    """An array of texts: a NumPy array of `str`, whose elements are `Text`.

    Example:

    >>> texts = as_leaf(["one", "two"])
    >>> texts[0], texts.numpy().tolist()
    ('one', [b'one', b'two'])
    """

    def __getitem__(self, index: Any) -> Any:
        return _with_text(super().__getitem__(index))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def numpy(self) -> Array:
        """An array of the texts in UTF-8, as a string tensor of TensorFlow gives it."""
        encoded = np.empty(self.shape, object)
        encoded.reshape(-1)[:] = [text.encode("utf-8", _ERRORS) for text in np.asarray(self).reshape(-1)]
        return encoded


def _with_text(value: Any) -> Any:
    return Text(value) if isinstance(value, str) else value


def decoded(data: bytes) -> Text:
    """The text that bytes are in UTF-8; other bytes are kept."""
    return Text(data.decode("utf-8", _ERRORS))


@dataclass(frozen=True)
class ElementSpec:
    """The shape and dtype of a part of an element; the number of rows of a batch is None where it varies."""

    shape: tuple[int | None, ...]
    dtype: str


def as_leaf(value: Any) -> Any:
    """A value as a part of an element: a tensor, `Strings`, or `Text`.

    Python numbers get the dtypes that they have in tensors; arrays keep theirs.

    Raises:
        DataError: if it is neither numbers nor text.
    """
    if isinstance(value, Tensor | Text | Strings):
        return value
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, bytes):
        return decoded(value)
    tensor = getattr(value, "__tensor__", None)
    if tensor is not None:
        return tensor()
    try:
        array = np.asarray(value)
    except ValueError as error:
        hint = "pad them to one shape, or use `padded_batch`"
        raise DataError("parts of an element differ in shape", got=repr(value)[:80], hint=hint) from error
    if array.dtype.kind in "OSU":
        return _strings(array, value)
    if isinstance(value, bool | int | float | complex | list | tuple) and array.dtype.kind in "if":
        array = array.astype(config.floatx() if array.dtype.kind == "f" else _integers(array))
    if array.dtype not in _KNOWN:
        raise DataError("an element of a data set is numbers or text", got=f"dtype {array.dtype}")
    return Tensor(array)


_KNOWN = frozenset(dtype.numpy for dtype in dtypes.ALL)


def _integers(array: Array) -> type:
    small = not array.size or (array.min() >= -(2**31) and array.max() < 2**31)
    return np.int32 if small else np.int64


def _strings(array: Array, value: Any) -> Any:
    texts = [decoded(text) if isinstance(text, bytes) else text for text in array.reshape(-1).tolist()]
    if not all(isinstance(text, str) for text in texts):
        raise DataError(
            "an element of a data set is numbers or text",
            got=repr(value)[:80],
            hint="pad lists of different lengths to one, or use arrays of one dtype",
        )
    if array.ndim == 0:
        return Text(texts[0])
    result = np.empty(array.shape, object)
    result.reshape(-1)[:] = texts
    return result.view(Strings)


def as_element(value: Any) -> Any:
    """A value as an element: dictionaries and tuples are structures, anything else is a part."""
    return _mapped(as_leaf, value)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _mapped(function, part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [_mapped(function, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return None if value is None else function(value)


def stacked(elements: Sequence[Any]) -> Any:
    """A batch of elements.

    Raises:
        DataError: if they differ in structure or shape.
    """
    return _combined(_stacked_leaves, elements)


def padded(elements: Sequence[Any], padding: Any = None) -> Any:
    """A batch of elements, of which smaller ones are filled up at the end.

    Args:
        elements: The elements.
        padding: A number for all parts, or a structure of numbers. None: zeros, or empty text.
    """
    first = elements[0]
    same = padding is None or not tree.is_nested(padding)
    fills = tree.map_structure(lambda _: padding, first) if same else padding
    return _combined(lambda *leaves: _padded_leaves(leaves[0], *leaves[1:]), [fills, *elements])


def _combined(function: Callable[..., Any], elements: Sequence[Any]) -> Any:
    try:
        return tree.map_structure(lambda *leaves: None if leaves[-1] is None else function(*leaves), *elements)
    except DataError:
        raise
    except (ValueError, TypeError) as error:
        raise DataError("the elements of a batch differ in structure", got=str(error).splitlines()[0]) from error


def _stacked_leaves(*leaves: Any) -> Any:
    kinds = {type(leaf) for leaf in leaves}
    if len(kinds) > 1:
        raise DataError(
            "the elements of a batch differ in structure", got=" and ".join(sorted(kind.__name__ for kind in kinds))
        )
    if isinstance(leaves[0], Text):
        return _strings(np.array(leaves, object), leaves)
    arrays = [leaf.array if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise DataError(
            "the elements of a batch differ in shape",
            got=" and ".join(map(str, sorted(shapes)[:2])),
            hint="bring them to one shape first, or use `padded_batch`",
        )
    batch = np.stack(arrays)
    return batch.view(Strings) if isinstance(leaves[0], Strings) else Tensor(batch)


def _padded_leaves(fill: Any, *leaves: Any) -> Any:
    if isinstance(leaves[0], Text):
        return _stacked_leaves(*leaves)
    arrays = [np.asarray(leaf) for leaf in leaves]
    if len({array.ndim for array in arrays}) > 1:
        raise DataError("the elements of a batch differ in rank", got=", ".join(str(a.ndim) for a in arrays[:4]))
    shape = tuple(max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True))
    empty = "" if isinstance(leaves[0], Strings) else 0
    batch = np.full((len(arrays), *shape), empty if fill is None else np.asarray(fill), arrays[0].dtype)
    for number, array in enumerate(arrays):
        place: Any = (number, *map(slice, array.shape))
        batch[place] = array
    return batch.view(Strings) if isinstance(leaves[0], Strings) else Tensor(batch)


def rows(batch: Any) -> Iterator[Any]:
    """The elements of a batch."""
    return (row(batch, i) for i in range(row_count(batch)))


def row(batch: Any, index: Any) -> Any:
    """An element of a batch by its index, or a part of a batch by a slice."""
    return _mapped(
        lambda leaf: Tensor(np.asarray(leaf.array[index])) if isinstance(leaf, Tensor) else leaf[index], batch
    )


def row_count(batch: Any) -> int:
    """The number of elements in a batch.

    Raises:
        DataError: if parts of it differ in that.
    """
    shapes = [leaf.shape for leaf in tree.flatten(batch) if leaf is not None]
    counts = {shape[0] for shape in shapes if shape}
    if len(counts) != 1 or () in shapes:
        raise DataError(
            "the parts of a batch are arrays with one number of rows",
            got=", ".join(map(str, shapes)) or "nothing",
            hint="give each part a first axis of samples",
        )
    return int(counts.pop())


def as_numpy(element: Any) -> Any:
    """An element with NumPy arrays for its tensors, and bytes for its texts."""
    return _mapped(lambda leaf: leaf.numpy(), element)


def spec(element: Any, rows_vary: bool) -> Any:
    """What is known of all elements from one."""

    def of(leaf: Any) -> ElementSpec:
        shape = (None, *leaf.shape[1:]) if rows_vary and leaf.shape else tuple(leaf.shape)
        return ElementSpec(shape, leaf.dtype if isinstance(leaf, Tensor | Text) else "string")

    return _mapped(of, element)
