"""Rematerialization: cheap values are recomputed by each of their readers where that causes less memory traffic.

Briggs et al., "Rematerialization" (1992), here of tensors. It takes the values in memory and the groups that read them
from a first partition of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.graph.core import Graph
from graphc.graph.registry import Kind, primitive
from graphc.graph.types import Node, Ref
from graphc.passes.fusion.inline import UNFUSED

# The most tensors that a value is rematerialized from: hardware prefetchers follow few streams of a loop.
MOST_LEAVES = 2


class Rematerialization:
    """Chooses the values that their readers rematerialize.

    Args:
        graph: The graph.
        inlined: The nodes that are inlined into their readers in any case.
        stored: The values that each group leaves in memory.
        home: The group of each node.
        kinds: The kind of each group.
        reads: The values that each group reads.
        nbytes: The size of each value that is stored or read.
    """

    def __init__(
        self,
        graph: Graph,
        inlined: frozenset[int],
        stored: set[Ref],
        home: dict[int, int],
        kinds: Sequence[Kind],
        reads: Sequence[set[Ref]],
        nbytes: Mapping[Ref, int],
    ) -> None:
        self.graph = graph
        self.inlined = inlined
        self.stored = stored
        self.home = home
        self.kinds = kinds
        self.reads = [set(group) for group in reads]
        self.nbytes = nbytes
        self.chosen: set[int] = set()

    def run(self) -> set[int]:
        """The nodes that are rematerialized."""
        stored = {ref.node for ref in self.graph.roots} | self._read_by_contractions()
        for node in self.graph.table.values():
            if primitive(node.op).cheap and Ref(node.id) in self.stored and node.id not in stored:
                self._consider(node)
        return self.chosen

    def _consider(self, node: Node) -> None:
        """Rematerializes a value if that does not cause more traffic."""
        ref = Ref(node.id)
        if not all(self._reads_once(user) for user in self.graph.users.get(ref, [])):
            return
        chain = {node.id}
        leaves = self._leaves(node, chain)
        if leaves is None or len(leaves) > MOST_LEAVES:
            return
        home = self.home[node.id]
        readers = [group for group, reads in enumerate(self.reads) if ref in reads and group != home]
        saved = self.nbytes[ref] * (1 + len(readers))
        for group in readers:
            more = sum(self.nbytes[leaf] for leaf in leaves - self.reads[group])
            # An epilogue's reads are not prefetched while the tile is multiplied: there they cost most.
            if self.kinds[group] is Kind.CONTRACT and more > self.nbytes[ref]:
                return
            saved -= more
        for leaf in leaves:
            others = {user for user in self.graph.users[leaf] if self.home.get(user) == home} - chain
            saved += 0 if others or self.home.get(leaf.node) == home else self.nbytes[leaf]
        if saved <= 0:
            return
        self.chosen |= chain
        for group in readers:
            self.reads[group] |= leaves

    def _leaves(self, node: Node, chain: set[int]) -> set[Ref] | None:
        """The values in memory, of the node's size, on which it depends; adds the nodes between to `chain`.

        Smaller values, which are broadcast, stay in the caches and do not count. None where the node depends on a value
        that is neither cheap nor in memory, on reordered elements, or on a state that the run updates.
        """
        leaves: set[Ref] = set()
        stack = list(node.inputs)
        while stack:
            ref = stack.pop()
            source = self.graph.node(ref.node)
            rule = primitive(source.op)
            if source.id in self.inlined:
                if rule.kind is Kind.VIEW and source.inputs and not rule.view.ordered:
                    return None
                stack += [] if self._repeats(source) else source.inputs
            elif source.id in self.chosen or (ref not in self.stored and rule.cheap):
                chain.add(source.id)
                stack += source.inputs
            elif ref in self.stored or rule.kind is Kind.SOURCE:
                leaves.add(ref)
            else:
                return None
        return None if any(ref.node in self.graph.updates for ref in leaves) else leaves

    def _repeats(self, source: Node) -> bool:
        """Whether a view repeats elements of its operand."""
        view = primitive(source.op).view
        copies = view.ordered and not view.once
        return copies and self.graph.type(source.inputs[0]).elements != source.outs[0].elements

    def _reads_once(self, user: int) -> bool:
        """Whether a node reads each element of its operands at most once, in a loop over elements."""
        reader = primitive(self.graph.node(user).op)
        return reader.kind in (Kind.POINTWISE, Kind.REDUCE) or reader.view.once

    def _read_by_contractions(self) -> set[int]:
        """The nodes that contractions and loops read, through views."""
        read: set[int] = set()
        for node in self.graph.table.values():
            if primitive(node.op).kind in (Kind.CONTRACT, *UNFUSED):
                stack = [ref.node for ref in node.inputs]
                while stack:
                    id = stack.pop()
                    if id in self.inlined:
                        stack += [ref.node for ref in self.graph.node(id).inputs]
                    else:
                        read.add(id)
        return read
