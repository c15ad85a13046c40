"""The loops of fit, evaluate and predict: what callbacks may do, when data sets hear of it, what errors leave."""

from __future__ import annotations

import os
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import callbacks, layers, losses, optimizers, utils
from graphc.errors import ArgumentError, DataError, FileError, GraphcError, ShapeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = RNG.normal(size=(20, 2)).astype("float32")
LABELS = np.arange(20) % 3


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def network(api: Any = graphc, **options: Any) -> Any:
    model = api.Sequential([api.Input((3,)), api.layers.Dense(2)])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    if api is keras:
        options["run_eagerly"] = True
    model.compile(api.optimizers.SGD(0.05), "mse", metrics=["mae"], **options)
    return model


def batches(size: int = 4, count: int = 5) -> Iterator[Any]:
    parts = (np.arange(i * size, (i + 1) * size) % len(X) for i in range(count))
    return ((X[part], Y[part]) for part in parts)


def assert_same(ours: Any, theirs: Any, what: str) -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), what
        for key, value in theirs.items():
            np.testing.assert_allclose(ours[key], value, rtol=1e-4, atol=1e-6, err_msg=f"{what}: {key}")
    else:
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=what)


# ---- callbacks that use the model

ACTIONS: dict[str, Callable[[Any], Any]] = {
    "train_on_batch": lambda model: model.train_on_batch(X[:5], Y[:5]),
    "test_on_batch": lambda model: model.test_on_batch(X[:5], Y[:5]),
    "predict_on_batch": lambda model: model.predict_on_batch(X[:5]),
    "fit": lambda model: model.fit(X[:6], Y[:6], batch_size=3, shuffle=False, verbose=0),
    "evaluate": lambda model: model.evaluate(X, Y, batch_size=8, verbose=0),
    "predict": lambda model: model.predict(X, batch_size=8, verbose=0),
}
HOOKS = ["on_train_batch_begin", "on_train_batch_end", "on_epoch_end", "on_test_batch_end"]


def outer_fit(api: Any, hook: str, action: Callable[[Any], Any], data: str) -> tuple[Any, Any]:
    class Busy(api.callbacks.Callback):  # type: ignore[misc]
        busy = False

    def act(self: Any, number: int, logs: Any = None) -> None:
        # Not what it does itself, and not always: only a step that is not the first moves the place in the data.
        if not self.busy and number == 1:
            self.busy = True
            action(self.model)
            self.busy = False

    setattr(Busy, hook, act)
    model = network(api)
    given: tuple[Any, ...] = (X, Y) if data == "arrays" else (batches(),)
    options = {"batch_size": 4} if data == "arrays" else {"steps_per_epoch": 2}
    history = model.fit(
        *given, shuffle=False, epochs=2, verbose=0, callbacks=[Busy()], validation_data=(X[:8], Y[:8]), **options
    )
    return history.history, model.get_weights()


