# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks of gke_preflight, without a server."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_preflight as preflight
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core

JSON = dict[str, t.Any]
ROOT = "https://www.googleapis.com/compute/v1/projects/my-project"
REGION = "europe-west4"
QUOTAS = {
    "CPUS": (72, 8),
    "PREEMPTIBLE_CPUS": (0, 0),
    "N2_CPUS": (100, 0),
    "SSD_TOTAL_GB": (4096, 0),
    "DISKS_TOTAL_GB": (4096, 0),
    "IN_USE_ADDRESSES": (10, 0),
    "INSTANCES": (100, 0),
}
MACHINES = {"e2-standard-4": (4, 16384), "n2-standard-8": (8, 32768), "e2-medium": (2, 4096)}

OURS: JSON = {"resourceLabels": {"managed-by": "daskops"}}
CORE: JSON = {"name": "core", "machine_type": "e2-standard-4", "node_count": 1}
WORKERS: JSON = {
    "name": "workers",
    "machine_type": "n2-standard-8",
    "spot": True,
    "autoscaling": {"min": 0, "max": 4},
}
CLUSTER: JSON = {"name": "dask", "location": REGION, "private_nodes": True}


def asked(cluster: JSON | None = None, *pools: JSON, **params: t.Any) -> tuple[preflight.Ask, list[str]]:
    problems: list[str] = []
    options = {"project": "my-project", "cluster": CLUSTER if cluster is None else cluster, "pools": list(pools)}
    return preflight.ask({**options, **params}, problems), problems


def region(**quotas: tuple[float, float]) -> JSON:
    every = {**QUOTAS, **quotas}
    return {
        "name": REGION,
        "status": "UP",
        "zones": [f"{ROOT}/zones/{REGION}-{letter}" for letter in "abc"],
        "quotas": [{"metric": name, "limit": limit, "usage": used} for name, (limit, used) in every.items()],
    }


def facts(**quotas: tuple[float, float]) -> preflight.Facts:
    machines: dict[tuple[str, str], JSON | None] = {
        (f"{REGION}-{letter}", kind): {"guestCpus": cpus, "memoryMb": memory}
        for letter in "abc"
        for kind, (cpus, memory) in MACHINES.items()
    }
    return preflight.Facts("42", region=region(**quotas), machines=machines)


def check(what: preflight.Ask, known: preflight.Facts, **params: t.Any) -> list[str]:
    return preflight.check(what, core.specification(params, "my-project"), known, params)


# --- what cannot be ---------------------------------------------------------------------------------------------------


def test_pools_as_they_are_meant() -> None:
    what, problems = asked(None, CORE, WORKERS, {"name": "gone", "state": "absent"})
    assert problems == []
    first, second = what.pools
    assert (first.least, first.most, first.spot, first.disk_gb, first.disk_type) == (1, 1, False, 100, "pd-balanced")
    assert (second.least, second.most, second.spot, second.nodes(3)) == (0, 4, True, 12)


def test_numbers_may_be_text_as_templates_give_them() -> None:
    pool = {"name": "w", "autoscaling": {"total_min": "1", "total_max": "8"}, "disk_size_gb": "50", "spot": "true"}
    what, problems = asked(None, pool)
    assert problems == []
    assert what.pools[0].nodes(3) == 8
    assert what.pools[0].disk_gb == 50
    assert what.pools[0].spot


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ({"name": "W"}, "the name of a pool is 'W'"),
        ({"name": "w" * 41}, "up to 40"),
        ({}, "the name of a pool is None"),
        ({"machine_type": "big"}, "machine_type is 'big'"),
        ({"node_count": "many"}, "node_count is 'many'"),
        ({"node_count": -1}, "node_count is -1"),
        ({"autoscaling": {"min": 5, "max": 4}}, "a minimum of 5, which is more than its maximum of 4"),
        ({"autoscaling": {"total_min": 5, "total_max": 4}}, "a minimum of 5"),
        ({"autoscaling": {"min": 1}}, "has no max"),
        ({"autoscaling": {"max": 0}}, "could never be a node"),
        ({"autoscaling": {"max": 3, "total_max": 4}}, "max and total_max"),
        ({"autoscaling": {"max": 3}, "node_count": 1}, "node_count and autoscaling"),
        ({"disk_size_gb": 5}, "disk_size_gb is 5: 10 to 65536"),
        ({"max_pods_per_node": 300}, "8 to 256"),
        ({"locations": ["us-east1-b"]}, "us-east1-b, which is not in region europe-west4"),
        ({"locations": [REGION]}, "which is no zone such as europe-west4-a"),
        ({"machine_type": "n4-standard-4", "disk_type": "pd-ssd"}, "boot from hyperdisk-balanced"),
        ({"spot": True, "spec": {"config": {"preemptible": True}}}, "spot, and preemptible or flexStart"),
    ],
)
def test_pools_that_cannot_be(pool: JSON, words: str) -> None:
    what, problems = asked(None, {"name": "w", **pool} if pool else pool)
    assert len(problems) == 1, problems
    assert words in problems[0]
    assert what.pools == ()


