"""A network as one of scikit-learn's estimators: in a pipeline, cross-validated, with a search for its size.

Data: scikit-learn's wine data: 178 wines, 13 measurements each, of three cultivars.
Prints the accuracy over five folds (about 0.97), that of two sizes, and that of a logistic regression.
Takes about 10 seconds.

Run: `python examples/estimators.py`.
"""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import graphc
from graphc import layers
from graphc.wrappers import SKLearnClassifier


def network(X, y, units=16):
    """The model for a table and its one-hot labels."""
    model = graphc.Sequential(
        [
            graphc.Input((X.shape[1],)),
            layers.Dense(units, activation="relu"),
            layers.Dense(y.shape[1], activation="softmax"),
        ]
    )
    model.compile(graphc.optimizers.Adam(0.01), "categorical_crossentropy")
    return model


graphc.utils.set_random_seed(0)
x, y = load_wine(return_X_y=True)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
estimator = SKLearnClassifier(network, model_kwargs={"units": 16}, fit_kwargs={"epochs": 20, "verbose": 0})
pipeline = make_pipeline(StandardScaler(), estimator)

scores = cross_val_score(pipeline, x, y, cv=folds)
print("five folds:", scores.round(3))
search = GridSearchCV(pipeline, {"sklearnclassifier__model_kwargs": [{"units": units} for units in (1, 16)]}, cv=folds)
search.fit(x, y)
for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"{parameters['sklearnclassifier__model_kwargs']}: {score:.3f}")
best = search.best_params_["sklearnclassifier__model_kwargs"]["units"]
print(f"best number of units: {best}; predicted: {search.predict(x[::40])}, labels: {y[::40]}")
linear = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), x, y, cv=folds)
print(f"accuracy of the network: {np.mean(scores):.3f}; of logistic regression: {np.mean(linear):.3f}")
