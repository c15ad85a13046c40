"""Partition of a graph into groups, each of which becomes one kernel.

Views are inlined (`inline.py`), and cheap arithmetic is rematerialized where that causes less memory traffic
(`rematerialize.py`). Each other operation belongs to exactly one group. Groups grow from producers to consumers in
graph order, then pairs of groups are merged, the pair that saves most bytes of traffic first. A merge must keep the
group convex (no path leaves and comes back), and each value inside a group must be read at the very point for which it
is computed. Refusals are logged with their reasons. In the end, cheap operations whose results only one later group
reads sink into that group, where that stores less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import combinations, pairwise

from graphc import dims
from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref, TensorType
from graphc.passes.analysis.access import Domain, ReadRecorder, domain_of, extents_of, kind_of
from graphc.passes.analysis.precedence import Precedence
from graphc.passes.analysis.triangles import Triangle, triangles
from graphc.passes.fusion.inline import UNFUSED, inlined_nodes
from graphc.passes.fusion.rematerialize import Rematerialization
from graphc.plan import nominal

# A launch costs about as much as this many bytes of memory traffic.
LAUNCH_BYTES = 4096
ANCHORS = (Kind.REDUCE, Kind.CONTRACT)


@dataclass(slots=True)
class Group:
    """Operations that run as one kernel."""

    id: int
    nodes: list[Node]
    domain: Domain
    kind: Kind
    reads: set[Ref] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why two groups were not merged."""

    producer: int
    consumer: int
    reason: str


@dataclass(frozen=True)
class Partition:
    """A graph partitioned into groups, in topological order, and the nodes inlined into their readers."""

    graph: Graph
    groups: tuple[Group, ...]
    inlined: frozenset[int]
    refusals: tuple[Refusal, ...]

    @cached_property
    def triangles(self) -> dict[Ref, Triangle]:
        """The values whose elements on one side of a diagonal are one number."""
        return triangles(self.graph)

    @cached_property
    def stored(self) -> dict[int, tuple[Ref, ...]]:
        """The values that each group, by position, stores: those that other groups read, and results of the graph."""
        home = {node.id: position for position, group in enumerate(self.groups) for node in group.nodes}
        needed = set(self.graph.roots)
        for position, group in enumerate(self.groups):
            needed |= {ref for ref in group.reads if home.get(ref.node, position) != position}
        stored: dict[int, list[Ref]] = {}
        for ref in sorted(needed):
            if ref.node in home:
                stored.setdefault(home[ref.node], []).append(ref)
        return {position: tuple(refs) for position, refs in stored.items()}


def fuse(graph: Graph, enabled: bool = True) -> Partition:
    """Partitions a graph into groups.

    Args:
        graph: A simplified graph.
        enabled: Whether operations share kernels; if not, each has its own.

    Returns:
        The partition; its groups are in topological order.
    """
    inlined = inlined_nodes(graph)
    fusion = _Fusion(graph, enabled, inlined)
    first = fusion.run()
    rematerialized = _rematerialized(first) if enabled else set()
    if not rematerialized:
        return first
    second = _Fusion(graph, enabled, inlined | rematerialized)
    second.sizes = fusion.sizes
    # Nodes without rematerialized operands read the same values as before.
    second.reads = {
        key: reads for key, reads in fusion.reads.items() if not any(ref.node in rematerialized for ref, _ in reads)
    }
    return second.run()


def _rematerialized(partition: Partition) -> set[int]:
    """The nodes whose rematerialization causes less memory traffic."""
    graph, groups = partition.graph, partition.groups
    stored = {ref for refs in partition.stored.values() for ref in refs}
    home = {node.id: position for position, group in enumerate(groups) for node in group.nodes}
    kinds = [group.kind for group in groups]
    reads = [group.reads for group in groups]
    nbytes = {ref: _nominal_bytes(graph.type(ref)) for ref in stored.union(*reads)}
    return Rematerialization(graph, partition.inlined, stored, home, kinds, reads, nbytes).run()


