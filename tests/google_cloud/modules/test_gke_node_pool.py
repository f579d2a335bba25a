# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_node_pool and gke_node_pool_info against the fake: what they send, and what they say."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster, gke_node_pool, gke_node_pool_info

from tests.google_cloud.modules.conftest import LOCATION, POOL, Ansible

JSON = dict[str, t.Any]

WORKERS: JSON = {
    "name": "workers",
    "machine_type": "e2-standard-8",
    "spot": True,
    "labels": {"daskops/role": "worker"},
    "taints": [{"key": "dask", "value": "worker"}],
    "autoscaling": {"total_max": 20, "location_policy": "any"},
    "upgrade": {"max_surge": 0, "max_unavailable": 5},
    "service_account": "nodes@fake-project.iam.gserviceaccount.com",
    "max_pods_per_node": 64,
    "tags": ["dask"],
}


@pytest.fixture(autouse=True)
def cluster(ansible: Ansible) -> None:
    theirs = {"name": "default-pool", "initialNodeCount": 1}
    without = {"channel": "UNSPECIFIED"}  # with a channel, GKE does not let pools go without repairs and upgrades
    ansible.cloud.add_cluster({"name": "dask", "nodePools": [theirs], "releaseChannel": without}, LOCATION)


def pools(*given: JSON, **options: t.Any) -> JSON:
    return {"cluster": "dask", "location": LOCATION, "pools": list(given), **options}


