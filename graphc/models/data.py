"""The user's data: arrays and iterables of batches, checked before anything runs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from numbers import Real
from typing import Any

import numpy as np

from graphc import config, dtypes, tree
from graphc.data.prefetch import AheadIfSlow
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DataError, DataWarning, DTypeError
from graphc.models import positions
from graphc.runtime.state import StateBuffer
from graphc.saving.training import random_state
from graphc.tracing import Array, Tensor, describe, user_line
from graphc.tracing.arrays import STRINGS
from graphc.utils.arguments import argument_error, number
from graphc.utils.batches import pack_x_y_sample_weight

ROLES = ("x", "y", "w")
# Up to so many elements, a dot product is faster than the setup of a reduction.
_FEW = 4096
# The number of elements in a chunk, when the position of a NaN is searched.
_CHUNK = 1 << 18


@dataclass(frozen=True)
class ArraySpec:
    """The shape and dtype of one array of the data, without the number of samples: what a program is compiled for.

    Args:
        name: `x0`, `x1`, ... for inputs, `y0`, ... for targets, `w0`, ... for sample weights.
        shape: The shape of a sample: numbers, and symbolic sizes where a program takes several.
        dtype: Its dtype.
    """

    name: str
    shape: tuple[Any, ...]
    dtype: DType


@dataclass(frozen=True)
class DataSpec:
    """The shapes and dtypes of the arrays of a data set, and how they nest. Equal specs share a compiled program.

    Args:
        leaves: A spec for each array.
        structures: The tree spec of each role, for `tree.unflatten`; None for a role without data.
        form: The tree spec of a batch that reaches a step as it came. None: the roles, packed.
        rows: Whether the first axis of all arrays counts samples. If not, shapes are those of whole arrays.
    """

    leaves: tuple[ArraySpec, ...]
    structures: tuple[Any, ...]
    form: Any = None
    rows: bool = True

    @property
    def shapes(self) -> tuple[tuple[Any, ...], ...]:
        """The shape of a sample of each array."""
        return tuple([leaf.shape for leaf in self.leaves])

    @property
    def without_sizes(self) -> Any:
        """What is equal for specs that differ in sizes only."""
        leaves = tuple([(leaf.name, len(leaf.shape), leaf.dtype) for leaf in self.leaves])
        return self.structures, self.form, self.rows, leaves

    def with_shapes(self, shapes: Sequence[tuple[Any, ...]]) -> DataSpec:
        """The spec with other shapes of samples."""
        leaves = [replace(leaf, shape=shape) for leaf, shape in zip(self.leaves, shapes, strict=True)]
        return replace(self, leaves=tuple(leaves))

    def display_name(self, name: str) -> str:
        """The name of an array in messages."""
        return _display_name(name[0], int(name[1:]), len(self.of(name[0])))

    def of(self, role: str) -> list[ArraySpec]:
        """The specs of the arrays of a role."""
        return [leaf for leaf in self.leaves if leaf.name[0] == role]

    def unflatten(self, role: str, values: Mapping[str, Any]) -> Any:
        """The values for a role's arrays, nested as the user nested the arrays; None for a role without data."""
        structure = self.structures[ROLES.index(role)]
        if structure is None:
            return None
        return tree.unflatten(structure, [values[leaf.name] for leaf in self.of(role)])

    def data(self, values: Mapping[str, Any]) -> Any:
        """The values as a step takes them: as the batch came, or `x`, `(x, y)` or `(x, y, sample_weight)`."""
        if self.form is not None:
            return tree.unflatten(self.form, [values[leaf.name] for leaf in self.leaves])
        return pack_x_y_sample_weight(*(self.unflatten(role, values) for role in ROLES))


@dataclass
class Batch:
    """A number of samples, as arrays by name.

    Args:
        arrays: The arrays, by name.
        spec: Their shapes and dtypes, and how they nest.
        size: The number of samples.
    """

    arrays: dict[str, Array]
    spec: DataSpec
    size: int
    _buffers: dict[str, StateBuffer] = field(default_factory=dict)

    def of(self, role: str) -> Any:
        """The arrays of a role, nested as the user nested them; None for a role without data."""
        return self.spec.unflatten(role, self.arrays)

    def buffers(self) -> dict[str, StateBuffer]:
        """The arrays as state buffers, of which a device may hold a copy."""
        if not self._buffers:
            self._buffers = {name: StateBuffer.around(array) for name, array in self.arrays.items()}
        return self._buffers

    def add(self, name: str, array: Array) -> None:
        """Adds an array of as many samples, or replaces it."""
        self.arrays[name] = array
        if self._buffers:
            self._buffers[name] = StateBuffer.around(array)

    def slice(self, start: int, stop: int) -> Batch:
        """The samples from `start` to before `stop`."""
        arrays = {name: array[start:stop] for name, array in self.arrays.items()}
        return Batch(arrays, self.spec, stop - start)


