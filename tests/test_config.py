"""The config: which source wins, that it says so, that scopes do not leak, and that mistakes are named."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphc import config
from graphc.errors import ArgumentError, FileError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variable, no config file of whoever runs the tests, and no `set_*` that outlives a test."""
    for name in (*config._VARIABLES.values(), "GRAPHC_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    before = config._process.layer
    config._process.layer = config._EMPTY
    yield
    config._process.layer = before


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GRAPHC_BAKEND", "BACKEND"),
        ("GRAPHC_BACKENDS", "BACKEND"),
        ("GRAPHC_THREAD", "THREADS"),
        ("GRAPHC_DUMPS", "DUMP"),
        ("GRAPHC_CACHE_DIR", "CACHE"),
        ("GRAPHC_EPS", "EPSILON"),
        ("GRAPHC_FLOAT", "FLOATX"),
        ("GRAPHC_CONFIGURE", "CONFIG"),
        ("GRAPHC_PRODUCT", "PRODUCTS"),
    ],
)
def test_misspelt_variables(name: str, meant: str) -> None:
    asked = [sys.executable, "-c", "import graphc; graphc.config.current()"]
    done = subprocess.run(asked, env={**os.environ, name: "x"}, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and f"did you mean GRAPHC_{meant}?" in done.stderr


def test_variables_that_mean_nothing() -> None:
    asked = [sys.executable, "-c", "import graphc; graphc.config.current()"]
    given = {**os.environ, "GRAPHC_WXYZ": "1", "GRAPHC_REQUIRE_CUDA": "1"}
    done = subprocess.run(asked, env=given, capture_output=True, text=True, check=True)
    assert "GRAPHC_WXYZ is no setting" in done.stderr and "REQUIRE" not in done.stderr


def test_defaults_are_keras_ones() -> None:
    assert config.current() == config.Config()
    assert config.floatx() == "float32"
    assert config.epsilon() == 1e-7
    assert config.image_data_format() == "channels_last"
    assert {config.where(name) for name in config.FIELDS} == {"default"}


def test_each_source_wins_over_the_next_and_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write(tmp_path / "xdg/graphc/config.toml", 'backend = "numpy"\n')
    monkeypatch.setenv("GRAPHC_CONFIG", str(file))
    assert (config.current().backend, config.where("backend")) == ("numpy", f"config file {file}")
    monkeypatch.setenv("GRAPHC_BACKEND", "cpu")
    assert (config.current().backend, config.where("backend")) == ("cpu", "GRAPHC_BACKEND")
    config.set_backend("cuda")
    assert (config.current().backend, config.where("backend")) == ("cuda", "argument")
    with config.override(backend="numpy") as inside:
        assert inside == config.current()
        assert (inside.backend, config.where("backend")) == ("numpy", "context")
    assert config.current().backend == "cuda"


def test_the_users_config_folder_is_read(tmp_path: Path) -> None:
    write(tmp_path / "xdg/graphc/config.toml", 'threads = 3\nepsilon = 1e-5\ncache_dir = "mine"\ndump = "~/dump"\n')
    now = config.current()
    assert (now.threads, now.epsilon) == (3, 1e-5)
    assert now.cache_dir == tmp_path / "xdg/graphc/mine"  # relative to the file
    assert now.dump == tmp_path / "dump"


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = ("numpy", "2", "bfloat16", "1e-3", "channels_first", str(tmp_path / "c"), str(tmp_path / "d"), "gcc-12")
    values += ("library", "0", "3", "4", "0", "0", "mixed_float16", "1")
    for variable, value in zip(config._VARIABLES.values(), values, strict=True):
        monkeypatch.setenv(variable, value)
    after = ("library", False, 3, 4, False, False, "mixed_float16", True)
    assert config.current() == config.Config(
        "numpy", 2, "bfloat16", 1e-3, "channels_first", tmp_path / "c", tmp_path / "d", "gcc-12", *after
    )
    assert [config.where(name) for name in config.FIELDS] == list(config._VARIABLES.values())


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_BACKEND", "")
    assert config.current().backend is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GRAPHC_BACKEND", "gpu"),
        ("GRAPHC_THREADS", "0"),
        ("GRAPHC_THREADS", "many"),
        ("GRAPHC_THREADS", "1.5"),
        ("GRAPHC_FLOATX", "float8"),
        ("GRAPHC_EPSILON", "-1"),
        ("GRAPHC_EPSILON", "nan"),
        ("GRAPHC_IMAGE_DATA_FORMAT", "NHWC"),
        ("GRAPHC_CC", " "),
        ("GRAPHC_CACHE", "~no_such_user_here/x"),
    ],
)
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ArgumentError, match=variable) as caught:
        config.current()
    assert value in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('bakend = "cpu"', "did you mean 'backend'"),
        ("backend = 3", "bad value for 'backend'"),
        ("threads = true", "bad value for 'threads'"),
        ('threads = "2"', "bad value for 'threads'"),
        ("epsilon = inf", "bad value for 'epsilon'"),
        ("cache_dir = 1", "bad value for 'cache_dir'"),
        ("[backend]\nname = 1", "bad value for 'backend'"),
        ("backend = ", "not valid TOML"),
        ("\udcff", "not valid TOML"),
    ],
)
def test_a_bad_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    monkeypatch.setenv("GRAPHC_CONFIG", str(path))
    with pytest.raises(ArgumentError) as caught:
        config.current()
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHC_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ArgumentError, match=r"absent\.toml"):
        config.current()


