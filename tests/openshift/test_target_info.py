# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""openshift_target_info as Ansible runs it, by a user without rights, against the fake."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client
from tests.openshift.conftest import add_sample
from tests.openshift.runner import Runner
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import openshift_target_info  # noqa: E402

JSON = dict[str, t.Any]
Clients = t.Callable[[str], Client]
REQUESTS = "/apis/project.openshift.io/v1/projectrequests"
MAY_REQUEST = ("system:authenticated:oauth", "create", "projectrequests.project.openshift.io", "")
CONSOLE = "/api/v1/namespaces/openshift-config-managed/configmaps/console-public"
REVIEWS = ("selfsubjectreviews", "selfsubjectrulesreviews", "selfsubjectaccessreviews")


def about(openshift: FakeOpenShift, user: str, path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    """The module, by a user who is logged in."""
    token = openshift.login(user)
    given = {"kubeconfig": str(openshift.kubeconfig(path / user, token)), "namespace": "lab", "target": "prod"}
    return Runner(openshift_target_info, capsys, given, [token])


@pytest.fixture
def info(openshift: FakeOpenShift, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Runner:
    """By the developer, and the cluster has Routes."""
    openshift.install()
    return about(openshift, "developer", tmp_path, capsys)


def request(client: Client, name: str) -> None:
    metadata = {"apiVersion": "project.openshift.io/v1", "kind": "ProjectRequest", "metadata": {"name": name}}
    assert client.post(REQUESTS, metadata).status_code == 201


def test_a_project_that_may_be_requested(info: Runner, openshift: FakeOpenShift, api_server: ApiServer) -> None:
    before = dict(api_server.objects)
    result = info.good(builds=True)
    assert result["changed"] is False
    assert {key: result[key] for key in ("name", "context", "server", "user", "version")} == {
        "name": "prod",
        "context": "openshift",
        "server": openshift.url,
        "user": "developer",
        "version": "v1.34.0",
    }
    assert (result["namespace_exists"], result["project_request"], result["missing_rights"]) == (False, True, [])
    groups = [f"{name}.openshift.io" for name in ("build", "image", "project", "route")]
    assert result["api_groups"] == groups
    # What a user may not see is no error.
    assert (result["storage_classes"], result["ingress_classes"], result["domains"]) == (None, None, [])
    assert {record.path.rpartition("/")[2] for record in openshift.writes} <= set(REVIEWS)
    assert api_server.objects == before


def test_a_project_of_ones_own(info: Runner, client: Clients) -> None:
    request(client("developer"), "lab")
    result = info.good(builds=True, route_host=True)
    assert (result["namespace_exists"], result["arbitrary_uid"], result["missing_rights"]) == (True, True, [])
    assert "kind: Namespace" not in result["grant"]


def test_a_project_of_somebody_else_is_not_told_from_none(info: Runner, client: Clients) -> None:
    request(client("other"), "lab")
    assert info.good()["namespace_exists"] is False
    message = info.bad(namespace_create=False)
    assert "project lab does not exist, or is not for developer to see, and is not to be created" in message


def test_who_may_request_no_project_is_told_what_to_ask_for(
    info: Runner, openshift: FakeOpenShift, api_server: ApiServer
) -> None:
    api_server.allowed.remove(MAY_REQUEST)
    openshift.settings.request_message = "Ask platform@example.test for a project."
    result = info(builds=True, route_host=True)
    assert result["failed"]
    assert result["msg"] == (
        "Cluster prod cannot take a Dask deployment, and nothing was touched: project lab does not exist, or is not "
        "for developer to see, and developer may not request one (Ask platform@example.test for a project); "
        "have an admin make it."
    )
    assert len(result["problems"]) == 1
    namespace, role, binding = yaml.safe_load_all(result["grant"])
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "lab")
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "lab")
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "lab")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "developer"}]
    rights = {
        (verb, f"{resource}.{group}" if group else resource)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert not [right for right in rights if "*" in "".join(right)]

    # The admin does as asked: that is enough, and less is not.
    api_server.allowed.remove(("system:authenticated", "create", "builds/docker.build.openshift.io", ""))
    api_server.add_namespace("lab")
    for verb, resource in rights:
        api_server.allow("developer", verb, resource, "lab")
    result = info.good(builds=True, route_host=True)
    assert (result["namespace_exists"], result["missing_rights"]) == (True, [])
    for verb, resource in (
        ("get", "pods/portforward"),
        ("create", "buildconfigs/instantiatebinary.build.openshift.io"),
        ("create", "builds/docker.build.openshift.io"),
        ("get", "projects.project.openshift.io"),
    ):
        api_server.allowed.remove(("developer", verb, resource, "lab"))
        result = info(builds=True, route_host=True)
        assert (result["failed"], result["missing_rights"]) == (True, [f"{verb} {resource}"])
        assert f"{verb} {resource}" in result["msg"]
        assert "Namespace" not in [each["kind"] for each in yaml.safe_load_all(result["grant"])]
        api_server.allow("developer", verb, resource, "lab")


def test_who_makes_a_namespace_is_not_its_admin(info: Runner, api_server: ApiServer) -> None:
    api_server.allow("developer", "create get", "namespaces")
    result = info()
    assert (result["failed"], result["project_request"]) == (True, False)
    assert "list/create/patch/delete deployments.apps" in result["missing_rights"]


def test_a_push_to_the_exposed_registry_takes_rights_of_its_own(info: Runner) -> None:
    _namespace, role, _binding = yaml.safe_load_all(info(exposed_registry=True)["grant"])
    layers = {"apiGroups": ["image.openshift.io"], "resources": ["imagestreams/layers"], "verbs": ["get", "update"]}
    assert layers in role["rules"]


def test_a_service_account_as_the_tenant(info: Runner) -> None:
    result = info.good(tenant="system:serviceaccount:ci:deployer")
    _namespace, _role, binding = yaml.safe_load_all(result["grant"])
    assert binding["subjects"] == [{"kind": "ServiceAccount", "namespace": "ci", "name": "deployer"}]


def test_what_is_no_openshift(openshift: FakeOpenShift, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = about(openshift, "developer", tmp_path, capsys)  # and no Routes
    message = info.bad()
    assert "it is no OpenShift, as it has no Routes (route.openshift.io); use provider=kubernetes" in message
    assert "route.openshift.io" not in info.good(require=False)["api_groups"]


def test_the_registry(info: Runner, openshift: FakeOpenShift, api_server: ApiServer, client: Clients) -> None:
    message = info.bad(exposed_registry=True)
    assert "its image registry is not exposed; have an admin set spec.defaultRoute" in message
    # Everybody may see the samples, by which its addresses are known.
    openshift.settings.public_registry = "default-route-openshift-image-registry.apps.example.test"
    add_sample(api_server, client)
    assert info.good(exposed_registry=True)["registry"] == {
        "public": openshift.settings.public_registry,
        "internal": openshift.settings.registry,
    }


def test_a_registry_that_was_removed(
    info: Runner, openshift: FakeOpenShift, api_server: ApiServer, client: Clients
) -> None:
    """Each cluster has some streams of its own, which then have no repository."""
    openshift.settings.registry = ""
    add_sample(api_server, client)
    assert "it has no image registry of its own to build into, as that was removed" in info.bad(builds=True)
    assert info.good()["registry"] == {"public": "", "internal": ""}


def test_the_routers_domain_is_known_by_the_console(info: Runner, api_server: ApiServer) -> None:
    api_server.allow("system:authenticated", "get", "configmaps", "openshift-config-managed")
    data = {"consoleURL": "https://console-openshift-console.apps.example.test"}
    api_server.objects[CONSOLE] = api_server.stamped({"data": data}, "console-public")
    assert info.good()["domains"] == ["apps.example.test"]


def test_a_token_that_has_expired(info: Runner, openshift: FakeOpenShift) -> None:
    info.good()
    assert openshift.expire("developer") == 1
    assert info.bad() == (
        "Cluster prod: GET /apis was answered 401: Unauthorized; the credentials are not valid or have expired: "
        "log in again."
    )
