# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Whether a GKE cluster with its pools and all it stands on can come to be in a project, and why not. Pure."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_cluster, _gke_node_pool
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_iam as iam
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_input as given
from ansible_collections.daskops.kubernetes.plugins.module_utils import _gke_resources as core
from ansible_collections.daskops.kubernetes.plugins.module_utils._argspec import GKE_CLUSTER, GKE_NODE_POOL
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke import check_spec, is_managed
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_iam import Target
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON

DEFAULT_MACHINE_TYPE = "e2-medium"
DEFAULT_DISK_GB = 100
DEFAULT_PODS = 110
ZONES = 3  # in which GKE puts a regional cluster's nodes unless told otherwise
MOST_NODES = 15000  # of a cluster, by GKE's guide "Quotas and limits"

# Families of machines that have a quota of their own (Compute Engine's guide, "Allocation quotas").
_FAMILY_QUOTAS = {
    "a2": "A2_CPUS",
    "c2": "C2_CPUS",
    "c2d": "C2D_CPUS",
    "c3": "C3_CPUS",
    "m1": "M1_CPUS",
    "m2": "M2_CPUS",
    "m3": "M3_CPUS",
    "n2": "N2_CPUS",
    "n2a": "N2A_CPUS",
    "n2d": "N2D_CPUS",
    "t2a": "T2A_CPUS",
    "t2d": "T2D_CPUS",
}
_ALL_REGIONS = "CPUS_ALL_REGIONS"  # the project's, for CPUs of any family
_SHARED_QUOTA = {"e2", "f1", "g1", "n1", "custom"}
_DISK_QUOTAS = {
    "pd-standard": "DISKS_TOTAL_GB",
    "pd-balanced": "SSD_TOTAL_GB",
    "pd-ssd": "SSD_TOTAL_GB",
    "hyperdisk-balanced": "HDB_TOTAL_GB",
}
# Families that boot from Hyperdisk only (Compute Engine's guide, "Machine series comparison").
_HYPERDISK_ONLY = {"c4", "c4a", "c4d", "n4", "n4a", "n4d"}

# Options of a pool that are looked at here; of all others gke_node_pool knows what can be.
_CHECKED = {
    "name",
    "state",
    "machine_type",
    "spot",
    "node_count",
    "autoscaling",
    "disk_size_gb",
    "disk_type",
    "max_pods_per_node",
    "locations",
}

# What is asked for when a right is lacking: the permission's beginning, and a predefined role that has it.
_ROLES = (
    ("compute.firewalls.", "roles/compute.securityAdmin"),
    ("compute.networks.", "roles/compute.networkAdmin"),
    ("compute.subnetworks.use", "roles/compute.networkUser"),
    ("compute.subnetworks.", "roles/compute.networkAdmin"),
    ("compute.routers.", "roles/compute.networkAdmin"),
    ("container.", "roles/container.admin"),
    ("iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser"),
    ("iam.serviceAccounts.", "roles/iam.serviceAccountAdmin"),
    ("resourcemanager.projects.", "roles/resourcemanager.projectIamAdmin"),
    ("artifactregistry.", "roles/artifactregistry.admin"),
    ("storage.", "roles/storage.admin"),
)


# --- what is asked for ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pool:
    """One pool, as far as it is checked."""

    name: str
    machine_type: str = DEFAULT_MACHINE_TYPE
    spot: bool = False
    least: int = 0
    most: int = 1
    total: bool = False  # least and most count in all zones together
    disk_gb: int = DEFAULT_DISK_GB
    disk_type: str = ""
    pods: int = DEFAULT_PODS
    zones: tuple[str, ...] = ()
    tainted: bool = False

    @property
    def family(self) -> str:
        """The machine type's family."""
        return self.machine_type.partition("-")[0]

    def nodes(self, zones: int) -> int:
        """The most nodes that it can have."""
        return self.most if self.total else self.most * (len(self.zones) or zones)


