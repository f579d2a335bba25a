# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ImageStreams, BuildConfigs and binary builds."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
import typing as t

import pytest

from tests.fakes.openshift import BuildFailed, BuildInput, Built, FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client, Hook

JSON = dict[str, t.Any]
IMAGES = "/apis/image.openshift.io/v1/namespaces/lab"
BUILDS = "/apis/build.openshift.io/v1/namespaces/lab"
INSTANTIATE = f"{BUILDS}/buildconfigs/dask/instantiatebinary"
REGISTRY = "image-registry.openshift-image-registry.svc:5000"


def stream(name: str = "dask") -> JSON:
    return {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": name}}


def config(**docker: t.Any) -> JSON:
    return {
        "apiVersion": "build.openshift.io/v1",
        "kind": "BuildConfig",
        "metadata": {"name": "dask", "labels": {"app": "dask"}},
        "spec": {
            "source": {"type": "Binary", "binary": {}},
            "strategy": {"type": "Docker", "dockerStrategy": docker},
            "output": {"to": {"kind": "ImageStreamTag", "name": "dask:latest"}},
        },
    }


def archive(**files: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return data.getvalue()


@pytest.fixture
def ready(tenant: Client) -> Client:
    """A tenant with a stream and a config that builds into it."""
    assert tenant.post(f"{IMAGES}/imagestreams", stream()).status_code == 201
    assert tenant.post(f"{BUILDS}/buildconfigs", config()).status_code == 201
    return tenant


def over(client: Client, name: str = "dask-1") -> JSON:
    """Wait for a build by its log, which ends when it does."""
    client.get(f"{BUILDS}/builds/{name}/log?follow=true")
    return t.cast("JSON", client.get(f"{BUILDS}/builds/{name}").json()["status"])


def test_a_build_and_its_tag(ready: Client) -> None:
    assert ready.get(f"{IMAGES}/imagestreamtags/dask:latest").status_code == 404
    answer = ready.post(INSTANTIATE, archive(Dockerfile="FROM scratch\nUSER 1001\n"))
    assert answer.status_code == 201
    assert answer.json()["status"]["phase"] == "New"
    log = ready.get(f"{BUILDS}/builds/dask-1/log?follow=true")
    assert log.headers["Content-Type"] == "text/plain"
    assert log.text == "STEP 1/2: FROM scratch\nSTEP 2/2: USER 1001\n"
    status = over(ready)
    digest = status["output"]["to"]["imageDigest"]
    assert status["phase"] == "Complete"
    assert status["outputDockerImageReference"] == f"{REGISTRY}/lab/dask:latest"
    tag = ready.get(f"{IMAGES}/imagestreamtags/dask:latest").json()
    assert tag["image"]["metadata"]["name"] == digest
    assert tag["image"]["dockerImageReference"] == f"{REGISTRY}/lab/dask@{digest}"
    assert ready.get(f"{IMAGES}/imagestreamtags/dask%3Alatest").json() == tag
    assert ready.get(f"{BUILDS}/buildconfigs/dask").json()["status"] == {"lastVersion": 1}


def test_its_phases_and_its_log_while_it_runs(ready: Client, hook: Hook) -> None:
    go_on, running = threading.Event(), threading.Event()

    def build(given: BuildInput) -> Built:
        given.log("first\n")
        running.set()
        assert go_on.wait(10)
        given.log("last\n")
        return Built("sha256:abc", "localhost:5000/lab/dask@sha256:abc")

    hook.build = build
    ready.post(INSTANTIATE, archive())
    assert running.wait(10)
    build_now = ready.get(f"{BUILDS}/builds/dask-1").json()
    assert build_now["status"]["phase"] == "Running"
    assert ready.get(f"{BUILDS}/builds/dask-1/log").text == "first\n"
    lines = ready.get(f"{BUILDS}/builds/dask-1/log?follow=true", stream=True).iter_lines(chunk_size=1)
    assert next(lines) == b"first"  # before the build is over
    go_on.set()
    assert list(lines) == [b"last"]
    assert over(ready)["phase"] == "Complete"
    tag = ready.get(f"{IMAGES}/imagestreamtags/dask:latest").json()
    assert tag["image"]["dockerImageReference"] == "localhost:5000/lab/dask@sha256:abc"


def test_a_build_that_fails(ready: Client) -> None:
    ready.post(INSTANTIATE, archive(README="nothing to build"))
    status = over(ready)
    assert (status["phase"], status["reason"]) == ("Failed", "DockerBuildFailed")
    assert status["message"] == "Dockerfile build strategy has failed."
    assert status["logSnippet"] == "error: open Dockerfile: no such file or directory"
    assert ready.get(f"{IMAGES}/imagestreamtags/dask:latest").status_code == 404


def test_a_push_that_fails_and_a_builder_with_a_defect(ready: Client, hook: Hook) -> None:
    def refuse(_given: BuildInput) -> Built:
        raise BuildFailed("PushImageToRegistryFailed", "Failed to push the image to the registry: denied")

    hook.build = refuse
    ready.post(INSTANTIATE, archive())
    assert over(ready)["message"] == "Failed to push the image to the registry: denied"

    def broken(_given: BuildInput) -> Built:
        raise RuntimeError("no docker here")

    hook.build = broken
    ready.post(INSTANTIATE, archive())
    assert over(ready, "dask-2")["reason"] == "GenericBuildFailed"
    assert "no docker here" in ready.get(f"{BUILDS}/builds/dask-2/log").text


def test_what_is_sent_is_a_tar(ready: Client) -> None:
    ready.post(INSTANTIATE, b"FROM scratch")
    assert over(ready)["reason"] == "FetchSourceFailed"


def test_a_dockerfile_by_itself(ready: Client) -> None:
    ready.post(f"{INSTANTIATE}?asFile=Dockerfile", b"FROM scratch")
    assert over(ready)["phase"] == "Complete"


def test_a_build_that_is_cancelled(ready: Client, hook: Hook) -> None:
    go_on = threading.Event()

    def build(_given: BuildInput) -> Built:
        assert go_on.wait(10)
        return Built("sha256:abc")

    hook.build = build
    ready.post(INSTANTIATE, archive())
    status = ready.patch(f"{BUILDS}/builds/dask-1", {"status": {"cancelled": True}}).json()["status"]
    assert (status["phase"], status["message"]) == ("Cancelled", "The build was cancelled by the user.")
    go_on.set()
    assert over(ready)["phase"] == "Cancelled"
    assert ready.get(f"{IMAGES}/imagestreamtags/dask:latest").status_code == 404


def test_without_its_stream_a_build_does_not_start(tenant: Client) -> None:
    tenant.post(f"{BUILDS}/buildconfigs", config())
    status = tenant.post(INSTANTIATE, archive()).json()["status"]
    assert (status["phase"], status["reason"]) == ("New", "InvalidOutputReference")
    assert tenant.get(f"{BUILDS}/builds/dask-1/log").status_code == 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dockerfilepath": "x"}, 'unknown field "spec.strategy.dockerStrategy.dockerfilepath"'),
        ({"noCache": "yes"}, "cannot unmarshal string into Go struct field"),
        ({"env": [{"name": "A", "valeu": "b"}]}, 'unknown field "spec.strategy.dockerStrategy.env[0].valeu"'),
    ],
)
def test_a_typo_is_refused(tenant: Client, change: JSON, message: str) -> None:
    answer = tenant.post(f"{BUILDS}/buildconfigs?fieldValidation=Strict", config(**change))
    assert answer.status_code == 400
    assert answer.json()["message"].startswith('BuildConfig in version "v1" cannot be handled as a BuildConfig: ')
    assert message in answer.json()["message"]
    assert tenant.get(f"{BUILDS}/buildconfigs").json()["items"] == []


