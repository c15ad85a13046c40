"""Prints reductions in C and CUDA: one thread combines one point after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from graphc import dtypes
from graphc.codegen.cstyle.loops import LoopPrinter
from graphc.codegen.ir.kernel import Accumulator, Let, Reduce, Stmt
from graphc.codegen.ir.walk import groups, names_in, operands, walk
from graphc.combiners import combiner
from graphc.exprs import Call, Cast, Expr, Var

# Values that are stored on the stack before they are compared.
MOST_STORED = 1024


class ReductionPrinter:
    """Prints reductions.

    Args:
        loops: Prints their loops.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types

    def row(self, stmt: Reduce) -> None:
        """A reduction that one thread does by itself."""
        for a in stmt.accumulators:
            self.out(f"{self.types[a.dtype]} {a.name} = {self.start(a)};")
            if a.position is not None:
                self.out(
                    f"{self.types[a.value.dtype]} {a.name}_best = {self.scalars.identity(a.combine, a.value.dtype)};"
                )
                self.out(f"{self.types[dtypes.bool_]} {a.name}_any = 0;")
        later = self._compared_later(stmt)
        now = [a for a in stmt.accumulators if a not in later]
        for a in later:
            self.out(f"{self.types[a.value.dtype]} {a.name}_values[{self.scalars.dim(stmt.axes[0].extent)}];")
        ordered = bool(stmt.after) or any(not a.operator for a in now)
        watched = [] if ordered else [a for a in now if self.watches_nan(a)]
        for a in watched:
            # As wide as what is compared: with _Bool, compilers pack flags into bytes, which takes longer than `exp`.
            flag = dtypes.int64 if a.dtype is dtypes.float64 else dtypes.int32
            self.out(f"{self.types[flag]} {a.name}_nan = 0;")
        clause = ""
        if not ordered:
            clause = "".join(f" reduction({a.operator}:{a.name})" for a in now)
            clause += "".join(f" reduction(|:{a.name}_nan)" for a in watched)

        def innermost(lets: tuple[Stmt, ...]) -> None:
            self.loops.rows(lets)
            for group in groups(now):
                self.take_in(group, ordered)
            for a in later:
                self.out(f"{a.name}_values[{stmt.axes[0].name}] = {self.scalars.expr(a.value)};")
            self.loops.rows(stmt.after)

        self.loops.nest(stmt.axes, stmt.body, innermost, simd=not ordered and bool(stmt.axes), clause=clause)
        for a in watched:
            self.out(f"if ({a.name}_nan) {a.name} = ({self.types[a.dtype]})GC_NAN;")
        for a in later:
            name = stmt.axes[0].name
            self.out(f"for (long {name} = 0; {name} < {self.scalars.dim(stmt.axes[0].extent)}; ++{name}) {{")
            self.accumulate(a, f"{a.name}_values[{name}]", True)
            self.out("}")

    def _compared_later(self, stmt: Reduce) -> list[Accumulator]:
        """Accumulators of positions that compare values after all are computed.

        Values are compared one after the other, which would keep all that the loop computes from being vectorised.
        """
        if not self.loops.simd or stmt.after or len(stmt.axes) != 1:
            return []
        axis, plain = stmt.axes[0], len(stmt.body) <= 1 and len(stmt.accumulators) == 1
        if plain or not isinstance(axis.extent, int) or axis.extent > MOST_STORED:
            return []
        return [a for a in stmt.accumulators if a.position is not None and names_in(a.position) <= {axis.name}]

    def start(self, a: Accumulator) -> str:
        """What an accumulator holds before the first value."""
        return "0" if a.position is not None else self.scalars.identity(a.combine, a.dtype, a.part)

    def take_in(self, group: tuple[Accumulator, ...], ordered: bool) -> None:
        """One more point for the accumulators of a combiner."""
        if is_merged(group[0]):
            self.merge(group, [self.scalars.expr(a.value) for a in group])
        else:
            self.accumulate(group[0], self.scalars.expr(group[0].value), ordered)

    def merge(self, group: tuple[Accumulator, ...], others: Sequence[str]) -> None:
        """Merges another set of accumulators into that of a combiner.

        Args:
            group: The accumulators.
            others: What each of the others holds.
        """
        self.out("{")
        for a, other in zip(group, others, strict=True):
            self.out(f"const {self.types[a.dtype]} {a.name}_other = {other};")
        mine = tuple(Var(a.name, a.dtype) for a in group)
        theirs = tuple(Var(f"{a.name}_other", a.dtype) for a in group)
        lets, merged = once(combiner(group[0].combine).combine(mine, theirs), group[0].name)
        for let in lets:
            self.out(self.scalars.let(let))
        for a, value in zip(group, merged, strict=True):
            self.out(f"const {self.types[a.dtype]} {a.name}_merged = {self.scalars.standing(value)};")
        for a in group:
            self.out(f"{self.scalars.variable(a.name)} = {a.name}_merged;")
        self.out("}")

    def accumulate(self, a: Accumulator, value: str, ordered: bool) -> None:
        """One more value for an accumulator."""
        if a.position is not None:
            better = combiner(a.combine).order
            nan = f" | (({value} != {value}) & ({a.name}_best == {a.name}_best))" if a.value.dtype.is_float else ""
            self.out(f"if (({value} {better} {a.name}_best){nan} | !{a.name}_any) {{")
            self.out(f"{a.name}_best = {value};")
            self.out(f"{a.name} = {self.scalars.expr(a.position)};")
            self.out(f"{a.name}_any = 1;")
            self.out("}")
        elif self.watches_nan(a) and not ordered:
            sign = combiner(a.combine).order
            self.out(f"{a.name} = {value} {sign} {a.name} ? {value} : {a.name};")
            self.out(f"{a.name}_nan |= {value} != {value};")
        else:
            self.out(f"{a.name} = {self.combined(a, value)};")

    def watches_nan(self, a: Accumulator) -> bool:
        """An extremum of floats is NaN where any element is; vectorised comparisons lose that, so a flag notes it."""
        return bool(self.loops.simd and combiner(a.combine).order) and a.dtype.is_float and a.position is None

    def combined(self, a: Accumulator, value: str) -> str:
        """The accumulator with one more value."""
        mine, other = Var(a.name, a.dtype), Var(value, a.dtype)
        return self.scalars.standing(combiner(a.combine).combine((mine,), (other,))[0])


