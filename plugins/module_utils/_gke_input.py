# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""Names, ranges and places that cannot be, found before Google is asked. Pure."""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t

JSON = dict[str, t.Any]
Network = ipaddress.IPv4Network

REGION = re.compile(r"[a-z]+(-[a-z]+)+\d+")
ZONE = re.compile(r"[a-z]+(-[a-z]+)+\d+-[a-z]")

# What a name may be: the expression, and how it is said.
_NAMES = {
    "compute": (r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", "up to 63 lower-case letters, digits and hyphens, a letter first"),
    "gke": (r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", "up to 40 lower-case letters, digits and hyphens, a letter first"),
    "account": (r"[a-z][-a-z0-9]{4,28}[a-z0-9]", "6 to 30 lower-case letters, digits and hyphens, a letter first"),
    "email": (r"[a-z0-9][-a-z0-9]*@[-a-z0-9.]+\.gserviceaccount\.com", "such as name@project.iam.gserviceaccount.com"),
    "bucket": (r"(?!goog)[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]", "3 to 63 lower-case letters, digits, hyphens and dots"),
    "dns": (r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "up to 63 lower-case letters, digits and hyphens"),
    "dns_subdomain": (r"(?=.{1,253}\Z)[a-z0-9]([-.a-z0-9]*[a-z0-9])?", "lower-case letters, digits, hyphens and dots"),
    "role": (r"roles/[\w.]+|(projects|organizations)/[^/]+/roles/[\w.]+", "such as roles/storage.objectUser"),
    "member": (
        r"(user|group|serviceAccount|domain|principal|principalSet):\S+|allUsers|allAuthenticatedUsers",
        "such as user:name@example.com or serviceAccount:name@project.iam.gserviceaccount.com",
    ),
    "region": (REGION.pattern, "such as europe-west4"),
    "location": (rf"{REGION.pattern}|us|europe|asia", "a region, such as europe-west4, or us, europe or asia"),
    "place": (rf"{REGION.pattern}(-[a-z])?", "a region, such as europe-west4, or a zone, such as europe-west4-a"),
    "machine": (r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "such as e2-standard-4"),
    "project": (
        r"(?:[a-z0-9][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "an ID, not a name or a number",
    ),
}

# The guide to VPC, "Prohibited IPv4 subnet ranges".
_PROHIBITED = [
    Network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "199.36.153.4/30",
        "199.36.153.8/30",
    )
]


def is_zone(location: str) -> bool:
    """Whether a location is a zone."""
    return bool(ZONE.fullmatch(location))


def region_of(location: str) -> str:
    """The region of a zone, or the region that it is."""
    return location[:-2] if is_zone(location) else location


def check_name(value: t.Any, kind: str, what: str, problems: list[str]) -> bool:
    """Add a problem unless C(value) is a name of that kind."""
    expression, words = _NAMES[kind]
    if re.fullmatch(expression, str(value or "")):
        return True
    problems.append(f"{what} is {value!r}, which cannot be: {words}")
    return False


def check_range(
    text: t.Any, what: str, problems: list[str], shortest: int = 8, longest: int = 29
) -> ipaddress.IPv4Network | None:
    """The range, or None with a problem added; the two are the prefix lengths that are possible."""
    try:
        interface = ipaddress.IPv4Interface(str(text))
    except ValueError:
        problems.append(f"{what} is {text!r}, which is no IPv4 range such as 10.0.0.0/22")
        return None
    network = interface.network
    if "/" not in str(text):
        problems.append(f"{what} is {text!r}, which lacks the length of its prefix, as in 10.0.0.0/22")
    elif interface.ip != network.network_address:
        problems.append(f"{what} is {text!r}, whose last bits are set: {network} may be meant")
    elif not shortest <= network.prefixlen <= longest:
        problems.append(f"{what} is {text!r}: its prefix can be /{shortest} to /{longest}")
    elif taken := next((each for each in _PROHIBITED if network.overlaps(each)), None):
        problems.append(f"{what} is {text!r}, which overlaps with {taken}: no subnetwork may have that")
    else:
        return network
    return None


def check_overlaps(ranges: t.Sequence[tuple[str, ipaddress.IPv4Network]], problems: list[str]) -> None:
    """Add a problem for each two ranges that have addresses in common."""
    for (one, first), (other, second) in itertools.combinations(ranges, 2):
        if first.overlaps(second):
            problems.append(f"{one} {first} overlaps with {other} {second}")


def check_labels(labels: JSON, problems: list[str]) -> None:
    """Labels as Google takes them."""
    for key, value in labels.items():
        text = "" if value is None else str(value)
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch(r"[a-z0-9_-]{0,63}", text):
            problems.append(
                f"label {key}={text} cannot be: up to 63 lower-case letters, digits, hyphens and underscores, "
                "and a letter first in the key"
            )


def subnetwork_ranges(params: JSON, problems: list[str]) -> list[tuple[str, ipaddress.IPv4Network]]:
    """The ranges that are given for the subnetwork, with what each is called."""
    subnetwork = params.get("subnetwork") or {}
    found = []
    # The ranges' sizes: GKE's guide, "VPC-native clusters", "IP address range planning".
    for what, text, shortest, longest in (
        ("subnetwork.ip_range", subnetwork.get("ip_range"), 8, 29),
        ("subnetwork.pods_range", (subnetwork.get("pods_range") or {}).get("cidr"), 9, 28),
        ("subnetwork.services_range", (subnetwork.get("services_range") or {}).get("cidr"), 16, 27),
    ):
        if text is not None:
            network = check_range(text, what, problems, shortest, longest)
            if network:
                found.append((what, network))
    return found


def check_resources(params: JSON) -> list[str]:
    """What of the options for gke_resources cannot be, whatever there is."""
    problems: list[str] = []
    network, subnetwork, nat = (params.get(part) for part in ("network", "subnetwork", "nat"))
    if network:
        check_name(network["name"], "compute", "network.name", problems)
        if network.get("project"):
            check_name(network["project"], "project", "network.project", problems)
    if subnetwork:
        if not network:
            problems.append("subnetwork is given without the network that it is in: give network, too")
        check_name(subnetwork["name"], "compute", "subnetwork.name", problems)
        check_name(subnetwork["region"], "region", "subnetwork.region", problems)
        names = []
        for part in ("pods_range", "services_range"):
            if subnetwork.get(part):
                names.append(subnetwork[part]["name"])
                check_name(subnetwork[part]["name"], "compute", f"subnetwork.{part}.name", problems)
        if len(set(names)) < len(names):
            problems.append(f"subnetwork.pods_range and subnetwork.services_range are both called {names[0]!r}")
        check_overlaps(subnetwork_ranges(params, problems), problems)
    if nat:
        if not subnetwork:
            problems.append("nat is given without the subnetwork that it is for: give subnetwork, too")
        for part in ("router", "name"):
            check_name(nat[part], "compute", f"nat.{part}", problems)
        ports = nat.get("min_ports_per_vm")
        # API documentation, RouterNat.minPortsPerVm, and the guide to Cloud NAT, "Port reservation".
        if ports is not None and not 2 <= ports <= 57344:
            problems.append(f"nat.min_ports_per_vm is {ports}: 2 to 57344 are possible")
    _check_accounts(params, problems)
    for number, workload in enumerate(params.get("workload_identity") or []):
        what = f"workload_identity[{number}]"
        check_name(workload["namespace"], "dns", f"{what}.namespace", problems)
        check_name(workload["service_account"], "dns_subdomain", f"{what}.service_account", problems)
        check_name(workload["role"], "role", f"{what}.role", problems)
        if workload.get("bucket"):
            check_name(workload["bucket"], "bucket", f"{what}.bucket", problems)
        if workload.get("google_service_account"):
            check_name(workload["google_service_account"], "email", f"{what}.google_service_account", problems)
    check_labels(params.get("labels") or {}, problems)
    return problems


def _check_accounts(params: JSON, problems: list[str]) -> None:
    account, registry = params.get("node_service_account"), params.get("artifact_registry")
    if account:
        if account.get("account_id"):
            check_name(account["account_id"], "account", "node_service_account.account_id", problems)
        elif check_name(account.get("email"), "email", "node_service_account.email", problems):
            own = str(account["email"]).endswith(f"@{account_domain(str(params.get('project') or ''))}")
            if account.get("create") and not own:
                problems.append(
                    f"node_service_account.email {account['email']!r} is of another project, where none can be made: "
                    "set create to false"
                )
        for role in account.get("roles") or []:
            check_name(role, "role", "node_service_account.roles", problems)
    if registry:
        check_name(registry["repository"], "compute", "artifact_registry.repository", problems)
        check_name(registry["location"], "location", "artifact_registry.location", problems)
        for part in ("readers", "writers"):
            for member in registry.get(part) or []:
                check_name(member, "member", f"artifact_registry.{part}", problems)


def workload_pool(project: str) -> str:
    """The pool of pods' identities, the one that a project's clusters can have and so share."""
    return f"{project}.svc.id.goog"


def account_domain(project: str) -> str:
    """What emails of a project's service accounts end with; a project's ID may begin with a domain."""
    domain, _colon, name = project.rpartition(":")
    return f"{name}.{domain}.iam.gserviceaccount.com" if domain else f"{name}.iam.gserviceaccount.com"
