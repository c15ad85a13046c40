"""The results as Markdown, in `benchmarks/README.md`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import in_words
from benchmarks.systems import IMPORTS, PEERS, SYSTEMS
from benchmarks.targets import ALL, IMPORT_BOUND, MET, MISSED, TARGETS, import_excess
from benchmarks.workloads import WORKLOADS

README = Path(__file__).resolve().parent / "README.md"
MARK = "<!-- table -->"
NOISY = "~"
Cell = Mapping[str, Any]


def _figure(cell: Cell | None, name: str, digits: int = 0) -> str:
    """A figure as text; `~` before it says that it is noisy."""
    if cell is None or name not in cell:
        return "-"
    return f"{NOISY if name in cell.get('noisy', ()) else ''}{cell[name]:,.{digits}f}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def target_table(kind: str, medians: Any) -> list[str]:
    """Every target and whether it is met on a kind of processor, by workload."""
    lines = [f"### Targets: {kind}", "", _row("target", *ALL), _row("---", *["---:"] * len(ALL))]
    lines += [_row(target.title, *(target.marked(medians, workload) for workload in ALL)) for target in TARGETS]
    excess = import_excess(medians)
    if excess is not None:
        mark = MET if excess <= IMPORT_BOUND else MISSED
        ours, base = (medians["import"][""][name]["seconds"] for name in IMPORTS)
        lines += ["", f"{mark} `import graphc`: {ours:.3f} s from the start of the process, {excess:.3f} s more than"]
        lines += [f"NumPy and networkx alone ({base:.3f} s); at most {IMPORT_BOUND} s more is the target."]
    return [*lines, ""]


def training_table(table: Mapping[str, Cell], warm: Mapping[str, Cell]) -> list[str]:
    """Training with one workload, fastest first; ratios are to the fastest peer."""
    fastest = max((cell["samples_per_second"] for name, cell in table.items() if name in PEERS), default=0.0)
    heads = ("training", "samples/s", "to the fastest peer", "first step, s", "with full caches, s", "peak RSS, MB")
    lines = [_row(*heads), _row("---", *["---:"] * (len(heads) - 1))]
    for name, cell in sorted(table.items(), key=lambda item: -item[1]["samples_per_second"]):
        ratio = f"{cell['samples_per_second'] / fastest:.2f}" if fastest else "-"
        first, again = _figure(cell, "first_step_seconds", 2), _figure(warm.get(name), "first_step_seconds", 2)
        rate, peak = _figure(cell, "samples_per_second"), _figure(cell, "peak_rss_mb")
        lines.append(_row(SYSTEMS[name].title, rate, ratio, first, again, peak))
    return [*lines, ""]


def prediction_table(table: Mapping[str, Cell]) -> list[str]:
    """Prediction with one workload, quickest first."""
    heads = ("prediction", "one sample, ms", "95th percentile, ms", "samples/s in batches of 256", "peak RSS, MB")
    lines = [_row(*heads), _row("---", *["---:"] * (len(heads) - 1))]
    for name, cell in sorted(table.items(), key=lambda item: item[1]["latency_ms"]):
        latencies = (_figure(cell, "latency_ms", 3), _figure(cell, "latency_p95_ms", 3))
        rate, peak = _figure(cell, "samples_per_second"), _figure(cell, "peak_rss_mb")
        lines.append(_row(SYSTEMS[name].title, *latencies, rate, peak))
    return [*lines, ""]


def scaling_table(scaling: Mapping[str, Any]) -> list[str]:
    """How long compiling takes, by the size of the graph."""
    heads = ("nodes", "kernels", "trace, s", "compile, s", "of which the C compiler, s", "ms a node")
    lines = ["### Compile time", "", in_words(scaling["machine"]), ""]
    lines += [_row(*heads), _row(*["---:"] * len(heads))]
    for row in scaling["rows"]:
        seconds = (f"{row[name]:.2f}" for name in ("trace_seconds", "compile_seconds", "c_compiler_seconds"))
        each = (row["trace_seconds"] + row["compile_seconds"]) / row["nodes"] * 1e3
        lines.append(_row(f"{row['nodes']:,}", f"{row['kernels']:,}", *seconds, f"{each:.2f}"))
    return [*lines, ""]


def workload_tables(workload: str, latest: Mapping[str, Any]) -> list[str]:
    """Training and prediction with one workload on one kind of processor."""
    medians, machines, lines = latest["medians"], latest["machines"], []
    warm = medians.get("warm", {}).get(workload, {})
    for task in ("train", "predict"):
        table = medians.get(task, {}).get(workload)
        if table is not None:
            lines += [in_words(machines[f"{task} {workload}"]), ""]
            lines += training_table(table, warm) if task == "train" else prediction_table(table)
    return lines


def report(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """All tables: targets first, then each workload; in both, one kind of processor after the other."""
    lines = [line for kind, latest in kinds.items() for line in target_table(kind, latest["medians"])]
    for workload, described in WORKLOADS.items():
        if tables := [line for latest in kinds.values() for line in workload_tables(workload, latest)]:
            lines += [f"### {described.title}", "", *tables, f"![{workload}](plots/{workload}.png)", ""]
    for latest in kinds.values():
        lines += scaling_table(latest["scaling"]) if latest["scaling"] else []
    return "\n".join(lines)


def put(text: str, mark: str, path: Path = README) -> None:
    """Puts a table into the README, between two marks."""
    before, _, after = path.read_text().split(mark)
    path.write_text(f"{before}{mark}\n{text}{mark}{after}")


def write_readme(kinds: Mapping[str, Mapping[str, Any]], path: Path = README) -> str:
    """Puts the tables of each kind of processor into the README, between its marks; returns them."""
    text = report(kinds)
    put(text, MARK, path)
    return text
