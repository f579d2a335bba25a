# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fake OpenShift before an API server that is hardly one, both new for each test."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.fakes import certificates
from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client, Hook

RIGHTS = (
    ("system:authenticated:oauth", "create", "projectrequests.project.openshift.io"),
    ("system:authenticated", "list", "projects.project.openshift.io"),
    ("system:authenticated", "create", "builds/docker.build.openshift.io"),
)
TENANT = (
    ("get", "namespaces"),
    ("get patch delete", "projects.project.openshift.io"),
    ("create delete get list patch update", "imagestreams.image.openshift.io"),
    ("delete get list", "imagestreamtags.image.openshift.io"),
    ("create delete get list patch update", "buildconfigs.build.openshift.io"),
    ("create", "buildconfigs/instantiatebinary.build.openshift.io"),
    ("delete get list patch", "builds.build.openshift.io"),
    ("get", "builds/log.build.openshift.io"),
    ("create delete get list update", "routes.route.openshift.io"),
    ("create", "routes/custom-host.route.openshift.io"),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def api_server(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[ApiServer]:
    """Without TLS, unless a test asks for it by its parameter."""
    tls = getattr(request, "param", False)
    server = ApiServer(certificates.make(tmp_path, ["127.0.0.1"], fake="API server") if tls else None)
    for who, verbs, resource in RIGHTS:
        server.allow(who, verbs, resource)
    yield server
    server.stop()


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def openshift(api_server: ApiServer, hook: Hook, tmp_path: Path, folder: Path) -> t.Iterator[FakeOpenShift]:
    kubeconfig = api_server.kubeconfig(tmp_path / "admin.kubeconfig")
    users = {"developer": "secret", "other": "word"}
    with FakeOpenShift(kubeconfig, users=users, groups={"team": ["developer"]}, folder=folder, builder=hook) as running:
        yield running
        failed = [record.error for record in running.requests if record.status == 500]
        assert failed == [], "a defect of the fake, not an answer of it"


@pytest.fixture
def client(openshift: FakeOpenShift) -> t.Callable[[str], Client]:
    """A client for a user; for nobody if the name is empty."""

    def make(user: str) -> Client:
        token = openshift.login(user) if user else ""
        return Client(openshift.url, str(openshift.files.authority), token)

    return make


@pytest.fixture
def tenant(api_server: ApiServer, client: t.Callable[[str], Client]) -> Client:
    """The developer, with a project called lab and an admin's rights in it."""
    api_server.add_namespace("lab")
    for verbs, resource in TENANT:
        api_server.allow("developer", verbs, resource, "lab")
    return client("developer")


def add_sample(api_server: ApiServer, client: t.Callable[[str], Client]) -> None:
    """An ImageStream that everybody may see, as each cluster has some: its registry's addresses are known by them."""
    api_server.add_namespace("openshift")
    api_server.allow("system:authenticated", "list", "imagestreams.image.openshift.io", "openshift")
    api_server.allow("other", "create", "imagestreams.image.openshift.io", "openshift")
    stream = {"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "cli"}}
    made = client("other").post("/apis/image.openshift.io/v1/namespaces/openshift/imagestreams", stream)
    assert made.status_code == 201
