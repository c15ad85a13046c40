"""On a machine with a GPU: is graphc right there, and how fast? `python -m benchmarks.gpu_check`.

Every primitive's kernels and the training of a perceptron are compared with the interpreter; then the training step is
timed beside PyTorch and JAX, interleaved, and each of its kernels by itself. Ends with 0 if all is right, with 1 if
a check fails, with 2 if there is no GPU. With `--emulate` a little of it runs on the tests' emulated driver, which
shows that this program works and says nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_peers import PEERS, Absent, Train
from benchmarks.kernel_work import work
from benchmarks.mlp_step import Mlp
from benchmarks.primitive_calls import SIZES, all_calls, all_primitives
from graphc.compiler import Executable, absent, compile
from graphc.graph.registry import Kind
from graphc.plan import Launch
from graphc.runtime import cuda
from graphc.runtime.state import StateBuffer
from tests.cuda_emulator.activation import activate

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
RIGHT, WRONG, NO_GPU = 0, 1, 2
OURS = "graphc (cuda)"


@dataclass(frozen=True)
class Scale:
    """How much is run."""

    mlp: Mlp
    batch: int
    samples: int
    steps: int
    rounds: int
    every: int  # of the primitives, one in so many


WHOLE = Scale(Mlp(), batch=32, samples=60_000, steps=1800, rounds=5, every=1)
TRIAL = Scale(Mlp(side=4, hidden=8, classes=4), batch=4, samples=40, steps=3, rounds=2, every=12)


@dataclass
class Report:
    """What was found, as it goes to the file."""

    failures: list[str] = field(default_factory=list)
    primitives: int = 0
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    kernels: list[dict[str, Any]] = field(default_factory=list)

    def check(self, what: str, problems: list[str]) -> None:
        print(f"{'FAILED' if problems else 'right '}  {what}", flush=True)
        for problem in problems:
            print(f"        {problem}", flush=True)
        self.failures += [f"{what}: {problem}" for problem in problems]


# ---- is it right?


def check_primitives(report: Report, every: int) -> None:
    """Each primitive that CUDA has, in all its dtypes, against the interpreter."""
    on_cuda = [primitive for primitive in all_primitives() if primitive.kind is not Kind.LIBRARY]
    for primitive in on_cuda[::every]:
        calls = all_calls(primitive)
        try:
            problems = calls.differences(compile(calls.graph, "cuda").run(calls.inputs, {}, SIZES))
        except Exception as error:  # also what the driver raises; after a fault there, nothing more works
            problems = [repr(error)]
        report.check(f"{primitive.name}, {len(calls.labels)} results", problems)
        report.primitives += 1


def check_training(report: Report, executable: Executable, scale: Scale) -> None:
    """Five steps, the last on a smaller batch, against the interpreter; and again, for the same bits."""
    batches = [scale.batch] * 4 + [max(1, scale.batch // 2)]
    expected = _train(compile(scale.mlp.step(), "numpy"), scale.mlp, batches)
    first, second = (_train(executable, scale.mlp, batches) for _ in range(2))
    wrong = [
        f"{name} is off by {np.abs(first[name] - value).max()}"
        for name, value in expected.items()
        if not np.allclose(first[name], value, rtol=1e-3, atol=1e-5)
    ]
    report.check("five steps of training, against the interpreter", wrong)
    other = [f"{name} differs" for name, value in first.items() if value.tobytes() != second[name].tobytes()]
    report.check("the same steps again, bit by bit", other)


def _train(executable: Executable, mlp: Mlp, batches: list[int]) -> dict[str, Any]:
    """All states, and the losses, after a step for each batch."""
    states, samples = _buffers(mlp.states()), sum(batches)
    inputs = mlp.data(samples)
    losses = [float(executable.run(inputs, states, {"B": batch, "N": samples})[0]) for batch in batches]
    return {"losses": np.asarray(losses)} | {name: state.host().copy() for name, state in states.items()}


def _buffers(arrays: dict[str, Any]) -> dict[str, StateBuffer]:
    return {name: StateBuffer(array) for name, array in arrays.items()}


# ---- how fast is it?


def our_training(executable: Executable, scale: Scale) -> Train:
    """Training with the data set and all states on the device."""
    inputs, states = _buffers(scale.mlp.data(scale.samples)), _buffers(scale.mlp.states())
    sizes = {"B": scale.batch, "N": scale.samples}

    def train(steps: int) -> float:
        states["cursor"].assign(np.zeros((), np.int32))
        states["loss_sum"].assign(np.zeros((), np.float32))
        executable.run(inputs, states, sizes, repeat=steps)
        return float(states["loss_sum"].host()) / steps

    return train


def time_systems(report: Report, executable: Executable, scale: Scale, peers: bool) -> None:
    """The step of every system, interleaved, so that a slow moment hits all."""
    makers: dict[str, Callable[[], Train]] = {OURS: lambda: our_training(executable, scale)}
    if peers:
        for name, make in PEERS.items():
            makers[name] = lambda make=make: make(scale.mlp, scale.samples, scale.batch)
    running: dict[str, Train] = {}
    for name, make_train in makers.items():
        try:
            running[name] = make_train()
            running[name](min(scale.steps, 50))
            report.systems[name] = {"seconds": [], "loss": []}
        except Absent as error:
            report.systems[name] = {"absent": str(error)}
        except Exception as error:  # a peer that breaks is no failure of ours
            if name == OURS:
                raise
            report.systems[name] = {"absent": f"failed: {error!r}"}
            running.pop(name, None)
    for _ in range(scale.rounds):
        for name, train in running.items():
            start = time.perf_counter()
            loss = train(scale.steps)
            report.systems[name]["seconds"].append((time.perf_counter() - start) / scale.steps)
            report.systems[name]["loss"].append(loss)
    _print_systems(report, scale)


def _print_systems(report: Report, scale: Scale) -> None:
    print(f"\n{'step at batch ' + str(scale.batch):<42}{'microseconds':>14}{'samples/s':>14}{'mean loss':>11}")
    for name, row in report.systems.items():
        if "absent" in row:
            print(f"{name:<42}absent: {row['absent']}")
            continue
        row["step_seconds"] = statistics.median(row["seconds"])
        row["samples_per_second"] = scale.batch / row["step_seconds"]
        figures = f"{row['step_seconds'] * 1e6:>14,.1f}{row['samples_per_second']:>14,.0f}{row['loss'][-1]:>11.4f}"
        print(f"{name:<42}{figures}")


def time_kernels(report: Report, executable: Executable, scale: Scale) -> None:
    """Each launch of the step by itself, by the device's clock."""
    program, plan = executable.program, executable.compilation.plan
    assert isinstance(program, cuda.CudaProgram) and plan is not None
    sizes = {"B": scale.batch, "N": scale.samples}
    inputs, states = _buffers(scale.mlp.data(scale.samples)), _buffers(scale.mlp.states())
    print(f"\n{plan.launches()} launches a step, recorded as one CUDA graph; each by itself:")
    print(f"{'':<6}{'microseconds':>14}{'GB/s':>10}{'GFLOP/s':>10}  what")
    for step, seconds in program.time_steps(inputs, states, sizes, rounds=20):
        if not isinstance(step, Launch):
            continue
        kernel = executable.compilation.kernels[step.kernel]
        done = work(kernel, sizes)
        row = {"kernel": step.kernel, "what": kernel.comment, "seconds": seconds}
        row |= {"gigabytes_per_second": done.nbytes / seconds / 1e9, "gigaflops": done.operations / seconds / 1e9}
        report.kernels.append(row)
        what = kernel.comment if len(kernel.comment) < 60 else kernel.comment[:57] + "..."
        rates = f"{row['gigabytes_per_second']:>10,.1f}{row['gigaflops']:>10,.1f}"
        print(f"{step.kernel:<6}{seconds * 1e6:>14,.2f}{rates}  {what}")


