"""Sums and means over batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphc import ops
from graphc.dtypes import DType
from graphc.losses.functions import same_rank
from graphc.losses.loss import Loss, masked_weight
from graphc.metrics.metric import Metric, NamedMetric
from graphc.parameters import configured, declared_of
from graphc.registration import deserialize_keras_object, exported, serialize_keras_object
from graphc.tracing import Tensor, as_tensor, get_mask
from graphc.transforms.autograph import for_trace

_MODULE = "keras.metrics"


def samplewise(values: Any, sample_weight: Any, combine: Callable[..., Tensor], dtype: DType) -> tuple[Tensor, Any]:
    """One value and one weight for each sample: the axes after that of the batch are reduced."""
    x = as_tensor(values, dtype)
    if sample_weight is None:
        return (combine(x, axis=tuple(range(1, x.ndim))) if x.ndim > 1 else x), None
    weight = as_tensor(masked_weight(sample_weight, get_mask(values), "sum", dtype), dtype)
    x, weight = same_rank(x, weight)
    if weight.ndim < x.ndim:
        x = combine(x, axis=tuple(range(weight.ndim, x.ndim)))
    x = ops.multiply(x, weight)
    if x.ndim > 1:
        rest = tuple(range(1, x.ndim))
        weight = combine(ops.broadcast_to(weight, x.shape), axis=rest)
        x = combine(x, axis=rest)
    return x, weight


@exported(_MODULE)
@configured(name="sum")
class Sum(NamedMetric):
    """The weighted sum of values.

    Example:

    >>> metric = Sum()
    >>> metric.update_state([1.0, 2.0])
    >>> float(metric.result())
    3.0
    """

    def _prepare(self) -> None:
        self.total = self.add_variable((), "zeros", name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values.

        Args:
            values: Tensor.
            sample_weight: Tensor with a weight for each. None: equal weights.
        """
        x, _ = samplewise(values, sample_weight, ops.sum, self._wide)
        self.total.assign_add(ops.sum(x))

    def result(self) -> Any:
        """The sum."""
        return self.total.value


@exported(_MODULE)
class Mean(NamedMetric):
    """The mean of values: `sum(values * weights) / sum(weights)`.

    Args:
        name: Its name.
        dtype: The dtype it is formed in.

    Example:

    >>> metric = Mean()
    >>> metric.update_state([1.0, 2.0])
    >>> metric.update_state([6.0])
    >>> float(metric.result())
    3.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Updates the mean with values.

        Args:
            values: Tensor.
            sample_weight: Tensor with a weight for each, or one for all. None: equal weights.
        """
        x, weight = samplewise(values, sample_weight, ops.mean, self._wide)
        self.total.assign_add(ops.sum(x))
        if weight is not None:
            count = ops.sum(weight)
        else:
            count = as_tensor(x.shape[0] if x.ndim else 1, self._wide)
        self.count.assign_add(count)

    def result(self) -> Any:
        """The mean; 0 if there were no values."""
        return ops.divide_no_nan(self.total.value, self.count.value)


@exported(_MODULE)
class MeanMetricWrapper(Mean):
    """The mean of a function of targets and predictions.

    Args:
        fn: The function; it returns a value for each sample.
        name: Its name. None: that of the function.
        dtype: The dtype it is formed in.
        **kwargs: Further arguments of the function.

    Example:

    >>> from graphc import ops
    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: ops.abs(y_true - y_pred), name="distance")
    >>> metric.update_state([1.0, 2.0], [1.0, 4.0])
    >>> float(metric.result())
    1.0
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name or getattr(fn, "__name__", None), dtype=dtype)
        self._fn, self._fn_kwargs = fn, kwargs
        loss = isinstance(fn, Loss) or getattr(fn, "__module__", None) == same_rank.__module__
        if loss and self._direction is None:
            self._direction = "down"

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Updates the mean with a batch.

        Args:
            y_true: Tensor of targets.
            y_pred: Tensor of predictions.
            sample_weight: Tensor with a weight for each sample. None: equal weights.
        """
        predicted = as_tensor(y_pred)
        values = for_trace(self._fn)(as_tensor(y_true), predicted, **self._fn_kwargs)
        super().update_state(values, masked_weight(sample_weight, get_mask(predicted), "sum", self._wide))

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        options = {name: serialize_keras_object(value) for name, value in self._fn_kwargs.items()}
        return {**super().get_config(), "fn": serialize_keras_object(self._fn), **options}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Creates a metric from a configuration that `get_config` returned."""
        return cls(**(deserialize_keras_object(config) if "fn" in config else config))


class FunctionMetric(MeanMetricWrapper):
    """The base class of means of a known function; the arguments that they declare are its options."""

    _function: ClassVar[Callable[..., Any]]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(type(self)._function, name, dtype)

    def _prepare(self) -> None:
        options = [name for name in declared_of(type(self)) if name not in ("name", "dtype")]
        self._fn_kwargs = {name: getattr(self, name) for name in options}

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal metric."""
        return Metric.get_config(self)
