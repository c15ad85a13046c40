"""Digests of functions: the same for the same code in every process, and another one for whatever else it does."""

from __future__ import annotations

import enum
import functools
import math
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from graphc import dtypes
from graphc.primitives.fingerprint import fingerprint

# What each function does is told by `rule` of the code, with names of the space around; the last changes it.
CHANGES: dict[str, tuple[str, str, str]] = {
    "constant": ("rule = lambda x: x + 1", "", "rule = lambda x: x + 2"),
    "kind of number": ("rule = lambda x: x + 1", "", "rule = lambda x: x + 1.0"),
    "sign of zero": ("rule = lambda x: x + 0.0", "", "rule = lambda x: x + -0.0"),
    "operator": ("rule = lambda x: x + 1", "", "rule = lambda x: x - 1"),
    "function of numpy": ("rule = lambda x: np.exp(x)", "", "rule = lambda x: np.exp2(x)"),
    "helper": ("def helper(x): return x", "rule = lambda x: helper(x)", "def helper(x): return -x"),
    "helper of a helper": (
        "def inner(x): return x\ndef helper(x): return inner(x)",
        "rule = lambda x: helper(x)",
        "def inner(x): return -x",
    ),
    "global": ("factor = 2", "rule = lambda x: x * factor", "factor = 3"),
    "global in a function within": ("factor = 2", "rule = lambda x: (lambda y: y * factor)(x)", "factor = 3"),
    "global that is defined": ("", "rule = lambda x: x * factor", "factor = 3"),
    "global list": ("factors = [1, 2]", "rule = lambda x: x * factors[0]", "factors[0] = 3"),
    "global mapping": ("factors = {'a': 1}", "rule = lambda x: x * factors['a']", "factors['a'] = 2"),
    "global array": ("factors = np.ones(3)", "rule = lambda x: x * factors[0]", "factors[0] = 2"),
    "shadowed builtin": ("", "rule = lambda x: abs(x)", "abs = lambda x: x"),
    "default": ("def rule(x, by=1): return x * by", "", "rule.__defaults__ = (2,)"),
    "keyword default": ("def rule(x, *, by=1): return x * by", "", "rule.__kwdefaults__['by'] = 2"),
    "closure": (
        "def make(by):\n    return lambda x: x * by\nrule = make(1)",
        "",
        "rule = make(2)",
    ),
    "variable of a closure": (
        "def make():\n    by = 1\n    def put(new):\n        nonlocal by\n        by = new\n"
        "    return (lambda x: x * by), put\nrule, put = make()",
        "",
        "put(2)",
    ),
    "partial": ("def power(x, n): return x**n", "rule = functools.partial(power, n=2)", "rule.keywords['n'] = 3"),
    "method": (
        "class By:\n    by = 1\n    def rule(self, x): return x * self.by",
        "held = By(); rule = held.rule",
        "held.by = 2",
    ),
    "class": ("class By:\n    by = 1", "rule = lambda x: x * By.by", "By.by = 2"),
    "call of an object": (
        "class Rule:\n    def __init__(self): self.by = 1\n    def __call__(self, x): return x * self.by",
        "rule = Rule()",
        "rule.by = 2",
    ),
    "slots": (
        "class By:\n    __slots__ = ('by',)\nheld = By(); held.by = 1",
        "rule = lambda x: x * held.by",
        "held.by = 2",
    ),
    "module of the user": (
        "helpers = types.ModuleType('helpers'); helpers.__file__ = '/home/user/helpers.py'; helpers.by = 1",
        "rule = lambda x: x * helpers.by",
        "helpers.by = 2",
    ),
    "wrapped": (
        "def inner(x): return x\nheld = functools.lru_cache(inner)",
        "rule = lambda x: held(x)",
        "held = functools.lru_cache(lambda x: -x)",
    ),
    "recursion": (
        "def rule(x): return x if x < 0 else rule(x - 1)",
        "",
        "def rule(x): return x if x < 0 else rule(x - 2)",
    ),
    "set": ("names = {'a', 'b'}", "rule = lambda x: x if 'a' in names else -x", "names.add('c')"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_a_function_changes_its_digest(name: str) -> None:
    first, rest, change = CHANGES[name]
    space: dict[str, Any] = {"np": np, "functools": functools, "types": types}
    exec(compile(f"{first}\n{rest}", "<cell>", "exec"), space)
    before = fingerprint(space["rule"])
    assert before is not None
    assert fingerprint(space["rule"]) == before
    exec(compile(change, "<cell>", "exec"), space)
    assert fingerprint(space["rule"]) not in (before, None)


def test_names_of_files_lines_and_comments_do_not_count() -> None:
    def made(text: str, file: str) -> Any:
        space: dict[str, Any] = {}
        exec(compile(text, file, "exec"), space)
        return space["rule"]

    a = made("def rule(x):\n    return x + 1", "<cell 1>")
    b = made("\n\n# The same again.\ndef rule(x):\n    return (x + 1)", "<cell 2>")
    assert fingerprint(a) == fingerprint(b)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Pair(NamedTuple):
    left: int = 1
    right: int = 2


@dataclass
class Settings:
    by: float = 2.0


# Values of which each has a digest of its own.
TOLD: tuple[Any, ...] = (
    *(None, True, 1, 1.0, -0.0, 0.0, 1j, "1", b"1", ..., math.nan, math.inf),
    *((1, 2), [1, 2], {1, 2}, {1: 2}, Pair(), Pair(2), Settings(), Settings(3.0), Colour.RED, Colour.BLUE),
    *(np.ones(2), np.ones(2, "float32"), np.ones((1, 2)), np.zeros(2), np.float32(1), np.dtype("int8"), dtypes.int8),
    *(np.exp, np.clip, np.where, np, math, math.sqrt, len, "a".join, "b".join, int, Settings, Colour),
    *(functools.partial(math.pow, 2), functools.partial(math.pow, 3)),
)


def test_different_values_have_different_digests() -> None:
    digests = [fingerprint(value) for value in TOLD]
    assert None not in digests
    assert len(set(digests)) == len(TOLD)


@pytest.mark.parametrize(
    "value",
    [sys.stdout, threading.Lock(), np.random.default_rng(0), iter([1]), np.array([object()]), np.frompyfunc(abs, 1, 1)],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_contents_to_compare_has_no_digest(value: Any) -> None:
    assert fingerprint(value) is None
    assert fingerprint(lambda x: x if value else -x) is None


def test_what_reaches_too_much_has_no_digest() -> None:
    assert fingerprint(list(range(30_000))) is None


def test_digests_are_the_same_in_every_process() -> None:
    code = (
        "import numpy as np\nfrom graphc.primitives.fingerprint import fingerprint\n"
        "names = {'a', 'b', 'c'}\nclass By:\n    by = 2\n"
        "def helper(x):\n    return x in {'p', 'q', 'r'}\n"
        "print(fingerprint(lambda x: np.exp(x) * By.by if helper(x) and x in names else len(x)))"
    )
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert "None" not in found


def deep(function: Callable[..., Any], times: int) -> Callable[..., Any]:
    for _ in range(times):
        function = functools.wraps(function)(lambda x, inner=function: inner(x))
    return function


def test_deep_chains_of_functions_end() -> None:
    assert fingerprint(deep(abs, 5)) != fingerprint(deep(abs, 6))
    assert fingerprint(deep(abs, 5000)) is None
