"""Functions with all kinds of control flow, and arguments for them; Python runs them on NumPy's values, too."""

from __future__ import annotations

import contextlib
import functools
import itertools

import numpy as np

from graphc import ops
from tests.transforms.cases import case

num = np.float32
num32 = np.int32


@case((num(3.0),), (num(-3.0),))
def relu(x):
    return x if x > 0 else 0.0


@case((num(3.0), num(1.0)), (num(-3.0), num(4.0)))
def minmax(a, b):
    if a > b:
        a, b = b, a
    return a, b


@case((np.arange(12.0, dtype="f").reshape(4, 3),))
def rowsum(t):
    total = np.zeros(3, "f")
    for row in t:
        total = total + row
    return total


@case((np.arange(12.0, dtype="f").reshape(4, 3),))
def enum(t):
    total = 0.0
    for i, row in enumerate(t):
        total += i * ops.sum(row)
    return total


@case((np.arange(4.0, dtype="f"), np.arange(4.0, dtype="f") + 1))
def zipped(a, b):
    total = 0.0
    for x, y in zip(a, b, strict=True):
        if x > 1:
            total += x * y
    return total


@case((np.arange(6.0, dtype="f"),))
def last_pos(t):
    best = -1.0
    for x in t:
        if x > 2:
            best = x
            break
    else:
        best = -5.0
    return best


@case((num32(5),), (num32(0),))
def fact(n):
    out = 1
    for i in range(1, n + 1):
        out *= i
    return out


@case((num32(10),))
def steps(n):
    out = 0
    for i in range(n, 0, -3):
        out += i
    return out


@case((num32(3), num32(10)))
def nested(n, m):
    c = 0
    for i in range(n):
        for j in range(m):
            if j > i + 4:
                break
            if (i + j) % 2:
                continue
            c += 1
    return c


@case((num(2.0),))
def structure(x):
    s = {"a": 0.0, "b": (1.0, 2.0)}
    while s["a"] < 10:
        s = {"a": s["a"] + x, "b": (s["b"][1], s["b"][0] * x)}
    return s["a"], s["b"][0], s["b"][1]


@case((num(2.0),), (num(-2.0),))
def boolean(x):
    ok = (x > 0 and x < 5) or x == -7
    if not ok:
        return -1.0
    return 1.0


@case((num(2.0),), (num(-2.0),))
def chain(x):
    return 1 if 0 < x <= 2 else 2


@case((num(2.0),), (num(-2.0),))
def listassign(x):
    d = {"k": 1.0}
    items = [1.0, 2.0]
    if x > 0:
        d["k"] = x
        items[0] = x * 2
    else:
        items[1] = x
    return d["k"], items[0], items[1]


class Obj:
    pass


@case((num(2.0),), (num(-2.0),))
def attr(x):
    o = Obj()
    o.v = 1.0
    o.sub = Obj()
    o.sub.w = 5.0
    if x > 0:
        o.v = x
    else:
        o.sub.w = o.sub.w + x
    return o.v, o.sub.w


@case((num(2.0),), (num(-2.0),))
def inner(x):
    def g(y):
        if y > 0:
            return y * 2
        return y - 1

    h = (lambda y: y if y > 0 else -y, 0)[0]
    return g(x), h(x)


def helper(x, n=2):
    for _ in range(n):
        if x > 3:
            x = x - 1
    return x


@case((num(5.0),), (num(-2.0),))
def calls(x):
    return helper(x) + helper(n=3, x=x)


@case((num(5.0),), (num(-2.0),))
def nonlocals(x):
    n = 0.0

    def inc():
        nonlocal n
        n += 1

    if x > 0:
        inc()
    inc()
    return n


@case((np.arange(5.0, dtype="f"),))
def comp(t):
    return [v * 2 for v in t]


@case((num(5.0),), (num(-2.0),))
def trys(x):
    try:
        if x > 0:
            return x * 2
        y = 3.0
    finally:
        z = 1
    return y + z


