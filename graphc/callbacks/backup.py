"""The callback that keeps the state of training in a folder, to go on after an interruption."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from graphc import checkpoint
from graphc.callbacks.callback import Callback, Logs
from graphc.errors import FileError, StateError, WeightsError
from graphc.frames import warn
from graphc.utils.arguments import argument_error, whole_number

_LAST, _BEFORE = "last", "before"


class BackupAndRestore(Callback):
    """Keeps checkpoints in a folder while `fit` runs, and goes on from the last one when it runs again.

    A checkpoint holds all that training depends on: see `graphc.checkpoint`. It takes the place of the last one when it
    is complete, so that there is always one.

    Args:
        backup_dir: The folder. Use one for each training.
        save_freq: `"epoch"`, or the number of batches between two checkpoints. Training goes on after the batch, or at
            the beginning of the epoch, before which the last one was written.
        double_checkpoint: Whether the checkpoint before the last one is kept, too, and used if the last is damaged.
        delete_checkpoint: Whether checkpoints are removed when training has ended.

    Raises:
        ArgumentError: if an argument is invalid.
        StateError: if the model has no weights yet when training begins.
        FileError: if a checkpoint cannot be written, or is not one of this model.

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
        self._batches = 0
        if self.save_freq != "epoch":
            # A method of this object alone: batches are reported one by one only where this is needed.
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]

    def _path(self, name: str) -> Path:
        return Path(self.backup_dir, name)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Restores the last checkpoint, if there is one."""
        if not self.model.built:
            raise StateError(
                "BackupAndRestore needs a model with weights", got=self.model.name, hint="call `build` before `fit`"
            )
        self._batches = 0
        found = [path for path in (self._path(_LAST), self._path(_BEFORE)) if path.exists()]
        for i, path in enumerate(found):
            try:
                self.model._initial_epoch = checkpoint.restore(path, self.model).epoch
                return
            except WeightsError:  # of another model
                raise
            except FileError as error:
                if i + 1 == len(found):
                    raise
                warn(f"{path} is damaged, and the checkpoint before it is used: {error.got}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes a checkpoint, where one is due after each epoch."""
        if self.save_freq == "epoch":
            self._save()

    def _end_batch(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:
            self._save()

    def _save(self) -> None:
        last = self._path(_LAST)
        if self.double_checkpoint and last.exists():
            with suppress(FileNotFoundError):
                self._path(_BEFORE).unlink()
            os.link(last, self._path(_BEFORE))
        checkpoint.save(last, self.model)

    def on_train_end(self, logs: Logs = None) -> None:
        """Removes the checkpoints, if this is wanted."""
        if self.delete_checkpoint:
            for name in (_LAST, _BEFORE):
                self._path(name).unlink(missing_ok=True)
            with suppress(OSError):  # what else is in the folder stays
                Path(self.backup_dir).rmdir()
