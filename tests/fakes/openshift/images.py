# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ImageStreams: names of images in the registry. Their tags move when a build has pushed."""

from __future__ import annotations

import typing as t

from tests.fakes.openshift.errors import JSON, invalid, not_found
from tests.fakes.openshift.state import Settings
from tests.fakes.openshift.store import Key, Store, now

GROUP = "image.openshift.io"
STREAMS = f"imagestreams.{GROUP}"
TAGS = f"imagestreamtags.{GROUP}"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Images:
    """What is special about them."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._pushed: dict[str, tuple[dict[str, str], int]] = {}  # labels and size of an image, by digest

    def completed(self, stream: JSON, namespace: str) -> JSON:
        """A stream as it is stored: with defaults, and with tags of its specification that name an image elsewhere."""
        spec = stream.get("spec") or {}
        spec.setdefault("lookupPolicy", {"local": False})
        stream["spec"] = spec
        status = stream.get("status") or {}
        name = stream["metadata"]["name"]
        registry = self._settings.registry
        status["dockerImageRepository"] = f"{registry}/{namespace}/{name}" if registry else ""
        if self._settings.public_registry:
            status["publicDockerImageRepository"] = f"{self._settings.public_registry}/{namespace}/{name}"
        stream["status"] = status
        for tag in spec.get("tags") or []:
            tag.setdefault("referencePolicy", {"type": "Source"})
            tag.setdefault("importPolicy", {})
            source = tag.get("from") or {}
            # OpenShift would look the image up. Nothing is contacted here, so only a digest says which it is.
            if source.get("kind") == "DockerImage" and "@" in source["name"]:
                _point(stream, tag["name"], source["name"], source["name"].partition("@")[2])
        return stream

    def pushed(
        self, namespace: str, name: str, digest: str, reference: str, labels: t.Mapping[str, str], size: int
    ) -> JSON:
        """Let a tag point to what was pushed; C(name) is stream:tag."""
        self._pushed[digest] = (dict(labels), size)
        stream_name, _colon, tag = name.partition(":")
        key = (STREAMS, namespace, stream_name)
        stream = self._store.get(key)
        _point(stream, tag or "latest", reference, digest)
        return self._store.replace(key, stream)

    def tag(self, namespace: str, name: str) -> JSON:
        """An ImageStreamTag, which is a view of its stream."""
        stream_name, colon, _tag = name.partition(":")
        if not colon:
            raise invalid("ImageStreamTag", GROUP, name, "metadata.name", "must be of the form <stream_name>:<tag>")
        found = self._store.find((STREAMS, namespace, stream_name))
        views = [view for view in self._tags(found) if view["metadata"]["name"] == name] if found else []
        if not views:
            raise not_found(TAGS, name)
        return views[0]

    def tags(self, namespace: str) -> list[JSON]:
        return [view for stream in self._store.list(STREAMS, namespace) for view in self._tags(stream)]

    def delete_tag(self, namespace: str, name: str, *, dry: bool = False) -> JSON:
        """Take a tag away from its stream."""
        found = self.tag(namespace, name)
        stream_name, _colon, tag = name.partition(":")
        key: Key = (STREAMS, namespace, stream_name)
        stream = self._store.get(key)
        stream["status"]["tags"] = [each for each in stream["status"]["tags"] if each["tag"] != tag]
        stream["spec"]["tags"] = [each for each in stream["spec"].get("tags") or [] if each["name"] != tag]
        self._store.replace(key, stream, dry=dry)
        return found

    def repository(self, namespace: str, name: str) -> str:
        """Where the stream of stream:tag is in the registry."""
        return f"{self._settings.registry}/{namespace}/{name.partition(':')[0]}"

    def _tags(self, stream: JSON) -> list[JSON]:
        views = []
        for tag in stream["status"].get("tags", []):
            if not tag["items"]:
                continue
            latest = tag["items"][0]
            labels, size = self._pushed.get(latest["image"], ({}, 0))
            spec = next((each for each in stream["spec"].get("tags") or [] if each["name"] == tag["tag"]), None)
            metadata = {key: stream["metadata"][key] for key in ("namespace", "uid", "resourceVersion")}
            metadata |= {"name": f"{stream['metadata']['name']}:{tag['tag']}", "creationTimestamp": latest["created"]}
            views.append(
                {
                    "kind": "ImageStreamTag",
                    "apiVersion": f"{GROUP}/v1",
                    "metadata": metadata,
                    "tag": spec,
                    "generation": latest["generation"],
                    "lookupPolicy": stream["spec"]["lookupPolicy"],
                    "image": {
                        "metadata": {"name": latest["image"], "creationTimestamp": latest["created"]},
                        "dockerImageReference": latest["dockerImageReference"],
                        "dockerImageMetadata": {
                            "kind": "DockerImage",
                            "apiVersion": "image.openshift.io/1.0",
                            "Size": size,
                            "Config": {"Labels": labels},
                        },
                        "dockerImageMetadataVersion": "1.0",
                        "dockerImageLayers": [{"name": latest["image"], "size": size, "mediaType": _LAYER}],
                    },
                }
            )
        return views


def _point(stream: JSON, tag: str, reference: str, digest: str) -> None:
    tags: list[JSON] = stream["status"].setdefault("tags", [])
    found = next((each for each in tags if each["tag"] == tag), None)
    if found is None:
        found = {"tag": tag, "items": []}
        tags.append(found)
    if found["items"] and found["items"][0]["image"] == digest:
        return
    item = {"created": now(), "dockerImageReference": reference, "image": digest, "generation": len(found["items"]) + 1}
    found["items"].insert(0, item)
