# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Is a deployment ready, and if not, will it ever be?  Pure: an observation in, an assessment out."""

from __future__ import annotations

import dataclasses
import math
import re
import typing as t

from ansible_collections.daskops.kubernetes.plugins.module_utils import _route

if t.TYPE_CHECKING:
    from ansible_collections.daskops.kubernetes.plugins.module_utils._scheduler import Status

JSON = dict[str, t.Any]

# Said by roles/dask/files/daskops_runtime/worker.py.
UNREACHABLE = "daskops: the scheduler cannot be reached"

# Beyond this a cloud's volume is not late but stuck; seen to take up to half a minute.
_VOLUME_GRACE = 90.0
# What an old pod still holds (quota, CPUs, a volume) comes free when it has ended.
_TERMINATION_GRACE = 60.0
# What a worker needs to notice a scheduler that has become ready: the Service's endpoints, and its next attempt.
_CONNECT_GRACE = 8.0
# A router says at once what it thinks of a Route, and may think better of it when another one has gone.
_REFUSED_ROUTE_GRACE = 5.0
# A router that starts lists all Routes first.
_UNSEEN_ROUTE_GRACE = 30.0
# A connection to the scheduler that breaks is made again; one that cannot be made stays so.
_PORT_FORWARD_GRACE = 15.0
# A node that is being added: cluster autoscalers give up after 15 minutes by default.
_SCALE_UP_GRACE = 900.0
# By what the cluster autoscaler and Karpenter say that one is.
_SCALE_UP_EVENTS = ("TriggeredScaleUp", "Nominated")
# Why a pod has failed for its node's sake; those that a node does not admit have other reasons, and come again.
_DISRUPTIONS = ("Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated")


@dataclasses.dataclass(frozen=True)
class Want:
    """What is waited for.

    ``groups``: number of workers by group; None takes the replicas of the groups' Deployments.  ``workers``: a total
    instead.  ``fraction``: this part of each suffices.
    """

    groups: dict[str, int] | None = None
    workers: int | None = None
    fraction: float = 1.0
    allow_version_mismatch: bool = False
    unschedulable_grace: float = 5.0


@dataclasses.dataclass(frozen=True)
class Observation:
    """What was seen at one time; lists are of objects as the API server gives them.

    ``unanswered``: why a scheduler whose pod is ready has given no status.
    """

    status: Status | None = None
    deployments: tuple[JSON, ...] = ()
    replica_sets: tuple[JSON, ...] = ()
    pods: tuple[JSON, ...] = ()
    claims: tuple[JSON, ...] = ()
    routes: tuple[JSON, ...] = ()
    events: tuple[JSON, ...] = ()
    logs: t.Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    unanswered: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that keeps the deployment from being ready, and that will not heal if it lasts ``grace`` seconds."""

    subject: str
    cause: str
    remedy: str
    grace: float
    log_of: str = ""


@dataclasses.dataclass(frozen=True)
class Assessment:
    """Ready or not, how far, and what is in the way."""

    ready: bool
    registered: dict[str, int]
    wanted: dict[str, int]
    progress: str
    findings: tuple[Finding, ...]


def assess(want: Want, seen: Observation) -> Assessment:
    """What C(seen) means for what is wanted."""
    wanted = _wanted(want, seen)
    registered = {group: len(names) for group, names in _registered(seen).items()}
    if want.workers is not None:
        enough = sum(registered.values()) >= math.ceil(want.workers * want.fraction)
        wanted_total = want.workers
    else:
        enough = all(registered.get(group, 0) >= math.ceil(count * want.fraction) for group, count in wanted.items())
        wanted_total = sum(wanted.values())
    rolled_out = all(_rolled_out(deployment, want.fraction) for deployment in seen.deployments)
    admitted = all(_route.admission(route).admitted for route in seen.routes)
    findings = tuple(_findings(want, seen))
    mismatched = any(finding.subject == "versions" for finding in findings)
    ready = seen.status is not None and enough and rolled_out and admitted and not mismatched
    total = sum(registered.values())
    progress = f"{total} of {wanted_total} workers are registered{_pods_in_words(seen)}{_routes_in_words(seen)}"
    return Assessment(ready, registered, wanted, progress, findings)


def suspects(seen: Observation) -> list[tuple[str, bool]]:
    """Pods whose log would help, and whether it is the log of the container before this one."""
    names = {name for members in _registered(seen).values() for name in members}
    result = []
    for pod in _current(seen):
        for container in _containers(pod):
            waiting = container.get("state", {}).get("waiting", {}).get("reason")
            if waiting == "CrashLoopBackOff":
                result.append((_name(pod), True))
            elif "running" in container.get("state", {}) and _component(pod) == "worker" and _name(pod) not in names:
                result.append((_name(pod), False))
    return result[:5]


def crashing(pod: JSON) -> str:
    """The name of a container that ends again and again, or nothing."""
    for container in _containers(pod):
        if container.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff":
            return str(container["name"])
    return ""


def slow_pulls(events: t.Iterable[JSON]) -> list[str]:
    """In words, what images took more than a few seconds to pull; by the kubelet's own figures."""
    slowest: dict[str, float] = {}
    for event in events:
        match = re.search(r'Successfully pulled image "([^"]+)" in ([\dms.µ]+?)s ', str(event.get("message")) + " ")
        if event.get("reason") == "Pulled" and match:
            seconds = _seconds(match[2] + "s")
            if seconds > 3:
                slowest[match[1]] = max(seconds, slowest.get(match[1], 0))
    return [f"pulling {image} took up to {seconds:.0f} s on a node" for image, seconds in slowest.items()]


