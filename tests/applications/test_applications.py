"""Applications beside Keras's: the same layers, weights and outputs; arguments; weights from files and by download."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import applications, config, layers
from graphc.applications import imagenet_utils, pretrained
from graphc.errors import ArgumentError, DataError, FileError, ShapeError, WeightsError
from graphc.saving import legacy

from .applications import RECORD, SIZES, images, parts, set_weights, small, with_zeros, without_values

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")

KERAS = json.loads(RECORD.read_text())
MODELS = [name for name in applications.__all__ if name[0].isupper()]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path) -> Iterator[Path]:
    with config.override(cache_dir=tmp_path / "cache", backend="numpy"):
        yield tmp_path / "cache/models"


# Two take longer, and have the blocks of others.
ONE_OF_EACH = [
    pytest.param(name, marks=pytest.mark.slow) if name in ("InceptionResNetV2", "EfficientNetV2S") else name
    for name in SIZES
]


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_one_of_each_family_equals_keras(name: str) -> None:
    expected = dict(KERAS[name])
    outputs = expected.pop("outputs")
    graphc.utils.clear_session()
    model = small(applications, name)
    assert parts(model) == expected
    set_weights(model)
    np.testing.assert_allclose(model.predict(images(name), verbose=0), outputs, rtol=2e-3, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_arguments_are_those_of_keras(name: str) -> None:
    ours, theirs = (
        [(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()]
        for module in (applications, keras.applications)
    )
    assert ours == theirs
    assert getattr(applications, name).__doc__.count("include_preprocessing") == dict(ours).get(
        "include_preprocessing", 0
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_all_models_have_the_layers_of_keras(name: str) -> None:
    graphc.utils.clear_session()
    model = getattr(applications, name)(weights=None)
    expected = without_values(lambda: getattr(keras.applications, name)(weights=None))
    assert parts(model) == parts(expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_the_record_is_current(name: str) -> None:
    model = with_zeros(lambda: small(keras.applications, name))
    expected = dict(KERAS[name])
    outputs = expected.pop("outputs")
    assert parts(model) == expected
    set_weights(model)
    np.testing.assert_allclose(model.predict(images(name), verbose=0), outputs, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetV2B0", "ConvNeXtTiny"])
def test_features_and_training_on_the_cpu(name: str) -> None:
    with config.override(backend="cpu"):
        base = getattr(applications, name)(weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg")
        base.trainable = False
        model = graphc.Sequential([base, layers.Dense(2)])
        model.compile("adam", graphc.losses.SparseCategoricalCrossentropy(from_logits=True))
        x = images(name)
        before = base.predict(x, verbose=0)
        model.fit(x, np.array([0, 1]), epochs=2, verbose=0)
        assert np.array_equal(base.predict(x, verbose=0), before)
        base.trainable = True
        model.compile("sgd", graphc.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(x, np.array([0, 1]), epochs=8, verbose=0).history["loss"]
        assert min(history[1:]) < history[0]
        assert not np.array_equal(base.predict(x, verbose=0), before)


def test_tops_inputs_and_names() -> None:
    free = applications.MobileNet(weights=None, alpha=0.25, include_top=False)
    assert free.input_shape == (None, None, None, 3) and free.output_shape == (None, None, None, 256)
    pooled = applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, pooling="max", name="mine")
    assert pooled.output_shape == (None, 1280) and pooled.name == "mine"
    image = graphc.Input((48, 48, 1))
    three = layers.Concatenate()([image, image, image])
    model = applications.MobileNetV3Small(weights=None, input_tensor=three, classes=5, classifier_activation=None)
    assert model.input_shape == (None, 48, 48, 1) and model.predict(np.zeros((1, 48, 48, 1)), verbose=0).shape == (1, 5)
    with config.override():
        config.set_image_data_format("channels_first")
        try:
            first = applications.ResNet50(weights=None, input_shape=(3, 32, 32), classes=3)
            assert first.get_layer("conv2_block1_out").output.shape == (None, 256, 8, 8)
            with pytest.raises(ArgumentError, match="channels last"):
                applications.DenseNet121(weights=None)
        finally:
            config.set_image_data_format("channels_last")


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"weights": "imagenat"}, ArgumentError, "weights cannot be used"),
    ({"weights": "imagenet", "classes": 7}, ArgumentError, "classes cannot be used"),
    ({"weights": None, "pooling": "mean"}, ArgumentError, "pooling cannot be used"),
    ({"weights": "imagenet", "classifier_activation": "relu"}, ArgumentError, "activation"),
    ({"weights": "imagenet", "input_shape": (64, 64, 3)}, ShapeError, "trained classifier"),
    ({"weights": "imagenet", "input_shape": (64, 64, 1), "include_top": False}, ShapeError, "3 channels"),
    ({"weights": None, "input_shape": (16, 16, 3)}, ShapeError, "at least 32x32"),
    ({"weights": None, "input_shape": (None, None, 3)}, ShapeError, "known sizes"),
    ({"weights": None, "input_shape": (64, 64)}, ShapeError, "three sizes"),
    ({"weights": None, "input_tensor": np.zeros((1, 32, 32, 3))}, ArgumentError, "input_tensor"),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), WRONG, ids=lambda case: str(case)[:40])
def test_wrong_arguments(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        applications.ResNet50(**arguments)


def test_widths_without_trained_weights() -> None:
    with pytest.raises(ArgumentError, match="of this width"):
        applications.MobileNet(alpha=0.3)
    with pytest.raises(ArgumentError, match="of this width"):
        applications.MobileNetV3Small(alpha=0.75, minimalistic=True)


# ---- weights


def tiny(**options: Any) -> Any:
    return applications.MobileNet(**{"weights": None, "alpha": 0.25, "input_shape": (32, 32, 3), **options})


def write_legacy(model: Any, path: Path, inner: bool = False) -> Path:
    """A file in the form before Keras 3, with long attributes in parts."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if inner else file
        names = [layer.name.encode() for layer in model.layers]
        root.attrs["layer_names0"], root.attrs["layer_names1"] = names[:5], names[5:]
        for layer in model.layers:
            group = root.create_group(layer.name)
            weights = [*layer.trainable_weights, *layer.non_trainable_weights]
            group.attrs["weight_names"] = [f"{layer.name}/{w.name}:0".encode() for w in weights]
            for w in weights:
                group[f"{layer.name}/{w.name}:0"] = w.numpy()
    return path


