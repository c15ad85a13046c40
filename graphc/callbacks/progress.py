"""The callback that shows progress."""

from __future__ import annotations

from typing import Any

from graphc.callbacks.callback import Callback, Logs
from graphc.utils.progbar import Progbar, write


class ProgbarLogger(Callback):
    """Shows the progress line of `fit`, `evaluate` and `predict`."""

    each_batch = False

    def __init__(self) -> None:
        super().__init__()
        self.verbose, self.epochs, self.seen = 1, 1, 0
        self.target: int | None = None
        self._bar: Progbar | None = None
        self._training = False

    def set_params(self, params: dict[str, Any]) -> None:
        """Sets the number of steps and the verbosity."""
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs, self.target = params.get("epochs", 1), params.get("steps")

    def _start(self) -> None:
        self.seen = 0
        self._bar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _show(self, batch: int, logs: Logs) -> None:
        self.seen = batch + 1
        if self._bar is None:
            self._start()
        if self._bar is not None and self.verbose == 1:
            self._bar.update(batch + 1, list((logs or {}).items()), finalize=False)

    def _finish(self, logs: Logs) -> None:
        if self._bar is None:
            return
        if self.target is None:
            self.target = self._bar.target = self.seen
        self._bar.update(self.target, list((logs or {}).items()), finalize=True)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Disables the progress line of validation."""
        self._training = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Starts a line."""
        self._start()
        if self.verbose and self.epochs > 1:
            write(f"Epoch {epoch + 1}/{self.epochs}\n")

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Draws the line."""
        self._show(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Ends the line."""
        self._finish(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Starts a line, unless during training."""
        if not self._training:
            self._start()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Draws the line, unless during training."""
        if not self._training:
            self._show(batch, logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Ends the line, unless during training."""
        if not self._training:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Starts a line."""
        self._start()

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Draws the line."""
        self._show(batch, None)

    def on_predict_end(self, logs: Logs = None) -> None:
        """Ends the line."""
        self._finish(None)
