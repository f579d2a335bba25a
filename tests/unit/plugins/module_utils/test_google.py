# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests to Google's APIs: what is sent again and what is not, and errors as sentences."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest
import requests
from ansible_collections.daskops.kubernetes.plugins.module_utils import _google
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import AnswerLost, Google, GoogleError

JSON = dict[str, t.Any]
PARAMS: JSON = {"project": "my-project", "auth_kind": "accesstoken", "access_token": "secret", "timeout": 60}


NO_QUOTA_PROJECT = (
    "Your application is authenticating by using local Application Default Credentials. The "
    "cloudresourcemanager.googleapis.com API requires a quota project, which is not set by default."
)


def answer(code: int, body: t.Any = None, **headers: str) -> requests.Response:
    result = requests.Response()
    result.status_code = code
    result._content = b"" if body is None else json.dumps(body).encode()
    result.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return result


def error(code: int, status: str, message: str = "no", reason: str = "", **metadata: str) -> requests.Response:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}]
    return answer(code, {"error": {"code": code, "status": status, "message": message, "details": details}})


class Answers:
    """What comes back, one after the other; the last one for ever."""

    def __init__(self, *answers: requests.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, JSON | None]] = []

    def __call__(self, method: str, url: str, body: JSON | None) -> requests.Response:
        self.sent.append((method, url, body))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No waiting, only the clock moves on."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(waits))
    return waits


def client(*answers: requests.Response | Exception, **params: t.Any) -> tuple[Google, Answers]:
    google = Google({**PARAMS, **params})
    found = Answers(*answers)
    google._send = found  # type: ignore[method-assign]
    return google, found


def test_where_requests_go() -> None:
    google, sent = client(answer(200, {"a": 1}))
    assert google.get("container", "v1/x", pageSize=3) == {"a": 1}
    google.post("compute", "/compute/v1/y", {"b": 2})
    assert sent.sent == [
        ("GET", "https://container.googleapis.com/v1/x?pageSize=3", None),
        ("POST", "https://compute.googleapis.com/compute/v1/y", {"b": 2}),
    ]
    google, sent = client(answer(204), api_endpoint="https://{service}-own.p.googleapis.com/")
    assert google.delete("iam", "v1/x") == {}
    assert sent.sent[0][1] == "https://iam-own.p.googleapis.com/v1/x"


def test_pages() -> None:
    google, sent = client(answer(200, {"items": [{"a": 1}], "nextPageToken": "n"}), answer(200, {"items": [{}]}))
    assert google.items("compute", "z") == [{"a": 1}, {}]
    assert sent.sent[1][1].endswith("?pageToken=n")


PASSING = [
    error(429, "RESOURCE_EXHAUSTED"),
    error(503, "UNAVAILABLE"),
    error(409, "ABORTED", "There were concurrent changes"),
    error(400, "FAILED_PRECONDITION", "x", "CLUSTER_ALREADY_HAS_OPERATION"),
    error(400, "FAILED_PRECONDITION", "Cluster is running incompatible operation operation-1-a."),
    error(400, "FAILED_PRECONDITION", "Operation operation-1-a is currently upgrading cluster dask. Please wait."),
    error(429, "RESOURCE_EXHAUSTED", 'cluster "dask" hits the concurrent operations quota 5, try again later.'),
]


@pytest.mark.parametrize("passing", PASSING)
def test_what_passes_is_sent_again(passing: requests.Response) -> None:
    google, sent = client(passing, passing, answer(200, {}))
    assert google.post("container", "v1/x") == {}
    assert len(sent.sent) == 3


@pytest.mark.parametrize("lasting", PASSING)
def test_what_does_not_pass_is_said(lasting: requests.Response, slept: list[float]) -> None:
    google, sent = client(lasting)
    with pytest.raises(GoogleError):
        google.post("container", "v1/x")
    assert 4 < len(sent.sent) < 60
    assert 30 < sum(slept) <= 60


@pytest.mark.parametrize(
    "final",
    [
        error(400, "INVALID_ARGUMENT"),
        error(400, "FAILED_PRECONDITION", "The network is not there"),
        error(403, "PERMISSION_DENIED"),
        error(404, "NOT_FOUND"),
        error(409, "ALREADY_EXISTS", "Already exists: operation operation-is-currently-mine"),
        error(412, "FAILED_PRECONDITION"),
    ],
)
def test_what_is_final_is_said_at_once(final: requests.Response) -> None:
    google, sent = client(final)
    with pytest.raises(GoogleError) as caught:
        google.post("container", "v1/x")
    assert len(sent.sent) == 1
    assert caught.value.conflict == (final.status_code == 412)
    assert caught.value.exists == (final.status_code == 409)


