# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The IAM policies of whatever has one."""

from __future__ import annotations

import copy
import re

from tests.fakes.google_cloud.errors import JSON, ApiError, invalid, stale
from tests.fakes.google_cloud.state import Call, State

_MEMBER = re.compile(
    r"(user|group|serviceAccount|domain|projectOwner|projectEditor|projectViewer|deleted|principal|principalSet):.+"
    r"|allUsers|allAuthenticatedUsers"
)
_ROLE = re.compile(r"roles/[\w.]+|(projects|organizations)/[\w-]+/roles/[\w.]+")


class Policies:
    """The policies of all APIs: read, changed and written again, guarded by an etag."""

    def __init__(self, state: State) -> None:
        self._state = state

    def handle(self, call: Call, resource: str) -> JSON:
        """Answer getIamPolicy, setIamPolicy or testIamPermissions of a resource."""
        if call.method.action == "testIamPermissions":
            asked = call.body.get("permissions") or call.query.get("permissions", "").split(",")
            held = [permission for permission in asked if permission and permission not in self._state.denied]
            return {"permissions": held} if held else {}
        if call.method.action == "getIamPolicy":
            return self.read(resource)
        policy = call.body if call.service == "storage" else call.body.get("policy")
        if policy is None:
            raise invalid("The policy is missing.")
        return self.write(resource, policy, 412 if call.service == "storage" else 409)

    def read(self, resource: str) -> JSON:
        return copy.deepcopy(self._state.policies.setdefault(resource, {"version": 1, "etag": "ACAB"}))

    def write(self, resource: str, policy: JSON, conflict: int = 409) -> JSON:
        # API documentation, Policy.etag: with an etag, a policy is written only if nobody else has changed it.
        etag = policy.get("etag")
        if etag is not None and etag != self.read(resource)["etag"]:
            text = "There were concurrent policy changes. Please retry the whole read-modify-write."
            raise stale(text) if conflict == 412 else ApiError("ABORTED", text)
        bindings = [binding for binding in policy.get("bindings", []) if binding.get("members")]
        for binding in bindings:
            self._check(binding)
        written: JSON = {"version": policy.get("version", 1), "etag": self._state.etag()}
        self._state.policies[resource] = written | ({"bindings": copy.deepcopy(bindings)} if bindings else {})
        return self.read(resource)

    def members(self, resource: str, role: str) -> set[str]:
        """Who has a role; C(role) is a pattern."""
        return {
            member
            for binding in self.read(resource).get("bindings", [])
            if re.fullmatch(role, binding["role"])
            for member in binding["members"]
        }

    def _check(self, binding: JSON) -> None:
        own = f"@{self._state.settings.project}.iam.gserviceaccount.com"
        if not _ROLE.fullmatch(binding.get("role", "")):
            raise invalid(f"Role {binding.get('role')} is not supported for this resource.")
        for member in binding["members"]:
            if not _MEMBER.fullmatch(member):
                raise invalid(f"Invalid member: {member}.")
            kind, _colon, name = member.partition(":")
            if kind == "serviceAccount" and ".svc.id.goog[" in name:
                # What the service says until the project's first cluster has Workload Identity.
                pool = name.partition("[")[0]
                if pool == self._state.pool and not self._state.identity_pool:
                    raise invalid(
                        f"Identity Pool does not exist ({pool}). Please check that you specified a valid name."
                    )
            elif kind == "serviceAccount" and name.endswith(own) and not self._there(name):
                raise invalid(f"Service account {name} does not exist.")

    def _there(self, account: str) -> bool:
        return account == self._state.settings.account or account_key(self._state, account) in self._state.resources


def account_key(state: State, account: str) -> str:
    """The key of a service account, which may be given by its number, too."""
    for key, value in state.resources.items():
        if key.startswith("iam/") and "/serviceAccounts/" in key and value.get("uniqueId") == account:
            return key
    return f"iam/projects/{state.settings.project}/serviceAccounts/{account}"
