# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a router says to Routes, be it the fake or the one that router/ runs in the cluster.

Nothing but the standard library is used here, as the router's image has nothing else.
"""

from __future__ import annotations

import typing as t

from tests.fakes.openshift.errors import JSON
from tests.fakes.openshift.store import now

GROUP = "route.openshift.io"
_ROUTER = "default"
Verdicts = list[tuple[JSON, JSON]]  # Routes, each with an item of its status.ingress


def in_domains(host: str, domains: t.Collection[str]) -> bool:
    """Whether a host is one that a router of these domains serves."""
    return any(host == allowed or host.endswith(f".{allowed}") for allowed in domains)


def admitted(
    route: JSON, routes: t.Collection[JSON], domain: str, domains: t.Collection[str], refused: str = ""
) -> JSON:
    """What a router that serves these domains says to a Route, as an item of its status.ingress.

    As in openshift/router: the oldest Route of a host and path has it, and its namespace has the whole host. C(refused)
    is what else is wrong with it.
    """
    spec = route.get("spec", {})
    host = spec.get("host", "")
    problem = ("", "")
    if not in_domains(host, domains):
        problem = ("RouteNotAdmitted", f"host {host} is not in a domain that this router serves")
    else:
        rivals = sorted((each for each in routes if each.get("spec", {}).get("host") == host), key=_age)
        owner = rivals[0]["metadata"]["namespace"]
        path = spec.get("path") or ""
        if owner != route["metadata"]["namespace"]:
            problem = ("HostAlreadyClaimed", f"namespace {owner} owns hostname {host}")
        else:
            of_the_owner = [each for each in rivals if each["metadata"]["namespace"] == owner]
            first = next(each for each in of_the_owner if (each["spec"].get("path") or "") == path)["metadata"]["name"]
            if first != route["metadata"]["name"]:
                problem = ("HostAlreadyClaimed", f"route {first} already exposes {host} and is older")
    if refused and not problem[0]:
        problem = ("ExtendedValidationFailed", refused)
    reason, message = problem
    condition = {"type": "Admitted", "status": "False" if reason else "True", "lastTransitionTime": now()}
    condition |= {"reason": reason, "message": message} if reason else {}
    return {
        "host": host,
        "routerName": _ROUTER,
        "routerCanonicalHostname": f"router-{_ROUTER}.{domain}",
        "wildcardPolicy": spec.get("wildcardPolicy", "None"),
        "conditions": [condition],
    }


def _age(route: JSON) -> tuple[str, str]:
    metadata = route["metadata"]
    return metadata.get("creationTimestamp", ""), f"{metadata['namespace']}/{metadata['name']}"


def _verdict(ingress: JSON) -> JSON:
    """An ingress without the time."""
    conditions = [{**each, "lastTransitionTime": ""} for each in ingress.get("conditions") or []]
    return {**ingress, "conditions": conditions}


def good(ingress: JSON) -> bool:
    """Whether the Route is admitted."""
    return bool(ingress["conditions"][0]["status"] == "True")


def news(verdicts: Verdicts) -> Verdicts:
    """Those which do not stand in the Routes' status yet."""
    return [(route, ingress) for route, ingress in verdicts if _said(route) != _verdict(ingress)]


def patch(route: JSON, ingress: JSON) -> tuple[str, JSON]:
    """By which merge patch, and of what, a Route is told."""
    names = route["metadata"]
    path = f"/apis/{GROUP}/v1/namespaces/{names['namespace']}/routes/{names['name']}/status"
    return path, {"status": {"ingress": [ingress]}}


def _said(route: JSON) -> JSON:
    ingresses = (route.get("status") or {}).get("ingress") or []
    return next((_verdict(each) for each in ingresses if each["routerName"] == _ROUTER), {})
