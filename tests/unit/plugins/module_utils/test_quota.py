# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What quotas and limit ranges of a namespace would refuse, and in which words."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from decimal import Decimal

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _quota
from ansible_collections.daskops.kubernetes.plugins.module_utils._quota import Item, Pods
from kubernetes.utils import parse_quantity

JSON = dict[str, t.Any]


def pods(label: str, cpu: str = "1", memory: str = "1Gi", **more: t.Any) -> Pods:
    given = {"cpu": cpu, "memory": memory}
    limits = {**given, **more.pop("limits", {})}
    made = _quota.container(label, {**given, **more.pop("requests", {})}, limits, parse_quantity)
    return Pods(label, label, (made,), **more)


def group(replicas: int = 3, **more: t.Any) -> Pods:
    resources = {"cpu": "1", "memory": "2Gi", **more.pop("resources", {})}
    requests = {**resources, **more.pop("requests", {})}
    given = {"name": "default", "replicas": replicas, "requests": requests, "limits": resources, **more}
    return _quota.group_pods(given, parse_quantity)


def deployment(*more: Item, groups: tuple[Pods, ...] = (group(),)) -> list[Item]:
    every = (pods("scheduler", "500m", "1Gi"), pods("notebook", "500m", "2Gi"), *groups)
    return [*map(_quota.pod_item, every), *more]


def quota(hard: JSON, used: JSON | None = None, name: str = "team", **spec: t.Any) -> JSON:
    status = {} if used is None else {"hard": hard, "used": used}
    return {"metadata": {"name": name}, "spec": {"hard": hard, **spec}, "status": status}


def refused(*quotas: JSON, wanted: list[Item] | None = None, own: list[Item] | None = None) -> list[str]:
    wanted = deployment() if wanted is None else wanted
    return _quota.quota_problems(list(quotas), wanted, own or [], "dask", parse_quantity)


def live_pod(memory: str = "2Gi", phase: str = "Running", **spec: t.Any) -> JSON:
    resources = {"requests": {"cpu": "1", "memory": memory}, "limits": {"cpu": "1", "memory": memory}}
    return {
        "metadata": {"name": "dask-worker-default-1"},
        "spec": {"containers": [{"name": "worker", "resources": resources}], **spec},
        "status": {"phase": phase},
    }


def counted(pod: JSON) -> dict[str, Decimal]:
    return _quota.pod_item(_quota.live_pods(pod, parse_quantity)).usage


# --- sums -------------------------------------------------------------------------------------------------------------


def test_the_sentence_says_how_it_adds_up_and_what_to_do() -> None:
    (problem,) = refused(quota({"requests.memory": "8Gi"}, {"requests.memory": "1Gi"}))
    assert problem == (
        "quota 'team' of namespace dask allows requests.memory 8Gi, of which 1Gi is used by others, and the deployment "
        "asks for 9Gi (scheduler 1Gi, notebook 2Gi, 3 workers 'default' 2Gi each); lower the groups or ask for a "
        "larger quota"
    )


def test_what_nobody_else_uses_is_not_spoken_of() -> None:
    (problem,) = refused(quota({"cpu": "3500m"}, {"cpu": "0"}))
    assert problem.startswith("quota 'team' of namespace dask allows cpu 3500m, and the deployment asks for 4 (")
    assert "scheduler 500m, notebook 500m, 3 workers 'default' 1 each" in problem


@pytest.mark.parametrize(
    ("resource", "fits"),
    [
        ("cpu", "4"),
        ("requests.cpu", "4"),
        ("limits.cpu", "4"),
        ("memory", "9Gi"),
        ("requests.memory", "9Gi"),
        ("limits.memory", "9Gi"),
        ("pods", "5"),
        ("count/pods", "5"),
    ],
)
def test_each_resource_is_summed_up(resource: str, fits: str) -> None:
    assert refused(quota({resource: fits}, {})) == []
    less = str(parse_quantity(fits) - 1)
    assert len(refused(quota({resource: less}, {}))) == 1
    assert len(refused(quota({resource: fits}, {resource: "1"}))) == 1


