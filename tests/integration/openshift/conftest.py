# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One kind cluster that looks like OpenShift, for all the tests here."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from tests.fakes.openshift import FakeOpenShift

HERE = Path(__file__).resolve().parent
CLUSTER = "openshift-test"


def run(*command: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done


def until(what: str, condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"not within 60 s: {what}"
        time.sleep(0.3)


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Path]:
    path = tmp_path_factory.mktemp("openshift") / "kubeconfig"
    delete = ["kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(path)]
    run(*delete)
    try:
        image = os.environ["KIND_NODE_IMAGE"]
        create = ["kind", "create", "cluster", "--config", str(HERE / "cluster.yaml"), "--image", image]
        run(*create, "--kubeconfig", str(path), "--wait", "120s")
        run("kind", "load", "docker-image", "--name", CLUSTER, os.environ["BASE_IMAGE"])
        yield path
    finally:
        run(*delete)


@pytest.fixture(scope="session")
def openshift(kubeconfig: Path) -> t.Iterator[FakeOpenShift]:
    with FakeOpenShift(kubeconfig) as running:
        running.install()
        yield running
        assert running.unknown == []
