"""Gamma, beta and binomial numbers: their distributions, eagerly and compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops, random
from graphc.errors import ArgumentError

jax = pytest.importorskip("jax")

COUNT = 50_000
# The largest distance of two distribution functions that one in some millions of samples of this size exceeds.
FURTHEST = 2.8 / math.sqrt(COUNT)


def furthest(numbers: Any, distribution: Any) -> float:
    """The largest distance of the distribution of numbers from another one (Kolmogorov and Smirnov)."""
    ordered = np.sort(np.asarray(numbers, "float64").ravel())
    wanted = np.asarray(distribution(ordered))
    ranks = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.abs(wanted - ranks[1:]).max(), np.abs(wanted - ranks[:-1]).max()))


@pytest.mark.parametrize("alpha", [0.05, 0.7, 1.0, 3.3, 60.0])
def test_gamma(alpha: float) -> None:
    numbers = random.gamma((COUNT // 4, 4), alpha, seed=1).numpy()
    assert numbers.dtype == np.float32 and (numbers >= 0).all()
    # Below the least float, numbers of a small alpha are 0.
    kept = numbers[numbers > 1e-30]
    least = float(jax.scipy.special.gammainc(alpha, 1e-30))
    assert abs(len(kept) / numbers.size - (1 - least)) < FURTHEST
    distance = furthest(kept, lambda x: (jax.scipy.special.gammainc(alpha, x) - least) / (1 - least))
    assert distance < FURTHEST


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.2), (1.0, 1.0), (2.0, 3.5), (40.0, 0.6)])
def test_beta(alpha: float, beta: float) -> None:
    numbers = random.beta((COUNT,), alpha, beta, seed=2).numpy()
    assert (numbers >= 0).all() and (numbers <= 1).all()
    inside = (numbers > 1e-6) & (numbers < 1 - 1e-6)
    low, high = (float(jax.scipy.special.betainc(alpha, beta, x)) for x in (1e-6, 1 - 1e-6))
    assert abs(inside.mean() - (high - low)) < FURTHEST
    distance = furthest(numbers[inside], lambda x: (jax.scipy.special.betainc(alpha, beta, x) - low) / (high - low))
    assert distance < FURTHEST / math.sqrt(inside.mean())


@pytest.mark.parametrize(("count", "chance"), [(1, 0.3), (16, 0.5), (17, 0.5), (100, 0.03), (3000, 0.9)])
def test_binomial(count: int, chance: float) -> None:
    numbers = random.binomial((COUNT,), count, chance, seed=3).numpy()
    assert np.array_equal(numbers, np.round(numbers)) and numbers.min() >= 0 and numbers.max() <= count
    k = np.arange(count + 1)
    logs = [math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1) for i in k]
    below = np.cumsum(np.exp(np.array(logs) + k * math.log(chance) + (count - k) * math.log1p(-chance)))
    found = np.cumsum(np.bincount(numbers.astype(int), minlength=count + 1)) / COUNT
    assert np.abs(found - below).max() < FURTHEST


def test_parameters_of_each_element() -> None:
    alpha = np.array([[0.5], [5.0]], "float32")
    means = random.gamma((2, COUNT), alpha, seed=4).numpy().mean(1)
    np.testing.assert_allclose(means, [0.5, 5.0], rtol=0.02)
    means = random.beta((2, COUNT), alpha, 2 * alpha, seed=5).numpy().mean(1)
    np.testing.assert_allclose(means, [1 / 3, 1 / 3], rtol=0.02)
    counts = random.binomial((3, COUNT), [[0], [10], [200]], [[0.5], [0.0], [1.0]], seed=6).numpy()
    assert [set(row) for row in counts] == [{0.0}, {0.0}, {200.0}]


def test_different_uses_and_parts_do_not_depend_on_each_other() -> None:
    generator = random.SeedGenerator(1)
    first, second = (random.gamma((COUNT,), 0.5, seed=generator).numpy() for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    both = ops.stack(random.two_seeds(3))
    assert not np.array_equal(both[0].numpy(), both[1].numpy())
    assert np.array_equal(random.gamma((5,), 2.0, seed=9).numpy(), random.gamma((5,), 2.0, seed=9).numpy())


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_compiled(backend: str) -> None:
    def draw(count: Any) -> Any:
        return (
            random.gamma((6,), 0.4, seed=1),
            random.beta((6,), 2.0, 0.5, seed=1),
            random.binomial((6,), count, 0.4, seed=1),
        )

    with graphc.backend(backend):
        found = graphc.function(draw)(np.int32(90))
    for a, b in zip(found, draw(np.int32(90)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5)


def test_dtypes() -> None:
    for make in (
        lambda d: random.gamma((2,), 1.0, d),
        lambda d: random.beta((2,), 1, 2, d),
        lambda d: random.binomial((2,), 3, 0.5, d),
    ):
        assert make("float16").dtype == "float16" and make(None).dtype == "float32"
        with pytest.raises(ArgumentError, match="floats"):
            make("int32")
