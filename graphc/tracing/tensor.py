"""Tensors: an array, or a value of the graph that is being traced; and how operations are applied to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

import graphc.primitives  # noqa: F401  (operations are known once this is imported)
from graphc import config, dims, dtypes
from graphc.dims import Dim, IntExpr, Shape
from graphc.dtypes import DType
from graphc.errors import GraphcError, ShapeError
from graphc.graph.builder import Value
from graphc.graph.registry import primitive
from graphc.graph.types import TensorType
from graphc.tracing import keys
from graphc.tracing.arrays import Array, array_of, arriving, check_range, own
from graphc.tracing.operators import Operators
from graphc.tracing.origins import current_origin, describe
from graphc.tracing.shapes import broadcast_shapes, likeliest, may_agree
from graphc.tracing.trace import InferenceTrace, Trace, current_trace, no_value


class Tensor(Operators):
    """A multidimensional array of one dtype: eager (it has values) or traced (a graph computes it).

    Args:
        source: The array, or the value of a graph.

    Example:

    >>> Tensor(np.array([1.0, 2.0], "float32")) * 2
    <Tensor shape=(2,), dtype=float32, value=[2. 4.]>
    """

    __slots__ = ("_keras_mask", "_source", "logits")

    def __init__(self, source: Array | Value) -> None:
        self._source = source
        # Set by softmax and sigmoid: their name and operand, for losses that are more exact with logits.
        self.logits: tuple[str, Tensor, int] | None = None
        # Which steps count, where it is a batch of sequences: set by layers, under the name that Keras has for it.
        self._keras_mask: Tensor | None = None

    @property
    def traced(self) -> Value | None:
        """The value of a graph that it stands for; None where it is an array."""
        return self._source if isinstance(self._source, Value) else None

    @property
    def type(self) -> TensorType:
        """Its shape and dtype, as graphs have them."""
        if isinstance(self._source, Value):
            return self._source.type
        return TensorType(self._source.shape, dtypes.as_dtype(self._source.dtype))

    @property
    def shape(self) -> tuple[Any, ...]:
        """The size of each axis: a number, or an expression of symbolic sizes."""
        return self._source.shape

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self._source.shape)

    @property
    def dtype(self) -> str:
        """The name of its dtype."""
        return self.type.dtype.name

    def numpy(self) -> Array:
        """Its values.

        Raises:
            StateError: if it is part of a graph that is being traced.
        """
        if isinstance(self._source, Value):
            raise no_value(self.type)
        return self._source

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __tensor__(self) -> Tensor:
        return self

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __index__(self) -> int:
        return self.numpy().__index__()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a tensor without axes has no length")
        if not isinstance(self.shape[0], int):
            raise no_value(self.type)
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __format__(self, spec: str) -> str:
        return format(self.numpy().item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        start = f"<Tensor shape={self.shape}, dtype={self.dtype}"
        return f"{start}>" if isinstance(self._source, Value) else f"{start}, value={self._source}>"

    def _operate(self, name: str, *operands: Any) -> Any:
        for other in operands:
            # What is more than a tensor (a symbolic input of a model) takes the operation over.
            if isinstance(other, Operators) and not hasattr(other, "__tensor__"):
                return other._operate(name, *operands)
        return operate(name, *operands)


# ---- from anything to tensors


def as_tensor(x: Any, dtype: DType | None = None) -> Tensor:
    """What a tensor, a variable, an array, a size, a number or a nested list of numbers is as a tensor.

    Args:
        x: What to convert. Python floats become the default float dtype, Python integers int32. Arrays of 64 bits
            become those of 32, as in Keras on JAX; float64 stays where it is the default float dtype.
        dtype: The dtype that it shall have.

    Raises:
        DTypeError: if it cannot be a tensor, or an integer does not fit the dtype.
    """
    if hasattr(x, "__tensor__"):
        tensor: Tensor = x.__tensor__()
        return tensor if dtype is None else cast(tensor, dtype)
    if isinstance(x, IntExpr):
        return bind("size", dim=x, dtype=dtype or dtypes.int32)
    if isinstance(x, list | tuple) and any(hasattr(part, "__tensor__") or isinstance(part, IntExpr) for part in x):
        return _stacked([as_tensor(part) for part in x], dtype)
    array = array_of(x)
    python = not isinstance(x, np.ndarray | np.generic) and not hasattr(x, "__array__")
    # Python numbers are weakly typed: they have the dtype that is wanted, as long as it can hold them.
    if array.dtype.kind in "iu" and (python or dtype is None):
        wanted = dtype if dtype is not None else dtypes.int32 if python else arriving(dtypes.as_dtype(array.dtype))
        check_range(array, wanted)
        return Tensor(own(array.astype(wanted.numpy, copy=False), x))
    if dtype is None and array.dtype.kind == "f":
        dtype = dtypes.as_dtype(config.floatx()) if python else arriving(dtypes.as_dtype(array.dtype))
    if dtype is not None and array.dtype != dtype.numpy:
        return Tensor(primitive("cast").eval(array, dtype=dtype))
    return Tensor(own(array, x))


def _stacked(parts: list[Tensor], dtype: DType | None) -> Tensor:
    wanted = dtype or result_dtype(*parts)
    rows = [reshape(cast(part, wanted), (1, *part.shape)) for part in parts]
    return bind("concatenate", *rows, axis=0) if len(rows) > 1 else rows[0]


def _weak_kind(x: Any) -> str | None:
    """The kind of a Python number, which takes the dtype of what it meets; None for what has a dtype of its own."""
    if isinstance(x, np.generic):
        return None
    if isinstance(x, bool):
        return "bool"
    if isinstance(x, int | IntExpr):
        return "int"
    return "float" if isinstance(x, float) else None


def result_dtype(*operands: Any) -> DType:
    """The dtype in which operands are combined: tensors, arrays and Python numbers, the last of which count for less.

    Example:

    >>> result_dtype(np.zeros(2, "float16"), 1.5), result_dtype(np.zeros(2, "int8"), 1.5)
    (float16, float32)
    """
    weak = {_weak_kind(x) for x in operands}
    strong = [dtype_of(x) for x in operands if _weak_kind(x) is None]
    if not strong:
        return dtypes.as_dtype(config.floatx()) if "float" in weak else dtypes.int32 if "int" in weak else dtypes.bool_
    result = dtypes.promote(*strong)
    if result is dtypes.int64 and all(dtype.bits < 64 for dtype in strong):
        # What holds int32 and uint32: there are 64 bits only where they are asked for.
        result = dtypes.int32
    if "float" in weak and not result.is_float:
        return dtypes.as_dtype(config.floatx())
    return dtypes.int32 if "int" in weak and result.is_bool else result


def dtype_of(x: Any) -> DType:
    """The dtype that something has as a tensor."""
    if isinstance(x, Tensor):
        return x.type.dtype
    if isinstance(x, np.ndarray | np.generic):
        return arriving(dtypes.as_dtype(x.dtype))
    return as_tensor(x).type.dtype


def get_mask(x: Any) -> Any:
    """The mask that a tensor carries: booleans that tell which of its steps count. None: all do."""
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Puts a mask on a tensor."""
    x._keras_mask = mask


