# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is the API server's: it gets there as the user's, and bytes come back as they are."""

from __future__ import annotations

import json
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest
import requests
import yaml

from tests.fakes.openshift import FakeOpenShift
from tests.fakes.openshift.kube import Kube
from tests.openshift.api_server import ADMIN, ApiServer
from tests.openshift.client import Client

Clients = t.Callable[[str], Client]
EXEC = "/api/v1/namespaces/lab/pods/p/exec"


def test_as_whom_it_gets_there(client: Clients, api_server: ApiServer, openshift: FakeOpenShift) -> None:
    developer = client("developer")
    refused = developer.get("/api/v1/namespaces")
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        'namespaces is forbidden: User "developer" cannot list',
    )
    api_server.allow("team", "list", "namespaces")
    assert developer.get("/api/v1/namespaces").status_code == 200
    api_server.service_accounts["token-of-a-pod"] = "system:serviceaccount:lab:default"
    developer.token = "token-of-a-pod"
    developer.get("/api/v1/namespaces")
    developer.token = ""
    developer.get("/api/v1/namespaces")
    assert [user for user, _verb, _path in api_server.seen] == [
        "developer",
        "developer",
        "system:serviceaccount:lab:default",
        "system:anonymous",
    ]
    assert {(record.by, record.user) for record in openshift.requests} == {
        ("cluster", "developer"),
        ("cluster", ""),
        ("cluster", "system:anonymous"),
    }


def test_nobody_can_make_themselves_somebody_else(client: Clients, api_server: ApiServer) -> None:
    developer = client("developer")
    headers = {"Impersonate-User": "admin", "Impersonate-Group": "system:masters"}
    assert developer.get("/api/v1/namespaces", headers=headers).status_code == 403
    others = {"impersonate-group": "system:masters", "Impersonate-Extra-Scopes": "all"}
    developer.get("/api/v1/namespaces", headers=others)
    assert api_server.seen[-1][0] == "developer"
    developer.token = "sha256~made-up"
    assert developer.get("/api/v1/namespaces").status_code == 401


@pytest.mark.parametrize("api_server", [False, True], indirect=True, ids=["plain", "tls"])
def test_bodies_and_errors(tenant: Client, api_server: ApiServer) -> None:
    path = "/api/v1/namespaces/lab/configmaps"
    body = {"metadata": {"name": "c"}, "data": {"text": "ä" * 100_000}}
    assert tenant.post(path, body).status_code == 403
    api_server.allow("developer", "create get delete", "configmaps", "lab")
    assert tenant.post(path, body).status_code == 201
    assert tenant.get(f"{path}/c").json()["data"] == body["data"]
    # In chunks, as clients send what they make while they send it.
    more = tenant.delete(f"{path}/c")
    assert more.status_code == 200
    sent = requests.post(
        tenant.url + path,
        data=iter([json.dumps(body)[:10].encode(), json.dumps(body)[10:].encode()]),
        headers={"Authorization": f"Bearer {tenant.token}"},
        verify=tenant.authority,
        timeout=10,
    )
    assert sent.status_code == 201
    assert tenant.get(f"{path}/d").status_code == 404


def test_one_connection_serves_many_requests(openshift: FakeOpenShift, tenant: Client) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {tenant.token}"
        addresses = set()
        for path in (
            "/api/v1/namespaces/lab",
            "/apis/project.openshift.io/v1/projects/lab",
            "/apis",
            "/api/v1/namespaces",
        ):
            answer = session.get(openshift.url + path, verify=tenant.authority, stream=True, timeout=10)
            addresses.add(answer.raw.connection.sock.getsockname())
            assert answer.content
    assert len(addresses) == 1


@pytest.mark.parametrize("api_server", [False, True], indirect=True, ids=["plain", "tls"])
def test_a_watch_comes_as_it_happens(client: Clients) -> None:
    started = time.monotonic()
    answer = client("developer").get("/api/v1/namespaces/lab/pods?watch=true", stream=True)
    times, names = [], []
    for line in answer.iter_lines(chunk_size=1):
        times.append(time.monotonic() - started)
        names.append(json.loads(line)["object"]["metadata"]["name"])
    assert names == ["first", "second"]
    assert times[1] - times[0] > 0.2  # the first one was not held back until the second came


