# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a pod's token to a bucket: the token is checked as Google would, and the policies decide."""

from __future__ import annotations

import base64
import json
import time
import typing as t
from pathlib import Path

import google.auth.transport.requests
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth import identity_pool

from tests.fakes.google_cloud import FakeCloud
from tests.fakes.google_cloud.client import Client, Reply
from tests.fakes.google_cloud.errors import JSON

POOL = "fake-project.svc.id.goog"
DATA = "data@fake-project.iam.gserviceaccount.com"
MEMBER = f"serviceAccount:{POOL}[dask/worker]"
PRINCIPALS = f"//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/{POOL}"
ACCOUNT_KEY = f"iam/projects/fake-project/serviceAccounts/{DATA}"
AUDIENCE = f"identitynamespace:{POOL}:https://container.googleapis.com/v1/projects/fake-project/locations/l/clusters/c"


def encode(value: JSON | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Issuer:
    """Signs tokens as an API server does."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwks(self) -> JSON:
        numbers = self._key.public_key().public_numbers()
        n, e = (encode(value.to_bytes((value.bit_length() + 7) // 8, "big")) for value in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": n, "e": e}]}

    def token(self, header: JSON | None = None, **claims: t.Any) -> str:
        said = {"aud": [POOL], "sub": "system:serviceaccount:dask:worker", "exp": time.time() + 600} | claims
        signed = f"{encode({'alg': 'RS256', 'kid': 'k1'} | (header or {}))}.{encode(said)}"
        return f"{signed}.{encode(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def cloud(issuer: Issuer) -> t.Iterator[FakeCloud]:
    with FakeCloud(jwks=issuer.jwks) as cloud:
        pool = {"workloadPool": POOL}
        cloud.add_cluster({"name": "c", "initialNodeCount": 1, "workloadIdentityConfig": pool})
        api = Client(cloud.port, lambda: cloud.token)
        assert api.post("/iam/v1/projects/fake-project/serviceAccounts", {"accountId": "another"}).status == 200
        cloud.put(ACCOUNT_KEY, {"name": DATA, "email": DATA, "uniqueId": "1"})
        cloud.put("storage/b/bucket", {"name": "bucket"})
        cloud.put("storage/b/bucket/o/part", {"name": "part"})
        yield cloud


def exchange(cloud: FakeCloud, token: str, audience: str = AUDIENCE) -> Reply:
    body = {
        "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": audience,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
        "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        "subjectToken": token,
    }
    return Client(cloud.port, lambda: "none").post("/sts/v1/token", body)


def workload(cloud: FakeCloud, token: str) -> Client:
    federated = exchange(cloud, token).body["access_token"]
    return Client(cloud.port, lambda: federated)


def impersonate(client: Client) -> Reply:
    path = f"/iamcredentials/v1/projects/-/serviceAccounts/{DATA}:generateAccessToken"
    return client.post(path, {"scope": ["https://www.googleapis.com/auth/cloud-platform"]})


def test_by_a_service_account(cloud: FakeCloud, issuer: Issuer) -> None:
    cloud.grant(ACCOUNT_KEY, "roles/iam.workloadIdentityUser", MEMBER)
    cloud.grant("storage/b/bucket", "roles/storage.objectViewer", f"serviceAccount:{DATA}")
    pod = workload(cloud, issuer.token())
    assert pod.get("/storage/storage/v1/b/bucket/o").status == 403  # not by itself
    reply = impersonate(pod)
    assert reply.status == 200, reply.error
    account = Client(cloud.port, lambda: reply.body["accessToken"])
    assert account.get("/storage/storage/v1/b/bucket/o").body["items"] == [{"name": "part"}]
    assert account.get("/container/v1/projects/fake-project/locations/-/clusters").status == 403
    assert cloud.requests[-1].identity == f"serviceAccount:{DATA}"


@pytest.mark.parametrize(
    "member",
    [
        MEMBER,
        f"principal:{PRINCIPALS}/subject/ns/dask/sa/worker",
        f"principalSet:{PRINCIPALS}/namespace/dask",
    ],
)
def test_directly(cloud: FakeCloud, issuer: Issuer, member: str) -> None:
    cloud.grant("storage/b/bucket", "roles/storage.objectUser", member)
    assert workload(cloud, issuer.token()).get("/storage/storage/v1/b/bucket/o/part").body == {"name": "part"}
    other = workload(cloud, issuer.token(sub="system:serviceaccount:other:worker"))
    assert other.get("/storage/storage/v1/b/bucket/o/part").status == 403


@pytest.mark.parametrize(
    "member",
    [
        f"serviceAccount:{POOL}[dask/other]",
        f"serviceAccount:{POOL}[other/worker]",
        f"principal:{PRINCIPALS}/subject/ns/dask/sa/scheduler",
    ],
)
def test_a_binding_of_another_account_does_not_help(cloud: FakeCloud, issuer: Issuer, member: str) -> None:
    cloud.grant(ACCOUNT_KEY, "roles/iam.workloadIdentityUser", member)
    reply = impersonate(workload(cloud, issuer.token()))
    assert reply.error.startswith('403 PERMISSION_DENIED: Required "iam.serviceAccounts.getAccessToken"')


def test_another_role_does_not_help(cloud: FakeCloud, issuer: Issuer) -> None:
    cloud.grant(ACCOUNT_KEY, "roles/iam.serviceAccountViewer", MEMBER)
    assert impersonate(workload(cloud, issuer.token())).status == 403
    cloud.grant("storage/b/bucket", "roles/storage.objectCreator", MEMBER)
    assert workload(cloud, issuer.token()).get("/storage/storage/v1/b/bucket/o").status == 403


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"aud": ["https://kubernetes.default.svc"]}, "its audience is"),
        ({"exp": time.time() - 60}, "it has expired"),
        ({"sub": "system:node:worker"}, "not a service account"),
        ({"header": {"kid": "k2"}}, "the cluster has no key k2"),
        ({"header": {"alg": "none"}}, "its algorithm is none"),
    ],
)
def test_tokens_that_are_refused(cloud: FakeCloud, issuer: Issuer, change: JSON, why: str) -> None:
    reply = exchange(cloud, issuer.token(**change))
    assert (reply.status, reply.body["error"]) == (400, "invalid_grant")
    assert why in reply.body["error_description"]


def test_a_forged_token(cloud: FakeCloud, issuer: Issuer) -> None:
    header, _claims, signature = issuer.token().split(".")
    claims = {"aud": [POOL], "sub": "system:serviceaccount:kube-system:admin", "exp": time.time() + 600}
    for token in (f"{header}.{encode(claims)}.{signature}", Issuer().token()):
        assert "its signature is not valid" in exchange(cloud, token).body["error_description"]
    assert "not a JSON Web Token" in exchange(cloud, "nonsense").body["error_description"]


def test_another_pool(cloud: FakeCloud, issuer: Issuer) -> None:
    audience = AUDIENCE.replace("fake-project.svc", "other.svc")
    assert exchange(cloud, issuer.token(), audience).body["error"] == "invalid_target"
    cloud.reset()  # with no cluster there is no pool
    assert exchange(cloud, issuer.token()).body["error"] == "invalid_target"


def test_a_service_account_that_is_not_there(cloud: FakeCloud, issuer: Issuer) -> None:
    cloud.put(ACCOUNT_KEY, None)
    assert impersonate(workload(cloud, issuer.token())).status == 404


def test_google_auth_does_it(cloud: FakeCloud, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pod: a projected token and a file of credentials, and Google's own library."""
    for name, value in cloud.proxy_environment().items():
        monkeypatch.setenv(name, value)
    cloud.grant(ACCOUNT_KEY, "roles/iam.workloadIdentityUser", MEMBER)
    cloud.grant("storage/b/bucket", "roles/storage.objectViewer", f"serviceAccount:{DATA}")
    projected, file = tmp_path / "token", tmp_path / "credentials.json"
    projected.write_text(issuer.token())
    cluster = "https://container.googleapis.com/v1/projects/fake-project/locations/europe-west1/clusters/c"
    file.write_text(json.dumps(cloud.external_account(projected, cluster, DATA)))
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = identity_pool.Credentials.from_file(str(file), scopes=scopes)
    session = google.auth.transport.requests.AuthorizedSession(credentials)
    found = session.get("https://storage.googleapis.com/storage/v1/b/bucket/o", timeout=10)
    assert found.json()["items"] == [{"name": "part"}]
    assert cloud.refused == []