def test_a_typo_may_be_warned_of_or_ignored(tenant: Client) -> None:
    path = f"{BUILDS}/buildconfigs?dryRun=All&fieldValidation="
    warned = tenant.post(f"{path}Warn", config(dockerfilepath="x"))
    assert warned.status_code == 201
    assert "dockerfilepath" in warned.headers["Warning"]
    assert "dockerfilepath" not in warned.text
    assert "Warning" not in tenant.post(f"{path}Ignore", config(dockerfilepath="x")).headers


def test_a_wrong_word_and_no_strategy(tenant: Client) -> None:
    wrong = config()
    wrong["spec"]["output"]["to"]["kind"] = "Image"
    answer = tenant.post(f"{BUILDS}/buildconfigs", wrong)
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == "spec.output.to.kind"
    wrong = config()
    wrong["spec"]["strategy"] = {}
    assert tenant.post(f"{BUILDS}/buildconfigs", wrong).status_code == 422


def test_what_is_not_modelled_says_so(tenant: Client, openshift: FakeOpenShift) -> None:
    wrong = config()
    wrong["spec"]["strategy"] = {"sourceStrategy": {"from": {"kind": "ImageStreamTag", "name": "python:3"}}}
    assert tenant.post(f"{BUILDS}/buildconfigs", wrong).status_code == 501
    assert tenant.post(f"{IMAGES}/imagestreamimports", {}).status_code == 501
    assert len(openshift.unknown) == 2


