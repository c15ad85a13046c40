"""What the table beside Keras leaves out: gradients that JAX lacks, no solutions, large sizes, unknown ones, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import ops
from graphc.errors import ArgumentError, DTypeError, GraphcError, ShapeError

RNG = np.random.default_rng(0)
SQUARES = RNG.normal(size=(2, 4, 4)).astype("float32")


def slope(function: Callable[[Any], Any], x: Any) -> Any:
    return graphc.grad(lambda a: ops.sum(function(a)))(x).numpy()


def quotient(function: Callable[[Any], Any], x: Any) -> Any:
    """The difference quotients by each element, in double precision."""
    found = np.zeros(x.shape)
    with graphc.config.override(floatx="float64"):
        for place in np.ndindex(x.shape):
            ends = []
            for sign in (1, -1):
                moved = x.astype("float64")
                moved[place] += sign * 1e-5
                ends.append(float(ops.sum(function(ops.convert_to_tensor(moved, "float64"))).numpy()))
            found[place] = (ends[0] - ends[1]) / 2e-5
    return found


GRADIENTS: dict[str, Callable[[Any], Any]] = {
    "eig": lambda x: ops.real(ops.eig(x)[0]) ** 3,
    "eig, imaginary": lambda x: ops.imag(ops.eig(x)[0]) ** 2,
    "eigh": lambda x: ops.eigh(x)[0] ** 3,
    "qr": lambda x: ops.qr(x)[0] ** 3 + ops.qr(x)[1] ** 2,
    "svd": lambda x: ops.svd(x)[0] ** 2 * ops.svd(x)[2] ** 4,
    "cholesky_inverse": ops.cholesky_inverse,
    "logdet": ops.logdet,
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    function = GRADIENTS[name]
    x = SQUARES[0] + 3 * np.diag([1.0, 2.0, 3.0, 4.0]).astype("float32")
    wanted = quotient(function, x)
    np.testing.assert_allclose(slope(function, x), wanted, rtol=2e-2, atol=2e-3 * np.abs(wanted).max())


def test_second_derivatives_of_determinants() -> None:
    x = SQUARES[0].astype("float32")
    found = graphc.hessian(ops.det)(x).numpy()
    inverse = np.linalg.inv(x.astype("float64"))
    by_formula = np.linalg.det(x) * (
        np.einsum("ba,dc->abcd", inverse, inverse) - np.einsum("bc,da->abcd", inverse, inverse)
    )
    np.testing.assert_allclose(found, by_formula, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_determinants_of_any_rank_have_gradients(rank: int) -> None:
    x = np.diag([1.0] * rank + [0.0] * (3 - rank)).astype("float32")
    expected = np.diag([0.0, 0.0, 1.0]) if rank == 2 else np.eye(3) * (rank == 3)
    np.testing.assert_allclose(slope(ops.det, x), expected, atol=1e-6)


def test_without_a_solution() -> None:
    singular = np.stack([np.ones((2, 2)), np.eye(2)]).astype("float32")
    found = ops.inv(singular).numpy()
    assert not np.isfinite(found[0]).all() and np.array_equal(found[1], np.eye(2))
    assert ops.slogdet(singular)[1].numpy()[0] == -np.inf
    holes = np.full((2, 2), np.nan, "float32")
    for result in (ops.svd(holes, compute_uv=False), ops.pinv(holes), ops.eig(holes)[0], ops.matrix_rank(holes)):
        assert np.isnan(result.numpy()).all() or result.dtype == "int32"


def test_symmetric_factors_of_large_batches() -> None:
    x = RNG.normal(size=(50, 6, 6)).astype("float32")
    w, v = ops.eigh(x + x.swapaxes(-1, -2))
    np.testing.assert_allclose((v * w[:, None, :]) @ np.swapaxes(v.numpy(), -1, -2), x + x.swapaxes(-1, -2), atol=1e-4)
    lu, pivots = ops.lu_factor(x)
    assert lu.shape == x.shape and pivots.dtype == "int32"
    mapped = ops.vectorized_map(ops.det, x).numpy()
    np.testing.assert_allclose(mapped, np.linalg.det(x), rtol=1e-4)


def test_halves_and_integers_are_factored_in_float32() -> None:
    assert ops.det(np.array([[2, 0], [0, 3]])).numpy() == 6
    assert ops.inv(np.eye(2, dtype="float16")).dtype == "float32"


def test_forward_mode_with_more_results() -> None:
    value, change, aux = ops.jvp(lambda x: (ops.sin(x), "kept"), (np.float32(0.0),), (np.float32(2.0),), has_aux=True)
    assert (float(value), float(change), aux) == (0.0, 2.0, "kept")
    assert ops.linalg.jvp is ops.jvp is graphc.jvp


# ---- images


def test_resize_of_unknown_sizes_equals_that_of_known_ones() -> None:
    image = graphc.Input((None, None, 3))
    outputs = [
        ops.image.resize(image, (7, 9), interpolation, antialias=antialias)
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3")
        for antialias in (False, True)
    ]
    model = graphc.Model(image, outputs)
    assert outputs[0].shape == (None, 7, 9, 3)
    with graphc.backend("numpy"):
        for size in ((5, 6), (20, 4)):
            x = RNG.uniform(size=(2, *size, 3)).astype("float32")
            alone = graphc.Model(
                inner := graphc.Input((*size, 3)),
                [
                    ops.image.resize(inner, (7, 9), interpolation, antialias=antialias)
                    for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3")
                    for antialias in (False, True)
                ],
            )
            for a, b in zip(model(x), alone(x), strict=True):
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


def test_integers_are_rounded_and_stay_in_range() -> None:
    x = np.array([0, 255, 0, 255], "uint8").reshape(1, 1, 4, 1)
    found = ops.image.resize(x, (1, 9), "bicubic")
    assert found.dtype == "uint8" and found.numpy().max() == 255 and found.numpy().min() == 0
    gray = ops.image.rgb_to_grayscale(np.full((2, 2, 3), 200, "uint8"))
    assert gray.dtype == "uint8" and abs(int(gray.numpy()[0, 0, 0]) - 200) <= 1


def test_large_images_are_summed_from_neighbours_as_by_a_matrix() -> None:
    waves = np.sin(np.arange(64) / 9)[:, None] * np.cos(np.arange(48) / 7)[None, :]
    x = waves.astype("float32").reshape(1, 64, 48, 1)
    for interpolation in ("bilinear", "bicubic", "lanczos3"):
        larger = ops.image.resize(x, (128, 96), interpolation)
        smaller = ops.image.resize(larger, (64, 48), interpolation, antialias=True)
        np.testing.assert_allclose(smaller.numpy()[:, 4:-4, 4:-4], x[:, 4:-4, 4:-4], atol=0.02)
    constant = ops.image.resize(np.ones((1, 33, 57, 1), "float32"), (100, 11), "lanczos5", antialias=True)
    np.testing.assert_allclose(constant.numpy(), 1, rtol=1e-5)


def test_elastic_transform() -> None:
    x = RNG.uniform(size=(2, 12, 10, 3)).astype("float32")
    first, again = (ops.image.elastic_transform(x, alpha=8.0, sigma=2.0, seed=1).numpy() for _ in range(2))
    assert np.array_equal(first, again) and first.shape == x.shape and not np.allclose(first, x)
    assert not np.allclose(first[0], ops.image.elastic_transform(x[:1], alpha=8.0, sigma=2.0, seed=2).numpy()[0])
    assert np.array_equal(ops.image.elastic_transform(x, alpha=0.0, seed=1).numpy(), x)
    whole = ops.image.elastic_transform((x * 255).astype("uint8"), seed=3, data_format="channels_last")
    assert whole.dtype == "uint8"
    assert ops.image.elastic_transform(graphc.Input((12, 10, 3)), seed=1).shape == (None, 12, 10, 3)


def test_a_projection_is_divided_by_its_depth() -> None:
    x = np.arange(25.0, dtype="float32").reshape(5, 5, 1)
    halved = ops.image.affine_transform(x, [1.0, 0, 0, 0, 1.0, 0, 1.0, 0]).numpy()[..., 0]
    # The pixel (x, y) is that at (x / (x + 1), y / (x + 1)).
    assert halved[0, 0] == 0 and np.isclose(halved[4, 1], 4 / 2 * 5 + 0.5)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_compiled_images_are_those_of_eager_calls(backend: str) -> None:
    def run(x: Any) -> Any:
        turned = ops.image.affine_transform(x, [0.9, 0.3, 0.1, -0.2, 1.1, 0.4, 0.0, 0.0], fill_mode="reflect")
        blurred = ops.image.gaussian_blur(ops.image.resize(turned, (9, 7), "bicubic"), (3, 5))
        return (
            blurred,
            ops.image.extract_patches(x, 2),
            ops.image.rgb_to_hsv(x),
            graphc.grad(lambda a: ops.sum(turn(a)))(x),
        )

    def turn(x: Any) -> Any:
        return ops.image.resize(ops.image.sobel_edges(x)[..., 0], (4, 4)) ** 2

    x = RNG.uniform(size=(2, 6, 8, 3)).astype("float32")
    with graphc.backend(backend):
        found = graphc.function(run)(x)
    for a, b in zip(found, run(x), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-4)


WRONG: dict[str, tuple[Callable[[], Any], type[GraphcError], str]] = {
    "resize method": (lambda: ops.image.resize(np.ones((2, 2, 1)), (2, 2), "cubic"), ArgumentError, "interpolation"),
    "resize both": (
        lambda: ops.image.resize(np.ones((2, 2, 1)), (2, 2), "nearest", False, True, True),
        ArgumentError,
        "either cropped or padded",
    ),
    "resize rank": (lambda: ops.image.resize(np.ones((2, 2)), (2, 2)), ShapeError, "rank 3 or rank 4"),
    "resize size": (lambda: ops.image.resize(np.ones((2, 2, 1)), (2, 0)), ArgumentError, "positive"),
    "pad of three": (lambda: ops.image.pad_images(np.ones((2, 2, 1)), 1, 1, 1, 1, 4, 4), ArgumentError, "exactly two"),
    "crop of too much": (lambda: ops.image.crop_images(np.ones((2, 2, 1)), 2, 0, 1, 0), ArgumentError, "target_height"),
    "channels": (lambda: ops.image.rgb_to_hsv(np.ones((2, 2, 4))), ShapeError, "3 channels"),
    "coordinates": (lambda: ops.image.map_coordinates(np.ones((2, 2)), np.ones((3, 4)), 1), ShapeError, "each axis"),
    "order": (lambda: ops.image.map_coordinates(np.ones((2, 2)), np.ones((2, 4)), 3), ArgumentError, "order"),
    "transform": (lambda: ops.image.affine_transform(np.ones((2, 2, 1)), np.ones(6)), ShapeError, "8 numbers"),
    "transforms": (
        lambda: ops.image.affine_transform(np.ones((3, 2, 2, 1)), np.ones((2, 8))),
        ShapeError,
        "each image",
    ),
    "points": (
        lambda: ops.image.perspective_transform(np.ones((2, 2, 1)), np.ones((3, 2)), np.ones((3, 2))),
        ShapeError,
        "four",
    ),
    "patch": (lambda: ops.image.extract_patches(np.ones((2, 2, 1)), (1, 2, 3, 4)), ArgumentError, "size of a patch"),
    "square": (lambda: ops.det(np.ones((2, 3))), ShapeError, "square"),
    "right side": (lambda: ops.solve(np.eye(3), np.ones(2)), ShapeError, "does not fit"),
    "lstsq": (lambda: ops.lstsq(np.ones((3, 2)), np.ones(2)), ShapeError, "lstsq"),
    "qr mode": (lambda: ops.qr(np.eye(2), mode="full"), ArgumentError, "mode"),
    "rank": (lambda: ops.matrix_rank(np.ones(3)), ShapeError, "takes matrices"),
    "norm": (lambda: ops.norm(np.eye(2), ord=3), ArgumentError, "no such norm"),
    "no pair": (lambda: ops.fft(np.ones(4)), ArgumentError, "tuple of two"),
    "pair of shapes": (lambda: ops.fft((np.ones(4), np.ones(3))), ShapeError, "same shape"),
    "short signal": (lambda: ops.extract_sequences(np.ones(3), 4, 1), ShapeError, "shorter"),
    "stft dtype": (lambda: ops.stft(np.ones(8, "int32"), 4, 2, 4), DTypeError, "float32"),
    "window": (lambda: ops.stft(np.ones(8, "float32"), 4, 2, 4, window="box"), ArgumentError, "window"),
    "window length": (lambda: ops.stft(np.ones(8, "float32"), 4, 2, 4, window=np.ones(3)), ShapeError, "length"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name: str) -> None:
    call, kind, message = WRONG[name]
    with pytest.raises(kind, match=message) as caught:
        call()
    assert "test_matrices_and_images.py" in str(caught.value)


def test_factors_without_gradients() -> None:
    wide = RNG.normal(size=(2, 3)).astype("float32")
    with pytest.raises(ArgumentError, match="no gradient"):
        slope(lambda x: ops.qr(x)[0], wide)
    with pytest.raises(ArgumentError, match="no gradient"):
        slope(lambda x: ops.svd(x)[2], wide)
    with pytest.raises(ArgumentError, match="no gradient"):
        slope(lambda x: ops.real(ops.eig(x)[1]), SQUARES[0])


def test_signals_come_back() -> None:
    x = RNG.normal(size=(2, 50)).astype("float32")
    for window in ("hann", "hamming", np.hanning(12)):
        found = ops.istft(ops.stft(x, 12, 4, 16, window=window), 12, 4, 16, length=50, window=window)
        np.testing.assert_allclose(found.numpy()[:, 2:-8], x[:, 2:-8], atol=1e-5)
    np.testing.assert_allclose(ops.irfft(ops.rfft(x[:, :49]), 49).numpy(), x[:, :49], atol=1e-5)
