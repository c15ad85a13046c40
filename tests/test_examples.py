"""The scripts of `examples/`: each runs in a process of its own, and prints what it is there to show.

The scripts that load Fashion-MNIST get a few random pictures instead; the slow tests run them on the real ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graphc.datasets import fashion_mnist
from graphc.errors import FileError
from tests.support.png import read_png

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
WITH_RANDOM_PICTURES = """
import runpy, sys
import numpy as np
from graphc.datasets import fashion_mnist
def pictures(count):
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28)).astype("uint8")
    return images, (np.arange(count) % 10).astype("uint8")
fashion_mnist.load_data = lambda: (pictures(256), pictures(64))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def output(name: str, *arguments: str, folder: Path, real: bool = False) -> str:
    """What an example prints, all warnings being errors."""
    command = [sys.executable, "-W", "error", *([] if real else ["-c", WITH_RANDOM_PICTURES])]
    done = subprocess.run(
        [*command, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GRAPHC_BACKEND": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def numbers(text: str, pattern: str) -> list[float]:
    """The numbers that a pattern's groups match, all matches one after the other, of which there must be some."""
    found = [float(group) for match in re.finditer(pattern, text) for group in match.groups()]
    assert found, f"{pattern} is not in:\n{text}"
    return found


def custom_gradient(text: str) -> None:
    assert "as it is: [0.5 1.  nan]" in text
    assert "not overflow:      [0.5 1.  1. ]" in text
    found, wanted = re.findall(r"\[[\d, ]+\]", text.splitlines()[-1])
    assert found == wanted == "[0, 3, 4, 8]"


def custom_train_step(text: str) -> None:
    first, last = numbers(text, r"loss +([\d.]+) -> ([\d.]+)")
    assert last < 0.05 < 0.1 < first
    first, last = numbers(text, r"sharpness +([\d.]+) -> ([\d.]+)")
    assert 0 < last < first
    assert numbers(text, r"programs compiled: (\d+)") == [1]


def first_model(text: str) -> None:
    assert "Total params: 101,770" in text
    assert "Epoch 5/5" in text
    assert text.splitlines()[-1].endswith("labels: [0 1 2 3 4]")


def look_inside(text: str) -> None:
    assert numbers(text, r"contractions: (\d+)")[0] >= 5  # two forward, three backward
    assert "compilations" in text


def low_level(text: str) -> None:
    ways = re.findall(r"^(by hand|tape|function|loop) +w = (.*), loss = (\S+)$", text, re.M)
    assert [way for way, _, _ in ways] == ["by hand", "tape", "function", "loop"]
    assert {weights for _, weights, _ in ways} == {"[1.0, -2.0, 0.5], b = 0.700"}
    assert all(float(loss) < 1e-6 for _, _, loss in ways)
    first, last = numbers(text, r"losses from (\S+) to (\S+)")
    assert last < 1e-6 < 1 < first


def maml(text: str) -> None:
    first, last = numbers(text, r"not seen: ([\d.]+) -> ([\d.]+)")
    assert last < 0.5 * first
    none, one, five = numbers(text, r"200 new waves, \d steps: ([\d.]+)")
    assert five < one < 0.7 * none


def own_primitive(text: str) -> None:
    first, last = numbers(text, r"loss ([\d.]+) -> ([\d.]+)")
    assert last < first
    assert text.splitlines()[-1] == "kernels of a prediction: 2"


def own_rnn(text: str) -> None:
    first, last = numbers(text, r"error ([\d.]+) -> ([\d.]+)")
    assert last < 0.05 < first


CHECKS: dict[str, Callable[[str], None]] = {
    f"{check.__name__}.py": check
    for check in (custom_gradient, custom_train_step, first_model, look_inside, low_level, own_primitive, own_rnn)
}
LONG: dict[str, Callable[[str], None]] = {"maml.py": maml}
# The name of each loss, and below what it is after the epochs that the script trains by itself.
DRAWN = {"gan.py": {"d_loss": 1.6, "g_loss": 2.0}, "vae.py": {"loss": 260, "reconstruction_loss": 250, "kl_loss": 20}}


def test_each_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*CHECKS, *LONG, *DRAWN}
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", [*CHECKS, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)])
def test_what_an_example_prints(name: str, tmp_path: Path) -> None:
    (CHECKS | LONG)[name](output(name, folder=tmp_path))


def grid(path: Path) -> NDArray[np.float64]:
    """The hundred images of a picture of 10 x 10, all with pixels from 0 to 1."""
    pixels = read_png(path)
    assert pixels.shape == (280, 280, 1)
    return pixels.reshape(10, 28, 10, 28).transpose(0, 2, 1, 3).reshape(100, 28, 28) / 255


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_drawn(name: str, tmp_path: Path) -> None:
    text = output(name, "drawn.png", "1", folder=tmp_path)
    for loss in DRAWN[name]:
        assert np.isfinite(numbers(text, rf"\b{loss}: (\S+)")).all()
    assert text.splitlines()[-1].endswith("drawn.png")
    assert np.ptp(grid(tmp_path / "drawn.png")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_looks_like_clothes(name: str, tmp_path: Path) -> None:
    try:
        (photographs, _), _ = fashion_mnist.load(download=False).split
    except FileError:
        pytest.skip("Fashion-MNIST is not on this machine: apt install dataset-fashion-mnist")
    text = output(name, folder=tmp_path, real=True)
    for loss, most in DRAWN[name].items():
        assert 0 < numbers(text, rf"\b{loss}: (\S+)")[-1] < most
    drawn, real = grid(tmp_path / name.replace(".py", ".png")), photographs[:100] / 255
    # The mean image is that of clothes, neighbouring pixels are alike, and one image is not like the other.
    assert np.corrcoef(drawn.mean(0).ravel(), real.mean(0).ravel())[0, 1] > 0.85
    assert np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1] > 0.7
    assert drawn.std(0).mean() > 0.5 * real.std(0).mean()
