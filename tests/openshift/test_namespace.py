# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dask_namespace as Ansible runs it, for a user who gets projects by requesting them, against the fake."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client
from tests.openshift.runner import Runner
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import dask_namespace  # noqa: E402

Clients = t.Callable[[str], Client]
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
LAB = "/api/v1/namespaces/lab"
CONFIG_MAPS = f"{LAB}/configmaps"
STREAMS = "/apis/image.openshift.io/v1/namespaces/lab/imagestreams"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/lab/networkpolicies"


@pytest.fixture
def project(openshift: FakeOpenShift, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    token = openshift.login("developer")
    kubeconfig = str(openshift.kubeconfig(tmp_path / "developer", token))
    given = {"kubeconfig": kubeconfig, "name": "dask", "namespace": "lab", "project_request": True, "target": "prod"}
    return Runner(dask_namespace, capsys, {**given, "timeout": 10}, [token])


def request(client: Client, **fields: str) -> None:
    wanted = {"apiVersion": "project.openshift.io/v1", "kind": "ProjectRequest", "metadata": {"name": "lab"}, **fields}
    assert client.post(REQUESTS, wanted).status_code == 201


def test_a_project_comes_and_goes(project: Runner, openshift: FakeOpenShift, api_server: ApiServer) -> None:
    foretold = project.good(check=True)
    assert (foretold["changed"], foretold["existed"]) == (True, False)
    assert api_server.objects == {}
    assert openshift.writes == []

    result = project.good()
    assert (result["changed"], result["existed"], result["diff"]) == (True, False, foretold["diff"])
    annotations = api_server.objects[LAB]["metadata"]["annotations"]
    assert annotations["openshift.io/requester"] == "developer"
    assert annotations["openshift.io/description"] == "Dask deployment dask, made by daskops"
    assert [(record.verb, record.path) for record in openshift.writes] == [("POST", REQUESTS)]

    openshift.forget()
    for check in (False, True):
        again = project.good(check)
        assert (again["changed"], again["existed"]) == (False, True)
    assert openshift.writes == []

    foretold = project.good(check=True, state="absent")
    assert (foretold["changed"], foretold["kept"]) == (True, "")
    assert LAB in api_server.objects
    result = project.good(state="absent")
    assert (result["changed"], result["existed"], result["kept"]) == (True, True, "")
    assert LAB not in api_server.objects
    result = project.good(state="absent")
    assert (result["changed"], result["existed"]) == (False, False)


def test_a_project_of_somebody_else(project: Runner, client: Clients, api_server: ApiServer) -> None:
    request(client("other"))
    assert project.bad() == (
        "Cluster prod: project lab is there already and belongs to somebody else; choose another name, or have its "
        "owner let you in."
    )
    assert project.good(state="absent")["changed"] is False
    assert LAB in api_server.objects


def test_who_may_request_none(project: Runner, api_server: ApiServer) -> None:
    api_server.allowed.clear()
    message = project.bad()
    assert "was answered 403" in message
    assert 'User "developer" cannot create resource "projectrequests"' in message
    assert "ask for the right" in message
    assert LAB not in api_server.objects


def test_a_project_that_is_not_to_be_made(project: Runner, api_server: ApiServer) -> None:
    assert "lab does not exist and may not be created" in project.bad(create=False)
    assert LAB not in api_server.objects


@pytest.mark.parametrize("fields", [{}, {"description": "Dask deployment other, made by daskops"}])
def test_a_project_that_was_made_for_something_else_is_kept(
    project: Runner, client: Clients, api_server: ApiServer, fields: dict[str, str]
) -> None:
    request(client("developer"), **fields)
    assert project.good()["changed"] is False  # there, so it will do
    result = project.good(state="absent")
    assert (result["changed"], result["existed"]) == (False, True)
    assert "namespace lab was not made for" in result["kept"]
    assert LAB in api_server.objects


def test_a_project_with_objects_of_others_is_kept(project: Runner, client: Clients, api_server: ApiServer) -> None:
    project.good()
    developer = client("developer")
    labels = {"app.kubernetes.io/instance": "dask", "app.kubernetes.io/managed-by": "daskops"}
    ours = {"name": "ours", "labels": labels}
    for metadata in (ours, {"name": "theirs"}):
        assert developer.post(CONFIG_MAPS, {"metadata": metadata}).status_code == 201
    result = project.good(state="absent")
    assert (result["changed"], result["kept"]) == (
        False,
        "namespace lab has objects of others, such as ConfigMap/theirs",
    )
    assert LAB in api_server.objects
    assert developer.delete(f"{CONFIG_MAPS}/theirs").status_code == 200
    assert project.good(state="absent")["kept"] == ""  # what is the deployment's goes with it
    assert not [path for path in api_server.objects if path.startswith(LAB)]


def furnish(admin: Client) -> None:
    """What a project template and the operators of Pipelines and AI put into a project."""
    trusted = {"labels": {"config.openshift.io/inject-trusted-cabundle": "true"}}
    served = {"annotations": {"service.beta.openshift.io/inject-cabundle": "true"}}
    later = {"creationTimestamp": "2026-01-01T02:00:00Z"}
    for path, metadata, data in (
        (POLICIES, {"name": "allow-from-openshift-ingress"}, {}),
        (f"{LAB}/serviceaccounts", {"name": "from-template"}, {}),
        (f"{LAB}/serviceaccounts", {"name": "pipeline", **later}, {}),
        (CONFIG_MAPS, {"name": "config-trusted-cabundle", **trusted, **later}, {"ca-bundle.crt": "PEM"}),
        (CONFIG_MAPS, {"name": "config-service-cabundle", **served, **later}, {"service-ca.crt": "PEM"}),
        (CONFIG_MAPS, {"name": "odh-trusted-ca-bundle", **trusted}, {"odh-ca-bundle.crt": "", "ca-bundle.crt": "PEM"}),
    ):
        assert admin.post(path, {"metadata": metadata, "data": data}).status_code == 201


def test_what_came_with_a_project_does_not_keep_it(
    project: Runner, client: Clients, openshift: FakeOpenShift, api_server: ApiServer
) -> None:
    project.good()
    developer = client("developer")
    furnish(developer)
    policy = {"metadata": {"name": "later", "creationTimestamp": "2026-01-01T02:00:00Z"}}
    assert developer.post(POLICIES, policy).status_code == 201
    assert project.good(state="absent")["kept"] == "namespace lab has objects of others, such as NetworkPolicy/later"
    assert developer.delete(f"{POLICIES}/later").status_code == 200
    assert developer.post(STREAMS, {"metadata": {"name": "theirs"}}).status_code == 201
    assert project.good(state="absent")["kept"] == "namespace lab has objects of others, such as ImageStream/theirs"
    assert developer.delete(f"{STREAMS}/theirs").status_code == 200
    result = project.good(state="absent")
    assert (result["changed"], result["kept"]) == (True, "")
    assert not [path for path in api_server.objects if "/namespaces/lab" in path]
    assert openshift.unknown == []