@pytest.mark.parametrize("body", [{"etag": "e"}, {"policy": {"etag": "e"}}])
def test_with_an_etag_a_conflict_is_for_the_caller(body: JSON) -> None:
    google, sent = client(error(409, "ABORTED"))
    with pytest.raises(GoogleError) as caught:
        google.post("iam", "v1/x:setIamPolicy", body)
    assert caught.value.conflict
    assert len(sent.sent) == 1


def test_retry_after_is_heeded(slept: list[float]) -> None:
    limited = error(429, "RESOURCE_EXHAUSTED")
    limited.headers["Retry-After"] = "7"
    google, _sent = client(limited, answer(200, {}))
    google.get("container", "v1/x")
    assert 7 <= slept[0] <= 7.5


def test_a_dropped_connection() -> None:
    dropped = requests.ConnectionError("Connection aborted.")
    google, sent = client(dropped, answer(200, {}))
    assert google.get("container", "v1/x") == {}
    assert len(sent.sent) == 2
    for method in ("post", "put", "patch", "delete"):
        google, sent = client(dropped, answer(200, {}))
        arguments: tuple[JSON, ...] = () if method == "delete" else ({},)
        with pytest.raises(AnswerLost, match="it may have been carried out: run again"):
            getattr(google, method)("container", "v1/x", *arguments)
        assert len(sent.sent) == 1
    google, sent = client(error(502, ""), answer(200, {}))
    with pytest.raises(AnswerLost):
        google.post("container", "v1/x")
    assert google.get("container", "v1/x") == {}


def test_reread() -> None:
    attempts = []

    def attempt() -> str:
        attempts.append(1)
        if len(attempts) < 3:
            raise GoogleError("stale", 412, "FAILED_PRECONDITION")
        return "done"

    assert _google.reread(attempt) == "done"

    def gone() -> t.NoReturn:
        raise GoogleError("no", 404)

    with pytest.raises(GoogleError):
        _google.reread(gone)


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            error(403, "PERMISSION_DENIED", 'Required "container.clusters.get" permission(s) for "projects/x".'),
            "grant this account a role with the permission container.clusters.get, if my-project is what is meant.",
        ),
        (
            error(403, "PERMISSION_DENIED", "no", "IAM_PERMISSION_DENIED", permission="compute.networks.get"),
            "grant this account a role with the permission compute.networks.get, if my-project is what is meant.",
        ),
        (
            error(403, "PERMISSION_DENIED", "off", "SERVICE_DISABLED", service="compute.googleapis.com"),
            "enable it: gcloud services enable compute.googleapis.com --project my-project.",
        ),
        (
            answer(403, {"error": {"message": "x", "errors": [{"reason": "accessNotConfigured"}]}}),
            "enable it: gcloud services enable container.googleapis.com --project my-project.",
        ),
        (
            error(403, "PERMISSION_DENIED", NO_QUOTA_PROJECT, "SERVICE_DISABLED", service="compute.googleapis.com"),
            "set it: gcloud auth application-default set-quota-project my-project, or use another auth_kind.",
        ),
        (error(403, "PERMISSION_DENIED", "no", "USER_PROJECT_DENIED"), "(gcloud projects list)."),
        (error(403, "PERMISSION_DENIED", "no", "BILLING_DISABLED"), "link project my-project to a billing account."),
        (error(404, "NOT_FOUND", "The resource 'projects/my-project' was not found"), "(gcloud projects list)."),
        (error(401, "UNAUTHENTICATED"), "or use another auth_kind where a run takes longer."),
        (error(400, "INVALID_ARGUMENT", 'Unknown name "x"'), "check the spelling of what is in spec."),
        (answer(418, "teapot"), 'was answered 418: "teapot".'),
    ],
)
def test_refusals(refusal: requests.Response, sentence: str) -> None:
    google, _sent = client(refusal)
    with pytest.raises(GoogleError) as caught:
        google.get("container", "v1/x")
    assert caught.value.message.startswith("Project my-project: GET container v1/x was answered ")
    assert caught.value.message.endswith(sentence)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"project": ""}, "No project is given"),
        ({"project": "123456789012"}, "give the ID, not the name or the number"),
        ({"api_endpoint": "localhost"}, "which is no URL"),
        ({"access_token": ""}, "there is no token"),
        ({"auth_kind": "serviceaccount"}, "there is no key"),
        ({"auth_kind": "serviceaccount", "service_account_contents": "{}"}, "service_account_contents is no key"),
        ({"auth_kind": "serviceaccount", "service_account_contents": "{"}, "service_account_contents is no key"),
        ({"auth_kind": "serviceaccount", "service_account_file": "/nowhere"}, "the file /nowhere is no key"),
    ],
)
def test_options_that_cannot_be(change: JSON, message: str) -> None:
    with pytest.raises(DaskopsError) as caught:
        Google({**PARAMS, **change})
    assert message in caught.value.message


