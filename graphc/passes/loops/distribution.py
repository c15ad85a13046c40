"""Loop distribution: operations that are not part of a recurrence run for all steps at once, before or after the loop.

The contractions and reductions of a scan's body leave the loop if

- they depend on sequences and constants only: they run before it, and the steps read their results as a sequence;
- no carry depends on them: they run after it, on operands that the loop stacks;
- a carry only sums them up: the sum is formed after the loop, with the steps as one more summed axis.

A recurrent layer's products of inputs and weights thus become one product over all steps, and so do the gradients of
all its weights. Loop-invariant operations run once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphc.dims import Dim
from graphc.graph.builder import Builder, Value, build_like, copy_node
from graphc.graph.core import Graph
from graphc.graph.registry import Batched, Kind, primitive
from graphc.graph.types import Node, Ref, TensorType
from graphc.passes.rewrite import has_regions, rewrite_regions
from graphc.primitives.batching import has_rule, vectorized
from graphc.primitives.control import ScanSignature, signature_of


def distribute_loops(graph: Graph) -> Graph:
    """Distributes loops: moves operations out of them that need not be inside.

    Returns:
        A graph that computes the same results; sums over steps may be formed in another order.
    """
    if not has_regions(graph):
        return graph
    builder = build_like(graph)
    mapping: dict[Ref, Ref] = {}
    for node in graph.table.values():
        if node.op == "scan":
            with builder.located(node.loc):
                results = _Distribution(builder, node, [builder.value(mapping[ref]) for ref in node.inputs]).results()
            mapping.update({Ref(node.id, out): value.ref for out, value in enumerate(results)})
            continue
        if primitive(node.op).regions:
            node = replace(node, attrs=rewrite_regions(node, distribute_loops))
        copied = copy_node(builder, node, mapping)
        mapping.update({Ref(node.id, out): Ref(copied.id, out) for out in range(len(node.outs))})
    builder.updates = {mapping[Ref(id)].node: mapping[ref] for id, ref in graph.updates.items()}
    return builder.finish(mapping[ref] for ref in graph.outputs)


class _Distribution:
    """The distribution of one scan.

    Args:
        builder: The graph that contains it.
        node: The scan.
        operands: Its operands in that graph.
    """

    def __init__(self, builder: Builder, node: Node, operands: list[Value]) -> None:
        self.builder, self.node = builder, node
        self.body: Graph = distribute_loops(node.attrs["body"])
        self.length: Dim = node.attrs["length"]
        self.signature = signature_of(node.attrs)
        self.operands = dict(zip(self.signature.names, operands, strict=True))
        self.names = {n.id: name for name, n in self.body.inputs.items()}
        self.of_carry, self.of_step = self._reached("s"), self._reached("sx")
        self.whole = {id for id in self.body.table if self._can_leave(id)}
        self.carry_outs = self.body.outputs[: self.signature.carries]
        self.ys = self.body.outputs[self.signature.carries :]
        self.sums = self._sums()
        self.before = self._before()
        self.after = self._after()
        self.outside: dict[Ref, Batched] = {}
        self.stacked: list[Ref] = []

    # ---- which operations leave the loop

    def _reached(self, letters: str) -> set[int]:
        """The nodes that depend on inputs whose names start with one of some letters."""
        reached: set[int] = set()
        for node in self.body.table.values():
            name = self.names.get(node.id, "-")
            if name[0] in letters or any(ref.node in reached for ref in node.inputs):
                reached.add(node.id)
        return reached

    def _can_leave(self, id: int) -> bool:
        node = self.body.node(id)
        return node.op == "input" or (len(node.outs) == 1 and (id not in self.of_step or has_rule(node)))

    def _is_work(self, id: int) -> bool:
        """Whether a node is worth moving out of the loop by itself."""
        return id in self.whole and primitive(self.body.node(id).op).kind in (Kind.CONTRACT, Kind.REDUCE)

    def _before(self) -> set[int]:
        """The nodes that run before the loop, once or for all steps, and whose results the loop reads."""
        before: set[int] = set()
        possible: set[int] = set()
        for id, node in self.body.table.items():
            kind = primitive(node.op).kind
            if id in self.of_carry:
                continue
            if id not in self.of_step:
                # Loop-invariant nodes; views and numbers cost nothing inside the loop.
                if id in self.whole and kind not in (Kind.SOURCE, Kind.VIEW) and node.outs[0].shape:
                    before.add(id)
                continue
            if node.op == "input":
                possible.add(id)
                continue
            behind = [ref.node for ref in node.inputs if ref.node in self.of_step]
            if id in self.whole and all(other in possible for other in behind):
                possible.add(id)
                follows = kind is Kind.POINTWISE and any(other in before for other in behind)
                if self._is_work(id) or (follows and all(other in before or other in self.names for other in behind)):
                    before.add(id)
        return before

    def _sums(self) -> set[int]:
        """The carries that only sum up a value of each step, where the sum can be formed after the loop."""
        sums: set[int] = set()
        for i, ref in enumerate(self.carry_outs):
            carry = self.body.inputs.get(f"s{i}")
            node = self.body.node(ref.node)
            if carry is None or node.op != "add" or Ref(carry.id) not in node.inputs:
                continue
            read = [*self.body.outputs, *(r for n in self.body.table.values() for r in n.inputs)]
            part = self._part(node, carry)
            if read.count(Ref(carry.id)) == 1 and read.count(ref) == 1 and self._summable(part):
                sums.add(i)
        return sums

    def _part(self, node: Node, carry: Node) -> Ref:
        """The value that a step adds to a sum."""
        return node.inputs[1] if node.inputs[0] == Ref(carry.id) else node.inputs[0]

    def _summable(self, ref: Ref) -> bool:
        node = self.body.node(ref.node)
        if ref.node not in self.of_step or ref.node not in self.whole:
            return False
        return primitive(node.op).batch_sum is not None or self._summed_operands(node) is not None

    def _summed_operands(self, node: Node) -> Sequence[int] | None:
        """Operands whose sums over all steps give the sum of the result, if the other operands are loop-invariant."""
        linear, dtype = primitive(node.op).linear, node.outs[0].dtype
        # Sums may only be in the range of a half because of a small factor.
        narrow = dtype.is_float and dtype.bits < 32
        for group in () if linear is None else linear(len(node.inputs), node.attrs):
            others = [ref.node for place, ref in enumerate(node.inputs) if place not in group]
            same = all(other not in self.of_step and self._formable(other) for other in others)
            if others and narrow:
                continue
            if same and all(self._summable(node.inputs[place]) for place in group):
                return group
        return None

    def _remaining_carries(self) -> list[int]:
        return [i for i in range(self.signature.carries) if i not in self.sums]

    def _after(self) -> set[int]:
        """The nodes that run after the loop, for stacked results."""
        inside = self.body.ancestors(self.carry_outs[i] for i in self._remaining_carries())
        wanted = self.body.ancestors(self.ys) - inside
        users: dict[int, set[int]] = {}
        for id in wanted:
            for ref in self.body.node(id).inputs:
                users.setdefault(ref.node, set()).add(id)
        after: set[int] = set()
        # A node can leave the loop if all its readers can.
        free = set[int]()
        for id in sorted(wanted, reverse=True):
            if id in self.whole and id in self.of_carry and users.get(id, set()) <= free:
                free.add(id)
        for id in sorted(free):
            behind = {ref.node for ref in self.body.node(id).inputs}
            if self._is_work(id) or behind & after:
                after.add(id)
        return after

    # ---- values outside

    def _outer(self, ref: Ref) -> Batched:
        """A value of all steps, outside the loop."""
        if ref not in self.outside:
            self.outside.update({Ref(ref.node, out): value for out, value in enumerate(self._formed(ref.node))})
        return self.outside[ref]

    def _formed(self, id: int) -> tuple[Batched, ...]:
        """The results of a node for all steps."""
        node, name = self.body.node(id), self.names.get(id)
        if name is not None:
            return (Batched(self.operands[name], name.startswith("x")),)
        with self.builder.located(node.loc):
            parts = [self._outer(part) for part in node.inputs]
            return vectorized(self.builder, node.op, node.attrs, parts, self.length)

    def _needs_stack(self, ref: Ref) -> list[Ref]:
        """The values of steps that the loop must stack so that a value can be formed outside."""
        node = self.body.node(ref.node)
        if ref.node not in self.of_carry:
            # It depends on sequences and constants; without batching rules it is stacked.
            return [] if self._formable(ref.node) else [ref]
        view = primitive(node.op).view
        # A view of all elements of a value is formed outside, of the stacked value.
        if ref.node in self.after or (view.affine and view.whole and ref.node in self.whole):
            return [stacked for part in node.inputs for stacked in self._needs_stack(part)]
        return [ref]

    def _formable(self, id: int) -> bool:
        return all(n in self.whole for n in self.body.ancestors([Ref(id)]))

    def _summands(self, ref: Ref) -> Iterable[Ref]:
        """The operands of the contractions and reductions in a sum over steps, and its factors."""
        node = self.body.node(ref.node)
        if primitive(node.op).batch_sum is not None:
            return node.inputs
        summed = self._summed_operands(node) or ()
        parts = [self._summands(part) if i in summed else (part,) for i, part in enumerate(node.inputs)]
        return [operand for part in parts for operand in part]

    def _total(self, ref: Ref) -> Value:
        """The sum of a value over all steps."""
        node = self.body.node(ref.node)
        with self.builder.located(node.loc):
            rule = primitive(node.op)
            if rule.batch_sum is not None:
                operands = [self._outer(part) for part in node.inputs]
                total = rule.batch_sum(self.builder, node.attrs, operands, self.length)
                assert isinstance(total, Value)
                return total
            summed = self._summed_operands(node) or ()
            parts = [
                self._total(part) if place in summed else self._outer(part).value
                for place, part in enumerate(node.inputs)
            ]
            return self.builder.apply(node.op, *parts, **node.attrs)

    # ---- the new loop

    def results(self) -> list[Value]:
        """The values of the scan's results, in the graph that contains it."""
        leaving = self.after | self.before
        inside = [ref for ref in self.ys if ref.node not in leaving]
        parts = {i: self._part(self.body.node(self.carry_outs[i].node), self.body.inputs[f"s{i}"]) for i in self.sums}
        outside = [ref for ref in self.ys if ref.node in leaving]
        outside += [operand for part in parts.values() for operand in self._summands(part)]
        needed = dict.fromkeys(value for ref in outside for value in self._needs_stack(ref))
        rows = list(dict.fromkeys([*inside, *needed]))
        carries = self._remaining_carries()
        values = self._loop(carries, rows)
        last, stacked = values[: len(carries)], dict(zip(rows, values[len(carries) :], strict=True))
        self.outside.update({ref: Batched(stacked[ref], True) for ref in needed})
        results: dict[int, Value] = dict(zip(carries, last, strict=True))
        for i, part in parts.items():
            first = self.operands[f"s{i}"]
            results[i] = self.builder.apply("add", first, self._total(part))
        ys = [stacked[ref] if ref in stacked else self._outer(ref).spread(self.length) for ref in self.ys]
        return [*(results[i] for i in range(self.signature.carries)), *ys]

    def _loop(self, carries: list[int], rows: list[Ref]) -> tuple[Value, ...]:
        """The scan with the nodes that stay in it."""
        wanted = [*(self.carry_outs[i] for i in carries), *rows]
        needed, brought = self._left(wanted)
        if not wanted:
            return ()
        body = build_like(self.body)
        mapping: dict[Ref, Ref] = {}
        sources: dict[str, list[tuple[Ref | None, Value]]] = {"c": [], "s": [], "x": []}
        for id in sorted(needed & self.names.keys()):
            if self.names[id][0] != "s":
                sources[self.names[id][0]].append((Ref(id), self.operands[self.names[id]]))
        source: Ref | None
        for source in brought:
            outer = self._outer(source)
            sources["x" if outer.varies else "c"].append((source, outer.value))
        for i in carries:
            carry = self.body.inputs.get(f"s{i}")
            sources["s"].append((None if carry is None else Ref(carry.id), self.operands[f"s{i}"]))
        for letter, values in sources.items():
            for position, (source, value) in enumerate(values):
                type = value.type if letter != "x" else _row(value)
                parameter = body.input(f"{letter}{position}", type)
                if source is not None:
                    mapping[source] = parameter.ref
        for id in sorted(needed - self.names.keys()):
            node = self.body.node(id)
            copied = copy_node(body, node, mapping)
            mapping.update({Ref(id, out): Ref(copied.id, out) for out in range(len(node.outs))})
        counts = ScanSignature(*(len(sources[letter]) for letter in "csx"))
        attrs = {"constants": counts.constants, "carries": counts.carries, "xs": counts.xs, "length": self.length}
        operands = [value for letter in "csx" for _, value in sources[letter]]
        graph = body.finish(mapping[ref] for ref in wanted)
        return self.builder.apply_many("scan", *operands, body=graph, reverse=self.node.attrs["reverse"], **attrs)

    def _left(self, wanted: Iterable[Ref]) -> tuple[set[int], list[Ref]]:
        """The nodes that stay in the loop, and the values of nodes before it that they read."""
        needed: set[int] = set()
        brought: dict[Ref, None] = {}
        stack = list(wanted)
        while stack:
            ref = stack.pop()
            if ref.node in self.before:
                brought[ref] = None
            elif ref.node not in needed:
                needed.add(ref.node)
                stack.extend(self.body.node(ref.node).inputs)
        return needed, sorted(brought, key=lambda ref: (ref.node, ref.out))


def _row(value: Value) -> TensorType:
    """The type of one step of a sequence."""
    return TensorType(value.shape[1:], value.dtype)
