# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The front doors, all on one port: plain HTTP, and an HTTP proxy that ends TLS for Google's hosts itself."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit

from tests.fakes.certificates import Files
from tests.fakes.google_cloud.cloud import HOSTS, METADATA_HOSTS, Answer, Cloud, Request
from tests.fakes.google_cloud.errors import Dropped
from tests.fakes.http_server import HttpHandler, HttpServer


class Server(HttpServer):
    """Serves a cloud on a port of 127.0.0.1."""

    def __init__(self, cloud: Cloud, port: int, files: Files) -> None:
        self.cloud = cloud
        super().__init__("127.0.0.1", port, _Handler, files)


class _Handler(HttpHandler):
    server_version = "ESF"
    server: Server
    tunnel = ""  # the host that the client believes it speaks to

    def do_CONNECT(self) -> None:
        host, _colon, port = self.path.rpartition(":")
        if host not in HOSTS or port != "443":
            self._send(self.server.cloud.refuse("CONNECT", self.path, ""))
            self.close_connection = True
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        # From here on, the same handler reads requests from inside the tunnel.
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), t.cast("t.Any", self.connection.makefile("wb", 0))
        self.tunnel = host
        self.close_connection = False

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        host, target = self.tunnel, self.path
        if url := (urlsplit(target) if target.startswith("http") else None):  # as to a proxy
            if url.netloc == f"127.0.0.1:{self.server.server_port}":
                host = ""
            elif url.hostname in METADATA_HOSTS:
                host = str(url.hostname)
            else:
                self._send(self.server.cloud.refuse(self.command, url.netloc, url.path))
                return
            target = url._replace(scheme="", netloc="").geturl() or "/"
        try:
            answer = self.server.cloud.answer(
                Request(self.command, host, target, t.cast("t.Mapping[str, str]", self.headers), body)
            )
        except Dropped:
            self.close_connection = True
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

    def _send(self, answer: Answer) -> None:
        data, kind = b"", "text/plain"
        if isinstance(answer.body, str):
            data = answer.body.encode()
        elif answer.body is not None:
            data, kind = json.dumps(answer.body).encode(), "application/json; charset=UTF-8"
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
