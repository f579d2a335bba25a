# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""GKE node pools: from options to resources, from differences to calls, and several pools side by side."""

from __future__ import annotations

import contextlib
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke import (
    MANAGED,
    Call,
    Deadline,
    Path,
    check_labels,
    check_location,
    check_name,
    check_spec,
    check_zones,
    clean,
    cluster_path,
    converge,
    described,
    differences,
    is_managed,
    lookup,
    merge,
    perform,
    picture,
    same,
    settle,
    strip,
    texts,
    without,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import (
    CLOUD_PLATFORM,
    JSON,
    Google,
    GoogleError,
    OperationFailed,
)

PARALLEL = 5  # pools that are worked on at a time, of which GKE takes no more

EFFECTS = {"NoSchedule": "NO_SCHEDULE", "PreferNoSchedule": "PREFER_NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}


@dataclass(frozen=True)
class Field:
    """A field of NodePool that C(nodePools.update) changes, and what UpdateNodePoolRequest calls it.

    C(group) are those that gcloud, too, sends in one request; all others go alone, as the API is documented for none of
    the other combinations.  C(inner) is what the value is wrapped in.
    """

    path: str
    update: str
    group: str = ""
    inner: str = ""


# In the order in which they are sent: how nodes are replaced is settled before anything replaces them.
FIELDS: tuple[Field, ...] = (
    Field("upgradeSettings", "upgradeSettings"),
    Field("nodeDrainConfig", "nodeDrainConfig"),
    Field("maintenancePolicy", "maintenancePolicy"),
    Field("config.resourceLabels", "resourceLabels", inner="labels"),
    Field("config.labels", "labels", inner="labels"),
    Field("config.taints", "taints", inner="taints"),
    Field("config.taintConfig", "taintConfig"),
    Field("config.tags", "tags", inner="tags"),
    Field("config.resourceManagerTags", "resourceManagerTags"),
    Field("config.workloadMetadataConfig", "workloadMetadataConfig"),
    Field("version", "nodeVersion"),
    Field("config.imageType", "imageType"),
    Field("config.nodeImageConfig.image", "image", group="image"),
    Field("config.nodeImageConfig.imageProject", "imageProject", group="image"),
    Field("config.machineType", "machineType", group="machine"),
    Field("config.diskType", "diskType", group="machine"),
    Field("config.diskSizeGb", "diskSizeGb", group="machine"),
    Field("config.bootDisk", "bootDisk"),
    Field("config.storagePools", "storagePools"),
    Field("config.accelerators", "accelerators"),
    Field("config.linuxNodeConfig", "linuxNodeConfig", group="system"),
    Field("config.kubeletConfig", "kubeletConfig", group="system"),
    Field("config.windowsNodeConfig", "windowsNodeConfig"),
    Field("config.containerdConfig", "containerdConfig"),
    Field("config.confidentialNodes", "confidentialNodes"),
    Field("config.gcfsConfig", "gcfsConfig"),
    Field("config.gvnic", "gvnic"),
    Field("config.fastSocket", "fastSocket"),
    Field("config.loggingConfig", "loggingConfig"),
    Field("config.maxRunDuration", "maxRunDuration"),
    Field("config.flexStart", "flexStart"),
    Field("config.consolidationDelay", "consolidationDelay"),
    Field("networkConfig", "nodeNetworkConfig"),
    Field("queuedProvisioning", "queuedProvisioning"),
    Field("locations", "locations"),
)
# Of UpdateNodePoolRequest, what is no setting of the pool, and why it is not sent.
UNUSED = {
    "etag": "operations exclude each other anyway",
    "nodeConfigUpdateMode": "how an update is done, and not what the pool is",
    "name": "in the path",
    "clusterId": "deprecated",
    "nodePoolId": "deprecated",
    "projectId": "deprecated",
    "zone": "deprecated",
}
# What matters at creation only, or is compared in another way.
_NOT_COMPARED = {"name", "initialNodeCount"}


@dataclass(frozen=True)
class Want:
    """One pool, as it is to be."""

    name: str
    present: bool
    resource: JSON  # the API's form, with what the options say
    defaults: JSON  # what these modules' own pools have beside that, and others are left without
    node_count: int | None = None  # per zone, where it is fixed
    recreate: bool = False


@dataclass(frozen=True)
class PoolPlan:
    """What has to be done with one pool."""

    name: str
    calls: tuple[Call, ...]
    before: JSON | None
    after: JSON | None


# --- from options to resources ----------------------------------------------------------------------------------------


def want(params: JSON, cluster: str, location: str, service_account: str | None = None) -> Want:
    """A pool that the options ask for; raises where they cannot be met."""
    name = params["name"]
    check_name(name, "node pool")
    where = f"Node pool {name} of cluster {cluster}"
    if params.get("state") == "absent":
        return Want(name, False, {"name": name}, {})
    check_spec(params.get("spec") or {}, where)
    if params.get("machine_type") and not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", params["machine_type"]):
        raise DaskopsError(
            f"{where}: machine_type is {params['machine_type']!r}, which is none of Compute Engine's; "
            "give one such as e2-standard-4 (gcloud compute machine-types list)."
        )
    if params.get("disk_size_gb") is not None and params["disk_size_gb"] < 10:
        raise DaskopsError(f"{where}: disk_size_gb is {params['disk_size_gb']}, and a node needs at least 10.")
    check_zones(params.get("locations") or [], location, f"{where}: locations")
    config: JSON = {
        "machineType": params.get("machine_type"),
        "diskSizeGb": params.get("disk_size_gb"),
        "diskType": params.get("disk_type"),
        "imageType": params.get("image_type") and params["image_type"].upper(),
        "spot": params.get("spot"),
        "labels": params.get("labels"),
        "taints": _taints(params.get("taints"), where),
        "tags": params.get("tags"),
        "serviceAccount": params.get("service_account") or service_account,
        "oauthScopes": params.get("oauth_scopes"),
        "resourceLabels": params.get("resource_labels"),
    }
    check_labels(params.get("resource_labels") or {}, f"{where}: resource_labels")
    shielded = {
        "enableSecureBoot": params.get("secure_boot"),
        "enableIntegrityMonitoring": params.get("integrity_monitoring"),
    }
    if clean(shielded):
        config["shieldedInstanceConfig"] = clean(shielded)
    if params.get("workload_metadata"):
        config["workloadMetadataConfig"] = {"mode": params["workload_metadata"].upper()}
    management = clean({"autoRepair": params.get("auto_repair"), "autoUpgrade": params.get("auto_upgrade")})
    autoscaling, count = _autoscaling(params, where)
    resource: JSON = {
        "name": name,
        "config": {key: value for key, value in config.items() if value is not None} or None,
        "autoscaling": autoscaling,
        "locations": params.get("locations"),
        "management": management or None,
        "upgradeSettings": _upgrade(params.get("upgrade"), where),
        "version": params.get("version"),
        "maxPodsConstraint": (
            {"maxPodsPerNode": str(params["max_pods_per_node"])} if params.get("max_pods_per_node") else None
        ),
    }
    resource = {key: value for key, value in resource.items() if value is not None}
    defaults: JSON = {
        "config": {
            "oauthScopes": [CLOUD_PLATFORM],
            "resourceLabels": MANAGED,
            "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        },
        "management": {"autoRepair": True, "autoUpgrade": True},
    }
    resource = texts(merge(resource, params.get("spec") or {}, keep=True))
    if not is_managed({**MANAGED, **(lookup(resource, ("config", "resourceLabels")) or {})}):
        raise DaskopsError(f"{where}: the resource label managed-by is this module's own; take another key.")
    return Want(name, True, resource, defaults, count, bool(params.get("recreate")))


def create_body(wanted: Want, zones: int) -> JSON:
    """The pool as it is created."""
    resource = t.cast("JSON", clean(merge(wanted.defaults, wanted.resource)))
    if "initialNodeCount" not in resource:
        scaling = resource.get("autoscaling") or {}
        least = scaling.get("minNodeCount") or -(-(scaling.get("totalMinNodeCount") or 0) // max(zones, 1))
        resource["initialNodeCount"] = wanted.node_count if wanted.node_count is not None else least
        if wanted.node_count is None and not scaling.get("enabled"):
            resource["initialNodeCount"] = 1
    return resource


def _taints(taints: list[JSON] | None, where: str) -> list[JSON] | None:
    if taints is None:
        return None
    seen = [(taint["key"], taint["effect"]) for taint in taints]
    for pair in seen:
        if seen.count(pair) > 1:
            raise DaskopsError(f"{where} has the taint {pair[0]}:{pair[1]} twice; give it once.")
    return [
        {"key": taint["key"], "value": taint.get("value") or "", "effect": EFFECTS[taint["effect"]]} for taint in taints
    ]


def _autoscaling(params: JSON, where: str) -> tuple[JSON | None, int | None]:
    """The API's autoscaling, and the number of nodes if that is fixed."""
    count, scaling = params.get("node_count"), params.get("autoscaling")
    if count is not None and count < 0:
        raise DaskopsError(f"{where}: node_count is {count}; give 0 or more.")
    if scaling is None:
        return ({"enabled": False} if count is not None else None), count
    if scaling.get("enabled") is False:
        return {"enabled": False}, count
    if count is not None:
        raise DaskopsError(f"{where} has both node_count and autoscaling; give one of them.")
    pairs = [("min", "max"), ("total_min", "total_max")]
    given = [pair for pair in pairs if any(scaling.get(key) is not None for key in pair)]
    if len(given) != 1:
        raise DaskopsError(
            f"{where}: autoscaling wants min and max, which count in each zone, or total_min and total_max."
        )
    low, high = (scaling.get(key) for key in given[0])
    if high is None:
        raise DaskopsError(f"{where}: autoscaling has no {given[0][1]}.")
    low = low or 0
    if low < 0 or high < 1 or low > high:
        raise DaskopsError(
            f"{where}: autoscaling has {given[0][0]} {low} and {given[0][1]} {high}; "
            "give 0 or more, and at least as many as most."
        )
    names = ("minNodeCount", "maxNodeCount") if given[0][0] == "min" else ("totalMinNodeCount", "totalMaxNodeCount")
    policy = scaling.get("location_policy")
    result: JSON = {"enabled": True, names[0]: low, names[1]: high}
    return (result | {"locationPolicy": policy.upper()} if policy else result), None


def _upgrade(upgrade: JSON | None, where: str) -> JSON | None:
    if upgrade is None:
        return None
    surge = clean({"maxSurge": upgrade.get("max_surge"), "maxUnavailable": upgrade.get("max_unavailable")})
    blue_green = upgrade.get("blue_green")
    if blue_green is None:
        if surge and not surge.get("maxSurge") and surge.get("maxUnavailable") == 0:
            raise DaskopsError(f"{where}: upgrade has neither max_surge nor max_unavailable, so no node could go.")
        return {"strategy": "SURGE", **surge}
    if surge:
        raise DaskopsError(f"{where}: upgrade has both blue_green and surge settings; give one of them.")
    policy = clean(
        {
            "batchPercentage": blue_green.get("batch_percentage"),
            "batchNodeCount": blue_green.get("batch_node_count"),
            "batchSoakDuration": _duration(blue_green.get("batch_soak_seconds")),
        }
    )
    settings = clean(
        {
            "nodePoolSoakDuration": _duration(blue_green.get("soak_seconds")),
            "standardRolloutPolicy": policy or None,
        }
    )
    if "batchPercentage" in policy and "batchNodeCount" in policy:
        raise DaskopsError(f"{where}: blue_green has both batch_percentage and batch_node_count; give one of them.")
    return {"strategy": "BLUE_GREEN", "blueGreenSettings": settings}


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else f"{seconds}s"


# --- from differences to calls ----------------------------------------------------------------------------------------


def updates(wanted: JSON, found: JSON, path: str, what: str) -> tuple[list[Call], list[tuple[Path, t.Any, t.Any]]]:
    """The calls that make C(found) what is wanted, and the differences that no call can change."""
    calls: list[Call] = []
    rest = {key: value for key, value in wanted.items() if key not in _NOT_COMPARED}
    bodies: dict[str, JSON] = {}
    for row in FIELDS:
        place = tuple(row.path.split("."))
        value = lookup(rest, place)
        if value is None:
            continue
        rest = without(rest, place)
        current = lookup(found, place)
        if same(value, current, place[-1]):
            continue
        sent = strip(_value(value, current), place[-1])
        if row.update == "resourceLabels":  # GKE sets some itself, and keeps them
            sent = {key: label for key, label in sent.items() if key in value or not key.startswith("goog-gke-")}
        if row.update == "diskSizeGb":
            sent = str(sent)  # an int64 in the request, an int32 in the resource
        bodies.setdefault(row.group or row.update, {})[row.update] = {row.inner: sent} if row.inner else sent
    for body in bodies.values():
        names = tuple(body)
        calls.append(Call("PUT", path, "update", f"update {', '.join(names)} of {what}", names, body))
    for key, action, body_key in (
        ("autoscaling", "setAutoscaling", "autoscaling"),
        ("management", "setManagement", "management"),
    ):
        value = rest.pop(key, None)
        if value is None or same(value, found.get(key), key):
            continue
        sent = {"enabled": False} if value.get("enabled") is False else merge(found.get(key) or {}, value)
        calls.append(Call("POST", f"{path}:{action}", action, f"set {key} of {what}", (key,), {body_key: sent}))
    return calls, differences(rest, found)


def _value(wanted: t.Any, found: t.Any) -> t.Any:
    """What is sent: the API replaces a field as a whole, so what is not spoken of goes along."""
    if isinstance(wanted, dict):
        return merge(found or {}, wanted)
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict) and "effect" in wanted[0]:
        given = {taint["key"] for taint in wanted}
        return wanted + [taint for taint in found or [] if taint["key"] not in given and same([], [taint], "taints")]
    return wanted


def plan(
    wanted: Want, found: JSON | None, parent: str, zones: int = 1, sizes: t.Collection[int] | None = None
) -> PoolPlan:
    """What has to be done with one pool of the cluster at the path C(parent).

    C(sizes) are the numbers of nodes that its zones have, if that is known better than from the resource.
    """
    path = f"{parent}/nodePools/{wanted.name}"
    what = f"node pool {wanted.name}"
    cluster = parent.rpartition("/")[2]
    remove = Call("DELETE", path, "delete", f"delete {what}")
    if found is not None and found.get("status") == "STOPPING":
        found = None  # whoever deletes it, it is gone when that has ended
    ours = found is None or is_managed(lookup(found, ("config", "resourceLabels")))
    if not wanted.present:
        if found is None:
            return PoolPlan(wanted.name, (), None, None)
        if not ours:
            raise DaskopsError(
                f"Node pool {wanted.name} of cluster {cluster} was not made by this module, which deletes only its own "
                "(resource label managed-by=daskops); delete it with gcloud container node-pools delete."
            )
        return PoolPlan(wanted.name, (remove,), {"name": wanted.name, "status": found.get("status")}, None)
    body = create_body(wanted, zones)
    create = Call("POST", f"{parent}/nodePools", "create", f"create {what}", tuple(sorted(body)), {"nodePool": body})
    if found is None:
        return PoolPlan(wanted.name, (create,), None, body)
    desired = t.cast("JSON", merge(wanted.defaults, wanted.resource, keep=True) if ours else wanted.resource)
    failed = found.get("status") == "ERROR"
    calls, fixed = updates(desired, found, path, what)
    if fixed or failed:
        reasons = described(fixed)
        if failed:
            reasons.insert(0, f"its creation failed ({_status(found)})")
        if not wanted.recreate:
            raise DaskopsError(
                f"Node pool {wanted.name} of cluster {cluster} cannot be changed in place, and nothing was touched: "
                f"{'; '.join(reasons)}; give recreate, which deletes it with its nodes and creates it again, "
                "or what it has.",
                differences=reasons,
            )
        if not ours:
            raise DaskopsError(
                f"Node pool {wanted.name} of cluster {cluster} would have to be recreated ({'; '.join(reasons)}), and "
                "was not made by this module, which deletes only its own; nothing was touched.",
                differences=reasons,
            )
        return PoolPlan(wanted.name, (replace(remove, stop=True), create), picture(found, body), body)
    count = wanted.node_count
    if count is not None and set(sizes or {found.get("initialNodeCount") or 0}) != {count}:
        calls.append(Call("POST", f"{path}:setSize", "setSize", f"resize {what}", ("nodeCount",), {"nodeCount": count}))
    shown = {**desired, **({} if count is None else {"initialNodeCount": count})}
    before, after = picture(found, shown), picture(merge(found, shown), shown)
    if not calls:
        after = before
    elif count is not None and sizes:
        before["initialNodeCount"] = sorted(sizes)[0] if len(set(sizes)) == 1 else sorted(sizes)
    return PoolPlan(wanted.name, tuple(calls), before, after)


def _status(resource: JSON) -> str:
    conditions = [
        str(condition.get("message") or condition.get("code")) for condition in resource.get("conditions", [])
    ]
    return "; ".join(conditions) or resource.get("statusMessage") or str(resource.get("status"))


# --- all pools of a task ----------------------------------------------------------------------------------------------


def wanted_pools(params: JSON) -> list[Want]:
    """The pools that a task's options ask for."""
    check_name(params["cluster"], "cluster")
    check_location(params["location"])
    pools = [want(pool, params["cluster"], params["location"]) for pool in params["pools"]]
    names = [pool.name for pool in pools]
    for name in names:
        if names.count(name) > 1:
            raise DaskopsError(f"Node pool {name} of cluster {params['cluster']} is given twice; give it once.")
    return pools


def apply(google: Google, params: JSON, check: bool, say: t.Callable[[str], None]) -> JSON:
    """Make the pools what the options say; only look in check mode."""
    deadline = Deadline(params["timeout"])
    google.until = deadline.end
    wanted = wanted_pools(params)
    parent = cluster_path(google.project, params["location"], params["cluster"])
    cluster = google.find("container", parent)
    where = f"Cluster {params['cluster']} in {params['location']} of project {google.project}"
    warnings: list[str] = []
    if cluster is None:
        if not check:
            raise DaskopsError(f"{where} does not exist, so it has no node pools; create it first (gke_cluster).")
        warnings.append(f"{where} does not exist; in check mode it is taken as one that will be there, with no pools.")
        cluster = {"location": params["location"]}
    if lookup(cluster, ("autopilot", "enabled")):
        raise DaskopsError(f"{where} is an Autopilot cluster, which makes its nodes itself; leave out its node pools.")
    found = {pool["name"]: pool for pool in cluster.get("nodePools") or []}
    kept: list[str] = []
    if params.get("purge"):
        for name in sorted(found.keys() - {pool.name for pool in wanted}):
            if is_managed(lookup(found[name], ("config", "resourceLabels"))):
                wanted.append(Want(name, False, {"name": name}, {}))
            else:
                kept.append(name)
    passing = [pool.name for pool in wanted if _status_of(found, pool.name) in ("PROVISIONING", "STOPPING")]
    if passing and params.get("wait", True) and not check:
        found = _settled(google, params, parent, passing, deadline, say)
        cluster = {**cluster, "nodePools": list(found.values())}
    zones = len(cluster.get("locations") or [params["location"]])

    def planned(pool: Want, current: JSON | None) -> PoolPlan:
        own = len(pool.resource.get("locations") or []) or zones
        return plan(pool, current, parent, own, sizes(google, current) if pool.node_count is not None else None)

    plans = [planned(pool, found.get(pool.name)) for pool in wanted]  # all of them before anything is sent
    made: list[Call] = [call for each in plans for call in each.calls]
    if made and not check:
        busy = [(pool, each) for pool, each in zip(wanted, plans, strict=True) if each.calls]
        with ThreadPoolExecutor(min(len(busy), PARALLEL)) as threads:
            jobs = {
                each.name: threads.submit(
                    _work, google, params, pool, each, planned, parent, deadline, say, params.get("wait", True)
                )
                for pool, each in busy
            }
        made, failures = [], []
        for name, job in jobs.items():
            try:
                made += job.result()
            except DaskopsError as error:
                failures.append((name, error))
        if failures:
            raise DaskopsError(
                " ".join(
                    f"Node pool {name} of cluster {params['cluster']}: {error.message}" for name, error in failures
                ),
                calls=[
                    *(call.as_dict() for call in made),
                    *(call for _name, error in failures for call in error.details.get("calls", [])),
                ],
                failed_pools=[name for name, _error in failures],
            )
        if params.get("wait", True):
            found = {pool["name"]: pool for pool in google.items("container", f"{parent}/nodePools", "nodePools")}
            for pool in wanted:
                left = _left(planned, pool, found.get(pool.name))
                if left:
                    warnings.append(f"Node pool {pool.name} was changed, and is not yet what was asked for: {left}.")
    names = [pool.name for pool in wanted if pool.present]
    result: JSON = {
        "changed": bool(made),
        "pools": [found.get(name) or next(each.after for each in plans if each.name == name) for name in names],
        "calls": [call.as_dict() for call in made],
        "kept": kept,
        "diff": {
            "before": {each.name: each.before for each in plans if each.before is not None},
            "after": {each.name: each.after for each in plans if each.after is not None},
        },
        "cluster": cluster,
    }
    return result | ({"warnings": warnings} if warnings else {})


def _status_of(found: t.Mapping[str, JSON], name: str) -> str:
    return str(found.get(name, {}).get("status"))


def _settled(
    google: Google, params: JSON, parent: str, names: list[str], deadline: Deadline, say: t.Callable[[str], None]
) -> dict[str, JSON]:
    """The cluster's pools by name, when whoever creates or deletes those of C(names) has ended."""
    targets = [parent, *(f"{parent}/nodePools/{name}" for name in names)]  # the cluster's creation makes pools, too
    for target in targets:
        with contextlib.suppress(OperationFailed):  # the state of the pool will say so
            settle(google, params["location"], target, deadline, say)
    while True:
        found = {pool["name"]: pool for pool in google.items("container", f"{parent}/nodePools", "nodePools")}
        states = {name: _status_of(found, name) for name in names}
        busy = [name for name, state in states.items() if state in ("PROVISIONING", "RECONCILING", "STOPPING")]
        if not busy:
            return found
        say("; ".join(f"node pool {name}: {states[name].lower()}" for name in busy))
        if deadline.left < 1:
            raise DaskopsError(
                f"Cluster {params['cluster']} in {params['location']} of project {google.project}: after "
                f"{deadline.seconds:.0f} s {', '.join(f'node pool {name} is still {states[name]}' for name in busy)}, "
                "by operations that this run did not start; run again to wait on, with a longer timeout if need be."
            )
        time.sleep(min(2.0, deadline.left))


def _left(planned: t.Callable[[Want, JSON | None], PoolPlan], pool: Want, found: JSON | None) -> str:
    try:
        return ", ".join(field for call in planned(pool, found).calls for field in call.fields or (call.action,))
    except DaskopsError as error:
        return error.message


def _work(
    google: Google,
    params: JSON,
    pool: Want,
    first: PoolPlan,
    planned: t.Callable[[Want, JSON | None], PoolPlan],
    parent: str,
    deadline: Deadline,
    say: t.Callable[[str], None],
    wait: bool,
) -> list[Call]:
    """All calls of one pool, one after the other."""
    path = f"{parent}/nodePools/{pool.name}"
    plans = [first]

    def calls() -> tuple[Call, ...]:
        return plans.pop().calls if plans else planned(pool, google.find("container", path)).calls

    def do(call: Call, last: bool) -> None:
        perform(google, call, deadline, say, wait or not last)

    return converge(calls, do, lambda: settle(google, params["location"], path, deadline, say), deadline)


def sizes(google: Google, pool: JSON | None) -> list[int] | None:
    """How many nodes each zone is to have: the groups know, while a pool's resource may tell of its creation only."""
    found = []
    for url in (pool or {}).get("instanceGroupUrls") or []:
        match = re.search(r"/(projects/.*)$", url)
        try:
            group = google.get("compute", f"compute/v1/{match[1] if match else url}")
        except GoogleError as error:
            if error.code in (403, 404):  # not everyone may read Compute Engine; then the resource has to do
                return None
            raise
        found.append(int(group.get("targetSize") or 0))
    return found or None
