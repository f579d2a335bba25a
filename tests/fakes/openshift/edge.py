# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fake without its front door: a request in, and out an answer or what is to be asked of the API server."""

from __future__ import annotations

import json
import threading
import time
import traceback
import typing as t
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import yaml

from tests.fakes.openshift import admission, builds, images
from tests.fakes.openshift.builds import Builder, Builds
from tests.fakes.openshift.errors import JSON, ApiError, OAuthError, exists, not_found, not_modelled, success
from tests.fakes.openshift.images import Images
from tests.fakes.openshift.kube import ASKED, Kube, Passed
from tests.fakes.openshift.oauth import PREFIX, OAuth
from tests.fakes.openshift.projects import Projects, forbidden
from tests.fakes.openshift.proxy import Proxied
from tests.fakes.openshift.resources import RESOURCES, Place, discovered, place, with_groups
from tests.fakes.openshift.routes import Routes
from tests.fakes.openshift.schema import check
from tests.fakes.openshift.state import ANONYMOUS, Answer, Identity, Request, Settings
from tests.fakes.openshift.store import Key, Store, merged, selected

_CONTROL = "/__fake__/"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATCHES = {  # a strategic merge differs in lists with keys only, of which none is patched in part here
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
}
# Those of one connection, not of the request (RFC 9110, section 7.6.1), and what is set anew.
_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
_OWN = {"host", "content-length"}
_IDENTITY = ("authorization", "impersonate-")  # how the names of headers begin that say who asks


@dataclass
class Record:
    """One request, as tests see it."""

    verb: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    user: str = ""
    by: str = "fake"  # who answered: fake or cluster
    body: t.Any = None  # of what the fake keeps itself
    status: int = 0
    error: str = ""
    upgraded: bool = False  # to a websocket or the like
    asked: list[JSON] = field(default_factory=list)  # of the API server, whether the user may do it
    time: float = field(default_factory=time.time)

    @property
    def writes(self) -> bool:
        return self.verb not in ("GET", "HEAD", "OPTIONS")


@dataclass
class Forward:
    """A request for the API server."""

    headers: list[tuple[str, str]]
    admin: bool  # with the kubeconfig's credentials, and the user's name in the headers