@pytest.mark.parametrize(("set_already", "expected"), [(None, "my-project"), ("another", "another")])
def test_users_count_against_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_already: str | None, expected: str
) -> None:
    file = tmp_path / "application_default_credentials.json"
    user = {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}
    file.write_text(json.dumps(user | ({"quota_project_id": set_already} if set_already else {})))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.delenv("GOOGLE_CLOUD_QUOTA_PROJECT", raising=False)
    assert _google.credentials({"project": "my-project"}, "").quota_project_id == expected
    assert _google.credentials(PARAMS, "").quota_project_id is None, "a token is used as it is"


# --- operations ---


RUNNING = {"name": "operation-1", "location": "us-central1", "status": "RUNNING"}


def test_forms_of_operations() -> None:
    found = _google.pending("container", RUNNING, "create x", "my-project")
    assert found.path == "v1/projects/my-project/locations/us-central1/operations/operation-1"
    link = "https://www.googleapis.com/compute/v1/projects/my-project/global/operations/o"
    found = _google.pending("compute", {"name": "o", "status": "RUNNING", "selfLink": link}, "x", "my-project")
    assert found.path == "compute/v1/projects/my-project/global/operations/o"
    found = _google.pending("artifactregistry", {"name": "projects/p/locations/l/operations/o"}, "x", "my-project")
    assert found.path == "v1/projects/p/locations/l/operations/o"
    assert found.done is None
    done = {"name": "operations/o", "done": True, "response": {}}
    assert _google.pending("serviceusage", done, "x", "my-project").done == done


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"error": {"code": 8, "message": "Insufficient quota"}}, "with RESOURCE_EXHAUSTED: Insufficient quota; ask"),
        ({"statusMessage": "it broke"}, "failed: it broke."),
        ({"status": "ABORTING"}, "failed: it was cancelled."),
        (
            {"error": {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "none left"}]}},
            "with ZONE_RESOURCE_POOL_EXHAUSTED: none left; the zone has none of these machines now",
        ),
        ({"error": {"code": 7, "message": "not allowed"}}, "grant the permission to the account that is named."),
    ],
)
def test_operations_that_fail(operation: JSON, message: str) -> None:
    google, _sent = client(answer(200, RUNNING), answer(200, {**RUNNING, "status": "DONE", **operation}))
    said: list[str] = []
    with pytest.raises(_google.OperationFailed) as caught:
        _google.wait_operation(google, _google.pending("container", RUNNING, "create x", "my-project"), 60, said.append)
    assert message in caught.value.message
    assert "operation operation-1 (create x)" in caught.value.message
    assert said == ["create x: running", "create x: failed"]


def test_an_operation_that_does_not_end(slept: list[float]) -> None:
    google, sent = client(answer(200, RUNNING))
    with pytest.raises(_google.OperationTimeout, match=r"has not ended after 100 s and goes on; run again"):
        _google.wait_operation(google, _google.pending("container", RUNNING, "x", "my-project"), 100)
    assert slept[0] == 0.25
    assert max(slept) == 5.0
    assert len(sent.sent) < 40


def test_an_operation_that_is_not_known_at_once() -> None:
    google, _sent = client(error(404, "NOT_FOUND"), answer(200, {**RUNNING, "status": "DONE"}))
    waited = _google.wait_operation(google, _google.pending("container", RUNNING, "x", "my-project"), 60)
    assert waited["status"] == "DONE"
