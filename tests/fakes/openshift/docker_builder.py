# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A builder that builds with Docker and pushes to a registry without a password."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
import typing as t
from collections import deque
from pathlib import Path, PurePosixPath

from tests.fakes.openshift.builds import BuildFailed, BuildInput, Built
from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.state import Settings

SECONDS = 1800.0
_KILL_SECONDS = 3.0  # between the signal to end and the one that ends it
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_FROM = re.compile(r"(\s*FROM\s+(?:--platform=\S+\s+)?)(\S+)(.*)", re.IGNORECASE | re.DOTALL)
# How Docker's builders say that it was the image of a FROM that they could not have.
_PULL = re.compile(
    r"failed to resolve source metadata|pull access denied|manifest unknown|manifest for \S+ not found", re.IGNORECASE
)


class DockerBuilder:
    """Call it with what is to be built. It does what C(dockerStrategy), C(source) and C(output) say."""

    def __init__(
        self, settings: Settings, kube: Kube, command: t.Sequence[str] = ("docker",), seconds: float = SECONDS
    ) -> None:
        self._settings = settings
        self._kube = kube  # for secrets and configuration maps that belong to a source
        self._command = list(command)
        self._seconds = seconds

    def __call__(self, given: BuildInput) -> Built:
        limit = given.spec.get("completionDeadlineSeconds") or self._seconds
        end = time.monotonic() + min(limit, self._seconds)
        if given.spec.get("postCommit"):
            raise _not_modelled(given, "postCommit")
        reference = self._reachable(given.output) or f"{given.namespace}/{given.name}:latest"
        with tempfile.TemporaryDirectory(prefix="fake-openshift-build-") as folder:
            context, strategy = self._context(given, Path(folder)), given.spec["strategy"]["dockerStrategy"]
            dockerfile = _inside(given, context, strategy.get("dockerfilePath") or "Dockerfile")
            self._rewrite(given, dockerfile, strategy)
            options = ["--file", str(dockerfile), "--tag", reference, "--force-rm"]
            for name, value in _pairs(given, strategy, "buildArgs"):
                options += ["--build-arg", f"{name}={value}"]
            labels = {"io.openshift.build.name": given.name, "io.openshift.build.namespace": given.namespace}
            asked = (given.spec.get("output") or {}).get("imageLabels") or []
            labels |= {each["name"]: each.get("value", "") for each in asked}
            for name, value in labels.items():
                options += ["--label", f"{name}={value}"]
            options += ["--no-cache"] if strategy.get("noCache") else []
            options += ["--pull"] if strategy.get("forcePull") else []
            done, said = self._run(given, end, "build", *options, str(context))
            if not done:
                raise BuildFailed("PullBuilderImageFailed" if _PULL.search(said) else "DockerBuildFailed")
        digest = ""
        if given.output:
            given.log(f"\nPushing image {given.output} ...\n")
            done, said = self._run(given, end, "push", reference)
            match = _DIGEST.search(said)
            if not done or not match:
                raise BuildFailed("PushImageToRegistryFailed")
            digest = match[1]
            given.log("Push successful\n")
        image = self._inspect(reference)
        labels = (image.get("Config") or {}).get("Labels") or {}
        return Built(digest or image["Id"], labels=labels, size=image.get("Size") or 0)

    # What is built.

    def _context(self, given: BuildInput, folder: Path) -> Path:
        """Unpack what was sent, with what the source adds to it."""
        source = given.spec.get("source") or {}
        try:
            with tarfile.open(fileobj=io.BytesIO(given.archive)) as archive:
                for member in archive:
                    path = PurePosixPath(member.name)
                    if path.is_absolute() or ".." in path.parts:
                        raise tarfile.TarError(f"{member.name} leads out of the source")
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            given.log(f"error: {error}\n")
            raise BuildFailed("FetchSourceFailed") from error
        context = _inside(given, folder, source.get("contextDir") or "")
        if not context.is_dir():
            given.log(f"error: provided context directory does not exist: {source['contextDir']}\n")
            raise BuildFailed("InvalidContextDirectory")
        if source.get("images"):
            raise _not_modelled(given, "source.images")
        if source.get("dockerfile"):
            (context / "Dockerfile").write_text(source["dockerfile"], encoding="utf-8")
        for kind, plural in (("secret", "secrets"), ("configMap", "configmaps")):
            for each in source.get(f"{kind}s") or []:
                target = _inside(given, context, each.get("destinationDir") or "")
                target.mkdir(parents=True, exist_ok=True)
                for name, content in self._contents(given, plural, each[kind]["name"]).items():
                    (target / name).write_bytes(content)
        return context

    def _contents(self, given: BuildInput, plural: str, name: str) -> dict[str, bytes]:
        answer = self._kube.ask("GET", f"/api/v1/namespaces/{given.namespace}/{plural}/{name}")
        if not answer.good:
            given.log(f'error: {plural} "{name}" not found\n')
            raise BuildFailed("FetchSourceFailed")
        found = answer.json()
        texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        encoded = texts if plural == "secrets" else found.get("binaryData") or {}
        return texts | {key: base64.b64decode(value) for key, value in encoded.items()}

    def _rewrite(self, given: BuildInput, dockerfile: Path, strategy: JSON) -> None:
        """As OpenShift does: C(from) takes the place of the last FROM's image, and C(env) follows each FROM."""
        try:
            lines = dockerfile.read_text(encoding="utf-8").splitlines(keepends=True)
        except (OSError, UnicodeDecodeError) as error:
            given.log(f"error: open {dockerfile.name}: {error}\n")
            raise BuildFailed from error
        stages = [number for number, line in enumerate(lines) if _FROM.fullmatch(line)]
        source = strategy.get("from")
        if source and source.get("kind") != "DockerImage":
            raise _not_modelled(given, f"dockerStrategy.from of kind {source.get('kind')}")
        if source and stages:
            match = _FROM.fullmatch(lines[stages[-1]])
            lines[stages[-1]] = f"{match[1]}{self._reachable(source['name'])}{match[3]}"
        if env := _pairs(given, strategy, "env"):
            words = " ".join(f"{name}={_quoted(value)}" for name, value in env)
            for number in stages:
                lines[number] = f"{lines[number].rstrip()}\nENV {words}\n"
        dockerfile.write_text("".join(lines), encoding="utf-8")

    def _reachable(self, reference: str) -> str:
        """An image of the internal registry, by the name that this registry has for Docker."""
        inside, outside = self._settings.registry, self._settings.push_registry
        if outside and reference.startswith(f"{inside}/"):
            return outside + reference.removeprefix(inside)
        return reference

    # Docker.

    def _run(self, given: BuildInput, end: float, *arguments: str) -> tuple[bool, str]:
        """Run it with its output in the log; whether it went well, and the last that it said."""
        process = subprocess.Popen(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"BUILDKIT_PROGRESS": "plain"},
            start_new_session=True,  # with its children it can be ended
        )
        last: deque[str] = deque(maxlen=50)
        over = threading.Event()
        with process, _guarded(process, lambda: given.cancelled() or time.monotonic() > end, over):
            for line in process.stdout or ():
                given.log(line)
                last.append(line)
            process.wait()
            over.set()
        if given.cancelled():
            raise BuildFailed("CancelledBuild")
        if time.monotonic() > end:
            given.log("error: the build has taken too long\n")
            raise BuildFailed("GenericBuildFailed", "The build has taken longer than its deadline.")
        return process.returncode == 0, "".join(last)

    def _inspect(self, reference: str) -> JSON:
        command = [*self._command, "image", "inspect", reference]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
        [found] = json.loads(done.stdout)
        return t.cast("JSON", found)


