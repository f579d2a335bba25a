# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""A cluster from a hub: what has to be done to get it or to give it back, and how far that is.

Two kinds of clusters: one claimed from a pool (Hive's ClusterClaim), and one whose control plane the hub hosts
(HyperShift's HostedCluster with its NodePools).  Nothing here talks to a hub; C(_openshift_hub_engine) does.

Sources: the types and the controllers of openshift/hive (apis/hive/v1/clusterclaim_types.go,
clusterdeployment_types.go, clusterpool_types.go, pkg/controller/clusterclaim) and of openshift/hypershift
(api/hypershift/v1beta1/hostedcluster_conditions.go, nodepool_conditions.go).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from decimal import Decimal

from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import MANAGED_BY

JSON = dict[str, t.Any]

HIVE = "hive.openshift.io/v1"
HYPERSHIFT = "hypershift.openshift.io/v1beta1"
PLURALS = {
    "ClusterClaim": "clusterclaims",
    "ClusterDeployment": "clusterdeployments",
    "ClusterPool": "clusterpools",
    "HostedCluster": "hostedclusters",
    "NodePool": "nodepools",
}
LABELS = {MANAGED_BY: "daskops"}
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())

# DNS labels (RFC 1123): a hosted cluster's name becomes part of hosts and namespaces, and a claim needs no more.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# https://pkg.go.dev/time#ParseDuration, without signs, and without fractions of seconds that no claim needs.
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[hms])+")
_UNITS = {"h": 3600, "m": 60, "s": 1}

# What hostedcluster_conditions.go and nodepool_conditions.go say will hardly change without other input.
_HOPELESS_CLUSTER = (
    "ValidConfiguration",
    "SupportedHostedCluster",
    "ValidHostedControlPlaneConfiguration",
    "ValidReleaseImage",
    "PlatformCredentialsFound",
)
_HOPELESS_POOL = ("ValidReleaseImage", "ValidPlatformImage", "ValidMachineConfig", "ValidTuningConfig")
# What says more about a cluster or a pool that is long in coming.
_TELLING_CLUSTER = ("InfrastructureReady", "EtcdAvailable", "KubeAPIServerAvailable", "ExternalDNSReachable")
_TELLING_POOL = ("AllMachinesReady", "AllNodesHealthy", "ReachedIgnitionEndpoint")
# A controller may say so of a Secret that is made a moment later.
_GRACE = 60.0


@dataclasses.dataclass(frozen=True)
class Claim:
    """What is claimed; an empty pool takes a claim that is there."""

    pool: str = ""
    lifetime: str = ""
    subjects: tuple[JSON, ...] | None = None


@dataclasses.dataclass(frozen=True)
class NodePool:
    """Nodes of a hosted cluster."""

    name: str
    spec: JSON


@dataclasses.dataclass(frozen=True)
class Hosted:
    """A hosted cluster; without a specification one that is there."""

    spec: JSON | None = None
    node_pools: tuple[NodePool, ...] = ()
    purge: bool = False


@dataclasses.dataclass(frozen=True)
class Want:
    """A cluster by its name on the hub."""

    name: str
    namespace: str
    source: Claim | Hosted

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def kind(self) -> str:
        """The kind of the object that stands for the cluster."""
        return "ClusterClaim" if isinstance(self.source, Claim) else "HostedCluster"


