"""Steps that subclasses of models define: compiled like the built-in ones, and equal to what runs eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import callbacks, layers, losses, metrics, ops, optimizers, random
from graphc.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1] * 2.0 - 1.0
EAGERLY = pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])


class Plain(graphc.Model):
    """Linear regression with a step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="zeros")

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with graphc.GradientTape() as tape:
            loss = ops.mean(ops.square(self(x, training=True) - y))
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
        return {"loss": loss, "size": ops.sum(ops.square(self.dense.kernel))}


@EAGERLY
def test_own_step_trains_as_the_built_in_one(eagerly: bool) -> None:
    own = Plain()
    own.compile(optimizers.SGD(0.1), run_eagerly=eagerly)
    built_in = graphc.Sequential([graphc.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    built_in.compile(optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    options = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0}
    history = own.fit(X, Y, **options).history
    built_in.fit(X, Y, **options)
    for mine, theirs in zip(own.get_weights(), built_in.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    assert sorted(history) == ["loss", "size"]
    np.testing.assert_allclose(history["size"][-1], np.square(own.dense.kernel.numpy()).sum(), rtol=1e-5)


class GAN(graphc.Model):
    """Two networks with an optimizer each, and no `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = graphc.Sequential([graphc.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
        self.maker = graphc.Sequential([graphc.Input((3,)), layers.Dense(8, activation="relu"), layers.Dense(4)])
        self.seed_generator = random.SeedGenerator(1)
        self.judge_loss, self.maker_loss = metrics.Mean(name="judge"), metrics.Mean(name="maker")

    def compile(self, judge: Any, maker: Any, loss: Any, **options: Any) -> None:  # type: ignore[override]
        super().compile(**options)
        self.judge_optimizer, self.maker_optimizer, self.loss_fn = judge, maker, loss

    @property
    def metrics(self) -> list[Any]:
        return [self.judge_loss, self.maker_loss]

    def train_step(self, real: Any) -> Any:
        count = ops.shape(real)[0]
        fake = self.maker(random.normal((count, 3), seed=self.seed_generator))
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        with graphc.GradientTape() as tape:
            judged = self.loss_fn(labels, self.judge(ops.concatenate([fake, real], axis=0)))
        weights = self.judge.trainable_weights
        self.judge_optimizer.apply_gradients(zip(tape.gradient(judged, weights), weights, strict=True))
        noise = random.normal((count, 3), seed=self.seed_generator)
        with graphc.GradientTape() as tape:
            made = self.loss_fn(ops.zeros((count, 1)), self.judge(self.maker(noise)))
        weights = self.maker.trainable_weights
        self.maker_optimizer.apply(tape.gradient(made, weights), weights)
        self.judge_loss.update_state(judged)
        self.maker_loss.update_state(made)
        return {m.name: m.result() for m in self.metrics}


def test_two_networks_in_turns() -> None:
    found = []
    for eagerly in (False, True):
        graphc.utils.set_random_seed(3)
        model = GAN()
        model.compile(
            optimizers.Adam(0.01),
            optimizers.Adam(0.01),
            losses.BinaryCrossentropy(from_logits=True),
            run_eagerly=eagerly,
        )
        history = model.fit(X, epochs=3, batch_size=24, shuffle=False, verbose=0).history
        found.append([*history["judge"], *history["maker"], *(w.sum() for w in model.get_weights())])
        assert int(model.judge_optimizer.iterations) == 9
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


@EAGERLY
def test_own_evaluation_and_prediction(eagerly: bool) -> None:
    class Own(Plain):
        def test_step(self, data: Any) -> Any:
            x, y = data
            return {"furthest": ops.max(ops.abs(self(x) - y))}

        def predict_step(self, data: Any) -> Any:
            return {"twice": self(data) * 2.0, "sign": ops.sign(self(data))}

    model = Own()
    model.compile("sgd", run_eagerly=eagerly)
    model.fit(X, Y, verbose=0)
    predicted = model.predict(X, batch_size=10, verbose=0)
    plain = X @ model.dense.kernel.numpy() + model.dense.bias.numpy()
    np.testing.assert_allclose(predicted["twice"], 2 * plain, rtol=1e-4, atol=1e-5)
    found = model.evaluate(X, Y, batch_size=64, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["furthest"], np.abs(plain - Y).max(), rtol=1e-5)


def test_a_step_that_extends_the_built_in_one() -> None:
    class Counting(graphc.Sequential):
        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            return {**logs, "rows": ops.cast(ops.shape(data[0])[0], "float32")}

    model = Counting([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=64, epochs=2, verbose=0).history
    assert sorted(history) == ["loss", "mae", "rows"] and history["rows"] == [64.0, 64.0]
    assert sorted(model.train_on_batch(X[:5], Y[:5], return_dict=True)) == ["loss", "mae", "rows"]


def test_own_metrics_are_what_history_shows() -> None:
    class Own(graphc.Sequential):
        def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            return {"half": results["loss"] / 2.0, **results}

    model = Own([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(X, Y, verbose=0).history
    np.testing.assert_allclose(history["half"][0] * 2, history["loss"][0], rtol=1e-6)


def test_eager_steps_run_python_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    class Talking(Plain):
        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            print(float(logs["loss"]) >= 0)
            return logs

    model = Talking()
    model.compile("sgd", run_eagerly=True)
    model.fit(X, Y, batch_size=16, verbose=0)
    assert capsys.readouterr().out == "True\n" * 4


def test_added_losses_may_be_vectors() -> None:
    class Penalty(layers.Layer):
        def call(self, x: Any) -> Any:
            self.add_loss(0.5 * ops.square(x))
            return x

    def history(penalty: list[Any]) -> Any:
        model = graphc.Sequential([graphc.Input((4,)), *penalty, layers.Dense(1, kernel_initializer="zeros")])
        model.compile("sgd", "mse")
        return model.fit(X, Y, batch_size=64, verbose=0).history["loss"][0]

    np.testing.assert_allclose(history([Penalty()]) - history([]), 0.5 * np.square(X).sum(), rtol=1e-5)


def test_stateless_steps() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.BatchNormalization(), layers.Dense(1)])
    optimizer = optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)
    before = model.get_weights()

    def loss_of(trainable: Any, others: Any, x: Any, y: Any) -> Any:
        predicted, others = model.stateless_call(trainable, others, x, training=True)
        return ops.mean(ops.square(predicted - y)), others

    @graphc.function
    def step(trainable: Any, others: Any, state: Any, x: Any, y: Any) -> Any:
        (loss, others), slopes = graphc.value_and_grad(loss_of, has_aux=True)(trainable, others, x, y)
        trainable, state = optimizer.stateless_apply(state, slopes, trainable)
        return loss, trainable, others, state

    values = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
    state = [v.value for v in optimizer.variables]
    found = []
    for _ in range(5):
        loss, values[0], values[1], state = step(values[0], values[1], state, X, Y)
        found.append(float(loss))
    assert found[-1] < found[0]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(ArgumentError, match="one value for each variable"):
        model.stateless_call(values[0][:1], values[1], X)
    mean = metrics.Mean()
    updated = mean.stateless_update_state([v.value for v in mean.variables], [1.0, 3.0])
    assert float(mean.stateless_result(updated)) == 2.0 and float(mean.result()) == 0.0
    assert [float(v) for v in mean.stateless_reset_state()] == [0.0, 0.0]


def test_an_error_in_a_step_changes_nothing() -> None:
    class Failing(Plain):
        fails = False

        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            if self.fails:
                raise ZeroDivisionError
            return logs

    for eagerly in (False, True):
        model = Failing()
        model.compile(optimizers.SGD(0.1), run_eagerly=eagerly)
        model.fit(X, Y, verbose=0)
        before = model.get_weights()
        model.fails = True
        model.clear_programs()
        if not eagerly:
            with pytest.raises(ZeroDivisionError):
                model.fit(X, Y, verbose=0)
            for old, new in zip(before, model.get_weights(), strict=True):
                np.testing.assert_array_equal(old, new)


@EAGERLY
@pytest.mark.parametrize(
    ("logs", "shown"),
    [
        ({"a": [1.0, 2.0], "b": 3.0}, {"a": [1.0, 2.0], "b": 3.0}),
        ({"b": {"inner": 1.0}, "a": np.ones(2)}, {"a": [1.0, 1.0], "inner": 1.0}),
        ({1: 2}, {"1": 2.0}),
        ({}, {}),
        (None, "returns a dictionary of logs"),
        (3.0, "returns a dictionary of logs"),
        ([1.0], "returns a dictionary of logs"),
        ({"a": None, "b": [1.0, 2.0]}, "the log 'a' of `train_step` is no tensor"),
        ({"a": {"inner": "text"}}, "the log 'inner' of `train_step` is no tensor"),
        ({"a": object()}, "the log 'a' of `train_step` is no tensor"),
    ],
)
def test_logs_are_tensors_by_name(logs: Any, shown: Any, eagerly: bool) -> None:
    class Own(Plain):
        def train_step(self, data: Any) -> Any:
            super().train_step(data)
            return logs

    model = Own()
    model.compile("sgd", run_eagerly=eagerly)
    model.build((None, 4))
    before = model.get_weights()
    if isinstance(shown, str):
        with pytest.raises(ArgumentError, match=r"(?s)" + shown + r".*test_own_steps\.py"):
            model.fit(X, Y, verbose=0)
        for old, new in zip(before, model.get_weights(), strict=True):
            assert eagerly or np.array_equal(old, new)
        return
    history = model.fit(X, Y, verbose=0).history
    assert {name: np.asarray(values[-1]).tolist() for name, values in history.items()} == shown


def test_callbacks_see_the_logs_of_each_batch() -> None:
    seen: list[Any] = []
    model = Plain()
    model.compile("sgd")
    model.fit(
        X,
        Y,
        batch_size=32,
        verbose=0,
        callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(sorted(logs)))],
    )
    assert seen == [["loss", "size"]] * 2


def test_functions_of_steps() -> None:
    model = graphc.Sequential([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    train, predict = model.make_train_function(), model.make_predict_function()
    assert model.train_function is train and model.make_train_function() is train
    batches = iter([(X[:8], Y[:8]), (X[8:16], Y[8:16])])
    assert sorted(train(batches)) == ["loss"] and sorted(train(batches)) == ["loss"]
    np.testing.assert_array_equal(predict(iter([X])), model.predict(X, verbose=0))
    assert int(model.optimizer.iterations) == 2


def test_an_own_train_function_is_called_for_each_batch() -> None:
    class Own(graphc.Sequential):
        calls = 0

        def make_train_function(self, force: bool = False) -> Any:
            def run(iterator: Any) -> Any:
                self.calls += 1
                return self.train_step(next(iterator))

            self.train_function = run
            return run

    model = Own([graphc.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert sorted(model.fit(X, Y, batch_size=16, verbose=0).history) == ["loss"] and model.calls == 4


def _two_outputs(structure: str) -> graphc.Model:
    class Own(graphc.Model):
        def train_step(self, data: Any) -> Any:
            x, y, *weights = data
            with graphc.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=weights[0] if weights else None)
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                elif metric.name == "compile_metrics":
                    metric.update_state(y, y_pred, sample_weight=weights[0] if weights else None)
            return {m.name: m.result() for m in self.metrics}

    inputs = graphc.Input((4,))
    first = layers.Dense(1, kernel_initializer="ones", name="first")(inputs)
    second = layers.Dense(1, kernel_initializer="zeros", name="second")(inputs)
    return Own(inputs, {"one": first, "list": [first, second], "dict": {"b": first, "a": second}}[structure])


@EAGERLY
@pytest.mark.parametrize("structure", ["one", "list", "dict"])
def test_own_steps_update_the_metrics_of_compile(structure: str, eagerly: bool) -> None:
    model = _two_outputs(structure)
    y = {"one": Y, "list": [Y, 2.0 * Y], "dict": {"b": Y, "a": 2.0 * Y}}[structure]
    wanted = {"one": ["mae"], "list": [["mae"], ["mse"]], "dict": {"b": ["mae"]}}[structure]
    weights = np.linspace(0.0, 1.0, len(Y), dtype="float32")
    reference = graphc.Model(model.input, model.output)
    histories = []
    for one in (model, reference):
        one.set_weights([np.full(w.shape, 0.5, "float32") for w in one.get_weights()])
        one.compile(optimizers.SGD(0.01), "mse", metrics=wanted, weighted_metrics=wanted, run_eagerly=eagerly)
        histories.append(
            one.fit(X, y, sample_weight=weights, batch_size=64, epochs=2, shuffle=False, verbose=0).history
        )
    # The losses of single outputs are tracked by the built-in step only.
    shown = sorted(name for name in histories[1] if not name.endswith("_loss"))
    assert len(shown) > 2
    for name in shown:
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5, err_msg=name)


@EAGERLY
@pytest.mark.parametrize("inside", ["attribute", "layer", "own tracker"])
def test_models_within_keep_their_results_to_themselves(inside: str, eagerly: bool) -> None:
    teacher = graphc.Sequential([graphc.Input((4,)), layers.Dense(1)], name="teacher")
    teacher.compile("sgd", "mae", metrics=["mse"])
    teacher.fit(X, Y, verbose=0)
    if inside == "own tracker":
        teacher.tracker = metrics.Mean(name="loss")

    class Holding(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = teacher

        def call(self, x: Any) -> Any:
            return self.inner(x)

    class Distiller(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.teacher = Holding() if inside == "layer" else teacher
            self.student = graphc.Sequential([graphc.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])

        def call(self, x: Any) -> Any:
            return self.student(x)

        def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
            return ops.mean(ops.square(self.teacher(x) - y_pred))

    model = Distiller()
    model.compile(optimizers.SGD(0.0), metrics=["mae"], run_eagerly=eagerly)
    assert model.metrics_names == ["loss", "compile_metrics"]
    history = model.fit(X, Y, batch_size=64, verbose=0).history
    np.testing.assert_allclose(history["loss"], np.square(teacher.predict(X, verbose=0)).mean(), rtol=1e-5)
    np.testing.assert_allclose(history["mae"], np.abs(Y).mean(), rtol=1e-5)
    assert model.evaluate(X, Y, batch_size=64, verbose=0) == pytest.approx([history["loss"][0], history["mae"][0]])


class Former(graphc.Model):
    """A step as it was written for Keras 2."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with graphc.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
        self.compiled_metrics.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


@EAGERLY
def test_steps_of_keras_2_train_as_the_built_in_one(eagerly: bool) -> None:
    histories = []
    for kind in (Former, graphc.Model):
        x = graphc.Input((4,))
        y = layers.Dense(1, kernel_initializer="zeros", kernel_regularizer="l2")(x)
        model = kind(x, y)
        model.compile(optimizers.SGD(0.1), "mse", metrics=["mae", "mape"], run_eagerly=eagerly)
        options = {"batch_size": 24, "epochs": 2, "shuffle": False, "verbose": 0}
        if kind is Former:
            with pytest.warns(UserWarning, match="compiled_(loss|metrics)"):
                histories.append(model.fit(X, Y, **options).history)
        else:
            histories.append(model.fit(X, Y, **options).history)
    assert list(histories[0]) == list(histories[1])
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