@pytest.mark.parametrize("api_server", [False, True], indirect=True, ids=["plain", "tls"])
@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
def test_an_upgraded_connection(openshift: FakeOpenShift, api_server: ApiServer, protocol: str) -> None:
    token = openshift.login("developer")
    tls = ssl.create_default_context(cafile=openshift.files.authority)
    with socket.create_connection(("127.0.0.1", openshift.port), timeout=10) as plain:
        connection = tls.wrap_socket(plain, server_hostname="127.0.0.1")
        head = f"POST {EXEC}?command=sh HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode())
        reader = connection.makefile("rb")
        assert reader.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        headers = b"".join(iter(reader.readline, b"\r\n")).decode()
        assert f"Upgrade: {protocol}\r\n" in headers
        assert reader.readline() == b"hello\n"
        for size in (1, 70_000, 300_000):  # more than fits into one record of TLS
            connection.sendall(b"a" * size)
            assert reader.read(size) == b"A" * size
        connection.close()
    assert api_server.seen[-1] == ("developer", "POST", f"{EXEC}?command=sh")
    [record] = openshift.requests
    assert (record.status, record.upgraded) == (101, True)


def test_an_upgrade_that_is_refused(openshift: FakeOpenShift, client: Clients) -> None:
    somebody = client("")
    upgrade = {"Authorization": "Bearer unknown", "Connection": "Upgrade", "Upgrade": "websocket"}
    with requests.Session() as session:
        answer = session.get(somebody.url + EXEC, headers=upgrade, verify=somebody.authority, timeout=10)
        assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
        answer = session.get(
            somebody.url + "/apis", verify=somebody.authority, timeout=10
        )  # the connection is still good
        assert answer.status_code == 200
    assert [record.status for record in openshift.refused] == [401]


def test_discovery(client: Clients) -> None:
    groups = {group["name"] for group in client("developer").get("/apis").json()["groups"]}
    assert {"apps", "build.openshift.io", "image.openshift.io", "project.openshift.io"} <= groups
    document = client("developer").get("/apis/build.openshift.io/v1").json()
    names = {resource["name"]: resource for resource in document["resources"]}
    assert names["buildconfigs"]["kind"] == "BuildConfig"
    assert names["buildconfigs/instantiatebinary"]["verbs"] == ["create"]
    assert client("").get("/apis/user.openshift.io").json()["kind"] == "APIGroup"


def test_an_api_server_that_is_gone(client: Clients, api_server: ApiServer, openshift: FakeOpenShift) -> None:
    developer = client("developer")
    api_server.shutdown()
    api_server.server_close()
    for path in ("/api/v1/namespaces", "/apis/project.openshift.io/v1/projects"):
        answer = developer.get(path)
        assert answer.status_code == 503
        assert "cannot be reached" in answer.json()["message"]
    assert [record.status for record in openshift.requests] == [503, 503]


def test_kubeconfigs(openshift: FakeOpenShift, tmp_path: Path) -> None:
    content = yaml.safe_load(openshift.kubeconfig(tmp_path / "user", "sha256~t", "lab").read_text())
    assert content["clusters"][0]["cluster"]["server"] == openshift.url
    assert content["users"][0]["user"] == {"token": "sha256~t"}
    assert "certificate-authority-data" in content["clusters"][0]["cluster"]
    webhook = yaml.safe_load(openshift.webhook_config(tmp_path / "webhook").read_text())
    assert webhook["clusters"][0]["cluster"]["server"] == f"{openshift.url}/tokenreview"


def test_certificates_that_are_kept_are_for_the_same_names(api_server: ApiServer, tmp_path: Path) -> None:
    kubeconfig, folder = api_server.kubeconfig(tmp_path / "admin"), tmp_path / "kept"
    with FakeOpenShift(kubeconfig, folder=folder, names=("gateway.test",)) as one:
        authority = one.files.authority.read_bytes()
    with FakeOpenShift(kubeconfig, folder=folder) as two:
        assert two.files.authority.read_bytes() == authority
    with pytest.raises(ValueError, match="is not for all of"):
        FakeOpenShift(kubeconfig, folder=folder, names=("other.test",))


def test_a_kubeconfig_that_does_not_do(tmp_path: Path, api_server: ApiServer) -> None:
    path = api_server.kubeconfig(tmp_path / "admin")
    with pytest.raises(ValueError, match="no context other"):
        Kube(path, "other")
    path.write_text(path.read_text().replace(ADMIN, ""))
    with pytest.raises(ValueError, match="neither a token nor a certificate"):
        Kube(path)