@pytest.mark.parametrize(
    ("cluster", "pools", "words"),
    [
        ({"name": "Dask"}, [], "cluster.name is 'Dask'"),
        ({"location": "mars"}, [], "cluster.location is 'mars'"),
        ({"location": "europe-west4-a", "autopilot": True}, [], "an Autopilot cluster is in a region: europe-west4"),
        ({"autopilot": True}, [CORE], "an Autopilot cluster has no pools of its own"),
        ({}, [CORE, CORE], "pool core is there twice"),
        ({"node_locations": ["us-east1-b"]}, [], "cluster.node_locations has us-east1-b"),
        ({"control_plane_range": "172.16.0.0/27"}, [], "the control plane's range is '172.16.0.0/27'"),
        ({"spec": {"privateClusterConfig": {"masterIpv4CidrBlock": "172.16.0.1/28"}}}, [], "172.16.0.0/28 may be"),
        ({"max_pods_per_node": 4}, [], "cluster.max_pods_per_node is 4"),
    ],
)
def test_clusters_that_cannot_be(cluster: JSON, pools: list[JSON], words: str) -> None:
    _what, problems = asked({**CLUSTER, **cluster}, *pools)
    assert len(problems) == 1, problems
    assert words in problems[0]


def test_pools_belong_to_a_cluster_and_a_subnetwork_to_its_region() -> None:
    assert "without the cluster" in asked({}, CORE)[1][0]
    subnetwork = {"name": "s", "region": "us-east1", "ip_range": "172.16.0.0/20"}
    cluster = {**CLUSTER, "control_plane_range": "172.16.0.0/28"}
    _what, problems = asked(cluster, network={"name": "n"}, subnetwork=subnetwork)
    assert problems == [
        "subnetwork.region is us-east1, and the cluster is in region europe-west4",
        "the control plane's range 172.16.0.0/28 overlaps with subnetwork.ip_range 172.16.0.0/20",
    ]


def test_all_problems_are_reported() -> None:
    _what, problems = asked({"name": "A", "location": "x"}, {"name": "B"}, {"name": "c", "machine_type": "d"})
    assert len(problems) == 4


# --- the project ------------------------------------------------------------------------------------------------------


def test_nothing_is_wrong() -> None:
    what, _problems = asked(None, CORE, WORKERS)
    assert check(what, facts()) == []


def test_apis_and_how_to_enable_them() -> None:
    what, _problems = asked()
    known = replace(facts(), disabled=("compute.googleapis.com", "iam.googleapis.com"))
    assert check(what, known) == [
        (
            "APIs that are needed are not enabled: compute.googleapis.com, iam.googleapis.com: gcloud services enable "
            "compute.googleapis.com iam.googleapis.com --project my-project"
        )
    ]


def test_apis_as_far_as_they_are_used() -> None:
    assert "artifactregistry.googleapis.com" not in preflight.needed_apis({})
    params = {"artifact_registry": {"repository": "r"}, "workload_identity": [{"bucket": "b"}]}
    assert {"artifactregistry.googleapis.com", "storage.googleapis.com"} < set(preflight.needed_apis(params))


def test_a_zone_or_machine_type_that_is_not_there() -> None:
    cluster = {**CLUSTER, "node_locations": [f"{REGION}-a", f"{REGION}-f"]}
    what, _problems = asked(cluster, {**CORE, "machine_type": "e2-standard-9"}, {**WORKERS, "node_count": None})
    machines = {
        (f"{REGION}-a", "e2-standard-9"): None,
        (f"{REGION}-a", "n2-standard-8"): {"guestCpus": 8, "memoryMb": 1},
        (f"{REGION}-b", "n2-standard-8"): None,
    }
    assert check(what, replace(facts(), machines=machines)) == [
        "zone europe-west4-f is not there; region europe-west4 has europe-west4-a, europe-west4-b, europe-west4-c",
        "machine type e2-standard-9 is not there in europe-west4-a: give another one",
        (
            "machine type n2-standard-8 is not there in europe-west4-b: keep its pools to europe-west4-a (locations, "
            "or node_locations of the cluster)"
        ),
    ]


