"""Downloads with a progress line, bounds on time and size, and nothing half done."""

from __future__ import annotations

import time
from collections.abc import Callable

# After how long a silent server is given up.
SILENCE_SECONDS = 15.0

_CHUNK = 1 << 16


def receive(
    url: str,
    name: str,
    use: Callable[[bytes], object],
    limit: int | None = None,
    seconds: float | None = None,
) -> None:
    """Downloads a file.

    Args:
        url: Its address.
        name: Its name, in messages.
        use: A function that takes the next bytes.
        limit: How many bytes it has at most. None: any number.
        seconds: How long it may take. None: as long as bytes keep coming.

    Raises:
        OSError: if it cannot be had, or is not complete, or too large.
        http.client.HTTPException: if the server does not follow the protocol.
        ValueError: if this is no address.
    """
    # Slow to import, and rarely needed.
    from urllib.request import Request, urlopen  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    deadline, received = None if seconds is None else time.monotonic() + seconds, 0
    request = Request(url, headers={"User-Agent": "graphc"})
    with (
        urlopen(request, timeout=SILENCE_SECONDS) as reply,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        length = reply.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        task = progress.add_task(f"Downloading {name}", total=total)
        while chunk := reply.read(_CHUNK):
            received += len(chunk)
            if limit is not None and received > limit:
                raise OSError(f"the server sends more than the {limit} bytes that the file has")
            use(chunk)
            progress.update(task, completed=received)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{received} bytes came in {seconds:.0f} s")
    if total is not None and received != total:
        raise OSError(f"the connection ended after {received} of {total} bytes")
