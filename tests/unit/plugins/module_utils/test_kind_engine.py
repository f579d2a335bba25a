# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What kind_cluster makes of what docker, kind and the machine say."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kind_engine


@pytest.mark.parametrize(
    ("err", "message"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "no Docker engine answers",
        ),
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "may not talk to the Docker engine",
        ),
        ("Error response from daemon: network kind not found", "'docker network connect' failed: Error response"),
    ],
)
def test_docker_problem(err: str, message: str) -> None:
    problem = _kind_engine.docker_problem("Kind cluster dask", ["network", "connect", "kind"], err + "\n")
    assert problem.startswith("Kind cluster dask: ")
    assert message in problem
    assert "\n" not in problem


def test_kind_problem_names_the_cause() -> None:
    lines = [
        " • Preparing nodes 📦  ...",
        'ERROR: failed to create cluster: command "docker run --hostname dask-control-plane" failed: exit status 125',
        "docker: Error response from daemon: Bind for 127.0.0.1:30888 failed: port is already allocated.",
    ]
    problem = _kind_engine.kind_problem(lines, 300)
    assert problem == "docker: Error response from daemon: Bind for 127.0.0.1:30888 failed: port is already allocated"
    assert _kind_engine.kind_problem(["ERROR: failed to create cluster: out of luck"], 300) == "out of luck"


def test_kind_problem_at_the_timeout_names_the_step() -> None:
    lines = [" • Preparing nodes 📦  ...", " ✓ Preparing nodes 📦", " • Starting control-plane 🕹️  ..."]
    assert _kind_engine.kind_problem(lines, 300) == "kind was not done after 300 s (Starting control-plane)"


def test_a_listener_is_found_and_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        assert _kind_engine._is_busy("127.0.0.1", port)
        assert f"process {os.getpid()}, " in str(_kind_engine._process_on(port))
    assert not _kind_engine._is_busy("127.0.0.1", port)
    assert _kind_engine._process_on(port) is None


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("contexts: [{name: kind-dask}]", True),
        ("contexts: [{name: kind-dask}, {name: prod}]", False),
        ("contexts: [{name: prod}]", False),
        ("just text", False),
        ("", False),
        (": : [", False),
    ],
)
def test_a_kubeconfig_is_recognised_as_the_clusters_own(text: str, alone: bool) -> None:
    assert _kind_engine._is_only(text, "kind-dask") is alone
