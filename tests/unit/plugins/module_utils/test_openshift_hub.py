# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is planned on a hub, and what is made of its answers."""

from __future__ import annotations

import typing as t
from decimal import Decimal
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _openshift_hub as hub
from ansible_collections.daskops.kubernetes.plugins.module_utils import _openshift_hub_engine as engine
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Unreachable
from ansible_collections.daskops.kubernetes.plugins.module_utils._progress import Progress

JSON = dict[str, t.Any]

CLAIM: JSON = {"pool": "small", "lifetime": None, "subjects": None}
SPEC: JSON = {"platform": {"type": "Agent"}}
POOL: JSON = {"metadata": {"name": "small"}, "spec": {"size": 1}, "status": {"size": 1, "standby": 1, "ready": 0}}


def want(**params: t.Any) -> hub.Want:
    given = {"name": "dask", "namespace": "pools", "state": "present", "claim": None, "hosted": None, **params}
    return hub.wanted(given)


def claimed(ours: bool = True, **parts: t.Any) -> JSON:
    metadata: JSON = {"name": "dask", "namespace": "pools", "uid": "1", "labels": dict(hub.LABELS) if ours else {}}
    return {"metadata": metadata | parts.pop("metadata", {}), "spec": {"clusterPoolName": "small"} | parts}


def conditions(**given: str | tuple[str, str]) -> JSON:
    """A status with these conditions, by their status or that and a message."""
    pairs = {kind: (each, "") if isinstance(each, str) else each for kind, each in given.items()}
    return {"conditions": [{"type": kind, "status": s, "reason": s, "message": m} for kind, (s, m) in pairs.items()]}


# --- input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("8h", 28800),
        ("8h0m0s", 28800),
        ("1h30m", 5400),
        ("90m", 5400),
        ("0.5h", 1800),
        ("8", None),
        ("", None),
        ("1d", None),
    ],
)
def test_durations_are_gos(duration: str, seconds: int | None) -> None:
    assert hub.seconds(duration) == (None if seconds is None else Decimal(seconds))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "Dask", "claim": CLAIM}, "'Dask' is no name"),
        ({"claim": {"pool": "small", "lifetime": "1 day"}}, "the lifetime '1 day' is no duration"),
        (
            {"hosted": {"spec": SPEC, "node_pools": [{"name": "a", "spec": {}}] * 2}},
            "two of its node pools have the same name",
        ),
        (
            {"hosted": {"spec": SPEC, "node_pools": [{"name": "a", "spec": {"clusterName": "b"}}]}},
            "the node pool a: that is of the cluster b; leave out clusterName",
        ),
    ],
)
def test_input_that_cannot_be(params: JSON, message: str) -> None:
    with pytest.raises(DaskopsError, match=message):
        want(**params)


