"""The compilation of one graph: its stages, the results of a target's passes."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, TypeVar

from graphc.codegen.cstyle.source import Source
from graphc.codegen.ir.check import check
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.pipeline import PIPELINES, Pass
from graphc.codegen.target import Target
from graphc.errors import ArgumentError, VerificationError
from graphc.graph.core import Graph
from graphc.graph.verify import verify
from graphc.passes.fusion.fuse import Partition
from graphc.plan import Plan

T = TypeVar("T")


class Compilation:
    """The stages of a graph's compilation. Each stage is computed when it is first read.

    Args:
        graph: The graph.
        target: The target.
        earlier: Stages that the graph went through before.
        skip: The names of passes that are left out.
        verified: Whether each stage is checked.

    Raises:
        ArgumentError: if a pass that is to be left out does not exist, or is needed.

    Attributes:
        bodies: The graph of each loop's body after each pass, by name; in the order in which loops are lowered.
    """

    def __init__(
        self,
        graph: Graph,
        target: Target,
        earlier: Mapping[str, Graph] | None = None,
        skip: Set[str] = frozenset(),
        verified: bool = False,
    ) -> None:
        self.target = target
        self.bodies: list[dict[str, Graph]] = []
        self._passes = [one for one in PIPELINES[target.backend] if one.name not in skip]
        self._earlier = {**(earlier or {}), "initial": graph}
        self._verified = verified
        self._done: dict[str, Any] = {}
        optional = [one.name for one in PIPELINES[target.backend] if one.is_optional]
        if unknown := sorted(skip - {*optional}):
            raise ArgumentError("no such passes can be left out", got=", ".join(unknown), expected=", ".join(optional))

    @property
    def stages(self) -> dict[str, Graph]:
        """The graph before the first pass and after each, by name, in order."""
        return self._earlier | self._stages(Graph)

    @property
    def graph(self) -> Graph:
        """The graph after the last pass."""
        return next(reversed(self.stages.values()))

    @property
    def partition(self) -> Partition | None:
        """The groups of operations that share kernels; None on the interpreter."""
        return self._stages(Partition).get("fuse")

    @property
    def assemblies(self) -> dict[str, Assembly]:
        """The plan and its kernels after each pass, by name, in order; none on the interpreter."""
        return self._stages(Assembly)

    @property
    def plan(self) -> Plan | None:
        """The steps; None on the interpreter."""
        assemblies = self.assemblies
        return next(reversed(assemblies.values())).plan if assemblies else None

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        """The kernels as scheduled, by name; none on the interpreter."""
        assemblies = self.assemblies
        return next(reversed(assemblies.values())).kernels if assemblies else {}

    @property
    def source(self) -> Source | None:
        """The source text; None on the interpreter."""
        return next(iter(self._stages(Source).values()), None)

    def stage(self, name: str) -> Any:
        """The result of a pass: a graph, a partition, an assembly or source text. Later passes do not run for it."""
        while name not in self._done:
            self._done |= self._next()
        return self._done[name]

    def _stages(self, kind: type[T]) -> dict[str, T]:
        """The results of one type, by name of the pass, in order."""
        names = [one.name for one in self._passes if issubclass(one.makes, kind)]
        return {name: self.stage(name) for name in names}

    def _next(self) -> dict[str, Any]:
        """The stage after those computed so far."""
        step = self._passes[len(self._done)]
        before = next(reversed(self._done.values()), self._earlier["initial"])
        return {step.name: self._run(step, before)}

    def _run(self, step: Pass, before: Any) -> Any:
        stage = step.run(before, self.target, self._partition_body)
        if self._verified:
            _check_stage(step.name, stage)
        return stage

    def _partition_body(self, body: Graph) -> Partition:
        """The partition of a loop's body, by the same passes."""
        stages = {"initial": body}
        self.bodies.append(stages)
        for step in self._passes:
            if step.makes is Partition:
                partition: Partition = self._run(step, body)
                return partition
            stages[step.name] = body = self._run(step, body)
        raise ArgumentError("this backend has no kernels", got=self.target.backend)


def _check_stage(name: str, stage: object) -> None:
    """Checks the result of a pass.

    Raises:
        VerificationError: if it is not well formed; a note names the pass.
    """
    try:
        if isinstance(stage, Graph):
            verify(stage)
        elif isinstance(stage, Assembly):
            for kernel in stage.kernels.values():
                check(kernel)
    except VerificationError as error:
        error.add_note(f"after the pass {name}")
        raise