# ---- the whole


def machine(emulated: bool) -> dict[str, Any]:
    """Where and what was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "gpu": cuda.device().name,
        "arch": cuda.device().arch,
        "emulated": emulated,
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def save(report: Report, where: dict[str, Any], path: Path) -> None:
    """Appends what was found to the file of all runs."""
    history = json.loads(path.read_text()) if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([*history, {"machine": where, **vars(report)}], indent=1) + "\n")
    print(f"\nrecorded in {path}")


def main(arguments: list[str] | None = None) -> int:
    """Runs everything; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--emulate", action="store_true", help="try this program on an emulated driver")
    parser.add_argument("--no-peers", action="store_true", help="leave the other systems out")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the file of results, which grows")
    options = parser.parse_args(arguments)
    if options.emulate:
        activate()
    missing = absent("cuda")
    if missing is not None:
        print(f"there is no GPU to check: {missing}\n{cuda.HOW_TO_GET_IT}", file=sys.stderr)
        return NO_GPU
    scale, where, report = TRIAL if options.emulate else WHOLE, machine(options.emulate), Report()
    print(f"{where['gpu']} ({where['arch']}){', emulated: times mean nothing' if options.emulate else ''}\n")
    check_primitives(report, scale.every)
    executable = compile(scale.mlp.step(), "cuda")
    check_training(report, executable, scale)
    time_systems(report, executable, scale, peers=not (options.emulate or options.no_peers))
    time_kernels(report, executable, scale)
    save(report, where, options.output)
    print(f"{len(report.failures)} checks failed" if report.failures else "all is right")
    return WRONG if report.failures else RIGHT


if __name__ == "__main__":
    sys.exit(main())
