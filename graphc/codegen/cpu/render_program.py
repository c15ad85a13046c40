"""A whole program in C99: its kernels, in units compiled at the same time, and the function that runs the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.gemm.microkernels import BlasBlock
from graphc.codegen.cpu.render_kernel import Function, render_kernel
from graphc.codegen.cpu.shared_unit import BASE, WINOGRAD, common_unit
from graphc.codegen.cpu.winograd.render import WinogradMicroKernel
from graphc.codegen.cstyle.expr import ExprPrinter, definitions
from graphc.codegen.cstyle.source import Lines, Source, prelude
from graphc.codegen.ir.cost import plan_work
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.library_calls import native_function
from graphc.graph.registry import NativeFunction
from graphc.intrinsics import intrinsic
from graphc.plan import Branch, Copy, Launch, LibraryCall, Loop, Plan, Step, While

# Characters of kernels in a unit: a compiler that is started for less costs more than it saves.
UNIT_LENGTH = 8000
MOST_UNITS = 8
# Two units for each processor: if one takes longer than was estimated, others are compiled beside it.
UNITS_PER_PROCESSOR = 2
# The time that a compiler takes for any function, and for a row of the table of launches, in characters of text.
FUNCTION_LENGTH = 800
ROW_LENGTH = 20
# What the text says of a launch, by which of the buffers that it writes are persistent.
PERSISTENT = MappingProxyType(
    {"nothing": "GC_PERSISTENT_NONE", "some": "GC_PERSISTENT_SOME", "all": "GC_PERSISTENT_ALL"}
)


@dataclass(frozen=True)
class CSource(Source):
    """Source text in units, which make one library, and of the units among them that many programs share."""

    units: tuple[str, ...]
    common: tuple[str, ...]


def render(
    plan: Plan, kernels: Mapping[str, Kernel], vector_bytes: int, profiled: bool = False, processors: int = 2
) -> CSource:
    """The source of a plan. Each thread calls `graphc_run` with its number, see `prelude/thread_pool.c`:

        void graphc_run(char *const *buffers, const long *sizes, long repeat,
                        gc_barrier *barrier, long thread, long threads, long grain, long persistent_valid)

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
        vector_bytes: The size of the processor's vector registers.
        profiled: Whether the program adds up the seconds of each kernel, in the order of `kernels`, in
            `double graphc_seconds[]`.
        processors: How many compilers can run at the same time.
    """
    symbols = plan.identifiers()
    functions = {}
    launches = plan.all_launches()
    for name, kernel in kernels.items():
        own = {symbol: symbols[symbol] for symbol in launches[name].symbols}
        functions[name] = render_kernel(kernel, own, vector_bytes)
    timed = {name: position for position, name in enumerate(kernels)} if profiled else {}
    parts = _split(list(functions.values()), UNITS_PER_PROCESSOR * processors, ROW_LENGTH * len(plan.steps))
    elsewhere = [function.declaration for part in parts[1:] for function in part]
    run = "\n".join([*elsewhere, "", _program(plan, kernels, symbols, timed)])
    extras = _extras(functions.values())
    units = tuple(_unit(part, vector_bytes, extras, "" if i else run) for i, part in enumerate(parts))
    called = (one for function in functions.values() for one in function.prelude_functions)
    has_winograd = any(isinstance(one, WinogradMicroKernel) for one in called)
    common = tuple(common_unit(names, vector_bytes) for names in (BASE, *[WINOGRAD] * has_winograd))
    text = "\n".join([*common, *units])
    return CSource(text, {name: f.definition for name, f in functions.items()}, units, common)


def _split(functions: list[Function], most: int, start: int) -> list[list[Function]]:
    """Functions in parts that take compilers about the same time; those that call the same micro-kernels are together.

    Args:
        functions: What to split.
        most: How many parts there should be at most.
        start: What else is in the first part, in characters.
    """
    length = sum(len(function.definition) for function in functions)
    count = max(1, min(most, MOST_UNITS, round(length / UNIT_LENGTH)))
    total = start + length + FUNCTION_LENGTH * len(functions)
    parts: list[list[Function]] = [[] for _ in range(count)]
    done = start
    for function in sorted(functions, key=lambda function: sorted(tile.name for tile in function.prelude_functions)):
        own = len(function.definition) + FUNCTION_LENGTH
        parts[min(count - 1, (2 * done + own) * count // (2 * total))].append(function)
        done += own
    return [part for part in parts if part] or [[]]


def _extras(functions: Iterable[Function]) -> tuple[str, ...]:
    """The preludes of dtypes that some of the functions compute with."""
    found = list(functions)
    halves = (prelude("cpu", "halves.h"),) if any(function.has_halves for function in found) else ()
    if not any(function.has_complex for function in found):
        return halves
    return *halves, prelude("cpu", "complex.h"), prelude("cstyle", "complex.h")


def _unit(functions: Sequence[Function], vector_bytes: int, extras: tuple[str, ...], run: str) -> str:
    """A translation unit with some kernels; and the function that runs the plan, behind declarations of the others."""
    made = {one.name: one for function in functions for one in function.prelude_functions}
    text = "\n".join(function.definition for function in functions)
    parts = [f"#define GC_VECTOR_BYTES {vector_bytes}\n", prelude("cpu", "c.h"), prelude("cstyle", "scalar.h")]
    parts += extras
    called = {name for function in functions for name in function.intrinsics}
    if any(intrinsic(name).vector for name in called):
        parts.append(prelude("cpu", "math.h"))
    parts += definitions(called)
    if any(not isinstance(one, WinogradMicroKernel) for one in made.values()):
        parts += [prelude("cpu", "gemm.h"), prelude("cpu", "microkernels.h")]
    if any(isinstance(one, WinogradMicroKernel) for one in made.values()):
        parts.append(prelude("cpu", "winograd.h"))
    if any(isinstance(one, BlasBlock) for one in made.values()):
        parts.append(prelude("cpu", "blas.h"))
    parts += [made[name].definition for name in sorted(made)]
    return "\n".join([*parts, text, run])


def _program(plan: Plan, kernels: Mapping[str, Kernel], symbols: Mapping[str, str], timed: Mapping[str, int]) -> str:
    """The function that runs the plan. Launches are data: as calls they took compilers an eighth of their time."""
    out, run = Lines(), Lines()
    if timed:
        out(f"double graphc_seconds[{len(timed)}];")
    table = _Table(plan, kernels, symbols, timed)
    table.run(run, plan.steps)
    table.print(out)
    for native in table.natives.values():
        out(f"void *graphc_{native.symbol};")
        for line in native.definition.splitlines():
            out(line)
    out("void graphc_run(char *const *buffers, const long *given, long repeat,")
    out("                gc_barrier *barrier, long thread, long threads, long grain, long persistent_valid) {")
    out(f"long sizes[{max(1, len(symbols))}];")
    for i, name in enumerate(plan.symbols):
        out(f"const long {symbols[name]} = sizes[{i}] = given[{i}];")
        out(f"(void){symbols[name]};")
    table.slots(out)
    out("for (long step = 0; step < repeat; ++step) {")
    worker = "{thread, threads, grain, barrier, persistent_valid || step > 0, 0}"
    out(f"const gc_worker worker = {worker}, *const self = &worker;")
    for line in run.lines:
        out(line.strip())
    out("}")
    out("}")
    return str(out)


class _Table:
    """The launches of a plan as a table, and the rows of it that each part of the plan runs.

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
        symbols: The identifier of each symbolic size and loop counter; their order is that of `sizes`.
        timed: The place of each kernel whose seconds are added up; empty where nothing is measured.
    """

    def __init__(
        self, plan: Plan, kernels: Mapping[str, Kernel], symbols: Mapping[str, str], timed: Mapping[str, int]
    ) -> None:
        self.plan, self.kernels, self.symbols, self.timed = plan, kernels, symbols, timed
        self.places = {name: i for i, name in enumerate(symbols)}
        self.style = ExprPrinter(symbols, C)
        self.rows: list[str] = []
        self.args: list[int] = []
        self.signatures: set[tuple[int, int]] = set()
        self.natives: dict[str, NativeFunction] = {}

    def slots(self, out: Lines) -> None:
        """The table of buffers of a thread that runs iterations alone, with its slot of those that have slots."""
        apart = {id: step.slots for step in self.plan.steps if isinstance(step, Loop) for id in step.private}
        if not apart:
            return
        out(f"char *slot_buffers[{len(self.plan.buffers)}];")
        out("__builtin_memcpy(slot_buffers, buffers, sizeof slot_buffers);")
        for id, slots in sorted(apart.items()):
            out(f"slot_buffers[{id}] += thread * ({self.style.dim(self.plan.buffers[id].nbytes * slots)} / {slots});")

    def run(self, out: Lines, steps: tuple[Step, ...], buffers: str = "buffers", worker: str = "self") -> None:
        """The statements that run steps, on a table of buffers."""
        for is_launch, group in groupby(steps, lambda step: isinstance(step, Launch)):
            start = len(self.rows)
            for step in group:
                if isinstance(step, Launch):
                    self._add(step)
                else:
                    self._other(out, step, buffers, worker)
            if is_launch:
                out(f"gc_launch(steps + {start}, steps + {len(self.rows)}, {buffers}, sizes, {worker});")

    def _add(self, step: Launch) -> None:
        signature = len(step.buffers), len(step.symbols)
        self.signatures.add(signature)
        clock = f"graphc_seconds + {self.timed[step.kernel]}" if self.timed else "0"
        persistent = PERSISTENT[self.plan.persists(step)]
        row = f"{_caller(*signature)}, (gc_function *){step.kernel}, args + {len(self.args)}, {clock}, {persistent}"
        self.rows.append(f"{{{row}}},")
        self.args += [*step.buffers, *(self.places[name] for name in step.symbols)]

    def _other(self, out: Lines, step: Step, buffers: str, worker: str) -> None:
        match step:
            case Loop() if step.slots:
                self._iterations(out, step)
            case Loop():
                name, place = self.symbols[step.symbol], self.places[step.symbol]
                out(f"for (long {name} = 1; {name} <= {self.style.dim(step.count)}; ++{name}) {{")
                out(f"sizes[{place}] = {name};")
                self.run(out, step.steps, buffers, worker)
                out("}")
            case While():
                self._while(out, step, buffers, worker)
            case Branch():
                self._branch(out, step, buffers, worker)
            case LibraryCall():
                self._call(out, step, buffers, worker)
            case Copy():
                dim, width = self.style.dim, self.plan.buffers[step.source].dtype.itemsize
                start, end = dim(step.source_offset * width), dim(step.target_offset * width)
                places = f"{buffers}[{step.target}] + {end}, {buffers}[{step.source}] + {start}"
                out(f"gc_copy({places}, {dim(step.elements * width)}, {worker});")
                out(f"gc_sync({worker});")

    def _while(self, out: Lines, step: While, buffers: str, worker: str) -> None:
        """All threads read the result of the test before any may replace it."""
        out("for (;;) {")
        self.run(out, step.test, buffers, worker)
        out(f"const int holds = *{buffers}[{step.holds}] != 0;")
        out(f"gc_sync({worker});")
        out("if (!holds) break;")
        self.run(out, step.steps, buffers, worker)
        out("}")

    def _branch(self, out: Lines, step: Branch, buffers: str, worker: str) -> None:
        offset = self.style.dim(step.offset)
        out("{")
        out(f"const int chosen = ((const int *){buffers}[{step.index}])[{offset}];")
        out(f"gc_sync({worker});")
        out(f"switch (GC_MIN(GC_MAX(chosen, 0), {len(step.branches) - 1})) {{")
        for number, block in enumerate(step.branches):
            out(f"case {number}: {{")
            self.run(out, block, buffers, worker)
            out("break;")
            out("}")
        out("}")
        out("}")

    def _call(self, out: Lines, step: LibraryCall, buffers: str, worker: str) -> None:
        """A function of a library, which all threads call, or the reference, which the first thread calls."""
        dim, native = self.style.dim, native_function(step, self.plan) if step.native else None
        places = [
            f"{buffers}[{id}] + {dim(offset * self.plan.buffers[id].dtype.itemsize)}"
            for id, offset in zip((*step.operands, *step.results), step.offsets, strict=True)
        ]
        extents = [dim(size) for size in step.extents]
        out(f"if (!{worker}->persistent_valid) {{" if self.plan.persists(step) == "all" else "{")
        out(f"void *const places[] = {{{', '.join(places)}}};")
        out(f"const long extents[] = {{{', '.join(extents or ['0'])}}};")
        if native is None:
            number = self.plan.calls().index(step)
            table = next(buffer.id for buffer in self.plan.buffers if buffer.role == "functions")
            out("typedef void reference(void *const *, const long *);")
            out(f"if ({worker}->thread == 0) ((reference **)buffers[{table}])[{number}](places, extents);")
        else:
            self.natives[native.name] = native
            out(f"{native.name}(places, extents, {worker});")
        out(f"gc_sync({worker});")
        out("}")

    def _iterations(self, out: Lines, loop: Loop) -> None:
        """A loop whose iterations threads run alone."""
        count, work = (self.style.dim(dim) for dim in (loop.count, plan_work((loop,), self.kernels)))
        name = self.symbols[loop.symbol]
        out("{")
        out(f"gc_iterations iterations = gc_begin_iterations({count}, {loop.slots}, {work}, self);")
        out("char *const *const table = iterations.together ? buffers : slot_buffers;")
        out("while (gc_next_iteration(&iterations)) {")
        out(f"const long {name} = sizes[{self.places[loop.symbol]}] = iterations.current;")
        out(f"(void){name};")
        self.run(out, loop.steps, "table", "&iterations.worker")
        out("}")
        out("gc_sync(self);")
        out("}")

    def print(self, out: Lines) -> None:
        """The table itself, and a function for each number of buffers and sizes that kernels take."""
        if not self.rows:
            return
        for buffers, sizes in sorted(self.signatures):
            kinds = ["char *"] * buffers + ["long"] * sizes + ["const gc_worker *"]
            values = [f"buffers[args[{i}]]" for i in range(buffers)]
            values += [f"sizes[args[{i}]]" for i in range(buffers, buffers + sizes)]
            out(f"static void {_caller(buffers, sizes)}(GC_CALL) {{")
            out("(void)sizes;")
            out(f"((void (*)({', '.join(kinds)}))kernel)({', '.join([*values, 'self'])});")
            out("}")
        out(f"static const int args[] = {{{', '.join(map(str, self.args or [0]))}}};")
        out("static const gc_step steps[] = {")
        for row in self.rows:
            out(row)
        out("};")


def _caller(buffers: int, sizes: int) -> str:
    return f"call_{buffers}_{sizes}"