def same_weights(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.mark.parametrize("inner", [False, True])
def test_weights_from_files_of_both_forms(tmp_path: Path, inner: bool) -> None:
    model = tiny()
    set_weights(model)
    old = write_legacy(model, tmp_path / "w.h5", inner)
    assert legacy.is_legacy(old)
    assert same_weights(tiny(weights=old), model) and same_weights(tiny(weights=str(old)), model)
    other = tiny()
    other.load_weights(old)
    assert same_weights(other, model)
    model.save_weights(tmp_path / "w.weights.h5")
    assert same_weights(tiny(weights=tmp_path / "w.weights.h5"), model)


def test_legacy_files_by_name_and_that_do_not_fit(tmp_path: Path) -> None:
    model = tiny()
    set_weights(model)
    path = write_legacy(model, tmp_path / "w.h5")
    features = tiny(include_top=False)
    first = features.get_weights()
    with pytest.raises(WeightsError, match="does not fit"):
        legacy.load(features, path)
    assert all(np.array_equal(a, b) for a, b in zip(first, features.get_weights(), strict=True))
    legacy.load(features, path, by_name=True)
    assert same_weights(features, graphc.Model(model.inputs, model.get_layer("conv_pw_13_relu").output))
    narrow = tiny(classes=10)
    with pytest.raises(WeightsError, match="conv_preds"):
        legacy.load(narrow, path)
    legacy.load(narrow, path, skip_mismatch=True)
    assert np.array_equal(narrow.get_layer("conv1").get_weights()[0], model.get_layer("conv1").get_weights()[0])
    broken = tmp_path / "broken.h5"
    broken.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FileError):
        tiny(weights=broken)
    with h5py.File(path, "a") as file:
        del file["conv1/conv1/kernel:0"]
        file["conv1/conv1/kernel:0"] = h5py.ExternalLink("other.h5", "x")
    with pytest.raises(WeightsError, match="link"):
        tiny(weights=path)


