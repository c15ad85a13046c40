"""A whole program in portable C99: what its kernels need, the kernels, and the statements that run the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.c99.dialect import C99
from graphc.codegen.c99.render_kernel import Function, render_kernel
from graphc.codegen.cstyle.expr import ExprPrinter, definitions
from graphc.codegen.cstyle.source import Lines, Source, prelude
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.library_calls import portable_function
from graphc.errors import VerificationError
from graphc.intrinsics import intrinsic
from graphc.plan import Branch, Copy, Launch, LibraryCall, Loop, Plan, Step, While


@dataclass(frozen=True)
class C99Source(Source):
    """The source of a plan, to be completed by whoever gives its buffers places in memory.

    Args:
        head: What the functions need: declarations, and functions that C lacks.
        functions: The kernels.
        statements: What runs the plan; its buffers are `b0`, `b1`, ..., its symbolic sizes as `Plan.identifiers` says.
    """

    head: str
    functions: str
    statements: str


def render(plan: Plan, kernels: Mapping[str, Kernel]) -> C99Source:
    """The source of a plan.

    Args:
        plan: What runs.
        kernels: The scheduled kernels, by name.
    """
    symbols, launches = plan.identifiers(), plan.all_launches()
    functions = {
        name: render_kernel(kernel, {symbol: symbols[symbol] for symbol in launches[name].symbols})
        for name, kernel in kernels.items()
    }
    out = Lines()
    texts = {name: function.definition for name, function in functions.items()}
    statements = _Statements(plan, symbols, out)
    statements.run(plan.steps)
    parts = _head(list(functions.values()), plan, statements.called), "\n".join(texts.values()), str(out)
    return C99Source("\n".join(parts), texts, *parts)


def _head(functions: list[Function], plan: Plan, called: Mapping[str, str]) -> str:
    """The includes, the preludes of what some of the functions compute with, and what is called beside kernels."""
    # Buffers, too: what a function of a library reads and writes is in no kernel.
    dtypes = {buffer.dtype for buffer in plan.buffers}
    has_halves = any(f.has_halves for f in functions) or any(dtype.accumulator is not dtype for dtype in dtypes)
    has_complex = any(f.has_complex for f in functions) or any(dtype.is_complex for dtype in dtypes)
    includes = ["complex.h"] * has_complex + ["math.h", "stddef.h", "string.h"]
    parts = [
        "".join(f"#include <{name}>\n" for name in includes),
        prelude("c99", "c99.h"),
        prelude("cstyle", "scalar.h"),
    ]
    if has_halves:
        parts.append(prelude("cpu", "halves.h"))
    if has_complex:
        parts += [prelude("c99", "complex.h"), prelude("cstyle", "complex.h")]
    intrinsics = {name for function in functions for name in function.intrinsics}
    if any(intrinsic(name).vector for name in intrinsics):
        parts.append(prelude("cpu", "math.h"))
    parts += [*definitions(intrinsics), *called.values()]
    return "\n".join(parts)


class _Statements:
    """Prints the steps of a plan as statements.

    Args:
        plan: The plan.
        symbols: The identifier of each symbolic size and loop counter.
        out: Where they are printed.

    Attributes:
        called: The definitions of functions that are no kernels, by name.
    """

    def __init__(self, plan: Plan, symbols: Mapping[str, str], out: Lines) -> None:
        self.plan, self.symbols, self.out = plan, symbols, out
        self.scalars = ExprPrinter(symbols, C99)
        self.called: dict[str, str] = {}

    def run(self, steps: tuple[Step, ...]) -> None:
        """The statements of steps."""
        out, dim = self.out, self.scalars.dim
        for step in steps:
            match step:
                case Launch():
                    arguments = [*(f"b{id}" for id in step.buffers), *(self.symbols[name] for name in step.symbols)]
                    out(f"{step.kernel}({', '.join(arguments)});")
                case Copy():
                    self._copy(step)
                case Loop():
                    name = self.symbols[step.symbol]
                    out(f"for (long {name} = 1; {name} <= {dim(step.count)}; ++{name}) {{")
                    self.run(step.steps)
                    out("}")
                case While():
                    out("for (;;) {")
                    self.run(step.test)
                    out(f"if (!*b{step.holds}) break;")
                    self.run(step.steps)
                    out("}")
                case Branch():
                    self._branch(step)
                case LibraryCall():
                    self._call(step)

    def _copy(self, step: Copy) -> None:
        dim = self.scalars.grouped
        places = [
            f"b{id}" if offset == 0 else f"b{id} + {dim(offset)}"
            for id, offset in ((step.target, step.target_offset), (step.source, step.source_offset))
        ]
        self.out(f"memcpy({', '.join(places)}, (size_t){dim(step.elements)} * sizeof *b{step.target});")

    def _call(self, step: LibraryCall) -> None:
        function = portable_function(step, self.plan)
        if function is None:
            raise VerificationError("a call has no portable form", got=repr(step))
        self.called[function.name] = function.definition
        places = [
            f"(void *)(b{id} + {self.scalars.grouped(offset)})"
            for id, offset in zip((*step.operands, *step.results), step.offsets, strict=True)
        ]
        self.out("{")
        self.out(f"void *const places[] = {{{', '.join(places)}}};")
        self.out(f"const long extents[] = {{{', '.join([self.scalars.dim(size) for size in step.extents] or ['0'])}}};")
        self.out(f"{function.name}(places, extents);")
        self.out("}")

    def _branch(self, step: Branch) -> None:
        out, last = self.out, len(step.branches) - 1
        out(f"switch (GC_MIN(GC_MAX(b{step.index}[{self.scalars.dim(step.offset)}], 0), {last})) {{")
        for number, block in enumerate(step.branches):
            out(f"case {number}: {{")
            self.run(block)
            out("break;")
            out("}")
        out("}")
