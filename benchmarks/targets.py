"""What the benchmarks are to show, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.systems import OURS, OURS_ALONE, PEERS

Medians = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]
MET, MISSED = "✅", "🔴"
SMALL, LARGE = ("mlp", "wide_mlp", "convnet"), ("resnet20", "lstm", "gpt")
ALL = (*SMALL, *LARGE)
KERAS = ("keras-jax", "keras-tf", "keras-torch")


@dataclass(frozen=True)
class Target:
    """A figure of each workload and the bound that it is held against.

    Args:
        title: In words.
        bounds: The bound of each workload that has one.
        figure: The figure, from the medians and a workload; None where something was not measured.
        least: Whether the bound is the least that is good, rather than the most.
    """

    title: str
    bounds: Mapping[str, float]
    figure: Callable[[Medians, str], float | None]
    least: bool = True

    def marked(self, medians: Medians, workload: str) -> str:
        """The figure with its mark, fit for a table."""
        if workload not in self.bounds:
            return ""
        figure = self.figure(medians, workload)
        if figure is None:
            return "-"
        bound = self.bounds[workload]
        met = figure >= bound if self.least else figure <= bound
        return f"{MET if met else MISSED} {figure:.2f}"


def value(medians: Medians, task: str, workload: str, system: str, figure: str) -> float | None:
    """One median; None where it was not measured."""
    found: float | None = medians.get(task, {}).get(workload, {}).get(system, {}).get(figure)
    return found


def against(
    task: str, figure: str, best: Callable[[list[float]], float], peers: tuple[str, ...] = PEERS, ours: str = OURS
) -> Callable[[Medians, str], float | None]:
    """Our figure to the best of the peers'."""

    def ratio(medians: Medians, workload: str) -> float | None:
        own = value(medians, task, workload, ours, figure)
        others = [value(medians, task, workload, peer, figure) for peer in peers]
        known = [other for other in others if other is not None]
        return own / best(known) if own is not None and known else None

    return ratio


def _own(task: str) -> Callable[[Medians, str], float | None]:
    return lambda medians, workload: value(medians, task, workload, OURS, "first_step_seconds")


_EACH = dict.fromkeys(ALL, 1.0)
_PREDICTED = dict.fromkeys((*SMALL, "resnet20"), 1.0)
TARGETS = (
    Target(
        "training speed to the fastest peer's, at least 1.5 (wide_mlp 1.2)",
        {**dict.fromkeys(ALL, 1.5), "wide_mlp": 1.2},
        against("train", "samples_per_second", max),
    ),
    Target(
        "training speed to the best of Keras, at least 3",
        {"mlp": 3.0},
        against("train", "samples_per_second", max, KERAS),
    ),
    Target(
        "first step with empty caches, at most 1.2 s or 2.2 s",
        {**dict.fromkeys(SMALL, 1.2), **dict.fromkeys(LARGE, 2.2)},
        _own("train"),
        least=False,
    ),
    Target("first step with full caches, at most 0.6 s", dict.fromkeys(ALL, 0.6), _own("warm"), least=False),
    Target(
        "peak memory to the leanest peer's, at most 0.5",
        dict.fromkeys(ALL, 0.5),
        against("train", "peak_rss_mb", min),
        least=False,
    ),
    Target(
        "training speed to that of one thread, at least 1.7",
        dict.fromkeys(("wide_mlp", "resnet20", "gpt"), 1.7),
        against("train", "samples_per_second", max, (OURS_ALONE,)),
    ),
    Target(
        "time to predict one sample to the fastest peer's, at most 1",
        _PREDICTED,
        against("predict", "latency_ms", min),
        least=False,
    ),
    Target(
        "predictions a second in batches of 256 to the fastest peer's, at least 1",
        _PREDICTED,
        against("predict", "samples_per_second", max),
    ),
    Target(
        "rate of the step's products, epilogues included, to that of oneDNN's sgemm, at least 0.8",
        dict.fromkeys(("wide_mlp", "gpt"), 0.8),
        lambda medians, workload: value(medians, "roofline", workload, OURS, "share_of_onednn"),
    ),
)
IMPORT_BOUND = 0.1  # seconds that importing may take beyond numpy and networkx


def import_excess(medians: Medians) -> float | None:
    """Seconds that importing takes beyond numpy and networkx."""
    ours, base = (value(medians, "import", "", system, "seconds") for system in (OURS, "base"))
    return None if ours is None or base is None else ours - base
