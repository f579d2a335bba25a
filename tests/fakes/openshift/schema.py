# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which fields OpenShift's kinds have, as far as they are needed here. Source: the types of openshift/api.

A field that is not in the table is unknown to the fake, even if OpenShift has it: add it here then.
"""

from __future__ import annotations

import json
import typing as t

from tests.fakes.openshift.errors import JSON, ApiError, invalid

# A type is a Python type, one of these, a list with the type of its items, or a dict of fields.
ANY = object()
STRINGS: t.Final = "a map of strings"

_KEYS = {"name": str, "key": str, "optional": bool}
_LOCAL = {"name": str}
_REFERENCE = {"kind": str, "namespace": str, "name": str, "apiVersion": str, "uid": str, "resourceVersion": str}
_OWNER = {"apiVersion": str, "kind": str, "name": str, "uid": str, "controller": bool, "blockOwnerDeletion": bool}
_METADATA = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "labels": STRINGS,
    "annotations": STRINGS,
    "finalizers": [str],
    "ownerReferences": [_OWNER],
    "uid": str,
    "resourceVersion": str,
    "generation": int,
    "creationTimestamp": str,
    "deletionTimestamp": str,
    "deletionGracePeriodSeconds": int,
    "managedFields": [ANY],
    "selfLink": str,
}
_OBJECT = {"apiVersion": str, "kind": str, "metadata": _METADATA}

_ENV = {
    "name": str,
    "value": str,
    "valueFrom": {"configMapKeyRef": _KEYS, "secretKeyRef": _KEYS, "fieldRef": ANY, "resourceFieldRef": ANY},
}
_SOURCE = {
    "type": str,
    "binary": {"asFile": str},
    "dockerfile": str,
    "git": {"uri": str, "ref": str, "httpProxy": str, "httpsProxy": str, "noProxy": str},
    "images": [{"from": _REFERENCE, "as": [str], "paths": [ANY], "pullSecret": _LOCAL}],
    "contextDir": str,
    "sourceSecret": _LOCAL,
    "secrets": [{"secret": _LOCAL, "destinationDir": str}],
    "configMaps": [{"configMap": _LOCAL, "destinationDir": str}],
}
_DOCKER = {
    "from": _REFERENCE,
    "pullSecret": _LOCAL,
    "noCache": bool,
    "env": [_ENV],
    "forcePull": bool,
    "dockerfilePath": str,
    "buildArgs": [_ENV],
    "imageOptimizationPolicy": str,
    "volumes": [ANY],
}
_BUILD = {
    "serviceAccount": str,
    "source": _SOURCE,
    "revision": ANY,
    "strategy": {"type": str, "dockerStrategy": _DOCKER, "sourceStrategy": ANY, "customStrategy": ANY},
    "output": {"to": _REFERENCE, "pushSecret": _LOCAL, "imageLabels": [{"name": str, "value": str}]},
    "resources": {"limits": ANY, "requests": ANY, "claims": [ANY]},
    "postCommit": {"command": [str], "args": [str], "script": str},
    "completionDeadlineSeconds": int,
    "nodeSelector": STRINGS,
    "mountTrustedCA": bool,
}
_BUILD_CONFIG = {
    **_BUILD,
    "triggers": [{"type": str, "github": ANY, "generic": ANY, "imageChange": ANY}],
    "runPolicy": str,
    "successfulBuildsHistoryLimit": int,
    "failedBuildsHistoryLimit": int,
}
_TAG = {
    "name": str,
    "annotations": STRINGS,
    "from": _REFERENCE,
    "reference": bool,
    "generation": int,
    "importPolicy": {"insecure": bool, "scheduled": bool, "importMode": str},
    "referencePolicy": {"type": str},
}
_LOOKUP = {"local": bool}

KINDS: dict[str, JSON] = {
    "ProjectRequest": {**_OBJECT, "displayName": str, "description": str},
    "Project": {**_OBJECT, "spec": {"finalizers": [str]}, "status": ANY},
    "ImageStream": {
        **_OBJECT,
        "spec": {"lookupPolicy": _LOOKUP, "dockerImageRepository": str, "tags": [_TAG]},
        "status": ANY,
    },
    "ImageStreamTag": {
        **_OBJECT,
        "tag": _TAG,
        "generation": int,
        "lookupPolicy": _LOOKUP,
        "conditions": [ANY],
        "image": ANY,
    },
    "BuildConfig": {**_OBJECT, "spec": _BUILD_CONFIG, "status": ANY},
    "Build": {**_OBJECT, "spec": {**_BUILD, "triggeredBy": [ANY]}, "status": ANY},
}

# What is one of a few words, by kind and place.
_WORDS = {
    ("BuildConfig", "spec.runPolicy"): ("Parallel", "Serial", "SerialLatestOnly"),
    ("BuildConfig", "spec.output.to.kind"): ("ImageStreamTag", "DockerImage"),
    ("BuildConfig", "spec.source.type"): ("Git", "Dockerfile", "Binary", "Image", "None"),
    ("BuildConfig", "spec.strategy.type"): ("Docker", "Source", "Custom", "JenkinsPipeline"),
    ("BuildConfig", "spec.strategy.dockerStrategy.from.kind"): ("ImageStreamTag", "ImageStreamImage", "DockerImage"),
    ("BuildConfig", "spec.strategy.dockerStrategy.imageOptimizationPolicy"): (
        "None",
        "SkipLayers",
        "SkipLayersAndWarn",
    ),
}


def check(kind: str, group: str, found: JSON, validation: str) -> tuple[JSON, list[str]]:
    """Hold an object against its kind; returns it, and warnings.

    C(validation) is the request's fieldValidation. Where it is not given, OpenShift warns of unknown fields and drops
    them; the fake refuses them then, too, as nobody means to send them.
    """
    unknown: list[str] = []
    known = t.cast("JSON", _walk(kind, KINDS[kind], found, "", unknown))
    if unknown and validation in ("", "Strict"):
        problems = ", ".join(f'unknown field "{place}"' for place in unknown)
        raise _cannot(kind, f"strict decoding error: {problems}")
    for place, words in ((place, words) for (of, place), words in _WORDS.items() if of == kind):
        value = _at(known, place)
        if value is not None and value not in words:
            supported = ", ".join(f'"{word}"' for word in words)
            problem = f'Unsupported value: "{value}": supported values: {supported}'
            raise invalid(kind, group, known.get("metadata", {}).get("name", ""), place, problem)
    return known, [f'unknown field "{place}"' for place in unknown if validation == "Warn"]


def _walk(kind: str, wanted: t.Any, found: t.Any, place: str, unknown: list[str]) -> t.Any:
    if wanted is ANY or found is None:
        return found
    if isinstance(wanted, list):
        if not isinstance(found, list):
            raise _mistyped(kind, found, place, "a list")
        return [_walk(kind, wanted[0], item, f"{place}[{number}]", unknown) for number, item in enumerate(found)]
    if wanted is STRINGS:
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise _mistyped(kind, found, place, STRINGS)
        return found
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            raise _mistyped(kind, found, place, "an object")
        below = {name: f"{place}.{name}" if place else name for name in found}
        unknown += [below[name] for name in found if name not in wanted]
        return {
            name: _walk(kind, wanted[name], value, below[name], unknown)
            for name, value in found.items()
            if name in wanted
        }
    if not isinstance(found, wanted) or (wanted is int and isinstance(found, bool)):
        raise _mistyped(kind, found, place, {str: "string", bool: "bool", int: "int32"}[wanted])
    return found


def _mistyped(kind: str, found: t.Any, place: str, wanted: str) -> ApiError:
    words = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    value = words.get(type(found), json.dumps(found))
    return _cannot(kind, f"json: cannot unmarshal {value} into Go struct field {kind}.{place} of type {wanted}")


def _cannot(kind: str, problem: str) -> ApiError:
    return ApiError("BadRequest", f'{kind} in version "v1" cannot be handled as a {kind}: {problem}')


def _at(found: JSON, place: str) -> t.Any:
    value: t.Any = found
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
