"""Benchmarks in which systems take turns, as a program: its options, its rounds, its record and its table."""

from __future__ import annotations

import argparse
import compileall
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environments, results, systems
from benchmarks.machine import describe
from benchmarks.systems import System
from benchmarks.tables import put

FOLDER = Path(__file__).resolve().parent / "results"
Measured = dict[str, Any]
Medians = dict[str, dict[str, dict[str, float]]]


def medians(rows: Iterable[Measured]) -> Medians:
    """By row and system the median over all rounds of each figure."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in rows:
        for name, figures in row.get("calls", {}).items():
            for figure, value in figures.items():
                found.setdefault(name, {}).setdefault(row["system"], {}).setdefault(figure, []).append(value)
    return {
        name: {
            system: {figure: statistics.median(values) for figure, values in figures.items()}
            for system, figures in table.items()
        }
        for name, table in found.items()
    }


def ratio(rows: Iterable[Measured], name: str, figure: str, system: str, others: Sequence[str]) -> float | None:
    """The least figure of others to that of a system in the same round: the median over rounds.

    Args:
        rows: What was measured.
        name: The row.
        figure: The figure.
        system: The system.
        others: The systems beside which it stands.

    Returns:
        Above 1 where the system is the quickest of them; None if there is no round with both.
    """
    by_round: dict[int, dict[str, float]] = {}
    for row in rows:
        cell = row.get("calls", {}).get(name, {})
        if figure in cell:
            by_round.setdefault(row["round"], {})[row["system"]] = cell[figure]
    found = []
    for table in by_round.values():
        beside = [table[other] for other in others if other in table]
        if system in table and beside:
            found.append(min(beside) / table[system])
    return statistics.median(found) if found else None


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, of which all columns but the first are numbers."""
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


@dataclass(frozen=True)
class Bench:
    """A benchmark.

    Args:
        name: The name of its file of results, and of its mark in the README.
        what: What it measures, for its help.
        titles: What its rows are called.
        systems: What takes turns.
        one_round: Measures every system once, given their names, seconds for a row, and the rows; each measurement is
            `{"system": ..., "calls": {row: {figure: number}}}`, or tells why it `failed`.
        report: The tables of a run.
        seconds: How long a row is measured in each process, if not told.
    """

    name: str
    what: str
    titles: Mapping[str, str]
    systems: Mapping[str, System]
    one_round: Callable[[Sequence[str], float, Sequence[str]], Iterable[Measured]]
    report: Callable[[Measured], str]
    seconds: float

    def main(self) -> None:
        """Runs it as a program: results are appended to its file, and its table goes into the README."""
        options = self._options()
        names = options.only.split(",")
        used = list(dict.fromkeys(e for name in names if (e := self.systems[name].environment) is not None))
        for environment in used:
            environments.make(environment)
        compileall.compile_dir(systems.ROOT / "graphc", quiet=1)  # as an installer does
        rows: list[Measured] = []
        for turn in range(options.rounds):
            for row in self.one_round(names, options.seconds, options.rows):
                rows.append({"round": turn, **row})
                print(turn, row["system"], row.get("failed") or _told(row["calls"]), flush=True)
        run = {"machine": describe(used), "medians": medians(rows), "rows": rows}
        text = self.report(run)
        print(text)
        if not options.dry:
            path = FOLDER / f"{self.name}.json"
            results.write([*results.read(path), run], path)
            put(text, f"<!-- {self.name} -->")

    def _options(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(description=self.what)
        parser.add_argument("rows", nargs="*", default=list(self.titles), help="which rows")
        parser.add_argument("--rounds", type=int, default=3, help="how often every system has its turn")
        parser.add_argument("--seconds", type=float, default=self.seconds, help="how long a row is measured each time")
        parser.add_argument("--only", default=",".join(self.systems), help="which systems, by name")
        parser.add_argument("--dry", action="store_true", help="print figures, record nothing")
        return parser.parse_args()


def _told(calls: Measured) -> str:
    if len(calls) > 1:
        return f"{len(calls)} rows"
    return ", ".join(f"{n}: " + " ".join(f"{k} {v:.4g}" for k, v in figures.items()) for n, figures in calls.items())
