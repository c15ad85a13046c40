"""The environments that peers run in: `python -m benchmarks.environments` makes them (about 4 GB)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "torch": ("torch==2.13.0", "numpy", "keras==3.15.1", "onnx", "onnxscript"),
    "jax": ("jax==0.10.2", "jaxlib==0.10.2", "keras==3.15.1", "optax"),
    "tf": ("tensorflow-cpu==2.21.0", "keras==3.15.1"),
    "onnx": ("onnxruntime", "onnx", "numpy"),
    "cpu": ("onednn-cpu-gomp==2023.2.0",),
}


def home() -> Path:
    """Where the environments are: $PEERS_HOME, else a folder of the user's cache."""
    return Path(os.environ.get("PEERS_HOME", Path.home() / ".cache" / "graphc-peers"))


def python_of(environment: str) -> Path:
    """The interpreter of an environment."""
    return home() / environment / "bin" / "python"


def make(environment: str) -> None:
    """Makes an environment, unless it is there with these packages."""
    folder, done = home() / environment, home() / environment / "packages"
    wanted = "\n".join(PACKAGES[environment])
    if done.exists() and done.read_text() == wanted:
        return
    if not python_of(environment).exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python_of(environment)), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES[environment]], check=True)
    done.write_text(wanted)


def versions(environment: str) -> dict[str, str]:
    """The versions of the packages that were asked for."""
    names = [package.split("==")[0] for package in PACKAGES[environment]]
    program = "import sys, importlib.metadata as m; [print(n, m.version(n)) for n in sys.argv[1:]]"
    command = [str(python_of(environment)), "-c", program, *names]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


if __name__ == "__main__":
    for name in PACKAGES:
        make(name)
        print(f"{name}: {python_of(name)}")
