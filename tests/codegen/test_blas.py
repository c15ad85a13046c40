"""Products that a library computes: which ones it can, how they come out, and how it is decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import graphc
from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc import config, dims, layers
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu.autotune import Tuner
from graphc.codegen.cpu.gemm.blas import MANY_BLOCKS, STACK_BYTES, blocks
from graphc.codegen.cpu.render_program import CSource
from graphc.codegen.target import Target
from graphc.compiler import compile
from graphc.errors import BackendError
from graphc.graph.core import Graph
from graphc.plan import Plan
from graphc.runtime.cpu import blas, processor, thread_pool
from graphc.runtime.cpu.program import CpuProgram
from tests.codegen.test_gemm import ROWS, product
from tests.support.backends import run_library
from tests.support.cases import assert_close

DENSE = (ROWS, 256), (256, 512), 1, 0


def by_library(graph: Graph) -> list[bool]:
    """Whether the library computes each product of a graph, if it computes all that it can."""
    with config.override(products="library"):
        kernels = compile(graph, "cpu").compilation.kernels.values()
    return [kernel.by_library for kernel in kernels if kernel.contraction is not None]


@pytest.mark.parametrize(
    "shapes, able",
    (
        (DENSE, True),
        (((ROWS, 256), (512, 256), 1, 1), True),  # the right factor is gathered
        (((ROWS, 256), (ROWS, 512), 0, 0), True),  # the left factor lies by columns
        (((ROWS, 256), (256, 10), 1, 0), False),  # few columns
        (((ROWS, 256), (256, 521), 1, 0), False),  # no whole number of blocks
    ),
)
def test_which_products_it_computes(shapes: tuple[dims.Shape, dims.Shape, int, int], able: bool) -> None:
    assert by_library(product(*shapes)) == [able]


def test_blocks_fit_a_stack_and_suffice_for_threads() -> None:
    for rows, columns in ((64, 64), (128, 96), (784, 1024), (4096, 4096), (ROWS, 512)):
        (kernel,) = Compilation(
            product((rows, 300), (300, columns), 1, 0), Target("cpu", vector_bytes=32)
        ).kernels.values()
        t = blocks(kernel, 32)
        assert t is not None and t.rows * t.width * t.itemsize <= STACK_BYTES and t.all_whole
        if isinstance(rows, int) and rows * columns >= 1 << 18:
            assert -(-rows // t.rows) * columns // t.width >= MANY_BLOCKS


def test_its_results_are_those_of_the_reference() -> None:
    (contract,) = (primitive for primitive in all_primitives() if primitive.name == "contract")
    calls = all_calls(contract)
    results = run_library(calls.graph, calls.inputs, SIZES)
    for got, wanted, label in zip(results, calls.expected(), calls.labels, strict=True):
        assert_close(np.asarray(got), wanted, label)


def trained(products: str, threads: int) -> tuple[list[float], list[np.ndarray]]:
    """Losses and weights of a transformer's block and a head, after some steps."""
    with config.override(backend="cpu", products=products, threads=threads):
        graphc.utils.set_random_seed(3)
        inputs = graphc.Input((32, 64))
        x = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(2, 32)(inputs, inputs, use_causal_mask=True))
        x = layers.Dense(64)(layers.Dense(128, "gelu")(x))
        model = graphc.Model(inputs, layers.Dense(32, "softmax")(x))
        model.compile(graphc.optimizers.AdamW(1e-3), "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(24, 32, 64)).astype(np.float32), rng.integers(0, 32, (24, 32))
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
        return history, model.get_weights()


def test_training_is_the_same_whoever_computes_products_and_on_any_number_of_threads() -> None:
    with patch.multiple(thread_pool, WORTH_SHARING=0, GRAIN=1, TRIES_ALONE=0):
        losses, weights = trained("generated", 1)
        alone, one = trained("library", 1)
        shared, two = trained("library", 2)
    assert alone == shared and all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    np.testing.assert_allclose(alone, losses, rtol=1e-5)
    for got, wanted in zip(one, weights, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)


class Asked:
    """A tuner's surroundings: what it measures is given, and what it keeps is here."""

    def __init__(self, library_takes: float) -> None:
        self.kept: dict[tuple[str, ...], bytes] = {}
        self.measured: list[str] = []
        self._library_takes = library_takes

    def measure(
        self, plan: Plan, source: CSource, sizes: Mapping[str, int], kernels: list[str]
    ) -> list[dict[str, float]]:
        assert len(plan.steps) == len(kernels) and "gc_blas_block_" in source.text
        self.measured += kernels
        runs = [(1.0, self._library_takes), (2.0, 2 * self._library_takes), (0.5, 0.01)]  # the last one is an accident
        return [{name: run[name.endswith("_library")] for name in kernels} for run in runs]

    def decision(self, graph: Graph, sizes: Mapping[str, int]) -> list[bool]:
        tuner = Tuner(False, sizes, 32, self.measure, self.kept.get, self.kept.__setitem__)
        kernels = Compilation(graph, Target("cpu", vector_bytes=32, tune=tuner.tuned)).kernels.values()
        return [kernel.by_library for kernel in kernels if kernel.contraction is not None]


def test_what_is_clearly_faster_is_chosen_and_kept() -> None:
    for library_takes, chosen in ((0.8, True), (0.99, False), (1.5, False)):
        asked = Asked(library_takes)
        for _ in range(2):
            assert asked.decision(product(*DENSE), {"B": 256}) == [chosen]
        assert len(asked.measured) == 2 and len(asked.kept) == 1  # the second time it is known
        asked.decision(product(*DENSE), {"B": 512})
        assert len(asked.measured) == 4  # another size is another question
        (answer, _) = asked.kept.values()
        ratios = [library_takes, library_takes, 0.02]
        assert json.loads(answer) == {"by_library": chosen, "library_to_generated": ratios}
        asked.kept = dict.fromkeys(asked.kept, b"{}")  # of another form: asked again
        assert asked.decision(product(*DENSE), {"B": 256}) == [chosen] and len(asked.measured) == 6


def test_small_products_are_not_worth_asking() -> None:
    asked = Asked(0.1)
    assert asked.decision(product(*DENSE), {"B": 8}) == [False] and not asked.measured


def test_what_is_measured_decides_and_is_asked_once() -> None:
    graph, sizes = product(*DENSE), {"B": 200}
    inputs = {"a": np.ones((200, 256), np.float32), "b": np.ones((256, 512), np.float32)}
    with config.override(products="measured"):
        first = compile(graph, "cpu", sizes=sizes)
        (got,) = first.run(inputs, {}, sizes)
        np.testing.assert_array_equal(got, np.full((200, 512), 256, np.float32))
        chosen = [kernel.by_library for kernel in first.compilation.kernels.values()]
        with patch("graphc.runtime.cpu.program.CpuProgram.trials", side_effect=AssertionError("measured again")):
            again = compile(graph, "cpu", sizes=sizes, profiled=True)
            assert [kernel.by_library for kernel in again.compilation.kernels.values()] == chosen


def test_nothing_is_measured_unless_that_is_asked_for() -> None:
    assert config.Config().products == "generated"
    with config.override(products=config.Config().products):
        assert blas.chosen() is None
        with patch("graphc.runtime.cpu.program.CpuProgram.trials", side_effect=AssertionError("measured")):
            kernels = compile(product(*DENSE), "cpu", sizes={"B": 256}).compilation.kernels.values()
    assert not any(kernel.by_library for kernel in kernels)


@pytest.mark.parametrize("library_takes", (0.5, 2.0))
def test_what_was_measured_holds_for_any_number_of_threads(tmp_path: Path, library_takes: float) -> None:
    allowed: list[int] = []

    def trials(program: CpuProgram, kernels: list[str], sizes: object, rounds: int) -> list[dict[str, float]]:
        allowed.append(thread_pool.allowed_threads())
        return [{name: library_takes if name.endswith("_library") else 1.0 for name in kernels}] * rounds

    chosen = []
    with patch("graphc.runtime.cpu.program.CpuProgram.trials", trials):
        for threads in (1, 2, 1, 5):
            with config.override(products="measured", threads=threads, cache_dir=tmp_path):
                compiled = compile(product(*DENSE), "cpu", sizes={"B": 256})
                chosen += [kernel.by_library for kernel in compiled.compilation.kernels.values()]
    assert chosen == [library_takes < 1] * 4 and allowed == [processor.cores()]


def test_training_is_the_same_on_any_number_of_processors() -> None:
    results = []
    for processors in (1, 2, 7):
        with patch.object(processor, "cores", lambda count=processors: count):
            results.append(trained("generated", 2))
    for losses, weights in results[1:]:
        assert losses == results[0][0]
        assert all(np.array_equal(a, b) for a, b in zip(weights, results[0][1], strict=True))


def test_without_the_library_all_is_generated_and_asking_for_it_is_an_error() -> None:
    with patch.object(blas, "version", lambda: None):
        with config.override(products="measured"):
            assert blas.chosen() is None
        with config.override(products="library"), pytest.raises(BackendError, match=r"pip install 'graphc\[cpu\]'"):
            compile(product(*DENSE), "cpu")


def test_a_program_that_needs_the_library_says_so_where_it_is_gone() -> None:
    with config.override(products="library"):
        program = compile(product(*DENSE), "cpu").program
    assert isinstance(program, CpuProgram)
    with patch.object(blas, "is_installed", lambda: False), pytest.raises(BackendError, match="scipy-openblas32"):
        blas.lend(program._library.dll)
