"""`Model.export(format="onnx")`: every layer, names, versions, files, and what is refused."""

from __future__ import annotations

import builtins
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import layers, ops, tree
from graphc.errors import (
    ArgumentError,
    CallError,
    FileError,
    MissingPackageError,
    StateError,
    UnsupportedError,
)
from tests.export.onnx_runtime import NEWEST, OLDEST, close, onnx, run, session
from tests.layers.each_layer import _Names
from tests.layers.test_each_layer import LAYERS, doubled, kind_of

# Layers that compute on the host, and not in a vocabulary.
ON_HOST = ("Hashing", "HashedCrossing", "TextVectorization")


@pytest.fixture(autouse=True)
def interpreted() -> Any:
    graphc.utils.set_random_seed(0)
    with graphc.backend("numpy"):
        yield


def model_of(text: str) -> Any:
    """A model of a layer of the table alone."""
    given = LAYERS[text]
    layer = eval(text, {}, _Names(graphc, {"doubled": doubled, "FIRST": {"data_format": "channels_first"}}))
    inputs = given.like(lambda shape: graphc.Input(shape, dtype=given.dtype))
    return graphc.Model(tree.flatten(inputs), layer(*inputs))


def export(model: Any, path: Path, **options: Any) -> Any:
    """The message of the exported model."""
    model.export(path, format="onnx", verbose=False, **options)
    message = onnx.load(path)
    # ONNX Runtime warns of what nothing reads.
    assert {tensor.name for tensor in message.graph.initializer} <= names_read(message.graph)
    return message


def names_read(graph: Any) -> set[str]:
    found = {output.name for output in graph.output}
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            found |= names_read(attribute.g)
    return found


@pytest.mark.parametrize("text", [text for text in LAYERS if kind_of(text) not in ON_HOST])
def test_layer(text: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = model_of(text)
        model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
        one = session(str(tmp_path / "m.onnx"))
        for rows in (1, 3):
            arrays = tree.flatten(LAYERS[text].arrays(rows))
            expected = tree.flatten(model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0))
            close(run(one, arrays), expected)


@pytest.mark.parametrize("text", [text for text in LAYERS if kind_of(text) in ON_HOST])
def test_layers_of_the_host_are_named(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"host(.|\n)*layer:(.|\n)*test_onnx.py(.|\n)*to do:.*export a model"):
        export(model_of(text), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


# ---- lookups


def looked_up(lookup: Any, kind: str = "string") -> Any:
    x = graphc.Input((4,), dtype=kind, name="tokens")
    return graphc.Model(x, lookup(x))


WORDS = np.array([["a", "b", "?", ""], ["c", "[UNK]", "a", "a"]])
NUMBERS = np.array([[1, 9, 0, -1], [2, 2, 7, 1]])


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize("mask", [False, True])
def test_lookups(mode: str, mask: bool, tmp_path: Path) -> None:
    weights = {"idf_weights": [0.5, 0.25, 2.0]} if mode == "tf_idf" else {}
    options: dict[str, Any] = {"output_mode": mode, **weights}
    strings = layers.StringLookup(vocabulary=["a", "b", "c"], mask_token="" if mask else None, **options)
    integers = layers.IntegerLookup(vocabulary=[1, 2, 9], mask_token=0 if mask else None, **options)
    for layer, tokens in ((strings, WORDS), (integers, NUMBERS)):
        model = looked_up(layer, "string" if layer is strings else "int64")
        export(model, tmp_path / "m.onnx")
        found = run(session(str(tmp_path / "m.onnx")), [tokens])
        close(found, [model.predict(tokens, verbose=0)])


def test_a_model_behind_a_lookup(tmp_path: Path) -> None:
    words, numbers = graphc.Input((4,), dtype="string"), graphc.Input((4,), dtype="int64")
    x = layers.Embedding(5, 3)(layers.StringLookup(vocabulary=["a", "b", "c"], name="words")(words))
    y = layers.Embedding(4, 3)(layers.IntegerLookup(vocabulary=[1, 2, 9])(numbers + 0))
    model = graphc.Model([words, numbers], layers.LSTM(2)(x + y))
    message = export(model, tmp_path / "m.onnx")
    assert "words/LabelEncoder" in [node.name for node in message.graph.node]
    close(run(session(str(tmp_path / "m.onnx")), [WORDS, NUMBERS]), [model.predict([WORDS, NUMBERS], verbose=0)])


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0), "num_oov_indices=1"),
        (lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=2), "hashed"),
        (lambda: layers.TextVectorization(vocabulary=["a"], output_sequence_length=2, split=None), "no lookup"),
    ],
)
def test_lookups_that_onnx_cannot_say(make: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=rf"host(.|\n)*{problem}"):
        export(looked_up(make()), tmp_path / "m.onnx")


