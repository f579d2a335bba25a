# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""An image that OpenShift builds itself: a binary build of the context into an ImageStream, which pods pull from."""

from __future__ import annotations

import copy
import json
import re
import typing as t
from collections import deque
from dataclasses import dataclass, field

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import (
    VERSIONS_MARK,
    Reference,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import (
    Result,
    labelled_versions,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Steps, last
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import Registry
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import MANAGED_BY
from ansible_collections.daskops.kubernetes.plugins.module_utils._target_info import DNS_LABEL

JSON = dict[str, t.Any]

IMAGES = "image.openshift.io/v1"
BUILDS = "build.openshift.io/v1"

LABELS = {
    "app.kubernetes.io/name": "dask",
    "app.kubernetes.io/component": "image",
    MANAGED_BY: "daskops",
}
# The BuildConfig's specification as it was read back after it had been written, without what differs by image.
SPEC_ANNOTATION = "daskops.io/build-spec"
# What the builds have said of their versions, by tag.
VERSIONS_ANNOTATION = "daskops.io/versions"

OVER = ("Complete", "Failed", "Error", "Cancelled")
# Reasons for which a build that has no pod yet will hardly get one.
STUCK = (
    "CannotCreateBuildPod",
    "CannotCreateBuildPodSpec",
    "CannotRetrieveServiceAccount",
    "InvalidImageReference",
    "InvalidOutputReference",
    "MissingPushSecret",
)
AGAIN = "run again"
QUOTA = (
    "a quota or a limit of the namespace may forbid the build's pod: set build_resources to what is allowed, "
    "or have it raised ('oc describe quota,limits' shows them)"
)
NO_REGISTRY = (
    "the ImageStream has no repository, so the cluster's own image registry is not there or was removed: "
    "have it set up, or push to another registry"
)
HINTS = {
    "BuildPodDeleted": f"somebody has deleted the build's pod, or its node went away: {AGAIN}",
    "BuildPodEvicted": "its node ran short of something: set requests in build_resources, such as ephemeral-storage",
    "CancelledBuild": f"{AGAIN} unless somebody meant it to end",
    "CannotCreateBuildPod": QUOTA,
    "CannotCreateBuildPodSpec": QUOTA,
    "CannotRetrieveServiceAccount": "the namespace lacks the service account 'builder': have it restored",
    "DockerBuildFailed": "correct what the log names",
    "FetchSourceFailed": f"the build context did not arrive: {AGAIN}",
    "GenericBuildFailed": "see the log; a build that runs out of its quota or its deadline ends like this, too",
    "InvalidImageReference": "correct the name of the base image",
    "InvalidOutputReference": NO_REGISTRY,
    "MissingPushSecret": "the service account 'builder' has no credentials for the registry yet: have it restored",
    "OutOfMemoryKilled": "give it more memory by limits in build_resources",
    "PullBuilderImageFailed": "see that the cluster can pull the base image",
    "PushImageToRegistryFailed": (
        "see that the cluster's image registry runs and has room, and that the service account 'builder' "
        "has the role system:image-builder"
    ),
}


@dataclass(frozen=True)
class Place:
    """Where ImageStream and BuildConfig are, which have one name."""

    cluster: str
    namespace: str
    name: str

    @classmethod
    def of(cls, cluster: str, namespace: str | None, repository: str) -> Place:
        """Check a namespace and the name of an ImageStream, which is by default C(dask)."""
        if not namespace:
            raise DaskopsError("The image is to be built by OpenShift, and no namespace is named: set 'namespace'")
        name = repository or "dask"
        for what, text in (("name of an ImageStream", name), ("name of a namespace", namespace)):
            if not DNS_LABEL.fullmatch(text):
                raise DaskopsError(
                    f"Cluster {cluster}: '{text}' is no {what}: use small letters, digits and '-', 63 at most"
                )
        return cls(cluster, namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def path(self, plural: str, name: str = "", below: str = "") -> str:
        """Path of an object, or of what is below it."""
        group = BUILDS if plural.startswith("build") else IMAGES
        return "/".join(filter(None, (f"/apis/{group}/namespaces/{self.namespace}/{plural}", name, below)))


@dataclass(frozen=True)
class Wanted:
    """What an image is built from, for its BuildConfig."""

    place: Place
    tag: str
    base: str
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    resources: JSON = field(default_factory=dict)

    @property
    def stream_tag(self) -> str:
        """Name of the ImageStreamTag."""
        return f"{self.place.name}:{self.tag}"

    def stream(self) -> JSON:
        """The ImageStream."""
        metadata = {"name": self.place.name, "namespace": self.place.namespace, "labels": LABELS}
        return {"apiVersion": IMAGES, "kind": "ImageStream", "metadata": metadata}

    def spec(self) -> JSON:
        """The BuildConfig's specification."""
        arguments = {"BASE_IMAGE": self.base, **self.build_args}
        return {
            "source": {"type": "Binary", "binary": {}},
            "strategy": {"type": "Docker", "dockerStrategy": {"buildArgs": _pairs(arguments)}},
            "output": {
                "to": {"kind": "ImageStreamTag", "name": self.stream_tag},
                "imageLabels": _pairs(self.labels),
            },
            "resources": self.resources,
            "runPolicy": "Serial",
        }

    def config(self, live: JSON | None) -> JSON:
        """The BuildConfig, in the place of one of ours if there is one."""
        if live is None:
            metadata = {"name": self.place.name, "namespace": self.place.namespace, "labels": LABELS}
            return {"apiVersion": BUILDS, "kind": "BuildConfig", "metadata": metadata, "spec": self.spec()}
        return {**copy.deepcopy(live), "apiVersion": BUILDS, "kind": "BuildConfig", "spec": self.spec()}


@dataclass(frozen=True)
class Observed:
    """What is there."""

    tag: JSON | None = None
    stream: JSON | None = None
    config: JSON | None = None


@dataclass(frozen=True)
class Plan:
    """What has to be done for the image to be in its ImageStream."""

    create_stream: bool
    write_config: bool
    build: bool

    @classmethod
    def make(cls, wanted: Wanted, observed: Observed) -> Plan:
        """Decide; raise an error if something of that name is not ours, or no longer as we left it."""
        if observed.tag:
            return cls(create_stream=False, write_config=False, build=False)
        for kind, found in (("ImageStream", observed.stream), ("BuildConfig", observed.config)):
            if found and not is_ours(found):
                raise DaskopsError(
                    f"Cluster {wanted.place.cluster}: the {kind} {wanted.place} was not made by this collection, so it "
                    "is left alone and nothing was built: name another repository in 'registry', or remove it"
                )
        if observed.config and (changed := changes(observed.config)):
            raise DaskopsError(
                f"Cluster {wanted.place.cluster}: somebody has changed {', '.join(changed)} of the BuildConfig "
                f"{wanted.place}, so nothing was built: undo the change, or remove the BuildConfig, which is made anew"
            )
        return cls(create_stream=observed.stream is None, write_config=True, build=True)


def is_ours(found: JSON) -> bool:
    """Whether an object carries our label."""
    return (found["metadata"].get("labels") or {}).get(MANAGED_BY) == LABELS[MANAGED_BY]


def kept(spec: JSON) -> JSON:
    """A BuildConfig's specification without what differs by image."""
    spec = copy.deepcopy(spec)
    output = spec.get("output") or {}
    (output.get("to") or {}).pop("name", None)
    output.pop("imageLabels", None)
    docker = (spec.get("strategy") or {}).get("dockerStrategy") or {}
    for name in ("buildArgs", "env"):
        docker.pop(name, None)
    return spec


def changes(config: JSON) -> list[str]:
    """Which fields of a BuildConfig are not as they were read back when it was written."""
    noted = (config["metadata"].get("annotations") or {}).get(SPEC_ANNOTATION)
    if noted is None:
        return []
    try:
        before = json.loads(noted)
    except ValueError:
        return [f"the annotation {SPEC_ANNOTATION}"]
    return _differences("spec", before, kept(config["spec"]))


def _differences(place: str, before: t.Any, after: t.Any) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(before.keys() | after.keys())
        found = (_differences(f"{place}.{name}", before.get(name), after.get(name)) for name in names)
        return [each for part in found for each in part]
    # A server drops what is empty, or gives it back.
    return [] if before == after or (not before and not after) else [place]


def _pairs(values: t.Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def noted_versions(stream: JSON | None) -> dict[str, dict[str, str]]:
    """What the ImageStream says of versions, by tag."""
    annotations = ((stream or {}).get("metadata") or {}).get("annotations") or {}
    try:
        found = json.loads(annotations.get(VERSIONS_ANNOTATION, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def described(wanted: Wanted, observed: Observed) -> Result:
    """The image that an ImageStreamTag names."""
    image = (observed.tag or {})["image"]
    metadata = image.get("dockerImageMetadata") or {}
    labels = (metadata.get("Config") or {}).get("Labels") or {}
    versions = labelled_versions(labels) or noted_versions(observed.stream).get(wanted.tag, {})
    size = sum(layer.get("size", 0) for layer in image.get("dockerImageLayers") or []) or metadata.get("Size", 0)
    unknown = (
        f"Cluster {wanted.place.cluster}: the ImageStream {wanted.place} does not say which versions the tag "
        f"{wanted.tag} holds; they are read when the image runs"
    )
    warnings = () if versions else (unknown,)
    return Result(image["dockerImageReference"], wanted.tag, size, versions, warnings=warnings)


@dataclass
class Log:
    """What is understood of a build's log while it is written."""

    steps: Steps
    end: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    lines: int = 0
    error: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def read(self, line: str) -> str | None:
        """What to tell of a line, if anything."""
        self.lines += 1
        self.end.append(line)
        if named := re.search(r"daskops-error: (.*)", line):
            self.error = named[1]
        if line.startswith("Pushing image "):
            return "push to the cluster's registry"
        if line.startswith(VERSIONS_MARK):
            try:
                self.versions = json.loads(line.removeprefix(VERSIONS_MARK))
            except ValueError:
                self.versions = {}
        return self.steps.read(line)

    @property
    def text(self) -> str:
        """The end of it."""
        return "\n".join(self.end)


def explain(place: Place, name: str, status: JSON, log: Log, hint: str = "") -> DaskopsError:
    """Why a build did not make the image, in a sentence."""
    reason, message = status.get("reason") or "", " ".join((status.get("message") or "").split()).rstrip(".")
    said = log.text or status.get("logSnippet") or ""
    what = ", ".join(filter(None, (status.get("phase", ""), reason))) + (f": {message}" if message else "")
    where = f" at {log.steps.current}" if log.steps.current else ""
    told = log.error or (last(said) if said else "")
    hint = HINTS.get(reason, hint) or f"see 'oc describe build {name} -n {place.namespace}'"
    if re.search(r"exceeded quota|forbidden: .*(quota|limit|maximum|minimum)", message):
        hint = QUOTA
    return DaskopsError(
        f"Cluster {place.cluster}: the build {place.namespace}/{name} has not made the image ({what})"
        f"{where if told else ''}{f': {told}' if told else ''}; {hint}",
        **({"log": said} if said else {}),
    )


def late(status: JSON) -> str:
    """What to do about a build that is not over in time."""
    if status.get("phase") == "New":
        return "builds of one BuildConfig run one after another: see whether one hangs, or give more time in 'timeout'"
    if status.get("phase") == "Pending":
        return f"its pod does not start: see its events; {QUOTA}"
    return "see the log, or give more time in 'timeout'"


@dataclass
class Base:
    """The base image: by which name it is built on, and what identifies it."""

    name: str
    identity: str
    warnings: tuple[str, ...] = ()

    @classmethod
    def find(cls, text: str, registry: t.Callable[[str], Registry]) -> Base:
        """Ask the image's registry for its digest, unless it is named by it."""
        reference = Reference.parse(text)
        # Not the short form, which nodes of OpenShift look for in other registries than Docker does.
        name = f"{reference.registry}/{reference.repository}"
        if reference.digest:
            return cls(f"{name}@{reference.digest}", text)
        tagged = f"{name}:{reference.version}"
        try:
            found = registry(reference.registry).find(reference)
        except DaskopsError as error:
            # The cluster may reach it all the same.
            return cls(tagged, tagged, (_moved(text, error.message.rpartition(": ")[0] or error.message),))
        if not found:
            raise DaskopsError(
                f"The registry {reference.registry} holds no base image '{text}': correct the name in 'base'"
            )
        if not found.digest:
            return cls(tagged, tagged, (_moved(text, f"the registry {reference.registry} does not name its digest"),))
        return cls(f"{name}@{found.digest}", f"{name}@{found.digest}")


def _moved(base: str, why: str) -> str:
    return f"{why}; so it is not noticed when the base image '{base}' changes: name it by its digest (…@sha256:…)"
