"""Prints reductions of one thread in C and CUDA: it combines one point after the other."""

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

# The most values that are stored on the stack before they are compared.
MOST_STORED = 1024


class ReductionPrinter:
    """Prints reductions.

    Args:
        loops: The printer of loops.
    """

    def __init__(self, loops: LoopPrinter) -> None:
        self.loops, self.scalars, self.out, self.types = loops, loops.scalars, loops.out, loops.scalars.types

    def row(self, stmt: Reduce) -> None:
        """A reduction of one thread."""
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
            # As wide as the compared values: compilers pack _Bool flags into bytes, which takes longer than `exp`.
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
        """Positional accumulators that compare values in a second loop, after all are computed.

        Comparisons depend on each other, which would prevent the vectorization of the loop that computes the values.
        """
        if not self.loops.simd or stmt.after or len(stmt.axes) != 1:
            return []
        axis, plain = stmt.axes[0], len(stmt.body) <= 1 and len(stmt.accumulators) == 1
        if plain or not isinstance(axis.extent, int) or axis.extent > MOST_STORED:
            return []
        return [a for a in stmt.accumulators if a.position is not None and names_in(a.position) <= {axis.name}]

    def start(self, a: Accumulator) -> str:
        """The initial value of an accumulator."""
        return "0" if a.position is not None else self.scalars.identity(a.combine, a.dtype, a.part)

    def take_in(self, group: tuple[Accumulator, ...], ordered: bool) -> None:
        """Combines one more point into the accumulators of a combiner."""
        if is_merged(group[0]):
            self.merge(group, [self.scalars.expr(a.value) for a in group])
        else:
            self.accumulate(group[0], self.scalars.expr(group[0].value), ordered)

    def merge(self, group: tuple[Accumulator, ...], others: Sequence[str]) -> None:
        """Merges another set of accumulators into that of a combiner.

        Args:
            group: The accumulators.
            others: The texts of the other accumulators.
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
        """Combines one more value into an accumulator."""
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
        """Whether a flag records NaN: an extremum is NaN if any element is, which vectorized comparisons lose."""
        return bool(self.loops.simd and combiner(a.combine).order) and a.dtype.is_float and a.position is None

    def combined(self, a: Accumulator, value: str) -> str:
        """The accumulator with one more value."""
        mine, other = Var(a.name, a.dtype), Var(value, a.dtype)
        return self.scalars.standing(combiner(a.combine).combine((mine,), (other,))[0])


def reduce_row(loops: LoopPrinter, stmt: Reduce) -> None:
    """Prints a reduction of one thread."""
    ReductionPrinter(loops).row(stmt)


def once(values: Sequence[Expr], prefix: str) -> tuple[list[Let], list[Expr]]:
    """Common subexpression elimination in scalar expressions, which compilers do not do here.

    Args:
        values: The expressions.
        prefix: The prefix of names.

    Returns:
        The named subexpressions, each before those in which it occurs, and the expressions.
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
    """Whether an accumulator is merged by its combiner's `combine`, and not by an operator of the target."""
    return a.position is None and not a.operator
