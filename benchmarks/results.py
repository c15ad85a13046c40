"""What was measured: the file of all runs, and medians of one."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parent / "results" / "cpu.json"
PROFILES = PATH.with_name("roofline.json")
NOISE = 0.15  # of the machine's cores taken by others: what was measured meanwhile is noisy
ENOUGH = 3  # quiet figures make a median without the noisy ones

Row = dict[str, Any]
Medians = dict[str, dict[str, dict[str, dict[str, Any]]]]

# The figures of each task: where a row has it, and where it has the share that others took.
_FIGURES = {
    "train": {
        "samples_per_second": "taken_by_others",
        "first_step_seconds": "first_step_taken_by_others",
        "peak_rss_mb": None,
        "loss": None,
    },
    "warm": {"first_step_seconds": "first_step_taken_by_others"},
    "predict": {
        "latency_ms": "latency_taken_by_others",
        "latency_p95_ms": "latency_taken_by_others",
        "samples_per_second": "taken_by_others",
        "peak_rss_mb": None,
    },
    "import": {"seconds": None},
}


def median(figures: Sequence[float], shares: Sequence[float]) -> tuple[float, bool]:
    """The median of the quiet figures, or of all where these are too few; and whether it is noisy."""
    quiet = [figure for figure, share in zip(figures, shares, strict=True) if share <= NOISE]
    if len(quiet) >= ENOUGH or len(quiet) == len(figures):
        return statistics.median(quiet), False
    return statistics.median(figures), True


def summary(rows: Iterable[Row]) -> Medians:
    """Medians by task, workload and system; `noisy` lists the figures that are."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if "failed" not in row:
            groups.setdefault((row["task"], row["workload"], row["system"]), []).append(row)
    table: Medians = {}
    for (task, workload, system), own in groups.items():
        cell: dict[str, Any] = {"noisy": []}
        for figure, share in _FIGURES[task].items():
            figures = _flat(row[figure] for row in own)
            shares = [0.0] * len(figures) if share is None else _flat(row[share] for row in own)
            cell[figure], noisy = median(figures, shares)
            cell["noisy"] += [figure] * noisy
        table.setdefault(task, {}).setdefault(workload, {})[system] = cell
    return table


def _flat(values: Iterable[Any]) -> list[float]:
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def read(path: Path = PATH) -> list[dict[str, Any]]:
    """All runs recorded so far."""
    history: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return history


def write(history: Sequence[dict[str, Any]], path: Path = PATH) -> None:
    """Records runs."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(history, indent=1) + "\n")


def by_processor(
    history: Sequence[dict[str, Any]], profiles: Sequence[dict[str, Any]] = ()
) -> dict[str, dict[str, Any]]:
    """What `latest` tells of each kind of processor, the one that was measured last first.

    The first runs did not record what kind it was.

    Args:
        history: The runs of all systems.
        profiles: The runs of `benchmarks.roofline`: the last of each workload is the task `roofline`.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for run in history:
        if kind := _kind(run):
            kinds[kind] = [*kinds.pop(kind, []), run]
    found = {kind: latest(runs) for kind, runs in reversed(kinds.items())}
    for run in profiles:
        if (kind := _kind(run)) in found:
            cells = found[kind]["medians"].setdefault("roofline", {})
            for workload, profile in run["workloads"].items():
                cells[workload] = {"graphc": {"share_of_onednn": share_of_onednn(profile["kernels"])}}
    return found


def _kind(run: Row) -> str:
    """The kind of processor of a run; none for the first runs, which do not tell."""
    cpu = run["machine"]["processor"]
    return str(cpu["core"] or cpu["name"]) if "core" in cpu else ""


def share_of_onednn(kernels: Iterable[Row]) -> float | None:
    """The time that a step's products would take at the rates of oneDNN's `sgemm`, to what they take."""
    known = [kernel for kernel in kernels if kernel["onednn_operations_per_second"]]
    seconds = sum(kernel["seconds"] for kernel in known)
    ideal = sum(kernel["operations"] / kernel["onednn_operations_per_second"] for kernel in known)
    return ideal / seconds if seconds > 0 else None


def latest(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The last whole tables: for each task and workload those of the last run in which more than ours ran.

    Returns:
        `{"machine": ..., "medians": ..., "scaling": ...}`; beside each table of medians stands its machine, under
        `machines`.
    """
    medians: Medians = {}
    machines: dict[str, dict[str, Any]] = {}
    scaling: dict[str, Any] = {}
    for run in history:
        for task, tables in run["medians"].items():
            for workload, table in tables.items():
                if task == "warm" or any(not name.startswith("graphc") for name in table):
                    medians.setdefault(task, {})[workload] = table
                    machines[f"{task} {workload}"] = run["machine"]
        if run.get("scaling"):
            scaling = {"machine": run["machine"], "rows": run["scaling"]}
    return {"medians": medians, "machines": machines, "scaling": scaling}
