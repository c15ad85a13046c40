"""What `benchmarks.loops` measures: its rows, their sizes and data, and how a process measures them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import RESULT, since_start

Array = np.ndarray[Any, Any]
# One step on a batch: it returns the loss, which need not be there yet.
Step = Callable[..., Any]

RATE = 1e-3  # of Adam
MLP = (784, 512, 256, 10)
NOISE, CODE, HIDDEN = 64, 20, 400  # of the GAN and the VAE
STEPS, FEATURES, UNITS = 50, 32, 128  # of the LSTM
PARAMETERS, DAMPING = 64, 1e-3  # of Newton's method
FEWEST, MOST = 3, 400
FITTED = 128  # steps, at least, of one call of `fit`, which has costs of its own


@dataclass(frozen=True)
class Row:
    """A training loop.

    Args:
        title: What tables call it.
        batch: How many samples a step takes.
        make: The arrays of so many samples.
        batches: How many batches an epoch has.
    """

    title: str
    batch: int
    make: Callable[[np.random.Generator, int], tuple[Array, ...]]
    batches: int = 16

    def data(self) -> tuple[Array, ...]:
        """The arrays of an epoch."""
        return self.make(np.random.default_rng(0), self.batch * self.batches)

    def epoch(self) -> list[tuple[Array, ...]]:
        """The batches of an epoch."""
        parts = [np.split(array, self.batches) for array in self.data()]
        return [tuple(np.ascontiguousarray(part) for part in batch) for batch in zip(*parts, strict=True)]


def _labelled(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    return rng.random((samples, MLP[0]), np.float32), rng.integers(0, MLP[-1], samples).astype(np.int32)


def _images_and_noise(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    images = rng.random((samples, 28, 28, 1), np.float32)
    return images, rng.standard_normal((samples, NOISE), np.float32)


def _pixels_and_noise(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    return rng.random((samples, 784), np.float32), rng.standard_normal((samples, CODE), np.float32)


def _sequences(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    x = rng.standard_normal((samples, STEPS, FEATURES), np.float32)
    return x, x.mean((1, 2))


def _two_classes(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    x = rng.standard_normal((samples, PARAMETERS), np.float32)
    return x, (x[:, 0] + rng.standard_normal(samples) > 0).astype(np.float32)


def _numbers(rng: np.random.Generator, samples: int) -> tuple[Array, ...]:
    return (rng.random(samples, np.float32),)


ROWS = {
    "mlp": Row("MLP 784-512-256-10, batch 128", 128, _labelled),
    "dcgan": Row("DCGAN on 28x28, two optimizers, batch 64", 64, _images_and_noise, 4),
    "vae": Row("VAE 784-400-20, batch 128", 128, _pixels_and_noise),
    "lstm": Row("LSTM of 128 by hand in a scan, 50 steps, batch 64", 64, _sequences, 8),
    "newton": Row("Newton's method, logistic regression, 64 parameters, 1,000 rows", 1000, _two_classes, 4),
    "call": Row("4 numbers times a variable: what a call costs", 4, _numbers, 256),
}


@dataclass(frozen=True)
class Training:
    """What is measured.

    Args:
        first: Makes the model and its first step; returns the loss.
        turn: Makes `steps` steps on batches, one after the other; returns the last loss, which is there.
        steps: The steps of a turn.
    """

    first: Callable[[], float]
    turn: Callable[[], float]
    steps: int


def looped(make: Callable[[], Step], row: Row) -> Training:
    """A loop of steps over the batches of an epoch; the loss is read back once an epoch."""
    batches, made = row.epoch(), []

    def first() -> float:
        made.append(make())
        return float(made[0](*batches[0]))

    def turn() -> float:
        (step,) = made
        for batch in batches:
            loss = step(*batch)
        return float(loss)

    return Training(first, turn, row.batches)


def report(training: Training, row: str, seconds: float) -> None:
    """Trains, and prints the time of the first step, of a step, and of all processors for one as JSON.

    Args:
        training: What is measured.
        row: What it is called in what is printed.
        seconds: How long it is measured, after one turn that is not; 0: the first step alone.
    """
    figures = {"first_loss": training.first(), "first_s": since_start()}
    if seconds > 0:
        training.turn()
        times: list[float] = []
        begin, busy = time.perf_counter(), time.process_time()
        while len(times) < FEWEST or (len(times) < MOST and time.perf_counter() - begin < seconds):
            start = time.perf_counter()
            loss = training.turn()
            times.append((time.perf_counter() - start) / training.steps * 1e3)
        spent = (time.process_time() - busy) / len(times) / training.steps * 1e3
        figures |= {"ms": statistics.median(times), "cpu_ms": spent, "loss": loss}
    print(RESULT + json.dumps({row: figures}), flush=True)


def main(makers: Mapping[str, Callable[[], Step]], seconds: str, row: str) -> None:
    """Measures the loop of a row, with what a peer's program is given.

    Args:
        makers: For each row a function that makes its model and its step.
        seconds: How long it is measured.
        row: The row.
    """
    report(looped(makers[row], ROWS[row]), row, float(seconds))
