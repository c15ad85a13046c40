"""What C and CUDA source have in common: expressions, indices, types, and the scalar instruction set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar

from graphc import dims, dtypes
from graphc.codegen.ir.kernel import Contract, Let, Reduce, Stmt
from graphc.codegen.ir.walk import names_in
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var
from graphc.intrinsics import intrinsic


def parenthesised(text: str) -> str:
    """An integer expression in parentheses where it needs them."""
    return f"({text})" if " " in text or text.startswith("-") else text


class CStyle:
    """Prints scalars and indices.

    Args:
        symbols: The identifier of each symbolic size.
    """

    types: ClassVar[Mapping[DType, str]] = {
        dtypes.bool_: "bool",
        dtypes.int8: "signed char",
        dtypes.int16: "short",
        dtypes.int32: "int",
        dtypes.int64: "long long",
        dtypes.uint8: "unsigned char",
        dtypes.uint16: "unsigned short",
        dtypes.uint32: "unsigned",
        dtypes.uint64: "unsigned long long",
        dtypes.float16: "half",
        dtypes.bfloat16: "bfloat16",
        dtypes.float32: "float",
        dtypes.float64: "double",
    }
    index_type = "long"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self.symbols = symbols
        self.intrinsics: set[str] = set()  # those called whose text the program must bring along
        self.subscript: dict[str, str] = {}  # variables that live in an array, one element a lane

    # ---- integers

    def dim(self, dim: Dim) -> str:
        """An integer expression."""
        if isinstance(dim, int):
            return str(dim)
        parts = [self._term(monomial, coefficient) for monomial, coefficient in dim.terms]
        text = parts[0]
        for part in parts[1:]:
            text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
        return text

    def _term(self, monomial: dims.Monomial, coefficient: int) -> str:
        factors = [self._atom(atom) for atom in monomial]
        sign = "-" if coefficient < 0 else ""
        if abs(coefficient) != 1 or not factors:
            factors.append(str(abs(coefficient)) if abs(coefficient) < 1 << 31 else f"{abs(coefficient)}LL")
        return sign + " * ".join(factors)

    def _atom(self, atom: dims.Atom) -> str:
        if atom.kind == "size":
            return self.symbols[atom.name]
        if atom.kind in ("axis", "value"):
            return atom.name + self.subscript.get(atom.name, "")
        over, under = atom.args
        left, right = self.grouped(over), self.grouped(under)
        if dims.nonnegative(over):
            return f"({left} {'/' if atom.kind == 'div' else '%'} {right})"
        return f"gc_{'floordiv' if atom.kind == 'div' else 'mod'}_int64({self.dim(over)}, {self.dim(under)})"

    def grouped(self, dim: Dim) -> str:
        """An integer expression in parentheses where it needs them."""
        return parenthesised(self.dim(dim))

    # ---- scalars

    def expr(self, expr: Expr) -> str:
        """A scalar expression."""
        match expr:
            case Const(value, dtype):
                return self.literal(value, dtype)
            case Var(name):
                return name + self.subscript.get(name, "")
            case Index(dim, dtype):
                return f"({self.types[dtype]}){self.grouped(dim)}"
            case Load(buffer, (offset,), _, guard):
                place = f"{buffer}[{self.dim(offset)}]"
                return place if guard is None else f"({self.expr(guard)} ? {place} : {self.zero(expr.dtype)})"
            case Cast(arg, dtype):
                return self.cast(self.expr(arg), arg.dtype, dtype)
            case Call(name, args, dtype):
                return self.call(name, args, dtype)
        raise VerificationError("an expression cannot be printed", got=str(expr))

    def literal(self, value: bool | int | float, dtype: DType) -> str:
        """A number."""
        if dtype.is_float:
            suffix = "f" if dtype.bits <= 32 else ""
            if math.isnan(value):
                return f"(({self.types[dtype]})GC_NAN)"
            if math.isinf(value):
                return f"({'-' if value < 0 else ''}({self.types[dtype]})GC_INFINITY)"
            text = repr(float(dtype.numpy.type(value)) if dtype.bits <= 32 else float(value))
            return f"({text}{suffix})" if text.startswith("-") else text + suffix
        if dtype.is_bool:
            return "1" if value else "0"
        if value == -(1 << 63):
            return "(-9223372036854775807LL - 1)"
        suffix = {"uint32": "u", "int64": "LL", "uint64": "ULL"}.get(dtype.name, "")
        return f"({value}{suffix})" if value < 0 else f"{value}{suffix}"

    def zero(self, dtype: DType) -> str:
        """What a guarded load gives where its guard is false."""
        return f"({self.types[dtype]})0"

    def cast(self, text: str, source: DType, target: DType) -> str:
        """A conversion; bfloat16 is bits to C."""
        if source is dtypes.bfloat16:
            text, source = f"gc_from_bfloat16({text})", dtypes.float32
        if target is dtypes.bfloat16:
            return f"gc_to_bfloat16((float)({text}))"
        return text if source is target else f"({self.types[target]})({text})"

    def call(self, name: str, args: tuple[Expr, ...], dtype: DType) -> str:
        """An intrinsic."""
        record, operand = intrinsic(name), args[-1].dtype
        if record.definition:
            self.intrinsics.add(name)
        return record.spelling([self.expr(arg) for arg in args], operand, self.types[operand])

    def let(self, let: Let) -> str:
        """The declaration of a scalar."""
        return f"const {self.types[let.value.dtype]} {let.name} = {self.expr(let.value)};"

    # ---- combining

    def identity(self, combine: str, dtype: DType, part: int = 0) -> str:
        """What a reduction starts from."""
        return self.literal(combiner(combine).identity(dtype)[part], dtype)

    def standing(self, expr: Expr) -> str:
        """A scalar expression where nothing else is: without parentheses around it."""
        text, depth = self.expr(expr), 0
        for place, character in enumerate(text):
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return text[1:-1] if text[0] == "(" and place == len(text) - 1 else text
        return text


def definitions(names: Iterable[str]) -> list[str]:
    """What intrinsics that records define are defined by, once each."""
    return [text for name in sorted(set(names)) if (text := intrinsic(name).definition)]


def depths(axes: list[str], body: tuple[Stmt, ...], innermost: Iterable[str] = ()) -> dict[str, int]:
    """How many of the loops, outermost first, each bound scalar needs around it.

    Args:
        axes: The loops' names.
        body: What they run.
        innermost: Scalars from outside that exist only within all loops, such as one element of a lane.
    """
    level = dict.fromkeys(innermost, len(axes)) | {name: i + 1 for i, name in enumerate(axes)}
    for stmt in body:
        match stmt:
            case Let(name, value):
                level[name] = max((level.get(used, 0) for used in names_in(value)), default=0)
            case Reduce(_, _, accumulators):
                level |= {accumulator.name: len(axes) for accumulator in accumulators}
            case Contract(name):
                level[name] = len(axes)
    return level
