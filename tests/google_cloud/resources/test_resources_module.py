# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_resources against the fake: what is made, changed, adopted and deleted, and what is only read."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _google

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client
from tests.google_cloud.resources.conftest import BUCKET, PROJECT, REGION, Modules, everything

JSON = dict[str, t.Any]

COMPUTE = f"compute/projects/{PROJECT}"
NETWORK = f"{COMPUTE}/global/networks/dask"
SUBNETWORK = f"{COMPUTE}/regions/{REGION}/subnetworks/dask"
ROUTER = f"{COMPUTE}/regions/{REGION}/routers/dask"
EMAIL = f"dask-nodes@{PROJECT}.iam.gserviceaccount.com"
ACCOUNT = f"iam/projects/{PROJECT}/serviceAccounts/{EMAIL}"
REGISTRY = f"artifactregistry/projects/{PROJECT}/locations/{REGION}/repositories/dask"
POLICY = f"cloudresourcemanager/projects/{PROJECT}"
ROOT = "https://www.googleapis.com/compute/v1/"
ALL = (NETWORK, SUBNETWORK, ROUTER, ACCOUNT, REGISTRY)
NODE_ROLE = "roles/container.defaultNodeServiceAccount"


def link(path: str) -> str:
    return ROOT + path.removeprefix("compute/")


def sent(cloud: FakeCloud) -> list[str]:
    """The methods that wrote."""
    return sorted(record.method for record in cloud.writes)


def members(cloud: FakeCloud, resource: str, role: str) -> set[str]:
    bindings = cloud.cloud.policies.read(resource).get("bindings", [])
    return {member for binding in bindings if binding["role"] == role for member in binding["members"]}


@pytest.fixture
def made(modules: Modules) -> JSON:
    """All of it, made by the module."""
    result = modules.resources(**everything())
    assert result["changed"]
    return result


# --- making -----------------------------------------------------------------------------------------------------------


def test_all_is_made(made: JSON, cloud: FakeCloud) -> None:
    assert set(ALL) <= set(cloud.state.resources)
    assert sent(cloud) == [
        "artifactregistry.projects.locations.repositories.create",
        "artifactregistry.projects.locations.repositories.setIamPolicy",
        "cloudresourcemanager.projects.setIamPolicy",
        "compute.networks.insert",
        "compute.routers.insert",
        "compute.subnetworks.insert",
        "iam.projects.serviceAccounts.create",
        "storage.buckets.setIamPolicy",
    ]
    assert made["node_service_account"] == EMAIL
    assert made["image_repository"] == f"{REGION}-docker.pkg.dev/{PROJECT}/dask"
    assert made["resources"]["subnetwork"] == link(SUBNETWORK)
    assert members(cloud, POLICY, NODE_ROLE) == {f"serviceAccount:{EMAIL}"}
    assert members(cloud, REGISTRY, "roles/artifactregistry.reader") == {f"serviceAccount:{EMAIL}"}
    assert members(cloud, REGISTRY, "roles/artifactregistry.writer") == {"group:builders@example.com"}
    (worker,) = members(cloud, f"storage/b/{BUCKET}", "roles/storage.objectUser")
    assert worker.startswith("principal://iam.googleapis.com/projects/123456789012/")
    assert worker.endswith(f"/workloadIdentityPools/{PROJECT}.svc.id.goog/subject/ns/dask/sa/dask-worker")


def test_an_unchanged_run_only_reads(made: JSON, modules: Modules, cloud: FakeCloud) -> None:
    again = modules.resources(**everything())
    assert cloud.writes == []
    assert not again["changed"]
    assert again["actions"] == []
    assert again["diff"] == {"before": {}, "after": {}}
    assert {k: again[k] for k in ("resources", "node_service_account", "image_repository")} == {
        k: made[k] for k in ("resources", "node_service_account", "image_repository")
    }
    assert len(cloud.requests) == 9


def test_check_mode_only_reads_and_predicts_the_same(modules: Modules, cloud: FakeCloud) -> None:
    check = modules.resources(check=True, **everything())
    assert cloud.writes == []
    real = modules.resources(**everything())
    assert cloud.writes != []
    keys = ("changed", "actions", "diff", "resources", "node_service_account", "image_repository")
    assert {key: check[key] for key in keys} == {key: real[key] for key in keys}


def test_independent_steps_run_side_by_side(modules: Modules, cloud: FakeCloud) -> None:
    modules.resources(**everything())
    methods = [record.method for record in cloud.writes]
    begun = set(methods[:3])
    assert "compute.networks.insert" in begun
    assert begun & {"iam.projects.serviceAccounts.create", "artifactregistry.projects.locations.repositories.create"}
    order = [methods.index(f"compute.{kind}.insert") for kind in ("networks", "subnetworks", "routers")]
    assert order == sorted(order)


