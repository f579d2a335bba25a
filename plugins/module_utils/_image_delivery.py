# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Bringing an image to where a target's nodes take it from: what there is, what follows from it, and doing it."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Context, Inputs, Reference, make_context
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Engine, Kind
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_registry import (
    Credentials,
    Registry,
    RegistryRefused,
    RegistryUnreachable,
    docker_credentials,
)

VERSION_LABEL = "io.daskops.version."
CONTENT_LABEL = "io.daskops.content"
LOCK_LABEL = "io.daskops.lock"


@dataclass(frozen=True)
class Target:
    """Where the target's nodes take images from."""

    kind: str
    repository: str = ""
    cluster: str = ""
    pull_repository: str = ""
    username: str | None = None
    password: str | None = None

    @property
    def credentials(self) -> Credentials | None:
        """Those that were given for the registry."""
        return (self.username, self.password) if self.username and self.password else None

    def pulled(self, reference: str) -> str:
        """By which name nodes pull what was pushed."""
        if self.kind != "push" or not self.pull_repository:
            return reference
        return f"{self.pull_repository}{reference.removeprefix(self.repository)}"


@dataclass(frozen=True)
class Plan:
    """What has to be done for an image to be where the target takes it from."""

    build: bool
    deliver: bool

    @classmethod
    def make(cls, *, in_target: bool, in_engine: bool) -> Plan:
        """Decide from where the image is already."""
        return cls(build=not in_target and not in_engine, deliver=not in_target)

    @property
    def changes(self) -> bool:
        """Whether anything has to be done."""
        return self.build or self.deliver


@dataclass(frozen=True)
class Result:
    """The image, and what was done for it."""

    reference: str
    tag: str
    size_bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    built: bool = False
    pushed: bool = False
    warnings: tuple[str, ...] = ()


def provide(inputs: Inputs, target: Target, engine: Engine, *, check: bool) -> Result:
    """Have the image that the inputs describe where the target takes it from."""
    if target.kind == "none":
        raise DaskopsError("The target has no registry to bring an image to: name an existing image in 'reference'")
    if not target.repository:
        raise DaskopsError("The target's registry names no repository for the image: set its 'repository'")
    context = make_context(inputs)
    base = engine.base(inputs.base)
    for name in filter(None, (target.repository, target.pull_repository)):
        repository = Reference.parse(name)
        if repository.tag or repository.digest:
            raise DaskopsError(f"'{name}' is no repository: leave its tag out, which is made from what the image holds")
    tag = f"{target.repository}:{context.tag(base)}"
    content = context.content(base)

    kind = Kind(target.cluster, engine) if target.kind == "load" else None
    try:
        present = _in_nodes(kind, tag) if kind else _in_registry(tag, target, engine)
    except RegistryUnreachable:
        # Where nothing was made yet, the registry is what would be made first.
        if not check:
            raise
        present = None
    if present:
        return present
    local = engine.inspect(tag)
    plan = Plan.make(in_target=False, in_engine=bool(local and local.labels.get(CONTENT_LABEL) == content))
    if check:
        return Result(target.pulled(tag), context.tag(base), built=plan.build, pushed=plan.deliver)
    if plan.build:
        _build(context, tag, inputs.base, content, engine)
    if kind:
        kind.load(tag)
        delivered = _in_nodes(kind, tag)
    else:
        engine.push(tag, target.credentials)
        delivered = _in_registry(tag, target, engine)
    if not delivered:
        raise DaskopsError(
            f"The image '{tag}' was delivered but is not there: see whether something removes images from the target"
        )
    return Result(
        delivered.reference,
        delivered.tag,
        delivered.size_bytes,
        delivered.versions,
        built=plan.build,
        pushed=plan.deliver,
    )


