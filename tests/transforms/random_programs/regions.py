"""The steps of random programs that have blocks: branches, loops, functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transforms.random_programs.maker import SHAPES, Maker, Table
from tests.transforms.random_programs.operations import is_bool, is_int, with_axes
from tests.transforms.random_programs.program import Step, Type

SMALL = 4


def _condition(m: Maker) -> str:
    found = m.pick(lambda type: is_bool(type) and not type.rank)
    if found is not None and m.chance(0.7):
        return found[0]
    return m.add("ops.mean({0}) > 0.0731", Type((), "bool"), m.float_value()[0])[0]


def _index(m: Maker) -> str:
    found = m.pick(lambda type: is_int(type) and not type.rank)
    if found is not None and m.chance(0.7):
        return found[0]
    return m.add("ops.sum({0})", Type((), "int32"), m.of_type(Type((3,), "int32"))[0])[0]


# ---- branches


def cond(m: Maker) -> bool:
    test = _condition(m)
    first, types = m.block((), (Type(m.choose(SHAPES)), m.float_value()[1]) if m.chance(0.3) else None)
    first = replace(first, pattern=_pattern(len(types)))
    second, _ = m.block((), types, first.pattern)
    text = "ops.cond({0}, {b0}, {b1})"
    m.emit(Step("call", text, m.outs(*types), (test,), (first, second), pattern=_pattern(len(types))))
    return True


def _pattern(count: int) -> str:
    return "{0}" if count == 1 else f"({', '.join(f'{{{i}}}' for i in range(count))})"


def switch(m: Maker) -> bool:
    index = _index(m)
    x, type = m.float_value()
    blocks = [m.block((m.param(type),), None)]
    for _ in range(m.rng.randint(1, 2)):
        blocks.append(m.block((m.param(type),), blocks[0][1]))
    names = ", ".join(f"{{b{i}}}" for i in range(len(blocks)))
    outs = m.outs(*blocks[0][1])
    m.emit(Step("call", f"ops.switch({{0}}, [{names}], {{1}})", outs, (index, x), tuple(b for b, _ in blocks)))
    return True


def python_if(m: Maker) -> bool:
    if not m.context.branches:
        return False
    test = _condition(m)
    first, types = m.block((), None)
    second, _ = m.block((), types)
    m.emit(Step("if", "{0}", m.outs(*types), (test,), (first, second)))
    return True


# ---- loops


def while_loop(m: Maker) -> bool:
    x, type = m.float_value()
    i, a = m.param(Type((), "int32")), m.param(type)
    count = m.rng.randint(0, 4)
    body, _ = m.block((i, a), (type,), f"({i[0]} + 1, {{0}})", repeated=m.context.repeated * 3)
    test = m.choose(("i < N", "ops.logical_and(i < N, ops.mean(a) < 0.4137)")).replace("N", str(count))
    limit = f", maximum_iterations={m.rng.randint(0, 4)}" if m.context.bounded or m.chance(0.4) else ""
    text = f"ops.while_loop(lambda i, a: {test}, {{b0}}, (0, {{0}}){limit})"
    m.emit(Step("call", text, m.outs(Type((), "int32"), type), (x,), (body,), pattern="{0}, {1}"))
    return True


def fori_loop(m: Maker) -> bool:
    x, type = m.float_value()
    count = m.rng.randint(0, 4)
    body, _ = m.block((m.param(Type((), "int32")), m.param(type)), (type,), repeated=m.context.repeated * 3)
    if m.context.bounded or m.chance(0.6):
        m.emit(Step("call", f"ops.fori_loop(0, {count}, {{b0}}, {{0}})", m.outs(type), (x,), (body,)))
    else:
        m.emit(Step("call", "ops.fori_loop(0, {1} % 4, {b0}, {0})", m.outs(type), (x, _index(m)), (body,)))
    return True


def python_for(m: Maker) -> bool:
    if not m.context.branches:
        return False
    x, type = m.float_value()
    rows = m.pick(lambda other: other.rank > 0)
    # `range` of a number gives Python's numbers, with which no step of a program computes.
    item, args, text = Type((), "python"), [x], f"range({m.rng.randint(1, 3)})"
    if rows is not None and m.chance(0.5):
        item, args, text = Type(rows[1].shape[1:], rows[1].dtype), [x, rows[0]], "{1}"
    elif not m.context.bounded and m.chance(0.5):
        args, text = [x, _index(m)], "range({1} % 4)"
    body, _ = m.block((m.param(item), m.param(type)), (type,), repeated=m.context.repeated * 3)
    m.emit(Step("for", text, m.outs(type), tuple(args), (body,)))
    return True


def scan(m: Maker) -> bool:
    x, type = m.float_value()
    found = m.pick(lambda other: with_axes(other) and other.shape[0] <= SMALL)
    carry, length = m.param(type), m.rng.randint(1, SMALL)
    args, params, given = [x], (carry, m.param(Type((), "none"))), f"None, length={length}"
    if found is not None and m.chance(0.8):
        rows, of = found
        args, given, length = [x, rows], "{1}", of.shape[0]
        params = (carry, m.param(Type(of.shape[1:])))
    if m.chance(0.3):
        given += ", reverse=True"
    stacked = Type(m.choose(SHAPES[:5]))
    body, _ = m.block(params, (type, stacked), "({0}, {1})", repeated=m.context.repeated * length)
    outs = m.outs(type, Type((length, *stacked.shape)))
    m.emit(Step("call", f"ops.scan({{b0}}, {{0}}, {given})", outs, tuple(args), (body,), pattern="{0}, {1}"))
    return True


def mapped(m: Maker) -> bool:
    found = m.pick(lambda type: type.rank > 0 and type.shape[0] <= SMALL and not is_bool(type))
    if found is None:
        return False
    x, type = found
    n = type.shape[0]
    vectorized = m.chance(0.6)
    changes: dict[str, Any] = {"repeated": m.context.repeated * n}
    if vectorized:
        changes |= {"assigns": False, "draws": False, "branches": False}
    other = m.pick(lambda other: with_axes(other) and other.shape[0] == n) if m.chance(0.4) else None
    params = [m.param(Type(type.shape[1:], type.dtype))]
    args, text = [x], "ops.F({b0}, {0})"
    if other is not None:
        params.append(m.param(Type(other[1].shape[1:])))
        args.append(other[0])
        text = "ops.F(lambda pair: {b0}(*pair), ({0}, {1}))"
    body, (row,) = m.block(params, None, **changes)
    text = text.replace("F", "vectorized_map" if vectorized else "map")
    m.emit(Step("call", text, m.outs(Type((n, *row.shape), row.dtype)), tuple(args), (body,)))
    return True


# ---- functions


def function(m: Maker) -> bool:
    if m.context.repeated > 4:
        return False
    x, type = m.float_value()
    kind = m.rng.randrange(3)
    body, (result,) = m.block((m.param(type),), None, decorator="" if kind == 2 else "@graphc.function", bounded=True)
    if kind == 0:
        y = m.of_type(type)[0]
        outs = m.outs(result, result)
        m.emit(Step("call", "({b0}({0}), {b0}({1}))", outs, (x, y), (body,), pattern="{0}, {1}"))
    else:
        text = "graphc.remat({b0})({0})" if kind == 2 else "{b0}({0})"
        m.emit(Step("call", text, m.outs(result), (x,), (body,)))
    return True


def custom_gradient(m: Maker) -> bool:
    x, type = m.float_value()
    changes: dict[str, Any] = {"reads": False, "assigns": False, "draws": False, "branches": False, "depth": 9}
    blocks = tuple(m.block((m.param(type),), (type,), most=3, **changes)[0] for _ in range(2))
    m.emit(Step("call", "with_slope({b0}, {b1})({0})", m.outs(type), (x,), blocks))
    return True


REGIONS: Table = (
    (4, cond),
    (2, switch),
    (3, python_if),
    (3, while_loop),
    (3, fori_loop),
    (3, python_for),
    (5, scan),
    (6, mapped),
    (3, function),
    (2, custom_gradient),
)
