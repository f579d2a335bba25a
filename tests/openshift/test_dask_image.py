# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module dask_image as Ansible runs it, with an OpenShift that builds."""

from __future__ import annotations

import io
import json
import runpy
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from tests.fakes.openshift import BuildFailed, BuildInput, Built, FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client, Hook
from tests.openshift.runner import Runner
from tests.playbooks import JSON, JSONL, ROOT, play, results

# Makes the collection importable.
runpy.run_path(str(ROOT / "tests/unit/conftest.py"))

from ansible_collections.daskops.kubernetes.plugins.module_utils import (  # noqa: E402
    _image_docker,
    _image_openshift_build,
    _kube,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import Result, Target  # noqa: E402
from ansible_collections.daskops.kubernetes.plugins.modules import dask_image  # noqa: E402

IMAGES = "/apis/image.openshift.io/v1/namespaces/lab"
BUILDS = "/apis/build.openshift.io/v1/namespaces/lab"
REGISTRY = "image-registry.openshift-image-registry.svc:5000"
DIGEST = f"sha256:{'d' * 64}"
BASE = f"docker.io/library/debian@sha256:{'b' * 64}"
VERSIONS = {"python": "3.11.2", "dask": "2026.8.0", "distributed": "2026.8.0"}
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
# install Python
RUN apt-get install python3
# install the packages
RUN python3 install.py
"""


def good(given: BuildInput) -> Built:
    """A build that says what the collection's does."""
    given.log("STEP 1/3: FROM debian\nSTEP 2/3: RUN apt-get install python3\nSTEP 3/3: RUN python3 install.py\n")
    given.log(f"daskops: install xarray\ndaskops-versions: {json.dumps(VERSIONS)}\nPush successful\n")
    return Built(DIGEST, size=312_000_000)


class Module:
    """Runs the module as the developer, and keeps what it has told on the way."""

    def __init__(
        self, openshift: FakeOpenShift, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: t.Any
    ) -> None:
        self._capsys = capsys
        self._kubeconfig = folder / "developer.kubeconfig"
        openshift.kubeconfig(self._kubeconfig, openshift.login("developer"), "lab")
        self._progress = folder / "progress"
        self._progress.touch()
        monkeypatch.setenv("DASKOPS_PROGRESS", str(self._progress))
        self._warnings: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _, text: self._warnings.append(text))
        self.context = folder / "context"
        (self.context / "user").mkdir(parents=True)
        (self.context / "Dockerfile").write_text(DOCKERFILE)

    def __call__(self, *, fails: bool = False, **change: t.Any) -> JSON:
        params: JSON = {
            "context": str(self.context),
            "base": BASE,
            "pip_packages": ["xarray"],
            "registry": {"kind": "openshift"},
            "docker_command": "/nowhere/docker",
            "kubeconfig": str(self._kubeconfig),
            "kube_context": "openshift",
            "target": "prod",
            "namespace": "lab",
        }
        self._warnings = []
        main: t.Any = dask_image.main
        with patch_module_args({**params, **change}), pytest.raises(SystemExit) as ended:
            main()
        said = t.cast("JSON", json.loads(self._capsys.readouterr().out))
        assert ended.value.code == (1 if fails else 0), said
        if fails:
            assert "\n" not in said["msg"]
        # Those of a run in this process hold those of the runs before, too.
        return {**said, "warnings": self._warnings}

    @property
    def told(self) -> list[str]:
        return [line[8:] for line in self._progress.read_text().splitlines()]


