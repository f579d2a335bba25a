# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every field that the API lets be changed: changed alone, what it needs is sent and no more, and then nothing."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke, _gke_cluster, _gke_node_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke import lookup, nest
from ansible_collections.daskops.kubernetes.plugins.modules import gke_cluster, gke_node_pool

from tests.fakes.google_cloud.cluster_update import NOT_MODELLED
from tests.google_cloud.modules.conftest import LOCATION, Ansible
from tests.google_cloud.modules.schema import SCHEMAS, another, at, leaves, outputs

JSON = dict[str, t.Any]
Path = tuple[str, ...]

# What the API takes is not any value of the type.
VALUES: dict[str, t.Any] = {
    "initialClusterVersion": "1.35",
    "locations": ["europe-west1-b", "europe-west1-c"],
    "workloadIdentityConfig.workloadPool": "fake-project.svc.id.goog",
    "maintenancePolicy.window.dailyMaintenanceWindow.startTime": "03:00",
    "privateClusterConfig.masterIpv4CidrBlock": "172.16.0.0/28",
    "version": "1.34",
    "autoscaling.minNodeCount": 2,
    "config.machineType": "e2-standard-8",
    "config.taints": [{"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}],
}
# What the API takes only together with something else.
SPECS: dict[str, JSON] = {
    "autoscaling.totalMinNodeCount": {"autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3}},
}
# No setting but a version that counts changes; what the fake shows as diskType and diskSizeGb have it, always.
SKIPPED = {"maintenancePolicy.resourceVersion", "config.bootDisk.diskType", "config.bootDisk.sizeGb"}
POOL = {
    "name": "core",
    "initialNodeCount": 1,
    "version": "1.33",
    "autoscaling": {"enabled": True, "minNodeCount": 1, "maxNodeCount": 3},
}


def cluster_cases() -> t.Iterator[t.Any]:
    taken: set[Path] = set()
    for row in _gke_cluster.FIELDS:
        place = tuple(row.path.split("."))
        taken.add(place)
        if row.update in NOT_MODELLED or row.action in ("setLegacyAbac", "setNetworkPolicy"):
            continue  # the fake does not know these; their plans are unit-tested
        for path, schema in leaves(at("Cluster", place), place):
            name = ".".join(path)
            if name in SKIPPED or (path != place and any(path[: len(other)] == other for other in taken - {place})):
                continue
            yield pytest.param(row, path, schema, id=name)


def pool_cases() -> t.Iterator[t.Any]:
    for row in _gke_node_pool.FIELDS:
        place = tuple(row.path.split("."))
        for path, schema in leaves(at("NodePool", place), place):
            if ".".join(path) in SKIPPED:
                continue
            yield pytest.param(f"nodePools.update {row.update}", path, schema, id=".".join(path))
    for name, action in (("autoscaling", "setAutoscaling"), ("management", "setManagement")):
        for path, schema in leaves(at("NodePool", (name,)), (name,)):
            yield pytest.param(f"nodePools.{action} {name}", path, schema, id=".".join(path))


CLUSTER_CASES, POOL_CASES = list(cluster_cases()), list(pool_cases())


@pytest.mark.parametrize(("row", "path", "schema"), CLUSTER_CASES)
def test_cluster(ansible: Ansible, row: _gke_cluster.Field, path: Path, schema: JSON) -> None:
    pools = [{"name": "core", "initialNodeCount": 1}]
    found = ansible.cloud.add_cluster({"name": "dask", "nodePools": pools}, LOCATION)
    value = VALUES.get(".".join(path)) or another(schema, lookup(found, path))
    task: JSON = {"name": "dask", "location": LOCATION, "adopt": True, "spec": nest(path, value)}
    expected = f"clusters.update {row.update}" if row.update else f"clusters.{row.action}"

    looked = ansible.good(gke_cluster, check=True, **task)
    assert looked["changed"]
    assert ansible.cloud.writes == []
    done = ansible.good(gke_cluster, **task)
    assert done["changed"]
    assert [
        sent.removesuffix(" labelFingerprint resourceLabels").removesuffix(" maintenancePolicy")
        for sent in ansible.sent
    ] == [expected]
    assert done["calls"] == looked["calls"]
    assert "warnings" not in done
    assert not ansible.good(gke_cluster, **task)["changed"]
    assert ansible.cloud.writes == []


@pytest.mark.parametrize(("expected", "path", "schema"), POOL_CASES)
def test_pool(ansible: Ansible, expected: str, path: Path, schema: JSON) -> None:
    cluster = {"name": "dask", "nodePools": [POOL], "releaseChannel": {"channel": "UNSPECIFIED"}}
    found = ansible.cloud.add_cluster(cluster, LOCATION)["nodePools"][0]
    value = VALUES.get(".".join(path)) or another(schema, lookup(found, path))
    spec = SPECS.get(".".join(path)) or nest(path, value)
    task: JSON = {"cluster": "dask", "location": LOCATION, "pools": [{"name": "core", "spec": spec}]}

    looked = ansible.good(gke_node_pool, check=True, **task)
    assert looked["changed"]
    assert ansible.cloud.writes == []
    done = ansible.good(gke_node_pool, **task)
    assert ansible.sent == [f"clusters.{expected}"]
    assert done["calls"] == looked["calls"]
    assert "warnings" not in done
    assert not ansible.good(gke_node_pool, **task)["changed"]
    assert ansible.cloud.writes == []


def test_no_field_is_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    """The tables and the API's schemas name the same fields, so that a new one is news."""
    cluster = {row.update for row in _gke_cluster.FIELDS if row.update}
    assert cluster | set(_gke_cluster.UNUSED) == set(SCHEMAS["ClusterUpdate"]["properties"])
    assert not cluster & set(_gke_cluster.UNUSED)
    pool = {row.update for row in _gke_node_pool.FIELDS}
    assert pool | set(_gke_node_pool.UNUSED) == set(SCHEMAS["UpdateNodePoolRequest"]["properties"])
    assert not pool & set(_gke_node_pool.UNUSED)
    with capsys.disabled():
        print(
            f"\n{len(CLUSTER_CASES)} settings in {len({case.values[0].path for case in CLUSTER_CASES})} fields of a "
            f"cluster and {len(POOL_CASES)} in {len({case.values[0] for case in POOL_CASES})} of a node pool, each "
            "changed alone"
        )


def test_what_the_api_only_says_is_never_sent() -> None:
    for schema, paths in (
        ("Cluster", [row.path for row in _gke_cluster.FIELDS]),
        ("NodePool", [entry.path for entry in _gke_node_pool.FIELDS]),
    ):
        for path in paths:
            place = at(schema, tuple(path.split(".")))
            reference = place.get("$ref") or place.get("items", {}).get("$ref")
            if reference:
                within = _gke.OUTPUT_ONLY_WITHIN.get(path.rpartition(".")[2], set())
                assert outputs(reference) - within <= _gke.OUTPUT_ONLY, path
    assert not any(_gke.OUTPUT_ONLY & set(case.values[1]) for case in CLUSTER_CASES + POOL_CASES)
