"""Netron's own readers open the exported models: that in Python, and that of its pages, which Node.js runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import graphc
from tests.export.onnx_models import MODELS
from tests.export.onnx_runtime import NEWEST, OLDEST, onnx

netron = pytest.importorskip("netron")
NAMES = [name for name in MODELS if name != "mobilenet"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    paths = {name: folder / f"{name}.onnx" for name in NAMES}
    with graphc.backend("numpy"):
        for place, (name, path) in enumerate(paths.items()):
            opset = (OLDEST, NEWEST)[place % 2]
            MODELS[name][0]().export(path, format="onnx", verbose=False, opset_version=opset)
    return paths


def test_reader_in_python(files: dict[str, Path]) -> None:
    from netron.onnx import ModelFactory  # noqa: PLC0415

    for path in files.values():
        message = onnx.load(path)
        if any(attr.type == attr.GRAPH for node in message.graph.node for attr in node.attribute):
            continue  # this reader does not know graphs within nodes
        graph = ModelFactory().open(message).to_json()["graphs"][0]
        assert [node["name"] for node in graph["nodes"]] == [node.name for node in message.graph.node]
        assert len(graph["nodes"]) == len(message.graph.node)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_reader_of_the_pages(files: dict[str, Path], tmp_path: Path) -> None:
    for source in Path(netron.__file__).parent.glob("*.js*"):
        shutil.copy(source, tmp_path)
    shutil.copy(Path(__file__).with_name("netron_reader.mjs"), tmp_path / "reader.mjs")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    command = ["node", str(tmp_path / "reader.mjs"), *map(str, files.values())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    for path in files.values():
        message, read = onnx.load(path), found[str(path)]
        assert read["format"] == f"ONNX v{message.ir_version}"
        assert [name for _, name in read["nodes"]] == [node.name for node in message.graph.node]
        assert len(read["inputs"]) == len(message.graph.input)
        assert len(read["outputs"]) == len(message.graph.output)
