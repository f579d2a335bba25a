# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _preflight
from ansible_collections.daskops.kubernetes.plugins.module_utils._preflight_facts import Facts
from kubernetes.utils import parse_quantity

JSON = dict[str, t.Any]


def group(**changes: t.Any) -> JSON:
    given = {"name": "default", "replicas": 1, "cpu": "1", "memory": "2Gi", "local_directory_size": "10Gi"}
    return {**given, **changes}


def problems_of(*groups: JSON, name: str = "dask") -> list[str]:
    problems: list[str] = []
    _preflight.check_groups(name, list(groups), parse_quantity, problems)
    return problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "High_Mem"}, "'High_Mem' is no DNS label"),
        ({"name": "-a"}, "'-a' is no DNS label"),
        ({"name": ""}, "'' is no DNS label"),
        ({"name": "a\n"}, "is no DNS label"),
        ({"name": "x" * 35}, "has 35 characters, 34 are possible"),
        ({"replicas": -1}, "replicas -1 is negative"),
        ({"nthreads": 0}, "nthreads 0 is not a positive integer"),
        ({"cpu": "one"}, "cpu 'one' is no Kubernetes quantity"),
        ({"cpu": "0"}, "cpu '0' must be more than 0"),
        ({"memory": "2 GB"}, "memory '2 GB' is no Kubernetes quantity"),
        ({"memory": "100Mi"}, "memory '100Mi' is less than Python and Dask need; give at least 256Mi"),
        ({"memory": "2"}, "memory '2' is less than Python and Dask need"),
        ({"cpu_request": "2"}, "cpu_request '2' is more than cpu '1'"),
        ({"memory_request": "3Gi"}, "memory_request '3Gi' is more than memory '2Gi'"),
        ({"extended_resources": {"nvidia.com/gpu": "two"}}, "nvidia.com/gpu 'two' is no Kubernetes quantity"),
        ({"local_directory_size": "50GB"}, "local_directory_size '50GB' is no Kubernetes quantity"),
        ({"local_directory_size": "0"}, "local_directory_size '0' must be more than 0"),
        ({"resources": {"GPU": "one"}}, "worker group 'default': resource GPU 'one' is no number"),
        ({"resources": {"GPU": None}}, "resource GPU None is no number"),
        ({"resources": {"GPU": "nan"}}, "resource GPU 'nan' is no number"),
    ],
)
def test_a_group_that_cannot_be_is_named_with_what_is_wrong(change: JSON, message: str) -> None:
    problems = problems_of(group(**change))
    assert len(problems) == 1
    assert message in problems[0]


def test_two_groups_of_one_name_are_refused() -> None:
    assert problems_of(group(), group()) == [
        "worker group 'default' is there twice; groups are told apart by their names"
    ]


def test_all_problems_are_reported_at_once() -> None:
    assert len(problems_of(group(replicas=-1, cpu="x"), group(name="B", memory="1Mi"))) == 4


def test_the_longest_group_name_leaves_room_for_the_pods_suffixes() -> None:
    assert problems_of(group(name="x" * 34)) == []
    # dask-worker-<34> and -<10>-<5>
    assert len("dask-worker-") + 34 + 1 + 10 + 1 + 5 == 63


@pytest.mark.parametrize(("cpu", "nthreads"), [("500m", 1), ("1", 1), ("1.9", 1), ("2", 2), ("4000m", 4)])
def test_threads_are_the_whole_cpus(cpu: str, nthreads: int) -> None:
    (result,) = _preflight.check_groups("dask", [group(cpu=cpu)], parse_quantity, [])
    assert result["nthreads"] == nthreads


