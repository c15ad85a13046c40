"""What eager operations need to know of their operands' types: found out once for all operands of equal types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from graphc import dtypes
from graphc.dtypes import DType
from graphc.errors import GraphcError
from graphc.graph.registry import Kind, Primitive, primitive
from graphc.graph.types import TensorType, type_of_array
from graphc.quiet import quietly
from graphc.tracing.arrays import Array

Kinds = frozenset[str]
ANY: Kinds = frozenset(("bool", "int", "uint", "float", "complex"))
NUMBERS: Kinds = ANY - {"bool"}
INEXACT: Kinds = frozenset(("float", "complex"))

# How many signatures are known at a time: more than a model that is called eagerly has.
_SIGNATURES = 4096
# Numbers that every dtype of floats holds.
_SMALL = 10_000


def check_types(found: Primitive, arrays: Sequence[Array], attrs: Mapping[str, Any]) -> None:
    """Raises an error where a primitive does not take such operands.

    Raises:
        GraphcError: what the rule for types raises.
    """
    signature = tuple([(array.shape, array.dtype) for array in arrays])
    if not arrays or found.regions or found.code is not None:
        found.infer(*_types(signature), **attrs)
    else:
        _checked(found.infer, signature, **attrs)


@lru_cache(maxsize=_SIGNATURES, typed=True)
def _checked(infer: Callable[..., Any], signature: tuple[Any, ...], /, **attrs: Any) -> None:
    infer(*_types(signature), **attrs)


def _types(signature: tuple[Any, ...]) -> list[TensorType]:
    return [type_of_array(shape, dtype) for shape, dtype in signature]


@lru_cache(maxsize=_SIGNATURES)
def direct_rule(op: str, signature: tuple[Any, ...], kinds: Kinds) -> Callable[[Sequence[Any]], Array | None] | None:
    """The function that applies a pointwise primitive to arrays and Python numbers, broadcast by NumPy.

    Args:
        op: The name of the primitive.
        signature: The shape of each array, followed by its dtype; the type of each number.
        kinds: The kinds of dtype in which it may be computed.

    Returns:
        The function, which gives None for a number that the dtype cannot hold. None where operands must be promoted
        first, or do not fit.
    """
    shapes = [part for part in signature if isinstance(part, tuple)]
    given = {part for part in signature if isinstance(part, np.dtype)}
    weak = {part for part in signature if isinstance(part, type)}
    found = primitive(op)
    if len(given) != 1 or not weak <= {int, float} or found.kind is not Kind.POINTWISE or found.code is not None:
        return None
    (numpy_dtype,) = given
    dtype = dtypes.as_dtype(numpy_dtype)
    if dtype.kind not in kinds or not _holds(dtype, weak):
        return None
    try:
        shape = np.broadcast_shapes(*shapes)
        found.infer(*[TensorType(shape, dtype)] * (len(signature) - len(shapes)))
    except (ValueError, GraphcError):
        return None  # the error is raised, and located, where operands are prepared
    evaluate = found.eval
    if not weak:
        return lambda operands: evaluate(*operands)

    def with_numbers(operands: Sequence[Any]) -> Array | None:
        try:
            arrays = [x if isinstance(x, np.ndarray) else _number(x, numpy_dtype) for x in operands]
        except OverflowError:
            return None
        result: Array = evaluate(*arrays)
        return result

    return with_numbers


def _number(value: float, dtype: np.dtype[Any]) -> Array:
    """A number as an array; one that is too large for floats of the dtype becomes infinite without a warning."""
    return np.asarray(value, dtype) if -_SMALL < value < _SMALL else np.asarray(quietly(np.asarray, value, dtype))


def _holds(dtype: DType, weak: set[type]) -> bool:
    """Whether operands of a dtype and Python numbers are combined in this dtype."""
    return dtype.is_inexact or not weak or (dtype.is_integer and weak == {int})
