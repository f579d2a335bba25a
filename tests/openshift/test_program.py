# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake as a program, and what scenarios ask of it while it runs."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client
from tests.openshift.test_builds import BUILDS, IMAGES, INSTANTIATE, archive, config, over, stream

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running(*arguments: str | Path) -> t.Iterator[dict[str, t.Any]]:
    command = [sys.executable, "-m", "tests.fakes.openshift", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


def login(where: dict[str, t.Any]) -> Client:
    """The developer, by the password that is the default."""
    client = Client(where["url"], where["ca"], "")
    path = "/oauth/authorize?client_id=openshift-challenging-client&response_type=token"
    headers = {"Authorization": "Basic ZGV2ZWxvcGVyOmRldmVsb3Blcg==", "X-CSRF-Token": "1"}
    answer = client.get(path, headers=headers, allow_redirects=False)
    client.token = answer.headers["Location"].partition("access_token=")[2].partition("&")[0].replace("%7E", "~")
    return client


@pytest.mark.usefixtures("tenant")
def test_all_of_it(api_server: ApiServer, tmp_path: Path) -> None:
    kubeconfig = api_server.kubeconfig(tmp_path / "admin")
    log, webhook, authority = tmp_path / "logs" / "log.jsonl", tmp_path / "webhook", tmp_path / "authority"
    docker = tmp_path / "docker"
    digest = f"sha256:{'a' * 64}"
    docker.write_text(
        f'case "$1" in image) echo \'[{{"Config": {{}}}}]\' ;; push) echo "latest: digest: {digest} size: 1" ;;\n'
        '*) echo "$@" ;; esac\n'
    )
    options: list[str | Path] = ["--kubeconfig", kubeconfig, "--log", log, "--ca-file", authority, "--install"]
    options += ["--webhook-config", webhook, "--folder", tmp_path / "kept", "--builder", "docker"]
    options += ["--docker-command", f"sh {docker}", "--push-registry", "localhost:5007"]
    with running(*options) as where:
        assert yaml.safe_load(webhook.read_text())["clusters"][0]["cluster"]["server"] == f"{where['url']}/tokenreview"
        assert "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/routes.route.openshift.io" in api_server.objects
        client = login(where)
        client.post(f"{IMAGES}/imagestreams", stream())
        client.post(f"{BUILDS}/buildconfigs", config())
        client.post(INSTANTIATE, archive(Dockerfile="FROM scratch"))
        assert over(client)["output"]["to"]["imageDigest"] == digest
        log_text = client.get(f"{BUILDS}/builds/dask-1/log").text
        assert "--tag localhost:5007/lab/dask:latest" in log_text
        client.post(INSTANTIATE, archive(README="x"))
        assert over(client, "dask-2")["reason"] == "DockerBuildFailed"
        # What scenarios ask of it.
        assert client.post("/__fake__/users", {"new": "word"}).json() == {"users": ["developer", "new"]}
        assert client.get("/__fake__/refused").json() == []
        assert client.post("/__fake__/expire", {"user": "developer"}).json() == {"expired": 1}
        assert client.get(f"{BUILDS}/builds").status_code == 401
        assert len(client.get("/__fake__/refused").json()) == 1
        assert client.get("/__fake__/nothing").status_code == 404
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["path"] for line in lines if line["path"] == INSTANTIATE] == [INSTANTIATE] * 2
    assert client.token not in log.read_text()
    kept = authority.read_bytes()
    with running(*options, "--address", "127.0.0.1"):
        assert authority.read_bytes() == kept  # who trusted it before still does


def test_a_proxy_and_a_router(api_server: ApiServer, tmp_path: Path) -> None:
    kubeconfig = api_server.kubeconfig(tmp_path / "admin")
    with running("--kubeconfig", kubeconfig, "--router", "--proxy-target", "127.0.0.1:9") as where:
        assert where["proxy"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("option", ["--user", "--group"])
def test_what_it_cannot_understand(option: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.openshift", "--kubeconfig", str(tmp_path), option, "nobody"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"{option} nobody has no colon" in done.stderr
