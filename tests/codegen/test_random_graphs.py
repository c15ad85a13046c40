"""Random graphs: interpreter = loop interpreter = C = CUDA, at several sizes, compiled once, each pass on and off.

Kernels are interpreted one graph at a time, so that hypothesis finds the smallest that fails. What goes through a
compiler is many graphs in one program, since building one takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphc import config, dims
from graphc.codegen.pipeline import PIPELINES
from graphc.compiler import compile
from graphc.graph.builder import Builder, Value, inline
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.runtime.counters import counters
from graphc.runtime.cpu import thread_pool
from tests.support.loop_interpreter import always_fused_loops, build_loops
from tests.support.random_graphs import Sample, assert_near, graphs

Array = np.ndarray[Any, Any]

# The same graphs in each run; a new seed is a new search, for which the slow tests are.
FIXED = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
BATCHES = (1, 3, 40)
BACKENDS = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
TOGETHER = 20
PROGRAMS = 3


def _left_out() -> dict[str, frozenset[str]]:
    """Passes to leave out: none, all, and each with those that do the same again."""
    optional = [step.name for step in PIPELINES["cuda"] if step.is_optional]
    sets = {"all": frozenset[str](), "none": frozenset(optional)}
    for name in dict.fromkeys(name.removesuffix("_again") for name in optional):
        sets[f"no {name}"] = frozenset(other for other in optional if other.startswith(name))
    return sets


LEFT_OUT = _left_out()


# ---- kernels, interpreted


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@settings(FIXED, max_examples=200)
@given(graphs(most=20))
def test_kernels_compute_what_the_graph_says(fused: bool, sample: Sample) -> None:
    assert_near(sample, build_loops(sample.graph, fused=fused).run(sample.inputs, sample.sizes))


@pytest.mark.parametrize("skip", LEFT_OUT.values(), ids=LEFT_OUT)
@settings(FIXED, max_examples=50)
@given(graphs(most=20), st.booleans())
def test_no_pass_changes_results(skip: frozenset[str], sample: Sample, fused: bool) -> None:
    assert_near(sample, build_loops(sample.graph, skip, fused).run(sample.inputs, sample.sizes))


@settings(FIXED, max_examples=200)
@given(graphs(most=25), st.integers(1, 3))
def test_fused_loops_compute_what_the_graph_says(sample: Sample, slots: int) -> None:
    with always_fused_loops():
        program = build_loops(sample.graph, loops=True, slots=slots)
    assert_near(sample, program.run(sample.inputs, sample.sizes))


@pytest.mark.slow
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@settings(FIXED, max_examples=1000)
@given(graphs(), st.sampled_from(list(LEFT_OUT)))
def test_many_kernels_compute_what_the_graph_says(fused: bool, sample: Sample, passes: str) -> None:
    assert_near(sample, build_loops(sample.graph, LEFT_OUT[passes], fused).run(sample.inputs, sample.sizes))


# ---- kernels, compiled


def _collected(count: int, most: int) -> list[Sample]:
    """The first random graphs that hypothesis makes."""
    found: list[Sample] = []

    @settings(FIXED, max_examples=count)
    @given(graphs(most=most))
    def collect(sample: Sample) -> None:
        found.append(sample)

    collect()
    return found


def _joined(samples: Sequence[Sample]) -> Graph:
    """One graph that computes what several do; their inputs get a prefix each."""
    builder = Builder(samples[0].graph.symbols)
    outputs: list[Value] = []
    for number, sample in enumerate(samples):
        inputs = sample.graph.inputs.items()
        outputs += inline(builder, sample.graph, {k: builder.input(f"g{number}_{k}", n.outs[0]) for k, n in inputs})
    return builder.finish(outputs)


def _resized(sample: Sample, batch: int) -> Sample:
    """The same graph on inputs of another batch size."""
    rng, sizes = np.random.default_rng(batch), {"B": batch}
    inputs = {name: _random(rng, node.outs[0], sizes) for name, node in sample.graph.inputs.items()}
    return replace(sample, inputs=inputs, sizes=sizes)


def _random(rng: np.random.Generator, type: TensorType, sizes: Mapping[str, int]) -> Array:
    shape = tuple(dims.evaluate(dim, sizes) for dim in type.shape)
    if type.dtype.is_float:
        return (rng.integers(-8, 9, shape) / 4).astype(type.dtype.numpy)
    signed = type.dtype.kind == "int"
    return rng.integers(-5 if signed else 0, 2 if type.dtype.is_bool else 6, shape).astype(type.dtype.numpy)


def _check_together(
    samples: Sequence[Sample], backend: str, skip: frozenset[str] = frozenset(), fused: bool = True
) -> None:
    """Compiles all graphs at once, runs them at several sizes, and compares each with the interpreter."""
    before = counters().compilations
    executable = compile(_joined(samples), backend, skip=skip, fused=fused, cached=False)
    for batch in BATCHES:
        resized = [_resized(sample, batch) for sample in samples]
        inputs = {f"g{i}_{name}": array for i, sample in enumerate(resized) for name, array in sample.inputs.items()}
        outputs = iter(executable.run(inputs, {}, {"B": batch}))
        for sample in resized:
            assert_near(sample, [next(outputs) for _ in sample.graph.outputs])
    assert counters().compilations == before + 1


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_graphs_compute_what_the_interpreter_does(backend: str, fused: bool) -> None:
    samples = _collected(PROGRAMS * TOGETHER, most=16)
    for first in range(0, len(samples), TOGETHER):
        _check_together(samples[first : first + TOGETHER], backend, fused=fused)


def test_compiled_loops_over_samples_compute_what_the_interpreter_does() -> None:
    samples = _collected(2 * TOGETHER, most=25)
    with always_fused_loops():
        _check_together(samples, "cpu")
        with config.override(threads=3), patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0):
            _check_together(samples, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("skip", LEFT_OUT.values(), ids=LEFT_OUT)
@pytest.mark.parametrize("backend", BACKENDS)
def test_many_compiled_graphs_compute_what_the_interpreter_does(backend: str, skip: frozenset[str]) -> None:
    samples = _collected(8 * TOGETHER, most=30)
    for first in range(0, len(samples), TOGETHER):
        _check_together(samples[first : first + TOGETHER], backend, skip, fused=first % (2 * TOGETHER) == 0)
