"""Users' primitives: the same records as graphc's own, with rules that are checked where they are used.

An error in a rule is reported with the names of the primitive and the rule, and the rule's line; graphc's own code adds
the line of the call.
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
# Traits that `Definition` sets itself, or that only graphc's own primitives have.
_NOT_GIVEN = ("literal", "regions", "code")
_RULES_OF_ALL = ("name", "kind", "infer", "eval", "lower", "vjp", "cases", "dtypes")


@dataclass(frozen=True)
class Definition:
    """A user's definition of a primitive.

    Args:
        name: Its name.
        kind: One of `KINDS`.
        eval: The reference: NumPy arrays and attributes to a NumPy array.
        lower: The lowering: of elements as `Scalar`s or, for a view, as that of built-in views. None: `eval`, which
            then takes `Scalar`s as well.
        vjp: The user's gradient; None where there is none.
        rule: The gradient in the form of records.
        combine: The combiner of a reduction.
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
        """Registers the primitive, in place of a user's earlier primitive of the same name.

        Raises:
            ArgumentError: if a field of the definition is not valid.
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

    # ---- checks of the arguments

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

    # ---- calls of the user's rules

    @contextmanager
    def _calling(self, rule: str) -> Iterator[None]:
        """Turns exceptions of a rule called in the block into an `ArgumentError` with the line that raised them."""
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
        """The result of the lowering of elements, as an expression of a dtype."""
        rule = "lower" if self.lower is not None else "eval"
        with self._calling(rule):
            element = self._lower(*map(Scalar, operands), **attrs)
        if isinstance(element, Scalar | Expr) and element.dtype is not out:
            raise self._another("dtype", rule, element.dtype, out)
        with self._calling(rule):
            return as_expr(element, out)

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
        self._lowered_once(types, out, tuple(attrs.items()))
        return out

    def _type(self, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> TensorType:
        for type in types:
            check_dtype(self.name, type, self.dtypes)
        if self.kind == "view":
            assert self.infer is not None
            with self._calling("infer"):
                type = self.infer(*types, **attrs)
            if not isinstance(type, TensorType):
                raise ArgumentError(
                    f"the rule `infer` of the primitive `{self.name}` gives no type",
                    got=f"{type!r} ({self._line('infer')})",
                    expected="TensorType(shape, dtype) of graphc.graph.types",
                )
            return type
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
    def _lowered_once(self) -> Callable[..., None]:
        """Lowers once for each type, so that errors in rules are reported at the line that uses the primitive."""

        @lru_cache(maxsize=256)
        def lower_once(types: tuple[TensorType, ...], out: TensorType, attrs: tuple[tuple[str, Any], ...]) -> None:
            reader = _Probe(types, out)
            index = tuple(dims.axis(f"p{i}", extent) for i, extent in enumerate(out.shape))
            given = dict(attrs)
            if self.kind == "pointwise":
                elements = [Var(f"x{i}", type.dtype.accumulator) for i, type in enumerate(types)]
                self._lower_elements(*elements, out=out.dtype.accumulator, **given)
            elif self.kind == "view":
                self._lower_view(reader, index, **given)
            else:
                rule = self._lower_reduction(types, **given)
                rule.element(reader, index, tuple(dims.axis(f"r{i}", e) for i, e in enumerate(rule.extents)))

        return lower_once

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
            element = self._lower(reader, index, **attrs)
        expected = reader.out.dtype
        if not isinstance(element, Expr):
            raise ArgumentError(
                f"the rule `lower` of the primitive `{self.name}` gives no element",
                got=f"{element!r} ({self._line('lower')})",
                expected="what `reader.read(operand, index)` gives, or an expression of it",
            )
        if element.dtype not in (expected, expected.accumulator):
            raise self._another("dtype", "lower", element.dtype, expected)
        return element

    def _evaluate(self, *arrays: Array, **attrs: Any) -> Array:
        types = tuple(TensorType(array.shape, dtypes.as_dtype(array.dtype)) for array in arrays)
        out = self._type(types, attrs)
        # A rule that wrote into an operand would change an array of the user's.
        arrays = tuple(array.view() for array in arrays)
        for array in arrays:
            array.flags.writeable = False
        moves = self.kind == "view"
        wide = [
            array.astype(type.dtype.accumulator.numpy, copy=False) for array, type in zip(arrays, types, strict=True)
        ]
        with self._calling("eval"), np.errstate(all="ignore"):
            result = np.asarray(self.eval(*(arrays if moves else wide), **attrs))
        expected = out.dtype if moves else out.dtype.accumulator
        if result.dtype != expected.numpy:
            raise self._another("dtype", "eval", result.dtype, expected)
        if result.shape != out.shape:
            raise self._another("shape", "eval", _text(result.shape), _text(out.shape))
        return result.astype(out.dtype.numpy, copy=False)


def rule_failed(name: str, rule: str, function: Callable[..., Any], error: Exception) -> ArgumentError:
    """The error for a failed rule of a primitive, with its line and the exception."""
    ours = error if isinstance(error, GraphcError) else None
    problem = str(error) if ours is None else ours.problem if ours.got is None else f"{ours.problem}, {ours.got}"
    return ArgumentError(
        f"the rule `{rule}` of the primitive `{name}` failed",
        got=f"{type(error).__name__}: {problem} ({_place(function, error)})",
        expected=None if ours is None else ours.expected,
        hint=None if ours is None else ours.hint,
    )


def _place(function: Callable[..., Any], error: Exception | None = None) -> str:
    """The file and line of a rule's definition; with an error, the rule's line that raised it."""
    if not isinstance(function, FunctionType):
        return repr(function)
    code = function.__code__
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    line = next((f.lineno for f in reversed(frames) if f.filename == code.co_filename), code.co_firstlineno)
    return f"{code.co_filename}:{line}"


def _text(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"


class _Probe:
    """A reader whose elements are unknown, to run a lowering without a graph."""

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
        """An index that is known at run time only."""
        return dims.value("?")

    @contextmanager
    def guarded(self, condition: Expr) -> Iterator[None]:
        """Does nothing: reads in the block are conditional."""
        yield
