# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The least API server of Kubernetes that the fake can stand before: a few kinds, and rights from a table.

Who asks is known as a real one knows it: by the admin's token, by that and the headers of impersonation, by the tokens
of service accounts that it has, or by the word of the webhook that it was told of.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import ssl
import threading
import time
import typing as t
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.fakes.certificates import Files
from tests.fakes.http_server import HttpHandler, HttpServer
from tests.fakes.openshift.store import selected

ADMIN = "token-of-the-admin"
RESOURCES = [{"name": "validatingadmissionpolicies"}]  # of admissionregistration.k8s.io/v1
JSON = dict[str, t.Any]
MISSING: set[str] = set()  # kinds that it has not
_DISCOVERY: dict[str, JSON] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
}
_OBJECT = re.compile(r"(/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?)/([a-z]+)(?:/([^/]+))?(/status)?")
_REVIEW = re.compile(r"/apis/auth[a-z]+\.k8s\.io/v1/((?:self)?subject(?:access|rules)?reviews)")


class ApiServer(HttpServer):
    """On a port of 127.0.0.1, with TLS if there are files for it."""

    block_on_close = False

    def __init__(self, files: Files | None = None) -> None:
        super().__init__("127.0.0.1", 0, _Handler, files)
        self.files = files
        if files:
            self.socket = self.tls.wrap_socket(self.socket, server_side=True)
        self.objects: dict[str, JSON] = {}  # by path
        self.allowed: set[tuple[str, ...]] = set()  # user or group, verb, resource with group, namespace
        self.service_accounts: dict[str, str] = {}  # token to name
        self.webhook: Path | None = None
        self.oracle: dict[str, JSON] = {}  # what a pod's image name is answered with
        self.seen: list[tuple[str, str, str]] = []  # user, verb, path
        self.lock = threading.Lock()
        self.version = 0
        self.start()

    def kubeconfig(self, path: Path) -> Path:
        cluster, user = {"server": f"http://127.0.0.1:{self.server_port}"}, {"token": ADMIN}
        if self.files:
            cluster = {"server": f"https://127.0.0.1:{self.server_port}"}
            cluster["certificate-authority-data"] = _encoded(self.files.authority)
            user |= {"client-certificate-data": _encoded(self.files.certificate), "client-key": str(self.files.key)}
        content = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "admin"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def allow(self, who: str, verbs: str, resource: str, namespace: str = "") -> None:
        """Let a user or a group do something with a resource and its group, such as builds/log.build.openshift.io."""
        self.allowed |= {(who, verb, resource, namespace) for verb in verbs.split()}

    def add_namespace(self, name: str, **annotations: str) -> None:
        path = f"/api/v1/namespaces/{name}"
        self.objects[path] = self.stamped({"metadata": {"name": name, "annotations": annotations}}, name)

    def groups(self) -> list[JSON]:
        """The API groups: a built-in one, and what CustomResourceDefinitions say."""
        folder = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"
        versions: dict[str, dict[str, JSON]] = {"apps": {}}
        for spec in [found["spec"] for path, found in self.objects.items() if path.startswith(folder)]:
            for name in [version["name"] for version in spec["versions"]]:
                version = {"groupVersion": f"{spec['group']}/{name}", "version": name}
                versions.setdefault(spec["group"], {})[name] = version
        return [{"name": group, "versions": list(found.values())} for group, found in versions.items()]

    def group_versions(self) -> set[str]:
        """Paths of what is served since a CustomResourceDefinition says so."""
        return {f"/apis/{version['groupVersion']}" for group in self.groups() for version in group["versions"]}

    def stamped(self, found: JSON, name: str) -> JSON:
        self.version += 1
        stamps = {"uid": f"uid-{self.version}", "resourceVersion": str(self.version)}
        stamps["creationTimestamp"] = f"2026-01-01T00:00:{self.version % 60:02d}Z"
        metadata = {**stamps, **found.get("metadata", {}), "name": name}
        status = {"phase": "Active"} if "spec" not in found else {}
        return {"status": status, **found, "metadata": metadata}


