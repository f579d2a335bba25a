# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules as Ansible runs them, with input that cannot be: one sentence, and no cluster is asked."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube
from ansible_collections.daskops.kubernetes.plugins.modules import (
    dask_apply,
    dask_credentials,
    dask_preflight,
    dask_run,
    dask_wait,
)

JSON = dict[str, t.Any]
CLUSTER = _kube.Cluster


class NoCluster:
    name = "prod"

    def __init__(self, *_params: t.Any) -> None:
        pass

    def __getattr__(self, name: str) -> t.NoReturn:
        raise AssertionError(f"the cluster was asked: {name}")


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "Cluster", NoCluster)


def failure(capsys: pytest.CaptureFixture[str], module: t.Any, **params: t.Any) -> JSON:
    with patch_module_args(params), pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 1
    return t.cast("JSON", json.loads(capsys.readouterr().out))


PREFLIGHT: JSON = {
    "namespace": "team",
    "target": "prod",
    "worker_groups": [{"name": "default"}],
    "scheduler": {"cpu": "500m", "memory": "1Gi"},
    "notebook": {"cpu": "500m", "memory": "2Gi"},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Dask"}, "the deployment's name 'Dask' is no DNS label"),
        (
            {"name": "2024-team"},
            "name '2024-team' does not begin with a letter, as a Service's has to",
        ),
        ({"name": "d" * 31}, "has 31 characters, 30 are possible"),
        ({"namespace": "a_b"}, "the namespace 'a_b' is no DNS label"),
        ({"worker_groups": [{"name": "a"}, {"name": "a"}]}, "'a' is there twice"),
        ({"worker_groups": [{"name": "a", "local_directory_size": "50GB"}]}, "'50GB' is no Kubernetes quantity"),
        ({"worker_groups": [{"name": "a", "resources": {"GPU": "one"}}]}, "resource GPU 'one' is no number"),
        ({"worker_groups": [{"name": "a", "nthreads": 0}]}, "nthreads 0 is not a positive integer"),
        ({"scheduler": {"cpu": "x", "memory": "1Gi"}}, "scheduler: cpu 'x' is no Kubernetes quantity"),
        ({"notebook": {**PREFLIGHT["notebook"], "password": ""}}, "password has 0 characters"),
        ({"notebook": {**PREFLIGHT["notebook"], "exposure": "ingress"}}, "an Ingress needs a host"),
        (
            {"notebook": {**PREFLIGHT["notebook"], "exposure": "route", "host": "a.b", "domains": ["c.d"]}},
            "a.b is in no domain that the router serves (c.d)",
        ),
        (
            {"notebook": {**PREFLIGHT["notebook"], "sidecars": [{"name": "proxy", "cpu": "1", "memory": "NaN"}]}},
            "notebook's sidecar 'proxy': memory 'NaN' is no Kubernetes quantity",
        ),
        ({"quota": {"pods": "many"}}, "quota: pods 'many' is no Kubernetes quantity"),
        ({"security_context": {"runAsUser": "me"}}, "runAsUser 'me' is no whole number"),
    ],
)
def test_preflight(capsys: pytest.CaptureFixture[str], change: JSON, message: str) -> None:
    result = failure(capsys, dask_preflight, **{**PREFLIGHT, **change})
    assert result["msg"].startswith("Dask ")
    assert " on prod cannot be deployed, and nothing was touched: " in result["msg"]
    assert message in result["msg"]
    assert len(result["problems"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"worker_groups": [{"name": "a", "nthreads": "many"}]}, "cannot be converted to an int"),
        ({"worker_groups": [{"replicas": 1}]}, "missing required arguments: name"),
        ({"worker_groups": [{"name": "a", "cpus": 1}]}, "Unsupported parameters"),
        ({"pod_security": "strict"}, "must be one of: restricted, baseline, privileged"),
    ],
)
def test_what_the_argument_spec_refuses(capsys: pytest.CaptureFixture[str], change: JSON, message: str) -> None:
    assert message in failure(capsys, dask_preflight, **{**PREFLIGHT, **change})["msg"]


@pytest.mark.parametrize(
    ("module", "params", "message"),
    [
        (dask_credentials, {"namespace": "n", "notebook_password": "short"}, "at least 8 are needed"),
        (
            dask_credentials,
            {"namespace": "n", "certificate_days": 30},
            "be renewed 30 days before its end",
        ),
        (dask_credentials, {"namespace": "n", "certificate_days": 3650}, "at most 1825"),
        (dask_credentials, {"namespace": "n", "certificate_days": -5}, "valid for -5 days"),
        (dask_apply, {"namespace": "n"}, "state is present but all of the following are missing: objects"),
        (dask_apply, {"namespace": "n", "objects": [], "scheduler_rollout": "sometimes"}, "must be one of"),
        (dask_run, {"namespace": "n", "tasks": 0}, "tasks must be at least 1"),
        (dask_wait, {}, "one of the following is required: namespace, scheduler_url"),
        (dask_wait, {"scheduler_url": "http://s"}, "the number of workers must be given"),
        (dask_wait, {"scheduler_url": "http://s", "workers": 1, "gather_info": True}, "give one of the two"),
        (dask_wait, {"namespace": "n", "fraction": 1.5}, "fraction must be more than 0 and at most 1, and is 1.5"),
        (dask_wait, {"namespace": "n", "fraction": 0}, "fraction must be more than 0"),
        (dask_wait, {"namespace": "n", "groups": {"a": "three"}}, "groups must be numbers of workers by group"),
        (dask_wait, {"namespace": "n", "groups": {"a": 1}, "workers": 1}, "mutually exclusive"),
    ],
)
def test_the_other_modules(capsys: pytest.CaptureFixture[str], module: t.Any, params: JSON, message: str) -> None:
    assert message in failure(capsys, module, **params)["msg"]


def test_a_routes_private_key_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    result = failure(capsys, dask_apply, namespace="n", route_keys={"dask-notebook": "hunter2hunter2"})
    # From 2.21 on ansible-core returns no arguments.
    assert "route_keys" in result.get("invocation", {"module_args": ["route_keys"]})["module_args"]
    assert "hunter2hunter2" not in json.dumps(result)


def test_a_kubeconfigs_path_is_named_and_its_content_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_kube, "Cluster", CLUSTER)
    result = failure(capsys, dask_run, namespace="n", kubeconfig="/etc/no-such.yaml")
    assert result["msg"].startswith("The kubeconfig /etc/no-such.yaml does not exist")
    secret = {"users": [{"name": "u", "user": {"token": "hunter2hunter2"}}]}
    result = failure(capsys, dask_run, namespace="n", tasks=0, kubeconfig=secret)
    assert "hunter2hunter2" not in json.dumps(result)
