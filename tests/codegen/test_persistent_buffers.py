"""What a run leaves for the next one: found again while it holds, made anew when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, dims, dtypes, layers
from graphc.codegen.cpu.scratch import Scratch, with_scratch
from graphc.codegen.ir.kernel import Kernel, Param
from graphc.codegen.lower.assemble import Assembly
from graphc.errors import VerificationError
from graphc.graph.types import Ref
from graphc.models.program import Program
from graphc.plan import Buffer, Launch, Loop, Plan
from graphc.plan_check import check
from graphc.runtime.cpu.workspace import Workspace
from graphc.runtime.memory import solve

X = np.random.default_rng(0).normal(size=(12, 8, 8, 16)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def _cpu() -> Iterator[None]:
    with config.override(backend="cpu"):
        yield


def network(frozen: bool = False) -> Any:
    """A convolution that is computed with a transformed filter, and scales of a batch normalization."""
    graphc.utils.set_random_seed(7)
    convolution = layers.Conv2D(32, 3, padding="same", name="convolution")
    normalization = layers.BatchNormalization(name="normalization")
    convolution.trainable = normalization.trainable = not frozen
    stack = [graphc.Input((8, 8, 16)), convolution, normalization, layers.Flatten(), layers.Dense(4)]
    model = graphc.Sequential(stack)
    model.compile("sgd", "mse")
    return model


def program(model: Any, mode: str) -> Program:
    return next(p for p in model.made_programs if p.mode == mode)


def kept(program: Program) -> dict[str, str]:
    """How much each kernel keeps."""
    plan = program.executable.compilation.plan
    assert plan is not None
    return {step.kernel: plan.persists(step) for step in plan.steps if isinstance(step, Launch)}


def reference(model: Any, x: Any = X) -> Any:
    with config.override(backend="numpy"):
        return np.asarray(model(x, training=False))


def expect(model: Any, x: Any = X) -> None:
    np.testing.assert_allclose(model.predict(x, verbose=0), reference(model, x), rtol=1e-4, atol=1e-4)


def test_scales_and_transformed_filters_are_kept() -> None:
    model = network()
    expect(model)
    assert sorted(kept(program(model, "predict")).values()).count("all") == 1
    assert "some" in kept(program(model, "predict")).values()
    model.fit(X, Y, verbose=0)
    assert set(kept(program(model, "train")).values()) == {"nothing"}


def test_changes_of_weights_are_seen() -> None:
    model = network()
    for _ in range(2):
        expect(model)
    before = model.predict(X, verbose=0)
    model.get_layer("normalization").moving_variance.assign(np.full(32, 9, np.float32))
    expect(model)
    model.get_layer("convolution").kernel.assign(model.get_layer("convolution").kernel.numpy() + 0.5)
    expect(model)
    model.set_weights([w * 1.1 for w in model.get_weights()])
    expect(model)
    model.fit(X, Y, verbose=0)
    expect(model)
    assert np.abs(model.predict(X, verbose=0) - before).max() > 1e-2


def test_more_samples_than_before_need_another_arena() -> None:
    model = network()
    for count in (1, 2, 12, 1, 5):
        expect(model, X[:count])


def test_steps_of_one_call_find_what_the_first_has_left() -> None:
    model = network()
    many = np.concatenate([X, X, X])
    np.testing.assert_allclose(
        model.predict(many, batch_size=6, verbose=0), reference(model, many), rtol=1e-4, atol=1e-4
    )


def test_training_keeps_what_is_made_of_frozen_weights() -> None:
    results = []
    for backend in ("cpu", "numpy"):
        with config.override(backend=backend):
            model = network(frozen=True)
            model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
            model.get_layer("convolution").kernel.assign(model.get_layer("convolution").kernel.numpy() + 0.1)
            model.fit(X, Y, epochs=1, batch_size=4, shuffle=False, verbose=0)
            results.append(model.get_weights())
            if backend == "cpu":
                assert {"all", "some"} <= set(kept(program(model, "train")).values())
    for ours, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-4)


def test_what_was_kept_in_another_arena_is_not_there() -> None:
    model = network()
    expect(model, X[:1])
    plan = program(model, "predict").executable.compilation.plan
    assert plan is not None
    space = Workspace(plan, {})
    space.table({"B": 2})
    space.persistent_versions = [object()]
    space.table({"B": 1})
    assert space.persistent_versions is not None
    space.table({"B": 200})
    assert space.persistent_versions is None


def test_what_later_steps_overwrite_is_not_kept() -> None:
    four = dims.size("B")
    buffers = (
        Buffer(0, "state", dtypes.float32, 4, "w"),
        Buffer(1, "persistent", dtypes.float32, 4),
        Buffer(2, "temporary", dtypes.float32, four),
        Buffer(3, "output", dtypes.float32, four),
    )
    steps = (
        Launch("scale", (0, 1), (0,), (1,)),
        Launch("use", (1, 2), (1,), (2,)),
        Launch("last", (2, 3), (2,), (3,)),
        Launch("again", (3, 2), (3,), (2,)),
    )
    plan = Plan(steps, buffers, (3,), {"B": (1, 4)})
    layout = solve(plan, {"B": 4})
    assert layout.offsets[1] != layout.offsets[2]
    # A temporary that is written after the last reader may lie there, but not what is kept.
    spoilt = {**layout.offsets, 2: layout.offsets[1]}
    with pytest.raises(VerificationError):
        check(plan, spoilt, {"B": 4})
    once = replace(plan, steps=(steps[0], Launch("sum", (1, 3), (1,), (3,)), Launch("late", (0, 2), (0,), (2,))))
    check(once, layout.offsets, {"B": 4})
    with pytest.raises(VerificationError):
        check(once, spoilt, {"B": 4})


@pytest.mark.parametrize("count, role", ((3, "persistent"), (0, "scratch"), (dims.size("T"), "scratch")))
def test_working_memory_of_a_loop_is_kept_if_the_loop_runs(count: dims.Dim, role: str) -> None:
    params = tuple(Param(name, Ref(i), dtypes.float32, (4,), i > 0, i == 0) for i, name in enumerate(("b0", "b1")))
    kernel = Kernel("k0", params, (), ())
    buffers = (Buffer(0, "state", dtypes.float32, 4, "w"), Buffer(1, "output", dtypes.float32, 4))
    plan = Plan((Loop("@1", count, (Launch("k0", (0, 1), (0,), (1,)),)),), buffers, (1,), {"T": (1, 9)})
    result = with_scratch(Assembly(plan, {"k0": kernel}), {"k0": Scratch(64, "b0")}).plan
    assert [buffer.role for buffer in result.buffers] == ["state", "output", role]
