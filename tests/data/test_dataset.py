"""Data sets: what their methods give, beside Python's own iterators; threads, errors, and how models use them."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.data import AUTOTUNE, Dataset, ElementSpec, Strings, Text
from graphc.data.prefetch import Prefetched
from graphc.errors import ArgumentError, DataError, DataWarning, SizeError


def listed(ds: Any) -> Any:
    """The elements as plain Python."""
    if isinstance(ds, Dataset):
        return [listed(x) for x in ds]
    if isinstance(ds, tuple):
        return tuple(map(listed, ds))
    if isinstance(ds, dict):
        return {key: listed(x) for key, x in ds.items()}
    return ds.tolist() if hasattr(ds, "tolist") else ds


TEN = Dataset.range(10)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (TEN.map(lambda x: x + 1), list(range(1, 11))),
        (TEN.map(lambda x: (x, x * x)).map(lambda a, b: a + b).take(3), [0, 2, 6]),
        (TEN.map(lambda x: {"a": x, "b": [x, x]}).take(1), [{"a": 0, "b": [0, 0]}]),
        (TEN.batch(4), [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]),
        (TEN.batch(4, drop_remainder=True), [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (TEN.batch(4).unbatch(), list(range(10))),
        (TEN.batch(3).batch(2).take(1), [[[0, 1, 2], [3, 4, 5]]]),
        (TEN.filter(lambda x: x % 3 == 0), [0, 3, 6, 9]),
        (TEN.take(3), [0, 1, 2]),
        (TEN.take(-1), list(range(10))),
        (TEN.take(20), list(range(10))),
        (TEN.skip(7), [7, 8, 9]),
        (TEN.skip(-1), []),
        (TEN.skip(20), []),
        (TEN.shard(3, 1), [1, 4, 7]),
        (TEN.take(2).repeat(3), [0, 1] * 3),
        (TEN.take(2).repeat().take(5), [0, 1, 0, 1, 0]),
        (TEN.take(0).repeat(), []),
        (TEN.take(2).concatenate(TEN.skip(8)), [0, 1, 8, 9]),
        (TEN.skip(8).enumerate(5), [(5, 8), (6, 9)]),
        (Dataset.zip(TEN, TEN.skip(8)), [(0, 8), (1, 9)]),
        (Dataset.zip((TEN.take(1), TEN)), [(0, 0)]),
        (Dataset.zip({"a": TEN.take(1), "b": TEN}), [{"a": 0, "b": 0}]),
        (TEN.prefetch(AUTOTUNE), list(range(10))),
        (TEN.prefetch(0), list(range(10))),
        (TEN.cache(), list(range(10))),
        (TEN.flat_map(lambda x: Dataset.range(x)).take(4), [0, 0, 1, 0]),
        (TEN.window(3), [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]),
        (TEN.window(3, shift=4, drop_remainder=True), [[0, 1, 2], [4, 5, 6]]),
        (TEN.window(3, shift=2, stride=2, drop_remainder=True), [[0, 2, 4], [2, 4, 6], [4, 6, 8]]),
        (TEN.window(3, shift=5).flat_map(lambda w: w.batch(3)), [[0, 1, 2], [5, 6, 7]]),
        (TEN.apply(lambda ds: ds.take(1)), [0]),
        (Dataset.range(2, 8, 3), [2, 5]),
        (Dataset.from_tensors(([1, 2], "a")), [([1, 2], "a")]),
        (Dataset.from_tensor_slices([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Dataset.from_tensor_slices(([1, 2], ["a", "b"])), [(1, "a"), (2, "b")]),
        (Dataset.from_tensor_slices({"x": [1, 2], "y": ([3, 4],)}), [{"x": 1, "y": (3,)}, {"x": 2, "y": (4,)}]),
        (Dataset.from_generator(lambda n: iter(range(n)), args=(3,)), [0, 1, 2]),
        (Dataset.from_tensor_slices(["a", "bcd"]).map(lambda t: t.upper()).batch(2), [["A", "BCD"]]),
        (
            TEN.take(4).map(lambda x: list(range(int(x)))).padded_batch(4),
            [[[0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 2]]],
        ),
        (TEN.take(3).map(lambda x: [7] * int(x)).padded_batch(3, padding_values=-1), [[[-1, -1], [7, -1], [7, 7]]]),
    ],
)
def test_methods(made: Dataset, expected: Any) -> None:
    for _ in range(2):  # another iteration starts anew
        assert listed(made) == expected
    count = int(made.cardinality())
    assert count in (len(expected), -2) or (count == -1 and made is not None and not expected)
    if count >= 0:
        assert len(made) == len(expected)


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (TEN.repeat(), -1),
        (TEN.repeat().batch(3), -1),
        (TEN.repeat().take(7), 7),
        (TEN.repeat().skip(7), -1),
        (TEN.filter(bool), -2),
        (TEN.filter(bool).batch(3), -2),
        (TEN.filter(bool).repeat(2), -2),
        (TEN.concatenate(TEN.repeat()), -1),
        (TEN.concatenate(TEN.filter(bool)), -2),
        (Dataset.zip(TEN, TEN.repeat()), 10),
        (Dataset.zip(TEN, TEN.filter(bool)), -2),
    ],
)
def test_how_many_elements_there_are(made: Dataset, count: int) -> None:
    assert made.cardinality().numpy() == count and bool(made)
    if count < 0:
        with pytest.raises(SizeError, match="infinite" if count == -1 else "unknown"):
            len(made)


def test_dtypes_and_structures() -> None:
    x, y = np.zeros((6, 2, 3), "float64"), np.arange(6, dtype="uint8")
    images, labels = next(iter(Dataset.from_tensor_slices((x, y)).batch(4)))
    assert (images.shape, images.dtype, labels.dtype) == ((4, 2, 3), "float64", "uint8")
    assert images[0].numpy().astype("uint8").shape == (2, 3)
    assert [leaf.dtype for leaf in next(iter(Dataset.from_tensors((1, 1.5, True, 2**40))))] == [
        *("int32", "float32", "bool", "int64")
    ]
    spec = Dataset.from_tensor_slices({"x": x, "t": ["a"] * 6}).batch(4).element_spec
    assert spec == {"x": ElementSpec((None, 2, 3), "float64"), "t": ElementSpec((None,), "string")}
    assert [type(part) for part in next(TEN.map(lambda x: (x, "a")).as_numpy_iterator())] == [np.ndarray, bytes]
    assert TEN.take(1).get_single_element().item() == 0
    assert TEN.reduce(0, lambda total, x: total + x).item() == 45
    signature = (np.dtype("float16"), np.dtype("int64"))
    made = Dataset.from_generator(lambda: iter([(1, 2)]), output_signature=signature)
    assert [part.dtype for part in next(iter(made))] == ["float16", "int64"]


def test_text_is_text_and_gives_bytes() -> None:
    texts = next(iter(Dataset.from_tensor_slices([b"\xc3\xa4 b", b"\xff"]).batch(2)))
    assert isinstance(texts, Strings) and isinstance(texts[0], Text) and isinstance(texts[0:1], Strings)
    assert texts[0].split() == ["ä", "b"] and texts[0].numpy().decode() == "ä b"
    assert texts.numpy().tolist() == [b"\xc3\xa4 b", b"\xff"]  # what is no UTF-8 is kept
    assert [type(text) for text in texts] == [Text, Text] and texts[0].shape == ()
    assert type(np.asarray(texts)) is np.ndarray


def test_shuffled_elements_are_all_there_each_time_in_another_order() -> None:
    made = TEN.shuffle(4, seed=3)
    first, second = listed(made), listed(made)
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert all(x < 4 + i for i, x in enumerate(first))  # none comes before it was in the buffer
    again = TEN.shuffle(4, seed=3)
    assert (listed(again), listed(again)) == (first, second)
    same = TEN.shuffle(10, seed=3, reshuffle_each_iteration=False)
    assert listed(same) == listed(same) != list(range(10))
    graphc.utils.set_random_seed(1)
    drawn = listed(TEN.shuffle(10))
    graphc.utils.set_random_seed(1)
    assert listed(TEN.shuffle(10)) == drawn


def test_cached_elements_are_made_once() -> None:
    made: list[int] = []
    ds = TEN.map(lambda x: made.append(int(x)) or x).cache()
    assert listed(ds.take(3)) == [0, 1, 2]  # the cache is not complete
    assert listed(ds) == listed(ds) == list(range(10)) and len(made) == 13
    with pytest.warns(DataWarning, match="in memory"):
        TEN.cache("file")


@pytest.mark.parametrize(
    ("error", "text", "use"),
    [
        (ArgumentError, "batch_size", lambda: TEN.batch(0)),
        (ArgumentError, "buffer_size", lambda: TEN.shuffle(0)),
        (ArgumentError, "count", lambda: TEN.take(-2)),
        (ArgumentError, "map_func", lambda: TEN.map(3)),
        (ArgumentError, "generator", lambda: Dataset.from_generator(iter([1]))),
        (ArgumentError, "zip", lambda: Dataset.zip(TEN, [1])),
        (ArgumentError, "below num_shards", lambda: TEN.shard(2, 2)),
        (ArgumentError, "more than one", lambda: TEN.get_single_element()),
        (ArgumentError, "padded_shapes", lambda: TEN.padded_batch(2, padded_shapes=(3,))),
        (DataError, "one number of rows", lambda: Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))),
        (DataError, "one number of rows", lambda: Dataset.from_tensor_slices(3)),
        (DataError, "differ in shape", lambda: listed(TEN.map(lambda x: [1] * int(x)).batch(2))),
        (DataError, "differ in structure", lambda: listed(TEN.map(lambda x: (x,) if x > 0 else x).batch(2))),
        (DataError, "numbers or text", lambda: Dataset.from_tensors(object())),
        (DataError, "numbers or text", lambda: Dataset.from_tensors(np.array(["2020-01-01"], "datetime64[D]"))),
    ],
)
def test_what_is_refused(error: type[Exception], text: str, use: Callable[[], Any]) -> None:
    with pytest.raises(error, match=text):
        use()


# ---- threads


def failing(x: Any) -> Any:
    if x == 3:
        raise ZeroDivisionError("at three")
    return x


@pytest.mark.parametrize("ahead", [1, 2, 20])
def test_errors_of_a_prefetching_thread_come_whole_and_in_their_place(ahead: int) -> None:
    seen = []
    with pytest.raises(ZeroDivisionError, match="at three") as info:
        for x in TEN.map(failing).prefetch(ahead):
            seen.append(int(x))
    assert seen == [0, 1, 2]
    assert "failing" in [entry.name for entry in info.traceback]
    iterator = iter(TEN.map(failing).prefetch(ahead))
    assert len(list(itertools.islice(iterator, 3))) == 3
    with pytest.raises(ZeroDivisionError):
        next(iterator)
    assert next(iterator, "end") == "end"


def prefetching() -> int:
    return sum(thread.name == "graphc-prefetch" for thread in threading.enumerate())


def ended(before: int) -> bool:
    for _ in range(100):
        gc.collect()
        if prefetching() <= before:
            return True
        time.sleep(0.02)
    return False


def test_a_prefetching_thread_is_bounded_and_ends_with_its_user() -> None:
    before, made = prefetching(), []
    iterator = iter(TEN.repeat().map(lambda x: made.append(1) or x).prefetch(3))
    next(iterator)
    time.sleep(0.1)
    assert len(made) <= 5  # one is used, three wait, one is in the thread's hands
    assert prefetching() == before + 1
    del iterator
    assert ended(before)
    closed: list[bool] = []

    def source() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    prefetched = Prefetched(source())
    assert next(prefetched) == 0
    prefetched.close()
    assert closed == [True] and prefetching() == before and next(prefetched, None) is None


def test_settings_hold_in_the_thread() -> None:
    with graphc.config.override(floatx="float16"):
        made = list(Dataset.range(2).map(lambda x: 1.5).prefetch())
    assert [x.dtype for x in made] == ["float16"] * 2


def test_many_threads_keep_the_order() -> None:
    def slowly(x: Any) -> Any:
        time.sleep(0.002 * (int(x) % 3))
        return x

    assert listed(TEN.map_in_threads(slowly, 3)) == list(range(10))
    with pytest.raises(ZeroDivisionError):
        listed(TEN.map_in_threads(failing, 3))


# ---- models


def model() -> graphc.Model:
    graphc.utils.set_random_seed(0)
    result = graphc.Sequential([graphc.Input((3,)), layers.Dense(1)])
    result.compile("sgd", "mse")
    return result


X, Y = np.random.default_rng(0).normal(size=(20, 3)).astype("float32"), np.ones((20, 1), "float32")


@pytest.mark.parametrize("prefetches", [False, True])
def test_models_take_data_sets(prefetches: bool) -> None:
    before = prefetching()
    ds = Dataset.from_tensor_slices((X, Y)).batch(8)
    ds = ds.prefetch(2) if prefetches else ds
    with graphc.backend("numpy"):
        one, other = model(), model()
        history = one.fit(ds, validation_data=ds, epochs=3, verbose=0).history
        expected = other.fit(X, Y, 8, 3, shuffle=False, validation_data=(X, Y), verbose=0).history
        np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-5)
        np.testing.assert_allclose(one.evaluate(ds, verbose=0), other.evaluate(X, Y, 8, verbose=0), rtol=1e-5)
        np.testing.assert_allclose(one.predict(ds, verbose=0), other.predict(X, 8, verbose=0), rtol=1e-5)
        # Endless data, of which each epoch takes as much as it is told to, and goes on where the last one ended.
        numbers: list[int] = []
        endless = Dataset.range(100).map(lambda i: numbers.append(int(i)) or (X[:4] + 0 * i, Y[:4])).repeat()
        one.fit(endless, steps_per_epoch=3, epochs=2, verbose=0)
        assert numbers[:6] == list(range(6)) and len(numbers) < 12
    assert ended(before)


def test_an_error_while_data_are_made_stops_training_whole_and_leaves_the_weights() -> None:
    ds = TEN.map(failing).map(lambda i: (X[:4], Y[:4]))
    with graphc.backend("numpy"):
        trained, expected = model(), model()
        with pytest.raises(ZeroDivisionError, match="at three") as info:
            trained.fit(ds, verbose=0)
        assert "failing" in [entry.name for entry in info.traceback]
        expected.fit(ds.take(3), verbose=0)
    np.testing.assert_array_equal(trained.get_weights()[0], expected.get_weights()[0])


class Loader:
    """Batches as PyTorch's loader gives them: lists, from an object that can be iterated again."""

    def __init__(self, known: bool) -> None:
        self.known = known

    def __len__(self) -> int:
        if not self.known:
            raise TypeError("object of type 'IterableDataset' has no len()")
        return 5

    def __iter__(self) -> Iterator[Any]:
        return ([X[i : i + 4], Y[i : i + 4]] for i in range(0, 20, 4))


