# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said when a cluster cannot be reached; against servers on loopback."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
import time
import typing as t
from pathlib import Path

import pytest
import urllib3
import yaml
from ansible_collections.daskops.kubernetes.plugins.module_utils import _credentials, _kube
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

JSON = dict[str, t.Any]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the status in the path, and with the headers it got."""

    def do_GET(self) -> None:  # http.server's name
        status = int(self.path.split("?")[0].rpartition("/")[2])
        body = json.dumps({"message": f"says\n {status}", "headers": list(map(list, self.headers.items()))}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_details: t.Any) -> None:
        pass


class Passing(http.server.BaseHTTPRequestHandler):
    """Answers with the status in the path as often as it says there, and well from then on; counts the requests."""

    def answer(self) -> None:
        asked = t.cast("list[str]", self.server.asked)  # type: ignore[attr-defined]
        asked.append(self.path)
        status, times = map(int, self.path.split("?")[0].split("/")[1:])
        self.send_response(status if len(asked) <= times else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PATCH = answer

    def log_message(self, *_details: t.Any) -> None:
        pass


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "_PAUSES", (0.01, 0.01))


@pytest.fixture
def passing() -> t.Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        server.asked = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server() -> t.Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def kubeconfig(port: int, scheme: str = "http", ca: str = "") -> JSON:
    cluster = {"server": f"{scheme}://127.0.0.1:{port}", **({"certificate-authority": ca} if ca else {})}
    return {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "team", "context": {"cluster": "c", "user": "u"}}],
    }


def test_a_request_carries_credentials_and_whom_to_act_as(server: http.server.ThreadingHTTPServer) -> None:
    params = {
        "kubeconfig": kubeconfig(server.server_port),
        "context": "team",
        "impersonate_user": "ops",
        "impersonate_groups": ["a", "b"],
    }
    headers = _kube.Cluster(params).get("/200")["headers"]
    assert ["Authorization", "Bearer secret"] in [[k.title(), v] for k, v in headers]
    assert ["Impersonate-User", "ops"] in headers
    assert sorted(v for k, v in headers if k == "Impersonate-Group") == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "log in again"), (403, "ask for the right"), (500, ": says 500."), (404, ": says 404.")]
)
def test_a_refusal_is_one_sentence(server: http.server.ThreadingHTTPServer, status: int, hint: str) -> None:
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(server.server_port), "context": "team"}, "prod")
    with pytest.raises(_kube.ApiError) as caught:
        cluster.get(f"/api/{status}")
    assert caught.value.message.startswith(f"Cluster prod: GET /api/{status} was answered {status}: says {status}")
    assert hint in caught.value.message
    assert caught.value.status == status


def test_what_is_not_there_is_none(server: http.server.ThreadingHTTPServer) -> None:
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(server.server_port), "context": "team"})
    assert cluster.find("/api/404") is None
    assert cluster.items("/api/404") == []
    with pytest.raises(_kube.ApiError):
        cluster.find("/api/403")


def test_a_server_that_does_not_answer() -> None:
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(9), "context": "team"})
    with pytest.raises(_kube.Unreachable, match=r"Cluster team: the API server http://127.0.0.1:9 does not answer: .*"):
        cluster.get("/version")


def test_a_certificate_that_does_not_match(server: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    wanted = _credentials.Wanted("dask", "n", 365, 30, notebook=False)
    mine, other = (_credentials.complete(wanted, {}, now).data["tls"] for _which in range(2))
    for name, content in mine.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "other").write_text(other["ca.crt"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    config = kubeconfig(server.server_port, "https", str(tmp_path / "other"))
    with pytest.raises(_kube.Unreachable, match=r"does not match what the kubeconfig expects.*fetch it again"):
        _kube.Cluster({"kubeconfig": config, "context": "team"}).get("/200")


def test_kubeconfigs_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with pytest.raises(DaskopsError, match=r"config does not exist; give the path of one that does, or make"):
        _kube.Cluster({"kubeconfig": str(path)})
    path.write_text(yaml.safe_dump(kubeconfig(9)))
    with pytest.raises(DaskopsError, match="has no context prod; it has: team"):
        _kube.Cluster({"kubeconfig": str(path), "context": "prod"})
    path.write_text("just text")
    with pytest.raises(DaskopsError, match="is no kubeconfig"):
        _kube.Cluster({"kubeconfig": str(path), "context": "team"})
    path.write_text("a: [")
    with pytest.raises(DaskopsError, match="No cluster can be reached by"):
        _kube.Cluster({"kubeconfig": str(path), "context": "team"})


def test_a_command_names_what_its_user_has(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig(9)))
    assert _kube.Cluster({"kubeconfig": str(path), "context": "team"}).kubectl == (
        f"kubectl --kubeconfig {path} --context team"
    )
    assert _kube.Cluster({"kubeconfig": kubeconfig(9), "context": "team"}).kubectl == "kubectl"


@pytest.mark.parametrize(
    ("method", "content_type", "statuses"),
    [
        ("GET", "", {429, 500, 502, 503, 504}),
        ("PATCH", _kube.APPLY_PATCH, {429, 503}),
        ("PATCH", "application/merge-patch+json", {429}),
        ("POST", "application/json", {429}),
    ],
)
@pytest.mark.parametrize("status", [403, 409, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again_where_nothing_can_be_done_twice(
    passing: http.server.ThreadingHTTPServer, method: str, content_type: str, statuses: set[int], status: int
) -> None:
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(passing.server_port), "context": "team"})
    body = None if method == "GET" else b"{}"
    if status in statuses:
        assert cluster.request(method, f"/{status}/2", body, content_type) == b"{}"
        passing.asked.clear()  # type: ignore[attr-defined]
    with pytest.raises(_kube.ApiError, match=f"was answered {status}"):
        cluster.request(method, f"/{status}/9", body, content_type)
    assert len(passing.asked) == (3 if status in statuses else 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 0.5), ("2", 2), ("600", 5), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.5)]
)
def test_the_server_says_how_long_to_wait_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, retry_after: str | None, pause: float
) -> None:
    slept: list[float] = []
    clock = iter(range(0, 100, 5))
    monkeypatch.setattr(_kube, "_PAUSES", (0.5,) * 9)
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(9), "context": "team"})
    answer = urllib3.HTTPResponse(b"{}", {"Retry-After": retry_after} if retry_after else {}, 429)
    monkeypatch.setattr(cluster._client.rest_client.pool_manager, "request", lambda *_what, **_how: answer)
    with pytest.raises(_kube.ApiError, match="429"):
        cluster.get("/version")
    assert slept == [pause]  # the next would end after ten seconds


def test_a_log_that_a_node_does_not_give_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = _kube.Cluster({"kubeconfig": kubeconfig(9), "context": "team"})
    answers = iter([urllib3.HTTPResponse(b"no route to host", {}, 502)])
    monkeypatch.setattr(cluster._client.rest_client.pool_manager, "request", lambda *_what, **_how: next(answers))
    assert cluster.logs("n", "p", "c") == []
