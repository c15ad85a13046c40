"""Ready-made estimators: tables of numbers and categories, scikit-learn's interface and that of TensorFlow's."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import graphc
from graphc import estimators, layers, wrappers
from graphc.errors import ArgumentError, DataError, GraphcError

RANDOM = np.random.default_rng(0)
ROWS = 200


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    with graphc.backend("numpy"):
        yield


def people() -> tuple[pd.DataFrame, Any]:
    """A table with numbers, booleans, strings and categories, all of which may be missing; and what follows from it."""
    rng = np.random.default_rng(1)
    age = rng.uniform(20, 70, ROWS)
    city = rng.choice(["Bonn", "Lima", "Oslo"], ROWS)
    size = rng.choice(["S", "M", "L"], ROWS)
    member = rng.random(ROWS) < 0.5
    score = 0.1 * (age - 45) + 2.0 * (city == "Lima") - 2.0 * (size == "S") + member
    children = pd.array(rng.integers(0, 4, ROWS), dtype="Int64")
    children[::7] = pd.NA
    table = pd.DataFrame(
        {
            "age": np.where(np.arange(ROWS) % 9 == 0, np.nan, age),
            "city": np.where(np.arange(ROWS) % 11 == 0, None, city),
            "size": pd.Categorical(size, categories=["S", "M", "L", "XL"]),
            "member": member,
            "children": children,
        }
    )
    return table, score


TABLE, SCORE = people()
CLASSES = np.where(np.median(SCORE) < SCORE, "yes", "no")
CLASSIFIERS = ["LinearClassifier", "DNNClassifier", "DNNLinearCombinedClassifier"]
REGRESSORS = ["LinearRegressor", "DNNRegressor", "DNNLinearCombinedRegressor"]


def made(name: str, **options: Any) -> Any:
    return getattr(estimators, name)(random_state=0, **options)


# ---- quality


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classes(name: str) -> None:
    x, y = load_iris(return_X_y=True)
    assert cross_val_score(made(name), x, y, cv=3).mean() > 0.92
    x, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(made(name, epochs=30), x, y, cv=3).mean() > 0.95


@pytest.mark.parametrize("name", REGRESSORS)
def test_numbers(name: str) -> None:
    x, y = load_diabetes(return_X_y=True)
    linear = cross_val_score(LinearRegression(), x, y, cv=3).mean()
    assert cross_val_score(made(name), x, y, cv=3).mean() > linear - 0.08
    both = made(name).fit(x, np.stack([y, -y], axis=1))
    assert both.predict(x).shape == (len(x), 2) and both.score(x, np.stack([y, -y], axis=1)) > 0.4


def test_images() -> None:
    x, y = load_digits(return_X_y=True)
    network = made("CNNClassifier", epochs=12, filters=(16, 32), hidden_units=(32,), learning_rate=0.005)
    with graphc.backend("cpu"):
        assert network.fit(x[:1000], y[:1000]).score(x[1000:], y[1000:]) > 0.9
    assert network.model_.input_shape == (None, 8, 8, 1)
    np.testing.assert_array_equal(network.predict(x[:5].reshape(5, 8, 8)), network.predict(x[:5]))


def test_baselines() -> None:
    classifier = made("BaselineClassifier").fit(TABLE, np.where(np.arange(ROWS) < 50, "a", "b"))
    np.testing.assert_allclose(classifier.predict_proba(TABLE), [[0.25, 0.75]] * ROWS)
    weighted = made("BaselineClassifier").fit(TABLE, CLASSES, sample_weight=np.where(CLASSES == "no", 3, 1))
    np.testing.assert_allclose(weighted.predict_proba(TABLE[:1]), [[0.75, 0.25]])
    np.testing.assert_allclose(made("BaselineRegressor").fit(TABLE, SCORE).predict(TABLE), SCORE.mean())


def test_a_linear_model_finds_the_weights() -> None:
    x = RANDOM.normal(3, 5, (ROWS, 3))
    regressor = made("LinearRegressor", epochs=1000).fit(x, x @ [1.0, -2.0, 0.5] + 7)
    np.testing.assert_allclose(regressor.predict(np.eye(3)), [8.0, 5.0, 7.5], atol=1e-2)


# ---- tables


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_tables_with_categories_and_gaps(name: str) -> None:
    classifier = made(name, epochs=300).fit(TABLE, CLASSES)
    assert classifier.score(TABLE, CLASSES) > 0.9
    assert list(classifier.feature_names_in_) == list(TABLE.columns) and classifier.n_features_in_ == 5
    assert list(classifier.columns_.categories) == ["city", "size"]
    odd = TABLE[:3].copy()
    odd["city"] = ["Rome", None, np.nan]  # one that the training did not have, and two that are missing
    odd["age"] = [np.nan, 30.0, 40.0]
    assert np.isfinite(classifier.predict_proba(odd)).all()
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(TABLE[["city", "age", "size", "member", "children"]])


def test_dictionaries_and_arrays_of_objects_are_tables() -> None:
    columns = {name: TABLE[name].to_numpy() for name in ("age", "city", "member")}
    results = [
        made("LinearClassifier", epochs=20).fit(x, CLASSES).predict_proba(x)
        for x in (TABLE[["age", "city", "member"]], columns, np.stack([c.astype(object) for c in columns.values()], 1))
    ]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-12)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-12)
    with pytest.raises(DataError, match="other columns"):
        made("LinearClassifier", epochs=1).fit(columns, CLASSES).predict({"age": columns["age"]})


def test_chosen_columns() -> None:
    regressor = made("LinearRegressor", feature_columns=["city"], epochs=200).fit(TABLE, SCORE)
    found = dict(zip(TABLE["city"].fillna("none"), regressor.predict(TABLE), strict=True))
    for city in ("Bonn", "Lima", "Oslo"):
        assert found[city] == pytest.approx(SCORE[(TABLE["city"] == city).to_numpy()].mean(), abs=0.1)
    with pytest.raises(ArgumentError, match="town"):
        made("LinearRegressor", feature_columns=["town"]).fit(TABLE, SCORE)


def test_missing_numbers_are_told() -> None:
    x = np.where(np.arange(ROWS) % 2, np.nan, RANDOM.normal(size=ROWS))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = made("LinearClassifier").fit(x, np.arange(ROWS) % 2)
    assert classifier.score(x, np.arange(ROWS) % 2) == 1.0


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (ValueError, lambda: made("LinearClassifier").fit([[np.inf], [0.0]], [0, 1])),
        (ValueError, lambda: made("CNNClassifier").fit([[np.nan], [0.0]], [0, 1])),
        (DataError, lambda: made("LinearClassifier").fit([[1.0], [0.0]], [1, 1])),
        (ValueError, lambda: made("LinearClassifier").fit([[1.0], [0.0]], [0.3, 1.7])),
        (ValueError, lambda: made("LinearRegressor").fit([[1.0], [0.0]], [0, 1], sample_weight=[0, 0])),
        (ValueError, lambda: made("LinearRegressor").fit([[1.0], [0.0]], [0, 1], sample_weight=[-1, 1])),
        (GraphcError, lambda: made("LinearRegressor", optimizer=3).fit([[1.0], [0.0]], [0, 1])),
        (ArgumentError, lambda: made("CNNClassifier", image_shape=(2, 2)).fit(np.ones((4, 3)), [0, 1, 0, 1])),
        (NotFittedError, lambda: made("DNNRegressor").predict([[1.0]])),
        (NotFittedError, lambda: made("DNNRegressor").export("x.keras")),
        (DataError, lambda: made("LinearRegressor").fit(pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), [1.0])),
        (DataError, lambda: made("LinearClassifier").fit(TABLE, CLASSES).evaluate(TABLE, ["other"] * ROWS)),
    ],
)
def test_what_is_refused(error: type[Exception], use: Any) -> None:
    with pytest.raises(error):
        use()


# ---- training


def test_the_seed_decides() -> None:
    state = np.random.get_state()[1]
    first, again, other = (
        estimators.DNNClassifier(random_state=seed, epochs=3, batch_size=16, dropout=0.3).fit(TABLE, CLASSES)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.predict_proba(TABLE), again.predict_proba(TABLE))
    assert (first.predict_proba(TABLE) != other.predict_proba(TABLE)).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_data_decide_the_dtype() -> None:
    x = RANDOM.normal(size=(20, 2))
    for dtype in ("float32", "float64"):
        regressor = made("DNNRegressor", epochs=2).fit(x.astype(dtype), x.sum(1))
        assert {w.dtype for w in regressor.model_.weights} == {dtype} and regressor.predict(x).dtype == dtype


def test_training_goes_on() -> None:
    x = RANDOM.normal(size=(100, 2))
    y = x.sum(1)
    regressor = made("LinearRegressor", batch_size=10, epochs=2)
    assert regressor.train(x, y).global_step_ == 20
    before = regressor.evaluate(x, y)
    regressor.train(x, y, steps=205)
    after = regressor.evaluate(x, y)
    assert after["global_step"] == 225 and after["loss"] < before["loss"] / 10
    assert regressor.train(x, y, epochs=1).global_step_ == 235


def test_functions_of_data() -> None:
    def all_at_once() -> Any:
        return dict(TABLE), CLASSES

    def batches() -> Any:
        return graphc.data.Dataset.from_tensor_slices(({"age": AGE, "member": MEMBER}, CLASSES == "yes")).batch(32)

    age, member = TABLE["age"].fillna(0).to_numpy(), TABLE["member"].to_numpy()
    AGE, MEMBER = age, member
    classifier = made("DNNClassifier").train(all_at_once, steps=50)
    assert classifier.global_step_ == 50 and classifier.evaluate(all_at_once)["accuracy"] > 0.6
    told = list(classifier.predict(lambda: TABLE))
    assert told[0].keys() == {"probabilities", "class_ids", "classes"} and len(told) == ROWS
    assert [row["classes"][0] for row in told] == classifier.predict(TABLE).tolist()
    regressor = made("LinearRegressor").train(batches, steps=4)
    assert regressor.n_features_in_ == 2 and regressor.evaluate(batches, steps=2)["loss"] > 0
    assert next(regressor.predict(lambda: {"age": age[:2], "member": member[:2]})).keys() == {"predictions"}


def test_figures() -> None:
    classifier = made("LinearClassifier").fit(TABLE, CLASSES)
    found = classifier.evaluate(TABLE, CLASSES)
    assert found["accuracy"] == classifier.score(TABLE, CLASSES) and found["accuracy_baseline"] == pytest.approx(0.5)
    assert found["auc"] > 0.9 and found["loss"] == found["average_loss"] > 0
    regressor = made("LinearRegressor").fit(TABLE, SCORE)
    found = regressor.evaluate(TABLE, SCORE)
    assert found["loss"] == pytest.approx(np.mean((regressor.predict(TABLE) - SCORE) ** 2))
    assert found["label/mean"] == pytest.approx(SCORE.mean())


def test_models_leave_and_come_back(tmp_path: Path) -> None:
    classifier = made("DNNLinearCombinedClassifier", epochs=5, linear_optimizer="ftrl").fit(TABLE, CLASSES)
    classifier.export(tmp_path / "model.keras")
    model = graphc.models.load_model(tmp_path / "model.keras")
    expected = classifier.predict_proba(TABLE)
    np.testing.assert_allclose(model.predict(classifier.encode(TABLE), verbose=0), expected, rtol=1e-5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(TABLE), expected)


def test_as_onnx(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    for dtype in ("float32", "float64"):
        table = TABLE.astype({"age": dtype})
        classifier = made("DNNClassifier", epochs=5).fit(table, CLASSES)
        classifier.export(tmp_path / "model.onnx", "onnx")
        session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
        (found,) = session.run(None, classifier.encode(table[:50]))
        np.testing.assert_allclose(found, classifier.predict_proba(table[:50]), rtol=1e-4)


def test_classes_that_the_data_lack() -> None:
    x = RANDOM.normal(size=(60, 2))
    classifier = estimators.DNNClassifier([8], n_classes=4, epochs=20, random_state=0).fit(x, np.arange(60) % 3)
    assert classifier.predict_proba(x).shape == (60, 4) and classifier.predict(x).max() <= 3
    assert classifier.hidden_units == [8]
    with pytest.raises(DataError, match="0 to 1"):
        estimators.LinearClassifier(n_classes=2).fit(x, np.arange(60) % 3)


def test_in_scikit_learn_s_tools() -> None:
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(made("DNNClassifier", epochs=20), {"hidden_units": [(4,), (32, 32)]}, cv=2)
    assert search.fit(x, y).best_params_ == {"hidden_units": (32, 32)}
    assert make_pipeline(StandardScaler(), made("LinearClassifier")).fit(x, y).score(x, y) > 0.9
    assert "hidden_units=(4,)" in repr(estimators.DNNClassifier(hidden_units=(4,)))


# ---- scikit-learn's checks


def network(X: Any, y: Any, activation: Any = None, loss: str = "mse") -> graphc.Model:
    graphc.utils.set_random_seed(0)
    model = graphc.Sequential(
        [graphc.Input(X.shape[1:]), layers.Dense(8, "relu"), layers.Dense(y.shape[1], activation)]
    )
    model.compile(graphc.optimizers.Adam(0.01), loss)
    return model


FEW = {"epochs": 5, "verbose": 0}
CHECKED = {
    **{name: getattr(estimators, name)() for name in estimators.__all__},
    "SKLearnClassifier": wrappers.SKLearnClassifier(
        network, model_kwargs={"activation": "softmax", "loss": "categorical_crossentropy"}, fit_kwargs=FEW
    ),
    "SKLearnRegressor": wrappers.SKLearnRegressor(network, fit_kwargs=FEW),
    "SKLearnTransformer": wrappers.SKLearnTransformer(network, fit_kwargs=FEW),
}
LONG = ("CNN", "DNN", "Linear", "SKLearn")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n.startswith(LONG) else n for n in CHECKED]
)
def test_checks_of_scikit_learn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(CHECKED[name], on_skip=None, on_fail="raise")
    assert {result["status"] for result in results} <= {"passed", "skipped"} and len(results) > 40
