"""Branches: one of several functions runs, chosen by a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc import dtypes, tree
from graphc.errors import ArgumentError
from graphc.graph.types import TensorType
from graphc.tracing import Tensor, as_tensor, bind_many, cast, describe, operation, user_line
from graphc.tracing.elementwise import elementwise
from graphc.tracing.regions import Closure, Region, check_types, trace_region
from graphc.tracing.shapes import reshape

__all__ = ["cond", "switch"]


def as_condition(pred: Any) -> Tensor | None:
    """A condition as a scalar Boolean: numbers hold if they are not zero. None: it has more than one element."""
    tensor = as_tensor(pred)
    if any(size != 1 for size in tensor.shape):
        return None
    tensor = reshape(tensor, ())
    return tensor if tensor.type.dtype.is_bool else elementwise("ne", tensor, 0)


def condition(pred: Any, what: str) -> Tensor:
    """A condition as a scalar Boolean.

    Raises:
        ArgumentError: if it has more than one element.
    """
    found = as_condition(pred)
    if found is None:
        raise ArgumentError(
            f"{what} is no single condition",
            where=describe(user_line()),
            got=str(as_tensor(pred).type),
            expected="a scalar",
            hint="reduce it with ops.all or ops.any, or choose elementwise with ops.where",
        )
    return found


@operation
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Runs one of two functions: `true_fn()` if `pred` holds, else `false_fn()`.

    Inside a trace both are traced, and the one that is chosen runs. Variables that either assigns keep their value
    where the other runs.

    Args:
        pred: A scalar.
        true_fn: A function without arguments.
        false_fn: A function without arguments that returns the same structure, shapes and dtypes.

    Returns:
        What the function returned.

    Raises:
        ArgumentError: if `pred` is no scalar, or the functions return different structures.
        ShapeError: if they return different shapes or dtypes.

    Example:

    >>> cond(True, lambda: 1, lambda: 2).numpy().item()
    1
    """
    for function in (true_fn, false_fn):
        if not callable(function):
            raise ArgumentError("`cond` takes functions", got=repr(function)[:80], hint="pass `lambda: ...`")
    chosen = condition(pred, "`pred` of `cond`")
    if chosen.traced is None:
        return _converted((true_fn if bool(chosen) else false_fn)())
    return _branch("`cond`", ("`true_fn`", "`false_fn`"), cast(~chosen, dtypes.int32), (true_fn, false_fn), ())


@operation
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Runs one of several functions: `branches[index](*operands)`, with the index clamped to those that exist.

    Args:
        index: A scalar integer.
        branches: Functions of the operands that return the same structure, shapes and dtypes.
        *operands: Tensors, or structures of them.

    Returns:
        What the function returned.

    Raises:
        ArgumentError: if there are no branches, or they return different structures.
        ShapeError: if they return different shapes or dtypes.

    Example:

    >>> switch(1, [lambda x: x + 1, lambda x: x * 10], 5).numpy().item()
    50
    """
    branches = tuple(branches)
    if not branches or not all(callable(branch) for branch in branches):
        raise ArgumentError("`switch` takes a list of functions", got=repr(branches)[:80])
    chosen = as_tensor(index)
    if chosen.ndim or not chosen.type.dtype.is_integer:
        raise ArgumentError("the index of `switch` is a scalar integer", got=str(chosen.type))
    if chosen.traced is None:
        arguments = tree.map_structure(as_tensor, operands, none_is_leaf=False)
        return _converted(branches[min(max(int(chosen), 0), len(branches) - 1)](*arguments))
    names = [f"branch {i}" for i in range(len(branches))]
    return _branch("`switch`", names, cast(chosen, dtypes.int32), branches, operands)


def _converted(found: Any) -> Any:
    return tree.map_structure(as_tensor, found, none_is_leaf=False)


def _branch(
    what: str, names: Sequence[str], index: Tensor, branches: Sequence[Callable[..., Any]], operands: tuple[Any, ...]
) -> Any:
    """Adds the branches to the trace as one node."""
    leaves, spec = tree.flatten_with_spec(operands)
    arguments = [as_tensor(leaf) for leaf in leaves]
    regions = [trace_region(branch, [x.type for x in arguments], spec) for branch in branches]
    for name, region in zip(names, regions, strict=True):
        _check_results(what, (names[0], regions[0]), (name, region))
    closure = Closure(regions)
    constants, carried = closure.operands()
    graphs = tuple(
        closure.graph(
            region,
            {"c": [*closure.constants_of(region), *closure.carried_of(region), *region.arguments]},
            [*closure.last(region), *region.results],
        )
        for region in regions
    )
    found = run_branches(index, [*constants, *carried, *arguments], graphs)
    closure.assign(found[: len(carried)])
    return tree.unflatten(regions[0].structure, list(found[len(carried) :]))


def run_branches(index: Tensor, operands: Sequence[Tensor], graphs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Adds a `switch`; where its branches return nothing there is nothing to run."""
    return bind_many("switch", index, *operands, branches=graphs) if graphs[0].outputs else ()


def _check_results(what: str, first: tuple[str, Region], other: tuple[str, Region]) -> None:
    (name, region), (other_name, compared) = first, other
    if compared.structure != region.structure:
        raise ArgumentError(
            f"{other_name} of {what} returns another structure than {name}",
            where=describe(user_line()),
            got=str(compared.structure),
            expected=str(region.structure),
            hint="return the same nesting of tensors from all",
        )
    types: list[list[TensorType]] = [[value.type for value in x.results] for x in (compared, region)]
    results = [f"result {i}" for i in range(len(types[0]))]
    check_types(f"{other_name} of {what}, compared with {name},", results, *types)
