# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Service Usage: which APIs are enabled."""

from __future__ import annotations

from tests.fakes.google_cloud.errors import JSON, not_modelled
from tests.fakes.google_cloud.generic import Generic
from tests.fakes.google_cloud.state import Call

# Services that are known although the fake has no API of theirs.
_OTHERS = ["iap.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com"]


class ServiceUsage(Generic):
    """serviceusage.googleapis.com."""

    def handle(self, call: Call) -> JSON:
        if call.method.collection == "operations":
            return super().handle(call)
        match call.method.action:
            case "get":
                return self._service(call.params["servicesId"])
            case "list":
                every = [self._service(name) for name in sorted({*self._state.known_services(), *_OTHERS})]
                wanted = call.query.get("filter", "").removeprefix("state:")
                return self.page(call, [service for service in every if wanted in ("", service["state"])])
            case "batchGet":
                return {"services": [self._service(name.rpartition("/")[2]) for name in call.query["names"].split(",")]}
            case "enable" | "disable":
                return self._switch(call, [call.params["servicesId"]])
            case "batchEnable":
                return self._switch(call, call.body.get("serviceIds", []))
        raise not_modelled(call.method.id)

    def _service(self, name: str) -> JSON:
        parent = f"projects/{self._state.settings.project_number}"
        state = "DISABLED" if name in self._state.disabled else "ENABLED"
        return {"name": f"{parent}/services/{name}", "parent": parent, "state": state, "config": {"name": name}}

    def _switch(self, call: Call, names: list[str]) -> JSON:
        def finish(_failure: object) -> None:
            if call.method.action == "disable":
                self._state.disabled.update(names)
            else:
                self._state.disabled.difference_update(names)

        return self.start(call, f"serviceusage/{call.path}", finish)
