# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What target_info makes of what a cluster says."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _module, _target_info
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._target_info import Facts, Right

if t.TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = {"metadata": {"name": "dask"}, "status": {"phase": "Active"}}
FACTS = Facts(
    version="v1.34.0",
    namespace=NAMESPACE,
    namespace_visible=True,
    missing=(),
    storage_classes=[
        {"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}},
        {"metadata": {"name": "fast"}},
    ],
    ingress_classes=[{"metadata": {"name": "nginx"}}],
    daemon_sets=[],
)


def daemon_set(name: str, image: str = "registry.example/agent:1", command: str = "/agent") -> dict[str, t.Any]:
    container = {"name": "agent", "image": image, "command": [command]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [container]}}}}


def test_all_is_well() -> None:
    assert _target_info.problems(FACTS, "dask", create_namespace=False, needs_ingress=True) == []
    summary = _target_info.summary(FACTS)
    assert summary["default_storage_class"] == "standard"
    assert summary["storage_classes"] == ["fast", "standard"]
    assert summary["namespace_exists"] is True


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": "v1.28.9"}, "it runs Kubernetes v1.28.9, and 1.29 or newer is needed"),
        ({"version": "unknown"}, "it runs Kubernetes unknown, and 1.29 or newer is needed"),
        ({"namespace": None}, "namespace dask does not exist and is not to be created"),
        ({"namespace": {**NAMESPACE, "status": {"phase": "Terminating"}}}, "namespace dask is being deleted"),
        ({"missing": (Right("", "secrets", "get"),)}, "in namespace dask the user may not get secrets"),
        ({"missing": (Right("", "namespaces", "create", cluster_wide=True),)}, "the user may not create it"),
        ({"ingress_classes": []}, "there is no ingress class"),
        ({"routes": False}, "it has no Routes (route.openshift.io); choose another exposure"),
    ],
)
def test_one_problem(changes: dict[str, t.Any], problem: str) -> None:
    found = _target_info.problems(replace(FACTS, **changes), "dask", create_namespace=False, needs_ingress=True)
    assert len(found) == 1
    assert problem in found[0]


def test_all_problems() -> None:
    facts = replace(FACTS, version="v1.20.1", namespace=None, missing=(Right("", "pods", "get"),), ingress_classes=[])
    assert len(_target_info.problems(facts, "dask", create_namespace=False, needs_ingress=True)) == 4


def test_what_cannot_be_seen_is_no_problem() -> None:
    facts = replace(
        FACTS, namespace=None, namespace_visible=False, storage_classes=None, ingress_classes=None, daemon_sets=None
    )
    assert _target_info.problems(facts, "dask", create_namespace=False, needs_ingress=True) == []
    summary = _target_info.summary(facts)
    for key in ("namespace_exists", "storage_classes", "default_storage_class", "ingress_classes"):
        assert summary[key] is None
    assert summary["network_policy"] == {"enforced": "unknown", "by": ""}


def test_a_namespace_that_is_not_there_may_be_created() -> None:
    assert (
        _target_info.problems(replace(FACTS, namespace=None), "dask", create_namespace=True, needs_ingress=False) == []
    )


def test_namespace_of_openshift() -> None:
    metadata = {
        "labels": {"pod-security.kubernetes.io/enforce": "baseline"},
        "annotations": {"openshift.io/sa.scc.uid-range": "1000650000/10000"},
    }
    summary = _target_info.summary(replace(FACTS, namespace={"metadata": metadata}))
    assert summary["arbitrary_uid"] is True
    assert summary["pod_security"] == "baseline"


@pytest.mark.parametrize(
    ("daemon_sets", "answer"),
    [
        ([daemon_set("cilium")], ("yes", "Cilium")),
        ([daemon_set("pods", command="/usr/local/bin/kube-router")], ("yes", "kube-router")),
        ([daemon_set("net", image="registry.example/calico/node:v3")], ("yes", "Calico")),
        ([daemon_set("kube-flannel-ds")], ("no", "Flannel")),
        ([daemon_set("kube-flannel-ds"), daemon_set("calico-node")], ("yes", "Calico")),
        ([daemon_set("kube-proxy")], ("unknown", "")),
        ([], ("unknown", "")),
    ],
)
def test_network_policy(daemon_sets: list[dict[str, t.Any]], answer: tuple[str, str]) -> None:
    assert _target_info.network_policy(daemon_sets) == answer


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        ({"verbs": ["get", "create"], "apiGroups": ["apps"], "resources": ["deployments"]}, True),
        ({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"]}, False),
        ({"verbs": ["create"], "apiGroups": [""], "resources": ["deployments"]}, False),
        ({"verbs": ["create"], "apiGroups": ["apps"], "resources": ["deployments/scale"]}, False),
        ({"verbs": ["create"], "apiGroups": ["apps"], "resources": ["*"], "resourceNames": ["dask"]}, False),
        ({"verbs": ["*"], "nonResourceURLs": ["*"]}, False),
    ],
)
def test_granted(rule: dict[str, t.Any], holds: bool) -> None:
    assert _target_info.granted([rule], Right("apps", "deployments", "create")) is holds


