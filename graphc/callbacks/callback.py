"""The base class of callbacks, and `History`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Logs = Mapping[str, Any] | None
_BATCH_HOOKS = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback:
    """Methods that are called at the beginnings and ends of training, epochs and batches. Subclasses override some.

    Attributes:
        params: Dictionary with `verbose`, `epochs` and `steps`.
        model: The model.
    """

    # Whether batch methods must be called for each batch; else they may be called once for several, with the last.
    each_batch = True

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None
        self.validation_data: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Sets the parameters of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Sets the model."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model."""
        return self._model

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """An alias of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """An alias of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before an epoch of training."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after an epoch of training.

        Args:
            epoch: Its number, from 0.
            logs: The metrics by name, those of validation with `val_` before.
        """

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of training.

        Args:
            batch: Its number in the epoch, from 0.
            logs: The metrics so far, by name.
        """
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of evaluation."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of prediction."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called before training."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called after training."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before evaluation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after prediction."""


def overrides_batch_hooks(callback: Callback, mode: str) -> bool:
    """Whether a callback overrides a batch method of a mode."""
    return any(
        getattr(type(callback), hook, None) is not getattr(Callback, hook) or hook in vars(callback)
        for hook in _BATCH_HOOKS[mode]
    )


class History(Callback):
    """Records the metrics of each epoch. `fit` returns one.

    Attributes:
        history: Dictionary of metric to list of numbers.
        epoch: List of the epochs' numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        """Resets the list of epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Records the metrics."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
