"""Models as estimators of scikit-learn, which is an optional package."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, DataError, StateError
from graphc.models import Model
from graphc.tracing import Array, describe, user_line
from graphc.utils import scikit_learn as skl


class _Estimator(skl.BaseEstimator):  # type: ignore[misc]
    """A model as an estimator.

    Args:
        model: A compiled model, a copy of which is trained; or a function that makes one. It is called with the data as
            `X` and `y`, and with `model_kwargs`.
        warm_start: Whether a further `fit` goes on with the trained model.
        model_kwargs: Arguments for the function.
        fit_kwargs: Arguments for the model's `fit`.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.

    Raises:
        MissingPackageError: if scikit-learn is not installed.
    """

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        skl.require(type(self).__name__)
        self.model, self.warm_start = model, warm_start
        self.model_kwargs, self.fit_kwargs = model_kwargs, fit_kwargs

    def __sklearn_clone__(self) -> Any:
        model = copy.deepcopy(self.model) if isinstance(self.model, Model) else self.model
        return type(self)(model, self.warm_start, self.model_kwargs, self.fit_kwargs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def _model_for(self, X: Array, y: Array) -> Any:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            made = self.model if self.warm_start else copy.deepcopy(self.model)
        elif callable(self.model):
            made = self.model(X=X, y=y, **(self.model_kwargs or {}))
        else:
            raise ArgumentError(
                "model is a model, or a function that makes one", where=describe(user_line()), got=repr(self.model)[:80]
            )
        if not made.compiled:
            raise StateError("the model is not compiled", where=describe(user_line()), hint="call `compile` on it")
        return made

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Trains the model.

        Args:
            X: Array of shape (samples, features).
            y: Array of shape (samples,) or (samples, outputs).
            **kwargs: Further arguments for the model's `fit`; they go before `fit_kwargs`.

        Returns:
            The estimator itself.
        """
        X, y = skl.validate_data(self, X, y, multi_output=True)
        targets = self._learned_targets(y)
        model = self._model_for(X, targets)
        self.history_ = model.fit(X, targets, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _outputs(self, X: Any) -> Array:
        skl.check_is_fitted(self, "model_")
        outputs: Array = self.model_.predict(skl.validate_data(self, X, reset=False), verbose=0)
        return outputs

    def predict(self, X: Any) -> Array:
        """The outputs of the model: a number for each sample, or as many as the targets had columns."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._target_ndim == 1 and outputs.ndim == 2 and outputs.shape[1] == 1 else outputs

    @property
    def epoch_(self) -> int:
        """How many epochs the last `fit` ran."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def set_fit_request(self, **kwargs: Any) -> Any:
        """Says which metadata `fit` takes, for scikit-learn's routing of metadata.

        Args:
            **kwargs: True, False, None or an alias, by the name of an argument.

        Returns:
            The estimator itself.

        Raises:
            StateError: if routing is not enabled.
        """
        if not skl.get_config().get("enable_metadata_routing", False):
            hint = "call sklearn.set_config(enable_metadata_routing=True)"
            raise StateError("the routing of metadata is not enabled", where=describe(user_line()), hint=hint)
        self._metadata_request = skl.MetadataRequest(owner=type(self).__name__)
        for name, alias in kwargs.items():
            self._metadata_request.fit.add_request(param=name, alias=alias)
        return self

    def _learned_targets(self, y: Array) -> Array:
        """The targets as the model takes them; what is needed to turn its outputs back is kept."""
        skl.type_of_target(y, raise_unknown=True)
        self._target_ndim = y.ndim
        return y.reshape(-1, 1) if y.ndim == 1 else y


class SKLearnClassifier(skl.ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A model as a classifier of scikit-learn: its last layer gives a probability of each class.

    Args:
        model: A compiled model, a copy of which is trained; or a function that makes one. It is called with the data as
            `X` and `y`, where `y` has a column for each class, and with `model_kwargs`.
        warm_start: Whether a further `fit` goes on with the trained model.
        model_kwargs: Arguments for the function.
        fit_kwargs: Arguments for the model's `fit`.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.
        classes_: The labels, sorted.

    Raises:
        MissingPackageError: if scikit-learn is not installed.

    Example:

    ```python
    def make(X, y):
        model = graphc.Sequential([graphc.Input(X.shape[1:]), layers.Dense(y.shape[1], "softmax")])
        model.compile("adam", "categorical_crossentropy")
        return model

    accuracy = cross_val_score(wrappers.SKLearnClassifier(make, fit_kwargs={"epochs": 10, "verbose": 0}), x, labels)
    ```
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def _learned_targets(self, y: Array) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = skl.column_or_1d(y, warn=True)
        kind = skl.type_of_target(y)
        if kind not in ("binary", "multiclass"):
            # The words are those that scikit-learn's checks of estimators look for.
            raise DataError(
                f"Unknown label type: {kind}. Only binary and multiclass targets are supported.",
                where=describe(user_line()),
            )
        self.classes_ = np.unique(y)
        if len(self.classes_) == 1:
            raise DataError("Classifier can't train when only one class is present.", where=describe(user_line()))
        column = super()._learned_targets(y)
        self._encoder = skl.OneHotEncoder(sparse_output=False).fit(column)
        codes: Array = self._encoder.transform(column)
        return codes

    def decision_function(self, X: Any) -> Array:
        """The outputs of the model: of shape (samples, classes); of two classes, how much larger the second one is."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict(self, X: Any) -> Array:
        """The label with the largest output, for each sample."""
        outputs = self._outputs(X)
        labels: Array = self._encoder.inverse_transform(outputs)
        return labels[:, 0]


class SKLearnRegressor(skl.RegressorMixin, _Estimator):  # type: ignore[misc]
    """A model as a regressor of scikit-learn.

    Args:
        model: A compiled model, a copy of which is trained; or a function that makes one. It is called with the data as
            `X` and `y`, and with `model_kwargs`.
        warm_start: Whether a further `fit` goes on with the trained model.
        model_kwargs: Arguments for the function.
        fit_kwargs: Arguments for the model's `fit`.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.

    Raises:
        MissingPackageError: if scikit-learn is not installed.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> Array:
        """The outputs of the model, as float64: a number for each sample, or as many as the targets had columns."""
        return super().predict(X).astype("float64")


class SKLearnTransformer(skl.TransformerMixin, _Estimator):  # type: ignore[misc]
    """A model as a transformer of scikit-learn: its outputs take the place of the data.

    Args:
        model: A compiled model, a copy of which is trained; or a function that makes one. It is called with the data as
            `X` and `y`, and with `model_kwargs`.
        warm_start: Whether a further `fit` goes on with the trained model.
        model_kwargs: Arguments for the function.
        fit_kwargs: Arguments for the model's `fit`.

    Attributes:
        model_: The trained model.
        history_: What its `fit` returned.

    Raises:
        MissingPackageError: if scikit-learn is not installed.
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def transform(self, X: Any) -> Array:
        """The outputs of the model."""
        return self._outputs(X)


__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
