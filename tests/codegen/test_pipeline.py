"""The list of passes of each target: names, stages, checks after each pass, and what can be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphc import config, dtypes
from graphc.codegen import compilation as module
from graphc.codegen.compilation import Compilation
from graphc.codegen.dump import write_stages
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.pipeline import PIPELINES
from graphc.codegen.target import Target
from graphc.compiler import compile
from graphc.errors import ArgumentError, VerificationError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import Node, TensorType
from graphc.passes.fusion.fuse import Partition
from tests.support.samples import recurrence

BACKENDS = ("numpy", "cpu", "cuda")


def sums() -> Graph:
    builder = Builder({})
    x = builder.input("x", TensorType((4, 3), dtypes.float32))
    return builder.finish([builder.apply("sum", builder.apply("exp", x), axes=(1,))])


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_are_different_and_every_pass_has_run_in_order(backend: str) -> None:
    names = [step.name for step in PIPELINES[backend]]
    assert len(set(names)) == len(names)
    made = Compilation(sums(), Target(backend), verified=True)
    stages = [*made.stages, *(["fuse"] if made.partition else []), *made.assemblies]
    assert stages == ["initial", *(name for name in names if name != "render")]
    assert (made.source is None) == (backend == "numpy")


def test_stages_are_made_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Compilation(sums(), Target("cpu"))
    ran: list[str] = []
    run = made._run
    monkeypatch.setattr(made, "_run", lambda step, before: (ran.append(step.name), run(step, before))[1])
    assert made.graph.of_op("sum") and ran[-1] == "copy_sources" and "fuse" not in ran
    assert isinstance(made.partition, Partition) and ran[-1] == "fuse"
    assert made.kernels and ran[-1] == "estimate_work"
    assert made.source is not None and ran == [step.name for step in PIPELINES["cpu"]]


def _wrong_type(graph: Graph) -> Graph:
    """The graph with a type that its last operation does not infer."""
    *rest, last = graph.table.values()
    return Graph(
        [*rest, Node(last.id, last.op, last.attrs, last.inputs, (TensorType((7,), dtypes.float32),))],
        graph.outputs,
        graph.updates,
        graph.symbols,
    )


def _unbound(assembly: Assembly) -> Assembly:
    """The kernels without what they bind first."""
    kernels = {name: replace(kernel, body=kernel.body[1:]) for name, kernel in assembly.kernels.items()}
    return replace(assembly, kernels=kernels)


@pytest.mark.parametrize(("name", "spoil"), (("factor", _wrong_type), ("merge_axes", _unbound), ("scratch", _unbound)))
def test_what_a_pass_breaks_is_found_behind_it(
    name: str, spoil: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [
        replace(step, run=lambda before, *rest, run=step.run: spoil(run(before, *rest))) if step.name == name else step
        for step in PIPELINES["cpu"]
    ]
    monkeypatch.setattr(module, "PIPELINES", {"cpu": steps})
    with pytest.raises(VerificationError) as caught:
        _ = Compilation(sums(), Target("cpu"), verified=True).source
    assert caught.value.__notes__ == [f"after the pass {name}"]


def test_programs_are_checked_where_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    monkeypatch.setattr(module, "_check_stage", lambda name, stage: checked.append(name))
    with config.override(verify=False):
        compile(sums(), "cpu", cached=False)
    assert not checked
    with config.override(verify=True):
        compile(sums(), "cpu", cached=False)
    assert checked == [step.name for step in PIPELINES["cpu"]]


@pytest.mark.parametrize("name", ("no_such_pass", "copy_sources", "lower", "flatten"))
def test_what_is_needed_cannot_be_left_out(name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        Compilation(sums(), Target("cpu"), skip={name})


@pytest.mark.parametrize("backend", ("cpu", "cuda"))
def test_bodies_of_loops_take_the_same_way_and_are_dumped(backend: str, tmp_path: Path) -> None:
    made = Compilation(recurrence(), Target(backend), verified=True)
    assert made.plan is not None
    graphs = [step.name for step in PIPELINES[backend] if step.makes is Graph]
    assert [list(stages) for stages in made.bodies] == [["initial", *graphs]] * len(made.bodies) and made.bodies
    write_stages(tmp_path, made)
    for number, stages in enumerate(made.bodies):
        text = (tmp_path / f"loop_{number}" / "02_simplify.txt").read_text(encoding="utf-8")
        assert text == f"{stages['simplify']}\n"
