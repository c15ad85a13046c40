"""Calls of linear algebra and Fourier transforms that Keras has, too (see `keras_calls`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.keras_calls import Call, Of

REAL = ("float32",)
MATRIX = Of((2, 3, 3))
TALL, WIDE = Of((2, 4, 3)), Of((2, 3, 4))


def safe(x: Any) -> Any:
    """Square matrices far from singular ones."""
    return x + 5 * np.eye(x.shape[-1], dtype="float32")


def positive(o: Any, x: Any) -> Any:
    """Symmetric matrices with positive eigenvalues."""
    return o.matmul(x, o.swapaxes(x, -1, -2)) + 2 * np.eye(x.shape[-1], dtype="float32")


def _on(name: str, *operands: Of, **options: Any) -> dict[str, Call]:
    text = f"{name} of {' '.join(str(of.shape) for of in operands)} {options or ''}".strip()
    return {text: Call(lambda o, *xs: getattr(o, name)(*xs, **options), operands, REAL)}


def _signless(o: Any, u: Any) -> Any:
    """Vectors, of which signs are arbitrary, as their products with themselves."""
    return o.matmul(u, o.swapaxes(u, -1, -2))


def _svd(o: Any, x: Any, **options: Any) -> Any:
    u, s, v = o.svd(x, **options)
    return s, o.matmul(u[..., :, :3] * s[..., None, :3], v[..., :3, :])


def _eig(o: Any, x: Any) -> Any:
    w, _ = o.eig(safe(x))
    # They are in no order: sums of powers.
    real, imag = o.real(w), o.imag(w)
    return o.sum(real, -1), o.sum(real * real - imag * imag, -1)


LINEAR: dict[str, Call] = {
    "solve": Call(lambda o, a, b: o.solve(safe(a), b), (MATRIX, Of((2, 3, 2))), REAL),
    "solve of vectors": Call(lambda o, a, b: o.solve(safe(a)[0], b[0]), (MATRIX, Of((2, 3))), REAL),
    "inv": Call(lambda o, x: o.inv(safe(x)), (MATRIX,), REAL),
    "inv of many": Call(lambda o, x: o.inv(safe(x)), (Of((2, 3, 4, 4)),), REAL),
    "det": Call(lambda o, x: o.det(x), (MATRIX,), REAL),
    "det of a large matrix": Call(lambda o, x: o.det(x), (Of((2, 5, 5)),), REAL),
    "det of a singular matrix": Call(
        lambda o, x: o.det(x * np.array([[[1.0], [1.0], [0.0]]], "float32")), (MATRIX,), REAL
    ),
    "slogdet": Call(lambda o, x: tuple(o.slogdet(safe(x))), (MATRIX,), REAL),
    "logdet": Call(lambda o, x: o.logdet(positive(o, x)), (MATRIX,), REAL),
    "cholesky": Call(lambda o, x: o.cholesky(positive(o, x)), (MATRIX,), REAL),
    "cholesky upper": Call(lambda o, x: o.cholesky(positive(o, x), upper=True), (MATRIX,), REAL),
    # Keras transposes all axes.
    "cholesky_inverse": Call(lambda o, x: o.cholesky_inverse(safe(x)[0]), (MATRIX,), REAL),
    "cholesky_inverse upper": Call(lambda o, x: o.cholesky_inverse(safe(x)[0], upper=True), (MATRIX,), REAL),
    "solve_triangular": Call(lambda o, a, b: o.solve_triangular(safe(a), b, lower=True), (MATRIX, Of((2, 3, 2))), REAL),
    "eigh": Call(lambda o, x: o.eigh(x)[0], (MATRIX,), REAL),
    "eigh, vectors": Call(lambda o, x: _signless(o, o.eigh(x)[1][..., :2]), (MATRIX,), REAL),
    "eigh of the upper triangle": Call(lambda o, x: o.eigh(o.triu(x))[0], (MATRIX,), REAL),
    "eig": Call(_eig, (MATRIX,), REAL, slopes=False),
    "qr": Call(lambda o, x: tuple(o.qr(x)), (TALL,), REAL),
    "qr of squares": Call(lambda o, x: tuple(o.qr(safe(x))), (MATRIX,), REAL),
    "qr of wide matrices": Call(lambda o, x: tuple(o.qr(x)), (WIDE,), REAL, slopes=False),
    "qr complete": Call(lambda o, x: o.qr(x, mode="complete")[1], (TALL,), REAL, slopes=False),
    "svd": Call(lambda o, x: _svd(o, x, full_matrices=False), (TALL,), REAL),
    "svd of wide matrices": Call(lambda o, x: _svd(o, x, full_matrices=False), (WIDE,), REAL),
    "svd of squares": Call(lambda o, x: _svd(o, x), (MATRIX,), REAL),
    "svd, left vectors": Call(lambda o, x: _signless(o, o.svd(x, full_matrices=False)[0][..., :2]), (TALL,), REAL),
    "svd, right vectors": Call(lambda o, x: o.svd(x, full_matrices=False)[2] ** 2, (WIDE,), REAL),
    "svd full": Call(lambda o, x: _svd(o, x), (TALL,), REAL, slopes=False),
    "svd values": Call(lambda o, x: o.svd(x, compute_uv=False), (TALL,), REAL),
    "lu_factor": Call(lambda o, x: tuple(o.lu_factor(x)), (MATRIX,), REAL),
    "lu_factor of tall matrices": Call(lambda o, x: tuple(o.lu_factor(x)), (TALL,), REAL, slopes=False),
    "pinv": Call(lambda o, x: o.pinv(x), (TALL,), REAL),
    "pinv of wide matrices": Call(lambda o, x: o.pinv(x), (WIDE,), REAL),
    "pinv of the identity": Call(lambda o, x: o.pinv(x * 0 + np.eye(3, dtype="float32")), (MATRIX,), REAL),
    "pinv with rcond": Call(lambda o, x: o.pinv(x, rcond=0.5), (TALL,), REAL, slopes=False),
    "lstsq": Call(lambda o, a, b: o.lstsq(a, b), (Of((5, 3)), Of((5, 2))), REAL),
    "lstsq of a vector": Call(lambda o, a, b: o.lstsq(a, b), (Of((5, 3)), Of((5,))), REAL),
    "matrix_rank": Call(lambda o, x: o.matrix_rank(x), (TALL,), REAL),
    "matrix_rank with tol": Call(lambda o, x: o.matrix_rank(x, tol=2.0), (TALL,), REAL),
    "matrix_rank of products": Call(lambda o, x: o.matrix_rank(o.matmul(x, o.swapaxes(x, -1, -2))), (TALL,), REAL),
    **{
        f"norm of matrices {ord} {options}": Call(
            lambda o, x, ord=ord, options=options: o.norm(x, ord=ord, **options), (Of((2, 4, 3)),), REAL
        )
        for ord, options in (
            ("nuc", {"axis": (1, 2)}),
            (2, {"axis": (-1, 1), "keepdims": True}),
            (-2, {"axis": (1, 2)}),
            ("nuc", {"axis": (2, 1), "keepdims": True}),
        )
    },
}

PAIR = (Of((2, 3, 8)), Of((2, 3, 8)))
HALF = (Of((2, 3, 5)), Of((2, 3, 5)))

FOURIER: dict[str, Call] = {
    **{
        f"{name} of {shape}": Call(
            lambda o, x, y, name=name: tuple(getattr(o, name)((x, y))), (Of(shape), Of(shape)), REAL
        )
        for name, shape in (("fft", (2, 3, 8)), ("fft", (2, 7)), ("fft2", (2, 3, 5)), ("ifft2", (2, 4, 1)))
    },
    **_on("rfft", Of((2, 8))),
    **_on("rfft", Of((2, 7))),
    **_on("rfft", Of((2, 3, 8)), fft_length=5),
    **_on("rfft", Of((2, 3, 8)), fft_length=12),
    **{
        f"irfft {length}": Call(lambda o, x, y, length=length: o.irfft((x, y), fft_length=length), HALF, REAL)
        for length in (None, 8, 9, 5, 14)
    },
    **_on("extract_sequences", Of((2, 3, 11)), sequence_length=4, sequence_stride=3),
    **_on("extract_sequences", Of((2, 11)), sequence_length=5, sequence_stride=1),
    **{
        f"stft {options}": Call(lambda o, x, options=options: tuple(o.stft(x, **options)), (Of((2, 40)),), REAL)
        for options in (
            {"sequence_length": 8, "sequence_stride": 3, "fft_length": 8},
            {"sequence_length": 7, "sequence_stride": 4, "fft_length": 10, "window": "hamming"},
            {"sequence_length": 8, "sequence_stride": 8, "fft_length": 16, "window": None, "center": False},
        )
    },
    **{
        f"istft {options}": Call(
            lambda o, x, y, options=options: o.istft((x, y), **options), (Of((2, 6, 5)), Of((2, 6, 5))), REAL
        )
        for options in (
            {"sequence_length": 8, "sequence_stride": 3, "fft_length": 8},
            {"sequence_length": 6, "sequence_stride": 2, "fft_length": 8, "window": "hamming", "center": False},
            {"sequence_length": 8, "sequence_stride": 4, "fft_length": 8, "window": None, "length": 11},
        )
    },
}

TABLES = {"linear": LINEAR, "fourier": FOURIER}
