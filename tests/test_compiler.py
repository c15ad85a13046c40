"""The compiler as a whole: choosing a backend, compiling once for all sizes, reports and dumps."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from graphc import compiler, config, dims, dtypes, inspect, runtime
from graphc.codegen.cstyle.source import Source
from graphc.codegen.pipeline import PIPELINES
from graphc.compiler import backends
from graphc.errors import ArgumentError, BackendError, BackendWarning
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import Origin, TensorType
from graphc.graph.verify import verify
from graphc.runtime.counters import counters
from graphc.runtime.state import StateBuffer

BATCH = dims.size("B")
NASTY = 'layer */ \\\n#error "of the user" ??/'


def running_mean() -> Graph:
    """`total += mean over the batch of relu(x @ w)`; returns the rows' sums."""
    builder = Builder({"B": (1, 1 << 20)})
    with builder.located((Origin(NASTY, "user's file.py", 7),)):
        x = builder.input("x", TensorType((BATCH, 5), dtypes.float32))
        w = builder.state("w", TensorType((5, 4), dtypes.float32))
        total = builder.state("total", TensorType((4,), dtypes.float32))
        axes = {"lhs_batch": (), "rhs_batch": (), "lhs_contract": (1,), "rhs_contract": (0,)}
        hidden = builder.apply("relu", builder.apply("contract", x, w, **axes))
        summed = builder.apply("sum", hidden, axes=(0,))
        count = builder.broadcast(builder.size(BATCH, dtypes.float32), (4,), ())
        builder.update(total, builder.apply("add", total, builder.apply("div", summed, count)))
        return builder.finish([builder.apply("sum", hidden, axes=(1,))])


