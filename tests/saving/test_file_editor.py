"""The editor of files of weights, beside Keras's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, FileError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras")


def model(api: Any, depth: int) -> Any:
    parts = [api.layers.Dense(3) for _ in range(depth)]
    made = api.Sequential([api.Input((2,)), *parts, api.layers.Dense(3)])
    made.compile("adam", "mse")
    made.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)
    return made


def steps(api: Any, editor: Any, source: Any, target: Any) -> list[Any]:
    """What the same changes lead to in both libraries."""
    rng = np.random.default_rng(0)
    found = [editor.compare(source)["status"], editor.compare(target)["status"]]
    editor.add_object("layers/dense_3", weights={"0": rng.random((3, 3), "float32")})
    found.append(editor.compare(target))
    editor.rename_object("layers/dense_3", "dense_4")
    editor.rename_object("layers/dense_4", "dense_2")
    editor.add_weights("layers/dense_2", weights={"1": rng.random(3, "float32")})
    if "optimizer" in editor.weights_dict:
        editor.delete_object("optimizer")
    found.append(editor.compare(target)["error_count"])
    editor.delete_weight("layers/dense_2", "1")
    found.append(editor.compare(target)["error_count"])
    editor.add_weights("layers/dense_2", {"1": np.zeros((7,), "float32")})
    found.append(editor.compare(target)["error_count"])
    editor.add_weights("layers/dense_2", {"1": np.ones((3,), "float32")})
    editor.summary()
    return found


def test_changes_as_in_keras(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both edit what the other wrote, and load what the other edited."""
    for writer, reader in ((graphc, keras), (keras, graphc)):
        source = model(writer, 1)
        source.save(tmp_path / "m.keras")
        source.save_weights(tmp_path / "m.weights.h5", overwrite=True)
        for name in ("m.keras", "m.weights.h5"):
            editor = reader.saving.KerasFileEditor(str(tmp_path / name))
            target = model(reader, 2)
            target.optimizer = None
            found = steps(reader, editor, model(reader, 1), target)
            # Keras's editor expects the optimizer's states in files of weights, too, which ours has not.
            assert found[1] == "error" and found[3:] == [0, 1, 1], found
            assert reader is keras or found[0] == "success"
            (tmp_path / "edited.weights.h5").unlink(missing_ok=True)
            editor.save(str(tmp_path / "edited.weights.h5"))
            other = model(writer, 2)
            other.load_weights(tmp_path / "edited.weights.h5")
            np.testing.assert_array_equal(np.asarray(other.layers[-1].bias), np.ones(3))
            np.testing.assert_array_equal(np.asarray(other.layers[0].kernel), np.asarray(source.layers[0].kernel))
    assert "dense_2" in capsys.readouterr().out


def test_a_layer_with_weights_and_layers_of_its_own(tmp_path: Path) -> None:
    class Outer(graphc.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = graphc.layers.Dense(2)

        def build(self, shape: Any) -> None:
            self.own = self.add_weight(shape=(3,), name="own")

        def call(self, x: Any) -> Any:
            return self.inner(x)

    made = graphc.Sequential([graphc.Input((3,)), Outer()])
    made.save_weights(tmp_path / "a.weights.h5")
    editor = graphc.saving.KerasFileEditor(tmp_path / "a.weights.h5")
    assert sorted(editor.weights_dict["layers"]["outer"]) == ["0", "inner"]
    editor.save(tmp_path / "b.weights.safetensors")
    made.load_weights(tmp_path / "b.weights.safetensors")


def test_what_is_refused(tmp_path: Path) -> None:
    made = model(graphc, 2)
    made.save_weights(tmp_path / "a.weights.h5")
    editor = graphc.saving.KerasFileEditor(tmp_path / "a.weights.h5")
    for call in (
        lambda: editor.rename_object("dense_7", "a"),
        lambda: editor.rename_object("dense", "a/b"),
        lambda: editor.delete_object("layers/none"),
        lambda: editor.add_object("none/a", {}),
        lambda: editor.add_object("layers/a", [1]),
        lambda: editor.delete_weight("dense", "7"),
    ):
        with pytest.raises(ArgumentError):
            call()
    with pytest.raises(FileError):
        editor.save(tmp_path / "a.txt")
    (tmp_path / "bad.weights.h5").write_bytes(b"bad")
    with pytest.raises(FileError):
        graphc.saving.KerasFileEditor(tmp_path / "bad.weights.h5")