def test_requests_and_limits_are_told_apart() -> None:
    wanted = deployment(groups=(group(requests={"memory": "1Gi"}),))
    problems = refused(quota({"requests.memory": "6Gi", "limits.memory": "8Gi"}, {}), wanted=wanted)
    assert len(problems) == 1
    assert "limits.memory 8Gi, and the deployment asks for 9Gi" in problems[0]


@pytest.mark.parametrize(
    ("resource", "amount", "name"),
    [
        ("nvidia.com/gpu", "1", "requests.nvidia.com/gpu"),
        ("ephemeral-storage", "1Gi", "requests.ephemeral-storage"),
        ("ephemeral-storage", "1Gi", "ephemeral-storage"),
        ("ephemeral-storage", "1Gi", "limits.ephemeral-storage"),
        ("hugepages-2Mi", "1Gi", "requests.hugepages-2Mi"),
        ("hugepages-2Mi", "1Gi", "hugepages-2Mi"),
    ],
)
def test_further_resources_count_where_they_are_asked_for(resource: str, amount: str, name: str) -> None:
    small = quota({name: "2" if amount == "1" else "2Gi"}, {})
    assert refused(small) == []
    wanted = deployment(groups=(group(resources={resource: amount}),))
    (problem,) = refused(small, wanted=wanted)
    assert f"3 workers 'default' {amount} each)" in problem
    assert "scheduler" not in problem


def test_each_limit_and_each_quota_has_a_sentence() -> None:
    problems = refused(quota({"pods": "4", "cpu": "1"}, {}), quota({"memory": "1Gi"}, {}, name="other"))
    assert [problem.split(" allows ")[1].split()[0] for problem in problems] == ["memory", "cpu", "pods"]
    assert "(scheduler, notebook, 3 workers 'default')" in problems[2]


def test_a_group_without_workers_asks_for_nothing() -> None:
    assert refused(quota({"pods": "2", "requests.memory": "3Gi"}, {}), wanted=deployment(groups=(group(0),))) == []
    (problem,) = refused(quota({"pods": "2"}, {}), wanted=deployment(groups=(group(1),)))
    assert "1 worker 'default')" in problem


def test_limits_hold_before_the_quota_controller_has_counted() -> None:
    assert len(refused(quota({"pods": "4"}))) == 1


# --- what the deployment has ------------------------------------------------------------------------------------------


def test_what_the_deployment_has_is_given_back() -> None:
    own = [_quota.pod_item(_quota.live_pods(live_pod(), parse_quantity))]
    assert refused(quota({"requests.memory": "9Gi"}, {"requests.memory": "2Gi"}), own=own) == []
    (problem,) = refused(quota({"requests.memory": "9Gi"}, {"requests.memory": "3Gi"}), own=own)
    assert "of which 1Gi is used by others" in problem


def test_others_never_use_less_than_nothing() -> None:
    own = [_quota.pod_item(_quota.live_pods(live_pod("64Gi"), parse_quantity))]
    assert len(refused(quota({"requests.memory": "8Gi"}, {"requests.memory": "0"}), own=own)) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_counts_as_an_object_only(phase: str) -> None:
    assert counted(live_pod(phase=phase)) == {"count/pods": 1}


def test_init_containers_and_overhead_count() -> None:
    def init(memory: str, **more: str) -> JSON:
        return {"name": "i", "resources": {"requests": {"memory": memory}}, **more}

    assert counted(live_pod(initContainers=[init("1Gi")]))["requests.memory"] == 2 * 2**30
    assert counted(live_pod(initContainers=[init("3Gi")]))["requests.memory"] == 3 * 2**30
    assert counted(live_pod(initContainers=[init("1Gi", restartPolicy="Always")]))["requests.memory"] == 3 * 2**30
    assert counted(live_pod(overhead={"memory": "1Gi"}))["requests.memory"] == 3 * 2**30


# --- scopes -----------------------------------------------------------------------------------------------------------


