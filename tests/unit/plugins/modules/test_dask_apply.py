# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is refused before anything is changed."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _kube, _scheduler
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.modules import dask_apply, dask_credentials

JSON = dict[str, t.Any]
INSTANCE = Instance("dask", "n")
PARAMS: JSON = {
    "route_keys": None,
    "scheduler_rollout": "when_idle",
    "account_pull_secrets": False,
}
CREDENTIALS: JSON = {
    "name": "dask",
    "namespace": "n",
    "certificate_days": 365,
    "renew_days": 30,
    "notebook": False,
    "notebook_password": None,
    "new_password": False,
    "oauth_proxy": False,
    "scheduler_rollout": "when_idle",
}


def item(kind: str, name: str, labels: JSON | None = None, **more: t.Any) -> JSON:
    labels = INSTANCE.labels("config") if labels is None else labels
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}, **more}


class Fake(_kube.Cluster):
    """A cluster with some objects, by the plural of their kind, that records what it is asked and sent."""

    def __init__(self, **objects: list[JSON]) -> None:
        self.name = "prod"
        self.objects = objects
        self.lists: list[tuple[str, JSON]] = []
        self.written: list[str] = []
        self.sent: list[JSON] = []

    def get(self, path: str, **query: str) -> JSON:
        if path == "/api/v1/namespaces/n":
            return item("Namespace", "n")
        plural = path.rpartition("/")[2]
        self.lists.append((plural, query))
        wanted = dict(term.split("=") for term in query.get("labelSelector", "").split(",") if term)
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        return {
            "items": [
                found
                for found in self.objects.get(plural, [])
                if wanted.items() <= (found["metadata"].get("labels") or {}).items()
                and name in ("", found["metadata"]["name"])
            ]
        }

    def send(self, method: str, path: str, body: t.Any, *_content_type: str, **query: str) -> JSON:
        if "dryRun" not in query:
            self.written.append(f"{method} {path.rpartition('/')[2]}")
            self.sent.append(body)
        return {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}


class Scheduler:
    """What a port-forward to the scheduler gives: its answer, or none."""

    def __init__(self, tasks: JSON | None) -> None:
        self.tasks = tasks

    @contextlib.contextmanager
    def connect(self, _cluster: t.Any, _instance: Instance, pod: str) -> t.Iterator[Scheduler]:
        assert pod == "dask-scheduler-1"
        yield self

    def read(self) -> _scheduler.Status:
        if self.tasks is None:
            raise _kube.Unreachable("Cluster prod: GET at pod n/dask-scheduler-1 got no answer: timed out.")
        return _scheduler.Status("Scheduler-1", {}, 0, 0, {}, {}, self.tasks, 0, 0)


def with_scheduler(state: str, ready: str = "False") -> Fake:
    """A cluster with a scheduler whose container is in C(state)."""
    status = {
        "conditions": [{"type": "Ready", "status": ready}],
        "containerStatuses": [{"name": "scheduler", "state": {state: {}}}],
    }
    return Fake(
        pods=[item("Pod", "dask-scheduler-1", INSTANCE.labels("scheduler"), status=status)],
        deployments=[scheduler("old")],
    )


def scheduler(image: str) -> JSON:
    found = item("Deployment", "dask-scheduler", INSTANCE.labels("scheduler"), spec={"template": {"image": image}})
    found["metadata"]["resourceVersion"] = "0"
    return found


def present(cluster: Fake, *desired: JSON, check_mode: bool = False, **params: t.Any) -> JSON:
    return dask_apply.present(cluster, INSTANCE, {**PARAMS, "objects": list(desired), **params}, check_mode)


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_is_of_others_is_not_taken_over(check_mode: bool) -> None:
    chart = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "dask"}
    cluster = Fake(
        services=[item("Service", "dask-scheduler", chart)],
        serviceaccounts=[{"metadata": {"name": "dask"}}],
        deployments=[item("Deployment", "dask-scheduler", Instance("other", "n").labels("scheduler"))],
    )
    desired = [
        item("Deployment", "dask-scheduler"),
        item("ConfigMap", "dask-config"),
        item("Service", "dask-scheduler"),
        item("ServiceAccount", "dask"),
    ]
    with pytest.raises(DaskopsError) as caught:
        present(cluster, *desired, check_mode=check_mode)
    assert caught.value.message == (
        "Cluster prod: Dask n/dask would take over what is not its own: Deployment/dask-scheduler (managed by daskops, "
        "instance other), Service/dask-scheduler (managed by Helm, instance dask), ServiceAccount/dask (managed by "
        "nobody that it names); nothing was changed: choose another dask_name, or remove what is there."
    )
    assert cluster.written == []


