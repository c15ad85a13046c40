"""The compiler: the explicit list of passes, and what joins a renderer with a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from graphc import config, dims
from graphc.codegen import c, cuda
from graphc.codegen.assemble import Assembly, assemble, with_scratch
from graphc.codegen.cost import plan_work
from graphc.codegen.cstyle import Source
from graphc.codegen.dump import write_kernels, write_partition, write_plan, write_stages
from graphc.codegen.kernel import Kernel
from graphc.codegen.schedule import schedule
from graphc.codegen.share import share
from graphc.codegen.tiles import scratch_bytes
from graphc.errors import ArgumentError, BackendError
from graphc.graph.core import Graph
from graphc.graph.types import resolve
from graphc.passes.convolutions import pad_convolutions
from graphc.passes.fuse import NOMINAL_SIZE, Partition, fuse
from graphc.passes.loops import optimize_loops
from graphc.passes.reductions import split_reductions
from graphc.passes.simplify import copy_sources, eliminate_dead, simplify
from graphc.passes.windows import spread_by_tiles
from graphc.plan import Plan
from graphc.runtime import cache, processor, toolchain
from graphc.runtime import cuda as gpu
from graphc.runtime.counters import counters
from graphc.runtime.cpu import CpuProgram
from graphc.runtime.memory import solve
from graphc.runtime.numpy_device import NumpyProgram
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer

Array = np.ndarray[Any, Any]

Passes = Sequence[tuple[str, Callable[[Graph], Graph]]]

# Rewrites, in order: each maps a graph to a graph.
PASSES: Passes = (
    ("simplify", simplify),
    ("eliminate_dead", eliminate_dead),
    ("loops", optimize_loops),
    ("simplify_again", simplify),
    ("eliminate_dead_again", eliminate_dead),
    ("copy_sources", copy_sources),
)
# What suits one backend's code, before the last of these.
LAYOUTS: Mapping[str, Passes] = {
    "cpu": (
        ("pad_convolutions", pad_convolutions),
        ("split_reductions", split_reductions),
        ("spread_by_tiles", spread_by_tiles),
        ("simplify_layouts", simplify),
        ("eliminate_dead_layouts", eliminate_dead),
    )
}
C_FLAGS = (
    "-O3",
    "-fopenmp-simd",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",
    "-fno-strict-aliasing",
    "-Wno-unknown-pragmas",
)
BACKENDS = ("cuda", "cpu", "numpy")


@dataclass
class Compilation:
    """What became of a graph, stage by stage, for those who want to look.

    Args:
        backend: What it was compiled for.
        stages: The graph after each pass, by name, in order.
        partition: The groups; None on the interpreter.
        plan: The steps; None on the interpreter.
        kernels: The kernels as scheduled, by name.
        source: The source text that was built; None on the interpreter.
    """

    backend: str
    stages: dict[str, Graph]
    partition: Partition | None = None
    plan: Plan | None = None
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    source: Source | None = None

    @property
    def graph(self) -> Graph:
        """The graph after the last pass."""
        return next(reversed(self.stages.values()))


class Executable:
    """A compiled graph.

    Args:
        compilation: How it came about.
        program: What runs.
    """

    def __init__(self, compilation: Compilation, program: Program | NumpyProgram) -> None:
        self.compilation = compilation
        self.program = program

    @property
    def backend(self) -> str:
        """The backend that it runs on."""
        return self.compilation.backend

    @property
    def graph(self) -> Graph:
        """The graph that runs."""
        return self.compilation.graph

    def run(
        self,
        inputs: Mapping[str, Array | StateBuffer],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        repeat: int = 1,
    ) -> list[Array]:
        """Runs the graph; states are updated in place.

        Args:
            inputs: A value for each input.
            states: The buffer of each state.
            sizes: A value for each symbolic size.
            repeat: How many times; every run sees what the one before left in the states.

        Returns:
            The outputs of the last run.
        """
        flat = self.program.run(inputs, states, sizes, repeat)
        counts = counters()
        counts.runs += 1
        if self.compilation.plan is not None:
            counts.launches += repeat * self.compilation.plan.launches()
        shapes = [resolve(self.graph.type(ref).shape, sizes) for ref in self.graph.outputs]
        return [array.reshape(shape) for array, shape in zip(flat, shapes, strict=True)]

    def memory(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The bytes that a run takes, by role: `input`, `state`, `constant`, `output`, and `arena` for temporaries.

        Raises:
            ArgumentError: on the interpreter, which has no plan.
        """
        plan = self.compilation.plan
        if plan is None:
            raise ArgumentError("the interpreter does not plan its memory", hint="choose the backend cpu or cuda")
        report = dict.fromkeys(("input", "state", "constant", "output"), 0)
        for buffer in plan.buffers:
            if not buffer.in_arena:
                report[buffer.role] += dims.evaluate(buffer.nbytes, sizes)
        return report | {"arena": solve(plan, sizes).nbytes}


    def seconds(self) -> dict[str, float]:
        """The seconds that each kernel has taken since the program was built, by kernel.

        Raises:
            ArgumentError: if the program was not built with `profiled=True` for the `cpu` backend.
        """
        if not isinstance(self.program, CpuProgram):
            raise ArgumentError("only the cpu backend measures its kernels", got=self.backend)
        return self.program.seconds(list(self.compilation.kernels))


