# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""BuildConfigs and binary builds. What builds is given by whoever starts the fake."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import traceback
import typing as t
from dataclasses import dataclass, field

from tests.fakes.openshift.errors import JSON, ApiError, invalid
from tests.fakes.openshift.images import STREAMS, Images
from tests.fakes.openshift.store import Store, now

GROUP = "build.openshift.io"
CONFIGS = f"buildconfigs.{GROUP}"
BUILDS = f"builds.{GROUP}"
OVER = ("Complete", "Failed", "Error", "Cancelled")
# What OpenShift says to its reasons: the constants of build/v1 in openshift/api.
MESSAGES = {
    "CancelledBuild": "The build was cancelled by the user.",
    "DockerBuildFailed": "Dockerfile build strategy has failed.",
    "FetchSourceFailed": "Failed to fetch the input source.",
    "GenericBuildFailed": "Generic Build failure - check logs for details.",
    "InvalidContextDirectory": "The supplied context directory does not exist.",
    "InvalidImageReference": "Referenced image could not be resolved.",
    "InvalidOutputReference": "Output image could not be resolved.",
    "OutOfMemoryKilled": "The build pod was killed due to an out of memory condition.",
    "PullBuilderImageFailed": "Failed pulling builder image.",
    "PushImageToRegistryFailed": "Failed to push the image to the registry.",
}
_STRATEGIES = {"dockerStrategy": "Docker", "sourceStrategy": "Source", "customStrategy": "Custom"}
_SOURCES = {"binary": "Binary", "git": "Git", "dockerfile": "Dockerfile", "images": "Image"}


@dataclass(frozen=True)
class BuildInput:
    """What a builder is given."""

    name: str
    namespace: str
    archive: bytes  # a tar, compressed or not
    spec: JSON  # of the Build
    output: str  # where in the registry the image belongs, with its tag; empty if it is not to be pushed
    log: t.Callable[[str], None]  # add to the build's log
    cancelled: t.Callable[[], bool] = lambda: False  # whether nobody wants it any more


@dataclass(frozen=True)
class Built:
    """What a builder gives back: the digest, by which reference it can be pulled if not by the registry's, labels."""

    digest: str
    reference: str = ""
    labels: t.Mapping[str, str] = field(default_factory=dict)  # of the image, besides those that the output asks for
    size: int = 0


class BuildFailed(Exception):
    """Raised by a builder; the reason is one of C(MESSAGES), and so the message if there is none."""

    def __init__(self, reason: str = "DockerBuildFailed", message: str = "") -> None:
        super().__init__(message or MESSAGES[reason])
        self.reason = reason


Builder = t.Callable[[BuildInput], Built]


def pretend(given: BuildInput) -> Built:
    """A builder that builds nothing, but wants a Dockerfile to be where the strategy says."""
    strategy = given.spec["strategy"].get("dockerStrategy") or {}
    folder = (given.spec.get("source") or {}).get("contextDir", "")
    path = "/".join(part for part in (folder, strategy.get("dockerfilePath") or "Dockerfile") if part)
    try:
        with tarfile.open(fileobj=io.BytesIO(given.archive)) as archive:
            members = {member.name.removeprefix("./"): member for member in archive.getmembers()}
            content = archive.extractfile(members[path])
            lines = content.read().decode().splitlines() if content else []
    except tarfile.TarError as error:
        raise BuildFailed("FetchSourceFailed") from error
    except KeyError as error:
        given.log(f"error: open {path}: no such file or directory\n")
        raise BuildFailed from error
    for number, line in enumerate(lines, 1):
        given.log(f"STEP {number}/{len(lines)}: {line}\n")
    return Built("sha256:" + hashlib.sha256(given.archive).hexdigest())


class _Log:
    """A build's log, to be read while it is written."""

    def __init__(self) -> None:
        self._text = b""
        self._over = False
        self._changed = threading.Condition()

    def write(self, text: str) -> None:
        with self._changed:
            self._text += text.encode()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def read(self, follow: bool) -> t.Iterator[bytes]:
        """What there is; with C(follow) also what comes, until the build is over."""
        place = 0
        while True:
            with self._changed:
                while follow and not self._over and place == len(self._text):
                    self._changed.wait(1.0)
                text, over = self._text[place:], self._over
            place += len(text)
            if text:
                yield text
            if not follow or (over and not text):
                return