def test_imagenet_weights_are_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    monkeypatch.setattr(pretrained, "_SITE", f"{site.as_uri()}/")
    with pytest.raises(FileError, match="cannot be fetched"):
        applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3), include_top=False)
    model = tiny(include_top=False, input_shape=(128, 128, 3))
    set_weights(model)
    pair = pretrained.FILES["mobilenet_0.25_128"]
    folder = site / pair.folder
    folder.mkdir(parents=True)
    served = write_legacy(model, folder / pair.names[1])
    digest = hashlib.md5(served.read_bytes()).hexdigest()
    for digests in ((("", "")), ("", digest)):
        monkeypatch.setattr(pretrained, "FILES", {"mobilenet_0.25_128": replace(pair, digests=digests), "wrong": pair})
        assert same_weights(applications.MobileNet((128, 128, 3), 0.25, include_top=False), model)
    served.unlink()
    assert same_weights(applications.MobileNet((128, 128, 3), 0.25, include_top=False), model)


def test_a_download_of_other_content_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    monkeypatch.setattr(pretrained, "_SITE", f"{tmp_path.as_uri()}/")
    pair = pretrained.FILES["vgg16"]
    (tmp_path / pair.folder).mkdir(parents=True)
    (tmp_path / pair.folder / pair.names[1]).write_bytes(b"something else")
    with pytest.raises(DataError, match="not the file"):
        pretrained.weights_of("vgg16", with_top=False)
    assert list(cache_folder.iterdir()) == []


def test_all_pretrained_files_have_addresses_and_digests() -> None:
    for key, pair in pretrained.FILES.items():
        assert all(name.endswith(".h5") for name in pair.names)
        assert all(
            len(digest) in ((0,) if key.startswith(("mobilenet_0", "mobilenet_1", "mobilenet_v2")) else (32, 64))
            for digest in pair.digests
        ), key


# ---- images and classes


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 4, 5), (2, 3, 4, 5)])
def test_preprocess_input_equals_keras(mode: str, data_format: str, shape: tuple[int, ...]) -> None:
    axis = len(shape) - 3 if data_format == "channels_first" else -1
    sizes = list(shape)
    sizes[axis] = 3
    x = np.random.default_rng(0).integers(0, 256, sizes)
    expected = keras.applications.imagenet_utils.preprocess_input(x.astype("float32"), data_format, mode)
    for given in (x, x.astype("float32"), graphc.ops.convert_to_tensor(x), graphc.ops.cast(x, "float32")):
        found = imagenet_utils.preprocess_input(given, data_format, mode)
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5, atol=1e-5)
    x64 = x.astype("float64")
    assert imagenet_utils.preprocess_input(x64, data_format, mode).dtype == np.float64
    assert np.array_equal(x64, x)


def test_preprocess_input_of_modules_and_in_models() -> None:
    x = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype("float32")
    for name in applications.__all__:
        module = getattr(applications, name)
        if hasattr(module, "preprocess_input"):
            theirs = getattr(keras.applications, name).preprocess_input
            np.testing.assert_allclose(module.preprocess_input(x), theirs(x.copy()), rtol=1e-5, atol=1e-5)
    image = graphc.Input((4, 4, 3))
    model = graphc.Model(image, applications.vgg16.preprocess_input(image))
    np.testing.assert_allclose(
        model.predict(x, verbose=0), applications.vgg16.preprocess_input(x), rtol=1e-5, atol=1e-4
    )
    with pytest.raises(ArgumentError, match="mode"):
        imagenet_utils.preprocess_input(x, mode="tensorflow")


def test_decode_predictions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache_folder: Path) -> None:
    names = {str(i): [f"n{i:08d}", f"class {i}"] for i in range(1000)}
    content = json.dumps(names).encode()
    digest = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(imagenet_utils, "_CLASS_INDEX", (tmp_path / "x.json").as_uri())
    monkeypatch.setattr(imagenet_utils, "_CLASS_INDEX_SUM", digest)
    predictions = np.random.default_rng(0).uniform(size=(2, 1000)).astype("float32")
    with pytest.raises(FileError, match="cannot be fetched"):
        applications.resnet50.decode_predictions(predictions)
    (tmp_path / "x.json").write_bytes(content)
    for given in (predictions, graphc.ops.convert_to_tensor(predictions)):
        found = applications.resnet50.decode_predictions(given, top=3)
        for row, best in zip(predictions, found, strict=True):
            order = np.argsort(-row)[:3]
            assert best == [(f"n{i:08d}", f"class {i}", row[i]) for i in order]
    assert (cache_folder / "imagenet_class_index.json").read_bytes() == content
    with pytest.raises(ArgumentError, match="predictions"):
        applications.resnet50.decode_predictions(predictions[:, :10])
