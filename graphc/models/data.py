"""The user's data: arrays and iterables of batches, checked before anything runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

import numpy as np

from graphc import dtypes, tree
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DataError, DataWarning, DTypeError
from graphc.runtime.state import StateBuffer
from graphc.tracing import Array, Tensor, describe, user_line

ROLES = ("x", "y", "w")
# Elements that are looked through in less time than setting up a reduction takes.
_FEW = 4096


@dataclass(frozen=True)
class Leaf:
    """One array of the data, as a program is compiled for it: everything but the number of samples.

    Args:
        name: `x0`, `x1`, ... for inputs, `y0`, ... for targets, `w0`, ... for sample weights.
        shape: The shape of a sample.
        dtype: Its dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType


@dataclass(frozen=True)
class Signature:
    """What makes two data sets run in the same program.

    Args:
        leaves: The arrays.
        structures: How the arrays of each role nest: what `tree.join` takes; None for a role that is missing.
    """

    leaves: tuple[Leaf, ...]
    structures: tuple[Any, ...]

    def of(self, role: str) -> list[Leaf]:
        """The arrays of a role."""
        return [leaf for leaf in self.leaves if leaf.name[0] == role]

    def nested(self, role: str, values: Mapping[str, Any]) -> Any:
        """The values of a role's arrays, nested as the user nested the arrays; None where there are none."""
        structure = self.structures[ROLES.index(role)]
        if structure is None:
            return None
        return tree.join(structure, [values[leaf.name] for leaf in self.of(role)])


@dataclass
class Batch:
    """Some samples: the arrays by name, and how many samples there are.

    Args:
        arrays: The arrays.
        signature: What they look like.
        size: How many samples each holds.
    """

    arrays: dict[str, Array]
    signature: Signature
    size: int
    _buffers: dict[str, StateBuffer] = field(default_factory=dict)

    def buffers(self) -> dict[str, StateBuffer]:
        """The arrays where a device can keep a copy of them."""
        if not self._buffers:
            self._buffers = {name: StateBuffer.around(array) for name, array in self.arrays.items()}
        return self._buffers

    def part(self, start: int, stop: int) -> Batch:
        """The samples from one position to before another."""
        arrays = {name: array[start:stop] for name, array in self.arrays.items()}
        return Batch(arrays, self.signature, stop - start)


def is_arrays(x: Any) -> bool:
    """Whether data are arrays, and no iterable of batches."""
    if isinstance(x, Mapping):
        return all(is_arrays(part) for part in x.values())
    if isinstance(x, list | tuple):
        return bool(x) and all(is_arrays(part) for part in x)
    return isinstance(x, np.ndarray | Tensor) or hasattr(x, "__array__")


