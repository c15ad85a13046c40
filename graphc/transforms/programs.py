"""The compiled programs of one function, by the signatures of its calls.

The first call compiles for its shapes. If another call differs only in sizes, those axes become symbolic: axes whose
sizes were equal in both calls get one symbol, others get symbols of their own. A third size compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from graphc import dims
from graphc.dims import Dim, Shape

P = TypeVar("P")

Sizes = tuple[tuple[int, ...], ...]
Pattern = tuple[Shape, ...]

# Sizes of 0 and 1 mean something of their own: nothing to compute, and broadcasting. Symbolic sizes are larger.
SYMBOL_RANGE = (2, 2**31 - 1)


def match(pattern: Pattern, shapes: Sizes) -> dict[str, int] | None:
    """The symbolic sizes with which a pattern becomes these shapes; None if it cannot."""
    sizes: dict[str, int] = {}
    for expected, shape in zip(pattern, shapes, strict=True):
        for dim, size in zip(expected, shape, strict=True):
            if isinstance(dim, int):
                if dim != size:
                    return None
            elif size < SYMBOL_RANGE[0] or sizes.setdefault(str(dim), size) != size:
                return None
    return sizes


def generalized(seen: Sequence[Sizes]) -> Pattern | None:
    """A pattern that becomes all of several shapes; None if sizes of 0 or 1 are among those that differ."""
    names: dict[tuple[int, ...], str] = {}
    pattern: list[Shape] = []
    for together in zip(*seen, strict=True):
        shape: list[Dim] = []
        for sizes in zip(*together, strict=True):
            if len(set(sizes)) == 1:
                shape.append(sizes[0])
                continue
            if min(sizes) < SYMBOL_RANGE[0]:
                return None
            shape.append(dims.size(names.setdefault(sizes, f"d{len(names)}")))
        pattern.append(tuple(shape))
    return tuple(pattern)


@dataclass
class Family(Generic[P]):
    """The programs for calls that differ in sizes only.

    Attributes:
        seen: The shapes for which a program was compiled.
        programs: Each program with the shapes that it takes.
        exact: By shapes: the program that takes them, and the symbolic sizes.
        generalizes: Whether programs for symbolic sizes may be tried.
    """

    seen: list[Sizes] = field(default_factory=list)
    programs: list[tuple[Pattern, P]] = field(default_factory=list)
    exact: dict[Sizes, tuple[P, dict[str, int]]] = field(default_factory=dict)
    generalizes: bool = True

    def find(self, shapes: Sizes) -> tuple[P, dict[str, int]] | None:
        """The program that takes some shapes, with the symbolic sizes; None if there is none yet."""
        found = self.exact.get(shapes)
        if found is None:
            for pattern, program in self.programs:
                sizes = match(pattern, shapes)
                if sizes is not None:
                    found = self.exact[shapes] = program, sizes
                    break
        return found

    def add(self, shapes: Sizes, compile: Callable[[Pattern, Mapping[str, int]], P]) -> tuple[P, dict[str, int]]:
        """Compiles a program for some shapes: for symbolic sizes, if calls with other sizes were seen.

        Args:
            shapes: The shapes.
            compile: Returns the program for a pattern; its second argument are the symbolic sizes of this call.
        """
        several = [s for s in self.seen if all(0 not in shape for shape in s)]
        pattern = generalized([*several, shapes]) if several and self.generalizes else None
        self.seen.append(shapes)
        if pattern is not None and pattern != shapes:
            sizes = match(pattern, shapes)
            assert sizes is not None
            try:
                return self._added(pattern, shapes, compile(pattern, sizes), sizes)
            except Exception:
                # The function needs known sizes, or equal sizes of axes that were taken for independent. Compiled for
                # these shapes alone it may be fine; if not, the error comes again.
                self.generalizes = False
        return self._added(shapes, shapes, compile(shapes, {}), {})

    def _added(self, pattern: Pattern, shapes: Sizes, program: P, sizes: dict[str, int]) -> tuple[P, dict[str, int]]:
        self.programs.append((pattern, program))
        self.exact[shapes] = program, sizes
        return program, sizes
