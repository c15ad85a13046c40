"""The measured systems, and one measurement of one of them in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.measure import RESULT, busy_seconds
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300  # seconds for one process
CALM, LOOK = 0.1, 0.5  # the machine is calm when less than this share of it is taken; looked at for so many seconds
OURS, OURS_ALONE = "graphc", "graphc-1"


class Failed(Exception):
    """A process told no result; says why."""


@dataclass(frozen=True)
class System:
    """A measured system.

    Args:
        title: What tables call it.
        environment: The environment it needs; None: this one.
        module: Its program, in `benchmarks.peers`.
        arguments: What its program gets before the task.
        variables: What its environment variables are.
        tasks: What it is measured at.
        keeps: Whether it keeps compiled code, so that a second process starts sooner.
    """

    title: str
    environment: str | None
    module: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("train", "predict")
    keeps: bool = False

    @property
    def python(self) -> str:
        """Its interpreter."""
        return sys.executable if self.environment is None else str(environments.python_of(self.environment))


def _keras(title: str, environment: str, backend: str) -> System:
    return System(title, environment, "keras_api", ("keras",), {"KERAS_BACKEND": backend})


_CPU = {"GRAPHC_BACKEND": "cpu"}
SYSTEMS = {
    OURS: System("graphc", None, "keras_api", ("graphc",), _CPU, keeps=True),
    OURS_ALONE: System("graphc, one thread", None, "keras_api", ("graphc",), {**_CPU, "GRAPHC_THREADS": "1"}),
    "keras-jax": _keras("Keras on JAX", "jax", "jax"),
    "keras-tf": _keras("Keras on TensorFlow", "tf", "tensorflow"),
    "keras-torch": _keras("Keras on PyTorch", "torch", "torch"),
    "torch": System("PyTorch eager", "torch", "pytorch", ("eager",)),
    "torch-compile": System("torch.compile", "torch", "pytorch", ("compile",), keeps=True),
    "jax": System("JAX with optax", "jax", "jax_optax"),
    "onnx": System("ONNX Runtime", "onnx", "onnx_runtime", ("{model}",), tasks=("predict",)),
}
PEERS = tuple(name for name in SYSTEMS if name not in (OURS, OURS_ALONE))
IMPORTS = {
    OURS: System("import graphc", None, "importing", ("graphc",)),
    "base": System("import numpy, networkx", None, "importing", ("numpy", "networkx")),
}


def exported(workload: str) -> Path:
    """Where a workload's ONNX model is."""
    return environments.home() / "models" / f"{workload}.onnx"


def export(workload: str) -> None:
    """Writes a workload's ONNX model, unless it is there."""
    path = exported(workload)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        command = [str(environments.python_of("torch")), "-m", "benchmarks.peers.onnx_export", workload, str(path)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def tasks(system: System, workload: str) -> list[str]:
    """What a system is measured at with a workload."""
    return [task for task in system.tasks if task == "train" or WORKLOADS[workload].predicted > 0]


def run(system: System, arguments: list[str], cache: Path) -> dict[str, Any]:
    """One measurement in a fresh process.

    Args:
        system: What is measured.
        arguments: What its program gets after its own arguments.
        cache: The folder that all caches are in.

    Raises:
        Failed: if the process tells no result.
    """
    command = [system.python, "-m", f"benchmarks.peers.{system.module}", *system.arguments, *arguments]
    variables = {
        "XDG_CACHE_HOME": str(cache),
        "GRAPHC_CACHE": str(cache / "graphc"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    # What the caller's shell says of threads, kernels and backends is not what a user of these systems would get.
    dropped = ("OPENBLAS_", "OMP_", "MKL_", "GRAPHC_", "KERAS_", "XLA_", "JAX_")
    rest = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    environment = {**rest, **variables, **system.variables}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {PATIENCE} s") from None
    line = next((line for line in done.stdout.splitlines() if line.startswith(RESULT)), None)
    if line is None:
        raise Failed(done.stderr.strip()[-600:] or f"ended with {done.returncode}")
    result: dict[str, Any] = json.loads(line[len(RESULT) :])
    return result


def measure(system: System, task: str, workload: str, repeats: int, cache: Path) -> dict[str, Any]:
    """One measurement of a system at a task."""
    own = tuple(argument.format(model=exported(workload)) for argument in system.arguments)
    return run(replace(system, arguments=own), [task, workload, str(repeats)], cache)


def await_calm(longest: float) -> None:
    """Waits until others leave the machine alone, at most so many seconds."""
    ends = time.monotonic() + longest
    while time.monotonic() < ends:
        before = busy_seconds()
        time.sleep(LOOK)
        if (busy_seconds() - before) / LOOK / (os.cpu_count() or 1) < CALM:
            return
