# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The builder, with a stub in the place of Docker: what it is told, and what becomes of what it says."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import tarfile
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.openshift import BuildFailed, BuildInput, Built, FakeOpenShift, Settings
from tests.fakes.openshift.docker_builder import DockerBuilder
from tests.fakes.openshift.kube import Kube
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client, Hook
from tests.openshift.test_builds import BUILDS, IMAGES, INSTANTIATE, archive, config, over, stream

JSON = dict[str, t.Any]
DIGEST = f"sha256:{'a' * 64}"
REGISTRY = "image-registry.openshift-image-registry.svc:5000"
OUTPUT = f"{REGISTRY}/lab/dask:latest"

# Notes its arguments and keeps the context; what it does besides is in a file, by the name of the command.
STUB = f"""#!/bin/sh
for each; do printf '%s\\n' "$each"; done > "$STUB/$1.arguments"
if [ "$1" = build ]; then
    for context; do :; done
    cp -r "$context" "$STUB/context"
    cp "$3" "$STUB/dockerfile"
fi
if [ -e "$STUB/$1.sh" ]; then . "$STUB/$1.sh"; exit; fi
case $1 in
build) echo "#5 [1/2] FROM scratch" ;;
push) echo "latest: digest: {DIGEST} size: 1234" ;;
image) echo '[{{"Id": "sha256:id", "Config": {{"Labels": {{"of": "the base"}}}}}}]' ;;
esac
"""


@dataclass
class Docker:
    """The stub, and what it was told."""

    folder: Path

    def does(self, command: str, script: str) -> None:
        (self.folder / f"{command}.sh").write_text(script)

    def told(self, command: str) -> list[str]:
        path = self.folder / f"{command}.arguments"
        return path.read_text().splitlines() if path.exists() else []

    def options(self, name: str) -> list[str]:
        told = self.told("build")
        return [value for option, value in itertools.pairwise(told) if option == name]

    @property
    def dockerfile(self) -> str:
        return (self.folder / "dockerfile").read_text()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "docker").write_text(STUB)
    (folder / "docker").chmod(0o700)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("STUB", str(folder))
    return Docker(folder)


@pytest.fixture
def builder(docker: Docker, api_server: ApiServer, tmp_path: Path) -> DockerBuilder:
    assert docker.told("build") == []
    kube = Kube(api_server.kubeconfig(tmp_path / "builder.kubeconfig"))
    return DockerBuilder(Settings(push_registry="localhost:5007"), kube, seconds=20)


def given(
    sent: bytes | None = None, strategy: JSON | None = None, source: JSON | None = None, **spec: t.Any
) -> tuple[BuildInput, list[str]]:
    """A build, and its log."""
    log: list[str] = []
    spec = {"strategy": {"dockerStrategy": strategy or {}}, "source": source or {}, **spec}
    sent = archive(Dockerfile="FROM scratch\nUSER 1001\n") if sent is None else sent
    return BuildInput("dask-1", "lab", sent, spec, OUTPUT, log.append), log


def failure(builder: DockerBuilder, build: BuildInput) -> str:
    with pytest.raises(BuildFailed) as raised:
        builder(build)
    return raised.value.reason


def test_it_builds_and_pushes(builder: DockerBuilder, docker: Docker) -> None:
    labels = [{"name": "app", "value": "dask"}, {"name": "io.openshift.build.name", "value": "mine"}]
    build, log = given(output={"imageLabels": labels})
    assert builder(build) == Built(DIGEST, labels={"of": "the base"})
    assert docker.told("push") == ["push", "localhost:5007/lab/dask:latest"]
    assert docker.options("--tag") == ["localhost:5007/lab/dask:latest"]
    wanted = ["app=dask", "io.openshift.build.name=mine", "io.openshift.build.namespace=lab"]
    assert sorted(docker.options("--label")) == wanted
    assert docker.dockerfile == "FROM scratch\nUSER 1001\n"
    assert "#5 [1/2] FROM scratch\n" in log
    assert log[-1] == "Push successful\n"
    assert not Path(docker.told("build")[-1]).exists()  # the folder is gone


