# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""The image builder's command: run, read while it runs, and understood when it fails."""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils import _process
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import PROBE, Reference
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import Credentials, logged_in

TICK = 10.0
_DENIED = r"denied|unauthorized|no basic auth|authentication required|forbidden"


@dataclass(frozen=True)
class LocalImage:
    """An image as the engine holds it."""

    identity: str
    size_bytes: int
    labels: dict[str, str]


@dataclass
class Steps:
    """Where a build is: its output compared with the titles in its Dockerfile."""

    titles: list[tuple[str, str]]
    current: str = ""

    @classmethod
    def of(cls, dockerfile: str) -> Steps:
        """A title is a comment of one line that begins with a small letter, right above RUN or COPY."""
        lines = ["", *dockerfile.replace("\\\n", "").splitlines()]
        return cls(
            [
                (title[2:], _squeeze(instruction))
                for before, title, instruction in zip(lines, lines[1:], lines[2:], strict=False)
                if not before.startswith("#") and re.match("# [a-z]", title) and re.match("(RUN|COPY) ", instruction)
            ]
        )

    def read(self, line: str) -> str | None:
        """What to tell of a line of output, if anything."""
        if told := re.search(r"daskops: (.*)", line):
            return f"{self.current}: {told[1]}" if self.current else told[1]
        match = re.match(r"(?:\[\d+/\d+\] )?(?:STEP|Step) \d+/\d+ ?: ?(.*)|#\d+ \[[^\]]*\] (.*)", line)
        if not match:
            return None
        instruction = _squeeze(match[1] or match[2])
        for number, (title, known) in enumerate(self.titles, 1):
            if instruction and (known.startswith(instruction[:200]) or instruction.startswith(known[:200])):
                self.current = f"step {number} of {len(self.titles)}, {title}"
                return self.current
        return None