def _seconds(text: str) -> float:
    """Go's notation of a duration, such as C(1m2.5s) or C(850ms)."""
    scale = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "µs": 1e-6}
    return sum(float(number) * scale[unit] for number, unit in re.findall(r"([\d.]+)(ms|µs|h|m|s)", text))


def _wanted(want: Want, seen: Observation) -> dict[str, int]:
    if want.groups is not None:
        return want.groups
    return {
        deployment["metadata"]["labels"]["daskops.io/group"]: deployment["spec"]["replicas"]
        for deployment in seen.deployments
        if "daskops.io/group" in deployment["metadata"]["labels"]
    }


def _registered(seen: Observation) -> dict[str, list[str]]:
    """Registered workers by group; of groups that have pods, those whose pod is of the present rollout."""
    if seen.status is None:
        return {}
    staying = {_name(pod) for pod in _current(seen)}
    grouped = {pod["metadata"]["labels"].get("daskops.io/group") for pod in seen.pods}
    return {
        group: [name for name in names if group not in grouped or name in staying]
        for group, names in seen.status.groups.items()
    }


def _current(seen: Observation) -> list[JSON]:
    """Pods of the present rollout that stay: what is wrong with older ones goes with them."""
    revision = "deployment.kubernetes.io/revision"
    present = {(_name(d), (d["metadata"].get("annotations") or {}).get(revision)) for d in seen.deployments}
    replica_sets = {
        replica_set["metadata"]["uid"]
        for replica_set in seen.replica_sets
        if (_owner(replica_set, "name"), (replica_set["metadata"].get("annotations") or {}).get(revision)) in present
    }
    return [
        pod
        for pod in seen.pods
        if "deletionTimestamp" not in pod["metadata"] and not _disrupted(pod) and _owner(pod, "uid") in replica_sets
    ]


def _disrupted(pod: JSON) -> bool:
    """Whether it was evicted or preempted, or its node went: it stays for a while, beside the pod that replaces it."""
    status = pod.get("status", {})
    if status.get("phase") != "Failed":
        return False
    return status.get("reason") in _DISRUPTIONS or _condition(pod, "DisruptionTarget")