def test_subjects_are_rbacs() -> None:
    subjects = [
        {"kind": "User", "name": "me", "namespace": None},
        {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"},
    ]
    source = want(claim={**CLAIM, "subjects": subjects}).source
    assert isinstance(source, hub.Claim)
    assert source.subjects == (
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "me"},
        {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"},
    )


# --- plans ------------------------------------------------------------------------------------------------------------


def test_a_claim_is_made_where_the_pool_is() -> None:
    plan = hub.plan_present(want(claim={**CLAIM, "lifetime": "8h"}), hub.Observed(pool=POOL))
    assert plan == hub.Plan(
        create=(
            {
                "apiVersion": "hive.openshift.io/v1",
                "kind": "ClusterClaim",
                "metadata": {"name": "dask", "namespace": "pools", "labels": hub.LABELS},
                "spec": {"clusterPoolName": "small", "lifetime": "8h"},
            },
        )
    )


def test_a_pool_that_may_not_be_seen_is_claimed_from() -> None:
    assert hub.plan_present(want(claim=CLAIM), hub.Observed(pools=None)).create


@pytest.mark.parametrize(
    ("status", "good"), [({}, False), ({"standby": 1}, True), ({"size": 1}, True), ({"ready": 1}, True)]
)
def test_a_pool_of_size_0_serves_what_is_left(status: JSON, good: bool) -> None:
    pool = {"metadata": {"name": "small"}, "spec": {"size": 0}, "status": status}
    seen = hub.Observed(pool=pool)
    if good:
        assert hub.plan_present(want(claim=CLAIM), seen).create
    else:
        with pytest.raises(DaskopsError, match="has size 0 and no cluster left"):
            hub.plan_present(want(claim=CLAIM), seen)


def test_a_lifetime_written_otherwise_is_the_same() -> None:
    seen = hub.Observed(claimed(lifetime="8h0m0s"))
    assert hub.plan_present(want(claim={**CLAIM, "lifetime": "8h"}), seen) == hub.Plan()
    change = hub.plan_present(want(claim={**CLAIM, "lifetime": "9h"}), seen).change
    assert [(item["kind"], item["spec"]) for item in change] == [("ClusterClaim", {"lifetime": "9h"})]


def test_subjects_are_changed_only_if_given() -> None:
    seen = hub.Observed(claimed(subjects=[{"kind": "User", "name": "x"}]))
    assert hub.plan_present(want(claim=CLAIM), seen) == hub.Plan()
    same = {**CLAIM, "subjects": [{"kind": "User", "name": "x"}]}  # the claim of another tool need not name the group
    assert hub.plan_present(want(claim=same), seen) == hub.Plan()
    change = hub.plan_present(want(claim={**CLAIM, "subjects": []}), seen).change
    assert [item["spec"] for item in change] == [{"subjects": []}]


@pytest.mark.parametrize(("claim_name", "resumed"), [("dask", True), ("other", False)])
def test_only_the_claims_own_cluster_is_resumed(claim_name: str, resumed: bool) -> None:
    reference = {"namespace": "pools", "claimName": claim_name}
    deployment = {
        "metadata": {"name": "small-1", "namespace": "small-1"},
        "spec": {"powerState": "Hibernating", "clusterPoolRef": reference},
    }
    plan = hub.plan_present(want(claim=CLAIM), hub.Observed(claimed(namespace="small-1"), deployment=deployment))
    assert [item["spec"] for item in plan.change] == ([{"powerState": "Running"}] if resumed else [])


def test_node_pools_of_others_are_left_alone() -> None:
    mine = {"metadata": {"name": "a", "labels": hub.LABELS}, "spec": {"clusterName": "dask"}}
    theirs = {"metadata": {"name": "b"}, "spec": {"clusterName": "dask"}}
    elsewhere = {"metadata": {"name": "c", "labels": hub.LABELS}, "spec": {"clusterName": "other"}}
    seen = hub.Observed(claimed(), {"a": mine, "b": theirs, "c": elsewhere})
    assert not hub.plan_present(want(hosted={"spec": SPEC}), seen).delete
    purged = hub.plan_present(want(hosted={"spec": SPEC, "purge": True}), seen).delete
    assert [item["metadata"]["name"] for item in purged] == ["a"]
    gone = hub.plan_absent(want(hosted={}, state="absent"), seen).delete
    assert [(item["kind"], item["metadata"]["name"]) for item in gone] == [("NodePool", "a"), ("HostedCluster", "dask")]
    for name, message in (("b", "was made by somebody else"), ("c", "is of the cluster other")):
        with pytest.raises(DaskopsError, match=f"NodePool pools/{name} {message}"):
            hub.plan_present(want(hosted={"spec": SPEC, "node_pools": [{"name": name, "spec": {}}]}), seen)


def test_what_is_being_deleted_gives_no_cluster() -> None:
    seen = hub.Observed(claimed(metadata={"deletionTimestamp": "now"}))
    with pytest.raises(DaskopsError, match="is being deleted"):
        hub.plan_present(want(claim=CLAIM), seen)


# --- assessments ------------------------------------------------------------------------------------------------------


def test_a_claim_needs_its_cluster_running() -> None:
    cluster = claimed(namespace="small-1")
    cluster["status"] = conditions(Pending="False", ClusterRunning=("False", "Waiting for cluster to be running"))
    found = hub.assess(
        want(claim=CLAIM), hub.Observed(cluster, deployment={"status": {"powerState": "StartingMachines"}})
    )
    assert (found.ready, found.findings) == (False, ())
    assert found.progress == "cluster small-1: StartingMachines: Waiting for cluster to be running"
    cluster["status"] = conditions(ClusterRunning="True")
    assert hub.assess(want(claim=CLAIM), hub.Observed(cluster)).ready
    hibernating = {"status": {"powerState": "Hibernating"}}
    assert not hub.assess(want(claim=CLAIM), hub.Observed(cluster, deployment=hibernating)).ready


def test_a_cluster_that_has_gone_is_not_waited_for() -> None:
    cluster = claimed(namespace="small-1")
    said = {"type": "ClusterRunning", "status": "False", "reason": "ClusterDeleted", "message": "It has been deleted"}
    cluster["status"] = {"conditions": [said]}
    (finding,) = hub.assess(want(claim=CLAIM), hub.Observed(cluster)).findings
    assert finding.cause == "its cluster is gone: It has been deleted"


def test_what_a_pool_lacks_is_said() -> None:
    pool = {
        **POOL,
        "status": conditions(MissingDependencies=("True", "no image set"), CapacityAvailable=("False", "full")),
    }
    found = hub.assess(want(claim=CLAIM), hub.Observed(claimed(), pool=pool))
    assert "it lacks something: no image set; it makes no more: full" in found.progress
    assert found.findings == ()


def hosted(generation: int = 1, pool: JSON | None = None, **given: t.Any) -> hub.Assessment:
    cluster = claimed(metadata={"generation": generation})
    cluster["status"] = {"kubeconfig": {"name": "k"}, **conditions(**given)}
    pools = {"a": pool} if pool else {}
    node_pools = [{"name": "a", "spec": {}}] if pool else []
    return hub.assess(want(hosted={"spec": SPEC, "node_pools": node_pools}), hub.Observed(cluster, pools))


def test_a_hosted_cluster_that_is_degraded_can_be_used_and_is_warned_of() -> None:
    found = hosted(Available="True", Degraded=("True", "one replica is missing"))
    assert found.ready
    assert found.warnings == ("HostedCluster pools/dask is Degraded: one replica is missing",)


def test_what_was_said_of_an_earlier_specification_does_not_count() -> None:
    assert [finding.grace for finding in hosted(Available="False", ValidConfiguration=("False", "no")).findings] == [
        60.0
    ]
    cluster = claimed(metadata={"generation": 2})
    cluster["status"] = conditions(ValidConfiguration=("False", "no"))
    cluster["status"]["conditions"][0]["observedGeneration"] = 1
    assert hub.assess(want(hosted={"spec": SPEC}), hub.Observed(cluster)).findings == ()


@pytest.mark.parametrize(
    ("spec", "status", "ready"),
    [
        ({"replicas": 2}, {"replicas": 2, **conditions(Ready="True")}, True),
        ({"replicas": 3}, {"replicas": 2, **conditions(Ready="True")}, False),
        ({"replicas": 2}, {"replicas": 2, **conditions(Ready="False")}, False),
        ({"replicas": 0}, {}, True),
        ({"autoScaling": {"min": 1, "max": 3}}, {"replicas": 1, **conditions(Ready="True")}, True),
    ],
)
def test_node_pools_are_waited_for(spec: JSON, status: JSON, ready: bool) -> None:
    pool = {"metadata": {"name": "a", "labels": hub.LABELS}, "spec": spec, "status": status}
    assert hosted(pool=pool, Available="True").ready == ready


def test_why_nodes_do_not_come_is_said() -> None:
    status = conditions(
        Ready="False", AllMachinesReady=("False", "quota exceeded"), ValidPlatformImage=("False", "none")
    )
    pool = {"metadata": {"name": "a"}, "spec": {"replicas": 2}, "status": status}
    found = hosted(pool=pool, Available="True")
    assert found.progress == "control plane is available; node pool a: 0 of 2 nodes; AllMachinesReady: quota exceeded"
    assert [finding.cause for finding in found.findings] == ["NodePool pools/a: ValidPlatformImage is False: none"]


# --- waiting ----------------------------------------------------------------------------------------------------------


class Hub:
    """Gives its answers one after another."""

    name = "hub"

    def __init__(self, *answers: JSON | Exception | None) -> None:
        self.answers = list(answers)

    def find(self, path: str) -> JSON | None:
        if "clusterclaims" not in path:
            return None
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def items(self, _path: str) -> list[JSON]:
        return []


def waiting(timeout: float, *answers: JSON | Exception | None) -> hub.Assessment:
    cluster: t.Any = Hub(*answers)
    return engine.Engine(cluster, want(claim=CLAIM), Path("unused"), timeout, Progress()).wait_until_ready()[1]


RUNNING = {**claimed(namespace="small-1"), "status": conditions(ClusterRunning="True")}


@pytest.mark.parametrize(
    "error", [Unreachable("no answer."), ApiError("later.", 503, "later"), ApiError("wait.", 429, "wait")]
)
def test_a_hub_may_be_away_for_a_moment(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    assert waiting(10, error, error, RUNNING).ready
    with pytest.raises(type(error)):
        waiting(0.05, error)


def test_a_refusal_ends_the_wait() -> None:
    with pytest.raises(ApiError, match="no right"):
        waiting(10, ApiError("no right.", 403, "no right"), RUNNING)


def test_at_the_end_of_the_wait_the_claim_is_still_there() -> None:
    pending = {**claimed(), "status": conditions(Pending=("True", "No clusters in pool are ready to be claimed"))}
    with pytest.raises(DaskopsError) as caught:
        waiting(0.1, pending)
    assert caught.value.message == (
        "Hub hub: ClusterClaim pools/dask is not ready after 0 s: claim is pending: No clusters in pool are ready to "
        "be claimed; wait longer (timeout) if it only needs time; the claim stays until it is released."
    )
