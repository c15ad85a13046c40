"""What this machine can do: copy bandwidth, multiply-adds, and the matrix products of a tuned library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environments
from benchmarks.machine import processor
from graphc.runtime import cache
from graphc.runtime.cpu import toolchain

SOURCE = Path(__file__).resolve().parent / "roofline.c"
FLAGS = ("-O3", "-fopenmp", "-ffp-contract=fast", "-fno-tree-loop-distribute-patterns", "-Wno-unknown-pragmas")
MEMORY_FLOATS = 64 << 20  # of each array: beyond any cache
SHARED = "L3"  # the cache that all cores share
UNITS = {"K": 1 << 10, "M": 1 << 20}
LEAST = 0.02  # seconds that one measurement takes at least
TRIES = 5

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Product:
    """A contraction as a matrix product: `count` of `[m, k] x [k, n]`; whether an operand lies transposed."""

    m: int
    n: int
    k: int
    count: int = 1
    left: bool = False
    right: bool = False

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.count * self.m * self.n * self.k


@dataclass(frozen=True)
class Level:
    """A place for data: how many bytes it holds, None being all; and the bytes a second that copies read and write."""

    name: str
    capacity: int | None
    bandwidth: float


@dataclass(frozen=True)
class Ceilings:
    """What so many threads can do: copies at each level of memory, nearest first, and operations a second."""

    threads: int
    levels: tuple[Level, ...]
    operations: float

    def level(self, nbytes: int) -> Level:
        """The nearest level that holds so many bytes."""
        return next(level for level in self.levels if level.capacity is None or nbytes <= level.capacity)

    def least_seconds(self, nbytes: int, operations: int) -> float:
        """The time for moving so many bytes and doing so many operations, at once, as fast as can be."""
        return max(nbytes / self.level(nbytes).bandwidth, operations / self.operations)

    def as_dict(self) -> dict[str, Any]:
        """As it goes to a file."""
        return asdict(self)

    def __str__(self) -> str:
        copies = ", ".join(f"{level.name} {level.bandwidth / 1e9:.0f}" for level in self.levels)
        return f"{self.threads} threads: copies in GB/s: {copies}; multiply-adds {self.operations / 1e9:.0f} GFLOP/s"


class Probe:
    """The program that measures."""

    def __init__(self) -> None:
        compiler = toolchain.find()
        flags = (*FLAGS, *compiler.native_flags)
        path = toolchain.build_shared(SOURCE.read_text(), flags=flags, toolchain=compiler, cache=cache.default())
        self._library = ctypes.CDLL(str(path))
        for name in ("copy_seconds", "fma_seconds", "sgemm_seconds"):
            getattr(self._library, name).restype = ctypes.c_double

    def ceilings(self, threads: int) -> Ceilings:
        """What so many threads can do."""
        levels = []
        for name, text in processor()["caches"].items():
            size = int(text[:-1]) * UNITS[text[-1]] * (1 if name == SHARED else threads)
            # Two arrays in half of the cache: the other half is for what else is going on.
            levels.append(Level(name, size, self._copy(size // 16, threads)))
        levels.append(Level("memory", None, self._copy(MEMORY_FLOATS, threads)))
        return Ceilings(threads, tuple(levels), self._fma(threads))

    def _copy(self, count: int, threads: int) -> float:
        source, target = np.ones(count, np.float32), np.empty(count, np.float32)
        seconds = _shortest(
            lambda repeat: self._library.copy_seconds(
                _pointer(target), _pointer(source), ctypes.c_long(count), ctypes.c_long(repeat), threads
            )
        )
        return 2 * 4 * count / seconds

    def _fma(self, threads: int) -> float:
        done = ctypes.c_double()
        count = 100_000
        seconds = _shortest(
            lambda repeat: self._library.fma_seconds(ctypes.c_long(count * repeat), threads, ctypes.byref(done))
        )
        self._library.fma_seconds(ctypes.c_long(count), threads, ctypes.byref(done))
        return done.value / seconds

    def products(self, products: Iterable[Product], threads: int) -> dict[Product, float]:
        """The operations a second of oneDNN's sgemm at matrix products, one after the other where there are several.

        Raises:
            FileNotFoundError: if oneDNN is not there; `python -m benchmarks.environments` fetches it.
        """
        path = environments.home() / "cpu" / "lib" / "libdnnl.so.3"
        if not path.exists():
            raise FileNotFoundError(f"{path} is absent: python -m benchmarks.environments fetches it")
        entry = ctypes.cast(ctypes.CDLL(str(path)).dnnl_sgemm, ctypes.c_void_p)
        return {product: self._product(entry, product, threads) for product in dict.fromkeys(products)}

    def _product(self, entry: ctypes.c_void_p, product: Product, threads: int) -> float:
        m, n, k = product.m, product.n, product.k
        rng = np.random.default_rng(0)
        a, b, c = rng.random(m * k, np.float32), rng.random(k * n, np.float32), np.empty(m * n, np.float32)
        sizes = [ctypes.c_long(size) for size in (m, n, k)]
        pointers = [_pointer(array) for array in (a, b, c)]

        def run(repeat: int) -> float:
            seconds: float = self._library.sgemm_seconds(
                entry, int(product.left), int(product.right), *sizes, *pointers, ctypes.c_long(repeat), threads
            )
            return seconds

        rate = 2 * m * n * k / _shortest(run)
        left = a.reshape(k, m).T if product.left else a.reshape(m, k)
        right = b.reshape(n, k).T if product.right else b.reshape(k, n)
        if not np.allclose(c.reshape(m, n), left @ right, rtol=1e-3):
            raise ArithmeticError(f"oneDNN's product is wrong: {product}")
        return rate


def _pointer(array: Floats) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _shortest(run: Callable[[int], float]) -> float:
    """The least seconds of one round, of some measurements that are long enough."""
    run(1)
    repeat = 1
    while run(repeat) < LEAST:
        repeat *= 2
    return min(run(repeat) for _ in range(TRIES)) / repeat
