# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Service accounts, and the policies of whatever has one."""

from __future__ import annotations

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client, Reply
from tests.fakes.google_cloud.errors import JSON

ACCOUNTS = "/iam/v1/projects/fake-project/serviceAccounts"
NODES = "dask-nodes@fake-project.iam.gserviceaccount.com"
REPOSITORY = "/artifactregistry/v1/projects/fake-project/locations/europe-west1/repositories/r"
BUCKET = "/storage/storage/v1/b/bucket"


@pytest.fixture
def account(api: Client) -> JSON:
    body = {"accountId": "dask-nodes", "serviceAccount": {"displayName": "Nodes"}}
    reply = api.post(ACCOUNTS, body)
    assert reply.status == 200, reply.error
    return dict(reply.body)


def test_a_service_account(api: Client, account: JSON) -> None:
    assert account["email"] == NODES
    assert account["name"] == f"projects/fake-project/serviceAccounts/{NODES}"
    assert account["displayName"] == "Nodes"
    assert api.get(f"{ACCOUNTS}/{NODES}").body == account
    assert api.get(f"/iam/v1/projects/-/serviceAccounts/{NODES}").body == account
    assert api.get(f"{ACCOUNTS}/{account['uniqueId']}").body == account
    assert api.get(ACCOUNTS).body["accounts"] == [account]
    assert api.get(f"{ACCOUNTS}/{NODES}/keys").body == {}
    assert api.post(ACCOUNTS, {"accountId": "dask-nodes"}).error.startswith("409 ALREADY_EXISTS")
    assert api.delete(f"{ACCOUNTS}/{NODES}").body == {}
    assert api.get(f"{ACCOUNTS}/{NODES}").error.startswith("404 NOT_FOUND: Unknown service account")
    assert api.delete(f"{ACCOUNTS}/{NODES}").status == 404
    assert api.get(f"/iam/v1/projects/-/serviceAccounts/{NODES}").status == 403


@pytest.mark.parametrize("name", ["", "short", "Nodes-of-mine", "a" * 31, "ends-with-"])
def test_names_that_cannot_be(api: Client, name: str) -> None:
    assert api.post(ACCOUNTS, {"accountId": name}).status == 400


def test_a_change_needs_its_mask(api: Client, account: JSON) -> None:
    path = f"{ACCOUNTS}/{account['email']}"
    change: JSON = {"serviceAccount": {"displayName": "Others", "description": "for Dask"}}
    assert "The update mask has to name some of" in api.patch(path, change).error
    assert "The update mask has to name some of" in api.patch(path, change | {"updateMask": "email"}).error
    assert api.patch(path, change | {"updateMask": "display_name"}).body["displayName"] == "Others"
    assert "description" not in api.get(path).body
    stale = {"serviceAccount": {"displayName": "x", "etag": account["etag"]}, "updateMask": "displayName"}
    assert api.patch(path, stale).error.startswith("409 ABORTED")


@pytest.fixture
def places(cloud: FakeCloud, api: Client, account: JSON) -> dict[str, tuple[str, str, str]]:
    """How to read and write each of the policies."""
    cloud.put("storage/b/bucket", {"name": "bucket"})
    cloud.put("artifactregistry/projects/fake-project/locations/europe-west1/repositories/r", {"name": "r"})
    assert api.get(BUCKET).status == 200
    project = "/projects/fake-project"
    return {
        "project": (
            "POST",
            f"/cloudresourcemanager/v1{project}:getIamPolicy",
            f"/cloudresourcemanager/v1{project}:setIamPolicy",
        ),
        "project, version 3": (
            "POST",
            f"/cloudresourcemanager/v3{project}:getIamPolicy",
            f"/cloudresourcemanager/v3{project}:setIamPolicy",
        ),
        "service account": (
            "POST",
            f"{ACCOUNTS}/{account['email']}:getIamPolicy",
            f"{ACCOUNTS}/{account['email']}:setIamPolicy",
        ),
        "repository": ("GET", f"{REPOSITORY}:getIamPolicy", f"{REPOSITORY}:setIamPolicy"),
        "bucket": ("GET", f"{BUCKET}/iam", f"{BUCKET}/iam"),
    }


