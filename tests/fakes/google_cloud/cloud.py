# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cloud without its front doors: a request in, an answer out, and a record of it."""

from __future__ import annotations

import copy
import json
import re
import threading
import time
import traceback
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.google_cloud import contract, failures
from tests.fakes.google_cloud.artifactregistry import ArtifactRegistry
from tests.fakes.google_cloud.compute import Compute
from tests.fakes.google_cloud.container import Container
from tests.fakes.google_cloud.contract import Method
from tests.fakes.google_cloud.errors import (
    JSON,
    ApiError,
    Dropped,
    OAuthError,
    denied,
    error_info,
    invalid,
    not_found,
)
from tests.fakes.google_cloud.failures import Failure
from tests.fakes.google_cloud.iam import Iam
from tests.fakes.google_cloud.node_pools import PoolHook
from tests.fakes.google_cloud.policies import Policies
from tests.fakes.google_cloud.resourcemanager import ResourceManager
from tests.fakes.google_cloud.serviceusage import ServiceUsage
from tests.fakes.google_cloud.state import Call, Identity, Settings, State
from tests.fakes.google_cloud.storage import Storage
from tests.fakes.google_cloud.tokens import Tokens

METADATA_HOSTS = {"metadata.google.internal", "169.254.169.254"}
HOSTS = {f"{service}.googleapis.com" for service in contract.SERVICES} | {"oauth2.googleapis.com", "www.googleapis.com"}
_LEGACY = {"compute", "storage"}  # their errors have another form
_TOKEN_PATHS = {"/token", "/oauth2/token", "/oauth2/v4/token", "/o/oauth2/token"}
_CONTROL = "/__fake__/"


@dataclass
class Request:
    """What came in. C(host) is what the client believes it speaks to; empty if it knows that it is the fake."""

    verb: str
    host: str
    target: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Answer:
    """What goes out."""

    status: int
    body: JSON | list[t.Any] | str | None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Record:
    """One request, as tests see it."""

    verb: str
    host: str
    path: str
    service: str = ""
    method: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: t.Any = None
    identity: str = ""
    status: int = 0
    error: str = ""
    refused: bool = False  # it was for a host that is not Google's, or none that the fake stands in for
    writes: bool = False
    time: float = field(default_factory=time.time)


