"""Files that were made to do harm: each ends in an error of ours, in bounded time and memory, with nothing changed.

Among them are the published vulnerabilities of Keras's loaders, and of PyTorch's and ONNX's in their kind.
"""

from __future__ import annotations

import base64
import io
import json
import marshal
import os
import pickle
import resource
import stat
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import FileError, GraphcError

SECONDS, MEGABYTES = 10.0, 200
SECRET = "what nobody should read"
Maker = Callable[[Path], Path]


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def stack() -> Any:
    return graphc.Sequential([graphc.Input((4,)), layers.Dense(5, name="a"), layers.Dense(3, name="b")])


def saved(folder: Path, name: str = "m.keras", model: Any = None) -> Path:
    path = folder / name
    (stack() if model is None else model).save(path)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_config(change: Callable[[dict[str, Any]], Any]) -> Maker:
    """A model file with another configuration: what the function returns, or what it made of the given one."""

    def make(folder: Path) -> Path:
        def apply(members: dict[str, bytes]) -> None:
            config = json.loads(members["config.json"])
            members["config.json"] = json.dumps(change(config) or config).encode()

        return rewritten(saved(folder), apply)

    return make


def with_layer(config: dict[str, Any], **others: Any) -> Maker:
    """A model file with one more layer."""

    def change(model: dict[str, Any]) -> None:
        model["config"]["layers"].append({"registered_name": None, **config})
        model.update(others)

    return with_config(change)


