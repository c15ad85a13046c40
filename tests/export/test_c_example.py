"""`examples/deploy_c`: a model is trained, exported, and run by a C program that classifies as well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.datasets import fashion_mnist
from graphc.errors import FileError
from graphc.runtime.cpu import toolchain
from tests.test_examples import EXAMPLES, ROOT, numbers


@pytest.mark.slow
def test_the_c_program_classifies_as_predict_does(tmp_path: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("there is no make")
    try:
        fashion_mnist.load(download=False)
    except FileError:
        pytest.skip("Fashion-MNIST is not on this machine: apt install dataset-fashion-mnist")
    folder = tmp_path / "deploy_c"
    shutil.copytree(EXAMPLES / "deploy_c", folder)
    strict = "-std=c99 -O3 -Wall -Wextra -Werror -pedantic"
    tools = (f"PYTHON={sys.executable} -W error", f"CC={' '.join(toolchain.find().command)}", f"CFLAGS={strict}")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GRAPHC_BACKEND": "cpu"}
    done = subprocess.run([make, *tools], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (trained,) = numbers(done.stdout, r"test accuracy of predict: (\S+)")
    (found,) = numbers(done.stdout, r"test accuracy of C: (\S+)")
    assert trained > 0.84
    assert abs(trained - found) <= 2e-4  # a picture or two may lie between two classes
