"""Checkpoints: all that training depends on, in one file, from which it goes on as if it had never stopped.

A checkpoint holds weights, the states of optimizers, random generators and metrics, the epoch and the batch, and the
order of the data. Training that is killed at any batch and resumed gives bit for bit the weights that it would have
had, from the same data. What other callbacks note (the best value so far of `EarlyStopping`) is not in it, nor what
they change after it is written: a callback that writes checkpoints is the last one in the list.

A checkpoint whose name ends with `.keras` is a model file, too, which Keras reads; and a model file that is written
while `fit` runs (by `ModelCheckpoint`) is a checkpoint.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.saving import model_files


class Position(NamedTuple):
    """Where training goes on.

    Args:
        epoch: The number of the epoch, from 0.
        batch: The number of steps in it that are done.
    """

    epoch: int
    batch: int


def save(filepath: Any, model: Any, overwrite: bool = True) -> None:
    """Writes a checkpoint of a model, in a callback of its `fit` or between two calls of `fit`.

    An existing file is replaced when the new one is complete.

    Args:
        filepath: Path of the file. If it ends with `.keras`, the model's configuration is in it, too.
        model: The model, with weights.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: if the file cannot be written, or exists and may not be replaced.

    Example:

    ```python
    class Every100(graphc.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch % 100 == 99:
                graphc.checkpoint.save("training.ckpt", self.model)
    ```
    """
    model_files.save_checkpoint(model, filepath, overwrite)


def restore(filepath: Any, model: Any) -> Position:
    """Restores a checkpoint: weights and optimizer now, the rest in the next `fit`, which goes on where it was written.

    Call `fit` with the same arguments as before. Nothing is changed if the file does not fit the model.

    Args:
        filepath: Path of a checkpoint, or of a model file that was written while `fit` ran.
        model: The model, with weights, and compiled as it was.

    Returns:
        Where training goes on.

    Raises:
        FileError: if the file cannot be read, or is no checkpoint of this model.

    Example:

    ```python
    model = make_model()
    if os.path.exists("training.ckpt"):
        graphc.checkpoint.restore("training.ckpt", model)
    model.fit(x, y, epochs=20, callbacks=[Every100()])
    ```
    """
    return Position(*model_files.restore_checkpoint(model, filepath))