def reduce_row(loops: LoopPrinter, stmt: Reduce) -> None:
    """Prints a reduction that one thread does by itself."""
    ReductionPrinter(loops).row(stmt)


def once(values: Sequence[Expr], prefix: str) -> tuple[list[Let], list[Expr]]:
    """Scalar expressions in which what occurs several times has a name: compilers do not see that by themselves.

    Args:
        values: The expressions.
        prefix: What the names begin with.

    Returns:
        The named parts, each before those that it occurs in, and the expressions.
    """
    times = Counter(part for value in values for part in walk(value) if isinstance(part, (Call, Cast)))
    names: dict[Expr, Expr] = {}
    lets: list[Let] = []

    def rewritten(expr: Expr) -> Expr:
        if not isinstance(expr, (Call, Cast)):
            return expr
        if expr not in names:
            parts = tuple(map(rewritten, operands(expr)))
            names[expr] = replace(expr, args=parts) if isinstance(expr, Call) else replace(expr, arg=parts[0])
            if times[expr] > 1:
                lets.append(Let(f"{prefix}_shared{len(lets)}", names[expr]))
                names[expr] = Var(lets[-1].name, expr.dtype)
        return names[expr]

    return lets, [rewritten(value) for value in values]


def is_merged(a: Accumulator) -> bool:
    """Whether an accumulator is merged by what its combiner says, and not by an operator of the target."""
    return a.position is None and not a.operator
