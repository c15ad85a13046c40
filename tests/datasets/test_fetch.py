"""Finding a file: the order of the places, and that nothing but the right bytes gets through."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from dataset_helpers import Server

from graphc.datasets import fetch as module
from graphc.datasets.fetch import Found, Resource, fetch
from graphc.errors import CacheWarning, DataError, FileError
from graphc.utils import downloads

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT, mtime=0)


def resource(server: Server) -> Resource:
    return Resource("data.gz", server.url + "data.gz", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), packed=True)


def test_a_download_is_kept(server: Server, cache_folder: Path) -> None:
    server.files["data.gz"] = PACKED
    wanted = resource(server)
    assert fetch(wanted, group="g") == Found(CONTENT, f"download from {wanted.url}")
    assert (cache_folder / "g/data.gz").read_bytes() == PACKED
    assert fetch(wanted, group="g") == Found(CONTENT, f"local cache {cache_folder / 'g'}")
    assert server.asked == ["/data.gz"]
    assert os.listdir(cache_folder / "g") == ["data.gz"]


def test_packing_does_not_matter_and_content_does(server: Server) -> None:
    server.files["data.gz"] = gzip.compress(CONTENT, compresslevel=1, mtime=12345)
    assert fetch(resource(server), group="g").content == CONTENT


def test_without_packing(server: Server) -> None:
    server.files["data.gz"] = CONTENT
    assert fetch(replace(resource(server), packed=False), group=".").content == CONTENT


def test_without_a_length(server: Server) -> None:
    server.files["data.gz"] = PACKED
    server.fault = "no length"
    assert fetch(resource(server), group="g").content == CONTENT


def test_what_is_installed_needs_no_network(server: Server, tmp_path: Path, cache_folder: Path) -> None:
    (tmp_path / "data.gz").write_bytes(PACKED)
    found = fetch(resource(server), group="g", installed=tmp_path, download=False)
    assert found == Found(CONTENT, f"installed in {tmp_path}")
    assert server.asked == []
    assert not cache_folder.exists()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    "not packed": lambda data: CONTENT,
    "another": lambda data: gzip.compress(b"x" * len(CONTENT)),
    "longer": lambda data: gzip.compress(CONTENT + b"x"),
    "bomb": lambda data: gzip.compress(b"\0" * 50_000_000),
    "huge": lambda data: data + bytes(200_000),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_fetched_again(server: Server, cache_folder: Path, change: Callable[[bytes], bytes]) -> None:
    server.files["data.gz"] = PACKED
    (cache_folder / "g").mkdir(parents=True)
    kept = cache_folder / "g/data.gz"
    kept.write_bytes(change(PACKED))
    assert fetch(resource(server), group="g").source.startswith("download")
    assert kept.read_bytes() == PACKED


def test_a_damaged_installation_is_passed_over(server: Server, tmp_path: Path) -> None:
    server.files["data.gz"] = PACKED
    (tmp_path / "data.gz").write_bytes(PACKED[:-20])
    assert fetch(resource(server), group="g", installed=tmp_path).source.startswith("download")


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_download_is_an_error(server: Server, cache_folder: Path, change: Callable[[bytes], bytes]) -> None:
    server.files["data.gz"] = change(PACKED)
    with pytest.raises((DataError, FileError)) as caught:
        fetch(resource(server), group="g")
    assert server.url in str(caught.value)
    assert "data.gz" in str(caught.value)
    assert not cache_folder.exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [("cut", "ended after"), ("silent", "timed out"), ("stalls", "timed out"), ("drips", "bytes came")],
)
def test_a_bad_line_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch, cache_folder: Path, fault: str, said: str
) -> None:
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "WHOLE_SECONDS", 0.2)
    monkeypatch.setattr(downloads, "_CHUNK", 1)
    server.files["data.gz"] = PACKED
    server.fault = fault
    with pytest.raises(FileError, match="could not be downloaded") as caught:
        fetch(resource(server), group="g")
    assert said in str(caught.value)
    assert not cache_folder.exists()


def test_a_missing_file_or_server_is_an_error(server: Server, cache_folder: Path) -> None:
    with pytest.raises(FileError, match="404") as caught:
        fetch(resource(server), group="g")
    assert str(cache_folder / "g/data.gz") in str(caught.value)
    nobody = replace(resource(server), url="http://127.0.0.1:9/data.gz")
    with pytest.raises(FileError, match="could not be downloaded"):
        fetch(nobody, group="g")
    with pytest.raises(FileError, match="could not be downloaded"):
        fetch(replace(nobody, url="nonsense"), group="g")


def test_the_network_is_not_asked_when_it_may_not(server: Server) -> None:
    server.files["data.gz"] = PACKED
    with pytest.raises(FileError, match="not on this machine"):
        fetch(resource(server), group="g", download=False)
    assert server.asked == []


def test_a_full_disk_loses_no_data(server: Server, cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["data.gz"] = PACKED

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(CacheWarning, match="No space left"):
        assert fetch(resource(server), group="g").content == CONTENT
    assert os.listdir(cache_folder / "g") == []


def test_progress_goes_to_the_error_output(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.files["data.gz"] = PACKED
    fetch(resource(server), group="g")
    out, err = capfd.readouterr()
    assert out == ""
    assert "data.gz" in err
