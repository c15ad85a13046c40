"""Files of weights that were made to do harm: each ends in an error of ours, and no weight is changed."""

from __future__ import annotations

import json
import resource
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphc
from graphc.errors import FileError
from tests.saving.test_hostile_files import MEGABYTES, SECONDS, Maker, pickle_named, saved, stack


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> Maker:
    def make(folder: Path) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = folder / "a.weights.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return path

    return make


def tensor(dtype: str = "F32", shape: Any = (4, 5), offsets: Any = (0, 80)) -> dict[str, Any]:
    return {"layers/dense/vars/0": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def shards(change: Callable[[dict[str, Any], Path], Any]) -> Maker:
    """Weights in several files, the names of which were changed."""

    def make(folder: Path) -> Path:
        path = folder / "deep" / "a.weights.json"
        stack().save_weights(path, max_shard_size=1e-7)
        table = json.loads(path.read_text())
        changed = change(table, folder)
        path.write_text(json.dumps(table if changed is None else changed))
        return path

    return make


def elsewhere(name: str) -> Callable[[dict[str, Any], Path], None]:
    def change(table: dict[str, Any], folder: Path) -> None:
        stack().save_weights(folder / "secret.weights.h5")
        for key in table["weight_map"]:
            table["weight_map"][key] = name.replace("@", str(folder))

    return change


def link_beside(table: dict[str, Any], folder: Path) -> None:
    stack().save_weights(folder / "secret.weights.h5")
    (folder / "deep" / "z.weights.h5").symlink_to(folder / "secret.weights.h5")
    table["weight_map"] = dict.fromkeys(table["weight_map"], "z.weights.h5")


def legacy(change: Callable[[Any], None]) -> Maker:
    def make(folder: Path) -> Path:
        path = saved(folder, "m.h5")
        with h5py.File(path, "r+") as file:
            change(file["model_weights"])
        return path

    return make


def replaced(name: str, **created: Any) -> Callable[[Any], None]:
    def change(group: Any) -> None:
        known = group[f"b/{name}"]
        del group[f"b/{name}"]
        group.create_dataset(f"b/{name}", **{"shape": known.shape, **created})

    return change


def renamed(group: str, name: str, value: Any) -> Callable[[Any], None]:
    def change(root: Any) -> None:
        (root[group] if group else root).attrs[name] = value

    return change


WEIGHTS: dict[str, Maker] = {
    "a header of any length": safetensors({}, length=1 << 62),
    "a header longer than the file": safetensors({}, length=1 << 20),
    "no header": safetensors(b"\xff\xff"),
    "a deep header": safetensors(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "offsets outside": safetensors(tensor(offsets=(0, 1 << 40)), bytes(80)),
    "offsets backwards": safetensors(tensor(offsets=(80, 0)), bytes(80)),
    "a shape that overflows": safetensors(tensor(shape=(1 << 32, 1 << 32, 1 << 32)), bytes(80)),
    "an unknown dtype": safetensors(tensor(dtype="F8_E4M3", offsets=(0, 20)), bytes(20)),
    "no dtype": safetensors(tensor(dtype="object"), bytes(80)),
    "only one weight": safetensors(tensor(), bytes(80)),
    "ONNX: a path upwards": shards(elsewhere("../secret.weights.h5")),
    "ONNX: an absolute path": shards(elsewhere("@/secret.weights.h5")),
    "ONNX: a link": shards(link_beside),
    "ONNX: a path of Windows": shards(elsewhere("..\\secret.weights.h5")),
    "a missing file": shards(elsewhere("none.weights.h5")),
    "names that are numbers": shards(lambda table, folder: {"weight_map": {"a": 7}}),
    "names that are dictionaries": shards(lambda table, folder: {"weight_map": {"a": [{}]}}),
    "no names": shards(lambda table, folder: {}),
    "a list": shards(lambda table, folder: [1]),
    "fewer files": shards(lambda table, folder: table["weight_map"].popitem() and None),
    "an old file with complex weights": legacy(replaced("1_bias", dtype="c8")),
    "an old file with text": legacy(replaced("1_bias", data=[b"a", b"b", b"c"])),
    "an old file with external weights": legacy(replaced("1_bias", dtype="f4", external=[("/etc/passwd", 0, 12)])),
    "an old file of names that are numbers": legacy(renamed("", "layer_names", 3)),
    "an old file of names that are paths": legacy(renamed("", "layer_names", [b"../..", b"/"])),
    "an old file of a weight too few": legacy(renamed("b", "weight_names", [b"0_kernel"])),
    "an old file of missing weights": legacy(renamed("b", "weight_names", [b"x", b"y"])),
    "a pickle of weights": pickle_named("a.weights.h5"),
    "a pickle of tensors": pickle_named("a.weights.safetensors"),
    "a pickle of names": pickle_named("a.weights.json"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_files_of_weights(name: str, tmp_path: Path) -> None:
    path = WEIGHTS[name](tmp_path)
    model = stack()
    before = [w + 1 for w in model.get_weights()]
    model.set_weights(before)
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(FileError):
        model.load_weights(path)
    assert time.perf_counter() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MEGABYTES << 10
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("ending", ["weights.h5", "weights.safetensors", "weights.json", "h5"])
def test_truncations_of_weights(ending: str, tmp_path: Path) -> None:
    path, model, other = tmp_path / f"a.{ending}", stack(), stack()
    if ending == "h5":
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=1.0 if ending == "weights.json" else None)
    part = tmp_path / "a_00000.weights.h5" if ending == "weights.json" else path
    content, before = part.read_bytes(), other.get_weights()
    for place in range(0, len(content), len(content) // 60):
        part.write_bytes(content[:place])
        with pytest.raises(FileError):
            other.load_weights(path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
