"""A server that speaks as much of the S3 protocol as the example needs, and keeps its objects in memory."""

from __future__ import annotations

import re
import socket
import threading
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Handler(BaseHTTPRequestHandler):
    """One request: of an object, of a list of objects, or of their deletion."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        """Keep an object."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            data = unchunk(data)
        if self.key:
            self.objects[self.key] = data
        self.answer(200, headers={"ETag": etag(data)})

    def do_GET(self) -> None:
        """Send an object, a part of it, or the list of those that begin with a prefix."""
        if "list-type" in self.query:
            return self.list_objects()
        if self.key not in self.objects:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        data = self.objects[self.key]
        headers = {"ETag": etag(data), "Accept-Ranges": "bytes", "Last-Modified": formatdate(usegmt=True)}
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not part:
            return self.answer(200, data, headers)
        first, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self.answer(206, data[first : last + 1], headers)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Delete the objects that the request lists."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            data = unchunk(data)
        for key in re.findall(r"<Key>(.*?)</Key>", data.decode()):
            self.objects.pop(f"{self.bucket}/{key}", None)
        self.answer(200, b"<DeleteResult></DeleteResult>")

    def list_objects(self) -> None:
        """Answer with the objects below a prefix, and with what looks like folders below it."""
        prefix, delimiter = self.query.get("prefix", [""])[0], self.query.get("delimiter", [""])[0]
        names = [name.partition("/")[2] for name in sorted(self.objects) if name.startswith(f"{self.bucket}/{prefix}")]
        folders = {
            prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter
            for name in names
            if delimiter and delimiter in name[len(prefix) :]
        }
        found = [name for name in names if not delimiter or delimiter not in name[len(prefix) :]]
        entries = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{etag(self.objects[f'{self.bucket}/{name}'])}</ETag>"
            f"<Size>{len(self.objects[f'{self.bucket}/{name}'])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for name in found
        )
        entries += "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
        )
        self.answer(
            200,
            f"<ListBucketResult><Name>{self.bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(found) + len(folders)}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
            f"{entries}</ListBucketResult>".encode(),
        )

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters in the address."""
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    @property
    def bucket(self) -> str:
        """The first part of the path."""
        return unquote(urlsplit(self.path).path).strip("/").partition("/")[0]

    @property
    def key(self) -> str:
        """Bucket and name of the object; empty for a bucket."""
        path = unquote(urlsplit(self.path).path).strip("/")
        return path if "/" in path else ""

    def answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer; to HEAD without its body."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep the notebook quiet."""


class SmallS3:
    """The server, running, with the options that s3fs needs to find it from any worker."""

    def __init__(self) -> None:
        handler = type("BoundHandler", (Handler,), {"objects": {}})
        self._server = ThreadingHTTPServer(("", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        address = socket.gethostbyname(socket.gethostname())
        self.options = {
            "endpoint_url": f"http://{address}:{self._server.server_port}",
            "key": "example",
            "secret": "example",
            "client_kwargs": {"region_name": "us-east-1"},
        }


def etag(data: bytes) -> str:
    """An object's version, as S3 computes it."""
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


def unchunk(data: bytes) -> bytes:
    """The content of a body that was sent in chunks with a checksum behind them."""
    content = b""
    while data:
        header, data = data.split(b"\r\n", 1)
        size = int(header.partition(b";")[0], 16)
        if not size:
            break
        content, data = content + data[:size], data[size + 2 :]
    return content
