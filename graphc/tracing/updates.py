"""Updates of parts of tensors: the values of `x.at[key].set(values)` and its kin, as new tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from graphc import dims, dtypes
from graphc.combiners import combiner
from graphc.dims import Shape
from graphc.errors import DTypeError, ShapeError
from graphc.tracing import keys
from graphc.tracing.conversion import as_tensor
from graphc.tracing.elementwise import elementwise, in_floats, on_numbers
from graphc.tracing.indexing import (
    ArrayAxes,
    array_axes,
    as_indices,
    flat_indices,
    in_axis,
    steps_of,
    wrapped,
)
from graphc.tracing.shapes import broadcast_to, may_be_equal, reshape
from graphc.tracing.tensor import Tensor, bind, cast

How: TypeAlias = Literal["set", "add", "subtract", "multiply", "divide", "power", "min", "max"]

# An element and a value to the new element.
_COMBINED: Mapping[How, Callable[[Any, Any], Tensor]] = MappingProxyType(
    {
        "add": partial(elementwise, "add"),
        "subtract": partial(elementwise, "sub"),
        "multiply": partial(elementwise, "mul"),
        "divide": partial(in_floats, "div"),
        "power": partial(on_numbers, "pow"),
        "min": partial(elementwise, "minimum"),
        "max": partial(elementwise, "maximum"),
    }
)


UPDATES: tuple[How, ...] = ("set", *_COMBINED)


def update(how: How, x: Any, key: Any, values: Any) -> Tensor:
    """A tensor with a part changed.

    Where an index occurs several times, sums, products and extrema take all of its values, and `set` the last one.
    Values at indices out of bounds are dropped, as in JAX.

    Args:
        how: What becomes of the elements: `set`, or an operation of them and the values.
        x: The tensor.
        key: What stands in the brackets of `x[...]`.
        values: The values; they are cast to the dtype of `x` and broadcast to the shape of `x[key]`.

    Raises:
        ShapeError: if the key does not fit, or the values do not broadcast to the part.
        DTypeError: if the dtype has no such operation.
    """
    tensor = as_tensor(x)
    expanded = keys.expanded(key, tensor.shape)
    chain, parts = list(steps_of(expanded, tensor.shape)), [tensor]
    for step in chain:
        parts.append(step.get(parts[-1]))
    picked, part = array_axes(expanded), parts.pop()
    given = as_tensor(values, tensor.type.dtype)
    if picked is not None:
        changed = _scattered(how, part, picked, given)
    else:
        given = _spread(given, part.shape)
        changed = given if how == "set" else cast(_applied(how, part, given), part.type.dtype)
        changed = _where_in_bounds(expanded, tensor, changed, part)
    for step, whole in zip(reversed(chain), reversed(parts), strict=True):
        changed = step.put(whole, changed)
    return changed


def _spread(values: Tensor, shape: Shape) -> Tensor:
    pairs = zip(reversed(values.shape), reversed(shape), strict=False)
    if values.ndim > len(shape) or not all(dim in (1, whole) or may_be_equal((dim, whole)) for dim, whole in pairs):
        raise keys.located(
            ShapeError("the values do not fit the part that they update", got=f"{values.shape}", expected=f"{shape}")
        )
    return broadcast_to(values, shape)


def _applied(how: How, part: Tensor, values: Tensor) -> Tensor:
    if part.type.dtype.is_bool:
        _check_bool(how)
    return _COMBINED[how](part, values)


def _check_bool(how: How) -> None:
    if how not in ("set", "min", "max"):
        hint = "`max` is their `or`, `min` their `and`"
        raise keys.located(DTypeError(f"booleans have no `{how}`", hint=hint))


def _where_in_bounds(key: keys.Key, x: Tensor, changed: Tensor, part: Tensor) -> Tensor:
    """The changed part where computed integers are in bounds, else what was there."""
    per_axis = [k for k in key.parts if k is not None]
    for k, extent in zip(per_axis, key.widened(x.shape), strict=True):
        if isinstance(k, keys.Block) and k.step == 0:
            inside = in_axis(wrapped(as_indices(k.start), extent), extent)
            changed = bind("select", broadcast_to(inside, part.shape), changed, part)
    return changed


# ---- elements at index arrays


def _scattered(how: How, x: Tensor, picked: ArrayAxes, values: Tensor) -> Tensor:
    """Changes rows of a tensor: its indexed axes are moved to the front and merged."""
    before, common, others = picked.before, picked.common, picked.others(x)
    rest = tuple(x.shape[axis] for axis in others)
    values = _spread(values, (*rest[:before], *common, *rest[before:]))
    flat, in_bounds = flat_indices(x, picked)
    count = dims.product(common)
    if count == 0:
        return x
    along = tuple(range(before, before + len(common)))
    values = _moved(values, (*along, *(axis for axis in range(values.ndim) if axis not in along)))
    values = reshape(values, (count, *rest))
    order = (*picked.axes, *others)
    moved = _moved(x, order)
    rows = reshape(moved, (dims.product(moved.shape[: len(picked.axes)]), *rest))
    if in_bounds is not None:
        in_bounds = reshape(in_bounds, (count,))
    changed = scatter_rows(how, rows, reshape(flat, (count,)), in_bounds, values)
    return _moved(reshape(changed, moved.shape), tuple(order.index(axis) for axis in range(x.ndim)))


def _moved(x: Tensor, order: tuple[int, ...]) -> Tensor:
    return x if order == tuple(range(x.ndim)) else bind("transpose", x, order=order)


def scatter_rows(how: How, x: Tensor, indices: Tensor, in_bounds: Tensor | None, values: Tensor) -> Tensor:
    """Changes rows of a tensor.

    Args:
        how: What becomes of the elements.
        x: Tensor `[size, ...]`.
        indices: The number of a row for each value, in bounds.
        in_bounds: Which values are taken. None: all.
        values: Tensor `[count, ...]`.
    """
    if how == "set":
        return _last_written(x, indices, in_bounds, values)
    dtype = x.type.dtype
    if dtype.is_bool:
        _check_bool(how)
    # Memory accumulates in 32 bits: halves are rounded once, booleans are numbers.
    wide = dtypes.int32 if dtype.is_bool else dtype.accumulator
    x, values = cast(x, wide), cast(values, wide)
    if how in ("min", "max"):
        # The elements are rows as well, so that equal ones share the gradient.
        numbers = bind("iota", shape=x.shape[:1], axis=0, dtype=indices.type.dtype)
        values = _only(in_bounds, values, how)
        rows = bind("concatenate", x, values, axis=0)
        places = bind("concatenate", numbers, indices, axis=0)
        return cast(bind(f"scatter_{how}", places, rows, size=x.shape[0]), dtype)
    combine = "sum" if how in ("add", "subtract") else "prod"
    scatter = "scatter_add" if combine == "sum" else "scatter_mul"
    total = bind(scatter, indices, _only(in_bounds, values, combine), size=x.shape[0])
    return cast(_COMBINED[how](x, total), dtype)


def _only(in_bounds: Tensor | None, values: Tensor, combine: str) -> Tensor:
    """The values that are taken, and what changes nothing in the place of the others."""
    if in_bounds is None:
        return values
    (nothing,) = combiner(combine).identity(values.type.dtype)
    return _select_rows(in_bounds, values, broadcast_to(as_tensor(nothing, values.type.dtype), values.shape))


def _select_rows(condition: Tensor, then: Tensor, otherwise: Tensor) -> Tensor:
    if then.ndim > 1:
        condition = bind("broadcast", condition, shape=then.shape, axes=(0,))
    return bind("select", condition, then, otherwise)


def _last_written(x: Tensor, indices: Tensor, in_bounds: Tensor | None, values: Tensor) -> Tensor:
    """Rows replaced: of several values of a row the last one stays, as in the order of their numbers."""
    numbers = bind("iota", shape=indices.shape, axis=0, dtype=dtypes.int32)
    writer = bind("scatter_max", indices, _only(in_bounds, numbers, "max"), size=x.shape[0])
    written = elementwise("ge", writer, 0)
    taken = bind("gather", values, elementwise("maximum", writer, 0), axis=0)
    return _select_rows(written, taken, x)
