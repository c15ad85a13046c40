"""Layered drawing of graphs, after Sugiyama, Tagawa and Toda (1981).

Every box gets a layer below all boxes on which it depends; long arrows get a dummy vertex in each layer that they pass;
the vertices of a layer are ordered by the mean position of their neighbours, which removes most crossings; then each is
moved sideways as near to its neighbours as the others in its layer allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

ORDER_SWEEPS = 16
PLACE_SWEEPS = 24
# Sweeps over large drawings visit at most so many vertices in all: the first sweeps improve most.
SWEPT_VERTICES = 200_000
FEWEST_SWEEPS = 4
# The distance between neighbouring dummy vertices.
DUMMY_GAP = 14.0


@dataclass(frozen=True, slots=True)
class Placed:
    """The positions of boxes (their centres), and the points through which arrows go.

    `arrows` maps source and target to the positions of the dummy vertices between them.
    """

    x: dict[int, float]
    layer: dict[int, int]
    arrows: dict[tuple[int, int], list[tuple[float, int]]]


def place(widths: Mapping[int, float], arrows: Sequence[tuple[int, int]], gap: float) -> Placed:
    """Lays out boxes.

    Args:
        widths: The width of each box, by id; ids ascend along arrows.
        arrows: Pairs of ids, source first.
        gap: The least distance between boxes of a layer.

    Returns:
        The places; x coordinates start at 0.
    """
    return _Layout(widths, sorted(set(arrows)), gap).run()


class _Layout:
    def __init__(self, widths: Mapping[int, float], arrows: Sequence[tuple[int, int]], gap: float) -> None:
        self.widths = dict(widths)
        self.arrows = arrows
        self.gap = gap
        self.layer = _layers(widths, arrows)
        # Dummy vertices have negative ids. All arrows from one box share them, since these arrows are one value.
        self.dummies: dict[tuple[int, int], int] = {}
        self.above: dict[int, list[int]] = {id: [] for id in widths}
        self.below: dict[int, list[int]] = {id: [] for id in widths}
        for source, target in arrows:
            self._connect(source, target)
        self.rows = self._first_rows()
        self.x: dict[int, float] = {}

    def run(self) -> Placed:
        """Orders the vertices of each layer, then assigns coordinates."""
        self._order()
        self._pack()
        for sweep in range(self._sweeps(PLACE_SWEEPS)):
            self._align(down=sweep % 2 == 0)
        left = min((self.x[id] - self._half(id) for id in self.x), default=0.0)
        for id in self.x:
            self.x[id] -= left
        paths = {
            (source, target): [
                (self.x[self.dummies[source, layer]], layer)
                for layer in range(self.layer[source] + 1, self.layer[target])
            ]
            for source, target in self.arrows
        }
        return Placed({id: x for id, x in self.x.items() if id >= 0}, self.layer, paths)

    def _sweeps(self, most: int) -> int:
        return min(most, max(FEWEST_SWEEPS, SWEPT_VERTICES // max(1, len(self.widths))))

    # ---- layers and dummy vertices

    def _connect(self, source: int, target: int) -> None:
        before = source
        for layer in range(self.layer[source] + 1, self.layer[target]):
            dummy = self.dummies.get((source, layer))
            if dummy is None:
                dummy = self.dummies[source, layer] = -1 - len(self.dummies)
                self.widths[dummy] = 0.0
                self.above[dummy], self.below[dummy] = [before], []
                self.below[before].append(dummy)
            before = dummy
        self.below[before].append(target)
        self.above[target].append(before)

    def _first_rows(self) -> list[list[int]]:
        """The vertices of each layer, in the order of a depth-first search from the results upwards."""
        rows: list[list[int]] = [[] for _ in range(max(self.layer.values(), default=0) + 1)]
        where = self.layer | {dummy: layer for (_, layer), dummy in self.dummies.items()}
        seen: set[int] = set()
        ends = [id for id in self.widths if not self.below[id]]
        for end in sorted(ends, key=lambda id: -where[id]):
            stack = [end]
            while stack:
                id = stack.pop()
                if id not in seen:
                    seen.add(id)
                    rows[where[id]].append(id)
                    stack.extend(reversed(self.above[id]))
        return rows

    # ---- order

    def _order(self) -> None:
        best, fewest = [list(row) for row in self.rows], self._crossings()
        rank = {id: part for row in self.rows for id, part in _ranks(row).items()}
        for sweep in range(self._sweeps(ORDER_SWEEPS)):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for row in self.rows if down else reversed(self.rows):
                mean = {
                    id: sum(rank[n] for n in neighbours[id]) / len(neighbours[id]) if neighbours[id] else rank[id]
                    for id in row
                }
                row.sort(key=mean.__getitem__)
                rank.update(_ranks(row))
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _crossings(self) -> int:
        count = 0
        for row, under in pairwise(self.rows):
            position = {id: i for i, id in enumerate(under)}
            ends = [position[n] for id in row for n in sorted(self.below[id], key=position.__getitem__)]
            tree = [0] * (len(under) + 1)
            for met, end in enumerate(ends):
                count += met - _prefix(tree, end + 1)
                _count(tree, end + 1)
        return count

    # ---- places

    def _half(self, id: int) -> float:
        return self.widths[id] / 2

    def _apart(self, a: int, b: int) -> float:
        """The least distance between the centres of neighbours in a row."""
        gap = DUMMY_GAP if a < 0 and b < 0 else self.gap
        return self._half(a) + self._half(b) + gap

    def _pack(self) -> None:
        for row in self.rows:
            x, before = 0.0, None
            for id in row:
                x += self._apart(before, id) if before is not None else 0.0
                self.x[id], before = x, id
            middle = x / 2
            for id in row:
                self.x[id] -= middle

    def _align(self, down: bool) -> None:
        """Moves every row towards its neighbours above (or below)."""
        for row in self.rows if down else reversed(self.rows):
            wanted, weights = [], []
            for id in row:
                near = self.above[id] if down else self.below[id]
                if not near:
                    near = self.below[id] if down else self.above[id]
                wanted.append(sum(self.x[n] for n in near) / len(near) if near else self.x[id])
                # Dummy vertices weigh most, so that long arrows are straight.
                weights.append(4.0 if id < 0 else 1.0 if near else 0.1)
            offsets = [0.0] if row else []
            for a, b in pairwise(row):
                offsets.append(offsets[-1] + self._apart(a, b))
            free = [x - offset for x, offset in zip(wanted, offsets, strict=True)]
            for id, x, offset in zip(row, _ascending(free, weights), offsets, strict=True):
                self.x[id] = x + offset


def _ranks(row: Sequence[int]) -> dict[int, float]:
    """The position of each vertex in its row, as a fraction of the row's length."""
    return {id: (i + 0.5) / len(row) for i, id in enumerate(row)}


