"""Random graphs for hypothesis: all kinds of operations, several dtypes, a symbolic batch, small and finite.

Floating-point values stay near [-2, 2] and no operation magnifies a rounding error by much, so that two right ways of
computing a graph agree closely. What jumps (comparisons, rounding, positions of extrema, indices) is applied only to
values that every right way computes exactly: those marked exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from graphc import dims, dtypes, interpret
from graphc.dims import Dim
from graphc.dtypes import DType
from graphc.errors import GraphcError
from graphc.graph.builder import Builder, Value
from graphc.graph.core import Graph
from graphc.graph.types import TensorType
from graphc.primitives.indexing import added_up

Array = np.ndarray[Any, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

BATCH = dims.size("B")
LARGEST = 600
# At this batch, sizes are compared with LARGEST.
NOMINAL = 5
FLOATS = (dtypes.float32, dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
INTEGERS = (dtypes.int32, dtypes.int32, dtypes.int8, dtypes.uint8, dtypes.int64, dtypes.uint32)
SHAPES: tuple[tuple[Dim, ...], ...] = (
    (BATCH, 4),
    (BATCH,),
    (3, 4),
    (4,),
    (),
    (BATCH, 3, 2),
    (2, 5, 1),
    (BATCH, 4, 4, 2),
)
# After this many operations an error may have grown, and some steps of a half, where what is rounded differs at all.
TOLERANCES = {"float64": 1e-9, "float32": 2e-4, "float16": 0.008, "bfloat16": 0.06}


@dataclass(frozen=True)
class Sample:
    """A graph, and what to run it with."""

    graph: Graph
    inputs: dict[str, Array]
    sizes: dict[str, int]

    def expected(self) -> list[Array]:
        """What the interpreter makes of it."""
        return interpret.run(self.graph, self.inputs, sizes=self.sizes)[0]

    @property
    def tolerance(self) -> float:
        """How far two right results may be apart: as the coarsest dtype on the way allows."""
        names = {type.dtype.name for node in self.graph.table.values() for type in node.outs}
        return max((TOLERANCES[name] for name in names if name in TOLERANCES), default=0.0)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints of a failing sample."""
        printer.text(f"B={self.sizes['B']}\n{self.graph.to_text()}\n{self.inputs}")


def assert_near(sample: Sample, got: list[Array]) -> None:
    """Fails where another way of running a graph disagrees with the interpreter."""
    expected = sample.expected()
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        bound = sample.tolerance if dtypes.as_dtype(b.dtype).is_float else 0
        np.testing.assert_allclose(a.astype(np.float64), b.astype(np.float64), rtol=bound, atol=bound)


@st.composite
def graphs(draw: Draw, most: int = 40) -> Sample:
    """Graphs of up to `most` steps, each of which is a few nodes, with inputs to run them on."""
    maker = _Maker(draw)
    for _ in range(draw(st.integers(1, 4))):
        maker.new_input()
    for _ in range(draw(st.integers(1, most))):
        maker.step()
    graph = maker.finish()
    sizes = {"B": draw(st.integers(1, 5))}
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    inputs = {name: _sample(rng, node.outs[0], sizes) for name, node in graph.inputs.items()}
    return Sample(graph, inputs, sizes)


def _sample(rng: np.random.Generator, type: TensorType, sizes: dict[str, int]) -> Array:
    shape = tuple(dims.evaluate(dim, sizes) for dim in type.shape)
    if type.dtype.is_bool:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if type.dtype.is_float:
        # Multiples of a quarter: every dtype has them, and equal ones are common.
        return (rng.integers(-8, 9, shape) / 4).astype(type.dtype.numpy)
    return rng.integers(0 if type.dtype.kind == "uint" else -5, 6, shape).astype(type.dtype.numpy)


