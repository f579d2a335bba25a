# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes: who may name a host, and what the router says to one that is taken or is not its to serve."""

from __future__ import annotations

import typing as t

import pytest

from tests.fakes.openshift import FakeOpenShift
from tests.openshift.api_server import ApiServer
from tests.openshift.client import Client

JSON = dict[str, t.Any]
ROOT = "/apis/route.openshift.io/v1/namespaces"
ROUTES = f"{ROOT}/lab/routes"


def route(name: str, host: str = "", path: str = "") -> JSON:
    spec: JSON = {"to": {"kind": "Service", "name": "scheduler"}}
    spec |= {key: value for key, value in (("host", host), ("path", path)) if value}
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": name}, "spec": spec}


def admitted(client: Client, name: str) -> JSON:
    [ingress] = client.get(f"{ROUTES}/{name}").json()["status"]["ingress"]
    [condition] = ingress["conditions"]
    return t.cast("JSON", condition)


def test_a_host_in_the_domain(tenant: Client) -> None:
    assert tenant.post(ROUTES, route("dask", "dask.apps.example.test")).status_code == 201
    assert admitted(tenant, "dask")["status"] == "True"


@pytest.mark.parametrize("host", ["dask.example.com", "apps.example.test.evil.com", "myapps.example.test"])
def test_a_host_outside_the_domain(tenant: Client, host: str) -> None:
    tenant.post(ROUTES, route("dask", host))
    condition = admitted(tenant, "dask")
    assert (condition["status"], condition["reason"]) == ("False", "RouteNotAdmitted")
    assert host in condition["message"]


def test_further_domains(tenant: Client, openshift: FakeOpenShift) -> None:
    openshift.settings.allowed_domains = ("apps.example.test", "example.com")
    tenant.post(ROUTES, route("dask", "dask.example.com"))
    assert admitted(tenant, "dask")["status"] == "True"


def test_a_host_that_another_namespace_has(tenant: Client, api_server: ApiServer) -> None:
    older = route("theirs", "dask.apps.example.test", "/other")
    older["metadata"] |= {"namespace": "older", "creationTimestamp": "2025-01-01T00:00:00Z"}
    api_server.objects[f"{ROOT}/older/routes/theirs"] = older
    tenant.post(ROUTES, route("dask", "dask.apps.example.test"))
    condition = admitted(tenant, "dask")
    assert (condition["status"], condition["reason"]) == ("False", "HostAlreadyClaimed")
    assert condition["message"] == "namespace older owns hostname dask.apps.example.test"
    # When the other one goes, whatever is done next to any Route finds that out.
    del api_server.objects[f"{ROOT}/older/routes/theirs"]
    tenant.post(ROUTES, route("more", "more.apps.example.test"))
    assert admitted(tenant, "dask")["status"] == "True"


def test_a_path_that_another_route_has(tenant: Client) -> None:
    for name, path in (("one", "/a"), ("two", "/b"), ("three", "/a")):
        tenant.post(ROUTES, route(name, "dask.apps.example.test", path))
    assert [admitted(tenant, name)["status"] for name in ("one", "two", "three")] == ["True", "True", "False"]
    assert admitted(tenant, "three")["message"] == "route one already exposes dask.apps.example.test and is older"
    assert tenant.delete(f"{ROUTES}/one").status_code == 200
    assert admitted(tenant, "three")["status"] == "True"


def test_a_host_may_not_be_chosen_without_the_right(tenant: Client, api_server: ApiServer) -> None:
    api_server.allowed.remove(("developer", "create", "routes/custom-host.route.openshift.io", "lab"))
    answer = tenant.post(ROUTES, route("dask", "dask.apps.example.test"))
    assert answer.status_code == 422
    assert "spec.host: Forbidden: you do not have permission to set the host field" in answer.json()["message"]
    assert tenant.post(ROUTES, route("dask")).status_code == 201
    # What has a host already may be sent back with it, and not with another.
    api_server.objects[f"{ROUTES}/dask"]["spec"]["host"] = "dask-lab.apps.example.test"
    assert tenant.put(f"{ROUTES}/dask", route("dask", "dask-lab.apps.example.test")).status_code == 200
    answer = tenant.patch(f"{ROUTES}/dask", {"spec": {"host": "x.apps.example.test"}})
    assert answer.status_code == 422
    assert "spec.host: Invalid value" in answer.json()["message"]


def test_a_certificate_may_not_be_chosen_without_the_right(tenant: Client, api_server: ApiServer) -> None:
    api_server.allowed.remove(("developer", "create", "routes/custom-host.route.openshift.io", "lab"))
    with_certificate = route("dask") | {"spec": route("dask")["spec"] | {"tls": {"certificate": "PEM", "key": "PEM"}}}
    answer = tenant.post(ROUTES, with_certificate)
    assert answer.status_code == 422
    assert "spec.tls: Forbidden: you do not have permission to set certificate fields" in answer.json()["message"]
    # Without one the router's own does, and takes no right.
    with_certificate["spec"]["tls"] = {"termination": "edge"}
    assert tenant.post(ROUTES, with_certificate).status_code == 201
    answer = tenant.patch(f"{ROUTES}/dask", {"spec": {"tls": {"certificate": "PEM"}}})
    assert answer.status_code == 422
    assert "field is immutable" in answer.json()["message"]