# ---- what is in the file


def small() -> Any:
    return graphc.Sequential(
        [
            graphc.Input((4, 4, 2), name="image"),
            *(layers.Conv2D(3, 3, name="edges"), layers.BatchNormalization(name="norm"), layers.ReLU()),
            *(layers.Flatten(), layers.Dense(2, "softmax", name="classes")),
        ],
        name="small",
    )


def test_names(tmp_path: Path) -> None:
    model = small()
    message = export(model, tmp_path / "m.onnx")
    held = {x.name: onnx.numpy_helper.to_array(x) for x in message.graph.initializer}
    for weight in model.weights:
        assert weight.path in held, weight.path
    kernel = model.weights[0]
    np.testing.assert_array_equal(held[kernel.path].transpose(2, 3, 1, 0), kernel.numpy())
    assert all(node.name for node in message.graph.node)
    kinds = {node.op_type: node.name for node in message.graph.node}
    assert kinds["Conv"] == "small/edges/Conv" and kinds["BatchNormalization"] == "small/norm/BatchNormalization"
    assert [x.name for x in message.graph.input] == ["image"] and message.graph.name == "small"
    assert [x.name for x in message.graph.output] == ["classes"]
    sizes = message.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in sizes] == ["batch", 4, 4, 2]


def test_equal_weights_keep_their_names(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((2,)), *(layers.Dense(2, "relu", name=f"d{i}") for i in range(3))])
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    held = {x.name for x in export(model, tmp_path / "m.onnx").graph.initializer}
    assert {weight.path for weight in model.weights} <= held


def test_names_that_are_taken(tmp_path: Path) -> None:
    x = graphc.Input((2,), name="y")
    model = graphc.Model(x, [layers.ReLU(name="a")(x), ops.negative(x), x])
    message = export(model, tmp_path / "m.onnx")
    names = [*(i.name for i in message.graph.input), *(o.name for o in message.graph.output)]
    assert len(set(names)) == len(names) and names[0] == "y"
    found = run(session(str(tmp_path / "m.onnx")), [np.float32([[1, -2]])])
    close(found, [np.float32(y) for y in ([[1, 0]], [[-1, 2]], [[1, -2]])])


