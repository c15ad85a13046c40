"""The pass pipeline of each target, from a graph to source text, as a list of named passes.

The first passes map graphs to graphs; `fuse` partitions the last one; `lower` maps that to a plan and its kernels, an
`Assembly`, which further passes map to others; `render` prints source text. The body of a loop is partitioned by the
same passes when its loop is lowered. Every stage can be dumped, and checked, under the name of its pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from graphc.codegen.c99.render_program import C99Source
from graphc.codegen.c99.render_program import render as render_c99
from graphc.codegen.c99.tiles import panel_bytes
from graphc.codegen.cpu.persistent import mark_persistent
from graphc.codegen.cpu.render_program import CSource
from graphc.codegen.cpu.render_program import render as render_c
from graphc.codegen.cpu.sample_loops import fuse_loops
from graphc.codegen.cpu.scratch import Scratch, allot_scratch, with_scratch
from graphc.codegen.cpu.work import estimate_work
from graphc.codegen.cuda.render_program import CudaSource
from graphc.codegen.cuda.render_program import render as render_cuda
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.library_calls import bind_to_host, refuse
from graphc.codegen.lower.assemble import Assembly, assemble
from graphc.codegen.lower.dedupe import deduplicate
from graphc.codegen.schedule.accumulators import widen_sums
from graphc.codegen.schedule.bind import bind_vector
from graphc.codegen.schedule.contractions import vectors_as_reductions
from graphc.codegen.schedule.flatten import flatten
from graphc.codegen.schedule.merge_axes import merge_axes
from graphc.codegen.target import Target
from graphc.graph.core import Graph
from graphc.passes.copy_sources import copy_sources
from graphc.passes.dead_code import eliminate_dead
from graphc.passes.empty import without_empty
from graphc.passes.factor import factor
from graphc.passes.fold_constants import fold_constants
from graphc.passes.fusion.fuse import Partition, fuse
from graphc.passes.layout.concatenations import split_concatenations
from graphc.passes.layout.convolutions import pad_convolutions
from graphc.passes.layout.operands import order_operands, order_products
from graphc.passes.layout.paddings import share_paddings
from graphc.passes.layout.reductions import split_reductions
from graphc.passes.layout.windows import spread_by_tiles
from graphc.passes.loops.optimize import optimize_loops
from graphc.passes.simplify import simplify

# A function that partitions a loop's body.
PartitionBody: TypeAlias = Callable[[Graph], Partition]


@dataclass(frozen=True, slots=True)
class Pass:
    """One named pass.

    Args:
        name: Its name, which is unique in a pipeline.
        makes: The type of its result: `Graph`, `Partition`, `Assembly`, or a type of source text.
        run: Maps the result of the pass before to its result, for a target.
        is_optional: Whether it may be skipped, to find the pass at fault.
    """

    name: str
    makes: type
    run: Callable[[Any, Target, PartitionBody], Any]
    is_optional: bool = False


Pipeline: TypeAlias = Sequence[Pass]


def _graphs(name: str, rewrite: Callable[[Graph], Graph], is_optional: bool = True) -> Pass:
    return Pass(name, Graph, lambda graph, *_: rewrite(graph), is_optional)


def _kernels(name: str, rewrite: Callable[[Kernel], Kernel]) -> Pass:
    def each(assembly: Assembly, *_: object) -> Assembly:
        return replace(assembly, kernels={name: rewrite(kernel) for name, kernel in assembly.kernels.items()})

    return Pass(name, Assembly, each)


def _assemblies(name: str, rewrite: Callable[[Assembly, Target], Assembly], is_optional: bool = True) -> Pass:
    return Pass(name, Assembly, lambda assembly, target, _: rewrite(assembly, target), is_optional)


def _sample_loops(assembly: Assembly, target: Target) -> Assembly:
    return fuse_loops(assembly, target.processors) if target.fused else assembly


def _autotuned(assembly: Assembly, target: Target) -> Assembly:
    if target.tune is None:
        return assembly
    return replace(assembly, kernels=dict(target.tune(assembly.plan, assembly.kernels)))


def _panels(assembly: Assembly, _: Target) -> Assembly:
    needs = {name: Scratch(nbytes) for name, kernel in assembly.kernels.items() if (nbytes := panel_bytes(kernel)) != 0}
    return with_scratch(assembly, needs)


def _c_source(assembly: Assembly, target: Target, _: PartitionBody) -> CSource:
    return render_c(assembly.plan, assembly.kernels, target.vector_bytes, target.profiled, target.processors)


# The first passes of all targets.
ALGEBRA: Pipeline = (
    _graphs("without_empty", without_empty),
    _graphs("simplify", simplify),
    _graphs("eliminate_dead", eliminate_dead),
    _graphs("factor", factor),
    _graphs("loops", optimize_loops),
    _graphs("simplify_again", simplify),
    _graphs("order_products", order_products),
    _graphs("eliminate_dead_again", eliminate_dead),
)
COPY_SOURCES = _graphs("copy_sources", copy_sources, is_optional=False)

# From a graph to a plan and its kernels.
LOWERING: Pipeline = (
    Pass("fuse", Partition, lambda graph, target, _: fuse(graph, target.fused)),
    Pass("lower", Assembly, lambda partition, _, partition_body: assemble(partition, partition_body)),
)

SCHEDULE: Pipeline = (
    _kernels("flatten", flatten),
    _kernels("merge_axes", merge_axes),
    _kernels("vectors_as_reductions", vectors_as_reductions),
    _kernels("bind_vector", bind_vector),
    _kernels("widen_sums", widen_sums),
)

PIPELINES: Mapping[str, Pipeline] = MappingProxyType(
    {
        "numpy": (*ALGEBRA, COPY_SOURCES),
        "cuda": (
            *ALGEBRA,
            _graphs("split_concatenations", split_concatenations),
            COPY_SOURCES,
            *LOWERING,
            _assemblies("library_calls", refuse, is_optional=False),
            _assemblies("deduplicate", lambda assembly, _: deduplicate(assembly)),
            *SCHEDULE,
            Pass("render", CudaSource, lambda assembly, *_: render_cuda(assembly.plan, assembly.kernels)),
        ),
        "cpu": (
            *ALGEBRA,
            _graphs("split_concatenations", split_concatenations),
            _graphs("pad_convolutions", pad_convolutions),
            _graphs("split_reductions", split_reductions),
            _graphs("spread_by_tiles", spread_by_tiles),
            _graphs("order_operands", order_operands),
            _graphs("simplify_layouts", simplify),
            _graphs("share_paddings", share_paddings),
            _graphs("eliminate_dead_layouts", eliminate_dead),
            COPY_SOURCES,
            *LOWERING,
            _assemblies("library_calls", bind_to_host, is_optional=False),
            _assemblies("sample_loops", _sample_loops),
            _assemblies("deduplicate", lambda assembly, _: deduplicate(assembly)),
            *SCHEDULE,
            _assemblies("autotune", _autotuned),
            _assemblies("persistent_buffers", lambda assembly, _: mark_persistent(assembly)),
            _assemblies(
                "scratch", lambda assembly, target: allot_scratch(assembly, target.vector_bytes), is_optional=False
            ),
            _assemblies("estimate_work", lambda assembly, _: estimate_work(assembly)),
            Pass("render", CSource, _c_source),
        ),
        # Portable C, whose programs have their weights as constants. Without threads loops need not be split for them.
        "c99": (
            *ALGEBRA,
            _graphs("split_concatenations", split_concatenations),
            _graphs("pad_convolutions", pad_convolutions),
            _graphs("spread_by_tiles", spread_by_tiles),
            _graphs("order_operands", order_operands),
            _graphs("fold_constants", fold_constants),
            _graphs("simplify_layouts", simplify),
            _graphs("share_paddings", share_paddings),
            _graphs("eliminate_dead_layouts", eliminate_dead),
            COPY_SOURCES,
            *LOWERING,
            _assemblies("library_calls", refuse, is_optional=False),
            _assemblies("sample_loops", lambda assembly, _: fuse_loops(assembly, slots=1)),
            _assemblies("deduplicate", lambda assembly, _: deduplicate(assembly)),
            *SCHEDULE,
            _assemblies("scratch", _panels, is_optional=False),
            Pass("render", C99Source, lambda assembly, *_: render_c99(assembly.plan, assembly.kernels)),
        ),
    }
)
