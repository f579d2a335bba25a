# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine: what the role needs for a cluster, and what a cluster leaves behind."""

from __future__ import annotations

import typing as t

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client, Reply
from tests.fakes.google_cloud.errors import JSON

ROOT = "/compute/compute/v1/projects/fake-project"
REGION = f"{ROOT}/regions/europe-west1"
NETWORK = "projects/fake-project/global/networks/n"


def done(api: Client, reply: Reply) -> JSON:
    assert reply.status == 200, reply.error
    place = reply.body["selfLink"].replace("https://www.googleapis.com", "/compute").rpartition("/")[0]
    return api.wait(place, reply.body)


def insert(api: Client, collection: str, body: JSON) -> JSON:
    done(api, api.post(collection, body))
    return t.cast("JSON", api.get(f"{collection}/{body['name']}").body)


@pytest.fixture
def network(api: Client) -> JSON:
    return insert(api, f"{ROOT}/global/networks", {"name": "n", "autoCreateSubnetworks": False})


def subnetwork(**more: t.Any) -> JSON:
    ranges = [
        {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
        {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
    ]
    return {"name": "s", "network": NETWORK, "ipCidrRange": "10.0.0.0/20", "secondaryIpRanges": ranges, **more}


def test_a_network(api: Client, network: JSON) -> None:
    assert network["selfLink"] == f"https://www.googleapis.com/compute/v1/{NETWORK}"
    assert network["kind"] == "compute#network"
    assert network["autoCreateSubnetworks"] is False
    assert api.get(f"{ROOT}/global/networks").body["items"] == [network]
    assert api.post(f"{ROOT}/global/networks", {"name": "n"}).error.startswith("409 alreadyExists")
    done(api, api.delete(f"{ROOT}/global/networks/n"))
    assert api.get(f"{ROOT}/global/networks/n").error.endswith(f"The resource '{NETWORK}' was not found")


def test_a_subnetwork(api: Client, network: JSON) -> None:
    made = insert(api, f"{REGION}/subnetworks", subnetwork())
    assert made["network"] == network["selfLink"]
    assert made["region"].endswith("/projects/fake-project/regions/europe-west1")
    assert made["gatewayAddress"] == "10.0.0.1"
    assert made["privateIpGoogleAccess"] is False
    assert [each["rangeName"] for each in made["secondaryIpRanges"]] == ["pods", "services"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "S"}, "Invalid value for field 'resource.name'"),
        ({"network": "projects/fake-project/global/networks/other"}, "networks/other' was not found"),
        ({"ipCidrRange": "10.0.0.1/20"}, "Invalid IPCidrRange: 10.0.0.1/20"),
        ({"ipCidrRange": "10.5.0.0/20"}, "conflicts with existing subnetwork's range 10.5.0.0/20"),
        ({"secondaryIpRanges": [{"rangeName": "a", "ipCidrRange": "10.0.8.0/24"}]}, "10.0.8.0/24 conflicts"),
        (
            {"secondaryIpRanges": [{"rangeName": "a", "ipCidrRange": f"10.{i}.0.0/16"} for i in (4, 5)]},
            "two ranges have the same name",
        ),
    ],
)
@pytest.mark.usefixtures("network")
def test_a_subnetwork_that_cannot_be(api: Client, change: JSON, message: str) -> None:
    assert message in api.post(f"{REGION}/subnetworks", subnetwork() | change).error


@pytest.mark.usefixtures("network")
def test_subnetworks_of_a_network_are_apart(api: Client) -> None:
    insert(api, f"{REGION}/subnetworks", subnetwork())
    other = {"name": "other", "network": NETWORK, "ipCidrRange": "10.6.0.0/24"}
    assert "conflicts with existing subnetwork's range 10.4.0.0/14" in api.post(f"{REGION}/subnetworks", other).error


