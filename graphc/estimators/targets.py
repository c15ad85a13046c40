"""What estimators learn of targets: classes and their probabilities, or numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import layers, losses
from graphc.errors import DataError
from graphc.estimators.base import data_of_function
from graphc.estimators.networks import statistics
from graphc.tracing import Array, describe, user_line
from graphc.utils import scikit_learn as skl

if TYPE_CHECKING:
    from graphc.estimators.base import Estimator
else:
    # The classes here come before the estimators in the order of bases, whose fields they must not repeat.
    Estimator = object


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(skl.ClassifierMixin, Estimator):  # type: ignore[misc]
    """What classifiers add: classes, and their probabilities.

    Args:
        n_classes: The number of classes, if labels are integers from 0 and the data need not have all. None: the
            classes are those of the data.
    """

    n_classes: int | None = None

    def _checked_targets(self, y: Any) -> Array:

        y = skl.column_or_1d(y, warn=True)
        skl.check_classification_targets(y)
        return y  # type: ignore[no-any-return]

    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        self.classes_ = np.unique(y)
        if self.n_classes is not None:
            if self.classes_.dtype.kind not in "iu" or not 0 <= self.classes_[0] <= self.classes_[-1] < self.n_classes:
                raise DataError(
                    "with n_classes, labels are integers from 0",
                    where=describe(user_line()),
                    got=", ".join(map(repr, self.classes_.tolist()))[:80],
                    expected=f"0 to {self.n_classes - 1}",
                )
            self.classes_ = np.arange(self.n_classes)
        if len(self.classes_) == 1:
            raise DataError("Classifier can't train when only one class is present.", where=describe(user_line()))

    def _encoded(self, y: Array) -> Array:
        codes = np.searchsorted(self.classes_, y)
        unknown = self.classes_[np.minimum(codes, len(self.classes_) - 1)] != y
        if unknown.any():
            raise DataError(
                "a label is none of the classes", where=describe(user_line()), got=repr(np.asarray(y)[unknown][0])
            )
        return codes.astype("int32")

    def _head(self) -> tuple[int, Any, Callable[[Any], Any]]:
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        return len(self.classes_), loss, layers.Softmax(name="probabilities")

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: of shape (rows, classes)."""
        return self._predicted(X)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of the probabilities."""
        found = self.predict_proba(X)
        logs: Array = np.log(np.maximum(found, np.finfo(found.dtype).tiny))
        return logs

    def decision_function(self, X: Any) -> Array:
        """The logarithms of the probabilities; of two classes, how much larger that of the second one is."""
        logs = self.predict_log_proba(X)
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    def predict(self, X: Any) -> Any:
        """The most likely class of each row.

        Args:
            X: The data; or a function without arguments that returns it: the predictions are then dictionaries, as of
                TensorFlow's estimators.
        """
        if callable(X) and not hasattr(X, "shape"):
            return self._described(*data_of_function(X, None, None))
        best = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[best]

    def _described(self, X: Any, _: Any) -> Iterator[dict[str, Any]]:
        for row in self.predict_proba(X):
            best = int(np.argmax(row))
            yield {"probabilities": row, "class_ids": np.array([best]), "classes": self.classes_[[best]]}

    def _evaluated(self, outputs: Array, y: Array, weight: Array | None) -> dict[str, float]:
        codes = self._encoded(y)
        chosen = np.maximum(outputs[np.arange(len(codes)), codes], np.finfo(outputs.dtype).tiny)
        loss = float(np.average(-np.log(chosen), weights=weight))
        shares = np.bincount(codes, weights=weight, minlength=len(self.classes_)) / len(codes)
        accuracy = float(skl.metrics.accuracy_score(codes, outputs.argmax(1), sample_weight=weight))
        found = {"accuracy": accuracy, "accuracy_baseline": float(shares.max()), "average_loss": loss, "loss": loss}
        if len(self.classes_) == 2 and 0 < codes.mean() < 1:
            found["auc"] = float(skl.metrics.roc_auc_score(codes, outputs[:, 1], sample_weight=weight))
        return found


class Regressor(skl.RegressorMixin, Estimator):  # type: ignore[misc]
    """What regressors add: targets that are standardized in training."""

    def _checked_targets(self, y: Any) -> Array:
        y = skl.check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        if y.dtype.kind == "O":
            y = y.astype("float64")
        return y  # type: ignore[no-any-return]

    def _learn_targets(self, y: Array, weight: Array | None) -> None:
        self._target_ndim = y.ndim
        columns = y.reshape(len(y), -1).astype("float64")
        self._mean, self._deviation = statistics(columns, weight)

    def _encoded(self, y: Array) -> Array:
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != len(self._mean):
            raise DataError(
                "the targets have another number of columns than those of the training",
                where=describe(user_line()),
                got=f"{columns.shape[1]}",
                expected=f"{len(self._mean)}",
            )
        return ((columns - self._mean) / self._deviation).astype(self._dtype)

    def _head(self) -> tuple[int, Any, Callable[[Any], Any]]:
        layer = layers.Rescaling(self._deviation.tolist(), self._mean.tolist(), name="predictions")
        return len(self._mean), losses.MeanSquaredError(), layer

    def predict(self, X: Any) -> Any:
        """The predicted targets.

        Args:
            X: The data; or a function without arguments that returns it: the predictions are then dictionaries, as of
                TensorFlow's estimators.
        """
        if callable(X) and not hasattr(X, "shape"):
            data, _ = data_of_function(X, None, None)
            return ({"predictions": row} for row in self._predicted(data))
        outputs: Array = self._predicted(X)
        return outputs[:, 0] if self._target_ndim == 1 else outputs

    def _evaluated(self, outputs: Array, y: Array, weight: Array | None) -> dict[str, float]:
        columns = y.reshape(len(y), -1)
        loss = float(np.average(((outputs - columns) ** 2).mean(1), weights=weight))
        means = {"label/mean": columns, "prediction/mean": outputs}
        return {
            "average_loss": loss,
            "loss": loss,
            **{name: float(np.average(values.mean(1), weights=weight)) for name, values in means.items()},
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
