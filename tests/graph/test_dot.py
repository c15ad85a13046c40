"""The Graphviz form."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from graphc.graph.core import Graph
from graphc.graph.dot import quoted
from tests.support.samples import AWKWARD, awkward, recurrence, training_step

STATEMENT = re.compile(r"n\d+ \[.*\];|n\d+ -> n\d+;|subgraph cluster_\d+ \{|label=\".*\"; style=.*;|\}|[a-z]+.*;")


@pytest.mark.parametrize("make", [training_step, recurrence, awkward, Graph])
def test_every_line_is_a_statement(make: type[Graph]) -> None:
    lines = make().to_dot().splitlines()
    assert lines[0] == "digraph graphc {"
    assert lines[-1] == "}"
    assert all(STATEMENT.fullmatch(line.strip()) for line in lines[1:])


def test_texts_are_quoted() -> None:
    for name in AWKWARD:
        body = quoted(name)[1:-1]
        # Without escaped characters no quote and no lone backslash is left.
        assert not re.search(r'["\\]', re.sub(r'\\["\\n]', "", body))
        assert body.isprintable()


def test_layers_are_clusters() -> None:
    text = training_step().to_dot()
    assert text.count("subgraph cluster_") == 4
    assert 'label="dense"' in text
    assert 'label="sequential"' in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("make", [training_step, recurrence, awkward])
def test_graphviz_takes_it(make: type[Graph]) -> None:
    done = subprocess.run(["dot", "-Tplain"], input=make().to_dot().encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
