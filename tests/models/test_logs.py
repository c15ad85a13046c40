"""What callbacks are told, what own metrics and losses give, and the dtypes of inputs, against Keras 3 on JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3)).astype("float32")
Y = RNG.normal(size=(12, 2)).astype("float32")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def filled(model: Any) -> Any:
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def network(api: Any, base: Any = None) -> Any:
    x = api.Input((3,), name="x")
    return filled((base or api.Model)(x, api.layers.Dense(2, name="out")(x)))


def compile(model: Any, *args: Any, **options: Any) -> None:
    # Keras runs such small models faster without compiling.
    model.compile(*args, **options, **({} if isinstance(model, graphc.Model) else {"run_eagerly": True}))


def both(act: Callable[[Any], Any]) -> None:
    """Does the same with both libraries, and compares the numbers."""
    ours, theirs = act(graphc), act(keras)
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


# ---- own metrics and losses


def mean_of(api: Any, name: str) -> Any:
    return api.metrics.Mean(name=name)


def listed_metric(api: Any) -> Any:
    class Several(api.metrics.Metric):  # type: ignore[misc]
        """Metrics in a list, a dictionary and an attribute."""

        def __init__(self) -> None:
            super().__init__(name="several")
            self.listed = [mean_of(api, "a"), mean_of(api, "b")]
            self.keyed = {"c": mean_of(api, "c")}
            self.one = mean_of(api, "d")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            for factor, metric in enumerate([*self.listed, self.keyed["c"], self.one]):
                metric.update_state(y_pred * (factor + 1.0))

        def result(self) -> Any:
            return self.listed[0].result() + self.listed[1].result() + self.keyed["c"].result() + self.one.result()

        def reset_state(self) -> None:
            for metric in [*self.listed, self.keyed["c"], self.one]:
                metric.reset_state()

    return Several()


def test_metrics_that_keep_metrics() -> None:
    def act(api: Any) -> Any:
        model = network(api)
        compile(model, "sgd", "mse", metrics=[listed_metric(api)])
        first = model.evaluate(X, Y, verbose=0)
        history = model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0).history
        return [first, model.evaluate(X, Y, verbose=0), *history.values()]

    both(act)


def extended(api: Any, kind: str) -> Any:
    """A model with its own `compute_metrics`."""

    class Extended(api.Model):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.extra = mean_of(api, "extra")

        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            self.extra.update_state(api.ops.abs(y_pred))
            if kind == "tracked":
                logs["extra"] = self.extra.result()
            elif kind == "added":
                logs["largest"] = api.ops.max(y_pred)
            elif kind == "renamed":
                return {"my_loss": logs["loss"], "extra": self.extra.result()}
            elif kind == "none":
                return {**logs, "extra": self.extra.result()}
            return logs

    return network(api, Extended)


@pytest.mark.parametrize("kind", ["tracked", "added", "renamed", "none"])
def test_own_compute_metrics_with_the_results_of_super(kind: str) -> None:
    def act(api: Any) -> Any:
        model = extended(api, kind)
        compile(model, "sgd", "mse", metrics=["mae"])
        heard: list[Any] = []
        hook = api.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(sorted(logs.items())))
        history = model.fit(
            X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[hook], validation_data=(X, Y)
        )
        logs = model.evaluate(X, Y, verbose=0, return_dict=True)
        step = model.train_on_batch(X, Y, return_dict=True)
        told = {f"heard_{name}_{i}": value for i, pairs in enumerate(heard) for name, value in pairs}
        ordered = dict(enumerate(model.evaluate(X, Y, verbose=0)))
        return {**history.history, **logs, **told, **{f"step_{k}": v for k, v in step.items()}, **ordered}

    both(act)


def own_loss(api: Any, arguments: str) -> Any:
    class Four(api.Model):  # type: ignore[misc]
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
            return api.ops.mean(api.ops.abs(y - y_pred)) + sum(self.losses)

    class Five(api.Model):  # type: ignore[misc]
        def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool = True) -> Any:
            return api.ops.mean(api.ops.abs(y - y_pred)) * (2.0 if training else 1.0)

    class Named(api.Model):  # type: ignore[misc]
        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, **kwargs: Any
        ) -> Any:
            return super().compute_loss(x, y, y_pred, sample_weight, **kwargs) * 3.0

    return {"four": Four, "five": Five, "named": Named}[arguments]


@pytest.mark.parametrize("arguments", ["four", "five"])
def test_own_compute_loss(arguments: str) -> None:
    def act(api: Any) -> Any:
        model = network(api, own_loss(api, arguments))
        compile(model, "sgd", "mse", metrics=["mae"])
        history = model.fit(X, Y, batch_size=4, shuffle=False, verbose=0).history
        return [*history.values(), *model.evaluate(X, Y, verbose=0)]

    both(act)


def test_own_compute_loss_that_takes_anything_by_name() -> None:
    model = network(graphc, own_loss(graphc, "named"))
    compile(model, "sgd", "mse")
    plain = network(graphc)
    plain.compile("sgd", "mse")
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), 3 * plain.evaluate(X, Y, verbose=0), rtol=1e-6)


ADDED: dict[str, Callable[[Any, Any], Any]] = {
    "scalar": lambda api, x: api.ops.mean(x),
    "vector": lambda api, x: api.ops.mean(api.ops.square(x), axis=-1),
    "matrix": lambda api, x: api.ops.abs(x),
    "integers": lambda api, x: api.ops.cast(x > 0, "int32"),
}


@pytest.mark.parametrize("kind", ADDED)
def test_losses_that_layers_add(kind: str) -> None:
    def act(api: Any) -> Any:
        class Adds(api.layers.Layer):  # type: ignore[misc]
            def call(self, x: Any) -> Any:
                self.add_loss(ADDED[kind](api, x))
                return x

        model = filled(api.Sequential([api.Input((3,)), api.layers.Dense(2, kernel_regularizer="l2"), Adds()]))
        compile(model, "sgd", "mse")
        history = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        return [history["loss"], model.evaluate(X, Y, verbose=0), *model.get_weights()]

    both(act)


# ---- what callbacks are told


def test_begin_hooks_get_a_dictionary() -> None:
    def act(api: Any) -> Any:
        told: dict[str, int] = {}

        class All(api.callbacks.Callback):  # type: ignore[misc]
            pass

        for name in dir(api.callbacks.Callback):
            if name.startswith("on_"):

                def hear(self: Any, *args: Any, name: str = name, **kwargs: Any) -> None:
                    logs = kwargs["logs"] if "logs" in kwargs else args[-1]
                    assert isinstance(logs, dict), name
                    told[name] = told.get(name, 0) + len(logs)

                setattr(All, name, hear)
        model = network(api)
        compile(model, "sgd", "mse", metrics=["mae"])
        model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[All()], batch_size=4, epochs=2)
        model.evaluate(X, Y, verbose=0, callbacks=[All()])
        model.predict(X, verbose=0, callbacks=[All()])
        return dict(sorted(told.items()))

    both(act)


def test_what_is_predicted_is_told_as_it_nests() -> None:
    for kind in ("single", "one", "list", "dict"):

        def act(api: Any, kind: str = kind) -> Any:
            x = api.Input((3,))
            y, z = api.layers.Dense(2)(x), api.layers.Dense(1)(x)
            outputs = {"single": y, "one": [y], "list": [y, z], "dict": {"y": y, "z": z}}[kind]
            told: list[Any] = []
            # Keras gives the entries of a dictionary in place of it.
            hook = api.callbacks.LambdaCallback(
                on_predict_batch_end=lambda batch, logs: told.append(logs.get("outputs", logs))
            )
            model = filled(api.Model(x, outputs))
            model.predict(X, batch_size=5, verbose=0, callbacks=[hook])
            return [keras.tree.map_structure(np.asarray, outputs) for outputs in told]

        ours, theirs = act(graphc), act(keras)
        assert [type(outputs) for outputs in ours] == [type(outputs) for outputs in theirs]
        for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_callbacks_may_stop_evaluation_and_prediction() -> None:
    def act(api: Any) -> Any:
        class Stops(api.callbacks.Callback):  # type: ignore[misc]
            def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
                self.model.stop_evaluating = True

            def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
                self.model.stop_predicting = True

        model = network(api)
        compile(model, "sgd", "mse")
        judged = model.evaluate(X, Y, batch_size=5, verbose=0, callbacks=[Stops()])
        return [judged, model.predict(X, batch_size=5, verbose=0, callbacks=[Stops()]), model.evaluate(X, Y, verbose=0)]

    both(act)


@pytest.mark.parametrize(
    ("first", "second"),
    [("mae", "mae"), ("mae", "mse"), (None, "mae"), ("mae", None)],
)
def test_names_of_several_metrics_of_one_kind(first: Any, second: Any) -> None:
    def act(api: Any) -> Any:
        def metrics(name: Any) -> Any:
            made = [api.metrics.MeanAbsoluteError(), api.metrics.MeanAbsoluteError(), api.metrics.MeanSquaredError("m")]
            return [*made, name, name] if name else None

        model = network(api)
        compile(model, "sgd", "mse", metrics=metrics(first), weighted_metrics=metrics(second))
        weights = np.linspace(0, 2, 12, dtype="float32")
        history = model.fit(X, Y, sample_weight=weights, validation_data=(X, Y), shuffle=False, verbose=0).history
        return {**history, **dict(enumerate(model.evaluate(X, Y, sample_weight=weights, verbose=0)))}

    both(act)


@pytest.mark.parametrize("frequency", [1, 2, [3]])
def test_logged_values(frequency: Any, tmp_path: Path) -> None:
    written = []
    for api in (graphc, keras):
        path = tmp_path / f"{api.__name__}.csv"
        model = network(api)
        compile(model, "sgd", "mse", metrics=["mae"])
        for append in (False, True):
            logger = api.callbacks.CSVLogger(str(path), append=append, separator=";")
            model.fit(
                *(X, Y), epochs=3, shuffle=False, verbose=0, validation_data=(X, Y), validation_freq=frequency,
                callbacks=[logger],
            )  # fmt: skip
        written.append([line.split(";") for line in path.read_text().split()])
    ours, theirs = written
    assert ours[0] == theirs[0] and len(ours) == len(theirs)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert [value == "NA" for value in mine] == [value == "NA" for value in other]
        numbers = ([float(value) for value in row if value != "NA"] for row in (mine, other))
        np.testing.assert_allclose(*numbers, rtol=1e-5)


def test_logged_vectors(tmp_path: Path) -> None:
    written = []
    for api in (graphc, keras):
        logger = api.callbacks.CSVLogger(str(tmp_path / api.__name__))
        logger.on_train_begin()
        logger.on_epoch_end(0, {"a": np.array([1.0, 2.5]), "b": [1, 2], "c": np.array(0.5), "d": "text"})
        logger.on_train_end()
        written.append((tmp_path / api.__name__).read_text())
    assert written[0] == written[1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
@pytest.mark.filterwarnings("ignore")
def test_training_ends_at_the_batch_whose_loss_is_no_number(bad: float) -> None:
    def act(api: Any) -> Any:
        x = X.copy()
        x[7] = bad
        steps: list[int] = []
        hook = api.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: steps.append(epoch))
        model = network(api)
        compile(model, "sgd", "mse")
        model.fit(
            x, Y, batch_size=2, epochs=4, shuffle=False, verbose=0, callbacks=[api.callbacks.TerminateOnNaN(), hook]
        )
        return [int(np.asarray(model.optimizer.iterations)), *steps]

    both(act)


def test_a_metric_of_which_it_is_not_known_what_is_better() -> None:
    def spread(y_true: Any, y_pred: Any) -> Any:
        return y_pred - y_true

    cases: list[tuple[Any, str]] = [
        *((["mae", "accuracy", "cosine_similarity"], name) for name in ("loss", "mae", "val_accuracy")),
        (["cosine_similarity"], "val_cosine_similarity"),
        ([spread], "spread"),
        ([spread], "val_loss"),
        (["mae"], "val_maee"),
        (["mae"], "learning_rate"),
        ([keras.losses.mean_absolute_error], "mean_absolute_error"),
    ]
    for metrics, monitor in cases:
        for kind in ("EarlyStopping", "ReduceLROnPlateau")[: 1 + (monitor in ("spread", "mae"))]:
            results = []
            for api in (graphc, keras):
                given = [
                    api.losses.mean_absolute_error if m is keras.losses.mean_absolute_error else m for m in metrics
                ]
                model = network(api)
                compile(model, "sgd", "mse", metrics=given)
                watch = getattr(api.callbacks, kind)(monitor=monitor, patience=0)
                try:
                    model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[watch])
                    results.append(True)
                except ValueError as error:
                    assert api is keras or (isinstance(error, ArgumentError) and "cannot tell" in str(error))
                    results.append(False)
            assert results[0] == results[1], (monitor, kind)


@pytest.mark.parametrize("outputs", ["list", "dict"])
def test_metrics_of_several_outputs_are_known(outputs: str) -> None:
    x = graphc.Input((3,))
    y, z = (graphc.layers.Dense(2, name=name)(x) for name in "yz")
    model = graphc.Model(x, {"list": [y, z], "dict": {"y": y, "z": z}}[outputs])
    compile(model, "sgd", "mse", metrics={"y": ["accuracy"], "z": ["mae"]})
    for monitor, direction in (("y_accuracy", True), ("val_z_mae", False), ("val_z_loss", False)):
        watch = graphc.callbacks.EarlyStopping(monitor=monitor)
        model.fit(X, {"y": Y, "z": Y}, verbose=0, validation_data=(X, {"y": Y, "z": Y}), callbacks=[watch])
        assert watch.larger_is_better() is direction


# ---- inputs are of the dtype that Input says


@pytest.mark.parametrize("given", ["uint8", "int8", "int32", "int64", "bool", "float16", "float32", "float64"])
@pytest.mark.parametrize("wanted", ["float32", "float16", "int32", "uint8"])
def test_inputs_are_cast(given: str, wanted: str) -> None:
    rng = np.random.default_rng(2)
    raw = rng.integers(0, 2 if given == "bool" else 100, (12, 3))
    x = raw.astype(given)

    def act(api: Any) -> Any:
        inputs = api.Input((3,), dtype=wanted)
        scaled = inputs * 2 - 255 if wanted.startswith("float") else api.ops.cast(inputs, "float32") * 0.5
        model = api.Model(inputs, api.ops.cast(scaled, "float32"))
        compile(model, "sgd", "mae")
        target = np.zeros((12, 3), "float32")
        results = [model.predict(x, verbose=0), model.predict_on_batch(x), np.asarray(model(x))]
        return [*results, model.evaluate(x, target, verbose=0)]

    both(act)
