# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures on demand."""

from __future__ import annotations

import fnmatch
import typing as t
from dataclasses import dataclass, field

from tests.fakes.google_cloud.errors import JSON, ApiError, Dropped, denied, error_info

# What a request can meet, and what can become of the operation that it starts.
REQUEST = {
    "rate_limit": "429 RESOURCE_EXHAUSTED with Retry-After",
    "unavailable": "503 UNAVAILABLE",
    "internal": "500 INTERNAL",
    "in_progress": "400 FAILED_PRECONDITION, an incompatible operation is running",
    "conflict": "409 ABORTED, an operation is running",
    "permission": "403 PERMISSION_DENIED, which names the permission",
    "quota_project": "403 SERVICE_DISABLED, as the credentials are a user's and name no quota project",
    "token_expired": "401 UNAUTHENTICATED; no token that was handed out before is good any more",
    "drop": "the connection ends before anything happened",
    "drop_answer": "it happened, but the connection ends before the answer",
}
OPERATION = {
    "quota": "Insufficient regional quota to satisfy request: resource \"CPUS\": requires '32.0' and is short '8.0'.",
    "stockout": "the operation ends with code 8, GCE_STOCKOUT",
    "error": "the operation ends with code 13",
    "never_ends": "the operation stays RUNNING",
}

_CONDITIONS = {"quota": "GCE_QUOTA_EXCEEDED", "stockout": "GCE_STOCKOUT", "error": "UNKNOWN"}
_MESSAGES = {
    "quota": "Insufficient regional quota to satisfy request: resource \"CPUS\": requires '32.0' and is short '8.0'.",
    "stockout": (
        "[GCE_STOCKOUT]: Instance creation failed: The zone does not have enough resources available to fulfil the"
        " request. Try a different zone, or try again later."
    ),
    "error": "An unknown error occurred.",
}


@dataclass
class Failure:
    """What is to go wrong.

    C(on) is an operation type (CREATE_CLUSTER), a method's id or the end of one (clusters.create), or a pattern.
    """

    on: str
    kind: str
    times: int | None = 1  # None: for ever
    after: int = 0  # so many go well first
    message: str = ""
    retry_after: int = 1

    def __post_init__(self) -> None:
        if self.kind not in REQUEST | OPERATION:
            raise ValueError(f"There is no failure '{self.kind}'; there are: {', '.join(REQUEST | OPERATION)}.")
        if self.kind in REQUEST and self.on.isupper():
            raise ValueError(f"'{self.kind}' is a failure of requests: name a method, not the operation {self.on}.")

    def concerns(self, names: t.Iterable[str]) -> bool:
        return any(name.endswith(f".{self.on}") or fnmatch.fnmatchcase(name, self.on) for name in names)

    # How an operation failed.

    @property
    def condition(self) -> JSON:
        """A StatusCondition of GKE's."""
        exhausted = self.kind in ("quota", "stockout")
        canonical = "RESOURCE_EXHAUSTED" if exhausted else "INTERNAL"
        return {"code": _CONDITIONS[self.kind], "canonicalCode": canonical, "message": self.text}

    @property
    def status(self) -> JSON:
        """A google.rpc.Status."""
        return {"code": 8 if self.kind in ("quota", "stockout") else 13, "message": self.text}

    @property
    def text(self) -> str:
        return self.message or _MESSAGES.get(self.kind, "")

    # How a request failed.

    def raise_for(self, permission: str, resource: str) -> None:
        """Raise what the request meets."""
        info = "container.googleapis.com"
        operation = "operation-1700000000000-0a0b0c0d"
        match self.kind:
            case "rate_limit":
                text = self.message or "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'."
                raise ApiError("RESOURCE_EXHAUSTED", text, headers={"Retry-After": str(self.retry_after)})
            case "unavailable":
                raise ApiError("UNAVAILABLE", self.message or "The service is currently unavailable.")
            case "internal":
                raise ApiError("INTERNAL", self.message or "Internal error encountered.")
            case "in_progress":
                text = self.message or f"Cluster is running incompatible operation {operation}."
                raise ApiError("FAILED_PRECONDITION", text, [error_info("CLUSTER_ALREADY_HAS_OPERATION", info)])
            case "conflict":
                raise ApiError("ABORTED", self.message or f"Operation {operation} is currently running. Please wait.")
            case "permission":
                raise denied(self.message or permission, resource)
            case "quota_project":
                text = "The API requires a quota project, which is not set by default."
                raise ApiError("PERMISSION_DENIED", text, [error_info("SERVICE_DISABLED", "googleapis.com")])
            case "token_expired":
                raise unauthenticated()
            case "drop":
                raise Dropped


def unauthenticated() -> ApiError:
    text = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
        " authentication credential."
    )
    return ApiError("UNAUTHENTICATED", text, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


@dataclass
class Failures:
    """Those that are still to come."""

    waiting: list[Failure] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        self.waiting.append(failure)

    def take(self, kinds: t.Container[str], *names: str) -> Failure | None:
        """The first one that concerns what has one of these names; it is used up by it."""
        for failure in self.waiting:
            if failure.kind not in kinds or not failure.concerns(names):
                continue
            if failure.after > 0:
                failure.after -= 1
                continue
            if failure.times is not None:
                failure.times -= 1
                if failure.times <= 0:
                    self.waiting.remove(failure)
            return failure
        return None
