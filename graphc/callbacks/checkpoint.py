"""`ModelCheckpoint`: saves the model, or its weights, while it is trained."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

from graphc.callbacks.callback import Logs
from graphc.callbacks.monitoring import Monitor
from graphc.errors import ArgumentError
from graphc.utils.arguments import argument_error, whole_number
from graphc.utils.progbar import write

_WEIGHTS = (".weights.h5", ".weights.safetensors")
_MODELS = (".keras", ".h5")


class ModelCheckpoint(Monitor):
    """Saves the model, or its weights, after epochs or after a number of batches.

    A model file is a checkpoint, too, from which training goes on where it was: see `graphc.checkpoint.restore`.

    Args:
        filepath: The path; `{epoch}`, `{batch}` and names of metrics in braces are replaced by their values. It ends
            with `.keras` or `.h5`; with `.weights.h5` or `.weights.safetensors` where only weights are saved.
        monitor: Name of the metric.
        verbose: 0: silent, 1: prints a message when it saves.
        save_best_only: Whether to save only if the metric has improved.
        save_weights_only: Whether to save the weights alone.
        mode: `"min"`, `"max"`, or `"auto"`: determined by the metric.
        save_freq: `"epoch"`, or the number of batches after which to save.
        initial_value_threshold: The initial best value.

    Raises:
        ArgumentError: if an option has an invalid value.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if not isinstance(filepath, str | PathLike):
            raise argument_error("filepath", filepath, "a path")
        self.filepath, self.verbose, self.save_best_only = fspath(filepath), verbose, save_best_only
        self.save_weights_only, self.save_freq = save_weights_only, save_freq
        if save_freq != "epoch":
            whole_number("save_freq", save_freq, 1)
        endings = _WEIGHTS if save_weights_only else _MODELS
        if not self.filepath.endswith(endings) or (not save_weights_only and self.filepath.endswith(_WEIGHTS)):
            what = "weights" if save_weights_only else "models"
            raise ArgumentError(
                f"files of {what} have another ending", got=self.filepath, expected=" or ".join(endings)
            )
        self.best = initial_value_threshold
        self._batches, self._epoch = 0, 0
        if save_freq != "epoch":
            # A method of this object alone: batches are reported one by one only where this is needed.
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Checks that the direction of improvement is known, if it decides what is saved."""
        if self.save_best_only or self._direction() is not None:
            self.set_monitor_op()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def _end_batch(self, batch: int, logs: Logs = None) -> None:
        """Saves after so many batches."""
        self._batches += 1
        if self._batches >= self.save_freq:
            self._batches = 0
            self._save(self._epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves after an epoch."""
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs, **places: int) -> None:
        try:
            path = self.filepath.format(epoch=epoch + 1, **places, **(logs or {}))
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(
                "the file name of ModelCheckpoint cannot be filled in",
                got=f"{self.filepath!r}: {error}",
                expected=f"names in braces among epoch, {', '.join([*places, *(logs or {})])}",
            ) from None
        if self.save_best_only:
            value = self.current(logs)
            if value is None or not self.is_better(value, self.best):
                return
            self.best = value
        (self.model.save_weights if self.save_weights_only else self.model.save)(path, overwrite=True)
        if self.verbose > 0:
            write(f"\nEpoch {epoch + 1}: saving model to {path}\n")