@contextlib.contextmanager
def _guarded(process: subprocess.Popen[str], unwanted: t.Callable[[], bool], over: threading.Event) -> t.Iterator[None]:
    """End a process when it is not wanted any more, and in any case when this is left."""

    def watch() -> None:
        while not over.wait(0.2):
            if unwanted():
                _signal(process, signal.SIGTERM)
                if not over.wait(_KILL_SECONDS):
                    _signal(process, signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        if not over.is_set():
            _signal(process, signal.SIGKILL)
            over.set()
        watcher.join()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _inside(given: BuildInput, folder: Path, path: str) -> Path:
    """A path below a folder, be there links or not."""
    found = (folder / path.lstrip("/")).resolve()
    if not found.is_relative_to(folder.resolve()):
        given.log(f"error: {path} leads out of the source\n")
        raise BuildFailed("FetchSourceFailed")
    return found


def _pairs(given: BuildInput, strategy: JSON, field: str) -> list[tuple[str, str]]:
    found = strategy.get(field) or []
    if any(each.get("valueFrom") for each in found):
        raise _not_modelled(given, f"valueFrom in dockerStrategy.{field}")
    return [(each["name"], each.get("value") or "") for each in found]


def _quoted(value: str) -> str:
    """A value as ENV takes it, in which variables are not replaced."""
    escaped = re.sub(r'(["\\$])', r"\\\1", value)
    return f'"{escaped}"'


def _not_modelled(given: BuildInput, what: str) -> BuildFailed:
    given.log(f"error: the fake does not model {what}\n")
    return BuildFailed("GenericBuildFailed", f"The fake does not model {what}.")
