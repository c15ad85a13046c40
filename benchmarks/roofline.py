"""How near a training step's kernels come to what the machine can do: `python -m benchmarks.roofline [wide_mlp gpt]`.

First the ceilings are measured: copies within each cache and to memory, and fused multiply-adds. Then steps that
measure each of their kernels take turns with oneDNN's sgemm at the shapes of the step's contractions; the best turns
count, as neighbours can only slow. A kernel's bytes and operations are counted from its loop IR; its share of the
roofline is the least time that the ceilings allow over the time that it took. Results go to `results/roofline.json` and
`plots/roofline_*.png`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot

import graphc
from benchmarks.ceilings import Ceilings, Probe, Product
from benchmarks.kernel_work import work
from benchmarks.machine import describe, in_words
from benchmarks.measure import Stretch
from benchmarks.plots import FOLDER
from benchmarks.results import PROFILES, read, write
from benchmarks.workloads import WORKLOADS
from graphc import config, dims
from graphc.codegen.ir.kernel import Kernel
from graphc.compiler import compile
from graphc.graph.core import Graph
from graphc.graph.types import resolve
from graphc.models.data import arrays_of
from graphc.models.program import SAMPLES, VISITS
from graphc.plan import Launch, Loop, Plan, Step
from graphc.tracing import BATCH

T = TypeVar("T")

# Steps that a turn runs, and how often they and oneDNN have their turn.
ROUNDS = 4
TURNS = 12


class ProfiledStep:
    """A workload's training step, compiled to measure its kernels.

    Args:
        name: The workload.

    Attributes:
        executable: The compiled step.
        sizes: The symbolic sizes.
    """

    def __init__(self, name: str) -> None:
        workload = WORKLOADS[name]
        model = workload.build(graphc)
        workload.compile(graphc, model)
        batch = arrays_of(*workload.data(workload.batch * ROUNDS))
        self._step = model.program("train", batch.spec)
        self.executable = compile(self._step.graph, "cpu", profiled=True)
        given = {**batch.arrays, "order": np.arange(batch.size, dtype=np.int32)}
        self._inputs = {name: given[name] for name in self._step.graph.inputs}
        self._states = {name: self._step.variables[name].buffer for name in self._step.graph.states}
        self.sizes = {BATCH: workload.batch, SAMPLES: batch.size, VISITS: batch.size}

    def _run(self, rounds: int) -> dict[str, float]:
        self._step.start()
        self.executable.run(self._inputs, self._states, self.sizes, rounds)
        return self.executable.seconds()

    def seconds(self) -> dict[str, float]:
        """What each kernel takes in one step, of one batch after the other, once two have run."""
        before, after = self._run(2), self._run(ROUNDS)  # the first of a turn find caches and threads cold
        return {kernel: (after[kernel] - before[kernel]) / ROUNDS for kernel in after}


def best(turns: Sequence[Mapping[T, float]], choose: Callable[[Iterable[float]], float]) -> dict[T, float]:
    """The least or the largest of each figure over turns that have the same ones."""
    return {key: choose(turn[key] for turn in turns) for key in turns[0]}


def launches(plan: Plan, sizes: Mapping[str, int]) -> dict[str, int]:
    """How often each kernel is launched in one run of a plan."""

    found: Counter[str] = Counter()

    def count(steps: Iterable[Step], times: int) -> None:
        for step in steps:
            if isinstance(step, Loop):
                count(step.steps, times * dims.evaluate(step.count, sizes))
            elif isinstance(step, Launch):
                found[step.kernel] += times

    count(plan.steps, 1)
    return found


def contractions(graph: Graph, sizes: Mapping[str, int]) -> list[Product]:
    """The matrix products that a graph's contractions are, in order."""
    return [
        as_product([resolve(graph.type(ref).shape, sizes) for ref in node.inputs], node.attrs)
        for node in graph.of_op("contract")
    ]


