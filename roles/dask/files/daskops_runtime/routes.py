# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read-only HTTP routes of the scheduler, for ``distributed.scheduler.http.routes``.

Distributed's own ``/json/identity.json`` knows neither groups nor package versions, and takes 900 bytes a worker.
"""

from __future__ import annotations

import functools
import json
import os
import typing as t
from collections import Counter

from distributed.http.utils import RequestHandler
from distributed.versions import get_versions

# Compared between scheduler and workers: what a task or a message passes through.
# The list is distributed's own (distributed.versions.required_packages) plus Python.
PACKAGES = ("python", "dask", "distributed", "msgpack", "cloudpickle", "tornado", "toolz")


def group_of(name: str) -> str:
    """The group in a worker's name, a Deployment's pod name: ``<deployment>-worker-<group>-<hash>-<suffix>``."""
    owner = name.rsplit("-", 2)[0]
    # Deployments and groups may have the mark in their names, too: what is meant only the scheduler's own tells.
    deployment, in_pod, _suffix = os.environ.get("POD_NAME", "").rpartition("-scheduler-")
    prefix = f"{deployment}-worker-"
    if in_pod and owner.startswith(prefix):
        return owner.removeprefix(prefix)
    _deployment, mark, group = owner.rpartition("-worker-")
    return group if mark else ""


@functools.lru_cache(maxsize=1)
def own_versions() -> dict[str, str]:
    """Version by package of this scheduler."""
    packages = get_versions()["packages"]
    return {package: str(packages.get(package)) for package in PACKAGES}


def mismatches(own: dict[str, str], packages: dict[str, t.Any]) -> dict[str, str]:
    """Version by package where a worker's differs from the scheduler's."""
    theirs = {package: str(packages.get(package)) for package in own}
    return {
        package: theirs[package]
        for package, version in own.items()
        if _compatible_part(package, theirs[package]) != _compatible_part(package, version)
    }


def _compatible_part(package: str, version: str) -> str:
    # Pickles and byte code are the same within a minor version of Python.
    return ".".join(version.split(".")[:2]) if package == "python" else version


def status(scheduler: t.Any) -> dict[str, t.Any]:
    """What the modules ask: registered workers by group, version mismatches, tasks and bytes.

    Returns ``groups`` (by name: ``workers`` as names, ``threads``, ``memory_limit`` in bytes), ``versions``,
    ``mismatches`` (by worker), ``tasks`` (by state), ``memory`` (bytes that workers hold), ``clients``.
    """
    own = own_versions()
    groups: dict[str, dict[str, t.Any]] = {}
    differing: dict[str, dict[str, str]] = {}
    stored = 0
    for worker in scheduler.workers.values():
        name = str(worker.name)
        group = groups.setdefault(group_of(name), {"workers": [], "threads": 0, "memory_limit": 0})
        group["workers"].append(name)
        group["threads"] += worker.nthreads
        group["memory_limit"] += worker.memory_limit or 0
        stored += worker.nbytes
        found = mismatches(own, worker.versions.get("packages") or {})
        if found and len(differing) < 20:
            differing[name] = found
    states: Counter[str] = Counter()
    for prefix in scheduler.task_prefixes.values():
        for state, count in prefix.states.items():
            states[state] += count
    return {
        "id": scheduler.id,
        "groups": groups,
        "versions": own,
        "mismatches": differing,
        "tasks": {state: count for state, count in states.items() if count and state not in ("released", "forgotten")},
        "memory": stored,
        # One is the scheduler's own, for fire_and_forget.
        "clients": sum(1 for name in scheduler.clients if name != "fire-and-forget"),
    }


class Status(RequestHandler):
    """``GET /daskops/v1/status``."""

    def get(self) -> None:
        """Answer with :func:`status` as JSON."""
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(status(self.server)))


routes: list[tuple[str, type[RequestHandler], dict[str, t.Any]]] = [("/daskops/v1/status", Status, {})]
