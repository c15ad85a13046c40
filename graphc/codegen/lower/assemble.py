"""From a partition to a plan: kernels get buffers, updates are written to states, and steps are ordered.

An update is written in place, into its state, if every other reader of the old value comes earlier, and the kernel
that writes reads the old value only at the very element that it replaces. Else it is copied at the end. Regions are
assembled likewise, with their carries as states, and become blocks of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc import dims
from graphc.codegen.ir.kernel import Kernel, Param
from graphc.codegen.ir.rewrite import map_accesses, map_buffers
from graphc.codegen.ir.walk import expressions, indices, loads, statements, stores
from graphc.codegen.lower.group import lower
from graphc.codegen.lower.regions import Around, Place, places_of, with_states
from graphc.dims import Dim
from graphc.graph.core import Graph
from graphc.graph.registry import LibraryRule, RegionRule, primitive
from graphc.graph.types import Node, Ref, TensorType
from graphc.passes.analysis.precedence import Precedence
from graphc.passes.empty import is_empty
from graphc.passes.fusion.fuse import Partition
from graphc.plan import Branch, Buffer, Copy, Launch, LibraryCall, Loop, Plan, Role, Step, While, all_steps


@dataclass(frozen=True)
class Assembly:
    """A plan, and the kernels that it launches, by name."""

    plan: Plan
    kernels: dict[str, Kernel]


def assemble(partition: Partition, prepare: Callable[[Graph], Partition]) -> Assembly:
    """Lowers a partition and plans it.

    Args:
        partition: The groups.
        prepare: A function that simplifies and partitions the bodies of loops.

    Returns:
        The plan and its kernels, not yet scheduled.
    """
    return _Assembler(partition, prepare, [0]).run()


@dataclass(slots=True)
class _Unit:
    """A unit of ordering: a kernel, or a node that becomes other steps (a region, or a library call)."""

    reads: set[Ref]
    writes: set[Ref]
    kernel: Kernel | None = None
    node: Node | None = None


class _Assembler:
    def __init__(self, partition: Partition, prepare: Callable[[Graph], Partition], counter: list[int]) -> None:
        self.graph = partition.graph
        self.prepare = prepare
        self.counter = counter  # the number of kernels and loops named so far, shared with the bodies of loops
        self.units = [self._unit(partition, position) for position in range(len(partition.groups))]
        self.writer = {ref: i for i, unit in enumerate(self.units) for ref in unit.writes}
        self.readers: dict[Ref, set[int]] = {}
        for i, unit in enumerate(self.units):
            for ref in unit.reads:
                self.readers.setdefault(ref, set()).add(i)
        self.order = Precedence()
        for i, unit in enumerate(self.units):  # producers come first in a partition
            self.order.add(i, {self.writer[ref] for ref in unit.reads if ref in self.writer})
        self.home: dict[Ref, Ref] = {}  # a value -> the state whose buffer it is written to
        self.buffers: list[Buffer] = []
        self.by_value: dict[Ref, int] = {}
        self.kernels: dict[str, Kernel] = {}

    def _unit(self, partition: Partition, position: int) -> _Unit:
        group = partition.groups[position]
        node = group.nodes[0]
        stored = partition.stored.get(position, ())
        if stored and all(is_empty(partition.graph.type(ref)) for ref in stored):
            return _Unit(set(), set(stored))  # without elements nothing is computed
        if not primitive(node.op).kind.has_kernel:
            return _Unit(set(node.inputs), {Ref(node.id, out) for out in range(len(node.outs))}, node=node)
        kernel = lower(partition, position, self._name("k"))
        reads = {param.value for param in kernel.params if param.read}
        return _Unit(reads, {param.value for param in kernel.params if param.written}, kernel)

    def _name(self, letter: str) -> str:
        self.counter[0] += 1
        return f"{letter}{self.counter[0] - 1}"

    def run(self) -> Assembly:
        for state, value in self.graph.updates.items():
            self._try_alias(Ref(state), value)
        outputs = self._assign_buffers()
        steps: list[Step] = []
        for position in self.order.sorted():
            unit = self.units[position]
            if unit.node is not None:
                steps += self._steps(unit.node)
            elif unit.kernel is not None:
                steps.append(self._launch(unit.kernel))
        steps += self._copies(outputs)
        return Assembly(Plan(tuple(steps), tuple(self.buffers), tuple(outputs), self.graph.symbols), self.kernels)

    # ---- updates in place

    def _try_alias(self, state: Ref, value: Ref) -> None:
        """Has a value written in place, into the state that it updates, if that is legal."""
        writer = self.writer.get(value)
        if writer is None or value in self.home or value in self.graph.outputs:
            return
        kernel = self.units[writer].kernel
        if kernel is None or not _replaces_elementwise(kernel, state, value):
            return
        readers = self.readers.get(state, set()) - {writer}
        if any(self.order.is_before(writer, reader) for reader in readers):
            return
        self.order.put_after(writer, readers)
        self.home[value] = state

    # ---- buffers

    def _assign_buffers(self) -> list[int]:
        """Assigns a buffer to every value in memory; returns the buffers of the outputs."""
        results = {ref for ref in self.graph.outputs if ref not in self.home}
        touched = {self.home.get(ref, ref) for unit in self.units for ref in unit.reads | unit.writes}
        for node in self.graph.table.values():
            for out, type in enumerate(node.outs):
                ref = Ref(node.id, out)
                role: Role = "output" if ref in results else "temporary"
                if node.op in ("input", "state", "constant"):
                    role = node.op  # type: ignore[assignment]
                if ref in touched or role in ("input", "state"):
                    self.by_value[ref] = self._new(role, type)
                    buffer = self.buffers[-1]
                    name, value = node.attrs.get("name", ""), node.attrs.get("value")
                    self.buffers[-1] = replace(buffer, name=name, value=value if role == "constant" else None)
        self.by_value |= {value: self.by_value[state] for value, state in self.home.items()}
        outputs: list[int] = []
        for ref in self.graph.outputs:
            id = self.by_value[ref]
            outputs.append(self._new("output", self.graph.type(ref)) if id in outputs else id)
        return outputs

    def _new(self, role: Role, type: TensorType) -> int:
        self.buffers.append(Buffer(len(self.buffers), role, type.dtype, type.elements))
        return len(self.buffers) - 1

    def _copies(self, outputs: list[int]) -> list[Step]:
        """Copies at the end: of updates that are not in place, and of outputs that occur twice."""
        pairs = [(self.by_value[ref], self.by_value[Ref(state)]) for state, ref in self.graph.updates.items()]
        pairs += [(self.by_value[ref], id) for ref, id in zip(self.graph.outputs, outputs, strict=True)]
        return self._copied(pairs)

    def _copied(self, pairs: Iterable[tuple[int, int]]) -> list[Step]:
        """Copies from one buffer to another, unless they are the same or empty."""
        sizes = [(source, target, self.buffers[source].elements) for source, target in pairs if source != target]
        return [Copy(source, target, elements) for source, target, elements in sizes if elements != 0]

    # ---- steps

    def _launch(self, kernel: Kernel) -> Launch:
        kernel = self._aliased(kernel)
        self.kernels[kernel.name] = kernel
        ids = tuple(self.by_value[param.value] for param in kernel.params)
        reads = tuple(id for id, param in zip(ids, kernel.params, strict=True) if param.read)
        writes = tuple(id for id, param in zip(ids, kernel.params, strict=True) if param.written)
        return Launch(kernel.name, ids, reads, writes, symbols_of(kernel), kernel.origins)

    def _aliased(self, kernel: Kernel) -> Kernel:
        """The kernel with states for values written in place: a state both read and written is one parameter."""
        if not any(param.value in self.home for param in kernel.params):
            return kernel
        params: dict[Ref, Param] = {}
        renamed: dict[str, str] = {}
        for param in kernel.params:
            value = self.home.get(param.value, param.value)
            known = params.get(value, replace(param, value=value))
            written, read = known.written or param.written, known.read or param.read
            params[value] = replace(known, written=written, read=read)
            renamed[param.name] = known.name
        if all(name == known for name, known in renamed.items()):
            return replace(kernel, params=tuple(params.values()))
        body = tuple(map_buffers(stmt, renamed) for stmt in kernel.body)
        return replace(kernel, params=tuple(params.values()), body=body)

    def _steps(self, node: Node) -> list[Step]:
        """The steps of a node that has no kernel."""
        lower = primitive(node.op).lower
        assert lower is not None
        rule: RegionRule | LibraryRule = lower(tuple(self.graph.type(ref) for ref in node.inputs), **node.attrs)
        if isinstance(rule, LibraryRule):
            return [self._call(node, rule)]
        return {"count": self._loop, "while": self._while, "branch": self._branch}[rule.control](node, rule)

    def _call(self, node: Node, rule: LibraryRule) -> LibraryCall:
        results = tuple(Ref(node.id, out) for out in range(len(node.outs)))
        operands, written = (tuple(self.by_value[ref] for ref in refs) for refs in (node.inputs, results))
        shapes = tuple(self.graph.type(ref).shape for ref in (*node.inputs, *results))
        return LibraryCall(
            node.op, node.attrs, operands, written, shapes, (0,) * len(shapes), rule.work, origins=node.loc
        )

    # ---- regions

    def _loop(self, node: Node, rule: RegionRule) -> list[Step]:
        """A counted loop: iterations update its carries, which are buffers, and each reads a row of the sequences."""
        operands, results = self._operands(node), self._results(node)
        first_x = rule.constants + rule.carries
        given = _numbered("c", operands[: rule.constants]) | _numbered("s", results[: rule.carries])
        given |= {f"x{i}": Place(id, is_row=True) for i, id in enumerate(operands[first_x:])}
        rows = [Place(id, is_row=True) for id in results[rule.carries :]]
        block = self._planned(with_states(rule.graphs[0], rule.carries))
        symbol = self._name("@")  # not the name of a symbolic size
        position = rule.count - dims.size(symbol) if rule.reverse else dims.size(symbol) - 1
        steps = self._inlined(block, given, rows, position, rule.count)
        return [*self._initial(node, rule), Loop(symbol, rule.count, steps)]

    def _while(self, node: Node, rule: RegionRule) -> list[Step]:
        """A loop that runs while a test holds; its carries are buffers that iterations update."""
        test, body = rule.graphs
        given = _numbered("c", self._operands(node)[: rule.constants]) | _numbered("s", self._results(node))
        holds = self._new("temporary", test.type(test.outputs[0]))
        before = self._inlined(self._planned(test), given, [Place(holds)])
        steps = self._inlined(self._planned(with_states(body, rule.carries)), given, [])
        return [*self._initial(node, rule), While(holds, before, steps)]

    def _branch(self, node: Node, rule: RegionRule) -> list[Step]:
        """A branch: several blocks with the same operands and results."""
        index, *operands = self._operands(node)
        given, results = _numbered("c", operands), [Place(id) for id in self._results(node)]
        return [Branch(index, tuple(self._inlined(self._planned(graph), given, results) for graph in rule.graphs))]

    def _operands(self, node: Node) -> list[int]:
        return [self.by_value[ref] for ref in node.inputs]

    def _results(self, node: Node) -> list[int]:
        return [self.by_value[Ref(node.id, out)] for out in range(len(node.outs))]

    def _initial(self, node: Node, rule: RegionRule) -> list[Step]:
        """Copies of the initial carries to the buffers that iterations update."""
        first = self._operands(node)[rule.constants : rule.constants + rule.carries]
        return self._copied(zip(first, self._results(node), strict=False))

    def _planned(self, graph: Graph) -> Assembly:
        """The plan of a closed graph."""
        return _Assembler(self.prepare(graph), self.prepare, self.counter).run()

    def _inlined(
        self,
        inner: Assembly,
        given: Mapping[str, Place],
        results: Sequence[Place],
        position: Dim = 0,
        length: Dim = 1,
    ) -> tuple[Step, ...]:
        """The steps of a block on the buffers of the enclosing plan.

        Args:
            inner: The plan of the block.
            given: The buffers of its inputs and states, by name.
            results: The buffers of its outputs.
            position: The row of an iteration, in buffers of which it reads or writes one row.
            length: The number of rows of these buffers.
        """
        places = places_of(inner.plan, given, results)
        ids: dict[int, int] = {}
        rows: dict[int, Dim] = {}  # buffers of the block that are one row of an outer buffer: the start of that row
        for buffer in inner.plan.buffers:
            place = places.get(buffer.id)
            if place is None:
                self.buffers.append(replace(buffer, id=len(self.buffers)))
                ids[buffer.id] = len(self.buffers) - 1
                continue
            ids[buffer.id] = place.buffer
            if place.is_row:
                rows[buffer.id] = position * buffer.elements
        for step in all_steps(inner.plan.steps):
            if isinstance(step, Launch):
                self.kernels[step.kernel] = self._with_rows(inner.kernels[step.kernel], step, rows, position, length)
        around = Around(ids, rows)
        return tuple(self._with_symbols(around.step(step)) for step in inner.plan.steps)

    def _with_symbols(self, step: Step) -> Step:
        """The step with launches that pass the values of symbols to their kernels."""
        if isinstance(step, Launch):
            return replace(step, symbols=symbols_of(self.kernels[step.kernel]))
        if isinstance(step, Loop | While | Branch):
            return step.with_blocks(*(tuple(map(self._with_symbols, block)) for block in step.blocks))
        return step

    def _with_rows(self, kernel: Kernel, step: Launch, rows: Mapping[int, Dim], position: Dim, length: Dim) -> Kernel:
        """The kernel with rows of outer buffers addressed as such."""
        row = {p.name for p, id in zip(kernel.params, step.buffers, strict=True) if id in rows}
        if not row:
            return kernel

        def access(buffer: str, index: tuple[Dim, ...]) -> tuple[str, tuple[Dim, ...]]:
            return buffer, (position, *index) if buffer in row else index

        params = tuple(replace(p, shape=(length, *p.shape)) if p.name in row else p for p in kernel.params)
        return replace(kernel, params=params, body=tuple(map_accesses(stmt, access) for stmt in kernel.body))


def _numbered(letter: str, buffers: Sequence[int]) -> dict[str, Place]:
    return {f"{letter}{i}": Place(id) for i, id in enumerate(buffers)}


def symbols_of(kernel: Kernel) -> tuple[str, ...]:
    """The symbolic sizes and loop counters whose values a kernel needs, in a fixed order."""
    sizes: set[Dim] = {dim for param in kernel.params for dim in param.shape}
    sizes |= {axis.extent for axis in kernel.axes}
    for stmt in statements(kernel.body):
        sizes |= {axis.extent for axis in getattr(stmt, "axes", ())}
    for stmt in kernel.body:
        for expr in expressions(stmt):
            sizes |= set(indices(expr))
    return tuple(sorted({name for dim in sizes for name in dims.size_names(dim)}))


def _replaces_elementwise(kernel: Kernel, state: Ref, value: Ref) -> bool:
    """Whether a kernel reads a state only at the element that it then writes."""
    names = {param.value: param.name for param in kernel.params}
    writes = list(stores(kernel.body))
    if any(store.accumulate for store in writes):
        return False
    if state not in names:
        return True
    places = {store.index for store in writes if store.buffer == names[value]}
    return all(load.index in places for load in loads(kernel.body) if load.buffer == names[state])
