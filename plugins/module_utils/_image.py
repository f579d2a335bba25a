# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What goes into an image: parameters become the files of a build context and a tag that stands for all of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import tomllib
import traceback
import typing as t
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError

try:
    import yaml

    YAML_IMPORT_ERROR: str | None = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()

# Reads the versions that scheduler, workers and clients must agree on; needs dask and distributed to be importable.
PROBE = """
import importlib.metadata as m, json, platform
import dask, distributed
versions = {"python": platform.python_version()}
names = "dask distributed jupyterlab cloudpickle msgpack tornado toolz numpy pandas lz4"
for name in names.split():
    try:
        versions[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(versions))
"""
# What stands before them in the log of a build.
VERSIONS_MARK = "daskops-versions: "
# Where the Dockerfile puts the folder of the user's inputs.
USER_FOLDER = "/build/user"
# Docker takes these from the environment of the build and leaves them out of the image.
PROXY_ARGUMENTS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
# In an archive; packages that are zipped in the build must not be older than 1980.
_FILE_TIME = 1_767_225_600
_APT_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?(/[a-z0-9-]+)?")
_REFERENCE = re.compile(
    r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9._:/-]*?)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """An image's name, taken apart."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read C(registry/repository:tag@digest) the way Docker does."""
        match = _REFERENCE.fullmatch(text)
        if not match:
            raise DaskopsError(
                f"The image reference '{text}' cannot be read: "
                "give registry/repository:tag or registry/repository@sha256:…"
            )
        first, slash, rest = match["name"].partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            return cls(first, rest, match["tag"] or "", match["digest"] or "")
        name = match["name"] if slash else f"library/{match['name']}"
        return cls("docker.io", name, match["tag"] or "", match["digest"] or "")

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest if there is one, else the tag."""
        return self.digest or self.tag or "latest"


@dataclass(frozen=True)
class Environment:
    """The user's environment file."""

    channels: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What the user asked for, as the module got it."""

    context: Path
    base: str
    apt_packages: tuple[str, ...] = ()
    pip_packages: tuple[str, ...] = ()
    conda_packages: tuple[str, ...] = ()
    conda_channels: tuple[str, ...] = ()
    environment_file: Path | None = None
    build_args: dict[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None
    tag_prefix: str = ""


@dataclass(frozen=True)
class Context:
    """A build context: files by their path, with what decides the image apart from them."""

    files: dict[str, bytes]
    executable: frozenset[str]
    authorities: bytes
    build_args: dict[str, str]
    tag_prefix: str

    def content(self, base_id: str) -> str:
        """A hash of all that decides what the image holds; the authorities decide only whether it can be built."""
        described = {
            "base": base_id,
            "arguments": {name: value for name, value in self.build_args.items() if name not in PROXY_ARGUMENTS},
            "files": {
                path: [hashlib.sha256(data).hexdigest(), path in self.executable] for path, data in self.files.items()
            },
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()

    def tag(self, base_id: str) -> str:
        """The tag of the image that this context makes from a base."""
        return f"{self.tag_prefix}{self.content(base_id)[:16]}"

    @property
    def lock(self) -> str:
        """The hash of the lock file."""
        return hashlib.sha256(self.files.get("requirements.txt", b"")).hexdigest()

    @property
    def sent(self) -> dict[str, bytes]:
        """All files that a builder gets."""
        return self.files | ({"user/ca.crt": self.authorities} if self.authorities else {})

    def archive(self) -> bytes:
        """The files as a compressed tar, for a builder elsewhere; the same files make the same archive."""
        data = io.BytesIO()
        with gzip.GzipFile(fileobj=data, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
            for name, content in sorted(self.sent.items()):
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(content), _FILE_TIME
                member.mode = 0o755 if name in self.executable else 0o644
                tar.addfile(member, io.BytesIO(content))
        return data.getvalue()

    def write(self, folder: Path) -> None:
        """Lay the files out for a builder."""
        for name, data in self.sent.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o755 if name in self.executable else 0o644)


def make_context(inputs: Inputs) -> Context:
    """Check the inputs and turn them into a build context."""
    files, executable = _read_folder(inputs.context)
    if "Dockerfile" not in files:
        raise DaskopsError(f"The build context '{inputs.context}' holds no Dockerfile: name a folder that does")
    environment = read_environment(inputs.environment_file) if inputs.environment_file else Environment()
    for package in inputs.apt_packages:
        if not _APT_NAME.fullmatch(package):
            raise DaskopsError(
                f"'{package}' is no name of a Debian package: give names such as 'git' or 'git=1:2.39.5-0'"
            )
    for package in (*inputs.pip_packages, *inputs.conda_packages):
        if not package.strip() or "\n" in package:
            raise DaskopsError(f"{package!r} is no package: give one requirement per list item")
    channels = (*inputs.conda_channels, *environment.channels) or ("conda-forge",)
    conda = (*inputs.conda_packages, *environment.conda)
    channel_files: dict[str, bytes] = {}
    if conda:
        channels = tuple(_local_channel(channel, index, channel_files) for index, channel in enumerate(channels))
    local_files: dict[str, bytes] = {}
    requirements = [_local_package(package, local_files) for package in inputs.pip_packages]
    described = {"channels": list(channels) if conda else [], "packages": list(conda), "pip": list(environment.pip)}
    for name in inputs.build_args:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise DaskopsError(f"'{name}' is no name of a build argument: use letters, digits and '_'")
    if not re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})?", inputs.tag_prefix):
        raise DaskopsError(
            f"The tag prefix '{inputs.tag_prefix}' cannot begin an image tag: use letters, digits, '_', '.' and '-'"
        )
    files |= environment.files | channel_files | local_files
    files |= {
        "user/apt.txt": _lines(inputs.apt_packages),
        "user/pip.txt": _lines(requirements),
        "user/conda.json": json.dumps(described, indent=1).encode(),
        "user/versions.py": PROBE.lstrip().encode(),
    }
    authorities = b""
    if inputs.ca_bundle:
        authorities = read_file(inputs.ca_bundle, "CA bundle")
        if b"-----BEGIN" not in authorities:
            raise DaskopsError(
                f"The CA bundle '{inputs.ca_bundle}' holds no certificate in PEM form: name a file that does"
            )
    return Context(files, executable, authorities, dict(inputs.build_args), inputs.tag_prefix)


def read_file(path: Path, what: str) -> bytes:
    """Read a file of the user's; raise an error that says which."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DaskopsError(f"The {what} '{path}' cannot be read: {error.strerror}; name a file that exists") from error


