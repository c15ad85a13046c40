"""Exported C, built with a small program around it, and run."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphc
from graphc.export.c import export_c
from graphc.runtime.cpu import toolchain
from tests.support.portable import STRICT

Array = np.ndarray[Any, Any]
CHECKS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# What a compiled model may need from elsewhere: mathematical functions, and what moves memory.
LIBRARY = {
    *("memcpy", "memset", "memcmp", "memmove", "_GLOBAL_OFFSET_TABLE_"),
    *(
        name + suffix
        for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "erf", "pow", "rint")
        for suffix in ("", "f")
    ),
}

# It reads the number of samples and the inputs from the standard input, and writes what the model returns, then the
# outputs. The arrays have no element more than the samples need, so that the address sanitizer sees reads beyond.
MAIN = """\
#include <stdio.h>
#include <stdlib.h>
#include "{name}.h"

static {name}_arena arena;

static void *elements(size_t count, size_t size, int is_read) {{
  static void *all[500]; /* which the leak sanitizer reads */
  static int used = 0;
  void *const data = all[used++] = malloc(count * size + (count == 0));
  if (data == NULL || (is_read && fread(data, size, count, stdin) != count)) exit(2);
  return data;
}}

int main(int argc, char **argv) {{
  const size_t batch = (size_t)strtoul(argv[1], NULL, 10), times = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 1;
  size_t i;
  int error = 0;
{arrays}
  for (i = 0; i < sizeof arena; ++i) arena.bytes[i] = 0xA5;
  for (i = 0; i < times && !error; ++i) error = {name}_predict({arguments}&arena);
  if (error) return 10 + error;
{results}
  return 0;
}}
"""


class Program:
    """A model as C, and a program that runs it.

    Args:
        model: The model.
        folder: Where it is built.
        name: What the model is called in C.
        options: Arguments of `export_c`.
    """

    def __init__(self, model: Any, folder: Path, name: str = "model", **options: Any) -> None:
        self.folder, self.name = folder, name
        export_c(model, folder / f"{name}.c", name=name, **options)
        self.header = (folder / f"{name}.h").read_text()
        self.source = (folder / f"{name}.c").read_text()
        self.inputs, self.outputs = list(model.inputs), list(model.outputs)
        (folder / "main.c").write_text(self._main())

    def _main(self) -> str:
        arrays, results, sides = [], [], ([], [])
        for role, values, names in (("x", self.inputs, sides[0]), ("y", self.outputs, sides[1])):
            for i, value in enumerate(values):
                name = role if len(values) == 1 else f"{role}{i}"
                size = f"{self.name.upper()}_{name.upper()}_SIZE"
                kind = {"float32": "float", "int32": "int", "bool": "unsigned char"}[value.dtype]
                count, is_read = f"batch * {size}", int(role == "x")
                arrays.append(f"  {kind} *{name} = ({kind} *)elements({count}, sizeof *{name}, {is_read});")
                if role == "y":
                    results.append(f"  fwrite({name}, sizeof *{name}, {count}, stdout);")
                names.append(name)
        arguments = [*sides[0], "batch", *sides[1]]
        if f"{self.name}_state" in self.header:
            arrays.insert(0, f"  static {self.name}_state state;\n  {self.name}_initialize(&state);")
            arguments.append("&state")
        if f"{self.name.upper()}_WEIGHTS_BYTES" in self.header:
            size = f"{self.name.upper()}_WEIGHTS_BYTES"
            arrays.insert(0, f'  FILE *file = fopen("{self.folder}/{self.name}_weights.bin", "rb");')
            arrays.insert(1, f"  void *const weights = elements(1, {size}, 0);")
            arrays.insert(2, f"  if (fread(weights, 1, {size}, file) != {size}) return 3;")
            arguments.append("weights")
        text = "".join(f"{argument}, " for argument in arguments)
        return MAIN.format(name=self.name, arrays="\n".join(arrays), results="\n".join(results), arguments=text)

    def build(self, *flags: str, compiler: Sequence[str] = ()) -> Path:
        """The program, built with these flags; all warnings are errors."""
        program = self.folder / "_".join(["program", *(flag.strip("-") for flag in flags)]).replace("=", "_")
        sources = (self.folder / "main.c", self.folder / f"{self.name}.c")
        command = compiler or toolchain.find().command
        succeed([*command, *STRICT, *flags, *map(str, sources), "-o", str(program), "-lm"])
        return program

    def run(self, program: Path, *inputs: Array, batch: int | None = None, times: int = 1) -> list[Array]:
        """The outputs for some samples."""
        batch = len(inputs[0]) if batch is None else batch
        given = b"".join(np.ascontiguousarray(x, v.dtype).tobytes() for x, v in zip(inputs, self.inputs, strict=True))
        done = subprocess.run([program, str(batch), str(times)], input=given, capture_output=True, timeout=300)
        assert done.returncode == 0, (done.returncode, done.stderr.decode()[:4000])
        found, start = [], 0
        for value in self.outputs:
            shape = (batch, *value.shape[1:])
            count = int(np.prod(shape))
            found.append(np.frombuffer(done.stdout, value.dtype, count, start).reshape(shape))
            start += found[-1].nbytes
        assert start == len(done.stdout)
        return found

    def check(self, model: Any, program: Path, *inputs: Array, batches: Sequence[int], within: float = 1e-5) -> None:
        """Compares with `predict` for the first samples."""
        with graphc.backend("numpy"):  # builds nothing
            self._check(model, program, inputs, batches, within)

    def _check(self, model: Any, program: Path, inputs: Sequence[Array], batches: Sequence[int], within: float) -> None:
        for batch in batches:
            some = [x[:batch] for x in inputs]
            found = self.run(program, *some)
            wanted = model.predict(some[0] if len(some) == 1 else some, verbose=0)
            for got, expected in zip(found, wanted if isinstance(wanted, list) else [wanted], strict=True):
                np.testing.assert_allclose(got, expected, rtol=within, atol=within)

    def needs(self) -> set[str]:
        """The symbols that the compiled model takes from elsewhere; it has no variables of its own."""
        compiled = self.folder / "model.o"
        source = str(self.folder / f"{self.name}.c")
        succeed([*toolchain.find().command, *STRICT, "-O2", "-c", source, "-o", str(compiled)])
        symbols = [line.split()[-2:] for line in succeed(["nm", str(compiled)]).splitlines()]
        assert {kind for kind, _ in symbols} <= set("TtRrU")  # functions, constants, and what is elsewhere
        return {name for kind, name in symbols if kind == "U"}


def succeed(command: Sequence[str | Path], folder: Path | None = None) -> str:
    """What a command writes; it must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stderr[:4000]}"
    return done.stdout
