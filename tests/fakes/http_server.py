# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the fakes' HTTP servers have in common."""

from __future__ import annotations

import ssl
import sys
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.certificates import Files


class HttpServer(ThreadingHTTPServer):
    """Serves in threads of its own, from C(start) to C(stop).

    C(tls) is for the handler to end, so that a client whose handshake is slow holds up nobody else.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, port: int, handler: type[HttpHandler], files: Files | None = None) -> None:
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if files:
            self.tls.load_cert_chain(files.certificate, files.key)
        super().__init__((address, port), handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """A client that went away is nothing to report."""
        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError | TimeoutError):
            super().handle_error(request, client_address)


class HttpHandler(BaseHTTPRequestHandler):
    """Keeps connections open, and leaves it to the server to note requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002  (the base class has named it)
        pass
