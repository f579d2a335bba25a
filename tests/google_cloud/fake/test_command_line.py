# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake as a process of its own."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.fakes.google_cloud import kubeconfig
from tests.fakes.google_cloud.client import Client
from tests.fakes.google_cloud.errors import JSON

ROOT = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "tests.fakes.google_cloud"]


@contextmanager
def running(*arguments: str | Path) -> t.Iterator[tuple[JSON, Client]]:
    command = [*COMMAND, *(str(argument) for argument in arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads(process.stdout.readline())
            yield said, Client(int(said["url"].rpartition(":")[2]), lambda: str(said["token"]))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def test_it_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("log", "key", "ca", "pools")}
    hook = f"cat > {files['pools']}; echo $1 >> {files['pools']}"
    arguments = ("--log", files["log"], "--key-file", files["key"], "--ca-file", files["ca"])
    with running(*arguments, "--operation-polls", "1", "--endpoint", "127.0.0.1:6443", "--on-pools", hook) as (
        said,
        api,
    ):
        assert said["token"] == "ya29.fake-token"
        region = "/container/v1/projects/fake-project/locations/europe-west1"
        reply = api.post(f"{region}/clusters", {"cluster": {"name": "c", "initialNodeCount": 1}})
        api.wait(f"{region}/operations", reply.body)
        cluster = api.get(f"{region}/clusters/c").body
        assert cluster["endpoint"] == "127.0.0.1:6443"
        assert cluster["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"] == "127.0.0.1:6443"
    assert len(files["log"].read_text().splitlines()) == 3
    assert json.loads(files["key"].read_text())["type"] == "service_account"
    assert "BEGIN CERTIFICATE" in files["ca"].read_text()
    pools, name = files["pools"].read_text().rsplit("]", 1)
    assert json.loads(pools + "]")[0]["name"] == "default-pool"
    assert name.strip() == "c"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label-nodes"], "--label-nodes needs --kubeconfig"),
        (["--label-nodes", "--kubeconfig", "x", "--on-pools", "true"], "exclude each other"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], message: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_what_a_kubeconfig_says(tmp_path: Path) -> None:
    path = tmp_path / "config"
    data = base64.b64encode(b"certificate").decode()
    content: JSON = {
        "current-context": "kind-a",
        "contexts": [{"name": "kind-a", "context": {"cluster": "a"}}, {"name": "b", "context": {"cluster": "b"}}],
        "clusters": [
            {"name": "a", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": data}},
            {"name": "b", "cluster": {"server": "https://k.example:443", "certificate-authority": "ca.crt"}},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    (tmp_path / "ca.crt").write_bytes(b"other")
    assert kubeconfig.read(path) == kubeconfig.Cluster("127.0.0.1:6443", data)
    assert kubeconfig.read(path, "b") == kubeconfig.Cluster("k.example:443", base64.b64encode(b"other").decode())
    with pytest.raises(ValueError, match="has no context c"):
        kubeconfig.read(path, "c")
    del content["clusters"][0]["cluster"]["certificate-authority-data"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="does not say by which authority"):
        kubeconfig.read(path)


class ApiServer(BaseHTTPRequestHandler):
    """As much of an API server as is asked."""

    asked: t.ClassVar[list[tuple[str, str, str]]] = []
    answers: t.ClassVar[dict[str, JSON]] = {}

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, self.headers.get("Content-Type", "")))
        data = json.dumps(self.answers.get(self.path, {})).encode()
        # As a real one: keys are a type of their own.
        refused = self.path.endswith("/jwks") and "application/jwk-set+json" not in self.headers.get("Accept", "")
        self.send_response(406 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = _any

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002  (the base class has named it)
        """Nothing is logged."""


@pytest.fixture
def api_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Iterator[Path]:
    """The kubeconfig for it."""
    monkeypatch.setattr(ApiServer, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), ApiServer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        data = base64.b64encode(b"certificate").decode()
        cluster = {"server": f"http://127.0.0.1:{server.server_port}", "certificate-authority-data": data}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "kind",
            "contexts": [{"name": "kind", "context": {"cluster": "kind", "user": "kind"}}],
            "clusters": [{"name": "kind", "cluster": cluster}],
            "users": [{"name": "kind", "user": {}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(content))
        yield path
        server.shutdown()


def test_a_real_cluster_is_handed_out_and_kept_like_its_pools(
    api_server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = {"metadata": {"name": "worker", "labels": {"cloud.google.com/gke-nodepool": "old"}}, "spec": {}}
    pod = {"metadata": {"name": "dask", "namespace": "dask"}}
    pods = "/api/v1/pods?fieldSelector=spec.nodeName%3Dworker"
    answers = {"/openid/v1/jwks": {"keys": []}, "/api/v1/nodes": {"items": [worker]}, pods: {"items": [pod]}}
    monkeypatch.setattr(ApiServer, "answers", answers)
    region = "/container/v1/projects/fake-project/locations/europe-west1"
    with running("--kubeconfig", api_server, "--label-nodes", "--operation-polls", "1") as (_said, api):
        reply = api.post(f"{region}/clusters", {"cluster": {"name": "c", "initialNodeCount": 1}})
        assert ApiServer.asked == [("GET", "/openid/v1/jwks", "")]
        api.wait(f"{region}/operations", reply.body)
        cluster = api.get(f"{region}/clusters/c").body
    assert cluster["endpoint"] == kubeconfig.read(api_server).endpoint
    assert base64.b64decode(cluster["masterAuth"]["clusterCaCertificate"]) == b"certificate"
    verbs = [(verb, path) for verb, path, _kind in ApiServer.asked[1:]]
    assert verbs == [
        ("GET", "/api/v1/nodes"),
        ("PATCH", "/api/v1/nodes/worker"),
        ("GET", pods),
        ("DELETE", "/api/v1/namespaces/dask/pods/dask"),
    ]
    assert "merge-patch" in ApiServer.asked[2][2]