class _Maker:
    """A graph under construction, and which of its values are exact."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.builder = Builder({"B": (1, 64)})
        self.values: list[Value] = []
        self.exact: set[Any] = set()
        self.used: set[Any] = set()

    # ---- choices

    def choose(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def pick(self, fits: Callable[[Value], bool] = lambda value: True, exact: bool = False) -> Value | None:
        """Some value that fits; late ones come first when hypothesis simplifies."""
        found = [v for v in reversed(self.values) if fits(v) and (not exact or v.ref in self.exact)]
        if not found:
            return None
        value: Value = self.choose(found)
        self.used.add(value.ref)
        return value

    def partner(self, value: Value, exact: bool = False) -> Value:
        """A value of the same type; the value itself always is one."""
        found = self.pick(lambda other: other.type == value.type, exact)
        return value if found is None else found

    def axis(self, value: Value, static: bool = False) -> int | None:
        axes = [a for a, dim in enumerate(value.shape) if not static or isinstance(dim, int)]
        return self.choose(axes) if axes else None

    def add(self, value: Value, exact: bool = False) -> None:
        elements = dims.evaluate(value.type.elements, {"B": NOMINAL})
        if elements <= LARGEST and value.rank <= 5:
            self.values.append(value)
            if exact:
                self.exact.add(value.ref)

    def is_exact(self, *values: Value) -> bool:
        return all(value.ref in self.exact for value in values)

    def op(self, name: str, *operands: Value, **attrs: Any) -> Value:
        return operands[0].builder.apply(name, *operands, **attrs)

    def bounded(self, value: Value) -> Value:
        """A value brought back near zero."""
        return self.op("clip", value, low=-2, high=2) if value.dtype.is_float else value

    # ---- the whole

    def new_input(self) -> Value:
        dtype: DType = self.choose((*FLOATS, *INTEGERS, dtypes.bool_))
        value = self.builder.input(f"x{len(self.values)}", TensorType(self.choose(SHAPES), dtype))
        self.add(value, exact=True)
        return value

    def step(self) -> None:
        maker = self.choose(_STEPS)
        try:
            maker(self)
        except GraphcError:
            # Windows larger than their operand, slices that are empty: another step, then.
            return

    def finish(self) -> Graph:
        """The graph whose results are the values that nothing reads, and a few of the others."""
        ends = [value for value in self.values if value.ref not in self.used]
        ends += self.draw(st.lists(st.sampled_from(self.values), max_size=2))
        return self.builder.finish(ends)


def _is_float(value: Value) -> bool:
    return value.dtype.is_float


def _is_integer(value: Value) -> bool:
    return value.dtype.is_integer


def _is_bool(value: Value) -> bool:
    return value.dtype.is_bool


def _is_number(value: Value) -> bool:
    return not value.dtype.is_bool


# ---- pointwise


def _smooth(m: _Maker) -> None:
    x = m.pick(_is_float)
    if x is not None:
        m.add(m.op(m.choose(("tanh", "sin", "cos", "erf", "atan", "asinh")), x))


def _positive(m: _Maker) -> None:
    x = m.pick(_is_float)
    if x is None:
        return
    above = m.op("add", m.op("abs", x), m.builder.full(1, x.shape, x.dtype))
    name = m.choose(("log", "sqrt", "rsqrt", "log1p", "cbrt", "pow"))
    if name == "pow":
        exponent = m.choose((0.5, 1, 2, -1, 0.3))
        m.add(m.bounded(m.op("pow", above, m.builder.full(exponent, x.shape, x.dtype))))
    else:
        m.add(m.op(name, above))


def _exact_unary(m: _Maker) -> None:
    x = m.pick(_is_number)
    if x is None:
        return
    if x.dtype.kind == "uint":
        name = m.choose(("relu", "stop_gradient", "copy"))
    else:
        name = m.choose(("neg", "abs", "relu", "stop_gradient", "copy"))
    m.add(m.op(name, x), m.is_exact(x))


def _jumps(m: _Maker) -> None:
    x = m.pick(_is_float, exact=True)
    if x is not None:
        m.add(m.op(m.choose(("floor", "ceil", "round", "trunc", "sign")), x), exact=True)


def _arithmetic(m: _Maker) -> None:
    x = m.pick(_is_number)
    if x is None:
        return
    y = m.partner(x)
    name = m.choose(("add", "sub", "mul", "minimum", "maximum"))
    exact = m.is_exact(x, y) and (x.dtype.is_integer or name in ("minimum", "maximum"))
    if x.dtype.is_integer:
        # Kept small, so that signed overflow, which wraps here, is a test of its own.
        x, y = (m.op("clip", v, low=-9, high=9) for v in (x, y))
    m.add(m.bounded(m.op(name, x, y)), exact)


def _divide(m: _Maker) -> None:
    x = m.pick(_is_number)
    if x is None:
        return
    y = m.partner(x)
    if x.dtype.is_float:
        m.add(m.op("div", x, m.op("add", m.op("abs", y), m.builder.full(1, y.shape, y.dtype))))
        return
    divisor = m.op("clip", y, low=m.choose((1, -3, 0)), high=5)
    m.add(m.op(m.choose(("floordiv", "mod")), x, divisor), m.is_exact(x, y))


def _identity(m: _Maker) -> None:
    """What the simplifier takes away."""
    x = m.pick(_is_number)
    if x is None:
        return
    number = m.choose((0, 1, 2))
    full = m.builder.full(number, x.shape, x.dtype)
    name = m.choose(("add", "sub", "mul", "minimum"))
    operands = (x, full) if m.draw(st.booleans()) else (full, x)
    m.add(m.bounded(m.op(name, *operands)), m.is_exact(x) and x.dtype.is_integer)


def _turned(m: _Maker) -> None:
    """Some operations on complex numbers, of whose result a part is kept."""
    x = m.pick(lambda value: value.dtype in (dtypes.float32, dtypes.float64))
    if x is None:
        return
    z = m.op("complex", x, m.partner(x))
    z = m.op(m.choose(("exp", "conj", "neg")), z)
    for name in m.draw(st.lists(st.sampled_from(("mul", "conj", "reverse", "sum", "cumsum", "add")), max_size=3)):
        if name in ("mul", "add"):
            z = m.op(name, z, m.builder.full(0.6 - 0.8j, z.shape, z.dtype))
        elif name == "sum":
            z = m.op(name, _mean_scaled(m, z, dims.product(z.shape)), axes=tuple(range(z.rank)))
        elif name == "conj":
            z = m.op(name, z)
        elif z.rank:
            z = (
                m.op("reverse", z, axes=(0,))
                if name == "reverse"
                else m.op("cumsum", _mean_scaled(m, z, z.shape[0]), axis=0, reverse=False)
            )
    m.add(m.bounded(m.op(m.choose(("real", "imag", "abs")), z)))


def _compare(m: _Maker) -> None:
    x = m.pick(exact=True)
    if x is not None:
        m.add(m.op(m.choose(("eq", "ne", "lt", "le", "gt", "ge")), x, m.partner(x, exact=True)), exact=True)


def _logic(m: _Maker) -> None:
    x = m.pick(_is_bool)
    if x is None:
        return
    name = m.choose(("logical_and", "logical_or", "logical_xor", "logical_not"))
    m.add(m.op(name, x) if name == "logical_not" else m.op(name, x, m.partner(x)), exact=True)


def _bits(m: _Maker) -> None:
    x = m.pick(_is_integer, exact=True)
    if x is None:
        return
    y = m.partner(x, exact=True)
    name = m.choose(("bit_and", "bit_or", "bit_xor", "bit_not", "shift_right"))
    if name == "bit_not":
        m.add(m.op(name, x), exact=True)
    elif name == "shift_right":
        m.add(m.op(name, x, m.op("clip", y, low=0, high=3)), exact=True)
    else:
        m.add(m.op(name, x, y), exact=True)


def _select(m: _Maker) -> None:
    condition = m.pick(_is_bool)
    if condition is None:
        return
    x = m.pick(lambda value: value.shape == condition.shape)
    if x is not None:
        y = m.partner(x)
        m.add(m.op("select", condition, x, y), m.is_exact(x, y))


def _cast(m: _Maker) -> None:
    to: DType = m.choose((*FLOATS, *INTEGERS, dtypes.bool_))
    x = m.pick(exact=not to.is_float)
    if x is None:
        return
    if x.dtype.is_integer and to.is_float:
        x = m.op("clip", x, low=-4, high=4)
        exact = x.ref in m.exact
        m.add(m.op("cast", x, dtype=to), exact)
    elif to.is_integer:
        if not x.dtype.is_bool:
            x = m.op("clip", x, low=0 if to.kind == "uint" else -4, high=4)
        m.add(m.op("cast", x, dtype=to), exact=True)
    else:
        m.add(m.op("cast", x, dtype=to), m.is_exact(x))


def _clip(m: _Maker) -> None:
    x = m.pick(_is_number)
    if x is not None:
        m.add(m.op("clip", x, low=m.choose((-1, 0)), high=m.choose((1, 2))), m.is_exact(x))


# ---- views


def _broadcast(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank < 4)
    if x is None:
        return
    place, dim = m.draw(st.integers(0, x.rank)), m.choose((BATCH, 2, 3, 1))
    shape = (*x.shape[:place], dim, *x.shape[place:])
    m.add(m.builder.broadcast(x, shape, tuple(a for a in range(x.rank + 1) if a != place)), m.is_exact(x))


def _reshape(m: _Maker) -> None:
    x = m.pick()
    if x is None:
        return
    shapes: list[tuple[Dim, ...]] = [(x.type.elements,), (*x.shape, 1), (1, *x.shape)]
    for a in range(x.rank - 1):
        shapes.append((*x.shape[:a], x.shape[a] * x.shape[a + 1], *x.shape[a + 2 :]))
    for a, dim in enumerate(x.shape):
        shapes += [(*x.shape[:a], dim // 2, 2, *x.shape[a + 1 :])] * (isinstance(dim, int) and dim % 2 == 0)
        shapes += [(*x.shape[:a], *x.shape[a + 1 :])] * (dim == 1)
    m.add(m.op("reshape", x, shape=m.choose(shapes)), m.is_exact(x))


def _transpose(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 1)
    if x is not None:
        order = tuple(m.draw(st.permutations(range(x.rank))))
        m.add(m.op("transpose", x, order=order), m.is_exact(x))


def _slice(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0)
    if x is None:
        return
    start, stop, step = [0] * x.rank, list(x.shape), [1] * x.rank
    axis = m.axis(x, static=True)
    if axis is not None:
        start[axis] = m.draw(st.integers(0, x.shape[axis] - 1))
        stop[axis] = m.draw(st.integers(start[axis] + 1, x.shape[axis]))
        step[axis] = m.choose((1, 1, 2))
    m.add(m.op("slice", x, start=tuple(start), stop=tuple(stop), step=tuple(step)), m.is_exact(x))


def _pad(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0)
    if x is None:
        return
    low, high, interior = ([0] * x.rank for _ in range(3))
    axis = m.axis(x)
    low[axis], high[axis] = m.draw(st.integers(0, 2)), m.draw(st.integers(0, 2))
    if isinstance(x.shape[axis], int):
        interior[axis] = m.choose((0, 0, 1))
    value = m.choose((0, 1))
    attrs = {"low": tuple(low), "high": tuple(high), "interior": tuple(interior), "value": value}
    m.add(m.op("pad", x, **attrs), m.is_exact(x))


def _reverse(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0)
    if x is not None:
        m.add(m.op("reverse", x, axes=(m.axis(x),)), m.is_exact(x))


def _concatenate(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0)
    if x is None:
        return
    operands = [x, *(m.partner(x) for _ in range(m.draw(st.integers(0, 2))))]
    m.add(m.op("concatenate", *operands, axis=m.axis(x)), m.is_exact(*operands))


def _source(m: _Maker) -> None:
    name = m.choose(("iota", "size", "constant", "random"))
    if name == "iota":
        dtype, shape = m.choose((dtypes.int32, dtypes.float32)), m.choose(SHAPES[:4])
        value = m.builder.apply("iota", shape=shape, axis=m.draw(st.integers(0, len(shape) - 1)), dtype=dtype)
        m.add(m.bounded(value), exact=True)
    elif name == "size":
        m.add(m.bounded(m.builder.size(BATCH * m.choose((1, 2)) + 1, m.choose(FLOATS))), exact=True)
    elif name == "constant":
        numbers = np.asarray(m.draw(st.lists(st.integers(-4, 4), min_size=4, max_size=4))) / 4
        m.add(m.builder.constant(numbers, m.choose(FLOATS)), exact=True)
    else:
        seed = m.builder.constant([1, 2], dtypes.uint32)
        bits = m.builder.apply("random_bits", seed, shape=m.choose(SHAPES[:4]))
        m.add(m.op("shift_right", bits, m.builder.full(28, bits.shape, dtypes.uint32)), exact=True)


# ---- gather and scatter


def _gather(m: _Maker) -> None:
    indices = m.pick(lambda value: value.dtype.is_integer and value.rank < 3, exact=True)
    x = m.pick(lambda value: value.rank > 0)
    if indices is not None and x is not None:
        m.add(m.op("gather", x, indices, axis=m.axis(x)), m.is_exact(x))


def _scatter(m: _Maker) -> None:
    indices = m.pick(lambda value: value.dtype.is_integer and value.rank == 1, exact=True)
    if indices is None:
        return
    x = m.pick(lambda value: value.rank > 0 and value.shape[0] == indices.shape[0] and _is_number(value))
    if x is None:
        return
    if x.dtype.is_float:
        x = _mean_scaled(m, x, x.shape[0])
    m.add(m.bounded(added_up(indices, x, m.choose((3, 4, BATCH)))), x.dtype.is_integer and m.is_exact(x))


def _mean_scaled(m: _Maker, x: Value, count: Dim) -> Value:
    """A value divided by how many are to be added up."""
    divisor = m.builder.broadcast(m.builder.size(count, x.dtype), x.shape, ())
    return m.op("div", x, divisor)


# ---- reductions, scans, contractions, windows


def _axes(m: _Maker, x: Value) -> tuple[int, ...]:
    return tuple(sorted(m.draw(st.sets(st.integers(0, x.rank - 1), min_size=1)))) if x.rank else ()


def _reduce(m: _Maker) -> None:
    x = m.pick(_is_number)
    if x is None:
        return
    axes = _axes(m, x)
    several = ("logsumexp", "variance") if x.dtype.is_float and axes else ()
    name = m.choose(("sum", "max", "min", *several))
    if name in several:
        m.add(m.bounded(m.op(name, x, axes=axes)))
        return
    if name == "sum" and x.dtype.is_float:
        x = _mean_scaled(m, x, dims.product(x.shape[axis] for axis in axes))
    m.add(m.op(name, x, axes=axes), m.is_exact(x) and (name != "sum" or x.dtype.is_integer))


def _positions(m: _Maker) -> None:
    x = m.pick(exact=True)
    if x is not None:
        m.add(m.op(m.choose(("argmax", "argmin")), x, axes=_axes(m, x)), exact=True)


def _any_all(m: _Maker) -> None:
    x = m.pick(_is_bool)
    if x is not None:
        m.add(m.op(m.choose(("any", "all")), x, axes=_axes(m, x)), exact=True)


def _cumulative(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0 and _is_number(value))
    if x is None:
        return
    axis, name = m.axis(x), m.choose(("cumsum", "cummax", "cummin", "cumprod"))
    if name == "cumprod":
        if not x.dtype.is_float:
            return
        x = m.op("tanh", x)
    elif name == "cumsum" and x.dtype.is_float:
        x = _mean_scaled(m, x, x.shape[axis])
    exact = m.is_exact(x) and (name != "cumsum" or x.dtype.is_integer)
    m.add(m.op(name, x, axis=axis, reverse=m.draw(st.booleans())), exact)


def _contract(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0 and _is_float(value))
    if x is None:
        return
    axis = m.axis(x)
    y = m.pick(lambda value: value.dtype is x.dtype and x.shape[axis] in value.shape)
    if y is None:
        return
    other = m.choose([a for a, dim in enumerate(y.shape) if dim == x.shape[axis]])
    pairs = [(a, b) for a in range(x.rank) for b in range(y.rank) if x.shape[a] == y.shape[b]]
    pairs = [(a, b) for a, b in pairs if a != axis and b != other]
    batch = m.choose([(), *(((a,), (b,)) for a, b in pairs)]) or ((), ())
    x = _mean_scaled(m, x, x.shape[axis])
    attrs = {"lhs_batch": batch[0], "rhs_batch": batch[1], "lhs_contract": (axis,), "rhs_contract": (other,)}
    m.add(m.bounded(m.op("contract", x, y, **attrs)))


def _conv(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank in (3, 4) and _is_float(value) and isinstance(value.shape[-1], int))
    if x is None:
        return
    spatial = x.rank - 2
    if not all(isinstance(dim, int) for dim in x.shape[1:-1]):
        return  # A symbolic axis may be shorter than the filter.
    kernel = tuple(m.choose((1, 2)) for _ in range(spatial))
    w = m.builder.input(f"w{len(m.values)}", TensorType((*kernel, x.shape[-1], 2), x.dtype))
    x = _mean_scaled(m, x, dims.product(kernel) * x.shape[-1])
    attrs = {
        "strides": tuple(m.choose((1, 2)) for _ in range(spatial)),
        "padding": tuple((m.choose((0, 1)), m.choose((0, 1))) for _ in range(spatial)),
        "lhs_dilation": (1,) * spatial,
        "rhs_dilation": tuple(m.choose((1, 2)) for _ in range(spatial)),
        "groups": 1,
    }
    m.add(m.bounded(m.op("conv", x, w, **attrs)))


def _window(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 0 and _is_number(value))
    axis = m.axis(x, static=True) if x is not None else None
    if x is None or axis is None:
        return
    combine = m.choose(("sum", "max", "min"))
    each = [[1] * x.rank, [1] * x.rank, [(0, 0)] * x.rank]
    # Padding less than the window: every window has an element, whose extremum is finite.
    each[0][axis], each[1][axis], each[2][axis] = m.choose((2, 3)), m.choose((1, 2)), (m.choose((0, 1)), 0)
    if combine == "sum" and x.dtype.is_float:
        x = _mean_scaled(m, x, each[0][axis])
    names = ("window", "strides", "padding")
    attrs = {name: tuple(part) for name, part in zip(names, each, strict=True)} | {"dilation": (1,) * x.rank}
    exact = m.is_exact(x) and (combine != "sum" or x.dtype.is_integer)
    m.add(m.op("window_reduce", x, combine=combine, **attrs), exact)


def _scan(m: _Maker) -> None:
    x = m.pick(lambda value: value.rank > 1 and _is_float(value))
    if x is None:
        return
    element = TensorType(x.shape[1:], x.dtype)
    body = Builder(m.builder.symbols)
    state, part = body.input("s0", element), body.input("x0", element)
    new = body.apply("tanh", body.apply("sub", part, state))
    initial = m.builder.full(m.choose((0, 1)), element.shape, element.dtype)
    counts = {"constants": 0, "carries": 1, "xs": 1, "length": x.shape[0], "reverse": m.draw(st.booleans())}
    for result in m.builder.apply_many("scan", initial, x, body=body.finish([new, new]), **counts):
        m.add(result)


_POINTWISE = (_smooth, _positive, _exact_unary, _jumps, _arithmetic, _arithmetic, _divide, _identity, _compare, _logic)
_CHOICE = (_turned, _bits, _select, _cast, _clip)
_VIEWS = (_broadcast, _broadcast, _reshape, _reshape, _transpose, _slice, _pad, _reverse, _concatenate, _source)
_PLACES = (_gather, _scatter)
_SUMS = (_reduce, _reduce, _positions, _any_all, _cumulative, _contract, _conv, _window, _scan)
_STEPS = (*_POINTWISE, *_CHOICE, *_VIEWS, *_PLACES, *_SUMS, _Maker.new_input)
