"""Users' primitives: the same records as graphc's own, with rules that are checked where they are used.

What a rule does wrong is an error that names the primitive, the rule and its line; graphc's own code says where it was
called.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from keyword import iskeyword
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np

from graphc import dims, dtypes
from graphc.dims import Dim, Shape
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError
from graphc.exprs import Expr, Var
from graphc.graph.registry import REGISTRY, Kind, Primitive, Reader, ReduceRule, register
from graphc.graph.types import TensorType
from graphc.primitives.base import Array, check_axes, check_dtype, check_same
from graphc.primitives.batching import over_axes, over_elements
from graphc.primitives.fingerprint import fingerprint
from graphc.primitives.reductions import kept_axes
from graphc.primitives.scalars import Scalar, as_expr

Vjp = Callable[..., Any]

KINDS = MappingProxyType({"pointwise": Kind.POINTWISE, "reduce": Kind.REDUCE, "view": Kind.VIEW})
COMBINERS = ("sum", "prod", "max", "min", "any", "all")
# Traits that are told otherwise, or are graphc's own.
_NOT_GIVEN = ("literal", "regions", "code")
_RULES_OF_ALL = ("name", "kind", "infer", "eval", "lower", "vjp", "cases", "dtypes")


@dataclass(frozen=True)
class Definition:
    """What a user says of a primitive.

    Args:
        name: Its name.
        kind: One of `KINDS`.
        eval: The reference: NumPy arrays and attributes to a NumPy array.
        lower: The lowering, of elements as `Scalar`s or, for a view, as built-in views have it. None: `eval`, which
            then takes `Scalar`s as well.
        vjp: The user's gradient; None where there is none.
        rule: The gradient as records have it.
        combine: How a reduction combines elements.
        infer: The type of a view's result, from those of its operands and attributes.
        dtypes: Names of the dtypes that operands may have.
        result: The dtype of the result. None: that of the operands.
        traits: Further fields of the record.
    """

    name: str
    kind: str
    eval: Callable[..., Any]
    lower: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    rule: Vjp | None
    combine: str | None
    infer: Callable[..., Any] | None
    dtypes: tuple[str, ...]
    result: DType | None
    traits: Mapping[str, Any] = field(default_factory=dict)

    def register(self) -> Primitive:
        """Makes the primitive known; it takes the place of one of the user's of the same name.

        Raises:
            ArgumentError: if something does not fit.
        """
        self._check()
        kind = KINDS[self.kind]
        rules: dict[str, Callable[..., Any]] = {
            "pointwise": self._lower_elements,
            "reduce": self._lower_reduction,
            "view": self._lower_view,
        }
        batch = {Kind.POINTWISE: over_elements, Kind.REDUCE: over_axes}.get(kind)
        traits = {"batch": batch(self.name) if batch else None, **self.traits}
        return register(
            Primitive(
                self.name,
                kind,
                self._infer,
                self._evaluate,
                rules[self.kind],
                self.rule,
                lambda: (),
                self.dtypes,
                **traits,
                code=self.code,
            )
        )

    def code(self) -> str | None:
        """The digest of the rules as they are now."""
        rules = (self.eval, self.lower, self.vjp, self.infer)
        return fingerprint(self.name, self.kind, self.combine, self.dtypes, self.result, dict(self.traits), *rules)

    # ---- checks of what was given

    def _check(self) -> None:
        name = self.name
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
            raise ArgumentError(
                "the name of a primitive is no identifier", got=repr(name), expected="letters, digits and underscores"
            )
        known = REGISTRY.get(name)
        if known is not None and known.code is None:
            raise ArgumentError(
                f"`{name}` is an operation of graphc's own",
                got=f"a primitive named {name!r}",
                hint="give it another name",
            )
        if self.kind not in KINDS:
            raise self._wrong("kind", self.kind, f"one of {', '.join(KINDS)}")
        for rule in ("eval", "lower", "vjp", "infer"):
            given = getattr(self, rule)
            if not callable(given) and not (given is None and rule != "eval"):
                raise self._wrong(rule, given, "a function")
        if (self.kind == "reduce") != (self.combine is not None) or (self.combine or "sum") not in COMBINERS:
            raise self._wrong("combine", self.combine, f"for kind='reduce' one of {', '.join(COMBINERS)}, else None")
        if (self.kind == "view") != (self.infer is not None):
            raise self._wrong("infer", self.infer, "for kind='view' the type of the result, else None")
        if self.kind != "pointwise" and self.lower is None:
            raise self._wrong("lower", None, "for this kind a function")
        unknown = [dtype for dtype in self.dtypes if dtype not in {known.name for known in dtypes.ALL}]
        if unknown or not self.dtypes:
            raise self._wrong("dtypes", unknown or (), f"some of {', '.join(known.name for known in dtypes.ALL)}")
        possible = [part.name for part in fields(Primitive) if part.name not in (*_RULES_OF_ALL, *_NOT_GIVEN)]
        wrong = [trait for trait in self.traits if trait not in possible]
        if wrong:
            raise ArgumentError(
                f"the primitive `{name}` has no such property", got=", ".join(wrong), expected=", ".join(possible)
            )

    def _wrong(self, what: str, got: object, expected: str) -> ArgumentError:
        return ArgumentError(
            f"the `{what}` of the primitive `{self.name}` does not fit", got=repr(got), expected=expected
        )

    # ---- rules that are called with care

    @contextmanager
    def _calling(self, rule: str) -> Iterator[None]:
        """Around the call of a rule: what it raises is an error of ours, which says where that was."""
        try:
            yield
        except Exception as error:
            raise rule_failed(self.name, rule, getattr(self, rule), error) from error

    def _line(self, rule: str) -> str:
        return _place(getattr(self, rule))

    @cached_property
    def _lower(self) -> Callable[..., Any]:
        return self.lower or self.eval

    def _element(self, operands: Sequence[Expr], out: DType, attrs: Mapping[str, Any]) -> Expr:
        """What the lowering of elements gives, as an expression of a dtype."""
        rule = "lower" if self.lower is not None else "eval"
        with self._calling(rule):
            found = self._lower(*map(Scalar, operands), **attrs)
        if isinstance(found, Scalar | Expr) and found.dtype is not out:
            raise self._another("dtype", rule, found.dtype, out)
        with self._calling(rule):
            return as_expr(found, out)

    def _another(self, what: str, rule: str, got: object, expected: object) -> GraphcError:
        kind = DTypeError if what == "dtype" else ShapeError
        return kind(
            f"the rule `{rule}` of the primitive `{self.name}` gives another {what} than its result has",
            got=f"{got} ({self._line(rule)})",
            expected=expected,
            hint="`result` says which dtype the result has, where it is not that of the operands"
            if what == "dtype"
            else None,
        )

    # ---- the record's rules

    def _infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if not types:
            raise ShapeError(f"`{self.name}` takes at least one operand", got="none")
        out = self._type(types, attrs)
        self._tried(types, out, tuple(attrs.items()))
        return out

    def _type(self, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> TensorType:
        for type in types:
            check_dtype(self.name, type, self.dtypes)
        if self.kind == "view":
            assert self.infer is not None
            with self._calling("infer"):
                found = self.infer(*types, **attrs)
            if not isinstance(found, TensorType):
                raise ArgumentError(
                    f"the rule `infer` of the primitive `{self.name}` gives no type",
                    got=f"{found!r} ({self._line('infer')})",
                    expected="TensorType(shape, dtype) of graphc.graph.types",
                )
            return found
        dtype = self.result or types[0].dtype
        if self.kind == "pointwise":
            check_same(self.name, *types)
            return TensorType(types[0].shape, dtype)
        if len(types) != 1:
            raise ShapeError(f"`{self.name}` takes 1 operand", got=" and ".join(map(str, types)))
        (x,), axes = types, attrs["axes"]
        check_axes(self.name, axes, x.rank)
        if self.combine in ("max", "min") and any(x.shape[axis] == 0 for axis in axes):
            raise ShapeError(f"`{self.name}` of no elements has no value", got=f"{x}, over the axes {axes}")
        return TensorType(tuple(x.shape[axis] for axis in kept_axes(x.rank, axes)), dtype)

    @cached_property
    def _tried(self) -> Callable[..., None]:
        """Makes code of the rules once for each type, so that what is wrong is found where the primitive is used."""

        @lru_cache(maxsize=256)
        def tried(types: tuple[TensorType, ...], out: TensorType, attrs: tuple[tuple[str, Any], ...]) -> None:
            reader = _Probe(types, out)
            index = tuple(dims.axis(f"p{i}", extent) for i, extent in enumerate(out.shape))
            given = dict(attrs)
            if self.kind == "pointwise":
                elements = [Var(f"x{i}", type.dtype.accumulator) for i, type in enumerate(types)]
                self._lower_elements(*elements, out=out.dtype.accumulator, **given)
            elif self.kind == "view":
                self._lower_view(reader, index, **given)
            else:
                made = self._lower_reduction(types, **given)
                made.element(reader, index, tuple(dims.axis(f"r{i}", e) for i, e in enumerate(made.extents)))

        return tried

    def _lower_elements(self, *operands: Expr, out: DType, **attrs: Any) -> Expr:
        return self._element(operands, out, attrs)

    def _lower_reduction(self, types: Sequence[TensorType], axes: tuple[int, ...], **attrs: Any) -> ReduceRule:
        rank, combine = types[0].rank, self.combine
        assert combine is not None
        out = (self.result or types[0].dtype).accumulator

        def element(reader: Reader, index: tuple[Dim, ...], r: tuple[Dim, ...]) -> Expr:
            along = dict(zip(axes, r, strict=True)) | dict(zip(kept_axes(rank, axes), index, strict=True))
            return self._element([reader.read(0, tuple(along[axis] for axis in range(rank)))], out, attrs)

        return ReduceRule(tuple(types[0].shape[axis] for axis in axes), combine, element)

    def _lower_view(self, reader: Reader, index: tuple[Dim, ...], **attrs: Any) -> Expr:
        with self._calling("lower"):
            found = self._lower(reader, index, **attrs)
        expected = reader.out.dtype
        if not isinstance(found, Expr):
            raise ArgumentError(
                f"the rule `lower` of the primitive `{self.name}` gives no element",
                got=f"{found!r} ({self._line('lower')})",
                expected="what `reader.read(operand, index)` gives, or an expression of it",
            )
        if found.dtype not in (expected, expected.accumulator):
            raise self._another("dtype", "lower", found.dtype, expected)
        return found

    def _evaluate(self, *arrays: Array, **attrs: Any) -> Array:
        types = tuple(TensorType(array.shape, dtypes.as_dtype(array.dtype)) for array in arrays)
        out = self._type(types, attrs)
        # A rule that wrote into an operand would change what the user has.
        arrays = tuple(array.view() for array in arrays)
        for array in arrays:
            array.flags.writeable = False
        moves = self.kind == "view"
        wide = [
            array.astype(type.dtype.accumulator.numpy, copy=False) for array, type in zip(arrays, types, strict=True)
        ]
        with self._calling("eval"), np.errstate(all="ignore"):
            found = np.asarray(self.eval(*(arrays if moves else wide), **attrs))
        expected = out.dtype if moves else out.dtype.accumulator
        if found.dtype != expected.numpy:
            raise self._another("dtype", "eval", found.dtype, expected)
        if found.shape != out.shape:
            raise self._another("shape", "eval", _text(found.shape), _text(out.shape))
        return found.astype(out.dtype.numpy, copy=False)


def rule_failed(name: str, rule: str, function: Callable[..., Any], error: Exception) -> ArgumentError:
    """The error that says where a rule of a primitive failed, and how."""
    ours = error if isinstance(error, GraphcError) else None
    problem = str(error) if ours is None else ours.problem if ours.got is None else f"{ours.problem}, {ours.got}"
    return ArgumentError(
        f"the rule `{rule}` of the primitive `{name}` failed",
        got=f"{type(error).__name__}: {problem} ({_place(function, error)})",
        expected=None if ours is None else ours.expected,
        hint=None if ours is None else ours.hint,
    )


def _place(function: Callable[..., Any], error: Exception | None = None) -> str:
    """The file and line where a rule stands; where an error came through it, the line that raised it."""
    if not isinstance(function, FunctionType):
        return repr(function)
    code = function.__code__
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    line = next((f.lineno for f in reversed(frames) if f.filename == code.co_filename), code.co_firstlineno)
    return f"{code.co_filename}:{line}"


def _text(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


class _Probe:
    """Reads elements of which nothing is known, to see what a rule makes of them."""

    def __init__(self, types: tuple[TensorType, ...], out: TensorType) -> None:
        self.types = types
        self.out = out

    def read(self, operand: int, index: tuple[Dim, ...]) -> Expr:
        """An element."""
        type = self.types[operand]
        if len(index) != type.rank:
            raise ShapeError("an element is read at an index of another rank", got=_text(index), expected=str(type))
        return Var(f"x{operand}", type.dtype.accumulator)

    def as_index(self, expr: Expr) -> Dim:
        """A place that only the running program knows."""
        return dims.value("?")

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        """Reads within happen under a condition."""
        yield
