# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Routes, which the API server keeps as custom resources: who may name a host, and what a router says to them."""

from __future__ import annotations

import typing as t

import yaml

from tests.fakes.openshift.admission import GROUP, admitted, news, patch
from tests.fakes.openshift.errors import invalid
from tests.fakes.openshift.kube import Kube
from tests.fakes.openshift.state import Identity, Request, Settings


def chosen(route: t.Any) -> dict[str, t.Any]:
    """What of a Route takes a right to choose, by its field.

    https://github.com/openshift/library-go/blob/master/pkg/route/hostassignment/assignment.go
    """
    spec = route.get("spec") if isinstance(route, dict) else None
    spec = spec if isinstance(spec, dict) else {}
    tls = spec.get("tls")
    certificates = ("certificate", "key", "caCertificate", "destinationCACertificate")
    return {
        "spec.host": spec.get("host"),
        "spec.tls": {each: tls[each] for each in certificates if tls.get(each)} if isinstance(tls, dict) else {},
    }


class Routes:
    """Has no state but the cluster's."""

    def __init__(self, settings: Settings, kube: Kube) -> None:
        self._settings = settings
        self._kube = kube

    def check(self, who: Identity, request: Request, namespace: str, name: str) -> None:
        """Refuse a host or certificate of the user's choice if they may not choose: OpenShift's routes/custom-host."""
        try:
            route = yaml.safe_load(request.body) or {}
        except (yaml.YAMLError, UnicodeDecodeError):
            return  # the API server says what is wrong with it
        wanted = chosen(route)
        if not any(wanted.values()):
            return
        verb = "create"
        if name:
            before = self._kube.ask("GET", f"/apis/{GROUP}/v1/namespaces/{namespace}/routes/{name}")
            if before.good:
                there = chosen(before.json())
                wanted = {field: value for field, value in wanted.items() if value and value != there[field]}
                verb = "update"
        for field, what in (("spec.host", "the host field of"), ("spec.tls", "certificate fields on")):
            value = wanted.get(field)
            if not value or self._kube.may(who, verb, GROUP, "routes/custom-host", name, namespace):
                continue
            named = name or (route.get("metadata") or {}).get("name", "")
            if verb == "update":  # what OpenShift says then
                raise invalid("Route", GROUP, named, field, f'Invalid value: "{value}": field is immutable')
            text = f"Forbidden: you do not have permission to set {what} the route"
            raise invalid("Route", GROUP, named, field, text, "FieldValueForbidden")

    def follow(self) -> None:
        """Say to all Routes what the router says to them, unless there is one that does. Nobody serves them then."""
        if self._settings.router:
            return
        found = self._kube.ask("GET", f"/apis/{GROUP}/v1/routes").json()["items"]
        domain, domains = self._settings.domain, self._settings.domains()
        for route, ingress in news([(each, admitted(each, found, domain, domains)) for each in found]):
            path, status = patch(route, ingress)
            answer = self._kube.ask("PATCH", path, status, "application/merge-patch+json")
            if answer.status != 404:  # deleted meanwhile
                answer.json()