# --- changing ---------------------------------------------------------------------------------------------------------


def _set(path: str, value: t.Any) -> t.Callable[[JSON], None]:
    def change(params: JSON) -> None:
        *parents, last = path.split(".")
        place = params
        for key in parents:
            place = place[key]
        place[last] = value

    return change


CHANGES: list[tuple[str, t.Callable[[JSON], None], list[str]]] = [
    (
        "a range under another name",
        _set("subnetwork.pods_range", {"name": "pods-2", "cidr": "10.16.0.0/14"}),
        ["compute.subnetworks.patch"],
    ),
    ("a wider range", _set("subnetwork.ip_range", "10.0.0.0/21"), ["compute.subnetworks.expandIpCidrRange"]),
    (
        "private Google access",
        _set("subnetwork.private_google_access", False),
        ["compute.subnetworks.setPrivateIpGoogleAccess"],
    ),
    ("ports of the NAT", _set("nat.min_ports_per_vm", 512), ["compute.routers.patch"]),
    ("another NAT", _set("nat.name", "second"), ["compute.routers.patch"]),
    (
        "labels",
        _set("labels", {"team": "other", "cost": "1"}),
        ["artifactregistry.projects.locations.repositories.patch"],
    ),
    (
        "a role of the nodes",
        _set("node_service_account.roles", [NODE_ROLE, "roles/logging.logWriter"]),
        ["cloudresourcemanager.projects.setIamPolicy"],
    ),
    (
        "a reader",
        _set("artifact_registry.readers", ["user:a@example.com"]),
        ["artifactregistry.projects.locations.repositories.setIamPolicy"],
    ),
    (
        "a writer",
        _set("artifact_registry.writers", ["group:builders@example.com", "user:b@example.com"]),
        ["artifactregistry.projects.locations.repositories.setIamPolicy"],
    ),
    (
        "a workload",
        _set("workload_identity", [{"namespace": "b", "service_account": "w", "bucket": BUCKET}]),
        ["storage.buckets.setIamPolicy"],
    ),
]


