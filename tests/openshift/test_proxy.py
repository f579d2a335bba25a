# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proxy that leads to the router: which hosts it knows, and that what it is told gets there whole."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.fakes import certificates
from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client

HOST = "dask-notebook-team.apps.example.test"


class _Router(BaseHTTPRequestHandler):
    """Says what it was asked; what comes over an upgraded connection goes back in capitals."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002  (the base class has named it)
        pass

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.end_headers()
            self.close_connection = True
            while data := self.connection.recv(65536):
                self.connection.sendall(data.upper())
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = f"{self.path} of {self.headers['Host']} {body.decode()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:  # HAProxy says so, too
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET


@contextlib.contextmanager
def router(files: certificates.Files | None = None) -> t.Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Router)
    server.daemon_threads, server.block_on_close = True, False
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(files.certificate, files.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def router_files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Files:
    return certificates.make(tmp_path_factory.mktemp("router"), ["*.apps.example.test"], fake="router")


@pytest.fixture
def openshift(
    api_server: ApiServer, tmp_path: Path, folder: Path, router_files: certificates.Files
) -> t.Iterator[FakeOpenShift]:
    kubeconfig = api_server.kubeconfig(tmp_path / "admin.kubeconfig")
    with (
        router(router_files) as https,
        router() as http,
        FakeOpenShift(kubeconfig, folder=folder, proxy_target=https, proxy_http_target=http) as running,
    ):
        yield running


@pytest.fixture
def session(openshift: FakeOpenShift, router_files: certificates.Files) -> requests.Session:
    found = requests.Session()
    found.proxies = {"http": openshift.proxy, "https": openshift.proxy}
    found.verify, found.trust_env = str(router_files.authority), False
    return found


def test_https_ends_at_the_router(session: requests.Session, openshift: FakeOpenShift) -> None:
    for _again in range(2):
        assert session.get(f"https://{HOST}/lab?a=b", timeout=10).text == f"/lab?a=b of {HOST} "
    assert session.post(f"https://{HOST}/", b"x" * 300000, timeout=10).text.endswith("x" * 300000)
    [proxied] = openshift.proxied  # a tunnel is used again
    assert (proxied.verb, proxied.host, proxied.port, proxied.status) == ("CONNECT", HOST, 443, 200)


def test_plain_http(session: requests.Session, openshift: FakeOpenShift) -> None:
    assert session.get(f"http://{HOST}/lab?a=b", timeout=10).text == f"/lab?a=b of {HOST} "
    assert session.get(f"http://{HOST}", timeout=10).text == f"/ of {HOST} "
    assert session.post(f"http://{HOST}/", b"word", timeout=10).text == f"/ of {HOST} word"
    assert {each.port for each in openshift.proxied} == {80}


@pytest.mark.parametrize("host", ["example.com", f"{HOST}.example.com", "127.0.0.1", "myapps.example.test"])
def test_any_other_host_is_refused(session: requests.Session, openshift: FakeOpenShift, host: str) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        session.get(f"https://{host}/", timeout=10)
    assert session.get(f"http://{host}/", timeout=10).status_code == 403
    assert [(each.host, each.status) for each in openshift.proxied] == [(host, 403)] * 2


def test_other_ports_are_refused_and_a_router_that_is_gone_is_a_502(
    session: requests.Session, openshift: FakeOpenShift
) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        session.get(f"https://{HOST}:8443/", timeout=10)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        openshift.settings.proxy_target = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        session.get(f"https://{HOST}/", timeout=10)
    assert requests.get(openshift.proxy, timeout=10).status_code == 403  # it is no server of its own


def test_a_websocket(openshift: FakeOpenShift, router_files: certificates.Files) -> None:
    address = ("127.0.0.1", int(openshift.proxy.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as plain:
        plain.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode())
        assert plain.recv(4096) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        tls = ssl.create_default_context(cafile=router_files.authority)
        with tls.wrap_socket(plain, server_hostname=HOST) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")
            connection.sendall(b"hello")
            assert connection.recv(4096) == b"HELLO"


def test_scenarios_see_what_it_was_asked(session: requests.Session, openshift: FakeOpenShift) -> None:
    session.get(f"http://{HOST}/", timeout=10)
    client = Client(openshift.url, str(openshift.files.authority), "")
    [proxied] = client.get("/__fake__/proxied").json()
    assert (proxied["verb"], proxied["host"], proxied["status"]) == ("GET", HOST, 200)
    client.post("/__fake__/forget")
    assert client.get("/__fake__/proxied").json() == []


def test_without_a_target_there_is_none(api_server: ApiServer, tmp_path: Path, folder: Path) -> None:
    with FakeOpenShift(api_server.kubeconfig(tmp_path / "kubeconfig"), folder=folder) as running:
        assert (running.proxy, running.proxied) == ("", [])
