"""The callback that writes logs for TensorBoard."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from graphc import config
from graphc.callbacks import event_files
from graphc.callbacks.callback import Callback, Logs
from graphc.callbacks.event_files import EventFile
from graphc.callbacks.monitoring import rates_of
from graphc.errors import DataWarning, GraphcError
from graphc.tracing import Array
from graphc.utils.arguments import argument_error, whole_number


class TensorBoard(Callback):
    """Writes metrics, weights and the model for TensorBoard, which shows them: `tensorboard --logdir logs`.

    Args:
        log_dir: The folder. There is a folder in it for training, and one for validation.
        histogram_freq: After how many epochs histograms of the weights are written. 0: never.
        write_graph: Whether the layers of the model are written.
        write_images: Whether weights are written as images, too, where histograms are.
        write_steps_per_second: Whether the number of steps in a second is written.
        update_freq: `"epoch"`, or the number of batches after which metrics are written, too; `"batch"`: each one.
        profile_batch: 0; others are ignored with a warning.
        embeddings_freq: 0 only.
        embeddings_metadata: None only.

    Raises:
        ArgumentError: if an argument is invalid.
        FileError: if a file cannot be written.

    Example:

    ```python
    model.fit(x, y, epochs=3, callbacks=[callbacks.TensorBoard("logs", histogram_freq=1)])
    ```
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        self.log_dir = str(log_dir)
        self.histogram_freq = whole_number("histogram_freq", histogram_freq, 0)
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch":
            whole_number("update_freq", self.update_freq, 1)
        if embeddings_freq or embeddings_metadata is not None:
            hint = "0, and no metadata: embeddings are not written; save the weights and project them yourself"
            raise argument_error("embeddings_freq", embeddings_freq, hint)
        if profile_batch:
            warnings.warn("profile_batch has no effect: batches are not profiled", DataWarning, stacklevel=2)
        if self.update_freq != "epoch" or write_steps_per_second:
            # Methods of this object alone: batches are reported one by one only where this is needed.
            self.on_train_batch_begin = self._begin_batch  # type: ignore[method-assign]
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]
        self._files: dict[str, EventFile] = {}
        self._batch, self._began, self._epoch_began, self._steps = 0, 0.0, 0.0, 0

    def set_model(self, model: Any) -> None:
        """Sets the model, and writes its layers."""
        super().set_model(model)
        self._close()
        if self.write_graph:
            try:
                content = model.to_json()
            except (GraphcError, NotImplementedError, TypeError) as error:
                warnings.warn(f"the model cannot be written for TensorBoard: {error}", DataWarning, stacklevel=2)
            else:
                self._file("train").add(0, event_files.text("keras", content, "graph_keras_model"))

    def _file(self, part: str) -> EventFile:
        if part not in self._files:
            self._files[part] = EventFile(Path(self.log_dir, part))
        return self._files[part]

    def _close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}

    def _write(self, part: str, step: int, prefix: str, logs: dict[str, Any], suffix: str = "") -> None:
        numbers = {name: value for name, value in logs.items() if np.ndim(value) == 0}
        if numbers:
            values = [event_files.scalar(prefix + name + suffix, float(value)) for name, value in numbers.items()]
            self._file(part).add(step, *values)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Counts batches anew."""
        self._batch = 0

    def _begin_batch(self, batch: int, logs: Logs = None) -> None:
        self._batch += 1
        self._began = time.perf_counter()

    def _end_batch(self, batch: int, logs: Logs = None) -> None:
        if self.update_freq == "epoch" or self._batch % self.update_freq:
            return
        shown = dict(logs or {})
        if self.write_steps_per_second:
            shown["steps_per_second"] = 1 / max(time.perf_counter() - self._began, 1e-9)
        self._write("train", self._batch, "batch_", shown)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Notes the time."""
        self._epoch_began = time.perf_counter()
        self._steps = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes the metrics of an epoch, and the weights where they are due."""
        train = {name: value for name, value in (logs or {}).items() if not name.startswith("val_")}
        validation = {name[4:]: value for name, value in (logs or {}).items() if name.startswith("val_")}
        if not logs:
            return
        train |= rates_of(self.model.optimizer)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self._steps
            train["steps_per_second"] = steps / max(time.perf_counter() - self._epoch_began, 1e-9)
        self._write("train", epoch, "epoch_", train)
        self._write("validation", epoch, "epoch_", validation)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)

    def on_test_end(self, logs: Logs = None) -> None:
        """Writes the metrics of an evaluation, by the number of training steps before."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            step = int(optimizer.iterations)
            self._write("validation", step, "evaluation_", dict(logs or {}), "_vs_iterations")

    def on_train_end(self, logs: Logs = None) -> None:
        """Closes the files."""
        self._close()

    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                values = weight.numpy()
                if values.dtype.kind not in "biuf" and values.dtype.itemsize != 2:
                    continue
                name = weight.path.replace(":", "_")
                parts = [event_files.histogram(f"{name}/histogram", values)]
                if self.write_images:
                    images = _images(values.astype(np.float32))
                    parts += [event_files.image(f"{name}/image/{i}", image) for i, image in enumerate(images)]
                self._file("train").add(epoch, *parts)


# How many images of one weight TensorBoard shows at most.
_MOST_IMAGES = 3


def _images(values: Array) -> list[Array]:
    """Weights as grey or coloured images, from 0 for the smallest to 255 for the largest."""
    squeezed = values.squeeze()
    if squeezed.ndim == 1:
        stack = squeezed.reshape(1, -1, 1, 1)
    elif squeezed.ndim == 2:
        stack = (squeezed.T if squeezed.shape[0] > squeezed.shape[1] else squeezed)[None, :, :, None]
    elif squeezed.ndim == 3:
        last = config.image_data_format() == "channels_last"
        stack = (squeezed.transpose(2, 0, 1) if last else squeezed)[..., None]
    else:
        stack = squeezed
    if stack.ndim != 4 or stack.shape[-1] not in (1, 3, 4) or not stack.size or not np.isfinite(stack).all():
        return []
    low, high = stack.min(), stack.max()
    pixels = (stack - low) / max(high - low, 1e-12) * 255
    return list(pixels[:_MOST_IMAGES].astype(np.uint8))
