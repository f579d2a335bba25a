# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is on the scheduler is not lost by a change of a variable."""

from __future__ import annotations

import json
import subprocess
import typing as t

import distributed
import pytest
from kubernetes import client as kubernetes_client

JSON = dict[str, t.Any]


def apply(known: JSON, instance: str, objects: list[JSON], *arguments: str) -> JSON:
    """The result of dask_apply, run as Ansible does."""
    params = {
        "kubeconfig": known["kubeconfig"],
        "context": known["context"],
        "namespace": known["namespace"],
        "name": instance,
        "objects": objects,
    }
    command = ["ansible", "localhost", "-m", "daskops.kubernetes.dask_apply", "-a", json.dumps(params), *arguments]
    environment = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(
        ["env", *(f"{k}={v}" for k, v in environment.items()), *command], capture_output=True, check=False
    )
    return t.cast("JSON", json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"])


@pytest.fixture
def changed_scheduler(known: JSON, kubernetes: kubernetes_client.ApiClient) -> tuple[str, JSON]:
    """The deployment's name, and its scheduler with another pod template."""
    apps = kubernetes_client.AppsV1Api(kubernetes)
    (found,) = apps.list_namespaced_deployment(
        known["namespace"], label_selector="app.kubernetes.io/component=scheduler"
    ).items
    item: JSON = kubernetes.sanitize_for_serialization(found)
    instance = item["metadata"]["labels"]["app.kubernetes.io/instance"]
    item = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": item["metadata"]["name"], "labels": item["metadata"]["labels"]},
        "spec": item["spec"],
    }
    item["spec"]["template"]["metadata"]["annotations"]["test"] = "changed"
    return instance, item


@pytest.mark.parametrize("arguments", [["--check"], []], ids=["check", "real"])
def test_a_scheduler_with_results_is_not_restarted(
    dask: distributed.Client, known: JSON, changed_scheduler: tuple[str, JSON], arguments: list[str]
) -> None:
    instance, item = changed_scheduler
    before = dask.scheduler_info()["id"]
    kept = dask.submit(lambda: "result", pure=False)
    distributed.wait(kept)
    result = apply(known, instance, [item], *arguments)
    assert result["failed"]
    assert f"the change would restart the scheduler of Dask {known['namespace']}/{instance} and lose" in result["msg"]
    assert "1 results" in result["msg"]
    assert "nothing was changed" in result["msg"]
    assert kept.result(timeout=10) == "result"
    assert dask.scheduler_info()["id"] == before
