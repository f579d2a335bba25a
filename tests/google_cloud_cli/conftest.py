# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two clouds that are alike, one for the modules and one for gcloud."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.modules.conftest import Ansible, impatient, nobody_else

__all__ = ["impatient", "nobody_else"]  # fixtures, as the modules' own tests have them

SERVICES = ("artifactregistry", "cloudresourcemanager", "container", "iam", "serviceusage")
# Compute Engine names things by its host, so it is asked by its real name, and the fake's proxy takes its place.
PROXIED = {"compute.googleapis.com"}


class Gcloud:
    """The program as it is installed, which knows nothing but the fake."""

    def __init__(self, cloud: FakeCloud, folder: Path) -> None:
        program = shutil.which("gcloud")
        assert program, "gcloud is not there; make test asks it only where it is, and says so where it is not"
        self.cloud = cloud
        self._program = program
        # What is configured on this machine must not matter, but for the Python that gcloud runs on.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CLOUDSDK_") or name.startswith("CLOUDSDK_PYTHON")
        }
        # Whatever goes past the endpoints below ends up at the fake's proxy, which notes it.
        self._environment |= cloud.proxy_environment()
        self._environment |= {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}": f"{cloud.url}/{service}/" for service in SERVICES
        }
        self._environment |= {
            "CLOUDSDK_AUTH_ACCESS_TOKEN": cloud.token,
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_CONFIG": str(folder),
            "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_CORE_PROJECT": cloud.settings.project,
            "CLOUDSDK_SURVEY_DISABLE_PROMPTS": "1",
            "KUBECONFIG": str(folder / "kubeconfig"),  # gcloud writes there unless --async is given
        }

    def __call__(self, *arguments: str) -> None:
        """Run it; what it has started is done afterwards."""
        command = [self._program, *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        self.cloud.settle()


@pytest.fixture(scope="session")
def running() -> t.Iterator[tuple[FakeCloud, FakeCloud]]:
    with FakeCloud(operation_polls=1) as ours, FakeCloud(operation_polls=1) as theirs:
        yield ours, theirs


@pytest.fixture
def clouds(running: tuple[FakeCloud, FakeCloud]) -> t.Iterator[tuple[FakeCloud, FakeCloud]]:
    for cloud in running:
        cloud.reset()
    yield running
    for cloud in running:
        assert cloud.refused == []
        hosts = {record.host for record in cloud.requests} - {""}
        assert hosts <= PROXIED, "a request went past the endpoints that are set"
        assert [record.error for record in cloud.requests if record.status >= 400 and record.status != 404] == []


@pytest.fixture
def ansible(clouds: tuple[FakeCloud, FakeCloud], capsys: pytest.CaptureFixture[str]) -> Ansible:
    return Ansible(clouds[0], capsys)


@pytest.fixture
def gcloud(clouds: tuple[FakeCloud, FakeCloud], tmp_path_factory: pytest.TempPathFactory) -> Gcloud:
    return Gcloud(clouds[1], tmp_path_factory.mktemp("gcloud"))
