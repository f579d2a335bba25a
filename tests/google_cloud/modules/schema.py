# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values for whatever the API's schemas describe."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils._gke import OUTPUT_ONLY_WITHIN

from tests.fakes.google_cloud import contract

JSON = dict[str, t.Any]
Path = tuple[str, ...]

SCHEMAS: JSON = contract.document("container.v1").schemas
_SPECIAL = {"google-datetime": "2026-01-02T03:04:05Z", "google-duration": "3600s"}


def at(schema: str, path: Path) -> JSON:
    """The schema of a place in a resource."""
    found: JSON = {"$ref": schema}
    for name in path:
        found = _resolve(found)["properties"][name]
    return found


def leaves(schema: JSON, path: Path = ()) -> t.Iterator[tuple[Path, JSON]]:
    """The deepest places that can be set on their own; a list or a map is one."""
    schema = {**_resolve(schema), "description": schema.get("description", "")}
    if "properties" not in schema:
        yield path, schema
        return
    for name, inner in schema["properties"].items():
        if not is_output(inner):
            yield from leaves(inner, (*path, name))


def is_output(schema: JSON) -> bool:
    """The API says it and does not take it."""
    return bool(schema.get("readOnly")) or bool(re.match(r"\[?output[ -]only", schema.get("description", ""), re.I))


def outputs(schema: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Names of what is only said, anywhere in a schema."""
    found: set[str] = set()
    for name, inner in SCHEMAS[schema].get("properties", {}).items():
        if is_output(inner):
            found.add(name)
        ref = inner.get("$ref") or inner.get("items", {}).get("$ref") or ""
        if ref and ref not in seen:
            found |= outputs(ref, seen | {ref}) - OUTPUT_ONLY_WITHIN.get(name, set())
    return found


def another(schema: JSON, current: t.Any) -> t.Any:
    """A value that a place can have and does not have now."""
    schema = _resolve(schema)
    kind = schema.get("type")
    if "properties" in schema:
        values = {name: another(inner, None) for name, inner in schema["properties"].items() if not is_output(inner)}
        return dict(list(values.items())[:2])
    if kind == "object":
        return {"key": another(schema["additionalProperties"], None)}
    if kind == "array":
        return [another(schema["items"], None)]
    if kind == "boolean":
        return not current
    if kind == "integer":
        return 12 if current != 12 else 13
    if kind == "number":
        return 0.25
    if "enum" in schema:
        known = [value for value in schema["enum"] if not value.endswith("UNSPECIFIED") and value != current]
        return known[-1]
    if schema.get("format") in ("int64", "uint64"):
        return "12"
    return _SPECIAL.get(schema.get("format", ""), "another")


def _resolve(schema: JSON) -> JSON:
    return SCHEMAS[schema["$ref"]] if "$ref" in schema else schema
