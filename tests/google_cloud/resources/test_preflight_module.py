# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_preflight against the fake: everything that is wrong in one report, and nothing is ever written."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _google

from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.resources.conftest import PROJECT, REGION, Modules, everything

JSON = dict[str, t.Any]

COMPUTE = f"compute/projects/{PROJECT}"
ROOT = "https://www.googleapis.com/compute/v1/"
OURS = {"managed-by": "daskops"}
CORE: JSON = {"name": "core", "machine_type": "e2-standard-4", "node_count": 1}
WORKERS: JSON = {
    "name": "workers",
    "machine_type": "n2-standard-8",
    "spot": True,
    "autoscaling": {"min": 0, "max": 2},
    "taints": [{"key": "spot", "value": "true"}],
}


def options(**changes: t.Any) -> JSON:
    params = everything()
    del params["timeout"]
    params["cluster"]["private_nodes"] = True
    params["pools"] = [CORE, WORKERS]
    return {**params, **changes}


def problems(modules: Modules, **changes: t.Any) -> list[str]:
    result = modules.preflight(**options(**changes))
    assert result["failed"]
    assert "nothing was touched" in result["msg"]
    assert all(problem in result["msg"] for problem in result["problems"])
    return t.cast("list[str]", result["problems"])


def test_all_is_well(modules: Modules, cloud: FakeCloud) -> None:
    prices = {"cluster": 1, "machine_types": {"e2-standard-4": 2, "n2-standard-8": {"on_demand": 9, "spot": 3}}}
    result = modules.preflight(**options(prices=prices))
    assert not result["cluster_exists"]
    assert result["cost_per_hour"] == {"min": 1 + 3 * 2, "max": 1 + 3 * 2 + 6 * 3, "currency": "USD", "unknown": []}
    assert result["project_number"] == "123456789012"
    assert result["zones"] == [f"{REGION}-{letter}" for letter in "abc"]
    assert result["machine_types"] == {
        "e2-standard-4": {"cpus": 4, "memory_mb": 16384},
        "n2-standard-8": {"cpus": 8, "memory_mb": 32768},
    }
    estimates = result["estimates"]
    assert (estimates["min_nodes"], estimates["max_nodes"], estimates["max_cpus"]) == (3, 9, 60)
    assert not result["changed"]
    assert len(cloud.requests) == 22
    check = modules.resources(check=True, **everything())
    assert result["actions"] == check["actions"]


def test_in_a_project_where_all_is_there_no_right_is_asked_for(modules: Modules, cloud: FakeCloud) -> None:
    modules.resources(**everything())
    pools = [{"name": "core", "initialNodeCount": 1}, {"name": "workers", "initialNodeCount": 1}]
    cloud.add_cluster({"name": "dask", "nodePools": pools, "resourceLabels": OURS}, REGION)
    cloud.deny("compute.networks.create", "container.clusters.create", "resourcemanager.projects.setIamPolicy")
    result = modules.preflight(**options())
    assert not result.get("failed"), result["msg"]
    assert result["cluster_exists"]
    assert result["actions"] == []
    assert not [record for record in cloud.requests if record.method.endswith("testIamPermissions")]


def test_a_cluster_of_others_is_not_taken_for_ours(modules: Modules, cloud: FakeCloud) -> None:
    cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, REGION)
    [found] = problems(modules)
    assert "cluster dask in europe-west4 is there and was not made by this: set gke_state=existing" in found
    assert "or choose another gke_name" in found
    for way in ({"state": "existing"}, {"adopt": True}):
        result = modules.preflight(**options(cluster={"name": "dask", "location": REGION, **way}))
        assert not result.get("failed"), result["msg"]


