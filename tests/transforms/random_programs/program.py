"""Programs as data: steps over named values, with blocks for regions, functions and tapes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Type:
    """The shape and dtype of a value."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def elements(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


Named = tuple[str, Type]


def literal(rng: random.Random, type: Type) -> Any:
    """Random values as nested lists of numbers."""
    if type.shape:
        return [literal(rng, Type(type.shape[1:], type.dtype)) for _ in range(type.shape[0])]
    if type.dtype == "bool":
        return rng.random() < 0.5
    return rng.randint(-8, 8) / 8 if type.dtype == "float32" else rng.randint(-4, 4)


def constant(rng: random.Random, type: Type) -> str:
    """The expression of a random constant."""
    return f"ops.convert_to_tensor({array(literal(rng, type), type)})"


def array(values: Any, type: Type) -> str:
    """The expression of an array."""
    return f'np.array({values}, "{type.dtype}")'


@dataclass(frozen=True)
class Block:
    """A part of a program: the body of a function.

    Args:
        params: The names of its parameters.
        steps: What it does.
        results: What it returns.
        pattern: How results are returned: text with `{0}`, `{1}`, ... for them.
        decorator: A decorator of the function; empty if there is none.
    """

    params: tuple[Named, ...]
    steps: tuple[Step, ...]
    results: tuple[str, ...]
    pattern: str = "{0}"
    decorator: str = ""


@dataclass(frozen=True)
class Query:
    """A gradient that a tape is asked for: of a target by sources, with the names of the results.

    Args:
        target: A value.
        sources: Values and variables.
        outs: A name for each gradient.
        missing: The name of the number whose bits tell which gradients are None.
        weighted: The name of the target's cotangent; empty for ones.
        jacobian: Whether it asks for the Jacobian.
    """

    target: str
    sources: tuple[str, ...]
    outs: tuple[str, ...]
    missing: str
    weighted: str = ""
    jacobian: bool = False


@dataclass(frozen=True)
class Step:
    """A step of a program.

    Args:
        kind: `call`: an expression; blocks are functions that it names. `if`, `for`: statements. `tape`: a block that
            is recorded, and gradients.
        text: The expression, with `{0}`, ... for the arguments and `{b0}`, ... for the blocks.
        outs: The values that it defines.
        args: The values that it reads itself.
        blocks: Its blocks.
        pattern: How `outs` are unpacked.
        watched: Of a tape: values that it watches.
        queries: Of a tape: its gradients.
        smooth: Whether the outputs have gradients by the arguments that are floats.
    """

    kind: str
    text: str
    outs: tuple[Named, ...]
    args: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    pattern: str = "{0}"
    watched: tuple[Named, ...] = ()
    queries: tuple[Query, ...] = ()
    smooth: bool = True


@dataclass(frozen=True)
class Program:
    """A whole program.

    Args:
        seed: What it was made from.
        inputs: Its inputs, with their values as nested lists.
        variables: Its variables, with their first values.
        body: What it does.
        draws: Whether it draws random numbers.
    """

    seed: int
    inputs: tuple[tuple[Named, Any], ...]
    variables: tuple[tuple[Named, Any], ...]
    body: Block
    draws: bool = False


def steps_of(block: Block) -> Iterator[Step]:
    """All steps of a block and of the blocks in it."""
    for step in block.steps:
        yield step
        for inner in step.blocks:
            yield from steps_of(inner)
