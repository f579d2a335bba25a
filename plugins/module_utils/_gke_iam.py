# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""IAM policies: where they are, who lacks a role, and the policy that is then written. Pure."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON, Service

_ACCOUNTS = ".iam.gserviceaccount.com"

Kind = t.Literal["project", "repository", "service account", "bucket", "subnetwork"]


@dataclass(frozen=True, order=True)
class Target:
    """What has a policy."""

    kind: Kind
    name: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def service(self) -> Service:
        """The API that has it."""
        services: dict[Kind, Service] = {
            "project": "cloudresourcemanager",
            "repository": "artifactregistry",
            "service account": "iam",
            "bucket": "storage",
            "subnetwork": "compute",
        }
        return services[self.kind]

    @property
    def permission(self) -> str:
        """What it takes to write the policy."""
        return {
            "project": "resourcemanager.projects.setIamPolicy",
            "repository": "artifactregistry.repositories.setIamPolicy",
            "service account": "iam.serviceAccounts.setIamPolicy",
            "bucket": "storage.buckets.setIamPolicy",
            "subnetwork": "compute.subnetworks.setIamPolicy",
        }[self.kind]


@dataclass(frozen=True, order=True)
class Binding:
    """A role that a member has on a target."""

    target: Target
    role: str
    member: str


def by_target(bindings: t.Iterable[Binding]) -> dict[Target, list[Binding]]:
    """Bindings by what they are on, in the order in which that comes up."""
    groups: dict[Target, list[Binding]] = {}
    for binding in bindings:
        groups.setdefault(binding.target, []).append(binding)
    return groups


def roles(bindings: t.Iterable[Binding]) -> list[str]:
    """Who has which roles, as a diff shows it."""
    return sorted(f"{binding.role} {binding.member}" for binding in bindings)


def project_target(project: str) -> Target:
    """A project's policy."""
    return Target("project", project, f"v3/projects/{project}")


def repository_target(project: str, location: str, repository: str) -> Target:
    """A repository's policy."""
    return Target("repository", repository, f"v1/projects/{project}/locations/{location}/repositories/{repository}")


def account_target(email: str) -> Target:
    """A service account's policy.

    An account that is not there is answered as such only in its project, which the emails of users' accounts name.
    """
    host = email.partition("@")[2]
    name, _dot, domain = host.removesuffix(_ACCOUNTS).partition(".")
    project = (f"{domain}:{name}" if domain else name) if host.endswith(_ACCOUNTS) else "-"
    return Target("service account", email, f"v1/projects/{project}/serviceAccounts/{email}")


def bucket_target(bucket: str) -> Target:
    """A bucket's policy."""
    return Target("bucket", bucket, f"storage/v1/b/{quote(bucket, safe='')}")


def subnetwork_target(path: str) -> Target:
    """A subnetwork's policy, by its path from the project on."""
    return Target("subnetwork", path, f"compute/v1/{path}")


def read_request(target: Target) -> tuple[str, str, JSON | None, JSON]:
    """Method, path, body and parameters of the request for a policy, with its conditional bindings."""
    if target.kind == "project":
        return "POST", f"{target.path}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}}, {}
    if target.kind == "bucket":
        return "GET", f"{target.path}/iam", None, {"optionsRequestedPolicyVersion": 3}
    method = "POST" if target.kind == "service account" else "GET"
    return method, f"{target.path}:getIamPolicy", None, {"options.requestedPolicyVersion": 3}


def write_request(target: Target, policy: JSON) -> tuple[str, str, JSON]:
    """Method, path and body of the request that writes a policy."""
    if target.kind == "bucket":
        return "PUT", f"{target.path}/iam", policy
    return "POST", f"{target.path}:setIamPolicy", {"policy": policy}


def test_request(target: Target, permissions: t.Sequence[str]) -> tuple[str, str, JSON | None, JSON]:
    """Method, path, body and parameters of the request for which of some permissions one has."""
    if target.kind == "bucket":
        return "GET", f"{target.path}/iam/testPermissions", None, {"permissions": list(permissions)}
    separator = "/" if target.kind == "subnetwork" else ":"
    return "POST", f"{target.path}{separator}testIamPermissions", {"permissions": list(permissions)}, {}


def _has(policy: JSON, role: str, member: str) -> bool:
    """Whether a member has a role without a condition; one with a condition is another binding."""
    return any(
        binding.get("role") == role and not binding.get("condition") and member in (binding.get("members") or [])
        for binding in policy.get("bindings") or []
    )


def missing(policy: JSON | None, bindings: t.Iterable[Binding]) -> tuple[Binding, ...]:
    """Those that a policy lacks."""
    return tuple(each for each in bindings if not _has(policy or {}, each.role, each.member))


def present(policy: JSON | None, bindings: t.Iterable[Binding]) -> tuple[Binding, ...]:
    """Those that a policy has."""
    return tuple(each for each in bindings if _has(policy or {}, each.role, each.member))


def of_member(target: Target, policy: JSON | None, member: str) -> tuple[Binding, ...]:
    """All that a member has on a target without a condition."""
    return tuple(
        Binding(target, binding["role"], member)
        for binding in (policy or {}).get("bindings") or []
        if not binding.get("condition") and member in (binding.get("members") or [])
    )


def changed(policy: JSON, add: t.Iterable[Binding], remove: t.Iterable[Binding]) -> JSON | None:
    """The policy with some bindings more and some less, or None where it is so already; all else stays as it is."""
    result = copy.deepcopy(policy)
    bindings: list[JSON] = result.setdefault("bindings", [])
    more, less = missing(policy, add), present(policy, remove)
    for each in more:
        found = next((b for b in bindings if b.get("role") == each.role and not b.get("condition")), None)
        if found is None:
            bindings.append({"role": each.role, "members": [each.member]})
        else:
            found["members"] = [*(found.get("members") or []), each.member]
    for each in less:
        for binding in bindings:
            if binding.get("role") == each.role and not binding.get("condition"):
                binding["members"] = [member for member in binding["members"] if member != each.member]
    result["bindings"] = [binding for binding in bindings if binding.get("members")]
    return result if more or less else None