def as_product(shapes: Iterable[tuple[int, ...]], attrs: Mapping[str, Any]) -> Product:
    """The matrix product that a contraction of operands of these shapes is."""
    left, right = shapes
    lhs_batch, lhs_over = attrs["lhs_batch"], attrs["lhs_contract"]
    rhs_batch, rhs_over = attrs["rhs_batch"], attrs["rhs_contract"]
    rows = [i for i in range(len(left)) if i not in (*lhs_batch, *lhs_over)]
    columns = [i for i in range(len(right)) if i not in (*rhs_batch, *rhs_over)]
    return Product(
        m=prod(left[i] for i in rows),
        n=prod(right[i] for i in columns),
        k=prod(left[i] for i in lhs_over),
        count=prod(left[i] for i in lhs_batch),
        left=max(lhs_over, default=0) < max(rows, default=0),
        right=max(rhs_over, default=0) > max(columns, default=len(right)),
    )


def kernel_rows(
    seconds: Mapping[str, float],
    kernels: Mapping[str, Kernel],
    plan: Plan,
    sizes: Mapping[str, int],
    ceilings: Ceilings,
    products: Mapping[Product, float],
) -> list[dict[str, Any]]:
    """What each kernel did in a step, how long it took, and how near to the ceilings that is; slowest first.

    Args:
        seconds: What each kernel took in one step, all its launches together.
        kernels: The kernels.
        plan: What a step launches.
        sizes: The symbolic sizes.
        ceilings: What the machine can do.
        products: What oneDNN reaches at matrix products, in operations a second.
    """
    rates: dict[int, float] = {}
    for product, rate in products.items():
        rates[product.operations] = max(rate, rates.get(product.operations, 0.0))
    rows = []
    times, all_launches = launches(plan, sizes), plan.all_launches()
    for name, kernel in kernels.items():
        # Whatever speaks of the counter of a loop around is as large in its first pass.
        done = work(kernel, {**dict.fromkeys(all_launches[name].symbols, 1), **sizes})
        least = times[name] * ceilings.least_seconds(done.nbytes, done.operations)
        # An epilogue's operations are few beside its product's: the product is told by the larger part.
        near = [count for count in rates if 0.8 * done.operations <= count <= done.operations]
        rows.append(
            {
                "kernel": name,
                "what": kernel.comment,
                "launches": times[name],
                "seconds": seconds[name],
                "bytes": times[name] * done.nbytes,
                "operations": times[name] * done.operations,
                "level": ceilings.level(done.nbytes).name,
                "share": least / seconds[name] if seconds[name] > 0 else 0.0,
                "onednn_operations_per_second": rates[max(near)] if near and "contract" in kernel.comment else None,
            }
        )
    return sorted(rows, key=lambda row: -row["seconds"])


def shown(name: str, rows: list[dict[str, Any]], ceilings: Ceilings) -> str:
    """A table of the kernels."""
    whole = sum(row["seconds"] for row in rows)
    least = sum(row["share"] * row["seconds"] for row in rows)
    lines = [
        f"{name}, {ceilings.threads} threads: {whole * 1e6:,.0f} us in kernels, {least / whole:.0%} of the roofline",
        f"{'':<7}{'us':>9}{'of all':>8}{'MB':>9}{'MFLOP':>9}"
        f"{'GB/s':>8}{'GFLOP/s':>9}{'oneDNN':>8}{'in':>8}{'share':>7}  what",
    ]
    for row in rows:
        seconds, tuned = row["seconds"], row["onednn_operations_per_second"]
        lines.append(
            f"{row['kernel']:<7}{seconds * 1e6:>9,.1f}{seconds / whole:>8.1%}{row['bytes'] / 1e6:>9.2f}"
            f"{row['operations'] / 1e6:>9.1f}{row['bytes'] / seconds / 1e9:>8.1f}"
            f"{row['operations'] / seconds / 1e9:>9.1f}{f'{tuned / 1e9:.0f}' if tuned else '-':>8}"
            f"{row['level']:>8}{row['share']:>7.0%}  {row['what'][:60]}"
        )
    return "\n".join(lines)


