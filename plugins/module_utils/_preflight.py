# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Check what a user asks for, as a whole, and work out the numbers that the manifests need. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from decimal import Decimal

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")

# A pod of a Deployment is called <deployment>-<hash of up to 10>-<5>, in 63 characters: what is longer
# is cut by Kubernetes, and a worker's group could no longer be read from its name.
_LONGEST_DEPLOYMENT = 63 - 1 - 10 - 1 - 5

# Less than this a process does not start in: measured resident sizes with distributed 2026.8 are 140 MiB for a
# worker with its nanny, 90 MiB for a scheduler, and 115 MiB for a notebook server before the first kernel.
_LEAST_MEMORY = {"worker": 256 * 2**20, "scheduler": 256 * 2**20, "notebook": 384 * 2**20}

# The rest of a container's memory is for the nanny and what malloc does not give back; Dask spills, pauses
# and ends a worker by its own limit, and should do so before the kernel does.
_DASK_MEMORY_SHARE = Decimal("0.95")

SHORTEST_PASSWORD = 8


@dataclasses.dataclass(frozen=True)
class Resources:
    """A container's resources: as Kubernetes takes them, and as numbers."""

    requests: dict[str, str]
    limits: dict[str, str]
    cpu: Decimal
    memory: int


def check_name(name: str, what: str, problems: list[str], longest: int = 63) -> None:
    """Add a problem unless C(name) is a DNS label of at most C(longest) characters."""
    if not _DNS_LABEL.match(name):
        problems.append(
            f"{what} {name!r} is no DNS label: lower-case letters, digits and '-', with a letter or digit at both ends"
        )
    elif len(name) > longest:
        problems.append(f"{what} {name!r} has {len(name)} characters, {longest} are possible")


def check_resources(
    given: dict[str, t.Any], component: str, what: str, quantity: t.Callable[[str], Decimal], problems: list[str]
) -> Resources | None:
    """The resources of one container, or None with the problems added.

    C(given) has C(cpu) and C(memory) (the limits), and may have C(cpu_request), C(memory_request) and
    C(extended_resources); C(quantity) parses a Kubernetes quantity and raises ValueError.
    """
    amounts: dict[str, Decimal] = {}
    for key in ("cpu", "memory", "cpu_request", "memory_request"):
        value = given.get(key)
        if value is None:
            continue
        try:
            amounts[key] = quantity(str(value))
        except ValueError:
            problems.append(f"{what}: {key} {value!r} is no Kubernetes quantity, such as 500m or 2Gi")
            continue
        if amounts[key] <= 0:
            problems.append(f"{what}: {key} {value!r} must be more than 0")
    least = _LEAST_MEMORY[component]
    if 0 < amounts.get("memory", Decimal(least)) < least:
        problems.append(
            f"{what}: memory {given['memory']!r} is less than Python and Dask need; give at least {least // 2**20}Mi"
        )
    problems.extend(
        f"{what}: {key}_request {given[f'{key}_request']!r} is more than {key} {given[key]!r}"
        for key in ("cpu", "memory")
        if amounts.get(f"{key}_request", Decimal(0)) > amounts.get(key, Decimal("inf"))
    )
    if "cpu" not in amounts or "memory" not in amounts:
        return None
    extended = {key: str(value) for key, value in (given.get("extended_resources") or {}).items()}
    limits = {"cpu": str(given["cpu"]), "memory": str(given["memory"]), **extended}
    requests = {key: str(given.get(f"{key}_request") or given[key]) for key in ("cpu", "memory")}
    return Resources({**requests, **extended}, limits, amounts["cpu"], int(amounts["memory"]))


