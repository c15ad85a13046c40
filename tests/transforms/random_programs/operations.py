"""The simple steps of random programs: operations and variables."""

from __future__ import annotations

from typing import Any

from tests.transforms.random_programs.maker import Maker, Table
from tests.transforms.random_programs.program import Named, Step, Type

UNARY = (
    *("ops.tanh({0})", "ops.sin({0})", "ops.cos({0})", "ops.sigmoid({0})", "ops.erf({0})", "ops.arctan({0})"),
    *("-{0}", "ops.exp({0} * 0.4) * 0.5", "ops.exp(-ops.square({0}))", "ops.log1p(ops.square({0}))", "ops.silu({0})"),
    *("ops.sqrt(1.5 + ops.sin({0}))", "ops.rsqrt(1.5 + ops.square({0}))", "ops.softplus({0}) - 0.5", "1 - {0}"),
    *("ops.gelu({0})", "ops.abs({0} + 0.0137)", "ops.relu({0} + 0.0171)", "ops.clip({0}, -0.7131, 0.8113)"),
    *("{0} ** 2 * 0.25", "ops.power(1.3 + ops.tanh({0}), 1.7) * 0.3", "ops.log(1.2 + ops.square({0}))", "{0} / 1.7"),
    *("ops.sin({0}) ** 3", "ops.logaddexp({0}, 0.3) * 0.5", "ops.softsign({0})", "ops.sinh({0} * 0.2)", "ops.elu({0})"),
)
BINARY = (
    *("ops.sin({0} + {1})", "{0} * {1} * 0.5", "ops.tanh({0} - {1})", "{0} / (1.5 + ops.square({1}))"),
    *("ops.maximum({0}, {1} * 0.83 + 0.0371)", "ops.minimum({0} * 0.71 - 0.0219, {1})", "({0} + {1}) * 0.5"),
    *("ops.arctan2({0}, ops.square({1}) + 1.1)", "ops.hypot({0} + 2.1, {1})", "ops.logaddexp({0}, {1}) * 0.5"),
    *("ops.cos({0}) * {1}", "ops.power(1.3 + ops.sin({0}), {1} * 0.5)", "ops.where({1} > 0.1234, {0}, {1} * 0.4)"),
)
REDUCTIONS = (
    *("ops.sin(ops.sum({0}{a}))", "ops.mean({0}{a})", "ops.max({0} + ramp{s}{a}) - 0.5", "ops.min({0} + ramp{s}{a})"),
    *("ops.prod(ops.tanh({0}){a})", "ops.logsumexp({0}{a}) * 0.4", "ops.var({0}{a})", "ops.mean({0} ** 3{a})"),
)
# Along an axis `A` of a shape `S`.
ALONG = (
    *("ops.softmax({0}, axis=A)", "ops.log_softmax({0}, axis=A) * 0.3", "{0} - ops.mean({0}, axis=A, keepdims=True)"),
    *("ops.flip({0}, axis=A)", "ops.roll({0}, 1, axis=A)", "ops.roll({0}, -2, axis=A)"),
    "ops.associative_scan(lambda a, b: a + b, {0}, axis=A) * 0.4",
    "ops.associative_scan(lambda a, b: a * b, ops.tanh({0}) + 0.5, reverse=True, axis=A)",
    "ops.associative_scan(lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (ops.sin({0}), {0}), axis=A)[1] * 0.5",
)
SORTED = (
    "ops.sort({0} + ramp(S), axis=A)",
    "ops.take_along_axis({0}, ops.argsort({0} + ramp(S), axis=A), axis=A)",
)
INTEGER = ("({0} + {1}) % 7 - 3", "{0} * {1} % 5", "ops.abs({0}) // 2 - {1} // 3", "ops.maximum({0}, -{1})", "{0} % 3")


def is_float(type: Type) -> bool:
    return type.dtype == "float32"


def is_int(type: Type) -> bool:
    return type.dtype == "int32"


def is_bool(type: Type) -> bool:
    return type.dtype == "bool"