class _Handler(HttpHandler):
    server: ApiServer

    def _any(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        user, groups = self._user()
        self.server.seen.append((user, self.command, self.path))
        if not user:
            self._json(401, {"kind": "Status", "status": "Failure", "reason": "Unauthorized", "code": 401})
        elif url.path.endswith("/exec"):
            self._echo()
        elif "watch" in parse_qs(url.query):
            self._watch()
        else:
            with self.server.lock:
                # A copy, as what it is of may be changed while it is sent.
                answer = copy.deepcopy(self._answer(user, groups, url.path, parse_qs(url.query), body))
            self._json(*answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _user(self) -> tuple[str, set[str]]:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token == ADMIN:
            groups = set(self.headers.get_all("Impersonate-Group") or ["system:masters"])
            return self.headers.get("Impersonate-User") or "admin", groups
        if not token:
            return "system:anonymous", {"system:unauthenticated"}
        return self._token(token)

    def _token(self, token: str) -> tuple[str, set[str]]:
        if name := self.server.service_accounts.get(token):
            return name, {"system:serviceaccounts", "system:authenticated"}
        if not self.server.webhook:
            return "", set()
        cluster = yaml.safe_load(self.server.webhook.read_text())["clusters"][0]["cluster"]
        tls = ssl.create_default_context()
        tls.load_verify_locations(cadata=_decoded(cluster["certificate-authority-data"]))
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        request = urllib.request.Request(cluster["server"], json.dumps(review).encode())
        with urllib.request.urlopen(request, context=tls, timeout=5) as answer:
            status = json.load(answer)["status"]
        user = status.get("user", {})
        return user.get("username", ""), set(user.get("groups", []))

    def _may(self, user: str, groups: t.Iterable[str], verb: str, resource: str, namespace: str) -> bool:
        allowed = self.server.allowed
        names = {user, *groups}
        if "system:masters" in names:
            return True
        if resource != "projectrequests.project.openshift.io" and self._is_admin(user, namespace):
            return True
        return any((name, verb, resource, where) in allowed for name in names for where in ("", namespace))

    def _is_admin(self, user: str, namespace: str) -> bool:
        bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        return user in [each["name"] for each in self.server.objects.get(f"{bindings}/admin", {}).get("subjects", [])]

    def _rules(self, user: str, groups: t.Iterable[str], namespace: str) -> list[JSON]:
        """What somebody may do in a namespace, in the form of RBAC."""
        names = {user, *groups}
        if "system:masters" in names or self._is_admin(user, namespace):
            return [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        found = [each[1:3] for each in sorted(self.server.allowed) if each[0] in names and each[3] in ("", namespace)]
        split = [(verb, *resource.partition(".")) for verb, resource in found]
        return [{"verbs": [verb], "apiGroups": [of], "resources": [plural]} for verb, plural, _dot, of in split]

    def _review(self, user: str, groups: set[str], plural: str, given: JSON) -> tuple[int, JSON]:
        """What somebody is told about rights, and about who they are."""
        status: JSON
        spec = given.get("spec") or {}
        if plural == "selfsubjectreviews":
            status = {"userInfo": {"username": user, "groups": sorted(groups)}}
        elif plural == "selfsubjectrulesreviews":
            rules = self._rules(user, groups, spec["namespace"])
            status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
        else:
            wanted = spec["resourceAttributes"]
            resource = "/".join(filter(None, (wanted["resource"], wanted.get("subresource"))))
            resource += f".{wanted['group']}" if wanted.get("group") else ""
            if not plural.startswith("self"):
                user, groups = spec["user"], set(spec["groups"])
            status = {"allowed": self._may(user, groups, wanted["verb"], resource, wanted.get("namespace", ""))}
        return 201, {**given, "status": status}

    def _answer(self, user: str, groups: set[str], path: str, query: JSON, body: bytes) -> tuple[int, JSON]:
        given: JSON = json.loads(body) if body else {}
        if path in _DISCOVERY:
            return 200, _DISCOVERY[path]
        if path == "/apis":
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": self.server.groups()}
        if review := _REVIEW.fullmatch(path):
            return self._review(user, groups, review[1], given)
        if path.endswith("/tokenreviews"):
            name, of = self._token(given["spec"]["token"])
            status = {"authenticated": bool(name), "user": {"username": name, "groups": sorted(of)}}
            return 201, {**given, "status": status}
        if path == "/apis/admissionregistration.k8s.io/v1":
            return 200, {"resources": RESOURCES}
        if path.endswith("/pods") and self.command == "POST":
            return self._pod(given)
        if path in self.server.group_versions():
            return 200, {"kind": "APIResourceList", "groupVersion": path.removeprefix("/apis/"), "resources": []}
        match = _OBJECT.fullmatch(path)
        if not match or match[2] in MISSING:
            return _status(404, "NotFound", path)
        return self._object(user, groups, match, query, given)

    def _object(self, user: str, groups: set[str], match: re.Match[str], query: JSON, given: JSON) -> tuple[int, JSON]:
        objects, (base, plural, name, _status_part) = self.server.objects, match.groups()
        verb = {"GET": "get" if name else "list", "POST": "create", "DELETE": "delete"}.get(self.command, "update")
        group = base.split("/")[2] if base.startswith("/apis") else ""
        namespace = base.partition("/namespaces/")[2] or (name if plural == "namespaces" else "") or ""
        if not self._may(user, groups, verb, f"{plural}.{group}" if group else plural, namespace):
            return _status(403, "Forbidden", f'{plural} is forbidden: User "{user}" cannot {verb}')
        path = f"{base}/{plural}" + (f"/{name}" if name else "")
        if self.command == "GET" and not name:
            pattern = re.compile(re.escape(base) + r"(/namespaces/[^/]+)?/" + plural + r"/[^/]+")
            found = [copy.deepcopy(each) for key, each in objects.items() if pattern.fullmatch(key)]
            found = [each for each in found if selected(each, {name: values[-1] for name, values in query.items()})]
            return 200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": found}
        if self.command == "POST":
            path = f"{path}/{given['metadata']['name']}"
            if path in objects:
                return _status(409, "AlreadyExists", f'{plural} "{given["metadata"]["name"]}" already exists')
            made = self.server.stamped(given, given["metadata"]["name"])
            if namespace and plural != "namespaces":
                made["metadata"]["namespace"] = namespace
            if "dryRun" not in query:
                objects[path] = made
            return 201, made
        if path not in objects and "apply" not in (self.headers.get("Content-Type") or ""):
            return _status(404, "NotFound", f'{plural} "{name}" not found')
        if self.command == "DELETE":
            if not objects[path]["metadata"].get("finalizers"):
                if plural == "namespaces":
                    for key in [key for key in objects if f"/namespaces/{name}/" in key]:
                        del objects[key]
                return 200, objects.pop(path)
            objects[path]["metadata"].setdefault("deletionTimestamp", "2026-01-01T00:01:00Z")
            return 200, objects[path]
        if "dryRun" in query:
            would_be = copy.deepcopy(objects.get(path) or self.server.stamped({}, name))
            _merge(would_be, given)
            return 200, would_be
        found_now = objects.setdefault(path, self.server.stamped({}, name))
        _merge(found_now, given)
        if (meta := found_now.get("metadata", {})).get("deletionTimestamp") and not meta.get("finalizers"):
            del objects[path]  # the last finalizer has gone
        return 200, found_now

    def _pod(self, pod: JSON) -> tuple[int, JSON]:
        expected = self.server.oracle[json.dumps(pod["spec"], sort_keys=True)]
        if "denied" in expected:
            return _status(422, "Invalid", "provider restricted-v2: this is not allowed")
        containers = [{"securityContext": context} for context in expected["c"]]
        spec: JSON = {"securityContext": expected["pod"], "containers": containers, "hostUsers": expected["hostUsers"]}
        spec["initContainers"] = [{"securityContext": context} for context in expected["i"]]
        return 201, {"metadata": {"annotations": {"openshift.io/scc": expected["scc"]}}, "spec": spec}

    def _watch(self) -> None:
        """Two events, and a pause between them in which the first has to get through; then until the client goes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name in ("first", "second"):
            line = json.dumps({"type": "ADDED", "object": {"metadata": {"name": name}}}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            time.sleep(0.3)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _echo(self) -> None:
        """Whatever comes over the upgraded connection goes back, in capitals."""
        self.send_response(101, "Switching Protocols")
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.end_headers()
        self.close_connection = True
        self.connection.sendall(b"hello\n")  # the server may speak first
        while data := self.connection.recv(65536):
            self.connection.sendall(data.upper())

    def _json(self, status: int, body: JSON) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _status(code: int, reason: str, message: str) -> tuple[int, JSON]:
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code}


def _merge(before: JSON, patch: JSON) -> None:
    for name, value in patch.items():
        if isinstance(value, dict) and isinstance(before.get(name), dict):
            _merge(before[name], value)
        else:
            before[name] = value


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()
