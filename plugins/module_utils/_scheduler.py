# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Ask a scheduler what it knows, through the API server or at a URL."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from ansible.module_utils.urls import open_url
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import DASHBOARD_PORT, Instance

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import Cluster, Tunnel

STATUS_PATH = "/daskops/v1/status"

JSON = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Status:
    """What ``daskops_runtime.routes`` answers.

    ``groups``: names of the registered workers by group; ``mismatches``: version by package, by worker, where it
    differs from the scheduler's ``versions``; ``tasks``: count by state; ``memory``: bytes that workers hold.
    """

    id: str
    groups: dict[str, list[str]]
    threads: int
    memory_limit: int
    versions: dict[str, str]
    mismatches: dict[str, dict[str, str]]
    tasks: dict[str, int]
    memory: int
    clients: int

    @classmethod
    def from_json(cls, answer: JSON) -> Status:
        """From the route's answer."""
        groups = answer["groups"]
        return cls(
            id=answer["id"],
            groups={name: group["workers"] for name, group in groups.items()},
            threads=sum(group["threads"] for group in groups.values()),
            memory_limit=sum(group["memory_limit"] for group in groups.values()),
            versions=answer["versions"],
            mismatches=answer["mismatches"],
            tasks=answer["tasks"],
            memory=answer["memory"],
            clients=answer["clients"],
        )

    @property
    def workers(self) -> int:
        """Number of registered workers."""
        return sum(len(names) for names in self.groups.values())

    @property
    def busy(self) -> str:
        """What would be lost if the scheduler ended now, in words; empty if nothing."""
        running = sum(self.tasks.get(state, 0) for state in ("processing", "queued", "waiting", "no-worker"))
        held = self.tasks.get("memory", 0)
        parts = []
        if running:
            parts.append(f"{running} unfinished tasks")
        if held:
            parts.append(f"{held} results ({self.memory} bytes) in memory")
        return " and ".join(parts)


class Source(t.Protocol):
    """Where a status comes from."""

    def read(self) -> Status:
        """The present status; raises DaskopsError."""


class FromTunnel:
    """A status through a port-forward that stays open."""

    def __init__(self, tunnel: Tunnel, instance: Instance) -> None:
        self._tunnel = tunnel
        self._instance = instance

    def read(self) -> Status:
        """The present status."""
        status, body = self._tunnel.request("GET", STATUS_PATH)
        return _parse(status, body, f"{self._instance}: the scheduler")


class FromUrl:
    """A status from a scheduler's HTTP address."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def read(self) -> Status:
        """The present status."""
        try:
            answer = open_url(self._url + STATUS_PATH, timeout=10)
            return _parse(answer.status, answer.read(), f"the scheduler at {self._url}")
        except OSError as error:
            raise DaskopsError(f"The scheduler at {self._url} does not answer: {error}; check the URL.") from error


@contextlib.contextmanager
def connect(cluster: Cluster, instance: Instance, pod: str) -> t.Iterator[FromTunnel]:
    """A scheduler pod's status by way of the API server."""
    with cluster.port_forward(instance.namespace, pod, DASHBOARD_PORT) as tunnel:
        yield FromTunnel(tunnel, instance)


def scheduler_pod(pods: t.Iterable[JSON]) -> str | None:
    """Name of the scheduler's pod that is ready and stays, among a deployment's pods."""
    for pod in _schedulers(pods):
        conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions") or []}
        if conditions.get("Ready") == "True":
            return str(pod["metadata"]["name"])
    return None


def running_pod(pods: t.Iterable[JSON]) -> str | None:
    """Name of the scheduler's pod that has a state to lose, be it ready or too busy to answer a probe."""
    for pod in _schedulers(pods):
        ready: JSON = next((c for c in pod.get("status", {}).get("conditions") or [] if c["type"] == "Ready"), {})
        for container in pod.get("status", {}).get("containerStatuses") or []:
            running = (container.get("state") or {}).get("running")
            if container["name"] != "scheduler" or running is None:
                continue
            # One that was not ready since it started has had no clients.
            fresh = ready.get("status") == "False" and ready.get("lastTransitionTime", "~") <= running.get(
                "startedAt", ""
            )
            if not fresh:
                return str(pod["metadata"]["name"])
    return None


def _schedulers(pods: t.Iterable[JSON]) -> list[JSON]:
    return [
        pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == "scheduler"
        and "deletionTimestamp" not in pod["metadata"]
    ]


def _parse(status: int, body: bytes, who: str) -> Status:
    if status == 404:
        raise DaskopsError(
            f"{who} has no route {STATUS_PATH}: it was not deployed by this collection, or by an older version of it; "
            "deploy it anew."
        )
    if status != 200:
        raise DaskopsError(f"{who} answered {status} to {STATUS_PATH}: {body[:200].decode(errors='replace')}")
    return Status.from_json(json.loads(body))