def test_from_nothing_to_nothing(ansible: Ansible) -> None:
    looked = ansible.good(gke_node_pool, check=True, **pools(POOL, WORKERS))
    assert looked["changed"]
    assert ansible.cloud.writes == []
    made = ansible.good(gke_node_pool, **pools(POOL, WORKERS))
    assert ansible.sent == ["clusters.nodePools.create nodePool"] * 2
    assert sorted(made["calls"], key=str) == sorted(looked["calls"], key=str)
    [body] = [r.body["nodePool"] for r in ansible.cloud.writes if r.body["nodePool"]["name"] == "workers"]
    assert body == {
        "name": "workers",
        "initialNodeCount": 0,
        "autoscaling": {"enabled": True, "totalMinNodeCount": 0, "totalMaxNodeCount": 20, "locationPolicy": "ANY"},
        "config": {
            "machineType": "e2-standard-8",
            "spot": True,
            "labels": {"daskops/role": "worker"},
            "taints": [{"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}],
            "tags": ["dask"],
            "serviceAccount": "nodes@fake-project.iam.gserviceaccount.com",
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "resourceLabels": {"managed-by": "daskops"},
            "shieldedInstanceConfig": {"enableIntegrityMonitoring": True, "enableSecureBoot": True},
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        },
        "management": {"autoRepair": True, "autoUpgrade": True},
        "maxPodsConstraint": {"maxPodsPerNode": "64"},
        "upgradeSettings": {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 5},
    }
    assert [pool["status"] for pool in made["pools"]] == ["RUNNING", "RUNNING"]
    assert made["cost_per_hour"] == {"min": 0.234, "max": 2.646, "currency": "USD", "unknown": []}

    again = ansible.good(gke_node_pool, **pools(POOL, WORKERS))
    assert not again["changed"]
    assert len(ansible.cloud.requests) == 1, "an unchanged run asks once"

    gone = ansible.good(
        gke_node_pool, **pools({"name": "core", "state": "absent"}, {"name": "workers", "state": "absent"})
    )
    assert gone["changed"]
    assert ansible.sent == ["clusters.nodePools.delete"] * 2
    assert [pool["name"] for pool in ansible.cloud.cluster("dask", LOCATION)["nodePools"]] == ["default-pool"]


def test_side_by_side(ansible: Ansible) -> None:
    """Both creations are accepted before either is done."""
    ansible.cloud.settings.operation_polls = 8
    try:
        ansible.good(gke_node_pool, **pools(POOL, WORKERS))
    finally:
        ansible.cloud.settings.operation_polls = 2
    operations = [each for each in ansible.cloud.state.operations.all.values() if each.kind == "CREATE_NODE_POOL"]
    assert len(operations) == 2
    assert max(each.started for each in operations) < min(each.ended for each in operations)


def test_pools_that_others_work_on_are_waited_for(ansible: Ansible) -> None:
    started = ansible.good(gke_node_pool, **pools(POOL), wait=False)
    assert started["changed"]
    looked = ansible.good(gke_node_pool, check=True, **pools(POOL))
    assert not looked["changed"]
    assert looked["pools"][0]["status"] == "PROVISIONING", "in check mode nothing is waited for"
    done = ansible.good(gke_node_pool, **pools(POOL))
    assert not done["changed"]
    assert done["pools"][0]["status"] == "RUNNING"
    ansible.good(gke_node_pool, **pools({"name": "core", "state": "absent"}), wait=False)
    assert not ansible.good(gke_node_pool, **pools({"name": "core", "state": "absent"}))["changed"]
    assert [pool["name"] for pool in ansible.cloud.cluster("dask", LOCATION)["nodePools"]] == ["default-pool"]


def test_pools_of_a_cluster_that_is_being_created_are_waited_for(ansible: Ansible) -> None:
    new: JSON = {"name": "new", "location": LOCATION, "initial_node_pools": [POOL]}
    ansible.good(gke_cluster, **new, wait=False)
    done = ansible.good(gke_node_pool, **{**pools(POOL), "cluster": "new"})
    assert not done["changed"]
    assert done["pools"][0]["status"] == "RUNNING"


def test_a_creation_that_fails_after_its_run_is_heard_of(ansible: Ansible) -> None:
    ansible.cloud.fail("CREATE_NODE_POOL", "stockout")
    ansible.good(gke_node_pool, **pools(POOL), wait=False)
    assert "GCE_STOCKOUT" in ansible.bad(gke_node_pool, **pools(POOL))
    assert "its creation failed ([GCE_STOCKOUT]" in ansible.bad(gke_node_pool, **pools(POOL))
    assert ansible.good(gke_node_pool, **pools({**POOL, "recreate": True}))["changed"]


def test_a_creation_that_does_not_end_is_waited_for_no_longer_than_asked(ansible: Ansible) -> None:
    ansible.cloud.fail("CREATE_NODE_POOL", "never_ends")
    ansible.good(gke_node_pool, **pools(POOL), wait=False)
    message = ansible.bad(gke_node_pool, **pools(POOL), timeout=1)
    assert "(create_node_pool of clusters/dask/nodePools/core) has not ended" in message
    assert "run again to wait for it" in message
    assert not ansible.good(gke_node_pool, **pools(POOL), wait=False)["changed"]
    assert not ansible.good(gke_node_pool, **pools({"name": "default-pool"}), timeout=1)["changed"]


def test_changes(ansible: Ansible) -> None:
    ansible.good(gke_node_pool, **pools(WORKERS))
    changed = {
        **WORKERS,
        "machine_type": "e2-standard-16",
        "disk_size_gb": 200,
        "labels": {"daskops/role": None, "new": "label"},
        "taints": [],
        "autoscaling": {"min": 1, "max": 4},
        "upgrade": {"blue_green": {"soak_seconds": 60, "batch_percentage": 0.5}},
        "auto_upgrade": False,
    }
    done = ansible.good(gke_node_pool, **pools(changed))
    assert ansible.sent == [
        "clusters.nodePools.update upgradeSettings",
        "clusters.nodePools.update labels",
        "clusters.nodePools.update taints",
        "clusters.nodePools.update diskSizeGb machineType",
        "clusters.nodePools.setAutoscaling autoscaling",
        "clusters.nodePools.setManagement management",
    ]
    [pool] = done["pools"]
    assert pool["config"]["labels"] == {"new": "label"}
    assert "taints" not in pool["config"]
    assert pool["autoscaling"] == {"enabled": True, "minNodeCount": 1, "maxNodeCount": 4, "locationPolicy": "ANY"}
    assert not ansible.good(gke_node_pool, **pools(changed))["changed"]
    assert done["diff"]["before"]["workers"]["config"]["machineType"] == "e2-standard-8"
    assert done["diff"]["after"]["workers"]["config"]["machineType"] == "e2-standard-16"


def test_labels_may_be_called_what_they_will(ansible: Ansible) -> None:
    labels = {"description": "dask", "endpoint": "public"}
    pool = {**POOL, "labels": labels, "resource_labels": labels}
    ansible.good(gke_node_pool, **pools(pool))
    pool["labels"] = pool["resource_labels"] = {**labels, "cost": "0", "blank": "", "version": "1"}
    [done] = ansible.good(gke_node_pool, **pools(pool))["pools"]
    assert done["config"]["labels"] == pool["labels"]
    assert pool["resource_labels"].items() <= done["config"]["resourceLabels"].items()
    assert not ansible.good(gke_node_pool, **pools(pool))["changed"]
    changed = {**POOL, "labels": {"version": None, "cost": "1"}}
    [done] = ansible.good(gke_node_pool, **pools(changed))["pools"]
    assert done["config"]["labels"] == {**labels, "cost": "1", "blank": ""}


def test_a_fixed_number_of_nodes_ends_the_scaling(ansible: Ansible) -> None:
    ansible.good(gke_node_pool, **pools(POOL))
    fixed = {"name": "core", "node_count": 2}
    ansible.good(gke_node_pool, **pools(fixed))
    assert ansible.sent == ["clusters.nodePools.setAutoscaling autoscaling", "clusters.nodePools.setSize nodeCount"]
    assert not ansible.good(gke_node_pool, **pools(fixed))["changed"]
    ansible.good(gke_node_pool, **pools({**fixed, "node_count": 0}))
    assert ansible.sent == ["clusters.nodePools.setSize nodeCount"]


def test_what_cannot_be_changed_is_listed_and_nothing_touched(ansible: Ansible) -> None:
    ansible.good(gke_node_pool, **pools(POOL, WORKERS))
    change = {**WORKERS, "spot": False, "max_pods_per_node": 32}
    other = {**POOL, "machine_type": "e2-standard-8"}
    result = ansible(gke_node_pool, **pools(other, change))
    assert result["differences"] == [
        "config.spot is True, not False",
        "maxPodsConstraint.maxPodsPerNode is 64, not 32",
    ]
    assert ansible.cloud.writes == []
    ansible.good(gke_node_pool, **pools({**change, "recreate": True}))
    assert ansible.sent == ["clusters.nodePools.delete", "clusters.nodePools.create nodePool"]
    assert not ansible.good(gke_node_pool, **pools({**change, "recreate": True}))["changed"]


def test_pools_of_others_are_never_deleted(ansible: Ansible) -> None:
    theirs = {"name": "default-pool"}
    assert not ansible.good(gke_node_pool, **pools(theirs))["changed"]
    message = ansible.bad(gke_node_pool, **pools({**theirs, "state": "absent"}))
    assert "was not made by this module, which deletes only its own" in message
    message = ansible.bad(gke_node_pool, **pools({**theirs, "spot": True, "recreate": True}))
    assert "was not made by this module" in message
    ansible.good(gke_node_pool, **pools(POOL, WORKERS))
    done = ansible.good(gke_node_pool, **pools(POOL, purge=True))
    assert ansible.sent == ["clusters.nodePools.delete"]
    assert done["kept"] == ["default-pool"]


def test_a_cluster_with_other_work_is_waited_for(ansible: Ansible) -> None:
    operation = ansible.cloud.start_operation("dask", "UPGRADE_MASTER")
    threading.Timer(0.3, ansible.cloud.settle).start()
    ansible.good(gke_node_pool, **pools(POOL))
    assert operation
    statuses = [record.status for record in ansible.cloud.writes]
    assert statuses[-1] == 200
    assert set(statuses[:-1]) == {400}


def test_more_pools_than_may_be_worked_on_at_a_time(ansible: Ansible) -> None:
    many = [{**POOL, "name": f"pool-{number}"} for number in range(12)]
    ansible.good(gke_node_pool, **pools(*many))
    assert ansible.sent == ["clusters.nodePools.create nodePool"] * 12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Core"}, "'Core' is no name for a node pool"),
        ({"machine_type": "big"}, "which is none of Compute Engine's"),
        ({"machine_type": "e2-standard-5"}, 'Machine type with name "e2-standard-5" does not exist'),
        ({"disk_size_gb": 5}, "a node needs at least 10"),
        ({"autoscaling": {"min": 2, "max": 1}}, "has min 2 and max 1"),
        ({"autoscaling": {"min": 2}}, "autoscaling has no max"),
        ({"autoscaling": {"min": 1, "total_max": 1}}, "wants min and max, which count in each zone, or"),
        ({"autoscaling": {}}, "wants min and max"),
        ({"node_count": 1}, "has both node_count and autoscaling"),
        ({"autoscaling": None, "node_count": -1}, "give 0 or more"),
        ({"taints": [{"key": "a"}, {"key": "a", "value": "b"}]}, "has the taint a:NoSchedule twice"),
        ({"locations": ["us-central1-a"]}, "is no zone of region europe-west1"),
        ({"upgrade": {"max_surge": 1, "blue_green": {}}}, "has both blue_green and surge settings"),
        ({"upgrade": {"max_surge": 0, "max_unavailable": 0}}, "so no node could go"),
        ({"resource_labels": {"managed-by": "me"}}, "this module's own"),
        ({"spec": {"configuration": {}}}, 'Unknown name "configuration"'),
    ],
)
def test_bad_input(ansible: Ansible, change: JSON, message: str) -> None:
    assert message in ansible.bad(gke_node_pool, **pools({**POOL, **change}))
    assert ansible.sent == []