def _layers(widths: Mapping[int, float], arrows: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The longest path from a source to each box; then boxes sink towards their readers where that shortens arrows."""
    layer = dict.fromkeys(sorted(widths), 0)
    above: dict[int, list[int]] = {id: [] for id in widths}
    below: dict[int, list[int]] = {id: [] for id in widths}
    for source, target in arrows:
        above[target].append(source)
        below[source].append(target)
    for id in layer:
        layer[id] = max((layer[source] + 1 for source in above[id]), default=0)
    for id in reversed(list(layer)):
        lowest = min((layer[target] for target in below[id]), default=0) - 1
        # One arrow leaves the box for all readers; arrows to it get longer, unless arrows to others are as long.
        longer = sum(all(layer[t] < lowest for t in below[source] if t != id) for source in above[id])
        if lowest > layer[id] and longer <= 1:
            layer[id] = lowest
    return layer


def _ascending(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to some values (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return [value for value, _, count in blocks for _ in range(count)]


def _prefix(tree: list[int], end: int) -> int:
    """The number of counted positions below `end` (a Fenwick tree)."""
    total = 0
    while end:
        total += tree[end]
        end &= end - 1
    return total


def _count(tree: list[int], place: int) -> None:
    while place < len(tree):
        tree[place] += 1
        place += place & -place
