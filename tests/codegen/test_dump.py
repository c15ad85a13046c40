"""Dumps: whatever layers and scripts are called, files hold text that can be read; where they cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from graphc import config, dtypes
from graphc.compiler import compile
from graphc.errors import FileError
from graphc.graph.builder import Builder
from graphc.graph.core import Graph
from graphc.graph.types import Origin, TensorType

NAMES = ("a\rb", "a\nb", "a\r\nb", "a\x00b", "a\x1b[2Jb", "a\x0cb", "a\x85b", "a\u2028b", "a\ufffeb", "a\ud800b")
NAMES += ("*/ \\", "??/", "ä 😀", "<&>'\"", "x" * 5000, "a/b", "%d %s", "")


def graph(name: str, file: str = "script.py") -> Graph:
    """A graph whose layer, file and state have a name."""
    builder = Builder({})
    with builder.located((Origin(name, file, 7),)):
        x = builder.input("x", TensorType((4, 3), dtypes.float32))
        state = builder.state(f"{name} state", TensorType((3,), dtypes.float32))
        builder.update(state, builder.apply("sum", x, axes=(0,)))
        return builder.finish([builder.apply("exp", x)])


@pytest.mark.parametrize("backend", ("cpu", "numpy", pytest.param("cuda", marks=pytest.mark.cuda)))
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_can_be_dumped(tmp_path: Path, backend: str, name: str) -> None:
    with config.override(dump=tmp_path):
        compile(graph(name, f"{name}.py"), backend)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        text = path.read_bytes().decode("utf-8")
        if path.suffix == ".svg":
            ElementTree.fromstring(text)
        elif path.suffix == ".json":
            json.loads(text)
        else:
            assert all(character.isprintable() or character == "\n" for character in text), path


def test_a_script_below_a_path_without_an_encoding(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"sch\xf6n")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    script = folder / "train.py"
    script.write_text(
        "import numpy as np, graphc\n"
        "from graphc import layers\n"
        "model = graphc.Sequential([graphc.Input((3,)), layers.Dense(2)])\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "GRAPHC_DUMP": str(folder / "dump"), "GRAPHC_BACKEND": "cpu"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sch\\udcf6n" in next((folder / "dump").rglob("*_fuse.txt")).read_text(encoding="utf-8")


@pytest.mark.parametrize("below", (False, True))
def test_a_dump_at_a_file_is_an_error_that_says_who_named_it(
    tmp_path: Path, below: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    monkeypatch.setenv("GRAPHC_DUMP", str(file / "dump" if below else file))
    with pytest.raises(FileError, match="cannot be written") as caught:
        compile(graph("dense"), "numpy")
    assert "GRAPHC_DUMP" in str(caught.value) and str(file) in str(caught.value)
    assert file.read_text(encoding="utf-8") == "mine"
