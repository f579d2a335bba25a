# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""An image that OpenShift builds itself: a binary build of the context into an ImageStream, which pods pull from."""

from __future__ import annotations

import copy
import json
import queue
import re
import threading
import time
import typing as t
from collections import deque
from dataclasses import dataclass, field, replace

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import (
    VERSIONS_MARK,
    Context,
    Inputs,
    Reference,
    make_context,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import (
    CONTENT_LABEL,
    LOCK_LABEL,
    Result,
    labelled_versions,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import TICK, Steps, Telling, last
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import Registry
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable
from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift import INTERNAL_REGISTRY
from ansible_collections.daskops.kubernetes.plugins.module_utils._target_info import DNS_LABEL

JSON = dict[str, t.Any]

IMAGES = "image.openshift.io/v1"
BUILDS = "build.openshift.io/v1"

LABELS = {
    "app.kubernetes.io/name": "dask",
    "app.kubernetes.io/component": "image",
    "app.kubernetes.io/managed-by": "daskops",
}
# The BuildConfig's specification as it was read back after it had been written, without what differs by image.
SPEC_ANNOTATION = "daskops.io/build-spec"
# What the builds have said of their versions, by tag.
VERSIONS_ANNOTATION = "daskops.io/versions"

OVER = ("Complete", "Failed", "Error", "Cancelled")
# Reasons for which a build that has no pod yet will hardly get one.
_STUCK = (
    "CannotCreateBuildPod",
    "CannotCreateBuildPodSpec",
    "CannotRetrieveServiceAccount",
    "InvalidImageReference",
    "InvalidOutputReference",
    "MissingPushSecret",
)
_AGAIN = "run again"
_QUOTA = (
    "a quota or a limit of the namespace may forbid the build's pod: set build_resources to what is allowed, "
    "or have it raised ('oc describe quota,limits' shows them)"
)
_NO_REGISTRY = (
    "the ImageStream has no repository, so the cluster's own image registry is not there or was removed: "
    "have it set up, or push to another registry"
)
HINTS = {
    "BuildPodDeleted": f"somebody has deleted the build's pod, or its node went away: {_AGAIN}",
    "BuildPodEvicted": "its node ran short of something: set requests in build_resources, such as ephemeral-storage",
    "CancelledBuild": f"{_AGAIN} unless somebody meant it to end",
    "CannotCreateBuildPod": _QUOTA,
    "CannotCreateBuildPodSpec": _QUOTA,
    "CannotRetrieveServiceAccount": "the namespace lacks the service account 'builder': have it restored",
    "DockerBuildFailed": "correct what the log names",
    "FetchSourceFailed": f"the build context did not arrive: {_AGAIN}",
    "GenericBuildFailed": "see the log; a build that runs out of its quota or its deadline ends like this, too",
    "InvalidImageReference": "correct the name of the base image",
    "InvalidOutputReference": _NO_REGISTRY,
    "MissingPushSecret": "the service account 'builder' has no credentials for the registry yet: have it restored",
    "OutOfMemoryKilled": "give it more memory by limits in build_resources",
    "PullBuilderImageFailed": "see that the cluster can pull the base image",
    "PushImageToRegistryFailed": (
        "see that the cluster's image registry runs and has room, and that the service account 'builder' "
        "has the role system:image-builder"
    ),
}
_PATIENCE = 20.0  # seconds for a build that cannot get a pod
_POLL = 1.0
_HANGING = 10  # times to look at a build that is over before its log is left
_UNHEARD = 60.0  # seconds that an API server may be away during a build


@dataclass(frozen=True)
class Place:
    """Where ImageStream and BuildConfig are, which have one name."""

    cluster: str
    namespace: str
    name: str

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
    name = "app.kubernetes.io/managed-by"
    return (found["metadata"].get("labels") or {}).get(name) == LABELS[name]


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
        hint = _QUOTA
    return DaskopsError(
        f"Cluster {place.cluster}: the build {place.namespace}/{name} has not made the image ({what})"
        f"{where if told else ''}{f': {told}' if told else ''}; {hint}",
        **({"log": said} if said else {}),
    )


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


class Builder:
    """One cluster's builds."""

    def __init__(self, cluster: Cluster, tell: t.Callable[[str], None], timeout: float) -> None:
        self._cluster = cluster
        self._tell = tell
        self._timeout = timeout

    def observe(self, wanted: Wanted) -> Observed:
        """Look at what is there; the BuildConfig only if the image is not."""
        place, find = wanted.place, self._cluster.find
        stream = find(place.path("imagestreams", place.name))
        tag = find(place.path("imagestreamtags", wanted.stream_tag)) if stream else None
        return Observed(tag, stream, None if tag else find(place.path("buildconfigs", place.name)))

    def may_build(self, place: Place) -> None:
        """Raise an error where there are no such things as builds and streams."""
        for api in (IMAGES, BUILDS):
            if self._cluster.find(f"/apis/{api}") is None:
                raise DaskopsError(
                    f"Cluster {place.cluster}: it has no API {api}, so it cannot build an image: it is no OpenShift, "
                    "or one without its capability Build or ImageRegistry; push to a registry instead"
                )

    def carry_out(self, wanted: Wanted, observed: Observed, plan: Plan, context: Context) -> Result:
        """Build the image; raise an error that says why it is not there."""
        place = wanted.place
        stream = observed.stream
        if plan.create_stream:
            stream = self._cluster.send("POST", place.path("imagestreams"), wanted.stream(), **_MANAGER)
        if not ((stream or {}).get("status") or {}).get("dockerImageRepository"):
            raise DaskopsError(
                f"Cluster {place.cluster}: the image cannot be built into the ImageStream {place}: {_NO_REGISTRY}"
            )
        config = self._write_config(wanted, observed.config)
        log = Log(Steps.of(context.files["Dockerfile"].decode(errors="replace")))
        _Build(self._cluster, place, log, Telling(self._tell), self._timeout).run(config, context.archive())
        if log.versions:
            self._note_versions(wanted, log.versions)
        after = self._tagged(wanted)
        return replace(described(wanted, after), built=True, pushed=True)

    def _write_config(self, wanted: Wanted, live: JSON | None) -> JSON:
        """Write the BuildConfig, with what the server makes of its specification beside it."""
        place = wanted.place
        method, path = ("PUT", place.path("buildconfigs", place.name)) if live else ("POST", place.path("buildconfigs"))
        config = wanted.config(live)
        read_back = self._cluster.send(method, path, config, dryRun="All", **_MANAGER)
        metadata = config["metadata"] = dict(config["metadata"])
        noted = {SPEC_ANNOTATION: json.dumps(kept(read_back["spec"]), sort_keys=True)}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **noted}
        return self._cluster.send(method, path, config, **_MANAGER)

    def _note_versions(self, wanted: Wanted, versions: dict[str, str]) -> None:
        path = wanted.place.path("imagestreams", wanted.place.name)
        for attempt in range(3):
            stream = self._cluster.get(path)
            tags = {tag["tag"] for tag in (stream.get("status") or {}).get("tags") or []}
            known = {tag: found for tag, found in noted_versions(stream).items() if tag in tags}
            noted = json.dumps({**known, wanted.tag: versions}, sort_keys=True)
            version = stream["metadata"]["resourceVersion"]
            patch = {"metadata": {"resourceVersion": version, "annotations": {VERSIONS_ANNOTATION: noted}}}
            try:
                self._cluster.send("PATCH", path, patch, "application/merge-patch+json", **_MANAGER)
                return
            except ApiError as error:
                if error.status != 409 or attempt == 2:
                    raise

    def _tagged(self, wanted: Wanted) -> Observed:
        for _attempt in range(10):
            observed = self.observe(wanted)
            if observed.tag:
                return observed
            time.sleep(_POLL)
        raise DaskopsError(
            f"Cluster {wanted.place.cluster}: the image was built, but the ImageStream {wanted.place} has no tag "
            f"{wanted.tag}: see whether something removes images from it"
        )


class _Build:
    """One build, from the upload to its end."""

    def __init__(self, cluster: Cluster, place: Place, log: Log, telling: Telling, timeout: float) -> None:
        self._cluster = cluster
        self._place = place
        self._log = log
        self._telling = telling
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._stuck: JSON = {}  # the status of a build that gets no pod
        self._phase = ""  # as it was when it was seen last and not over
        self._stuck_since = self._heard = time.monotonic()

    def run(self, config: JSON, archive: bytes) -> None:
        """Start it and wait for its end; raise an error if that is no image."""
        name = self._start(config, archive)
        while True:
            self._read(name, follow=True)
            status = self._look(name)
            if status == {}:
                raise explain(self._place, name, {"phase": "deleted by somebody"}, self._log, _AGAIN)
            if status and status["phase"] in OVER:
                break
            time.sleep(_POLL)
        self._read(name, follow=False)  # what was missed if the connection has broken
        if status["phase"] != "Complete":
            raise explain(self._place, name, status, self._log)

    def _start(self, config: JSON, archive: bytes) -> str:
        """Send the context, for which the server waits until the build has its pod; returns the build's name."""
        # Known before the server says so, unless somebody else starts one, too.
        name = f"{self._place.name}-{((config.get('status') or {}).get('lastVersion') or 0) + 1}"
        path = self._place.path("buildconfigs", self._place.name, "instantiatebinary")
        self._telling.on_line(f"send {len(archive) / 1e6:.1f} MB to the build {self._place.namespace}/{name}")

        def send() -> t.Iterator[str]:
            query = {"name": self._place.name}
            raw = self._cluster.request("POST", path, archive, "application/octet-stream", query, self._timeout)
            yield json.loads(raw)["metadata"]["name"]

        try:
            return next(iter(self._meanwhile(send, name)))
        except ApiError as error:
            named = re.search(r"\bbuild ([a-z0-9][a-z0-9.-]*)", error.reason)
            status = self._look(named[1]) if named and error.status not in (401, 403) else None
            if not status:
                raise
            hint = ""
            if status.get("phase") not in ("Failed", "Error"):
                # The server has cancelled what it could not start; why it could not was seen before.
                status = self._stuck or {"phase": self._phase, "message": error.reason}
                hint = _late(status)
            raise explain(self._place, t.cast("re.Match[str]", named)[1], status, self._log, hint) from error

    def _read(self, name: str, *, follow: bool) -> None:
        """Read the lines of the log that were not read before."""
        path = self._place.path("builds", name, "log")
        query = {"follow": "true"} if follow else {}
        read = self._log.lines
        try:
            lines = self._meanwhile(lambda: self._cluster.lines(path, self._timeout, **query), name, until_over=True)
            for number, line in enumerate(lines):
                if number >= read:
                    self._telling.on_line(self._log.read(line))
        except Unreachable:
            return  # which is seen by who looks at the build itself
        except ApiError as error:
            if error.status == 401:
                raise
            # There is none, or not yet, or it may not be read.

    def _meanwhile(
        self, produce: t.Callable[[], t.Iterator[str]], name: str, *, until_over: bool = False
    ) -> t.Iterator[str]:
        """What is produced in another thread, while this one sees how the build is.

        C(until_over) ends it when the build has been over for a while and nothing comes: a connection may hang.
        """
        found: queue.Queue[str | Exception | None] = queue.Queue()

        def work() -> None:
            try:
                for each in produce():
                    found.put(each)
                found.put(None)
            except Exception as error:  # goes on in the thread that waits
                found.put(error)

        threading.Thread(target=work, daemon=True).start()
        quiet, looked = 0, time.monotonic()
        while True:
            if time.monotonic() > min(looked + TICK, self._end):  # a log may never be silent
                self._look(name)
                looked = time.monotonic()
            try:
                each = found.get(timeout=_POLL)
            except queue.Empty:
                self._telling.on_tick()
                status = self._look(name) or {}
                looked = time.monotonic()
                quiet = quiet + 1 if until_over and status.get("phase") in OVER else 0
                if quiet > _HANGING:
                    return
                continue
            if each is None:
                return
            if isinstance(each, Exception):
                raise each
            yield each

    def _look(self, name: str) -> JSON | None:
        """The build's status, empty if there is no such build, None if the server is away for a moment.

        Raises an error when it has to be given up.
        """
        try:
            found = self._cluster.find(self._place.path("builds", name))
        except Unreachable:
            if time.monotonic() - self._heard > _UNHEARD:
                raise
            return None
        self._heard = time.monotonic()
        status: JSON = (found or {}).get("status") or {}
        if status.get("phase") in OVER:
            return status
        self._phase = status.get("phase") or self._phase
        if status.get("reason") in _STUCK:
            if self._stuck.get("reason") != status["reason"]:
                self._stuck, self._stuck_since = status, time.monotonic()
            if time.monotonic() - self._stuck_since > _PATIENCE:
                self._cancel(name)
                raise explain(self._place, name, status, self._log)
        if time.monotonic() > self._end:
            self._cancel(name)
            late = {**status, "message": f"not over after {self._timeout:.0f} s, and so cancelled"}
            raise explain(self._place, name, late, self._log, _late(status))
        return status

    def _cancel(self, name: str) -> None:
        patch = {"status": {"cancelled": True}}
        try:
            path = self._place.path("builds", name)
            self._cluster.send("PATCH", path, patch, "application/merge-patch+json", **_MANAGER)
        except DaskopsError:
            return  # it is being given up in any case


def _late(status: JSON) -> str:
    if status.get("phase") == "New":
        return "builds of one BuildConfig run one after another: see whether one hangs, or give more time in 'timeout'"
    if status.get("phase") == "Pending":
        return f"its pod does not start: see its events; {_QUOTA}"
    return "see the log, or give more time in 'timeout'"


_MANAGER: dict[str, str] = {"fieldManager": FIELD_MANAGER}


def provide(
    inputs: Inputs,
    place: Place,
    builder: Builder,
    registry: t.Callable[[str], Registry],
    *,
    resources: JSON,
    check: bool,
) -> Result:
    """Have the image that the inputs describe in an ImageStream."""
    for what, text in (("name of an ImageStream", place.name), ("name of a namespace", place.namespace)):
        if not DNS_LABEL.fullmatch(text):
            raise DaskopsError(
                f"Cluster {place.cluster}: '{text}' is no {what}: use small letters, digits and '-', 63 at most"
            )
    context = make_context(inputs)
    base = Base.find(inputs.base, registry)
    content = context.content(base.identity)
    labels = {
        CONTENT_LABEL: content,
        LOCK_LABEL: context.lock,
        "org.opencontainers.image.base.name": inputs.base,
    }
    tag = context.tag(base.identity)
    wanted = Wanted(place, tag, base.name, context.build_args, labels, resources)
    result = _provide(wanted, context, builder, check=check)
    return replace(result, warnings=(*base.warnings, *result.warnings))


def connect(params: JSON) -> tuple[Cluster, Place]:
    """The cluster that builds, and where in it, by the parameters of dask_image."""
    if not params["namespace"]:
        raise DaskopsError("The image is to be built by OpenShift, and no namespace is named: set 'namespace'")
    cluster = _cluster(params)
    return cluster, Place(cluster.name, params["namespace"], params["registry"]["repository"] or "dask")


def token(params: JSON) -> str:
    """What the cluster knows the kubeconfig's user by, by the parameters of dask_image."""
    cluster = _cluster(params)
    if not cluster.token:
        raise DaskopsError(
            f"Cluster {cluster.name}: the image is to be pushed with the token of the kubeconfig's user, who has none, "
            "as with a certificate; use a service account's token, or give the registry's username and password"
        )
    return cluster.token


def _cluster(params: JSON) -> Cluster:
    if _kube.KUBERNETES_IMPORT_ERROR:
        raise DaskopsError(missing_required_lib("kubernetes"), exception=_kube.KUBERNETES_IMPORT_ERROR)
    return Cluster({**params, "context": params["kube_context"]}, params["target"])


def remove(cluster: Cluster, place: Place, *, check: bool) -> list[str]:
    """Delete what this module has made in the place; returns what that was, or would be."""
    removed = []
    for kind, plural in (("BuildConfig", "buildconfigs"), ("ImageStream", "imagestreams")):
        path = place.path(plural, place.name)
        # Who may not see it has not made it, and of a project that is gone none is seen.
        found = cluster.find_visible(path)
        if found and is_ours(found):
            removed.append(f"{kind}/{place.name}")
            if not check:
                cluster.send("DELETE", path, {})
    return removed


def _provide(wanted: Wanted, context: Context, builder: Builder, *, check: bool) -> Result:
    expected = Result(f"{INTERNAL_REGISTRY}/{wanted.place}:{wanted.tag}", wanted.tag, built=True, pushed=True)
    try:
        observed = builder.observe(wanted)
    except ApiError as error:
        # OpenShift answers so, too, where the namespace is not there, which is what would be made first.
        if check and error.status == 403:
            why = f"{error.message.rstrip('.')}; in check mode the namespace is taken to be made before"
            return replace(expected, warnings=(why,))
        raise
    plan = Plan.make(wanted, observed)
    if not plan.build:
        return described(wanted, observed)
    builder.may_build(wanted.place)
    if check:
        return expected
    return builder.carry_out(wanted, observed, plan, context)
