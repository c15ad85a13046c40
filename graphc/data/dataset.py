"""Data sets: elements that are made while they are used, with the methods of `tf.data`, on NumPy arrays."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.data import elements
from graphc.data.elements import as_element
from graphc.data.prefetch import DEFAULT_AHEAD, Prefetched
from graphc.errors import ArgumentError, DataWarning, SizeError
from graphc.tracing import Tensor, describe, user_line
from graphc.utils.arguments import argument_error, whole_number

AUTOTUNE = -1
INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
_MakeIterator = Callable[[], Iterator[Any]]


class Dataset(Iterable[Any]):
    """Elements in an order, made anew in each iteration: what the `*_from_directory` utilities return.

    An element is a tensor, a text, or a tuple or dictionary of these. The methods have the names, parameters and
    meaning of those of `tf.data.Dataset`; a function for `map` is called with tensors that have values, so it may use
    layers, `ops`, NumPy and any Python. `fit`, `evaluate` and `predict` take a data set of batches.

    Args:
        make_iterator: A function that starts an iteration.
        count: The number of elements, `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY`.

    Attributes:
        class_names: The names of the classes, of a data set from a folder, and of what is made from it.
        file_paths: The paths of its files.

    Example:

    >>> ds = Dataset.range(5).map(lambda x: x * 2).batch(2)
    >>> [batch.tolist() for batch in ds]
    [[0, 2], [4, 6], [8]]
    """

    class_names: list[str] | None
    file_paths: list[str]

    def __init__(self, make_iterator: _MakeIterator, count: int = UNKNOWN_CARDINALITY) -> None:
        self._make, self._count = make_iterator, count
        self._rows_vary = False
        # The number of elements in a batch, right after `batch`; else None.
        self.batch_size: int | None = None
        # Whether a thread makes its elements, so that who iterates need not start one.
        self.prefetches = False

    # ---- sources

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The slices of arrays along their first axis.

        Args:
            tensors: Array, or a structure (tuple, dictionary) of arrays with one number of rows.
            name: Accepted as in TensorFlow.
        """
        whole = as_element(_lists_are_arrays(tensors))
        return Dataset(lambda: elements.rows(whole), elements.row_count(whole))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element."""
        element = as_element(tensors)
        return Dataset(lambda: iter((element,)), 1)

    @staticmethod
    def from_generator(
        generator: Callable[..., Iterable[Any]],
        output_types: Any = None,
        output_shapes: Any = None,
        args: tuple[Any, ...] | None = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What a generator function yields, which each iteration calls anew.

        Args:
            generator: A function that returns an iterable.
            output_types: A dtype, or a structure of dtypes, to which parts are cast. None: they stay as they come.
            output_shapes: Accepted as in TensorFlow.
            args: Arguments of the function.
            output_signature: Structure of objects with a `dtype`, in the place of `output_types`.
            name: Accepted as in TensorFlow.
        """
        if not callable(generator):
            raise argument_error("generator", generator, "a function that returns an iterable")
        given = output_signature if output_signature is not None else output_types

        def make() -> Iterator[Any]:
            return (_cast(as_element(part), given) for part in generator(*(args or ())))

        return Dataset(make)

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: str | None = None) -> Dataset:
        """Integers, with the arguments of Python's `range`."""
        numbers = range(*map(int, args))
        dtype = dtypes.as_dtype(output_type).numpy
        return Dataset(lambda: (Tensor(np.array(i, dtype)) for i in numbers), len(numbers))

    @staticmethod
    def zip(*datasets: Any, name: str | None = None) -> Dataset:
        """Elements of several data sets side by side, as long as each has one.

        Args:
            *datasets: Data sets, or one tuple or dictionary of data sets.
            name: Accepted as in TensorFlow.
        """
        structure = datasets[0] if len(datasets) == 1 else datasets
        keys = list(structure) if isinstance(structure, Mapping) else None
        parts = [structure[key] for key in keys] if keys else list(structure)
        for part in parts:
            if not isinstance(part, Dataset):
                raise argument_error("an argument of zip", part, "a Dataset")

        def make() -> Iterator[Any]:
            joined = zip(*(iter(part) for part in parts), strict=False)
            return (dict(zip(keys, row, strict=True)) for row in joined) if keys else joined

        return Dataset(make, _least([part._count for part in parts]))

    # ---- iteration

    def __iter__(self) -> Iterator[Any]:
        return self._make()

    def __len__(self) -> int:
        if self._count < 0:
            infinite = self._count == INFINITE_CARDINALITY
            raise SizeError(
                "this data set is infinite" if infinite else "the number of elements of this data set is unknown",
                where=describe(user_line()),
                hint="bound it with `take`" if infinite else "count them, or ask `cardinality()`, which is -2 then",
            )
        return self._count

    def __bool__(self) -> bool:
        return True

    def cardinality(self) -> Tensor:
        """The number of elements; -1: infinite, -2: unknown."""
        return Tensor(np.array(self._count, np.int64))

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An iterator over the elements, with NumPy arrays in the place of tensors."""
        return map(elements.as_numpy, iter(self))

    def get_single_element(self) -> Any:
        """The only element.

        Raises:
            ArgumentError: if there are several, or none.
        """
        found = list(itertools.islice(iter(self), 2))
        if len(found) != 1:
            raise ArgumentError("the data set has not one element", got="none" if not found else "more than one")
        return found[0]

    @property
    def element_spec(self) -> Any:
        """The structure of an element, with the shape and dtype of each part; the first element is made for it."""
        return elements.spec(next(iter(self)), self._rows_vary)

    def __repr__(self) -> str:
        count = {INFINITE_CARDINALITY: "infinite", UNKNOWN_CARDINALITY: "unknown"}.get(self._count, self._count)
        return f"<Dataset elements={count}>"

    def _next(self, make: _MakeIterator, count: int) -> Dataset:
        result = Dataset(make, count)
        result._rows_vary = self._rows_vary
        if hasattr(self, "class_names"):
            result.class_names = self.class_names
        return result

    # ---- what is made of each element

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The results of a function.

        Args:
            map_func: A function of an element; of a tuple, it gets the parts as arguments.
            num_parallel_calls: Accepted as in TensorFlow; the function is called by one thread, since it may be any
                Python. `prefetch`, and `fit`, call it while a training step runs.
            deterministic: Accepted as in TensorFlow; the order is kept.
            name: Accepted as in TensorFlow.
        """
        if not callable(map_func):
            raise argument_error("map_func", map_func, "a function")
        return self._next(lambda: (as_element(_call(map_func, x)) for x in iter(self)), self._count)

    def map_in_threads(self, function: Callable[[Any], Any], threads: int) -> Dataset:
        """The results of a function that may be called by several threads at the same time, in order.

        Args:
            function: A function of an element, as one argument, which returns an element.
            threads: The number of threads.
        """
        return self._next(lambda: _in_threads(function, iter(self), threads), self._count)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which a function is true."""
        return self._next(lambda: (x for x in iter(self) if bool(_call(predicate, x))), _unless_empty(self._count))

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that a function returns, one data set after the other."""
        return self._next(
            lambda: itertools.chain.from_iterable(_call(map_func, x) for x in iter(self)), _unless_empty(self._count)
        )

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """Pairs of a number and an element."""
        return Dataset.zip(
            Dataset(lambda: (Tensor(np.array(i, np.int64)) for i in itertools.count(start)), INFINITE_CARDINALITY), self
        )

    # ---- batches

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Batches of elements: each part gets a first axis.

        Args:
            batch_size: The number of elements in a batch.
            drop_remainder: Whether a smaller batch at the end is left out.
            num_parallel_calls: Accepted as in TensorFlow.
            deterministic: Accepted as in TensorFlow.
            name: Accepted as in TensorFlow.

        Raises:
            DataError: where elements differ in structure or shape.
        """
        return self._batched(batch_size, drop_remainder, elements.stacked)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Batches of elements of different sizes, filled up at the end to the largest of the batch.

        Args:
            batch_size: The number of elements in a batch.
            padded_shapes: None only: the largest sizes.
            padding_values: A number, or a structure of numbers. None: zeros, or empty text.
            drop_remainder: Whether a smaller batch at the end is left out.
            name: Accepted as in TensorFlow.
        """
        if padded_shapes is not None and any(size is not None for size in _numbers(padded_shapes)):
            raise argument_error("padded_shapes", padded_shapes, "None: elements are padded to the largest of a batch")
        return self._batched(batch_size, drop_remainder, lambda group: elements.padded(group, padding_values))

    def _batched(self, batch_size: Any, drop_remainder: bool, combine: Callable[[list[Any]], Any]) -> Dataset:
        size = _whole("batch_size", batch_size, 1)

        def make() -> Iterator[Any]:
            return (combine(group) for group in _groups(iter(self), size) if len(group) == size or not drop_remainder)

        count = self._count if self._count < 0 else self._count // size if drop_remainder else -(-self._count // size)
        result = self._next(make, count)
        result._rows_vary, result.batch_size = not drop_remainder, size
        return result

    def unbatch(self, name: str | None = None) -> Dataset:
        """The elements of batches."""
        result = self._next(
            lambda: itertools.chain.from_iterable(elements.rows(x) for x in iter(self)), _unless_empty(self._count)
        )
        result._rows_vary = False
        return result

    def window(
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Data sets of `size` elements, each `shift` elements after the previous one."""
        size, stride = _whole("size", size, 1), _whole("stride", stride, 1)
        step = size if shift is None else _whole("shift", shift, 1)
        return self._next(
            lambda: (_of_list(part) for part in _windows(iter(self), size, step, stride, drop_remainder)),
            _unless_empty(self._count),
        )

    # ---- which elements, in which order

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool = True,
        name: str | None = None,
    ) -> Dataset:
        """The elements in random order: each is drawn from the next `buffer_size` ones.

        Args:
            buffer_size: How many elements wait to be drawn.
            seed: Makes the order the same in each run. None: drawn from NumPy's generator.
            reshuffle_each_iteration: Whether each iteration has an order of its own.
            name: Accepted as in TensorFlow.
        """
        size = _whole("buffer_size", buffer_size, 1)
        base = int(np.random.randint(2**31 - 1)) if seed is None else abs(_whole("seed", seed, None))
        iterations = itertools.count()

        def make() -> Iterator[Any]:
            key = [base, next(iterations)] if reshuffle_each_iteration else base
            return _shuffled(iter(self), size, np.random.default_rng(key))

        return self._next(make, self._count)

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first `count` elements; all, if it is -1."""
        count = _whole("count", count, -1)
        if count == -1:
            return self._next(lambda: iter(self), self._count)
        known = count if self._count == INFINITE_CARDINALITY else min(count, self._count)
        return self._next(lambda: itertools.islice(iter(self), count), known if count else 0)

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """All but the first `count` elements; none, if it is -1."""
        count = _whole("count", count, -1)
        if count == -1:
            return self._next(lambda: iter(()), 0)
        known = self._count if self._count < 0 else max(0, self._count - count)
        return self._next(lambda: itertools.islice(iter(self), count, None), known)

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        num_shards, index = _whole("num_shards", num_shards, 1), _whole("index", index, 0)
        if index >= num_shards:
            raise argument_error("index", index, f"below num_shards, {num_shards}")
        known = self._count if self._count < 0 else max(0, -(-(self._count - index) // num_shards))
        return self._next(lambda: itertools.islice(iter(self), index, None, num_shards), known)

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """The elements several times; without end, if `count` is None or -1."""
        count = -1 if count is None else _whole("count", count, -1)
        endless = count == -1
        known = (
            INFINITE_CARDINALITY if endless else self._count * count if self._count >= 0 or not count else self._count
        )
        return self._next(lambda: _repeated(self, None if endless else count), known)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """The elements, and then those of another data set."""
        counts = self._count, dataset._count
        known = sum(counts) if min(counts) >= 0 else INFINITE_CARDINALITY if -1 in counts else UNKNOWN_CARDINALITY
        return self._next(lambda: itertools.chain(iter(self), iter(dataset)), known)

    # ---- how they are made

    def prefetch(self, buffer_size: int = AUTOTUNE, name: str | None = None) -> Dataset:
        """The same elements, which a thread makes ahead of their use; its errors are raised where they are used.

        Args:
            buffer_size: How many elements may wait. `AUTOTUNE`: 2.
            name: Accepted as in TensorFlow.
        """
        size = _whole("buffer_size", buffer_size, -1)
        ahead = DEFAULT_AHEAD if size == AUTOTUNE else size
        result = self._next(lambda: Prefetched(iter(self), ahead) if ahead else iter(self), self._count)
        result.prefetches, result.batch_size = ahead > 0, self.batch_size
        return result

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """The same elements, which are kept in memory once all were made.

        Args:
            filename: TensorFlow keeps them in this file; here they are in memory all the same, with a warning.
            name: Accepted as in TensorFlow.
        """
        if filename:
            warnings.warn("the elements are kept in memory, and in no file", DataWarning, stacklevel=2)
        kept: list[Any] = []
        complete: list[bool] = []

        def make() -> Iterator[Any]:
            return iter(kept) if complete else _keeping(iter(self), kept, complete)

        return self._next(make, self._count)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the data set."""
        return transformation_func(self)

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None) -> Any:
        """One value from all elements: `reduce_func(state, element)` is the next state."""
        state = as_element(initial_state)
        for element in iter(self):
            state = as_element(reduce_func(state, element))
        return state

    def with_options(self, options: Any, name: str | None = None) -> Dataset:
        """The data set itself: TensorFlow's options are about its own runtime."""
        return self


def _call(function: Callable[..., Any], element: Any) -> Any:
    plain = isinstance(element, tuple) and not hasattr(element, "_fields")
    return function(*element) if plain else function(element)


def _whole(name: str, value: Any, least: int | None) -> int:
    """An integer, which may be a tensor."""
    value = value.item() if isinstance(value, Tensor) else value
    if least is None or least < 0:
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or (least is not None and value < least):
            raise argument_error(name, value, "an integer" if least is None else f"an integer, {least} or more")
        return int(value)
    return int(whole_number(name, value, least))


def _numbers(shapes: Any) -> list[Any]:
    return [size for part in shapes for size in _numbers(part)] if isinstance(shapes, list | tuple) else [shapes]


def _lists_are_arrays(tensors: Any) -> Any:
    """In a list, tuples are rows of an array, and no structures."""
    if isinstance(tensors, Mapping):
        return {key: _lists_are_arrays(part) for key, part in tensors.items()}
    if isinstance(tensors, tuple):
        return tuple(map(_lists_are_arrays, tensors))
    series = hasattr(tensors, "to_numpy") and not isinstance(tensors, Tensor)
    return tensors.to_numpy() if series else tensors


def _cast(element: Any, types: Any) -> Any:
    if types is None:
        return element
    if isinstance(element, tuple):
        return tuple(_cast(part, kind) for part, kind in zip(element, types, strict=True))
    if isinstance(element, dict):
        return {key: _cast(part, types[key]) for key, part in element.items()}
    if not isinstance(element, Tensor):
        return element
    kind = getattr(types, "dtype", types)
    return Tensor(element.array.astype(dtypes.as_dtype(getattr(kind, "name", kind)).numpy, copy=False))


def _least(counts: list[int]) -> int:
    """The length of what ends with the shortest."""
    finite = [count for count in counts if count != INFINITE_CARDINALITY]
    return UNKNOWN_CARDINALITY if UNKNOWN_CARDINALITY in finite else min(finite, default=INFINITE_CARDINALITY)


def _unless_empty(count: int) -> int:
    return count if count == 0 else UNKNOWN_CARDINALITY


def _groups(iterator: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while group := list(itertools.islice(iterator, size)):
        yield group


def _of_list(items: list[Any]) -> Dataset:
    return Dataset(lambda: iter(items), len(items))


def _windows(iterator: Iterator[Any], size: int, shift: int, stride: int, drop_remainder: bool) -> Iterator[list[Any]]:
    span = (size - 1) * stride + 1
    waiting: deque[Any] = deque()
    while True:
        waiting.extend(itertools.islice(iterator, span - len(waiting)))
        part = list(itertools.islice(waiting, 0, span, stride))
        if not part or (drop_remainder and len(part) < size):
            return
        yield part
        for _ in range(min(shift, len(waiting))):
            waiting.popleft()
        if shift > span:
            deque(itertools.islice(iterator, shift - span), maxlen=0)


def _shuffled(iterator: Iterator[Any], size: int, generator: np.random.Generator) -> Iterator[Any]:
    waiting = list(itertools.islice(iterator, size))
    for item in iterator:
        place = int(generator.integers(len(waiting)))
        yield waiting[place]
        waiting[place] = item
    for place in generator.permutation(len(waiting)):
        yield waiting[place]


def _repeated(dataset: Dataset, times: int | None) -> Iterator[Any]:
    for _ in itertools.count() if times is None else range(times):
        empty = True
        for item in dataset:
            empty = False
            yield item
        if empty:
            return


def _keeping(iterator: Iterator[Any], kept: list[Any], complete: list[bool]) -> Iterator[Any]:
    mine = []  # another iteration may run at the same time
    for item in iterator:
        mine.append(item)
        yield item
    if not complete:
        kept[:] = mine
        complete.append(True)


def _in_threads(function: Callable[[Any], Any], iterator: Iterator[Any], threads: int) -> Iterator[Any]:
    with ThreadPoolExecutor(threads, thread_name_prefix="graphc-map") as pool:
        waiting = deque(pool.submit(function, item) for item in itertools.islice(iterator, 2 * threads))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(iterator, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
