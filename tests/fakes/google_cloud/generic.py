# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Any API of the usual form: create, read, update and delete, as the discovery document describes it."""

from __future__ import annotations

import copy
import re
import typing as t

from tests.fakes.google_cloud.errors import JSON, exists, invalid, not_found, not_modelled, stale
from tests.fakes.google_cloud.failures import OPERATION
from tests.fakes.google_cloud.operations import Finish, Operation
from tests.fakes.google_cloud.policies import Policies
from tests.fakes.google_cloud.state import Call, State


class Generic:
    """The base of the services. What is special about one is in its subclass."""

    label = "Resource"  # how its messages call a resource

    def __init__(self, state: State, policies: Policies) -> None:
        self._state = state
        self._policies = policies

    def handle(self, call: Call) -> JSON:
        """Answer a call."""
        if call.method.collection.lower().endswith("operations"):
            return self._operation(call)
        action = call.method.action
        if action in ("insert", "create"):
            return self._insert(call)
        if action == "list":
            return self._list(call)
        if action in ("getIamPolicy", "setIamPolicy", "testIamPermissions"):
            path = re.sub(rf"(:|/){action}$|/iam(/testPermissions)?$", "", call.path)
            self.found(f"{call.service}/{path}")
            return self._policies.handle(call, f"{call.service}/{path}")
        if action not in ("get", "patch", "update", "delete"):
            raise not_modelled(call.method.id)
        key = f"{call.service}/{call.path}"
        resource = self.found(key)
        if action == "get":
            return resource
        if action == "delete":
            self.check_delete(key, resource)
            return self._answer(call, key, lambda _failure: self._remove(key))
        changed = self.changed(call, key, resource)
        return self._answer(call, key, lambda _failure: self._replace(key, changed))

    # What subclasses say otherwise.

    def name_of(self, call: Call) -> str:
        """The name of what is to be created."""
        by_query = next((value for name, value in call.query.items() if name.endswith("Id")), "")
        return by_query or str(call.body.get("name", "")).rpartition("/")[2]

    def created(self, call: Call, key: str) -> JSON:
        """What is there after it was created; the place to refuse."""
        return {**call.body, "name": key.partition("/")[2]}

    def changed(self, call: Call, _key: str, resource: JSON) -> JSON:
        """What is there after it was changed; the place to refuse."""
        mask = call.query.get("updateMask")
        names = re.split(r",\s*", mask) if mask else list(call.body)
        names = [re.sub(r"_(\w)", lambda found: found[1].upper(), name) for name in names]
        changed = {name: value for name, value in resource.items() if name not in names}
        return changed | {name: call.body[name] for name in names if name in call.body}

    def check_delete(self, key: str, resource: JSON) -> None:
        """The place to refuse."""

    def found(self, key: str) -> JSON:
        if key not in self._state.resources:
            raise not_found(f"{self.label} '{key.partition('/')[2]}' was not found.")
        return self._state.resources[key]

    def show(self, operation: Operation) -> JSON:
        """An operation, as the API shows it: google.longrunning.Operation."""
        shown = copy.deepcopy(operation.shown)
        response = shown.pop("response", {})
        if not operation.done:
            return shown
        if operation.failed:
            return shown | {"done": True, "error": operation.failed.status}
        return shown | {"done": True, "response": response}

    def operation_shown(self, call: Call, key: str, operation: Operation) -> JSON:
        """What the operation has beside its state."""
        place = re.match(r"(projects/[^/]+/locations/[^/]+/)?", call.path)
        assert place
        resource = {"@type": f"type.googleapis.com/google.{call.service}", "name": key.partition("/")[2]}
        return {"name": f"{place[0]}operations/{operation.name}", "response": resource}

    # How it is done.

    def _insert(self, call: Call) -> JSON:
        name = self.name_of(call)
        if not name:
            raise invalid("The name is missing.")
        key = f"{call.service}/{call.path}/{name}"
        if key in self._state.resources or self._state.operations.running(key):
            raise exists(f"{self.label} '{key.partition('/')[2]}' already exists.")
        resource = self.created(call, key)
        if call.method.response != "Operation":
            self._state.resources[key] = resource
            return resource
        return self.start(call, key, lambda failure: self._replace(key, resource, failure))

    def _list(self, call: Call) -> JSON:
        found = self._state.children(f"{call.service}/{call.path}")
        return self.page(call, [item for item in found if self._wanted(call, item)])

    def page(self, call: Call, items: list[t.Any]) -> JSON:
        """A list's answer: a part of it, and where the next part begins."""
        assert call.method.response
        schema = call.document.properties(call.method.response)
        field = next(name for name, value in schema.items() if value.get("type") == "array" and name != "unreachable")
        asked = int(call.query.get("pageSize") or call.query.get("maxResults") or 500)
        size = min(asked, self._state.settings.page_size or 500)
        start = int(call.query.get("pageToken") or 0)
        answer: JSON = {field: items[start : start + size]} if items else {}
        if len(items) > start + size:
            answer["nextPageToken"] = str(start + size)
        return answer

    def _wanted(self, call: Call, item: JSON) -> bool:
        return all(_matches(item, term) for term in _terms(call.query.get("filter", "")))

    def _answer(self, call: Call, key: str, finish: Finish) -> JSON:
        """Do it now or in an operation, as the method's answer is one or not."""
        if call.method.response == "Operation":
            return self.start(call, key, finish)
        finish(None)
        return self._state.resources.get(key, {})

    def start(self, call: Call, key: str, finish: Finish) -> JSON:
        """Start an operation and show it."""
        failure = self._state.failures.take(OPERATION, call.method.id)
        operation = self._state.operations.start(
            call.method.action, key, lambda failed: None if failed else finish(None), failure=failure
        )
        operation.shown = self.operation_shown(call, key, operation)
        return self.show(operation)

    def _operation(self, call: Call) -> JSON:
        if call.method.action == "list":
            mine = f"{call.service}/{call.path.rpartition('/')[0]}/"  # a project's, region's or zone's
            every = [op for op in self._state.operations.all.values() if op.target.startswith(mine)]
            return self.page(call, [shown for shown in map(self.show, every) if self._wanted(call, shown)])
        if call.method.action not in ("get", "wait"):
            raise not_modelled(call.method.id)
        name = re.sub(r"/wait$", "", call.path).rpartition("/")[2]
        operation = self._state.operations.poll(name)
        if operation is None or not operation.target.startswith(f"{call.service}/"):
            raise not_found(f"Operation '{name}' was not found.")
        return self.show(operation)

    def _replace(self, key: str, resource: JSON, failure: object = None) -> None:
        if failure is None:
            self._state.resources[key] = resource

    def _remove(self, key: str) -> None:
        self._state.resources.pop(key, None)
        self._state.policies.pop(key, None)


