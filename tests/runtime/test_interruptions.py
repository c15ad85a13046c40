"""An interruption of a step, wherever it comes, leaves values that programs agree on."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from graphc import config, layers, runtime
from graphc.runtime.cpu import thread_pool
from graphc.runtime.cpu.program import CpuProgram

X = np.random.default_rng(0).normal(size=(8, 6, 6, 16)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(8, 4)).astype(np.float32)
RUNTIME = str(Path(runtime.__file__).parent)
BACKENDS = ("cpu", "numpy", pytest.param("cuda", marks=pytest.mark.cuda))


def network() -> Any:
    """A model of whose weights predictions keep something: a transformed filter, and scales of a normalization."""
    graphc.utils.set_random_seed(7)
    stack = [layers.Conv2D(32, 3, padding="same"), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)]
    model = graphc.Sequential([graphc.Input((6, 6, 16)), *stack])
    model.compile(graphc.optimizers.Adam(0.1), "mse")
    return model


def expect_agreement(model: Any) -> None:
    """Predictions are those of the weights that the model tells."""
    with config.override(backend="numpy"):
        expected = np.asarray(model(X, training=False))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-3, atol=1e-3)


@contextmanager
def at_each_line(act: Callable[[tuple[str, int]], object]) -> Iterator[None]:
    """Calls `act` before each line of the runtime, with file and line.

    Not where a `with` begins or ends: what comes between it and the body, no program can catch.
    """

    def trace(frame: FrameType, event: str, _: object) -> Any:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if not file.startswith(RUNTIME) or frame.f_code.co_name in ("__enter__", "__exit__"):
            return None
        if event == "line" and not getline(file, line).lstrip().startswith("with "):
            act((file, line))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


Place = tuple[str, int]


def points(run: Callable[[], object]) -> list[tuple[Place, int]]:
    """The first and the last time that each line of the runtime is come to, as the line and a count."""
    seen: Counter[Place] = Counter()
    with at_each_line(lambda place: seen.update((place,))):
        run()
    return [(place, count) for place, times in seen.items() for count in sorted({1, times})]


def interrupted(run: Callable[[], object], point: tuple[Place, int]) -> bool:
    """Runs something that is interrupted at a point, if it comes there; whether it was."""
    place, left = point

    def act(here: Place) -> None:
        nonlocal left
        left -= here == place
        if left == 0:
            left = -1
            raise KeyboardInterrupt

    try:
        with at_each_line(act):
            run()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("backend", BACKENDS)
def test_predictions_follow_the_weights_wherever_a_step_is_interrupted(backend: str) -> None:
    with config.override(backend=backend, threads=1):
        model = network()
        for _ in range(2):
            model.train_on_batch(X, Y)
            expect_agreement(model)
        found = points(lambda: model.train_on_batch(X, Y))
        interruptions = 0
        for point in found:
            interruptions += interrupted(lambda: model.train_on_batch(X, Y), point)
            expect_agreement(model)
        assert interruptions > 10


@pytest.mark.parametrize("backend", BACKENDS)
def test_predictions_are_right_wherever_one_before_was_interrupted(backend: str) -> None:
    with config.override(backend=backend, threads=1):
        model = network()
        model.predict(X, verbose=0)
        for point in points(lambda: model.predict(X, verbose=0)):
            model.set_weights([w * 1.01 for w in model.get_weights()])
            interrupted(lambda: model.predict(X, verbose=0), point)
            expect_agreement(model)


def test_a_step_of_the_interpreter_is_done_whole_or_not_at_all() -> None:
    with config.override(backend="numpy"):
        model = network()
        model.train_on_batch(X, Y)
        for point in points(lambda: model.train_on_batch(X, Y)):
            before = [np.array(v.numpy()) for v in model.weights + model.optimizer.variables]
            interrupted(lambda: model.train_on_batch(X, Y), point)
            after = [v.numpy() for v in model.weights + model.optimizer.variables]
            changed = {not np.array_equal(*pair) for pair in zip(before, after, strict=True) if pair[0].size > 1}
            assert len(changed) == 1, point


def test_an_interruption_right_behind_the_native_call() -> None:
    run = thread_pool.run

    def and_interrupt(*args: Any) -> None:
        run(*args)
        raise KeyboardInterrupt

    with config.override(backend="cpu"):
        model = network()
        model.fit(X, Y, verbose=0)
        expect_agreement(model)
        with patch.object(thread_pool, "run", and_interrupt), pytest.raises(KeyboardInterrupt):
            model.train_on_batch(X, Y)
        expect_agreement(model)
        for program in model.made_programs:
            assert isinstance(program.executable.program, CpuProgram)
            assert len(program.executable.program._idle) == 1  # its workspace is not lost


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no interval timer")
def test_predictions_follow_the_weights_when_fit_is_interrupted() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with config.override(backend="cpu"):
            model = network()
            model.fit(X, Y, verbose=0)
            for i in range(40):
                expect_agreement(model)
                with pytest.raises(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.002 + 0.00013 * i)
                    while True:
                        model.fit(X, Y, batch_size=2, epochs=9, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