class Edge:
    """Everything behind the front door. Safe to use from several threads."""

    def __init__(self, settings: Settings, kube: Kube, builder: Builder, log: Path | None = None) -> None:
        self.settings = settings
        self.kube = kube
        self.records: list[Record] = []
        self.proxied: list[Proxied] = []  # by the proxy, if there is one
        self.lock = threading.RLock()  # of what the fake keeps itself
        self.allocating, self.following = threading.Lock(), threading.Lock()  # of what is one after another
        self._noting = threading.Lock()  # one that is never held while the API server is asked: it may ask for a token
        self.store = Store()
        self.oauth = OAuth(settings)
        self.projects = Projects(settings, kube)
        self.routes = Routes(settings, kube)
        self.images = Images(settings, self.store)
        self.builds = Builds(self.store, self.images, self.lock, builder)
        self._log = log
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)

    def answer(self, request: Request, record: Record) -> Answer | Forward:
        """Answer a request, or say how to ask the API server."""
        ASKED.set(record.asked)
        try:
            return self._dispatch(request, record)
        except ApiError as error:
            record.error = error.message
            return Answer(error.code, error.body())
        except OAuthError as error:
            record.error = error.description
            return Answer(error.code, error.body(), error.headers)
        except Passed as error:
            record.error = str(error)
            return Answer(error.status, error.body)
        except Exception as error:  # a defect of the fake: it has to be seen
            traceback.print_exc()
            record.error = f"The fake has failed: {error!r}"
            return Answer(500, ApiError("InternalError", record.error).body())

    def note(self, record: Record) -> None:
        with self._noting:
            self.records.append(record)
            if self._log:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(record)) + "\n")

    def forget(self) -> None:
        """Forget the requests, not the state."""
        with self._noting:
            self.records.clear()
            self.proxied.clear()

    # From a request to who answers it.

    def _dispatch(self, request: Request, record: Record) -> Answer | Forward:
        if request.path.startswith(_CONTROL):
            return self._control(request, request.path.removeprefix(_CONTROL))
        answer = self.oauth.answer(request)
        if answer:
            return answer
        who = self._known(request)
        record.user = who.name if who else ""
        found = place(request.path)
        if found and found.group in RESOURCES:
            who = who or self._reviewed(request)
            record.user = who.name
            return self._own(request, record, found, who)
        document = discovered(request.path)
        if document:
            return Answer(200, document)
        record.by = "cluster"
        forward = self._forward(request, who)
        if request.path.rstrip("/") == "/apis" and request.verb == "GET":
            return self._groups(forward)
        if request.path.rstrip("/") == "/api/v1/namespaces" and request.verb == "POST":
            return self._namespace(request, forward)
        if found and found.group == admission.GROUP and found.plural == "routes" and request.verb in _VERBS:
            return self._route(request, forward, found, who)
        return forward

    def _known(self, request: Request) -> Identity | None:
        """Who asks, if that can be said without asking the API server."""
        token = request.bearer
        if not token:
            return ANONYMOUS
        if not token.startswith(PREFIX):
            return None
        who = self.oauth.whose(token)
        if who is None and self.settings.impersonate:
            raise ApiError("Unauthorized", "Unauthorized")
        if who and self.settings.impersonate and request.header("Impersonate-User"):
            return self._impersonated(request, who)
        return who

    def _impersonated(self, request: Request, who: Identity) -> Identity:
        """Who the user wants to be, if the API server's rules let them."""
        name, group = request.header("Impersonate-User"), request.header("Impersonate-Group")
        for resource, wanted in (("users", name), ("groups", group)):
            if wanted and not self.kube.may(who, "impersonate", "", resource, wanted):
                text = f'{resource} "{wanted}" is forbidden: User "{who.name}" cannot impersonate resource "{resource}"'
                raise ApiError("Forbidden", f'{text} in API group "" at the cluster scope')
        return Identity(name, tuple(filter(None, (group, "system:authenticated"))), ours=True)

    def _reviewed(self, request: Request) -> Identity:
        """Who asks, by the API server's word."""
        who = None if request.bearer.startswith(PREFIX) else self.kube.whose(request.bearer)
        if who is None:
            raise ApiError("Unauthorized", "Unauthorized")
        return who

    def _forward(self, request: Request, who: Identity | None) -> Forward:
        """How the API server learns who asks: from the token, or from an admin who says so."""
        every = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP | _OWN]
        kept = [(name, value) for name, value in every if not name.lower().startswith(_IDENTITY)]
        kept.insert(0, ("Host", f"{self.kube.host}:{self.kube.port}"))
        if who and who.ours and self.settings.impersonate:
            return Forward([*kept, *self.kube.credentials(), *who.impersonation()], admin=True)
        kept += [(name, value) for name, value in every if name.lower().startswith(_IDENTITY)]
        return Forward(kept, admin=False)

    # What the API server answers, with something of OpenShift added.

    def _asked(self, request: Request, forward: Forward) -> Answer:
        skipped = {"authorization"} if forward.admin else set()  # added by the connection
        headers = [(name, value) for name, value in forward.headers if name.lower() not in {"host", *skipped}]
        headers = [(name, value) for name, value in headers if name.lower() != "accept-encoding"]
        target, body = request.target, request.body or None
        reply = self.kube.send(request.verb, target, body, headers, admin=forward.admin)
        kept = {name: value for name, value in reply.headers.items() if name.lower() in ("warning", "audit-id")}
        return Answer(reply.status, reply.content, kept, reply.headers.get("Content-Type", ""))

    def _groups(self, forward: Forward) -> Answer:
        """The list of groups in the old form, which all clients understand."""
        headers = [(name, value) for name, value in forward.headers if name.lower() != "accept"]
        asked = Forward([*headers, ("Accept", "application/json")], forward.admin)
        answer = self._asked(Request("GET", "/apis"), asked)
        if answer.status != 200:
            return answer
        return Answer(200, with_groups(json.loads(answer.body)))

    def _namespace(self, request: Request, forward: Forward) -> Answer:
        """A namespace that somebody makes directly gets its ids before anybody can use it."""
        answer = self._asked(request, forward)
        if answer.status == 201 and request.query.get("dryRun") != "All" and "json" in answer.content_type:
            with self.allocating:
                answer.body = self.projects.allocate(json.loads(answer.body)["metadata"]["name"])
        return answer

    def _route(self, request: Request, forward: Forward, found: Place, who: Identity | None) -> Answer:
        if request.verb != "DELETE" and found.subresource == "":
            self.routes.check(who or self._reviewed(request), request, found.namespace, found.name)
        answer = self._asked(request, forward)
        if answer.status < 300 and request.query.get("dryRun") != "All":
            with self.following:
                self.routes.follow()
        return answer

    # What the fake keeps itself.

    def _own(self, request: Request, record: Record, found: Place, who: Identity) -> Answer:
        resource = RESOURCES[found.group].get(found.plural)
        if resource is None:
            raise not_modelled(f"{found.plural}.{found.group}")
        verb = _VERBS.get(request.verb) or ("get" if found.name else "list")
        below = {name: verb for name, _kind, verb in resource.subresources}
        if below.get(found.subresource, verb) != verb or (found.subresource and found.subresource not in below):
            raise not_modelled(f"{verb} of {found.plural}/{found.subresource}")
        if not found.subresource and verb not in resource.verbs:
            raise ApiError("MethodNotAllowed", "the server does not allow this method on the requested resource")
        if found.group == "oauth.openshift.io":
            return self._tokens(verb, found, who)
        if found.group == "user.openshift.io":
            return self._users(verb, found, who)
        warnings: list[str] = []
        wanted: JSON = {}
        if request.verb in ("POST", "PUT", "PATCH") and not found.subresource:
            wanted = self._read(request)
            record.body = wanted
            if request.verb != "PATCH":
                kind, validation = resource.kind, request.query.get("fieldValidation", "")
                wanted, warnings = check(kind, found.group, wanted, validation)
        headers = {"Warning": ", ".join(f'299 - "{warning}"' for warning in warnings)} if warnings else {}
        if found.group == "project.openshift.io":
            return replace(self._project(request, verb, found, who, wanted), headers=headers)
        named = f"{found.plural}/{found.subresource}" if found.subresource else found.plural
        watching = verb == "list" and request.query.get("watch") in ("true", "1")
        right = "watch" if watching else verb
        if not self.kube.may(who, right, found.group, named, found.name, found.namespace):
            raise forbidden(who, right, found.group, named, found.name, found.namespace)
        self._check_strategy(who, verb, found)
        if found.namespace:
            self._in_namespace(verb, found)
        if watching:
            return Answer(200, self._watch(found, request.query))
        with self.lock:
            return replace(self._object(request, verb, found, wanted, resource.kind), headers=headers)

    def _check_strategy(self, who: Identity, verb: str, found: Place) -> None:
        """Whoever writes a BuildConfig has to have the right to its strategy, of which only Docker's is modelled.

        https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/builds_using_buildconfig/securing-builds-by-strategy
        """
        if found.plural != "buildconfigs" or verb not in ("create", "update", "patch"):
            return
        if not self.kube.may(who, "create", found.group, "builds/docker", found.name, found.namespace):
            text = f'{found.plural}.{found.group} "{found.name}" is forbidden: build strategy Docker is not allowed'
            raise ApiError("Forbidden", text, {"name": found.name, "group": found.group, "kind": found.plural})

    def _read(self, request: Request) -> JSON:
        kind = request.header("Content-Type").partition(";")[0].strip()
        if request.verb == "PATCH" and kind not in _PATCHES:
            raise ApiError("UnsupportedMediaType", f"The fake does not model patches of the type {kind}.")
        try:
            found = yaml.safe_load(request.body) if "yaml" in kind else json.loads(request.body)
        except (ValueError, yaml.YAMLError) as error:
            raise ApiError("BadRequest", f"the object provided is unrecognized: {error}") from error
        if not isinstance(found, dict):
            raise ApiError("BadRequest", "the object provided is unrecognized (must be of type object)")
        return found

    def _tokens(self, verb: str, found: Place, who: Identity) -> Answer:
        """A user's own tokens, for which no further right is needed."""
        if verb == "delete":
            return Answer(200, self.oauth.revoke(who.name, found.name))
        if verb == "get":
            return Answer(200, self.oauth.find(who.name, found.name))
        return Answer(200, _listed("UserOAuthAccessToken", found.group, self.oauth.objects(who.name)))

    def _users(self, verb: str, found: Place, who: Identity) -> Answer:
        if found.plural == "users" and found.name == "~":
            if who.name == ANONYMOUS.name:
                raise forbidden(who, verb, found.group, found.plural, found.name, "")
            known = who.name in self.settings.users
            return Answer(200, _user(who.name, [] if known else list(who.groups)))
        if not self.kube.may(who, verb, found.group, found.plural, found.name):
            raise forbidden(who, verb, found.group, found.plural, found.name, "")
        kind = RESOURCES[found.group][found.plural].kind
        if found.plural == "users":
            objects = {name: _user(name, []) for name in self.settings.users}
        else:
            objects = {name: _group(name, users) for name, users in self.settings.groups.items()}
        if verb == "list":
            return Answer(200, _listed(kind, found.group, list(objects.values())))
        if found.name not in objects:
            raise not_found(f"{found.plural}.{found.group}", found.name)
        return Answer(200, objects[found.name])

    def _project(self, request: Request, verb: str, found: Place, who: Identity, wanted: JSON) -> Answer:
        dry = request.query.get("dryRun") == "All"
        if found.plural == "projectrequests":
            if verb == "list":
                self.projects.may_request(who)
                return Answer(200, success())
            with self.allocating:
                return Answer(201, self.projects.request(who, wanted, dry=dry))
        if verb == "list":
            if not self.kube.may(who, "list", found.group, "projects"):
                raise forbidden(who, verb, found.group, "projects", "", "")
            projects = self.projects.list(who)
            projects["items"] = [item for item in projects["items"] if selected(item, request.query)]
            return Answer(200, projects)
        if verb == "get":
            return Answer(200, self.projects.get(who, found.name))
        if verb == "delete":
            return Answer(200, self.projects.delete(who, found.name, dry=dry))
        if verb == "create":
            raise forbidden(who, verb, found.group, "projects", "", "")  # a request is the way; an admin has namespaces
        return Answer(200, self.projects.change(who, verb, found.name, wanted, dry=dry))

    def _in_namespace(self, verb: str, found: Place) -> None:
        """See that the namespace is there, and is still the one that it was."""
        answer = self.kube.ask("GET", f"/api/v1/namespaces/{found.namespace}")
        if answer.status == 404 and verb != "create":
            with self.lock:
                self.store.in_namespace(found.namespace, "")
            return
        namespace = answer.json()
        with self.lock:
            self.store.in_namespace(found.namespace, namespace["metadata"]["uid"])
        if verb == "create" and (namespace.get("status") or {}).get("phase") == "Terminating":
            text = f"unable to create new content in namespace {found.namespace} because it is being terminated"
            raise ApiError("Forbidden", f'{found.plural}.{found.group} "{found.name}" is forbidden: {text}')

    def _object(self, request: Request, verb: str, found: Place, wanted: JSON, kind: str) -> Answer:
        resource = f"{found.plural}.{found.group}"
        key: Key = (resource, found.namespace, found.name)
        dry = request.query.get("dryRun") == "All"
        if found.subresource == "instantiatebinary":
            return Answer(201, self.builds.instantiate_binary(found.namespace, found.name, request.body, request.query))
        if found.subresource == "log":
            log = self.builds.log(found.namespace, found.name, request.query)
            return Answer(200, log, content_type="text/plain")
        if verb == "list":
            items = [each for each in self._listed(found) if selected(each, request.query)]
            return Answer(200, _listed(kind, found.group, items, self.store.version()))
        if resource == images.TAGS:
            if verb == "get":
                return Answer(200, self.images.tag(found.namespace, found.name))
            return Answer(200, self.images.delete_tag(found.namespace, found.name, dry=dry))
        if verb == "get":
            return Answer(200, self.store.get(key))
        if verb == "delete":
            self.store.delete(key, dry=dry)
            if resource == builds.CONFIGS and not dry:
                self.builds.forget(found.namespace, found.name)
            return Answer(200, success(name=found.name, group=found.group, kind=found.plural))
        if resource == builds.BUILDS and (wanted.get("status") or {}).get("cancelled"):
            return Answer(200, self.builds.cancel(found.namespace, found.name))
        before = self.store.find(key)
        if verb == "patch" and (before or "apply" not in request.header("Content-Type")):
            if before is None:
                raise not_found(resource, found.name)
            wanted = merged(before, {name: value for name, value in wanted.items() if name != "status"})
            validation = request.query.get("fieldValidation", "")
            wanted, _warnings = check(kind, found.group, wanted, validation)
        wanted = {"kind": kind, "apiVersion": f"{found.group}/v1", **wanted}
        metadata = wanted.setdefault("metadata", {})
        name = metadata.setdefault("name", found.name)
        if not name or (found.name and name != found.name):
            text = f"the name of the object ({name}) does not match the name on the URL ({found.name})"
            raise ApiError("BadRequest", text)
        if metadata.get("namespace") not in (None, "", found.namespace):
            raise ApiError("BadRequest", "the namespace of the provided object does not match the namespace on the URL")
        if verb == "create" and self.store.find((resource, found.namespace, name)):
            raise exists(resource, name)
        # Its status is nobody's to write.
        wanted["status"] = before["status"] if before else {}
        wanted = self._completed(resource, wanted, found.namespace)
        if before:
            return Answer(200, self.store.replace(key, wanted, dry=dry))
        if verb == "update":
            raise not_found(resource, found.name)
        return Answer(201, self.store.create((resource, found.namespace, name), wanted, dry=dry))

    def _completed(self, resource: str, wanted: JSON, namespace: str) -> JSON:
        if resource == images.STREAMS:
            return self.images.completed(wanted, namespace)
        return self.builds.completed(wanted) if resource == builds.CONFIGS else wanted

    def _listed(self, found: Place) -> list[JSON]:
        resource = f"{found.plural}.{found.group}"
        if resource == images.TAGS:
            return self.images.tags(found.namespace)
        return self.store.list(resource, found.namespace)

    def _watch(self, found: Place, query: t.Mapping[str, str]) -> t.Iterator[bytes]:
        """What changes, found by looking; what changed twice in between is seen once."""
        end = time.monotonic() + float(query.get("timeoutSeconds") or 300)
        since = int(query.get("resourceVersion") or 0)
        known: dict[str, JSON] = {}
        first = True
        while time.monotonic() < end:
            with self.lock:
                now = {each["metadata"]["name"]: each for each in self._listed(found) if selected(each, query)}
            events = [("DELETED", each) for name, each in known.items() if name not in now]
            for name, each in now.items():
                version = each["metadata"]["resourceVersion"]
                if name not in known and not (first and int(version) <= since):
                    events.append(("ADDED" if not first or not since else "MODIFIED", each))
                elif name in known and known[name]["metadata"]["resourceVersion"] != version:
                    events.append(("MODIFIED", each))
            for kind, each in events:
                yield json.dumps({"type": kind, "object": each}).encode() + b"\n"
            known, first = now, False
            time.sleep(0.1)

    # What tests and scenarios ask of the fake itself.

    def _control(self, request: Request, what: str) -> Answer:
        given: JSON = json.loads(request.body) if request.body else {}
        if request.verb == "GET" and what in ("requests", "writes", "refused", "unknown", "proxied"):
            return Answer(200, [asdict(record) for record in getattr(self, what)])
        if request.verb == "POST" and what == "expire":
            return Answer(200, {"expired": self.oauth.expire(given.get("user"))})
        if request.verb == "POST" and what == "users":
            self.settings.users |= given
            return Answer(200, {"users": sorted(self.settings.users)})
        if request.verb == "POST" and what == "forget":
            self.forget()
            return Answer(200, {})
        raise ApiError("NotFound", f"There is no {request.verb} {_CONTROL}{what}.")

    @property
    def requests(self) -> list[Record]:
        return list(self.records)

    @property
    def writes(self) -> list[Record]:
        """Requests that change something, or would have."""
        return [record for record in self.records if record.writes]

    @property
    def refused(self) -> list[Record]:
        """Requests for which somebody lacked a right, or was not known."""
        return [record for record in self.records if record.status in (401, 403)]

    @property
    def unknown(self) -> list[Record]:
        """Requests for what the fake does not model, and those at which it has failed."""
        return [record for record in self.records if record.by == "fake" and record.status in (500, 501)]


def _listed(kind: str, group: str, items: list[JSON], version: str = "1") -> JSON:
    metadata = {"resourceVersion": version}
    return {"kind": f"{kind}List", "apiVersion": f"{group}/v1", "metadata": metadata, "items": items}


def _user(name: str, groups: list[str]) -> JSON:
    service_account = name.startswith("system:")
    return {
        "kind": "User",
        "apiVersion": "user.openshift.io/v1",
        "metadata": {"name": name} | ({} if service_account else {"uid": f"uid-of-{name}"}),
        "identities": None if service_account else [f"passwords:{name}"],
        "groups": groups,
    }


def _group(name: str, users: list[str]) -> JSON:
    return {"kind": "Group", "apiVersion": "user.openshift.io/v1", "metadata": {"name": name}, "users": users}
