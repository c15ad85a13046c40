"""A workload's ONNX file, exported by graphc: `python -m benchmarks.peers.deploy_onnx SECONDS WORKLOAD`.

ONNX Runtime runs on one thread, as the program in C does, in a process that has no graphc. Its memory is what it adds
to that of Python with NumPy; its size is that of its library, and of the file.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import RESULT
from benchmarks.workloads import WORKLOADS

BATCH = 32
FEWEST, MOST = 5, 1000
EXPORT = """
import sys
import graphc
from benchmarks.workloads import WORKLOADS
graphc.utils.set_random_seed(0)
WORKLOADS[sys.argv[1]].build(graphc).export(sys.argv[2], format="onnx", verbose=False)
"""


def kilobytes(figure: str) -> int:
    """What the kernel says of this process's memory."""
    found = re.search(rf"^{figure}:\s+(\d+)", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found[1])


def main(seconds: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.onnx")
        subprocess.run([sys.executable, "-c", EXPORT, name, str(file)], check=True)
        measure(file, name, float(seconds))


def measure(file: Path, name: str, seconds: float) -> None:
    """Measures an ONNX file, and prints what was measured as one line of JSON."""
    x, before = WORKLOADS[name].data(BATCH)[0], kilobytes("VmRSS")
    import onnxruntime  # noqa: PLC0415  (its memory is measured)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    medians = []
    for batch in (1, BATCH):
        feed = {given.name: x[:batch]}
        times: list[float] = []
        for _ in range(3):
            session.run(None, feed)
        begin = time.perf_counter()
        while len(times) < MOST and (len(times) < FEWEST or time.perf_counter() - begin < seconds):
            start = time.perf_counter()
            session.run(None, feed)
            times.append(1e3 * (time.perf_counter() - start))
        medians.append(statistics.median(times))
    libraries = Path(onnxruntime.__file__).parent.rglob("*.so*")
    size = (sum(path.stat().st_size for path in libraries) + file.stat().st_size) / 1024
    peak = (kilobytes("VmHWM") - before) / 1024
    figures = {"ms": medians[0], "batch_ms": medians[1], "size_kb": size, "peak_mb": peak}
    print(RESULT + json.dumps({name: figures}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
