"""Autotuning: whether generated micro-kernels or a library's `sgemm` compute a product, by measurement.

Each kernel whose product the library can compute is built both ways and run, once on a machine, and the faster way is
recorded: later programs use it, and give the same bits. The measurement takes time, so it is done for kernels with
enough work only, and where the library is installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from graphc import dims
from graphc.codegen.cpu.gemm.blas import blocks
from graphc.codegen.cpu.render_program import CSource, render
from graphc.codegen.cpu.scratch import allot_scratch
from graphc.codegen.cpu.work import estimate_work
from graphc.codegen.ir.cost import work
from graphc.codegen.ir.kernel import Kernel, Param
from graphc.codegen.ir.text import format_kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.codegen.lower.dedupe import anonymous
from graphc.dtypes import DType
from graphc.plan import NOMINAL_SIZE, Buffer, Launch, Plan

# Scalar operations from which on a kernel is worth trying.
WORTH_TRYING = 20_000_000
# The library must take less than this part of the time: what is nearer is noise, and generated code needs nothing else.
CLEARLY = 0.95

Kernels = Mapping[str, Kernel]
# Runs the plan of a source some times; returns the seconds of each kernel, given by name in order, in each run.
Measure = Callable[[Plan, CSource, Mapping[str, int], list[str]], Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Tuner:
    """Decides which kernels of a plan a library computes.

    Args:
        always: Whether it computes all that it can; nothing is measured then.
        sizes: Values of the symbolic sizes in the first run, as far as they are known.
        vector_bytes: The size of the processor's vector registers.
        measure: Runs programs.
        recall: What was recorded under a name made of some words; None: nothing.
        keep: Records something under such a name.
    """

    always: bool
    sizes: Mapping[str, int]
    vector_bytes: int
    measure: Measure
    recall: Callable[[tuple[str, ...]], bytes | None]
    keep: Callable[[tuple[str, ...], bytes], object]

    def tuned(self, plan: Plan, kernels: Kernels) -> Kernels:
        """The kernels of a plan; those whose product the library computes are marked."""
        candidates = {name: kernel for name, kernel in kernels.items() if blocks(kernel, self.vector_bytes) is not None}
        if not self.always:
            candidates = self._faster(plan, candidates)
        return {name: replace(kernel, by_library=name in candidates) for name, kernel in kernels.items()}

    def _faster(self, plan: Plan, candidates: Kernels) -> dict[str, Kernel]:
        """Those that the library computes faster."""
        sizes = {n: min(max(self.sizes.get(n, NOMINAL_SIZE), low), high) for n, (low, high) in plan.symbols.items()}
        launches, questions = plan.all_launches(), {}
        for name, kernel in candidates.items():
            # The sizes of kernels that depend on a loop's counter differ from iteration to iteration.
            if set(launches[name].symbols) <= set(sizes) and dims.evaluate(work(kernel), sizes) >= WORTH_TRYING:
                own = {symbol: sizes[symbol] for symbol in launches[name].symbols}
                questions[name] = ("product", format_kernel(anonymous(kernel)), json.dumps(own, sort_keys=True))
        answers = {name: self._recalled(question) for name, question in questions.items()}
        unknown = {name: candidates[name] for name, answer in answers.items() if answer is None}
        for name, ratios in self._tried(plan, unknown, sizes).items():
            answers[name] = median(ratios) < CLEARLY
            entry = {"by_library": answers[name], "library_to_generated": ratios}
            self.keep(questions[name], json.dumps(entry).encode())
        return {name: candidates[name] for name, answer in answers.items() if answer}

    def _recalled(self, question: tuple[str, ...]) -> bool | None:
        data = self.recall(question)
        try:
            return None if data is None else bool(json.loads(data)["by_library"])
        except (ValueError, LookupError, TypeError):  # of another form than this module writes
            return None

    def _tried(self, plan: Plan, kernels: Kernels, sizes: Mapping[str, int]) -> dict[str, list[float]]:
        """The ratio of a kernel's time by the library to that of generated code, in each of some runs.

        The speed of machines changes from second to second, but hardly within a run.
        """
        if not kernels:
            return {}
        launches, memory = plan.all_launches(), _Memory(sizes)
        # All generated kernels, then all by the library: each kernel begins with caches that another one has filled.
        both, steps = dict(kernels), [memory.launch(kernel, launches[name].symbols) for name, kernel in kernels.items()]
        for name, step in zip(kernels, tuple(steps), strict=True):
            other = replace(kernels[name], name=f"{name}_library", by_library=True)
            both[other.name] = other
            steps.append(replace(step, kernel=other.name))
        bare = Assembly(Plan(tuple(steps), tuple(memory.buffers), (), plan.symbols), both)
        trial = estimate_work(allot_scratch(bare, self.vector_bytes))
        source = render(trial.plan, trial.kernels, self.vector_bytes, profiled=True)
        runs = self.measure(trial.plan, source, sizes, list(trial.kernels))
        return {name: [run[f"{name}_library"] / run[name] for run in runs] for name in kernels}


class _Memory:
    """Buffers that all kernels use: the n-th parameter of a dtype is always in the same place.

    Args:
        sizes: The values of symbolic sizes.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._ids: dict[tuple[int, DType], int] = {}
        self.buffers: list[Buffer] = []

    def launch(self, kernel: Kernel, symbols: tuple[str, ...]) -> Launch:
        """The launch of a kernel on them."""
        ids = [self._place(position, param) for position, param in enumerate(kernel.params)]
        uses = list(zip(ids, kernel.params, strict=True))
        reads = tuple(id for id, param in uses if param.read)
        return Launch(kernel.name, tuple(ids), reads, tuple(id for id, param in uses if param.written), symbols)

    def _place(self, position: int, param: Param) -> int:
        id = self._ids.setdefault((position, param.dtype), len(self.buffers))
        count = dims.evaluate(dims.product(param.shape), self._sizes)
        if id == len(self.buffers):
            self.buffers.append(Buffer(id, "state", param.dtype, 0, f"b{id}"))
        elements = self.buffers[id].elements
        assert isinstance(elements, int)
        self.buffers[id] = replace(self.buffers[id], elements=max(elements, count))
        return id
