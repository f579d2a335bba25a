# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is private to the collection and may change at any time.

"""What Kubernetes left behind of a cluster that is gone: load balancers, firewall rules, disks. Pure.

Few of these name their cluster.  A firewall rule does, by the tag of its nodes, and by its own name the load balancer
that it is for; the rest follows from what refers to what.  What could be another cluster's is not taken.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_input import region_of
from ansible_collections.daskops.kubernetes.plugins.module_utils._gke_resources import (
    Leftover,
    relative_name,
    short_name,
)
from ansible_collections.daskops.kubernetes.plugins.module_utils._google import JSON

_KUBERNETES = re.compile(r"k8s\d?-")
_CREATED_FOR = "kubernetes.io/created-for/pvc/namespace"
_CLUSTER_NAME, _CLUSTER_LOCATION = "goog-k8s-cluster-name", "goog-k8s-cluster-location"


@dataclass(frozen=True)
class Kind:
    """A kind of resource that Kubernetes makes, in the order in which they can be deleted."""

    name: str
    collection: str
    stage: int
    network: bool = True


KINDS: tuple[Kind, ...] = (
    Kind("forwarding rule", "forwardingRules", 0),
    Kind("firewall rule", "firewalls", 0),
    Kind("disk", "disks", 0, network=False),
    Kind("target proxy", "targetHttpProxies", 1),
    Kind("target proxy", "targetHttpsProxies", 1),
    Kind("target pool", "targetPools", 1),
    Kind("address", "addresses", 1),
    Kind("URL map", "urlMaps", 2),
    Kind("backend service", "backendServices", 3),
    Kind("health check", "healthChecks", 4),
    Kind("network endpoint group", "networkEndpointGroups", 4),
    Kind("instance group", "instanceGroups", 4),
)
BY_COLLECTION = {kind.collection: kind for kind in KINDS}


@dataclass(frozen=True)
class Item:
    """A resource that was found."""

    kind: Kind
    path: str
    body: JSON

    @property
    def name(self) -> str:
        """Its name."""
        return short_name(self.path)


@dataclass(frozen=True)
class Other:
    """Another cluster that there still is; what is not known of it may be so."""

    name: str
    location: str = ""
    in_network: bool = True

    @property
    def display_name(self) -> str:
        """What it is called."""
        return f"{self.name} in {self.location}" if self.location else self.name


@dataclass(frozen=True)
class Where:
    """Whose leftovers are looked for."""

    cluster: str
    location: str
    region: str
    network: str  # its path
    ours: bool = False  # whether the network was made for the cluster
    shared: bool = False  # whether clusters of other projects, which cannot be seen, may be in the network
    others: tuple[Other, ...] = ()  # all others of the project, in whatever network
    namespaces: tuple[str, ...] = ()  # whose volumes are the cluster's, if no other's, where disks do not say whose

    @property
    def node_tag(self) -> re.Pattern[str]:
        """The tag of the cluster's nodes."""
        return re.compile(rf"gke-{re.escape(self.cluster)}-[0-9a-f]{{8}}-node")


def items(collection: str, found: t.Iterable[JSON], region: str) -> list[Item]:
    """The resources of a collection that are global or of that region."""
    place = re.compile(rf"/(global|regions/{re.escape(region)}|zones/{re.escape(region)}-[a-z])/")
    return [
        Item(BY_COLLECTION[collection], relative_name(each["selfLink"]), each)
        for each in found
        if place.search(relative_name(each.get("selfLink")))
    ]


def find(where: Where, found: t.Sequence[Item]) -> tuple[tuple[Leftover, ...], tuple[str, ...]]:
    """What the cluster left behind, and what it may have left behind and cannot be told."""
    network = [item for item in found if item.kind.network]
    balancers: set[str] = set()
    taken: dict[str, Item] = {}
    for item in network:
        if item.kind.collection == "firewalls" and _is_firewall(where, item):
            if not where.shared:
                taken[item.path] = item
            balancers.add(item.name.removeprefix("k8s-fw-"))
    for item in network:
        if item.kind.collection != "firewalls" and _is_seed(where, item, balancers):
            taken[item.path] = item
    _follow(network, taken, balancers)
    doubts = [
        f"{item.kind.name} {item.name}: it could be of {whose}"
        for item in network
        if item.path not in taken and _is_named(where, item) and (whose := _whose(where, item))
    ]
    disks, unclear = _disks(where, [item for item in found if not item.kind.network])
    chosen = sorted([*taken.values(), *disks], key=lambda item: (item.kind.stage, item.kind.name, item.path))
    return tuple(_leftover(item) for item in chosen), (*doubts, *unclear)


def _leftover(item: Item) -> Leftover:
    description = _description(item.body)
    service = description.get("kubernetes.io/service-name") or description.get("networking.gke.io/service-name")
    detail = f"service {service}" if service else ""
    if not item.kind.network:
        namespace, claim = description.get(_CREATED_FOR), description.get("kubernetes.io/created-for/pvc/name")
        detail = f"{item.body.get('sizeGb', '?')} GB" + (f", volume claim {namespace}/{claim}" if namespace else "")
    return Leftover(item.kind.name, item.path, item.kind.stage, detail, item.kind.network)