def check_existing(text: str, target: Target, engine: Engine, *, check: bool) -> Result:
    """See whether an image that exists can be used, and which versions it holds."""
    reference = Reference.parse(text)
    if target.kind == "load":
        return _load_existing(text, reference, target, engine, check=check)
    try:
        found = _registry(reference, target, engine).find(reference)
    except (RegistryRefused, RegistryUnreachable) as error:
        if not reference.digest:
            raise DaskopsError(
                f"The image '{text}' cannot be looked up: {error.message}; "
                "or give its digest (…@sha256:…) when only the target is let in"
            ) from error
        return Result(text, reference.tag, warnings=(f"{error.message}; the image's versions are read when it runs",))
    if not found:
        raise DaskopsError(f"The registry {reference.registry} holds no image '{text}': push it, or correct its name")
    name = f"{text.partition('@')[0].removesuffix(f':{reference.tag}') if reference.tag else text.partition('@')[0]}"
    pinned = f"{name}@{found.digest}"
    versions = labelled_versions(found.labels)
    warnings: tuple[str, ...] = ()
    if not versions:
        versions, warnings = _cached_versions(pinned, found.digest, engine)
    return Result(pinned, reference.tag, found.size_bytes, versions, warnings=warnings)


def _build(context: Context, tag: str, base: str, content: str, engine: Engine) -> None:
    with tempfile.TemporaryDirectory(prefix="daskops-image-") as folder:
        context.write(Path(folder))
        engine.build(Path(folder), tag, base, context.build_args)
    engine.tell("read the versions")
    versions = engine.versions(tag)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    labels = {f"{VERSION_LABEL}{name}": version for name, version in versions.items()}
    labels |= {
        CONTENT_LABEL: content,
        LOCK_LABEL: context.lock,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.version": versions["dask"],
        "org.opencontainers.image.base.name": base,
    }
    engine.label(tag, labels)


def _registry(reference: Reference, target: Target, engine: Engine) -> Registry:
    own = bool(target.repository) and Reference.parse(target.repository).registry == reference.registry
    credentials = target.credentials if own and target.kind == "push" else None
    return Registry(reference.registry, docker_credentials(engine.ask), given=credentials)


def _in_registry(tag: str, target: Target, engine: Engine) -> Result | None:
    reference = Reference.parse(tag)
    found = _registry(reference, target, engine).find(reference)
    if not found:
        return None
    pinned = f"{tag.removesuffix(f':{reference.tag}')}@{found.digest}"
    return Result(target.pulled(pinned), reference.tag, found.size_bytes, labelled_versions(found.labels))


def _in_nodes(kind: Kind, tag: str) -> Result | None:
    found = kind.find(tag)
    # Nodes know an image that was loaded by its tag only; the tag stands for the content, so it is as good.
    if not found:
        return None
    return Result(tag, Reference.parse(tag).tag, found.size_bytes, labelled_versions(found.labels))


def _load_existing(text: str, reference: Reference, target: Target, engine: Engine, *, check: bool) -> Result:
    kind = Kind(target.cluster, engine)
    present = kind.find(text)
    local = engine.inspect(text)
    if not local:
        if present:
            return Result(text, reference.tag, present.size_bytes, labelled_versions(present.labels))
        raise DaskopsError(
            f"The image '{text}' is neither on this machine nor on the nodes: pull it first, or correct its name"
        )
    versions = labelled_versions(local.labels)
    warnings: tuple[str, ...] = ()
    if not versions:
        versions, warnings = _cached_versions(text, local.identity, engine)
    changed = not present or present.identity != local.identity
    if changed and not check:
        kind.load(text)
    return Result(text, reference.tag, local.size_bytes, versions, pushed=changed, warnings=warnings)


def labelled_versions(labels: t.Mapping[str, str]) -> dict[str, str]:
    versions = {name.partition(VERSION_LABEL)[2]: value for name, value in labels.items()}
    return {name: version for name, version in versions.items() if name and version}


def _cached_versions(image: str, digest: str, engine: Engine) -> tuple[dict[str, str], tuple[str, ...]]:
    """The versions in an image that does not say them: found by running it, once for each digest."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "daskops" / "image-versions"
    path = folder / f"{digest.partition(':')[2] or digest}.json"
    try:
        cached: dict[str, str] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        pass
    else:
        return cached, ()
    if why := engine.unavailable():
        return {}, (f"{why}; the versions in '{image}' are read when it runs",)
    engine.tell(f"run {image} to read its versions")
    versions = engine.versions(image)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(versions), encoding="utf-8")
    temporary.rename(path)
    return versions, ()