def test_what_the_strategy_says(builder: DockerBuilder, docker: Docker) -> None:
    dockerfile = "# FROM nothing\nFROM --platform=linux/amd64 one AS base\nRUN true\nfrom base AS last\nRUN true\n"
    strategy: JSON = {
        "dockerfilePath": "docker/Containerfile",
        "from": {"kind": "DockerImage", "name": f"{REGISTRY}/lab/python:3"},
        "env": [{"name": "A", "value": 'a "b" $c'}, {"name": "B"}],
        "buildArgs": [{"name": "PIP_INDEX_URL", "value": "https://example.com/a b"}],
        "noCache": True,
        "forcePull": True,
    }
    sent = archive(**{"sub/docker/Containerfile": dockerfile, "sub/file": "x", "outside": "y"})
    build, _log = given(sent, strategy, {"contextDir": "/sub"})
    builder(build)
    env = 'ENV A="a \\"b\\" \\$c" B=""\n'
    assert docker.dockerfile == (
        f"# FROM nothing\nFROM --platform=linux/amd64 one AS base\n{env}RUN true\n"
        f"from localhost:5007/lab/python:3 AS last\n{env}RUN true\n"
    )
    assert docker.options("--build-arg") == ["PIP_INDEX_URL=https://example.com/a b"]
    assert {"--no-cache", "--pull"} <= set(docker.told("build"))
    assert sorted(path.name for path in (docker.folder / "context").iterdir()) == ["docker", "file"]


def test_what_the_source_adds(builder: DockerBuilder, docker: Docker, api_server: ApiServer) -> None:
    objects = {
        "secrets/pip": {"data": {"pip.conf": base64.b64encode(b"[global]").decode()}},
        "configmaps/ca": {"data": {"a": "text"}, "binaryData": {"b": base64.b64encode(b"\0").decode()}},
    }
    api_server.objects |= {f"/api/v1/namespaces/lab/{path}": found for path, found in objects.items()}
    source: JSON = {
        "dockerfile": "FROM inline",
        "secrets": [{"secret": {"name": "pip"}, "destinationDir": "conf"}],
        "configMaps": [{"configMap": {"name": "ca"}}],
    }
    build, _log = given(archive(), None, source)
    builder(build)
    context = docker.folder / "context"
    assert (context / "conf" / "pip.conf").read_bytes() == b"[global]"
    assert ((context / "a").read_bytes(), (context / "b").read_bytes()) == (b"text", b"\0")
    assert docker.dockerfile == "FROM inline"


def with_link() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(member)
    return data.getvalue()


@pytest.mark.parametrize(
    ("sent", "strategy", "source", "reason"),
    [
        (b"no tar", {}, {}, "FetchSourceFailed"),
        (archive(**{"../Dockerfile": "FROM x"}), {}, {}, "FetchSourceFailed"),
        (archive(**{"/tmp/Dockerfile": "FROM x"}), {}, {}, "FetchSourceFailed"),
        (with_link(), {}, {}, "FetchSourceFailed"),
        (None, {}, {"contextDir": "nowhere"}, "InvalidContextDirectory"),
        (None, {}, {"contextDir": "../.."}, "FetchSourceFailed"),
        (None, {}, {"secrets": [{"secret": {"name": "gone"}}]}, "FetchSourceFailed"),
        (None, {"dockerfilePath": "nowhere"}, {}, "DockerBuildFailed"),
        (None, {"dockerfilePath": "../../etc/hostname"}, {}, "FetchSourceFailed"),
        (
            None,
            {"env": [{"name": "A", "valueFrom": {}}, {"name": "B", "valueFrom": {"x": 1}}]},
            {},
            "GenericBuildFailed",
        ),
        (None, {"from": {"kind": "ImageStreamImage", "name": "a@b"}}, {}, "GenericBuildFailed"),
        (None, {}, {"images": [{}]}, "GenericBuildFailed"),
    ],
)
def test_what_cannot_be_built(
    builder: DockerBuilder, docker: Docker, sent: bytes | None, strategy: JSON, source: JSON, reason: str
) -> None:
    build, log = given(sent, strategy, source)
    assert failure(builder, build) == reason
    assert log
    assert log[-1].startswith("error: ")
    assert docker.told("build") == []


def test_hooks_are_not_modelled(builder: DockerBuilder) -> None:
    assert failure(builder, given(postCommit={"script": "true"})[0]) == "GenericBuildFailed"


@pytest.mark.parametrize(
    ("command", "script", "reason"),
    [
        ("build", "echo 'ERROR: RUN returned 1' >&2; exit 1", "DockerBuildFailed"),
        ("build", "echo 'ERROR: x: failed to resolve source metadata for x'; exit 1", "PullBuilderImageFailed"),
        ("push", "echo denied; exit 1", "PushImageToRegistryFailed"),
        ("push", "echo pushed, and did not say what", "PushImageToRegistryFailed"),
    ],
)
def test_why_it_has_failed(builder: DockerBuilder, docker: Docker, command: str, script: str, reason: str) -> None:
    docker.does(command, script)
    build, log = given()
    assert failure(builder, build) == reason
    assert "".join(log).strip()


