# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What routers say to a Route, in the words of openshift/router."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.daskops.kubernetes.plugins.module_utils import _route

from tests.fakes.openshift.admission import admitted

JSON = dict[str, t.Any]
HOST = "dask-notebook-team.apps.example.com"


def said(status: str, reason: str = "", message: str = "", host: str = HOST, router: str = "default") -> JSON:
    """One router's part of a Route's status."""
    condition = {"type": "Admitted", "status": status, "lastTransitionTime": "2026-11-24T12:00:00Z"}
    condition |= {"reason": reason, "message": message} if reason else {}
    return {
        "host": host,
        "routerName": router,
        "routerCanonicalHostname": "router-default.apps.example.com",
        "wildcardPolicy": "None",
        "conditions": [condition],
    }


def route(*ingress: JSON, host: str = HOST) -> JSON:
    """The notebook's Route with what routers say to it."""
    return {
        "metadata": {"name": "dask-notebook"},
        "spec": {"host": host, "tls": {"termination": "edge"}, "to": {"kind": "Service", "name": "dask-notebook"}},
        "status": {"ingress": list(ingress)} if ingress else {},
    }


def test_a_route_that_a_router_has_admitted() -> None:
    assert _route.admission(route(said("True"))) == _route.Admission(True, HOST, "default")


def test_one_router_is_enough() -> None:
    other = said("False", "RouteNotAdmitted", "not mine", router="internal")
    assert _route.admission(route(other, said("True"))).router == "default"


@pytest.mark.parametrize(
    ("reason", "message", "cause", "remedy"),
    [
        ("HostAlreadyClaimed", f"namespace lab owns hostname {HOST}", "lab owns hostname", "choose another host"),
        ("RouteNotAdmitted", "wrong domain.", "RouteNotAdmitted: wrong domain", "in a domain of the router's"),
        ("ExtendedValidationFailed", "spec.tls.key:\n invalid", "spec.tls.key: invalid", "correct certificate, key"),
        ("Other", "", "host dask-notebook-team.apps.example.com: Other", "mend what the router says"),
        ("", "", "it does not say why", "mend what the router says"),
    ],
)
def test_a_route_that_a_router_refuses(reason: str, message: str, cause: str, remedy: str) -> None:
    found = _route.admission(route(said("False", reason, message)))
    assert not found.admitted
    assert found.router == "default"
    assert found.cause.startswith(f"router default does not admit host {HOST}: ")
    assert cause in found.cause
    assert not found.cause.endswith(".")
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "item",
    [
        route(),
        {**route(), "status": None},
        route(said("Unknown")),
        # What was said of the host that the Route had before.
        route(said("True", host="old.example.com")),
        route(said("False", "HostAlreadyClaimed", "theirs", host="old.example.com")),
    ],
)
def test_a_route_that_no_router_has_looked_at(item: JSON) -> None:
    found = _route.admission(item)
    assert (found.admitted, found.router, found.cause) == (False, "", "no router has admitted it")


def test_a_host_that_only_the_router_knows() -> None:
    assert _route.admission(route(said("True"), host="")).host == HOST


def test_the_fakes_router_is_understood() -> None:
    def named(name: str, namespace: str, host: str) -> JSON:
        metadata = {"name": name, "namespace": namespace, "creationTimestamp": f"2026-11-2{len(namespace)}T12:00:00Z"}
        return {"metadata": metadata, "spec": {"host": host}}

    theirs, ours = named("one", "lab", HOST), named("two", "team", HOST)
    strange = named("three", "team", "dask.example.org")
    verdicts = []
    for item in (theirs, ours, strange):
        ingress = admitted(item, [theirs, ours, strange], "apps.example.com", ["apps.example.com"])
        verdicts.append(_route.admission({**item, "status": {"ingress": [ingress]}}))
    assert [verdict.admitted for verdict in verdicts] == [True, False, False]
    assert f"HostAlreadyClaimed: namespace lab owns hostname {HOST}" in verdicts[1].cause
    assert "RouteNotAdmitted: host dask.example.org is not in a domain" in verdicts[2].cause
