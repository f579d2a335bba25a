# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects: who may request one, which name is free, and who sees which."""

from __future__ import annotations

import typing as t

import pytest

from tests.fakes.openshift import FakeOpenShift
from tests.fakes.openshift.projects import MCS, SCC_LABEL, UID_RANGE, allocation
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client

Clients = t.Callable[[str], Client]
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
PROJECTS = "/apis/project.openshift.io/v1/projects"


def wanted(name: str, **fields: str) -> dict[str, t.Any]:
    return {
        "apiVersion": "project.openshift.io/v1",
        "kind": "ProjectRequest",
        "metadata": {"name": name},
        **fields,
    }


def test_a_request(client: Clients, api_server: ApiServer) -> None:
    answer = client("developer").post(REQUESTS, wanted("lab", displayName="The lab"))
    assert answer.status_code == 201
    project = answer.json()
    assert (project["kind"], project["status"]["phase"]) == ("Project", "Active")
    annotations = project["metadata"]["annotations"]
    assert annotations["openshift.io/requester"] == "developer"
    assert annotations["openshift.io/display-name"] == "The lab"
    assert annotations[UID_RANGE] == "1000650000/10000"
    assert annotations[MCS] == "s0:c26,c5"
    assert project["metadata"]["labels"][SCC_LABEL] == "restricted-v2"
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/lab/rolebindings"
    binding = api_server.objects[f"{rbac}/admin"]
    assert binding["roleRef"]["name"] == "admin"
    assert [subject["name"] for subject in binding["subjects"]] == ["developer"]
    accounts = "/api/v1/namespaces/lab/serviceaccounts"
    assert {f"{accounts}/{name}" for name in ("builder", "default", "deployer")} <= set(api_server.objects)


def test_each_gets_ids_of_its_own(client: Clients) -> None:
    developer = client("developer")
    made = [developer.post(REQUESTS, wanted(name)).json()["metadata"]["annotations"] for name in ("one", "two")]
    assert made[0][UID_RANGE] != made[1][UID_RANGE]
    assert made[0][MCS] != made[1][MCS]
    pairs = {allocation(number)["annotations"][MCS] for number in range(300)}
    assert len(pairs) == 300


def test_a_dry_run_makes_nothing(client: Clients, api_server: ApiServer) -> None:
    assert client("developer").post(f"{REQUESTS}?dryRun=All", wanted("lab")).status_code == 201
    assert api_server.objects == {}


def test_a_request_that_is_forbidden(client: Clients, api_server: ApiServer, openshift: FakeOpenShift) -> None:
    api_server.allowed.clear()
    developer = client("developer")
    answer = developer.get(REQUESTS)
    assert (answer.status_code, answer.json()["message"]) == (403, "You may not request a new project via this API.")
    answer = developer.post(REQUESTS, wanted("lab"))
    assert answer.status_code == 403
    assert 'User "developer" cannot create resource "projectrequests"' in answer.json()["message"]
    assert api_server.objects == {}
    assert len(openshift.refused) == 2


def test_a_name_that_somebody_else_has(client: Clients, api_server: ApiServer) -> None:
    api_server.add_namespace("lab")
    answer = client("developer").post(REQUESTS, wanted("lab"))
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")
    assert answer.json()["message"] == 'project.project.openshift.io "lab" already exists'
    found = client("developer").get(f"{PROJECTS}/lab")
    assert (found.status_code, found.json()["reason"]) == (403, "Forbidden")


@pytest.mark.parametrize(("name", "status"), [("openshift-lab", 403), ("kube", 403), ("Lab", 422), ("x", 422)])
def test_names_that_nobody_can_have(client: Clients, name: str, status: int) -> None:
    assert client("developer").post(REQUESTS, wanted(name)).status_code == status


def test_one_sees_ones_own(client: Clients, api_server: ApiServer, tenant: Client) -> None:
    api_server.add_namespace("not-theirs")
    assert [each["metadata"]["name"] for each in tenant.get(PROJECTS).json()["items"]] == ["lab"]
    assert client("other").get(PROJECTS).json()["items"] == []
    assert client("").get(PROJECTS).status_code == 403
    assert tenant.get(f"{PROJECTS}/lab").json()["status"] == {"phase": "Active"}
    for name in ("not-theirs", "not-there"):  # which of the two it is is not said
        assert tenant.get(f"{PROJECTS}/{name}").status_code == 403
    api_server.allow("other", "list", "namespaces")
    assert len(client("other").get(PROJECTS).json()["items"]) == 2


def test_changing_and_deleting(client: Clients, api_server: ApiServer, tenant: Client) -> None:
    patch = {"metadata": {"annotations": {"openshift.io/display-name": "Lab"}}}
    assert (
        tenant.patch(f"{PROJECTS}/lab", patch).json()["metadata"]["annotations"]["openshift.io/display-name"] == "Lab"
    )
    for field in ("annotations", "labels"):  # the ids of a project would be among them
        answer = tenant.patch(f"{PROJECTS}/lab", {"metadata": {field: {UID_RANGE: "0/10000"}}})
        assert answer.status_code == 422
        assert "field is immutable, try updating the namespace" in answer.json()["message"]
    assert client("other").delete(f"{PROJECTS}/lab").status_code == 403
    assert tenant.delete(f"{PROJECTS}/lab").status_code == 200
    assert "/api/v1/namespaces/lab" not in api_server.objects


def test_a_namespace_that_an_admin_makes_gets_ids_too(client: Clients, api_server: ApiServer) -> None:
    path, body = "/api/v1/namespaces", {"metadata": {"name": "lab"}}
    assert client("developer").post(path, body).status_code == 403
    api_server.allow("developer", "create", "namespaces")
    answer = client("developer").post(path, body)
    assert answer.status_code == 201
    assert answer.json()["metadata"]["annotations"][UID_RANGE] == "1000650000/10000"


def test_projects_are_requested_not_created(tenant: Client) -> None:
    project = {"apiVersion": "project.openshift.io/v1", "kind": "Project", "metadata": {"name": "more"}}
    assert tenant.post(PROJECTS, project).status_code == 403
