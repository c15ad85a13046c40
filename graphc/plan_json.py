"""Plans as objects that JSON has: what the cache keeps beside machine code, so that known programs just run.

Sizes are numbers, or sums of products: `{"sum": [[2, "B"], [-1, {"div": ["B", 3]}]]}` is `2*B - B // 3`. Origins are
left out: they tell whoever looks at a program, and change with every line that is added above them.
"""

from __future__ import annotations

import base64
from typing import Any

from graphc import dims
from graphc.dims import Atom, Dim, IntExpr
from graphc.dtypes import as_dtype
from graphc.errors import VerificationError
from graphc.graph.types import Array
from graphc.plan import Buffer, Copy, Launch, Loop, Plan, Step


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
            steps = [_step(inner) for inner in step.steps]
            return ["loop", step.symbol, _dim(step.count), steps, step.lanes, step.apart]


def _read_step(data: list[Any]) -> Step:
    match data:
        case ["launch", kernel, buffers, reads, writes, symbols]:
            return Launch(kernel, tuple(buffers), tuple(reads), tuple(writes), tuple(symbols))
        case ["copy", source, target, *sizes]:
            return Copy(source, target, *(_read_dim(size) for size in sizes))
        case ["loop", symbol, count, steps, lanes, apart]:
            return Loop(symbol, _read_dim(count), tuple(_read_step(inner) for inner in steps), lanes, tuple(apart))
    raise ValueError(f"no step: {data}")


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
