# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An HTTP proxy by which the router is reached under the hosts of Routes, which no name server knows."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.fakes.http_server import HttpHandler, HttpServer
from tests.fakes.openshift.admission import in_domains
from tests.fakes.openshift.state import Settings

_SECONDS = 10.0  # for the router to accept a connection


@dataclass
class Proxied:
    """What the proxy was asked for, and what it answered."""

    verb: str
    host: str
    port: int
    status: int  # 200 if it was passed on
    time: float = field(default_factory=time.time)


class Proxy(HttpServer):
    """On a port of 127.0.0.1."""

    block_on_close = False

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings = settings
        self.records: list[Proxied] = []
        super().__init__("127.0.0.1", port, _Handler)


class _Handler(HttpHandler):
    rbufsize = 0  # what follows the request is not for us
    server: Proxy

    def do_CONNECT(self) -> None:
        host, _colon, port = self.path.rpartition(":")
        with self._upstream(host, int(port) if port.isdecimal() else 0) as upstream:
            if upstream:
                self.send_response_only(200, "Connection established")
                self.end_headers()
                _pump(self.connection, upstream)

    def _any(self) -> None:
        """A request with a whole URL, which is passed on with its path; one for each connection."""
        url = urlsplit(self.path)
        with self._upstream(url.hostname or "", url.port or 80 if url.scheme == "http" else 0) as upstream:
            if upstream:
                dropped = ("connection", "proxy-connection", "proxy-authorization", "keep-alive")
                headers = [(name, value) for name, value in self.headers.items() if name.lower() not in dropped]
                headers.append(("Connection", "Upgrade" if self.headers.get("Upgrade") else "close"))
                target = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
                head = "".join(f"{name}: {value}\r\n" for name, value in headers)
                upstream.sendall(f"{self.command} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
                _pump(self.connection, upstream)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any

    @contextlib.contextmanager
    def _upstream(self, host: str, port: int) -> t.Iterator[socket.socket | None]:
        """A connection to the router; none, and the answer is sent, if the host is not its, or it cannot be reached."""
        self.close_connection = True
        settings = self.server.settings
        target = {443: settings.proxy_target, 80: settings.proxy_http_target}.get(port, "")
        record = Proxied(self.command, host, port, 200)
        with contextlib.ExitStack() as stack:
            upstream = None
            if not target or not in_domains(host.lower(), settings.domains()):
                record.status = 403
            else:
                name, _colon, number = target.rpartition(":")
                try:
                    upstream = stack.enter_context(socket.create_connection((name, int(number)), _SECONDS))
                    upstream.settimeout(None)
                except OSError:
                    record.status = 502
            self.server.records.append(record)
            if record.status != 200:
                self.send_error(record.status, f"{host}:{port} cannot be reached by this proxy")
            yield upstream


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways, and the end of either way, until both have ended."""
    back = threading.Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