@pytest.fixture
def module(
    openshift: FakeOpenShift,
    tenant: Client,
    hook: Hook,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Module:
    assert tenant
    hook.build = good
    monkeypatch.setattr(_image_openshift_build, "_POLL", 0.05)
    monkeypatch.setattr(_image_openshift_build, "_PATIENCE", 0.3)
    return Module(openshift, tmp_path, capsys, monkeypatch)


def writes(openshift: FakeOpenShift) -> list[tuple[str, str]]:
    """What was written, dry runs excepted."""
    return [
        (record.verb, record.path.rpartition("/lab/")[2]) for record in openshift.writes if "dryRun" not in record.query
    ]


def test_the_first_run_builds_and_the_second_changes_nothing(
    module: Module, openshift: FakeOpenShift, tenant: Client, hook: Hook
) -> None:
    seen: list[BuildInput] = []

    def build(given: BuildInput) -> Built:
        seen.append(given)
        return good(given)

    hook.build = build
    first = module(build_args={"PIP_INDEX_URL": "https://pypi.example.com"}, build_resources={"limits": {"cpu": "1"}})
    image, tag = first["image"], first["image"]["tag"]
    assert first["changed"]
    assert image["reference"] == f"{REGISTRY}/lab/dask@{DIGEST}"
    assert (image["built"], image["pushed"]) == (True, True)
    assert (image["size_bytes"], image["versions"]) == (312_000_000, VERSIONS)
    assert first["diff"] == {"before": "", "after": f"{image['reference']}\n"}
    assert first["warnings"] == []
    assert writes(openshift) == [
        ("POST", "imagestreams"),
        ("POST", "buildconfigs"),
        ("POST", "buildconfigs/dask/instantiatebinary"),
        ("PATCH", "imagestreams/dask"),
    ]
    assert "image: step 2 of 2, install the packages: install xarray" in module.told

    (given,) = seen
    with tarfile.open(fileobj=io.BytesIO(given.archive)) as archive:
        assert "xarray\n" in archive.extractfile("user/pip.txt").read().decode()
        assert {"Dockerfile", "user/versions.py"} <= set(archive.getnames())
    assert given.spec["strategy"]["dockerStrategy"]["buildArgs"] == [
        {"name": "BASE_IMAGE", "value": BASE},
        {"name": "PIP_INDEX_URL", "value": "https://pypi.example.com"},
    ]
    assert given.spec["resources"] == {"limits": {"cpu": "1"}}
    config = tenant.get(f"{BUILDS}/buildconfigs/dask").json()
    assert config["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "daskops"
    assert config["spec"]["output"]["to"] == {"kind": "ImageStreamTag", "name": f"dask:{tag}"}
    labels = {each["name"]: each["value"] for each in config["spec"]["output"]["imageLabels"]}
    assert labels["io.daskops.content"].startswith(tag)

    openshift.forget()
    again = module(build_args={"PIP_INDEX_URL": "https://pypi.example.com"})
    assert not again["changed"]
    assert again["image"] | {"seconds": 0} == image | {"built": False, "pushed": False, "seconds": 0}
    assert openshift.writes == []
    assert len(openshift.requests) == 2
    assert openshift.refused == openshift.unknown == []


def test_another_image_is_another_tag_of_the_same_stream(module: Module, openshift: FakeOpenShift) -> None:
    first = module()["image"]
    openshift.forget()
    second = module(pip_packages=["zarr"], build_resources={"requests": {"memory": "1Gi"}})["image"]
    assert second["built"]
    assert second["tag"] != first["tag"]
    assert [path for _verb, path in writes(openshift)] == [
        "buildconfigs/dask",
        "buildconfigs/dask/instantiatebinary",
        "imagestreams/dask",
    ]
    for package, tag in (("xarray", first["tag"]), ("zarr", second["tag"])):
        known = module(pip_packages=[package])
        assert (known["changed"], known["image"]["tag"], known["image"]["versions"]) == (False, tag, VERSIONS)


def test_in_check_mode_nothing_is_written(module: Module, openshift: FakeOpenShift) -> None:
    planned = module(_ansible_check_mode=True)
    assert planned["changed"]
    image = planned["image"]
    assert (image["built"], image["pushed"]) == (True, True)
    assert image["reference"] == f"{REGISTRY}/lab/dask:{image['tag']}"
    assert planned["diff"]["before"] == ""
    assert openshift.writes == []
    assert module()["image"]["tag"] == image["tag"]
    assert not module(_ansible_check_mode=True)["changed"]


def test_in_check_mode_the_namespace_may_be_missing(module: Module, openshift: FakeOpenShift) -> None:
    planned = module(namespace="new", _ansible_check_mode=True)
    assert planned["changed"]
    assert "answered 403" in planned["warnings"][0]
    assert "in check mode the namespace is taken to be made before" in planned["warnings"][0]
    assert module(namespace="new", fails=True)["msg"].startswith("Cluster prod: GET /apis/image.openshift.io/v1/")
    assert openshift.writes == []


def test_a_build_that_fails_is_explained(module: Module, hook: Hook, openshift: FakeOpenShift) -> None:
    def build(given: BuildInput) -> Built:
        given.log("STEP 3/3: RUN python3 install.py\n")
        given.log("daskops-error: Python package 'nope' cannot be installed: no such version\n")
        given.log('error: build error: building at STEP "RUN python3 install.py": exit status 1\n')
        raise BuildFailed

    hook.build = build
    failed = module(fails=True)
    assert failed["msg"] == (
        "Cluster prod: the build lab/dask-1 has not made the image (Failed, DockerBuildFailed: Dockerfile build "
        "strategy has failed) at step 2 of 2, install the packages: Python package 'nope' cannot be installed: "
        "no such version; correct what the log names"
    )
    assert failed["log"].splitlines()[-1].startswith("error: build error")
    hook.build = good
    assert module()["image"]["built"]
    assert openshift.unknown == []


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("PushImageToRegistryFailed", "see that the cluster's image registry runs and has room"),
        ("OutOfMemoryKilled", "give it more memory by limits in build_resources"),
        ("FetchSourceFailed", "the build context did not arrive: run again"),
        ("GenericBuildFailed", "see the log"),
    ],
)
def test_each_reason_has_its_hint(module: Module, hook: Hook, reason: str, hint: str) -> None:
    def build(given: BuildInput) -> Built:
        given.log("error: the last word\n")
        raise BuildFailed(reason)

    hook.build = build
    said = module(fails=True)["msg"]
    assert f"has not made the image (Failed, {reason}: " in said
    assert ": the last word; " in said
    assert hint in said