class Builds:
    """Starts builds and follows them."""

    def __init__(self, store: Store, images: Images, lock: threading.RLock, builder: Builder) -> None:
        self._store = store
        self._images = images
        self._lock = lock
        self._builder = builder
        self._logs: dict[str, _Log] = {}  # by the build's uid
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let builders know that nobody waits for them, and give them some time to end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(5)

    def completed(self, config: JSON) -> JSON:
        """A BuildConfig as it is stored: with the defaults of build/v1, and checked for what cannot be built here."""
        spec = config.setdefault("spec", {})
        name = config["metadata"]["name"]
        strategy = spec.get("strategy") or {}
        given = [field for field in _STRATEGIES if strategy.get(field) is not None]
        if len(given) != 1:
            problem = f"Invalid value: {len(given)} strategies: exactly one build strategy must be specified"
            raise invalid("BuildConfig", GROUP, name, "spec.strategy", problem)
        if given != ["dockerStrategy"]:
            raise ApiError("NotImplemented", f"The fake does not model builds with {given[0]}.")
        spec["strategy"] = {**strategy, "type": strategy.get("type") or _STRATEGIES[given[0]]}
        source = spec.get("source") or {}
        kind = next((kind for field, kind in _SOURCES.items() if source.get(field) is not None), "None")
        spec["source"] = {**source, "type": source.get("type") or kind}
        if spec["source"]["type"] == "Binary":
            spec["source"]["binary"] = source.get("binary") or {}
        for part in ("output", "resources", "postCommit"):
            spec.setdefault(part, {})
        spec.setdefault("nodeSelector", None)
        spec["runPolicy"] = spec.get("runPolicy") or "Serial"
        spec["triggers"] = spec.get("triggers") or []
        for limit in ("successfulBuildsHistoryLimit", "failedBuildsHistoryLimit"):
            spec.setdefault(limit, 5)
        config["status"] = config.get("status") or {"lastVersion": 0}
        return config

    def instantiate_binary(self, namespace: str, name: str, archive: bytes, query: t.Mapping[str, str]) -> JSON:
        """Start a build of what was sent."""
        key = (CONFIGS, namespace, name)
        config = self._store.get(key)
        number = config["status"]["lastVersion"] = config["status"].get("lastVersion", 0) + 1
        source = config["spec"]["source"]
        if source["type"] not in ("Binary", "None"):
            problem = "Invalid value: a binary build needs a source of type Binary"
            raise invalid("BuildConfig", GROUP, name, "spec.source", problem)
        config = self._store.replace(key, config)
        binary = {"asFile": query["asFile"]} if query.get("asFile") else {}
        kept = ("serviceAccount", "strategy", "output", "resources", "postCommit", "nodeSelector")
        output = (config["spec"]["output"].get("to") or {}) if config["spec"]["output"] else {}
        labels = {
            "buildconfig": name,
            "openshift.io/build-config.name": name,
            "openshift.io/build.start-policy": "Serial",
        }
        build: JSON = {
            "kind": "Build",
            "apiVersion": f"{GROUP}/v1",
            "metadata": {
                "name": f"{name}-{number}",
                "labels": {**(config["metadata"].get("labels") or {}), **labels},
                "annotations": {"openshift.io/build-config.name": name, "openshift.io/build.number": str(number)},
                "ownerReferences": [
                    {
                        "apiVersion": f"{GROUP}/v1",
                        "kind": "BuildConfig",
                        "name": name,
                        "uid": config["metadata"]["uid"],
                        "controller": True,
                    }
                ],
            },
            "spec": {
                **{field: config["spec"][field] for field in kept if field in config["spec"]},
                "source": {**source, "type": "Binary", "binary": binary},
                "triggeredBy": [{"message": "Manually triggered"}],
            },
            "status": {
                "phase": "New",
                "config": {"kind": "BuildConfig", "namespace": namespace, "name": name},
                "output": {},
            },
        }
        reference, problem = output.get("name", ""), ""
        source_image = (build["spec"]["strategy"].get("dockerStrategy") or {}).get("from") or {}
        if source_image.get("kind") == "ImageStreamTag":
            try:
                tag_view = self._images.tag(source_image.get("namespace") or namespace, source_image["name"])
                found = {"kind": "DockerImage", "name": tag_view["image"]["dockerImageReference"]}
                build["spec"]["strategy"]["dockerStrategy"]["from"] = found
            except ApiError:
                problem = "InvalidImageReference"
        if output.get("kind") == "ImageStreamTag":
            stream = self._store.find((STREAMS, namespace, output["name"].partition(":")[0]))
            if stream is None or not stream["status"]["dockerImageRepository"]:
                problem = "InvalidOutputReference"
            tag = output["name"].partition(":")[2] or "latest"
            reference = f"{self._images.repository(namespace, output['name'])}:{tag}"
        if problem:  # as in OpenShift, it waits for its streams, only that it waits for ever here
            build["status"] |= _failure(problem)
            return self._store.create((BUILDS, namespace, f"{name}-{number}"), build)
        build["status"]["outputDockerImageReference"] = reference
        made = self._store.create((BUILDS, namespace, f"{name}-{number}"), build)
        log = self._logs[made["metadata"]["uid"]] = _Log()
        if query.get("asFile"):
            archive = _as_tar(query["asFile"], archive)
        build_name, uid = made["metadata"]["name"], made["metadata"]["uid"]

        def cancelled() -> bool:
            with self._lock:
                return self._stopped.is_set() or self._cancelled(namespace, build_name, uid)

        given = BuildInput(build_name, namespace, archive, made["spec"], reference, log.write, cancelled)
        thread = threading.Thread(target=self._run, args=(given, uid, output), daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()
        return made

    def _run(self, given: BuildInput, uid: str, output: JSON) -> None:
        try:
            self._move(given, uid, {"phase": "Pending"})
            self._move(given, uid, {"phase": "Running", "startTimestamp": now()})
            built = self._builder(given)
            status: JSON = {"phase": "Complete", "output": {"to": {"imageDigest": built.digest}}}
            if output.get("kind") == "ImageStreamTag":
                name = output["name"] if ":" in output["name"] else f"{output['name']}:latest"
                repository = self._images.repository(given.namespace, name)
                with self._lock:
                    if self._cancelled(given.namespace, given.name, uid):
                        raise BuildFailed  # which is not what it will be called
                    reference = built.reference or f"{repository}@{built.digest}"
                    asked = (given.spec.get("output") or {}).get("imageLabels") or []
                    labels = {**built.labels, **{each["name"]: each.get("value", "") for each in asked}}
                    self._images.pushed(given.namespace, name, built.digest, reference, labels, built.size)
        except BuildFailed as failure:
            status = {"phase": "Failed", **_failure(failure.reason), "message": str(failure)}
        except ApiError:  # the stream was deleted meanwhile
            status = {"phase": "Failed", **_failure("PushImageToRegistryFailed")}
        except Exception as error:  # a defect of the builder: it has to be seen
            traceback.print_exc()
            given.log(f"error: the builder has failed: {error!r}\n")
            status = {"phase": "Failed", **_failure("GenericBuildFailed")}
        tail = b"".join(self._logs[uid].read(follow=False)).decode().splitlines()[-15:]
        if status["phase"] == "Failed" and tail:
            status["logSnippet"] = "\n".join(tail)
        self._move(given, uid, {**status, "completionTimestamp": now()})
        self._logs[uid].close()

    def _move(self, given: BuildInput, uid: str, status: JSON) -> None:
        with self._lock:
            key = (BUILDS, given.namespace, given.name)
            build = self._store.find(key)
            # Unless somebody has deleted or cancelled it.
            if build and build["metadata"]["uid"] == uid and build["status"]["phase"] not in OVER:
                build["status"] |= status
                self._store.replace(key, build)

    def _cancelled(self, namespace: str, name: str, uid: str) -> bool:
        build = self._store.find((BUILDS, namespace, name))
        return build is None or build["metadata"]["uid"] != uid or build["status"]["phase"] in OVER

    def cancel(self, namespace: str, name: str) -> JSON:
        """What it is cancelled to be counts from now on; the builder can see it and end."""
        key = (BUILDS, namespace, name)
        build = self._store.get(key)
        if build["status"]["phase"] in OVER:
            return build
        status = {"phase": "Cancelled", "cancelled": True, "completionTimestamp": now()}
        build["status"] |= {**status, **_failure("CancelledBuild")}
        return self._store.replace(key, build)

    def log(self, namespace: str, name: str, query: t.Mapping[str, str]) -> t.Iterator[bytes]:
        """The log of a build. OpenShift waits for a build that has not begun; it does so here with C(follow)."""
        build = self._store.get((BUILDS, namespace, name))
        log = self._logs.get(build["metadata"]["uid"])
        if log is None:
            raise ApiError("BadRequest", f"build {name} is in an error state. {build['status'].get('message', '')}")
        return log.read(follow=query.get("follow") == "true")

    def forget(self, namespace: str, config: str) -> None:
        """Delete the builds of a BuildConfig that is deleted, as the garbage collector does."""
        for build in self._store.list(BUILDS, namespace):
            if build["status"].get("config", {}).get("name") == config:
                self._store.delete((BUILDS, namespace, build["metadata"]["name"]))


def _as_tar(name: str, content: bytes) -> bytes:
    """One file that was sent by itself."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


def _failure(reason: str) -> JSON:
    return {"reason": reason, "message": MESSAGES[reason]}
