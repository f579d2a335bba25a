# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures on demand: each of them looks as the real one does, comes as often as it is meant to, and then is over."""

from __future__ import annotations

import http.client

import pytest

from tests.fakes.google_cloud import FakeCloud, contract
from tests.fakes.google_cloud.client import Client
from tests.fakes.google_cloud.cloud import permission
from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.failures import OPERATION, REQUEST

REGION = "/container/v1/projects/fake-project/locations/europe-west1"
CLUSTER = f"{REGION}/clusters/c"
POOLS = f"{CLUSTER}/nodePools"
BODY: JSON = {"cluster": {"name": "c", "nodePools": [{"name": "core", "initialNodeCount": 1}]}}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", "429 RESOURCE_EXHAUSTED: Quota exceeded"),
        ("unavailable", "503 UNAVAILABLE: The service is currently unavailable."),
        ("internal", "500 INTERNAL: Internal error encountered."),
        ("in_progress", "400 FAILED_PRECONDITION: Cluster is running incompatible operation operation-"),
        ("conflict", "409 ABORTED: Operation operation-"),
        (
            "permission",
            '403 PERMISSION_DENIED: Required "container.clusters.create" permission(s) for "projects/fake-project',
        ),
        ("quota_project", "403 PERMISSION_DENIED: The API requires a quota project"),
        ("token_expired", "401 UNAUTHENTICATED: Request had invalid authentication credentials."),
    ],
)
def test_what_a_request_can_meet(cloud: FakeCloud, api: Client, kind: str, error: str) -> None:
    cloud.fail("clusters.create", kind, times=2)
    for _turn in range(2):
        reply = api.post(f"{REGION}/clusters", BODY)
        assert reply.error.startswith(error)
        assert cloud.cluster("c") is None
    assert (reply.headers.get("Retry-After") == "1") == (kind == "rate_limit")
    assert api.post(f"{REGION}/clusters", BODY).status == 200
    assert [record.status for record in cloud.writes][-1] == 200


def test_all_kinds_have_a_test() -> None:
    assert set(REQUEST) == {
        *("rate_limit", "unavailable", "internal", "in_progress", "conflict", "permission", "token_expired"),
        *("quota_project", "drop", "drop_answer"),
    }
    assert set(OPERATION) == {"quota", "stockout", "error", "never_ends"}