@dataclass(frozen=True)
class Ask:
    """The cluster and its pools."""

    project: str
    name: str = ""
    location: str = ""
    autopilot: bool = False
    existing: bool = False  # it is only used
    adopt: bool = False  # it may be one that was not made by this
    private: bool = False  # nodes have no external addresses
    zones: tuple[str, ...] = ()
    control_plane: str = ""
    pools: tuple[Pool, ...] = ()

    @property
    def region(self) -> str:
        """The region."""
        return given.region_of(self.location)


def _is_true(value: t.Any) -> bool:
    """An option that was not converted, as its list takes any."""
    return str(value).lower() in ("true", "yes", "on", "1")


def _number(value: t.Any, what: str, problems: list[str], least: int, most: int) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        problems.append(f"{what} is {value!r}, which is no whole number")
        return None
    if not least <= number <= most:
        problems.append(f"{what} is {number}: {least} to {most} are possible")
        return None
    return number


def _pool(pool: JSON, region: str, default_pods: int, problems: list[str]) -> Pool | None:
    name = str(pool.get("name") or "")
    what = f"pool {name}"
    if not given.check_name(pool.get("name"), "gke", "the name of a pool", problems):
        return None
    before = len(problems)
    machine = pool.get("machine_type") or DEFAULT_MACHINE_TYPE
    given.check_name(machine, "machine", f"{what}: machine_type", problems)
    count = _number(pool.get("node_count"), f"{what}: node_count", problems, 0, MOST_NODES)
    scaling = pool.get("autoscaling") or {}
    if scaling.get("enabled") is not None and not _is_true(scaling["enabled"]):
        scaling = {}
    keys = ("min", "max", "total_min", "total_max")
    numbers = {key: _number(scaling.get(key), f"{what}: autoscaling.{key}", problems, 0, MOST_NODES) for key in keys}
    total = numbers["total_max"] is not None
    most = numbers["total_max"] if total else numbers["max"]
    least = (numbers["total_min"] if total else numbers["min"]) or 0
    if pool.get("node_count") is not None and scaling:
        problems.append(f"{what} has node_count and autoscaling: give one of them")
    elif scaling and total and scaling.get("max") is not None:
        problems.append(f"{what}: autoscaling has max and total_max: give one of them")
    elif scaling and most is None and scaling.get("max") is None and scaling.get("total_max") is None:
        problems.append(f"{what}: autoscaling has no max")
    elif scaling and most is not None and most < 1:
        problems.append(f"{what}: autoscaling has a maximum of {most}, so there could never be a node")
    elif most is not None and least > most:
        problems.append(f"{what}: autoscaling has a minimum of {least}, which is more than its maximum of {most}")
    disk = _number(pool.get("disk_size_gb"), f"{what}: disk_size_gb", problems, 10, 65536)
    pods = _number(pool.get("max_pods_per_node"), f"{what}: max_pods_per_node", problems, 8, 256)
    zones = tuple(str(zone) for zone in pool.get("locations") or ())
    _check_zones(zones, region, f"{what}: locations", problems)
    family, disk_type = str(machine).partition("-")[0], str(pool.get("disk_type") or "")
    if disk_type and family in _HYPERDISK_ONLY and not disk_type.startswith("hyperdisk-"):
        problems.append(f"{what}: {machine} has no {disk_type}: machines of that family boot from hyperdisk-balanced")
    config = (pool.get("spec") or {}).get("config") or {}
    if _is_true(pool.get("spot")) and (config.get("preemptible") or config.get("flexStart")):
        problems.append(f"{what} has spot, and preemptible or flexStart in its spec: give one of them")
    if len(problems) > before:
        return None
    if most is None:
        least, most = (1, 1) if count is None else (count, count)
    return Pool(
        name=name,
        machine_type=str(machine),
        spot=_is_true(pool.get("spot")),
        least=least,
        most=most,
        total=total,
        disk_gb=disk or DEFAULT_DISK_GB,
        disk_type=disk_type or ("hyperdisk-balanced" if family in _HYPERDISK_ONLY else "pd-balanced"),
        pods=pods or default_pods,
        zones=zones,
        tainted=bool(pool.get("taints")),
    )