def test_what_the_manifests_need_is_worked_out() -> None:
    given = group(cpu="2", cpu_request="500m", extended_resources={"nvidia.com/gpu": 1}, resources={"GPU": 1})
    (result,) = _preflight.check_groups("dask", [given], parse_quantity, [])
    assert result["limits"] == {"cpu": "2", "memory": "2Gi", "nvidia.com/gpu": "1"}
    assert result["requests"] == {"cpu": "500m", "memory": "2Gi", "nvidia.com/gpu": "1"}
    assert result["memory_limit"] == int(2 * 2**30 * 0.95)
    assert result["resources"] == {"GPU": 1.0}
    assert result["max_spill"] == 9 * GIB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": ""}, "has 0 characters, at least 8 are needed"),
        ({"password": "seven77"}, "has 7 characters, at least 8 are needed"),
        ({"storage": "10 Gigs"}, "storage '10 Gigs' is no Kubernetes quantity"),
        ({"memory": "200Mi"}, "give at least 384Mi"),
        ({"exposure": "ingress", "host": ""}, "an Ingress needs a host"),
        ({"exposure": "ingress", "host": "Dask.example.com"}, "an Ingress needs a host"),
        ({"exposure": "route", "host": "dask_1.example.com"}, "the Route's host 'dask_1.example.com' is no DNS name"),
        ({"exposure": "route", "host": f"{'d' * 64}.example.com"}, "is no DNS name"),
        ({"exposure": "route", "host": ".".join(["d" * 60] * 5)}, "is no DNS name"),
    ],
)
def test_a_notebook_that_cannot_be(change: JSON, message: str) -> None:
    problems: list[str] = []
    notebook = {"cpu": "1", "memory": "2Gi", "storage": "10Gi", "password": None, **change}
    _preflight.check_notebook(notebook, parse_quantity, problems)
    assert len(problems) == 1
    assert message in problems[0]


ROUTER = ["apps.example.com", "*.apps.example.org"]


@pytest.mark.parametrize(
    ("host", "domains", "refused"),
    [
        ("", ROUTER, False),  # OpenShift makes one
        ("dask.apps.example.com", ROUTER, False),
        ("dask.team.apps.example.com", ROUTER, False),
        ("dask.apps.example.org", ROUTER, False),
        ("dask.example.com", [], False),  # nobody knows
        ("dask.example.com", ROUTER, True),
        ("apps.example.com", ROUTER, True),
        ("daskapps.example.com", ROUTER, True),
    ],
)
def test_a_routes_host_is_of_a_domain_of_the_router(host: str, domains: list[str], refused: bool) -> None:
    problems: list[str] = []
    notebook = {"cpu": "1", "memory": "2Gi", "storage": "10Gi", "exposure": "route", "host": host, "domains": domains}
    _preflight.check_notebook(notebook, parse_quantity, problems)
    assert len(problems) == refused
    for problem in problems:
        assert f"host {host} is in no domain that the router serves (apps.example.com, *.apps.example.org)" in problem


def test_a_sidecar_is_named_with_what_is_wrong() -> None:
    problems: list[str] = []
    sidecars = [{"name": "proxy", "cpu": "x", "memory": "1Mi"}, {"name": "other", "cpu": "10m", "memory": "32Mi"}]
    ((name, resources),) = _preflight.check_sidecars({"sidecars": sidecars}, parse_quantity, problems)
    assert problems == ["notebook's sidecar 'proxy': cpu 'x' is no Kubernetes quantity, such as 500m or 2Gi"]
    assert (name, resources.limits) == ("other", {"cpu": "10m", "memory": "32Mi"})


def namespace(**labels: str) -> JSON:
    return {"metadata": {"name": "n", "labels": {f"app.kubernetes.io/{k}": v for k, v in labels.items()}}}


@pytest.mark.parametrize(
    ("existing", "create", "message"),
    [
        (None, True, ""),
        (None, False, "namespace n does not exist and may not be created"),
        (namespace(), False, ""),
        (namespace(**{"managed-by": "daskops", "instance": "dask"}), True, ""),
        (namespace(**{"managed-by": "daskops", "instance": "other"}), True, "belongs to the deployment 'other'"),
        (namespace(**{"managed-by": "Helm", "instance": "other"}), True, ""),
        ({"metadata": {"name": "n"}, "status": {"phase": "Terminating"}}, True, "is being deleted"),
    ],
)
def test_namespaces(existing: JSON | None, create: bool, message: str) -> None:
    problems: list[str] = []
    _preflight.check_namespace(existing, "n", "dask", create, problems)
    assert bool(problems) == bool(message)
    assert not message or message in problems[0]


