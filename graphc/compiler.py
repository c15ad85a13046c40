"""The compiler as a whole: choosing a backend, what joins a renderer with a device, and programs that are known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import codegen, config, dims, runtime
from graphc.codegen.common import BASE, common_unit
from graphc.collection import paused
from graphc.errors import ArgumentError, BackendError, BackendWarning, FileError, GraphcError, LoadError
from graphc.graph.core import Graph
from graphc.graph.digest import digest
from graphc.graph.types import resolve
from graphc.plan import NOMINAL_SIZE, Plan
from graphc.runtime import blas, cache, processor, programs, toolchain
from graphc.runtime.cache import Cache
from graphc.runtime.counters import counters
from graphc.runtime.cpu import CpuProgram, workspace
from graphc.runtime.memory import solve
from graphc.runtime.numpy_device import NumpyProgram
from graphc.runtime.program import Program
from graphc.runtime.state import StateBuffer
from graphc.runtime.toolchain import Toolchain

if TYPE_CHECKING:
    from graphc.codegen.c_program import CSource
    from graphc.codegen.compilation import Compilation, Passes, Tune
    from graphc.codegen.kernel import Kernel

Array = np.ndarray[Any, Any]

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
BACKENDS = ("cuda", "cpu", "numpy")
# Runs of a program that finds out who computes products faster.
TRIES = 7


class Executable:
    """A compiled graph.

    Args:
        backend: The backend that it runs on.
        initial: The graph before any pass.
        program: What runs.
        look: Tells how it came about, which is found out anew where the program was in the cache.
    """

    def __init__(
        self, backend: str, initial: Graph, program: Program | NumpyProgram, look: Callable[[], Compilation]
    ) -> None:
        self.backend = backend
        self.program = program
        self._launches = program.launches if isinstance(program, Program) else 0
        self._initial = initial
        self._look = look

    @property
    def compilation(self) -> Compilation:
        """How it came about, stage by stage."""
        return self._look()

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
        self._count(repeat)
        shapes = [resolve(self._initial.type(ref).shape, sizes) for ref in self._initial.outputs]
        return [array.reshape(shape) for array, shape in zip(flat, shapes, strict=True)]

    def sweep(
        self,
        inputs: Mapping[str, Array],
        states: Mapping[str, StateBuffer],
        sizes: Mapping[str, int],
        steps: int,
        results: Sequence[Array],
    ) -> None:
        """Runs the graph on one piece of the inputs after the other; states are updated in place.

        Args:
            inputs: A value for each input, whose first axis is cut into `steps` equal pieces.
            states: The buffer of each state.
            sizes: A value for each symbolic size: those of a piece.
            steps: How many pieces.
            results: Gets the outputs: an array for each, cut likewise.
        """
        self.program.sweep(inputs, states, sizes, steps, results)
        self._count(steps)

    def _count(self, steps: int) -> None:
        counts = counters()
        counts.runs += 1
        counts.launches += steps * self._launches

    def memory(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The bytes that a run takes, by role: `input`, `state`, `constant`, `output`, and `arena` for temporaries.

        Raises:
            ArgumentError: on the interpreter, which has no plan.
        """
        if not isinstance(self.program, Program):
            raise ArgumentError("the interpreter does not plan its memory", hint="choose the backend cpu or cuda")
        report = dict.fromkeys(("input", "state", "constant", "output"), 0)
        plan = self.program.plan
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
    """The backend that is used where none is asked for, and why: the first that is present of cuda, cpu, numpy.

    Raises:
        BackendError: if it would be `cpu`, and the C compiler that the user names is not there.
    """
    reasons: list[str] = []
    for name in BACKENDS:
        missing = absent(name)
        if missing is None:
            return name, "; ".join([*reasons, f"{name} is the best present"])
        if name == "cpu" and toolchain.is_named():
            toolchain.find()  # which says what is wrong with the one that was named: no other takes its place
        reasons.append(f"no {name}: {missing}")
    raise BackendError("there is no backend")  # numpy is always present


def absent(backend: str) -> str | None:
    """Why a backend cannot be used; None where it can."""
    if backend == "cuda":
        return runtime.cuda.available()
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
        hint = runtime.cuda.HOW_TO_GET_IT if name == "cuda" else toolchain.HOW_TO_GET_ONE
        raise BackendError(f"the backend {name} is absent", got=missing, expected=f"{name} ({why})", hint=hint)
    return name, why


