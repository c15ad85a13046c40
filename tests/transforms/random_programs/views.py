"""Views, indexing and updates of parts in random programs."""

from __future__ import annotations

from tests.transforms.random_programs.maker import MOST_ELEMENTS, Maker, Table
from tests.transforms.random_programs.operations import is_bool, is_int, with_axes
from tests.transforms.random_programs.program import Step, Type

SLICES = (
    *((":", slice(None)), ("::-1", slice(None, None, -1)), ("1:", slice(1, None)), (":-1", slice(None, -1))),
    *(("::2", slice(None, None, 2)), ("-2::-1", slice(-2, None, -1))),
)


def view(m: Maker) -> bool:
    found = m.pick(lambda type: type.rank > 0 and not is_bool(type)) if m.chance(0.8) else m.pick(lambda type: True)
    if found is None:
        return False
    x, type = found
    text, shape = m.choose((_reshaped, _transposed, _sliced, _sliced, _stretched, _padded))(m, type)
    if any(n == 0 for n in shape):
        return False
    m.add(text, Type(shape, type.dtype), x)
    return True


def _reshaped(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    n = type.elements
    options: list[tuple[int, ...]] = [(n,), (1, n), (n, 1), type.shape[::-1]]
    options += [(k, n // k) for k in (2, 3, 4) if n % k == 0 and n > k]
    shape = m.choose(options)
    if shape == (n,) and m.chance(0.5):
        return m.choose(("ops.ravel({0})", "ops.reshape({0}, (-1,))")), shape
    if type.rank and m.chance(0.3):
        axis = m.rng.randrange(type.rank + 1)
        return f"ops.expand_dims({{0}}, {axis})", (*type.shape[:axis], 1, *type.shape[axis:])
    return f"ops.reshape({{0}}, {shape})", shape


def _transposed(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    order = list(range(type.rank))
    m.rng.shuffle(order)
    if m.chance(0.3) or type.rank < 2:
        return "ops.transpose({0})", type.shape[::-1]
    if m.chance(0.3):
        shape = list(type.shape)
        shape[0], shape[-1] = shape[-1], shape[0]
        return "ops.swapaxes({0}, 0, -1)", tuple(shape)
    return f"ops.transpose({{0}}, {tuple(order)})", tuple(type.shape[i] for i in order)


def _sliced(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    parts, shape = [], list[int]()
    for n in type.shape[: m.rng.randint(1, max(type.rank, 1))]:
        kind = m.rng.randrange(6)
        if kind == 0:
            parts.append(str(m.rng.randrange(-n, n)))
            continue
        text, found = m.choose(SLICES)
        parts.append(text)
        shape.append(len(range(n)[found]))
    if m.chance(0.2):
        parts.append("None")
        shape.append(1)
    rest = type.shape[sum(part != "None" for part in parts) :]
    if m.chance(0.15) and parts:
        parts.append("...")
    return f"{{0}}[{', '.join(parts)}]" if parts else "ops.copy({0})", (*shape, *rest)


def _stretched(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    if type.elements * 2 > MOST_ELEMENTS:
        return "ops.copy({0})", type.shape
    if type.rank and m.chance(0.3):
        return "ops.repeat({0}, 2, axis=0)", (type.shape[0] * 2, *type.shape[1:])
    if type.rank and m.chance(0.4):
        return f"ops.tile({{0}}, {(1,) * (type.rank - 1) + (2,)})", (*type.shape[:-1], type.shape[-1] * 2)
    return f"ops.broadcast_to({{0}}, {(2, *type.shape)})", (2, *type.shape)


def _padded(m: Maker, type: Type) -> tuple[str, tuple[int, ...]]:
    if not type.rank or is_bool(type):
        return "ops.copy({0})", type.shape
    widths = tuple((m.rng.randint(0, 1), m.rng.randint(0, 1)) for _ in type.shape)
    return f"ops.pad({{0}}, {widths})", tuple(n + a + b for n, (a, b) in zip(type.shape, widths, strict=True))


def joined(m: Maker) -> bool:
    found = m.pick(with_axes)
    if found is None:
        return False
    x, type = found
    y = m.of_type(type)[0]
    axis = m.rng.randrange(type.rank)
    n = type.shape[axis]
    joint = Type((*type.shape[:axis], 2 * n, *type.shape[axis + 1 :]))
    if m.chance(0.4):
        m.add(f"ops.stack([{{0}}, {{1}}], axis={axis})", Type((*type.shape[:axis], 2, *type.shape[axis:])), x, y)
    elif m.chance(0.3) and n > 1:
        parts = [Type((*type.shape[:axis], k, *type.shape[axis + 1 :])) for k in (1, n - 1)]
        outs = tuple((m.name("h"), part) for part in parts)
        m.emit(Step("call", f"ops.split({{0}}, [1], axis={axis})", outs, (x,), pattern="{0}, {1}"))
    else:
        m.add(f"ops.concatenate([{{0}}, {{1}}], axis={axis})", joint, x, y)
    return True


def indexed(m: Maker) -> bool:
    index, found = m.pick(lambda type: is_int(type) and type.rank <= 2), m.pick(with_axes)
    if index is None or found is None:
        return False
    (x, type), (i, places) = found, index
    n = type.shape[0]
    text, shape = m.choose(
        (
            (f"ops.take({{0}}, {{1}} % {n}, axis=0)", (*places.shape, *type.shape[1:])),
            (f"{{0}}[{{1}} % {n}]", (*places.shape, *type.shape[1:])),
            (f"{{0}}[..., {{1}} % {type.shape[-1]}]", (*type.shape[:-1], *places.shape)),
        )
    )
    m.add(text, Type(shape), x, i)
    return True


def updated(m: Maker) -> bool:
    """A part of a tensor is replaced, or something is added to it."""
    found = m.pick(with_axes)
    if found is None:
        return False
    x, type = found
    n = type.shape[0]
    i = m.rng.randrange(n)
    y = m.of_type(Type(type.shape[1:]))[0]
    texts = (
        *(f"{{0}}.at[{i}].set({{1}})", f"{{0}}.at[{i - n}].add({{1}})", "{0}.at[::-2].multiply(ops.sin({1}))"),
        f"ops.slice_update({{0}}, {(i, *(0 for _ in type.shape[1:]))}, {{1}}[None])",
    )
    m.add(m.choose(texts), type, x, y)
    return True


def scattered(m: Maker) -> bool:
    """Rows at computed places are replaced (all by one), or added to."""
    index, found = m.pick(lambda type: is_int(type) and type.rank == 1), m.pick(with_axes)
    if index is None or found is None:
        return False
    (x, type), (i, _) = found, index
    y = m.of_type(Type(type.shape[1:]))[0]
    place = f"{{1}} % {type.shape[0]}"
    texts = (
        *(f"{{0}}.at[{place}].set({{2}})", f"{{0}}.at[{place}].add({{2}} * 0.3)"),
        f"{{0}}.at[{place}].max({{2}} * 0.87 + 0.0173)",
    )
    m.add(m.choose(texts), type, x, i, y)
    return True


VIEWS: Table = ((8, view), (3, joined), (4, indexed), (2, updated), (2, scattered))
