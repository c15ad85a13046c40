"""From source text to a program: compiling it, or loading it from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, cast

from graphc import runtime
from graphc.codegen.cpu.shared_unit import BASE, common_unit
from graphc.collection import paused
from graphc.compiler.backends import chosen_backend
from graphc.errors import GraphcError, LoadError
from graphc.graph.core import Graph
from graphc.graph.digest import digest
from graphc.graph.own import have_digests, own_rules
from graphc.runtime import cache
from graphc.runtime.cache import Cache
from graphc.runtime.cpu import blas, processor, program_cache, toolchain
from graphc.runtime.cpu.program import CpuProgram, workspace
from graphc.runtime.cpu.toolchain import Toolchain
from graphc.runtime.program import Program

if TYPE_CHECKING:
    from graphc.codegen.compilation import Compilation
    from graphc.codegen.cpu.render_program import CSource
    from graphc.codegen.cuda.render_program import CudaSource

C_FLAGS = (
    "-O2",
    "-fopenmp-simd",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fwrapv",
    "-fno-strict-aliasing",
    "-Wno-unknown-pragmas",
)


@contextmanager
def preparing() -> Iterator[None]:
    """Wraps what traces and compiles a program, as a `with` block or a decorator, so that its first run comes soon.

    Garbage collection waits. If the configured backend compiles C, the unit that all its programs share is compiled in
    the background meanwhile; its errors are raised by the compilation that needs it.
    """
    with paused():
        _begin()
        yield


def _begin() -> None:
    with suppress(GraphcError):
        if chosen_backend()[0] == "cpu":
            place = cache.default()
            _begin_common(toolchain.find(), place, place.folder)


@lru_cache(maxsize=8)
def _begin_common(compiler: Toolchain, store: Cache, folder: Path) -> None:
    """Starts the compilation, once a process for each folder, in a thread that waits for the compiler."""

    def build() -> None:
        with suppress(GraphcError):
            unit = common_unit(BASE, processor.vector_bytes())
            toolchain.build_object(unit, flags=c_flags(compiler), toolchain=compiler, cache=store)

    with suppress(RuntimeError):  # no thread can be started: it is built when it is needed
        Thread(target=build, name="graphc-common").start()


def c_flags(compiler: Toolchain) -> tuple[str, ...]:
    """The compiler flags for generated C."""
    return (*C_FLAGS, *compiler.own_flags, *compiler.native_flags)


def build_cpu(
    graph: Graph,
    compilation: Callable[[], Compilation],
    known: bool,
    sizes: Mapping[str, int] | None,
    decided: Sequence[str],
) -> Program:
    """The program of a graph: from the cache if its options are the usual ones, else compiled."""
    compiler, store = toolchain.find(), cache.default()
    flags = c_flags(compiler)
    arguments = compiler.arguments(flags, Path("out"))
    known = known and have_digests(own_rules(graph))
    made_for = (compiler.version, compiler.target, processor.cores(), blas.is_installed(), decided)
    name = program_cache.program_key(digest(graph), arguments, *made_for)
    cached = program_cache.find(store, name) if known else None
    if cached is not None:
        with suppress(LoadError):  # then it is built anew
            return CpuProgram(*cached)
    plan, source = compilation().plan, cast("CSource", compilation().source)
    assert plan is not None
    space = None if sizes is None else workspace(plan)

    def meanwhile() -> None:
        if space is not None and sizes is not None:
            space.prepare(sizes)

    library = toolchain.build_shared(
        source.units, flags=flags, toolchain=compiler, cache=store, common=source.common, meanwhile=meanwhile
    )
    if known:
        program_cache.store(store, name, plan, library)
    return CpuProgram(plan, library, space)


def build_cuda(compilation: Compilation) -> Program:
    """The program of a compilation for the GPU."""
    plan, source = compilation.plan, cast("CudaSource", compilation.source)
    assert plan is not None
    gpu = runtime.cuda
    cubin = gpu.build_cubin(source.text, gpu.device().arch, cache.default())
    return gpu.CudaProgram(plan, cubin, source.geometry)
