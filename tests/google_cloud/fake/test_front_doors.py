# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How clients reach the fake: plainly, through the proxy, and for their tokens."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t
from pathlib import Path

import google.auth
import google.auth.compute_engine
import google.auth.transport.requests
import pytest
import requests
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client

CLUSTERS = "https://container.googleapis.com/v1/projects/fake-project/locations/europe-west1/clusters"
NETWORKS = "compute/v1/projects/fake-project/global/networks"


@pytest.fixture
def fresh() -> t.Iterator[FakeCloud]:
    """One of its own, as these tests try to reach others through it."""
    with FakeCloud() as cloud:
        yield cloud


@pytest.fixture
def proxied(fresh: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    for name, value in fresh.proxy_environment().items():
        monkeypatch.setenv(name, value)
    return fresh


def bearer(cloud: FakeCloud) -> dict[str, str]:
    return {"Authorization": f"Bearer {cloud.token}"}


def test_plainly(cloud: FakeCloud) -> None:
    url = cloud.api_endpoint.format(service="container")
    assert requests.get(f"{url}/v1/projects/fake-project/locations/-/clusters", headers=bearer(cloud), timeout=10).ok
    [record] = cloud.requests
    assert (record.service, record.method) == ("container", "container.projects.locations.clusters.list")
    assert record.identity == "serviceAccount:ci@fake-project.iam.gserviceaccount.com"
    assert not record.writes


def test_no_token_and_a_wrong_one(cloud: FakeCloud) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = requests.get(f"{cloud.url}/compute/{NETWORKS}", headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["errors"][0]["reason"] == "authError"


@pytest.mark.parametrize("host", ["compute.googleapis.com", "www.googleapis.com"])
def test_through_the_proxy(proxied: FakeCloud, host: str) -> None:
    made = requests.post(f"https://{host}/{NETWORKS}", json={"name": "n"}, headers=bearer(proxied), timeout=10)
    assert made.status_code == 200
    session = requests.Session()  # several requests in one tunnel
    for _turn in range(3):
        assert session.get(f"https://{host}/{NETWORKS}", headers=bearer(proxied), timeout=10).ok
    assert {record.host for record in proxied.requests} == {host}
    assert [record.method for record in proxied.writes] == ["compute.networks.insert"]


def test_the_certificate_is_checked(fresh: FakeCloud) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", fresh.port, timeout=10, context=ssl.create_default_context())
    connection.set_tunnel("container.googleapis.com", 443)
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/")


@pytest.mark.parametrize(
    "url", ["https://pkg.example.org/simple", "https://oauth.example.org", "http://example.org/x?y"]
)
def test_nobody_else_is_reached(proxied: FakeCloud, url: str) -> None:
    if url.startswith("https"):
        with pytest.raises(requests.exceptions.ProxyError):
            requests.get(url, timeout=10)
    else:
        assert requests.get(url, timeout=10).status_code == 403
    [refused] = proxied.refused
    assert "example.org" in refused.host
    assert "refuses to contact" in refused.error
    assert proxied.writes == []


def test_other_ports_of_googles_hosts_are_refused(fresh: FakeCloud) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", fresh.port, timeout=10)
    connection.set_tunnel("container.googleapis.com", 22)
    with pytest.raises(OSError, match="403"):
        connection.connect()
    assert len(fresh.refused) == 1


def test_a_key_file(proxied: FakeCloud, tmp_path: Path) -> None:
    path = proxied.key_file(tmp_path / "key.json")
    assert path.stat().st_mode & 0o777 == 0o600
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_file(str(path), scopes=scopes)
    session = google.auth.transport.requests.AuthorizedSession(credentials)
    assert session.get(CLUSTERS, timeout=10).ok
    assert credentials.token == proxied.token
    other = json.loads(path.read_text()) | {"client_email": "other@fake-project.iam.gserviceaccount.com"}
    stranger = service_account.Credentials.from_service_account_info(other, scopes=scopes)
    with pytest.raises(google.auth.exceptions.RefreshError, match="account not found"):
        stranger.refresh(google.auth.transport.requests.Request())
    assert proxied.refused == []


def test_a_key_file_of_somebody_else(proxied: FakeCloud, tmp_path: Path) -> None:
    proxied.key_file(tmp_path / "key.json")
    with FakeCloud() as another:
        path = another.key_file(tmp_path / "other.json")
    content = json.loads(path.read_text()) | {"token_uri": f"{proxied.url}/token"}
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_info(content, scopes=scopes)
    with pytest.raises(google.auth.exceptions.RefreshError, match="its signature is not valid"):
        credentials.refresh(google.auth.transport.requests.Request())


def test_application_default_credentials(proxied: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(proxied.key_file(tmp_path / "key.json")))
    credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    assert project == "fake-project"
    assert google.auth.transport.requests.AuthorizedSession(credentials).get(CLUSTERS, timeout=10).ok


def test_the_metadata_server(proxied: FakeCloud) -> None:
    request = google.auth.transport.requests.Request()
    credentials = google.auth.compute_engine.Credentials()
    credentials.refresh(request)
    assert credentials.token == proxied.token
    assert credentials.service_account_email == "ci@fake-project.iam.gserviceaccount.com"
    root = f"{proxied.url}/computeMetadata/v1"
    flavour = {"Metadata-Flavor": "Google"}
    assert requests.get(f"{root}/project/project-id", headers=flavour, timeout=10).text == "fake-project"
    assert requests.get(f"{root}/project/nonsense", headers=flavour, timeout=10).status_code == 404
    assert requests.get(f"{root}/project/project-id", timeout=10).status_code == 403
    assert proxied.writes == []
    assert proxied.refused == []


def test_a_refresh_token(cloud: FakeCloud) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "1//x", "client_id": "c", "client_secret": "s"}
    assert requests.post(f"{cloud.url}/token", data=form, timeout=10).json()["access_token"] == cloud.token
    wrong = requests.post(f"{cloud.url}/token", data={"grant_type": "password"}, timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "unsupported_grant_type")


def test_googles_own_client_library(cloud: FakeCloud) -> None:
    """It builds its requests from the same documents, by another's code."""
    cloud.add_cluster({"name": "c", "initialNodeCount": 1})
    endpoint = {"api_endpoint": f"{cloud.api_endpoint.format(service='container')}/"}
    container = build("container", "v1", credentials=Credentials(token=cloud.token), client_options=endpoint)
    clusters = container.projects().locations().clusters()
    name = "projects/fake-project/locations/europe-west1/clusters/c"
    assert clusters.get(name=name).execute()["status"] == "RUNNING"
    operation = clusters.update(name=name, body={"update": {"desiredReleaseChannel": {"channel": "RAPID"}}}).execute()
    assert operation["operationType"] == "UPDATE_CLUSTER"


def test_the_log(tmp_path: Path) -> None:
    log = tmp_path / "build" / "log.jsonl"
    with FakeCloud(log=log) as cloud:
        api = Client(cloud.port, lambda: cloud.token)
        api.post(f"/compute/{NETWORKS}", {"name": "n", "autoCreateSubnetworks": False})
        api.get(f"/compute/{NETWORKS}?maxResults=3")
        first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert (first["method"], first["status"], first["writes"]) == ("compute.networks.insert", 200, True)
    assert first["body"] == {"name": "n", "autoCreateSubnetworks": False}
    assert (second["query"], second["writes"]) == ({"maxResults": "3"}, False)


def test_what_molecule_uses(fresh: FakeCloud) -> None:
    api = Client(fresh.port, lambda: fresh.token)
    network = "compute/projects/fake-project/global/networks/n"
    assert api.post("/__fake__/resources", {network: {"name": "n"}}).status == 200
    assert api.get(f"/compute/{NETWORKS}/n").body == {"name": "n"}
    assert api.post("/__fake__/fail", {"on": "networks.get", "kind": "unavailable"}).status == 200
    assert api.get("/__fake__/state").body["failures"][0]["kind"] == "unavailable"
    assert api.get(f"/compute/{NETWORKS}/n").status == 503
    assert "There is no failure 'x'" in api.post("/__fake__/fail", {"on": "networks.get", "kind": "x"}).body
    api.post("/__fake__/services", {"compute.googleapis.com": False})
    assert api.get(f"/compute/{NETWORKS}/n").status == 403
    api.post("/__fake__/services", {"compute.googleapis.com": True})
    api.post("/__fake__/deny", ["compute.networks.get"])
    assert api.get(f"/compute/{NETWORKS}/n").status == 403
    api.post("/__fake__/deny", [])
    api.post("/__fake__/quotas", {"us-east1": {"CPUS": [8, 4]}})
    region = api.get("/compute/compute/v1/projects/fake-project/regions/us-east1").body
    assert region["quotas"][0] == {"metric": "CPUS", "limit": 8, "usage": 4}
    operation = api.delete(f"/compute/{NETWORKS}/n").body
    api.post("/__fake__/settle")
    state = api.get("/__fake__/state").body
    assert (state["resources"], state["operations"][0]["name"]) == ({}, operation["name"])
    assert [record["verb"] for record in api.get("/__fake__/writes").body] == ["DELETE"]
    assert api.get("/__fake__/refused").body == []
    assert len(api.get("/__fake__/requests").body) == 6
    api.post("/__fake__/reset")
    assert api.get("/__fake__/requests").body == []
    assert api.get("/__fake__/nonsense").status == 404
