# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Artifact Registry: repositories."""

from __future__ import annotations

import re

from tests.fakes.google_cloud import catalog
from tests.fakes.google_cloud.errors import JSON, invalid
from tests.fakes.google_cloud.generic import Generic
from tests.fakes.google_cloud.operations import now
from tests.fakes.google_cloud.state import Call

_MULTI_REGIONS = {"asia", "europe", "us"}


class ArtifactRegistry(Generic):
    """artifactregistry.googleapis.com."""

    label = "Repository"

    def handle(self, call: Call) -> JSON:
        location = call.params.get("locationsId", "")
        if location and location not in _MULTI_REGIONS | set(catalog.REGIONS):
            raise invalid(f"Location {location} is not found or access is unauthorized.")
        return super().handle(call)

    def created(self, call: Call, key: str) -> JSON:
        if call.method.collection != "repositories":
            return super().created(call, key)
        name = call.query.get("repositoryId", "")
        # API documentation, repositories.create: letters, numbers and hyphens, begins with a letter, does not end with
        # a hyphen.
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise invalid(f"repository_id {name!r} is not valid.")
        if call.body.get("format", "FORMAT_UNSPECIFIED") == "FORMAT_UNSPECIFIED":
            raise invalid("The repository's format has to be given.")
        uri = f"{call.params['locationsId']}-docker.pkg.dev/{self._state.settings.project}/{name}"
        return {
            "mode": "STANDARD_REPOSITORY",
            **super().created(call, key),
            "createTime": now(),
            "updateTime": now(),
            "registryUri": uri,
        }

    def changed(self, call: Call, key: str, resource: JSON) -> JSON:
        if call.method.collection != "repositories":
            return super().changed(call, key, resource)
        if call.body.get("format") not in (None, resource["format"]):
            raise invalid("The format of a repository cannot be changed.")
        return super().changed(call, key, resource) | {"updateTime": now(), "name": resource["name"]}
