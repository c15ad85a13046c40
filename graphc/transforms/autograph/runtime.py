"""What converted code calls: control flow as Python's for Python values, as regions of the graph for traced ones."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from graphc import ops
from graphc.errors import ControlFlowError
from graphc.tracing import as_tensor
from graphc.transforms.autograph.branches import Choice
from graphc.transforms.autograph.loops import for_region, while_region
from graphc.transforms.autograph.rows import Rows, range_, rows_of
from graphc.transforms.autograph.state import Info, Places, State
from graphc.transforms.autograph.values import error, is_traced, show, truth

_COMPARISONS: MappingProxyType[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "Lt": operator.lt,
        "LtE": operator.le,
        "Gt": operator.gt,
        "GtE": operator.ge,
        "Eq": operator.eq,
        "NotEq": operator.ne,
        "Is": operator.is_,
        "IsNot": operator.is_not,
        "In": lambda a, b: a in b,
        "NotIn": lambda a, b: a not in b,
    }
)
_NOTHING = Info((), (), (), (), (), (), (), False, False)


def _check_convertible(construct: str, info: Info, value: Any) -> None:
    if info.raises:
        raise error(
            f"`raise` inside {construct} on a traced value: graphs raise no exceptions",
            got=show(value),
            hint="check the value outside of the traced function, or replace bad values with `ops.where`",
        )
    if info.global_names:
        raise error(
            f"the global variable `{info.global_names[0]}` is assigned inside {construct} on a traced value",
            got=show(value),
            hint="assign a local variable, or keep the value in a `graphc.Variable`",
        )


# ---- statements


def if_(test: Any, then: Callable[[], Any], orelse: Callable[[], Any], constants: Any, places: Places) -> None:
    """An `if` statement.

    Args:
        test: The condition.
        then: A function with the first block as its body.
        orelse: A function with the block after `else`.
        constants: The fields of `Info`.
        places: The attributes and elements that the blocks assign.
    """
    if not is_traced(test):
        (then if test else orelse)()
        return
    info = Info(*constants)
    _check_convertible("`if`", info, test)
    Choice("`if`", (then, orelse), State((then, orelse), info, places), info).run(truth(test, "`if`"))


def while_(
    test: Callable[[], Any], pure: bool, body: Callable[[], Any], stop: Any, constants: Any, places: Places
) -> None:
    """A `while` statement.

    Args:
        test: A function that evaluates the condition.
        pure: Whether the condition contains no calls, so that it may be evaluated after the loop is left.
        body: A function with the block as its body.
        stop: A function that says whether the block has left the loop; None if it does not.
        constants: The fields of `Info`.
        places: The attributes and elements that the block assigns.
    """

    def goes_on() -> Any:
        if stop is None:
            return test()
        return _chain("`while`", not_(stop()), pure, (test,), True)

    while True:
        value = goes_on()
        if is_traced(value):
            break
        if not value:
            return
        body()
    info = Info(*constants)
    _check_convertible("`while`", info, value)
    while_region(State((body, test), info, places), info, value, body, goes_on)


def for_(iterable: Any, body: Callable[[Any], Any], stop: Any, constants: Any, places: Places) -> None:
    """A `for` statement.

    Args:
        iterable: What it runs over.
        body: A function of one item with the block as its body.
        stop: A function that says whether the block has left the loop; None if it does not.
        constants: The fields of `Info`.
        places: The attributes and elements that the block assigns.
    """
    rows = rows_of(iterable)
    if rows is not None:
        info = Info(*constants)
        _check_convertible("`for`", info, iterable if not isinstance(iterable, Rows) else rows.length)
        for_region("`for`", State((body,), info, places), info, rows, body, stop)
        return
    iterator = iter(iterable)
    for count, item in enumerate(iterator):
        body(item)
        stopped = False if stop is None else stop()
        if is_traced(stopped):
            _rest(iterable, iterator, count + 1, body, stop, Info(*constants), places)
            return
        if stopped:
            return


def _rest(
    iterable: Any,
    iterator: Iterable[Any],
    count: int,
    body: Callable[[Any], Any],
    stop: Any,
    info: Info,
    places: Places,
) -> None:
    """The rest of a Python loop, after an iteration that may have left it."""
    _check_convertible("`for`", info, stop())
    state = State((body,), info, places)
    if isinstance(iterable, range):
        left = iterable[count:]
        rows = Rows((), len(left), lambda number, _: number * left.step + left.start)
        for_region("`for`", state, info, rows, body, stop)
        return
    if not hasattr(iterable, "__len__"):
        raise error(
            "a `for` loop over a Python iterator is left on a traced condition",
            got=type(iterable).__name__,
            expected="a tensor, a range, or a list, whose length is known",
            hint="loop over a list, or use `while`",
        )
    inside = info._replace(live=tuple({*info.live, *info.head}))
    for item in iterator:
        left_loop = ops.logical_not(truth(stop(), "`for`"))
        Choice("`for`", (lambda item=item: body(item), _nothing), state, inside).run(left_loop)  # type: ignore[misc]


def _nothing() -> None:
    """A block without statements."""


# ---- expressions


def if_expression(test: Any, body: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
    """A conditional expression."""
    if not is_traced(test):
        return body() if test else orelse()
    result: Any = None

    def then() -> None:
        nonlocal result
        result = body()

    def otherwise() -> None:
        nonlocal result
        result = orelse()

    info = _NOTHING._replace(names=("result",), live=("result",))
    state = State((then, otherwise), info, ((), ()))
    Choice("a conditional expression", (then, otherwise), state, info).run(truth(test, "a conditional expression"))
    return result


def not_(value: Any) -> Any:
    """`not`."""
    return ops.logical_not(truth(value, "`not`")) if is_traced(value) else not value


def and_(first: Any, pure: bool, *others: Callable[[], Any]) -> Any:
    """`and`: an operand is evaluated if those before it hold; traced ones without calls always are."""
    return _chain("`and`", first, pure, others, True)


def or_(first: Any, pure: bool, *others: Callable[[], Any]) -> Any:
    """`or`: an operand is evaluated if none before it holds; traced ones without calls always are."""
    return _chain("`or`", first, pure, others, False)


def _chain(construct: str, first: Any, pure: bool, others: Sequence[Callable[[], Any]], conjunction: bool) -> Any:
    value = first
    for place, other in enumerate(others):
        if is_traced(value):
            return _traced_chain(construct, value, pure, others[place:], conjunction)
        if bool(value) is not conjunction:
            return value
        value = other()
    return value


def _traced_chain(
    construct: str, first: Any, pure: bool, others: Sequence[Callable[[], Any]], conjunction: bool
) -> Any:
    found = truth(first, construct)
    combine = ops.logical_and if conjunction else ops.logical_or

    def holds(other: Callable[[], Any]) -> Any:
        value = other()
        return truth(value, construct) if is_traced(value) else bool(value)

    for other in others:
        if pure:
            found = combine(found, holds(other))
        elif conjunction:
            found = if_expression(found, lambda other=other: holds(other), lambda: False)  # type: ignore[misc]
        else:
            found = if_expression(found, lambda: True, lambda other=other: holds(other))  # type: ignore[misc]
        found = as_tensor(found)
    return found


def compare(names: Sequence[str], first: Any, second: Any, *others: Callable[[], Any]) -> Any:
    """A chain of comparisons: `a < b < c` is `a < b and b < c`, with `b` evaluated once."""
    found, left = _COMPARISONS[names[0]](first, second), second
    for name, other in zip(names[1:], others, strict=True):
        if is_traced(found):
            right = other()
            more = _COMPARISONS[name](left, right)
            found = ops.logical_and(truth(found, "a chain of comparisons"), more if is_traced(more) else bool(more))
        elif found:
            right = other()
            found = _COMPARISONS[name](left, right)
        else:
            return found
        left = right
    return found


# ---- what stays Python's


def python_value(value: Any, construct: str, reason: str | None) -> Any:
    """A condition where control flow stays Python's.

    Raises:
        ControlFlowError: if it is traced.
    """
    if not is_traced(value):
        return value
    if construct == "assert":
        raise error(
            "`assert` on a traced value: graphs raise no exceptions",
            got=show(value),
            hint="return the condition and check it outside of the function, or run the function eagerly",
        )
    raise error(
        f"`{construct}` on a traced value cannot be converted here" + (f": {reason}" if reason else ""),
        got=show(value),
        expected="a Python value",
        hint="use `ops.where`, `ops.cond` or `ops.while_loop`",
    )


def caught() -> None:
    """Raises errors of conversion again that a handler of the user's code has caught."""
    problem = sys.exc_info()[1]
    if isinstance(problem, ControlFlowError):
        raise problem


def python_items(iterable: Any, reason: str) -> Any:
    """What a `for` statement that stays Python's runs over.

    Raises:
        ControlFlowError: if its length is known only when the graph runs.
    """
    if isinstance(iterable, Rows):
        raise error(
            f"`for` on a traced value cannot be converted here: {reason}",
            got=f"length {show(iterable.length)}",
            hint="use `ops.fori_loop` or `ops.scan`",
        )
    return iterable


__all__ = [
    "and_",
    "caught",
    "compare",
    "for_",
    "if_",
    "if_expression",
    "not_",
    "or_",
    "python_items",
    "python_value",
    "range_",
    "while_",
]
