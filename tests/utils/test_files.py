"""Files that are fetched: the cache, sums, archives, and what archives may not do."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphc import config
from graphc.errors import ArgumentError, DataError, FileError
from graphc.utils import files, get_file

CONTENT = b"content" * 100


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    with config.override(cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache/datasets"


def origin(tmp_path: Path, name: str, content: bytes) -> str:
    (tmp_path / "web").mkdir(exist_ok=True)
    (tmp_path / "web" / name).write_bytes(content)
    return (tmp_path / "web" / name).as_uri()


def tar(members: dict[str, Any], mode: str = "w:gz") -> bytes:
    """An archive of contents, of links (`("link", name)`) and of devices (None)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = (tarfile.SYMTYPE if content[0] == "link" else tarfile.LNKTYPE), content[1]
            elif content is None:
                info.type = tarfile.CHRTYPE
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return data.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_file_is_fetched_once(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = origin(tmp_path, "a%20file.txt", CONTENT)
    path = get_file(origin=url)
    assert path == str(folder / "a%20file.txt") and Path(path).read_bytes() == CONTENT
    assert "Downloading data from" in capsys.readouterr().out
    origin(tmp_path, "a%20file.txt", b"new")
    assert Path(get_file(origin=url)).read_bytes() == CONTENT and not capsys.readouterr().out
    assert Path(get_file(origin=url, force_download=True)).read_bytes() == b"new"
    assert get_file("b.txt", url, cache_subdir="models") == str(folder.parent / "models/b.txt")
    assert get_file("b.txt", url, cache_dir=tmp_path / "mine") == str(tmp_path / "mine/datasets/b.txt")
    assert get_file("b.txt", url, cache_subdir=tmp_path / "there") == str(tmp_path / "there/b.txt")


def test_the_cache_of_keras_is_used_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert get_file(origin=origin(tmp_path, "a", CONTENT)) == str(tmp_path / "home/datasets/a")


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_sums_are_checked(tmp_path: Path, folder: Path, algorithm: str) -> None:
    url, digest = origin(tmp_path, "a", CONTENT), hashlib.new(algorithm, CONTENT).hexdigest()
    for options in ({"file_hash": digest}, {"file_hash": digest, "hash_algorithm": algorithm}):
        assert Path(get_file(origin=url, **options)).read_bytes() == CONTENT
    if algorithm == "md5":
        get_file(origin=url, md5_hash=digest)
    (folder / "a").write_bytes(b"damaged")
    assert Path(get_file(origin=url, file_hash=digest)).read_bytes() == CONTENT  # fetched again
    origin(tmp_path, "a", b"other")
    with pytest.raises(DataError, match=algorithm) as info:
        get_file("new", url, file_hash=digest)
    assert digest in str(info.value) and "test_files.py" in str(info.value)
    assert sorted(path.name for path in folder.iterdir()) == ["a"]


FILES = {"a/1.txt": b"one", "a/b/2.txt": b"two"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.tar", tar(FILES, "w")),
        ("x.tgz", tar(FILES)),
        ("x.tar.xz", tar(FILES, "w:xz")),
        ("x.tar.bz2", tar(FILES, "w:bz2")),
        ("x.zip", zipped(FILES)),
    ],
)
@pytest.mark.parametrize(
    ("fname", "target"), [(None, "{name}"), ("photos", "photos"), ("photos.tar.gz", "photos_extracted")]
)
def test_archives(tmp_path: Path, folder: Path, name: str, content: bytes, fname: Any, target: str) -> None:
    path = Path(get_file(fname, origin(tmp_path, name, content), extract=True))
    assert path == folder / target.format(name=name)
    assert {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*.txt")} == FILES
    (path / "a/1.txt").unlink()
    (path / "mine.txt").write_text("mine")
    get_file(fname, origin(tmp_path, name, content), extract=True)
    assert (path / "a/1.txt").read_bytes() == b"one" and (path / "mine.txt").read_text() == "mine"
    assert len(list(folder.iterdir())) == 2


def test_links_become_copies_and_untar_takes_tars_only(tmp_path: Path) -> None:
    linked = tar({"a/1.txt": b"one", "a/2.txt": ("link", "1.txt"), "3.txt": ("hard", "a/1.txt")})
    path = Path(get_file("p", origin(tmp_path, "x.tgz", linked), untar=True))
    found = [path / name for name in ("a/1.txt", "a/2.txt", "3.txt")]
    assert [p.read_bytes() for p in found] == [b"one"] * 3 and not any(p.is_symlink() for p in found)
    with pytest.raises(DataError, match="no archive"):
        get_file("q", origin(tmp_path, "x.zip", zipped(FILES)), untar=True)


NOISE = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(40))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("outside", tar({"ok": b"", "../evil": b"x"})),
        ("outside", tar({"/evil": b"x"})),
        ("outside", tar({"a/../../evil": b"x"})),
        ("outside", tar({"..\\evil": b"x"})),
        ("outside", zipped({"ok": b"", "../evil": b"x"})),
        ("outside", zipped({"C:/evil": b"x"})),
        ("links", tar({"a": ("link", "/etc/passwd")})),
        ("links", tar({"a": ("link", "../../web/x")})),
        ("links", tar({"a": ("hard", "/etc/passwd")})),
        ("device", tar({"a": None})),
        ("room", tar({"a": b"x" * 3000})),
        ("room", tar({"a": b"x" * 900, "b": ("link", "a"), "c": ("hard", "a")})),
        ("room", zipped({"a": b"x" * 3000})),
        ("damaged", tar({"a": NOISE})[:700]),
        ("damaged", zipped({"a": NOISE}).replace(NOISE[100:110], bytes(10))),
        ("no archive", b"nothing of the kind"),
    ],
)
def test_archives_that_are_refused_leave_nothing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, content: bytes
) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 4000}))
    kept = folder / "p" / "kept.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    with pytest.raises(DataError, match=text):
        get_file("p", origin(tmp_path, "x", content), extract=True)
    assert sorted(path.name for path in folder.iterdir()) == ["p", "p_archive"]
    assert [path.name for path in (folder / "p").iterdir()] == ["kept.txt"]
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (ArgumentError, {"origin": None}),
        (ArgumentError, {"origin": "https://host/"}),
        (ArgumentError, {"fname": "a/b"}),
        (ArgumentError, {"fname": ".."}),
        (ArgumentError, {"file_hash": "12"}),
        (ArgumentError, {"file_hash": "0" * 32, "hash_algorithm": "sha256"}),
        (ArgumentError, {"hash_algorithm": "crc"}),
        (ArgumentError, {"archive_format": "rar", "extract": True}),
        (FileError, {"origin": "http://127.0.0.1:9/a"}),
        (FileError, {"origin": "nonsense"}),
        (FileError, {"origin": "file:///no/such/file"}),
    ],
)
def test_what_cannot_be_fetched(tmp_path: Path, folder: Path, error: type[Exception], options: dict[str, Any]) -> None:
    with pytest.raises(error) as info:
        get_file(**{"origin": "http://127.0.0.1:9/name"} | options)
    assert "test_files.py" in str(info.value)
    assert not folder.exists() or not list(folder.iterdir())


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    make: Callable[[], str] = lambda: get_file(origin=origin(tmp_path, "a", CONTENT), cache_dir=tmp_path / "file")  # noqa: E731
    with pytest.raises(FileError, match="Not a directory"):
        make()
