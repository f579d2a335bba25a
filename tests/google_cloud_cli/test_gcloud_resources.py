# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same for what a cluster stands on: gcloud makes one thing after the other, and gke_resources all of it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.daskops.kubernetes.plugins.modules import gke_resources

from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.modules.conftest import Ansible
from tests.google_cloud_cli.conftest import Gcloud

JSON = dict[str, t.Any]

REGION = "europe-west1"
PROJECT = "fake-project"
MEMBER = "serviceAccount:dask-nodes@fake-project.iam.gserviceaccount.com"
OURS = "--description=managed-by=daskops"
OPTIONS: JSON = {
    "network": {"name": "net"},
    "subnetwork": {
        "name": "nodes",
        "region": REGION,
        "ip_range": "10.0.0.0/22",
        "pods_range": {"name": "pods", "cidr": "10.4.0.0/14"},
        "services_range": {"name": "services", "cidr": "10.8.0.0/20"},
    },
    "nat": {"router": "router", "name": "nat"},
    "node_service_account": {"account_id": "dask-nodes"},
    "artifact_registry": {"repository": "dask", "location": REGION},
    "labels": {"team": "data"},
}
COMMANDS = (
    ("compute", "networks", "create", "net", "--subnet-mode=custom", OURS),
    (
        *("compute", "networks", "subnets", "create", "nodes", "--network=net", f"--region={REGION}", OURS),
        *("--range=10.0.0.0/22", "--secondary-range=pods=10.4.0.0/14,services=10.8.0.0/20"),
        "--enable-private-ip-google-access",
    ),
    ("compute", "routers", "create", "router", "--network=net", f"--region={REGION}", OURS),
    (
        *("compute", "routers", "nats", "create", "nat", "--router=router", f"--region={REGION}"),
        *("--auto-allocate-nat-external-ips", "--nat-custom-subnet-ip-ranges=nodes:ALL"),
    ),
    (
        *("iam", "service-accounts", "create", "dask-nodes", OURS),
        "--display-name=Nodes of GKE clusters for Dask",
    ),
    (
        *("projects", "add-iam-policy-binding", PROJECT, f"--member={MEMBER}"),
        "--role=roles/container.defaultNodeServiceAccount",
    ),
    (
        *("artifacts", "repositories", "create", "dask", f"--location={REGION}", "--repository-format=docker"),
        *("--description=Images of Dask", "--labels=team=data,managed-by=daskops", "--async"),
    ),
    (
        *("artifacts", "repositories", "add-iam-policy-binding", "dask", f"--location={REGION}", f"--member={MEMBER}"),
        "--role=roles/artifactregistry.reader",
    ),
)


def bodies(cloud: FakeCloud) -> dict[str, JSON]:
    """What was sent, by method."""
    methods = [record.method for record in cloud.writes]
    assert len(methods) == len(set(methods))
    # Links in full and from the project on are the same (discovery, Subnetwork.network).
    text = {record.method: json.dumps(record.body) for record in cloud.writes}
    host = "https://compute.googleapis.com/compute/v1/"
    return {method: json.loads(body.replace(host, "")) for method, body in text.items()}


def test_gcloud_sends_the_same(clouds: tuple[FakeCloud, FakeCloud], ansible: Ansible, gcloud: Gcloud) -> None:
    ansible.good(gke_resources, **OPTIONS)
    for command in COMMANDS:
        gcloud(*command)
    ours, theirs = (bodies(cloud) for cloud in clouds)
    # gcloud has no command for a router with its NAT, and the modules make both by one request.
    theirs["compute.routers.insert"]["nats"] = theirs.pop("compute.routers.patch")["nats"]
    # gcloud repeats what is in the path, and leaves the mode open by its name.
    repository = theirs["artifactregistry.projects.locations.repositories.create"]
    assert repository.pop("name") == f"projects/{PROJECT}/locations/{REGION}/repositories/dask"
    assert repository.pop("mode") == "MODE_UNSPECIFIED"
    for method in ("cloudresourcemanager.projects", "artifactregistry.projects.locations.repositories"):
        # What gcloud always says is needed for bindings with conditions only (discovery, Policy.version), and there are
        # none here. The modules send back the version that they have read.
        versions = [side[f"{method}.setIamPolicy"]["policy"].pop("version", None) for side in (ours, theirs)]
        assert versions[0] in (None, 1)
        assert versions[1] in (None, 1, 3)
    assert theirs == ours