def _owner(item: JSON, key: str) -> str:
    owners = item["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get(key, ""))


def _rolled_out(deployment: JSON, fraction: float) -> bool:
    status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return False
    if _component(deployment) == "worker":
        # A worker's readiness is its registration, which is counted elsewhere.
        updated, present = status.get("updatedReplicas", 0), status.get("replicas", 0)
        return bool(updated >= math.ceil(replicas * fraction) and (present == updated or fraction < 1))
    ready = status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == status.get("replicas", 0)
    return bool(ready and status.get("replicas", 0) == replicas)


def _findings(want: Want, seen: Observation) -> t.Iterator[Finding]:
    ending = any("deletionTimestamp" in pod["metadata"] for pod in seen.pods)
    for deployment in seen.deployments:
        yield from _of_deployment(deployment, ending)
    stuck_claims = [finding for claim in seen.claims for finding in _of_claim(claim, seen.events)]
    yield from stuck_claims
    for route in seen.routes:
        yield from _of_route(route)
    names = {name for members in _registered(seen).values() for name in members}
    scheduler = next((pod for pod in _current(seen) if _component(pod) == "scheduler"), {})
    scheduler_ready = _condition(scheduler, "Ready")
    if seen.unanswered and scheduler_ready:
        yield _of_port_forward(scheduler, seen.unanswered)
    for pod in _current(seen):
        if not pod["spec"].get("nodeName"):
            if not (stuck_claims and _component(pod) == "notebook"):
                yield from _of_unscheduled(pod, seen.events, want.unschedulable_grace, ending)
            continue
        # What a pod has been through is past if it serves, or did until the scheduler went.
        serves = _condition(pod, "Ready") or _name(pod) in names
        if not serves and not (_component(pod) == "worker" and _older(pod, scheduler)):
            yield from _of_containers(pod, seen.logs)
        yield from _of_mounts(pod, seen.events)
        if _component(pod) == "worker" and _name(pod) not in names and scheduler_ready and seen.status:
            yield from _of_unregistered(pod, seen.logs.get(_name(pod), []))
    if seen.status and seen.status.mismatches and not want.allow_version_mismatch:
        yield _of_versions(seen.status)


def _of_deployment(deployment: JSON, ending: bool) -> t.Iterator[Finding]:
    name = f"Deployment {_name(deployment)}"
    for condition in deployment.get("status", {}).get("conditions") or []:
        if condition["type"] != "ReplicaFailure" or condition["status"] != "True":
            continue
        message = _one_line(condition.get("message", ""))
        grace = _TERMINATION_GRACE if ending else 2.0
        # «pods "x" is forbidden: exceeded quota: q, requested: …» : the object's name tells nothing.
        message = re.sub(r'^pods "[^"]+" is forbidden: ', "", message)
        if "exceeded quota" in message:
            yield Finding(name, f"its pods are refused: {message}", "raise the quota or ask for less", grace)
        elif "violates PodSecurity" in message:
            remedy = "the namespace is stricter than the pods: check the label pod-security.kubernetes.io/enforce"
            yield Finding(name, f"its pods are refused: {message}", remedy, grace)
        else:
            yield Finding(name, f"its pods are refused: {message}", "remove what refuses them", grace)


def _of_claim(claim: JSON, events: t.Iterable[JSON]) -> t.Iterator[Finding]:
    if claim.get("status", {}).get("phase") == "Bound":
        return
    subject = f"PersistentVolumeClaim {_name(claim)}"
    remedy = "set dask_notebook_storage_class to a class that exists and can provision it"
    for event in _events_of(claim, events):
        if event["reason"] in ("ProvisioningFailed", "FailedBinding"):
            yield Finding(subject, f"it is not bound: {_one_line(event['message'])}", remedy, 3.0)
            return
    cause = f"it is not bound; its storage class is {claim['spec'].get('storageClassName') or 'not set'}"
    for event in _events_of(claim, events):
        if event["reason"] != "WaitForFirstConsumer":
            yield Finding(
                subject, f"{cause}, and the last event says: {_one_line(event['message'])}", remedy, _VOLUME_GRACE
            )
            return


def _of_route(route: JSON) -> t.Iterator[Finding]:
    found = _route.admission(route)
    if not found.admitted:
        grace = _REFUSED_ROUTE_GRACE if found.router else _UNSEEN_ROUTE_GRACE
        yield Finding(f"Route {_name(route)}", found.cause, found.remedy, grace)


def _of_unscheduled(pod: JSON, events: t.Iterable[JSON], grace: float, ending: bool) -> t.Iterator[Finding]:
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] != "PodScheduled" or condition.get("reason") != "Unschedulable":
            continue
        # What follows is about which pods could be evicted or claims freed for it, and that it is none.
        message = re.split(r" (?:no new claims|preemption:)", _one_line(condition.get("message", "")))[0]
        remedies = []
        if "Insufficient" in message:
            remedies.append("add nodes or ask for less")
        if "taint" in message:
            remedies.append("give the group a toleration for the taint")
        if "selector" in message or "affinity" in message:
            remedies.append("set a node_selector that some node has")
        if "PersistentVolumeClaim" in message:
            remedies.append("see why the volume claim is not bound")
        if any(event["reason"] in _SCALE_UP_EVENTS for event in _events_of(pod, events)):
            grace = max(grace, _SCALE_UP_GRACE)
        elif ending:
            grace = max(grace, _TERMINATION_GRACE)
        remedy = ", or ".join(remedies) or "make room for it"
        remedy += "; if nodes come by themselves, raise dask_unschedulable_grace"
        yield Finding(_pod(pod), f"no node takes it: {message}", remedy, grace)


