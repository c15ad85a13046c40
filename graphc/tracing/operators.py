"""Python's operators as methods, for tensors, variables and symbolic tensors."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.errors import ImmutableError, StateError
from graphc.tracing.at import At
from graphc.tracing.origins import current_origin, describe

# NumPy's names of Python's binary operators.
_BINARY = MappingProxyType(
    {
        **{"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "matmul": "matmul"},
        **{"floor_divide": "floordiv", "remainder": "mod", "power": "pow"},
        **{"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "left_shift": "shl", "right_shift": "shr"},
        **{"less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne"},
    }
)
# The functions of NumPy that have another name in `graphc.ops`; empty: it has none of them.
_ELSEWHERE = MappingProxyType(
    {
        **{"remainder": "mod", "degrees": "rad2deg", "radians": "deg2rad", "rint": "round", "fabs": "absolute"},
        **{"invert": "bitwise_not", "fmax": "maximum", "fmin": "minimum", "float_power": "power"},
        **dict.fromkeys(
            ("bitwise_count", "copysign", "divmod", "fmod", "frexp", "gcd", "heaviside", "isnat", "lcm", "ldexp"), ""
        ),
        **dict.fromkeys(
            ("logaddexp2", "matvec", "modf", "nextafter", "positive", "signbit", "spacing", "vecdot", "vecmat"), ""
        ),
    }
)

# The reductions by functions of NumPy, as `graphc.ops` has them.
_REDUCED = MappingProxyType(
    {
        **{"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"},
        **{"logical_and": "all", "logical_or": "any"},
    }
)


def _is_no_number(x: Any) -> bool:
    """Whether a value is none of what tensors are compared with: it is then just another object."""
    return x is None or x is Ellipsis or isinstance(x, str | bytes | type | dict | set)


class Operators:
    """A base class with Python's operators in terms of `_operate`, which subclasses define."""

    __slots__ = ()
    # NumPy leaves `array * tensor` to the tensor, the variable, or the symbolic input.
    __array_priority__ = 1000
    # What to do in the place of an assignment to a part.
    _instead = "x = x.at[key].set(values), or ops.slice_update and ops.scatter_update, which return new tensors"

    def _operate(self, name: str, *operands: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self._operate("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._operate("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._operate("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._operate("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._operate("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._operate("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._operate("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._operate("div", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._operate("floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._operate("floordiv", other, self)

    def __mod__(self, other: Any) -> Any:
        return self._operate("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._operate("mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return self._operate("pow", self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._operate("pow", other, self)

    def __matmul__(self, other: Any) -> Any:
        return self._operate("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._operate("matmul", other, self)

    def __neg__(self) -> Any:
        return self._operate("neg", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self._operate("abs", self)

    def __invert__(self) -> Any:
        return self._operate("invert", self)

    def __and__(self, other: Any) -> Any:
        return self._operate("and", self, other)

    def __rand__(self, other: Any) -> Any:
        return self._operate("and", other, self)

    def __or__(self, other: Any) -> Any:
        return self._operate("or", self, other)

    def __ror__(self, other: Any) -> Any:
        return self._operate("or", other, self)

    def __xor__(self, other: Any) -> Any:
        return self._operate("xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return self._operate("xor", other, self)

    def __lt__(self, other: Any) -> Any:
        return self._operate("lt", self, other)

    def __le__(self, other: Any) -> Any:
        return self._operate("le", self, other)

    def __gt__(self, other: Any) -> Any:
        return self._operate("gt", self, other)

    def __ge__(self, other: Any) -> Any:
        return self._operate("ge", self, other)

    def __eq__(self, other: Any) -> Any:
        return NotImplemented if _is_no_number(other) else self._operate("eq", self, other)

    def __ne__(self, other: Any) -> Any:
        return NotImplemented if _is_no_number(other) else self._operate("ne", self, other)

    # Comparison is elementwise; as keys, tensors are compared by identity.
    def __hash__(self) -> int:
        return id(self)

    def __lshift__(self, other: Any) -> Any:
        return self._operate("shl", self, other)

    def __rlshift__(self, other: Any) -> Any:
        return self._operate("shl", other, self)

    def __rshift__(self, other: Any) -> Any:
        return self._operate("shr", self, other)

    def __rrshift__(self, other: Any) -> Any:
        return self._operate("shr", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, ndigits: int | None = None) -> Any:
        return self._operate("round", self, ndigits or 0)

    def __getitem__(self, key: Any) -> Any:
        return self._operate("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ImmutableError(
            "a tensor cannot be changed in place",
            where=describe(current_origin()),
            got="an assignment to x[...]",
            hint=self._instead,
        )

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(np.asarray(self._operate("eq", self, item))))

    @property
    def at(self) -> At:
        """Updates of parts, as new tensors: `x.at[key].set(values)`, as in JAX.

        Example:

        >>> from graphc import ops
        >>> ops.zeros(4).at[1:3].set(7).numpy()
        array([0., 7., 7., 0.], dtype=float32)
        """
        return At(self)

    @property
    def T(self) -> Any:
        """The tensor with its axes in reverse order."""
        return self._operate("transpose", self)

    def reshape(self, *shape: Any) -> Any:
        """The same elements, in row-major order, in another shape: sizes, or one tuple of them."""
        return self._operate("reshape", self, shape[0] if len(shape) == 1 else shape)

    def squeeze(self, axis: Any = None) -> Any:
        """The tensor without an axis, or several, of size 1; None: without all of them."""
        return self._operate("squeeze", self, axis)

    def astype(self, dtype: Any) -> Any:
        """The tensor cast to another dtype."""
        return self._operate("cast", self, dtype)

    # ---- NumPy

    @property
    def _has_values(self) -> bool:
        """Whether its values are known now."""
        return False

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Python's operators on an array and a tensor give a tensor; other functions of NumPy's take known values."""
        if method == "__call__" and not kwargs:
            if ufunc.__name__ == "divmod":
                return self._operate("floordiv", *inputs), self._operate("mod", *inputs)
            if ufunc.__name__ in _BINARY:
                return self._operate(_BINARY[ufunc.__name__], *inputs)
        out = kwargs.get("out", ())
        tensors = [x for x in (*inputs, *out) if isinstance(x, Operators)]
        where = describe(current_origin())
        if not all(x._has_values for x in tensors):
            known = _ELSEWHERE if method == "__call__" else _REDUCED
            name = known.get(ufunc.__name__, ufunc.__name__ if method == "__call__" else "")
            raise StateError(
                f"NumPy's `{ufunc.__name__}` cannot work on a tensor without values: a graph computes it",
                where=where,
                got=", ".join(repr(x)[:80] for x in tensors),
                hint="write a = a + x for a += x" if out else f"use graphc.ops.{name}" if name else "use graphc.ops",
            )
        if any(isinstance(x, Operators) for x in out):
            raise ImmutableError("NumPy cannot write into a tensor", where=where, hint="assign the result to its name")
        arrays = (np.asarray(x) if isinstance(x, Operators) else x for x in inputs)
        return getattr(ufunc, method)(*arrays, **kwargs)
