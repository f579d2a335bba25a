# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the fake is told, and what a request is to it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

AUTHENTICATED = ("system:authenticated:oauth", "system:authenticated")


@dataclass
class Settings:
    """How this OpenShift is set up."""

    users: dict[str, str] = field(default_factory=lambda: {"developer": "developer"})  # name to password
    groups: dict[str, list[str]] = field(default_factory=dict)  # name to users
    domain: str = "apps.example.test"  # of hosts that are made up for Routes
    allowed_domains: tuple[str, ...] = ()  # which hosts the router serves; by default those in the domain
    pull_secrets: bool = False  # give service accounts some: see accounts.py
    router: bool = False  # there is one in the cluster (see router/), which writes the status of Routes
    proxy_target: str = ""  # where the router's port for HTTPS is, as host:port: a proxy leads there then
    proxy_http_target: str = ""  # and that for HTTP
    token_seconds: int = 86400
    impersonate: bool = True  # or forward the tokens, which the API server then has to believe: see oauth.py
    address: str = "127.0.0.1"  # where to listen
    names: tuple[str, ...] = ()  # further names and addresses by which it is reached
    registry: str = "image-registry.openshift-image-registry.svc:5000"  # empty if the cluster has none
    push_registry: str = ""  # by which host:port a builder reaches the registry, if not by that name
    public_registry: str = ""  # by which host the registry is reached from outside, if it is exposed
    request_message: str = "You may not request a new project via this API."

    def domains(self) -> tuple[str, ...]:
        return self.allowed_domains or (self.domain,)

    def groups_of(self, user: str) -> list[str]:
        return sorted(name for name, members in self.groups.items() if user in members)


@dataclass(frozen=True)
class Identity:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    ours: bool = False  # known by a token of this OAuth server, or by none at all

    def impersonation(self) -> list[tuple[str, str]]:
        """Headers by which the API server takes an admin's request for theirs."""
        return [("Impersonate-User", self.name), *(("Impersonate-Group", group) for group in self.groups)]


ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",))


@dataclass
class Request:
    """What came in; C(target) is path and query."""

    verb: str
    target: str
    headers: t.Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def __post_init__(self) -> None:
        url = urlsplit(self.target)
        self.path = url.path
        self.query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}

    def header(self, name: str) -> str:
        return self.headers.get(name) or ""

    @property
    def bearer(self) -> str:
        """The token that came with it, if any."""
        scheme, _space, token = self.header("Authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass
class Answer:
    """What goes out: JSON, or text that may be streamed."""

    status: int
    body: t.Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