# ---- applying primitives


def bind(op: str, *operands: Tensor, **attrs: Any) -> Tensor:
    """Applies a primitive with one result: computes it where all is eager, else adds it to the trace.

    Raises:
        GraphcError: if the operands do not fit, with the layer and the user's line.
    """
    return bind_many(op, *operands, **attrs)[0]


def bind_many(op: str, *operands: Tensor, **attrs: Any) -> tuple[Tensor, ...]:
    """Applies a primitive with any number of results."""
    trace = current_trace()
    if trace is not None:
        values = [lift(operand, trace) for operand in operands]
        trace.builder.loc = (current_origin(),)
        return tuple(Tensor(value) for value in trace.builder.apply_many(op, *values, **attrs))
    found = primitive(op)
    arrays = [operand.numpy() for operand in operands]
    try:
        found.infer(*(operand.type for operand in operands), **attrs)
        results = found.eval(*arrays, **attrs)
    except GraphcError as error:
        origin = current_origin()
        raise error.locate(layer=origin.layer or None, where=describe(origin)) from error.__cause__
    return tuple(Tensor(np.asarray(r)) for r in (results if isinstance(results, tuple) else (results,)))


def lift(tensor: Tensor, trace: Trace) -> Value:
    """The value of the trace that a tensor is there; arrays become constants.

    Raises:
        StateError: if the tensor belongs to a trace that is over.
    """
    value = tensor.traced
    if value is None:
        return trace.builder.constant(tensor.numpy(), tensor.type.dtype)
    return value if value.builder is trace.builder else trace.capture(value)


# ---- shapes


