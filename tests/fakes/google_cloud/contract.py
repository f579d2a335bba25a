# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The contract: Google's discovery documents, as google-api-python-client brings them.

They route each request to a method. Queries, bodies and the fake's own answers are checked against their schemas.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tests.fakes.google_cloud.errors import JSON, ApiError

# The documents of each service. A request belongs to the first that has a method for it.
SERVICES = {
    "artifactregistry": ["artifactregistry.v1"],
    "cloudresourcemanager": ["cloudresourcemanager.v1", "cloudresourcemanager.v3"],
    "compute": ["compute.v1"],
    "container": ["container.v1"],
    "iam": ["iam.v1"],
    "iamcredentials": ["iamcredentials.v1"],
    "serviceusage": ["serviceusage.v1"],
    "storage": ["storage.v1"],
    "sts": ["sts.v1"],
}

# Methods that change nothing although their verb is not GET.
_READS = {
    "getIamPolicy",
    "testIamPermissions",
    "getAncestry",
    "wait",
    "token",
    "generateAccessToken",
    "generateIdToken",
    "signBlob",
    "signJwt",
}


@dataclass(frozen=True)
class Method:
    """One method of an API."""

    id: str
    verb: str
    template: tuple[str, ...]  # the segments of its path
    parameters: JSON
    request: str | None  # names of schemas
    response: str | None

    @property
    def action(self) -> str:
        return self.id.rpartition(".")[2]

    @property
    def collection(self) -> str:
        return self.id.split(".")[-2]

    @property
    def reads(self) -> bool:
        return self.verb == "GET" or self.action in _READS

    def match(self, segments: list[str]) -> dict[str, str] | None:
        """The parameters in a path of as many segments, or None."""
        found: dict[str, str] = {}
        for wanted, segment in zip(self.template, segments, strict=True):
            if "{" not in wanted:
                if wanted != segment:
                    return None
                continue
            head, name, tail = re.split(r"\{\+?(\w+)\}", wanted)
            if not (segment.startswith(head) and segment.endswith(tail) and len(segment) > len(head) + len(tail)):
                return None
            found[name] = unquote(segment[len(head) : len(segment) - len(tail)])
        return found

    @functools.cached_property
    def literal(self) -> int:
        """How much of the template is literal: the most literal one wins, so C({id}:setSize) before C({id})."""
        return sum(len(re.sub(r"\{.*?\}", "", segment)) for segment in self.template)


@dataclass
class _Findings:
    """What is wrong with a value, as the real service words it."""

    strict: bool  # an answer has one spelling only; a request may take liberties
    violations: list[JSON] = field(default_factory=list)

    def add(self, where: str, description: str) -> None:
        self.violations.append({"field": where, "description": description})

    def value(self, where: str, kind: str, value: t.Any) -> None:
        at = f" at '{where}'" if where else ""
        self.add(where, f"Invalid value{at} ({kind}), {json.dumps(value)}")


