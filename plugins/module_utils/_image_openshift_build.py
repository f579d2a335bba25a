# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Builds in OpenShift, carried out: streams and configurations written, a context sent, its build followed."""

from __future__ import annotations

import json
import queue
import re
import threading
import time
import typing as t
from dataclasses import replace

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Context, Inputs, make_context
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import (
    CONTENT_LABEL,
    LOCK_LABEL,
    Result,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import TICK, Steps, Telling
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_openshift import (
    AGAIN,
    BUILDS,
    IMAGES,
    NO_REGISTRY,
    OVER,
    SPEC_ANNOTATION,
    STUCK,
    VERSIONS_ANNOTATION,
    Base,
    Log,
    Observed,
    Place,
    Plan,
    Wanted,
    described,
    explain,
    is_ours,
    kept,
    late,
    noted_versions,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import Registry
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster, Unreachable
from ansible_collections.daskops.kubernetes.plugins.module_utils._openshift import INTERNAL_REGISTRY

JSON = dict[str, t.Any]

_PATIENCE = 20.0  # seconds for a build that cannot get a pod
_POLL = 1.0
_HANGING = 10  # times to look at a build that is over before its log is left
_UNHEARD = 60.0  # seconds that an API server may be away during a build
_MANAGER: dict[str, str] = {"fieldManager": FIELD_MANAGER}


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
                f"Cluster {place.cluster}: the image cannot be built into the ImageStream {place}: {NO_REGISTRY}"
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
                raise explain(self._place, name, {"phase": "deleted by somebody"}, self._log, AGAIN)
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
                hint = late(status)
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
        if status.get("reason") in STUCK:
            if self._stuck.get("reason") != status["reason"]:
                self._stuck, self._stuck_since = status, time.monotonic()
            if time.monotonic() - self._stuck_since > _PATIENCE:
                self._cancel(name)
                raise explain(self._place, name, status, self._log)
        if time.monotonic() > self._end:
            self._cancel(name)
            over = {**status, "message": f"not over after {self._timeout:.0f} s, and so cancelled"}
            raise explain(self._place, name, over, self._log, late(status))
        return status

    def _cancel(self, name: str) -> None:
        patch = {"status": {"cancelled": True}}
        try:
            path = self._place.path("builds", name)
            self._cluster.send("PATCH", path, patch, "application/merge-patch+json", **_MANAGER)
        except DaskopsError:
            return  # it is being given up in any case


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
