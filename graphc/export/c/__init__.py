"""`model.export(path, format="c")`: a model's prediction as a C99 source and a header.

The source needs a C99 compiler and C's mathematical functions, nothing else. It runs on one thread, allocates no
memory, and has no variables: what it computes with is constant, or given by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphc import config
from graphc.codegen.c99.render_program import C99Source
from graphc.codegen.compilation import Compilation
from graphc.codegen.target import Target
from graphc.errors import ArgumentError, FileError
from graphc.export.c.header import header_text
from graphc.export.c.interface import interface_of
from graphc.export.c.layout import memory_of
from graphc.export.c.source import source_text
from graphc.export.c.traced import traced_prediction
from graphc.export.c.weights import weights_file
from graphc.passes.fold_constants import with_constants
from graphc.saving.files import written_aside
from graphc.tracing import BATCH
from graphc.utils.arguments import whole_number


def export_c(
    model: Any,
    path: Any,
    *,
    max_batch: int = 32,
    name: str | None = None,
    weights: str = "source",
    input_signature: Any = None,
) -> None:
    """Writes what `predict` computes as C99: `NAME.c` and `NAME.h`.

    The function `int NAME_predict(const float *x, size_t batch, float *y, NAME_arena *arena)` takes up to `max_batch`
    samples. The header says what it takes and returns, and how much memory it needs.

    Args:
        model: The model.
        path: Path of the source, such as `"build/digits.c"`; the header lies beside it.
        max_batch: The most samples of a batch. The arena is as large as they need.
        name: What names in the header begin with: letters, digits and underscores. None: the name of the source.
        weights: `"source"`: they are arrays in the source. `"file"`: they are in `NAME_weights.bin`, whose contents the
            caller passes; compilers take long for sources of many megabytes.
        input_signature: The inputs of a model that does not know them, or with axes of unknown size: an `InputSpec`, a
            symbolic or other tensor, or a structure of them. None: the model's own.

    Raises:
        ArgumentError: if an argument cannot be used.
        ShapeError: if an axis of an input, other than the batch, has no known size.
        UnsupportedError: if a layer computes something on the host, such as with strings.
        BackendError: if an operation, such as a decomposition of matrices, has no portable form.
        FileError: if a file cannot be written.
    """
    target = Path(path)
    if target.suffix != ".c":
        target = target.with_name(target.name + ".c")
    name = _checked_name(name, target)
    whole_number("max_batch", max_batch, 1)
    if weights not in ("source", "file"):
        raise ArgumentError("there is no such place for weights", got=repr(weights), expected="'source' or 'file'")
    traced = traced_prediction(model, input_signature)
    fixed_batch = model.stateful_batch_size
    if fixed_batch is not None:
        max_batch = fixed_batch
    graph = with_constants(traced.graph, traced.values)
    compilation = Compilation(graph, Target("c99"), verified=config.current().verify)
    source, plan = compilation.source, compilation.plan
    assert isinstance(source, C99Source) and plan is not None
    memory = memory_of(plan, {BATCH: max_batch} if BATCH in plan.symbols else {}, weights == "file")
    interface = interface_of(name, traced, plan, max_batch, fixed_batch is not None, memory)
    header = target.with_suffix(".h")
    files = {
        header: header_text(interface, header.name).encode("ascii"),
        target: source_text(interface, plan, source, memory, traced.values, header.name).encode("ascii"),
    }
    if weights == "file":
        files[target.with_name(f"{name}_weights.bin")] = weights_file(plan, memory)
    _write(files)


def _checked_name(name: str | None, target: Path) -> str:
    """What names in the header begin with."""
    found = target.stem if name is None else name
    if not (isinstance(found, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", found, re.ASCII)):
        raise ArgumentError(
            "the functions of an exported model cannot be named so in C",
            got=repr(found),
            expected="a letter, then letters, digits and underscores",
            hint="pass `name`" if name is None else None,
        )
    return found


def _write(files: Mapping[Path, bytes]) -> None:
    """Writes all files, each as a whole."""
    for path, contents in files.items():
        try:
            with written_aside(path) as aside:
                aside.write_bytes(contents)
        except (OSError, ValueError) as error:
            raise FileError(
                "an exported model cannot be written",
                got=f"{path}: {getattr(error, 'strerror', None) or error}",
                expected="a folder that can be written to",
            ) from error