@dataclasses.dataclass(frozen=True)
class Observed:
    """What the hub has.

    C(cluster) is the claim or the hosted cluster.  C(pool) is None where there is none or it may not be seen, and
    C(pools) are the names that could be meant, None where pools may not be seen at all.  C(denied) is why the claimed
    cluster's C(deployment) cannot be seen; Hive gives the right to a claim's subjects only once it has a cluster.
    """

    cluster: JSON | None = None
    node_pools: t.Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    pool: JSON | None = None
    pools: tuple[str, ...] | None = None
    deployment: JSON | None = None
    denied: DaskopsError | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do, in this order: C(create), C(change) (merge patches), C(apply), C(delete)."""

    create: tuple[JSON, ...] = ()
    change: tuple[JSON, ...] = ()
    apply: tuple[JSON, ...] = ()
    delete: tuple[JSON, ...] = ()
    kept: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Finding:
    """Why there will be no cluster, if it stays so for C(grace) seconds."""

    cause: str
    remedy: str
    grace: float = 0.0


@dataclasses.dataclass(frozen=True)
class Assessment:
    """How far a cluster is."""

    ready: bool
    progress: str
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()


def wanted(params: JSON) -> Want:
    """What a module's parameters ask for; raises DaskopsError where that cannot be."""
    present = params["state"] == "present"
    source: Claim | Hosted
    if params["claim"] is not None:
        given = params["claim"]
        subjects = given.get("subjects")
        source = Claim(
            given.get("pool") or "",
            given.get("lifetime") or "",
            None if subjects is None else tuple(_subject(each) for each in subjects),
        )
    else:
        given = params["hosted"]
        pools = tuple(NodePool(each["name"], each["spec"]) for each in given.get("node_pools") or [])
        source = Hosted(given.get("spec") or None, pools, bool(given.get("purge")))
    want = Want(params["name"], params["namespace"], source)
    _check(want, present)
    return want


def _check(want: Want, present: bool) -> None:
    names = [want.name, want.namespace]
    names += [pool.name for pool in want.source.node_pools] if isinstance(want.source, Hosted) else []
    for name in names:
        if not _NAME.fullmatch(name):
            raise DaskopsError(
                f"{want} cannot be had: {name!r} is no name; take up to 63 lower-case letters, digits and hyphens."
            )
    if isinstance(want.source, Claim):
        if want.source.lifetime and seconds(want.source.lifetime) is None:
            raise DaskopsError(
                f"{want} cannot be had: the lifetime {want.source.lifetime!r} is no duration; give one such as 8h or "
                "1h30m."
            )
        return
    if len(names) != len(set(names[2:])) + 2:
        raise DaskopsError(f"{want} cannot be had: two of its node pools have the same name; give each its own.")
    for pool in want.source.node_pools:
        if present and pool.spec.get("clusterName", want.name) != want.name:
            raise DaskopsError(
                f"{want} cannot have the node pool {pool.name}: that is of the cluster {pool.spec['clusterName']}; "
                "leave out clusterName."
            )


def seconds(duration: str) -> Decimal | None:
    """The seconds of a duration as Go writes them, such as 8h or 8h0m0s; None if it is none."""
    if not _DURATION.fullmatch(duration):
        return None
    parts = re.findall(r"([\d.]+)([hms])", duration)
    return sum((Decimal(number) * _UNITS[unit] for number, unit in parts), Decimal(0))


def _subject(given: JSON) -> JSON:
    """A subject of RBAC, as the API has it."""
    subject = {"kind": given["kind"], "name": given["name"]}
    if given["kind"] == "ServiceAccount":
        return {**subject, "namespace": given.get("namespace") or ""}
    return {"apiGroup": "rbac.authorization.k8s.io", **subject}


def metadata(want: Want, name: str | None = None) -> JSON:
    """Metadata of an object of ours."""
    return {"name": name or want.name, "namespace": want.namespace, "labels": dict(LABELS)}


def is_ours(item: JSON) -> bool:
    """Whether this module has made the object."""
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in LABELS.items())


def deleting(item: JSON | None) -> bool:
    """Whether an object is on its way out."""
    return bool(item and item["metadata"].get("deletionTimestamp"))


# --- what to do -------------------------------------------------------------------------------------------------------


def plan_present(want: Want, seen: Observed) -> Plan:
    """How the cluster is got; raises DaskopsError where it cannot be."""
    if deleting(seen.cluster):
        raise DaskopsError(
            f"{want} is being deleted, so that there is no cluster to be had by it; wait until it is gone, or take "
            "another name."
        )
    if isinstance(want.source, Claim):
        return _plan_claim(want, want.source, seen)
    return _plan_hosted(want, want.source, seen)


