"""Dumps of compilations: folders and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from graphc import codegen, config
from graphc.errors import FileError
from graphc.plan import NOMINAL_SIZE, Plan
from graphc.runtime.memory import solve

if TYPE_CHECKING:
    from graphc.codegen.compilation import Compilation


def dump_folder() -> Path | None:
    """A new folder for the dump of one compilation, below the one that the configuration names; None for no dump."""
    root = config.current().dump
    if root is None:
        return None
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            with suppress(FileExistsError):
                folder = root / f"program_{number:03}"
                folder.mkdir()
                return folder
    return None


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turns system errors in the block, which writes a dump, into a `FileError`."""
    try:
        yield
    except OSError as error:
        raise FileError(
            "the stages of a compilation cannot be written",
            got=f"{root}: {error.strerror or error}",
            expected=f"a folder that can be written to ({config.where('dump')})",
            hint="name another one, or unset it",
        ) from error


def dump(compilation: Compilation, folder: Path) -> None:
    """Writes every stage of a compilation: graphs, groups, plan with memory map, kernels.

    Args:
        compilation: The compilation.
        folder: The folder.
    """
    with _writing(folder):
        _write_all(compilation, folder)


def _write_all(compilation: Compilation, folder: Path) -> None:
    codegen.dump.write_stages(folder, compilation)
    plan, source = compilation.plan, compilation.source
    if plan is None or source is None:
        return
    codegen.dump.write_plan(folder, plan, memory_map(plan))
    suffix = ".cu" if compilation.target.backend == "cuda" else ".c"
    codegen.dump.write_kernels(folder, compilation.kernels, source.kernels, suffix)
    codegen.dump.write(folder / f"program{suffix}", source.text)


def memory_map(plan: Plan) -> str:
    """The addresses of the arena's buffers, with every symbolic size at its nominal value."""
    sizes = {name: min(max(NOMINAL_SIZE, low), high) for name, (low, high) in plan.symbols.items()}
    layout, spans, nbytes = solve(plan, sizes), plan.lifetimes(), plan.nbytes(sizes)
    lines = [f"arena of {layout.nbytes} bytes at " + ", ".join(f"{name} = {size}" for name, size in sizes.items())]
    for id, place in sorted(layout.offsets.items(), key=lambda item: item[1]):
        first, last = spans[id]
        lines.append(f"  {place:>10} .. {place + nbytes[id]:>10}  b{id:<4} steps {first} to {last}")
    return "\n".join(lines)
