"""Plans as objects that JSON has: what the cache keeps beside machine code, so that known programs just run.

Sizes are numbers, or sums of products: `{"sum": [[2, "B"], [-1, {"div": ["B", 3]}]]}` is `2*B - B // 3`. Origins are
left out: only dumps need them, and they change with every line that is added above them.
"""

from __future__ import annotations

import base64
from typing import Any

from graphc import dims
from graphc.dims import Atom, Dim, IntExpr
from graphc.dtypes import DType, as_dtype
from graphc.errors import VerificationError
from graphc.graph.types import Array, Attrs
from graphc.plan import Branch, Buffer, Copy, Launch, LibraryCall, Loop, Plan, Step, While


def to_object(plan: Plan) -> dict[str, Any]:
    """A plan as dictionaries, lists, texts and numbers.

    Returns:
        An object of which `from_object` makes an equal plan, origins left out; also after it was text.
    """
    return {
        "steps": [_step(step) for step in plan.steps],
        "buffers": [_buffer(buffer) for buffer in plan.buffers],
        "outputs": list(plan.outputs),
        "symbols": {name: list(bounds) for name, bounds in plan.symbols.items()},
        "work": _dim(plan.work),
    }


def from_object(data: dict[str, Any]) -> Plan:
    """The plan that `to_object` took apart.

    Raises:
        VerificationError: if this is no such object.
    """
    try:
        return Plan(
            tuple(_read_step(step) for step in data["steps"]),
            tuple(_read_buffer(id, buffer) for id, buffer in enumerate(data["buffers"])),
            tuple(data["outputs"]),
            {name: (low, high) for name, (low, high) in data["symbols"].items()},
            _read_dim(data["work"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise VerificationError("this is not a plan", got=repr(error)) from None


def _step(step: Step) -> list[Any]:
    match step:
        case Launch():
            return ["launch", step.kernel, step.buffers, step.reads, step.writes, step.symbols]
        case Copy():
            sizes = (step.elements, step.source_offset, step.target_offset)
            return ["copy", step.source, step.target, *(_dim(size) for size in sizes)]
        case Loop():
            return ["loop", step.symbol, _dim(step.count), _block(step.steps), step.slots, step.private]
        case While():
            return ["while", step.holds, _block(step.test), _block(step.steps)]
        case Branch():
            return ["branch", step.index, [_block(block) for block in step.branches], _dim(step.offset)]
        case LibraryCall():
            attrs = {name: _attr(value) for name, value in step.attrs.items()}
            shapes = [[_dim(dim) for dim in shape] for shape in step.shapes]
            offsets = [_dim(offset) for offset in step.offsets]
            return [
                "call",
                step.operation,
                attrs,
                step.operands,
                step.results,
                shapes,
                offsets,
                _dim(step.work),
                step.native,
            ]


def _block(steps: tuple[Step, ...]) -> list[Any]:
    return [_step(step) for step in steps]


def _read_step(data: list[Any]) -> Step:
    match data:
        case ["launch", kernel, buffers, reads, writes, symbols]:
            return Launch(kernel, tuple(buffers), tuple(reads), tuple(writes), tuple(symbols))
        case ["copy", source, target, *sizes]:
            return Copy(source, target, *(_read_dim(size) for size in sizes))
        case ["loop", symbol, count, steps, slots, private]:
            return Loop(symbol, _read_dim(count), _read_block(steps), slots, tuple(private))
        case ["while", holds, test, steps]:
            return While(holds, _read_block(test), _read_block(steps))
        case ["branch", index, branches, offset]:
            return Branch(index, tuple(_read_block(block) for block in branches), _read_dim(offset))
        case ["call", operation, attrs, operands, results, shapes, offsets, work, native]:
            return LibraryCall(
                operation,
                Attrs({name: _read_attr(value) for name, value in attrs.items()}),
                tuple(operands),
                tuple(results),
                tuple(tuple(_read_dim(dim) for dim in shape) for shape in shapes),
                tuple(_read_dim(offset) for offset in offsets),
                _read_dim(work),
                native,
            )
    raise ValueError(f"no step: {data}")


def _read_block(steps: list[Any]) -> tuple[Step, ...]:
    return tuple(_read_step(step) for step in steps)


def _attr(value: Any) -> Any:
    """An attribute of a library's function: a size, a text, a number, or several of these."""
    if isinstance(value, tuple):
        return {"tuple": [_attr(part) for part in value]}
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, complex):
        return {"complex": [repr(value.real), repr(value.imag)]}
    if isinstance(value, int | IntExpr):
        return _dim(value)
    if isinstance(value, DType):
        return {"dtype": value.name}
    raise VerificationError("a plan has no form for this attribute", got=repr(value))


def _read_attr(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    match data:
        case {"tuple": parts}:
            return tuple(_read_attr(part) for part in parts)
        case {"float": text}:
            return float(text)
        case {"complex": [real, imag]}:
            return complex(float(real), float(imag))
        case {"dtype": name}:
            return as_dtype(name)
    return _read_dim(data)


def _buffer(buffer: Buffer) -> list[Any]:
    row = [buffer.role, buffer.dtype.name, _dim(buffer.elements), buffer.name]
    if buffer.value is None:
        return row
    return [*row, list(buffer.value.shape), base64.b64encode(buffer.value.data).decode()]


def _read_buffer(id: int, data: list[Any]) -> Buffer:
    role, dtype, elements, name, *constant = data
    value = None
    if constant:
        value = Array(as_dtype(dtype), tuple(constant[0]), base64.b64decode(constant[1]))
    return Buffer(id, role, as_dtype(dtype), _read_dim(elements), name, value)


def _dim(dim: Dim) -> Any:
    if not isinstance(dim, IntExpr):
        return dim
    return {"sum": [[coefficient, *(_atom(atom) for atom in monomial)] for monomial, coefficient in dim.terms]}


def _atom(atom: Atom) -> Any:
    if atom.kind == "size":
        return atom.name
    if atom.kind in ("div", "mod"):
        return {atom.kind: [_dim(argument) for argument in atom.args]}
    raise VerificationError("a plan speaks of sizes only", got=atom.text)


def _read_dim(data: Any) -> Dim:
    if isinstance(data, int):
        return data
    total: Dim = 0
    for coefficient, *factors in data["sum"]:
        total = total + dims.product(_read_factor(factor) for factor in factors) * coefficient
    return total


def _read_factor(data: Any) -> Dim:
    if isinstance(data, str):
        return dims.size(data)
    if "div" in data:
        return dims.floordiv(*(_read_dim(argument) for argument in data["div"]))
    return dims.mod(*(_read_dim(argument) for argument in data["mod"]))