@pytest.mark.parametrize("what", ["project", "project, version 3", "service account", "repository", "bucket"])
def test_policies_are_guarded_by_an_etag(
    cloud: FakeCloud, api: Client, places: dict[str, tuple[str, str, str]], what: str
) -> None:
    verb, read, write = places[what]

    def send(policy: JSON) -> Reply:
        return api.put(write, policy) if what == "bucket" else api.post(write, {"policy": policy})

    policy = api.send(verb, read).body
    assert "bindings" not in policy
    binding = {"role": "roles/storage.objectViewer", "members": [f"serviceAccount:{NODES}"]}
    written = send(policy | {"bindings": [binding, {"role": "roles/viewer", "members": []}]})
    assert written.status == 200, written.error
    assert written.body["bindings"] == [binding]  # one without members is none
    assert api.send(verb, read).body == written.body
    late = send(policy | {"bindings": []})
    assert late.error.startswith("412 conditionNotMet" if what == "bucket" else "409 ABORTED")
    assert api.send(verb, read).body == written.body
    assert [record.method.rpartition(".")[2] for record in cloud.writes[-2:]] == ["setIamPolicy"] * 2


def test_the_policy_of_a_subnetwork(cloud: FakeCloud, api: Client) -> None:
    """As a shared VPC needs it."""
    path = "projects/fake-project/regions/europe-west1/subnetworks/s"
    cloud.put(f"compute/{path}", {"name": "s"})
    policy = api.get(f"/compute/compute/v1/{path}/getIamPolicy").body
    policy["bindings"] = [{"role": "roles/compute.networkUser", "members": ["group:data@example.org"]}]
    assert api.post(f"/compute/compute/v1/{path}/setIamPolicy", {"policy": policy}).status == 200
    assert api.post(f"/compute/compute/v1/{path}/setIamPolicy", {"policy": policy}).status == 409


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("nodes", "Invalid member: nodes."),
        ("serviceAccount:nobody@fake-project.iam.gserviceaccount.com", "Service account nobody@"),
        (
            "serviceAccount:fake-project.svc.id.goog[dask/worker]",
            "Identity Pool does not exist (fake-project.svc.id.goog)",
        ),
    ],
)
def test_members_that_cannot_be(api: Client, account: JSON, member: str, message: str) -> None:
    policy = {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]}
    reply = api.post(f"{ACCOUNTS}/{account['email']}:setIamPolicy", {"policy": policy})
    assert reply.status == 400
    assert message in reply.error


def test_workloads_can_be_bound_once_a_cluster_has_made_the_pool(cloud: FakeCloud, api: Client, account: JSON) -> None:
    pool = {"workloadPool": "fake-project.svc.id.goog"}
    cloud.add_cluster({"name": "c", "initialNodeCount": 1, "workloadIdentityConfig": pool})
    member = "serviceAccount:fake-project.svc.id.goog[dask/worker]"
    policy = {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]}
    assert api.post(f"{ACCOUNTS}/{account['email']}:setIamPolicy", {"policy": policy}).status == 200


def test_roles_that_cannot_be(api: Client) -> None:
    policy = {"bindings": [{"role": "viewer", "members": ["allUsers"]}]}
    reply = api.post("/cloudresourcemanager/v1/projects/fake-project:setIamPolicy", {"policy": policy})
    assert "Role viewer is not supported" in reply.error


@pytest.mark.usefixtures("places")
def test_what_one_may(cloud: FakeCloud, api: Client) -> None:
    cloud.deny("storage.buckets.setIamPolicy", "artifactregistry.repositories.get")
    asked = {"permissions": ["artifactregistry.repositories.get"]}
    assert api.post(f"{REPOSITORY}:testIamPermissions", asked).body == {}
    found = api.get(
        f"{BUCKET}/iam/testPermissions?permissions=storage.buckets.get&permissions=storage.buckets.setIamPolicy"
    )
    assert found.body == {"permissions": ["storage.buckets.get"]}
    assert api.put(f"{BUCKET}/iam", {"bindings": []}).status == 403


def test_policies_of_what_is_not_there(api: Client) -> None:
    assert api.get(f"{BUCKET}/iam").status == 404
    assert api.get(f"{REPOSITORY}:getIamPolicy").status == 404
    assert api.post(f"{ACCOUNTS}/{NODES}:getIamPolicy").status == 404