def best_backend() -> tuple[str, str]:
    """The backend that is used where none is asked for, and why: the first that is present of cuda, cpu, numpy."""
    reasons: list[str] = []
    for name in BACKENDS:
        missing = absent(name)
        if missing is None:
            return name, "; ".join([*reasons, f"{name} is the best present"])
        reasons.append(f"no {name}: {missing}")
    raise BackendError("there is no backend")  # numpy is always present


def absent(backend: str) -> str | None:
    """Why a backend cannot be used; None where it can."""
    if backend == "cuda":
        return gpu.available()
    if backend == "cpu":
        try:
            toolchain.find()
        except BackendError as error:
            return f"{error.problem}; {error.hint}"
    return None


def chosen_backend(asked: str | None = None) -> tuple[str, str]:
    """The backend to use, and why: the argument, else what the configuration says, else the best present.

    Raises:
        BackendError: if the one asked for is absent; no other takes its place.
        ArgumentError: if there is no such backend.
    """
    name = asked or config.current().backend
    if name is None:
        return best_backend()
    if name not in BACKENDS:
        raise ArgumentError("there is no such backend", got=repr(name), expected=", ".join(BACKENDS))
    why = "argument" if asked else config.where("backend")
    missing = absent(name)
    if missing is not None:
        hint = gpu.HOW_TO_GET_IT if name == "cuda" else toolchain.HOW_TO_GET_ONE
        raise BackendError(f"the backend {name} is absent", got=missing, expected=f"{name} ({why})", hint=hint)
    return name, why


def compile(
    graph: Graph,
    backend: str | None = None,
    earlier: Mapping[str, Graph] | None = None,
    passes: Passes = PASSES,
    fused: bool = True,
    profiled: bool = False,
) -> Executable:
    """Compiles a graph.

    Args:
        graph: What to compile.
        backend: Where it runs; None for the configured one, else the best present.
        earlier: Stages that the graph went through before, for those who look at them.
        passes: The rewrites, for those who look for the one at fault; `copy_sources` is always needed.
        fused: Whether operations share kernels.
        profiled: Whether `Executable.seconds` tells what each kernel took; only the `cpu` backend can.

    Returns:
        What runs it.

    Raises:
        BackendError: if the backend is absent.
    """
    name, _ = chosen_backend(backend)
    passes = (*passes[:-1], *LAYOUTS.get(name, ()), *passes[-1:])
    folder, started = dump_folder(), perf_counter()
    compilation = Compilation(name, {**(earlier or {}), "initial": graph})
    for stage, rewrite in passes:
        graph = rewrite(graph)
        compilation.stages[stage] = graph
    program = NumpyProgram(graph) if name == "numpy" else _build(compilation, passes, fused, profiled)
    executable = Executable(compilation, program)
    counters().compilations += 1
    counters().compile_seconds += perf_counter() - started
    if folder is not None:
        dump(compilation, folder)
    return executable


