# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What dask_preflight asks of a cluster, and what it makes of an answer that is no."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _preflight_facts
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError
from ansible_collections.daskops.kubernetes.plugins.module_utils._preflight_facts import Facts
from ansible_collections.daskops.kubernetes.plugins.modules import dask_preflight

JSON = dict[str, t.Any]
NAMESPACE = "/api/v1/namespaces/team"
QUOTAS, RANGES = f"{NAMESPACE}/resourcequotas", f"{NAMESPACE}/limitranges"
PODS, CLAIMS, SERVICES = (f"{NAMESPACE}/{plural}" for plural in ("pods", "persistentvolumeclaims", "services"))
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
QUOTA: JSON = {"metadata": {"name": "team"}, "spec": {"hard": {"pods": "4"}}, "status": {"used": {"pods": "1"}}}
THERE: JSON = {"metadata": {"name": "team"}}


class FakeCluster:
    """Answers with what it is given: an object, a list, or the status of a refusal."""

    name = "prod"

    def __init__(self, **_params: t.Any) -> None:
        self.answers: dict[str, t.Any] = {NAMESPACE: THERE, CLASSES: []}
        self.asked: dict[str, dict[str, str]] = {}

    def find(self, path: str, **query: str) -> t.Any:
        self.asked[path] = query
        answer = self.answers.get(path)
        if isinstance(answer, int):
            raise ApiError(f"answered {answer}", answer, "because")
        return answer

    def items(self, path: str, **query: str) -> t.Any:
        return self.find(path, **query) or []


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def gather(cluster: FakeCluster, exists: bool | None = None, volume: bool = True) -> Facts:
    return _preflight_facts.gather(t.cast("t.Any", cluster), Instance("dask", "team"), exists, volume)


@pytest.mark.parametrize(
    ("answer", "given", "exists", "namespace"),
    [
        (THERE, None, True, THERE),
        (None, None, False, None),
        (403, None, None, None),
        (THERE, True, True, THERE),
        (None, True, True, None),
        (403, True, True, None),
    ],
)
def test_whether_the_namespace_is_there(
    cluster: FakeCluster, answer: t.Any, given: bool | None, exists: bool | None, namespace: JSON | None
) -> None:
    cluster.answers[NAMESPACE] = answer
    facts = gather(cluster, given)
    assert (facts.namespace_exists, facts.namespace) == (exists, namespace)


def test_a_namespace_that_is_said_not_to_be_there_is_not_asked_for(cluster: FakeCluster) -> None:
    cluster.answers = dict.fromkeys((NAMESPACE, QUOTAS, RANGES), 500)
    assert gather(cluster, False) == Facts(False, None, [], [], [])
    assert list(cluster.asked) == [CLASSES]


def test_what_is_wrong_with_the_cluster_is_said(cluster: FakeCluster) -> None:
    for path in (NAMESPACE, CLASSES, QUOTAS, RANGES):
        cluster.answers = {path: 500}
        with pytest.raises(ApiError, match="answered 500"):
            gather(cluster, True)


def test_without_limits_no_more_is_asked(cluster: FakeCluster) -> None:
    facts = gather(cluster, volume=False)
    assert list(cluster.asked) == [NAMESPACE, QUOTAS, RANGES]
    assert facts.quota_checked


def test_with_a_quota_the_deployments_own_objects_are_asked_for(cluster: FakeCluster) -> None:
    cluster.answers |= {
        QUOTAS: [QUOTA],
        PODS: [{"kind": "Pod"}],
        CLAIMS: [{"kind": "Claim"}],
        SERVICES: [{"kind": "S"}],
    }
    facts = gather(cluster)
    assert (facts.pods, facts.claims, facts.services) == ([{"kind": "Pod"}], [{"kind": "Claim"}], [{"kind": "S"}])
    for path in (PODS, CLAIMS, SERVICES):
        selector = "app.kubernetes.io/instance=dask,app.kubernetes.io/managed-by=daskops"
        assert cluster.asked[path] == {"labelSelector": selector}
    assert PRIORITIES not in cluster.asked