@pytest.mark.parametrize(
    ("quotas", "pools", "words"),
    [
        ({"CPUS": (16, 8)}, [CORE], ["12 CPUS (core 12)", "quota of 16, of which others use 8"]),
        ({"N2_CPUS": (95, 0)}, [CORE, WORKERS], ["96 N2_CPUS (workers 96)", "quota of 95:"]),
        ({"PREEMPTIBLE_CPUS": (50, 0)}, [WORKERS], ["96 PREEMPTIBLE_CPUS"]),
        ({"SSD_TOTAL_GB": (1000, 0)}, [CORE, WORKERS], ["1500 SSD_TOTAL_GB (core 300, workers 1200)"]),
        ({"DISKS_TOTAL_GB": (100, 0)}, [{**CORE, "disk_type": "pd-standard"}], ["300 DISKS_TOTAL_GB"]),
        ({"INSTANCES": (14, 0)}, [CORE, WORKERS], ["15 INSTANCES"]),
    ],
)
def test_quota(quotas: JSON, pools: list[JSON], words: list[str]) -> None:
    what, _problems = asked(None, *pools)
    problems = check(what, facts(**quotas))
    assert len(problems) == 1, problems
    assert all(word in problems[0] for word in words), problems
    assert problems[0].endswith("ask for more, or lower the pools' maximum")


def test_nodes_without_external_addresses_need_none() -> None:
    public = {**CLUSTER, "private_nodes": False}
    assert "15 IN_USE_ADDRESSES" in check(asked(public, CORE, WORKERS)[0], facts())[0]
    assert check(asked(None, CORE, WORKERS)[0], facts()) == []


def test_what_the_cluster_has_counts_as_its_own() -> None:
    what, _problems = asked(None, CORE, WORKERS)
    config = {"machineType": "n2-standard-8", "spot": True, "diskSizeGb": 100, "diskType": "pd-balanced"}
    known = replace(
        facts(N2_CPUS=(100, 96)),
        cluster={"locations": ["a", "b", "c"], "nodePools": [{"name": "workers", "config": config}], **OURS},
    )
    assert "of which others use 96" in check(what, known)[0]
    used = preflight.used_by(known, {"workers": 12}, private=True)
    assert used == {"INSTANCES": 12, "N2_CPUS": 96, "SSD_TOTAL_GB": 1200}
    assert check(what, replace(known, used=used)) == []


def test_a_quota_that_no_region_shows_is_said_not_to_be_checked() -> None:
    what, _problems = asked(None, CORE, {"name": "new", "machine_type": "n4-standard-4", "node_count": 1})
    assert preflight.warnings(what, facts()) == [
        "The quota for machines of family n4 is none that can be read, and was not checked."
    ]


def test_pools_where_nothing_lasts() -> None:
    what, _problems = asked(None, WORKERS, {**CORE, "taints": [{"key": "a"}]})
    assert "no place that lasts" in preflight.warnings(what, facts())[0]


@pytest.mark.parametrize(
    ("pods", "block"), [(8, 16), (16, 32), (32, 64), (64, 128), (110, 256), (128, 256), (129, 512)]
)
def test_addresses_of_a_node_for_its_pods(pods: int, block: int) -> None:
    assert preflight.pod_block(pods) == block


@pytest.mark.parametrize(
    ("nodes", "pods", "cidr", "prefix"),
    [
        (4, 110, "10.0.0.0/22", None),
        (5, 110, "10.0.0.0/22", 21),
        (4, 32, "10.0.0.0/24", None),
        (9, 8, "10.0.0.0/25", 24),
        (1000, 110, "10.0.0.0/15", 14),
    ],
)
def test_the_range_for_pods(nodes: int, pods: int, cidr: str, prefix: int | None) -> None:
    pool = preflight.Pool("w", most=nodes, total=True, pods=pods)
    problems = preflight.check_pods([pool], 3, cidr)
    assert bool(problems) == (prefix is not None)
    assert all(f"give at least a /{prefix}" in problem for problem in problems)


@pytest.mark.parametrize(
    ("nodes", "cidr", "prefix"),
    [(12, "10.0.0.0/28", None), (13, "10.0.0.0/28", 27), (253, "10.0.0.0/24", 23), (1, None, None)],
)
def test_the_range_for_nodes(nodes: int, cidr: str | None, prefix: int | None) -> None:
    problems = preflight.check_nodes(nodes, cidr)
    assert bool(problems) == (prefix is not None)
    assert all(f"at least a /{prefix}" in problem for problem in problems)