def _check_zones(zones: t.Iterable[str], region: str, what: str, problems: list[str]) -> None:
    for zone in zones:
        if not given.is_zone(zone):
            problems.append(f"{what} has {zone!r}, which is no zone such as {region or 'europe-west4'}-a")
        elif region and given.region_of(zone) != region:
            problems.append(f"{what} has {zone}, which is not in region {region}")


def _check_cluster_options(cluster: JSON, problems: list[str]) -> None:
    place = {"name": cluster["name"], "location": cluster["location"]}
    options = {option: cluster.get(option) for option in ("version", "labels", "maintenance", "authorized_networks")}
    what = f"Cluster {cluster['name']}"
    _check_options(GKE_CLUSTER, place, options, lambda params: _gke_cluster.want(params, ""), what, problems)
    _add(problems, check_spec, cluster.get("spec") or {}, what)


def _check_pool_options(pool: JSON, cluster: JSON, problems: list[str]) -> None:
    options = {option: value for option, value in pool.items() if option not in _CHECKED}
    what = f"Node pool {pool['name']} of cluster {cluster['name']}"

    def want(params: JSON) -> None:
        _gke_node_pool.want(params, cluster["name"], cluster["location"])

    _check_options(GKE_NODE_POOL, {"name": pool["name"]}, options, want, what, problems)


def _check_options(
    spec: JSON, fixed: JSON, options: JSON, want: t.Callable[[JSON], t.Any], what: str, problems: list[str]
) -> None:
    """What another module would refuse whatever there is: each option by itself, so that all is said at once."""
    for option, value in options.items():
        if value:
            result = ArgumentSpecValidator(spec).validate({**fixed, option: value})
            problems += [f"{what}: {option}: {message.rstrip('.')}" for message in result.error_messages]
            if not result.error_messages:
                _add(problems, want, result.validated_parameters)


def _add(problems: list[str], checked: t.Callable[..., t.Any], *arguments: t.Any) -> None:
    try:
        checked(*arguments)
    except DaskopsError as error:
        problems.append(error.message.rstrip("."))


def ask(params: JSON, problems: list[str]) -> Ask:
    """What the options ask for; adds what of it cannot be, whatever there is."""
    problems += given.check_resources(params)
    cluster, pools = params.get("cluster") or {}, params.get("pools") or []
    location, autopilot = str(cluster.get("location") or ""), _is_true(cluster.get("autopilot"))
    region, named = "", False
    if cluster:
        named = given.check_name(cluster.get("name"), "gke", "cluster.name", problems)
        if given.check_name(location, "place", "cluster.location", problems):
            region = given.region_of(location)
            if named:
                _check_cluster_options(cluster, problems)
    elif pools:
        problems.append("pools are given without the cluster that they are of: give cluster, too")
    if autopilot and given.is_zone(location):
        problems.append(f"cluster.location is the zone {location}, and an Autopilot cluster is in a region: {region}")
    if autopilot and pools:
        problems.append("an Autopilot cluster has no pools of its own: leave pools out, or set autopilot to false")
    subnetwork = params.get("subnetwork") or {}
    if region and subnetwork and subnetwork.get("region") != region:
        problems.append(f"subnetwork.region is {subnetwork.get('region')}, and the cluster is in region {region}")
    zones = tuple(str(zone) for zone in cluster.get("node_locations") or ())
    _check_zones(zones, region, "cluster.node_locations", problems)
    control_plane = str(
        cluster.get("control_plane_range")
        or ((cluster.get("spec") or {}).get("privateClusterConfig") or {}).get("masterIpv4CidrBlock")
        or ""
    )
    if control_plane:
        block = given.check_range(control_plane, "the control plane's range", problems, 28, 28)
        ranges = given.subnetwork_ranges(params, [])  # whose own problems are known already
        for what, network in ranges if block else []:
            given.check_overlaps(
                [("the control plane's range", t.cast("ipaddress.IPv4Network", block)), (what, network)], problems
            )
    default_pods = _number(cluster.get("max_pods_per_node"), "cluster.max_pods_per_node", problems, 8, 256)
    parsed, names = [], []
    for each in pools:
        if each.get("state") == "absent":
            continue
        names.append(each.get("name"))
        pool = _pool(each, region, default_pods or DEFAULT_PODS, problems)
        if pool:
            parsed.append(pool)
            if region and named:
                _check_pool_options(each, cluster, problems)
    for name in sorted({str(name) for name in names if names.count(name) > 1}):
        problems.append(f"pool {name} is there twice: pools are told apart by their names")
    return Ask(
        project=str(params.get("project") or ""),
        name=str(cluster.get("name") or "") if region else "",
        location=location if region else "",
        autopilot=autopilot,
        existing=cluster.get("state") == "existing",
        adopt=_is_true(cluster.get("adopt")),
        private=_is_true(cluster.get("private_nodes")),
        zones=zones,
        control_plane=control_plane,
        pools=tuple(parsed),
    )