def storage_class(name: str, default: bool) -> JSON:
    annotation = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {"metadata": {"name": name, "annotations": annotation}}


@pytest.mark.parametrize(
    ("classes", "wanted", "message"),
    [
        ([storage_class("fast", True)], "", ""),
        ([storage_class("fast", False)], "fast", ""),
        ([storage_class("fast", False)], "", "set dask_notebook_storage_class to one of: fast"),
        ([], "", "none there"),
        ([storage_class("fast", True)], "slow", "'slow' does not exist; there is: fast"),
    ],
)
def test_storage_classes(classes: list[JSON], wanted: str, message: str) -> None:
    problems: list[str] = []
    _preflight.check_storage_class(classes, wanted, problems)
    assert bool(problems) == bool(message)
    assert not message or message in problems[0]


def test_of_several_default_storage_classes_the_newest_counts() -> None:
    classes = [storage_class(name, True) for name in ("a", "b", "c")]
    for item, created in zip(classes, ("2026-01-01", "2026-03-01", "2026-02-01"), strict=True):
        item["metadata"]["creationTimestamp"] = f"{created}T00:00:00Z"
    assert _preflight.default_storage_class(classes) == "b"
    assert _preflight.default_storage_class([storage_class("a", False)]) == ""


# --- what is asked for against what was found -------------------------------------------------------------------------

GIB = 2**30


def asked_with(**changes: t.Any) -> tuple[JSON, _preflight.Asked]:
    notebook = {
        "cpu": "500m",
        "memory": "2Gi",
        "persistent": True,
        "storage": "10Gi",
        "storage_class": "",
        "exposure": "port_forward",
        "sidecars": [],
    }
    params: JSON = {
        "name": "dask",
        "namespace": "team",
        "namespace_create": False,
        "quota": {},
        "security_context": {},
        "pod_security": "restricted",
        "arbitrary_uid": False,
        "worker_groups": [group(replicas=3)],
        "scheduler": {"cpu": "500m", "memory": "1Gi", "exposure": "port_forward"},
        **changes,
        "notebook": None if changes["notebook"] is None else {**notebook, **changes["notebook"]},
    }
    problems: list[str] = []
    asked = _preflight.check_input(params, parse_quantity, problems)
    assert problems == []
    return params, asked


def against(facts: Facts, **changes: t.Any) -> list[str]:
    params, asked = asked_with(**{"notebook": {}, **changes})
    problems: list[str] = []
    _preflight.check_facts(params, asked, facts, parse_quantity, problems)
    return problems


def quota(hard: JSON, **more: t.Any) -> JSON:
    return {"metadata": {"name": "team"}, "spec": {"hard": hard, **more}, "status": {"hard": hard, "used": {}}}


def limit_range(kind: str, **limits: JSON) -> JSON:
    return {"metadata": {"name": "core"}, "spec": {"limits": [{"type": kind, **limits}]}}


CLASSES = [storage_class("fast", True), storage_class("slow", False)]
THERE = Facts(True, {"metadata": {"name": "team"}}, CLASSES, [], [])
CLAIM: JSON = {
    "metadata": {"name": "dask-notebook"},
    "spec": {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "slow"},
}


def test_what_is_asked_for() -> None:
    _params, asked = asked_with(notebook={"sidecars": [{"name": "proxy", "cpu": "10m", "memory": "32Mi"}]})
    assert [(pods.label, pods.replicas) for pods in asked.pods] == [
        ("scheduler", 1),
        ("notebook with its sidecars", 1),
        ("3 workers 'default'", 3),
    ]
    assert [pods.total("requests")["memory"] for pods in asked.pods] == [GIB, 2 * GIB + 2**25, 2 * GIB]
    assert asked.volume == 10 * GIB
    assert len(asked.services) == 2
    _params, asked = asked_with(notebook=None)
    assert [pods.what for pods in asked.pods] == ["the scheduler", "worker group 'default'"]
    assert (asked.volume, len(asked.services)) == (None, 1)
    _params, asked = asked_with(notebook={"persistent": False})
    assert asked.volume is None


