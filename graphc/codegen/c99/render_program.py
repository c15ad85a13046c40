"""A whole program in portable C99: what its kernels need, the kernels, and the statements that run the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphc.codegen.c99.dialect import C99
from graphc.codegen.c99.render_kernel import Function, render_kernel
from graphc.codegen.cstyle.expr import ExprPrinter, definitions
from graphc.codegen.cstyle.source import Lines, Source, prelude
from graphc.codegen.ir.kernel import Kernel
from graphc.errors import VerificationError
from graphc.intrinsics import intrinsic
from graphc.plan import Branch, Copy, Launch, Loop, Plan, Step, While


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
    _Statements(plan, symbols, out).run(plan.steps)
    texts = {name: function.definition for name, function in functions.items()}
    parts = _head(list(functions.values())), "\n".join(texts.values()), str(out)
    return C99Source("\n".join(parts), texts, *parts)


def _head(functions: list[Function]) -> str:
    """The includes, and the preludes of what some of the functions compute with."""
    has_complex = any(function.has_complex for function in functions)
    includes = ["complex.h"] * has_complex + ["math.h", "stddef.h", "string.h"]
    parts = [
        "".join(f"#include <{name}>\n" for name in includes),
        prelude("c99", "c99.h"),
        prelude("cstyle", "scalar.h"),
    ]
    if any(function.has_halves for function in functions):
        parts.append(prelude("cpu", "halves.h"))
    if has_complex:
        parts += [prelude("c99", "complex.h"), prelude("cstyle", "complex.h")]
    called = {name for function in functions for name in function.intrinsics}
    if any(intrinsic(name).vector for name in called):
        parts.append(prelude("cpu", "math.h"))
    parts += definitions(called)
    return "\n".join(parts)


class _Statements:
    """Prints the steps of a plan as statements.

    Args:
        plan: The plan.
        symbols: The identifier of each symbolic size and loop counter.
        out: Where they are printed.
    """

    def __init__(self, plan: Plan, symbols: Mapping[str, str], out: Lines) -> None:
        self.plan, self.symbols, self.out = plan, symbols, out
        self.scalars = ExprPrinter(symbols, C99)

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
                case _:
                    raise VerificationError("a step has no portable form", got=repr(step))

    def _copy(self, step: Copy) -> None:
        dim = self.scalars.grouped
        places = [
            f"b{id}" if offset == 0 else f"b{id} + {dim(offset)}"
            for id, offset in ((step.target, step.target_offset), (step.source, step.source_offset))
        ]
        self.out(f"memcpy({', '.join(places)}, (size_t){dim(step.elements)} * sizeof *b{step.target});")

    def _branch(self, step: Branch) -> None:
        out, last = self.out, len(step.branches) - 1
        out(f"switch (GC_MIN(GC_MAX(b{step.index}[{self.scalars.dim(step.offset)}], 0), {last})) {{")
        for number, block in enumerate(step.branches):
            out(f"case {number}: {{")
            self.run(block)
            out("break;")
            out("}")
        out("}")