def check_groups(
    name: str, groups: list[dict[str, t.Any]], quantity: t.Callable[[str], Decimal], problems: list[str]
) -> list[dict[str, t.Any]]:
    """The worker groups with C(requests), C(limits), C(nthreads) and C(memory_limit) (bytes) worked out."""
    result = []
    seen: set[str] = set()
    for group in groups:
        what = f"worker group {group['name']!r}"
        check_name(group["name"], "the worker group", problems, _LONGEST_DEPLOYMENT - len(f"{name}-worker-"))
        if group["name"] in seen:
            problems.append(f"{what} is there twice; groups are told apart by their names")
        seen.add(group["name"])
        if group["replicas"] < 0:
            problems.append(f"{what}: replicas {group['replicas']} is negative")
        if group.get("nthreads") is not None and group["nthreads"] < 1:
            problems.append(f"{what}: nthreads {group['nthreads']} is not a positive integer")
        resources = check_resources(group, "worker", what, quantity, problems)
        if resources is None:
            continue
        result.append(
            {
                **group,
                "requests": resources.requests,
                "limits": resources.limits,
                # Whole CPUs, as a fraction of a thread is none.
                "nthreads": group.get("nthreads") or max(1, int(resources.cpu)),
                "memory_limit": int(resources.memory * _DASK_MEMORY_SHARE),
                "resources": {key: float(value) for key, value in (group.get("resources") or {}).items()},
            }
        )
    return result


def check_notebook(
    notebook: dict[str, t.Any], quantity: t.Callable[[str], Decimal], problems: list[str]
) -> Resources | None:
    """The notebook's resources; its password, volume and door are checked too."""
    password = notebook.get("password")
    if password is not None and len(password) < SHORTEST_PASSWORD:
        problems.append(
            f"the notebook's password has {len(password)} characters, at least {SHORTEST_PASSWORD} are needed; "
            "leave it out to have one generated"
        )
    host = str(notebook.get("host") or "")
    if notebook.get("exposure") == "ingress" and not all(_DNS_LABEL.match(part) for part in host.split(".")):
        problems.append(
            f"notebook: an Ingress needs a host such as dask.example.com, and dask_notebook_ingress has {host!r}"
        )
    try:
        if quantity(str(notebook["storage"])) <= 0:
            problems.append(f"notebook: storage {notebook['storage']!r} must be more than 0")
    except ValueError:
        problems.append(f"notebook: storage {notebook['storage']!r} is no Kubernetes quantity, such as 10Gi")
    return check_resources(notebook, "notebook", "notebook", quantity, problems)


def check_namespace(
    existing: dict[str, t.Any] | None, namespace: str, name: str, create: bool, problems: list[str]
) -> None:
    """A namespace that is not there must be ours to make; one that belongs to another deployment is left alone."""
    if existing is None:
        if not create:
            problems.append(f"namespace {namespace} does not exist and may not be created; have it created first")
        return
    labels = existing["metadata"].get("labels") or {}
    owner = labels.get("app.kubernetes.io/instance")
    if labels.get("app.kubernetes.io/managed-by") == "daskops" and owner != name:
        problems.append(
            f"namespace {namespace} belongs to the deployment {owner!r} and would go when that is taken down; "
            "choose another namespace"
        )
    if existing.get("status", {}).get("phase") == "Terminating":
        problems.append(f"namespace {namespace} is being deleted; wait until it is gone")


def check_storage_class(classes: list[dict[str, t.Any]], wanted: str, problems: list[str]) -> None:
    """The storage class that is asked for, or a default one, must exist."""
    names = [item["metadata"]["name"] for item in classes]
    if wanted:
        if wanted not in names:
            problems.append(f"storage class {wanted!r} does not exist; there is: {', '.join(names) or 'none'}")
        return
    default = "storageclass.kubernetes.io/is-default-class"
    if not any((item["metadata"].get("annotations") or {}).get(default) == "true" for item in classes):
        problems.append(
            "there is no default storage class for the notebook's volume; set dask_notebook_storage_class to one of: "
            f"{', '.join(names) or 'none there'}, or dask_notebook_persistent to false"
        )
