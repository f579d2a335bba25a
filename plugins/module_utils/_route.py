# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What routers say to a Route: https://github.com/openshift/api/blob/master/route/v1/types.go.  Pure."""

from __future__ import annotations

import dataclasses
import typing as t

JSON = dict[str, t.Any]

GROUP_VERSION = "route.openshift.io/v1"

# By the reasons of openshift/router; it may have others.
_REMEDIES = {
    "HostAlreadyClaimed": "choose another host in dask_notebook_route, or delete the Route that has this one",
    "RouteNotAdmitted": "choose a host in dask_notebook_route that is in a domain of the router's",
    "ExtendedValidationFailed": "correct certificate, key and ca_certificate in dask_notebook_route",
}


@dataclasses.dataclass(frozen=True)
class Admission:
    """Whether a router serves a Route, under which host, and if none does, who says what and what to do.

    Without a C(router), none has looked at it yet.
    """

    admitted: bool
    host: str
    router: str = ""
    cause: str = ""
    remedy: str = ""


def admission(route: JSON) -> Admission:
    """What the routers say.  One that admits the Route is enough; others may serve other domains or labels."""
    wanted = route["spec"].get("host") or ""
    refused: Admission | None = None
    for ingress in (route.get("status") or {}).get("ingress") or []:
        host, router = ingress.get("host") or wanted, ingress.get("routerName") or "unknown"
        if wanted and host != wanted:
            continue  # said of the host that the Route had before
        for condition in ingress.get("conditions") or []:
            if condition["type"] != "Admitted":
                continue
            if condition["status"] == "True":
                return Admission(True, host, router)
            if condition["status"] == "False" and refused is None:
                refused = _refusal(condition, host, router)
    if refused:
        return refused
    return Admission(
        False,
        wanted,
        cause="no router has admitted it",
        remedy="check that a router runs which serves its host and labels (dask_notebook_route)",
    )


def _refusal(condition: JSON, host: str, router: str) -> Admission:
    reason = condition.get("reason") or ""
    message = " ".join((condition.get("message") or "").split()).rstrip(".")
    said = ": ".join(part for part in (reason, message) if part) or "it does not say why"
    remedy = _REMEDIES.get(reason, "mend what the router says")
    return Admission(False, host, router, f"router {router} does not admit host {host}: {said}", remedy)