# --- what there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What was read of the project."""

    number: str = ""
    disabled: tuple[str, ...] = ()  # APIs
    region: JSON | None = None
    project: JSON | None = None  # as Compute Engine has it
    machines: t.Mapping[tuple[str, str], JSON | None] = field(default_factory=dict)  # by zone and type
    cluster: JSON | None = None
    subnetworks: tuple[JSON, ...] = ()  # of the network
    lacking: t.Mapping[Target, t.Mapping[str, tuple[str, ...]]] = field(default_factory=dict)  # permission: purposes
    used: t.Mapping[str, float] = field(default_factory=dict)  # of each quota, by the cluster's pools as they are


def needed_apis(params: JSON) -> list[str]:
    """The APIs that have to be enabled."""
    names = ["cloudresourcemanager", "compute", "container", "iam", "serviceusage"]
    if params.get("artifact_registry"):
        names.append("artifactregistry")
    if any(each.get("bucket") for each in params.get("workload_identity") or []):
        names.append("storage")
    return sorted(f"{name}.googleapis.com" for name in names)


Needs = dict[Target, dict[str, tuple[str, ...]]]


def needs(asked: Ask, plan: core.Plan, spec: core.Spec, seen: core.Seen, cluster: JSON | None) -> Needs:
    """By what they are on, the permissions that it takes to do all this, each with what it is for; nothing more."""
    found: Needs = {}

    def add(target: Target, permission: str, purpose: str) -> None:
        purposes = found.setdefault(target, {}).setdefault(permission, ())
        if purpose not in purposes:
            found[target][permission] = (*purposes, purpose)

    for step in plan.steps:
        for permission in step.permissions:
            is_policy = isinstance(step.effect, core.PolicyChange)
            purpose = f"change {step.resource}" if is_policy else "; ".join(step.actions)
            add(permission.target, permission.name, purpose)
    project = iam.project_target(asked.project)
    if not asked.name:
        return found
    if asked.existing:
        add(project, "container.clusters.get", f"use cluster {asked.name}")
        return found
    have = {pool.get("name") for pool in (cluster or {}).get("nodePools") or []}
    new = [pool.name for pool in asked.pools if pool.name not in have]
    if cluster is None:
        add(project, "container.clusters.create", f"create cluster {asked.name}")
        add(project, "container.operations.get", "wait for it")
        if spec.host != spec.project:
            # Where it is there, the role is usually granted on it alone.
            host = iam.subnetwork_target(spec.subnetwork_path) if seen.subnetwork else iam.project_target(spec.host)
            add(host, "compute.subnetworks.use", f"put cluster {asked.name} into the shared VPC")
    elif new:
        add(project, "container.clusters.update", f"create pools {', '.join(new)}")
        add(project, "container.operations.get", "wait for that")
    if spec.email and (cluster is None or new):
        target = iam.account_target(spec.email) if seen.account else project
        add(target, "iam.serviceAccounts.actAs", f"let nodes run as {spec.email}")
    return found