def _of_containers(pod: JSON, logs: t.Mapping[str, list[str]]) -> t.Iterator[Finding]:
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting", {})
        reason, message = waiting.get("reason", ""), _one_line(waiting.get("message", ""))
        last = container.get("lastState", {}).get("terminated", {})
        ended = container.get("state", {}).get("terminated", {})
        if "OOMKilled" in (last.get("reason"), ended.get("reason")):
            spec: JSON = next((c for c in pod["spec"]["containers"] if c["name"] == container["name"]), {})
            limit = spec.get("resources", {}).get("limits", {}).get("memory", "none")
            yield Finding(
                _pod(pod),
                f"it was killed for using more memory than its limit of {limit}",
                "give it more memory",
                0.0,
            )
        elif reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"):
            # The back-off's message only says that it backs off; containerd's names the reference and the answer.
            detail = message if reason != "ImagePullBackOff" or "rror" in message else f"back-off: {message}"
            yield Finding(
                f"image {container['image']}",
                f"{_pod(pod)} cannot pull it: {detail}",
                "check its name and tag, that the nodes reach the registry, and the pull secret",
                3.0,
            )
        elif reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            hint = "use an image whose USER is a number other than 0" if "non-root" in message else "correct it"
            yield Finding(_pod(pod), f"its container cannot be made: {message}", hint, 3.0)
        elif reason == "CrashLoopBackOff":
            tail = _tail(logs.get(_name(pod), []))
            yield Finding(
                _pod(pod),
                f"it ends again and again (exit code {last.get('exitCode')}, {container['restartCount']} restarts)"
                + (f"; its log ends: {tail}" if tail else ""),
                "mend what the log says",
                0.0,
                log_of=_name(pod),
            )
    if pod.get("status", {}).get("phase") == "Failed":
        status = pod["status"]
        yield Finding(
            _pod(pod),
            f"it failed: {status.get('reason')}: {_one_line(status.get('message', ''))}",
            "see its events",
            3.0,
        )


def _of_mounts(pod: JSON, events: t.Iterable[JSON]) -> t.Iterator[Finding]:
    if _condition(pod, "Ready") or any("running" in c.get("state", {}) for c in _containers(pod)):
        return
    for event in _events_of(pod, events):
        if event["reason"] in ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"):
            # What is not there stays away; all else (a slow kubelet, a volume still attached elsewhere) may heal.
            grace = 8.0 if "not found" in event["message"] else _VOLUME_GRACE
            yield Finding(_pod(pod), f"{event['reason']}: {_one_line(event['message'])}", "make what it names", grace)
            return


