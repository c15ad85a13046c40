"""How long a process takes to have imported modules: `python -m benchmarks.peers.importing MODULE...`."""

from __future__ import annotations

import importlib
import sys

from benchmarks.measure import report_start

if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    report_start()