def subnetwork(name: str, cidr: str, **secondary: str) -> JSON:
    return {
        "name": name,
        "selfLink": f"{ROOT}/regions/{REGION}/subnetworks/{name}",
        "ipCidrRange": cidr,
        "secondaryIpRanges": [{"rangeName": key, "ipCidrRange": value} for key, value in secondary.items()],
    }


PARTS: JSON = {
    "network": {"name": "n", "create": True},
    "subnetwork": {
        "name": "s",
        "region": REGION,
        "create": True,
        "ip_range": "10.0.0.0/24",
        "pods_range": {"name": "pods", "cidr": "10.4.0.0/20"},
        "services_range": {"name": "services", "cidr": "10.8.0.0/24"},
    },
}


def test_ranges_of_other_subnetworks() -> None:
    cluster = {**CLUSTER, "control_plane_range": "172.16.0.0/28"}
    what, problems = asked(cluster, **PARTS)
    assert problems == []
    others = (subnetwork("o", "10.0.0.0/16", more="10.4.8.0/24"), subnetwork("p", "172.16.0.0/16"))
    assert check(what, replace(facts(), subnetworks=others), **PARTS) == [
        "subnetwork.ip_range 10.0.0.0/24 overlaps with 10.0.0.0/16, the range of subnetwork o",
        "subnetwork.pods_range 10.4.0.0/20 overlaps with 10.4.8.0/24, the range more of subnetwork o",
        "the control plane's range 172.16.0.0/28 overlaps with 172.16.0.0/16, the range of subnetwork p",
    ]


def test_a_subnetwork_does_not_overlap_with_itself() -> None:
    what, _problems = asked(None, **PARTS)
    own = subnetwork("s", "10.0.0.0/24", pods="10.4.0.0/20", services="10.8.0.0/24")
    assert check(what, replace(facts(), subnetworks=(own,)), **PARTS) == []
    own["secondaryIpRanges"] = [{"rangeName": "old", "ipCidrRange": "10.4.0.0/24"}]
    assert len(check(what, replace(facts(), subnetworks=(own,)), **PARTS)) == 1


def test_sizes_of_ranges_that_are_there() -> None:
    parts = {**PARTS, "subnetwork": {"name": "s", "region": REGION, "create": False, "pods_range": {"name": "pods"}}}
    what, _problems = asked(None, WORKERS, **parts)
    own = subnetwork("s", "10.0.0.0/29", pods="10.4.0.0/22")
    problems = check(what, replace(facts(), subnetworks=(own,)), **parts)
    assert [problem[:30] for problem in problems] == [
        "the pods' range 10.4.0.0/22 ha",
        "the nodes' range 10.0.0.0/29 h",
    ]


@pytest.mark.parametrize(
    ("cluster", "live", "pools", "words"),
    [
        ({"state": "existing"}, None, [], "is not there in europe-west4, and is to be one that is there"),
        ({"autopilot": True}, {"autopilot": {}, **OURS}, [], "is no Autopilot cluster, which cannot be changed"),
        ({}, {"autopilot": {"enabled": True}, **OURS}, [], "is an Autopilot cluster, which cannot be changed"),
        ({}, {"autopilot": {"enabled": True}, **OURS}, [CORE], "which has no pools of its own"),
        ({"state": "existing"}, {"autopilot": {"enabled": True}}, [], None),
        ({}, {"autopilot": {"enabled": True}}, [], "is there and was not made by this: set gke_state=existing"),
        ({"adopt": True}, {}, [], None),
    ],
)
def test_the_cluster_that_is_there(cluster: JSON, live: JSON | None, pools: list[JSON], words: str | None) -> None:
    what, problems = asked({**CLUSTER, **cluster}, *pools)
    found = [*problems, *check(what, replace(facts(), cluster=live))]
    assert len(found) == (words is not None), found
    assert all(words in problem for problem in found)


# --- permissions ------------------------------------------------------------------------------------------------------


def needed(what: preflight.Ask, live: JSON | None = None, **params: t.Any) -> dict[str, set[str]]:
    spec = core.specification(params, "my-project")
    seen = core.Seen("42")
    found = preflight.needs(what, core.plan_present(spec, seen), spec, seen, live)
    return {str(target): set(rights) for target, rights in found.items()}


