# Copyright (c) 2026, the daskops.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compute Engine: networks, subnetworks and routers with their rules; disks, addresses and load balancers without."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from tests.fakes.google_cloud import catalog
from tests.fakes.google_cloud.errors import JSON, ApiError, invalid, not_found
from tests.fakes.google_cloud.generic import Generic, check_fingerprint
from tests.fakes.google_cloud.operations import Operation, now
from tests.fakes.google_cloud.state import Call

ROOT = "https://www.googleapis.com/compute/v1/"

# What a resource of one collection refers to, and where: the other may not be deleted as long as it is.
_REFERENCES = [
    ("subnetworks", "network"),
    ("routers", "network"),
    ("firewalls", "network"),
    ("addresses", "subnetwork"),
    ("forwardingRules", "target"),
    ("forwardingRules", "backendService"),
    ("targetHttpProxies", "urlMap"),
    ("urlMaps", "defaultService"),
]
_FINGERPRINTED = {"subnetworks"}  # a patch has to bring the fingerprint (API documentation, subnetworks.patch)


def link(path: str) -> str:
    return ROOT + path


def unlink(reference: str) -> str:
    """The path in a reference, which may be a link or a part of one."""
    return re.sub(r"^(https://(www|compute)\.googleapis\.com/compute/v1/|/)", "", reference)


