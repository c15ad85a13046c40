"""Bars of the results: `python -m benchmarks.plots` draws them anew from the recorded runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from benchmarks import results
from benchmarks.systems import PEERS, SYSTEMS
from benchmarks.workloads import WORKLOADS

FOLDER = Path(__file__).resolve().parent / "plots"
OURS, THEIRS, NOISY = "#1b7f4b", "#9aa5b1", 0.45
Table = Mapping[str, Mapping[str, Any]]


def _bars(axes: Any, title: str, table: Table, figure: str, more_is_better: bool, second: Table | None = None) -> None:
    """A bar for each system, best on top; noisy ones are faint. A second table is drawn as a dark mark on the bar."""
    names = sorted(table, key=lambda name: table[name][figure], reverse=not more_is_better)
    values = [table[name][figure] for name in names]
    bars = axes.barh([SYSTEMS[name].title for name in names], values)
    for name, bar, value in zip(names, bars, values, strict=True):
        bar.set_color(THEIRS if name in PEERS else OURS)
        bar.set_alpha(NOISY if figure in table[name]["noisy"] else 1.0)
        text = f" {value:,.0f}" if value >= 100 else f" {value:.2f}"
        axes.text(value, bar.get_y() + bar.get_height() / 2, text, va="center", fontsize=7)
        if second is not None and name in second:
            middle = bar.get_y() + bar.get_height() / 2
            axes.plot([second[name][figure]], [middle], marker="|", markersize=12, color="black")
    axes.set_title(title, fontsize=9)
    axes.set_xlim(0, max(values) * 1.2)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw(latest: Mapping[str, Any], folder: Path = FOLDER) -> list[Path]:
    """A picture for each workload; returns where they are."""
    folder.mkdir(exist_ok=True)
    medians, paths = latest["medians"], []
    for workload, described in WORKLOADS.items():
        train, predict = (medians.get(task, {}).get(workload) for task in ("train", "predict"))
        warm = medians.get("warm", {}).get(workload)
        panels: list[tuple[str, Table, str, bool, Table | None]] = []
        if train:
            panels.append(("training, samples/s", train, "samples_per_second", True, None))
            panels.append(("first step, s (mark: with full caches)", train, "first_step_seconds", False, warm))
        if predict:
            panels.append(("predicting one sample, ms", predict, "latency_ms", False, None))
            panels.append(("predicting in batches of 256, samples/s", predict, "samples_per_second", True, None))
        if not panels:
            continue
        rows = (len(panels) + 1) // 2
        figure, axes = pyplot.subplots(rows, 2, figsize=(9.5, 2.6 * rows), squeeze=False)
        for place, panel in zip(axes.flat, panels, strict=True):
            _bars(place, *panel)
        figure.suptitle(described.title, fontsize=10)
        figure.tight_layout()
        paths.append(folder / f"{workload}.png")
        figure.savefig(paths[-1], dpi=80)
        pyplot.close(figure)
    return paths


def main() -> None:
    for path in draw(next(iter(results.by_processor(results.read()).values()))):
        print(path)


if __name__ == "__main__":
    main()