def test_only_what_is_not_there_yet_is_looked_for_by_name() -> None:
    there, new = item("ConfigMap", "dask-config"), item("Service", "dask-scheduler")
    there["metadata"]["resourceVersion"] = "1"
    cluster = Fake(configmaps=[there, item("ConfigMap", "of-others", {})])
    assert present(cluster, there)["changed"] is False
    assert not [query for _plural, query in cluster.lists if "fieldSelector" in query]
    assert present(cluster, there, new)["created"] == ["Service/dask-scheduler"]
    assert [asked for asked in cluster.lists if "fieldSelector" in asked[1]] == [
        ("services", {"fieldSelector": "metadata.name=dask-scheduler"})
    ]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_secret_of_others_is_not_taken_over(check_mode: bool) -> None:
    made = {"app.kubernetes.io/managed-by": "cert-manager"}
    cluster = Fake(secrets=[item("Secret", "dask-tls", made), item("Secret", "dask-notebook", {})])
    with pytest.raises(DaskopsError, match=r"not its own: Secret/dask-tls \(managed by cert-manager\); nothing was"):
        dask_credentials.ensure(cluster, CREDENTIALS, check_mode)
    assert cluster.written == []


def test_secrets_that_nobody_has_are_made() -> None:
    cluster = Fake()
    assert dask_credentials.ensure(cluster, CREDENTIALS, check_mode=False)["changed"]
    assert cluster.written == ["PATCH dask-ca", "PATCH dask-tls"]


@pytest.mark.parametrize("ready", ["True", "False"])
@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({"processing": 2}, "and lose 2 unfinished tasks; nothing was changed"),
        (
            None,
            (
                "Cluster prod: the change would restart the scheduler of Dask n/dask, and what that would lose cannot "
                "be asked: Cluster prod: GET at pod n/dask-scheduler-1 got no answer: timed out; nothing was changed: "
                "run this again, or with dask_scheduler_rollout=always."
            ),
        ),
    ],
)
def test_a_scheduler_that_runs_is_asked_even_if_it_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, ready: str, tasks: JSON | None, message: str
) -> None:
    monkeypatch.setattr(_scheduler, "connect", Scheduler(tasks).connect)
    cluster = with_scheduler("running", ready)
    with pytest.raises(DaskopsError) as caught:
        present(cluster, scheduler("new"))
    assert message in caught.value.message
    assert cluster.written == []


def test_a_scheduler_without_state_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_scheduler, "connect", Scheduler({}).connect)
    assert present(with_scheduler("running"), scheduler("new"))["updated"] == ["Deployment/dask-scheduler"]
    monkeypatch.delattr(_scheduler, "connect")
    for state in ("waiting", "terminated"):
        assert present(with_scheduler(state), scheduler("new"))["changed"]
    assert present(with_scheduler("running"), scheduler("new"), scheduler_rollout="always")["changed"]


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            "when_idle",
            (
                "Cluster prod: a new certificate (there is none) would restart the scheduler of Dask n/dask and lose 2 "
                "unfinished tasks; nothing was changed: run this again when it is idle, or with "
                "dask_scheduler_rollout=always."
            ),
        ),
        (
            "never",
            (
                "Cluster prod: a new certificate (there is none) would restart the scheduler of Dask n/dask, which "
                "dask_scheduler_rollout=never forbids; nothing was changed."
            ),
        ),
    ],
)
def test_a_new_certificate_waits_for_the_scheduler(
    monkeypatch: pytest.MonkeyPatch, policy: str, message: str, check_mode: bool
) -> None:
    monkeypatch.setattr(_scheduler, "connect", Scheduler({"processing": 2}).connect)
    cluster = with_scheduler("running")
    with pytest.raises(DaskopsError) as caught:
        dask_credentials.ensure(cluster, {**CREDENTIALS, "scheduler_rollout": policy}, check_mode)
    assert caught.value.message == message
    assert cluster.written == []


def test_who_is_asked_before_a_new_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_scheduler, "connect")
    assert dask_credentials.ensure(with_scheduler("waiting"), CREDENTIALS, check_mode=False)["changed"]
    always = {**CREDENTIALS, "scheduler_rollout": "always"}
    cluster = with_scheduler("running")
    assert dask_credentials.ensure(cluster, always, check_mode=False)["changed"]
    assert {plural for plural, _query in cluster.lists} == {"secrets"}  # no other right is needed
    # Without a scheduler there is none to restart, and for a new password none has to.
    kept = Fake()
    never = {**CREDENTIALS, "scheduler_rollout": "never"}
    assert dask_credentials.ensure(kept, never, check_mode=False)["changed"]
    cluster = with_scheduler("running")
    cluster.objects["secrets"] = kept.sent
    result = dask_credentials.ensure(cluster, {**never, "notebook": True}, check_mode=False)
    assert list(result["made"]) == ["notebook password"]
