# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _apply
from ansible_collections.daskops.kubernetes.plugins.module_utils._errors import DaskopsError
from ansible_collections.daskops.kubernetes.plugins.module_utils._instance import Instance
from ansible_collections.daskops.kubernetes.plugins.module_utils._kube import ApiError, Cluster

JSON = dict[str, t.Any]


def item(kind: str, name: str, **more: t.Any) -> JSON:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def test_what_pods_need_goes_before_them() -> None:
    desired = [item("Deployment", "d"), item("ConfigMap", "c"), item("Deployment", "e"), item("Service", "s")]
    plan = _apply.plan(desired, [])
    assert [[i["metadata"]["name"] for i in wave] for wave in plan.waves] == [["c", "s"], ["d", "e"]]


def test_what_is_no_longer_asked_for_goes_but_data_stays() -> None:
    live = [
        ("Deployment", "d"),
        ("Deployment", "dropped"),
        ("Service", "dropped"),
        ("Secret", "tls"),
        ("PersistentVolumeClaim", "home"),
    ]
    plan = _apply.plan([item("Deployment", "d")], live)
    assert plan.prune == (("Deployment", "dropped"), ("Service", "dropped"))


def test_with_the_deployment_all_goes() -> None:
    live = [("Deployment", "d"), ("Secret", "tls"), ("PersistentVolumeClaim", "home")]
    assert _apply.plan([], live, absent=True) == _apply.Plan((), tuple(live))


def test_a_diff_shows_no_secret_and_nothing_that_the_server_counts() -> None:
    secret = item("Secret", "s", data={"password": "aHVudGVyMg=="}, status={})
    secret["metadata"].update(resourceVersion="1", uid="u", annotations={"deployment.kubernetes.io/revision": "2"})
    assert _apply.shown(secret) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"password": "(hidden)"},
    }
    assert secret["data"] == {"password": "aHVudGVyMg=="}
    assert _apply.shown(None) == {}


class Tenants(Cluster):
    """A cluster whose user may see one kind less."""

    def __init__(self, hidden: str) -> None:
        self.hidden = hidden

    def get(self, path: str, **_query: str) -> JSON:
        if path.endswith(self.hidden):
            raise ApiError("no", 403, "Forbidden")
        return {}


def test_who_may_not_see_a_providers_own_kind_has_none() -> None:
    where = Instance("dask", "dask")
    for hidden in ("/backendconfigs", "/routes"):
        assert _apply.fetch(Tenants(hidden), where) == {}
    with pytest.raises(ApiError):
        _apply.fetch(Tenants("/services"), where)


def test_a_routes_private_key_is_put_in_and_not_shown() -> None:
    desired = [item("Route", "dask-notebook", spec={"tls": {"termination": "edge"}}), item("Service", "dask-notebook")]
    route, service = _apply.with_route_keys(desired, {"dask-notebook": "KEY"})
    assert route["spec"]["tls"] == {"termination": "edge", "key": "KEY"}
    assert service == desired[1]
    assert "key" not in desired[0]["spec"]["tls"]
    assert _apply.shown(route)["spec"]["tls"]["key"] == "(hidden)"
    assert _apply.shown(route, secrets=True)["spec"]["tls"]["key"] == "KEY"
    assert _apply.with_route_keys(desired, {}) == desired


class Refusing(Cluster):
    """A cluster that takes nothing."""

    def __init__(self, status: int, reason: str) -> None:
        self.answer = ApiError(f"Cluster c: PATCH was answered {status}: {reason}.", status, reason)

    def send(self, *_what: t.Any, **_query: t.Any) -> JSON:
        raise self.answer


@pytest.mark.parametrize(
    ("kind", "status", "reason", "remedy"),
    [
        (
            "Route",
            404,
            "the server could not find the requested resource",
            "; it has no Routes (",
        ),
        ("Route", 422, "spec.host: Forbidden: you do not have permission to set the host field", "routes/custom-host"),
        ("Route", 422, 'spec.host: Invalid value: "x": field is immutable', "leave host and certificate out"),
        ("Route", 422, 'spec.host: Invalid value: "x_y": must conform to DNS', ""),
        ("Route", 422, "spec.port: Required value", ""),
        ("Service", 404, "not found", ""),
    ],
)
def test_what_to_do_where_a_route_is_not_taken(kind: str, status: int, reason: str, remedy: str) -> None:
    with pytest.raises(ApiError) as caught:
        _apply.apply(Refusing(status, reason), Instance("dask", "team"), item(kind, "dask-notebook"), dry_run=False)
    assert remedy in caught.value.message
    assert caught.value.message.endswith(f"{reason}." if not remedy else ".")
    assert caught.value.status == status


def made(host: str, tls: JSON | None = None, ours: JSON | None = None) -> dict[_apply.Key, JSON]:
    fields = [{"manager": "daskops", "fieldsV1": {"f:spec": ours or {}}}, {"manager": "other", "fieldsV1": {}}]
    spec = {"host": host, "tls": {"termination": "edge", **(tls or {})}}
    return {("Route", "r"): {"kind": "Route", "metadata": {"name": "r", "managedFields": fields}, "spec": spec}}


@pytest.mark.parametrize(
    ("spec", "live", "anew"),
    [
        ({"host": "a.example.com"}, made("a.example.com"), False),
        ({"host": "b.example.com"}, made("a.example.com"), True),
        ({}, made("made-up.example.com"), False),  # by the router
        ({}, made("a.example.com", ours={"f:host": {}}), True),
        ({"tls": {"certificate": "new"}}, made("a", {"certificate": "old"}), True),
        ({"tls": {"certificate": "same"}}, made("a", {"certificate": "same"}), False),
        ({"tls": {}}, made("a", {"key": "k"}, {"f:tls": {"f:key": {}}}), True),
        ({"tls": {}}, made("a", {"key": "k"}), False),
    ],
)
def test_a_route_whose_host_or_certificate_changes_is_made_anew(spec: JSON, live: t.Any, anew: bool) -> None:
    assert _apply.made_anew([item("Service", "r", spec={}), item("Route", "r", spec=spec)], live) == (
        (("Route", "r"),) if anew else ()
    )
    assert _apply.made_anew([item("Route", "new", spec=spec)], live) == ()


class Accounts(Cluster):
    """A cluster whose service account has its pull secret the third time that it is looked at, or never."""

    def __init__(self, never: bool = False) -> None:
        self.name = "prod"
        self.looks = 0
        self.never = never

    def items(self, path: str, **query: str) -> list[JSON]:
        assert (path.rpartition("/")[2], query) == (
            "serviceaccounts",
            {"labelSelector": Instance("dask", "n").selector},
        )
        self.looks += 1
        given = [{"name": "dask-dockercfg"}] if self.looks > 2 and not self.never else []
        return [{"metadata": {"name": "dask"}, "imagePullSecrets": given}]


def test_pods_wait_for_the_pull_secrets_of_their_account() -> None:
    cluster = Accounts()
    _apply.wait_for_pull_secrets(cluster, Instance("dask", "n"), timeout=5)
    assert cluster.looks == 3
    with pytest.raises(DaskopsError, match=r"Cluster prod: .* service account dask was given no pull secret"):
        _apply.wait_for_pull_secrets(Accounts(never=True), Instance("dask", "n"), timeout=0.3)
