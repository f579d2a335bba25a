# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an OpenShift cluster lacks for a deployment, and what its admin is asked for."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.daskops.kubernetes.plugins.module_utils import _openshift, _target_info
from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift import Ask, Facts
from ansible_collections.daskops.kubernetes.plugins.module_utils._target_info import Right

JSON = dict[str, t.Any]
ASK = Ask("team", builds=True)
FACTS = Facts(
    groups=frozenset({_openshift.ROUTES, _openshift.PROJECTS, _openshift.BUILDS, _openshift.IMAGES, _openshift.SCC}),
    user="developer",
    namespace={"metadata": {"name": "team", "annotations": {"openshift.io/sa.scc.uid-range": "1000650000/10000"}}},
    may_create=False,
    refusal="",
    target=_target_info.Facts(
        version="v1.34.0",
        namespace=None,
        namespace_visible=False,
        missing=(),
        storage_classes=None,
        ingress_classes=None,
        daemon_sets=None,
    ),
    domain="apps.example.com",
    registry="registry.apps.example.com",
    internal_registry=_openshift.INTERNAL_REGISTRY,
)


@pytest.mark.parametrize(
    ("facts", "ask", "says"),
    [
        (FACTS, ASK, ""),
        (replace(FACTS, groups=frozenset()), ASK, "it is no OpenShift, as it has no Routes (route.openshift.io); use"),
        (
            replace(FACTS, groups=frozenset({_openshift.ROUTES})),
            ASK,
            "no image.openshift.io and no build.openshift.io; set openshift_registry_repository",
        ),
        (replace(FACTS, groups=frozenset({_openshift.ROUTES})), Ask("team"), ""),
        (
            replace(FACTS, namespace=None),
            replace(ASK, create=False),
            "project team does not exist, or is not for developer to see, and is not to be created",
        ),
        (replace(FACTS, namespace=None), ASK, ""),
        (
            replace(FACTS, namespace=None, refusal="You may not request a new project"),
            ASK,
            "developer may not request one (You may not request a new project); have an admin make it",
        ),
        (replace(FACTS, namespace=None, refusal="no", may_create=True), ASK, ""),
        (
            replace(FACTS, target=replace(FACTS.target, missing=(Right("apps", "deployments", "create"),))),
            ASK,
            "in namespace team the user may not create deployments.apps",
        ),
        (replace(FACTS, registry=""), ASK, ""),
        (replace(FACTS, internal_registry=""), ASK, "no image registry of its own to build into, as that was removed"),
        (replace(FACTS, internal_registry=""), Ask("team"), ""),
        (replace(FACTS, registry=""), replace(ASK, exposed_registry=True), "its image registry is not exposed"),
    ],
)
def test_what_a_cluster_lacks(facts: Facts, ask: Ask, says: str) -> None:
    found = "; ".join(_openshift.problems(facts, ask))
    assert says in found
    assert bool(found) == bool(says)


def test_whoever_may_make_namespaces_requests_no_project() -> None:
    assert _openshift.summary(FACTS)["project_request"] is True
    assert _openshift.summary(replace(FACTS, may_create=True))["project_request"] is False
    assert _openshift.summary(replace(FACTS, groups=frozenset({_openshift.ROUTES})))["project_request"] is False


def test_user_ids_are_the_projects() -> None:
    assert _openshift.summary(FACTS)["arbitrary_uid"] is True
    for sign in (_openshift.SCC, _openshift.PROJECTS):  # MicroShift has no projects
        yet_to_be = replace(FACTS, namespace=None, groups=frozenset({_openshift.ROUTES, sign}))
        assert _openshift.summary(yet_to_be)["arbitrary_uid"] is True
    assert _openshift.summary(replace(yet_to_be, groups=frozenset({_openshift.ROUTES})))["arbitrary_uid"] is False
    plain = replace(FACTS, namespace={"metadata": {"name": "team"}})
    assert _openshift.summary(plain)["arbitrary_uid"] is False


def test_what_an_admin_is_asked_for_is_ready_to_apply() -> None:
    rights = [
        Right("apps", "deployments", "list"),
        Right("apps", "deployments", "create"),
        Right("", "pods/log", "get"),
        Right("", "namespaces", "create", cluster_wide=True),
    ]
    account = "system:serviceaccount:ops:deployer"
    namespace, role, binding = yaml.safe_load_all(_openshift.grant(rights, "team", account, make_namespace=True))
    assert namespace["metadata"] == {"name": "team"}
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "list"]},
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "namespace": "ops", "name": "deployer"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (_role, user) = yaml.safe_load_all(_openshift.grant(rights, "team", "jane", make_namespace=False))
    assert user["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]


def test_the_role_that_readme_has_is_the_one_that_is_granted() -> None:
    """Molecule's scenario holds the latter against what a tenant does."""
    readme = Path(__file__).resolve().parents[4] / "roles/openshift/README.md"
    written = re.search(r"^apiVersion: rbac.*?(?=^```)", readme.read_text(), re.DOTALL | re.MULTILINE)
    assert written
    rights = _target_info.needed_rights(create_namespace=False, route=True, route_host=True)
    rights += (*ASK.rights({_openshift.PROJECTS}), *_target_info.LIMITS_READ)
    role = next(iter(yaml.safe_load_all(_openshift.grant(rights, "dask", "jane", make_namespace=False))))
    assert yaml.safe_load(written[0]) == role


class Api:
    """Answers by path."""

    def __init__(self, answers: dict[str, t.Any]) -> None:
        self.answers = answers

    def find_visible(self, path: str, **_query: str) -> t.Any:
        return self.answers.get(path)


@pytest.mark.parametrize(
    ("answers", "domain"),
    [
        ({_openshift.INGRESS: {"spec": {"domain": "apps.one.example.com"}}}, "apps.one.example.com"),
        (
            {
                _openshift.INGRESS: None,
                _openshift.CONSOLE: {"data": {"consoleURL": "https://console-openshift-console.apps.two.example.com"}},
            },
            "apps.two.example.com",
        ),
        ({_openshift.INGRESS: None, _openshift.CONSOLE: {"data": {"consoleURL": "https://console.example.com"}}}, ""),
        ({_openshift.INGRESS: None, _openshift.CONSOLE: None}, ""),
        ({}, ""),
    ],
)
def test_the_routers_domain_is_told_by_the_console(answers: JSON, domain: str) -> None:
    cluster: t.Any = Api(answers)
    assert _openshift._domain(cluster) == domain