def check_fingerprint(field: str, given: JSON, resource: JSON) -> None:
    """Refuse a change that was made from what is no longer there."""
    if field in resource and given.get(field) != resource[field]:
        raise stale(f"Invalid {field}: the resource has been changed in the meantime, or {field} was not given.")


# Filters, as far as anything here uses them: terms with =, :, eq or ne, joined by AND.


def _terms(text: str) -> list[tuple[str, str, str]]:
    terms = []
    for term in re.split(r"\s+AND\s+|(?<=\))\s*(?=\()", text) if text else []:
        found = re.fullmatch(r"\(?\s*([\w.-]+)\s*(=|!=|:| eq | ne )\s*(.*?)\s*\)?", term)
        if not found:
            raise not_modelled(f"the filter {text!r}")
        terms.append((found[1], found[2].strip(), found[3].strip("\"'")))
    return terms


def _matches(item: JSON, term: tuple[str, str, str]) -> bool:
    path, operator, wanted = term
    value: t.Any = item
    first, *rest = path.split(".", 1)
    for name in [first, *rest]:
        value = value.get(name) if isinstance(value, dict) else None
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    match operator:
        case "=":
            return text == wanted
        case "!=":
            return text != wanted
        case "eq":
            return re.fullmatch(wanted, text) is not None
        case "ne":
            return re.fullmatch(wanted, text) is None
    if wanted == "*":
        return value is not None
    return text.startswith(wanted[:-1]) if wanted.endswith("*") else wanted in text
