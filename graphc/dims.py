"""Integer expressions: the sizes of tensors and the indices into them.

A `Dim` is an `int` or an `IntExpr`, a polynomial with integer coefficients over atoms. An atom is a size symbol (such
as the batch), a loop axis with a known extent, a value read from memory, or the quotient or remainder of two such
expressions. Expressions are in a normal form, so that equal ones compare equal, and indices such as
`(28 * (j // 28) + j % 28)` collapse to `j`: reshapes cost nothing after fusion.

Size symbols stand for sizes of at least one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf, prod
from numbers import Integral
from typing import Literal, TypeAlias, Union

from graphc.errors import VerificationError

Dim: TypeAlias = Union[int, "IntExpr"]
Shape: TypeAlias = tuple[Dim, ...]

AtomKind = Literal["size", "axis", "value", "div", "mod"]


@dataclass(frozen=True, slots=True)
class Atom:
    """A variable of polynomials.

    `args` is empty for a `"size"` and a `"value"`, holds the extent of an `"axis"` (`0 <= axis < extent`), and the
    numerator and denominator of a `"div"` or `"mod"` (both floor, with a positive denominator).
    """

    kind: AtomKind
    name: str
    args: tuple[Dim, ...] = ()
    text: str = field(init=False, compare=False)
    hashed: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        text = self.name
        if self.kind in ("div", "mod"):
            sign = "//" if self.kind == "div" else "%"
            text = f"({_parenthesised(self.args[0])} {sign} {_parenthesised(self.args[1])})"
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "hashed", hash((self.kind, self.name, self.args)))

    def __hash__(self) -> int:
        return self.hashed


Monomial: TypeAlias = tuple[Atom, ...]


class IntExpr:
    """A polynomial over atoms that is not constant; a constant one is an `int`.

    Example:

    >>> batch = size("B")
    >>> (batch * 28 + 28) // 28
    B + 1
    >>> (batch * 2 + 2 * batch) == 4 * batch
    True
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, IntExpr):
            return self is other or (self._hash == other._hash and self.terms == other.terms)
        return NotImplemented

    # What is no integer, such as a tensor, has its own operators.

    def __add__(self, other: Dim) -> Dim:
        return _combine(self, other, 1) if _is_whole(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Dim) -> Dim:
        return _combine(self, other, -1) if _is_whole(other) else NotImplemented

    def __rsub__(self, other: Dim) -> Dim:
        return _combine(self * -1, other, 1) if _is_whole(other) else NotImplemented

    def __neg__(self) -> Dim:
        return self * -1

    def __mul__(self, other: Dim) -> Dim:
        return _multiply(self, other) if _is_whole(other) else NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floordiv(self, other) if _is_whole(other) else NotImplemented

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floordiv(other, self) if _is_whole(other) else NotImplemented

    def __mod__(self, other: Dim) -> Dim:
        return mod(self, other) if _is_whole(other) else NotImplemented

    def __rmod__(self, other: Dim) -> Dim:
        return mod(other, self) if _is_whole(other) else NotImplemented

    def __repr__(self) -> str:
        parts: list[str] = []
        for monomial, coefficient in self.terms:
            factors = [atom.text for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            parts.append(("" if sign == "+" and not parts else f"{sign} " if parts else "-") + "*".join(factors))
        return " ".join(parts)

    def __bool__(self) -> bool:
        raise VerificationError("a symbolic size has no truth value", got=str(self))


def _parenthesised(dim: Dim) -> str:
    """The text of a quotient's operand, in parentheses if it has a sign or an operator."""
    if isinstance(dim, int):
        return str(dim) if dim >= 0 else f"({dim})"
    atom = len(dim.terms) == 1 and dim.terms[0][1] == 1 and len(dim.terms[0][0]) == 1
    return str(dim) if atom else f"({dim})"


def size(name: str) -> IntExpr:
    """A symbolic size: unknown at compile time, at least one."""
    return _atom_expr(Atom("size", name))


def axis(name: str, extent: Dim) -> Dim:
    """A loop index with `0 <= axis < extent`; the index into an axis of extent one is 0."""
    return 0 if extent == 1 else _atom_expr(Atom("axis", name, (extent,)))


def value(name: str) -> IntExpr:
    """An integer that the program computes, such as an index read by `gather`."""
    return _atom_expr(Atom("value", name))


def _is_whole(x: object) -> bool:
    return isinstance(x, (int, IntExpr, Integral))


@lru_cache(maxsize=1 << 14)
def _atom_expr(atom: Atom) -> IntExpr:
    return IntExpr((((atom,), 1),))


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, IntExpr):
        return dim.terms
    return (((), dim),) if dim else ()


def _sort_key(term: tuple[Monomial, int]) -> tuple[int, tuple[str, ...]]:
    return -len(term[0]), tuple(atom.text for atom in term[0])


