"""What several tests of data sets need: a web server that misbehaves on demand, and a writer of IDX files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from numpy.typing import NDArray


@dataclass
class Server:
    """What it serves, how it misbehaves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    asked: list[str] = field(default_factory=list)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            data = server.files.get(self.path.lstrip("/"))
            if data is None:
                self.send_error(404)
                return
            if server.fault == "silent":
                time.sleep(1.0)
            self.send_response(200)
            if server.fault != "no length":
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if server.fault == "cut":
                data = data[: len(data) // 2]
            if server.fault == "stalls":
                self.wfile.write(data[: len(data) // 2])
                time.sleep(1.0)
                return
            if server.fault == "drips":
                for byte in data[:50]:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(0.02)
                return
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Server]:
    """Runs a server on this machine, on a port that is free."""
    state = Server()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    httpd.daemon_threads = True
    state.url = f"http://127.0.0.1:{httpd.server_port}/"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def dump_idx(array: NDArray[np.uint8]) -> bytes:
    """The IDX file of an array."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
