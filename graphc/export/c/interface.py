"""What an exported program takes and returns, by the names of the header."""

from __future__ import annotations

from dataclasses import dataclass

from graphc import dims
from graphc.dtypes import DType
from graphc.export.c.layout import Memory
from graphc.export.c.traced import Traced
from graphc.graph.types import TensorType
from graphc.plan import Plan
from graphc.tracing import BATCH

# The elements of arguments in C and C++: complex numbers are pairs, halves are bits, booleans are bytes.
_ELEMENTS = {
    "bool": "unsigned char",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
    "float16": "unsigned short",
    "bfloat16": "unsigned short",
    "float32": "float",
    "float64": "double",
    "complex64": "float",
    "complex128": "double",
}


def element_type(dtype: DType) -> str:
    """The type of an element of an argument."""
    return _ELEMENTS[dtype.name]


@dataclass(frozen=True)
class Argument:
    """An argument that is an array.

    Args:
        name: Its name in the header.
        type: Its shape and dtype.
        buffer: The buffer of the plan; None where the program does not read it.
        label: What the user calls it.
    """

    name: str
    type: TensorType
    buffer: int | None
    label: str

    @property
    def declaration(self) -> str:
        """Its declaration."""
        const = "const " if self.name.startswith("x") else ""
        return f"{const}{element_type(self.type.dtype)} *{self.name}"

    @property
    def sample(self) -> int:
        """The number of elements that a sample has; of all, where there is none for each sample."""
        return dims.evaluate(self.type.elements, {BATCH: 1})


@dataclass(frozen=True)
class Interface:
    """The function of an exported program.

    Args:
        name: What names begin with.
        inputs: Its inputs.
        outputs: Its outputs.
        max_batch: The most samples.
        is_fixed: Whether there must be as many, as for layers that keep states of samples.
        memory: The places of its buffers.
    """

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    max_batch: int
    is_fixed: bool
    memory: Memory

    @property
    def prefix(self) -> str:
        """What macros begin with."""
        return self.name.upper()

    @property
    def prototype(self) -> str:
        """The function, without a semicolon."""
        own = [f"{self.name}_state *state"] * bool(self.memory.state_bytes)
        own += ["const void *weights"] * (self.memory.weights is not None)
        arguments = [x.declaration for x in self.inputs] + ["size_t batch"] + [y.declaration for y in self.outputs]
        return f"int {self.name}_predict({', '.join([*arguments, *own, f'{self.name}_arena *arena'])})"


def interface_of(name: str, traced: Traced, plan: Plan, max_batch: int, is_fixed: bool, memory: Memory) -> Interface:
    """The function of a program.

    Args:
        name: What names begin with.
        traced: The prediction.
        plan: The plan.
        max_batch: The most samples.
        is_fixed: Whether there must be as many.
        memory: The places of its buffers.
    """
    buffers = {given: buffer.id for given, buffer in plan.named("input").items()}
    nodes = sorted(traced.graph.inputs.items(), key=lambda item: int(item[0][1:]))
    inputs = tuple(
        Argument("x" if len(nodes) == 1 else given, node.outs[0], buffers.get(given), label)
        for (given, node), label in zip(nodes, traced.labels[0], strict=True)
    )
    types = [traced.graph.type(ref) for ref in traced.graph.outputs]
    outputs = tuple(
        Argument("y" if len(types) == 1 else f"y{i}", type, plan.outputs[i], label)
        for i, (type, label) in enumerate(zip(types, traced.labels[1], strict=True))
    )
    return Interface(name, inputs, outputs, max_batch, is_fixed, memory)