def zones_of(asked: Ask, facts: Facts) -> list[str]:
    """The zones in which nodes will be or, as long as GKE has not chosen, can be."""
    if asked.zones:
        return list(asked.zones)
    if facts.cluster and facts.cluster.get("locations"):
        return list(facts.cluster["locations"])
    if given.is_zone(asked.location):
        return [asked.location]
    return region_zones(facts.region)


def region_zones(region: JSON | None) -> list[str]:
    """All zones of a region."""
    return sorted(core.short_name(url) for url in (region or {}).get("zones") or [])


def zone_count(asked: Ask, facts: Facts) -> int:
    """In how many zones nodes will be."""
    known = bool(asked.zones or facts.cluster or given.is_zone(asked.location))
    return len(zones_of(asked, facts)) if known else min(ZONES, len(zones_of(asked, facts)) or ZONES)


# --- the checks -------------------------------------------------------------------------------------------------------


def check(asked: Ask, spec: core.Spec, facts: Facts, params: JSON) -> list[str]:
    """All that is wrong with it in this project."""
    problems: list[str] = []
    if facts.disabled:
        names = " ".join(facts.disabled)
        verb = "APIs that are needed are" if len(facts.disabled) > 1 else "an API that is needed is"
        problems.append(
            f"{verb} not enabled: {', '.join(facts.disabled)}: gcloud services enable {names} --project {asked.project}"
        )
    _check_permissions(facts, problems)
    if facts.region:
        _check_places(asked, facts, problems)
        problems += check_quota(asked, facts)
    _check_cluster(asked, facts, problems)
    _check_sizes(asked, spec, facts, problems)
    _check_others(asked, spec, facts, params, problems)
    return problems


def _check_permissions(facts: Facts, problems: list[str]) -> None:
    for target, lacking in facts.lacking.items():
        if not lacking:
            continue
        texts = [f"{name} (to {', '.join(purposes)})" for name, purposes in sorted(lacking.items())]
        roles = sorted({role for name in lacking for role in [role_for(name)] if role})
        problems.append(
            f"this account lacks on {target} {', '.join(texts)}: have a role granted that has it, such as "
            f"{', '.join(roles) or 'roles/editor'}"
        )


def role_for(permission: str) -> str:
    """A predefined role that has a permission."""
    return next((role for start, role in _ROLES if permission.startswith(start)), "")


def _check_places(asked: Ask, facts: Facts, problems: list[str]) -> None:
    zones = region_zones(facts.region)
    if (facts.region or {}).get("status", "UP") != "UP":
        problems.append(f"region {asked.region} is down")
    wanted = {*asked.zones, *(zone for pool in asked.pools for zone in pool.zones)}
    wanted |= {asked.location} if given.is_zone(asked.location) else set()
    problems += [
        f"zone {zone} is not there; region {asked.region} has {', '.join(zones)}"
        for zone in sorted(wanted - set(zones))
    ]
    missing: dict[str, list[str]] = {}
    present: dict[str, list[str]] = {}
    for (zone, kind), machine in facts.machines.items():
        (missing if machine is None else present).setdefault(kind, []).append(zone)
    used = {pool.machine_type for pool in asked.pools}
    for kind, where in sorted(missing.items()):
        if kind not in used:
            continue
        if kind not in present:
            problems.append(f"machine type {kind} is not there in {', '.join(sorted(where))}: give another one")
        else:
            problems.append(
                f"machine type {kind} is not there in {', '.join(sorted(where))}: keep its pools to "
                f"{', '.join(sorted(present[kind]))} (locations, or node_locations of the cluster)"
            )