def is_arrays(x: Any) -> bool:
    """Whether data are arrays, and no iterable of batches."""
    if isinstance(x, Mapping):
        return all(is_arrays(part) for part in x.values())
    if isinstance(x, list | tuple):
        return bool(x) and all(is_arrays(part) for part in x)
    return isinstance(x, np.ndarray | Tensor) or hasattr(x, "__array__")


def as_array(x: Any, name: str, strings: bool = False) -> Array:
    """An array of a dtype that graphc has.

    Args:
        x: The array, or what can be one.
        name: Its name in messages.
        strings: Whether its elements may be strings.

    Raises:
        DTypeError: if its elements are no numbers.
    """
    if hasattr(x, "detach") and hasattr(x, "cpu"):  # a tensor of PyTorch with a gradient, or on a device, is no array
        x = x.detach().cpu()
    array = np.asarray(x.array if isinstance(x, Tensor) else x)
    if array.ndim == 1 and hasattr(x, "to_frame"):  # a column of pandas or polars is one of a table, as in Keras
        array = array[:, None]
    if array.dtype == object and hasattr(x, "to_numpy") and all(isinstance(v, Real | np.bool_) for v in array.flat):
        array = array.astype(config.floatx())  # a table of columns of different dtypes, or that may have gaps
    if strings and are_strings(array):
        return array
    if array.dtype.kind in "OSUMmcV" and array.dtype not in (t.numpy for t in dtypes.ALL):
        raise no_numbers(array, name)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def no_numbers(array: Array, name: str) -> DTypeError:
    """The error for data that are no numbers."""
    return DTypeError(
        f"the elements of {name} are no numbers",
        where=describe(user_line()),
        got=f"dtype {array.dtype}, such as {_sample(array)}",
        hint=STRINGS if are_strings(array) else "turn them into numbers first",
    )


def are_strings(array: Array) -> bool:
    """Whether the elements of an array are strings, or objects among which there is one."""
    return array.dtype.kind in "SU" or (array.dtype == object and any(isinstance(x, str | bytes) for x in array.flat))


def _spec_of(name: str, array: Array, shape: tuple[int, ...]) -> ArraySpec:
    return ArraySpec(name, shape, dtypes.string if array.dtype.kind in "OSU" else dtypes.as_dtype(array.dtype))


def _sample(array: Array) -> str:
    return repr(array.reshape(-1)[0])[:60] if array.size else "nothing"


def arrays_of(x: Any, y: Any = None, sample_weight: Any = None, may_be_empty: bool = False) -> Batch:
    """Checks arrays and names them.

    Args:
        x: Array or structure of arrays: the inputs.
        y: Array or structure: the targets. None: no targets.
        sample_weight: Array or structure. None: equal weights.
        may_be_empty: Whether zero samples are allowed.

    Raises:
        DataError: if there are no samples, or arrays differ in their number.
        DTypeError: if elements are no numbers.
    """
    arrays: dict[str, Array] = {}
    leaves: list[ArraySpec] = []
    structures: list[Any] = []
    for role, data in zip(ROLES, (x, y, sample_weight), strict=True):
        if data is None:
            structures.append(None)
            continue
        parts, structure = tree.flatten_with_spec(data)
        structures.append(structure)
        for i, part in enumerate(parts):
            array = as_array(part, _display_name(role, i, len(parts)), strings=role == "x")
            if array.ndim == 0:
                raise DataError(
                    f"{_display_name(role, i, len(parts))} is a single number",
                    where=describe(user_line()),
                    expected="an array with a first axis of samples",
                )
            arrays[f"{role}{i}"] = array
            leaves.append(_spec_of(f"{role}{i}", array, array.shape[1:]))
    return Batch(arrays, DataSpec(tuple(leaves), tuple(structures)), _count(arrays, may_be_empty))


