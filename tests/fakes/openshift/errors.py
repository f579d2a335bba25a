# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors as an API server of Kubernetes or OpenShift answers them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

JSON = dict[str, t.Any]

STATUS = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "AlreadyExists": 409,
    "Conflict": 409,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "InternalError": 500,
    "NotImplemented": 501,
    "ServiceUnavailable": 503,
}


@dataclass
class ApiError(Exception):
    """An answer that is an error."""

    reason: str
    message: str
    details: JSON = field(default_factory=dict)

    @property
    def code(self) -> int:
        return STATUS[self.reason]

    def body(self) -> JSON:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


@dataclass
class OAuthError(Exception):
    """An error of the OAuth server, which has a form of its own (RFC 6749, section 5.2)."""

    error: str
    description: str
    code: int = 400
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> JSON:
        return {"error": self.error, "error_description": self.description}


def success(**details: str) -> JSON:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def not_found(resource: str, name: str) -> ApiError:
    """C(resource) with its group: imagestreams.image.openshift.io."""
    plural, _dot, group = resource.partition(".")
    details = {"name": name, "group": group, "kind": plural}
    return ApiError("NotFound", f'{resource} "{name}" not found', details)


def exists(resource: str, name: str) -> ApiError:
    plural, _dot, group = resource.partition(".")
    details = {"name": name, "group": group, "kind": plural}
    return ApiError("AlreadyExists", f'{resource} "{name}" already exists', details)


def invalid(kind: str, group: str, name: str, place: str, problem: str, reason: str = "FieldValueInvalid") -> ApiError:
    """One field that is not as it has to be."""
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [{"reason": reason, "message": problem, "field": place}],
    }
    return ApiError("Invalid", f'{kind}.{group} "{name}" is invalid: {place}: {problem}', details)


def not_modelled(what: str) -> ApiError:
    return ApiError("NotImplemented", f"The fake does not model {what}.")