@pytest.mark.usefixtures("network")
def test_a_subnetwork_is_changed_by_its_fingerprint(api: Client) -> None:
    made = insert(api, f"{REGION}/subnetworks", subnetwork(secondaryIpRanges=[]))
    change = {"secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"}]}
    assert api.patch(f"{REGION}/subnetworks/s", change).error.startswith("412 conditionNotMet")
    done(api, api.patch(f"{REGION}/subnetworks/s", change | {"fingerprint": made["fingerprint"]}))
    changed = api.get(f"{REGION}/subnetworks/s").body
    assert changed["secondaryIpRanges"] == change["secondaryIpRanges"]
    assert changed["fingerprint"] != made["fingerprint"]
    moved = {"ipCidrRange": "10.9.0.0/20", "fingerprint": changed["fingerprint"]}
    assert "it cannot be changed" in api.patch(f"{REGION}/subnetworks/s", moved).error
    done(api, api.post(f"{REGION}/subnetworks/s/setPrivateIpGoogleAccess", {"privateIpGoogleAccess": True}))
    done(api, api.post(f"{REGION}/subnetworks/s/expandIpCidrRange", {"ipCidrRange": "10.0.0.0/16"}))
    changed = api.get(f"{REGION}/subnetworks/s").body
    assert (changed["privateIpGoogleAccess"], changed["ipCidrRange"]) == (True, "10.0.0.0/16")
    smaller = api.post(f"{REGION}/subnetworks/s/expandIpCidrRange", {"ipCidrRange": "10.0.0.0/24"})
    assert "does not contain" in smaller.error