def reshape(x: Tensor, shape: Shape) -> Tensor:
    """The same elements in another shape, without a node where nothing changes."""
    if x.shape == shape:
        return x
    value = x.traced
    if value is not None and value.builder.node(value.ref).op == "reshape":
        x = Tensor(value.builder.value(value.builder.node(value.ref).inputs[0]))
        if x.shape == shape:
            return x
    sizes = {dims.product(x.shape), dims.product(shape)}
    return _assumed(x, shape) if len(sizes) > 1 and may_agree(sizes) else bind("reshape", x, shape=shape)


def _assumed(x: Tensor, shape: Shape) -> Tensor:
    """The tensor in a shape that it is assumed to have: see `InferenceTrace`."""
    trace = current_trace()
    if x.shape == shape or not isinstance(trace, InferenceTrace):
        return x
    return Tensor(trace.stand_in(TensorType(shape, x.type.dtype)))


def alike(tensors: Sequence[Tensor], names: Sequence[Sequence[Hashable]]) -> list[Tensor]:
    """Tensors whose axes of the same name must have the same size, sizes that may turn out to be so assumed to be.

    Args:
        tensors: Tensors.
        names: For each the names of its axes.
    """
    if not isinstance(current_trace(), InferenceTrace):
        return list(tensors)
    sizes: dict[Hashable, set[Dim]] = {}
    for tensor, axes in zip(tensors, names, strict=True):
        for axis, size in zip(axes, tensor.shape, strict=True):
            sizes.setdefault(axis, set()).add(size)
    common = {axis: likeliest(found) for axis, found in sizes.items() if 1 not in found and may_agree(found)}
    return [
        _assumed(x, tuple(common.get(axis, size) for axis, size in zip(axes, x.shape, strict=True)))
        for x, axes in zip(tensors, names, strict=True)
    ]


def broadcast_to(x: Tensor, shape: Shape) -> Tensor:
    """The tensor repeated to a shape by NumPy's rules, which the caller has checked."""
    if x.shape == shape:
        return x
    offset = len(shape) - x.ndim
    pairs = list(zip(x.shape, shape[offset:], strict=True))
    x = _assumed(x, tuple(whole if dim != 1 and may_agree((dim, whole)) else dim for dim, whole in pairs))
    kept = [axis for axis, dim in enumerate(x.shape) if dim == shape[axis + offset]]
    x = reshape(x, tuple(x.shape[axis] for axis in kept))
    axes = tuple(axis + offset for axis in kept)
    return x if axes == tuple(range(len(shape))) else bind("broadcast", x, shape=shape, axes=axes)


def cast(x: Tensor, dtype: DType) -> Tensor:
    """The tensor in another dtype, without a node where nothing changes."""
    return x if x.type.dtype is dtype else bind("cast", x, dtype=dtype)


def together(*operands: Any, dtype: DType | None = None) -> list[Tensor]:
    """Operands as tensors of one shape and one dtype."""
    first = operands[0]
    if (
        dtype is None
        and isinstance(first, Tensor)
        and all(isinstance(x, Tensor) and x.type == first.type for x in operands[1:])
    ):
        return list(operands)
    wanted = dtype or result_dtype(*operands)
    tensors = [as_tensor(x, wanted) for x in operands]
    shape = broadcast_shapes(*(tensor.shape for tensor in tensors))
    if current_trace() is None and not all(isinstance(dim, int) for dim in shape):
        raise no_value(shape)
    return [broadcast_to(tensor, shape) for tensor in tensors]


# ---- what Python's operators mean


def elementwise(op: str, *operands: Any) -> Tensor:
    """A pointwise primitive on operands of any shapes and dtypes that combine."""
    return bind(op, *together(*operands))


def float_dtype(*operands: Any) -> DType:
    """The dtype in which operands are combined to a float: where there is none among them, the default one."""
    dtype = result_dtype(*operands)
    return dtype if dtype.is_float else dtypes.as_dtype(config.floatx())


def in_floats(op: str, *operands: Any) -> Tensor:
    """A pointwise primitive on operands of any shapes and dtypes, as floats."""
    return bind(op, *together(*operands, dtype=float_dtype(*operands)))


def on_numbers(op: str, *operands: Any) -> Tensor:
    """A pointwise primitive on operands of any shapes and dtypes; booleans count as integers."""
    dtype = result_dtype(*operands)
    return bind(op, *together(*operands, dtype=dtypes.int32 if dtype.is_bool else dtype))


def _boolean_or(logical: str, bits: str) -> Callable[..., Tensor]:
    """A logical operation on booleans, one on bits otherwise."""

    def apply(*operands: Any) -> Tensor:
        dtype = result_dtype(*operands)
        return bind(logical if dtype.is_bool else bits, *together(*operands, dtype=dtype))

    return apply


