"""Losses of embeddings, of wrong labels and of sequences, beside Keras; configurations keep all arguments."""

from __future__ import annotations

import os
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, CallError, ShapeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(6, 4)).astype("float32")
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
LABELS = np.array([0, 1, 0, 2, 1, 0])
PROBABILITIES = RNG.dirichlet(np.ones(3), 6).astype("float32")
LOGITS = RNG.normal(size=(2, 5, 4)).astype("float32")
CASES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("Circle", {}, LABELS, VECTORS),
    ("Circle", {"gamma": 2.0, "margin": 0.2}, LABELS, VECTORS),
    ("Circle", {"remove_diagonal": False, "gamma": 3.0}, LABELS[:, None], VECTORS),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.3}, LABELS, PROBABILITIES),
    ("CTC", {}, np.array([[1, 2, 0], [3, 0, 0]]), LOGITS),
    ("Huber", {"delta": 0.3}, PROBABILITIES[:, :1], PROBABILITIES[:, 1:2]),
    ("CosineSimilarity", {"axis": 0}, VECTORS, VECTORS[::-1]),
    ("SparseCategoricalCrossentropy", {"axis": 1}, LABELS, PROBABILITIES),
    ("Dice", {"axis": (1,)}, VECTORS, VECTORS[::-1]),
    ("Tversky", {"alpha": 0.2, "beta": 0.8}, np.eye(3)[LABELS], PROBABILITIES),
    ("Tversky", {"alpha": 0.9, "beta": 0.3, "axis": (1,)}, np.eye(3)[LABELS], PROBABILITIES),
    (
        "BinaryFocalCrossentropy",
        {"alpha": 0.7, "gamma": 1.5, "apply_class_balancing": True},
        np.eye(3)[LABELS],
        PROBABILITIES,
    ),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2, "axis": 0}, np.eye(3)[LABELS], VECTORS[:, :3]),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, np.eye(3)[LABELS], VECTORS[:, :3]),
    ("CategoricalFocalCrossentropy", {"alpha": 0.4, "gamma": 1.0}, np.eye(3)[LABELS], PROBABILITIES),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, LABELS, VECTORS[:, :3]),
    ("Tversky", {}, VECTORS, VECTORS[::-1]),
    ("LogCosh", {}, 300 * VECTORS, -300 * VECTORS),
]


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "arguments", "y_true", "y_pred"), CASES, ids=[f"{c[0]}{i}" for i, c in enumerate(CASES)]
)
def test_losses(name: str, arguments: dict[str, Any], y_true: Any, y_pred: Any, reduction: str) -> None:
    mine, theirs = (getattr(k.losses, name)(**arguments, reduction=reduction) for k in (graphc, keras))
    again = type(mine).from_config(mine.get_config())
    for loss in (mine, again):
        np.testing.assert_allclose(np.asarray(loss(y_true, y_pred)), np.asarray(theirs(y_true, y_pred)), rtol=1e-4)


WEIGHTED = [
    (masked, shape, reduction)
    for masked, shape, reduction in product(
        (False, True), (None, (6,), (6, 1), ()), ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none")
    )
    # Keras cannot combine a mask with one weight, or divides by a sum of weights that is not that of the losses.
    if not ((masked and shape == ()) or (reduction == "mean_with_sample_weight" and (masked or shape == ())))
]


@pytest.mark.parametrize("name", ["Dice", "Tversky", "MeanSquaredError", "SparseCategoricalCrossentropy"])
@pytest.mark.parametrize(("masked", "shape", "reduction"), WEIGHTED)
def test_weights_and_masks(name: str, shape: tuple[int, ...] | None, reduction: str, masked: bool) -> None:
    """Weights of samples, also where a loss is one number for all of them; and masks of predictions."""
    weight = None if shape is None else RNG.random(shape).astype("float32")
    results = []
    for library in (graphc, keras):
        predicted = library.ops.convert_to_tensor(PROBABILITIES)
        if masked:
            set_mask = graphc.tracing.set_mask if library is graphc else keras.src.backend.set_keras_mask
            set_mask(predicted, library.ops.convert_to_tensor(LABELS > 0))
        loss = getattr(library.losses, name)(reduction=reduction)
        targets = LABELS if name.startswith("Sparse") else np.eye(3, dtype="float32")[LABELS]
        results.append(np.asarray(loss(targets, predicted, sample_weight=weight)))
    np.testing.assert_allclose(*results, rtol=1e-4)


def test_training_with_the_circle_loss() -> None:
    model = graphc.Sequential([graphc.Input((4,)), graphc.layers.Dense(3), graphc.layers.UnitNormalization()])
    model.compile(graphc.optimizers.Adam(0.05), graphc.losses.Circle(gamma=8.0))
    history = model.fit(VECTORS, LABELS, epochs=30, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < 0.5 * history[0]


def test_arguments_come_in_order() -> None:
    assert graphc.losses.MeanSquaredError("sum").reduction == "sum"
    assert graphc.losses.Huber(0.5, "none", "h").get_config() == {"name": "h", "reduction": "none", "delta": 0.5}
    with pytest.raises(CallError, match="no such argument"):
        graphc.losses.MeanSquaredError(delta=3)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        graphc.losses.CategoricalGeneralizedCrossEntropy(1.5)
    with pytest.raises(ShapeError, match="rank"):
        graphc.losses.CTC()(LABELS, LOGITS)