@pytest.mark.usefixtures("network")
def test_a_router_with_nat(api: Client) -> None:
    nat = {
        "name": "nat",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    insert(api, f"{REGION}/routers", {"name": "r", "network": NETWORK})
    done(api, api.patch(f"{REGION}/routers/r", {"nats": [nat]}))
    assert api.get(f"{REGION}/routers/r").body["nats"] == [nat]
    wrong: JSON = {"nats": [{"name": "nat", "natIpAllocateOption": "AUTO_ONLY"}]}
    assert "sourceSubnetworkIpRangesToNat': ''. It is required" in api.patch(f"{REGION}/routers/r", wrong).error
    wrong = {"nats": [nat | {"natIps": ["a"]}]}
    assert "they go with MANUAL_ONLY" in api.patch(f"{REGION}/routers/r", wrong).error
    done(api, api.put(f"{REGION}/routers/r", {"name": "r", "network": NETWORK}))
    assert "nats" not in api.get(f"{REGION}/routers/r").body


@pytest.mark.usefixtures("network")
def test_what_is_in_use_stays(api: Client) -> None:
    insert(api, f"{REGION}/subnetworks", subnetwork())
    reply = api.delete(f"{ROOT}/global/networks/n")
    assert reply.error.startswith("400 resourceInUseByAnotherResource: The resource 'projects/fake-project/global/net")
    done(api, api.delete(f"{REGION}/subnetworks/s"))
    done(api, api.delete(f"{ROOT}/global/networks/n"))
    disk = {
        "name": "d",
        "users": [f"https://www.googleapis.com/compute/v1{ROOT[19:]}/zones/europe-west1-b/instances/i"],
    }
    zone = f"{ROOT}/zones/europe-west1-b"
    insert(api, f"{zone}/disks", disk)
    assert "already being used by" in api.delete(f"{zone}/disks/d").error


def test_what_a_cluster_leaves_behind(cloud: FakeCloud, api: Client) -> None:
    zone = f"{ROOT}/zones/europe-west1-b"
    disk = insert(api, f"{zone}/disks", {"name": "pvc-1", "sizeGb": 20, "labels": {"goog-gke-volume": ""}})
    assert (disk["sizeGb"], disk["kind"]) == ("20", "compute#disk")
    insert(api, f"{zone}/disks", {"name": "mine"})
    address = insert(api, f"{REGION}/addresses", {"name": "a"})
    assert address["kind"] == "compute#address"
    service = insert(api, f"{REGION}/backendServices", {"name": "b"})
    rule = {"name": "f", "backendService": service["selfLink"], "description": '{"kubernetes.io/service-name":"x/y"}'}
    insert(api, f"{REGION}/forwardingRules", rule)
    insert(api, f"{ROOT}/global/firewalls", {"name": "k8s-fw-f", "network": "global/networks/default"})

    found = api.get(f"{ROOT}/aggregated/disks?filter=labels.goog-gke-volume%3A*").body["items"]
    assert [each["name"] for each in found["zones/europe-west1-b"]["disks"]] == ["pvc-1"]
    found = api.get(f"{ROOT}/aggregated/forwardingRules").body["items"]
    assert [each["name"] for each in found["regions/europe-west1"]["forwardingRules"]] == ["f"]
    assert api.get(f"{zone}/disks?filter=name%3Dmine").body["items"][0]["name"] == "mine"
    assert api.get(f"{ROOT}/global/firewalls?filter=name%20eq%20k8s-.*").body["items"][0]["name"] == "k8s-fw-f"
    assert api.get(f"{zone}/disks?filter=name%20~%20x").status == 501  # better than a wrong answer

    assert "already being used" in api.delete(f"{REGION}/backendServices/b").error
    for path in ("forwardingRules/f", "backendServices/b", "addresses/a"):
        done(api, api.delete(f"{REGION}/{path}"))
    done(api, api.delete(f"{zone}/disks/pvc-1"))
    done(api, api.delete(f"{ROOT}/global/firewalls/k8s-fw-f"))
    assert [key for key in cloud.state.resources if "/disks/" not in key] == []


def test_labels_of_disks(api: Client) -> None:
    zone = f"{ROOT}/zones/europe-west1-b"
    disk = insert(api, f"{zone}/disks", {"name": "d"})
    change = {"labels": {"a": "b"}}
    assert api.post(f"{zone}/disks/d/setLabels", change).status == 412
    done(api, api.post(f"{zone}/disks/d/setLabels", change | {"labelFingerprint": disk["labelFingerprint"]}))
    assert api.get(f"{zone}/disks/d").body["labels"] == {"a": "b"}


def test_lists_come_in_pages(cloud: FakeCloud, api: Client) -> None:
    for number in range(5):
        cloud.put(f"compute/projects/fake-project/global/networks/n{number}", {"name": f"n{number}"})
    names, token, pages = [], "", 0
    while pages == 0 or token:
        page = api.get(f"{ROOT}/global/networks?maxResults=2&pageToken={token}").body
        names += [each["name"] for each in page["items"]]
        token, pages = page.get("nextPageToken", ""), pages + 1
    assert (names, pages) == ([f"n{number}" for number in range(5)], 3)


def test_quotas_and_machine_types(cloud: FakeCloud, api: Client) -> None:
    cloud.set_quota("europe-west1", "CPUS", limit=24, usage=8)
    quotas = {each["metric"]: each for each in api.get(REGION).body["quotas"]}
    assert (quotas["CPUS"]["limit"], quotas["CPUS"]["usage"]) == (24, 8)
    cloud.set_quota("global", "CPUS_ALL_REGIONS", limit=12)
    assert api.get(ROOT).body["quotas"] == [{"metric": "CPUS_ALL_REGIONS", "limit": 12, "usage": 0}]
    assert len(api.get(f"{ROOT}/regions").body["items"]) == 8
    machine = api.get(f"{ROOT}/zones/europe-west1-b/machineTypes/e2-standard-4").body
    assert (machine["guestCpus"], machine["memoryMb"]) == (4, 16384)
    assert api.get(f"{ROOT}/zones/europe-west1-b/machineTypes/e2-huge-1").status == 404
    assert api.get(f"{ROOT}/zones/europe-west1-a/machineTypes").status == 400  # there is no such zone
    assert api.get(f"{ROOT}/zones/europe-west1-d").body["status"] == "UP"


def test_links_may_lead_to_either_host(api: Client, network: JSON) -> None:
    link = network["selfLink"].replace("www.googleapis.com", "compute.googleapis.com")
    body = subnetwork(network=link)
    assert insert(api, f"{REGION}/subnetworks", body)["network"] == network["selfLink"]
