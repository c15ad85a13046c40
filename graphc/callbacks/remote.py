"""The callback that sends logs to a server."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.callbacks.callback import Callback, Logs
from graphc.errors import DataWarning

_PATIENCE_SECONDS = 10.0


class RemoteMonitor(Callback):
    """Sends the metrics of each epoch to a server, by HTTP POST; one that cannot be reached is a warning.

    Args:
        root: The address of the server.
        path: The path on the server.
        field: The field of the form that holds the metrics as JSON.
        headers: Dictionary of further headers.
        send_as_json: Whether they are sent as JSON, and not in a form.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Sends the metrics."""
        # Slow to import, and rarely needed.
        from http.client import HTTPException  # noqa: PLC0415
        from urllib.parse import urlencode  # noqa: PLC0415
        from urllib.request import Request, urlopen  # noqa: PLC0415

        numbers: dict[str, Any] = {"epoch": epoch}
        for name, value in (logs or {}).items():
            numbers[name] = np.asarray(value).tolist() if hasattr(value, "__array__") else value
        content = json.dumps(numbers)
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        data = content if self.send_as_json else urlencode({self.field: content})
        try:
            request = Request(
                self.root + self.path,
                data.encode(),
                {"Content-Type": kind, **(self.headers or {})},
            )
            with urlopen(request, timeout=_PATIENCE_SECONDS):
                pass
        except (OSError, HTTPException, ValueError) as error:
            warnings.warn(f"the server at {self.root} does not take the metrics: {error}", DataWarning, stacklevel=2)