def batch_as_it_came(data: Any) -> Batch:
    """A batch for a step of the user's own, which takes it as it came: arrays in any structure.

    Where all arrays have equally many rows, they are samples, of which a program takes any number.

    Args:
        data: The batch. A tuple of up to three parts is inputs, targets and weights for what may read them.

    Raises:
        DataError: if there are no arrays in it.
        DTypeError: if elements are no numbers.
    """
    has_roles = isinstance(data, tuple) and len(data) <= len(ROLES)
    arrays: dict[str, Array] = {}
    structures: list[Any] = [None] * len(ROLES)
    for i, (role, part) in enumerate(zip(ROLES, data if has_roles else (data,), strict=False)):
        if part is None:
            continue
        parts, structures[i] = tree.flatten_with_spec(part)
        names = [_display_name(role, j, len(parts)) for j in range(len(parts))]
        arrays |= {f"{role}{j}": as_array(x, names[j], strings=role == "x") for j, x in enumerate(parts)}
    if not arrays:
        raise DataError("there are no arrays in a batch", where=describe(user_line()), got=repr(data)[:80])
    sizes = {array.shape[:1] for array in arrays.values()}
    rows = len(sizes) == 1 and () not in sizes
    leaves = tuple(_spec_of(name, array, array.shape[1:] if rows else array.shape) for name, array in arrays.items())
    spec = DataSpec(leaves, tuple(structures), tree.flatten_with_spec(data)[1], rows)
    return Batch(arrays, spec, _count(arrays, may_be_empty=False) if rows else 1)


def _display_name(role: str, index: int, count: int) -> str:
    word = {"x": "x", "y": "y", "w": "sample_weight"}[role]
    return word if count == 1 else f"{word}[{index}]"


def _count(arrays: Mapping[str, Array], may_be_empty: bool) -> int:
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
    if count == 0 and not may_be_empty:
        raise DataError("the data are empty", where=describe(user_line()), got="0 samples", expected="1 or more")
    return count


def warn_of_nan(batch: Batch, consequence: str = "the loss will be NaN") -> None:
    """Warns about arrays that hold NaN."""
    for name, array in batch.arrays.items():
        if holds_nan(array):
            warnings.warn(
                f"{batch.spec.display_name(name)} holds NaN, first at index {first_nan(array)}: {consequence}",
                DataWarning,
                stacklevel=2,
            )


def holds_nan(array: Array) -> bool:
    """Whether an element is NaN.

    Example:

    >>> holds_nan(np.array([np.inf, -np.inf])), holds_nan(np.array([np.nan]))
    (False, True)
    """
    if array.dtype.kind not in "fc":
        return False
    if array.size <= _FEW and array.itemsize > 2 and array.dtype.kind == "f":
        flat = array.reshape(-1)
        # The sum of squares is NaN exactly if an element is; infinities do not make it NaN. BLAS has no setup cost.
        return isnan(flat.dot(flat))
    # A sum is NaN if an element is: one pass, without an array of flags. Infinities of both signs give NaN too.
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)
    return bool(np.isnan(total)) and any(bool(np.isnan(chunk).any()) for _, chunk in _chunks(array))


def first_nan(array: Array) -> tuple[int, ...]:
    """The index of the first NaN of an array that holds one.

    Example:

    >>> first_nan(np.array([[0.0, 1.0], [np.nan, np.nan]]))
    (1, 0)
    """
    start, chunk = next((start, chunk) for start, chunk in _chunks(array) if np.isnan(chunk).any())
    if len(chunk) == 1 and array.ndim > 1:
        return (start, *first_nan(chunk[0]))
    within = np.unravel_index(int(np.isnan(chunk).argmax()), chunk.shape)
    return (start + int(within[0]), *map(int, within[1:]))


