"""The training step of a perceptron, compiled: few kernels, the same numbers on each backend, one compilation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from graphc import interpret
from graphc.compiler import Executable, compile
from graphc.runtime.counters import counters
from graphc.runtime.memory import solve
from graphc.runtime.state import StateBuffer
from tests.support.loop_interpreter import build_loops
from tests.support.mlp import Mlp, Training, train

BACKENDS = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
MLP = Mlp()
# The last batch of an epoch is smaller.
BATCHES = (32, 32, 32, 32, 20)


@cache
def _compiled(backend: str) -> Executable:
    return compile(MLP.step(), backend)


@cache
def _reference() -> Training:
    return train(compile(MLP.step(), "numpy"), MLP, BATCHES)


def test_the_step_is_few_kernels() -> None:
    program = build_loops(MLP.step())
    contractions = [kernel for kernel in program.lowered.values() if kernel.contraction is not None]
    assert len(contractions) <= 5
    assert len(program.lowered) - len(contractions) <= 8
    assert len(program.plan.steps) == len(program.lowered), "there are copies or loops, too"


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_backends_train_alike_with_one_compilation(backend: str) -> None:
    executable, expected = _compiled(backend), _reference()
    before = counters().compilations
    got = train(executable, MLP, BATCHES)
    assert counters().compilations == before
    np.testing.assert_allclose(got.losses, expected.losses, rtol=1e-4)
    assert got.states["cursor"] == sum(BATCHES)
    assert got.states["accuracy_sum"] == expected.states["accuracy_sum"]
    for name, value in expected.states.items():
        np.testing.assert_allclose(got.states[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("backend", ["numpy", *BACKENDS])
def test_two_runs_give_the_same_bits(backend: str) -> None:
    first, second = (train(_compiled(backend), MLP, BATCHES) for _ in range(2))
    assert first.losses == second.losses
    for name, value in first.states.items():
        assert value.tobytes() == second.states[name].tobytes(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_steps_in_one_call_are_the_steps_one_by_one(backend: str) -> None:
    executable, inputs = _compiled(backend), MLP.data(128)
    one, many = ({name: StateBuffer(value) for name, value in MLP.states().items()} for _ in range(2))
    for _ in range(4):
        loss = executable.run(inputs, one, {"B": 32, "N": 128})
    assert executable.run(inputs, many, {"B": 32, "N": 128}, repeat=4)[0] == loss[0]
    for name, state in one.items():
        assert state.host().tobytes() == many[name].host().tobytes(), name


def test_it_learns() -> None:
    losses = train(_compiled("cpu"), MLP, [32] * 40).losses
    assert np.mean(losses[-5:]) < 0.7 * losses[0]


def test_kernels_are_legal() -> None:
    """A smaller model, interpreted point by point, at a batch that fills no tile."""
    mlp, batch, samples = Mlp(side=5, hidden=7, classes=3), 6, 11
    graph = mlp.step()
    inputs, states = mlp.data(samples), mlp.states()
    expected = dict(states)
    program = build_loops(graph)
    for _ in range(2):
        sizes = {"B": batch, "N": samples}
        outputs, updates = interpret.run(graph, inputs, expected, sizes)
        expected |= updates
        np.testing.assert_allclose(program.run(inputs, sizes, states)[0], outputs[0], rtol=1e-5)
    for name, value in expected.items():
        np.testing.assert_allclose(states[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_memory_is_known_before_the_first_run_and_is_all_that_is_taken() -> None:
    executable = compile(MLP.step(), "cpu")
    sizes = {"B": 32, "N": 128}
    known = executable.memory(sizes)
    before = counters().arena_bytes
    states = {name: StateBuffer(value) for name, value in MLP.states().items()}
    executable.run(MLP.data(128), states, sizes)
    assert counters().arena_bytes - before == known["arena"]
    assert known["state"] == sum(value.nbytes for value in MLP.states().values())
    assert known["input"] == sum(value.nbytes for value in MLP.data(128).values())
    plan = executable.compilation.plan
    assert plan is not None and solve(plan, sizes).nbytes == known["arena"]