def test_everything_that_is_wrong_is_in_one_report(modules: Modules, cloud: FakeCloud) -> None:
    cloud.disable_service("artifactregistry.googleapis.com")
    cloud.deny("compute.networks.create", "iam.serviceAccounts.actAs", "storage.buckets.setIamPolicy")
    cloud.set_quota(REGION, "N2_CPUS", 16)
    other = f"{COMPUTE}/regions/us-east1/subnetworks/other"
    network = {"network": f"{ROOT}projects/{PROJECT}/global/networks/dask"}
    cloud.put(other, {"name": "other", "selfLink": ROOT + other[8:], "ipCidrRange": "10.0.0.0/16", **network})
    params = options(pools=[{**CORE, "machine_type": "e2-standard-9"}, WORKERS])
    params["subnetwork"]["pods_range"]["cidr"] = "10.4.0.0/22"
    params["subnetwork"]["private_google_access"] = False
    params["nat"]["create"] = False
    result = modules.preflight(**params)
    words = [
        "gcloud services enable artifactregistry.googleapis.com",
        "this account lacks on project fake-project compute.networks.create (to create network dask), iam.service",
        "this account lacks on bucket data-of-the-team storage.buckets.setIamPolicy",
        "machine type e2-standard-9 is not there",
        "48 N2_CPUS (workers 48)",
        "the pods' range 10.4.0.0/22 has",
        "overlaps with 10.0.0.0/16, the range of subnetwork other",
        "router dask is not there",
    ]
    assert len(result["problems"]) == len(words), result["problems"]
    for word in words:
        assert [problem for problem in result["problems"] if word in problem], word


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("labels", {"Team": "x"}, "Cluster dask: labels has Team=x, which Google Cloud does not take"),
        ("labels", {"managed-by": "x"}, "Cluster dask: the label managed-by is this module's own"),
        ("version", "newest", "Cluster dask: version is 'newest'"),
        ("maintenance", {"daily": "3 am"}, "Cluster dask: maintenance: daily is '3 am'"),
        ("maintenance", {"recurring": {"start": "x"}}, "Cluster dask: maintenance: missing required arguments"),
        ("authorized_networks", [{"cidr": "203.0.113.7/24"}], "Cluster dask: authorized_networks is '203.0.113.7/24'"),
        ("spec", {"network_config": {}}, "Cluster dask: spec has network_config"),
    ],
)
def test_what_gke_cluster_would_refuse(modules: Modules, option: str, value: t.Any, words: str) -> None:
    cluster = {"name": "dask", "location": REGION, option: value}
    [found] = problems(modules, cluster=cluster)
    assert words in found
    bad = {"labels": {"Team": "x"}, "version": "newest", "spec": {"network_config": {}}}
    found_together = problems(modules, cluster={**cluster, **bad, "maintenance": {"daily": "3 am"}})
    assert len(found_together) == (5 if option == "authorized_networks" else 4)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("machine", "x", "machine. Supported parameters include"),
        ("taints", [{"value": "x"}], "missing required arguments: key found in taints"),
        ("taints", [{"key": "a"}, {"key": "a"}], "has the taint a:NoSchedule twice"),
        ("resource_labels", {"Team": "x"}, "resource_labels has Team=x, which Google Cloud does not take"),
        ("upgrade", {"max_surge": 0, "max_unavailable": 0}, "upgrade has neither max_surge nor max_unavailable"),
        ("spec", {"node_config": {}}, "spec has node_config"),
    ],
)
def test_what_gke_node_pool_would_refuse(modules: Modules, option: str, value: t.Any, words: str) -> None:
    [found] = problems(modules, pools=[CORE, {**WORKERS, option: value}])
    assert found.startswith("Node pool workers of cluster dask")
    assert words in found