def _add(x: Any, y: Any) -> Tensor:
    return elementwise("logical_or" if result_dtype(x, y).is_bool else "add", x, y)


def _multiply(x: Any, y: Any) -> Tensor:
    return elementwise("logical_and" if result_dtype(x, y).is_bool else "mul", x, y)


def power(x: Any, y: Any) -> Tensor:
    """`x ** y`; small whole exponents become products, which cost less and have exact gradients."""
    number = _weak_kind(y) is not None and not isinstance(y, IntExpr)
    if number and y in (1, 2, 3) and dtype_of(x).is_float:
        base = as_tensor(x)
        return base if y == 1 else base * base if y == 2 else base * base * base
    if number and y == 0.5 and dtype_of(x).is_float:
        base = as_tensor(x)
        # The root of minus infinity is no number, its power is infinite.
        endless = elementwise("eq", base, -math.inf)
        inside = bind("sqrt", bind("select", endless, *together(1, base)))
        return bind("select", endless, *together(math.inf, inside))
    return on_numbers("pow", x, y)


def product_dtypes(*operands: Any) -> tuple[DType, DType]:
    """The dtype in which sums of products are formed, and that of the result.

    Products of int8 are summed in int32, as in Keras; booleans combine by `and` and `or`: where a count is not zero.
    """
    result = result_dtype(*operands)
    narrow = all(dtype_of(x) is dtypes.int8 for x in operands)
    formed = dtypes.int32 if result.is_bool or narrow else result
    return formed, dtypes.bool_ if result.is_bool else formed


def matmul(x: Any, y: Any) -> Tensor:
    """The matrix product by NumPy's rules: last axes contract, the ones before the last two broadcast."""
    formed, result = product_dtypes(x, y)
    return cast(_matmul(as_tensor(x, formed), as_tensor(y, formed)), result)


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("`matmul` takes tensors of rank 1 or more", got=f"{a.type} and {b.type}")
    summed = max(0, b.ndim - 2)
    a, b = alike(
        (a, b),
        [
            [("left", axis) for axis in range(a.ndim - 1)] + ["summed"],
            [("right", axis) if axis != summed else "summed" for axis in range(b.ndim)],
        ],
    )
    contract = {"lhs_contract": (a.ndim - 1,), "rhs_contract": (summed,)}
    if b.ndim <= 2 or a.ndim == 1:
        product = bind("contract", a, b, lhs_batch=(), rhs_batch=(), **contract)
        return product
    shape = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast_to(a, (*shape, *a.shape[-2:])), broadcast_to(b, (*shape, *b.shape[-2:]))
    batch = tuple(range(len(shape)))
    contract = {"lhs_contract": (a.ndim - 1,), "rhs_contract": (b.ndim - 2,)}
    return bind("contract", a, b, lhs_batch=batch, rhs_batch=batch, **contract)