def _of_unregistered(pod: JSON, log: list[str]) -> t.Iterator[Finding]:
    if log and UNREACHABLE in log[-1]:
        yield Finding(
            _pod(pod),
            f"it runs, but {log[-1].partition('daskops: ')[2].strip()}",
            "check NetworkPolicies between workers and scheduler, DASK_SCHEDULER_ADDRESS and the cluster's DNS",
            _CONNECT_GRACE,
        )
        return
    for line in reversed(log):
        if "killed by signal 9" in line or "exceeded 95% memory budget" in line:
            yield Finding(
                _pod(pod),
                f"its worker was killed for want of memory: {line.strip()}",
                "give the group more memory",
                1.0,
            )
            return


def _of_port_forward(scheduler: JSON, why: str) -> Finding:
    return Finding(
        _pod(scheduler),
        f"it is ready but cannot be asked: {why}",
        "let web sockets through to pods/portforward, or grant the right to it",
        _PORT_FORWARD_GRACE,
    )


def _of_versions(status: Status) -> Finding:
    worker, found = next(iter(status.mismatches.items()))
    differences = ", ".join(
        f"{package} {version} where the scheduler has {status.versions[package]}" for package, version in found.items()
    )
    return Finding(
        "versions",
        f"worker {worker} has {differences} ({len(status.mismatches)} workers differ)",
        "use the same image, or images of the same versions, for all groups",
        0.0,
    )


def _pods_in_words(seen: Observation) -> str:
    states: dict[str, int] = {}
    names = {name for members in _registered(seen).values() for name in members}
    for pod in seen.pods:
        if _name(pod) in names or (_component(pod) != "worker" and _condition(pod, "Ready")):
            continue
        what = _state(pod)
        states[what] = states.get(what, 0) + 1
    return "".join(f"; {count} {'pod' if count == 1 else 'pods'} {what}" for what, count in states.items())


def _routes_in_words(seen: Observation) -> str:
    waiting = [_name(route) for route in seen.routes if not _route.admission(route).admitted]
    return f"; Route {', '.join(waiting)} waits for a router" if waiting else ""


def _state(pod: JSON) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "ending"
    if pod.get("status", {}).get("phase") == "Failed":
        return f"failed ({pod['status'].get('reason') or 'for no given reason'})"
    if not pod["spec"].get("nodeName"):
        return "without a node"
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting", {}).get("reason")
        if waiting == "ContainerCreating":
            return "pulling or mounting"
        if waiting:
            return f"in {waiting}"
        if "running" in container.get("state", {}):
            return "starting"
    return "pending"


def _events_of(item: JSON, events: t.Iterable[JSON]) -> list[JSON]:
    """An object's events, newest first."""
    uid = item["metadata"]["uid"]
    mine = [event for event in events if event.get("involvedObject", {}).get("uid") == uid]
    return sorted(mine, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", reverse=True)


def _containers(pod: JSON) -> list[JSON]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _condition(pod: JSON, kind: str) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def _older(pod: JSON, other: JSON) -> bool:
    """Whether a pod's containers all run, and have since before the other's did."""
    mine, others = _running_since(pod), _running_since(other)
    return bool(mine) and (not others or mine < others)


def _running_since(pod: JSON) -> str:
    starts = [
        c.get("state", {}).get("running", {}).get("startedAt", "")
        for c in pod.get("status", {}).get("containerStatuses") or []
    ]
    return max(starts) if all(starts) and starts else ""


def _component(item: JSON) -> str:
    return str((item["metadata"].get("labels") or {}).get("app.kubernetes.io/component", ""))


def _name(item: JSON) -> str:
    return str(item["metadata"]["name"])


def _pod(pod: JSON) -> str:
    return f"pod {_name(pod)}"


def _tail(log: list[str]) -> str:
    lines = [line.strip() for line in log if line.strip()]
    return " | ".join(lines[-3:])[-500:]


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]