def test_a_build_that_takes_too_long_is_cancelled(
    module: Module, hook: Hook, tenant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_image_docker, "TICK", 0.2)
    over = threading.Event()

    def build(given: BuildInput) -> Built:
        given.log("STEP 2/3: RUN apt-get install python3\n")
        over.wait(10)
        return Built(DIGEST)

    hook.build = build
    said = module(timeout=1, fails=True)["msg"]
    over.set()
    assert "the build lab/dask-1 has not made the image (Running: not over after 1 s, and so cancelled)" in said
    assert said.endswith("; see the log, or give more time in 'timeout'")
    assert tenant.get(f"{BUILDS}/builds/dask-1").json()["status"]["phase"] == "Cancelled"
    assert any(line.endswith(" s") for line in module.told), "nothing was told while nothing happened"


def test_a_build_that_somebody_cancels(module: Module, hook: Hook, tenant: Client) -> None:
    over = threading.Event()

    def build(given: BuildInput) -> Built:
        tenant.patch(f"{BUILDS}/builds/{given.name}", {"status": {"cancelled": True}})
        over.wait(0.5)
        return Built(DIGEST)

    hook.build = build
    said = module(fails=True)["msg"]
    assert "(Cancelled, CancelledBuild: The build was cancelled by the user)" in said
    assert said.endswith("; run again unless somebody meant it to end")


def test_without_a_registry_there_is_no_build(module: Module, openshift: FakeOpenShift) -> None:
    openshift.settings.registry = ""
    said = module(fails=True)["msg"]
    assert "the cluster's own image registry is not there or was removed" in said
    assert writes(openshift) == [("POST", "imagestreams")]


