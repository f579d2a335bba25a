# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real API server behind the fake, as a kubeconfig says where it is and who may do everything there."""

from __future__ import annotations

import base64
import contextvars
import http.client
import json
import socket
import ssl
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.fakes.openshift.errors import JSON, ApiError
from tests.fakes.openshift.state import Identity

# What the API server was asked on behalf of the request that is being answered: see audit.py.
ASKED: contextvars.ContextVar[list[JSON] | None] = contextvars.ContextVar("asked", default=None)

Headers = t.Iterable[tuple[str, str]]
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Reply:
    """An answer of the API server."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> JSON:
        """The body; an error of the API server becomes the same error of ours."""
        found: JSON = json.loads(self.content or b"{}")
        if not self.good:
            raise Passed(self.status, found)
        return found


class Passed(Exception):
    """An error of the API server, to be answered as it is."""

    def __init__(self, status: int, body: JSON) -> None:
        super().__init__(body.get("message", ""))
        self.status = status
        self.body = body


class Kube:
    """A connection for each request. What is asked is asked as the kubeconfig's user unless said otherwise."""

    def __init__(self, path: Path, context: str | None = None) -> None:
        cluster, user = _read(path, context)
        url = urlsplit(cluster["server"])
        self.url = cluster["server"].rstrip("/")
        self.host = str(url.hostname)
        self.port = url.port or (443 if url.scheme == "https" else 80)
        self._plain = url.scheme == "http"
        self._token = str(user.get("token") or "")
        with tempfile.TemporaryDirectory(prefix="fake-openshift-") as folder:
            self._anonymous = _context(cluster)  # not used for one without TLS
            # The certificate of an admin must not be shown for anybody else, whatever token goes with it.
            self._admin = _context(cluster)
            certificate = _file(user, "client-certificate", path, Path(folder))
            if certificate:
                self._admin.load_cert_chain(certificate, _file(user, "client-key", path, Path(folder)))
            elif not self._token:
                raise ValueError(f"{path} has neither a token nor a certificate for the user.")

    def connect(self, admin: bool) -> socket.socket:
        """A connection on which nothing has been said yet."""
        try:
            plain = socket.create_connection((self.host, self.port), timeout=_TIMEOUT)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._plain:
                return plain
            return (self._admin if admin else self._anonymous).wrap_socket(plain, server_hostname=self.host)
        except OSError as error:
            raise ApiError("ServiceUnavailable", f"The API server at {self.url} cannot be reached: {error}") from error

    def credentials(self) -> list[tuple[str, str]]:
        """Headers of the kubeconfig's user."""
        return [("Authorization", f"Bearer {self._token}")] if self._token else []

    def send(self, verb: str, path: str, body: bytes | None, headers: Headers, *, admin: bool) -> Reply:
        """Send a request with these headers."""
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = self.connect(admin)
        try:
            connection.putrequest(verb, path)
            for name, value in [*(self.credentials() if admin else []), *headers, ("Connection", "close")]:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers), answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise ApiError("ServiceUnavailable", f"The API server at {self.url} gave no answer: {error!r}") from error
        finally:
            connection.close()

    def ask(
        self,
        verb: str,
        path: str,
        body: JSON | None = None,
        kind: str = "application/json",
        who: Identity | None = None,
    ) -> Reply:
        """Ask with JSON, as the kubeconfig's user or as somebody else."""
        headers = [("Content-Type", kind), ("Accept", "application/json"), *(who.impersonation() if who else [])]
        return self.send(verb, path, None if body is None else json.dumps(body).encode(), headers, admin=True)

    def may(self, who: Identity, verb: str, group: str, resource: str, name: str = "", namespace: str = "") -> bool:
        """What the API server's own rules say, by SubjectAccessReview. C(resource) may have a subresource."""
        plural, _slash, subresource = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": plural, "version": "v1"}
        attributes |= {"subresource": subresource, "name": name, "namespace": namespace}
        review: JSON = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": who.name,
                "groups": list(who.groups),
                "resourceAttributes": {key: value for key, value in attributes.items() if value},
            },
        }
        answer = self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review).json()
        allowed = bool(answer["status"].get("allowed"))
        asked = ASKED.get()
        if asked is not None:
            asked.append({**review["spec"]["resourceAttributes"], "allowed": allowed})
        return allowed

    def whose(self, token: str) -> Identity | None:
        """Whose token it is, by TokenReview; of service accounts above all."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        status = self.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json().get("status", {})
        if not status.get("authenticated"):
            return None
        user = status["user"]
        return Identity(user["username"], tuple(user.get("groups") or ()), user.get("uid", ""))


def _read(path: Path, context: str | None) -> tuple[JSON, JSON]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = context or content.get("current-context")
    named = {
        kind: {each["name"]: each[kind] for each in content.get(f"{kind}s") or []}
        for kind in ("context", "cluster", "user")
    }
    found = named["context"].get(name, {})
    if found.get("cluster") not in named["cluster"] or found.get("user") not in named["user"]:
        raise ValueError(f"{path} has no context {name} with a cluster and a user.")
    return named["cluster"][found["cluster"]], named["user"][found["user"]]


def _context(cluster: JSON) -> ssl.SSLContext:
    if cluster["server"].startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    data = cluster.get("certificate-authority-data")
    tls = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
    )
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return tls


def _file(user: JSON, what: str, kubeconfig: Path, folder: Path) -> Path | None:
    """A file of a kubeconfig's user, which may be in it."""
    if data := user.get(f"{what}-data"):
        file = folder / what
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(data))
        return file
    return kubeconfig.parent / user[what] if user.get(what) else None