OPERATORS = {
    "Dense": (lambda x: layers.Dense(3, "gelu")(layers.Flatten()(x)), {"Gemm"}, {"MatMul"}),
    "softmax": (lambda x: ops.softmax(x, 2), {"Softmax"}, {"Exp", "Transpose"}),
    "log_softmax": (lambda x: ops.log_softmax(x), {"LogSoftmax"}, {"Exp"}),
    "LayerNormalization": (lambda x: layers.LayerNormalization()(x), {"LayerNormalization"}, {"ReduceMean"}),
    "BatchNormalization": (lambda x: layers.BatchNormalization()(x), {"BatchNormalization"}, {"Sub"}),
    "MaxPooling2D": (lambda x: layers.MaxPooling2D(2, padding="same")(x), {"MaxPool"}, {"Pad"}),
    "AveragePooling2D": (lambda x: layers.AveragePooling2D(2)(x), {"AveragePool"}, {"Mul"}),
    "GlobalAveragePooling2D": (lambda x: layers.GlobalAveragePooling2D()(x), {"ReduceMean"}, {"Div"}),
    "ReLU(6)": (lambda x: layers.ReLU(6.0)(x), {"Clip"}, {"Where"}),
    "LeakyReLU": (lambda x: layers.LeakyReLU(0.2)(x), {"LeakyRelu"}, {"Where"}),
    "ELU": (lambda x: ops.elu(x, 0.7) + layers.Activation("elu")(x), {"Elu"}, {"Where", "Exp"}),
    "hard_silu": (lambda x: ops.hard_silu(x), {"HardSigmoid", "Mul"}, {"Where"}),
    "scale=False": (lambda x: layers.BatchNormalization(scale=False)(x), {"BatchNormalization"}, {"Sub", "Add"}),
    "center=False": (lambda x: layers.BatchNormalization(center=False)(x), {"BatchNormalization"}, {"Mul"}),
    "behind a convolution": (
        lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x)),
        {"GlobalAveragePool"},
        {"ReduceMean"},
    ),
    "softplus": (lambda x: ops.softplus(x), {"Softplus"}, {"Log"}),
    "Conv2DTranspose": (lambda x: layers.Conv2DTranspose(2, 3, 2)(x), {"ConvTranspose"}, {"Pad"}),
    "channels last": (
        lambda x: layers.Conv2D(2, 3)(layers.ReLU()(layers.Conv2D(3, 3, padding="same")(x) * 2.0)),
        {"Conv", "Relu"},
        {"Reshape"},
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name: str, tmp_path: Path) -> None:
    make, there, missing = OPERATORS[name]
    x = graphc.Input((6, 6, 3))
    model = graphc.Model(x, make(x))
    kinds = [node.op_type for node in export(model, tmp_path / "m.onnx").graph.node]
    array = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32") * 4
    array[0, 0, 0] = 0 if "MaxPool" in there else np.nan  # which ONNX Runtime does not take for the largest
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN in the data
        close(run(session(str(tmp_path / "m.onnx")), [array]), [model.predict(array, verbose=0)])
    assert there <= set(kinds) and not missing & set(kinds), kinds
    # What lies with its channels last is transposed once before the first such operator, and once after the last.
    assert kinds.count("Transpose") <= 2


def test_attention_is_a_softmax_between_products(tmp_path: Path) -> None:
    x = graphc.Input((5, 6))
    model = graphc.Model(x, layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
    kinds = [node.op_type for node in export(model, tmp_path / "m.onnx").graph.node]
    place = kinds.index("Softmax")
    assert "Exp" not in kinds and "MatMul" in kinds[:place] and kinds[place + 1 :].count("MatMul") == 2
    assert kinds.count("Transpose") == 4


def test_gelu_of_newer_operators(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((3,)), layers.Dense(2), layers.Activation(lambda x: ops.gelu(x, False))])
    assert "Gelu" not in [n.op_type for n in export(model, tmp_path / "m.onnx").graph.node]
    assert "Gelu" in [n.op_type for n in export(model, tmp_path / "m.onnx", opset_version=20).graph.node]


# ---- versions, arguments, signatures


@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_versions(opset: int, tmp_path: Path) -> None:
    message = export(small(), tmp_path / "m.onnx", opset_version=opset)
    assert [(x.domain, x.version) for x in message.opset_import] == [("", opset)]
    onnx.checker.check_model(message, full_check=True)


def test_the_version_is_17(tmp_path: Path) -> None:
    assert export(small(), tmp_path / "m.onnx").opset_import[0].version == 17


