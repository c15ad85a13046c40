"""What every measured program does: one fresh process that tells its first step, its throughput and its memory.

Imports nothing but the standard library, so that what is measured is the system and not this.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

RESULT = "RESULT "


def since_start() -> float:
    """Seconds since this process was started, by the kernel's clock."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Processor seconds that the whole machine has spent."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def report(samples: int, first_step: Callable[[], object], epoch: Callable[[], float], repeats: int) -> None:
    """Runs a program's parts and prints what was measured as one line of JSON.

    Args:
        samples: How many samples an epoch has.
        first_step: Compiles and runs one training step, to its end.
        epoch: Trains on all samples once, to the end; returns the loss.
        repeats: How many epochs are measured, after one that is not.
    """
    first_step()
    first = since_start()
    loss = epoch()
    rates, others = [], []
    for _ in range(repeats):
        busy, own, start = busy_seconds(), time.process_time(), time.perf_counter()
        loss = epoch()
        seconds = time.perf_counter() - start
        rates.append(samples / seconds)
        others.append(max(0.0, busy_seconds() - busy - (time.process_time() - own)) / seconds)
    print(
        RESULT
        + json.dumps(
            {
                "samples_per_second": rates,
                "first_step_seconds": first,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "cores_taken_by_others": others,
                "loss": loss,
            }
        )
    )