@case((num(5.0),), (num(-2.0),))
def withs(x):
    with contextlib.nullcontext(3.0) as k:
        if x > 0:
            return x * k
    return x


@case((num(100.0),), (num(-2.0),))
def loopy(x):
    i = 0
    while True:
        if x < 1:
            break
        x = x / 2
        i += 1
        if i > 3:
            return -x
    return x


@case((num(5.0),), (num(0.0),))
def nz(x):
    if x:
        return 1.0
    return 0.0


@case((np.array([1.0, 2.0], "f"),))
def shapes(x):
    if x.shape[0] > 1 and x.ndim == 1:
        return x * 2
    return x


@case((np.array([5, 3, 8, 1], "i"),))
def bubble_max(t):
    m, arg = t[0], 0
    for i in range(1, len(t)):
        if t[i] > m:
            m, arg = t[i], i
    return m, arg


@case((np.array([5.0, 3.0, 8.0, 1.0], "f"),))
def argbest(t):
    best, arg = -1e9, -1
    i = 0
    for v in t:
        if v > best:
            best, arg = v, i
        i = i + 1
    return best, arg


@case((num(1.0),), (num(-1.0),))
def nothing(x):
    if x > 0:
        pass
    return x


@case((num(1.0),), (num(-1.0),))
def same_python(x):
    if x > 0:
        mode = "a"
        k = 3
    else:
        mode = "a"
        k = 3
    return [1.0, 2.0][0] if mode == "a" else 2.0, [7] * k


@case((num32(4),))
def fib(n):
    a, b = 0, 1
    while n > 0:
        a, b = b, a + b
        n -= 1
    return a


@case((num(4),), (num(-1),))
def many(x):
    if x > 5:
        r = 1.0
    elif x > 3:
        r = 2.0
    elif x > 1:
        r = 3.0
    else:
        r = 4.0
    return r


@case((num(4),), (num(-1),))
def walrus(x):
    if (y := x * 2) > 3:
        return y
    while (y := y + 1) < 5:
        x = x + y
    return x


@case((num(4),), (num(-1),))
def starargs(*args, **kw):
    (x,) = args
    return x if x > 0 else -x


@case((num32(7),))
def rest_items(n):
    out = 0
    for k in [2, 3, 5, 7, 11]:
        if k >= n:
            break
        out += k
    return out


@case((num(3.0),))
def loop_last(x):
    for i in range(3):
        y = x * i
    return y, i


@case((np.arange(3.0, dtype="f"),))
def tensor_last(t):
    for v in t:
        y = v * 2
    return y, v


def decorated(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x) if x > 0 else function(x) * 10

    return wrapper


@case(num(2), num(-3), num(5))
@decorated
def decorator(x):
    if x > 3:
        return x
    return x + 1


class Scale:
    __factor = 2

    def __init__(self, offset):
        self.__offset = offset

    def __call__(self, x):
        if x > 0:
            return x * self.__factor
        return self.negative(x) + self.__offset

    @staticmethod
    def positive(x):
        return x if x > 1 else -x

    @classmethod
    def scaled(cls, x):
        return x * cls.__factor if x > 1 else -x

    @property
    def four(self):
        return 4.0

    def negative(self, x):
        if x < -1:
            return self.four + self.positive(x) + self.scaled(x)
        return x


class Twice(Scale):
    def negative(self, x):
        if x < -2:
            return super().negative(x) * 2

        class Local(Scale):
            def negative(self, x):
                return super().negative(x) if x < -1 else x * 3

        return Local(1.0)(x)


@case(num(2), num(-3), num(-1.5), num(-0.5))
def methods(x):
    return Scale(0.5)(x) + Twice(1.0)(x) + functools.partial(Twice(2.0), x)()


def _odd(n):
    for i in range(n):
        if i % 2:
            yield i


@case(num(4))
def generator(x):
    total = 0.0
    for i in _odd(6):
        if x > i:
            total = total + i
    return total


@case(num(2), num(-2))
def recursion(x, n=3):
    if n == 0:
        return x
    return recursion(x - 1, n - 1) if x > 0 else recursion(x + 1, n - 1)


