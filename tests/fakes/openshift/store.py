# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects of the kinds that the fake keeps itself, with what every API of Kubernetes does to an object."""

from __future__ import annotations

import copy
import itertools
import time
import typing as t
import uuid

from tests.fakes.openshift.errors import JSON, ApiError, exists, not_found

Key = tuple[str, str, str]  # the resource with its group, the namespace, the name


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Store:
    """All of them. Whoever calls holds the edge's lock."""

    def __init__(self) -> None:
        self._objects: dict[Key, JSON] = {}
        self._versions = itertools.count(1000)
        self._namespaces: dict[str, str] = {}  # name to uid

    def in_namespace(self, name: str, uid: str) -> None:
        """Forget what was in a namespace of that name before this one."""
        if self._namespaces.setdefault(name, uid) != uid:
            self._namespaces[name] = uid
            self._objects = {key: found for key, found in self._objects.items() if key[1] != name}

    def create(self, key: Key, found: JSON, *, dry: bool = False) -> JSON:
        if key in self._objects:
            raise exists(key[0], key[2])
        made = copy.deepcopy(found)
        made["metadata"] |= {"namespace": key[1], "uid": str(uuid.uuid4()), "creationTimestamp": now()}
        made["metadata"].setdefault("generation", 1)
        return self._keep(key, made, dry)

    def get(self, key: Key) -> JSON:
        if key not in self._objects:
            raise not_found(key[0], key[2])
        return copy.deepcopy(self._objects[key])

    def find(self, key: Key) -> JSON | None:
        return copy.deepcopy(self._objects.get(key))

    def list(self, resource: str, namespace: str = "") -> t.List[JSON]:  # noqa: UP006  (list is this method here)
        """Those of a namespace, or of all."""
        return [
            copy.deepcopy(found)
            for key, found in sorted(self._objects.items())
            if key[0] == resource and namespace in ("", key[1])
        ]

    def replace(self, key: Key, found: JSON, *, dry: bool = False) -> JSON:
        """Put it in the place of what is there, unless that has changed since it was read."""
        before = self.get(key)
        after = copy.deepcopy(found)
        metadata = after.setdefault("metadata", {})
        version = metadata.get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            text = "the object has been modified; please apply your changes to the latest version and try again"
            raise ApiError("Conflict", f'Operation cannot be fulfilled on {key[0]} "{key[2]}": {text}')
        for name in ("namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "name"):
            metadata[name] = before["metadata"][name]
        if after == before:
            return before
        if after.get("spec") != before.get("spec"):
            metadata["generation"] += 1
        return self._keep(key, after, dry)

    def delete(self, key: Key, *, dry: bool = False) -> JSON:
        found = self.get(key)
        if not dry:
            del self._objects[key]
        return found

    def version(self) -> str:
        return str(next(self._versions))

    def _keep(self, key: Key, found: JSON, dry: bool) -> JSON:
        found["metadata"]["resourceVersion"] = self.version()
        if not dry:
            self._objects[key] = found
        return copy.deepcopy(found)


def merged(before: t.Any, patch: t.Any) -> t.Any:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    after = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = merged(after.get(name), value)
    return after


def selected(found: JSON, query: t.Mapping[str, str]) -> bool:
    """Whether a label selector, as far as it is made of = and names, and a field selector by name choose it."""
    labels = found["metadata"].get("labels") or {}
    for term in filter(None, query.get("labelSelector", "").split(",")):
        name, equals, value = term.replace("==", "=").partition("=")
        if equals and (labels.get(name.rstrip("!")) == value) == name.endswith("!"):
            return False
        if not equals and (name.lstrip("!") in labels) == name.startswith("!"):
            return False
    for term in filter(None, query.get("fieldSelector", "").split(",")):
        name, _equals, value = term.replace("==", "=").partition("=")
        if name not in ("metadata.name", "metadata.namespace"):
            raise ApiError("BadRequest", f'field label not supported: "{name}"')
        if found["metadata"].get(name.removeprefix("metadata.")) != value:
            return False
    return True
