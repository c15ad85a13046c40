"""The progress line, in Keras's format."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"
_LINE = "\u2501"


def write(text: str) -> None:
    """Prints text and flushes; characters that the terminal cannot encode are replaced."""
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        sys.stdout.write(text.replace(_LINE, "=").encode("ascii", "replace").decode("ascii"))
    sys.stdout.flush()


class Progbar:
    """A line with the progress of a loop, its speed and some numbers.

    Args:
        target: The number of steps. None: unknown.
        width: The width of the bar in characters.
        verbose: 0: nothing, 1: the line, which is redrawn, 2: one line at the end.
        interval: The minimum number of seconds between two drawings. If the output is not a terminal, the line is
            written once, at the end, unless this is 0: then it is written at each update.
        stateful_metrics: Names of numbers to show without averaging; all others are averaged over steps. None: none.
        stateless_metrics: Names of numbers to average; all others are shown without averaging.
        unit_name: The name of a step.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self._unaveraged = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[Any, int]] = {}
        self._seen, self._last, self._drawn = 0, 0.0, 0
        self._start = time.time()
        self._first_step: float | None = None
        # The line is not redrawn, and has no colors, in a file or a pipe.
        terminal = getattr(sys.stdout, "isatty", lambda: False)()
        self._redraws = terminal or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ

    def update(
        self, current: int, values: Sequence[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Shows the state after some steps.

        Args:
            current: The number of completed steps.
            values: Pairs of name and number.
            finalize: Whether this is the last update. None: if the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._accumulate(name, value, max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.time()
        seconds_per_step = self._seconds_per_step(current, now)
        often = self._redraws or not self.interval
        if self.verbose == 1 and (finalize or (often and now - self._last >= self.interval)):
            self._draw(current, now, seconds_per_step, finalize)
            self._last = now
        elif self.verbose == 2 and finalize and self.target:
            count = f"{current:{len(str(self.target))}d}/{self.target}"
            write(f"{count} - {now - self._start:.0f}s -{self._speed(seconds_per_step)}{self._numbers()}\n")

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Shows the state after `n` more steps."""
        self.update(self._seen + n, values)

    def _accumulate(self, name: str, value: Any, steps: int, finalize: bool) -> None:
        unaveraged = name in self._unaveraged if self._averaged is None else name not in self._averaged
        if unaveraged or finalize or name not in self._sums:
            self._sums[name] = (value, 1) if unaveraged or finalize else (value * steps, steps)
        else:
            total, count = self._sums[name]
            self._sums[name] = total + value * steps, count + steps

    def _seconds_per_step(self, current: int, now: float) -> float:
        """Seconds per step, without the first step if there are more, since that includes compilation."""
        if not current:
            return 0.0
        if self._first_step is not None and current > 1:
            seconds_per_step = (now - self._first_step) / (current - 1)
        else:
            seconds_per_step = (now - self._start) / current
        if current == 1:
            self._first_step = now
        return seconds_per_step

    def _draw(self, current: int, now: float, seconds_per_step: float, finalize: bool) -> None:
        before = "\b" * self._drawn + "\r" if self._redraws else ""
        if self.target:
            done = int(self.width * current / self.target)
            bar = f"{_BOLD}{current:{len(str(self.target))}d}/{self.target}{_PLAIN} "
            bar += f"{_GREEN}{_LINE * done}{_PLAIN}" if done else ""
            bar += f"{_WHITE}{_LINE * (self.width - done)}{_PLAIN}"
        else:
            bar = f"{current:7d}/Unknown"
        left = seconds_per_step * (self.target - current) if self.target and not finalize else now - self._start
        passed = _duration(left) if self.target and not finalize else f"{left:.0f}s"
        line = f"{bar} {_BOLD}{passed}{_PLAIN}{self._speed(seconds_per_step)}{self._numbers()}"
        plain = line
        for code in (_BOLD, _GREEN, _WHITE, _PLAIN):
            plain = plain.replace(code, "")
        if not self._redraws:
            write(plain + "\n")
            return
        write(before + line + " " * max(0, self._drawn - len(plain)) + ("\n" if finalize else ""))
        self._drawn = len(plain)

    def _speed(self, seconds_per_step: float) -> str:
        if seconds_per_step >= 1 or seconds_per_step == 0:
            return f" {seconds_per_step:.0f}s/{self.unit_name}"
        return (
            f" {seconds_per_step * 1e3:.0f}ms/{self.unit_name}"
            if seconds_per_step >= 1e-3
            else f" {seconds_per_step * 1e6:.0f}us/{self.unit_name}"
        )

    def _numbers(self) -> str:
        text = ""
        for name, (total, count) in self._sums.items():
            mean = float(np.mean(total)) / max(1, count)
            text += f" - {name}: {mean:.4f}" if abs(mean) > 1e-3 else f" - {name}: {mean:.4e}"
        return text


def _duration(seconds: float) -> str:
    if math.isfinite(seconds) and seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{int(seconds % 60):02d}"
    return f"{seconds // 60:.0f}:{int(seconds % 60):02d}" if seconds > 60 else f"{int(seconds)}s"
