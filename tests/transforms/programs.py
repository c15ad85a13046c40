"""Random functions of integers with all kinds of control flow, as source text; and functions from text."""

from __future__ import annotations

import itertools
import linecache
import random
from collections.abc import Callable
from types import FunctionType
from typing import Any

_COUNT = itertools.count()


def execute(text: str, **names: Any) -> dict[str, Any]:
    """The names after a text has run; its source can be read, as that of a notebook's cell."""
    file = f"<cell {next(_COUNT)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"__name__": "cell", **names}
    exec(compile(text, file, "exec"), space)
    return space


def define(text: str, name: str = "f", **names: Any) -> Callable[..., Any]:
    """The function that a text defines."""
    made = execute(text, **names)[name]
    assert isinstance(made, FunctionType)
    return made


class Program:
    """A random function `f(a, b, c)` of integers.

    Args:
        seed: What the choices depend on.
        traced: Whether it keeps to what can be part of a graph: every variable has a value from the beginning.
    """

    def __init__(self, seed: int, traced: bool) -> None:
        self._random = random.Random(seed)
        self._traced = traced
        self._lines: list[str] = []
        self._loops = 0
        self._budget = 14 if traced else 25

    def text(self) -> str:
        """The source text."""
        self._lines = ["def f(a, b, c):"]
        self._add(1, "x, y, z = 1, 2, 3")
        if not self._traced:
            self._add(1, "log = []")
        while self._budget > 0:
            self._statement(1, None)
        self._add(1, "return x, y, z" if self._traced else "return x, y, z, a, log")
        return "\n".join(self._lines) + "\n"

    def _add(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _variable(self) -> str:
        return self._pick("x", "y", "z")

    def _atom(self) -> str:
        return self._pick("a", "b", "c", "x", "y", "z", str(self._random.randint(-3, 9)))

    def _expression(self) -> str:
        form = self._random.randint(0, 5)
        if form == 0:
            return f"({self._atom()} if {self._test()} else {self._atom()})"
        return f"({self._atom()} {self._pick('+', '-', '*')} {self._atom()}) % 97"

    def _comparison(self) -> str:
        if self._random.random() < 0.2:
            return f"{self._atom()} < {self._atom()} <= {self._atom()}"
        return f"{self._atom()} {self._pick('<', '>', '<=', '>=', '==', '!=')} {self._atom()}"

    def _test(self) -> str:
        form = self._random.randint(0, 5)
        if form == 0:
            return f"({self._comparison()} {self._pick('and', 'or')} {self._comparison()})"
        if form == 1:
            return f"not ({self._comparison()})"
        if form == 2:
            return f"({self._atom()} - {self._atom()}) % 3"
        return self._comparison()

    def _block(self, depth: int, loop: str | None) -> None:
        for _ in range(self._random.randint(1, 3)):
            self._statement(depth, loop)

    def _statement(self, depth: int, loop: str | None) -> None:
        self._budget -= 1
        kinds = ["assign", "assign", "augment", "assert"]
        if depth < 5:
            kinds += ["if", "if", "if", "while", "for"]
            if not self._traced:
                kinds += ["try", "with", "items", "match", "nested", "walrus"]
        if loop is not None and depth > 2:
            kinds += ["break", "continue"]
        if depth > 1:
            kinds.append("return")
        getattr(self, f"_{self._random.choice(kinds)}")(depth, loop)

    def _assert(self, depth: int, loop: str | None) -> None:
        self._add(depth, f"{self._variable()} = abs({self._atom()})" if not self._traced else "pass")
        if not self._traced:
            self._add(depth, f"log.append({self._atom()})")

    def _assign(self, depth: int, loop: str | None) -> None:
        self._add(depth, f"{self._variable()} = {self._expression()}")

    def _augment(self, depth: int, loop: str | None) -> None:
        variable = self._variable()
        self._add(depth, f"{variable} += {self._atom()}")
        self._add(depth, f"{variable} %= 89")

    def _if(self, depth: int, loop: str | None) -> None:
        self._add(depth, f"if {self._test()}:")
        self._block(depth + 1, loop)
        if self._random.random() < 0.3:
            self._add(depth, f"elif {self._test()}:")
            self._block(depth + 1, loop)
        if self._random.random() < 0.5:
            self._add(depth, "else:")
            self._block(depth + 1, loop)

    def _counter(self) -> str:
        self._loops += 1
        return f"k{self._loops}"

    def _else(self, depth: int, loop: str | None) -> None:
        if self._random.random() < 0.3:
            self._add(depth, "else:")
            self._block(depth + 1, loop)

    def _while(self, depth: int, loop: str | None) -> None:
        k = self._counter()
        self._add(depth, f"{k} = 0")
        self._add(depth, f"while {k} < {self._random.randint(1, 5)} and {self._comparison()}:")
        self._add(depth + 1, f"{k} += 1")
        self._block(depth + 1, k)
        self._else(depth, loop)

    def _for(self, depth: int, loop: str | None) -> None:
        k = self._counter()
        bounds = self._pick(
            "4", f"{self._atom()} % 5", f"{self._atom()} % 3, {self._atom()} % 7", "1, 7, 2", "5, 0, -2"
        )
        self._add(depth, f"for {k} in range({bounds}):")
        self._add(depth + 1, f"{self._variable()} = ({self._atom()} + {k}) % 97")
        self._block(depth + 1, k)
        self._else(depth, loop)

    def _items(self, depth: int, loop: str | None) -> None:
        k = self._counter()
        self._add(depth, f"for {k}, (p, *q) in enumerate([(1, 2), (3, 4, 5), ({self._atom()}, 6)]):")
        self._add(depth + 1, f"{self._variable()} = sum(q) + p * {k}")
        self._block(depth + 1, k)
        self._else(depth, loop)

    def _walrus(self, depth: int, loop: str | None) -> None:
        k = self._counter()
        self._add(depth, f"{k} = {self._random.randint(0, 4)}")
        self._add(depth, f"while ({k} := {k} - 1) > 0 and (w := {self._atom()}) != {self._atom()}:")
        self._block(depth + 1, k)
        self._else(depth, loop)

    def _try(self, depth: int, loop: str | None) -> None:
        self._add(depth, "try:")
        self._add(depth + 1, f"{self._variable()} = 7 // ({self._atom()} % 3)")
        self._block(depth + 1, loop)
        self._add(depth, "except ZeroDivisionError as problem:")
        self._add(depth + 1, "log.append(str(problem))")
        self._block(depth + 1, loop)
        if self._random.random() < 0.5:
            self._add(depth, "else:")
            self._block(depth + 1, loop)
        if self._random.random() < 0.5:
            self._add(depth, "finally:")
            self._add(depth + 1, f"log.append({self._variable()})")

    def _with(self, depth: int, loop: str | None) -> None:
        self._add(depth, f"with manager(log, {self._atom()}) as {self._variable()}:")
        self._block(depth + 1, loop)

    def _match(self, depth: int, loop: str | None) -> None:
        self._add(depth, f"match ({self._atom()} % 3, {self._atom()}):")
        self._add(depth + 1, f"case (0, {self._variable()}):")
        self._block(depth + 2, loop)
        self._add(depth + 1, f"case (1, m) if m > {self._atom()}:")
        self._block(depth + 2, loop)
        self._add(depth + 1, "case _:")
        self._block(depth + 2, loop)

    def _nested(self, depth: int, loop: str | None) -> None:
        name = self._counter()
        self._add(depth, f"def {name}(u, v={self._atom()}):")
        self._add(depth + 1, "nonlocal y")
        self._add(depth + 1, f"if u < {self._atom()}:")
        self._add(depth + 2, f"return {self._atom()} + v")
        self._add(depth + 1, "y = (y + u) % 97")
        self._add(depth + 1, "return sum(t * v if t > 1 else u for t in range(3) if t != v)")
        self._add(depth, f"x = {name}({self._atom()}) % 97")

    def _break(self, depth: int, loop: str | None) -> None:
        self._add(depth, "break")

    def _continue(self, depth: int, loop: str | None) -> None:
        self._add(depth, "continue")

    def _return(self, depth: int, loop: str | None) -> None:
        last = "x, y, z" if self._traced else "x, y, z, a, log"
        self._add(depth, f"return {last}")
