# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Check what a user asks for, as a whole, and work out the numbers that the manifests need. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t
from decimal import Decimal

from ansible_collections.daskops.kubernetes.plugins.module_utils import _pod_security, _quota
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import FIELD_MANAGER, INSTANCE, MANAGED_BY

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._preflight_facts import Facts

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

# A pod is evicted whose volume holds more than its size, and not all that Dask writes is counted by it.
_SPILL_SHARE = Decimal("0.9")

SHORTEST_PASSWORD = 8


@dataclasses.dataclass(frozen=True)
class Resources:
    """A container's resources: as Kubernetes takes them, and as numbers."""

    requests: dict[str, str]
    limits: dict[str, str]
    cpu: Decimal
    memory: int


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked for, as numbers; complete only where there were no problems."""

    groups: list[dict[str, t.Any]]
    pods: list[_quota.Pods]
    services: list[_quota.Item]
    volume: Decimal | None


def check_input(params: dict[str, t.Any], quantity: t.Callable[[str], Decimal], problems: list[str]) -> Asked:
    """What scheduler, notebook and workers come to, by the parameters of dask_preflight."""
    groups = check_groups(params["name"], params["worker_groups"], quantity, problems)
    scheduler = check_resources(params["scheduler"], "scheduler", "scheduler", quantity, problems)
    notebook = params["notebook"]
    resources = check_notebook(notebook, quantity, problems) if notebook else None
    sidecars = check_sidecars(notebook, quantity, problems) if notebook else []
    if problems:
        return Asked(groups, [], [], None)

    def container(what: str, given: Resources) -> _quota.Container:
        return _quota.container(what, given.requests, given.limits, quantity)

    pods = [_quota.group_pods(group, quantity) for group in groups]
    if resources is not None:
        beside = (container(f"the notebook's sidecar {name!r}", sidecar) for name, sidecar in sidecars)
        label = "notebook with its sidecars" if sidecars else "notebook"
        pods.insert(0, _quota.Pods("the notebook", label, (container("the notebook", resources), *beside)))
    if scheduler is not None:
        pods.insert(0, _quota.Pods("the scheduler", "scheduler", (container("the scheduler", scheduler),)))
    services = _quota.planned_services(params["scheduler"]["exposure"], notebook["exposure"] if notebook else None)
    volume = quantity(str(notebook["storage"])) if notebook and notebook["persistent"] else None
    return Asked(groups, pods, services, volume)


def check_facts(
    params: dict[str, t.Any],
    asked: Asked,
    facts: Facts,
    quantity: t.Callable[[str], Decimal],
    problems: list[str],
) -> None:
    """Add what the namespace and the cluster refuse."""
    name, namespace = params["name"], params["namespace"]
    wanted_class = (params["notebook"] or {}).get("storage_class", "")
    if facts.namespace is not None or facts.namespace_exists is False:
        check_namespace(facts.namespace, namespace, name, params["namespace_create"], problems)
    present = next((claim for claim in facts.claims if claim["metadata"]["name"] == f"{name}-notebook"), None)
    if asked.volume is not None:
        if present is not None:
            storage = str(params["notebook"]["storage"])
            check_claim(present, storage, wanted_class, facts.storage_classes, quantity, problems)
        elif facts.storage_classes is not None:
            check_storage_class(facts.storage_classes, wanted_class, problems)
    _pod_security.check(
        params["security_context"],
        _pod_security.level_of(facts.namespace, facts.namespace_exists, params["pod_security"]),
        _pod_security.allotment(facts.namespace) if params["arbitrary_uid"] else None,
        namespace,
        problems,
    )
    ranges = facts.limit_ranges or []
    default = _quota.default_priority_class(facts.priority_classes)
    pods = [
        dataclasses.replace(_quota.with_defaults(item, ranges, quantity), priority_class=item.priority_class or default)
        for item in asked.pods
    ]
    new_volume = asked.volume if present is None else None
    problems.extend(_quota.limit_range_problems(ranges, pods, new_volume, namespace, quantity))
    wanted = [*map(_quota.pod_item, pods), *asked.services]
    if asked.volume is not None:
        # A volume's class is for good.
        kept = present["spec"].get("storageClassName") if present else None
        storage_class = wanted_class or kept or default_storage_class(facts.storage_classes or [])
        wanted.append(_quota.claim_item("notebook", asked.volume, storage_class))
    own = [
        *(_quota.pod_item(_quota.live_pods(pod, quantity)) for pod in facts.pods),
        *(_quota.live_claim(claim, quantity) for claim in facts.claims),
        *map(_quota.live_service, facts.services),
    ]
    quotas = _quota.with_planned(facts.quotas or [], name, params["quota"])
    problems.extend(_quota.quota_problems(quotas, wanted, own, namespace, quantity))


def check_name(name: str, what: str, problems: list[str], longest: int = 63) -> None:
    """Add a problem unless C(name) is a DNS label of at most C(longest) characters."""
    if not _DNS_LABEL.match(name):
        problems.append(
            f"{what} {name!r} is no DNS label: lower-case letters, digits and '-', with a letter or digit at both ends"
        )
    elif len(name) > longest:
        problems.append(f"{what} {name!r} has {len(name)} characters, {longest} are possible")


def check_service_name(name: str, what: str, problems: list[str], longest: int) -> None:
    """Add a problem unless names of Services may begin with C(name)."""
    # https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names
    if name[:1].isdigit():
        problems.append(f"{what} {name!r} does not begin with a letter, as a Service's has to")
    else:
        check_name(name, what, problems, longest)


def check_size(
    given: dict[str, t.Any], key: str, what: str, quantity: t.Callable[[str], Decimal], problems: list[str]
) -> Decimal | None:
    """The size of a volume, or None with the problem added."""
    try:
        size = quantity(str(given[key]))
    except ValueError:
        problems.append(f"{what}: {key} {given[key]!r} is no Kubernetes quantity, such as 10Gi")
        return None
    if size <= 0:
        problems.append(f"{what}: {key} {given[key]!r} must be more than 0")
        return None
    return size


def check_abstract_resources(given: dict[str, t.Any], what: str, problems: list[str]) -> dict[str, float]:
    """Dask's abstract resources as numbers; those that are none are problems."""
    found = {}
    for name, value in given.items():
        try:
            amount = float(value)
        except (TypeError, ValueError):
            amount = math.nan
        if math.isfinite(amount):
            found[name] = amount
        else:
            problems.append(f"{what}: resource {name} {value!r} is no number")
    return found


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
    least = _LEAST_MEMORY.get(component, 0)
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
    for key, value in extended.items():
        try:
            quantity(value)
        except ValueError:
            problems.append(f"{what}: {key} {value!r} is no Kubernetes quantity, such as 1")
            return None
    limits = {"cpu": str(given["cpu"]), "memory": str(given["memory"]), **extended}
    requests = {key: str(given.get(f"{key}_request") or given[key]) for key in ("cpu", "memory")}
    return Resources({**requests, **extended}, limits, amounts["cpu"], int(amounts["memory"]))


