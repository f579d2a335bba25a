# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Google's REST APIs: credentials, requests that are sent again where that is safe, operations, errors as sentences.

Paths carry the API's version: C(v1/projects/...) of container, C(compute/v1/projects/...) of compute.
"""

from __future__ import annotations

import json
import math
import random
import re
import threading
import time
import traceback
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from ansible_collections.daskops.kubernetes.plugins.module_utils import _module
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GCP
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

try:
    import google.auth
    import google.auth.compute_engine
    import google.auth.exceptions
    import google.auth.impersonated_credentials
    import google.auth.transport.requests
    import google.oauth2.credentials
    import google.oauth2.service_account
    import requests

    GOOGLE_IMPORT_ERROR: str | None = None
except ImportError:
    GOOGLE_IMPORT_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

JSON = dict[str, t.Any]
Service = t.Literal[
    "artifactregistry",
    "cloudresourcemanager",
    "compute",
    "container",
    "iam",
    "iamcredentials",
    "serviceusage",
    "storage",
]

PUBLIC_ENDPOINT = "https://{service}.googleapis.com"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"

NO_QUOTA_PROJECT = "requires a quota project"  # in what an API says to a user's credentials

TIMEOUTS = (10, 60)  # to connect, and between two parts of an answer
TRANSIENT_FOR = 120.0  # seconds for which an API that is overloaded or away is asked again
FIRST_DELAY, LONGEST_DELAY = 0.5, 15.0
FIRST_POLL, LONGEST_POLL = 0.25, 5.0

# Neither the documentation nor a reason code covers all of these, so the message decides, too.
_BUSY = re.compile(
    r"incompatible operation|operation [\w-]+ is (currently|already)|is currently (being )?\w+ing "
    r"|please wait and try again|operation (is )?(already )?in progress|already has an operation"
    r"|concurrent operations quota|resource '[^']+' is not ready",
    re.IGNORECASE,
)
_PERMISSION = re.compile(r"[\"']([a-z]+(?:\.[a-zA-Z]+){2})[\"']")


class GoogleError(DaskopsError):
    """An API's answer was no; C(code) is the HTTP status, or 0 where there was none to be had."""

    def __init__(self, message: str, code: int = 0, status: str = "", reason: str = "", text: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.status = status  # such as PERMISSION_DENIED
        self.reason = reason  # such as SERVICE_DISABLED
        self.text = text  # what the API said

    @property
    def not_found(self) -> bool:
        """There is no such thing."""
        return self.code == 404

    @property
    def exists(self) -> bool:
        """There is one by that name already."""
        return self.code == 409 and not self.conflict

    @property
    def conflict(self) -> bool:
        """What was changed is not as it was when it was read: read it again, and decide again."""
        return self.code == 412 or (self.code == 409 and self.status == "ABORTED")

    @property
    def busy(self) -> bool:
        """Another operation has to end first."""
        if self.code not in (400, 409, 429) or self.status == "ALREADY_EXISTS":  # which may name a pool "operation"
            return False
        return self.reason == "CLUSTER_ALREADY_HAS_OPERATION" or bool(_BUSY.search(self.text))


class AnswerLost(GoogleError):
    """A request was sent and its answer never came: it may have been carried out, so read before sending it again."""


class OperationFailed(GoogleError):
    """An operation came to its end with an error; C(code) is that of google.rpc.Code or of compute's HTTP status."""

    def __init__(self, message: str, operation: str, code: int = 0, status: str = "", text: str = "") -> None:
        super().__init__(message, code, status, text=text)
        self.operation = operation


class OperationTimeout(GoogleError):
    """An operation has not come to its end in time, and goes on."""


def run(
    argument_spec: dict[str, dict[str, t.Any]],
    work: t.Callable[[AnsibleModule], dict[str, t.Any]],
    **kwargs: t.Any,
) -> t.NoReturn:
    """Run a module that talks to Google: C(argument_spec) is added to the options for its APIs."""
    _module.run({**GCP, **argument_spec}, work, {"google-auth and requests": GOOGLE_IMPORT_ERROR}, **kwargs)


class Google:
    """Google's APIs with one account, for one project.

    C(params) are a module's parameters with the options of C(_argspec.GCP).  Requests that meet another operation are
    sent again for C(patience) seconds, by default the parameter C(timeout).  Safe to use from several threads.
    """

    def __init__(self, params: JSON, patience: float | None = None) -> None:
        self.project = check_project(params.get("project"))
        self.endpoint = (params.get("api_endpoint") or PUBLIC_ENDPOINT).rstrip("/")
        if not re.match(r"https?://[^/]", self.endpoint):
            raise DaskopsError(
                f"api_endpoint is {self.endpoint!r}, which is no URL; give one such as {PUBLIC_ENDPOINT}, in which "
                "{service} stands for the API's name."
            )
        self.patience = float(params.get("timeout") or 60) if patience is None else patience
        self.until = math.inf  # by time.monotonic(): when the work as a whole has to be done, if somebody says so
        self.auth_kind = params.get("auth_kind") or "application"
        self.principal = params.get("impersonate_service_account")
        self._credentials = credentials(params, self.url("iamcredentials", ""))
        self._reached = False
        self._lock = threading.Lock()
        self._local = threading.local()

    def url(self, service: Service, path: str) -> str:
        """Where a path of an API is."""
        return f"{self.endpoint.replace('{service}', service)}/{path.lstrip('/')}"

    def token(self) -> str:
        """A token that is good for some minutes at least."""
        try:
            with self._lock:
                if not self._credentials.valid:
                    self._credentials.refresh(google.auth.transport.requests.Request())
        except google.auth.exceptions.GoogleAuthError as error:
            raise self._no_token(error) from error
        return str(self._credentials.token)

    def get(self, service: Service, path: str, **params: t.Any) -> JSON:
        """What is there; raises GoogleError where there is nothing."""
        return self.request("GET", service, path, None, params)

    def find(self, service: Service, path: str, **params: t.Any) -> JSON | None:
        """What is there, or None."""
        try:
            return self.get(service, path, **params)
        except GoogleError as error:
            if error.not_found:
                return None
            raise

    def items(self, service: Service, path: str, key: str = "items", **params: t.Any) -> list[JSON]:
        """All that a list holds, on however many pages."""
        found: list[JSON] = []
        while True:
            page = self.get(service, path, **params)
            found += page.get(key) or []
            if not page.get("nextPageToken"):
                return found
            params["pageToken"] = page["nextPageToken"]

    def post(self, service: Service, path: str, body: JSON | None = None, **params: t.Any) -> JSON:
        """Create something, or do what the path says."""
        return self.request("POST", service, path, body or {}, params)

    def put(self, service: Service, path: str, body: JSON, **params: t.Any) -> JSON:
        """Replace or change something, as the API has it."""
        return self.request("PUT", service, path, body, params)

    def patch(self, service: Service, path: str, body: JSON, **params: t.Any) -> JSON:
        """Change a part of something."""
        return self.request("PATCH", service, path, body, params)

    def delete(self, service: Service, path: str, **params: t.Any) -> JSON:
        """Delete something."""
        return self.request("DELETE", service, path, None, params)

    def request(self, method: str, service: Service, path: str, body: JSON | None, params: JSON) -> JSON:
        """The answer to one request, which is sent again as often as that is safe and has a chance.

        Of a request that writes and whose answer did not come it cannot be said whether it was carried out: AnswerLost.
        """
        url = self.url(service, path) + (f"?{urlencode(params, doseq=True)}" if params else "")
        start = time.monotonic()
        delay = FIRST_DELAY
        while True:
            wait = 0.0
            try:
                answer = self._send(method, url, body)
            except requests.RequestException as error:
                failure: GoogleError = self._unanswered(method, service, path, error)
                limit = TRANSIENT_FOR
                again = not isinstance(failure, AnswerLost)
                if isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidURL):
                    again = False
                if _was_not_sent(error) and not self._reached:  # an endpoint that is wrong will not come up
                    again = False
            else:
                self._reached = True
                if answer.status_code < 300:
                    return _json(answer.content)
                failure = self._refusal(method, service, path, answer)
                again, limit = self._again(_reads(method, path), failure, body)
                wait = _seconds(answer.headers.get("Retry-After"))
            jitter = random.uniform(0, delay)
            wait = max(wait + jitter, 0.05)
            waited = time.monotonic() - start + wait
            if not again or waited > min(limit, max(self.patience, FIRST_DELAY)) or start + waited > self.until:
                raise failure
            time.sleep(wait)
            delay = min(delay * 2, LONGEST_DELAY)

    def _again(self, reads: bool, failure: GoogleError, body: JSON | None) -> tuple[bool, float]:
        """Whether the same request may be sent again, and for how long that makes sense."""
        if failure.busy:
            return True, self.patience
        if failure.code in (429, 503):
            return True, TRANSIENT_FOR
        if failure.code in (500, 502, 504):
            return reads, TRANSIENT_FOR
        if failure.code == 409 and failure.status == "ABORTED":
            policy = (body or {}).get("policy")
            return not (
                (body or {}).get("etag") or (isinstance(policy, dict) and policy.get("etag"))
            ), TRANSIENT_FOR  # with an etag the same request can only fail again
        return False, 0.0

    def _send(self, method: str, url: str, body: JSON | None) -> requests.Response:
        self.token()  # one thread refreshes for all
        session = getattr(self._local, "session", None)
        if session is None:
            session = google.auth.transport.requests.AuthorizedSession(self._credentials)
            self._local.session = session
        headers = {"Accept": "application/json", "User-Agent": "daskops.kubernetes"}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            return t.cast(
                "requests.Response",
                session.request(method, url, data=data, headers=headers, timeout=TIMEOUTS, allow_redirects=False),
            )
        except google.auth.exceptions.GoogleAuthError as error:
            raise self._no_token(error) from error

    def _no_token(self, error: Exception) -> GoogleError:
        cause, remedy = _one_line(error), _remedy(self.auth_kind)
        if self.principal and "impersonat" in cause:
            remedy = (
                f"check that {self.principal} is there, and that this account has the role "
                "roles/iam.serviceAccountTokenCreator on it"
            )
        elif self.auth_kind == "accesstoken":
            cause = "the token was refused"
        return GoogleError(
            f"Project {self.project}: no access token could be had by auth_kind {self.auth_kind}: {cause}; {remedy}.",
            401,
            "UNAUTHENTICATED",
        )

    def _unanswered(self, method: str, service: str, path: str, error: Exception) -> GoogleError:
        what = f"Project {self.project}: {method} {service} {path}"
        cause = _one_line(list(_chain(error))[-1])
        if _reads(method, path) or _was_not_sent(error):
            return GoogleError(
                f"{what} got no answer from {self.endpoint}: {cause}; check the network, a proxy and api_endpoint."
            )
        return AnswerLost(
            f"{what} was sent, and its answer did not come: {cause}; it may have been carried out: run again."
        )

    def _refusal(self, method: str, service: str, path: str, answer: requests.Response) -> GoogleError:
        code = int(answer.status_code)
        status, text, reason, metadata = read_error(code, answer.content)
        hint = _hint(code, status, text, reason, metadata, service, self.project, self.auth_kind)
        message = (
            f"Project {self.project}: {method} {service} {path} was answered {f'{code} {status}'.strip()}: "
            f"{_one_line(text)}{hint and f'; {hint}'}."
        )
        if code in (500, 502, 504) and not _reads(method, path):
            return AnswerLost(message, code, status, reason, text)
        return GoogleError(message, code, status, reason, text)