@pytest.mark.parametrize("numbers", [{"cost": 4711, "trial": True}, {}])
def test_what_gke_cluster_takes(modules: Modules, numbers: JSON) -> None:
    cluster = {"name": "dask", "location": REGION, "labels": numbers, "version": "", "maintenance": {}}
    result = modules.preflight(**options(cluster=cluster))
    assert not result.get("failed"), result["msg"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": "My Project"}, "is no ID of a project"),
        ({"project": ...}, "No project is given"),
        ({"access_token": ...}, "there is no token"),
        ({"access_token": "wrong"}, "the token was refused"),
        ({"auth_kind": "serviceaccount", "service_account_file": "/no/such/file"}, "is no key of a service account"),
        ({"project": "another-project"}, "projects/another-project"),
        ({"api_endpoint": "http://127.0.0.1:1/{service}"}, "got no answer from http://127.0.0.1:1"),
        ({"network": {"name": "Dask"}}, "network.name is 'Dask'"),
        ({"pools": [{"name": "core", "machine_type": "e2-standard-5"}]}, "machine type e2-standard-5 is not there"),
        ({"pools": [{"name": "core", "machine_type": "large"}]}, "machine_type is 'large'"),
        ({"pools": [CORE, {**WORKERS, "autoscaling": {"min": 3, "max": 2}}]}, "a minimum of 3"),
        ({"pools": [{**CORE, "node_count": 8}]}, "96 CPUS (core 96)"),
        ({"pools": [{**CORE, "locations": [f"{REGION}-z"]}]}, f"zone {REGION}-z is not there"),
        ({"cluster": {"name": "dask", "location": REGION, "autopilot": True}}, "has no pools of its own"),
        ({"cluster": {"name": "dask", "location": f"{REGION}-a", "autopilot": True}, "pools": []}, "is in a region"),
        ({"cluster": {"name": "dask", "location": f"{REGION}-z"}, "pools": []}, f"zone {REGION}-z is not there"),
        ({"cluster": {"name": "-", "location": REGION}}, "cluster.name is '-'"),
        ({"cluster": {"name": "dask", "location": REGION, "state": "existing"}}, "is to be one that is there"),
    ],
)
def test_bad_input(modules: Modules, changes: JSON, words: str) -> None:
    found = problems(modules, **changes)
    assert len(found) == 1, found
    assert words in found[0]


def test_a_region_that_is_not_there(modules: Modules) -> None:
    params = options(cluster={"name": "dask", "location": "moon-west1"}, pools=[CORE])
    params["subnetwork"]["region"] = params["artifact_registry"]["location"] = "moon-west1"
    assert problems(modules, **params)[0] == "region moon-west1 is not there: see gcloud compute regions list"


def test_ranges_that_cannot_be(modules: Modules) -> None:
    params = options()
    params["subnetwork"]["ip_range"] = "10.0.0.1/22"
    params["subnetwork"]["services_range"]["cidr"] = "10.4.0.0/20"
    assert len(problems(modules, **params)) == 2


def test_what_cannot_be_is_reported_without_an_answer_from_google(modules: Modules, cloud: FakeCloud) -> None:
    found = problems(modules, network={"name": "A"}, api_endpoint="http://127.0.0.1:1/{service}")
    assert len(found) == 2
    assert "network.name is 'A'" in found[0]
    assert "got no answer" in found[1]
    assert cloud.requests == []


def test_what_cannot_be_does_not_hide_what_the_project_lacks(modules: Modules, cloud: FakeCloud) -> None:
    cloud.disable_service("iam.googleapis.com")
    found = problems(modules, network={"name": "A"}, pools=[{**CORE, "node_count": 8}])
    assert len(found) == 3
    assert "gcloud services enable iam.googleapis.com" in found[1]
    assert "96 CPUS" in found[2]


@pytest.mark.parametrize("api", ["compute", "container", "iam", "cloudresourcemanager", "serviceusage"])
def test_an_api_that_is_not_enabled(modules: Modules, cloud: FakeCloud, api: str) -> None:
    cloud.disable_service(f"{api}.googleapis.com")
    found = problems(modules)
    assert len(found) == 1, found
    assert f"gcloud services enable {api}.googleapis.com --project {PROJECT}" in found[0]


def test_all_apis_that_are_not_enabled(modules: Modules, cloud: FakeCloud) -> None:
    for api in ("compute", "container", "iam"):
        cloud.disable_service(f"{api}.googleapis.com")
    assert "enable compute.googleapis.com container.googleapis.com iam.googleapis.com" in problems(modules)[0]