def _check_cluster(asked: Ask, facts: Facts, problems: list[str]) -> None:
    found = facts.cluster
    if found is None:
        if asked.existing and asked.name and not facts.disabled:
            problems.append(f"cluster {asked.name} is not there in {asked.location}, and is to be one that is there")
        return
    if not (asked.existing or asked.adopt or is_managed(found.get("resourceLabels"))):
        problems.append(
            f"cluster {asked.name} in {asked.location} is there and was not made by this: set gke_state=existing (of "
            "the module, state) to use it as it is, or choose another gke_name (of the module, name)"
        )
        return
    autopilot = bool((found.get("autopilot") or {}).get("enabled"))
    if autopilot and asked.pools:
        problems.append(f"cluster {asked.name} is an Autopilot cluster, which has no pools of its own")
    elif autopilot != asked.autopilot and not asked.existing and asked.name:
        word = "an Autopilot" if autopilot else "no Autopilot"
        problems.append(f"cluster {asked.name} is {word} cluster, which cannot be changed: give another name")


def quota_of(pool: Pool, quotas: t.Mapping[str, JSON]) -> str:
    """The quota that a pool's CPUs count against, or nothing if it is none that a region shows."""
    if pool.spot and float((quotas.get("PREEMPTIBLE_CPUS") or {}).get("limit") or 0) > 0:
        return "PREEMPTIBLE_CPUS"  # without one, spot VMs count as any other (Compute Engine's guide)
    if pool.family in _SHARED_QUOTA:
        return "CPUS"
    return _FAMILY_QUOTAS.get(pool.family, "")


def demand(pool: Pool, nodes: int, cpus: float, private: bool, quotas: t.Mapping[str, JSON]) -> dict[str, float]:
    """What so many nodes of a pool take of each quota."""
    found: dict[str, float] = {"INSTANCES": nodes}
    quota = quota_of(pool, quotas)
    if quota:
        found[quota] = nodes * cpus
    if _ALL_REGIONS in quotas and quota != "PREEMPTIBLE_CPUS":
        found[_ALL_REGIONS] = nodes * cpus
    if disk := _DISK_QUOTAS.get(pool.disk_type):
        found[disk] = float(nodes * pool.disk_gb)
    if not private:
        found["IN_USE_ADDRESSES"] = nodes
    return found


def _cpus(facts: Facts, kind: str) -> float | None:
    sizes = [machine["guestCpus"] for (_zone, name), machine in facts.machines.items() if name == kind and machine]
    return float(sizes[0]) if sizes else None


def check_quota(asked: Ask, facts: Facts) -> list[str]:
    """The pools' maximum against the quotas there are; what the cluster has already counts as its own."""
    quotas = quotas_of(facts)
    wanted: dict[str, list[tuple[str, float]]] = {}
    for pool in asked.pools:
        cpus = _cpus(facts, pool.machine_type)
        if cpus is None:
            continue
        nodes = pool.nodes(zone_count(asked, facts))
        for metric, amount in demand(pool, nodes, cpus, asked.private, quotas).items():
            wanted.setdefault(metric, []).append((pool.name, amount))
    problems = []
    for metric, parts in sorted(wanted.items()):
        quota = quotas.get(metric)
        if quota is None:
            continue
        limit, usage = float(quota.get("limit") or 0), float(quota.get("usage") or 0)
        others = max(usage - facts.used.get(metric, 0.0), 0.0)
        total = sum(amount for _name, amount in parts)
        if total > limit - others:
            shares = ", ".join(f"{name} {amount:g}" for name, amount in parts if amount)
            rest = f", of which others use {others:g}" if others else ""
            owner = f"project {asked.project}" if metric == _ALL_REGIONS else f"region {asked.region}"
            problems.append(
                f"the pools can grow to {total:g} {metric} ({shares}), and {owner} has a quota of "
                f"{limit:g}{rest}: ask for more, or lower the pools' maximum"
            )
    return problems


