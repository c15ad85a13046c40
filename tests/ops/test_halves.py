"""Sums, means and counts of halves are formed in float32: more than 65,504 elements, which float16 cannot count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphc
from graphc import constraints, dtypes, layers, losses, metrics, ops, regularizers
from graphc.tracing import Tensor, Variable
from tests.tapes import gradients_of

N = 70_000
DTYPES = ("float16", "bfloat16")
BACKENDS = ("numpy", "cpu")
RNG = np.random.default_rng(0)
ROW = RNG.uniform(0.1, 0.9, (2, N)).astype("float32")
TARGET = (RNG.uniform(size=(2, N)) < 0.5).astype("float32")
WEIGHT = RNG.uniform(0.5, 1.5, (2, N)).astype("float32")
IMAGE = RNG.uniform(0.1, 0.9, (1, 280, 250, 1)).astype("float32")

Case = Callable[..., Any]
OF_ONE: dict[str, Case] = {
    "mean": lambda x: ops.mean(x, axis=1),
    "mean of all": lambda x: ops.mean(x),
    "var": lambda x: ops.var(x, axis=1),
    "std": lambda x: ops.std(x, axis=1, keepdims=True),
    "moments": lambda x: ops.stack(ops.moments(x, [1])),
    "logsumexp": lambda x: ops.logsumexp(x, axis=1),
    "log_softmax": lambda x: ops.log_softmax(x),
    "softmax": lambda x: ops.softmax(x) * 1000,
    "norm": lambda x: ops.norm(x, axis=1),
    "norm 1": lambda x: ops.norm(x, 1, axis=1) / 1000,
    "norm 3": lambda x: ops.norm(x, 3, axis=1),
    "normalize": lambda x: ops.normalize(x, axis=1),
    "normalize 3": lambda x: ops.normalize(x, axis=1, order=3),
    "layer_normalization": lambda x: ops.layer_normalization(x),
    "rms_normalization": lambda x: ops.rms_normalization(x),
    "large rms_normalization": lambda x: ops.rms_normalization(x * 1000),
    "large normalize": lambda x: ops.normalize(x * 1000, axis=1),
    "large norm": lambda x: ops.norm(x * 100, axis=1),
    "batch_normalization": lambda x: ops.batch_normalization(x * 64, ops.ones((N,)) * 32, ops.ones((N,)) * 100, axis=1),
    "cosine of itself": lambda x: losses.cosine_similarity(x, x),
    "L1": lambda x: regularizers.L1(1e-3)(x),
    "L2": lambda x: regularizers.L2(1e-3)(x),
    "L1L2": lambda x: regularizers.L1L2(1e-3, 1e-3)(x),
    "MaxNorm": lambda x: constraints.MaxNorm(1.0, axis=1)(x * 10),
    "global average": lambda x: layers.GlobalAveragePooling1D(dtype=x.dtype)(ops.expand_dims(x, -1)),
    "global average of steps": lambda x: layers.GlobalAveragePooling1D(dtype=x.dtype)(
        ops.expand_dims(x, -1), mask=ops.greater(x, 0.2)
    ),
    "layer Softmax": lambda x: layers.Softmax(dtype=x.dtype)(x) * 1000,
    "UnitNormalization": lambda x: layers.UnitNormalization(dtype=x.dtype)(x * 1000),
    "attention": lambda x: ops.dot_product_attention(
        ops.ones((1, 1, 1, 1), x.dtype), ops.reshape(x[0], (1, N, 1, 1)), ops.reshape(x[1], (1, N, 1, 1))
    ),
}
OF_IMAGES: dict[str, Case] = {
    "average_pool": lambda x: ops.average_pool(x, (280, 250)),
    "average_pool same": lambda x: ops.average_pool(x, (280, 250), 100, "same"),
    "GlobalAveragePooling2D": lambda x: layers.GlobalAveragePooling2D(dtype=x.dtype)(x),
}
OF_TWO: dict[str, Case] = {
    "average": lambda x, y, w: ops.average(x, axis=1, weights=w),
    **{
        name: (lambda x, y, w, name=name: getattr(losses, name)(y, x))
        for name in (
            "mean_squared_error",
            "mean_absolute_error",
            "mean_squared_logarithmic_error",
            "huber",
            "log_cosh",
            "poisson",
            "hinge",
            "squared_hinge",
            "categorical_hinge",
            "binary_crossentropy",
            "binary_focal_crossentropy",
            "cosine_similarity",
            "dice",
            "tversky",
        )
    },
    "kl_divergence": lambda x, y, w: losses.kl_divergence(x, x * 0.9) / 100,
    "categorical_crossentropy": lambda x, y, w: losses.categorical_crossentropy(y * 2.0**-10, x),
    "categorical_focal_crossentropy": lambda x, y, w: losses.categorical_focal_crossentropy(y * 2.0**-10, x),
    "categorical_crossentropy of logits": lambda x, y, w: losses.categorical_crossentropy(
        y * 2.0**-10, x, from_logits=True
    ),
    "sparse_categorical_crossentropy": lambda x, y, w: losses.sparse_categorical_crossentropy([3, 60_000], x),
    "sparse_categorical_crossentropy of logits": lambda x, y, w: losses.sparse_categorical_crossentropy(
        [3, 60_000], x, from_logits=True
    ),
    **{
        f"Loss {reduction}": (
            lambda x, y, w, reduction=reduction: losses.MeanAbsoluteError(reduction=reduction, dtype=x.dtype)(
                ops.reshape(y, (-1, 1)), ops.reshape(x, (-1, 1)), ops.reshape(w, (-1,))
            )
        )
        for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight")
    },
}


def results(backend: str, dtype: str) -> list[Any]:
    """All cases in one graph, of numbers that the halves have, in a dtype."""

    def run(*arrays: Tensor) -> list[Tensor]:
        x, y, w, image = (ops.cast(array, dtype) for array in arrays)
        found = [case(x) for case in OF_ONE.values()] + [case(image) for case in OF_IMAGES.values()]
        return found + [case(x, y, w) for case in OF_TWO.values()]

    inputs = (array.astype(dtypes.bfloat16.numpy).astype("float32") for array in (ROW, TARGET, WEIGHT, IMAGE))
    with graphc.backend(backend):
        return [t.numpy() for t in graphc.function(run)(*inputs)]


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    return results("numpy", "float32")


def close(found: Any, expected: Any, name: str) -> None:
    """Within three steps of the dtype: the case itself may round twice or thrice."""
    assert np.isfinite(expected).all(), name
    # Sums of so many float32 differ by their order.
    step = max(float(ml_dtypes.finfo(found.dtype).eps), 1e-6)
    np.testing.assert_allclose(found.astype("float32"), expected, rtol=3 * step, atol=3 * step, err_msg=name)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_as_float32_gives_it(backend: str, dtype: str, expected: list[Any]) -> None:
    for name, a, b in zip([*OF_ONE, *OF_IMAGES, *OF_TWO], results(backend, dtype), expected, strict=True):
        wanted = "float32" if name.startswith("sparse") else dtype
        assert a.dtype == dtypes.as_dtype(wanted).numpy, name
        close(a, b, name)


def gradient(backend: str, function: Case, start: Any) -> Any:
    variable = Variable(start)

    def run() -> list[Tensor]:
        return gradients_of(lambda: ops.cast(function(variable.value), "float32"), [variable])

    with graphc.backend(backend):
        return graphc.function(run)()[0].numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_count_in_float32(backend: str, dtype: str) -> None:
    kind = dtypes.as_dtype(dtype).numpy
    scale = 1000.0
    for name, function, start, expected in (
        ("ties of max", lambda x: ops.max(x) * scale, np.ones(N), scale / N),
        ("ties of min", lambda x: ops.min(x) * scale, np.ones(N), scale / N),
        ("mean", lambda x: ops.mean(x) * scale, np.ones(N), scale / N),
        ("norm", lambda x: ops.norm(x), np.ones(N), N**-0.5),
        ("logsumexp", lambda x: ops.logsumexp(x) * scale, np.ones(N), scale / N),
        ("pool", lambda x: ops.average_pool(x, N)[0, 0, 0] * scale, np.ones((1, N, 1)), scale / N),
    ):
        found = gradient(backend, function, start.astype(kind))
        close(found, np.full(found.shape, expected, "float32"), name)


@pytest.mark.parametrize("name", ["Group", "Layer", "Batch", "RMS", "Unit"])
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_normalization_layers_take_what_halves_cannot_hold(name: str, dtype: str) -> None:
    x = np.linspace(60_000, 70_000, 64, dtype="float32").reshape(2, 4, 8)
    arguments = {"groups": 2} if name == "Group" else {}
    layer, wide = (getattr(layers, f"{name}Normalization")(dtype=d, **arguments) for d in (dtype, "float32"))
    training = {"training": True} if name == "Batch" else {}
    found, expected = layer(x, **training), wide(x, **training)
    assert found.dtype == dtype.removeprefix("mixed_")
    close(found.numpy(), expected.numpy(), name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_metrics_count_in_float32(dtype: str) -> None:
    ones = np.ones((N, 1), "float32")
    for metric, values in ((metrics.Mean(dtype=dtype), (ones,)), (metrics.BinaryAccuracy(dtype=dtype), (ones, ones))):
        for _ in range(3):
            metric.update_state(*values)
        assert float(metric.result()) == 1
    positives = metrics.TruePositives(dtype=dtype)
    positives.update_state(np.ones(N), np.ones(N))
    assert float(positives.result()) == N
    assert positives.dtype == dtype
