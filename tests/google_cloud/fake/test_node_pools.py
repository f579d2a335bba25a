# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""GKE's node pools."""

from __future__ import annotations

import typing as t

import pytest

from tests.fakes.google_cloud import FakeCloud, catalog, cluster_update, contract
from tests.fakes.google_cloud.client import Client, Reply
from tests.fakes.google_cloud.errors import JSON
from tests.google_cloud.fake.samples import sample
from tests.google_cloud.fake.test_clusters import covers, place

REGION = "/container/v1/projects/fake-project/locations/europe-west1"
POOLS = f"{REGION}/clusters/c/nodePools"
UPDATE = contract.document("container.v1").properties("UpdateNodePoolRequest")


@pytest.fixture(autouse=True)
def _cluster(cloud: FakeCloud) -> None:
    cloud.add_cluster({"name": "c", "nodePools": [{"name": "core", "initialNodeCount": 1}]})


def wait(api: Client, reply: Reply) -> JSON:
    assert reply.status == 200, reply.error
    return api.wait(f"{REGION}/operations", reply.body)


def pool(api: Client, name: str = "core") -> JSON:
    return t.cast("JSON", api.get(f"{POOLS}/{name}").body)


def test_a_pool_comes_and_goes(api: Client) -> None:
    given = {
        "name": "workers",
        "autoscaling": {"enabled": True, "minNodeCount": 0, "maxNodeCount": 5, "locationPolicy": "ANY"},
        "config": {
            "spot": True,
            "machineType": "e2-standard-4",
            "labels": {"role": "worker"},
            "taints": [{"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}],
        },
    }
    reply = api.post(POOLS, {"nodePool": given})
    assert pool(api, "workers")["status"] == "PROVISIONING"
    assert wait(api, reply)["operationType"] == "CREATE_NODE_POOL"
    found = pool(api, "workers")
    assert found["status"] == "RUNNING"
    assert covers(found["config"], given["config"])
    assert found["autoscaling"] == {"enabled": True, "maxNodeCount": 5, "locationPolicy": "ANY"}  # 0 is not set
    assert "initialNodeCount" not in found
    assert found["config"]["resourceLabels"] == {"goog-gke-node-pool-provisioning-model": "spot"}
    assert found["upgradeSettings"] == {"maxSurge": 1, "strategy": "SURGE"}
    assert found["version"] == catalog.DEFAULT_VERSION
    names = [each["name"] for each in api.get(POOLS).body["nodePools"]]
    assert names == ["core", "workers"]
    assert [each["name"] for each in api.get(f"{REGION}/clusters/c").body["nodePools"]] == names
    wait(api, api.delete(f"{POOLS}/workers"))
    assert api.get(f"{POOLS}/workers").status == 404
    assert api.delete(f"{POOLS}/workers").status == 404


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        (
            {"name": "core"},
            409,
            "Already exists: projects/fake-project/locations/europe-west1/clusters/c/nodePools/core.",
        ),
        ({"name": "Workers"}, 400, "does not match"),
        ({"name": "p", "config": {"spot": True, "preemptible": True}}, 400, "both spot and preemptible"),
        (
            {"name": "p", "config": {"machineType": "e2-huge-1"}},
            400,
            'Machine type with name "e2-huge-1" does not exist',
        ),
        ({"name": "p", "autoscaling": {"enabled": True}}, 400, "maximum has to be at least 1"),
        (
            {"name": "p", "autoscaling": {"enabled": True, "minNodeCount": 3, "maxNodeCount": 2}},
            400,
            "at least its minimum",
        ),
        ({"name": "p", "autoscaling": {"maxNodeCount": 2, "totalMaxNodeCount": 2}}, 400, "not both"),
        ({"name": "p", "locations": ["us-east1-b"]}, 400, "is not a zone of europe-west1"),
        ({"name": "p", "version": "1.1"}, 400, "No valid versions"),
        ({"name": "p", "upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}}, 400, "cannot both be 0"),
        ({"name": "p", "config": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, 400, "TYPE_ENUM"),
    ],
)
def test_what_cannot_be_is_refused(api: Client, given: JSON, status: int, message: str) -> None:
    reply = api.post(POOLS, {"nodePool": given})
    assert reply.status == status
    assert message in reply.error
    assert len(api.get(POOLS).body["nodePools"]) == 1


def test_a_pool_of_a_cluster_that_is_not_there(api: Client) -> None:
    assert api.post(f"{REGION}/clusters/other/nodePools", {"nodePool": {"name": "p"}}).status == 404


def test_size_autoscaling_and_management(cloud: FakeCloud, api: Client) -> None:
    assert wait(api, api.post(f"{POOLS}/core:setSize", {"nodeCount": 3}))["operationType"] == "SET_NODE_POOL_SIZE"
    assert pool(api)["initialNodeCount"] == 3
    assert api.get(f"{REGION}/clusters/c").body["currentNodeCount"] == 9
    scaling = {"enabled": True, "minNodeCount": 1, "maxNodeCount": 4}
    wait(api, api.post(f"{POOLS}/core:setAutoscaling", {"autoscaling": scaling}))
    assert pool(api)["autoscaling"] == scaling
    management = {"autoRepair": True, "autoUpgrade": True}
    wait(api, api.post(f"{POOLS}/core:setManagement", {"management": management}))
    assert pool(api)["management"] == management
    wait(api, api.post(f"{POOLS}/core:setSize", {"nodeCount": 0}))
    assert "initialNodeCount" not in pool(api)
    assert [record.method.rpartition(".")[2] for record in cloud.writes] == [
        "setSize",
        "setAutoscaling",
        "setManagement",
        "setSize",
    ]


def test_instance_groups_follow(api: Client) -> None:
    wait(api, api.post(f"{POOLS}/core:setSize", {"nodeCount": 2}))
    urls = pool(api)["instanceGroupUrls"]
    assert len(urls) == 3
    for url in urls:
        group = api.get(url.replace("https://www.googleapis.com", "/compute"))
        assert group.body["targetSize"] == 2
    wait(api, api.delete(f"{POOLS}/core"))
    assert api.get(urls[0].replace("https://www.googleapis.com", "/compute")).status == 404


# Values that have to be good ones.
SPECIAL: JSON = {
    "diskSizeGb": "200",
    "locations": ["europe-west1-b"],
    "machineType": "n2-standard-8",
    "nodeVersion": catalog.VERSIONS["REGULAR"][1],
}


@pytest.mark.parametrize("field", sorted(UPDATE))
def test_every_field_of_an_update_has_its_place(api: Client, field: str) -> None:
    value = SPECIAL.get(field, sample(UPDATE[field]))
    if field in cluster_update.POOL_COMPANIONS:
        return  # not an update by itself: see below
    reply = api.put(f"{POOLS}/core", {field: value})
    if field in cluster_update.POOL_NOT_MODELLED:
        assert reply.error.startswith("501 UNIMPLEMENTED")
        return
    assert wait(api, reply)["operationType"] == "UPGRADE_NODES"
    path, single = cluster_update.pool_place(field)
    expected = int(value) if field == "diskSizeGb" else value[single] if single else value
    assert covers(place(pool(api), path), expected)


def test_where_some_fields_go() -> None:
    expected = {
        "confidentialNodes": "config.confidentialNodes",
        "gcfsConfig": "config.gcfsConfig",
        "gvnic": "config.gvnic",
        "imageType": "config.imageType",
        "kubeletConfig": "config.kubeletConfig",
        "labels": "config.labels",
        "locations": "locations",
        "loggingConfig": "config.loggingConfig",
        "machineType": "config.machineType",
        "nodeNetworkConfig": "networkConfig",
        "nodeVersion": "version",
        "queuedProvisioning": "queuedProvisioning",
        "resourceLabels": "config.resourceLabels",
        "tags": "config.tags",
        "taints": "config.taints",
        "upgradeSettings": "upgradeSettings",
        "workloadMetadataConfig": "config.workloadMetadataConfig",
    }
    assert {field: ".".join(cluster_update.pool_place(field)[0]) for field in expected} == expected


def test_an_empty_message_clears(api: Client) -> None:
    taint = {"key": "a", "value": "b", "effect": "NO_EXECUTE"}
    wait(api, api.put(f"{POOLS}/core", {"taints": {"taints": [taint]}, "labels": {"labels": {"x": "y"}}}))
    assert pool(api)["config"]["taints"] == [taint]
    wait(api, api.put(f"{POOLS}/core", {"taints": {}, "labels": {}}))
    assert "taints" not in pool(api)["config"]
    assert "labels" not in pool(api)["config"]


def test_a_label_of_gke_stays(api: Client) -> None:
    wait(api, api.put(f"{POOLS}/core", {"resourceLabels": {"labels": {"a": "b"}}}))
    labels = {"a": "b", "goog-gke-node-pool-provisioning-model": "on-demand"}
    assert pool(api)["config"]["resourceLabels"] == labels


def test_upgrades_need_room(api: Client) -> None:
    assert "cannot both be 0" in api.put(f"{POOLS}/core", {"upgradeSettings": {"maxSurge": 0}}).error
    wait(api, api.put(f"{POOLS}/core", {"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 1}}))
    assert pool(api)["upgradeSettings"] == {"maxUnavailable": 1}


def test_a_release_channel_manages_its_pools(cloud: FakeCloud, api: Client) -> None:
    off = {"management": {"autoRepair": True}}
    message = "400 INVALID_ARGUMENT: Auto_upgrade must be true when release_channel REGULAR is set."
    assert api.post(f"{POOLS}/core:setManagement", off).error == message
    assert api.post(POOLS, {"nodePool": {"name": "p"} | off}).error == message
    none = {"channel": "UNSPECIFIED"}
    cloud.add_cluster({"name": "free", "initialNodeCount": 1, "releaseChannel": none})
    path = f"{REGION}/clusters/free/nodePools/default-pool"
    wait(api, api.post(f"{path}:setManagement", off))
    assert api.get(path).body["management"] == {"autoRepair": True}


def test_an_update_of_nothing(api: Client) -> None:
    assert "At least one field" in api.put(f"{POOLS}/core", {"name": "core"}).error


def test_a_stale_etag(api: Client) -> None:
    etag = pool(api)["etag"]
    wait(api, api.put(f"{POOLS}/core", {"etag": etag, "imageType": "UBUNTU_CONTAINERD"}))
    assert api.put(f"{POOLS}/core", {"etag": etag, "imageType": "COS_CONTAINERD"}).error.startswith("409 ABORTED")


def test_one_of_several_pools_has_to_be_named(api: Client) -> None:
    wait(api, api.post(POOLS, {"nodePool": {"name": "p"}}))
    cluster = f"{REGION}/clusters/c"
    assert "desired_node_pool_id must be specified" in api.put(cluster, {"update": {"desiredNodeVersion": "-"}}).error
    update = {"desiredNodePoolId": "p", "desiredNodeVersion": catalog.VERSIONS["REGULAR"][1]}
    wait(api, api.put(cluster, {"update": update}))
    assert pool(api, "p")["version"] == catalog.VERSIONS["REGULAR"][1]
    assert pool(api)["version"] == catalog.DEFAULT_VERSION


def test_workload_identity_is_the_default_where_the_cluster_has_it(cloud: FakeCloud, api: Client) -> None:
    assert "workloadMetadataConfig" not in pool(api)["config"]
    config = {"workloadPool": "fake-project.svc.id.goog"}
    wait(api, api.put(f"{REGION}/clusters/c", {"update": {"desiredWorkloadIdentityConfig": config}}))
    wait(api, api.post(POOLS, {"nodePool": {"name": "p"}}))
    assert pool(api, "p")["config"]["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
    assert cloud.state.identity_pool


def test_who_wants_to_know_is_told() -> None:
    told: list[tuple[str, list[str]]] = []

    def hook(cluster: str, pools: list[JSON]) -> None:
        told.append((cluster, [each["name"] for each in pools]))

    with FakeCloud(on_pools=hook) as cloud:
        api = Client(cloud.port, lambda: cloud.token)
        cloud.add_cluster({"name": "c", "nodePools": [{"name": "core"}]})
        wait(api, api.post(POOLS, {"nodePool": {"name": "workers"}}))
        wait(api, api.delete(f"{POOLS}/workers"))
        wait(api, api.delete(f"{REGION}/clusters/c"))
    assert told == [("c", ["core"]), ("c", ["core", "workers"]), ("c", ["core"]), ("c", [])]


def test_a_hook_that_fails_is_seen() -> None:
    def hook(_cluster: str, _pools: list[JSON]) -> None:
        raise RuntimeError("no nodes")

    with FakeCloud(on_pools=hook, operation_polls=1) as cloud:
        api = Client(cloud.port, lambda: cloud.token)
        reply = api.post(f"{REGION}/clusters", {"cluster": {"name": "c", "initialNodeCount": 1}})
        failed = api.get(f"{REGION}/operations/{reply.body['name']}")
        assert failed.error == "500 INTERNAL: The fake has failed: RuntimeError('no nodes')"