def built_in(name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": {"name": "evil", **config}}


def touching(folder: Path) -> str:
    return f"open({str(folder / 'pwned')!r}, 'w').close()"


def marshalled(folder: Path) -> dict[str, Any]:
    """A function as Keras writes it: byte code that makes a file when it runs."""
    code = compile(touching(folder), "x", "exec")
    config = {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": config}


def lambda_layer(folder: Path) -> Path:
    return with_layer(built_in("Lambda", function=marshalled(folder), arguments={}))(folder)


def lambda_in_h5(folder: Path) -> Path:
    path = saved(folder, "m.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].append(built_in("Lambda", function=marshalled(folder), arguments={}))
        file.attrs["model_config"] = json.dumps(config).encode()
    return path


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def called(module: str, name: str, *args: Any) -> Maker:
    """A function of some module as the one of a `Lambda` layer, with arguments."""

    def make(folder: Path) -> Path:
        arguments = {f"a{i}": str(arg).replace("@", str(folder)) for i, arg in enumerate(args)}
        return with_layer(built_in("Lambda", function=function(module, name), arguments=arguments))(folder)

    return make


def class_of(module: str, name: str, **config: Any) -> Maker:
    """An object of some class in the place of a layer."""
    return with_layer({"module": module, "class_name": name, "config": config, "registered_name": name})


def unsafe_mode(folder: Path) -> Path:
    """Turns the safe mode off before the lambda is read."""
    enable = {**function("keras.config", "enable_unsafe_deserialization"), "class_name": "function"}
    first = {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}}

    def change(model: dict[str, Any]) -> None:
        parts = [{**first, "registered_name": None}, built_in("Lambda", function=marshalled(folder), arguments=enable)]
        model["config"]["layers"][1:1] = parts

    return with_config(change)(folder)


def reads_file(name: str, **config: Any) -> Maker:
    def make(folder: Path) -> Path:
        (folder / "secret.txt").write_text(SECRET)
        known = {"vocabulary": str(folder / "secret.txt"), **config}
        return with_layer(built_in(name, **known))(folder)

    return make


def pickled(folder: Path) -> bytes:
    class Evil:
        def __reduce__(self) -> Any:
            return exec, (touching(folder),)

    return pickle.dumps(Evil())


def pickle_named(name: str) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(pickled(folder))
        return folder / name

    return make


def torch_archive(folder: Path) -> Path:
    path = folder / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(folder))
        archive.writestr("archive/version", "3")
    return path


def torch_layer(folder: Path) -> Path:
    module = base64.b64encode(pickled(folder)).decode()
    return with_layer(built_in("TorchModuleWrapper", module=module, output_shape=None))(folder)


def arrays_of_objects(folder: Path) -> Path:
    """Weights in NumPy's form, which may hold pickles."""

    def change(members: dict[str, bytes]) -> None:
        content = io.BytesIO()
        np.savez(content, a=np.array([pickled(folder)], dtype=object))
        members["model.weights.npz"] = content.getvalue()
        del members["model.weights.h5"]

    return rewritten(saved(folder), change)


def weights_changed(change: Callable[[Any, Path], None]) -> Maker:
    """A model file with other weights."""

    def make(folder: Path) -> Path:
        def apply(members: dict[str, bytes]) -> None:
            content = io.BytesIO(members["model.weights.h5"])
            with h5py.File(content, "r+") as file:
                change(file, folder)
            members["model.weights.h5"] = content.getvalue()

        return rewritten(saved(folder), apply)

    return make


KEY = "layers/dense_1/vars/1"


def instead(**created: Any) -> Callable[[Any, Path], None]:
    def change(file: Any, folder: Path) -> None:
        del file[KEY]
        file.create_dataset(KEY, **created)

    return change


def external(file: Any, folder: Path) -> None:
    (folder / "secret.txt").write_text(SECRET)
    instead(shape=(3,), dtype="f4", external=[(str(folder / "secret.txt"), 0, 12)])(file, folder)


def virtual(file: Any, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["a"] = np.ones(3, "f4")
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "a", (3,))
    del file[KEY]
    file.create_virtual_dataset(KEY, layout)


def linked(make: Callable[[Path], Any]) -> Callable[[Any, Path], None]:
    def change(file: Any, folder: Path) -> None:
        with h5py.File(folder / "other.h5", "w") as other:
            other["a"] = np.ones(3, "f4")
        del file[KEY]
        file[KEY] = make(folder)

    return change


def deep_groups(file: Any, folder: Path) -> None:
    group = file
    for _ in range(3000):
        group = group.create_group("g")


def named_type(file: Any, folder: Path) -> None:
    file["layers/dense/kind"] = np.dtype("f4")


def references(file: Any, folder: Path) -> None:
    del file[KEY]
    file.create_dataset(KEY, data=[file.ref, file.ref, file.ref], dtype=h5py.ref_dtype)


def bomb_of(name: str) -> Maker:
    """A member of zeros that is a thousandth of its size in the archive."""

    def make(folder: Path) -> Path:
        path = saved(folder)
        with zipfile.ZipFile(path) as archive:
            members = {known: archive.read(known) for known in archive.namelist()}
        members.pop(name, None)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for known, content in members.items():
                archive.writestr(known, content)
            with archive.open(name, "w", force_zip64=True) as member:
                for _ in range(300):
                    member.write(bytes(1 << 20))
        return path

    return make


def many_bombs(folder: Path) -> Path:
    """Files of layers, each of which is small enough."""

    def change(members: dict[str, bytes]) -> None:
        members.update({f"assets/{i}": bytes(15 << 20) for i in range(24)})

    return rewritten(saved(folder), change, zipfile.ZIP_DEFLATED)


def edited(change: Callable[[bytes], bytes]) -> Maker:
    def make(folder: Path) -> Path:
        path = saved(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def claimed_sizes(content: bytes) -> bytes:
    """All members claim to have four gigabytes."""
    place = content.find(b"PK\x01\x02")
    parts = bytearray(content)
    while place >= 0:
        parts[place + 24 : place + 28] = struct.pack("<I", 0xFFFFFFF0)
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(parts)


def encrypted(content: bytes) -> bytes:
    parts, place = bytearray(content), content.find(b"PK\x01\x02")
    parts[place + 8] |= 1
    return bytes(parts)


def twice(folder: Path) -> Path:
    path = saved(folder)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    return path


def lzma(folder: Path) -> Path:
    return rewritten(saved(folder), lambda members: None, zipfile.ZIP_LZMA)


def named(name: str, mode: int = 0) -> Maker:
    """A member with such a name, which may be a link."""

    def make(folder: Path) -> Path:
        path = saved(folder)
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "/etc/passwd")
        return path

    return make


def many_members(folder: Path) -> Path:
    return rewritten(saved(folder), lambda members: members.update({f"assets/{i}": b"" for i in range(70_000)}))


def linked_folder(folder: Path) -> Path:
    (folder / "secret.txt").write_text(SECRET)
    stack().save(folder / "model", zipped=False)
    (folder / "model/config.json").unlink()
    (folder / "model/config.json").symlink_to(folder / "secret.txt")
    return folder / "model"


def text_config(text: bytes) -> Maker:
    return lambda folder: rewritten(saved(folder), lambda members: members.update({"config.json": text}))


def nested_models(folder: Path) -> Path:
    def change(config: dict[str, Any]) -> dict[str, Any]:
        inner = config["config"]["layers"][1]
        for _ in range(250):
            inner = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [inner]}}
        return inner

    return with_config(change)(folder)