class Document:
    """One discovery document."""

    def __init__(self, name: str) -> None:
        self.name = name
        document = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
        self.schemas: JSON = document["schemas"]
        self.revision: str = document["revision"]
        self._parameters: JSON = document["parameters"]
        self._methods: dict[tuple[str, int], list[Method]] = defaultdict(list)
        self.methods: dict[str, Method] = {}
        self._collect(document, document["servicePath"].strip("/"))

    def _collect(self, resource: JSON, prefix: str) -> None:
        for method in resource.get("methods", {}).values():
            path = f"{prefix}/{method.get('flatPath') or method['path']}".strip("/")
            found = Method(
                method["id"],
                method["httpMethod"],
                tuple(path.split("/")),
                method.get("parameters", {}),
                method.get("request", {}).get("$ref"),
                method.get("response", {}).get("$ref"),
            )
            self.methods[found.id] = found
            self._methods[found.verb, len(found.template)].append(found)
        for child in resource.get("resources", {}).values():
            self._collect(child, prefix)

    def route(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method for a path that is still percent-encoded, and the parameters in it."""
        segments = path.strip("/").split("/")
        found = [
            (method, parameters)
            for method in self._methods[verb, len(segments)]
            if (parameters := method.match(segments)) is not None
        ]
        return max(found, key=lambda hit: hit[0].literal, default=None)

    def properties(self, schema: str) -> JSON:
        return t.cast("JSON", self.schemas[schema].get("properties", {}))

    def read_query(self, method: Method, query: dict[str, list[str]]) -> dict[str, str]:
        """The query's parameters, repeated ones joined by commas; raises ApiError for what the method does not know."""
        problems = _Findings(strict=False)
        known = {**self._parameters, **method.parameters}
        values: dict[str, str] = {}
        for given, all_values in query.items():
            name = given if given in known else _camel(given)
            if name not in known:
                text = f'Invalid JSON payload received. Unknown name "{given}": Cannot bind query parameter.'
                problems.add(given, text)
                continue
            for value in all_values:
                if known[name].get("type") == "boolean" and value not in ("true", "false"):
                    problems.value(name, "TYPE_BOOL", value)
                if known[name].get("type") == "integer" and not re.fullmatch(r"-?\d+", value):
                    problems.value(name, "TYPE_INT32", value)
                if "enum" in known[name] and value not in known[name]["enum"] and name != "$.xgafv":
                    problems.value(name, "TYPE_ENUM", value)
            values[name] = ",".join(all_values) if known[name].get("repeated") else all_values[-1]
        for name, parameter in method.parameters.items():
            if parameter.get("required") and parameter.get("location") == "query" and name not in values:
                problems.add(name, f"Required parameter: {name}")
        _raise(problems)
        return values

    def read_body(self, method: Method, body: t.Any) -> JSON:
        """The body in its one spelling: no nulls, camelCase, 64-bit integers as strings; raises ApiError."""
        if method.request is None:
            if body not in (None, {}):
                raise ApiError("INVALID_ARGUMENT", "Request body is not allowed for this method.")
            return {}
        problems = _Findings(strict=False)
        read = self._walk({"$ref": method.request}, {} if body is None else body, "", problems)
        _raise(problems)
        return t.cast("JSON", read)

    def problems(self, schema: str, answer: t.Any) -> list[str]:
        """What is wrong with an answer of our own."""
        problems = _Findings(strict=True)
        self._walk({"$ref": schema}, answer, "", problems)
        return [f"{violation['field']}: {violation['description']}" for violation in problems.violations]

    # The walk over schema and value. It returns the value in its one spelling.

    def _walk(self, schema: JSON, value: t.Any, where: str, problems: _Findings) -> t.Any:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type")
        if kind == "any":
            return value
        if kind == "object":
            return self._object(schema, value, where, problems)
        if kind == "array":
            if not isinstance(value, list):
                problems.value(where, "list", value)
                return value
            return [self._walk(schema["items"], item, f"{where}[{i}]", problems) for i, item in enumerate(value)]
        return _scalar(schema, value, where, problems)

    def _object(self, schema: JSON, value: t.Any, where: str, problems: _Findings) -> t.Any:
        if not isinstance(value, dict):
            problems.value(where, f"type.googleapis.com/{schema.get('id', 'object')}", value)
            return value
        known = schema.get("properties", {})
        result: JSON = {}
        for given, item in value.items():
            name = given if given in known or problems.strict or "additionalProperties" in schema else _camel(given)
            at = f"{where}.{name}" if where else name
            inner = known.get(name) or schema.get("additionalProperties")
            if inner is None:
                place = f" at '{where}'" if where else ""
                problems.add(where, f'Invalid JSON payload received. Unknown name "{given}"{place}: Cannot find field.')
            elif item is not None:  # in proto3's JSON, null is the same as not set
                result[name] = self._walk(inner, item, at, problems)
            elif problems.strict:
                problems.add(at, "null")
        return result


def _scalar(schema: JSON, value: t.Any, where: str, problems: _Findings) -> t.Any:
    kind, form = schema.get("type"), schema.get("format")
    if kind == "boolean":
        if not isinstance(value, bool):
            problems.value(where, "TYPE_BOOL", value)
    elif kind == "integer":
        return _number(r"-?\d+", int, "TYPE_INT32", value, where, problems)
    elif kind == "number":
        return _number(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", float, "TYPE_DOUBLE", value, where, problems)
    elif kind == "string" and form in ("int64", "uint64"):
        good = isinstance(value, str) or (
            isinstance(value, int) and not isinstance(value, bool) and not problems.strict
        )
        if not good or not re.fullmatch(r"-?\d+", str(value)):
            problems.value(where, "TYPE_INT64", value)
        return str(value)
    elif kind == "string":
        if not isinstance(value, str):
            problems.value(where, "TYPE_STRING", value)
        elif "enum" in schema and value not in schema["enum"]:
            problems.value(where, "TYPE_ENUM", value)
    return value


def _number(
    pattern: str, convert: t.Callable[[str], float], kind: str, value: t.Any, where: str, problems: _Findings
) -> t.Any:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, str) and not problems.strict:
        good = True
    if not good or not re.fullmatch(pattern, str(value)):
        problems.value(where, kind, value)
        return value
    return convert(value) if isinstance(value, str) else value


def _camel(name: str) -> str:
    """proto3's JSON also takes the fields' original names."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _raise(problems: _Findings) -> None:
    if problems.violations:
        text = "\n".join(violation["description"] for violation in problems.violations)
        details = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": problems.violations}
        raise ApiError("INVALID_ARGUMENT", text, [details])


@functools.cache
def _folder() -> Path:
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise ImportError("The fake Google Cloud needs the Python package google-api-python-client.")
    return Path(spec.origin).parent / "discovery_cache" / "documents"


@functools.cache
def document(name: str) -> Document:
    """A document by name, such as container.v1; read once."""
    return Document(name)


def find(service: str, verb: str, path: str) -> tuple[Document, Method, dict[str, str]] | None:
    """The document, method and path parameters for a request to a service."""
    for name in SERVICES.get(service, []):
        if found := document(name).route(verb, path):
            return document(name), *found
    return None
