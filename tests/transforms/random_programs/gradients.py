"""The steps of random programs that take gradients: functions of functions, and tapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.transforms.random_programs.maker import HIGHEST_ORDER, Maker, Table
from tests.transforms.random_programs.operations import is_float
from tests.transforms.random_programs.program import Block, Named, Query, Step, Type

MOST_DERIVATIVES = 36


def gradient(m: Maker) -> bool:
    twice = m.chance(0.35)
    if m.context.order + 1 + twice > HIGHEST_ORDER:
        return False
    x, type = m.float_value()
    body = _differentiated(m, (type,), Type(()), 1 + twice)
    g = m.name("g"), type
    if twice:
        text = "graphc.grad(lambda a: ops.sum(ops.sin(graphc.grad({b0})(a))))({0})"
        m.emit(Step("call", text, (g,), (x,), (body,)), usable=False)
    else:
        value = m.name("g"), Type(())
        text = "graphc.value_and_grad({b0})({0})"
        m.emit(Step("call", text, (value, g), (x,), (body,), pattern="{0}, {1}"), usable=False)
    m.bound([g])
    return True


def gradients(m: Maker) -> bool:
    if m.context.order + 1 > HIGHEST_ORDER:
        return False
    (x, a), (y, b) = m.float_value(), m.float_value()
    body = _differentiated(m, (a, b), Type(()), 1)
    outs = (m.name("g"), a), (m.name("g"), b)
    text = "graphc.grad({b0}, argnums=(0, 1))({0}, {1})"
    m.emit(Step("call", text, outs, (x, y), (body,), pattern="{0}, {1}"), usable=False)
    m.bound(outs)
    return True


def matrix(m: Maker) -> bool:
    """Jacobian, Hessian, or a product with the Jacobian."""
    kind = m.rng.randrange(3)
    if m.context.order + (2 if kind else 1) > HIGHEST_ORDER:
        return False
    found = m.pick(lambda type: is_float(type) and (kind == 2 or type.elements <= 6))
    if found is None:
        return False
    x, type = found
    if kind == 1:
        body = _differentiated(m, (type,), Type(()), 2, assigns=False)
        outs: tuple[Named, ...] = ((m.name("g"), Type(type.shape * 2)),)
        m.emit(Step("call", "graphc.hessian({b0})({0})", outs, (x,), (body,)), usable=False)
    else:
        result = Type(m.choose(((), (2,), (3,), (2, 3))))
        body = _differentiated(m, (type,), result, 1 + (kind == 2), assigns=False)
        if kind == 0:
            outs = ((m.name("g"), Type((*result.shape, *type.shape))),)
            m.emit(Step("call", "graphc.jacobian({b0})({0})", outs, (x,), (body,)), usable=False)
        else:
            y = m.of_type(type)[0]
            outs = ((m.name("g"), result), (m.name("g"), result))
            text = "graphc.jvp({b0}, ({0},), ({1},))"
            m.emit(Step("call", text, outs, (x, y), (body,), pattern="{0}, {1}"), usable=False)
    m.bound(outs)
    return True


def _differentiated(m: Maker, types: tuple[Type, ...], result: Type, order: int, **changes: Any) -> Block:
    params = tuple(m.param(type) for type in types)
    order += m.context.order
    return m.block(params, (result,), order=order, bounded=True, **changes)[0]


def tape(m: Maker) -> bool:
    if m.context.order + 1 > HIGHEST_ORDER:
        return False
    # New tensors: a branch or a loop may return one that has another name already, and both names are watched then.
    watched = [m.add("ops.sin({0} + 0.1)", x[1], x[0]) for x in [m.float_value() for _ in range(m.rng.randint(0, 2))]]
    outer, context = m.steps, m.context
    m.context = replace(context, depth=context.depth + 1, order=context.order + 1, bounded=True)
    m.steps = []
    for _ in range(m.rng.randint(2, 9)):
        m.step()
    body, m.steps, m.context = tuple(m.steps), outer, context
    defined = tuple(named for step in body for named in step.outs)
    targets = [named for named in defined if is_float(named[1]) and named[0][0] == "h"]
    if not targets:
        m.steps += body
        return True
    ordered = tuple(watched)
    inner = [named for named in _depending(m, {name for name, _ in ordered}, body) if named in defined]
    queries, outs = [], list(defined)
    for _ in range(m.rng.choice((1, 1, 2))):
        query, found = _query(m, targets, ordered, inner)
        if query is not None:
            queries.append(query)
            outs += found
    block = Block((), body, ())
    usable = [named for named in outs if named[0][0] == "g"]
    m.emit(Step("tape", "", tuple(outs), (), (block,), watched=ordered, queries=tuple(queries)), usable=False)
    m.bound([named for named in usable if named not in defined])
    return True


def _query(
    m: Maker, targets: list[Named], watched: tuple[Named, ...], inner: list[Named]
) -> tuple[Query | None, list[Named]]:
    target, type = targets[-1 - min(int(m.rng.expovariate(0.5)), len(targets) - 1)]
    variables = [named for named in m.variables if is_float(named[1]) and m.context.reads]
    sources = list(watched) + [named for named in variables if m.chance(0.6)]
    sources += [named for named in inner[-2:] if named[0] != target and m.chance(0.4)]
    if not sources:
        return None, []
    missing = m.name("n"), Type((), "int32")
    if m.chance(0.15) and all(type.elements * of.elements <= MOST_DERIVATIVES for _, of in sources):
        outs = [(m.name("g"), Type((*type.shape, *of.shape))) for _, of in sources]
        names = tuple(name for name, _ in outs)
        query = Query(target, tuple(name for name, _ in sources), names, missing[0], jacobian=True)
    else:
        outs = [(m.name("g"), of) for _, of in sources]
        names = tuple(name for name, _ in outs)
        weight = m.pick(lambda other: other == type) if m.chance(0.3) else None
        query = Query(target, tuple(name for name, _ in sources), names, missing[0], weight[0] if weight else "")
    return query, [*outs, missing]


def _depending(m: Maker, known: set[str], steps: tuple[Step, ...]) -> list[Named]:
    """Values that depend on some by simple steps."""
    variables = tuple(name for name, type in m.variables if is_float(type))
    found: list[Named] = []
    for step in steps:
        through = step.kind == "call" and not step.blocks and step.smooth
        reads = any(name in step.text for name in variables) and ".assign" not in step.text
        if through and (reads or any(arg in known for arg in step.args)):
            named = [out for out in step.outs if is_float(out[1])]
            found += named
            known |= {name for name, _ in named}
    return found


GRADIENTS: Table = (
    (4, gradient),
    (2, gradients),
    (3, matrix),
    (9, tape),
)
