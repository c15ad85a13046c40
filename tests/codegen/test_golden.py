"""Rendered kernels and plans as files: a change of the code generator shows as a difference to review.

After a change that is meant: `python -m pytest tests/codegen/test_golden.py --update-golden`, and look at the diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graphc import dims, dtypes
from graphc.codegen.compilation import Compilation
from graphc.codegen.cpu.render_program import render as render_c
from graphc.codegen.cuda.render_program import render as render_cuda
from graphc.codegen.dump import format_partition
from graphc.codegen.ir.text import format_kernel
from graphc.codegen.target import Target
from graphc.compiler import memory_map
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.plan import Plan
from tests.support.loop_interpreter import LoopProgram, build_loops
from tests.support.mlp import Mlp
from tests.support.sm90 import usage_on_sm90

FOLDER = Path(__file__).parent.parent / "golden"
FLOAT, INT = dtypes.float32, dtypes.int32
BATCH = dims.size("B")
Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with a file; with `--update-golden` writes the file."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = FOLDER / name
        if update:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"there is no {path.name}: run with --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs: if that is meant, use --update-golden"

    return compare


# ---- the kernels


def _input(b: Builder, name: str, *shape: dims.Dim, dtype: dtypes.DType = FLOAT) -> Value:
    return b.input(name, TensorType(shape, dtype))


def pointwise(b: Builder) -> list[Value]:
    x = _input(b, "x", BATCH, 100)
    w, bias = (b.broadcast(_input(b, name, 100), x.shape, (1,)) for name in ("w", "bias"))
    return [b.apply("tanh", b.apply("add", b.apply("mul", x, w), bias))]


def softmax(b: Builder) -> list[Value]:
    x = _input(b, "x", BATCH, 100)
    z = b.apply("sub", x, b.broadcast(b.apply("max", x, axes=(1,)), x.shape, (0,)))
    e = b.apply("exp", z)
    return [b.apply("div", e, b.broadcast(b.apply("sum", e, axes=(1,)), x.shape, (0,)))]


def column_sum(b: Builder) -> list[Value]:
    return [b.apply("sum", _input(b, "x", BATCH, 300), axes=(0,))]


def dense(b: Builder) -> list[Value]:
    x, w = _input(b, "x", BATCH, 784), _input(b, "w", 784, 128)
    y = b.apply("contract", x, w, lhs_batch=(), rhs_batch=(), lhs_contract=(1,), rhs_contract=(0,))
    return [b.apply("relu", b.apply("add", y, b.broadcast(_input(b, "bias", 128), y.shape, (1,))))]


def convolution(b: Builder) -> list[Value]:
    x, w = _input(b, "x", BATCH, 14, 14, 8), _input(b, "w", 3, 3, 8, 16)
    attrs = {"strides": (2, 2), "padding": ((1, 1), (1, 1)), "lhs_dilation": (1, 1), "rhs_dilation": (1, 1)}
    return [b.apply("conv", x, w, groups=1, **attrs)]


def scan(b: Builder) -> list[Value]:
    element = TensorType((BATCH, 8), FLOAT)
    body = Builder(b.symbols)
    state, part = body.input("s0", element), body.input("x0", element)
    new = body.apply("tanh", body.apply("add", state, part))
    initial, sequence = _input(b, "initial", BATCH, 8), _input(b, "sequence", 20, BATCH, 8)
    counts = {"constants": 0, "carries": 1, "xs": 1, "length": 20, "reverse": False}
    return list(b.apply_many("scan", initial, sequence, body=body.finish([new, new]), **counts))


def cumulative_sum(b: Builder) -> list[Value]:
    return [b.apply("cumsum", _input(b, "x", BATCH, 50), axis=1, reverse=False)]


def scatter_add(b: Builder) -> list[Value]:
    return [b.apply("scatter_add", _input(b, "rows", BATCH, dtype=INT), _input(b, "x", BATCH, 64), size=1000)]


KERNELS = [pointwise, softmax, column_sum, dense, convolution, scan, cumulative_sum, scatter_add]


def _graph(make: Callable[[Builder], list[Value]]) -> Graph:
    builder = Builder({"B": (1, 1024)})
    return builder.finish(make(builder))


def _sources(program: LoopProgram) -> dict[str, str]:
    """The kernels of a program in the loop IR, in C and in CUDA, by the ending of the file."""
    kernels = program.scheduled
    return {
        "loops": "\n".join(format_kernel(kernel).rstrip() + "\n" for kernel in kernels.values()),
        "c": "\n".join(render_c(program.plan, kernels, 64).kernels.values()),
        "cu": "\n".join(render_cuda(program.plan, kernels).kernels.values()),
    }


@pytest.mark.parametrize("make", KERNELS, ids=lambda make: make.__name__)
def test_kernels_are_rendered_as_before(make: Callable[[Builder], list[Value]], golden: Golden) -> None:
    for ending, text in _sources(build_loops(_graph(make))).items():
        golden(f"{make.__name__}.{ending}", text)


def test_the_plan_of_a_loop_is_as_before(golden: Golden) -> None:
    golden("scan_plan.txt", _planned(build_loops(_graph(scan)).plan))


# ---- the training step


def _planned(plan: Plan) -> str:
    return f"{plan}\n\n{memory_map(plan)}\n"


def test_the_training_step_is_cut_and_planned_as_before(golden: Golden) -> None:
    partition = Compilation(Mlp().step(), Target("cuda")).partition
    assert partition is not None
    golden("mlp_partition.txt", format_partition(partition) + "\n")
    golden("mlp_plan.txt", _planned(build_loops(Mlp().step()).plan))


def test_the_training_step_is_rendered_as_before(golden: Golden) -> None:
    for ending, text in _sources(build_loops(Mlp().step())).items():
        golden(f"mlp.{ending}", text)


# ---- the real compiler


@pytest.mark.parametrize("graph", [*map(_graph, KERNELS), Mlp().step()], ids=[*(m.__name__ for m in KERNELS), "mlp"])
def test_kernels_fit_the_gpu(graph: Graph) -> None:
    """NVIDIA's compiler takes every kernel, and none needs more registers than there are."""
    for name, usage in usage_on_sm90(build_loops(graph)).items():
        assert usage.spills == 0, f"{name} spills {usage.spills} bytes of its {usage.registers} registers"
        assert usage.stack == 0, f"{name} keeps {usage.stack} bytes of variables in memory"
