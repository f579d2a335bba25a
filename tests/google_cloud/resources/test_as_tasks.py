# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Both modules as tasks of a playbook: the action group's defaults, the progress, how long an unchanged run takes.

And the role's teardown, which refuses as long as protection is on.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests import playbooks
from tests.fakes.google_cloud import FakeCloud
from tests.google_cloud.resources.conftest import PROJECT, REGION, Modules, everything

LIMIT = 1.2  # seconds for a task that only reads, on a machine that has nothing else to do,
PINGS = 4.0  # and how many times as long as Ansible's ping it may take on one that has
MODULES = {"gke_preflight": 2, "gke_resources": 3}  # and which is the first of its tasks that finds all done


def play(cloud: FakeCloud, tmp_path: Path, tasks: list[dict[str, t.Any]]) -> tuple[list[dict[str, t.Any]], str]:
    """The tasks' results with their seconds, and what was shown."""
    auth = {
        "project": PROJECT,
        "auth_kind": "accesstoken",
        "access_token": cloud.token,
        "api_endpoint": cloud.api_endpoint,
    }
    content = {"module_defaults": {"group/daskops.kubernetes.gke": auth}, "tasks": tasks}
    shown = playbooks.play(content, tmp_path, environment=playbooks.JSONL, bare=True)
    return playbooks.results(shown), shown


def test_a_playbook(cloud: FakeCloud, tmp_path: Path) -> None:
    resources = {"daskops.kubernetes.gke_resources": everything()}
    parts = {key: value for key, value in everything().items() if key != "timeout"}
    pools = [{"name": "core", "machine_type": "e2-standard-4", "node_count": 1}]
    preflight = {"daskops.kubernetes.gke_preflight": {**parts, "pools": pools}}
    ping: dict[str, t.Any] = {"ansible.builtin.ping": {}}
    check = resources | {"check_mode": True}
    results, shown = play(cloud, tmp_path, [preflight, resources, *[preflight, resources] * 2, check, ping, ping])
    assert [number for number, result in enumerate(results) if result.get("changed")] == [1]
    assert len(results) == 9
    assert results[1]["actions"] == results[0]["actions"]
    assert "create network dask: done" in shown
    took = {name: min(results[n]["took"] for n in (first, first + 2)) for name, first in MODULES.items()}
    print(", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))
    pinged = min(result["took"] for result in results[-2:])
    assert max(took.values()) < max(LIMIT, PINGS * pinged)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("protected", [True, False])
def test_the_roles_teardown_deletes_nothing_while_protection_is_on(
    cloud: FakeCloud, modules: Modules, tmp_path: Path, check: bool, protected: bool
) -> None:
    """Though there is no cluster that has the label: it was deleted by hand, or made while protection was off."""
    modules.resources(**everything())
    cloud.forget()
    auth = {"auth_kind": "accesstoken", "access_token": cloud.token, "api_endpoint": cloud.api_endpoint}
    given = {
        "gke_project": PROJECT,
        "gke_location": REGION,
        "gke_auth": auth,
        "gke_kubeconfig": str(tmp_path / "kubeconfig"),
        **({} if protected else {"gke_deletion_protection": False}),  # on by default
    }
    role = {"name": "daskops.kubernetes.gke", "tasks_from": "teardown"}
    tasks = [{"ansible.builtin.include_role": role}]
    flags = ["--check"] if check else []
    said = playbooks.play({"vars": given, "tasks": tasks}, tmp_path, *flags, fails=protected)
    message = f"Cluster dask in {REGION} is protected by gke_deletion_protection"
    assert (message in " ".join(said.split())) == protected
    assert ("repository dask with its images" in said) != protected
    assert bool(cloud.writes) == (not protected and not check)