def _chunks(array: Array) -> Iterator[tuple[int, Array]]:
    """Splits an array into chunks of one or several rows, which bounds the memory of the flags that a search needs."""
    rows = max(1, _CHUNK * len(array) // array.size)
    return ((start, array[start : start + rows]) for start in range(0, len(array), rows))


def may_hold_nan(result: Array) -> bool:
    """Whether a result may come from NaN: one that is neither real nor complex floating point always may."""
    return result.dtype.kind not in "fc" or holds_nan(result)


@dataclass(frozen=True)
class Classes:
    """The valid integer labels.

    Args:
        count: The number of classes: labels are from 0 to `count - 1`.
        ignored: A further label, which the loss ignores. None: none.
    """

    count: int
    ignored: int | None = None

    def check(self, labels: Array, name: str) -> None:
        """Checks that labels are valid.

        Raises:
            DataError: if a label is not, with its value and index.
        """
        if not labels.size or (labels.min() >= 0 and labels.max() < self.count):
            return
        for row, part in enumerate(labels.reshape(len(labels), -1)):
            wrong = part[~((part >= 0) & (part < self.count)) & (part != self.ignored)]
            if wrong.size:
                besides = "" if self.ignored is None else f", or {self.ignored}"
                raise DataError(
                    f"a label in {name} is out of range",
                    where=describe(user_line()),
                    got=f"label {wrong[0].item()} at index {row}",
                    expected=f"from 0 to {self.count - 1}{besides}: the model has {self.count} classes",
                    hint="count classes from 0, or give the model's last layer more units",
                )


def with_class_weight(y: Any, sample_weight: Any, class_weight: Any, names: Sequence[str] | None = None) -> Any:
    """Computes sample weights from class weights.

    Args:
        y: Integer labels, or one-hot labels; of a model with several outputs a structure of them.
        sample_weight: Must be None: the two cannot be given together.
        class_weight: Dictionary of class to weight; a missing class has weight 1. For a model with several outputs
            a dictionary of output to such a dictionary.
        names: The names of the model's outputs, in order. None: it has none.

    Returns:
        A weight for each sample; for several outputs a dictionary of them.

    Raises:
        ArgumentError: if the weights are no such dictionary, or sample weights are given as well.
        DataError: if labels are no labels.
    """
    problem = None
    if sample_weight is not None:
        problem = "class_weight and sample_weight cannot be given at the same time"
    elif not isinstance(class_weight, Mapping):
        problem = "class_weight is a dictionary of class to weight"
    if problem:
        raise ArgumentError(
            problem, where=describe(user_line()), got=repr(class_weight)[:80], hint="multiply the weights yourself"
        )
    if y is None:
        raise DataError("class_weight needs targets", where=describe(user_line()), hint="pass `y`")
    leaves = tree.flatten(y)
    if len(leaves) == 1 and not _by_name(class_weight):
        return _class_weights(leaves[0], class_weight)
    targets = y if isinstance(y, Mapping) else dict(zip(names or (), leaves, strict=False))
    if not _by_name(class_weight) or not set(class_weight) <= set(targets):
        raise ArgumentError(
            "class_weight for several outputs is a dictionary of output to a dictionary of class to weight",
            where=describe(user_line()),
            got=repr(class_weight)[:80],
            expected=f"keys among {', '.join(map(repr, targets))}" if targets else "outputs that have names",
        )
    return {name: _class_weights(targets[name], weights) for name, weights in class_weight.items()}


def _by_name(class_weight: Mapping[Any, Any]) -> bool:
    return any(isinstance(weights, Mapping) for weights in class_weight.values())


def _class_weights(y: Any, class_weight: Mapping[Any, Any]) -> Array:
    labels = as_array(y, "y")
    if labels.ndim > 1:
        labels = labels.argmax(axis=-1) if labels.shape[-1] > 1 else labels[..., 0]
    if labels.ndim != 1:
        raise DataError(
            "class_weight needs one label for each sample",
            where=describe(user_line()),
            got=f"targets of shape {np.shape(y)}",
            hint="use sample_weight",
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise DataError(
            "class_weight needs labels that are numbers", where=describe(user_line()), got="NaN or infinity"
        )
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(len(labels), np.float32)
    for label, weight in class_weight.items():
        # Classes often come from `numpy.unique`, in the dtype of the labels.
        whole = isinstance(label, int | np.bool_ | float | np.integer | np.floating) and float(label).is_integer()
        if not whole:
            raise argument_error("a class in class_weight", label, "an integer")
        weights[labels == int(label)] = number("a weight in class_weight", weight)
    return weights


def split_validation(batch: Batch, validation_split: float) -> tuple[Batch, Batch]:
    """Splits samples into the first ones, for training, and the last ones, for validation.

    Raises:
        ArgumentError: if a part would be empty.
    """
    boundary = int(np.floor(batch.size * (1.0 - validation_split)))
    if boundary == 0 or boundary == batch.size:
        raise ArgumentError(
            "validation_split leaves no samples", got=f"{validation_split} of {batch.size} samples", hint="change it"
        )
    return batch.slice(0, boundary), batch.slice(boundary, batch.size)


_END = object()
# Grain says that there is no end by the largest number that there is, or by a part of it.
_ENDLESS = 1 << 40


class Batches:
    """An iterable of batches: a generator, a list of batches, or a `PyDataset`.

    Args:
        source: The iterable.
        make_batch: Creates and checks a batch from what the iterable gives.
    """

    def __init__(self, source: Any, make_batch: Callable[[Any], Batch]) -> None:
        self.source, self.make_batch = source, make_batch
        self.indexed = hasattr(source, "__getitem__") and (hasattr(source, "__len__") or hasattr(source, "num_batches"))
        if not self.indexed and not isinstance(source, Iterable):
            raise ArgumentError(
                "these data cannot be used",
                where=describe(user_line()),
                got=type(source).__name__,
                expected="arrays, or an iterable of batches",
            )
        self._peeked: list[Any] = []
        self._iterator: Iterator[Any] | None = None
        # The states of random generators when the iteration began, for checkpoints.
        self.begun: dict[str, Any] | None = None

    @property
    def steps(self) -> int | None:
        """The number of batches; None if it is unknown or infinite."""
        if hasattr(self.source, "num_batches"):
            count: int | None = self.source.num_batches
            return count
        try:
            count = len(self.source)
        except (TypeError, NotImplementedError):  # loaders of PyTorch, TensorFlow and our own say so that none is known
            return None
        return count if count < _ENDLESS else None

    def can_restart(self) -> bool:
        """Whether the batches can be iterated again; an iterator can only continue."""
        return self.indexed or not isinstance(self.source, Iterator)

    def peek(self) -> Batch:
        """The first batch, without consuming it.

        Raises:
            DataError: if there is none.
        """
        if not self._peeked:
            # What may change at the beginning of an epoch is not fetched ahead of it.
            self._iterator = self._new_iterator(None, ahead=not hasattr(self.source, "on_epoch_begin"))
            self._peeked = [next(self._iterator, _END)]
        if self._peeked[0] is _END:
            raise DataError("the data are empty", where=describe(user_line()), got="an iterable without batches")
        return self.make_batch(self._peeked[0])

    def begin(self, order: Sequence[int] | None = None) -> None:
        """Starts from the first batch, if the iterable can be iterated again.

        Args:
            order: The indices of the batches, for a source with indices. None: in the source's order.
        """
        # A source with `on_epoch_begin` may have changed the batch that was peeked.
        if self._peeked and order is None and not hasattr(self.source, "on_epoch_begin"):
            return
        if self._iterator is None or self.can_restart():
            self._close()
            self._iterator = self._new_iterator(order)

    def forget(self) -> None:
        """Drops the batch that was fetched to look at it: the iterator has gone to another position."""
        self._peeked = []

    def skip(self, iterations: int) -> None:
        """Begins iterations until there were so many: the next one may differ by that from those before."""
        self._close()
        if not self.indexed and positions.counts(self.source):
            for _ in range(positions.iterations(self.source), iterations):
                positions.begun(self.source)

    def restart(self, order: Sequence[int] | None, done: int, again: bool) -> Batch | None:
        """Goes to a position in a pass.

        Args:
            order: The indices of the batches, for a source with indices. None: in the source's order.
            done: The number of batches that were used.
            again: Whether an iterable is iterated anew; else the iteration goes on that was begun to look at a batch.

        Returns:
            The last of the batches that were used, of an iterable; None of a source with indices.
        """
        if self.indexed:
            self._close()
            self._iterator = self._new_iterator(order, first=done)
            return None
        if again or not self._peeked:
            self._close()
        self._iterator = self._iterator or self._new_iterator(order)
        last = None
        for _ in range(done):
            last = self._peeked.pop() if self._peeked else next(self._iterator, None)
        return None if last is None else self.make_batch(last)

    def _close(self) -> None:
        if isinstance(self._iterator, AheadIfSlow):
            self._iterator.close()
        self._peeked, self._iterator = [], None

    def next(self) -> Batch | None:
        """The next batch; None at the end."""
        assert self._iterator is not None
        data = self._peeked.pop() if self._peeked else next(self._iterator, _END)
        return None if data is _END else self.make_batch(data)

    def _new_iterator(self, order: Sequence[int] | None, ahead: bool = True, first: int = 0) -> Iterator[Any]:
        if self.indexed:
            count = self.steps
            indices = order if order is not None else range(count) if count is not None else itertools.count()
            iterator: Iterator[Any] = (self.source[i] for i in itertools.islice(indices, first, None))
        else:
            self.begun = random_state()
            iterator = positions.begun(self.source)
        return AheadIfSlow(iterator) if ahead and self._is_fetched_ahead() else iterator

    def _is_fetched_ahead(self) -> bool:
        """Whether a thread may fetch batches while others are used.

        From an iterator, nothing is taken that may not be used: it is the user's, who may go on with it. A list has its
        batches already. A `PyDataset` says by its `workers` whether it can be asked by another thread, as in Keras.
        """
        source = self.source
        if isinstance(source, Iterator | list | tuple) or getattr(source, "prefetches", False):
            return False
        workers = getattr(source, "workers", None)
        return workers is None or workers > 1 or bool(getattr(source, "use_multiprocessing", False))
