# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The GKE modules as a playbook runs them: defaults by action group, check and diff mode, progress, idempotence."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from tests import playbooks
from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.modules.conftest import LOCATION, POOL

GROUP = "group/daskops.kubernetes.gke"


def play(cloud: FakeCloud, folder: Path, *arguments: str) -> str:
    """Run the playbook; returns what it shows."""
    where = {"location": LOCATION}
    tasks: list[dict[str, t.Any]] = [
        {"gke_cluster": {"name": "dask", **where, "initial_node_pools": [POOL]}},
        {"gke_node_pool": {"cluster": "dask", **where, "pools": [POOL, {**POOL, "name": "workers", "spot": True}]}},
        {"gke_cluster_info": {"name": "dask", **where}},
        {"gke_node_pool_info": {"cluster": "dask", **where}},
    ]
    content = {
        "module_defaults": {
            GROUP: {"project": "fake-project", "auth_kind": "accesstoken", "access_token": cloud.token},
        },
        "environment": {"DASKOPS_GCP_API_ENDPOINT": cloud.api_endpoint},
        "tasks": [{f"daskops.kubernetes.{name}": value} for task in tasks for name, value in task.items()],
    }
    shown = playbooks.play(content, folder, *arguments, bare=True)
    assert cloud.token not in shown
    return shown


def test_playbook(cloud: FakeCloud, tmp_path: Path) -> None:
    looked = play(cloud, tmp_path, "--check", "--diff")
    assert re.search(r"ok=4 +changed=2", looked)
    assert '+    "name": "dask"' in looked
    assert cloud.writes == []
    done = play(cloud, tmp_path)
    assert re.search(r"ok=4 +changed=2", done)
    assert "create cluster dask: done" in done
    assert "create node pool workers: done" in done
    assert len(cloud.writes) == 2
    cloud.forget()
    assert re.search(r"ok=4 +changed=0", play(cloud, tmp_path))
    assert cloud.writes == []


def test_the_role_leaves_a_cluster_of_others_alone(cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.add_cluster({"name": "dask", "initialNodeCount": 1}, LOCATION)
    variables = {
        "gke_project": "fake-project",
        "gke_auth": {"auth_kind": "accesstoken", "access_token": cloud.token, "api_endpoint": cloud.api_endpoint},
        "gke_location": LOCATION,
        "gke_kubeconfig": str(tmp_path / "kubeconfig"),
        "gke_kubeconfig_auth": "token",
    }
    role = {"ansible.builtin.import_role": {"name": "daskops.kubernetes.gke"}}
    shown = playbooks.play({"tasks": [role], "vars": variables}, tmp_path, bare=True, fails=True)
    assert "cluster dask in europe-west1 is there and was not made by this: set gke_state=existing" in shown
    assert cloud.writes == []
    variables["gke_state"] = "existing"
    playbooks.play({"tasks": [role], "vars": variables}, tmp_path, bare=True)
    assert cloud.writes == []
