# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Teardown and status as Ansible runs them, for a user whose project is gone, or who may not look into one."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client
from tests.openshift.runner import Runner
from tests.playbooks import play
from tests.unit import conftest as _finder  # makes the collection importable

assert _finder

from ansible_collections.daskops.kubernetes.plugins.modules import (  # noqa: E402
    dask_apply,
    dask_info,
    dask_namespace,
)

Make = t.Callable[..., Runner]


@pytest.fixture
def make(openshift: FakeOpenShift, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """A module as the developer runs it."""
    token = openshift.login("developer")
    kubeconfig = str(openshift.kubeconfig(tmp_path / "developer", token))

    def runner(module: t.Any, **params: t.Any) -> Runner:
        given = {"kubeconfig": kubeconfig, "name": "dask", "namespace": "lab", "target": "prod"}
        return Runner(module, capsys, {**given, **params}, [token])

    return runner


@pytest.fixture
def teardown(make: Make) -> Runner:
    return make(dask_apply, state="absent")


@pytest.fixture
def status(make: Make) -> Runner:
    return make(dask_info)


def test_a_project_that_is_gone(make: Make, teardown: Runner, status: Runner, openshift: FakeOpenShift) -> None:
    project = make(dask_namespace, project_request=True)
    project.good()
    assert status.good()["exists"] is False
    assert teardown.good()["changed"] is False
    project.good(state="absent")

    openshift.forget()
    for check in (True, False):
        result = teardown.good(check)
        assert (result["changed"], result["removed"]) == (False, [])
    assert status.good() | {"invocation": {}} == {"changed": False, "exists": False, "invocation": {}}
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert {record.path for record in openshift.writes} <= {reviews}


def test_the_playbooks_where_the_project_is_gone(
    openshift: FakeOpenShift, api_server: ApiServer, tmp_path: Path
) -> None:
    routes = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/routes"
    spec = {"group": "route.openshift.io", "versions": [{"name": "v1"}]}
    api_server.objects[routes] = {"metadata": {"name": "routes"}, "spec": spec}
    given = {"provider": "openshift", "openshift_host": openshift.url, "openshift_namespace": "lab"}
    given |= {"openshift_token": openshift.login("developer"), "openshift_ca_cert": str(openshift.files.authority)}
    arguments = ("-e", json.dumps({**given, "teardown_confirm": True}))
    assert "There is no Dask in namespace lab" in play("playbooks/status.yml", tmp_path, *arguments)
    assert " changed=0 " in play("playbooks/teardown.yml", tmp_path, *arguments)
    assert openshift.unknown == []


@pytest.mark.usefixtures("tenant")
def test_who_may_not_look_into_a_project_that_is_there_is_told(teardown: Runner, status: Runner) -> None:
    for module in (teardown, status):
        message = module.bad()
        assert message.startswith("Cluster prod: GET /api/v1/namespaces/lab/")
        assert "was answered 403" in message
        assert "ask for the right" in message


@pytest.mark.parametrize("resource", ["services", "deployments.apps"])
def test_who_may_see_some_of_it_only_is_told(
    teardown: Runner, status: Runner, api_server: ApiServer, resource: str
) -> None:
    api_server.add_namespace("lab")
    api_server.allow("developer", "list", resource, "lab")  # and may not get the namespace
    for module in (teardown, status):
        assert "was answered 403" in module.bad()


def test_a_project_of_somebody_else_is_not_told_from_one_that_is_gone(
    client: t.Callable[[str], Client], teardown: Runner, status: Runner
) -> None:
    body = {"apiVersion": "project.openshift.io/v1", "kind": "ProjectRequest", "metadata": {"name": "lab"}}
    assert client("other").post("/apis/project.openshift.io/v1/projectrequests", body).status_code == 201
    assert teardown.good()["changed"] is False
    assert status.good()["exists"] is False
