"""The explicit list of passes, and what becomes of a graph on its way through them to source text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from graphc.codegen.cpu.persistent import keep, with_scratch
from graphc.codegen.cpu.render_program import render as render_c
from graphc.codegen.cpu.sample_loops import fuse_loops
from graphc.codegen.cpu.winograd.tiling import scratch
from graphc.codegen.cstyle.source import Source
from graphc.codegen.cuda.render_program import render as render_cuda
from graphc.codegen.ir.cost import plan_work
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.lower.assemble import Assembly, assemble
from graphc.codegen.lower.dedupe import share
from graphc.codegen.schedule import schedule
from graphc.graph.core import Graph
from graphc.passes.empty import without_empty
from graphc.passes.factor import factor
from graphc.passes.fusion.fuse import Partition, fuse
from graphc.passes.layout.concatenations import split_concatenations
from graphc.passes.layout.convolutions import pad_convolutions
from graphc.passes.layout.operands import order_operands, order_products
from graphc.passes.layout.paddings import share_paddings
from graphc.passes.layout.reductions import split_reductions
from graphc.passes.layout.windows import spread_by_tiles
from graphc.passes.loops.optimize import optimize_loops
from graphc.passes.simplify import copy_sources, eliminate_dead, simplify
from graphc.plan import Plan

Passes = Sequence[tuple[str, Callable[[Graph], Graph]]]

# Rewrites, in order: each maps a graph to a graph.
PASSES: Passes = (
    ("without_empty", without_empty),
    ("simplify", simplify),
    ("eliminate_dead", eliminate_dead),
    ("factor", factor),
    ("loops", optimize_loops),
    ("simplify_again", simplify),
    ("order_products", order_products),
    ("eliminate_dead_again", eliminate_dead),
    ("copy_sources", copy_sources),
)
# What suits one backend's code, before the last of these.
LAYOUTS: Mapping[str, Passes] = {
    "cuda": (("split_concatenations", split_concatenations),),
    "cpu": (
        ("split_concatenations", split_concatenations),
        ("pad_convolutions", pad_convolutions),
        ("split_reductions", split_reductions),
        ("spread_by_tiles", spread_by_tiles),
        ("order_operands", order_operands),
        ("simplify_layouts", simplify),
        ("share_paddings", share_paddings),
        ("eliminate_dead_layouts", eliminate_dead),
    ),
}


# What decides for the scheduled kernels of a plan.
Tune = Callable[[Plan, Mapping[str, Kernel]], Mapping[str, Kernel]]


def equipped(assembly: Assembly, vector_bytes: int) -> Assembly:
    """A plan of scheduled kernels for the backend `cpu`, with the working memory that they need.

    Args:
        assembly: The plan and its kernels.
        vector_bytes: The size of the processor's vector registers.
    """
    needs = {name: scratch(kernel, vector_bytes) for name, kernel in assembly.kernels.items()}
    assembly = with_scratch(assembly, {name: need for name, need in needs.items() if need.nbytes != 0})
    work = plan_work(assembly.plan.steps, assembly.kernels)
    return Assembly(replace(assembly.plan, work=work), assembly.kernels)


class Compilation:
    """What becomes of a graph, stage by stage. Each stage is made when it is first asked for.

    Args:
        backend: What it is compiled for.
        graph: What is compiled.
        earlier: Stages that the graph went through before.
        passes: The rewrites. None: all.
        fused: Whether operations share kernels.
        vector_bytes: The size of the processor's vector registers, for the backend `cpu`.
        profiled: Whether the program measures its kernels; only that of the backend `cpu` can.
        processors: How many compilers can run at the same time, and threads of the program, for the backend `cpu`.
        tune: Decides for the kernels of a plan, as scheduled, what is chosen by measurement. None: nothing is.
    """

    def __init__(
        self,
        backend: str,
        graph: Graph,
        earlier: Mapping[str, Graph] | None = None,
        passes: Passes | None = None,
        fused: bool = True,
        vector_bytes: int = 64,
        profiled: bool = False,
        processors: int = 2,
        tune: Tune | None = None,
    ) -> None:
        self.backend = backend
        self.initial = graph
        self._earlier = dict(earlier or {})
        chosen = PASSES if passes is None else passes
        self._passes = (*chosen[:-1], *LAYOUTS.get(backend, ()), *chosen[-1:])
        self._fused = fused
        self._vector_bytes = vector_bytes
        self._profiled = profiled
        self._processors = processors
        self._tune = tune

    @cached_property
    def stages(self) -> dict[str, Graph]:
        """The graph after each pass, by name, in order."""
        graph = self.initial
        stages = {**self._earlier, "initial": graph}
        for stage, rewrite in self._passes:
            graph = rewrite(graph)
            stages[stage] = graph
        return stages

    @property
    def graph(self) -> Graph:
        """The graph after the last pass."""
        return next(reversed(self.stages.values()))

    @cached_property
    def partition(self) -> Partition | None:
        """The groups; None on the interpreter."""
        return None if self.backend == "numpy" else fuse(self.graph, self._fused)

    @cached_property
    def _assembly(self) -> Assembly | None:
        if self.partition is None:
            return None
        assembly = assemble(self.partition, self._prepared)
        if self.backend == "cpu" and self._fused:
            assembly = fuse_loops(assembly, self._processors)
        assembly = share(assembly)
        kernels: Mapping[str, Kernel] = {name: schedule(kernel) for name, kernel in assembly.kernels.items()}
        if self.backend != "cpu":
            return Assembly(assembly.plan, dict(kernels))
        if self._tune is not None:
            kernels = self._tune(assembly.plan, kernels)
        return equipped(Assembly(keep(assembly.plan), dict(kernels)), self._vector_bytes)

    def _prepared(self, body: Graph) -> Partition:
        """The body of a loop, after the passes."""
        for _, rewrite in self._passes:
            body = rewrite(body)
        return fuse(body, self._fused)

    @property
    def plan(self) -> Plan | None:
        """The steps; None on the interpreter."""
        return None if self._assembly is None else self._assembly.plan

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        """The kernels as scheduled, by name; none on the interpreter."""
        return {} if self._assembly is None else self._assembly.kernels

    @cached_property
    def source(self) -> Source | None:
        """The source text that is built; None on the interpreter."""
        if self._assembly is None:
            return None
        plan, kernels = self._assembly.plan, self._assembly.kernels
        if self.backend == "cpu":
            return render_c(plan, kernels, self._vector_bytes, self._profiled, self._processors)
        return render_cuda(plan, kernels)
