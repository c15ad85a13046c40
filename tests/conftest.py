"""Where the CUDA tests run: on a GPU where there is one, else on the emulator, else they are skipped and say why."""

from __future__ import annotations

import gc
import importlib.util
import os
from pathlib import Path

import pytest

from tests.cuda_emulator.activation import activate
from tests.cuda_emulator.build import CannotBuild

# Keras is compared with on JAX, whichever test imports it first. Each small operation and shape of it is compiled: XLA
# takes less time for that if it does not optimize.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")


def _cuda_problem() -> str | None:
    """Why CUDA tests cannot run; None where they can, the emulator being active if it is needed."""
    for package in ("pycuda", "cuda"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed: .ci/cuda/install.sh"
    if Path("/dev/nvidiactl").exists() and not os.environ.get("GRAPHC_EMULATE"):
        return None
    try:
        activate()
    except (CannotBuild, RuntimeError) as error:
        return str(error)
    return None


def pytest_configure(config: pytest.Config) -> None:
    os.environ["GRAPHC_VERIFY"] = "1"  # every stage of every compilation is checked
    config.addinivalue_line("markers", "cuda: runs generated CUDA, on a GPU or on the emulator")
    config.addinivalue_line("markers", "gpu: needs a real GPU")
    config.addinivalue_line("markers", "slow: takes long; left out unless --slow is given")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests, too")
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wants_cuda = [item for item in items if item.get_closest_marker("cuda")]
    problem = _cuda_problem() if wants_cuda else None
    if problem and os.environ.get("GRAPHC_REQUIRE_CUDA"):
        raise pytest.UsageError(f"CUDA tests cannot run: {problem}")
    if not config.getoption("--slow"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("slow")])
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    for item in items:
        if problem and item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason=problem))
        if item.get_closest_marker("gpu") and not Path("/dev/nvidiactl").exists():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there before the first test stays: the garbage collector need not look at it in each collection."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Names parameters that are bytes by their argument: archives hold the time at which they were made."""
    return argname if isinstance(val, bytes) else None
