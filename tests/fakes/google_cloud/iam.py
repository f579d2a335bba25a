# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: service accounts, and the policies of all resources that have one."""

from __future__ import annotations

import copy
import re

from tests.fakes.google_cloud.errors import JSON, ApiError, exists, invalid, not_found, not_modelled, stale
from tests.fakes.google_cloud.state import Call, State

_MEMBER = re.compile(
    r"(user|group|serviceAccount|domain|projectOwner|projectEditor|projectViewer|deleted|principal|principalSet):.+"
    r"|allUsers|allAuthenticatedUsers"
)
_ROLE = re.compile(r"roles/[\w.]+|(projects|organizations)/[\w-]+/roles/[\w.]+")
# The guide to IAM, "Create service accounts": 6 to 30 characters, letters in lower case, digits and dashes.
_ACCOUNT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_MUTABLE = {"displayName", "description"}


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
        return account == self._state.settings.account or _account_key(self._state, account) in self._state.resources


def _account_key(state: State, account: str) -> str:
    """The key of a service account, which may be given by its number, too."""
    for key, value in state.resources.items():
        if key.startswith("iam/") and "/serviceAccounts/" in key and value.get("uniqueId") == account:
            return key
    return f"iam/projects/{state.settings.project}/serviceAccounts/{account}"


class Iam:
    """iam.googleapis.com."""

    def __init__(self, state: State, policies: Policies) -> None:
        self._state = state
        self._policies = policies

    def handle(self, call: Call) -> JSON:
        if call.method.id == "iam.projects.serviceAccounts.keys.list":
            self._found(call)
            return {}
        if call.method.collection != "serviceAccounts":
            raise not_modelled(call.method.id)
        match call.method.action:
            case "create":
                return self._create(call)
            case "list":
                accounts = self._state.children(f"iam/{call.path}")
                return {"accounts": accounts} if accounts else {}
        key = self._found(call)
        account = self._state.resources[key]
        match call.method.action:
            case "get":
                return account
            case "patch":
                return self._patch(account, call)
            case "update":
                return self._write(account, {name: call.body[name] for name in _MUTABLE & set(call.body)}, call.body)
            case "delete":
                del self._state.resources[key]
                self._state.policies.pop(key, None)
                return {}
            case "enable" | "disable":
                account["disabled"] = call.method.action == "disable"
                return {}
            case "getIamPolicy" | "setIamPolicy" | "testIamPermissions":
                return self._policies.handle(call, key)
        raise not_modelled(call.method.id)

    def _found(self, call: Call) -> str:
        account = call.params["serviceAccountsId"]  # of the project "-": by e-mail or number alone
        key = _account_key(self._state, account)
        if key not in self._state.resources:
            raise not_found(f"Unknown service account: {account}.")
        return key

    def _create(self, call: Call) -> JSON:
        name = call.body.get("accountId", "")
        if not _ACCOUNT.fullmatch(name):
            raise invalid(f"The account ID {name!r} does not match {_ACCOUNT.pattern}.")
        project = self._state.settings.project
        email = f"{name}@{project}.iam.gserviceaccount.com"
        key = _account_key(self._state, email)
        if key in self._state.resources:
            raise exists(f"Service account {name} already exists within project projects/{project}.")
        number = f"1{self._state.number():020}"
        self._state.resources[key] = {
            "name": f"projects/{project}/serviceAccounts/{email}",
            "projectId": project,
            "uniqueId": number,
            "email": email,
            "oauth2ClientId": number,
            "etag": self._state.etag(),
            **{field: value for field, value in call.body.get("serviceAccount", {}).items() if field in _MUTABLE},
        }
        return self._state.resources[key]

    def _patch(self, account: JSON, call: Call) -> JSON:
        given = call.body.get("serviceAccount", {})
        # API documentation, PatchServiceAccountRequest.updateMask: only these two fields can be changed.
        mask = [name for name in re.split(r",\s*", call.body.get("updateMask", "")) if name]
        mask = [re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in mask]
        if not mask or set(mask) - _MUTABLE:
            raise invalid(f"The update mask has to name some of {', '.join(sorted(_MUTABLE))}.")
        return self._write(account, {name: given.get(name, "") for name in mask}, given)

    def _write(self, account: JSON, values: JSON, given: JSON) -> JSON:
        if given.get("etag") not in (None, account["etag"]):
            raise ApiError("ABORTED", "The service account has been changed in the meantime.")
        account |= values | {"etag": self._state.etag()}
        return account
