# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values made from schemas: something for each field."""

from __future__ import annotations

import typing as t

from tests.fakes.google_cloud import contract
from tests.fakes.google_cloud.errors import JSON


def sample(schema: JSON, depth: int = 3) -> t.Any:
    """A value that this schema permits, and that is not what is there by default."""
    document = contract.document("container.v1")
    if "$ref" in schema:
        properties = document.properties(schema["$ref"])
        return {name: sample(inner, depth - 1) for name, inner in properties.items() if depth > 0}
    match schema["type"]:
        case "boolean":
            return True
        case "integer":
            return 7
        case "number":
            return 0.5
        case "array":
            return [sample(schema["items"], depth - 1)]
        case "object":
            return {"key": sample(schema.get("additionalProperties", {"type": "string"}), depth - 1)}
    if "enum" in schema:
        return schema["enum"][-1]
    return "7" if schema.get("format") in ("int64", "uint64") else "value"