# --- credentials ------------------------------------------------------------------------------------------------------


def check_project(project: str | None) -> str:
    """The project's ID, or an error."""
    if not project:
        raise DaskopsError("No project is given; give the project's ID (project, or GCP_PROJECT in the environment).")
    if not re.fullmatch(r"(?:[a-z0-9][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", project):
        raise DaskopsError(
            f"{project!r} is no ID of a project: those have 6 to 30 lower-case letters, digits and hyphens and begin "
            "with a letter; give the ID, not the name or the number (gcloud projects list)."
        )
    return project


def credentials(params: JSON, iamcredentials: str) -> t.Any:
    """The credentials that the options name; C(iamcredentials) is where tokens of other accounts come from."""
    kind = params.get("auth_kind") or "application"
    scopes = params.get("scopes") or [CLOUD_PLATFORM]
    contents, file = params.get("service_account_contents"), params.get("service_account_file")
    try:
        if kind == "application":
            found = google.auth.default(scopes=scopes)[0]
            # Some APIs want to know which project a user's requests count against; other accounts have their own.
            if isinstance(found, google.oauth2.credentials.Credentials) and not found.quota_project_id:
                found = found.with_quota_project(params.get("project"))
        elif kind == "machineaccount":
            found = google.auth.compute_engine.Credentials(params.get("service_account_email") or "default")
        elif kind == "accesstoken":
            if not params.get("access_token"):
                raise DaskopsError(
                    "auth_kind is accesstoken and there is no token; give access_token, or GCP_ACCESS_TOKEN in the "
                    "environment, such as what gcloud auth print-access-token prints."
                )
            found = google.oauth2.credentials.Credentials(params["access_token"])
        elif contents:
            info = json.loads(contents) if isinstance(contents, str) else contents
            found = google.oauth2.service_account.Credentials.from_service_account_info(info, scopes=scopes)
        elif file:
            found = google.oauth2.service_account.Credentials.from_service_account_file(file, scopes=scopes)
        else:
            raise DaskopsError(
                "auth_kind is serviceaccount and there is no key; give service_account_file or "
                "service_account_contents, or GCP_SERVICE_ACCOUNT_FILE in the environment."
            )
    except (ValueError, OSError, google.auth.exceptions.GoogleAuthError) as error:
        if kind == "application":
            cause = _one_line(str(error).partition(". To set up")[0])
            message = f"No credentials for Google Cloud were found: {cause}; {_remedy(kind)}."
            raise GoogleError(message, 401, "UNAUTHENTICATED") from error
        where = "service_account_contents" if contents else f"the file {file}"
        raise DaskopsError(
            f"{where} is no key of a service account: {_one_line(error)}; "
            "give one that was made by gcloud iam service-accounts keys create."
        ) from error
    principal = params.get("impersonate_service_account")
    if not principal:
        return found
    override = None
    if not iamcredentials.startswith("https://iamcredentials.googleapis.com/"):
        override = f"{iamcredentials.rstrip('/')}/v1/projects/-/serviceAccounts/{principal}:generateAccessToken"
    return google.auth.impersonated_credentials.Credentials(
        found, principal, target_scopes=scopes, iam_endpoint_override=override
    )


