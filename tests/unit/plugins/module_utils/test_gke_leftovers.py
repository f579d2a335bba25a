# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Kubernetes left behind: the cluster's is found, and nothing else is taken."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_leftovers as leftovers

JSON = dict[str, t.Any]
ROOT = "https://www.googleapis.com/compute/v1/"
PROJECT = "projects/my-project"
NETWORK = f"{PROJECT}/global/networks/net"
HERE = f"{PROJECT}/regions/europe-west4"
ZONE = f"{PROJECT}/zones/europe-west4-a"
BALANCER = "a" + "0123456789abcdef0123456789abcde"
SERVICE = json.dumps({"kubernetes.io/service-name": "dask/dask-scheduler"})

WHERE = leftovers.Where("dask", "europe-west4", "europe-west4", NETWORK)


def item(collection: str, place: str, name: str, **body: t.Any) -> leftovers.Item:
    path = f"{place}/{collection}/{name}"
    return leftovers.Item(leftovers.BY_COLLECTION[collection], path, {"selfLink": ROOT + path, **body})


def firewall(name: str, tag: str | None = "gke-dask-0a1b2c3d-node", network: str = NETWORK) -> leftovers.Item:
    tags = {"targetTags": [tag]} if tag else {}
    return item("firewalls", f"{PROJECT}/global", name, network=ROOT + network, **tags)


def found(*items: leftovers.Item, where: leftovers.Where = WHERE) -> list[str]:
    return [left.path.split("/", 2)[2] for left in leftovers.find(where, items)[0]]


def balancer(tag: str = "gke-dask-0a1b2c3d-node", name: str = BALANCER) -> list[leftovers.Item]:
    """What a service of type LoadBalancer consists of."""
    pool = item("targetPools", HERE, name, instances=[])
    return [
        firewall(f"k8s-fw-{name}", tag),
        item("forwardingRules", HERE, name, description=SERVICE, target=ROOT + pool.path),
        pool,
        item("addresses", HERE, name, description=SERVICE),
    ]


def test_a_load_balancer_is_found_by_the_tag_of_its_firewall_rule() -> None:
    assert found(*balancer()) == [
        f"global/firewalls/k8s-fw-{BALANCER}",
        f"regions/europe-west4/forwardingRules/{BALANCER}",
        f"regions/europe-west4/addresses/{BALANCER}",
        f"regions/europe-west4/targetPools/{BALANCER}",
    ]
    left = leftovers.find(WHERE, balancer())[0]
    assert left[1].display_name == f"forwarding rule {BALANCER} (service dask/dask-scheduler)"


@pytest.mark.parametrize(
    "tag", ["gke-other-0a1b2c3d-node", "gke-dask-2-0a1b2c3d-node", "gke-dask-0a1b2c3d-more-node", "my-node"]
)
def test_a_load_balancer_of_another_cluster_is_left_alone(tag: str) -> None:
    assert found(*balancer(tag)) == []


def test_firewall_rules_of_a_shared_network_are_left_alone_and_tell_which_load_balancers_are_the_clusters() -> None:
    shared = replace(WHERE, shared=True)
    left, unclear = leftovers.find(
        shared, [*balancer(), firewall("gke-dask-0a1b2c3d-all", None), firewall("allow-ssh")]
    )
    assert {each.path.rpartition("/")[2] for each in left} == {BALANCER}
    assert {each.kind for each in left} == {"forwarding rule", "address", "target pool"}
    assert unclear == (
        f"firewall rule k8s-fw-{BALANCER}: it could be of a cluster dask of another project",
        "firewall rule gke-dask-0a1b2c3d-all: it could be of a cluster dask of another project",
    )


def test_firewall_rules_by_name_and_network() -> None:
    rules = [
        firewall("gke-dask-0a1b2c3d-all", None),
        firewall("gke-dask-0a1b2c3d-vms", None, f"{PROJECT}/global/networks/default"),
        firewall("gke-dask-2-0a1b2c3d-all", None),
        firewall("gke-dask-deadbeef-0a1b2c3d-all", None),
        firewall("allow-ssh", "gke-dask-0a1b2c3d-node"),
        firewall("k8s-0123456789abcdef-node-http-hc"),
    ]
    assert found(*rules) == [
        "global/firewalls/gke-dask-0a1b2c3d-all",
        "global/firewalls/k8s-0123456789abcdef-node-http-hc",
    ]


def ingress(name: str = "k8s2-um-x") -> list[leftovers.Item]:
    group = item("networkEndpointGroups", ZONE, "k8s1-0a1b-dask-web-80", network=ROOT + NETWORK)
    check = item("healthChecks", f"{PROJECT}/global", "k8s1-0a1b-dask-web-80")
    service = item(
        "backendServices",
        f"{PROJECT}/global",
        "k8s1-0a1b-dask-web-80",
        backends=[{"group": ROOT + group.path}],
        healthChecks=[ROOT + check.path],
    )
    urls = item("urlMaps", f"{PROJECT}/global", name, defaultService=ROOT + service.path)
    proxy = item("targetHttpProxies", f"{PROJECT}/global", "k8s2-tp-x", urlMap=ROOT + urls.path)
    rule = item("forwardingRules", f"{PROJECT}/global", "k8s2-fr-x", target=ROOT + proxy.path)
    return [group, check, service, urls, proxy, rule]


