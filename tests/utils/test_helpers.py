"""Helpers for arrays, images, settings and names, beside Keras's."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import config, layers, mixed_precision, preprocessing, utils
from graphc.errors import ArgumentError, DataError, FileError

os.environ["KERAS_BACKEND"] = "jax"
import keras


def same(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-6, atol=1e-6)
    assert np.asarray(found).dtype == np.asarray(expected).dtype and np.shape(found) == np.shape(expected)


# ---- sequences and labels


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 5])
@pytest.mark.parametrize(
    ("sequences", "options"),
    [
        ([[1], [2, 3], [4, 5, 6]], {}),
        ([[1.5], [], [2.5, 3.5]], {"dtype": "float32", "value": -1.0}),
        ([[[1, 2]], [[3, 4], [5, 6]]], {"value": 9}),
        ([np.ones((3, 2)), np.zeros((1, 2))], {"dtype": "float64"}),
        ([["a"], ["b", "c", "d"]], {"dtype": object, "value": "pad"}),
        ([[], []], {}),
        (((1, 2), (3,)), {}),
    ],
)
def test_pad_sequences(sequences: Any, options: Any, maxlen: Any, padding: str, truncating: str) -> None:
    found = utils.pad_sequences(sequences, maxlen, padding=padding, truncating=truncating, **options)
    expected = keras.utils.pad_sequences(sequences, maxlen, padding=padding, truncating=truncating, **options)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    assert preprocessing.sequence.pad_sequences is utils.pad_sequences


def test_sequences_of_nothing() -> None:
    assert utils.pad_sequences([]).shape == (0, 0) and utils.pad_sequences([], 3).shape == (0, 3)
    assert utils.pad_sequences([[1], [2]], 0).shape == (2, 0)  # Keras fails


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (DataError, {"sequences": [1, 2]}),
        (DataError, {"sequences": 3}),
        (DataError, {"sequences": [[[1, 2]], [[3]]]}),
        (ArgumentError, {"sequences": [[1]], "padding": "before"}),
        (ArgumentError, {"sequences": [[1]], "truncating": "before"}),
        (ArgumentError, {"sequences": [[1]], "maxlen": -1}),
        (ArgumentError, {"sequences": [["a"]], "value": "pad"}),
    ],
)
def test_sequences_that_are_refused(error: type[Exception], arguments: Any) -> None:
    with pytest.raises(error):
        utils.pad_sequences(**arguments)
    with pytest.raises(ValueError):
        keras.utils.pad_sequences(**arguments)


@pytest.mark.parametrize("labels", [[0, 2, 1], [[0], [2]], [[0, 1], [2, 2]], 2, np.array([1.0, 0.0])])
@pytest.mark.parametrize("classes", [None, 5])
def test_to_categorical(labels: Any, classes: Any) -> None:
    same(utils.to_categorical(labels, classes), keras.utils.to_categorical(labels, classes))


def test_tensors_stay_tensors() -> None:
    codes = utils.to_categorical(graphc.ops.array([0, 2]), 3)
    same(codes, keras.utils.to_categorical(keras.ops.array([0, 2]), 3))
    x = np.array([[3.0, 4.0], [0.0, 0.0]], "float32")
    for order in (1, 2):
        found = utils.normalize(graphc.ops.array(x), order=order)
        assert isinstance(found, graphc.Tensor)
        same(found, keras.utils.normalize(keras.ops.array(x), order=order))
        same(utils.normalize(x, order=order), keras.utils.normalize(x, order=order))
    same(utils.normalize(x, axis=0), np.array([[1.0, 1.0], [0.0, 0.0]], "float32"))


@pytest.mark.parametrize("data", [1, (1,), (1, 2), (1, 2, 3), [1, 2]])
def test_batches(data: Any) -> None:
    assert utils.unpack_x_y_sample_weight(data) == keras.utils.unpack_x_y_sample_weight(data)


@pytest.mark.parametrize("parts", [(1,), ([1],), ((1, 2),), (1, 2), (1, 2, 3), (1, None, 3)])
def test_packed_batches(parts: Any) -> None:
    assert utils.pack_x_y_sample_weight(*parts) == keras.utils.pack_x_y_sample_weight(*parts)


@pytest.mark.parametrize("dtype", [None, "float16", np.float64, np.dtype("int8"), bool, int, float])
def test_standardize_dtype(dtype: Any) -> None:
    assert utils.standardize_dtype(dtype) == keras.utils.standardize_dtype(dtype)


# ---- images

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 4)).astype("uint8")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("data_format", [None, "channels_first"])
def test_images_and_arrays(channels: int, data_format: str | None) -> None:
    x = PIXELS[..., :channels] * 1.0 - 30
    x = x.transpose(2, 0, 1) if data_format else x
    for scale in (True, False):
        x = x if scale else np.abs(x)
        found, expected = (m.array_to_img(x, data_format, scale) for m in (utils, keras.utils))
        assert (found.mode, found.size) == (expected.mode, expected.size)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
        same(utils.img_to_array(found, data_format), keras.utils.img_to_array(expected, data_format))
        same(utils.img_to_array(found, dtype="uint8"), keras.utils.img_to_array(expected, dtype="uint8"))
    deep = utils.array_to_img(np.full((2, 2, 1), 300.0), scale=False)
    assert deep.mode == "I" and np.asarray(deep).max() == 300


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_images_are_read_as_in_keras(tmp_path: Path, name: str) -> None:
    utils.save_img(tmp_path / name, PIXELS, scale=False) if name != "a.jpg" else utils.save_img(
        tmp_path / name, PIXELS[..., :3], scale=False, quality=90
    )
    for color in ("rgb", "rgba", "grayscale"):
        for options in (
            {},
            {"target_size": (4, 5)},
            {"target_size": (12, 4), "keep_aspect_ratio": True},
            *(
                {"target_size": (4, 5), "interpolation": n}
                for n in ("bilinear", "bicubic", "hamming", "box", "lanczos")
            ),
        ):
            found, expected = (m.load_img(tmp_path / name, color, **options) for m in (utils, keras.utils))
            assert found.mode == expected.mode
            np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    content = io.BytesIO((tmp_path / name).read_bytes())
    assert utils.load_img(content).size == (9, 6) and utils.load_img(str(tmp_path / name)).size == (9, 6)


def test_images_are_written_in_formats_of_pillow(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="opacity"):
        utils.save_img(tmp_path / "a.jpg", PIXELS)
    assert utils.load_img(tmp_path / "a.jpg").size == (9, 6)
    opened = io.BytesIO()
    preprocessing.image.save_img(opened, PIXELS, file_format="png", scale=False)
    np.testing.assert_array_equal(np.asarray(utils.load_img(opened, "rgba")), PIXELS)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("shape", [(7, 9, 3), (2, 9, 5, 3)])
def test_smart_resize(interpolation: str, shape: Any) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    expected = keras.preprocessing.image.smart_resize(x, (4, 6), interpolation)
    same(preprocessing.image.smart_resize(x, (4, 6), interpolation), expected)
    first = np.moveaxis(x, -1, -3)
    found = preprocessing.image.smart_resize(graphc.ops.array(first), (4, 6), interpolation, "channels_first")
    assert isinstance(found, graphc.Tensor)
    np.testing.assert_allclose(np.moveaxis(np.asarray(found), -3, -1), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ArgumentError, lambda path: utils.load_img(path / "a.png", "cmyk")),
        (ArgumentError, lambda path: utils.load_img(path / "a.png", interpolation="area")),
        (ArgumentError, lambda path: utils.load_img(path / "a.png", target_size=3)),
        (ArgumentError, lambda path: utils.load_img(3)),
        (FileError, lambda path: utils.load_img(path / "absent.png")),
        (DataError, lambda path: utils.load_img(path / "b.png")),
        (FileError, lambda path: utils.load_img(path / "c.png")),
        (DataError, lambda path: utils.img_to_array(np.ones(3))),
        (DataError, lambda path: utils.array_to_img(np.ones((3, 3)))),
        (DataError, lambda path: utils.array_to_img(np.ones((3, 3, 2)))),
        (ArgumentError, lambda path: preprocessing.image.smart_resize(np.ones((3, 3, 3)), 3)),
        (ArgumentError, lambda path: preprocessing.image.smart_resize(np.ones((3, 3, 3)), (2, 2), "area")),
        (DataError, lambda path: preprocessing.image.smart_resize(np.ones((3, 3)), (2, 2))),
    ],
)
def test_images_that_are_refused(tmp_path: Path, error: type[Exception], use: Callable[[Path], Any]) -> None:
    utils.save_img(tmp_path / "a.png", PIXELS)
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(error) as info:
        use(tmp_path)
    assert "test_helpers.py" in str(info.value)


# ---- containers and settings


def test_config_containers() -> None:
    for module in (utils, keras.utils):
        c = module.Config(b=1)
        c.a = 2
        c["c"] = [3]
        assert (c.a, c["b"], list(c), len(c), "c" in c, c.get("z", 7)) == (2, 1, ["a", "b", "c"], 3, True, 7)
        assert c.to_json() == '{"b": 1, "a": 2, "c": [3]}' and c.as_dict() == {"b": 1, "a": 2, "c": [3]}
        assert c.pop("c") == [3] and repr(c) == "<Config {'b': 1, 'a': 2}>" and dict(c.items()) == c.as_dict()
        c.update(d=4)
        del c["d"]
        with pytest.raises(AttributeError):
            c.missing  # noqa: B018
        c.freeze()
        for change in (lambda c=c: setattr(c, "a", 1), lambda c=c: c.update(a=1), lambda c=c: c.pop("a")):
            with pytest.raises(ValueError):
                change()
        assert c.frozen
        c.unfreeze()
        c.a = 5
        assert list(c.values()) == [1, 5]
    for made in (copy(c), deepcopy(c), pickle.loads(pickle.dumps(utils.Config(a=1)))):
        assert made.a in (1, 5)
    with pytest.raises(AttributeError, match="did you mean 'alpha'"):
        utils.Config(alpha=1).alphas  # noqa: B018


def test_settings() -> None:
    assert config.is_interactive_logging_enabled() and utils.is_interactive_logging_enabled()
    utils.disable_interactive_logging()
    assert not config.is_interactive_logging_enabled()
    config.enable_interactive_logging()
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    config.enable_traceback_filtering()
    config.set_max_epochs(3)
    config.set_max_steps_per_epoch(4)
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (3, 4)
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)
    for refused in (lambda: config.set_max_epochs(0), config.enable_unsafe_deserialization):
        with pytest.raises(ArgumentError):
            refused()
    assert config.backend() == graphc.backend.backend()
    assert config.is_flash_attention_enabled() is None and not config.is_nnx_enabled()
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    config.enable_flash_attention()
    assert config.is_flash_attention_enabled() is None


def test_the_default_policy() -> None:
    assert mixed_precision.global_policy().name == "float32"
    try:
        mixed_precision.set_global_policy("mixed_float16")
        assert config.dtype_policy() == mixed_precision.Policy("mixed_float16")
        layer = layers.Dense(2)
        assert (layer.compute_dtype, layer.variable_dtype) == ("float16", "float32")
        config.set_dtype_policy(mixed_precision.DTypePolicy("float64"))
        assert layers.Dense(2).variable_dtype == "float64"
        for name in ("mixed_int8", "float15", "", None, "mixed_"):
            with pytest.raises(ArgumentError):
                config.set_dtype_policy(name)
            if name is not None:
                with pytest.raises(ArgumentError):
                    layers.Dense(2, dtype=name)
    finally:
        config.set_default_policy(None)
    assert layers.Dense(2).compute_dtype == "float32"


def test_inputs_are_converted_as_in_keras() -> None:
    values = [np.ones(2, "float64"), np.ones(2, "int32"), 1.5, "text", None]
    for name in ("float32", "mixed_float16", "bfloat16"):
        ours, theirs = mixed_precision.DTypePolicy(name), keras.DTypePolicy(name)
        for autocast in (True, False):
            pairs = [(x, x) for x in values]
            pairs += [(graphc.ops.array(x), keras.ops.array(x)) for x in (np.ones(2, "float32"), np.ones(2, "int32"))]
            for x, y in pairs:
                found, expected = (p.convert_input(v, autocast, p.compute_dtype) for p, v in ((ours, x), (theirs, y)))
                assert str(getattr(found, "dtype", None)) == str(getattr(expected, "dtype", None)), (name, autocast, x)
        assert ours.quantization_mode is theirs.quantization_mode is None
    symbolic = ours.convert_input(graphc.Input((2,)), True, "bfloat16")
    assert symbolic.dtype == "bfloat16"


def test_maps_of_policies() -> None:
    for module in (graphc, keras):
        kind = module.dtype_policies.DTypePolicyMap
        policies = kind("float32", {"a": module.dtype_policies.DTypePolicy("bfloat16")})
        policies["b/.*"] = "mixed_float16"
        assert [policies[path].name for path in ("a", "b/c", "b", "x")] == [
            *("bfloat16", "mixed_float16", "float32", "float32")
        ]
        assert (len(policies), list(policies), "a" in policies, policies.name) == (
            2,
            ["a", "b/.*"],
            True,
            "map_float32",
        )
        assert (policies.compute_dtype, policies.variable_dtype) == ("float32", "float32")
        again = kind.from_config(policies.get_config())
        assert again["b/c"].compute_dtype == "float16" and again.default_policy.name == "float32"
        del policies["a"]
        assert policies["a"].name == "float32"
        policies["b/c.*"] = "float32"
        for refused in (
            lambda p=policies: p["b/cd"],
            lambda p=policies: p.__setitem__("b/.*", "float32"),
            lambda p=policies, k=kind: k(p),
        ):
            with pytest.raises(ValueError):
                refused()
        with pytest.raises(TypeError):
            kind(policy_map=[1])
    assert graphc.dtype_policies.DTypePolicyMap("float16") == graphc.dtype_policies.DTypePolicyMap("float16")
    with pytest.raises(ArgumentError, match="one policy"):
        layers.Dense(2, dtype=graphc.dtype_policies.DTypePolicyMap())


def test_scopes_name_variables() -> None:
    with graphc.name_scope("a"), graphc.name_scope("b"):
        assert graphc.Variable([1.0], name="v").path == "a/b/v"
        with graphc.name_scope("c", override_parent="x/y"):
            assert graphc.Variable([1.0], name="v").path == "x/y/c/v"
        inner = graphc.name_scope("d", caller=layers)
        with inner, inner:
            assert graphc.Variable([1.0], name="v").path == "a/b/d/v"
    assert graphc.Variable([1.0], name="v").path == "v"
    for name in ("a/b", 3):
        with pytest.raises(ArgumentError, match="scope"):
            graphc.name_scope(name)


def test_devices() -> None:
    with graphc.backend("numpy"), graphc.device("cpu:0"):
        assert graphc.backend.backend() == "numpy"
    with graphc.device("gpu:0"):
        assert config.current().backend == "cuda"
    for name in ("tpu:0", "cpu:1", 3):
        with pytest.raises(ArgumentError, match="no such device"), graphc.device(name):
            pass


# ---- configurations of old, and the graph of symbolic tensors


def activation(x: Any) -> Any:
    return x


def test_old_configurations() -> None:
    table = {"Dense": layers.Dense, "L1": graphc.regularizers.L1, "relu": graphc.activations.relu}
    old = utils.legacy.serialize_keras_object(layers.Dense(3, name="d"))
    assert old["class_name"] == "Dense" and old["config"]["units"] == 3
    assert utils.legacy.deserialize_keras_object(old, table).units == 3
    assert utils.legacy.deserialize_keras_object("relu", table) is graphc.activations.relu
    assert isinstance(utils.legacy.deserialize_keras_object("L1", table), graphc.regularizers.L1)
    assert utils.legacy.deserialize_keras_object("mine", table, {"mine": activation}) is activation
    with utils.custom_object_scope({"mine": activation}):
        assert utils.legacy.deserialize_keras_object("mine") is activation
    for nothing in (None, activation):
        assert utils.legacy.deserialize_keras_object(nothing) is nothing
    assert utils.legacy.serialize_keras_object(None) is None
    assert utils.legacy.serialize_keras_object(graphc.activations.relu) == "relu"
    for refused in ("Dens", {"class_name": "Dense"}, 3):
        with pytest.raises(ArgumentError, match="no known layer"):
            utils.legacy.deserialize_keras_object(refused, table, printable_module_name="layer")
    with pytest.raises(ArgumentError, match="cannot be serialized"):
        utils.legacy.serialize_keras_object(3)


def test_source_inputs() -> None:
    for module in (graphc, keras):
        a, b, c = (module.Input((2,), name=name) for name in "abc")
        hidden = module.layers.Dense(2)(module.layers.Concatenate()([b, a]))
        found = module.utils.get_source_inputs(module.layers.Add()([hidden, b]))
        assert len(found) == 2 and found[0] is b and found[1] is a
        assert module.utils.get_source_inputs(c)[0] is c
    assert utils.get_source_inputs(3) == 3
