"""Where and what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import environments

ROOT = Path(__file__).resolve().parent.parent
OUR_PACKAGES = ("numpy", "networkx")
# Families and models of processors whose name a hypervisor hides.
CORES = {
    ("AuthenticAMD", 0x19, 0x11): "Zen 4",
    ("AuthenticAMD", 0x19, 0xA0): "Zen 4c",
    ("AuthenticAMD", 0x19, 0x01): "Zen 3",
    ("AuthenticAMD", 0x1A, 0x02): "Zen 5",
    ("AuthenticAMD", 0x1A, 0x11): "Zen 5c",
    ("GenuineIntel", 0x06, 0x6A): "Ice Lake",
    ("GenuineIntel", 0x06, 0x8F): "Sapphire Rapids",
    ("GenuineIntel", 0x06, 0xCF): "Emerald Rapids",
}


def processor() -> dict[str, Any]:
    """The processor: what it is called, its family and model, its vectors and caches."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    identity = (fields.get("vendor_id", ""), int(fields.get("cpu family", 0)), int(fields.get("model", 0)))
    flags = fields.get("flags", "").split()
    return {
        "name": fields.get("model name", platform.machine()),
        "core": CORES.get(identity, ""),
        "vendor": identity[0],
        "family": identity[1],
        "model": identity[2],
        "cores": os.cpu_count(),
        "vectors": next((name for name in ("avx512f", "avx2", "sse2") if name in flags), ""),
        "caches": _caches(),
    }


def _caches() -> dict[str, str]:
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind = ((folder / name).read_text().strip() for name in ("level", "type"))
        if kind != "Instruction":
            sizes[f"L{level}"] = (folder / "size").read_text().strip()
    return sizes


def describe(used: Iterable[str] = ()) -> dict[str, Any]:
    """The machine, this checkout, and the versions of what the environments used hold."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    ours = {name: version(name) for name in OUR_PACKAGES}
    return {
        "processor": processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "time": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "versions": {"graphc": ours, **{name: environments.versions(name) for name in used}},
    }


def in_words(machine: dict[str, Any]) -> str:
    """A machine in one line; early records know less of it."""
    cpu = machine["processor"]
    parts = [cpu["name"]]
    if "caches" in cpu:
        caches = ", ".join(f"{level} {size}" for level, size in cpu["caches"].items())
        core = cpu["core"] or "unknown core"
        parts[0] += f" ({core}: family {cpu['family']:#x}, model {cpu['model']:#x}; {cpu['vectors']}; {caches})"
    return ", ".join([*parts, f"{cpu['cores']} cores", f"commit {machine['commit']}", machine["time"]]) + "."