@pytest.mark.parametrize("opset", [16, 1000, "17", 17.0, True])
def test_versions_that_there_are_not(opset: Any, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="from 17 to"):
        export(small(), tmp_path / "m.onnx", opset_version=opset)


@pytest.mark.parametrize("format", ["tf_saved_model", "litert", "openvino", "torch"])
def test_formats_of_others(format: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="onnx"):
        small().export(tmp_path / "m", format=format)
    with pytest.raises(UnsupportedError, match="tf_saved_model"):
        small().export(tmp_path / "m")


def test_arguments(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such format"):
        small().export(tmp_path / "m", format="onx")
    with pytest.raises(CallError, match=r"opset(.|\n)*input_signature, opset_version"):
        small().export(tmp_path / "m", format="onnx", opset=17)
    with pytest.raises(ArgumentError, match="no path"):
        small().export(3, format="onnx")


def test_message(tmp_path: Path, capsys: Any) -> None:
    for verbose, told in ((None, True), (True, True), (False, False)):
        small().export(str(tmp_path / "m.onnx"), format="onnx", verbose=verbose)
        assert ("m.onnx" in capsys.readouterr().out) == told


class Scaled(graphc.Model):
    """A model that is no graph of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x: Any) -> Any:
        return {"y": self.dense(x["a"]), "z": x["b"] * 2}


def test_a_model_that_was_not_called(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="input_signature"):
        export(Scaled(), tmp_path / "m.onnx")


@pytest.mark.parametrize("kind", ["called", "spec", "symbolic", "arrays"])
def test_signatures(kind: str, tmp_path: Path) -> None:
    model, rng = Scaled(), np.random.default_rng(0)
    arrays = {"a": rng.normal(size=(2, 3)).astype("float32"), "b": rng.normal(size=(2, 4)).astype("float32")}
    signature: Any = {
        "called": None,
        "spec": [{k: graphc.InputSpec(shape=(None, *x.shape[1:]), dtype="float32", name=k) for k, x in arrays.items()}],
        "symbolic": {k: graphc.KerasTensor((None, *x.shape[1:]), name=k) for k, x in arrays.items()},
        "arrays": [arrays],
    }[kind]
    if kind == "called":
        model(arrays)
    message = export(model, tmp_path / "m.onnx", input_signature=signature)
    assert [x.name for x in message.graph.output] == ["y", "z"]
    if kind in ("spec", "symbolic"):
        assert [x.name for x in message.graph.input] == ["a", "b"]
    found = run(session(str(tmp_path / "m.onnx")), list(arrays.values()))
    close(found, [np.asarray(x) for x in tree.flatten(model(arrays))])


def test_a_signature_without_shapes(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="shape and the dtype"):
        export(Scaled(), tmp_path / "m.onnx", input_signature=["a"])


def test_a_signature_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(graphc.errors.GraphcError, match=r"does not fit(.|\n)*expected: shape \(None, 4, 4, 2\)"):
        export(small(), tmp_path / "m.onnx", input_signature=[graphc.KerasTensor((None, 5, 5, 2))])
    assert not list(tmp_path.iterdir())


# ---- what is refused


class Factored(layers.Layer):
    """What ONNX has no operator for."""

    def call(self, x: Any) -> Any:
        return ops.cholesky(x)


def test_an_operation_that_onnx_lacks(tmp_path: Path) -> None:
    x = graphc.Input((3, 3))
    model = graphc.Model(x, Factored(name="roots")(x) + 1)
    pattern = r"`cholesky`(.|\n)*layer:.*roots(.|\n)*at:.*test_onnx.py:\d+(.|\n)*got:.*float32\[B, 3, 3\](.|\n)*to do:"
    with pytest.raises(UnsupportedError, match=pattern):
        export(model, tmp_path / "m.onnx")


def test_a_primitive_of_the_users(tmp_path: Path) -> None:
    halved = graphc.primitive("halved_for_export", lambda x: x / 2)
    x = graphc.Input((3,))
    with pytest.raises(UnsupportedError, match=r"`halved_for_export`(.|\n)*at:.*test_onnx.py"):
        export(graphc.Model(x, layers.Lambda(lambda x: halved(x))(x)), tmp_path / "m.onnx")


def test_an_operation_of_newer_versions(tmp_path: Path) -> None:
    x = graphc.Input((3,), dtype="int32")
    model = graphc.Model(x, ops.bitwise_and(x, 5))
    with pytest.raises(UnsupportedError, match="opset_version=18"):
        export(model, tmp_path / "m.onnx")
    export(model, tmp_path / "m.onnx", opset_version=18)
    array = np.int32([[7, 8, -1]])
    close(run(session(str(tmp_path / "m.onnx")), [array]), [array & 5])


def test_a_layer_with_a_memory(tmp_path: Path) -> None:
    model = graphc.Sequential([graphc.Input((4, 2), batch_size=2), layers.LSTM(3, stateful=True)])
    with pytest.raises(UnsupportedError, match=r"no memory(.|\n)*lstm(.|\n)*stateful=False"):
        export(model, tmp_path / "m.onnx")


def test_random_numbers(tmp_path: Path) -> None:
    x = graphc.Input((4,))
    model = graphc.Model(x, layers.Dropout(0.5)(x, training=True))
    with pytest.raises(UnsupportedError, match=r"random(.|\n)*dropout"):
        export(model, tmp_path / "m.onnx")


# ---- files


def test_a_missing_package(tmp_path: Path, monkeypatch: Any) -> None:
    found = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    model = small()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r"pip install 'graphc\[onnx\]'"):
        model.export(tmp_path / "m.onnx", format="onnx")


def test_a_failure_leaves_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "m.onnx"
    export(small(), path)
    before = path.read_bytes()

    def refused(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(FileError, match="No space"):
        small().export(path, format="onnx", verbose=False)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be written"):
        export(small(), tmp_path / "file" / "m.onnx")


def test_export_of_a_model_changes_nothing(tmp_path: Path) -> None:
    model = small()
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2)).astype("float32")
    before, weights = model.predict(x, verbose=0), model.get_weights()
    export(model, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- recurrent layers

RECURRENT = {
    "LSTM": lambda **options: layers.LSTM(3, **options),
    "GRU": lambda **options: layers.GRU(3, **options),
    "GRU before": lambda **options: layers.GRU(3, reset_after=False, **options),
    "SimpleRNN": lambda **options: layers.SimpleRNN(3, **options),
    "relu": lambda **options: layers.SimpleRNN(3, activation="relu", use_bias=False, **options),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_are_operators(name: str, backwards: bool, masked: bool, tmp_path: Path) -> None:
    """Of any mask, with holes, and of no step at all; from states that are given, and all states as results."""
    x, mask = graphc.Input((5, 2)), graphc.Input((5,), dtype="bool")
    states = [graphc.Input((3,)) for _ in range(2 if name == "LSTM" else 1)]
    given = {"mask": mask} if masked else {}
    one = RECURRENT[name](return_sequences=True, return_state=True, go_backwards=backwards)
    other = RECURRENT[name](go_backwards=backwards)
    outputs = [*one(x, initial_state=states, **given), other(x, **given)]
    model = graphc.Model([x, *([mask] if masked else []), *states], outputs)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    message = export(model, tmp_path / "m.onnx")
    kinds = [node.op_type for node in message.graph.node]
    assert "Scan" not in kinds and {"LSTM", "GRU", "RNN"} & set(kinds)
    masks = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]], bool)
    arrays = [rng.normal(size=(5, 5, 2)).astype("float32"), *([masks] if masked else [])]
    arrays += [rng.normal(size=(5, 3)).astype("float32") for _ in states]
    close(run(session(str(tmp_path / "m.onnx")), arrays), [np.asarray(y) for y in model.predict(arrays, verbose=0)])
