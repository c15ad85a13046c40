"""Initializers, regularizers and constraints beside Keras: values, configurations, names, arguments and errors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import CallError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3)).astype("float32")
HANN = np.hanning(6)
RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {"mean": 1.0, "stddev": 0.5, "seed": 3}),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 0.5, "seed": 3}),
    ("RandomUniform", {"minval": 1.0, "maxval": 2.0, "seed": 3}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform", "seed": 3, "input_axes": [0]}),
    ("VarianceScaling", {"distribution": "normal"}),
    ("GlorotUniform", {"seed": 1, "input_axes": [0], "output_axes": [1]}),
    *((name, {"seed": 2}) for name in ("GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")),
    ("Orthogonal", {"gain": 2.0, "seed": 4}),
]
KNOWN: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("Constant", {"value": 3}, (2, 3)),
    ("Zeros", {}, (2,)),
    ("Ones", {}, (2,)),
    ("Identity", {"gain": 2.0}, (3, 2)),
    *(("STFT", {"window": w, "periodic": p}, (7, 1, 5)) for w in ("hann", "hamming", None) for p in (False, True)),
    *(("STFT", {"side": "imag", "scaling": s}, (8, 1, 5)) for s in ("density", "spectrum", None)),
    *(
        ("STFT", {"window": w}, (6, 1, 4))
        for w in ("blackman", "nuttall", "blackmanharris", "flattop", "boxcar", "bartlett", "bohman", "barthann")
    ),
    *(
        ("STFT", {"window": w, "periodic": n == 7}, (n, 1, 4))
        for w in ("cosine", "exponential", "parzen", "triang", "tukey")
        for n in (6, 7, 9)
    ),
    ("STFT", {"window": "lanczos", "side": "imag"}, (1, 1, 4)),
]
REGULARIZERS = [
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {"l1": 0.1, "l2": 0.4}),
    ("OrthogonalRegularizer", {"factor": 0.2, "mode": "rows"}),
]
CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {"max_value": 0.7, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("MinMaxNorm", {"min_value": 0.3, "max_value": 0.5, "rate": 0.7, "axis": 1}),
]
PARTS = [
    *(("initializers", name, arguments) for name, arguments in RANDOM),
    *(("initializers", name, arguments) for name, arguments, _ in KNOWN),
    *(("regularizers", name, arguments) for name, arguments in REGULARIZERS),
    *(("constraints", name, arguments) for name, arguments in CONSTRAINTS),
]


def _made(module: str, name: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
    return tuple(getattr(getattr(k, module), name)(**arguments) for k in (graphc, keras))  # type: ignore[return-value]


@pytest.mark.parametrize(("module", "name", "arguments"), PARTS, ids=[f"{p[1]}-{i}" for i, p in enumerate(PARTS)])
def test_configurations(module: str, name: str, arguments: dict[str, Any]) -> None:
    mine, theirs = _made(module, name, arguments)
    # Keras loses the factor of an identity, and rounds those of regularizers to float32.
    wanted = theirs.get_config() if name != "Identity" else arguments
    assert mine.get_config() == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in wanted.items()}
    package = getattr(graphc, module)
    written, theirs_written = package.serialize(mine), getattr(keras, module).serialize(theirs)
    assert {**written, "config": None} == {**theirs_written, "config": None}
    again = package.deserialize(package.serialize(mine))
    assert type(again) is type(mine) and again.get_config() == mine.get_config()
    in_order = type(mine)(*arguments.values()) if list(arguments) == list(mine.get_config()) else mine
    assert in_order.get_config() == mine.get_config()
    with pytest.raises((CallError, TypeError)):
        type(mine)(**arguments, nonsense=1)


@pytest.mark.parametrize(("name", "arguments", "shape"), KNOWN)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_known_values(name: str, arguments: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    mine, theirs = (np.asarray(made(shape, dtype)) for made in _made("initializers", name, arguments))
    assert mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine.astype("f4"), theirs.astype("f4"), atol=1e-5 if dtype == "float32" else 6e-3)


def test_windows_as_tensors() -> None:
    mine, theirs = (k.initializers.STFT("real", HANN, "spectrum")((6, 1, 4)) for k in (graphc, keras))
    np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), atol=1e-5)
    made = graphc.initializers.STFT(window=HANN)
    assert np.array_equal(made.clone().window, HANN)
    assert made((6, 3, 4)).shape == (6, 3, 4)


@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS)
def test_regularizers(name: str, arguments: dict[str, Any]) -> None:
    mine, theirs = _made("regularizers", name, arguments)
    np.testing.assert_allclose(np.asarray(mine(W)), np.asarray(theirs(W)), rtol=1e-5)


@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS)
def test_constraints(name: str, arguments: dict[str, Any]) -> None:
    mine, theirs = _made("constraints", name, arguments)
    assert graphc.constraints.Constraint()(W) is W and graphc.regularizers.Regularizer()(W) == 0.0
    np.testing.assert_allclose(np.asarray(mine(W)), np.asarray(theirs(W)), rtol=1e-5)


@pytest.mark.parametrize("module", ["initializers", "regularizers", "constraints"])
def test_names(module: str) -> None:
    for name in getattr(keras.src, module).ALL_OBJECTS_DICT:
        if name.lower() in ("initializer", "regularizer", "constraint"):
            continue
        try:
            theirs = getattr(keras, module).get(name)
        except KeyError:  # a constant without a value
            continue
        assert type(getattr(graphc, module).get(name)).__name__ == type(theirs).__name__, name


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("initializers", "STFT", {"side": "left"}),
        ("initializers", "STFT", {"window": "house"}),
        ("initializers", "STFT", {"scaling": "power"}),
        ("initializers", "VarianceScaling", {"scale": 0}),
        ("initializers", "VarianceScaling", {"mode": "fan"}),
        ("initializers", "VarianceScaling", {"distribution": "wide"}),
        ("initializers", "RandomNormal", {"seed": "one"}),
        ("regularizers", "L1", {"l1": -1.0}),
        ("regularizers", "L2", {"l2": float("nan")}),
        ("regularizers", "L1L2", {"l2": float("inf")}),
        ("regularizers", "OrthogonalRegularizer", {"mode": "diagonal"}),
    ],
)
def test_bad_arguments(module: str, name: str, arguments: dict[str, Any]) -> None:
    for library in (graphc, keras):
        with pytest.raises(ValueError):
            getattr(getattr(library, module), name)(**arguments)