def _from_terms(terms: dict[Monomial, int]) -> Dim:
    nonzero = [(monomial, coefficient) for monomial, coefficient in terms.items() if coefficient]
    if not nonzero:
        return 0
    if len(nonzero) == 1 and not nonzero[0][0]:
        return nonzero[0][1]
    nonzero.sort(key=_sort_key)
    return IntExpr(tuple(nonzero))


def _combine(a: Dim, b: Dim, sign: int) -> Dim:
    if isinstance(b, int) and b == 0:
        return a
    terms = dict(_terms(a))
    for monomial, coefficient in _terms(b):
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    _rejoin_division(terms)
    return _from_terms(terms)


def _rejoin_division(terms: dict[Monomial, int]) -> None:
    """Applies `d * (e // d) + e % d = e`, times any common factor, until nothing changes."""
    changed = True
    while changed:
        changed = False
        for monomial, coefficient in terms.items():
            remainder = next((atom for atom in monomial if atom.kind == "mod"), None)
            if remainder is None:
                continue
            numerator, denominator = remainder.args
            rest = _without(monomial, remainder)
            quotient = Atom("div", "", (numerator, denominator))
            partner = _multiply(_monomial((*rest, quotient), coefficient), denominator)
            if all(terms.get(m, 0) == c for m, c in _terms(partner)):
                for other in (*_terms(partner), (monomial, coefficient)):
                    terms[other[0]] = terms[other[0]] - other[1]
                for m, c in _terms(_multiply(_monomial(rest, coefficient), numerator)):
                    terms[m] = terms.get(m, 0) + c
                for m in [m for m, c in terms.items() if not c]:
                    del terms[m]
                changed = True
                break


def _without(monomial: Monomial, atom: Atom) -> Monomial:
    position = monomial.index(atom)
    return monomial[:position] + monomial[position + 1 :]


def _monomial(atoms: Iterable[Atom], coefficient: int) -> Dim:
    return _from_terms({tuple(sorted(atoms, key=lambda atom: atom.text)): coefficient})


def _multiply(a: Dim, b: Dim) -> Dim:
    if isinstance(b, int):
        if b == 1:
            return a
        if isinstance(a, int):
            return a * b
        return IntExpr(tuple((m, c * b) for m, c in a.terms)) if b else 0
    terms: dict[Monomial, int] = {}
    for left, x in _terms(a):
        for right, y in b.terms:
            product = tuple(sorted(left + right, key=lambda atom: atom.text)) if left else right
            terms[product] = terms.get(product, 0) + x * y
    return _from_terms(terms)


