"""Prints scalars and indices in C and CUDA, whose differences are in a `Dialect`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graphc import dims, dtypes
from graphc.codegen.ir.kernel import Contract, Let, Reduce, Stmt
from graphc.codegen.ir.walk import names_in
from graphc.combiners import combiner
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import VerificationError
from graphc.exprs import Call, Cast, Const, Expr, Index, Load, Var
from graphc.intrinsics import intrinsic

TYPES: Mapping[DType, str] = MappingProxyType(
    {
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
        dtypes.complex64: "complex64",
        dtypes.complex128: "complex128",
    }
)
# Operations whose results may be too large for their dtype, with C's operators.
WRAPPING = MappingProxyType({"add": "+", "sub": "-", "mul": "*", "neg": "-"})


@dataclass(frozen=True)
class Dialect:
    """The differences between C and CUDA in the text of scalars.

    Args:
        types: The type of each dtype.
        to_float32: For each dtype without casts, the function that converts it to float32.
        from_float: For each such dtype, the text of a conversion to it, with `{}` for the value: by the dtype and that
            of the value, or by the dtype and None, for values of any other dtype.
        rounding: The prefix of functions that round float32 to the digits of a half; None where casts do that.
        has_vector_math: Whether elementary functions of float32 are `gc_NAME_float32`.
        simd: The line before a loop with independent iterations; empty for none.
        wraps: Whether sums and products of signed integers that are too large wrap around, as NumPy's do. If not, they
            are computed by unsigned ones, which do in every C.
    """

    types: Mapping[DType, str]
    to_float32: Mapping[DType, str]
    from_float: Mapping[tuple[DType, DType | None], str]
    rounding: str | None = None
    has_vector_math: bool = False
    simd: str = ""
    wraps: bool = True


class ExprPrinter:
    """Prints scalars and indices.

    Args:
        symbols: The identifier of each symbolic size.
        dialect: How the target writes them.

    Attributes:
        intrinsics: Printed intrinsics whose definitions the program must contain.
        subscript: The subscript of each variable that is an array, with one element for each SIMD lane.
        names: The printed names: of variables, axes, buffers and sizes, and the arguments of `use`.
    """

    def __init__(self, symbols: Mapping[str, str], dialect: Dialect) -> None:
        self.symbols = symbols
        self.dialect = dialect
        self.types = dialect.types
        self.intrinsics: set[str] = set()
        self.subscript: dict[str, str] = {}
        self.names: set[str] = set()

    def use(self, name: str) -> str:
        """A name, added to the printed ones."""
        self.names.add(name)
        return name

    def variable(self, name: str) -> str:
        """A scalar variable, or its element of an array."""
        return self.use(name) + self.subscript.get(name, "")

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
            return self.use(self.symbols[atom.name])
        if atom.kind in ("axis", "value"):
            return self.variable(atom.name)
        over, under = atom.args
        left, right = self.grouped(over), self.grouped(under)
        if dims.nonnegative(over):
            return f"({left} {'/' if atom.kind == 'div' else '%'} {right})"
        return f"gc_{'floordiv' if atom.kind == 'div' else 'mod'}_int64({self.dim(over)}, {self.dim(under)})"

    def grouped(self, dim: Dim) -> str:
        """An integer expression in parentheses where it needs them."""
        return self.dim(dim) if _is_single(dim) else f"({self.dim(dim)})"

    # ---- scalars

    def expr(self, expr: Expr) -> str:
        """A scalar expression."""
        match expr:
            case Const(value, dtype):
                return self.literal(value, dtype)
            case Var(name):
                return self.variable(name)
            case Index(dim, dtype):
                return f"({self.types[dtype]}){self.grouped(dim)}"
            case Load(buffer, (offset,), _, guard):
                place = self.element(buffer, offset)
                return place if guard is None else f"({self.expr(guard)} ? {place} : {self.zero(expr.dtype)})"
            case Cast(Cast(arg, half), dtypes.float32) if self._is_rounding(arg, half):
                return f"{self.dialect.rounding}{half.name}({self.expr(arg)})"
            case Cast(arg, dtype):
                return self.cast(self.expr(arg), arg.dtype, dtype)
            case Call(name, args, dtype):
                return self.call(name, args, dtype)
        raise VerificationError("an expression cannot be printed", got=str(expr))

    def element(self, buffer: str, offset: Dim) -> str:
        """An element of memory."""
        return f"{self.use(buffer)}[{self.dim(offset)}]"

    def _is_rounding(self, value: Expr, half: DType) -> bool:
        """Whether a cast rounds float32 to a half's digits and back, which a function does faster than two casts."""
        is_half = half.accumulator is not half
        return self.dialect.rounding is not None and is_half and value.dtype is dtypes.float32

    def literal(self, value: bool | int | float | complex, dtype: DType) -> str:
        """A number."""
        if dtype.is_complex:
            parts = (self.literal(part, dtype.real) for part in (complex(value).real, complex(value).imag))
            return f"gc_complex_{dtype.real.name}({', '.join(parts)})"
        assert not isinstance(value, complex)
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
        """The value of a guarded load whose guard is false."""
        return self.literal(0, dtype) if dtype.is_complex else f"({self.types[dtype]})0"

    def cast(self, text: str, source: DType, target: DType) -> str:
        """A conversion; functions convert halves that are bits to the target, and complex numbers, by their parts."""
        dialect = self.dialect
        if source in dialect.to_float32:
            text, source = f"{dialect.to_float32[source]}({text})", dtypes.float32
        if (target, None) in dialect.from_float:
            usual = dialect.from_float[target, None]
            return dialect.from_float.get((target, source), usual).format(text)
        if target.is_complex and source is not target:
            part = target.real
            whole = f"gc_complex_{part.name}(({self.types[part]})({text}), 0)"
            return f"gc_to_{target.name}({text})" if source.is_complex else whole
        return text if source is target else f"({self.types[target]})({text})"

    def call(self, name: str, args: tuple[Expr, ...], dtype: DType) -> str:
        """An intrinsic."""
        record, operand = intrinsic(name), args[-1].dtype
        if self.dialect.has_vector_math and record.vector and dtype is dtypes.float32:
            self.intrinsics.add(name)
            return f"gc_{name}_float32({self.expr(args[0])})"
        if record.definition:
            self.intrinsics.add(name)
        if name in WRAPPING and operand.is_integer and not self.dialect.wraps:
            return self._wrapped(name, [self.expr(arg) for arg in args], operand)
        return record.spelling([self.expr(arg) for arg in args], operand, self.types[operand])

    def _wrapped(self, name: str, texts: list[str], dtype: DType) -> str:
        """A sum or product of integers, computed with unsigned ones at least as wide as `int` and converted back."""
        unsigned = self.types[dtypes.uint64 if dtype.bits > 32 else dtypes.uint32]
        parts = [f"({unsigned}){text}" for text in (["0"] * (len(texts) == 1) + texts)]
        return f"({self.types[dtype]})({f' {WRAPPING[name]} '.join(parts)})"

    def let(self, let: Let) -> str:
        """The declaration of a scalar."""
        return f"const {self.types[let.value.dtype]} {let.name} = {self.expr(let.value)};"

    # ---- combining

    def identity(self, combine: str, dtype: DType, part: int = 0) -> str:
        """The identity of a combiner."""
        return self.literal(combiner(combine).identity(dtype)[part], dtype)

    def standing(self, expr: Expr) -> str:
        """A scalar expression that stands alone, without parentheses around it."""
        text, depth = self.expr(expr), 0
        for place, character in enumerate(text):
            depth += (character == "(") - (character == ")")
            if depth == 0:
                return text[1:-1] if text[0] == "(" and place == len(text) - 1 else text
        return text


def _is_single(dim: Dim) -> bool:
    """Whether an integer expression is a number or a name, which needs no parentheses."""
    if isinstance(dim, int):
        return dim >= 0
    (monomial, coefficient), *others = dim.terms
    return not others and coefficient == 1 and len(monomial) == 1 and monomial[0].kind not in ("div", "mod")


def definitions(names: Iterable[str]) -> list[str]:
    """The definitions in the records of intrinsics, once each."""
    return [text for name in sorted(set(names)) if (text := intrinsic(name).definition)]


def depths(axes: list[str], body: tuple[Stmt, ...], innermost: Iterable[str] = ()) -> dict[str, int]:
    """The number of loops, from the outermost, on which each bound scalar depends.

    Args:
        axes: The loops' names.
        body: The statements inside them.
        innermost: Scalars bound elsewhere that are defined only inside all loops, such as an element of a lane.
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