def test_a_build_that_gets_no_pod_is_given_up(
    module: Module, openshift: FakeOpenShift, tenant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    module()
    key = ("imagestreams.image.openshift.io", "lab", "dask")
    instantiate = openshift.edge.builds.instantiate_binary

    def without_registry(namespace: str, name: str, archive: bytes, query: t.Mapping[str, str]) -> JSON:
        """It goes away when the stream was already looked at."""
        openshift.settings.registry = ""
        stream = openshift.edge.store.get(key)
        openshift.edge.store.replace(key, openshift.edge.images.completed(stream, namespace))
        return instantiate(namespace, name, archive, query)

    monkeypatch.setattr(openshift.edge.builds, "instantiate_binary", without_registry)
    said = module(pip_packages=["zarr"], fails=True)["msg"]
    assert "(New, InvalidOutputReference: Output image could not be resolved)" in said
    assert "push to another registry" in said
    assert tenant.get(f"{BUILDS}/builds/dask-2").json()["status"]["phase"] == "Cancelled"


NOT_STARTED = "unable to wait for build dask-1 to run: timed out waiting for the condition"


@pytest.mark.parametrize(
    ("before", "after", "answer", "message"),
    [
        (
            {"phase": "New"},
            {"phase": "Error", "reason": "BuildPodDeleted", "message": "The pod was deleted."},
            "build dask-1 encountered an error: no logs are available.",
            "(Error, BuildPodDeleted: The pod was deleted); somebody has deleted the build's pod",
        ),
        (
            {"phase": "Pending"},
            {"phase": "Cancelled", "reason": "CancelledBuild"},
            NOT_STARTED,
            f"(Pending: {NOT_STARTED}); its pod does not start: see its events; a quota",
        ),
        (
            {"phase": "New", "reason": "CannotCreateBuildPod", "message": "Failed creating build pod."},
            {"phase": "Cancelled", "reason": "CancelledBuild"},
            NOT_STARTED,
            "(New, CannotCreateBuildPod: Failed creating build pod); a quota",
        ),
    ],
)
def test_a_build_that_the_server_gives_up_before_it_runs(
    module: Module,
    openshift: FakeOpenShift,
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
    before: JSON,
    after: JSON,
    answer: str,
    message: str,
) -> None:
    """OpenShift waits for the pod before it takes the upload, and cancels a build that does not come to run."""
    key = ("builds.build.openshift.io", "lab", "dask-1")
    started, looked, over = threading.Event(), threading.Event(), threading.Event()
    request, look = _kube.Cluster.request, _image_openshift_build._Build._look

    def build(_given: BuildInput) -> Built:
        started.set()
        over.wait(10)
        raise BuildFailed

    def waits(self: _kube.Cluster, method: str, path: str, *rest: t.Any, **more: t.Any) -> bytes:
        said = request(self, method, path, *rest, **more)
        if path.endswith("/instantiatebinary"):
            assert started.wait(5)
            for status in (before, after):
                with openshift.edge.lock:
                    found = openshift.edge.store.get(key)
                    openshift.edge.store.replace(key, {**found, "status": status})
                looked.clear()
                looked.wait(5)
            raise _kube.ApiError("", 400, answer)
        return said

    def sees(self: t.Any, name: str) -> JSON | None:
        found = look(self, name)
        if found in (before, after):
            looked.set()
        return found

    hook.build = build
    monkeypatch.setattr(_image_openshift_build, "_PATIENCE", 60)
    monkeypatch.setattr(_kube.Cluster, "request", waits)
    monkeypatch.setattr(_image_openshift_build._Build, "_look", sees)
    said = module(fails=True)["msg"]
    over.set()
    assert message in said


@pytest.mark.parametrize("kind", ["BuildConfig", "ImageStream"])
def test_what_is_not_ours_is_left_alone(module: Module, openshift: FakeOpenShift, tenant: Client, kind: str) -> None:
    metadata = {"name": "dask", "labels": {"app": "other"}}
    if kind == "BuildConfig":
        spec: JSON = {"source": {"binary": {}}, "strategy": {"dockerStrategy": {}}}
        made = {"apiVersion": "build.openshift.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
        assert tenant.post(f"{BUILDS}/buildconfigs", made).status_code == 201
    else:
        made = {"apiVersion": "image.openshift.io/v1", "kind": kind, "metadata": metadata}
        assert tenant.post(f"{IMAGES}/imagestreams", made).status_code == 201
    openshift.forget()
    for check in (False, True):
        said = module(fails=True, _ansible_check_mode=check)["msg"]
        assert said.startswith(f"Cluster prod: the {kind} lab/dask was not made by this collection")
    assert openshift.writes == []
    assert module(registry={"kind": "openshift", "repository": "mine"})["image"]["built"]


def test_a_buildconfig_that_was_changed_is_refused(module: Module, openshift: FakeOpenShift, tenant: Client) -> None:
    module()
    change = {"spec": {"runPolicy": "Parallel", "strategy": {"dockerStrategy": {"noCache": True}}}}
    assert tenant.patch(f"{BUILDS}/buildconfigs/dask", change).status_code == 200
    openshift.forget()
    assert not module()["changed"], "the image is there all the same"
    said = module(pip_packages=["zarr"], fails=True)["msg"]
    assert said == (
        "Cluster prod: somebody has changed spec.runPolicy, spec.strategy.dockerStrategy.noCache of the BuildConfig "
        "lab/dask, so nothing was built: undo the change, or remove the BuildConfig, which is made anew"
    )
    assert openshift.writes == []
    undo = {"spec": {"runPolicy": "Serial", "strategy": {"dockerStrategy": {"noCache": None}}}}
    tenant.patch(f"{BUILDS}/buildconfigs/dask", undo)
    assert module(pip_packages=["zarr"])["image"]["built"]
    tenant.patch(f"{BUILDS}/buildconfigs/dask", change)
    tenant.delete(f"{BUILDS}/buildconfigs/dask")
    assert module(pip_packages=["rich"])["image"]["built"]


def test_a_token_that_has_expired_is_a_sentence(module: Module, openshift: FakeOpenShift) -> None:
    openshift.expire("developer")
    said = module(fails=True)["msg"]
    assert said.startswith(
        "Cluster prod: GET /apis/image.openshift.io/v1/namespaces/lab/imagestreams/dask was answered"
    )
    assert "401" in said
    assert said.endswith("the credentials are not valid or have expired: log in again.")


def test_a_token_that_expires_during_the_build(module: Module, openshift: FakeOpenShift, hook: Hook) -> None:
    def build(given: BuildInput) -> Built:
        openshift.expire("developer")
        return good(given)

    hook.build = build
    assert "have expired: log in again" in module(fails=True)["msg"]


def test_who_may_not_is_told_so(module: Module, api_server: ApiServer) -> None:
    api_server.allowed.discard(("developer", "create", "buildconfigs/instantiatebinary.build.openshift.io", "lab"))
    said = module(fails=True)["msg"]
    assert "instantiatebinary was answered 403" in said
    assert said.endswith("ask for the right or use an account that has it.")


def test_without_the_log_the_image_is_built_all_the_same(module: Module, api_server: ApiServer) -> None:
    api_server.allowed.discard(("developer", "get", "builds/log.build.openshift.io", "lab"))
    done = module()
    assert done["image"]["built"]
    assert done["image"]["versions"] == {}
    assert "does not say which versions the tag" in done["warnings"][0]


def test_a_log_that_breaks_off_is_read_on(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _kube.Cluster.lines
    broken: list[str] = []

    def once(self: _kube.Cluster, path: str, timeout: float, **query: str) -> t.Iterator[str]:
        for number, line in enumerate(lines(self, path, timeout, **query)):
            if number == 2 and not broken:
                broken.append(line)
                return
            yield line

    monkeypatch.setattr(_kube.Cluster, "lines", once)
    assert module()["image"]["versions"] == VERSIONS
    assert broken
    assert len(module.told) == len(set(module.told)), "something was told twice"


def test_a_base_whose_registry_does_not_answer(module: Module, hook: Hook) -> None:
    seen: list[BuildInput] = []

    def build(given: BuildInput) -> Built:
        seen.append(given)
        return good(given)

    hook.build = build
    done = module(base="localhost:9/debian:1")
    assert done["image"]["built"]
    assert done["warnings"][0].startswith("The registry localhost:9 does not answer (Connection refused); so it is not")
    assert {"name": "BASE_IMAGE", "value": "localhost:9/debian:1"} in seen[0].spec["strategy"]["dockerStrategy"][
        "buildArgs"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"namespace": None}, "no namespace is named: set 'namespace'"),
        ({"namespace": "a_b"}, "'a_b' is no name of a namespace"),
        ({"registry": {"kind": "openshift", "repository": "a/b"}}, "'a/b' is no name of an ImageStream"),
        ({"kube_context": "nope"}, "has no context nope; it has: openshift"),
        ({"registry": {"kind": "openshift", "username": "x"}}, "there is a username and no password; give it, or cl"),
        (
            {"registry": {"username": "builder", "password": "hunter2", "cluster_token": True}},
            "mutually exclusive: password|cluster_token",
        ),
    ],
)
def test_what_cannot_be_is_refused(module: Module, openshift: FakeOpenShift, change: JSON, message: str) -> None:
    assert message in module(fails=True, **change)["msg"]
    assert openshift.requests == []


