# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds that the fake answers for, and how clients discover them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote

from tests.fakes.openshift.errors import JSON

_ALL = ("create", "delete", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """A kind, as discovery shows it."""

    kind: str
    namespaced: bool
    verbs: tuple[str, ...] = _ALL
    subresources: tuple[tuple[str, str, str], ...] = ()  # name, kind and verb


RESOURCES: dict[str, dict[str, Resource]] = {
    "build.openshift.io": {
        "buildconfigs": Resource(
            "BuildConfig", True, subresources=(("instantiatebinary", "BinaryBuildRequestOptions", "create"),)
        ),
        "builds": Resource(
            "Build", True, ("delete", "get", "list", "patch", "update", "watch"), (("log", "BuildLog", "get"),)
        ),
    },
    "image.openshift.io": {
        "imagestreams": Resource("ImageStream", True),
        "imagestreamtags": Resource("ImageStreamTag", True, ("delete", "get", "list")),
    },
    "oauth.openshift.io": {
        "useroauthaccesstokens": Resource("UserOAuthAccessToken", False, ("delete", "get", "list")),
    },
    "project.openshift.io": {
        "projectrequests": Resource("ProjectRequest", False, ("create", "list")),
        "projects": Resource("Project", False, ("create", "delete", "get", "list", "patch", "update")),
    },
    "user.openshift.io": {
        "groups": Resource("Group", False, ("get", "list")),
        "users": Resource("User", False, ("get", "list")),
    },
}
_PATH = re.compile(r"/apis/([^/]+)/v1(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?(?:/([^/]+))?/?")
_DISCOVERY = re.compile(r"/apis/([^/]+)(/v1)?/?")


@dataclass(frozen=True)
class Place:
    """What a path names."""

    group: str
    namespace: str
    plural: str
    name: str = ""
    subresource: str = ""


def place(path: str) -> Place | None:
    """What a path of any group of version v1 names."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    group, namespace, plural, name, subresource = (unquote(part or "") for part in found.groups())
    return Place(group, namespace, plural, name, subresource)


def discovered(path: str) -> JSON | None:
    """The discovery document of one of the groups, if it is asked for."""
    found = _DISCOVERY.fullmatch(path)
    if not found or found[1] not in RESOURCES:
        return None
    if not found[2]:
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(found[1])}
    resources = []
    for plural, resource in RESOURCES[found[1]].items():
        shared = {"singularName": "", "namespaced": resource.namespaced}
        verbs = list(resource.verbs)
        short = {"singularName": resource.kind.lower(), "kind": resource.kind, "verbs": verbs}
        resources.append({"name": plural, **shared, **short})
        for name, kind, verb in resource.subresources:
            resources.append({"name": f"{plural}/{name}", **shared, "kind": kind, "verbs": [verb]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{found[1]}/v1", "resources": resources}


def with_groups(groups: JSON) -> JSON:
    """The API server's list of groups, with those of the fake."""
    ours = [_group(name) for name in RESOURCES]
    return {**groups, "groups": [*(each for each in groups["groups"] if each["name"] not in RESOURCES), *ours]}


def _group(name: str) -> JSON:
    version: t.Final = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}