def plan_absent(want: Want, seen: Observed) -> Plan:
    """How the cluster is given back: only what is ours is deleted."""
    pools = _ours(want, seen.node_pools.values())
    if seen.cluster is None:
        return Plan(delete=pools)  # an interrupted run may have left them
    if not is_ours(seen.cluster):
        return Plan(delete=pools, kept=(str(want),))
    return Plan(delete=(*pools, _with_kind(want.kind, seen.cluster)))


def _ours(want: Want, pools: t.Iterable[JSON]) -> tuple[JSON, ...]:
    return tuple(_with_kind("NodePool", pool) for pool in pools if is_ours(pool) and _cluster_of(pool) == want.name)


def _cluster_of(pool: JSON) -> str:
    return str((pool.get("spec") or {}).get("clusterName") or "")


def _with_kind(kind: str, item: JSON) -> JSON:
    """An object out of a list does not say what it is."""
    version = HYPERSHIFT if kind in ("HostedCluster", "NodePool") else HIVE
    return {"apiVersion": version, "kind": kind, **item}


def _plan_claim(want: Want, claim: Claim, seen: Observed) -> Plan:
    if seen.cluster is None:
        return Plan(create=(_new_claim(want, claim, seen),))
    found = seen.cluster.get("spec") or {}
    if claim.pool and found.get("clusterPoolName") != claim.pool:
        raise DaskopsError(
            f"{want} is of the pool {found.get('clusterPoolName')}, not {claim.pool}, and a claim stays with its pool; "
            "release it first, or take another name."
        )
    spec: JSON = {}
    if claim.lifetime and seconds(claim.lifetime) != seconds(str(found.get("lifetime") or "")):
        spec["lifetime"] = claim.lifetime
    if claim.subjects is not None and list(claim.subjects) != [_subject(each) for each in found.get("subjects") or []]:
        spec["subjects"] = list(claim.subjects)
    if spec and not is_ours(seen.cluster):
        raise DaskopsError(
            f"{want} was made by somebody else and has another {' and other '.join(spec)} than asked for; it was not "
            "touched: leave that out to use it as it is, or take another name."
        )
    change = [{**_with_kind("ClusterClaim", seen.cluster), "spec": spec}] if spec else []
    deployment = seen.deployment or {}
    if (deployment.get("spec") or {}).get("powerState") == "Hibernating" and _holds(want, deployment):
        # Hive resumes a cluster when it is claimed, and not again.
        change.append({**_with_kind("ClusterDeployment", deployment), "spec": {"powerState": "Running"}})
    return Plan(change=tuple(change))


def _holds(want: Want, deployment: JSON) -> bool:
    reference = (deployment.get("spec") or {}).get("clusterPoolRef") or {}
    return bool(reference.get("namespace") == want.namespace and reference.get("claimName") == want.name)


def _new_claim(want: Want, claim: Claim, seen: Observed) -> JSON:
    if not claim.pool:
        raise DaskopsError(f"{want} does not exist; give the pool to claim from (claim.pool).")
    if seen.pool is None and seen.pools is not None:
        there = f"there are {', '.join(seen.pools)}" if seen.pools else "there is none that can be seen"
        raise DaskopsError(
            f"{want} cannot be had: ClusterPool {want.namespace}/{claim.pool} does not exist; {there}; give another "
            "pool (claim.pool) or its namespace."
        )
    if seen.pool is not None and (hopeless := _empty_pool(want, claim.pool, seen.pool)):
        raise DaskopsError(f"{want} cannot be had: {hopeless.cause}; {hopeless.remedy}.")
    spec: JSON = {"clusterPoolName": claim.pool}
    if claim.lifetime:
        spec["lifetime"] = claim.lifetime
    if claim.subjects:
        spec["subjects"] = list(claim.subjects)
    return {"apiVersion": HIVE, "kind": "ClusterClaim", "metadata": metadata(want), "spec": spec}


def _empty_pool(want: Want, name: str, pool: JSON) -> Finding | None:
    """A pool of size 0 makes no cluster for a claim: it stays pending (openshift/hive pull request 1463)."""
    status = pool.get("status") or {}
    if (pool.get("spec") or {}).get("size") or any(status.get(count) for count in ("size", "standby", "ready")):
        return None
    return Finding(
        f"ClusterPool {want.namespace}/{name} has size 0 and no cluster left",
        "raise its size, or take another pool",
    )