def _absolute(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.kind in ("bool", "uint") else bind("abs", tensor)


def _negative(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return elementwise("sub", 0, tensor) if tensor.type.dtype.kind == "uint" else bind("neg", tensor)


def _invert(x: Any) -> Tensor:
    tensor = as_tensor(x)
    return bind("logical_not" if tensor.type.dtype.is_bool else "bit_not", tensor)


# ---- indexing


def getitem(x: Any, key: Any) -> Tensor:
    """`x[key]` with integers, slices, `None`, `...`, and arrays of integers and booleans, as NumPy has it.

    Where arrays of integers are outside of their axis they count as its nearest end, as in Keras on JAX.

    Raises:
        ShapeError: if the key does not fit the shape.
        DTypeError: if it is a mask that a graph computes: its result has no fixed shape.
    """
    tensor = as_tensor(x)
    parts = keys.parts_of(key, tensor.shape)
    arrays = [part for part in parts if keys.is_indices(part)]
    start, stop, step, turned = keys.bounds(parts, tensor.shape)
    if tensor.traced is None and not arrays and all(isinstance(bound, int) for bound in (*start, *stop)):
        return Tensor(np.asarray(tensor.numpy()[parts]))
    if arrays and not keys.adjacent(parts):
        # NumPy puts the axis of what is picked first, and so with integers among the arrays.
        parts = tuple(as_tensor(part) if keys.is_integer(part) else part for part in parts)
        start, stop, step, turned = keys.bounds(parts, tensor.shape)
    if turned:
        tensor = bind("reverse", tensor, axes=turned)
    if (start, stop, step) != ((0,) * tensor.ndim, tensor.shape, (1,) * tensor.ndim):
        tensor = bind("slice", tensor, start=start, stop=stop, step=step)
    return _shaped(parts, tensor)


def _shaped(parts: tuple[Any, ...], x: Tensor) -> Tensor:
    """Drops the axes of integers, adds those of None, and picks where arrays of places stand."""
    shape: list[Dim] = []
    picked: list[tuple[int, Any]] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            shape.append(x.shape[axis])
        elif keys.is_indices(part):
            picked.append((len(shape), part))
            shape.append(x.shape[axis])
        axis += 1
    x = reshape(x, tuple(shape))
    if not picked:
        return x
    axes = [axis for axis, _ in picked]
    places = [as_indices(part) for _, part in picked]
    return _picked(x, axes, places, front=not keys.adjacent(parts))


def _picked(x: Tensor, axes: list[int], places: list[Tensor], front: bool) -> Tensor:
    """Elements at places along some axes, which count together; their axes become the first, or stay."""
    common = broadcast_shapes(*(part.shape for part in places))
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    extents = [x.shape[axis] for axis in axes]
    if 0 in extents and 0 not in common:
        raise keys.located(ShapeError("nothing can be picked from an axis without elements", got=str(x.type)))
    flat, inside = _flat_places([broadcast_to(part, common) for part in places], extents)
    before = 0 if front else axes[0]
    order = (*rest[:before], *axes, *rest[before:])
    moved = x if order == tuple(range(x.ndim)) else bind("transpose", x, order=order)
    sizes = moved.shape
    moved = reshape(moved, (*sizes[:before], dims.product(extents), *sizes[before + len(axes) :]))
    found = bind("gather", moved, flat, axis=before)
    if inside is None:
        return found
    inside = bind("broadcast", inside, shape=found.shape, axes=tuple(range(before, before + len(common))))
    # What stands for elements outside has no part in gradients.
    return bind("select", inside, found, bind("stop_gradient", found))


def _flat_places(places: list[Tensor], extents: list[Dim]) -> tuple[Tensor, Tensor | None]:
    """Places in several axes as places in one, moved into the axes, and where they were inside; None: everywhere."""
    flat: Tensor | None = None
    inside: Tensor | None = None
    for part, extent in zip(places, extents, strict=True):
        part = wrapped(part, extent)
        if not all_inside(part, extent):
            held = bind("logical_and", elementwise("ge", part, 0), elementwise("lt", part, extent))
            inside = held if inside is None else bind("logical_and", inside, held)
            part = elementwise("minimum", elementwise("maximum", part, 0), extent - 1)
        flat = part if flat is None else elementwise("add", elementwise("mul", flat, extent), part)
    assert flat is not None
    return flat, inside


def all_inside(places: Tensor, extent: Dim) -> bool:
    """Whether places are known to be in an axis."""
    if places.traced is not None or not isinstance(extent, int):
        return False
    values = places.numpy()
    return not values.size or bool(values.min() >= 0 and values.max() < extent)


def as_indices(x: Any) -> Tensor:
    """Integers that can count any axis: those of fewer than 32 bits, booleans and floats become int32."""
    tensor = as_tensor(x)
    return tensor if tensor.type.dtype.is_integer and tensor.type.dtype.bits >= 32 else cast(tensor, dtypes.int32)


def wrapped(indices: Tensor, extent: Dim) -> Tensor:
    """Indices into an axis, with the negative ones counted from its end."""
    if indices.type.dtype.kind == "uint":
        return indices
    return bind("select", elementwise("lt", indices, 0), elementwise("add", indices, extent), indices)


OPERATORS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {
        "add": _add,
        "sub": partial(on_numbers, "sub"),
        "mul": _multiply,
        "div": partial(in_floats, "div"),
        "floordiv": partial(on_numbers, "floordiv"),
        "mod": partial(on_numbers, "mod"),
        "pow": power,
        "matmul": matmul,
        "neg": _negative,
        "abs": _absolute,
        "invert": _invert,
        "and": _boolean_or("logical_and", "bit_and"),
        "or": _boolean_or("logical_or", "bit_or"),
        "xor": _boolean_or("logical_xor", "bit_xor"),
        **{name: partial(elementwise, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
        "getitem": getitem,
    }
)


def operate(name: str, *operands: Any) -> Tensor:
    """Applies one of Python's operators."""
    return OPERATORS[name](*operands)
