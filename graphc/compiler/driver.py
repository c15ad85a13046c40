"""Compiles a graph to an executable, or loads the program of an equal graph from the cache."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING

from graphc import codegen, config
from graphc.collection import paused
from graphc.compiler.backends import chosen_backend, tell_of_interpreter
from graphc.compiler.build import build_cpu, build_cuda
from graphc.compiler.dumping import dump, dump_folder
from graphc.compiler.executable import Executable
from graphc.compiler.tune import tuning
from graphc.graph.core import Graph
from graphc.runtime import cache
from graphc.runtime.counters import counters
from graphc.runtime.cpu import blas, processor
from graphc.runtime.numpy.program import NumpyProgram
from graphc.runtime.program import Program

if TYPE_CHECKING:
    from graphc.codegen.compilation import Compilation


@paused()
def compile(
    graph: Graph,
    backend: str | None = None,
    earlier: Mapping[str, Graph] | None = None,
    skip: Set[str] = frozenset(),
    fused: bool = True,
    profiled: bool = False,
    sizes: Mapping[str, int] | None = None,
    cached: bool = True,
) -> Executable:
    """Compiles a graph, or loads the program of an equal graph from the cache.

    Args:
        graph: The graph.
        backend: The backend that runs it; None for the configured one, else the best present.
        earlier: Stages of the graph before this one, for dumps.
        skip: The names of passes that are left out, to find the one at fault.
        fused: Whether operations share kernels.
        profiled: Whether `Executable.seconds` has the time of each kernel; only on the `cpu` backend.
        sizes: Values of the symbolic sizes in the first run, if they are known: its memory is then prepared while the
            C compiler runs.
        cached: Whether the program may be loaded from the cache, and is stored there.

    Returns:
        The executable.

    Raises:
        BackendError: if the backend is absent.
        ArgumentError: if a pass to leave out does not exist, or is not optional.
    """
    name, why = chosen_backend(backend)
    if name == "numpy" and backend is None and config.current().backend is None:
        tell_of_interpreter(why)
    folder, started = dump_folder(), perf_counter()
    # The current setting: the stages may be computed later.
    verified = config.current().verify
    tune, decided = tuning(sizes or {}) if name == "cpu" else (None, ())

    @lru_cache(maxsize=1)
    def compilation() -> Compilation:
        target = codegen.target.Target(
            name, fused, processor.vector_bytes(), processor.cores(), profiled, blas.is_installed(), tune
        )
        return codegen.compilation.Compilation(graph, target, earlier, skip, verified)

    store = cache.default()
    hits, builds = store.hits, store.builds
    if name == "numpy":
        program: Program | NumpyProgram = NumpyProgram(compilation().graph)
    elif name == "cpu":
        program = build_cpu(graph, compilation, cached and not skip and fused and not profiled, sizes, decided)
    else:
        program = build_cuda(compilation())
    counts = counters()
    # Shared units may be cache hits while the program itself is not.
    counts.cache_hits += store.hits > hits and store.builds == builds
    counts.compilations += 1
    counts.compile_seconds += perf_counter() - started
    if folder is not None:
        dump(compilation(), folder)
    return Executable(name, graph, program, compilation)
