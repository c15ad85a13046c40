"""Metrics beside Keras: results with weights and over batches, variables, configurations, names and errors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.errors import ArgumentError, CallError, ShapeError, StateError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
BINARY = (RNG.integers(0, 2, 40), RNG.random(40).astype("float32"))
# Predictions at thresholds, at both ends and beyond.
EDGES = (np.array([0, 1, 0, 1, 1, 0, 1, 0]), np.array([0, 0, 0.5, 0.5, 1, 1, 1.5, -0.5], "float32"))
LABELS = (RNG.integers(0, 2, (20, 3)), RNG.random((20, 3)).astype("float32"))
ONE_HOT = (np.eye(4, dtype="float32")[RNG.integers(0, 4, 30)], RNG.dirichlet(np.ones(4), 30).astype("float32"))
SPARSE = (RNG.integers(0, 4, 30), ONE_HOT[1])
CLASSES = (RNG.integers(-1, 4, (6, 5)), RNG.integers(0, 5, (6, 5)))
REAL = (RNG.normal(size=(20, 3)).astype("float32"), RNG.normal(size=(20, 3)).astype("float32"))
SIGNS = (np.sign(REAL[0]), REAL[1])
POSITIVE = (np.abs(REAL[0]) + 0.1, np.abs(REAL[1]) + 0.1)

CASES: list[tuple[str, dict[str, Any], tuple[Any, Any]]] = [
    *(("AUC", {"curve": curve}, BINARY) for curve in ("ROC", "PR", "PRGAIN", "roc")),
    *(("AUC", {"curve": c, "summation_method": m}, EDGES) for c in ("ROC", "PR") for m in ("minoring", "majoring")),
    ("AUC", {"curve": "PRGAIN", "summation_method": "Majoring", "num_thresholds": 3}, BINARY),
    ("AUC", {"thresholds": [0.7, 0.2, 0.25]}, BINARY),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75], "name": "mine"}, EDGES),
    ("AUC", {"from_logits": True, "num_thresholds": 20}, (BINARY[0], BINARY[1] * 4 - 2)),
    ("AUC", {"multi_label": True}, LABELS),
    ("AUC", {"multi_label": True, "num_labels": 3, "curve": "PR"}, LABELS),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 0.0, 3.0], "thresholds": [0.1, 0.6]}, LABELS),
    ("AUC", {"label_weights": [1.0, 0.5, 3.0]}, LABELS),
    *(("SensitivityAtSpecificity", {"specificity": v}, BINARY) for v in (0.0, 0.4, 1.0)),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 10}, BINARY),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 1, "name": "s"}, BINARY),
    ("PrecisionAtRecall", {"recall": 0.7, "class_id": 1}, LABELS),
    ("RecallAtPrecision", {"precision": 0.6}, BINARY),
    ("RecallAtPrecision", {"precision": 0.5, "num_thresholds": 3}, EDGES),
    *((name, {}, BINARY) for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")),
    *((name, {"thresholds": [0.2, 0.5, 0.9]}, EDGES) for name in ("TruePositives", "FalseNegatives", "Precision")),
    *((name, {"thresholds": [0.0, 0.5, 1.0]}, EDGES) for name in ("TruePositives", "TrueNegatives", "Recall")),
    ("Precision", {"top_k": 2}, ONE_HOT),
    ("Precision", {"class_id": 2, "thresholds": 0.3}, ONE_HOT),
    ("Recall", {"top_k": 1, "class_id": 1}, ONE_HOT),
    ("Recall", {"top_k": 3, "thresholds": [0.1, 0.4]}, ONE_HOT),
    ("Precision", {"top_k": 2}, BINARY),
    *(("F1Score", {"average": a, "threshold": 0.4}, LABELS) for a in (None, "micro", "macro", "weighted")),
    ("F1Score", {}, ONE_HOT),
    ("FBetaScore", {"beta": 2.0, "average": "weighted"}, ONE_HOT),
    ("FBetaScore", {"beta": 0.5, "threshold": 0.3, "dtype": "float32"}, LABELS),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, CLASSES),
    ("IoU", {"num_classes": 4, "target_class_ids": (3,), "ignore_class": 1}, CLASSES),
    ("IoU", {"num_classes": 4, "target_class_ids": [0], "sparse_y_pred": False}, SPARSE),
    ("BinaryIoU", {}, BINARY),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3, "dtype": "float32"}, BINARY),
    ("MeanIoU", {"num_classes": 5}, CLASSES),
    ("MeanIoU", {"num_classes": 5, "ignore_class": 0, "name": "m"}, CLASSES),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [1, 3]}, ONE_HOT),
    ("OneHotMeanIoU", {"num_classes": 4}, ONE_HOT),
    ("OneHotMeanIoU", {"num_classes": 4, "sparse_y_pred": True, "axis": -1}, (ONE_HOT[0], SPARSE[0][::-1])),
    *(("R2Score", {"class_aggregation": a}, REAL) for a in (None, "uniform_average", "variance_weighted_average")),
    ("R2Score", {"num_regressors": 4}, REAL),
    ("PearsonCorrelation", {}, REAL),
    ("PearsonCorrelation", {"axis": 0, "name": "p"}, REAL),
    ("ConcordanceCorrelation", {}, REAL),
    ("Accuracy", {}, (SPARSE[0][:, None], SPARSE[0][::-1, None])),
    ("BinaryAccuracy", {"threshold": 0.3}, LABELS),
    ("CategoricalAccuracy", {}, ONE_HOT),
    ("SparseCategoricalAccuracy", {}, SPARSE),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, SPARSE),
    *((name, {}, REAL) for name in ("MeanSquaredError", "MeanAbsoluteError", "RootMeanSquaredError", "LogCoshError")),
    *((name, {}, POSITIVE) for name in ("MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Poisson")),
    *((name, {}, SIGNS) for name in ("Hinge", "SquaredHinge", "CategoricalHinge")),
    ("CosineSimilarity", {"axis": 0}, REAL),
    ("KLDivergence", {}, ONE_HOT),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, (LABELS[0], REAL[1])),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, SPARSE),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(CASES)]
# Arguments that Keras's configurations lose.
_LOST = {"SparseTopKCategoricalAccuracy": {"from_sorted_ids"}, "CosineSimilarity": {"axis"}}
_INTEGER = {"IoU", "BinaryIoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"}
# In Keras, weights of several labels must be given for each.
_FLATTENED = {"IoU", "MeanIoU"}


def _made(name: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
    return tuple(getattr(library.metrics, name)(**arguments) for library in (graphc, keras))  # type: ignore[return-value]


def _numbers(result: Any) -> np.ndarray:
    return np.asarray(result)


@pytest.mark.parametrize(
    ("name", "arguments", "data", "weighted"),
    [
        pytest.param(*case, weighted, id=f"{key}-{weighted}")
        for key, case in zip(IDS, CASES, strict=True)
        for weighted in (False, True)
        if not weighted or case[1].get("axis") != 0  # there is one value for each column, not for each sample
    ],
)
def test_results(name: str, arguments: dict[str, Any], data: tuple[Any, Any], weighted: bool) -> None:
    mine, theirs = _made(name, arguments)
    y_true, y_pred = data
    weight = None
    if weighted:
        shape = y_true.shape if name in _FLATTENED else y_true.shape[:1]
        weight = RNG.integers(0, 3, shape)
        weight = weight if name in _INTEGER else weight.astype("float32")
    for part in (slice(0, 3), slice(3, None)):
        w = None if weight is None else weight[part]
        for metric in (mine, theirs):
            metric.update_state(y_true[part], y_pred[part], sample_weight=w)
        np.testing.assert_allclose(_numbers(mine.result()), _numbers(theirs.result()), rtol=2e-5, atol=1e-6)
    assert [(v.name, tuple(v.shape), v.dtype) for v in mine.variables] == [
        (v.name, tuple(v.shape), v.dtype) for v in theirs.variables
    ]
    for v, w in zip(mine.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), np.asarray(w), rtol=1e-4, atol=1e-4)
    mine.reset_state()
    assert all(not v.numpy().any() for v in mine.variables)


@pytest.mark.parametrize(("name", "arguments", "data"), CASES, ids=IDS)
def test_configurations(name: str, arguments: dict[str, Any], data: tuple[Any, Any]) -> None:
    mine, theirs = _made(name, {"name": "known", **arguments})
    config, wanted = mine.get_config(), theirs.get_config()
    weights = wanted.get("label_weights")
    if weights is not None:  # an array there
        wanted["label_weights"] = np.asarray(weights).tolist()
    assert config.items() >= wanted.items() and config.keys() - wanted.keys() <= _LOST.get(name, set())
    again = graphc.metrics.deserialize(graphc.metrics.serialize(mine))
    assert again.get_config() == config and type(again) is type(mine)
    assert mine._direction == getattr(theirs, "_direction", None)


def test_automatic_names() -> None:
    for name, arguments, _ in CASES:
        mine, theirs = _made(name, arguments)
        assert mine.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")


def test_names() -> None:
    keras_names = keras.src.metrics.ALL_OBJECTS_DICT
    for name, cls in keras_names.items():
        if cls.__name__ in ("Metric", "MeanMetricWrapper") or "num_classes" in cls.__init__.__code__.co_varnames:
            continue
        try:
            theirs = keras.metrics.get(name)
        except TypeError:  # it has arguments
            with pytest.raises(CallError):
                graphc.metrics.get(name)
            continue
        mine = graphc.metrics.get(name)
        found = mine.__name__ if not isinstance(mine, graphc.metrics.Metric) else type(mine).__name__
        assert found == (theirs.__name__ if not isinstance(theirs, keras.Metric) else type(theirs).__name__), name


@pytest.mark.parametrize(("name", "arguments", "data"), CASES, ids=IDS)
def test_without_variables(name: str, arguments: dict[str, Any], data: tuple[Any, Any]) -> None:
    """The methods that take values in place of variables give what the others do."""
    metric, _ = _made(name, arguments)
    metric.update_state(*data)
    wanted, values = _numbers(metric.result()), [v.numpy() for v in metric.variables]
    metric.reset_state()
    found = metric.stateless_update_state(metric.stateless_reset_state(), *data)
    np.testing.assert_allclose(_numbers(metric.stateless_result(found)), wanted, rtol=1e-6)
    assert all(not v.numpy().any() for v in metric.variables)
    for value, kept in zip(found, values, strict=True):
        np.testing.assert_allclose(_numbers(value), kept, rtol=1e-6)
    with pytest.raises(ArgumentError):
        metric.stateless_update_state([*found, 0.0], *data)
    with pytest.raises(ArgumentError):
        metric.stateless_result([*found, 0.0])


def test_unused_metrics_are_zero() -> None:
    for name, arguments, _ in CASES:
        metric, _ = _made(name, arguments)
        if not name.startswith(("R2", "Root")) and arguments.get("curve") != "PRGAIN":
            assert not _numbers(metric.result()).any(), name


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("AUC", {"curve": "ROCK"}),
        ("AUC", {"summation_method": "mean"}),
        ("AUC", {"num_thresholds": 1}),
        ("AUC", {"num_labels": 3}),
        ("SensitivityAtSpecificity", {"specificity": 1.5}),
        ("SpecificityAtSensitivity", {"sensitivity": -1}),
        ("PrecisionAtRecall", {"recall": 2}),
        ("RecallAtPrecision", {"precision": -0.1}),
        ("RecallAtPrecision", {"precision": 0.1, "num_thresholds": 0}),
        ("Precision", {"thresholds": [0.5, 1.5]}),
        ("TruePositives", {"thresholds": -0.5}),
        ("F1Score", {"average": "mean"}),
        ("F1Score", {"threshold": 2.0}),
        ("FBetaScore", {"beta": 1}),
        ("FBetaScore", {"beta": -1.0}),
        ("FBetaScore", {"threshold": 1}),
        ("IoU", {"num_classes": 2, "target_class_ids": [2]}),
        ("R2Score", {"class_aggregation": "mean"}),
        ("R2Score", {"num_regressors": -1}),
    ],
)
def test_bad_arguments(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        getattr(graphc.metrics, name)(**arguments)
    with pytest.raises(ValueError):
        getattr(keras.metrics, name)(**arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "data"),
    [
        ("F1Score", {}, BINARY),
        ("R2Score", {}, BINARY),
        ("AUC", {"multi_label": True}, BINARY),
        ("Precision", {"class_id": 1}, BINARY),
    ],
)
def test_bad_shapes(name: str, arguments: dict[str, Any], data: Any) -> None:
    with pytest.raises(ShapeError):
        getattr(graphc.metrics, name)(**arguments).update_state(*data)


def test_metrics_of_users() -> None:
    class Forgetful(graphc.metrics.Metric):
        def __init__(self) -> None:
            self.count = self.add_variable((), "zeros")

    with pytest.raises(StateError, match=r"super\(\)"):
        Forgetful()

    class Largest(graphc.metrics.Mean):
        def __init__(self, name: str = "largest", **kwargs: Any) -> None:
            super().__init__(name=name, **kwargs)
            self.seen = self.add_weight(name="seen")

    metric = Largest(dtype="float32")
    assert [v.name for v in metric.variables] == ["total", "count", "seen"] and metric.name == "largest"
    assert Largest.from_config(metric.get_config()).get_config() == {"name": "largest", "dtype": "float32"}


# What can be compiled with predictions [samples, 4] of each kind of targets.
_IN_STEPS = [i for i, (_, _, data) in enumerate(CASES) if data is ONE_HOT]


def test_in_steps() -> None:
    """All metrics of one-hot labels in one compiled step, with weights, a masked sample and an odd last batch."""
    weights = RNG.random(30).astype("float32")

    def metrics(library: Any) -> list[Any]:
        many = [("AUC", {"curve": c, "multi_label": m}) for c in ("ROC", "PR") for m in (False, True)]
        many += [("SensitivityAtSpecificity", {"specificity": 0.5}), ("R2Score", {"num_regressors": 2})]
        many += [("AUC", {"thresholds": [0.1, 0.3]}), ("PearsonCorrelation", {}), ("ConcordanceCorrelation", {})]
        many += [CASES[i][:2] for i in _IN_STEPS if not CASES[i][0].endswith("IoU")]
        return [getattr(library.metrics, n)(**{**a, "name": f"m{i}"}) for i, (n, a) in enumerate(many)]

    logits = np.log(ONE_HOT[1])
    with graphc.backend("cpu"):
        model = graphc.Sequential([graphc.Input((4,)), graphc.layers.Softmax()])
        model.compile(
            loss="mse",
            metrics=[graphc.metrics.OneHotMeanIoU(4, name="overlap"), "F1Score", "auc"],
            weighted_metrics=metrics(graphc),
        )
        logs = model.evaluate(logits, ONE_HOT[0], sample_weight=weights, batch_size=8, verbose=0, return_dict=True)
    assert {"overlap", "F1Score", "auc"} <= set(logs)
    for metric in metrics(keras):
        for start in range(0, 30, 8):
            part = slice(start, start + 8)
            metric.update_state(ONE_HOT[0][part], ONE_HOT[1][part], sample_weight=weights[part])
        np.testing.assert_allclose(
            logs[metric.name], np.asarray(metric.result()), rtol=1e-4, atol=1e-5, err_msg=metric.name
        )


def test_variables_in_attributes() -> None:
    for kept in ([graphc.Variable(0.0), graphc.Variable(1.0)], {"a": graphc.Variable(0.0), "b": graphc.Variable(1.0)}):
        metric = graphc.metrics.Mean()
        metric.more = kept
        metric.other = graphc.metrics.Sum()
        assert len(metric.variables) == 5


_DEEP = RNG.integers(0, 3, (4, 5))
_DEEP_PREDICTED = RNG.random((4, 5, 3)).astype("float32")
_DEEP_ONE_HOT = np.eye(3, dtype="float32")[_DEEP]
_TIES = np.array([[0.5, 0.5, 0.2], [0.2, 0.5, 0.5], [0.1, 0.1, 0.1], [np.inf, np.inf, 0.0]], "float32")
FUNCTIONS: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("binary_accuracy", *LABELS, {"threshold": 0.3}),
    ("binary_accuracy", LABELS[0][:, 0], LABELS[1][:, :1], {}),
    ("binary_accuracy", LABELS[0][:, :1], LABELS[1][:, 0], {}),
    ("categorical_accuracy", _DEEP_ONE_HOT, _DEEP_PREDICTED, {}),
    ("sparse_categorical_accuracy", _DEEP, _DEEP_PREDICTED, {}),
    ("sparse_categorical_accuracy", _DEEP[..., None], _DEEP_PREDICTED, {}),
    ("top_k_categorical_accuracy", _DEEP_ONE_HOT, _DEEP_PREDICTED, {"k": 2}),
    ("sparse_top_k_categorical_accuracy", _DEEP, _DEEP_PREDICTED, {"k": 2}),
    ("sparse_top_k_categorical_accuracy", _DEEP[..., None], _DEEP_PREDICTED, {"k": 2}),
    ("sparse_top_k_categorical_accuracy", np.array([1, 2, 1, 0]), _TIES, {"k": 1}),
    ("sparse_top_k_categorical_accuracy", SPARSE[0], np.argsort(-SPARSE[1]), {"k": 2, "from_sorted_ids": True}),
    ("pearson_correlation", *REAL, {}),
    ("concordance_correlation", REAL[0][:, 0], REAL[1][:, :1], {"axis": 0}),
]


@pytest.mark.parametrize(("name", "y_true", "y_pred", "options"), FUNCTIONS)
def test_functions(name: str, y_true: Any, y_pred: Any, options: dict[str, Any]) -> None:
    mine, theirs = (np.asarray(getattr(k.metrics, name)(y_true, y_pred, **options)) for k in (graphc, keras))
    assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 5), (4, 5, 1), (4, 5, 3), ()])
@pytest.mark.parametrize("name", ["BinaryAccuracy", "Precision", "TruePositives", "Mean", "Sum"])
def test_weights(name: str, shape: tuple[int, ...]) -> None:
    """Weights of samples, of their rows, and of all elements."""
    weight = RNG.random(shape).astype("float32")
    data = (_DEEP_ONE_HOT, _DEEP_PREDICTED) if name not in ("Mean", "Sum") else (_DEEP_PREDICTED,)
    if name in ("Precision", "TruePositives") and shape in ((4,), (4, 1)):
        weight = np.broadcast_to(weight.reshape(4, 1, 1), (4, 5, 1))  # Keras cannot broadcast these
    results = []
    for metric in _made(name, {}):
        metric.update_state(*data, sample_weight=weight)
        results.append(_numbers(metric.result()))
    np.testing.assert_allclose(*results, rtol=1e-5)
