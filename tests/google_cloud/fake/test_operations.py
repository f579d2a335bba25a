# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Operations that take their time, and what may run beside what."""

from __future__ import annotations

import time

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client

REGION = "/container/v1/projects/fake-project/locations/europe-west1"
CLUSTER = f"{REGION}/clusters/c"
POOLS = f"{CLUSTER}/nodePools"
LABELS = {"update": {"desiredReleaseChannel": {"channel": "RAPID"}}}


@pytest.fixture(autouse=True)
def _cluster(cloud: FakeCloud) -> None:
    cloud.add_cluster({"name": "c", "nodePools": [{"name": "core", "initialNodeCount": 1}]})


def test_pools_are_made_side_by_side(api: Client) -> None:
    first = api.post(POOLS, {"nodePool": {"name": "a"}})
    second = api.post(POOLS, {"nodePool": {"name": "b"}})
    assert (first.status, second.status) == (200, 200)
    running = [each["status"] for each in api.get(f"{REGION}/operations").body["operations"]]
    assert running == ["RUNNING", "RUNNING"]
    api.wait(f"{REGION}/operations", first.body)
    assert api.get(CLUSTER).body["status"] == "RECONCILING"  # the other one still runs
    api.wait(f"{REGION}/operations", second.body)
    assert api.get(CLUSTER).body["status"] == "RUNNING"


def test_nothing_runs_beside_an_operation_on_the_cluster(api: Client) -> None:
    running = api.put(CLUSTER, LABELS).body
    attempts = [
        api.put(CLUSTER, LABELS),
        api.delete(CLUSTER),
        api.post(POOLS, {"nodePool": {"name": "a"}}),
        api.post(f"{POOLS}/core:setSize", {"nodeCount": 2}),
    ]
    for reply in attempts:
        assert reply.error == (f"400 FAILED_PRECONDITION: Cluster is running incompatible operation {running['name']}.")
        assert reply.body["error"]["details"][0]["reason"] == "CLUSTER_ALREADY_HAS_OPERATION"
    api.wait(f"{REGION}/operations", running)
    assert api.put(CLUSTER, LABELS).status == 200


def test_the_cluster_waits_for_its_pools(api: Client) -> None:
    running = api.post(f"{POOLS}/core:setSize", {"nodeCount": 2}).body
    assert running["name"] in api.put(CLUSTER, LABELS).error
    assert running["name"] in api.delete(CLUSTER).error


def test_one_operation_on_a_pool_at_a_time(api: Client) -> None:
    running = api.post(POOLS, {"nodePool": {"name": "a"}}).body
    assert running["name"] in api.post(f"{POOLS}/a:setSize", {"nodeCount": 2}).error
    assert running["name"] in api.delete(f"{POOLS}/a").error
    assert api.post(f"{POOLS}/core:setSize", {"nodeCount": 2}).status == 200


def test_not_too_many_at_a_time(cloud: FakeCloud, api: Client) -> None:
    for number in range(cloud.settings.concurrent_operations):
        assert api.post(POOLS, {"nodePool": {"name": f"p{number}"}}).status == 200
    reply = api.post(POOLS, {"nodePool": {"name": "one-more"}})
    assert reply.error.startswith('429 RESOURCE_EXHAUSTED: Too many operations: cluster "c" hits')
    assert api.get(f"{POOLS}/one-more").status == 404


def test_somebody_elses_operation(cloud: FakeCloud, api: Client) -> None:
    operation = cloud.start_operation("c", "UPGRADE_MASTER")
    assert operation.name in api.put(CLUSTER, LABELS).error
    [shown] = api.get(f"{REGION}/operations").body["operations"]
    assert (shown["operationType"], shown["status"]) == ("UPGRADE_MASTER", "RUNNING")
    cloud.settle()
    assert api.put(CLUSTER, LABELS).status == 200


def test_an_operation_takes_its_seconds() -> None:
    with FakeCloud(operation_polls=1, operation_seconds=0.15) as cloud:
        api = Client(cloud.port, lambda: cloud.token)
        cloud.add_cluster({"name": "c", "initialNodeCount": 1})
        started = time.monotonic()
        path = f"{REGION}/operations/{api.put(CLUSTER, LABELS).body['name']}"
        while api.get(path).body["status"] != "DONE":
            time.sleep(0.01)
        assert 0.15 <= time.monotonic() - started < 5


def test_operations_are_where_they_were_started(api: Client) -> None:
    name = api.put(CLUSTER, LABELS).body["name"]
    assert api.get(f"/container/v1/projects/fake-project/locations/us-east1/operations/{name}").status == 404
    assert api.get(f"{REGION}/operations/operation-1-2").status == 404
    assert api.get("/container/v1/projects/fake-project/locations/us-east1/operations").body == {}


def test_what_may_be_cancelled(api: Client) -> None:
    upgrade = api.put(f"{POOLS}/core", {"imageType": "UBUNTU_CONTAINERD"}).body["name"]
    assert api.post(f"{REGION}/operations/{upgrade}:cancel").status == 200
    assert api.get(f"{REGION}/operations/{upgrade}").body["status"] == "DONE"
    update = api.put(CLUSTER, LABELS).body["name"]
    assert "cannot be cancelled" in api.post(f"{REGION}/operations/{update}:cancel").error


def test_compute_and_the_others_take_their_time_too(api: Client) -> None:
    root = "/compute/compute/v1/projects/fake-project/global"
    operation = api.post(f"{root}/networks", {"name": "n", "autoCreateSubnetworks": False}).body
    assert (operation["status"], operation["progress"]) == ("RUNNING", 0)
    assert api.get(f"{root}/networks/n").status == 404
    assert api.post(f"{root}/networks", {"name": "n"}).status == 409  # it is on its way
    done = api.wait(f"{root}/operations", operation)
    assert done["progress"] == 100
    assert api.get(f"{root}/networks/n").status == 200
    place = "/artifactregistry/v1/projects/fake-project/locations/europe-west1"
    operation = api.post(f"{place}/repositories?repositoryId=r", {"format": "DOCKER"}).body
    assert "done" not in operation
    done = api.wait(f"{place}/operations", operation)
    assert done["response"]["name"] == "projects/fake-project/locations/europe-west1/repositories/r"