def _build(compilation: Compilation, passes: Passes, fused: bool, profiled: bool) -> Program:
    compilation.partition = fuse(compilation.graph, fused)
    assembly = share(assemble(compilation.partition, partial(_prepared, passes=passes, fused=fused)))
    kernels = {k: schedule(kernel) for k, kernel in assembly.kernels.items()}
    hits = cache.default().hits
    build = partial(_build_cpu, profiled=profiled) if compilation.backend == "cpu" else _build_cuda
    program = build(compilation, Assembly(assembly.plan, kernels))
    counters().cache_hits += cache.default().hits - hits
    return program


def _prepared(body: Graph, passes: Passes, fused: bool) -> Partition:
    """The body of a loop, after the passes."""
    for _, rewrite in passes:
        body = rewrite(body)
    return fuse(body, fused)


def _build_cpu(compilation: Compilation, assembly: Assembly, profiled: bool) -> Program:
    vector_bytes = processor.vector_bytes()
    scratch = {name: scratch_bytes(kernel, vector_bytes) for name, kernel in assembly.kernels.items()}
    assembly = with_scratch(assembly, {name: n for name, n in scratch.items() if n != 0})
    source = c.render(assembly.plan, assembly.kernels, vector_bytes, profiled)
    _note(compilation, assembly, source)
    compiler = toolchain.find()
    flags = (*C_FLAGS, *compiler.native_flags)
    library = toolchain.build_shared(source.text, flags=flags, toolchain=compiler, cache=cache.default())
    return CpuProgram(assembly.plan, library, plan_work(assembly.plan.steps, assembly.kernels))


def _build_cuda(compilation: Compilation, assembly: Assembly) -> Program:
    rendered = cuda.render(assembly.plan, assembly.kernels)
    _note(compilation, assembly, rendered)
    cubin = gpu.build_cubin(rendered.text, gpu.device().arch, cache.default())
    return gpu.CudaProgram(assembly.plan, cubin, rendered.geometry)


def _note(compilation: Compilation, assembly: Assembly, source: Source) -> None:
    compilation.plan, compilation.kernels, compilation.source = assembly.plan, assembly.kernels, source


# ---- dumps


def dump_folder() -> Path | None:
    """A new folder for the dump of one compilation, below the one that the configuration names; None for no dump."""
    root = config.current().dump
    if root is None:
        return None
    root.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        try:
            folder = root / f"program_{number:03}"
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    return None


def dump(compilation: Compilation, folder: Path) -> None:
    """Writes every stage of a compilation: graphs, groups, plan with memory map, kernels.

    Args:
        compilation: What to write.
        folder: Where to.
    """
    write_stages(folder, compilation.stages)
    plan, source = compilation.plan, compilation.source
    if compilation.partition is None or plan is None or source is None:
        return
    write_partition(folder, compilation.partition)
    write_plan(folder, plan, memory_map(plan))
    suffix = ".cu" if compilation.backend == "cuda" else ".c"
    write_kernels(folder, compilation.kernels, source.kernels, suffix)
    (folder / f"program{suffix}").write_text(source.text, encoding="utf-8")


def memory_map(plan: Plan) -> str:
    """The places of the arena's buffers, with every symbolic size at a nominal value."""
    sizes = {name: min(max(NOMINAL_SIZE, low), high) for name, (low, high) in plan.symbols.items()}
    layout, spans, nbytes = solve(plan, sizes), plan.lifetimes(), plan.nbytes(sizes)
    lines = [f"arena of {layout.nbytes} bytes at " + ", ".join(f"{name} = {size}" for name, size in sizes.items())]
    for id, place in sorted(layout.offsets.items(), key=lambda item: item[1]):
        first, last = spans[id]
        lines.append(f"  {place:>10} .. {place + nbytes[id]:>10}  b{id:<4} steps {first} to {last}")
    return "\n".join(lines)