def test_without_an_output_nothing_is_pushed(builder: DockerBuilder, docker: Docker) -> None:
    build, log = given()
    build = BuildInput(build.name, build.namespace, build.archive, build.spec, "", log.append)
    assert builder(build).digest == "sha256:id"
    assert docker.told("push") == []


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has, too."""
    status = Path(f"/proc/{pid}/stat")
    end = time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


ENDLESS = 'sleep 300 & echo $! > "$STUB/child"; echo started; wait'


def test_one_that_takes_too_long_is_ended_with_its_children(builder: DockerBuilder, docker: Docker) -> None:
    docker.does("build", ENDLESS)
    started = time.monotonic()
    build, log = given(completionDeadlineSeconds=1)
    assert failure(builder, build) == "GenericBuildFailed"
    assert time.monotonic() - started < 10
    assert log[-1] == "error: the build has taken too long\n"
    assert gone(int((docker.folder / "child").read_text()))


@pytest.mark.parametrize("way", ["cancel", "delete", "stop"])
def test_one_that_nobody_wants_is_ended(
    tenant: Client, hook: Hook, docker: Docker, builder: DockerBuilder, openshift: FakeOpenShift, way: str
) -> None:
    started, over_now = threading.Event(), threading.Event()

    def build(given: BuildInput) -> Built:
        log = given.log

        def noted(text: str) -> None:
            log(text)
            started.set()

        try:
            return builder(BuildInput(**{**vars(given), "log": noted}))
        finally:
            over_now.set()

    hook.build = build
    docker.does("build", ENDLESS)
    tenant.post(f"{IMAGES}/imagestreams", stream())
    tenant.post(f"{BUILDS}/buildconfigs", config())
    tenant.post(INSTANTIATE, archive(Dockerfile="FROM scratch"))
    assert started.wait(10)
    if way == "cancel":
        answer = tenant.patch(f"{BUILDS}/builds/dask-1", {"status": {"cancelled": True}})
        assert answer.json()["status"]["phase"] == "Cancelled"
    elif way == "delete":
        tenant.delete(f"{BUILDS}/builds/dask-1")
    else:
        openshift.edge.builds.stop()
    assert over_now.wait(10)
    assert gone(int((docker.folder / "child").read_text()))


def test_the_tag_says_where_it_is_and_has_its_labels(
    tenant: Client, hook: Hook, docker: Docker, builder: DockerBuilder
) -> None:
    hook.build = builder
    wanted = config()
    wanted["spec"]["output"]["imageLabels"] = [{"name": "app", "value": "dask"}]
    tenant.post(f"{IMAGES}/imagestreams", stream())
    tenant.post(f"{BUILDS}/buildconfigs", wanted)
    tenant.post(INSTANTIATE, archive(Dockerfile="FROM scratch"))
    assert over(tenant)["phase"] == "Complete"
    image = tenant.get(f"{IMAGES}/imagestreamtags/dask:latest").json()["image"]
    assert image["dockerImageReference"] == f"{REGISTRY}/lab/dask@{DIGEST}"
    assert image["dockerImageMetadata"]["Config"]["Labels"] == {"of": "the base", "app": "dask"}
    assert docker.options("--tag") == ["localhost:5007/lab/dask:latest"]


def test_from_a_tag(tenant: Client, hook: Hook, docker: Docker, builder: DockerBuilder) -> None:
    hook.build = builder
    tenant.post(f"{IMAGES}/imagestreams", stream())
    tenant.post(f"{BUILDS}/buildconfigs", config(**{"from": {"kind": "ImageStreamTag", "name": "base:1"}}))
    status = tenant.post(INSTANTIATE, archive(Dockerfile="FROM scratch")).json()["status"]
    assert (status["phase"], status["reason"]) == ("New", "InvalidImageReference")
    source = {"kind": "DockerImage", "name": f"{REGISTRY}/lab/base@{DIGEST}"}
    base = {**stream("base"), "spec": {"tags": [{"name": "1", "from": source}]}}
    tenant.post(f"{IMAGES}/imagestreams", base)
    made = tenant.post(INSTANTIATE, archive(Dockerfile="FROM scratch")).json()
    assert made["spec"]["strategy"]["dockerStrategy"]["from"] == source
    assert over(tenant, "dask-2")["phase"] == "Complete"
    assert docker.dockerfile == f"FROM localhost:5007/lab/base@{DIGEST}"
    assert json.dumps(tenant.get(f"{BUILDS}/buildconfigs/dask").json()["spec"]).count("ImageStreamTag") == 2
