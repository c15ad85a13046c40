"""A workload's model as C, in a program of its own: `python -m benchmarks.peers.deploy_c SECONDS WORKLOAD`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import graphc
from benchmarks.measure import RESULT
from benchmarks.workloads import WORKLOADS
from graphc.runtime.cpu import toolchain

BATCH = 32
FLAGS = ("-std=c99", "-O3", "-march=native")


def main(seconds: str, name: str) -> None:
    graphc.utils.set_random_seed(0)
    workload = WORKLOADS[name]
    model, x = workload.build(graphc), workload.data(BATCH)[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model.export(folder / "model.c", format="c", max_batch=BATCH, verbose=False)
        program = folder / "program"
        kind = "int" if x.dtype.kind == "i" else "float"
        sources = (str(Path(__file__).with_name("deploy.c")), str(folder / "model.c"))
        command = [*toolchain.find().command, *FLAGS, f"-DINPUT={kind}", f"-I{folder}", *sources]
        subprocess.run([*command, "-s", "-o", program, "-lm"], check=True)
        done = subprocess.run([program, seconds], input=x.tobytes(), stdout=subprocess.PIPE, check=True)
        one, batch, peak = map(float, done.stdout.split())
        size = program.stat().st_size / 1024
    figures = {"ms": one, "batch_ms": batch, "size_kb": size, "peak_mb": peak / 1024}
    print(RESULT + json.dumps({name: figures}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
