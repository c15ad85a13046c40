"""What a start costs: modules that are not imported, programs that are not lowered, graphs that networkx never sees."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

import graphc
from graphc import compiler, dims, dtypes, lazy, plan_json
from graphc.codegen.compilation import Compilation
from graphc.collection import paused
from graphc.errors import BackendError, VerificationError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.digest import digest
from graphc.graph.types import Array, Origin, TensorType
from graphc.plan import Buffer, Copy, Launch, Loop, Plan
from graphc.runtime import cache
from graphc.runtime.cpu import program_cache
from graphc.runtime.state import StateBuffer
from graphc.tracing import Tensor
from tests.support.random_plans import plans

NOT_FOR_TRAINING = {
    *("h5py", "safetensors", "rich", "filelock", "http.client", "ssl", "asyncio", "tomllib", "unittest", "networkx")
}


def imported_by(code: str) -> set[str]:
    """The modules that a fresh process has after running some code, beyond those of numpy."""
    script = f"import sys, numpy; before = set(sys.modules); {code}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_graphc_imports_little() -> None:
    modules = imported_by("import graphc")
    assert {name for name in modules if name.startswith("graphc.")} <= {
        *("graphc.config", "graphc.config_checks", "graphc.dtypes", "graphc.errors", "graphc.frames", "graphc.lazy")
    }


def test_building_and_compiling_a_model_imports_no_file_formats() -> None:
    model = "graphc.Sequential([graphc.Input((3,)), graphc.layers.Dense(2)])"
    modules = imported_by(f"import graphc; m = {model}; m.compile('adam', 'mse')")
    assert not modules & NOT_FOR_TRAINING
    assert "graphc.codegen.lower.group" not in modules


def test_every_public_name_is_there() -> None:
    assert set(graphc.__all__) <= set(dir(graphc))
    for name in graphc.__all__:
        assert getattr(graphc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        graphc.no_such_name  # noqa: B018
    get, names = lazy.attributes("graphc", ["dims"])
    assert get("dims") is dims and "dims" in names()


def test_collections_wait_and_come_back() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), paused():
        with paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        _ = 1 / 0
    assert gc.isenabled()


# ---- the digest of a graph


def step(number: float = 2.0, name: str = "w", line: int = 1, limit: int = 100, size: int = 3) -> Graph:
    builder = Builder({"B": (1, limit)})
    with builder.located((Origin("layer", "file.py", line),)):
        x = builder.input("x", TensorType((dims.size("B"), size), dtypes.float32))
        w = builder.state(name, TensorType((size,), dtypes.float32))
        scaled = builder.apply("mul", x, builder.full(number, x.shape, x.dtype))
        builder.update(w, builder.apply("add", w, builder.apply("sum", scaled, axes=(0,))))
        return builder.finish([scaled])


def test_a_digest_tells_graphs_apart_but_not_their_origins() -> None:
    assert digest(step()) == digest(step(line=7))
    others = [step(3.0), step(-0.0), step(0.0), step(name="v"), step(limit=9), step(size=4)]
    assert len({digest(graph) for graph in [step(), *others]}) == len(others) + 1
    plain = step()
    assert digest(plain) != digest(Graph(plain.table.values(), plain.outputs, {}, plain.symbols))


def test_attributes_of_numpy_have_digests() -> None:
    def reversed_along(axis: object) -> Graph:
        builder = Builder()
        x = builder.input("x", TensorType((2, 2), dtypes.int8))
        return builder.finish([builder.apply("reverse", x, axes=(axis,))])

    assert len({digest(reversed_along(axis)) for axis in (np.int64(0), np.int64(1), 1)}) == 3


def test_a_digest_is_the_same_in_another_process() -> None:
    code = "from tests.test_startup import *; print(digest(step()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(step())


# ---- plans as objects


@given(plans())
def test_plans_survive_json(plan: Plan) -> None:
    assert plan_json.from_object(json.loads(json.dumps(plan_json.to_object(plan)))) == plan


def test_all_of_a_plan_survives_json() -> None:
    batch, count = dims.size("B"), dims.size("@6")
    value = Array.of(np.arange(3, dtype=np.float16))
    buffers = (Buffer(0, "input", dtypes.int8, batch * 2 + (batch + 1) // 2, 'user\'s "name"\n'),)
    buffers += (Buffer(1, "constant", dtypes.float16, 3, value=value), Buffer(2, "output", dtypes.bool_, batch % 3))
    inner = (Launch("k0", (0, 2), (0,), (2,), ("B", "@6")), Copy(0, 2, 1, count * batch - batch, count - 1))
    plan = Plan((Loop("@6", batch, inner),), buffers, (2,), {"B": (1, 7)})
    assert plan_json.from_object(json.loads(json.dumps(plan_json.to_object(plan)))) == plan


@pytest.mark.parametrize("data", [None, {}, {"steps": [["jump"]], "buffers": [], "outputs": [], "symbols": {}}])
def test_what_is_no_plan_is_refused(data: object) -> None:
    with pytest.raises(VerificationError, match="not a plan"):
        plan_json.from_object(data)  # type: ignore[arg-type]


# ---- programs in the cache


@pytest.fixture
def own_cache(tmp_path: Path) -> cache.Cache:
    with graphc.config.override(cache_dir=tmp_path):
        yield cache.default()  # type: ignore[misc]


def run(executable: compiler.Executable) -> tuple[np.ndarray, np.ndarray]:
    states = {"w": StateBuffer(np.ones(3, np.float32))}
    (out,) = executable.run({"x": np.arange(6, dtype=np.float32).reshape(2, 3)}, states, {"B": 2})
    return out, states["w"].host()


def test_a_known_program_is_not_lowered(own_cache: cache.Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(compiler.compile(step(), "cpu"))
    with monkeypatch.context() as patch:
        patch.setattr(Compilation, "plan", property(lambda self: pytest.fail("it was lowered again")))
        executable = compiler.compile(step(line=5), "cpu")
        for a, b in zip(first, run(executable), strict=True):
            np.testing.assert_array_equal(a, b)
    # Who looks at it sees it all the same.
    assert next(iter(executable.compilation.stages)) == "initial" and executable.compilation.kernels
    assert executable.memory({"B": 2})["input"] == 24


@pytest.mark.parametrize("harm", ["program", "library", "both"])
def test_a_harmed_program_is_made_anew(own_cache: cache.Cache, harm: str) -> None:
    first = run(compiler.compile(step(), "cpu"))
    for path in own_cache.folder.iterdir():
        if path.suffix == ".json" and harm != "library":
            path.write_bytes(path.read_bytes().replace(b"launch", b"lunch"))
        if path.suffix == ".so" and harm != "program":
            path.unlink()
    for a, b in zip(first, run(compiler.compile(step(), "cpu")), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_entry_of_another_form_is_a_miss(own_cache: cache.Cache) -> None:
    name = cache.key("program")
    for content in (b"no JSON", b"[]", b"{}", b'{"library": "../x", "plan": {}}'):
        own_cache.put(name, content, program_cache.SUFFIX)
        assert program_cache.find(own_cache, name) is None


def test_other_ways_of_compiling_are_not_mixed_up(own_cache: cache.Cache) -> None:
    compiler.compile(step(), "cpu")
    before = own_cache.builds
    compiler.compile(step(), "cpu", fused=False)
    assert own_cache.builds == before + 1
    ways = (
        ("a", ["b"], "c", "d", 2, False, ()),
        ("a", ["b", "c"], "", "d", 2, False, ()),
        ("a", ["b"], "c", "d", 2, True, ()),
        ("a", ["b"], "c", "d", 2, False, ("e", "library")),
        ("a", ["b"], "c", "d", 2, False, ("e", "measured", "1")),
    )
    assert len({program_cache.program_key(*parts) for parts in ways}) == len(ways)


def test_what_programs_share_is_begun_before_they_are_compiled(own_cache: cache.Cache) -> None:
    with graphc.config.override(backend="cpu"):
        for _ in range(2):
            with compiler.preparing():
                pass
    for thread in threading.enumerate():
        if thread.name == "graphc-common":
            thread.join(60)
    assert [path.suffix for path in own_cache.folder.iterdir()].count(".o") == own_cache.builds == 1
    run(compiler.compile(step(), "cpu"))
    assert own_cache.builds == 2


def test_who_prepares_is_not_told_that_there_is_no_compiler(own_cache: cache.Cache) -> None:
    missing = graphc.config.override(backend="cpu", compiler="no-such-compiler")
    with missing, compiler.preparing(), pytest.raises(BackendError):
        compiler.compile(step())


# ---- networkx


def test_graphs_are_those_of_networkx_for_whoever_asks() -> None:
    """What comes first must not matter: the question of a class, a method, or what Python looks up in classes."""
    make = "from graphc.graph.builder import Builder; graph = Builder().finish([])"
    questions = (
        "isinstance(graph, nx.MultiDiGraph) and isinstance(graph, nx.Graph)",
        "isinstance(graph, type(graph)) and not isinstance(graph, int) and isinstance(graph, nx.Graph)",
        "len(graph) == 0 and issubclass(type(graph), nx.MultiDiGraph)",
        "[*graph] == [] and 0 not in graph",
        "graph.number_of_edges() == 0",
        "nx.is_directed_acyclic_graph(graph)",
        "nx.MultiDiGraph(graph).number_of_nodes() == 0",
        "isinstance(type(graph)(), nx.MultiDiGraph)",
        "not hasattr(graph, 'no such thing')",
    )
    for question in questions:
        script = f"import sys; {make}; assert 'networkx' not in sys.modules; import networkx as nx; assert {question}"
        subprocess.run([sys.executable, "-c", script], check=True)


def test_networkx_is_told_when_it_asks() -> None:
    graph = step()
    assert "_adj" not in vars(graph)
    assert nx.is_directed_acyclic_graph(graph) and graph.number_of_nodes() == len(graph.table)
    assert [*graph.predecessors(graph.outputs[0].node)] == [
        ref.node for ref in graph.node(graph.outputs[0].node).inputs
    ]
    for derived in (step().copy(), step().reverse().reverse(), step().subgraph(step().nodes)):
        assert {*derived.edges} == {*graph.edges}
    added = step()
    added.add_edge(0, 99)
    assert added.has_node(99) and added.has_edge(0, 99) and len(added) == len(graph) + 1
    assert nx.MultiDiGraph(step()).nodes[0]["node"] == graph.node(0)


@pytest.mark.parametrize("what", ["function", "fit", "evaluate", "predict"])
def test_all_that_traces_and_compiles_is_prepared(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What programs share begins to be built before the first line is traced, and garbage collection waits."""
    begun: list[bool] = []
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr("graphc.compiler.build._begin", lambda: begun.append(True))

    class Doubled(graphc.layers.Layer):
        def call(self, x: Tensor) -> Tensor:
            seen.append((len(begun), gc.isenabled()))
            return 2 * x

    x, layer = np.ones((2, 3), np.float32), Doubled()
    model = graphc.Sequential([layer, graphc.layers.Dense(1)])
    with graphc.backend("numpy"):
        model.build((None, 3))
        model.compile("sgd", "mse")
        seen.clear()
        if what == "function":
            graphc.function(layer)(x)
        else:
            getattr(model, what)(x, *[x[:, :1]] * (what != "predict"), verbose=0)
    assert set(seen) == {(1, False)} and gc.isenabled()
