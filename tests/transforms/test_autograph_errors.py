"""What cannot be converted is an error that names the variable, the line, what came, and what to use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import ControlFlowError, GraphcError, StateError
from graphc.transforms.autograph import convert
from tests.transforms.programs import define

CASES: list[tuple[str, Any, int, tuple[str, ...]]] = []


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def bad(text: str, argument: Any, line: int, *parts: str) -> None:
    """Adds a program `f`, with the line of the error and parts of its message."""
    CASES.append((text, argument, line, parts))


ONE, THREE, ROWS = np.float32(1), np.arange(3, dtype="float32"), np.ones((3, 2), "float32")

# ---- variables that are undefined
bad(
    "def f(x):\n if x > 0:\n  y = x\n return y",
    ONE,
    2,
    "`y` is assigned in one branch only",
    "undefined otherwise",
    "define `y`",
)
bad("def f(x):\n if x > 0:\n  pass\n else:\n  y = x\n return y", ONE, 2, "`y`", "undefined if the condition holds")
bad("def f(x):\n if x > 0:\n  y = x\n elif x < -1:\n  y = -x\n return y", ONE, 4, "`y`", "define `y` before")
bad(
    "def f(x):\n while x < 9:\n  z = x\n  x = x * 2\n return z",
    ONE,
    2,
    "`z` has no value before",
    "define `z` before the loop",
)
bad("def f(x):\n while x < 9:\n  x = x + p\n  p = x\n return x", ONE, 2, "`p` has no value before")
bad("def f(t):\n for v in t:\n  if v > 1:\n   w = v\n return w", THREE, 2, "`w`", "define `w`")
bad("def f(n):\n for i in range(n):\n  j = i\n return j", np.int32(3), 2, "`j` has no value before `for`")
bad("def f(x):\n d = {}\n if x > 0:\n  d['k'] = x\n return d", ONE, 3, r"`d\['k'\]`", "undefined otherwise")

# ---- types that differ
bad(
    "def f(x):\n if x > 0:\n  y = x\n else:\n  y = ops.stack([x, x])\n return y",
    ONE,
    2,
    "`y`",
    r"float32\[\] if",
    r"float32\[2\] otherwise",
)
bad(
    "def f(x):\n if x > 0:\n  y = x\n else:\n  y = ops.cast(x, 'int32')\n return y",
    ONE,
    2,
    "`y`",
    r"float32\[\]",
    r"int32\[\]",
    "ops.cast",
)
bad(
    "def f(x):\n if x > 0:\n  y = 'a'\n else:\n  y = 'b'\n return x if y == 'a' else -x",
    ONE,
    2,
    "`y`",
    "'a' if",
    "'b' otherwise",
)
bad("def f(x):\n if x > 0:\n  y = (x, x)\n else:\n  y = (x, (x,))\n return y", ONE, 2, "`y`", "same structure")
bad("def f(x):\n return x if x > 0 else None", ONE, 2, r"float32\[\] if the condition holds, None otherwise")
bad("def f(x):\n if x > 0:\n  return x", ONE, 2, "what the function returns", "None otherwise", "on every path")
bad(
    "def f(x):\n while ops.sum(x) < 9:\n  x = ops.stack([x, x])\n return x",
    ONE,
    2,
    "`x` changes its type",
    r"float32\[\] before, float32\[2\] after",
)
bad(
    "def f(x):\n y = ops.zeros((), 'int32')\n while y < 9:\n  y = y + x\n return y",
    ONE,
    3,
    "`y`",
    r"int32\[\] before, float32\[\] after",
    "ops.cast",
)
bad(
    "def f(t):\n s = 0\n for row in t:\n  s = s + row\n return s",
    ROWS,
    3,
    "`s`",
    r"0 before, float32\[2\] after",
    r"ops.full\(\(2,\), 0\)",
)
bad(
    "def f(t):\n best = None\n for v in t:\n  if best is None:\n   best = v\n return best",
    THREE,
    3,
    "`best`",
    "None before",
)
bad(
    "def f(x):\n s = 'a'\n while x < 9:\n  s = s + 'b'\n  x = x + 1\n return x, s",
    ONE,
    3,
    "`s`",
    "'a' before, 'ab' after",
)

# ---- containers, arrays, globals, exceptions
bad(
    "def f(t):\n out = []\n for v in t:\n  out.append(v)\n return ops.stack(out)",
    THREE,
    3,
    "the list `out` is changed",
    "ops.scan",
)
bad("def f(t):\n out = []\n for v in t:\n  out += [v]\n return ops.stack(out)", THREE, 3, "`out`", "ops.scan")
bad(
    "def f(t):\n out = []\n for v in t:\n  out = out + [v]\n return ops.stack(out)",
    THREE,
    3,
    "`out`",
    r"\[\] before, \[float32\[\]\] after",
    "ops.scan",
)
bad("def f(x):\n d = {}\n if x > 0:\n  d.update(k=x)\n return x", ONE, 3, "the dict `d` is changed inside `if`")
bad("def f(x):\n s = {1}\n while x < 9:\n  s.add(2)\n  x = x + 1\n return x", ONE, 3, "the set `s`")
bad("def f(x):\n def g(to): to.append(x)\n out = []\n if x > 0:\n  g(out)\n return x", ONE, 4, "`out`", "ops.scan")
bad(
    "def f(x):\n b = np.zeros(3)\n if x > 0:\n  b[1:] = 1.0\n return x + b",
    ONE,
    3,
    "the ndarray `b`",
    "ops.slice_update",
)
bad("G = 0\ndef f(x):\n global G\n if x > 0:\n  G = 1\n return x", ONE, 4, "the global variable `G`", "graphc.Variable")
bad("def f(x):\n if x > 0:\n  raise ValueError('x')\n return x", ONE, 2, "`raise` inside `if`", "ops.where")
bad("def f(x):\n while x > 0:\n  raise ValueError('x')\n return x", ONE, 2, "`raise` inside `while`")
bad("def f(x):\n assert x > 0, 'no'\n return x", ONE, 2, "`assert` on a traced value")
bad(
    "def f(x):\n try:\n  if x > 0:\n   {}['k']\n except KeyError:\n  return x\n return -x",
    ONE,
    3,
    "an exception leaves a branch",
    "KeyError: 'k'",
)
bad(
    "def f(x):\n try:\n  if x > 0:\n   {}['k']\n except Exception:\n  return x\n return -x",
    ONE,
    3,
    "an exception leaves a branch",
)
bad("def f(x):\n if x < 1:\n  return 1.0\n return x * f(x - 1)", ONE, 2, "a function calls itself", "while")

# ---- conditions that stay Python's
bad("def f(x):\n return [i for i in range(4) if x > i]", ONE, 2, "comprehension", "ops.where")
bad("def f(x):\n try:\n  return x\n finally:\n  if x > 0:\n   return -x", ONE, 5, "`finally` is left", "ops.cond")
bad("def f(x):\n match 1:\n  case 1 if x > 0:\n   return x\n return -x", ONE, 3, "`case` on a traced value")
bad("def f(x):\n return x if x > 0 else (y := x)", ONE, 2, "`if` on a traced value", ":=")
bad("def f(x):\n return x > 0 and (y := x)", ONE, 2, "`and` on a traced value", ":=")
bad(
    "def g(x):\n while x < 3:\n  yield x\ndef f(x):\n return list(g(x))",
    ONE,
    2,
    "`while` on a traced value",
    "generators",
)
bad("def f(x):\n for i in itertools.count():\n  if i > x:\n   break\n return x", ONE, 2, "Python iterator", "while")
bad("def f(x):\n if ops.stack([x, x]) > 0:\n  return x\n return -x", ONE, 2, "one truth value", r"bool\[2\]", "ops.any")
bad("def f(x):\n return ops.stack([x, x]) > 0 and x > 0", ONE, 2, "`and` needs one truth value")
bad("def f(x):\n return not ops.stack([x, x])", ONE, 2, "`not` needs one truth value")
bad("def f(x):\n for i in x:\n  pass\n return x", ONE, 2, "rows of a tensor", r"range\(n\)")
bad("def f(x):\n for i in range(x):\n  pass\n return x", ONE, 2, "`range` takes integers", "ops.cast")
bad("def f(n):\n return list(range(n))", np.int32(3), 2, "length is known only when the graph runs", "ops.fori_loop")
bad("def f(n):\n for i in range(0, n, 0):\n  pass\n return n", np.int32(3), 2, "step of `range` is 0")
bad("def f(t):\n for a, b in zip(t, t[1:]):\n  pass\n return t", THREE, 2, "`zip` of traced tensors", "3, 2")

# ---- traced values that Python uses
bad("def f(x):\n return float(x)", ONE, 2, "no values yet", "ops.cast")
bad("def f(x):\n return int(x)", ONE, 2, r"float32\[\]", "ops.cast")
bad("def f(x):\n return max(x, 0.0)", ONE, 2, "ops.where")
bad("def f(n):\n s = 0\n for i in range(n):\n  s = s + [1, 2, 3][i]\n return s", np.int32(3), 4, "ops.take")
bad("def f(x):\n return np.sin(x) if False else np.asarray(x)", ONE, 2, "graphc.ops instead of NumPy")
bad("def f(x):\n return sorted([x, x + 1])", ONE, 2, "ops.where")


@pytest.mark.parametrize(("text", "argument", "line", "parts"), CASES, ids=range(len(CASES)))
def test_errors(text: str, argument: Any, line: int, parts: tuple[str, ...]) -> None:
    function = define(text + "\n", ops=ops, np=np, itertools=itertools)
    with pytest.raises(GraphcError) as caught:
        graphc.function(convert(function))(argument)
    message = str(caught.value)
    for part in parts:
        assert re.search(part, message), message
    assert f"at:       {function.__code__.co_filename}:{line}\n" in message and "to do:" in message


UNCONVERTED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: 1 if x > 0 else 2, r"ops\.cond"),
    (lambda x: x > 0 and x < 1, r"ops\.cond"),
    (lambda x: not x, r"ops\.where"),
    (lambda x: float(x), r"ops\.cast"),
    (lambda x: int(x), r"ops\.cast"),
    (lambda x: complex(x), r"ops\.cast"),
    (lambda x: [1, 2][ops.cast(x, "int32")], r"ops\.take"),
    (lambda x: range(ops.cast(x, "int32")), r"ops\.fori_loop"),
    (lambda x: np.asarray(x), r"graphc\.ops instead of NumPy"),
]


@pytest.mark.parametrize(("function", "hint"), UNCONVERTED, ids=range(len(UNCONVERTED)))
def test_what_is_not_converted_names_line_value_and_operation(function: Callable[[Any], Any], hint: str) -> None:
    line = function.__code__.co_firstlineno
    with pytest.raises(StateError, match=rf"test_autograph_errors.py:{line}\n(.|\n)*\[\](.|\n)*{hint}"):
        graphc.function(lambda x: function(x))(ONE)


def test_an_error_changes_nothing() -> None:
    v, out, kept = graphc.Variable(1.0), [1], {"k": 2}

    def f(x: Any) -> Any:
        if x > 0:
            v.assign(5.0)
            out.append(x)
            kept["k"] = x
        else:
            kept["j"] = 3
        return x

    with pytest.raises(ControlFlowError):
        graphc.function(convert(f))(ONE)
    assert float(v.numpy()) == 1 and out == [1] and kept == {"k": 2}


def test_exceptions_in_a_branch_say_that_it_is_traced() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            {}["k"]
        return x

    with pytest.raises(KeyError) as caught:
        graphc.function(convert(f))(ONE)
    assert "whatever the value is" in caught.value.__notes__[0]
