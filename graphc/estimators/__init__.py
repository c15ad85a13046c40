"""Estimators: models that are ready for tables and images, with scikit-learn's interface.

They are made for the data that they are fitted to: numbers are standardized, missing ones flagged, categories get
vectors. `fit`, `predict`, `predict_proba` and `score` are those of scikit-learn; `train`, `evaluate` and `export`, and
the names of the classes, those of TensorFlow's estimators. scikit-learn has to be installed.
"""

from graphc.estimators.canned import (
    BaselineClassifier,
    BaselineRegressor,
    CNNClassifier,
    DNNClassifier,
    DNNLinearCombinedClassifier,
    DNNLinearCombinedRegressor,
    DNNRegressor,
    LinearClassifier,
    LinearRegressor,
)

__all__ = [
    "BaselineClassifier",
    "BaselineRegressor",
    "CNNClassifier",
    "DNNClassifier",
    "DNNLinearCombinedClassifier",
    "DNNLinearCombinedRegressor",
    "DNNRegressor",
    "LinearClassifier",
    "LinearRegressor",
]
