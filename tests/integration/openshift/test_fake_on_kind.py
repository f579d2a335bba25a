# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake OpenShift in front of a real API server: SCC, projects and Routes, as an unprivileged user meets them."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from tests.fakes.openshift import FakeOpenShift, scc
from tests.integration.openshift.conftest import run, until

JSON = dict[str, t.Any]


class User:
    """What somebody does with kubectl, through the fake."""

    def __init__(self, openshift: FakeOpenShift, name: str, folder: Path) -> None:
        self.path = openshift.kubeconfig(folder / name, openshift.login(name))

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        done = run("kubectl", f"--kubeconfig={self.path}", *arguments, stdin=stdin, check=check)
        return done.stdout if done.returncode == 0 else done.stderr

    def project(self, name: str) -> None:
        request = {
            "apiVersion": "project.openshift.io/v1",
            "kind": "ProjectRequest",
            "metadata": {"name": name},
        }
        where = "/apis/project.openshift.io/v1/projectrequests"
        self("create", "--raw", where, "-f", "-", stdin=json.dumps(request))

    def may(self, verb: str, what: str, namespace: str) -> t.Callable[[], bool]:
        return lambda: self("auth", "can-i", verb, what, "-n", namespace, check=False) == "yes\n"

    def create(self, item: JSON, namespace: str, check: bool = True) -> str:
        return self("create", "-n", namespace, "-f", "-", stdin=json.dumps(item), check=check)


@pytest.fixture(scope="module")
def developer(openshift: FakeOpenShift, tmp_path_factory: pytest.TempPathFactory) -> User:
    user = User(openshift, "developer", tmp_path_factory.mktemp("developer"))
    user.project("team")
    return user


def pod(name: str, **security: t.Any) -> JSON:
    container = {"name": "main", "image": os.environ["BASE_IMAGE"], "command": ["sleep", "600"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{**container, "imagePullPolicy": "Never", "securityContext": security}],
        },
    }


def route(name: str, host: str | None = None) -> JSON:
    spec: JSON = {"to": {"kind": "Service", "name": "web"}, "tls": {"termination": "edge"}}
    if host:
        spec["host"] = host
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": name}, "spec": spec}


def test_pods_are_what_openshifts_own_plugin_made_of_them(openshift: FakeOpenShift) -> None:
    scc.make_namespace(openshift.kube, "scc-test")
    scc.prepare(openshift.kube, "scc-test")
    assert scc.differences(openshift.kube, "scc-test") == {}
    assert len(scc.recorded()) == 33


def test_a_pod_runs_under_its_projects_user_and_root_is_refused(developer: User) -> None:
    until("the project's rights are in force", developer.may("create", "pods", "team"))
    developer.create(pod("plain"), "team")
    developer("wait", "-n", "team", "--for=condition=Ready", "pod/plain", "--timeout=60s")
    project = json.loads(developer("get", "--raw", "/apis/project.openshift.io/v1/projects/team"))
    first = project["metadata"]["annotations"]["openshift.io/sa.scc.uid-range"].split("/")[0]
    user = developer("exec", "-n", "team", "plain", "--", "id", "-u").strip()
    assert user == first
    assert "runAsUser" in developer.create(pod("root", runAsUser=0), "team", check=False)


def test_what_is_others_is_out_of_sight(openshift: FakeOpenShift, developer: User, tmp_path: Path) -> None:
    other = User(openshift, "other", tmp_path)
    assert "orbidden" in other("get", "pods", "-n", "team", check=False)
    assert "orbidden" in developer("get", "nodes", check=False)
    assert json.loads(other("get", "--raw", "/apis/project.openshift.io/v1/projects"))["items"] == []


def test_a_route_gets_a_host_and_a_taken_one_is_not_admitted(
    openshift: FakeOpenShift, developer: User, tmp_path: Path
) -> None:
    developer.create(route("web"), "team")
    made = json.loads(developer("get", "route", "-n", "team", "web", "-o", "json"))
    host = made["spec"]["host"]
    assert host == f"web-team.{openshift.settings.domain}"
    assert made["status"]["ingress"][0]["conditions"][0]["status"] == "True"
    time.sleep(1.1)  # who was first is known by the second
    other = User(openshift, "rival", tmp_path)
    other.project("rivals")
    until("its rights are in force", other.may("create", "routes", "rivals"))
    answer = other.create(route("web", host), "rivals", check=False)
    if "created" in answer:  # who may choose a host is told by the route's status
        condition = json.loads(other("get", "route", "-n", "rivals", "web", "-o", "json"))["status"]["ingress"][0]
        assert condition["conditions"][0]["reason"] == "HostAlreadyClaimed"
    else:
        assert "host" in answer


def test_a_token_that_has_expired_is_worth_nothing(openshift: FakeOpenShift, tmp_path: Path) -> None:
    user = User(openshift, "leaver", tmp_path)
    assert "leaver" in user("get", "--raw", "/apis/user.openshift.io/v1/users/~")
    openshift.expire("leaver")
    assert "nauthorized" in user("get", "--raw", "/apis/user.openshift.io/v1/users/~", check=False)
