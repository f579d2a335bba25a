# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the fake knows: its settings, the resources, who may what, and the tokens that are good."""

from __future__ import annotations

import base64
import itertools
import typing as t
from dataclasses import dataclass, field

from tests.fakes.google_cloud import catalog
from tests.fakes.google_cloud.contract import SERVICES, Document, Method
from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.failures import Failures
from tests.fakes.google_cloud.operations import Operations


@dataclass
class Settings:
    """How the fake behaves."""

    project: str = "fake-project"
    project_number: str = "123456789012"
    other_projects: tuple[str, ...] = ()  # that have networks, such as the host of a shared VPC
    token: str = "ya29.fake-token"  # the access token that its token endpoints hand out
    account: str = "ci@fake-project.iam.gserviceaccount.com"  # whose token this is
    operation_polls: int = 2  # an operation is done when it was looked at so often,
    operation_seconds: float = 0.0  # and is at least so old
    concurrent_operations: int = 5  # of one cluster
    page_size: int | None = None  # lists are never longer than this, whatever is asked for
    check_networks: bool = False  # a cluster's network, subnetwork and ranges have to exist
    endpoint: str = "192.0.2.10"  # of the clusters; a port may follow
    private_endpoint: str = "10.128.0.2"
    dns_endpoint: str | None = None  # by default one like those of GKE, where nobody listens
    ca_certificate: str = base64.b64encode(b"not a certificate").decode()  # PEM in base64, as GKE gives it
    jwks: JSON | None = None  # the keys by which the clusters' service account tokens are signed


@dataclass(frozen=True)
class Identity:
    """Who asks. C(aliases) are other names that an IAM policy may use for the same."""

    member: str
    aliases: tuple[str, ...] = ()
    admin: bool = False  # may all that is not denied expressly

    @property
    def members(self) -> set[str]:
        return {self.member, *self.aliases, "allUsers", "allAuthenticatedUsers"}


@dataclass
class Call:
    """A request, after it was found good."""

    service: str
    document: Document
    method: Method
    path: str  # the resource: without the API's version, a project's number replaced by its id
    params: dict[str, str]
    query: dict[str, str]
    body: JSON
    identity: Identity

    def param(self, *names: str) -> str:
        """The first of these path parameters that the method has: old and new methods name them differently."""
        return next(self.params[name] for name in names if name in self.params)


@dataclass
class State:
    """All of it. Resources are held by service and path, such as compute/projects/p/global/networks/n."""

    settings: Settings
    resources: dict[str, JSON] = field(default_factory=dict)
    policies: dict[str, JSON] = field(default_factory=dict)  # by the same paths
    disabled: set[str] = field(default_factory=set)  # services, such as compute.googleapis.com
    denied: set[str] = field(default_factory=set)  # permissions
    quotas: dict[tuple[str, str], tuple[float, float]] = field(
        default_factory=dict
    )  # (region or "global", metric): (limit, usage)
    identity_pool: bool = False  # a cluster with Workload Identity brings the project's pool into being
    failures: Failures = field(default_factory=Failures)
    tokens: dict[str, Identity] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    operations: Operations = field(init=False)
    _numbers: t.Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.operations = Operations(self.settings.operation_polls, self.settings.operation_seconds)
        self.tokens[self.settings.token] = self.admin

    @property
    def admin(self) -> Identity:
        return Identity(f"serviceAccount:{self.settings.account}", admin=True)

    @property
    def pool(self) -> str:
        """The workload identity pool of the project's clusters."""
        return f"{self.settings.project}.svc.id.goog"

    def number(self) -> int:
        """A number that was not there before."""
        return next(self._numbers)

    def etag(self) -> str:
        """A fingerprint that was not there before."""
        return base64.b64encode(self.number().to_bytes(8, "big")).decode()

    def children(self, path: str) -> list[JSON]:
        """The resources of a collection, by name."""
        prefix = path.rstrip("/") + "/"
        return [
            value
            for key, value in sorted(self.resources.items())
            if key.startswith(prefix) and "/" not in key[len(prefix) :]
        ]

    def quota(self, region: str, metric: str) -> tuple[float, float]:
        """A region's quota or, of C(global), one of the project."""
        known = catalog.GLOBAL_QUOTAS if region == "global" else catalog.QUOTAS
        return self.quotas.get((region, metric), (known[metric], 0.0))

    def enabled(self, service: str) -> bool:
        return f"{service}.googleapis.com" not in self.disabled

    def known_services(self) -> list[str]:
        return sorted({f"{service}.googleapis.com" for service in SERVICES} | self.disabled)

    # Tokens.

    def primary_token(self) -> str:
        """The token that the fake's token endpoints hand out; another one after that one has expired."""
        token = self.settings.token
        while token in self.expired:
            token = f"{token}-renewed"
        self.tokens[token] = self.admin
        return token

    def issue(self, identity: Identity) -> str:
        token = f"{self.settings.token}.{self.number()}"
        self.tokens[token] = identity
        return token

    def expire_tokens(self) -> None:
        self.expired |= set(self.tokens)
        self.tokens.clear()