@paused()
def compile(
    graph: Graph,
    backend: str | None = None,
    earlier: Mapping[str, Graph] | None = None,
    passes: Passes | None = None,
    fused: bool = True,
    profiled: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Executable:
    """Compiles a graph, or finds the program of one like it in the cache.

    Args:
        graph: What to compile.
        backend: Where it runs; None for the configured one, else the best present.
        earlier: Stages that the graph went through before, for those who look at them.
        passes: The rewrites, for those who look for the one at fault; `copy_sources` is always needed. None: all.
        fused: Whether operations share kernels.
        profiled: Whether `Executable.seconds` tells what each kernel took; only the `cpu` backend can.
        sizes: Values of the symbolic sizes in the first run, if they are known: memory for it is then made ready while
            compilers are at work.

    Returns:
        What runs it.

    Raises:
        BackendError: if the backend is absent.
    """
    name, why = chosen_backend(backend)
    if name == "numpy" and backend is None and config.current().backend is None:
        _tell_of_interpreter(why)
    folder, started = dump_folder(), perf_counter()
    # As settings are now: the compilation may be looked at later.
    tune, decided = _tuning(sizes or {}) if name == "cpu" else (None, ())

    @lru_cache(maxsize=1)
    def compilation() -> Compilation:
        vector_bytes, processors = processor.vector_bytes(), processor.cores()
        return codegen.compilation.Compilation(
            name, graph, earlier, passes, fused, vector_bytes, profiled, processors, tune
        )

    store = cache.default()
    hits, builds = store.hits, store.builds
    if name == "numpy":
        program: Program | NumpyProgram = NumpyProgram(compilation().graph)
    elif name == "cpu":
        program = _build_cpu(graph, compilation, passes is None and fused and not profiled, sizes, decided)
    else:
        program = _build_cuda(compilation())
    counts = counters()
    # What is shared by programs may have been there while the program was not.
    counts.cache_hits += store.hits > hits and store.builds == builds
    counts.compilations += 1
    counts.compile_seconds += perf_counter() - started
    if folder is not None:
        dump(compilation(), folder)
    return Executable(name, graph, program, compilation)


@lru_cache(maxsize=1)
def _tell_of_interpreter(why: str) -> None:
    """Once a process: whoever asks for nothing is not to wait without knowing why."""
    text = BackendError(
        "models run on the interpreter, which is 35 to 70 times slower than compiled code",
        got=why,
        hint='install what is missing, or say that it is meant: graphc.config.set_backend("numpy")',
    )
    warnings.warn(str(text), BackendWarning, stacklevel=4)


def prepare() -> None:
    """Begins with what all programs of the configured backend need: with C, the unit that they share.

    A compiler works on it while the caller traces. What goes wrong is told to whoever compiles, who meets it again.
    """
    with suppress(GraphcError):
        if chosen_backend()[0] == "cpu":
            place = cache.default()
            _begin_common(toolchain.find(), place, place.folder)


@lru_cache(maxsize=8)
def _begin_common(compiler: Toolchain, store: Cache, folder: Path) -> None:
    """Once a process for each folder, in a thread that waits for the compiler."""

    def build() -> None:
        with suppress(GraphcError):
            unit = common_unit(BASE, processor.vector_bytes())
            toolchain.build_object(unit, flags=_flags(compiler), toolchain=compiler, cache=store)

    with suppress(RuntimeError):  # the system has no new thread: it is built when it is needed
        Thread(target=build, name="graphc-common").start()


def _flags(compiler: Toolchain) -> tuple[str, ...]:
    """How generated C is compiled."""
    return (*C_FLAGS, *compiler.own_flags, *compiler.native_flags)


def _tuning(sizes: Mapping[str, int]) -> tuple[Tune | None, tuple[str, ...]]:
    """What decides which products a library computes, and on what that depends; nothing where all are generated."""
    lent, products = blas.chosen(), config.current().products
    if lent is None:
        return None, ()
    compiler, store = toolchain.find(), cache.default()
    flags, most = _flags(compiler), processor.cores()
    arguments = compiler.arguments(flags, Path("out"))
    made_for = (programs.compiler_digest(), lent, str(most), compiler.version, compiler.target, *arguments)

    def measure(plan: Plan, source: CSource, given: Mapping[str, int], kernels: list[str]) -> list[dict[str, float]]:
        units, common = source.units, source.common
        library = toolchain.build_shared(units, flags=flags, toolchain=compiler, cache=store, common=common)
        # On all processors, however many threads are allowed: bits of results depend on the answer.
        with config.override(threads=most):
            return CpuProgram(plan, library).trials(kernels, given, TRIES)

    def recall(question: tuple[str, ...]) -> bytes | None:
        return store.get(cache.key(*question, *made_for), programs.SUFFIX)

    def keep(question: tuple[str, ...], answer: bytes) -> None:
        store.put(cache.key(*question, *made_for), answer, programs.SUFFIX)

    def tune(plan: Plan, kernels: Mapping[str, Kernel]) -> Mapping[str, Kernel]:
        tuner = codegen.tuning.Tuner(products == "library", sizes, processor.vector_bytes(), measure, recall, keep)
        return tuner.tuned(plan, kernels)

    asked = [f"{name}={size}" for name, size in sorted(sizes.items())] if products == "measured" else []
    return tune, (lent, products, *asked)


def _build_cpu(
    graph: Graph,
    compilation: Callable[[], Compilation],
    known: bool,
    sizes: Mapping[str, int] | None,
    decided: Sequence[str],
) -> Program:
    """The program of a graph; where it is compiled as all are, it is looked for in the cache first."""
    compiler, store = toolchain.find(), cache.default()
    flags = _flags(compiler)
    arguments = compiler.arguments(flags, Path("out"))
    made_for = (compiler.version, compiler.target, processor.cores(), decided)
    name = programs.program_key(digest(graph), arguments, *made_for)
    found = programs.find(store, name) if known else None
    if found is not None:
        with suppress(LoadError):  # then it is as if it were not there
            return CpuProgram(*found)
    plan, source = compilation().plan, compilation().source
    assert plan is not None and isinstance(source, codegen.c_program.CSource)
    space = None if sizes is None else workspace(plan)

    def meanwhile() -> None:
        if space is not None and sizes is not None:
            space.prepare(sizes)

    library = toolchain.build_shared(
        source.units, flags=flags, toolchain=compiler, cache=store, common=source.common, meanwhile=meanwhile
    )
    if known:
        programs.store(store, name, plan, library)
    return CpuProgram(plan, library, space)


def _build_cuda(compilation: Compilation) -> Program:
    plan, source = compilation.plan, compilation.source
    assert plan is not None and isinstance(source, codegen.cuda.CudaSource)
    gpu = runtime.cuda
    cubin = gpu.build_cubin(source.text, gpu.device().arch, cache.default())
    return gpu.CudaProgram(plan, cubin, source.geometry)


# ---- dumps


def dump_folder() -> Path | None:
    """A new folder for the dump of one compilation, below the one that the configuration names; None for no dump."""
    root = config.current().dump
    if root is None:
        return None
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            with suppress(FileExistsError):
                folder = root / f"program_{number:03}"
                folder.mkdir()
                return folder
    return None


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Around what writes a dump: what the system says is an error of ours."""
    try:
        yield
    except OSError as error:
        raise FileError(
            "the stages of a compilation cannot be written",
            got=f"{root}: {error.strerror or error}",
            expected=f"a folder that can be written to ({config.where('dump')})",
            hint="name another one, or unset it",
        ) from error


def dump(compilation: Compilation, folder: Path) -> None:
    """Writes every stage of a compilation: graphs, groups, plan with memory map, kernels.

    Args:
        compilation: What to write.
        folder: Where to.
    """
    with _writing(folder):
        _write_all(compilation, folder)


def _write_all(compilation: Compilation, folder: Path) -> None:
    codegen.dump.write_stages(folder, compilation.stages)
    plan, source = compilation.plan, compilation.source
    if compilation.partition is None or plan is None or source is None:
        return
    codegen.dump.write_partition(folder, compilation.partition)
    codegen.dump.write_plan(folder, plan, memory_map(plan))
    suffix = ".cu" if compilation.backend == "cuda" else ".c"
    codegen.dump.write_kernels(folder, compilation.kernels, source.kernels, suffix)
    codegen.dump.write(folder / f"program{suffix}", source.text)


def memory_map(plan: Plan) -> str:
    """The places of the arena's buffers, with every symbolic size at a nominal value."""
    sizes = {name: min(max(NOMINAL_SIZE, low), high) for name, (low, high) in plan.symbols.items()}
    layout, spans, nbytes = solve(plan, sizes), plan.lifetimes(), plan.nbytes(sizes)
    lines = [f"arena of {layout.nbytes} bytes at " + ", ".join(f"{name} = {size}" for name, size in sizes.items())]
    for id, place in sorted(layout.offsets.items(), key=lambda item: item[1]):
        first, last = spans[id]
        lines.append(f"  {place:>10} .. {place + nbytes[id]:>10}  b{id:<4} steps {first} to {last}")
    return "\n".join(lines)