def read_environment(path: Path) -> Environment:
    """Read an environment.yml, a requirements file or a pylock.toml."""
    data = read_file(path, "environment file")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DaskopsError(f"The environment file '{path}' cannot be read: it is not UTF-8 text") from error
    if path.suffix in (".yml", ".yaml"):
        return _read_conda_environment(path, text)
    if path.suffix == ".toml":
        return _read_pylock(path, text)
    return _read_requirements(path, text)


def _read_conda_environment(path: Path, text: str) -> Environment:
    def refuse(what: str) -> t.NoReturn:
        raise DaskopsError(f"The environment file '{path}' cannot be used: {what}")

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise DaskopsError(f"The environment file '{path}' is not YAML{where}: {problem}; correct it there") from error
    if not isinstance(document, dict):
        refuse("it is not a mapping with 'dependencies'")
    if "package" in document and "metadata" in document:
        refuse("it is a conda-lock file; give the environment.yml that it was made from")
    if document.get("variables"):
        refuse("its 'variables' would not be set; set them in the worker groups' and the notebook's 'env'")
    channels, dependencies = document.get("channels") or [], document.get("dependencies")
    if not isinstance(dependencies, list):
        refuse("it has no list 'dependencies'")
    if not isinstance(channels, list) or not all(isinstance(channel, str) for channel in channels):
        refuse("its 'channels' is no list of names")
    conda: list[str] = []
    pip: list[str] = []
    for item in dependencies:
        if isinstance(item, str):
            conda.append(item)
        elif (
            isinstance(item, dict) and list(item) == ["pip"] and all(isinstance(one, str) for one in item["pip"] or [])
        ):
            pip.extend(item["pip"] or [])
        else:
            refuse(f"its dependency {json.dumps(item, default=str)} is neither a package nor a list 'pip'")
    for requirement in pip:
        if requirement.lstrip().startswith("-"):
            refuse(f"its pip requirement '{requirement}' is an option or another file; list the packages themselves")
    # "nodefaults" is conda's way to say that no channel is added; none is.
    return Environment(tuple(channel for channel in channels if channel != "nodefaults"), tuple(conda), tuple(pip))


