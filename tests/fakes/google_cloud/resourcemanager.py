# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource Manager, versions 1 and 3: the project, and its IAM policy."""

from __future__ import annotations

from tests.fakes.google_cloud.errors import JSON, not_modelled
from tests.fakes.google_cloud.policies import Policies
from tests.fakes.google_cloud.state import Call, State


class ResourceManager:
    """cloudresourcemanager.googleapis.com."""

    def __init__(self, state: State, policies: Policies) -> None:
        self._state = state
        self._policies = policies

    def handle(self, call: Call) -> JSON:
        if call.method.collection != "projects":
            raise not_modelled(call.method.id)
        match call.method.action:
            case "get":
                return self._project(call)
            case "list" | "search":
                return {"projects": [self._project(call)]}
            case "getIamPolicy" | "setIamPolicy" | "testIamPermissions":
                return self._policies.handle(call, f"cloudresourcemanager/projects/{self._state.settings.project}")
        raise not_modelled(call.method.id)

    def _project(self, call: Call) -> JSON:
        project, number = self._state.settings.project, self._state.settings.project_number
        created = "2024-01-01T00:00:00.000Z"
        if call.document.name.endswith("v3"):
            name = {"name": f"projects/{number}", "displayName": project, "state": "ACTIVE"}
            return {**name, "projectId": project, "createTime": created}
        state = {"name": project, "lifecycleState": "ACTIVE", "createTime": created}
        return {**state, "projectId": project, "projectNumber": number}