def with_axes(type: Type) -> bool:
    return type.rank > 0 and is_float(type)


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that two shapes broadcast to; None where they do not."""
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    if any(x != y and 1 not in (x, y) for x, y in pairs):
        return None
    return tuple(max(pair) for pair in pairs)


def partner(m: Maker, shape: tuple[int, ...]) -> tuple[Named, tuple[int, ...]]:
    """A float that broadcasts with a shape, and the shape of both."""
    found = m.pick(lambda type: is_float(type) and broadcast(shape, type.shape) is not None)
    y = found or m.of_type(Type(shape))
    joint = broadcast(shape, y[1].shape)
    assert joint is not None
    return y, joint


def unary(m: Maker) -> bool:
    x, type = m.float_value()
    m.add(m.choose(UNARY), type, x)
    return True


def binary(m: Maker) -> bool:
    x, type = m.float_value()
    (y, _), shape = partner(m, type.shape)
    m.add(m.choose(BINARY), Type(shape), *((x, y) if m.chance(0.5) else (y, x)))
    return True


def stopped(m: Maker) -> bool:
    x, type = m.float_value()
    m.add("ops.stop_gradient({0})", type, x, smooth=False)
    return True


def rounded(m: Maker) -> bool:
    x, type = m.float_value()
    m.add(m.choose(("ops.floor({0} * 3.0 + 0.2713) * 0.25", "ops.sign({0} + 0.0213)")), type, x, smooth=False)
    return True


def _reduced(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    """Arguments that name axes, and the shape after a reduction over them."""
    if not type.rank or m.chance(0.2):
        return "", ()
    axes = sorted(m.rng.sample(range(type.rank), m.rng.randint(1, type.rank)))
    keep = m.chance(0.3)
    given: Any = axes[0] if len(axes) == 1 else tuple(axes)
    if len(axes) == 1 and m.chance(0.4):
        given = axes[0] - type.rank
    shape = tuple(1 if i in axes else n for i, n in enumerate(type.shape) if keep or i not in axes)
    return f", axis={given}" + (", keepdims=True" if keep else ""), shape


def reduction(m: Maker) -> bool:
    x, type = m.float_value()
    axes, shape = _reduced(m, type)
    m.add(m.choose(REDUCTIONS).replace("{a}", axes).replace("{s}", f"({type.shape})"), Type(shape), x)
    return True


def along_axis(m: Maker) -> bool:
    found = m.pick(with_axes)
    if found is None:
        return False
    x, type = found
    text = m.choose(SORTED if m.context.sorts and m.chance(0.3) else ALONG)
    m.add(text.replace("A", str(m.rng.randrange(-type.rank, type.rank))).replace("S", str(type.shape)), type, x)
    return True


def product(m: Maker) -> bool:
    found = m.pick(lambda type: with_axes(type) and type.rank <= 3)
    if found is None:
        return False
    x, type = found
    n = type.shape[-1]
    other = m.pick(lambda type: is_float(type) and 1 <= type.rank <= 2 and type.shape[0] == n)
    y, right = other or m.of_type(Type((n, 2)))
    text = m.choose(("ops.sin(ops.matmul({0}, {1}))", "({0} @ {1}) * 0.3"))
    if type.rank <= 2 and m.chance(0.3):
        letters = "ab"[-type.rank :] if type.rank > 1 else "b"
        rest = "bc"[: right.rank]
        text = f"ops.einsum('{letters},{rest}->{rest[1:]}{letters[:-1]}', {{0}}, {{1}}) * 0.3"
        m.add(text, Type((*right.shape[1:], *type.shape[:-1])), x, y)
        return True
    m.add(text, Type((*type.shape[:-1], *right.shape[1:])), x, y)
    return True


def chosen(m: Maker) -> bool:
    found = m.pick(is_bool)
    if found is None:
        return False
    b, type = found
    (x, _), shape = partner(m, type.shape)
    (y, _), shape = partner(m, shape)
    m.add("ops.where({0}, {1}, {2})", Type(shape), b, x, y)
    return True


def compared(m: Maker) -> bool:
    x, type = m.float_value()
    if m.chance(0.5):
        m.add(m.choose(("{0} > 0.1371", "ops.less({0}, 0.2193)")), Type(type.shape, "bool"), x)
        return True
    (y, _), shape = partner(m, type.shape)
    m.add("ops.greater({0}, {1} * 0.9 + 0.0533)", Type(shape, "bool"), x, y)
    return True


def logic(m: Maker) -> bool:
    found = m.pick(is_bool)
    if found is None:
        return False
    b, type = found
    c = m.of_type(type)[0]
    kind = m.rng.randrange(4)
    if kind == 0:
        axes, shape = _reduced(m, type)
        m.add(m.choose(("ops.any({0}A)", "ops.all({0}A)")).replace("A", axes), Type(shape, "bool"), b)
    elif kind == 1:
        m.add("ops.sum(ops.cast({0}, 'int32'))", Type((), "int32"), b)
    else:
        texts = ("ops.logical_and({0}, {1})", "ops.logical_or({0}, {1})", "ops.logical_xor({0}, ops.logical_not({1}))")
        m.add(m.choose(texts), type, b, c)
    return True


def integers(m: Maker) -> bool:
    found = m.pick(is_int)
    if found is None:
        return False
    i, type = found
    j = m.of_type(type)[0]
    kind = m.rng.randrange(5)
    if kind == 0:
        m.add(m.choose(("ops.cast({0}, 'float32') * 0.3", "ops.sin({0} * 0.7)")), Type(type.shape), i)
    elif kind == 1:
        axes, shape = _reduced(m, type)
        text = m.choose(("ops.sum({0}A) % 7", "ops.max({0}A)", "ops.min({0}A)"))
        m.add(text.replace("A", axes), Type(shape, "int32"), i)
    elif kind == 2:
        m.add("{0} % 2 == 0", Type(type.shape, "bool"), i)
    elif kind == 3:
        m.add("ops.one_hot({0} % 3, 3)", Type((*type.shape, 3)), i)
    else:
        m.add(m.choose(INTEGER), type, i, j)
    return True


def positions(m: Maker) -> bool:
    found = m.pick(with_axes)
    if found is None:
        return False
    x, type = found
    axis = m.rng.randrange(type.rank)
    if m.context.sorts and m.chance(0.4):
        name, shape = "argsort", type.shape
    else:
        name, shape = m.choose(("argmax", "argmin")), (*type.shape[:axis], *type.shape[axis + 1 :])
    m.add(f"ops.{name}({{0}} + ramp({type.shape}), axis={axis})", Type(shape, "int32"), x)
    return True


# ---- state


def read(m: Maker) -> bool:
    if not m.context.reads:
        return False
    v, type = m.choose(m.variables)
    if is_int(type):
        m.add(m.choose((f"{v}.value", f"{v} + 1", f"ops.abs({v})")), type)
        return True
    (x, _), shape = partner(m, type.shape)
    if m.chance(0.4):
        m.add(m.choose((f"{v}.value", f"ops.sin({v})", f"0.5 - {v}", f"{v} * 0.5")), type)
    else:
        m.add(m.choose((f"ops.tanh({{0}} * {v})", f"{v} * {{0}} * 0.4", f"ops.sin({v} - {{0}})")), Type(shape), x)
    return True


def assigned(m: Maker) -> bool:
    if not m.context.assigns:
        return False
    v, type = m.choose(m.variables)
    x = m.of_type(type)[0]
    texts = ("V.assign({0})", "V.assign(V * 0.5 + {0} * 0.5)", "V.assign_add({0} * 0.1)", "V.assign_sub({0} * 0.2)")
    whole = ("V.assign({0})", "V.assign_add({0} % 3)", "V.assign(({0} - V) % 5)")
    m.emit(Step("call", m.choose(whole if is_int(type) else texts).replace("V", v), (), (x,)))
    return True


def drawn(m: Maker) -> bool:
    if not m.context.draws:
        return False
    shape = m.choose(((), (3,), (2, 3)))
    texts = (f"ops.tanh(random.normal({shape}, seed=generator))", f"random.uniform({shape}, seed=generator)")
    m.add(m.choose(texts), Type(shape))
    return True


OPERATIONS: Table = (
    (12, unary),
    (12, binary),
    (1, stopped),
    (1, rounded),
    (6, reduction),
    (2, along_axis),
    (4, product),
    (3, chosen),
    (3, compared),
    (2, logic),
    (5, integers),
    (2, positions),
    (8, read),
    (5, assigned),
    (4, drawn),
)