def test_rights() -> None:
    rights = _target_info.needed_rights(create_namespace=False)
    assert Right("apps", "deployments", "patch") in rights
    assert Right("networking.k8s.io", "networkpolicies", "delete") in rights
    assert Right("", "pods/portforward", "create") in rights
    assert len(set(rights)) == len(rights)
    assert {right.what for right in rights if right.cluster_wide} == set()
    wide = [right for right in _target_info.needed_rights(create_namespace=True) if right.cluster_wide]
    assert [(right.verb, right.what) for right in wide] == [("create", "namespaces")]


def test_rights_to_routes_only_if_there_is_to_be_one() -> None:
    def of_routes(**wanted: bool) -> list[tuple[str, str]]:
        rights = _target_info.needed_rights(create_namespace=False, **wanted)
        return [(right.resource, right.verb) for right in rights if right.group == "route.openshift.io"]

    assert of_routes() == []
    verbs = [("routes", verb) for verb in ("list", "create", "patch", "delete")]
    assert of_routes(route=True) == verbs
    assert of_routes(route=True, route_host=True) == [
        *verbs,
        ("routes/custom-host", "create"),
    ]


class Answers(_kube.Cluster):
    """A cluster whose user may do everything, with or without the Route kind."""

    def __init__(self, routes: bool) -> None:
        self.routes = routes
        self.name = "c"

    def get(self, path: str, **_query: str) -> dict[str, t.Any]:
        if "route.openshift.io" in path and not self.routes:
            raise _kube.ApiError("no", 404, "not found")
        return {"gitVersion": "v1.34.0"}

    def send(self, *_body: t.Any, **_query: t.Any) -> dict[str, t.Any]:
        return {"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}


@pytest.mark.parametrize(("has", "asked", "known"), [(True, True, True), (False, True, False), (False, False, None)])
def test_whether_there_are_routes(has: bool, asked: bool, known: bool | None) -> None:
    assert _target_info.gather(Answers(has), "dask", True, route=asked).routes is known


def test_missing_rights_are_put_together_by_resource() -> None:
    missing = [Right("", "secrets", "get"), Right("", "secrets", "list"), Right("apps", "deployments", "patch")]
    assert _target_info.describe_missing(missing) == ["get/list secrets", "patch deployments.apps"]


def test_context() -> None:
    assert _target_info.choose_context(["only"], "file") == "only"
    with pytest.raises(DaskopsError, match=r"several contexts, and none was chosen; .*: dev, prod\."):
        _target_info.choose_context(["prod", "dev"], "file")
    with pytest.raises(DaskopsError, match="has no context"):
        _target_info.choose_context([], "file")


def test_contexts_are_read(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("contexts: [{name: a}]")
    two.write_text("contexts: [{name: b}, {}, 3]")
    assert _target_info.read_contexts(f"{one}:{two}")[0] == ["a", "b"]
    assert _target_info.read_contexts({"contexts": [{"name": "c"}]})[0] == ["c"]
    assert _target_info.read_contexts({})[0] == []


@pytest.mark.parametrize(
    ("text", "version"), [("v1.34.0", (1, 34)), ("1.29+", (1, 29)), ("v1.30.5-gke.1", (1, 30)), ("", None)]
)
def test_version(text: str, version: tuple[int, int] | None) -> None:
    assert _target_info.parse_version(text) == version


def test_a_kubeconfigs_secrets_stay_hidden() -> None:
    kubeconfig: dict[str, t.Any] = {
        "clusters": [
            {"name": "c", "cluster": {"server": "https://198.51.100.7", "certificate-authority-data": "Q0E="}}
        ],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "dask"}}],
        "users": [{"name": "u", "user": {"token": "secret", "auth-provider": {"config": {"id-token": "dask2"}}}}],
    }
    # What is named in messages and results, such as the namespace, must not be hidden there.
    assert _module.public_values(kubeconfig) == {"c", "prod", "u", "dask", "https://198.51.100.7", "Q0E="}
    kubeconfig["contexts"][0]["context"]["namespace"] = "secret"
    assert "secret" not in _module.public_values(kubeconfig)
    assert _module.public_values("~/.kube/team.yaml") == {"~/.kube/team.yaml"}
