"""Many runs of a program on the CPU as one native call, each on the next piece of the inputs and of the outputs."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from graphc.runtime import cache, toolchain
from graphc.runtime.workspace import Table

# Each thread moves its own copy of the table: the others may be in the step before or after.
SOURCE = """\
typedef void program(char *const *, const long *, long, void *, long, long, long);
void graphc_sweep(program *run, char *const *addresses, const long *sizes, const long *strides, long count, long steps,
                  void *meeting, long thread, long threads, long grain) {
  char *own[count];
  for (long i = 0; i < count; ++i) own[i] = addresses[i];
  for (long step = 0; step < steps; ++step) {
    run(own, sizes, 1, meeting, thread, threads, grain);
    for (long i = 0; i < count; ++i) own[i] += strides[i];
  }
}
"""


@lru_cache(maxsize=1)
def _sweep() -> Any:
    library = toolchain.build_shared(SOURCE, flags=("-O1",), toolchain=toolchain.find(), cache=cache.default())
    entry = ctypes.CDLL(str(library)).graphc_sweep
    entry.argtypes = [*[ctypes.c_void_p] * 4, *[ctypes.c_long] * 2, ctypes.c_void_p, *[ctypes.c_long] * 3]
    entry.restype = None
    return entry


def function(entry: Any, table: Table, steps: int) -> Callable[[ctypes.c_void_p, int, int, int], None]:
    """What `team.run` calls for several runs.

    Args:
        entry: The `graphc_run` of a program.
        table: The addresses of the first run.
        steps: How many runs.
    """
    at = ctypes.cast(entry, ctypes.c_void_p)
    return partial(_sweep(), at, table.addresses_at, table.sizes_at, table.strides_at, table.count, steps)
