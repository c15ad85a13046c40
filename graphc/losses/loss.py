"""The base class of losses, with weights, masks and reductions."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from graphc import config as settings
from graphc import dims, dtypes, ops, tree
from graphc.dtypes import DType
from graphc.errors import ArgumentError, ShapeError
from graphc.losses.functions import same_rank
from graphc.parameters import Kind
from graphc.registration import Configurable
from graphc.tracing import Tensor, as_tensor, cast, get_mask, given_name, set_mask, snake_case
from graphc.transforms.autograph import for_trace

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def weighted(values: Tensor, sample_weight: Any) -> tuple[Tensor, Tensor | None]:
    """Values multiplied by weights, and the weights reshaped to broadcast with them.

    Raises:
        ShapeError: if the weights do not fit the values.
    """
    if sample_weight is None:
        return values, None
    weight = as_tensor(sample_weight, values.type.dtype)
    if values.ndim == 0:  # one loss for all samples counts for each
        return ops.multiply(values, weight), weight
    values, weight = same_rank(values, weight)
    if weight.ndim > values.ndim:
        raise ShapeError("the sample weights do not fit", got=str(weight.type), expected=f"as the losses {values.type}")
    weight = ops.reshape(weight, (*weight.shape, *(1,) * (values.ndim - weight.ndim)))
    return ops.multiply(values, weight), weight


def masked_weight(sample_weight: Any, mask: Any, reduction: str | None, dtype: DType) -> Any:
    """Combines sample weights and a mask into weights, which are 0 where the mask is False.

    For means, the other weights are scaled up, so that the mean is that of the unmasked losses.

    Args:
        sample_weight: Weights, or None.
        mask: Booleans, or None.
        reduction: The reduction of the losses.
        dtype: The dtype of the weights; float32 in place of a half, which could not hold the counts.
    """
    if mask is None:
        return sample_weight
    dtype = dtype.accumulator
    counts = cast(as_tensor(mask), dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        share = ops.divide_no_nan(as_tensor(dims.product(counts.shape), dtype), ops.sum(counts))
        counts = ops.multiply(counts, share)
    if sample_weight is None:
        return counts
    counts, weight = same_rank(counts, as_tensor(sample_weight, dtype))
    # The weight of a sample applies to all its steps.
    weight = ops.reshape(weight, (*weight.shape, *(1,) * (counts.ndim - weight.ndim)))
    return ops.multiply(weight, counts)


def reduced(values: Tensor, weight: Tensor | None, reduction: str | None) -> Tensor:
    """Reduces the losses of samples."""
    if reduction in (None, "none") or values.ndim == 0:
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.divide_no_nan(total, ops.sum(ops.broadcast_to(weight, values.shape)))
    return ops.divide(total, as_tensor(dims.product(values.shape), values.type.dtype))


class Loss(Configurable):
    """A loss: a scalar function of targets and predictions. Subclasses define `call(y_true, y_pred)`.

    Args:
        name: Its name. None: one derived from the name of the class.
        reduction: The reduction of the samples' losses: `"sum_over_batch_size"` or `"mean"` (their sum divided
            by their count), `"mean_with_sample_weight"` (divided by the sum of weights), `"sum"`, or `"none"`.
        dtype: The dtype of floating-point targets and predictions. None: the default one.

    Raises:
        ArgumentError: if the reduction is unknown.
    """

    _kinds = MappingProxyType(
        {
            "reduction": Kind("How the samples' losses become one number: see `Loss`."),
            "name": Kind("Its name."),
            "dtype": Kind("The dtype of floating-point targets and predictions. None: the default one."),
        }
    )

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = given_name(name, snake_case(type(self).__name__), slashes=True)
        if reduction not in REDUCTIONS:
            raise ArgumentError(
                "Invalid value for argument `reduction`", got=repr(reduction), expected=", ".join(map(str, REDUCTIONS))
            )
        self.reduction = reduction
        self._dtype = dtypes.as_dtype(settings.floatx() if dtype is None else getattr(dtype, "compute_dtype", dtype))

    @property
    def dtype(self) -> str:
        """The dtype of floating-point targets and predictions."""
        return self._dtype.name

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses of the samples."""
        raise NotImplementedError("a loss defines `call(y_true, y_pred)`")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss.

        Args:
            y_true: Tensor of targets.
            y_pred: Tensor of predictions.
            sample_weight: Tensor with a weight for each sample. None: equal weights.
        """
        in_mask = get_mask(y_pred)
        y_true, y_pred = tree.map_structure(self._converted, (y_true, y_pred), none_is_leaf=False)
        values = as_tensor(for_trace(self.call)(y_true, y_pred))
        if in_mask is not None and get_mask(values) is not None:
            in_mask = ops.logical_and(in_mask, get_mask(values))
        mask = get_mask(values) if in_mask is None else in_mask
        # Halves are accumulated and divided in float32.
        wide = cast(values, values.type.dtype.accumulator)
        set_mask(wide, get_mask(values))
        wide, weight = weighted(wide, masked_weight(sample_weight, mask, self.reduction, wide.type.dtype))
        result = reduced(wide, weight, self.reduction)
        return cast(result, self._dtype) if result.type.dtype.is_float else result

    def _converted(self, leaf: Any) -> Tensor:
        # Integer labels are not cast: a float could not hold large ones.
        tensor = as_tensor(leaf)
        return cast(tensor, self._dtype) if tensor.type.dtype.is_float else tensor

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal loss."""
        return {"name": self.name, "reduction": self.reduction}


class LossFunctionWrapper(Loss):
    """A function of targets and predictions as a loss.

    Args:
        fn: The function.
        reduction: As of `Loss`.
        name: Its name. None: that of the function.
        dtype: As of `Loss`.
        **kwargs: Further arguments of the function.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "loss"), reduction, dtype)
        self.fn, self._fn_kwargs = fn, kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function's result."""
        return for_trace(self.fn)(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The configuration, from which `from_config` creates an equal loss."""
        return {**super().get_config(), **self._fn_kwargs}