def test_a_volume_that_is_there_is_asked_for_without_a_quota_too(cluster: FakeCluster) -> None:
    cluster.answers[CLAIMS] = [{"kind": "Claim"}]
    assert gather(cluster).claims == [{"kind": "Claim"}]
    cluster.answers[CLAIMS] = 403
    assert gather(cluster).claims == []
    assert gather(cluster).quota_checked


def test_priority_classes_are_asked_for_where_a_quota_has_them(cluster: FakeCluster) -> None:
    spec = {**QUOTA["spec"], "scopes": ["PriorityClass"]}
    cluster.answers |= {QUOTAS: [{**QUOTA, "spec": spec}], PRIORITIES: [{"metadata": {"name": "p"}}]}
    assert gather(cluster).priority_classes == [{"metadata": {"name": "p"}}]
    cluster.answers[PRIORITIES] = 403
    assert gather(cluster).quota_checked


@pytest.mark.parametrize("path", [QUOTAS, RANGES, PODS, CLAIMS, SERVICES])
def test_what_the_user_may_not_list_is_not_checked(cluster: FakeCluster, path: str) -> None:
    cluster.answers |= {QUOTAS: [QUOTA], path: 403}
    facts = gather(cluster)
    assert not facts.quota_checked
    assert (facts.quotas is None) == (path != RANGES)


# --- the module -------------------------------------------------------------------------------------------------------

PARAMS: JSON = {
    "name": "dask",
    "namespace": "team",
    "namespace_create": False,
    "namespace_exists": None,
    "target": None,
    "context": "prod",
    "quota": {},
    "security_context": {},
    "pod_security": "restricted",
    "arbitrary_uid": False,
    "worker_groups": [{"name": "default", "replicas": 3, "cpu": "1", "memory": "2Gi", "local_directory_size": "10Gi"}],
    "scheduler": {"cpu": "500m", "memory": "1Gi", "exposure": "port_forward"},
    "notebook": None,
}


def check(cluster: FakeCluster, **params: t.Any) -> JSON:
    return dask_preflight.check({**PARAMS, **params}, lambda: t.cast("t.Any", cluster))


def test_all_problems_at_once(cluster: FakeCluster) -> None:
    cluster.answers |= {
        QUOTAS: [QUOTA],
        RANGES: [{**THERE, "spec": {"limits": [{"type": "Pod", "max": {"cpu": "0.5"}}]}}],
    }
    with pytest.raises(DaskopsError, match="Dask team/dask on prod cannot be deployed, and nothing was") as caught:
        check(cluster, arbitrary_uid=True, security_context={"fsGroup": 1000})
    assert [problem.partition(" ")[0] for problem in caught.value.details["problems"]] == ["security", "limit", "quota"]


@pytest.mark.parametrize(
    ("answers", "exists", "checked"),
    [({}, True, True), ({NAMESPACE: 403}, None, True), ({NAMESPACE: 403, QUOTAS: 403, RANGES: 403}, None, False)],
)
def test_a_tenant_is_not_kept_from_deploying(
    cluster: FakeCluster, answers: JSON, exists: bool | None, checked: bool
) -> None:
    cluster.answers |= answers
    result = check(cluster)
    assert (result["namespace_exists"], result["quota_checked"]) == (exists, checked)
    assert result["worker_groups"][0]["memory_limit"] == int(2 * 2**30 * 0.95)


def test_a_namespace_to_be_made(cluster: FakeCluster) -> None:
    assert check(cluster, namespace_create=True, namespace_exists=False)["namespace_exists"] is False
    assert cluster.asked == {}


def test_limits_that_were_made_for_the_deployment_are_known() -> None:
    instance = Instance("dask", "team")
    ours = {"metadata": {"name": "dask", "labels": instance.labels("namespace")}}
    others = {"metadata": {"name": "dask", "labels": {"app.kubernetes.io/instance": "dask"}}}
    assert Facts(True, quotas=[others], limit_ranges=[ours]).limited_by(instance)
    assert not Facts(True, quotas=[others], limit_ranges=None).limited_by(instance)
