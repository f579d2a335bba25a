# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever goes wrong with whatever request ends in success that is one, or in a sentence that says what to do."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _gke_cluster, _gke_node_pool, _google
from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster, gke_node_pool

from tests.fakes.google_cloud.failures import OPERATION, REQUEST
from tests.google_cloud.modules.conftest import LOCATION, POOL, Ansible

JSON = dict[str, t.Any]

CLUSTER: JSON = {"name": "dask", "location": LOCATION}
NEW: JSON = {**CLUSTER, "release_channel": "none", "initial_node_pools": [POOL]}
FIXED: JSON = {"name": "fixed", "node_count": 1}


def pools(*given: JSON, **options: t.Any) -> JSON:
    return {"cluster": "dask", "location": LOCATION, "pools": list(given), **options}


# By the method that goes wrong: the module, and what it is to do to a cluster with the pools core and fixed.
STEPS: dict[str, tuple[t.Any, JSON]] = {
    "clusters.get": (gke_cluster, {**CLUSTER, "logging": []}),
    "operations.get": (gke_cluster, {**CLUSTER, "logging": []}),
    "clusters.create": (gke_cluster, {**NEW, "name": "second"}),
    "clusters.update": (gke_cluster, {**CLUSTER, "logging": [], "cost_allocation": True}),
    "clusters.setResourceLabels": (gke_cluster, {**CLUSTER, "labels": {"team": "science"}}),
    "clusters.setMaintenancePolicy": (gke_cluster, {**CLUSTER, "maintenance": {"daily": "03:00"}}),
    "clusters.delete": (gke_cluster, {**CLUSTER, "state": "absent", "deletion_protection": False}),
    "nodePools.create": (gke_node_pool, pools({**POOL, "name": "new"}, {**POOL, "name": "newer"})),
    "nodePools.update": (gke_node_pool, pools({**POOL, "labels": {"a": "b"}, "machine_type": "e2-standard-8"})),
    "nodePools.setAutoscaling": (gke_node_pool, pools({**POOL, "autoscaling": {"total_max": 9}})),
    "nodePools.setManagement": (gke_node_pool, pools({**POOL, "auto_upgrade": False})),
    "nodePools.setSize": (gke_node_pool, pools({**FIXED, "node_count": 4})),
    "nodePools.delete": (gke_node_pool, pools({**POOL, "state": "absent"})),
}
WRITES = [step for step in STEPS if not step.endswith(".get")]
KINDS = [kind for kind in REQUEST if kind not in ("permission", "quota_project", "token_expired")]


@pytest.fixture(autouse=True)
def scene(ansible: Ansible, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_google, "TRANSIENT_FOR", 0.3)
    for module in (_gke_cluster, _gke_node_pool):  # a second is the least that the modules take, and more than it needs
        monkeypatch.setattr(module, "Deadline", lambda seconds: _gke.Deadline(seconds if seconds > 1 else 0.3))
    ansible.good(gke_cluster, **{**NEW, "initial_node_pools": [POOL, FIXED]})


def outcome(ansible: Ansible, step: str, **options: t.Any) -> str:
    """Why the step failed; empty if it succeeded, and then it has: a look at it finds nothing to do."""
    module, task = STEPS[step]
    task = {**task, **options}
    result = ansible(module, **task)
    ansible.cloud.state.failures.waiting.clear()
    if not result.get("failed"):
        assert result["changed"]
        assert not ansible.good(module, check=True, **{**task, "timeout": 20})["changed"], "it says success and is not"
        return ""
    assert result["msg"].endswith(".")
    assert "Traceback" not in result["msg"]
    return result["msg"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_once(ansible: Ansible, step: str, kind: str) -> None:
    """A request that meets something passing is sent again, or what became of it is found out."""
    ansible.cloud.fail(step, kind, retry_after=0)
    assert outcome(ansible, step) == ""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "drop_answer"])
def test_for_ever(ansible: Ansible, step: str, kind: str) -> None:
    ansible.cloud.fail(step, kind, times=None, retry_after=0)
    message = outcome(ansible, step, timeout=1)
    assert "fake-project" in message
    expected = {
        "rate_limit": "429 RESOURCE_EXHAUSTED",
        "unavailable": "503 UNAVAILABLE",
        "internal": "500 INTERNAL",
        "in_progress": "running incompatible operation",
        "conflict": "409 ABORTED",
        "drop": "answer",
    }
    assert expected[kind] in message


@pytest.mark.parametrize("step", WRITES)
def test_answers_that_never_come(ansible: Ansible, step: str) -> None:
    """What is lost is only the answer, so that what was asked for comes to be all the same."""
    ansible.cloud.fail(step, "drop_answer", times=None)
    assert outcome(ansible, step) == ""


