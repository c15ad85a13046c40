"""Symbolic elements for users' rules: they take Python's operators and NumPy's functions, and record expressions.

A function of NumPy arrays, such as `x / (1 + np.abs(x))`, thus is the lowering of an operation, too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc import dtypes, exprs
from graphc.dims import IntExpr
from graphc.dtypes import DType
from graphc.errors import ArgumentError, DTypeError
from graphc.exprs import Expr

# The intrinsics of NumPy's functions of elements.
_FUNCTIONS = MappingProxyType(
    {
        **{np_name: np_name for np_name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt")},
        **{np_name: np_name for np_name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "trunc")},
        **{np_name: np_name for np_name in ("isnan", "isinf", "isfinite", "sign")},
        **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
        **{f"logical_{name}": name for name in ("and", "or", "xor", "not")},
        **{f"bitwise_{name}": f"bit_{name}" for name in ("and", "or", "xor")},
        "absolute": "abs",
        "negative": "neg",
        "conjugate": "conj",
        "rint": "round",
        "invert": "bit_not",
        "arctan2": "atan2",
        "add": "add",
        "subtract": "sub",
        "multiply": "mul",
        "divide": "div",
        "floor_divide": "floordiv",
        "remainder": "mod",
        "power": "pow",
        "minimum": "min",
        "maximum": "max",
        "equal": "eq",
        "not_equal": "ne",
        "less": "lt",
        "less_equal": "le",
        "greater": "gt",
        "greater_equal": "ge",
    }
)
_OF_FLOATS = ("div", "atan2")
_BIT_NAMES = MappingProxyType({"bit_and": "and", "bit_or": "or", "bit_xor": "xor", "bit_not": "not"})


class Scalar(np.lib.mixins.NDArrayOperatorsMixin):
    """One element of a tensor, as an expression under construction in a lowering rule.

    Args:
        expr: The expression of the element.

    Example:

    >>> x = Scalar(exprs.Var("x", dtypes.float32))
    >>> (1 + np.abs(x)).dtype
    float32
    """

    def __init__(self, expr: Expr) -> None:
        self.expr = expr

    @property
    def dtype(self) -> DType:
        """The dtype in which it is computed: float32 for elements of half precision."""
        return self.expr.dtype

    def call(self, intrinsic: str, *others: Any) -> Scalar:
        """An intrinsic of this element and others, such as `x.call("erf")`: `graphc.exprs` has their names."""
        return _called(intrinsic, self, *others)

    def astype(self, dtype: Any) -> Scalar:
        """The element in another dtype."""
        return Scalar(exprs.cast(self.expr, dtypes.as_dtype(dtype)))

    def __bool__(self) -> bool:
        raise ArgumentError(
            "an element has no value while the code that computes it is made",
            got="`if`, `and`, `or` or `bool` on an element",
            hint="choose with np.where, and combine conditions with & and |",
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(
            "an element has no value while the code that computes it is made",
            got="a function that needs an array",
            expected=f"operators, np.where, np.clip and {', '.join(_FUNCTIONS)}",
        )

    def __array_ufunc__(self, function: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        name = _FUNCTIONS.get(function.__name__)
        if method == "__call__" and not options and getattr(np, function.__name__, None) is function:
            if function is np.square:
                return _called("mul", operands[0], operands[0])
            if function is np.reciprocal:
                return _called("div", 1, operands[0])
            if function is np.positive:
                return operands[0]
            if name is not None:
                return _called(name, *operands)
        return self._unknown(f"np.{function.__name__}")

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where and len(args) == 3:
            return where(*args)
        if function is np.clip and len(args) == 3 and not kwargs:
            x, low, high = args
            above = x if low is None else _called("max", x, low)
            return above if high is None else _called("min", above, high)
        return self._unknown(f"np.{getattr(function, '__name__', function)}")

    def _unknown(self, name: str) -> Any:
        raise ArgumentError(
            "code cannot be made of this function of NumPy",
            got=name,
            expected=f"operators, np.where, np.clip and {', '.join(_FUNCTIONS)}",
            hint="give the primitive a `lower` that says it in these, or with `x.call(intrinsic)`",
        )


def where(condition: Any, then: Any, otherwise: Any) -> Scalar:
    """Selects one of two elements by a condition."""
    first, second = _together("select", then, otherwise)
    chosen = as_expr(condition, dtypes.bool_)
    return Scalar(exprs.select(chosen, first, second))


def as_expr(value: Any, dtype: DType) -> Expr:
    """An element or a number as an expression of a dtype.

    Raises:
        DTypeError: if it is an element of another dtype, or a number that the dtype cannot hold.
        ArgumentError: if it is neither.
    """
    if isinstance(value, Scalar):
        value = value.expr
    if isinstance(value, Expr):
        if value.dtype is not dtype:
            raise DTypeError("an element has another dtype", got=value.dtype, expected=dtype, hint="x.astype(dtype)")
        return value
    if isinstance(value, IntExpr):
        return exprs.cast(exprs.Index(value), dtype)
    if isinstance(value, np.ndarray | np.generic) and value.shape == ():
        value = value.item()
    if not isinstance(value, bool | int | float | complex):
        raise ArgumentError("this is neither an element nor a number", got=repr(value))
    kind = next(kind for kind in (bool, int, float, complex) if isinstance(value, kind))
    able = {bool: True, int: not dtype.is_bool, float: dtype.is_inexact, complex: dtype.is_complex}
    if not able[kind]:
        raise DTypeError("a number does not fit the elements that it is combined with", got=value, expected=dtype)
    return exprs.const(value, dtype)


def _together(name: str, *operands: Any) -> list[Expr]:
    """Operands as expressions of one dtype: that of the elements among them."""
    element_dtypes = [x.dtype for x in operands if isinstance(x, Scalar)]
    if not element_dtypes:
        kinds = [np.asarray(x).dtype.kind for x in operands]
        element_dtypes = [dtypes.float32 if "f" in kinds else dtypes.int32 if "i" in kinds else dtypes.bool_]
    if any(dtype is not element_dtypes[0] for dtype in element_dtypes):
        raise DTypeError(
            "elements of different dtypes are combined",
            got=f"{name} of {' and '.join(map(str, element_dtypes))}",
            hint="make them one with x.astype(dtype)",
        )
    return [as_expr(x, element_dtypes[0]) for x in operands]


def _called(name: str, *operands: Any) -> Scalar:
    if name == "select":
        return where(*operands)
    parts = _together(name, *operands)
    dtype = parts[0].dtype
    if dtype.is_bool:
        name = _BIT_NAMES.get(name, name)
    if name in _OF_FLOATS and not dtype.is_inexact:
        raise DTypeError(f"`{name}` takes floats", got=dtype, hint="x.astype(dtype)")
    return Scalar(exprs.call(name, *parts))