@case(num(4), num(-4))
def unpacking(x):
    a, *b = [x, 1.0, 2.0]
    if x > 0:
        a, b = b[0], [x, x]
    return a, b


def _larger(a, b):
    return a if a > b else b


def _shrunk(x):
    while x > 1:
        x = x / 2
    return x


@case(num(3), num(-3))
def passed_on(x):
    """Python's own functions call some of the user's."""
    larger = functools.reduce(_larger, [x, x + 1, x - 1])
    kept = tuple(filter(lambda k: k > 1, [1, 2, 3]))
    return (
        larger,
        kept,
        *map(_shrunk, [x, 2 * x]),
        sorted([1, 2], key=lambda k: -k),
        functools.reduce(lambda a, b: a + b, [x, x]),
    )


@case((np.ones((3, 2), "float32"),))
def unchanged_numbers(t, debug=False):
    count, total = 2, np.zeros(2, "float32")
    for row in t:
        if debug:
            count += 1
        total = total + row
    return ops.reshape(total, (count, 1))


@case(num(3), num(-3))
def deleted(x):
    y = 1.0
    if x > 0:
        y = x
        z = y
        del z
    return y


@case(num(3), num(-3))
def imports(x):
    if x > 0:
        import math  # noqa: PLC0415
    else:
        import math  # noqa: PLC0415
    return x * math.pi


@case(num(3), num(-3))
def handlers(x):
    try:
        if x > 0:
            x = x * 2
        {}["k"]
    except KeyError as problem:
        if x > 4 and str(problem):
            return x
        y = x * 3
    else:
        y = 0.0
    return y


@case((np.arange(4, dtype="float32"), num(2)))
def swallowed(t, limit):
    total = 0
    for x in t:
        try:
            total = total + x
        except Exception:
            continue
        if total > limit:
            return total * 100
    return total


@case(num32(20), num32(3))
def nested_loops_left(n):
    for i in range(n):
        for j in range(i):
            if i * j == 12:
                return i, j
    return -1, -1


@case(num32(5))
def loop_in_loop_else(n):
    out, i = 0, 0
    while i < n:
        for j in range(i):
            if j == 3:
                break
        else:
            out += 10
        i += 1
    else:
        out += 1
    return out


@case((np.array([[1, 2], [3, 4]], "int32"),))
def rows_of_rows(t):
    total = 0
    for row in t:
        for x in row:
            if x == 3:
                continue
            total += x
    return total


@case(num(1), num(9))
def taken(x):
    for k in itertools.takewhile(lambda i: i < 4, itertools.count()):
        x = x + k if x < 8 else x
    return x


@case(num(1), num(-1))
def suppressed(x):
    with contextlib.suppress(KeyError):
        if x > 0:
            y = x * 2
        else:
            y = x * 3
        {}["k"]
    return y


@case(num(0.5), num(-0.5), num(2))
def logic(x):
    def expensive(y):
        return y * 2 > 1

    a = x > 0 and expensive(x) and not x > 1
    b = x < 0 or expensive(x) or False
    return a, b, (True and x > 0), (1 if a or b else 0)


@case((num(1), num(2)), (num(2), num(1)))
def structures(a, b):
    best = {"low": a, "pair": (a, [b])}
    if a > b:
        best = {"low": b, "pair": (b, [a])}
    return best["low"], best["pair"]


@case((np.arange(3, dtype="float32"),))
def places_in_loops(t):
    kept, o = {"sum": 0.0, "most": -1e9, "other": 1}, Obj()
    o.count = 0
    for x in t:
        kept["sum"] += x
        kept["most"] = x if x > kept["most"] else kept["most"]
        if x > 1:
            o.count += 1
    return kept["sum"], kept["most"], kept["other"], o.count


@case((np.arange(5, dtype="float32"), num(2.5)), (np.arange(5, dtype="float32"), num(9)))
def binary_search(a, x):
    low, high = 0, len(a)
    while low < high:
        middle = (low + high) // 2
        if a[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low
