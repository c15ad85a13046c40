"""Files of weights: everything is in them, Keras reads them, and no file takes or changes what it should not."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, FileError
from graphc.saving import files
from graphc.saving.weights import named_variables

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
ENDINGS = ("safetensors", "h5")


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def stack(api: Any = graphc, dtype: str = "float32") -> Any:
    return api.Sequential([api.Input((4,)), api.layers.Dense(5, dtype=dtype), api.layers.Dense(3)])


def hiding(api: Any) -> Any:
    """A model with layers in every kind of place that Keras writes."""

    class Inner(api.layers.Layer):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.last, self._private = api.layers.Dense(2), api.layers.Dense(2)
            self.__mangled = api.layers.Dense(2)
            self.nested = [[api.layers.Dense(2)], {"a": api.layers.Dense(2)}]
            self.own = self.add_weight(shape=(2,), name="own")
            self._hidden = api.Variable(np.ones(3, "float32"))

        def call(self, x: Any) -> Any:
            inner = self.nested[1]["a"](self.nested[0][0](self._private(self.last(x))))
            return self.__mangled(inner) + self.own

    class Outer(api.Model):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.zeroth = api.layers.Dense(2), api.layers.Dense(2)
            self._enc, self.listed = Inner(), (api.layers.Dense(2), api.layers.Dense(2))
            self.drop, self.own = api.layers.Dropout(0.5), api.Variable(np.ones(4, "float32"))
            self.second_optimizer = api.optimizers.SGD()
            self.stack = api.Sequential([api.layers.Dense(2), api.layers.BatchNormalization()])

        def call(self, x: Any) -> Any:
            return self.stack(self.drop(self.listed[1](self.listed[0](self._enc(self.zeroth(self.first(x)))))))

    model = Outer()
    model(X)
    return model


def random_weights(model: Any) -> None:
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.5, 1, w.shape) for w in model.get_weights()])


@pytest.mark.parametrize("make", [stack, hiding])
def test_keras_reads_what_is_written_here_and_the_other_way_round(make: Callable[[Any], Any], tmp_path: Path) -> None:
    ours, theirs, path = make(graphc), make(keras), tmp_path / "a.weights.h5"
    random_weights(ours)
    ours.save_weights(path)
    theirs.load_weights(path)
    np.testing.assert_allclose(theirs(X), ours(X).numpy(), rtol=1e-5)
    random_weights(theirs)
    theirs.compile("adam", "mse")
    theirs.fit(X, X[:, : theirs(X).shape[1]], verbose=0)
    path.unlink()
    theirs.save_weights(path)
    ours.load_weights(path)
    np.testing.assert_allclose(ours(X).numpy(), theirs(X), rtol=1e-5)


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_weights_are_in_the_file(tmp_path: Path, ending: str) -> None:
    model, other = hiding(graphc), hiding(graphc)
    assert {id(v) for v in named_variables(model).values()} >= {id(w) for w in model.weights}
    random_weights(model)
    model.save_weights(tmp_path / f"a.weights.{ending}")
    other.load_weights(tmp_path / f"a.weights.{ending}")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_that_no_file_holds_are_told_of(tmp_path: Path) -> None:
    class Own(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.__inner__ = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.__inner__(x)

    model = graphc.Sequential([graphc.Input((4,)), Own()])
    with pytest.warns(UserWarning, match="2 weights .* two underscores"):
        model.save_weights(tmp_path / "a.weights.h5")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_dtypes_come_back(tmp_path: Path, ending: str, dtype: str) -> None:
    model, other, path = stack(dtype=dtype), stack(dtype=dtype), tmp_path / f"a.weights.{ending}"
    model.save_weights(path)
    other.load_weights(path)
    for a, b in zip(model.weights, other.weights, strict=True):
        assert a.numpy().dtype == b.numpy().dtype
        np.testing.assert_array_equal(a.numpy().astype("float64"), b.numpy().astype("float64"))
    full = stack()
    full.load_weights(path)  # more or fewer digits are no other kind of number
    np.testing.assert_allclose(full.get_weights()[0], model.get_weights()[0].astype("float32"), rtol=1e-6)


def test_keras_reads_bfloat16(tmp_path: Path) -> None:
    ours, theirs, path = stack(dtype="bfloat16"), stack(keras, "bfloat16"), tmp_path / "a.weights.h5"
    ours.save_weights(path)
    theirs.load_weights(path)
    np.testing.assert_array_equal(np.asarray(theirs.weights[0]).astype("f4"), ours.weights[0].numpy().astype("f4"))
    path.unlink()
    theirs.save_weights(path)
    ours.load_weights(path)


# ---- writing


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_modes(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "a.weights.h5"
    before = os.umask(mask)
    try:
        stack().save_weights(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    stack().save_weights(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_symbolic_link_stays(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.weights.h5", tmp_path / "a.weights.h5"
    link.symlink_to(target)
    model = stack()
    for _ in range(2):
        model.save_weights(link)
        assert link.is_symlink() and target.is_file() and not target.is_symlink()
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["real.weights.h5"]
    stack().load_weights(link)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from graphc.saving import files\n"
        "with files.written_aside(Path(sys.argv[1])) as aside:\n"
        "    aside.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    model = stack()
    model.save_weights(path)
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    alive = tmp_path / f"{files._prefix(path, os.getpid())}other"
    alive.write_bytes(b"another thread is at it")
    model.save_weights(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, alive.name])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.weights.{ending}"
    small, large = stack(), graphc.Sequential([graphc.Input((200,)), layers.Dense(300)])
    small.save_weights(path)
    before = path.read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with pytest.raises(FileError, match="cannot be written"):
            large.save_weights(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["x" * 300 + ".weights.h5", "a\0b.weights.h5", "file/in/a.weights.h5"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError):
        stack().save_weights(os.path.join(tmp_path, name))
    with pytest.raises(FileError):
        stack().load_weights(os.path.join(tmp_path, name))
    longest = tmp_path / ("y" * (255 - 11) + ".weights.h5")
    stack().save_weights(longest)
    stack().load_weights(longest)


def test_no_path_at_all() -> None:
    for wrong in (3, None, [1]):
        with pytest.raises(ArgumentError, match="no path"):
            stack().save_weights(wrong)


# ---- reading


KEY = "layers/dense/vars/0"


def replaced(change: Callable[[Any], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return apply


def instead(**created: Any) -> Callable[[Path], None]:
    """The first weight made anew, in some other way."""

    def change(file: Any) -> None:
        del file["layers/dense_1/vars/1"]
        file.create_dataset("layers/dense_1/vars/1", **created)

    return replaced(change)


def external(path: Path) -> None:
    secret = path.parent / "secret"
    secret.write_bytes(bytes(range(12)))
    instead(shape=(3,), dtype="f4", external=[(str(secret), 0, 12)])(path)


def virtual(path: Path) -> None:
    with h5py.File(path.parent / "other.h5", "w") as file:
        file["a"] = np.ones(3, "f4")
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(path.parent / "other.h5", "a", (3,))

    def change(file: Any) -> None:
        del file["layers/dense_1/vars/1"]
        file.create_virtual_dataset("layers/dense_1/vars/1", layout)

    replaced(change)(path)


def linked(link: Any) -> Callable[[Path], None]:
    def change(file: Any) -> None:
        file["layers/dense_1/vars/1"] = link

    def apply(path: Path) -> None:
        with h5py.File(path.parent / "other.h5", "w") as file:
            file["a"] = np.ones(3, "f4")
        replaced(lambda file: file.__delitem__("layers/dense_1/vars/1"))(path)
        replaced(change)(path)

    return apply


def regrouped(file: Any) -> None:
    del file["layers/dense_1/vars/1"]
    file.create_group("layers/dense_1/vars/1")


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return apply


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def circle(file: Any) -> None:
    file["layers/dense/again"] = file["layers"]


def deep(file: Any) -> None:
    group = file
    for _ in range(5000):
        group = group.create_group("g")


HOSTILE: dict[str, Callable[[Path], None]] = {
    "external storage": external,
    "virtual": virtual,
    "external link": linked(h5py.ExternalLink("other.h5", "a")),
    "soft link": linked(h5py.SoftLink("/layers/dense/vars/1")),
    "circle": replaced(circle),
    "deep": replaced(deep),
    "terabytes": instead(shape=(10**6, 10**6), dtype="f4"),
    "complex": instead(data=np.ones(3, "complex64")),
    "text": instead(data=["a", "b", "c"]),
    "records": instead(data=np.zeros(3, [("a", "f4")])),
    "two bytes": instead(data=np.zeros(3, "V2")),
    "booleans": instead(data=np.ones(4, "bool")),
    "a scalar": instead(data=1.0),
    "empty": instead(data=h5py.Empty("f4")),
    "a group": replaced(regrouped),
    "something else": damaged(lambda content: b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "cut": damaged(lambda content: content[:-600]),
    "nothing": damaged(lambda content: b""),
    "a folder": folder,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_files_that_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.weights.h5"
    model, other = stack(), stack()
    model.save_weights(path)
    HOSTILE[kind](path)
    before = other.get_weights()
    with pytest.raises(FileError):
        other.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


def test_integers_are_numbers_for_floats_and_not_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    model = stack()
    model.save_weights(path)
    instead(data=np.array([1, 2, 3]))(path)
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[-1], [1, 2, 3])
    counting = graphc.Sequential([graphc.Input((3,))])
    counting.count = graphc.Variable(np.arange(3), name="count", trainable=False)
    counting.save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["vars/0"]
        file["vars/0"] = np.ones(3)
    with pytest.raises(FileError, match="int"):
        counting.load_weights(path)


def test_containers_that_hold_themselves(tmp_path: Path) -> None:
    class Own(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts: list[Any] = [layers.Dense(2), {"a": layers.Dense(2)}]
            self.parts[1]["all"] = self.parts
            self.parts.append(self.parts)
            self.more = self.parts

        def call(self, x: Any) -> Any:
            return self.parts[1]["a"](self.parts[0](x))

    model, other = Own(), Own()
    for each in (model, other):
        each(X)
    assert len(model.weights) == 4 and len(named_variables(model)) == 4
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(model(X).numpy(), other(X).numpy())