@pytest.mark.parametrize(("change", "calls"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
@pytest.mark.usefixtures("made")
def test_one_change_is_one_call(
    modules: Modules, cloud: FakeCloud, change: t.Callable[[JSON], None], calls: list[str]
) -> None:
    params = everything()
    change(params)
    check = modules.resources(check=True, **params)
    assert cloud.writes == []
    real = modules.resources(**params)
    assert sent(cloud) == calls
    assert real["changed"]
    assert real["actions"] == check["actions"]
    assert len(real["actions"]) == 1
    assert real["diff"] == check["diff"]
    assert real["diff"]["before"] != real["diff"]["after"]
    assert not modules.resources(**params)["changed"]
    assert cloud.writes == []


@pytest.mark.usefixtures("made")
def test_several_changes_of_a_subnetwork_in_one_run(modules: Modules, cloud: FakeCloud) -> None:
    params = everything()
    params["subnetwork"].update(ip_range="10.0.0.0/21", private_google_access=False)
    params["subnetwork"]["pods_range"] = {"name": "more", "cidr": "10.16.0.0/14"}
    modules.resources(**params)
    assert len(cloud.writes) == 3
    assert not modules.resources(**params)["changed"]


@pytest.mark.usefixtures("made")
def test_what_cannot_be_changed_is_listed_at_once_and_nothing_is_touched(modules: Modules, cloud: FakeCloud) -> None:
    params = everything()
    params["subnetwork"]["ip_range"] = "10.1.0.0/22"
    params["subnetwork"]["services_range"]["cidr"] = "10.9.0.0/20"
    params["workload_identity"][0]["bucket"] = "no-such-bucket"
    params["labels"] = {"would": "be-changed"}
    result = modules.resources(**params)
    assert cloud.writes == []
    assert len(result["problems"]) == 3
    assert "and nothing was touched" in result["msg"]


# --- adopting ---------------------------------------------------------------------------------------------------------


def adopted() -> JSON:
    params = everything()
    for part in ("network", "subnetwork", "nat", "node_service_account", "artifact_registry"):
        params[part]["create"] = False
    return params


def given(cloud: FakeCloud) -> None:
    """All of it, made by others."""
    cloud.put(NETWORK, {"name": "dask", "selfLink": link(NETWORK), "autoCreateSubnetworks": False})
    ranges = [("pods", "10.4.0.0/14"), ("services", "10.8.0.0/20")]
    cloud.put(
        SUBNETWORK,
        {
            "name": "dask",
            "selfLink": link(SUBNETWORK),
            "network": link(NETWORK),
            "ipCidrRange": "10.0.0.0/22",
            "privateIpGoogleAccess": False,
            "secondaryIpRanges": [{"rangeName": name, "ipCidrRange": cidr} for name, cidr in ranges],
            "fingerprint": "AAAA",
        },
    )
    nat = {
        "name": "all",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    cloud.put(ROUTER, {"name": "dask", "selfLink": link(ROUTER), "network": link(NETWORK), "nats": [nat]})
    name = f"projects/{PROJECT}/serviceAccounts/{EMAIL}"
    cloud.put(ACCOUNT, {"name": name, "email": EMAIL, "projectId": PROJECT, "uniqueId": "1" * 21})
    name = REGISTRY.removeprefix("artifactregistry/")
    cloud.put(REGISTRY, {"name": name, "format": "DOCKER", "labels": {"of": "others"}})


def test_what_is_adopted_is_given_roles_and_nothing_else(modules: Modules, cloud: FakeCloud) -> None:
    given(cloud)
    before = copy.deepcopy({path: cloud.state.resources[path] for path in ALL})
    modules.resources(**adopted())
    assert sent(cloud) == [
        "artifactregistry.projects.locations.repositories.setIamPolicy",
        "cloudresourcemanager.projects.setIamPolicy",
        "storage.buckets.setIamPolicy",
    ]
    assert not modules.resources(**adopted())["changed"]
    assert {path: cloud.state.resources[path] for path in ALL} == before


def test_what_is_adopted_is_never_deleted(modules: Modules, cloud: FakeCloud) -> None:
    given(cloud)
    modules.resources(**adopted())
    for params in (adopted(), everything()):  # also where it might have been made
        result = modules.resources(**params, state="absent", leftovers=True)
        assert len(result["kept"]) == 5
    assert set(ALL) <= set(cloud.state.resources)
    assert members(cloud, POLICY, NODE_ROLE) == {f"serviceAccount:{EMAIL}"}
    assert not members(cloud, f"storage/b/{BUCKET}", "roles/storage.objectUser")


def test_what_is_to_be_adopted_and_is_not_there(modules: Modules, cloud: FakeCloud) -> None:
    result = modules.resources(**adopted())
    assert cloud.writes == []
    assert len(result["problems"]) == 5
    assert all("is not there" in problem for problem in result["problems"])


# --- IAM --------------------------------------------------------------------------------------------------------------


def test_nothing_of_others_is_dropped_from_policies(modules: Modules, cloud: FakeCloud) -> None:
    condition = {"title": "for a day", "expression": "true"}
    theirs: list[JSON] = [
        {"role": "roles/owner", "members": ["user:boss@example.com"]},
        {"role": NODE_ROLE, "members": [f"serviceAccount:{EMAIL}"], "condition": condition},
        {"role": NODE_ROLE, "members": ["serviceAccount:ci@fake-project.iam.gserviceaccount.com"]},
    ]
    given(cloud)
    cloud.cloud.policies.write(POLICY, {"version": 3, "bindings": theirs})
    modules.resources(**everything())
    after = cloud.cloud.policies.read(POLICY)
    assert after["version"] == 3
    assert theirs[0] in after["bindings"]
    assert theirs[1] in after["bindings"]
    mine = next(b for b in after["bindings"] if b["role"] == NODE_ROLE and "condition" not in b)
    assert mine["members"] == [*theirs[2]["members"], f"serviceAccount:{EMAIL}"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_policy_that_others_write_at_the_same_time_is_read_again(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    policies = cloud.cloud.policies
    write = policies.write
    meddled: list[str] = []

    def meddling(resource: str, policy: JSON, *rest: t.Any) -> JSON:
        if len(meddled) < times:
            meddled.append(f"user:n{len(meddled)}@example.com")
            current = policies.read(resource)
            binding = {"role": "roles/viewer", "members": [meddled[-1]]}
            write(resource, {**current, "bindings": [*current.get("bindings", []), binding]})
        return write(resource, policy, *rest)

    monkeypatch.setattr(policies, "write", meddling)
    params = {key: everything()[key] for key in ("node_service_account", "timeout")}
    modules.resources(**params)
    assert len(meddled) == times
    assert members(cloud, POLICY, "roles/viewer") == set(meddled)
    assert members(cloud, POLICY, NODE_ROLE) == {f"serviceAccount:{EMAIL}"}


def test_a_workload_by_an_account_needs_the_projects_pool(modules: Modules, cloud: FakeCloud) -> None:
    cloud.put(ACCOUNT, {"name": f"projects/{PROJECT}/serviceAccounts/{EMAIL}", "email": EMAIL, "uniqueId": "1" * 21})
    workload = {"namespace": "d", "service_account": "w", "bucket": BUCKET, "google_service_account": EMAIL}
    result = modules.resources(workload_identity=[workload], timeout=5)
    assert "Identity Pool does not exist" in result["msg"]
    cloud.add_cluster(
        {
            "name": "a",
            "initialNodeCount": 1,
            "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
        },
        REGION,
    )
    assert modules.resources(workload_identity=[workload])["changed"]
    assert members(cloud, ACCOUNT, "roles/iam.workloadIdentityUser") == {f"serviceAccount:{PROJECT}.svc.id.goog[d/w]"}
    assert members(cloud, f"storage/b/{BUCKET}", "roles/storage.objectUser") == {f"serviceAccount:{EMAIL}"}
    assert not modules.resources(workload_identity=[workload])["changed"]


def test_a_new_account_is_not_known_everywhere_at_once(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fakes.google_cloud.errors import invalid

    policies = cloud.cloud.policies
    write, refused = policies.write, list[str]()

    def late(resource: str, policy: JSON, *rest: t.Any) -> JSON:
        if len(refused) < 1:
            refused.append(resource)
            raise invalid(f"Service account {EMAIL} does not exist.")
        return write(resource, policy, *rest)

    monkeypatch.setattr(policies, "write", late)
    params = {key: everything()[key] for key in ("node_service_account", "timeout")}
    assert modules.resources(**params)["changed"]
    assert members(cloud, POLICY, NODE_ROLE) == {f"serviceAccount:{EMAIL}"}


# --- deleting ---------------------------------------------------------------------------------------------------------


def leftover(cloud: FakeCloud, path: str, **body: t.Any) -> str:
    path = f"{COMPUTE}/{path}"
    cloud.put(path, {"name": path.rpartition("/")[2], "selfLink": link(path), **body})
    return path


def leftovers(cloud: FakeCloud) -> list[str]:
    """What a load balancer, an ingress and two volumes leave behind."""
    name, tags = "a" + "0" * 31, ["gke-dask-0a1b2c3d-node"]
    region, zone = f"regions/{REGION}", f"zones/{REGION}-a"
    network = link(NETWORK)
    found = [
        leftover(cloud, f"global/firewalls/k8s-fw-{name}", network=network, targetTags=tags),
        leftover(cloud, "global/firewalls/gke-dask-0a1b2c3d-all", network=network),
        leftover(cloud, f"{region}/targetPools/{name}"),
    ]
    found.append(leftover(cloud, f"{region}/forwardingRules/{name}", target=link(found[-1])))
    group = leftover(cloud, f"{zone}/networkEndpointGroups/k8s1-0a1b-web", network=network)
    service = leftover(cloud, "global/backendServices/k8s1-0a1b-web", backends=[{"group": link(group)}])
    urls = leftover(cloud, "global/urlMaps/k8s2-um-0a1b", defaultService=link(service))
    proxy = leftover(cloud, "global/targetHttpProxies/k8s2-tp-0a1b", urlMap=link(urls))
    rule = leftover(cloud, "global/forwardingRules/k8s2-fr-0a1b", target=link(proxy))
    claim = {"kubernetes.io/created-for/pvc/namespace": "dask", "kubernetes.io/created-for/pvc/name": "notebook"}
    disk = leftover(cloud, f"{zone}/disks/pvc-1", labels={"goog-k8s-cluster-name": "dask"}, sizeGb="10")
    named = leftover(cloud, f"{zone}/disks/pvc-2", description=json.dumps(claim), sizeGb="10")
    return [*found, group, service, urls, proxy, rule, disk, named]


def strangers(cloud: FakeCloud) -> list[str]:
    """What must not go."""
    claim = {"kubernetes.io/created-for/pvc/namespace": "shop", "kubernetes.io/created-for/pvc/name": "orders"}
    network = link(f"{COMPUTE}/global/networks/default")
    zone = f"zones/{REGION}-a"
    return [
        leftover(cloud, f"{zone}/disks/data"),
        leftover(cloud, f"{zone}/disks/pvc-3", description=json.dumps(claim), sizeGb="10"),
        leftover(cloud, f"{zone}/disks/pvc-4", labels={"goog-k8s-cluster-name": "dask-2"}),
        leftover(cloud, "zones/us-east1-b/disks/pvc-5", labels={"goog-k8s-cluster-name": "other"}),
        leftover(cloud, "global/firewalls/k8s-fw-other", network=network, targetTags=["gke-dask-0a1b2c3d-node"]),
        leftover(cloud, "global/firewalls/k8s-fw-more", network=network, targetTags=["gke-other-0a1b2c3d-node"]),
        leftover(cloud, f"regions/{REGION}/forwardingRules/a{'1' * 31}"),
        leftover(cloud, f"regions/{REGION}/addresses/static"),
    ]


@pytest.mark.usefixtures("made")
def test_teardown_deletes_exactly_ours(modules: Modules, cloud: FakeCloud) -> None:
    others = strangers(cloud)
    params = {**everything(), "state": "absent"}
    check = modules.resources(check=True, **params)
    assert cloud.writes == []
    before = set(cloud.state.resources)
    real = modules.resources(**params)
    assert real["deleted"] == check["would_delete"]
    assert real["actions"] == check["actions"]
    assert before - set(cloud.state.resources) == set(ALL)
    assert set(others) <= set(cloud.state.resources)
    assert not members(cloud, POLICY, NODE_ROLE)
    assert not members(cloud, f"storage/b/{BUCKET}", "roles/storage.objectUser")
    again = modules.resources(**params)
    assert not again["changed"]
    assert again["deleted"] == []
    assert cloud.writes == []


@pytest.mark.usefixtures("made")
def test_what_kubernetes_left_behind_goes_too(modules: Modules, cloud: FakeCloud) -> None:
    left, others = leftovers(cloud), strangers(cloud)
    params = {**everything(), "state": "absent", "leftovers": True}
    params["cluster"]["namespaces"] = ["dask"]
    check = modules.resources(check=True, **params)
    assert cloud.writes == []
    assert "disk pvc-2 (10 GB, volume claim dask/notebook)" in check["would_delete"]
    assert [each for each in check["kept"] if "pvc-3" in each]
    before = set(cloud.state.resources)
    real = modules.resources(**params)
    assert real["deleted"] == check["would_delete"]
    assert before - set(cloud.state.resources) == {*ALL, *left}
    assert set(others) <= set(cloud.state.resources)
    assert not modules.resources(**params)["changed"]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("location", "goes"), [(REGION, False), (f"{REGION}-b", False), ("us-east1", True)])
def test_a_volume_that_could_be_another_clusters_stays(
    modules: Modules, cloud: FakeCloud, location: str, goes: bool
) -> None:
    disk = leftovers(cloud)[-1]
    cloud.add_cluster({"name": "b", "initialNodeCount": 1}, location)
    params = {**everything(), "state": "absent", "leftovers": True}
    params["cluster"]["namespaces"] = ["dask"]
    result = modules.resources(**params)
    assert (disk not in cloud.state.resources) == goes
    assert bool([each for each in result["kept"] if f"cluster b in {location}" in each and "pvc-2" in each]) != goes


@pytest.mark.parametrize(("network", "goes"), [("default", False), ("other", True)])
def test_what_is_known_by_its_name_stays_while_a_cluster_of_that_name_is_there(
    modules: Modules, cloud: FakeCloud, network: str, goes: bool
) -> None:
    for name in dict.fromkeys(["default", network]):
        cloud.put(f"{COMPUTE}/global/networks/{name}", {"name": name})
    name, ours = "a" + "1" * 31, link(f"{COMPUTE}/global/networks/default")
    firewalls = [
        leftover(cloud, "global/firewalls/gke-dask-1a2b3c4d-all", network=ours),
        leftover(cloud, f"global/firewalls/k8s-fw-{name}", network=ours, targetTags=["gke-dask-1a2b3c4d-node"]),
    ]
    balancer = leftover(cloud, f"regions/{REGION}/forwardingRules/{name}")
    nodes = [link(f"{COMPUTE}/zones/{REGION}-a/instances/gke-dask-core-1a2b3c4d-x1y2")]
    pool = leftover(cloud, f"regions/{REGION}/targetPools/a{'2' * 31}", instances=nodes)
    disk = leftover(cloud, f"zones/{REGION}-a/disks/pvc-1", labels={"goog-k8s-cluster-name": "dask"})
    labels = {"goog-k8s-cluster-name": "dask", "goog-k8s-cluster-location": REGION}
    mine = leftover(cloud, f"zones/{REGION}-a/disks/pvc-2", labels=labels)
    cloud.add_cluster({"name": "dask", "initialNodeCount": 1, "network": network}, "us-east1")
    params: JSON = {"cluster": {"name": "dask", "location": REGION}, "network": {"name": "default", "create": False}}
    result = modules.resources(**params, state="absent", leftovers=True)
    assert not result.get("failed"), result["msg"]
    assert mine not in cloud.state.resources
    assert {pool, disk} <= set(cloud.state.resources)
    assert {*firewalls, balancer} & set(cloud.state.resources) == (set() if goes else {*firewalls, balancer})
    theirs = [each.partition(":")[0] for each in result["kept"] if "could be of cluster dask in us-east1" in each]
    named = [f"firewall rule {each.rpartition('/')[2]}" for each in firewalls]
    assert sorted(theirs) == sorted([*([] if goes else named), f"target pool a{'2' * 31}", "disk pvc-1"])


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("check", [True, False])
def test_nothing_goes_while_it_cannot_be_told_which_clusters_there_are(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    get = _google.Google.get

    def outage(google: _google.Google, service: t.Any, path: str, **params: t.Any) -> JSON:
        found = get(google, service, path, **params)
        return {**found, "missingZones": ["us-east1-b", "us-east1-c"]} if path.endswith("/clusters") else found

    params = {**everything(), "state": "absent", "leftovers": True}
    with monkeypatch.context() as patch:
        patch.setattr(_google.Google, "get", outage)
        result = modules.resources(check=check, **params)
        assert cloud.writes == []
        assert "cluster dask" in result["msg"]
        assert "nothing was touched: us-east1-b, us-east1-c did not answer" in result["msg"]
        assert "run again later" in result["msg"]
    assert modules.resources(**params)["changed"]
    monkeypatch.setattr(_google.Google, "get", outage)
    assert not modules.resources(**params)["changed"]  # where nothing would go it does not matter


def test_firewall_rules_of_a_shared_network_that_may_not_be_seen_stay(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.cloud, "settings", replace(cloud.settings, other_projects=("host-project",)))
    cloud.deny("compute.networks.get", "compute.firewalls.list")
    labels = {"goog-k8s-cluster-name": "dask", "goog-k8s-cluster-location": REGION}
    disk = leftover(cloud, f"zones/{REGION}-a/disks/pvc-1", labels=labels)
    params: JSON = {
        "cluster": {"name": "dask", "location": REGION},
        "network": {"name": "shared", "project": "host-project", "create": False},
    }
    result = modules.resources(**params, state="absent", leftovers=True)
    assert not result.get("failed"), result["msg"]
    assert disk not in cloud.state.resources
    assert [each for each in result["kept"] if each.startswith("firewall rules of network shared in host-project")]
    cloud.state.denied.remove("compute.networks.get")
    result = modules.resources(**{**params, "network": {"name": "own"}}, state="absent", leftovers=True)
    assert "compute.firewalls.list" in result["msg"]
    assert cloud.writes == []


@pytest.mark.usefixtures("made")
def test_leftovers_stay_unless_they_are_asked_for(modules: Modules, cloud: FakeCloud) -> None:
    left = leftovers(cloud)
    result = modules.resources(**{**everything(), "state": "absent"})
    assert set(left) <= set(cloud.state.resources)
    assert "already being used by" in result["msg"]  # the network, by a firewall rule
    assert "delete that first" in result["msg"]
    assert "network dask" in result["not_done"][0]


@pytest.mark.usefixtures("made")
def test_nothing_goes_while_the_cluster_is_there(modules: Modules, cloud: FakeCloud) -> None:
    cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, REGION)
    result = modules.resources(**everything(), state="absent", leftovers=True)
    assert cloud.writes == []
    assert f"cluster dask in {REGION} still stands on it: delete it first" in result["msg"]


@pytest.mark.usefixtures("made")
def test_nothing_goes_that_another_cluster_uses(modules: Modules, cloud: FakeCloud) -> None:
    cloud.add_cluster({"name": "b", "initialNodeCount": 1, "network": "dask", "subnetwork": "dask"}, REGION)
    result = modules.resources(**everything(), state="absent")
    assert cloud.writes == []
    assert "cluster b in" in result["msg"]


WORKLOADS = {"workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"}}


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(("config", "goes"), [(WORKLOADS, False), ({}, True)])
@pytest.mark.parametrize("alone", [True, False])
def test_the_roles_of_workloads_stay_while_another_clusters_pods_have_them(
    modules: Modules, cloud: FakeCloud, config: JSON, goes: bool, alone: bool
) -> None:
    cloud.add_cluster({"name": "b", "initialNodeCount": 1, **config}, "us-east1")
    params = everything()
    if alone:  # and no cluster is named
        params = {"workload_identity": params["workload_identity"]}
    result = modules.resources(**params, state="absent")
    assert not result.get("failed"), result["msg"]
    assert bool(members(cloud, f"storage/b/{BUCKET}", "roles/storage.objectUser")) != goes
    assert (
        bool([each for each in result["kept"] if f"bucket {BUCKET}" in each and "cluster b in us-east1" in each])
        != goes
    )
    assert bool([each for each in result["deleted"] if "roles/storage.objectUser" in each]) == goes


@pytest.mark.usefixtures("made")
def test_a_network_stays_as_long_as_others_have_subnetworks_in_it(modules: Modules, cloud: FakeCloud) -> None:
    theirs = f"{COMPUTE}/regions/us-east1/subnetworks/theirs"
    cloud.put(
        theirs, {"name": "theirs", "selfLink": link(theirs), "network": link(NETWORK), "ipCidrRange": "10.99.0.0/24"}
    )
    result = modules.resources(**everything(), state="absent")
    assert result["kept"] == ["network dask: there are subnetworks of others in it (theirs)"]
    assert {NETWORK, theirs} <= set(cloud.state.resources)
    assert SUBNETWORK not in cloud.state.resources


@pytest.mark.usefixtures("made")
def test_what_was_made_for_another_cluster_stays(modules: Modules, cloud: FakeCloud) -> None:
    params = everything()
    params["cluster"]["name"] = "second"
    del params["workload_identity"]
    result = modules.resources(**params, state="absent")
    assert not result["changed"]
    assert len(result["kept"]) == 5
    assert set(ALL) <= set(cloud.state.resources)


# --- failures ---------------------------------------------------------------------------------------------------------

REQUESTS = (
    "compute.networks.insert",
    "compute.subnetworks.insert",
    "compute.routers.insert",
    "iam.projects.serviceAccounts.create",
    "artifactregistry.projects.locations.repositories.create",
    "cloudresourcemanager.projects.setIamPolicy",
    "artifactregistry.projects.locations.repositories.setIamPolicy",
    "storage.buckets.setIamPolicy",
)
READS = (
    "compute.networks.get",
    "compute.subnetworks.get",
    "compute.routers.get",
    "iam.projects.serviceAccounts.get",
    "artifactregistry.projects.locations.repositories.get",
    "cloudresourcemanager.projects.getIamPolicy",
    "storage.buckets.getIamPolicy",
)


@pytest.mark.parametrize("method", [*REQUESTS, *READS])
@pytest.mark.parametrize("kind", ["unavailable", "rate_limit", "drop", "drop_answer", "internal"])
def test_what_may_pass_is_tried_again(modules: Modules, cloud: FakeCloud, method: str, kind: str) -> None:
    cloud.fail(method, kind, retry_after=0)
    if method.startswith("artifactregistry"):  # whose operations cannot be listed: it is there when it is there
        cloud.state.operations.polls, cloud.state.operations.seconds = 0, 0.2
    result = modules.resources(**everything())
    assert not result.get("failed"), result["msg"]
    assert set(ALL) <= set(cloud.state.resources)
    assert cloud.state.failures.waiting == []
    assert not modules.resources(**everything())["changed"]


@pytest.mark.parametrize("method", [*REQUESTS, *READS])
@pytest.mark.parametrize("kind", ["permission", "unavailable", "rate_limit", "internal", "token_expired"])
def test_what_does_not_pass_is_a_clear_error(
    modules: Modules, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, method: str, kind: str
) -> None:
    monkeypatch.setattr(_google, "TRANSIENT_FOR", 0.1)
    cloud.fail(method, kind, times=None if kind != "token_expired" else 1, retry_after=0)
    result = modules.resources(**everything())
    assert result["failed"]
    assert PROJECT in result["msg"]
    words = {
        "permission": "grant this account a role with the permission",
        "unavailable": "503",
        "rate_limit": "429",
        "internal": "500",
        "token_expired": "no access token could be had",
    }
    assert words[kind] in result["msg"]
    if method in READS:
        assert cloud.writes == []


def test_what_somebody_else_makes_at_the_same_time(modules: Modules, cloud: FakeCloud) -> None:
    body = {"name": "dask", "autoCreateSubnetworks": False}
    client = Client(cloud.port, lambda: cloud.token)
    assert client.post(f"/compute/compute/v1/projects/{PROJECT}/global/networks", body).status == 200
    result = modules.resources(**everything())
    assert not result.get("failed"), result["msg"]
    assert cloud.state.resources[NETWORK].get("description") is None  # theirs, and so it stays
    assert modules.resources(**everything(), state="absent")["kept"] == ["network dask: it was not made by this"]


@pytest.mark.parametrize("method", [*REQUESTS[:3], REQUESTS[4]])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("quota", "ask for more quota"),
        ("error", "An unknown error occurred"),
        ("never_ends", "has not ended after 2 s"),
    ],
)
def test_operations_that_fail(modules: Modules, cloud: FakeCloud, method: str, kind: str, words: str) -> None:
    cloud.fail(method, kind)
    result = modules.resources(**{**everything(), "timeout": 2})
    assert result["failed"]
    assert words in result["msg"]
    assert result["not_done"]
    cloud.settle()
    cloud.state.operations.all.clear()
    assert not modules.resources(**everything()).get("failed")  # the next run does the rest
    assert not modules.resources(**everything())["changed"]


def test_a_token_that_expires_in_the_middle_of_a_wait(modules: Modules, cloud: FakeCloud) -> None:
    cloud.fail("compute.globalOperations.get", "token_expired")
    result = modules.resources(**everything())
    assert "no access token could be had by auth_kind accesstoken" in result["msg"]
    assert "create subnetwork dask" in result["not_done"]
    cloud.settle()
    assert not modules.resources(**everything()).get("failed")


def test_a_key_gets_a_new_token_in_the_middle_of_a_wait(modules: Modules, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.fail("compute.globalOperations.get", "token_expired")
    key = cloud.key_file(tmp_path / "key.json")
    result = modules.resources(auth_kind="serviceaccount", service_account_file=str(key), **everything())
    assert not result.get("failed"), result["msg"]
    assert cloud.state.failures.waiting == []


def test_a_failure_says_what_was_done_before(modules: Modules, cloud: FakeCloud) -> None:
    cloud.fail("compute.subnetworks.insert", "permission", times=None)
    result = modules.resources(**everything())
    assert "create network dask" in result["actions"]
    assert "create network dask" in result["msg"]
    assert {"create subnetwork dask", "create NAT dask on router dask"} <= set(result["not_done"])


@pytest.mark.parametrize(
    "method", ["compute.routers.delete", "compute.networks.delete", "iam.projects.serviceAccounts.delete"]
)
@pytest.mark.parametrize("kind", ["permission", "unavailable", "drop_answer"])
@pytest.mark.usefixtures("made")
def test_failures_of_a_teardown(modules: Modules, cloud: FakeCloud, method: str, kind: str) -> None:
    cloud.fail(method, kind)
    result = modules.resources(**everything(), state="absent")
    assert bool(result.get("failed")) == (kind == "permission")
    if result.get("failed"):
        assert "grant this account" in result["msg"]
        result = modules.resources(**everything(), state="absent")
    assert not set(ALL) & set(cloud.state.resources)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("project", "My Project"), "is no ID of a project"),
        (_set("project", None), "No project is given"),
        (_set("access_token", None), "there is no token"),
        (_set("access_token", "wrong"), "the token was refused"),
        (_set("project", "another-project"), "another-project"),
        (_set("api_endpoint", "127.0.0.1"), "is no URL"),
        (_set("network.name", "Dask"), "network.name is 'Dask'"),
        (_set("subnetwork.region", "moon"), "subnetwork.region is 'moon'"),
        (_set("subnetwork.region", "moon-west1"), "moon-west1"),
        (_set("subnetwork.ip_range", "10.0.0.0/33"), "is no IPv4 range"),
        (_set("subnetwork.ip_range", "10.4.0.0/22"), "overlaps with subnetwork.pods_range"),
        (_set("cluster.name", "D"), "cluster.name is 'D'"),
        (_set("cluster.location", "here"), "cluster.location is 'here'"),
    ],
)
def test_bad_input_writes_nothing(
    modules: Modules, cloud: FakeCloud, change: t.Callable[[JSON], None], words: str
) -> None:
    params = everything()
    change(params)
    params = {key: ... if value is None else value for key, value in params.items()}
    result = modules.resources(**params)
    assert result["failed"]
    assert words in result["msg"]
    assert cloud.writes == []


def test_an_api_that_is_not_enabled(modules: Modules, cloud: FakeCloud) -> None:
    cloud.disable_service("compute.googleapis.com")
    result = modules.resources(**everything())
    assert f"gcloud services enable compute.googleapis.com --project {PROJECT}" in result["msg"]
    assert cloud.writes == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"workload_identity": [{"namespace": "d", "service_account": "w"}]}, "bucket, google_service_account"),
        ({"node_service_account": {"roles": []}}, "account_id, email"),
        ({"node_service_account": {"account_id": "dask-nodes", "email": EMAIL}}, "mutually exclusive"),
        ({"state": "absent", "leftovers": True}, "missing: cluster, network"),
        ({"timeout": "soon"}, "cannot be converted to an int"),
    ],
)
def test_options_that_ansible_refuses(modules: Modules, cloud: FakeCloud, params: JSON, words: str) -> None:
    assert words in modules.resources(ansibles_own=True, **params)["msg"]
    assert cloud.requests == []