def test_only_what_is_missing_takes_a_right() -> None:
    what, _problems = asked(None, CORE)
    assert needed(what, {"nodePools": [{"name": "core"}]}) == {}
    assert needed(what, {"nodePools": []}) == {
        "project my-project": {"container.clusters.update", "container.operations.get"}
    }
    assert needed(what) == {"project my-project": {"container.clusters.create", "container.operations.get"}}
    existing, _problems = asked({**CLUSTER, "state": "existing"})
    assert needed(existing) == {"project my-project": {"container.clusters.get"}}


def test_rights_for_what_is_made() -> None:
    what, _problems = asked({}, **PARTS)
    account = {"account_id": "dask-nodes", "create": True, "roles": ["roles/viewer"]}
    assert needed(what, **PARTS, node_service_account=account) == {
        "project my-project": {
            "compute.networks.create",
            "compute.networks.updatePolicy",
            "compute.subnetworks.create",
            "iam.serviceAccounts.create",
            "resourcemanager.projects.setIamPolicy",
        }
    }


def test_rights_in_a_shared_vpc() -> None:
    what, _problems = asked(None, **PARTS)
    parts = {**PARTS, "network": {"name": "n", "project": "host-project", "create": True}}
    rights = needed(what, **parts)
    assert "compute.subnetworks.use" in rights["project host-project"]
    assert rights["project my-project"] == {"container.clusters.create", "container.operations.get"}
    assert preflight.role_for("compute.subnetworks.use") == "roles/compute.networkUser"


def test_the_right_to_use_a_subnetwork_is_asked_for_on_it() -> None:
    what, _problems = asked(None, **PARTS)
    shared = {"name": "n", "project": "host-project", "create": False}
    spec = core.specification({**PARTS, "network": shared}, "my-project")
    seen = core.Seen("42", network={"name": "n"}, subnetwork=subnetwork(spec.subnetwork["name"], "10.0.0.0/20"))
    target = iam.subnetwork_target(spec.subnetwork_path)
    assert set(preflight.needs(what, core.Plan(()), spec, seen, None)[target]) == {"compute.subnetworks.use"}
    method, path, body, _params = iam.test_request(target, ["compute.subnetworks.use"])
    assert (method, target.service) == ("POST", "compute")
    assert path == f"compute/v1/{spec.subnetwork_path}/testIamPermissions"
    assert body == {"permissions": ["compute.subnetworks.use"]}


def test_lacking_rights_are_named_with_their_purpose_and_a_role() -> None:
    what, _problems = asked()
    target = iam.project_target("my-project")
    lacking = {target: {"compute.networks.create": ("create network n",), "container.clusters.create": ("create it",)}}
    assert check(what, replace(facts(), lacking=lacking)) == [
        (
            "this account lacks on project my-project compute.networks.create (to create network n), "
            "container.clusters.create (to create it): have a role granted that has it, such as "
            "roles/compute.networkAdmin, roles/container.admin"
        )
    ]


def test_each_right_of_a_plan_has_a_role_that_is_known() -> None:
    what, _problems = asked(None, CORE)
    account = {"account_id": "dask-nodes", "create": True, "roles": ["roles/viewer"]}
    registry = {"repository": "r", "location": "eu", "create": True}
    params = {**PARTS, "node_service_account": account, "artifact_registry": registry}
    rights = needed(what, nat={"router": "r", "name": "n", "create": True}, **params)
    assert len(set.union(*rights.values())) == 11
    assert all(preflight.role_for(right) for every in rights.values() for right in every)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_estimates() -> None:
    what, _problems = asked(None, CORE, WORKERS)
    found = preflight.estimates(what, facts())
    assert found["zones"] == 3
    assert [(pool["name"], pool["min_nodes"], pool["max_nodes"], pool["max_cpus"]) for pool in found["pools"]] == [
        ("core", 3, 3, 12),
        ("workers", 0, 12, 96),
    ]
    assert (found["max_nodes"], found["max_cpus"], found["max_disk_gb"]) == (15, 108, 1500)


@pytest.mark.parametrize(
    ("cluster", "live", "zones"),
    [
        ({}, None, 3),
        ({"location": f"{REGION}-a"}, None, 1),
        ({"node_locations": [f"{REGION}-a", f"{REGION}-b"]}, None, 2),
        ({}, {"locations": [f"{REGION}-b"]}, 1),
    ],
)
def test_zones(cluster: JSON, live: JSON | None, zones: int) -> None:
    what, _problems = asked({**CLUSTER, **cluster})
    assert preflight.zone_count(what, replace(facts(), cluster=live)) == zones