@dataclass
class Engine:
    """A Docker client, or one that takes the same commands."""

    command: str = "docker"
    tell: t.Callable[[str], None] = lambda _: None
    _argv: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._argv = shlex.split(self.command)
        if not self._argv:
            raise DaskopsError("The Docker command is empty: name one in docker_command, such as 'docker' or 'podman'")

    def inspect(self, image: str) -> LocalImage | None:
        """The image of that name if the engine has it."""
        code, said = self.run("image", "inspect", "--format", "{{json .}}", image)
        if code:
            if re.search(r"no such image|image not known|not found", said, re.IGNORECASE):
                return None
            raise self.failed(f"inspect the image '{image}'", said)
        found = json.loads(said)
        return LocalImage(found["Id"], found["Size"], found["Config"].get("Labels") or {})

    def base(self, image: str) -> str:
        """What identifies a base image: its digest if it is named by it, else its identity, for which it is pulled."""
        return image if "@sha256:" in image else self.fetch(image).identity

    def fetch(self, image: str) -> LocalImage:
        """The image, pulled when the engine lacks it."""
        if found := self.inspect(image):
            return found
        code, said = self.run("pull", image, begin=f"pull the base image {image}")
        found = self.inspect(image) if code == 0 else None
        if not found:
            raise DaskopsError(
                f"The base image '{image}' is not on this machine and cannot be pulled ({last(said)}): "
                "correct its name, or load it into the engine"
            )
        return found

    def build(self, folder: Path, tag: str, base: str, build_args: dict[str, str]) -> None:
        """Build a context under a tag; raise an error that names the step and the package."""
        self.fetch(base)
        steps = Steps.of((folder / "Dockerfile").read_text("utf-8"))
        arguments = {"BASE_IMAGE": base} | build_args
        options = [option for name, value in arguments.items() for option in ("--build-arg", f"{name}={value}")]
        # Docker's older builder keeps the container of a step that failed, and nobody would look for it.
        code, said = self.run("build", "--force-rm", *options, "-t", tag, str(folder), read=steps.read)
        if code == 0:
            return
        named = re.search(r"daskops-error: (.*)", said)
        where = f" at {steps.current}" if steps.current else ""
        if named:
            raise DaskopsError(f"The image cannot be built: {named[1]}", log=tail(said))
        raise self.failed(f"build the image{where}", said)

    def label(self, tag: str, labels: dict[str, str]) -> None:
        """Give an image labels that are known only when it is built."""
        options = [option for name, value in sorted(labels.items()) for option in ("--label", f"{name}={value}")]
        with tempfile.TemporaryDirectory(prefix="daskops-image-") as folder:
            Path(folder, "Dockerfile").write_text(f"FROM {tag}\n", encoding="utf-8")
            code, said = self.run("build", *options, "-t", tag, folder)
        if code:
            raise self.failed(f"label the image '{tag}'", said)

    def versions(self, image: str) -> dict[str, str]:
        """The versions inside an image, from running it."""
        for python in ("python", "python3"):
            code, said = self.run("run", "--rm", "--network", "none", "--entrypoint", python, image, "-c", PROBE)
            if code == 0:
                versions: dict[str, str] = json.loads(said.strip().splitlines()[-1])
                return versions
            if missing := re.search(r"ModuleNotFoundError: No module named '(\w+)'", said):
                raise DaskopsError(
                    f"The image '{image}' cannot be used: it lacks the Python package '{missing[1]}'; "
                    "name an image that holds dask and distributed",
                    log=tail(said),
                )
            if not re.search(r"executable file not found|no such file or directory", said):
                raise self.failed(f"read the versions in the image '{image}'", said)
        raise DaskopsError(
            f"The image '{image}' cannot be used: it has no Python; name an image that holds dask and distributed"
        )

    def push(self, tag: str, credentials: Credentials | None = None) -> None:
        """Push a tag, counting its layers; by default with the credentials of Docker's configuration."""
        layers: dict[str, bool] = {}
        registry = tag.partition("/")[0]
        what = f"push to {registry}"

        def read(line: str) -> str | None:
            match = re.match(r"([0-9a-f]{12}): (.*)", line)
            if not match:
                return None
            layers[match[1]] = match[2].startswith(("Pushed", "Layer already exists", "Mounted from"))
            there = sum(layers.values())
            return f"{what}, {there} of {len(layers)} layers are there" if there else None

        with logged_in(registry, credentials) as environment:
            code, said = self.run("push", tag, read=read, begin=what, environment=environment)
        if code == 0:
            return
        if credentials and re.search(_DENIED, said, re.IGNORECASE):
            raise DaskopsError(
                f"The registry {registry} refuses the push of '{tag}' by '{credentials[0]}' ({last(said)}): "
                "correct the registry's username and password, or give that user the right to push"
            )
        if re.search(_DENIED, said, re.IGNORECASE):
            raise DaskopsError(
                f"The registry {registry} refuses the push of '{tag}' ({last(said)}): "
                f"log in with 'docker login {registry}' as one who may push"
            )
        raise self.failed(f"push the image '{tag}'", said)

    def unavailable(self) -> str:
        """Why images cannot be run here; empty when they can."""
        try:
            code, said = self.run("version", "--format", "{{.Server.Version}}")
        except DaskopsError as error:
            return error.message.partition(":")[0]
        return f"'{self.command} version' failed ({last(said)})" if code else ""

    @staticmethod
    def ask(command: list[str], stdin: str) -> str | None:
        """What a credential helper answers, or None when it cannot."""
        try:
            code, said = _process.stream(command, data=stdin, timeout=30)
        except OSError:
            return None
        return None if code else "\n".join(said)

    def run(
        self,
        *arguments: str,
        read: t.Callable[[str], str | None] = lambda _: None,
        begin: str = "",
        environment: t.Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Run a command of the client, telling how it begins and what its lines mean; return its end and words."""
        code, said = stream([*self._argv, *arguments], read, self.tell, begin, environment)
        if code == 127 and said == "":
            raise DaskopsError(
                f"The command '{self._argv[0]}' was not found: "
                "install a Docker client, or name another command in docker_command"
            )
        if code and re.search(
            r"Cannot connect to the Docker daemon|error during connect|Cannot connect to Podman", said
        ):
            raise DaskopsError(
                f"The Docker engine does not answer ({last(said)}): start it, or set DOCKER_HOST to one that runs"
            )
        if code and "permission denied while trying to connect" in said:
            raise DaskopsError(
                "The Docker engine may not be used by this user (permission denied): add the user to its group"
            )
        return code, said

    def failed(self, what: str, said: str) -> DaskopsError:
        """The error of a command that the client could not carry out."""
        return DaskopsError(f"'{self.command}' could not {what}: {last(said)}", log=tail(said))


def stream(
    argv: list[str],
    read: t.Callable[[str], str | None],
    tell: t.Callable[[str], None],
    begin: str = "",
    environment: t.Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command and tell how far it is: what C(read) makes of each line, and every ten seconds that it still runs.

    A command that does not exist ends with 127 and no word.
    """
    telling = Telling(tell, begin)
    try:
        env = os.environ | {"BUILDKIT_PROGRESS": "plain", **(environment or {})}
        code, said = _process.stream(
            argv, lambda line: telling.on_line(read(line)), env=env, tick=TICK, on_tick=telling.on_tick
        )
    except (FileNotFoundError, PermissionError):
        return 127, ""
    return code, "\n".join(said)


class Telling:
    """Tells what is being done, and every ten seconds that it still is."""

    def __init__(self, tell: t.Callable[[str], None], begin: str = "") -> None:
        self._tell = tell
        self._told = ""
        self._since = self._shown = time.monotonic()
        self.on_line(begin)

    def on_line(self, text: str | None) -> None:
        """Tell C(text) if there is any and it is new."""
        if text and text != self._told:
            self._told = text
            self._since = self._shown = time.monotonic()
            self._tell(text)
        else:
            self.on_tick()

    def on_tick(self) -> None:
        """Tell again if that was long ago."""
        if self._told and time.monotonic() - self._shown >= TICK:
            self._shown = time.monotonic()
            self._tell(f"{self._told}, {self._shown - self._since:.0f} s")


class Kind:
    """A kind cluster's nodes, which take images from this machine's engine."""

    def __init__(self, cluster: str, engine: Engine) -> None:
        self._cluster = cluster
        self._engine = engine
        said = self._run("get", "nodes", "--name", cluster)
        self._nodes = [] if "No kind nodes found" in said else said.split()
        if not self._nodes:
            raise DaskopsError(f"The kind cluster '{cluster}' has no nodes to load an image into: create it first")

    def find(self, tag: str) -> LocalImage | None:
        """The image as the nodes hold it, or None when one of them lacks it."""
        reference = Reference.parse(tag)
        name = f"{reference.registry}/{reference.repository}:{reference.version}"
        digest = ""
        for node in self._nodes:
            listed = [line.split() for line in self._ctr(node, "images", "ls", f"name=={name}").splitlines()]
            digests = [fields[2] for fields in listed if fields and fields[0] == name]
            if not digests:
                return None
            digest = digests[0]
        manifest = json.loads(self._ctr(self._nodes[-1], "content", "get", digest))
        identity = manifest["config"]["digest"]
        config = json.loads(self._ctr(self._nodes[-1], "content", "get", identity))
        size = sum(layer["size"] for layer in manifest["layers"])
        return LocalImage(identity, size, config.get("config", {}).get("Labels") or {})

    def load(self, tag: str) -> None:
        """Copy an image from the engine to every node."""
        begin = f"load into the kind cluster {self._cluster} ({len(self._nodes)} nodes)"
        self._run("load", "docker-image", tag, "--name", self._cluster, begin=begin)

    def _ctr(self, node: str, *arguments: str) -> str:
        code, said = self._engine.run("exec", node, "ctr", "--namespace=k8s.io", *arguments)
        if code:
            raise self._engine.failed(f"look for an image on the node {node}", said)
        return said

    def _run(self, *arguments: str, begin: str = "") -> str:
        code, said = stream(["kind", *arguments], lambda _: None, self._engine.tell, begin)
        if code == 127 and said == "":
            raise DaskopsError("The command 'kind' was not found: install it, or give the target a registry")
        if code:
            raise DaskopsError(f"'kind {' '.join(arguments)}' failed: {last(said)}", log=tail(said))
        return said


def _squeeze(instruction: str) -> str:
    return "".join(instruction.split())


def tail(said: str) -> str:
    return "\n".join(said.splitlines()[-40:])


def last(said: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (
        re.sub(r"^(ERROR|Error|error)( response from daemon)?: ", "", lines[-1]).rstrip(".")
        if lines
        else "it said nothing"
    )
