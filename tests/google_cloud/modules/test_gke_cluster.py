# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""gke_cluster against the fake: what it sends, and what it says."""

from __future__ import annotations

import typing as t

from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster

from tests.google_cloud.modules.conftest import LOCATION, POOL, Ansible

JSON = dict[str, t.Any]

CLUSTER: JSON = {
    "name": "dask",
    "location": LOCATION,
    "network": "dask",
    "subnetwork": "dask",
    "pods_range": "pods",
    "services_range": "services",
    "private_nodes": True,
    "dns_endpoint": True,
    "authorized_networks": [{"cidr": "203.0.113.0/24", "name": "office"}],
    "release_channel": "regular",
    "maintenance": {"daily": "03:00"},
    "labels": {"team": "science"},
    "logging": ["SYSTEM_COMPONENTS"],
    "cost_allocation": True,
    "initial_node_pools": [POOL],
}


def test_from_nothing_to_nothing(ansible: Ansible) -> None:
    created = ansible.good(gke_cluster, **CLUSTER)
    assert created["changed"]
    [sent] = ansible.sent
    assert sent == "clusters.create cluster"
    body = ansible.cloud.writes[0].body["cluster"]
    assert body["resourceLabels"] == {
        "managed-by": "daskops",
        "daskops-deletion-protection": "true",
        "team": "science",
    }
    assert body["workloadIdentityConfig"] == {"workloadPool": "fake-project.svc.id.goog"}
    assert [pool["name"] for pool in body["nodePools"]] == ["core"]
    assert created["cluster"]["status"] == "RUNNING"
    assert created["endpoint"] == "192.0.2.10"

    again = ansible.good(gke_cluster, **CLUSTER)
    assert not again["changed"]
    assert ansible.sent == []
    assert len(ansible.cloud.requests) == 1, "an unchanged run asks once"

    assert "is protected against that" in ansible.bad(gke_cluster, name="dask", location=LOCATION, state="absent")
    assert ansible.cloud.writes == []

    gone = ansible.good(gke_cluster, name="dask", location=LOCATION, state="absent", deletion_protection=False)
    assert gone["changed"]
    assert ansible.sent == ["clusters.delete"]
    assert not ansible.good(gke_cluster, name="dask", location=LOCATION, state="absent")["changed"]