def priority(operator: str, *values: str) -> JSON:
    rule = {"scopeName": "PriorityClass", "operator": operator, **({"values": list(values)} if values else {})}
    return {"scopeSelector": {"matchExpressions": [rule]}}


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ({"scopes": ["NotTerminating"]}, 1),
        ({"scopes": ["NotBestEffort"]}, 1),
        ({"scopes": ["NotTerminating", "NotBestEffort"]}, 1),
        ({"scopes": ["Terminating"]}, 0),
        ({"scopes": ["BestEffort"]}, 0),
        ({"scopes": ["NotBestEffort", "Terminating"]}, 0),
        ({"scopes": ["CrossNamespacePodAffinity"]}, 0),
        ({"scopes": ["SomethingNew"]}, 0),
        (priority("Exists"), 0),
        (priority("DoesNotExist"), 1),
        (priority("In", "high"), 0),
        (priority("NotIn", "high"), 1),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "Terminating", "operator": "Exists"}]}}, 0),
        ({"scopes": ["Terminating"], **priority("DoesNotExist")}, 0),
    ],
)
def test_a_quota_with_scopes_counts_what_it_matches(spec: JSON, problems: int) -> None:
    assert len(refused(quota({"pods": "4"}, {}, **spec))) == problems


@pytest.mark.parametrize(
    ("rule", "problems"),
    [(priority("Exists"), 1), (priority("In", "high"), 1), (priority("In", "low"), 0), (priority("NotIn", "high"), 0)],
)
def test_a_groups_priority_class_decides(rule: JSON, problems: int) -> None:
    wanted = deployment(groups=(group(priority_class="high"),))
    found = refused(quota({"pods": "2"}, {}, **rule), wanted=wanted)
    assert len(found) == problems
    assert all("(3 workers 'default')" in problem for problem in found)


@pytest.mark.parametrize("kind", ["requiredDuringSchedulingIgnoredDuringExecution", "preferred"])
@pytest.mark.parametrize(("term", "problems"), [({"namespaces": ["n"]}, 1), ({"namespaceSelector": {}}, 1), ({}, 0)])
def test_affinity_across_namespaces(kind: str, term: JSON, problems: int) -> None:
    rules: JSON = {kind: [term]}
    if kind == "preferred":
        rules = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}
    wanted = deployment(groups=(group(affinity={"podAntiAffinity": rules}),))
    assert len(refused(quota({"pods": "1"}, {}, scopes=["CrossNamespacePodAffinity"]), wanted=wanted)) == problems


def test_a_pod_that_is_there_is_given_back_to_the_quotas_that_have_counted_it() -> None:
    own = [_quota.pod_item(_quota.live_pods(live_pod(activeDeadlineSeconds=60), parse_quantity))]
    assert len(refused(quota({"pods": "5"}, {"pods": "1"}, scopes=["NotTerminating"]), own=own)) == 1
    assert refused(quota({"pods": "5"}, {"pods": "1"}), own=own) == []


def test_volumes_and_services_have_no_scopes() -> None:
    wanted = [_quota.claim_item("notebook", Decimal(2**30), ""), *_quota.planned_services("port_forward", None)]
    hard = {"requests.storage": "0", "services": "0"}
    assert refused(quota(hard, {}, scopes=["NotTerminating"]), wanted=wanted) == []
    assert len(refused(quota(hard, {}), wanted=wanted)) == 2


def test_the_default_priority_class() -> None:
    classes: list[JSON] = [{"metadata": {"name": "a"}, "value": 1}]
    assert _quota.default_priority_class(classes) == ""
    classes += [
        {"metadata": {"name": name}, "value": value, "globalDefault": True} for name, value in (("b", 9), ("c", 2))
    ]
    assert _quota.default_priority_class(classes) == "c"
    assert _quota.asks_for_priority([quota({}), quota({}, **priority("Exists"))])
    assert not _quota.asks_for_priority([quota({}, scopes=["NotTerminating"])])


# --- volumes and Services ---------------------------------------------------------------------------------------------