def layer_config(**changed: Any) -> Maker:
    """The first dense layer with other arguments."""

    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"].update(changed)

    return with_config(change)


def graph_with(change: Callable[[dict[str, Any]], Any]) -> Maker:
    """A functional model with another configuration."""

    def make(folder: Path) -> Path:
        x = graphc.Input((4,), name="x")
        y = layers.Dense(4, name="y")(x)
        path = saved(folder, model=graphc.Model(x, graphc.ops.add(y, x)))

        def apply(members: dict[str, bytes]) -> None:
            config = json.loads(members["config.json"])
            change(config["config"])
            members["config.json"] = json.dumps(config).encode()

        return rewritten(path, apply)

    return make


def constant_bomb(config: dict[str, Any]) -> None:
    """An operation without a symbolic tensor, which would be computed when the file is read."""
    config["layers"].append(
        {
            "module": "keras.src.ops.numpy",
            "class_name": "Ones",
            "config": {"name": "ones"},
            "registered_name": "Ones",
            "name": "ones",
            "inbound_nodes": [{"args": [[1 << 20, 1 << 20]], "kwargs": {}}],
        }
    )


def array_bomb(dtype: str) -> Maker:
    value = {"class_name": "__numpy__", "config": {"value": ["a"] * 100, "dtype": dtype}}
    return with_layer(built_in("Lambda", function=function("builtins", "f"), arguments={"a": value}))


def waiting(config: dict[str, Any]) -> None:
    node = config["layers"][1]["inbound_nodes"][0]
    node["args"][0]["config"]["keras_history"] = ["y", 0, 0]


