# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the image's tests build images and run containers."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import time
import typing as t
import uuid
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Makes the collection importable.
runpy.run_path(str(ROOT / "tests/unit/conftest.py"))

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError  # noqa: E402
from ansible_collections.daskops.kubernetes.plugins.module_utils._image import Inputs, make_context  # noqa: E402
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_delivery import (  # noqa: E402
    Result,
    Target,
    check_existing,
    provide,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._image_docker import Engine  # noqa: E402

__all__ = ["DaskopsError", "Engine", "Result", "Target", "check_existing", "make_context", "provide"]

# As OpenShift runs containers, and as Pod Security "restricted" demands.
ANY_USER = [
    "--user=1000650000:0",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    *(f"--tmpfs={path}" for path in ("/tmp", "/home/dask", "/var/lib/dask")),
]


def docker(*arguments: str, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the Docker client."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done


def wait_for(what: str, condition: t.Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


@dataclass
class Docker:
    """Containers that end with the tests."""

    network: str
    containers: list[str] = field(default_factory=list)

    def start(self, image: str, *command: str, name: str = "", options: t.Sequence[str] = ()) -> str:
        """Start a container on the tests' network, known there by its name."""
        full = f"{self.network}-{name or uuid.uuid4().hex[:6]}"
        self.containers.append(full)
        alias = [f"--network-alias={name}"] if name else []
        docker("run", "-d", f"--name={full}", f"--network={self.network}", *alias, *options, image, *command)
        return full

    def stop(self, name: str) -> None:
        """End a container."""
        docker("rm", "-f", "-v", name)
        self.containers.remove(name)


REGISTRIES: list[str] = []


def published(container: str) -> str:
    """The address of this machine at which a registry's container answers."""
    address = docker("port", container, "5000/tcp").stdout.split()[0].replace("127.0.0.1", "localhost")
    wait_for("the registry answers", lambda: docker("exec", container, "true", check=False).returncode == 0)
    time.sleep(0.5)
    REGISTRIES.append(address)
    return address


def forget(address: str) -> None:
    """Take a registry's names from the engine's images; what they were built from stays for the next time."""
    names = docker("image", "ls", "--filter", f"reference={address}/*", "--format", "{{.Repository}}:{{.Tag}}").stdout
    if names:
        docker("image", "rm", *names.split(), check=False)


def inputs(**more: t.Any) -> Inputs:
    """What the role builds on this machine, and more."""
    bundle = os.environ.get("SSL_CERT_FILE")
    usual: dict[str, t.Any] = {"base": os.environ["BASE_IMAGE"], "ca_bundle": Path(bundle) if bundle else None}
    return Inputs(context=ROOT / "image", **(usual | more))


def build(registry: str, **more: t.Any) -> Result:
    """Have an image in the registry, as the module does."""

    def tell(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    return provide(inputs(**more), Target("push", f"{registry}/dask"), Engine(tell=tell), check=False)


@dataclass(frozen=True)
class Cluster:
    """A scheduler, workers and a notebook, each run as any user."""

    notebook: str
    workers: tuple[str, ...]

    def run(self, *command: str, env: t.Mapping[str, str] | None = None, timeout: float = 120) -> str:
        """Run a command beside the notebook."""
        options = [f"--env={name}={value}" for name, value in (env or {}).items()]
        return docker("exec", *options, self.notebook, *command, timeout=timeout).stdout