FAST = "fast.storageclass.storage.k8s.io/"


@pytest.mark.parametrize(
    ("hard", "sentence"),
    [
        ({"persistentvolumeclaims": "0"}, "asks for 1 (notebook); do without the volume"),
        ({"count/persistentvolumeclaims": "0"}, "asks for 1 (notebook); do without the volume"),
        ({"requests.storage": "5Gi"}, "asks for 10Gi (notebook 10Gi); make the volume smaller"),
        ({f"{FAST}requests.storage": "5Gi"}, "asks for 10Gi (notebook 10Gi); make the volume smaller"),
        ({f"{FAST}persistentvolumeclaims": "0"}, "asks for 1 (notebook); do without the volume"),
        ({"slow.storageclass.storage.k8s.io/requests.storage": "0"}, ""),
        ({"requests.storage": "10Gi", "persistentvolumeclaims": "1", f"{FAST}requests.storage": "10Gi"}, ""),
    ],
)
def test_the_volume(hard: JSON, sentence: str) -> None:
    problems = refused(quota(hard, {}), wanted=deployment(_quota.claim_item("notebook", Decimal(10 * 2**30), "fast")))
    assert len(problems) == bool(sentence)
    assert all(sentence in problem for problem in problems)


def test_a_volume_that_is_there_is_not_asked_about_again() -> None:
    claim = {
        "metadata": {"name": "dask-notebook"},
        "spec": {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "fast"},
    }
    own = [_quota.live_claim(claim, parse_quantity)]
    lowered = quota({"requests.storage": "5Gi", f"{FAST}requests.storage": "5Gi"}, {"requests.storage": "10Gi"})
    assert refused(lowered, wanted=[_quota.claim_item("notebook", Decimal(10 * 2**30), "fast")], own=own) == []
    larger = refused(lowered, wanted=[_quota.claim_item("notebook", Decimal(11 * 2**30), "fast")], own=own)
    assert len(larger) == 2
    assert "used by others" not in larger[0]


def test_pods_are_made_anew_though_they_are_there() -> None:
    own = [replace(_quota.pod_item(_quota.live_pods(live_pod(), parse_quantity)), count=3)]
    assert len(refused(quota({"pods": "2"}, {"pods": "3"}), wanted=[_quota.pod_item(group())], own=own)) == 1


@pytest.mark.parametrize(
    ("scheduler", "notebook", "uses"),
    [
        ("port_forward", None, {"services": 1}),
        ("port_forward", "port_forward", {"services": 2}),
        ("port_forward", "ingress", {"services": 2}),
        ("port_forward", "route", {"services": 2}),
        ("node_port", "node_port", {"services": 3, "services.nodeports": 2}),
        ("load_balancer", "node_port", {"services": 3, "services.nodeports": 2, "services.loadbalancers": 1}),
    ],
)
def test_services_by_exposure(scheduler: str, notebook: str | None, uses: dict[str, int]) -> None:
    wanted = _quota.planned_services(scheduler, notebook)
    for name in ("services", "count/services", "services.nodeports", "services.loadbalancers"):
        number = uses.get(name.removeprefix("count/"), 0)
        assert refused(quota({name: str(number)}, {}), wanted=wanted) == []
        if number:
            (problem,) = refused(quota({name: str(number - 1)}, {}), wanted=wanted)
            assert problem.endswith("; choose another exposure or ask for a larger quota")


def test_services_that_are_there_are_not_asked_about_again() -> None:
    own = [
        _quota.live_service({"metadata": {"name": "s"}, "spec": {"type": kind, "ports": [{}, {}]}})
        for kind in ("ClusterIP", "LoadBalancer")
    ]
    assert [item.usage.get("services.nodeports", 0) for item in own] == [0, 2]
    assert (
        refused(
            quota({"services": "1"}, {"services": "2"}),
            wanted=_quota.planned_services("port_forward", "route"),
            own=own,
        )
        == []
    )


# --- a quota that is to come ------------------------------------------------------------------------------------------