def _plan_hosted(want: Want, hosted: Hosted, seen: Observed) -> Plan:
    if hosted.spec is None and seen.cluster is None:
        raise DaskopsError(f"{want} does not exist; give what it is to be (hosted.spec).")
    if hosted.spec is not None and seen.cluster is not None and not is_ours(seen.cluster):
        raise DaskopsError(
            f"{want} was made by somebody else and was not touched; leave out hosted.spec to use it as it is, or take "
            "another name."
        )
    for pool in hosted.node_pools:
        there = seen.node_pools.get(pool.name)
        if there and (not is_ours(there) or _cluster_of(there) != want.name):
            whose = "was made by somebody else" if not is_ours(there) else f"is of the cluster {_cluster_of(there)}"
            raise DaskopsError(
                f"NodePool {want.namespace}/{pool.name} {whose} and was not touched; leave it out, or take "
                "another name."
            )
    cluster = {"apiVersion": HYPERSHIFT, "kind": "HostedCluster", "metadata": metadata(want), "spec": hosted.spec}
    pools = [
        {
            "apiVersion": HYPERSHIFT,
            "kind": "NodePool",
            "metadata": metadata(want, pool.name),
            "spec": {**pool.spec, "clusterName": want.name},
        }
        for pool in hosted.node_pools
    ]
    named = {pool.name for pool in hosted.node_pools}
    surplus = [pool for name, pool in seen.node_pools.items() if name not in named and not deleting(pool)]
    return Plan(
        apply=tuple([cluster, *pools] if hosted.spec is not None else pools),
        delete=_ours(want, surplus) if hosted.purge else (),
    )


# --- how far it is ----------------------------------------------------------------------------------------------------


def assess(want: Want, seen: Observed) -> Assessment:
    """How far the cluster is that was planned to be there."""
    if seen.cluster is None or deleting(seen.cluster):
        gone = "its lifetime is over, or somebody has deleted it" if want.kind == "ClusterClaim" else "somebody did it"
        return Assessment(False, f"{want} is gone", (Finding(f"it was deleted meanwhile: {gone}", "run it again"),))
    if isinstance(want.source, Claim):
        return _assess_claim(want, seen.cluster, seen)
    return _assess_hosted(want, want.source, seen.cluster, seen)


def _assess_claim(want: Want, claim: JSON, seen: Observed) -> Assessment:
    spec, conditions = claim.get("spec") or {}, _conditions(claim)
    pool_name = str(spec.get("clusterPoolName"))
    pending, running = conditions.get("Pending", {}), conditions.get("ClusterRunning", {})
    if running.get("reason") in ("ClusterDeleted", "ClusterDeleting") or _is(conditions, "ClusterDeleted", "True"):
        said = _said(running) or "Assigned cluster has been deleted"
        return Assessment(
            False,
            said,
            (Finding(f"its cluster is gone: {said}", "release the claim (state absent) and claim again"),),
        )
    namespace = spec.get("namespace")
    if not namespace:
        return _assess_pool(want, pool_name, pending, seen.pool)
    deployment = seen.deployment or {}
    where = f"cluster {namespace}"
    findings = _provisioning(where, deployment)
    power = (deployment.get("status") or {}).get("powerState")
    # The claim learns of the power state later, and an older Hive or too few rights do not show it.
    if not findings and _is(conditions, "ClusterRunning", "True") and power in (None, "Running"):
        return Assessment(True, f"{where} is running")
    power = power or running.get("reason") or "assigned"
    return Assessment(False, f"{where}: {power}{_after(_said(running))}", findings)


