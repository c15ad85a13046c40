"""Models as ONNX files, beside `predict`: batches of several sizes in one file, the oldest and the newest operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.workloads import WORKLOADS
from graphc import layers, tree
from tests.export.onnx_models import MODELS, any_length, encoder_decoder, gpt, randomized, unet
from tests.export.onnx_runtime import NEWEST, OLDEST, close, run, session

# Values of halves may be rounded to the next one.
TOLERANCES = {"mixed_bfloat16": 2e-2, "float16": 2e-3}


@pytest.fixture(autouse=True)
def interpreted() -> Any:
    graphc.utils.set_random_seed(0)
    with graphc.backend("numpy"):
        yield


def predicted(model: Any, arrays: list[Any]) -> list[Any]:
    """What `predict` returns, as a list."""
    structure = getattr(model, "_graph", None) and model.input
    x = arrays[0] if structure is None else tree.pack_sequence_as(structure, arrays)
    return [np.asarray(y) for y in tree.flatten(model.predict(x, verbose=0))]


def exported(model: Any, path: Path, opset: int = OLDEST, **options: Any) -> Any:
    """A session of ONNX Runtime for the exported model."""
    model.export(path, format="onnx", verbose=False, opset_version=opset, **options)
    return session(str(path))


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, tmp_path: Path) -> None:
    make, sample = MODELS[name]
    model, rng = make(), np.random.default_rng(0)
    model = model if name == "mobilenet" else randomized(model)
    sessions = [exported(model, tmp_path / f"{opset}.onnx", opset) for opset in (OLDEST, NEWEST)]
    bound = TOLERANCES.get(name, 1e-5)
    for rows in (1, 3, 7):
        arrays = sample(rng, rows)
        expected = predicted(model, arrays)
        scale = max(float(np.abs(y.astype("float64")).max(initial=1.0)) for y in expected)
        for one in sessions:
            close(run(one, arrays), expected, bound, bound * scale if name in TOLERANCES else 2e-6 * scale)


@pytest.mark.parametrize("lengths", [(4,), (7,), (13,)])
@pytest.mark.parametrize("make", [any_length, lambda: gpt(None)])
def test_lengths_in_one_file(make: Any, lengths: tuple[int], tmp_path: Path) -> None:
    model, rng = make(), np.random.default_rng(0)
    x = rng.integers(1, 11, (2, *lengths)).astype("int32")
    close(run(exported(model, tmp_path / "m.onnx"), [x]), predicted(model, [x]), 1e-5, 2e-6)


def test_two_lengths_that_differ(tmp_path: Path) -> None:
    model, rng = encoder_decoder(), np.random.default_rng(0)
    one = exported(model, tmp_path / "m.onnx")
    for lengths in ((3, 5), (5, 3), (4, 4)):
        arrays = [rng.normal(size=(2, n, k)).astype("float32") for n, k in zip(lengths, (3, 2), strict=True)]
        close(run(one, arrays), predicted(model, arrays))


def strided(*stack: Any) -> Any:
    """A model of images of any size."""
    return graphc.Sequential([graphc.Input((None, None, 2)), *stack])


SAME: dict[str, Any] = {"strides": 2, "padding": "same"}
ANY_SIZE = {
    "unet": lambda: unet(None),
    "convolutions": lambda: strided(layers.ZeroPadding2D(2), layers.Conv2D(3, 3, **SAME), layers.Conv2D(2, 1, **SAME)),
    "pools": lambda: strided(layers.MaxPooling2D(3, **SAME), layers.AveragePooling2D(2, **SAME)),
    "transposed": lambda: strided(layers.Conv2D(3, 3, **SAME), layers.Conv2DTranspose(1, 3, **SAME)),
}


def test_two_lengths_that_are_equal(tmp_path: Path) -> None:
    a, b = graphc.Input((None, 3), name="a"), graphc.Input((None, 3), name="b")
    model = graphc.Model([a, b], layers.Add()([a, b]))
    one, rng = exported(model, tmp_path / "m.onnx"), np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 5, 3)).astype("float32") for _ in range(2)]
    close(run(one, arrays), predicted(model, arrays))
    with pytest.raises(Exception, match="axis 1 is that of a"):
        run(one, [arrays[0], arrays[1][:, :1]])


@pytest.mark.parametrize("name", ANY_SIZE)
def test_images_of_several_sizes(name: str, tmp_path: Path) -> None:
    """Of all sizes that the strides divide; others are refused when the model runs, and not computed wrongly."""
    model, rng = ANY_SIZE[name](), np.random.default_rng(0)
    one = exported(model, tmp_path / "m.onnx")
    for shape in ((8, 8), (4, 12), (16, 8)):
        x = rng.normal(size=(2, *shape, 2)).astype("float32")
        close(run(one, [x]), predicted(model, [x]))
    for shape in ((8, 7), (5, 8)):
        with pytest.raises(Exception, match="multiple of"):
            run(one, [np.zeros((1, *shape, 2), "float32")])


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
def test_benchmarks(name: str, tmp_path: Path) -> None:
    workload = WORKLOADS[name]
    model, x = workload.build(graphc), np.asarray(workload.data(5)[0])
    with graphc.backend("cpu"):
        expected = predicted(model, [x])
    scale = float(np.abs(expected[0]).max())
    for opset in (OLDEST, NEWEST):
        close(run(exported(model, tmp_path / "m.onnx", opset), [x]), expected, 1e-5, 2e-6 * scale)


APPLICATIONS = {
    **dict.fromkeys(("MobileNet", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ResNet50V2"), 64),
    **{"DenseNet121": 64, "Xception": 71, "InceptionV3": 75, "NASNetMobile": 64, "ConvNeXtTiny": 64},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications(name: str, tmp_path: Path) -> None:
    side = APPLICATIONS[name]
    model = getattr(graphc.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    x = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype("float32")
    close(run(exported(model, tmp_path / "m.onnx"), [x]), predicted(model, [x]), 1e-5, 5e-6)