def _description(body: JSON) -> JSON:
    """The JSON that Kubernetes keeps in a description."""
    try:
        found = json.loads(body.get("description") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_kubernetes(item: Item) -> bool:
    """Whether something was made by Kubernetes, going by its name or description."""
    return bool(_KUBERNETES.match(item.name)) or any("kubernetes.io/" in key for key in _description(item.body))


def _is_firewall(where: Where, item: Item) -> bool:
    if _is_named(where, item):
        return not _alike(where, item)
    if relative_name(item.body.get("network")) != where.network or item.body.get("targetTags"):
        return False
    return bool(_KUBERNETES.match(item.name)) and _alone(where)


def _is_named(where: Where, item: Item) -> bool:
    """Whether something has the cluster's name in its own, or in those of the machines that it is for."""
    cluster = re.escape(where.cluster)
    if item.kind.collection == "firewalls":
        if relative_name(item.body.get("network")) != where.network:
            return False
        if re.fullmatch(rf"gke-{cluster}-[0-9a-f]{{8}}-[a-z]+", item.name):
            return True
        tags = item.body.get("targetTags") or []
        return bool(_KUBERNETES.match(item.name) and tags) and all(where.node_tag.fullmatch(tag) for tag in tags)
    if item.kind.collection == "targetPools":
        nodes = re.compile(rf"gke-{cluster}-.+-[0-9a-f]{{8}}-[a-z0-9]{{4}}")
        instances = item.body.get("instances") or []
        return bool(instances) and all(nodes.fullmatch(short_name(url)) for url in instances)
    return item.kind.collection == "disks" and bool(re.match(rf"gke-{cluster}-[0-9a-f]{{8}}-", item.name))


def _alike(where: Where, item: Item) -> list[Other]:
    """The other clusters whose something could be that has the cluster's name."""
    if item.kind.collection == "firewalls":  # whose names are told apart, and which are of the network
        return [other for other in where.others if other.name == where.cluster and other.in_network]
    return [other for other in where.others if f"{other.name}-".startswith(f"{where.cluster}-")]


def _alone(where: Where) -> bool:
    """Whether all that Kubernetes made in the network can only be this cluster's."""
    return where.ours and not any(other.in_network for other in where.others)


def _is_seed(where: Where, item: Item, balancers: set[str]) -> bool:
    """Whether something is the cluster's by itself."""
    if item.name in balancers and (_is_kubernetes(item) or re.fullmatch(r"a[0-9a-f]{31}", item.name)):
        return True
    if item.kind.collection == "targetPools":
        return _is_named(where, item) and not _alike(where, item)
    if relative_name(item.body.get("network")) == where.network and _is_kubernetes(item):
        return _alone(where)
    return False


def _references(body: JSON) -> set[str]:
    """All that a resource refers to."""
    found: set[str] = set()

    def walk(value: t.Any) -> None:
        if isinstance(value, dict):
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, str) and "projects/" in value:
            found.add(relative_name(value))

    walk({key: value for key, value in body.items() if key != "selfLink"})
    return found


def _follow(network: t.Sequence[Item], taken: dict[str, Item], balancers: set[str]) -> None:
    """Take what refers to what was taken, and what only that refers to, as long as Kubernetes made it."""
    references = {item.path: _references(item.body) for item in network}
    more = True
    while more:
        more = False
        for item in network:
            if item.path in taken or item.kind.collection == "firewalls" or not _is_kubernetes(item):
                continue
            users = {path for path, used in references.items() if item.path in used}
            refers = bool(references[item.path] & set(taken))
            if refers or (users and users <= set(taken)):
                taken[item.path] = item
                balancers.add(item.name)
                more = True
        for item in network:  # an address has no reference to its rule, but the rule's name, or the rule as its user
            if item.kind.collection == "addresses" and item.path not in taken and item.name in balancers:
                taken[item.path] = item


def _disks(where: Where, disks: t.Sequence[Item]) -> tuple[list[Item], list[str]]:
    taken, unclear = [], []
    for item in disks:
        doubt = _doubt(where, item)
        if doubt:
            unclear.append(f"disk {item.name}: {doubt}")
        elif doubt is not None:
            taken.append(item)
    return taken, unclear


def _doubt(where: Where, item: Item) -> str | None:
    """Why a disk may be the cluster's and is not taken; nothing if it is taken, None if it is another's."""
    labels, description = item.body.get("labels") or {}, _description(item.body)
    cluster, location = labels.get(_CLUSTER_NAME), labels.get(_CLUSTER_LOCATION)
    namespace, claim = description.get(_CREATED_FOR), description.get("kubernetes.io/created-for/pvc/name")
    if cluster is not None:
        if cluster != where.cluster or location not in (None, where.location):
            return None
        others = [other for other in where.others if other.name == cluster and location is None]
    elif namespace is None:
        return None
    elif _is_named(where, item):
        others = _alike(where, item)
    else:
        doubt = f"it was made for volume claim {namespace}/{claim} of a cluster that it does not name"
        if namespace not in where.namespaces:
            return doubt
        others = [other for other in where.others if region_of(other.location) in ("", where.region)]
        if others:
            return f"{doubt}, which could be {_names(others)}"
    if others:
        return f"it could be of {_names(others)}"
    return "a machine uses it" if item.body.get("users") else ""


def _whose(where: Where, item: Item) -> str:
    """Whose else something of the network could be that has the cluster's name, or nothing."""
    if others := _alike(where, item):
        return _names(others)
    unseen = where.shared and item.kind.collection == "firewalls"
    return f"a cluster {where.cluster} of another project" if unseen else ""


def _names(others: t.Sequence[Other]) -> str:
    return ", ".join(f"cluster {other.display_name}" for other in others)
