"""The precedence of groups: a strict partial order, transitively closed while groups are added and merged.

Groups are numbers and sets of them are bits of an integer, so that whether a path leads from one group to another is a
shift, and whether one leads through a third is an intersection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress

_DIGITS = bytes.maketrans(b"01", b"\0\1")


class Precedence:
    """A strict partial order of groups.

    Example:

    >>> order = Precedence()
    >>> for group, needed in enumerate([(), (0,), (0,), (1, 2)]):
    ...     order.add(group, needed)
    >>> order.is_before(0, 3), order.is_before(1, 2)
    (True, False)
    >>> order.is_through_others(0, 3), order.is_through_others(0, 1)
    (True, False)
    >>> order.merge(0, 1)
    >>> order.sorted()
    [0, 2, 3]
    """

    def __init__(self) -> None:
        self._before: dict[int, int] = {}  # group -> bit set of its predecessors
        self._after: dict[int, int] = {}  # group -> bit set of its successors

    def add(self, group: int, needed: Iterable[int] = ()) -> None:
        """Adds a group that comes after some others."""
        self._before[group], self._after[group] = 0, 0
        self.put_after(group, needed)

    def put_after(self, group: int, needed: Iterable[int]) -> None:
        """Puts a group and its successors after others, none of which may be one of these."""
        bits = 0
        for other in needed:
            bits |= self._before[other] | 1 << other
        new = bits & ~self._before[group]
        if not new:
            return
        self._before[group] |= new
        for later in _members(self._after[group]):
            self._before[later] |= new
        behind = self._after[group] | 1 << group
        for earlier in _members(new):
            self._after[earlier] |= behind

    def is_before(self, first: int, last: int) -> bool:
        """Whether one group comes before another."""
        return bool(self._before[last] >> first & 1)

    def is_through_others(self, first: int, last: int) -> bool:
        """Whether a path from one group to another leads through a third, so that the two cannot be one group."""
        return bool(self._after[first] & self._before[last])

    def merge(self, group: int, gone: int) -> None:
        """Merges two groups, under the number of the first."""
        both = 1 << gone | 1 << group
        before = (self._before[group] | self._before.pop(gone)) & ~both
        after = (self._after[group] | self._after.pop(gone)) & ~both
        self._before[group], self._after[group] = before, after
        for earlier in _members(before):
            self._after[earlier] = self._after[earlier] & ~both | 1 << group | after
        for later in _members(after):
            self._before[later] = self._before[later] & ~both | 1 << group | before

    def sorted(self, rank: Callable[[int], int] | None = None) -> list[int]:
        """The groups in topological order; where that leaves a choice, by rank, else by number."""
        waiting = sorted(self._before, key=rank)
        done, order = 0, []
        while waiting:
            group = next(g for g in waiting if not self._before[g] & ~done)
            waiting.remove(group)
            done |= 1 << group
            order.append(group)
        return order


def _members(bits: int) -> list[int]:
    """The numbers in a bit set; most sets here are dense."""
    digits = bin(bits)[:1:-1].encode().translate(_DIGITS)
    return list(compress(range(len(digits)), digits))
