"""The interface of exported C: arguments, states, dtypes, names, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers
from graphc.errors import ArgumentError, BackendError, FileError, ShapeError, StateError, UnsupportedError
from graphc.export.c.weights import array_text
from graphc.runtime.cpu import toolchain
from tests.support.c_programs import CHECKS, Program, succeed
from tests.support.portable import STRICT

BOUND = 3


def sequential(*parts: Any) -> Any:
    return graphc.Sequential([graphc.Input((4,)), *parts])


def test_several_inputs_and_outputs_of_several_dtypes(tmp_path: Path) -> None:
    a, b = graphc.Input((6,), name="a"), graphc.Input((2, 3), dtype="int32", name="b")
    rows = layers.Embedding(7, 6)(b)
    mixed = layers.Add()([a, graphc.ops.mean(rows, axis=(1, 2))])
    best = graphc.ops.argmax(mixed, axis=-1)
    model = graphc.Model([a, b], [mixed, best, mixed > 0.0])
    program = Program(model, tmp_path, max_batch=BOUND)
    rng = np.random.default_rng(0)
    given = rng.normal(size=(BOUND, 6)).astype(np.float32), rng.integers(0, 7, (BOUND, 2, 3)).astype(np.int32)
    program.check(model, program.build(*CHECKS), *given, batches=(1, BOUND))
    assert "const float *x0, const int *x1, size_t batch, float *y0, int *y1, unsigned char *y2" in program.header


def test_the_same_result_twice_and_an_input_as_a_result(tmp_path: Path) -> None:
    x = graphc.Input((4,))
    y = layers.Dense(3)(x)
    model = graphc.Model(x, [y, y, x])
    program = Program(model, tmp_path, max_batch=BOUND)
    given = np.random.default_rng(0).normal(size=(BOUND, 4)).astype(np.float32)
    program.check(model, program.build(*CHECKS), given, batches=(1, BOUND))


def test_an_input_that_is_not_read(tmp_path: Path) -> None:
    x, unused = graphc.Input((4,)), graphc.Input((5,))
    model = graphc.Model([x, unused], layers.Dense(3)(x))
    program = Program(model, tmp_path, max_batch=BOUND)
    given = [np.ones((BOUND, size), np.float32) for size in (4, 5)]
    program.check(model, program.build(*CHECKS), *given, batches=(BOUND,))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtype_policies(policy: str, tmp_path: Path) -> None:
    kinds = [
        layers.Dense(9, "gelu", dtype=policy),
        layers.Dense(3, dtype=policy),
        layers.Activation("softmax", dtype="float32"),
    ]
    model = sequential(*kinds)
    program = Program(model, tmp_path, max_batch=BOUND)
    given = np.random.default_rng(0).normal(size=(BOUND, 4)).astype(np.float32)
    within = {"mixed_float16": 2e-3, "mixed_bfloat16": 2e-2, "float64": 1e-5}[policy]
    program.check(model, program.build(*CHECKS), given, batches=(1, BOUND), within=within)


@pytest.mark.parametrize("cell", [layers.LSTM, layers.GRU])
def test_states_are_kept_by_the_caller(cell: Any, tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((4, 5), batch_size=2), cell(6, stateful=True)])
    program = Program(model, tmp_path)
    built = program.build(*CHECKS)
    x = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    with graphc.backend("numpy"):
        for times in (1, 2, 3):
            expected = model.predict(x, batch_size=2, verbose=0)
            np.testing.assert_allclose(program.run(built, x, times=times)[0], expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(AssertionError, match=r"\(11, "):  # another number of samples than there are states of
        program.run(built, x[:1])


def test_random_numbers_continue_from_the_state_in_which_the_model_was_exported(tmp_path: Path) -> None:
    class Noise(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seed = graphc.random.SeedGenerator(3)

        def call(self, x: Any) -> Any:
            return x + graphc.random.normal((4,), seed=self.seed)

    model = sequential(Noise())
    program = Program(model, tmp_path)
    built, x = program.build(*CHECKS), np.zeros((2, 4), np.float32)
    with graphc.backend("numpy"):
        for times in (1, 2):
            np.testing.assert_allclose(program.run(built, x, times=times)[0], model.predict(x, verbose=0), atol=1e-6)


def test_loops_and_branches_depend_on_the_data(tmp_path: Path) -> None:
    class Halved(layers.Layer):
        def call(self, x: Any) -> Any:
            small = graphc.ops.while_loop(lambda y: graphc.ops.max(graphc.ops.abs(y)) > 1.0, lambda y: (y / 2,), (x,))[
                0
            ]
            return graphc.ops.cond(graphc.ops.sum(small) > 0.0, lambda: small + 1.0, lambda: small - 1.0)

    model = sequential(Halved())
    program = Program(model, tmp_path)
    built = program.build(*CHECKS)
    for scale in (0.1, 3.0, -50.0):
        program.check(model, built, np.full((2, 4), scale, np.float32), batches=(1, 2))


def test_subclasses_with_a_signature(tmp_path: Path) -> None:
    class Own(graphc.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    with pytest.raises(StateError, match="not known what the model takes"):
        Own().export(tmp_path / "own.c", format="c")
    Own().export(tmp_path / "own.c", format="c", input_signature=[graphc.InputSpec(shape=(None, 3))])
    called = Own()
    called(np.ones((1, 3), np.float32))
    called.export(tmp_path / "called", format="c")
    for name in ("own", "called"):
        assert (
            f"int {name}_predict(const float *x, size_t batch, float *y, {name}_arena *arena);"
            in (tmp_path / f"{name}.h").read_text()
        )


def test_users_names_stay_in_comments(tmp_path: Path) -> None:
    evil = "*\\ int x; ??\n #error \u202e"
    model = graphc.Sequential([graphc.Input((4,), name=evil), layers.Dense(2, name=evil + "2")])
    program = Program(model, tmp_path)
    program.build("-O0", "-Wcomment", "-trigraphs")
    assert "error" not in program.source
    described = [line for line in program.header.splitlines() if "[batch" in line]
    assert described and all(
        re.fullmatch(r" +[xy]\[[^\]]*\]  float32  \([\w .,:()\[\]-]*\)", line) for line in described
    )


@pytest.mark.parametrize("name", ["", "2nd", "a-b", "a b", "int x; int", "ä", "_a"])
def test_names_that_c_does_not_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot be named so in C"):
        sequential(layers.Dense(2)).export(tmp_path / "model.c", format="c", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["plain", "stateful", "file"])
def test_the_example_in_the_header_compiles_and_runs(kind: str, tmp_path: Path) -> None:
    stateful = [graphc.Input((3, 4), batch_size=2), layers.LSTM(2, stateful=True)]
    model = graphc.Sequential(stateful) if kind == "stateful" else sequential(layers.Dense(2))
    weights = "file" if kind == "file" else "source"
    model.export(tmp_path / "part.c", format="c", name="digits", weights=weights, verbose=False)
    header = (tmp_path / "part.h").read_text()
    example = header.partition("Example:\n")[2].partition("*/")[0]
    (tmp_path / "example.c").write_text(example)
    sources = [tmp_path / "example.c", tmp_path / "part.c"]
    succeed([*toolchain.find().command, *STRICT, *CHECKS, *sources, "-o", tmp_path / "example", "-lm"])
    assert len(succeed([tmp_path / "example"], folder=tmp_path).split()) == (4 if kind == "stateful" else 2)


def test_two_models_in_one_program(tmp_path: Path) -> None:
    for name in ("first", "second"):
        sequential(layers.Dense(2, "relu")).export(tmp_path / f"{name}.c", format="c", verbose=False)
    calls = "first_predict(0, 0, 0, &a) + second_predict(0, 0, 0, &b)"
    main = f"static first_arena a; static second_arena b; int main(void) {{ return {calls}; }}\n"
    (tmp_path / "main.c").write_text(f'#include "first.h"\n#include "second.h"\n{main}')
    sources = [tmp_path / name for name in ("main.c", "first.c", "second.c")]
    succeed([*toolchain.find().command, *STRICT, *sources, "-o", tmp_path / "main", "-lm"])
    succeed([tmp_path / "main"])


def test_the_name_of_the_file_names_the_functions(tmp_path: Path) -> None:
    model = sequential(layers.Dense(2))
    model.export(tmp_path / "deep" / "digits", format="c", verbose=False)
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"digits.c", "digits.h"}
    with pytest.raises(ArgumentError, match=r"(?s)'2024-digits'.*pass `name`"):
        model.export(tmp_path / "2024-digits.c", format="c")


@pytest.mark.parametrize(("options", "problem"), [({"max_batch": 0}, "max_batch"), ({"weights": "rom"}, "weights")])
def test_arguments_are_checked(options: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=problem):
        sequential(layers.Dense(2)).export(tmp_path / "model.c", format="c", **options)
    assert not list(tmp_path.iterdir())


def test_operations_without_a_portable_form_are_named(tmp_path: Path) -> None:
    class Solved(layers.Layer):
        def call(self, x: Any) -> Any:
            return graphc.ops.qr(graphc.ops.reshape(x, (-1, 2, 2)))[0]

    with pytest.raises(
        BackendError, match=r"(?s)`qr` has no .* portable C.*layer: .*solved.*at: .*test_c_interface\.py:\d"
    ):
        sequential(Solved()).export(tmp_path / "model.c", format="c")
    assert not list(tmp_path.iterdir())


def test_what_runs_on_the_host_is_named(tmp_path: Path) -> None:
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    model = graphc.Sequential([graphc.Input((2,), dtype="string"), lookup])
    with pytest.raises(UnsupportedError, match="no strings"):
        model.export(tmp_path / "model.c", format="c")


def test_axes_of_unknown_size(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((None, 3)), layers.LSTM(2)])
    with pytest.raises(ShapeError, match=r"(?s)known size.*\(None, None, 3\).*input_signature"):
        model.export(tmp_path / "model.c", format="c")
    model.export(tmp_path / "model.c", format="c", input_signature=[graphc.InputSpec(shape=(None, 7, 3))])
    assert "#define MODEL_X_SIZE 21" in (tmp_path / "model.h").read_text()


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        sequential(layers.Dense(2)).export(tmp_path / "file" / "model.c", format="c")


def test_indices_beyond_a_table_read_nothing_else(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((3,), dtype="int32"), layers.Embedding(5, 2)])
    program = Program(model, tmp_path)
    found = program.run(program.build(*CHECKS), np.array([[1, 5, -(2**31)], [0, 4, 2**31 - 1]], np.int32))[0]
    table = model.layers[-1].embeddings.numpy()
    np.testing.assert_array_equal(found[0, 0], table[1])
    np.testing.assert_array_equal(found[1, :2], table[[0, 4]])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint64", "int8", "bool"])
def test_numbers_are_written_as_they_are(dtype: str) -> None:
    rng = np.random.default_rng(0)
    if dtype.startswith("float"):
        bits = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize) - 1, 300, np.uint64)
        values = bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
        values = np.concatenate([values, np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 0.1], dtype)])
    elif dtype == "bool":
        values = np.array([True, False])
    else:
        limits = np.iinfo(dtype)
        values = np.array([limits.min, limits.min + 1, 0, limits.max], dtype)
    text = re.sub(r"[fuUL]+(?=[,\s)])", "", array_text("a", values, "t").split("{")[1].split("}")[0])
    text = text.replace("(float)", "").replace("(double)", "").replace("NAN", "nan").replace("INFINITY", "inf")
    read = [eval(part, {"nan": np.nan, "inf": np.inf}) for part in text.replace("\n", " ").split(",") if part.strip()]
    np.testing.assert_array_equal(np.array(read, dtype), values)
    assert [np.signbit(float(r)) for r in read if r == 0] == [np.signbit(float(v)) for v in values if v == 0]