@pytest.mark.parametrize("data", ["arrays", "generator"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_callback_may_use_the_model(action: str, data: str) -> None:
    for hook in HOOKS if data == "arrays" and action in ("train_on_batch", "fit", "evaluate") else HOOKS[1:2]:
        ours, theirs = (outer_fit(api, hook, ACTIONS[action], data) for api in (graphc, keras))
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other, f"{action} in {hook}")


# ---- how many steps there are, and when data sets hear of them


class Told(utils.PyDataset):
    """A data set that notes what it is asked for: batches by number, B at the begin of an epoch, E at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = ""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        self.heard += str(index)
        return X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]

    def on_epoch_begin(self) -> None:
        self.heard += "B"

    def on_epoch_end(self) -> None:
        self.heard += "E"


DATA: dict[str, Callable[[], tuple[Any, ...]]] = {
    "arrays": lambda: (X[:12], Y[:12]),
    "dataset": lambda: (Told(),),
    "generator": lambda: (batches(count=40),),
}
OPTIONS: list[dict[str, Any]] = [
    {"epochs": 2, "batch_size": 5, "validation_batch_size": 3},
    {"epochs": 3, "initial_epoch": 1, "batch_size": 7},
    {"epochs": 2, "steps_per_epoch": 2, "validation_steps": 2},
    {"steps_per_epoch": 0, "validation_steps": 0, "validation_freq": 1},
    {"epochs": 3, "validation_freq": [1, 3]},
    {"epochs": 2, "steps_per_epoch": 4, "batch_size": 4},
]


def counted(api: Any, training: str, validation: str, options: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """What fit returns, how often which callbacks were called, and the data sets."""
    options = dict(options)
    if training == "generator" and not options.get("steps_per_epoch"):
        options["steps_per_epoch"] = 3
    if validation == "generator" and not options.get("validation_steps"):
        options["validation_steps"] = 3
    if training != "arrays" and validation != "arrays" and api is graphc:
        options.pop("batch_size", None)  # it has no effect, of which there is a warning
    calls: list[tuple[str, int]] = []
    names = ("on_epoch_begin", "on_epoch_end", "on_train_batch_end", "on_test_batch_end")
    hooks = {name: lambda number, logs=None, name=name: calls.append((name, number)) for name in names}
    given, judged = DATA[training](), DATA[validation]()
    if validation == "generator":
        # In Keras each evaluation begins with the two batches that it looked at first.
        judged = (((X[:4], Y[:4]) for _ in range(40)),)
    if api is keras:
        given, judged = ((keras_dataset(data[0]), *data[1:]) for data in (given, judged))
    model = network(api)
    history = model.fit(
        *given,
        validation_data=judged if validation == "arrays" else judged[0],
        shuffle=False,
        verbose=0,
        callbacks=[api.callbacks.LambdaCallback(**hooks)],
        **options,
    )
    return history.history, calls, [given[0], judged[0]]


def keras_dataset(data: Any) -> Any:
    if not isinstance(data, Told):
        return data

    class Same(keras.utils.PyDataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return data[index]

    return Same()


@pytest.mark.parametrize(("training", "validation"), list(product(DATA, DATA)))
@pytest.mark.filterwarnings("ignore:.*ran out of data", "ignore:.*batches where", "ignore:.*shuffle")
def test_every_argument_with_every_kind_of_data(training: str, validation: str) -> None:
    for options in OPTIONS:
        (ours, calls, data), (theirs, wanted, _) = (
            counted(api, training, validation, options) for api in (graphc, keras)
        )
        what = f"{training}, {validation}, {options}"
        assert_same(ours, theirs, what)
        assert calls == wanted, what
        epochs = sum(name == "on_epoch_begin" for name, _ in calls)
        passes = [epochs, sum(key == "val_loss" for key in ours) * len(ours["val_loss"])]
        for source, count in zip(data, passes, strict=True):
            if isinstance(source, Told):
                # The first batch is looked at before anything begins; then each epoch begins, asks, and ends.
                heard = source.heard.removeprefix("0")
                assert heard.count("B") == heard.count("E") == count, what
                assert heard.startswith("B") and heard.endswith("E") and "EB" in heard + "EB", what


def test_a_data_set_that_changes_between_epochs_is_read_anew() -> None:
    class Growing(utils.PyDataset):
        def __init__(self, hook: str) -> None:
            super().__init__()
            self.scale = 0.0
            setattr(self, hook, self.grow)

        def grow(self) -> None:
            self.scale += 1

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return np.full((4, 3), self.scale, "float32"), np.zeros((4, 1), "float32")

    for hook, scales in (("on_epoch_begin", [1, 2, 3]), ("on_epoch_end", [0, 1, 2])):
        model = graphc.Sequential([graphc.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
        model.compile(optimizers.SGD(0.0), "mse")
        history = model.fit(Growing(hook), epochs=3, verbose=0)
        np.testing.assert_allclose(history.history["loss"], np.square(3.0 * np.array(scales)))
        data = Growing(hook)
        assert len({float(np.asarray(model.predict(data, verbose=0))[0, 0]) for _ in range(3)}) == 3


def test_a_data_set_without_end() -> None:
    class Endless(utils.PyDataset):
        num_batches = None

        def __getitem__(self, index: int) -> Any:
            return X[:4] + index, Y[:4]

    model = network()
    history = model.fit(Endless(), steps_per_epoch=3, epochs=2, verbose=0)
    assert history.epoch == [0, 1]
    assert model.predict(Endless(), steps=4, verbose=0).shape == (16, 2)


@pytest.mark.parametrize("steps", [1, 3, 7, 0])
def test_batches_are_made_for_the_steps_that_are_asked_for(steps: int) -> None:
    results = []
    for api in (graphc, keras):
        model = network(api)
        history = model.fit(
            X, Y, steps_per_epoch=steps, validation_data=(X, Y), validation_steps=steps, shuffle=False, verbose=0
        ).history
        results.append(
            (history, model.evaluate(X, Y, steps=steps, verbose=0), model.predict(X, steps=steps, verbose=0))
        )
    assert_same(*(result[0] for result in results), "fit")
    assert_same(*(result[1] for result in results), "evaluate")
    assert_same(*(result[2] for result in results), "predict")


def test_generators_that_end() -> None:
    model = network()
    with pytest.warns(UserWarning, match="no batch"):
        history = model.fit(X, Y, epochs=3, validation_data=batches(), verbose=0)
    assert history.epoch == [0, 1, 2] and len(history.history["loss"]) == 3
    assert len(history.history["val_loss"]) == 1 and history.history["val_loss"][0] > 0
    with pytest.warns(UserWarning, match="2 batches where 4 were expected"):
        history = model.fit(batches(count=6), steps_per_epoch=4, epochs=2, verbose=0)
    assert history.epoch == [0, 1]
    ended = batches(count=0)
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(DataError, match="empty"):
            call(ended, verbose=0)
    # A step that is not asked for is not taken from an iterator.
    source = batches()
    model.fit(source, steps_per_epoch=2, verbose=0)
    model.evaluate(source, steps=1, verbose=0)
    assert model.predict(source, steps=1, verbose=0).shape == (4, 2)
    np.testing.assert_array_equal(next(source)[0], X[16:20])


def test_validation_data_take_the_place_of_a_split() -> None:
    seen: list[int] = []
    hook = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    network().fit(X, Y, batch_size=5, validation_split=0.5, validation_data=(X, Y), verbose=0, callbacks=[hook])
    assert seen == [0, 1, 2, 3]


def test_samples_that_are_held_out_are_not_weighed() -> None:
    results = []
    for api in (graphc, keras):
        model = api.Sequential([api.Input((3,)), api.layers.Dense(3, activation="softmax", kernel_initializer="ones")])
        model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        weights = {0: 5.0, 2: 0.1}
        results.append(
            model.fit(X, LABELS, validation_split=0.3, class_weight=weights, shuffle=False, verbose=0).history
        )
    assert_same(*results, "class_weight")


# ---- what is wrong is found before the step


def late_errors() -> dict[str, tuple[Callable[[Any, Path], Any], type[Exception]]]:
    def bad(change: Callable[[Any, Any], Any]) -> Iterator[Any]:
        yield from batches(count=3)
        yield change(X[:4], Y[:4])

    def hook(name: str, raised: Callable[[Any, Path], Any]) -> Callable[[Any, Path], Any]:
        def run(model: Any, folder: Path) -> Any:
            count = iter(range(100))
            late = callbacks.LambdaCallback(**{name: lambda *a: raised(model, folder) if next(count) == 3 else None})
            return model.fit(X, Y, batch_size=4, epochs=5, verbose=0, callbacks=[late], validation_split=0.2)

        return run

    def occupied(model: Any, folder: Path) -> None:
        (folder / "a.weights.h5").mkdir()
        model.save_weights(folder / "a.weights.h5")

    def validated(model: Any, folder: Path) -> Any:
        sizes = iter([3, 3, 2])
        data = ((X[:4, : next(sizes)], Y[:4]) for _ in range(3))
        return model.fit(X, Y, batch_size=4, epochs=3, validation_data=data, validation_steps=1, verbose=0)

    def refuse(model: Any, folder: Path) -> None:
        raise ArgumentError("no")

    return {
        "width": (lambda m, _: m.fit(bad(lambda x, y: (x[:, :2], y)), verbose=0), ShapeError),
        "targets": (lambda m, _: m.fit(bad(lambda x, y: (x, y[:, [0, 0, 0]])), verbose=0), GraphcError),
        "missing": (lambda m, _: m.fit(bad(lambda x, y: (x,)), verbose=0), DataError),
        "count": (lambda m, _: m.fit(bad(lambda x, y: (x, y[:2])), verbose=0), DataError),
        "empty": (lambda m, _: m.fit(bad(lambda x, y: (x[:0], y[:0])), verbose=0), DataError),
        "strings": (lambda m, _: m.fit(bad(lambda x, y: (x.astype(str), y)), verbose=0), GraphcError),
        "no batch": (lambda m, _: m.fit(bad(lambda x, y: (x, y, None, None)), verbose=0), ArgumentError),
        "weights": (lambda m, _: m.fit(bad(lambda x, y: (x, y, {"q": y})), verbose=0), ArgumentError),
        "validation": (validated, ShapeError),
        "epoch begin": (hook("on_epoch_begin", refuse), ArgumentError),
        "epoch end": (hook("on_epoch_end", refuse), ArgumentError),
        "batch begin": (hook("on_train_batch_begin", refuse), ArgumentError),
        "batch end": (hook("on_train_batch_end", refuse), ArgumentError),
        "test batch end": (hook("on_test_batch_end", refuse), ArgumentError),
        "file": (hook("on_epoch_end", occupied), FileError),
    }


@pytest.mark.parametrize("case", late_errors())
def test_a_late_error_leaves_what_was_trained(case: str, tmp_path: Path) -> None:
    """Weights and moments are those after the last step that ended."""
    act, kind = late_errors()[case]
    model = network()
    states = lambda: [v.numpy() for v in (*model.weights, *model.optimizer.variables)]  # noqa: E731
    after: list[Any] = []

    class Note(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            after.append(states())

    note, plain = Note(), model.fit
    model.fit = lambda *args, **options: plain(*args, **{**options, "callbacks": [note, *options.get("callbacks", [])]})
    before = states() if model.optimizer.built else None
    with pytest.raises(kind):
        act(model, tmp_path)
    assert len(after) >= 3 and before is None
    for value, wanted in zip(states(), after[-1], strict=True):
        np.testing.assert_array_equal(value, wanted)
    assert int(model.optimizer.iterations.numpy()) == len(after)
    model.fit = plain
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])


def test_a_late_label_out_of_range_leaves_what_was_trained() -> None:
    weights = []
    for ending in ([(X, LABELS + 1)], []):
        model = graphc.Sequential([graphc.Input((3,)), layers.Dense(3, "softmax", kernel_initializer="ones")])
        model.compile("adam", "sparse_categorical_crossentropy")
        data = iter([(X, LABELS), (X, LABELS), *ending])
        if ending:
            with pytest.raises(DataError, match="label 3 at index 2"):
                model.fit(data, verbose=0)
        else:
            model.fit(data, verbose=0)
        weights.append([*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)])
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_batch_that_is_refused_leaves_the_metrics() -> None:
    model = network()
    model.train_on_batch(X, Y)
    before = model.get_metrics_result()
    for bad in ((X[:, :2], Y), (X, Y[:, [0, 0, 0]]), (X, None)):
        with pytest.raises(GraphcError):
            model.train_on_batch(*bad)
        with pytest.raises(GraphcError):
            model.test_on_batch(*bad)
    assert model.get_metrics_result() == before


def test_targets_that_are_missing() -> None:
    model = network()
    for act in (
        lambda: model.fit(X, verbose=0),
        lambda: model.evaluate(X, verbose=0),
        lambda: model.evaluate(iter([(X,)]), verbose=0),
        lambda: model.fit(X, Y, validation_data=(X,), verbose=0),
        lambda: model.fit(X, Y, validation_data=X, verbose=0),
        lambda: model.fit(X, Y, validation_data=iter([(X,)]), verbose=0),
        lambda: model.train_on_batch(X),
        lambda: model.test_on_batch(X),
    ):
        before = model.get_weights()
        with pytest.raises(DataError, match="no targets"):
            act()
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


class Subclassed(graphc.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.dense(x)


def classifiers() -> dict[str, Any]:
    x = graphc.Input((3,))
    return {
        "functional": graphc.Model(x, layers.Dense(3, activation="softmax")(x)),
        "sequential": graphc.Sequential([graphc.Input((3,)), layers.Dense(3, activation="softmax")]),
        "deferred": graphc.Sequential([layers.Dense(3, activation="softmax")]),
        "subclassed": Subclassed(),
    }


WRONG_LABELS: list[tuple[Any, str]] = [
    (np.where(np.arange(20) == 7, 3, LABELS), "label 3 at index 7"),
    (np.where(np.arange(20) == 7, -1, LABELS), "label -1 at index 7"),
    (np.where(np.arange(20) == 7, np.nan, LABELS), "label nan at index 7"),
    (np.where(np.arange(20) == 7, np.inf, LABELS).astype("float32")[:, None], "label inf at index 7"),
    (np.where(np.arange(20) == 7, 255, LABELS).astype("uint8"), "label 255 at index 7"),
]


@pytest.mark.parametrize("kind", classifiers())
def test_labels_out_of_range(kind: str) -> None:
    """In a first call as in a later one, of any kind of model."""
    acts: list[Callable[[Any, Any], Any]] = [
        lambda model, y: model.fit(X, y, verbose=0),
        lambda model, y: model.fit(iter([(X, y)]), verbose=0),
        lambda model, y: model.fit(X, LABELS, validation_data=(X, y), verbose=0),
        lambda model, y: model.evaluate(X, y, verbose=0),
        lambda model, y: model.train_on_batch(X, y),
        lambda model, y: model.test_on_batch(X, y),
    ]
    cases = [(act, *WRONG_LABELS[0]) for act in acts] + [(acts[0], *wrong) for wrong in WRONG_LABELS[1:]]
    for act, labels, said in cases:
        model = classifiers()[kind]
        model.compile("sgd", "sparse_categorical_crossentropy")
        with warnings.catch_warnings(), pytest.raises(DataError) as caught:
            warnings.simplefilter("ignore")  # of NaN in the data
            act(model, labels)
        assert said in str(caught.value)


def test_a_label_that_is_ignored_is_in_range() -> None:
    model = Subclassed()
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=-1))
    labels = np.where(LABELS == 2, -1, LABELS)
    assert np.isfinite(model.train_on_batch(X, labels))
    with pytest.raises(DataError, match="label 3 at index 0"):
        model.train_on_batch(X, labels + 3)


def test_no_rows() -> None:
    model = network()
    for predict in (model.predict_on_batch, lambda x: model.predict(x, verbose=0)):
        assert predict(X[:0]).shape == (0, 2) and predict(X[:0]).dtype == np.float32
    several = graphc.Model(model.inputs, {"a": model.outputs[0], "b": [model.outputs[0][:, :1]]})
    got = several.predict(X[:0], verbose=0)
    assert got["a"].shape == (0, 2) and got["b"][0].shape == (0, 1)
    for act in (model.fit, model.evaluate):
        with pytest.raises(DataError, match="empty"):
            act(X[:0], Y[:0], verbose=0)
    for step in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(DataError, match="empty"):
            step(X[:0], Y[:0])


WRONG_ARGUMENTS: list[dict[str, Any]] = [
    *({"epochs": value} for value in (1.5, -1, "2", None, True)),
    *({"initial_epoch": value} for value in (0.5, -1, "a", None)),
    *({"steps_per_epoch": value} for value in (1.5, -1, "a")),
    *({"validation_steps": value} for value in (2.0, -3)),
    *({"batch_size": value} for value in (1.5, 0, -4, "a", True, [4])),
    *({"validation_batch_size": value} for value in (1.5, 0, "a")),
    *({"validation_split": value} for value in ("a", 1.0, -0.5, [0.5], 0.999)),
    *({"validation_freq": value} for value in (0, -1, 1.5, "a", None, [0], ["a"], [1.5])),
    *(
        {"class_weight": value}
        for value in ([1.0, 2.0], 2.0, "a", {"a": 1.0}, {0: "b"}, {0: [1.0]}, {0: np.nan}, {0.5: 1.0})
    ),
    *({"verbose": value} for value in (3, -1, "loud", 0.5, None)),
    *({"shuffle": value} for value in ("a", 7, [1], np.array([1, 2]))),
    {"class_weight": {0: 1.0}, "sample_weight": np.ones(20)},
    {"callbacks": [1]},
    {"sample_weight": np.ones(19)},
]


@pytest.mark.parametrize("options", WRONG_ARGUMENTS, ids=str)
def test_wrong_arguments_are_told_before_anything_changes(options: dict[str, Any]) -> None:
    model = classifiers()["sequential"]
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    begun: list[Any] = []
    begin = callbacks.LambdaCallback(on_train_begin=begun.append)
    with pytest.raises(ArgumentError if "sample_weight" not in options or "class_weight" in options else DataError):
        model.fit(X, LABELS, **{"verbose": 0, "callbacks": [begin], "validation_data": None, **options})
    assert not begun
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_class_weights_and_sample_weights_are_refused_together_everywhere() -> None:
    model = classifiers()["sequential"]
    model.compile("sgd", "sparse_categorical_crossentropy")
    both = {"class_weight": {0: 2.0}, "sample_weight": np.ones((20, 1))}
    with pytest.raises(ArgumentError, match="at the same time"):
        model.fit(X, LABELS, verbose=0, **both)
    with pytest.raises(ArgumentError, match="at the same time"):
        model.train_on_batch(X, LABELS, **both)
    with pytest.raises(ArgumentError, match="at the same time"):
        model.fit(iter([(X, LABELS, np.ones(20))]), class_weight={0: 2.0}, verbose=0)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, None], LABELS + 0.2, np.eye(3)[LABELS]])
def test_class_weights_of_every_form_of_labels(labels: Any) -> None:
    outputs = labels.shape[-1] if labels.ndim > 1 else 1
    results = []
    for api in (graphc, keras):
        model = api.Sequential([api.Input((3,)), api.layers.Dense(outputs, kernel_initializer="ones")])
        model.compile("sgd", "mse", **({"run_eagerly": True} if api is keras else {}))
        results.append(model.train_on_batch(X, labels, class_weight={0: 2.0, 2: 0.5}))
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
def test_classes_of_any_dtype(dtype: str) -> None:
    labels = (LABELS > 0).astype(dtype)
    given = dict(zip(np.unique(labels), [0.5, 2.0], strict=True))
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(1)])
    model.compile(optimizers.SGD(0.0), "mse")
    told = model.train_on_batch(X, labels, class_weight=given)
    assert told == model.train_on_batch(X, labels, sample_weight=np.where(labels, 2.0, 0.5))


def test_class_weights_need_one_label_for_each_sample() -> None:
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(2)])
    model.compile("sgd", "mse")
    for labels in (np.zeros((20, 4, 2)), np.full((20, 1), np.nan), None):
        with pytest.raises(DataError, match="class_weight needs"):
            model.train_on_batch(X, labels, class_weight={0: 2.0})


def test_all_nan_is_told_without_taking_much_memory() -> None:
    bad = np.full((2000, 1000), np.nan, "float32")
    model = graphc.Sequential([graphc.Input((1000,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.predict(np.zeros((1, 1000), "float32"), verbose=0)
    tracemalloc.start()
    try:
        with pytest.warns(UserWarning, match=r"x holds NaN, first at index \(0, 0\)"):
            model.predict(bad, verbose=0, batch_size=2000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * bad.nbytes