def test_where_there_can_be_no_pools(ansible: Ansible) -> None:
    ansible.cloud.add_cluster({"name": "auto", "autopilot": {"enabled": True}}, LOCATION)
    message = ansible.bad(gke_node_pool, **{**pools(POOL), "cluster": "auto"})
    assert "is an Autopilot cluster, which makes its nodes itself" in message
    message = ansible.bad(gke_node_pool, **{**pools(POOL), "cluster": "none"})
    assert "does not exist, so it has no node pools" in message
    looked = ansible.good(gke_node_pool, check=True, **{**pools(POOL), "cluster": "none"})
    assert [call["method"] for call in looked["calls"]] == ["create"]
    assert "in check mode it is taken as one that will be there" in str(looked["warnings"])
    assert "is given twice" in ansible.bad(gke_node_pool, **pools(POOL, POOL))
    assert ansible.cloud.writes == []


def test_info(ansible: Ansible) -> None:
    ansible.good(gke_node_pool, **pools(WORKERS))
    found = ansible.good(gke_node_pool_info, cluster="dask", location=LOCATION)
    assert [pool["name"] for pool in found["pools"]] == ["default-pool", "workers"]
    assert found["managed"] == ["workers"]
    found = ansible.good(gke_node_pool_info, cluster="dask", location=LOCATION, name="workers")
    assert [pool["name"] for pool in found["pools"]] == ["workers"]
    assert found["cost_per_hour"]["min"] == 0.1
    assert ansible.good(gke_node_pool_info, cluster="none", location=LOCATION)["pools"] == []