def test_a_quota_that_is_only_asked_for() -> None:
    (planned,) = _quota.with_planned([], "dask", {"requests.cpu": 3})
    (problem,) = refused(planned)
    assert problem.startswith("quota 'dask' of namespace dask allows requests.cpu 3, and the deployment asks for 4 (")


def test_it_takes_the_place_of_its_forerunner_alone() -> None:
    live = [quota({"pods": "1"}, {"pods": "1"}, name="dask"), quota({"pods": "9"}, {"pods": "0"})]
    assert refused(*_quota.with_planned(live, "dask", {"pods": "6"})) == []
    (problem,) = refused(*_quota.with_planned(live, "dask", {"pods": "5"}))
    assert "quota 'dask'" in problem
    assert "of which 1 is used by others" in problem
    assert _quota.with_planned(live, "dask", {}) == live


@pytest.mark.parametrize("value", ["a lot", "", "-1", None, {}])
def test_a_limit_that_is_no_amount(value: t.Any) -> None:
    problems: list[str] = []
    _quota.check_hard({"pods": 3, "requests.memory": value}, parse_quantity, problems)
    assert problems == [f"quota: requests.memory {value!r} is no Kubernetes quantity, such as 10 or 64Gi"]


# --- limit ranges -----------------------------------------------------------------------------------------------------


def limit_range(kind: str = "Container", **limits: JSON) -> JSON:
    return {"metadata": {"name": "core"}, "spec": {"limits": [{"type": kind, **limits}]}}


def outside(limits: JSON, *every: Pods, volume: str | None = None) -> list[str]:
    new = None if volume is None else parse_quantity(volume)
    return _quota.limit_range_problems([limits], list(every), new, "dask", parse_quantity)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"max": {"memory": "1Gi"}}, "at most memory 1Gi, and worker group 'default' has the limit 2Gi; lower it"),
        ({"max": {"cpu": "500m"}}, "at most cpu 500m, and worker group 'default' has the limit 1; lower it"),
        (
            {"max": {"nvidia.com/gpu": "1"}},
            "at most nvidia.com/gpu 1, and worker group 'default' has no limit; lower it",
        ),
        ({"min": {"memory": "3Gi"}}, "at least memory 3Gi, and worker group 'default' asks for 1Gi; raise it"),
        ({"min": {"cpu": "500m"}}, "at least cpu 500m, and worker group 'default' asks for 250m; raise it"),
        ({"min": {"nvidia.com/gpu": "1"}}, "and worker group 'default' asks for none; raise it"),
        (
            {"maxLimitRequestRatio": {"memory": "1.5"}},
            "at most 1.5 times its request, and worker group 'default' has the limit 2Gi and the request 1Gi; raise",
        ),
        ({"maxLimitRequestRatio": {"nvidia.com/gpu": "1"}}, "has not both; give both"),
        ({"max": {"memory": "2Gi", "cpu": "1"}}, ""),
        ({"min": {"memory": "1Gi", "cpu": "250m"}}, ""),
        ({"maxLimitRequestRatio": {"memory": "2", "cpu": "4"}}, ""),
    ],
)
def test_a_container_outside_of_a_limit_range(limits: JSON, sentence: str) -> None:
    problems = outside(limit_range(**limits), group(requests={"memory": "1Gi", "cpu": "250m"}))
    assert len(problems) == bool(sentence)
    for problem in problems:
        assert problem.startswith("limit range 'core' of namespace dask allows a container ")
        assert sentence in problem


def with_sidecar() -> Pods:
    notebook = pods("the notebook", "1", "2Gi")
    sidecar = pods("the notebook's sidecar 'proxy'", "100m", "64Mi")
    return replace(notebook, containers=(*notebook.containers, *sidecar.containers))