def _remedy(kind: str) -> str:
    return {
        "accesstoken": (
            "a token is good for an hour at most and cannot be renewed here: give a new one "
            "(gcloud auth print-access-token), or use another auth_kind where a run takes longer"
        ),
        "serviceaccount": "check that the key and its account are still there and enabled",
        "machineaccount": "run on a machine of Google Cloud that has this account, or use another auth_kind",
    }.get(
        kind,
        "run gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS, or use another auth_kind",
    )


# --- errors -----------------------------------------------------------------------------------------------------------


def read_error(code: int, content: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Status, message, reason and metadata of an error, in the form of any of Google's APIs."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return "", content.decode(errors="replace")[:500] or "no text", "", {}
    if not isinstance(error, dict):  # as token servers have it
        return "", str(error), "", {}
    reason = ""
    metadata: dict[str, str] = {}
    for detail in error.get("details") or []:
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("google.rpc.ErrorInfo"):
            reason, metadata = detail.get("reason", ""), detail.get("metadata") or {}
    if not reason:  # compute and storage have no details
        reason = next((entry.get("reason", "") for entry in error.get("errors") or []), "")
    status = error.get("status") or {409: "ABORTED" if reason == "conditionNotMet" else "ALREADY_EXISTS"}.get(code, "")
    return status, str(error.get("message") or "no text"), reason, metadata


def _hint(
    code: int,
    status: str,
    text: str,
    reason: str,
    metadata: dict[str, str],
    service: str,
    project: str,
    auth_kind: str,
) -> str:
    if NO_QUOTA_PROJECT in text:  # whose reason is that of an API that is not enabled
        return f"set it: gcloud auth application-default set-quota-project {project}, or use another auth_kind"
    if reason in ("SERVICE_DISABLED", "accessNotConfigured"):
        api = metadata.get("service") or f"{service}.googleapis.com"
        return f"enable it: gcloud services enable {api} --project {project}"
    if reason == "BILLING_DISABLED":
        return f"link project {project} to a billing account"
    if reason in ("USER_PROJECT_DENIED", "CONSUMER_INVALID", "RESOURCE_PROJECT_INVALID"):
        return f"check that {project} is the ID of a project that this account may use (gcloud projects list)"
    if reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT":
        return f"the token's scopes do not cover this: use {CLOUD_PLATFORM}"
    if code == 401:
        return _remedy(auth_kind)
    if code == 403 and ("quota" in text.lower() or reason in ("quotaExceeded", "rateLimitExceeded")):
        return "ask for more quota, or for less"
    if code == 403:
        found = _PERMISSION.search(text)
        permission = metadata.get("permission") or (found[1] if found else "")
        if permission:
            return f"grant this account a role with the permission {permission}, if {project} is what is meant"
        return f"ask for the right, or check that {project} is the project that is meant"
    if code == 404 and re.search(rf"projects/{re.escape(project)}['\"]?( was)? not found|project\b.*not found", text):
        return f"check that {project} is the ID of a project (gcloud projects list)"
    if code == 429 or status == "RESOURCE_EXHAUSTED":
        return "ask for more quota, or try again later"
    if code == 400 and "Unknown name" in text:
        return "check the spelling of what is in spec"
    if code >= 500:
        return "this is Google's to mend: try again later"
    return ""


def _reads(method: str, path: str) -> bool:
    """Whether a request changes nothing: some APIs read policies by POST."""
    return method == "GET" or path.endswith((":getIamPolicy", ":testIamPermissions", "/testIamPermissions"))


def _json(content: bytes) -> JSON:
    return t.cast("JSON", json.loads(content)) if content.strip() else {}


def _seconds(header: str | None) -> float:
    """A Retry-After in seconds; its other form, a date, is what no API of these sends."""
    return min(float(header), 60.0) if header and re.fullmatch(r"\d+(\.\d+)?", header) else 0.0


def _chain(error: BaseException | None) -> t.Iterator[BaseException]:
    while error is not None:
        yield error
        error = next((x for x in error.args if isinstance(x, BaseException)), None) or getattr(error, "reason", None)
        if not isinstance(error, BaseException):
            return


def _was_not_sent(error: Exception) -> bool:
    """No connection came to be, so the request cannot have been carried out."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError):
        return True
    return any(
        type(cause).__name__ in ("NewConnectionError", "NameResolutionError", "ProxyError") for cause in _chain(error)
    )


def _one_line(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")[:500]


# --- operations -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pending:
    """An operation that runs: where it is polled and what it does, in words such as C(create cluster dask)."""

    service: Service
    path: str
    name: str
    what: str
    done: JSON | None = None  # what it already was when it was answered


def pending(service: Service, operation: JSON, what: str, project: str, version: str = "v1") -> Pending:
    """An operation as an API answered it: container's, compute's, or one of the APIs' common form."""
    name = str(operation.get("name", ""))
    if service == "container":
        location = operation.get("location") or operation.get("zone")
        path = f"v1/projects/{project}/locations/{location}/operations/{name}"
    elif service == "compute":
        path = re.sub(r"^https?://[^/]+/(?:.*(?=compute/v1/))?", "", str(operation.get("selfLink", "")))
    else:
        path = f"{version}/{name}"
    return Pending(service, path, name, what, operation if _is_done(operation) else None)


def wait_operation(
    google_: Google, operation: Pending, timeout: float, say: t.Callable[[str], None] = lambda _text: None
) -> JSON:
    """The operation when it is done; raises OperationFailed or OperationTimeout."""
    result = wait_operations(google_, [operation], timeout, say)[operation.path]
    if isinstance(result, GoogleError):
        raise result
    return result


def wait_operations(
    google_: Google, operations: t.Sequence[Pending], timeout: float, say: t.Callable[[str], None] = lambda _text: None
) -> dict[str, JSON | GoogleError]:
    """By its path, what became of each operation; all are waited for, even after one has failed."""
    results: dict[str, JSON | GoogleError] = {}
    waiting = list(operations)
    start = time.monotonic()
    delay = FIRST_POLL
    while True:
        for operation in list(waiting):
            found = operation.done or _poll(google_, operation, start)
            if found is None or not _is_done(found):
                status = (found or {}).get("status") or "RUNNING"
                say(f"{operation.what}: {str(status).lower()}{_progress(found or {})}")
                continue
            waiting.remove(operation)
            failure = operation_error(found, operation, google_.project)
            say(f"{operation.what}: {'failed' if failure else 'done'}")
            results[operation.path] = failure or found
        if not waiting:
            return results
        left = timeout - (time.monotonic() - start)
        if left <= 0:
            for operation in waiting:
                results[operation.path] = OperationTimeout(
                    f"Project {google_.project}: operation {operation.name} ({operation.what}) has not ended after "
                    f"{timeout:.0f} s and goes on; run again to wait for it, with a longer timeout if need be.",
                    status="DEADLINE_EXCEEDED",
                )
            return results
        time.sleep(min(delay, max(left, 0.01)))
        delay = min(delay * 1.5, LONGEST_POLL)


def _poll(google_: Google, operation: Pending, start: float) -> JSON | None:
    try:
        return google_.get(operation.service, operation.path)
    except GoogleError as error:
        if error.not_found and time.monotonic() - start < 15:  # not every server knows of it at once
            return None
        raise


def _is_done(operation: JSON) -> bool:
    return operation.get("done") is True or operation.get("status") in ("DONE", "ABORTING")


def _progress(operation: JSON) -> str:
    """Compute counts percent; container names its stages."""
    if isinstance(operation.get("progress"), int):
        return f", {operation['progress']} %"
    stages = (operation.get("progress") or {}).get("stages") or []
    running = [stage["name"] for stage in stages if stage.get("status") == "RUNNING" and stage.get("name")]
    return f", {running[0]}" if running else ""


def operation_error(operation: JSON, about: Pending, project: str) -> OperationFailed | None:
    """Why an operation that is done has failed, if it has.

    Container's have C(error) as google.rpc.Status has it, older ones C(statusMessage) alone; compute's have a list.
    """
    error = operation.get("error") or {}
    listed = error.get("errors") or []
    text = "; ".join(str(entry.get("message") or entry.get("code")) for entry in listed) or error.get("message", "")
    text = text or operation.get("statusMessage") or operation.get("httpErrorMessage") or ""
    code = int(error.get("code") or operation.get("httpErrorStatusCode") or 0)
    aborted = operation.get("status") == "ABORTING"
    if not (error or text or code or aborted):
        return None
    text = text or ("it was cancelled" if aborted else "no reason was given")
    name = (listed[0].get("code") if listed else None) or _CODES.get(code, "")
    lowered = text.lower()
    hint = ""
    if "quota" in lowered:
        hint = "; ask for more quota, or for less"
    elif name == "ZONE_RESOURCE_POOL_EXHAUSTED" or re.search(r"stockout|resources? (available|exhausted)", lowered):
        hint = "; the zone has none of these machines now: add zones, take another machine type, or try later"
    elif code == 7 or "permission" in lowered:
        hint = "; grant the permission to the account that is named"
    return OperationFailed(
        f"Project {project}: operation {about.name} ({about.what}) failed"
        f"{f' with {name}' if name else ''}: {_one_line(text)}{hint}.",
        about.name,
        code,
        name,
        text,
    )


_CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}


# --- what has to be read again ----------------------------------------------------------------------------------------

T = t.TypeVar("T")


def reread(attempt: t.Callable[[], T], times: int = 6) -> T:
    """What C(attempt) returns, which reads, decides and writes: all of it again where others wrote meanwhile."""
    for number in range(times):
        try:
            return attempt()
        except GoogleError as error:
            if not error.conflict or number == times - 1:
                raise
        time.sleep(random.uniform(0, min(FIRST_DELAY * 2**number, LONGEST_DELAY)))
    raise AssertionError