def test_an_ingress_is_found_from_its_endpoints_on_in_a_network_of_ours() -> None:
    everything = [
        "global/forwardingRules/k8s2-fr-x",
        "global/targetHttpProxies/k8s2-tp-x",
        "global/urlMaps/k8s2-um-x",
        "global/backendServices/k8s1-0a1b-dask-web-80",
        "global/healthChecks/k8s1-0a1b-dask-web-80",
        "zones/europe-west4-a/networkEndpointGroups/k8s1-0a1b-dask-web-80",
    ]
    ours = replace(WHERE, ours=True)
    assert found(*ingress(), where=ours) == everything
    assert found(*ingress(), where=WHERE) == []  # it could be another cluster's
    assert found(*ingress(), where=replace(ours, others=(leftovers.Other("b"),))) == []


def test_what_others_made_is_not_taken_though_it_refers_to_what_is() -> None:
    ours = replace(WHERE, ours=True)
    paths = found(*ingress("my-urls"), where=ours)
    assert "global/urlMaps/my-urls" not in paths
    assert "global/targetHttpProxies/k8s2-tp-x" not in paths


def test_a_target_pool_by_its_nodes() -> None:
    nodes = [f"{ROOT}{ZONE}/instances/gke-dask-workers-0a1b2c3d-x1y2"]
    pool = item("targetPools", HERE, "a" + "f" * 31, instances=nodes)
    assert found(pool) == [f"regions/europe-west4/targetPools/{pool.name}"]
    other = leftovers.Other("dask-workers", in_network=False)
    assert found(pool, where=replace(WHERE, others=(other,))) == []  # whose node it could be
    mixed = item("targetPools", HERE, "p", instances=[*nodes, f"{ROOT}{ZONE}/instances/web-1"])
    assert found(mixed) == []


def disk(name: str, labels: JSON | None = None, namespace: str | None = "dask", **body: t.Any) -> leftovers.Item:
    description = {"kubernetes.io/created-for/pvc/namespace": namespace, "kubernetes.io/created-for/pvc/name": "c"}
    text = {"description": json.dumps(description)} if namespace else {}
    return item("disks", ZONE, name, sizeGb="10", labels=labels or {}, **text, **body)


def test_disks_that_name_the_cluster() -> None:
    disks = [
        disk("pvc-1", {"goog-k8s-cluster-name": "dask"}),
        disk("pvc-2", {"goog-k8s-cluster-name": "dask", "goog-k8s-cluster-location": "europe-west4"}, None),
        disk("pvc-3", {"goog-k8s-cluster-name": "dask", "goog-k8s-cluster-location": "us-east1"}),
        disk("pvc-4", {"goog-k8s-cluster-name": "other"}),
        disk("gke-dask-0a1b2c3d-dynamic-pvc-5"),
        disk("data", None, None),
    ]
    assert [path.rpartition("/")[2] for path in found(*disks)] == ["gke-dask-0a1b2c3d-dynamic-pvc-5", "pvc-1", "pvc-2"]
    left, unclear = leftovers.find(WHERE, disks)
    assert left[1].display_name == "disk pvc-1 (10 GB, volume claim dask/c)"
    assert unclear == ()


@pytest.mark.parametrize("other", ["dask", "dask-0a1b2c3d"])
def test_disks_whose_name_could_be_another_clusters_are_not_taken(other: str) -> None:
    others = (leftovers.Other(other, "us-east1", in_network=False),)
    left, unclear = leftovers.find(replace(WHERE, others=others), [disk("gke-dask-0a1b2c3d-1a2b3c4d-pvc-5")])
    assert left == ()
    assert unclear == (f"disk gke-dask-0a1b2c3d-1a2b3c4d-pvc-5: it could be of cluster {other} in us-east1",)


def test_disks_that_name_no_cluster_are_not_taken_unless_their_namespace_is_the_clusters() -> None:
    left, unclear = leftovers.find(WHERE, [disk("pvc-1")])
    assert left == ()
    assert unclear == ("disk pvc-1: it was made for volume claim dask/c of a cluster that it does not name",)
    left, unclear = leftovers.find(replace(WHERE, namespaces=("dask",)), [disk("pvc-1")])
    assert [each.path.rpartition("/")[2] for each in left] == ["pvc-1"]
    assert unclear == ()


@pytest.mark.parametrize(
    ("location", "goes"), [("us-east1", True), ("europe-west4", False), ("europe-west4-c", False), ("", False)]
)
def test_disks_that_name_no_cluster_are_not_taken_if_another_cluster_could_own_them(location: str, goes: bool) -> None:
    others = (leftovers.Other("b", location, in_network=False),)
    left, unclear = leftovers.find(replace(WHERE, namespaces=("dask",), others=others), [disk("pvc-1")])
    assert bool(left) == goes
    assert bool(unclear) != goes
    if not goes:
        assert unclear[0].endswith(f"which could be cluster {others[0].display_name}")


def test_a_disk_in_use_is_not_taken() -> None:
    left, unclear = leftovers.find(WHERE, [disk("pvc-1", {"goog-k8s-cluster-name": "dask"}, users=["x"])])
    assert left == ()
    assert unclear == ("disk pvc-1: a machine uses it",)


def test_other_regions_are_not_looked_at() -> None:
    bodies = [
        {"selfLink": f"{ROOT}{PROJECT}/zones/europe-west4-b/disks/a"},
        {"selfLink": f"{ROOT}{PROJECT}/zones/europe-west1-b/disks/b"},
        {"selfLink": f"{ROOT}{PROJECT}/global/disks/c"},
    ]
    assert [each.name for each in leftovers.items("disks", bodies, "europe-west4")] == ["a", "c"]
