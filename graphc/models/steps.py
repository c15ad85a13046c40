"""What a step of training, evaluation or prediction computes: the methods that subclasses of models override."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from inspect import signature as signature_of
from typing import Any

import numpy as np

from graphc import config as settings
from graphc import ops, tree
from graphc.dtypes import as_dtype
from graphc.errors import DataError, StateError
from graphc.frames import warn
from graphc.graph.types import Origin
from graphc.layers import Layer
from graphc.metrics import Mean
from graphc.models.objectives import CompileLoss, CompileMetrics
from graphc.models.outputs import Outputs
from graphc.models.program import flattened_logs
from graphc.tracing import Tensor, as_tensor, current_trace, describe, scope, user_line
from graphc.transforms.autograph import for_trace
from graphc.transforms.tape import GradientTape
from graphc.utils.batches import unpack_x_y_sample_weight

MODES = ("train", "test", "predict")


class _CompiledMetrics:
    """What `compiled_metrics` of a model returns: as before Keras 3, its metrics as one object.

    Args:
        model: The model.
    """

    def __init__(self, model: Steps) -> None:
        self._model = model

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates the metrics of `compile` with a batch."""
        warn("`compiled_metrics.update_state(y, y_pred)` is now `metric.update_state(y, y_pred)` for each of `metrics`")
        self._model._update_metrics(y, y_pred, sample_weight)


class Steps(Layer):
    """The methods of a model that compute a step. A step is traced, and compiled as one program."""

    optimizer: Any
    compile_origin: Origin
    compiled: bool
    _compile_loss: CompileLoss | None
    _compile_metrics: CompileMetrics | None
    _loss_tracker: Mean
    _output_names: list[str] | None

    # ---- steps

    def train_step(self, data: Any) -> Any:
        """A step of training: the outputs, the loss, its gradient, and an update of the weights.

        Subclasses may override it. What it returns becomes the logs.

        Args:
            data: `x`, `(x, y)` or `(x, y, sample_weight)`: a batch of the data.

        Returns:
            The results of the metrics, by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            loss_to_minimize = self.optimizer.scale_loss(loss)
        if self.trainable_weights:
            gradients = tape.gradient(loss_to_minimize, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        else:
            warnings.warn("the model has no weights to train", stacklevel=3)
        return for_trace(self.compute_metrics)(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> Any:
        """A step of evaluation: the outputs, the loss and the metrics; arguments and result as for `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        self._loss_of(x, y, y_pred, sample_weight, training=False)
        return for_trace(self.compute_metrics)(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """A step of prediction.

        Args:
            data: A batch of the data; targets in it are ignored.

        Returns:
            The outputs.
        """
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    # ---- the loss

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Tensor:
        """The loss of a batch, of which the loss tracker takes the mean."""
        # A subclass may define `compute_loss` without `training`.
        taken = signature_of(self.compute_loss).parameters
        takes_training = "training" in taken or any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in taken.values())
        options = {"training": training} if takes_training else {}
        with scope("loss"):
            loss = as_tensor(for_trace(self.compute_loss)(x, y, y_pred, sample_weight, **options))
        leaves = (leaf for part in (x, y) for leaf in tree.flatten(part))
        size = next((leaf.shape[0] for leaf in leaves if getattr(leaf, "shape", ())), 1)
        with scope("metrics/loss"):
            self._loss_tracker.update_state(loss, sample_weight=size)
        return loss

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of a batch: that of `compile` plus the losses that layers added. Subclasses may override it.

        Args:
            x: The inputs.
            y: The targets.
            y_pred: The outputs.
            sample_weight: Weights of samples, or None.
            training: Whether the model trains.

        Returns:
            A scalar tensor.

        Raises:
            StateError: if there is no loss to minimize.
        """
        total: Any = None
        floats = as_dtype(settings.floatx())
        if self._compile_loss is not None:
            self._require_targets(y)
            total = self._compile_loss(y, self._outputs(y_pred), sample_weight)
        for loss in self.losses:
            summed = ops.sum(loss if as_tensor(loss).type.dtype.is_float else as_tensor(loss, floats))
            total = summed if total is None else total + summed
        if total is None:
            if training:
                raise StateError(
                    "there is no loss to minimize",
                    where=describe(self.compile_origin),
                    hint="pass `loss` to compile and `y` to fit, or call `add_loss` in a layer",
                )
            return as_tensor(0.0)
        return total

    def compiled_loss(self, y: Any, y_pred: Any, sample_weight: Any = None, regularization_losses: Any = None) -> Any:
        """The loss of a batch, which the metric `loss` takes the mean of: for steps written for Keras 2.

        Args:
            y: The targets.
            y_pred: The outputs.
            sample_weight: Weights of samples, or None.
            regularization_losses: Accepted; the losses that layers added are a part of the result in any case.
        """
        warn("`compiled_loss` is now `compute_loss(x, y, y_pred, sample_weight)`")
        return self._loss_of(None, y, y_pred, sample_weight, training=True)

    @property
    def compiled_metrics(self) -> _CompiledMetrics:
        """The metrics of `compile` as one object with `update_state`: for steps written for Keras 2."""
        return _CompiledMetrics(self)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the metrics of `compile` with a batch. Subclasses may override it and return further results.

        Args:
            x: The inputs.
            y: The targets.
            y_pred: The outputs.
            sample_weight: Weights of samples, or None.

        Returns:
            The results by name.
        """
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if self._compile_metrics is not None:
            self._require_targets(y)
            loss = self._compile_loss
            wanted = y if loss is None else loss.targets(y, self._outputs(y_pred))
            self._compile_metrics.update_state(wanted, y_pred, sample_weight)

    def _outputs(self, y_pred: Any) -> Outputs:
        return Outputs(y_pred, self._output_names)

    def _require_targets(self, y: Any) -> None:
        if y is None:
            raise DataError(
                "there are no targets",
                where=describe(user_line()),
                hint="pass `y`, which the loss and the metrics compare with",
            )

    def get_metrics_result(self) -> dict[str, Any]:
        """The current results of the metrics, by name: numbers, or tensors while a step is traced."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = for_trace(metric.result)()
            results.update(value if isinstance(value, Mapping) else {metric.name: value})
        tracing = current_trace() is not None
        return {name: value if tracing else as_number(value) for name, value in flattened_logs(results)}


def as_number(value: Any) -> Any:
    """A value of logs: a Python number, or an array."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
