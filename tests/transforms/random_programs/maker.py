"""Makes random programs: what is known where a step stands, and the choices among it.

Floating-point values stay near zero, so that two right ways of computing them agree closely. What jumps (comparisons,
positions of extrema, rounding) is compared with numbers that no value is likely to be near to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.transforms.random_programs.program import Block, Named, Program, Step, Type, constant, literal

SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2,), (2, 3), (3, 2), (4, 2, 3), (1, 3), (3, 3), (2, 1, 3))
DTYPES = ("float32", "int32", "bool")
MOST_ELEMENTS = 72
DEEPEST = 3
HIGHEST_ORDER = 2


@dataclass(frozen=True)
class Context:
    """What is allowed where a step stands.

    Args:
        depth: How many blocks are around it.
        order: How many derivatives are taken of it.
        assigns: Whether variables may be assigned.
        draws: Whether random numbers may be drawn.
        sorts: Whether there may be sorting, which the backend cuda refuses.
        reads: Whether variables may be read, and values of outer blocks.
        bounded: Whether loops need a known bound, since there is a gradient of them.
        branches: Whether Python statements may depend on values.
        repeated: How often the step runs at most, about.
    """

    depth: int = 0
    order: int = 0
    assigns: bool = True
    draws: bool = False
    sorts: bool = False
    reads: bool = True
    bounded: bool = False
    branches: bool = True
    repeated: int = 1


# Adds a step, and returns whether there were values for it.
Add = Callable[["Maker"], bool]
# What can be added, and how often it is.
Table = Sequence[tuple[int, Add]]


@dataclass
class Maker:
    """A random program under construction.

    Args:
        seed: What all choices depend on.
        leaves: Steps without blocks that can be added.
        regions: Steps with blocks.
        gradients: Steps that take gradients.
    """

    seed: int
    leaves: Table
    regions: Table
    gradients: Table
    rng: random.Random = field(init=False)
    scope: list[Named] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    variables: list[Named] = field(default_factory=list)
    context: Context = field(default_factory=Context)
    budget: int = 0
    _count: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    # ---- choices

    def name(self, prefix: str) -> str:
        """A name that is new in the program."""
        self._count += 1
        return f"{prefix}{self._count}"

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def choose(self, options: Any) -> Any:
        return self.rng.choice(tuple(options))

    def pick(self, fits: Callable[[Type], bool] = lambda type: type.dtype == "float32") -> Named | None:
        """A value that fits; rather one of the last."""
        found = [named for named in self.scope if named[1].dtype in DTYPES and fits(named[1])]
        if not found:
            return None
        return found[-1 - min(int(self.rng.expovariate(0.35)), len(found) - 1)]

    def float_value(self) -> Named:
        """Some float; there always is one."""
        return self.pick() or self.constant(Type(self.choose(SHAPES)))

    def outs(self, *types: Type) -> tuple[Named, ...]:
        """New names of values."""
        return tuple((self.name("h"), type) for type in types)

    def param(self, type: Type) -> Named:
        """A new name of a parameter."""
        return self.name("p"), type

    # ---- adding

    def add(self, text: str, type: Type, *args: str, smooth: bool = True) -> Named:
        """Adds a step that computes one value."""
        named = self.name("h"), type
        self.emit(Step("call", text, (named,), args, smooth=smooth))
        return named

    def emit(self, step: Step, usable: bool = True) -> None:
        """Adds a step, whose values can be used from now on, or are only looked at."""
        self.steps.append(step)
        if usable:
            self.scope += [named for named in step.outs if named[1].elements <= MOST_ELEMENTS and named[1].rank <= 4]
        self.budget -= 1

    def bound(self, gradients: Sequence[Named]) -> None:
        """Adds values near zero that are made of gradients, which may be far away."""
        for name, type in gradients:
            self.add("ops.tanh({0} * 0.5)", type, name)

    def constant(self, type: Type) -> Named:
        return self.add(constant(self.rng, type), type)

    def of_type(self, type: Type) -> Named:
        """A value of a type: one that there is, or one made from another."""
        found = self.pick(lambda other: other == type)
        if found is not None and self.chance(0.9):
            return found
        if type.dtype != "float32":
            return found or self.constant(type)
        x, given = self.float_value()
        if given.shape == type.shape:
            return self.add("ops.cos({0})", type, x)
        if given.elements == type.elements:
            return self.add(f"ops.sin(ops.reshape({{0}}, {type.shape}))", type, x)
        text = f"ops.broadcast_to(ops.mean({{0}}), {type.shape})" if type.shape else "ops.sin(ops.sum({0}))"
        return self.add(text, type, x)

    def block(
        self,
        params: Sequence[Named],
        types: tuple[Type, ...] | None,
        pattern: str = "{0}",
        decorator: str = "",
        most: int = 6,
        **changes: Any,
    ) -> tuple[Block, tuple[Type, ...]]:
        """A block of random steps, and the types of its results: those given, or one of its choice."""
        scope, steps, context = list(self.scope), self.steps, self.context
        self.context = replace(context, **{"depth": context.depth + 1, **changes})
        self.steps = []
        self.scope = ([] if not self.context.reads else self.scope) + list(params)
        for _ in range(self.rng.randint(1, most)):
            self.step()
        if types is None:
            named = self.float_value() if self.chance(0.9) else (self.pick(lambda type: True) or self.float_value())
            results: tuple[Named, ...] = (named,)
        else:
            results = tuple(self.of_type(type) for type in types)
        made = Block(tuple(params), tuple(self.steps), tuple(name for name, _ in results), pattern, decorator)
        self.scope, self.steps, self.context = scope, steps, context
        return made, tuple(type for _, type in results)

    def step(self) -> None:
        """Adds one random step."""
        deep = self.context.depth >= DEEPEST or self.context.repeated > 16 or self.budget < 4
        inner = not deep and self.chance(0.22 if self.context.depth == 0 else 0.15)
        self._one_of([*self.regions, *self.gradients] if inner else self.leaves)

    def _one_of(self, table: Table) -> None:
        for _ in range(20):
            (add,) = self.rng.choices([add for _, add in table], [weight for weight, _ in table])
            if add(self):
                return

    def program(self, least: int, most: int) -> Program:
        """A program of so many steps, about."""
        self.budget = int(math.exp(self.rng.uniform(math.log(least), math.log(most))))
        self.context = Context(draws=self.chance(0.2), sorts=self.chance(0.4))
        types = [*(Type(self.choose(SHAPES)) for _ in range(self.rng.randint(1, 3))), Type((2, 3)), Type((3,), "int32")]
        params = tuple((self.name("x"), type) for type in types)
        self.variables = [
            (self.name("v"), Type(self.choose(SHAPES[:6]), "int32" if self.chance(0.15) else "float32"))
            for _ in range(self.rng.randint(1, 3))
        ]
        self.scope = list(params)
        half = self.budget // 2
        while self.budget > half:
            self.step()
        if self.chance(0.7):
            self._one_of(self.gradients)
        while self.budget > 0:
            self.step()
        inputs, variables = (
            tuple((named, literal(self.rng, named[1])) for named in group) for group in (params, self.variables)
        )
        body = Block(params, tuple(self.steps), self._results())
        return Program(self.seed, inputs, variables, body, self.context.draws)

    def _results(self) -> tuple[str, ...]:
        """What nothing reads, all gradients, and some others."""
        read = {name for step in self.steps for name in step.args}
        names = [name for step in self.steps for name, _ in step.outs]
        return tuple(name for name in names if name not in read or name[0] in "gn" or self.chance(0.15))