@pytest.mark.parametrize("step", STEPS)
def test_a_permission_that_is_missing_is_named(ansible: Ansible, step: str) -> None:
    ansible.cloud.fail(step, "permission")
    message = outcome(ansible, step)
    assert "403 PERMISSION_DENIED" in message
    assert "grant this account a role with the permission container." in message


@pytest.mark.parametrize("step", STEPS)
def test_a_token_that_expires(ansible: Ansible, step: str) -> None:
    """One that was given cannot be renewed."""
    ansible.cloud.fail(step, "token_expired")
    message = outcome(ansible, step, access_token=ansible.cloud.token)
    assert "the token was refused; a token is good for an hour at most" in message


@pytest.mark.parametrize("step", STEPS)
def test_a_token_that_is_renewed(ansible: Ansible, step: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    key = ansible.cloud.key_file(tmp_path_factory.mktemp("key") / "key.json")
    ansible.cloud.fail(step, "token_expired")
    module, task = STEPS[step]
    result = ansible.good(module, **task, auth_kind="serviceaccount", service_account_file=str(key))
    assert result["changed"]
    assert [record.method for record in ansible.cloud.requests].count("oauth2.token") > 1


@pytest.mark.parametrize("step", WRITES)
@pytest.mark.parametrize("kind", OPERATION)
def test_operations(ansible: Ansible, step: str, kind: str) -> None:
    ansible.cloud.fail(step, kind)
    message = outcome(ansible, step, timeout=1)
    assert "operation operation-" in message
    expected = {
        "quota": "failed with RESOURCE_EXHAUSTED: Insufficient regional quota",
        "stockout": "GCE_STOCKOUT",
        "error": "An unknown error occurred",
        "never_ends": "goes on; run again",
    }
    assert expected[kind] in message
    if kind == "quota":
        assert "ask for more quota, or for less" in message


def test_one_pool_that_fails_lets_the_other_be_finished(ansible: Ansible) -> None:
    ansible.cloud.fail("CREATE_NODE_POOL", "stockout")
    result = ansible(gke_node_pool, **pools({**POOL, "name": "one"}, {**POOL, "name": "two"}))
    assert result["failed"]
    assert len(result["failed_pools"]) == 1
    states = {pool["name"]: pool["status"] for pool in ansible.cloud.cluster("dask", LOCATION)["nodePools"]}
    assert sorted((states["one"], states["two"])) == ["ERROR", "RUNNING"]

    [name] = result["failed_pools"]
    message = ansible.bad(gke_node_pool, **pools({**POOL, "name": name}))
    assert "its creation failed ([GCE_STOCKOUT]" in message
    assert ansible.good(gke_node_pool, **pools({**POOL, "name": name, "recreate": True}))["changed"]
    assert ansible.sent == ["clusters.nodePools.delete", "clusters.nodePools.create nodePool"]


def test_a_cluster_whose_creation_failed(ansible: Ansible) -> None:
    ansible.cloud.fail("CREATE_CLUSTER", "quota")
    task = {**NEW, "name": "second"}
    assert "Insufficient regional quota" in ansible.bad(gke_cluster, **task)
    message = ansible.bad(gke_cluster, **task)
    assert "its creation failed (Insufficient regional quota" in message
    assert ansible.cloud.writes == []
    ansible.good(gke_cluster, **task, recreate=True, deletion_protection=False)
    assert ansible.sent == ["clusters.delete", "clusters.create cluster"]


def test_labels_that_others_change_meanwhile(ansible: Ansible, monkeypatch: pytest.MonkeyPatch) -> None:
    """412: they are read again, and nothing of the others' is lost."""
    send = _google.Google.request

    def meanwhile(self: t.Any, method: str, service: t.Any, path: str, body: t.Any, params: t.Any) -> t.Any:
        if path.endswith(":setResourceLabels"):
            monkeypatch.setattr(_google.Google, "request", send)
            found = send(self, "GET", "container", path.rpartition(":")[0], None, {})
            labels = {**found["resourceLabels"], "other": "s"}
            other = {"resourceLabels": labels, "labelFingerprint": found["labelFingerprint"]}
            send(self, "POST", "container", path, other, {})
            ansible.cloud.settle()
        return send(self, method, service, path, body, params)

    monkeypatch.setattr(_google.Google, "request", meanwhile)
    result = ansible.good(gke_cluster, **CLUSTER, labels={"team": "science"})
    assert result["cluster"]["resourceLabels"].items() >= {"other": "s", "team": "science"}.items()
    assert [record.status for record in ansible.cloud.writes] == [200, 412, 200]
