"""Random programs: eager = interpreter = C = CUDA, and JAX. Every way runs a fixed share of programs with fixed seeds.

Backends run several programs as one compiled function, since to build one takes longer than to run it.
"""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import graphc.primitives  # noqa: F401  (registers them)
from graphc.graph.registry import REGISTRY, primitive
from tests.transforms.random_programs import random_program
from tests.transforms.random_programs.checking import check, failure
from tests.transforms.random_programs.program import Program

CUDA = pytest.param("cuda", marks=pytest.mark.cuda)
PROGRAMS = 2000
TOGETHER = 50
# Of every how many programs one goes this way.
SHARES = {"interpreter": 1, "cpu": 4, "cuda": 10, "jax": 20}


def _programs(seeds: Sequence[int], most: int = 200) -> list[Program]:
    return [random_program(seed, most=most) for seed in seeds]


def _check_in_parts(programs: Sequence[Program], way: str, folder: Path, count: int) -> None:
    for first in range(0, len(programs), count):
        check(programs[first : first + count], way, folder)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_programs_compute_the_same_interpreted_as_eagerly(first: int, tmp_path: Path) -> None:
    _check_in_parts(_programs(range(first, first + 10), most=60), "interpreter", tmp_path, 1)


@pytest.mark.parametrize("way", ["cpu", CUDA])
def test_programs_compute_the_same_compiled_as_eagerly(way: str, tmp_path: Path) -> None:
    _check_in_parts(_programs(range(40, 46), most=40), way, tmp_path, 3)


@pytest.mark.slow
def test_programs_compute_the_same_by_jax(tmp_path: Path) -> None:
    check(_programs(range(46, 48), most=40), "jax", tmp_path)


def test_a_fault_is_found_and_shown_by_a_short_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is a rewrite, so that only compiled functions have it."""
    wrong = replace(primitive("reverse"), simplify=lambda builder, attrs, operands: operands[0])
    monkeypatch.setitem(REGISTRY, "reverse", wrong)
    with pytest.raises(AssertionError, match="shrunk to") as raised:
        _check_in_parts(_programs(range(20), most=40), "interpreter", tmp_path, 1)
    (path,) = tmp_path.glob("program_*.py")
    assert str(path) in str(raised.value)
    body = path.read_text().partition("def program")[2].partition("inputs =")[0]
    assert len(body.strip().split("\n")) <= 10
    runpy.run_path(str(path))


def test_a_wrong_gradient_is_told_by_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGISTRY, "sin", replace(primitive("sin"), vjp=lambda g, node: (g,)))
    assert any(failure([program], "jax") for program in _programs(range(46, 49), most=40))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, PROGRAMS, TOGETHER))
@pytest.mark.parametrize("way", ["interpreter", "cpu", CUDA, "jax"])
def test_many_programs_compute_the_same_as_eagerly(way: str, first: int, tmp_path: Path) -> None:
    """2,000 programs: all interpreted, 520 in C, up to 200 in CUDA (without sorts), 120 by JAX (without draws)."""
    seeds = range(1000 + first, 1000 + first + TOGETHER, SHARES[way])
    _check_in_parts(_programs(seeds), way, tmp_path, 1)
