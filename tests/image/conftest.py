# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the image's tests stand on: the test bed's engine and base image, a registry, and the image itself."""

from __future__ import annotations

import contextlib
import os
import typing as t

import pytest
from harness import ANY_USER, REGISTRIES, Cluster, Docker, Result, build, docker, forget, published


@pytest.fixture(scope="session")
def engine() -> t.Iterator[Docker]:
    """The engine, with a network of the tests' own."""
    for name in ("BASE_IMAGE", "REGISTRY_IMAGE"):
        assert os.environ.get(name), f'{name} is not set: run  eval "$(tests/testbed/prepare)"  first'
    network = f"daskops-image-test-{os.getpid()}"
    docker("network", "create", network)
    containers = Docker(network)
    yield containers
    for name in containers.containers:
        docker("rm", "-f", "-v", name, check=False)
    docker("network", "rm", network)
    for address in REGISTRIES:
        forget(address)


@pytest.fixture(scope="session")
def registry(engine: Docker) -> str:
    """A registry's address."""
    name = engine.start(os.environ["REGISTRY_IMAGE"], name="registry", options=["-p=127.0.0.1::5000"])
    return published(name)


@pytest.fixture(scope="session")
def image(registry: str) -> Result:
    """The image of this collection, which keeps a name so that it is built quickly the next time."""
    built = build(registry)
    docker("tag", built.reference, "daskops-image-test/image")
    return built


@pytest.fixture(scope="session")
def cluster(engine: Docker, image: Result) -> t.Iterator[Cluster]:
    """Scheduler, three workers and a notebook."""
    with contextlib.ExitStack() as stack:

        def start(name: str, *command: str) -> str:
            # The second is for the Google Cloud Storage that the tests bring: gcsfs would try gRPC first.
            env = ["--env=DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786", "--env=GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT=false"]
            full = engine.start(image.reference, *command, name=name, options=[*ANY_USER, *env])
            stack.callback(engine.stop, full)
            return full

        start("scheduler", "dask", "scheduler")
        workers = tuple(
            start(f"worker-{number}", "dask", "worker", "--nthreads=1", "--memory-limit=1GiB") for number in range(3)
        )
        notebook = start("notebook", "jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "--IdentityProvider.token=")
        script = "from distributed import Client; Client().wait_for_workers(3, timeout=60)"
        docker("exec", notebook, "python", "-c", script)
        yield Cluster(notebook, workers)
