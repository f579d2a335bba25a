# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Have the workers of a real cluster look like the nodes of the fake's pools: labels, taints, zones.

There are as many workers as there are, so each pool gets one first, then a second, and so on as far as it wants them.
A worker without a pool takes no more pods; GKE would not have it.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from tests.fakes.google_cloud import catalog
from tests.fakes.google_cloud.errors import JSON

POOL = "cloud.google.com/gke-nodepool"
_MANAGED = "fake-google-cloud/managed"  # an annotation: which labels and taints are ours
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
_KEPT = {"kube-system", "local-path-storage"}  # what a real cluster's nodes run for itself


@dataclass(frozen=True)
class Patch:
    """What has to change on a node, as a merge patch; C(empty) if it left its pool, so its pods have to go."""

    node: str
    body: JSON
    empty: bool


def plan(pools: list[JSON], nodes: list[JSON]) -> list[Patch]:
    """The changes that make these nodes look like those of these pools; none if they do already."""
    workers = [node for node in nodes if _CONTROL_PLANE not in node["metadata"].get("labels", {})]
    workers.sort(key=lambda node: str(node["metadata"]["name"]))
    patches = []
    for worker, place in _assign(pools, workers):
        before = worker["metadata"].get("labels", {}).get(POOL)
        after = place[0]["name"] if place else None
        body = _difference(worker, place)
        if body:
            patches.append(Patch(worker["metadata"]["name"], body, empty=before not in (None, after)))
    return patches


def _assign(pools: list[JSON], workers: list[JSON]) -> list[tuple[JSON, tuple[JSON, str] | None]]:
    """Each worker with its pool and zone. Those who are in a pool that still wants them stay."""
    wanted = _shares(pools, len(workers))
    members: dict[str, list[JSON]] = {pool["name"]: [] for pool in pools}
    free = []
    for worker in workers:
        name = worker["metadata"].get("labels", {}).get(POOL, "")
        if len(members.get(name, [])) < wanted.get(name, 0):
            members[name].append(worker)
        else:
            free.append(worker)
    for pool in pools:
        missing = wanted[pool["name"]] - len(members[pool["name"]])
        members[pool["name"]] += free[:missing]
        free = free[missing:]
    assigned: list[tuple[JSON, tuple[JSON, str] | None]] = [(worker, None) for worker in free]
    for pool in pools:
        zones = pool["locations"]
        for number, worker in enumerate(members[pool["name"]]):
            assigned.append((worker, (pool, zones[number % len(zones)])))
    return assigned


def _shares(pools: list[JSON], workers: int) -> dict[str, int]:
    shares = {pool["name"]: 0 for pool in pools}
    while workers > 0:
        hungry = [pool for pool in pools if shares[pool["name"]] < _most(pool)]
        if not hungry:
            break
        for pool in hungry[:workers]:
            shares[pool["name"]] += 1
        workers -= len(hungry)
    return shares


def _most(pool: JSON) -> int:
    """As many nodes as a pool can have: there is no autoscaler that would add them."""
    zones = len(pool["locations"])
    scaling = pool.get("autoscaling", {})
    if scaling.get("enabled"):
        return int(scaling.get("totalMaxNodeCount") or scaling.get("maxNodeCount", 0) * zones)
    return int(pool.get("initialNodeCount", 0)) * zones


def _difference(node: JSON, place: tuple[JSON, str] | None) -> JSON:
    metadata, spec = node["metadata"], node.get("spec", {})
    managed = json.loads(metadata.get("annotations", {}).get(_MANAGED, "{}"))
    labels, taints = (_labels(*place), _taints(place[0])) if place else ({}, [])
    now_labels = metadata.get("labels", {})
    changed: dict[str, str | None] = {name: value for name, value in labels.items() if now_labels.get(name) != value}
    changed |= {name: None for name in managed.get("labels", []) if name not in labels and name in now_labels}
    # Kubernetes sets the one for unschedulable nodes itself.
    now_taints = [taint for taint in spec.get("taints") or [] if taint["key"] != "node.kubernetes.io/unschedulable"]
    new_taints = [taint for taint in now_taints if _identity(taint) not in managed.get("taints", [])] + taints
    body: JSON = {}
    if changed:
        body["metadata"] = {"labels": changed}
    if new_taints != now_taints:
        body["spec"] = {"taints": new_taints}
    if bool(spec.get("unschedulable")) != (place is None):
        body.setdefault("spec", {})["unschedulable"] = place is None
    ours = {"labels": sorted(labels), "taints": [_identity(taint) for taint in taints]}
    if managed != ours and (body or managed):
        text = json.dumps(ours, sort_keys=True)
        body.setdefault("metadata", {})["annotations"] = {_MANAGED: text}
    return body


def _labels(pool: JSON, zone: str) -> dict[str, str]:
    """The labels that GKE gives its nodes (the guide to node labels), and the pool's own."""
    config = pool.get("config", {})
    labels = {
        POOL: pool["name"],
        "cloud.google.com/gke-provisioning": "spot" if config.get("spot") else "standard",
        "topology.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": catalog.region_of(zone),
    }
    if config.get("spot"):
        labels["cloud.google.com/gke-spot"] = "true"
    if "machineType" in config:
        labels["node.kubernetes.io/instance-type"] = config["machineType"]
    return labels | config.get("labels", {})


def _taints(pool: JSON) -> list[JSON]:
    taints = []
    for taint in pool.get("config", {}).get("taints", []):
        value = {"value": taint["value"]} if taint.get("value") else {}
        taints.append({"key": taint["key"], **value, "effect": _EFFECTS[taint["effect"]]})
    return taints


def _identity(taint: JSON) -> list[str]:
    return [taint["key"], taint["effect"]]


class Api(t.Protocol):
    """What is needed of a Kubernetes API client: that of kubernetes.client.CoreV1Api."""

    def patch_node(self, name: str, body: JSON) -> t.Any: ...

    def delete_namespaced_pod(self, name: str, namespace: str) -> t.Any: ...


class Nodes:
    """Keeps a cluster's workers like the pools. C(read) returns its nodes, and the pods of a node, as JSON."""

    def __init__(self, api: Api, read: t.Callable[[str], list[JSON]]) -> None:
        self._api = api
        self._read = read

    def follow(self, _cluster: str, pools: list[JSON]) -> None:
        """To be called whenever pools have changed."""
        there = [pool for pool in pools if pool.get("status") not in ("ERROR", "STOPPING")]
        for patch in plan(there, self._read("/api/v1/nodes")):
            self._api.patch_node(patch.node, patch.body)
            if patch.empty:
                self._empty(patch.node)

    def _empty(self, node: str) -> None:
        for pod in self._read(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}"):
            metadata = pod["metadata"]
            owners = {owner["kind"] for owner in metadata.get("ownerReferences", [])}
            if metadata["namespace"] not in _KEPT and not owners & {"DaemonSet", "Node"}:
                self._api.delete_namespaced_pod(metadata["name"], metadata["namespace"])