def kubeconfig(openshift: FakeOpenShift, user: JSON) -> JSON:
    cluster = {"server": openshift.url, "certificate-authority": str(openshift.files.authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "openshift",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "openshift", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
    }


@pytest.mark.parametrize("how", ["token", "tokenFile", "exec"])
def test_an_exposed_registry_is_given_the_token_of_the_kubeconfigs_user(
    module: Module, openshift: FakeOpenShift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A pod has its own in a file, and Google's users have a program that says it."""
    pushed: list[Target] = []

    def provide(_inputs: t.Any, target: Target, _engine: t.Any, *, check: bool) -> Result:
        pushed.append(target)
        return Result("registry.example.test/lab/dask:1", "1", pushed=not check)

    monkeypatch.setattr(dask_image, "provide", provide)
    (tmp_path / "token").write_text("sha256~of-a-pod")
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "sha256~of-a-pod"}}
    user: JSON = {
        "token": "sha256~of-a-pod",
        "tokenFile": str(tmp_path / "token"),
        "exec": {
            "apiVersion": version,
            "command": "echo",
            "args": [json.dumps(credential)],
            "interactiveMode": "Never",
        },
    }
    given = kubeconfig(openshift, {how: user[how]})
    registry = {"repository": "registry.example.test/lab/dask", "cluster_token": True}
    said = module(registry=registry, kubeconfig=given)
    assert [target.credentials for target in pushed] == [("token", "sha256~of-a-pod")]
    assert "of-a-pod" not in json.dumps(said)