def test_the_connection_ends_before_anything_happened(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("clusters.create", "drop")
    with pytest.raises(http.client.RemoteDisconnected):
        api.post(f"{REGION}/clusters", BODY)
    assert cloud.cluster("c") is None
    assert cloud.writes[-1].error == "dropped"


def test_the_connection_ends_when_it_was_done(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("clusters.create", "drop_answer")
    with pytest.raises(http.client.RemoteDisconnected):
        api.post(f"{REGION}/clusters", BODY)
    assert cloud.cluster("c")["status"] == "PROVISIONING"


def test_the_connection_ends_in_the_middle_of_a_wait(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("operations.get", "drop", after=1)
    path = f"{REGION}/operations/{api.post(f'{REGION}/clusters', BODY).body['name']}"
    assert api.get(path).body["status"] == "RUNNING"
    with pytest.raises(http.client.RemoteDisconnected):
        api.get(path)
    assert api.get(path).body["status"] == "DONE"


def test_a_token_that_expires_stays_expired(cloud: FakeCloud, api: Client) -> None:
    old = cloud.token
    cloud.fail("operations.get", "token_expired")
    path = f"{REGION}/operations/{api.post(f'{REGION}/clusters', BODY).body['name']}"
    first = api.get(path)
    assert first.status == 401
    assert "invalid_token" in first.headers["WWW-Authenticate"]
    again = api.send("GET", path, headers={"Authorization": f"Bearer {old}"})
    assert again.status == 401
    assert api.get(path).status == 200  # this client asks for a token each time
    assert cloud.token != old


def test_a_creation_that_fails(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("CREATE_CLUSTER", "quota")
    done = api.wait(f"{REGION}/operations", api.post(f"{REGION}/clusters", BODY).body)
    assert done["status"] == "DONE"
    assert done["error"]["code"] == 8
    assert "Insufficient regional quota" in done["error"]["message"]
    assert done["statusMessage"] == done["error"]["message"]
    assert done["clusterConditions"][0]["code"] == "GCE_QUOTA_EXCEEDED"
    cluster = cloud.cluster("c")
    assert cluster["status"] == "ERROR"
    assert cluster["statusMessage"] == done["error"]["message"]
    assert "endpoint" not in cluster
    api.wait(f"{REGION}/operations", api.delete(CLUSTER).body)
    api.wait(f"{REGION}/operations", api.post(f"{REGION}/clusters", BODY).body)
    assert cloud.cluster("c")["status"] == "RUNNING"


def test_a_pool_that_finds_no_machines(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(BODY["cluster"])
    cloud.fail("CREATE_NODE_POOL", "stockout")
    done = api.wait(f"{REGION}/operations", api.post(POOLS, {"nodePool": {"name": "p"}}).body)
    assert done["error"]["code"] == 8
    assert "GCE_STOCKOUT" in done["error"]["message"]
    assert done["nodepoolConditions"][0]["canonicalCode"] == "RESOURCE_EXHAUSTED"
    assert api.get(f"{POOLS}/p").body["status"] == "ERROR"
    assert api.get(CLUSTER).body["status"] == "RUNNING"


@pytest.mark.parametrize("on", ["UPDATE_CLUSTER", "clusters.update", "container.projects.locations.clusters.*"])
def test_an_update_that_fails_changes_nothing(cloud: FakeCloud, api: Client, on: str) -> None:
    cloud.add_cluster(BODY["cluster"])
    cloud.fail(on, "error", message="Something broke.")
    update = {"update": {"desiredReleaseChannel": {"channel": "RAPID"}}}
    done = api.wait(f"{REGION}/operations", api.put(CLUSTER, update).body)
    assert done["error"] == {"code": 13, "message": "Something broke."}
    assert api.get(CLUSTER).body["releaseChannel"] == {"channel": "REGULAR"}


def test_a_deletion_that_fails(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(BODY["cluster"])
    cloud.fail("DELETE_CLUSTER", "error")
    api.wait(f"{REGION}/operations", api.delete(CLUSTER).body)
    assert cloud.cluster("c")["status"] == "ERROR"


def test_an_operation_that_never_ends(cloud: FakeCloud, api: Client) -> None:
    cloud.add_cluster(BODY["cluster"])
    cloud.fail("DELETE_CLUSTER", "never_ends")
    operation = api.delete(CLUSTER).body
    with pytest.raises(AssertionError, match="is not done after 50 polls"):
        api.wait(f"{REGION}/operations", operation, polls=50)
    cloud.settle()
    assert cloud.cluster("c")["status"] == "STOPPING"


def test_an_operation_of_compute_that_fails(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("compute.networks.insert", "quota")
    root = "/compute/compute/v1/projects/fake-project/global"
    done = api.wait(f"{root}/operations", api.post(f"{root}/networks", {"name": "n"}).body)
    assert done["error"]["errors"][0]["code"] == "QUOTA_EXCEEDED"
    assert api.get(f"{root}/networks/n").status == 404


def test_for_ever_and_not_at_first(cloud: FakeCloud, api: Client) -> None:
    cloud.fail("clusters.list", "unavailable", times=None, after=2)
    statuses = [api.get(f"{REGION}/clusters").status for _turn in range(5)]
    assert statuses == [200, 200, 503, 503, 503]


def test_permissions_that_are_not_there(cloud: FakeCloud, api: Client) -> None:
    cloud.deny("container.clusters.create")
    assert '403 PERMISSION_DENIED: Required "container.clusters.create"' in api.post(f"{REGION}/clusters", BODY).error
    assert api.get(f"{REGION}/clusters").status == 200
    asked = {"permissions": ["container.clusters.create", "container.clusters.get"]}
    held = api.post("/cloudresourcemanager/v1/projects/fake-project:testIamPermissions", asked).body
    assert held == {"permissions": ["container.clusters.get"]}


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("container.projects.locations.clusters.create", "container.clusters.create"),
        ("container.projects.locations.clusters.get", "container.clusters.get"),
        ("container.projects.locations.clusters.setResourceLabels", "container.clusters.update"),
        ("container.projects.locations.clusters.nodePools.create", "container.clusters.update"),
        ("container.projects.locations.clusters.nodePools.list", "container.clusters.get"),
        ("container.projects.locations.operations.get", "container.operations.get"),
        ("compute.networks.insert", "compute.networks.create"),
        ("compute.subnetworks.patch", "compute.subnetworks.update"),
        ("compute.disks.aggregatedList", "compute.disks.list"),
        ("iam.projects.serviceAccounts.setIamPolicy", "iam.serviceAccounts.setIamPolicy"),
        ("cloudresourcemanager.projects.setIamPolicy", "resourcemanager.projects.setIamPolicy"),
        ("artifactregistry.projects.locations.repositories.create", "artifactregistry.repositories.create"),
        ("serviceusage.services.batchEnable", "serviceusage.services.enable"),
        ("storage.buckets.insert", "storage.buckets.create"),
    ],
)
def test_which_permission_a_method_needs(method: str, wanted: str) -> None:
    document = contract.document(f"{method.partition('.')[0]}.v1")
    assert permission(document.methods[method]) == wanted


def test_an_api_that_is_not_enabled(cloud: FakeCloud, api: Client) -> None:
    cloud.disable_service("container.googleapis.com")
    reply = api.get(f"{REGION}/clusters")
    assert reply.status == 403
    assert "has not been used in project 123456789012 before or it is disabled" in reply.error
    assert reply.body["error"]["details"][0]["reason"] == "SERVICE_DISABLED"


def test_another_project(api: Client) -> None:
    container = api.get("/container/v1/projects/other/locations/europe-west1/clusters")
    assert (
        container.error
        == '403 PERMISSION_DENIED: Required "container.clusters.list" permission(s) for "projects/other".'
    )
    assert api.get("/compute/compute/v1/projects/other/global/networks").status == 404
    assert api.get("/cloudresourcemanager/v1/projects/other").status == 403
    assert api.get("/serviceusage/v1/projects/other/services/compute.googleapis.com").status == 403


def test_a_failure_that_is_none() -> None:
    with FakeCloud() as cloud:
        with pytest.raises(ValueError, match="There is no failure 'nonsense'; there are: rate_limit"):
            cloud.fail("clusters.create", "nonsense")
        with pytest.raises(ValueError, match="name a method, not the operation CREATE_CLUSTER"):
            cloud.fail("CREATE_CLUSTER", "rate_limit")