def plot(name: str, rows: list[dict[str, Any]], ceilings: Ceilings, folder: Path = FOLDER) -> Path:
    """The kernels below the roofline: operations a byte against operations a second; areas are shares of the time."""
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    computing = [row for row in rows if row["operations"] > 0]
    x = [row["operations"] / row["bytes"] for row in computing]
    low, high = min([0.05, *x]), max([100.0, *x])
    along = np.geomspace(low / 1.5, high * 1.5, 100)
    peak = ceilings.operations / 1e9
    for level, style in zip(reversed(ceilings.levels), ("-", "--", "-.", ":"), strict=False):
        text = f"{level.name}: {level.bandwidth / 1e9:.0f} GB/s"
        roof = np.minimum(peak, along * level.bandwidth / 1e9)
        axes.plot(along, roof, style, color="#444444", label=text, linewidth=1)
    whole = sum(row["seconds"] for row in rows)
    areas = [20 + 600 * row["seconds"] / whole for row in computing]
    y = [row["operations"] / row["seconds"] / 1e9 for row in computing]
    axes.scatter(x, y, areas, color="#1b7f4b", alpha=0.5)
    tuned = [row for row in computing if row["onednn_operations_per_second"]]
    axes.scatter(
        [row["operations"] / row["bytes"] for row in tuned],
        [row["onednn_operations_per_second"] / 1e9 for row in tuned],
        marker="_",
        color="#b03a2e",
        label="oneDNN's sgemm",
    )
    axes.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s")
    axes.set_title(f"{WORKLOADS[name].title}; peak {peak:.0f} GFLOP/s, {ceilings.threads} threads", fontsize=9)
    axes.legend(fontsize=7)
    figure.tight_layout()
    folder.mkdir(exist_ok=True)
    path = folder / f"roofline_{name}.png"
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    return path


def measure(name: str, probe: Probe, limits: Mapping[int, Ceilings], threads: int) -> dict[str, Any]:
    """A workload's kernels with some threads, interleaved with its contractions by oneDNN with each number."""
    steps: list[dict[str, float]] = []
    rates: dict[int, list[dict[Product, float]]] = {count: [] for count in limits}
    # All products generated: what an installation without extras brings.
    with config.override(backend="cpu", threads=threads, products="generated"):
        step = ProfiledStep(name)
        executable, sizes = step.executable, step.sizes
        shapes = contractions(executable.graph, sizes)
        stretch = Stretch()
        for _ in range(TURNS):
            steps.append(step.seconds())
            for count, found in rates.items():
                found.append(probe.products(shapes, count))
        _, others = stretch.end()
    products = {count: best(found, max) for count, found in rates.items()}
    print(f"\n{name}: oneDNN's sgemm, GFLOP/s with {' / '.join(map(str, limits))} threads")
    for product in dict.fromkeys(shapes):
        told = " / ".join(f"{products[count][product] / 1e9:.0f}" for count in limits)
        print(f"  {shapes.count(product):>3} times {product.count} x {_sides(product):<28}{told}")
    compilation = executable.compilation
    assert compilation.plan is not None
    given = (best(steps, min), compilation.kernels, compilation.plan, sizes)
    rows = kernel_rows(*given, limits[threads], products[threads])
    print(shown(name, rows, limits[threads]))
    print(f"others took {others:.0%} of the cores meanwhile")
    tuned = [
        {"shape": _sides(p), "count": p.count, **{str(count): products[count][p] for count in limits}}
        for p in dict.fromkeys(shapes)
    ]
    return {"threads": threads, "taken_by_others": others, "products": tuned, "kernels": rows}


def _sides(product: Product) -> str:
    left, right = "T" if product.left else "", "T" if product.right else ""
    return f"{product.m}x{product.k}{left} {product.k}x{product.n}{right}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("workloads", nargs="*", default=["wide_mlp", "gpt"], help="which models")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the step")
    parser.add_argument("--dry", action="store_true", help="print figures, record nothing")
    options = parser.parse_args()
    probe, where = Probe(), describe()
    limits = {count: probe.ceilings(count) for count in dict.fromkeys((1, options.threads))}
    print(in_words(where))
    print("\n".join(map(str, limits.values())))
    run: dict[str, Any] = {"machine": where, "ceilings": [limit.as_dict() for limit in limits.values()]}
    run["workloads"] = {name: measure(name, probe, limits, options.threads) for name in options.workloads}
    if not options.dry:
        for name, found in run["workloads"].items():
            plot(name, found["kernels"], limits[options.threads])
        write([*read(PROFILES), json.loads(json.dumps(run))], PROFILES)


if __name__ == "__main__":
    main()
