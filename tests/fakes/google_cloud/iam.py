# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: service accounts, and workload identity pools."""

from __future__ import annotations

import re

from tests.fakes.google_cloud.errors import JSON, ApiError, exists, invalid, not_found, not_modelled
from tests.fakes.google_cloud.generic import Generic
from tests.fakes.google_cloud.policies import Policies, account_key
from tests.fakes.google_cloud.state import Call, State

# The guide to IAM, "Create service accounts": 6 to 30 characters, letters in lower case, digits and dashes.
_ACCOUNT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_MUTABLE = {"displayName", "description"}


class Iam:
    """iam.googleapis.com."""

    def __init__(self, state: State, policies: Policies) -> None:
        self._state = state
        self._policies = policies
        self._generic = Generic(state, policies)

    def handle(self, call: Call) -> JSON:
        if call.method.id == "iam.projects.serviceAccounts.keys.list":
            self._found(call)
            return {}
        if "workloadIdentityPools" in call.method.id:
            return self._generic.handle(call)
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
        key = account_key(self._state, account)
        if key not in self._state.resources:
            # The reference, projects.serviceAccounts.get: with the wildcard, what is not there is answered with 403.
            if call.params["projectsId"] == "-":
                raise ApiError("PERMISSION_DENIED", "The caller does not have permission, or there is no such account.")
            raise not_found(f"Unknown service account: {account}.")
        return key

    def _create(self, call: Call) -> JSON:
        name = call.body.get("accountId", "")
        if not _ACCOUNT.fullmatch(name):
            raise invalid(f"The account ID {name!r} does not match {_ACCOUNT.pattern}.")
        project = self._state.settings.project
        email = f"{name}@{project}.iam.gserviceaccount.com"
        key = account_key(self._state, email)
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
