"""Callbacks from functions, and callbacks that write logs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from graphc.callbacks.callback import Callback, Logs
from graphc.errors import ArgumentError, FileError
from graphc.utils.arguments import argument_error


class LambdaCallback(Callback):
    """A callback from functions.

    Args:
        on_epoch_begin: Called with epoch and logs.
        on_epoch_end: Called with epoch and logs.
        on_train_begin: Called with logs.
        on_train_end: Called with logs.
        on_train_batch_begin: Called with batch and logs.
        on_train_batch_end: Called with batch and logs.
        **kwargs: Other methods of `Callback`, by name.

    Raises:
        ArgumentError: if `Callback` has no such method.

    Example:

    >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> callback.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in given.items():
            if not (name.startswith("on_") and hasattr(Callback, name)):
                raise ArgumentError("a callback has no such method", got=name)
            if function is not None and not callable(function):
                raise argument_error(name, function, "a function")
            if function is not None:
                setattr(self, name, function)


class CSVLogger(Callback):
    """Writes the metrics of each epoch to a file of comma-separated values.

    Args:
        filename: The file.
        separator: The separator of values.
        append: Whether to append to an existing file.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(filename, str | PathLike):
            raise argument_error("filename", filename, "a path")
        self.path, self.separator, self.append = Path(filename), separator, append
        self._columns: list[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        """Creates the file."""
        self._columns = None
        with self._opened("a" if self.append else "w"):
            pass

    @contextmanager
    def _opened(self, mode: str) -> Iterator[Any]:
        try:
            with self.path.open(mode, newline="") as file:
                yield file
        except OSError as error:
            raise FileError(
                "the log of CSVLogger cannot be written",
                got=f"{self.path}: {error.strerror}",
                hint="choose another file",
            ) from error

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Appends a row."""
        values = {"epoch": epoch, **{name: _written(value) for name, value in (logs or {}).items()}}
        empty = not self.path.exists() or self.path.stat().st_size == 0
        if self._columns is None:
            names = sorted(logs or {})
            # If the first epoch has no validation, later epochs may have one.
            later = [] if any(name.startswith("val_") for name in names) else [f"val_{name}" for name in names]
            self._columns = ["epoch", *names, *later]
        with self._opened("a") as file:
            writer = csv.DictWriter(file, self._columns, restval="NA", extrasaction="ignore", delimiter=self.separator)
            if empty:
                writer.writeheader()
            writer.writerow(values)


def _written(value: Any) -> Any:
    """A value in Keras's format: several numbers as a quoted list."""
    several = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0
    return f'"[{", ".join(map(str, value))}]"' if several else value
