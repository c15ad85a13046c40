"""Ready-made estimators on pandas tables: categories, gaps, a pipeline, and a grid search.

Data: scikit-learn's wine data (178 wines of three cultivars, 13 measurements) and diabetes data (442 patients, with
their sex and groups of age as categories). A tenth of the numbers is taken away, as in data from a survey.
Prints accuracies over five folds, beside that of a logistic regression, and R2 of a wide and deep regressor.
Takes about 20 seconds.

Run: `python examples/estimators.py`.
"""

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_wine
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graphc.estimators import BaselineRegressor, DNNClassifier, DNNLinearCombinedRegressor, LinearClassifier

rng = np.random.default_rng(0)


def with_gaps(table):
    """The table without a tenth of its numbers."""
    numbers = table.select_dtypes("number")
    return table.assign(**numbers.mask(rng.random(numbers.shape) < 0.1))


# Numbers are standardized and gaps flagged by the estimators themselves.
x, y = load_wine(return_X_y=True, as_frame=True)
x = with_gaps(x)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
for estimator in (LinearClassifier(random_state=0), DNNClassifier(random_state=0)):
    scores = cross_val_score(estimator, x, y, cv=folds)
    print(f"accuracy of {type(estimator).__name__}: {scores.mean():.3f}")
logistic = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
print(f"accuracy of scikit-learn's logistic regression: {cross_val_score(logistic, x, y, cv=folds).mean():.3f}")

# They are steps of pipelines, and searched like all estimators.
pipeline = make_pipeline(SimpleImputer(), DNNClassifier(random_state=0))
grid = {"dnnclassifier__hidden_units": [(2,), (32, 16)], "dnnclassifier__dropout": [0.0, 0.3]}
search = GridSearchCV(pipeline, grid, cv=folds).fit(x, y)
for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"{parameters}: {score:.3f}")
print(f"best: {search.best_params_}")

# A table with categories; `train`, `evaluate` and `export` are those of TensorFlow's estimators.
patients = load_diabetes(as_frame=True, scaled=False).frame.sample(frac=1, random_state=0)
target = patients.pop("target")
patients["sex"] = patients["sex"].map({1: "one", 2: "two"})
patients["generation"] = pd.cut(patients["age"], [0, 35, 50, 65, 120], labels=["young", "middle", "older", "old"])
patients = with_gaps(patients)
train, test = slice(310), slice(310, None)
baseline = BaselineRegressor().fit(patients[train], target[train])
regressor = DNNLinearCombinedRegressor(linear_optimizer="ftrl", dropout=0.3, l2=0.01, epochs=60, random_state=0)
regressor.train(patients[train], target[train])
figures = regressor.evaluate(patients[test], target[test])
guessed = baseline.evaluate(patients[test], target[test])
print(f"mean square of errors: {figures['loss']:.0f}; of the baseline: {guessed['loss']:.0f}")
print(f"R2 on the test: {regressor.score(patients[test], target[test]):.3f}")