def _assess_pool(want: Want, name: str, pending: JSON, pool: JSON | None) -> Assessment:
    text = f"claim is pending{_after(_said(pending))}"
    if pool is None:
        return Assessment(False, text)
    status, conditions = pool.get("status") or {}, _conditions(pool)
    numbers = ", ".join(f"{status.get(count) or 0} {count}" for count in ("standby", "ready"))
    text += f"; pool {name} of size {(pool.get('spec') or {}).get('size') or 0} has {numbers}"
    if _is(conditions, "MissingDependencies", "True"):
        text += f"; it lacks something{_after(_said(conditions['MissingDependencies']))}"
    if _is(conditions, "CapacityAvailable", "False"):
        text += f"; it makes no more{_after(_said(conditions['CapacityAvailable']))}"
    # Not at once, as the last cluster may be on its way to this very claim.
    empty = _empty_pool(want, name, pool)
    return Assessment(False, text, (dataclasses.replace(empty, grace=_GRACE),) if empty else ())


def _provisioning(where: str, deployment: JSON) -> tuple[Finding, ...]:
    conditions = _conditions(deployment)
    if _is(conditions, "ProvisionStopped", "True"):
        failed = conditions.get("ProvisionFailed") or conditions["ProvisionStopped"]
        return (
            Finding(
                f"provisioning {where} has failed and is not tried again{_after(_said(failed))}",
                "release the claim (state absent) and claim again, or have the pool mended",
            ),
        )
    # Final by Hive's docs/hibernating-clusters.md; not at once, as a cloud may lack machines for a moment.
    if (deployment.get("status") or {}).get("powerState") == "FailedToStartMachines":
        said = _said(conditions.get("Ready") or conditions.get("Hibernating") or {})
        return (
            Finding(
                f"{where} was hibernating and its machines cannot be started{_after(said)}",
                "release the claim (state absent) and claim again",
                _GRACE,
            ),
        )
    return ()


def _assess_hosted(want: Want, hosted: Hosted, cluster: JSON, seen: Observed) -> Assessment:
    conditions, status = _conditions(cluster), cluster.get("status") or {}
    findings = [
        Finding(f"{want}: {kind} is False{_after(_said(conditions[kind]))}", "change hosted.spec", _GRACE)
        for kind in _HOPELESS_CLUSTER
        if _is(conditions, kind, "False") and _is_current(cluster, conditions[kind])
    ]
    notes = [f"{kind}{_after(_said(conditions[kind]))}" for kind in _TELLING_CLUSTER if _is(conditions, kind, "False")]
    if _is(conditions, "Degraded", "True"):
        notes.insert(0, f"Degraded{_after(_said(conditions['Degraded']))}")
    if not _is(conditions, "Available", "True") or not status.get("kubeconfig"):
        said = _said(conditions.get("Available", {})) or "its controller has not answered yet"
        return Assessment(False, "; ".join([f"control plane is not available: {said}", *notes]), tuple(findings))
    waiting = []
    for pool in hosted.node_pools:
        found = seen.node_pools.get(pool.name)
        findings += _node_pool_findings(want, pool.name, found or {})
        if not found or not _node_pool_ready(found):
            waiting.append(_node_pool_progress(pool.name, found or {}))
    if waiting or findings:
        return Assessment(False, "; ".join(["control plane is available", *waiting]), tuple(findings))
    return Assessment(True, "control plane and nodes are ready", warnings=tuple(f"{want} is {each}" for each in notes))


def _node_pool_findings(want: Want, name: str, pool: JSON) -> list[Finding]:
    conditions = _conditions(pool)
    return [
        Finding(
            f"NodePool {want.namespace}/{name}: {kind} is False{_after(_said(conditions[kind]))}",
            "change its spec (hosted.node_pools)",
            _GRACE,
        )
        for kind in _HOPELESS_POOL
        if _is(conditions, kind, "False") and _is_current(pool, conditions[kind])
    ]


def _node_pool_ready(pool: JSON) -> bool:
    """By its condition; a pool that is to have no nodes is ready in any case."""
    if (pool.get("spec") or {}).get("replicas") == 0 and not (pool.get("status") or {}).get("replicas"):
        return True
    ready = _conditions(pool).get("Ready", {})
    if ready.get("status") != "True" or not _is_current(pool, ready):
        return False
    asked = (pool.get("spec") or {}).get("replicas")
    return asked is None or int((pool.get("status") or {}).get("replicas") or 0) == int(asked)