def quotas_of(facts: Facts) -> dict[str, JSON]:
    """The region's quotas by name, and the project's for CPUs in all regions."""
    own = [quota for quota in (facts.project or {}).get("quotas") or [] if quota.get("metric") == _ALL_REGIONS]
    return {str(quota.get("metric")): quota for quota in [*((facts.region or {}).get("quotas") or []), *own]}


def pool_of(live: JSON) -> Pool:
    """A pool that is there, as far as it matters here."""
    config = live.get("config") or {}
    return Pool(
        name=str(live.get("name")),
        machine_type=config.get("machineType") or DEFAULT_MACHINE_TYPE,
        spot=bool(config.get("spot") or config.get("preemptible")),
        disk_gb=int(config.get("diskSizeGb") or DEFAULT_DISK_GB),
        disk_type=config.get("diskType") or "pd-balanced",
    )


def used_by(facts: Facts, sizes: t.Mapping[str, int], private: bool) -> dict[str, float]:
    """What the cluster's pools, with so many nodes each, take of the quotas."""
    total: dict[str, float] = {}
    for live in (facts.cluster or {}).get("nodePools") or []:
        pool = pool_of(live)
        cpus = _cpus(facts, pool.machine_type)
        if cpus is None or pool.name not in sizes:
            continue
        for metric, amount in demand(pool, sizes[pool.name], cpus, private, quotas_of(facts)).items():
            total[metric] = total.get(metric, 0.0) + amount
    return total


def pod_block(pods: int) -> int:
    """How many addresses a node has for so many pods: twice as many, rounded up to a power of two (GKE's guide)."""
    return 1 << (2 * pods - 1).bit_length()


def _check_sizes(asked: Ask, spec: core.Spec, facts: Facts, problems: list[str]) -> None:
    if not spec.subnetwork or not asked.pools:
        return
    path = spec.subnetwork_path
    live = next((each for each in facts.subnetworks if core.relative_name(each.get("selfLink")) == path), {})
    zones = zone_count(asked, facts)
    nodes = sum(pool.nodes(zones) for pool in asked.pools)
    names = spec.subnetwork
    secondary = {each["rangeName"]: each.get("ipCidrRange") for each in live.get("secondaryIpRanges") or []}
    pods_range = names.get("pods_range") or {}
    problems += check_pods(asked.pools, zones, pods_range.get("cidr") or secondary.get(pods_range.get("name", "")))
    problems += check_nodes(nodes, names.get("ip_range") or live.get("ipCidrRange"))


def check_pods(pools: t.Sequence[Pool], zones: int, cidr: str | None) -> list[str]:
    """Whether the range for pods has room for those of all nodes."""
    if not cidr:
        return []
    needed = sum(pool.nodes(zones) * pod_block(pool.pods) for pool in pools)
    network = ipaddress.IPv4Network(cidr)
    if needed <= network.num_addresses:
        return []
    nodes = sum(pool.nodes(zones) for pool in pools)
    blocks = sorted({f"/{32 - (pod_block(pool.pods) - 1).bit_length()} for {pool.pods} pods" for pool in pools})
    problem = (
        f"the pods' range {cidr} has {network.num_addresses} addresses, and {nodes} nodes, each with a "
        f"{' or '.join(blocks)}, need {needed}: give at least a /{32 - (needed - 1).bit_length()}, or fewer pods for "
        "each node (max_pods_per_node)"
    )
    return [problem]


