# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a GKE cluster stands on, as it is asked for and as it is there when all is as it was asked for."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core

JSON = dict[str, t.Any]
ROOT = "https://www.googleapis.com/compute/v1/"
ROLE = "roles/container.defaultNodeServiceAccount"

PARAMS: JSON = {
    "cluster": {"name": "dask", "location": "europe-west4"},
    "network": {"name": "net", "create": True},
    "subnetwork": {
        "name": "sub",
        "region": "europe-west4",
        "create": True,
        "ip_range": "10.0.0.0/22",
        "pods_range": {"name": "pods", "cidr": "10.4.0.0/14"},
        "services_range": {"name": "services", "cidr": "10.8.0.0/20"},
    },
    "nat": {"router": "router", "name": "nat", "create": True},
    "node_service_account": {"account_id": "dask-nodes", "create": True, "roles": [ROLE]},
    "artifact_registry": {
        "repository": "images",
        "location": "europe",
        "create": True,
        "readers": ["group:r@example.com"],
        "writers": ["group:w@example.com"],
    },
    "workload_identity": [
        {"namespace": "ns", "service_account": "ksa", "bucket": "data", "role": "roles/storage.objectUser"}
    ],
    "labels": {"team": "x"},
}
EMAIL = "dask-nodes@my-project.iam.gserviceaccount.com"
DESCRIPTION = "managed-by=daskops cluster=dask"


def spec(**changes: t.Any) -> core.Spec:
    params = copy.deepcopy(PARAMS)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(params.get(key), dict):
            params[key].update(value)
        else:
            params[key] = value
    return core.specification(params, "my-project")


def full(wanted: core.Spec | None = None, description: str = DESCRIPTION) -> core.Seen:
    """All as it was asked for."""
    wanted = wanted or spec()
    found: dict[iam.Target, list[JSON]] = {}
    for binding in core.bindings(wanted, "42"):
        found.setdefault(binding.target, []).append({"role": binding.role, "members": [binding.member]})
    policies: dict[iam.Target, JSON | None] = {
        target: {"etag": "a", "bindings": bindings} for target, bindings in found.items()
    }
    return core.Seen(
        number="42",
        network={
            "selfLink": ROOT + wanted.network_path,
            "description": description,
            "subnetworks": [ROOT + wanted.subnetwork_path],
        },
        subnetwork={
            "name": "sub",
            "description": description,
            "selfLink": ROOT + wanted.subnetwork_path,
            "network": ROOT + wanted.network_path,
            "ipCidrRange": "10.0.0.0/22",
            "privateIpGoogleAccess": True,
            "fingerprint": "f",
            "secondaryIpRanges": [
                {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
                {"rangeName": "services", "ipCidrRange": "10.8.0.0/20"},
            ],
        },
        router={
            "description": description,
            "network": ROOT + wanted.network_path,
            "nats": [
                {
                    "name": "nat",
                    "natIpAllocateOption": "AUTO_ONLY",
                    "sourceSubnetworkIpRangesToNat": "LIST_OF_SUBNETWORKS",
                    "subnetworks": [{"name": ROOT + wanted.subnetwork_path, "sourceIpRangesToNat": ["ALL_IP_RANGES"]}],
                }
            ],
        },
        account={"email": EMAIL, "description": description},
        registry={
            "format": "DOCKER",
            "labels": {"team": "x", "managed-by": "daskops", "daskops-cluster": "dask"}
            if description == DESCRIPTION
            else {},
        },
        policies=policies,
    )