@pytest.mark.parametrize("key", ["cpu_request", "memory_request"])
def test_an_amount_that_is_none_is_a_problem_and_no_crash(key: str) -> None:
    problems: list[str] = []
    params = {"name": "dask", "worker_groups": [group(**{key: "x"})], "scheduler": {"cpu": "1", "memory": "1Gi"}}
    _preflight.check_input({**params, "notebook": None}, parse_quantity, problems)
    assert len(problems) == 1


def test_all_is_well() -> None:
    assert against(THERE) == []
    assert against(Facts(None)) == []  # nothing may be seen
    assert against(Facts(False, None, CLASSES, [], []), namespace_create=True) == []


def test_a_namespace_that_is_not_there() -> None:
    (problem,) = against(Facts(False, None, CLASSES, [], []))
    assert "does not exist and may not be created" in problem


@pytest.mark.parametrize(
    ("quotas", "ranges", "message"),
    [
        ([quota({"pods": "4"})], [], "quota 'team' of namespace team allows pods 4"),
        ([quota({"requests.storage": "1Gi"})], [], "allows requests.storage 1Gi"),
        ([quota({"services": "1"})], [], "allows services 1"),
        ([quota({"fast.storageclass.storage.k8s.io/requests.storage": "1Gi"})], [], "allows fast.storageclass"),
        ([quota({"slow.storageclass.storage.k8s.io/requests.storage": "1Gi"})], [], ""),
        ([], [limit_range("Container", max={"memory": "1536Mi"})], "and the notebook has the limit 2Gi"),
        ([], [limit_range("PersistentVolumeClaim", max={"storage": "1Gi"})], "the notebook's has 10Gi"),
    ],
)
def test_limits_of_the_namespace(quotas: list[JSON], ranges: list[JSON], message: str) -> None:
    small = [group(replicas=3, memory="1Gi")]
    problems = against(replace(THERE, quotas=quotas, limit_ranges=ranges), worker_groups=small)
    assert len(problems) == bool(message)
    assert all(message in problem for problem in problems)


def test_a_class_that_is_asked_for_or_is_there_counts() -> None:
    slow = [quota({"slow.storageclass.storage.k8s.io/requests.storage": "9Gi"})]
    assert len(against(replace(THERE, quotas=slow), notebook={"storage_class": "slow"})) == 1
    assert against(replace(THERE, quotas=slow, claims=[CLAIM])) == []  # it is there already
    grows = [{**item, "allowVolumeExpansion": True} for item in CLASSES]
    larger = replace(THERE, quotas=slow, claims=[CLAIM], storage_classes=grows)
    assert len(against(larger, notebook={"storage": "11Gi"})) == 1


def test_a_volume_that_is_there_is_not_made() -> None:
    small = replace(THERE, limit_ranges=[limit_range("PersistentVolumeClaim", max={"storage": "1Gi"})])
    assert len(against(small)) == 1
    assert against(replace(small, claims=[CLAIM])) == []


def test_what_a_limit_range_gives_counts_in_a_quota() -> None:
    ranges = [limit_range("Container", defaultRequest={"ephemeral-storage": "1Gi"})]
    quotas = [quota({"requests.ephemeral-storage": "4Gi"})]
    assert against(replace(THERE, quotas=quotas)) == []
    (problem,) = against(replace(THERE, quotas=quotas, limit_ranges=ranges))
    assert "the deployment asks for 5Gi" in problem


