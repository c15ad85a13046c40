"""Models as estimators, in scikit-learn's own tools."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import graphc
from graphc import layers, wrappers
from graphc.errors import ArgumentError, DataError, StateError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype("float32")
NAMES = np.array(["cat", "dog", "emu"])[np.argmax(X[:, :3], 1)]
QUICK = {"epochs": 30, "verbose": 0, "batch_size": 20}


@pytest.fixture(autouse=True)
def numpy() -> Iterator[None]:
    graphc.utils.set_random_seed(0)
    with graphc.backend("numpy"):
        yield


def make(X: Any, y: Any, activation: Any = None, loss: str = "mse", rate: float = 0.1) -> graphc.Model:
    model = graphc.Sequential([graphc.Input(X.shape[1:]), layers.Dense(y.shape[1], activation)])
    model.compile(graphc.optimizers.Adam(rate), loss)
    return model


CLASSES = {"activation": "softmax", "loss": "categorical_crossentropy"}


def test_classifiers() -> None:
    classifier = wrappers.SKLearnClassifier(make, model_kwargs=CLASSES, fit_kwargs=QUICK)
    assert classifier.fit(X, NAMES) is classifier
    assert classifier.classes_.tolist() == ["cat", "dog", "emu"] and classifier.history_.epoch == list(range(30))
    assert classifier.score(X, NAMES) > 0.9
    assert classifier.decision_function(X).shape == (60, 3) and classifier.predict(X).dtype == NAMES.dtype
    assert classifier.fit(X, NAMES, epochs=1).history_.epoch == [0]  # what is given here goes before
    scores = cross_val_score(make_pipeline(StandardScaler(), clone(classifier)), X, NAMES, cv=3)
    assert scores.mean() > 0.8


def test_regressors() -> None:
    regressor = wrappers.SKLearnRegressor(make, fit_kwargs=QUICK)
    assert regressor.fit(X, X.sum(1)).score(X, X.sum(1)) > 0.9 and regressor.predict(X).shape == (60,)
    assert regressor.fit(X, X[:, :2]).predict(X).shape == (60, 2)
    search = GridSearchCV(regressor, {"model_kwargs": [{"rate": 1e-6}, {"rate": 0.1}]}, cv=2)
    assert search.fit(X, X.sum(1)).best_params_ == {"model_kwargs": {"rate": 0.1}}


def test_transformers() -> None:
    transformer = wrappers.SKLearnTransformer(make, fit_kwargs=QUICK)
    assert transformer.epoch_ == 0 and transformer.fit_transform(X, X[:, :2]).shape == (60, 2)
    assert transformer.predict(X).shape == (60, 2) and transformer.epoch_ == 30


def test_routing_of_metadata() -> None:
    with pytest.raises(StateError, match="routing"):
        wrappers.SKLearnRegressor(make).set_fit_request(sample_weight=True)
    with config_context(enable_metadata_routing=True):
        regressor = wrappers.SKLearnRegressor(make, fit_kwargs=QUICK).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), regressor)
        pipeline.fit(X, X.sum(1), sample_weight=np.ones(60))


def test_models_are_copied_unless_they_go_on() -> None:
    model = make(X, X[:, :1])
    before = model.get_weights()[0]
    regressor = wrappers.SKLearnRegressor(model, fit_kwargs=QUICK).fit(X, X.sum(1))
    np.testing.assert_array_equal(model.get_weights()[0], before)
    first = regressor.model_
    assert regressor.fit(X, X.sum(1)).model_ is not first
    warm = wrappers.SKLearnRegressor(model, warm_start=True, fit_kwargs=QUICK).fit(X, X.sum(1))
    assert warm.model_ is model and warm.fit(X, X.sum(1)).model_ is model
    copied = clone(warm)
    assert copied.model is not model and copied.warm_start and copied.fit_kwargs == QUICK


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (NotFittedError, lambda: wrappers.SKLearnRegressor(make).predict(X)),
        (NotFittedError, lambda: wrappers.SKLearnClassifier(make).predict(X)),
        (ArgumentError, lambda: wrappers.SKLearnRegressor(3).fit(X, X.sum(1))),
        (StateError, lambda: wrappers.SKLearnRegressor(graphc.Sequential([layers.Dense(1)])).fit(X, X.sum(1))),
        (DataError, lambda: wrappers.SKLearnClassifier(make).fit(X, X.sum(1))),
        (DataError, lambda: wrappers.SKLearnClassifier(make).fit(X, np.ones(60, int))),
    ],
)
def test_what_is_refused(error: type[Exception], use: Any) -> None:
    with pytest.raises(error):
        use()


def test_without_scikit_learn_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = None; from graphc.wrappers import SKLearnRegressor as R; R(None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingPackageError" in done.stderr and "pip install scikit-learn" in done.stderr