def test_an_unreadable_file_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHC_CONFIG", str(tmp_path))  # a folder
    with pytest.raises(FileError, match="cannot be read"):
        config.current()


def test_set_functions() -> None:
    config.set_floatx("float64")
    config.set_epsilon(1e-3)
    config.set_image_data_format("channels_first")
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == ("float64", 1e-3, "channels_first")
    config.set_backend("cpu")
    config.set_backend(None)
    assert config.current().backend is None
    with pytest.raises(ArgumentError, match="set_floatx"):
        config.set_floatx("int8")
    with pytest.raises(ArgumentError, match="set_epsilon"):
        config.set_epsilon(0.0)
    with pytest.raises(ArgumentError, match=r"expected: +one of numpy, cpu, cuda"):
        config.set_backend("tpu")
    assert config.floatx() == "float64"


def test_override_nests_and_is_undone_by_an_error() -> None:
    with pytest.raises(KeyError), config.override(threads=2):
        with config.override(floatx="float16"):
            assert (config.current().threads, config.floatx()) == (2, "float16")
        config.set_epsilon(1e-2)  # another field, set process-wide inside a scope, is seen at once
        assert (config.current().threads, config.floatx(), config.epsilon()) == (2, "float32", 1e-2)
        raise KeyError
    assert config.current().threads is None
    with pytest.raises(ArgumentError, match="thread"), config.override(thread=1):
        pass


def test_where_wants_a_field() -> None:
    with pytest.raises(ArgumentError, match="no setting 'backends'"):
        config.where("backends")


def test_threads_do_not_see_each_others_overrides() -> None:
    inside, done = threading.Event(), threading.Event()
    seen: list[str] = []

    def other() -> None:
        inside.wait(10)
        seen.append(config.floatx())
        with config.override(floatx="float64"):
            seen.append(config.floatx())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with config.override(floatx="float16"):
        inside.set()
        assert done.wait(10)
        assert config.floatx() == "float16"
    thread.join()
    assert seen == ["float32", "float64"]


def test_tasks_do_not_see_each_others_overrides() -> None:
    async def task(name: str) -> list[str]:
        seen = []
        with config.override(floatx=name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(config.floatx())
        return seen

    async def both() -> tuple[list[str], list[str]]:
        first, second = await asyncio.gather(task("float16"), task("float64"))
        return first, second

    assert asyncio.run(both()) == (["float16"] * 3, ["float64"] * 3)
