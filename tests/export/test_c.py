"""Models as C99: what the C program computes is what `predict` returns."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from benchmarks.workloads import WORKLOADS
from graphc import layers
from graphc.runtime.cpu import toolchain
from tests.support.c_programs import CHECKS, LIBRARY, Program, succeed

Array = np.ndarray[Any, Any]
BOUND = 5


def settled(model: Any) -> Any:
    """The model with weights that make every layer matter."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if np.issubdtype(np.dtype(weight.dtype), np.floating):
            around = 1.0 if "variance" in weight.path or "gamma" in weight.path else 0.0
            spread = 0.2 if around or weight.ndim == 1 else 1.5 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(around + rng.uniform(-spread, spread, weight.shape))
    return model


def images(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(-1, 1, (BOUND, *shape)).astype(np.float32)


def words(length: int, count: int) -> Array:
    return np.random.default_rng(0).integers(0, count, (BOUND, length)).astype(np.int32)


def mlp() -> Any:
    relu = layers.Dense(37, activation="relu")
    return graphc.Sequential([graphc.Input((50,)), relu, layers.Dense(16, "tanh"), layers.Dense(10, "softmax")])


def convnet() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((12, 12, 3)),
            layers.Conv2D(17, 3, activation="relu", padding="same"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.Conv2D(8, 1, activation="gelu"),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )


def residual() -> Any:
    x = inputs = graphc.Input((8, 8, 3))
    for filters, strides in ((8, 1), (8, 1), (16, 2)):
        y = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
        x = layers.Conv2D(filters, 1, strides, use_bias=False)(x) if filters != x.shape[-1] else x
        x = layers.ReLU()(layers.Add()([layers.BatchNormalization()(y), x]))
    return graphc.Model(inputs, layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x)))


def lstm() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((9,), dtype="int32"),
            layers.Embedding(30, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(12, return_sequences=True)),
            layers.GRU(7),
            layers.Dense(3),
        ]
    )


def transformer() -> Any:
    x = inputs = graphc.Input((10,), dtype="int32")
    x = layers.Embedding(20, 24)(x)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(3, 8)(y, y, use_causal_mask=True)])
        y = layers.Dense(48, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(24)(y)])
    return graphc.Model(inputs, layers.Dense(20)(layers.LayerNormalization()(x)))


SMALL: dict[str, tuple[Callable[[], Any], Array]] = {
    "mlp": (mlp, images(50)),
    "convnet": (convnet, images(12, 12, 3)),
    "residual": (residual, images(8, 8, 3)),
    "lstm": (lstm, words(9, 30)),
    "transformer": (transformer, words(10, 20)),
}


@pytest.fixture(autouse=True)
def _reproducible() -> None:
    graphc.utils.set_random_seed(0)


@pytest.mark.parametrize("kind", SMALL)
def test_small_models_are_equal_to_predict(kind: str, tmp_path: Path) -> None:
    build, x = SMALL[kind]
    model = settled(build())
    program = Program(model, tmp_path, max_batch=BOUND)
    for flags in (("-O2",), CHECKS):
        program.check(model, program.build(*flags), x, batches=(1, 3, BOUND))
    assert program.needs() <= LIBRARY


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORKLOADS)
def test_workloads_are_equal_to_predict(kind: str, tmp_path: Path) -> None:
    workload = WORKLOADS[kind]
    model = settled(workload.build(graphc))
    x, _ = workload.data(BOUND)
    program = Program(model, tmp_path, max_batch=BOUND)
    for flags in (("-O2",), ("-O3", "-march=native"), CHECKS):
        program.check(model, program.build(*flags), x, batches=(1, 3, BOUND), within=1e-5)
    assert program.needs() <= LIBRARY


def other_compilers() -> dict[str, list[str]]:
    """Compilers that are on this machine beside the one of the configuration, and how they are called."""
    found = {name: [path] for name in ("clang", "tcc") if (path := shutil.which(name)) is not None}
    if importlib.util.find_spec("ziglang") is not None:
        found["zig"] = [sys.executable, "-m", "ziglang", "cc"]
    return found


@pytest.mark.parametrize(("kind", "compiler"), [(kind, name) for name in other_compilers() for kind in SMALL])
def test_other_compilers(kind: str, compiler: str, tmp_path: Path) -> None:
    build, x = SMALL[kind]
    model = settled(build())
    program = Program(model, tmp_path, max_batch=BOUND)
    program.check(model, program.build("-O2", compiler=other_compilers()[compiler]), x, batches=(1, BOUND))


def test_larger_batches_than_the_bound_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = settled(mlp())
    program = Program(model, tmp_path, max_batch=2)
    built = program.build(*CHECKS)
    with pytest.raises(AssertionError, match=r"\(11, "):
        program.run(built, images(50)[:3])
    assert program.run(built, images(50)[:0])[0].size == 0
    program.check(model, built, images(50), batches=(2,))


def test_calls_do_not_depend_on_what_the_arena_holds(tmp_path: Path) -> None:
    model = settled(transformer())
    program = Program(model, tmp_path, max_batch=3)
    built, x = program.build("-O2"), words(10, 20)[:3]
    np.testing.assert_array_equal(program.run(built, x)[0], program.run(built, x, times=3)[0])


def test_weights_may_be_in_a_file(tmp_path: Path) -> None:
    model = settled(mlp())
    program = Program(model, tmp_path, max_batch=3, weights="file")
    assert "gc_constant" not in program.source
    built = program.build(*CHECKS)
    program.check(model, built, images(50), batches=(1, 3))
    file = tmp_path / "model_weights.bin"
    file.write_bytes(bytes(8) + file.read_bytes()[8:])  # of another program
    with pytest.raises(AssertionError, match=r"\(12, "):
        program.run(built, images(50)[:1])


def test_a_cpp_compiler_takes_the_header(tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    Program(settled(mlp()), tmp_path, weights="file")
    call = "model_predict(nullptr, MODEL_MAX_BATCH + 1, nullptr, nullptr, nullptr) - MODEL_ERROR_BATCH"
    (tmp_path / "use.cpp").write_text(f'#include "model.h"\nint main() {{ return {call}; }}\n')
    strict = ("-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic")
    object, used = tmp_path / "model.o", tmp_path / "used"
    succeed([*toolchain.find().command, "-std=c99", "-fno-sanitize=all", "-c", tmp_path / "model.c", "-o", object])
    succeed([compiler, *strict, tmp_path / "use.cpp", object, "-o", used, "-lm"])
    succeed([used])