def check_nodes(nodes: int, cidr: str | None) -> list[str]:
    """Whether the primary range has an address for each node; four of it are Google's."""
    if not cidr:
        return []
    room = ipaddress.IPv4Network(cidr).num_addresses - 4
    if nodes <= room:
        return []
    problem = (
        f"the nodes' range {cidr} has {max(room, 0)} addresses for nodes, and the pools can grow to {nodes}: give at "
        f"least a /{32 - (nodes + 3).bit_length()}"
    )
    return [problem]


def _ranges(subnetwork: JSON) -> list[tuple[str, str, ipaddress.IPv4Network]]:
    """A subnetwork's ranges: how each is called, its name, and the range."""
    name = subnetwork.get("name")
    found = [(f"range of subnetwork {name}", "", subnetwork.get("ipCidrRange"))]
    found += [
        (f"range {each.get('rangeName')} of subnetwork {name}", str(each.get("rangeName")), each.get("ipCidrRange"))
        for each in subnetwork.get("secondaryIpRanges") or []
    ]
    return [(what, key, ipaddress.IPv4Network(cidr)) for what, key, cidr in found if cidr]


def _check_others(asked: Ask, spec: core.Spec, facts: Facts, params: JSON, problems: list[str]) -> None:
    """Ranges that are to be made against those that are in the network."""
    wanted = dict(given.subnetwork_ranges(params, []))
    subnetwork = spec.subnetwork
    own_names = {
        "subnetwork.ip_range": "",
        "subnetwork.pods_range": (subnetwork.get("pods_range") or {}).get("name", ""),
        "subnetwork.services_range": (subnetwork.get("services_range") or {}).get("name", ""),
    }
    block = asked.control_plane and given.check_range(asked.control_plane, "", [], 28, 28)
    if block and not facts.cluster:
        wanted["the control plane's range"] = block
    for each in facts.subnetworks:
        own = bool(subnetwork) and core.relative_name(each.get("selfLink")) == spec.subnetwork_path
        for taken, name, network in _ranges(each):
            for what, range_ in wanted.items():
                if own and own_names.get(what) == name:
                    continue  # the range itself
                if own and what in own_names and name in own_names.values():
                    continue  # one of those that are given: compared already
                if range_.overlaps(network):
                    problems.append(f"{what} {range_} overlaps with {network}, the {taken}")


def estimates(asked: Ask, facts: Facts) -> JSON:
    """How large it can become."""
    zones = zone_count(asked, facts)
    pools = []
    for pool in asked.pools:
        machine = next((m for (_zone, kind), m in facts.machines.items() if kind == pool.machine_type and m), {})
        nodes = pool.nodes(zones)
        pools.append(
            {
                "name": pool.name,
                "machine_type": pool.machine_type,
                "spot": pool.spot,
                "min_nodes": pool.least if pool.total else pool.least * (len(pool.zones) or zones),
                "max_nodes": nodes,
                "max_cpus": nodes * int(machine.get("guestCpus") or 0),
                "max_memory_mb": nodes * int(machine.get("memoryMb") or 0),
                "max_disk_gb": nodes * pool.disk_gb,
            }
        )
    keys = ("min_nodes", "max_nodes", "max_cpus", "max_memory_mb", "max_disk_gb")
    return {"zones": zones, "pools": pools, **{key: sum(pool[key] for pool in pools) for key in keys}}


def warnings(asked: Ask, facts: Facts) -> list[str]:
    """What may be meant and is worth a word."""
    found = []
    if asked.pools and all(pool.spot or pool.tainted for pool in asked.pools):
        found.append(
            f"Cluster {asked.name}: all pools are of spot VMs or tainted, so GKE's own pods and the scheduler have no "
            "place that lasts."
        )
    quotas = quotas_of(facts)
    for family in sorted({pool.family for pool in asked.pools if quotas and quotas_of(facts)}):
        pool = next(pool for pool in asked.pools if pool.family == family)
        metric = quota_of(pool, quotas)
        if metric not in quotas:
            found.append(f"The quota for machines of family {family} is none that can be read, and was not checked.")
    return found
