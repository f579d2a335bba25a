# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Passwords in, tokens out, and who believes them for how long."""

from __future__ import annotations

import base64
import hashlib
import typing as t
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.fakes.openshift import FakeOpenShift
from tests.fakes.openshift.oauth import name_of
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client

Clients = t.Callable[[str], Client]
AUTHORIZE = "/oauth/authorize?client_id=openshift-challenging-client&response_type={}"
SELF = "/apis/user.openshift.io/v1/users/~"
TOKENS = "/apis/oauth.openshift.io/v1/useroauthaccesstokens"


def authorize(client: Client, password: str, kind: str = "token", extra: str = "") -> requests.Response:
    basic = base64.b64encode(f"developer:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "X-CSRF-Token": "1"}
    return client.get(AUTHORIZE.format(kind) + extra, headers=headers, allow_redirects=False)


def test_where_it_is_said(openshift: FakeOpenShift, client: Clients) -> None:
    document = client("").get("/.well-known/oauth-authorization-server").json()
    assert document["issuer"] == openshift.url
    assert document["authorization_endpoint"] == f"{openshift.url}/oauth/authorize"


def test_the_right_password(client: Clients) -> None:
    answer = authorize(client(""), "secret")
    assert answer.status_code == 302
    granted = parse_qs(urlsplit(answer.headers["Location"]).fragment)
    assert granted["token_type"] == ["Bearer"]
    someone = client("")
    someone.token = granted["access_token"][0]
    user = someone.get(SELF).json()
    assert (user["kind"], user["metadata"]["name"]) == ("User", "developer")


def test_the_wrong_password(client: Clients) -> None:
    answer = authorize(client(""), "word")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="openshift"'


def test_a_browser_is_not_asked_for_a_password(client: Clients) -> None:
    answer = client("").get(AUTHORIZE.format("token"), allow_redirects=False)
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers
    assert "oauth/token/request" in answer.headers["Warning"]


def test_an_unknown_client(client: Clients) -> None:
    answer = client("").get("/oauth/authorize?client_id=mine&response_type=token", allow_redirects=False)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(("verifier", "status"), [("right", 200), ("wrong", 400)])
def test_a_code_is_changed_for_a_token_once(client: Clients, verifier: str, status: int) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"right").digest()).decode().rstrip("=")
    extra = f"&code_challenge={digest}&code_challenge_method=S256&state=here"
    query = parse_qs(urlsplit(authorize(client(""), "secret", "code", extra).headers["Location"]).query)
    assert query["state"] == ["here"]
    form = f"grant_type=authorization_code&code={query['code'][0]}&code_verifier={verifier}".encode()
    assert client("").post("/oauth/token", form).status_code == status
    again = client("").post("/oauth/token", form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_expiry(openshift: FakeOpenShift, client: Clients) -> None:
    developer, other = client("developer"), client("other")
    assert openshift.expire("developer") == 1
    for path in (SELF, "/api/v1/namespaces"):  # what the fake answers, and what the API server does
        assert developer.get(path).status_code == 401
    assert other.get(SELF).status_code == 200


def test_revocation(client: Clients) -> None:
    developer, other = client("developer"), client("other")
    name = name_of(developer.token)
    assert [each["metadata"]["name"] for each in developer.get(TOKENS).json()["items"]] == [name]
    assert other.delete(f"{TOKENS}/{name}").status_code == 404
    assert developer.delete(f"{TOKENS}/{name}").status_code == 200
    assert developer.get(SELF).status_code == 401


def test_who_one_is(client: Clients, api_server: ApiServer, openshift: FakeOpenShift) -> None:
    assert client("").get(SELF).status_code == 403
    stranger = client("")
    stranger.token = "no-such-token"
    assert stranger.get(SELF).status_code == 401
    api_server.service_accounts["token-of-a-pod"] = "system:serviceaccount:lab:builder"
    stranger.token = "token-of-a-pod"
    user = stranger.get(SELF).json()
    assert user["metadata"]["name"] == "system:serviceaccount:lab:builder"
    assert "system:serviceaccounts" in user["groups"]
    assert [record.status for record in openshift.refused] == [403, 401]


def test_users_and_groups_are_shown_to_whom_it_is_allowed(client: Clients, api_server: ApiServer) -> None:
    root = "/apis/user.openshift.io/v1"
    developer = client("developer")
    assert developer.get(f"{root}/users").status_code == 403
    api_server.allow("team", "get list", "users.user.openshift.io")
    api_server.allow("team", "get list", "groups.user.openshift.io")
    assert [each["metadata"]["name"] for each in developer.get(f"{root}/users").json()["items"]] == [
        "developer",
        "other",
    ]
    assert developer.get(f"{root}/groups/team").json()["users"] == ["developer"]
    assert developer.get(f"{root}/groups/no").status_code == 404
    assert client("other").get(f"{root}/groups").status_code == 403


def test_the_webhook(openshift: FakeOpenShift, client: Clients) -> None:
    developer = client("developer")

    def review() -> t.Any:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": developer.token}}
        return client("").post("/tokenreview", body).json()

    groups = ["team", "system:authenticated:oauth", "system:authenticated"]
    user = {"username": "developer", "uid": "uid-of-developer", "groups": groups}
    assert review()["status"] == {"authenticated": True, "user": user}
    openshift.expire()
    assert review()["status"] == {"authenticated": False}


def test_an_api_server_that_asks_the_webhook(
    openshift: FakeOpenShift, api_server: ApiServer, client: Clients, tmp_path: Path
) -> None:
    """With forwarded tokens it is the API server that says whether they are good."""
    openshift.settings.impersonate = False
    api_server.webhook = openshift.webhook_config(tmp_path / "webhook.kubeconfig")
    api_server.allow("team", "list", "namespaces")
    developer = client("developer")
    assert developer.get("/api/v1/namespaces").status_code == 200
    assert client("other").get("/api/v1/namespaces").status_code == 403
    # The API server asks the webhook while the fake is busy with a request of its own.
    project = {"apiVersion": "project.openshift.io/v1", "kind": "ProjectRequest", "metadata": {"name": "lab"}}
    assert developer.post("/apis/project.openshift.io/v1/projectrequests", project).status_code == 201
    assert developer.get("/api/v1/namespaces/lab").status_code == 200
    openshift.expire("developer")
    assert developer.get("/api/v1/namespaces").status_code == 401
    assert api_server.seen[-1][0] == ""


def test_impersonation_by_a_user_needs_the_right(client: Clients, api_server: ApiServer) -> None:
    developer = client("developer")
    as_other = {"Impersonate-User": "other"}
    assert developer.get(SELF, headers=as_other).status_code == 403
    api_server.allow("developer", "impersonate", "users")
    assert developer.get(SELF, headers=as_other).json()["metadata"]["name"] == "other"