def _divide_exactly(term: tuple[Monomial, int], by: Dim) -> Dim | None:
    """The term divided by a constant or a single product, or None where it does not divide."""
    monomial, coefficient = term
    divisors = _terms(by)
    if len(divisors) != 1:
        return None
    (atoms, factor), rest = divisors[0], monomial
    if coefficient % factor:
        return None
    for atom in atoms:
        if atom not in rest:
            return None
        rest = _without(rest, atom)
    return _from_terms({rest: coefficient // factor})


def floordiv(a: Dim, b: Dim) -> Dim:
    """`a // b` for a positive `b`, simplified by the ranges of `a`'s atoms."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if b == 1:
        return a
    if a == b:
        return 1
    return _divide(a, b)[0]


def mod(a: Dim, b: Dim) -> Dim:
    """`a % b` for a positive `b`, simplified likewise."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    if b == 1 or a == b:
        return 0
    return _divide(a, b)[1]


@lru_cache(maxsize=1 << 14)
def _divide(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    quotient: Dim = 0
    remainder: Dim = 0
    for term in _terms(a):
        exact = _divide_exactly(term, b)
        if exact is not None:
            quotient = quotient + exact
        elif isinstance(b, int) and abs(term[1]) > b:
            quotient = quotient + _from_terms({term[0]: term[1] // b})
            remainder = remainder + _from_terms({term[0]: term[1] % b})
        else:
            remainder = remainder + _from_terms(dict([term]))
    if known_in_range(remainder, b):
        return quotient, remainder
    if isinstance(remainder, int) and isinstance(b, int):
        return quotient + remainder // b, remainder % b
    nested = _divide_nested(remainder, b)
    if nested is not None:
        return quotient + nested[0], nested[1]
    over: Dim = _atom_expr(Atom("div", "", (remainder, b)))
    left: Dim = _atom_expr(Atom("mod", "", (remainder, b)))
    return quotient + over, left


def _divide_nested(a: Dim, b: Dim) -> tuple[Dim, Dim] | None:
    """`(x // c) // b = x // (b*c)`; None where `a` is not a lone quotient."""
    if isinstance(a, IntExpr) and len(a.terms) == 1:
        monomial, coefficient = a.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0].kind == "div":
            numerator, inner = monomial[0].args
            quotient = floordiv(numerator, inner * b)
            return quotient, _atom_expr(Atom("mod", "", (a, b)))
    return None


def upper_bound(dim: Dim) -> Dim | None:
    """A value that `dim` never exceeds, with the axes replaced by their last index; None where none is known."""
    return _bound(dim, 1)


def lower_bound(dim: Dim) -> Dim | None:
    """A value that `dim` never falls below; None where none is known."""
    return _bound(dim, -1)


def _bound(dim: Dim, direction: int) -> Dim | None:
    total: Dim = 0
    for monomial, coefficient in _terms(dim):
        product: Dim = coefficient
        for atom in monomial:
            if _of_sizes(atom):
                if len(monomial) > 1 and _least_of(atom) < 0:
                    return None
                product = product * _atom_expr(atom)
                continue
            low, high = _atom_range(atom)
            wanted = high if coefficient * direction > 0 else low
            if wanted is None or low is None or not nonnegative(low):
                return None
            product = product * wanted
        total = total + product
    return total


def _of_sizes(atom: Atom) -> bool:
    """Whether an atom depends on sizes only, and is unchanged in a bound."""
    if atom.kind in ("div", "mod"):
        return all(inner.kind in ("size", "div", "mod") for argument in atom.args for inner in atoms(argument))
    return atom.kind == "size"


def _atom_range(atom: Atom) -> tuple[Dim | None, Dim | None]:
    if atom.kind == "axis":
        return 0, atom.args[0] - 1
    if atom.kind == "mod":
        return 0, atom.args[1] - 1
    if atom.kind == "div":
        low, high = lower_bound(atom.args[0]), upper_bound(atom.args[0])
        divisor = atom.args[1]
        return None if low is None else floordiv(low, divisor), None if high is None else floordiv(high, divisor)
    return None, None


def nonnegative(dim: Dim) -> bool:
    """Whether `dim` is known to be at least 0 (sizes are at least 1)."""
    if isinstance(dim, int):
        return dim >= 0
    low = lower_bound(dim)
    return low is not None and (_least(low) >= 0 or _is_nonnegative_multiple(low))


def _is_nonnegative_multiple(dim: Dim) -> bool:
    """Whether a multiple of `dim`, in which a quotient that is subtracted is no longer one, is at least 0.

    `k * (a // k)` is `a - a % k`: `N - N // 2` is at least 0 since twice of it is `N + N % 2`.
    """
    for monomial, coefficient in _terms(dim):
        if coefficient < 0 and len(monomial) == 1 and monomial[0].kind == "div":
            dividend, divisor = monomial[0].args
            if isinstance(divisor, int):
                rest = (dim - coefficient * _atom_expr(monomial[0])) * divisor
                multiple = rest + coefficient * (dividend - mod(dividend, divisor))
                return monomial[0] not in atoms(multiple) and nonnegative(multiple)
    return False


def may_be_zero(dim: Dim) -> bool:
    """Whether `dim` may be 0: it is not known to be never 0.

    Example:

    >>> n = size("N")
    >>> may_be_zero(n - 2 * (n // 2)), may_be_zero(n), may_be_zero(n - 5)
    (True, False, True)
    """
    return not nonnegative(dim - 1) and not nonnegative(-dim - 1)


def _least(dim: Dim) -> float:
    """A number that an expression of sizes never falls below; minus infinity where none is known."""
    total: float = 0
    for monomial, coefficient in _terms(dim):
        if coefficient < 0 and monomial:
            if len(monomial) > 1 or monomial[0].kind != "mod" or not isinstance(monomial[0].args[1], int):
                return -inf
            total += coefficient * (monomial[0].args[1] - 1)
            continue
        least = [_least_of(atom) for atom in monomial]
        if len(least) > 1 and min(least) < 0:
            return -inf
        total += coefficient * prod(least)
    return total


def _least_of(atom: Atom) -> float:
    if atom.kind == "size":
        return 1
    if atom.kind == "mod":
        return 0
    least, divisor = _least(atom.args[0]), atom.args[1]
    if least == -inf:
        return least
    return least // divisor if isinstance(divisor, int) else min(least, 0)


def is_non_decreasing(dim: Dim) -> bool:
    """Whether it is known that an expression of sizes never becomes smaller when a size grows.

    Example:

    >>> n = size("N")
    >>> is_non_decreasing(3 * n + (n + 2) // 4 - 5), is_non_decreasing(n % 8 + 1), is_non_decreasing(10 - n)
    (True, False, False)
    """
    return all(not monomial or (coefficient > 0 and _rises(monomial)) for monomial, coefficient in _terms(dim))


def _rises(monomial: Monomial) -> bool:
    """Whether each factor is known to be non-decreasing, and non-negative if it multiplies others."""
    if len(monomial) > 1 and min(map(_least_of, monomial)) < 0:
        return False
    return all(
        atom.kind == "size"
        or (atom.kind == "div" and isinstance(atom.args[1], int) and is_non_decreasing(atom.args[0]))
        for atom in monomial
    )


def known_in_range(dim: Dim, extent: Dim) -> bool:
    """Whether `0 <= dim < extent` is known."""
    if not nonnegative(dim):
        return False
    high = upper_bound(dim)
    return high is not None and nonnegative(extent - 1 - high)


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes; 1 for none."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def atoms(dim: Dim) -> Iterable[Atom]:
    """All atoms of the expression, those inside quotients and remainders included."""
    for monomial, _ in _terms(dim):
        for atom in monomial:
            yield atom
            if atom.kind in ("div", "mod"):
                for argument in atom.args:
                    yield from atoms(argument)


@lru_cache(maxsize=1 << 14)
def size_names(dim: Dim) -> frozenset[str]:
    """The names of the size symbols in the expression, those in the extents of its axes included."""
    names: set[str] = set()
    for atom in atoms(dim):
        if atom.kind == "size":
            names.add(atom.name)
        elif atom.kind == "axis":
            names |= size_names(atom.args[0])
    return frozenset(names)


@lru_cache(maxsize=1 << 14)
def loop_names(dim: Dim) -> frozenset[str]:
    """The names of the axes and values in the expression."""
    return frozenset(atom.name for atom in atoms(dim) if atom.kind in ("axis", "value"))


def rebuild(dim: Dim, leaf: Callable[[Atom], Dim]) -> Dim:
    """The expression with every size, axis and value replaced by the result of `leaf`."""
    if isinstance(dim, int):
        return dim
    total: Dim = 0
    for monomial, coefficient in dim.terms:
        term: Dim = coefficient
        for atom in monomial:
            if atom.kind in ("div", "mod"):
                left, right = (rebuild(argument, leaf) for argument in atom.args)
                term = term * (floordiv(left, right) if atom.kind == "div" else mod(left, right))
            else:
                term = term * leaf(atom)
        total = total + term
    return total


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The expression with named symbols (sizes, axes, values) replaced; others stay."""
    if isinstance(dim, int):
        return dim
    return rebuild(dim, lambda atom: values[atom.name] if atom.name in values else _atom_expr(atom))


def evaluate(dim: Dim, values: Mapping[str, int]) -> int:
    """The number that the expression stands for.

    Raises:
        VerificationError: if a symbol has no value.

    Example:

    >>> evaluate(size("B") * 10 + 1, {"B": 3})
    31
    """
    if isinstance(dim, int):
        return dim
    result = substitute(dim, values)
    if isinstance(result, int):
        return result
    raise VerificationError("a size is not known", got=str(result), expected=f"values for all of {sorted(values)}")


_TOKEN = re.compile(r"\s*(\d+|[A-Za-z_]\w*|//|[%*+\-()])")


def parse(text: str) -> Dim:
    """Parses the text of a size, as printed by `str`; every name is a size symbol.

    Example:

    >>> parse("2*B - (B // 3)") == 2 * size("B") - size("B") // 3
    True
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise VerificationError("a size cannot be read", got=text)
    result, rest = _parse_sum(tokens, text)
    if rest:
        raise VerificationError("a size cannot be read", got=text)
    return result


def _parse_sum(tokens: list[str], text: str) -> tuple[Dim, list[str]]:
    negative = bool(tokens) and tokens[0] == "-"
    total, tokens = _parse_product(tokens[1:] if negative else tokens, text)
    total = total * -1 if negative else total
    while tokens and tokens[0] in "+-":
        sign = tokens[0]
        term, tokens = _parse_product(tokens[1:], text)
        total = total + term if sign == "+" else total - term
    return total, tokens


def _parse_product(tokens: list[str], text: str) -> tuple[Dim, list[str]]:
    total, tokens = _parse_atom(tokens, text)
    while tokens and tokens[0] in ("*", "//", "%"):
        sign = tokens[0]
        factor, tokens = _parse_atom(tokens[1:], text)
        total = total * factor if sign == "*" else floordiv(total, factor) if sign == "//" else mod(total, factor)
    return total, tokens


def _parse_atom(tokens: list[str], text: str) -> tuple[Dim, list[str]]:
    if not tokens:
        raise VerificationError("a size cannot be read", got=text)
    head, rest = tokens[0], tokens[1:]
    if head == "(":
        inner, rest = _parse_sum(rest, text)
        if not rest or rest[0] != ")":
            raise VerificationError("a size cannot be read", got=text)
        return inner, rest[1:]
    if head.isdigit():
        return int(head), rest
    if not head.isidentifier():
        raise VerificationError("a size cannot be read", got=text)
    return size(head), rest
