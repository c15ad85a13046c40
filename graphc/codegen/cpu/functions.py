"""The C text of a kernel that has functions of its own, which the loops of a prelude call through a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.codegen.cpu.dialect import C
from graphc.codegen.cpu.gemm.microkernels import PreludeFunction
from graphc.codegen.cstyle.expr import ExprPrinter
from graphc.codegen.cstyle.lane_rows import reduce_row
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.cstyle.source import Lines

# What the functions of a kernel return and are given, besides the kernel's own parameters.
BLOCK, PART = "const gc_block *block", "const gc_part *part"
SIGNATURES = {
    "left_at": ("long", (BLOCK, "long outside")),
    "right_at": ("long", (BLOCK,)),
    "pack_right": ("void", (BLOCK, "long from", "long first", "long stop", "void *to")),
    "pack_left": ("void", (BLOCK, PART, "void *to")),
    "address_rows": ("void", (BLOCK, PART, "const void **addresses")),
    "prefetch": ("void", (PART,)),
    "epilogue": ("void", (PART, "const void *sums")),
    "pixels": ("void", ("long tile", "float *image")),
    "multiply": ("void", ("const float *image", "const float *filter", "float *sums")),
    "outputs": ("void", ("long first", "long high", "long n0", "const float *sums")),
}
# The fields of arguments that functions use by name.
FIELDS = {
    PART: ("part", ("item", "outside", "line0", "skip", "high", "n0", "wide")),
    BLOCK: ("block", ("item", "begin", "end")),
}


class KernelText:
    """The text of one kernel, as it is printed.

    Args:
        name: What the kernel is called.
        symbols: The identifier of each symbolic size.
        params: The declaration of each of its parameters, by name.

    Attributes:
        loops: Prints the function of the kernel itself.
        functions: The functions that it has beside.
        prelude_functions: The functions of the prelude that it calls, which are made for a shape.
        intrinsics: The intrinsics that it calls whose text the program must bring along.
    """

    def __init__(self, name: str, symbols: Mapping[str, str], params: Mapping[str, str]) -> None:
        self.name, self.params = name, params
        self._symbols = symbols
        self._constants: Mapping[str, int] = {}
        self.functions = Lines()
        self.prelude_functions: set[PreludeFunction] = set()
        self.intrinsics: set[str] = set()
        self.loops = self._printer()

    def _printer(self) -> LoopPrinter:
        scalars = ExprPrinter(self._symbols, C)
        scalars.intrinsics = self.intrinsics
        return LoopPrinter(scalars, reduce_row)

    def begin_functions(self, constants: Mapping[str, int]) -> None:
        """Declares the structure in which functions get the parameters of the kernel.

        Args:
            constants: Numbers that all functions know by name.
        """
        self._constants = constants
        self.functions("typedef struct {")
        for declaration in self.params.values():
            self.functions(f"{declaration};")
        self.functions(f"}} {self.name}_args;")
        self.loops.out(f"const {self.name}_args args = {{{', '.join(self.params)}}};")

    def function(self, role: str, body: Callable[[LoopPrinter], None]) -> str:
        """Prints a function; its name.

        Args:
            role: What it is for: one of `SIGNATURES`.
            body: Prints what it does. Of the parameters, constants and fields the function declares those whose names
                were noted, see `ExprPrinter.use`.
        """
        printer = self._printer()
        body(printer)
        used = printer.scalars.names
        result, arguments = SIGNATURES[role]
        name, out = f"{self.name}_{role}", self.functions
        out(f"static {result} {name}({', '.join(('const void *args', *arguments))}) {{")
        if known := [f"{constant} = {value}" for constant, value in self._constants.items() if constant in used]:
            out(f"enum {{ {', '.join(known)} }};")
        if used & set(self.params):
            out(f"const {self.name}_args *const given = args;")
        for parameter, declaration in self.params.items():
            if parameter in used:
                out(f"{declaration} = given->{parameter};")
        for argument in arguments:
            structure, fields = FIELDS.get(argument, ("", ()))
            for field in fields:
                if field in used:
                    out(f"const long {field} = {structure}->{field};")
                    used.remove(field)
        for line in printer.out.lines:
            out(line.strip())
        out("}")
        return name


def print_table(out: Lines, head: str, *parts: Mapping[str, str]) -> None:
    """A structure; what is left out is zero."""
    out(f"{head} = {{")
    for part in parts:
        for name, value in part.items():
            if value != "0":
                out(f".{name} = {value},")
    out("};")