def _node_pool_progress(name: str, pool: JSON) -> str:
    conditions = _conditions(pool)
    has, asked = (pool.get("status") or {}).get("replicas") or 0, (pool.get("spec") or {}).get("replicas")
    of = "" if asked is None else f" of {asked}"
    why = [f"{kind}{_after(_said(conditions[kind]))}" for kind in _TELLING_POOL if _is(conditions, kind, "False")]
    return "; ".join([f"node pool {name}: {has}{of} nodes", *why])


def assess_removal(want: Want, left: t.Iterable[JSON], deployment: JSON | None) -> Assessment:
    """How far the removal is: what of it is C(left), and the cluster that a claim had."""
    names = [f"{item['kind']} {item['metadata']['name']}" for item in left]
    conditions = _conditions(deployment or {})
    said = conditions.get("Provisioned", {})
    findings: tuple[Finding, ...] = ()
    if said.get("reason") == "DeprovisionFailed" or _is(conditions, "DeprovisionLaunchError", "True"):
        why = conditions.get("DeprovisionLaunchError") or said
        findings = (Finding(f"its cluster cannot be removed{_after(_said(why))}", "have the hub's admins see to it"),)
    text = f"waiting for {', '.join(names)} to be gone" if names else f"{want} is gone"
    return Assessment(not names, text + (f" ({said['reason']})" if said.get("reason") and names else ""), findings)


# --- conditions -------------------------------------------------------------------------------------------------------


def _conditions(item: JSON) -> dict[str, JSON]:
    return {each["type"]: each for each in (item.get("status") or {}).get("conditions") or []}


def _is(conditions: t.Mapping[str, JSON], kind: str, status: str) -> bool:
    return conditions.get(kind, {}).get("status") == status


def _is_current(item: JSON, condition: JSON) -> bool:
    """Whether it was said of what is asked for now; where nothing tells, it was."""
    generation = item["metadata"].get("generation") or 0
    return int(condition.get("observedGeneration") or generation) >= int(generation)


def _said(condition: JSON) -> str:
    """A condition's message, or else its reason, in one line."""
    text = condition.get("message") or condition.get("reason") or ""
    return " ".join(str(text).split()).rstrip(".")[:300]


def _after(text: str) -> str:
    return f": {text}" if text else ""


# --- what it is -------------------------------------------------------------------------------------------------------


def kubeconfig_secret(want: Want, seen: Observed) -> tuple[str, str] | None:
    """Namespace and name of the Secret with the admin's kubeconfig, once it is known."""
    if isinstance(want.source, Claim):
        spec = (seen.deployment or {}).get("spec") or {}
        name = ((spec.get("clusterMetadata") or {}).get("adminKubeconfigSecretRef") or {}).get("name")
        return (str((seen.deployment or {})["metadata"]["namespace"]), str(name)) if name else None
    name = (((seen.cluster or {}).get("status") or {}).get("kubeconfig") or {}).get("name")
    return (want.namespace, str(name)) if name else None


def described(want: Want, seen: Observed) -> JSON:
    """What the hub says about the cluster; empty where it does not say."""
    if isinstance(want.source, Claim):
        deployment = seen.deployment or {}
        status, labels = deployment.get("status") or {}, (deployment.get("metadata") or {}).get("labels") or {}
        version = labels.get("hive.openshift.io/version-major-minor-patch") or status.get("installVersion") or ""
        return {
            "name": (deployment.get("spec") or {}).get("clusterName") or "",
            "namespace": (deployment.get("metadata") or {}).get("namespace") or "",
            "server": status.get("apiURL") or "",
            "console": status.get("webConsoleURL") or "",
            "openshift_version": version,
        }
    status = (seen.cluster or {}).get("status") or {}
    endpoint = status.get("controlPlaneEndpoint") or {}
    history = (status.get("version") or {}).get("history") or []
    return {
        "name": want.name,
        "namespace": want.namespace,
        "server": f"https://{endpoint['host']}:{endpoint.get('port', 443)}" if endpoint.get("host") else "",
        "console": "",
        "openshift_version": next(
            (each.get("version", "") for each in history if each.get("state") == "Completed"), ""
        ),
    }