def _read_pylock(path: Path, text: str) -> Environment:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DaskopsError(f"The environment file '{path}' is not TOML: {error}; correct it there") from error
    if "lock-version" not in document or "packages" not in document:
        raise DaskopsError(f"The environment file '{path}' is no pylock.toml: it lacks 'lock-version' or 'packages'")
    return Environment(files={"user/pylock.toml": text.encode()})


def _read_requirements(path: Path, text: str) -> Environment:
    joined = text.replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(-r|-c|-e|--requirement|--constraint|--editable)\b", line):
            raise DaskopsError(
                f"The environment file '{path}' refers to another file at line {number} ('{line.strip()}'): "
                "give one file that holds all"
            )
    for line in joined.splitlines():
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        if bare and not re.match(
            r"(-|[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^]]*\])?\s*($|[=<>!~;@( ]|--)|https?://|git\+|file:)", bare
        ):
            raise DaskopsError(
                f"The environment file '{path}' is no requirements file: '{bare[:80]}' is no requirement"
            )
    return Environment(files={"user/requirements.txt": text.encode()})


def _read_folder(folder: Path) -> tuple[dict[str, bytes], frozenset[str]]:
    """The files of a build context, without those that its .dockerignore names."""
    if not folder.is_dir():
        raise DaskopsError(
            f"The build context '{folder}' is no folder: install the collection whole, or name another folder"
        )
    ignore = folder / ".dockerignore"
    patterns = ignore.read_text("utf-8").split() if ignore.exists() else []
    files: dict[str, bytes] = {}
    executable = set()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or any(_ignores(pattern, name.split("/")) for pattern in patterns):
            continue
        files[name] = path.read_bytes()
        if path.stat().st_mode & 0o100:
            executable.add(name)
    return files, frozenset(executable)


def _ignores(pattern: str, parts: list[str]) -> bool:
    """Whether a pattern of .dockerignore, one name or ``**/`` and one name, leaves a path out."""
    anywhere = pattern.startswith("**/")
    return any(fnmatch(part, pattern.removeprefix("**/")) for part in (parts if anywhere else parts[:1]))


def _local_channel(channel: str, index: int, files: dict[str, bytes]) -> str:
    """Take a channel that is a folder of this machine into the context."""
    path = Path(channel.removeprefix("file://"))
    if "://" in channel.removeprefix("file://") or not path.is_absolute():
        return channel
    if not list(path.glob("*/repodata.json*")):
        raise DaskopsError(
            f"The conda channel '{channel}' has no repodata.json: name a channel's folder, address or name"
        )
    for file in sorted(path.rglob("*")):
        if file.is_file():
            files[f"user/channels/{index}/{file.relative_to(path).as_posix()}"] = file.read_bytes()
    return f"file://{USER_FOLDER}/channels/{index}"


def _local_package(package: str, files: dict[str, bytes]) -> str:
    """Take a wheel or source archive of this machine into the context."""
    path = Path(package.strip()).expanduser()
    if not package.strip().endswith((".whl", ".tar.gz", ".zip")) or "://" in package or not path.is_absolute():
        return package
    files[f"user/files/{path.name}"] = read_file(path, "Python package")
    return f"{USER_FOLDER}/files/{path.name}"


def _lines(items: t.Iterable[str]) -> bytes:
    return "".join(f"{item}\n" for item in items).encode()