@pytest.mark.parametrize(
    ("permission", "purpose"),
    [
        ("compute.networks.create", "create network dask"),
        ("compute.subnetworks.create", "create subnetwork dask"),
        ("compute.routers.create", "create NAT dask on router dask"),
        ("compute.networks.updatePolicy", "create subnetwork dask, create NAT dask on router dask"),
        ("iam.serviceAccounts.create", "create service account"),
        ("iam.serviceAccounts.actAs", "let nodes run as dask-nodes@"),
        ("resourcemanager.projects.setIamPolicy", "change roles on project fake-project"),
        ("artifactregistry.repositories.create", "create repository dask"),
        ("artifactregistry.repositories.setIamPolicy", "change roles on repository dask"),
        ("storage.buckets.setIamPolicy", "change roles on bucket data-of-the-team"),
        ("container.clusters.create", "create cluster dask"),
        ("container.operations.get", "wait for it"),
    ],
)
def test_a_right_that_is_lacking(modules: Modules, cloud: FakeCloud, permission: str, purpose: str) -> None:
    cloud.deny(permission)
    found = problems(modules)
    assert len(found) == 1, found
    assert f"{permission} (to {purpose}" in found[0]


def test_a_read_that_is_not_allowed_is_a_problem_of_its_own(modules: Modules, cloud: FakeCloud) -> None:
    cloud.fail("compute.networks.get", "permission", times=None)
    cloud.fail("iam.projects.serviceAccounts.get", "permission", times=None)
    found = problems(modules)
    assert len(found) == 2, found
    assert all("grant this account a role with the permission" in problem for problem in found)


@pytest.mark.parametrize("kind", ["unavailable", "rate_limit", "internal", "drop", "drop_answer"])
def test_what_may_pass_is_tried_again(modules: Modules, cloud: FakeCloud, kind: str) -> None:
    for method in (
        "cloudresourcemanager.projects.get",
        "cloudresourcemanager.projects.testIamPermissions",
        "compute.regions.get",
        "compute.subnetworks.aggregatedList",
        "serviceusage.services.batchGet",
        "compute.machineTypes.get",
    ):
        cloud.fail(method, kind, retry_after=0)
    result = modules.preflight(**options())
    assert not result.get("failed"), result["msg"]
    assert cloud.state.failures.waiting == []


@pytest.mark.parametrize("kind", ["unavailable", "rate_limit", "internal"])
@pytest.mark.parametrize(
    "method", ["cloudresourcemanager.projects.get", "compute.regions.get", "compute.machineTypes.get"]
)
def test_what_does_not_pass_is_a_problem(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, method: str, kind: str
) -> None:
    monkeypatch.setattr(_google, "TRANSIENT_FOR", 0.1)
    cloud.fail(method, kind, times=None, retry_after=0)
    found = problems(modules)
    codes = {"unavailable": "503", "rate_limit": "429", "internal": "500"}
    assert all(codes[kind] in problem for problem in found), found


def test_what_the_cluster_uses_already_counts_as_its_own(modules: Modules, cloud: FakeCloud) -> None:
    config = {"machineType": "n2-standard-8", "spot": True, "diskSizeGb": 100, "diskType": "pd-balanced"}
    pools = [
        {"name": "core", "initialNodeCount": 1},
        {"name": "workers", "initialNodeCount": 2, "config": config},
    ]
    cloud.add_cluster({"name": "dask", "nodePools": pools, "resourceLabels": OURS}, REGION)
    cloud.set_quota(REGION, "N2_CPUS", 48, usage=48)
    result = modules.preflight(**options())
    assert not result.get("failed"), result["msg"]
    cloud.set_quota(REGION, "N2_CPUS", 48, usage=56)
    assert "of which others use 8" in problems(modules)[0]