def test_each_container_is_looked_at_and_a_pod_as_a_whole() -> None:
    (problem,) = outside(limit_range(min={"memory": "1Gi"}), with_sidecar(), pods("the scheduler"))
    assert "and the notebook's sidecar 'proxy' asks for 64Mi" in problem
    (problem,) = outside(limit_range("Pod", max={"memory": "2Gi"}), with_sidecar(), pods("the scheduler"))
    assert problem == (
        "limit range 'core' of namespace dask allows a pod at most memory 2Gi, and the notebook has the limit 2112Mi; "
        "lower it"
    )
    assert outside(limit_range("Pod", min={"memory": "2Gi"}), with_sidecar()) == []


def test_a_pods_sum_is_of_what_all_its_containers_have() -> None:
    notebook = with_sidecar()
    gpu = replace(notebook.containers[0], limits={"nvidia.com/gpu": Decimal(1)})
    (problem,) = outside(
        limit_range("Pod", max={"nvidia.com/gpu": "1"}), replace(notebook, containers=(gpu, notebook.containers[1]))
    )
    assert "has no limit" in problem


def test_a_sidecar_counts_in_a_quota() -> None:
    wanted = [_quota.pod_item(with_sidecar())]
    assert refused(quota({"requests.memory": "2112Mi", "pods": "1"}, {}), wanted=wanted) == []
    assert len(refused(quota({"requests.memory": "2Gi"}, {}), wanted=wanted)) == 1


def test_a_group_without_workers_is_not_outside() -> None:
    assert outside(limit_range(max={"memory": "1Gi"}), group(0)) == []


@pytest.mark.parametrize(
    ("limits", "volume", "sentence"),
    [
        ({"min": {"storage": "20Gi"}}, "10Gi", "at least 20Gi, and the notebook's has 10Gi; make it larger"),
        ({"max": {"storage": "5Gi"}}, "10Gi", "at most 5Gi, and the notebook's has 10Gi; make it smaller"),
        ({"min": {"storage": "10Gi"}, "max": {"storage": "10Gi"}}, "10Gi", ""),
        ({"max": {"storage": "5Gi"}}, None, ""),
    ],
)
def test_a_new_volume(limits: JSON, volume: str | None, sentence: str) -> None:
    problems = outside(limit_range("PersistentVolumeClaim", **limits), volume=volume)
    assert len(problems) == bool(sentence)
    assert all(sentence in problem for problem in problems)


def test_what_a_limit_range_gives_counts_and_takes_nothing_away() -> None:
    given = {"memory": "64Gi", "ephemeral-storage": "2Gi"}
    ranges = [limit_range(default=given, defaultRequest={"memory": "1Gi", "ephemeral-storage": "1Gi"})]
    made = _quota.with_defaults(group(), ranges, parse_quantity)
    usage = _quota.pod_item(made).usage
    assert usage["requests.memory"] == usage["limits.memory"] == 2 * 2**30
    assert usage["requests.ephemeral-storage"] == 2**30
    assert usage["limits.ephemeral-storage"] == 2 * 2**30
    assert _quota.with_defaults(group(), [limit_range("Pod", default=given)], parse_quantity) == group()


# --- amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "amount", "shown"),
    [
        ("requests.cpu", "500m", "500m"),
        ("cpu", "1500m", "1500m"),
        ("limits.cpu", "30", "30"),
        ("cpu", "0", "0"),
        ("memory", "9.5Gi", "9.5Gi"),
        ("requests.memory", "2112Mi", "2112Mi"),
        ("memory", "1G", "1G"),
        ("memory", "1073741825", "1073741825"),
        ("memory", "500M", "500M"),
        ("memory", "2000Mi", "2000Mi"),
        ("requests.storage", "1Ti", "1Ti"),
        (f"{FAST}requests.storage", "10Gi", "10Gi"),
        (f"{FAST}persistentvolumeclaims", "1000", "1000"),
        ("requests.hugepages-2Mi", "4Mi", "4Mi"),
        ("requests.nvidia.com/gpu", "10", "10"),
        ("pods", "1k", "1000"),
    ],
)
def test_amounts_are_shown_as_one_writes_them(name: str, amount: str, shown: str) -> None:
    assert _quota.show(name, parse_quantity(amount)) == shown
