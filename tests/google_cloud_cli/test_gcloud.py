# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A second opinion: gcloud and the modules are asked for the same, each in a cloud of its own, and send the same."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster, gke_node_pool

from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.modules.conftest import Ansible
from tests.google_cloud_cli.comparison import DIFFERENCES, JSON, compare, writes
from tests.google_cloud_cli.conftest import Gcloud

REGION = "europe-west1"
ACCOUNT = "nodes@fake-project.iam.gserviceaccount.com"
START, END = "2026-01-03T03:00:00Z", "2026-01-03T09:00:00Z"

# What the modules mean by default, as gcloud has it.
LABELS = "managed-by=daskops,daskops-deletion-protection=false"
HARDENED = (
    "--scopes=cloud-platform",
    "--shielded-secure-boot",
    "--shielded-integrity-monitoring",
    "--workload-metadata=GKE_METADATA",
    "--enable-autorepair",
    "--enable-autoupgrade",
)

# A cluster that the modules have made.
THERE: JSON = {
    "name": "dask",
    "releaseChannel": {"channel": "REGULAR"},
    "resourceLabels": {"managed-by": "daskops", "daskops-deletion-protection": "false", "team": "science"},
    "workloadIdentityConfig": {"workloadPool": "fake-project.svc.id.goog"},
    "maintenancePolicy": {"window": {"dailyMaintenanceWindow": {"startTime": "01:00"}}},
    "nodePools": [
        {
            "name": "workers",
            "initialNodeCount": 1,
            "autoscaling": {"enabled": True, "totalMinNodeCount": 0, "totalMaxNodeCount": 20, "locationPolicy": "ANY"},
            "config": {
                "labels": {"daskops/role": "worker"},
                "machineType": "e2-standard-4",
                "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "resourceLabels": {"managed-by": "daskops"},
                "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
                "taints": [{"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}],
                "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            },
            "management": {"autoRepair": True, "autoUpgrade": True},
            "upgradeSettings": {"strategy": "SURGE", "maxSurge": 1},
        }
    ],
}


@dataclass(frozen=True)
class Case:
    """The same, said twice."""

    about: str
    module: t.Any
    options: JSON
    gcloud: tuple[str, ...] | tuple[tuple[str, ...], ...]  # a command or several
    known: tuple[str, ...] = ()  # of DIFFERENCES
    there: JSON | None = None

    @property
    def commands(self) -> list[tuple[str, ...]]:
        several = isinstance(self.gcloud[0], tuple)
        return t.cast("list[tuple[str, ...]]", list(self.gcloud) if several else [self.gcloud])


def creation(about: str, options: JSON, *flags: str, known: tuple[str, ...] = (), auto: bool = False) -> Case:
    command = ("clusters", "create-auto" if auto else "create", "dask", *flags)
    return Case(about, gke_cluster, {"name": "dask", "deletion_protection": False, **options}, command, known)


def change(about: str, options: JSON, *flags: str, known: tuple[str, ...] = ()) -> Case:
    """A change of the cluster."""
    given = {"name": "dask", "deletion_protection": False, **options}
    return Case(about, gke_cluster, given, ("clusters", "update", "dask", *flags), known, THERE)


def pool(about: str, options: JSON, *commands: tuple[str, ...], known: tuple[str, ...] = ()) -> Case:
    """A change of the pool, by gcloud node-pools update if it does not say otherwise."""
    flags = [each if each[0] in ("clusters", "node-pools") else ("node-pools", "update", *each) for each in commands]
    complete = tuple(
        (*each[:2], "workers", *each[2:], "--cluster=dask") if each[0] == "node-pools" else each for each in flags
    )
    return Case(
        about, gke_node_pool, {"cluster": "dask", "pools": [{"name": "workers", **options}]}, complete, known, THERE
    )


CREATIONS = [
    creation(
        "a regional cluster",
        {
            "network": "net",
            "subnetwork": "nodes",
            "pods_range": "pods",
            "services_range": "services",
            "private_nodes": True,
            "dns_endpoint": True,
            "workload_identity": True,
            "dataplane_v2": True,
            "release_channel": "stable",
            "shielded_nodes": True,
            "labels": {"team": "science"},
            "maintenance": {"recurring": {"start": START, "end": END, "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU"}},
            "initial_node_pools": [
                {
                    "name": "default-pool",  # as gcloud calls it
                    "machine_type": "e2-standard-4",
                    "autoscaling": {"total_min": 1, "total_max": 3},
                    "service_account": ACCOUNT,
                    "upgrade": {"max_surge": 1, "max_unavailable": 0},
                }
            ],
        },
        "--network=net",
        "--subnetwork=nodes",
        "--enable-ip-alias",
        "--cluster-secondary-range-name=pods",
        "--services-secondary-range-name=services",
        "--enable-private-nodes",
        "--enable-dns-access",
        "--workload-pool=fake-project.svc.id.goog",
        "--enable-dataplane-v2",
        "--release-channel=stable",
        "--enable-shielded-nodes",
        f"--labels={LABELS},team=science",
        f"--maintenance-window-start={START}",
        f"--maintenance-window-end={END}",
        "--maintenance-window-recurrence=FREQ=WEEKLY;BYDAY=SA,SU",
        "--machine-type=e2-standard-4",
        "--num-nodes=1",
        "--enable-autoscaling",
        "--total-min-nodes=1",
        "--total-max-nodes=3",
        f"--service-account={ACCOUNT}",
        "--max-surge-upgrade=1",
        "--max-unavailable-upgrade=0",
        *HARDENED,
        known=("no subnetwork", "labels of the cluster", "surge by name", "times"),
    ),
    creation(
        "a cluster in two zones, of ranges, with observability",
        {
            "node_locations": [f"{REGION}-b", f"{REGION}-c"],
            "pods_range": "10.4.0.0/14",
            "services_range": "/20",
            "private_nodes": True,
            "private_endpoint": True,
            "authorized_networks": [{"cidr": "203.0.113.0/24"}],
            "release_channel": "none",
            "version": "1.34",
            "logging": ["SYSTEM_COMPONENTS", "WORKLOADS"],
            "monitoring": ["SYSTEM_COMPONENTS"],
            "managed_prometheus": True,
            "cost_allocation": True,
            "maintenance": {"daily": "03:00"},
            "initial_node_pools": [
                {
                    "name": "default-pool",  # as gcloud calls it
                    "node_count": 2,
                    "disk_size_gb": 50,
                    "disk_type": "pd-ssd",
                    "image_type": "COS_CONTAINERD",
                    "tags": ["dask"],
                    "max_pods_per_node": 32,
                    "upgrade": {"max_surge": 1, "max_unavailable": 0},
                }
            ],
        },
        f"--node-locations={REGION}-b,{REGION}-c",
        "--enable-ip-alias",
        "--cluster-ipv4-cidr=10.4.0.0/14",
        "--services-ipv4-cidr=/20",
        "--enable-private-nodes",
        "--enable-private-endpoint",
        "--enable-master-authorized-networks",
        "--master-authorized-networks=203.0.113.0/24",
        "--release-channel=None",
        "--cluster-version=1.34",
        "--logging=SYSTEM,WORKLOAD",
        "--monitoring=SYSTEM",
        "--enable-managed-prometheus",
        "--enable-cost-allocation",
        "--workload-pool=fake-project.svc.id.goog",
        "--maintenance-window=03:00",
        f"--labels={LABELS}",
        "--num-nodes=2",
        "--disk-size=50",
        "--disk-type=pd-ssd",
        "--image-type=COS_CONTAINERD",
        "--tags=dask",
        "--max-pods-per-node=32",
        "--max-surge-upgrade=1",
        "--max-unavailable-upgrade=0",
        *HARDENED,
        known=("no subnetwork", "labels of the cluster", "surge by name", "no autoscaling"),
    ),
    creation(
        "Autopilot",
        {
            "autopilot": True,
            "network": "net",
            "subnetwork": "nodes",
            "pods_range": "pods",
            "services_range": "services",
            "private_nodes": True,
            "dns_endpoint": True,
            "release_channel": "rapid",
            "node_service_account": ACCOUNT,
        },
        "--network=net",
        "--subnetwork=nodes",
        "--cluster-secondary-range-name=pods",
        "--services-secondary-range-name=services",
        "--enable-private-nodes",
        "--enable-dns-access",
        "--release-channel=rapid",
        f"--service-account={ACCOUNT}",
        "--scopes=cloud-platform",
        f"--labels={LABELS}",
        known=("no subnetwork", "account of Autopilot"),
        auto=True,
    ),
    Case(
        "a pool of spot VMs",
        gke_node_pool,
        {
            "cluster": "dask",
            "pools": [
                {
                    "name": "spot",
                    "machine_type": "e2-standard-8",
                    "spot": True,
                    "labels": {"daskops/role": "worker"},
                    "taints": [{"key": "dask", "value": "worker"}, {"key": "late", "effect": "PreferNoSchedule"}],
                    "autoscaling": {"total_min": 0, "total_max": 20, "location_policy": "any"},
                    "upgrade": {"max_surge": 0, "max_unavailable": 5},
                    "service_account": ACCOUNT,
                    "secure_boot": True,
                }
            ],
        },
        (
            "node-pools",
            "create",
            "spot",
            "--cluster=dask",
            "--machine-type=e2-standard-8",
            "--spot",
            "--node-labels=daskops/role=worker",
            "--node-taints=dask=worker:NoSchedule,late=:PreferNoSchedule",
            "--num-nodes=0",
            "--enable-autoscaling",
            "--total-min-nodes=0",
            "--total-max-nodes=20",
            "--location-policy=ANY",
            "--max-surge-upgrade=0",
            "--max-unavailable-upgrade=5",
            f"--service-account={ACCOUNT}",
            "--labels=managed-by=daskops",
            *HARDENED,
        ),
        ("surge by name",),
        THERE,
    ),
]

CHANGES = [
    change("labels", {"labels": {"team": "ops", "cost": "7"}}, f"--update-labels={LABELS},team=ops,cost=7"),
    change("a label goes", {"labels": {"team": None}}, "--remove-labels=team"),
    change("the channel", {"release_channel": "rapid"}, "--release-channel=rapid"),
    change("maintenance each day", {"maintenance": {"daily": "03:00"}}, "--maintenance-window=03:00"),
    change(
        "maintenance now and then",
        {"maintenance": {"recurring": {"start": START, "end": END, "recurrence": "FREQ=DAILY"}}},
        f"--maintenance-window-start={START}",
        f"--maintenance-window-end={END}",
        "--maintenance-window-recurrence=FREQ=DAILY",
        known=("times",),
    ),
    change(
        "no maintenance meanwhile",
        {"maintenance": {"exclusions": [{"name": "feast", "start": START, "end": END}]}},
        "--add-maintenance-exclusion-name=feast",
        f"--add-maintenance-exclusion-start={START}",
        f"--add-maintenance-exclusion-end={END}",
        "--add-maintenance-exclusion-scope=no_upgrades",
        known=("times",),
    ),
    change("the DNS endpoint", {"dns_endpoint": True}, "--enable-dns-access"),
    change(
        "who may reach the API server",
        {"authorized_networks": [{"cidr": "203.0.113.0/24"}]},
        "--enable-master-authorized-networks",
        "--master-authorized-networks=203.0.113.0/24",
        known=("access of Google",),
    ),
    change("no public endpoint", {"private_endpoint": True}, "--enable-private-endpoint"),
    change("private nodes", {"private_nodes": True}, "--enable-private-nodes"),
    change("logs", {"logging": ["SYSTEM_COMPONENTS"]}, "--logging=SYSTEM"),
    change("costs", {"cost_allocation": True}, "--enable-cost-allocation"),
    Case(
        "delete the cluster",
        gke_cluster,
        {"name": "dask", "state": "absent", "deletion_protection": False},
        ("clusters", "delete", "dask"),
        there=THERE,
    ),
]

POOLS = [
    pool(
        "autoscaling's limits",
        {"autoscaling": {"total_min": 2, "total_max": 30, "location_policy": "any"}},
        ("--enable-autoscaling", "--total-min-nodes=2", "--total-max-nodes=30", "--location-policy=ANY"),
        known=("autoscaling of a pool",),
    ),
    pool(
        "a fixed size",
        {"node_count": 3},
        ("--no-enable-autoscaling",),
        ("clusters", "resize", "dask", "--node-pool=workers", "--num-nodes=3"),
        known=("autoscaling of a pool",),
    ),
    pool(
        "labels and taints",
        {"labels": {"more": "yes"}, "taints": [{"key": "dask"}, {"key": "late", "effect": "PreferNoSchedule"}]},
        ("--node-labels=daskops/role=worker,more=yes",),
        ("--node-taints=dask=:NoSchedule,late=:PreferNoSchedule",),
    ),
    pool(
        "labels for billing",
        {"resource_labels": {"team": "ops"}},
        ("--labels=managed-by=daskops,team=ops",),
    ),
    pool(
        "surge",
        {"upgrade": {"max_surge": 2, "max_unavailable": 0}},
        ("--max-surge-upgrade=2", "--max-unavailable-upgrade=0"),
    ),
    pool(
        "blue-green",
        {"upgrade": {"blue_green": {"soak_seconds": 600, "batch_node_count": 2, "batch_soak_seconds": 60}}},
        (
            "--enable-blue-green-upgrade",
            "--node-pool-soak-duration=600s",
            "--standard-rollout-policy=batch-node-count=2,batch-soak-duration=60s",
        ),
        known=("surge of before",),
    ),
    pool(
        "other machines",
        {"machine_type": "e2-standard-8", "disk_size_gb": 50, "disk_type": "pd-ssd"},
        ("--machine-type=e2-standard-8", "--disk-size=50", "--disk-type=pd-ssd"),
    ),
    pool("delete the pool", {"state": "absent"}, ("node-pools", "delete")),
]

CASES = [*CREATIONS, *CHANGES, *POOLS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_gcloud_sends_the_same(
    case: Case, clouds: tuple[FakeCloud, FakeCloud], ansible: Ansible, gcloud: Gcloud
) -> None:
    ours, theirs = clouds
    for cloud in clouds:
        if case.there:
            cloud.add_cluster(case.there, REGION)
    found = ours.cluster("dask", REGION) or {}
    result = ansible.good(case.module, location=REGION, **case.options)
    assert result["changed"]
    for command in case.commands:
        gcloud("container", *command, f"--location={REGION}", "--async")
    compare(writes(ours), writes(theirs), case.known, found)


def test_every_difference_is_met() -> None:
    assert {name for case in CASES for name in case.known} == DIFFERENCES.keys()


@pytest.mark.parametrize(
    "flags", [("--update-labels=team=other",), ("--release-channel=rapid",)], ids=["another value", "another request"]
)
def test_what_is_not_the_same_is_seen(
    flags: tuple[str, ...], clouds: tuple[FakeCloud, FakeCloud], ansible: Ansible, gcloud: Gcloud
) -> None:
    for cloud in clouds:
        cloud.add_cluster(THERE, REGION)
    ansible.good(gke_cluster, name="dask", location=REGION, deletion_protection=False, labels={"team": "ops"})
    gcloud("container", "clusters", "update", "dask", *flags, f"--location={REGION}", "--async")
    ours, theirs = (writes(cloud) for cloud in clouds)
    with pytest.raises(AssertionError):
        compare(ours, theirs, (), {})
    with pytest.raises(AssertionError):
        compare(ours, [], (), {})
