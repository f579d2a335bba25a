# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers of a real cluster that look like the pools' nodes."""

from __future__ import annotations

import copy
import typing as t

from tests.fakes.google_cloud.errors import JSON
from tests.fakes.google_cloud.nodes import Nodes, Patch, plan

ZONES = ["europe-west1-b", "europe-west1-c"]
CORE: JSON = {"name": "core", "initialNodeCount": 1, "locations": ZONES[:1], "config": {"machineType": "e2-standard-4"}}
WORKERS: JSON = {
    "name": "workers",
    "autoscaling": {"enabled": True, "maxNodeCount": 10},
    "locations": ZONES,
    "config": {
        "spot": True,
        "labels": {"dask": "worker"},
        "taints": [{"key": "dask", "value": "worker", "effect": "NO_SCHEDULE"}],
    },
}


def node(name: str, **labels: str) -> JSON:
    return {"metadata": {"name": name, "labels": dict(labels)}, "spec": {}}


def nodes(count: int = 3) -> list[JSON]:
    control = node("control", **{"node-role.kubernetes.io/control-plane": ""})
    return [control, *(node(f"worker{number}") for number in range(count))]


def apply(there: list[JSON], patches: list[Patch]) -> list[JSON]:
    """What an API server makes of merge patches."""
    result = copy.deepcopy(there)
    named = {each["metadata"]["name"]: each for each in result}

    def merge(target: JSON, patch: JSON) -> None:
        for name, value in patch.items():
            if value is None:
                target.pop(name, None)
            elif isinstance(value, dict):
                merge(target.setdefault(name, {}), value)
            else:
                target[name] = value

    for patch in patches:
        merge(named[patch.node], patch.body)
    return result


def after(pools: list[JSON], there: list[JSON]) -> list[JSON]:
    result = apply(there, plan(pools, there))
    assert plan(pools, result) == [], "a second plan finds nothing to do"
    return result


def pools_of(there: list[JSON]) -> list[str | None]:
    return [each["metadata"]["labels"].get("cloud.google.com/gke-nodepool") for each in there]


def test_each_pool_gets_its_nodes() -> None:
    result = after([CORE, WORKERS], nodes())
    assert pools_of(result) == [None, "core", "workers", "workers"]
    assert result[0] == nodes()[0]  # the control plane is not touched
    assert result[1]["metadata"]["labels"] == {
        "cloud.google.com/gke-nodepool": "core",
        "cloud.google.com/gke-provisioning": "standard",
        "node.kubernetes.io/instance-type": "e2-standard-4",
        "topology.kubernetes.io/region": "europe-west1",
        "topology.kubernetes.io/zone": "europe-west1-b",
    }
    labels = result[3]["metadata"]["labels"]
    assert (labels["cloud.google.com/gke-spot"], labels["dask"]) == ("true", "worker")
    assert [each["metadata"]["labels"]["topology.kubernetes.io/zone"] for each in result[2:]] == ZONES
    assert result[3]["spec"]["taints"] == [{"key": "dask", "value": "worker", "effect": "NoSchedule"}]


def test_who_has_a_node_keeps_it() -> None:
    first = after([WORKERS], nodes())
    assert pools_of(first) == [None, "workers", "workers", "workers"]
    second = after([WORKERS, CORE], first)
    assert pools_of(second) == [None, "workers", "workers", "core"]
    assert {patch.node for patch in plan([WORKERS, CORE], first)} == {"worker2"}


def test_nodes_without_a_pool_take_no_pods() -> None:
    small = after([CORE], nodes())
    assert [each["spec"].get("unschedulable", False) for each in small] == [False, False, True, True]
    grown = after([CORE, WORKERS], small)
    assert not any(each["spec"].get("unschedulable") for each in grown)
    patches = plan([CORE], grown)
    assert {patch.node: patch.empty for patch in patches} == {"worker1": True, "worker2": True}
    gone = after([CORE], grown)
    assert gone[2]["metadata"]["labels"] == {}
    assert gone[2]["spec"]["taints"] == []


def test_what_is_not_ours_stays() -> None:
    there = nodes(1)
    mine = {"key": "mine", "effect": "NoExecute"}
    there[1]["metadata"]["labels"]["mine"] = "kept"
    there[1]["spec"]["taints"] = [mine]
    result = after([WORKERS], there)
    assert result[1]["metadata"]["labels"]["mine"] == "kept"
    assert result[1]["spec"]["taints"] == [mine, {"key": "dask", "value": "worker", "effect": "NoSchedule"}]
    result = after([], result)
    assert result[1]["metadata"]["labels"] == {"mine": "kept"}
    assert result[1]["spec"]["taints"] == [mine]
    # Kubernetes adds a taint of its own to such a node; that is nothing to do about.
    result[1]["spec"]["taints"] = [mine, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert plan([], result) == []


def test_changed_taints_and_labels_follow() -> None:
    there = after([WORKERS], nodes(1))
    changed = copy.deepcopy(WORKERS)
    changed["config"] |= {"labels": {"other": "label"}, "taints": [], "spot": False}
    [patch] = plan([changed], there)
    assert patch.body["metadata"]["labels"] == {
        "cloud.google.com/gke-provisioning": "standard",
        "cloud.google.com/gke-spot": None,
        "dask": None,
        "other": "label",
    }
    assert patch.body["spec"]["taints"] == []
    assert not patch.empty


def test_fewer_nodes_than_pools() -> None:
    assert pools_of(after([CORE, WORKERS], nodes(1))) == [None, "core"]
    assert pools_of(after([CORE, WORKERS], nodes(0))) == [None]
    none = {**CORE, "initialNodeCount": 0}
    assert pools_of(after([none, WORKERS], nodes(1))) == [None, "workers"]


class Recorder:
    """Notes the calls of the Kubernetes API."""

    def __init__(self) -> None:
        self.calls: list[tuple[t.Any, ...]] = []

    def patch_node(self, name: str, body: JSON) -> None:
        self.calls.append(("patch", name, body))

    def delete_namespaced_pod(self, name: str, namespace: str) -> None:
        self.calls.append(("delete", namespace, name))


def test_what_is_asked_of_the_api_server() -> None:
    there = after([CORE, WORKERS], nodes(2))
    pods: list[JSON] = [
        {"metadata": {"name": "dask-worker", "namespace": "dask"}},
        {"metadata": {"name": "logs", "namespace": "dask", "ownerReferences": [{"kind": "DaemonSet"}]}},
        {"metadata": {"name": "coredns", "namespace": "kube-system"}},
    ]
    asked: list[str] = []

    def read(path: str) -> list[JSON]:
        asked.append(path)
        return there if path == "/api/v1/nodes" else pods

    recorder = Recorder()
    follow = Nodes(recorder, read).follow
    follow("c", [CORE, WORKERS])
    assert recorder.calls == []
    follow("c", [CORE, {**WORKERS, "status": "STOPPING"}])
    [patch, delete] = recorder.calls
    assert (patch[:2], patch[2]["spec"]["unschedulable"]) == (("patch", "worker1"), True)
    assert delete == ("delete", "dask", "dask-worker")
    assert asked[-1] == "/api/v1/pods?fieldSelector=spec.nodeName%3Dworker1"