class Cloud:
    """Everything behind the front doors. Safe to use from several threads."""

    def __init__(self, settings: Settings, log: Path | None = None, hook: PoolHook | None = None) -> None:
        self.settings = settings
        self.records: list[Record] = []
        self.lock = threading.RLock()
        self._log = log
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
        self._hook = hook
        self.keys: dict[str, t.Any] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything but the settings and the key files."""
        with self.lock:
            self.records.clear()
            self.state = State(self.settings)
            self.policies = Policies(self.state)
            self.tokens = Tokens(self.state, self.policies)
            self.tokens.keys = self.keys
            self.container = Container(self.state, self._hook)
            self._handlers: dict[str, t.Callable[[Call], JSON]] = {
                "artifactregistry": ArtifactRegistry(self.state, self.policies).handle,
                "cloudresourcemanager": ResourceManager(self.state, self.policies).handle,
                "compute": Compute(self.state, self.policies).handle,
                "container": self.container.handle,
                "iam": Iam(self.state, self.policies).handle,
                "iamcredentials": self.tokens.credentials,
                "serviceusage": ServiceUsage(self.state, self.policies).handle,
                "storage": Storage(self.state, self.policies).handle,
                "sts": self.tokens.sts,
            }

    def answer(self, request: Request) -> Answer:
        """Answer a request and note it; raises Dropped if it is to get no answer."""
        url = urlsplit(request.target)
        if url.path.startswith(_CONTROL) and not request.host:
            return self._control(request, url.path.removeprefix(_CONTROL))
        record = Record(request.verb, request.host, url.path, writes=request.verb not in ("GET", "HEAD"))
        try:
            with self.lock:
                answer = self._dispatch(request, record)
        except ApiError as error:
            answer = Answer(error.http, error.body(record.service in _LEGACY), error.headers)
            record.error = error.message
        except OAuthError as error:
            answer = Answer(error.http, error.body())
            record.error = error.description
        except Dropped:
            record.error = "dropped"
            self.note(record)
            raise
        except Exception as error:  # a defect of the fake or of a hook: it has to be seen
            traceback.print_exc()
            text = f"The fake has failed: {error!r}"
            answer = Answer(500, ApiError("INTERNAL", text).body(record.service in _LEGACY))
            record.error = text
        record.status = answer.status
        self.note(record)
        return answer

    def refuse(self, verb: str, host: str, path: str) -> Answer:
        """Note an attempt to reach somebody else."""
        text = f"The fake refuses to contact {host}."
        self.note(Record(verb, host, path, status=403, error=text, refused=True))
        return Answer(403, text + "\n")

    def note(self, record: Record) -> None:
        with self.lock:
            self.records.append(record)
            if self._log:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record)) + "\n")

    # From a request to the method that answers it.

    def _dispatch(self, request: Request, record: Record) -> Answer:
        url = urlsplit(request.target)
        query = parse_qs(url.query, keep_blank_values=True)
        if request.host in METADATA_HOSTS or url.path.startswith("/computeMetadata") or url.path == "/":
            record.service, record.writes = "metadata", False
            # The guide to VM metadata: a request without this header is refused.
            if request.headers.get("Metadata-Flavor") != "Google":
                raise ApiError("PERMISSION_DENIED", "Missing required header: Metadata-Flavor")
            found = self.tokens.metadata(url.path, query.get("recursive") == ["true"])
            return Answer(200, found, {"Metadata-Flavor": "Google"})
        if url.path in _TOKEN_PATHS and request.host in ("", "oauth2.googleapis.com", "www.googleapis.com"):
            record.service, record.method, record.writes = "oauth2", "oauth2.token", False
            return Answer(200, self.tokens.oauth(_form(request)))
        service, path = _service(request.host, url.path)
        record.service = service
        route = contract.find(service, request.verb, path)
        if route is None:
            raise not_found(f"There is no method for {request.verb} /{path} in {service or 'any service'}.")
        document, method, params = route
        record.method, record.writes = method.id, not method.reads
        failure = self.state.failures.take(failures.REQUEST, method.id)
        if failure:
            self._fail(failure, method, path)
        identity = self._identity(request, service)
        record.identity = identity.member
        if not self.state.enabled(service):
            raise _service_disabled(service, self.settings.project_number)
        record.body = _form(request) if method.request else _json(request.body)  # as it came, so that it can be seen
        record.query = document.read_query(method, query)
        record.body = document.read_body(method, record.body) if method.request else record.body
        self._check_project(service, method, params)
        given = copy.deepcopy(record.body or {}) if method.request else {}
        call = Call(service, document, method, self._resource(path), params, record.query, given, identity)
        self._authorise(call)
        body = copy.deepcopy(self._handlers[service](call))
        if method.response:
            problems = document.problems(method.response, body)
            if problems:
                raise ApiError("INTERNAL", "The fake broke the contract: " + "; ".join(problems))
        if failure:  # one that comes after it was done
            raise Dropped
        return Answer(200, body) if method.response else Answer(204, None)

    def _fail(self, failure: Failure, method: Method, path: str) -> None:
        if failure.kind == "token_expired":
            self.state.expire_tokens()
        failure.raise_for(permission(method), self._resource(path))

    def _identity(self, request: Request, service: str) -> Identity:
        if service == "sts":  # the token that is to be exchanged says who it is
            return Identity("anonymous")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.state.tokens:
            raise failures.unauthenticated()
        return self.state.tokens[token]

    def _check_project(self, service: str, method: Method, params: dict[str, str]) -> None:
        named = [params[name] for name in ("projectsId", "projectId", "project") if name in params]
        if service == "cloudresourcemanager" and "resource" in params:
            named.append(params["resource"])
        if service == "serviceusage" and "v1Id1" in params:
            named.append(params["v1Id1"])
        known = {self.settings.project, self.settings.project_number}
        if service == "compute":
            known.update(self.settings.other_projects)
        for project in named:
            if project in known or (project == "-" and service in ("iam", "iamcredentials")):
                continue
            if service == "compute":
                raise not_found(f"The resource 'projects/{project}' was not found")
            raise denied(permission(method), f"projects/{project}")

    def _resource(self, path: str) -> str:
        where = "/".join(unquote(segment) for segment in path.strip("/").split("/"))
        where = re.sub(r"^((compute|storage)/)?v\d/", "", where)
        return re.sub(
            rf"^projects/{self.settings.project_number}(?=[/:]|$)", f"projects/{self.settings.project}", where
        )

    def _authorise(self, call: Call) -> None:
        wanted = permission(call.method)
        if wanted in self.state.denied and call.method.action != "testIamPermissions":
            raise denied(wanted, f"projects/{self.settings.project}")
        if call.identity.admin or call.service in ("sts", "iamcredentials"):
            return
        # Workloads and their service accounts: what the policies of buckets and of the project say of storage.
        bucket = call.params.get("bucket", "")
        role = r"roles/storage\.(object(Viewer|User|Admin)|admin)"
        if call.method.collection == "buckets":
            role = r"roles/storage\.(admin|bucketViewer|legacyBucket(Reader|Owner))"
        holders: set[str] = set()
        if call.service == "storage":
            holders |= self.policies.members(f"storage/b/{bucket}", role)
            holders |= self.policies.members(f"cloudresourcemanager/projects/{self.settings.project}", role)
        if not holders & call.identity.members:
            raise denied(wanted, call.path)

    # For those who cannot reach into this process.

    def _control(self, request: Request, what: str) -> Answer:
        try:
            given = _json(request.body)
        except ApiError as error:
            return Answer(400, error.message)
        with self.lock:
            match request.verb, what:
                case "GET", "state":
                    return Answer(200, self.dump())
                case "GET", "requests" | "writes" | "refused":
                    return Answer(200, [asdict(record) for record in self.records if _is(record, what)])
                case "POST", "reset":
                    self.reset()
                case "POST", "settle":
                    self.state.operations.settle()
                case "POST", "fail":
                    try:
                        self.state.failures.add(Failure(**given))
                    except (TypeError, ValueError) as error:
                        return Answer(400, f"{error}\n")
                case "POST", "resources":  # path to resource; null takes it away
                    for path, resource in given.items():
                        self.put(path, resource)
                case "POST", "services":  # name to whether it is enabled
                    for name, enabled in given.items():
                        (self.state.disabled.discard if enabled else self.state.disabled.add)(name)
                case "POST", "deny":  # permissions
                    self.state.denied = set(given)
                case "POST", "quotas":  # region to metric to [limit, usage]
                    for region, metrics in given.items():
                        for metric, (limit, usage) in metrics.items():
                            self.state.quotas[region, metric] = (limit, usage)
                case _:
                    return Answer(404, f"The fake has no {request.verb} {what}.\n")
        return Answer(200, {})

    def put(self, path: str, resource: JSON | None) -> None:
        """Put a resource there, or take it away."""
        if resource is None:
            self.state.resources.pop(path, None)
        else:
            self.state.resources[path] = copy.deepcopy(resource)

    def dump(self) -> JSON:
        """What there is, as JSON."""
        operations = [
            {"name": each.name, "type": each.kind, "target": each.target, "pool": each.part, "done": each.done}
            for each in self.state.operations.all.values()
        ]
        return copy.deepcopy(
            {
                "resources": self.state.resources,
                "policies": self.state.policies,
                "disabled": sorted(self.state.disabled),
                "denied": sorted(self.state.denied),
                "operations": operations,
                "failures": [asdict(failure) for failure in self.state.failures.waiting],
            }
        )


def permission(method: Method) -> str:
    """The permission that a method needs, by the rules by which they are named (IAM permissions reference)."""
    service, collection, action = method.id.split(".")[0], method.collection, method.action
    if service == "container":
        # Pools are parts of their cluster: changing one needs container.clusters.update.
        if collection == "operations":
            return f"container.operations.{action}"
        if action in ("get", "list", "create", "delete") and collection == "clusters":
            return f"container.clusters.{action}"
        if method.reads:
            return "container.clusters.get" if collection == "nodePools" else "container.clusters.list"
        return "container.clusters.update"
    if service == "cloudresourcemanager":
        service = "resourcemanager"
    if service == "iamcredentials":
        return "iam.serviceAccounts.getAccessToken"
    verbs = {"insert": "create", "patch": "update", "aggregatedList": "list", "wait": "get", "batchEnable": "enable"}
    if service == "compute" and action in ("expandIpCidrRange", "setPrivateIpGoogleAccess"):
        return f"compute.{collection}.{action}"
    return f"{service}.{collection}.{verbs.get(action, action)}"


def _is(record: Record, what: str) -> bool:
    return what == "requests" or (record.writes if what == "writes" else record.refused)


def _service(host: str, path: str) -> tuple[str, str]:
    """The service that a request is for, and the path in it."""
    path = path.lstrip("/")
    if not host:  # the first word of the path names it
        service, _slash, rest = path.partition("/")
        return service, rest
    service = host.removesuffix(".googleapis.com")
    return (path.partition("/")[0], path) if service == "www" else (service, path)


def _service_disabled(service: str, number: str) -> ApiError:
    host = f"{service}.googleapis.com"
    text = (
        f"{host} has not been used in project {number} before or it is disabled. Enable it by visiting"
        f" https://console.developers.google.com/apis/api/{host}/overview?project={number} then retry."
    )
    return ApiError("PERMISSION_DENIED", text, [error_info("SERVICE_DISABLED", "googleapis.com", service=host)])


def _json(body: bytes) -> t.Any:
    try:
        return json.loads(body) if body.strip() else None
    except ValueError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from None


def _form(request: Request) -> t.Any:
    """A body that is a form or JSON."""
    if "x-www-form-urlencoded" in request.headers.get("Content-Type", ""):
        return {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
    return _json(request.body)