def check_groups(
    name: str, groups: list[dict[str, t.Any]], quantity: t.Callable[[str], Decimal], problems: list[str]
) -> list[dict[str, t.Any]]:
    """The groups with C(requests), C(limits), C(nthreads), C(memory_limit) and C(max_spill) (bytes) worked out."""
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
        local_directory = check_size(group, "local_directory_size", what, quantity, problems)
        abstract = check_abstract_resources(group.get("resources") or {}, what, problems)
        resources = check_resources(group, "worker", what, quantity, problems)
        if resources is None or local_directory is None:
            continue
        result.append(
            {
                **group,
                "requests": resources.requests,
                "limits": resources.limits,
                # Whole CPUs, as a fraction of a thread is none.
                "nthreads": group.get("nthreads") or max(1, int(resources.cpu)),
                "memory_limit": int(resources.memory * _DASK_MEMORY_SHARE),
                "max_spill": int(local_directory * _SPILL_SHARE),
                "resources": abstract,
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
    if notebook.get("exposure") == "ingress" and not _is_dns_name(host):
        problems.append(
            f"notebook: an Ingress needs a host such as dask.example.com, and dask_notebook_ingress has {host!r}"
        )
    if notebook.get("exposure") == "route" and host:  # OpenShift chooses one otherwise
        check_route_host(host, notebook.get("domains") or [], problems)
    check_size(notebook, "storage", "notebook", quantity, problems)
    return check_resources(notebook, "notebook", "notebook", quantity, problems)


def check_sidecars(
    notebook: dict[str, t.Any], quantity: t.Callable[[str], Decimal], problems: list[str]
) -> list[tuple[str, Resources]]:
    """What the containers beside the notebook ask for, by their names."""
    found = []
    for sidecar in notebook.get("sidecars") or []:
        resources = check_resources(sidecar, "sidecar", f"notebook's sidecar {sidecar['name']!r}", quantity, problems)
        if resources is not None:
            found.append((sidecar["name"], resources))
    return found


def check_route_host(host: str, domains: list[str], problems: list[str]) -> None:
    """A Route's host has to be a DNS name, of a domain that the router serves if those are known."""
    if not _is_dns_name(host):
        problems.append(f"notebook: the Route's host {host!r} is no DNS name such as dask.apps.example.com")
    elif domains and not any(host.endswith(f".{domain.removeprefix('*.')}") for domain in domains):
        problems.append(
            f"notebook: the Route's host {host} is in no domain that the router serves ({', '.join(domains)}); "
            "choose one that is, or leave it out to have one made"
        )


def _is_dns_name(host: str) -> bool:
    # https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
    return len(host) <= 253 and all(len(part) <= 63 and _DNS_LABEL.match(part) for part in host.split("."))


def check_namespace(
    existing: dict[str, t.Any] | None, namespace: str, name: str, create: bool, problems: list[str]
) -> None:
    """A namespace that is not there must be ours to make; one that belongs to another deployment is left alone."""
    if existing is None:
        if not create:
            problems.append(f"namespace {namespace} does not exist and may not be created; have it created first")
        return
    labels = existing["metadata"].get("labels") or {}
    owner = labels.get(INSTANCE)
    if labels.get(MANAGED_BY) == "daskops" and owner != name:
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
    if not default_storage_class(classes):
        problems.append(
            "there is no default storage class for the notebook's volume; set dask_notebook_storage_class to one of: "
            f"{', '.join(names) or 'none there'}, or dask_notebook_persistent to false"
        )


def check_claim(
    claim: dict[str, t.Any],
    storage: str,
    wanted_class: str,
    classes: list[dict[str, t.Any]] | None,
    quantity: t.Callable[[str], Decimal],
    problems: list[str],
) -> None:
    """A volume that is there keeps its class, and may only grow, if its class lets it."""
    # https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
    what = f"PersistentVolumeClaim {claim['metadata']['name']}"
    kept = claim["spec"].get("storageClassName") or ""
    if wanted_class != kept and (wanted_class or _class_was_asked_for(claim)):
        problems.append(
            f"{what} is of storage class {kept!r}, and dask_notebook_storage_class has {wanted_class!r}; that cannot "
            f"change: set it to {kept!r}, or take Dask down, which deletes the volume, and deploy it anew"
        )
    size = claim["spec"]["resources"]["requests"]["storage"]
    growth = quantity(storage) - quantity(size)
    if growth < 0:
        why = "a volume cannot shrink"
    elif growth > 0 and classes is not None and not _can_grow(classes, kept):
        why = f"storage class {kept!r} cannot make it larger"
    else:
        return
    problems.append(
        f"{what} has {size}, and dask_notebook_storage has {storage}; {why}: set it to {size}, or take Dask down, "
        "which deletes the volume, and deploy it anew"
    )


def _class_was_asked_for(claim: dict[str, t.Any]) -> bool:
    """Whether the class was given with the claim: what an apply leaves out then is removed, which is refused."""
    return any(
        entry.get("manager") == FIELD_MANAGER
        and "f:storageClassName" in (entry.get("fieldsV1") or {}).get("f:spec", {})
        for entry in claim["metadata"].get("managedFields") or []
    )


def _can_grow(classes: list[dict[str, t.Any]], name: str) -> bool:
    return any(item["metadata"]["name"] == name and item.get("allowVolumeExpansion") for item in classes)


def default_storage_class(classes: list[dict[str, t.Any]]) -> str:
    """The default storage class, of several the newest, or nothing."""
    # https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
    default = "storageclass.kubernetes.io/is-default-class"
    found = [item["metadata"] for item in classes if (item["metadata"].get("annotations") or {}).get(default) == "true"]
    return max(found, key=lambda item: str(item.get("creationTimestamp", "")))["name"] if found else ""
