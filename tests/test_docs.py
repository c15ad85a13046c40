"""The excerpts in the documentation are what the program really writes."""

from __future__ import annotations

import os
import re
import runpy
from pathlib import Path

import pytest

from graphc import utils
from tests.support import names_table, operations_table

ROOT = Path(__file__).parent.parent
EXCERPT = re.compile(r"```text from=(\S+)\n(.*?)```", re.S)


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dump of the training step of `examples/look_inside.py`."""
    folder = tmp_path_factory.mktemp("dump")
    before = dict(os.environ)
    utils.clear_session()  # names of layers count from the start, whatever ran before
    os.environ.update(GRAPHC_DUMP=str(folder), GRAPHC_BACKEND="cpu")
    try:
        runpy.run_path(str(ROOT / "examples" / "look_inside.py"))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return folder / "program_001"


def excerpts() -> list[tuple[str, str]]:
    return EXCERPT.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "text"), excerpts(), ids=[name for name, _ in excerpts()])
def test_excerpts_are_in_the_dump_in_order(name: str, text: str, dumped: Path) -> None:
    (path,) = dumped.glob(name)
    written = iter(path.read_text(encoding="utf-8").splitlines())
    for line in text.splitlines():
        if line != "...":
            assert any(found.startswith(line) for found in written), f"{name} lacks, or has elsewhere: {line}"


def test_the_table_of_operations_is_current() -> None:
    written = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert written == operations_table.page(), "python -m tests.support.operations_table > docs/operations.md"


def test_the_names_of_keras_are_current() -> None:
    assert names_table.PAGE.read_text(encoding="utf-8") == names_table.page(), "python -m tests.support.names_table"


def test_no_file_of_the_package_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "graphc").rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > 600}


def test_the_readme_opens_with_the_two_commands() -> None:
    commands = [line.strip() for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("    ")][:2]
    assert commands == ["pip install . && graphc demo", "pip install '.[test]' && python -m pytest"]
    assert commands[1] in (ROOT / ".ci" / "run").read_text().replace("--quiet ", "")