def as_array(x: Any, name: str) -> Array:
    """An array of a dtype that graphc has.

    Raises:
        DTypeError: if its elements are no numbers.
    """
    array = np.asarray(x.numpy() if isinstance(x, Tensor) else x)
    if array.dtype.kind in "OSUMmcV" and array.dtype not in (t.numpy for t in dtypes.ALL):
        raise DTypeError(
            f"the elements of {name} are no numbers",
            where=describe(user_line()),
            got=f"dtype {array.dtype}, such as {_sample(array)}",
            hint="turn them into numbers first",
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _sample(array: Array) -> str:
    return repr(array.reshape(-1)[0])[:60] if array.size else "nothing"


def arrays_of(x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
    """Checks arrays, and gives them names.

    Args:
        x: Array or structure of arrays: the inputs.
        y: Array or structure: the targets. None: there are none.
        sample_weight: Array or structure. None: all samples count alike.

    Raises:
        DataError: if there are no samples, or arrays differ in their number.
        DTypeError: if elements are no numbers.
    """
    arrays: dict[str, Array] = {}
    leaves: list[Leaf] = []
    structures: list[Any] = []
    for role, data in zip(ROLES, (x, y, sample_weight), strict=True):
        if data is None:
            structures.append(None)
            continue
        parts, structure = tree.split(data)
        structures.append(structure)
        for i, part in enumerate(parts):
            array = as_array(part, _shown(role, i, len(parts)))
            if array.ndim == 0:
                raise DataError(
                    f"{_shown(role, i, len(parts))} is a single number",
                    where=describe(user_line()),
                    expected="an array with a first axis of samples",
                )
            arrays[f"{role}{i}"] = array
            leaves.append(Leaf(f"{role}{i}", array.shape[1:], dtypes.as_dtype(array.dtype)))
    return Batch(arrays, Signature(tuple(leaves), tuple(structures)), _count(arrays))


def _shown(role: str, index: int, count: int) -> str:
    word = {"x": "x", "y": "y", "w": "sample_weight"}[role]
    return word if count == 1 else f"{word}[{index}]"


def _count(arrays: Mapping[str, Array]) -> int:
    counts = {name: len(array) for name, array in arrays.items()}
    if not counts:
        raise DataError("there are no data", where=describe(user_line()), hint="pass at least one array")
    if len(set(counts.values())) > 1:
        raise DataError(
            "the arrays differ in their number of samples",
            where=describe(user_line()),
            got=", ".join(f"{name}: {count}" for name, count in counts.items()),
            expected="the same number in each",
        )
    count = next(iter(counts.values()))
    if count == 0:
        raise DataError("the data are empty", where=describe(user_line()), got="0 samples", expected="1 or more")
    return count


def warn_of_nan(batch: Batch, consequence: str = "the loss will be NaN") -> None:
    """Warns of arrays that hold NaN."""
    for name, array in batch.arrays.items():
        if holds_nan(array):
            first = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
            warnings.warn(
                f"{_shown(name[0], int(name[1:]), len(batch.signature.of(name[0])))} holds NaN, first at index {first}:"
                f" {consequence}",
                DataWarning,
                stacklevel=2,
            )


def holds_nan(array: Array) -> bool:
    """Whether an element is NaN.

    Example:

    >>> holds_nan(np.array([np.inf, -np.inf])), holds_nan(np.array([np.nan]))
    (False, True)
    """
    if array.dtype.kind != "f":
        return False
    if array.size <= _FEW:
        flat = array.reshape(-1)
        # The sum of squares is NaN where an element is, and for no infinities; BLAS forms it without any set-up.
        return isnan(flat.dot(flat))
    # A sum is NaN where an element is: one pass, without an array of flags. Infinities can make one too.
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    return bool(np.isnan(total)) and bool(np.isnan(array).any())


def may_hold_nan(result: Array) -> bool:
    """Whether a result may come from NaN: what is no floating-point number does not tell."""
    return result.dtype.kind != "f" or holds_nan(result)


def check_labels(labels: Array, classes: int, name: str, where: str | None) -> None:
    """Checks that integer labels are in range.

    Raises:
        DataError: if one is not, with its value and its index.
    """
    low, high = labels.min(), labels.max()
    if low >= 0 and high < classes:
        return
    flat = labels.reshape(len(labels), -1)
    row = int(np.argmax((flat.min(axis=1) < 0) | (flat.max(axis=1) >= classes)))
    bad = next(value for value in flat[row] if not 0 <= value < classes)
    raise DataError(
        f"a label in {name} is out of range",
        where=where,
        got=f"label {bad.item()} at index {row}",
        expected=f"from 0 to {classes - 1}: the model has {classes} classes",
        hint="count classes from 0, or give the model's last layer more units",
    )


def with_class_weight(y: Any, sample_weight: Any, class_weight: Mapping[int, float]) -> Array:
    """Sample weights from weights of classes.

    Args:
        y: Integer labels, or one-hot labels.
        sample_weight: Weights to multiply with. None: ones.
        class_weight: A weight for each class; classes that are missing count 1.

    Raises:
        ArgumentError: if there are several outputs.
    """
    if isinstance(y, list | tuple | Mapping):
        raise ArgumentError("class_weight is for models with a single output", hint="use sample_weight")
    labels = as_array(y, "y")
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    labels = labels.reshape(len(labels), -1)[:, 0].astype(np.int64)
    weights = np.ones(len(labels), np.float32)
    for label, weight in class_weight.items():
        weights[labels == int(label)] = weight
    return weights if sample_weight is None else weights * np.asarray(sample_weight, np.float32)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as inputs, targets and sample weights, the last two of which may be None.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ArgumentError: if it is a longer tuple.

    Example:

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ArgumentError("a batch is x, (x, y) or (x, y, sample_weight)", got=f"a tuple of {len(data)}")
    return (*data, None, None)[:3]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Inputs, targets and sample weights as a batch: what `unpack_x_y_sample_weight` takes apart.

    Example:

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if y is None:
        return x if not isinstance(x, tuple | list) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def split_validation(batch: Batch, validation_split: float) -> tuple[Batch, Batch]:
    """The first part of the samples, and the last one for validation.

    Raises:
        ArgumentError: if a part would be empty.
    """
    if not 0 < validation_split < 1:
        raise ArgumentError("validation_split is a number between 0 and 1", got=validation_split)
    cut = int(np.floor(batch.size * (1.0 - validation_split)))
    if cut == 0 or cut == batch.size:
        raise ArgumentError(
            "validation_split leaves no samples", got=f"{validation_split} of {batch.size} samples", hint="change it"
        )
    return batch.part(0, cut), batch.part(cut, batch.size)


class Batches:
    """An iterable of batches: a generator, a list of batches, or a `PyDataset`.

    Args:
        source: The iterable.
        class_weight: Weights of classes. None: none.
        check: Called with each batch before it is used.
    """

    def __init__(
        self, source: Any, class_weight: Mapping[int, float] | None, check: Callable[[Batch], None] | None = None
    ) -> None:
        self.source = source
        self.class_weight = class_weight
        self.check = check
        self.indexed = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        if not self.indexed and not isinstance(source, Iterable):
            raise ArgumentError(
                "these data cannot be used",
                where=describe(user_line()),
                got=type(source).__name__,
                expected="arrays, or an iterable of batches",
            )
        self._first: list[Any] = []
        self._rest: Iterator[Any] | None = None

    @property
    def steps(self) -> int | None:
        """How many batches there are; None where that is not known."""
        return len(self.source) if hasattr(self.source, "__len__") else None

    def peek(self) -> Batch:
        """The first batch, which is given again by `batches`.

        Raises:
            DataError: if there is none.
        """
        if not self._first:
            self._rest = self._fresh(None)
            first = next(self._rest, None)
            if first is None:
                raise DataError("the data are empty", where=describe(user_line()), got="an iterable without batches")
            self._first = [first]
        return self._made(self._first[0])

    def _fresh(self, order: Sequence[int] | None) -> Iterator[Any]:
        if self.indexed:
            return (self.source[i] for i in (range(len(self.source)) if order is None else order))
        return iter(self.source)

    def _made(self, data: Any) -> Batch:
        x, y, weight = unpack_x_y_sample_weight(data)
        if self.class_weight is not None and y is not None:
            weight = with_class_weight(y, weight, self.class_weight)
        batch = arrays_of(x, y, weight)
        if self.check is not None:
            self.check(batch)
        return batch

    def batches(self, order: Sequence[int] | None = None) -> Iterator[Batch]:
        """All batches once, from the start again where the iterable allows it.

        Args:
            order: The positions of the batches, for a source that has positions. None: as they come.
        """
        if self._first and order is None:
            kept, rest = self._first, self._rest
            self._first, self._rest = [], None
            yield self._made(kept[0])
            for data in rest or ():
                yield self._made(data)
            return
        self._first, self._rest = [], None
        for data in self._fresh(order):
            yield self._made(data)
