"""The methods that all optimizers have, maps of optimizers, schedules that are set later, and errors, beside Keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, BuildError, CallError, MissingPackageError, NoAttributeError, StateError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
FIRST = [RNG.normal(size=shape).astype("float32") for shape in ((3, 2), (4,), (2, 2))]
GRADIENTS = [[RNG.normal(size=w.shape).astype("float32") for w in FIRST] for _ in range(5)]
NAMES = ("fixed/kernel", "encoder/bias", "encoder/kernel")


def _weights(library: Any) -> list[Any]:
    made = []
    for value, path in zip(FIRST, NAMES, strict=True):
        scope, name = path.split("/")
        with library.name_scope(scope):
            made.append(library.Variable(value, name=name))
    return made


def _after_steps(library: Any, make: Callable[[Any], Any], stateless: bool = False) -> tuple[Any, list[Any]]:
    optimizer, weights = make(library), _weights(library)
    if stateless:
        optimizer.build(weights)
        values, state = [w.value for w in weights], [v.value for v in optimizer.variables]
        for gradients in GRADIENTS:
            given = [library.ops.convert_to_tensor(g) for g in gradients]
            values, state = optimizer.stateless_apply(state, given, values)
        for variable, value in zip([*weights, *optimizer.variables], [*values, *state], strict=True):
            variable.assign(value)
        return optimizer, weights
    for gradients in GRADIENTS:
        optimizer.apply([library.ops.convert_to_tensor(g) for g in gradients], weights)
    return optimizer, weights


def _several(library: Any) -> Any:
    o = library.optimizers
    by_path = o.OptimizerMap(o.SGD(0.1, momentum=0.9), {"encoder/.*": o.Adam(0.05)})
    return o.MultiOptimizer(by_path, loss_scale_factor=2.0)


def _chosen(library: Any) -> Any:
    o = library.optimizers
    known = {"fixed": o.Lion(0.01), "encoder": o.Muon(0.02)}
    return o.MultiOptimizer(lambda variable: known[variable.path.split("/")[0]])


def _scheduled(library: Any) -> Any:
    o = library.optimizers
    rate = o.schedules.PiecewiseConstantDecay([1, 3], [0.5, 0.1, 0.01])
    return o.SGD(rate, gradient_accumulation_steps=2, weight_decay=0.1)


def _excluding(library: Any) -> Any:
    optimizer = library.optimizers.AdamW(0.1, weight_decay=0.3)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def _set_later(library: Any) -> Any:
    optimizer = library.optimizers.Adam(0.5)
    optimizer.learning_rate = library.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    return optimizer


def _scaled(library: Any) -> Any:
    return library.optimizers.LossScaleOptimizer(library.optimizers.Muon(0.1), initial_scale=4.0)


MADE = [_several, _chosen, _scheduled, _excluding, _set_later, _scaled]


@pytest.mark.parametrize(
    ("make", "stateless"),
    # Keras on JAX scales losses in stateless steps alone.
    [(make, stateless) for make in MADE for stateless in (False, True) if stateless or make is not _scaled],
)
def test_steps(make: Callable[[Any], Any], stateless: bool) -> None:
    mine, ours = _after_steps(graphc, make, stateless)
    other, theirs = _after_steps(keras, make, stateless)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b.value), rtol=1e-4, atol=1e-5)
    assert [v.path.split("/")[-1] for v in mine.variables] == [v.path.split("/")[-1] for v in other.variables]
    for a, b in zip(mine.variables, other.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b.value), rtol=1e-4, atol=1e-5, err_msg=a.path)
    assert int(mine.iterations) == int(other.iterations)


@pytest.mark.parametrize("make", [make for make in MADE if make is not _chosen])
def test_state_and_configuration(make: Callable[[Any], Any]) -> None:
    mine, _ = _after_steps(graphc, make)
    again = graphc.optimizers.deserialize(graphc.optimizers.serialize(mine))
    assert again.get_config() == mine.get_config() and type(again) is type(mine)
    store: dict[str, Any] = {}
    mine.save_own_variables(store)
    again.build(_weights(graphc))
    again.load_own_variables(store)
    for a, b in zip(mine.variables, again.variables, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    with pytest.warns(UserWarning, match="none is loaded"):
        again.load_own_variables({"0": 1})
    again.set_weights([np.zeros(v.shape, v.dtype) for v in again.variables])
    assert not any(v.numpy().any() for v in again.variables)
    wanted = make(keras).get_config()
    found = mine.get_config()
    assert found.keys() == wanted.keys()


def test_a_schedule_over_a_schedule_and_numbers() -> None:
    for library in (graphc, keras):
        schedules = library.optimizers.schedules
        optimizer = library.optimizers.SGD(schedules.ExponentialDecay(0.5, 2, 0.5))
        with pytest.raises(TypeError):
            optimizer.learning_rate = 0.1
        optimizer.learning_rate = schedules.ExponentialDecay(0.25, 2, 0.5)
        assert float(optimizer.learning_rate) == 0.25
        optimizer = library.optimizers.SGD(0.5)
        optimizer.learning_rate = 0.125
        assert float(optimizer.learning_rate) == 0.125


def test_a_schedule_that_is_set_between_two_fits() -> None:
    """The step is compiled again: with a rate of 0, weights stay as they are."""
    x, y = RNG.normal(size=(8, 2)).astype("float32"), RNG.normal(size=(8, 1)).astype("float32")
    none = graphc.optimizers.schedules.PiecewiseConstantDecay([100], [0.0, 1.0])
    o = graphc.optimizers
    with graphc.backend("numpy"):
        model = graphc.Sequential([graphc.Input((2,)), graphc.layers.Dense(1)])
        for inner in (first := o.SGD(0.1), o.MultiOptimizer(o.OptimizerMap(second := o.SGD(0.1)))):
            model.compile(inner, "mse")
            model.fit(x, y, verbose=0)
            before = model.get_weights()
            (first if inner is first else second).learning_rate = none
            model.fit(x, y, verbose=0)
            assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_in_fit_beside_keras() -> None:
    x, y = RNG.normal(size=(16, 4)).astype("float32"), RNG.normal(size=(16, 1)).astype("float32")
    curves, weights = [], None
    for library in (graphc, keras):
        layers = library.layers
        model = library.Sequential([library.Input((4,)), layers.Dense(3, name="encoder"), layers.Dense(1, name="head")])
        weights = weights or model.get_weights()
        model.set_weights(weights)
        o = library.optimizers
        by_path = o.OptimizerMap(o.ScheduleFreeAdamW(0.05), {".*encoder/kernel": o.Muon(0.05)})
        model.compile(o.MultiOptimizer(by_path), "mse")
        curves.append(model.fit(x, y, batch_size=8, epochs=5, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)


def test_maps() -> None:
    o = graphc.optimizers
    adam, sgd, lion = o.Adam(), o.SGD(), o.Lion()
    by_path = o.OptimizerMap(adam)
    by_path["encoder/.*"] = sgd
    by_path["encoder/first"] = lion
    assert by_path["encoder/first"] is lion and by_path["encoder/other"] is sgd and by_path["encoder"] is adam
    assert list(by_path) == ["encoder/.*", "encoder/first"] and len(by_path) == 2 and by_path.default_optimizer is adam
    by_path["enc.*"] = lion
    with pytest.raises(ArgumentError, match="several"):
        by_path["encoder/other"]
    del by_path["enc.*"]
    for key, value in (("encoder/.*", lion), (3, lion), ("a", "adam"), ("a", o.LossScaleOptimizer(o.SGD()))):
        with pytest.raises(ArgumentError):
            by_path[key] = value  # type: ignore[index]
    with pytest.raises(ArgumentError):
        by_path["a"] = o.MultiOptimizer(by_path)
    for bad in ((("adam",)), (adam, [sgd])):
        with pytest.raises(CallError):
            o.OptimizerMap(*bad)
    again = o.OptimizerMap.from_config(by_path.get_config())
    assert type(again["encoder/first"]) is o.Lion
    several = o.MultiOptimizer(by_path)
    assert several.optimizers == [sgd, lion, adam]
    for act in (lambda: several.learning_rate, lambda: setattr(several, "learning_rate", 0.1)):
        with pytest.raises(NoAttributeError):
            act()
    with pytest.raises(ArgumentError):
        o.MultiOptimizer(lambda v: "adam").build(_weights(graphc))


def test_errors() -> None:
    o = graphc.optimizers
    unbuilt, (a, b, c) = o.SGD(0.1), _weights(graphc)
    calls: list[Callable[[], Any]] = [
        lambda: unbuilt.apply([FIRST[0]]),
        lambda: unbuilt.stateless_apply([], [], []),
        lambda: unbuilt.set_weights([]),
    ]
    for call in calls:
        with pytest.raises(BuildError):
            call()
    unbuilt.apply([])
    unbuilt.build([a, b])
    with pytest.raises(BuildError, match="other weights"):
        unbuilt.apply([FIRST[2]], [c])
    with pytest.raises(ValueError):
        unbuilt.set_weights([1, 2, 3])
    with pytest.raises(ValueError):
        o.SGD(learning_rate="fast")
    with pytest.raises(ArgumentError):
        unbuilt.add_optimizer_variables([a], ["x", "y"], ["zeros"])
    with pytest.raises(ArgumentError):
        o.SGD(use_ema=True, ema_overwrite_frequency=0.5)
    with pytest.raises(ArgumentError):
        o.Lion(beta_1=0.0)
    with pytest.raises(ArgumentError):
        o.get({"class_name": "Dense", "module": "keras.layers", "config": {"units": 2}})
    assert type(o.get("ADAM")) is o.Adam and float(o.get({"class_name": "rmsprop", "config": {}}).rho) == 0.9
    assert unbuilt.add_variable_from_reference(a).name == "fixed_kernel_var"

    class Forgetful(o.Optimizer):
        def __init__(self) -> None:
            self.add_variable((), name="count")

    with pytest.raises(StateError, match=r"super\(\)"):
        Forgetful()
    for name in ("Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop", "SGD"):
        with pytest.raises(MissingPackageError):
            getattr(o.legacy, name)(0.1)


def test_weights_that_are_set_to_their_gradients() -> None:
    found = []
    for library, scale in ((keras, None), (graphc, None), (graphc, 4.0)):
        weights = _weights(library)
        weights[1].overwrite_with_gradient = True
        optimizer = library.optimizers.SGD(0.5)
        gradients = list(GRADIENTS[0])
        if scale is not None:
            optimizer = library.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale)
            gradients = [gradients[0] * scale, gradients[1], gradients[2] * scale]
        optimizer.apply([library.ops.convert_to_tensor(g) for g in gradients], weights)
        found.append([np.asarray(library.ops.convert_to_numpy(w)) for w in weights])
    for mine in found[1:]:
        for a, b in zip(mine, found[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_rates_of_several_optimizers() -> None:
    """Callbacks read, set and reduce the rate of each."""
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    curves = []
    for library in (graphc, keras):
        o, layers = library.optimizers, library.layers
        first, second = o.SGD(0.1, name="one"), o.SGD(0.01, name="two")
        model = library.Sequential(
            [library.Input((2,)), layers.Dense(2, "relu", name="first"), layers.Dense(1, name="second")]
        )
        model.compile(o.MultiOptimizer(o.OptimizerMap(second, {".*first/.*": first})), "mse")
        reduce = library.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=100.0, verbose=0)
        halve = library.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        logs = model.fit(x, y, epochs=4, verbose=0, callbacks=[halve, reduce]).history
        curves.append({name: values for name, values in logs.items() if name != "loss"})
    assert curves[0].keys() == curves[1].keys() == {"learning_rate_one", "learning_rate_two"}
    for name, rates in curves[0].items():
        np.testing.assert_allclose(rates, curves[1][name], rtol=1e-6)


def test_variables_in_attributes() -> None:
    """An optimizer of the user keeps its state, also where it is not made by `add_variable`; weights are no state."""

    def make(library: Any) -> Any:
        class Counting(library.optimizers.Optimizer):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__(learning_rate=0.1)
                self._sizes = {"all": library.Variable(0.0, name="all")}

            def build(self, variables: Any) -> None:
                super().build(variables)
                self.counts = [library.Variable(0.0, name="count") for _ in variables]

            def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
                self.counts[self._get_variable_index(variable)].assign_add(1.0)
                self._sizes["all"].assign_add(library.ops.sum(gradient))
                variable.assign_sub(gradient * learning_rate)

        return Counting()

    found = []
    for library in (graphc, keras):
        optimizer, _ = _after_steps(library, make)
        found.append(sorted(round(float(np.sum(np.asarray(v.value))), 4) for v in optimizer.variables))
    assert len(found[0]) == 6
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)
