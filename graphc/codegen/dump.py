"""Dumps of a compilation's stages, as files for people.

Users' names occur in generated code only here: in comments, each on one line, in printable ASCII. Names and paths may
hold any characters of strings, also those without an encoding: line ends, control characters, lone surrogates.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphc.codegen.compilation import Compilation
from graphc.codegen.ir.kernel import Kernel
from graphc.codegen.ir.text import format_kernel
from graphc.codegen.lower.assemble import Assembly
from graphc.graph.core import Graph
from graphc.graph.types import Loc
from graphc.passes.fusion.fuse import Partition
from graphc.plan import Plan


def comment(loc: Loc) -> str:
    """Origins (layers and lines) as comment lines of C."""
    return "".join("// " + _printable(str(origin)) + "\n" for origin in loc)


def _shown(text: str) -> str:
    """A text on one line, with unprintable characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _printable(text: str) -> str:
    # A backslash at a line's end would continue the comment, and ?\?/ is one to old compilers.
    return _shown(text).encode("ascii", "backslashreplace").decode().replace("\\", "/").replace("?", ".")


def write(path: Path, text: str) -> None:
    """Writes a file of a dump."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_stages(folder: Path, compilation: Compilation) -> None:
    """Writes the result of each pass: graphs as text, JSON and pictures, groups, plans with their kernels as text.

    The bodies of loops have folders of their own.
    """
    graphs, partition = compilation.stages, compilation.partition
    write_graphs(folder, graphs)
    if partition is None:
        return
    write(folder / f"{len(graphs):02}_fuse.txt", format_partition(partition) + "\n")
    for number, (name, assembly) in enumerate(compilation.assemblies.items(), len(graphs) + 1):
        write(folder / f"{number:02}_{name}.txt", format_assembly(assembly))
    for number, stages in enumerate(compilation.bodies):
        write_graphs(folder / f"loop_{number}", stages)


def write_graphs(folder: Path, stages: Mapping[str, Graph]) -> None:
    """Writes graphs as text, JSON and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[int, str] = {}  # a pass that changes nothing returns the same graph, whose picture is drawn once
    for number, (name, graph) in enumerate(stages.items()):
        path = folder / f"{number:02}_{name}"
        write(path.with_suffix(".txt"), str(graph) + "\n")
        write(path.with_suffix(".json"), graph.to_json())
        if id(graph) not in pictures:
            pictures[id(graph)] = graph.to_svg()
        write(path.with_suffix(".svg"), pictures[id(graph)])


def format_partition(partition: Partition) -> str:
    """The groups of a partition, and the refusals of fusion."""
    graph, lines = partition.graph, []
    for number, group in enumerate(partition.groups):
        domain = ", ".join(map(str, group.domain.points))
        inner = f" reducing [{', '.join(map(str, group.domain.reduced))}]" if group.domain.reduced else ""
        lines.append(f"group {number}: {group.kind.value} over [{domain}]{inner}")
        for node in group.nodes:
            origin = f"  # {_shown(str(node.loc[0]))}" if node.loc else ""
            lines.append(f"  %{node.id} = {node.op} : {', '.join(map(str, node.outs))}{origin}")
    lines.append(f"inlined into their readers: {len(partition.inlined)} nodes")
    refusals = dict.fromkeys((r.producer, r.consumer, r.reason) for r in partition.refusals)
    lines.append("apart:" if refusals else "nothing was refused")
    for producer, consumer, reason in refusals:
        first, second = graph.node(producer), graph.node(consumer)
        lines.append(f"  %{producer} {first.op} | %{consumer} {second.op}: {reason}")
    return "\n".join(lines)


def format_assembly(assembly: Assembly) -> str:
    """A plan and the kernels that it launches."""
    kernels = (format_kernel(kernel) for kernel in assembly.kernels.values())
    return "\n\n".join([str(assembly.plan), *kernels])


def write_plan(folder: Path, plan: Plan, memory: str) -> None:
    """Writes the steps, the buffers, and the map of the arena."""
    write(folder / "plan.txt", f"{plan}\n\n{memory}\n")


def write_kernels(folder: Path, kernels: Mapping[str, Kernel], sources: Mapping[str, str], suffix: str) -> None:
    """Writes each kernel: its origins, its loop IR, and its source."""
    place = folder / "kernels"
    place.mkdir(exist_ok=True)
    for name, kernel in kernels.items():
        loops = "".join(f"// {_printable(line)}\n" for line in format_kernel(kernel).splitlines())
        text = f"{comment(kernel.origins)}//\n{loops}\n{sources[name]}"
        write(place / f"{name}{suffix}", text)