def test_a_default_priority_class_counts_unless_a_group_names_another() -> None:
    rule = {"scopeName": "PriorityClass", "operator": "In", "values": ["standard"]}
    quotas = [quota({"pods": "1"}, scopeSelector={"matchExpressions": [rule]})]
    classes = [{"metadata": {"name": "standard"}, "value": 1, "globalDefault": True}]
    groups = [group(replicas=3, priority_class="high")]
    assert against(replace(THERE, quotas=quotas), worker_groups=groups) == []
    (problem,) = against(replace(THERE, quotas=quotas, priority_classes=classes), worker_groups=groups)
    assert "asks for 2 (scheduler, notebook)" in problem


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        ({}, ""),
        ({"storage": "10240Mi"}, ""),
        ({"storage_class": "slow"}, ""),
        ({"storage_class": "gone"}, "is of storage class 'slow', and dask_notebook_storage_class has 'gone'"),
        (
            {"storage_class": "fast"},
            "set it to 'slow', or take Dask down, which deletes the volume",
        ),
        ({"storage": "9Gi"}, "has 10Gi, and dask_notebook_storage has 9Gi; a volume cannot shrink: set it to 10Gi"),
        (
            {"storage": "11Gi"},
            "dask_notebook_storage has 11Gi; storage class 'slow' cannot make it larger",
        ),
    ],
)
def test_a_volume_that_is_there_can_only_grow(notebook: JSON, message: str) -> None:
    problems = against(replace(THERE, claims=[CLAIM]), notebook=notebook)
    assert len(problems) == bool(message)
    assert all(message in problem for problem in problems)
    assert all(problem.startswith("PersistentVolumeClaim dask-notebook ") for problem in problems)


def test_a_volume_grows_where_its_class_allows_it_or_nobody_knows() -> None:
    classes = [{**item, "allowVolumeExpansion": True} for item in CLASSES]
    for known in (classes, None):
        assert against(replace(THERE, claims=[CLAIM], storage_classes=known), notebook={"storage": "11Gi"}) == []
    # What is there needs no default class.
    assert against(replace(THERE, claims=[CLAIM], storage_classes=[])) == []


def test_a_class_that_was_asked_for_once_cannot_be_left_out() -> None:
    fields: JSON = {"f:spec": {"f:storageClassName": {}}}
    managed = [{"manager": manager, "fieldsV1": fields} for manager in ("daskops", "kubectl")]
    claims = [{**CLAIM, "metadata": {**CLAIM["metadata"], "managedFields": [entry]}} for entry in managed]
    (problem,) = against(replace(THERE, claims=[claims[0]]))
    assert "is of storage class 'slow', and dask_notebook_storage_class has ''; that cannot change" in problem
    assert against(replace(THERE, claims=[claims[1]])) == []


def test_what_is_there_is_given_back() -> None:
    resources = {"requests": {"memory": "2Gi"}}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": resources}]}}
    full = quota({"requests.memory": "9Gi"})
    full["status"]["used"] = {"requests.memory": "4Gi"}
    facts = replace(THERE, quotas=[full], pods=[pod])
    (problem,) = against(facts)
    assert "of which 2Gi is used by others" in problem
    assert against(replace(facts, pods=[pod, pod])) == []


def test_a_quota_that_the_namespace_will_get() -> None:
    facts = Facts(False, None, CLASSES, [], [])
    (problem,) = against(facts, namespace_create=True, quota={"pods": 4})
    assert "quota 'dask' of namespace team allows pods 4, and the deployment asks for 5" in problem
    assert against(facts, namespace_create=True, quota={"pods": 5}) == []


def test_security_contexts() -> None:
    labelled = {"metadata": {"name": "team", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    root = {"runAsUser": 0}
    assert len(against(replace(THERE, namespace=labelled), security_context=root)) == 1
    assert against(THERE, security_context=root) == []  # the namespace enforces nothing
    assert len(against(Facts(None), security_context=root)) == 1
    (problem,) = against(THERE, security_context={"fsGroup": 5}, arbitrary_uid=True)
    assert "OpenShift gives each project its own" in problem
