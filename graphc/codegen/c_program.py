"""A whole program in C99: its kernels, in units compiled at the same time, and the function that runs the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphc.codegen.c import VECTOR_FUNCTIONS, CRenderer, Function
from graphc.codegen.cstyle import CStyle, Lines, Source, prelude
from graphc.codegen.kernel import Kernel
from graphc.plan import Copy, Launch, Loop, Plan, Step

# Characters of kernels in a unit: a compiler that is started for less costs more than it saves.
UNIT_LENGTH = 8000
MOST_UNITS = 8


@dataclass(frozen=True)
class CSource(Source):
    """Source text in units, which make one library."""

    units: tuple[str, ...]


def render(plan: Plan, kernels: Mapping[str, Kernel], vector_bytes: int, profiled: bool = False) -> CSource:
    """The source of a plan. Each thread of a team calls `graphc_run`, as `prelude/team.h` tells, with its number:

        void graphc_run(char *const *buffers, const long *sizes, long repeat,
                        gc_meeting *meeting, long thread, long threads, long grain)

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
        vector_bytes: The size of the processor's vector registers.
        profiled: Whether the program adds up the seconds of each kernel, in the order of `kernels`, in
            `double graphc_seconds[]`.
    """
    symbols = plan.identifiers()
    functions = {}
    launches = plan.all_launches()
    for name, kernel in kernels.items():
        renderer = CRenderer({symbol: symbols[symbol] for symbol in launches[name].symbols}, vector_bytes)
        functions[name] = renderer.kernel(kernel)
    timed = {name: position for position, name in enumerate(kernels)} if profiled else {}
    parts = _split(list(functions.values()))
    elsewhere = [function.declaration for part in parts[1:] for function in part]
    run = "\n".join([*elsewhere, "", _program(plan, symbols, timed)])
    units = [_unit(part, vector_bytes, "" if i else run) for i, part in enumerate(parts)]
    return CSource("\n".join(units), {name: f.definition for name, f in functions.items()}, tuple(units))


def _split(functions: list[Function]) -> list[list[Function]]:
    """Functions in parts of about the same length; those that call the same tile functions are together."""
    total = sum(len(function.definition) for function in functions)
    count = max(1, min(MOST_UNITS, round(total / UNIT_LENGTH)))
    parts: list[list[Function]] = [[] for _ in range(count)]
    done = 0
    for function in sorted(functions, key=lambda function: sorted(tile.name for tile in function.tiles)):
        parts[min(count - 1, done * count // max(1, total))].append(function)
        done += len(function.definition)
    return [part for part in parts if part] or [[]]


def _unit(functions: Sequence[Function], vector_bytes: int, run: str) -> str:
    """A translation unit with some kernels, and with what runs the plan if it is given."""
    tiles = {tile.name: tile for function in functions for tile in function.tiles}
    text = "\n".join(function.definition for function in functions)
    parts = [f"#define GC_VECTOR_BYTES {vector_bytes}\n", prelude("c.h"), prelude("scalar.h")]
    if any(f"gc_{name}_float32(" in text for name in VECTOR_FUNCTIONS):
        parts.append(prelude("math.h"))
    if tiles:
        parts += [prelude("contract.h"), *(tiles[name].definition for name in sorted(tiles))]
    return "\n".join([*parts, text, run])


def _program(plan: Plan, symbols: Mapping[str, str], timed: Mapping[str, int]) -> str:
    out = Lines()
    if timed:
        out(f"double graphc_seconds[{len(timed)}];")
    out("void graphc_run(char *const *buffers, const long *sizes, long repeat,")
    out("                gc_meeting *meeting, long thread, long threads, long grain) {")
    out("const gc_worker worker = {thread, threads, grain, meeting}, *const self = &worker;")
    for i, name in enumerate(plan.symbols):
        out(f"const long {symbols[name]} = sizes[{i}];")
        out(f"(void){symbols[name]};")
    out("for (long step = 0; step < repeat; ++step) {")
    _steps(out, plan, plan.steps, symbols, timed)
    out("}")
    out("}")
    return f"{out}\n{prelude('team.h')}"


def _steps(
    out: Lines, plan: Plan, steps: tuple[Step, ...], symbols: Mapping[str, str], timed: Mapping[str, int]
) -> None:
    style = CStyle(symbols)
    for step in steps:
        match step:
            case Launch(kernel, buffers):
                args = [f"(void *)buffers[{id}]" for id in buffers] + [symbols[name] for name in step.symbols]
                call = f"{kernel}({', '.join([*args, 'self'])});"
                if kernel in timed:
                    call = f"{{ const double start = gc_now(); {call} gc_sync(self);"
                    call += f" if (thread == 0) graphc_seconds[{timed[kernel]}] += gc_now() - start; }}"
                out(call)
            case Copy(source, target, elements):
                width = plan.buffers[source].dtype.itemsize
                start, end = style.dim(step.source_offset * width), style.dim(step.target_offset * width)
                size = style.dim(elements * width)
                out(f"gc_copy(buffers[{target}] + {end}, buffers[{source}] + {start}, {size}, self);")
            case Loop(symbol, count, inner):
                name = symbols[symbol]
                out(f"for (long {name} = 1; {name} <= {style.dim(count)}; ++{name}) {{")
                _steps(out, plan, inner, symbols, timed)
                out("}")
                continue
        out("gc_sync(self);")
