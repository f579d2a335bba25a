# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names, ranges and parts of what a cluster stands on that cannot be."""

from __future__ import annotations

import copy
import ipaddress
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_input as given

JSON = dict[str, t.Any]

GOOD: JSON = {
    "project": "my-project",
    "network": {"name": "dask", "create": True, "project": None},
    "subnetwork": {
        "name": "dask",
        "region": "europe-west4",
        "create": True,
        "ip_range": "10.0.0.0/22",
        "pods_range": {"name": "pods", "cidr": "10.4.0.0/14"},
        "services_range": {"name": "services", "cidr": "10.8.0.0/20"},
        "private_google_access": None,
    },
    "nat": {"router": "dask", "name": "dask", "create": True, "min_ports_per_vm": 128},
    "node_service_account": {"account_id": "dask-nodes", "email": None, "create": True, "roles": ["roles/viewer"]},
    "artifact_registry": {
        "repository": "dask",
        "location": "europe",
        "create": True,
        "readers": ["user:a@example.com"],
        "writers": ["principal://iam.googleapis.com/x"],
    },
    "workload_identity": [
        {
            "namespace": "dask",
            "service_account": "dask-worker",
            "bucket": "my.data",
            "role": "roles/storage.objectUser",
            "google_service_account": "w@my-project.iam.gserviceaccount.com",
        }
    ],
    "labels": {"team": "data", "empty": None},
}


def changed(path: str, value: t.Any) -> JSON:
    """The good options with one value changed."""
    params = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    place: t.Any = params
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return params


def test_what_can_be_is_not_refused() -> None:
    assert given.check_resources(GOOD) == []
    assert given.check_resources({"network": None, "workload_identity": [], "labels": {}}) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("network.name", "Dask", "network.name is 'Dask', which cannot be"),
        ("network.name", "dask-", "network.name"),
        ("network.name", "d" * 64, "network.name"),
        ("network.project", "123456", "network.project"),
        ("subnetwork.name", "", "subnetwork.name"),
        ("subnetwork.region", "europe-west4-a", "subnetwork.region is 'europe-west4-a'"),
        ("subnetwork.region", "europe", "such as europe-west4"),
        ("subnetwork.ip_range", "10.0.0.0", "lacks the length of its prefix"),
        ("subnetwork.ip_range", "10.0.0.1/22", "10.0.0.0/22 may be meant"),
        ("subnetwork.ip_range", "10.0.0.300/22", "no IPv4 range"),
        ("subnetwork.ip_range", "fd00::/64", "no IPv4 range"),
        ("subnetwork.ip_range", "10.0.0.0/30", "/8 to /29"),
        ("subnetwork.ip_range", "127.1.0.0/16", "overlaps with 127.0.0.0/8"),
        ("subnetwork.pods_range.cidr", "10.0.0.0/29", "/9 to /28"),
        ("subnetwork.services_range.cidr", "10.8.0.0/15", "last bits|/16 to /27"),
        ("subnetwork.services_range.cidr", "10.0.0.0/20", "subnetwork.ip_range 10.0.0.0/22 overlaps"),
        ("subnetwork.services_range.cidr", "10.5.0.0/20", "pods_range 10.4.0.0/14 overlaps with subnetwork.services"),
        ("subnetwork.pods_range.name", "Pods", "subnetwork.pods_range.name"),
        ("subnetwork.pods_range.name", "services", "are both called 'services'"),
        ("network", None, "subnetwork is given without the network"),
        ("subnetwork", None, "nat is given without the subnetwork"),
        ("nat.router", "r_1", "nat.router"),
        ("nat.name", "-", "nat.name"),
        ("nat.min_ports_per_vm", 1, "2 to 57344"),
        ("node_service_account.account_id", "short", "6 to 30"),
        ("node_service_account.roles", ["editor"], "node_service_account.roles"),
        ("artifact_registry.repository", "Dask", "artifact_registry.repository"),
        ("artifact_registry.location", "moon", "artifact_registry.location"),
        ("artifact_registry.readers", ["a@example.com"], "artifact_registry.readers"),
        ("artifact_registry.writers", ["group:a b"], "artifact_registry.writers"),
        ("workload_identity.0.namespace", "a.b", "workload_identity[0].namespace"),
        ("workload_identity.0.service_account", "A", "workload_identity[0].service_account"),
        ("workload_identity.0.bucket", "gs://data", "workload_identity[0].bucket"),
        ("workload_identity.0.bucket", "google-data", "workload_identity[0].bucket"),
        ("workload_identity.0.role", "objectUser", "workload_identity[0].role"),
        ("workload_identity.0.google_service_account", "w@example.com", "google_service_account"),
        ("labels.Team", "x", "label Team=x"),
        ("labels.team", "X", "label team=X"),
    ],
)
def test_what_cannot_be(path: str, value: t.Any, words: str) -> None:
    problems = given.check_resources(changed(path, value))
    assert len(problems) == 1, problems
    assert any(word in problems[0] for word in words.split("|"))


def test_an_account_of_another_project_cannot_be_made() -> None:
    params = changed("node_service_account.account_id", None)
    params["node_service_account"]["email"] = "n@other-project.iam.gserviceaccount.com"
    assert "is of another project" in given.check_resources(params)[0]
    params["node_service_account"]["create"] = False
    assert given.check_resources(params) == []
    params["node_service_account"]["email"] = "n@my-project.iam.gserviceaccount.com"
    params["node_service_account"]["create"] = True
    assert given.check_resources(params) == []


def test_all_problems_are_reported() -> None:
    params = changed("network.name", "A")
    params["nat"]["router"] = "B"
    params["labels"] = {"C": "d"}
    assert len(given.check_resources(params)) == 3


def test_zones_and_regions() -> None:
    assert given.is_zone("europe-west4-a")
    assert not given.is_zone("europe-west4")
    assert given.region_of("northamerica-northeast1-b") == "northamerica-northeast1"
    assert given.region_of("europe-west4") == "europe-west4"


def test_overlaps_name_both() -> None:
    problems: list[str] = []
    ranges = [("a", ipaddress.IPv4Network("10.0.0.0/8")), ("b", ipaddress.IPv4Network("10.1.0.0/16"))]
    given.check_overlaps([*ranges, ("c", ipaddress.IPv4Network("192.168.0.0/16"))], problems)
    assert problems == ["a 10.0.0.0/8 overlaps with b 10.1.0.0/16"]


def test_a_project_may_begin_with_a_domain() -> None:
    assert given.account_domain("my-project") == "my-project.iam.gserviceaccount.com"
    assert given.account_domain("example.com:my-project") == "my-project.example.com.iam.gserviceaccount.com"
