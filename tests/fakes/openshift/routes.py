# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes, which the API server keeps as custom resources: who may name a host, and what a router says to them."""

from __future__ import annotations

import typing as t

import yaml

from tests.fakes.openshift.errors import JSON, invalid
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.state import Identity, Request, Settings
from tests.fakes.openshift.store import now

GROUP = "route.openshift.io"
_ROUTER = "default"


class Routes:
    """Has no state but the cluster's."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self._settings = settings
        self._kube = kube

    def check(self, who: Identity, request: Request, namespace: str, name: str) -> None:
        """Refuse a host of the user's choice if they may not choose one: OpenShift's route/custom-host."""
        try:
            route = yaml.safe_load(request.body) or {}
        except (yaml.YAMLError, UnicodeDecodeError):
            return  # the API server says what is wrong with it
        spec = route.get("spec") if isinstance(route, dict) else None
        host = spec.get("host") if isinstance(spec, dict) else None
        if not host:
            return
        verb = "create"
        if name:
            before = self._kube.ask("GET", f"/apis/{GROUP}/v1/namespaces/{namespace}/routes/{name}")
            if before.good and before.json().get("spec", {}).get("host") == host:
                return
            verb = "update" if before.good else "create"
        if not self._kube.may(who, verb, GROUP, "routes/custom-host", name, namespace):
            named = name or (route.get("metadata") or {}).get("name", "")
            if verb == "update":  # what OpenShift says then
                raise invalid("Route", GROUP, name, "spec.host", f'Invalid value: "{host}": field is immutable')
            text = "Forbidden: you do not have permission to set the host field of the route"
            raise invalid("Route", GROUP, named, "spec.host", text, "FieldValueForbidden")

    def follow(self) -> None:
        """Say to all Routes what the router says to them. It does not refuse them, but does not serve them either."""
        found = self._kube.ask("GET", f"/apis/{GROUP}/v1/routes").json()["items"]
        for route in found:
            ingress = admitted(route, found, self._settings.domain, self._settings.domains())
            before = [
                each for each in (route.get("status") or {}).get("ingress") or [] if each["routerName"] == _ROUTER
            ]
            if before and _verdict(before[0]) == _verdict(ingress):
                continue
            path = "/apis/{}/v1/namespaces/{namespace}/routes/{name}/status".format(GROUP, **_names(route))
            answer = self._kube.ask("PATCH", path, {"status": {"ingress": [ingress]}}, "application/merge-patch+json")
            if answer.status != 404:  # deleted meanwhile
                answer.json()


def admitted(route: JSON, routes: t.Collection[JSON], domain: str, domains: t.Collection[str]) -> JSON:
    """What a router that serves these domains says to a Route, as an item of its status.ingress.

    As in openshift/router: the oldest Route of a host and path has it, and its namespace has the whole host.
    """
    spec = route.get("spec", {})
    host = spec.get("host", "")
    problem = ("", "")
    if not any(host == allowed or host.endswith(f".{allowed}") for allowed in domains):
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


def _names(route: JSON) -> dict[str, str]:
    return {key: route["metadata"][key] for key in ("namespace", "name")}


def _verdict(ingress: JSON) -> JSON:
    """An ingress without the time."""
    conditions = [{**each, "lastTransitionTime": ""} for each in ingress.get("conditions") or []]
    return {**ingress, "conditions": conditions}
