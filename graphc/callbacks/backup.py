"""The callback that keeps the state of training in a folder, to go on after an interruption."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from graphc.callbacks.callback import Callback, Logs
from graphc.errors import FileError, StateError
from graphc.tracing import Array, Variable
from graphc.utils.arguments import argument_error, whole_number

_WEIGHTS, _OPTIMIZER, _PROGRESS = "model.weights.h5", "optimizer.npz", "progress.json"


class BackupAndRestore(Callback):
    """Keeps weights, optimizer and progress in a folder while `fit` runs, and goes on from there when it runs again.

    A backup is written beside the last one and takes its place when it is complete, so that there is always one.

    Args:
        backup_dir: The folder. Use one for each training.
        save_freq: `"epoch"`, or the number of batches between two backups.
        double_checkpoint: Whether the backup before the last one is kept, too.
        delete_checkpoint: Whether backups are removed when training has ended.

    Raises:
        ArgumentError: if an argument is invalid.
        StateError: if the model has no weights yet when training begins.
        FileError: if a backup cannot be written, or is not one of this model.

    Example:

    ```python
    model.fit(x, y, epochs=20, callbacks=[callbacks.BackupAndRestore("backup")])
    ```
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(backup_dir, str | os.PathLike) or not os.fspath(backup_dir):
            raise argument_error("backup_dir", backup_dir, "the path of a folder")
        self.backup_dir = backup_dir
        self.save_freq = save_freq if save_freq == "epoch" else whole_number("save_freq", save_freq, 1)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._epoch, self._batches = 0, 0
        if self.save_freq != "epoch":
            # A method of this object alone: batches are reported one by one only where this is needed.
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]

    @property
    def _last(self) -> Path:
        return Path(self.backup_dir, "last")

    def on_train_begin(self, logs: Logs = None) -> None:
        """Restores the last backup, if there is one."""
        if not self.model.built:
            raise StateError(
                "BackupAndRestore needs a model with weights", got=self.model.name, hint="call `build` before `fit`"
            )
        before = self._last.with_name("before")
        found = next((folder for folder in (self._last, before) if (folder / _PROGRESS).exists()), None)
        if found is None:
            return
        try:
            progress = json.loads((found / _PROGRESS).read_text())
            state = self._state_of_optimizer(found / _OPTIMIZER)
            self._epoch = int(progress["epoch"])
            self.model.load_weights(found / _WEIGHTS)
        except (ValueError, KeyError) as error:
            raise FileError(
                "this backup is not one of this model", got=f"{found}: {error}", hint="choose another backup_dir"
            ) from error
        for variable, value in state:
            variable.assign(value)
        self.model._initial_epoch = self._epoch

    def _state_of_optimizer(self, path: Path) -> list[tuple[Variable, Array]]:
        """The variables of the optimizer, and their values in a backup."""
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        with np.load(path, allow_pickle=False) as arrays:
            values = [arrays[str(i)] for i in range(len(arrays.files))]
        variables = optimizer.variables
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise FileError("this backup is not one of this model's optimizer", got=str(path))
        return [(x, value.view(x.numpy().dtype)) for x, value in zip(variables, values, strict=True)]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes a backup, where one is due after each epoch."""
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def _end_batch(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:
            self._save()

    def _save(self) -> None:
        aside, before = self._last.with_name(f"aside-{os.getpid()}"), self._last.with_name("before")
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            self.model.save_weights(aside / _WEIGHTS)
            values = [variable.numpy() for variable in self.model.optimizer.variables]
            # Bits alone: NumPy's files have no bfloat16.
            bits = {str(i): value.view(f"V{value.itemsize}") for i, value in enumerate(values)}
            np.savez(aside / _OPTIMIZER, **bits)
            (aside / _PROGRESS).write_text(json.dumps({"epoch": self._epoch, "batch": self._batches}))
            shutil.rmtree(before, ignore_errors=True)
            if self._last.exists():
                os.replace(self._last, before)
            os.replace(aside, self._last)
            if not self.double_checkpoint:
                shutil.rmtree(before, ignore_errors=True)
        except OSError as error:
            if isinstance(error, FileError):
                raise
            raise FileError("a backup cannot be written", got=f"{self.backup_dir}: {error.strerror}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def on_train_end(self, logs: Logs = None) -> None:
        """Removes the backups, if this is wanted."""
        if self.delete_checkpoint:
            for name in ("last", "before"):
                shutil.rmtree(self._last.with_name(name), ignore_errors=True)
            with suppress(OSError):  # what else is in the folder stays
                Path(self.backup_dir).rmdir()
