"""The scripts of `examples/`: each runs in a process of its own, and prints what it is there to show.

The scripts that load Fashion-MNIST get a few random pictures instead; the slow tests run them on the real ones. The
programs that say how good their models are run in the slow tests only.
"""

from __future__ import annotations

import ast
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


# What a program says of its model's quality, and between which numbers that is for any seed and number of threads.
QUALITY: dict[str, dict[str, tuple[float, float]]] = {
    "actor_critic.py": {r"round 20: (\d+)": (15, 500), r"steps of a test episode: (\d+)": (300, 500)},
    "autoencoder.py": {r"ROC curve: (\S+)": (0.9, 1), r"noise: mean squared error \S+ -> (\S+)": (0, 0.03)},
    "char_gpt.py": {r"test: (\S+) bits per character": (1.5, 2.9), r"single characters: (\S+) bits": (4, 5)},
    "custom_parts.py": {r"test accuracy: ([\d.]+)": (0.9, 1), r"among the two best: (\S+)": (0.94, 1)},
    "deploy_onnx.py": {r"ONNX Runtime: (\S+)": (0.83, 1), r"largest difference: (\S+)": (0, 1e-5)},
    "estimators.py": {
        r"accuracy of LinearClassifier: (\S+)": (0.92, 1),
        r"accuracy of DNNClassifier: (\S+)": (0.92, 1),
        r"R2 on the test: (\S+)": (0.4, 0.6),
    },
    "forecasting.py": {r"relative to the baseline: (\S+)": (0, 0.3)},
    "image_classification.py": {r"test accuracy: (\S+)": (0.86, 1), r"Trouser +(\S+) ": (0.95, 1)},
    "imbalanced.py": {
        r"ROC curve: (\S+)": (0.96, 1),
        r"class weights: .* recall (\S+) ": (0.8, 1),
        r"threshold .* recall (\S+)": (0.85, 1),
    },
    "resnet_augmentation.py": {r"test accuracy: (\S+)": (0.84, 1)},
    "resume.py": {r"epoch 1 on: accuracy (\S+)": (0.8, 1), r"from epoch ([2-9]) on": (2, 4)},
    "segmentation_unet.py": {r"mean IoU: (\S+)": (0.55, 1), r"background +IoU (\S+)": (0.9, 1)},
    "several_outputs.py": {
        r"digit accuracy: ([\d.]+)": (0.88, 1),
        r"parity accuracy: ([\d.]+)": (0.9, 1),
        r"error of ink: (\S+)": (0, 0.5),
    },
    "siamese.py": {r"same or different: (\S+)": (0.9, 1), r"nearest neighbour: (\S+)": (0.9, 1)},
    "text_lstm.py": {r"test accuracy: (\S+)": (0.6, 1), r"raw strings: (\S+)": (0.6, 1)},
    "text_transformer.py": {r"test accuracy: (\S+)": (0.8, 1)},
    "transfer_learning.py": {
        r"without pretraining: (\S+)": (0.3, 0.76),
        r"new head: (\S+)": (0.76, 1),
        r"fine-tuned: ([\d.]+)": (0.78, 1),
    },
    "wide_and_deep.py": {r"test R2: (\S+)": (0.35, 0.8)},
}
# What else a program says, which shows that it does what it is there for.
SAID: dict[str, str] = {
    "custom_parts.py": "the same results after loading: True",
    "resume.py": "the weights are equal to the last bit",
    "several_outputs.py": "digit_accuracy, digit_loss, ink_loss, ink_mae, loss, odd_accuracy, odd_auc, odd_loss",
    "text_transformer.py": "the loaded model predicts the same: True",
    "transfer_learning.py": "moving averages changed: False",
}
# The shapes of the pictures that programs write.
PICTURES = {"autoencoder.py": (84, 280, 1), "segmentation_unet.py": (144, 384, 1)}


def test_each_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*CHECKS, *LONG, *DRAWN, *QUALITY}
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{path.name}`" in readme for path in EXAMPLES.glob("*.py"))


def skip_without_data(name: str) -> None:
    program = (EXAMPLES / name).read_text()
    if "fashion_mnist" in program:
        try:
            fashion_mnist.load(download=False)
        except FileError:
            pytest.skip("Fashion-MNIST is not on this machine: apt install dataset-fashion-mnist")
    licences = Path("/usr/share/common-licenses")
    if str(licences) in program and not licences.exists():
        pytest.skip("the licences that Debian has in /usr/share/common-licenses are not on this machine")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUALITY)
def test_the_quality_that_a_program_reaches(name: str, tmp_path: Path) -> None:
    skip_without_data(name)
    text = output(name, folder=tmp_path, real=True)
    for pattern, (least, most) in QUALITY[name].items():
        (found,) = numbers(text, pattern)
        assert least <= found <= most, f"{pattern} is {found} in:\n{text}"
    assert SAID.get(name, "") in text
    if name in PICTURES:
        pixels = read_png(tmp_path / name.replace(".py", ".png"))
        assert pixels.shape == PICTURES[name]
        assert np.ptp(pixels) == 255


@pytest.mark.parametrize("name", QUALITY)
def test_the_first_lines_of_a_program_say_what_it_is(name: str) -> None:
    documentation = ast.get_docstring(ast.parse((EXAMPLES / name).read_text())) or ""
    for part in ("Data: ", "Prints ", "Takes about ", f"Run: `python examples/{name}`."):
        assert part in documentation


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
    skip_without_data(name)
    (photographs, _), _ = fashion_mnist.load(download=False).split
    text = output(name, folder=tmp_path, real=True)
    for loss, most in DRAWN[name].items():
        assert 0 < numbers(text, rf"\b{loss}: (\S+)")[-1] < most
    drawn, real = grid(tmp_path / name.replace(".py", ".png")), photographs[:100] / 255
    # The mean image is that of clothes, neighbouring pixels are alike, and one image is not like the other.
    assert np.corrcoef(drawn.mean(0).ravel(), real.mean(0).ravel())[0, 1] > 0.85
    assert np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1] > 0.7
    assert drawn.std(0).mean() > 0.5 * real.std(0).mean()