@pytest.mark.parametrize("known", [True, False])
def test_loaders_of_others_are_iterated_in_a_thread(known: bool) -> None:
    loader, names = Loader(known), []
    made = loader.__iter__

    class Watched(Loader):
        def __iter__(self) -> Iterator[Any]:
            for batch in made():
                names.append(threading.current_thread().name)
                yield batch

    with graphc.backend("numpy"):
        one, other = model(), model()
        one.fit(Watched(known), epochs=2, verbose=0)
        other.fit(X, Y, 4, 2, shuffle=False, verbose=0)
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-5)
    assert set(names) == {"graphc-prefetch"}


def test_nothing_is_taken_from_a_generator_that_is_not_used() -> None:
    numbers = iter(range(10))
    batches = ((X[:4] + i, Y[:4]) for i in numbers)
    with graphc.backend("numpy"):
        model().fit(batches, steps_per_epoch=2, epochs=2, verbose=0)
    assert next(numbers) == 4


def test_epochs_and_steps_can_be_limited() -> None:
    with graphc.backend("numpy"), graphc.config.override(max_epochs=2, max_steps_per_epoch=3):
        limited = model()
        steps: list[int] = []
        counting = graphc.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
        assert len(limited.fit(X, Y, 4, epochs=5, verbose=0, callbacks=[counting]).epoch) == 2
        assert steps == [0, 1, 2] * 2
        assert limited.predict(X, 4, verbose=0).shape == limited.predict(Loader(True), verbose=0).shape == (12, 1)
        assert limited.predict(X, 4, verbose=0).shape == (12, 1)