class Compute(Generic):
    """compute.googleapis.com."""

    label = "The resource"

    def handle(self, call: Call) -> JSON:
        self._check_place(call)
        collection, action = call.method.collection, call.method.action
        if collection in ("regions", "zones", "machineTypes") and action in ("get", "list"):
            return self._catalog(call, collection)
        if collection == "projects" and action == "get":
            name, quotas = self._state.settings.project, self._quotas("global", catalog.GLOBAL_QUOTAS)
            return {"kind": "compute#project", "name": name, "quotas": quotas, "selfLink": link(call.path)}
        if action == "aggregatedList":
            return self._aggregated(call)
        match call.method.id:
            case "compute.subnetworks.expandIpCidrRange":
                return self._alter(call, lambda found: self._expand(found, call.body["ipCidrRange"]))
            case "compute.subnetworks.setPrivateIpGoogleAccess":
                return self._alter(call, lambda _found: {"privateIpGoogleAccess": call.body["privateIpGoogleAccess"]})
        if action == "setLabels":
            return self._alter(call, lambda found: self._labels(call, found))
        answer = super().handle(call)
        if call.method.id == "compute.networks.get":
            inside = self._inside(link(call.path))
            answer = {**answer, **({"subnetworks": inside} if inside else {})}
        return answer

    def found(self, key: str) -> JSON:
        if key not in self._state.resources:
            raise not_found(f"The resource '{key.partition('/')[2]}' was not found")
        return self._state.resources[key]

    def name_of(self, call: Call) -> str:
        name = call.body.get("name", "")
        # Compute Engine's guide, "Naming resources".
        if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise invalid(f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex '[a-z](?:…)?'")
        return str(name)

    def created(self, call: Call, key: str) -> JSON:
        path = key.removeprefix("compute/")
        kind = call.method.collection.removeprefix("global").removeprefix("region")
        # Kinds are named after the resource, not after the collection: compute#subnetwork, compute#address.
        kind = re.sub(r"(?<=ss)es$|(?<!ss)s$", "", kind[:1].lower() + kind[1:])
        resource: JSON = {
            **call.body,
            "kind": "compute#" + re.sub("Policie$", "Policy", re.sub("Proxie$", "Proxy", kind)),
            "id": str(4_000_000_000_000_000_000 + self._state.number()),
            "creationTimestamp": now(),
            "selfLink": link(path),
        }
        for place in ("region", "zone"):
            if place in call.params:
                resource[place] = link(f"{'/'.join(call.path.split('/')[:2])}/{place}s/{call.params[place]}")
        match call.method.collection:
            case "networks":
                resource |= {"autoCreateSubnetworks": call.body.get("autoCreateSubnetworks", True)}
                resource |= {"routingConfig": {"routingMode": "REGIONAL"} | call.body.get("routingConfig", {})}
            case "subnetworks":
                resource |= self._subnetwork(call.body, path)
            case "routers":
                self._network(call.body)
                self._check_nats(call.body)
            case "disks" | "regionDisks":
                resource |= {"status": "READY", "labelFingerprint": self._state.etag()}
            case "addresses" | "globalAddresses":
                number = self._state.number() % 250
                resource |= {"status": "RESERVED", "address": call.body.get("address", f"203.0.113.{number + 1}")}
        if "labelFingerprint" in call.document.properties(call.method.request or "Network"):
            resource.setdefault("labelFingerprint", self._state.etag())
        return resource

    def changed(self, call: Call, key: str, resource: JSON) -> JSON:
        collection = call.method.collection
        if collection in _FINGERPRINTED:
            check_fingerprint("fingerprint", call.body, resource)
        if collection == "routers":
            self._check_nats(call.body)
        changed = {**resource, **call.body}
        if call.method.action == "update":  # PUT is all of it; what only the service sets stays
            kept = {"kind", "id", "name", "selfLink", "creationTimestamp", "region", "zone", "network"}
            changed = {**{name: value for name, value in resource.items() if name in kept}, **call.body}
        if collection == "subnetworks":
            for field in ("ipCidrRange", "network", "region"):
                if unlink(changed[field]) != unlink(resource[field]):
                    raise invalid(f"Invalid value for field 'resource.{field}': it cannot be changed.")
            self._check_ranges(changed, key)
            changed["fingerprint"] = self._state.etag()
        return changed

    def check_delete(self, key: str, resource: JSON) -> None:
        path = key.removeprefix("compute/")
        for other, value in self._state.resources.items():
            collection = other.rsplit("/", 2)[-2]
            for name, field in _REFERENCES:
                if collection == name and unlink(value.get(field, "")) == path:
                    text = f"The resource '{path}' is already being used by '{other.removeprefix('compute/')}'"
                    raise ApiError("FAILED_PRECONDITION", text, reason="resourceInUseByAnotherResource")
        if resource.get("users"):
            text = f"The resource '{path}' is already being used by '{unlink(resource['users'][0])}'"
            raise ApiError("FAILED_PRECONDITION", text, reason="resourceInUseByAnotherResource")

    # Operations.

    def operation_shown(self, call: Call, key: str, operation: Operation) -> JSON:
        scope = re.match(r"projects/[^/]+/(global|regions/[^/]+|zones/[^/]+)", call.path)
        assert scope
        place: JSON = {name: link(scope[0]) for name in ("region", "zone") if name in call.params}
        target = self._state.resources.get(key, {})
        return {
            "kind": "compute#operation",
            "id": str(self._state.number()),
            "name": operation.name,
            "operationType": operation.kind,
            "user": self._state.settings.account,
            "targetLink": link(key.removeprefix("compute/")),
            "selfLink": link(f"{scope[0]}/operations/{operation.name}"),
            "insertTime": operation.started,
            "startTime": operation.started,
            **place,
            **({"targetId": target["id"]} if "id" in target else {}),
        }

    def show(self, operation: Operation) -> JSON:
        if not operation.done:
            return {**operation.shown, "status": "RUNNING", "progress": 0}
        shown = {**operation.shown, "status": "DONE", "progress": 100, "endTime": operation.ended}
        if failure := operation.failed:
            codes = {"quota": "QUOTA_EXCEEDED", "stockout": "ZONE_RESOURCE_POOL_EXHAUSTED"}
            errors = [{"code": codes.get(failure.kind, "INTERNAL_ERROR"), "message": failure.text}]
            shown |= {"error": {"errors": errors}, "httpErrorStatusCode": 403, "httpErrorMessage": "FORBIDDEN"}
        return shown

    # The parts.

    def _check_place(self, call: Call) -> None:
        for place, known in (("region", t.cast("t.Container[str]", catalog.REGIONS)), ("zone", catalog.ZONES)):
            if place in call.params and call.params[place] not in known:
                raise invalid(f"Invalid value for field '{place}': '{call.params[place]}'. Unknown {place}.")

    def _catalog(self, call: Call, collection: str) -> JSON:
        if collection == "machineTypes":
            items = [_machine(name, call.params["zone"], call.path) for name in catalog.MACHINE_TYPES]
        elif collection == "zones":
            items = [self._zone(zone) for zone in catalog.ZONES]
        else:
            items = [self._region(region) for region in catalog.REGIONS]
        if call.method.action == "list":
            return self.page(call, [item for item in items if self._wanted(call, item)])
        name = call.path.rpartition("/")[2]
        found = next((item for item in items if item["name"] == name), None)
        if found is None:
            raise not_found(f"The resource '{call.path}' was not found")
        return found

    def _zone(self, zone: str) -> JSON:
        root = f"projects/{self._state.settings.project}"
        region = link(f"{root}/regions/{catalog.ZONES[zone]}")
        return {
            "kind": "compute#zone",
            "name": zone,
            "status": "UP",
            "region": region,
            "selfLink": link(f"{root}/zones/{zone}"),
        }

    def _region(self, region: str) -> JSON:
        root = f"projects/{self._state.settings.project}"
        return {
            "kind": "compute#region",
            "name": region,
            "status": "UP",
            "quotas": self._quotas(region, catalog.QUOTAS),
            "zones": [link(f"{root}/zones/{region}-{letter}") for letter in catalog.REGIONS[region]],
            "selfLink": link(f"{root}/regions/{region}"),
        }

    def _quotas(self, region: str, metrics: t.Iterable[str]) -> list[JSON]:
        found = {metric: self._state.quota(region, metric) for metric in metrics}
        return [{"metric": metric, "limit": limit, "usage": usage} for metric, (limit, usage) in found.items()]

    def _aggregated(self, call: Call) -> JSON:
        # A collection whose name says its scope has the others' resources in its aggregated list, too.
        collection = call.path.rpartition("/")[2]
        scopes: dict[str, list[JSON]] = {}
        for key, value in sorted(self._state.resources.items()):
            found = re.fullmatch(rf"compute/projects/[^/]+/(.+)/{collection}/[^/]+", key)
            if found and self._wanted(call, value):
                scopes.setdefault(found[1], []).append(value)
        kind = f"compute#{collection[:-1]}AggregatedList"
        return {"kind": kind, "items": {scope: {collection: items} for scope, items in scopes.items()}}

    def _alter(self, call: Call, alter: t.Callable[[JSON], JSON]) -> JSON:
        """Change a part of a resource by a method of its own."""
        key = f"compute/{call.path.rpartition('/')[0]}"
        found = self.found(key)
        changed = found | alter(found)
        if "fingerprint" in found:
            changed["fingerprint"] = self._state.etag()
        return self.start(call, key, lambda _failure: self._state.resources.__setitem__(key, changed))

    def _labels(self, call: Call, found: JSON) -> JSON:
        check_fingerprint("labelFingerprint", call.body, found)
        return {"labels": call.body.get("labels", {}), "labelFingerprint": self._state.etag()}

    def _expand(self, found: JSON, wanted: str) -> JSON:
        if not _network(found["ipCidrRange"]).subnet_of(_network(wanted)):
            raise invalid(f"Invalid IPCidrRange: {wanted} does not contain {found['ipCidrRange']}.")
        return {"ipCidrRange": wanted}

    def _network(self, body: JSON) -> JSON:
        if "network" not in body:
            raise invalid("Invalid value for field 'resource.network': ''. The network is missing.")
        return self.found(f"compute/{unlink(body['network'])}")

    def _inside(self, network: str) -> list[str]:
        """The subnetworks of a network."""
        every = [value for key, value in sorted(self._state.resources.items()) if "/subnetworks/" in key]
        return [value["selfLink"] for value in every if value.get("network") == network]

    def _subnetwork(self, body: JSON, path: str) -> JSON:
        network = self._network(body)
        if "ipCidrRange" not in body:
            raise invalid("Invalid value for field 'resource.ipCidrRange': ''. The range is missing.")
        self._check_ranges(body | {"network": network["selfLink"]}, f"compute/{path}")
        gateway = str(_network(body["ipCidrRange"])[1])
        return {
            "network": network["selfLink"],
            "gatewayAddress": gateway,
            "privateIpGoogleAccess": body.get("privateIpGoogleAccess", False),
            "purpose": body.get("purpose", "PRIVATE"),
            "stackType": body.get("stackType", "IPV4_ONLY"),
            "fingerprint": self._state.etag(),
        }

    def _check_ranges(self, body: JSON, key: str) -> None:
        """All ranges of a network are apart from each other (the guide to VPC, "Subnets")."""
        ranges = _ranges(body)
        names = [name for name, _range in ranges]
        if len(set(names)) != len(names):
            raise invalid("Invalid value for field 'resource.secondaryIpRanges': two ranges have the same name.")
        others = [
            taken
            for other, value in self._state.resources.items()
            if "/subnetworks/" in other and other != key and value.get("network") == link(unlink(body["network"]))
            for taken in _ranges(value)
        ]
        for i, (_name, wanted) in enumerate(ranges):
            for _other, taken in [*ranges[:i], *others]:
                if wanted.overlaps(taken):
                    text = f"Invalid IPCidrRange: {wanted} conflicts with existing subnetwork's range {taken}."
                    raise invalid(text)

    def _check_nats(self, body: JSON) -> None:
        for nat in body.get("nats", []):
            # API documentation, RouterNat: both have to be set, and addresses only go with MANUAL_ONLY.
            for field in ("natIpAllocateOption", "sourceSubnetworkIpRangesToNat"):
                if field not in nat:
                    raise invalid(f"Invalid value for field 'resource.nats[].{field}': ''. It is required.")
            if (nat["natIpAllocateOption"] == "MANUAL_ONLY") != bool(nat.get("natIps")):
                raise invalid("Invalid value for field 'resource.nats[].natIps': they go with MANUAL_ONLY.")


def _network(cidr: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise invalid(f"Invalid IPCidrRange: {cidr}: {error}.") from error


def _ranges(subnetwork: JSON) -> list[tuple[str, ipaddress.IPv4Network]]:
    """The primary range and the secondary ones."""
    primary = [("", _network(subnetwork["ipCidrRange"]))]
    secondary = subnetwork.get("secondaryIpRanges", [])
    return primary + [(each.get("rangeName", ""), _network(each.get("ipCidrRange", ""))) for each in secondary]


def _machine(name: str, zone: str, path: str) -> JSON:
    cpus, memory = catalog.MACHINE_TYPES[name]
    collection = re.sub(r"/machineTypes.*", "/machineTypes", path)
    size = {"guestCpus": cpus, "memoryMb": memory, "isSharedCpu": cpus == 2 and name.count("-") == 1}
    return {"kind": "compute#machineType", "name": name, "zone": zone, **size, "selfLink": link(f"{collection}/{name}")}
