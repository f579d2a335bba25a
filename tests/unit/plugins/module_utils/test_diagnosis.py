# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Assessments of a deployment recorded from a kind cluster, and of what could have gone wrong with it.

The sentences of Kubernetes are those of version 1.34, as the scenario molecule/diagnosis meets them.
"""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _diagnosis
from ansible_collections.daskops.kubernetes.plugins.module_utils._diagnosis import Observation, Want
from ansible_collections.daskops.kubernetes.plugins.module_utils._scheduler import Status

JSON = dict[str, t.Any]
RECORDED: dict[str, list[JSON]] = json.loads((Path(__file__).parents[2] / "fixtures" / "deployed.json").read_text())


def name(item: JSON) -> str:
    return str(item["metadata"]["name"])


def status(*workers: str, **changes: t.Any) -> Status:
    present = Status(
        id="Scheduler-1",
        groups={"default": list(workers)},
        threads=3,
        memory_limit=0,
        versions={"dask": "2026.8.0"},
        mismatches={},
        tasks={},
        memory=0,
        clients=0,
    )
    return replace(present, **changes)


@pytest.fixture
def seen() -> Observation:
    """The recorded deployment: a scheduler, a notebook and three workers, all registered."""
    recorded = copy.deepcopy(RECORDED)
    workers = [name(pod) for pod in recorded["pods"] if "-worker-" in name(pod)]
    assert len(workers) == 3
    return Observation(
        status=status(*workers),
        deployments=tuple(recorded["deployments"]),
        replica_sets=tuple(recorded["replicasets"]),
        pods=tuple(recorded["pods"]),
    )


def worker(seen: Observation) -> JSON:
    return next(pod for pod in seen.pods if "-worker-" in name(pod))


def unready(pod: JSON) -> None:
    next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")["status"] = "False"


def unregistered(seen: Observation, pod: JSON) -> Observation:
    assert seen.status is not None
    return replace(seen, status=status(*(n for n in seen.status.groups["default"] if n != name(pod))))


def deployment(seen: Observation, component: str) -> JSON:
    return next(d for d in seen.deployments if d["metadata"]["labels"]["app.kubernetes.io/component"] == component)


def only(seen: Observation, want: Want | None = None) -> _diagnosis.Finding:
    findings = _diagnosis.assess(want or Want(), seen).findings
    assert len(findings) == 1, findings
    return findings[0]


def test_what_was_recorded_is_ready(seen: Observation) -> None:
    assessment = _diagnosis.assess(Want(), seen)
    assert assessment.ready
    assert assessment.registered == assessment.wanted == {"default": 3}
    assert assessment.findings == ()
    assert assessment.progress == "3 of 3 workers are registered"


def test_a_missing_worker_keeps_it_waiting(seen: Observation) -> None:
    assessment = _diagnosis.assess(Want(), unregistered(seen, worker(seen)))
    assert not assessment.ready
    assert assessment.progress == "2 of 3 workers are registered; 1 pod starting"


@pytest.mark.parametrize(
    ("want", "ready"),
    [
        (Want(fraction=0.66), True),
        (Want(fraction=0.67), False),
        (Want(groups={"default": 2}), True),
        (Want(groups={"default": 2, "gpu": 1}), False),
        (Want(workers=2), True),
        (Want(workers=3), False),
        (Want(workers=4, fraction=0.5), True),
    ],
)
def test_how_many_are_enough(seen: Observation, want: Want, ready: bool) -> None:
    assert _diagnosis.assess(want, unregistered(seen, worker(seen))).ready is ready


def test_without_the_schedulers_answer_nothing_is_ready(seen: Observation) -> None:
    assert not _diagnosis.assess(Want(groups={}), replace(seen, status=None)).ready


@pytest.mark.parametrize("component", ["scheduler", "notebook", "worker"])
def test_a_rollout_that_goes_on_is_not_ready(seen: Observation, component: str) -> None:
    deployment(seen, component)["metadata"]["generation"] += 1
    assert not _diagnosis.assess(Want(), seen).ready


@pytest.mark.parametrize("component", ["scheduler", "notebook"])
def test_scheduler_and_notebook_have_to_be_available(seen: Observation, component: str) -> None:
    deployment(seen, component)["status"]["availableReplicas"] = 0
    assert not _diagnosis.assess(Want(), seen).ready


def test_a_worker_of_the_rollout_before_does_not_count(seen: Observation) -> None:
    present = worker(seen)["metadata"]["ownerReferences"][0]["uid"]
    old = next(
        r
        for r in seen.replica_sets
        if r["metadata"]["ownerReferences"][0]["name"] == "dask-worker-default" and r["metadata"]["uid"] != present
    )
    worker(seen)["metadata"]["ownerReferences"][0]["uid"] = old["metadata"]["uid"]
    assert _diagnosis.assess(Want(), seen).registered == {"default": 2}


def test_what_is_wrong_with_a_pod_that_goes_is_nothing(seen: Observation) -> None:
    pod = worker(seen)
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert _diagnosis.assess(Want(), seen).findings == ()


OOM_KILLED = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


def waiting(reason: str, message: str = "") -> JSON:
    return {"waiting": {"reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("state", "cause", "remedy"),
    [
        (
            waiting("ErrImagePull", "failed to resolve reference: not found"),
            "cannot pull it: failed to",
            "name and tag",
        ),
        (waiting("ImagePullBackOff", 'Back-off pulling image "x"'), "cannot pull it: back-off", "pull secret"),
        (waiting("InvalidImageName", "invalid reference format"), "cannot pull it: invalid reference", "name and tag"),
        (
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root non-root"),
            "its container cannot be made",
            "USER is a number",
        ),
    ],
)
def test_containers_that_cannot_start(seen: Observation, state: JSON, cause: str, remedy: str) -> None:
    pod = worker(seen)
    pod["status"]["containerStatuses"][0]["state"] = state
    unready(pod)
    finding = only(unregistered(seen, pod))
    assert cause in finding.cause
    assert remedy in finding.remedy


def test_a_crash_loop_shows_the_end_of_the_log(seen: Observation) -> None:
    pod = worker(seen)
    container = pod["status"]["containerStatuses"][0]
    container.update(state=waiting("CrashLoopBackOff"), lastState={"terminated": {"exitCode": 2}}, restartCount=3)
    unready(pod)
    seen = unregistered(seen, pod)
    assert _diagnosis.suspects(seen) == [(name(pod), True)]
    finding = only(replace(seen, logs={name(pod): ["Usage: dask worker", "", "Error: No such option: --x", ""]}))
    assert finding.subject == f"pod {name(pod)}"
    assert "exit code 2, 3 restarts); its log ends: Usage: dask worker | Error: No such option: --x" in finding.cause
    assert finding.grace == 0


@pytest.mark.parametrize(
    "states",
    [{"state": OOM_KILLED}, {"state": {"running": {"startedAt": "2026-11-24T21:04:30Z"}}, "lastState": OOM_KILLED}],
)
def test_an_oom_kill_names_the_limit(seen: Observation, states: JSON) -> None:
    pod = worker(seen)
    pod["status"]["containerStatuses"][0].update(states)
    unready(pod)
    finding = only(unregistered(seen, pod))
    assert finding.cause == "it was killed for using more memory than its limit of 2Gi"
    assert finding.grace == 0


def test_an_oom_loop_is_one_while_kubernetes_backs_off(seen: Observation) -> None:
    pod = worker(seen)
    pod["status"]["containerStatuses"][0].update(state=waiting("CrashLoopBackOff"), lastState=OOM_KILLED)
    unready(pod)
    assert "more memory than its limit of 2Gi" in only(unregistered(seen, pod)).cause


def test_an_oom_kill_of_a_pod_that_is_ready_again_is_past(seen: Observation) -> None:
    for pod in seen.pods:
        pod["status"]["containerStatuses"][0]["lastState"] = OOM_KILLED
    # Another one is still missing.
    assert _diagnosis.assess(Want(groups={"default": 4}), seen).findings == ()
    assert _diagnosis.assess(Want(), unregistered(seen, worker(seen))).findings == ()
    # Registered before its probe has noticed it.
    unready(worker(seen))
    assert _diagnosis.assess(Want(groups={"default": 4}), seen).findings == ()


def test_an_oom_kill_from_before_the_schedulers_restart_is_past(seen: Observation) -> None:
    pod = worker(seen)
    pod["status"]["containerStatuses"][0].update(
        state={"running": {"startedAt": "2026-11-20T12:00:00Z"}}, lastState=OOM_KILLED
    )
    unready(pod)
    scheduler = next(pod for pod in seen.pods if "-scheduler-" in name(pod))["status"]["containerStatuses"][0]
    for state in (waiting("ContainerCreating"), {"running": {"startedAt": "2026-11-24T12:00:00Z"}}):
        scheduler["state"] = state
        assert _diagnosis.assess(Want(), unregistered(seen, pod)).findings == ()
    scheduler["state"] = {"running": {"startedAt": "2026-11-20T11:59:58Z"}}
    assert "more memory than its limit" in only(unregistered(seen, pod)).cause


def failed(seen: Observation, reason: str) -> Observation:
    """With another pod of a worker, that has failed, beside the one that replaces it."""
    pod = copy.deepcopy(worker(seen))
    pod["metadata"].update(name=f"{name(pod)}-failed", uid="failed")
    pod["status"] = {"phase": "Failed", "reason": reason, "message": "The reason's sentence."}
    return replace(seen, pods=(*seen.pods, pod))


@pytest.mark.parametrize("reason", ["Evicted", "Preempting", "Terminated", "NodeShutdown", "NodeLost", "Shutdown"])
def test_a_failed_pod_that_is_replaced_is_no_finding(seen: Observation, reason: str) -> None:
    assessment = _diagnosis.assess(Want(groups={"default": 4}), failed(seen, reason))
    assert assessment.findings == ()
    assert assessment.progress == f"3 of 4 workers are registered; 1 pod failed ({reason})"


def test_a_failed_pod_whose_disruption_has_no_reason_is_none_either(seen: Observation) -> None:
    seen = failed(seen, "")
    seen.pods[-1]["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}
    ]
    assert _diagnosis.assess(Want(groups={"default": 4}), seen).findings == ()


@pytest.mark.parametrize("reason", ["OutOfcpu", "UnexpectedAdmissionError", "NodeAffinity", "NodeSelectorMismatching"])
def test_a_pod_that_a_node_does_not_admit_is_a_finding(seen: Observation, reason: str) -> None:
    finding = only(failed(seen, reason), Want(groups={"default": 4}))
    assert finding.cause == f"it failed: {reason}: The reason's sentence."
    assert finding.grace == 3


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            "daskops: the scheduler cannot be reached at tls://s:8786 for 3 s: timed out",
            "reached at tls://s:8786 for 3 s",
        ),
        ("distributed.nanny - INFO - Worker process 17 was killed by signal 9", "killed for want of memory"),
    ],
)
def test_what_the_log_of_an_unregistered_worker_says(seen: Observation, line: str, cause: str) -> None:
    pod = worker(seen)
    seen = unregistered(seen, pod)
    assert _diagnosis.suspects(seen) == [(name(pod), False)]
    assert cause in only(replace(seen, logs={name(pod): ["before", line]})).cause


def test_a_worker_that_has_found_the_scheduler_since_is_no_finding(seen: Observation) -> None:
    pod = worker(seen)
    log = ["daskops: the scheduler cannot be reached at tls://s:8786 for 3 s: timed out", "Start Nanny at: tls://…"]
    assert _diagnosis.assess(Want(), replace(unregistered(seen, pod), logs={name(pod): log})).findings == ()


def test_a_scheduler_that_is_ready_and_cannot_be_asked_is_a_finding(seen: Observation) -> None:
    # Who is registered is not known then, and a worker that was killed once may be.
    logs = {name(worker(seen)): ["distributed.nanny - INFO - Worker process 17 was killed by signal 9"]}
    finding = only(replace(seen, status=None, unanswered="Cluster c: forwarding port 8787 failed: 403.", logs=logs))
    assert finding.subject.startswith("pod dask-scheduler-")
    assert finding.cause == "it is ready but cannot be asked: Cluster c: forwarding port 8787 failed: 403."
    assert "pods/portforward" in finding.remedy
    assert finding.grace == 15


def unscheduled(seen: Observation, message: str) -> Observation:
    pod = worker(seen)
    del pod["spec"]["nodeName"]
    pod["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    }
    return unregistered(seen, pod)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 …", "add nodes or ask for less"),
        ("0/3 nodes are available: 3 node(s) had untolerated taint(s) {a: b}.", "give the group a toleration"),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "set a node_selector"),
    ],
)
def test_a_pod_without_a_node(seen: Observation, message: str, remedy: str) -> None:
    finding = only(unscheduled(seen, message))
    assert remedy in finding.remedy
    assert finding.remedy.endswith("; if nodes come by themselves, raise dask_unschedulable_grace")
    assert "preemption" not in finding.cause
    assert finding.grace == 5


def test_an_autoscaler_that_adds_a_node_is_given_time(seen: Observation) -> None:
    seen = unscheduled(seen, "0/3 nodes are available: 3 Insufficient cpu.")
    event = {"reason": "TriggeredScaleUp", "involvedObject": {"uid": worker(seen)["metadata"]["uid"]}, "message": ""}
    assert only(replace(seen, events=(event,))).grace == 900


def test_so_is_karpenter(seen: Observation) -> None:
    seen = unscheduled(seen, "0/3 nodes are available: 3 Insufficient cpu.")
    event = {
        "reason": "Nominated",
        "message": "Pod should schedule on: nodeclaim/default-x2x7p",
        "source": {"component": "karpenter"},
        "involvedObject": {"uid": worker(seen)["metadata"]["uid"]},
    }
    assert only(replace(seen, events=(event,))).grace == 900


def test_pods_that_end_are_given_time_to_make_room(seen: Observation) -> None:
    seen = unscheduled(seen, "0/3 nodes are available: 3 Insufficient cpu.")
    seen.pods[0]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert all(f.grace == 60 for f in _diagnosis.assess(Want(), seen).findings if "no node takes it" in f.cause)


@pytest.mark.parametrize(
    ("message", "cause", "remedy"),
    [
        (
            'pods "dask-worker-default-1-" is forbidden: exceeded quota: small, requested: limits.cpu=2, used: …',
            "its pods are refused: exceeded quota: small, requested: limits.cpu=2",
            "raise the quota",
        ),
        (
            'pods "a" is forbidden: violates PodSecurity "restricted:latest": seccompProfile …',
            "its pods are refused: violates PodSecurity",
            "the namespace is stricter",
        ),
    ],
)
def test_pods_that_are_refused(seen: Observation, message: str, cause: str, remedy: str) -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    deployment(seen, "worker")["status"]["conditions"].append(condition)
    finding = only(seen)
    assert finding.subject == "Deployment dask-worker-default"
    assert cause in finding.cause
    assert remedy in finding.remedy


def claim(*events: tuple[str, str]) -> tuple[JSON, tuple[JSON, ...]]:
    item = {
        "metadata": {"name": "dask-notebook", "uid": "u"},
        "spec": {"storageClassName": "slow"},
        "status": {"phase": "Pending"},
    }
    return item, tuple(
        {"involvedObject": {"uid": "u"}, "reason": reason, "message": message} for reason, message in events
    )


@pytest.mark.parametrize(
    ("reason", "message", "grace"),
    [
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "slow" not found', 3),
        ("FailedBinding", "no persistent volumes available and no storage class is set", 3),
        ("ExternalProvisioning", "waiting for a volume to be created", 90),
    ],
)
def test_a_claim_that_is_not_bound(seen: Observation, reason: str, message: str, grace: float) -> None:
    item, events = claim((reason, message))
    finding = only(replace(seen, claims=(item,), events=events))
    assert finding.subject == "PersistentVolumeClaim dask-notebook"
    assert message in finding.cause
    assert finding.grace == grace


def test_a_claim_that_waits_for_its_pod_is_no_finding(seen: Observation) -> None:
    item, events = claim(("WaitForFirstConsumer", "waiting for first consumer to be created before binding"))
    assert _diagnosis.assess(Want(), replace(seen, claims=(item,), events=events)).findings == ()


def route(*conditions: JSON) -> JSON:
    ingress = [{"host": "dask.example.com", "routerName": "default", "conditions": [c]} for c in conditions]
    return {"metadata": {"name": "dask-notebook"}, "spec": {"host": "dask.example.com"}, "status": {"ingress": ingress}}


def test_a_route_has_to_be_admitted(seen: Observation) -> None:
    assert _diagnosis.assess(Want(), replace(seen, routes=(route({"type": "Admitted", "status": "True"}),))).ready
    assessment = _diagnosis.assess(Want(), replace(seen, routes=(route(),)))
    assert not assessment.ready
    assert assessment.progress == "3 of 3 workers are registered; Route dask-notebook waits for a router"
    [finding] = assessment.findings
    assert (finding.subject, finding.cause, finding.grace) == ("Route dask-notebook", "no router has admitted it", 30)


def test_a_route_that_the_router_refuses_is_a_finding_soon(seen: Observation) -> None:
    message = "namespace other owns hostname dask.example.com"
    refused = {"type": "Admitted", "status": "False", "reason": "HostAlreadyClaimed", "message": message}
    finding = only(replace(seen, routes=(route(refused),)))
    assert finding.cause == f"router default does not admit host dask.example.com: HostAlreadyClaimed: {message}"
    assert "choose another host in dask_notebook_route" in finding.remedy
    assert finding.grace == 5


def test_of_two_containers_the_one_that_was_killed_names_its_limit(seen: Observation) -> None:
    pod = next(pod for pod in seen.pods if "-notebook-" in name(pod))
    proxy = {"name": "oauth-proxy", "resources": {"limits": {"memory": "128Mi"}}}
    pod["spec"]["containers"].append(proxy)
    crashed: JSON = {"name": "oauth-proxy", "image": "p", "restartCount": 1, "state": waiting("CrashLoopBackOff")}
    pod["status"]["containerStatuses"].append({**crashed, "lastState": OOM_KILLED})
    unready(pod)
    assert "its limit of 128Mi" in only(seen).cause
    # Whose log is looked at.
    assert _diagnosis.crashing(pod) == "oauth-proxy"
    assert _diagnosis.crashing(worker(seen)) == ""


def test_versions_that_differ_are_a_failure_unless_allowed(seen: Observation) -> None:
    assert seen.status is not None
    other = replace(seen.status, mismatches={"w": {"dask": "2020.1.0"}})
    seen = replace(seen, status=other)
    assert only(seen).cause == "worker w has dask 2020.1.0 where the scheduler has 2026.8.0 (1 workers differ)"
    assert not _diagnosis.assess(Want(), seen).ready
    assert _diagnosis.assess(Want(allow_version_mismatch=True), seen).ready


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            'Successfully pulled image "r/d:1" in 41.5s (41.5s including waiting). Image size: 1 bytes.',
            ["r/d:1", "42 s"],
        ),
        ('Successfully pulled image "r/d:1" in 1m2.4s (…)', ["62 s"]),
        ('Successfully pulled image "r/d:1" in 850ms (…)', []),
        ('Container image "r/d:1" already present on machine', []),
    ],
)
def test_slow_pulls(message: str, words: list[str]) -> None:
    said = _diagnosis.slow_pulls([{"reason": "Pulled", "message": message}])
    assert bool(said) == bool(words)
    assert all(word in said[0] for word in words)