def test_the_same_again_changes_nothing(ready: Client) -> None:
    before = ready.get(f"{BUILDS}/buildconfigs/dask").json()
    kinds = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")
    for kind in kinds:
        assert ready.patch(f"{BUILDS}/buildconfigs/dask", config(), kind).json() == before
    after = ready.patch(f"{BUILDS}/buildconfigs/dask", {"spec": {"runPolicy": "Parallel"}}).json()
    assert after["metadata"]["generation"] == 2
    stale = ready.put(f"{BUILDS}/buildconfigs/dask", before)
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    assert ready.put(f"{BUILDS}/buildconfigs/dask", config()).json()["spec"]["runPolicy"] == "Serial"
    assert ready.post(f"{BUILDS}/buildconfigs", config()).status_code == 409
    assert ready.patch(f"{BUILDS}/buildconfigs/dask", [], "application/json-patch+json").status_code == 415


def test_lists_are_selected_from(ready: Client) -> None:
    for selector, count in (("app=dask", 1), ("app!=dask", 0), ("app", 1), ("!app", 0), ("app=x", 0)):
        answer = ready.get(f"{BUILDS}/buildconfigs?labelSelector={selector}").json()
        assert (answer["kind"], len(answer["items"])) == ("BuildConfigList", count)
    assert ready.get(f"{BUILDS}/buildconfigs?fieldSelector=spec.runPolicy=Serial").status_code == 400


def test_builds_go_with_their_config_and_tags_with_their_stream(ready: Client) -> None:
    ready.post(INSTANTIATE, archive(Dockerfile="FROM scratch"))
    over(ready)
    assert ready.delete(f"{BUILDS}/buildconfigs/dask").status_code == 200
    assert ready.get(f"{BUILDS}/builds").json()["items"] == []
    assert len(ready.get(f"{IMAGES}/imagestreamtags").json()["items"]) == 1
    assert ready.delete(f"{IMAGES}/imagestreamtags/dask:latest").status_code == 200
    assert ready.get(f"{IMAGES}/imagestreams/dask").json()["status"]["tags"] == []


def test_everything_goes_with_the_namespace(ready: Client, api_server: ApiServer) -> None:
    del api_server.objects["/api/v1/namespaces/lab"]
    assert ready.get(f"{IMAGES}/imagestreams/dask").status_code == 404
    assert ready.post(f"{IMAGES}/imagestreams", stream()).json()["reason"] == "NotFound"
    api_server.add_namespace("lab")
    assert ready.get(f"{IMAGES}/imagestreams").json()["items"] == []


@pytest.mark.usefixtures("ready")
def test_others_are_kept_out(client: t.Callable[[str], Client]) -> None:
    for answer in (client("other").get(f"{BUILDS}/builds"), client("other").post(INSTANTIATE, archive())):
        assert answer.status_code == 403
        assert 'User "other" cannot' in answer.json()["message"]


def test_a_watch_sees_the_phases(ready: Client, api_server: ApiServer) -> None:
    assert ready.get(f"{BUILDS}/builds?watch=true&timeoutSeconds=5").status_code == 403
    api_server.allow("developer", "watch", "builds.build.openshift.io", "lab")
    answer = ready.get(f"{BUILDS}/builds?watch=true&timeoutSeconds=5", stream=True)
    ready.post(INSTANTIATE, archive(Dockerfile="FROM scratch"))
    started = time.monotonic()
    for line in answer.iter_lines(chunk_size=1):
        event = json.loads(line)
        if event["object"]["status"]["phase"] == "Complete":
            break
    answer.close()
    assert event["type"] in ("ADDED", "MODIFIED")
    assert time.monotonic() - started < 3
