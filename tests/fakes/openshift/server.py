# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The front door: TLS, and bytes both ways for what is the API server's, watches and upgraded connections included."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import typing as t
from email.message import Message
from http.client import HTTPMessage, parse_headers

from tests.fakes.certificates import Files
from tests.fakes.http_server import HttpHandler, HttpServer
from tests.fakes.openshift.edge import Edge, Forward, Record
from tests.fakes.openshift.errors import ApiError
from tests.fakes.openshift.state import Answer, Request

_CHUNK = 65536
_HANDSHAKE_SECONDS = 30.0
_SEND_SECONDS = 60.0


class Server(HttpServer):
    """Serves an edge."""

    block_on_close = False

    def __init__(self, edge: Edge, port: int, files: Files) -> None:
        self.edge = edge
        super().__init__(edge.settings.address, port, _Handler, files)


class _Handler(HttpHandler):
    rbufsize = 0  # nothing that follows a request may be left in a buffer when the connection is upgraded
    server: Server

    def setup(self) -> None:
        # Here and not in the thread that accepts, where a client that is slow would hold up all others.
        self.request.settimeout(_HANDSHAKE_SECONDS)
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.settimeout(None)
        super().setup()

    def finish(self) -> None:
        super().finish()
        with contextlib.suppress(OSError, ValueError):
            self.request.settimeout(0.0)  # say that this is the end, and do not wait to hear it confirmed
            self.request.unwrap()
        self.request.close()

    def _any(self) -> None:
        body = _body(self.rfile, self.headers)
        request = Request(self.command, self.path, t.cast("t.Mapping[str, str]", self.headers), body)
        record = Record(self.command, request.path, request.query)
        found = self.server.edge.answer(request, record)
        if isinstance(found, Forward):
            self._relay(found, body, record)
            return
        record.status = found.status
        self.server.edge.note(record)
        self._send(found)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any

    def _send(self, answer: Answer) -> None:
        data = answer.body
        streamed = not (data is None or isinstance(data, bytes | str | dict | list))
        if isinstance(data, dict | list):
            data = json.dumps(data).encode()
        elif not streamed:
            data = data.encode() if isinstance(data, str) else data or b""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        if streamed:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if not streamed:
            self.wfile.write(data)
            return
        for part in data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    # To the API server and back.

    def _relay(self, forward: Forward, body: bytes, record: Record) -> None:
        upgrade = "upgrade" in (self.headers.get("Connection") or "").lower() and self.headers.get("Upgrade")
        headers = [*forward.headers, ("Connection", "Upgrade" if upgrade else "close")]
        if upgrade:
            headers.append(("Upgrade", str(upgrade)))
        if body or self.command in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        try:
            upstream = self.server.edge.kube.connect(forward.admin)
        except ApiError as error:
            self._unavailable(error, record)
            return
        with upstream:
            upstream.sendall(f"{self.command} {self.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            upstream.settimeout(None)
            reader = upstream.makefile("rb", buffering=0)
            try:
                status, answered = _head(reader)
            except OSError as error:
                self._unavailable(ApiError("ServiceUnavailable", f"The API server gave no answer: {error}"), record)
                return
            record.status = status
            record.upgraded = status == 101
            self.server.edge.note(record)
            if upgrade and status != 101:  # the API server does not close the connection then
                self._send(Answer(status, _body(reader, answered), content_type=answered.get("Content-Type", "")))
                return
            self._send_head(status, answered)
            if status == 101:
                self.close_connection = True
                _pump(self.connection, upstream)
            elif self.command != "HEAD" and status not in (204, 304) and not self._copy(upstream):
                self.close_connection = True

    def _unavailable(self, error: ApiError, record: Record) -> None:
        record.status, record.error = error.code, error.message
        self.server.edge.note(record)
        self._send(Answer(error.code, error.body()))

    def _send_head(self, status: int, headers: HTTPMessage) -> None:
        """The API server's headers, but for those of its connection to us, which is closed after each answer."""
        self.send_response_only(status)
        dropped = set() if status == 101 else {"connection", "keep-alive"}
        for name, value in headers.items():
            if name.lower() not in dropped:
                self.send_header(name, value)
        if status != 101 and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def _copy(self, upstream: socket.socket) -> bool:
        """Copy the answer as it comes, in the chunks that it has; false if the client went away before its end."""
        while True:
            data = _receive(upstream)
            if data == b"":
                return True
            if data:
                self.wfile.write(data)
                continue
            ready = _readable(self.connection, upstream)
            if self.connection in ready and upstream not in ready and not _readable(upstream, seconds=2.0):
                # It is gone, if this is not its next request: whoever has read an answer to its end may be faster than
                # the API server, which closes its connection then.
                return False


def _body(reader: t.Any, headers: Message) -> bytes:
    """All of a body, as its headers say where it ends."""
    if "chunked" not in (headers.get("Transfer-Encoding") or "").lower():
        return _exactly(reader, int(headers.get("Content-Length") or 0))
    body = b""
    while size := int(reader.readline().partition(b";")[0], 16):
        body += _exactly(reader, size)
        reader.readline()
    while reader.readline().strip():  # trailers
        pass
    return body


def _exactly(reader: t.Any, size: int) -> bytes:
    """So many bytes, as a reader without a buffer returns what has come so far."""
    read = bytearray()
    while len(read) < size:
        part = reader.read(size - len(read))
        if not part:
            raise ConnectionError("The other side went away in the middle of a body.")
        read += part
    return bytes(read)


def _head(reader: t.Any) -> tuple[int, HTTPMessage]:
    """An answer's status and headers; those of status 100 are not an answer yet."""
    while True:
        line = reader.readline(_CHUNK).split(None, 2)
        if len(line) < 2:
            raise ConnectionError("The API server closed the connection.")
        headers = parse_headers(reader)
        if int(line[1]) != 100:
            return int(line[1]), headers


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways until either side ends. In one thread, as a TLS connection is not to be used from two."""
    while True:
        for source, sink in ((one, other), (other, one)):
            data = _receive(source)
            if data == b"":
                return
            if data:
                sink.settimeout(_SEND_SECONDS)
                sink.sendall(data)
        _readable(one, other)


def _receive(source: socket.socket) -> bytes | None:
    """What has come; nothing at its end, and None if there is nothing yet."""
    source.settimeout(0.0)
    try:
        return source.recv(_CHUNK)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    finally:
        source.settimeout(None)


def _readable(*sources: socket.socket, seconds: float = 30.0) -> list[socket.socket]:
    """Wait until there may be something to read, but not for ever."""
    waiting: list[socket.socket] = [each for each in sources if isinstance(each, ssl.SSLSocket) and each.pending()]
    return waiting or select.select(sources, [], [], seconds)[0]
