"""What every measured program does: one fresh process that tells its first step, its throughput, its memory.

Imports nothing but the standard library, so that what is measured is the system and not this. Beside every figure
stands the share of the machine's cores that other processes took meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULT = "RESULT "
WARM_UP_BATCHES = 8
LONGEST = 10.0  # seconds after which a figure is not measured again
CALLS, CALLS_SECONDS = 300, 4.0  # of single samples: at most so many, for at most so long
FEWEST_CALLS = 20


def since_start() -> float:
    """Seconds since this process was started, by the kernel's clock."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Processor seconds that the whole machine has spent, those that a hypervisor took away included."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Stretch:
    """A stretch of time: how long it was, and what share of the cores others took."""

    def __init__(self) -> None:
        self.busy, self.own, self.start = busy_seconds(), own_seconds(), time.perf_counter()

    def end(self) -> tuple[float, float]:
        """Seconds, and the share."""
        seconds = time.perf_counter() - self.start
        others = busy_seconds() - self.busy - (own_seconds() - self.own)
        return seconds, max(0.0, others) / seconds / (os.cpu_count() or 1)


def _tell(**figures: Any) -> None:
    print(RESULT + json.dumps(figures), flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rates(samples: int, run: Callable[[], object], repeats: int) -> dict[str, list[float]]:
    rates: list[float] = []
    others: list[float] = []
    spent = 0.0
    while len(rates) < repeats and spent < LONGEST:
        stretch = Stretch()
        run()
        seconds, share = stretch.end()
        spent += seconds
        rates.append(samples / seconds)
        others.append(share)
    return {"samples_per_second": rates, "taken_by_others": others}


def report_training(batch: int, samples: int, fit: Callable[[int], float], repeats: int) -> None:
    """Trains, and prints what was measured as one line of JSON.

    Args:
        batch: How many samples a step takes.
        samples: How many samples an epoch has.
        fit: Trains on so many samples once, to the end of the last step; returns the mean loss. The first call,
            with one batch, is the first step.
        repeats: How many epochs are measured, after some batches that are not. 0: the first step alone.
    """
    stretch = Stretch()
    fit(batch)
    _, share = stretch.end()
    figures: dict[str, Any] = {"first_step_seconds": since_start(), "first_step_taken_by_others": share}
    if repeats > 0:
        fit(min(samples, WARM_UP_BATCHES * batch))
        losses: list[float] = []
        figures |= _rates(samples, lambda: losses.append(fit(samples)), repeats)
        figures |= {"loss": losses[-1]}
    _tell(**figures, peak_rss_mb=_peak())


def report_prediction(samples: int, one: Callable[[], object], many: Callable[[], object], repeats: int) -> None:
    """Predicts, and prints what was measured as one line of JSON.

    Args:
        samples: How many samples `many` takes.
        one: Predicts a single sample; times are of one call.
        many: Predicts all samples in batches.
        repeats: How often `many` is measured.
    """
    for _ in range(5):
        one()
    stretch, times = Stretch(), []
    ends = time.perf_counter() + CALLS_SECONDS
    while len(times) < FEWEST_CALLS or (len(times) < CALLS and time.perf_counter() < ends):
        start = time.perf_counter()
        one()
        times.append((time.perf_counter() - start) * 1e3)
    _, share = stretch.end()
    times.sort()
    many()
    _tell(
        latency_ms=statistics.median(times),
        latency_p95_ms=times[int(0.95 * len(times))],
        latency_taken_by_others=share,
        **_rates(samples, many, repeats),
        peak_rss_mb=_peak(),
    )


def report_start() -> None:
    """Prints how long ago this process was started, as one line of JSON."""
    _tell(seconds=since_start())