def test_a_password_in_a_url_is_not_shown(module: Module) -> None:
    url = "https://robot:hunter2@pypi.example.test/simple"
    said = module(build_args={"PIP_INDEX_URL": url})
    assert said["invocation"]["module_args"]["build_args"] == {
        "PIP_INDEX_URL": "https://robot:********@pypi.example.test/simple"
    }


def test_a_user_without_a_token_cannot_push_to_an_exposed_registry(module: Module, openshift: FakeOpenShift) -> None:
    given = kubeconfig(openshift, {"username": "builder", "password": "hunter2"})
    said = module(fails=True, registry={"repository": "r.example.test/d", "cluster_token": True}, kubeconfig=given)
    assert (
        "Cluster prod: the image is to be pushed with the token of the kubeconfig's user, who has none" in said["msg"]
    )
    assert openshift.requests == []


def test_a_cluster_that_cannot_build(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    find = _kube.Cluster.find

    def without(self: _kube.Cluster, path: str, **query: str) -> JSON | None:
        return None if "openshift.io" in path else find(self, path, **query)

    monkeypatch.setattr(_kube.Cluster, "find", without)
    assert "it has no API image.openshift.io/v1, so it cannot build an image" in module(fails=True)["msg"]


def test_without_the_library_only_openshift_is_refused(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "KUBERNETES_IMPORT_ERROR", "Traceback")
    assert "kubernetes" in module(fails=True)["msg"]
    said = module(fails=True, registry={"repository": "localhost:9/r"})["msg"]
    assert said.startswith("The registry localhost:9 does not answer")


def test_a_build_that_never_stops_talking_is_given_up(
    module: Module, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_image_openshift_build, "TICK", 0.2)
    over = threading.Event()

    def build(given: BuildInput) -> Built:
        while not over.wait(0.01):
            given.log("a line\n")
        raise BuildFailed

    hook.build = build
    assert "not over after 1 s" in module(timeout=1, fails=True)["msg"]
    over.set()


def test_the_role_hands_the_target_on(openshift: FakeOpenShift, tenant: Client, hook: Hook, tmp_path: Path) -> None:
    assert tenant
    hook.build = good
    kubeconfig = openshift.kubeconfig(tmp_path / "kubeconfig", openshift.login("developer"))
    target = {
        "name": "prod",
        "kubeconfig": str(kubeconfig),
        "context": "openshift",
        "namespace": {"name": "lab", "create": False},
        "registry": {"kind": "openshift", "repository": "team", "pull_secret": ""},
    }
    variables = {"image_target": target, "image_base": BASE, "image_build_resources": {"limits": {"memory": "4Gi"}}}
    tasks = [{"ansible.builtin.debug": {"var": "image_result"}}]
    content = {"vars": variables, "roles": ["daskops.kubernetes.image"], "tasks": tasks}
    for built in (True, False):
        image = results(play(content, tmp_path, environment=JSONL, bare=True))[-1]["image_result"]
        assert (image["built"], image["reference"]) == (built, f"{REGISTRY}/lab/team@{DIGEST}")
    config = tenant.get(f"{BUILDS}/buildconfigs/team").json()
    assert config["spec"]["resources"] == {"limits": {"memory": "4Gi"}}


def test_what_was_made_goes_and_what_was_not_stays(module: Module, openshift: FakeOpenShift, tenant: Client) -> None:
    module()
    metadata = {"name": "other", "labels": {"app": "other"}}
    made = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": metadata}
    assert tenant.post(f"{IMAGES}/imagestreams", made).status_code == 201
    foreseen = module(state="absent", _ansible_check_mode=True)
    assert foreseen["removed"] == ["BuildConfig/dask", "ImageStream/dask"]
    assert tenant.get(f"{IMAGES}/imagestreams/dask").status_code == 200
    assert module(state="absent")["removed"] == foreseen["removed"]
    assert tenant.get(f"{IMAGES}/imagestreams/dask").status_code == 404
    assert module(state="absent")["changed"] is False
    assert module(state="absent", registry={"kind": "openshift", "repository": "other"})["changed"] is False
    assert tenant.get(f"{IMAGES}/imagestreams/other").status_code == 200
    assert module(state="absent", registry={"kind": "push", "repository": "dask"})["changed"] is False
    assert openshift.unknown == []


def test_what_a_kubeconfig_says_hides_no_name_of_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "lab"}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
    }
    reference = f"localhost:9/lab/dask@{DIGEST}"
    params = {"reference": reference, "registry": {"kind": "none"}, "kubeconfig": kubeconfig}
    run = Runner(dask_image, capsys, params, ["secret-token"])
    assert run.good()["image"]["reference"] == reference
