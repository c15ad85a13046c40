"""From a partition to a plan: kernels get buffers, updates get their states, and everything gets an order.

An update is written straight into its state where every other reader of the old value comes earlier, and where the
writing kernel itself reads the old value only at the very element that it replaces. Else it is copied at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from graphc import dims, dtypes
from graphc.codegen.kernel import Kernel, Param, loads, stores
from graphc.codegen.lower import lower
from graphc.codegen.schedule import map_buffers
from graphc.graph.core import Graph
from graphc.graph.types import Ref
from graphc.passes.fuse import Partition
from graphc.plan import Buffer, Copy, Launch, Plan, Role, Step


@dataclass(frozen=True)
class Assembly:
    """A plan, and the kernels that it launches, by name."""

    plan: Plan
    kernels: dict[str, Kernel]


def assemble(partition: Partition) -> Assembly:
    """Lowers a partition and plans it.

    Args:
        partition: The groups.

    Returns:
        The plan and its kernels, not yet scheduled.
    """
    kernels = [lower(partition, group, f"k{i}") for i, group in enumerate(partition.groups)]
    return _Assembler(partition.graph, kernels).run()


class _Assembler:
    def __init__(self, graph: Graph, kernels: list[Kernel]) -> None:
        self.graph = graph
        self.kernels = kernels
        self.writer = {param.value: i for i, k in enumerate(kernels) for param in k.params if param.written}
        self.after: dict[int, set[int]] = {i: set() for i in range(len(kernels))}  # kernel -> those before it
        self.home: dict[Ref, Ref] = {}  # a value -> the state whose buffer it is written to

    def run(self) -> Assembly:
        for i, kernel in enumerate(self.kernels):
            for param in kernel.params:
                if not param.written and param.value in self.writer:
                    self.after[i].add(self.writer[param.value])
        for state, value in self.graph.updates.items():
            self._try_alias(Ref(state), value)
        order = self._order()
        buffers, by_value, outputs = self._buffers()
        steps: list[Step] = []
        kernels: dict[str, Kernel] = {}
        for position in order:
            kernel = self._aliased(self.kernels[position])
            kernels[kernel.name] = kernel
            ids = tuple(by_value[param.value] for param in kernel.params)
            reads = tuple(id for id, param in zip(ids, kernel.params, strict=True) if param.read)
            writes = tuple(id for id, param in zip(ids, kernel.params, strict=True) if param.written)
            steps.append(Launch(kernel.name, ids, reads, writes, kernel.origins))
        copies = self._copies(by_value, outputs)
        plan = Plan((*steps, *copies), tuple(buffers), tuple(outputs), self.graph.symbols)
        return Assembly(plan, kernels)

    # ---- updates in place

    def _try_alias(self, state: Ref, value: Ref) -> None:
        """Lets a value be written into the state it updates, if that is safe."""
        writer = self.writer.get(value)
        if writer is None or value in self.home or value in self.graph.outputs:
            return
        if not _replaces_elementwise(self.kernels[writer], state, value):
            return
        readers = {i for i, k in enumerate(self.kernels) if i != writer and any(p.value == state for p in k.params)}
        if any(writer in self._all_before(reader) for reader in readers):
            return
        self.after[writer] |= readers
        self.home[value] = state

    def _all_before(self, kernel: int) -> set[int]:
        seen: set[int] = set()
        stack = [kernel]
        while stack:
            for other in self.after[stack.pop()]:
                if other not in seen:
                    seen.add(other)
                    stack.append(other)
        return seen

    def _order(self) -> list[int]:
        """Kernels so that each comes after those it waits for; among free choices, as they were."""
        waiting = list(range(len(self.kernels)))
        done: set[int] = set()
        order: list[int] = []
        while waiting:
            position = next(i for i in waiting if self.after[i] <= done)
            waiting.remove(position)
            done.add(position)
            order.append(position)
        return order

    def _aliased(self, kernel: Kernel) -> Kernel:
        """The kernel with aliased values as their states: a state both read and written is one parameter."""
        params: dict[Ref, Param] = {}
        renamed: dict[str, str] = {}
        for param in kernel.params:
            value = self.home.get(param.value, param.value)
            known = params.get(value)
            if known is None:
                params[value] = replace(param, value=value)
            else:
                params[value] = replace(known, written=known.written or param.written, read=known.read or param.read)
            renamed[param.name] = params[value].name
        if all(old == new for old, new in renamed.items()):
            return replace(kernel, params=tuple(params.values()))
        return replace(
            kernel, params=tuple(params.values()), body=tuple(map_buffers(stmt, renamed) for stmt in kernel.body)
        )

    # ---- buffers

    def _buffers(self) -> tuple[list[Buffer], dict[Ref, int], list[int]]:
        buffers: list[Buffer] = []
        by_value: dict[Ref, int] = {}
        results = {ref for ref in self.graph.outputs if ref not in self.home}
        used = {self.home.get(param.value, param.value) for kernel in self.kernels for param in kernel.params}
        for node in self.graph.table.values():
            for out, type in enumerate(node.outs):
                ref = Ref(node.id, out)
                if ref not in used and node.op not in ("input", "state"):
                    continue
                role: Role = "output" if ref in results else "temporary"
                if node.op in ("input", "state", "constant"):
                    role = node.op  # type: ignore[assignment]
                by_value[ref] = len(buffers)
                name = node.attrs.get("name", "")
                buffers.append(Buffer(len(buffers), role, type.dtype, type.elements, name, node.attrs.get("value")))
        outputs: list[int] = []
        for ref in self.graph.outputs:
            id = by_value[ref]
            if id in outputs:
                buffers.append(replace(buffers[id], id=len(buffers)))
                id = len(buffers) - 1
            outputs.append(id)
        by_value |= {value: by_value[state] for value, state in self.home.items()}
        return buffers, by_value, outputs

    def _copies(self, by_value: dict[Ref, int], outputs: list[int]) -> list[Copy]:
        """Copies at the end, for updates that have no place in their states and for outputs that stand twice."""
        copies = [
            Copy(by_value[ref], by_value[Ref(state)])
            for state, ref in self.graph.updates.items()
            if by_value[ref] != by_value[Ref(state)]
        ]
        copies += [
            Copy(by_value[ref], id) for ref, id in zip(self.graph.outputs, outputs, strict=True) if by_value[ref] != id
        ]
        return copies


def _replaces_elementwise(kernel: Kernel, state: Ref, value: Ref) -> bool:
    """Whether a kernel reads a state only at the element that it then writes."""
    names = {param.value: param.name for param in kernel.params}
    places = {store.index for store in stores(kernel.body) if store.buffer == names[value]}
    if any(store.accumulate for store in stores(kernel.body)):
        return False
    return state not in names or all(load.index in places for load in loads(kernel.body) if load.buffer == names[state])


def with_scratch(assembly: Assembly, nbytes: Mapping[str, dims.Dim]) -> Assembly:
    """Gives some kernels working memory in the arena, as a last parameter."""
    buffers = list(assembly.plan.buffers)
    steps: list[Step] = []
    for step in assembly.plan.steps:
        if isinstance(step, Launch) and step.kernel in nbytes:
            id = len(buffers)
            buffers.append(Buffer(id, "scratch", dtypes.uint8, nbytes[step.kernel]))
            step = replace(step, buffers=(*step.buffers, id), writes=(*step.writes, id))
        steps.append(step)
    return replace(assembly, plan=replace(assembly.plan, steps=tuple(steps), buffers=tuple(buffers)))
