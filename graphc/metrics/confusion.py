"""Counts of true and false positives and negatives, precision and recall."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.errors import ArgumentError
from graphc.losses.functions import same_rank
from graphc.metrics.metric import Metric
from graphc.registration import exported
from graphc.tracing import Tensor, Variable, as_tensor

_MODULE = "keras.metrics"


class _Counts(Metric):
    """The base class of metrics from counts at one or several thresholds.

    Args:
        names: The counts, among `tp`, `fp`, `tn` and `fn`.
        thresholds: A number or a list of them, from 0 to 1.
        name: Its name.
        dtype: The dtype of the counts.
    """

    def __init__(self, names: tuple[str, ...], thresholds: Any, name: str | None, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.thresholds = thresholds
        listed = thresholds if isinstance(thresholds, list | tuple) else [0.5 if thresholds is None else thresholds]
        if not all(isinstance(t, int | float) and 0 <= t <= 1 for t in listed):
            raise ArgumentError("thresholds are numbers from 0 to 1", got=repr(thresholds))
        self._thresholds = [float(t) for t in listed]
        self.counts: dict[str, Variable] = {
            key: self.add_variable((len(self._thresholds),), "zeros", name=key) for key in names
        }

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the counts with a batch.

        Args:
            y_true: Tensor of 0 and 1.
            y_pred: Tensor of probabilities, of the same shape.
            sample_weight: Tensor with a weight for each sample. None: equal weights.
        """
        wanted, predicted = same_rank(as_tensor(y_true), as_tensor(y_pred, self._wide))
        positive = ops.expand_dims(ops.reshape(ops.cast(wanted, "bool"), (-1,)), -1)
        limits = as_tensor(self._thresholds, self._wide)
        above = ops.greater(ops.expand_dims(ops.reshape(predicted, (-1,)), -1), limits)
        weight = _weights(sample_weight, predicted)
        for key, variable in self.counts.items():
            right = above if key[1] == "p" else ops.logical_not(above)
            truth = positive if key in ("tp", "fn") else ops.logical_not(positive)
            hits = ops.cast(ops.logical_and(right, truth), self._wide)
            variable.assign_add(ops.sum(hits if weight is None else hits * weight, axis=0))

    def _shaped(self, result: Any) -> Any:
        """The result, a scalar if there is a single threshold."""
        return result[0] if len(self._thresholds) == 1 else result

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return {**super().get_config(), "thresholds": self.thresholds}


def _weights(sample_weight: Any, predicted: Tensor) -> Tensor | None:
    if sample_weight is None:
        return None
    weight = as_tensor(sample_weight, predicted.type.dtype)
    weight = ops.reshape(weight, (*weight.shape, *(1,) * (predicted.ndim - weight.ndim)))
    return ops.expand_dims(ops.reshape(ops.broadcast_to(weight, predicted.shape), (-1,)), -1)


def _one_count(cls_name: str, key: str, doc: str) -> Any:
    def init(self: Any, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        _Counts.__init__(self, (key,), thresholds, name, dtype)

    def result(self: Any) -> Any:
        """The count."""
        return self._shaped(self.counts[key].value)

    text = f"""{doc}

    Args:
        thresholds: A number or a list of them: a prediction above it is positive. None: 0.5.
        name: Its name.
        dtype: The dtype of the count.
    """
    body = {"__init__": init, "result": result, "__doc__": text, "__module__": __name__}
    return exported(_MODULE)(type(cls_name, (_Counts,), body))


TruePositives = _one_count("TruePositives", "tp", "The number of true positives.")
FalsePositives = _one_count("FalsePositives", "fp", "The number of false positives.")
TrueNegatives = _one_count("TrueNegatives", "tn", "The number of true negatives.")
FalseNegatives = _one_count("FalseNegatives", "fn", "The number of false negatives.")


@exported(_MODULE)
class Precision(_Counts):
    """The fraction of true positives among the predicted positives.

    Args:
        thresholds: A number or a list of them: a prediction above it is positive. None: 0.5.
        top_k: Not supported yet.
        class_id: Not supported yet.
        name: Its name.
        dtype: The dtype of the counts.

    Raises:
        ArgumentError: if an option is not supported.

    Example:

    >>> metric = Precision()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        _reject_unsupported(top_k=top_k, class_id=class_id)
        super().__init__(("tp", "fp"), thresholds, name, dtype)

    def result(self) -> Any:
        """The fraction; 0 without predicted positives."""
        right, wrong = self.counts["tp"].value, self.counts["fp"].value
        return self._shaped(ops.divide_no_nan(right, right + wrong))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return {**super().get_config(), "top_k": None, "class_id": None}


@exported(_MODULE)
class Recall(_Counts):
    """The fraction of the positives that were predicted as such.

    Args:
        thresholds: A number or a list of them: a prediction above it is positive. None: 0.5.
        top_k: Not supported yet.
        class_id: Not supported yet.
        name: Its name.
        dtype: The dtype of the counts.

    Raises:
        ArgumentError: if an option is not supported.

    Example:

    >>> metric = Recall()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        _reject_unsupported(top_k=top_k, class_id=class_id)
        super().__init__(("tp", "fn"), thresholds, name, dtype)

    def result(self) -> Any:
        """The fraction; 0 without positives."""
        found, missed = self.counts["tp"].value, self.counts["fn"].value
        return self._shaped(ops.divide_no_nan(found, found + missed))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return {**super().get_config(), "top_k": None, "class_id": None}


def _reject_unsupported(**options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise ArgumentError(f"{name} is not supported yet", got=repr(value))
