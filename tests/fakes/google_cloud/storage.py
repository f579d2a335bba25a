# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cloud Storage: buckets and their IAM policies; the names of objects."""

from __future__ import annotations

import re

from tests.fakes.google_cloud.errors import JSON, invalid, not_found, not_modelled
from tests.fakes.google_cloud.generic import Generic
from tests.fakes.google_cloud.operations import now
from tests.fakes.google_cloud.state import Call

_MUTABLE = {
    "autoclass",
    "cors",
    "encryption",
    "iamConfiguration",
    "labels",
    "lifecycle",
    "retentionPolicy",
    "softDeletePolicy",
    "storageClass",
    "versioning",
    "website",
}


class Storage(Generic):
    """storage.googleapis.com."""

    label = "The specified bucket"

    def handle(self, call: Call) -> JSON:
        if call.method.collection == "objects" and call.method.action in ("list", "get"):
            self.found(f"storage/b/{call.params['bucket']}")
            return super().handle(call)
        if call.method.collection != "buckets":
            raise not_modelled(call.method.id)
        return super().handle(call)

    def found(self, key: str) -> JSON:
        if key not in self._state.resources:
            raise not_found("The specified bucket does not exist." if key.count("/") == 2 else "No such object.")
        return super().found(key)

    def created(self, call: Call, _key: str) -> JSON:
        name = call.body["name"]
        # The guide to Cloud Storage, "Bucket name requirements".
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]", name) or name.startswith("goog"):
            raise invalid(f"Invalid bucket name: '{name}'")
        public = {"publicAccessPrevention": "inherited", "uniformBucketLevelAccess": {"enabled": False}}
        return {
            "kind": "storage#bucket",
            "storageClass": "STANDARD",
            **call.body,
            "id": name,
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
            "projectNumber": self._state.settings.project_number,
            "location": call.body.get("location", "US").upper(),
            "iamConfiguration": public | call.body.get("iamConfiguration", {}),
            "metageneration": "1",
            "etag": self._state.etag(),
            "timeCreated": now(),
            "updated": now(),
        }

    def changed(self, call: Call, _key: str, resource: JSON) -> JSON:
        given = {name: value for name, value in call.body.items() if name in _MUTABLE}
        if call.body.get("location", "").upper() not in ("", resource["location"]):
            raise invalid("The location of a bucket cannot be changed.")
        generation = str(int(resource["metageneration"]) + 1)
        return {**resource, **given, "metageneration": generation, "etag": self._state.etag(), "updated": now()}

    def check_delete(self, key: str, _resource: JSON) -> None:
        if self._state.children(f"{key}/o"):
            raise invalid("The bucket you tried to delete is not empty.")
