"""Callbacks that monitor a metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import ops
from graphc.callbacks.callback import Callback, Logs
from graphc.errors import ArgumentError
from graphc.registration import choices
from graphc.tracing import Array
from graphc.utils.arguments import argument_error, number
from graphc.utils.progbar import write


class Monitor(Callback):
    """The base class of callbacks that monitor a metric: the direction of improvement, and the best value so far.

    Args:
        monitor: Name of the metric.
        mode: `"min"`, `"max"`, or `"auto"`: determined by the model's metric of that name; losses are minimized.
        min_delta: The minimum change that counts as an improvement.

    Raises:
        ArgumentError: if the mode is unknown.
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise argument_error("mode", mode, "auto, min or max")
        if not isinstance(monitor, str):
            raise argument_error("monitor", monitor, "the name of a metric")
        self.monitor, self.mode = monitor, mode
        self.min_delta: float = abs(number("min_delta", min_delta))
        self.best: float | None = None
        # `ops.less` or `ops.greater`: how a better value compares, once the direction is known.
        self.monitor_op: Callable[..., Any] | None = None

    def _direction(self) -> str | None:
        """`"up"` or `"down"`, where better values are; None if it is unknown."""
        if self.mode != "auto":
            return "up" if self.mode == "max" else "down"
        return self._directions().get(self.monitor.removeprefix("val_"))

    def _directions(self) -> dict[str, str | None]:
        """The directions of the model's metrics, by name."""
        return self.model.metric_directions() if hasattr(self.model, "metric_directions") else {"loss": "down"}

    def larger_is_better(self) -> bool:
        """Whether a larger value of the metric is better.

        Raises:
            ArgumentError: if the mode is `"auto"`, and the direction of the metric is unknown.
        """
        direction = self._direction()
        if direction is None:
            name, directions = self.monitor.removeprefix("val_"), self._directions()
            raise ArgumentError(
                f"{type(self).__name__} cannot tell whether {self.monitor!r} is better when it is larger",
                got="mode='auto'",
                expected=f"mode='min' or mode='max', or a monitor that is known: {', '.join(directions)}",
                hint=choices(name, directions) or "pass the mode",
            )
        return direction == "up"

    def set_monitor_op(self) -> None:
        """Sets how values are compared, once: `monitor_op`, and with `ops.less` the sign of `min_delta`.

        Raises:
            ArgumentError: if the direction of the metric is unknown.
        """
        if self.monitor_op is None:
            larger = self.larger_is_better()
            self.monitor_op = ops.greater if larger else ops.less
            self.min_delta = self.min_delta if larger else -self.min_delta

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another."""
        if than is None:
            return not math.isnan(value)
        self.set_monitor_op()
        assert self.monitor_op is not None
        return bool(self.monitor_op(value - self.min_delta, than))

    def get_monitor_value(self, logs: Logs) -> float | None:
        """The value of the metric; None, with a warning, if the logs do not contain it."""
        return self.current(logs)

    def current(self, logs: Logs) -> float | None:
        """The value of the metric; None, with a warning, if the logs do not contain it.

        Raises:
            ArgumentError: if it is an array of several values.
        """
        value = (logs or {}).get(self.monitor)
        if value is None:
            hint = choices(self.monitor, logs or {}) or f"there are {', '.join(logs or {}) or 'none'}"
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is no metric of this run; {hint}", stacklevel=4
            )
            return None
        values = np.asarray(value)
        if values.size != 1:
            raise ArgumentError(
                f"{type(self).__name__} watches {self.monitor!r}, which has several values",
                got=f"an array of shape {values.shape}",
                expected="one number",
                hint="let the metric average them: average='macro'",
            )
        return float(values.item())


class EarlyStopping(Monitor):
    """Stops training when a metric has not improved for some epochs.

    Args:
        monitor: Name of the metric.
        min_delta: The minimum change that counts as an improvement.
        patience: The number of epochs without improvement before it acts.
        verbose: 0: silent, 1: prints a message when it stops.
        mode: `"min"`, `"max"`, or `"auto"`: determined by the metric.
        baseline: A value that the metric must exceed in the direction of improvement.
        restore_best_weights: Whether to restore the weights of the best epoch.
        start_from_epoch: The number of epochs before monitoring starts.

    Example:

    >>> EarlyStopping(monitor="val_loss", patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        number("baseline", baseline, optional=True)
        self.patience, self.verbose, self.baseline = number("patience", patience, least=0), verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best_weights: list[Array] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Resets the state."""
        self.set_monitor_op()
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best, self.best_weights = None, None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compares the metric, and stops the training if it does not improve."""
        value = self.current(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Weights to restore if no epoch improves on the baseline.
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Prints a message about the stop, and restores the best weights."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            write(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                write(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.\n")
            self.model.set_weights(self.best_weights)


def single_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers that an optimizer is made of, or itself; without that which scales the loss."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(inner, "optimizers", None) or [optimizer])


def rates_of(optimizer: Any) -> dict[str, float]:
    """The learning rate of an optimizer, or those of the optimizers that it is made of, as logs name them."""
    parts = single_optimizers(optimizer)
    if parts[0] is optimizer:
        return {"learning_rate": float(np.asarray(optimizer.learning_rate))}
    return {f"learning_rate_{part.name}": float(np.asarray(part.learning_rate)) for part in parts}


class ReduceLROnPlateau(Monitor):
    """Reduces the learning rate when a metric has not improved for some epochs.

    Args:
        monitor: Name of the metric.
        factor: The factor by which the rate is multiplied, below 1.
        patience: The number of epochs without improvement before it acts.
        verbose: 0: silent, 1: prints a message when it reduces the rate.
        mode: `"min"`, `"max"`, or `"auto"`: determined by the metric.
        min_delta: The minimum change that counts as an improvement.
        cooldown: The number of epochs after a reduction in which it does not monitor.
        min_lr: The minimum rate.

    Raises:
        ArgumentError: if the factor is 1 or more.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if number("factor", factor) >= 1.0 or kwargs:
            raise ArgumentError("ReduceLROnPlateau takes a factor below 1", got=f"{factor} {kwargs or ''}")
        self.factor, self.patience, self.verbose = factor, number("patience", patience, least=0), verbose
        self.cooldown, self.min_lr = number("cooldown", cooldown, least=0), number("min_lr", min_lr)
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Resets the state."""
        self.set_monitor_op()
        self.best, self.wait, self.cooldown_counter = None, 0, 0

    def in_cooldown(self) -> bool:
        """Whether the rate was reduced so recently that epochs without improvement do not count."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compares the metric, and reduces the rate if it does not improve."""
        value = self.current(logs)
        if value is None:
            return
        if isinstance(logs, dict):
            logs.update(rates_of(self.model.optimizer))
        if self.in_cooldown():
            self.cooldown_counter, self.wait = self.cooldown_counter - 1, 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                # All are reduced, also after one that cannot be.
                reduced = [self._reduce(optimizer, epoch) for optimizer in single_optimizers(self.model.optimizer)]
                if any(reduced):
                    self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, optimizer: Any, epoch: int) -> bool:
        """Reduces the rate of an optimizer; False if it is the minimum already."""
        rate = float(np.asarray(optimizer.learning_rate))
        if rate <= np.float32(self.min_lr):
            return False
        lower = max(rate * self.factor, self.min_lr)
        optimizer.learning_rate = lower
        if self.verbose > 0:
            of = "" if optimizer is self.model.optimizer else f"{optimizer.name} "
            write(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {of}learning rate to {lower}.\n")
        return True


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Args:
        schedule: A function of the epoch and the current rate that returns the rate.
        verbose: 0: silent, 1: prints the rate.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise argument_error("schedule", schedule, "a function")
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Sets the rate, or those of several optimizers."""
        for optimizer in single_optimizers(self.model.optimizer):
            self._set_rate(optimizer, epoch)

    def _set_rate(self, optimizer: Any, epoch: int) -> None:
        before = float(np.asarray(optimizer.learning_rate))
        try:
            rate = self.schedule(epoch, before)
        except TypeError:
            # As in Keras, the function may take the epoch alone.
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.floating):
            raise ArgumentError("a schedule returns a float", got=repr(rate))
        optimizer.learning_rate = rate
        if self.verbose > 0:
            of = "" if optimizer is self.model.optimizer else f"{optimizer.name} "
            write(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {of}learning rate to {rate}.\n")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds the rate to the logs."""
        if isinstance(logs, dict):
            logs.update(rates_of(self.model.optimizer))


class TerminateOnNaN(Callback):
    """Stops training when the loss is not finite.

    Args:
        raise_error: Whether to raise an error in place of stopping.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Checks the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"NaN or Inf loss encountered at batch {batch}.")
            write(f"Batch {batch}: Invalid loss, terminating training\n")
            self.model.stop_training = True