class _Fusion:
    def __init__(self, graph: Graph, enabled: bool, inlined: set[int]) -> None:
        self.graph = graph
        self.enabled = enabled
        self.inlined = inlined
        self.groups: dict[int, Group] = {}
        self.home: dict[int, int] = {}
        self.order = Precedence()
        self.refusals: list[Refusal] = []
        # The reads of each node at the current point of a domain, and the sizes of values.
        self.reads: dict[tuple[int, Domain], list[tuple[Ref, tuple[dims.Dim, ...]]]] = {}
        self.sizes: dict[Ref, int] = {}
        self._merges = 0
        self._touching: dict[int, tuple[int, set[Ref]]] = {}
        self._merged: dict[int, int] = {}  # group id -> number of its last merge
        self._refused: dict[tuple[int, int], int] = {}  # a pair of groups -> number of merges before its refusal

    def run(self) -> Partition:
        for node in self.graph.table.values():
            if node.id not in self.inlined and primitive(node.op).kind is not Kind.SOURCE:
                self._place(node)
        if self.enabled:
            self._merge_pairs()
            self._join_parts()
            self._sink_all()
        return Partition(self.graph, tuple(self._ordered()), frozenset(self.inlined), tuple(self.refusals))

    # ---- growing groups from producers to consumers

    def _place(self, node: Node) -> None:
        own = domain_of(self.graph, node)
        values = {ref for ref, _ in self._reads_in(node, own)}
        inputs = {self.home[ref.node] for ref in values if ref.node in self.home}
        if self.enabled and primitive(node.op).kind not in UNFUSED:
            open_groups = [id for id in inputs if self.groups[id].kind not in UNFUSED]
            for id in sorted(open_groups, key=lambda id: (-self._bytes_between(id, values), id)):
                if self._try_join(node, self.groups[id], own, inputs):
                    return
        id = len(self.groups)
        self.groups[id] = Group(id, [node], own, kind_of(self.graph, node), values)
        self.home[node.id] = id
        self.order.add(id, inputs)

    def _try_join(self, node: Node, group: Group, own: Domain, inputs: set[int]) -> bool:
        if any(self.order.is_before(group.id, other) for other in inputs):
            self.refusals.append(Refusal(group.nodes[-1].id, node.id, "a path leaves the group and comes back"))
            return False
        single = Group(-1, [node], own, kind_of(self.graph, node))
        domain = self._common_domain(group, single)
        reason = "they run over different points" if domain is None else None
        if domain is not None:
            changed = domain != group.domain
            members = [*group.nodes, node]
            reason = self._mismatch(members if changed else [node], members, domain)
        if domain is None or reason is not None:
            self.refusals.append(Refusal(group.nodes[-1].id, node.id, reason or ""))
            return False
        group.kind = _joint_kind(group.kind, single.kind)
        group.domain = domain
        group.nodes.append(node)
        group.reads |= {ref for ref, _ in self._reads_in(node, domain)}
        self.home[node.id] = group.id
        self.order.put_after(group.id, inputs - {group.id})
        return True

    def _reads_in(self, node: Node, domain: Domain) -> list[tuple[Ref, tuple[dims.Dim, ...]]]:
        """The reads of a node at the current point of a domain."""
        key = (node.id, domain)
        known = self.reads.get(key)
        if known is None:
            recorder = ReadRecorder(self.graph, self.inlined)
            kind = kind_of(self.graph, node)
            if kind is Kind.CONTRACT:
                extents = extents_of(self.graph, node)
                recorder.reads_of(node, domain.point, tuple(dims.axis(f"k{i}", e) for i, e in enumerate(extents)))
            elif kind is Kind.SCATTER:
                updates = self.graph.type(node.inputs[-1]).shape
                recorder.reads_of(node, tuple(dims.axis(f"s{i}", e) for i, e in enumerate(updates)))
            else:
                index = domain.index_of(node.outs[0].shape)
                if index is None:
                    # Parts of a concatenation are read where they are computed.
                    assert primitive(node.op).view.joined
                    recorder.reads = [(ref, domain.index_of(self.graph.type(ref).shape) or ()) for ref in node.inputs]
                else:
                    recorder.reads_of(node, index, domain.inner if kind is Kind.REDUCE else ())
            known = self.reads[key] = recorder.reads
        return known

    # ---- legality of groups

    def _common_domain(self, a: Group, b: Group) -> Domain | None:
        """The domain over which both groups can run; None where there is none."""
        if a.domain == b.domain:
            return a.domain if Kind.CONTRACT not in (a.kind, b.kind) or a.kind is not b.kind else None
        if a.kind in ANCHORS and b.kind in ANCHORS:
            return None
        wide, narrow = (a, b) if a.kind in ANCHORS else (b, a)
        if wide.kind not in ANCHORS:
            return self._finer(a.domain, b.domain)
        if all(wide.domain.index_of(node.outs[0].shape) is not None for node in narrow.nodes):
            return wide.domain
        return None

    def _finer(self, a: Domain, b: Domain) -> Domain | None:
        if dims.product(a.points) != dims.product(b.points):
            return None
        return a if len(a.points) >= len(b.points) else b

    def _mismatch(self, nodes: list[Node], members: list[Node], domain: Domain) -> str | None:
        """The reason why a node cannot run in a group over a domain; None if all nodes can."""
        inside = {member.id for member in members}
        for node in nodes:
            shape = node.outs[0].shape
            kind = kind_of(self.graph, node)
            parts = primitive(node.op).view.joined and all(ref.node in inside for ref in node.inputs)
            if domain.index_of(shape) is None and not parts:
                return "they run over different points"
            if kind is Kind.REDUCE and (shape != domain.points or extents_of(self.graph, node) != domain.reduced):
                return "they reduce over different axes"
            for ref, index in self._reads_in(node, domain):
                if ref.node not in inside:
                    continue
                if kind is Kind.CONTRACT:
                    return "a contraction reads its operands from memory"
                if index != domain.index_of(self.graph.type(ref).shape):
                    return "a value is read at other points than it is computed for"
        return None

    # ---- merging pairs

    def _merge_pairs(self) -> None:
        merged = True
        while merged:
            merged = False
            for _, a, b in self._candidates():
                if a in self.groups and b in self.groups and self._try_merge(self.groups[a], self.groups[b]):
                    merged = True

    def _candidates(self) -> list[tuple[int, int, int]]:
        """Pairs of groups that share values, most bytes first; groups without points save at least a launch."""
        touching: dict[Ref, list[int]] = {}
        for group in self.groups.values():  # in the order of their numbers
            if group.kind not in UNFUSED:
                for ref in self._touched(group):
                    touching.setdefault(ref, []).append(group.id)
        scores: dict[tuple[int, int], int] = {}
        for ref, ids in touching.items():
            if 1 < len(ids) <= 16:
                nbytes = self._nbytes(ref)
                for pair in combinations(ids, 2):
                    scores[pair] = scores.get(pair, 0) + nbytes
        scalars = [g.id for g in self.groups.values() if g.domain.points == () and g.kind not in UNFUSED]
        for a, b in pairwise(scalars):
            scores[a, b] = scores.get((a, b), 0) + LAUNCH_BYTES
        return sorted(((score, a, b) for (a, b), score in scores.items()), key=lambda row: (-row[0], row[1:]))

    def _touched(self, group: Group) -> set[Ref]:
        """The values that a group reads or computes; cached until it merges."""
        merge = self._merged.get(group.id, 0)
        known = self._touching.get(group.id)
        if known is None or known[0] != merge:
            refs = group.reads | {Ref(n.id, o) for n in group.nodes for o in range(len(n.outs))}
            known = self._touching[group.id] = merge, refs
        return known[1]

    def _try_merge(self, a: Group, b: Group) -> bool:
        # Merges of other groups only add paths: a refusal holds until one of the two groups changes.
        latest = max(self._merged.get(a.id, 0), self._merged.get(b.id, 0))
        if self._refused.get((a.id, b.id), -1) >= latest:
            return False
        self._refused[a.id, b.id] = self._merges
        for first, last in ((a, b), (b, a)):
            if self.order.is_through_others(first.id, last.id):
                self.refusals.append(Refusal(first.nodes[-1].id, last.nodes[-1].id, "a path leaves and comes back"))
                return False
        domain = self._common_domain(a, b)
        nodes = sorted([*a.nodes, *b.nodes], key=lambda node: node.id)
        reason = "they run over different points" if domain is None else self._mismatch(nodes, nodes, domain)
        if domain is None or reason is not None:
            self.refusals.append(Refusal(a.nodes[-1].id, b.nodes[-1].id, reason or ""))
            return False
        self._absorb(a, b, nodes, domain)
        return True

    def _absorb(self, a: Group, b: Group, nodes: list[Node], domain: Domain) -> None:
        a.kind = _joint_kind(a.kind, b.kind)
        a.nodes, a.domain = nodes, domain
        a.reads = {ref for node in nodes for ref, _ in self._reads_in(node, domain)}
        self._merges += 1
        self._merged[a.id] = self._merges
        for node in b.nodes:
            self.home[node.id] = a.id
        del self.groups[b.id]
        self.order.merge(a.id, b.id)

    def _join_parts(self) -> None:
        """Merges concatenations into the group that computes all their parts, which stores them part by part."""
        updates = set(self.graph.updates.values())
        for whole in list(self.groups.values()):
            node = whole.nodes[0]
            homes = {self.home.get(ref.node, whole.id) for ref in node.inputs}
            if len(whole.nodes) > 1 or not primitive(node.op).view.joined or len(homes) > 1 or Ref(node.id) in updates:
                continue
            group = self.groups[homes.pop()]
            if group is not whole and group.kind not in UNFUSED and not group.domain.reduced:
                self._absorb(group, whole, [*group.nodes, node], group.domain)

    # ---- sinking into later groups

    def _sink_all(self) -> None:
        """Moves operations to the one group that reads them, from the last groups to the first."""
        readers: dict[Ref, set[int]] = {}
        for group in self.groups.values():
            for ref in group.reads:
                readers.setdefault(ref, set()).add(group.id)
        roots = set(self.graph.roots)
        for group in reversed(self._ordered()):
            if group.kind in UNFUSED:
                continue
            targets: dict[int, list[Node]] = {}
            for node in group.nodes:
                to = readers.get(Ref(node.id), set())
                if len(to) == 1 and group.id not in to and primitive(node.op).cheap and Ref(node.id) not in roots:
                    targets.setdefault(next(iter(to)), []).append(node)
            for id, nodes in sorted(targets.items()):
                if self.groups[id].kind not in UNFUSED and not self._sink(group, nodes, self.groups[id], readers):
                    for node in nodes if len(nodes) > 1 else ():
                        self._sink(group, [node], self.groups[id], readers)

    def _sink(self, group: Group, stored: list[Node], target: Group, readers: dict[Ref, set[int]]) -> bool:
        """Moves nodes, and nodes that only they read, to a later group, if that reduces memory traffic."""
        moved = self._serving(group, stored, readers)
        ids = {node.id for node in moved}
        if len(moved) == len(group.nodes):
            return False
        needed = {ref for node in moved for ref, _ in self._reads_in(node, group.domain) if ref.node not in ids}
        here = {node.id for node in group.nodes}
        elsewhere = self.groups.keys() - {group.id}
        new = {
            ref for ref in needed if ref.node in here and ref not in self.graph.roots and not readers[ref] & elsewhere
        }
        # A stored value is written and read; a value that is stored anyway is read once more at most.
        saved = sum(2 * self._nbytes(Ref(node.id)) for node in stored)
        if saved <= sum(self._nbytes(ref) * (2 if ref in new else 1) for ref in needed - target.reads):
            return False
        nodes = sorted([*target.nodes, *moved], key=lambda node: node.id)
        domain = self._common_domain(target, Group(-1, moved, Domain(stored[0].outs[0].shape), Kind.POINTWISE))
        if domain is None or self._mismatch(nodes, nodes, domain) is not None:
            return False
        left = [node for node in group.nodes if node.id not in ids]
        for changed, members, over in ((group, left, group.domain), (target, nodes, domain)):
            for ref in changed.reads:
                readers[ref].discard(changed.id)
            changed.nodes, changed.domain = members, over
            changed.reads = {ref for node in members for ref, _ in self._reads_in(node, over)}
            for ref in changed.reads:
                readers.setdefault(ref, set()).add(changed.id)
        self.home |= dict.fromkeys(ids, target.id)
        return True

    def _serving(self, group: Group, stored: list[Node], readers: dict[Ref, set[int]]) -> list[Node]:
        """Some nodes of a group, and the cheap nodes that only they read, directly or not."""
        moved = {node.id for node in stored}
        for node in reversed(group.nodes):
            ref = Ref(node.id)
            if primitive(node.op).cheap and ref not in self.graph.roots and readers.get(ref) == {group.id}:
                users = [user for user in group.nodes if any(r == ref for r, _ in self._reads_in(user, group.domain))]
                if all(user.id in moved for user in users):
                    moved.add(node.id)
        return [node for node in group.nodes if node.id in moved]

    # ---- helpers

    def _nbytes(self, ref: Ref) -> int:
        known = self.sizes.get(ref)
        if known is None:
            known = self.sizes[ref] = _nominal_bytes(self.graph.type(ref))
        return known

    def _bytes_between(self, id: int, values: set[Ref]) -> int:
        return sum(self._nbytes(ref) for ref in values if self.home.get(ref.node) == id)

    def _ordered(self) -> list[Group]:
        """The groups in topological order; where that leaves a choice, in graph order."""
        return [self.groups[id] for id in self.order.sorted(lambda id: self.groups[id].nodes[-1].id)]


@lru_cache(maxsize=4096)
def _nominal_bytes(type: TensorType) -> int:
    return nominal(type.elements) * type.dtype.itemsize


def _joint_kind(a: Kind, b: Kind) -> Kind:
    return next((kind for kind in (a, b) if kind in ANCHORS), Kind.POINTWISE)
