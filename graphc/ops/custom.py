"""Primitives that users define."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from graphc.dims import IntExpr
from graphc.dtypes import DType, as_dtype
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError, StateError
from graphc.graph.builder import Applied, Builder, Value
from graphc.graph.types import Origin
from graphc.ops.reductions import restore_axes
from graphc.primitives.base import FLOATS
from graphc.primitives.custom import Definition, rule_failed
from graphc.tracing import (
    Tensor,
    Trace,
    as_tensor,
    bind,
    broadcast_to,
    current_origin,
    describe,
    lift,
    operation,
    scope,
)
from graphc.tracing.conversion import float_dtype
from graphc.tracing.elementwise import broadcast_operands
from graphc.tracing.shapes import axes_of

# Names of attributes that graphc passes to rules.
_TAKEN = ("op", "out", "axes", "axis", "keepdims")


def primitive(
    name: str,
    eval: Callable[..., Any] | None = None,
    *,
    lower: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    kind: str = "pointwise",
    combine: str | None = None,
    infer: Callable[..., Any] | None = None,
    dtypes: Sequence[Any] = FLOATS,
    result: Any = None,
    **traits: Any,
) -> Any:
    """Defines a primitive operation by its rules for evaluation, compilation and differentiation.

    The operation works on arrays, on tensors in `graphc.function` and on symbolic tensors in models, like any other,
    and is fused into kernels. A second definition of a name replaces the operation, also where the first is in use,
    and programs with it are compiled again: the cache key of a program includes the code of the rules, with the
    functions and values that they read. Programs whose rules read objects without comparable contents, such as open
    files, are not cached between processes. For two variants of an operation, use an attribute or two names.

    Keyword arguments of the operation are attributes, which are passed to every rule: Booleans, numbers, strings,
    dtypes, and tuples of these.

    Args:
        name: Its name: an identifier that is not the name of one of graphc's own operations.
        eval: The reference: a function of NumPy arrays that returns a NumPy array of the result's dtype and shape.
            Operands of half precision are passed as float32, and the result is then float32. None: a decorator for
            `eval` is returned.
        lower: The rule for compilation: an element of the result as a function of the operands' elements, which support
            Python's operators, `np.where`, `np.clip`, NumPy's elementwise functions, `x.astype(dtype)` and
            `x.call(intrinsic)`. None: `eval`, if it uses these alone. For `kind="reduce"`, the element that is
            combined; for `kind="view"`, `lower(reader, index)`, as in `graphc.graph.registry`.
        vjp: The gradient: `vjp(g, y, *operands)` from the cotangent `g` of the result `y`, in `graphc.ops`. It returns
            the cotangent of the operand, or a tuple with one for each; None for an operand that has none.
        kind: `"pointwise"`: operands are broadcast to one shape, and the result has it. `"reduce"`: one operand, of
            which elements are combined along `axis` (`eval` and `vjp` get `axes`). `"view"`: the result's elements are
            at indices of the operands.
        combine: For `kind="reduce"`: `"sum"`, `"prod"`, `"max"`, `"min"`, `"any"` or `"all"`.
        infer: For `kind="view"`: the `TensorType` of the result from those of the operands.
        dtypes: The dtypes that operands may have. Where all are floats, others are converted to the default one.
        result: The dtype of the result. None: that of the operands.
        **traits: Further traits of the operation (`graphc.graph.registry.Primitive`), such as `cheap=True`.

    Returns:
        The operation, a function of tensors: pointwise of any number of them; of a reduction of `x`, `axis=None` and
        `keepdims=False`.

    Raises:
        ArgumentError: if the name is not an identifier or that of one of graphc's own operations, or an argument is
            invalid. Rules that fail or return a wrong dtype or shape raise an error where the operation is used.

    Example:

    >>> import numpy as np
    >>> import graphc
    >>> bent = graphc.primitive(
    ...     "bent",
    ...     lambda x: x / (1 + np.abs(x)),
    ...     vjp=lambda g, y, x: g / graphc.ops.square(1 + graphc.ops.abs(x)),
    ... )
    >>> bent(np.array([1.0, -3.0], "float32")).numpy()
    array([ 0.5 , -0.75], dtype=float32)
    """
    if eval is None:
        return lambda function: primitive(
            name,
            function,
            lower=lower,
            vjp=vjp,
            kind=kind,
            combine=combine,
            infer=infer,
            dtypes=dtypes,
            result=result,
            **traits,
        )
    try:
        wanted = None if result is None else as_dtype(result)
        allowed = tuple(dtype if isinstance(dtype, str) else as_dtype(dtype).name for dtype in dtypes)
        rule = None if vjp is None else _gradient(str(name), vjp)
        Definition(name, kind, eval, lower, vjp, rule, combine, infer, allowed, wanted, traits).register()
    except GraphcError as error:
        origin = current_origin()
        raise error.locate(layer=origin.layer or None, where=describe(origin)) from error.__cause__
    apply = {"pointwise": _pointwise, "reduce": _reduction, "view": _view}[kind](name, allowed)
    apply.__name__ = apply.__qualname__ = name
    apply.__module__ = sys._getframe(1).f_globals.get("__name__", "__main__")
    apply.__doc__ = eval.__doc__ if isinstance(eval, FunctionType) else None
    return operation(apply)


# ---- the public functions


def _pointwise(name: str, allowed: Sequence[str]) -> Any:
    only_floats = set(allowed) <= set(FLOATS)

    def apply(*operands: Any, **attrs: Any) -> Tensor:
        if not operands:
            raise ShapeError(f"`{name}` takes at least one operand", got="none")
        dtype = float_dtype(*operands) if only_floats else None
        return bind(name, *broadcast_operands(*operands, dtype=dtype), **_checked(name, attrs))

    return apply


def _reduction(name: str, allowed: Sequence[str]) -> Any:
    only_floats = set(allowed) <= set(FLOATS)

    def apply(x: Any, axis: Any = None, keepdims: bool = False, **attrs: Any) -> Tensor:
        tensor = as_tensor(x, float_dtype(x)) if only_floats else as_tensor(x)
        axes = axes_of(axis, tensor.ndim, name)
        result = bind(name, tensor, axes=axes, **_checked(name, attrs))
        return restore_axes(result, tensor, axes) if keepdims else result

    return apply


def _view(name: str, allowed: Sequence[str]) -> Any:
    def apply(*operands: Any, **attrs: Any) -> Tensor:
        return bind(name, *map(as_tensor, operands), **_checked(name, attrs))

    return apply


def _checked(name: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _attribute(name, key, value) for key, value in attrs.items()}


def _attribute(name: str, key: str, value: Any) -> Any:
    """An attribute in the form that graphs store."""
    if isinstance(value, list | tuple) and key not in _TAKEN:
        return tuple(_attribute(name, key, part) for part in value)
    if isinstance(value, np.generic):
        value = value.item()
    if key in _TAKEN or not (value is None or isinstance(value, bool | int | float | str | DType | IntExpr)):
        raise ArgumentError(
            f"`{name}` cannot have this attribute",
            got=f"{key}={value!r}",
            expected="a Boolean, a number, a text, a dtype, or a tuple of these, under another name than "
            + ", ".join(_TAKEN),
            hint="pass tensors as operands, by position",
        )
    return value


# ---- gradients


class _RuleTrace(Trace):
    """A trace of a `vjp` rule, which adds its operations to the graph that is differentiated.

    Args:
        builder: That graph, under construction.
        name: The primitive.
    """

    def __init__(self, builder: Builder, name: str) -> None:
        super().__init__(builder.symbols)
        self.builder = builder
        self._name = name

    def state(self, variable: Any) -> Value:
        """Raises an error: a gradient is a function of the operands and the result.

        Raises:
            StateError: always.
        """
        raise StateError(
            f"the rule `vjp` of the primitive `{self._name}` reads a variable",
            got=variable.path,
            hint="make it an operand of the primitive",
        )


def _gradient(name: str, vjp: Callable[..., Any]) -> Callable[..., Any]:
    """A user's `vjp` rule in the form of primitives' records."""

    def rule(g: Value, n: Applied) -> Sequence[Value | None]:
        origin = n.node.loc[-1] if n.node.loc else Origin()
        line = Origin("", origin.file, origin.line)
        with scope(origin.layer, line, absolute=True), _RuleTrace(n.builder, name).active() as session:
            try:
                found = vjp(Tensor(g), Tensor(n.result), *map(Tensor, n.operands), **n.attrs)
                parts = tuple(found) if isinstance(found, tuple | list) else (found,)
                return _cotangents(name, parts, n, session)
            except Exception as error:
                failed = rule_failed(name, "vjp", vjp, error)
                raise failed.locate(layer=origin.layer or None, where=describe(line)) from error

    return rule


def _cotangents(name: str, parts: tuple[Any, ...], n: Applied, session: Trace) -> list[Value | None]:
    if len(parts) != len(n.operands):
        raise ArgumentError(
            f"it gives another number of cotangents than `{name}` has operands",
            got=len(parts),
            expected=len(n.operands),
        )
    cotangents: list[Value | None] = []
    for part, operand in zip(parts, n.operands, strict=True):
        if part is None:
            cotangents.append(None)
            continue
        tensor = as_tensor(part, None if isinstance(part, Tensor) else operand.dtype)
        if not isinstance(part, Tensor) and tensor.ndim == 0:
            tensor = broadcast_to(tensor, operand.shape)
        if tensor.type.dtype is not operand.dtype:
            raise DTypeError(
                "a cotangent has another dtype than its operand", got=tensor.type.dtype, expected=operand.dtype
            )
        if tensor.type != operand.type:
            raise ShapeError("a cotangent has another shape than its operand", got=tensor.type, expected=operand.type)
        cotangents.append(lift(tensor, session))
    return cotangents