CONFIGURATIONS: dict[str, Maker] = {
    "CVE-2024-3660: byte code of a lambda": lambda_layer,
    "CVE-2025-9905: the same in an old file": lambda_in_h5,
    "CVE-2025-9906: a call that turns the safe mode off": unsafe_mode,
    "CVE-2025-1550: a function of any module": called("os", "system", "touch @/pwned"),
    "CVE-2025-1550: a class of any module": class_of("subprocess", "Popen", args="touch pwned", shell=True),
    "CVE-2025-1550: a built-in function": called("builtins", "exec", "open('@/pwned','w')"),
    "CVE-2025-8747: a function of Keras that downloads": called(
        "keras.utils", "get_file", "pwned", "file:///etc/hosts"
    ),
    "CVE-2025-8747: a function of graphc that downloads": called("graphc.utils.files", "get_file", "pwned", "x"),
    "a registered name of another class": with_layer({**built_in("Dense", units=3), "registered_name": "pkg>MyDense"}),
    "a registered name of any module": with_layer({**built_in("Dense", units=3), "registered_name": "builtins.eval"}),
    "a class of Keras that is no layer": class_of("keras.callbacks", "CSVLogger", filename="pwned"),
    "CVE-2025-12058: a vocabulary in a file": reads_file("StringLookup"),
    "CVE-2025-12058: a vocabulary at an address": reads_file("StringLookup", vocabulary="http://127.0.0.1:9/x"),
    "a vocabulary of integers in a file": reads_file("IntegerLookup"),
    "a vocabulary of texts in a file": reads_file("TextVectorization"),
    "CVE-2025-49655: a pickle in a layer of PyTorch": torch_layer,
    "CVE-2026-1462: a layer of TensorFlow's files": with_layer(built_in("TFSMLayer", filepath="/tmp/x")),
    "a layer of JAX": with_layer(built_in("JaxLayer", call_fn=function("os", "system"))),
    "PyTorch's archive with a pickle": torch_archive,
    "a pickle": pickle_named("m.keras"),
    "a pickle in an old file": pickle_named("m.h5"),
    "weights with pickles": arrays_of_objects,
    "CVE-2026-1669: weights in another file": weights_changed(external),
    "weights in a virtual data set": weights_changed(virtual),
    "a link to another file": weights_changed(linked(lambda folder: h5py.ExternalLink(folder / "other.h5", "a"))),
    "a link": weights_changed(linked(lambda folder: h5py.SoftLink("/layers/dense/vars/1"))),
    "CVE-2026-0897: weights of any shape": weights_changed(instead(shape=(1 << 20, 1 << 20), dtype="f4")),
    "weights that are compressed zeros": weights_changed(
        instead(shape=(1 << 15, 1 << 14), dtype="f4", chunks=(1 << 10, 1 << 10), compression="gzip", fillvalue=0)
    ),
    "a chunk larger than the array": weights_changed(
        instead(shape=(3,), maxshape=(None,), chunks=(1 << 27,), dtype="f4", compression="gzip")
    ),
    "an unknown filter": weights_changed(instead(shape=(3,), dtype="i4", chunks=(3,), scaleoffset=0)),
    "deep groups": weights_changed(deep_groups),
    "a named type": weights_changed(named_type),
    "references": weights_changed(references),
    "text": weights_changed(instead(data=["a", "b", "c"])),
    "records": weights_changed(instead(data=np.zeros(3, [("a", "f4")]))),
    "a bomb in the weights": bomb_of("model.weights.h5"),
    "a bomb in the configuration": bomb_of("config.json"),
    "a bomb in a file of a layer": bomb_of("assets/a"),
    "many bombs": many_bombs,
    "sizes that are not true": edited(claimed_sizes),
    "an encrypted member": edited(encrypted),
    "two members of one name": twice,
    "another compression": lzma,
    "CVE-2025-12060: a path upwards": named("assets/../../pwned"),
    "an absolute path": named("/tmp/pwned"),
    "a path of Windows": named("assets\\..\\..\\pwned"),
    "a link in the archive": named("assets/a", stat.S_IFLNK | 0o777),
    "a device in the archive": named("assets/a", stat.S_IFCHR),
    "many members": many_members,
    "a link in a folder": linked_folder,
    "deep lists": text_config(b"[" * 200_000 + b"]" * 200_000),
    "deep dictionaries": text_config(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "deep models": nested_models,
    "a long number": text_config(b'{"class_name": "Sequential", "config": ' + b"9" * 100_000 + b"}"),
    "a long name": class_of("keras.layers", "D" * 5_000_000),
    "a list": text_config(b"[1, 2]"),
    "no text": text_config(b"\xff\xfe\x00"),
    "more units than weights": layer_config(units=1 << 20),
    "more units than memory": layer_config(units=10**15),
    "more units than an integer": layer_config(units=10**40),
    "no number of units": layer_config(units="many"),
    "fewer than no units": layer_config(units=-3),
    "units in a list": layer_config(units=[[[]]]),
    "another dtype": layer_config(dtype="O"),
    "an activation of any module": layer_config(activation=function("os", "system")),
    "an initializer of any module": layer_config(kernel_initializer=function("os", "system")),
    "a large constant": graph_with(constant_bomb),
    "large texts": array_bomb("S2000000000"),
    "objects": array_bomb("O"),
    "a layer that waits for itself": graph_with(waiting),
    "no calls": graph_with(lambda config: config["layers"][1].update(inbound_nodes=7)),
    "no layers": graph_with(lambda config: config.update(layers=None)),
    "layers that are texts": graph_with(lambda config: config.update(layers=["a", "b"])),
    "outputs of nothing": graph_with(lambda config: config.update(output_layers=["zzz", 0, 0])),
    "a name that is a number": with_config(lambda config: config.update(class_name=7)),
    "a module that is a list": with_config(lambda config: config.update(module=["os"])),
    "a configuration that is a number": with_config(lambda config: config.update(config=3)),
    "an optimizer of any module": with_config(
        lambda config: config.update(compile_config={"optimizer": function("os", "system"), "loss": "mse"})
    ),
    "a loss of any module": with_config(
        lambda config: config.update(compile_config={"optimizer": "sgd", "loss": function("os", "system")})
    ),
    "compiled with anything": with_config(lambda config: config.update(compile_config={"evil": 1})),
    "compiled with a list": with_config(lambda config: config.update(compile_config=[1])),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_model_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = CONFIGURATIONS[name](tmp_path)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    files = sorted(os.listdir(tmp_path))
    with pytest.raises(GraphcError) as raised:
        graphc.models.load_model(path)
    assert SECRET not in str(raised.value) and len(str(raised.value)) < 3000
    assert time.perf_counter() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES << 10
    assert sorted(os.listdir(tmp_path)) == files
    assert not Path("/tmp/pwned").exists()


def test_truncations_of_model_files(tmp_path: Path) -> None:
    """At the beginning and the end of each member, and in its middle."""
    model = stack()
    model.compile("adam", "mse")
    path = saved(tmp_path, model=model)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        places = {info.header_offset for info in archive.infolist()} | {archive.start_dir, len(content) - 1}
        places |= {info.header_offset + info.file_size // 2 for info in archive.infolist()}
    for place in sorted(places | set(range(1, len(content), len(content) // 40))):
        path.write_bytes(content[:place])
        with pytest.raises(FileError):
            graphc.models.load_model(path)