def run(executable: compiler.Executable, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(size)
    states = {"w": StateBuffer(rng.normal(size=(5, 4)).astype("f")), "total": StateBuffer(np.ones(4, "f"))}
    (rows,) = executable.run({"x": rng.normal(size=(size, 5)).astype("f")}, states, {"B": size}, repeat=3)
    return rows, states["total"].host().copy()


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_one_compilation_serves_all_sizes(backend: str) -> None:
    executable, reference = compiler.compile(running_mean(), backend), compiler.compile(running_mean(), "numpy")
    before = counters().compilations
    for size in (3, 1, 40, 7):
        for got, expected in zip(run(executable, size), run(reference, size), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert counters().compilations == before


@pytest.mark.parametrize("backend", ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_two_runs_give_the_same_bits(backend: str) -> None:
    first, second = (run(compiler.compile(running_mean(), backend), 23) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_every_stage_is_a_valid_graph() -> None:
    for graph in compiler.compile(running_mean(), "cpu").compilation.stages.values():
        verify(graph)


def test_memory_is_told_before_anything_runs_and_kept_to() -> None:
    executable = compiler.compile(running_mean(), "cpu")
    report = executable.memory({"B": 40})
    assert report["input"] == 40 * 5 * 4
    assert report["state"] == (20 + 4) * 4
    assert report["output"] == 40 * 4
    before = counters().arena_bytes
    run(executable, 40)
    assert counters().arena_bytes - before == report["arena"]


def test_memory_for_the_first_run_is_ready_when_compilers_are(tmp_path: Path) -> None:
    builder = Builder({"B": (1, 1 << 20)})
    sums = []
    for i in range(40):  # enough source for several units
        x = builder.input(f"x{i}", TensorType((BATCH, 3 + i), dtypes.float32))
        sums.append(builder.apply("sum", builder.apply("tanh", x), axes=(1,)))
    for one in sums[1:]:
        sums[0] = builder.apply("add", sums[0], one)
    graph = builder.finish(sums[:1])
    data = {f"x{i}": np.full((40, 3 + i), i / 40, np.float32) for i in range(40)}
    before = counters().arena_bytes
    with config.override(cache_dir=tmp_path):
        executable = compiler.compile(graph, "cpu", sizes={"B": 40})
        made = counters().arena_bytes
        assert made - before == executable.memory({"B": 40})["arena"] > 0
        (ready,) = executable.run(data, {}, {"B": 40})
        assert counters().arena_bytes == made
        (expected,) = compiler.compile(graph, "cpu").run(data, {}, {"B": 40})
    assert counters().arena_bytes > made
    assert ready.tobytes() == expected.tobytes()


def test_the_interpreter_has_no_plan() -> None:
    with pytest.raises(ArgumentError, match="does not plan"):
        compiler.compile(running_mean(), "numpy").memory({"B": 1})


def test_argument_beats_context_beats_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_BACKEND", "numpy")
    assert compiler.chosen_backend() == ("numpy", "GRAPHC_BACKEND")
    assert compiler.chosen_backend("cpu") == ("cpu", "argument")
    with config.override(backend="cpu"):
        assert compiler.chosen_backend()[0] == "cpu"


def test_without_a_wish_the_best_present_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHC_BACKEND", raising=False)
    monkeypatch.setattr(backends, "absent", lambda name: "gone" if name in ("cuda", "cpu") else None)
    name, why = compiler.chosen_backend()
    assert name == "numpy"
    assert "no cuda: gone" in why and "no cpu: gone" in why


@pytest.mark.parametrize("variable", ("GRAPHC_CC", "CC"))
def test_a_compiler_that_is_named_and_missing_is_not_replaced_by_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("GRAPHC_BACKEND", "GRAPHC_CC", "CC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runtime.cuda, "available", lambda: "no driver")
    monkeypatch.setenv(variable, "/nowhere/gcc-99")
    with pytest.raises(BackendError, match="/nowhere/gcc-99") as caught:
        compiler.compile(running_mean())
    assert variable in str(caught.value)
    assert compiler.chosen_backend("numpy")[0] == "numpy"  # whoever asks for it needs no compiler


def test_who_gets_the_interpreter_without_asking_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAPHC_BACKEND", "GRAPHC_CC", "CC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(backends, "absent", lambda name: "gone" if name in ("cuda", "cpu") else None)
    backends.tell_of_interpreter.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiler.compile(running_mean(), "numpy")
        with config.override(backend="numpy"):
            compiler.compile(running_mean())
        assert not caught
        for _ in range(3):
            compiler.compile(running_mean())
    (warning,) = caught
    assert warning.category is BackendWarning
    assert "35 to 70 times slower" in str(warning.message) and "no cpu: gone" in str(warning.message)


def test_an_absent_backend_is_an_error_and_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "absent", lambda name: "no driver" if name == "cuda" else None)
    with pytest.raises(BackendError, match=r"no driver(.|\n)*pip install 'graphc\[cuda\]'"):
        compiler.chosen_backend("cuda")


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(ArgumentError, match="'tpu'"):
        compiler.chosen_backend("tpu")


@pytest.mark.parametrize("backend", ["numpy", "cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_dumps_hold_every_stage(backend: str, tmp_path: Path) -> None:
    with config.override(dump=tmp_path):
        compiler.compile(running_mean(), backend)
    (folder,) = tmp_path.iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"00_initial.txt", "01_without_empty.txt", "02_simplify.txt", "00_initial.svg", "00_initial.json"} <= names
    if backend != "numpy":
        assert {"plan.txt", "kernels"} <= names
        assert "arena of" in (folder / "plan.txt").read_text()
        (groups,) = folder.glob("*_fuse.txt")
        assert "contract" in groups.read_text()
    made = [step.name for step in PIPELINES[backend] if not issubclass(step.makes, Source)]
    assert sorted(path.stem for path in folder.glob("*_*.txt")) == [
        f"{number:02}_{name}" for number, name in enumerate(["initial", *made])
    ]


@pytest.mark.parametrize("backend", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_users_names_stay_out_of_the_source_and_in_one_comment_line(backend: str, tmp_path: Path) -> None:
    executable = compiler.compile(running_mean(), backend)
    source = executable.compilation.source
    assert source is not None
    assert "of the user" not in source.text
    assert "user's file" not in source.text
    inspect.dump(executable, tmp_path)
    for path in (tmp_path / "kernels").iterdir():
        commented = [line for line in path.read_text().splitlines() if "of the user" in line]
        assert commented and all(line.startswith("//") and not line.endswith("\\") for line in commented)
        assert all(re.fullmatch(r"[ -~]*", line) for line in commented)
        assert "??/" not in path.read_text()
