# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors as Google's APIs answer them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

JSON = dict[str, t.Any]

# google.rpc.Code to the HTTP status of its JSON mapping, and the word that compute and storage use for it.
STATUS = {
    "INVALID_ARGUMENT": (400, "invalid"),
    "FAILED_PRECONDITION": (400, "failedPrecondition"),
    "UNAUTHENTICATED": (401, "authError"),
    "PERMISSION_DENIED": (403, "forbidden"),
    "NOT_FOUND": (404, "notFound"),
    "ALREADY_EXISTS": (409, "alreadyExists"),
    "ABORTED": (409, "aborted"),
    "RESOURCE_EXHAUSTED": (429, "rateLimitExceeded"),
    "INTERNAL": (500, "internalError"),
    "UNIMPLEMENTED": (501, "notImplemented"),
    "UNAVAILABLE": (503, "backendError"),
}


@dataclass
class ApiError(Exception):
    """An answer that is an error. C(http) and C(reason) are given where they are not the usual ones of C(status)."""

    status: str
    message: str
    details: list[JSON] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    http: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        usual, reason = STATUS[self.status]
        self.http = self.http or usual
        self.reason = self.reason or reason

    def body(self, legacy: bool) -> JSON:
        """The answer's body; C(legacy) is the form of compute and storage, which have a list of reasons instead."""
        error: JSON = {"code": self.http, "message": self.message}
        if legacy:
            error["errors"] = [{"message": self.message, "domain": "global", "reason": self.reason}]
        else:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return {"error": error}


@dataclass
class OAuthError(Exception):
    """An error of a token endpoint, which has a form of its own (RFC 6749, section 5.2)."""

    error: str
    description: str
    http: int = 400

    def body(self) -> JSON:
        return {"error": self.error, "error_description": self.description}


class Dropped(Exception):
    """The connection ends here, without an answer."""


def error_info(reason: str, domain: str, **metadata: str) -> JSON:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": domain, "metadata": metadata}


def invalid(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)


def not_found(message: str) -> ApiError:
    return ApiError("NOT_FOUND", message)


def exists(message: str) -> ApiError:
    return ApiError("ALREADY_EXISTS", message)


def stale(message: str) -> ApiError:
    """A fingerprint or an etag that is no longer the current one, where the API says 412."""
    return ApiError("FAILED_PRECONDITION", message, http=412, reason="conditionNotMet")


def denied(permission: str, resource: str) -> ApiError:
    info = error_info("IAM_PERMISSION_DENIED", "googleapis.com", permission=permission, resource=resource)
    return ApiError("PERMISSION_DENIED", f'Required "{permission}" permission(s) for "{resource}".', [info])


def not_modelled(what: str) -> ApiError:
    return ApiError("UNIMPLEMENTED", f"The fake does not model {what}.")
