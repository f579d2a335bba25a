# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _preflight
from kubernetes.utils import parse_quantity

JSON = dict[str, t.Any]


def group(**changes: t.Any) -> JSON:
    return {"name": "default", "replicas": 1, "cpu": "1", "memory": "2Gi", **changes}


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": ""}, "has 0 characters, at least 8 are needed"),
        ({"password": "seven77"}, "has 7 characters, at least 8 are needed"),
        ({"storage": "10 Gigs"}, "storage '10 Gigs' is no Kubernetes quantity"),
        ({"memory": "200Mi"}, "give at least 384Mi"),
    ],
)
def test_a_notebook_that_cannot_be(change: JSON, message: str) -> None:
    problems: list[str] = []
    notebook = {"cpu": "1", "memory": "2Gi", "storage": "10Gi", "password": None, **change}
    _preflight.check_notebook(notebook, parse_quantity, problems)
    assert len(problems) == 1
    assert message in problems[0]


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
