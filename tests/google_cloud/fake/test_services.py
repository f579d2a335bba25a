# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Artifact Registry, Cloud Storage, Service Usage, Resource Manager."""

from __future__ import annotations

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client
from tests.fakes.google_cloud.errors import JSON

REGISTRY = "/artifactregistry/v1/projects/fake-project/locations/europe-west1"
REPOSITORIES = f"{REGISTRY}/repositories"
BUCKETS = "/storage/storage/v1/b"
SERVICES = "/serviceusage/v1/projects/fake-project/services"


def test_a_repository(api: Client) -> None:
    body = {"format": "DOCKER", "labels": {"a": "b"}, "description": "images"}
    operation = api.post(f"{REPOSITORIES}?repositoryId=images", body).body
    assert api.get(f"{REPOSITORIES}/images").status == 404
    api.wait(f"{REGISTRY}/operations", operation)
    made = api.get(f"{REPOSITORIES}/images").body
    assert made["name"] == "projects/fake-project/locations/europe-west1/repositories/images"
    assert (made["mode"], made["registryUri"]) == (
        "STANDARD_REPOSITORY",
        "europe-west1-docker.pkg.dev/fake-project/images",
    )
    assert api.post(f"{REPOSITORIES}?repositoryId=images", body).status == 409
    assert api.get(REPOSITORIES).body["repositories"] == [made]
    changed = api.patch(f"{REPOSITORIES}/images?updateMask=description", {"description": "new", "labels": {}}).body
    assert (changed["description"], changed["labels"]) == ("new", {"a": "b"})
    assert "cannot be changed" in api.patch(f"{REPOSITORIES}/images", {"format": "PYTHON"}).error
    api.wait(f"{REGISTRY}/operations", api.delete(f"{REPOSITORIES}/images").body)
    assert api.get(f"{REPOSITORIES}/images").status == 404


@pytest.mark.parametrize(
    ("name", "body"), [("Images", {"format": "DOCKER"}), ("images", {}), ("", {"format": "DOCKER"})]
)
def test_a_repository_that_cannot_be(api: Client, name: str, body: JSON) -> None:
    assert api.post(f"{REPOSITORIES}?repositoryId={name}", body).status == 400


def test_a_repository_where_nothing_is(api: Client) -> None:
    place = "/artifactregistry/v1/projects/fake-project/locations/mars-west1/repositories"
    assert api.get(place).status == 400


def test_a_bucket(cloud: FakeCloud, api: Client) -> None:
    body = {"name": "data-of-mine", "location": "europe-west1"}
    made = api.post(f"{BUCKETS}?project=fake-project", body).body
    assert (made["location"], made["storageClass"], made["metageneration"]) == ("EUROPE-WEST1", "STANDARD", "1")
    assert api.get(f"{BUCKETS}/data-of-mine").body == made
    assert api.get(f"{BUCKETS}?project=fake-project").body["items"] == [made]
    changed = api.patch(f"{BUCKETS}/data-of-mine", {"labels": {"a": "b"}}).body
    assert (changed["labels"], changed["metageneration"]) == ({"a": "b"}, "2")
    assert "cannot be changed" in api.patch(f"{BUCKETS}/data-of-mine", {"location": "us"}).error
    assert api.post(f"{BUCKETS}?project=fake-project", body).status == 409
    cloud.put("storage/b/data-of-mine/o/part.parquet", {"name": "part.parquet"})
    assert api.get(f"{BUCKETS}/data-of-mine/o").body["items"] == [{"name": "part.parquet"}]
    assert "is not empty" in api.delete(f"{BUCKETS}/data-of-mine").error
    cloud.put("storage/b/data-of-mine/o/part.parquet", None)
    assert api.delete(f"{BUCKETS}/data-of-mine").status == 204
    assert api.get(f"{BUCKETS}/data-of-mine").error == "404 notFound: The specified bucket does not exist."


@pytest.mark.parametrize("name", ["Data", "ab", "google-data"])
def test_a_bucket_that_cannot_be(api: Client, name: str) -> None:
    assert "Invalid bucket name" in api.post(f"{BUCKETS}?project=fake-project", {"name": name}).error


def test_services_are_enabled_and_disabled(cloud: FakeCloud, api: Client) -> None:
    cloud.disable_service("container.googleapis.com")
    service = api.get(f"{SERVICES}/container.googleapis.com").body
    assert (service["state"], service["name"]) == (
        "DISABLED",
        "projects/123456789012/services/container.googleapis.com",
    )
    listed = api.get(f"{SERVICES}?filter=state:DISABLED").body["services"]
    assert [each["config"]["name"] for each in listed] == ["container.googleapis.com"]
    names = "names=projects/p/services/container.googleapis.com"
    assert api.get(f"{SERVICES}:batchGet?{names}").body["services"] == [service]
    operation = api.post(f"{SERVICES}:batchEnable", {"serviceIds": ["container.googleapis.com"]}).body
    assert api.get(f"{SERVICES}/container.googleapis.com").body["state"] == "DISABLED"
    assert api.wait("/serviceusage/v1/operations", operation)["done"] is True
    assert api.get(f"{SERVICES}/container.googleapis.com").body["state"] == "ENABLED"
    api.wait("/serviceusage/v1/operations", api.post(f"{SERVICES}/storage.googleapis.com:disable").body)
    assert api.get(f"{BUCKETS}/x").status == 403


def test_the_project(api: Client) -> None:
    first = api.get("/cloudresourcemanager/v1/projects/fake-project").body
    assert (first["projectNumber"], first["lifecycleState"]) == ("123456789012", "ACTIVE")
    third = api.get("/cloudresourcemanager/v3/projects/123456789012").body
    assert (third["name"], third["state"]) == ("projects/123456789012", "ACTIVE")


def test_what_has_no_rules_of_its_own(api: Client) -> None:
    """Collections that behave as the discovery document lets expect."""
    assert api.get(f"{REPOSITORIES}/images/packages").body == {}
    assert api.get(f"{REPOSITORIES}/images/packages/p").status == 404
    pools = "/iam/v1/projects/fake-project/locations/global/workloadIdentityPools"
    reply = api.post(f"{pools}?workloadIdentityPoolId=github", {"displayName": "GitHub"})
    operations = f"{pools}/github/operations"
    assert api.wait(operations, reply.body)["done"] is True
    assert api.get(f"{pools}/github").body["displayName"] == "GitHub"
    api.wait(operations, api.patch(f"{pools}/github?updateMask=disabled", {"disabled": True}).body)
    assert [pool["disabled"] for pool in api.get(pools).body["workloadIdentityPools"]] == [True]
    rules = "/compute/compute/v1/projects/fake-project/global/healthChecks"
    api.post(rules, {"name": "h", "type": "TCP"})
    assert api.post("/__fake__/settle").status == 200
    assert api.get(f"{rules}/h").body["type"] == "TCP"


def test_what_is_not_modelled_says_so(api: Client) -> None:
    for path in ("/iam/v1/projects/fake-project/roles", f"{BUCKETS}/b/notificationConfigs"):
        assert ": The fake does not model" in api.get(path).error