def test_the_quota_of_all_regions(modules: Modules, cloud: FakeCloud) -> None:
    cloud.set_quota("global", "CPUS_ALL_REGIONS", 48, usage=8)
    [found] = problems(modules)
    assert found.startswith(
        "the pools can grow to 60 CPUS_ALL_REGIONS (core 12, workers 48), and project fake-project has a quota of 48, "
        "of which others use 8: "
    )
    cloud.set_quota(REGION, "PREEMPTIBLE_CPUS", 100)  # spot machines then count against that
    assert not modules.preflight(**options()).get("failed")
    cloud.set_quota("global", "CPUS_ALL_REGIONS", 4)
    [found] = problems(modules)
    assert "12 CPUS_ALL_REGIONS (core 12)" in found
    cloud.fail("compute.projects.get", "permission", times=None)  # not everyone may read it
    assert not modules.preflight(**options()).get("failed")


def test_pools_of_spot_machines_only_are_worth_a_word(modules: Modules) -> None:
    result = modules.preflight(**options(pools=[WORKERS]))
    assert "have no place that lasts" in str(result["warnings"])


def test_who_adopts_a_subnetwork_need_not_see_the_others(modules: Modules, cloud: FakeCloud) -> None:
    modules.resources(**everything())
    cloud.deny("compute.subnetworks.list")
    params = options()
    params["subnetwork"] = {"name": "dask", "region": REGION, "create": False, "pods_range": {"name": "pods"}}
    assert not modules.preflight(**params).get("failed")
    pools = [{**CORE, "autoscaling": {"total_max": 1025}, "node_count": None}]
    found = problems(modules, **{**params, "pools": pools})
    assert [problem for problem in found if "the pods' range 10.4.0.0/14 has" in problem]


def test_who_may_use_a_shared_subnetwork_alone(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules.resources(**everything())
    host = "projects/host-project"
    for kind in ("global/networks", f"regions/{REGION}/subnetworks"):
        link = json.dumps(cloud.state.resources[f"{COMPUTE}/{kind}/dask"]).replace(f"projects/{PROJECT}", host)
        cloud.put(f"compute/{host}/{kind}/dask", json.loads(link))
    monkeypatch.setattr(cloud.settings, "other_projects", ("host-project",))
    params = options()
    params["network"] = {"name": "dask", "project": "host-project", "create": False}
    params["subnetwork"] = {"name": "dask", "region": REGION, "create": False}
    del params["nat"]
    result = modules.preflight(**params)
    assert not result.get("failed"), result["msg"]
    [asked] = [each for each in cloud.requests if each.method == "compute.subnetworks.testIamPermissions"]
    assert asked.body == {"permissions": ["compute.subnetworks.use"]}
    cloud.deny("compute.subnetworks.use")
    [found] = problems(modules, **{**params, "nat": ...})
    assert f"lacks on subnetwork {host}/regions/{REGION}/subnetworks/dask compute.subnetworks.use" in found
    assert "such as roles/compute.networkUser" in found


def test_a_repository_that_is_not_there_is_one_problem(modules: Modules) -> None:
    params = options()
    params["artifact_registry"]["create"] = False
    found = problems(modules, **params)
    assert len(found) == 1, found
    assert "repository dask is not there" in found[0]


def test_an_account_that_is_not_there_is_one_problem(modules: Modules) -> None:
    account = f"data@{PROJECT}.iam.gserviceaccount.com"
    workload = {"namespace": "dask", "service_account": "dask", "google_service_account": account}
    [found] = problems(modules, workload_identity=[workload])
    assert found == f"service account {account} is not there: make it first, or give one that is there"


def test_a_user_without_a_quota_project(modules: Modules, cloud: FakeCloud) -> None:
    cloud.fail("cloudresourcemanager.projects.get", "quota_project", times=None)
    [found] = problems(modules)
    assert "gcloud auth application-default set-quota-project fake-project" in found
    assert "services enable" not in found


def test_nothing_but_a_project(modules: Modules) -> None:
    result = modules.preflight()
    assert result["project_number"] == "123456789012"
    assert result["zones"] == []
